/* SPDX-License-Identifier: MIT */
/*
 * The test's side of the faked VMX operation (port/vmx_insn.h): what happened, what fails next, who
 * plays the guest.
 */
#ifndef FAKE_VMX_H
#define FAKE_VMX_H

#include "arch/x86/vmx/vmcs.h"
#include "vmx_insn.h"

/* What the shim has no use for. */
enum fake_vmcs_rest {
#define X(width, group, name, encoding) VMCS_##name = encoding,
#include "arch/x86/vmx/vmcs_fields_rest.def"
#undef X
};

#define FAKE_VMX_REVISION 0x1234u
#define FAKE_TSS_BASE 0xfffffe0000003000ull
#define FAKE_TR_SEL 0x40

struct fake_vmx {
	bool root;	      /* between VMXON and VMXOFF */
	unsigned int misuses; /* would be #UD, #GP or a corrupted VMCS on hardware */

	/* What the next instruction of that name returns instead of 0; stays until cleared. */
	int vmxon_fails, vmclear_fails, vmptrld_fails, invept_fails;
	u32 entry_error;    /* VM-instruction error of the next entries; 0: they succeed */
	bool entry_invalid; /* VMfailInvalid */
	u32 absent;	    /* a field that the CPU lacks */

	unsigned int vmxons, vmlaunches, vmresumes;
	unsigned int reads, writes; /* of VMCS fields */
	unsigned int invepts, invvpids;
	u64 invept_type, invept_eptp, invvpid_type, invvpid_vpid;
	unsigned int nmis, mces, tr_reloads;

	struct mhi_dtr gdt, idt;
	u16 tr, ldt, cs, ss, ds, es, fs, gs;

	/* Plays the guest; sets exit fields by fake_vmcs_set. */
	void (*guest)(u64 *gpr);
};

extern struct fake_vmx fake_vmx;

/* Out of VMX operation, no VMCS known, the host's segments as Linux has them. */
void fake_vmx_reset(void);
/* Fields of the VMCS that was current last, without any check. */
u64 fake_vmcs(u32 field);
void fake_vmcs_set(u32 field, u64 value);
/* An exit with this reason and instruction length, nothing else. */
void fake_vmx_exit(u32 reason, u32 insn_len);

#endif
