/* SPDX-License-Identifier: MIT */
/* Guests: exceptions, their error codes, nesting, delivery to untouched pages, the end of all. */
#include "guest.h"

#define NOT_CANONICAL 0x0000800000000000ull

/* Execute an instruction that faults: RIP of the trap is the instruction's. */
#define FAULTS(vec, err, insn, ...)                                \
	do {                                                       \
		u64 rip_;                                          \
		trap_clear();                                      \
		__asm__ volatile("lea 771f(%%rip), %0\n" TRY(insn) \
				 : "=&r"(rip_)                     \
				 : __VA_ARGS__                     \
				 : "memory", "cc", "rax", "rdx");  \
		EXPECT_TRAP(vec, err);                             \
		EXPECT(this_cpu()->trap.rip, rip_);                \
		EXPECT(this_cpu()->trap.count, 1);                 \
	} while (0)

GUEST(exceptions_plain)
{
	FAULTS(VEC_DE, 0, "div %1", "r"(0ull));
	FAULTS(VEC_UD, 0, "ud2", "r"(0ull));
	FAULTS(VEC_GP, 0, "mov (%1), %%eax", "r"(NOT_CANONICAL));
	FAULTS(VEC_GP, 0, "lock addl $1, (%1)", "r"(NOT_CANONICAL));
}

GUEST(exceptions_stack)
{
	if (on_qemu())
		guest_skip("QEMU takes #SS for #GP");
	FAULTS(VEC_SS, 0, "mov (%%rsp,%1), %%eax", "r"(NOT_CANONICAL));
}

/* Error codes that name a selector: SDM 3A 6.13 "Error Code". */
GUEST(exceptions_selector)
{
	FAULTS(VEC_GP, SEL_TSS, "mov %w1, %%ds", "r"(SEL_TSS));
	FAULTS(VEC_GP, 0x1ff8, "mov %w1, %%es", "r"(0x1ff8));
	FAULTS(VEC_NP, SEL_ABSENT, "mov %w1, %%ds", "r"(SEL_ABSENT));
	FAULTS(VEC_SS, SEL_ABSENT, "mov %w1, %%ss", "r"(SEL_ABSENT));
	FAULTS(VEC_GP, SEL_CODE64, "mov %w1, %%ss", "r"(SEL_CODE64));
	FAULTS(VEC_GP, 0x18 & ~7, "ltr %w1", "r"(SEL_CODE32));
}

/* INT n through a gate that is absent, or not for users: IDT bit and vector. */
GUEST(exceptions_gate)
{
	static const u8 code[] = { 0xcd, 0x80 };

	if (on_qemu())
		guest_skip("QEMU writes another error code");
	trap_clear();
	user_run(code, sizeof(code), 2);
	EXPECT_TRAP(VEC_GP, 0x80 * 8 + 2);
	EXPECT(this_cpu()->trap.rip, USER_BASE);
	set_gate(0x42, false, 0, 0);
	FAULTS(VEC_NP, 0x42 * 8 + 2, "int $0x42", "r"(0ull));
}

GUEST(exceptions_page)
{
	u64 *page = map_new_page(VA_FREE);

	FAULTS(VEC_PF, 0, "mov (%1), %%eax", "r"(VA_FREE + PAGE));
	EXPECT(this_cpu()->trap.cr2, VA_FREE + PAGE);
	FAULTS(VEC_PF, PF_W, "movb $1, 5(%1)", "r"(VA_FREE + PAGE));
	EXPECT(this_cpu()->trap.cr2, VA_FREE + PAGE + 5);
	map_page(VA_FREE, ADDRESS_OF(page), PTE_P);
	FAULTS(VEC_PF, PF_P | PF_W, "movb $1, (%1)", "r"(VA_FREE));
	write_cr0(read_cr0() & ~CR0_WP);
	trap_clear();
	__asm__ volatile(TRY("movb $1, (%0)") : : "r"(VA_FREE) : "memory");
	EXPECT_NO_TRAP();
	write_cr0(read_cr0() | CR0_WP);
	/* An access across two pages names the one that is absent. */
	map_page(VA_FREE, ADDRESS_OF(page), PTE_P | PTE_W);
	FAULTS(VEC_PF, 0, "mov (%1), %%rax", "r"(VA_FREE + PAGE - 4));
	EXPECT(this_cpu()->trap.cr2, VA_FREE + PAGE);
}

