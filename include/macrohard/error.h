/* SPDX-License-Identifier: MIT */
/* Error codes: every function that can fail returns 0 or one of these, negative. */
#ifndef MACROHARD_ERROR_H
#define MACROHARD_ERROR_H

#ifdef __cplusplus
extern "C" {
#endif

#ifndef MH_API
#define MH_API __attribute__((visibility("default")))
#endif

/* X(name, value, text). Values are part of the ABI. */
#define MH_ERROR_LIST(X)                                                             \
	X(EINVAL, -1, "invalid argument")                                            \
	X(ENOMEM, -2, "out of memory")                                               \
	X(EEXIST, -3, "exists already or overlaps")                                  \
	X(ENOENT, -4, "not found")                                                   \
	X(ESTATE, -5, "not possible in this state")                                  \
	X(EIO, -6, "input or output failed")                                         \
	X(EFORMAT, -7, "the file's format is wrong")                                 \
	X(ERANGE, -8, "out of range")                                                \
	X(ETIMEDOUT, -9, "timed out")                                                \
	X(EPERM, -10, "not permitted")                                               \
	X(ENOTSUP, -11, "not supported")                                             \
	X(EFAULT, -12, "bad guest address")                                          \
	X(ENODEV, -13, "the macrohard kernel module is not loaded")                  \
	X(ENOCPU, -14, "the CPU has no virtualization extension")                    \
	X(EFIRMWARE, -15, "virtualization is locked off by the firmware")            \
	X(EBUSY, -16, "another hypervisor holds the CPU's virtualization extension") \
	X(EMISSING, -17, "the CPU lacks a required feature")                         \
	X(EABI, -18, "the kernel module speaks another version of the interface")    \
	X(EGUEST, -19, "the guest did something that cannot be continued")           \
	X(EENTRY, -20, "the CPU refused to enter the guest")                         \
	X(EUNHANDLED, -21, "an exit that nobody handles")                            \
	X(ENOSPC, -22, "no space left")

enum mh_error {
	MH_OK = 0,
#define MH_ERROR_ENUM(name, value, text) MH_##name = value,
	MH_ERROR_LIST(MH_ERROR_ENUM)
#undef MH_ERROR_ENUM
};

/**
 * The text of an error code, for people.
 * Thread: [any]   Returns a static string, never NULL; unknown codes give "unknown error". Since:
 * 1.0
 */
MH_API const char *mh_strerror(int error);

/**
 * The name of an error code, "MH_EINVAL".
 * Thread: [any]   Returns a static string, never NULL; unknown codes give "MH_UNKNOWN". Since: 1.0
 */
MH_API const char *mh_err_name(int error);

#ifdef __cplusplus
}
#endif
#endif
