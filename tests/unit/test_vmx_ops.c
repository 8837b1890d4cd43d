// SPDX-License-Identifier: MIT
/*
 * Sections, entries and their errors, flushes and small operations of the VMX back end on a fake
 * CPU.
 */
#include "vmx_cpu.h"

static const struct mhi_hv_ops *const ops = &mhi_vmx_ops;

START_TEST(launch_then_resume)
{
	begin();
	enter();
	enter();
	ck_assert_uint_eq(fake_vmx.vmlaunches, 1);
	ck_assert_uint_eq(fake_vmx.vmresumes, 1);
	put();
	ck_assert(!fake_vmx.root);
	ck_assert_uint_eq(fake_cr[4] & MHI_CR4_VMXE, 0);
	load();
	enter();
	ck_assert_uint_eq(fake_vmx.vmlaunches, 2);
	ck_assert_uint_eq(last_exit.reason, MHI_X_CPUID);
	put();
}
END_TEST

/* A CPUID exit reads the reason, the length and RIP, and writes nothing. */
START_TEST(lean_exit)
{
	begin();
	enter_with(-1);
	ops->skip(&vcpu, &last_exit);
	enter_with(-1);
	fake_vmx.reads = 0;
	fake_vmx.writes = 0;
	enter_with(-1);
	ck_assert_uint_eq(fake_vmx.reads, 3);
	ck_assert_uint_le(fake_vmx.writes, 1);
	put();
}
END_TEST

START_TEST(busy_cpu_is_left_alone)
{
	u64 cr4;

	make_vcpu(&haswell);
	cr4 = fake_cr[4] | MHI_CR4_VMXE;
	fake_cr[4] = cr4;
	fake_vmx.vmxons = 0;
	ck_assert_int_eq(ops->load(&vcpu, &last_exit), MHI_EBUSY);
	ck_assert_uint_eq(last_exit.raw, MHI_VMX_BUSY);
	ck_assert_uint_eq(fake_cr[4], cr4);
	ck_assert_uint_eq(fake_vmx.vmxons, 0);
	ck_assert_uint_eq(fake_vmx.reads + fake_vmx.writes, 0);
}
END_TEST

static void load_fails(enum vmx_insn insn)
{
	u64 cr4 = fake_cr[4];

	memset(&last_exit, 0, sizeof(last_exit));
	ck_assert_int_eq(ops->load(&vcpu, &last_exit), MHI_EIO);
	ck_assert_uint_eq(last_exit.reason, MHI_X_ENTRY_FAILED);
	ck_assert_uint_eq(last_exit.raw, MHI_VMX_INSN_FAILED);
	ck_assert_uint_eq(last_exit.raw_info[0], insn);
	ck_assert(!fake_vmx.root);
	ck_assert_uint_eq(fake_cr[4], cr4);
}

START_TEST(failing_instructions)
{
	make_vcpu(&haswell);
	fake_vmx.vmxon_fails = MHI_VMX_FAULT;
	load_fails(VMX_INSN_VMXON);
	fake_vmx.vmxon_fails = 0;
	fake_vmx.vmclear_fails = MHI_VMX_INVALID;
	load_fails(VMX_INSN_VMCLEAR);
	fake_vmx.vmclear_fails = 0;
	fake_vmx.vmptrld_fails = MHI_VMX_INVALID;
	load_fails(VMX_INSN_VMPTRLD);
	fake_vmx.vmptrld_fails = 0;
	load();
	put();
}
END_TEST

