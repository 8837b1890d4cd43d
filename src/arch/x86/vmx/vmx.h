/* SPDX-License-Identifier: (GPL-2.0 OR MIT) */
/*
 * What the files of the VMX back end share: capabilities, the vendor part of a vCPU, the bits of
 * the VMCS's controls.
 */
#ifndef MHI_VMX_H
#define MHI_VMX_H

#include "arch/x86/hv.h"
#include "arch/x86/msr.h"
#include "arch/x86/vmx/vmcs.h"
#include "arch/x86/vmx/vmx_names.h"
#include "base/x86.h"
#include "x86_insn.h"

/* Capability MSRs: SDM 3D appendix A "VMX Capability Reporting Facility". */
#define MSR_VMX_BASIC 0x480
#define MSR_VMX_CTLS 0x481 /* and three more: enum vmx_word */
#define MSR_VMX_MISC 0x485
#define MSR_VMX_CR0_FIXED0 0x486
#define MSR_VMX_CR0_FIXED1 0x487
#define MSR_VMX_CR4_FIXED0 0x488
#define MSR_VMX_CR4_FIXED1 0x489
#define MSR_VMX_PROC_CTLS2 0x48b
#define MSR_VMX_EPT_VPID_CAP 0x48c
#define MSR_VMX_TRUE_CTLS 0x48d /* likewise */

#define CAP_TRUE_CTLS (1ull << 55)
#define VMCS_REVISION_MASK 0x7fffffffu

/* IA32_FEATURE_CONTROL: SDM 3C 23.7 "Enabling and Entering VMX Operation". */
#define FEATURE_CONTROL_LOCK (1ull << 0)
#define FEATURE_CONTROL_VMX (1ull << 2)

/* SDM 3C 24.6.1 "Pin-Based VM-Execution Controls". */
#define PIN_EXT_INTR (1u << 0)
#define PIN_NMI (1u << 3)
#define PIN_VIRTUAL_NMI (1u << 5)
#define PIN_PREEMPTION_TIMER (1u << 6)

/* SDM 3C 24.6.2 "Processor-Based VM-Execution Controls". */
#define PROC_INTR_WINDOW (1u << 2)
#define PROC_TSC_OFFSET (1u << 3)
#define PROC_HLT (1u << 7)
#define PROC_INVLPG (1u << 9)
#define PROC_MWAIT (1u << 10)
#define PROC_RDPMC (1u << 11)
#define PROC_RDTSC (1u << 12)
#define PROC_CR3_LOAD (1u << 15)
#define PROC_CR3_STORE (1u << 16)
#define PROC_CR8_LOAD (1u << 19)
#define PROC_CR8_STORE (1u << 20)
#define PROC_NMI_WINDOW (1u << 22)
#define PROC_WINDOWS (PROC_INTR_WINDOW | PROC_NMI_WINDOW)
#define PROC_MOV_DR (1u << 23)
#define PROC_IO (1u << 24)
#define PROC_MSR_BITMAP (1u << 28)
#define PROC_MONITOR (1u << 29)
#define PROC_SECONDARY (1u << 31)

#define PROC2_EPT (1u << 1)
#define PROC2_RDTSCP (1u << 3)
#define PROC2_VPID (1u << 5)
#define PROC2_WBINVD (1u << 6)
#define PROC2_UNRESTRICTED (1u << 7)
#define PROC2_INVPCID (1u << 12)
#define PROC2_ENCLS (1u << 15)
#define PROC2_TSC_SCALING (1u << 25)
#define PROC2_ENCLV (1u << 28)

/* SDM 3C 24.7.1 "VM-Exit Controls", 24.8.1 "VM-Entry Controls". */
#define EXIT_SAVE_DEBUG (1u << 2)
#define EXIT_HOST_64 (1u << 9)
#define EXIT_LOAD_PAT (1u << 19)
#define EXIT_LOAD_EFER (1u << 21)
#define ENTRY_LOAD_DEBUG (1u << 2)
#define ENTRY_IA32E (1u << 9)
#define ENTRY_LOAD_PAT (1u << 14)
#define ENTRY_LOAD_EFER (1u << 15)

/* IA32_VMX_EPT_VPID_CAP: SDM 3D A.10 "VPID and EPT Capabilities". */
#define EPT_CAP_WALK4 (1ull << 6)
#define EPT_CAP_WB (1ull << 14)
#define EPT_CAP_2M (1ull << 16)
#define EPT_CAP_1G (1ull << 17)
#define EPT_CAP_INVEPT (1ull << 20)
#define EPT_CAP_AD (1ull << 21)
#define EPT_CAP_INVEPT_SINGLE (1ull << 25)
#define EPT_CAP_INVEPT_ALL (1ull << 26)
#define EPT_CAP_INVVPID (1ull << 32)
#define EPT_CAP_INVVPID_SINGLE (1ull << 41)
#define EPT_CAP_INVVPID_ALL (1ull << 42)

