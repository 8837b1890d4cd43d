// SPDX-License-Identifier: MIT
/* The local APIC's timer: modes, arithmetic, and the host's timer. */
#include "lapic_vm.h"
#include "rng.h"

#define PERIODIC 0x20000u
#define DEADLINE 0x40000u
#define MASKED 0x10000u
#define VEC 0xecu
#define DIV_1 0xbu

#define H (fake_host[0])
#define GUEST_NOW (fake_tsc + vm.tsc_offset)

/* The timer counts every second tick of the TSC. */
#define TICKS(counts) ((u64)(counts)*2)

/* The host's time moves on; its timer fires if it is due. */
static void advance_to(u64 host_tsc)
{
	fake_tsc = host_tsc;
	if (H.armed && fake_tsc >= H.deadline) {
		H.armed = false;
		mhi_lapic_timer_fired(V(0));
	}
	mhi_lapic_timer_sync(V(0));
}

static bool take(void)
{
	bool taken = requested(V(0), VEC);

	V(0)->lapic.reg[0x20 + VEC / 32] = 0;
	return taken;
}

START_TEST(one_shot)
{
	u64 start;

	begin(1);
	start = fake_tsc;
	wr(V(0), O_DIV, DIV_1);
	wr(V(0), O_TIMER, VEC);
	wr(V(0), O_INIT, 1000);
	ck_assert(H.armed && H.deadline == start + 2000);
	ck_assert_uint_eq(rd(V(0), O_CURRENT), 1000);
	advance_to(start + 500);
	ck_assert_uint_eq(rd(V(0), O_CURRENT), 750);
	ck_assert_uint_eq(rd(V(0), O_INIT), 1000);
	ck_assert(!take() && !mhi_lapic_has_work(V(0)));
	advance_to(start + 1999);
	ck_assert_uint_eq(rd(V(0), O_CURRENT), 1);
	ck_assert(!take());
	advance_to(start + 2000);
	ck_assert_uint_eq(rd(V(0), O_CURRENT), 0);
	ck_assert(take() && !H.armed);
	advance_to(start + 9000);
	ck_assert(!take());
	ck_assert_uint_eq(rd(V(0), O_CURRENT), 0);
}
END_TEST

/* SDM 3A 11.5.4 "APIC Timer": the codes of the divide configuration register. */
START_TEST(dividers)
{
	static const struct {
		u32 code, div;
	} t[] = { { 0x0, 2 },  { 0x1, 4 },  { 0x2, 8 },	  { 0x3, 16 },
		  { 0x8, 32 }, { 0x9, 64 }, { 0xa, 128 }, { 0xb, 1 } };

	begin(1);
	wr(V(0), O_DIV, t[_i].code);
	wr(V(0), O_INIT, 300);
	ck_assert(H.deadline == fake_tsc + 300 * 2 * t[_i].div);
	advance_to(fake_tsc + 100 * 2 * t[_i].div);
	ck_assert_uint_eq(rd(V(0), O_CURRENT), 200);
	/* Half way to the next count the old one still stands. */
	advance_to(fake_tsc + t[_i].div);
	ck_assert_uint_eq(rd(V(0), O_CURRENT), 200);
}
END_TEST

/* A new divider changes the rate of what is left. */
START_TEST(divider_while_counting)
{
	begin(1);
	wr(V(0), O_DIV, DIV_1);
	wr(V(0), O_TIMER, PERIODIC | VEC);
	wr(V(0), O_INIT, 1000);
	advance_to(fake_tsc + 800);
	wr(V(0), O_DIV, 0x3);
	ck_assert_uint_eq(rd(V(0), O_CURRENT), 600);
	ck_assert(H.deadline == fake_tsc + 600 * 16 * 2);
	advance_to(H.deadline);
	ck_assert(take());
	ck_assert(H.deadline == fake_tsc + 1000 * 16 * 2);
}
END_TEST

