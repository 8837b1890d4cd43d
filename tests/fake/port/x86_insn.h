/* SPDX-License-Identifier: MIT */
/*
 * Fake of the port header of x86 instructions: a CPU whose CPUID, MSRs and registers the test
 * sets.
 */
#ifndef MHI_X86_INSN_H
#define MHI_X86_INSN_H

#include "base/types.h"

/* ---- the test's side: fake_x86.c ---- */

extern u64 fake_tsc;
extern u64 fake_cr[9], fake_dr[8], fake_xcr0;
extern unsigned int fake_faults; /* accesses to MSRs that do not exist, CPUID leaves apart */

void fake_x86_reset(void); /* no CPUID leaf, no MSR, all registers 0 */
void fake_cpuid_set(u32 leaf, u32 subleaf, const u32 r[4]);
void fake_msr_set(u32 index, u64 value); /* makes it exist */
u64 fake_msr(u32 index);		 /* 0 when it does not */
unsigned int fake_msr_writes(u32 index); /* by the code under test */

/* ---- the port ---- */

u64 mhi_rdmsr(u32 index);
void mhi_wrmsr(u32 index, u64 value);
int mhi_rdmsr_safe(u32 index, u64 *value);
void mhi_cpuid(u32 leaf, u32 subleaf, u32 r[4]);

static inline u64 mhi_rdtsc(void)
{
	return fake_tsc;
}

static inline void mhi_pause(void)
{
	fake_tsc += 40;
}

#define MHI_CR_ACCESS(n)                          \
	static inline u64 mhi_read_cr##n(void)    \
	{                                         \
		return fake_cr[n];                \
	}                                         \
	static inline void mhi_write_cr##n(u64 v) \
	{                                         \
		fake_cr[n] = v;                   \
	}

MHI_CR_ACCESS(0)
MHI_CR_ACCESS(2)
MHI_CR_ACCESS(3)
MHI_CR_ACCESS(4)
#undef MHI_CR_ACCESS

static inline u64 mhi_read_dr(unsigned int n)
{
	return fake_dr[n];
}

static inline void mhi_write_dr(unsigned int n, u64 v)
{
	fake_dr[n] = v;
}

static inline u64 mhi_xgetbv0(void)
{
	return fake_xcr0;
}

static inline void mhi_xsetbv0(u64 v)
{
	fake_xcr0 = v;
}

void mhi_raise_mce(void);

#endif
