// SPDX-License-Identifier: MIT
/*
 * Page walks remembered: a walk has the same result as long as the registers that govern it, the
 * entries that it read and the windows where they lie are the same. To look costs less.
 */
#include "core/insn_priv.h"

#include "base/atomic.h"

/* SDM 3A 4.5 "4-Level Paging and 5-Level Paging". */
#define PTE_P MHI_BIT(0)
#define PTE_LARGE MHI_BIT(7)
#define PTE_ADDR 0x000ffffffffff000ull

static bool same_windows(const struct mhi_gwalk_window *a, const struct mhi_gwalk_window *b)
{
	u64 differ = 0;
	unsigned int i;

	for (i = 0; i < MHI_GWALK_WINDOWS; i++)
		differ |= (a[i].gpa ^ b[i].gpa) | (a[i].bytes ^ b[i].bytes) |
			  ((uintptr_t)a[i].at ^ (uintptr_t)b[i].at);
	return !differ;
}

void mhi_insn_regs_set(struct mhi_insn_regs *r, const struct mhk_state *s,
		       const struct mhi_insn_env *env)
{
	if (!((r->cr0 ^ s->cr0) | (r->cr3 ^ s->cr3) | (r->cr4 ^ s->cr4) | (r->efer ^ s->efer) |
	      ((r->rflags ^ s->rflags) & MHI_RFLAGS_AC)) &&
	    same_windows(r->window, env->window))
		return;
	r->cr0 = s->cr0;
	r->cr3 = s->cr3;
	r->cr4 = s->cr4;
	r->efer = s->efer;
	r->rflags = s->rflags;
	memcpy(r->window, env->window, sizeof(r->window));
	r->epoch++;
}

static bool unchanged(const struct mhi_insn_memo *m)
{
	unsigned int i;

	for (i = 0; i < m->levels; i++) {
		if (mhi_load64(m->at[i]) != m->value[i])
			return false;
	}
	return true;
}

/* Note the entries on the way to gva. False: one is not in a window, or not present. */
static bool trace(struct mhi_insn_memo *m, const struct mhi_gwalk_env *walk, mh_gva gva)
{
	unsigned int shift = walk->cr4 & MHI_CR4_LA57 ? 48 : 39;
	u64 e = walk->cr3;

	for (m->levels = 0; m->levels < MHI_COUNT(m->at); shift -= 9) {
		mh_gpa at = (e & PTE_ADDR) + (gva >> shift & 511) * 8;
		const void *direct = mhi_gwalk_direct(walk->window, at);

		if (!direct)
			return false;
		e = mhi_load64(direct);
		m->at[m->levels] = direct;
		m->value[m->levels++] = e;
		if (!(e & PTE_P))
			return false;
		if (shift == MHI_PAGE_SHIFT || (e & PTE_LARGE))
			return true;
	}
	return false;
}

/* The entries are noted before the walk and compared after it: it has seen just these. */
static bool walk_anew(struct mhi_insn_memo *m, const struct mhi_insn_regs *r, mh_gva page,
		      unsigned int access, const struct mhi_insn_env *env)
{
	const struct mhi_gwalk_env walk = {
		.cr0 = r->cr0,
		.cr3 = r->cr3,
		.cr4 = r->cr4,
		.efer = r->efer,
		.rflags = r->rflags,
		.window = env->window,
		.read = env->fetch,
		.opaque = env->opaque,
	};
	struct mhi_gwalk_fault fault;

	m->epoch = 0;
	if (!trace(m, &walk, page) || mhi_gwalk(&walk, page, access, &m->gpa, &fault) ||
	    !unchanged(m))
		return false;
	m->epoch = r->epoch;
	m->page = page;
	m->access = access;
	m->direct = mhi_gwalk_direct(env->window, m->gpa);
	return true;
}

bool mhi_insn_memo_walk(struct mhi_insn_memo *m, const struct mhi_insn_regs *r, mh_gva gva,
			unsigned int access, const struct mhi_insn_env *env)
{
	mh_gva page = gva & ~MHI_PAGE_MASK;

	if (m->epoch == r->epoch && m->page == page && m->access == access && unchanged(m))
		return true;
	return walk_anew(m, r, page, access, env);
}