#define INVEPT_SINGLE 1u
#define INVEPT_ALL 2u
#define INVVPID_SINGLE 1u
#define INVVPID_ALL 2u

/* EPTP: SDM 3C 24.6.11 "Extended-Page-Table Pointer (EPTP)". */
#define EPTP_WB 6u
#define EPTP_WALK4 (3u << 3)
#define EPTP_AD (1u << 6)

/* SDM 3C 24.4.2 "Guest Non-Register State". */
#define BLOCKED_BY_STI (1u << 0)
#define BLOCKED_BY_MOV_SS (1u << 1)
#define BLOCKED_BY_INSN (BLOCKED_BY_STI | BLOCKED_BY_MOV_SS)
#define BLOCKED_BY_NMI (1u << 3)
#define PENDING_DEBUG_BP (1u << 12)
#define PENDING_DEBUG_BS (1u << 14)

/* In the fields of SDM 3C 24.9.2 and 24.9.3: an IRET had unblocked NMIs. */
#define EVENT_NMI_UNBLOCKED_IRET (1u << 12)

/*
 * Exit reasons that code refers to; all their names are in vmx_names.c. SDM 3D appendix C "VMX
 * Basic Exit Reasons".
 */
#define EXIT_EXCEPTION 0u
#define EXIT_CR_ACCESS 28u
#define EXIT_IO 30u
#define EXIT_ENTRY_MCE 41u
#define EXIT_EPT_VIOLATION 48u
#define EXIT_EPT_MISCONFIG 49u
#define EXIT_ENTRY_FAILURE (1u << 31)

/* raw_info[0] of MHI_VMX_INSN_FAILED. */
enum vmx_insn {
	VMX_INSN_VMXON = 1,
	VMX_INSN_VMCLEAR,
	VMX_INSN_VMPTRLD,
	VMX_INSN_VMENTER,
	VMX_INSN_INVALIDATE, /* INVEPT or INVVPID */
};

/* The words of controls, in the order of their capability MSRs. */
enum vmx_word { VMX_PIN, VMX_PROC, VMX_EXIT, VMX_ENTRY, VMX_PROC2, VMX_WORDS };

/* What the capability MSRs say. Filled by mhi_vmx_caps_read; constant. */
struct vmx_caps {
	u64 basic, misc, ept_vpid;
	u64 cr0_fixed0, cr0_fixed1, cr4_fixed0, cr4_fixed1;
	u64 ctls[VMX_WORDS]; /* low half: bits that must be 1; high half: bits that may be 1 */
};

#define VMX_SYSCALL_MSRS 4u

/* What VM exits and guests change of the host's state, as found by load. Legend: as vmx_vcpu. */
struct vmx_host {
	struct mhi_cpu *cpu; /* (s) the CPU of the last section; its constants are in the VMCS */
	struct mhi_dtr gdt, idt; /* (s) constant per CPU */
	u16 tr, ldt, ds, es, fs, gs;
	u64 cr0, cr3, cr4;
	u64 fs_base, kernel_gs_base;
	u64 debugctl, dr6;
	bool lost; /* an entry of this section failed late: as after an exit */
};

/* What an exit reason becomes, and what must be read of the VMCS for that. */
#define VMX_NEED_LEN (1u << 0)
#define VMX_NEED_QUAL (1u << 1)
#define VMX_NEED_INTR (1u << 2)
#define VMX_NEED_GPA (1u << 3)
#define VMX_NEED_LINEAR (1u << 4)
#define VMX_NEED_CR (1u << 5)	     /* reg and cr0 */
#define VMX_NEED_VECTORING (1u << 6) /* the exit may have interrupted an event's delivery */
#define VMX_NEED_NOTHING (1u << 7)
struct vmx_kind {
	u8 reason; /* enum mhi_reason */
	u8 needs;  /* VMX_NEED_*, never 0 */
};

/*
 * What a VMCS tells about an exit. Parts that kind does not need are 0, or unset where it needs
 * VMX_NEED_LEN at most; gpa to cr0 are unset.
 */
struct vmx_raw {
	const struct vmx_kind *kind;
	u32 reason; /* whole exit-reason field */
	u32 insn_len;
	u32 intr_info, intr_error;
	u32 vectoring;
	u64 qualification, linear;
	u64 gpa;
	u64 reg; /* value of the general register that a CR access names */
	u64 cr0; /* guest's view, for LMSW and CLTS */
};

/*
 * The vendor part of a vCPU: one page. Legend: (c) constant after vcpu_init, (s) only within a
 * section, (v) only the vCPU's thread.
 */
