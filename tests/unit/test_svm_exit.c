// SPDX-License-Identifier: MIT
/* Tests of svm_exit.c and svm_names.c: every exit code to its normal form and its name. */
#include "fake_svm.h"
#include "unit.h"
#include "arch/x86/exit_names.h"

#define RIP 0x401000ull
#define NRIPS MHI_BIT(MHK_F_NEXT_RIP)
#define ASSISTS (NRIPS | MHI_BIT(MHK_F_DECODE))

/* Written from APM 2 appendix C alone, not from the tables under test. */
static const struct expect {
	u32 first, last;
	enum mhi_reason reason;
	bool len; /* the handler skips the instruction */
} expects[] = {
	{ 0x00, 0x0f, MHI_X_CR_READ, true },	   { 0x10, 0x1f, MHI_X_CR_WRITE, true },
	{ 0x20, 0x3f, MHI_X_DR, false },	   { 0x40, 0x5f, MHI_X_EXCEPTION, false },
	{ 0x60, 0x62, MHI_X_HOST, false },	   { 0x63, 0x63, MHI_X_INIT, false },
	{ 0x64, 0x64, MHI_X_WINDOW, false },	   { 0x65, 0x6e, MHI_X_UNHANDLED, false },
	{ 0x6f, 0x6f, MHI_X_RDPMC, true },	   { 0x70, 0x71, MHI_X_UNHANDLED, false },
	{ 0x72, 0x72, MHI_X_CPUID, true },	   { 0x73, 0x73, MHI_X_VIRT_INSN, false },
	{ 0x74, 0x75, MHI_X_UNHANDLED, false },	   { 0x76, 0x76, MHI_X_INVD, true },
	{ 0x77, 0x77, MHI_X_PAUSE, true },	   { 0x78, 0x78, MHI_X_HLT, true },
	{ 0x79, 0x79, MHI_X_UNHANDLED, false },	   { 0x7a, 0x7a, MHI_X_VIRT_INSN, false },
	{ 0x7d, 0x7d, MHI_X_TASK_SWITCH, false },  { 0x7e, 0x7e, MHI_X_UNHANDLED, false },
	{ 0x7f, 0x7f, MHI_X_TRIPLE_FAULT, false }, { 0x80, 0x80, MHI_X_VIRT_INSN, false },
	{ 0x81, 0x81, MHI_X_HYPERCALL, true },	   { 0x82, 0x86, MHI_X_VIRT_INSN, false },
	{ 0x87, 0x88, MHI_X_UNHANDLED, false },	   { 0x89, 0x89, MHI_X_INVD, true },
	{ 0x8a, 0x8c, MHI_X_MONITOR, false },	   { 0x8d, 0x8d, MHI_X_XSETBV, true },
	{ 0x8e, 0x8e, MHI_X_VIRT_INSN, false },	   { 0x8f, 0xa6, MHI_X_UNHANDLED, false },
	{ 0x401, 0x403, MHI_X_UNHANDLED, false },
};

static struct mhi_vmcb vmcb;
static struct mhi_exit x;

static bool decode(u64 code, u64 info1, u64 info2, u64 features)
{
	memset(&vmcb, 0, sizeof(vmcb));
	memset(&x, 0xcc, sizeof(x));
	vmcb.state.rip = RIP;
	vmcb.control.next_rip = features & NRIPS ? RIP + 3 : 0;
	vmcb.control.exit_code = code;
	vmcb.control.exit_info1 = info1;
	vmcb.control.exit_info2 = info2;
	return mhi_svm_decode(&vmcb, features, &x);
}

START_TEST(every_code)
{
	size_t i;
	u32 code;

	for (i = 0; i < MHI_COUNT(expects); i++) {
		for (code = expects[i].first; code <= expects[i].last; code++) {
			ck_assert_msg(!decode(code, MHI_BIT(63) | 5, 0, ASSISTS), "%#x", code);
			ck_assert_msg(x.reason == expects[i].reason, "%#x: %d", code, x.reason);
			ck_assert_uint_eq(x.raw, code);
			ck_assert_uint_eq(x.raw_info[0], MHI_BIT(63) | 5);
			ck_assert_msg(x.insn_len == (expects[i].len ? 3 : 0), "%#x", code);
			/* Without next RIP, the instruction must be looked at, and only then. */
			ck_assert_msg(decode(code, 0, 0, 0) == expects[i].len, "%#x", code);
			ck_assert_uint_eq(x.insn_len, 0);
		}
	}
}
END_TEST

