// SPDX-License-Identifier: MIT
/*
 * The instruction emulator by hand-made cases: modes, addressing, segments, faults, the cache; and
 * by random bytes. Arithmetic is compared with a real CPU in test_insn_native.c.
 */
#include "insn_unit.h"
#include "rng.h"
#include "macrohard/error.h"

/* ---- moves, one by one, in each mode ---- */

struct move {
	enum vm_mode mode;
	u8 code[15], len;
	u8 reg; /* this register holds reg_in, and reg_out afterwards */
	u64 reg_in, reg_out;
	u64 mem_in, mem_out; /* 8 bytes at the address, see place() */
};

#define ADDR_LONG 0x10000010 /* VM_DATA + 0x10 */

static const struct move moves[] = {
	/* mov [abs32], eax; and back; RBX is the base */
	{ VM_LONG,
	  { 0x89, 0x03 },
	  2,
	  MHK_RAX,
	  0x1122334455667788,
	  0x1122334455667788,
	  ~0ull,
	  0xffffffff55667788 },
	{ VM_LONG,
	  { 0x48, 0x89, 0x03 },
	  3,
	  MHK_RAX,
	  0x1122334455667788,
	  0x1122334455667788,
	  0,
	  0x1122334455667788 },
	{ VM_LONG, { 0x66, 0x89, 0x03 }, 3, MHK_RAX, 0x7788, 0x7788, 0, 0x7788 },
	{ VM_LONG, { 0x88, 0x23 }, 2, MHK_RAX, 0x7788, 0x7788, 0, 0x77 }, /* AH */
	{ VM_LONG, { 0x8a, 0x23 }, 2, MHK_RAX, 0x7788, 0x4488, 0x44, 0x44 },
	{ VM_LONG, { 0x8b, 0x03 }, 2, MHK_RAX, ~0ull, 0x80000001, 0x80000001, 0x80000001 },
	{ VM_LONG,
	  { 0x66, 0x8b, 0x03 },
	  3,
	  MHK_RAX,
	  ~0ull,
	  0xffffffffffff0001,
	  0x80000001,
	  0x80000001 },
	{ VM_LONG, { 0xc6, 0x03, 0x5a }, 3, MHK_RAX, 0, 0, ~0ull, 0xffffffffffffff5a },
	{ VM_LONG, { 0x48, 0xc7, 0x03, 0xff, 0xff, 0xff, 0xff }, 7, MHK_RAX, 0, 0, 0, ~0ull },
	{ VM_LONG, { 0x0f, 0xb6, 0x03 }, 3, MHK_RAX, ~0ull, 0xf0, 0x8000f0, 0x8000f0 },
	{ VM_LONG, { 0x48, 0x0f, 0xbe, 0x03 }, 4, MHK_RAX, 0, 0xfffffffffffffff0, 0xf0, 0xf0 },
	{ VM_LONG,
	  { 0x48, 0x63, 0x03 },
	  3,
	  MHK_RAX,
	  0,
	  0xffffffff80000000,
	  0x80000000,
	  0x80000000 },
	{ VM_LONG, { 0x0f, 0x38, 0xf0, 0x03 }, 4, MHK_RAX, 0, 0x44332211, 0x11223344, 0x11223344 },
	{ VM_LONG, { 0x48, 0x0f, 0xc3, 0x03 }, 4, MHK_RAX, 77, 77, 0, 77 }, /* MOVNTI */
	{ VM_LONG, { 0x48, 0xa1, 0x10, 0, 0, 0x10, 0, 0, 0, 0 }, 10, MHK_RAX, 0, 5, 5, 5 },
	{ VM_LONG, { 0x67, 0xa1, 0x10, 0, 0, 0x10 }, 6, MHK_RAX, 0, 5, 5, 5 },
	{ VM_LONG, { 0xf0, 0x0f, 0xab, 0x03 }, 4, MHK_RAX, 3, 3, 0, 8 }, /* LOCK BTS */
	/* RIP-relative: the code is at 0x400000, 6 bytes long */
	{ VM_LONG, { 0x8b, 0x05, 0x0a, 0x00, 0xc0, 0x0f }, 6, MHK_RAX, 0, 9, 9, 9 },
	{ VM_LONG, { 0xff, 0x03 }, 2, MHK_RAX, 1, 1, 0xffffffff, 0 }, /* INC wraps in 32 bits */
	{ VM_LONG, { 0x0f, 0xae, 0x3b }, 3, MHK_RAX, 1, 1, 3, 3 },    /* CLFLUSH */
	{ VM_COMPAT, { 0x89, 0x03 }, 2, MHK_RAX, 0x55667788, 0x55667788, 0, 0x55667788 },
	{ VM_COMPAT, { 0x40 }, 1, MHK_RAX, 6, 7, 0, 0 }, /* INC EAX, which is REX in 64-bit mode */
	{ VM_PROT32, { 0x89, 0x03 }, 2, MHK_RAX, 0x55667788, 0x55667788, 0, 0x55667788 },
	{ VM_PROT32, { 0xa1, 0x00, 0x30, 0x00, 0x00 }, 5, MHK_RAX, 0, 3, 3, 3 },
	{ VM_PROT32, { 0x67, 0x89, 0x07 }, 3, MHK_RAX, 1, 1, 0, 1 }, /* [BX] */
	{ VM_PROT16, { 0x89, 0x07 }, 2, MHK_RAX, 0xaabbccdd, 0xaabbccdd, 0, 0xccdd },
	{ VM_PROT16, { 0x66, 0x89, 0x07 }, 3, MHK_RAX, 0xaabbccdd, 0xaabbccdd, 0, 0xaabbccdd },
	{ VM_PROT16, { 0x67, 0x89, 0x03 }, 3, MHK_RAX, 0xccdd, 0xccdd, 0, 0xccdd },
	{ VM_PROT16, { 0xa1, 0x00, 0x30 }, 3, MHK_RAX, 0, 3, 3, 3 },
	{ VM_REAL, { 0x89, 0x07 }, 2, MHK_RAX, 0xccdd, 0xccdd, 0, 0xccdd },
	{ VM_REAL, { 0x8a, 0x07 }, 2, MHK_RAX, 0xcc00, 0xcc41, 0x41, 0x41 },
	{ VM_REAL, { 0x89, 0x40, 0x04 }, 3, MHK_RAX, 0xccdd, 0xccdd, 0, 0xccdd }, /* [BX+SI+4] */
	{ VM_REAL, { 0x66, 0xc7, 0x07, 1, 2, 3, 4 }, 7, MHK_RAX, 0, 0, 0, 0x04030201 },
};

