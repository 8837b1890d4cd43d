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

/* ---- formats ---- */

/*
 * SDM 3C 29.3.2 "EPT Translation Mechanism": R 0, W 1, X 2, memory type 5:3 (6 = write-back),
 * ignore-PAT 6, large 7, accessed 8, dirty 9.
 */
START_TEST(ept_format)
{
	const struct mhi_npt_fmt *f = &mhi_npt_ept;

	ck_assert(f->make_leaf(0x123456789000, 1, MHI_NPT_RWX) == 0x123456789037);
	ck_assert(f->make_leaf(0x40200000, 2, MHI_NPT_R | MHI_NPT_W) == 0x402000b3);
	ck_assert(f->make_leaf(0x80000000, 3, MHI_NPT_R) == 0x800000b1);
	ck_assert(f->make_leaf(0x1000, 1, MHI_NPT_R | MHI_NPT_X) == 0x1035);
	ck_assert(f->make_table(0xffffffffff000) == 0xffffffffff007);
	ck_assert(!f->present(0) && !f->present(0xffffffffff0f8));
	ck_assert(f->present(1) && f->present(4));
	ck_assert(f->is_leaf(0x1037, 1) && f->is_leaf(0x2000b7, 2) && !f->is_leaf(0x1007, 2));
	ck_assert(f->addr(0x800f123456789fff) == 0xf123456789000);
	ck_assert(f->prot(0x1035) == (MHI_NPT_R | MHI_NPT_X));
	ck_assert(f->set_prot(0x1337, MHI_NPT_R) == 0x1331);
	ck_assert(!f->accessed && !f->dirty);
	ck_assert(mhi_npt_ept_ad.accessed == 0x100 && mhi_npt_ept_ad.dirty == 0x200);
	ck_assert(mhi_npt_ept_ad.make_leaf(0x1000, 1, MHI_NPT_RWX) == 0x1037);
}
END_TEST

/*
 * APM 2 5.4 "Page-Translation-Table Entry Fields": P 0, R/W 1, U/S 2, PWT 3, PCD 4, A 5, D 6,
 * PS 7 (PAT at level 1), NX 63; APM 2 15.25.5 "Nested versus Guest Page Faults": user access.
 */
START_TEST(amd_format)
{
	const struct mhi_npt_fmt *f = &mhi_npt_amd;

	ck_assert(f->make_leaf(0x123456789000, 1, MHI_NPT_RWX) == 0x123456789007);
	ck_assert(f->make_leaf(0x123456789000, 1, MHI_NPT_R) == 0x8000123456789005);
	ck_assert(f->make_leaf(0x40200000, 2, MHI_NPT_R | MHI_NPT_W) == 0x8000000040200087);
	ck_assert(f->make_leaf(0x80000000, 3, MHI_NPT_R | MHI_NPT_X) == 0x80000085);
	ck_assert(f->make_table(0xffffffffff000) == 0xffffffffff007);
	ck_assert(!f->present(0) && !f->present(0xffffffffff0fe) && f->present(1));
	ck_assert(f->is_leaf(0x1007, 1) && f->is_leaf(0x200087, 2) && !f->is_leaf(0x1007, 2));
	ck_assert(f->addr(0x800f123456789067) == 0xf123456789000);
	ck_assert(f->prot(0x1007) == MHI_NPT_RWX);
	ck_assert(f->prot(0x8000000000001005) == MHI_NPT_R);
	ck_assert(f->set_prot(0x1067, MHI_NPT_R) == 0x8000000000001065);
	ck_assert(f->set_prot(0x8000000000001065, MHI_NPT_RWX) == 0x1067);
	ck_assert(f->accessed == 0x20 && f->dirty == 0x40);
}
END_TEST

/* ---- arguments and failures ---- */

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

