// SPDX-License-Identifier: MIT
/* Tests of svm_event.c: the V_IRQ protocol, injection, interrupted deliveries, blocking of NMIs. */
#include "fake_svm.h"
#include "unit.h"

#define EXCEPTION(vector) (MHI_EVENT_VALID | 3u << 8 | (vector))
#define NMI (MHI_EVENT_VALID | 2u << 8 | 2u)
#define INTR(vector) (MHI_EVENT_VALID | (vector))
#define SOFT(vector) (MHI_EVENT_VALID | 4u << 8 | (vector))
#define X_INTR 0x60u
#define X_DB 0x41u
#define X_IRET 0x74u
#define X_NPF 0x400u

static struct mhi_exit x;

/* What the scripted guest does in one entry. */
static struct {
	bool take_irq;
	u64 exit_int_info;
	u64 code;
	u64 rip, rflags, dr6;
	bool state; /* rip, rflags and dr6 are to be set */
} script;

static void guest(struct fake_svm *f, struct mhi_vmcb *vmcb, u64 *gpr)
{
	if (script.take_irq)
		vmcb->control.virtual_intr &= ~MHI_SVM_V_IRQ;
	vmcb->control.exit_int_info = script.exit_int_info;
	vmcb->control.exit_code = script.code;
	if (!script.state)
		return;
	vmcb->state.rip = script.rip;
	vmcb->state.rflags = script.rflags;
	vmcb->state.dr6 = script.dr6;
}

static void begin(void)
{
	fake_svm_begin(FAKE_SVM_FULL);
	memset(&script, 0, sizeof(script));
	script.code = X_INTR;
	fake_svm.guest = guest;
}

static void enter(int vector)
{
	fake_svm.v.irq = vector;
	fake_svm.v.irq_taken = false;
	mhi_svm_ops.enter(&fake_svm.v, &x);
}

START_TEST(irq_is_offered_until_taken)
{
	begin();
	enter(0x31);
	ck_assert_uint_eq(fake_svm.at_entry.control.virtual_intr,
			  MHI_BIT(8) | 0xfull << 16 | MHI_BIT(20) | MHI_BIT(24) | 0x31ull << 32);
	ck_assert_uint_eq(fake_svm.at_entry.control.event_inject, 0);
	ck_assert(!fake_svm.v.irq_taken);
	script.take_irq = true;
	enter(0x31);
	ck_assert(fake_svm.v.irq_taken);
	fake_svm.v.irq_taken = false;
	enter(-1);
	ck_assert_uint_eq(fake_svm.at_entry.control.virtual_intr & MHI_SVM_V_IRQ, 0);
	ck_assert(!fake_svm.v.irq_taken);
	fake_svm_end();
}
END_TEST

START_TEST(offer_is_withdrawn)
{
	begin();
	enter(0x31);
	enter(-1);
	ck_assert_uint_eq(fake_svm.at_entry.control.virtual_intr & MHI_SVM_V_IRQ, 0);
	ck_assert(!fake_svm.v.irq_taken);
	enter(0xff);
	ck_assert_uint_eq(fake_svm.at_entry.control.virtual_intr >> 32, 0xff);
	fake_svm_end();
}
END_TEST

START_TEST(interrupted_irq_is_not_taken)
{
	begin();
	/* The delivery of the interrupt met a nested page fault, V_IRQ is gone already. */
	script.take_irq = true;
	script.exit_int_info = INTR(0x31);
	script.code = X_NPF;
	enter(0x31);
	ck_assert(!fake_svm.v.irq_taken);
	ck_assert_uint_eq(fake_svm.v.event, 0); /* it is in IRR still, and never goes by EVENTINJ */
	script.exit_int_info = 0;
	enter(0x31);
	ck_assert(fake_svm.at_entry.control.virtual_intr & MHI_SVM_V_IRQ);
	ck_assert(fake_svm.v.irq_taken);
	fake_svm_end();
}
END_TEST

/*
 * QEMU 7.2 names an interrupted external interrupt an exception; to inject it as such would be an
 * invalid VMCB.
 */
START_TEST(interrupted_irq_that_claims_to_be_an_exception)
{
	begin();
	script.take_irq = true;
	script.exit_int_info = EXCEPTION(0x31);
	script.code = X_NPF;
	enter(0x31);
	ck_assert(!fake_svm.v.irq_taken);
	ck_assert_uint_eq(fake_svm.v.event, 0);
	fake_svm_end();
}
END_TEST

