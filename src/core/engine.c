/* SPDX-License-Identifier: MIT */
/* What all engines share: names of raw exit reasons. */
#include "core/engine.h"

#include "arch/x86/exit_names.h"

const char *mhi_engine_exit_name(const struct mhk_info *info, u32 raw)
{
	switch (info->vendor) {
	case MHK_VENDOR_VMX:
		return mhi_vmx_exit_name(raw);
	case MHK_VENDOR_SVM:
		return mhi_svm_exit_name(raw);
	default:
		return "exit of an unknown vendor";
	}
}

const char *mhi_engine_entry_error_name(const struct mhk_info *info, u32 raw, u64 raw_info)
{
	if (info->vendor == MHK_VENDOR_VMX)
		return mhi_vmx_entry_error_name(raw, raw_info);
	return mhi_engine_exit_name(info, raw);
}
