/* SPDX-License-Identifier: MIT */
/*
 * Worker threads for calls that block. They are the library's own: the embedding program's libuv
 * pool is never used. Work is done by any thread, completions arrive on the loop's thread in
 * batches.
 */
#ifndef MHI_CORE_WORKER_H
#define MHI_CORE_WORKER_H

#include <uv.h>

#include "base/types.h"
#include "core/err.h"

#define MHI_WORKERS_MOST 64

/* Embedded in what is to be done; no call here allocates. */
struct mhi_work {
	void (*run)(struct mhi_work *work);  /* on a worker */
	void (*done)(struct mhi_work *work); /* on the loop's thread */
	struct mhi_work *next;
};

struct mhi_workers;

/*
 * Threads start with the first work that finds none idle, at most `most` (1..MHI_WORKERS_MOST).
 * Thread: the loop's.   Returns 0; MH_EINVAL, MH_ENOMEM, MH_EIO (no thread or no loop handle).
 */
int mhi_workers_create(uv_loop_t *loop, u32 most, struct mhi_workers **out, struct mhi_err *err);
/* Thread: the loop's; also from done(). */
void mhi_workers_post(struct mhi_workers *w, struct mhi_work *work);
/*
 * Let no new work in, wait for the threads' current work, free. Work that was posted and has not
 * completed is completed first; then closed(opaque) is called on the loop's thread. closed may be
 * NULL.
 */
void mhi_workers_close(struct mhi_workers *w, void (*closed)(void *opaque), void *opaque);

#endif
