// SPDX-License-Identifier: MIT
/* The real-time clock: formats, the update flag, setting it, bytes that survive a reset. */
#include "unit.h"
#include "platform/rtc.h"

#define NS_PER_S 1000000000ull
/* Sunday, 29 February 2032, 23:59:58 UTC */
#define LEAP_NIGHT 1961711998ull

static struct mhi_rtc rtc;
static u64 now_ns;

static u64 fake_clock(void)
{
	return now_ns;
}

static void setup(void)
{
	now_ns = LEAP_NIGHT * NS_PER_S;
	mhi_rtc_init(&rtc, fake_clock);
}

static void teardown(void)
{
	mhi_rtc_fini(&rtc);
}

static u8 get(u8 reg)
{
	mhi_rtc_ops.write(&rtc, 0, 1, reg);
	return (u8)mhi_rtc_ops.read(&rtc, 1, 1);
}

static void put(u8 reg, u8 value)
{
	mhi_rtc_ops.write(&rtc, 0, 1, reg);
	mhi_rtc_ops.write(&rtc, 1, 1, value);
}

static void check_time(const u8 *want)
{
	static const u8 reg[] = { 0x00, 0x02, 0x04, 0x06, 0x07, 0x08, 0x09, 0x32 };

	for (unsigned int i = 0; i < sizeof(reg); i++)
		ck_assert_msg(get(reg[i]) == want[i], "register 0x%02x is 0x%02x, not 0x%02x",
			      reg[i], get(reg[i]), want[i]);
}

START_TEST(bcd)
{
	setup();
	ck_assert_uint_eq(get(0x0b), 0x02);
	ck_assert_uint_eq(get(0x0d), 0x80);
	check_time((const u8[]){ 0x58, 0x59, 0x23, 0x01, 0x29, 0x02, 0x32, 0x20 });
	now_ns += 2 * NS_PER_S;
	check_time((const u8[]){ 0x00, 0x00, 0x00, 0x02, 0x01, 0x03, 0x32, 0x20 });
	/* The index port cannot be read; its bit 7 is not part of the index. */
	ck_assert_uint_eq(mhi_rtc_ops.read(&rtc, 0, 1), 0xff);
	ck_assert_uint_eq(get(0x80 | 0x08), 0x03);
	teardown();
}
END_TEST

START_TEST(binary_and_12_hours)
{
	setup();
	put(0x0b, 0x06);
	check_time((const u8[]){ 58, 59, 23, 1, 29, 2, 32, 20 });
	put(0x0b, 0x04);
	check_time((const u8[]){ 58, 59, 0x80 | 11, 1, 29, 2, 32, 20 });
	put(0x0b, 0x00);
	check_time((const u8[]){ 0x58, 0x59, 0x91, 0x01, 0x29, 0x02, 0x32, 0x20 });
	now_ns += 2 * NS_PER_S;
	ck_assert_uint_eq(get(0x04), 0x12);
	now_ns += 12 * 3600 * NS_PER_S;
	ck_assert_uint_eq(get(0x04), 0x92);
	teardown();
}
END_TEST

/* From the flag's fall, or from any look that found it low, 244 us at least to read. */
START_TEST(update_flag)
{
	setup();
	ck_assert_uint_eq(get(0x0a), 0x26);
	now_ns += NS_PER_S - 2300000;
	ck_assert_uint_eq(get(0x0a), 0x26);
	now_ns += 2300000 - 244000;
	ck_assert_uint_eq(get(0x0a), 0xa6);
	ck_assert_uint_eq(get(0x00), 0x58);
	now_ns += 243999;
	ck_assert_uint_eq(get(0x0a), 0xa6);
	ck_assert_uint_eq(get(0x00), 0x58);
	now_ns += 1;
	ck_assert_uint_eq(get(0x0a), 0x26);
	ck_assert_uint_eq(get(0x00), 0x59);
	/* "Update ended" in C: once a second, cleared by reading. */
	get(0x0c);
	ck_assert_uint_eq(get(0x0c), 0);
	now_ns += NS_PER_S;
	ck_assert_uint_eq(get(0x0c), 0x10);
	ck_assert_uint_eq(get(0x0c), 0);
	teardown();
}
END_TEST

