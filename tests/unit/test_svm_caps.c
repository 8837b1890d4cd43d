// SPDX-License-Identifier: MIT
/* Tests of svm_caps.c: what the probe says of all kinds of CPUs, and taking one. */
#include "fake_svm.h"
#include "unit.h"

#define FEATURE(f) MHI_BIT(MHK_F_##f)

static int probe(struct mhi_hv_caps *caps)
{
	memset(caps, 0xaa, sizeof(*caps));
	return mhi_svm_ops.probe(caps);
}

START_TEST(full_cpu)
{
	struct mhi_hv_caps caps;

	fake_svm_cpu(FAKE_SVM_FULL);
	ck_assert_int_eq(probe(&caps), 0);
	ck_assert_uint_eq(caps.hw, MHK_HW_OK);
	ck_assert_uint_eq(caps.missing, 0);
	ck_assert_uint_eq(caps.features, FEATURE(NESTED_PAGING) | FEATURE(TLB_TAG) |
						 FEATURE(UNRESTRICTED) | FEATURE(NEXT_RIP) |
						 FEATURE(DECODE) | FEATURE(PAGE_2M) |
						 FEATURE(PAGE_1G) | FEATURE(ACCESSED_DIRTY) |
						 FEATURE(FLUSH_BY_ASID) | FEATURE(CLEAN_BITS) |
						 FEATURE(TSC_SCALING) | FEATURE(XSAVE));
	ck_assert_uint_eq(caps.asids, 16);
	ck_assert_uint_eq(caps.phys_bits, 40);
	ck_assert_uint_eq(caps.npt_max_level, 3);
	ck_assert_ptr_eq(caps.npt_fmt, &mhi_npt_amd);
}
END_TEST

START_TEST(qemu_cpu)
{
	struct mhi_hv_caps caps;

	fake_svm_cpu(FAKE_SVM_QEMU);
	ck_assert_int_eq(probe(&caps), 0);
	ck_assert_uint_eq(caps.features &
				  (FEATURE(NEXT_RIP) | FEATURE(DECODE) | FEATURE(FLUSH_BY_ASID) |
				   FEATURE(CLEAN_BITS) | FEATURE(TSC_SCALING)),
			  0);
	ck_assert(caps.features & FEATURE(NESTED_PAGING));
}
END_TEST

START_TEST(cr4_mask)
{
	static const u32 seven_rich[4] = { 0, ~0u, ~0u, ~0u };
	static const u32 none[4];
	struct mhi_hv_caps caps;

	fake_svm_cpu(FAKE_SVM_FULL);
	probe(&caps);
	ck_assert_uint_eq(caps.cr4, 0x370fff);
	/* A CPU with everything: PKE, CET, LA57, UINTR and LAM are still not the guest's. */
	fake_cpuid_set(7, 0, seven_rich);
	probe(&caps);
	ck_assert_uint_eq(caps.cr4, 0x370fff);
	fake_cpuid_set(7, 0, none);
	probe(&caps);
	ck_assert_uint_eq(caps.cr4, 0x370fff & ~(MHI_CR4_FSGSBASE | MHI_CR4_SMEP | MHI_CR4_SMAP |
						 MHI_CR4_UMIP));
	fake_cpuid_set(1, 0, none);
	probe(&caps);
	ck_assert_uint_eq(caps.cr4, MHI_CR4_PCE);
}
END_TEST

START_TEST(refusals)
{
	static const u32 no_svm[4];
	static const u32 one_asid[4] = { 1, 1, 0, FAKE_SVM_FULL };
	struct mhi_hv_caps caps;

	fake_svm_cpu(FAKE_SVM_FULL);
	fake_cpuid_set(0x80000001, 0, no_svm);
	ck_assert_int_eq(probe(&caps), MHI_EOPNOTSUPP);
	ck_assert_uint_eq(caps.hw, MHK_HW_NO_CPU);

	fake_svm_cpu(FAKE_SVM_FULL);
	fake_msr_set(MHI_MSR_VM_CR, MHI_VM_CR_SVMDIS);
	ck_assert_int_eq(probe(&caps), MHI_EOPNOTSUPP);
	ck_assert_uint_eq(caps.hw, MHK_HW_FIRMWARE);

	fake_svm_cpu(FAKE_SVM_FULL & ~FAKE_SVM_NP);
	ck_assert_int_eq(probe(&caps), MHI_EOPNOTSUPP);
	ck_assert_uint_eq(caps.hw, MHK_HW_MISSING);
	ck_assert_uint_eq(caps.missing, MHK_F_NESTED_PAGING);

	fake_svm_cpu(FAKE_SVM_FULL);
	fake_cpuid_set(0x8000000a, 0, one_asid);
	ck_assert_int_eq(probe(&caps), MHI_EOPNOTSUPP);
	ck_assert_uint_eq(caps.hw, MHK_HW_MISSING);
	ck_assert_uint_eq(caps.missing, MHK_F_TLB_TAG);

	fake_svm_cpu(FAKE_SVM_FULL);
	fake_msr_set(MHI_MSR_EFER, MHI_EFER_SVME);
	ck_assert_int_eq(probe(&caps), MHI_EBUSY);
	ck_assert_uint_eq(caps.hw, MHK_HW_BUSY);
	ck_assert_uint_eq(caps.asids, 16); /* filled all the same */
}
END_TEST

