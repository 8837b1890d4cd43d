/* SPDX-License-Identifier: MIT */
/*
 * The MC146818's time, formats and control registers over the host's clock. Numbers: MC146818A
 * datasheet, "Address Map", "Time, Calendar, and Alarm Locations", "Registers". Time registers
 * are computed when they are read; a guest that sets the clock sets its distance from the host's.
 */
#include "platform/rtc.h"

#include <time.h>

enum {
	REG_SECOND = 0x00,
	REG_MINUTE = 0x02,
	REG_HOUR = 0x04,
	REG_WEEKDAY = 0x06, /* 1: Sunday */
	REG_DAY = 0x07,
	REG_MONTH = 0x08,
	REG_YEAR = 0x09,
	REG_A = 0x0a,
	REG_B = 0x0b,
	REG_C = 0x0c,
	REG_D = 0x0d,
};

#define A_UPDATING 0x80
#define A_RESET 0x26 /* 32768 Hz crystal, 1024 Hz periodic rate: what firmware sets */
#define B_HALT 0x80
#define B_INTERRUPTS 0x78 /* periodic, alarm, update, square wave */
#define B_BINARY 0x04
#define B_24H 0x02
#define C_UPDATED 0x10
#define D_VALID 0x80
#define HOUR_PM 0x80

#define INDEX_MASK 0x7f /* bit 7 masks NMI */

#define NS_PER_S 1000000000ull
/*
 * The update flag rises 244 us before an update that takes 1984 us. Here the registers change at
 * the very end, so a guest that saw the flag low has at least this long to read.
 */
#define UPDATE_NS 2228000ull

static u64 host_clock(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	return (u64)ts.tv_sec * NS_PER_S + (u64)ts.tv_nsec;
}

void mhi_rtc_init(struct mhi_rtc *rtc, u64 (*clock)(void))
{
	memset(rtc, 0, sizeof(*rtc));
	pthread_mutex_init(&rtc->lock, NULL);
	rtc->clock = clock ? clock : host_clock;
	rtc->byte[REG_A] = A_RESET;
	rtc->byte[REG_B] = B_24H;
	rtc->byte[REG_D] = D_VALID;
}

void mhi_rtc_fini(struct mhi_rtc *rtc)
{
	pthread_mutex_destroy(&rtc->lock);
}

static s64 guest_second(const struct mhi_rtc *rtc)
{
	return (s64)(rtc->clock() / NS_PER_S) + rtc->offset;
}

static u8 encode(const struct mhi_rtc *rtc, int value)
{
	if (rtc->byte[REG_B] & B_BINARY)
		return (u8)value;
	return (u8)(value / 10 << 4 | value % 10);
}

static int decode(const struct mhi_rtc *rtc, u8 value)
{
	if (rtc->byte[REG_B] & B_BINARY)
		return value;
	return (value >> 4) * 10 + (value & 0x0f);
}

static u8 encode_hour(const struct mhi_rtc *rtc, int hour)
{
	u8 pm = hour >= 12 ? HOUR_PM : 0;

	if (rtc->byte[REG_B] & B_24H)
		return encode(rtc, hour);
	return encode(rtc, hour % 12 ? hour % 12 : 12) | pm;
}

static int decode_hour(const struct mhi_rtc *rtc, u8 value)
{
	if (rtc->byte[REG_B] & B_24H)
		return decode(rtc, value);
	return decode(rtc, value & (u8)~HOUR_PM) % 12 + (value & HOUR_PM ? 12 : 0);
}

static void time_to_registers(struct mhi_rtc *rtc)
{
	time_t now = (time_t)guest_second(rtc);
	struct tm tm;

	if (!gmtime_r(&now, &tm))
		return;
	rtc->byte[REG_SECOND] = encode(rtc, tm.tm_sec);
	rtc->byte[REG_MINUTE] = encode(rtc, tm.tm_min);
	rtc->byte[REG_HOUR] = encode_hour(rtc, tm.tm_hour);
	rtc->byte[REG_WEEKDAY] = encode(rtc, tm.tm_wday + 1);
	rtc->byte[REG_DAY] = encode(rtc, tm.tm_mday);
	rtc->byte[REG_MONTH] = encode(rtc, tm.tm_mon + 1);
	rtc->byte[REG_YEAR] = encode(rtc, (tm.tm_year + 1900) % 100);
	rtc->byte[MHI_RTC_CENTURY] = encode(rtc, (tm.tm_year + 1900) / 100);
}

