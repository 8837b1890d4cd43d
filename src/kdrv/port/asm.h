/* SPDX-License-Identifier: (GPL-2.0 OR MIT) */
/*
 * Port of the freestanding assembly to the kernel: function frames that objtool accepts, the
 * kernel's return, and its mitigations at the border to a guest.
 */
#ifndef MHI_PORT_ASM_H
#define MHI_PORT_ASM_H

#ifdef __ASSEMBLER__
/* clang-format off */

#include <linux/linkage.h>
#include <asm/alternative.h>
#include <asm/cpufeatures.h>
#include <asm/nospec-branch.h>
#include <asm/segment.h>

#define MHI_FUNC(name) SYM_FUNC_START(name)
#define MHI_FUNC_END(name) SYM_FUNC_END(name)
#define MHI_RET RET

/* SDM 4 2.1 "Architectural MSRs": IA32_SPEC_CTRL, IA32_PRED_CMD. */
#define MHI_MSR_SPEC_CTRL 0x48
#define MHI_MSR_PRED_CMD 0x49
#define MHI_PRED_CMD_IBPB 1

/* Kernels differ in what they have and how they name it. */
#ifndef X86_FEATURE_CLEAR_CPU_BUF_VM
#define X86_FEATURE_CLEAR_CPU_BUF_VM X86_FEATURE_CLEAR_CPU_BUF
#endif
#ifdef X86_FEATURE_CLEAR_BHB_LOOP_ON_VMEXIT
#define X86_FEATURE_CLEAR_BHB_VMEXIT X86_FEATURE_CLEAR_BHB_LOOP_ON_VMEXIT
#endif

/*
 * Last thing before the guest: clear the CPU's buffers where its data could be sampled (MDS, TAA,
 * RFDS: the first feature, which older kernels mean for guests, too; TSA). Clobbers flags. The
 * selector is our own: the kernel's is not for every module.
 */
.macro MHI_BEFORE_GUEST
#ifdef X86_FEATURE_CLEAR_CPU_BUF
	ALTERNATIVE_2 "jmp .Lmhi_skip_verw_\@", "", X86_FEATURE_CLEAR_CPU_BUF, \
		"", X86_FEATURE_CLEAR_CPU_BUF_VM
	verw	.Lmhi_verw_sel_\@(%rip)
.Lmhi_skip_verw_\@:
	.pushsection .rodata
	.balign 2
.Lmhi_verw_sel_\@:
	.word	__KERNEL_DS
	.popsection
#endif
.endm

/*
 * No return address of the guest's stays in the return stack buffer. In a row, the CALLs take fewer
 * instructions than in the kernel's loop; the jumps skip what the CPU does not need.
 */
.macro MHI_FILL_RSB
	ALTERNATIVE "jmp .Lmhi_no_fill_\@", "", X86_FEATURE_RSB_VMEXIT
	.rept	RSB_CLEAR_LOOPS
	__FILL_RETURN_SLOT
	.endr
	add	$8 * RSB_CLEAR_LOOPS, %rsp
	lfence
.Lmhi_no_fill_\@:
	ALTERNATIVE "jmp .Lmhi_no_one_\@", "", X86_FEATURE_RSB_VMEXIT_LITE
	__FILL_ONE_RETURN
.Lmhi_no_one_\@:
.endm

/*
 * Before the first RET after the guest: no prediction that it left may steer the host. Clobbers
 * rax, rcx, rdx.
 */
.macro MHI_AFTER_GUEST
	MHI_FILL_RSB
#ifdef X86_FEATURE_IBPB_ON_VMEXIT
	/* The kernel's own macro calls a function that it keeps for its own hypervisor. */
	CALL_UNTRAIN_RET
	ALTERNATIVE_2 "jmp .Lmhi_skip_ibpb_\@", "", X86_FEATURE_ENTRY_IBPB, \
		"", X86_FEATURE_IBPB_ON_VMEXIT
	mov	$MHI_MSR_PRED_CMD, %ecx
	mov	$MHI_PRED_CMD_IBPB, %eax
	xor	%edx, %edx
	wrmsr
.Lmhi_skip_ibpb_\@:
#else
	UNTRAIN_RET
#endif
#ifdef RESET_CALL_DEPTH
	ALTERNATIVE "", __stringify(RESET_CALL_DEPTH), X86_FEATURE_CALL_DEPTH
#endif
	/* The old IBRS is a barrier only when it is written after the guest, whatever its value. */
	ALTERNATIVE "jmp .Lmhi_skip_ibrs_\@", "", X86_FEATURE_KERNEL_IBRS
	mov	$MHI_MSR_SPEC_CTRL, %ecx
	rdmsr
	wrmsr
.Lmhi_skip_ibrs_\@:
#ifdef X86_FEATURE_CLEAR_BHB_VMEXIT
	ALTERNATIVE "jmp .Lmhi_skip_bhb_\@", "", X86_FEATURE_CLEAR_BHB_VMEXIT
	call	mhi_clear_bhb
.Lmhi_skip_bhb_\@:
#endif
.endm
/* clang-format on */
#endif

#endif
