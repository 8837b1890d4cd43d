/* SPDX-License-Identifier: (GPL-2.0 OR MIT) */
/* Address types and small macros for all freestanding code; integers come from the port header. */
#ifndef MHI_BASE_TYPES_H
#define MHI_BASE_TYPES_H

#include "mhi_port.h" /* chosen by -I: src/kdrv/port, src/core/port or tests/fake/port */

typedef u64 mh_gpa; /* guest-physical */
typedef u64 mh_gva; /* guest-linear */
typedef u64 mh_hpa; /* host-physical */

#define MHI_PAGE_SHIFT 12
#define MHI_PAGE_SIZE 4096ull
#define MHI_PAGE_MASK (MHI_PAGE_SIZE - 1)

#define MHI_BIT(n) (1ull << (n))
#define MHI_COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define MHI_STATIC_ASSERT(cond) _Static_assert(cond, #cond)

/* Bits hi..lo of v, shifted down. */
static inline u64 mhi_bits(u64 v, unsigned int hi, unsigned int lo)
{
	return (v >> lo) & (~0ull >> (63 - (hi - lo)));
}

#endif
