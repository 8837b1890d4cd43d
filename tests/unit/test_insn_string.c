// SPDX-License-Identifier: MIT
/* String instructions of the emulator, memory and ports, by hand-made cases. */
#include "insn_unit.h"

START_TEST(rep_movs_page_by_page)
{
	unsigned int i;

	begin(VM_LONG);
	for (i = 0; i < 512; i++)
		vm->ram[VM_STACK_GPA + i] = (u8)(i * 7);
	vm->s.gpr[MHK_RSI] = VM_STACK;
	vm->s.gpr[MHK_RDI] = VM_DATA + 4096 - 256 + 1; /* one element lies across the pages */
	vm->s.gpr[MHK_RCX] = 128;
	run_done(CODE(0xf3, 0xa5));
	ck_assert_mem_eq(vm->mmio + 4096 - 255, vm->ram + VM_STACK_GPA, 512);
	ck_assert_uint_eq(vm->s.gpr[MHK_RCX], 0);
	ck_assert_uint_eq(vm->s.gpr[MHK_RSI], VM_STACK + 512);
	ck_assert_uint_eq(vm->logged, 129);
	end();
}
END_TEST

START_TEST(rep_fault_keeps_finished_iterations)
{
	u64 rip;

	begin(VM_LONG);
	rip = vm->s.rip;
	vm->s.gpr[MHK_RDI] = VM_DATA + 8192 - 12;
	vm->s.gpr[MHK_RCX] = 5;
	vm->s.gpr[MHK_RAX] = 0x11111111;
	vm_code(vm, CODE(0xf3, 0xab)); /* rep stosd */
	ck_assert_int_eq(vm_run(vm), MHI_INSN_EXCEPTION);
	ck_assert_uint_eq(vm->out.inject, INJECT(PF) | MHK_INJECT_ERROR);
	ck_assert_uint_eq(vm->s.cr2, VM_DATA + 8192);
	ck_assert_uint_eq(vm->s.gpr[MHK_RCX], 2);
	ck_assert_uint_eq(vm->s.gpr[MHK_RDI], VM_DATA + 8192);
	ck_assert_uint_eq(vm->s.rip, rip);
	ck_assert_uint_eq(vm->out.dirty & (MHK_G_GPR | MHK_G_CR), MHK_G_GPR | MHK_G_CR);
	ck_assert_uint_eq(vm->logged, 3);
	end();
}
END_TEST

/* A bug: all iterations were done in one go, though TF makes each of them a step. */
START_TEST(rep_under_single_step)
{
	u64 rip;

	begin(VM_LONG);
	rip = vm->s.rip;
	vm->s.rflags |= 1u << 8;
	vm->s.gpr[MHK_RDI] = VM_DATA;
	vm->s.gpr[MHK_RCX] = 2;
	vm_code(vm, CODE(0xf3, 0xaa));
	ck_assert_int_eq(vm_run(vm), MHI_INSN_DONE);
	ck_assert(vm->out.again);
	ck_assert_uint_eq(vm->s.gpr[MHK_RCX], 1);
	ck_assert_uint_eq(vm->s.rip, rip);
	ck_assert_int_eq(vm_run(vm), MHI_INSN_DONE);
	ck_assert(!vm->out.again);
	ck_assert_uint_eq(vm->s.rip, rip + 2);
	end();
}
END_TEST

START_TEST(long_rep_stops_in_between)
{
	unsigned int calls = 0;
	u64 rip;

	begin(VM_LONG);
	rip = vm->s.rip;
	vm->s.gpr[MHK_RDI] = VM_DATA;
	vm->s.gpr[MHK_RCX] = 5000;
	vm->s.gpr[MHK_RAX] = 0x77;
	vm_code(vm, CODE(0xf3, 0xaa));
	do {
		ck_assert_uint_eq(vm->s.rip, rip);
		ck_assert_int_eq(vm_run(vm), MHI_INSN_DONE);
		calls++;
		ck_assert_uint_eq(vm->s.gpr[MHK_RDI] + vm->s.gpr[MHK_RCX], VM_DATA + 5000);
	} while (vm->out.again);
	ck_assert_uint_eq(vm->s.rip, rip + 2);
	ck_assert_uint_eq(vm->s.gpr[MHK_RCX], 0);
	ck_assert_uint_gt(calls, 2);
	ck_assert_uint_eq(vm_get(vm, 4999, 2), 0x77);
	end();
}
END_TEST

