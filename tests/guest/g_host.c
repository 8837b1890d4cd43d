/* SPDX-License-Identifier: MIT */
/* Guests that reach for what is the host's: its memory, ports, MSRs and CPUs. */
#include "guest.h"

#define GIB4 (1ull << 32)
#define APIC_PAGE_END (APIC_BASE + PAGE)

/* Reads give all ones, writes do nothing: no memory, wherever the host has some. */
static void expect_nothing_at(u64 gpa)
{
	map_page(VA_FREE, gpa, PTE_P | PTE_W);
	EXPECT(peek(VA_FREE + 0x18), ~0ull);
	EXPECT_NO_TRAP();
	poke(VA_FREE + 0x18, 0x5555aaaa5555aaaa);
	EXPECT(peek(VA_FREE + 0x18), ~0ull);
}

/* Every order of magnitude up to the last page that the guest's tables can name. */
GUEST(host_memory)
{
	u32 bits = cpuid(0x80000008, 0).eax & 0xff, n;

	for (n = 24; n < bits; n++) {
		expect_nothing_at(1ull << n);
		expect_nothing_at((1ull << n) + 0x35000);
	}
	expect_nothing_at(GUEST_RAM_BYTES);
	expect_nothing_at(ROM_GPA - PAGE);
	expect_nothing_at(ROM_GPA + ROM_BYTES);
	expect_nothing_at(LOOSE_GPA - PAGE);
	expect_nothing_at(LOOSE_GPA + LOOSE_BYTES);
	expect_nothing_at(APIC_BASE - PAGE);
	expect_nothing_at(APIC_PAGE_END);
	expect_nothing_at(GIB4 - PAGE);
	expect_nothing_at((1ull << bits) - PAGE);
}

static u8 in8(u16 port)
{
	u8 v;

	__asm__ volatile("inb %1, %0" : "=a"(v) : "Nd"(port));
	return v;
}

static u32 in32(u16 port)
{
	u32 v;

	__asm__ volatile("inl %1, %0" : "=a"(v) : "Nd"(port));
	return v;
}

static bool of_the_runner(u32 port)
{
	return (port >= PORT_REPORT && port < PORT_CALL + 4) ||
	       (port >= PORT_RAM && port < PORT_RAM + PORT_RAM_BYTES);
}

/* The host has a PIC, a clock, a PCI bus, perhaps a reset register and QEMU's doors: not here. */
GUEST(host_ports)
{
	u32 port, found = 0;

	for (port = 0; port < 0x10000; port += port < 0x1000 ? 1 : 0x101)
		if (!of_the_runner(port))
			found += in8((u16)port) != 0xff;
	EXPECT(found, 0);
	out32(0xcf8, 0x80000000);
	EXPECT(in32(0xcf8), ~0u);
	EXPECT(in32(0xcfc), ~0u);
	out8(0x70, 0);
	EXPECT(in8(0x71), 0xff);
	/* Were these the host's, it would be gone. */
	out8(0x64, 0xfe);
	out8(0x92, 3);
	out8(0xcf9, 6);
	out16(0x604, 0x2000);
	EXPECT(in8(0x92), 0xff);
}

static void expect_refused(u32 index)
{
	rdmsr(index);
	EXPECT_TRAP(VEC_GP, 0);
	wrmsr(index, 0);
	EXPECT_TRAP(VEC_GP, 0);
	wrmsr(index, 1);
	EXPECT_TRAP(VEC_GP, 0);
}

/* What steers speculation, virtualization, enclaves and memory encryption of the CPU. */
GUEST(host_msrs)
{
	static const u32 refused[] = {
		0x48,	    0x49,	0x10a,	    0x10b,	0x122,	    0x123,	0x480,
		0x481,	    0x48b,	0x491,	    0x6a0,	0x6a4,	    0xd90,	0xda0,
		0x1c4,	    0x1c5,	0xe1,	    0x9b,	0xc0000104, 0xc001011e, 0xc001011f,
		0xc0010118, 0xc0010130, 0xc0010131, 0xc001102e, 0xc0010133,
	};
	u32 i;

	if (on_kvm())
		guest_skip("KVM has a list of its own");
	for (i = 0; i < sizeof(refused) / sizeof(refused[0]); i++)
		expect_refused(refused[i]);
	/* They exist, and nothing behind them: what a write leaves is what was there. */
	wrmsr(0xc0010117, 0x1000);
	EXPECT(rdmsr(0xc0010117), 0);
	wrmsr(0x1d9, 3);
	EXPECT(rdmsr(0x1d9), 0);
}

/* IPIs to whom this VM has not: the host and its other guests have such CPUs. */
GUEST(host_cpus)
{
	u32 id;

	x2apic_enable();
	set_handler(0x51, count_irq);
	for (id = 1; id < 300; id++) {
		apic_ipi(id, ICR_ASSERT | 0x51);
		apic_ipi(id, ICR_ASSERT | ICR_NMI);
		apic_ipi(id, ICR_ASSERT | ICR_INIT);
		apic_ipi(id, ICR_ASSERT | ICR_SIPI | 0x10);
	}
	apic_ipi(0x10002, ICR_ASSERT | ICR_LOGICAL | 0x51); /* cluster 1 */
	__asm__ volatile("sti; nop; nop; cli" ::: "memory");
	EXPECT(irq_total, 0);
	apic_ipi(0, ICR_ASSERT | 0x51);
	__asm__ volatile("sti; nop; nop; cli" ::: "memory");
	EXPECT(irq_total, 1);
}