START_TEST(map_arguments)
{
	begin(&mhi_npt_ept, 2, 39);
	ck_assert(npt.gpa_limit == 512 * GIB);
	ck_assert(npt.root_pa == mhi_host_va_to_pa(npt.root));
	ck_assert_int_eq(map(0x800, 0, 1, MHI_NPT_R), MHI_EINVAL);
	ck_assert_int_eq(map(0, 0x800, 1, MHI_NPT_R), MHI_EINVAL);
	ck_assert_int_eq(map(MIB, 0, 2, MHI_NPT_R), MHI_EINVAL);
	ck_assert_int_eq(map(0, MIB, 2, MHI_NPT_R), MHI_EINVAL);
	ck_assert_int_eq(map(0, 0, 0, MHI_NPT_R), MHI_EINVAL);
	ck_assert_int_eq(map(0, 0, 3, MHI_NPT_R), MHI_EINVAL);
	ck_assert_int_eq(map(0, 0, 1, 0), MHI_EINVAL);
	ck_assert_int_eq(map(0, 0, 1, MHI_NPT_W), MHI_EINVAL);
	ck_assert_int_eq(map(0, 0, 1, MHI_NPT_RWX | 8), MHI_EINVAL);
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

START_TEST(replace_leaf)
{
	struct mhi_npt_leaf leaf;

	begin(formats[_i], 3, 48);
	ck_assert_int_eq(map(2 * MIB, 4 * MIB, 2, MHI_NPT_R), 0);
	ck_assert_int_eq(map(2 * MIB, 4 * MIB, 2, MHI_NPT_RWX), 0);
	mhi_npt_lookup(&npt, 2 * MIB + 0x1234, &leaf);
	ck_assert(leaf.hpa == 4 * MIB + 0x1234 && leaf.level == 2 && leaf.prot == MHI_NPT_RWX);
	ck_assert_int_eq(map(2 * MIB, 6 * MIB, 2, MHI_NPT_RWX), MHI_EEXIST);
	ck_assert_int_eq(map(2 * MIB + PAGE, PAGE, 1, MHI_NPT_RWX), MHI_EEXIST);
	ck_assert_int_eq(map(0, 0, 3, MHI_NPT_RWX), MHI_EEXIST);
	ck_assert(mhi_npt_unmap(&npt, 2 * MIB + 5 * PAGE, PAGE) == 1);
	mhi_npt_lookup(&npt, 2 * MIB, &leaf);
	ck_assert_uint_eq(leaf.level, 0);
	ck_assert(mhi_npt_unmap(&npt, 0, ~0ull) == 0);
	ck_assert_int_eq(map(2 * MIB, 6 * MIB, 2, MHI_NPT_RWX), 0);
	end();
}
END_TEST

/* The CPU's flags are read out, and survive a change of permissions. */
START_TEST(accessed_dirty)
{
	const struct mhi_npt_fmt *f = formats[_i];
	struct mhi_npt_leaf leaf;
	u64 *table;
	unsigned int level;

	begin(f, 3, 48);
	ck_assert_int_eq(map(0x5000, 0x7000, 1, MHI_NPT_RWX), 0);
	for (table = npt.root, level = 4; level > 1; level--)
		table = mhi_host_pa_to_va(f->addr(table[0]));
	mhi_npt_lookup(&npt, 0x5000, &leaf);
	ck_assert(!leaf.accessed && !leaf.dirty);
	table[5] |= f->accessed | f->dirty;
	ck_assert(mhi_npt_protect(&npt, 0x5fff, 1, MHI_NPT_R) == 1);
	ck_assert(mhi_npt_protect(&npt, 0x5fff, 1, MHI_NPT_R) == 0);
	mhi_npt_lookup(&npt, 0x5000, &leaf);
	ck_assert(leaf.accessed == (f->accessed != 0) && leaf.dirty == (f->dirty != 0));
	ck_assert_uint_eq(leaf.prot, MHI_NPT_R);
	ck_assert_int_eq(map(0x5000, 0x7000, 1, MHI_NPT_R | MHI_NPT_W), 0);
	mhi_npt_lookup(&npt, 0x5000, &leaf);
	ck_assert(leaf.dirty == (f->dirty != 0) && leaf.prot == (MHI_NPT_R | MHI_NPT_W));
	end();
}
END_TEST

START_TEST(allocation_failures)
{
	struct mhi_npt_leaf leaf;
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
		mhi_npt_lookup(&npt, 0, &leaf);
		ck_assert_uint_eq(leaf.level, 0);
		fake_pages_fail_after(-1);
		ck_assert_int_eq(map(0, 0, 1, MHI_NPT_R), 0);
		ck_assert_uint_eq(npt.tables, 4);
		end();
	}
}
END_TEST

/* ---- huge ranges ---- */

static unsigned int present_calls;

static bool counting_present(u64 e)
{
	present_calls++;
	return mhi_npt_ept.present(e);
}

