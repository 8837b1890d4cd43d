/* SPDX-License-Identifier: (GPL-2.0 OR MIT) */
/* The freestanding part of a CPU, a VM and a vCPU, and what the host must provide to them. */
#ifndef MHI_ARCH_VCPU_H
#define MHI_ARCH_VCPU_H

#include "base/types.h"
#include "base/err.h"
#include "base/once.h"
#include "base/page.h"
#include "mm/npt.h"
#include "macrohard/uapi.h"
#include "arch/x86/lapic.h"

struct mhi_hv_ops;
struct mhi_vcpu;

/* One physical CPU. Legend: (c) constant once allocated, (i) interrupts off on that CPU. */
struct mhi_cpu {
	u32 id;		/* (c) */
	void *page;	/* (c) VMXON region or host save area */
	mh_hpa page_pa; /* (c) */
	bool on;	/* (i) cpu_on succeeded */
	u32 asid_gen;	/* (i) SVM: generation of the ASIDs handed out on this CPU; VMX: unused */
	u32 asid_next;	/* (i) SVM */
	u64 last_vcpu;	/* (i) who ran last, as spec.c numbers vCPUs; 0: nobody yet */
	u64 host_syscall[4]; /* (i) VMX: STAR, LSTAR, CSTAR, SFMASK; constants read by cpu_on */
	u64 host_tsc_aux;    /* (i) likewise */
	u64 tsc_ratio;	     /* (i) SVM: in the CPU's MSR, of who ran last with another */
};

/* Caps found by probe(); also what MHK_INFO reports. */
struct mhi_hv_caps {
	u32 hw;	       /* enum mhk_hw */
	u32 missing;   /* see enum mhk_hw */
	u64 features;  /* bit n = enum mhk_feature n */
	u64 cr4;       /* CR4 bits a guest may set */
	u64 xcr0;      /* of a VM: XCR0 bits that a guest may set; 0: the host has no XSAVE */
	u32 asids;     /* SVM */
	u32 tsc_shift; /* of struct mhk_tsc */
	u32 phys_bits;
	const struct mhi_npt_fmt *npt_fmt;
	u32 npt_max_level;
};

/* One VM, as the run loop sees it. */
struct mhi_vm {
	const struct mhi_hv_ops *ops; /* (c) */
	struct mhi_hv_caps caps;      /* (c) */
	struct mhi_npt npt;	      /* root is (c); entries under the host's lock */
	u64 tsc_offset, tsc_ratio;    /* any thread; read at load; as in struct mhk_tsc */
	u32 tsc_khz;		      /* (c) */
	u32 barriers;		      /* (c) MHK_BARRIER_*: their MSRs exist */
	u64 id;			      /* (c) no other VM has or had it; not 0 */
	u32 flush_gen; /* atomic; bumped after entries were removed: vCPUs flush when it moved */
	u16 vpid_base; /* (c) VMX: VPID of vCPU n is vpid_base + n; 0 = no VPID */
	struct mhi_vcpu *vcpu
		/* by APIC id; set once with release order, never cleared while the VM lives */
		[MHK_MAX_VCPUS];
};

#define MHI_EVENT_VALID (1u << 31)
#define MHI_EVENT_ERROR (1u << 11)
#define MHI_EVENT_FIELDS (MHI_EVENT_VALID | MHI_EVENT_ERROR | 0x7ffu) /* the others are reserved */
#define MHI_EVENT_TYPE(info) (((info) >> 8) & 7)
#define MHI_EVENT_VECTOR(info) ((info)&0xff)
/* Types. */
#define MHI_EVENT_EXTERNAL 0u
#define MHI_EVENT_NMI 2u
#define MHI_EVENT_EXCEPTION 3u
#define MHI_EVENT_SOFT 4u      /* INTn; under VMX exceptions of instructions follow */
#define MHI_EVENT_PRIV_SOFT 5u /* VMX: INT1 */

#define MHI_NO_PAGE 1ull /* no page starts there */

/* What a vCPU does when it is to be completed by user space. */
enum mhi_pending { MHI_PEND_NONE = 0, MHI_PEND_IN, MHI_PEND_RDMSR, MHI_PEND_WRMSR };

/*
 * One vCPU. Legend: (c) constant after init, (v) only its own thread, (a) atomic, any thread.
 */
struct mhi_vcpu {
	struct mhi_vm *vm;   /* (c) */
	struct mhi_cpu *cpu; /* (v) the CPU of the current section */
	void *hw;	     /* (c) vendor part: struct vmx_vcpu or svm_vcpu */
	u32 apic_id;	     /* (c) */

