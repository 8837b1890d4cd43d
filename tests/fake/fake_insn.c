/* SPDX-License-Identifier: MIT */
/* A fake of the instruction emulator: the test says what one instruction does. */
#include "fake_insn.h"

#include <stdlib.h>

struct mhi_insn_cache {
	int unused;
};

fake_insn_fn *fake_insn;

struct mhi_insn_cache *mhi_insn_cache_create(void)
{
	return calloc(1, sizeof(struct mhi_insn_cache));
}

void mhi_insn_cache_destroy(struct mhi_insn_cache *cache)
{
	free(cache);
}

enum mhi_insn_result mhi_insn_emulate(struct mhi_insn_cache *cache, const struct mhi_insn_env *env,
				      struct mhk_state *s, const u8 *bytes, unsigned int len,
				      struct mhi_insn_out *out)
{
	return fake_insn(env, s, bytes, len, out);
}
