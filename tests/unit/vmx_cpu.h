/* SPDX-License-Identifier: MIT */
/* Fixture of the VMX tests: CPU models by their capability MSRs, and one vCPU on such a CPU. */
#ifndef TESTS_UNIT_VMX_CPU_H
#define TESTS_UNIT_VMX_CPU_H

#include "unit.h"
#include "fake_vmx.h"
#include "hv_state.h"
#include "pages.h"
#include "arch/x86/vmx/vmx.h"

#define HOST_CR0 0x80050033ull
#define HOST_CR3 0x1234005ull
#define HOST_CR4 0x3606e0ull
#define HOST_GS_BASE 0xffff888000010000ull
#define HOST_KERNEL_GS_BASE 0x7f0000001000ull
#define HOST_FS_BASE 0x7f0000002000ull
#define HOST_EFER 0xd01ull
#define HOST_PAT 0x0407050600070106ull
#define HOST_STAR 0x23001000000000ull
#define HOST_LSTAR 0xffffffff81000000ull
#define HOST_CSTAR 0xffffffff81000100ull
#define HOST_SFMASK 0x257fd5ull
#define VPID_BASE 0x100

/* As real CPUs have them; TRUE_ values for the words of controls. */
struct cpu_model {
	u64 pin, proc, proc2, exit, entry, ept_vpid, cr4_fixed1;
};

static const struct cpu_model __attribute__((unused)) haswell = {
	.pin = 0x0000007f00000016ull,
	.proc = 0xfff9fffe04006172ull,
	.proc2 = 0x00007cff00000000ull,
	.exit = 0x007fffff00036dfbull,
	.entry = 0x0000ffff000011fbull,
	.ept_vpid = 0x00000f0106334141ull,
	.cr4_fixed1 = 0x3727ffull,
};

/* No unrestricted guest, no INVPCID, no 1 GiB pages, no accessed and dirty flags in EPT. */
static const struct cpu_model __attribute__((unused)) lynnfield = {
	.pin = 0x0000007f00000016ull,
	.proc = 0xfff9fffe04006172ull,
	.proc2 = 0x0000007f00000000ull,
	.exit = 0x007fffff00036dfbull,
	.entry = 0x0000ffff000011fbull,
	.ept_vpid = 0x00000f0106114141ull,
	.cr4_fixed1 = 0x67ffull,
};

/* Neither EPT nor VPID. */
static const struct cpu_model __attribute__((unused)) penryn = {
	.pin = 0x0000003f00000016ull,
	.proc = 0xf7f9fffe04006172ull,
	.proc2 = 0x0000004100000000ull,
	.exit = 0x0003ffff00036dfbull,
	.entry = 0x00003fff000011fbull,
	.ept_vpid = 0,
	.cr4_fixed1 = 0x67ffull,
};

static struct mhi_vm vm;
static struct mhi_cpu cpu, cpu2;
static struct mhi_vcpu vcpu;
static struct mhi_exit last_exit;
static int guest_read_error;
static u64 guest_read_pdptes[4];

int mhi_host_guest_read(struct mhi_vcpu *v, mh_gpa gpa, void *buf, u32 bytes)
{
	(void)v;
	(void)gpa;
	if (!guest_read_error)
		memcpy(buf, guest_read_pdptes, bytes);
	return guest_read_error;
}

static inline void set_host_msrs(void)
{
	fake_msr_set(MHI_MSR_EFER, HOST_EFER);
	fake_msr_set(MHI_MSR_PAT, HOST_PAT);
	fake_msr_set(MHI_MSR_STAR, HOST_STAR);
	fake_msr_set(MHI_MSR_LSTAR, HOST_LSTAR);
	fake_msr_set(MHI_MSR_CSTAR, HOST_CSTAR);
	fake_msr_set(MHI_MSR_SFMASK, HOST_SFMASK);
	fake_msr_set(MHI_MSR_FS_BASE, HOST_FS_BASE);
	fake_msr_set(MHI_MSR_GS_BASE, HOST_GS_BASE);
	fake_msr_set(MHI_MSR_KERNEL_GS_BASE, HOST_KERNEL_GS_BASE);
	fake_msr_set(MHI_MSR_TSC_AUX, 3);
	fake_msr_set(MHI_MSR_SYSENTER_CS, 0x10);
	fake_msr_set(MHI_MSR_SYSENTER_ESP, 0xfffffe0000002200ull);
	fake_msr_set(MHI_MSR_SYSENTER_EIP, 0xffffffff81000200ull);
	fake_msr_set(MHI_MSR_DEBUGCTL, 0);
}

