// SPDX-License-Identifier: (GPL-2.0 OR MIT)
/*
 * AMD nested page-table entries: APM 2 15.25 "Nested Paging" in the format of APM 2 5.3 "Long-Mode
 * Page Translation". The nested walk counts as a user access, so every entry has the user bit.
 */
#include "mm/npt.h"

#define AMD_P MHI_BIT(0)
#define AMD_W MHI_BIT(1)
#define AMD_USER MHI_BIT(2)
/* PWT, PCD and PAT stay 0: PAT entry 0, write-back in the host's PAT. */
#define AMD_ACCESSED MHI_BIT(5)
#define AMD_DIRTY MHI_BIT(6)
#define AMD_LARGE MHI_BIT(7)
#define AMD_NX MHI_BIT(63)
#define AMD_ADDR 0x000ffffffffff000ull

static u64 prot_bits(unsigned int prot)
{
	return (prot & MHI_NPT_W ? AMD_W : 0) | (prot & MHI_NPT_X ? 0 : AMD_NX);
}

static u64 make_leaf(mh_hpa pa, unsigned int level, unsigned int prot)
{
	return pa | AMD_P | AMD_USER | (level > 1 ? AMD_LARGE : 0) | prot_bits(prot);
}

static u64 make_table(mh_hpa pa)
{
	return pa | AMD_P | AMD_W | AMD_USER;
}

static bool present(u64 e)
{
	return (e & AMD_P) != 0;
}

/* At level 1 bit 7 is the PAT bit. */
static bool is_leaf(u64 e, unsigned int level)
{
	return level == 1 || (e & AMD_LARGE) != 0;
}

static unsigned int prot(u64 e)
{
	return MHI_NPT_R | (e & AMD_W ? MHI_NPT_W : 0) | (e & AMD_NX ? 0 : MHI_NPT_X);
}

static mh_hpa addr(u64 e)
{
	return e & AMD_ADDR;
}

static u64 set_prot(u64 e, unsigned int new_prot)
{
	return (e & ~(AMD_W | AMD_NX)) | prot_bits(new_prot);
}

const struct mhi_npt_fmt mhi_npt_amd = {
	.name = "AMD nested",
	.make_leaf = make_leaf,
	.make_table = make_table,
	.present = present,
	.is_leaf = is_leaf,
	.prot = prot,
	.addr = addr,
	.set_prot = set_prot,
	.accessed = AMD_ACCESSED,
	.dirty = AMD_DIRTY,
};