START_TEST(rep_with_count_zero)
{
	begin(VM_LONG);
	run_done(CODE(0xf3, 0xa4));
	run_done(CODE(0xf3, 0x6c));
	ck_assert_uint_eq(vm->logged, 0);
	end();
}
END_TEST

START_TEST(string_in_16_bits)
{
	begin(VM_REAL);
	vm->s.seg[MHK_ES].base = 0x10000;
	vm->s.gpr[MHK_RSI] = 0xffff0000u | DATA16;
	vm->s.gpr[MHK_RDI] = 0xffff;
	vm->s.gpr[MHK_RCX] = 0xabcd0002;
	vm->ram[DATA16] = 1;
	vm->ram[DATA16 + 1] = 2;
	run_done(CODE(0xf3, 0xa4)); /* DI wraps to 0 in its segment */
	ck_assert_uint_eq(vm->ram[0x1ffff], 1);
	ck_assert_uint_eq(vm->ram[0x10000], 2);
	ck_assert_uint_eq(vm->s.gpr[MHK_RCX], 0xabcd0000);
	ck_assert_uint_eq(vm->s.gpr[MHK_RSI], 0xffff0000u | (DATA16 + 2));
	ck_assert_uint_eq(vm->s.gpr[MHK_RDI], 1);
	/* A segment override moves the source only. */
	vm->s.seg[MHK_FS].base = 0x2000;
	vm->ram[0x2000 + DATA16 + 2] = 0x5c;
	run_done(CODE(0x64, 0xa4));
	ck_assert_uint_eq(vm->ram[0x10001], 0x5c);
	end();
}
END_TEST

/* ---- string ports ---- */

START_TEST(outs_and_ins)
{
	begin(VM_LONG);
	memcpy(vm->ram + VM_STACK_GPA, "hello", 5);
	vm->s.gpr[MHK_RSI] = VM_STACK;
	vm->s.gpr[MHK_RCX] = 5;
	vm->s.gpr[MHK_RDX] = 0xffff03f8;
	run_done(CODE(0xf3, 0x6e)); /* rep outsb */
	ck_assert_uint_eq(vm->logged, 5);
	ck_assert_uint_eq(vm->log[4].at, 0x3f8);
	ck_assert_uint_eq(vm->log[4].value, 'o');
	ck_assert_uint_eq(vm->log[4].bytes, 1);
	vm->port_in = 0x11223344;
	vm->s.rflags |= 0x400; /* DF */
	vm->s.gpr[MHK_RDI] = VM_DATA + 100;
	run_done(CODE(0x6d)); /* insd */
	ck_assert_uint_eq(vm_get(vm, 100, 4), 0x11223344);
	ck_assert_uint_eq(vm->s.gpr[MHK_RDI], VM_DATA + 96);
	end();
}
END_TEST

START_TEST(ins_faults_before_the_port_is_read)
{
	begin(VM_LONG);
	vm->s.gpr[MHK_RDI] = VM_DATA + 8192;
	run_fault(CODE(0x6c), PF, 2);
	vm->s.gpr[MHK_RDI] = VM_ROM;
	run_fault(CODE(0x6c), PF, 3);
	ck_assert_uint_eq(vm->logged, 0);
	end();
}
END_TEST

static void add_tests(TCase *tcase)
{
	tcase_add_test(tcase, rep_movs_page_by_page);
	tcase_add_test(tcase, rep_fault_keeps_finished_iterations);
	tcase_add_test(tcase, rep_under_single_step);
	tcase_add_test(tcase, long_rep_stops_in_between);
	tcase_add_test(tcase, rep_with_count_zero);
	tcase_add_test(tcase, string_in_16_bits);
	tcase_add_test(tcase, outs_and_ins);
	tcase_add_test(tcase, ins_faults_before_the_port_is_read);
}

UNIT_MAIN("insn_string", add_tests)
