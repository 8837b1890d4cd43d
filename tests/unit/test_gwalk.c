// SPDX-License-Identifier: MIT
/* The guest page walk in every paging mode, against tables written by hand. */
#include "unit.h"
#include "base/err.h"
#include "mm/gwalk.h"

#define MEM_BYTES 0x10000
#define NX (1ull << 63)
#define P 1ull
#define W 2ull
#define U 4ull
#define PS 0x80ull

#define CR0_WP 0x10000ull
#define CR0_PG 0x80000000ull
#define CR4_PSE 0x10ull
#define CR4_PAE 0x20ull
#define CR4_LA57 0x1000ull
#define CR4_SMEP 0x100000ull
#define CR4_SMAP 0x200000ull
#define EFER_LMA 0x400ull
#define EFER_NXE 0x800ull
#define AC 0x40000ull

#define READ 0u
#define WRITE MHI_GWALK_W
#define FETCH MHI_GWALK_X
#define USER MHI_GWALK_USER

static u8 mem[MEM_BYTES];
static struct mhi_gwalk_env env;
static struct mhi_gwalk_fault fault;
static mh_gpa gpa;
static int read_error;

static int read_mem(void *opaque, mh_gpa at, void *buf, u32 bytes)
{
	(void)opaque;
	if (read_error)
		return read_error;
	ck_assert(at % bytes == 0);
	if (at > MEM_BYTES - bytes)
		return MHI_ENOENT;
	memcpy(buf, mem + at, bytes);
	return 0;
}

static void set32(u32 table, u32 index, u32 e)
{
	memcpy(mem + table + index * 4, &e, 4);
}

static void set64(u32 table, u32 index, u64 e)
{
	memcpy(mem + table + index * 8, &e, 8);
}

static void begin(u64 cr4, u64 efer)
{
	memset(mem, 0, sizeof(mem));
	env = (struct mhi_gwalk_env){
		.cr0 = CR0_PG | CR0_WP, .cr3 = 0x1000, .cr4 = cr4, .efer = efer, .read = read_mem
	};
	read_error = 0;
}

#define MAPS(gva, access, want)                                                  \
	do {                                                                     \
		gpa = ~0ull;                                                     \
		ck_assert_int_eq(mhi_gwalk(&env, gva, access, &gpa, &fault), 0); \
		ck_assert_uint_eq(gpa, want);                                    \
	} while (0)
#define FAULTS(gva, access, code)                                                         \
	do {                                                                              \
		gpa = 0x77;                                                               \
		fault.error = ~0u;                                                        \
		ck_assert_int_eq(mhi_gwalk(&env, gva, access, &gpa, &fault), MHI_EFAULT); \
		ck_assert_uint_eq(fault.error, code);                                     \
		ck_assert_uint_eq(gpa, 0x77);                                             \
	} while (0)

START_TEST(no_paging)
{
	begin(0, 0);
	env.cr0 = 0;
	MAPS(0x12345678, WRITE | USER, 0x12345678);
	MAPS(0x100000000 + 0x42, READ, 0x42);
}
END_TEST

/* SDM 3A 4.3 "32-Bit Paging": directory at 0x1000, table at 0x2000. */
START_TEST(paging_32bit)
{
	begin(0, 0);
	env.cr3 = 0x1018; /* PWT and PCD are no address */
	set32(0x1000, 0x301, 0x2000 | P | W | U);
	set32(0x2000, 0x3ff, 0xfee00000 | P | W | U);
	set32(0x2000, 0x002, 0x00345000 | P | U);
	MAPS(0xc07ff123, WRITE | USER, 0xfee00123);
	MAPS(0xc0402fff, FETCH | USER, 0x345fff);
	FAULTS(0xc0402fff, WRITE, 1 | 2);
	FAULTS(0xc0402fff, WRITE | USER, 1 | 2 | 4);
	env.cr0 &= ~CR0_WP;
	MAPS(0xc0402fff, WRITE, 0x345fff);
	FAULTS(0xc0402fff, WRITE | USER, 1 | 2 | 4);
	FAULTS(0xc0403000, READ, 0);
	FAULTS(0xc0403000, WRITE | USER, 2 | 4);
	FAULTS(0x1000, FETCH, 0); /* no NX, no SMEP: the I bit stays 0 */
	env.efer = EFER_NXE;	  /* without PAE there is no NX */
	FAULTS(0x1000, FETCH, 0);
	/* The linear address has 32 bits. */
	MAPS(0x5c07ff123, READ, 0xfee00123);
}
END_TEST

