// SPDX-License-Identifier: MIT
/*
 * Nested page tables from any state of a whole tree of tables: each entry is empty, a leaf of
 * any address and rights, or a table. No two entries point to one table, as each is linked
 * once, when it is new.
 *
 * map_ept, map_amd: a leaf of any size, anywhere, with any number of pages at hand. On success
 * the CPU's walk of any address in the leaf finds it, with its rights, and nothing was there
 * before; on an error all is translated as before. What any other address translates to stays.
 * As many tables came as pages went.
 *
 * unmap_range: any range. Afterwards no address of it is mapped, each address that no touched
 * leaf maps is translated as before, and 0 is the answer just if nothing was there.
 *
 * fini: each table is freed, once. init, pool: with allocations that fail.
 *
 * Bounds: tables have 2 entries instead of 512, and trees 3 levels instead of 4, so that there
 * are at most 7 tables, and addresses have 15 bits; for unmap_range they have 2 levels, and the
 * root may have large leaves. The code is the same but for these numbers.
 * Stubs: pages of the harness.
 *
 * change: src/mm/npt.h s/MHI_PAGE_SIZE << (9 \* (level - 1))/MHI_PAGE_SIZE << (level - 1)/
 * change: src/mm/npt.c s/MHI_PAGE_SHIFT + 9 \* (level - 1)/MHI_PAGE_SHIFT + (level - 1)/
 * change: src/mm/npt.h s/MHI_NPT_LEVELS 4/MHI_NPT_LEVELS PROOF_LEVELS/
 * change: src/mm/npt.c s/ENTRIES 512/ENTRIES 2/
 * change: src/mm/npt.c s/MAX_GPA_BITS 48/MAX_GPA_BITS (12 + PROOF_LEVELS)/
 * source: src/mm/npt.c
 * prove: map_ept --unwind 10 -DPROOF_LEVELS=3
 * prove: map_amd --unwind 10 -DPROOF_LEVELS=3
 * fault: map_ept src/mm/npt.c s/MHI_PAGE_SHIFT + (level - 1)/MHI_PAGE_SHIFT + level/
 * fault: map_ept src/mm/npt.c s/if (present(mhi_load64(entry)))/if (false)/
 * fault: map_ept src/mm/npt.c s/if (is_leaf(e, l))/if (false)/
 * fault: map_ept src/mm/npt.c s/if (!pool->count)/if (false)/
 * fault: map_ept src/mm/npt.c s/fmt->exec : fmt->no_exec/fmt->no_exec : fmt->exec/
 * fault: map_ept src/mm/npt.c s/(level > 1 ? NPT_LARGE : 0)/(level > 2 ? NPT_LARGE : 0)/
 * fault: map_amd src/mm/npt.c s/NPT_R | MHI_NPT_W | AMD_USER/NPT_R | AMD_USER/
 * fault: map_ept src/mm/npt.c s/EPT_WRITE_BACK (6ull/EPT_WRITE_BACK (4ull/
 * fault: map_ept src/mm/npt.c s/ | 1ull << 6//
 * prove: unmap_range --unwind 10 -DPROOF_LEVELS=2 --unwindset unmap.0:3
 * fault: unmap_range src/mm/npt.c s/if (next > end)/if (false)/
 * fault: unmap_range src/mm/npt.c s/|| end > npt->gpa_limit)/)/
 * fault: unmap_range src/mm/npt.c s/} else if (e) {/} else if (e \& NPT_LARGE) {/
 * fault: unmap_range src/mm/npt.c s/next = (gpa & ~(bytes - 1)) + bytes/next = gpa + bytes/
 * prove: fini --unwind 10 -DPROOF_LEVELS=3 --unwindset free_tables.0:3
 * fault: fini src/mm/npt.c s/present(e) \&\& !is_leaf(e, level)/present(e) \&\& level > 1/
 * prove: init --unwind 10 -DPROOF_LEVELS=3
 * prove: pool --unwind 10 -DPROOF_LEVELS=3
 * fault: pool src/mm/npt.c s/(pool->count < MHI_COUNT/(pool->count <= MHI_COUNT/
 */
