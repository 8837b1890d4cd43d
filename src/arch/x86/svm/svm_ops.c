// SPDX-License-Identifier: (GPL-2.0 OR MIT)
/* The SVM side of struct mhi_hv_ops: one entry, and the table. */
#include "arch/x86/svm/svm.h"
#include "svm_insn.h"
#include "x86_insn.h"

/* The exits for which the VMCB is not all that matters. */
#define FOLLOWED_UP \
	(MHI_BIT(MHI_X_CR_WRITE) | MHI_BIT(MHI_X_EXCEPTION) | MHI_BIT(MHI_X_TRIPLE_FAULT))

static void follow_up(struct mhi_vcpu *v, struct mhi_exit *x)
{
	const struct mhi_vmcb_state *st = &svm_of(v)->vmcb->state;

	if (x->reason == MHI_X_CR_WRITE) {
		x->cr.value = x->cr.gpr == MHK_RSP ? st->rsp : v->gpr[x->cr.gpr];
		if (!svm_in_code64(st))
			x->cr.value &= 0xffffffffu;
	} else if (x->reason == MHI_X_EXCEPTION && x->vector == MHI_VEC_MC) {
		mhi_raise_mce();
		x->reason = MHI_X_HOST;
	} else {
		/*
		 * A fault within a delivery: executing again raises the first event again. A triple
		 * fault: the #DF, "interrupted", is not for the reset vCPU.
		 */
		v->event = 0;
	}
}

static void exit_decode(struct mhi_vcpu *v, struct svm_vcpu *svm, struct mhi_exit *x)
{
	const struct svm_kind *unknown = mhi_svm_decode(svm->vmcb, v->vm->caps.features, x);

	if (unknown)
		mhi_svm_insn_complete(v, unknown, x);
	if (svm->nmi != SVM_NMI_OPEN && mhi_svm_nmi_exit(v))
		x->reason = MHI_X_HOST;
	else if (MHI_BIT(x->reason) & FOLLOWED_UP)
		follow_up(v, x);
}

static void svm_enter(struct mhi_vcpu *v, struct mhi_exit *x)
{
	struct svm_vcpu *svm = svm_of(v);
	struct mhi_vmcb *vmcb = svm->vmcb;
	u64 idle;

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
	idle = MHI_SVM_V_IDLE | mhi_lapic_cr8(&v->lapic);
	if (vmcb->control.virtual_intr != idle) {
		vmcb->control.virtual_intr = idle;
		mhi_vmcb_dirty(vmcb, MHI_SVM_CLEAN_TPR);
	}
	svm->injected = 0;
	svm->irq_way = SVM_IRQ_NONE;
	if (v->irq >= 0 || v->event || v->nmi_pending)
		mhi_svm_event_inject(v);

	mhi_svm_run(v->gpr, svm->vmcb_pa, svm->host_pa);

	vmcb->control.vmcb_clean = svm->clean_mask;
	vmcb->control.tlb_control = MHI_SVM_TLB_NOTHING;
	v->gpr[MHK_RAX] = vmcb->state.rax;
	v->rip = vmcb->state.rip;
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
	if (!svm_in_code64(&vmcb->state))
		v->rip &= 0xffffffffu;
	v->rip_dirty = true;
	vmcb->control.interrupt_shadow = 0;
	if (!(mhi_svm_rflags(v) & MHI_RFLAGS_TF) || v->event & MHI_EVENT_VALID)
		return;
	vmcb->state.dr6 |= MHI_DR6_BS;
	mhi_vmcb_dirty(vmcb, MHI_SVM_CLEAN_DRX);
	v->event = MHI_EVENT_VALID | MHI_EVENT_EXCEPTION << 8 | MHI_VEC_DB;
}

const struct mhi_hv_ops mhi_svm_ops = {
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
	.enter = svm_enter,
	.cr_get = mhi_svm_cr_get,
	.cr_set = mhi_svm_cr_set,
	.msr_get = mhi_svm_msr_get,
	.msr_set = mhi_svm_msr_set,
	.skip = svm_skip,
	.cpl = mhi_svm_cpl,
	.rflags = mhi_svm_rflags,
	.code = mhi_svm_code,
	.dr_intercept = mhi_svm_dr_intercept,
};
