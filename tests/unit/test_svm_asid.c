// SPDX-License-Identifier: MIT
/*
 * Tests of svm_asid.c: no vCPU ever meets translations that are not its own, and flushes are not
 * made for nothing.
 */
#include "fake_svm.h"
#include "unit.h"

static struct mhi_exit x;

static const struct mhi_vmcb_control *enter(void)
{
	mhi_svm_ops.enter(&fake_svm.v, &x);
	return &fake_svm.at_entry.control;
}

static void section(struct mhi_cpu *cpu)
{
	mhi_svm_ops.put(&fake_svm.v);
	fake_svm.v.cpu = cpu;
	ck_assert_int_eq(mhi_svm_ops.load(&fake_svm.v, &x), 0);
}

START_TEST(first_entry_flushes_what_others_left)
{
	fake_svm_begin(FAKE_SVM_FULL);
	ck_assert_uint_eq(enter()->tlb_control, MHI_SVM_TLB_FLUSH_ALL);
	ck_assert_uint_eq(fake_svm.at_entry.control.guest_asid, 1);
	ck_assert_uint_eq(enter()->tlb_control, MHI_SVM_TLB_NOTHING);
	ck_assert_uint_eq(fake_svm.at_entry.control.guest_asid, 1);
	ck_assert(fake_svm.at_entry.control.vmcb_clean & MHI_SVM_CLEAN_ASID);
	fake_svm_end();
}
END_TEST

START_TEST(flush_by_asid)
{
	fake_svm_begin(FAKE_SVM_FULL);
	enter();
	fake_svm.v.flush = true;
	ck_assert_uint_eq(enter()->tlb_control, MHI_SVM_TLB_FLUSH_ASID);
	ck_assert_uint_eq(fake_svm.at_entry.control.guest_asid, 1);
	ck_assert(!fake_svm.v.flush);
	ck_assert_uint_eq(enter()->tlb_control, MHI_SVM_TLB_NOTHING);
	fake_svm_end();
}
END_TEST

START_TEST(flush_by_a_new_asid)
{
	unsigned int n;

	fake_svm_begin(FAKE_SVM_QEMU);
	enter();
	/* ASIDs 2..15 are fresh; then all are used up and the whole TLB must go. */
	for (n = 2; n <= 15; n++) {
		fake_svm.v.flush = true;
		ck_assert_uint_eq(enter()->tlb_control, MHI_SVM_TLB_NOTHING);
		ck_assert_uint_eq(fake_svm.at_entry.control.guest_asid, n);
	}
	fake_svm.v.flush = true;
	ck_assert_uint_eq(enter()->tlb_control, MHI_SVM_TLB_FLUSH_ALL);
	ck_assert_uint_eq(fake_svm.at_entry.control.guest_asid, 1);
	ck_assert(!fake_svm.v.flush);
	fake_svm_end();
}
END_TEST

START_TEST(two_vcpus_of_one_cpu)
{
	struct mhi_vcpu *v = &fake_svm.v;
	u32 first, gen;

	fake_svm_begin(FAKE_SVM_QEMU);
	first = enter()->guest_asid;
	/* Another vCPU takes all that is left: a new generation begins without us. */
	gen = fake_svm.cpu.asid_gen;
	fake_svm.cpu.asid_gen++;
	fake_svm.cpu.asid_next = 2;
	ck_assert_uint_ne(gen, v->cpu->asid_gen);
	ck_assert_uint_eq(enter()->guest_asid, 2);
	ck_assert_uint_ne(first, 2);
	/* The generation's first entry, not ours, has flushed. */
	ck_assert_uint_eq(fake_svm.at_entry.control.tlb_control, MHI_SVM_TLB_NOTHING);
	fake_svm_end();
}
END_TEST

START_TEST(migration_and_back)
{
	struct mhi_cpu other = { .id = 1, .on = true, .host_tsc_aux = 7 };
	u32 before;

	fake_svm_begin(FAKE_SVM_FULL);
	mhi_svm_asid_reset(&other);
	before = enter()->guest_asid;
	section(&other);
	ck_assert_uint_eq(fake_svm.vmcb->control.vmcb_clean, 0);
	ck_assert_uint_eq(enter()->tlb_control, MHI_SVM_TLB_FLUSH_ALL);
	/* Back: what the first CPU cached under the old ASID may be stale. */
	section(&fake_svm.cpu);
	enter();
	ck_assert_uint_ne(fake_svm.at_entry.control.guest_asid, before);
	/* Same CPU again: everything is still good. */
	before = fake_svm.at_entry.control.guest_asid;
	section(&fake_svm.cpu);
	ck_assert_uint_eq(enter()->guest_asid, before);
	ck_assert_uint_eq(fake_svm.at_entry.control.tlb_control, MHI_SVM_TLB_NOTHING);
	fake_svm_end();
}
END_TEST

START_TEST(cpu_was_given_back_meanwhile)
{
	fake_svm_begin(FAKE_SVM_FULL);
	enter();
	mhi_svm_ops.put(&fake_svm.v);
	mhi_svm_ops.cpu_off(&fake_svm.cpu);
	ck_assert_int_eq(mhi_svm_ops.load(&fake_svm.v, &x), MHI_EBUSY);
	ck_assert_int_eq(mhi_svm_ops.cpu_on(&fake_svm.cpu), 0);
	ck_assert_int_eq(mhi_svm_ops.load(&fake_svm.v, &x), 0);
	/* Somebody else may have used our ASIDs. */
	ck_assert_uint_eq(enter()->tlb_control, MHI_SVM_TLB_FLUSH_ALL);
	fake_svm_end();
}
END_TEST

START_TEST(control_registers_flush)
{
	fake_svm_begin(FAKE_SVM_FULL);
	enter();
	mhi_svm_ops.cr_set(&fake_svm.v, 4, MHI_CR4_PAE);
	ck_assert_uint_eq(enter()->tlb_control, MHI_SVM_TLB_FLUSH_ASID);
	mhi_svm_ops.msr_set(&fake_svm.v, MHI_MSR_EFER, MHI_EFER_NXE);
	ck_assert_uint_eq(enter()->tlb_control, MHI_SVM_TLB_FLUSH_ASID);
	mhi_svm_ops.msr_set(&fake_svm.v, MHI_MSR_LSTAR, 1);
	ck_assert_uint_eq(enter()->tlb_control, MHI_SVM_TLB_NOTHING);
	fake_svm_end();
}
END_TEST

static void add_tests(TCase *tc)
{
	tcase_add_test(tc, first_entry_flushes_what_others_left);
	tcase_add_test(tc, flush_by_asid);
	tcase_add_test(tc, flush_by_a_new_asid);
	tcase_add_test(tc, two_vcpus_of_one_cpu);
	tcase_add_test(tc, migration_and_back);
	tcase_add_test(tc, cpu_was_given_back_meanwhile);
	tcase_add_test(tc, control_registers_flush);
}

UNIT_MAIN("svm_asid", add_tests)
