// SPDX-License-Identifier: (GPL-2.0 OR MIT)
/* What SVM offers on this CPU, and taking it: CPUID, VM_CR, EFER.SVME, VM_HSAVE_PA. */
#include "arch/x86/svm/svm.h"
#include "x86_insn.h"

/* APM 3 appendix E "Obtaining Processor Information Via the CPUID Instruction" */
#define LEAF_FEATURES 0x1
#define LEAF_STRUCTURED 0x7
#define LEAF_HYPERVISOR 0x40000000
#define LEAF_EXT_MAX 0x80000000
#define LEAF_EXT_FEATURES 0x80000001
#define LEAF_ADDR_SIZE 0x80000008
#define LEAF_SVM 0x8000000a
#define LEAF_XSTATE 0xd

#define EXT_ECX_SVM (1u << 2)
#define EXT_EDX_PAGE_1G (1u << 26)
#define EXT_EDX_RDTSCP (1u << 27)
#define STD_ECX_XSAVE (1u << 26)
#define STD_ECX_HYPERVISOR (1u << 31)
#define SEVEN_ECX_RDPID (1u << 22)
#define XSTATE1_EAX_XSAVES (1u << 3)

#define SVM_EDX_NP (1u << 0)
#define SVM_EDX_NRIPS (1u << 3)
#define SVM_EDX_TSC_RATE (1u << 4)
#define SVM_EDX_VMCB_CLEAN (1u << 5)
#define SVM_EDX_FLUSH_BY_ASID (1u << 6)
#define SVM_EDX_DECODE (1u << 7)

enum cpuid_reg { EAX, EBX, ECX, EDX };

/* A CR4 bit and the CPUID bit that announces it (APM 2 3.1.3 "CR4 Register"). */
static const struct {
	u64 cr4;
	u32 leaf;
	enum cpuid_reg reg;
	u32 bit;
} cr4_bits[] = {
	{ MHI_CR4_VME | MHI_CR4_PVI, LEAF_FEATURES, EDX, 1u << 1 },
	{ MHI_CR4_DE, LEAF_FEATURES, EDX, 1u << 2 },
	{ MHI_CR4_PSE, LEAF_FEATURES, EDX, 1u << 3 },
	{ MHI_CR4_TSD, LEAF_FEATURES, EDX, 1u << 4 },
	{ MHI_CR4_PAE, LEAF_FEATURES, EDX, 1u << 6 },
	{ MHI_CR4_MCE, LEAF_FEATURES, EDX, 1u << 7 },
	{ MHI_CR4_PGE, LEAF_FEATURES, EDX, 1u << 13 },
	{ MHI_CR4_OSFXSR, LEAF_FEATURES, EDX, 1u << 24 },
	{ MHI_CR4_OSXMMEXCPT, LEAF_FEATURES, EDX, 1u << 25 },
	{ MHI_CR4_PCIDE, LEAF_FEATURES, ECX, 1u << 17 },
	{ MHI_CR4_OSXSAVE, LEAF_FEATURES, ECX, STD_ECX_XSAVE },
	{ MHI_CR4_FSGSBASE, LEAF_STRUCTURED, EBX, 1u << 0 },
	{ MHI_CR4_SMEP, LEAF_STRUCTURED, EBX, 1u << 7 },
	{ MHI_CR4_SMAP, LEAF_STRUCTURED, EBX, 1u << 20 },
	{ MHI_CR4_UMIP, LEAF_STRUCTURED, ECX, 1u << 2 },
};

