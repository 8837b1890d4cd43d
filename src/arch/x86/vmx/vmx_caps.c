// SPDX-License-Identifier: (GPL-2.0 OR MIT)
/* What this CPU's VMX offers, what is required of it and why, and the controls that follow. */
#include "arch/x86/vmx/vmx.h"

#define CPUID_1_ECX_VMX (1u << 5)
#define CPUID_1_ECX_XSAVE (1u << 26)
#define CPUID_PHYS_BITS 0x80000008u
#define DEFAULT_PHYS_BITS 36u
#define EPT_WALK4_BITS 48u
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

static const struct control_word pin_word = {
	.required = PIN_EXT_INTR |	  /* the host keeps its interrupts */
		    PIN_NMI |		  /* and its NMIs */
		    PIN_VIRTUAL_NMI,	  /* the guest's NMIs are blocked and unblocked by itself */
	.optional = PIN_PREEMPTION_TIMER, /* see SLICE_MS in vmx_setup.c */
	.feature = MHK_F_EXEC_CONTROLS,
};

static const struct control_word proc_word = {
	.required = PROC_TSC_OFFSET |		     /* the guest's time is the VM's */
		    PROC_HLT |			     /* a halted guest gives the CPU back */
		    PROC_MWAIT | PROC_MONITOR |	     /* likewise; not offered to guests */
		    PROC_RDPMC |		     /* the counters are the host's */
		    PROC_CR8_LOAD | PROC_CR8_STORE | /* the task priority is the local APIC's */
		    PROC_MOV_DR |     /* debug registers are switched on their first use */
		    PROC_IO |	      /* every port is the library's */
		    PROC_MSR_BITMAP | /* without it SWAPGS-heavy guests exit all the time */
		    PROC_SECONDARY,   /* EPT is there */
	.able = PROC_INTR_WINDOW | PROC_NMI_WINDOW,
	.refused = PROC_CR3_LOAD | PROC_CR3_STORE | PROC_INVLPG | PROC_RDTSC,
	.feature = MHK_F_EXEC_CONTROLS,
};

static const struct control_word proc2_word = {
	.required = PROC2_EPT |	  /* guest memory */
		    PROC2_WBINVD, /* a guest shall not flush the host's caches */
	.optional = PROC2_RDTSCP | PROC2_VPID | PROC2_UNRESTRICTED | PROC2_INVPCID | PROC2_ENCLS |
		    PROC2_ENCLV, /* the last two: no enclaves behind our back */
	.feature = MHK_F_EXEC_CONTROLS,
};

static const struct control_word exit_word = {
	.required = EXIT_HOST_64 | EXIT_SAVE_DEBUG, /* a guest's DR7 is read back */
	.optional = EXIT_LOAD_PAT | EXIT_LOAD_EFER,
	.feature = MHK_F_EXIT_CONTROLS,
};

static const struct control_word entry_word = {
	.required = ENTRY_LOAD_DEBUG,
	.able = ENTRY_IA32E,
	.optional = ENTRY_LOAD_PAT | ENTRY_LOAD_EFER,
	.feature = MHK_F_ENTRY_CONTROLS,
};

static u64 read_cap(u32 index)
{
	u64 value;

	return mhi_rdmsr_safe(index, &value) ? 0 : value;
}

static u32 must_be_one(u64 cap)
{
	return (u32)cap;
}

static u32 may_be_one(u64 cap)
{
	return (u32)(cap >> 32);
}

