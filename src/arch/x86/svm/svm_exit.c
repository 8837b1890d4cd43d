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

/* What the handler wants besides the reason. */
#define WANT_LEN 1u /* it will skip the instruction */

struct plain {
	u16 code;
	u8 reason;
	u8 want;
};

/*
 * Exits that say all by their code. Those not listed, here or in mhi_svm_decode, are not
 * intercepted.
 */
static const struct plain plain[] = {
	{ MHI_SVM_X_CPUID, MHI_X_CPUID, WANT_LEN },
	{ MHI_SVM_X_HLT, MHI_X_HLT, WANT_LEN },
	{ MHI_SVM_X_INTR, MHI_X_HOST, 0 },
	{ MHI_SVM_X_VMMCALL, MHI_X_HYPERCALL, WANT_LEN },
	{ MHI_SVM_X_XSETBV, MHI_X_XSETBV, WANT_LEN },
	{ MHI_SVM_X_NMI, MHI_X_HOST, 0 },
	{ MHI_SVM_X_SMI, MHI_X_HOST, 0 },
	{ MHI_SVM_X_INIT, MHI_X_INIT, 0 },
	{ MHI_SVM_X_VINTR, MHI_X_WINDOW, 0 },
	{ MHI_SVM_X_RDPMC, MHI_X_RDPMC, WANT_LEN },
	{ MHI_SVM_X_INVD, MHI_X_INVD, WANT_LEN },
	{ MHI_SVM_X_WBINVD, MHI_X_INVD, WANT_LEN },
	{ MHI_SVM_X_PAUSE, MHI_X_PAUSE, WANT_LEN },
	{ MHI_SVM_X_TASK_SWITCH, MHI_X_TASK_SWITCH, 0 },
	{ MHI_SVM_X_SHUTDOWN, MHI_X_TRIPLE_FAULT, 0 },
	{ MHI_SVM_X_MONITOR, MHI_X_MONITOR, 0 },
	{ MHI_SVM_X_MWAIT, MHI_X_MONITOR, 0 },
	{ MHI_SVM_X_MWAIT_CONDITIONAL, MHI_X_MONITOR, 0 },
	{ MHI_SVM_X_RSM, MHI_X_VIRT_INSN, 0 },
	{ MHI_SVM_X_INVLPGA, MHI_X_VIRT_INSN, 0 },
	{ MHI_SVM_X_VMRUN, MHI_X_VIRT_INSN, 0 },
	{ MHI_SVM_X_VMLOAD, MHI_X_VIRT_INSN, 0 },
	{ MHI_SVM_X_VMSAVE, MHI_X_VIRT_INSN, 0 },
	{ MHI_SVM_X_STGI, MHI_X_VIRT_INSN, 0 },
	{ MHI_SVM_X_CLGI, MHI_X_VIRT_INSN, 0 },
	{ MHI_SVM_X_SKINIT, MHI_X_VIRT_INSN, 0 },
	{ MHI_SVM_X_RDPRU, MHI_X_VIRT_INSN, 0 }, /* #UD as well: no CPUID offers it */
};

/* The length by the next RIP, when that is believable; 0 otherwise. */
static u8 length(const struct mhi_vmcb *vmcb, u64 next)
{
	u64 len = next - vmcb->state.rip;

	return len >= 1 && len <= MHK_INSN_MAX ? (u8)len : 0;
}

static bool want_len(const struct mhi_vmcb *vmcb, u64 features, struct mhi_exit *x)
{
	if (features & MHI_BIT(MHK_F_NEXT_RIP))
		x->insn_len = length(vmcb, vmcb->control.next_rip);
	return !x->insn_len;
}

static bool decode_plain(const struct mhi_vmcb *vmcb, u64 features, struct mhi_exit *x)
{
	size_t i;

	for (i = 0; i < MHI_COUNT(plain); i++) {
		if (plain[i].code != x->raw)
			continue;
		x->reason = plain[i].reason;
		return plain[i].want & WANT_LEN && want_len(vmcb, features, x);
	}
	x->reason = MHI_X_UNHANDLED;
	return false;
}

