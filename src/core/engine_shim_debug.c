// SPDX-License-Identifier: MIT
/*
 * A debugger outside the guest, over our own module: the kernel only lets exceptions out. That the
 * guest steps (RFLAGS.TF) and stops (DR0-3, DR7) is state like any other, and what it must not see
 * of that is kept here.
 */
#include "core/engine_shim.h"

#include <cpuid.h>
#include <string.h>

#include "base/x86.h"
#include "core/err.h"

#define INT3 0xccu
#define INT3_BYTES 1u
/* PUSH ES, which 64-bit code does not have: #UD. */
#define UNDEFINED_64 0x06u
#define DR7_GD MHI_BIT(13)
#define DR7_SETTABLE 0xffff23ffull
#define DR6_BD MHI_BIT(13)
#define DR6_CAUSES (MHI_DR6_BREAKPOINTS | MHI_DR6_BS | DR6_BD)

/*
 * QEMU's own SVM (TCG) takes INT3 for an INTn, which no exception's intercept sees. It signs as
 * "TCGTCGTCGTCG".
 */
static bool on_tcg(void)
{
	u32 a, b = 0, c, d;

	__cpuid(0x40000000, a, b, c, d);
	return b == 0x54474354 && c == 0x43544743 && d == 0x47435447;
}

u8 mhi_shim_break_insn(bool code64)
{
	return code64 && on_tcg() ? UNDEFINED_64 : INT3;
}

static bool has_points(const struct mhi_shim_debug *d)
{
	return (d->want.dr7 & MHI_DR7_ENABLES) != 0;
}

/*
 * The registers in the CPU: the debugger's, if it has any, else the guest's. DR6 always begins
 * empty, so that what is in it later is the cause.
 */
static void put_registers(struct mhi_eng_vcpu *v)
{
	const struct mhi_shim_debug *d = &v->debug;
	struct mhk_run *page = v->page;

	memcpy(page->state.dr, has_points(d) ? d->want.dr : d->dr, sizeof(page->state.dr));
	page->state.dr7 = has_points(d) ? d->want.dr7 : d->dr[7];
	page->state.dr6 = d->dr[6];
	if (d->on) {
		page->state.dr7 &= ~DR7_GD;
		page->state.dr6 = MHI_DR6_RESET;
	}
	page->user.commit |= MHK_G_DR;
}

static void keep_registers(struct mhi_eng_vcpu *v)
{
	struct mhi_shim_debug *d = &v->debug;
	const struct mhk_state *s = &v->page->state;

	memcpy(d->dr, s->dr, sizeof(s->dr));
	d->dr[6] = s->dr6;
	d->dr[7] = s->dr7;
}

/* ---- the trap flag ---- */

static void set_trap(struct mhi_eng_vcpu *v)
{
	struct mhk_run *page = v->page;

	v->debug.trap = !(page->state.rflags & MHI_RFLAGS_TF);
	page->state.rflags |= MHI_RFLAGS_TF;
	/* Under an interrupt's shadow the trap would come a step too late, or at once. */
	page->state.shadow &= ~MHK_SHADOW_STI;
	if (page->state.mp_state == MHK_MP_HALTED)
		page->state.mp_state = MHK_MP_RUNNABLE;
	page->user.commit |= MHK_G_RIP | MHK_G_MISC;
}

static void clear_trap(struct mhi_eng_vcpu *v)
{
	v->debug.trap = false;
	v->page->state.rflags &= ~MHI_RFLAGS_TF;
	v->page->user.commit |= MHK_G_RIP;
}