void mhi_vmx_caps_read(struct vmx_caps *caps)
{
	bool true_ctls;

	memset(caps, 0, sizeof(*caps));
	caps->basic = read_cap(MSR_VMX_BASIC);
	caps->misc = read_cap(MSR_VMX_MISC);
	caps->cr0_fixed0 = read_cap(MSR_VMX_CR0_FIXED0);
	caps->cr0_fixed1 = read_cap(MSR_VMX_CR0_FIXED1);
	caps->cr4_fixed0 = read_cap(MSR_VMX_CR4_FIXED0);
	caps->cr4_fixed1 = read_cap(MSR_VMX_CR4_FIXED1);
	true_ctls = (caps->basic & CAP_TRUE_CTLS) != 0;
	caps->pin = read_cap(true_ctls ? MSR_VMX_TRUE_PIN_CTLS : MSR_VMX_PIN_CTLS);
	caps->proc = read_cap(true_ctls ? MSR_VMX_TRUE_PROC_CTLS : MSR_VMX_PROC_CTLS);
	caps->exit = read_cap(true_ctls ? MSR_VMX_TRUE_EXIT_CTLS : MSR_VMX_EXIT_CTLS);
	caps->entry = read_cap(true_ctls ? MSR_VMX_TRUE_ENTRY_CTLS : MSR_VMX_ENTRY_CTLS);
	if (may_be_one(caps->proc) & PROC_SECONDARY)
		caps->proc2 = read_cap(MSR_VMX_PROC_CTLS2);
	if (may_be_one(caps->proc2) & (PROC2_EPT | PROC2_VPID))
		caps->ept_vpid = read_cap(MSR_VMX_EPT_VPID_CAP);
}

/* SDM 3D A.2 "Reserved Controls and Default Settings". False: the CPU forbids something needed. */
static bool settle(u64 cap, const struct control_word *w, u32 *out)
{
	if ((w->required | w->able) & ~may_be_one(cap))
		return false;
	if (w->refused & must_be_one(cap))
		return false;
	*out = w->required | (w->optional & may_be_one(cap)) | must_be_one(cap);
	return true;
}

static int lacks(u32 feature, u32 *missing)
{
	*missing = feature;
	return MHI_EOPNOTSUPP;
}

static int check_ept(const struct vmx_caps *caps, u32 *missing)
{
	if (!(may_be_one(caps->proc2) & PROC2_EPT))
		return lacks(MHK_F_NESTED_PAGING, missing);
	if (!(caps->ept_vpid & EPT_CAP_INVEPT) ||
	    !(caps->ept_vpid & (EPT_CAP_INVEPT_SINGLE | EPT_CAP_INVEPT_ALL)))
		return lacks(MHK_F_NESTED_PAGING, missing);
	if (!(caps->ept_vpid & EPT_CAP_WALK4) || !(caps->ept_vpid & EPT_CAP_WB))
		return lacks(MHK_F_EPT_WRITEBACK, missing);
	return 0;
}

static bool vpid_usable(const struct vmx_caps *caps)
{
	return (may_be_one(caps->proc2) & PROC2_VPID) && (caps->ept_vpid & EPT_CAP_INVVPID) &&
	       (caps->ept_vpid & (EPT_CAP_INVVPID_SINGLE | EPT_CAP_INVVPID_ALL));
}

int mhi_vmx_controls(const struct vmx_caps *caps, struct vmx_controls *out, u32 *missing)
{
	int err = check_ept(caps, missing);

	if (err)
		return err;
	if (!settle(caps->pin, &pin_word, &out->pin))
		return lacks(pin_word.feature, missing);
	if (!settle(caps->proc, &proc_word, &out->proc))
		return lacks(proc_word.feature, missing);
	if (!settle(caps->proc2, &proc2_word, &out->proc2))
		return lacks(proc2_word.feature, missing);
	if (!settle(caps->exit, &exit_word, &out->exit))
		return lacks(exit_word.feature, missing);
	if (!settle(caps->entry, &entry_word, &out->entry))
		return lacks(entry_word.feature, missing);
	if (!vpid_usable(caps))
		out->proc2 &= ~PROC2_VPID;
	/* An MSR that only one direction could load would be lost in the other. */
	if (!(out->exit & EXIT_LOAD_PAT) || !(out->entry & ENTRY_LOAD_PAT)) {
		out->exit &= ~EXIT_LOAD_PAT;
		out->entry &= ~ENTRY_LOAD_PAT;
	}
	if (!(out->exit & EXIT_LOAD_EFER) || !(out->entry & ENTRY_LOAD_EFER)) {
		out->exit &= ~EXIT_LOAD_EFER;
		out->entry &= ~ENTRY_LOAD_EFER;
	}
	return 0;
}

bool mhi_vmx_cr_fixed_ok(const struct vmx_caps *caps)
{
	u64 cr0 = mhi_read_cr0();
	u64 cr4 = mhi_read_cr4() | MHI_CR4_VMXE;

	return !(caps->cr0_fixed0 & ~cr0) && !(cr0 & ~caps->cr0_fixed1) &&
	       !(caps->cr4_fixed0 & ~cr4) && !(cr4 & ~caps->cr4_fixed1);
}

