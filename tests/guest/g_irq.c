/* SPDX-License-Identifier: MIT */
/* Guests: when interrupts come: windows, shadows, NMI blocking, HLT, messages of the host. */
#include "guest.h"

#define MSI(cpu) (0xfee00000ull | (u64)(cpu) << 12)

static void request(u32 vector)
{
	set_handler(vector, count_irq);
	apic_self(vector);
}

/* With IF clear nothing comes, however many exits there are. */
GUEST(irq_masked)
{
	u32 i;

	apic_enable();
	request(0x51);
	for (i = 0; i < 50; i++) {
		cpuid(0, 0);
		out8(PORT_NOBODY, 0);
	}
	EXPECT(irq_total, 0);
	EXPECT(read_cr8(), 0);
	__asm__ volatile("sti; nop; cli" ::: "memory");
	EXPECT(irq_total, 1);
}

/*
 * STI holds interrupts back for one instruction, also for one that exits. QEMU's VMRUN drops the
 * shadow when an interrupt of the host's has come right in it: there, the second or third try
 * counts.
 */
#define TRIES 5
#define AFTER_STI(insn)                                                           \
	do {                                                                      \
		u64 rip_, tries_ = on_qemu() ? TRIES : 1;                         \
		u32 count_ = irq_total;                                           \
		do {                                                              \
			request(0x51);                                            \
			__asm__ volatile("xor %%eax, %%eax\n"                     \
					 "sti\n" insn "\n"                        \
					 "1: nop\n"                               \
					 "cli\n"                                  \
					 "lea 1b(%%rip), %0"                      \
					 : "=r"(rip_)                             \
					 :                                        \
					 : "memory", "rax", "rbx", "rcx", "rdx"); \
			EXPECT(irq_total, ++count_);                              \
		} while (irq_rip != rip_ && --tries_);                            \
		EXPECT(irq_rip, rip_);                                            \
	} while (0)

GUEST(irq_sti_shadow)
{
	apic_enable();
	AFTER_STI("nop");
	AFTER_STI("cpuid");
	AFTER_STI("outb %%al, $0xe0");
	/* Executed by the library. */
	AFTER_STI("movabs %%eax, 0xd0000000");
}

/* CLI right behind STI: the window never opens. */
GUEST(irq_sti_cli)
{
	u32 tries = on_qemu() ? TRIES : 1, before;

	apic_enable();
	do {
		before = irq_total;
		request(0x51);
		__asm__ volatile("sti; cli" ::: "memory");
	} while (irq_total != before && --tries);
	EXPECT(irq_total, before);
	__asm__ volatile("sti; nop; nop; cli" ::: "memory");
	EXPECT(irq_total, before + 1);
}

GUEST(irq_mov_ss_shadow)
{
	u64 rip, ss = SEL_DATA;

	apic_enable();
	request(0x51);
	/* Of two shadows in a row the CPU may take only the first one for one: SDM 3A 6.8.3. */
	__asm__ volatile("mov %1, %%ss\n"
			 "sti\n"
			 "nop\n"
			 "1: cli\n"
			 "lea 1b(%%rip), %0"
			 : "=r"(rip)
			 : "r"(ss)
			 : "memory");
	EXPECT(irq_total, 1);
	EXPECT_RANGE(irq_rip, rip - 1, rip);
}

/* POPF and IRET open the window without a shadow. */
GUEST(irq_popf)
{
	u64 rip;

	apic_enable();
	request(0x51);
	__asm__ volatile("pushf\n"
			 "orl $0x200, (%%rsp)\n"
			 "popf\n"
			 "1: nop\n"
			 "cli\n"
			 "lea 1b(%%rip), %0"
			 : "=r"(rip)
			 :
			 : "memory", "cc");
	EXPECT(irq_total, 1);
	EXPECT(irq_rip, rip);
}

GUEST(irq_many)
{
	u32 i, bad = 0;

	apic_enable();
	for (i = 0x20; i < 0xf0; i++)
		if (i != USER_VECTOR)
			request(i);
	__asm__ volatile("sti; nop; nop; cli" ::: "memory");
	EXPECT(irq_total, 0xf0 - 0x20 - 1);
	for (i = 0x20; i < 0xf0; i++)
		bad += irq_count[i] != (i != USER_VECTOR);
	EXPECT(bad, 0);
	/* The highest first. */
	EXPECT(irq_order[0], 0xef);
	EXPECT(irq_order[1], 0xee);
}

/* Registers of the interrupted code stay, over thousands of interrupts. */
GUEST(irq_registers)
{
	u64 bad = 0, i;

	apic_enable();
	set_handler(0x51, count_irq);
	sti();
	for (i = 0; i < 1000; i++)
		__asm__ volatile("mov $0x1111, %%r8d\nmov $0x2222, %%r15d\n"
				 "mov %1, (%2)\n"
				 "nop\n"
				 "cmp $0x1111, %%r8d\n"
				 "jne 1f\n"
				 "cmp $0x2222, %%r15d\n"
				 "je 2f\n"
				 "1: inc %0\n"
				 "2:"
				 : "+r"(bad)
				 : "r"(ICR_SELF | ICR_ASSERT | 0x51), "r"(APIC_BASE + APIC_ICR)
				 : "r8", "r15", "memory", "cc");
	cli();
	EXPECT(bad, 0);
	EXPECT(irq_total, 1000);
}

