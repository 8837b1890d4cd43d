// SPDX-License-Identifier: MIT
/* Operands of the instruction emulator: registers, addresses, segments, page walks, memory. */
#include "core/insn_priv.h"
#include "base/err.h"
#include "macrohard/error.h"

/* Access rights, in the format of struct mhk_seg: SDM 3A 3.4.5 "Segment Descriptors". */
#define SEG_WRITABLE (1u << 1) /* data */
#define SEG_READABLE (1u << 1) /* code */
#define SEG_EXPAND_DOWN (1u << 2)
#define SEG_CODE (1u << 3)
#define SEG_BIG (1u << 14)

void mhi_insn_gpr_set(struct mhi_insn_ctx *c, unsigned int reg, unsigned int bytes, u64 value)
{
	mhi_insn_gpr_put(&c->s->gpr[reg], bytes, value);
	c->out->dirty |= MHK_G_GPR;
}

u64 mhi_insn_ea(const struct mhi_insn_ctx *c)
{
	const struct mhi_insn_dec *d = c->d;
	u64 ea = (u64)d->disp;

	if (d->base == MHI_INSN_RIP)
		ea += c->s->rip + d->len;
	else if (d->base != MHI_INSN_NO_REG)
		ea += c->s->gpr[d->base];
	if (d->index != MHI_INSN_NO_REG)
		ea += c->s->gpr[d->index] * d->scale;
	return ea & mhi_insn_mask(d->addrsize);
}

/* SDM 3A 5.3 "Limit Checking", 5.5 "Type Checking"; real and virtual-8086 mode have no types. */
static bool segment_allows(const struct mhi_insn_ctx *c, const struct mhk_seg *seg, u64 offset,
			   unsigned int size, bool write)
{
	u64 last = offset + size - 1;

	if (c->mode == MHI_INSN_REAL)
		return last <= seg->limit;
	if (seg->attr & MHK_SEG_UNUSABLE)
		return false;
	if (seg->attr & SEG_CODE)
		return !write && (seg->attr & SEG_READABLE) && last <= seg->limit;
	if (write && !(seg->attr & SEG_WRITABLE))
		return false;
	if (seg->attr & SEG_EXPAND_DOWN)
		return offset > seg->limit && last <= (seg->attr & SEG_BIG ? 0xffffffffu : 0xffffu);
	return last <= seg->limit;
}

int mhi_insn_walk(struct mhi_insn_ctx *c, mh_gva gva, unsigned int access, unsigned int seg,
		  mh_gpa *gpa)
{
	struct mhi_gwalk_fault fault = { 0 };
	int rc = mhi_gwalk(&c->walk, gva, access | c->user, gpa, &fault);

	if (!rc)
		return 0;
	if (rc == MHI_EINVAL)
		return mhi_insn_fault(c, seg == MHK_SS ? MHI_VEC_SS : MHI_VEC_GP, 0);
	if (rc != MHI_EFAULT)
		return mhi_insn_refuse(c, "page tables outside of memory");
	c->s->cr2 = gva;
	c->out->dirty |= MHK_G_CR;
	return mhi_insn_fault(c, MHI_VEC_PF, fault.error);
}

static int walk_page(struct mhi_insn_ctx *c, mh_gva gva, bool write, unsigned int seg, mh_gpa *gpa)
{
	struct mhi_insn_page *page = c->page;
	int rc;

	if (page && page->gva == (gva & ~MHI_PAGE_MASK)) {
		*gpa = page->gpa | (gva & MHI_PAGE_MASK);
		return 0;
	}
	rc = mhi_insn_walk(c, gva, write ? MHI_GWALK_W : 0, seg, gpa);
	if (!rc && page) {
		page->gva = gva & ~MHI_PAGE_MASK;
		page->gpa = *gpa & ~MHI_PAGE_MASK;
	}
	return rc;
}

int mhi_insn_ref(struct mhi_insn_ctx *c, unsigned int seg, u64 offset, unsigned int size,
		 bool write, struct mhi_insn_ref *ref)
{
	const struct mhk_seg *sr = &c->s->seg[seg];
	u64 wrap = ~0ull, left;
	mh_gva gva = offset;
	int rc;

	if (c->mode != MHI_INSN_64) {
		if (!segment_allows(c, sr, offset, size, write))
			return mhi_insn_fault(c, seg == MHK_SS ? MHI_VEC_SS : MHI_VEC_GP, 0);
		wrap = 0xffffffffull;
		gva = (sr->base + offset) & wrap;
	} else if (seg >= MHK_FS) {
		gva += sr->base;
	}
	left = MHI_PAGE_SIZE - (gva & MHI_PAGE_MASK);
	ref->size = (u8)size;
	ref->first = (u8)(size <= left ? size : left);
	rc = walk_page(c, gva, write, seg, &ref->gpa[0]);
	if (!rc && size > left)
		rc = walk_page(c, (gva + left) & wrap, write, seg, &ref->gpa[1]);
	return rc;
}

int mhi_insn_ref_read(struct mhi_insn_ctx *c, const struct mhi_insn_ref *ref, void *buf)
{
	int rc = c->env->read(c->env->opaque, ref->gpa[0], buf, ref->first);

	if (!rc && ref->first < ref->size)
		rc = c->env->read(c->env->opaque, ref->gpa[1], (u8 *)buf + ref->first,
				  ref->size - ref->first);
	return rc ? mhi_insn_refuse(c, "memory that cannot be read") : 0;
}

int mhi_insn_ref_write(struct mhi_insn_ctx *c, const struct mhi_insn_ref *ref, const void *buf)
{
	int rc = c->env->write(c->env->opaque, ref->gpa[0], buf, ref->first);

	if (!rc && ref->first < ref->size)
		rc = c->env->write(c->env->opaque, ref->gpa[1], (const u8 *)buf + ref->first,
				   ref->size - ref->first);
	return rc ? mhi_insn_refuse(c, "memory that cannot be written") : 0;
}

int mhi_insn_open(struct mhi_insn_ctx *c, const struct mhi_insn_opnd *opnd, bool write,
		  struct mhi_insn_loc *loc)
{
	loc->opnd = opnd;
	if (opnd->kind != MHI_OPND_MEM)
		return 0;
	return mhi_insn_ref(c, c->d->seg, mhi_insn_ea(c), opnd->size, write, &loc->ref);
}

int mhi_insn_load(struct mhi_insn_ctx *c, const struct mhi_insn_loc *loc, u64 *value)
{
	const struct mhi_insn_opnd *o = loc->opnd;
	u64 v = 0;
	int rc = 0;

	if (o->kind == MHI_OPND_MEM)
		rc = mhi_insn_ref_read(c, &loc->ref, &v);
	else if (o->kind == MHI_OPND_GPR)
		v = c->s->gpr[o->reg] >> (o->high ? 8 : 0);
	else
		v = c->d->imm;
	*value = v & mhi_insn_mask(o->size);
	return rc;
}

int mhi_insn_store(struct mhi_insn_ctx *c, const struct mhi_insn_loc *loc, u64 value)
{
	const struct mhi_insn_opnd *o = loc->opnd;
	u64 *gpr = &c->s->gpr[o->reg];

	if (o->kind == MHI_OPND_MEM)
		return mhi_insn_ref_write(c, &loc->ref, &value);
	if (o->high) {
		*gpr = (*gpr & ~0xff00ull) | (value & 0xff) << 8;
		c->out->dirty |= MHK_G_GPR;
	} else {
		mhi_insn_gpr_set(c, o->reg, o->size, value);
	}
	return 0;
}