static inline void set_cpu(const struct cpu_model *m)
{
	static const u32 leaf1[4] = { 0x306c3, 0, 1u << 5 | 1u << 26, 0 };
	static const u32 ext0[4] = { 0x80000008u, 0, 0, 0 };
	static const u32 ext8[4] = { 0x3027, 0, 0, 0 };

	fake_x86_reset();
	fake_vmx_reset();
	fake_cpuid_set(1, 0, leaf1);
	fake_cpuid_set(0x80000000u, 0, ext0);
	fake_cpuid_set(0x80000008u, 0, ext8);
	fake_msr_set(MHI_MSR_FEATURE_CONTROL, 5);
	fake_msr_set(MSR_VMX_BASIC, CAP_TRUE_CTLS | 0x1000ull << 32 | FAKE_VMX_REVISION);
	fake_msr_set(MSR_VMX_TRUE_CTLS + VMX_PIN, m->pin);
	fake_msr_set(MSR_VMX_TRUE_CTLS + VMX_PROC, m->proc);
	fake_msr_set(MSR_VMX_TRUE_CTLS + VMX_EXIT, m->exit);
	fake_msr_set(MSR_VMX_TRUE_CTLS + VMX_ENTRY, m->entry);
	fake_msr_set(MSR_VMX_PROC_CTLS2, m->proc2);
	fake_msr_set(MSR_VMX_MISC, 0x7004c1e5);
	if (m->ept_vpid)
		fake_msr_set(MSR_VMX_EPT_VPID_CAP, m->ept_vpid);
	fake_msr_set(MSR_VMX_CR0_FIXED0, 0x80000021);
	fake_msr_set(MSR_VMX_CR0_FIXED1, 0xffffffff);
	fake_msr_set(MSR_VMX_CR4_FIXED0, 0x2000);
	fake_msr_set(MSR_VMX_CR4_FIXED1, m->cr4_fixed1);
	fake_cr[0] = HOST_CR0;
	fake_cr[3] = HOST_CR3;
	fake_cr[4] = HOST_CR4 & m->cr4_fixed1;
	fake_dr[6] = 0xffff0ff0;
	fake_dr[7] = 0x400;
	set_host_msrs();
}

static inline void free_vcpu(void)
{
	if (vcpu.hw)
		mhi_vmx_ops.vcpu_fini(&vcpu);
	mhi_host_page_free(cpu.page);
	mhi_host_page_free(cpu2.page);
	memset(&vcpu, 0, sizeof(vcpu));
	memset(&vm, 0, sizeof(vm));
	memset(&cpu, 0, sizeof(cpu));
	memset(&cpu2, 0, sizeof(cpu2));
	memset(&last_exit, 0, sizeof(last_exit));
	guest_read_error = 0;
	memset(guest_read_pdptes, 0, sizeof(guest_read_pdptes));
}

static inline void make_cpu(struct mhi_cpu *c)
{
	c->page = mhi_host_page_alloc();
	c->page_pa = mhi_host_va_to_pa(c->page);
	ck_assert_int_eq(mhi_vmx_ops.cpu_on(c), 0);
}