static u64 feature(bool present, u32 number)
{
	return present ? MHI_BIT(number) : 0;
}

static u64 features_of(const struct vmx_caps *caps, u32 cpuid_1_ecx)
{
	u32 proc2 = may_be_one(caps->proc2);
	bool ept = (proc2 & PROC2_EPT) != 0;
	u32 ignored;

	return feature(ept, MHK_F_NESTED_PAGING) | feature(vpid_usable(caps), MHK_F_TLB_TAG) |
	       feature((proc2 & PROC2_UNRESTRICTED) != 0, MHK_F_UNRESTRICTED) |
	       feature(true, MHK_F_NEXT_RIP) |
	       feature(ept && (caps->ept_vpid & EPT_CAP_2M), MHK_F_PAGE_2M) |
	       feature(ept && (caps->ept_vpid & EPT_CAP_1G), MHK_F_PAGE_1G) |
	       feature(ept && (caps->ept_vpid & EPT_CAP_AD), MHK_F_ACCESSED_DIRTY) |
	       feature(ept && (caps->ept_vpid & EPT_CAP_WB) && (caps->ept_vpid & EPT_CAP_WALK4),
		       MHK_F_EPT_WRITEBACK) |
	       feature(settle(caps->pin, &pin_word, &ignored) &&
			       settle(caps->proc, &proc_word, &ignored) &&
			       settle(caps->proc2, &proc2_word, &ignored),
		       MHK_F_EXEC_CONTROLS) |
	       feature(settle(caps->exit, &exit_word, &ignored), MHK_F_EXIT_CONTROLS) |
	       feature(settle(caps->entry, &entry_word, &ignored), MHK_F_ENTRY_CONTROLS) |
	       feature((caps->ept_vpid & EPT_CAP_INVVPID_SINGLE) != 0, MHK_F_FLUSH_BY_ASID) |
	       feature((proc2 & PROC2_TSC_SCALING) != 0, MHK_F_TSC_SCALING) |
	       feature((cpuid_1_ecx & CPUID_1_ECX_XSAVE) != 0, MHK_F_XSAVE);
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
	caps->npt_fmt =
		(caps->features & MHI_BIT(MHK_F_ACCESSED_DIRTY)) ? &mhi_npt_ept_ad : &mhi_npt_ept;
	caps->npt_max_level = 1;
	if (caps->features & MHI_BIT(MHK_F_PAGE_2M))
		caps->npt_max_level = (caps->features & MHI_BIT(MHK_F_PAGE_1G)) ? 3 : 2;
}

int mhi_vmx_probe(struct mhi_hv_caps *caps)
{
	struct vmx_controls controls;
	struct vmx_caps vmx;
	u64 control;
	u32 r[4];

	memset(caps, 0, sizeof(*caps));
	mhi_cpuid(1, 0, r);
	if (!(r[2] & CPUID_1_ECX_VMX)) {
		caps->hw = MHK_HW_NO_CPU;
		return MHI_EOPNOTSUPP;
	}
	mhi_vmx_caps_read(&vmx);
	fill_caps(&vmx, r[2], caps);
	/* Unlocked means that firmware left the choice to us: cpu_on makes it. */
	if (mhi_rdmsr_safe(MHI_MSR_FEATURE_CONTROL, &control) ||
	    ((control & FEATURE_CONTROL_LOCK) && !(control & FEATURE_CONTROL_VMX))) {
		caps->hw = MHK_HW_FIRMWARE;
		return MHI_EOPNOTSUPP;
	}
	caps->hw = MHK_HW_MISSING;
	if (mhi_vmx_controls(&vmx, &controls, &caps->missing))
		return MHI_EOPNOTSUPP;
	if (mhi_read_cr4() & CR4_FRED) {
		caps->missing = MHK_F_EXIT_CONTROLS;
		return MHI_EOPNOTSUPP;
	}
	if (mhi_read_cr4() & MHI_CR4_VMXE) {
		caps->hw = MHK_HW_BUSY;
		return MHI_EBUSY;
	}
	caps->hw = MHK_HW_OK;
	return 0;
}
