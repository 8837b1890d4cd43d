/* SPDX-License-Identifier: MIT */
/*
 * The policy for MSRs that the shim does not serve itself: a table of answers, and what a vCPU
 * stored.
 */
#ifndef MHI_CORE_MSR_H
#define MHI_CORE_MSR_H

#include "core/hyperv.h"
#include "core/kvmclock.h"
#include "core/policy.h"

#define MHI_MSR_STORED 28

/* What MSRs act on; of the VM. */
struct mhi_msr_env {
	const struct mhi_gmem *mem;
	const struct mhi_kvmclock *clock;
	u64 (*guest_tsc)(void *opaque, u64 host_tsc);
	void *opaque;
	struct mhi_hyperv *hyperv;	 /* NULL: guests see no Hyper-V */
	const struct mhi_policy *policy; /* NULL: no rules */
};

/* Accesses, by what came of them; core/count.h. */
struct mhi_msr_counts {
	u64 refused; /* #GP, by whomever */
	u64 ignored, allowed, called;
};

/* MSRs of one vCPU. Only its own thread touches them. */
struct mhi_msrs {
	const struct mhi_msr_env *env; /* (c) */
	u32 vcpu;		       /* (c) number of the vCPU */
	u64 stored[MHI_MSR_STORED];
	u64 time_msr, wall_msr; /* as the guest wrote them */
	u32 time_version, wall_version;
	u64 kept[MH_MSR_ALLOWED_MAX]; /* of rules that allow */
	struct mhi_msr_counts counts; /* of all lives */
};

void mhi_msrs_reset(struct mhi_msrs *msrs, const struct mhi_msr_env *env, u32 vcpu);
/* The vCPU is about to go on after a pause. */
void mhi_msrs_paused(struct mhi_msrs *msrs);
/* False: the access ends in #GP(0). */
bool mhi_msrs_read(struct mhi_msrs *msrs, u32 index, u64 *value);
bool mhi_msrs_write(struct mhi_msrs *msrs, u32 index, u64 value);

#endif
