// SPDX-License-Identifier: (GPL-2.0 OR MIT)
/* The walker of nested page tables: map, unmap, protect and lookup, for any entry format. */
#include "mm/npt.h"
#include "base/atomic.h"
#include "base/checked.h"
#include "base/err.h"
#include "base/page.h"

#define ENTRIES 512
/* Four levels of nine bits and a page: both vendors' reach. */
#define MAX_GPA_BITS 48

static u64 *table_va(const struct mhi_npt *npt, u64 e)
{
	return mhi_host_pa_to_va(npt->fmt->addr(e));
}

static unsigned int table_index(mh_gpa gpa, unsigned int level)
{
	return (unsigned int)(gpa >> (MHI_PAGE_SHIFT + 9 * (level - 1))) % ENTRIES;
}

/* An entry of zeros is absent in every format: the test that costs no indirect call. */
static bool is_table(const struct mhi_npt *npt, u64 e, unsigned int level)
{
	return e && npt->fmt->present(e) && !npt->fmt->is_leaf(e, level);
}

int mhi_npt_init(struct mhi_npt *npt, const struct mhi_npt_fmt *fmt, unsigned int max_level,
		 unsigned int phys_bits)
{
	void *root = mhi_host_page_alloc();

	if (!root)
		return MHI_ENOMEM;
	npt->fmt = fmt;
	npt->root = root;
	npt->root_pa = mhi_host_va_to_pa(root);
	npt->max_level = max_level;
	npt->gpa_limit = MHI_BIT(phys_bits < MAX_GPA_BITS ? phys_bits : MAX_GPA_BITS);
	npt->tables = 1;
	return 0;
}

/* Recursion is bounded by the levels: at most three deep. */
static void free_tables(struct mhi_npt *npt, u64 *table, unsigned int level)
{
	unsigned int i;

	for (i = 0; level > 1 && i < ENTRIES; i++) {
		if (is_table(npt, table[i], level))
			free_tables(npt, table_va(npt, table[i]), level - 1);
	}
	mhi_host_page_free(table);
	npt->tables--;
}

void mhi_npt_fini(struct mhi_npt *npt)
{
	if (!npt->root)
		return;
	free_tables(npt, npt->root, MHI_NPT_LEVELS);
	npt->root = NULL;
	npt->root_pa = 0;
}

int mhi_npt_pool_fill(struct mhi_npt_pool *pool)
{
	void *page;

	while (pool->count < MHI_COUNT(pool->page)) {
		page = mhi_host_page_alloc();
		if (!page)
			return MHI_ENOMEM;
		pool->page[pool->count++] = page;
	}
	return 0;
}

void mhi_npt_pool_drain(struct mhi_npt_pool *pool)
{
	while (pool->count)
		mhi_host_page_free(pool->page[--pool->count]);
}

/* Changes the permissions of a leaf while the CPU may set its accessed and dirty flags. */
static void change_prot(const struct mhi_npt *npt, u64 *entry, unsigned int prot)
{
	u64 old;

	do {
		old = mhi_load64(entry);
	} while (!mhi_cas64(entry, old, npt->fmt->set_prot(old, prot)));
}

static int check_map(const struct mhi_npt *npt, mh_gpa gpa, mh_hpa hpa, unsigned int level,
		     unsigned int prot)
{
	u64 bytes;

	if (level < 1 || level > npt->max_level)
		return MHI_EINVAL;
	if (!(prot & MHI_NPT_R) || (prot & ~MHI_NPT_RWX))
		return MHI_EINVAL;
	bytes = mhi_npt_level_bytes(level);
	if ((gpa | hpa) & (bytes - 1))
		return MHI_EINVAL;
	return mhi_range_within(gpa, bytes, npt->gpa_limit) ? 0 : MHI_ERANGE;
}

/* The entry for gpa at the given level, with the tables above it made as needed. */
static int make_path(struct mhi_npt *npt, struct mhi_npt_pool *pool, mh_gpa gpa, unsigned int level,
		     u64 **out)
{
	u64 *table = npt->root;
	unsigned int l;

	for (l = MHI_NPT_LEVELS; l > level; l--) {
		u64 *entry = &table[table_index(gpa, l)];
		u64 e = mhi_load64(entry);

		if (npt->fmt->present(e)) {
			if (npt->fmt->is_leaf(e, l))
				return MHI_EEXIST;
			table = table_va(npt, e);
			continue;
		}
		if (!pool->count)
			return MHI_ENOMEM;
		table = pool->page[--pool->count];
		npt->tables++;
		/* Release: a CPU that walks through the new entry finds the page zeroed. */
		mhi_store64(entry, npt->fmt->make_table(mhi_host_va_to_pa(table)));
	}
	*out = &table[table_index(gpa, level)];
	return 0;
}

