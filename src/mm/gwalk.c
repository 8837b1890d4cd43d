// SPDX-License-Identifier: (GPL-2.0 OR MIT)
/* The guest page walk: one descent for all paging modes, then one permission check. */
#include "mm/gwalk.h"
#include "base/atomic.h"
#include "base/err.h"
#include "base/x86.h"

/* Entries: SDM 3A 4.3 "32-Bit Paging", 4.4 "PAE Paging", 4.5 "4-Level and 5-Level Paging". */
#define PTE_P MHI_BIT(0)
#define PTE_W MHI_BIT(1)
#define PTE_USER MHI_BIT(2)
#define PTE_LARGE MHI_BIT(7)
#define PTE_NX MHI_BIT(63)
#define PTE_ADDR 0x000ffffffffff000ull
#define PTE32_ADDR 0xfffff000ull
/* A 4 MiB page: address bits 31:22 in place, 39:32 in bits 20:13; bit 21 is reserved. */
#define PTE32_LARGE_ADDR 0xffc00000ull
#define PTE32_LARGE_RSVD MHI_BIT(21)
/* PAE paging reserves bits 62:52; with IA-32e paging they are ignored or protection keys. */
#define PAE_RSVD 0x7ff0000000000000ull
/* Bit 12 of a large page is its PAT bit; those between it and the address are reserved. */
#define LARGE_PAT MHI_BIT(12)

/* Error code: SDM 3A 4.7 "Page-Fault Exceptions". */
#define PF_P (1u << 0)
#define PF_W (1u << 1)
#define PF_USER (1u << 2)
#define PF_RSVD (1u << 3)
#define PF_FETCH (1u << 4)

/* A paging mode: how to index and what may be large. */
struct mode {
	unsigned int levels;
	unsigned int index_bits; /* per level; the top of PAE has just 2 */
	unsigned int max_leaf;	 /* highest level of a leaf */
	u64 root;		 /* gpa of the top table */
	u64 rsvd;		 /* reserved in every entry */
	bool wide;		 /* entries of 8 bytes */
	bool pdpte;		 /* PAE: the top entry has no permissions */
};

/* What a walk has found so far. */
struct walk {
	u64 rights; /* PTE_W and PTE_USER: granted at every level */
	bool nx;    /* forbidden at some level */
};

static void set_32bit(const struct mhi_gwalk_env *env, struct mode *m)
{
	m->levels = 2;
	m->index_bits = 10;
	m->max_leaf = env->cr4 & MHI_CR4_PSE ? 2 : 1;
	m->root = env->cr3 & PTE32_ADDR;
}

static void set_pae(const struct mhi_gwalk_env *env, struct mode *m)
{
	m->levels = 3;
	m->index_bits = 9;
	m->max_leaf = 2;
	m->root = env->cr3 & 0xffffffe0ull; /* the four PDPTEs are 32-byte aligned */
	m->rsvd = PAE_RSVD | (env->efer & MHI_EFER_NXE ? 0 : PTE_NX);
	m->wide = true;
	m->pdpte = true;
}

static void set_long(const struct mhi_gwalk_env *env, struct mode *m)
{
	m->levels = env->cr4 & MHI_CR4_LA57 ? 5 : 4;
	m->index_bits = 9;
	m->max_leaf = 3;
	m->root = env->cr3 & PTE_ADDR;
	m->rsvd = env->efer & MHI_EFER_NXE ? 0 : PTE_NX;
	m->wide = true;
}

static struct mode paging_mode(const struct mhi_gwalk_env *env)
{
	struct mode m = { 0 };

	if (env->efer & MHI_EFER_LMA)
		set_long(env, &m);
	else if (env->cr4 & MHI_CR4_PAE)
		set_pae(env, &m);
	else
		set_32bit(env, &m);
	return m;
}

static unsigned int level_shift(const struct mode *m, unsigned int level)
{
	return MHI_PAGE_SHIFT + m->index_bits * (level - 1);
}

static bool canonical(mh_gva gva, unsigned int bits)
{
	u64 top = gva >> (bits - 1);

	return top == 0 || top == ~0ull >> (bits - 1);
}

static inline int read_wide(const struct mhi_gwalk_env *env, mh_gpa at, u64 *e)
{
	const void *direct = mhi_gwalk_direct(env->window, at);

	if (!direct)
		return env->read(env->opaque, at, e, 8);
	*e = mhi_load64(direct);
	return 0;
}

static int read_entry(const struct mhi_gwalk_env *env, const struct mode *m, mh_gpa table,
		      u64 index, u64 *e)
{
	u32 narrow;
	int rc;

	if (m->wide)
		return read_wide(env, table + index * 8, e);
	rc = env->read(env->opaque, table + index * 4, &narrow, 4);
	*e = narrow;
	return rc;
}

static bool is_leaf(const struct mode *m, u64 e, unsigned int level)
{
	return level == 1 || (level <= m->max_leaf && (e & PTE_LARGE));
}

static bool has_reserved(const struct mode *m, u64 e, unsigned int level)
{
	u64 offset_bits = MHI_BIT(level_shift(m, level)) - 1;

	if (e & m->rsvd)
		return true;
	if (level == 1 || !(e & PTE_LARGE))
		return false;
	if (!m->wide) /* without PSE the bit is ignored */
		return level <= m->max_leaf && (e & PTE32_LARGE_RSVD);
	if (level > m->max_leaf) /* PS is reserved where no leaf can be; a PDPTE's bit 7 too */
		return true;
	return (e & offset_bits & PTE_ADDR & ~LARGE_PAT) != 0;
}

