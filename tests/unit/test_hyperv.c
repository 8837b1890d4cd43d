/* SPDX-License-Identifier: MIT */
/* Hyper-V's MSRs: the reference time against kvmclock's, the hypercall page, what is refused. */
#include <x86intrin.h>

#include "unit.h"
#include "core/msr.h"
#include "core/tsc.h"

#define TSC_KHZ 2445123u
#define GUEST_OS_ID 0x40000000u
#define HYPERCALL 0x40000001u
#define VP_INDEX 0x40000002u
#define TIME_REF_COUNT 0x40000020u
#define REFERENCE_TSC 0x40000021u
#define TSC_FREQUENCY 0x40000022u
#define APIC_FREQUENCY 0x40000023u

struct reference {
	u32 sequence, reserved;
	u64 scale;
	s64 offset;
};

static struct mhi_gmem mem;
static struct mhi_kvmclock guest_clock;
static struct mhi_hyperv hyperv;
static struct mhi_msrs msrs;
static struct mhi_tsc rate;
static u8 *ram;

static u64 guest_tsc(void *opaque, u64 host_tsc)
{
	return mhi_tsc_guest(&rate, host_tsc);
}

static const struct mhi_msr_env env = { &mem, &guest_clock, guest_tsc, NULL, &hyperv, NULL };

static void set_up(void)
{
	struct mhi_slot slot = { .gpa = 0, .bytes = MHI_PAGE_SIZE };
	u64 now = __rdtsc();

	memset(&mem, 0, sizeof(mem));
	mem.gpa_limit = 1ull << 40;
	ram = aligned_alloc(MHI_PAGE_SIZE, MHI_PAGE_SIZE);
	memset(ram, 0, MHI_PAGE_SIZE);
	slot.hva = (u64)(uintptr_t)ram;
	ck_assert_int_eq(mhi_slots_set(&mem.slots, 0, &slot, mem.gpa_limit), 0);
	rate = (struct mhi_tsc){ .offset = -now };
	mhi_kvmclock_start(&guest_clock, TSC_KHZ, 0);
	mhi_hyperv_init(&hyperv, TSC_KHZ, 1000000, true);
	memset(&msrs, 0, sizeof(msrs));
	mhi_msrs_reset(&msrs, &env, 3);
}

static void tear_down(void)
{
	mhi_hyperv_fini(&hyperv);
	free(ram);
}

static u64 get(u32 index)
{
	u64 value = 0xdead;

	ck_assert_msg(mhi_msrs_read(&msrs, index, &value), "MSR 0x%x cannot be read", index);
	return value;
}

static u64 page_time(const struct reference *page, u64 tsc)
{
	return (u64)(((unsigned __int128)tsc * page->scale) >> 64) + (u64)page->offset;
}

START_TEST(numbers)
{
	u64 value;

	ck_assert_uint_eq(get(VP_INDEX), 3);
	ck_assert_uint_eq(get(TSC_FREQUENCY), TSC_KHZ * 1000ull);
	ck_assert_uint_eq(get(APIC_FREQUENCY), 1000000000);
	ck_assert(!mhi_msrs_write(&msrs, VP_INDEX, 0));
	ck_assert(!mhi_msrs_write(&msrs, TIME_REF_COUNT, 0));
	ck_assert(!mhi_msrs_write(&msrs, TSC_FREQUENCY, 0));
	ck_assert(!mhi_msrs_read(&msrs, 0x40000080, &value));
	ck_assert(!mhi_msrs_read(&msrs, 0x40000003, &value));
	ck_assert_uint_eq(msrs.counts.refused, 5);
}
END_TEST

