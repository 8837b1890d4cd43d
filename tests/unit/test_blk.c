/* SPDX-License-Identifier: MIT */
/* The queue of block requests and the workers behind it: completions, errors, ending. */
#include "unit.h"

#include <errno.h>
#include <pthread.h>
#include <unistd.h>

#include "core/blk.h"
#include "fake_blk.h"

#define REQS 64
#define BYTES (1u << 20)

static struct mhi_workers *workers;
static struct fake_blk *file;
static struct mhi_blkq queue;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t cond = PTHREAD_COND_INITIALIZER;
static unsigned int done_count; /* (m) */

static void on_done(struct mhi_blk_req *req)
{
	pthread_mutex_lock(&lock);
	done_count++;
	pthread_cond_signal(&cond);
	pthread_mutex_unlock(&lock);
}

static void wait_done(unsigned int count)
{
	pthread_mutex_lock(&lock);
	while (done_count < count)
		pthread_cond_wait(&cond, &lock);
	pthread_mutex_unlock(&lock);
	ck_assert_uint_eq(done_count, count);
}

static void set_up(void)
{
	done_count = 0;
	ck_assert_int_eq(mhi_workers_create(4, &workers, NULL), 0);
	file = fake_blk_new(BYTES, BYTES);
	mhi_blkq_init(&queue, &file->blk, workers);
}

static void tear_down(void)
{
	mhi_workers_destroy(workers);
	fake_blk_free(file);
}

static struct mhi_blk_req request(enum mhi_blk_op op, u64 offset, const struct iovec *iov)
{
	struct mhi_blk_req req = { .op = op,
				   .offset = offset,
				   .iov = iov,
				   .iov_count = !!iov,
				   .bytes = iov ? iov->iov_len : 0,
				   .done = on_done };

	return req;
}

START_TEST(many_requests_complete)
{
	static struct mhi_blk_req req[REQS];
	static struct iovec iov[REQS];
	static u8 buf[REQS][512];
	unsigned int i;

	for (i = 0; i < REQS; i++) {
		memset(buf[i], (int)i, 512);
		iov[i] = (struct iovec){ buf[i], 512 };
		req[i] = request(MHI_BLK_WRITE, i * 512, &iov[i]);
		ck_assert(!mhi_blkq_submit(&queue, &req[i]));
	}
	wait_done(REQS);
	for (i = 0; i < REQS; i++) {
		ck_assert_int_eq(req[i].result, 0);
		ck_assert_uint_eq(file->data[i * 512 + 511], i);
	}
}
END_TEST

START_TEST(read_is_inline)
{
	u8 buf[1024];
	struct iovec iov = { buf, sizeof(buf) };
	struct mhi_blk_req req = request(MHI_BLK_READ, 512, &iov);

	memset(file->data + 512, 7, 1024);
	ck_assert(mhi_blkq_submit(&queue, &req));
	ck_assert_int_eq(req.result, 0);
	ck_assert_uint_eq(buf[1023], 7);
	ck_assert_uint_eq(queue.inline_done, 1);
	ck_assert_uint_eq(queue.handed, 0);
}
END_TEST

/* A guest's read of a gigabyte, all of it in memory, once kept the loop from all other devices. */
START_TEST(large_reads_are_not_inline)
{
	static u8 buf[512 << 10];
	struct iovec iov = { buf, sizeof(buf) };
	struct mhi_blk_req req = request(MHI_BLK_READ, 0, &iov);

	memset(file->data, 7, sizeof(buf));
	ck_assert(!mhi_blkq_submit(&queue, &req));
	wait_done(1);
	ck_assert_int_eq(req.result, 0);
	ck_assert_uint_eq(buf[sizeof(buf) - 1], 7);
}
END_TEST

START_TEST(bad_requests_are_refused)
{
	u8 buf[1024];
	struct iovec iov = { buf, sizeof(buf) };
	struct mhi_blk_req req = request(MHI_BLK_WRITE, 100, &iov);

	ck_assert(mhi_blkq_submit(&queue, &req));
	ck_assert_int_eq(req.result, MH_EINVAL);
	req.offset = BYTES - 512;
	ck_assert(mhi_blkq_submit(&queue, &req));
	ck_assert_int_eq(req.result, MH_ERANGE);
	req.offset = ~0ull - 511;
	ck_assert(mhi_blkq_submit(&queue, &req));
	ck_assert_int_eq(req.result, MH_ERANGE);
	req.offset = 0;
	req.bytes = 512;
	ck_assert(mhi_blkq_submit(&queue, &req));
	ck_assert_int_eq(req.result, MH_EINVAL);
	file->blk.read_only = true;
	req.bytes = 1024;
	ck_assert(mhi_blkq_submit(&queue, &req));
	ck_assert_int_eq(req.result, MH_EPERM);
	ck_assert_uint_eq(file->writes, 0);
}
END_TEST

START_TEST(errors_belong_to_their_request)
{
	u8 buf[512] = { 0 };
	struct iovec iov = { buf, sizeof(buf) };
	struct mhi_blk_req req = request(MHI_BLK_WRITE, 0, &iov);
	struct mhi_blk_req flush = request(MHI_BLK_FLUSH, 0, NULL);

	file->fail_writes_after = 0;
	file->fail_code = MH_ENOSPC;
	ck_assert(!mhi_blkq_submit(&queue, &req));
	ck_assert(!mhi_blkq_submit(&queue, &flush));
	wait_done(2);
	ck_assert_int_eq(req.result, MH_ENOSPC);
	ck_assert_int_eq(flush.result, 0);
}
END_TEST

static unsigned int rounds;

