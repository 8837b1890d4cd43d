/* SPDX-License-Identifier: (GPL-2.0 OR MIT) */
/*
 * A guest's access to MSRs: a few pass, the shim itself serves some, and all others go to the
 * library's policy.
 */
#ifndef MHI_ARCH_MSR_H
#define MHI_ARCH_MSR_H

#include "arch/x86/vcpu.h"
#include "base/x86.h"
#include "x86_insn.h"

enum mhi_msr_result { MHI_MSR_DONE, MHI_MSR_GP, MHI_MSR_USER };

/*
 * The safe list: all that a guest reads and writes without the shim. The CPU switches them with the
 * guest, or load and put do, whatever it did to them; no value of theirs can hurt the host. Under
 * VMX only the first ones: of the others the shim must know what the guest wrote. Every other MSR
 * exits, to mhi_msr_read or mhi_msr_write.
 */
#define MHI_MSR_PASSED_VMX 6
static const u32 mhi_msr_passed[] __attribute__((unused)) = {
	MHI_MSR_FS_BASE,      MHI_MSR_GS_BASE,	    MHI_MSR_KERNEL_GS_BASE, MHI_MSR_SYSENTER_CS,
	MHI_MSR_SYSENTER_ESP, MHI_MSR_SYSENTER_EIP, MHI_MSR_STAR,	    MHI_MSR_LSTAR,
	MHI_MSR_CSTAR,	      MHI_MSR_SFMASK,
};

/*
 * Held by the vendor (VMCB, VMCS, or loaded at load): EFER, PAT, STAR, LSTAR, CSTAR, SFMASK,
 * KERNEL_GS_BASE, FS_BASE, GS_BASE, SYSENTER_CS/ESP/EIP, TSC_AUX. msr_get and msr_set serve exactly
 * these.
 */
bool mhi_msr_is_hw(u32 index);

/* The group MHK_G_MSR of *s, within a section. */
void mhi_msrs_get(struct mhi_vcpu *v, struct mhk_state *s);
void mhi_msrs_set(struct mhi_vcpu *v, const struct mhk_state *s);
/* Is each of them a value that hardware takes? Pure. */
bool mhi_msrs_ok(const struct mhk_state *s);

/* TSC_AUX, for the vendors: in a section it is the guest's. Nothing, for a CPU without. */
static inline void mhi_tsc_aux_switch(const struct mhi_vcpu *v, u64 from, u64 to)
{
	if (v->has_tsc_aux && from != to)
		mhi_wrmsr(MHI_MSR_TSC_AUX, to);
}

static inline void mhi_tsc_aux_set(struct mhi_vcpu *v, u64 value)
{
	mhi_tsc_aux_switch(v, v->tsc_aux, value);
	v->tsc_aux = value;
}

static inline bool mhi_canonical(u64 va)
{
	return (u64)((s64)(va << 16) >> 16) == va;
}

/* Within a section. */
enum mhi_msr_result mhi_msr_read(struct mhi_vcpu *v, u32 index, u64 *value);
enum mhi_msr_result mhi_msr_write(struct mhi_vcpu *v, u32 index, u64 value);

/* May the hardware MSR hold this value (canonical addresses, PAT types, EFER bits)? Pure. */
bool mhi_msr_value_ok(u32 index, u64 value);

#endif
