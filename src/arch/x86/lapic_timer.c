// SPDX-License-Identifier: (GPL-2.0 OR MIT)
/* The local APIC's timer: SDM 3A 11.5.4 "APIC Timer". Everything is kept in guest TSC. */
#include "arch/x86/lapic_int.h"
#include "base/ratio.h"
#include "x86_insn.h"

#define TIMER_MODE(lvt) (((lvt) >> 17) & 3)
/* Ticks of the host's TSC that pass while a thread falls asleep and wakes: about a microsecond. */
#define NEAR_TICKS 4096
enum { MODE_ONE_SHOT, MODE_PERIODIC, MODE_TSC_DEADLINE };

u64 mhi_guest_tsc(const struct mhi_vm *vm)
{
	u64 tsc = mhi_rdtsc(), ratio = mhi_load64(&vm->tsc_ratio);

	if (ratio)
		tsc = mhi_ratio_scale(tsc, ratio, vm->caps.tsc_shift);
	return tsc + mhi_load64(&vm->tsc_offset);
}

static u64 guest_tsc(const struct mhi_vcpu *v)
{
	return mhi_guest_tsc(v->vm);
}

/* In ticks of the host's TSC. */
static u64 until_expiry(const struct mhi_vcpu *v, u64 now)
{
	u64 left = v->lapic.tsc_deadline - now, ratio = mhi_load64(&v->vm->tsc_ratio);

	return ratio ? mhi_ratio_unscale(left, ratio, v->vm->caps.tsc_shift) : left;
}

/*
 * TSC ticks per count, as a shift. SDM 3A 11.5.4, divide configuration: bits 3, 1, 0 are 0 for /2
 * up to 6 for /128, 7 for /1.
 */
static unsigned int tick_shift(const struct mhi_lapic *l)
{
	u32 code = (l->reg[LAPIC_TIMER_DIV] & 3) | (l->reg[LAPIC_TIMER_DIV] >> 1 & 4);

	return MHI_LAPIC_TICK_SHIFT + ((code + 1) & 7);
}

static void arm(struct mhi_vcpu *v, u64 now)
{
	v->lapic.host_timer = true;
	mhi_host_timer_set(v, until_expiry(v, now));
}

void mhi_lapic_timer_stop(struct mhi_vcpu *v)
{
	struct mhi_lapic *l = &v->lapic;

	l->tsc_deadline = 0;
	if (l->host_timer)
		mhi_host_timer_cancel(v);
	l->host_timer = false;
}

static void start(struct mhi_vcpu *v, u32 count)
{
	u64 now = guest_tsc(v);

	v->lapic.tsc_deadline = now + ((u64)count << tick_shift(&v->lapic));
	arm(v, now);
}

static bool expired(const struct mhi_vcpu *v, u64 now)
{
	return v->lapic.tsc_deadline && now >= v->lapic.tsc_deadline;
}

static void expire(struct mhi_vcpu *v, u64 now)
{
	struct mhi_lapic *l = &v->lapic;
	u64 period = (u64)l->reg[LAPIC_TIMER_INIT] << tick_shift(l);

	if (TIMER_MODE(l->reg[LAPIC_LVT + LVT_TIMER]) == MODE_PERIODIC && period) {
		/* Expiries that were missed are one interrupt. */
		l->tsc_deadline += ((now - l->tsc_deadline) / period + 1) * period;
		arm(v, now);
	} else {
		mhi_lapic_timer_stop(v);
	}
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

	if (!(mhi_fetch_and32(&l->signals, ~MHI_SIG_TIMER) & MHI_SIG_TIMER))
		return;
	l->host_timer = false;
	now = guest_tsc(v);
	if (expired(v, now))
		expire(v, now);
	else if (l->tsc_deadline) /* the host's clock ran early, or this was an older deadline's */
		arm(v, now);
}

void mhi_lapic_timer_near(struct mhi_vcpu *v)
{
	u64 now = guest_tsc(v);
	unsigned int looks = NEAR_TICKS / 16;

	/*
	 * Asked each time and not for ever: the TSC goes past 2^64 - 1, guests and users set it at
	 * will, and at its lowest rate it stands still for a day.
	 */
	for (; v->lapic.tsc_deadline && until_expiry(v, now) < NEAR_TICKS && looks;
	     now = guest_tsc(v), looks--) {
		if (mhi_lapic_has_work(v))
			return;
		mhi_pause();
	}
	if (expired(v, now))
		expire(v, now);
}

void mhi_lapic_timer_set_init(struct mhi_vcpu *v, u32 init)
{
	struct mhi_lapic *l = &v->lapic;

	if (TIMER_MODE(l->reg[LAPIC_LVT + LVT_TIMER]) == MODE_TSC_DEADLINE)
		return;
	l->reg[LAPIC_TIMER_INIT] = init;
	if (init)
		start(v, init);
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
		start(v, left);
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
	u64 now = guest_tsc(v);

	if (TIMER_MODE(l->reg[LAPIC_LVT + LVT_TIMER]) != MODE_TSC_DEADLINE)
		return;
	if (tsc && now < tsc) {
		l->tsc_deadline = tsc;
		arm(v, now);
		return;
	}
	mhi_lapic_timer_stop(v);
	if (tsc)
		mhi_lapic_lvt_fire(v, LVT_TIMER);
}

/* When the timer expires, at `now` or later; 0: not at all, or the mode is the other one. */
static u64 deadline(struct mhi_vcpu *v, u64 now, bool tsc_mode)
{
	struct mhi_lapic *l = &v->lapic;

	if ((TIMER_MODE(l->reg[LAPIC_LVT + LVT_TIMER]) == MODE_TSC_DEADLINE) != tsc_mode)
		return 0;
	if (expired(v, now))
		expire(v, now);
	return l->tsc_deadline;
}

/* Rounds up: the register reads 0 only when the time is over. */
u32 mhi_lapic_timer_current(struct mhi_vcpu *v)
{
	unsigned int shift = tick_shift(&v->lapic);
	u64 now = guest_tsc(v), end = deadline(v, now, false);

	return end ? (u32)((end - now + MHI_BIT(shift) - 1) >> shift) : 0;
}

u64 mhi_lapic_timer_deadline(struct mhi_vcpu *v)
{
	return deadline(v, guest_tsc(v), true);
}
