/* SPDX-License-Identifier: MIT */
/* Guests: model-specific registers, known, refused and unknown. */
#include "guest.h"

#define MSR_SYSENTER_CS 0x174
#define MSR_SYSENTER_ESP 0x175
#define MSR_SYSENTER_EIP 0x176
#define MSR_MTRR_CAP 0xfe
#define MSR_MTRR_BASE0 0x200
#define MSR_MTRR_DEF_TYPE 0x2ff
#define KERNEL_ADDRESS 0xffff888012345678ull
#define NOT_CANONICAL 0x0000800000000000ull
#define PAT_RESET 0x0007040600070406ull
#define APIC_BASE_BSP (1ull << 8)
#define APIC_BASE_EN (1ull << 11)

static void expect_keeps(u32 index, u64 value)
{
	u64 old = rdmsr(index);

	EXPECT_NO_TRAP();
	wrmsr(index, value);
	EXPECT_NO_TRAP();
	EXPECT(rdmsr(index), value);
	/* An exit to user space in between changes nothing. */
	out8(PORT_NOBODY, 0);
	EXPECT(rdmsr(index), value);
	wrmsr(index, old);
}

/* #GP(0), at the WRMSR, and the register as before. */
static void expect_refuses(u32 index, u64 value)
{
	u64 old = rdmsr(index);

	wrmsr(index, value);
	EXPECT_TRAP(VEC_GP, 0);
	EXPECT(rdmsr(index), old);
}

GUEST(msr_keep)
{
	expect_keeps(MSR_STAR, 0x0023001000000000);
	expect_keeps(MSR_LSTAR, KERNEL_ADDRESS);
	expect_keeps(MSR_CSTAR, KERNEL_ADDRESS + 8);
	expect_keeps(MSR_SFMASK, 0x47700);
	expect_keeps(MSR_FS_BASE, KERNEL_ADDRESS);
	expect_keeps(MSR_KERNEL_GS_BASE, 0x00007fff12345678);
	expect_keeps(MSR_SYSENTER_CS, 0x10);
	expect_keeps(MSR_SYSENTER_ESP, KERNEL_ADDRESS);
	expect_keeps(MSR_SYSENTER_EIP, KERNEL_ADDRESS + 16);
	expect_keeps(MSR_TSC_AUX, 0x12345);
	expect_keeps(MSR_PAT, 0x0506070004010500);
}

GUEST(msr_reset_values)
{
	EXPECT(rdmsr(MSR_PAT), PAT_RESET);
	EXPECT(rdmsr(MSR_EFER), EFER_LME | EFER_LMA | EFER_NXE);
	EXPECT(rdmsr(MSR_APIC_BASE), APIC_BASE | APIC_BASE_BSP | APIC_BASE_EN);
	EXPECT(rdmsr(MSR_LSTAR), 0);
	EXPECT(rdmsr(MSR_STAR), 0);
	EXPECT(rdmsr(MSR_SYSENTER_EIP), 0);
	EXPECT_TRUE(rdmsr(MSR_MTRR_CAP) & 0xff);
}

GUEST(msr_refuse_addresses)
{
	if (on_qemu())
		guest_skip("QEMU does not check addresses in MSRs");
	expect_refuses(MSR_LSTAR, NOT_CANONICAL);
	expect_refuses(MSR_CSTAR, NOT_CANONICAL);
	expect_refuses(MSR_FS_BASE, NOT_CANONICAL);
	expect_refuses(MSR_KERNEL_GS_BASE, 0xff00000000000000);
	/* AMD's CPUs keep what is written here: APM 2 6.1.2. */
	if (!on_intel())
		return;
	expect_refuses(MSR_SYSENTER_ESP, NOT_CANONICAL);
	expect_refuses(MSR_SYSENTER_EIP, NOT_CANONICAL);
}

