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

#ifdef __cplusplus
}
#endif
#endif
