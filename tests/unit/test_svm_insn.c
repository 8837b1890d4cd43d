// SPDX-License-Identifier: MIT
/*
 * Tests of svm_insn.c and insn.c: length and operand of the instruction behind an exit, on a CPU
 * that says neither; plain stores.
 */
#include "fake_svm.h"
#include "arch/x86/insn.h"
#include "unit.h"

#define CODE 0x2000u

static struct mhi_exit x;

/* 64-bit code segment; paging stays off so that linear is guest-physical. */
static void long_mode(void)
{
	fake_svm.vmcb->state.efer = MHI_EFER_SVME | MHI_EFER_LME | MHI_EFER_LMA;
	fake_svm.vmcb->state.cs.attrib = MHI_SVM_SEG_P | MHI_SVM_SEG_L | 0x1b;
	fake_svm.vmcb->state.cs.base = 0;
}

static void begin(void)
{
	fake_svm_begin(FAKE_SVM_QEMU);
	long_mode();
}

static void run(u64 rip, const void *code, size_t bytes, u64 exit_code, u64 info1)
{
	memcpy(fake_svm.ram + rip, code, bytes);
	fake_svm.v.rip = rip;
	fake_svm.v.rip_dirty = true;
	fake_svm_exit(exit_code, info1, 0, &x);
}

static const struct {
	u32 code;
	u64 info1;
	enum mhi_reason reason;
	u8 len;
	u8 bytes[16];
} good[] = {
	{ 0x72, 0, MHI_X_CPUID, 2, { 0x0f, 0xa2 } },
	{ 0x72, 0, MHI_X_CPUID, 3, { 0x48, 0x0f, 0xa2 } },
	{ 0x72, 0, MHI_X_CPUID, 6, { 0x66, 0xf3, 0x2e, 0x4f, 0x0f, 0xa2 } },
	{ 0x78, 0, MHI_X_HLT, 1, { 0xf4 } },
	{ 0x7c, 0, MHI_X_RDMSR, 2, { 0x0f, 0x32 } },
	{ 0x7c, 1, MHI_X_WRMSR, 2, { 0x0f, 0x30 } },
	{ 0x81, 0, MHI_X_HYPERCALL, 3, { 0x0f, 0x01, 0xd9 } },
	{ 0x8d, 0, MHI_X_XSETBV, 3, { 0x0f, 0x01, 0xd1 } },
	{ 0x6f, 0, MHI_X_RDPMC, 2, { 0x0f, 0x33 } },
	{ 0x76, 0, MHI_X_INVD, 2, { 0x0f, 0x08 } },
	{ 0x89, 0, MHI_X_INVD, 2, { 0x0f, 0x09 } },
	/* A bug: QEMU reports INVD with the code of WBINVD, which ended in an unhandled exit. */
	{ 0x89, 0, MHI_X_INVD, 2, { 0x0f, 0x08 } },
	{ 0x89, 0, MHI_X_INVD, 3, { 0xf3, 0x0f, 0x09 } }, /* WBNOINVD */
	{ 0x77, 0, MHI_X_PAUSE, 2, { 0xf3, 0x90 } },
	{ 0x72,
	  0,
	  MHI_X_CPUID,
	  15,
	  { 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x0f,
	    0xa2 } },
};

START_TEST(lengths)
{
	size_t i;

	begin();
	for (i = 0; i < MHI_COUNT(good); i++) {
		run(CODE, good[i].bytes, 15, good[i].code, good[i].info1);
		ck_assert_msg(x.reason == good[i].reason, "row %zu: reason %d", i, x.reason);
		ck_assert_msg(x.insn_len == good[i].len, "row %zu: length %u", i, x.insn_len);
	}
	fake_svm_end();
}
END_TEST

START_TEST(wrong_bytes)
{
	static const u8 too_long[16] = { 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66,
					 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x0f, 0xa2 };
	static const u8 rdmsr[] = { 0x0f, 0x32 };

	begin();
	run(CODE, "\x90\x90", 2, 0x72, 0);
	ck_assert_int_eq(x.reason, MHI_X_UNHANDLED);
	ck_assert_uint_eq(x.insn_len, 0);
	run(CODE, rdmsr, 2, 0x7c, 1); /* the exit says WRMSR */
	ck_assert_int_eq(x.reason, MHI_X_UNHANDLED);
	run(CODE, too_long, 16, 0x72, 0);
	ck_assert_int_eq(x.reason, MHI_X_UNHANDLED);
	fake_svm_end();
}
END_TEST

