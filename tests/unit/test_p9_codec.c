// SPDX-License-Identifier: MIT
/* 9P's bytes: integers and strings to the last byte and no further, names, scattered memory. */
#include "unit.h"

#include <errno.h>

#include "virtio/p9_codec.h"

START_TEST(integers)
{
	u8 buf[15];
	struct mhi_p9_out out = { buf, 0, sizeof(buf), false };
	struct mhi_p9_in in = { buf, sizeof(buf), false };

	mhi_p9_put8(&out, 0x01);
	mhi_p9_put16(&out, 0x2345);
	mhi_p9_put32(&out, 0x6789abcd);
	mhi_p9_put64(&out, 0x1122334455667788ull);
	ck_assert(!out.full && out.used == sizeof(buf));
	ck_assert(buf[1] == 0x45 && buf[2] == 0x23 && buf[3] == 0xcd && buf[14] == 0x11);
	ck_assert_uint_eq(mhi_p9_get8(&in), 0x01);
	ck_assert_uint_eq(mhi_p9_get16(&in), 0x2345);
	ck_assert_uint_eq(mhi_p9_get32(&in), 0x6789abcd);
	ck_assert_uint_eq(mhi_p9_get64(&in), 0x1122334455667788ull);
	ck_assert(!in.bad && !in.left);
	/* One byte more is not there, in either direction, and nothing is after that. */
	mhi_p9_put8(&out, 1);
	ck_assert(out.full && out.used == sizeof(buf));
	ck_assert_uint_eq(mhi_p9_get8(&in), 0);
	ck_assert(in.bad);
}
END_TEST

START_TEST(half_integers)
{
	const u8 buf[] = { 1, 2, 3 };
	struct mhi_p9_in in = { buf, sizeof(buf), false };
	u8 room[3];
	struct mhi_p9_out out = { room, 0, sizeof(room), false };

	ck_assert_uint_eq(mhi_p9_get32(&in), 0);
	ck_assert(in.bad);
	/* What follows a bad access is bad, although a byte would be there. */
	ck_assert_uint_eq(mhi_p9_get8(&in), 0);
	mhi_p9_put32(&out, 1);
	mhi_p9_put8(&out, 1);
	ck_assert(out.full && !out.used);
}
END_TEST

START_TEST(strings)
{
	const u8 good[] = { 3, 0, 'a', 'b', 'c', 0, 0 };
	const u8 bad[] = { 4, 0, 'a', 'b', 'c' };
	struct mhi_p9_in in = { good, sizeof(good), false };
	struct mhi_p9_str s = mhi_p9_get_str(&in);
	char buf[4];

	ck_assert(mhi_p9_str_is(s, "abc") && !mhi_p9_str_is(s, "abcd") && !mhi_p9_str_is(s, "ab"));
	ck_assert_int_eq(mhi_p9_str_copy(s, buf, 4), 0);
	ck_assert_str_eq(buf, "abc");
	ck_assert_int_eq(mhi_p9_str_copy(s, buf, 3), -ENAMETOOLONG);
	s = mhi_p9_get_str(&in);
	ck_assert(!in.bad && !s.len && mhi_p9_str_is(s, ""));
	ck_assert_int_eq(mhi_p9_str_copy(s, buf, 4), -EINVAL);
	in = (struct mhi_p9_in){ bad, sizeof(bad), false };
	s = mhi_p9_get_str(&in);
	ck_assert(in.bad && !s.len);
}
END_TEST

static int name_of(const char *text, size_t len)
{
	char buf[MHI_TREE_NAME];

	return mhi_p9_name((struct mhi_p9_str){ text, (u16)len }, buf);
}

