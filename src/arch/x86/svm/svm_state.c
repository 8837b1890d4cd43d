// SPDX-License-Identifier: (GPL-2.0 OR MIT)
/* Guest state between struct mhk_state and the VMCB. */
#include "arch/x86/svm/svm.h"
#include "x86_insn.h"

/* mhk_seg.attr: type, S, DPL and P as in the VMCB; AVL, L, D/B and G four bits higher. */
#define ATTR_LOW 0xffu
#define ATTR_HIGH 0xf000u
#define ATTR_G (1u << 15)
#define ATTR_ACCESSED 1u
#define ATTR_DPL 0x60u
#define TSS_BUSY 2u
#define TSS_32 8u
#define LIMIT_NEEDS_G 0xfffffu

u16 mhi_svm_attr_to_vmcb(u32 attr)
{
	u32 a = (attr & ATTR_LOW) | (attr & ATTR_HIGH) >> 4;

	if (attr & MHK_SEG_UNUSABLE)
		a &= ~MHI_SVM_SEG_P;
	return (u16)a;
}

u32 mhi_svm_attr_from_vmcb(u16 attrib)
{
	u32 attr = (attrib & ATTR_LOW) | (attrib & (ATTR_HIGH >> 4)) << 4;

	return attrib & MHI_SVM_SEG_P ? attr : attr | MHK_SEG_UNUSABLE;
}

/* APM 2 appendix B, state save area: ES to GS, GDTR, LDTR, IDTR, TR. */
static struct mhi_vmcb_seg *seg_of(struct mhi_vmcb_state *st, unsigned int i)
{
	if (i == MHK_TR)
		return &st->tr;
	return i == MHK_LDTR ? &st->ldtr : (struct mhi_vmcb_seg *)st + i;
}

static void seg_get(struct mhi_vmcb_state *st, unsigned int i, struct mhk_seg *out)
{
	const struct mhi_vmcb_seg *seg = seg_of(st, i);
	u32 attr = mhi_svm_attr_from_vmcb(seg->attrib);

	/*
	 * The CPU neither uses nor keeps every bit that VMX would check: give them the only value
	 * they can have.
	 */
	attr &= ~ATTR_G;
	if (seg->limit > LIMIT_NEEDS_G)
		attr |= ATTR_G;
	if (i == MHK_TR)
		attr = (attr | TSS_BUSY) & ~MHK_SEG_UNUSABLE;
	else if (i != MHK_LDTR && !(attr & MHK_SEG_UNUSABLE))
		attr |= ATTR_ACCESSED;
	if (i == MHK_SS)
		attr = (attr & ~ATTR_DPL) | (u32)st->cpl << MHI_SVM_SEG_DPL_SHIFT;
	memset(out, 0, sizeof(*out));
	out->base = seg->base;
	out->limit = seg->limit;
	out->attr = attr;
	out->sel = seg->selector;
}

static void seg_set(struct mhi_vmcb_state *st, unsigned int i, const struct mhk_seg *in)
{
	struct mhi_vmcb_seg *seg = seg_of(st, i);

	seg->base = in->base;
	seg->limit = in->limit;
	seg->selector = in->sel;
	seg->attrib = mhi_svm_attr_to_vmcb(in->attr);
	if (i == MHK_SS)
		st->cpl = (u8)mhi_bits(in->attr, 6, 5);
}

/*
 * Outside 16-bit protected mode a 16-bit TSS means nothing, and Bochs 2.7 enters long mode with
 * none.
 */
static void tr_fix(struct mhi_vmcb_state *st)
{
	bool protected16 = st->cr0 & MHI_CR0_PE && !(st->efer & MHI_EFER_LMA);

	if (!protected16)
		st->tr.attrib |= TSS_32;
	st->tr.attrib |= MHI_SVM_SEG_P | TSS_BUSY;
}

u64 mhi_svm_rflags(struct mhi_vcpu *v)
{
	struct svm_vcpu *svm = svm_of(v);
	u64 rflags = svm->vmcb->state.rflags;

	if (svm->nmi == SVM_NMI_STEPPING && !svm->step_guest_tf)
		rflags &= ~MHI_RFLAGS_TF;
	return rflags;
}

u8 mhi_svm_cpl(struct mhi_vcpu *v)
{
	return svm_of(v)->vmcb->state.cpl;
}

void mhi_svm_code(struct mhi_vcpu *v, struct mhi_code *out)
{
	const struct mhi_vmcb_state *st = &svm_of(v)->vmcb->state;

	out->is64 = svm_in_code64(st);
	out->linear = out->is64 ? st->rip : st->cs.base + st->rip;
	out->cr0 = st->cr0;
	out->cr3 = st->cr3;
	out->cr4 = st->cr4;
	out->efer = st->efer;
}

