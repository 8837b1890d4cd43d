/* SPDX-License-Identifier: MIT */
/* A thread that waits for the next of a VM's timers. */
#include "integration/hc_timer.h"

#include <time.h>

#include "macrohard/error.h"

#define NS_PER_S 1000000000ull
#define NEVER (~0ull)

static u64 now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (u64)now.tv_sec * NS_PER_S + (u64)now.tv_nsec;
}

/* Fires what is due; returns when the next one is. Under lock. */
static u64 fire_due(struct mhi_hc_timers *t)
{
	u64 now = now_ns(), next = NEVER;
	u32 i;

	for (i = 0; i < MHI_HC_TIMERS; i++) {
		struct mhi_hc_timer *timer = &t->timer[i];

		if (timer->at && timer->at <= now) {
			timer->at = 0;
			t->fire(t->opaque, i, timer->vector);
		} else if (timer->at && timer->at < next) {
			next = timer->at;
		}
	}
	return next;
}

static void *timer_main(void *opaque)
{
	struct mhi_hc_timers *t = opaque;

	pthread_mutex_lock(&t->lock);
	while (!t->quit) {
		u64 next = fire_due(t);
		const struct timespec until = { (time_t)(next / NS_PER_S),
						(long)(next % NS_PER_S) };

		if (next == NEVER)
			pthread_cond_wait(&t->change, &t->lock);
		else
			pthread_cond_timedwait(&t->change, &t->lock, &until);
	}
	pthread_mutex_unlock(&t->lock);
	return NULL;
}

int mhi_hc_timers_init(struct mhi_hc_timers *t, void (*fire)(void *opaque, u32 vcpu, u8 vector),
		       void *opaque)
{
	pthread_condattr_t attr;
	int rc;

	t->fire = fire;
	t->opaque = opaque;
	if (pthread_condattr_init(&attr))
		return MH_ENOMEM;
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	rc = pthread_cond_init(&t->change, &attr);
	pthread_condattr_destroy(&attr);
	if (rc)
		return MH_ENOMEM;
	pthread_mutex_init(&t->lock, NULL);
	t->ready = true;
	return 0;
}

void mhi_hc_timers_fini(struct mhi_hc_timers *t)
{
	if (!t->ready)
		return;
	pthread_mutex_lock(&t->lock);
	t->quit = true;
	pthread_cond_signal(&t->change);
	pthread_mutex_unlock(&t->lock);
	if (t->has_thread)
		pthread_join(t->thread, NULL);
	pthread_cond_destroy(&t->change);
	pthread_mutex_destroy(&t->lock);
	t->ready = false;
}

void mhi_hc_timers_reset(struct mhi_hc_timers *t)
{
	u32 i;

	pthread_mutex_lock(&t->lock);
	for (i = 0; i < MHI_HC_TIMERS; i++)
		t->timer[i].at = 0;
	pthread_mutex_unlock(&t->lock);
}

int mhi_hc_timers_arm(struct mhi_hc_timers *t, u32 vcpu, u64 us, u8 vector)
{
	u64 at = now_ns() + us * 1000;

	pthread_mutex_lock(&t->lock);
	if (!t->has_thread)
		t->has_thread = !pthread_create(&t->thread, NULL, timer_main, t);
	if (t->has_thread) {
		t->timer[vcpu] = (struct mhi_hc_timer){ at, vector };
		pthread_cond_signal(&t->change);
	}
	pthread_mutex_unlock(&t->lock);
	return t->has_thread ? 0 : MH_ENOMEM;
}

bool mhi_hc_timers_cancel(struct mhi_hc_timers *t, u32 vcpu)
{
	bool armed;

	pthread_mutex_lock(&t->lock);
	armed = t->timer[vcpu].at != 0;
	t->timer[vcpu].at = 0;
	pthread_mutex_unlock(&t->lock);
	return armed;
}
