// SPDX-License-Identifier: (GPL-2.0 OR MIT)
/*
 * Guest state in and out of the VMCS, by groups and by single registers; paging modes kept
 * consistent.
 */
#include "arch/x86/vmx/vmx.h"

#define SEG_TYPE_ACCESSED 1u
#define SEG_S (1u << 4)
#define SEG_L (1u << 13)
#define SEG_TYPE 0xfu
#define TSS_BUSY_16 3u
#define TSS_BUSY 11u
#define CR3_PAE_ADDR 0xffffffe0ull
#define PDPTES 4
/* SDM 3B 17.2 "Debug Registers": the bits that software sets; the others are as after reset. */
#define DR6_SETTABLE 0xe00full
#define DR7_SETTABLE 0xffff23ffull

void mhi_vmx_proc_set(struct vmx_vcpu *h, u64 proc)
{
	vmcs_write_cached(&h->ref, &h->proc, VMCS_PROC_CONTROLS, proc);
}

/* What the guest sees: bits of ours from the shadow, its own from the register. */
static u64 cr_view(struct vmx_vcpu *h, u32 mask_field, u32 shadow_field, u32 field)
{
	u64 mask = vmcs_read_raw(&h->ref, mask_field);

	return (vmcs_read_raw(&h->ref, field) & ~mask) |
	       (vmcs_read_raw(&h->ref, shadow_field) & mask);
}

static u64 cr0_view(struct vmx_vcpu *h)
{
	return cr_view(h, VMCS_CR0_MASK, VMCS_CR0_SHADOW, VMCS_GUEST_CR0);
}

static u64 cr4_view(struct vmx_vcpu *h)
{
	return cr_view(h, VMCS_CR4_MASK, VMCS_CR4_SHADOW, VMCS_GUEST_CR4);
}

/*
 * Does the guest page by PDPTEs, which VM entry takes from the VMCS and not from memory (SDM 3C
 * 26.3.1.6)?
 */
static bool pae_paging(u64 cr0, u64 cr4, u64 efer)
{
	return (cr0 & MHI_CR0_PG) && (cr4 & MHI_CR4_PAE) && !(efer & MHI_EFER_LMA);
}

static void paging_changed(struct vmx_vcpu *h)
{
	h->pdptes_stale = pae_paging(cr0_view(h), cr4_view(h), h->efer);
	h->flush_vpid = true;
}

static void efer_set(struct vmx_vcpu *h, u64 efer)
{
	u64 entry = h->entry & ~(u64)ENTRY_IA32E;

	h->efer = efer;
	vmwrite64(&h->ref, VMCS_GUEST_EFER, efer);
	vmcs_write_cached(&h->ref, &h->entry, VMCS_ENTRY_CONTROLS,
			  efer & MHI_EFER_LMA ? entry | ENTRY_IA32E : entry);
}

/*
 * Entry to long mode with the TSS of reset in TR: the CPU accepts it, VM entry wants the 64-bit
 * type.
 */
static void fix_tr(struct vmx_vcpu *h)
{
	u32 attr = vmread32(&h->ref, VMCS_GUEST_TR_AR);

	if ((attr & SEG_TYPE) == TSS_BUSY_16)
		vmwrite32(&h->ref, VMCS_GUEST_TR_AR, (attr & ~SEG_TYPE) | TSS_BUSY);
}

/* The real CR0 keeps the bits that VMX operation fixes: SDM 3D A.7 "VMX-Fixed Bits in CR0". */
static void cr0_set(struct vmx_vcpu *h, u64 cr0)
{
	u64 free_bits = h->unrestricted ? MHI_CR0_PE | MHI_CR0_PG : 0;
	u64 real = (cr0 & ~(MHI_CR0_CD | MHI_CR0_NW)) | (h->cr0_fixed0 & ~free_bits);

	h->mode_refused = !h->unrestricted && (~cr0 & (MHI_CR0_PE | MHI_CR0_PG));
	vmwriten(&h->ref, VMCS_CR0_SHADOW, cr0);
	vmwriten(&h->ref, VMCS_GUEST_CR0, real & h->cr0_fixed1);
}

static void cr4_set(struct vmx_vcpu *h, u64 cr4)
{
	vmwriten(&h->ref, VMCS_CR4_SHADOW, cr4);
	vmwriten(&h->ref, VMCS_GUEST_CR4, cr4 | h->cr4_fixed0 | MHI_CR4_MCE);
}

