/* SPDX-License-Identifier: MIT */
/*
 * A block node in memory that keeps a journal of its writes and flushes, so that tests can make the
 * file that a power cut would have left, and that fails on demand.
 */
#ifndef FAKE_BLK_H
#define FAKE_BLK_H

#include <pthread.h>

#include "core/blk.h"

/* One step of the journal: a write, a zeroing, a new size, or (bytes == 0) a flush. */
struct fake_step {
	u64 offset, bytes;
	u8 *data;    /* NULL: zeroes */
	bool resize; /* offset is the new size */
};

struct fake_blk {
	struct mhi_blk blk;
	pthread_mutex_t lock; /* of all below */
	u8 *data;	      /* [capacity] */
	u64 capacity;
	bool record;
	struct fake_step *step; /* [steps] */
	size_t steps, room;
	int fail_writes_after; /* -1: never; else that many writes succeed, then all fail */
	int fail_flushes_after;
	int fail_code;
	u64 reads, writes, flushes, discards; /* calls */
	u64 fua;			      /* writes that had to be stable */
	bool hold_flush;		      /* flushes wait while it is set */
	pthread_cond_t cond;
	bool slow_reads; /* nothing can be read without waiting */
	/* NULL, or: what others do while a request takes its time. */
	void (*meanwhile)(void);
};

/* A file of `size` bytes that may grow to capacity. */
struct fake_blk *fake_blk_new(u64 size, u64 capacity);
void fake_blk_free(struct fake_blk *f);
void fake_blk_record(struct fake_blk *f);
/*
 * The file after some of the steps: apply(step, sector) says whether a sector of a step has reached
 * the disk; a change of size is sector 0.
 */
struct fake_blk *fake_blk_replay(const struct fake_blk *f, const u8 *start, u64 start_size,
				 bool (*apply)(size_t step, u64 sector, void *opaque),
				 void *opaque);

#endif
