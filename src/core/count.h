/* SPDX-License-Identifier: MIT */
/* Counters that one thread counts, without a lock, and others read. */
#ifndef MHI_CORE_COUNT_H
#define MHI_CORE_COUNT_H

#include "base/types.h"

static inline void mhi_count(u64 *counter)
{
	/* Paired with mhi_counted; it orders nothing. */
	__atomic_store_n(counter, *counter + 1, __ATOMIC_RELAXED);
}

static inline u64 mhi_counted(const u64 *counter)
{
	return __atomic_load_n(counter, __ATOMIC_RELAXED);
}

#endif
