// SPDX-License-Identifier: MIT
/* State behind the faked x86 instructions. */
#include "x86_insn.h"

#define FAKE_MAX 64

u64 fake_tsc;
u64 fake_cr[9], fake_dr[8], fake_xcr0;
unsigned int fake_faults;

static struct {
	u32 leaf, subleaf, r[4];
} leaves[FAKE_MAX];
static unsigned int leaf_count;

static struct fake_msr {
	u32 index;
	unsigned int writes;
	u64 value;
} msrs[FAKE_MAX];
static unsigned int msr_count;

void fake_x86_reset(void)
{
	fake_tsc = 0;
	fake_xcr0 = 0;
	fake_faults = 0;
	leaf_count = 0;
	msr_count = 0;
	memset(fake_cr, 0, sizeof(fake_cr));
	memset(fake_dr, 0, sizeof(fake_dr));
}

void fake_cpuid_set(u32 leaf, u32 subleaf, const u32 r[4])
{
	unsigned int i;

	for (i = 0; i < leaf_count; i++)
		if (leaves[i].leaf == leaf && leaves[i].subleaf == subleaf)
			break;
	if (i == FAKE_MAX)
		return;
	if (i == leaf_count)
		leaf_count++;
	leaves[i].leaf = leaf;
	leaves[i].subleaf = subleaf;
	memcpy(leaves[i].r, r, sizeof(leaves[i].r));
}

void mhi_cpuid(u32 leaf, u32 subleaf, u32 r[4])
{
	unsigned int i;

	memset(r, 0, 4 * sizeof(r[0]));
	for (i = 0; i < leaf_count; i++)
		if (leaves[i].leaf == leaf && leaves[i].subleaf == subleaf)
			memcpy(r, leaves[i].r, sizeof(leaves[i].r));
}

static struct fake_msr *find_msr(u32 index)
{
	unsigned int i;

	for (i = 0; i < msr_count; i++)
		if (msrs[i].index == index)
			return &msrs[i];
	return NULL;
}

void fake_msr_set(u32 index, u64 value)
{
	struct fake_msr *m = find_msr(index);

	if (!m && msr_count < FAKE_MAX) {
		m = &msrs[msr_count++];
		m->index = index;
		m->writes = 0;
	}
	if (m)
		m->value = value;
}

u64 fake_msr(u32 index)
{
	struct fake_msr *m = find_msr(index);

	return m ? m->value : 0;
}

unsigned int fake_msr_writes(u32 index)
{
	struct fake_msr *m = find_msr(index);

	return m ? m->writes : 0;
}

int mhi_rdmsr_safe(u32 index, u64 *value)
{
	struct fake_msr *m = find_msr(index);

	*value = m ? m->value : 0;
	return m ? 0 : -5;
}

u64 mhi_rdmsr(u32 index)
{
	u64 value;

	if (mhi_rdmsr_safe(index, &value))
		fake_faults++;
	return value;
}

void mhi_wrmsr(u32 index, u64 value)
{
	struct fake_msr *m = find_msr(index);

	if (!m) {
		fake_faults++;
		return;
	}
	m->writes++;
	m->value = value;
}
