/* SPDX-License-Identifier: MIT */
/* Clocks at a ratio of each other: exact values both ways, and what lies beyond 64 bits. */
#include "unit.h"
#include "rng.h"
#include "base/ratio.h"
#include "core/tsc.h"

/*
 * By a program with integers of any size: ticks * ratio >> shift modulo 2^64, and the least number
 * that scales to no less than ticks, or all ones where 64 bits hold none.
 */
static const struct {
	u64 ticks, ratio;
	u32 shift;
	u64 scaled, unscaled;
} rows[] = {
	{ 0x0ull, 0x1000000000000ull, 48, 0x0ull, 0x0ull },
	{ 0x1ull, 0x1000000000000ull, 48, 0x1ull, 0x1ull },
	{ 0x3e8ull, 0x1000000000000ull, 48, 0x3e8ull, 0x3e8ull },
	{ 0x91bd9db8ull, 0x1000000000000ull, 48, 0x91bd9db8ull, 0x91bd9db8ull },
	{ 0x7fffffffffffffffull, 0x1000000000000ull, 48, 0x7fffffffffffffffull,
	  0x7fffffffffffffffull },
	{ 0x8000000000000000ull, 0x1000000000000ull, 48, 0x8000000000000000ull,
	  0x8000000000000000ull },
	{ 0xffffffffffffffffull, 0x1000000000000ull, 48, 0xffffffffffffffffull,
	  0xffffffffffffffffull },
	{ 0x0ull, 0xffffffffffffull, 48, 0x0ull, 0x0ull },
	{ 0x1ull, 0xffffffffffffull, 48, 0x0ull, 0x2ull },
	{ 0x3e8ull, 0xffffffffffffull, 48, 0x3e7ull, 0x3e9ull },
	{ 0x91bd9db8ull, 0xffffffffffffull, 48, 0x91bd9db7ull, 0x91bd9db9ull },
	{ 0x7fffffffffffffffull, 0xffffffffffffull, 48, 0x7fffffffffff7fffull,
	  0x8000000000008000ull },
	{ 0x8000000000000000ull, 0xffffffffffffull, 48, 0x7fffffffffff8000ull,
	  0x8000000000008001ull },
	{ 0xffffffffffffffffull, 0xffffffffffffull, 48, 0xfffffffffffeffffull,
	  0xffffffffffffffffull },
	{ 0x0ull, 0x1000000000001ull, 48, 0x0ull, 0x0ull },
	{ 0x1ull, 0x1000000000001ull, 48, 0x1ull, 0x1ull },
	{ 0x3e8ull, 0x1000000000001ull, 48, 0x3e8ull, 0x3e8ull },
	{ 0x91bd9db8ull, 0x1000000000001ull, 48, 0x91bd9db8ull, 0x91bd9db8ull },
	{ 0x7fffffffffffffffull, 0x1000000000001ull, 48, 0x8000000000007ffeull,
	  0x7fffffffffff8000ull },
	{ 0x8000000000000000ull, 0x1000000000001ull, 48, 0x8000000000008000ull,
	  0x7fffffffffff8001ull },
	{ 0xffffffffffffffffull, 0x1000000000001ull, 48, 0xfffeull, 0xffffffffffff0000ull },
	{ 0x0ull, 0x800000000000ull, 48, 0x0ull, 0x0ull },
	{ 0x1ull, 0x800000000000ull, 48, 0x0ull, 0x2ull },
	{ 0x3e8ull, 0x800000000000ull, 48, 0x1f4ull, 0x7d0ull },
	{ 0x91bd9db8ull, 0x800000000000ull, 48, 0x48decedcull, 0x1237b3b70ull },
	{ 0x7fffffffffffffffull, 0x800000000000ull, 48, 0x3fffffffffffffffull,
	  0xfffffffffffffffeull },
	{ 0x8000000000000000ull, 0x800000000000ull, 48, 0x4000000000000000ull,
	  0xffffffffffffffffull },
	{ 0xffffffffffffffffull, 0x800000000000ull, 48, 0x7fffffffffffffffull,
	  0xffffffffffffffffull },
	{ 0x0ull, 0x1800000000000ull, 48, 0x0ull, 0x0ull },
	{ 0x1ull, 0x1800000000000ull, 48, 0x1ull, 0x1ull },
	{ 0x3e8ull, 0x1800000000000ull, 48, 0x5dcull, 0x29bull },
	{ 0x91bd9db8ull, 0x1800000000000ull, 48, 0xda9c6c94ull, 0x612913d0ull },
	{ 0x7fffffffffffffffull, 0x1800000000000ull, 48, 0xbffffffffffffffeull,
	  0x5555555555555555ull },
	{ 0x8000000000000000ull, 0x1800000000000ull, 48, 0xc000000000000000ull,
	  0x5555555555555556ull },
	{ 0xffffffffffffffffull, 0x1800000000000ull, 48, 0x7ffffffffffffffeull,
	  0xaaaaaaaaaaaaaaaaull },
	{ 0x0ull, 0x10101010102ull, 48, 0x0ull, 0x0ull },
	{ 0x1ull, 0x10101010102ull, 48, 0x0ull, 0xffull },
	{ 0x3e8ull, 0x10101010102ull, 48, 0x3ull, 0x3e418ull },
	{ 0x91bd9db8ull, 0x10101010102ull, 48, 0x924fedull, 0x912be01a48ull },
	{ 0x7fffffffffffffffull, 0x10101010102ull, 48, 0x8080808080ffffull, 0xffffffffffffffffull },
	{ 0x8000000000000000ull, 0x10101010102ull, 48, 0x80808080810000ull, 0xffffffffffffffffull },
	{ 0xffffffffffffffffull, 0x10101010102ull, 48, 0x10101010101ffffull,
	  0xffffffffffffffffull },
	{ 0x0ull, 0xffffffffffffffull, 48, 0x0ull, 0x0ull },
	{ 0x1ull, 0xffffffffffffffull, 48, 0xffull, 0x1ull },
	{ 0x3e8ull, 0xffffffffffffffull, 48, 0x3e7ffull, 0x4ull },
	{ 0x91bd9db8ull, 0xffffffffffffffull, 48, 0x91bd9db7ffull, 0x91bd9eull },
	{ 0x7fffffffffffffffull, 0xffffffffffffffull, 48, 0xffffffffffff7f00ull,
	  0x80000000000001ull },
	{ 0x8000000000000000ull, 0xffffffffffffffull, 48, 0xffffffffffff8000ull,
	  0x80000000000001ull },
	{ 0xffffffffffffffffull, 0xffffffffffffffull, 48, 0xfffffffffffeff00ull,
	  0x100000000000001ull },
	{ 0x0ull, 0xa92d136feb10ull, 48, 0x0ull, 0x0ull },
	{ 0x1ull, 0xa92d136feb10ull, 48, 0x0ull, 0x2ull },
	{ 0x3e8ull, 0xa92d136feb10ull, 48, 0x294ull, 0x5eaull },
	{ 0x91bd9db8ull, 0xa92d136feb10ull, 48, 0x604fd683ull, 0xdc898501ull },
	{ 0x7fffffffffffffffull, 0xa92d136feb10ull, 48, 0x549689b7f587ffffull,
	  0xc1b1126e7d187cfeull },
	{ 0x8000000000000000ull, 0xa92d136feb10ull, 48, 0x549689b7f5880000ull,
	  0xc1b1126e7d187d00ull },
	{ 0xffffffffffffffffull, 0xa92d136feb10ull, 48, 0xa92d136feb0fffffull,
	  0xffffffffffffffffull },
	{ 0x0ull, 0x1ull, 48, 0x0ull, 0x0ull },
	{ 0x1ull, 0x1ull, 48, 0x0ull, 0x1000000000000ull },
	{ 0x3e8ull, 0x1ull, 48, 0x0ull, 0x3e8000000000000ull },
	{ 0x91bd9db8ull, 0x1ull, 48, 0x0ull, 0xffffffffffffffffull },
	{ 0x7fffffffffffffffull, 0x1ull, 48, 0x7fffull, 0xffffffffffffffffull },
	{ 0x8000000000000000ull, 0x1ull, 48, 0x8000ull, 0xffffffffffffffffull },
	{ 0xffffffffffffffffull, 0x1ull, 48, 0xffffull, 0xffffffffffffffffull },
	{ 0x0ull, 0x7ull, 48, 0x0ull, 0x0ull },
	{ 0x1ull, 0x7ull, 48, 0x0ull, 0x24924924924aull },
	{ 0x3e8ull, 0x7ull, 48, 0x0ull, 0x8edb6db6db6db7ull },
	{ 0x91bd9db8ull, 0x7ull, 48, 0x0ull, 0xffffffffffffffffull },
	{ 0x7fffffffffffffffull, 0x7ull, 48, 0x37fffull, 0xffffffffffffffffull },
	{ 0x8000000000000000ull, 0x7ull, 48, 0x38000ull, 0xffffffffffffffffull },
	{ 0xffffffffffffffffull, 0x7ull, 48, 0x6ffffull, 0xffffffffffffffffull },
	{ 0x0ull, 0x100000000ull, 32, 0x0ull, 0x0ull },
	{ 0x1ull, 0x100000000ull, 32, 0x1ull, 0x1ull },
	{ 0x3e8ull, 0x100000000ull, 32, 0x3e8ull, 0x3e8ull },
	{ 0x91bd9db8ull, 0x100000000ull, 32, 0x91bd9db8ull, 0x91bd9db8ull },
	{ 0x7fffffffffffffffull, 0x100000000ull, 32, 0x7fffffffffffffffull, 0x7fffffffffffffffull },
	{ 0x8000000000000000ull, 0x100000000ull, 32, 0x8000000000000000ull, 0x8000000000000000ull },
	{ 0xffffffffffffffffull, 0x100000000ull, 32, 0xffffffffffffffffull, 0xffffffffffffffffull },
	{ 0x0ull, 0xffffffffull, 32, 0x0ull, 0x0ull },
	{ 0x1ull, 0xffffffffull, 32, 0x0ull, 0x2ull },
	{ 0x3e8ull, 0xffffffffull, 32, 0x3e7ull, 0x3e9ull },
	{ 0x91bd9db8ull, 0xffffffffull, 32, 0x91bd9db7ull, 0x91bd9db9ull },
	{ 0x7fffffffffffffffull, 0xffffffffull, 32, 0x7fffffff7fffffffull, 0x8000000080000000ull },
	{ 0x8000000000000000ull, 0xffffffffull, 32, 0x7fffffff80000000ull, 0x8000000080000001ull },
	{ 0xffffffffffffffffull, 0xffffffffull, 32, 0xfffffffeffffffffull, 0xffffffffffffffffull },
	{ 0x0ull, 0x100000001ull, 32, 0x0ull, 0x0ull },
	{ 0x1ull, 0x100000001ull, 32, 0x1ull, 0x1ull },
	{ 0x3e8ull, 0x100000001ull, 32, 0x3e8ull, 0x3e8ull },
	{ 0x91bd9db8ull, 0x100000001ull, 32, 0x91bd9db8ull, 0x91bd9db8ull },
	{ 0x7fffffffffffffffull, 0x100000001ull, 32, 0x800000007ffffffeull, 0x7fffffff80000000ull },
	{ 0x8000000000000000ull, 0x100000001ull, 32, 0x8000000080000000ull, 0x7fffffff80000001ull },
	{ 0xffffffffffffffffull, 0x100000001ull, 32, 0xfffffffeull, 0xffffffff00000000ull },
	{ 0x0ull, 0x80000000ull, 32, 0x0ull, 0x0ull },
	{ 0x1ull, 0x80000000ull, 32, 0x0ull, 0x2ull },
	{ 0x3e8ull, 0x80000000ull, 32, 0x1f4ull, 0x7d0ull },
	{ 0x91bd9db8ull, 0x80000000ull, 32, 0x48decedcull, 0x1237b3b70ull },
	{ 0x7fffffffffffffffull, 0x80000000ull, 32, 0x3fffffffffffffffull, 0xfffffffffffffffeull },
	{ 0x8000000000000000ull, 0x80000000ull, 32, 0x4000000000000000ull, 0xffffffffffffffffull },
	{ 0xffffffffffffffffull, 0x80000000ull, 32, 0x7fffffffffffffffull, 0xffffffffffffffffull },
	{ 0x0ull, 0x180000000ull, 32, 0x0ull, 0x0ull },
	{ 0x1ull, 0x180000000ull, 32, 0x1ull, 0x1ull },
	{ 0x3e8ull, 0x180000000ull, 32, 0x5dcull, 0x29bull },
	{ 0x91bd9db8ull, 0x180000000ull, 32, 0xda9c6c94ull, 0x612913d0ull },
	{ 0x7fffffffffffffffull, 0x180000000ull, 32, 0xbffffffffffffffeull, 0x5555555555555555ull },
	{ 0x8000000000000000ull, 0x180000000ull, 32, 0xc000000000000000ull, 0x5555555555555556ull },
	{ 0xffffffffffffffffull, 0x180000000ull, 32, 0x7ffffffffffffffeull, 0xaaaaaaaaaaaaaaaaull },
	{ 0x0ull, 0x1010102ull, 32, 0x0ull, 0x0ull },
	{ 0x1ull, 0x1010102ull, 32, 0x0ull, 0xffull },
	{ 0x3e8ull, 0x1010102ull, 32, 0x3ull, 0x3e418ull },
	{ 0x91bd9db8ull, 0x1010102ull, 32, 0x924feeull, 0x912bdf8a3full },
	{ 0x7fffffffffffffffull, 0x1010102ull, 32, 0x808080ffffffffull, 0xffffffffffffffffull },
	{ 0x8000000000000000ull, 0x1010102ull, 32, 0x80808100000000ull, 0xffffffffffffffffull },
	{ 0xffffffffffffffffull, 0x1010102ull, 32, 0x1010101ffffffffull, 0xffffffffffffffffull },
	{ 0x0ull, 0xffffffffffull, 32, 0x0ull, 0x0ull },
	{ 0x1ull, 0xffffffffffull, 32, 0xffull, 0x1ull },
	{ 0x3e8ull, 0xffffffffffull, 32, 0x3e7ffull, 0x4ull },
	{ 0x91bd9db8ull, 0xffffffffffull, 32, 0x91bd9db7ffull, 0x91bd9eull },
	{ 0x7fffffffffffffffull, 0xffffffffffull, 32, 0xffffffff7fffff00ull, 0x80000000008000ull },
	{ 0x8000000000000000ull, 0xffffffffffull, 32, 0xffffffff80000000ull, 0x80000000008001ull },
	{ 0xffffffffffffffffull, 0xffffffffffull, 32, 0xfffffffeffffff00ull, 0x100000000010000ull },
	{ 0x0ull, 0xa92d136full, 32, 0x0ull, 0x0ull },
	{ 0x1ull, 0xa92d136full, 32, 0x0ull, 0x2ull },
	{ 0x3e8ull, 0xa92d136full, 32, 0x294ull, 0x5eaull },
	{ 0x91bd9db8ull, 0xa92d136full, 32, 0x604fd683ull, 0xdc898502ull },
	{ 0x7fffffffffffffffull, 0xa92d136full, 32, 0x549689b77fffffffull, 0xc1b1126f8a38b35dull },
	{ 0x8000000000000000ull, 0xa92d136full, 32, 0x549689b780000000ull, 0xc1b1126f8a38b35full },
	{ 0xffffffffffffffffull, 0xa92d136full, 32, 0xa92d136effffffffull, 0xffffffffffffffffull },
	{ 0x0ull, 0x1ull, 32, 0x0ull, 0x0ull },
	{ 0x1ull, 0x1ull, 32, 0x0ull, 0x100000000ull },
	{ 0x3e8ull, 0x1ull, 32, 0x0ull, 0x3e800000000ull },
	{ 0x91bd9db8ull, 0x1ull, 32, 0x0ull, 0x91bd9db800000000ull },
	{ 0x7fffffffffffffffull, 0x1ull, 32, 0x7fffffffull, 0xffffffffffffffffull },
	{ 0x8000000000000000ull, 0x1ull, 32, 0x80000000ull, 0xffffffffffffffffull },
	{ 0xffffffffffffffffull, 0x1ull, 32, 0xffffffffull, 0xffffffffffffffffull },
	{ 0x0ull, 0x7ull, 32, 0x0ull, 0x0ull },
	{ 0x1ull, 0x7ull, 32, 0x0ull, 0x24924925ull },
	{ 0x3e8ull, 0x7ull, 32, 0x0ull, 0x8edb6db6dcull },
	{ 0x91bd9db8ull, 0x7ull, 32, 0x3ull, 0x14d1f1f5b6db6db7ull },
	{ 0x7fffffffffffffffull, 0x7ull, 32, 0x37fffffffull, 0xffffffffffffffffull },
	{ 0x8000000000000000ull, 0x7ull, 32, 0x380000000ull, 0xffffffffffffffffull },
	{ 0xffffffffffffffffull, 0x7ull, 32, 0x6ffffffffull, 0xffffffffffffffffull },
	{ 0x0ull, 0x1ull, 1, 0x0ull, 0x0ull },
	{ 0x1ull, 0x1ull, 1, 0x0ull, 0x2ull },
	{ 0xffffffffffffffffull, 0x1ull, 1, 0x7fffffffffffffffull, 0xffffffffffffffffull },
	{ 0x4000000000000000ull, 0x1ull, 1, 0x2000000000000000ull, 0x8000000000000000ull },
	{ 0x0ull, 0x1ull, 63, 0x0ull, 0x0ull },
	{ 0x1ull, 0x1ull, 63, 0x0ull, 0x8000000000000000ull },
	{ 0xffffffffffffffffull, 0x1ull, 63, 0x1ull, 0xffffffffffffffffull },
	{ 0x4000000000000000ull, 0x1ull, 63, 0x0ull, 0xffffffffffffffffull },
	{ 0x0ull, 0xffffffffffffffffull, 1, 0x0ull, 0x0ull },
	{ 0x1ull, 0xffffffffffffffffull, 1, 0x7fffffffffffffffull, 0x1ull },
	{ 0xffffffffffffffffull, 0xffffffffffffffffull, 1, 0x0ull, 0x2ull },
	{ 0x4000000000000000ull, 0xffffffffffffffffull, 1, 0xe000000000000000ull, 0x1ull },
	{ 0x0ull, 0xffffffffffffffffull, 63, 0x0ull, 0x0ull },
	{ 0x1ull, 0xffffffffffffffffull, 63, 0x1ull, 0x1ull },
	{ 0xffffffffffffffffull, 0xffffffffffffffffull, 63, 0xfffffffffffffffcull,
	  0x8000000000000000ull },
	{ 0x4000000000000000ull, 0xffffffffffffffffull, 63, 0x7fffffffffffffffull,
	  0x2000000000000001ull },
	{ 0x0ull, 0x8000000000000000ull, 1, 0x0ull, 0x0ull },
	{ 0x1ull, 0x8000000000000000ull, 1, 0x4000000000000000ull, 0x1ull },
	{ 0xffffffffffffffffull, 0x8000000000000000ull, 1, 0xc000000000000000ull, 0x4ull },
	{ 0x4000000000000000ull, 0x8000000000000000ull, 1, 0x0ull, 0x1ull },
	{ 0x0ull, 0x8000000000000000ull, 63, 0x0ull, 0x0ull },
	{ 0x1ull, 0x8000000000000000ull, 63, 0x1ull, 0x1ull },
	{ 0xffffffffffffffffull, 0x8000000000000000ull, 63, 0xffffffffffffffffull,
	  0xffffffffffffffffull },
	{ 0x4000000000000000ull, 0x8000000000000000ull, 63, 0x4000000000000000ull,
	  0x4000000000000000ull },
};

