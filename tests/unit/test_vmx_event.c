// SPDX-License-Identifier: MIT
/*
 * Injection, windows, interrupted deliveries, NMI blocking and #DB of the VMX back end on a fake
 * CPU.
 */
#include "vmx_cpu.h"

/* ---- interrupts ---- */

START_TEST(interrupt_taken_at_once)
{
	begin();
	set_rflags(2 | MHI_RFLAGS_IF);
	enter_with(0x31);
	ck_assert_uint_eq(script.injected, MHI_EVENT_VALID | 0x31);
	ck_assert(vcpu.irq_taken);
	ck_assert_uint_eq(script.proc & PROC_INTR_WINDOW, 0);
	enter_with(-1);
	ck_assert(!vcpu.irq_taken);
	ck_assert_uint_eq(script.injected & MHI_EVENT_VALID, 0);
	put();
}
END_TEST

static void waits_for_window(u64 rflags, u32 blocked)
{
	begin();
	set_rflags(rflags);
	fake_vmcs_set(VMCS_GUEST_INTERRUPTIBILITY, blocked);
	script.reason = 7;
	enter_with(0x31);
	ck_assert_uint_eq(script.injected & MHI_EVENT_VALID, 0);
	ck_assert_uint_eq(script.proc & PROC_INTR_WINDOW, PROC_INTR_WINDOW);
	ck_assert(!vcpu.irq_taken);
	ck_assert_uint_eq(last_exit.reason, MHI_X_WINDOW);
	set_rflags(2 | MHI_RFLAGS_IF);
	fake_vmcs_set(VMCS_GUEST_INTERRUPTIBILITY, 0);
	script.reason = 10;
	enter_with(0x31);
	ck_assert_uint_eq(script.injected, MHI_EVENT_VALID | 0x31);
	ck_assert_uint_eq(script.proc & PROC_INTR_WINDOW, 0);
	ck_assert(vcpu.irq_taken);
	put();
}

START_TEST(interrupt_window)
{
	waits_for_window(2, 0);
	waits_for_window(2 | MHI_RFLAGS_IF, BLOCKED_BY_STI);
	waits_for_window(2 | MHI_RFLAGS_IF, BLOCKED_BY_MOV_SS);
	/* Withdrawn: nobody waits for the window any more. */
	begin();
	enter_with(0x31);
	ck_assert_uint_eq(script.proc & PROC_INTR_WINDOW, PROC_INTR_WINDOW);
	enter_with(-1);
	ck_assert_uint_eq(script.proc & PROC_INTR_WINDOW, 0);
	put();
}
END_TEST

START_TEST(event_before_interrupt)
{
	begin();
	set_rflags(2 | MHI_RFLAGS_IF);
	vcpu.event = MHI_EVENT_VALID | MHI_EVENT_ERROR | MHI_EVENT_EXCEPTION << 8 | 13;
	vcpu.event_error = 0x18;
	enter_with(0x31);
	ck_assert_uint_eq(script.injected,
			  MHI_EVENT_VALID | MHI_EVENT_ERROR | MHI_EVENT_EXCEPTION << 8 | 13);
	ck_assert_uint_eq(script.injected_error, 0x18);
	ck_assert_uint_eq(vcpu.event, 0);
	ck_assert(!vcpu.irq_taken);
	ck_assert_uint_eq(script.proc & PROC_INTR_WINDOW, PROC_INTR_WINDOW);
	put();
}
END_TEST

/* The delivery of an external interrupt was interrupted: it was not taken. */
START_TEST(interrupted_interrupt)
{
	begin();
	set_rflags(2 | MHI_RFLAGS_IF);
	script.reason = 48;
	script.vectoring = MHI_EVENT_VALID | 0x31;
	enter_with(0x31);
	ck_assert(!vcpu.irq_taken);
	ck_assert_uint_eq(vcpu.event, 0);
	put();
}
END_TEST

START_TEST(interrupted_exception)
{
	begin();
	script.reason = 48;
	script.vectoring =
		MHI_EVENT_VALID | MHI_EVENT_ERROR | 1u << 12 | MHI_EVENT_EXCEPTION << 8 | 14;
	script.vectoring_error = 2;
	enter_with(-1);
	ck_assert_uint_eq(vcpu.event,
			  MHI_EVENT_VALID | MHI_EVENT_ERROR | MHI_EVENT_EXCEPTION << 8 | 14);
	ck_assert_uint_eq(vcpu.event_error, 2);
	/* And goes in again with the next entry. */
	script.vectoring = 0;
	enter_with(-1);
	ck_assert_uint_eq(script.injected & 0xfff, MHI_EVENT_ERROR | MHI_EVENT_EXCEPTION << 8 | 14);
	put();
	begin();
	script.reason = 48;
	script.insn_len = 2;
	script.vectoring = MHI_EVENT_VALID | MHI_EVENT_SOFT << 8 | 0x80;
	enter_with(-1);
	ck_assert_uint_eq(vcpu.event, MHI_EVENT_VALID | MHI_EVENT_SOFT << 8 | 0x80);
	ck_assert_uint_eq(vcpu.event_len, 2);
	script.vectoring = 0;
	enter_with(-1);
	ck_assert_uint_eq(script.injected_len, 2);
	put();
}
END_TEST

