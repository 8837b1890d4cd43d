/* SPDX-License-Identifier: (GPL-2.0 OR MIT) */
/*
 * Atomics over the compiler's builtins: the same code in the kernel, in the library and in
 * tests.
 */
#ifndef MHI_BASE_ATOMIC_H
#define MHI_BASE_ATOMIC_H

#include "base/types.h"

static inline u32 mhi_load32(const u32 *p)
{
	return __atomic_load_n(p, __ATOMIC_ACQUIRE);
}

static inline void mhi_store32(u32 *p, u32 v)
{
	__atomic_store_n(p, v, __ATOMIC_RELEASE);
}

static inline u64 mhi_load64(const u64 *p)
{
	return __atomic_load_n(p, __ATOMIC_ACQUIRE);
}

static inline void mhi_store64(u64 *p, u64 v)
{
	__atomic_store_n(p, v, __ATOMIC_RELEASE);
}

/* A pointer that another thread sets once: what it points to is seen as it was then. */
#define mhi_load_ptr(p) __atomic_load_n((p), __ATOMIC_ACQUIRE)

/* The three below order fully: a producer's bit is seen before its kick, see mhi_host_kick(). */
static inline u32 mhi_fetch_or32(u32 *p, u32 v)
{
	return __atomic_fetch_or(p, v, __ATOMIC_SEQ_CST);
}

static inline u32 mhi_fetch_and32(u32 *p, u32 v)
{
	return __atomic_fetch_and(p, v, __ATOMIC_SEQ_CST);
}

static inline u32 mhi_xchg32(u32 *p, u32 v)
{
	return __atomic_exchange_n(p, v, __ATOMIC_SEQ_CST);
}

#endif
