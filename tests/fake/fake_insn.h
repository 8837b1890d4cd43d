/* SPDX-License-Identifier: MIT */
/* A fake of the instruction emulator: the test says what one instruction does. */
#ifndef FAKE_INSN_H
#define FAKE_INSN_H

#include "core/insn.h"

typedef enum mhi_insn_result fake_insn_fn(const struct mhi_insn_env *env, struct mhk_state *s,
					  const u8 *bytes, unsigned int len,
					  struct mhi_insn_out *out);
extern fake_insn_fn *fake_insn;

#endif
