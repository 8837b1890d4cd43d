// SPDX-License-Identifier: (GPL-2.0 OR MIT)
/* The local APIC's timer: SDM 3A 11.5.4 "APIC Timer". Everything is kept in guest TSC. */
#include "arch/x86/lapic_int.h"
#include "x86_insn.h"

#define TIMER_MODE(lvt) (((lvt) >> 17) & 3)
enum { MODE_ONE_SHOT, MODE_PERIODIC, MODE_TSC_DEADLINE };

/*
 * Counts and TSC ticks convert exactly at whole milliseconds: one is this many counts and tsc_khz
 * ticks. Splitting there keeps every product within 64 bits.
 */
#define COUNTS_PER_MS (MHI_LAPIC_TIMER_HZ / 1000)
/* Move timer_start on before timer_counts grows beyond what converts without overflow. */
#define COUNTS_REBASE MHI_BIT(40)

static u64 guest_tsc(const struct mhi_vcpu *v)
{
	return mhi_rdtsc() + mhi_load64(&v->vm->tsc_offset);
}

/* A host that could not tell its frequency must not make us divide by zero. */
static u64 ticks_per_ms(const struct mhi_vcpu *v)
{
	return v->vm->tsc_khz ? v->vm->tsc_khz : COUNTS_PER_MS;
}

static u64 counts_to_tsc(const struct mhi_vcpu *v, u64 counts)
{
	u64 per_ms = ticks_per_ms(v);

	return counts / COUNTS_PER_MS * per_ms + counts % COUNTS_PER_MS * per_ms / COUNTS_PER_MS;
}

/* round: 0 rounds down, ticks_per_ms - 1 rounds up. */
static u64 tsc_to_counts(const struct mhi_vcpu *v, u64 ticks, u64 round)
{
	u64 per_ms = ticks_per_ms(v);

	return ticks / per_ms * COUNTS_PER_MS + (ticks % per_ms * COUNTS_PER_MS + round) / per_ms;
}

/* SDM 3A 11.5.4, divide configuration: bits 3, 1, 0 are 0 for /2 up to 6 for /128, 7 for /1. */
static unsigned int div_shift(const struct mhi_lapic *l)
{
	u32 code = (l->reg[LAPIC_TIMER_DIV] & 3) | (l->reg[LAPIC_TIMER_DIV] >> 1 & 4);

	return (code + 1) & 7;
}

static void arm(struct mhi_vcpu *v)
{
	v->lapic.host_timer = true;
	mhi_host_timer_set(v, v->lapic.tsc_deadline - mhi_load64(&v->vm->tsc_offset));
}

void mhi_lapic_timer_stop(struct mhi_vcpu *v)
{
	struct mhi_lapic *l = &v->lapic;

	l->tsc_deadline = 0;
	if (l->host_timer)
		mhi_host_timer_cancel(v);
	l->host_timer = false;
}

/* Counts down from now: the next expiry is so many counts away. */
static void start(struct mhi_vcpu *v, u64 counts)
{
	struct mhi_lapic *l = &v->lapic;

	l->timer_start = guest_tsc(v);
	l->timer_counts = counts;
	l->tsc_deadline = l->timer_start + counts_to_tsc(v, counts);
	arm(v);
}

/*
 * The next expiry after now. It is computed from a common start, not from the last expiry, so that
 * rounding does not add up; expiries that were missed are one interrupt.
 */
static void next_period(struct mhi_vcpu *v, u64 now)
{
	struct mhi_lapic *l = &v->lapic;
	u64 period = (u64)l->reg[LAPIC_TIMER_INIT] << div_shift(l);
	u64 late = tsc_to_counts(v, now - l->tsc_deadline, 0);
	u64 ms;

	l->timer_counts += (late / period + 1) * period;
	if (l->timer_counts >= COUNTS_REBASE) {
		ms = l->timer_counts / COUNTS_PER_MS;
		l->timer_start += ms * ticks_per_ms(v);
		l->timer_counts -= ms * COUNTS_PER_MS;
	}
	l->tsc_deadline = l->timer_start + counts_to_tsc(v, l->timer_counts);
	arm(v);
}

static bool expired(const struct mhi_vcpu *v, u64 now)
{
	return v->lapic.tsc_deadline && now >= v->lapic.tsc_deadline;
}

