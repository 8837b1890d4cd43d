// SPDX-License-Identifier: (GPL-2.0 OR MIT)
/* EPT entries: SDM 3C 29.3.2 "EPT Translation Mechanism", tables of the EPT paging structures. */
#include "mm/npt.h"

#define EPT_R MHI_BIT(0)
#define EPT_W MHI_BIT(1)
#define EPT_X MHI_BIT(2)
#define EPT_RWX (EPT_R | EPT_W | EPT_X)
/* Bits 5:3 of a leaf: memory type. Bit 6, ignore-PAT, stays 0: the guest's PAT combines with it. */
#define EPT_TYPE_WRITE_BACK (6ull << 3)
#define EPT_LARGE MHI_BIT(7)
#define EPT_ACCESSED MHI_BIT(8)
#define EPT_DIRTY MHI_BIT(9)
#define EPT_ADDR 0x000ffffffffff000ull

/* The prot bits are the entry's own. */
MHI_STATIC_ASSERT(MHI_NPT_R == EPT_R && MHI_NPT_W == EPT_W && MHI_NPT_X == EPT_X);

static u64 make_leaf(mh_hpa pa, unsigned int level, unsigned int prot)
{
	return pa | EPT_TYPE_WRITE_BACK | (level > 1 ? EPT_LARGE : 0) | prot;
}

static u64 make_table(mh_hpa pa)
{
	return pa | EPT_RWX;
}

static bool present(u64 e)
{
	return (e & EPT_RWX) != 0;
}

static bool is_leaf(u64 e, unsigned int level)
{
	return level == 1 || (e & EPT_LARGE) != 0;
}

static unsigned int prot(u64 e)
{
	return (unsigned int)(e & EPT_RWX);
}

static mh_hpa addr(u64 e)
{
	return e & EPT_ADDR;
}

static u64 set_prot(u64 e, unsigned int new_prot)
{
	return (e & ~EPT_RWX) | new_prot;
}

const struct mhi_npt_fmt mhi_npt_ept = {
	.name = "EPT",
	.make_leaf = make_leaf,
	.make_table = make_table,
	.present = present,
	.is_leaf = is_leaf,
	.prot = prot,
	.addr = addr,
	.set_prot = set_prot,
};

const struct mhi_npt_fmt mhi_npt_ept_ad = {
	.name = "EPT with accessed and dirty flags",
	.make_leaf = make_leaf,
	.make_table = make_table,
	.present = present,
	.is_leaf = is_leaf,
	.prot = prot,
	.addr = addr,
	.set_prot = set_prot,
	.accessed = EPT_ACCESSED,
	.dirty = EPT_DIRTY,
};