START_TEST(exact)
{
	size_t i;

	for (i = 0; i < MHI_COUNT(rows); i++) {
		u64 scaled = mhi_ratio_scale(rows[i].ticks, rows[i].ratio, rows[i].shift);
		u64 unscaled = mhi_ratio_unscale(rows[i].ticks, rows[i].ratio, rows[i].shift);

		ck_assert_msg(scaled == rows[i].scaled, "row %zu: 0x%llx", i, scaled);
		ck_assert_msg(unscaled == rows[i].unscaled, "row %zu: back 0x%llx", i, unscaled);
	}
}
END_TEST

/* A ratio of 0 divides nothing. */
START_TEST(no_ratio)
{
	ck_assert_uint_eq(mhi_ratio_unscale(0, 0, 48), ~0ull);
	ck_assert_uint_eq(mhi_ratio_unscale(~0ull, 0, 48), ~0ull);
}
END_TEST

/* There and back: never early, and not a tick late. */
START_TEST(least)
{
	struct rng r = { 7 };
	u32 i, shift;
	u64 ratio, want, ticks;
	unsigned __int128 got;

	for (i = 0; i < 200000; i++) {
		shift = i & 1 ? 48 : 32;
		ratio = rng_next(&r) >> (64 - shift - rng_below(&r, 9)) >> rng_below(&r, 20);
		want = rng_next(&r) >> rng_below(&r, 64);
		if (!ratio)
			continue;
		ticks = mhi_ratio_unscale(want, ratio, shift);
		got = (unsigned __int128)ticks * ratio >> shift;
		if (ticks == ~0ull) {
			ck_assert(got <= want);
			continue;
		}
		ck_assert(got >= want);
		ck_assert(!ticks || (unsigned __int128)(ticks - 1) * ratio >> shift < want);
	}
}
END_TEST

