/* SPDX-License-Identifier: (GPL-2.0 OR MIT) */
/* Names of raw exit codes, for messages: pure, also in the library. Never NULL. */
#ifndef MHI_ARCH_EXIT_NAMES_H
#define MHI_ARCH_EXIT_NAMES_H

#include "base/types.h"

const char *mhi_vmx_exit_name(u32 raw);
/*
 * Of a VMX entry that failed: VM-instruction errors, and what vmx_names.h adds; info: raw_info[0].
 */
const char *mhi_vmx_entry_error_name(u32 raw, u64 info);
/* Both of exits and of entries that failed. */
const char *mhi_svm_exit_name(u32 raw);

#endif
