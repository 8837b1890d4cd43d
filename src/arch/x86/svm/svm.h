/* SPDX-License-Identifier: (GPL-2.0 OR MIT) */
/* What the files of the SVM back end share: its part of a vCPU, exit codes, MSRs and CPUID bits. */
#ifndef MHI_SVM_SVM_H
#define MHI_SVM_SVM_H

#include "arch/x86/hv.h"
#include "arch/x86/msr.h"
#include "arch/x86/svm/vmcb.h"
#include "base/x86.h"

/* clang-format off */
enum mhi_svm_code {
#define MHI_SVM_CODE(code, name) MHI_SVM_X_##name = (int)(code),
#include "arch/x86/svm/svm_codes.def"
#undef MHI_SVM_CODE
};
/* clang-format on */

/* One of the negative codes: the CPU refused the VMCB, and nothing of the guest has run. */
static inline bool mhi_svm_refused(u64 code)
{
	return code > 0xfffu;
}

/*
 * The words intercept_misc1, 2 and 3 have one bit per exit code: 60h to 7Fh, 80h to 9Fh, from A0h.
 */
#define SVM_INTERCEPT(name) (1u << (MHI_SVM_X_##name & 31))

/* APM 2 15.30 "SVM Related MSRs" */
#define MHI_MSR_TSC_RATIO 0xc0000104
#define MHI_MSR_VM_CR 0xc0010114
#define MHI_MSR_VM_HSAVE_PA 0xc0010117
#define MHI_VM_CR_SVMDIS MHI_BIT(4)
#define MHI_TSC_RATIO_SHIFT 32u
#define MHI_TSC_RATIO_ONE MHI_BIT(MHI_TSC_RATIO_SHIFT)

#define MHI_SVM_MSRPM_BYTES 0x2000
#define MHI_SVM_IOPM_BYTES 0x3000

/* Are NMIs blocked for the guest? */
enum svm_nmi {
	SVM_NMI_OPEN = 0,
	SVM_NMI_MASKED,	  /* the guest is in its handler; IRET is intercepted */
	SVM_NMI_STEPPING, /* its IRET is being executed with TF set by us */
};

/* virtual_intr where no interrupt is pending, apart from the guest's CR8 */
#define MHI_SVM_V_IDLE (MHI_SVM_V_INTR_MASKING | MHI_SVM_V_INTR_PRIO(0xf) | MHI_SVM_V_IGN_TPR)

/* How an external interrupt goes into the guest. */
enum svm_irq { SVM_IRQ_NONE = 0, SVM_IRQ_VIRTUAL, SVM_IRQ_EVENT };

/* The vendor part of a vCPU. Legend: (c) constant after init, (v) only the vCPU's thread. */
struct svm_vcpu {
	struct mhi_vmcb *vmcb; /* (c) */
	mh_hpa vmcb_pa;	       /* (c) */
	mh_hpa host_pa;	       /* (c) VMSAVE area of the host, current within a section */
	void *pml5;	/* (c) top table above the VM's root, where the host pages in five levels */
	u32 clean_mask; /* (c) clean bits that the CPU knows: all or none */
	bool irq_by_event; /* (c) EVENTINJ may carry external interrupts */
	u64 host_xss;	   /* (c) IA32_XSS of the host, a constant of the kernel */

	u32 cpu_id;   /* (v) CPU of the last section; ~0 = none */
	u32 asid;     /* (v) 0 = none yet */
	u32 asid_gen; /* (v) generation of cpu_id's ASIDs that asid belongs to */

	enum svm_irq irq_way; /* (v) how it went into this entry */
	u32 injected;	      /* (v) event_inject of this entry, 0 = none */
	enum svm_nmi nmi;     /* (v) */
	u64 step_rip;	      /* (v) SVM_NMI_STEPPING: of the IRET */
	u64 step_dr6;	      /* (v) guest's DR6 before the step */
	bool step_guest_tf;   /* (v) the guest had TF set itself */
};

static inline struct svm_vcpu *svm_of(const struct mhi_vcpu *v)
{
	return v->hw;
}