START_TEST(names)
{
	char longest[256];

	memset(longest, 'x', sizeof(longest));
	ck_assert_int_eq(name_of("file", 4), 0);
	ck_assert_int_eq(name_of("...", 3), 0);
	ck_assert_int_eq(name_of("..x", 3), 0);
	ck_assert_int_eq(name_of(" ", 1), 0);
	ck_assert_int_eq(name_of(longest, 255), 0);
	ck_assert_int_eq(name_of(longest, 256), -ENAMETOOLONG);
	ck_assert_int_eq(name_of("", 0), -EINVAL);
	ck_assert_int_eq(name_of(".", 1), -EINVAL);
	ck_assert_int_eq(name_of("..", 2), -EINVAL);
	ck_assert_int_eq(name_of("/", 1), -EINVAL);
	ck_assert_int_eq(name_of("a/b", 3), -EINVAL);
	ck_assert_int_eq(name_of("../x", 4), -EINVAL);
	ck_assert_int_eq(name_of("a\0b", 3), -EINVAL);
	ck_assert_int_eq(name_of("a\0", 2), -EINVAL);
	ck_assert_int_eq(name_of("\0", 1), -EINVAL);
}
END_TEST

START_TEST(scattered)
{
	char a[3] = "abc", b[1] = "d", e[4] = "efgh", buf[16];
	struct iovec iov[] = { { a, 3 }, { NULL, 0 }, { b, 1 }, { e, 4 } };
	struct mhi_sg_slice slice;

	ck_assert_uint_eq(mhi_sg_bytes(iov, 4), 8);
	ck_assert_uint_eq(mhi_sg_get(iov, 4, 0, buf, 16), 8);
	ck_assert(!memcmp(buf, "abcdefgh", 8));
	ck_assert_uint_eq(mhi_sg_get(iov, 4, 2, buf, 3), 3);
	ck_assert(!memcmp(buf, "cde", 3));
	ck_assert_uint_eq(mhi_sg_get(iov, 4, 8, buf, 1), 0);
	ck_assert_uint_eq(mhi_sg_put(iov, 4, 3, "XYZ", 3), 3);
	ck_assert(!memcmp(a, "abc", 3) && b[0] == 'X' && !memcmp(e, "YZgh", 4));
	ck_assert_uint_eq(mhi_sg_put(iov, 4, 7, "123", 3), 1);
	ck_assert_uint_eq(mhi_sg_slice(&slice, iov, 4, 1, 4), 4);
	ck_assert_uint_eq(slice.n, 3);
	ck_assert(slice.iov[0].iov_base == a + 1 && slice.iov[0].iov_len == 2);
	ck_assert(slice.iov[1].iov_base == b && slice.iov[1].iov_len == 1);
	ck_assert(slice.iov[2].iov_base == e && slice.iov[2].iov_len == 1);
	ck_assert_uint_eq(mhi_sg_slice(&slice, iov, 4, 6, 100), 2);
	ck_assert_uint_eq(mhi_sg_slice(&slice, iov, 4, 0, 0), 0);
}
END_TEST

static struct iovec pieces[300];

START_TEST(more_pieces_than_a_slice)
{
	char bytes[300];
	struct mhi_sg_slice slice;

	for (size_t i = 0; i < MHI_COUNT(pieces); i++)
		pieces[i] = (struct iovec){ bytes + i, 1 };
	ck_assert_uint_eq(mhi_sg_slice(&slice, pieces, 300, 0, 300), MHI_COUNT(slice.iov));
	ck_assert_uint_eq(slice.n, MHI_COUNT(slice.iov));
	pieces[0].iov_len = SIZE_MAX;
	ck_assert_uint_eq(mhi_sg_bytes(pieces, 2), SIZE_MAX);
}
END_TEST

static void add_tests(TCase *tcase)
{
	tcase_add_test(tcase, integers);
	tcase_add_test(tcase, half_integers);
	tcase_add_test(tcase, strings);
	tcase_add_test(tcase, names);
	tcase_add_test(tcase, scattered);
	tcase_add_test(tcase, more_pieces_than_a_slice);
}

UNIT_MAIN("p9_codec", add_tests)
