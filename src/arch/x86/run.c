// SPDX-License-Identifier: (GPL-2.0 OR MIT)
/* The only run loop: sections of guest execution, events between entries, and waiting states. */
#include "arch/x86/run.h"
#include "arch/x86/msr.h"
#include "arch/x86/reset.h"
#include "arch/x86/spec.h"
#include "base/atomic.h"
#include "base/x86.h"
#include "x86_insn.h"

int mhi_vcpu_init(struct mhi_vcpu *v)
{
	int err = v->vm->ops->vcpu_init(v);

	if (err)
		return err;
	mhi_reset_state(&v->commit_state, v->apic_id == 0);
	v->commit = MHK_G_ALL & ~MHK_G_FPU;
	v->xcr0 = MHI_XCR0_X87;
	v->mp_state = v->commit_state.mp_state;
	v->code_page.linear = MHI_NO_PAGE;
	mhi_lapic_reset(v, false);
	return 0;
}

void mhi_vcpu_fini(struct mhi_vcpu *v)
{
	mhi_lapic_timer_stop(v);
	v->vm->ops->vcpu_fini(v);
}

/* Load what user space (or a reset) wants loaded. */
static void commit(struct mhi_vcpu *v)
{
	const struct mhk_state *s = &v->commit_state;
	u32 groups = v->commit;

	v->commit = 0;
	v->vm->ops->state_set(v, groups, s);
	if (groups & MHK_G_MSR)
		mhi_msrs_set(v, s);
	if (groups & MHK_G_CR) {
		v->xcr0 = s->xcr0;
		mhi_lapic_set_cr8(v, s->cr8);
		v->flush = true;
	}
	if (groups & MHK_G_MISC) {
		v->mp_state = s->mp_state;
		/* Who sets HALTED wants the vCPU to wait for any interrupt. */
		v->halt_irqs = true;
	}
}

static void provide(struct mhi_vcpu *v, u32 groups, struct mhk_state *out)
{
	v->vm->ops->state_get(v, groups, out);
	if (groups & MHK_G_MSR)
		mhi_msrs_get(v, out);
	if (groups & MHK_G_CR) {
		out->cr8 = mhi_lapic_cr8(&v->lapic);
		out->xcr0 = v->xcr0;
	}
	if (groups & MHK_G_MISC)
		out->mp_state = v->mp_state;
}

/*
 * INIT keeps memory, FPU and MSRs; the rest is as after RESET, waiting for SIPI: SDM 3A 9.4
 * "Multiple-Processor Initialization".
 */
static void take_init(struct mhi_vcpu *v)
{
	mhi_reset_state(&v->commit_state, v->apic_id == 0);
	v->commit_state.xcr0 = v->xcr0;
	v->commit = MHK_G_ALL & ~(MHK_G_FPU | MHK_G_MSR);
	v->event = 0;
	v->nmi_pending = false;
	v->pending = MHI_PEND_NONE;
	mhi_lapic_reset(v, true);
	commit(v);
}

static void take_sipi(struct mhi_vcpu *v)
{
	if (v->mp_state != MHK_MP_WAIT_SIPI)
		return;
	mhi_sipi_state(&v->commit_state, mhi_load32(&v->lapic.sipi_vector));
	v->commit = MHK_G_RIP | MHK_G_SEG | MHK_G_MISC;
	commit(v);
}

static void take_signals(struct mhi_vcpu *v)
{
	u32 taken = mhi_fetch_and32(&v->lapic.signals, MHI_SIG_TIMER);

	if (taken & MHI_SIG_INIT) {
		take_init(v);
		/* An NMI that waited for the CPU is lost with its old state. */
		taken &= ~MHI_SIG_NMI;
	}
	if (taken & MHI_SIG_SIPI)
		take_sipi(v);
	if (taken & MHI_SIG_NMI)
		v->nmi_pending = true;
	if (taken & MHI_SIG_TIMER)
		mhi_lapic_timer_sync(v);
}

/*
 * Out of HLT, by what has been taken. A signal that came since must be taken before it can end a
 * wait: mhi_wait_over sees it, and the next section takes it.
 */
