/* SPDX-License-Identifier: MIT */
/*
 * The preflight's tables of CPU features: VMX and SVM, the firmware's lock, the hypervisor above
 * us.
 */
#include "api/probe.h"

#include <stdio.h>
#include <string.h>

/*
 * SDM 3D appendix A "VMX Capability Reporting Facility"; SDM 4 "Architectural MSRs"; APM 2 15.30.
 */
#define MSR_FEATURE_CONTROL 0x3a
#define FEATURE_CONTROL_LOCK (1u << 0)
#define FEATURE_CONTROL_VMX (1u << 2)
#define MSR_VMX_PROCBASED_CTLS 0x482
#define MSR_VMX_PROCBASED_CTLS2 0x48b
#define MSR_VMX_EPT_VPID_CAP 0x48c
#define MSR_VM_CR 0xc0010114u
#define VM_CR_SVMDIS (1u << 4)
#define ALLOWED_1(bit) (1ull << (32 + (bit)))

#define CURE_CPU "another CPU is needed"
#define CURE_UNKNOWN "load the module, or look as root with the MSR driver (modprobe msr)"

/* A feature of VMX: bits of a capability MSR, the kernel's name in "vmx flags" (NULL: none). */
struct vmx_row {
	struct mhi_probe_row row;
	u32 msr;
	u64 mask;
	const char *flag;
	enum mhk_feature feature;
};

static const struct vmx_row vmx_rows[] = {
	{ { "ept", "EPT (nested paging)", "IA32_VMX_PROCBASED_CTLS2[33]", MH_PROBE_REQUIRED,
	    CURE_CPU },
	  MSR_VMX_PROCBASED_CTLS2,
	  ALLOWED_1(1),
	  "ept",
	  MHK_F_NESTED_PAGING },
	{ { "ept-walk", "EPT: 4 levels, write-back", "IA32_VMX_EPT_VPID_CAP[6,14]",
	    MH_PROBE_REQUIRED, CURE_CPU },
	  MSR_VMX_EPT_VPID_CAP,
	  1u << 6 | 1u << 14,
	  NULL,
	  MHK_F_EPT_WRITEBACK },
	{ { "vpid", "VPID (TLB tags)", "IA32_VMX_PROCBASED_CTLS2[37]", MH_PROBE_RECOMMENDED, "" },
	  MSR_VMX_PROCBASED_CTLS2,
	  ALLOWED_1(5),
	  "vpid",
	  MHK_F_TLB_TAG },
	{ { "unrestricted", "unrestricted guest (real mode)", "IA32_VMX_PROCBASED_CTLS2[39]",
	    MH_PROBE_RECOMMENDED, "" },
	  MSR_VMX_PROCBASED_CTLS2,
	  ALLOWED_1(7),
	  "unrestricted_guest",
	  MHK_F_UNRESTRICTED },
	{ { "ept-2m", "EPT: 2 MiB pages", "IA32_VMX_EPT_VPID_CAP[16]", MH_PROBE_RECOMMENDED, "" },
	  MSR_VMX_EPT_VPID_CAP,
	  1u << 16,
	  NULL,
	  MHK_F_PAGE_2M },
	{ { "ept-1g", "EPT: 1 GiB pages", "IA32_VMX_EPT_VPID_CAP[17]", MH_PROBE_OPTIONAL, "" },
	  MSR_VMX_EPT_VPID_CAP,
	  1u << 17,
	  "ept_1gb",
	  MHK_F_PAGE_1G },
	{ { "ept-ad", "EPT: accessed and dirty flags", "IA32_VMX_EPT_VPID_CAP[21]",
	    MH_PROBE_OPTIONAL, "" },
	  MSR_VMX_EPT_VPID_CAP,
	  1u << 21,
	  "ept_ad",
	  MHK_F_ACCESSED_DIRTY },
	{ { "tsc-scale", "TSC scaling", "IA32_VMX_PROCBASED_CTLS2[57]", MH_PROBE_OPTIONAL, "" },
	  MSR_VMX_PROCBASED_CTLS2,
	  ALLOWED_1(25),
	  "tsc_scaling",
	  MHK_F_TSC_SCALING },
};

/* A feature of SVM: bit of CPUID.8000000AH:EDX. */
struct svm_row {
	struct mhi_probe_row row;
	unsigned int bit;
};

