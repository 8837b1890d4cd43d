// SPDX-License-Identifier: (GPL-2.0 OR MIT)
/* Reads and writes of the MSRs that the shim serves itself. */
#include "arch/x86/msr.h"
#include "arch/x86/run.h"
#include "base/x86.h"
#include "x86_insn.h"

/* The MSRs of MHK_G_MSR, in the order of struct mhk_state's fields, which are neighbours. */
static const u32 group[] = {
	MHI_MSR_STAR,	      MHI_MSR_LSTAR,	      MHI_MSR_CSTAR,
	MHI_MSR_SFMASK,	      MHI_MSR_KERNEL_GS_BASE, MHI_MSR_SYSENTER_CS,
	MHI_MSR_SYSENTER_ESP, MHI_MSR_SYSENTER_EIP,   MHI_MSR_PAT,
	MHI_MSR_TSC_AUX,
};
#define GROUP_START offsetof(struct mhk_state, star)
MHI_STATIC_ASSERT(offsetof(struct mhk_state, tsc_aux) ==
		  GROUP_START + (MHI_COUNT(group) - 1) * sizeof(u64));

bool mhi_msr_is_hw(u32 index)
{
	unsigned int i;

	for (i = 0; i < MHI_COUNT(group); i++)
		if (group[i] == index)
			return true;
	return index == MHI_MSR_EFER || index == MHI_MSR_FS_BASE || index == MHI_MSR_GS_BASE;
}

/* SDM 3A 12.12.2 "IA32_PAT MSR": types 2, 3 and above 7 are reserved. */
static bool pat_ok(u64 value)
{
	unsigned int i;

	for (i = 0; i < 64; i += 8) {
		u8 type = (u8)(value >> i);

		if (type > 7 || type == 2 || type == 3)
			return false;
	}
	return true;
}

bool mhi_msr_value_ok(u32 index, u64 value)
{
	switch (index) {
	case MHI_MSR_PAT:
		return pat_ok(value);
	case MHI_MSR_EFER:
		return !(value & ~MHI_EFER_VALID);
	case MHI_MSR_SYSENTER_CS:
	case MHI_MSR_SFMASK:
	case MHI_MSR_TSC_AUX:
		return !(value >> 32);
	case MHI_MSR_STAR:
		return true;
	default:
		return mhi_canonical(value);
	}
}

void mhi_msrs_get(struct mhi_vcpu *v, struct mhk_state *s)
{
	u64 *field = (u64 *)((u8 *)s + GROUP_START);
	unsigned int i;

	for (i = 0; i < MHI_COUNT(group); i++)
		field[i] = v->vm->ops->msr_get(v, group[i]);
}

void mhi_msrs_set(struct mhi_vcpu *v, const struct mhk_state *s)
{
	const u64 *field = (const u64 *)((const u8 *)s + GROUP_START);
	unsigned int i;

	for (i = 0; i < MHI_COUNT(group); i++)
		v->vm->ops->msr_set(v, group[i], field[i]);
}

bool mhi_msrs_ok(const struct mhk_state *s)
{
	const u64 *field = (const u64 *)((const u8 *)s + GROUP_START);
	unsigned int i;

	for (i = 0; i < MHI_COUNT(group); i++)
		if (!mhi_msr_value_ok(group[i], field[i]))
			return false;
	return true;
}

static bool is_lapic(u32 index)
{
	return index == MHI_MSR_APIC_BASE || index == MHI_MSR_TSC_DEADLINE ||
	       (index >= MHI_MSR_X2APIC_FIRST && index <= MHI_MSR_X2APIC_LAST);
}

enum mhi_msr_result mhi_msr_read(struct mhi_vcpu *v, u32 index, u64 *value)
{
	if (is_lapic(index))
		return mhi_lapic_rdmsr(v, index, value) ? MHI_MSR_GP : MHI_MSR_DONE;
	if (mhi_msr_is_hw(index)) {
		*value = v->vm->ops->msr_get(v, index);
		return MHI_MSR_DONE;
	}
	if (index == MHI_MSR_TSC) {
		*value = mhi_guest_tsc(v->vm);
		return MHI_MSR_DONE;
	}
	return MHI_MSR_USER;
}

enum mhi_msr_result mhi_msr_write(struct mhi_vcpu *v, u32 index, u64 value)
{
	if (is_lapic(index))
		return mhi_lapic_wrmsr(v, index, value) ? MHI_MSR_GP : MHI_MSR_DONE;
	if (index == MHI_MSR_EFER)
		return mhi_efer_write(v, value) ? MHI_MSR_DONE : MHI_MSR_GP;
	if (!mhi_msr_is_hw(index))
		return MHI_MSR_USER;
	if (!mhi_msr_value_ok(index, value))
		return MHI_MSR_GP;
	v->vm->ops->msr_set(v, index, value);
	return MHI_MSR_DONE;
}
