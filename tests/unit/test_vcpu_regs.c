/* SPDX-License-Identifier: MIT */
/* Registers of a vCPU, for the embedder. */
#include "api_fixture.h"

START_TEST(registers)
{
	struct mh_vm *vm = api_vm(2, MH_VM_BARE, 0);
	struct mh_sregs sregs;
	struct mh_regs regs;

	ck_assert_int_eq(mh_vcpu_get_regs(vm, 0, &regs), 0);
	ck_assert_uint_eq(regs.rip, 0xfff0);
	ck_assert_uint_eq(regs.rflags, 2);
	ck_assert_int_eq(mh_vcpu_get_sregs(vm, 1, &sregs), 0);
	ck_assert_uint_eq(sregs.cs.selector, 0xf000);
	ck_assert_uint_eq(sregs.cs.base, 0xffff0000);
	regs.r13 = 77;
	regs.rip = 0x1000;
	ck_assert_int_eq(mh_vcpu_set_regs(vm, 1, &regs), 0);
	sregs.cr3 = 0x5000;
	sregs.tr.selector = 8;
	ck_assert_int_eq(mh_vcpu_set_sregs(vm, 1, &sregs), 0);
	memset(&regs, 0, sizeof(regs));
	memset(&sregs, 0, sizeof(sregs));
	ck_assert_int_eq(mh_vcpu_get_regs(vm, 1, &regs), 0);
	ck_assert_int_eq(mh_vcpu_get_sregs(vm, 1, &sregs), 0);
	ck_assert_uint_eq(regs.r13, 77);
	ck_assert_uint_eq(regs.rip, 0x1000);
	ck_assert_uint_eq(sregs.cr3, 0x5000);
	ck_assert_uint_eq(sregs.tr.selector, 8);
	ck_assert_int_eq(mh_vcpu_get_regs(vm, 2, &regs), MH_EINVAL);
	ck_error_has("there is no vCPU 2");
	ck_assert_int_eq(mh_vcpu_get_regs(vm, 0, NULL), MH_EINVAL);
	ck_assert_int_eq(mh_vm_start(vm), 0);
	ck_assert_int_eq(mh_vcpu_get_regs(vm, 0, &regs), MH_ESTATE);
	ck_assert_int_eq(mh_vcpu_set_sregs(vm, 0, &sregs), MH_ESTATE);
	ck_error_has("pause the VM first");
	ck_assert_int_eq(mh_vm_pause(vm), 0);
	ck_assert_int_eq(mh_vcpu_get_regs(vm, 0, &regs), 0);
	mh_vm_destroy(vm);
}
END_TEST

/* What the engine refuses leaves the registers as they were. */
START_TEST(registers_refused)
{
	struct mh_vm *vm = api_vm(1, MH_VM_BARE, 0);
	struct mh_sregs sregs;
	struct mh_regs regs;

	ck_assert_int_eq(mh_vcpu_get_regs(vm, 0, &regs), 0);
	ck_assert_int_eq(mh_vcpu_get_sregs(vm, 0, &sregs), 0);
	fake_engine.refuse_state = true;
	regs.rflags = ~0ull;
	ck_assert_int_eq(mh_vcpu_set_regs(vm, 0, &regs), MH_EINVAL);
	ck_error_has("no CPU can have these values");
	sregs.cr0 = ~0ull;
	ck_assert_int_eq(mh_vcpu_set_sregs(vm, 0, &sregs), MH_EINVAL);
	fake_engine.refuse_state = false;
	ck_assert_int_eq(mh_vcpu_get_regs(vm, 0, &regs), 0);
	ck_assert_int_eq(mh_vcpu_get_sregs(vm, 0, &sregs), 0);
	ck_assert_uint_eq(regs.rflags, 2);
	ck_assert_uint_eq(sregs.cr0, 0x10);
	sregs.gdt_limit = 0x10000;
	ck_assert_int_eq(mh_vcpu_set_sregs(vm, 0, &sregs), MH_EINVAL);
	mh_vm_destroy(vm);
}
END_TEST

static void add_tests(TCase *tcase)
{
	tcase_add_checked_fixture(tcase, api_set_up, api_tear_down);
	tcase_add_test(tcase, registers);
	tcase_add_test(tcase, registers_refused);
}

UNIT_MAIN("vcpu_regs", add_tests)
