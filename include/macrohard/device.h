/* SPDX-License-Identifier: MIT */
/* Devices of the machine that an embedder attaches to or feeds. */
#ifndef MACROHARD_DEVICE_H
#define MACROHARD_DEVICE_H

#include <macrohard/vm.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Bytes that the guest wrote to a serial port; from a library thread, one call at a time. */
typedef void mh_serial_fn(void *opaque, const void *data, size_t bytes);

/**
 * Receive what the guest writes to COM1 (port 0: 0x3f8) .. COM4.
 * @port  0 .. 3; only port 0 exists unless attached
 * @fn    NULL: output is dropped again
 * Thread: [setup]
 * Returns 0; MH_EINVAL (port; MH_VM_BARE), MH_ESTATE, MH_EEXIST (a handler of yours has the port's
 * addresses), MH_ENOMEM.   Since: 1.0
 */
MH_API int mh_serial_attach(struct mh_vm *vm, unsigned int port, mh_serial_fn *fn, void *opaque);

/**
 * Type into a serial port. Takes as much as fits into the port's queue.
 * Thread: [any]
 * Returns the number of bytes taken (0 .. bytes), or MH_EINVAL.   Since: 1.0
 */
MH_API int mh_serial_input(struct mh_vm *vm, unsigned int port, const void *data, size_t bytes);

/**
 * Press the ACPI power button. Thread: [any]. Returns 0; MH_ESTATE (not running); MH_EINVAL
 * (MH_VM_BARE). Since: 1.0
 */
MH_API int mh_vm_power_button(struct mh_vm *vm);

/* ---- virtio devices ---- */

/*
 * An attached device. It lives until mh_dev_detach, or until its VM is destroyed. Devices have a
 * thread of the library that all VMs of a context share; their callbacks come from there: a
 * callback must not wait, and may not pause, resume, start or destroy a VM; mh_vm_stop stops the VM
 * when it has returned.
 */
struct mh_dev;

/* for all virtio devices: offer the split ring only */
#define MH_VIRTIO_SPLIT (1u << 0)

/**
 * Take a device out of its VM and free it; NULL is a no-op.
 * Thread: [setup]
 * Returns 0; MH_ESTATE (the VM runs: nothing happens).   Since: 1.0
 */
MH_API int mh_dev_detach(struct mh_dev *dev);

struct mh_rng_config {
	size_t size;	/* sizeof(struct mh_rng_config), by MH_RNG_CONFIG_INIT */
	uint32_t flags; /* MH_VIRTIO_* */
};

#define MH_RNG_CONFIG_INIT                       \
	{                                        \
		sizeof(struct mh_rng_config), 0u \
	}

/**
 * Give the guest random numbers of this host (virtio-rng).
 * @config  NULL: defaults
 * @out     the device; NULL: not needed
 * Thread: [setup]
 * Returns 0; MH_EINVAL (config; MH_VM_BARE), MH_ESTATE, MH_ERANGE (no PCI slot is left), MH_ENOMEM.
 * Since: 1.0
 */
MH_API int mh_rng_attach(struct mh_vm *vm, const struct mh_rng_config *config, struct mh_dev **out);

#define MH_DISK_READONLY (1u << 8)
#define MH_DISK_DIRECT (1u << 9)	 /* past the host's page cache */
#define MH_DISK_WRITE_THROUGH (1u << 10) /* each write is stable when the guest sees it done */

struct mh_disk_config {
	size_t size;	    /* sizeof(struct mh_disk_config), by MH_DISK_CONFIG_INIT */
	const char *path;   /* a file or a block device */
	const char *format; /* "raw" or "qcow2"; NULL: found out */
	const char *serial; /* at most 20 bytes; NULL: none */
	uint32_t flags;	    /* MH_DISK_*, MH_VIRTIO_* */
	uint32_t queues;    /* 1 .. 16; 0: one for each vCPU, at most 8 */
};

#define MH_DISK_CONFIG_INIT                                             \
	{                                                               \
		sizeof(struct mh_disk_config), NULL, NULL, NULL, 0u, 0u \
	}

/**
 * Give the guest a disk (virtio-blk). The image is opened now, and locked against other writers
 * until the device is gone.
 * @out     the device; NULL: not needed
 * Thread: [setup]
 * Returns 0; MH_EINVAL (config; MH_VM_BARE), MH_ESTATE, MH_ERANGE (no PCI slot is left), MH_ENOMEM,
 * and what is wrong with the image: MH_ENOENT, MH_EPERM, MH_EBUSY (somebody else writes it),
 * MH_EFORMAT, MH_ENOTSUP, MH_EIO.   Since: 1.0
 */
MH_API int mh_disk_attach(struct mh_vm *vm, const struct mh_disk_config *config,
			  struct mh_dev **out);

#ifdef __cplusplus
}
#endif
#endif
