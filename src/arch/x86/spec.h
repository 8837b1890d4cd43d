/* SPDX-License-Identifier: (GPL-2.0 OR MIT) */
/*
 * Barriers against speculation that a section begins with. What each entry and exit does besides
 * is in src/kdrv/port/asm.h; docs/security/speculation.md has the whole picture.
 */
#ifndef MHI_ARCH_SPEC_H
#define MHI_ARCH_SPEC_H

#include "arch/x86/vcpu.h"

/* SDM 4 2.1 "Architectural MSRs"; of both one bit is the command. */
#define MHI_MSR_PRED_CMD 0x49
#define MHI_MSR_FLUSH_CMD 0x10b

/*
 * Within a section of a VM that has barriers, before its first entry. Two vCPUs are strangers even
 * in one VM: a guest is not offered IBPB, so its kernel cannot keep them apart on one CPU.
 */
void mhi_spec_begin(struct mhi_vcpu *v);

#endif
