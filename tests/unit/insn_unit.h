/* SPDX-License-Identifier: MIT */
/* What the tests of the instruction emulator share: one machine, code to run, expected outcomes. */
#ifndef TESTS_INSN_UNIT_H
#define TESTS_INSN_UNIT_H

#include "unit.h"
#include "insn_vm.h"

#define PF 14u
#define GP 13u
#define SS 12u
#define INJECT(vector) (MHK_INJECT_VALID | MHK_INJECT_EXCEPTION | (vector))
#define CODE(...) ((const u8[]){ __VA_ARGS__ }), sizeof((const u8[]){ __VA_ARGS__ })
#define DATA16 0x3000 /* an address within 64 KiB of RAM for the 16-bit modes */

static struct vm *vm;

static inline void begin(enum vm_mode mode)
{
	vm = malloc(sizeof(*vm));
	ck_assert_ptr_nonnull(vm);
	vm_init(vm, mode);
	ck_assert_ptr_nonnull(vm->cache);
}

static inline void end(void)
{
	vm_fini(vm);
	free(vm);
}

static inline void run_done(const u8 *code, size_t len)
{
	u64 rip = vm->s.rip;

	vm_code(vm, code, (unsigned int)len);
	ck_assert_msg(vm_run(vm) == MHI_INSN_DONE, "%s", vm->out.text);
	ck_assert_uint_eq(vm->s.rip, rip + len);
	ck_assert_uint_ne(vm->out.dirty & MHK_G_RIP, 0);
	ck_assert_uint_eq(vm->out.inject, 0);
}

static inline void run_fault(const u8 *code, size_t len, unsigned int vector, u32 error)
{
	struct mhk_state before = vm->s;
	unsigned int i;

	vm_code(vm, code, (unsigned int)len);
	for (i = 0; i < 2; i++) { /* the second time from the cache */
		ck_assert_int_eq(vm_run(vm), MHI_INSN_EXCEPTION);
		ck_assert_uint_eq(vm->out.inject & 0xff, vector);
		ck_assert_uint_eq(vm->out.inject_error, error);
		if (vector == PF)
			before.cr2 = vm->s.cr2;
		ck_assert_mem_eq(&before, &vm->s, sizeof(before));
	}
}

#endif
