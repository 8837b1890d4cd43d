/* SPDX-License-Identifier: (GPL-2.0 OR MIT) */
/* The switch into the guest and back: general registers, VMLAUNCH or VMRESUME, HOST_RSP. */
#include "asm.h"
#include "arch/x86/entry.h"

#define VMCS_HOST_RSP 0x6c14

/*
 * u32 mhi_vmx_enter(u64 *gpr, u64 *host_rsp, u32 launched)
 *
 * Returns 0 after a VM exit; 1 (CF) or 2 (ZF) when the instruction failed and the guest did not
 * run. RSP is in the VMCS. To a tool that follows the code VM entry falls through to the exit
 * point, where a VM exit arrives.
 */
MHI_FUNC(mhi_vmx_enter)
	MHI_PUSH_KEPT
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
	MHI_LOAD_GPRS
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
	MHI_SAVE_GPRS
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
	pop	%rdi
	MHI_CLEAR_GPRS
	MHI_POP_KEPT
	MHI_RET
MHI_FUNC_END(mhi_vmx_enter)
