// SPDX-License-Identifier: (GPL-2.0 OR MIT)
/* The SVM side of struct mhi_hv_ops: one entry, and the table. */
#include "arch/x86/svm/svm.h"
#include "svm_insn.h"

static void exception_exit(struct mhi_vcpu *v, struct mhi_exit *x)
{
	if (x->vector == MHI_VEC_MC) {
		mhi_raise_mc();
		x->reason = MHI_X_HOST;
		return;
	}
	/* A fault within a delivery: the first event will be raised again by executing again. */
	v->event = 0;
}

static void cr_value(struct mhi_vcpu *v, struct mhi_exit *x)
{
	u64 value = x->cr.gpr == MHK_RSP ? svm_of(v)->vmcb->state.rsp : v->gpr[x->cr.gpr];

	if (!(svm_of(v)->vmcb->state.efer & MHI_EFER_LMA))
		value &= 0xffffffffu;
	x->cr.value = value;
}

static void exit_decode(struct mhi_vcpu *v, struct svm_vcpu *svm, struct mhi_exit *x)
{
	if (mhi_svm_decode(svm->vmcb, svm->features, x))
		mhi_svm_insn_complete(v, x);
	if (svm->nmi != SVM_NMI_OPEN && mhi_svm_nmi_exit(v))
		x->reason = MHI_X_HOST;
	else if (x->reason == MHI_X_CR_WRITE)
		cr_value(v, x);
	else if (x->reason == MHI_X_EXCEPTION)
		exception_exit(v, x);
	else if (x->reason == MHI_X_TRIPLE_FAULT)
		v->event = 0; /* the #DF, "interrupted": not for the reset vCPU */
}

static void svm_enter(struct mhi_vcpu *v, struct mhi_exit *x)
{
	struct svm_vcpu *svm = svm_of(v);
	struct mhi_vmcb *vmcb = svm->vmcb;

	/*
	 * Most entries bring nothing and most exits interrupt nothing: the calls are for the
	 * others.
	 */
	if (v->flush || !svm->asid || svm->asid_gen != v->cpu->asid_gen)
		mhi_svm_asid_prepare(v);
	if (v->rip_dirty) {
		vmcb->state.rip = v->rip;
		v->rip_dirty = false;
	}
	vmcb->state.rax = v->gpr[MHK_RAX];
	svm->injected = 0;
	svm->irq_way = SVM_IRQ_NONE;
	if (svm->irq >= 0 || v->event || v->nmi_pending)
		mhi_svm_event_inject(v);

	mhi_svm_run(v->gpr, svm->vmcb_pa, svm->host_pa);

	vmcb->control.vmcb_clean = svm->clean_mask;
	vmcb->control.tlb_control = MHI_SVM_TLB_NOTHING;
	v->gpr[MHK_RAX] = vmcb->state.rax;
	v->rip = vmcb->state.rip;
	v->irq_taken = false;
	if (svm->injected || svm->irq_way != SVM_IRQ_NONE ||
	    vmcb->control.exit_int_info & MHI_EVENT_VALID)
		mhi_svm_event_collect(v);
	exit_decode(v, svm, x);
}

static void svm_skip(struct mhi_vcpu *v, const struct mhi_exit *x)
{
	struct svm_vcpu *svm = svm_of(v);
	struct mhi_vmcb *vmcb = svm->vmcb;

	v->rip += x->insn_len;
	if (!(vmcb->state.efer & MHI_EFER_LMA) || !(vmcb->state.cs.attrib & MHI_SVM_SEG_L))
		v->rip &= 0xffffffffu;
	v->rip_dirty = true;
	vmcb->control.interrupt_shadow = 0;
	if (!(mhi_svm_rflags(v) & MHI_RFLAGS_TF) || v->event & MHI_EVENT_VALID)
		return;
	vmcb->state.dr6 |= MHI_DR6_BS;
	mhi_vmcb_dirty(vmcb, MHI_SVM_CLEAN_DRX);
	v->event = MHI_EVENT_VALID | MHI_SVM_EVENT_EXCEPTION << 8 | MHI_VEC_DB;
}

const struct mhi_hv_ops mhi_svm_ops = {
	.name = "SVM",
	.vendor = MHK_VENDOR_SVM,
	.probe = mhi_svm_probe,
	.cpu_on = mhi_svm_cpu_on,
	.cpu_off = mhi_svm_cpu_off,
	.vcpu_init = mhi_svm_vcpu_init,
	.vcpu_fini = mhi_svm_vcpu_fini,
	.load = mhi_svm_load,
	.put = mhi_svm_put,
	.state_get = mhi_svm_state_get,
	.state_set = mhi_svm_state_set,
	.irq_offer = mhi_svm_irq_offer,
	.enter = svm_enter,
	.cr_get = mhi_svm_cr_get,
	.cr_set = mhi_svm_cr_set,
	.msr_get = mhi_svm_msr_get,
	.msr_set = mhi_svm_msr_set,
	.skip = svm_skip,
	.cpl = mhi_svm_cpl,
	.rflags = mhi_svm_rflags,
	.dr_live = mhi_svm_dr_live,
};
