/* SPDX-License-Identifier: MIT */
/* Fake of the port header of x86 instructions: what the test last set. */
#ifndef MHI_X86_INSN_H
#define MHI_X86_INSN_H

#include "base/types.h"

extern u64 fake_tsc; /* fake_x86.c */

static inline u64 mhi_rdtsc(void)
{
	return fake_tsc;
}

#endif
