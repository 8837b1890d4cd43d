/* SPDX-License-Identifier: MIT */
/* Overflow-checked multiplication: base/checked.h has what the module needs, too. */
#ifndef MHI_CORE_MUL_H
#define MHI_CORE_MUL_H

#include "base/types.h"

/* True when the result fits; *out is written in any case. */
static inline bool mhi_mul_u64(u64 a, u64 b, u64 *out)
{
	return !__builtin_mul_overflow(a, b, out);
}

#endif
