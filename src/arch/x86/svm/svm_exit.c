// SPDX-License-Identifier: (GPL-2.0 OR MIT)
/* From the VMCB's exit information to the normal form of an exit. Pure. APM 2 appendix C. */
#include "arch/x86/svm/svm.h"

/* EXITINFO1 of IOIO: APM 2 15.10.2 "IN and OUT Behavior" */
#define IOIO_IN MHI_BIT(0)
#define IOIO_STRING MHI_BIT(2)
#define IOIO_REP MHI_BIT(3)
#define IOIO_SIZE_SHIFT 4 /* 6:4, one bit each for 1, 2 and 4 bytes */
#define IOIO_PORT_SHIFT 16

/* EXITINFO1 of NPF: APM 2 15.25.6 "Nested versus Guest Page Faults, Fault Ordering" */
#define NPF_WRITE MHI_BIT(1)
#define NPF_RESERVED MHI_BIT(3)
#define NPF_FETCH MHI_BIT(4)

/* EXITINFO1 of CR accesses: APM 2 15.33 "Decode Assists" */
#define CR_MOV MHI_BIT(63)
#define CR_GPR 0xfull

#define MSR_WRITE 1ull

/*
 * Exits that say all by their code, and which instruction the handler skips. Those not listed, here
 * or in mhi_svm_decode, are not intercepted. Encodings: APM 3 chapters 3 and 4.
 */
static const struct svm_kind plain[] = {
	{ MHI_SVM_X_CPUID, MHI_X_CPUID, 0, 2, { 0x0f, 0xa2 } },
	{ MHI_SVM_X_HLT, MHI_X_HLT, 0, 1, { 0xf4 } },
	{ MHI_SVM_X_INTR, MHI_X_HOST, 0, 0, { 0 } },
	{ MHI_SVM_X_VMMCALL, MHI_X_HYPERCALL, 0, 3, { 0x0f, 0x01, 0xd9 } },
	{ MHI_SVM_X_XSETBV, MHI_X_XSETBV, 0, 3, { 0x0f, 0x01, 0xd1 } },
	{ MHI_SVM_X_NMI, MHI_X_HOST, 0, 0, { 0 } },
	{ MHI_SVM_X_SMI, MHI_X_HOST, 0, 0, { 0 } },
	{ MHI_SVM_X_INIT, MHI_X_INIT, 0, 0, { 0 } },
	{ MHI_SVM_X_VINTR, MHI_X_WINDOW, 0, 0, { 0 } },
	{ MHI_SVM_X_RDPMC, MHI_X_RDPMC, 0, 2, { 0x0f, 0x33 } },
	{ MHI_SVM_X_INVD, MHI_X_INVD, 0, 2, { 0x0f, 0x08 } },
	{ MHI_SVM_X_WBINVD, MHI_X_INVD, SVM_EVEN_OR_ODD, 2, { 0x0f, 0x09 } },
	{ MHI_SVM_X_PAUSE, MHI_X_PAUSE, 0, 1, { 0x90 } },
	{ MHI_SVM_X_TASK_SWITCH, MHI_X_TASK_SWITCH, 0, 0, { 0 } },
	{ MHI_SVM_X_SHUTDOWN, MHI_X_TRIPLE_FAULT, 0, 0, { 0 } },
	{ MHI_SVM_X_MONITOR, MHI_X_MONITOR, 0, 0, { 0 } },
	{ MHI_SVM_X_MWAIT, MHI_X_MONITOR, 0, 0, { 0 } },
	{ MHI_SVM_X_MWAIT_CONDITIONAL, MHI_X_MONITOR, 0, 0, { 0 } },
	{ MHI_SVM_X_RSM, MHI_X_VIRT_INSN, 0, 0, { 0 } },
	{ MHI_SVM_X_INVLPGA, MHI_X_VIRT_INSN, 0, 0, { 0 } },
	{ MHI_SVM_X_VMRUN, MHI_X_VIRT_INSN, 0, 0, { 0 } },
	{ MHI_SVM_X_VMLOAD, MHI_X_VIRT_INSN, 0, 0, { 0 } },
	{ MHI_SVM_X_VMSAVE, MHI_X_VIRT_INSN, 0, 0, { 0 } },
	{ MHI_SVM_X_STGI, MHI_X_VIRT_INSN, 0, 0, { 0 } },
	{ MHI_SVM_X_CLGI, MHI_X_VIRT_INSN, 0, 0, { 0 } },
	{ MHI_SVM_X_SKINIT, MHI_X_VIRT_INSN, 0, 0, { 0 } },
	{ MHI_SVM_X_RDPRU, MHI_X_VIRT_INSN, 0, 0, { 0 } }, /* #UD as well: no CPUID offers it */
};

/* Those whose EXITINFO1 or code tells the direction: read, write. */
static const struct svm_kind msr_kinds[] = {
	{ MHI_SVM_X_MSR, MHI_X_RDMSR, 0, 2, { 0x0f, 0x32 } },
	{ MHI_SVM_X_MSR, MHI_X_WRMSR, 0, 2, { 0x0f, 0x30 } },
};
static const struct svm_kind cr_kinds[] = {
	{ 0, MHI_X_CR_READ, SVM_MODRM_CR, 2, { 0x0f, 0x20 } },
	{ 0, MHI_X_CR_WRITE, SVM_MODRM_CR, 2, { 0x0f, 0x22 } },
};