u64 mhi_svm_cr_get(struct mhi_vcpu *v, unsigned int nr)
{
	const struct mhi_vmcb_state *st = &svm_of(v)->vmcb->state;

	return nr == 0 ? st->cr0 : nr == 3 ? st->cr3 : st->cr4;
}

void mhi_svm_cr_set(struct mhi_vcpu *v, unsigned int nr, u64 value)
{
	struct mhi_vmcb *vmcb = svm_of(v)->vmcb;

	if (nr == 0)
		vmcb->state.cr0 = value;
	else if (nr == 3)
		vmcb->state.cr3 = value;
	else
		vmcb->state.cr4 = value;
	mhi_vmcb_dirty(vmcb, MHI_SVM_CLEAN_CRX);
	v->flush = true; /* what the instruction would have flushed */
}

static void efer_set(struct mhi_vcpu *v, u64 value)
{
	struct mhi_vmcb *vmcb = svm_of(v)->vmcb;

	/*
	 * VMRUN refuses a guest without SVME: APM 2 15.5.1 "Basic Operation". The guest never
	 * sees it.
	 */
	vmcb->state.efer = value | MHI_EFER_SVME;
	mhi_vmcb_dirty(vmcb, MHI_SVM_CLEAN_CRX);
	v->flush = true;
}

static u64 efer_get(struct mhi_vcpu *v)
{
	return svm_of(v)->vmcb->state.efer & ~MHI_EFER_SVME;
}

/* MSRs that are fields of the VMCB. */
static const struct {
	u32 index;
	u32 offset; /* in the state save area */
} msr_fields[] = {
	{ MHI_MSR_STAR, offsetof(struct mhi_vmcb_state, star) },
	{ MHI_MSR_LSTAR, offsetof(struct mhi_vmcb_state, lstar) },
	{ MHI_MSR_CSTAR, offsetof(struct mhi_vmcb_state, cstar) },
	{ MHI_MSR_SFMASK, offsetof(struct mhi_vmcb_state, sfmask) },
	{ MHI_MSR_KERNEL_GS_BASE, offsetof(struct mhi_vmcb_state, kernel_gs_base) },
	{ MHI_MSR_SYSENTER_CS, offsetof(struct mhi_vmcb_state, sysenter_cs) },
	{ MHI_MSR_SYSENTER_ESP, offsetof(struct mhi_vmcb_state, sysenter_esp) },
	{ MHI_MSR_SYSENTER_EIP, offsetof(struct mhi_vmcb_state, sysenter_eip) },
	{ MHI_MSR_PAT, offsetof(struct mhi_vmcb_state, g_pat) },
	{ MHI_MSR_FS_BASE, offsetof(struct mhi_vmcb_state, fs.base) },
	{ MHI_MSR_GS_BASE, offsetof(struct mhi_vmcb_state, gs.base) },
};

static u64 *msr_field(struct mhi_vcpu *v, u32 index)
{
	size_t i;

	for (i = 0; i < MHI_COUNT(msr_fields); i++)
		if (msr_fields[i].index == index)
			return (u64 *)((u8 *)&svm_of(v)->vmcb->state + msr_fields[i].offset);
	return NULL;
}

u64 mhi_svm_msr_get(struct mhi_vcpu *v, u32 index)
{
	const u64 *field = msr_field(v, index);

	if (index == MHI_MSR_EFER)
		return efer_get(v);
	if (index == MHI_MSR_TSC_AUX)
		return v->tsc_aux;
	return field ? *field : 0;
}

void mhi_svm_msr_set(struct mhi_vcpu *v, u32 index, u64 value)
{
	u64 *field = msr_field(v, index);

	if (index == MHI_MSR_EFER)
		efer_set(v, value);
	if (index == MHI_MSR_TSC_AUX)
		mhi_tsc_aux_set(v, value);
	if (field)
		*field = value;
	/* The PAT is of that group; the others are of none. */
	mhi_vmcb_dirty(svm_of(v)->vmcb, MHI_SVM_CLEAN_NP);
}

static void seg_group_get(struct mhi_vmcb_state *st, u32 segs, struct mhk_state *s)
{
	unsigned int i;

	for (i = 0; i < MHK_SEGS; i++)
		if (segs >> i & 1)
			seg_get(st, i, &s->seg[i]);
	if (segs == MHI_CODE64_SEGS)
		return;
	s->gdt = (struct mhk_dtable){ .base = st->gdtr.base, .limit = (u16)st->gdtr.limit };
	s->idt = (struct mhk_dtable){ .base = st->idtr.base, .limit = (u16)st->idtr.limit };
}

static void seg_group_set(struct mhi_vmcb *vmcb, const struct mhk_state *s)
{
	struct mhi_vmcb_state *st = &vmcb->state;
	unsigned int i;

	for (i = 0; i < MHK_SEGS; i++)
		seg_set(st, i, &s->seg[i]);
	st->gdtr.base = s->gdt.base;
	st->gdtr.limit = s->gdt.limit;
	st->idtr.base = s->idt.base;
	st->idtr.limit = s->idt.limit;
	mhi_vmcb_dirty(vmcb, MHI_SVM_CLEAN_SEG | MHI_SVM_CLEAN_DT);
}