/* The features that one CPUID bit announces. */
static const struct {
	enum mhk_feature feature;
	u32 leaf;
	enum cpuid_reg reg;
	u32 bit;
} feature_bits[] = {
	{ MHK_F_NESTED_PAGING, LEAF_SVM, EDX, SVM_EDX_NP },
	{ MHK_F_NEXT_RIP, LEAF_SVM, EDX, SVM_EDX_NRIPS },
	{ MHK_F_DECODE, LEAF_SVM, EDX, SVM_EDX_DECODE },
	{ MHK_F_FLUSH_BY_ASID, LEAF_SVM, EDX, SVM_EDX_FLUSH_BY_ASID },
	{ MHK_F_CLEAN_BITS, LEAF_SVM, EDX, SVM_EDX_VMCB_CLEAN },
	{ MHK_F_TSC_SCALING, LEAF_SVM, EDX, SVM_EDX_TSC_RATE },
	{ MHK_F_PAGE_1G, LEAF_EXT_FEATURES, EDX, EXT_EDX_PAGE_1G },
	{ MHK_F_XSAVE, LEAF_FEATURES, ECX, STD_ECX_XSAVE },
};

static u32 cpuid_reg(u32 leaf, u32 subleaf, enum cpuid_reg reg)
{
	u32 r[4];

	mhi_cpuid(leaf & LEAF_EXT_MAX, 0, r);
	if (r[EAX] < leaf)
		return 0;
	mhi_cpuid(leaf, subleaf, r);
	return r[reg];
}

bool mhi_svm_cpu_has_tsc_aux(void)
{
	return cpuid_reg(LEAF_EXT_FEATURES, 0, EDX) & EXT_EDX_RDTSCP ||
	       cpuid_reg(LEAF_STRUCTURED, 0, ECX) & SEVEN_ECX_RDPID;
}

u64 mhi_svm_host_xss(void)
{
	u64 xss = 0;

	if (!(cpuid_reg(LEAF_FEATURES, 0, ECX) & STD_ECX_XSAVE) ||
	    !(cpuid_reg(LEAF_XSTATE, 1, EAX) & XSTATE1_EAX_XSAVES))
		return 0;
	return mhi_rdmsr_safe(MHI_MSR_XSS, &xss) ? 0 : xss;
}

/* QEMU without an accelerator: it signs as "TCGTCGTCGTCG". */
bool mhi_svm_cpu_is_qemu(void)
{
	u32 r[4];

	if (!(cpuid_reg(LEAF_FEATURES, 0, ECX) & STD_ECX_HYPERVISOR))
		return false;
	mhi_cpuid(LEAF_HYPERVISOR, 0, r);
	return r[EBX] == 0x54474354 && r[ECX] == 0x43544743 && r[EDX] == 0x47435447;
}

static u64 feature_mask(void)
{
	u64 f = MHI_BIT(MHK_F_UNRESTRICTED) | MHI_BIT(MHK_F_PAGE_2M) |
		MHI_BIT(MHK_F_ACCESSED_DIRTY);
	size_t i;

	for (i = 0; i < MHI_COUNT(feature_bits); i++)
		if (cpuid_reg(feature_bits[i].leaf, 0, feature_bits[i].reg) & feature_bits[i].bit)
			f |= MHI_BIT(feature_bits[i].feature);
	if (cpuid_reg(LEAF_SVM, 0, EBX) > 1)
		f |= MHI_BIT(MHK_F_TLB_TAG);
	return f;
}

/*
 * PKE, CET, LA57, VMXE, SMXE, UINTR, LAM and what comes later stay out: nobody switches their
 * state.
 */
static u64 cr4_mask(void)
{
	u64 cr4 = MHI_CR4_PCE;
	size_t i;

	for (i = 0; i < MHI_COUNT(cr4_bits); i++)
		if (cpuid_reg(cr4_bits[i].leaf, 0, cr4_bits[i].reg) & cr4_bits[i].bit)
			cr4 |= cr4_bits[i].cr4;
	return cr4;
}

/*
 * A nested page table is walked like a host's: its reach is the host's, unless the CPU names
 * another.
 */
static u32 guest_phys_bits(void)
{
	u32 eax = cpuid_reg(LEAF_ADDR_SIZE, 0, EAX);
	u32 bits = (u32)mhi_bits(eax, 23, 16);

	if (!bits)
		bits = (u32)mhi_bits(eax, 7, 0);
	return bits ? bits
		    : 36; /* the leaf's absence means 36: APM 3 E.4.7 "Function 8000_0008h" */
}

