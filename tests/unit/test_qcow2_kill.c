/* SPDX-License-Identifier: MIT */
/*
 * kill -9 at random moments, hundreds of times, of a process that writes to one image by several
 * threads. What it flushed is in memory that both share: it must be there, and the image must be
 * consistent.
 */
#include "unit.h"

#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/atomic.h"
#include "qemu_img.h"
#include "rng.h"
#include "virtio/be_open.h"
#include "virtio/be_raw.h"
#include "virtio/qcow2.h"

#define DISK_BYTES (6u << 20)
#define BLOCK 2048u /* what one request writes at least: four sectors with one stamp */
#define BLOCKS (DISK_BYTES / BLOCK)
#define REQUESTS 6  /* at once */
#define RUN_MOST 40 /* blocks of one request */
#define KILLS 300

/*
 * Shared with the process that dies. Stamps of a block grow: durable <= what is on the disk <=
 * issued. Zeroes on the disk mean the last zeroing, or that nothing was ever stored.
 */
struct ledger {
	u64 issued[BLOCKS], done[BLOCKS], durable[BLOCKS];
	u64 zeroed[BLOCKS]; /* stamp of the last zeroing that was issued */
	u64 stamp;
	u64 flushes;
};

struct request {
	struct mhi_blk_req req;
	struct iovec iov;
	u64 block, count, stamp;
	u64 covered[BLOCKS]; /* a flush: what was done when it began */
	u64 data[RUN_MOST * BLOCK / 8];
};

static struct ledger *ledger;
static struct request request[REQUESTS];
static bool in_use[BLOCKS];
static struct rng rng;
static char path[80];
static struct mhi_err err;

static void finish(struct request *r)
{
	u64 i;

	if (r->req.op == MHI_BLK_FLUSH) {
		for (i = 0; i < BLOCKS; i++)
			if (r->covered[i] > ledger->durable[i])
				mhi_store64(&ledger->durable[i], r->covered[i]);
		mhi_store64(&ledger->flushes, ledger->flushes + 1);
	}
	for (i = 0; i < r->count; i++) {
		/* A discard may leave the old content, so it promises nothing. */
		if (r->req.op != MHI_BLK_DISCARD)
			ledger->done[r->block + i] = r->stamp;
		in_use[r->block + i] = false;
	}
}

static bool pick_blocks(struct request *r)
{
	u64 i;

	r->block = rng_below(&rng, BLOCKS);
	r->count = rng_below(&rng, rng_below(&rng, 4) ? 4 : RUN_MOST) + 1;
	if (r->count > BLOCKS - r->block)
		r->count = BLOCKS - r->block;
	for (i = 0; i < r->count; i++)
		if (in_use[r->block + i])
			return false;
	return true;
}

static void fill_request(struct request *r)
{
	u64 kind = rng_below(&rng, 16), i;

	r->count = 0;
	r->req = (struct mhi_blk_req){ .op = MHI_BLK_FLUSH };
	if (kind < 2) {
		memcpy(r->covered, ledger->done, sizeof(r->covered));
		return;
	}
	while (!pick_blocks(r))
		continue;
	r->stamp = ++ledger->stamp;
	r->req.op = kind == 2 ? MHI_BLK_WRITE_ZEROES : kind == 3 ? MHI_BLK_DISCARD : MHI_BLK_WRITE;
	r->req.flags = kind == 2 && (r->stamp & 1) ? MHI_BLK_UNMAP : 0;
	for (i = 0; i < r->count; i++) {
		in_use[r->block + i] = true;
		mhi_store64(&ledger->issued[r->block + i], r->stamp);
		if (kind <= 3)
			mhi_store64(&ledger->zeroed[r->block + i], r->stamp);
	}
	for (i = 0; i < r->count * BLOCK / 8; i++)
		r->data[i] = r->stamp;
	r->iov = (struct iovec){ r->data, r->count * BLOCK };
	r->req.offset = r->block * BLOCK;
	r->req.bytes = r->iov.iov_len;
	r->req.iov = kind > 3 ? &r->iov : NULL;
	r->req.iov_count = kind > 3;
}

/* Of the process that is killed: the bookkeeping of its threads. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct mhi_blk *image;

/* Each does requests, one after the other, in the memory of its own. */
static void *thread(void *opaque)
{
	struct request *r = opaque;
	int rc;

	for (;;) {
		pthread_mutex_lock(&lock);
		fill_request(r);
		pthread_mutex_unlock(&lock);
		rc = mhi_blk_try(image, &r->req);
		if (rc == MHI_BLK_WAIT)
			rc = mhi_blk_execute(image, &r->req);
		if (rc)
			_exit(3);
		pthread_mutex_lock(&lock);
		finish(r);
		pthread_mutex_unlock(&lock);
	}
}

