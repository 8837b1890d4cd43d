// SPDX-License-Identifier: MIT
/* Decoding of every exit reason to the normal form, and their names. */
#include "unit.h"
#include "arch/x86/exit_names.h"
#include "arch/x86/vmx/vmx.h"

static struct vmx_raw raw;
static struct mhi_exit x;

static void decode(u32 reason)
{
	raw.reason = reason;
	memset(&x, 0xff, sizeof(x));
	raw.kind = mhi_vmx_kind(raw.reason);
	mhi_vmx_decode(&raw, &x);
}

static void fresh(void)
{
	memset(&raw, 0, sizeof(raw));
}

/* The normal reason of each basic exit reason, 0 to 64 and later ones; all others are unhandled. */
static const u8 expected[] = {
	[1] = MHI_X_HOST,	   [2] = MHI_X_TRIPLE_FAULT,  [3] = MHI_X_INIT,
	[4] = MHI_X_INIT,	   [5] = MHI_X_HOST,	      [6] = MHI_X_HOST,
	[7] = MHI_X_WINDOW,	   [8] = MHI_X_WINDOW,	      [9] = MHI_X_TASK_SWITCH,
	[10] = MHI_X_CPUID,	   [11] = MHI_X_VIRT_INSN,    [12] = MHI_X_HLT,
	[13] = MHI_X_INVD,	   [15] = MHI_X_RDPMC,	      [18] = MHI_X_HYPERCALL,
	[19] = MHI_X_VIRT_INSN,	   [20] = MHI_X_VIRT_INSN,    [21] = MHI_X_VIRT_INSN,
	[22] = MHI_X_VIRT_INSN,	   [23] = MHI_X_VIRT_INSN,    [24] = MHI_X_VIRT_INSN,
	[25] = MHI_X_VIRT_INSN,	   [26] = MHI_X_VIRT_INSN,    [27] = MHI_X_VIRT_INSN,
	[28] = MHI_X_CR_WRITE,	   [29] = MHI_X_DR,	      [30] = MHI_X_IO,
	[31] = MHI_X_RDMSR,	   [32] = MHI_X_WRMSR,	      [33] = MHI_X_ENTRY_FAILED,
	[34] = MHI_X_ENTRY_FAILED, [36] = MHI_X_MONITOR,      [39] = MHI_X_MONITOR,
	[40] = MHI_X_PAUSE,	   [41] = MHI_X_ENTRY_FAILED, [48] = MHI_X_FAULT,
	[49] = MHI_X_MISCONFIG,	   [50] = MHI_X_VIRT_INSN,    [52] = MHI_X_HOST,
	[53] = MHI_X_VIRT_INSN,	   [54] = MHI_X_INVD,	      [55] = MHI_X_XSETBV,
	[59] = MHI_X_VIRT_INSN,	   [60] = MHI_X_VIRT_INSN,    [70] = MHI_X_VIRT_INSN,
	[76] = MHI_X_VIRT_INSN,	   [77] = MHI_X_VIRT_INSN,    [85] = 0,
};

static bool listed(u32 reason)
{
	return reason < MHI_COUNT(expected) &&
	       (expected[reason] || reason == 1 || reason == 5 || reason == 6 || reason == 52);
}

START_TEST(every_reason)
{
	u32 reason = (u32)_i;

	fresh();
	raw.qualification = 0x20;
	raw.insn_len = 3;
	if (reason == 0)
		return;
	decode(reason);
	ck_assert_uint_eq(x.raw, reason);
	if (listed(reason))
		ck_assert_uint_eq(x.reason, expected[reason]);
	else
		ck_assert_uint_eq(x.reason, MHI_X_UNHANDLED);
}
END_TEST

/* What skips an instruction must be given its length. */
START_TEST(lengths)
{
	static const u32 reasons[] = { 10, 11, 12, 13, 15, 18, 27, 28, 30, 31, 32, 36, 54, 55 };
	unsigned int i;

	for (i = 0; i < MHI_COUNT(reasons); i++) {
		fresh();
		raw.insn_len = 7;
		ck_assert(mhi_vmx_kind(reasons[i])->needs & VMX_NEED_LEN);
		decode(reasons[i]);
		ck_assert_uint_eq(x.insn_len, 7);
	}
}
END_TEST

