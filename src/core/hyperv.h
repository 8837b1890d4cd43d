/* SPDX-License-Identifier: MIT */
/*
 * The part of Hyper-V's interface that Windows needs to trust its clock: identity, hypercall page,
 * number of the virtual processor, reference time, frequencies. Numbers and formats: Microsoft's
 * "Hypervisor Top-Level Functional Specification" (TLFS) 6.0b, chapters 2, 3 and 12. There are no
 * hypercalls behind the page.
 */
#ifndef MHI_CORE_HYPERV_H
#define MHI_CORE_HYPERV_H

#include <pthread.h>

#include "core/gmem.h"

struct mhi_msr_env;

/* TLFS 2.4 "Microsoft Hypervisor CPUID Leaves": the leaf of the features, and what is in them. */
#define MHI_HV_FEATURES 0x40000003u
#define MHI_HV_EAX_FEATURES                                                                     \
	(1u << 1 /* TIME_REF_COUNT */ | 1u << 5 /* hypercall MSRs */ | 1u << 6 /* VP_INDEX */ | \
	 1u << 9 /* REFERENCE_TSC */ | 1u << 11 /* frequency MSRs */)
#define MHI_HV_EDX_FEATURES (1u << 8 /* frequencies can be read */)
/* TLFS 3.13 "Hypercall Status Codes" */
#define MHI_HV_INVALID_HYPERCALL_CODE 2u

/* Of a VM. Field tags: (c) constant, (m) under lock. */
struct mhi_hyperv {
	u64 tsc_hz, apic_hz; /* (c) while a vCPU runs */
	bool intel;	     /* (c) the hypercall is VMCALL, not VMMCALL */
	pthread_mutex_t lock;
	u64 guest_os_id, hypercall, reference_tsc; /* (m) as the guest wrote them */
};

void mhi_hyperv_init(struct mhi_hyperv *hv, u32 tsc_khz, u32 timer_khz, bool intel);
/* Other ones, while no vCPU runs. */
void mhi_hyperv_set_rates(struct mhi_hyperv *hv, u32 tsc_khz, u32 timer_khz);
void mhi_hyperv_fini(struct mhi_hyperv *hv);
/* As at power-on: while no vCPU runs. */
void mhi_hyperv_reset(struct mhi_hyperv *hv);
/* Has the guest switched its hypercall page on? */
bool mhi_hyperv_hypercalls(struct mhi_hyperv *hv);

/* Is this MSR Hyper-V's? hv NULL: no. */
bool mhi_hyperv_has(const struct mhi_hyperv *hv, u32 index);
/* Any vCPU's thread. False: the access ends in #GP(0). */
bool mhi_hyperv_read(struct mhi_hyperv *hv, const struct mhi_msr_env *env, u32 vcpu, u32 index,
		     u64 *value);
bool mhi_hyperv_write(struct mhi_hyperv *hv, const struct mhi_msr_env *env, u32 index, u64 value);

#endif