START_TEST(phys_bits)
{
	static const u32 guest_width[4] = { 0x2c3028, 0, 0, 0 };
	static const u32 old_max[4] = { 0x80000004, 0, 0, 0 };
	struct mhi_hv_caps caps;

	fake_svm_cpu(FAKE_SVM_FULL);
	fake_cpuid_set(0x80000008, 0, guest_width);
	probe(&caps);
	ck_assert_uint_eq(caps.phys_bits, 0x2c);
	fake_cpuid_set(0x80000000, 0, old_max); /* neither 8000_0008h nor 8000_000Ah exist */
	ck_assert_int_eq(probe(&caps), MHI_EOPNOTSUPP);
	ck_assert_uint_eq(caps.phys_bits, 36);
	ck_assert_uint_eq(caps.missing, MHK_F_NESTED_PAGING);
}
END_TEST

START_TEST(probe_writes_nothing)
{
	struct mhi_hv_caps caps;

	fake_svm_cpu(FAKE_SVM_FULL);
	probe(&caps);
	ck_assert_uint_eq(fake_msr_writes(MHI_MSR_EFER), 0);
	ck_assert_uint_eq(fake_msr_writes(MHI_MSR_VM_HSAVE_PA), 0);
	ck_assert_uint_eq(fake_faults, 0);
}
END_TEST

START_TEST(take_and_give_back)
{
	struct mhi_cpu cpu = { .id = 3, .page_pa = 0x9000 };
	u64 efer;

	fake_svm_cpu(FAKE_SVM_FULL);
	efer = fake_msr(MHI_MSR_EFER);
	mhi_svm_ops.cpu_off(&cpu); /* accepts a CPU that is off */
	ck_assert_uint_eq(fake_msr_writes(MHI_MSR_EFER), 0);

	ck_assert_int_eq(mhi_svm_ops.cpu_on(&cpu), 0);
	ck_assert(cpu.on);
	ck_assert_uint_eq(fake_msr(MHI_MSR_EFER), efer | MHI_EFER_SVME);
	ck_assert_uint_eq(fake_msr(MHI_MSR_VM_HSAVE_PA), 0x9000);
	ck_assert_uint_eq(fake_msr(MHI_MSR_TSC_RATIO), MHI_BIT(32));
	ck_assert_uint_eq(cpu.host_tsc_aux, 7);

	mhi_svm_tsc_ratio_set(&cpu, MHI_BIT(31)); /* of a guest */
	ck_assert_uint_eq(fake_msr(MHI_MSR_TSC_RATIO), MHI_BIT(31));
	mhi_svm_ops.cpu_off(&cpu);
	ck_assert(!cpu.on);
	ck_assert_uint_eq(fake_msr(MHI_MSR_TSC_RATIO), MHI_BIT(32));
	ck_assert_uint_eq(fake_msr(MHI_MSR_EFER), efer);
	ck_assert_uint_eq(fake_msr(MHI_MSR_VM_HSAVE_PA), 0);
	ck_assert_uint_eq(fake_faults, 0);
}
END_TEST

START_TEST(busy_cpu_is_left_alone)
{
	struct mhi_cpu cpu = { .page_pa = 0x9000 };

	fake_svm_cpu(FAKE_SVM_FULL);
	fake_msr_set(MHI_MSR_EFER, MHI_EFER_SVME);
	fake_msr_set(MHI_MSR_VM_HSAVE_PA, 0x1234000);
	ck_assert_int_eq(mhi_svm_ops.cpu_on(&cpu), MHI_EBUSY);
	ck_assert(!cpu.on);
	mhi_svm_ops.cpu_off(&cpu);
	ck_assert_uint_eq(fake_msr(MHI_MSR_EFER), MHI_EFER_SVME);
	ck_assert_uint_eq(fake_msr(MHI_MSR_VM_HSAVE_PA), 0x1234000);
}
END_TEST

static void add_tests(TCase *tc)
{
	tcase_add_test(tc, full_cpu);
	tcase_add_test(tc, qemu_cpu);
	tcase_add_test(tc, cr4_mask);
	tcase_add_test(tc, refusals);
	tcase_add_test(tc, phys_bits);
	tcase_add_test(tc, probe_writes_nothing);
	tcase_add_test(tc, take_and_give_back);
	tcase_add_test(tc, busy_cpu_is_left_alone);
}

UNIT_MAIN("svm_caps", add_tests)
