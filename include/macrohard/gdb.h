/* SPDX-License-Identifier: MIT */
/*
 * A GDB stub: gdb on the host attaches to a guest, whatever runs in it, by GDB's remote serial
 * protocol. vCPUs are threads; addresses are the guest's virtual ones, by the tables of the vCPU
 * that gdb looks at.
 */
#ifndef MACROHARD_GDB_H
#define MACROHARD_GDB_H

#include <macrohard/vm.h>

#ifdef __cplusplus
extern "C" {
#endif

/* mh_vm_start makes the VM Paused, and the debugger's "continue" or mh_vm_resume lets it run. */
#define MH_GDB_WAIT (1u << 0)

/**
 * Let one debugger at a time attach to the VM. Whoever can connect has the whole guest in hand, and
 * nothing of the host.
 * @address  "unix:PATH": a socket that is made, for this user only, and removed afterwards;
 *           "tcp:[HOST:]PORT": HOST is a numeric address of this machine's loopback (default
 *           127.0.0.1; "[::1]"), PORT 0 lets the system choose; not kept
 * @flags    MH_GDB_WAIT or 0
 * A debugger that comes finds the guest Paused; one that leaves, or is lost, takes its breakpoints
 * away and lets the guest go on. At "kill" the VM is stopped. While it is attached, it pauses and
 * resumes the VM as mh_vm_pause and mh_vm_resume do; single steps tell no events.
 * Thread: [any], not [vcpu]
 * Returns 0; MH_EINVAL (the address; flags), MH_EEXIST (it listens already), MH_ENOTSUP (the
 * engine), MH_EPERM, MH_EBUSY (the address is in use), MH_EIO, MH_ENOMEM, MH_ESTATE (from a
 * handler).   Since: 1.0
 */
MH_API int mh_gdb_listen(struct mh_vm *vm, const char *address, uint32_t flags);

/**
 * End that; a debugger that is attached is disconnected, as if it had left. mh_vm_destroy does it,
 * too.
 * Thread: [any], not [vcpu]
 * Returns 0; MH_ENOENT (it does not listen), MH_ESTATE (from a handler).   Since: 1.0
 */
MH_API int mh_gdb_unlisten(struct mh_vm *vm);

/**
 * The TCP port that a stub listens on.
 * Thread: [any]   Returns the port; MH_ENOENT (it does not listen, or on no port).   Since: 1.0
 */
MH_API int mh_gdb_port(struct mh_vm *vm);

#ifdef __cplusplus
}
#endif
#endif
