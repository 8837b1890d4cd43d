/* SPDX-License-Identifier: MIT */
/* The runtime of the guests in 32-bit protected mode: the IDT and the exceptions' handler. */
#include "prot.def"

#define GATES 0x80
#define STUB_BYTES 16
#define GATE_KERNEL 0x8e00
#define GATE_USER 0xee00
#define APIC_EOI 0xfee000b0
#define FLAGS_VM 0x20000

	.text
	.code32
	/* Load the IDT and a TSS (descriptor 0) whose I/O bitmap allows the RAM ports. */
	.globl	prot_init
prot_init:
	xor	%ecx, %ecx
	mov	$stubs32, %eax
1:	mov	%eax, %edx
	and	$0xffff, %edx
	or	$SEL_CODE32 << 16, %edx
	mov	%edx, idt32(, %ecx, 8)
	mov	%eax, %edx
	mov	$GATE_KERNEL, %dx
	mov	%edx, idt32 + 4(, %ecx, 8)
	add	$STUB_BYTES, %eax
	inc	%ecx
	cmp	$GATES, %ecx
	jb	1b
	movw	$GATE_USER, idt32 + 8 * USER_VECTOR + 4
	lidt	idt32_pointer
	movl	$NO_TRAP, trap_vector
	descriptor 0, tss32, (tss32_end-tss32-1), 0x89, 0
	mov	$SEL_FREE(0), %eax
	ltr	%ax
	ret

	.balign	16
stubs32:
	.set	vector, 0
	.rept	GATES
	.balign	STUB_BYTES
	/* Vectors for which the CPU pushes an error code: SDM 3A 6.15 */
	.set	error, (vector == 8) || (vector == 17) || (vector == 21)
	.set	error, error || ((vector >= 10) && (vector <= 14))
	.if	!error
	push	$0
	.endif
	push	$vector
	jmp	on_trap32
	.set	vector, vector + 1
	.endr

on_trap32:
	push	%ds
	push	%eax
	mov	$SEL_DATA, %eax
	mov	%eax, %ds
	mov	8(%esp), %eax
	cmp	$USER_VECTOR, %eax
	je	back
	mov	%eax, trap_vector
	mov	12(%esp), %eax
	mov	%eax, trap_error
	mov	16(%esp), %eax
	mov	%eax, trap_eip
	mov	%cr2, %eax
	mov	%eax, trap_cr2
	incl	trap_count
	testb	$3, 20(%esp)
	jnz	back
	testl	$FLAGS_VM, 24(%esp)
	jnz	back
	mov	trap_resume, %eax
	test	%eax, %eax
	jz	1f
	mov	%eax, 16(%esp)
	movl	$0, trap_resume
1:	cmpl	$0x20, 8(%esp)
	jb	2f
	movl	$0, APIC_EOI
2:	pop	%eax
	pop	%ds
	add	$8, %esp
	iretl
/* Out of CPL 3, or of virtual-8086 mode; EAX is the user's. */
back:
	mov	(%esp), %eax
	mov	%eax, trap_user_eax
	mov	$SEL_DATA, %edx
	mov	%edx, %ds
	mov	%edx, %es
	mov	trap_user_esp, %esp
	jmp	*trap_user_next

	.section .real.data, "aw"
	.balign	8
	.globl	trap_vector, trap_error, trap_eip, trap_cr2, trap_count, trap_resume
	.globl	trap_user_next, trap_user_esp, trap_user_eax, tss32, tss32_end, idt32_pointer
trap_vector:
	.long	NO_TRAP
trap_error:
	.long	0
trap_eip:
	.long	0
trap_cr2:
	.long	0
trap_count:
	.long	0
trap_resume:
	.long	0
trap_user_next:
	.long	0
trap_user_esp:
	.long	0
trap_user_eax:
	.long	0
/* Task-State Segment: SDM 3A 7.2.1. ESP0, SS0; the I/O bitmap denies all but the RAM ports. */
	.balign	8
tss32:
	.long	0, 0x6000, SEL_DATA
	.fill	22, 4, 0
	.word	0, 104
	.fill	PORT_RAM / 8, 1, 0xff
	.fill	PORT_RAM_BYTES / 8, 1, 0
	.byte	0xff, 0xff
tss32_end:
idt32_pointer:
	.word	8 * GATES - 1
	.long	idt32
	.bss
	.balign	8
idt32:
	.fill	8 * GATES
	.section .note.GNU-stack, "", @progbits