START_TEST(lean)
{
	ck_assert_uint_eq(mhi_vmx_kind(10)->needs, VMX_NEED_LEN);
	ck_assert_uint_eq(mhi_vmx_kind(12)->needs, VMX_NEED_LEN);
	ck_assert_uint_eq(mhi_vmx_kind(32)->needs, VMX_NEED_LEN);
	ck_assert(mhi_vmx_kind(48)->needs & VMX_NEED_VECTORING);
	ck_assert(mhi_vmx_kind(9)->needs & VMX_NEED_VECTORING);
	ck_assert(mhi_vmx_kind(0)->needs & VMX_NEED_VECTORING);
	ck_assert(mhi_vmx_kind(62)->needs & VMX_NEED_VECTORING);
}
END_TEST

START_TEST(exceptions)
{
	fresh();
	raw.intr_info = MHI_EVENT_VALID | MHI_EVENT_EXCEPTION << 8 | MHI_EVENT_ERROR | 17;
	raw.intr_error = 0x10;
	decode(0);
	ck_assert_uint_eq(x.reason, MHI_X_EXCEPTION);
	ck_assert_uint_eq(x.vector, 17);
	ck_assert_uint_eq(x.error, 0x10);
	raw.intr_info = MHI_EVENT_VALID | MHI_EVENT_NMI << 8 | 2;
	decode(0);
	ck_assert_uint_eq(x.reason, MHI_X_HOST);
	raw.intr_info = MHI_EVENT_VALID | MHI_EVENT_EXCEPTION << 8 | 18;
	decode(0);
	ck_assert_uint_eq(x.reason, MHI_X_HOST);
}
END_TEST

START_TEST(control_registers)
{
	fresh();
	raw.reg = 0xabcdef;
	raw.cr0 = 0x80050033;
	raw.qualification = 8 | 0x500;
	decode(28);
	ck_assert_uint_eq(x.reason, MHI_X_CR_WRITE);
	ck_assert_uint_eq(x.cr.nr, 8);
	ck_assert_uint_eq(x.cr.value, 0xabcdef);
	raw.qualification = 8 | 1 << 4 | 0xb00;
	decode(28);
	ck_assert_uint_eq(x.reason, MHI_X_CR_READ);
	ck_assert_uint_eq(x.cr.gpr, 11);
	/* MOV RSP, CR8 and a read of another register: nobody can serve those. */
	raw.qualification = 8 | 1 << 4 | 0x400;
	decode(28);
	ck_assert_uint_eq(x.reason, MHI_X_UNHANDLED);
	raw.qualification = 3 | 1 << 4;
	decode(28);
	ck_assert_uint_eq(x.reason, MHI_X_UNHANDLED);
	raw.qualification = 2 << 4;
	raw.cr0 = 0x8005003b;
	decode(28);
	ck_assert_uint_eq(x.reason, MHI_X_CR_WRITE);
	ck_assert_uint_eq(x.cr.value, 0x80050033);
	/* LMSW of 0xfff6: bits 3:1 come from it, PE stays set, the rest is untouched. */
	raw.cr0 = 0x80050039;
	raw.qualification = 3 << 4 | 0xfff6ull << 16;
	decode(28);
	ck_assert_uint_eq(x.cr.nr, 0);
	ck_assert_uint_eq(x.cr.value, 0x80050037);
	raw.cr0 = 0x10;
	raw.qualification = 3 << 4 | 1ull << 16;
	decode(28);
	ck_assert_uint_eq(x.cr.value, 0x11);
}
END_TEST

START_TEST(port_io)
{
	fresh();
	raw.qualification = 0x3f8ull << 16;
	decode(30);
	ck_assert_uint_eq(x.io.port, 0x3f8);
	ck_assert_uint_eq(x.io.width, 1);
	ck_assert_uint_eq(x.io.flags, 0);
	raw.qualification = 0xffffull << 16 | 3 | 1 << 3;
	decode(30);
	ck_assert_uint_eq(x.io.port, 0xffff);
	ck_assert_uint_eq(x.io.width, 4);
	ck_assert_uint_eq(x.io.flags, MHK_IO_IN);
	raw.qualification = 0x1f0ull << 16 | 1 | 1 << 3 | 1 << 4 | 1 << 5 | 1 << 6;
	decode(30);
	ck_assert_uint_eq(x.io.width, 2);
	ck_assert_uint_eq(x.io.flags, MHK_IO_IN | MHK_IO_STRING | MHK_IO_REP);
}
END_TEST

