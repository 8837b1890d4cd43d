// SPDX-License-Identifier: (GPL-2.0 OR MIT)
/* A vCPU's VMCS, MSR bitmap and vendor state: made for the reset state, freed at the end. */
#include "arch/x86/vmx/vmx.h"

#define MSR_HIGH_BASE 0xc0000000u
/* Parts of the MSR bitmap: SDM 3C 24.6.9 "MSR-Bitmap Address". */
#define BITMAP_READ_LOW 0u
#define BITMAP_READ_HIGH 1024u
#define BITMAP_WRITE_LOW 2048u
#define BITMAP_WRITE_HIGH 3072u

/* The guest may change these without telling: nothing of ours depends on them. */
#define CR0_GUEST_OWNED (MHI_CR0_TS | MHI_CR0_MP | MHI_CR0_EM | MHI_CR0_AM | MHI_CR0_WP)

/*
 * A guest leaves after this time at the latest, where the CPU can do that. Every CPU lets host
 * interrupts end the guest's run, but Bochs (3.0) does not when RFLAGS.IF is clear from the entry
 * on: a guest that spins so would hang the host.
 */
#define SLICE_MS 10u
#define MISC_TIMER_RATE 0x1full /* of the TSC: SDM 3D A.6 "Miscellaneous Data" */

MHI_STATIC_ASSERT(sizeof(struct vmx_vcpu) <= MHI_PAGE_SIZE);

static void pass_msr(u8 *bitmap, u32 msr)
{
	bool high = msr >= MSR_HIGH_BASE;
	u32 bit = msr & 0x1fff;
	u8 keep = (u8) ~(1u << (bit & 7));

	bitmap[(high ? BITMAP_READ_HIGH : BITMAP_READ_LOW) + bit / 8] &= keep;
	bitmap[(high ? BITMAP_WRITE_HIGH : BITMAP_WRITE_LOW) + bit / 8] &= keep;
}

static void fill_msr_bitmap(u8 *bitmap)
{
	unsigned int i;

	memset(bitmap, 0xff, MHI_PAGE_SIZE);
	for (i = 0; i < MHI_MSR_PASSED_VMX; i++)
		pass_msr(bitmap, mhi_msr_passed[i]);
}

int mhi_vmx_vcpu_init(struct mhi_vcpu *v)
{
	struct vmx_vcpu *h = mhi_host_page_alloc();
	struct vmx_caps caps;

	v->hw = h;
	if (!h)
		return MHI_ENOMEM;
	h->vmcs = mhi_host_page_alloc();
	h->msr_bitmap = mhi_host_page_alloc();
	if (!h->vmcs || !h->msr_bitmap) {
		mhi_vmx_vcpu_fini(v);
		return MHI_ENOMEM;
	}
	mhi_vmx_caps_read(&caps);
	h->revision = (u32)caps.basic & VMCS_REVISION_MASK;
	h->vmcs_pa = mhi_host_va_to_pa(h->vmcs);
	memcpy(h->vmcs, &h->revision, sizeof(h->revision));
	fill_msr_bitmap(h->msr_bitmap);
	h->ref.bad_field = VMCS_NO_FIELD;
	h->ept_vpid_cap = caps.ept_vpid;
	h->cr0_fixed0 = caps.cr0_fixed0;
	h->cr0_fixed1 = caps.cr0_fixed1;
	h->cr4_fixed0 = caps.cr4_fixed0;
	h->dr6 = MHI_DR6_RESET;
	return 0;
}

void mhi_vmx_vcpu_fini(struct mhi_vcpu *v)
{
	struct vmx_vcpu *h = v->hw;

	if (!h)
		return;
	mhi_host_page_free(h->msr_bitmap);
	mhi_host_page_free(h->vmcs);
	mhi_host_page_free(h);
	v->hw = NULL;
}

