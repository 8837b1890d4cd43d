/* SPDX-License-Identifier: MIT */
/* Requests to block nodes: what needs no waiting, what is refused, errors; pieces of memory. */
#include "unit.h"

#include "core/blk.h"
#include "fake_blk.h"

#define BYTES (1u << 20)

static struct fake_blk *file;

static void set_up(void)
{
	file = fake_blk_new(BYTES, BYTES);
}

static void tear_down(void)
{
	fake_blk_free(file);
}

static struct mhi_blk_req request(enum mhi_blk_op op, u64 offset, const struct iovec *iov)
{
	return (struct mhi_blk_req){ .op = op,
				     .offset = offset,
				     .iov = iov,
				     .iov_count = !!iov,
				     .bytes = iov ? iov->iov_len : 0 };
}

START_TEST(reads_need_no_waiting)
{
	u8 buf[1024];
	struct iovec iov = { buf, sizeof(buf) };
	struct mhi_blk_req req = request(MHI_BLK_READ, 512, &iov);

	memset(file->data + 512, 7, 1024);
	ck_assert_int_eq(mhi_blk_try(&file->blk, &req), 0);
	ck_assert_uint_eq(buf[1023], 7);
	file->slow_reads = true;
	ck_assert_int_eq(mhi_blk_try(&file->blk, &req), MHI_BLK_WAIT);
	memset(buf, 0, sizeof(buf));
	ck_assert_int_eq(mhi_blk_execute(&file->blk, &req), 0);
	ck_assert_uint_eq(buf[1023], 7);
}
END_TEST

/* A guest's read of a gigabyte, all of it in memory, once kept all others from the device. */
START_TEST(large_reads_wait)
{
	static u8 buf[512 << 10];
	struct iovec iov = { buf, sizeof(buf) };
	struct mhi_blk_req req = request(MHI_BLK_READ, 0, &iov);

	memset(file->data, 7, sizeof(buf));
	ck_assert_int_eq(mhi_blk_try(&file->blk, &req), MHI_BLK_WAIT);
	ck_assert_uint_eq(file->reads, 0);
	ck_assert_int_eq(mhi_blk_execute(&file->blk, &req), 0);
	ck_assert_uint_eq(buf[sizeof(buf) - 1], 7);
}
END_TEST

START_TEST(bad_requests_are_refused)
{
	u8 buf[1024];
	struct iovec iov = { buf, sizeof(buf) };
	struct mhi_blk_req req = request(MHI_BLK_WRITE, 100, &iov);

	ck_assert_int_eq(mhi_blk_try(&file->blk, &req), MH_EINVAL);
	req.offset = BYTES - 512;
	ck_assert_int_eq(mhi_blk_try(&file->blk, &req), MH_ERANGE);
	req.offset = ~0ull - 511;
	ck_assert_int_eq(mhi_blk_try(&file->blk, &req), MH_ERANGE);
	req.offset = 0;
	req.bytes = 512;
	ck_assert_int_eq(mhi_blk_try(&file->blk, &req), MH_EINVAL);
	file->blk.read_only = true;
	req.bytes = 1024;
	ck_assert_int_eq(mhi_blk_try(&file->blk, &req), MH_EPERM);
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
	ck_assert_int_eq(mhi_blk_try(&file->blk, &req), MHI_BLK_WAIT);
	ck_assert_int_eq(mhi_blk_execute(&file->blk, &req), MH_ENOSPC);
	ck_assert_int_eq(mhi_blk_execute(&file->blk, &flush), 0);
	ck_assert_uint_eq(file->flushes, 1);
}
END_TEST

START_TEST(zeroes_that_are_stable)
{
	struct mhi_blk_req req = request(MHI_BLK_WRITE_ZEROES, 0, NULL);

	req.bytes = 4096;
	ck_assert_int_eq(mhi_blk_execute(&file->blk, &req), 0);
	ck_assert_uint_eq(file->flushes, 0);
	req.flags = MHI_BLK_FUA;
	ck_assert_int_eq(mhi_blk_execute(&file->blk, &req), 0);
	ck_assert_uint_eq(file->flushes, 1);
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
	tcase_add_test(tcase, reads_need_no_waiting);
	tcase_add_test(tcase, large_reads_wait);
	tcase_add_test(tcase, bad_requests_are_refused);
	tcase_add_test(tcase, errors_belong_to_their_request);
	tcase_add_test(tcase, zeroes_that_are_stable);
	tcase_add_test(tcase, iov_pieces);
}

UNIT_MAIN("blk", add_tests)
