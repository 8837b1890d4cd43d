/* SPDX-License-Identifier: MIT */
/*
 * The guest of exits.c: 64-bit, identity-mapped, loaded at 1 MiB. For each test it tells the host
 * the number (port 0x10), does the thing SAMPLES times, leaving the TSC's difference of each at
 * BUFFER, and tells the end (port 0x11).
 */
#define SAMPLES 256
#define BUFFER 0x200000
#define MMIO 0xd0000000
#define TOUCH 0x40000000 /* memory that nobody has touched */
#define TOUCH_PRESENT 0x50000000 /* memory that the host has touched */
#define VECTOR 0x40

#define PORT_BEGIN 0x10
#define PORT_END 0x11
#define PORT_WORK 0x12 /* handled at once */
#define PORT_WAKE 0x13 /* another thread of the host sends an MSI */
#define PORT_EXIT 0x14

#define MSR_APIC_BASE 0x1b
#define MSR_TSC_DEADLINE 0x6e0
#define MSR_X2APIC_SVR 0x80f
#define MSR_X2APIC_EOI 0x80b
#define MSR_X2APIC_LVT_TIMER 0x832
#define MSR_X2APIC_SELF_IPI 0x83f

	.text
	.code64
	.globl bench_guest_start, bench_guest_end
bench_guest_start:
	lea	gdt(%rip), %rbx
	mov	%rbx, 2 + gdtr(%rip)
	lgdt	gdtr(%rip)
	/* The IDT: one interrupt gate. */
	lea	interrupt(%rip), %rax
	lea	idt(%rip), %rbx
	lea	(16 * VECTOR)(%rbx), %rdi
	mov	%ax, (%rdi)
	movw	$8, 2(%rdi)
	movw	$0x8e00, 4(%rdi)
	shr	$16, %rax
	mov	%ax, 6(%rdi)
	movq	$0, 8(%rdi)
	mov	%rbx, 2 + idtr(%rip)
	lidt	idtr(%rip)

	/* x2APIC on, software-enabled; the timer in TSC-deadline mode. */
	mov	$MSR_APIC_BASE, %ecx
	rdmsr
	or	$0xc00, %eax
	wrmsr
	mov	$0x1ff, %eax
	xor	%edx, %edx
	mov	$MSR_X2APIC_SVR, %ecx
	wrmsr
	mov	$(0x40000 | VECTOR), %eax
	mov	$MSR_X2APIC_LVT_TIMER, %ecx
	wrmsr

.macro TEST nr
	mov	$\nr, %eax
	mov	$PORT_BEGIN, %edx
	out	%eax, %dx
	mov	$BUFFER, %ebx
	xor	%ebp, %ebp
	mov	$MMIO, %r10d
	mov	$TOUCH, %r13d
	mov	$TOUCH_PRESENT, %r14d
100:
.endm

.macro BEGIN
	rdtsc
	shl	$32, %rdx
	or	%rdx, %rax
	mov	%rax, %r12
.endm

.macro END
	rdtsc
	shl	$32, %rdx
	or	%rdx, %rax
	sub	%r12, %rax
	mov	%rax, (%rbx, %rbp, 8)
	inc	%ebp
	cmp	$SAMPLES, %ebp
	jb	100b
	mov	$PORT_END, %edx
	out	%eax, %dx
.endm

	TEST 0
	BEGIN
	END

	TEST 1 /* CPUID */
	push	%rbx
	BEGIN
	xor	%eax, %eax
	cpuid
	pop	%rbx
	END

	TEST 2 /* OUT */
	BEGIN
	mov	$PORT_WORK, %edx
	out	%al, %dx
	END

	TEST 3 /* IN */
	BEGIN
	mov	$PORT_WORK, %edx
	in	%dx, %al
	END

	TEST 4 /* MMIO store */
	BEGIN
	mov	%eax, (%r10)
	END

	TEST 5 /* MMIO load */
	BEGIN
	mov	(%r10), %eax
	END

	TEST 6 /* RDMSR that the engine serves */
	BEGIN
	mov	$MSR_APIC_BASE, %ecx
	rdmsr
	END

	TEST 7 /* arm the deadline, far away */
	BEGIN
	mov	$MSR_TSC_DEADLINE, %ecx
	mov	$0x7fffffff, %edx
	xor	%eax, %eax
	wrmsr
	END

	TEST 8 /* a deadline in the past, its interrupt, EOI */
	mov	%r15, %r11
	sti
	BEGIN
	mov	$MSR_TSC_DEADLINE, %ecx
	xor	%edx, %edx
	mov	$1, %eax
	wrmsr
101:	cmp	%r15, %r11
	je	101b
	END

	TEST 9 /* self IPI, interrupt, EOI */
	mov	%r15, %r11
	BEGIN
	mov	$MSR_X2APIC_SELF_IPI, %ecx
	mov	$VECTOR, %eax
	xor	%edx, %edx
	wrmsr
101:	cmp	%r15, %r11
	je	101b
	END

	TEST 10 /* the deadline 2000 ticks ahead ends a HLT */
	mov	%r15, %r11
	BEGIN
	cli
	rdtsc
	shl	$32, %rdx
	or	%rdx, %rax
	add	$2000, %rax
	mov	%rax, %rdx
	shr	$32, %rdx
	mov	$MSR_TSC_DEADLINE, %ecx
	wrmsr
101:	sti
	hlt
	cli
	cmp	%r15, %r11
	je	101b
	sti
	END

	TEST 11 /* another thread's MSI ends a HLT */
	mov	%r15, %r11
	BEGIN
	cli
	mov	$PORT_WAKE, %edx
	out	%al, %dx
101:	sti
	hlt
	cli
	cmp	%r15, %r11
	je	101b
	sti
	END

	TEST 12 /* first touch, the host has no page yet */
	BEGIN
	movb	$1, (%r13)
	add	$4096, %r13
	END

	TEST 13 /* first touch, the host has the page */
	BEGIN
	movb	$1, (%r14)
	add	$4096, %r14
	END

	mov	$PORT_EXIT, %edx
	out	%al, %dx
1:	hlt
	jmp	1b

interrupt:
	push	%rax
	push	%rcx
	push	%rdx
	inc	%r15
	xor	%eax, %eax
	xor	%edx, %edx
	mov	$MSR_X2APIC_EOI, %ecx
	wrmsr
	pop	%rdx
	pop	%rcx
	pop	%rax
	iretq

	.balign	8
idtr:	.word	16 * (VECTOR + 1) - 1
	.quad	0
	.balign	8
gdtr:	.word	3 * 8 - 1
	.quad	0
	.balign	16
gdt:	.quad	0, 0x00af9b000000ffff, 0x00cf93000000ffff
idt:	.fill	16 * (VECTOR + 1), 1, 0
bench_guest_end:

	.section .note.GNU-stack, "", @progbits