static bool leave_halt(struct mhi_vcpu *v, int vector)
{
	if (v->mp_state != MHK_MP_HALTED)
		return false;
	if (!v->nmi_pending && !(v->halt_irqs && vector >= 0))
		return false;
	v->mp_state = MHK_MP_RUNNABLE;
	return true;
}

/*
 * Between two entries: signals, wake-up, TLB flush, interrupt. True when the guest may be entered.
 */
static bool prepare(struct mhi_vcpu *v)
{
	u32 gen;

	if (mhi_load32(&v->lapic.signals))
		take_signals(v);
	v->irq = v->debug & MHK_DEBUG_STEP ? -1 : mhi_lapic_pending(v);
	if (v->mp_state != MHK_MP_RUNNABLE && !leave_halt(v, v->irq))
		return false;
	/*
	 * Paired with the bump after entries were removed; whoever bumps then interrupts running
	 * sections.
	 */
	gen = mhi_load32(&v->vm->flush_gen);
	if (gen != v->flush_seen) {
		v->flush_seen = gen;
		v->flush = true;
	}
	return true;
}

static enum mhi_run run_entries(struct mhi_vcpu *v)
{
	struct mhi_exit x;
	enum mhi_run r;

	do {
		if (!prepare(v))
			return MHI_RUN_WAIT;
		if (mhi_host_wants_out(v))
			return MHI_RUN_HOST;
		if (v->event && mhi_exit_debug(v))
			return MHI_RUN_USER;
		v->told = false;
		v->vm->ops->enter(v, &x);
		v->stats.entries++;
		if (v->irq_taken) {
			v->irq_taken = false;
			v->stats.interrupts++;
			mhi_lapic_accept(v, (unsigned int)v->irq);
		}
		r = mhi_exit_handle(v, &x);
	} while (r == MHI_RUN_AGAIN);
	return r;
}

static int begin(struct mhi_vcpu *v, struct mhi_exit *x)
{
	int err;

	x->raw = 0;
	x->raw_info[0] = x->raw_info[1] = 0;
	err = v->vm->ops->load(v, x);
	if (err)
		return err;
	if (v->commit)
		commit(v);
	return 0;
}

/* XCR0 is switched here, so that the host saves and restores the FPU under its own. */
static void switch_xcr0(u64 from, u64 to)
{
	if (from != to)
		mhi_xsetbv0(to);
}

enum mhi_run mhi_run_section(struct mhi_vcpu *v, u32 wanted, struct mhk_state *out, u32 *valid)
{
	struct mhi_exit x;
	enum mhi_run r;

	*valid = 0;
	if (begin(v, &x)) {
		x.reason = MHI_X_ENTRY_FAILED;
		return mhi_exit_to_user(v, &x, MHK_EXIT_ENTRY_FAILED, 0);
	}
	if (v->pending != MHI_PEND_NONE)
		mhi_exit_complete(v);
	switch_xcr0(v->host_xcr0, v->xcr0);
	if (v->vm->barriers)
		mhi_spec_begin(v);
	r = run_entries(v);
	mhi_xcr0_look(v);
	switch_xcr0(v->xcr0, v->host_xcr0);
	if (r == MHI_RUN_USER) {
		*valid = wanted | v->provide;
		if (*valid)
			provide(v, *valid, out);
	}
	v->vm->ops->put(v);
	return r;
}

int mhi_run_get(struct mhi_vcpu *v, u32 groups, struct mhk_state *out)
{
	struct mhi_exit x;
	int err = begin(v, &x);

	if (err)
		return err;
	provide(v, groups, out);
	v->vm->ops->put(v);
	return 0;
}

bool mhi_wait_over(struct mhi_vcpu *v)
{
	u32 signals = mhi_load32(&v->lapic.signals);

	if (v->mp_state == MHK_MP_RUNNABLE)
		return true;
	if (v->mp_state == MHK_MP_WAIT_SIPI)
		return (signals & (MHI_SIG_INIT | MHI_SIG_SIPI)) != 0;
	if (signals & (MHI_SIG_INIT | MHI_SIG_NMI) || v->nmi_pending)
		return true;
	return v->halt_irqs && mhi_lapic_has_work(v);
}
