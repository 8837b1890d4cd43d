// SPDX-License-Identifier: (GPL-2.0 OR MIT)
/*
 * Looks at the instruction behind an exit, for CPUs that report neither the next RIP nor the
 * operand (QEMU's SVM). The exit says which instruction it is; only prefixes, opcode and ModRM
 * are looked at.
 */
#include "arch/x86/svm/svm.h"
#include "arch/x86/insn.h"

#define REX_R 4u
#define REX_B 1u
#define PREFIX_LOCK 0xf0

/* ModRM of MOV to or from a control register; LOCK is another way to name CR8: APM 3 "MOV CRn". */
static int decode_modrm(struct mhi_exit *x, u8 modrm, u8 rex, bool lock)
{
	u32 reg = (modrm >> 3 & 7) | (rex & REX_R ? 8 : 0) | (lock ? 8 : 0);
	u32 rm = (modrm & 7) | (rex & REX_B ? 8 : 0);

	if (reg != x->cr.nr)
		return MHI_EINVAL;
	x->cr.gpr = (u8)rm;
	return 0;
}

static int parse(struct mhi_insn *in, const struct svm_kind *kind, struct mhi_exit *x)
{
	u8 ignored = kind->flags & SVM_EVEN_OR_ODD ? 1 : 0;
	bool lock = false;
	u8 rex = 0;
	u32 n = 0;
	u32 i;
	u8 b;

	for (b = mhi_insn_byte(in, 0); mhi_insn_is_prefix(b); b = mhi_insn_byte(in, ++n))
		lock |= b == PREFIX_LOCK;
	if (in->code.is64 && (b & 0xf0) == 0x40) {
		rex = b;
		n++;
	}
	for (i = 0; i < kind->bytes; i++, n++)
		if ((mhi_insn_byte(in, n) | ignored) != (kind->opcode[i] | ignored))
			return in->err ? in->err : MHI_EINVAL;
	if (kind->flags & SVM_MODRM_CR) {
		b = mhi_insn_byte(in, n++);
		if (!in->err && decode_modrm(x, b, rex, lock))
			return MHI_EINVAL;
	}
	x->insn_len = (u8)n;
	return in->err;
}

static int parse_once(struct mhi_insn *in, const struct svm_kind *kind, struct mhi_exit *x,
		      bool may_guess)
{
	in->may_guess = may_guess;
	in->guessed = false;
	in->err = 0;
	in->have = 0;
	return parse(in, kind, x);
}

static int parse_insn(struct mhi_insn *in, const struct svm_kind *kind, struct mhi_exit *x)
{
	int err = parse_once(in, kind, x, true);

	return err && in->guessed ? parse_once(in, kind, x, false) : err;
}

void mhi_svm_insn_complete(struct mhi_vcpu *v, const struct svm_kind *kind, struct mhi_exit *x)
{
	struct mhi_insn in;
	int err;

	in.v = v;
	in.gpa = 0;
	mhi_svm_code(v, &in.code);
	err = parse_insn(&in, kind, x);
	if (!err)
		return;
	x->insn_len = 0;
	if (err != MHI_EAGAIN) {
		x->reason = err == MHI_EFAULT ? MHI_X_HOST : MHI_X_UNHANDLED;
		return;
	}
	x->reason = MHI_X_FETCH;
	x->fault.gpa = in.gpa;
	x->fault.access = MHI_FAULT_READ;
	x->fault.insn_bytes = 0;
}
