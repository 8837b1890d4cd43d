/* SPDX-License-Identifier: MIT */
/* Guests: the local APIC in both modes: registers, priorities, EOI, and its timer. */
#include "guest.h"

#define LEAF1_ECX_X2APIC (1u << 21)
#define LEAF1_ECX_DEADLINE (1u << 24)
#define DIVIDE_1 0xb
#define ISR_OF(vector) (APIC_ISR + (vector) / 32 * 16)
#define IRR_OF(vector) (APIC_IRR + (vector) / 32 * 16)
#define BIT_OF(vector) (1u << ((vector) % 32))
#define APIC_BASE_EN (1ull << 11)
#define APIC_BASE_EXTD (1ull << 10)

static void need_x2apic(void)
{
	if (!(cpuid(1, 0).ecx & LEAF1_ECX_X2APIC))
		guest_skip("the CPU has no x2APIC");
	x2apic_enable();
}

static void need_deadline(void)
{
	if (!(cpuid(1, 0).ecx & LEAF1_ECX_DEADLINE))
		guest_skip("the CPU has no TSC deadline timer");
}

/* Let pending interrupts in. */
static void window(void)
{
	__asm__ volatile("sti; nop; nop; cli" ::: "memory");
}

GUEST(apic_registers)
{
	EXPECT(apic_read(APIC_ID), 0);
	EXPECT_RANGE(apic_read(APIC_VERSION) & 0xff, 0x10, 0x1f);
	EXPECT(apic_read(APIC_SVR), 0xff);
	EXPECT(apic_read(APIC_LVT_TIMER), LVT_MASKED);
	EXPECT(apic_read(APIC_DFR), 0xffffffff);
	apic_enable();
	EXPECT(apic_read(APIC_SVR), 0x1ff);
	apic_write(APIC_LDR, 0x0fffffff);
	EXPECT(apic_read(APIC_LDR), 0x0f000000);
	apic_write(APIC_LVT_LINT1, 0x400);
	EXPECT(apic_read(APIC_LVT_LINT1), 0x400);
	apic_write(APIC_LVT_ERROR, 0xfe);
	EXPECT(apic_read(APIC_LVT_ERROR), 0xfe);
	/* Read-only ones. */
	apic_write(APIC_PPR, 0xff);
	EXPECT(apic_read(APIC_PPR), 0);
	apic_write(ISR_OF(0x50), 0xffffffff);
	EXPECT(apic_read(ISR_OF(0x50)), 0);
	/* Disabled by software, all entries are masked. */
	apic_write(APIC_SVR, 0xff);
	EXPECT(apic_read(APIC_LVT_LINT1) & LVT_MASKED, LVT_MASKED);
}

GUEST(x2apic_registers)
{
	need_x2apic();
	EXPECT(rdmsr(MSR_APIC_BASE) & (APIC_BASE_EN | APIC_BASE_EXTD),
	       APIC_BASE_EN | APIC_BASE_EXTD);
	EXPECT(rdmsr(MSR_X2APIC + APIC_ID / 16), 0);
	EXPECT(rdmsr(MSR_X2APIC + APIC_LDR / 16), 1);
	EXPECT_NO_TRAP();
	/* Read-only, absent, reserved bits, write-only: #GP. */
	wrmsr(MSR_X2APIC + APIC_ID / 16, 1);
	EXPECT_TRAP(VEC_GP, 0);
	rdmsr(MSR_X2APIC + APIC_DFR / 16);
	EXPECT_TRAP(VEC_GP, 0);
	/* KVM looks at no reserved bits of these. */
	if (!on_kvm()) {
		wrmsr(MSR_X2APIC + APIC_TPR / 16, 0x100);
		EXPECT_TRAP(VEC_GP, 0);
		wrmsr(MSR_X2APIC + APIC_EOI / 16, 1);
		EXPECT_TRAP(VEC_GP, 0);
	}
	rdmsr(MSR_X2APIC_SELF);
	EXPECT_TRAP(VEC_GP, 0);
	/* The way back to xAPIC leads through "disabled" only. */
	wrmsr(MSR_APIC_BASE, rdmsr(MSR_APIC_BASE) & ~APIC_BASE_EXTD);
	EXPECT_TRAP(VEC_GP, 0);
}

static void deliver(void)
{
	set_handler(0x51, count_irq);
	set_handler(0x61, count_irq);
	apic_self(0x51);
	EXPECT(apic_read(IRR_OF(0x51)) & BIT_OF(0x51), BIT_OF(0x51));
	EXPECT(irq_total, 0);
	/* The same vector twice is once. */
	apic_self(0x51);
	apic_self(0x61);
	window();
	EXPECT(irq_total, 2);
	EXPECT(irq_order[0], 0x61);
	EXPECT(irq_order[1], 0x51);
	EXPECT(apic_read(IRR_OF(0x51)), 0);
	EXPECT(apic_read(ISR_OF(0x51)), 0);
}

GUEST(apic_self_ipi)
{
	apic_enable();
	deliver();
}

GUEST(x2apic_self_ipi)
{
	need_x2apic();
	deliver();
	wrmsr(MSR_X2APIC_SELF, 0x51);
	window();
	EXPECT(irq_total, 3);
}