static void cr_group_get(struct mhi_vcpu *v, struct mhk_state *s)
{
	const struct mhi_vmcb_state *st = &svm_of(v)->vmcb->state;

	s->cr0 = st->cr0;
	s->cr2 = st->cr2;
	s->cr3 = st->cr3;
	s->cr4 = st->cr4;
	s->efer = efer_get(v);
}

static void cr_group_set(struct mhi_vcpu *v, const struct mhk_state *s)
{
	struct mhi_vmcb *vmcb = svm_of(v)->vmcb;

	vmcb->state.cr2 = s->cr2;
	mhi_write_cr2(s->cr2); /* see mhi_svm_load */
	mhi_vmcb_dirty(vmcb, MHI_SVM_CLEAN_CR2);
	mhi_svm_cr_set(v, 0, s->cr0);
	mhi_svm_cr_set(v, 3, s->cr3);
	mhi_svm_cr_set(v, 4, s->cr4);
	efer_set(v, s->efer);
}

static void dr_group_get(struct mhi_vcpu *v, struct mhk_state *s)
{
	const struct svm_vcpu *svm = svm_of(v);

	mhi_dr_get(v, s->dr);
	s->dr6 = svm->nmi == SVM_NMI_STEPPING ? svm->step_dr6 : svm->vmcb->state.dr6;
	s->dr7 = svm->vmcb->state.dr7;
}

static void dr_group_set(struct mhi_vcpu *v, const struct mhk_state *s)
{
	struct svm_vcpu *svm = svm_of(v);

	mhi_dr_set(v, s->dr);
	svm->vmcb->state.dr6 = s->dr6;
	svm->vmcb->state.dr7 = s->dr7;
	svm->step_dr6 = s->dr6;
	mhi_vmcb_dirty(svm->vmcb, MHI_SVM_CLEAN_DRX);
	if (s->dr7 & MHI_DR7_ENABLES)
		mhi_dr_live(v);
}

void mhi_svm_state_get(struct mhi_vcpu *v, u32 groups, struct mhk_state *s)
{
	struct svm_vcpu *svm = svm_of(v);
	struct mhi_vmcb *vmcb = svm->vmcb;

	if (groups & MHK_G_GPR) {
		memcpy(s->gpr, v->gpr, sizeof(s->gpr));
		s->gpr[MHK_RSP] = vmcb->state.rsp;
	}
	if (groups & MHK_G_RIP) {
		s->rip = v->rip;
		s->rflags = mhi_svm_rflags(v);
	}
	if (groups & (MHK_G_SEG | MHK_G_CODE))
		seg_group_get(&vmcb->state,
			      groups & MHK_G_SEG || !svm_in_code64(&vmcb->state) ? ~0u
										 : MHI_CODE64_SEGS,
			      s);
	if (groups & MHK_G_CR)
		cr_group_get(v, s);
	if (groups & MHK_G_DR)
		dr_group_get(v, s);
	if (groups & MHK_G_MISC) {
		s->shadow = vmcb->control.interrupt_shadow & MHI_SVM_SHADOW ? MHK_SHADOW_STI : 0;
		if (svm->nmi != SVM_NMI_OPEN)
			s->shadow |= MHK_SHADOW_NMI;
	}
}

void mhi_svm_state_set(struct mhi_vcpu *v, u32 groups, const struct mhk_state *s)
{
	struct svm_vcpu *svm = svm_of(v);
	struct mhi_vmcb *vmcb = svm->vmcb;

	if (groups & MHK_G_GPR) {
		memcpy(v->gpr, s->gpr, sizeof(v->gpr));
		vmcb->state.rsp = s->gpr[MHK_RSP];
	}
	if (groups & MHK_G_RIP) {
		v->rip = s->rip;
		v->rip_dirty = true;
		vmcb->state.rflags = s->rflags | MHI_RFLAGS_FIXED;
		vmcb->control.interrupt_shadow = 0;
		mhi_svm_nmi_set(v, svm->nmi != SVM_NMI_OPEN); /* a step in progress is void */
	}
	if (groups & MHK_G_SEG)
		seg_group_set(vmcb, s);
	if (groups & MHK_G_CR)
		cr_group_set(v, s);
	if (groups & (MHK_G_SEG | MHK_G_CR))
		tr_fix(&vmcb->state);
	if (groups & MHK_G_DR)
		dr_group_set(v, s);
	if (groups & MHK_G_MISC) {
		vmcb->control.interrupt_shadow = s->shadow & MHK_SHADOW_STI ? MHI_SVM_SHADOW : 0;
		mhi_svm_nmi_set(v, s->shadow & MHK_SHADOW_NMI);
	}
}
