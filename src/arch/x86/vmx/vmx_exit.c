// SPDX-License-Identifier: (GPL-2.0 OR MIT)
/* Exit reasons of VMX to the normal form. Pure: what the VMCS says comes in a struct. */
#include "arch/x86/vmx/vmx.h"

#define BASIC_REASON 0xffffu
#define INSN (VMX_NEED_LEN)
#define QUAL (VMX_NEED_QUAL)
#define FAULT (VMX_NEED_QUAL | VMX_NEED_GPA | VMX_NEED_LINEAR | VMX_NEED_VECTORING)
/* The vectoring field is stale after a failed entry: SDM 3C 26.8. */
#define FAILED (VMX_NEED_QUAL | VMX_NEED_INTR)
#define REPORT (VMX_NEED_QUAL | VMX_NEED_LEN | VMX_NEED_VECTORING)

/* Reasons that are not here are MHI_X_UNHANDLED. SDM 3D appendix C. */
static const struct vmx_kind kinds[] = {
	[0] = { MHI_X_EXCEPTION, VMX_NEED_INTR | VMX_NEED_QUAL | VMX_NEED_VECTORING },
	[1] = { MHI_X_HOST, VMX_NEED_VECTORING },
	[2] = { MHI_X_TRIPLE_FAULT, VMX_NEED_NOTHING },
	[3 ... 4] = { MHI_X_INIT, VMX_NEED_VECTORING },
	[5 ... 6] = { MHI_X_HOST, VMX_NEED_VECTORING },
	[7 ... 8] = { MHI_X_WINDOW, VMX_NEED_NOTHING },
	[9] = { MHI_X_TASK_SWITCH, REPORT },
	[10] = { MHI_X_CPUID, INSN },
	[11] = { MHI_X_VIRT_INSN, INSN }, /* GETSEC: CR4.SMXE is never set */
	[12] = { MHI_X_HLT, INSN },
	[13] = { MHI_X_INVD, INSN },
	[15] = { MHI_X_RDPMC, INSN },
	[18] = { MHI_X_HYPERCALL, INSN },
	[19 ... 27] = { MHI_X_VIRT_INSN, INSN }, /* VMCLEAR to VMXON */
	[28] = { MHI_X_CR_WRITE, INSN | QUAL | VMX_NEED_CR },
	[29] = { MHI_X_DR, QUAL },
	[30] = { MHI_X_IO, INSN | QUAL },
	[31] = { MHI_X_RDMSR, INSN },
	[32] = { MHI_X_WRMSR, INSN },
	[33 ... 34] = { MHI_X_ENTRY_FAILED, FAILED },
	[36] = { MHI_X_MONITOR, INSN },
	[39] = { MHI_X_MONITOR, INSN },
	[40] = { MHI_X_PAUSE, VMX_NEED_NOTHING },
	[41] = { MHI_X_ENTRY_FAILED, FAILED },
	[48] = { MHI_X_FAULT, FAULT },
	[49] = { MHI_X_MISCONFIG, VMX_NEED_GPA | VMX_NEED_VECTORING },
	[50] = { MHI_X_VIRT_INSN, INSN },
	[52] = { MHI_X_HOST, VMX_NEED_VECTORING },
	[53] = { MHI_X_VIRT_INSN, INSN },
	[54] = { MHI_X_INVD, INSN },
	[55] = { MHI_X_XSETBV, INSN },
	[59 ... 60] = { MHI_X_VIRT_INSN, INSN }, /* INVVPID; ENCLS: no enclaves, #UD as well */
	[70] = { MHI_X_VIRT_INSN, INSN },	 /* ENCLV */
	[76 ... 77] = { MHI_X_VIRT_INSN, INSN }, /* SEAMCALL, TDCALL */
};

static const struct vmx_kind unhandled = { MHI_X_UNHANDLED, REPORT };
static const struct vmx_kind failed = { MHI_X_ENTRY_FAILED, FAILED };

const struct vmx_kind *mhi_vmx_kind(u32 reason)
{
	u32 basic = reason & BASIC_REASON;

	if (reason & EXIT_ENTRY_FAILURE)
		return &failed;
	return basic < MHI_COUNT(kinds) && kinds[basic].needs ? &kinds[basic] : &unhandled;
}