static void fill_controls(struct mhi_vcpu *v, const u32 c[VMX_WORDS])
{
	struct vmx_vcpu *h = vmx_of(v);
	struct vmcs_ref *r = &h->ref;
	u32 proc2 = c[VMX_PROC2];

	h->unrestricted = (proc2 & PROC2_UNRESTRICTED) != 0;
	v->has_tsc_aux = (proc2 & PROC2_RDTSCP) != 0;
	if (v->vm->vpid_base == 0)
		proc2 &= ~PROC2_VPID;
	h->vpid = (proc2 & PROC2_VPID) ? (u16)(v->vm->vpid_base + v->apic_id) : 0;
	h->proc = c[VMX_PROC];
	h->proc2 = proc2;
	h->entry = c[VMX_ENTRY];
	vmwrite32(r, VMCS_PIN_CONTROLS, c[VMX_PIN]);
	vmwrite32(r, VMCS_PROC_CONTROLS, c[VMX_PROC]);
	vmwrite32(r, VMCS_PROC_CONTROLS2, proc2);
	vmwrite32(r, VMCS_EXIT_CONTROLS, c[VMX_EXIT]);
	vmwrite32(r, VMCS_ENTRY_CONTROLS, c[VMX_ENTRY]);
	if (h->vpid)
		vmwrite16(r, VMCS_VPID, h->vpid);
	if (proc2 & PROC2_ENCLS)
		vmwrite64(r, VMCS_ENCLS_EXIT_BITMAP, ~0ull);
	if (proc2 & PROC2_ENCLV)
		vmwrite64(r, VMCS_ENCLV_EXIT_BITMAP, ~0ull);
	h->eptp = v->vm->npt.root_pa | EPTP_WALK4 | EPTP_WB;
	if (v->vm->npt.fmt->accessed_dirty)
		h->eptp |= EPTP_AD;
	vmwrite64(r, VMCS_EPT_POINTER, h->eptp);
	vmwrite64(r, VMCS_MSR_BITMAP, mhi_host_va_to_pa(h->msr_bitmap));
	vmwriten(r, VMCS_CR0_MASK, ~CR0_GUEST_OWNED);
	/* MCE is ours: a machine check in a guest without it must not become a shutdown. */
	vmwriten(r, VMCS_CR4_MASK, ~v->vm->caps.cr4 | MHI_CR4_MCE);
}

static void fill_slice(struct mhi_vcpu *v, const struct vmx_caps *caps)
{
	u64 ticks = ((u64)v->vm->tsc_khz * SLICE_MS) >> (caps->misc & MISC_TIMER_RATE);

	vmwrite32(&vmx_of(v)->ref, VMCS_PREEMPTION_TIMER, ticks && !(ticks >> 32) ? ticks : ~0u);
}

/*
 * A fresh VMCS holds anything: SDM 3C 24.11.3 "Initializing a VMCS". Of the host's selectors those
 * of user space may not be in it (26.2.3): load and put keep them.
 */
static const u32 zeroed[] = {
	VMCS_PF_ERROR_MASK,	   VMCS_PF_ERROR_MATCH,	      VMCS_CR3_TARGET_COUNT,
	VMCS_ENTRY_INTR_INFO,	   VMCS_ENTRY_MSR_LOAD_COUNT, VMCS_EXIT_MSR_LOAD_COUNT,
	VMCS_EXIT_MSR_STORE_COUNT, VMCS_TSC_OFFSET,	      VMCS_GUEST_DEBUGCTL,
	VMCS_GUEST_ACTIVITY,	   VMCS_HOST_DS_SEL,	      VMCS_HOST_ES_SEL,
	VMCS_HOST_FS_SEL,	   VMCS_HOST_GS_SEL,
};

void mhi_vmx_fill(struct mhi_vcpu *v)
{
	struct vmx_vcpu *h = vmx_of(v);
	u32 controls[VMX_WORDS];
	struct vmx_caps caps;
	u32 missing, i;

	/*
	 * Probed before any VM was made; were it different here, the entry would fail with its
	 * number.
	 */
	mhi_vmx_caps_read(&caps);
	memset(controls, 0, sizeof(controls));
	(void)mhi_vmx_controls(&caps, controls, &missing);
	fill_controls(v, controls);
	if (controls[VMX_PIN] & PIN_PREEMPTION_TIMER)
		fill_slice(v, &caps);
	/* What never changes of the host; the rest is written by mhi_vmx_host_save as it moves. */
	vmwriten(&h->ref, VMCS_HOST_RIP, (u64)(unsigned long)mhi_vmx_exit_point);
	vmwrite16(&h->ref, VMCS_HOST_CS_SEL, mhi_read_cs());
	vmwrite16(&h->ref, VMCS_HOST_SS_SEL, mhi_read_ss());
	for (i = 0; i < MHI_COUNT(zeroed); i++)
		vmcs_write_raw(&h->ref, zeroed[i], 0);
	vmwrite64(&h->ref, VMCS_VMCS_LINK, ~0ull);
	vmwriten(&h->ref, VMCS_GUEST_DR7, MHI_DR7_RESET);
}