u64 mhi_vmx_cr_get(struct mhi_vcpu *v, unsigned int nr)
{
	struct vmx_vcpu *h = vmx_of(v);

	if (nr == 3)
		return vmreadn(&h->ref, VMCS_GUEST_CR3);
	return nr == 0 ? cr0_view(h) : cr4_view(h);
}

void mhi_vmx_cr_set(struct mhi_vcpu *v, unsigned int nr, u64 value)
{
	struct vmx_vcpu *h = vmx_of(v);
	bool lma;

	if (nr == 0) {
		lma = (value & MHI_CR0_PG) && (h->efer & MHI_EFER_LME);
		if (lma)
			fix_tr(h);
		efer_set(h, lma ? h->efer | MHI_EFER_LMA : h->efer & ~MHI_EFER_LMA);
		cr0_set(h, value);
	} else if (nr == 3) {
		vmwriten(&h->ref, VMCS_GUEST_CR3, value);
	} else {
		cr4_set(h, value);
	}
	paging_changed(h);
}

/* Switched by the CPU. */
static const struct {
	u32 index, field;
} vmcs_msrs[] = {
	{ MHI_MSR_FS_BASE, VMCS_GUEST_FS_BASE },
	{ MHI_MSR_GS_BASE, VMCS_GUEST_GS_BASE },
	{ MHI_MSR_SYSENTER_CS, VMCS_GUEST_SYSENTER_CS },
	{ MHI_MSR_SYSENTER_ESP, VMCS_GUEST_SYSENTER_ESP },
	{ MHI_MSR_SYSENTER_EIP, VMCS_GUEST_SYSENTER_EIP },
};

static void pat_set(struct vmx_vcpu *h, u64 pat)
{
	h->pat = pat;
	vmwrite64(&h->ref, VMCS_GUEST_PAT, pat);
}

u64 mhi_vmx_msr_get(struct mhi_vcpu *v, u32 index)
{
	struct vmx_vcpu *h = vmx_of(v);
	unsigned int i;

	for (i = 0; i < VMX_SYSCALL_MSRS; i++)
		if (mhi_vmx_syscall_msrs[i] == index)
			return h->syscall[i];
	for (i = 0; i < MHI_COUNT(vmcs_msrs); i++)
		if (vmcs_msrs[i].index == index)
			return vmcs_read_raw(&h->ref, vmcs_msrs[i].field);
	if (index == MHI_MSR_EFER)
		return h->efer;
	if (index == MHI_MSR_PAT)
		return h->pat;
	if (index == MHI_MSR_TSC_AUX)
		return v->tsc_aux;
	return index == MHI_MSR_KERNEL_GS_BASE ? mhi_rdmsr(index) : 0;
}

void mhi_vmx_msr_set(struct mhi_vcpu *v, u32 index, u64 value)
{
	struct vmx_vcpu *h = vmx_of(v);
	unsigned int i;

	for (i = 0; i < VMX_SYSCALL_MSRS; i++)
		if (mhi_vmx_syscall_msrs[i] == index && h->syscall[i] != value) {
			h->syscall[i] = value;
			mhi_wrmsr(index, value);
		}
	for (i = 0; i < MHI_COUNT(vmcs_msrs); i++)
		if (vmcs_msrs[i].index == index)
			vmcs_write_raw(&h->ref, vmcs_msrs[i].field, value);
	if (index == MHI_MSR_EFER)
		efer_set(h, value);
	else if (index == MHI_MSR_PAT)
		pat_set(h, value);
	else if (index == MHI_MSR_TSC_AUX)
		mhi_tsc_aux_set(v, value);
	else if (index == MHI_MSR_KERNEL_GS_BASE)
		mhi_wrmsr(index, value);
}

int mhi_vmx_pdptes_load(struct mhi_vcpu *v)
{
	struct vmx_vcpu *h = vmx_of(v);
	u64 pdpte[PDPTES] = { 0 };
	mh_gpa gpa = vmreadn(&h->ref, VMCS_GUEST_CR3) & CR3_PAE_ADDR;
	unsigned int i;

	/* No memory there: entries that are not present, so that the guest faults at once. */
	if (mhi_host_guest_read(v, gpa, pdpte, sizeof(pdpte)) == MHI_EAGAIN)
		return MHI_EAGAIN;
	for (i = 0; i < PDPTES; i++)
		vmcs_write_raw(&h->ref, VMCS_GUEST_PDPTE0 + 2 * i, pdpte[i]);
	h->pdptes_stale = false;
	return 0;
}

