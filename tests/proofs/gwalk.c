// SPDX-License-Identifier: MIT
/*
 * The walk of a guest's page tables, in all paging modes, with any registers and tables that change
 * between any two reads of them.
 *
 * walk: every read lies in one page, that of CR3 or of an entry read before, and goes where there
 * is room for it; there are no more than two for each level; an answer is one of those that the
 * header lists; an address has no more than 52 bits, and the offset of the one that was asked for.
 *
 * rights: a walk in IA-32e mode that grants a user's write has read a last entry that is present,
 * writable and the user's.
 *
 * Stubs: the callback gives any bytes, or an error.
 *
 * source: src/mm/gwalk.c
 * prove: walk --unwind 11
 * fault: walk src/mm/gwalk.c s/MHI_BIT(m.index_bits) - 1/MHI_BIT(m.index_bits + 1) - 1/
 * fault: walk src/mm/gwalk.c s/(gva >> shift & 511) \* 8/(gva >> shift \& 1023) * 8/
 * fault: walk src/mm/gwalk.c s/index \* 4, &narrow, 4)/index * 4, \&narrow, 8)/
 * prove: rights --unwind 11
 * fault: rights src/mm/gwalk.c s/all &= e;/all \&= e | PTE_USER;/
 * fault: rights src/mm/gwalk.c s/w->rights &= e;/w->rights \&= e | PTE_W;/
 */
#include "base/err.h"
#include "base/x86.h"
#include "mm/gwalk.h"
#include "proof.h"

#define READS_MOST 10

static u64 entry[READS_MOST], cr3;
static u32 reads;
static int opaque;

/* The page of a table that is known; bits 63:52 are no address, nor are 63:32 of a narrow one. */
static bool is_table(mh_gpa gpa)
{
	u64 page = gpa >> MHI_PAGE_SHIFT;
	bool is = page == mhi_bits(cr3, 51, 12) || page == mhi_bits(cr3, 31, 12);

	for (u32 n = 0; n < READS_MOST; n++)
		is |= n < reads && page == mhi_bits(entry[n], 51, 12);
	return is;
}

static int any_read(void *context, mh_gpa gpa, void *buf, u32 bytes)
{
	u64 value = nondet_u64();

	CLAIM(context == &opaque && reads < READS_MOST);
	CLAIM((bytes == 8 || bytes == 4) && WRITABLE(buf, bytes));
	CLAIM((gpa & MHI_PAGE_MASK) + bytes <= MHI_PAGE_SIZE);
	CLAIM(is_table(gpa));
	entry[reads++] = bytes == 8 ? value : (u32)value;
	if (nondet_bool())
		return MHI_EFAULT;
	if (bytes == 8)
		*(u64 *)buf = value;
	else
		*(u32 *)buf = (u32)value;
	return 0;
}

static struct mhi_gwalk_env any_env(void)
{
	cr3 = nondet_u64();
	return (struct mhi_gwalk_env){ .cr0 = nondet_u64(),
				       .cr3 = cr3,
				       .cr4 = nondet_u64(),
				       .efer = nondet_u64(),
				       .rflags = nondet_u64(),
				       .read = any_read,
				       .opaque = &opaque };
}

void walk(void)
{
	struct mhi_gwalk_env env = any_env();
	struct mhi_gwalk_fault fault = { 0 };
	mh_gva gva = nondet_u64();
	mh_gpa gpa = 0;
	int rc = mhi_gwalk(&env, gva, nondet_u32() & 7, &gpa, &fault);

	CLAIM(rc == 0 || rc == MHI_EFAULT || rc == MHI_EINVAL || rc == MHI_EIO);
	CLAIM(rc || (gpa & MHI_PAGE_MASK) == (gva & MHI_PAGE_MASK));
	CLAIM(rc || !(env.cr0 & MHI_CR0_PG) || gpa >> 52 == 0);
	CLAIM(rc != MHI_EFAULT || fault.error < 32);
}

void rights(void)
{
	struct mhi_gwalk_env env = any_env();
	struct mhi_gwalk_fault fault;
	mh_gpa gpa;

	env.efer |= MHI_EFER_LMA;
	env.cr0 |= MHI_CR0_PG;
	if (mhi_gwalk(&env, nondet_u64(), MHI_GWALK_USER | MHI_GWALK_W, &gpa, &fault))
		return;
	/* The last entry is a leaf's, which every walk has read. */
	CLAIM(reads && (entry[reads - 1] & 7) == 7);
}