/* The refused event used to be kept, and every later entry was refused for it again. */
START_TEST(refused_event_does_not_come_again)
{
	begin();
	fake_svm.v.event = EXCEPTION(31);
	script.exit_int_info = EXCEPTION(31);
	script.code = ~0ull; /* VMEXIT_INVALID */
	enter(-1);
	ck_assert_uint_eq(fake_svm.at_entry.control.event_inject, EXCEPTION(31));
	ck_assert_uint_eq(fake_svm.v.event, 0);
	script.exit_int_info = 0;
	script.code = X_NPF;
	enter(-1);
	ck_assert_uint_eq(fake_svm.at_entry.control.event_inject, 0);
	fake_svm_end();
}
END_TEST

/* Bochs looks at V_IRQ only when the guest changes IF: an open guest would wait for ever. */
START_TEST(open_guest_gets_irq_by_event)
{
	begin();
	fake_svm.vmcb->state.rflags = 2 | MHI_RFLAGS_IF;
	enter(0x31);
	ck_assert_uint_eq(fake_svm.at_entry.control.event_inject, INTR(0x31));
	ck_assert_uint_eq(fake_svm.at_entry.control.virtual_intr & MHI_SVM_V_IRQ, 0);
	ck_assert(fake_svm.v.irq_taken);
	enter(-1);
	ck_assert(!fake_svm.v.irq_taken);
	/* Behind STI, and beside an exception, it must wait in V_IRQ. */
	fake_svm.vmcb->control.interrupt_shadow = MHI_SVM_SHADOW;
	enter(0x31);
	ck_assert_uint_eq(fake_svm.at_entry.control.event_inject, 0);
	ck_assert(fake_svm.at_entry.control.virtual_intr & MHI_SVM_V_IRQ);
	ck_assert(!fake_svm.v.irq_taken);
	fake_svm.vmcb->control.interrupt_shadow = 0;
	fake_svm.v.event = EXCEPTION(6);
	enter(0x31);
	ck_assert_uint_eq(fake_svm.at_entry.control.event_inject, EXCEPTION(6));
	ck_assert(fake_svm.at_entry.control.virtual_intr & MHI_SVM_V_IRQ);
	ck_assert(!fake_svm.v.irq_taken);
	/* Interrupted: offered again, not kept as an event. */
	script.exit_int_info = INTR(0x31);
	script.code = X_NPF;
	enter(0x31);
	ck_assert_uint_eq(fake_svm.at_entry.control.event_inject, INTR(0x31));
	ck_assert(!fake_svm.v.irq_taken);
	ck_assert_uint_eq(fake_svm.v.event, 0);
	fake_svm_end();
}
END_TEST

/* QEMU may deliver an interrupt that EVENTINJ brought a second time. */
START_TEST(qemu_gets_irq_by_v_irq_alone)
{
	static const u32 std[4] = { 0, 0, 1u << 31, 0 };
	static const u32 tcg[4] = { 0x40000001, 0x54474354, 0x43544743, 0x47435447 };

	begin();
	mhi_svm_ops.put(&fake_svm.v);
	mhi_svm_ops.vcpu_fini(&fake_svm.v);
	fake_cpuid_set(1, 0, std);
	fake_cpuid_set(0x40000000, 0, tcg);
	ck_assert_int_eq(mhi_svm_ops.vcpu_init(&fake_svm.v), 0);
	fake_svm.vmcb = svm_of(&fake_svm.v)->vmcb;
	ck_assert_int_eq(mhi_svm_ops.load(&fake_svm.v, &x), 0);
	hv_reset(&fake_svm.v);
	fake_svm.vmcb->state.rflags = 2 | MHI_RFLAGS_IF;
	enter(0x31);
	ck_assert_uint_eq(fake_svm.at_entry.control.event_inject, 0);
	ck_assert(fake_svm.at_entry.control.virtual_intr & MHI_SVM_V_IRQ);
	fake_svm_end();
}
END_TEST