static void seg_get(struct vmcs_ref *r, unsigned int n, struct mhk_seg *seg)
{
	memset(seg, 0, sizeof(*seg));
	seg->base = vmcs_read_raw(r, VMCS_SEG(BASE, n));
	seg->limit = (u32)vmcs_read_raw(r, VMCS_SEG(LIMIT, n));
	seg->attr = (u32)vmcs_read_raw(r, VMCS_SEG(AR, n));
	seg->sel = (u16)vmcs_read_raw(r, VMCS_SEG(SEL, n));
}

static void seg_set(struct vmcs_ref *r, unsigned int n, const struct mhk_seg *seg)
{
	u32 attr = seg->attr;

	/* Loading a code or data segment sets its accessed bit; VM entry insists on it. */
	if (!(attr & MHK_SEG_UNUSABLE) && (attr & SEG_S))
		attr |= SEG_TYPE_ACCESSED;
	vmcs_write_raw(r, VMCS_SEG(BASE, n), seg->base);
	vmcs_write_raw(r, VMCS_SEG(LIMIT, n), seg->limit);
	vmcs_write_raw(r, VMCS_SEG(AR, n), attr);
	vmcs_write_raw(r, VMCS_SEG(SEL, n), seg->sel);
}

bool mhi_vmx_in_code64(struct vmx_vcpu *h)
{
	return h->efer & MHI_EFER_LMA && vmcs_read_raw(&h->ref, VMCS_SEG(AR, MHK_CS)) & SEG_L;
}

/* Of other code than 64-bit code nothing more is asked. */
void mhi_vmx_code(struct mhi_vcpu *v, struct mhi_code *out)
{
	struct vmx_vcpu *h = vmx_of(v);

	out->is64 = mhi_vmx_in_code64(h);
	out->linear = v->rip;
	out->cr0 = cr0_view(h);
	out->cr3 = vmreadn(&h->ref, VMCS_GUEST_CR3);
	out->cr4 = cr4_view(h);
	out->efer = h->efer;
}

static void segs_get(struct vmcs_ref *r, u32 segs, struct mhk_state *s)
{
	unsigned int n;

	for (n = 0; n < MHK_SEGS; n++)
		if (segs >> n & 1)
			seg_get(r, n, &s->seg[n]);
	if (segs == MHI_CODE64_SEGS)
		return;
	s->gdt = (struct mhk_dtable){ .base = vmreadn(r, VMCS_GUEST_GDTR_BASE),
				      .limit = (u16)vmread32(r, VMCS_GUEST_GDTR_LIMIT) };
	s->idt = (struct mhk_dtable){ .base = vmreadn(r, VMCS_GUEST_IDTR_BASE),
				      .limit = (u16)vmread32(r, VMCS_GUEST_IDTR_LIMIT) };
}

static void segs_set(struct vmcs_ref *r, const struct mhk_state *s)
{
	unsigned int n;

	for (n = 0; n < MHK_SEGS; n++)
		seg_set(r, n, &s->seg[n]);
	vmwriten(r, VMCS_GUEST_GDTR_BASE, s->gdt.base);
	vmwrite32(r, VMCS_GUEST_GDTR_LIMIT, s->gdt.limit);
	vmwriten(r, VMCS_GUEST_IDTR_BASE, s->idt.base);
	vmwrite32(r, VMCS_GUEST_IDTR_LIMIT, s->idt.limit);
}

static void crs_get(struct mhi_vcpu *v, struct mhk_state *s)
{
	struct vmx_vcpu *h = vmx_of(v);

	s->cr0 = cr0_view(h);
	s->cr2 = v->cr2;
	s->cr3 = vmreadn(&h->ref, VMCS_GUEST_CR3);
	s->cr4 = cr4_view(h);
	s->efer = h->efer;
}

static void crs_set(struct mhi_vcpu *v, const struct mhk_state *s)
{
	struct vmx_vcpu *h = vmx_of(v);

	efer_set(h, s->efer);
	cr0_set(h, s->cr0);
	v->cr2 = s->cr2;
	vmwriten(&h->ref, VMCS_GUEST_CR3, s->cr3);
	cr4_set(h, s->cr4);
	paging_changed(h);
}