static mh_gpa leaf_address(const struct mode *m, u64 e, unsigned int level, mh_gva gva)
{
	u64 offset_bits = MHI_BIT(level_shift(m, level)) - 1;
	u64 base;

	if (m->wide)
		base = e & PTE_ADDR & ~offset_bits;
	else if (level == 1)
		base = e & PTE32_ADDR;
	else
		base = (e & PTE32_LARGE_ADDR) | mhi_bits(e, 20, 13) << 32;
	return base | (gva & offset_bits);
}

/* SDM 3A 4.6 "Access Rights". Protection keys are not looked at. */
static bool allowed(const struct mhi_gwalk_env *env, const struct walk *w, unsigned int access)
{
	bool user_page = (w->rights & PTE_USER) != 0;
	bool writable = (w->rights & PTE_W) != 0;

	if ((access & MHI_GWALK_X) && w->nx)
		return false;
	if (access & MHI_GWALK_USER)
		return user_page && (writable || !(access & MHI_GWALK_W));
	if ((access & MHI_GWALK_X) && user_page && (env->cr4 & MHI_CR4_SMEP))
		return false;
	if (!(access & MHI_GWALK_X) && user_page && (env->cr4 & MHI_CR4_SMAP) &&
	    !(env->rflags & MHI_RFLAGS_AC))
		return false;
	return writable || !(access & MHI_GWALK_W) || !(env->cr0 & MHI_CR0_WP);
}

static u32 fault_bits(const struct mhi_gwalk_env *env, unsigned int access)
{
	bool has_nx = (env->cr4 & MHI_CR4_PAE) && (env->efer & MHI_EFER_NXE);
	u32 error = 0;

	if (access & MHI_GWALK_W)
		error |= PF_W;
	if (access & MHI_GWALK_USER)
		error |= PF_USER;
	if ((access & MHI_GWALK_X) && (has_nx || (env->cr4 & MHI_CR4_SMEP)))
		error |= PF_FETCH;
	return error;
}

/*
 * Descends to the leaf: 0 and *gpa, or a negative error, or the P and RSVD bits of a page fault
 * above FAULT. A callback's MHI_EFAULT must not look like the guest's own fault.
 */
#define FAULT 0x100

static int descend(const struct mhi_gwalk_env *env, mh_gva gva, struct walk *w, mh_gpa *gpa)
{
	struct mode m = paging_mode(env);
	mh_gpa table = m.root;
	unsigned int level;
	u64 index, e = 0;
	int rc;

	for (level = m.levels;; level--) {
		index = (gva >> level_shift(&m, level)) & (MHI_BIT(m.index_bits) - 1);
		rc = read_entry(env, &m, table, index, &e);
		if (rc)
			return rc == MHI_EFAULT ? MHI_EIO : rc;
		if (!(e & PTE_P))
			return FAULT;
		if (has_reserved(&m, e, level))
			return FAULT | PF_P | PF_RSVD;
		if (!(m.pdpte && level == m.levels))
			w->rights &= e;
		w->nx |= m.wide && (e & PTE_NX);
		if (is_leaf(&m, e, level))
			break;
		table = e & (m.wide ? PTE_ADDR : PTE32_ADDR);
	}
	*gpa = leaf_address(&m, e, level, gva);
	return 0;
}

/*
 * The usual walk, made cheap: IA-32e paging, every entry present and without reserved bits. False:
 * something is unusual, descend() finds out what.
 */
static bool descend_long(const struct mhi_gwalk_env *env, mh_gva gva, struct walk *w, mh_gpa *gpa)
{
	unsigned int shift = env->cr4 & MHI_CR4_LA57 ? 48 : 39;
	u64 e = env->cr3, all = PTE_W | PTE_USER, any = 0, offset;

	for (;; shift -= 9) {
		if (read_wide(env, (e & PTE_ADDR) + (gva >> shift & 511) * 8, &e) || !(e & PTE_P))
			return false;
		all &= e;
		any |= e;
		if (shift == MHI_PAGE_SHIFT || (e & PTE_LARGE))
			break;
	}
	offset = MHI_BIT(shift) - 1;
	if ((any & PTE_NX) && !(env->efer & MHI_EFER_NXE))
		return false;
	if (shift > MHI_PAGE_SHIFT && (shift > 30 || (e & offset & PTE_ADDR & ~LARGE_PAT)))
		return false;
	w->rights = all;
	w->nx = (any & PTE_NX) != 0;
	*gpa = (e & PTE_ADDR & ~offset) | (gva & offset);
	return true;
}

int mhi_gwalk(const struct mhi_gwalk_env *env, mh_gva gva, unsigned int access, mh_gpa *gpa,
	      struct mhi_gwalk_fault *fault)
{
	struct walk w = { .rights = PTE_W | PTE_USER };
	mh_gpa found = 0;
	int rc = 0;

	if (!(env->efer & MHI_EFER_LMA))
		gva &= 0xffffffffull;
	else if (!canonical(gva, env->cr4 & MHI_CR4_LA57 ? 57 : 48))
		return MHI_EINVAL;
	if (!(env->cr0 & MHI_CR0_PG)) {
		*gpa = gva;
		return 0;
	}
	if (!(env->efer & MHI_EFER_LMA) || !descend_long(env, gva, &w, &found))
		rc = descend(env, gva, &w, &found);
	if (!rc && !allowed(env, &w, access))
		rc = FAULT | PF_P;
	if (rc > 0) {
		fault->error = (u32)(rc & ~FAULT) | fault_bits(env, access);
		return MHI_EFAULT;
	}
	if (!rc)
		*gpa = found;
	return rc;
}