START_TEST(rex_is_no_prefix_outside_long_mode)
{
	begin();
	fake_svm.vmcb->state.efer = MHI_EFER_SVME;
	run(CODE, "\x48\x0f\xa2", 3, 0x72, 0);
	ck_assert_int_eq(x.reason, MHI_X_UNHANDLED);
	fake_svm_end();
}
END_TEST

START_TEST(real_mode_segment)
{
	begin();
	fake_svm.vmcb->state.efer = MHI_EFER_SVME;
	fake_svm.vmcb->state.cs.base = 0x3000;
	memcpy(fake_svm.ram + 0x3010, "\xf4", 1);
	fake_svm.v.rip = 0x10;
	fake_svm.v.rip_dirty = true;
	fake_svm_exit(0x78, 0, 0, &x);
	ck_assert_int_eq(x.reason, MHI_X_HLT);
	ck_assert_uint_eq(x.insn_len, 1);
	fake_svm_end();
}
END_TEST

/* mov %reg, %crN in its encodings. */
static const struct {
	u8 cr, gpr, len;
	bool long_mode;
	u8 bytes[8];
} movs[] = {
	{ 4, MHK_RAX, 3, true, { 0x0f, 0x22, 0xe0 } },
	{ 4, MHK_RDI, 3, true, { 0x0f, 0x22, 0xe7 } },
	{ 4, MHK_RSP, 3, true, { 0x0f, 0x22, 0xe4 } },
	{ 4, MHK_R15, 4, true, { 0x41, 0x0f, 0x22, 0xe7 } },
	{ 8, MHK_RAX, 4, true, { 0x44, 0x0f, 0x22, 0xc0 } },
	{ 8, MHK_R9, 4, true, { 0x45, 0x0f, 0x22, 0xc1 } },
	{ 8, MHK_RCX, 4, false, { 0xf0, 0x0f, 0x22, 0xc1 } }, /* LOCK MOV CR0 */
};

START_TEST(mov_to_cr)
{
	unsigned int n;
	size_t i;

	begin();
	for (n = 0; n < MHK_GPRS; n++)
		fake_svm.v.gpr[n] = 0x1111111100000000ull + n;
	fake_svm.vmcb->state.rsp = 0x2222222200000000ull;
	for (i = 0; i < MHI_COUNT(movs); i++) {
		u64 want = movs[i].gpr == MHK_RSP ? fake_svm.vmcb->state.rsp
						  : fake_svm.v.gpr[movs[i].gpr];

		long_mode();
		if (!movs[i].long_mode) {
			fake_svm.vmcb->state.efer = MHI_EFER_SVME;
			want &= 0xffffffff;
		}
		run(CODE, movs[i].bytes, 8, 0x10u + movs[i].cr, 0);
		ck_assert_int_eq(x.reason, MHI_X_CR_WRITE);
		ck_assert_uint_eq(x.cr.nr, movs[i].cr);
		ck_assert_msg(x.insn_len == movs[i].len, "row %zu", i);
		ck_assert_msg(x.cr.value == want, "row %zu: %llx", i, x.cr.value);
	}
	fake_svm_end();
}
END_TEST

START_TEST(mov_to_another_cr)
{
	begin();
	run(CODE, "\x0f\x22\xd8", 3, 0x14, 0); /* bytes say CR3, the exit CR4 */
	ck_assert_int_eq(x.reason, MHI_X_UNHANDLED);
	fake_svm_end();
}
END_TEST

START_TEST(page_not_there_yet)
{
	begin();
	fake_svm.absent = CODE;
	run(CODE + 8, "\x0f\xa2", 2, 0x72, 0);
	ck_assert_int_eq(x.reason, MHI_X_FETCH);
	ck_assert_uint_eq(x.fault.gpa, CODE + 8);
	ck_assert_uint_eq(x.insn_len, 0);
	fake_svm.absent = ~0ull;
	fake_svm_exit(0x72, 0, 0, &x); /* the guest executes it again */
	ck_assert_int_eq(x.reason, MHI_X_CPUID);
	ck_assert_uint_eq(x.insn_len, 2);
	fake_svm_end();
}
END_TEST