GUEST(exceptions_page_reserved)
{
	u64 *page = page_alloc();

	if (on_qemu())
		guest_skip("QEMU forgets the P bit of the error code");
	map_page(VA_FREE, ADDRESS_OF(page) | 1ull << 51, PTE_P | PTE_W);
	FAULTS(VEC_PF, PF_P | PF_R, "mov (%1), %%eax", "r"(VA_FREE));
	FAULTS(VEC_PF, PF_P | PF_R | PF_W, "movb $1, (%1)", "r"(VA_FREE));
}

GUEST(exceptions_page_fetch)
{
	u64 *page = map_new_page(VA_FREE);

	*(u8 *)page = 0xc3; /* ret */
	EXPECT(call_at(VA_FREE), NO_TRAP);
	map_page(VA_FREE, ADDRESS_OF(page), PTE_P | PTE_NX);
	EXPECT(call_at(VA_FREE), VEC_PF);
	EXPECT(this_cpu()->trap.error, PF_P | PF_I);
	EXPECT(this_cpu()->trap.cr2, VA_FREE);
	EXPECT(this_cpu()->trap.rip, VA_FREE);
	EXPECT(call_at(VA_FREE + PAGE), VEC_PF);
	EXPECT(this_cpu()->trap.error, PF_I);
	EXPECT(peek(VA_FREE), *page);
}

GUEST(exceptions_user)
{
	static const u8 read_kernel[] = { 0xa1, 0, 0, 1, 0, 0, 0, 0, 0, 0xcd, USER_VECTOR };
	static const u8 write_kernel[] = { 0xa3, 0, 0, 1, 0, 0, 0, 0, 0, 0xcd, USER_VECTOR };
	static const u8 jump_kernel[] = { 0x68, 0, 0, 1, 0, 0xc3 };
	static const u8 breakpoint[] = { 0xcc };

	trap_clear();
	user_run(read_kernel, sizeof(read_kernel), 2);
	EXPECT_TRAP(VEC_PF, PF_P | PF_U);
	EXPECT(this_cpu()->trap.cr2, 0x10000);
	trap_clear();
	user_run(write_kernel, sizeof(write_kernel), 2);
	EXPECT_TRAP(VEC_PF, PF_P | PF_U | PF_W);
	trap_clear();
	user_run(jump_kernel, sizeof(jump_kernel), 2);
	/* The NX bit is enabled, so that fetches are told. */
	EXPECT_TRAP(VEC_PF, PF_P | PF_U | PF_I);
	EXPECT(this_cpu()->trap.rip, 0x10000);
	trap_clear();
	user_run(breakpoint, sizeof(breakpoint), 2);
	EXPECT_TRAP(VEC_BP, 0);
	EXPECT(this_cpu()->trap.rip, USER_BASE + 1);
}

GUEST(exceptions_alignment)
{
	/* mov eax, [USER_BASE + 0x101] */
	static const u8 code[] = { 0xa1, 0x01, 0x01, 0x60, 0, 0, 0, 0, 0, 0xcd, USER_VECTOR };

	if (on_qemu())
		guest_skip("QEMU has no #AC");
	write_cr0(read_cr0() | CR0_AM);
	trap_clear();
	user_run(code, sizeof(code), 2);
	EXPECT_NO_TRAP();
	user_run(code, sizeof(code), 2 | RFLAGS_AC);
	EXPECT_TRAP(VEC_AC, 0);
	EXPECT(this_cpu()->trap.rip, USER_BASE);
}

GUEST(exceptions_sse)
{
	static const float zero, one = 1;
	u32 mxcsr = 0x1f80 & ~0x200u;

	if (on_qemu())
		guest_skip("QEMU has no #XM");
	/* Division by zero unmasked. */
	__asm__ volatile("ldmxcsr %0" : : "m"(mxcsr));
	__asm__ volatile("movss %0, %%xmm0" : : "m"(one));
	FAULTS(VEC_XM, 0, "divss (%1), %%xmm0", "r"(&zero));
	mxcsr = 0x1f80;
	__asm__ volatile("ldmxcsr %0" : : "m"(mxcsr));
}