static u8 *place(const struct move *m)
{
	bool wide = m->mode == VM_LONG || m->mode == VM_COMPAT;

	vm->s.gpr[MHK_RBX] = wide ? ADDR_LONG : DATA16;
	if (m->mode == VM_REAL && m->code[1] == 0x40) {
		vm->s.gpr[MHK_RBX] = 0xfffe0000u | 0xfff0; /* upper halves count for nothing */
		vm->s.gpr[MHK_RSI] = 0xabcd0000u | (DATA16 + 12);
	}
	return wide ? vm->mmio + 0x10 : vm->ram + DATA16;
}

START_TEST(moves_in_all_modes)
{
	const struct move *m = &moves[_i];
	unsigned int i;
	u64 v, rip;
	u8 *at;

	begin(m->mode);
	rip = vm->s.rip;
	for (i = 0; i < 4; i++) { /* decoded and from the cache, through calls and directly */
		vm_window(vm, i >= 2);
		vm->s.rip = rip;
		at = place(m);
		memcpy(at, &m->mem_in, 8);
		vm->s.gpr[m->reg] = m->reg_in;
		run_done(m->code, m->len);
		memcpy(&v, at, 8);
		ck_assert_uint_eq(vm->s.gpr[m->reg], m->reg_out);
		ck_assert_uint_eq(v, m->mem_out);
	}
	end();
}
END_TEST

/* ---- segments ---- */

START_TEST(segment_bases)
{
	begin(VM_LONG);
	vm->s.seg[MHK_DS].base = 0x123456; /* ignored in 64-bit mode */
	vm->s.seg[MHK_GS].base = VM_DATA;
	run_done(CODE(0x65, 0xc7, 0x04, 0x25, 8, 0, 0, 0, 1, 0, 0, 0)); /* mov dword gs:[8], 1 */
	ck_assert_uint_eq(vm_get(vm, 8, 4), 1);
	vm->s.gpr[MHK_RBX] = VM_DATA;
	run_done(CODE(0x2e, 0xc6, 0x03, 9)); /* CS override: no effect */
	ck_assert_uint_eq(vm_get(vm, 0, 1), 9);
	end();

	begin(VM_REAL);
	vm->s.seg[MHK_ES].base = 0x10000;
	vm->s.seg[MHK_SS].base = 0x200;
	run_done(CODE(0x26, 0xc6, 0x06, 0x34, 0x12, 7)); /* mov byte es:[0x1234], 7 */
	ck_assert_uint_eq(vm->ram[0x11234], 7);
	vm->s.gpr[MHK_RBP] = 0x100;
	run_done(CODE(0xc6, 0x46, 0x02, 8)); /* mov byte [bp+2], 8: SS */
	ck_assert_uint_eq(vm->ram[0x302], 8);
	end();
}
END_TEST