START_TEST(io)
{
	decode(0x7b, 0x03f80011, RIP + 2, 0); /* IN, 8 bits */
	ck_assert_int_eq(x.reason, MHI_X_IO);
	ck_assert_uint_eq(x.io.port, 0x3f8);
	ck_assert_uint_eq(x.io.width, 1);
	ck_assert_uint_eq(x.io.flags, MHK_IO_IN);
	ck_assert_uint_eq(x.insn_len, 2);
	decode(0x7b, 0x0cfc0020, RIP + 1, 0); /* OUT, 16 bits */
	ck_assert_uint_eq(x.io.width, 2);
	ck_assert_uint_eq(x.io.flags, 0);
	decode(0x7b, 0xffff004c, RIP + 2, ASSISTS); /* REP OUTSD */
	ck_assert_uint_eq(x.io.port, 0xffff);
	ck_assert_uint_eq(x.io.width, 4);
	ck_assert_uint_eq(x.io.flags, MHK_IO_STRING | MHK_IO_REP);
	/* A next RIP that cannot be is not skipped to. */
	decode(0x7b, 0x00800010, RIP + 16, 0);
	ck_assert_int_eq(x.reason, MHI_X_UNHANDLED);
	decode(0x7b, 0x00800010, RIP, 0);
	ck_assert_int_eq(x.reason, MHI_X_UNHANDLED);
}
END_TEST

START_TEST(msr)
{
	ck_assert(!decode(0x7c, 0, 0, NRIPS));
	ck_assert_int_eq(x.reason, MHI_X_RDMSR);
	ck_assert_uint_eq(x.insn_len, 3);
	ck_assert(decode(0x7c, 1, 0, 0));
	ck_assert_int_eq(x.reason, MHI_X_WRMSR);
}
END_TEST

START_TEST(cr)
{
	ck_assert(!decode(0x14, MHI_BIT(63) | 11, 0, ASSISTS));
	ck_assert_uint_eq(x.cr.nr, 4);
	ck_assert_uint_eq(x.cr.gpr, 11);
	/* NRIPS without decode assists (Bochs): the operand must be looked for. */
	ck_assert(decode(0x18, 0, 0, NRIPS));
	ck_assert_int_eq(x.reason, MHI_X_CR_WRITE);
	ck_assert_uint_eq(x.cr.nr, 8);
	ck_assert_uint_eq(x.insn_len, 3);
}
END_TEST

START_TEST(exceptions)
{
	decode(0x41, 0, 0, 0);
	ck_assert_uint_eq(x.vector, 1);
	ck_assert_uint_eq(x.error, 0);
	decode(0x51, 0x1234, 0, 0);
	ck_assert_uint_eq(x.vector, 17);
	ck_assert_uint_eq(x.error, 0x1234);
}
END_TEST

START_TEST(nested_faults)
{
	ck_assert(!decode(0x400, 4, 0xfee00000, 0));
	ck_assert_int_eq(x.reason, MHI_X_FAULT);
	ck_assert_uint_eq(x.fault.gpa, 0xfee00000);
	ck_assert_uint_eq(x.fault.access, MHI_FAULT_READ);
	/* A bug: the bytes that were none were the kernel's stack, and went to user space. */
	ck_assert_uint_eq(x.fault.insn_bytes, 0);
	for (unsigned int i = 0; i < sizeof(x.fault.insn); i++)
		ck_assert_uint_eq(x.fault.insn[i], 0);
	decode(0x400, 7, 0x1000, 0);
	ck_assert_uint_eq(x.fault.access, MHI_FAULT_WRITE);
	decode(0x400, 0x14, 0x1000, 0);
	ck_assert_uint_eq(x.fault.access, MHI_FAULT_FETCH);
	decode(0x400, 0xd, 0x1000, 0);
	ck_assert_int_eq(x.reason, MHI_X_MISCONFIG);
}
END_TEST