START_TEST(arithmetic)
{
	static const u32 codes[] = { 0x0, 0x1, 0x2, 0x3, 0x8, 0x9, 0xa, 0xb };
	struct rng r = { 42 };
	u32 i, init, shift;
	u64 want, left;

	begin(1);
	for (i = 0; i < 20000; i++) {
		vm.tsc_offset = rng_next(&r);
		fake_tsc = rng_next(&r) >> 2;
		if (GUEST_NOW > 1ull << 63) /* so that the guest's TSC does not wrap meanwhile */
			continue;
		init = i < 8 ? 0xffffffff : (u32)rng_next(&r) >> rng_below(&r, 31);
		shift = (u32)rng_below(&r, 8);
		wr(V(0), O_DIV, codes[(shift + 7) % 8]);
		wr(V(0), O_INIT, init);
		if (!init)
			continue;
		want = TICKS((u64)init << shift);
		ck_assert(H.armed && H.deadline - fake_tsc == want);
		ck_assert_uint_eq(rd(V(0), O_CURRENT), init);
		fake_tsc += rng_below(&r, want);
		left = H.deadline - fake_tsc;
		ck_assert_uint_eq(rd(V(0), O_CURRENT),
				  left / TICKS(1u << shift) + (left % TICKS(1u << shift) != 0));
	}
}
END_TEST

/* At other rates than the host's nothing expires early, or more than a tick of the guest's late. */
START_TEST(scaled)
{
	static const u64 ratios[] = { 1ull << 47, 3ull << 47, 1ull << 40,
				      (255ull << 48) | 0xffffffffffff, 0x5555555555555555 >> 15 };
	u64 now, tick;
	size_t i;

	for (i = 0; i < MHI_COUNT(ratios); i++) {
		begin(1);
		tick = MHI_BIT(48) / ratios[i] + 1;
		vm.caps.tsc_shift = 48;
		vm.tsc_ratio = ratios[i];
		vm.tsc_offset = 12345;
		fake_tsc = 1000000000007ull;
		now = mhi_guest_tsc(&vm);
		ck_assert(now == (u64)((unsigned __int128)fake_tsc * ratios[i] >> 48) + 12345);
		wr(V(0), O_DIV, DIV_1);
		wr(V(0), O_TIMER, VEC);
		wr(V(0), O_INIT, 1000000);
		ck_assert_uint_eq(rd(V(0), O_CURRENT), 1000000);
		ck_assert(H.armed);
		fake_tsc = H.deadline - 1 - tick;
		ck_assert_uint_lt(mhi_guest_tsc(&vm), now + TICKS(1000000));
		ck_assert_uint_ge(rd(V(0), O_CURRENT), 1);
		advance_to(H.deadline);
		ck_assert_uint_ge(mhi_guest_tsc(&vm), now + TICKS(1000000));
		ck_assert(take() && !H.armed);
		/* TSC-deadline mode */
		now = mhi_guest_tsc(&vm);
		wr(V(0), O_TIMER, DEADLINE | VEC);
		ck_assert_int_eq(mhi_lapic_wrmsr(V(0), MHI_MSR_TSC_DEADLINE, now + 777777), 0);
		ck_assert(H.armed);
		fake_tsc = H.deadline - 1 - tick;
		ck_assert_uint_lt(mhi_guest_tsc(&vm), now + 777777);
		advance_to(H.deadline);
		ck_assert_uint_ge(mhi_guest_tsc(&vm), now + 777777);
		ck_assert(take() && !H.armed);
	}
}
END_TEST

/*
 * The least and the greatest ratio: nothing overflows, nothing waits with the host's interrupts
 * off, and what lies beyond the host's time never comes.
 */
START_TEST(scaled_extremes)
{
	u64 now;

	begin(1);
	vm.caps.tsc_shift = 48;
	vm.tsc_ratio = 1;
	vm.tsc_offset = 0;
	fake_tsc = (5ull << 48) - 1;
	wr(V(0), O_TIMER, DEADLINE | VEC);
	ck_assert_uint_eq(mhi_guest_tsc(&vm), 4);
	ck_assert_int_eq(mhi_lapic_wrmsr(V(0), MHI_MSR_TSC_DEADLINE, 5), 0);
	ck_assert(H.armed && H.deadline == fake_tsc + (1ull << 48));
	mhi_lapic_timer_near(V(0));
	ck_assert_int_eq(mhi_lapic_wrmsr(V(0), MHI_MSR_TSC_DEADLINE, ~0ull), 0);
	ck_assert(H.armed && H.deadline == fake_tsc + ~0ull);
	vm.tsc_ratio = (255ull << 48) | 0xffffffffffff;
	fake_tsc = 1000;
	now = mhi_guest_tsc(&vm);
	ck_assert_uint_eq(now, 255999);
	ck_assert_int_eq(mhi_lapic_wrmsr(V(0), MHI_MSR_TSC_DEADLINE, now + 1), 0);
	ck_assert(H.armed && H.deadline == fake_tsc + 1);
	ck_assert_int_eq(mhi_lapic_wrmsr(V(0), MHI_MSR_TSC_DEADLINE, ~0ull), 0);
	ck_assert(H.armed && H.deadline == fake_tsc + ((~0ull - now) >> 8) + 1);
}
END_TEST

