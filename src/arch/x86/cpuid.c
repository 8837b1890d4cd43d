// SPDX-License-Identifier: (GPL-2.0 OR MIT)
/* The CPUID table of a vCPU: set by user space, looked up on each CPUID exit. */
#include "arch/x86/run.h"
#include "base/x86.h"

#define LEAF1_ECX_X2APIC (1u << 21)
#define LEAF1_ECX_OSXSAVE (1u << 27)
#define LEAF1_EDX_APIC (1u << 9)
#define APIC_BASE_ENABLE (1u << 11)
/* Leaf 0xD: SDM 2A "CPUID-CPU Identification", processor extended state enumeration. */
#define XSAVE_LEGACY_BYTES 576u
#define XSAVE_HAS_XSAVEC (1u << 1)
#define XSAVE_ALIGN_64 (1u << 1)

static int compare(const struct mhk_cpuid_entry *a, u32 leaf, u32 subleaf)
{
	if (a->leaf != leaf)
		return a->leaf < leaf ? -1 : 1;
	if (!(a->flags & MHK_CPUID_SUBLEAF) || a->subleaf == subleaf)
		return 0;
	return a->subleaf < subleaf ? -1 : 1;
}

static const struct mhk_cpuid_entry *find(const struct mhi_vcpu *v, u32 leaf, u32 subleaf)
{
	u32 lo = 0, hi = v->cpuids;

	while (lo < hi) {
		u32 mid = (lo + hi) / 2;
		int c = compare(&v->cpuid[mid], leaf, subleaf);

		if (c == 0)
			return &v->cpuid[mid];
		if (c < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	return NULL;
}

int mhi_cpuid_set(struct mhi_vcpu *v, u32 count)
{
	const struct mhk_cpuid_entry *leaf1;
	u32 i, j;

	for (i = 0; i < count; i++) {
		struct mhk_cpuid_entry e = v->cpuid[i];

		if ((e.flags & ~MHK_CPUID_SUBLEAF) || e.pad)
			return MHI_EINVAL;
		for (j = i; j > 0 && compare(&v->cpuid[j - 1], e.leaf, e.subleaf) > 0; j--)
			v->cpuid[j] = v->cpuid[j - 1];
		if (j > 0 && compare(&v->cpuid[j - 1], e.leaf, e.subleaf) == 0)
			return MHI_EINVAL;
		v->cpuid[j] = e;
	}
	v->cpuids = count;
	leaf1 = find(v, 1, 0);
	v->lapic.x2apic_ok = leaf1 && (leaf1->ecx & LEAF1_ECX_X2APIC);
	return 0;
}

/*
 * Size of the XSAVE area for the guest's XCR0, from the sub-leaves of the table. The standard
 * format has each component at its own offset, the compacted one packs those that are enabled:
 * SDM 1 13.4 "XSAVE Area".
 */
static u32 xsave_bytes(const struct mhi_vcpu *v, bool compacted)
{
	u32 size = XSAVE_LEGACY_BYTES, i, end;

	for (i = 2; i < 63 && v->xcr0 >> i; i++) {
		const struct mhk_cpuid_entry *e;

		if (!(v->xcr0 & MHI_BIT(i)))
			continue;
		e = find(v, 0xd, i);
		if (!e)
			continue;
		if (compacted && (e->ecx & XSAVE_ALIGN_64))
			size = (size + 63) & ~63u;
		end = e->eax + (compacted ? size : e->ebx);
		if (end > size)
			size = end;
	}
	return size;
}

void mhi_cpuid_emulate(struct mhi_vcpu *v, u32 leaf, u32 subleaf, u32 out[4])
{
	const struct mhk_cpuid_entry *e = find(v, leaf, subleaf);

	memset(out, 0, 4 * sizeof(u32));
	if (!e)
		return;
	out[0] = e->eax;
	out[1] = e->ebx;
	out[2] = e->ecx;
	out[3] = e->edx;
	if (leaf == 1) {
		out[2] &= ~LEAF1_ECX_OSXSAVE;
		if (v->vm->ops->cr_get(v, 4) & MHI_CR4_OSXSAVE)
			out[2] |= LEAF1_ECX_OSXSAVE;
		if (!(v->lapic.base & APIC_BASE_ENABLE))
			out[3] &= ~LEAF1_EDX_APIC;
	} else if (leaf == 0xd && (!subleaf || (subleaf == 1 && (out[0] & XSAVE_HAS_XSAVEC)))) {
		mhi_xcr0_look(v);
		out[1] = xsave_bytes(v, subleaf == 1);
	}
}
