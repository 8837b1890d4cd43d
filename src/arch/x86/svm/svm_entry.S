/* SPDX-License-Identifier: (GPL-2.0 OR MIT) */
/*
 * One stay in the guest: void mhi_svm_run(u64 *gpr, mh_hpa vmcb_pa, mh_hpa host_pa). See
 * svm_insn.h. RAX and RSP are in the VMCB.
 */
#include "asm.h"
#include "arch/x86/entry.h"

MHI_FUNC(mhi_svm_run)
	MHI_PUSH_KEPT
	push	%rdi
	push	%rdx

	mov	%rsi, %rax
	MHI_LOAD_GPRS

	/*
	 * From here to STGI nothing reaches the host: not even an NMI may meet a guest's TR or GS
	 * base. With V_INTR_MASKING the host's IF decides whether an interrupt makes the guest
	 * leave, so it must be set.
	 */
	clgi
	sti
	MHI_BEFORE_GUEST
	mov	GPR_RDI(%rdi), %rdi
	vmload	%rax
	vmrun	%rax
	vmsave	%rax
	cli
	mov	(%rsp), %rax
	vmload	%rax

	mov	8(%rsp), %rax
	MHI_SAVE_GPRS
	MHI_AFTER_GUEST
	stgi
	MHI_CLEAR_GPRS
	add	$16, %rsp
	MHI_POP_KEPT
	MHI_RET
MHI_FUNC_END(mhi_svm_run)