static void decode_exception(const struct vmx_raw *raw, struct mhi_exit *x)
{
	x->vector = (u8)MHI_EVENT_VECTOR(raw->intr_info);
	x->error = raw->intr_error;
	/* NMIs and machine checks were the host's. */
	if (MHI_EVENT_TYPE(raw->intr_info) == MHI_EVENT_NMI || x->vector == MHI_VEC_MC)
		x->reason = MHI_X_HOST;
}

/* SDM 3C table 27-3 "Exit Qualification for Control-Register Accesses". */
static void decode_cr(const struct vmx_raw *raw, struct mhi_exit *x)
{
	u64 qual = raw->qualification;
	u8 gpr = (u8)mhi_bits(qual, 11, 8);

	x->cr.nr = (u8)mhi_bits(qual, 3, 0);
	x->cr.gpr = gpr;
	switch (mhi_bits(qual, 5, 4)) {
	case 0: /* MOV to CR */
		x->cr.value = raw->reg;
		break;
	case 1: /* MOV from CR: only CR8 exits; nobody could write RSP here */
		x->reason = gpr == MHK_RSP || x->cr.nr != 8 ? MHI_X_UNHANDLED : MHI_X_CR_READ;
		break;
	case 2: /* CLTS */
		x->cr.value = raw->cr0 & ~MHI_CR0_TS;
		break;
	case 3: /* LMSW changes PE (to 1 only), MP, EM, TS */
		x->cr.value = (raw->cr0 & ~0xeull) | mhi_bits(qual, 19, 16);
		break;
	}
}

/* SDM 3C table 27-5 "Exit Qualification for I/O Instructions". */
static void decode_io(const struct vmx_raw *raw, struct mhi_exit *x)
{
	u64 qual = raw->qualification;

	x->io.port = (u16)mhi_bits(qual, 31, 16);
	x->io.width = (u8)(mhi_bits(qual, 2, 0) + 1);
	x->io.flags = (u8)(((qual & MHI_BIT(3)) ? MHK_IO_IN : 0) |
			   ((qual & MHI_BIT(4)) ? MHK_IO_STRING : 0) |
			   ((qual & MHI_BIT(5)) ? MHK_IO_REP : 0));
}

/* SDM 3C table 27-7 "Exit Qualification for EPT Violations". */
static void decode_fault(const struct vmx_raw *raw, struct mhi_exit *x)
{
	u64 qual = raw->qualification;

	x->fault.gpa = raw->gpa;
	x->fault.access = (u8)(((qual & MHI_BIT(0)) ? MHI_FAULT_READ : 0) |
			       ((qual & MHI_BIT(1)) ? MHI_FAULT_WRITE : 0) |
			       ((qual & MHI_BIT(2)) ? MHI_FAULT_FETCH : 0));
	x->fault.insn_bytes = 0;
	memset(x->fault.insn, 0, sizeof(x->fault.insn));
}

/* Of exits that say more than an instruction's length. */
static void decode_parts(const struct vmx_raw *raw, struct mhi_exit *x)
{
	u32 basic = raw->reason & BASIC_REASON;

	if (basic == EXIT_EXCEPTION)
		decode_exception(raw, x);
	else if (basic == EXIT_CR_ACCESS)
		decode_cr(raw, x);
	else if (basic == EXIT_IO)
		decode_io(raw, x);
	else if (basic == EXIT_EPT_VIOLATION)
		decode_fault(raw, x);
	else if (basic == EXIT_EPT_MISCONFIG)
		x->raw_info[0] = raw->gpa;
}

void mhi_vmx_decode(const struct vmx_raw *raw, struct mhi_exit *x)
{
	x->reason = (enum mhi_reason)raw->kind->reason;
	x->raw = raw->reason;
	x->insn_len = (u8)raw->insn_len;
	x->raw_info[0] = 0;
	x->raw_info[1] = 0;
	if (!(raw->kind->needs & ~VMX_NEED_LEN))
		return;
	x->raw_info[0] = raw->qualification;
	x->raw_info[1] = raw->linear;
	if (raw->kind != &failed)
		decode_parts(raw, x);
}
