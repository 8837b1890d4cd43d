/* SPDX-License-Identifier: MIT */
/* Guests: debug registers, breakpoints, single steps, also over instructions that exit. */
#include "guest.h"

#define DR6_RESET 0xffff0ff0ull
#define DR6_BS (1ull << 14)
#define DR6_BD (1ull << 13)
#define DR7_RESET 0x400ull
#define DR7_GD (1ull << 13)
#define DR7_L(n) (1ull << (2 * (n)))
#define DR7_WRITE(n, bytes) ((1ull | ((bytes)-1) << 2) << (16 + 4 * (n)))
#define DR7_ACCESS(n, bytes) ((3ull | ((bytes)-1) << 2) << (16 + 4 * (n)))
#define LEAF1_ECX_XSAVE (1u << 26)

#define READ_DR(n)                                                 \
	({                                                         \
		u64 v_;                                            \
		__asm__ volatile("mov %%dr" #n ", %0" : "=r"(v_)); \
		v_;                                                \
	})
#define WRITE_DR(n, v)                                                                 \
	do {                                                                           \
		trap_clear();                                                          \
		__asm__ volatile(TRY("mov %0, %%dr" #n) : : "r"((u64)(v)) : "memory"); \
	} while (0)

#define HITS 32

static struct {
	u32 count;
	u64 rip[HITS], dr6[HITS];
} hit;

/* Notes the hit; the instruction of an execution breakpoint is executed by RF. */
static void on_db(struct frame *f)
{
	u64 dr6 = read_dr6();

	if (hit.count < HITS) {
		hit.rip[hit.count] = f->rip;
		hit.dr6[hit.count] = dr6;
	}
	/* One that comes again and again ends here. */
	if (++hit.count == HITS)
		WRITE_DR(7, 0);
	if (dr6 & 0xf)
		f->rflags |= RFLAGS_RF;
	__asm__ volatile("mov %0, %%dr6" : : "r"(DR6_RESET));
}

static void begin(void)
{
	hit.count = 0;
	set_handler(VEC_DB, on_db);
	WRITE_DR(6, DR6_RESET);
}

GUEST(dr_registers)
{
	EXPECT(READ_DR(0), 0);
	EXPECT(READ_DR(6), DR6_RESET);
	EXPECT(READ_DR(7), DR7_RESET);
	WRITE_DR(0, 0x1111111111111111);
	WRITE_DR(1, 0xffff888000001234);
	WRITE_DR(2, 0x12345);
	WRITE_DR(3, ~0ull);
	EXPECT_NO_TRAP();
	out8(PORT_NOBODY, 0);
	cpuid(0, 0);
	EXPECT(READ_DR(0), 0x1111111111111111);
	EXPECT(READ_DR(1), 0xffff888000001234);
	EXPECT(READ_DR(2), 0x12345);
	EXPECT(READ_DR(3), ~0ull);
	WRITE_DR(7, 0x2aa);
	EXPECT(READ_DR(7), 0x2aa | DR7_RESET);
	WRITE_DR(7, 0);
	WRITE_DR(6, 0);
	EXPECT(READ_DR(6), DR6_RESET);
	WRITE_DR(7, 1ull << 32);
	EXPECT_TRAP(VEC_GP, 0);
	WRITE_DR(6, 1ull << 32);
	EXPECT_TRAP(VEC_GP, 0);
}

/* Their values are kept over a sleep of the vCPU's thread. */
GUEST(dr_kept)
{
	WRITE_DR(0, 0xabcdef);
	WRITE_DR(3, 0x123456);
	host_call(CALL_SLEEP, 20, 0, 0);
	EXPECT(READ_DR(0), 0xabcdef);
	EXPECT(READ_DR(3), 0x123456);
	EXPECT(READ_DR(7), DR7_RESET);
}

/* Without CR4.DE, DR4 and DR5 are DR6 and DR7; with it they do not exist. */
GUEST(dr_aliases)
{
	trap_clear();
	EXPECT(READ_DR(5), DR7_RESET);
	EXPECT_NO_TRAP();
	write_cr4(read_cr4() | CR4_DE);
	WRITE_DR(5, 0);
	EXPECT_TRAP(VEC_UD, 0);
	WRITE_DR(4, 0);
	EXPECT_TRAP(VEC_UD, 0);
}

__attribute__((noinline)) static void target(void)
{
	__asm__ volatile("nop");
}

GUEST(breakpoint_execute)
{
	begin();
	WRITE_DR(0, ADDRESS_OF(target));
	WRITE_DR(7, DR7_L(0));
	target();
	target();
	target();
	WRITE_DR(7, 0);
	target();
	EXPECT(hit.count, 3);
	EXPECT(hit.rip[0], ADDRESS_OF(target));
	EXPECT(hit.dr6[0], DR6_RESET | 1);
}

GUEST(breakpoint_data)
{
	u64 place[2] __attribute__((aligned(16))) = { 0, 0 }, after, v;

	begin();
	WRITE_DR(1, ADDRESS_OF(&place[0]));
	WRITE_DR(2, ADDRESS_OF(&place[1]));
	WRITE_DR(7, DR7_L(1) | DR7_WRITE(1, 4) | DR7_L(2) | DR7_ACCESS(2, 2));
	/* A trap: RIP is behind the instruction. */
	__asm__ volatile("movl $1, (%1)\n1: lea 1b(%%rip), %0"
			 : "=&r"(after)
			 : "r"(&place[0])
			 : "memory");
	EXPECT(hit.count, 1);
	EXPECT(hit.rip[0], after);
	EXPECT(hit.dr6[0], DR6_RESET | 2);
	/* Reading does not match "write", and bytes beyond the length do not match. */
	__asm__ volatile("movl (%1), %k0" : "=r"(v) : "r"(&place[0]));
	__asm__ volatile("movl $2, 4(%0)" : : "r"(&place[0]) : "memory");
	EXPECT(hit.count, 1);
	__asm__ volatile("movb 1(%1), %b0" : "=q"(v) : "r"(&place[1]));
	EXPECT(hit.count, 2);
	EXPECT(hit.dr6[1], DR6_RESET | 4);
	WRITE_DR(7, 0);
	__asm__ volatile("movl $3, (%0)" : : "r"(&place[0]) : "memory");
	EXPECT(hit.count, 2);
}

/* General detect: an access to a debug register is itself a #DB. */
GUEST(breakpoint_general_detect)
{
	if (on_qemu())
		guest_skip("QEMU has no general detect");
	WRITE_DR(7, DR7_GD);
	trap_clear();
	__asm__ volatile(TRY("mov %%dr0, %%rax") : : : "rax");
	EXPECT(this_cpu()->trap.vector, VEC_DB);
	/* The CPU has cleared GD on the way into the handler. */
	EXPECT(READ_DR(7), DR7_RESET);
	EXPECT(READ_DR(6) & DR6_BD, DR6_BD);
}

/* Execute one instruction under TF; the trap must come right behind it. */
#define STEP(insn, ...)                                                         \
	do {                                                                    \
		u64 want_;                                                      \
		begin();                                                        \
		__asm__ volatile("pushf\n"                                      \
				 "orl $0x100, (%%rsp)\n"                        \
				 "popf\n" insn "\n"                             \
				 "1: pushf\n"                                   \
				 "andl $~0x100, (%%rsp)\n"                      \
				 "popf\n"                                       \
				 "lea 1b(%%rip), %0"                            \
				 : "=&r"(want_)                                 \
				 : __VA_ARGS__                                  \
				 : "memory", "cc", "rax", "rbx", "rdx", "rdi"); \
		EXPECT(hit.rip[0], want_);                                      \
		EXPECT(hit.dr6[0], DR6_RESET | DR6_BS);                         \
		/* The insn, then PUSHF, ANDL, POPF of the end. */              \
		EXPECT(hit.count, 4);                                           \
	} while (0)

GUEST(step_plain)
{
	STEP("nop", "r"(0ull));
	STEP("mov $5, %%eax", "r"(0ull));
}

GUEST(step_over_exits)
{
	STEP("cpuid", "c"(0));
	STEP("rdmsr", "c"(MSR_PAT));
	STEP("mov %%cr8, %%rax", "r"(0ull));
	STEP("wbinvd", "r"(0ull));
	/* Its trap ends it, also without interrupts. */
	STEP("hlt", "r"(0ull));
	/* QEMU forgets the step over PAUSE. */
	if (!on_qemu())
		STEP("pause", "r"(0ull));
}

GUEST(step_over_user_exits)
{
	STEP("outb %%al, $0xe0", "r"(0ull));
	STEP("inb $0xe0, %%al", "r"(0ull));
	STEP("movl (%1), %%eax", "r"(MMIO_GPA + 0ull));
	STEP("movl $7, (%1)", "r"(MMIO_GPA + 0ull));
	STEP("addl $7, (%1)", "r"(MMIO_GPA + 0ull));
	EXPECT(MMIO(u32, 0), 14);
}

/* Each iteration of a repeated string instruction is a step. */
GUEST(step_over_strings)
{
	static const u8 data[3] = { 1, 2, 3 };
	u64 si = ADDRESS_OF(data), di = MMIO_GPA, cx = 3, rip, i;

	begin();
	access_forget();
	hit.count = 0;
	__asm__ volatile("pushf\n"
			 "orl $0x100, (%%rsp)\n"
			 "popf\n"
			 "1: rep movsb\n"
			 "pushf\n"
			 "andl $~0x100, (%%rsp)\n"
			 "popf\n"
			 "lea 1b(%%rip), %3"
			 : "+S"(si), "+D"(di), "+c"(cx), "=&r"(rip)
			 :
			 : "memory", "cc");
	EXPECT(hit.count, 6);
	for (i = 0; i < 2; i++)
		EXPECT(hit.rip[i], rip);
	EXPECT(hit.rip[2], rip + 2);
	EXPECT(access_count(), 3);
}

/* An exception clears TF for its handler; the step goes on behind the IRET. */
GUEST(step_over_exception)
{
	begin();
	trap_clear();
	__asm__ volatile("pushf\n"
			 "orl $0x100, (%%rsp)\n"
			 "popf\n" TRY("ud2") "nop\n"
					     "pushf\n"
					     "andl $~0x100, (%%rsp)\n"
					     "popf"
			 :
			 :
			 : "memory", "cc");
	EXPECT(this_cpu()->trap.vector, VEC_UD);
	EXPECT(this_cpu()->trap.rflags & RFLAGS_TF, RFLAGS_TF);
	/* NOP, PUSHF, ANDL, POPF */
	EXPECT(hit.count, 4);
}

/* MOV SS holds the trap back for one instruction. */
GUEST(step_over_mov_ss)
{
	u64 want;

	begin();
	__asm__ volatile("mov %%ss, %%edx\n"
			 "pushf\n"
			 "orl $0x100, (%%rsp)\n"
			 "popf\n"
			 "mov %%edx, %%ss\n"
			 "cpuid\n"
			 "1: pushf\n"
			 "andl $~0x100, (%%rsp)\n"
			 "popf\n"
			 "lea 1b(%%rip), %0"
			 : "=&r"(want)
			 :
			 : "memory", "cc", "rax", "rbx", "rcx", "rdx");
	EXPECT(hit.rip[0], want);
	EXPECT(hit.count, 4);
}

static u64 frame_at; /* of the RIP that a #DB pushes */

static void on_first_db(struct frame *f)
{
	if (frame_at)
		guest_exit();
	frame_at = ADDRESS_OF(&f->rip);
	f->rflags &= ~(u64)RFLAGS_TF;
}

/* #DBs whose delivery writes to a breakpoint: the CPU does nothing else (CVE-2015-8104). */
GUEST_ENDS(breakpoint_loop, END_LOOP, NULL)
{
	if (on_qemu())
		guest_skip("QEMU has no breakpoints on what deliveries write");
	set_handler(VEC_DB, on_first_db);
	set_gate(VEC_DB, true, 0, 1);
	__asm__ volatile("pushf\n"
			 "orl $0x100, (%%rsp)\n"
			 "popf\n"
			 "nop"
			 :
			 :
			 : "memory", "cc");
	WRITE_DR(0, frame_at);
	WRITE_DR(7, DR7_RESET | DR7_L(0) | DR7_WRITE(0, 8));
	__asm__ volatile("movq $0, (%0)" : : "r"(frame_at) : "memory");
	guest_exit();
}

/* ICEBP is a #DB that no register announces. */
GUEST(icebp)
{
	u64 want;

	if (on_qemu())
		guest_skip("QEMU has no ICEBP");
	begin();
	__asm__ volatile(".byte 0xf1\n1: lea 1b(%%rip), %0" : "=r"(want));
	EXPECT(hit.count, 1);
	EXPECT(hit.rip[0], want);
	EXPECT(hit.dr6[0], DR6_RESET);
}
