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

/*
 * What to read and what it becomes; reasons that are not here are MHI_X_UNHANDLED. SDM 3D appendix
 * C.
 */
static const struct {
	u8 known;
	u8 reason; /* enum mhi_reason */
	u8 needs;
} exits[EXIT_REASONS] = {
	[0] = { 1, MHI_X_EXCEPTION, VMX_NEED_INTR | VMX_NEED_QUAL | VMX_NEED_VECTORING },
	[1] = { 1, MHI_X_HOST, VMX_NEED_VECTORING },
	[2] = { 1, MHI_X_TRIPLE_FAULT, 0 },
	[3] = { 1, MHI_X_INIT, VMX_NEED_VECTORING },
	[4] = { 1, MHI_X_INIT, VMX_NEED_VECTORING },
	[5] = { 1, MHI_X_HOST, VMX_NEED_VECTORING },
	[6] = { 1, MHI_X_HOST, VMX_NEED_VECTORING },
	[7] = { 1, MHI_X_WINDOW, 0 },
	[8] = { 1, MHI_X_WINDOW, 0 },
	[9] = { 1, MHI_X_TASK_SWITCH, REPORT },
	[10] = { 1, MHI_X_CPUID, INSN },
	[11] = { 1, MHI_X_VIRT_INSN, INSN }, /* GETSEC: CR4.SMXE is never set */
	[12] = { 1, MHI_X_HLT, INSN },
	[13] = { 1, MHI_X_INVD, INSN },
	[15] = { 1, MHI_X_RDPMC, INSN },
	[18] = { 1, MHI_X_HYPERCALL, INSN },
	[19] = { 1, MHI_X_VIRT_INSN, INSN },
	[20] = { 1, MHI_X_VIRT_INSN, INSN },
	[21] = { 1, MHI_X_VIRT_INSN, INSN },
	[22] = { 1, MHI_X_VIRT_INSN, INSN },
	[23] = { 1, MHI_X_VIRT_INSN, INSN },
	[24] = { 1, MHI_X_VIRT_INSN, INSN },
	[25] = { 1, MHI_X_VIRT_INSN, INSN },
	[26] = { 1, MHI_X_VIRT_INSN, INSN },
	[27] = { 1, MHI_X_VIRT_INSN, INSN },
	[28] = { 1, MHI_X_CR_WRITE, INSN | QUAL | VMX_NEED_CR },
	[29] = { 1, MHI_X_DR, QUAL },
	[30] = { 1, MHI_X_IO, INSN | QUAL },
	[31] = { 1, MHI_X_RDMSR, INSN },
	[32] = { 1, MHI_X_WRMSR, INSN },
	[33] = { 1, MHI_X_ENTRY_FAILED, FAILED },
	[34] = { 1, MHI_X_ENTRY_FAILED, FAILED },
	[36] = { 1, MHI_X_MONITOR, INSN },
	[39] = { 1, MHI_X_MONITOR, INSN },
	[40] = { 1, MHI_X_PAUSE, 0 },
	[41] = { 1, MHI_X_ENTRY_FAILED, FAILED },
	[48] = { 1, MHI_X_FAULT, FAULT },
	[49] = { 1, MHI_X_MISCONFIG, VMX_NEED_GPA | VMX_NEED_VECTORING },
	[50] = { 1, MHI_X_VIRT_INSN, INSN },
	[52] = { 1, MHI_X_HOST, VMX_NEED_VECTORING },
	[53] = { 1, MHI_X_VIRT_INSN, INSN },
	[54] = { 1, MHI_X_INVD, INSN },
	[55] = { 1, MHI_X_XSETBV, INSN },
	[59] = { 1, MHI_X_VIRT_INSN, INSN },
	[60] = { 1, MHI_X_VIRT_INSN, INSN }, /* ENCLS: no enclaves, #UD as well */
	[70] = { 1, MHI_X_VIRT_INSN, INSN }, /* ENCLV */
};

static bool known(u32 reason)
{
	u32 basic = reason & BASIC_REASON;

	return basic < MHI_COUNT(exits) && exits[basic].known;
}

u32 mhi_vmx_needs(u32 reason)
{
	if (reason & EXIT_ENTRY_FAILURE)
		return FAILED;
	return known(reason) ? exits[reason & BASIC_REASON].needs : REPORT;
}

static void decode_exception(const struct vmx_raw *raw, struct mhi_exit *x)
{
	x->vector = (u8)MHI_EVENT_VECTOR(raw->intr_info);
	x->error = raw->intr_error;
	/* NMIs and machine checks were the host's. */
	if (MHI_EVENT_TYPE(raw->intr_info) == EVENT_NMI || x->vector == MHI_VEC_MC)
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

static void decode_parts(const struct vmx_raw *raw, struct mhi_exit *x)
{
	switch (raw->reason & BASIC_REASON) {
	case EXIT_EXCEPTION:
		decode_exception(raw, x);
		break;
	case EXIT_CR_ACCESS:
		decode_cr(raw, x);
		break;
	case EXIT_IO:
		decode_io(raw, x);
		break;
	case EXIT_EPT_VIOLATION:
		decode_fault(raw, x);
		break;
	case EXIT_EPT_MISCONFIG:
		x->raw_info[0] = raw->gpa;
		break;
	default:
		break;
	}
}

void mhi_vmx_decode(const struct vmx_raw *raw, struct mhi_exit *x)
{
	u32 basic = raw->reason & BASIC_REASON;

	x->reason = known(raw->reason) ? (enum mhi_reason)exits[basic].reason : MHI_X_UNHANDLED;
	x->raw = raw->reason;
	x->raw_info[0] = raw->qualification;
	x->raw_info[1] = raw->linear;
	x->insn_len = (u8)raw->insn_len;
	if (raw->reason & EXIT_ENTRY_FAILURE)
		x->reason = MHI_X_ENTRY_FAILED;
	else
		decode_parts(raw, x);
}