static bool decode_io(const struct mhi_vmcb *vmcb, struct mhi_exit *x)
{
	u64 info = vmcb->control.exit_info1;

	x->reason = MHI_X_IO;
	x->insn_len = length(vmcb, vmcb->control.exit_info2);
	x->io.port = (u16)(info >> IOIO_PORT_SHIFT);
	x->io.width = (u8)mhi_bits(info, IOIO_SIZE_SHIFT + 2, IOIO_SIZE_SHIFT);
	x->io.flags = 0;
	if (info & IOIO_IN)
		x->io.flags |= MHK_IO_IN;
	if (info & IOIO_STRING)
		x->io.flags |= MHK_IO_STRING;
	if (info & IOIO_REP)
		x->io.flags |= MHK_IO_REP;
	if (!x->insn_len)
		x->reason = MHI_X_UNHANDLED; /* every CPU gives it */
	return false;
}

static bool decode_npf(const struct mhi_vmcb *vmcb, u64 features, struct mhi_exit *x)
{
	u64 info = vmcb->control.exit_info1;

	x->reason = info & NPF_RESERVED ? MHI_X_MISCONFIG : MHI_X_FAULT;
	x->fault.gpa = vmcb->control.exit_info2;
	x->fault.access = info & NPF_FETCH   ? MHI_FAULT_FETCH
			  : info & NPF_WRITE ? MHI_FAULT_WRITE
					     : MHI_FAULT_READ;
	x->fault.insn_bytes = 0;
	if (!(features & MHI_BIT(MHK_F_DECODE)))
		return false;
	x->fault.insn_bytes = vmcb->control.bytes_fetched & 0xf;
	memcpy(x->fault.insn, vmcb->control.guest_instruction_bytes, sizeof(x->fault.insn));
	return false;
}

static bool decode_cr(const struct mhi_vmcb *vmcb, u64 features, struct mhi_exit *x)
{
	bool assisted = features & MHI_BIT(MHK_F_DECODE) && vmcb->control.exit_info1 & CR_MOV;

	x->reason = x->raw < MHI_SVM_X_CR0_WRITE ? MHI_X_CR_READ : MHI_X_CR_WRITE;
	x->cr.nr = x->raw & 0xf;
	x->cr.gpr = (u8)(vmcb->control.exit_info1 & CR_GPR);
	return want_len(vmcb, features, x) || !assisted;
}

static bool decode_exception(const struct mhi_vmcb *vmcb, struct mhi_exit *x)
{
	x->vector = (u8)(x->raw - MHI_SVM_X_EXCP_DE);
	x->error = (u32)vmcb->control.exit_info1;
	x->reason = MHI_X_EXCEPTION;
	return false;
}

static bool decode_msr(const struct mhi_vmcb *vmcb, u64 features, struct mhi_exit *x)
{
	x->reason = vmcb->control.exit_info1 & MSR_WRITE ? MHI_X_WRMSR : MHI_X_RDMSR;
	return want_len(vmcb, features, x);
}

bool mhi_svm_decode(const struct mhi_vmcb *vmcb, u64 features, struct mhi_exit *x)
{
	u64 code = vmcb->control.exit_code;

	x->raw = (u32)code;
	x->raw_info[0] = vmcb->control.exit_info1;
	x->raw_info[1] = vmcb->control.exit_info2;
	x->insn_len = 0;
	x->vector = 0;
	x->error = 0;
	if (code == MHI_SVM_X_NPF)
		return decode_npf(vmcb, features, x);
	if (code == MHI_SVM_X_IOIO)
		return decode_io(vmcb, x);
	if (code == MHI_SVM_X_MSR)
		return decode_msr(vmcb, features, x);
	if (code > MHI_SVM_X_CR15_WRITE && code <= MHI_SVM_X_DR15_WRITE) {
		x->reason = MHI_X_DR;
		return false;
	}
	if (code <= MHI_SVM_X_CR15_WRITE)
		return decode_cr(vmcb, features, x);
	if (code >= MHI_SVM_X_EXCP_DE && code <= MHI_SVM_X_EXCP_31)
		return decode_exception(vmcb, x);
	if (mhi_svm_refused(code)) {
		x->reason = MHI_X_ENTRY_FAILED;
		return false;
	}
	return decode_plain(vmcb, features, x);
}
