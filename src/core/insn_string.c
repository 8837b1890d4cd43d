// SPDX-License-Identifier: MIT
/* String instructions of the emulator, memory and port: one iteration, and REP around it. */
#include "core/insn_priv.h"

/* Iterations of one call: the caller looks for kicks and stops in between. */
#define REP_BUDGET 1024

struct string {
	struct mhi_insn_ctx *c;
	u64 step; /* added to SI and DI */
	u64 addr_mask;
	struct mhi_insn_page src, dst; /* the pages of the last iteration */
};

static u64 index_get(const struct string *st, unsigned int reg)
{
	return st->c->s->gpr[reg] & st->addr_mask;
}

static void index_step(const struct string *st, unsigned int reg)
{
	mhi_insn_gpr_set(st->c, reg, st->c->d->addrsize, st->c->s->gpr[reg] + st->step);
}

static int ref_source(struct string *st, struct mhi_insn_ref *ref)
{
	st->c->page = &st->src;
	return mhi_insn_ref(st->c, st->c->d->seg, index_get(st, MHK_RSI), st->c->d->size, false,
			    ref);
}

static int ref_dest(struct string *st, bool write, struct mhi_insn_ref *ref)
{
	st->c->page = &st->dst;
	return mhi_insn_ref(st->c, MHK_ES, index_get(st, MHK_RDI), st->c->d->size, write, ref);
}

static int step_movs(struct string *st)
{
	struct mhi_insn_ref src, dst;
	u64 v = 0;
	int rc;

	/* Both ends first: a fault must not follow a read that a device has noticed. */
	rc = ref_source(st, &src);
	if (!rc)
		rc = ref_dest(st, true, &dst);
	if (!rc)
		rc = mhi_insn_ref_read(st->c, &src, &v);
	if (!rc)
		rc = mhi_insn_ref_write(st->c, &dst, &v);
	if (rc)
		return rc;
	index_step(st, MHK_RSI);
	index_step(st, MHK_RDI);
	return 0;
}

static int step_stos(struct string *st)
{
	struct mhi_insn_ref dst;
	int rc;

	rc = ref_dest(st, true, &dst);
	if (!rc)
		rc = mhi_insn_ref_write(st->c, &dst, &st->c->s->gpr[MHK_RAX]);
	if (!rc)
		index_step(st, MHK_RDI);
	return rc;
}

static int step_lods(struct string *st)
{
	struct mhi_insn_ref src;
	u64 v = 0;
	int rc;

	rc = ref_source(st, &src);
	if (!rc)
		rc = mhi_insn_ref_read(st->c, &src, &v);
	if (rc)
		return rc;
	mhi_insn_gpr_set(st->c, MHK_RAX, st->c->d->size, v);
	index_step(st, MHK_RSI);
	return 0;
}

static void compare(struct string *st, u64 a, u64 b)
{
	unsigned int size = st->c->d->size;

	mhi_alu_sub(a & mhi_insn_mask(size), b, 0, size, &st->c->s->rflags);
	st->c->out->dirty |= MHK_G_RIP;
}

static int step_cmps(struct string *st)
{
	struct mhi_insn_ref src, dst;
	u64 a = 0, b = 0;
	int rc;

	rc = ref_source(st, &src);
	if (!rc)
		rc = ref_dest(st, false, &dst);
	if (!rc)
		rc = mhi_insn_ref_read(st->c, &src, &a);
	if (!rc)
		rc = mhi_insn_ref_read(st->c, &dst, &b);
	if (rc)
		return rc;
	compare(st, a, b);
	index_step(st, MHK_RSI);
	index_step(st, MHK_RDI);
	return 0;
}

static int step_scas(struct string *st)
{
	struct mhi_insn_ref dst;
	u64 b = 0;
	int rc;

	rc = ref_dest(st, false, &dst);
	if (!rc)
		rc = mhi_insn_ref_read(st->c, &dst, &b);
	if (rc)
		return rc;
	compare(st, st->c->s->gpr[MHK_RAX], b);
	index_step(st, MHK_RDI);
	return 0;
}

static int step_ins(struct string *st)
{
	const struct mhi_insn_env *env = st->c->env;
	struct mhi_insn_ref dst;
	u32 v;
	int rc;

	rc = ref_dest(st, true, &dst);
	if (rc)
		return rc;
	v = env->in(env->opaque, (u16)st->c->s->gpr[MHK_RDX], st->c->d->size);
	rc = mhi_insn_ref_write(st->c, &dst, &v);
	if (!rc)
		index_step(st, MHK_RDI);
	return rc;
}

static int step_outs(struct string *st)
{
	const struct mhi_insn_env *env = st->c->env;
	struct mhi_insn_ref src;
	u32 v = 0;
	int rc;

	rc = ref_source(st, &src);
	if (!rc)
		rc = mhi_insn_ref_read(st->c, &src, &v);
	if (rc)
		return rc;
	env->out(env->opaque, (u16)st->c->s->gpr[MHK_RDX], st->c->d->size, v);
	index_step(st, MHK_RSI);
	return 0;
}

/* CMPS and SCAS end when ZF differs from what the prefix repeats on: SDM 2B "REP/REPE/REPNE". */
static bool ends_early(const struct mhi_insn_ctx *c)
{
	bool equal = (c->s->rflags & RFLAGS_ZF) != 0;

	if (c->d->op != MHI_OP_CMPS && c->d->op != MHI_OP_SCAS)
		return false;
	return equal != (c->d->rep == MHI_REP_E);
}

static int repeat(struct string *st, int (*step)(struct string *))
{
	struct mhi_insn_ctx *c = st->c;
	/* Under TF each iteration is a step of its own: SDM 3B 18.3.1.4. */
	unsigned int budget = c->s->rflags & MHI_RFLAGS_TF ? 1 : REP_BUDGET;
	u64 count;
	int rc;

	while ((count = index_get(st, MHK_RCX)) != 0) {
		if (!budget--) {
			c->out->again = true;
			return 0;
		}
		rc = step(st);
		if (rc)
			return rc;
		mhi_insn_gpr_set(c, MHK_RCX, c->d->addrsize, count - 1);
		if (ends_early(c))
			break;
	}
	mhi_insn_advance(c);
	return 0;
}

int mhi_insn_string(struct mhi_insn_ctx *c)
{
	static int (*const steps[MHI_OP_COUNT])(struct string *) = {
		[MHI_OP_MOVS] = step_movs, [MHI_OP_STOS] = step_stos, [MHI_OP_LODS] = step_lods,
		[MHI_OP_CMPS] = step_cmps, [MHI_OP_SCAS] = step_scas, [MHI_OP_INS] = step_ins,
		[MHI_OP_OUTS] = step_outs,
	};
	struct string st = {
		.c = c,
		.step = c->s->rflags & RFLAGS_DF ? -(u64)c->d->size : c->d->size,
		.addr_mask = mhi_insn_mask(c->d->addrsize),
		.src.gva = ~0ull,
		.dst.gva = ~0ull,
	};
	int rc;

	if (!steps[c->d->op])
		return mhi_insn_refuse(c, "not emulated");
	if (c->d->rep != MHI_REP_NONE)
		return repeat(&st, steps[c->d->op]);
	rc = steps[c->d->op](&st);
	if (!rc)
		mhi_insn_advance(c);
	return rc;
}
