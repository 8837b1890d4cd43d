/* SPDX-License-Identifier: MIT */
/* Guests: real mode. Segments CS, DS, ES start at the image, FS, GS, SS at 0. */
#define BASE 0x10000
#include "macros.def"

#define SEG 0x1000
#define FLAGS_IF 0x200
#define FLAGS_OF 0x800
#define MSR_APIC_BASE 0x1b
#define MSR_X2APIC_EOI 0x80b
#define MSR_X2APIC_SVR 0x80f
#define MSR_X2APIC_ICR 0x830
#define MSR_X2APIC_TIMER 0x832
#define MSR_X2APIC_COUNT 0x838
#define MSR_X2APIC_DIVIDE 0x83e
#define MSR_X2APIC_SELF 0x83f
#define ICR_NMI 0x4400

	.section .real, "ax"
	.code16

	/* The vector's entry of the table at 0. */
	.macro	on_vector vector, handler
	movl	$\handler + SEG * 0x10000 - BASE, %fs:4 * (\vector)
	.endm

	/* The instruction must end in on_fault, once, with IP at the instruction. */
	.macro	faults line, insn:vararg
	movw	$772f - BASE, resume - BASE
	movl	$0, hits - BASE
771:	\insn
772:	movzwl	fault_ip - BASE, %eax
	subl	$771b - BASE, %eax
	expect	0, \line, BASE
	movl	hits - BASE, %eax
	expect	1, \line, BASE
	.endm
#define FAULTS(...) faults __LINE__, __VA_ARGS__

	.macro	set_msr index, low
	movl	$\index, %ecx
	movl	$\low, %eax
	xorl	%edx, %edx
	wrmsr
	.endm

/* A fault: go on at `resume`. */
on_fault:
	push	%bp
	mov	%sp, %bp
	push	%eax
	incl	hits - BASE
	mov	2(%bp), %ax
	mov	%ax, fault_ip - BASE
	mov	resume - BASE, %ax
	mov	%ax, 2(%bp)
	pop	%eax
	pop	%bp
	iret

/* A trap or a software interrupt: notes FLAGS as they are here. */
on_trap:
	pushf
	incl	hits - BASE
	popw	trap_flags - BASE
	iret

on_irq:
	push	%eax
	push	%ecx
	push	%edx
	incl	hits - BASE
	set_msr	MSR_X2APIC_EOI, 0
	pop	%edx
	pop	%ecx
	pop	%eax
	iret

	guest	real_start, MODE_REAL
	pushf
	pop	%ax
	movzwl	%ax, %eax
	EXPECT(2)
	xor	%eax, %eax
	mov	%cs, %ax
	EXPECT(SEG)
	mov	%ds, %ax
	EXPECT(SEG)
	mov	%ss, %ax
	EXPECT(0)
	mov	%sp, %ax
	EXPECT(0x8000)
	mov	%cr0, %eax
	EXPECT(0x10)
	smsw	%ax
	EXPECT(0x10)
	/* Operands of 32 bits exist. */
	mov	$0x12345678, %ebx
	push	%ebx
	pop	%ax
	EXPECT(0x5678)
	pop	%ax
	EXPECT(0x1234)
	FINISH

	guest	real_segments, MODE_REAL
	movl	$0x12345678, %fs:0x7000
	mov	$0x700, %ax
	mov	%ax, %gs
	EXPECT_OF(%gs:0, 0x12345678)
	mov	$0x6ff, %ax
	mov	%ax, %gs
	EXPECT_OF(%gs:0x10, 0x12345678)
	/* Above 1 MiB with A20 on: not the same as the bottom. */
	movl	$0x11111111, %fs:0x7010
	mov	$0xffff, %ax
	mov	%ax, %gs
	movl	$0x22222222, %gs:0x7020
	EXPECT_OF(%fs:0x7010, 0x11111111)
	EXPECT_OF(%gs:0x7020, 0x22222222)
	/* Another CS for the same code. */
	xor	%eax, %eax
	lcall	$SEG + 0x10, $real_cs - BASE - 0x100
	EXPECT(SEG + 0x10)
	mov	%cs, %ax
	EXPECT(SEG)
	FINISH