START_TEST(refused_entry)
{
	begin();
	fake_vmx.entry_error = 7;
	vcpu.event = MHI_EVENT_VALID | MHI_EVENT_EXCEPTION << 8 | 6;
	enter_with(0x30);
	ck_assert_uint_eq(last_exit.reason, MHI_X_ENTRY_FAILED);
	ck_assert_uint_eq(last_exit.raw, 7);
	ck_assert(!vcpu.irq_taken);
	ck_assert_uint_eq(fake_vmcs(VMCS_ENTRY_INTR_INFO), 0);
	fake_vmx.entry_error = 0;
	fake_vmx.entry_invalid = true;
	enter_with(-1);
	ck_assert_uint_eq(last_exit.raw, MHI_VMX_INSN_FAILED);
	fake_vmx.entry_invalid = false;
	/* The guest state is bad: the entry fails late, and the VMCS stays unlaunched. */
	script.reason = 33 | EXIT_ENTRY_FAILURE;
	fake_vmcs_set(VMCS_GUEST_RFLAGS, 2 | MHI_RFLAGS_IF);
	enter_with(0x30);
	ck_assert_uint_eq(script.injected, MHI_EVENT_VALID | 0x30);
	ck_assert_uint_eq(last_exit.reason, MHI_X_ENTRY_FAILED);
	ck_assert_uint_eq(last_exit.raw, 33 | EXIT_ENTRY_FAILURE);
	ck_assert(!vcpu.irq_taken);
	ck_assert_uint_eq(fake_vmcs(VMCS_ENTRY_INTR_INFO) & MHI_EVENT_VALID, 0);
	script.reason = 10;
	enter_with(-1);
	ck_assert_uint_eq(last_exit.reason, MHI_X_CPUID);
	put();
}
END_TEST

START_TEST(absent_field)
{
	begin();
	fake_vmx.absent = VMCS_GUEST_RIP;
	vcpu.rip_dirty = true;
	enter_with(-1);
	ck_assert_uint_eq(last_exit.raw, MHI_VMX_FIELD_ERROR);
	ck_assert_uint_eq(last_exit.raw_info[0], VMCS_GUEST_RIP);
	fake_vmx.absent = ~0u;
	enter_with(-1);
	ck_assert_uint_eq(last_exit.reason, MHI_X_CPUID);
	put();
}
END_TEST

/* Whatever the guest and the exits do, the host finds its own again after put. */
START_TEST(host_restored)
{
	struct mhk_state s;
	u64 gdt_base;

	make_vcpu(&haswell);
	gdt_base = fake_vmx.gdt.base;
	fake_vmx.ds = 0x2b;
	fake_vmx.es = 0x2b;
	fake_vmx.fs = 0x33;
	fake_vmx.gs = 0x3b;
	fake_vmx.ldt = 0x60;
	fake_dr[0] = 0xaaaa;
	fake_dr[7] = 0x401;
	fake_msr_set(MHI_MSR_DEBUGCTL, 2);
	load();
	long_mode(&s);
	s.lstar = 0xffffffff82000000ull;
	s.star = 0x1b000800000000ull;
	s.kernel_gs_base = 0x123000;
	s.tsc_aux = 77;
	s.dr[0] = 0xbbbb;
	s.dr7 = 0x401;
	s.dr6 = 0xffff0ff1;
	hv_state_set(&vcpu, MHK_G_ALL & ~MHK_G_FPU, &s);
	ck_assert_uint_eq(fake_msr(MHI_MSR_LSTAR), s.lstar);
	ck_assert_uint_eq(fake_msr(MHI_MSR_TSC_AUX), 77);
	ck_assert_uint_eq(fake_msr(MHI_MSR_KERNEL_GS_BASE), 0x123000);
	ck_assert_uint_eq(fake_dr[0], 0xbbbb);
	enter();
	/* SWAPGS in the guest. */
	fake_msr_set(MHI_MSR_KERNEL_GS_BASE, 0x456000);
	put();
	ck_assert_uint_eq(fake_msr(MHI_MSR_STAR), HOST_STAR);
	ck_assert_uint_eq(fake_msr(MHI_MSR_LSTAR), HOST_LSTAR);
	ck_assert_uint_eq(fake_msr(MHI_MSR_CSTAR), HOST_CSTAR);
	ck_assert_uint_eq(fake_msr(MHI_MSR_SFMASK), HOST_SFMASK);
	ck_assert_uint_eq(fake_msr(MHI_MSR_TSC_AUX), 3);
	ck_assert_uint_eq(fake_msr(MHI_MSR_KERNEL_GS_BASE), HOST_KERNEL_GS_BASE);
	ck_assert_uint_eq(fake_msr(MHI_MSR_FS_BASE), HOST_FS_BASE);
	ck_assert_uint_eq(fake_msr(MHI_MSR_GS_BASE), HOST_GS_BASE);
	ck_assert_uint_eq(fake_msr(MHI_MSR_DEBUGCTL), 2);
	ck_assert_uint_eq(fake_dr[0], 0xaaaa);
	ck_assert_uint_eq(fake_dr[6], 0xffff0ff0);
	ck_assert_uint_eq(fake_dr[7], 0x401);
	ck_assert_uint_eq(fake_vmx.ds, 0x2b);
	ck_assert_uint_eq(fake_vmx.es, 0x2b);
	ck_assert_uint_eq(fake_vmx.fs, 0x33);
	ck_assert_uint_eq(fake_vmx.gs, 0x3b);
	ck_assert_uint_eq(fake_vmx.ldt, 0x60);
	ck_assert_uint_eq(fake_vmx.tr_reloads, 1);
	ck_assert_uint_eq(fake_vmx.gdt.base, gdt_base);
	ck_assert_uint_eq(fake_vmx.gdt.limit, 127);
	ck_assert_uint_eq(fake_vmx.idt.limit, 4095);
	load();
	ck_assert_uint_eq(fake_msr(MHI_MSR_KERNEL_GS_BASE), 0x456000);
	ck_assert_uint_eq(fake_dr[0], 0xbbbb);
	ck_assert_uint_eq(fake_dr[6], 0xffff0ff1);
	put();
}
END_TEST