GUEST(exceptions_x87)
{
	static const float zero;
	u16 control = 0x37f & ~4;

	/* The error of one instruction comes with the next. */
	__asm__ volatile("fninit\nfldcw %0\nfld1\nfdivs %1" : : "m"(control), "m"(zero));
	FAULTS(VEC_MF, 0, "fwait", "r"(0ull));
	__asm__ volatile("fninit");
}

static struct {
	u32 count;
	u64 rip;
} trapped;

static void on_trap(struct frame *f)
{
	trapped.count++;
	trapped.rip = f->rip;
}

/* Traps: RIP is behind the instruction. */
GUEST(traps)
{
	u64 rip;

	set_handler(VEC_BP, on_trap);
	set_handler(0x77, on_trap);
	__asm__ volatile("int3\n1: lea 1b(%%rip), %0" : "=r"(rip) : : "memory");
	EXPECT(trapped.count, 1);
	EXPECT(trapped.rip, rip);
	__asm__ volatile("int $0x77\n1: lea 1b(%%rip), %0" : "=r"(rip) : : "memory");
	EXPECT(trapped.count, 2);
	EXPECT(trapped.rip, rip);
	__asm__ volatile("int $3\n1: lea 1b(%%rip), %0" : "=r"(rip) : : "memory");
	EXPECT(trapped.count, 3);
	EXPECT(trapped.rip, rip);
}

/* ---- delivery to a stack that the nested tables do not map yet ---- */

/* An instruction with RSP at the end of a page that was never touched. */
#define ON_NEW_STACK(insn)                                                            \
	do {                                                                          \
		trap_clear();                                                         \
		__asm__ volatile("mov %%rsp, %%r12\n"                                 \
				 "lea 4096(%0), %%rsp\n" TRY(insn) "mov %%r12, %%rsp" \
				 :                                                    \
				 : "r"(untouched()), "d"(NOT_CANONICAL)               \
				 : "r12", "memory", "cc", "rax", "rcx");              \
	} while (0)

/* One page each 64 KiB, so that no neighbour brings it along. */
static u64 untouched(void)
{
	static u64 next = HEAP_FREE;

	return next += 0x10000;
}

GUEST(delivery_faults)
{
	ON_NEW_STACK("ud2");
	EXPECT_TRAP(VEC_UD, 0);
	EXPECT(this_cpu()->trap.count, 1);
	ON_NEW_STACK("mov (%%rdx), %%eax");
	EXPECT_TRAP(VEC_GP, 0);
	ON_NEW_STACK("movabs 0x100000000, %%eax");
	EXPECT_TRAP(VEC_PF, 0);
	EXPECT(this_cpu()->trap.cr2, VA_FREE);
	EXPECT(this_cpu()->trap.count, 1);
}

/* A fault that the shim injects itself. */
GUEST(delivery_injected)
{
	trap_clear();
	__asm__ volatile("mov %%rsp, %%r12\n"
			 "lea 4096(%0), %%rsp\n" TRY("rdmsr") "mov %%r12, %%rsp"
			 :
			 : "r"(untouched()), "c"(0x12345)
			 : "r12", "memory", "rax", "rdx");
	EXPECT_TRAP(VEC_GP, 0);
	EXPECT(this_cpu()->trap.count, 1);
}

GUEST(delivery_software)
{
	u64 rip;

	set_handler(VEC_BP, on_trap);
	set_handler(0x77, on_trap);
	__asm__ volatile("mov %%rsp, %%r12\n"
			 "lea 4096(%1), %%rsp\n"
			 "int $0x77\n"
			 "1: mov %%r12, %%rsp\n"
			 "lea 1b(%%rip), %0"
			 : "=&r"(rip)
			 : "r"(untouched())
			 : "r12", "memory");
	EXPECT(trapped.count, 1);
	EXPECT(trapped.rip, rip);
	__asm__ volatile("mov %%rsp, %%r12\n"
			 "lea 4096(%1), %%rsp\n"
			 "int3\n"
			 "1: mov %%r12, %%rsp\n"
			 "lea 1b(%%rip), %0"
			 : "=&r"(rip)
			 : "r"(untouched())
			 : "r12", "memory");
	EXPECT(trapped.count, 2);
	EXPECT(trapped.rip, rip);
}

