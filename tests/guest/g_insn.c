/* SPDX-License-Identifier: MIT */
/* Guests: instructions that leave guest mode and change nothing but registers. */
#include "guest.h"

#define LEAF1_ECX_MONITOR (1u << 3)
#define LEAF1_ECX_VMX (1u << 5)
#define LEAF1_ECX_OSXSAVE (1u << 27)
#define LEAF1_ECX_XSAVE (1u << 26)
#define LEAF1_ECX_AVX (1u << 28)
#define LEAF1_ECX_HYPERVISOR (1u << 31)
#define LEAF1_EDX_APIC (1u << 9)
#define EXT1_ECX_SVM (1u << 2)
#define HYPERCALL_ENOSYS (~0ull - 999)

GUEST(cpuid_basics)
{
	u64 a = 0xffffffff00000001, b = ~0ull, c = 0xffffffff00000000, d = ~0ull, si = 0x1234;
	struct cpuid r;

	EXPECT_RANGE(cpuid(0, 0).eax, 0xb, 0x40);
	EXPECT_TRUE(cpuid(0, 0).ebx != 0);
	/* All four are written in full; the others stay. */
	__asm__ volatile("cpuid" : "+a"(a), "+b"(b), "+c"(c), "+d"(d), "+S"(si));
	EXPECT(a >> 32 | b >> 32 | c >> 32 | d >> 32, 0);
	EXPECT(si, 0x1234);
	r = cpuid(1, 0);
	EXPECT(r.ecx & (LEAF1_ECX_VMX | LEAF1_ECX_MONITOR), 0);
	EXPECT_TRUE(r.ecx & LEAF1_ECX_HYPERVISOR);
	EXPECT_TRUE(r.edx & LEAF1_EDX_APIC);
	EXPECT(r.ebx >> 24, 0);
	EXPECT(cpuid(0x80000001, 0).ecx & EXT1_ECX_SVM, 0);
	EXPECT_RANGE(cpuid(0x80000008, 0).eax & 0xff, 32, 52);
	EXPECT_TRUE(cpuid(0x40000010, 0).eax != 0);
}

GUEST(cpuid_osxsave)
{
	if (!(cpuid(1, 0).ecx & LEAF1_ECX_XSAVE))
		guest_skip("the CPU has no XSAVE");
	EXPECT(cpuid(1, 0).ecx & LEAF1_ECX_OSXSAVE, 0);
	write_cr4(read_cr4() | CR4_OSXSAVE);
	EXPECT_NO_TRAP();
	EXPECT(cpuid(1, 0).ecx & LEAF1_ECX_OSXSAVE, LEAF1_ECX_OSXSAVE);
	write_cr4(read_cr4() & ~CR4_OSXSAVE);
	EXPECT(cpuid(1, 0).ecx & LEAF1_ECX_OSXSAVE, 0);
}

/* 0xD.0.EBX is the size for the enabled components: SDM 1 13.2. */
GUEST(cpuid_xsave_size)
{
	struct cpuid r;

	if (!(cpuid(1, 0).ecx & LEAF1_ECX_XSAVE))
		guest_skip("the CPU has no XSAVE");
	write_cr4(read_cr4() | CR4_OSXSAVE);
	EXPECT(xgetbv0(), 1);
	EXPECT(cpuid(0xd, 0).ebx, 576);
	EXPECT(cpuid(0xd, 0).eax & 3, 3);
	xsetbv(0, 3);
	EXPECT_NO_TRAP();
	EXPECT(xgetbv0(), 3);
	EXPECT(cpuid(0xd, 0).ebx, 576);
	if (!(cpuid(1, 0).ecx & LEAF1_ECX_AVX))
		return;
	r = cpuid(0xd, 2);
	EXPECT(r.eax, 256);
	xsetbv(0, 7);
	EXPECT_NO_TRAP();
	EXPECT(xgetbv0(), 7);
	EXPECT(cpuid(0xd, 0).ebx, r.ebx + r.eax);
	xsetbv(0, 3);
	EXPECT(cpuid(0xd, 0).ebx, 576);
}