/* MSRs that are equal for host and guest are not written. */
START_TEST(equal_msrs)
{
	struct mhk_state s;
	unsigned int writes;

	begin();
	long_mode(&s);
	s.star = HOST_STAR;
	s.lstar = HOST_LSTAR;
	s.cstar = HOST_CSTAR;
	s.sfmask = HOST_SFMASK;
	hv_state_set(&vcpu, MHK_G_MSR, &s);
	put();
	writes = fake_msr_writes(MHI_MSR_LSTAR);
	load();
	enter();
	put();
	ck_assert_uint_eq(fake_msr_writes(MHI_MSR_LSTAR), writes);
}
END_TEST

START_TEST(debug_registers_on_touch)
{
	begin();
	vcpu.dr[1] = 0x1111;
	fake_dr[1] = 0x9999;
	enter();
	ck_assert_uint_eq(script.proc & PROC_MOV_DR, PROC_MOV_DR);
	mhi_dr_live(&vcpu);
	ck_assert_uint_eq(fake_dr[1], 0x1111);
	enter();
	ck_assert_uint_eq(script.proc & PROC_MOV_DR, 0);
	fake_dr[1] = 0x2222;
	put();
	ck_assert_uint_eq(vcpu.dr[1], 0x2222);
	load();
	enter();
	ck_assert_uint_eq(script.proc & PROC_MOV_DR, PROC_MOV_DR);
	put();
}
END_TEST

START_TEST(flushes)
{
	make_vcpu(&haswell);
	load();
	enter();
	/* A new CPU: whatever it remembers is dropped once. */
	ck_assert_uint_eq(fake_vmx.invepts, 1);
	ck_assert_uint_eq(fake_vmx.invept_type, 1);
	ck_assert_uint_eq(fake_vmx.invept_eptp, fake_vmcs(VMCS_EPT_POINTER));
	ck_assert_uint_eq(fake_vmx.invvpids, 1);
	ck_assert_uint_eq(fake_vmx.invvpid_type, 1);
	ck_assert_uint_eq(fake_vmx.invvpid_vpid, VPID_BASE + 2);
	enter();
	put();
	load();
	enter();
	ck_assert_uint_eq(fake_vmx.invepts, 1);
	ck_assert_uint_eq(fake_vmx.invvpids, 1);
	vcpu.flush = true;
	enter();
	ck_assert_uint_eq(fake_vmx.invepts, 2);
	ck_assert(!vcpu.flush);
	put();
	vcpu.cpu = &cpu2;
	load();
	enter();
	put();
	ck_assert_uint_eq(fake_vmx.invepts, 3);
	ck_assert_uint_eq(fake_vmx.invvpids, 2);
	/* And back again: the first CPU's translations are old now. */
	vcpu.cpu = &cpu;
	load();
	fake_vmx.invept_fails = MHI_VMX_VALID;
	enter();
	ck_assert_uint_eq(last_exit.reason, MHI_X_ENTRY_FAILED);
	ck_assert_uint_eq(last_exit.raw_info[0], VMX_INSN_INVALIDATE);
	fake_vmx.invept_fails = 0;
	enter();
	ck_assert_uint_eq(last_exit.reason, MHI_X_HOST);
	put();
	ck_assert_uint_eq(fake_vmx.invepts, 5);
}
END_TEST