/* A CPU that is on, a VM, a vCPU: nothing loaded yet. */
static inline void make_vcpu(const struct cpu_model *m)
{
	struct mhi_hv_caps caps;

	free_vcpu();
	set_cpu(m);
	ck_assert_int_eq(mhi_vmx_ops.probe(&caps), 0);
	make_cpu(&cpu);
	make_cpu(&cpu2);
	vm.ops = &mhi_vmx_ops;
	vm.caps.features = caps.features;
	vm.caps.cr4 = caps.cr4;
	vm.caps.phys_bits = caps.phys_bits;
	vm.caps.tsc_shift = caps.tsc_shift;
	vm.npt.fmt = caps.npt_fmt;
	vm.npt.root_pa = 0x5000;
	vm.vpid_base = VPID_BASE;
	vm.tsc_khz = 2000000;
	vcpu.vm = &vm;
	vcpu.cpu = &cpu;
	vcpu.apic_id = 2;
	ck_assert_int_eq(mhi_vmx_ops.vcpu_init(&vcpu), 0);
}

static inline void load(void)
{
	bool first = !vmx_of(&vcpu)->filled;

	ck_assert_int_eq(mhi_vmx_ops.load(&vcpu, &last_exit), 0);
	if (first)
		hv_reset(&vcpu);
}

static inline void put(void)
{
	mhi_vmx_ops.put(&vcpu);
	ck_assert_uint_eq(fake_vmx.misuses, 0);
	ck_assert_uint_eq(fake_faults, 0);
}

static inline void enter(void)
{
	mhi_vmx_ops.enter(&vcpu, &last_exit);
}

/* The state of a 64-bit guest that runs. */
static inline void long_mode(struct mhk_state *s)
{
	unsigned int i;

	memset(s, 0, sizeof(*s));
	for (i = 0; i < MHK_SEGS; i++) {
		s->seg[i].attr = 0xc093;
		s->seg[i].limit = ~0u;
		s->seg[i].sel = 0x10;
	}
	s->seg[MHK_CS].attr = 0xa09b;
	s->seg[MHK_LDTR].attr = MHK_SEG_UNUSABLE;
	s->seg[MHK_TR].attr = 0x8b;
	s->rip = 0x1000;
	s->rflags = 2;
	s->cr0 = MHI_CR0_PG | MHI_CR0_PE | MHI_CR0_NE | MHI_CR0_ET;
	s->cr3 = 0x10000;
	s->cr4 = MHI_CR4_PAE;
	s->efer = MHI_EFER_LME | MHI_EFER_LMA;
	s->pat = MHI_PAT_RESET;
	s->dr6 = 0xffff0ff0;
	s->dr7 = 0x400;
}

/* What the guest does in the next entries. */
static struct {
	u32 reason, insn_len, intr_info, vectoring, vectoring_error;
	u64 qualification;
	u32 injected; /* entry interruption-information as the CPU found it */
	u32 injected_error, injected_len;
	u32 proc;
} script;

static inline void play(u64 *gpr)
{
	(void)gpr;
	script.injected = (u32)fake_vmcs(VMCS_ENTRY_INTR_INFO);
	script.injected_error = (u32)fake_vmcs(VMCS_ENTRY_ERROR_CODE);
	script.injected_len = (u32)fake_vmcs(VMCS_ENTRY_INSN_LEN);
	script.proc = (u32)fake_vmcs(VMCS_PROC_CONTROLS);
	fake_vmx_exit(script.reason, script.insn_len);
	fake_vmcs_set(VMCS_EXIT_QUALIFICATION, script.qualification);
	fake_vmcs_set(VMCS_EXIT_INTR_INFO, script.intr_info);
	fake_vmcs_set(VMCS_IDT_VECTORING_INFO, script.vectoring);
	fake_vmcs_set(VMCS_IDT_VECTORING_ERROR, script.vectoring_error);
}

static inline void begin(void)
{
	struct mhk_state s;

	make_vcpu(&haswell);
	memset(&script, 0, sizeof(script));
	script.reason = 10;
	script.insn_len = 2;
	fake_vmx.guest = play;
	load();
	long_mode(&s);
	hv_state_set(&vcpu, MHK_G_ALL & ~MHK_G_FPU, &s);
}

static inline void enter_with(int vector)
{
	vcpu.irq = vector;
	vcpu.irq_taken = false;
	enter();
}

static inline void set_rflags(u64 rflags)
{
	fake_vmcs_set(VMCS_GUEST_RFLAGS, rflags);
}

#endif
