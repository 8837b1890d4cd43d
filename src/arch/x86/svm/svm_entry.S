/* SPDX-License-Identifier: (GPL-2.0 OR MIT) */
/*
 * One stay in the guest: void mhi_svm_run(u64 *gpr, mh_hpa vmcb_pa, mh_hpa host_pa). See
 * svm_insn.h.
 */
#include "asm.h"

/* Offsets into gpr, the order of MHK_RAX.. in uapi.h; RAX and RSP are in the VMCB. */
#define RCX 8
#define RDX 16
#define RBX 24
#define RBP 40
#define RSI 48
#define RDI 56
#define R8 64
#define R9 72
#define R10 80
#define R11 88
#define R12 96
#define R13 104
#define R14 112
#define R15 120

MHI_FUNC(mhi_svm_run)
	push	%rbp
	push	%rbx
	push	%r12
	push	%r13
	push	%r14
	push	%r15
	push	%rdi
	push	%rdx

	mov	%rsi, %rax
	mov	RCX(%rdi), %rcx
	mov	RDX(%rdi), %rdx
	mov	RBX(%rdi), %rbx
	mov	RBP(%rdi), %rbp
	mov	RSI(%rdi), %rsi
	mov	R8(%rdi), %r8
	mov	R9(%rdi), %r9
	mov	R10(%rdi), %r10
	mov	R11(%rdi), %r11
	mov	R12(%rdi), %r12
	mov	R13(%rdi), %r13
	mov	R14(%rdi), %r14
	mov	R15(%rdi), %r15

	/*
	 * From here to STGI nothing reaches the host: not even an NMI may meet a guest's TR or GS
	 * base. With V_INTR_MASKING the host's IF decides whether an interrupt makes the guest
	 * leave, so it must be set.
	 */
	clgi
	sti
	MHI_BEFORE_GUEST
	mov	RDI(%rdi), %rdi
	vmload	%rax
	vmrun	%rax
	vmsave	%rax
	cli
	mov	(%rsp), %rax
	vmload	%rax

	mov	8(%rsp), %rax
	mov	%rcx, RCX(%rax)
	mov	%rdx, RDX(%rax)
	mov	%rbx, RBX(%rax)
	mov	%rbp, RBP(%rax)
	mov	%rsi, RSI(%rax)
	mov	%rdi, RDI(%rax)
	mov	%r8, R8(%rax)
	mov	%r9, R9(%rax)
	mov	%r10, R10(%rax)
	mov	%r11, R11(%rax)
	mov	%r12, R12(%rax)
	mov	%r13, R13(%rax)
	mov	%r14, R14(%rax)
	mov	%r15, R15(%rax)

	MHI_AFTER_GUEST
	stgi

	/* A guest's values must not reach the host's speculation; the rest is popped below. */
	xor	%ecx, %ecx
	xor	%edx, %edx
	xor	%esi, %esi
	xor	%edi, %edi
	xor	%r8d, %r8d
	xor	%r9d, %r9d
	xor	%r10d, %r10d
	xor	%r11d, %r11d

	pop	%rdx
	pop	%rdi
	pop	%r15
	pop	%r14
	pop	%r13
	pop	%r12
	pop	%rbx
	pop	%rbp
	MHI_RET
MHI_FUNC_END(mhi_svm_run)