START_TEST(without_vpid)
{
	make_vcpu(&haswell);
	vm.vpid_base = 0;
	load();
	enter();
	ck_assert_uint_eq(fake_vmcs(VMCS_PROC_CONTROLS2) & PROC2_VPID, 0);
	ck_assert_uint_eq(fake_vmx.invvpids, 0);
	put();
}
END_TEST

START_TEST(skip)
{
	begin();
	enter();
	vcpu.rip = 0x7000;
	vcpu.rip_dirty = false;
	fake_vmcs_set(VMCS_GUEST_INTERRUPTIBILITY, BLOCKED_BY_STI | BLOCKED_BY_NMI);
	ops->skip(&vcpu, &last_exit);
	ck_assert_uint_eq(vcpu.rip, 0x7002);
	ck_assert(vcpu.rip_dirty);
	ck_assert_uint_eq(fake_vmcs(VMCS_GUEST_INTERRUPTIBILITY), BLOCKED_BY_NMI);
	set_rflags(2 | MHI_RFLAGS_TF);
	ops->skip(&vcpu, &last_exit);
	ck_assert_uint_eq(fake_vmcs(VMCS_GUEST_PENDING_DEBUG), PENDING_DEBUG_BS);
	/* 64-bit code beyond 4 GiB goes on, 32-bit code wraps. */
	vcpu.rip = 0xffffffff;
	ops->skip(&vcpu, &last_exit);
	ck_assert_uint_eq(vcpu.rip, 0x100000001ull);
	fake_vmcs_set(VMCS_GUEST_CS_AR, 0xc09b);
	vcpu.rip = 0xffffffff;
	ops->skip(&vcpu, &last_exit);
	ck_assert_uint_eq(vcpu.rip, 1);
	put();
}
END_TEST

START_TEST(small_getters)
{
	begin();
	fake_vmcs_set(VMCS_GUEST_SS_AR, 0xc0f3);
	ck_assert_uint_eq(ops->cpl(&vcpu), 3);
	fake_vmcs_set(VMCS_GUEST_SS_AR, 0xc093);
	ck_assert_uint_eq(ops->cpl(&vcpu), 0);
	set_rflags(0x246);
	ck_assert_uint_eq(ops->rflags(&vcpu), 0x246);
	/* The shadow's bits where they are ours, the register's where the guest's. */
	fake_vmcs_set(VMCS_GUEST_CR4, MHI_CR4_VMXE | MHI_CR4_MCE | MHI_CR4_PAE | MHI_CR4_PGE);
	fake_vmcs_set(VMCS_CR4_SHADOW, 0);
	ck_assert_uint_eq(ops->cr_get(&vcpu, 4), MHI_CR4_PAE | MHI_CR4_PGE);
	put();
}
END_TEST

