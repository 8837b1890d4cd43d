/* SPDX-License-Identifier: (GPL-2.0 OR MIT) */
/*
 * The instruction that a guest is executing, byte by byte, for exits that do not say all of it. Not
 * a decoder: whatever must be emulated is user space's.
 */
#ifndef MHI_ARCH_INSN_H
#define MHI_ARCH_INSN_H

#include "arch/x86/hv.h"

/*
 * The bytes at RIP, read piece by piece: the page behind RIP's is touched only when it is needed.
 */
struct mhi_insn {
	struct mhi_vcpu *v;
	struct mhi_code code;
	bool may_guess; /* look first where this linear page was the last time */
	bool guessed;
	mh_gpa gpa; /* last one read or tried */
	int err;    /* 0, or why reading ended: MHI_EAGAIN, MHI_EFAULT, MHI_EINVAL (too long) */
	u32 have;
	u8 byte[MHK_INSN_MAX];
};

/* Reads on so that there is byte n; 0 with in->err set when there is none. */
u8 mhi_insn_more(struct mhi_insn *in, u32 n);

/* Byte n of the instruction, as mhi_insn_more. */
static inline u8 mhi_insn_byte(struct mhi_insn *in, u32 n)
{
	return n < in->have ? in->byte[n] : mhi_insn_more(in, n);
}

bool mhi_insn_is_prefix(u8 b); /* legacy prefixes */

/*
 * Is the instruction behind the write fault x a MOV to memory in 64-bit code? 0: *len is its
 * length. MHI_EINVAL, MHI_EFAULT: it is another, or nobody knows; MHI_EAGAIN: v->fault_gpa must be
 * made present first.
 */
int mhi_insn_store(struct mhi_vcpu *v, const struct mhi_exit *x, u8 *len);

#endif