START_TEST(next_page_only_when_needed)
{
	begin();
	fake_svm.absent = CODE + 0x1000;
	run(CODE + 0xffe, "\x0f\xa2", 2, 0x72, 0); /* ends with the page */
	ck_assert_int_eq(x.reason, MHI_X_CPUID);
	run(CODE + 0xfff, "\x0f\xa2", 2, 0x72, 0); /* straddles */
	ck_assert_int_eq(x.reason, MHI_X_FETCH);
	ck_assert_uint_eq(x.fault.gpa, CODE + 0x1000);
	fake_svm.absent = ~0ull;
	fake_svm_exit(0x72, 0, 0, &x);
	ck_assert_int_eq(x.reason, MHI_X_CPUID);
	ck_assert_uint_eq(x.insn_len, 2);
	fake_svm_end();
}
END_TEST

static void put_entry(u32 table, u32 index, u64 entry)
{
	memcpy(fake_svm.ram + table + 8 * index, &entry, 8);
}

/* Linear 0x7f0000002000 maps to CODE by four levels of tables at 0x4000..0x7000. */
static void paged(u64 leaf)
{
	put_entry(0x4000, 0xfe, 0x5007);
	put_entry(0x5000, 0, 0x6007);
	put_entry(0x6000, 0, 0x7007);
	put_entry(0x7000, 2, leaf);
	fake_svm.vmcb->state.cr0 = MHI_CR0_PE | MHI_CR0_PG;
	fake_svm.vmcb->state.cr3 = 0x4000;
	fake_svm.vmcb->state.cr4 = MHI_CR4_PAE;
	fake_svm.v.rip = 0x7f0000002000;
	fake_svm.v.rip_dirty = true;
	memcpy(fake_svm.ram + CODE, "\x0f\xa2", 2);
}

static void forget_page(void)
{
	fake_svm.v.code_page.linear = MHI_NO_PAGE;
}

START_TEST(through_the_guests_tables)
{
	begin();
	paged(CODE | 7);
	fake_svm_exit(0x72, 0, 0, &x);
	ck_assert_int_eq(x.reason, MHI_X_CPUID);
	ck_assert_uint_eq(x.insn_len, 2);

	/* The page is remembered: its tables need not be there. */
	fake_svm.absent = 0x6000;
	fake_svm_exit(0x72, 0, 0, &x);
	ck_assert_int_eq(x.reason, MHI_X_CPUID);

	forget_page(); /* a table must be faulted in first */
	fake_svm_exit(0x72, 0, 0, &x);
	ck_assert_int_eq(x.reason, MHI_X_FETCH);
	ck_assert_uint_eq(x.fault.gpa & ~MHI_PAGE_MASK, 0x6000);
	fake_svm.absent = ~0ull;

	/* Another vCPU took the mapping away since: look again, the guest gets its own #PF. */
	paged(0);
	forget_page();
	fake_svm_exit(0x72, 0, 0, &x);
	ck_assert_int_eq(x.reason, MHI_X_HOST);
	ck_assert_uint_eq(x.insn_len, 0);
	fake_svm_end();
}
END_TEST

static const struct {
	u64 cr4, efer;
	u64 rip;
	u64 at[3], entry[3]; /* of the tables, from the root at 0x4000 */
} modes[] = {
	/* 32-bit: 4 KiB and 4 MiB pages, and the large bit that means nothing without PSE */
	{ 0, 0, 0x402000, { 0x4004, 0x5008 }, { 0x5007, CODE | 7 } },
	{ MHI_CR4_PSE, 0, 0xffc02000, { 0x4ffc }, { 0x87 } },
	{ 0, 0, 0x402000, { 0x4004, 0x5008 }, { 0x5087, CODE | 7 } },
	/* PAE: the root is 32-byte aligned; 4 KiB and 2 MiB pages */
	{ MHI_CR4_PAE, 0, 0xc0402000, { 0x4038, 0x5010, 0x6010 }, { 0x5001, 0x6007, CODE | 7 } },
	{ MHI_CR4_PAE, 0, 0xc0402000, { 0x4038, 0x5010 }, { 0x5001, 0x87 } },
	/* long mode: a 1 GiB page */
	{ MHI_CR4_PAE,
	  MHI_EFER_LMA,
	  0x7f0000002000,
	  { 0x47f0, 0x5000 },
	  { 0x5007, 1ull << 63 | 0x87 } },
};