START_TEST(nested_fault_with_bytes)
{
	memset(&vmcb, 0, sizeof(vmcb));
	vmcb.control.exit_code = 0x400;
	vmcb.control.exit_info1 = 6;
	vmcb.control.bytes_fetched = 15;
	vmcb.control.guest_instruction_bytes[0] = 0x89;
	vmcb.control.guest_instruction_bytes[14] = 0x90;
	mhi_svm_decode(&vmcb, ASSISTS, &x);
	ck_assert_uint_eq(x.fault.insn_bytes, 15);
	ck_assert_uint_eq(x.fault.insn[0], 0x89);
	ck_assert_uint_eq(x.fault.insn[14], 0x90);
}
END_TEST

START_TEST(refused_entry)
{
	int code;

	for (code = -4; code < 0; code++) {
		decode((u64)(s64)code, 0, 0, ASSISTS);
		ck_assert_int_eq(x.reason, MHI_X_ENTRY_FAILED);
		ck_assert_uint_eq(x.raw, (u32)code);
	}
	/* Some CPUs write only the low half. */
	decode(0xffffffff, 0, 0, ASSISTS);
	ck_assert_int_eq(x.reason, MHI_X_ENTRY_FAILED);
}
END_TEST

START_TEST(unbelievable_length)
{
	memset(&vmcb, 0, sizeof(vmcb));
	vmcb.state.rip = RIP;
	vmcb.control.exit_code = 0x72;
	vmcb.control.next_rip = RIP + 16;
	ck_assert(mhi_svm_decode(&vmcb, ASSISTS, &x));
	vmcb.control.next_rip = RIP;
	ck_assert(mhi_svm_decode(&vmcb, ASSISTS, &x));
	ck_assert_uint_eq(x.insn_len, 0);
	vmcb.control.next_rip = RIP + 15;
	ck_assert(!mhi_svm_decode(&vmcb, ASSISTS, &x));
	ck_assert_uint_eq(x.insn_len, 15);
}
END_TEST

START_TEST(names)
{
	static const struct {
		u32 code;
		const char *name;
	} some[] = {
		{ 0x00, "CR0_READ" },	   { 0x18, "CR8_WRITE" },  { 0x37, "DR7_WRITE" },
		{ 0x4e, "EXCP_PF" },	   { 0x60, "INTR" },	   { 0x65, "CR0_SEL_WRITE" },
		{ 0x72, "CPUID" },	   { 0x7b, "IOIO" },	   { 0x7f, "SHUTDOWN" },
		{ 0x81, "VMMCALL" },	   { 0x8d, "XSETBV" },	   { 0x9f, "CR15_WRITE_TRAP" },
		{ 0xa6, "IDLE_HLT" },	   { 0x400, "NPF" },	   { 0x403, "VMGEXIT" },
		{ 0xffffffff, "INVALID" }, { 0xfffffffe, "BUSY" }, { 0xfffffffc, "INVALID_PMC" },
	};
	size_t i;
	u32 code;

	for (i = 0; i < MHI_COUNT(some); i++)
		ck_assert_str_eq(mhi_svm_exit_name(some[i].code), some[i].name);
	for (code = 0; code <= 0xa6; code++)
		ck_assert_str_ne(mhi_svm_exit_name(code), mhi_svm_exit_name(0x12345));
	ck_assert_ptr_nonnull(mhi_svm_exit_name(0xa7));
}
END_TEST

static void add_tests(TCase *tc)
{
	tcase_add_test(tc, every_code);
	tcase_add_test(tc, io);
	tcase_add_test(tc, msr);
	tcase_add_test(tc, cr);
	tcase_add_test(tc, exceptions);
	tcase_add_test(tc, nested_faults);
	tcase_add_test(tc, nested_fault_with_bytes);
	tcase_add_test(tc, refused_entry);
	tcase_add_test(tc, unbelievable_length);
	tcase_add_test(tc, names);
}

UNIT_MAIN("svm_exit", add_tests)
