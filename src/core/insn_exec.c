// SPDX-License-Identifier: MIT
/* What each emulated instruction does, string instructions apart: one small function a kind. */
#include "core/insn_priv.h"

#define SEG_BIG (1u << 14)

/* Past the instruction: RIP wraps at the size of the code segment, and RF is spent. */
void mhi_insn_advance(struct mhi_insn_ctx *c)
{
	static const u64 wrap[MHI_INSN_MODES] = {
		[MHI_INSN_64] = ~0ull,
		[MHI_INSN_32] = 0xffffffff,
		[MHI_INSN_16] = 0xffff,
		[MHI_INSN_REAL] = 0xffff,
	};

	c->s->rip = (c->s->rip + c->d->len) & wrap[c->mode];
	c->s->rflags &= ~RFLAGS_RF;
	c->out->dirty |= MHK_G_RIP;
}

static u64 sign_extend(u64 v, unsigned int bytes)
{
	unsigned int shift = 64 - 8 * bytes;

	return (u64)((s64)(v << shift) >> shift);
}

static int exec_nop(struct mhi_insn_ctx *c)
{
	return 0;
}

/* The two that drivers use for their registers, with nothing in between. */
static int exec_store(struct mhi_insn_ctx *c)
{
	const struct mhi_insn_dec *d = c->d;
	u64 v = d->src.kind == MHI_OPND_GPR ? c->s->gpr[d->src.reg] : d->imm;
	struct mhi_insn_ref ref;
	int rc;

	rc = mhi_insn_ref(c, d->seg, mhi_insn_ea(c), d->dst.size, true, &ref);
	return rc ? rc : mhi_insn_ref_write(c, &ref, &v);
}

static int exec_load(struct mhi_insn_ctx *c)
{
	const struct mhi_insn_dec *d = c->d;
	struct mhi_insn_ref ref;
	u64 v = 0;
	int rc;

	rc = mhi_insn_ref(c, d->seg, mhi_insn_ea(c), d->src.size, false, &ref);
	if (!rc)
		rc = mhi_insn_ref_read(c, &ref, &v);
	if (!rc)
		mhi_insn_gpr_set(c, d->dst.reg, d->dst.size, v);
	return rc;
}

static int exec_mov(struct mhi_insn_ctx *c)
{
	const struct mhi_insn_dec *d = c->d;
	struct mhi_insn_loc dst, src;
	u64 v;
	int rc;

	rc = mhi_insn_open(c, &d->src, false, &src);
	if (!rc)
		rc = mhi_insn_open(c, &d->dst, true, &dst);
	if (!rc)
		rc = mhi_insn_load(c, &src, &v);
	if (rc)
		return rc;
	if (d->op == MHI_OP_MOVSX)
		v = sign_extend(v, d->src.size);
	else if (d->op == MHI_OP_MOVBE)
		v = __builtin_bswap64(v) >> (64 - 8 * d->src.size);
	return mhi_insn_store(c, &dst, v);
}

static u64 alu_result(u8 op, u64 a, u64 b, unsigned int bytes, u64 *rflags)
{
	unsigned int carry = *rflags & RFLAGS_CF ? 1 : 0;

	switch (op) {
	case MHI_OP_ADD:
		return mhi_alu_add(a, b, 0, bytes, rflags);
	case MHI_OP_ADC:
		return mhi_alu_add(a, b, carry, bytes, rflags);
	case MHI_OP_SUB:
	case MHI_OP_CMP:
		return mhi_alu_sub(a, b, 0, bytes, rflags);
	case MHI_OP_SBB:
		return mhi_alu_sub(a, b, carry, bytes, rflags);
	case MHI_OP_AND:
	case MHI_OP_TEST:
		return mhi_alu_logic(a & b, bytes, rflags);
	case MHI_OP_OR:
		return mhi_alu_logic(a | b, bytes, rflags);
	default: /* XOR */
		return mhi_alu_logic(a ^ b, bytes, rflags);
	}
}