static const struct svm_row svm_rows[] = {
	{ { "npt", "NPT (nested paging)", "CPUID.8000000AH:EDX[0]", MH_PROBE_REQUIRED, CURE_CPU },
	  0 },
	{ { "nrips", "NRIP save", "CPUID.8000000AH:EDX[3]", MH_PROBE_RECOMMENDED, "" }, 3 },
	{ { "decode", "decode assists", "CPUID.8000000AH:EDX[7]", MH_PROBE_RECOMMENDED, "" }, 7 },
	{ { "flush-asid", "flush by ASID", "CPUID.8000000AH:EDX[6]", MH_PROBE_RECOMMENDED, "" },
	  6 },
	{ { "vmcb-clean", "VMCB clean bits", "CPUID.8000000AH:EDX[5]", MH_PROBE_OPTIONAL, "" }, 5 },
	{ { "tsc-scale", "TSC rate control", "CPUID.8000000AH:EDX[4]", MH_PROBE_OPTIONAL, "" }, 4 },
};

/* Can the module's list of features be relied on? Not when it could not look. */
static bool info_has_features(const struct mhi_probe_facts *f)
{
	return !f->info_error && f->info.vendor != MHK_VENDOR_NONE &&
	       (f->info.hw == MHK_HW_OK || f->info.hw == MHK_HW_BUSY ||
		f->info.hw == MHK_HW_MISSING);
}

static enum mh_probe_state yes_no(bool yes)
{
	return yes ? MH_PROBE_YES : MH_PROBE_NO;
}

/* Without the extension there is nothing to look at, and its cure comes first. */
static void add_absent(struct mh_probe *p, const struct mhi_probe_row *row)
{
	mhi_probe_add(p, row, MH_PROBE_NO);
	mhi_probe_cure(p, "%s", "");
}

/* The secondary controls' MSR exists only where the primary controls offer them. */
static int read_capability(const struct mhi_probe_facts *f, u32 index, u64 *value)
{
	u64 primary;
	int error = f->env->msr(f->env->opaque, MSR_VMX_PROCBASED_CTLS, &primary);

	if (error)
		return error;
	*value = 0;
	return primary >> 63 ? f->env->msr(f->env->opaque, index, value) : 0;
}

static void add_vmx(struct mh_probe *p, const struct mhi_probe_facts *f, const struct vmx_row *r)
{
	u64 value;

	if (!f->extension) {
		add_absent(p, &r->row);
	} else if (info_has_features(f)) {
		mhi_probe_add(p, &r->row, yes_no(f->info.features >> r->feature & 1));
	} else if (!read_capability(f, r->msr, &value)) {
		mhi_probe_add(p, &r->row, yes_no((value & r->mask) == r->mask));
	} else if (f->vmx_flags[0] && r->flag) {
		mhi_probe_add(p, &r->row, yes_no(mhi_probe_has_word(f->vmx_flags, r->flag)));
		mhi_probe_detail(p, "by the kernel's word in /proc/cpuinfo");
	} else {
		mhi_probe_add(p, &r->row, MH_PROBE_UNKNOWN);
		mhi_probe_cure(p, CURE_UNKNOWN);
	}
}

static void add_svm(struct mh_probe *p, const struct mhi_probe_facts *f, const struct svm_row *r)
{
	if (f->extension)
		mhi_probe_add(p, &r->row, yes_no(f->svm_features >> r->bit & 1));
	else
		add_absent(p, &r->row);
}

/* The controls that every guest needs: only the module compares them all. */
static void add_vmx_controls(struct mh_probe *p, const struct mhi_probe_facts *f)
{
	static const struct mhi_probe_row row = { "vmx-controls", "VMX: all controls needed",
						  "IA32_VMX_*_CTLS, by the module",
						  MH_PROBE_REQUIRED, CURE_CPU };
	const u64 all = 1ull << MHK_F_EXEC_CONTROLS | 1ull << MHK_F_ENTRY_CONTROLS |
			1ull << MHK_F_EXIT_CONTROLS;

	if (!f->extension) {
		add_absent(p, &row);
	} else if (info_has_features(f)) {
		mhi_probe_add(p, &row, yes_no((f->info.features & all) == all));
	} else {
		mhi_probe_add(p, &row, MH_PROBE_UNKNOWN);
		mhi_probe_cure(p, "load the module: it looks");
	}
}

static void cure_extension(struct mh_probe *p, const struct mhi_probe_facts *f)
{
	if (f->nested)
		mhi_probe_cure(p, "this is a virtual machine: let its hypervisor offer nested "
				  "virtualization, or use the lab (tools/lab/lab)");
	else
		mhi_probe_cure(p, "enable \"%s\" in the firmware's set-up; if it is not there, %s",
			       f->amd ? "SVM mode" : "Intel Virtualization Technology (VT-x)",
			       CURE_CPU);
}

