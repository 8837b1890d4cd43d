/* SPDX-License-Identifier: (GPL-2.0 OR MIT) */
/*
 * The one vendor-neutral contract: the normal form of an exit, and the ops that VMX and SVM
 * implement.
 *
 * A *section* is the stretch between load() and put(): interrupts off, on one CPU, the vCPU's
 * hardware state current. run.c calls load, then state_set/enter any number of times,
 * then state_get, put.
 */
#ifndef MHI_ARCH_HV_H
#define MHI_ARCH_HV_H

#include "arch/x86/vcpu.h"

/* Normal form of exit reasons. Vendors decode to these; exit.c acts on them, once for both. */
enum mhi_reason {
	MHI_X_HOST = 0,	 /* host interrupt, NMI (already re-raised), SMI: nothing for the guest */
	MHI_X_EXCEPTION, /* x->vector, x->error: an exception we intercept on purpose */
	MHI_X_TRIPLE_FAULT,
	MHI_X_INIT,   /* INIT or SIPI signal reached the physical CPU */
	MHI_X_WINDOW, /* guest became interruptible */
	MHI_X_TASK_SWITCH,
	MHI_X_CPUID,
	MHI_X_HLT,
	MHI_X_INVD, /* INVD and WBINVD: x->insn_len is enough to skip both */
	MHI_X_RDPMC,
	MHI_X_HYPERCALL, /* VMCALL, VMMCALL */
	MHI_X_VIRT_INSN, /* VMX or SVM instruction: #UD */
	MHI_X_CR_WRITE,	 /* x->cr.nr, .value (CR0, CR3, CR4, CR8) */
	MHI_X_CR_READ,	 /* x->cr.nr = 8, .gpr */
	MHI_X_DR,	 /* first touch of debug registers; the vendor has nothing decoded */
	MHI_X_IO,	 /* x->io */
	MHI_X_RDMSR,
	MHI_X_WRMSR,
	MHI_X_XSETBV,
	MHI_X_PAUSE,
	MHI_X_MONITOR, /* MONITOR(X), MWAIT(X): #UD unless CPUID offers them; we never do */
	MHI_X_FAULT,   /* nested page fault: x->fault */
	/* EPT misconfiguration, NPT reserved bit: a bug of ours or memory corruption */
	MHI_X_MISCONFIG,
	MHI_X_ENTRY_FAILED, /* x->raw = the CPU's error number */
	MHI_X_UNHANDLED,
	/*
	 * the guest's memory at x->fault.gpa must be faulted in to read the instruction; then
	 * enter again
	 */
	MHI_X_FETCH,
	MHI_X_COUNT
};

/*
 * A guest can make the CPU raise #DB or #AC for ever without an interrupt getting through; the
 * exit lets the host breathe. #MC is the host's. Others are a debugger's.
 */
#define MHI_EXCEPTIONS(v) \
	(1u << MHI_VEC_DB | 1u << MHI_VEC_AC | 1u << MHI_VEC_MC | ((v)->debug & ~MHK_DEBUG_STEP))

#define MHI_CODE64_SEGS (1u << MHK_CS | 1u << MHK_SS | 1u << MHK_FS | 1u << MHK_GS)

#define MHI_FAULT_READ (1u << 0)
#define MHI_FAULT_WRITE (1u << 1)
#define MHI_FAULT_FETCH (1u << 2)

struct mhi_exit {
	enum mhi_reason reason;
	u32 raw; /* vendor's basic exit reason / exit code; VM-instruction error for ENTRY_FAILED */
	u64 raw_info[2]; /* exit qualification + guest-linear address, or EXITINFO1/2 */
	u8 insn_len;	 /* bytes to skip; 0: the CPU did not say (see svm_insn.c) */
	u8 vector;
	u32 error;
	union {
		struct {
			u8 nr;	/* 0, 3, 4, 8 */
			u8 gpr; /* MHK_RAX.. for CR_READ */
			u64 value;
		} cr;
		struct {
			u16 port;
			u8 width;
			u8 flags; /* MHK_IO_* */
		} io;
		struct {
			mh_gpa gpa;
			u8 access;     /* MHI_FAULT_* */
			u8 insn_bytes; /* valid bytes in insn: decode assists */
			u8 insn[MHK_INSN_MAX];
		} fault;
	};
};

/* Where the guest executes, and by which paging. */
struct mhi_code {
	u64 linear; /* of RIP */
	u64 cr0, cr3, cr4, efer;
	bool is64; /* 64-bit code */
};

struct mhi_hv_ops {
	u32 vendor; /* enum mhk_vendor */

	/*
	 * What this CPU offers; reads CPUID and MSRs only. Always fills *caps; returns 0, or
	 * MHI_EOPNOTSUPP / MHI_EBUSY with caps->hw and caps->missing set. Any context with
	 * preemption off.
	 */
	int (*probe)(struct mhi_hv_caps *caps);