/* As Linux sets it: updates halted, all registers, updates on. */
START_TEST(set_clock)
{
	setup();
	put(0x0b, 0x82);
	now_ns += 5 * NS_PER_S - 1000;
	ck_assert_uint_eq(get(0x00), 0x58);
	ck_assert_uint_eq(get(0x0a), 0x26);
	put(0x00, 0x30);
	put(0x02, 0x45);
	put(0x04, 0x07);
	put(0x07, 0x31);
	put(0x08, 0x12);
	put(0x09, 0x99);
	put(0x32, 0x19);
	ck_assert_uint_eq(get(0x00), 0x30);
	put(0x0b, 0x02);
	check_time((const u8[]){ 0x30, 0x45, 0x07, 0x06, 0x31, 0x12, 0x99, 0x19 });
	now_ns += 24 * 3600 * NS_PER_S;
	check_time((const u8[]){ 0x30, 0x45, 0x07, 0x07, 0x01, 0x01, 0x00, 0x20 });
	/* One register alone, without halting. */
	put(0x04, 0x23);
	check_time((const u8[]){ 0x30, 0x45, 0x23, 0x07, 0x01, 0x01, 0x00, 0x20 });
	mhi_rtc_reset(&rtc);
	check_time((const u8[]){ 0x30, 0x45, 0x23, 0x07, 0x01, 0x01, 0x00, 0x20 });
	teardown();
}
END_TEST

START_TEST(bytes)
{
	setup();
	for (u8 reg = 0x0e; reg < MHI_RTC_BYTES; reg++)
		if (reg != 0x32)
			put(reg, reg ^ 0x5a);
	put(0x0b, 0x7a);
	put(0x0c, 0xff);
	put(0x0d, 0x00);
	mhi_rtc_reset(&rtc);
	for (u8 reg = 0x0e; reg < MHI_RTC_BYTES; reg++)
		if (reg != 0x32)
			ck_assert_uint_eq(get(reg), reg ^ 0x5a);
	ck_assert_uint_eq(get(0x0b), 0x02);
	ck_assert_uint_eq(get(0x0d), 0x80);
	/* A 16-bit write is index and data. */
	mhi_rtc_ops.write(&rtc, 0, 2, 0x1240);
	ck_assert_uint_eq(get(0x40), 0x12);
	teardown();
}
END_TEST

/* Any bytes in the time registers are a time, and reading goes on. */
START_TEST(nonsense)
{
	static const u8 time_reg[] = { 0x00, 0x02, 0x04, 0x06, 0x07, 0x08, 0x09, 0x32 };

	setup();
	for (unsigned int v = 0; v < 256; v++)
		for (unsigned int b = 0; b < 8; b += 2) {
			put(0x0b, (u8)(0x80 | b));
			for (unsigned int i = 0; i < sizeof(time_reg); i++)
				put(time_reg[i], (u8)(v + i * 31));
			put(0x0b, (u8)b);
			for (unsigned int i = 0; i < sizeof(time_reg); i++)
				get(time_reg[i]);
		}
	teardown();
}
END_TEST

START_TEST(host_clock)
{
	u8 second;

	mhi_rtc_init(&rtc, NULL);
	put(0x0b, 0x06);
	second = get(0x00);
	ck_assert_uint_lt(second, 61);
	ck_assert_uint_ge(get(0x32), 20);
	mhi_rtc_fini(&rtc);
}
END_TEST

static void add_tests(TCase *tcase)
{
	tcase_add_test(tcase, bcd);
	tcase_add_test(tcase, binary_and_12_hours);
	tcase_add_test(tcase, update_flag);
	tcase_add_test(tcase, set_clock);
	tcase_add_test(tcase, bytes);
	tcase_add_test(tcase, nonsense);
	tcase_add_test(tcase, host_clock);
}

UNIT_MAIN("rtc", add_tests)