struct vmx_vcpu {
	struct vmcs_ref ref;
	void *vmcs;				/* (c) */
	mh_hpa vmcs_pa;				/* (c) */
	u8 *msr_bitmap;				/* (c) */
	u32 revision;				/* (c) */
	bool unrestricted;			/* (v) constant once filled */
	bool filled;				/* (v) the VMCS holds controls and a guest state */
	bool launched;				/* (s) */
	u16 vpid;				/* (v) 0 = none */
	u64 eptp;				/* (v) */
	u64 ept_vpid_cap;			/* (c) */
	u64 cr0_fixed0, cr0_fixed1, cr4_fixed0; /* (c) */

	u64 proc, entry, exceptions;   /* (v) what the VMCS holds */
	u64 tsc_offset, tsc_ratio;     /* (v) likewise */
	u32 proc2;		       /* (v) likewise, but for TSC scaling */
	u64 host_rsp;		       /* (v) likewise; vmx_entry.S compares and writes */
	u64 efer, pat;		       /* (v) guest's */
	u64 syscall[VMX_SYSCALL_MSRS]; /* (v) guest's */
	u64 kernel_gs_base;	       /* (v) guest's while not in a section */
	u64 dr6;		       /* (v) guest's while not in a section */
	bool pdptes_stale; /* (v) PAE paging was set from outside: read PDPTEs before the entry */
	bool mode_refused; /* (v) needs unrestricted guest, which the CPU lacks */
	bool flush_vpid;   /* (v) */
	bool irq_injected; /* (s) by the last entry */

	struct vmx_raw raw; /* (s) of the last exit */
	struct vmx_host host;
};

static inline struct vmx_vcpu *vmx_of(struct mhi_vcpu *v)
{
	return v->hw;
}

/* vmx_caps.c */
void mhi_vmx_caps_read(struct vmx_caps *caps);
/* Computes what to use. 0, or MHI_EOPNOTSUPP and the enum mhk_feature that lacks. */
int mhi_vmx_controls(const struct vmx_caps *caps, u32 out[VMX_WORDS], u32 *missing);
int mhi_vmx_probe(struct mhi_hv_caps *caps);

/* vmx_setup.c */
int mhi_vmx_vcpu_init(struct mhi_vcpu *v);
void mhi_vmx_vcpu_fini(struct mhi_vcpu *v);
/* Within the first section: controls and constants into the fresh VMCS; run.c loads the guest. */
void mhi_vmx_fill(struct mhi_vcpu *v);

/* vmx_host.c */
/* Those that load and put switch, in the order of vmx_vcpu.syscall and mhi_cpu.host_syscall. */
extern const u32 mhi_vmx_syscall_msrs[VMX_SYSCALL_MSRS];
void mhi_vmx_host_save(struct mhi_vcpu *v);
void mhi_vmx_guest_msrs_load(struct mhi_vcpu *v);
void mhi_vmx_host_restore(struct mhi_vcpu *v);

/* vmx_state.c */
void mhi_vmx_state_get(struct mhi_vcpu *v, u32 groups, struct mhk_state *s);
void mhi_vmx_state_set(struct mhi_vcpu *v, u32 groups, const struct mhk_state *s);
u64 mhi_vmx_cr_get(struct mhi_vcpu *v, unsigned int nr);
bool mhi_vmx_in_code64(struct vmx_vcpu *h);
void mhi_vmx_code(struct mhi_vcpu *v, struct mhi_code *out);
void mhi_vmx_cr_set(struct mhi_vcpu *v, unsigned int nr, u64 value);
u64 mhi_vmx_msr_get(struct mhi_vcpu *v, u32 index);
void mhi_vmx_msr_set(struct mhi_vcpu *v, u32 index, u64 value);
/*
 * Reads the PDPTEs of a stale PAE guest. 0, or MHI_EAGAIN: the page of CR3 must be made present
 * first.
 */
int mhi_vmx_pdptes_load(struct mhi_vcpu *v);
void mhi_vmx_proc_set(struct vmx_vcpu *h, u64 proc);

/* vmx_event.c: what goes in with an entry, and what an exit interrupted. */
void mhi_vmx_events_before(struct mhi_vcpu *v);
void mhi_vmx_events_after(struct mhi_vcpu *v, const struct vmx_raw *raw);

/* vmx_exit.c: decoding, pure. */

const struct vmx_kind *mhi_vmx_kind(u32 reason);
void mhi_vmx_decode(const struct vmx_raw *raw, struct mhi_exit *x);

/* vmx_entry.S */
extern const char mhi_vmx_exit_point[];
/*
 * Enters the guest. 0 after a VM exit, else MHI_VMX_INVALID or MHI_VMX_VALID: the guest did not
 * run.
 */
u32 mhi_vmx_enter(u64 *gpr, u64 *host_rsp, u32 launched);

#endif