START_TEST(paging_modes)
{
	struct mhi_vmcb_state *st;
	unsigned int i;

	begin();
	st = &fake_svm.vmcb->state;
	memset(fake_svm.ram + 0x4000, 0, 0x3000);
	for (i = 0; i < 3 && modes[_i].entry[i]; i++)
		memcpy(fake_svm.ram + modes[_i].at[i], &modes[_i].entry[i],
		       modes[_i].cr4 & MHI_CR4_PAE ? 8 : 4);
	st->cr0 = MHI_CR0_PE | MHI_CR0_PG;
	st->cr3 = modes[_i].at[0] == 0x4038 ? 0x4020 : 0x4000;
	st->cr4 = modes[_i].cr4;
	st->efer = MHI_EFER_SVME | modes[_i].efer;
	fake_svm.v.rip = modes[_i].rip;
	fake_svm.v.rip_dirty = true;
	memcpy(fake_svm.ram + CODE, "\x0f\xa2", 2);
	fake_svm_exit(0x72, 0, 0, &x);
	ck_assert_int_eq(x.reason, MHI_X_CPUID);
	ck_assert_uint_eq(x.insn_len, 2);
	fake_svm_end();
}
END_TEST

START_TEST(remembered_page_was_replaced)
{
	begin();
	paged(CODE | 7);
	fake_svm_exit(0x72, 0, 0, &x);
	ck_assert_uint_eq(x.insn_len, 2);

	/*
	 * The same linear page elsewhere: the old page's bytes are no CPUID, the new one's have
	 * a prefix.
	 */
	paged((CODE + 0x1000) | 7);
	memcpy(fake_svm.ram + CODE, "\x90\x90", 2);
	memcpy(fake_svm.ram + CODE + 0x1000, "\x66\x0f\xa2", 3);
	fake_svm_exit(0x72, 0, 0, &x);
	ck_assert_int_eq(x.reason, MHI_X_CPUID);
	ck_assert_uint_eq(x.insn_len, 3);
	fake_svm_end();
}
END_TEST

START_TEST(nothing_is_read_with_next_rip)
{
	fake_svm_begin(FAKE_SVM_FULL);
	fake_svm.absent = 0;
	fake_svm.v.rip = 0x100;
	fake_svm.v.rip_dirty = true;
	fake_svm.vmcb->control.next_rip = 0x102;
	fake_svm_exit(0x72, 0, 0, &x);
	ck_assert_int_eq(x.reason, MHI_X_CPUID);
	ck_assert_uint_eq(x.insn_len, 2);
	fake_svm_end();
}
END_TEST

/* ---- plain stores ---- */

static const struct {
	u8 len; /* 0: not one */
	u8 bytes[15];
} stores[] = {
	{ 2, { 0x88, 0x00 } },
	{ 2, { 0x89, 0x00 } },
	{ 3, { 0x66, 0x89, 0x07 } },
	{ 3, { 0x89, 0x47, 0x10 } },
	{ 6, { 0x89, 0x87, 0, 0, 0, 1 } },
	{ 6, { 0x89, 0x05, 0, 0, 0, 1 } },	 /* RIP-relative */
	{ 3, { 0x89, 0x04, 0x24 } },		 /* SIB */
	{ 7, { 0x89, 0x04, 0x25, 0, 0, 0, 1 } }, /* SIB without a base */
	{ 4, { 0x89, 0x44, 0x25, 0x10 } },	 /* the base is RBP */
	{ 7, { 0x89, 0x84, 0x25, 0, 0, 0, 1 } },
	{ 3, { 0x48, 0x89, 0x07 } },
	{ 4, { 0x66, 0x41, 0x89, 0x07 } },
	{ 4, { 0x65, 0x67, 0x89, 0x07 } },
	{ 0, { 0x48, 0x66, 0x89, 0x07 } }, /* REX before a legacy prefix: valid, but not plain */
	{ 3, { 0xc6, 0x07, 0x01 } },
	{ 6, { 0xc7, 0x07, 1, 0, 0, 0 } },
	{ 5, { 0x66, 0xc7, 0x07, 1, 0 } },
	{ 7, { 0x48, 0xc7, 0x07, 1, 0, 0, 0 } },
	{ 8, { 0x66, 0x48, 0xc7, 0x07, 1, 0, 0, 0 } },
	{ 12, { 0x65, 0xc7, 0x84, 0x25, 0, 0, 0, 1, 1, 0, 0, 0 } },
	{ 0, { 0x89, 0xc0 } },	     /* a register */
	{ 0, { 0xc6, 0xf8, 0x00 } }, /* XABORT */
	{ 0, { 0x8b, 0x07 } },	     /* a load */
	{ 0, { 0x87, 0x07 } },	     /* XCHG */
	{ 0, { 0x09, 0x07 } },	     /* OR */
	{ 0, { 0xaa } },	     /* STOSB */
	{ 0, { 0xf3, 0x89, 0x07 } }, /* XRELEASE */
	{ 0, { 0xf0, 0x89, 0x07 } },
	{ 0, { 0x0f, 0xc3, 0x07 } },	   /* MOVNTI */
	{ 0, { 0xc5, 0xf9, 0x11, 0x07 } }, /* VEX */
	{ 0, { 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x89, 0x87 } },
};

