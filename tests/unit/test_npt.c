// SPDX-License-Identifier: MIT
/* Nested page tables: entry formats by the manuals' bits, and the walker against a flat model. */
#include "unit.h"
#include "pages.h"
#include "rng.h"
#include "base/err.h"
#include "mm/npt.h"

#define PAGE MHI_PAGE_SIZE
#define MIB (1024 * 1024ull)
#define GIB (1024 * MIB)

static const struct mhi_npt_fmt *const formats[] = { &mhi_npt_ept, &mhi_npt_ept_ad, &mhi_npt_amd };

static struct mhi_npt npt;
static struct mhi_npt_pool pool;

static void begin(const struct mhi_npt_fmt *fmt, unsigned int max_level, unsigned int phys_bits)
{
	memset(&npt, 0, sizeof(npt));
	memset(&pool, 0, sizeof(pool));
	ck_assert_int_eq(mhi_npt_init(&npt, fmt, max_level, phys_bits), 0);
	ck_assert_int_eq(mhi_npt_pool_fill(&pool), 0);
}

static void end(void)
{
	mhi_npt_pool_drain(&pool);
	ck_assert(fake_pages_live() == npt.tables);
	mhi_npt_fini(&npt);
	mhi_npt_fini(&npt);
	ck_assert_uint_eq(fake_pages_live(), 0);
}

static int map(mh_gpa gpa, mh_hpa hpa, unsigned int level, unsigned int prot)
{
	ck_assert_int_eq(mhi_npt_pool_fill(&pool), 0);
	return mhi_npt_map(&npt, &pool, gpa, hpa, level, prot);
}

struct leaf {
	mh_hpa hpa;	    /* of gpa itself, not of the leaf's start */
	unsigned int level; /* 0: nothing is mapped there */
	unsigned int prot;
};

/* The entry for gpa at the lowest level that has one. */
static u64 *entry_at(mh_gpa gpa, unsigned int *level)
{
	u64 *table = npt.root, *e;

	for (*level = 4;; --*level) {
		e = &table[gpa >> (12 + 9 * (*level - 1)) & 511];
		if (!*e || *level == 1 || *e & 0x80)
			return e;
		table = mhi_host_pa_to_va(*e & 0x000ffffffffff000);
	}
}

static struct leaf lookup(mh_gpa gpa)
{
	struct leaf leaf = { 0 };
	unsigned int level;
	u64 e = *entry_at(gpa, &level), within = mhi_npt_level_bytes(level) - 1;

	if (!e)
		return leaf;
	leaf.level = level;
	leaf.hpa = (e & 0x000ffffffffff000 & ~within) + (gpa & within);
	leaf.prot = e & (MHI_NPT_R | MHI_NPT_W);
	if (npt.fmt == &mhi_npt_amd ? !(e >> 63) : e >> 2 & 1)
		leaf.prot |= MHI_NPT_X;
	return leaf;
}

/* ---- formats ---- */

static u64 leaf_entry(mh_hpa hpa, unsigned int level, unsigned int prot)
{
	unsigned int found;
	u64 e;

	ck_assert_int_eq(map(hpa, hpa, level, prot), 0);
	e = *entry_at(hpa, &found);
	ck_assert_uint_eq(found, level);
	return e;
}

/*
 * SDM 3C 29.3.2 "EPT Translation Mechanism": R 0, W 1, X 2, memory type 5:3 (6 = write-back),
 * ignore-PAT 6, large 7, accessed 8, dirty 9.
 */
START_TEST(ept_format)
{
	begin(_i ? &mhi_npt_ept_ad : &mhi_npt_ept, 3, 48);
	ck_assert(leaf_entry(0x123456789000, 1, MHI_NPT_RWX) == 0x123456789077);
	ck_assert(leaf_entry(0x40200000, 2, MHI_NPT_R | MHI_NPT_W) == 0x402000f3);
	ck_assert(leaf_entry(0x80000000, 3, MHI_NPT_R) == 0x800000f1);
	ck_assert(leaf_entry(0x1000, 1, MHI_NPT_R | MHI_NPT_X) == 0x1075);
	ck_assert((*(u64 *)npt.root & 0xfff) == 7);
	ck_assert(npt.fmt->accessed_dirty == (_i == 1));
	end();
}
END_TEST

/*
 * APM 2 5.4 "Page-Translation-Table Entry Fields": P 0, R/W 1, U/S 2, PWT 3, PCD 4, A 5, D 6,
 * PS 7 (PAT at level 1), NX 63; APM 2 15.25.5 "Nested versus Guest Page Faults": user access.
 */
START_TEST(amd_format)
{
	begin(&mhi_npt_amd, 3, 48);
	ck_assert(leaf_entry(0x123456789000, 1, MHI_NPT_RWX) == 0x123456789007);
	ck_assert(leaf_entry(0x12345678a000, 1, MHI_NPT_R) == 0x800012345678a005);
	ck_assert(leaf_entry(0x40200000, 2, MHI_NPT_R | MHI_NPT_W) == 0x8000000040200087);
	ck_assert(leaf_entry(0x80000000, 3, MHI_NPT_R | MHI_NPT_X) == 0x80000085);
	ck_assert((*(u64 *)npt.root & 0xfff) == 7);
	ck_assert(npt.fmt->accessed_dirty);
	end();
}
END_TEST

