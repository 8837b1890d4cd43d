/* SPDX-License-Identifier: MIT */
/* MSRs that the library answers, and the paravirtual clock: scale, memory format, bad addresses. */
#include <time.h>
#include <x86intrin.h>

#include "unit.h"
#include "core/msr.h"

#define TSC_KHZ 2445123u
#define WALL_NEW 0x4b564d00u
#define TIME_NEW 0x4b564d01u

struct pv_time {
	u32 version, pad;
	u64 tsc_timestamp, system_time;
	u32 mul;
	s8 shift;
	u8 flags, pad2[2];
};

struct pv_wall {
	u32 version, sec, nsec;
};

static struct mhi_gmem mem;
static struct mhi_kvmclock guest_clock;
static struct mhi_msrs msrs;
static u8 *ram;

/* The guest's TSC goes at half the host's rate. */
static u64 guest_tsc(void *opaque, u64 host_tsc)
{
	ck_assert_ptr_eq(opaque, &mem);
	return host_tsc / 2 + 1000;
}

static const struct mhi_msr_env env = { &mem, &guest_clock, guest_tsc, &mem, NULL, NULL };

static void set_up(void)
{
	struct mhi_slot slot = { .gpa = 0, .bytes = MHI_PAGE_SIZE };

	memset(&mem, 0, sizeof(mem));
	mem.gpa_limit = 1ull << 40;
	ram = aligned_alloc(MHI_PAGE_SIZE, MHI_PAGE_SIZE);
	memset(ram, 0, MHI_PAGE_SIZE);
	slot.hva = (u64)(uintptr_t)ram;
	ck_assert_int_eq(mhi_slots_set(&mem.slots, 0, &slot, mem.gpa_limit), 0);
	mhi_kvmclock_start(&guest_clock, TSC_KHZ, guest_tsc(&mem, __rdtsc()));
	memset(&msrs, 0, sizeof(msrs));
	mhi_msrs_reset(&msrs, &env, 0);
}

static void tear_down(void)
{
	free(ram);
}

static u64 get(u32 index)
{
	u64 value = 0xdead;

	ck_assert_msg(mhi_msrs_read(&msrs, index, &value), "MSR 0x%x cannot be read", index);
	return value;
}

START_TEST(unknown)
{
	static const u32 absent[] = { 0,	  0x1b,	      0x3b,	  0x48,	      0x49,
				      0x10a,	  0x10b,      0x122,	  0x185,      0x18e,
				      0x1ff,	  0x210,      0x3f0,	  0x480,      0x600,
				      0x6e0,	  0xda0,      0x40000000, 0x4b564d02, 0x4b564d04,
				      0xc0000080, 0xc0010118, 0xffffffff };
	u64 value = 5, i;

	for (i = 0; i < MHI_COUNT(absent); i++) {
		ck_assert(!mhi_msrs_read(&msrs, absent[i], &value));
		ck_assert(!mhi_msrs_write(&msrs, absent[i], 0));
		ck_assert_uint_eq(msrs.counts.refused, 2 * (i + 1));
	}
	ck_assert_uint_eq(value, 5);
}
END_TEST

START_TEST(fixed)
{
	ck_assert_uint_eq(get(0x3a), 1);
	ck_assert(!mhi_msrs_write(&msrs, 0x3a, 5));
	ck_assert_uint_eq(get(0xfe), 0x508);
	ck_assert_uint_eq(get(0x1a0), 0x1801);
	ck_assert(mhi_msrs_write(&msrs, 0x1a0, ~0ull));
	ck_assert_uint_eq(get(0x1a0), 0x1801);
	ck_assert_uint_eq(get(0x179), 0);
	ck_assert_uint_eq(get(0x400), 0);
	ck_assert_uint_eq(get(0x606), 0xa1003);
	ck_assert_uint_eq(get(0xc0010114), 0x18);
	ck_assert_uint_eq(get(0xc0011029), 2);
	ck_assert_uint_eq(get(0xc0010015), 1u << 24);
	ck_assert(mhi_msrs_write(&msrs, 0x10, 12345));
	ck_assert(mhi_msrs_write(&msrs, 0x79, 12345));
	ck_assert_uint_eq(msrs.counts.refused, 1);
}
END_TEST

