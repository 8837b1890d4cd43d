// SPDX-License-Identifier: (GPL-2.0 OR MIT)
/*
 * Address space identifiers: each CPU hands them out in order; when they run out a new generation
 * begins, and the first entry in it flushes the CPU's whole TLB. APM 2 15.16 "TLB Control".
 */
#include "arch/x86/svm/svm.h"

#define ASID_FIRST 1u /* 0 is the host's */

/* Beyond any CPU's last ASID, so that the next request begins a generation. */
#define ASID_NONE_LEFT (~0u)

void mhi_svm_asid_reset(struct mhi_cpu *cpu)
{
	cpu->asid_gen++; /* what vCPUs hold from before is void */
	cpu->asid_next = ASID_NONE_LEFT;
}

static void take_new(struct mhi_vcpu *v, struct svm_vcpu *svm)
{
	struct mhi_cpu *cpu = v->cpu;

	if (cpu->asid_next >= v->vm->caps.asids) {
		cpu->asid_gen++;
		cpu->asid_next = ASID_FIRST;
		svm->vmcb->control.tlb_control = MHI_SVM_TLB_FLUSH_ALL;
	}
	svm->asid = cpu->asid_next++;
	svm->asid_gen = cpu->asid_gen;
	svm->vmcb->control.guest_asid = svm->asid;
	mhi_vmcb_dirty(svm->vmcb, MHI_SVM_CLEAN_ASID);
}

void mhi_svm_asid_prepare(struct mhi_vcpu *v)
{
	struct svm_vcpu *svm = svm_of(v);

	if (!svm->asid || svm->asid_gen != v->cpu->asid_gen) {
		take_new(v, svm);
	} else if (v->flush) {
		if (svm_has(v, MHK_F_FLUSH_BY_ASID))
			svm->vmcb->control.tlb_control = MHI_SVM_TLB_FLUSH_ASID;
		else
			take_new(v, svm);
	}
	v->flush = false;
}