START_TEST(segment_limits_and_types)
{
	begin(VM_PROT32);
	vm->s.gpr[MHK_RBX] = 0x3000;
	vm->s.seg[MHK_DS].limit = 0x3002;
	run_fault(CODE(0x89, 0x03), GP, 0); /* 4 bytes at 0x3000 end at 0x3003 */
	run_done(CODE(0x66, 0x89, 0x03));   /* 2 bytes fit */
	vm->s.seg[MHK_DS].limit = 0xffffffff;
	vm->s.seg[MHK_DS].attr = 0xc091; /* read-only data */
	run_fault(CODE(0x89, 0x03), GP, 0);
	run_done(CODE(0x8b, 0x03));
	run_fault(CODE(0x2e, 0x89, 0x03), GP, 0); /* code is never writable */
	run_done(CODE(0x2e, 0x8b, 0x03));
	vm->s.seg[MHK_CS].attr = 0xc099; /* execute-only */
	run_fault(CODE(0x2e, 0x8b, 0x03), GP, 0);
	vm->s.seg[MHK_DS].attr = 0xc093 | MHK_SEG_UNUSABLE;
	run_fault(CODE(0x8b, 0x03), GP, 0);
	vm->s.seg[MHK_SS].limit = 0x100;
	vm->s.gpr[MHK_RBP] = 0x3000;
	run_fault(CODE(0x8b, 0x45, 0x00), SS, 0);
	end();
}
END_TEST

START_TEST(expand_down_segments)
{
	begin(VM_PROT32);
	vm->s.seg[MHK_DS].attr = 0x8097; /* expand-down, 16-bit */
	vm->s.seg[MHK_DS].limit = 0x2fff;
	vm->s.gpr[MHK_RBX] = 0x3000;
	run_done(CODE(0x8b, 0x03));
	vm->s.gpr[MHK_RBX] = 0x2fff;
	run_fault(CODE(0x8b, 0x03), GP, 0);
	vm->s.gpr[MHK_RBX] = 0xfffd;
	run_fault(CODE(0x8b, 0x03), GP, 0);
	vm->s.seg[MHK_DS].attr = 0xc097; /* 32-bit: no upper end */
	run_done(CODE(0x8b, 0x03));
	end();
}
END_TEST

START_TEST(real_mode_limit)
{
	begin(VM_REAL);
	vm->s.gpr[MHK_RBX] = 0xffff;
	vm_code(vm, CODE(0x89, 0x07));
	ck_assert_int_eq(vm_run(vm), MHI_INSN_EXCEPTION);
	ck_assert_uint_eq(vm->out.inject, INJECT(GP)); /* no error code in real mode */
	vm->s.seg[MHK_DS].limit = 0xffffffff; /* "unreal" mode: 32-bit addresses go through */
	vm->s.gpr[MHK_RBX] = 0x11000;
	run_done(CODE(0x67, 0xc6, 0x03, 0x66));
	ck_assert_uint_eq(vm->ram[0x11000], 0x66);
	end();
}
END_TEST

/* ---- faults ---- */

START_TEST(page_faults)
{
	begin(VM_LONG);
	vm->s.gpr[MHK_RBX] = VM_DATA + 8192; /* not present */
	run_fault(CODE(0x8b, 0x03), PF, 0);
	ck_assert_uint_eq(vm->s.cr2, VM_DATA + 8192);
	ck_assert_uint_ne(vm->out.dirty & MHK_G_CR, 0);
	run_fault(CODE(0x89, 0x03), PF, 2);
	vm->s.gpr[MHK_RBX] = VM_DATA + 8192 - 3; /* only the second page faults */
	run_fault(CODE(0x89, 0x03), PF, 2);
	ck_assert_uint_eq(vm->s.cr2, VM_DATA + 8192);
	ck_assert_uint_eq(vm->logged, 0); /* nothing was written */
	run_fault(CODE(0xff, 0x03), PF, 2);
	ck_assert_uint_eq(vm->logged, 0);
	vm->s.gpr[MHK_RBX] = VM_ROM;
	run_fault(CODE(0x89, 0x03), PF, 3);
	run_done(CODE(0x8b, 0x03));
	vm->s.seg[MHK_SS].attr |= 0x60; /* CPL 3 */
	vm->s.rip = VM_CODE;
	run_fault(CODE(0x89, 0x03), PF, 7);
	end();
}
END_TEST

