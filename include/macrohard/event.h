/* SPDX-License-Identifier: MIT */
/* What happens to a VM, told by a callback, and by a descriptor that can be polled. */
#ifndef MACROHARD_EVENT_H
#define MACROHARD_EVENT_H

#include <macrohard/vm.h>

#ifdef __cplusplus
extern "C" {
#endif

enum mh_event_kind {
	/* The VM is in another state: state; for MH_VM_STOPPED also reason. */
	MH_EVENT_STATE = 0,
	/*
	 * The VM begins again. reason: MH_STOP_RESET (the guest reset itself, without
	 * MH_VM_STOP_ON_RESET), MH_STOP_WATCHDOG (its watchdog did), or MH_STOP_REQUEST
	 * (mh_vm_reset).
	 */
	MH_EVENT_RESET,
	/*
	 * The guest's kernel has panicked, and says so by the pvpanic device (Linux: module
	 * pvpanic-mmio). It goes on as it was told to for that case: it hangs, or resets itself.
	 * Told once until the next start or reset.
	 */
	MH_EVENT_PANIC,
	/* The same, but a crash kernel goes on to save what can be saved. */
	MH_EVENT_CRASH_KERNEL,
	/*
	 * A watchdog has not heard of its guest. detail: enum mh_watchdog_action, which comes
	 * next. MH_WATCHDOG_NONE is told at most once a second.
	 */
	MH_EVENT_WATCHDOG,
	/*
	 * A device's back end failed: dev, slot, detail (enum mh_dev_operation), error. Of each
	 * device the first failure is told at once, then one a second: the last one, and how many
	 * there were since then. What the guest asks for and cannot have is none.
	 */
	MH_EVENT_DEVICE_ERROR
};

/* What a device's back end was to do. */
enum mh_dev_operation {
	MH_DEV_READ = 0,
	MH_DEV_WRITE,
	MH_DEV_FLUSH,
	MH_DEV_DISCARD,
	MH_DEV_WRITE_ZEROES,
	MH_DEV_GONE /* nothing: it is gone, for good (TAP interface, socket) */
};

struct mh_dev;

#define MH_EVENT_TEXT 256

struct mh_event {
	size_t size;		  /* sizeof(struct mh_event), by MH_EVENT_INIT */
	uint32_t kind;		  /* enum mh_event_kind; newer libraries may tell of more */
	uint32_t state;		  /* enum mh_vm_state, when it happened */
	uint32_t reason;	  /* enum mh_stop_reason: of MH_VM_STOPPED, and of MH_EVENT_RESET */
	uint32_t detail;	  /* by kind */
	uint64_t number;	  /* counts the VM's events from 1: after a gap some were lost */
	uint64_t time_ns;	  /* when it happened: nanoseconds since 1970, UTC */
	char text[MH_EVENT_TEXT]; /* one line for people */
	/* Of MH_EVENT_DEVICE_ERROR, else 0. */
	uint32_t slot;	    /* PCI slot, 1 to 31 */
	int32_t error;	    /* MH_E* */
	uint64_t count;	    /* failures */
	struct mh_dev *dev; /* the device, until it is detached; NULL: it is */
};

#define MH_EVENT_INIT                                                                   \
	{                                                                               \
		sizeof(struct mh_event), 0u, 0u, 0u, 0u, 0u, 0u, { 0 }, 0u, 0, 0u, NULL \
	}

/*
 * The event is gone on return. Called from a thread of this VM's, one call at a time, in order; any
 * function may be called but mh_vm_destroy of this VM. While a call lasts, later events wait; the
 * last 64 are kept.
 */
typedef void mh_event_fn(void *opaque, struct mh_vm *vm, const struct mh_event *event);

/**
 * Be told of what happens from now on.
 * @fn  NULL: no more
 * Thread: [setup]   Returns 0; MH_ESTATE.   Since: 1.0
 */
MH_API int mh_vm_on_event(struct mh_vm *vm, mh_event_fn *fn, void *opaque);

/**
 * A descriptor that is readable (POLLIN) while there are events for mh_vm_event_read. They are kept
 * from the first call on; the last 64 of them. Independent of mh_vm_on_event.
 * Ownership: the VM's, until it is destroyed; do not read, write or close it.
 * Thread: [any]   Returns the descriptor (0 or more); MH_ENOMEM (no descriptors).   Since: 1.0
 */
MH_API int mh_vm_events_fd(struct mh_vm *vm);

/**
 * Take the oldest event. Does not wait.
 * Thread: [any]
 * Returns 0; MH_ENOENT (there is none); MH_EINVAL (out->size), MH_ESTATE (mh_vm_events_fd was not
 * called).   Since: 1.0
 */
MH_API int mh_vm_event_read(struct mh_vm *vm, struct mh_event *out);

#ifdef __cplusplus
}
#endif
#endif
