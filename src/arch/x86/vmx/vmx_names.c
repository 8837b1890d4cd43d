// SPDX-License-Identifier: (GPL-2.0 OR MIT)
/* Names of VMX exit reasons and VM-instruction errors, for messages; also part of the library. */
#include "arch/x86/vmx/vmx_names.h"
#include "arch/x86/exit_names.h"

#define ENTRY_FAILURE (1u << 31)
#define BASIC_REASON 0xffffu

/* SDM 3D appendix C "VMX Basic Exit Reasons". */
static const char *const exit_names[] = {
	[0] = "exception or NMI",
	[1] = "external interrupt",
	[2] = "triple fault",
	[3] = "INIT signal",
	[4] = "SIPI",
	[5] = "I/O SMI",
	[6] = "other SMI",
	[7] = "interrupt window",
	[8] = "NMI window",
	[9] = "task switch",
	[10] = "CPUID",
	[11] = "GETSEC",
	[12] = "HLT",
	[13] = "INVD",
	[14] = "INVLPG",
	[15] = "RDPMC",
	[16] = "RDTSC",
	[17] = "RSM",
	[18] = "VMCALL",
	[19] = "VMCLEAR",
	[20] = "VMLAUNCH",
	[21] = "VMPTRLD",
	[22] = "VMPTRST",
	[23] = "VMREAD",
	[24] = "VMRESUME",
	[25] = "VMWRITE",
	[26] = "VMXOFF",
	[27] = "VMXON",
	[28] = "control-register access",
	[29] = "MOV DR",
	[30] = "I/O instruction",
	[31] = "RDMSR",
	[32] = "WRMSR",
	[33] = "entry failure: invalid guest state",
	[34] = "entry failure: MSR loading",
	[36] = "MWAIT",
	[37] = "monitor trap flag",
	[39] = "MONITOR",
	[40] = "PAUSE",
	[41] = "entry failure: machine check",
	[43] = "TPR below threshold",
	[44] = "APIC access",
	[45] = "virtualized EOI",
	[46] = "access to GDTR or IDTR",
	[47] = "access to LDTR or TR",
	[48] = "EPT violation",
	[49] = "EPT misconfiguration",
	[50] = "INVEPT",
	[51] = "RDTSCP",
	[52] = "VMX-preemption timer expired",
	[53] = "INVVPID",
	[54] = "WBINVD or WBNOINVD",
	[55] = "XSETBV",
	[56] = "APIC write",
	[57] = "RDRAND",
	[58] = "INVPCID",
	[59] = "VMFUNC",
	[60] = "ENCLS",
	[61] = "RDSEED",
	[62] = "page-modification log full",
	[63] = "XSAVES",
	[64] = "XRSTORS",
	[65] = "PCONFIG",
	[66] = "SPP-related event",
	[67] = "UMWAIT",
	[68] = "TPAUSE",
	[69] = "LOADIWKEY",
	[70] = "ENCLV",
	[72] = "ENQCMD PASID translation failure",
	[73] = "ENQCMDS PASID translation failure",
	[74] = "bus lock",
	[75] = "instruction timeout",
	[76] = "SEAMCALL",
	[77] = "TDCALL",
	[78] = "RDMSRLIST",
	[79] = "WRMSRLIST",
	[80] = "URDMSR",
	[81] = "UWRMSR",
	[84] = "RDMSR immediate",
	[85] = "WRMSR immediate",
};

/* SDM 3C 30.4 "VM Instruction Error Numbers". */
static const char *const insn_errors[] = {
	[1] = "VMCALL executed in VMX root operation",
	[2] = "VMCLEAR with invalid physical address",
	[3] = "VMCLEAR with VMXON pointer",
	[4] = "VMLAUNCH with non-clear VMCS",
	[5] = "VMRESUME with non-launched VMCS",
	[6] = "VMRESUME after VMXOFF",
	[7] = "VM entry with invalid control fields",
	[8] = "VM entry with invalid host-state fields",
	[9] = "VMPTRLD with invalid physical address",
	[10] = "VMPTRLD with VMXON pointer",
	[11] = "VMPTRLD with incorrect VMCS revision identifier",
	[12] = "VMREAD or VMWRITE of an unsupported VMCS component",
	[13] = "VMWRITE to a read-only VMCS component",
	[15] = "VMXON executed in VMX root operation",
	[16] = "VM entry with invalid executive-VMCS pointer",
	[17] = "VM entry with non-launched executive VMCS",
	[18] = "VM entry with executive-VMCS pointer not VMXON pointer",
	[19] = "VMCALL with non-clear VMCS",
	[20] = "VMCALL with invalid VM-exit control fields",
	[22] = "VMCALL with incorrect MSEG revision identifier",
	[23] = "VMXOFF under dual-monitor treatment",
	[24] = "VMCALL with invalid SMM-monitor features",
	[25] = "VM entry with invalid execution controls in the executive VMCS",
	[26] = "VM entry with events blocked by MOV SS",
	[28] = "invalid operand to INVEPT or INVVPID",
};

static const char *name_of(const char *const *names, unsigned int count, u32 n, const char *unknown)
{
	return n < count && names[n] ? names[n] : unknown;
}

const char *mhi_vmx_exit_name(u32 raw)
{
	return name_of(exit_names, MHI_COUNT(exit_names), raw & BASIC_REASON,
		       "exit reason unknown to this version");
}

static const char *field_error(u64 field)
{
	switch (field) {
#define X(width, group, name, encoding) \
	case encoding:                  \
		return "the CPU has no VMCS field " #name;
#include "arch/x86/vmx/vmcs_fields.def"
#include "arch/x86/vmx/vmcs_fields_rest.def"
#undef X
	default:
		return "the CPU has no such VMCS field";
	}
}

const char *mhi_vmx_entry_error_name(u32 raw, u64 info)
{
	switch (raw) {
	case MHI_VMX_NEEDS_UNRESTRICTED:
		return "real mode or paging off needs the unrestricted guest, which this CPU lacks";
	case MHI_VMX_FIELD_ERROR:
		return field_error(info);
	case MHI_VMX_INSN_FAILED:
		return "a VMX instruction failed without an error number";
	case MHI_VMX_BUSY:
		return "another hypervisor has taken the CPU";
	default:
		break;
	}
	if (raw & ENTRY_FAILURE)
		return mhi_vmx_exit_name(raw);
	return name_of(insn_errors, MHI_COUNT(insn_errors), raw,
		       "VM-instruction error unknown to this version");
}