GUEST(invalidate)
{
	invlpg(0x1000);
	invlpg(0xffff800000000000);
	__asm__ volatile("wbinvd" ::: "memory");
	__asm__ volatile("clflush %0" : : "m"(irq_total));
	EXPECT(irq_total, 0);
	/* Memory must be as it was, whatever INVD does to the host's caches: it must not do it. */
	irq_total = 0x5a5a;
	__asm__ volatile("invd" ::: "memory");
	EXPECT(irq_total, 0x5a5a);
}

GUEST(rdpmc)
{
	u64 a = 1, d = 2;

	trap_clear();
	__asm__ volatile(TRY("rdpmc") : "+a"(a), "+d"(d) : "c"(0x12345));
	EXPECT_TRAP(VEC_GP, 0);
	EXPECT(a, 1);
	EXPECT(d, 2);
}

GUEST(monitor_mwait)
{
	u64 place = 0;

	trap_clear();
	__asm__ volatile(TRY("monitor") : : "a"(&place), "c"(0), "d"(0));
	EXPECT_TRAP(VEC_UD, 0);
	trap_clear();
	__asm__ volatile(TRY("mwait") : : "a"(0), "c"(0));
	EXPECT_TRAP(VEC_UD, 0);
}

#define EXPECT_UD(insn)                                                 \
	do {                                                            \
		trap_clear();                                           \
		__asm__ volatile(TRY(insn)                              \
				 :                                      \
				 : "a"(0), "b"(0), "c"(0), "d"(&memory) \
				 : "memory", "cc");                     \
		EXPECT_TRAP(VEC_UD, 0);                                 \
	} while (0)

/* Instructions of VMX do not exist for the guest. */
GUEST(vmx_instructions)
{
	u64 memory[2] = { 0, 0 };

	EXPECT_UD("vmxon (%%rdx)");
	EXPECT_UD("vmclear (%%rdx)");
	EXPECT_UD("vmptrld (%%rdx)");
	EXPECT_UD("vmptrst (%%rdx)");
	EXPECT_UD("vmread %%rax, %%rbx");
	EXPECT_UD("vmwrite %%rax, %%rbx");
	EXPECT_UD("vmlaunch");
	EXPECT_UD("vmresume");
	EXPECT_UD("vmxoff");
	EXPECT_UD("invept (%%rdx), %%rax");
	EXPECT_UD("invvpid (%%rdx), %%rax");
	EXPECT_UD("vmfunc");
	EXPECT_UD("getsec");
}

/* Nor do those of SVM. */
GUEST(svm_instructions)
{
	u64 memory[2] = { 0, 0 };

	EXPECT_UD("vmrun");
	EXPECT_UD("vmload");
	EXPECT_UD("vmsave");
	EXPECT_UD("stgi");
	EXPECT_UD("clgi");
	EXPECT_UD("invlpga");
	EXPECT_UD("skinit");
}

static u64 hypercall(u64 nr)
{
	u64 ret = nr;

	if (on_intel())
		__asm__ volatile("vmcall" : "+a"(ret) : "b"(1), "c"(2), "d"(3), "S"(4));
	else
		__asm__ volatile("vmmcall" : "+a"(ret) : "b"(1), "c"(2), "d"(3), "S"(4));
	return ret;
}

GUEST(hypercall_unknown)
{
	u64 b = 0x1111, bp = 0x2222;

	EXPECT(hypercall(0x77777777), HYPERCALL_ENOSYS);
	EXPECT(hypercall(0x77777778), HYPERCALL_ENOSYS);
	/* Nothing but RAX changes. */
	__asm__ volatile("" : "+r"(b), "+r"(bp));
	hypercall(0x77777777);
	EXPECT(b, 0x1111);
	EXPECT(bp, 0x2222);
}

GUEST(pause_many)
{
	u32 i;

	for (i = 0; i < 20000; i++)
		pause();
	EXPECT(i, 20000);
}

