// SPDX-License-Identifier: (GPL-2.0 OR MIT)
/*
 * Events into the guest, what an exit interrupted, and the blocking of NMIs, which SVM leaves to
 * software. APM 2 15.20 "Event Injection", 15.21 "Interrupt and Local APIC Support".
 *
 * External interrupts go through V_IRQ: the CPU takes it when the guest opens. A guest that is
 * open already gets them by EVENTINJ, as Bochs looks at V_IRQ only when the guest changes IF;
 * not so in QEMU, which may deliver what EVENTINJ brought a second time.
 */
#include "arch/x86/svm/svm.h"

#define FIRST_IRQ_VECTOR 32u

void mhi_svm_nmi_set(struct mhi_vcpu *v, bool masked)
{
	struct svm_vcpu *svm = svm_of(v);
	struct mhi_vmcb *vmcb = svm->vmcb;

	svm->nmi = masked ? SVM_NMI_MASKED : SVM_NMI_OPEN;
	if (masked)
		vmcb->control.intercept_misc1 |= SVM_INTERCEPT(IRET);
	else
		vmcb->control.intercept_misc1 &= ~SVM_INTERCEPT(IRET);
	mhi_vmcb_dirty(vmcb, MHI_SVM_CLEAN_I);
}

static u32 next_event(struct mhi_vcpu *v, struct svm_vcpu *svm)
{
	u32 event = v->event & MHI_EVENT_FIELDS;

	v->event = 0;
	if (event & MHI_EVENT_VALID)
		return event;
	if (!v->nmi_pending || svm->nmi != SVM_NMI_OPEN)
		return 0;
	v->nmi_pending = false;
	return MHI_EVENT_VALID | MHI_EVENT_NMI << 8 | MHI_VEC_NMI;
}

static bool guest_is_open(const struct mhi_vmcb *vmcb)
{
	return vmcb->state.rflags & MHI_RFLAGS_IF &&
	       !(vmcb->control.interrupt_shadow & MHI_SVM_SHADOW);
}

/* Places the offered interrupt; returns it as an event when it can go in at once, else `event`. */
static u32 place_irq(struct mhi_vcpu *v, struct svm_vcpu *svm, u32 event)
{
	struct mhi_vmcb *vmcb = svm->vmcb;

	/* While stepping over an IRET: the interrupt's handler would find our TF in the flags. */
	if (v->irq < 0 || svm->nmi == SVM_NMI_STEPPING)
		return event;
	if (!event && svm->irq_by_event && guest_is_open(vmcb)) {
		svm->irq_way = SVM_IRQ_EVENT;
		return MHI_EVENT_VALID | MHI_EVENT_EXTERNAL << 8 | (v->irq & 0xff);
	}
	svm->irq_way = SVM_IRQ_VIRTUAL;
	vmcb->control.virtual_intr |= MHI_SVM_V_IRQ | MHI_SVM_V_INTR_VECTOR(v->irq & 0xff);
	mhi_vmcb_dirty(vmcb, MHI_SVM_CLEAN_TPR);
	return event;
}

void mhi_svm_event_inject(struct mhi_vcpu *v)
{
	struct svm_vcpu *svm = svm_of(v);
	struct mhi_vmcb *vmcb = svm->vmcb;
	u64 error = v->event_error;
	u32 event = place_irq(v, svm, next_event(v, svm));

	svm->injected = event;
	if (!event)
		return;
	if (MHI_EVENT_TYPE(event) == MHI_EVENT_NMI)
		mhi_svm_nmi_set(v, true);
	if (MHI_EVENT_TYPE(event) == MHI_EVENT_SOFT) {
		/*
		 * The handler returns behind the instruction: APM 2 15.20. Both kinds of CPU find
		 * it there.
		 */
		vmcb->state.rip += v->event_len;
		vmcb->control.next_rip = vmcb->state.rip;
		v->event_len = 0;
	}
	vmcb->control.event_inject = event;
	if (event & MHI_EVENT_ERROR)
		vmcb->control.event_inject |= error << 32;
}

/*
 * An event whose delivery the exit interrupted: give it back, unless executing again will raise
 * it anyway.
 */
