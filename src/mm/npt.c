// SPDX-License-Identifier: (GPL-2.0 OR MIT)
/* The entry formats of nested page tables, and the walker for all of them. */
#include "mm/npt.h"
#include "base/atomic.h"
#include "base/checked.h"
#include "base/err.h"
#include "base/page.h"

#define ENTRIES 512
/* Four levels of nine bits and a page: both vendors' reach. */
#define MAX_GPA_BITS 48

/* In every format: bits 0 and 1 are the prot bits R and W; an entry that is present is readable. */
#define NPT_LARGE MHI_BIT(7)
#define NPT_ADDR 0x000ffffffffff000ull

/*
 * SDM 3C 29.3.2 "EPT Translation Mechanism". Bits 5:3 of a leaf are its memory type; bit 6 is
 * ignore-PAT: the host has the page as write-back, and a page has one type (SDM 3A 12.12.4).
 */
#define EPT_X MHI_BIT(2)
#define EPT_WRITE_BACK (6ull << 3 | 1ull << 6)
#define EPT_BITS .leaf = EPT_WRITE_BACK, .table = MHI_NPT_R | MHI_NPT_W | EPT_X, .exec = EPT_X

const struct mhi_npt_fmt mhi_npt_ept = { EPT_BITS };
const struct mhi_npt_fmt mhi_npt_ept_ad = { EPT_BITS, .accessed_dirty = true };

/*
 * APM 2 15.25 "Nested Paging" in the format of 5.3 "Long-Mode Page Translation". The nested walk
 * counts as a user access. PWT, PCD and PAT stay 0: PAT entry 0, write-back in the host's PAT.
 */
#define AMD_USER MHI_BIT(2)
#define AMD_NX MHI_BIT(63)

const struct mhi_npt_fmt mhi_npt_amd = {
	.leaf = AMD_USER,
	.table = MHI_NPT_R | MHI_NPT_W | AMD_USER,
	.no_exec = AMD_NX,
	.accessed_dirty = true,
};

static u64 make_leaf(const struct mhi_npt_fmt *fmt, mh_hpa hpa, unsigned int level,
		     unsigned int prot)
{
	return hpa | fmt->leaf | (prot & (MHI_NPT_R | MHI_NPT_W)) |
	       (prot & MHI_NPT_X ? fmt->exec : fmt->no_exec) | (level > 1 ? NPT_LARGE : 0);
}

static bool present(u64 e)
{
	return (e & MHI_NPT_R) != 0;
}

/* At level 1 bit 7 is part of the memory type. */
static bool is_leaf(u64 e, unsigned int level)
{
	return level == 1 || (e & NPT_LARGE) != 0;
}

static bool is_table(u64 e, unsigned int level)
{
	return present(e) && !is_leaf(e, level);
}

static u64 *table_va(u64 e)
{
	return mhi_host_pa_to_va(e & NPT_ADDR);
}

static unsigned int table_index(mh_gpa gpa, unsigned int level)
{
	return (unsigned int)(gpa >> (MHI_PAGE_SHIFT + 9 * (level - 1))) % ENTRIES;
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
		if (is_table(table[i], level))
			free_tables(npt, table_va(table[i]), level - 1);
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

/* The entry for gpa at the given level, with the tables above it made as needed. */
static int make_path(struct mhi_npt *npt, struct mhi_npt_pool *pool, mh_gpa gpa, unsigned int level,
		     u64 **out)
{
	u64 *table = npt->root;
	unsigned int l;

	for (l = MHI_NPT_LEVELS; l > level; l--) {
		u64 *entry = &table[table_index(gpa, l)];
		u64 e = mhi_load64(entry);

		if (present(e)) {
			if (is_leaf(e, l))
				return MHI_EEXIST;
			table = table_va(e);
			continue;
		}
		if (!pool->count)
			return MHI_ENOMEM;
		table = pool->page[--pool->count];
		npt->tables++;
		/* Release: a CPU that walks through the new entry finds the page zeroed. */
		mhi_store64(entry, mhi_host_va_to_pa(table) | npt->fmt->table);
	}
	*out = &table[table_index(gpa, level)];
	return 0;
}

int mhi_npt_map(struct mhi_npt *npt, struct mhi_npt_pool *pool, mh_gpa gpa, mh_hpa hpa,
		unsigned int level, unsigned int prot)
{
	u64 *entry;
	int rc;

	if (!mhi_range_within(gpa, mhi_npt_level_bytes(level), npt->gpa_limit))
		return MHI_ERANGE;
	rc = make_path(npt, pool, gpa, level, &entry);
	if (rc)
		return rc;
	if (present(mhi_load64(entry)))
		return MHI_EEXIST;
	mhi_store64(entry, make_leaf(npt->fmt, hpa, level, prot));
	return 0;
}

/*
 * Visits [gpa, end), which lies within the reach of the table; absent subtrees cost one look.
 * Recursion is bounded by the levels: at most three deep.
 */
static u64 unmap(u64 *table, unsigned int level, mh_gpa gpa, mh_gpa end)
{
	u64 bytes = mhi_npt_level_bytes(level), removed = 0;
	mh_gpa next;

	for (; gpa < end; gpa = next) {
		u64 *entry = &table[table_index(gpa, level)];
		u64 e = mhi_load64(entry);

		next = (gpa & ~(bytes - 1)) + bytes;
		if (next > end)
			next = end;
		if (is_table(e, level)) {
			removed += unmap(table_va(e), level - 1, gpa, next);
		} else if (e) {
			mhi_store64(entry, 0);
			removed++;
		}
	}
	return removed;
}

u64 mhi_npt_unmap(struct mhi_npt *npt, mh_gpa gpa, u64 bytes)
{
	u64 end;

	if (!mhi_add_u64(gpa, bytes, &end) || end > npt->gpa_limit)
		end = npt->gpa_limit;
	return unmap(npt->root, MHI_NPT_LEVELS, gpa, end);
}
