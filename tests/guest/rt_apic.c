/* SPDX-License-Identifier: MIT */
/* The runtime's local APIC, clocks, counted interrupts, and the start of other CPUs. */
#include "guest.h"

#define APIC_BASE_EN (1ull << 11)
#define APIC_BASE_EXTD (1ull << 10)
#define SVR_ENABLE (1u << 8)
#define SPURIOUS 0xff
#define LEAF_HYPERVISOR 0x40000000
#define LEAF_SECOND 0x40000100
#define HYPERV_NAME 0x7263694d /* "Micr" */
#define LEAF_TIMING 0x10       /* from KVM's base */

extern struct cpu cpus[MAX_CPUS];

volatile u32 irq_count[VECTORS];
volatile u32 irq_total;
volatile u8 irq_order[64];
volatile u64 irq_rip;

static volatile u32 cpus_up;
static volatile bool x2apic[MAX_CPUS];
static struct {
	void (*fn)(void *);
	void *arg;
} work[MAX_CPUS];

u32 apic_read(u32 reg)
{
	if (x2apic[this_cpu()->id])
		return (u32)rdmsr(MSR_X2APIC + reg / 16);
	return *(volatile u32 *)(uintptr_t)(APIC_BASE + reg);
}

void apic_write(u32 reg, u32 v)
{
	if (x2apic[this_cpu()->id])
		wrmsr(MSR_X2APIC + reg / 16, v);
	else
		*(volatile u32 *)(uintptr_t)(APIC_BASE + reg) = v;
}

void apic_enable(void)
{
	apic_write(APIC_SVR, SVR_ENABLE | SPURIOUS);
}

void x2apic_enable(void)
{
	wrmsr(MSR_APIC_BASE, rdmsr(MSR_APIC_BASE) | APIC_BASE_EN | APIC_BASE_EXTD);
	x2apic[this_cpu()->id] = true;
	apic_enable();
}

void apic_eoi(void)
{
	apic_write(APIC_EOI, 0);
}

void apic_ipi(u32 to, u32 command)
{
	if (x2apic[this_cpu()->id]) {
		wrmsr(MSR_X2APIC_ICR, (u64)to << 32 | command);
		return;
	}
	apic_write(APIC_ICR_HIGH, to << 24);
	apic_write(APIC_ICR, command);
}

void apic_self(u32 vector)
{
	apic_ipi(0, ICR_SELF | ICR_ASSERT | vector);
}

u32 kvm_leaf(void)
{
	return cpuid(LEAF_HYPERVISOR, 0).ebx == HYPERV_NAME ? LEAF_SECOND : LEAF_HYPERVISOR;
}

u64 tsc_per_ms(void)
{
	static u32 khz;

	if (!khz)
		khz = cpuid(kvm_leaf() + LEAF_TIMING, 0).eax;
	return khz;
}

void delay_ms(u64 ms)
{
	u64 end = rdtsc() + ms * tsc_per_ms();

	while (rdtsc() < end)
		pause();
}

void count_irq(struct frame *f)
{
	u32 n = irq_total;

	if (n < sizeof(irq_order))
		irq_order[n] = (u8)f->vector;
	irq_rip = f->rip;
	irq_count[f->vector]++;
	irq_total = n + 1;
	if (f->vector >= 32)
		apic_eoi();
}

bool wait_irqs(u32 count, u64 ms)
{
	u64 end = rdtsc() + ms * tsc_per_ms();

	/* One that never comes leaves the CPU halted: the runner tells. */
	while (irq_total < count) {
		if (rdtsc() > end)
			return false;
		sti_hlt_cli();
	}
	return true;
}

/* ---- other CPUs ---- */

/*
 * CPUs that wait for each other do so with interrupts on: in Bochs a guest with interrupts off
 * keeps its host from running the others.
 */
void ap_main(u32 id)
{
	struct cpu *cpu = &cpus[id];

	x2apic[id] = false;
	cpu->work = 0;
	cpu_init(id);
	apic_enable();
	__atomic_add_fetch(&cpus_up, 1, __ATOMIC_RELEASE);
	for (;;) {
		sti();
		while (!__atomic_load_n(&cpu->work, __ATOMIC_ACQUIRE))
			pause();
		work[id].fn(work[id].arg);
		__atomic_store_n(&cpu->work, 0, __ATOMIC_RELEASE);
	}
}

/* SDM 3A 9.4.4 "MP Initialization Example". */
u32 start_cpus(void)
{
	u32 vector = (u32)(ADDRESS_OF(trampoline) >> 12), others = guest_info.cpus - 1;
	u64 end;

	cpus_up = 0;
	apic_enable();
	sti();
	apic_ipi(0, ICR_OTHERS | ICR_ASSERT | ICR_INIT);
	delay_ms(10);
	apic_ipi(0, ICR_OTHERS | ICR_ASSERT | ICR_SIPI | vector);
	delay_ms(1);
	apic_ipi(0, ICR_OTHERS | ICR_ASSERT | ICR_SIPI | vector);
	end = rdtsc() + 10000 * tsc_per_ms();
	while (cpus_up < others && rdtsc() < end)
		pause();
	return cpus_up;
}

void cpu_call(u32 id, void (*fn)(void *), void *arg)
{
	work[id].fn = fn;
	work[id].arg = arg;
	__atomic_store_n(&cpus[id].work, 1, __ATOMIC_RELEASE);
}

bool cpu_wait(u32 id, u64 ms)
{
	u64 end = rdtsc() + ms * tsc_per_ms();

	sti();
	while (__atomic_load_n(&cpus[id].work, __ATOMIC_ACQUIRE)) {
		if (rdtsc() > end)
			return false;
		pause();
	}
	return true;
}