/* A deadline in the far half of the TSC's range is not one that has passed. */
START_TEST(far_deadline)
{
	begin(1);
	fake_tsc = 1000;
	wr(V(0), O_TIMER, DEADLINE | VEC);
	ck_assert_int_eq(mhi_lapic_wrmsr(V(0), MHI_MSR_TSC_DEADLINE, ~0ull), 0);
	ck_assert(H.armed && H.deadline == ~0ull - vm.tsc_offset);
	ck_assert(!take());
}
END_TEST

/* After each of many periods the deadline is a whole number of them after the start. */
START_TEST(periodic_without_drift)
{
	u64 start, n, init = 10007;

	begin(1);
	start = fake_tsc;
	wr(V(0), O_DIV, DIV_1);
	wr(V(0), O_TIMER, PERIODIC | VEC);
	wr(V(0), O_INIT, (u32)init);
	for (n = 1; n < 120000000; n += n < 1000 ? 1 : 999) {
		if (H.deadline != start + TICKS(n * init))
			ck_abort_msg("period %llu", n);
		if (n < 1000) {
			advance_to(H.deadline);
		} else { /* 998 of them are missed, and are one interrupt */
			advance_to(start + TICKS((n + 998) * init) + 1);
		}
		ck_assert(take());
		mhi_lapic_timer_sync(V(0));
		ck_assert(!take());
	}
	wr(V(0), O_INIT, 0);
	ck_assert(!H.armed);
	advance_to(fake_tsc + 100000000);
	ck_assert(!take());
	ck_assert_uint_eq(rd(V(0), O_CURRENT), 0);
}
END_TEST

/* Read between the expiry and the host's timer: the periodic count has begun again. */
START_TEST(periodic_read_late)
{
	begin(1);
	wr(V(0), O_DIV, DIV_1);
	wr(V(0), O_TIMER, PERIODIC | VEC);
	wr(V(0), O_INIT, 1000);
	fake_tsc += 2000 * 3 + 200;
	ck_assert_uint_eq(rd(V(0), O_CURRENT), 900);
	ck_assert(take());
}
END_TEST

START_TEST(host_early)
{
	u64 deadline;

	begin(1);
	wr(V(0), O_DIV, DIV_1);
	wr(V(0), O_TIMER, VEC);
	wr(V(0), O_INIT, 1000);
	deadline = H.deadline;
	fake_tsc = deadline - 1;
	H.armed = false;
	mhi_lapic_timer_fired(V(0));
	ck_assert_uint_eq(H.kicks, 1);
	mhi_lapic_timer_fired(V(0));
	ck_assert_uint_eq(H.kicks, 1);
	ck_assert(mhi_lapic_has_work(V(0)));
	mhi_lapic_timer_sync(V(0));
	ck_assert(!take() && H.armed && H.deadline == deadline);
	ck_assert(!mhi_lapic_has_work(V(0)));
	advance_to(deadline);
	ck_assert(take());
}
END_TEST

START_TEST(deadline)
{
	begin(1);
	wrmsr(V(0), MHI_MSR_TSC_DEADLINE, GUEST_NOW + 1000); /* another mode: ignored */
	ck_assert(!H.armed && rdmsr(V(0), MHI_MSR_TSC_DEADLINE) == 0);
	wr(V(0), O_TIMER, DEADLINE | VEC);
	wr(V(0), O_INIT, 77); /* ignored in this mode */
	ck_assert(!H.armed && rd(V(0), O_INIT) == 0);
	wrmsr(V(0), MHI_MSR_TSC_DEADLINE, GUEST_NOW + 1000);
	ck_assert(H.armed && H.deadline == fake_tsc + 1000);
	ck_assert(rdmsr(V(0), MHI_MSR_TSC_DEADLINE) == GUEST_NOW + 1000);
	ck_assert_uint_eq(rd(V(0), O_CURRENT), 0);
	wrmsr(V(0), MHI_MSR_TSC_DEADLINE, GUEST_NOW + 3000);
	advance_to(fake_tsc + 2999);
	ck_assert(!take());
	advance_to(fake_tsc + 1);
	ck_assert(take() && rdmsr(V(0), MHI_MSR_TSC_DEADLINE) == 0);
	/* 0 disarms. */
	wrmsr(V(0), MHI_MSR_TSC_DEADLINE, GUEST_NOW + 1000);
	wrmsr(V(0), MHI_MSR_TSC_DEADLINE, 0);
	ck_assert(!H.armed && rdmsr(V(0), MHI_MSR_TSC_DEADLINE) == 0);
	advance_to(fake_tsc + 5000);
	ck_assert(!take());
}
END_TEST

