/* SPDX-License-Identifier: MIT */
/* Guests: control registers, XCR0, and what their bits do. */
#include "guest.h"

#define LEAF1_ECX_PCID (1u << 17)
#define LEAF1_ECX_XSAVE (1u << 26)
#define LEAF1_ECX_AVX (1u << 28)
#define LEAF7_EBX_FSGSBASE (1u << 0)
#define LEAF7_ECX_UMIP (1u << 2)

static void expect_cr0_refused(u64 value)
{
	u64 old = read_cr0();

	write_cr0(value);
	EXPECT_TRAP(VEC_GP, 0);
	EXPECT(read_cr0(), old);
}

static void expect_cr4_refused(u64 value)
{
	u64 old = read_cr4();

	write_cr4(value);
	EXPECT_TRAP(VEC_GP, 0);
	EXPECT(read_cr4(), old);
}

static void expect_cr0_keeps(u64 value)
{
	u64 old = read_cr0();

	write_cr0(value);
	EXPECT_NO_TRAP();
	EXPECT(read_cr0(), value);
	out8(PORT_NOBODY, 0);
	EXPECT(read_cr0(), value);
	write_cr0(old);
	EXPECT(read_cr0(), old);
}

GUEST(cr0_write)
{
	u64 cr0 = read_cr0();

	EXPECT(cr0, 0x80010033);
	expect_cr0_keeps(cr0 | CR0_TS);
	expect_cr0_keeps(cr0 | CR0_EM);
	expect_cr0_keeps(cr0 & ~CR0_MP);
	expect_cr0_keeps(cr0 & ~CR0_WP);
	expect_cr0_keeps(cr0 & ~CR0_NE);
	expect_cr0_keeps(cr0 | CR0_AM);
	expect_cr0_keeps(cr0 | CR0_CD);
	expect_cr0_keeps(cr0 | CR0_CD | CR0_NW);
	/* ET is one always, reserved low bits are ignored. */
	write_cr0(cr0 & ~CR0_ET);
	EXPECT_NO_TRAP();
	EXPECT(read_cr0(), cr0);
}

GUEST(cr0_refused)
{
	u64 cr0 = read_cr0();

	if (on_qemu())
		guest_skip("QEMU does not check CR0");
	expect_cr0_refused(cr0 | CR0_NW);
	/* The Bochs emulator's AMD CPUs die of it. */
	if (on_intel())
		expect_cr0_refused(cr0 & ~CR0_PE);
	expect_cr0_refused(cr0 | 1ull << 32);
	expect_cr0_refused(cr0 | 1ull << 63);
}

/* Leaving long mode by CR0.PG is for code in compatibility mode: SDM 3A 4.1.2. */
GUEST(cr0_task_switched)
{
	u64 cr0 = read_cr0();

	write_cr0(cr0 | CR0_TS);
	trap_clear();
	__asm__ volatile(TRY("fnop"));
	EXPECT_TRAP(VEC_NM, 0);
	trap_clear();
	__asm__ volatile(TRY("movq %%xmm0, %%xmm1") : : : "memory");
	EXPECT_TRAP(VEC_NM, 0);
	__asm__ volatile("clts");
	EXPECT(read_cr0(), cr0);
	trap_clear();
	__asm__ volatile(TRY("fnop"));
	EXPECT_NO_TRAP();
	write_cr0(cr0 | CR0_EM);
	trap_clear();
	__asm__ volatile(TRY("movq %%xmm0, %%xmm1") : : : "memory");
	EXPECT_TRAP(VEC_UD, 0);
	write_cr0(cr0);
}

GUEST(cr0_lmsw_smsw)
{
	u64 cr0 = read_cr0(), v = 0;

	__asm__ volatile("smsw %0" : "=r"(v));
	EXPECT(v & 0xffff, cr0 & 0xffff);
	/* LMSW sets TS, MP, EM; it cannot clear PE, and touches nothing above. */
	__asm__ volatile("lmsw %w0" : : "r"(CR0_TS));
	EXPECT(read_cr0(), (cr0 & ~CR0_MP) | CR0_TS);
	__asm__ volatile("lmsw %w0" : : "r"(CR0_MP));
	EXPECT(read_cr0(), cr0);
}

GUEST(cr2)
{
	__asm__ volatile("mov %0, %%cr2" : : "r"(0x123456789abcdefull));
	EXPECT(read_cr2(), 0x123456789abcdef);
	/* It survives exits of all kinds. */
	out8(PORT_NOBODY, 0);
	cpuid(0, 0);
	EXPECT(MMIO(u32, 0), 0);
	EXPECT(read_cr2(), 0x123456789abcdef);
}

