// SPDX-License-Identifier: (GPL-2.0 OR MIT)
/* The borders of a section: host state that VMRUN does not switch, debug registers, TSC offset. */
#include "arch/x86/svm/svm.h"
#include "base/atomic.h"
#include "svm_insn.h"
#include "x86_insn.h"

void mhi_svm_dr_intercept(struct mhi_vcpu *v, bool on)
{
	struct mhi_vmcb *vmcb = svm_of(v)->vmcb;

	vmcb->control.intercept_dr = on ? MHI_SVM_ALL_DR : 0;
	mhi_vmcb_dirty(vmcb, MHI_SVM_CLEAN_I);
}

/* DR7 is cleared by every exit, DR6 is left as the guest had it: APM 2 15.6 "#VMEXIT". */
static void dr_put(struct mhi_vcpu *v, struct svm_vcpu *svm)
{
	if (v->dr_live) {
		mhi_dr_unload(v);
		mhi_svm_dr_intercept(v, true);
	} else if (!(v->host_dr7 & MHI_DR7_ENABLES) && svm->vmcb->state.dr6 == MHI_DR6_RESET) {
		return;
	}
	mhi_write_dr(6, MHI_DR6_RESET);
	mhi_write_dr(7, v->host_dr7);
}

int mhi_svm_load(struct mhi_vcpu *v, struct mhi_exit *x)
{
	u64 ratio = mhi_load64(&v->vm->tsc_ratio);
	struct svm_vcpu *svm = svm_of(v);
	struct mhi_vmcb *vmcb = svm->vmcb;

	if (!v->cpu->on)
		return MHI_EBUSY;
	if (svm->cpu_id != v->cpu->id) {
		/* Its ASID and what the CPU may have cached of the VMCB are the other CPU's. */
		svm->cpu_id = v->cpu->id;
		svm->asid = 0;
		vmcb->control.vmcb_clean = 0;
	}
	mhi_vmsave(svm->host_pa);
	if (vmcb->control.tsc_offset != v->vm->tsc_offset) {
		vmcb->control.tsc_offset = v->vm->tsc_offset;
		mhi_vmcb_dirty(vmcb, MHI_SVM_CLEAN_I);
	}
	mhi_svm_tsc_ratio_set(v->cpu, ratio ? ratio : MHI_TSC_RATIO_ONE);
	if (vmcb->control.intercept_exceptions != MHI_EXCEPTIONS(v)) {
		vmcb->control.intercept_exceptions = MHI_EXCEPTIONS(v);
		mhi_vmcb_dirty(vmcb, MHI_SVM_CLEAN_I);
	}
	/*
	 * VMRUN loads it, but not Bochs's. The host's own is of no worth outside a fault handler.
	 */
	if (mhi_read_cr2() != vmcb->state.cr2)
		mhi_write_cr2(vmcb->state.cr2);
	if (svm->host_xss)
		mhi_wrmsr(MHI_MSR_XSS, 0);
	mhi_tsc_aux_switch(v, v->cpu->host_tsc_aux, v->tsc_aux);
	v->host_dr7 = mhi_read_dr(7);
	if (vmcb->state.dr7 & MHI_DR7_ENABLES)
		mhi_dr_live(v);
	return 0;
}

void mhi_svm_put(struct mhi_vcpu *v)
{
	struct svm_vcpu *svm = svm_of(v);

	dr_put(v, svm);
	mhi_tsc_aux_switch(v, v->tsc_aux, v->cpu->host_tsc_aux);
	if (svm->host_xss)
		mhi_wrmsr(MHI_MSR_XSS, svm->host_xss);
}
