/* SPDX-License-Identifier: (GPL-2.0 OR MIT) */
/*
 * Nested page tables: guest-physical to host-physical, four levels, in the CPU's own format.
 *
 * One walker for both vendors: the formats differ in a few bits. The caller serialises all calls
 * on one table, and flushes the TLBs of running vCPUs after mhi_npt_unmap. Table pages are freed
 * only by mhi_npt_fini: a walker of another CPU may still read them.
 */
#ifndef MHI_MM_NPT_H
#define MHI_MM_NPT_H

#include "base/types.h"

#define MHI_NPT_LEVELS 4
#define MHI_NPT_R (1u << 0)
#define MHI_NPT_W (1u << 1)
#define MHI_NPT_X (1u << 2)
#define MHI_NPT_RWX 7u

/* Level of a leaf: 1 = 4 KiB, 2 = 2 MiB, 3 = 1 GiB. */
static inline u64 mhi_npt_level_bytes(unsigned int level)
{
	return MHI_PAGE_SIZE << (9 * (level - 1));
}

/* What the entry formats differ in: bits to be set. */
struct mhi_npt_fmt {
	u64 leaf;	     /* in every leaf */
	u64 table;	     /* in every entry that points to a table */
	u64 exec, no_exec;   /* in a leaf that may, or may not, be executed */
	bool accessed_dirty; /* the CPU keeps such flags in the entries */
};

extern const struct mhi_npt_fmt mhi_npt_ept;	/* SDM 3C 29.3.2 "EPT Translation Mechanism" */
extern const struct mhi_npt_fmt mhi_npt_ept_ad; /* the same with accessed and dirty flags */
extern const struct mhi_npt_fmt mhi_npt_amd;	/* APM 2 15.25 "Nested Paging" */

struct mhi_npt {
	const struct mhi_npt_fmt *fmt; /* (c) */
	void *root;		       /* (c) the top table's page */
	mh_hpa root_pa;		       /* (c) */
	unsigned int max_level;	       /* (c) largest leaf the CPU knows: 1, 2 or 3 */
	/* (c) first guest-physical address beyond the table's reach */
	u64 gpa_limit;
	u64 tables; /* pages that the table occupies, root included */
};

/*
 * Pages for tables, taken before the caller's lock so that mapping under it never allocates. At
 * most MHI_NPT_LEVELS - 1 tables are needed for one leaf.
 */
struct mhi_npt_pool {
	void *page[MHI_NPT_LEVELS - 1]; /* zeroed */
	unsigned int count;
};

/* Allocates the root. MHI_ENOMEM. */
int mhi_npt_init(struct mhi_npt *npt, const struct mhi_npt_fmt *fmt, unsigned int max_level,
		 unsigned int phys_bits);
/* Frees every table page; the pages that leaves point to are not ours. Accepts a zeroed struct. */
void mhi_npt_fini(struct mhi_npt *npt);

/* Tops the pool up to full. May sleep. MHI_ENOMEM. */
int mhi_npt_pool_fill(struct mhi_npt_pool *pool);
void mhi_npt_pool_drain(struct mhi_npt_pool *pool);

/*
 * Map one leaf of the given level, at most max_level, at gpa (both addresses aligned to it); prot
 * has R.
 * A leaf that is there already stays as it is and is MHI_EEXIST, as is a larger leaf in the way, or
 * a table beneath (even an emptied one): map smaller leaves.
 * Returns 0; MHI_ERANGE (beyond gpa_limit), MHI_EEXIST,
 * MHI_ENOMEM (pool empty). On error nothing is mapped.
 */
int mhi_npt_map(struct mhi_npt *npt, struct mhi_npt_pool *pool, mh_gpa gpa, mh_hpa hpa,
		unsigned int level, unsigned int prot);

/*
 * Remove all leaves that touch [gpa, gpa + bytes); a large leaf that is only partly inside goes as
 * a whole (it comes back by fault). Returns the number of leaves removed: 0 = no flush needed.
 */
u64 mhi_npt_unmap(struct mhi_npt *npt, mh_gpa gpa, u64 bytes);

#endif