	/*
	 * Take the virtualization extension of the current CPU, or give it back. Interrupts off.
	 * cpu_on: 0, MHI_EBUSY (somebody else holds it: nothing was changed), MHI_EIO (the
	 * instruction failed). cpu->page is a zeroed page of ours (VMXON region / host save area).
	 * cpu_off accepts a CPU that is off.
	 */
	int (*cpu_on)(struct mhi_cpu *cpu);
	void (*cpu_off)(struct mhi_cpu *cpu);

	/*
	 * Allocate and fill the vendor part (v->hw) for the reset state. May sleep. MHI_ENOMEM.
	 * fini accepts half-built.
	 */
	int (*vcpu_init)(struct mhi_vcpu *v);
	void (*vcpu_fini)(struct mhi_vcpu *v);

	/*
	 * Begin and end a section on v->cpu (set by the caller). Interrupts off. load: 0 or
	 * MHI_EBUSY (the CPU is held by somebody else now), MHI_EIO with *x as ENTRY_FAILED. Guest
	 * FPU is not touched here (the caller does it); guest MSRs, debug registers, FS/GS,
	 * descriptor tables of the host are.
	 */
	int (*load)(struct mhi_vcpu *v, struct mhi_exit *x);
	void (*put)(struct mhi_vcpu *v);

	/*
	 * Copy groups between *s and the hardware state; within a section. state_set is given
	 * values that mhi_state_check has accepted; state_get fills just the groups asked. GPR (all
	 * 16, RSP included), RIP, SEG, CR (cr8 and xcr0 apart), DR, and MISC's shadow are the
	 * vendor's; MSR goes through msr_get and msr_set, the rest is run.c's. CODE is SEG, but of
	 * 64-bit code only MHI_CODE64_SEGS.
	 */
	void (*state_get)(struct mhi_vcpu *v, u32 groups, struct mhk_state *s);
	void (*state_set)(struct mhi_vcpu *v, u32 groups, const struct mhk_state *s);

	/*
	 * One entry. Before: v->event (exception, NMI, soft interrupt) is injected and cleared;
	 * the external interrupt v->irq is delivered as soon as the guest is interruptible (V_IRQ,
	 * or entry injection, or a window exit), v->irq_taken (false before) says that the
	 * guest took it;
	 * v->gpr, v->rip when v->rip_dirty, v->flush, v->nmi_pending are honoured. After: *x is
	 * decoded, v->gpr (RSP apart), v->rip are current, v->event holds an event whose delivery
	 * the exit interrupted. A failed entry is reason ENTRY_FAILED, never an error return.
	 */
	void (*enter)(struct mhi_vcpu *v, struct mhi_exit *x);

	/* Small setters that exit.c needs between exit and entry, within a section. */
	u64 (*cr_get)(struct mhi_vcpu *v, unsigned int nr); /* guest's view of CR0, CR3 or CR4 */
	void (*cr_set)(struct mhi_vcpu *v, unsigned int nr, u64 value); /* already checked */
	u64 (*msr_get)(struct mhi_vcpu *v, u32 index); /* only those of mhi_msr_is_hw(), msr.h */
	void (*msr_set)(struct mhi_vcpu *v, u32 index,
			u64 value); /* already checked; EFER with LMA computed */
	void (*skip)(struct mhi_vcpu *v,
		     const struct mhi_exit *
			     x); /* rip += insn_len; clears the STI shadow, single-step trap kept */
	u8 (*cpl)(struct mhi_vcpu *v);
	u64 (*rflags)(struct mhi_vcpu *v);
	void (*code)(struct mhi_vcpu *v, struct mhi_code *out);
	void (*dr_intercept)(struct mhi_vcpu *v,
			     bool on); /* accesses to debug registers; put: on */
};

/*
 * dr.c, within a section: the guest's DR0-3 into the CPU (v->host_dr7 is set), not intercepted any
 * more unless there is a debugger; back, by put; and their values wherever they are.
 */
void mhi_dr_live(struct mhi_vcpu *v);
void mhi_dr_unload(struct mhi_vcpu *v);
void mhi_dr_get(const struct mhi_vcpu *v, u64 dr[4]);
void mhi_dr_set(struct mhi_vcpu *v, const u64 dr[4]);

/* For probe: says why not. */
static inline int mhi_hv_refuse(struct mhi_hv_caps *caps, u32 hw, u32 missing)
{
	caps->hw = hw;
	caps->missing = missing;
	return hw == MHK_HW_BUSY ? MHI_EBUSY : MHI_EOPNOTSUPP;
}

extern const struct mhi_hv_ops mhi_vmx_ops;
extern const struct mhi_hv_ops mhi_svm_ops;

#endif