	u64 gpr[MHK_GPRS]; /* (v) guest's; RSP lives with the vendor */
	u64 rip;	   /* (v) valid after enter; set rip_dirty when changing it */
	bool rip_dirty;	   /* (v) */
	int irq;	   /* (v) external interrupt for the next entry, -1 = none */
	bool irq_taken;	   /* (v) the guest took it in that entry */
	bool nmi_pending;  /* (v) deliver an NMI when NMIs are not blocked */
	/* (v) flush guest-physical translations before the next entry; the vendor clears it */
	bool flush;
	u32 flush_seen; /* (v) vm->flush_gen at the last flush */

	/* (v) MHI_EVENT_* | type << 8 | vector: SDM 3C 25.8.3 / APM 2 15.20 share this layout */
	u32 event;
	u32 event_error; /* (v) */
	u32 event_len;	 /* (v) instruction length of soft interrupts */
	u32 debug;	 /* (v) MHK_DEBUG_* */
	bool told;	 /* (v) the event is user space's own: no exit for user.debug */

	u64 cr2;	  /* (v) VMX: guest CR2, switched by hand; SVM keeps it in the VMCB */
	u64 xcr0;	  /* (v) */
	u64 dr[4];	  /* (v) guest DR0-3 while not live */
	bool dr_live;	  /* (v) they are in the CPU */
	u64 host_dr7;	  /* (v) of the current section */
	u64 host_dr[4];	  /* (v) valid when dr_live and host_dr7 has breakpoints */
	u64 host_xcr0;	  /* (v) of the current section */
	u64 tsc_aux;	  /* (v) */
	bool has_tsc_aux; /* (v) constant once loaded: it is in the CPU from load to put */
	u32 mp_state;	  /* (v) enum mhk_mp */

	struct mhi_lapic lapic;

	struct mhk_cpuid_entry cpuid[MHK_MAX_CPUID]; /* (v) sorted by leaf, subleaf */
	u32 cpuids;				     /* (v) */

	u32 commit; /* (v) MHK_G_*: groups of commit_state to load when the next section begins */
	struct mhk_state commit_state; /* (v) our checked copy of what user space wants loaded */
	u64 reply;		       /* (v) user space's answer to the pending exit */
	u32 reply_flags;	       /* (v) MHK_REPLY_* */
	/* (v) the HLT that the vCPU sits in ends with an interrupt (RFLAGS.IF was set) */
	bool halt_irqs;
	mh_gpa fault_gpa; /* (v) what MHI_RUN_FAULT wants mapped */
	u8 fault_access;  /* (v) MHI_FAULT_* */

	enum mhi_pending pending; /* (v) */
	u8 pending_len;		  /* (v) IN: width; MSR: instruction length */
	struct mhk_exit exit;	  /* (v) the exit for user space, built here, copied once */
	u32 provide;		  /* (v) groups that go with it */

	struct mhi_code_page {
		u64 linear, paging;
		mh_gpa gpa;
	} code_page; /* (v) of the last instruction that was looked at; linear: MHI_NO_PAGE */

	struct mhk_stats stats; /* (v) */
};

/* ---- provided by the host: src/kdrv, or tests/fake; its pages: base/page.h ---- */

/*
 * Make the vCPU notice lapic/flush work soon: wakes it from HLT, or makes it leave guest mode. Any
 * context.
 */
void mhi_host_kick(struct mhi_vcpu *v);
/*
 * Arm the vCPU's one timer: mhi_lapic_timer_fired(v) is called when so many ticks of the host's TSC
 * have passed; replaces any earlier.
 */
void mhi_host_timer_set(struct mhi_vcpu *v, u64 ticks);
void mhi_host_timer_cancel(struct mhi_vcpu *v);
/* Must the run loop leave guest mode: reschedule, signal, kick, immediate exit? Interrupts off. */
bool mhi_host_wants_out(struct mhi_vcpu *v);
enum mhi_gpa_kind { MHI_GPA_NONE, MHI_GPA_RAM, MHI_GPA_ROM };
/* What stands at gpa: decides between a fault to serve and MMIO. Any context. */
enum mhi_gpa_kind mhi_host_gpa_kind(struct mhi_vcpu *v, mh_gpa gpa);
/* Is there a doorbell at exactly gpa, and if so, and `ring`, ring it. Any context. */
bool mhi_host_doorbell(struct mhi_vcpu *v, mh_gpa gpa, bool ring);
/*
 * Copy guest memory without sleeping (SVM without decode assists fetches the instruction at RIP).
 * 0; MHI_EFAULT no slot there; MHI_EAGAIN the page must be faulted in first (the caller leaves the
 * section and re-enters).
 */
int mhi_host_guest_read(struct mhi_vcpu *v, mh_gpa gpa, void *buf, u32 bytes);

#endif
