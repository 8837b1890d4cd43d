// SPDX-License-Identifier: MIT
/* Where the emulator has its instructions from: fetches, the CPU's bytes, the cache, old walks. */
#include "insn_unit.h"
#include "macrohard/error.h"

START_TEST(cache_follows_changed_code)
{
	begin(VM_LONG);
	vm->s.gpr[MHK_RBX] = VM_DATA;
	vm->s.gpr[MHK_RAX] = 1;
	run_done(CODE(0x89, 0x03));
	vm->s.rip = VM_CODE;
	run_done(CODE(0x88, 0x03)); /* other bytes at the same place */
	vm->s.rip = VM_CODE;
	vm_put(vm, 0, 4, 0x500);
	run_done(CODE(0x8b, 0x03));
	ck_assert_uint_eq(vm->s.gpr[MHK_RAX], 0x500);
	/* The same bytes in another mode: 40 89 03 is mov [rbx], eax there, and inc eax here. */
	vm->s.rip = VM_CODE;
	run_done(CODE(0x40, 0x89, 0x03));
	vm->s.rip = VM_CODE;
	vm->s.seg[MHK_CS].attr = 0xc09b;
	ck_assert_int_eq(vm_run(vm), MHI_INSN_DONE);
	ck_assert_uint_eq(vm->s.gpr[MHK_RAX], 0x501);
	ck_assert_uint_eq(vm->s.rip, VM_CODE + 1);
	end();
}
END_TEST

/* mov [rbx], eax twice: from the second time on, walks are remembered. */
static void begin_hot(void)
{
	static const u8 code[] = { 0x89, 0x03 };
	unsigned int i;

	begin(VM_LONG);
	vm_window(vm, true);
	vm->s.gpr[MHK_RBX] = VM_DATA;
	vm->s.gpr[MHK_RAX] = 0x1111;
	vm_code(vm, code, sizeof(code));
	for (i = 0; i < 3; i++) {
		vm->s.rip = VM_CODE;
		ck_assert_int_eq(vm_run(vm), MHI_INSN_DONE);
	}
	ck_assert_uint_eq(vm_get(vm, 0, 4), 0x1111);
	vm->s.rip = VM_CODE;
	vm->s.gpr[MHK_RAX] = 0x2222;
}

static void hot_fault(u32 error)
{
	ck_assert_int_eq(vm_run(vm), MHI_INSN_EXCEPTION);
	ck_assert_uint_eq(vm->out.inject, INJECT(PF) | MHK_INJECT_ERROR);
	ck_assert_uint_eq(vm->out.inject_error, error);
	ck_assert_uint_eq(vm_get(vm, 0, 4), 0x1111);
	end();
}

START_TEST(remembered_walks_see_changed_tables)
{
	u64 other;

	begin_hot(); /* the operand moves to the other page */
	other = vm_remap(vm, VM_DATA + 4096, 0);
	vm_remap(vm, VM_DATA, other);
	ck_assert_int_eq(vm_run(vm), MHI_INSN_DONE);
	ck_assert_uint_eq(vm_get(vm, 0, 4), 0x1111);
	ck_assert_uint_eq(vm_get(vm, 4096, 4), 0x2222);
	end();
	begin_hot(); /* not writable any more */
	vm_remap(vm, VM_DATA, vm_remap(vm, VM_DATA, 0) & ~2ull);
	hot_fault(3);
	begin_hot(); /* not present any more */
	vm_remap(vm, VM_DATA, 0);
	hot_fault(2);
	begin_hot(); /* the code may not be executed any more */
	vm_remap(vm, VM_CODE, vm_remap(vm, VM_CODE, 0) | 1ull << 63);
	hot_fault(0x11);
	begin_hot(); /* other code is there now: inc dword [rbx] */
	vm_remap(vm, VM_CODE, 0x9007);
	memcpy(vm->ram + 0x9000, "\xff\x03", 2);
	ck_assert_int_eq(vm_run(vm), MHI_INSN_DONE);
	ck_assert_uint_eq(vm_get(vm, 0, 4), 0x1112);
	end();
}
END_TEST

START_TEST(remembered_walks_see_changed_registers)
{
	begin_hot(); /* a copy of the top table, without the first entry */
	vm->s.cr3 = 0x7000;
	hot_fault(0x10);
	begin_hot(); /* a page of the supervisor, for a user */
	vm_remap(vm, VM_DATA, vm_remap(vm, VM_DATA, 0) & ~4ull);
	vm->s.gpr[MHK_RAX] = 0x1111;
	ck_assert_int_eq(vm_run(vm), MHI_INSN_DONE);
	vm->s.rip = VM_CODE;
	vm->s.gpr[MHK_RAX] = 0x2222;
	vm->s.seg[MHK_SS].attr |= 0x60;
	hot_fault(7);
	begin_hot(); /* SMAP forbids user pages, unless RFLAGS.AC is set */
	vm->s.cr4 |= 0x200000;
	vm->s.rflags |= 0x40000;
	vm->s.gpr[MHK_RAX] = 0x1111;
	ck_assert_int_eq(vm_run(vm), MHI_INSN_DONE);
	vm->s.rip = VM_CODE;
	vm->s.gpr[MHK_RAX] = 0x2222;
	vm->s.rflags &= ~0x40000ull;
	hot_fault(3);
}
END_TEST

