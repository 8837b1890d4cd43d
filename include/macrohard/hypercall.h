/* SPDX-License-Identifier: MIT */
/*
 * Hypercalls that end with the embedder. What guests do: <macrohard/guest.h>, docs/hypercalls.md.
 * The library answers all others itself.
 */
#ifndef MACROHARD_HYPERCALL_H
#define MACROHARD_HYPERCALL_H

#include <macrohard/vm.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Hypercalls that can have a handler. */
#define MH_HC_IPC 0x30u
#define MH_HC_CLIPBOARD 0x40u
#define MH_HC_DISPLAY 0x50u

/* A message from a guest: hostile input. All of it is valid until the handler returns. */
struct mh_hypercall {
	uint32_t number;    /* MH_HC_* */
	uint32_t vcpu;	    /* who calls */
	uint32_t channel;   /* or the operation: its meaning is the handler's */
	uint32_t in_bytes;  /* at most 65536 */
	const void *in;	    /* [in_bytes] a copy: the guest cannot change it */
	void *out;	    /* [out_room] for the answer; zeroed */
	uint32_t out_room;  /* at most 65536 */
	uint32_t out_bytes; /* of the answer; 0 at the call */
};

/*
 * Runs on the vCPU's thread [vcpu]; several vCPUs may call at once. The vCPU waits for it, and so
 * does whoever pauses or stops the VM; like the handler of an I/O port it may not pause, resume,
 * start or destroy a VM; mh_vm_stop stops the VM when it has returned.
 * Returns 0: the guest gets out_bytes of out (more than out_room: MHG_EIO); an error, and the guest
 * gets the same one: MH_EINVAL, MH_EPERM, MH_ENOENT, MH_EBUSY, MH_ERANGE, MH_ENOTSUP, MH_ENOMEM;
 * any other: MHG_EIO.
 */
typedef int mh_hypercall_fn(void *opaque, struct mh_hypercall *call);

/**
 * Handle one of the hypercalls MH_HC_*. Without a handler guests get MHG_ENOTSUP, and the feature's
 * bit is clear. Of a paused VM, MHG_FEATURES changes at once, and CPUID with the next start or
 * reset.
 * @fn  NULL: nobody does any longer
 * Thread: [setup]
 * Returns 0; MH_EINVAL (vm, number), MH_ESTATE (it runs); another error: the engine refuses the new
 * CPUID, and nothing has changed.   Since: 1.0
 */
MH_API int mh_hypercall_handler(struct mh_vm *vm, uint32_t number, mh_hypercall_fn *fn,
				void *opaque);

#ifdef __cplusplus
}
#endif
#endif
