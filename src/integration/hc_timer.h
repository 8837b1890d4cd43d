/* SPDX-License-Identifier: MIT */
/*
 * The timers that hypercalls set: one for each vCPU, one thread for all of a VM's, which begins
 * with the first that is armed.
 */
#ifndef MHI_INTEGRATION_HC_TIMER_H
#define MHI_INTEGRATION_HC_TIMER_H

#include <pthread.h>

#include "base/types.h"

#define MHI_HC_TIMERS 64 /* vCPUs */

struct mhi_hc_timer {
	u64 at; /* ns of the monotonic clock; 0: not armed */
	u8 vector;
};

/* Zeroed: without timers. */
struct mhi_hc_timers {
	/* (c) Called under lock, on the timers' thread. */
	void (*fire)(void *opaque, u32 vcpu, u8 vector);
	void *opaque;
	pthread_mutex_t lock; /* protects the rest; fire may take locks that no caller here holds */
	pthread_cond_t change;
	struct mhi_hc_timer timer[MHI_HC_TIMERS];
	pthread_t thread;
	bool ready, has_thread, quit;
};

/* 0; MH_ENOMEM. */
int mhi_hc_timers_init(struct mhi_hc_timers *t, void (*fire)(void *opaque, u32 vcpu, u8 vector),
		       void *opaque);
/* Accepts zeroed ones. Nothing fires any more. */
void mhi_hc_timers_fini(struct mhi_hc_timers *t);
/* Disarm all. When it returns none is firing. */
void mhi_hc_timers_reset(struct mhi_hc_timers *t);
/* 0; MH_ENOMEM: there is no thread. Any thread. */
int mhi_hc_timers_arm(struct mhi_hc_timers *t, u32 vcpu, u64 us, u8 vector);
/* Was it armed? Any thread. */
bool mhi_hc_timers_cancel(struct mhi_hc_timers *t, u32 vcpu);

#endif
