/* SPDX-License-Identifier: MIT */
/* The agents' loop on Linux: poll(2) over file descriptors, and times. One thread. */
#ifndef GUEST_AGENT_LOOP_H
#define GUEST_AGENT_LOOP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* More than 64 programs with three pipes each need. */
#define LOOP_WATCHES 256

/* What is called when there is something to do; revents as of poll(2). */
typedef void watch_fn(void *opaque, short revents);

struct watch {
	int fd; /* -1: free */
	short events;
	watch_fn *fn;
	void *opaque;
};

struct loop {
	struct watch watches[LOOP_WATCHES];
	uint64_t wake_ms; /* when loop_run has to return at the latest */
	bool quit;
};

void loop_init(struct loop *loop);

/* Returns the watch, which watches for nothing yet; NULL: there are too many. */
struct watch *loop_watch(struct loop *loop, int fd, watch_fn *fn, void *opaque);

/* Stop watching and close the descriptor. *watch becomes NULL; it may be that already. */
void loop_close(struct watch **watch);

/* Have loop_run return at this time, or earlier. */
void loop_wake(struct loop *loop, uint64_t at_ms);

/* Wait, and call what there is to be called. Returns 0; -1: see errno. */
int loop_run(struct loop *loop);

/* Milliseconds of CLOCK_MONOTONIC. */
uint64_t loop_now(void);

#endif
