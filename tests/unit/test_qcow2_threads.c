/* SPDX-License-Identifier: MIT */
/*
 * Several threads on one qcow2 node, each with every fourth group of sectors of the disk, so that
 * they meet in clusters, tables and counts but not in bytes; one more flushes all the time. And a
 * writer beside commits that fail.
 */
#include "unit.h"

#include <time.h>

#include "base/atomic.h"
#include "fake_blk.h"
#include "rng.h"
#include "virtio/qcow2.h"

#define THREADS 4
#define DISK_BYTES (2u << 20)
#define GROUP 1024u /* bytes */
#define GROUPS (DISK_BYTES / GROUP / THREADS)
#define STEPS 1500
#define CAPACITY (16u << 20)
#define SECTOR 512u

static struct fake_blk *file;
static struct mhi_blk *disk;
static u32 running;

struct worker {
	pthread_t thread;
	u32 index;
	u8 model[GROUPS];
	u64 failed; /* steps that went wrong: checked by the main thread */
};

static u64 place(const struct worker *w, u64 group)
{
	return (group * THREADS + w->index) * GROUP;
}

static int step(struct worker *w, struct rng *rng)
{
	u64 group = rng_below(rng, GROUPS), kind = rng_below(rng, 8);
	u8 buf[GROUP], value = (u8)(rng_next(rng) | 1);
	u32 i;
	int rc;

	if (kind == 0) {
		rc = disk->ops->write_zeroes(disk, place(w, group), GROUP, MHI_BLK_UNMAP);
		w->model[group] = 0;
		return rc;
	}
	if (kind < 5) {
		memset(buf, value, GROUP);
		rc = mhi_blk_write(disk, place(w, group), buf, GROUP);
		w->model[group] = value;
		return rc;
	}
	rc = MHI_BLK_WAIT;
	if (kind == 5)
		rc = disk->ops->try_read(disk, place(w, group), &(struct iovec){ buf, GROUP }, 1);
	if (rc == MHI_BLK_WAIT)
		rc = mhi_blk_read(disk, place(w, group), buf, GROUP);
	for (i = 0; i < GROUP && !rc; i++)
		if (buf[i] != w->model[group])
			rc = MH_EIO;
	return rc;
}

static void *work(void *arg)
{
	struct worker *w = arg;
	struct rng rng = { .s = 99 + w->index };
	u32 i;

	for (i = 0; i < STEPS; i++)
		w->failed += step(w, &rng) != 0;
	return NULL;
}

static void *flush_on(void *arg)
{
	u64 *failed = arg;

	while (mhi_load32(&running))
		*failed += disk->ops->flush(disk) != 0;
	return NULL;
}

static void check_all(const struct worker *w)
{
	u8 buf[GROUP];
	u64 t, group;

	for (t = 0; t < THREADS; t++)
		for (group = 0; group < GROUPS; group++) {
			ck_assert_int_eq(mhi_blk_read(disk, place(&w[t], group), buf, GROUP), 0);
			if (buf[0] != w[t].model[group] || memcmp(buf, buf + 1, GROUP - 1))
				ck_abort_msg("thread %llu, group %llu", t, group);
		}
}

START_TEST(threads_meet)
{
	const struct mhi_qcow2_create o = { .size = DISK_BYTES,
					    .cluster_bytes = _i ? 16384 : 2048 };
	struct mhi_qcow2_check report;
	static struct worker w[THREADS];
	pthread_t flusher;
	u64 flush_failed = 0;
	u32 i;

	memset(w, 0, sizeof(w));
	file = fake_blk_new(0, CAPACITY);
	ck_assert_int_eq(mhi_qcow2_create(&file->blk, &o, NULL), 0);
	ck_assert_int_eq(mhi_qcow2_open(&file->blk, 0, &disk, NULL), 0);
	mhi_store32(&running, 1);
	ck_assert_int_eq(pthread_create(&flusher, NULL, flush_on, &flush_failed), 0);
	for (i = 0; i < THREADS; i++) {
		w[i].index = i;
		ck_assert_int_eq(pthread_create(&w[i].thread, NULL, work, &w[i]), 0);
	}
	for (i = 0; i < THREADS; i++) {
		pthread_join(w[i].thread, NULL);
		ck_assert_uint_eq(w[i].failed, 0);
	}
	mhi_store32(&running, 0);
	pthread_join(flusher, NULL);
	ck_assert_uint_eq(flush_failed, 0);
	check_all(w);
	ck_assert_int_eq(disk->ops->close(disk), 0);
	ck_assert_int_eq(mhi_qcow2_open(&file->blk, 0, &disk, NULL), 0);
	check_all(w);
	ck_assert_int_eq(mhi_qcow2_check(disk, false, &report, NULL, NULL), 0);
	ck_assert_msg(!report.errors && !report.leaks, "%llu errors, %llu leaks: %s", report.errors,
		      report.leaks, report.first);
	ck_assert_int_eq(disk->ops->close(disk), 0);
	fake_blk_free(file);
}
END_TEST

