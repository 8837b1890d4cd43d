/* SPDX-License-Identifier: (GPL-2.0 OR MIT) */
/*
 * Privileged x86 instructions common to both vendors, for the kernel build. Raw: no kernel shadow
 * is kept.
 */
#ifndef MHI_PORT_X86_INSN_H
#define MHI_PORT_X86_INSN_H

#include <asm/msr.h>
#include "mhi_port.h"

static inline u64 mhi_rdmsr(u32 index)
{
	u32 lo, hi;

	asm volatile("rdmsr" : "=a"(lo), "=d"(hi) : "c"(index));
	return (u64)hi << 32 | lo;
}

/* For MSRs and values that are known to be good: a fault here is a host oops. */
static inline void mhi_wrmsr(u32 index, u64 value)
{
	asm volatile("wrmsr" : : "c"(index), "a"((u32)value), "d"((u32)(value >> 32)) : "memory");
}

/* 0, or negative when the MSR does not exist. */
static inline int mhi_rdmsr_safe(u32 index, u64 *value)
{
	u32 lo = 0, hi = 0;
	int err = rdmsr_safe(index, &lo, &hi);

	*value = (u64)hi << 32 | lo;
	return err;
}

static inline void mhi_cpuid(u32 leaf, u32 subleaf, u32 r[4])
{
	asm volatile("cpuid"
		     : "=a"(r[0]), "=b"(r[1]), "=c"(r[2]), "=d"(r[3])
		     : "a"(leaf), "c"(subleaf));
}

#define MHI_CR_ACCESS(n)                                                   \
	static inline u64 mhi_read_cr##n(void)                             \
	{                                                                  \
		u64 v;                                                     \
		asm volatile("mov %%cr" #n ", %0" : "=r"(v) : : "memory"); \
		return v;                                                  \
	}                                                                  \
	static inline void mhi_write_cr##n(u64 v)                          \
	{                                                                  \
		asm volatile("mov %0, %%cr" #n : : "r"(v) : "memory");     \
	}

MHI_CR_ACCESS(0)
MHI_CR_ACCESS(2)
MHI_CR_ACCESS(3)
MHI_CR_ACCESS(4)
#undef MHI_CR_ACCESS

/* An instruction names its debug register: one case for each. */
#define MHI_DR_CASES(INSN) INSN(0) INSN(1) INSN(2) INSN(3) INSN(6) INSN(7)
#define MHI_DR_READ(n)                                        \
	case n:                                               \
		asm volatile("mov %%db" #n ", %0" : "=r"(v)); \
		break;
#define MHI_DR_WRITE(n)                                     \
	case n:                                             \
		asm volatile("mov %0, %%db" #n : : "r"(v)); \
		break;

static inline u64 mhi_read_dr(unsigned int nr)
{
	u64 v = 0;

	switch (nr) {
		MHI_DR_CASES(MHI_DR_READ)
	}
	return v;
}

static inline void mhi_write_dr(unsigned int nr, u64 v)
{
	switch (nr) {
		MHI_DR_CASES(MHI_DR_WRITE)
	}
}
#undef MHI_DR_READ
#undef MHI_DR_WRITE
#undef MHI_DR_CASES

static inline u64 mhi_rdtsc(void)
{
	u32 lo, hi;

	asm volatile("rdtsc" : "=a"(lo), "=d"(hi));
	return (u64)hi << 32 | lo;
}

static inline void mhi_pause(void)
{
	asm volatile("pause");
}

/* XCR0; only where CR4.OSXSAVE is set. */
static inline u64 mhi_xgetbv0(void)
{
	u32 lo, hi;

	asm volatile("xgetbv" : "=a"(lo), "=d"(hi) : "c"(0));
	return (u64)hi << 32 | lo;
}

static inline void mhi_xsetbv0(u64 v)
{
	asm volatile("xsetbv" : : "c"(0), "a"((u32)v), "d"((u32)(v >> 32)) : "memory");
}

/* FXSAVE and FXRSTOR ignore the mask. */
#define MHI_FPU_INSN(insn)                                                       \
	static inline void mhi_##insn(void *area, u64 mask)                      \
	{                                                                        \
		asm volatile(#insn "64 (%0)"                                     \
			     :                                                   \
			     : "r"(area), "a"((u32)mask), "d"((u32)(mask >> 32)) \
			     : "memory");                                        \
	}

MHI_FPU_INSN(xsave)
MHI_FPU_INSN(xrstor)
MHI_FPU_INSN(fxsave)
MHI_FPU_INSN(fxrstor)
#undef MHI_FPU_INSN

/* Hand a machine check that hit the guest to the host's handler: the banks still hold it. */
static inline void mhi_raise_mce(void)
{
	asm volatile("int $18" : : : "memory");
}

#endif