START_TEST(mtrrs_are_kept)
{
	static const struct {
		u32 index;
		u64 value;
	} all[] = {
		{ 0x200, 0x1006 },
		{ 0x201, 0x2800 },
		{ 0x20e, 0x3001 },
		{ 0x20f, 0x4800 },
		{ 0x250, 0x0600000000000001 },
		{ 0x258, 0x0600000000000004 },
		{ 0x259, 0x0600000000000005 },
		{ 0x268, 0x0606060606060606 },
		{ 0x26f, 0x0505050505050505 },
		{ 0x2ff, 0xc00 },
	};
	size_t i;

	ck_assert_uint_eq(get(0x2ff), 0x806);
	for (i = 0; i < MHI_COUNT(all); i++)
		ck_assert(mhi_msrs_write(&msrs, all[i].index, all[i].value));
	/* Each has a place of its own. */
	for (i = 0; i < MHI_COUNT(all); i++)
		ck_assert_uint_eq(get(all[i].index), all[i].value);
	mhi_msrs_reset(&msrs, &env, 0);
	ck_assert_uint_eq(get(0x201), 0);
	ck_assert_uint_eq(get(0x2ff), 0x806);
}
END_TEST

START_TEST(mtrrs_refuse_reserved)
{
	ck_assert(!mhi_msrs_write(&msrs, 0x200, 2));
	ck_assert(!mhi_msrs_write(&msrs, 0x200, 0x106));
	ck_assert(!mhi_msrs_write(&msrs, 0x201, 1));
	ck_assert(!mhi_msrs_write(&msrs, 0x250, 0x0600000000000003));
	ck_assert(!mhi_msrs_write(&msrs, 0x2ff, 0x1006));
	ck_assert(!mhi_msrs_write(&msrs, 0x2ff, 7));
	ck_assert_uint_eq(get(0x2ff), 0x806);
}
END_TEST

/* ns by the structure's own rule, as a guest computes it. */
static u64 guest_ns(const struct pv_time *t, u64 guest_tsc)
{
	u64 delta = guest_tsc - t->tsc_timestamp;

	delta = t->shift >= 0 ? delta << t->shift : delta >> -t->shift;
	return t->system_time + (u64)(((unsigned __int128)delta * t->mul) >> 32);
}

START_TEST(scale)
{
	static const u32 khz[] = {
		1, 1000, 999999, 1000000, 1000001, 2445123, 4999999, 0xffffffff
	};
	struct mhi_kvmclock clock;
	size_t i;

	for (i = 0; i < MHI_COUNT(khz); i++) {
		u64 hour = khz[i] * 1000ull * 3600, ns;

		mhi_kvmclock_start(&clock, khz[i], 77);
		ck_assert_uint_ge(clock.mul, 0x80000000);
		ck_assert_uint_eq(mhi_kvmclock_ns(&clock, 77), 0);
		ns = mhi_kvmclock_ns(&clock, 77 + hour);
		/* Within 2 microseconds of an hour. */
		ck_assert_msg(ns <= 3600000000000ull && ns > 3600000000000ull - 2000,
			      "%u kHz: an hour is %llu ns", khz[i], ns);
	}
}
END_TEST

START_TEST(time_page)
{
	const struct pv_time *t = (const void *)(ram + 0x40);
	u64 tsc = guest_clock.tsc_zero + 5 * TSC_KHZ;
	u32 version;

	ck_assert(mhi_msrs_write(&msrs, TIME_NEW, 0x41));
	ck_assert_uint_eq(get(TIME_NEW), 0x41);
	ck_assert_uint_eq(t->version & 1, 0);
	ck_assert_uint_ne(t->version, 0);
	ck_assert_uint_eq(t->flags, 1);
	ck_assert_uint_eq(t->tsc_timestamp, guest_clock.tsc_zero);
	/* Both sides agree on 5 ms. */
	ck_assert_uint_eq(guest_ns(t, tsc), mhi_kvmclock_ns(&guest_clock, tsc));
	ck_assert_uint_ge(guest_ns(t, tsc), 4999999);
	ck_assert_uint_le(guest_ns(t, tsc), 5000000);
	version = t->version;
	ck_assert(mhi_msrs_write(&msrs, 0x12, 0x41));
	ck_assert_uint_gt(t->version, version);
	ck_assert_uint_eq(t->version & 1, 0);
}
END_TEST

