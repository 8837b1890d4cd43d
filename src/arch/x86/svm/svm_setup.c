// SPDX-License-Identifier: (GPL-2.0 OR MIT)
/* The vendor part of a vCPU: its memory, its permission maps and a VMCB in the reset state. */
#include "arch/x86/svm/svm.h"
#include "x86_insn.h"

/* All that a vCPU needs, in one piece that is physically contiguous. */
struct svm_block {
	struct mhi_vmcb vmcb;
	u8 host[4096];
	u8 msrpm[MHI_SVM_MSRPM_BYTES];
	u8 iopm[MHI_SVM_IOPM_BYTES];
	struct svm_vcpu svm;
};

#define BLOCK_ORDER 3u
MHI_STATIC_ASSERT(sizeof(struct svm_block) <= MHI_PAGE_SIZE << BLOCK_ORDER);
MHI_STATIC_ASSERT(offsetof(struct svm_block, msrpm) % MHI_PAGE_SIZE == 0);
MHI_STATIC_ASSERT(offsetof(struct svm_block, iopm) % MHI_PAGE_SIZE == 0);

/*
 * CR4 is checked against what we virtualize; CR8 goes to the local APIC. Never leave CR8 to the
 * CPU: LAB 13.
 */
#define INTERCEPT_CR (MHI_SVM_WRITE(4) | MHI_SVM_WRITE(8))

/*
 * Not here: TASK_SWITCH (the CPU does it, in guest memory), PAUSE, RDTSC(P) (offset and TSC_AUX
 * are the guest's), INVLPG and CR0, CR3 (nested paging; EFER.LMA follows CR0.PG in the VMCB).
 */
#define INTERCEPT_MISC1                                                                           \
	(SVM_INTERCEPT(INTR) | SVM_INTERCEPT(NMI) | SVM_INTERCEPT(SMI) | SVM_INTERCEPT(INIT) |    \
	 SVM_INTERCEPT(RDPMC) | SVM_INTERCEPT(CPUID) | SVM_INTERCEPT(RSM) | SVM_INTERCEPT(INVD) | \
	 SVM_INTERCEPT(HLT) | SVM_INTERCEPT(INVLPGA) | SVM_INTERCEPT(IOIO) | SVM_INTERCEPT(MSR) | \
	 SVM_INTERCEPT(SHUTDOWN))
#define INTERCEPT_MISC2                                                                    \
	(SVM_INTERCEPT(VMRUN) | SVM_INTERCEPT(VMMCALL) | SVM_INTERCEPT(VMLOAD) |           \
	 SVM_INTERCEPT(VMSAVE) | SVM_INTERCEPT(STGI) | SVM_INTERCEPT(CLGI) |               \
	 SVM_INTERCEPT(SKINIT) | SVM_INTERCEPT(WBINVD) | SVM_INTERCEPT(MONITOR) |          \
	 SVM_INTERCEPT(MWAIT) | SVM_INTERCEPT(MWAIT_CONDITIONAL) | SVM_INTERCEPT(XSETBV) | \
	 SVM_INTERCEPT(RDPRU))

/* The byte and bit of an MSR's two bits, read then write: APM 2 15.11 "MSR Intercepts". */
static void msrpm_allow(u8 *msrpm, u32 index)
{
	u32 byte = index >= 0xc0000000u ? 0x800u : 0;
	u32 nr = index & 0x1fffu;

	byte += nr / 4;
	msrpm[byte] = (u8)(msrpm[byte] & ~(3u << (nr % 4 * 2)));
}

static void init_controls(struct mhi_vcpu *v, struct svm_block *b, mh_hpa pa)
{
	struct mhi_vmcb_control *c = &b->vmcb.control;

	c->intercept_cr = INTERCEPT_CR;
	c->intercept_dr = MHI_SVM_ALL_DR;
	c->intercept_exceptions = MHI_EXCEPTIONS(v);
	c->intercept_misc1 = INTERCEPT_MISC1;
	c->intercept_misc2 = INTERCEPT_MISC2;
	c->iopm_base_pa = pa + offsetof(struct svm_block, iopm);
	c->msrpm_base_pa = pa + offsetof(struct svm_block, msrpm);
	c->virtual_intr = MHI_SVM_V_IDLE;
	c->np_enable = MHI_SVM_NP_ENABLE;
	c->n_cr3 = b->svm.pml5 ? mhi_host_va_to_pa(b->svm.pml5) : v->vm->npt.root_pa;
}

static void init_maps(struct svm_block *b)
{
	size_t i;

	memset(b->iopm, 0xff, sizeof(b->iopm));
	memset(b->msrpm, 0xff, sizeof(b->msrpm));
	for (i = 0; i < MHI_COUNT(mhi_msr_passed); i++)
		msrpm_allow(b->msrpm, mhi_msr_passed[i]);
}

/*
 * A host that pages in five levels has its VMRUN walk five levels too: APM 2 15.25.3 "Enabling
 * Nested Paging".
 */
static int init_pml5(struct mhi_vcpu *v, struct svm_vcpu *svm)
{
	const struct mhi_npt *npt = &v->vm->npt;

	if (!(mhi_read_cr4() & MHI_CR4_LA57))
		return 0;
	svm->pml5 = mhi_host_page_alloc();
	if (!svm->pml5)
		return MHI_ENOMEM;
	*(u64 *)svm->pml5 = npt->fmt->table | npt->root_pa;
	return 0;
}

int mhi_svm_vcpu_init(struct mhi_vcpu *v)
{
	struct svm_block *b = mhi_host_pages_alloc(BLOCK_ORDER);
	struct svm_vcpu *svm;
	mh_hpa pa;

	if (!b)
		return MHI_ENOMEM;
	pa = mhi_host_va_to_pa(b);
	svm = &b->svm;
	v->hw = svm;
	if (init_pml5(v, svm)) {
		mhi_svm_vcpu_fini(v);
		return MHI_ENOMEM;
	}
	svm->vmcb = &b->vmcb;
	svm->vmcb_pa = pa;
	svm->host_pa = pa + offsetof(struct svm_block, host);
	svm->clean_mask = svm_has(v, MHK_F_CLEAN_BITS) ? MHI_SVM_CLEAN_ALL : 0;
	v->has_tsc_aux = mhi_svm_cpu_has_tsc_aux();
	svm->host_xss = mhi_svm_host_xss();
	svm->irq_by_event = !mhi_svm_cpu_is_qemu();
	svm->cpu_id = ~0u;
	init_maps(b);
	init_controls(v, b, pa);
	return 0;
}

void mhi_svm_vcpu_fini(struct mhi_vcpu *v)
{
	struct svm_vcpu *svm = svm_of(v);

	if (!svm)
		return;
	v->hw = NULL;
	mhi_host_page_free(svm->pml5);
	mhi_host_pages_free((u8 *)svm - offsetof(struct svm_block, svm), BLOCK_ORDER);
}
