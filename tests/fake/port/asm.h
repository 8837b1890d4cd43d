/* SPDX-License-Identifier: MIT */
/* Port of the freestanding assembly to a hosted assembler: enough to see that it assembles. */
#ifndef MHI_PORT_ASM_H
#define MHI_PORT_ASM_H

#ifdef __ASSEMBLER__
/* clang-format off */

#define MHI_FUNC(name) \
	.text;         \
	.globl name;   \
	.type name, @function; \
	name:
#define MHI_FUNC_END(name) .size name, . - name
#define MHI_RET ret

.macro MHI_BEFORE_GUEST
.endm

.macro MHI_AFTER_GUEST
.endm

	.section .note.GNU-stack, "", @progbits
/* clang-format on */
#endif

#endif
