/* SPDX-License-Identifier: MIT */
/*
 * Which keys and buttons a guest has been told are down, and which releases it could not be told
 * yet: what is held down for a guest that does not take its events is let go later. Numbers are
 * evdev's.
 */
#ifndef MHI_CORE_KEYS_H
#define MHI_CORE_KEYS_H

#include "base/types.h"

#define MHI_KEYS 0x300 /* KEY_CNT of linux/input-event-codes.h */
#define MHI_KEYS_NONE (~0u)

struct mhi_keys {
	u64 down[MHI_KEYS / 64]; /* as the guest has it */
	u64 owed[MHI_KEYS / 64]; /* down, and to be released as soon as there is room */
	u32 owes;
};

static inline bool mhi_keys_down(const struct mhi_keys *k, u32 code)
{
	return k->down[code / 64] >> (code % 64) & 1;
}

static inline bool mhi_keys_owed(const struct mhi_keys *k, u32 code)
{
	return k->owed[code / 64] >> (code % 64) & 1;
}

/* The guest has been told. */
void mhi_keys_told(struct mhi_keys *k, u32 code, bool down);
/* The guest is to be told of its release. */
void mhi_keys_owe(struct mhi_keys *k, u32 code);
/* One that is owed, or MHI_KEYS_NONE. */
u32 mhi_keys_next(const struct mhi_keys *k);

#endif