static void again(struct mhi_blk_req *req)
{
	ck_assert_int_eq(req->result, 0);
	if (rounds && rounds--)
		ck_assert(!mhi_blkq_submit(&queue, req));
	else
		on_done(req);
}

START_TEST(done_may_submit)
{
	u8 buf[512] = { 0 };
	struct iovec iov = { buf, sizeof(buf) };
	struct mhi_blk_req req = request(MHI_BLK_WRITE, 0, &iov);

	rounds = 1000;
	req.done = again;
	ck_assert(!mhi_blkq_submit(&queue, &req));
	wait_done(1);
	ck_assert_uint_eq(rounds, 0);
	ck_assert_uint_eq(file->writes, 1001);
}
END_TEST

START_TEST(write_through_flushes)
{
	struct mhi_blk_req req = request(MHI_BLK_WRITE_ZEROES, 0, NULL);

	req.bytes = 4096;
	ck_assert(!mhi_blkq_submit(&queue, &req));
	wait_done(1);
	ck_assert_uint_eq(file->flushes, 0);
	queue.write_through = true;
	ck_assert(!mhi_blkq_submit(&queue, &req));
	wait_done(2);
	ck_assert_int_eq(req.result, 0);
	ck_assert_uint_eq(file->flushes, 1);
}
END_TEST

/* A guest may change it at any time: workers once read it, with no lock. */
START_TEST(write_through_changes_meanwhile)
{
	u8 buf[512] = { 0 };
	struct iovec iov = { buf, sizeof(buf) };
	struct mhi_blk_req req[REQS];

	for (unsigned int i = 0; i < REQS; i++) {
		req[i] = request(MHI_BLK_WRITE, i * 512, &iov);
		queue.write_through = i & 1;
		ck_assert(!mhi_blkq_submit(&queue, &req[i]));
	}
	queue.write_through = false;
	wait_done(REQS);
	ck_assert_uint_eq(file->fua, REQS / 2);
}
END_TEST

static void *destroy(void *opaque)
{
	mhi_workers_destroy(opaque);
	return NULL;
}

/* Ending with work under way: all of it completes first. */
START_TEST(destroy_waits)
{
	struct mhi_blk_req req[4];
	struct mhi_workers *other;
	struct mhi_blkq q;
	pthread_t thread;
	unsigned int i;

	ck_assert_int_eq(mhi_workers_create(2, &other, NULL), 0);
	mhi_blkq_init(&q, &file->blk, other);
	file->hold_flush = true;
	for (i = 0; i < 4; i++) {
		req[i] = request(MHI_BLK_FLUSH, 0, NULL);
		ck_assert(!mhi_blkq_submit(&q, &req[i]));
	}
	ck_assert_int_eq(pthread_create(&thread, NULL, destroy, other), 0);
	usleep(10000);
	ck_assert_int_eq(pthread_tryjoin_np(thread, NULL), EBUSY);
	pthread_mutex_lock(&file->lock);
	file->hold_flush = false;
	pthread_cond_broadcast(&file->cond);
	pthread_mutex_unlock(&file->lock);
	ck_assert_int_eq(pthread_join(thread, NULL), 0);
	wait_done(4);
}
END_TEST

START_TEST(pool_is_bounded)
{
	struct mhi_workers *none;
	struct mhi_err err;

	ck_assert_int_eq(mhi_workers_create(0, &none, &err), MH_EINVAL);
	ck_assert_int_eq(mhi_workers_create(MHI_WORKERS_MOST + 1, &none, &err), MH_EINVAL);
}
END_TEST

START_TEST(iov_pieces)
{
	u8 a[10], b[20], c[30], flat[60];
	struct iovec iov[] = { { a, 10 }, { b, 0 }, { b, 20 }, { c, 30 } };
	struct iovec piece[MHI_IOV_PIECE];
	struct mhi_iovs at = { iov, 4, 0 };
	u64 bytes = 15;
	unsigned int i;

	for (i = 0; i < 60; i++)
		flat[i] = (u8)i;
	mhi_iovs_fill(&at, flat, 60);
	ck_assert_uint_eq(b[0], 10);
	ck_assert_uint_eq(c[29], 59);
	at = (struct mhi_iovs){ iov, 4, 0 };
	ck_assert_uint_eq(mhi_iovs_cut(&at, piece, &bytes), 2);
	ck_assert_uint_eq(bytes, 15);
	ck_assert_ptr_eq(piece[1].iov_base, b);
	ck_assert_uint_eq(piece[1].iov_len, 5);
	mhi_iovs_zero(&at, 20);
	ck_assert_uint_eq(b[4], 14);
	ck_assert_uint_eq(b[5], 0);
	ck_assert_uint_eq(c[4], 0);
	ck_assert_uint_eq(c[5], 35);
}
END_TEST

static void add_tests(TCase *tcase)
{
	tcase_add_checked_fixture(tcase, set_up, tear_down);
	tcase_add_test(tcase, many_requests_complete);
	tcase_add_test(tcase, read_is_inline);
	tcase_add_test(tcase, large_reads_are_not_inline);
	tcase_add_test(tcase, bad_requests_are_refused);
	tcase_add_test(tcase, errors_belong_to_their_request);
	tcase_add_test(tcase, done_may_submit);
	tcase_add_test(tcase, write_through_flushes);
	tcase_add_test(tcase, write_through_changes_meanwhile);
	tcase_add_test(tcase, destroy_waits);
	tcase_add_test(tcase, pool_is_bounded);
	tcase_add_test(tcase, iov_pieces);
}

UNIT_MAIN("blk", add_tests)