/* After a pause the page says so, until the guest takes the mark away or gives the page anew. */
START_TEST(time_page_after_pause)
{
	struct pv_time *t = (void *)(ram + 0x40);
	u32 version;

	mhi_msrs_paused(&msrs);
	ck_assert_uint_eq(t->version, 0);
	ck_assert(mhi_msrs_write(&msrs, TIME_NEW, 0x41));
	version = t->version;
	mhi_msrs_paused(&msrs);
	ck_assert_uint_eq(t->flags, 3);
	ck_assert_uint_gt(t->version, version);
	ck_assert_uint_eq(t->version & 1, 0);
	ck_assert_uint_eq(t->tsc_timestamp, guest_clock.tsc_zero);
	ck_assert(mhi_msrs_write(&msrs, TIME_NEW, 0x41));
	ck_assert_uint_eq(t->flags, 1);
	ck_assert(mhi_msrs_write(&msrs, TIME_NEW, 0x40));
	version = t->version;
	mhi_msrs_paused(&msrs);
	ck_assert_uint_eq(t->version, version);
}
END_TEST

/* Clearing the enable bit writes nothing; an address without memory is #GP. */
START_TEST(time_page_bad)
{
	ck_assert(mhi_msrs_write(&msrs, TIME_NEW, 0x40));
	ck_assert_uint_eq(ram[0x40], 0);
	ck_assert(!mhi_msrs_write(&msrs, TIME_NEW, MHI_PAGE_SIZE | 1));
	ck_assert(!mhi_msrs_write(&msrs, TIME_NEW, (MHI_PAGE_SIZE - 16) | 1));
	ck_assert(!mhi_msrs_write(&msrs, TIME_NEW, ~0ull));
	ck_assert_uint_eq(get(TIME_NEW), 0x40);
	ck_assert(!mhi_msrs_write(&msrs, WALL_NEW, 0x123456000));
	ck_assert_uint_eq(ram[MHI_PAGE_SIZE - 16], 0);
}
END_TEST

START_TEST(wall_clock)
{
	const struct pv_wall *w = (const void *)(ram + 0x100);
	struct timespec now;
	u64 wall, guest;

	ck_assert(mhi_msrs_write(&msrs, WALL_NEW, 0x100));
	ck_assert(mhi_msrs_write(&msrs, 0x11, 0x100));
	ck_assert_uint_eq(w->version & 1, 0);
	clock_gettime(CLOCK_REALTIME, &now);
	wall = w->sec * 1000000000ull + w->nsec;
	guest = mhi_kvmclock_ns(&guest_clock, guest_tsc(&mem, __rdtsc()));
	/* Wall clock of guest time 0 plus guest time is now, within a second. */
	ck_assert_uint_le(wall, (u64)now.tv_sec * 1000000000ull + (u64)now.tv_nsec);
	ck_assert_uint_ge(wall + guest + 1000000000ull, (u64)now.tv_sec * 1000000000ull);
	ck_assert_uint_lt(w->nsec, 1000000000);
	/* 0 is no address to write to. */
	ck_assert(mhi_msrs_write(&msrs, WALL_NEW, 0));
	ck_assert_uint_eq(ram[0], 0);
}
END_TEST

static void add_tests(TCase *tcase)
{
	tcase_add_checked_fixture(tcase, set_up, tear_down);
	tcase_add_test(tcase, unknown);
	tcase_add_test(tcase, fixed);
	tcase_add_test(tcase, mtrrs_are_kept);
	tcase_add_test(tcase, mtrrs_refuse_reserved);
	tcase_add_test(tcase, scale);
	tcase_add_test(tcase, time_page);
	tcase_add_test(tcase, time_page_after_pause);
	tcase_add_test(tcase, time_page_bad);
	tcase_add_test(tcase, wall_clock);
}

UNIT_MAIN("msr", add_tests)