START_TEST(non_canonical_addresses)
{
	begin(VM_LONG);
	vm->s.gpr[MHK_RBX] = 0x800000000000;
	vm->s.gpr[MHK_RBP] = 0x800000000000;
	run_fault(CODE(0x8b, 0x03), GP, 0);
	run_fault(CODE(0x8b, 0x45, 0x00), SS, 0);
	vm->s.gpr[MHK_RBX] = 0x7ffffffffffe; /* the second half only; the first is not present */
	vm->s.gpr[MHK_RSP] = VM_DATA + 8192 + 8;
	run_fault(CODE(0xff, 0x33), PF, 0);
	end();
}
END_TEST

START_TEST(stack_instructions)
{
	begin(VM_LONG);
	vm->s.gpr[MHK_RBX] = VM_DATA;
	vm_put(vm, 0, 8, 0x1234);
	run_done(CODE(0xff, 0x33)); /* push qword [rbx] */
	ck_assert_uint_eq(vm->s.gpr[MHK_RSP], VM_STACK + 0x7f8);
	ck_assert_uint_eq(vm->ram[VM_STACK_GPA + 0x7f8], 0x34);
	run_done(CODE(0x8f, 0x43, 0x10)); /* pop qword [rbx+16] */
	ck_assert_uint_eq(vm->s.gpr[MHK_RSP], VM_STACK + 0x800);
	ck_assert_uint_eq(vm_get(vm, 16, 8), 0x1234);
	/* pop qword [rsp+disp32]: the address counts from RSP after the pop */
	vm->s.gpr[MHK_RSP] = VM_STACK;
	vm->ram[VM_STACK_GPA] = 0x55;
	run_done(CODE(0x8f, 0x84, 0x24, 0x00, 0x00, 0xb0, 0x0f));
	ck_assert_uint_eq(vm_get(vm, 8, 1), 0x55);
	/* A destination that faults leaves RSP alone. */
	vm->s.gpr[MHK_RBX] = VM_DATA + 8192;
	run_fault(CODE(0x8f, 0x03), PF, 2);
	vm->s.gpr[MHK_RSP] = VM_DATA + 8; /* immediates are widened */
	run_done(CODE(0x6a, 0xff));
	ck_assert_uint_eq(vm_get(vm, 0, 8), ~0ull);
	end();

	begin(VM_REAL);
	vm->s.gpr[MHK_RSP] = 0xabcd0000;
	vm->s.gpr[MHK_RBX] = DATA16;
	vm->ram[DATA16] = 0x99;
	run_done(CODE(0xff, 0x37)); /* push word [bx]: SP wraps in 16 bits */
	ck_assert_uint_eq(vm->s.gpr[MHK_RSP], 0xabcdfffe);
	ck_assert_uint_eq(vm->ram[0xfffe], 0x99);
	end();
}
END_TEST

START_TEST(pair_compare_needs_alignment)
{
	begin(VM_LONG);
	vm->s.gpr[MHK_RSI] = VM_DATA + 8;
	run_fault(CODE(0x48, 0x0f, 0xc7, 0x0e), GP, 0);
	vm->s.gpr[MHK_RSI] = VM_DATA + 16;
	vm->s.gpr[MHK_RBX] = 11;
	vm->s.gpr[MHK_RCX] = 12;
	run_done(CODE(0x48, 0x0f, 0xc7, 0x0e));
	ck_assert_uint_eq(vm_get(vm, 16, 8), 11);
	ck_assert_uint_eq(vm_get(vm, 24, 8), 12);
	ck_assert_uint_ne(vm->s.rflags & 0x40, 0);
	end();
}
END_TEST

/* ---- what devices see ---- */

START_TEST(devices_see_each_access_once)
{
	begin(VM_LONG);
	vm->s.gpr[MHK_RBX] = VM_DATA + 0x20;
	vm->s.gpr[MHK_RAX] = 0xcafe;
	run_done(CODE(0x89, 0x03));
	ck_assert_uint_eq(vm->logged, 1);
	ck_assert_uint_eq(vm->log[0].at, VM_MMIO + 0x1020);
	ck_assert_uint_eq(vm->log[0].bytes, 4);
	ck_assert_uint_eq(vm->log[0].value, 0xcafe);
	run_done(CODE(0x83, 0x3b, 0x00)); /* CMP reads, and does not write */
	ck_assert_uint_eq(vm->logged, 2);
	run_done(CODE(0x83, 0x0b, 0x01)); /* OR reads and writes */
	ck_assert_uint_eq(vm->logged, 4);
	ck_assert(vm->log[3].write);
	ck_assert_uint_eq(vm->log[3].value, 0xcaff);
	end();
}
END_TEST