/* Of frequencies: as the CPU gets it, at both vendors' precision. */
START_TEST(of_khz)
{
	const struct mhi_tsc none = { .offset = 5 },
			     half = { .offset = (u64)-10, .ratio = 1ull << 31, .shift = 32 };

	ck_assert_uint_eq(mhi_tsc_ratio(2000000, 2000000, 48), 0);
	ck_assert_uint_eq(mhi_tsc_ratio(1000000, 2000000, 48), 1ull << 47);
	ck_assert_uint_eq(mhi_tsc_ratio(3000000, 2000000, 32), 3ull << 31);
	ck_assert_uint_eq(mhi_tsc_ratio(2445123, 3700000, 48), 186011064724240ull);
	ck_assert_uint_eq(mhi_tsc_ratio(2445123, 3700000, 32), 2838303599ull);
	ck_assert_uint_eq(mhi_tsc_ratio(0xffffffff, 16843010, 48), 71776114799739132ull);
	ck_assert_uint_eq(mhi_tsc_guest(&none, 7), 12);
	ck_assert_uint_eq(mhi_tsc_guest(&half, 7), (u64)-7);
	ck_assert_uint_eq(mhi_tsc_guest(&half, ~0ull), (1ull << 63) - 11);
}
END_TEST

static void add_tests(TCase *tc)
{
	tcase_add_test(tc, exact);
	tcase_add_test(tc, no_ratio);
	tcase_add_test(tc, least);
	tcase_add_test(tc, of_khz);
}

UNIT_MAIN("ratio", add_tests)
