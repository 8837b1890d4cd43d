/* SPDX-License-Identifier: MIT */
/*
 * Worker threads for calls that block. They are the library's own: the embedding program's libuv
 * pool is never used. What they are to do is a bell's function: it is called when the bell is rung,
 * by a thread or through a descriptor that idle workers wait for themselves, so that between a
 * guest's doorbell and the work there is one wake and no other thread.
 */
#ifndef MHI_CORE_WORKER_H
#define MHI_CORE_WORKER_H

#include "base/types.h"
#include "core/err.h"

#define MHI_WORKERS_MOST 64

/* Embedded in what is worked on; zeroed but for fn and opaque until it is watched. */
struct mhi_bell {
	/*
	 * On a worker, at least once after each ring; for no reason at times. Workers may be in it
	 * at the same time: each ring that comes while one is in it may bring another.
	 */
	void (*fn)(void *opaque); /* (c) */
	void *opaque;		  /* (c) */
	/* The pool's, under its lock. */
	struct mhi_bell *next; /* rung */
	bool rung;	       /* and no worker has it yet */
	bool leaving;	       /* it is unwatched: rings come to nothing */
	u32 busy;	       /* workers in fn */
	int fd;		       /* (c) while watched; -1: none */
	u32 slot;	       /* (c) while watched, with an fd */
};

struct mhi_workers;

/*
 * One thread starts at once, others when the last idle one has got something to do, at most `most`
 * (1..MHI_WORKERS_MOST): until there are that many, one waits for bells. name: of the threads, at
 * most 15 characters; it stays. Thread: any.   Returns 0; MH_EINVAL, MH_ENOMEM (no thread, too).
 */
int mhi_workers_create(u32 most, const char *name, struct mhi_workers **out, struct mhi_err *err);
/*
 * From now on the bell may be rung, and writes to fd, an eventfd which nobody reads, ring it; -1:
 * none. Thread: any.   Returns 0; MH_ENOMEM (only with an fd).
 */
int mhi_workers_watch(struct mhi_workers *w, struct mhi_bell *bell, int fd);
/* Thread: any, workers too. */
void mhi_workers_ring(struct mhi_workers *w, struct mhi_bell *bell);
/*
 * When it returns no worker is in the bell's function and none will be, although fd is still rung.
 * Nobody else rings. Thread: any but the workers in fn.
 */
void mhi_workers_unwatch(struct mhi_workers *w, struct mhi_bell *bell);
/*
 * Each thread of the pool calls fn once; threads that start later do not, they are made by those.
 * Returns when all have. Thread: any but the workers, one at a time.
 */
void mhi_workers_each(struct mhi_workers *w, void (*fn)(void *opaque), void *opaque);
/* Nothing is watched any more. NULL is a no-op. Thread: any but the workers. */
void mhi_workers_destroy(struct mhi_workers *w);

#endif