START_TEST(tpr_follows_the_local_apic)
{
	begin();
	fake_svm.v.lapic.reg[MHI_LAPIC_TPR] = 9 << 4;
	enter(-1);
	ck_assert_uint_eq(fake_svm.at_entry.control.virtual_intr & 0xff, 9);
	/* Unchanged: the CPU may keep what it has. */
	enter(-1);
	ck_assert(fake_svm.at_entry.control.vmcb_clean & MHI_SVM_CLEAN_TPR);
	fake_svm.v.lapic.reg[MHI_LAPIC_TPR] = 0;
	enter(-1);
	ck_assert_uint_eq(fake_svm.at_entry.control.virtual_intr & 0xff, 0);
	ck_assert(!(fake_svm.at_entry.control.vmcb_clean & MHI_SVM_CLEAN_TPR));
	fake_svm_end();
}
END_TEST

START_TEST(exception_is_injected_once)
{
	begin();
	fake_svm.v.event = EXCEPTION(14) | MHI_EVENT_ERROR;
	fake_svm.v.event_error = 0x11;
	enter(-1);
	ck_assert_uint_eq(fake_svm.at_entry.control.event_inject, 0x1180000b0eull);
	ck_assert_uint_eq(fake_svm.v.event, 0);
	enter(-1);
	ck_assert_uint_eq(fake_svm.at_entry.control.event_inject, 0);
	fake_svm.v.event = EXCEPTION(6);
	enter(-1); /* no stale error code */
	ck_assert_uint_eq(fake_svm.at_entry.control.event_inject, 0x80000306);
	fake_svm_end();
}
END_TEST

START_TEST(interrupted_exception_comes_back)
{
	begin();
	script.code = X_NPF;
	script.exit_int_info = EXCEPTION(14) | MHI_EVENT_ERROR | 0x6ull << 32;
	enter(-1);
	ck_assert_uint_eq(fake_svm.v.event, EXCEPTION(14) | MHI_EVENT_ERROR);
	ck_assert_uint_eq(fake_svm.v.event_error, 6);
	script.exit_int_info = 0;
	enter(-1);
	ck_assert_uint_eq(fake_svm.at_entry.control.event_inject, 0x680000b0eull);
	fake_svm_end();
}
END_TEST

START_TEST(software_events_are_raised_by_executing_again)
{
	static const u32 soft[] = { SOFT(0x80), EXCEPTION(3), EXCEPTION(4) };
	size_t i;

	begin();
	script.code = X_NPF;
	for (i = 0; i < MHI_COUNT(soft); i++) {
		script.exit_int_info = soft[i];
		enter(-1);
		ck_assert_uint_eq(fake_svm.v.event, 0);
	}
	/* Injected by us there is no such instruction at RIP: it must come back. */
	script.exit_int_info = EXCEPTION(3);
	fake_svm.v.event = EXCEPTION(3);
	enter(-1);
	ck_assert_uint_eq(fake_svm.v.event, EXCEPTION(3));
	fake_svm_end();
}
END_TEST

START_TEST(soft_interrupt_returns_behind_it)
{
	begin();
	script.code = X_NPF;
	script.exit_int_info = SOFT(0x80);
	fake_svm.v.rip = 0x1000;
	fake_svm.v.rip_dirty = true;
	fake_svm.v.event = SOFT(0x80);
	fake_svm.v.event_len = 2;
	enter(-1);
	ck_assert_uint_eq(fake_svm.at_entry.state.rip, 0x1002);
	ck_assert_uint_eq(fake_svm.at_entry.control.next_rip, 0x1002);
	enter(-1); /* interrupted: again, and RIP moves no further */
	ck_assert_uint_eq(fake_svm.at_entry.control.event_inject, SOFT(0x80));
	ck_assert_uint_eq(fake_svm.at_entry.state.rip, 0x1002);
	fake_svm_end();
}
END_TEST

