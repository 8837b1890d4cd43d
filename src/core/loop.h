/* SPDX-License-Identifier: MIT */
/*
 * The loop: the one thread of a context on which devices work, over libuv. What it runs must not
 * wait. The thread is the loop's own, or the embedder's, who runs the loop himself then. Tags:
 * [any] thread, [loop] only on the loop's thread.
 */
#ifndef MHI_CORE_LOOP_H
#define MHI_CORE_LOOP_H

#include "base/types.h"

struct mhi_loop;

/* Work that may be asked for from anywhere, and is done once for any number of requests. */
struct mhi_wake {
	void (*fn)(void *opaque); /* (c) */
	void *opaque;		  /* (c) */
	u32 pending;		  /* (a) it is on a list of the loop */
	struct mhi_wake *next;	  /* whose list it is on */
};

/* A file descriptor that is watched. */
struct mhi_watch;
#define MHI_WATCH_READ 1u
#define MHI_WATCH_WRITE 2u
#define MHI_WATCH_HUP 4u /* the other end is closed; not told along with the others */
typedef void mhi_watch_fn(void *opaque, unsigned int events);

/* Starts the thread. 0; MH_ENOMEM. [any] */
int mhi_loop_create(struct mhi_loop **out);
/* A loop of the calling thread's, which runs it by mhi_loop_dispatch. 0; MH_ENOMEM. */
int mhi_loop_create_foreign(struct mhi_loop **out);
/* The same on a loop of the calling thread's, who runs it by uv_run. 0; MH_ENOMEM. */
struct uv_loop_s;
int mhi_loop_create_uv(struct uv_loop_s *uv, struct mhi_loop **out);
/*
 * Everything has been cancelled and unwatched. Not on the loop's own thread; of a foreign loop only
 * there, outside of what it runs. What is left on a loop of libuv's goes with its next turn.
 */
void mhi_loop_destroy(struct mhi_loop *loop);
/* Is the caller on the loop's thread? [any] */
bool mhi_loop_current(const struct mhi_loop *loop);
/* Is he called by the loop? [any] */
bool mhi_loop_inside(const struct mhi_loop *loop);
/* Whose thread is it? [any] */
bool mhi_loop_is_foreign(const struct mhi_loop *loop);

/* ---- foreign loops; [loop] ---- */

/* Readable when there is something to dispatch; -1: none. */
int mhi_loop_fd(const struct mhi_loop *loop);
/* Milliseconds after which there is; -1: for ever. */
int mhi_loop_timeout(const struct mhi_loop *loop);
/* Do what there is to do, without waiting. Not from what it runs. */
void mhi_loop_dispatch(struct mhi_loop *loop);

/* ---- for devices ---- */

/* fn runs on the loop soon, and sees what was written before. [any] */
void mhi_loop_wake(struct mhi_loop *loop, struct mhi_wake *wake);
/* The wake will not run any more, unless it is asked for again. [loop] */
void mhi_loop_cancel(struct mhi_loop *loop, struct mhi_wake *wake);
/* Run fn on the loop and wait for its end. [any]: on the loop it runs at once. */
void mhi_loop_call(struct mhi_loop *loop, void (*fn)(void *opaque), void *opaque);
/*
 * Watch a descriptor until mhi_loop_unwatch, which the caller does before he closes it. 0;
 * MH_ENOMEM; MH_EINVAL (it cannot be watched). [loop]
 */
int mhi_loop_watch(struct mhi_loop *loop, int fd, unsigned int events, mhi_watch_fn *fn,
		   void *opaque, struct mhi_watch **out);
/* Other events, or none for a while. [loop] */
void mhi_watch_events(struct mhi_watch *watch, unsigned int events);
void mhi_loop_unwatch(struct mhi_watch *watch);

/* A one-shot timer. All [loop]. */
struct mhi_timer;
/* 0; MH_ENOMEM. */
int mhi_timer_create(struct mhi_loop *loop, void (*fn)(void *opaque), void *opaque,
		     struct mhi_timer **out);
/* It fires once, in so many milliseconds, whatever was set before. */
void mhi_timer_set(struct mhi_timer *timer, u64 ms);
void mhi_timer_stop(struct mhi_timer *timer);
/* NULL is a no-op. */
void mhi_timer_destroy(struct mhi_timer *timer);

#endif