GUEST(cr3)
{
	u64 cr3 = read_cr3(), *copy = page_alloc();

	memcpy(copy, pml4, PAGE);
	write_cr3(ADDRESS_OF(copy));
	EXPECT_NO_TRAP();
	EXPECT(read_cr3(), ADDRESS_OF(copy));
	write_cr3(cr3 | 0x18);
	EXPECT_NO_TRAP();
	EXPECT(read_cr3(), cr3 | 0x18);
	write_cr3(cr3);
	EXPECT(read_cr3(), cr3);
}

/* Bits beyond the physical address width are reserved. */
GUEST(cr3_refused)
{
	u64 cr3 = read_cr3();

	if (on_qemu())
		guest_skip("QEMU does not check CR3");
	write_cr3(cr3 | 1ull << 62);
	EXPECT_TRAP(VEC_GP, 0);
	EXPECT(read_cr3(), cr3);
}

GUEST(cr4_write)
{
	static const u64 bits[] = { CR4_TSD, CR4_DE, CR4_PSE, CR4_PGE, 1 << 6, 1 << 8 };
	u64 cr4 = read_cr4(), i;

	EXPECT(cr4, CR4_PAE | CR4_OSFXSR | CR4_OSXMMEXCPT);
	for (i = 0; i < sizeof(bits) / sizeof(bits[0]); i++) {
		write_cr4(cr4 | bits[i]);
		EXPECT_NO_TRAP();
		EXPECT(read_cr4(), cr4 | bits[i]);
		out8(PORT_NOBODY, 0);
		EXPECT(read_cr4(), cr4 | bits[i]);
		write_cr4(cr4);
		EXPECT(read_cr4(), cr4);
	}
}

GUEST(cr4_refused)
{
	u64 cr4 = read_cr4();

	expect_cr4_refused(cr4 & ~CR4_PAE);
	expect_cr4_refused(cr4 | CR4_VMXE);
	expect_cr4_refused(cr4 | 1ull << 14);
	expect_cr4_refused(cr4 | 1ull << 15);
	expect_cr4_refused(cr4 | 1ull << 31);
	/* KVM on QEMU's SVM ignores such a write. */
	if (!on_kvm() || !on_qemu())
		expect_cr4_refused(cr4 | 1ull << 40);
	expect_cr4_refused(~0ull);
	if (!(cpuid(7, 0).ebx & LEAF7_EBX_FSGSBASE))
		expect_cr4_refused(cr4 | CR4_FSGSBASE);
	if (!(cpuid(1, 0).ecx & LEAF1_ECX_PCID))
		expect_cr4_refused(cr4 | CR4_PCIDE);
}

GUEST(cr4_pcide)
{
	u64 cr3 = read_cr3(), cr4 = read_cr4();

	if (!(cpuid(1, 0).ecx & LEAF1_ECX_PCID))
		guest_skip("the CPU has no PCID");
	write_cr3(cr3 | 0x18);
	expect_cr4_refused(cr4 | CR4_PCIDE);
	write_cr3(cr3);
	write_cr4(cr4 | CR4_PCIDE);
	EXPECT_NO_TRAP();
	write_cr3(cr3 | 5);
	EXPECT_NO_TRAP();
	EXPECT(read_cr3(), cr3 | 5);
	/* Bit 63 means "do not flush" and is not kept. */
	write_cr3(cr3 | 6 | 1ull << 63);
	EXPECT_NO_TRAP();
	EXPECT(read_cr3(), cr3 | 6);
	write_cr3(cr3);
	write_cr4(cr4);
	EXPECT(read_cr4(), cr4);
}

GUEST(cr4_fsgsbase)
{
	u64 v = 0;

	if (!(cpuid(7, 0).ebx & LEAF7_EBX_FSGSBASE))
		guest_skip("the CPU has no FSGSBASE");
	trap_clear();
	__asm__ volatile(TRY("rdfsbase %0") : "+r"(v));
	EXPECT_TRAP(VEC_UD, 0);
	write_cr4(read_cr4() | CR4_FSGSBASE);
	EXPECT_NO_TRAP();
	__asm__ volatile("wrfsbase %0" : : "r"(0x7f0012345678));
	EXPECT(rdmsr(MSR_FS_BASE), 0x7f0012345678);
	wrmsr(MSR_FS_BASE, 0x1234);
	__asm__ volatile("rdfsbase %0" : "=r"(v));
	EXPECT(v, 0x1234);
}

