/* SPDX-License-Identifier: MIT */
/* Whole states in and out of a back end: its groups, and MHK_G_MSR as the run loop does it. */
#ifndef HV_STATE_H
#define HV_STATE_H

#include "arch/x86/hv.h"
#include "arch/x86/reset.h"
#include "base/x86.h"

static inline void hv_state_get(struct mhi_vcpu *v, u32 groups, struct mhk_state *s)
{
	const struct mhi_hv_ops *ops = v->vm->ops;

	ops->state_get(v, groups, s);
	if (!(groups & MHK_G_MSR))
		return;
	s->star = ops->msr_get(v, MHI_MSR_STAR);
	s->lstar = ops->msr_get(v, MHI_MSR_LSTAR);
	s->cstar = ops->msr_get(v, MHI_MSR_CSTAR);
	s->sfmask = ops->msr_get(v, MHI_MSR_SFMASK);
	s->kernel_gs_base = ops->msr_get(v, MHI_MSR_KERNEL_GS_BASE);
	s->sysenter_cs = ops->msr_get(v, MHI_MSR_SYSENTER_CS);
	s->sysenter_esp = ops->msr_get(v, MHI_MSR_SYSENTER_ESP);
	s->sysenter_eip = ops->msr_get(v, MHI_MSR_SYSENTER_EIP);
	s->pat = ops->msr_get(v, MHI_MSR_PAT);
	s->tsc_aux = ops->msr_get(v, MHI_MSR_TSC_AUX);
}

static inline void hv_state_set(struct mhi_vcpu *v, u32 groups, const struct mhk_state *s)
{
	const struct mhi_hv_ops *ops = v->vm->ops;

	ops->state_set(v, groups, s);
	if (!(groups & MHK_G_MSR))
		return;
	ops->msr_set(v, MHI_MSR_STAR, s->star);
	ops->msr_set(v, MHI_MSR_LSTAR, s->lstar);
	ops->msr_set(v, MHI_MSR_CSTAR, s->cstar);
	ops->msr_set(v, MHI_MSR_SFMASK, s->sfmask);
	ops->msr_set(v, MHI_MSR_KERNEL_GS_BASE, s->kernel_gs_base);
	ops->msr_set(v, MHI_MSR_SYSENTER_CS, s->sysenter_cs);
	ops->msr_set(v, MHI_MSR_SYSENTER_ESP, s->sysenter_esp);
	ops->msr_set(v, MHI_MSR_SYSENTER_EIP, s->sysenter_eip);
	ops->msr_set(v, MHI_MSR_PAT, s->pat);
	ops->msr_set(v, MHI_MSR_TSC_AUX, s->tsc_aux);
}

/* What the run loop loads into a new vCPU in its first section. */
static inline void hv_reset(struct mhi_vcpu *v)
{
	struct mhk_state s;

	mhi_reset_state(&s, true);
	hv_state_set(v, MHK_G_ALL & ~MHK_G_FPU, &s);
	v->irq = -1;
}

#endif