START_TEST(paging_32bit_pse)
{
	begin(CR4_PSE, 0);
	set32(0x1000, 1, 0x00c00000 | 0x1 << 13 | PS | P | W);
	set32(0x1000, 2, 0x00c00000 | 1 << 21 | PS | P | W);
	MAPS(0x00712345, WRITE, 0x100f12345); /* bit 13 of the entry is address bit 32 */
	FAULTS(0x00712345, READ | USER, 1 | 4);
	FAULTS(0x00812345, READ, 1 | 8);
	/* Without PSE bit 7 means nothing: the entry points to a table. */
	env.cr4 = 0;
	set32(0x1000, 1, 0x2000 | PS | P | W);
	set32(0x2000, 0x312, 0x5000 | P);
	MAPS(0x00712345, READ, 0x5345);
}
END_TEST

/* SDM 3A 4.4 "PAE Paging": four PDPTEs at a 32-byte border, without rights of their own. */
START_TEST(paging_pae)
{
	begin(CR4_PAE, EFER_NXE);
	env.cr3 = 0x1020;
	set64(0x1020, 3, 0x2000 | P);
	set64(0x2000, 0x1ff, 0x3000 | P | W | U);
	set64(0x3000, 0x1fe, 0x0000000fffffe000 | P | W | U | NX);
	set64(0x2000, 0, 0x0000000f40200000 | 0x1000 | PS | P | W);
	MAPS(0xffffe678, WRITE | USER, 0xfffffe678);
	FAULTS(0xffffe678, FETCH | USER, 1 | 4 | 0x10);
	FAULTS(0xffffe678, FETCH, 1 | 0x10);
	MAPS(0xc01fffff, WRITE, 0xf403fffff); /* bit 12 is PAT, not reserved */
	FAULTS(0xc01fffff, READ | USER, 1 | 4);
	FAULTS(0x00000000, FETCH, 0x10);
	set64(0x2000, 0, 0x0000000f40200000 | 0x2000 | PS | P | W);
	FAULTS(0xc01fffff, READ, 1 | 8);
	set64(0x2000, 0, 0x0010000f40200000 | PS | P | W);
	FAULTS(0xc01fffff, WRITE, 1 | 2 | 8);
	set64(0x1020, 3, 0x2000 | PS | P);
	FAULTS(0xc01fffff, READ, 1 | 8);
	/* NX without EFER.NXE is reserved, and fetches are not told apart. */
	set64(0x1020, 3, 0x2000 | P);
	env.efer = 0;
	FAULTS(0xffffe678, FETCH, 1 | 8);
}
END_TEST

#define HIGH 0xffff800000000000ull

static void long_tables(u64 cr4)
{
	begin(CR4_PAE | cr4, EFER_LMA | EFER_NXE);
	set64(0x1000, 256, 0x2000 | P | W | U);
	set64(0x2000, 0, 0x3000 | P | W | U);
	set64(0x2000, 1, 0x0000008040000000 | PS | P | W | U);
	set64(0x3000, 0, 0x4000 | P | W | U);
	set64(0x3000, 1, 0x00000000fee00000 | PS | P | W);
	set64(0x4000, 0, 0xff234567a9000 | P | W | U);
	set64(0x4000, 1, 0x5000 | P | W | U | NX);
	set64(0x4000, 2, 0x6000 | P | W);
}

START_TEST(paging_4level)
{
	long_tables(0);
	MAPS(HIGH + 0xabc, WRITE | USER, 0xff234567a9abc);
	MAPS(HIGH + 0x40123456, FETCH | USER, 0x8040123456);
	MAPS(HIGH + 0x3ffffe, WRITE, 0xfefffffe);
	FAULTS(HIGH + 0x3ffffe, READ | USER, 1 | 4);
	FAULTS(HIGH + 0x1000, FETCH, 1 | 0x10);
	MAPS(HIGH + 0x1008, WRITE | USER, 0x5008);
	FAULTS(HIGH + 0x2000, WRITE | USER, 1 | 2 | 4);
	FAULTS(HIGH + 0x3000, WRITE, 2);
	FAULTS(0, READ, 0);
	ck_assert_int_eq(mhi_gwalk(&env, 0x0000800000000000, READ, &gpa, &fault), MHI_EINVAL);
	ck_assert_int_eq(mhi_gwalk(&env, 0xffff7fffffffffff, READ, &gpa, &fault), MHI_EINVAL);
	FAULTS(0x00007fffffffffff, READ, 0);
}
END_TEST

