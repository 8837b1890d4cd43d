/* SPDX-License-Identifier: MIT */
/* The image's header, the entries of the CPUs, interrupt stubs, page tables and GDT. */
#include "abi.h"

#define MSR_EFER 0xc0000080
#define EFER_LME_NXE 0x900
/* PAE, OSFXSR, OSXMMEXCPT */
#define CR4_START 0x620
/* PG, WP, NE, ET, MP, PE */
#define CR0_START 0x80010033
#define STACK_BYTES 0x4000

	.section .header, "a"
	.globl image
image:
	.quad IMAGE_MAGIC
	.quad table_start, table_end
	.quad start64
	.quad stacks + STACK_BYTES
	.quad pml4
	.quad gdt, gdt_end - gdt
	.quad guest_info

	.text
	.code64
/* RDI: the guest's function. */
start64:
	mov	%rdi, %rbx
	mov	%cr4, %rax
	or	$CR4_START, %eax
	mov	%rax, %cr4
	xor	%edi, %edi
	call	cpu_init
	call	*%rbx
	call	guest_exit
1:	hlt
	jmp	1b

/* From the trampoline; interrupts off. */
ap64:
	mov	$SEL_DATA, %eax
	mov	%eax, %ss
	mov	%eax, %ds
	mov	%eax, %es
	xor	%eax, %eax
	mov	%eax, %fs
	mov	%eax, %gs
	mov	$1, %eax
	cpuid
	shr	$24, %ebx
	mov	%ebx, %edi
	lea	1(%rbx), %rsp
	imul	$STACK_BYTES, %rsp
	add	$stacks, %rsp
	call	ap_main
1:	hlt
	jmp	1b

/* Where SIPI starts the other CPUs: straight from real mode to long mode. */
	.section .real, "ax"
	.balign 4096
	.code16
	.globl trampoline
trampoline:
	cli
	lgdtl	%cs:gdt_pointer - trampoline
	mov	$CR4_START, %eax
	mov	%eax, %cr4
	mov	$pml4, %eax
	mov	%eax, %cr3
	mov	$MSR_EFER, %ecx
	mov	$EFER_LME_NXE, %eax
	xor	%edx, %edx
	wrmsr
	mov	$CR0_START, %eax
	mov	%eax, %cr0
	ljmpl	$SEL_CODE64, $ap64
	.balign 4
	.globl gdt_pointer
gdt_pointer:
	.word	gdt_end - gdt - 1
	.long	gdt

/* ---- interrupts ---- */

	.text
	.code64
	.globl stubs
	.balign 16
stubs:
	.set	vector, 0
	.rept	256
	.balign 16
	/* Vectors for which the CPU pushes an error code: SDM 3A 6.15 */
	.set	error, (vector == 8) || (vector == 17) || (vector == 21)
	.set	error, error || ((vector >= 10) && (vector <= 14))
	.if	!error
	push	$0
	.endif
	push	$vector
	jmp	common
	.set	vector, vector + 1
	.endr

common:
	push	%rax
	push	%rcx
	push	%rdx
	push	%rbx
	push	%rbp
	push	%rsi
	push	%rdi
	push	%r8
	push	%r9
	push	%r10
	push	%r11
	push	%r12
	push	%r13
	push	%r14
	push	%r15
	cld
	mov	%rsp, %rdi
	mov	%rsp, %rbp
	and	$-16, %rsp
	call	trap
	mov	%rbp, %rsp
	pop	%r15
	pop	%r14
	pop	%r13
	pop	%r12
	pop	%r11
	pop	%r10
	pop	%r9
	pop	%r8
	pop	%rdi
	pop	%rsi
	pop	%rbp
	pop	%rbx
	pop	%rdx
	pop	%rcx
	pop	%rax
	add	$16, %rsp
	.globl	trap_iret
trap_iret:
	iretq

/*
 * u64 user_call(u64 rip, u64 rsp, u64 rflags, u64 cs, u64 ss): ends with the user's `int $0x40`;
 * returns its RAX.
 */
	.globl	user_call
user_call:
	push	%rbx
	push	%rbp
	push	%r12
	push	%r13
	push	%r14
	push	%r15
	mov	%rsp, %gs:8
	push	%r8
	push	%rsi
	push	%rdx
	push	%rcx
	push	%rdi
	iretq
/* The handler of vector 0x40 comes here, with the user's RAX. */
	.globl	user_return
user_return:
	mov	%gs:8, %rsp
	pop	%r15
	pop	%r14
	pop	%r13
	pop	%r12
	pop	%rbp
	pop	%rbx
	ret

/* ---- tables ---- */

	.data
	.balign	8
	.globl	gdt, gdt_end
gdt:
	.quad	0
	.quad	0x00af9b000000ffff	/* SEL_CODE64 */
	.quad	0x00cf93000000ffff	/* SEL_DATA */
	.quad	0x00cf9b000000ffff	/* SEL_CODE32 */
	.quad	0x00009b010000ffff	/* SEL_CODE16: base 0x10000 */
	.quad	0x000093010000ffff	/* SEL_DATA16: base 0x10000 */
	.quad	0x00cffb000000ffff	/* SEL_USER_CODE32 */
	.quad	0x00cff3000000ffff	/* SEL_USER_DATA */
	.quad	0x00affb000000ffff	/* SEL_USER_CODE64 */
	.quad	0x00cf13000000ffff	/* SEL_ABSENT */
	.fill	8, 8, 0			/* SEL_TSS */
gdt_end:

/* The first 4 GiB, one to one, in 2 MiB pages; 6 to 8 MiB is the user's. */
	.balign	4096
	.globl	pml4, pdpt, page_dir
pml4:
	.quad	pdpt + 7
	.fill	511, 8, 0
pdpt:
	.quad	page_dir + 7, page_dir + 0x1007, page_dir + 0x2007, page_dir + 0x3007
	.fill	508, 8, 0
page_dir:
	.set	page, 0
	.rept	2048
	.if	page == 3
	.quad	page * 0x200000 + 0x87
	.else
	.quad	page * 0x200000 + 0x83
	.endif
	.set	page, page + 1
	.endr

	.bss
	.balign	4096
	.globl	stacks
stacks:
	.fill	4 * STACK_BYTES
	.section .note.GNU-stack, "", @progbits
