/* SPDX-License-Identifier: (GPL-2.0 OR MIT) */
/*
 * Names of what mhi_exit.raw holds under VMX. Pure, and free of privileged code: the library has it
 * too.
 */
#ifndef MHI_VMX_NAMES_H
#define MHI_VMX_NAMES_H

#include "base/types.h"

/*
 * Numbers that raw may have with MHI_X_ENTRY_FAILED beside the CPU's own, which are a VM-
 * instruction error (SDM 3C 30.4) or an exit reason with bit 31 set.
 */
#define MHI_VMX_NEEDS_UNRESTRICTED \
	0x80010000u			/* real mode or paging off without unrestricted guest */
#define MHI_VMX_FIELD_ERROR 0x80010001u /* VMREAD or VMWRITE failed; raw_info[0]: the field */
#define MHI_VMX_INSN_FAILED 0x80010002u /* failed without a number; raw_info[0]: enum vmx_insn */
#define MHI_VMX_BUSY 0x80010003u	/* CR4.VMXE is set: another hypervisor has the CPU */

#endif
