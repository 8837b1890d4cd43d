/* SPDX-License-Identifier: MIT */
/* Guests: x87, SSE and AVX state over exits, sleeps, other vCPUs and host threads that compute. */
#include "guest.h"

#define LEAF1_ECX_XSAVE (1u << 26)
#define LEAF1_ECX_AVX (1u << 28)
#define REGISTERS 16
#define MXCSR_RESET 0x1f80
#define FCW_RESET 0x37f
#define CPUS 4

struct vectors {
	u8 reg[REGISTERS][32];
} __attribute__((aligned(64)));

static struct vectors want[CPUS], found[CPUS];

#define FOR_REGISTERS(X) \
	X(0) X(1) X(2) X(3) X(4) X(5) X(6) X(7) X(8) X(9) X(10) X(11) X(12) X(13) X(14) X(15)
#define LOAD_SSE(n) "movdqa " #n "*32(%[want]), %%xmm" #n "\n"
#define STORE_SSE(n) "movdqa %%xmm" #n ", " #n "*32(%[found])\n"
#define LOAD_AVX(n) "vmovdqa " #n "*32(%[want]), %%ymm" #n "\n"
#define STORE_AVX(n) "vmovdqa %%ymm" #n ", " #n "*32(%[found])\n"

/* Fill the registers, do what may change them, and look: 0 when all are as they were. */
#define KEEPS(load, store, insn, ...)                                                     \
	({                                                                                \
		struct vectors *w_ = &want[this_cpu()->id], *f_ = &found[this_cpu()->id]; \
		u64 bad_ = 0, i_;                                                         \
		memset(f_, 0, sizeof(*f_));                                               \
		__asm__ volatile(FOR_REGISTERS(load) insn "\n" FOR_REGISTERS(store)       \
				 :                                                        \
				 : [want] "r"(w_), [found] "r"(f_), __VA_ARGS__           \
				 : "memory", "cc", "rax", "rbx", "rcx", "rdx");           \
		for (i_ = 0; i_ < sizeof(*w_); i_++)                                      \
			bad_ += ((u8 *)w_)[i_] != ((u8 *)f_)[i_];                         \
		bad_;                                                                     \
	})
#define KEEPS_SSE(insn, ...) KEEPS(LOAD_SSE, STORE_SSE, insn, __VA_ARGS__)
#define KEEPS_AVX(insn, ...) KEEPS(LOAD_AVX, STORE_AVX, insn, __VA_ARGS__)

static void fill(u64 seed, u32 bytes)
{
	struct vectors *w = &want[this_cpu()->id];
	u32 i, j;

	for (i = 0; i < REGISTERS; i++)
		for (j = 0; j < sizeof(w->reg[i]); j++)
			w->reg[i][j] = j < bytes ? (u8)(seed * 37 + i * 11 + j * 3 + 1) : 0;
}

static void enable_avx(void *arg)
{
	write_cr4(read_cr4() | CR4_OSXSAVE);
	xsetbv(0, 7);
}

static void need_avx(void)
{
	const u32 both = LEAF1_ECX_XSAVE | LEAF1_ECX_AVX;

	if ((cpuid(1, 0).ecx & both) != both)
		guest_skip("the CPU has no AVX");
	enable_avx(NULL);
	EXPECT_NO_TRAP();
}

GUEST(fpu_reset)
{
	u32 mxcsr = 0;
	u16 control = 0, status = 1;

	__asm__ volatile("stmxcsr %0\nfnstcw %1\nfnstsw %2"
			 : "=m"(mxcsr), "=m"(control), "=m"(status));
	EXPECT(mxcsr, MXCSR_RESET);
	/* The reset value is 0x40, the library starts with FNINIT's. */
	EXPECT(control | 0x33f, FCW_RESET);
	EXPECT(status, 0);
	fill(0, 0);
	__asm__ volatile(FOR_REGISTERS(STORE_SSE) : : [found] "r"(&found[0]) : "memory");
	for (mxcsr = 0; mxcsr < REGISTERS; mxcsr++)
		EXPECT(*(u64 *)found[0].reg[mxcsr], 0);
}

GUEST(fpu_sse)
{
	fill(1, 16);
	EXPECT(KEEPS_SSE("xor %%eax, %%eax\ncpuid", "r"(0ull)), 0);
	EXPECT(KEEPS_SSE("outb %%al, $0xe0", "r"(0ull)), 0);
	EXPECT(KEEPS_SSE("movl $1, (%2)", "r"(MMIO_GPA + 0ull)), 0);
	EXPECT(KEEPS_SSE("incl (%2)", "r"(MMIO_GPA + 0ull)), 0);
	EXPECT(KEEPS_SSE("mov %2, %%ecx\nrdmsr", "r"(MSR_PAT)), 0);
}

/* The vCPU's thread sleeps, and the host's threads compute. */
GUEST(fpu_sse_sleep)
{
	struct host_call call = { .op = CALL_SLEEP, .arg = { 30 } };

	fill(2, 16);
	host_call(CALL_AVX_START, 0, 0, 0);
	EXPECT(KEEPS_SSE("mov %k2, %%eax\nmov %3, %%edx\noutl %%eax, %%dx", "r"(&call),
			 "i"(PORT_CALL)),
	       0);
	EXPECT(host_call(CALL_AVX_STOP, 0, 0, 0), 0);
}