/* A sweep of the whole space looks only into tables that exist, at entries that are not empty. */
START_TEST(sparse_sweep)
{
	struct mhi_npt_fmt fmt = mhi_npt_ept;
	u64 i;

	fmt.present = counting_present;
	begin(&fmt, 3, 48);
	for (i = 0; i < 16; i++)
		ck_assert_int_eq(map(i << 44, i << 44, 1, MHI_NPT_RWX), 0);
	present_calls = 0;
	ck_assert(mhi_npt_protect(&npt, 0, ~0ull, MHI_NPT_R) == 16);
	ck_assert(mhi_npt_unmap(&npt, 0, 1ull << 48) == 16);
	ck_assert_uint_le(present_calls, 2 * 16 * 4);
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
	if (m->level && m->hpa != hpa)
		return MHI_EEXIST;
	for (i = 0; i < leaf_pages(level); i++) {
		m[i].hpa = hpa + i * PAGE;
		m[i].level = (u8)level;
		m[i].prot = (u8)prot;
	}
	return 0;
}

static u64 model_sweep(u64 page, u64 pages, unsigned int keep)
{
	u64 changed = 0, p = page, i, n;
	struct model_page *m;

	while (p < page + pages) {
		m = &model[p];
		n = m->level ? leaf_pages(m->level) : 1;
		p -= p % n;
		m = &model[p];
		if (m->level && (!(keep & MHI_NPT_R) || (m->prot & ~keep))) {
			changed++;
			for (i = 0; i < n; i++) {
				m[i].prot &= (u8)keep;
				if (!(keep & MHI_NPT_R))
					m[i].level = 0;
			}
		}
		p += n;
	}
	return changed;
}

static void check_page(u64 page)
{
	const struct model_page *m = &model[page];
	struct mhi_npt_leaf leaf;

	mhi_npt_lookup(&npt, WIN_START + page * PAGE + 0x123, &leaf);
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
	/* Often the same address again, so that leaves are replaced. */
	u64 hpa = rng_below(r, 4) ? 0x100000000000 + page * PAGE : rng_next(r) & 0xfffffffffffff;
	int rc;

	hpa &= ~(mhi_npt_level_bytes(level) - 1);
	rc = model_map(page, hpa, level, prot);
	ck_assert_int_eq(map(WIN_START + page * PAGE, hpa, level, prot), rc);
	check_page(page);
}

static void random_sweep(struct rng *r)
{
	/* Small ranges often, else the window would be empty most of the time. */
	u64 most = rng_below(r, 64) ? 2048 : WIN_PAGES;
	u64 page = rng_below(r, WIN_PAGES), pages = 1 + rng_below(r, most);
	bool protect = rng_below(r, 2);
	unsigned int keep = protect ? random_prot(r) : 0;
	u64 got;

	if (pages > WIN_PAGES - page)
		pages = WIN_PAGES - page;
	if (protect)
		got = mhi_npt_protect(&npt, WIN_START + page * PAGE, pages * PAGE, keep);
	else
		got = mhi_npt_unmap(&npt, WIN_START + page * PAGE, pages * PAGE);
	ck_assert_uint_eq(got, model_sweep(page, pages, keep));
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
		if (rng_below(&r, 4))
			random_map(&r);
		else
			random_sweep(&r);
		check_page(rng_below(&r, WIN_PAGES));
	}
	for (i = 0; i < WIN_PAGES; i++) {
		check_page(i);
		leaves += model[i].level != 0;
	}
	ck_assert_uint_gt(leaves, 1000);
	ck_assert(mhi_npt_unmap(&npt, 0, ~0ull) == model_sweep(0, WIN_PAGES, 0));
	end();
}
END_TEST

static void add_tests(TCase *t)
{
	tcase_add_test(t, ept_format);
	tcase_add_test(t, amd_format);
	tcase_add_test(t, map_arguments);
	tcase_add_test(t, limit_of_four_levels);
	tcase_add_loop_test(t, replace_leaf, 0, MHI_COUNT(formats));
	tcase_add_loop_test(t, accessed_dirty, 0, MHI_COUNT(formats));
	tcase_add_test(t, allocation_failures);
	tcase_add_test(t, sparse_sweep);
	tcase_add_loop_test(t, random_against_model, 0, 6);
}

UNIT_MAIN("npt", add_tests)