/* ---- commits that fail while others write ---- */

#define ROUNDS 3
#define WRITES 120u /* in a round, at most */

/* Each write changes one L2 page, and with the larger step one sector of the L1 table. */
static const struct {
	u64 step;
	u32 writes;
} strides[] = { { 32 << 10, WRITES }, { 2 << 20, 30 } };

static const struct mhi_blk_ops *fake_ops;
static pthread_t main_thread;
static bool stored[ROUNDS * WRITES]; /* the writes that succeeded */
static u32 stride, next_write, other_done, filling_up;

static void write_some(void)
{
	u32 i, end = next_write + strides[stride].writes;
	u8 buf[SECTOR];

	for (i = next_write; i < end; i++) {
		memset(buf, (int)i + 1, SECTOR);
		stored[i] = !mhi_blk_write(disk, i * strides[stride].step, buf, SECTOR);
	}
	next_write = end;
}

static void *write_beside(void *arg)
{
	write_some();
	mhi_store32(&other_done, 1);
	return arg;
}

static void fail_writes(int after)
{
	pthread_mutex_lock(&file->lock);
	file->fail_writes_after = after;
	file->fail_code = MH_ENOSPC;
	pthread_mutex_unlock(&file->lock);
}

/* In a commit of the main thread's: the other one writes while it can, then storage is full. */
static int flush_and_fill_up(struct mhi_blk *b)
{
	u32 ms;

	if (mhi_load32(&filling_up) && pthread_equal(pthread_self(), main_thread)) {
		for (ms = 0; ms < 1000 && !mhi_load32(&other_done); ms++)
			nanosleep(&(struct timespec){ .tv_nsec = 1000000 }, NULL);
		fail_writes(0);
	}
	return fake_ops->flush(b);
}

static void fail_commit(void)
{
	pthread_t other;

	mhi_store32(&other_done, 0);
	mhi_store32(&filling_up, 1);
	ck_assert_int_eq(pthread_create(&other, NULL, write_beside, NULL), 0);
	ck_assert_int_eq(disk->ops->flush(disk), MH_ENOSPC);
	mhi_store32(&filling_up, 0);
	pthread_join(other, NULL);
	fail_writes(-1);
}

/* What a power cut would leave now: all that was stored is there, and nothing is damaged. */
static void check_stored(void)
{
	struct fake_blk *copy = fake_blk_new(file->blk.size, CAPACITY);
	struct mhi_qcow2_check report;
	struct mhi_blk *after;
	u8 buf[SECTOR];
	u32 i;

	memcpy(copy->data, file->data, file->blk.size);
	ck_assert_int_eq(mhi_qcow2_open(&copy->blk, MHI_QCOW2_READ_ONLY, &after, NULL), 0);
	ck_assert_int_eq(mhi_qcow2_check(after, false, &report, NULL, NULL), 0);
	ck_assert_msg(!report.errors, "%s", report.first);
	for (i = 0; i < next_write; i++) {
		ck_assert_int_eq(mhi_blk_read(after, i * strides[stride].step, buf, SECTOR), 0);
		if (stored[i] && (buf[0] != (u8)(i + 1) || memcmp(buf, buf + 1, SECTOR - 1)))
			ck_abort_msg("write %u was flushed and is not there", i);
	}
	ck_assert_int_eq(after->ops->close(after), 0);
	fake_blk_free(copy);
}

/*
 * Commits that failed for want of space brought back more changed tables each time, beyond what one
 * commit can take: the next flush left some out and succeeded, or an array was overrun.
 */
START_TEST(commits_that_fail)
{
	const struct mhi_qcow2_create o = { .size = 256 << 20, .cluster_bytes = SECTOR };
	struct mhi_blk_ops ops;
	u32 i;

	stride = (u32)_i;
	next_write = 0;
	main_thread = pthread_self();
	file = fake_blk_new(0, CAPACITY);
	fake_ops = file->blk.ops;
	ops = *fake_ops;
	ops.flush = flush_and_fill_up;
	file->blk.ops = &ops;
	ck_assert_int_eq(mhi_qcow2_create(&file->blk, &o, NULL), 0);
	ck_assert_int_eq(mhi_qcow2_open(&file->blk, 0, &disk, NULL), 0);
	write_some();
	for (i = 1; i < ROUNDS; i++)
		fail_commit();
	ck_assert_int_eq(disk->ops->flush(disk), 0);
	check_stored();
	ck_assert_int_eq(disk->ops->close(disk), 0);
	fake_blk_free(file);
}
END_TEST

static void add_tests(TCase *tcase)
{
	tcase_add_loop_test(tcase, threads_meet, 0, 2);
	tcase_add_loop_test(tcase, commits_that_fail, 0, (int)MHI_COUNT(strides));
}

UNIT_MAIN("qcow2_threads", add_tests)