/* A vector below 16 is an error, told by ESR. */
GUEST(apic_error)
{
	if (on_kvm())
		guest_skip("KVM's APIC knows no errors");
	apic_enable();
	set_handler(0xfe, count_irq);
	apic_write(APIC_LVT_ERROR, 0xfe);
	apic_write(APIC_ESR, 0);
	EXPECT(apic_read(APIC_ESR), 0);
	apic_self(0x05);
	window();
	apic_write(APIC_ESR, 0);
	EXPECT_TRUE(apic_read(APIC_ESR) & 0x60);
	apic_write(APIC_ESR, 0);
	EXPECT(apic_read(APIC_ESR), 0);
}

static volatile u32 tpr_inside, ppr_inside, isr_inside;

static void on_nesting(struct frame *f)
{
	ppr_inside = apic_read(APIC_PPR);
	isr_inside = apic_read(ISR_OF(0x55)) & BIT_OF(0x55);
	/* Lower and equal priorities wait, a higher one comes in between. */
	apic_self(0x51);
	apic_self(0x5f);
	apic_self(0x71);
	__asm__ volatile("sti; nop; nop; cli" ::: "memory");
	tpr_inside = irq_total;
	apic_eoi();
}

static void priorities(void)
{
	set_handler(0x51, count_irq);
	set_handler(0x5f, count_irq);
	set_handler(0x71, count_irq);
	set_handler(0x55, on_nesting);
	apic_self(0x55);
	window();
	EXPECT(ppr_inside, 0x50);
	EXPECT(isr_inside, BIT_OF(0x55));
	EXPECT(tpr_inside, 1);
	EXPECT(irq_order[0], 0x71);
	EXPECT(irq_total, 3);
	EXPECT(irq_order[1], 0x5f);
	EXPECT(irq_order[2], 0x51);
	EXPECT(apic_read(APIC_PPR), 0);
}

GUEST(apic_priorities)
{
	apic_enable();
	priorities();
}

GUEST(x2apic_priorities)
{
	need_x2apic();
	priorities();
}

/* TPR, by its register and by CR8. */
GUEST(apic_task_priority)
{
	apic_enable();
	set_handler(0x51, count_irq);
	set_handler(0x61, count_irq);
	apic_write(APIC_TPR, 0x50);
	EXPECT(apic_read(APIC_PPR), 0x50);
	apic_self(0x51);
	apic_self(0x61);
	window();
	EXPECT(irq_total, 1);
	EXPECT(irq_order[0], 0x61);
	write_cr8(5);
	window();
	EXPECT(irq_total, 1);
	EXPECT(apic_read(IRR_OF(0x51)), BIT_OF(0x51));
	/* Lowered with interrupts on: it comes at once. */
	sti();
	write_cr8(4);
	__asm__ volatile("nop" ::: "memory");
	cli();
	EXPECT(irq_total, 2);
	EXPECT(irq_order[1], 0x51);
	EXPECT(apic_read(APIC_TPR), 0x40);
	write_cr8(0);
}

/* CR8 of 15 keeps everything out but NMI. */
GUEST(apic_task_priority_nmi)
{
	apic_enable();
	set_handler(0xf1, count_irq);
	set_handler(VEC_NMI, count_irq);
	write_cr8(15);
	apic_self(0xf1);
	window();
	EXPECT(irq_total, 0);
	apic_ipi(0, ICR_ASSERT | ICR_NMI);
	window();
	EXPECT(irq_total, 1);
	EXPECT(irq_order[0], VEC_NMI);
	write_cr8(0);
	window();
	EXPECT(irq_total, 2);
}

/* ---- the timer ---- */

static u64 sample_hz(void)
{
	u64 t0, start = 0xffffffff;

	t0 = rdtsc();
	apic_write(APIC_TIMER_INIT, (u32)start);
	delay_ms(20);
	start -= apic_read(APIC_TIMER_COUNT);
	return start * 1000 * tsc_per_ms() / (rdtsc() - t0);
}

/* What interrupts a measurement makes it slower only: the fastest of several is right. */
static u64 apic_hz(void)
{
	u64 best = 0, hz, i;

	apic_write(APIC_TIMER_DIVIDE, DIVIDE_1);
	apic_write(APIC_LVT_TIMER, LVT_MASKED | 0x52);
	for (i = 0; i < 3; i++) {
		hz = sample_hz();
		if (hz > best)
			best = hz;
	}
	apic_write(APIC_TIMER_INIT, 0);
	EXPECT_RANGE(best, 1000000, 10000000000ull);
	return best;
}

