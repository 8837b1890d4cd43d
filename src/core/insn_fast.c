// SPDX-License-Identifier: MIT
/*
 * The short way of the instruction emulator: a plain load or store in 64-bit mode that was decoded
 * before. Whatever is unusual is left, untouched, to the long way.
 */
#include "core/insn_priv.h"

/* The bytes at RIP are still those of *d. */
static bool same_code(const struct mhi_insn_env *env, const struct mhi_gwalk_env *walk,
		      unsigned int user, u64 rip, const struct mhi_insn_dec *d)
{
	struct mhi_gwalk_fault fault;
	const u8 *direct;
	u64 word[2];
	mh_gpa gpa;

	if ((rip & MHI_PAGE_MASK) > MHI_PAGE_SIZE - sizeof(word))
		return false;
	if (mhi_gwalk(walk, rip, MHI_GWALK_X | user, &gpa, &fault))
		return false;
	direct = mhi_gwalk_direct(env->window, gpa);
	if (direct)
		memcpy(word, direct, sizeof(word));
	else if (env->fetch(env->opaque, gpa, word, sizeof(word)))
		return false;
	return !((word[0] ^ d->word[0]) & d->mask[0]) && !((word[1] ^ d->word[1]) & d->mask[1]);
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

bool mhi_insn_fast(const struct mhi_insn_dec *d, const struct mhi_insn_env *env,
		   struct mhk_state *s, struct mhi_insn_out *out)
{
	const struct mhi_gwalk_env walk = {
		.cr0 = s->cr0,
		.cr3 = s->cr3,
		.cr4 = s->cr4,
		.efer = s->efer,
		.rflags = s->rflags,
		.window = env->window,
		.read = env->fetch,
		.opaque = env->opaque,
	};
	unsigned int user = mhi_insn_cpl(s) == 3 ? MHI_GWALK_USER : 0;
	bool store = d->op == MHI_OP_STORE;
	unsigned int size = store ? d->dst.size : d->src.size;
	struct mhi_gwalk_fault fault;
	u64 v = 0;
	mh_gva gva;
	mh_gpa gpa;

	gva = operand_address(s, d);
	if ((gva & MHI_PAGE_MASK) > MHI_PAGE_SIZE - size || !same_code(env, &walk, user, s->rip, d))
		return false;
	if (mhi_gwalk(&walk, gva, user | (store ? MHI_GWALK_W : 0), &gpa, &fault))
		return false;
	out->dirty = MHK_G_RIP;
	if (store) {
		v = d->src.kind == MHI_OPND_GPR ? s->gpr[d->src.reg] : d->imm;
		if (env->write(env->opaque, gpa, &v, size))
			return false;
	} else {
		if (env->read(env->opaque, gpa, &v, size))
			return false;
		mhi_insn_gpr_put(&s->gpr[d->dst.reg], d->dst.size, v);
		out->dirty |= MHK_G_GPR;
	}
	s->rip += d->len;
	s->rflags &= ~RFLAGS_RF;
	return true;
}