/* ---- what is not emulated ---- */

START_TEST(unknown_instructions_are_named)
{
	begin(VM_LONG);
	vm->s.gpr[MHK_RDI] = VM_DATA;
	vm_code(vm, CODE(0xf3, 0x0f, 0x7f, 0x07));
	ck_assert_int_eq(vm_run(vm), MHI_INSN_UNKNOWN);
	ck_assert_ptr_nonnull(strstr(vm->out.text, "movdqu"));
	ck_assert_ptr_nonnull(strstr(vm->out.text, "f30f7f07"));
	vm_code(vm, CODE(0x0f, 0x0b)); /* ud2 */
	ck_assert_int_eq(vm_run(vm), MHI_INSN_UNKNOWN);
	vm_code(vm, CODE(0x06)); /* not in 64-bit mode */
	ck_assert_int_eq(vm_run(vm), MHI_INSN_UNKNOWN);
	ck_assert_ptr_nonnull(strstr(vm->out.text, "not an instruction"));
	vm_code(vm, CODE(0xf2, 0x0f, 0x10, 0x07)); /* the MOVSD of SSE is no string instruction */
	ck_assert_int_eq(vm_run(vm), MHI_INSN_UNKNOWN);
	vm->s.cr3 = 0x7000000; /* page tables outside of memory */
	ck_assert_int_eq(vm_run(vm), MHI_INSN_UNKNOWN);
	ck_assert_ptr_nonnull(strstr(vm->out.text, "page tables"));
	end();
}
END_TEST

/* ---- random bytes ---- */

static void fuzz_state(struct rng *r, enum vm_mode mode)
{
	struct mhk_state *s = &vm->s;
	unsigned int i;

	for (i = 0; i < MHK_GPRS; i++) {
		s->gpr[i] = rng_below(r, 2) ? rng_next(r) : VM_DATA + rng_below(r, VM_MMIO_BYTES);
		if (mode >= VM_PROT32)
			s->gpr[i] &= 0x1ffff;
	}
	s->gpr[MHK_RCX] = rng_below(r, 40);
	s->rflags = 2 | (rng_next(r) & 0xcd5);
	s->rip = mode >= VM_PROT32 ? VM_CODE_GPA : VM_CODE;
}

START_TEST(random_bytes_never_hurt)
{
	enum vm_mode mode = (enum vm_mode)_i;
	struct rng r = { 0xfeedface12345678ull + (u64)_i };
	unsigned int i, k, done = 0, last;
	u8 code[16];

	begin(mode);
	for (i = 0; i < 60000; i++) {
		for (k = 0; k < sizeof(code); k++)
			code[k] = (u8)rng_next(&r);
		if (i & 1)
			code[0] = (u8)(rng_below(&r, 8) << 3 | rng_below(&r, 4));
		last = (unsigned int)rng_below(&r, 16); /* by chance given by the CPU, and short */
		fuzz_state(&r, mode);
		if (mode >= VM_PROT32)
			memset(vm->ram, 0, sizeof(vm->ram));
		vm_code(vm, code, sizeof(code));
		if (mhi_insn_emulate(vm->cache, &vm->env, &vm->s, code, last, &vm->out) ==
		    MHI_INSN_DONE)
			done++;
		ck_assert_uint_lt(strlen(vm->out.text), sizeof(vm->out.text));
		if (mode < VM_PROT32) { /* the random stores may have reached the page tables */
			struct mhi_insn_cache *cache = vm->cache;

			vm_init(vm, mode);
			mhi_insn_cache_destroy(vm->cache);
			vm->cache = cache;
		}
	}
	ck_assert_uint_gt(done, 1000);
	end();
}
END_TEST

static void add_tests(TCase *tcase)
{
	tcase_add_loop_test(tcase, moves_in_all_modes, 0, (int)MHI_COUNT(moves));
	tcase_add_test(tcase, segment_bases);
	tcase_add_test(tcase, segment_limits_and_types);
	tcase_add_test(tcase, expand_down_segments);
	tcase_add_test(tcase, real_mode_limit);
	tcase_add_test(tcase, page_faults);
	tcase_add_test(tcase, non_canonical_addresses);
	tcase_add_test(tcase, stack_instructions);
	tcase_add_test(tcase, pair_compare_needs_alignment);
	tcase_add_test(tcase, devices_see_each_access_once);
	tcase_add_test(tcase, unknown_instructions_are_named);
	tcase_add_loop_test(tcase, random_bytes_never_hurt, VM_LONG, VM_REAL + 1);
}

UNIT_MAIN("insn", add_tests)
