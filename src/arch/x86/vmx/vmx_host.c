// SPDX-License-Identifier: (GPL-2.0 OR MIT)
/*
 * The host's CPU state around a section: what a VM exit loads (host-state area), what it destroys
 * (descriptor-table and TR limits, LDTR, DEBUGCTL, DR7: SDM 3C 27.5 "Loading Host State"), and what
 * the guest shares with the host (system-call MSRs, KERNEL_GS_BASE, debug registers).
 */
#include "arch/x86/vmx/vmx.h"

#define SELECTOR_USER 7u /* RPL and TI: not allowed in a host-selector field */

/* Base of a 16-byte system descriptor: SDM 3A 7.2.3 "TSS Descriptor in 64-bit mode". */
static u64 system_base(const struct mhi_dtr *gdt, u16 sel)
{
	const u64 *d = (const u64 *)(unsigned long)(gdt->base + (sel & ~SELECTOR_USER));

	return mhi_bits(d[0], 39, 16) | mhi_bits(d[0], 63, 56) << 24 | d[1] << 32;
}

/* Constants of the CPU that the vCPU has moved to. */
static void save_cpu(struct vmx_vcpu *h, struct mhi_cpu *cpu)
{
	struct vmcs_ref *r = &h->ref;
	struct vmx_host *host = &h->host;

	host->cpu = cpu;
	mhi_sgdt(&host->gdt);
	mhi_sidt(&host->idt);
	host->tr = mhi_str();
	vmwrite64(r, VMCS_HOST_EFER, mhi_rdmsr(MHI_MSR_EFER));
	vmwrite64(r, VMCS_HOST_PAT, mhi_rdmsr(MHI_MSR_PAT));
	vmwrite16(r, VMCS_HOST_TR_SEL, host->tr);
	vmwriten(r, VMCS_HOST_TR_BASE, system_base(&host->gdt, host->tr));
	vmwriten(r, VMCS_HOST_GDTR_BASE, host->gdt.base);
	vmwriten(r, VMCS_HOST_IDTR_BASE, host->idt.base);
	vmwriten(r, VMCS_HOST_GS_BASE, mhi_rdmsr(MHI_MSR_GS_BASE));
	vmwrite32(r, VMCS_HOST_SYSENTER_CS, mhi_rdmsr(MHI_MSR_SYSENTER_CS));
	vmwriten(r, VMCS_HOST_SYSENTER_ESP, mhi_rdmsr(MHI_MSR_SYSENTER_ESP));
	vmwriten(r, VMCS_HOST_SYSENTER_EIP, mhi_rdmsr(MHI_MSR_SYSENTER_EIP));
	/* Values that none of them has: the fields are written on the first comparison. */
	host->cr0 = 0;
	host->cr3 = ~0ull;
	host->cr4 = 0;
	host->fs_base = ~0ull;
	/* Translations from the vCPU's earlier time on this CPU may be stale. */
	h->flush_vpid = true;
}

void mhi_vmx_host_save(struct mhi_vcpu *v)
{
	struct vmx_vcpu *h = vmx_of(v);
	struct vmx_host *host = &h->host;
	struct vmcs_ref *r = &h->ref;

	if (host->cpu != v->cpu) {
		save_cpu(h, v->cpu);
		v->flush = true;
	}
	vmcs_write_cached(r, &host->cr0, VMCS_HOST_CR0, mhi_read_cr0());
	vmcs_write_cached(r, &host->cr3, VMCS_HOST_CR3, mhi_read_cr3());
	vmcs_write_cached(r, &host->cr4, VMCS_HOST_CR4, mhi_read_cr4());
	vmcs_write_cached(r, &host->fs_base, VMCS_HOST_FS_BASE, mhi_rdmsr(MHI_MSR_FS_BASE));
	host->ds = mhi_read_ds();
	host->es = mhi_read_es();
	host->fs = mhi_read_fs();
	host->gs = mhi_read_gs();
	host->ldt = mhi_sldt();
	host->debugctl = mhi_rdmsr(MHI_MSR_DEBUGCTL);
	host->dr6 = mhi_read_dr(6);
	v->host_dr7 = mhi_read_dr(7);
	host->kernel_gs_base = mhi_rdmsr(MHI_MSR_KERNEL_GS_BASE);
	host->lost = false;
}