GUEST(delivery_interrupt)
{
	apic_enable();
	set_handler(0x51, count_irq);
	__asm__ volatile("mov %%rsp, %%r12\n"
			 "lea 4096(%0), %%rsp\n"
			 "movl %2, (%1)\n"
			 "sti\n"
			 "nop\n"
			 "nop\n"
			 "cli\n"
			 "mov %%r12, %%rsp"
			 :
			 : "r"(untouched()), "r"(APIC_BASE + APIC_ICR),
			   "i"(ICR_SELF | ICR_ASSERT | 0x51)
			 : "r12", "memory");
	EXPECT(irq_count[0x51], 1);
	__asm__ volatile("mov %%rsp, %%r12\n"
			 "lea 4096(%0), %%rsp\n"
			 "movl %2, (%1)\n"
			 "nop\n"
			 "mov %%r12, %%rsp"
			 :
			 : "r"((set_handler(VEC_NMI, count_irq), untouched())),
			   "r"(APIC_BASE + APIC_ICR), "i"(ICR_ASSERT | ICR_NMI)
			 : "r12", "memory");
	EXPECT(irq_count[VEC_NMI], 1);
}

/* ---- nesting ---- */

static u32 depth;

static void on_nested(struct frame *f)
{
	depth++;
	/* Another fault inside the handler; its fixup brings us back. */
	if (depth < 5)
		__asm__ volatile("mov $0x5a, %%eax\nint $0x78" : : : "rax", "memory");
	trap_clear();
	__asm__ volatile(TRY("ud2"));
	EXPECT(this_cpu()->trap.vector, VEC_UD);
}

GUEST(nested_faults)
{
	set_handler(0x78, on_nested);
	__asm__ volatile("int $0x78" : : : "memory");
	EXPECT(depth, 5);
}

static void on_double_fault(struct frame *f)
{
	struct cpu *cpu = this_cpu();

	cpu->trap.vector = f->vector;
	cpu->trap.error = f->error;
	cpu->trap.count++;
	f->rip = cpu->call_return;
	f->rsp = cpu->user_rsp;
}

GUEST(double_fault)
{
	struct cpu *cpu = this_cpu();

	set_handler(VEC_DF, on_double_fault);
	trap_clear();
	/* The stack is absent: #PF while #PF is delivered. */
	__asm__ volatile("lea 1f(%%rip), %%rax\n"
			 "mov %%rax, %0\n"
			 "mov %%rsp, %1\n"
			 "mov $0x100003000, %%rsp\n"
			 "push %%rax\n"
			 "1:\n"
			 : "=m"(cpu->call_return), "=m"(cpu->user_rsp)
			 :
			 : "rax", "memory");
	cpu->call_return = 0;
	EXPECT_TRAP(VEC_DF, 0);
	EXPECT(cpu->trap.count, 1);
	/* The gate of #GP is absent: #NP while #GP is delivered. */
	set_gate(VEC_GP, false, 0, 0);
	trap_clear();
	__asm__ volatile("lea 1f(%%rip), %%rax\n"
			 "mov %%rax, %0\n"
			 "mov %%rsp, %1\n"
			 "mov (%2), %%eax\n"
			 "1:\n"
			 : "=m"(cpu->call_return), "=m"(cpu->user_rsp)
			 : "r"(NOT_CANONICAL)
			 : "rax", "memory");
	cpu->call_return = 0;
	EXPECT_TRAP(VEC_DF, 0);
}

