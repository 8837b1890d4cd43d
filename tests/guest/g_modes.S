/* SPDX-License-Identifier: MIT */
/*
 * Guests: the ways between the modes, through all of them, several times.
 * EBX counts, EBP keeps a pattern; both must arrive.
 */
#include "macros.def"

#define SEG 0x1000
#define MSR_EFER 0xc0000080
#define EFER_LME 0x100
#define EFER_LMA 0x400
#define CR0_PE 1
#define CR0_PG 0x80000000
#define CR4_PSE 0x10
#define CR4_PAE 0x20
#define DIRECTORY 0x800000
#define ROUNDS 3
#define PATTERN 0x5aa5c33c

	.macro	set_cr0 set, clear=0
	mov	%cr0, %eax
	and	$~(\clear), %eax
	or	$\set, %eax
	mov	%eax, %cr0
	.endm
	.macro	set_lme on
	mov	$MSR_EFER, %ecx
	rdmsr
	and	$~EFER_LME, %eax
	or	$\on * EFER_LME, %eax
	wrmsr
	.endm
	.macro	get_efer
	mov	$MSR_EFER, %ecx
	rdmsr
	.endm
	.macro	flat_data
	mov	$SEL_DATA, %eax
	mov	%eax, %ds
	mov	%eax, %es
	mov	%eax, %ss
	.endm

	.section .real, "ax"
	.code16
#define BASE 0x10000
	guest	modes_from_real, MODE_REAL
	xor	%ebx, %ebx
	mov	$PATTERN, %ebp
	mov	$0x8000, %esp

/* -> protected, 16 bits, then 32 */
modes_real:
	inc	%ebx
	xor	%eax, %eax
	mov	%cs, %ax
	EXPECT(SEG)
	lgdtl	gdt_pointer - BASE
	set_cr0	CR0_PE
	/* CS is as in real mode until it is loaded. */
	EXPECT_OF(%ebp, PATTERN)
	ljmpl	$SEL_CODE32, $modes_32
#undef BASE
#define BASE 0

	.text
	.code32
/* -> 32-bit paging -> no paging -> long mode */
modes_32:
	flat_data
	mov	%cr0, %eax
	and	$CR0_PE | CR0_PG, %eax
	EXPECT(CR0_PE)
	movl	$0x83, DIRECTORY
	movl	$0x400083, DIRECTORY + 4
	movl	$0x800083, DIRECTORY + 8
	mov	$CR4_PSE, %eax
	mov	%eax, %cr4
	mov	$DIRECTORY, %eax
	mov	%eax, %cr3
	set_cr0	CR0_PG
	EXPECT_OF(%ebp, PATTERN)
	get_efer
	EXPECT(0)
	set_cr0	0, CR0_PG
	mov	$CR4_PAE, %eax
	mov	%eax, %cr4
	mov	$pml4, %eax
	mov	%eax, %cr3
	set_lme	1
	get_efer
	EXPECT(EFER_LME)
	set_cr0	CR0_PG
	/* Compatibility mode. */
	get_efer
	EXPECT(EFER_LME | EFER_LMA)
	mov	$41, %ecx
	.byte	0x41				/* INC ECX, or a prefix */
	EXPECT_OF(%ecx, 42)
	ljmp	$SEL_CODE64, $modes_64

	.code64
/* -> compatibility mode -> protected -> real */
modes_64:
	mov	$0x123456789, %r12
	mov	%r12, %rax
	shr	$32, %rax
	EXPECT(1)
	mov	$41, %ecx
	.byte	0x41
	nop
	EXPECT_OF(%ecx, 41)
	mov	$MMIO_GPA, %edi
	mov	%r12, (%rdi)
	EXPECT_OF((%rdi), 0x23456789)
	EXPECT_OF(4(%rdi), 1)
	ljmp	*modes_compat_pointer
	.code32
modes_compat:
	set_cr0	0, CR0_PG
	get_efer
	EXPECT(EFER_LME)
	set_lme	0
	get_efer
	EXPECT(0)
	EXPECT_OF(MMIO_GPA, 0x23456789)
	xor	%eax, %eax
	mov	%eax, %cr4
	ljmp	$SEL_CODE16, $modes_16 - 0x10000

	.section .real, "ax"
	.code16
#undef BASE
#define BASE 0x10000
modes_16:
	mov	$SEL_DATA16, %ax
	mov	%ax, %ds
	mov	%ax, %es
	mov	%ax, %ss
	set_cr0	0, CR0_PE
	ljmp	$SEG, $modes_again - BASE
modes_again:
	mov	$SEG, %ax
	mov	%ax, %ds
	mov	%ax, %es
	xor	%ax, %ax
	mov	%ax, %ss
	EXPECT_OF(%ebp, PATTERN)
	cmp	$ROUNDS, %ebx
	jb	modes_real
	EXPECT_OF(%ebx, ROUNDS)
	FINISH

/* From long mode to protected mode without paging, and back. */
#undef BASE
#define BASE 0
	.text
	.code64
	guest	modes_from_long, MODE_LONG
	mov	$0x1122334455667788, %r13
	mov	$PATTERN, %ebp
	ljmp	*modes_leave_pointer
	.code32
modes_leave:
	flat_data
	get_efer
	EXPECT(0xd00)
	set_cr0	0, CR0_PG
	get_efer
	EXPECT(0x900)
	EXPECT_OF(%ebp, PATTERN)
	set_cr0	CR0_PG
	ljmp	$SEL_CODE64, $modes_return
	.code64
modes_return:
	get_efer
	EXPECT(0xd00)
	EXPECT_OF(%ebp, PATTERN)
	FINISH

	.section .rodata
	.balign	8
modes_compat_pointer:
	.long	modes_compat
	.word	SEL_CODE32
	.balign	8
modes_leave_pointer:
	.long	modes_leave
	.word	SEL_CODE32
	.section .note.GNU-stack, "", @progbits