/*
 * The process that is killed. A discard may leave the old content: its blocks are zeroed at once.
 */
static void writer(u64 seed)
{
	pthread_t id;

	rng.s = seed;
	if (mhi_image_open(path, "qcow2", 0, &image, &err))
		_exit(5);
	for (u32 i = 0; i < REQUESTS; i++)
		if (pthread_create(&id, NULL, thread, &request[i]))
			_exit(6);
	for (;;)
		pause();
}

static void check_block(u64 round, u64 i, const u64 *data)
{
	u64 value = data[0], n;

	for (n = 1; n < BLOCK / 8; n++) {
		/* A request that was under way may be there in part. */
		if (data[n] != value && ledger->done[i] == ledger->issued[i])
			ck_abort_msg("kill %llu: block %llu is torn", round, i);
		value = data[n] > value ? value : data[n];
	}
	for (n = 0; n < BLOCK / 8; n++) {
		value = data[n];
		if (value > ledger->issued[i] || (value && value < ledger->durable[i]))
			ck_abort_msg("kill %llu: block %llu holds %llu: flushed %llu, issued %llu",
				     round, i, value, ledger->durable[i], ledger->issued[i]);
		if (!value && ledger->durable[i] > ledger->zeroed[i])
			ck_abort_msg("kill %llu: block %llu is zero: flushed %llu, zeroed %llu",
				     round, i, ledger->durable[i], ledger->zeroed[i]);
	}
}

static void check_image(u64 round)
{
	u8 *all = malloc(DISK_BYTES);
	struct mhi_qcow2_check report;
	struct mhi_blk *disk;
	char text[4096];
	u64 i;
	int status;

	if (round % 4 == 0 && qemu_img_there()) {
		status = qemu_check(path, text, sizeof(text));
		ck_assert_msg(status == 0 || status == 3, "kill %llu: status %d: %s", round, status,
			      text);
	}
	status = mhi_image_open(path, "qcow2", 0, &disk, &err);
	ck_assert_msg(!status, "kill %llu: %s", round, err.text);
	ck_assert_int_eq(mhi_qcow2_check(disk, false, &report, NULL, NULL), 0);
	ck_assert_msg(!report.errors && !report.leaks, "kill %llu: %llu leaks, %llu errors: %s",
		      round, report.leaks, report.errors, report.first);
	ck_assert_int_eq(mhi_blk_read(disk, 0, all, DISK_BYTES), 0);
	for (i = 0; i < BLOCKS; i++)
		check_block(round, i, (u64 *)(all + i * BLOCK));
	ck_assert_int_eq(disk->ops->close(disk), 0);
	/*
	 * What was done but not flushed may be lost: the next process's flushes do not promise it.
	 */
	for (i = 0; i < BLOCKS; i++)
		ledger->done[i] = ledger->durable[i];
	free(all);
}

START_TEST(killed_again_and_again)
{
	struct mhi_qcow2_create o = { .size = DISK_BYTES, .cluster_bytes = _i ? 65536 : 4096 };
	struct mhi_blk *file;
	u64 round;
	pid_t pid;
	int status;

	ledger = mmap(NULL, sizeof(*ledger), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1,
		      0);
	snprintf(path, sizeof(path), "%s/mh-kill-%d", image_folder(), (int)getpid());
	unlink(path);
	ck_assert_int_eq(mhi_raw_open(path, MHI_RAW_CREATE, &file, &err), 0);
	ck_assert_int_eq(mhi_qcow2_create(file, &o, &err), 0);
	ck_assert_int_eq(file->ops->close(file), 0);
	rng.s = 4242 + (u64)_i;
	for (round = 0; round < KILLS / 2; round++) {
		u64 wait_us = 500 + rng_below(&rng, 25000), seed = rng_next(&rng) | 1;

		pid = fork();
		if (!pid)
			writer(seed);
		usleep((useconds_t)wait_us);
		kill(pid, SIGKILL);
		ck_assert_int_eq(waitpid(pid, &status, 0), pid);
		ck_assert_msg(WIFSIGNALED(status), "the writer ended by itself: %d",
			      WEXITSTATUS(status));
		check_image(round);
	}
	/* A test in which nothing was flushed would prove nothing. */
	ck_assert_uint_gt(ledger->flushes, KILLS);
	printf("%llu flushes, %llu writes in %d kills\n", ledger->flushes, ledger->stamp,
	       KILLS / 2);
	unlink(path);
	munmap(ledger, sizeof(*ledger));
}
END_TEST

static void add_tests(TCase *tcase)
{
	tcase_add_loop_test(tcase, killed_again_and_again, 0, 2);
}

UNIT_MAIN("qcow2_kill", add_tests)