/* ---- arguments and failures ---- */

START_TEST(map_arguments)
{
	begin(&mhi_npt_ept, 2, 39);
	ck_assert(npt.gpa_limit == 512 * GIB);
	ck_assert(npt.root_pa == mhi_host_va_to_pa(npt.root));
	ck_assert_int_eq(map(512 * GIB, 0, 1, MHI_NPT_R), MHI_ERANGE);
	ck_assert_int_eq(map(~PAGE + 1, 0, 1, MHI_NPT_R), MHI_ERANGE);
	ck_assert_uint_eq(npt.tables, 1);
	ck_assert_int_eq(map(512 * GIB - PAGE, 0, 1, MHI_NPT_R), 0);
	ck_assert_uint_eq(npt.tables, 4);
	end();
}
END_TEST

/* More address bits than four levels reach do not make the table larger. */
START_TEST(limit_of_four_levels)
{
	begin(&mhi_npt_amd, 3, 52);
	ck_assert(npt.gpa_limit == 1ull << 48);
	ck_assert_int_eq(map((1ull << 48) - GIB, GIB, 3, MHI_NPT_RWX), 0);
	ck_assert_int_eq(map(1ull << 48, GIB, 3, MHI_NPT_RWX), MHI_ERANGE);
	end();
}
END_TEST

START_TEST(leaf_in_the_way)
{
	struct leaf leaf;

	begin(formats[_i], 3, 48);
	ck_assert_int_eq(map(2 * MIB, 4 * MIB, 2, MHI_NPT_R), 0);
	ck_assert_int_eq(map(2 * MIB, 4 * MIB, 2, MHI_NPT_RWX), MHI_EEXIST);
	leaf = lookup(2 * MIB + 0x1234);
	ck_assert(leaf.hpa == 4 * MIB + 0x1234 && leaf.level == 2 && leaf.prot == MHI_NPT_R);
	ck_assert_int_eq(map(2 * MIB, 6 * MIB, 2, MHI_NPT_RWX), MHI_EEXIST);
	ck_assert_int_eq(map(2 * MIB + PAGE, PAGE, 1, MHI_NPT_RWX), MHI_EEXIST);
	ck_assert_int_eq(map(0, 0, 3, MHI_NPT_RWX), MHI_EEXIST);
	ck_assert(mhi_npt_unmap(&npt, 2 * MIB + 5 * PAGE, PAGE) == 1);
	ck_assert_uint_eq(lookup(2 * MIB).level, 0);
	ck_assert(mhi_npt_unmap(&npt, 0, ~0ull) == 0);
	ck_assert_int_eq(map(2 * MIB, 6 * MIB, 2, MHI_NPT_RWX), 0);
	end();
}
END_TEST

START_TEST(allocation_failures)
{
	unsigned int n;

	memset(&npt, 0, sizeof(npt));
	fake_pages_fail_after(0);
	ck_assert_int_eq(mhi_npt_init(&npt, &mhi_npt_amd, 3, 48), MHI_ENOMEM);
	mhi_npt_fini(&npt);
	for (n = 0; n < 3; n++) {
		fake_pages_fail_after(-1);
		begin(&mhi_npt_amd, 3, 48);
		mhi_npt_pool_drain(&pool);
		fake_pages_fail_after((int)n);
		ck_assert_int_eq(mhi_npt_pool_fill(&pool), MHI_ENOMEM);
		ck_assert_uint_eq(pool.count, n);
		ck_assert_int_eq(mhi_npt_map(&npt, &pool, 0, 0, 1, MHI_NPT_R), MHI_ENOMEM);
		ck_assert_uint_eq(lookup(0).level, 0);
		fake_pages_fail_after(-1);
		ck_assert_int_eq(map(0, 0, 1, MHI_NPT_R), 0);
		ck_assert_uint_eq(npt.tables, 4);
		end();
	}
}
END_TEST

/* ---- huge ranges ---- */

/* To sweep the whole space is possible: only tables that exist are looked into. */
START_TEST(sparse_sweep)
{
	u64 i;

	begin(formats[_i], 3, 48);
	for (i = 0; i < 16; i++)
		ck_assert_int_eq(map(i << 44, i << 44, 1, MHI_NPT_RWX), 0);
	ck_assert(mhi_npt_unmap(&npt, 0, 1ull << 48) == 16);
	ck_assert(mhi_npt_unmap(&npt, 0, ~0ull) == 0);
	end();
}
END_TEST

/* ---- the model ---- */

/* Four gigabytes around a border of the top level. */
#define WIN_START (510 * GIB)
#define WIN_BYTES (4 * GIB)
#define WIN_PAGES (WIN_BYTES / PAGE)

struct model_page {
	u64 hpa;
	u8 level, prot;
};