/* ---- NMI ---- */

static u64 nmi_depth, nmi_most, nmi_count;

static void nmi_self(void)
{
	apic_ipi(0, ICR_ASSERT | ICR_NMI);
}

static void on_nmi(struct frame *f)
{
	nmi_count++;
	nmi_depth++;
	if (nmi_depth > nmi_most)
		nmi_most = nmi_depth;
	/* Held back until IRET, whatever else exits meanwhile. */
	if (nmi_count == 1) {
		nmi_self();
		cpuid(0, 0);
		out8(PORT_NOBODY, 0);
		sti();
		cpuid(0, 0);
		cli();
	}
	nmi_depth--;
}

GUEST(nmi_blocked)
{
	apic_enable();
	set_handler(VEC_NMI, on_nmi);
	nmi_self();
	__asm__ volatile("nop" ::: "memory");
	EXPECT(nmi_count, 2);
	EXPECT(nmi_most, 1);
}

static void on_nmi_with_fault(struct frame *f)
{
	nmi_count++;
	if (nmi_count > 1)
		return;
	/* The IRET of the exception ends the blocking, SDM 3A 6.7.1: the second one nests. */
	nmi_self();
	EXPECT(nmi_count, 1);
	trap_clear();
	__asm__ volatile(TRY("ud2"));
	__asm__ volatile("nop" ::: "memory");
	nmi_most = nmi_count;
}

GUEST(nmi_unblocked_by_iret)
{
	apic_enable();
	set_handler(VEC_NMI, on_nmi_with_fault);
	nmi_self();
	__asm__ volatile("nop" ::: "memory");
	EXPECT(nmi_most, 2);
	EXPECT(nmi_count, 2);
}

/* NMI has no use for IF. */
GUEST(nmi_and_irq)
{
	apic_enable();
	set_handler(VEC_NMI, count_irq);
	request(0x51);
	nmi_self();
	__asm__ volatile("nop" ::: "memory");
	EXPECT(irq_total, 1);
	EXPECT(irq_order[0], VEC_NMI);
	__asm__ volatile("sti; nop; cli" ::: "memory");
	EXPECT(irq_total, 2);
}

GUEST(nmi_wakes_hlt)
{
	apic_enable();
	set_handler(VEC_NMI, count_irq);
	host_call(CALL_MSI_AFTER, 30, MSI(0), ICR_NMI);
	__asm__ volatile("hlt" ::: "memory");
	EXPECT(irq_total, 1);
}

/* ---- HLT and the host's messages ---- */

GUEST(hlt_pending)
{
	u64 rip;

	/* What is pending already ends the HLT at once. */
	apic_enable();
	request(0x51);
	__asm__ volatile("sti\n"
			 "hlt\n"
			 "1: cli\n"
			 "lea 1b(%%rip), %0"
			 : "=r"(rip)
			 :
			 : "memory");
	EXPECT(irq_total, 1);
	EXPECT(irq_rip, rip);
}

GUEST(hlt_message)
{
	u64 t0 = rdtsc(), i;

	apic_enable();
	set_handler(0x51, count_irq);
	host_call(CALL_MSI_AFTER, 50, MSI(0), 0x51);
	EXPECT_TRUE(wait_irqs(1, 10000));
	EXPECT_RANGE(rdtsc() - t0, 45 * tsc_per_ms(), 10000 * tsc_per_ms());
	for (i = 0; i < 10; i++) {
		set_handler((unsigned int)(0x60 + i), count_irq);
		host_call(CALL_MSI_AFTER, 5 * i, MSI(0), 0x60 + i);
	}
	EXPECT_TRUE(wait_irqs(11, 10000));
}

/* One that comes while the guest computes, without an exit of its own. */
GUEST(message_while_running)
{
	u64 end = rdtsc() + 10000 * tsc_per_ms();

	apic_enable();
	set_handler(0x51, count_irq);
	host_call(CALL_MSI_AFTER, 30, MSI(0), 0x51);
	sti();
	while (!irq_total && rdtsc() < end)
		;
	cli();
	EXPECT(irq_total, 1);
}

/* Masked, it neither comes nor gets lost. */
GUEST(message_while_masked)
{
	u64 end = rdtsc() + 10000 * tsc_per_ms();

	apic_enable();
	set_handler(0x51, count_irq);
	host_call(CALL_MSI_AFTER, 1, MSI(0), 0x51);
	while (!apic_read(APIC_IRR + 0x20) && rdtsc() < end)
		host_call(CALL_SLEEP, 5, 0, 0);
	EXPECT(apic_read(APIC_IRR + 0x20), 1u << 17);
	EXPECT(irq_total, 0);
	__asm__ volatile("sti; nop; cli" ::: "memory");
	EXPECT(irq_total, 1);
}

/* To an APIC that nobody has, or that software disabled: lost, and no harm. */
GUEST(message_to_nobody)
{
	set_handler(0x51, count_irq);
	host_call(CALL_MSI_AFTER, 1, MSI(7), 0x51);
	host_call(CALL_MSI_AFTER, 1, MSI(0), 0x51);
	host_call(CALL_SLEEP, 100, 0, 0);
	apic_enable();
	__asm__ volatile("sti; nop; nop; cli" ::: "memory");
	EXPECT(irq_total, 0);
}
