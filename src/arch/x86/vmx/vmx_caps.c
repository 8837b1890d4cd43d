// SPDX-License-Identifier: (GPL-2.0 OR MIT)
/* What this CPU's VMX offers, what is required of it and why, and the controls that follow. */
#include "arch/x86/vmx/vmx.h"

#define CPUID_1_ECX_VMX (1u << 5)
#define CPUID_1_ECX_XSAVE (1u << 26)
#define CPUID_PHYS_BITS 0x80000008u
#define DEFAULT_PHYS_BITS 36u
#define EPT_WALK4_BITS 48u
#define TSC_RATIO_SHIFT 48u /* binary places of the TSC multiplier */
/* FRED delivers host NMIs by other means than the IDT, and needs VM-exit controls of its own. */
#define CR4_FRED (1ull << 32)

/*
 * CR4 bits that a guest may have where the CPU has them. Not: VMXE, SMXE (no nesting, no measured
 * launch), LA57 (EPT of four levels), PKE and CET (state that the shim does not switch), LAM and
 * the rest.
 */
#define CR4_GUEST                                                                           \
	(MHI_CR4_VME | MHI_CR4_PVI | MHI_CR4_TSD | MHI_CR4_DE | MHI_CR4_PSE | MHI_CR4_PAE | \
	 MHI_CR4_MCE | MHI_CR4_PGE | MHI_CR4_PCE | MHI_CR4_OSFXSR | MHI_CR4_OSXMMEXCPT |    \
	 MHI_CR4_UMIP | MHI_CR4_FSGSBASE | MHI_CR4_PCIDE | MHI_CR4_OSXSAVE | MHI_CR4_SMEP | \
	 MHI_CR4_SMAP)

/* One word of controls. */
struct control_word {
	u32 required; /* must be settable; set */
	u32 able;     /* must be settable; set later, when wanted */
	u32 optional; /* set when the CPU has them */
	u32 refused;  /* must not be forced to 1 */
	u32 feature;  /* enum mhk_feature named when this word does not do */
};

static const struct control_word words[VMX_WORDS] = {
	[VMX_PIN] = {
		.required = PIN_EXT_INTR |   /* the host keeps its interrupts */
			    PIN_NMI |	     /* and its NMIs */
			    PIN_VIRTUAL_NMI, /* the guest's are blocked and unblocked by itself */
		.optional = PIN_PREEMPTION_TIMER, /* see SLICE_MS in vmx_setup.c */
		.feature = MHK_F_EXEC_CONTROLS,
	},
	[VMX_PROC] = {
		.required = PROC_TSC_OFFSET |		     /* the guest's time is the VM's */
			    PROC_HLT |			     /* a halted guest gives the CPU back */
			    PROC_MWAIT | PROC_MONITOR |	     /* likewise; not offered to guests */
			    PROC_RDPMC |		     /* the counters are the host's */
			    PROC_CR8_LOAD | PROC_CR8_STORE | /* the local APIC's priority */
			    PROC_MOV_DR |     /* debug registers are switched on their first use */
			    PROC_IO |	      /* every port is the library's */
			    PROC_MSR_BITMAP | /* without it SWAPGS-heavy guests exit all the time */
			    PROC_SECONDARY,   /* EPT is there */
		.able = PROC_INTR_WINDOW | PROC_NMI_WINDOW,
		.refused = PROC_CR3_LOAD | PROC_CR3_STORE | PROC_INVLPG | PROC_RDTSC,
		.feature = MHK_F_EXEC_CONTROLS,
	},
	[VMX_EXIT] = {
		.required = EXIT_HOST_64 | EXIT_SAVE_DEBUG | /* a guest's DR7 is read back */
			    EXIT_LOAD_PAT | EXIT_LOAD_EFER,  /* every CPU with EPT has them */
		.feature = MHK_F_EXIT_CONTROLS,
	},
	[VMX_ENTRY] = {
		.required = ENTRY_LOAD_DEBUG | ENTRY_LOAD_PAT | ENTRY_LOAD_EFER,
		.able = ENTRY_IA32E,
		.feature = MHK_F_ENTRY_CONTROLS,
	},
	[VMX_PROC2] = {
		.required = PROC2_EPT |	  /* guest memory */
			    PROC2_WBINVD, /* a guest shall not flush the host's caches */
		.optional = PROC2_RDTSCP | PROC2_VPID | PROC2_UNRESTRICTED | PROC2_INVPCID |
			    PROC2_ENCLS | PROC2_ENCLV, /* these two: no enclaves behind our back */
		.feature = MHK_F_EXEC_CONTROLS,
	},
};