static void add_extension(struct mh_probe *p, const struct mhi_probe_facts *f)
{
	static const struct mhi_probe_row vmx = { "vmx", "VMX (Intel VT-x)", "CPUID.1:ECX[5]",
						  MH_PROBE_REQUIRED, "" };
	static const struct mhi_probe_row svm = { "svm", "SVM (AMD-V)", "CPUID.80000001H:ECX[2]",
						  MH_PROBE_REQUIRED, "" };

	mhi_probe_add(p, f->amd ? &svm : &vmx, yes_no(f->extension));
	mhi_probe_detail(p, "CPU vendor %s", f->vendor);
	cure_extension(p, f);
}

/* By the module, the MSR, or what the kernel leaves of the flag: YES, NO or UNKNOWN. */
static enum mh_probe_state firmware_state(const struct mhi_probe_facts *f)
{
	u64 value;

	if (!f->info_error && f->info.hw != MHK_HW_NO_CPU)
		return yes_no(f->info.hw != MHK_HW_FIRMWARE);
	if (f->amd && !f->env->msr(f->env->opaque, MSR_VM_CR, &value))
		return yes_no(!(value & VM_CR_SVMDIS));
	if (!f->amd && !f->env->msr(f->env->opaque, MSR_FEATURE_CONTROL, &value))
		return yes_no(!(value & FEATURE_CONTROL_LOCK) || (value & FEATURE_CONTROL_VMX));
	if (!f->cpu_flags[0])
		return MH_PROBE_UNKNOWN;
	/* Linux hides the flag of an extension that it found locked off; for SVM since 6.9 only. */
	if (!mhi_probe_has_word(f->cpu_flags, f->amd ? "svm" : "vmx"))
		return MH_PROBE_NO;
	return f->amd ? MH_PROBE_UNKNOWN : MH_PROBE_YES;
}

static void add_firmware(struct mh_probe *p, const struct mhi_probe_facts *f)
{
	struct mhi_probe_row row = { "firmware", "firmware leaves it unlocked",
				     f->amd ? "VM_CR.SVMDIS" : "IA32_FEATURE_CONTROL[0,2]",
				     MH_PROBE_REQUIRED, "" };
	enum mh_probe_state state;

	if (!f->extension) {
		mhi_probe_add(p, &row, MH_PROBE_UNKNOWN);
		mhi_probe_detail(p, "there is nothing to lock");
		return;
	}
	state = firmware_state(f);
	mhi_probe_add(p, &row, state);
	if (state == MH_PROBE_UNKNOWN)
		mhi_probe_cure(p, CURE_UNKNOWN);
	else
		mhi_probe_cure(p,
			       "enable \"%s\" in the firmware's set-up and power-cycle the machine",
			       f->amd ? "SVM mode" : "Intel Virtualization Technology (VT-x)");
}

static const char *hypervisor_name(const char *signature)
{
	static const struct {
		const char *signature, *name;
	} names[] = {
		{ "KVMKVMKVM", "KVM" },		{ "Microsoft Hv", "Hyper-V" },
		{ "VMwareVMware", "VMware" },	{ "XenVMMXenVMM", "Xen" },
		{ "TCGTCGTCGTCG", "QEMU TCG" }, { "VBoxVBoxVBox", "VirtualBox" },
		{ "bhyve bhyve ", "bhyve" },	{ " lrpepyh  vr", "Parallels" },
		{ "ACRNACRNACRN", "ACRN" },
	};
	size_t i;

	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (!strcmp(names[i].signature, signature))
			return names[i].name;
	return "an unknown hypervisor";
}

static void add_bare(struct mh_probe *p, const struct mhi_probe_facts *f)
{
	static const struct mhi_probe_row row = { "bare", "no hypervisor above this machine",
						  "CPUID.1:ECX[31]", MH_PROBE_OPTIONAL, "" };

	mhi_probe_add(p, &row, yes_no(!f->nested));
	if (!f->nested)
		return;
	mhi_probe_detail(p, "this is a virtual machine of %s; guests here are nested and slower",
			 hypervisor_name(f->hypervisor));
}

void mhi_probe_cpu(struct mh_probe *p, const struct mhi_probe_facts *f)
{
	size_t i;

	add_extension(p, f);
	if (f->amd) {
		for (i = 0; i < MHI_COUNT(svm_rows); i++)
			add_svm(p, f, &svm_rows[i]);
	} else {
		for (i = 0; i < MHI_COUNT(vmx_rows); i++)
			add_vmx(p, f, &vmx_rows[i]);
		add_vmx_controls(p, f);
	}
	add_firmware(p, f);
	add_bare(p, f);
}
