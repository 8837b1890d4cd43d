/* SPDX-License-Identifier: MIT */
/*
 * The runtime of the 64-bit guests: reports, exceptions, ports, MSRs, the local APIC, other CPUs.
 */
#ifndef TESTS_GUEST_GUEST_H
#define TESTS_GUEST_GUEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "abi.h"

typedef uint8_t u8;
typedef uint16_t u16;
typedef uint32_t u32;
typedef uint64_t u64;

#define MAX_CPUS 4
#define VECTORS 256
#define PAGE 4096ull
#define USER_BASE 0x600000ull
#define USER_VECTOR 0x40

/* ---- what makes a guest ---- */

#define ADDRESS_OF(thing) ((u64)(uintptr_t)(thing))

#define GUEST_ENTRY(name_, entry_, text_, mode_, end_, cpus_, hyperv_) \
	static const struct {                                          \
		const char *name;                                      \
		void (*entry)(void);                                   \
		const char *text;                                      \
		u32 mode, end, cpus, hyperv;                           \
	} entry_##entry_                                               \
		__attribute__((section(".table"), aligned(8),          \
			       used)) = { name_, entry_, text_, mode_, end_, cpus_, hyperv_ }

/* A 64-bit guest that begins here and ends by returning. */
#define GUEST(name)                                                \
	static void name(void);                                    \
	GUEST_ENTRY(#name, name, NULL, MODE_LONG, END_EXIT, 1, 0); \
	static void name(void)
#define GUEST_SMP(name, cpus)                                         \
	static void name(void);                                       \
	GUEST_ENTRY(#name, name, NULL, MODE_LONG, END_EXIT, cpus, 0); \
	static void name(void)
/* In a VM that speaks for Hyper-V, too. */
#define GUEST_HYPERV(name, cpus)                                      \
	static void name(void);                                       \
	GUEST_ENTRY(#name, name, NULL, MODE_LONG, END_EXIT, cpus, 1); \
	static void name(void)
/* One that is to end otherwise. */
#define GUEST_ENDS(name, end, text)                           \
	static void name(void);                               \
	GUEST_ENTRY(#name, name, text, MODE_LONG, end, 1, 0); \
	static void name(void)

extern volatile struct guest_info guest_info;

void report(const struct report *r);
void guest_exit(void) __attribute__((noreturn));
void guest_skip(const char *why) __attribute__((noreturn));

#define EXPECT_RANGE(expr, low, high)                                                     \
	report(&(const struct report){ (u64)(expr), (u64)(low), (u64)(high),              \
				       (u32)ADDRESS_OF(#expr), (u32)ADDRESS_OF(__FILE__), \
				       __LINE__, 0 })
#define EXPECT(expr, want)                                      \
	do {                                                    \
		const u64 expect_want_ = (u64)(want);           \
		EXPECT_RANGE(expr, expect_want_, expect_want_); \
	} while (0)
#define EXPECT_TRUE(expr) EXPECT(!!(expr), 1)

/* The devices' accesses since the last look. */
void access_forget(void);
u64 access_count(void);
struct device_access access_at(u64 n);

/* Ask the runner for something. */
u64 host_call(enum host_op op, u64 arg0, u64 arg1, u64 arg2);
bool on_kvm(void);
bool on_intel(void);
/* QEMU's CPU leaves some checks out; a guest that needs them says so by guest_skip. */
bool on_qemu(void);

/* ---- exceptions and interrupts ---- */

struct frame {
	u64 r15, r14, r13, r12, r11, r10, r9, r8, rdi, rsi, rbp, rbx, rdx, rcx, rax;
	u64 vector, error, rip, cs, rflags, rsp, ss;
};

struct trap {
	u64 count; /* since trap_clear */
	u64 vector, error, rip, cr2, rflags, dr6;
};

struct cpu {
	struct cpu *self;
	u64 user_rsp;	 /* start.S: %gs:8 */
	u64 call_return; /* where a fault in call_at goes on */
	u32 id;
	struct trap trap;
	u32 work; /* a call is in progress */
};

/* Called on the interrupted stack; the default is a fixup, else the guest fails. */
typedef void irq_fn(struct frame *f);

void cpu_init(u32 id);
void ap_main(u32 id);
void trap(struct frame *f);
void set_handler(unsigned int vector, irq_fn *fn);
/* The vector's gate: present or not, DPL, interrupt stack (0: none). */
void set_gate(unsigned int vector, bool present, unsigned int dpl, unsigned int ist);
extern u8 stubs[], trap_iret[], user_return[], trampoline[], gdt_pointer[], image_end[];
extern u64 gdt[], pml4[], pdpt[], page_dir[];
extern u8 stacks[];

static inline struct cpu *this_cpu(void)
{
	struct cpu *cpu;

	__asm__ volatile("mov %%gs:0, %0" : "=r"(cpu));
	return cpu;
}

#define NO_TRAP (~0ull)

static inline struct trap *trap_clear(void)
{
	struct trap *t = &this_cpu()->trap;

	*t = (struct trap){ .vector = NO_TRAP };
	__asm__ volatile("" ::: "memory");
	return t;
}

/*
 * An instruction that may fault, inside an asm: the exception handler notes it in this_cpu()->trap
 * and goes on behind it.
 */
#define TRY(insn)                       \
	"771: " insn "\n772:\n"         \
	".pushsection .fixups, \"a\"\n" \
	".quad 771b, 772b\n"            \
	".popsection\n"

/* EXPECT what the asm that the caller has just executed did. */
#define EXPECT_TRAP(vec, err)                         \
	do {                                          \
		EXPECT(this_cpu()->trap.vector, vec); \
		EXPECT(this_cpu()->trap.error, err);  \
	} while (0)
#define EXPECT_NO_TRAP() EXPECT(this_cpu()->trap.vector, NO_TRAP)

enum {
	VEC_DE = 0,
	VEC_DB = 1,
	VEC_NMI = 2,
	VEC_BP = 3,
	VEC_UD = 6,
	VEC_NM = 7,
	VEC_DF = 8,
	VEC_TS = 10,
	VEC_NP = 11,
	VEC_SS = 12,
	VEC_GP = 13,
	VEC_PF = 14,
	VEC_MF = 16,
	VEC_AC = 17,
	VEC_XM = 19,
};

/* Run code at CPL 3 until its `int $0x40`; returns its RAX. */
u64 user_call(u64 rip, u64 rsp, u64 rflags, u64 cs, u64 ss);
/* Copy code to the user's pages and run it there. */
u64 user_run(const void *code, size_t bytes, u64 rflags);

/* ---- instructions ---- */

#define RFLAGS_CF (1ull << 0)
#define RFLAGS_ZF (1ull << 6)
#define RFLAGS_TF (1ull << 8)
#define RFLAGS_IF (1ull << 9)
#define RFLAGS_DF (1ull << 10)
#define RFLAGS_RF (1ull << 16)
#define RFLAGS_AC (1ull << 18)

static inline void out8(u16 port, u8 v)
{
	__asm__ volatile("outb %0, %1" : : "a"(v), "Nd"(port));
}

static inline void out16(u16 port, u16 v)
{
	__asm__ volatile("outw %0, %1" : : "a"(v), "Nd"(port));
}

static inline void out32(u16 port, u32 v)
{
	__asm__ volatile("outl %0, %1" : : "a"(v), "Nd"(port) : "memory");
}

static inline u64 read_cr0(void)
{
	u64 v;

	__asm__ volatile("mov %%cr0, %0" : "=r"(v));
	return v;
}

static inline u64 read_cr2(void)
{
	u64 v;

	__asm__ volatile("mov %%cr2, %0" : "=r"(v));
	return v;
}

static inline u64 read_cr3(void)
{
	u64 v;

	__asm__ volatile("mov %%cr3, %0" : "=r"(v));
	return v;
}

static inline u64 read_cr4(void)
{
	u64 v;

	__asm__ volatile("mov %%cr4, %0" : "=r"(v));
	return v;
}

static inline u64 read_cr8(void)
{
	u64 v;

	__asm__ volatile("mov %%cr8, %0" : "=r"(v));
	return v;
}

static inline u64 read_dr6(void)
{
	u64 v;

	__asm__ volatile("mov %%dr6, %0" : "=r"(v));
	return v;
}

/* These may fault: look at this_cpu()->trap. */
static inline void write_cr0(u64 v)
{
	trap_clear();
	__asm__ volatile(TRY("mov %0, %%cr0") : : "r"(v) : "memory");
}

static inline void write_cr3(u64 v)
{
	trap_clear();
	__asm__ volatile(TRY("mov %0, %%cr3") : : "r"(v) : "memory");
}

static inline void write_cr4(u64 v)
{
	trap_clear();
	__asm__ volatile(TRY("mov %0, %%cr4") : : "r"(v) : "memory");
}

static inline void write_cr8(u64 v)
{
	trap_clear();
	__asm__ volatile(TRY("mov %0, %%cr8") : : "r"(v) : "memory");
}

static inline u64 rdmsr(u32 index)
{
	u32 low = 0, high = 0;

	trap_clear();
	__asm__ volatile(TRY("rdmsr") : "+a"(low), "+d"(high) : "c"(index) : "memory");
	return low | (u64)high << 32;
}

static inline void wrmsr(u32 index, u64 v)
{
	trap_clear();
	__asm__ volatile(TRY("wrmsr") : : "a"((u32)v), "d"((u32)(v >> 32)), "c"(index) : "memory");
}

static inline u64 xgetbv0(void)
{
	u32 low, high;

	__asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
	return low | (u64)high << 32;
}

static inline void xsetbv(u32 index, u64 v)
{
	trap_clear();
	__asm__ volatile(TRY("xsetbv") : : "a"((u32)v), "d"((u32)(v >> 32)), "c"(index));
}

struct cpuid {
	u32 eax, ebx, ecx, edx;
};

static inline struct cpuid cpuid(u32 leaf, u32 subleaf)
{
	struct cpuid r;

	__asm__ volatile("cpuid"
			 : "=a"(r.eax), "=b"(r.ebx), "=c"(r.ecx), "=d"(r.edx)
			 : "a"(leaf), "c"(subleaf));
	return r;
}

static inline u64 rdtsc(void)
{
	u32 low, high;

	__asm__ volatile("lfence; rdtsc" : "=a"(low), "=d"(high) : : "memory");
	return low | (u64)high << 32;
}

static inline void sti(void)
{
	__asm__ volatile("sti" ::: "memory");
}

static inline void cli(void)
{
	__asm__ volatile("cli" ::: "memory");
}

static inline void pause(void)
{
	__asm__ volatile("pause" ::: "memory");
}

/* Interrupts on only while halted: none is lost between the look and the HLT. */
static inline void sti_hlt_cli(void)
{
	__asm__ volatile("sti; hlt; cli" ::: "memory");
}

static inline void invlpg(u64 va)
{
	__asm__ volatile("invlpg (%0)" : : "r"(va) : "memory");
}

#define MSR_TSC 0x10
#define MSR_APIC_BASE 0x1b
#define MSR_PAT 0x277
#define MSR_TSC_DEADLINE 0x6e0
#define MSR_EFER 0xc0000080
#define MSR_STAR 0xc0000081
#define MSR_LSTAR 0xc0000082
#define MSR_CSTAR 0xc0000083
#define MSR_SFMASK 0xc0000084
#define MSR_FS_BASE 0xc0000100
#define MSR_GS_BASE 0xc0000101
#define MSR_KERNEL_GS_BASE 0xc0000102
#define MSR_TSC_AUX 0xc0000103

#define EFER_SCE (1ull << 0)
#define EFER_LME (1ull << 8)
#define EFER_LMA (1ull << 10)
#define EFER_NXE (1ull << 11)

#define CR0_PE (1ull << 0)
#define CR0_MP (1ull << 1)
#define CR0_EM (1ull << 2)
#define CR0_TS (1ull << 3)
#define CR0_ET (1ull << 4)
#define CR0_NE (1ull << 5)
#define CR0_WP (1ull << 16)
#define CR0_AM (1ull << 18)
#define CR0_NW (1ull << 29)
#define CR0_CD (1ull << 30)
#define CR0_PG (1ull << 31)

#define CR4_TSD (1ull << 2)
#define CR4_DE (1ull << 3)
#define CR4_PSE (1ull << 4)
#define CR4_PAE (1ull << 5)
#define CR4_PGE (1ull << 7)
#define CR4_OSFXSR (1ull << 9)
#define CR4_OSXMMEXCPT (1ull << 10)
#define CR4_UMIP (1ull << 11)
#define CR4_VMXE (1ull << 13)
#define CR4_FSGSBASE (1ull << 16)
#define CR4_PCIDE (1ull << 17)
#define CR4_OSXSAVE (1ull << 18)
#define CR4_SMEP (1ull << 20)
#define CR4_SMAP (1ull << 21)

/* ---- the local APIC ---- */

#define APIC_BASE 0xfee00000ull
#define APIC_ID 0x20
#define APIC_VERSION 0x30
#define APIC_TPR 0x80
#define APIC_PPR 0xa0
#define APIC_EOI 0xb0
#define APIC_LDR 0xd0
#define APIC_DFR 0xe0
#define APIC_SVR 0xf0
#define APIC_ISR 0x100
#define APIC_TMR 0x180
#define APIC_IRR 0x200
#define APIC_ESR 0x280
#define APIC_ICR 0x300
#define APIC_ICR_HIGH 0x310
#define APIC_LVT_TIMER 0x320
#define APIC_LVT_LINT0 0x350
#define APIC_LVT_LINT1 0x360
#define APIC_LVT_ERROR 0x370
#define APIC_TIMER_INIT 0x380
#define APIC_TIMER_COUNT 0x390
#define APIC_TIMER_DIVIDE 0x3e0
#define MSR_X2APIC 0x800
#define MSR_X2APIC_ICR 0x830
#define MSR_X2APIC_SELF 0x83f

#define LVT_MASKED (1u << 16)
#define LVT_PERIODIC (1u << 17)
#define LVT_DEADLINE (2u << 17)
#define ICR_NMI (4u << 8)
#define ICR_INIT (5u << 8)
#define ICR_SIPI (6u << 8)
#define ICR_LOGICAL (1u << 11)
#define ICR_ASSERT (1u << 14)
#define ICR_SELF (1u << 18)
#define ICR_ALL (2u << 18)
#define ICR_OTHERS (3u << 18)

u32 apic_read(u32 reg);
void apic_write(u32 reg, u32 v);
/* In the mode that the APIC is in. */
void apic_enable(void);
void x2apic_enable(void);
void apic_eoi(void);
void apic_ipi(u32 to, u32 command);
void apic_self(u32 vector);
/* The first leaf of KVM's interface. */
u32 kvm_leaf(void);
/* TSC ticks in a millisecond, from CPUID. */
u64 tsc_per_ms(void);
void delay_ms(u64 ms);

/* Interrupts that came by count_irq, by vector, in order of arrival. */
extern volatile u32 irq_count[VECTORS];
extern volatile u32 irq_total;
extern volatile u8 irq_order[64];
extern volatile u64 irq_rip;
void count_irq(struct frame *f);
/* Wait for irq_total to reach count by HLT, at most ms; false: it did not. */
bool wait_irqs(u32 count, u64 ms);

/* ---- other CPUs ---- */

/*
 * Start all of them (INIT, SIPI, SIPI); they wait for work. Returns how many came. Switches
 * interrupts on, as cpu_wait does; the others do their work with interrupts on, too.
 */
u32 start_cpus(void);
/* Have CPU id call fn(arg); wait with cpu_wait. */
void cpu_call(u32 id, void (*fn)(void *), void *arg);
bool cpu_wait(u32 id, u64 ms);

/* ---- memory ---- */

/* A zeroed page of RAM, one to one, that nothing has touched. */
void *page_alloc(void);
void *memset(void *to, int v, size_t bytes);
void *memcpy(void *to, const void *from, size_t bytes);

#define PTE_P (1ull << 0)
#define PTE_W (1ull << 1)
#define PTE_U (1ull << 2)
#define PTE_PWT (1ull << 3)
#define PTE_PCD (1ull << 4)
#define PTE_A (1ull << 5)
#define PTE_D (1ull << 6)
#define PTE_PS (1ull << 7)
#define PTE_G (1ull << 8)
#define PTE_NX (1ull << 63)
#define PTE_ADDRESS 0x000ffffffffff000ull

/* Page-fault error codes: SDM 3A 4.7 "Page-Fault Exceptions". */
#define PF_P 1u
#define PF_W 2u
#define PF_U 4u
#define PF_R 8u
#define PF_I 16u

/* RAM that page_alloc does not give. */
#define HEAP_FREE 0xc00000ull
/* Where guests may map what they like. */
#define VA_FREE 0x100000000ull

/* The entry of va at a level (1: 4 KiB), tables made as needed. */
u64 *pte_of(u64 va, unsigned int level);
void map_page(u64 va, u64 pa, u64 flags);
/* A new page at va, present and writable; returns its one-to-one address. */
u64 *map_new_page(u64 va);
/* 8 bytes at va, which may fault: see this_cpu()->trap. */
u64 peek(u64 va);
u64 poke(u64 va, u64 value);
/* Call the code at va; a fault returns to the caller. Returns the trap's vector. */
u64 call_at(u64 va);

#define MMIO(type, offset) (*(volatile type *)(uintptr_t)(MMIO_GPA + (offset)))

#endif