#include "base/err.h"
#include "base/page.h"
#include "mm/npt.h"
#include "proof.h"

#define ENTRIES 2
#define GPA_BITS (12 + PROOF_LEVELS)
#define ADDRESS 0x000ffffffffff000ull
#define LARGE MHI_BIT(7)
/* Those of a whole tree, the root first; table n's own are 2n + 1 and 2n + 2. Then new ones. */
#define TABLES ((1 << PROOF_LEVELS) - 1)
#define NEW TABLES
#define PAGES (TABLES + MHI_NPT_LEVELS - 1)

typedef u64 page[ENTRIES];

/* Objects by themselves: in one array each would be behind the end of another. */
static page p0, p1, p2, p3, p4, p5, p6, p7, p8;
/* All that there can be. */
static u64 *const pages[] = { p0, p1, p2, p3, p4, p5, p6, p7, p8 };
/* Of the first of them: host-physical, as the others behind it. */
#define FIRST_PA 0x5000000ull
static struct mhi_npt npt;
static struct mhi_npt_pool spare;
static u32 allocated, freed[PAGES];

/* ---- stubs ---- */

static u32 number_of(const void *va)
{
	for (u32 n = 0; n < PAGES; n++)
		if (va == pages[n])
			return n;
	CLAIM(!"a page of ours");
	return 0;
}

static mh_hpa pa_of(u32 n)
{
	return FIRST_PA + n * MHI_PAGE_SIZE;
}

void *mhi_host_pages_alloc(unsigned int order)
{
	CLAIM(order == 0 && allocated < MHI_NPT_LEVELS - 1);
	return nondet_bool() ? NULL : pages[NEW + allocated++];
}

void mhi_host_pages_free(void *freed_page, unsigned int order)
{
	CLAIM(order == 0);
	freed[number_of(freed_page)]++;
}

mh_hpa mhi_host_va_to_pa(const void *va)
{
	return pa_of(number_of(va));
}

void *mhi_host_pa_to_va(mh_hpa pa)
{
	u32 n = (u32)((pa - FIRST_PA) >> MHI_PAGE_SHIFT);

	CLAIM(pa - FIRST_PA < PAGES * MHI_PAGE_SIZE && (pa & MHI_PAGE_MASK) == 0);
	if (PROOF_LEVELS == 2)
		return n == 1 ? p1 : p2;
	return pages[n < PAGES ? n : 0];
}

/* ---- any tree ---- */

static u64 level_bytes(unsigned int level)
{
	return MHI_PAGE_SIZE << (level - 1);
}

static bool is_table(u64 e, unsigned int level)
{
	return (e & MHI_NPT_R) && level > 1 && !(e & LARGE);
}

/*
 * Any entry that the walker makes: none, one for the table, which CPUs may have marked as
 * accessed, or a leaf, which lies within the tables' reach.
 */
static u64 any_entry(unsigned int level, u32 table, mh_gpa gpa)
{
	u64 mark = npt.fmt == &mhi_npt_amd ? MHI_BIT(5) : MHI_BIT(8), e = nondet_u64();

	if (nondet_bool())
		return 0;
	if (level > 1 && nondet_bool())
		return pa_of(table) | npt.fmt->table | (nondet_bool() ? mark : 0);
	ASSUME((e & MHI_NPT_R) && (level == 1 || (e & LARGE)) && level < 3);
	ASSUME(gpa + level_bytes(level) <= npt.gpa_limit);
	return e;
}

static unsigned int level_of(u32 n)
{
	return PROOF_LEVELS - (n > 0) - (n > 2);
}