/* The length by the next RIP, when that is believable; 0 otherwise. */
static u8 length(const struct mhi_vmcb *vmcb, u64 next)
{
	u64 len = next - vmcb->state.rip;

	return len >= 1 && len <= MHK_INSN_MAX ? (u8)len : 0;
}

/* Notes the length, where the CPU gives it; else returns what to look for. */
static const struct svm_kind *want_len(const struct mhi_vmcb *vmcb, u64 features,
				       const struct svm_kind *kind, struct mhi_exit *x)
{
	x->reason = (enum mhi_reason)kind->reason;
	if (!kind->bytes)
		return NULL;
	if (features & MHI_BIT(MHK_F_NEXT_RIP))
		x->insn_len = length(vmcb, vmcb->control.next_rip);
	return x->insn_len ? NULL : kind;
}

static const struct svm_kind *decode_plain(const struct mhi_vmcb *vmcb, u64 features,
					   struct mhi_exit *x)
{
	size_t i;

	for (i = 0; i < MHI_COUNT(plain); i++)
		if (plain[i].code == x->raw)
			return want_len(vmcb, features, &plain[i], x);
	x->reason = MHI_X_UNHANDLED;
	return NULL;
}

static void decode_io(const struct mhi_vmcb *vmcb, struct mhi_exit *x)
{
	u64 info = vmcb->control.exit_info1;

	x->reason = MHI_X_IO;
	x->insn_len = length(vmcb, vmcb->control.exit_info2);
	x->io.port = (u16)(info >> IOIO_PORT_SHIFT);
	x->io.width = (u8)mhi_bits(info, IOIO_SIZE_SHIFT + 2, IOIO_SIZE_SHIFT);
	x->io.flags =
		(u8)((info & IOIO_IN ? MHK_IO_IN : 0) | (info & IOIO_STRING ? MHK_IO_STRING : 0) |
		     (info & IOIO_REP ? MHK_IO_REP : 0));
	if (!x->insn_len)
		x->reason = MHI_X_UNHANDLED; /* every CPU gives it */
}

static void decode_npf(const struct mhi_vmcb *vmcb, u64 features, struct mhi_exit *x)
{
	u64 info = vmcb->control.exit_info1;

	x->reason = info & NPF_RESERVED ? MHI_X_MISCONFIG : MHI_X_FAULT;
	x->fault.gpa = vmcb->control.exit_info2;
	x->fault.access = info & NPF_FETCH   ? MHI_FAULT_FETCH
			  : info & NPF_WRITE ? MHI_FAULT_WRITE
					     : MHI_FAULT_READ;
	x->fault.insn_bytes = 0;
	memset(x->fault.insn, 0, sizeof(x->fault.insn));
	if (!(features & MHI_BIT(MHK_F_DECODE)))
		return;
	x->fault.insn_bytes = vmcb->control.bytes_fetched & 0xf;
	memcpy(x->fault.insn, vmcb->control.guest_instruction_bytes, sizeof(x->fault.insn));
}

static const struct svm_kind *decode_cr(const struct mhi_vmcb *vmcb, u64 features,
					struct mhi_exit *x)
{
	const struct svm_kind *kind = &cr_kinds[x->raw >= MHI_SVM_X_CR0_WRITE];
	bool assisted = features & MHI_BIT(MHK_F_DECODE) && vmcb->control.exit_info1 & CR_MOV;

	x->cr.nr = x->raw & 0xf;
	x->cr.gpr = (u8)(vmcb->control.exit_info1 & CR_GPR);
	return want_len(vmcb, features, kind, x) || !assisted ? kind : NULL;
}

static void decode_exception(const struct mhi_vmcb *vmcb, struct mhi_exit *x)
{
	x->vector = (u8)(x->raw - MHI_SVM_X_EXCP_DE);
	x->error = (u32)vmcb->control.exit_info1;
	x->reason = MHI_X_EXCEPTION;
}

const struct svm_kind *mhi_svm_decode(const struct mhi_vmcb *vmcb, u64 features, struct mhi_exit *x)
{
	u64 code = vmcb->control.exit_code;

	x->raw = (u32)code;
	x->raw_info[0] = vmcb->control.exit_info1;
	x->raw_info[1] = vmcb->control.exit_info2;
	x->insn_len = 0;
	x->vector = 0;
	x->error = 0;
	if (code <= MHI_SVM_X_CR15_WRITE)
		return decode_cr(vmcb, features, x);
	if (code == MHI_SVM_X_MSR)
		return want_len(vmcb, features, &msr_kinds[vmcb->control.exit_info1 & MSR_WRITE],
				x);
	if (code == MHI_SVM_X_NPF)
		decode_npf(vmcb, features, x);
	else if (code == MHI_SVM_X_IOIO)
		decode_io(vmcb, x);
	else if (code <= MHI_SVM_X_DR15_WRITE)
		x->reason = MHI_X_DR;
	else if (code <= MHI_SVM_X_EXCP_31)
		decode_exception(vmcb, x);
	else if (mhi_svm_refused(code))
		x->reason = MHI_X_ENTRY_FAILED;
	else
		return decode_plain(vmcb, features, x);
	return NULL;
}
