/* SPDX-License-Identifier: MIT */
/* A block node in memory that keeps a journal of its writes and flushes. */
#include "fake_blk.h"

#include <stdlib.h>

#include "base/atomic.h"
#include "base/checked.h"

static struct fake_blk *fake(struct mhi_blk *b)
{
	return (struct fake_blk *)b;
}

static void note(struct fake_blk *f, struct fake_step step, const struct iovec *iov, u32 count)
{
	struct mhi_iovs from = { iov, count, 0 };

	if (!f->record)
		return;
	if (f->steps == f->room) {
		f->room = f->room ? 2 * f->room : 256;
		f->step = realloc(f->step, f->room * sizeof(*f->step));
	}
	if (iov) {
		step.data = malloc(step.bytes);
		mhi_iovs_take(&from, step.data, step.bytes);
	}
	f->step[f->steps++] = step;
}

static u64 round_up(u64 bytes)
{
	return (bytes + MHI_BLK_SECTOR - 1) / MHI_BLK_SECTOR * MHI_BLK_SECTOR;
}

static int get(struct mhi_blk *b, u64 offset, const struct iovec *iov, u32 count)
{
	struct fake_blk *f = fake(b);
	struct mhi_iovs to = { iov, count, 0 };
	u64 bytes = mhi_iov_bytes(iov, count);

	pthread_mutex_lock(&f->lock);
	f->reads++;
	if (!mhi_range_within(offset, bytes, f->capacity)) {
		pthread_mutex_unlock(&f->lock);
		return MH_EIO;
	}
	mhi_iovs_fill(&to, f->data + offset, bytes);
	pthread_mutex_unlock(&f->lock);
	return 0;
}

static int fake_try_read(struct mhi_blk *b, u64 offset, const struct iovec *iov, u32 count)
{
	return fake(b)->slow_reads ? MHI_BLK_WAIT : get(b, offset, iov, count);
}

static void take_time(struct fake_blk *f)
{
	if (f->meanwhile)
		f->meanwhile();
}

static int fake_read(struct mhi_blk *b, u64 offset, const struct iovec *iov, u32 count)
{
	take_time(fake(b));
	return get(b, offset, iov, count);
}

static bool fails(int *after)
{
	if (*after < 0)
		return false;
	if (*after == 0)
		return true;
	(*after)--;
	return false;
}

static int put(struct fake_blk *f, u64 offset, u64 bytes, const struct iovec *iov, u32 count)
{
	struct mhi_iovs from = { iov, count, 0 };
	int rc = 0;

	take_time(f);
	pthread_mutex_lock(&f->lock);
	f->writes++;
	if (fails(&f->fail_writes_after))
		rc = f->fail_code;
	else if (!mhi_range_within(offset, bytes, f->capacity))
		rc = MH_ENOSPC;
	if (!rc) {
		note(f, (struct fake_step){ .offset = offset, .bytes = bytes }, iov, count);
		if (iov)
			mhi_iovs_take(&from, f->data + offset, bytes);
		else
			memset(f->data + offset, 0, bytes);
		if (offset + bytes > f->blk.size)
			mhi_store64(&f->blk.size, round_up(offset + bytes));
	}
	pthread_mutex_unlock(&f->lock);
	return rc;
}

static int fake_write(struct mhi_blk *b, u64 offset, const struct iovec *iov, u32 count, u32 flags)
{
	if (flags & MHI_BLK_FUA)
		__atomic_fetch_add(&fake(b)->fua, 1, __ATOMIC_RELAXED);
	return put(fake(b), offset, mhi_iov_bytes(iov, count), iov, count);
}

static int fake_zeroes(struct mhi_blk *b, u64 offset, u64 bytes, u32 flags)
{
	return put(fake(b), offset, bytes, NULL, 0);
}

static int fake_discard(struct mhi_blk *b, u64 offset, u64 bytes)
{
	struct fake_blk *f = fake(b);

	pthread_mutex_lock(&f->lock);
	f->discards++;
	/* What is discarded may read as anything: this finds readers of it. */
	if (mhi_range_within(offset, bytes, b->size)) {
		note(f, (struct fake_step){ .offset = offset, .bytes = bytes }, NULL, 0);
		memset(f->data + offset, 0, bytes);
	}
	pthread_mutex_unlock(&f->lock);
	return 0;
}