real_cs:
	mov	%cs, %ax
	lret

	guest	real_exits, MODE_REAL
	xor	%eax, %eax
	xor	%ebx, %ebx
	cpuid
	test	%ebx, %ebx
	setnz	%al
	movzx	%al, %eax
	EXPECT(1)
	rdtsc
	mov	%eax, %ebx
	rdtsc
	cmp	%ebx, %eax
	setae	%al
	movzx	%al, %eax
	EXPECT(1)
	wbinvd
	set_msr	0x277, 0x07040600
	mov	$0x277, %ecx
	rdmsr
	EXPECT(0x07040600)
	mov	$0x44332211, %eax
	mov	$PORT_RAM, %dx
	out	%eax, %dx
	mov	$-1, %eax
	in	%dx, %al
	EXPECT(0xffffff11)
	in	%dx, %ax
	EXPECT(0xffff2211)
	in	%dx, %eax
	EXPECT(0x44332211)
	mov	$PORT_NOBODY, %dx
	in	%dx, %al
	EXPECT(0x443322ff)
	mov	$0x777, %eax
	mov	%eax, %cr2
	mov	%cr2, %eax
	EXPECT(0x777)
	mov	%eax, %dr1
	mov	%dr1, %eax
	EXPECT(0x777)
	FINISH

	guest	real_strings, MODE_REAL
	mov	$PORT_RAM, %dx
	/* SI is of 16 bits, whatever is above. */
	mov	$0xabcd0000, %esi
	mov	$real_bytes - BASE, %si
	mov	$0x55550004, %ecx
	cld
	rep outsb
	movzwl	%si, %eax
	sub	$real_bytes - BASE, %ax
	EXPECT(4)
	EXPECT_OF(%ecx, 0x55550000)
	shr	$16, %esi
	EXPECT_OF(%esi, 0xabcd)
	in	%dx, %al
	movzx	%al, %eax
	EXPECT(0x44)
	/* By another segment, two bytes, downwards. */
	movl	$0x88776655, %fs:0x7000
	mov	$0x7002, %si
	mov	$2, %cx
	std
	rep outsw %fs:(%si), %dx
	cld
	movzwl	%si, %eax
	EXPECT(0x6ffe)
	in	%dx, %ax
	EXPECT(0x6655)
	/* INS writes to ES:DI. */
	xor	%ax, %ax
	mov	%ax, %es
	mov	$0x7100, %edi
	mov	$2, %cx
	movl	$0, %fs:0x7100
	movl	$0, %fs:0x7104
	mov	$0xcafebabe, %eax
	out	%eax, %dx
	rep insl
	EXPECT_OF(%fs:0x7100, 0xcafebabe)
	EXPECT_OF(%fs:0x7104, 0xcafebabe)
	EXPECT_OF(%edi, 0x7108)
	/* Addresses of 32 bits. */
	mov	$0x7200, %edi
	mov	$3, %ecx
	addr32 rep insb
	EXPECT_OF(%edi, 0x7203)
	EXPECT_OF(%ecx, 0)
	movl	%fs:0x71ff, %eax
	shr	$8, %eax
	EXPECT(0xbebebe)
	FINISH
real_bytes:
	.byte	0x11, 0x22, 0x33, 0x44

	guest	real_interrupts, MODE_REAL
	on_vector 0x60, on_trap
	on_vector 3, on_trap
	on_vector 4, on_trap
	sti
	int	$0x60
	EXPECT_OF(hits - BASE, 1)
	/* Off in the handler, on behind it. */
	movzwl	trap_flags - BASE, %eax
	and	$FLAGS_IF, %eax
	EXPECT(0)
	pushf
	pop	%ax
	and	$FLAGS_IF, %eax
	EXPECT(FLAGS_IF)
	int3
	EXPECT_OF(hits - BASE, 2)
	into
	EXPECT_OF(hits - BASE, 2)
	mov	$0x7f, %al
	add	$1, %al
	into
	EXPECT_OF(hits - BASE, 3)
	movzwl	%sp, %eax
	EXPECT(0x8000)
	FINISH