GUEST(cr4_umip)
{
	static const u8 code[] = { 0x0f, 0x01, 0xe0, 0xcd, USER_VECTOR }; /* smsw eax */

	if (!(cpuid(7, 0).ecx & LEAF7_ECX_UMIP))
		guest_skip("the CPU has no UMIP");
	trap_clear();
	EXPECT(user_run(code, sizeof(code), 2), read_cr0() & 0xffffffff);
	EXPECT_NO_TRAP();
	write_cr4(read_cr4() | CR4_UMIP);
	EXPECT_NO_TRAP();
	trap_clear();
	user_run(code, sizeof(code), 2);
	EXPECT_TRAP(VEC_GP, 0);
	write_cr4(read_cr4() & ~CR4_UMIP);
}

GUEST(cr8)
{
	u64 i;

	EXPECT(read_cr8(), 0);
	for (i = 0; i < 16; i++) {
		write_cr8(i);
		EXPECT_NO_TRAP();
		EXPECT(read_cr8(), i);
		EXPECT(apic_read(APIC_TPR), i << 4);
	}
	apic_write(APIC_TPR, 0x5b);
	EXPECT(read_cr8(), 5);
	write_cr8(16);
	EXPECT_TRAP(VEC_GP, 0);
	write_cr8(1ull << 63);
	EXPECT_TRAP(VEC_GP, 0);
	EXPECT(read_cr8(), 5);
	/* R8 to R15 as the operand. */
	__asm__ volatile("mov $9, %%r12d\nmov %%r12, %%cr8\nmov %%cr8, %%r13\nmov %%r13, %0"
			 : "=r"(i)
			 :
			 : "r12", "r13");
	EXPECT(i, 9);
}

GUEST(cr_undefined)
{
	trap_clear();
	__asm__ volatile(TRY(".byte 0x0f, 0x20, 0xc8") : : : "rax"); /* mov rax, cr1 */
	EXPECT_TRAP(VEC_UD, 0);
	trap_clear();
	__asm__ volatile(TRY(".byte 0x0f, 0x22, 0xe8") : : "a"(0)); /* mov cr5, rax */
	EXPECT_TRAP(VEC_UD, 0);
}

static void expect_xcr0_refused(u64 value)
{
	u64 old = xgetbv0();

	xsetbv(0, value);
	EXPECT_TRAP(VEC_GP, 0);
	EXPECT(xgetbv0(), old);
}

GUEST(xcr0)
{
	if (!(cpuid(1, 0).ecx & LEAF1_ECX_XSAVE))
		guest_skip("the CPU has no XSAVE");
	/* Without CR4.OSXSAVE the instruction does not exist. */
	xsetbv(0, 1);
	EXPECT_TRAP(VEC_UD, 0);
	write_cr4(read_cr4() | CR4_OSXSAVE);
	EXPECT(xgetbv0(), 1);
	xsetbv(0, 3);
	EXPECT_NO_TRAP();
	EXPECT(xgetbv0(), 3);
	out8(PORT_NOBODY, 0);
	EXPECT(xgetbv0(), 3);
	if (cpuid(1, 0).ecx & LEAF1_ECX_AVX) {
		xsetbv(0, 7);
		EXPECT_NO_TRAP();
		EXPECT(xgetbv0(), 7);
	}
}

GUEST(xcr0_refused)
{
	static const u8 code[] = { 0x31, 0xc9, 0x31, 0xd2, 0xb8, 1,    0,
				   0,	 0,    0x0f, 0x01, 0xd1, 0xcd, USER_VECTOR };

	if (!(cpuid(1, 0).ecx & LEAF1_ECX_XSAVE))
		guest_skip("the CPU has no XSAVE");
	write_cr4(read_cr4() | CR4_OSXSAVE);
	expect_xcr0_refused(0);
	expect_xcr0_refused(2);
	expect_xcr0_refused(5);
	expect_xcr0_refused(1 | 1ull << 62);
	expect_xcr0_refused(3 | 1ull << 40);
	expect_xcr0_refused(~0ull);
	xsetbv(1, 1);
	EXPECT_TRAP(VEC_GP, 0);
	/* At CPL 3. */
	trap_clear();
	user_run(code, sizeof(code), 2);
	EXPECT_TRAP(VEC_GP, 0);
	EXPECT(this_cpu()->trap.rip, USER_BASE + 9);
}