static void expire(struct mhi_vcpu *v, u64 now)
{
	struct mhi_lapic *l = &v->lapic;

	if (TIMER_MODE(l->reg[LAPIC_LVT + LVT_TIMER]) == MODE_PERIODIC && l->reg[LAPIC_TIMER_INIT])
		next_period(v, now);
	else
		mhi_lapic_timer_stop(v);
	mhi_lapic_lvt_fire(v, LVT_TIMER);
}

void mhi_lapic_timer_fired(struct mhi_vcpu *v)
{
	if (!(mhi_fetch_or32(&v->lapic.signals, MHI_SIG_TIMER) & MHI_SIG_TIMER))
		mhi_host_kick(v);
}

void mhi_lapic_timer_sync(struct mhi_vcpu *v)
{
	struct mhi_lapic *l = &v->lapic;
	u64 now;

	if (!(mhi_load32(&l->signals) & MHI_SIG_TIMER))
		return;
	mhi_fetch_and32(&l->signals, ~MHI_SIG_TIMER);
	l->host_timer = false;
	now = guest_tsc(v);
	if (expired(v, now))
		expire(v, now);
	else if (l->tsc_deadline) /* the host's clock ran early, or this was an older deadline's */
		arm(v);
}

void mhi_lapic_timer_set_init(struct mhi_vcpu *v, u32 init)
{
	struct mhi_lapic *l = &v->lapic;

	if (TIMER_MODE(l->reg[LAPIC_LVT + LVT_TIMER]) == MODE_TSC_DEADLINE)
		return;
	l->reg[LAPIC_TIMER_INIT] = init;
	if (init)
		start(v, (u64)init << div_shift(l));
	else
		mhi_lapic_timer_stop(v);
}

/* The count goes on from where it is, at the new rate. */
void mhi_lapic_timer_set_div(struct mhi_vcpu *v, u32 div)
{
	struct mhi_lapic *l = &v->lapic;
	u32 left = mhi_lapic_timer_current(v);

	l->reg[LAPIC_TIMER_DIV] = div;
	if (left)
		start(v, (u64)left << div_shift(l));
}

void mhi_lapic_timer_set_lvt(struct mhi_vcpu *v, u32 lvt)
{
	struct mhi_lapic *l = &v->lapic;
	bool was = TIMER_MODE(l->reg[LAPIC_LVT + LVT_TIMER]) == MODE_TSC_DEADLINE;

	/* SDM 3A 11.5.4.1 "TSC-Deadline Mode": a change from or to it disarms the timer. */
	if (was != (TIMER_MODE(lvt) == MODE_TSC_DEADLINE)) {
		mhi_lapic_timer_stop(v);
		l->reg[LAPIC_TIMER_INIT] = 0;
	}
	mhi_store32(&l->reg[LAPIC_LVT + LVT_TIMER], lvt);
}

void mhi_lapic_timer_set_deadline(struct mhi_vcpu *v, u64 tsc)
{
	struct mhi_lapic *l = &v->lapic;

	if (TIMER_MODE(l->reg[LAPIC_LVT + LVT_TIMER]) != MODE_TSC_DEADLINE)
		return;
	if (tsc && guest_tsc(v) < tsc) {
		l->tsc_deadline = tsc;
		arm(v);
		return;
	}
	mhi_lapic_timer_stop(v);
	if (tsc)
		mhi_lapic_lvt_fire(v, LVT_TIMER);
}

/* Rounds up: the register reads 0 only when the time is over. */
u32 mhi_lapic_timer_current(struct mhi_vcpu *v)
{
	const struct mhi_lapic *l = &v->lapic;
	unsigned int shift = div_shift(l);
	u64 now = guest_tsc(v), counts;

	if (TIMER_MODE(l->reg[LAPIC_LVT + LVT_TIMER]) == MODE_TSC_DEADLINE)
		return 0;
	if (expired(v, now))
		expire(v, now);
	if (!l->tsc_deadline)
		return 0;
	counts = tsc_to_counts(v, l->tsc_deadline - now, ticks_per_ms(v) - 1);
	return (u32)((counts + MHI_BIT(shift) - 1) >> shift);
}

u64 mhi_lapic_timer_deadline(struct mhi_vcpu *v)
{
	u64 now = guest_tsc(v);

	if (TIMER_MODE(v->lapic.reg[LAPIC_LVT + LVT_TIMER]) != MODE_TSC_DEADLINE)
		return 0;
	if (expired(v, now))
		expire(v, now);
	return v->lapic.tsc_deadline;
}
