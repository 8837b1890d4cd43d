/* SPDX-License-Identifier: MIT */
/*
 * Several threads on one qcow2 node, each with every fourth group of sectors of the disk, so that
 * they meet in clusters, tables and counts but not in bytes; one more flushes all the time.
 */
#include "unit.h"

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

static void add_tests(TCase *tcase)
{
	tcase_add_loop_test(tcase, threads_meet, 0, 2);
}

UNIT_MAIN("qcow2_threads", add_tests)
