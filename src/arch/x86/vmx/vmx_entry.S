/* SPDX-License-Identifier: (GPL-2.0 OR MIT) */
/* The switch into the guest and back: general registers, VMLAUNCH or VMRESUME, HOST_RSP. */
#include "asm.h"

#define VMCS_HOST_RSP 0x6c14

/* Byte offsets into the array of general registers, numbered as the instructions' encodings do. */
#define GPR_RAX 0
#define GPR_RCX 8
#define GPR_RDX 16
#define GPR_RBX 24
#define GPR_RBP 40
#define GPR_RSI 48
#define GPR_RDI 56
#define GPR_R8 64
#define GPR_R9 72
#define GPR_R10 80
#define GPR_R11 88
#define GPR_R12 96
#define GPR_R13 104
#define GPR_R14 112
#define GPR_R15 120

/*
 * u32 mhi_vmx_enter(u64 *gpr, u64 *host_rsp, u32 launched)
 *
 * Returns 0 after a VM exit; 1 (CF) or 2 (ZF) when the instruction failed and the guest did not
 * run. RSP is in the VMCS. To a tool that follows the code VM entry falls through to the exit
 * point, where a VM exit arrives.
 */
MHI_FUNC(mhi_vmx_enter)
	push	%rbp
	push	%rbx
	push	%r12
	push	%r13
	push	%r14
	push	%r15
	push	%rdi

	cmp	(%rsi), %rsp
	je	.Lrsp_known
	mov	$VMCS_HOST_RSP, %eax
	vmwrite	%rsp, %rax
	jbe	.Lfailed
	mov	%rsp, (%rsi)
.Lrsp_known:
	MHI_BEFORE_GUEST
	/* MOV leaves the flags of TEST alone. */
	test	%edx, %edx
	mov	GPR_RAX(%rdi), %rax
	mov	GPR_RCX(%rdi), %rcx
	mov	GPR_RDX(%rdi), %rdx
	mov	GPR_RBX(%rdi), %rbx
	mov	GPR_RBP(%rdi), %rbp
	mov	GPR_RSI(%rdi), %rsi
	mov	GPR_R8(%rdi), %r8
	mov	GPR_R9(%rdi), %r9
	mov	GPR_R10(%rdi), %r10
	mov	GPR_R11(%rdi), %r11
	mov	GPR_R12(%rdi), %r12
	mov	GPR_R13(%rdi), %r13
	mov	GPR_R14(%rdi), %r14
	mov	GPR_R15(%rdi), %r15
	mov	GPR_RDI(%rdi), %rdi
	jnz	.Lresume
	vmlaunch
	jbe	.Lfailed
.Lresume:
	vmresume
	jbe	.Lfailed

	.globl mhi_vmx_exit_point
mhi_vmx_exit_point:
	endbr64
	push	%rax
	mov	8(%rsp), %rax
	mov	%rcx, GPR_RCX(%rax)
	mov	%rdx, GPR_RDX(%rax)
	mov	%rbx, GPR_RBX(%rax)
	mov	%rbp, GPR_RBP(%rax)
	mov	%rsi, GPR_RSI(%rax)
	mov	%rdi, GPR_RDI(%rax)
	mov	%r8, GPR_R8(%rax)
	mov	%r9, GPR_R9(%rax)
	mov	%r10, GPR_R10(%rax)
	mov	%r11, GPR_R11(%rax)
	mov	%r12, GPR_R12(%rax)
	mov	%r13, GPR_R13(%rax)
	mov	%r14, GPR_R14(%rax)
	mov	%r15, GPR_R15(%rax)
	pop	%rcx
	mov	%rcx, GPR_RAX(%rax)
	MHI_AFTER_GUEST
	xor	%eax, %eax
	jmp	.Lleave

.Lfailed:
	/* CF: VMfailInvalid; else ZF: VMfailValid. */
	mov	$2, %eax
	mov	$1, %ecx
	cmovc	%ecx, %eax

.Lleave:
	/* No value of the guest's stays in a register that code might speculate with. */
	xor	%ecx, %ecx
	xor	%edx, %edx
	xor	%esi, %esi
	xor	%r8d, %r8d
	xor	%r9d, %r9d
	xor	%r10d, %r10d
	xor	%r11d, %r11d
	pop	%rdi
	pop	%r15
	pop	%r14
	pop	%r13
	pop	%r12
	pop	%rbx
	pop	%rbp
	MHI_RET
MHI_FUNC_END(mhi_vmx_enter)