const u32 mhi_vmx_syscall_msrs[VMX_SYSCALL_MSRS] = { MHI_MSR_STAR, MHI_MSR_LSTAR, MHI_MSR_CSTAR,
						     MHI_MSR_SFMASK };

static inline void switch_msr(u32 index, u64 from, u64 to)
{
	if (from != to)
		mhi_wrmsr(index, to);
}

void mhi_vmx_guest_msrs_load(struct mhi_vcpu *v)
{
	struct vmx_vcpu *h = vmx_of(v);
	const struct mhi_cpu *cpu = v->cpu;
	unsigned int i;

	for (i = 0; i < VMX_SYSCALL_MSRS; i++)
		switch_msr(mhi_vmx_syscall_msrs[i], cpu->host_syscall[i], h->syscall[i]);
	mhi_tsc_aux_switch(v, cpu->host_tsc_aux, v->tsc_aux);
	switch_msr(MHI_MSR_KERNEL_GS_BASE, h->host.kernel_gs_base, h->kernel_gs_base);
	if (h->dr6 != h->host.dr6)
		mhi_write_dr(6, h->dr6);
	if (vmreadn(&h->ref, VMCS_GUEST_DR7) & MHI_DR7_ENABLES)
		mhi_dr_live(v);
}

static void restore_dr(struct mhi_vcpu *v)
{
	struct vmx_vcpu *h = vmx_of(v);

	h->dr6 = mhi_read_dr(6);
	if (h->dr6 != h->host.dr6)
		mhi_write_dr(6, h->host.dr6);
	if (v->dr_live)
		mhi_dr_unload(v);
	if (v->host_dr7 != MHI_DR7_RESET)
		mhi_write_dr(7, v->host_dr7);
}

static void restore_msrs(struct mhi_vcpu *v)
{
	struct vmx_vcpu *h = vmx_of(v);
	const struct mhi_cpu *cpu = v->cpu;
	unsigned int i;

	for (i = 0; i < VMX_SYSCALL_MSRS; i++)
		switch_msr(mhi_vmx_syscall_msrs[i], h->syscall[i], cpu->host_syscall[i]);
	mhi_tsc_aux_switch(v, v->tsc_aux, cpu->host_tsc_aux);
	if (h->host.debugctl)
		mhi_wrmsr(MHI_MSR_DEBUGCTL, h->host.debugctl);
}

/*
 * VM exits leave null or kernel selectors: those of user space come back here, then the bases they
 * destroy.
 */
static void restore_segments(const struct vmx_host *host)
{
	if (host->ds)
		mhi_load_ds(host->ds);
	if (host->es)
		mhi_load_es(host->es);
	if (host->fs) {
		mhi_load_fs(host->fs);
		mhi_wrmsr(MHI_MSR_FS_BASE, host->fs_base);
	}
	if (host->gs)
		mhi_load_gs(host->gs, host->kernel_gs_base);
}

void mhi_vmx_host_restore(struct mhi_vcpu *v)
{
	struct vmx_vcpu *h = vmx_of(v);
	struct vmx_host *host = &h->host;
	bool exited = h->launched || host->lost;

	h->kernel_gs_base = mhi_rdmsr(MHI_MSR_KERNEL_GS_BASE);
	if (exited) {
		mhi_reload_tr(host->tr);
		mhi_lgdt(&host->gdt);
		mhi_lidt(&host->idt);
		if (host->ldt)
			mhi_lldt(host->ldt);
		restore_segments(host);
	}
	if (exited || h->kernel_gs_base != host->kernel_gs_base)
		mhi_wrmsr(MHI_MSR_KERNEL_GS_BASE, host->kernel_gs_base);
	restore_msrs(v);
	restore_dr(v);
}