/* A right must be granted at every level, and NX at any level forbids. */
START_TEST(rights_of_all_levels)
{
	static const u32 tables[] = { 0x1000 + 256 * 8, 0x2000, 0x3000, 0x4000 };
	u64 good;

	long_tables(0);
	memcpy(&good, mem + tables[_i], 8);
	set64(tables[_i], 0, good & ~W);
	FAULTS(HIGH, WRITE, 1 | 2);
	set64(tables[_i], 0, good & ~U);
	FAULTS(HIGH, READ | USER, 1 | 4);
	MAPS(HIGH, READ, 0xff234567a9000);
	set64(tables[_i], 0, good | NX);
	FAULTS(HIGH, FETCH | USER, 1 | 4 | 0x10);
	env.efer &= ~EFER_NXE;
	FAULTS(HIGH, READ | USER, 1 | 4 | 8);
	env.efer |= EFER_NXE;
	set64(tables[_i], 0, good & ~P);
	FAULTS(HIGH, READ | USER, 4);
	set64(tables[_i], 0, good | PS);
	if (_i < 3) /* in the top table, or with address bits that a large page cannot have */
		FAULTS(HIGH, READ, 1 | 8);
	else
		MAPS(HIGH, READ, 0xff234567a9000); /* the PAT bit */
}
END_TEST

START_TEST(smep_smap)
{
	long_tables(CR4_SMEP);
	FAULTS(HIGH, FETCH, 1 | 0x10);
	MAPS(HIGH, FETCH | USER, 0xff234567a9000);
	MAPS(HIGH + 0x2000, FETCH, 0x6000);
	MAPS(HIGH, WRITE, 0xff234567a9000);
	env.efer &= ~EFER_NXE;
	FAULTS(HIGH, FETCH, 1 | 0x10); /* SMEP alone shows the I bit too */
	long_tables(CR4_SMAP);
	FAULTS(HIGH, READ, 1);
	FAULTS(HIGH, WRITE, 1 | 2);
	MAPS(HIGH, WRITE | USER, 0xff234567a9000);
	MAPS(HIGH, FETCH, 0xff234567a9000);
	MAPS(HIGH + 0x2000, WRITE, 0x6000);
	env.rflags = AC;
	MAPS(HIGH, WRITE, 0xff234567a9000);
}
END_TEST

START_TEST(paging_5level)
{
	long_tables(CR4_LA57);
	env.cr3 = 0x7000;
	set64(0x7000, 0x1ff, 0x1000 | P | W | U);
	set64(0x7000, 0x100, 0x1000 | P | W | U);
	MAPS(HIGH + 0xabc, WRITE | USER, 0xff234567a9abc);
	MAPS(0xff00800000000abc, READ, 0xff234567a9abc);
	ck_assert_int_eq(mhi_gwalk(&env, 0x0100800000000abc, READ, &gpa, &fault), MHI_EINVAL);
	set64(0x7000, 0x1ff, 0x1000 | P | W | U | PS);
	FAULTS(HIGH, READ, 1 | 8);
}
END_TEST

/* Errors of the callback come back as they are, but none looks like the guest's page fault. */
START_TEST(read_errors)
{
	long_tables(0);
	read_error = MHI_EAGAIN;
	ck_assert_int_eq(mhi_gwalk(&env, HIGH, READ, &gpa, &fault), MHI_EAGAIN);
	read_error = MHI_EFAULT;
	ck_assert_int_eq(mhi_gwalk(&env, HIGH, READ, &gpa, &fault), MHI_EIO);
	read_error = 0;
	set64(0x3000, 0, 0x40000 | P | W | U);
	ck_assert_int_eq(mhi_gwalk(&env, HIGH, READ, &gpa, &fault), MHI_ENOENT);
}
END_TEST

static void add_tests(TCase *t)
{
	tcase_add_test(t, no_paging);
	tcase_add_test(t, paging_32bit);
	tcase_add_test(t, paging_32bit_pse);
	tcase_add_test(t, paging_pae);
	tcase_add_test(t, paging_4level);
	tcase_add_loop_test(t, rights_of_all_levels, 0, 4);
	tcase_add_test(t, smep_smap);
	tcase_add_test(t, paging_5level);
	tcase_add_test(t, read_errors);
}

UNIT_MAIN("gwalk", add_tests)