static void drs_get(struct mhi_vcpu *v, struct mhk_state *s)
{
	mhi_dr_get(v, s->dr);
	s->dr6 = mhi_read_dr(6);
	s->dr7 = vmreadn(&vmx_of(v)->ref, VMCS_GUEST_DR7);
}

static void drs_set(struct mhi_vcpu *v, const struct mhk_state *s)
{
	struct vmx_vcpu *h = vmx_of(v);

	mhi_dr_set(v, s->dr);
	h->dr6 = (s->dr6 & DR6_SETTABLE) | MHI_DR6_RESET;
	mhi_write_dr(6, h->dr6);
	vmwriten(&h->ref, VMCS_GUEST_DR7, (s->dr7 & DR7_SETTABLE) | MHI_DR7_RESET);
	if (s->dr7 & MHI_DR7_ENABLES)
		mhi_dr_live(v);
}

static u32 shadow_get(struct vmcs_ref *r)
{
	u32 blocked = vmread32(r, VMCS_GUEST_INTERRUPTIBILITY);

	return (blocked & BLOCKED_BY_INSN ? MHK_SHADOW_STI : 0) |
	       (blocked & BLOCKED_BY_NMI ? MHK_SHADOW_NMI : 0);
}

/*
 * STI's blocking needs RFLAGS.IF, MOV SS's does not (SDM 3C 26.3.1.5); a trap under either is
 * pending (same place).
 */
static void shadow_set(struct vmcs_ref *r, u32 shadow)
{
	u64 rflags = vmreadn(r, VMCS_GUEST_RFLAGS);
	u32 blocked = (shadow & MHK_SHADOW_NMI) ? BLOCKED_BY_NMI : 0;
	u64 pending = 0;

	if (shadow & MHK_SHADOW_STI) {
		blocked |= (rflags & MHI_RFLAGS_IF) ? BLOCKED_BY_STI : BLOCKED_BY_MOV_SS;
		pending = (rflags & MHI_RFLAGS_TF) ? PENDING_DEBUG_BS : 0;
	}
	vmwriten(r, VMCS_GUEST_PENDING_DEBUG, pending);
	vmwrite32(r, VMCS_GUEST_INTERRUPTIBILITY, blocked);
}

void mhi_vmx_state_get(struct mhi_vcpu *v, u32 groups, struct mhk_state *s)
{
	struct vmx_vcpu *h = vmx_of(v);

	if (groups & MHK_G_GPR) {
		memcpy(s->gpr, v->gpr, sizeof(s->gpr));
		s->gpr[MHK_RSP] = vmreadn(&h->ref, VMCS_GUEST_RSP);
	}
	if (groups & MHK_G_RIP) {
		s->rip = v->rip;
		s->rflags = vmreadn(&h->ref, VMCS_GUEST_RFLAGS);
	}
	if (groups & (MHK_G_SEG | MHK_G_CODE))
		segs_get(&h->ref,
			 groups & MHK_G_SEG || !mhi_vmx_in_code64(h) ? ~0u : MHI_CODE64_SEGS, s);
	if (groups & MHK_G_CR)
		crs_get(v, s);
	if (groups & MHK_G_DR)
		drs_get(v, s);
	if (groups & MHK_G_MISC)
		s->shadow = shadow_get(&h->ref);
}

void mhi_vmx_state_set(struct mhi_vcpu *v, u32 groups, const struct mhk_state *s)
{
	struct vmx_vcpu *h = vmx_of(v);

	if (groups & MHK_G_GPR) {
		memcpy(v->gpr, s->gpr, sizeof(v->gpr));
		vmwriten(&h->ref, VMCS_GUEST_RSP, s->gpr[MHK_RSP]);
	}
	if (groups & MHK_G_RIP) {
		v->rip = s->rip;
		v->rip_dirty = true;
		vmwriten(&h->ref, VMCS_GUEST_RFLAGS, s->rflags | MHI_RFLAGS_FIXED);
	}
	if (groups & MHK_G_SEG)
		segs_set(&h->ref, s);
	if (groups & MHK_G_CR)
		crs_set(v, s);
	if (groups & MHK_G_DR)
		drs_set(v, s);
	if (groups & MHK_G_MISC)
		shadow_set(&h->ref, s->shadow);
	else if (groups & MHK_G_RIP)
		shadow_set(&h->ref, shadow_get(&h->ref) & MHK_SHADOW_NMI);
}