START_TEST(faults)
{
	unsigned int i;

	for (i = 0; i < 8; i++) {
		fresh();
		raw.gpa = 0xfee000b0;
		raw.linear = 0x7fff0000;
		raw.qualification = i | 0x180;
		decode(48);
		ck_assert_uint_eq(x.reason, MHI_X_FAULT);
		ck_assert_uint_eq(x.fault.gpa, 0xfee000b0);
		ck_assert_uint_eq(x.fault.access, i);
		ck_assert_uint_eq(x.fault.insn_bytes, 0);
		/* These bytes go on to user space: none of them may be the kernel's stack. */
		ck_assert_uint_eq(x.fault.insn[0] | x.fault.insn[MHK_INSN_MAX - 1], 0);
		ck_assert_uint_eq(x.raw_info[0], i | 0x180);
		ck_assert_uint_eq(x.raw_info[1], 0x7fff0000);
	}
	decode(49);
	ck_assert_uint_eq(x.raw_info[0], 0xfee000b0);
}
END_TEST

/* Bit 31: the entry failed, whatever the basic reason. */
START_TEST(entry_failures)
{
	fresh();
	raw.qualification = 4;
	decode(33 | EXIT_ENTRY_FAILURE);
	ck_assert_uint_eq(x.reason, MHI_X_ENTRY_FAILED);
	ck_assert_uint_eq(x.raw, 0x80000021);
	ck_assert_uint_eq(x.raw_info[0], 4);
	decode(2 | EXIT_ENTRY_FAILURE);
	ck_assert_uint_eq(x.reason, MHI_X_ENTRY_FAILED);
	/* Bits 16 and up are flags: bus lock asserted, exit from an enclave. */
	decode(10 | 1u << 26);
	ck_assert_uint_eq(x.reason, MHI_X_CPUID);
}
END_TEST

START_TEST(names)
{
	static const u32 unassigned[] = { 35, 38, 42, 71, 82, 83, 86, 200, 0xffff };
	const char *unknown = mhi_vmx_exit_name(35);
	unsigned int i;

	for (i = 0; i < 86; i++)
		ck_assert_ptr_nonnull(mhi_vmx_exit_name(i));
	for (i = 0; i <= 64; i++)
		if (i != 35 && i != 38 && i != 42)
			ck_assert_str_ne(mhi_vmx_exit_name(i), unknown);
	for (i = 0; i < MHI_COUNT(unassigned); i++)
		ck_assert_str_eq(mhi_vmx_exit_name(unassigned[i]), unknown);
	ck_assert_str_eq(mhi_vmx_exit_name(10), "CPUID");
	ck_assert_str_eq(mhi_vmx_exit_name(48), "EPT violation");
	ck_assert_str_eq(mhi_vmx_exit_name(64), "XRSTORS");
	ck_assert_str_eq(mhi_vmx_exit_name(77), "TDCALL");
	ck_assert_str_eq(mhi_vmx_entry_error_name(0x80000021, 0),
			 "entry failure: invalid guest state");
	ck_assert_str_eq(mhi_vmx_entry_error_name(7, 0), "VM entry with invalid control fields");
	ck_assert_str_eq(mhi_vmx_entry_error_name(14, 0), mhi_vmx_entry_error_name(99, 0));
	ck_assert_ptr_nonnull(
		strstr(mhi_vmx_entry_error_name(MHI_VMX_NEEDS_UNRESTRICTED, 0), "unrestricted"));
	ck_assert_ptr_nonnull(strstr(mhi_vmx_entry_error_name(MHI_VMX_BUSY, 0), "another"));
	ck_assert_ptr_nonnull(
		strstr(mhi_vmx_entry_error_name(MHI_VMX_FIELD_ERROR, 0x4402), "EXIT_REASON"));
	ck_assert_ptr_nonnull(
		strstr(mhi_vmx_entry_error_name(MHI_VMX_FIELD_ERROR, 0x2032), "TSC_MULTIPLIER"));
	ck_assert_str_ne(mhi_vmx_entry_error_name(MHI_VMX_FIELD_ERROR, 1),
			 mhi_vmx_entry_error_name(MHI_VMX_INSN_FAILED, 0));
}
END_TEST

static void add_tests(TCase *tc)
{
	tcase_add_loop_test(tc, every_reason, 0, 100);
	tcase_add_test(tc, lengths);
	tcase_add_test(tc, lean);
	tcase_add_test(tc, exceptions);
	tcase_add_test(tc, control_registers);
	tcase_add_test(tc, port_io);
	tcase_add_test(tc, faults);
	tcase_add_test(tc, entry_failures);
	tcase_add_test(tc, names);
}

UNIT_MAIN("vmx_exit", add_tests)
