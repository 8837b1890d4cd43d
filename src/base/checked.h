/* SPDX-License-Identifier: (GPL-2.0 OR MIT) */
/* Overflow-checked arithmetic for every size and address that comes from outside. */
#ifndef MHI_BASE_CHECKED_H
#define MHI_BASE_CHECKED_H

#include "base/types.h"

/* True when the result fits; *out is written in any case. */
static inline bool mhi_add_u64(u64 a, u64 b, u64 *out)
{
	return !__builtin_add_overflow(a, b, out);
}

/* Does [start, start + bytes) stay within [0, limit), without wrapping? */
static inline bool mhi_range_within(u64 start, u64 bytes, u64 limit)
{
	u64 end;

	return mhi_add_u64(start, bytes, &end) && end <= limit;
}

/*
 * index, which a check has found to be below size; 0 where the CPU only guesses that it was. For
 * what a guest or user space chose, before it indexes anything (Spectre v1).
 */
static inline u64 mhi_index_nospec(u64 index, u64 size)
{
	u64 mask;

	__asm__ volatile("cmp %2, %1; sbb %0, %0" : "=r"(mask) : "r"(index), "r"(size) : "cc");
	return index & mask;
}

static inline bool mhi_ranges_overlap(u64 a, u64 a_bytes, u64 b, u64 b_bytes)
{
	return a < b + b_bytes && b < a + a_bytes;
}

#endif
