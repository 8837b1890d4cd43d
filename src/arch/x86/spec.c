// SPDX-License-Identifier: (GPL-2.0 OR MIT)
/* Barriers against speculation between guests, and between the host's data and a guest. */
#include "arch/x86/spec.h"
#include "x86_insn.h"

#define COMMAND 1u

void mhi_spec_begin(struct mhi_vcpu *v)
{
	u64 self = v->vm->id * MHK_MAX_VCPUS + v->apic_id;
	u64 last = v->cpu->last_vcpu;

	v->cpu->last_vcpu = self;
	if (v->vm->barriers & MHK_BARRIER_IBPB && last && last != self)
		mhi_wrmsr(MHI_MSR_PRED_CMD, COMMAND);
	/*
	 * Each section: before it the host ran, be it only an interrupt. Exits that the shim
	 * handles within one touch the guest's own data.
	 */
	if (v->vm->barriers & MHK_BARRIER_L1D)
		mhi_wrmsr(MHI_MSR_FLUSH_CMD, COMMAND);
}