/* Values that no calendar has are carried over, as timegm does. */
static void registers_to_time(struct mhi_rtc *rtc)
{
	int century = decode(rtc, rtc->byte[MHI_RTC_CENTURY]);
	struct tm tm = {
		.tm_sec = decode(rtc, rtc->byte[REG_SECOND]),
		.tm_min = decode(rtc, rtc->byte[REG_MINUTE]),
		.tm_hour = decode_hour(rtc, rtc->byte[REG_HOUR]),
		.tm_mday = decode(rtc, rtc->byte[REG_DAY]),
		.tm_mon = decode(rtc, rtc->byte[REG_MONTH]) - 1,
		.tm_year = century * 100 + decode(rtc, rtc->byte[REG_YEAR]) - 1900,
	};

	rtc->offset = (s64)timegm(&tm) - (s64)(rtc->clock() / NS_PER_S);
}

static bool is_time(u8 reg)
{
	switch (reg) {
	case REG_SECOND:
	case REG_MINUTE:
	case REG_HOUR:
	case REG_WEEKDAY:
	case REG_DAY:
	case REG_MONTH:
	case REG_YEAR:
	case MHI_RTC_CENTURY:
		return true;
	default:
		return false;
	}
}

static bool halted(const struct mhi_rtc *rtc)
{
	return rtc->byte[REG_B] & B_HALT;
}

/* "Update ended" is a flag that reading clears, whether or not its interrupt is wanted. */
static u8 read_flags(struct mhi_rtc *rtc)
{
	s64 now = guest_second(rtc);
	bool updated = !halted(rtc) && now != rtc->update_seen;

	rtc->update_seen = now;
	return updated ? C_UPDATED : 0;
}

static u8 read_data(struct mhi_rtc *rtc)
{
	u8 reg = rtc->index;

	if (is_time(reg) && !halted(rtc))
		time_to_registers(rtc);
	if (reg == REG_A && !halted(rtc) && rtc->clock() % NS_PER_S >= NS_PER_S - UPDATE_NS)
		return rtc->byte[REG_A] | A_UPDATING;
	if (reg == REG_C)
		return read_flags(rtc);
	return rtc->byte[reg];
}

static void write_control(struct mhi_rtc *rtc, u8 value)
{
	bool was = halted(rtc);

	/* The format bits change how the registers are read: take the time in the old one. */
	if (!was)
		time_to_registers(rtc);
	if (was && !(value & B_HALT))
		registers_to_time(rtc);
	rtc->byte[REG_B] = value;
}

static void write_data(struct mhi_rtc *rtc, u8 value)
{
	u8 reg = rtc->index;

	if (reg == REG_A) {
		rtc->byte[REG_A] = value & (u8)~A_UPDATING;
	} else if (reg == REG_B) {
		write_control(rtc, value);
	} else if (is_time(reg) && !halted(rtc)) {
		time_to_registers(rtc);
		rtc->byte[reg] = value;
		registers_to_time(rtc);
	} else if (reg != REG_C && reg != REG_D) {
		rtc->byte[reg] = value;
	}
}

void mhi_rtc_reset(struct mhi_rtc *rtc)
{
	pthread_mutex_lock(&rtc->lock);
	rtc->byte[REG_B] &= (u8)~B_INTERRUPTS;
	rtc->index = 0;
	pthread_mutex_unlock(&rtc->lock);
}

void mhi_rtc_store(struct mhi_rtc *rtc, unsigned int index, u8 value)
{
	pthread_mutex_lock(&rtc->lock);
	rtc->byte[index & INDEX_MASK] = value;
	pthread_mutex_unlock(&rtc->lock);
}

static uint64_t rtc_read(void *opaque, uint64_t offset, unsigned int bytes)
{
	struct mhi_rtc *rtc = opaque;
	u64 value = 0;

	pthread_mutex_lock(&rtc->lock);
	for (unsigned int i = 0; i < bytes; i++) {
		u8 byte = offset + i == 1 ? read_data(rtc) : 0xff; /* the index is write-only */

		value |= (u64)byte << (8 * i);
	}
	pthread_mutex_unlock(&rtc->lock);
	return value;
}

static void rtc_write(void *opaque, uint64_t offset, unsigned int bytes, uint64_t value)
{
	struct mhi_rtc *rtc = opaque;

	pthread_mutex_lock(&rtc->lock);
	for (unsigned int i = 0; i < bytes; i++) {
		u8 byte = (u8)(value >> (8 * i));

		if (offset + i == 0)
			rtc->index = byte & INDEX_MASK;
		else
			write_data(rtc, byte);
	}
	pthread_mutex_unlock(&rtc->lock);
}

const struct mh_io_ops mhi_rtc_ops = {
	.version = 1,
	.read = rtc_read,
	.write = rtc_write,
};
