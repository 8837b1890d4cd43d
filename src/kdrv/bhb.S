/* SPDX-License-Identifier: (GPL-2.0 OR MIT) */
/*
 * void mhi_clear_bhb(void): fills the branch history buffer with branches of our own. Intel's
 * sequence for CPUs without BHI_DIS_S, "Branch History Injection and Intra-mode Branch Target
 * Injection"; the kernel's own function is not for every module. Clobbers rax, rcx.
 */
#include "asm.h"
#include <linux/objtool.h>

#define BHB_LOOPS 5

MHI_FUNC(mhi_clear_bhb)
	mov	$BHB_LOOPS, %ecx
	ANNOTATE_INTRA_FUNCTION_CALL
	call	1f
	lfence
	MHI_RET
	.balign 64, 0xcc
	ANNOTATE_INTRA_FUNCTION_CALL
1:	call	2f
	MHI_RET
	.balign 64, 0xcc
2:	mov	$BHB_LOOPS, %eax
3:	jmp	4f
	nop
4:	dec	%eax
	jnz	3b
	dec	%ecx
	jnz	1b
	MHI_RET
MHI_FUNC_END(mhi_clear_bhb)
STACK_FRAME_NON_STANDARD mhi_clear_bhb