START_TEST(nmi_blocks_nmis_until_iret_is_done)
{
	struct mhi_vcpu *v = &fake_svm.v;
	struct mhk_state s;

	begin();
	v->nmi_pending = true;
	enter(-1);
	ck_assert_uint_eq(fake_svm.at_entry.control.event_inject, NMI);
	ck_assert(fake_svm.at_entry.control.intercept_misc1 & SVM_INTERCEPT(IRET));
	ck_assert(!v->nmi_pending);
	hv_state_get(v, MHK_G_MISC, &s);
	ck_assert_uint_eq(s.shadow, MHK_SHADOW_NMI);

	v->nmi_pending = true; /* a second one waits */
	enter(-1);
	ck_assert_uint_eq(fake_svm.at_entry.control.event_inject, 0);

	script = (typeof(script)){
		.code = X_IRET, .state = true, .rip = 0x5000, .rflags = 2, .dr6 = MHI_DR6_RESET | 1
	};
	enter(-1);
	ck_assert_int_eq(x.reason, MHI_X_HOST);
	/* The IRET runs alone, no interrupt before it, and the guest sees nothing. */
	script = (typeof(script)){ .code = X_INTR };
	enter(0x40);
	ck_assert_uint_eq(fake_svm.at_entry.control.event_inject, 0);
	ck_assert_uint_eq(fake_svm.at_entry.control.virtual_intr & MHI_SVM_V_IRQ, 0);
	ck_assert_uint_eq(fake_svm.at_entry.control.intercept_misc1 & SVM_INTERCEPT(IRET), 0);
	ck_assert(fake_svm.at_entry.state.rflags & MHI_RFLAGS_TF);
	ck_assert(!v->irq_taken);
	hv_state_get(v, MHK_G_RIP | MHK_G_MISC | MHK_G_DR, &s);
	ck_assert_uint_eq(s.rflags, 2);
	ck_assert_uint_eq(s.shadow, MHK_SHADOW_NMI);

	script = (typeof(script)){ .code = X_DB,
				   .state = true,
				   .rip = 0x7000,
				   .rflags = 0x202,
				   .dr6 = MHI_DR6_RESET | MHI_DR6_BS };
	enter(0x40);
	ck_assert_int_eq(x.reason, MHI_X_HOST);
	ck_assert_uint_eq(fake_svm.vmcb->state.dr6, MHI_DR6_RESET | 1);
	script = (typeof(script)){ .code = X_INTR };
	enter(0x40);
	ck_assert_uint_eq(fake_svm.at_entry.control.event_inject, NMI);
	ck_assert(fake_svm.at_entry.control.virtual_intr & MHI_SVM_V_IRQ);
	fake_svm_end();
}
END_TEST

static void begin_in_nmi(u64 rflags)
{
	begin();
	fake_svm.v.nmi_pending = true;
	enter(-1);
	script = (typeof(script)){
		.code = X_IRET, .state = true, .rip = 0x5000, .rflags = rflags, .dr6 = MHI_DR6_RESET
	};
	enter(-1);
}

START_TEST(guests_own_single_step_survives)
{
	begin_in_nmi(2 | MHI_RFLAGS_TF);
	script = (typeof(script)){ .code = X_DB,
				   .state = true,
				   .rip = 0x7000,
				   .rflags = 2,
				   .dr6 = MHI_DR6_RESET | MHI_DR6_BS };
	enter(-1);
	ck_assert_int_eq(x.reason, MHI_X_EXCEPTION);
	ck_assert_uint_eq(x.vector, 1);
	ck_assert(fake_svm.vmcb->state.dr6 & MHI_DR6_BS);
	fake_svm_end();
}
END_TEST

START_TEST(breakpoint_behind_the_iret_survives)
{
	begin_in_nmi(2);
	script = (typeof(script)){ .code = X_DB,
				   .state = true,
				   .rip = 0x7000,
				   .rflags = 2,
				   .dr6 = MHI_DR6_RESET | MHI_DR6_BS | 1 };
	enter(-1);
	ck_assert_int_eq(x.reason, MHI_X_EXCEPTION);
	ck_assert_uint_eq(fake_svm.vmcb->state.dr6, MHI_DR6_RESET | 1);
	fake_svm_end();
}
END_TEST

START_TEST(interrupted_nmi_is_pending_again)
{
	begin();
	fake_svm.v.nmi_pending = true;
	script.code = X_NPF;
	script.exit_int_info = NMI;
	enter(-1);
	ck_assert(fake_svm.v.nmi_pending);
	ck_assert_uint_eq(fake_svm.v.event, 0);
	script.exit_int_info = 0;
	enter(-1);
	ck_assert_uint_eq(fake_svm.at_entry.control.event_inject, NMI);
	fake_svm_end();
}
END_TEST