START_TEST(msrs)
{
	static const u32 list[] = {
		MHI_MSR_EFER,	 MHI_MSR_PAT,	      MHI_MSR_STAR,	      MHI_MSR_LSTAR,
		MHI_MSR_CSTAR,	 MHI_MSR_SFMASK,      MHI_MSR_KERNEL_GS_BASE, MHI_MSR_FS_BASE,
		MHI_MSR_GS_BASE, MHI_MSR_SYSENTER_CS, MHI_MSR_SYSENTER_ESP,   MHI_MSR_SYSENTER_EIP,
		MHI_MSR_TSC_AUX
	};
	unsigned int i;

	begin();
	for (i = 0; i < MHI_COUNT(list); i++) {
		ops->msr_set(&vcpu, list[i], 0x100 + i);
		ck_assert_uint_eq(ops->msr_get(&vcpu, list[i]), 0x100 + i);
	}
	ck_assert_uint_eq(fake_vmcs(VMCS_GUEST_FS_BASE), 0x107);
	ck_assert_uint_eq(fake_vmcs(VMCS_GUEST_PAT), 0x101);
	ck_assert_uint_eq(fake_msr(MHI_MSR_STAR), 0x102);
	put();
	ck_assert_uint_eq(fake_msr(MHI_MSR_STAR), HOST_STAR);
	load();
	for (i = 0; i < MHI_COUNT(list); i++)
		ck_assert_uint_eq(ops->msr_get(&vcpu, list[i]), 0x100 + i);
	put();
}
END_TEST

START_TEST(tsc_offset)
{
	begin();
	ck_assert_uint_eq(fake_vmcs(VMCS_TSC_OFFSET), 0);
	put();
	vm.tsc_offset = (u64)-5000;
	load();
	ck_assert_uint_eq(fake_vmcs(VMCS_TSC_OFFSET), (u64)-5000);
	put();
}
END_TEST

/* The control and its field are touched for a VM with a ratio only. */
START_TEST(tsc_ratio)
{
	struct cpu_model skylake = haswell;
	u64 proc2;

	skylake.proc2 |= (u64)PROC2_TSC_SCALING << 32;
	make_vcpu(&skylake);
	ck_assert_uint_eq(vm.caps.tsc_shift, 48);
	load();
	put();
	fake_vmcs_set(VMCS_TSC_MULTIPLIER, 0x1234);
	load();
	proc2 = fake_vmcs(VMCS_PROC_CONTROLS2);
	ck_assert_uint_eq(proc2 & PROC2_TSC_SCALING, 0);
	ck_assert_uint_eq(fake_vmcs(VMCS_TSC_MULTIPLIER), 0x1234);
	put();
	vm.tsc_ratio = 5ull << 46;
	load();
	ck_assert_uint_eq(fake_vmcs(VMCS_PROC_CONTROLS2), proc2 | PROC2_TSC_SCALING);
	ck_assert_uint_eq(fake_vmcs(VMCS_TSC_MULTIPLIER), 5ull << 46);
	put();
	vm.tsc_ratio = 0;
	load();
	ck_assert_uint_eq(fake_vmcs(VMCS_PROC_CONTROLS2), proc2);
	put();
	make_vcpu(&haswell);
	ck_assert_uint_eq(vm.caps.tsc_shift, 0);
}
END_TEST

START_TEST(cr2_is_switched)
{
	begin();
	vcpu.cr2 = 0xdead000;
	fake_cr[2] = 0x1;
	enter();
	ck_assert_uint_eq(fake_cr[2], 0xdead000);
	ck_assert_uint_eq(vcpu.cr2, 0xdead000);
	put();
}
END_TEST

static void add_tests(TCase *tc)
{
	tcase_add_test(tc, launch_then_resume);
	tcase_add_test(tc, lean_exit);
	tcase_add_test(tc, busy_cpu_is_left_alone);
	tcase_add_test(tc, failing_instructions);
	tcase_add_test(tc, refused_entry);
	tcase_add_test(tc, absent_field);
	tcase_add_test(tc, host_restored);
	tcase_add_test(tc, equal_msrs);
	tcase_add_test(tc, debug_registers_on_touch);
	tcase_add_test(tc, flushes);
	tcase_add_test(tc, without_vpid);
	tcase_add_test(tc, skip);
	tcase_add_test(tc, small_getters);
	tcase_add_test(tc, msrs);
	tcase_add_test(tc, tsc_offset);
	tcase_add_test(tc, tsc_ratio);
	tcase_add_test(tc, cr2_is_switched);
}

UNIT_MAIN("vmx_ops", add_tests)