GUEST(tsc_monotonic)
{
	u64 last = rdtsc(), now, bad = 0, msr;
	u32 i, aux = 0, low, high;

	for (i = 0; i < 1000; i++) {
		now = rdtsc();
		bad += now < last;
		last = now;
		if (i % 100 == 0)
			cpuid(0, 0);
	}
	EXPECT(bad, 0);
	wrmsr(MSR_TSC_AUX, 0x1234567);
	EXPECT_NO_TRAP();
	__asm__ volatile("rdtscp" : "=a"(low), "=d"(high), "=c"(aux));
	EXPECT(aux, 0x1234567);
	now = low | (u64)high << 32;
	EXPECT_RANGE(now, last, last + 2000 * tsc_per_ms());
	msr = rdmsr(MSR_TSC);
	EXPECT_RANGE(msr, now, now + 2000 * tsc_per_ms());
}

/* Guest time began with the VM, not with the host. */
GUEST(tsc_offset)
{
	if (on_kvm())
		guest_skip("KVM may leave the guest the host's TSC");
	EXPECT_RANGE(rdtsc(), 1, 60000 * tsc_per_ms());
}

GUEST(tsc_rate)
{
	u64 t0, t1, ns0, ns1;

	ns0 = host_call(CALL_TIME, 0, 0, 0);
	t0 = rdtsc();
	delay_ms(100);
	t1 = rdtsc();
	ns1 = host_call(CALL_TIME, 0, 0, 0);
	/* The host's time is around the guest's; a busy host adds to it. */
	EXPECT_RANGE(ns1 - ns0, (t1 - t0) * 980000 / tsc_per_ms(), 10000000000ull);
	EXPECT_RANGE(t1 - t0, 100 * tsc_per_ms(), 10000 * tsc_per_ms());
}

GUEST(tsc_disabled_for_user)
{
	static const u8 code[] = { 0x0f, 0x31, 0xb8, 1, 0, 0, 0, 0xcd, USER_VECTOR };

	trap_clear();
	user_run(code, sizeof(code), 2);
	EXPECT_NO_TRAP();
	write_cr4(read_cr4() | CR4_TSD);
	trap_clear();
	user_run(code, sizeof(code), 2);
	EXPECT_TRAP(VEC_GP, 0);
	EXPECT(this_cpu()->trap.rip, USER_BASE);
}

/* Privileged instructions at CPL 3: #GP, at the instruction. */
GUEST(user_privileged)
{
	static const u8 code[][4] = {
		{ 0xf4 },	      /* hlt */
		{ 0x0f, 0x30 },	      /* wrmsr */
		{ 0x0f, 0x32 },	      /* rdmsr */
		{ 0x0f, 0x20, 0xc0 }, /* mov rax, cr0 */
		{ 0x0f, 0x22, 0xd8 }, /* mov cr3, rax */
		{ 0x0f, 0x21, 0xc0 }, /* mov rax, dr0 */
		{ 0xfa },	      /* cli */
		{ 0xe4, 0x60 },	      /* in al, 0x60 */
		{ 0xee },	      /* out dx, al */
		{ 0x6c },	      /* insb */
		{ 0x0f, 0x08 },	      /* invd */
		{ 0x0f, 0x09 },	      /* wbinvd */
		{ 0x0f, 0x01, 0x38 }, /* invlpg [rax] */
		{ 0x0f, 0x33 },	      /* rdpmc */
	};
	size_t i;

	for (i = 0; i < sizeof(code) / sizeof(code[0]); i++) {
		trap_clear();
		user_run(code[i], sizeof(code[i]), 2);
		EXPECT_TRAP(VEC_GP, 0);
		EXPECT(this_cpu()->trap.rip, USER_BASE);
		EXPECT(this_cpu()->trap.count, 1);
	}
}

/* CPUID leaves guest mode at CPL 3, too. */
GUEST(user_cpuid)
{
	static const u8 code[] = { 0x31, 0xc0, 0x0f, 0xa2, 0x89, 0xd8, 0xcd, USER_VECTOR };

	trap_clear();
	EXPECT(user_run(code, sizeof(code), 2), cpuid(0, 0).ebx);
	EXPECT_NO_TRAP();
}