static void one_shot(void)
{
	u64 hz = apic_hz(), t0;

	set_handler(0x52, count_irq);
	apic_write(APIC_LVT_TIMER, 0x52);
	t0 = rdtsc();
	apic_write(APIC_TIMER_INIT, (u32)(hz / 50));
	EXPECT_TRUE(wait_irqs(1, 5000));
	/* Never early; late is the host's affair. */
	EXPECT_RANGE(rdtsc() - t0, 20 * tsc_per_ms() * 98 / 100, 5000 * tsc_per_ms());
	EXPECT(apic_read(APIC_TIMER_COUNT), 0);
	/* Once only. */
	sti();
	delay_ms(50);
	cli();
	EXPECT(irq_total, 1);
	/* Masked: it runs out silently. Stopped: it never runs out. */
	apic_write(APIC_LVT_TIMER, LVT_MASKED | 0x52);
	apic_write(APIC_TIMER_INIT, (u32)(hz / 100));
	host_call(CALL_SLEEP, 30, 0, 0);
	EXPECT(apic_read(APIC_TIMER_COUNT), 0);
	/*
	 * KVM's own timer may be late: the count is 0, and it fires when it is not masked any more.
	 */
	if (on_kvm())
		apic_write(APIC_TIMER_INIT, 0);
	apic_write(APIC_LVT_TIMER, 0x52);
	apic_write(APIC_TIMER_INIT, (u32)(hz / 2));
	apic_write(APIC_TIMER_INIT, 0);
	sti();
	delay_ms(600);
	cli();
	EXPECT(irq_total, 1);
}

static void periodic(void)
{
	u64 hz = apic_hz(), t0;
	u32 n;

	set_handler(0x53, count_irq);
	apic_write(APIC_LVT_TIMER, LVT_PERIODIC | 0x53);
	t0 = rdtsc();
	apic_write(APIC_TIMER_INIT, (u32)(hz / 100));
	EXPECT_TRUE(wait_irqs(5, 10000));
	EXPECT_RANGE(rdtsc() - t0, 50 * tsc_per_ms() * 98 / 100, 10000 * tsc_per_ms());
	EXPECT_RANGE(apic_read(APIC_TIMER_COUNT), 0, hz / 100);
	apic_write(APIC_TIMER_INIT, 0);
	window();
	n = irq_total;
	sti();
	delay_ms(30);
	cli();
	EXPECT(irq_total, n);
}

static void deadline(void)
{
	u64 t0, when;

	set_handler(0x54, count_irq);
	/* Without the mode the register stays zero. */
	wrmsr(MSR_TSC_DEADLINE, rdtsc() + 1000);
	EXPECT(rdmsr(MSR_TSC_DEADLINE), 0);
	apic_write(APIC_LVT_TIMER, LVT_DEADLINE | 0x54);
	when = rdtsc() + 20 * tsc_per_ms();
	wrmsr(MSR_TSC_DEADLINE, when);
	EXPECT(rdmsr(MSR_TSC_DEADLINE), when);
	EXPECT_TRUE(wait_irqs(1, 5000));
	EXPECT_RANGE(rdtsc(), when, when + 5000 * tsc_per_ms());
	EXPECT(rdmsr(MSR_TSC_DEADLINE), 0);
	/* In the past: at once. */
	t0 = rdtsc();
	wrmsr(MSR_TSC_DEADLINE, t0 - 1);
	window();
	EXPECT(irq_total, 2);
	/* Disarmed. */
	wrmsr(MSR_TSC_DEADLINE, rdtsc() + 500 * tsc_per_ms());
	wrmsr(MSR_TSC_DEADLINE, 0);
	sti();
	delay_ms(600);
	cli();
	EXPECT(irq_total, 2);
	/* Counts do nothing in this mode. */
	apic_write(APIC_TIMER_INIT, 1000);
	EXPECT(apic_read(APIC_TIMER_COUNT), 0);
}

GUEST(apic_timer_one_shot)
{
	apic_enable();
	one_shot();
}

GUEST(x2apic_timer_one_shot)
{
	need_x2apic();
	one_shot();
}

GUEST(apic_timer_periodic)
{
	apic_enable();
	periodic();
}

GUEST(x2apic_timer_periodic)
{
	need_x2apic();
	periodic();
}

GUEST(apic_timer_deadline)
{
	need_deadline();
	apic_enable();
	deadline();
}

GUEST(x2apic_timer_deadline)
{
	need_deadline();
	need_x2apic();
	deadline();
}

/* The divider slows the count, without changing the number. */
GUEST(apic_timer_divide)
{
	u64 hz, slow;

	apic_enable();
	hz = apic_hz();
	apic_write(APIC_TIMER_DIVIDE, 3); /* 16 */
	EXPECT(apic_read(APIC_TIMER_DIVIDE), 3);
	apic_write(APIC_TIMER_INIT, 0xffffffff);
	delay_ms(20);
	slow = 0xffffffff - apic_read(APIC_TIMER_COUNT);
	EXPECT_RANGE(slow, hz / 50 / 16 * 95 / 100, hz / 16);
}

/* A timer that is far shorter than its handler: the guest may not get on, the host must. */
GUEST_ENDS(apic_timer_storm, END_LOOP, NULL)
{
	apic_enable();
	set_handler(0x53, count_irq);
	apic_write(APIC_TIMER_DIVIDE, DIVIDE_1);
	apic_write(APIC_LVT_TIMER, LVT_PERIODIC | 0x53);
	apic_write(APIC_TIMER_INIT, 1);
	sti();
	for (;;)
		pause();
}