static int fake_flush(struct mhi_blk *b)
{
	struct fake_blk *f = fake(b);
	int rc = 0;

	pthread_mutex_lock(&f->lock);
	while (f->hold_flush)
		pthread_cond_wait(&f->cond, &f->lock);
	f->flushes++;
	if (fails(&f->fail_flushes_after))
		rc = MH_EIO;
	else
		note(f, (struct fake_step){ 0 }, NULL, 0);
	pthread_mutex_unlock(&f->lock);
	return rc;
}

static int fake_resize(struct mhi_blk *b, u64 bytes, struct mhi_err *err)
{
	struct fake_blk *f = fake(b);

	if (bytes > f->capacity)
		return mhi_err_set(err, MH_ENOSPC, "the fake file is full");
	pthread_mutex_lock(&f->lock);
	note(f, (struct fake_step){ .offset = bytes, .resize = true }, NULL, 0);
	if (bytes < b->size)
		memset(f->data + bytes, 0, b->size - bytes);
	b->size = bytes;
	pthread_mutex_unlock(&f->lock);
	return 0;
}

/* The owner of the node is the test. */
static int fake_close(struct mhi_blk *b)
{
	return 0;
}

static const struct mhi_blk_ops fake_ops = {
	.format = "fake",
	.read = fake_read,
	.try_read = fake_try_read,
	.write = fake_write,
	.write_zeroes = fake_zeroes,
	.discard = fake_discard,
	.flush = fake_flush,
	.resize = fake_resize,
	.close = fake_close,
};

struct fake_blk *fake_blk_new(u64 size, u64 capacity)
{
	struct fake_blk *f = calloc(1, sizeof(*f));

	f->blk.ops = &fake_ops;
	f->blk.size = size;
	f->blk.limits = (struct mhi_blk_limits){ 512, 512, 1, 512, true };
	f->capacity = capacity;
	f->data = calloc(1, capacity);
	f->fail_writes_after = f->fail_flushes_after = -1;
	f->fail_code = MH_EIO;
	pthread_mutex_init(&f->lock, NULL);
	pthread_cond_init(&f->cond, NULL);
	return f;
}

static void drop_steps(struct fake_blk *f)
{
	size_t i;

	for (i = 0; i < f->steps; i++)
		free(f->step[i].data);
	free(f->step);
	f->step = NULL;
	f->steps = f->room = 0;
}

void fake_blk_free(struct fake_blk *f)
{
	drop_steps(f);
	free(f->data);
	pthread_mutex_destroy(&f->lock);
	pthread_cond_destroy(&f->cond);
	free(f);
}

void fake_blk_record(struct fake_blk *f)
{
	drop_steps(f);
	f->record = true;
}

static void replay_sector(struct fake_blk *to, const struct fake_step *s, u64 sector)
{
	u64 at = sector * MHI_BLK_SECTOR, bytes = s->bytes - at;

	if (bytes > MHI_BLK_SECTOR)
		bytes = MHI_BLK_SECTOR;
	if (s->data)
		memcpy(to->data + s->offset + at, s->data + at, bytes);
	else
		memset(to->data + s->offset + at, 0, bytes);
	if (s->offset + at + bytes > to->blk.size)
		to->blk.size = round_up(s->offset + at + bytes);
}

struct fake_blk *fake_blk_replay(const struct fake_blk *f, const u8 *start, u64 start_size,
				 bool (*apply)(size_t step, u64 sector, void *opaque), void *opaque)
{
	struct fake_blk *to = fake_blk_new(start_size, f->capacity);
	const struct fake_step *s;
	u64 sector;
	size_t i;

	memcpy(to->data, start, start_size);
	for (i = 0; i < f->steps; i++) {
		s = &f->step[i];
		if (s->resize && apply(i, 0, opaque))
			to->blk.size = s->offset;
		for (sector = 0; sector * MHI_BLK_SECTOR < s->bytes; sector++)
			if (apply(i, sector, opaque))
				replay_sector(to, s, sector);
	}
	return to;
}