START_TEST(deadline_in_the_past)
{
	unsigned int sets;

	begin(1);
	wr(V(0), O_TIMER, DEADLINE | VEC);
	wrmsr(V(0), MHI_MSR_TSC_DEADLINE, GUEST_NOW);
	ck_assert(take() && !H.armed);
	ck_assert_uint_eq(H.sets, 0);
	ck_assert_uint_eq(H.kicks, 0);
	wrmsr(V(0), MHI_MSR_TSC_DEADLINE, GUEST_NOW + 1000);
	sets = H.sets;
	wrmsr(V(0), MHI_MSR_TSC_DEADLINE, 1);
	ck_assert(take() && !H.armed && rdmsr(V(0), MHI_MSR_TSC_DEADLINE) == 0);
	ck_assert_uint_eq(H.sets, sets);
	/* Over, but the host has not said so yet: reading tells the truth. */
	wrmsr(V(0), MHI_MSR_TSC_DEADLINE, GUEST_NOW + 10);
	fake_tsc += 10;
	mhi_lapic_timer_sync(V(0)); /* without the signal this does not even look at the time */
	ck_assert(!take());
	ck_assert(rdmsr(V(0), MHI_MSR_TSC_DEADLINE) == 0);
	ck_assert(take());
	mhi_lapic_timer_fired(V(0));
	mhi_lapic_timer_sync(V(0));
	ck_assert(!take() && !H.armed);
}
END_TEST

START_TEST(mode_changes_disarm)
{
	begin(1);
	wr(V(0), O_DIV, DIV_1);
	wr(V(0), O_TIMER, VEC);
	wr(V(0), O_INIT, 1000);
	wr(V(0), O_TIMER, PERIODIC | VEC); /* one-shot to periodic goes on */
	ck_assert(H.armed);
	wr(V(0), O_TIMER, DEADLINE | VEC);
	ck_assert(!H.armed && rd(V(0), O_CURRENT) == 0 && rd(V(0), O_INIT) == 0);
	wrmsr(V(0), MHI_MSR_TSC_DEADLINE, GUEST_NOW + 1000);
	wr(V(0), O_TIMER, DEADLINE | MASKED | VEC);
	ck_assert(H.armed);
	wr(V(0), O_TIMER, VEC);
	ck_assert(!H.armed && rdmsr(V(0), MHI_MSR_TSC_DEADLINE) == 0);
	ck_assert(!take());
}
END_TEST

START_TEST(masked_and_illegal)
{
	begin(1);
	wr(V(0), O_TIMER, DEADLINE | MASKED | VEC);
	wrmsr(V(0), MHI_MSR_TSC_DEADLINE, GUEST_NOW + 10);
	advance_to(fake_tsc + 10);
	ck_assert(!take() && rdmsr(V(0), MHI_MSR_TSC_DEADLINE) == 0);
	wr(V(0), O_TIMER, DEADLINE | 3);
	wrmsr(V(0), MHI_MSR_TSC_DEADLINE, 1);
	ck_assert_uint_eq(V(0)->lapic.reg[0x20 + 0], 0);
	wr(V(0), O_ESR, 0);
	ck_assert_uint_eq(rd(V(0), O_ESR), 0x40);
}
END_TEST