static void interrupted(struct mhi_vcpu *v, struct svm_vcpu *svm, u64 info)
{
	u32 event = (u32)info & MHI_EVENT_FIELDS;
	u32 vector = MHI_EVENT_VECTOR(event);
	bool ours = (svm->injected & 0x7ffu) == (event & 0x7ffu) && svm->injected;

	switch (MHI_EVENT_TYPE(event)) {
	case MHI_EVENT_EXTERNAL:
		v->irq_taken = false; /* it is in IRR still and will be offered again */
		return;
	case MHI_EVENT_NMI:
		mhi_svm_nmi_set(v, false);
		v->nmi_pending = true;
		return;
	case MHI_EVENT_EXCEPTION:
		if (vector >= FIRST_IRQ_VECTOR) {
			v->irq_taken = false; /* QEMU 7.2 says so of external interrupts */
			return;
		}
		if (!ours && (vector == MHI_VEC_BP || vector == MHI_VEC_OF))
			return; /* RIP is still at INT3 or INTO */
		break;
	default:
		if (!ours)
			return; /* RIP is still at INTn */
		break;
	}
	v->event = event;
	v->event_error = (u32)(info >> 32);
}

void mhi_svm_event_collect(struct mhi_vcpu *v)
{
	struct svm_vcpu *svm = svm_of(v);
	struct mhi_vmcb_control *c = &svm->vmcb->control;
	u64 info = c->exit_int_info;

	c->event_inject = 0;
	if (mhi_svm_refused(c->exit_code)) {
		/* It may have been the event that was refused: it must not come again. */
		if (MHI_EVENT_TYPE(svm->injected) == MHI_EVENT_NMI)
			mhi_svm_nmi_set(v, false);
		return;
	}
	v->irq_taken = svm->irq_way == SVM_IRQ_EVENT ||
		       (svm->irq_way == SVM_IRQ_VIRTUAL && !(c->virtual_intr & MHI_SVM_V_IRQ));
	if (info & MHI_EVENT_VALID)
		interrupted(v, svm, info);
}

/* NMIs open when the IRET has been executed, not before it: let it run alone, with TF set. */
static void step_begin(struct svm_vcpu *svm)
{
	struct mhi_vmcb *vmcb = svm->vmcb;

	svm->nmi = SVM_NMI_STEPPING;
	svm->step_rip = vmcb->state.rip;
	svm->step_dr6 = vmcb->state.dr6;
	svm->step_guest_tf = vmcb->state.rflags & MHI_RFLAGS_TF;
	vmcb->state.rflags |= MHI_RFLAGS_TF;
	vmcb->control.intercept_misc1 &= ~SVM_INTERCEPT(IRET);
	mhi_vmcb_dirty(vmcb, MHI_SVM_CLEAN_I);
}

/* The step's own #DB is ours to swallow; a breakpoint or the guest's own single step is not. */
static bool step_end(struct mhi_vcpu *v, struct svm_vcpu *svm)
{
	struct mhi_vmcb *vmcb = svm->vmcb;
	bool db = vmcb->control.exit_code == MHI_SVM_X_EXCP_DB;

	if (!db && vmcb->state.rip == svm->step_rip)
		return false; /* not executed yet */
	mhi_svm_nmi_set(v, false);
	if (!db || svm->step_guest_tf)
		return false;
	if (!(vmcb->state.dr6 & MHI_DR6_BREAKPOINTS)) {
		vmcb->state.dr6 = svm->step_dr6;
		mhi_vmcb_dirty(vmcb, MHI_SVM_CLEAN_DRX);
		return true;
	}
	vmcb->state.dr6 &= ~MHI_DR6_BS;
	mhi_vmcb_dirty(vmcb, MHI_SVM_CLEAN_DRX);
	return false;
}

bool mhi_svm_nmi_exit(struct mhi_vcpu *v)
{
	struct svm_vcpu *svm = svm_of(v);

	switch (svm->nmi) {
	case SVM_NMI_OPEN:
		return false;
	case SVM_NMI_MASKED:
		if (svm->vmcb->control.exit_code != MHI_SVM_X_IRET)
			return false;
		step_begin(svm);
		return true;
	case SVM_NMI_STEPPING:
		return step_end(v, svm);
	}
	return false;
}
