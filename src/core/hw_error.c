/* SPDX-License-Identifier: MIT */
/*
 * Why virtualization is not available, for people: one sentence with the cure for each enum
 * mhk_hw.
 */
#include "core/hw_error.h"

#include <unistd.h>

static const char *const feature_names[MHK_F_COUNT] = {
	[MHK_F_NESTED_PAGING] = "nested paging (EPT or NPT)",
	[MHK_F_TLB_TAG] = "TLB tags (VPID or ASID)",
	[MHK_F_UNRESTRICTED] = "unrestricted guest",
	[MHK_F_NEXT_RIP] = "next-RIP save",
	[MHK_F_DECODE] = "decode assists",
	[MHK_F_PAGE_2M] = "nested 2 MiB pages",
	[MHK_F_PAGE_1G] = "nested 1 GiB pages",
	[MHK_F_ACCESSED_DIRTY] = "nested accessed and dirty flags",
	[MHK_F_EXEC_CONTROLS] = "a VM-execution control that guests need",
	[MHK_F_ENTRY_CONTROLS] = "a VM-entry control that guests need",
	[MHK_F_EXIT_CONTROLS] = "a VM-exit control that guests need",
	[MHK_F_EPT_WRITEBACK] = "write-back EPT structures with a 4-level walk",
	[MHK_F_FLUSH_BY_ASID] = "flush by ASID",
	[MHK_F_CLEAN_BITS] = "VMCB clean bits",
	[MHK_F_TSC_SCALING] = "TSC scaling",
	[MHK_F_XSAVE] = "XSAVE",
};

const char *mhi_feature_name(u32 feature)
{
	return feature < MHK_F_COUNT ? feature_names[feature] : "a feature unknown to this library";
}

struct vendor_words {
	const char *extension, *held_bit, *lock, *firmware_item, *kvm_module, *instruction;
};

static const struct vendor_words vendor_words[] = {
	[MHK_VENDOR_NONE] = { "VT-x or AMD-V", "CR4.VMXE or EFER.SVME",
			      "IA32_FEATURE_CONTROL or VM_CR", "Intel VT-x or AMD SVM", "kvm",
			      "VMXON" },
	[MHK_VENDOR_VMX] = { "VT-x", "CR4.VMXE", "IA32_FEATURE_CONTROL",
			     "Intel Virtualization Technology (VT-x)", "kvm_intel", "VMXON" },
	[MHK_VENDOR_SVM] = { "AMD-V", "EFER.SVME", "VM_CR", "SVM mode", "kvm_amd", "EFER.SVME" },
};

static int busy_error(struct mhi_err *err, const struct vendor_words *w)
{
	char path[64] = "/sys/module/";

	strncat(path, w->kvm_module, sizeof(path) - strlen(path) - 1);
	if (access(path, F_OK) == 0)
		return mhi_err_set(
			err, MH_EBUSY,
			"KVM holds the CPU's virtualization extension (%s is set); stop its "
			"VMs and unload it: modprobe -r %s",
			w->held_bit, w->kvm_module);
	return mhi_err_set(
		err, MH_EBUSY,
		"another hypervisor holds the CPU's virtualization extension (%s is set); "
		"stop its VMs and unload its kernel module",
		w->held_bit);
}

int mhi_hw_error(struct mhi_err *err, u32 vendor, u32 hw, u32 missing)
{
	const struct vendor_words *w =
		&vendor_words[vendor < MHI_COUNT(vendor_words) ? vendor : MHK_VENDOR_NONE];

	switch (hw) {
	case MHK_HW_OK:
		return 0;
	case MHK_HW_NO_CPU:
		return mhi_err_set(err, MH_ENOCPU,
				   "the CPU has neither VT-x (VMX) nor AMD-V (SVM); in a virtual "
				   "machine, give it a CPU model with nested virtualization");
	case MHK_HW_FIRMWARE:
		return mhi_err_set(
			err, MH_EFIRMWARE,
			"the firmware locks %s off (%s); enable \"%s\" in the firmware's "
			"set-up and power-cycle the machine",
			w->extension, w->lock, w->firmware_item);
	case MHK_HW_BUSY:
		return busy_error(err, w);
	case MHK_HW_MISSING:
		return mhi_err_set(
			err, MH_EMISSING,
			"the CPU's %s lacks %s, which is required; a newer CPU is needed",
			w->extension, mhi_feature_name(missing));
	case MHK_HW_FAILED:
		return mhi_err_set(
			err, MH_EIO,
			"%s failed on a CPU (error %u) although nobody holds %s; see the "
			"kernel log: dmesg",
			w->instruction, missing, w->extension);
	default:
		return mhi_err_set(
			err, MH_EABI,
			"the kernel module reports status %u, which this library does not "
			"know; update the library",
			hw);
	}
}