/* Nothing fires after reset, disable or the end; an untouched timer costs no call. */
START_TEST(stops)
{
	begin(1);
	mhi_lapic_timer_stop(V(0));
	ck_assert_uint_eq(H.cancels, 0);
	wr(V(0), O_INIT, 1000);
	mhi_lapic_reset(V(0), true);
	ck_assert(!H.armed && rd(V(0), O_CURRENT) == 0);
	ck_assert_uint_eq(H.cancels, 1);
	mhi_lapic_timer_stop(V(0)); /* what is stopped, or has fired, is not cancelled again */
	ck_assert_uint_eq(H.cancels, 1);
	wr(V(0), O_INIT, 1000);
	advance_to(H.deadline);
	mhi_lapic_timer_stop(V(0));
	ck_assert_uint_eq(H.cancels, 1);
	wr(V(0), O_INIT, 1000);
	mhi_lapic_timer_fired(V(0));
	set_mode(V(0), 0);
	ck_assert(!H.armed && V(0)->lapic.signals == 0);
	set_mode(V(0), X1_MODE);
	wr(V(0), O_INIT, 1000);
	mhi_lapic_timer_stop(V(0));
	ck_assert(!H.armed);
}
END_TEST

/* Before a HLT: what is about to expire is waited for, and nothing else is. */
START_TEST(near)
{
	u64 start;

	begin(1);
	mhi_lapic_timer_near(V(0)); /* off */
	wr(V(0), O_TIMER, DEADLINE | VEC);
	start = fake_tsc;
	wrmsr(V(0), MHI_MSR_TSC_DEADLINE, GUEST_NOW + 10000);
	mhi_lapic_timer_near(V(0));
	ck_assert(fake_tsc == start && H.armed && !take());
	wrmsr(V(0), MHI_MSR_TSC_DEADLINE, GUEST_NOW + 2000);
	mhi_lapic_timer_near(V(0));
	ck_assert(fake_tsc >= start + 2000 && fake_tsc < start + 2100);
	ck_assert(take() && !H.armed && rdmsr(V(0), MHI_MSR_TSC_DEADLINE) == 0);
	/* What wakes the vCPU ends the wait, and the timer runs on. */
	start = fake_tsc;
	wrmsr(V(0), MHI_MSR_TSC_DEADLINE, GUEST_NOW + 2000);
	V(0)->lapic.signals = MHI_SIG_NMI;
	mhi_lapic_timer_near(V(0));
	ck_assert(fake_tsc == start && H.armed && !take());
}
END_TEST

/* Where the TSC begins anew there is neither an expiry nor an end of the wait for one. */
START_TEST(near_the_end)
{
	begin(1);
	wr(V(0), O_TIMER, DEADLINE | VEC);
	vm.tsc_offset = 0;
	fake_tsc = ~0ull - 990;
	mhi_lapic_timer_near(V(0)); /* off */
	ck_assert_uint_eq(fake_tsc, ~0ull - 990);
	/* Looked at every 40 ticks, the last moment is missed. */
	ck_assert_int_eq(mhi_lapic_wrmsr(V(0), MHI_MSR_TSC_DEADLINE, ~0ull), 0);
	mhi_lapic_timer_near(V(0));
	ck_assert(fake_tsc < 40 && H.armed && !take());
}
END_TEST

/* At its lowest rate the guest's clock stands still, here at the deadline. */
START_TEST(near_for_ever)
{
	u64 start = 5ull << 48;

	begin(1);
	vm.caps.tsc_shift = 48;
	vm.tsc_ratio = 1;
	vm.tsc_offset = 0;
	fake_tsc = start;
	wr(V(0), O_TIMER, DEADLINE | VEC);
	wrmsr(V(0), MHI_MSR_TSC_DEADLINE, 1005);
	vm.tsc_offset = 1000;
	mhi_lapic_timer_near(V(0));
	ck_assert(fake_tsc - start < 100000 && take());
}
END_TEST

static void add_tests(TCase *t)
{
	tcase_add_test(t, one_shot);
	tcase_add_loop_test(t, dividers, 0, 8);
	tcase_add_test(t, divider_while_counting);
	tcase_add_test(t, arithmetic);
	tcase_add_test(t, scaled);
	tcase_add_test(t, scaled_extremes);
	tcase_add_test(t, far_deadline);
	tcase_add_test(t, periodic_without_drift);
	tcase_add_test(t, periodic_read_late);
	tcase_add_test(t, host_early);
	tcase_add_test(t, deadline);
	tcase_add_test(t, deadline_in_the_past);
	tcase_add_test(t, mode_changes_disarm);
	tcase_add_test(t, masked_and_illegal);
	tcase_add_test(t, stops);
	tcase_add_test(t, near);
	tcase_add_test(t, near_the_end);
	tcase_add_test(t, near_for_ever);
}

UNIT_MAIN("lapic_timer", add_tests)