static int exec_alu(struct mhi_insn_ctx *c)
{
	const struct mhi_insn_dec *d = c->d;
	bool store = d->op != MHI_OP_CMP && d->op != MHI_OP_TEST;
	struct mhi_insn_loc dst, src;
	u64 a, b, r, rflags = c->s->rflags;
	int rc;

	rc = mhi_insn_open(c, &d->src, false, &src);
	if (!rc)
		rc = mhi_insn_open(c, &d->dst, store, &dst);
	if (!rc)
		rc = mhi_insn_load(c, &src, &b);
	if (!rc)
		rc = mhi_insn_load(c, &dst, &a);
	if (rc)
		return rc;
	r = alu_result(d->op, a, b, d->dst.size, &rflags);
	if (store)
		rc = mhi_insn_store(c, &dst, r);
	if (!rc)
		c->s->rflags = rflags;
	return rc;
}

/* INC and DEC leave CF; NOT leaves all flags. */
static u64 unary_result(u8 op, u64 a, unsigned int bytes, u64 *rflags)
{
	u64 carry = *rflags & RFLAGS_CF, r;

	if (op == MHI_OP_NOT)
		return ~a;
	if (op == MHI_OP_NEG)
		return mhi_alu_sub(0, a, 0, bytes, rflags);
	if (op == MHI_OP_INC)
		r = mhi_alu_add(a, 1, 0, bytes, rflags);
	else
		r = mhi_alu_sub(a, 1, 0, bytes, rflags);
	*rflags = (*rflags & ~RFLAGS_CF) | carry;
	return r;
}

static int exec_unary(struct mhi_insn_ctx *c)
{
	const struct mhi_insn_dec *d = c->d;
	struct mhi_insn_loc dst;
	u64 a, r, rflags = c->s->rflags;
	int rc;

	rc = mhi_insn_open(c, &d->dst, true, &dst);
	if (!rc)
		rc = mhi_insn_load(c, &dst, &a);
	if (rc)
		return rc;
	r = unary_result(d->op, a, d->dst.size, &rflags);
	rc = mhi_insn_store(c, &dst, r);
	if (!rc)
		c->s->rflags = rflags;
	return rc;
}

/* A bit offset in a register is signed and reaches beyond the operand in memory: SDM 2A "BT". */
static int open_bit(struct mhi_insn_ctx *c, u64 bit, bool store, struct mhi_insn_loc *dst)
{
	const struct mhi_insn_dec *d = c->d;
	s64 units = (s64)sign_extend(bit, d->src.size) >> __builtin_ctz(d->dst.size * 8u);
	u64 ea;

	if (d->dst.kind != MHI_OPND_MEM || d->src.kind != MHI_OPND_GPR)
		return mhi_insn_open(c, &d->dst, store, dst);
	dst->opnd = &d->dst;
	ea = (mhi_insn_ea(c) + (u64)units * d->dst.size) & mhi_insn_mask(d->addrsize);
	return mhi_insn_ref(c, d->seg, ea, d->dst.size, store, &dst->ref);
}

static int exec_bit(struct mhi_insn_ctx *c)
{
	const struct mhi_insn_dec *d = c->d;
	bool store = d->op != MHI_OP_BT;
	struct mhi_insn_loc dst, src;
	u64 v, bit, carry;
	int rc;

	rc = mhi_insn_open(c, &d->src, false, &src);
	if (!rc)
		rc = mhi_insn_load(c, &src, &bit);
	if (!rc)
		rc = open_bit(c, bit, store, &dst);
	if (!rc)
		rc = mhi_insn_load(c, &dst, &v);
	if (rc)
		return rc;
	bit = MHI_BIT(bit & (d->dst.size * 8u - 1));
	carry = v & bit ? RFLAGS_CF : 0;
	if (d->op == MHI_OP_BTS)
		v |= bit;
	else if (d->op == MHI_OP_BTR)
		v &= ~bit;
	else
		v ^= bit;
	if (store)
		rc = mhi_insn_store(c, &dst, v);
	if (!rc)
		c->s->rflags = (c->s->rflags & ~RFLAGS_CF) | carry;
	return rc;
}