int mhi_svm_probe(struct mhi_hv_caps *caps)
{
	u64 vm_cr = 0;

	memset(caps, 0, sizeof(*caps));
	if (!(cpuid_reg(LEAF_EXT_FEATURES, 0, ECX) & EXT_ECX_SVM))
		return mhi_hv_refuse(caps, MHK_HW_NO_CPU, 0);
	caps->features = feature_mask();
	caps->cr4 = cr4_mask();
	caps->asids = cpuid_reg(LEAF_SVM, 0, EBX);
	caps->phys_bits = guest_phys_bits();
	caps->tsc_shift = caps->features & MHI_BIT(MHK_F_TSC_SCALING) ? MHI_TSC_RATIO_SHIFT : 0;
	caps->npt_fmt = &mhi_npt_amd;
	caps->npt_max_level = caps->features & MHI_BIT(MHK_F_PAGE_1G) ? 3 : 2;

	if (!mhi_rdmsr_safe(MHI_MSR_VM_CR, &vm_cr) && vm_cr & MHI_VM_CR_SVMDIS)
		return mhi_hv_refuse(caps, MHK_HW_FIRMWARE, 0);
	if (!(caps->features & MHI_BIT(MHK_F_NESTED_PAGING)))
		return mhi_hv_refuse(caps, MHK_HW_MISSING, MHK_F_NESTED_PAGING);
	if (!(caps->features & MHI_BIT(MHK_F_TLB_TAG)))
		return mhi_hv_refuse(caps, MHK_HW_MISSING, MHK_F_TLB_TAG);
	if (mhi_rdmsr(MHI_MSR_EFER) & MHI_EFER_SVME)
		return mhi_hv_refuse(caps, MHK_HW_BUSY, 0);
	return 0;
}

/*
 * It scales what guests read, not what the host does: so it may stay when they leave. APM 2 15.30.5
 * "TSC Ratio MSR (C000_0104h)".
 */
void mhi_svm_tsc_ratio_set(struct mhi_cpu *cpu, u64 ratio)
{
	if (cpu->tsc_ratio == ratio)
		return;
	cpu->tsc_ratio = ratio;
	mhi_wrmsr(MHI_MSR_TSC_RATIO, ratio);
}

int mhi_svm_cpu_on(struct mhi_cpu *cpu)
{
	u64 efer = mhi_rdmsr(MHI_MSR_EFER);

	if (efer & MHI_EFER_SVME)
		return MHI_EBUSY;
	mhi_wrmsr(MHI_MSR_EFER, efer | MHI_EFER_SVME);
	if (!(mhi_rdmsr(MHI_MSR_EFER) & MHI_EFER_SVME))
		return MHI_EIO;
	mhi_wrmsr(MHI_MSR_VM_HSAVE_PA, cpu->page_pa);
	cpu->tsc_ratio = MHI_TSC_RATIO_ONE;
	if (cpuid_reg(LEAF_SVM, 0, EDX) & SVM_EDX_TSC_RATE)
		mhi_wrmsr(MHI_MSR_TSC_RATIO, MHI_TSC_RATIO_ONE);
	if (mhi_svm_cpu_has_tsc_aux())
		cpu->host_tsc_aux = mhi_rdmsr(MHI_MSR_TSC_AUX);
	mhi_svm_asid_reset(cpu);
	cpu->on = true;
	return 0;
}

void mhi_svm_cpu_off(struct mhi_cpu *cpu)
{
	if (!cpu->on)
		return;
	cpu->on = false;
	mhi_svm_tsc_ratio_set(cpu, MHI_TSC_RATIO_ONE);
	mhi_wrmsr(MHI_MSR_VM_HSAVE_PA, 0);
	mhi_wrmsr(MHI_MSR_EFER, mhi_rdmsr(MHI_MSR_EFER) & ~MHI_EFER_SVME);
}
