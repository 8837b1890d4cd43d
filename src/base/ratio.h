/* SPDX-License-Identifier: (GPL-2.0 OR MIT) */
/*
 * Clocks that go at a ratio of each other: binary fractions, ratio / 2^shift, as CPUs scale the TSC
 * by. shift is from 1 to 63.
 */
#ifndef MHI_BASE_RATIO_H
#define MHI_BASE_RATIO_H

#include "base/types.h"

/* ticks * ratio / 2^shift, rounded down, modulo 2^64: what the CPU computes. */
static inline u64 mhi_ratio_scale(u64 ticks, u64 ratio, u32 shift)
{
	return (u64)(((unsigned __int128)ticks * ratio) >> shift);
}

/* The least number of ticks that scales to at least `scaled` ones; ~0 if none does. */
static inline u64 mhi_ratio_unscale(u64 scaled, u64 ratio, u32 shift)
{
	u64 high = scaled >> (64 - shift), low = scaled << shift, rest;

	if (high >= ratio)
		return ~0ull;
	/* The kernel has no function for the compiler's division of 128 bits. */
	__asm__("divq %4" : "=a"(low), "=d"(rest) : "a"(low), "d"(high), "r"(ratio) : "cc");
	return low + (rest && low != ~0ull);
}

#endif