/* The counter, the page and kvmclock tell one time, also where the guest sees the host's TSC. */
static void check_time(void)
{
	const struct reference *page = (const void *)ram;
	u64 before, count, after, hour = guest_clock.tsc_zero + 3600ull * 1000 * TSC_KHZ;

	ck_assert(mhi_msrs_write(&msrs, REFERENCE_TSC, 1));
	ck_assert_uint_eq(get(REFERENCE_TSC), 1);
	ck_assert_uint_ne(page->sequence, 0);
	before = page_time(page, guest_tsc(NULL, __rdtsc()));
	count = get(TIME_REF_COUNT);
	after = page_time(page, guest_tsc(NULL, __rdtsc()));
	ck_assert_uint_le(before, count);
	ck_assert_uint_le(count, after);
	ck_assert_uint_le(page_time(page, guest_clock.tsc_zero), 1);
	/* An hour, in 100 ns; both round down. */
	ck_assert_uint_le(page_time(page, hour), 36000000000ull);
	ck_assert_uint_ge(page_time(page, hour), 36000000000ull - 20);
	ck_assert_uint_le(mhi_kvmclock_ns(&guest_clock, hour) / 100, 36000000000ull);
	ck_assert_uint_ge(mhi_kvmclock_ns(&guest_clock, hour) / 100, 36000000000ull - 20);
}

START_TEST(reference_time)
{
	check_time();
	/* From the host's zero on. */
	rate.offset = 0;
	mhi_kvmclock_start(&guest_clock, TSC_KHZ, __rdtsc());
	check_time();
	/* At another rate than the host's. */
	rate.shift = 48;
	rate.ratio = 7ull << 46;
	mhi_kvmclock_start(&guest_clock, TSC_KHZ, guest_tsc(NULL, __rdtsc()));
	check_time();
}
END_TEST

START_TEST(reference_page_bad)
{
	ck_assert(!mhi_msrs_write(&msrs, REFERENCE_TSC, MHI_PAGE_SIZE | 1));
	ck_assert_uint_eq(get(REFERENCE_TSC), 0);
	ck_assert(mhi_msrs_write(&msrs, REFERENCE_TSC, 0));
	ck_assert_uint_eq(ram[0], 0);
}
END_TEST

START_TEST(hypercall_page)
{
	static const u8 vmcall_ret[] = { 0x0f, 0x01, 0xc1, 0xc3 };

	/* Nothing without an identity. */
	ck_assert(mhi_msrs_write(&msrs, HYPERCALL, 1));
	ck_assert_uint_eq(get(HYPERCALL), 0);
	ck_assert(!mhi_hyperv_hypercalls(&hyperv));
	ck_assert(mhi_msrs_write(&msrs, GUEST_OS_ID, 0x0001040a00003839));
	ck_assert_uint_eq(get(GUEST_OS_ID), 0x0001040a00003839);
	ck_assert(!mhi_msrs_write(&msrs, HYPERCALL, MHI_PAGE_SIZE | 1));
	ck_assert(mhi_msrs_write(&msrs, HYPERCALL, 1));
	ck_assert_int_eq(memcmp(ram, vmcall_ret, sizeof(vmcall_ret)), 0);
	ck_assert(mhi_hyperv_hypercalls(&hyperv));
	/* The identity's end is the page's. */
	ck_assert(mhi_msrs_write(&msrs, GUEST_OS_ID, 0));
	ck_assert(!mhi_hyperv_hypercalls(&hyperv));
	/* Locked until a reset. */
	ck_assert(mhi_msrs_write(&msrs, GUEST_OS_ID, 1));
	ck_assert(mhi_msrs_write(&msrs, HYPERCALL, 3));
	ck_assert(mhi_msrs_write(&msrs, HYPERCALL, 0));
	ck_assert_uint_eq(get(HYPERCALL), 3);
	mhi_hyperv_reset(&hyperv);
	ck_assert_uint_eq(get(HYPERCALL), 0);
	ck_assert_uint_eq(get(GUEST_OS_ID), 0);
}
END_TEST

static void add_tests(TCase *tcase)
{
	tcase_add_checked_fixture(tcase, set_up, tear_down);
	tcase_add_test(tcase, numbers);
	tcase_add_test(tcase, reference_time);
	tcase_add_test(tcase, reference_page_bad);
	tcase_add_test(tcase, hypercall_page);
}

UNIT_MAIN("hyperv", add_tests)