int mhi_shim_debug(struct mhi_eng_vcpu *v, const struct mhi_eng_debug *want)
{
	const u32 needs = MHK_G_RIP | MHK_G_MISC | MHK_G_DR;
	struct mhi_shim_debug *d = &v->debug;
	struct mhk_run *page = v->page;
	u32 missing = needs & ~page->user.commit;

	if (!want->on && !d->on)
		return 0;
	if (missing && mhi_shim_get(v, missing))
		return MH_EIO;
	if (!d->on)
		keep_registers(v);
	if (d->trap) {
		d->stray = true;
		clear_trap(v);
	}
	d->want = *want;
	d->on = want->on;
	put_registers(v);
	page->user.debug = 0;
	if (!want->on)
		return 0;
	page->user.debug = MHK_DEBUG_DB | MHK_DEBUG_BP;
	if (mhi_shim_break_insn(true) != INT3)
		page->user.debug |= MHK_DEBUG_UD;
	if (want->step && page->state.mp_state != MHK_MP_WAIT_SIPI) {
		page->user.debug |= MHK_DEBUG_STEP;
		set_trap(v);
	}
	return 0;
}

void mhi_shim_debug_register(struct mhi_eng_vcpu *v, u32 nr, bool write, u64 *value)
{
	u64 *dr = &v->debug.dr[nr & 7];

	if (!write) {
		*value = *dr;
		return;
	}
	/* Bits that are always set, or never: SDM 3B 17.2 "Debug Registers". */
	*dr = nr == 6	? (*value & DR6_CAUSES) | MHI_DR6_RESET
	      : nr == 7 ? (*value & DR7_SETTABLE) | MHI_DR7_RESET
			: *value;
	put_registers(v);
}

/* ---- exits ---- */

static void give_to_guest(struct mhi_eng_vcpu *v, u32 vector)
{
	v->page->user.inject = MHI_INJECT(vector);
	v->debug.passed = true;
}

void mhi_shim_debug_pass(struct mhi_eng_vcpu *v)
{
	struct mhk_run *page = v->page;
	u32 vector = page->exit.u.eoi.vector;

	/* INT3's handler returns behind it. */
	if (vector == MHI_VEC_BP) {
		page->state.rip += INT3_BYTES;
		page->user.commit |= MHK_G_RIP;
	}
	give_to_guest(v, vector);
}

/* A #DB: the debugger's, or the guest's own, or nobody's. */
static void on_db(struct mhi_eng_vcpu *v)
{
	struct mhi_shim_debug *d = &v->debug;
	struct mhk_run *page = v->page;
	u64 causes = page->state.dr6 & DR6_CAUSES;
	bool points = has_points(d) && (causes & MHI_DR6_BREAKPOINTS);
	bool step = d->want.step && (causes & MHI_DR6_BS);

	/* Bochs's SVM does not say why. */
	if (!causes)
		step = d->want.step, points = !step && has_points(d);
	page->exit.raw_info[0] =
		(points ? causes & MHI_DR6_BREAKPOINTS : 0) | (step ? MHI_DR6_BS : 0);
	if (step && d->trap)
		clear_trap(v);
	put_registers(v);
	if (points || step)
		return;
	page->exit.reason = MHK_EXIT_NONE;
	if (d->stray && (causes & MHI_DR6_BS)) {
		d->stray = false;
		clear_trap(v);
		return;
	}
	d->dr[6] = (d->dr[6] & ~MHI_DR6_BREAKPOINTS) | causes;
	give_to_guest(v, MHI_VEC_DB);
}

/* The library's own emulation of an instruction has ended under TF: as if the CPU had trapped. */
bool mhi_shim_debug_before(struct mhi_eng_vcpu *v)
{
	struct mhi_shim_debug *d = &v->debug;
	struct mhk_run *page = v->page;
	bool emulated = page->user.inject == MHI_INJECT(MHI_VEC_DB) && !d->passed;

	d->passed = false;
	if (!emulated)
		return false;
	page->user.inject = 0;
	memset(&page->exit, 0, sizeof(page->exit));
	page->exit.reason = MHK_EXIT_DEBUG;
	page->exit.u.eoi.vector = MHI_VEC_DB;
	on_db(v);
	return true;
}

void mhi_shim_debug_after(struct mhi_eng_vcpu *v)
{
	if (v->page->exit.reason == MHK_EXIT_DEBUG && v->page->exit.u.eoi.vector == MHI_VEC_DB)
		on_db(v);
}