START_TEST(exception_goes_before_nmi)
{
	begin();
	fake_svm.v.nmi_pending = true;
	fake_svm.v.event = EXCEPTION(6);
	enter(-1);
	ck_assert_uint_eq(fake_svm.at_entry.control.event_inject, EXCEPTION(6));
	ck_assert(fake_svm.v.nmi_pending);
	enter(-1);
	ck_assert_uint_eq(fake_svm.at_entry.control.event_inject, NMI);
	fake_svm_end();
}
END_TEST

START_TEST(machine_check_is_the_hosts)
{
	begin();
	script.code = 0x52;
	enter(-1);
	ck_assert_int_eq(x.reason, MHI_X_HOST);
	ck_assert_uint_eq(fake_svm.machine_checks, 1);
	script.code = 0x51;
	enter(-1);
	ck_assert_int_eq(x.reason, MHI_X_EXCEPTION);
	ck_assert_uint_eq(x.vector, 17);
	ck_assert_uint_eq(fake_svm.machine_checks, 1);
	fake_svm_end();
}
END_TEST

/* QEMU reports the #DF as interrupted: it was injected into the vCPU after its reset. */
START_TEST(triple_fault_leaves_no_event)
{
	begin();
	script.code = 0x7f;
	script.exit_int_info = EXCEPTION(8) | MHI_EVENT_ERROR;
	enter(-1);
	ck_assert_int_eq(x.reason, MHI_X_TRIPLE_FAULT);
	ck_assert_uint_eq(fake_svm.v.event, 0);
	fake_svm_end();
}
END_TEST

START_TEST(skip)
{
	struct mhi_vcpu *v = &fake_svm.v;
	struct mhi_exit two = { .insn_len = 2 };

	begin();
	enter(-1);
	v->rip = 0x1000;
	fake_svm.vmcb->control.interrupt_shadow = MHI_SVM_SHADOW;
	mhi_svm_ops.skip(v, &two);
	enter(-1);
	ck_assert_uint_eq(fake_svm.at_entry.state.rip, 0x1002);
	ck_assert_uint_eq(fake_svm.at_entry.control.interrupt_shadow, 0);
	ck_assert_uint_eq(fake_svm.at_entry.control.event_inject, 0);

	/* A single step over an instruction that we emulate traps behind it. */
	fake_svm.vmcb->state.rflags |= MHI_RFLAGS_TF;
	mhi_svm_ops.skip(v, &two);
	enter(-1);
	ck_assert_uint_eq(fake_svm.at_entry.control.event_inject, EXCEPTION(1));
	ck_assert(fake_svm.at_entry.state.dr6 & MHI_DR6_BS);
	fake_svm.vmcb->state.rflags &= ~MHI_RFLAGS_TF;

	v->rip = 0xffffffff; /* 32-bit code wraps */
	mhi_svm_ops.skip(v, &two);
	ck_assert_uint_eq(v->rip, 1);
	fake_svm_end();
}
END_TEST

static void add_tests(TCase *tc)
{
	tcase_add_test(tc, irq_is_offered_until_taken);
	tcase_add_test(tc, offer_is_withdrawn);
	tcase_add_test(tc, interrupted_irq_is_not_taken);
	tcase_add_test(tc, interrupted_irq_that_claims_to_be_an_exception);
	tcase_add_test(tc, refused_event_does_not_come_again);
	tcase_add_test(tc, open_guest_gets_irq_by_event);
	tcase_add_test(tc, qemu_gets_irq_by_v_irq_alone);
	tcase_add_test(tc, tpr_follows_the_local_apic);
	tcase_add_test(tc, exception_is_injected_once);
	tcase_add_test(tc, interrupted_exception_comes_back);
	tcase_add_test(tc, software_events_are_raised_by_executing_again);
	tcase_add_test(tc, soft_interrupt_returns_behind_it);
	tcase_add_test(tc, nmi_blocks_nmis_until_iret_is_done);
	tcase_add_test(tc, guests_own_single_step_survives);
	tcase_add_test(tc, breakpoint_behind_the_iret_survives);
	tcase_add_test(tc, interrupted_nmi_is_pending_again);
	tcase_add_test(tc, exception_goes_before_nmi);
	tcase_add_test(tc, machine_check_is_the_hosts);
	tcase_add_test(tc, triple_fault_leaves_no_event);
	tcase_add_test(tc, skip);
}

UNIT_MAIN("svm_event", add_tests)
