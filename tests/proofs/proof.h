/* SPDX-License-Identifier: MIT */
/* What the harnesses share: values that CBMC chooses, assumptions, claims. */
#ifndef TESTS_PROOF_H
#define TESTS_PROOF_H

#include "base/types.h"

bool nondet_bool(void);
u8 nondet_u8(void);
u16 nondet_u16(void);
u32 nondet_u32(void);
u64 nondet_u64(void);
size_t nondet_size(void);

/* From here on only what satisfies the condition is looked at. */
#define ASSUME(condition) __CPROVER_assume(condition)
/* It holds whatever CBMC has chosen. */
#define CLAIM(condition) __CPROVER_assert(condition, #condition)

#define READABLE(p, bytes) __CPROVER_r_ok(p, bytes)
#define WRITABLE(p, bytes) __CPROVER_w_ok(p, bytes)
/* Anything is in the object, or in this many bytes of it. */
#define ANYTHING(object) __CPROVER_havoc_object(&(object))
#define ANY_BYTES(p, bytes) __CPROVER_havoc_slice(p, bytes)

#endif