/* Memory that moves in this process takes its windows along: the old place is not looked at. */
START_TEST(remembered_walks_see_moved_windows)
{
	u8 *copy = malloc(VM_RAM);

	ck_assert_ptr_nonnull(copy);
	begin_hot();
	vm_remap(vm, VM_DATA, 0);
	memcpy(copy, vm->ram, VM_RAM);
	vm_remap(vm, VM_DATA, (VM_MMIO + 0x1000) | 0x67);
	ck_assert_int_eq(vm_run(vm), MHI_INSN_DONE);
	vm->s.rip = VM_CODE;
	vm->s.gpr[MHK_RAX] = 0x1111;
	ck_assert_int_eq(vm_run(vm), MHI_INSN_DONE);
	vm->s.rip = VM_CODE;
	vm->env.window[0].at = copy + VM_RAM / 2;
	vm->env.window[1].at = copy;
	hot_fault(2);
	free(copy);
}
END_TEST

START_TEST(code_across_pages)
{
	static const u8 code[] = { 0xc7, 0x05, 0x40, 0, 0, 0x10, 1, 2, 3, 4 };
	unsigned int first;

	for (first = 1; first < sizeof(code); first++) {
		begin(VM_COMPAT);
		vm->s.rip = VM_CODE + 4096 - first;
		run_done(code, sizeof(code));
		vm->s.rip = VM_CODE + 4096 - first; /* and from the cache */
		run_done(code, sizeof(code));
		ck_assert_uint_eq(vm_get(vm, 0x40, 4), 0x04030201);
		end();
	}
	begin(VM_LONG);
	vm->s.rip = VM_CODE + 8192 - 1; /* the next page is not present */
	run_fault(CODE(0x89), PF, 0x10);
	ck_assert_uint_eq(vm->s.cr2, VM_CODE + 8192);
	end();
}
END_TEST

START_TEST(bytes_from_the_cpu)
{
	static const u8 code[] = { 0x89, 0x03, 0xcc, 0xcc, 0xcc };

	begin(VM_LONG);
	vm->s.gpr[MHK_RBX] = VM_DATA;
	vm->s.gpr[MHK_RAX] = 0x99;
	/* Memory at RIP holds zeros: the given bytes count. */
	ck_assert_int_eq(
		mhi_insn_emulate(vm->cache, &vm->env, &vm->s, code, sizeof(code), &vm->out),
		MHI_INSN_DONE);
	ck_assert_uint_eq(vm_get(vm, 0, 4), 0x99);
	vm_window(vm, true); /* known by now: the given bytes count still */
	vm->s.rip = VM_CODE;
	vm->s.gpr[MHK_RAX] = 0x98;
	ck_assert_int_eq(mhi_insn_emulate(vm->cache, &vm->env, &vm->s, code, 2, &vm->out),
			 MHI_INSN_DONE);
	ck_assert_uint_eq(vm_get(vm, 0, 4), 0x98);
	vm->s.gpr[MHK_RAX] = 0x99;
	/* One byte alone: the rest is fetched. */
	vm_code(vm, CODE(0x00, 0x43, 0x04));
	ck_assert_int_eq(mhi_insn_emulate(vm->cache, &vm->env, &vm->s, code, 1, &vm->out),
			 MHI_INSN_DONE);
	ck_assert_uint_eq(vm_get(vm, 4, 4), 0x99);
	end();
}
END_TEST

START_TEST(code_limit)
{
	begin(VM_PROT32);
	vm->s.gpr[MHK_RBX] = DATA16;
	vm->s.seg[MHK_CS].limit = (u32)vm->s.rip;
	run_fault(CODE(0x89, 0x03), GP, 0);
	vm->s.seg[MHK_CS].limit++;
	run_done(CODE(0x89, 0x03));
	run_fault(CODE(0x89, 0x03), GP, 0); /* RIP is beyond the limit now */
	end();
}
END_TEST

static void add_tests(TCase *tcase)
{
	tcase_add_test(tcase, cache_follows_changed_code);
	tcase_add_test(tcase, remembered_walks_see_changed_tables);
	tcase_add_test(tcase, remembered_walks_see_changed_registers);
	tcase_add_test(tcase, remembered_walks_see_moved_windows);
	tcase_add_test(tcase, code_across_pages);
	tcase_add_test(tcase, bytes_from_the_cpu);
	tcase_add_test(tcase, code_limit);
}

UNIT_MAIN("insn_cache", add_tests)
