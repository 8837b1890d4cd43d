/* SPDX-License-Identifier: MIT */
/*
 * The CPUID policy: which of the host's features a guest sees, and its topology. Pure over a host
 * table.
 */
#ifndef MHI_CORE_CPUID_H
#define MHI_CORE_CPUID_H

#include "base/types.h"
#include "macrohard/uapi.h"

enum { MHI_EAX, MHI_EBX, MHI_ECX, MHI_EDX };

/* Where the host's CPUID comes from. */
struct mhi_cpuid_host {
	void (*query)(void *opaque, u32 leaf, u32 subleaf, u32 regs[4]);
	void *opaque;
};

/* The CPUID instruction of this process. */
extern const struct mhi_cpuid_host mhi_cpuid_native;

struct mhi_cpuid_config {
	const struct mhk_info *info; /* what the engine virtualizes */
	u32 cpus;
	u32 apic_id;
	bool hyperv; /* speak for Hyper-V first, and for KVM behind it */
	/* MHG_F_* and MHG_VERSION of our own hypercalls; no features: they have no leaves */
	u32 hypercalls, version;
};

/* Fills table [MHK_MAX_CPUID]; returns the number of entries. */
u32 mhi_cpuid_build(const struct mhi_cpuid_host *host, const struct mhi_cpuid_config *config,
		    struct mhk_cpuid_entry *table);

#endif