static void any_tree(const struct mhi_npt_fmt *fmt, u32 bits)
{
	mh_gpa start[TABLES] = { 0 };

	npt.fmt = fmt;
	npt.root = pages[0];
	npt.max_level = 1 + (nondet_u32() & 1);
	npt.gpa_limit = MHI_BIT(bits);
	npt.tables = TABLES;
	npt.root_pa = FIRST_PA;
	for (u32 n = 0; n < TABLES; n++)
		for (u32 i = 0; i < ENTRIES; i++) {
			u32 child = 2 * n + 1 + i;
			mh_gpa gpa = start[n] + i * level_bytes(level_of(n));

			pages[n][i] = any_entry(level_of(n), child, gpa);
			if (child < TABLES)
				start[child] = gpa;
		}
}

/* ---- what the CPU does ---- */

struct found {
	unsigned int level; /* of the leaf; 0: none */
	unsigned int rights;
	u64 leaf;
};

static unsigned int rights_of(u64 e)
{
	bool exec = npt.fmt == &mhi_npt_amd ? !(e >> 63) : (e & MHI_BIT(2)) != 0;

	return (unsigned int)(e & (MHI_NPT_R | MHI_NPT_W)) | (exec ? MHI_NPT_X : 0);
}

/* SDM 3C 29.3.2 "EPT Translation Mechanism", APM 2 15.25 "Nested Paging" */
static struct found walk(mh_gpa gpa)
{
	struct found f = { 0, MHI_NPT_RWX, 0 };
	u64 *table = pages[0];

	for (unsigned int level = MHI_NPT_LEVELS; level; level--) {
		u64 e = table[gpa / level_bytes(level) % ENTRIES];

		f.rights &= rights_of(e);
		if (!(e & MHI_NPT_R))
			break;
		if (!is_table(e, level)) {
			f.leaf = e;
			f.level = level;
			break;
		}
		/* The nested walk is a user's; EPT's entry of a table has no memory type. */
		CLAIM(npt.fmt == &mhi_npt_amd ? (e & MHI_BIT(2)) != 0 : (e & 0x78) == 0);
		table = mhi_host_pa_to_va(e & ADDRESS);
	}
	return f;
}

static bool same(struct found a, struct found b)
{
	return a.level == b.level && (!a.level || (a.leaf == b.leaf && a.rights == b.rights));
}

static void claim_leaf(struct found f, unsigned int level, unsigned int prot, mh_hpa hpa)
{
	/*
	 * Write-back: bits 5:3 are 6, whatever the guest's PAT says: bit 6; AMD's PWT and PCD are
	 * 0, and it is the user's.
	 */
	u64 bits = npt.fmt == &mhi_npt_amd ? 0x1c : 0x78;
	u64 type = npt.fmt == &mhi_npt_amd ? 0x04 : 0x70;

	CLAIM(f.level == level && f.rights == prot);
	CLAIM((f.leaf & ADDRESS) == hpa && (f.leaf & bits) == type);
}

/* ---- the steps ---- */

static void map(const struct mhi_npt_fmt *fmt)
{
	mh_gpa gpa = nondet_u64(), inside = nondet_u64(), other = nondet_u64();
	mh_hpa hpa = nondet_u64();
	unsigned int level = nondet_u32(), prot = MHI_NPT_R | (nondet_u32() & MHI_NPT_RWX);
	struct found before, before_other;
	u32 had = nondet_u32(), bits = nondet_u32();
	u64 bytes;
	int rc;

	ASSUME(bits >= MHI_PAGE_SHIFT && bits <= GPA_BITS);
	any_tree(fmt, bits);
	ASSUME(level >= 1 && level <= npt.max_level && had < MHI_NPT_LEVELS);
	bytes = level_bytes(level);
	ASSUME((gpa & (bytes - 1)) == 0 && (hpa & (bytes - 1)) == 0 && hpa < MHI_BIT(52));
	ASSUME(inside - gpa < bytes && other < npt.gpa_limit && other - gpa >= bytes);
	spare.count = had;
	for (u32 n = 0; n < MHI_NPT_LEVELS - 1; n++)
		spare.page[n] = pages[NEW + n];
	before = walk(inside);
	before_other = walk(other);
	rc = mhi_npt_map(&npt, &spare, gpa, hpa, level, prot);
	CLAIM(rc == 0 || rc == MHI_ERANGE || rc == MHI_EEXIST || rc == MHI_ENOMEM);
	CLAIM((rc == MHI_ERANGE) == (gpa >= npt.gpa_limit || bytes > npt.gpa_limit - gpa));
	CLAIM(rc != MHI_ENOMEM || spare.count == 0);
	CLAIM(npt.tables - TABLES == had - spare.count);
	CLAIM(same(walk(other), before_other));
	if (rc) {
		CLAIM(same(walk(inside), before));
	} else {
		CLAIM(!before.level);
		claim_leaf(walk(inside), level, prot, hpa);
	}
}