int mhi_npt_map(struct mhi_npt *npt, struct mhi_npt_pool *pool, mh_gpa gpa, mh_hpa hpa,
		unsigned int level, unsigned int prot)
{
	u64 *entry;
	u64 e;
	int rc = check_map(npt, gpa, hpa, level, prot);

	if (rc)
		return rc;
	rc = make_path(npt, pool, gpa, level, &entry);
	if (rc)
		return rc;
	e = mhi_load64(entry);
	if (!npt->fmt->present(e)) {
		mhi_store64(entry, npt->fmt->make_leaf(hpa, level, prot));
		return 0;
	}
	if (!npt->fmt->is_leaf(e, level) || npt->fmt->addr(e) != hpa)
		return MHI_EEXIST;
	change_prot(npt, entry, prot);
	return 0;
}

/* One pass over the leaves of a range. keep = permissions that stay; without R the leaf goes. */
struct sweep {
	struct mhi_npt *npt;
	unsigned int keep;
	u64 changed;
};

static void sweep_leaf(struct sweep *s, u64 *entry, u64 e)
{
	unsigned int old, new;

	if (!(s->keep & MHI_NPT_R)) {
		mhi_store64(entry, 0);
		s->changed++;
		return;
	}
	old = s->npt->fmt->prot(e);
	new = old & s->keep;
	if (new == old)
		return;
	change_prot(s->npt, entry, new);
	s->changed++;
}

/*
 * Visits [gpa, end), which lies within the reach of the table; absent subtrees cost one look.
 * Recursion is bounded by the levels: at most three deep.
 */
static void sweep_table(struct sweep *s, u64 *table, unsigned int level, mh_gpa gpa, mh_gpa end)
{
	u64 bytes = mhi_npt_level_bytes(level);

	while (gpa < end) {
		u64 *entry = &table[table_index(gpa, level)];
		u64 e = mhi_load64(entry);
		mh_gpa next = (gpa & ~(bytes - 1)) + bytes;

		if (next > end)
			next = end;
		if (level > 1 && is_table(s->npt, e, level))
			sweep_table(s, table_va(s->npt, e), level - 1, gpa, next);
		else if (e)
			sweep_leaf(s, entry, e);
		gpa = next;
	}
}

static u64 sweep(struct mhi_npt *npt, mh_gpa gpa, u64 bytes, unsigned int keep)
{
	struct sweep s = { .npt = npt, .keep = keep };
	u64 end;

	if (!mhi_add_u64(gpa, bytes, &end) || end > npt->gpa_limit)
		end = npt->gpa_limit;
	sweep_table(&s, npt->root, MHI_NPT_LEVELS, gpa, end);
	return s.changed;
}

u64 mhi_npt_unmap(struct mhi_npt *npt, mh_gpa gpa, u64 bytes)
{
	return sweep(npt, gpa, bytes, 0);
}

u64 mhi_npt_protect(struct mhi_npt *npt, mh_gpa gpa, u64 bytes, unsigned int prot)
{
	return sweep(npt, gpa, bytes, prot);
}

void mhi_npt_lookup(const struct mhi_npt *npt, mh_gpa gpa, struct mhi_npt_leaf *out)
{
	const struct mhi_npt_fmt *fmt = npt->fmt;
	const u64 *table = npt->root;
	unsigned int level;
	u64 e;

	memset(out, 0, sizeof(*out));
	if (gpa >= npt->gpa_limit)
		return;
	for (level = MHI_NPT_LEVELS;; level--) {
		e = mhi_load64(&table[table_index(gpa, level)]);
		if (!fmt->present(e))
			return;
		if (fmt->is_leaf(e, level))
			break;
		table = table_va(npt, e);
	}
	out->hpa = fmt->addr(e) + (gpa & (mhi_npt_level_bytes(level) - 1));
	out->level = level;
	out->prot = fmt->prot(e);
	out->accessed = (e & fmt->accessed) != 0;
	out->dirty = (e & fmt->dirty) != 0;
}
