/* SPDX-License-Identifier: MIT */
/* Repeatable random numbers for tests (xorshift64). */
#ifndef FAKE_RNG_H
#define FAKE_RNG_H

#include "base/types.h"

struct rng {
	u64 s; /* not 0 */
};

static inline u64 rng_next(struct rng *r)
{
	r->s ^= r->s << 13;
	r->s ^= r->s >> 7;
	r->s ^= r->s << 17;
	return r->s;
}

/* 0 .. n - 1 */
static inline u64 rng_below(struct rng *r, u64 n)
{
	return (rng_next(r) >> 11) % n;
}

#endif