GUEST(fpu_avx)
{
	need_avx();
	fill(3, 32);
	EXPECT(KEEPS_AVX("xor %%eax, %%eax\ncpuid", "r"(0ull)), 0);
	EXPECT(KEEPS_AVX("outb %%al, $0xe0", "r"(0ull)), 0);
	EXPECT(KEEPS_AVX("movl $1, (%2)", "r"(MMIO_GPA + 0ull)), 0);
	/* The upper halves outlive their being switched off. */
	EXPECT(KEEPS_AVX("mov $3, %%eax\nxor %%ecx, %%ecx\nxor %%edx, %%edx\nxsetbv\n"
			 "outb %%al, $0xe0\n"
			 "mov $7, %%eax\nxor %%ecx, %%ecx\nxor %%edx, %%edx\nxsetbv",
			 "r"(0ull)),
	       0);
	/* And so they do without CR4.OSXSAVE. */
	EXPECT(KEEPS_AVX("mov %%cr4, %%rax\nmov %%rax, %%rbx\nand %2, %%eax\nmov %%rax, %%cr4\n"
			 "outb %%al, $0xe0\n"
			 "mov %%rbx, %%cr4",
			 "i"(~(u32)CR4_OSXSAVE)),
	       0);
}

/* Both sides compute at once; neither sees the other. */
GUEST(fpu_avx_and_host)
{
	struct host_call stop = { .op = CALL_AVX_STOP };
	u64 end, bad = 0, n = 0;

	need_avx();
	host_call(CALL_AVX_START, 0, 0, 0);
	end = rdtsc() + 200 * tsc_per_ms();
	while (rdtsc() < end) {
		fill(n++, 32);
		bad += KEEPS_AVX("mov $3000, %%ecx\n1: pause\ndec %%ecx\njnz 1b\n"
				 "outb %%al, $0xe0",
				 "r"(0ull));
	}
	out32(PORT_CALL, (u32)ADDRESS_OF(&stop));
	EXPECT(bad, 0);
	EXPECT(stop.ret, 0);
	EXPECT_TRUE(stop.arg[0] > 0);
	EXPECT_TRUE(n > 1);
}

GUEST(fpu_controls)
{
	u32 mxcsr = MXCSR_RESET | 0x6000, back = 0;
	u16 control = FCW_RESET | 0xc00, control_back = 0;
	double tenth = 0, one = 1, ten = 10;

	__asm__ volatile("ldmxcsr %0\nfldcw %1" : : "m"(mxcsr), "m"(control));
	host_call(CALL_SLEEP, 5, 0, 0);
	__asm__ volatile("stmxcsr %0\nfnstcw %1" : "=m"(back), "=m"(control_back));
	EXPECT(back, mxcsr);
	EXPECT(control_back, control);
	/* The x87 stack: 1 / 10, with an exit in between. */
	/* ST(1) = ST(0) / ST(1), whatever AT&T's assemblers call it. */
	__asm__ volatile("fldl %1\n"
			 "outb %%al, $0xe0\n"
			 "fldl %2\n"
			 "outb %%al, $0xe0\n"
			 ".byte 0xde, 0xf1\n"
			 "fstpl %0"
			 : "=m"(tenth)
			 : "m"(ten), "m"(one));
	/* Towards zero, SDM 1 4.8.4. */
	EXPECT(*(u64 *)&tenth, 0x3fb9999999999999);
}

/* XSAVE and XRSTOR by the guest itself. */
GUEST(fpu_xsave)
{
	u8 *area = page_alloc();

	need_avx();
	fill(5, 32);
	EXPECT(KEEPS_AVX("mov $7, %%eax\nxor %%edx, %%edx\nxsave64 (%2)\n"
			 "vzeroall\n"
			 "outb %%al, $0xe0\n"
			 "mov $7, %%eax\nxor %%edx, %%edx\nxrstor64 (%2)",
			 "r"(area)),
	       0);
	EXPECT(*(u64 *)(area + 512) & 6, 6);
}

static volatile u64 wrong;

static void compute(void *arg)
{
	u64 i;

	for (i = 0; i < 40; i++) {
		fill(i * 5 + this_cpu()->id, 16);
		if (KEEPS_SSE("mov $300, %%ecx\n1: pause\ndec %%ecx\njnz 1b\noutb %%al, $0xe0",
			      "r"(0ull)))
			__atomic_add_fetch(&wrong, 1, __ATOMIC_SEQ_CST);
	}
}

GUEST_SMP(smp_fpu, CPUS)
{
	u32 id;

	EXPECT(start_cpus(), CPUS - 1);
	for (id = 1; id < CPUS; id++)
		cpu_call(id, compute, NULL);
	compute(NULL);
	for (id = 1; id < CPUS; id++)
		EXPECT_TRUE(cpu_wait(id, 20000));
	EXPECT(wrong, 0);
}
