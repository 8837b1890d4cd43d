/* SPDX-License-Identifier: MIT */
/* Guests: compatibility mode, 32 and 16 bits under long mode, in the kernel and at CPL 3. */
#include "guest.h"

#define COMPAT_CODE 0x7000ull

/*
 * Far-call code in another code segment; it ends with a RETF of 32 bits. Returns its EAX.
 */
static u64 far_call(u16 selector, u64 offset)
{
	struct {
		u32 offset;
		u16 selector;
	} __attribute__((packed)) to = { (u32)offset, selector };
	u64 ret;

	/* The callee keeps but the lower halves of registers. */
	__asm__ volatile("lcall *%1"
			 : "=a"(ret)
			 : "m"(to)
			 : "rbx", "rcx", "rdx", "rsi", "rdi", "memory", "cc");
	return (u32)ret;
}

/* Code of 32 bits in place, whose linear address the asm gives. */
#define CODE32(name, body)                                 \
	extern const u8 name[];                            \
	__asm__(".pushsection .text\n"                     \
		".code32\n" #name ":\n" body "\n.code64\n" \
		".popsection")

CODE32(code_plain, "mov $41, %ecx\n"
		   ".byte 0x41\n" /* inc ecx, or a prefix */
		   "mov %ecx, %eax\n"
		   "lret");
CODE32(code_efer, "mov $0xc0000080, %ecx\nrdmsr\nlret");
CODE32(code_cpuid, "xor %eax, %eax\ncpuid\nmov %ebx, %eax\nlret");
CODE32(code_ports, "mov $0x600, %edx\n"
		   "mov $0x44332211, %eax\n"
		   "out %eax, %dx\n"
		   "xor %eax, %eax\n"
		   "in %dx, %ax\n"
		   "lret");
CODE32(code_strings, "mov $0x600, %edx\n"
		     "mov $0x7100, %edi\n"
		     "mov $2, %ecx\n"
		     "rep insl\n"
		     "mov $0x7102, %esi\n"
		     "mov $3, %ecx\n"
		     "rep outsb\n"
		     "lea (%esi, %edi), %eax\n"
		     "lret");
CODE32(code_mmio, "mov $0xd0000000, %ebx\n"
		  "movl $0x12345678, (%ebx)\n"
		  "incl (%ebx)\n"
		  "mov $0xab, %ah\n"
		  "mov %ah, 3(%ebx)\n"
		  "movl 0xd0000000, %eax\n"
		  "lret");
CODE32(code_unknown_msr, "mov $0x12345, %ecx\n"
			 ".globl compat_fault\n"
			 "compat_fault: rdmsr\n"
			 "lret");
CODE32(code_wrap, "mov $0xffffffff, %ebx\n"
		  "mov 0x7101(%ebx), %eax\n"
		  "lret");
extern const u8 compat_fault[];

GUEST(compat_kernel)
{
	EXPECT(far_call(SEL_CODE32, ADDRESS_OF(code_plain)), 42);
	EXPECT(far_call(SEL_CODE32, ADDRESS_OF(code_efer)), EFER_LME | EFER_LMA | EFER_NXE);
	EXPECT(far_call(SEL_CODE32, ADDRESS_OF(code_cpuid)), cpuid(0, 0).ebx);
	EXPECT(far_call(SEL_CODE32, ADDRESS_OF(code_ports)), 0x2211);
	EXPECT(far_call(SEL_CODE32, ADDRESS_OF(code_mmio)), 0xab345679);
}

GUEST(compat_strings)
{
	out32(PORT_RAM, 0x44332211);
	EXPECT(far_call(SEL_CODE32, ADDRESS_OF(code_strings)), 0x7105 + 0x7108);
	EXPECT(*(volatile u32 *)(uintptr_t)0x7104, 0x44332211);
	access_forget();
	out8(PORT_RAM + 1, 0);
	EXPECT(access_count(), 1);
}

/* Addresses wrap at 4 GiB. */
GUEST(compat_wrap)
{
	*(volatile u32 *)(uintptr_t)0x7100 = 0x13579bdf;
	EXPECT(far_call(SEL_CODE32, ADDRESS_OF(code_wrap)), 0x13579bdf);
}

static u64 faults, fault_rip, fault_cs;

static void on_gp(struct frame *f)
{
	faults++;
	fault_rip = f->rip;
	fault_cs = f->cs;
	f->rip += 2; /* RDMSR */
}

GUEST(compat_exception)
{
	set_handler(VEC_GP, on_gp);
	far_call(SEL_CODE32, ADDRESS_OF(code_unknown_msr));
	EXPECT(faults, 1);
	EXPECT(fault_rip, ADDRESS_OF(compat_fault));
	EXPECT(fault_cs, SEL_CODE32);
}

/* 16 bits: `mov ax, 0x1234; mov dx, 0x600; out dx, ax; cpuid; mov ax, 0x5678; retf` with o32. */
GUEST(compat_16)
{
	static const u8 code[] = { 0xb8, 0x34, 0x12, 0xba, 0x00, 0x06, 0xef, 0x0f, 0xa2,
				   0x66, 0xb8, 0x78, 0x56, 0x34, 0x12, 0x66, 0xcb };
	u8 *at = (u8 *)(uintptr_t)(COMPAT_CODE);
	u64 saved = gdt[SEL_CODE16 / 8];
	u16 v;

	/* The segment begins below the image. */
	gdt[SEL_CODE16 / 8] = saved & ~0x000000ffffff0000ull;
	memcpy(at, code, sizeof(code));
	EXPECT(far_call(SEL_CODE16, COMPAT_CODE), 0x12345678);
	__asm__ volatile("inw %%dx, %%ax" : "=a"(v) : "d"(PORT_RAM));
	EXPECT(v, 0x1234);
	gdt[SEL_CODE16 / 8] = saved;
}

/* At CPL 3: `mov ecx, 41; inc ecx; mov esi, ecx; cpuid; mov eax, esi; int 0x40`. */
GUEST(compat_user)
{
	static const u8 code[] = { 0xb9, 41,   0,    0,	   0,	 0x41, 0x89,
				   0xce, 0x0f, 0xa2, 0x89, 0xf0, 0xcd, USER_VECTOR };
	static const u8 port[] = { 0xe4, 0x60 };

	memcpy((void *)USER_BASE, code, sizeof(code));
	trap_clear();
	EXPECT(user_call(USER_BASE, USER_BASE + 0x10000, 2, SEL_USER_CODE32 | 3, SEL_USER_DATA | 3),
	       42);
	EXPECT_NO_TRAP();
	memcpy((void *)USER_BASE, port, sizeof(port));
	trap_clear();
	user_call(USER_BASE, USER_BASE + 0x10000, 2, SEL_USER_CODE32 | 3, SEL_USER_DATA | 3);
	EXPECT_TRAP(VEC_GP, 0);
	EXPECT(this_cpu()->trap.rip, USER_BASE);
}
