// SPDX-License-Identifier: MIT
/* Tests of spec.c, by the MSRs that it writes, and of the index that guesses cannot lead astray. */
#include "unit.h"
#include "x86_insn.h"
#include "arch/x86/spec.h"
#include "base/checked.h"

static struct mhi_cpu cpu[2];
static struct mhi_vm vm[2];
static struct mhi_vcpu vcpu[2][2]; /* by VM */

static void begin(u32 barriers)
{
	unsigned int i, n;

	fake_x86_reset();
	memset(cpu, 0, sizeof(cpu));
	memset(vm, 0, sizeof(vm));
	for (i = 0; i < 2; i++) {
		vm[i].id = i + 1;
		vm[i].barriers = barriers;
		for (n = 0; n < 2; n++) {
			vcpu[i][n].vm = &vm[i];
			vcpu[i][n].apic_id = n;
		}
	}
}

static void with_msrs(void)
{
	fake_msr_set(MHI_MSR_PRED_CMD, 0);
	fake_msr_set(MHI_MSR_FLUSH_CMD, 0);
}

static void run(unsigned int v, unsigned int n, unsigned int on)
{
	vcpu[v][n].cpu = &cpu[on];
	mhi_spec_begin(&vcpu[v][n]);
}

static void expect(unsigned int ibpb, unsigned int l1d)
{
	ck_assert_uint_eq(fake_msr_writes(MHI_MSR_PRED_CMD), ibpb);
	ck_assert_uint_eq(fake_msr_writes(MHI_MSR_FLUSH_CMD), l1d);
	ck_assert_uint_eq(fake_faults, 0);
}

START_TEST(same_vcpu)
{
	begin(MHK_BARRIER_IBPB);
	with_msrs();
	run(0, 0, 0);
	run(0, 0, 0);
	run(0, 0, 0);
	expect(0, 0);
}
END_TEST

START_TEST(other_vm)
{
	begin(MHK_BARRIER_IBPB);
	with_msrs();
	run(0, 0, 0);
	run(1, 0, 0);
	expect(1, 0);
	ck_assert_uint_eq(fake_msr(MHI_MSR_PRED_CMD), 1);
	run(0, 0, 0);
	expect(2, 0);
	run(0, 0, 0);
	expect(2, 0);
}
END_TEST

START_TEST(other_vcpu_of_the_vm)
{
	begin(MHK_BARRIER_IBPB);
	with_msrs();
	run(0, 0, 0);
	run(0, 1, 0);
	expect(1, 0);
}
END_TEST

/* What a vCPU left on one CPU is there still when it comes back, whoever ran elsewhere. */
START_TEST(cpus_apart)
{
	begin(MHK_BARRIER_IBPB);
	with_msrs();
	run(0, 0, 0);
	run(1, 0, 1);
	run(0, 0, 0);
	expect(0, 0);
	run(0, 0, 1);
	expect(1, 0);
}
END_TEST

/* A new VM may get the memory of one that is gone: its id is another. */
START_TEST(vm_in_the_place_of_another)
{
	begin(MHK_BARRIER_IBPB);
	with_msrs();
	run(0, 0, 0);
	vm[0].id = 3;
	run(0, 0, 0);
	expect(1, 0);
}
END_TEST

START_TEST(l1d_each_section)
{
	begin(MHK_BARRIER_L1D);
	with_msrs();
	run(0, 0, 0);
	run(0, 0, 0);
	run(1, 0, 0);
	expect(0, 3);
	ck_assert_uint_eq(fake_msr(MHI_MSR_FLUSH_CMD), 1);
}
END_TEST

/* A CPU without the MSRs, where a write faults. */
START_TEST(no_barriers)
{
	begin(0);
	run(0, 0, 0);
	run(1, 0, 0);
	run(1, 1, 0);
	expect(0, 0);
}
END_TEST

START_TEST(index_nospec)
{
	static const u64 sizes[] = { 1, 3, 64, 0x40, ~0ull };
	size_t i;

	for (i = 0; i < MHI_COUNT(sizes); i++) {
		ck_assert_uint_eq(mhi_index_nospec(0, sizes[i]), 0);
		ck_assert_uint_eq(mhi_index_nospec(sizes[i] - 1, sizes[i]), sizes[i] - 1);
		ck_assert_uint_eq(mhi_index_nospec(sizes[i], sizes[i]), 0);
		ck_assert_uint_eq(mhi_index_nospec(~0ull, sizes[i]), 0);
	}
}
END_TEST

static void add_tests(TCase *tc)
{
	tcase_add_test(tc, same_vcpu);
	tcase_add_test(tc, other_vm);
	tcase_add_test(tc, other_vcpu_of_the_vm);
	tcase_add_test(tc, cpus_apart);
	tcase_add_test(tc, vm_in_the_place_of_another);
	tcase_add_test(tc, l1d_each_section);
	tcase_add_test(tc, no_barriers);
	tcase_add_test(tc, index_nospec);
}

UNIT_MAIN("spec", add_tests)