/* A reason that cannot interrupt a delivery leaves the stale field alone. */
START_TEST(stale_vectoring_field)
{
	begin();
	set_rflags(2 | MHI_RFLAGS_IF);
	script.reason = 10;
	script.vectoring = MHI_EVENT_VALID | 0x31;
	enter_with(0x31);
	ck_assert(vcpu.irq_taken);
	put();
}
END_TEST

START_TEST(real_mode_has_no_error_codes)
{
	make_vcpu(&haswell);
	memset(&script, 0, sizeof(script));
	script.reason = 10;
	fake_vmx.guest = play;
	load();
	vcpu.event = MHI_EVENT_VALID | MHI_EVENT_ERROR | MHI_EVENT_EXCEPTION << 8 | 13;
	enter_with(-1);
	ck_assert_uint_eq(script.injected, MHI_EVENT_VALID | MHI_EVENT_EXCEPTION << 8 | 13);
	put();
}
END_TEST

/* ---- NMIs ---- */

START_TEST(nmi)
{
	begin();
	set_rflags(2 | MHI_RFLAGS_IF);
	vcpu.nmi_pending = true;
	enter_with(0x31);
	ck_assert_uint_eq(script.injected, MHI_EVENT_VALID | MHI_EVENT_NMI << 8 | 2);
	ck_assert(!vcpu.nmi_pending && !vcpu.irq_taken);
	ck_assert_uint_eq(script.proc & PROC_INTR_WINDOW, PROC_INTR_WINDOW);
	/* Blocked until IRET: the window tells. */
	vcpu.nmi_pending = true;
	fake_vmcs_set(VMCS_GUEST_INTERRUPTIBILITY, BLOCKED_BY_NMI);
	script.reason = 8;
	enter_with(-1);
	ck_assert_uint_eq(script.injected & MHI_EVENT_VALID, 0);
	ck_assert_uint_eq(script.proc & PROC_NMI_WINDOW, PROC_NMI_WINDOW);
	ck_assert_uint_eq(last_exit.reason, MHI_X_WINDOW);
	ck_assert(vcpu.nmi_pending);
	fake_vmcs_set(VMCS_GUEST_INTERRUPTIBILITY, 0);
	enter_with(-1);
	ck_assert_uint_eq(script.injected, MHI_EVENT_VALID | MHI_EVENT_NMI << 8 | 2);
	ck_assert_uint_eq(script.proc & PROC_NMI_WINDOW, 0);
	/* An NMI does not wait for IF, and an interrupt does not pass it. */
	put();
}
END_TEST

/* CPUs may open the NMI window while STI blocks; the other one opens when it no longer does. */
START_TEST(nmi_behind_sti)
{
	begin();
	set_rflags(2 | MHI_RFLAGS_IF);
	vcpu.nmi_pending = true;
	fake_vmcs_set(VMCS_GUEST_INTERRUPTIBILITY, BLOCKED_BY_STI);
	enter_with(-1);
	ck_assert_uint_eq(script.injected & MHI_EVENT_VALID, 0);
	ck_assert_uint_eq(script.proc & PROC_WINDOWS, PROC_INTR_WINDOW);
	put();
}
END_TEST

/* What is injected would take a pending #DB with it. */
START_TEST(trap_before_interrupt)
{
	begin();
	set_rflags(2 | MHI_RFLAGS_IF | MHI_RFLAGS_TF);
	vcpu.nmi_pending = true;
	fake_vmcs_set(VMCS_GUEST_PENDING_DEBUG, PENDING_DEBUG_BS);
	enter_with(0x31);
	ck_assert_uint_eq(script.injected & MHI_EVENT_VALID, 0);
	ck_assert_uint_eq(script.proc & PROC_WINDOWS, PROC_NMI_WINDOW | PROC_INTR_WINDOW);
	ck_assert(vcpu.nmi_pending && !vcpu.irq_taken);
	put();
}
END_TEST

START_TEST(nmi_asked_for_as_event)
{
	begin();
	fake_vmcs_set(VMCS_GUEST_INTERRUPTIBILITY, BLOCKED_BY_NMI);
	vcpu.event = MHI_EVENT_VALID | MHI_EVENT_NMI << 8 | 2;
	enter_with(-1);
	ck_assert_uint_eq(script.injected & MHI_EVENT_VALID, 0);
	ck_assert(vcpu.nmi_pending);
	ck_assert_uint_eq(script.proc & PROC_NMI_WINDOW, PROC_NMI_WINDOW);
	put();
}
END_TEST