static inline bool svm_has(const struct mhi_vcpu *v, enum mhk_feature f)
{
	return v->vm->caps.features & MHI_BIT(f);
}

static inline bool svm_in_code64(const struct mhi_vmcb_state *st)
{
	return st->efer & MHI_EFER_LMA && st->cs.attrib & MHI_SVM_SEG_L;
}

/* svm_caps.c */
int mhi_svm_probe(struct mhi_hv_caps *caps);
int mhi_svm_cpu_on(struct mhi_cpu *cpu);
void mhi_svm_cpu_off(struct mhi_cpu *cpu);
void mhi_svm_tsc_ratio_set(struct mhi_cpu *cpu, u64 ratio);
bool mhi_svm_cpu_has_tsc_aux(void);
u64 mhi_svm_host_xss(void);
bool mhi_svm_cpu_is_qemu(void);

/* svm_setup.c */
int mhi_svm_vcpu_init(struct mhi_vcpu *v);
void mhi_svm_vcpu_fini(struct mhi_vcpu *v);

/* svm_state.c */
void mhi_svm_state_get(struct mhi_vcpu *v, u32 groups, struct mhk_state *s);
void mhi_svm_state_set(struct mhi_vcpu *v, u32 groups, const struct mhk_state *s);
u64 mhi_svm_cr_get(struct mhi_vcpu *v, unsigned int nr);
void mhi_svm_cr_set(struct mhi_vcpu *v, unsigned int nr, u64 value);
u64 mhi_svm_msr_get(struct mhi_vcpu *v, u32 index);
void mhi_svm_msr_set(struct mhi_vcpu *v, u32 index, u64 value);
u64 mhi_svm_rflags(struct mhi_vcpu *v);
u8 mhi_svm_cpl(struct mhi_vcpu *v);
void mhi_svm_code(struct mhi_vcpu *v, struct mhi_code *out);
u16 mhi_svm_attr_to_vmcb(u32 attr);
u32 mhi_svm_attr_from_vmcb(u16 attrib);

/* svm_section.c */
int mhi_svm_load(struct mhi_vcpu *v, struct mhi_exit *x);
void mhi_svm_put(struct mhi_vcpu *v);
void mhi_svm_dr_intercept(struct mhi_vcpu *v, bool on);

/* svm_asid.c */
void mhi_svm_asid_reset(struct mhi_cpu *cpu);  /* forget all ASIDs of the current CPU */
void mhi_svm_asid_prepare(struct mhi_vcpu *v); /* before each entry */

/* svm_event.c */
void mhi_svm_event_inject(struct mhi_vcpu *v);	/* before each entry */
void mhi_svm_event_collect(struct mhi_vcpu *v); /* after each entry */
bool mhi_svm_nmi_exit(
	struct mhi_vcpu *v); /* true: the exit was about NMI masking alone and is done with */
void mhi_svm_nmi_set(struct mhi_vcpu *v, bool masked);

/* What an exit code becomes, and the instruction behind it: bytes of opcode, 0 = none to skip. */
struct svm_kind {
	u16 code;
	u8 reason; /* enum mhi_reason */
	u8 flags;
	u8 bytes;
	u8 opcode[3];
};
#define SVM_MODRM_CR 1u	   /* ModRM follows: reg is the control register, rm the GPR */
#define SVM_EVEN_OR_ODD 2u /* QEMU reports INVD as WBINVD: the opcode's lowest bit may differ */

/*
 * svm_exit.c: *x from what the VMCB says; pure. Not NULL when the CPU did not say all:
 * mhi_svm_insn_complete has to look at the instruction.
 */
const struct svm_kind *mhi_svm_decode(const struct mhi_vmcb *vmcb, u64 features,
				      struct mhi_exit *x);

/*
 * svm_insn.c: fills x->insn_len and x->cr.gpr, or turns *x into FETCH, HOST (look again) or
 * UNHANDLED.
 */
void mhi_svm_insn_complete(struct mhi_vcpu *v, const struct svm_kind *kind, struct mhi_exit *x);

#endif