static struct model_page model[WIN_PAGES];
static bool has_pt[WIN_BYTES / (2 * MIB)]; /* is there a table of 4 KiB leaves? */
static bool has_pd[WIN_BYTES / GIB];

static u64 leaf_pages(unsigned int level)
{
	return mhi_npt_level_bytes(level) / PAGE;
}

static int model_map(u64 page, u64 hpa, unsigned int level, unsigned int prot)
{
	struct model_page *m = &model[page];
	u64 i;

	if (m->level > level)
		return MHI_EEXIST;
	if (level < 3)
		has_pd[page / leaf_pages(3)] = true;
	if (level < 2)
		has_pt[page / leaf_pages(2)] = true;
	if (level == 3 && has_pd[page / leaf_pages(3)])
		return MHI_EEXIST;
	if (level == 2 && has_pt[page / leaf_pages(2)])
		return MHI_EEXIST;
	if (m->level)
		return MHI_EEXIST;
	for (i = 0; i < leaf_pages(level); i++) {
		m[i].hpa = hpa + i * PAGE;
		m[i].level = (u8)level;
		m[i].prot = (u8)prot;
	}
	return 0;
}

static u64 model_unmap(u64 page, u64 pages)
{
	u64 removed = 0, p = page, i, n;

	while (p < page + pages) {
		n = model[p].level ? leaf_pages(model[p].level) : 1;
		p -= p % n;
		removed += model[p].level != 0;
		for (i = 0; i < n; i++)
			model[p + i].level = 0;
		p += n;
	}
	return removed;
}

static void check_page(u64 page)
{
	const struct model_page *m = &model[page];
	struct leaf leaf = lookup(WIN_START + page * PAGE + 0x123);

	if (leaf.level != m->level)
		ck_abort_msg("page %llu: level %u, model %u", page, leaf.level, m->level);
	if (leaf.level && (leaf.hpa != m->hpa + 0x123 || leaf.prot != m->prot))
		ck_abort_msg("page %llu: hpa %llx prot %u", page, leaf.hpa, leaf.prot);
}

static unsigned int random_prot(struct rng *r)
{
	return MHI_NPT_R | (unsigned int)rng_below(r, 4) << 1;
}

static void random_map(struct rng *r)
{
	static const u8 level_of[16] = { 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 2, 2, 2, 2, 2, 3 };
	unsigned int level = level_of[rng_below(r, 16)], prot = random_prot(r);
	u64 page = rng_below(r, WIN_PAGES) & ~(leaf_pages(level) - 1);
	u64 hpa = rng_next(r) & 0xfffffffffffff;
	int rc;

	hpa &= ~(mhi_npt_level_bytes(level) - 1);
	rc = model_map(page, hpa, level, prot);
	ck_assert_int_eq(map(WIN_START + page * PAGE, hpa, level, prot), rc);
	check_page(page);
}

static void random_unmap(struct rng *r)
{
	/* Small ranges often, else the window would be empty most of the time. */
	u64 most = rng_below(r, 64) ? 2048 : WIN_PAGES;
	u64 page = rng_below(r, WIN_PAGES), pages = 1 + rng_below(r, most);

	if (pages > WIN_PAGES - page)
		pages = WIN_PAGES - page;
	ck_assert_uint_eq(mhi_npt_unmap(&npt, WIN_START + page * PAGE, pages * PAGE),
			  model_unmap(page, pages));
	check_page(page);
	check_page(page + pages - 1);
}

START_TEST(random_against_model)
{
	struct rng r = { 0x9e3779b97f4a7c15ull + (u64)_i };
	u64 i, leaves = 0;

	memset(model, 0, sizeof(model));
	memset(has_pt, 0, sizeof(has_pt));
	memset(has_pd, 0, sizeof(has_pd));
	begin(formats[(u64)_i % MHI_COUNT(formats)], 3, 48);
	for (i = 0; i < 20000; i++) {
		if (rng_below(&r, 8))
			random_map(&r);
		else
			random_unmap(&r);
		check_page(rng_below(&r, WIN_PAGES));
	}
	for (i = 0; i < WIN_PAGES; i++) {
		check_page(i);
		leaves += model[i].level != 0;
	}
	ck_assert_uint_gt(leaves, 1000);
	ck_assert(mhi_npt_unmap(&npt, 0, ~0ull) == model_unmap(0, WIN_PAGES));
	end();
}
END_TEST

static void add_tests(TCase *t)
{
	tcase_add_loop_test(t, ept_format, 0, 2);
	tcase_add_test(t, amd_format);
	tcase_add_test(t, map_arguments);
	tcase_add_test(t, limit_of_four_levels);
	tcase_add_loop_test(t, leaf_in_the_way, 0, MHI_COUNT(formats));
	tcase_add_test(t, allocation_failures);
	tcase_add_loop_test(t, sparse_sweep, 0, MHI_COUNT(formats));
	tcase_add_loop_test(t, random_against_model, 0, 6);
}

UNIT_MAIN("npt", add_tests)