/* XCHG and XADD: the old destination goes to the source register. */
static int exec_exchange(struct mhi_insn_ctx *c)
{
	const struct mhi_insn_dec *d = c->d;
	struct mhi_insn_loc dst, src;
	u64 a, b, r, rflags = c->s->rflags;
	int rc;

	rc = mhi_insn_open(c, &d->dst, true, &dst);
	if (!rc)
		rc = mhi_insn_open(c, &d->src, true, &src);
	if (!rc)
		rc = mhi_insn_load(c, &dst, &a);
	if (!rc)
		rc = mhi_insn_load(c, &src, &b);
	if (rc)
		return rc;
	r = d->op == MHI_OP_XADD ? mhi_alu_add(a, b, 0, d->dst.size, &rflags) : b;
	/* The side that can fail goes first; of two registers the destination goes last. */
	if (d->dst.kind == MHI_OPND_MEM) {
		rc = mhi_insn_store(c, &dst, r);
		if (!rc)
			rc = mhi_insn_store(c, &src, a);
	} else {
		rc = mhi_insn_store(c, &src, a);
		if (!rc)
			rc = mhi_insn_store(c, &dst, r);
	}
	if (!rc)
		c->s->rflags = rflags;
	return rc;
}

static int exec_cmpxchg(struct mhi_insn_ctx *c)
{
	const struct mhi_insn_dec *d = c->d;
	u64 acc = c->s->gpr[MHK_RAX] & mhi_insn_mask(d->dst.size);
	struct mhi_insn_loc dst, src;
	u64 v, new, rflags = c->s->rflags;
	int rc;

	rc = mhi_insn_open(c, &d->dst, true, &dst);
	if (!rc)
		rc = mhi_insn_open(c, &d->src, false, &src);
	if (!rc)
		rc = mhi_insn_load(c, &dst, &v);
	if (!rc)
		rc = mhi_insn_load(c, &src, &new);
	if (rc)
		return rc;
	mhi_alu_sub(acc, v, 0, d->dst.size, &rflags);
	/* The CPU writes the old value back when the comparison fails. */
	rc = mhi_insn_store(c, &dst, acc == v ? new : v);
	if (rc)
		return rc;
	if (acc != v)
		mhi_insn_gpr_set(c, MHK_RAX, d->dst.size, v);
	c->s->rflags = rflags;
	return 0;
}

static int exec_cmpxchg_pair(struct mhi_insn_ctx *c)
{
	const struct mhi_insn_dec *d = c->d;
	unsigned int half = d->dst.size / 2u;
	u64 mask = mhi_insn_mask(half), lo = 0, hi = 0;
	const u64 *gpr = c->s->gpr;
	struct mhi_insn_ref ref;
	u64 ea = mhi_insn_ea(c);
	u8 buf[16];
	bool same;
	int rc;

	rc = mhi_insn_ref(c, d->seg, ea, d->dst.size, true, &ref);
	if (!rc && half == 8 && (ref.gpa[0] & 15)) /* SDM 2A "CMPXCHG8B/CMPXCHG16B" */
		return mhi_insn_fault(c, MHI_VEC_GP, 0);
	if (!rc)
		rc = mhi_insn_ref_read(c, &ref, buf);
	if (rc)
		return rc;
	memcpy(&lo, buf, half);
	memcpy(&hi, buf + half, half);
	same = lo == (gpr[MHK_RAX] & mask) && hi == (gpr[MHK_RDX] & mask);
	if (same) {
		memcpy(buf, &gpr[MHK_RBX], half);
		memcpy(buf + half, &gpr[MHK_RCX], half);
	}
	rc = mhi_insn_ref_write(c, &ref, buf);
	if (rc)
		return rc;
	if (!same) {
		mhi_insn_gpr_set(c, MHK_RAX, half, lo);
		mhi_insn_gpr_set(c, MHK_RDX, half, hi);
	}
	c->s->rflags = (c->s->rflags & ~RFLAGS_ZF) | (same ? RFLAGS_ZF : 0);
	return 0;
}