void map_ept(void)
{
	map(&mhi_npt_ept_ad);
}

void map_amd(void)
{
	map(&mhi_npt_amd);
}

static bool touches(struct found f, mh_gpa at, mh_gpa gpa, u64 bytes)
{
	u64 leaf = f.level ? level_bytes(f.level) : 1;
	mh_gpa start = at & ~(leaf - 1);

	return f.level && bytes && gpa < start + leaf && (gpa >= start || bytes > start - gpa);
}

void unmap_range(void)
{
	mh_gpa gpa = nondet_u64(), at = nondet_u64();
	u64 bytes = nondet_u64(), removed;
	struct found before;
	bool touched;

	any_tree(&mhi_npt_ept_ad, GPA_BITS);
	ASSUME(at < npt.gpa_limit);
	before = walk(at);
	touched = touches(before, at, gpa, bytes);
	removed = mhi_npt_unmap(&npt, gpa, bytes);
	CLAIM(removed <= MHI_BIT(GPA_BITS - MHI_PAGE_SHIFT));
	CLAIM(removed || !touched);
	if (touched)
		CLAIM(!walk(at).level);
	else
		CLAIM(same(walk(at), before));
}

void fini(void)
{
	bool linked[TABLES] = { true };

	any_tree(&mhi_npt_ept_ad, GPA_BITS);
	npt.tables = 1;
	for (u32 n = 1; n < TABLES; n++) {
		u32 parent = (n - 1) / 2;

		linked[n] =
			linked[parent] && is_table(pages[parent][(n - 1) % 2], level_of(parent));
		npt.tables += linked[n];
	}
	mhi_npt_fini(&npt);
	for (u32 n = 0; n < TABLES; n++)
		CLAIM(freed[n] == linked[n]);
	CLAIM(npt.tables == 0 && !npt.root);
}

void init(void)
{
	unsigned int bits = nondet_u32();
	int rc;

	ASSUME(bits < 64);
	rc = mhi_npt_init(&npt, &mhi_npt_amd, 1, bits);
	CLAIM(rc == (allocated ? 0 : MHI_ENOMEM));
	CLAIM(rc || (npt.root == pages[NEW] && npt.root_pa == pa_of(NEW) && npt.tables == 1));
	CLAIM(rc || (npt.gpa_limit <= MHI_BIT(GPA_BITS) && npt.gpa_limit <= MHI_BIT(bits)));
	mhi_npt_fini(&npt);
	CLAIM(freed[NEW] == allocated && !npt.root);
}

void pool(void)
{
	u32 had = nondet_u32();
	int rc;

	ASSUME(had < MHI_NPT_LEVELS);
	spare.count = allocated = had;
	for (u32 n = 0; n < had; n++)
		spare.page[n] = pages[NEW + n];
	rc = mhi_npt_pool_fill(&spare);
	CLAIM(rc == 0 || rc == MHI_ENOMEM);
	CLAIM(spare.count == allocated && spare.count >= had);
	CLAIM(rc || spare.count == MHI_NPT_LEVELS - 1);
	mhi_npt_pool_drain(&spare);
	CLAIM(spare.count == 0);
	for (u32 n = NEW; n < PAGES; n++)
		CLAIM(freed[n] == (n - NEW < allocated));
}
