// SPDX-License-Identifier: MIT
/* The loop without a thread. */
#include "fake_loop.h"

#include <poll.h>
#include <stdlib.h>

#define WATCHES 64
#define TIMERS 16
#define ROUNDS_MAX 10000

struct mhi_watch {
	struct mhi_loop *loop;
	int fd;
	unsigned int events;
	mhi_watch_fn *fn;
	void *opaque;
	bool used;
};

struct mhi_timer {
	void (*fn)(void *opaque);
	void *opaque;
	u64 ms; /* 0: not set */
	bool used;
};

struct mhi_loop {
	struct mhi_wake *first;
	struct mhi_watch watch[WATCHES];
	struct mhi_timer timer[TIMERS];
};

int mhi_loop_create(struct mhi_loop **out)
{
	*out = calloc(1, sizeof(**out));
	return 0;
}

void mhi_loop_destroy(struct mhi_loop *loop)
{
	if (loop->first)
		abort(); /* something was not cancelled */
	free(loop);
}

bool mhi_loop_current(const struct mhi_loop *loop)
{
	return true;
}

void mhi_loop_wake(struct mhi_loop *loop, struct mhi_wake *wake)
{
	struct mhi_wake **at = &loop->first;

	if (wake->pending)
		return;
	wake->pending = 1;
	wake->next = NULL;
	while (*at)
		at = &(*at)->next;
	*at = wake;
}

void mhi_loop_cancel(struct mhi_loop *loop, struct mhi_wake *wake)
{
	struct mhi_wake **at = &loop->first;

	while (*at && *at != wake)
		at = &(*at)->next;
	if (*at) {
		*at = wake->next;
		wake->pending = 0;
	}
}

void mhi_loop_call(struct mhi_loop *loop, void (*fn)(void *opaque), void *opaque)
{
	fn(opaque);
}

int mhi_loop_watch(struct mhi_loop *loop, int fd, unsigned int events, mhi_watch_fn *fn,
		   void *opaque, struct mhi_watch **out)
{
	unsigned int n = 0;

	while (n < WATCHES && loop->watch[n].used)
		n++;
	if (n == WATCHES)
		return -2; /* MH_ENOMEM */
	loop->watch[n] = (struct mhi_watch){ loop, fd, events, fn, opaque, true };
	*out = &loop->watch[n];
	return 0;
}

void mhi_loop_unwatch(struct mhi_watch *watch)
{
	if (watch)
		watch->used = false;
}

void mhi_watch_events(struct mhi_watch *watch, unsigned int events)
{
	watch->events = events;
}

int mhi_timer_create(struct mhi_loop *loop, void (*fn)(void *opaque), void *opaque,
		     struct mhi_timer **out)
{
	unsigned int n = 0;

	while (n < TIMERS && loop->timer[n].used)
		n++;
	if (n == TIMERS)
		return -2; /* MH_ENOMEM */
	loop->timer[n] = (struct mhi_timer){ fn, opaque, 0, true };
	*out = &loop->timer[n];
	return 0;
}

void mhi_timer_set(struct mhi_timer *timer, u64 ms)
{
	timer->ms = ms + 1;
}

void mhi_timer_stop(struct mhi_timer *timer)
{
	timer->ms = 0;
}

void mhi_timer_destroy(struct mhi_timer *timer)
{
	if (timer)
		timer->used = false;
}

void fake_loop_pass(struct mhi_loop *loop, u64 ms)
{
	for (unsigned int n = 0; n < TIMERS; n++) {
		struct mhi_timer *timer = &loop->timer[n];

		if (!timer->used || !timer->ms)
			continue;
		timer->ms = timer->ms > ms ? timer->ms - ms : 0;
		if (!timer->ms)
			timer->fn(timer->opaque);
	}
}

static void look(struct mhi_watch *watch)
{
	struct pollfd p = { .fd = watch->fd };
	unsigned int what = 0;

	p.events = (short)((watch->events & MHI_WATCH_READ ? POLLIN : 0) |
			   (watch->events & MHI_WATCH_WRITE ? POLLOUT : 0));
	if (!watch->events || poll(&p, 1, 0) <= 0)
		return;
	what |= p.revents & (POLLIN | POLLHUP | POLLERR) ? MHI_WATCH_READ : 0;
	what |= p.revents & POLLOUT ? MHI_WATCH_WRITE : 0;
	what |= p.revents & POLLHUP ? MHI_WATCH_HUP : 0;
	watch->fn(watch->opaque, what);
}

void fake_loop_run(struct mhi_loop *loop)
{
	for (unsigned int n = 0; n < WATCHES; n++)
		if (loop->watch[n].used && loop->watch[n].events)
			look(&loop->watch[n]);
	for (unsigned int n = 0; loop->first; n++) {
		struct mhi_wake *wake = loop->first;

		if (n == ROUNDS_MAX)
			abort(); /* it never ends */
		loop->first = wake->next;
		wake->pending = 0;
		wake->fn(wake->opaque);
	}
}