static unsigned int stack_bytes(const struct mhi_insn_ctx *c)
{
	if (c->mode == MHI_INSN_64)
		return 8;
	return c->s->seg[MHK_SS].attr & SEG_BIG ? 4 : 2;
}

static int exec_push(struct mhi_insn_ctx *c)
{
	const struct mhi_insn_dec *d = c->d;
	unsigned int width = stack_bytes(c);
	u64 top = (c->s->gpr[MHK_RSP] - d->size) & mhi_insn_mask(width);
	struct mhi_insn_loc src;
	struct mhi_insn_ref stack;
	u64 v;
	int rc;

	rc = mhi_insn_open(c, &d->dst, false, &src);
	if (!rc)
		rc = mhi_insn_ref(c, MHK_SS, top, d->size, true, &stack);
	if (!rc)
		rc = mhi_insn_load(c, &src, &v);
	if (!rc)
		rc = mhi_insn_ref_write(c, &stack, &v);
	if (!rc)
		mhi_insn_gpr_set(c, MHK_RSP, width, top);
	return rc;
}

/* An address that uses RSP sees it after the pop: SDM 2B "POP". */
static int exec_pop(struct mhi_insn_ctx *c)
{
	const struct mhi_insn_dec *d = c->d;
	unsigned int width = stack_bytes(c);
	u64 old = c->s->gpr[MHK_RSP], top = old & mhi_insn_mask(width);
	struct mhi_insn_loc dst;
	struct mhi_insn_ref stack;
	u64 v = 0;
	int rc;

	rc = mhi_insn_ref(c, MHK_SS, top, d->size, false, &stack);
	if (rc)
		return rc;
	mhi_insn_gpr_set(c, MHK_RSP, width, top + d->size);
	rc = mhi_insn_open(c, &d->dst, true, &dst);
	if (!rc)
		rc = mhi_insn_ref_read(c, &stack, &v);
	if (!rc)
		rc = mhi_insn_store(c, &dst, v);
	if (rc)
		c->s->gpr[MHK_RSP] = old;
	return rc;
}

int mhi_insn_exec(struct mhi_insn_ctx *c)
{
	static int (*const exec[MHI_OP_COUNT])(struct mhi_insn_ctx *) = {
		[MHI_OP_NOP] = exec_nop,
		[MHI_OP_STORE] = exec_store,
		[MHI_OP_LOAD] = exec_load,
		[MHI_OP_MOV] = exec_mov,
		[MHI_OP_MOVSX] = exec_mov,
		[MHI_OP_MOVBE] = exec_mov,
		[MHI_OP_ADD] = exec_alu,
		[MHI_OP_OR] = exec_alu,
		[MHI_OP_ADC] = exec_alu,
		[MHI_OP_SBB] = exec_alu,
		[MHI_OP_AND] = exec_alu,
		[MHI_OP_SUB] = exec_alu,
		[MHI_OP_XOR] = exec_alu,
		[MHI_OP_CMP] = exec_alu,
		[MHI_OP_TEST] = exec_alu,
		[MHI_OP_INC] = exec_unary,
		[MHI_OP_DEC] = exec_unary,
		[MHI_OP_NEG] = exec_unary,
		[MHI_OP_NOT] = exec_unary,
		[MHI_OP_BT] = exec_bit,
		[MHI_OP_BTS] = exec_bit,
		[MHI_OP_BTR] = exec_bit,
		[MHI_OP_BTC] = exec_bit,
		[MHI_OP_XCHG] = exec_exchange,
		[MHI_OP_XADD] = exec_exchange,
		[MHI_OP_CMPXCHG] = exec_cmpxchg,
		[MHI_OP_CMPXCHG_PAIR] = exec_cmpxchg_pair,
		[MHI_OP_PUSH] = exec_push,
		[MHI_OP_POP] = exec_pop,
	};
	int rc;

	if (!exec[c->d->op])
		return mhi_insn_string(c);
	rc = exec[c->d->op](c);
	if (!rc)
		mhi_insn_advance(c);
	return rc;
}
