// SPDX-License-Identifier: MIT
/*
 * The short way of the instruction emulator: a plain load or store in 64-bit mode that was decoded
 * before. Whatever is unusual is left, untouched, to the long way.
 */
#include "core/insn_priv.h"

static bool same_bytes(const struct mhi_insn_dec *d, const u64 word[2])
{
	return !((word[0] ^ d->word[0]) & d->mask[0]) && !((word[1] ^ d->word[1]) & d->mask[1]);
}

/* The bytes at RIP are still those of the line's instruction. */
static bool same_code(struct mhi_insn_line *line, const struct mhi_insn_regs *r,
		      const struct mhi_insn_env *env, u64 rip, unsigned int user)
{
	u64 offset = rip & MHI_PAGE_MASK, word[2];

	if (offset > MHI_PAGE_SIZE - sizeof(word))
		return false;
	if (!mhi_insn_memo_walk(&line->code, r, rip, MHI_GWALK_X | user, env))
		return false;
	if (!line->code.direct)
		return false;
	memcpy(word, line->code.direct + offset, sizeof(word));
	return same_bytes(&line->dec, word);
}

static mh_gva operand_address(const struct mhk_state *s, const struct mhi_insn_dec *d)
{
	u64 ea = (u64)d->disp;

	if (d->base < MHK_GPRS)
		ea += s->gpr[d->base];
	else if (d->base == MHI_INSN_RIP)
		ea += s->rip + d->len;
	if (d->index < MHK_GPRS)
		ea += s->gpr[d->index] * d->scale;
	if (d->addrsize != 8)
		ea &= mhi_insn_mask(d->addrsize);
	return d->seg >= MHK_FS ? ea + s->seg[d->seg].base : ea;
}

static bool do_store(const struct mhi_insn_dec *d, const struct mhi_insn_env *env,
		     const struct mhk_state *s, mh_gpa gpa)
{
	u64 v = d->src.kind == MHI_OPND_GPR ? s->gpr[d->src.reg] : d->imm;

	return !env->write(env->opaque, gpa, &v, d->dst.size);
}

static bool do_load(const struct mhi_insn_dec *d, const struct mhi_insn_env *env,
		    struct mhk_state *s, mh_gpa gpa)
{
	u64 v = 0;

	if (env->read(env->opaque, gpa, &v, d->src.size))
		return false;
	mhi_insn_gpr_put(&s->gpr[d->dst.reg], d->dst.size, v);
	return true;
}

bool mhi_insn_fast(struct mhi_insn_line *line, struct mhi_insn_regs *r,
		   const struct mhi_insn_env *env, struct mhk_state *s, struct mhi_insn_out *out,
		   const struct mhi_insn_bytes *given)
{
	const struct mhi_insn_dec *d = &line->dec;
	unsigned int user = mhi_insn_cpl(s) == 3 ? MHI_GWALK_USER : 0;
	bool store = d->op == MHI_OP_STORE;
	mh_gva gva = operand_address(s, d);
	u64 offset = gva & MHI_PAGE_MASK;

	if (!env->window[0].bytes || offset > MHI_PAGE_SIZE - (store ? d->dst.size : d->src.size))
		return false;
	mhi_insn_regs_set(r, s, env);
	if (given->len ? given->len < d->len || !same_bytes(d, given->word)
		       : !same_code(line, r, env, s->rip, user))
		return false;
	if (!mhi_insn_memo_walk(&line->operand, r, gva, user | (store ? MHI_GWALK_W : 0), env))
		return false;
	if (store ? !do_store(d, env, s, line->operand.gpa | offset)
		  : !do_load(d, env, s, line->operand.gpa | offset))
		return false;
	out->dirty = store ? MHK_G_RIP : MHK_G_RIP | MHK_G_GPR;
	s->rip += d->len;
	s->rflags &= ~RFLAGS_RF;
	return true;
}