GUEST(msr_refuse)
{
	expect_refuses(MSR_PAT, 0x0007040600070402);
	expect_refuses(MSR_PAT, 0x0807040600070406);
	expect_refuses(MSR_EFER, rdmsr(MSR_EFER) | 1ull << 16);
	expect_refuses(MSR_EFER, rdmsr(MSR_EFER) | 1ull << 63);
	/* LME must not change under paging. */
	expect_refuses(MSR_EFER, rdmsr(MSR_EFER) & ~EFER_LME);
	expect_refuses(MSR_APIC_BASE, rdmsr(MSR_APIC_BASE) | 1);
	/* x2APIC without the APIC enabled. */
	expect_refuses(MSR_APIC_BASE, APIC_BASE | APIC_BASE_BSP | 1ull << 10);
	expect_refuses(MSR_MTRR_CAP, 0);
	expect_refuses(MSR_MTRR_DEF_TYPE, 0x802);
	/* AMD's manual says nothing clear of these bits; KVM drops them. */
	if (on_intel() || !on_kvm())
		expect_refuses(MSR_TSC_AUX, 1ull << 32);
}

GUEST(msr_efer)
{
	u64 efer = rdmsr(MSR_EFER);

	wrmsr(MSR_EFER, efer | EFER_SCE);
	EXPECT_NO_TRAP();
	EXPECT(rdmsr(MSR_EFER), efer | EFER_SCE);
	/* LMA follows the CPU, not the write. */
	wrmsr(MSR_EFER, efer & ~EFER_LMA);
	EXPECT(rdmsr(MSR_EFER) & EFER_LMA, EFER_LMA);
	wrmsr(MSR_EFER, efer & ~EFER_NXE);
	EXPECT_NO_TRAP();
	EXPECT(rdmsr(MSR_EFER), efer & ~EFER_NXE);
	wrmsr(MSR_EFER, efer);
}

GUEST(msr_mtrr)
{
	wrmsr(MSR_MTRR_BASE0, 0xd0000000);
	EXPECT_NO_TRAP();
	EXPECT(rdmsr(MSR_MTRR_BASE0), 0xd0000000);
	wrmsr(MSR_MTRR_BASE0 + 1, 0xff0000800);
	EXPECT(rdmsr(MSR_MTRR_BASE0 + 1), 0xff0000800);
	/* Memory does not care. */
	MMIO(u32, 0) = 0x12345;
	EXPECT(MMIO(u32, 0), 0x12345);
}

/* #GP with RIP at the instruction, RAX and RDX untouched, and the guest goes on. */
GUEST(msr_unknown)
{
	static const u32 unknown[] = { 0x12345678, 0x4ff, 0xc0001234, 0x40000f00, 0xffffffff };
	u64 a, d, rip, i;

	for (i = 0; i < sizeof(unknown) / sizeof(unknown[0]); i++) {
		a = 0x1111222233334444, d = 0x5555666677778888;
		trap_clear();
		__asm__ volatile("lea 771f(%%rip), %2\n" TRY("rdmsr")
				 : "+a"(a), "+d"(d), "=&r"(rip)
				 : "c"(unknown[i]));
		EXPECT_TRAP(VEC_GP, 0);
		EXPECT(this_cpu()->trap.rip, rip);
		EXPECT(a, 0x1111222233334444);
		EXPECT(d, 0x5555666677778888);
		wrmsr(unknown[i], 0x1234);
		EXPECT_TRAP(VEC_GP, 0);
	}
}

/* The upper halves of RAX, RCX and RDX do not count. */
GUEST(msr_upper_halves)
{
	u64 a = 0xffffffff12345678, d = 0xffffffff00000000, c = 0xffffffff00000000 | MSR_SFMASK;

	trap_clear();
	__asm__ volatile(TRY("wrmsr") : : "a"(a), "d"(d), "c"(c));
	EXPECT_NO_TRAP();
	a = d = ~0ull;
	__asm__ volatile(TRY("rdmsr") : "+a"(a), "+d"(d) : "c"(c));
	EXPECT(a, 0x12345678);
	EXPECT(d, 0);
}

GUEST(msr_hammer)
{
	u64 faults = 0;
	u32 i;

	for (i = 0; i < 300; i++) {
		rdmsr(0x20000000 + i);
		faults += this_cpu()->trap.vector == VEC_GP;
		wrmsr(0x20000000 + i, i);
		faults += this_cpu()->trap.vector == VEC_GP;
	}
	EXPECT(faults, 600);
}