static int store_at(u64 rip, const u8 *bytes, u32 assisted, u8 *len)
{
	memset(&x, 0, sizeof(x));
	fake_svm.vmcb->state.rip = rip;
	if (assisted)
		memcpy(x.fault.insn, bytes, assisted);
	else
		memcpy(fake_svm.ram + rip, bytes, 15);
	x.fault.insn_bytes = (u8)assisted;
	*len = 0;
	return mhi_insn_store(&fake_svm.v, &x, len);
}

START_TEST(plain_stores)
{
	size_t i;
	u8 len;

	begin();
	for (i = 0; i < MHI_COUNT(stores); i++) {
		int err = store_at(CODE, stores[i].bytes, 0, &len);

		ck_assert_msg(err == (stores[i].len ? 0 : MHI_EINVAL), "row %zu: %d", i, err);
		ck_assert_msg(err || len == stores[i].len, "row %zu: length %u", i, len);
		/* Decode assists: nothing is read. */
		fake_svm.absent = CODE;
		err = store_at(CODE, stores[i].bytes, 15, &len);
		ck_assert_msg(err == (stores[i].len ? 0 : MHI_EINVAL), "row %zu: %d", i, err);
		ck_assert_msg(err || len == stores[i].len, "row %zu: length %u", i, len);
		fake_svm.absent = ~0ull;
	}
	fake_svm_end();
}
END_TEST

START_TEST(stores_are_never_guessed)
{
	static const u8 narrow[15] = { 0x66, 0x89, 0x07 }, wide[15] = { 0x89, 0x07 };
	u8 len;

	begin();
	paged(CODE | 7);
	memcpy(fake_svm.ram + CODE, narrow, sizeof(narrow));
	fake_svm.vmcb->state.rip = 0x7f0000002000;
	memset(&x, 0, sizeof(x));
	ck_assert_int_eq(mhi_insn_store(&fake_svm.v, &x, &len), 0);
	ck_assert_uint_eq(len, 3);
	/* The same linear page elsewhere: the old bytes were a store, too. */
	paged((CODE + 0x1000) | 7);
	memcpy(fake_svm.ram + CODE, narrow, sizeof(narrow));
	memcpy(fake_svm.ram + CODE + 0x1000, wide, sizeof(wide));
	ck_assert_int_eq(mhi_insn_store(&fake_svm.v, &x, &len), 0);
	ck_assert_uint_eq(len, 2);
	/* What must be faulted in is told. */
	fake_svm.absent = 0x6000;
	ck_assert_int_eq(mhi_insn_store(&fake_svm.v, &x, &len), MHI_EAGAIN);
	ck_assert_uint_eq(fake_svm.v.fault_gpa & ~MHI_PAGE_MASK, 0x6000);
	/* Only 64-bit code. */
	fake_svm.absent = ~0ull;
	fake_svm.vmcb->state.cs.attrib &= (u16)~MHI_SVM_SEG_L;
	ck_assert_int_eq(mhi_insn_store(&fake_svm.v, &x, &len), MHI_EINVAL);
	fake_svm_end();
}
END_TEST

static void add_tests(TCase *tc)
{
	tcase_add_test(tc, plain_stores);
	tcase_add_test(tc, stores_are_never_guessed);
	tcase_add_test(tc, lengths);
	tcase_add_test(tc, wrong_bytes);
	tcase_add_test(tc, rex_is_no_prefix_outside_long_mode);
	tcase_add_test(tc, real_mode_segment);
	tcase_add_test(tc, mov_to_cr);
	tcase_add_test(tc, mov_to_another_cr);
	tcase_add_test(tc, page_not_there_yet);
	tcase_add_test(tc, next_page_only_when_needed);
	tcase_add_test(tc, through_the_guests_tables);
	tcase_add_loop_test(tc, paging_modes, 0, MHI_COUNT(modes));
	tcase_add_test(tc, remembered_page_was_replaced);
	tcase_add_test(tc, nothing_is_read_with_next_rip);
}

UNIT_MAIN("svm_insn", add_tests)