static u64 read_cap(u32 index)
{
	u64 value;

	return mhi_rdmsr_safe(index, &value) ? 0 : value;
}

static u32 may_be_one(const struct vmx_caps *caps, enum vmx_word word)
{
	return (u32)(caps->ctls[word] >> 32);
}

void mhi_vmx_caps_read(struct vmx_caps *caps)
{
	u32 i, first;

	memset(caps, 0, sizeof(*caps));
	caps->basic = read_cap(MSR_VMX_BASIC);
	caps->misc = read_cap(MSR_VMX_MISC);
	caps->cr0_fixed0 = read_cap(MSR_VMX_CR0_FIXED0);
	caps->cr0_fixed1 = read_cap(MSR_VMX_CR0_FIXED1);
	caps->cr4_fixed0 = read_cap(MSR_VMX_CR4_FIXED0);
	caps->cr4_fixed1 = read_cap(MSR_VMX_CR4_FIXED1);
	first = (caps->basic & CAP_TRUE_CTLS) ? MSR_VMX_TRUE_CTLS : MSR_VMX_CTLS;
	for (i = VMX_PIN; i <= VMX_ENTRY; i++)
		caps->ctls[i] = read_cap(first + i);
	if (may_be_one(caps, VMX_PROC) & PROC_SECONDARY)
		caps->ctls[VMX_PROC2] = read_cap(MSR_VMX_PROC_CTLS2);
	if (may_be_one(caps, VMX_PROC2) & (PROC2_EPT | PROC2_VPID))
		caps->ept_vpid = read_cap(MSR_VMX_EPT_VPID_CAP);
}

/* SDM 3D A.2 "Reserved Controls and Default Settings". False: the CPU forbids something needed. */
static bool settle(const struct vmx_caps *caps, enum vmx_word word, u32 *out)
{
	const struct control_word *w = &words[word];
	u32 must_be_one = (u32)caps->ctls[word];

	if ((w->required | w->able) & ~may_be_one(caps, word))
		return false;
	if (w->refused & must_be_one)
		return false;
	*out = w->required | (w->optional & may_be_one(caps, word)) | must_be_one;
	return true;
}

static int lacks(u32 feature, u32 *missing)
{
	*missing = feature;
	return MHI_EOPNOTSUPP;
}

static bool has_all(u64 have, u64 wanted)
{
	return (have & wanted) == wanted;
}

static bool vpid_usable(const struct vmx_caps *caps)
{
	return (may_be_one(caps, VMX_PROC2) & PROC2_VPID) && (caps->ept_vpid & EPT_CAP_INVVPID) &&
	       (caps->ept_vpid & (EPT_CAP_INVVPID_SINGLE | EPT_CAP_INVVPID_ALL));
}

int mhi_vmx_controls(const struct vmx_caps *caps, u32 out[VMX_WORDS], u32 *missing)
{
	u32 i;

	if (!(may_be_one(caps, VMX_PROC2) & PROC2_EPT) || !(caps->ept_vpid & EPT_CAP_INVEPT) ||
	    !(caps->ept_vpid & (EPT_CAP_INVEPT_SINGLE | EPT_CAP_INVEPT_ALL)))
		return lacks(MHK_F_NESTED_PAGING, missing);
	if (!has_all(caps->ept_vpid, EPT_CAP_WALK4 | EPT_CAP_WB))
		return lacks(MHK_F_EPT_WRITEBACK, missing);
	for (i = 0; i < VMX_WORDS; i++)
		if (!settle(caps, i, &out[i]))
			return lacks(words[i].feature, missing);
	if (!vpid_usable(caps))
		out[VMX_PROC2] &= ~PROC2_VPID;
	return 0;
}

/* Features that follow from bits alone. */
static const struct {
	u32 feature; /* enum mhk_feature */
	u32 proc2;
	u64 ept_vpid;
} feature_bits[] = {
	{ MHK_F_NESTED_PAGING, PROC2_EPT, 0 },
	{ MHK_F_UNRESTRICTED, PROC2_UNRESTRICTED, 0 },
	{ MHK_F_TSC_SCALING, PROC2_TSC_SCALING, 0 },
	{ MHK_F_PAGE_2M, PROC2_EPT, EPT_CAP_2M },
	{ MHK_F_PAGE_1G, PROC2_EPT, EPT_CAP_1G },
	{ MHK_F_ACCESSED_DIRTY, PROC2_EPT, EPT_CAP_AD },
	{ MHK_F_EPT_WRITEBACK, PROC2_EPT, EPT_CAP_WB | EPT_CAP_WALK4 },
	{ MHK_F_FLUSH_BY_ASID, 0, EPT_CAP_INVVPID_SINGLE },
};