START_TEST(interrupted_nmi)
{
	begin();
	vcpu.nmi_pending = true;
	script.reason = 48;
	script.vectoring = MHI_EVENT_VALID | MHI_EVENT_NMI << 8 | 2;
	enter_with(-1);
	ck_assert(vcpu.nmi_pending);
	/* Its delivery had blocked NMIs; it could not go in again. */
	fake_vmcs_set(VMCS_GUEST_INTERRUPTIBILITY, BLOCKED_BY_NMI);
	vcpu.nmi_pending = false;
	enter_with(-1);
	ck_assert(vcpu.nmi_pending);
	ck_assert_uint_eq(fake_vmcs(VMCS_GUEST_INTERRUPTIBILITY), 0);
	put();
}
END_TEST

/* An IRET that faults has unblocked NMIs, and will be executed again. */
START_TEST(faulting_iret)
{
	begin();
	script.reason = 48;
	script.qualification = 1u << 12 | 1;
	enter_with(-1);
	ck_assert_uint_eq(fake_vmcs(VMCS_GUEST_INTERRUPTIBILITY), BLOCKED_BY_NMI);
	fake_vmcs_set(VMCS_GUEST_INTERRUPTIBILITY, 0);
	/* With an interrupted delivery the bit means nothing. */
	script.vectoring = MHI_EVENT_VALID | MHI_EVENT_EXCEPTION << 8 | 6;
	enter_with(-1);
	ck_assert_uint_eq(fake_vmcs(VMCS_GUEST_INTERRUPTIBILITY), 0);
	script.vectoring = 0;
	script.reason = 0;
	script.qualification = 0;
	script.intr_info = MHI_EVENT_VALID | MHI_EVENT_EXCEPTION << 8 | 1u << 12 | 17;
	vcpu.event = 0;
	enter_with(-1);
	ck_assert_uint_eq(fake_vmcs(VMCS_GUEST_INTERRUPTIBILITY), BLOCKED_BY_NMI);
	put();
}
END_TEST

START_TEST(host_nmi_and_machine_check)
{
	begin();
	script.reason = 0;
	script.intr_info = MHI_EVENT_VALID | MHI_EVENT_NMI << 8 | 2;
	enter_with(-1);
	ck_assert_uint_eq(fake_vmx.nmis, 1);
	ck_assert_uint_eq(last_exit.reason, MHI_X_HOST);
	script.intr_info = MHI_EVENT_VALID | MHI_EVENT_EXCEPTION << 8 | 18;
	enter_with(-1);
	ck_assert_uint_eq(fake_vmx.mces, 1);
	script.reason = 41 | EXIT_ENTRY_FAILURE;
	enter_with(-1);
	ck_assert_uint_eq(fake_vmx.mces, 2);
	ck_assert_uint_eq(last_exit.reason, MHI_X_ENTRY_FAILED);
	put();
}
END_TEST

START_TEST(debug_exception)
{
	begin();
	fake_vmcs_set(VMCS_GUEST_DR7, 0x2400);
	fake_dr[6] = 0xffff0ff2;
	script.reason = 0;
	script.qualification = 0x4001;
	script.intr_info = MHI_EVENT_VALID | MHI_EVENT_EXCEPTION << 8 | 1;
	enter_with(-1);
	ck_assert_uint_eq(last_exit.reason, MHI_X_EXCEPTION);
	ck_assert_uint_eq(last_exit.vector, 1);
	ck_assert_uint_eq(fake_dr[6], 0xffff4ff1);
	ck_assert_uint_eq(fake_vmcs(VMCS_GUEST_DR7), 0x400);
	/* Single-stepped under MOV SS: VM entry wants the trap to be pending. */
	set_rflags(2 | MHI_RFLAGS_TF);
	fake_vmcs_set(VMCS_GUEST_INTERRUPTIBILITY, BLOCKED_BY_MOV_SS);
	enter_with(-1);
	ck_assert_uint_eq(fake_vmcs(VMCS_GUEST_PENDING_DEBUG), PENDING_DEBUG_BS);
	/* INT1 is a trap. */
	fake_vmcs_set(VMCS_GUEST_RIP, 0x2000);
	script.intr_info = MHI_EVENT_VALID | MHI_EVENT_PRIV_SOFT << 8 | 1;
	script.insn_len = 1;
	enter_with(-1);
	ck_assert_uint_eq(vcpu.rip, 0x2001);
	ck_assert(vcpu.rip_dirty);
	put();
}
END_TEST

static void add_tests(TCase *tc)
{
	tcase_add_test(tc, interrupt_taken_at_once);
	tcase_add_test(tc, interrupt_window);
	tcase_add_test(tc, event_before_interrupt);
	tcase_add_test(tc, interrupted_interrupt);
	tcase_add_test(tc, interrupted_exception);
	tcase_add_test(tc, stale_vectoring_field);
	tcase_add_test(tc, real_mode_has_no_error_codes);
	tcase_add_test(tc, nmi);
	tcase_add_test(tc, nmi_behind_sti);
	tcase_add_test(tc, trap_before_interrupt);
	tcase_add_test(tc, nmi_asked_for_as_event);
	tcase_add_test(tc, interrupted_nmi);
	tcase_add_test(tc, faulting_iret);
	tcase_add_test(tc, host_nmi_and_machine_check);
	tcase_add_test(tc, debug_exception);
}

UNIT_MAIN("vmx_event", add_tests)