/* Exceptions have no error code here, neither the CPU's nor those that are injected. */
	guest	real_exceptions, MODE_REAL
	on_vector 0, on_fault
	on_vector 6, on_fault
	on_vector 13, on_fault
	xor	%bx, %bx
	FAULTS(div %bx)
	FAULTS(ud2)
	mov	$0x12345, %ecx
	FAULTS(rdmsr)
	FAULTS(wrmsr)
	FAULTS(vmxoff)
	FAULTS(stgi)
	movzwl	%sp, %eax
	EXPECT(0x8000)
	FINISH

	guest	real_limits, MODE_REAL
	skip_on_qemu "QEMU checks no segment limits"
	on_vector 13, on_fault
	FAULTS(mov %fs:0xfffe, %eax)
	mov	$0xfffd, %bx
	FAULTS(mov %eax, %fs:(%bx))
	FAULTS(addr32 mov %eax, %fs:0x10000)
	mov	%fs:0xfffc, %eax
	EXPECT_OF(hits - BASE, 1)
	FINISH

	guest	real_apic, MODE_REAL
	on_vector 0x61, on_irq
	on_vector 0x62, on_irq
	on_vector 2, on_trap
	mov	$MSR_APIC_BASE, %ecx
	rdmsr
	or	$0xc00, %eax
	wrmsr
	set_msr	MSR_X2APIC_SVR, 0x1ff
	set_msr	MSR_X2APIC_SELF, 0x61
	EXPECT_OF(hits - BASE, 0)
	sti
	nop
	nop
	cli
	EXPECT_OF(hits - BASE, 1)
	set_msr	MSR_X2APIC_DIVIDE, 0xb
	set_msr	MSR_X2APIC_TIMER, 0x62
	set_msr	MSR_X2APIC_COUNT, 1000000
	sti
	hlt
	cli
	EXPECT_OF(hits - BASE, 2)
	set_msr	MSR_X2APIC_ICR, ICR_NMI
	nop
	nop
	EXPECT_OF(hits - BASE, 3)
	FINISH

/* Segments keep the limits of protected mode: MMIO by 16-bit code. */
	guest	real_unreal, MODE_REAL
	lgdtl	gdt_pointer - BASE
	mov	%cr0, %eax
	or	$1, %al
	mov	%eax, %cr0
	mov	$SEL_DATA, %bx
	mov	%bx, %gs
	and	$0xfe, %al
	mov	%eax, %cr0
	mov	$MMIO_GPA, %ebx
	movl	$0x12345678, %gs:(%ebx)
	EXPECT_OF(%gs:(%ebx), 0x12345678)
	movzbl	%gs:1(%ebx), %eax
	EXPECT(0x56)
	incw	%gs:(%ebx)
	mov	$-1, %eax
	mov	%gs:(%ebx), %ax
	EXPECT(0xffff5679)
	mov	$0x77, %ah
	mov	%ah, %gs:3(%ebx)
	EXPECT_OF(%gs:(%ebx), 0x77345679)
	mov	$3, %ecx
	lea	1(%ebx), %esi
	mov	$0x7100, %edi
	xor	%ax, %ax
	mov	%ax, %es
	addr32 rep movsb %gs:(%esi), %es:(%edi)
	mov	%fs:0x7100, %eax
	and	$0xffffff, %eax
	EXPECT(0x773456)
	FINISH

	guest	real_triple_fault, MODE_REAL, END_SHUTDOWN
	lidtl	no_idt - BASE
	int3
	FINISH

	guest	real_loop, MODE_REAL, END_LOOP
	sti
	jmp	.

	guest	real_halt, MODE_REAL, END_LOOP
	cli
	hlt
	FINISH

	.section .real.data, "aw"
	.balign	4
no_idt:
	.word	0
	.long	0
	.balign	4
hits:
	.long	0
resume:
	.word	0
fault_ip:
	.word	0
trap_flags:
	.word	0
	.section .note.GNU-stack, "", @progbits
