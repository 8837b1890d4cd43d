/* SPDX-License-Identifier: MIT */
/*
 * Worker threads for calls that block. They are the library's own: the embedding program's libuv
 * pool is never used. Work is done by any of them, in any order, and what there is to say about its
 * end its function says itself, without a way through the loop.
 */
#ifndef MHI_CORE_WORKER_H
#define MHI_CORE_WORKER_H

#include "base/types.h"
#include "core/err.h"

#define MHI_WORKERS_MOST 64

/* Embedded in what is to be done; no call here allocates. */
struct mhi_work {
	/* On a worker. The pool has forgotten the work when it is called: it may be freed there. */
	void (*run)(struct mhi_work *work);
	struct mhi_work *next;
};

struct mhi_workers;

/*
 * Threads start with the first work that finds none idle, at most `most` (1..MHI_WORKERS_MOST).
 * Thread: any.   Returns 0; MH_EINVAL, MH_ENOMEM, MH_EIO (no thread).
 */
int mhi_workers_create(u32 most, struct mhi_workers **out, struct mhi_err *err);
/* Thread: any, workers too. */
void mhi_workers_post(struct mhi_workers *w, struct mhi_work *work);
/*
 * Waits until all that was posted has been done, and frees. Nobody posts any more. NULL is a no-op.
 * Thread: any but the workers.
 */
void mhi_workers_destroy(struct mhi_workers *w);

#endif