static u64 features_of(const struct vmx_caps *caps, u32 cpuid_1_ecx)
{
	u64 f = MHI_BIT(MHK_F_NEXT_RIP) | MHI_BIT(MHK_F_EXEC_CONTROLS) |
		MHI_BIT(MHK_F_EXIT_CONTROLS) | MHI_BIT(MHK_F_ENTRY_CONTROLS);
	u32 i, ignored;

	for (i = 0; i < VMX_WORDS; i++)
		if (!settle(caps, i, &ignored))
			f &= ~MHI_BIT(words[i].feature);
	for (i = 0; i < MHI_COUNT(feature_bits); i++)
		if (has_all(may_be_one(caps, VMX_PROC2), feature_bits[i].proc2) &&
		    has_all(caps->ept_vpid, feature_bits[i].ept_vpid))
			f |= MHI_BIT(feature_bits[i].feature);
	if (vpid_usable(caps))
		f |= MHI_BIT(MHK_F_TLB_TAG);
	if (cpuid_1_ecx & CPUID_1_ECX_XSAVE)
		f |= MHI_BIT(MHK_F_XSAVE);
	return f;
}

static u32 phys_bits(void)
{
	u32 r[4];
	u32 bits;

	mhi_cpuid(0x80000000u, 0, r);
	if (r[0] < CPUID_PHYS_BITS)
		return DEFAULT_PHYS_BITS;
	mhi_cpuid(CPUID_PHYS_BITS, 0, r);
	bits = r[0] & 0xff;
	return bits < EPT_WALK4_BITS ? bits : EPT_WALK4_BITS;
}

static void fill_caps(const struct vmx_caps *vmx, u32 cpuid_1_ecx, struct mhi_hv_caps *caps)
{
	caps->features = features_of(vmx, cpuid_1_ecx);
	caps->cr4 = CR4_GUEST & vmx->cr4_fixed1;
	caps->phys_bits = phys_bits();
	caps->tsc_shift = caps->features & MHI_BIT(MHK_F_TSC_SCALING) ? TSC_RATIO_SHIFT : 0;
	caps->npt_fmt =
		(caps->features & MHI_BIT(MHK_F_ACCESSED_DIRTY)) ? &mhi_npt_ept_ad : &mhi_npt_ept;
	caps->npt_max_level = 1;
	if (caps->features & MHI_BIT(MHK_F_PAGE_2M))
		caps->npt_max_level = (caps->features & MHI_BIT(MHK_F_PAGE_1G)) ? 3 : 2;
}

int mhi_vmx_probe(struct mhi_hv_caps *caps)
{
	u32 controls[VMX_WORDS];
	struct vmx_caps vmx;
	u64 control;
	u32 r[4];

	memset(caps, 0, sizeof(*caps));
	mhi_cpuid(1, 0, r);
	if (!(r[2] & CPUID_1_ECX_VMX))
		return mhi_hv_refuse(caps, MHK_HW_NO_CPU, 0);
	mhi_vmx_caps_read(&vmx);
	fill_caps(&vmx, r[2], caps);
	/* Unlocked means that firmware left the choice to us: cpu_on makes it. */
	if (mhi_rdmsr_safe(MHI_MSR_FEATURE_CONTROL, &control) ||
	    ((control & FEATURE_CONTROL_LOCK) && !(control & FEATURE_CONTROL_VMX)))
		return mhi_hv_refuse(caps, MHK_HW_FIRMWARE, 0);
	if (mhi_vmx_controls(&vmx, controls, &caps->missing))
		return mhi_hv_refuse(caps, MHK_HW_MISSING, caps->missing);
	if (mhi_read_cr4() & CR4_FRED)
		return mhi_hv_refuse(caps, MHK_HW_MISSING, MHK_F_EXIT_CONTROLS);
	if (mhi_read_cr4() & MHI_CR4_VMXE)
		return mhi_hv_refuse(caps, MHK_HW_BUSY, 0);
	return 0;
}
