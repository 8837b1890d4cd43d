/* SPDX-License-Identifier: (GPL-2.0 OR MIT) */
/*
 * For the assembly of both vendors: general registers between the CPU and the array of struct
 * mhi_vcpu, which numbers them as the instructions' encodings do.
 */
#ifndef MHI_ARCH_ENTRY_H
#define MHI_ARCH_ENTRY_H

#ifdef __ASSEMBLER__
/* clang-format off */

#define GPR(n) 8 * (n)
#define GPR_RAX GPR(0)
#define GPR_RDI GPR(7)

/* What the caller wants back. */
.macro MHI_PUSH_KEPT
	.irp reg, rbp, rbx, r12, r13, r14, r15
	push	%\reg
	.endr
.endm

.macro MHI_POP_KEPT
	.irp reg, r15, r14, r13, r12, rbx, rbp
	pop	%\reg
	.endr
.endm

/* From the array at RDI; all but RAX, RSP and RDI. */
.macro MHI_LOAD_GPRS
	mov	GPR(1)(%rdi), %rcx
	mov	GPR(2)(%rdi), %rdx
	mov	GPR(3)(%rdi), %rbx
	mov	GPR(5)(%rdi), %rbp
	mov	GPR(6)(%rdi), %rsi
	.irp n, 8, 9, 10, 11, 12, 13, 14, 15
	mov	GPR(\n)(%rdi), %r\n
	.endr
.endm

/* To the array at RAX; all but RAX and RSP. */
.macro MHI_SAVE_GPRS
	mov	%rcx, GPR(1)(%rax)
	mov	%rdx, GPR(2)(%rax)
	mov	%rbx, GPR(3)(%rax)
	mov	%rbp, GPR(5)(%rax)
	mov	%rsi, GPR(6)(%rax)
	mov	%rdi, GPR_RDI(%rax)
	.irp n, 8, 9, 10, 11, 12, 13, 14, 15
	mov	%r\n, GPR(\n)(%rax)
	.endr
.endm

/* No value of the guest's stays where code might speculate with it; those kept are popped. */
.macro MHI_CLEAR_GPRS
	.irp reg, ecx, edx, esi, edi, r8d, r9d, r10d, r11d
	xor	%\reg, %\reg
	.endr
.endm
/* clang-format on */
#endif

#endif
