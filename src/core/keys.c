/* SPDX-License-Identifier: MIT */
/* Keys that are down, and releases that are owed. */
#include "core/keys.h"

#define WORDS (MHI_KEYS / 64)

void mhi_keys_told(struct mhi_keys *k, u32 code, bool down)
{
	u64 bit = MHI_BIT(code % 64);

	if (down)
		k->down[code / 64] |= bit;
	else
		k->down[code / 64] &= ~bit;
	if (!mhi_keys_owed(k, code))
		return;
	k->owed[code / 64] &= ~bit;
	k->owes--;
}

void mhi_keys_owe(struct mhi_keys *k, u32 code)
{
	if (mhi_keys_owed(k, code))
		return;
	k->owed[code / 64] |= MHI_BIT(code % 64);
	k->owes++;
}

u32 mhi_keys_next(const struct mhi_keys *k)
{
	for (u32 word = 0; k->owes && word < WORDS; word++)
		if (k->owed[word])
			return word * 64 + (u32)__builtin_ctzll(k->owed[word]);
	return MHI_KEYS_NONE;
}