/* The same, by a #GP that the shim injects. */
GUEST(double_fault_injected)
{
	struct cpu *cpu = this_cpu();

	if (on_qemu())
		guest_skip("QEMU forgets that an injected exception is one");
	set_handler(VEC_DF, on_double_fault);
	set_gate(VEC_GP, false, 0, 0);
	trap_clear();
	__asm__ volatile("lea 1f(%%rip), %%rax\n"
			 "mov %%rax, %0\n"
			 "mov %%rsp, %1\n"
			 "rdmsr\n"
			 "1:\n"
			 : "=m"(cpu->call_return), "=m"(cpu->user_rsp)
			 : "c"(0x12345)
			 : "rax", "rdx", "memory");
	cpu->call_return = 0;
	EXPECT_TRAP(VEC_DF, 0);
}

static void load_empty_idt(void)
{
	static const struct {
		u16 limit;
		u64 base;
	} __attribute__((packed)) none = { 0, 0 };

	__asm__ volatile("lidt %0" : : "m"(none));
}

GUEST_ENDS(triple_fault, END_SHUTDOWN, NULL)
{
	load_empty_idt();
	__asm__ volatile("ud2");
}

GUEST_ENDS(triple_fault_injected, END_SHUTDOWN, NULL)
{
	load_empty_idt();
	__asm__ volatile("rdmsr" : : "c"(0x12345) : "rax", "rdx");
}

GUEST_ENDS(loop_forever, END_LOOP, NULL)
{
	sti();
	for (;;)
		__asm__ volatile("" ::: "memory");
}

/* The same with interrupts off: "_cli" in a name, as hosts in Bochs hang then (see guests.sh). */
GUEST_ENDS(loop_forever_cli, END_LOOP, NULL)
{
	cli();
	for (;;)
		__asm__ volatile("" ::: "memory");
}

GUEST_ENDS(loop_of_exits, END_LOOP, NULL)
{
	sti();
	for (;;)
		cpuid(0, 0);
}

GUEST_ENDS(loop_of_exits_cli, END_LOOP, NULL)
{
	cli();
	for (;;)
		cpuid(0, 0);
}

GUEST_ENDS(halt_forever, END_LOOP, NULL)
{
	__asm__ volatile("cli; hlt");
	guest_exit();
}

/* #UD whose handler's first instruction is a #UD: the CPU is busy with exceptions only. */
GUEST_ENDS(loop_of_exceptions, END_LOOP, NULL)
{
	set_handler(VEC_UD, on_trap);
	sti();
	__asm__ volatile("1: ud2\njmp 1b");
	guest_exit();
}

/* ---- IRET and system calls ---- */

GUEST(iret_refused)
{
	trap_clear();
	__asm__ volatile("mov %%rsp, %%r12\n"
			 "push %0\n"
			 "push %%r12\n"
			 "pushf\n"
			 "push %1\n"
			 "lea 1f(%%rip), %%rax\n"
			 "push %%rax\n" TRY("iretq") "1: mov %%r12, %%rsp"
			 :
			 : "r"((u64)SEL_DATA), "r"((u64)SEL_TSS)
			 : "r12", "rax", "memory", "cc");
	EXPECT_TRAP(VEC_GP, SEL_TSS);
}

GUEST(syscall_sysret)
{
	/* mov r12, rsp (kept); syscall; mov eax, ebx; int 0x40 */
	static const u8 code[] = { 0xbb, 0x21, 0x43, 0x65, 0x07,       0x0f,
				   0x05, 0x89, 0xd8, 0xcd, USER_VECTOR };
	u64 entry;

	__asm__ volatile("lea 1f(%%rip), %0\n"
			 "jmp 2f\n"
			 /* The kernel's side: back at once. RCX is the user's RIP. */
			 "1: sysretq\n"
			 "2:"
			 : "=r"(entry));
	wrmsr(MSR_EFER, rdmsr(MSR_EFER) | EFER_SCE);
	wrmsr(MSR_LSTAR, entry);
	wrmsr(MSR_SFMASK, RFLAGS_TF | RFLAGS_IF);
	/* SYSCALL: CS, SS = 8, 0x10; SYSRET: SS = 0x30 + 8, CS = 0x30 + 16. */
	wrmsr(MSR_STAR, (u64)(SEL_USER_CODE32 | 3) << 48 | (u64)SEL_CODE64 << 32);
	trap_clear();
	EXPECT(user_run(code, sizeof(code), 2), 0x07654321);
	EXPECT_NO_TRAP();
}
