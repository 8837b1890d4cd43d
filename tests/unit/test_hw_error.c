/* SPDX-License-Identifier: MIT */
/* Each reason why virtualization is not available has its code, its cause and its cure. */
#include "unit.h"
#include "core/hw_error.h"

static struct mhi_err err;

static void expect(u32 vendor, u32 hw, u32 missing, int code, const char *cause, const char *cure)
{
	ck_assert_int_eq(mhi_hw_error(&err, vendor, hw, missing), code);
	ck_assert_int_eq(err.code, code);
	ck_assert_msg(strstr(err.text, cause), "\"%s\" is not in \"%s\"", cause, err.text);
	ck_assert_msg(strstr(err.text, cure), "\"%s\" is not in \"%s\"", cure, err.text);
}

START_TEST(all_reasons)
{
	ck_assert_int_eq(mhi_hw_error(&err, MHK_VENDOR_VMX, MHK_HW_OK, 0), 0);
	expect(MHK_VENDOR_NONE, MHK_HW_NO_CPU, 0, MH_ENOCPU, "neither VT-x", "nested");
	expect(MHK_VENDOR_VMX, MHK_HW_FIRMWARE, 0, MH_EFIRMWARE, "IA32_FEATURE_CONTROL", "enable");
	expect(MHK_VENDOR_SVM, MHK_HW_FIRMWARE, 0, MH_EFIRMWARE, "VM_CR", "SVM mode");
	expect(MHK_VENDOR_VMX, MHK_HW_BUSY, 0, MH_EBUSY, "CR4.VMXE", "unload");
	expect(MHK_VENDOR_SVM, MHK_HW_BUSY, 0, MH_EBUSY, "EFER.SVME", "unload");
	expect(MHK_VENDOR_VMX, MHK_HW_MISSING, MHK_F_NESTED_PAGING, MH_EMISSING, "nested paging",
	       "newer CPU");
	expect(MHK_VENDOR_VMX, MHK_HW_FAILED, 7, MH_EIO, "VMXON failed on a CPU (error 7)",
	       "dmesg");
	expect(99, 99, 0, MH_EABI, "status 99", "update");
}
END_TEST

START_TEST(features_have_names)
{
	u32 i;

	for (i = 0; i < MHK_F_COUNT; i++)
		ck_assert_ptr_nonnull(mhi_feature_name(i));
	ck_assert_ptr_nonnull(mhi_feature_name(MHK_F_COUNT));
}
END_TEST

static void add_tests(TCase *tcase)
{
	tcase_add_test(tcase, all_reasons);
	tcase_add_test(tcase, features_have_names);
}

UNIT_MAIN("hw_error", add_tests)
