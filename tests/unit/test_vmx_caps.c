// SPDX-License-Identifier: MIT
/* What probe and the computation of controls make of several CPUs, and what they refuse by name. */
#include "vmx_cpu.h"

static struct mhi_hv_caps caps;

static int probe(const struct cpu_model *m)
{
	set_cpu(m);
	return mhi_vmx_ops.probe(&caps);
}

static bool has(u32 feature)
{
	return (caps.features & MHI_BIT(feature)) != 0;
}

START_TEST(full_cpu)
{
	ck_assert_int_eq(probe(&haswell), 0);
	ck_assert_uint_eq(caps.hw, MHK_HW_OK);
	ck_assert(has(MHK_F_NESTED_PAGING) && has(MHK_F_TLB_TAG) && has(MHK_F_UNRESTRICTED));
	ck_assert(has(MHK_F_NEXT_RIP) && has(MHK_F_PAGE_2M) && has(MHK_F_PAGE_1G));
	ck_assert(has(MHK_F_ACCESSED_DIRTY) && has(MHK_F_EPT_WRITEBACK) && has(MHK_F_XSAVE));
	ck_assert(has(MHK_F_EXEC_CONTROLS) && has(MHK_F_EXIT_CONTROLS));
	ck_assert(has(MHK_F_ENTRY_CONTROLS) && has(MHK_F_FLUSH_BY_ASID));
	ck_assert(!has(MHK_F_TSC_SCALING) && !has(MHK_F_DECODE) && !has(MHK_F_CLEAN_BITS));
	ck_assert_ptr_eq(caps.npt_fmt, &mhi_npt_ept_ad);
	ck_assert_uint_eq(caps.npt_max_level, 3);
	ck_assert_uint_eq(caps.phys_bits, 39);
	ck_assert_uint_eq(caps.cr4 & MHI_CR4_SMEP, MHI_CR4_SMEP);
	/* Offered by the CPU (its fixed-1 bits), but never to a guest. */
	ck_assert_uint_eq(caps.cr4 & (MHI_CR4_VMXE | MHI_CR4_SMXE | MHI_CR4_PKE | MHI_CR4_LA57), 0);
	ck_assert_uint_eq(fake_vmx.vmxons, 0);
	ck_assert_uint_eq(fake_faults, 0);
}
END_TEST

START_TEST(old_cpu)
{
	ck_assert_int_eq(probe(&lynnfield), 0);
	ck_assert(!has(MHK_F_UNRESTRICTED) && !has(MHK_F_PAGE_1G) && !has(MHK_F_ACCESSED_DIRTY));
	ck_assert(has(MHK_F_TLB_TAG) && has(MHK_F_PAGE_2M));
	ck_assert_ptr_eq(caps.npt_fmt, &mhi_npt_ept);
	ck_assert_uint_eq(caps.npt_max_level, 2);
	ck_assert_uint_eq(caps.cr4 & MHI_CR4_SMEP, 0);
}
END_TEST

/* MSR 0x48c does not exist there: reading it would fault. */
START_TEST(cpu_without_ept)
{
	ck_assert_int_eq(probe(&penryn), MHI_EOPNOTSUPP);
	ck_assert_uint_eq(caps.hw, MHK_HW_MISSING);
	ck_assert_uint_eq(caps.missing, MHK_F_NESTED_PAGING);
	ck_assert_uint_eq(fake_faults, 0);
}
END_TEST

START_TEST(no_vmx)
{
	static const u32 leaf1[4] = { 0 };

	set_cpu(&haswell);
	fake_cpuid_set(1, 0, leaf1);
	ck_assert_int_eq(mhi_vmx_ops.probe(&caps), MHI_EOPNOTSUPP);
	ck_assert_uint_eq(caps.hw, MHK_HW_NO_CPU);
}
END_TEST

START_TEST(firmware)
{
	set_cpu(&haswell);
	fake_msr_set(MHI_MSR_FEATURE_CONTROL, 1);
	ck_assert_int_eq(mhi_vmx_ops.probe(&caps), MHI_EOPNOTSUPP);
	ck_assert_uint_eq(caps.hw, MHK_HW_FIRMWARE);
	/* Inside SMX only is no use either. */
	fake_msr_set(MHI_MSR_FEATURE_CONTROL, 3);
	ck_assert_int_eq(mhi_vmx_ops.probe(&caps), MHI_EOPNOTSUPP);
	/* Unlocked: cpu_on will lock it with VMX on. */
	fake_msr_set(MHI_MSR_FEATURE_CONTROL, 0);
	ck_assert_int_eq(mhi_vmx_ops.probe(&caps), 0);
	ck_assert_uint_eq(fake_msr_writes(MHI_MSR_FEATURE_CONTROL), 0);
}
END_TEST

START_TEST(held_by_another)
{
	set_cpu(&haswell);
	fake_cr[4] |= MHI_CR4_VMXE;
	ck_assert_int_eq(mhi_vmx_ops.probe(&caps), MHI_EBUSY);
	ck_assert_uint_eq(caps.hw, MHK_HW_BUSY);
	/* What the CPU has is told all the same. */
	ck_assert(has(MHK_F_UNRESTRICTED));
}
END_TEST

START_TEST(fred_host)
{
	set_cpu(&haswell);
	fake_cr[4] |= 1ull << 32;
	ck_assert_int_eq(mhi_vmx_ops.probe(&caps), MHI_EOPNOTSUPP);
	ck_assert_uint_eq(caps.missing, MHK_F_EXIT_CONTROLS);
}
END_TEST

/* Each required bit in turn is not settable. */
struct lack {
	unsigned int word; /* index into struct cpu_model */
	unsigned int bit;
	u32 missing;
};

enum { PIN, PROC, PROC2, EXIT, ENTRY, EPT };

static const struct lack lacks[] = {
	{ PIN, 0, MHK_F_EXEC_CONTROLS },    { PIN, 3, MHK_F_EXEC_CONTROLS },
	{ PIN, 5, MHK_F_EXEC_CONTROLS },    { PROC, 2, MHK_F_EXEC_CONTROLS },
	{ PROC, 3, MHK_F_EXEC_CONTROLS },   { PROC, 7, MHK_F_EXEC_CONTROLS },
	{ PROC, 10, MHK_F_EXEC_CONTROLS },  { PROC, 11, MHK_F_EXEC_CONTROLS },
	{ PROC, 19, MHK_F_EXEC_CONTROLS },  { PROC, 20, MHK_F_EXEC_CONTROLS },
	{ PROC, 22, MHK_F_EXEC_CONTROLS },  { PROC, 23, MHK_F_EXEC_CONTROLS },
	{ PROC, 24, MHK_F_EXEC_CONTROLS },  { PROC, 28, MHK_F_EXEC_CONTROLS },
	{ PROC, 29, MHK_F_EXEC_CONTROLS },  { PROC, 31, MHK_F_NESTED_PAGING },
	{ PROC2, 1, MHK_F_NESTED_PAGING },  { PROC2, 6, MHK_F_EXEC_CONTROLS },
	{ EXIT, 2, MHK_F_EXIT_CONTROLS },   { EXIT, 9, MHK_F_EXIT_CONTROLS },
	{ ENTRY, 2, MHK_F_ENTRY_CONTROLS }, { ENTRY, 9, MHK_F_ENTRY_CONTROLS },
};

static void forbid(struct cpu_model *m, const struct lack *l)
{
	u64 *words[] = { &m->pin, &m->proc, &m->proc2, &m->exit, &m->entry, &m->ept_vpid };

	*words[l->word] &= ~(MHI_BIT(l->bit) << 32 | MHI_BIT(l->bit));
}

START_TEST(missing_control)
{
	struct cpu_model m = haswell;

	forbid(&m, &lacks[_i]);
	ck_assert_int_eq(probe(&m), MHI_EOPNOTSUPP);
	ck_assert_uint_eq(caps.hw, MHK_HW_MISSING);
	ck_assert_uint_eq(caps.missing, lacks[_i].missing);
}
END_TEST

/* CR3 exits, INVLPG exits, RDTSC exits: forced on by the very first VMX CPUs. */
START_TEST(forced_control)
{
	static const unsigned int bits[] = { 9, 12, 15, 16 };
	struct cpu_model m = haswell;

	m.proc |= MHI_BIT(bits[_i]);
	ck_assert_int_eq(probe(&m), MHI_EOPNOTSUPP);
	ck_assert_uint_eq(caps.missing, MHK_F_EXEC_CONTROLS);
}
END_TEST

START_TEST(ept_capabilities)
{
	struct cpu_model m = haswell;

	m.ept_vpid &= ~EPT_CAP_WB;
	ck_assert_int_eq(probe(&m), MHI_EOPNOTSUPP);
	ck_assert_uint_eq(caps.missing, MHK_F_EPT_WRITEBACK);
	m = haswell;
	m.ept_vpid &= ~EPT_CAP_WALK4;
	ck_assert_int_eq(probe(&m), MHI_EOPNOTSUPP);
	ck_assert_uint_eq(caps.missing, MHK_F_EPT_WRITEBACK);
	m = haswell;
	m.ept_vpid &= ~EPT_CAP_INVEPT;
	ck_assert_int_eq(probe(&m), MHI_EOPNOTSUPP);
	ck_assert_uint_eq(caps.missing, MHK_F_NESTED_PAGING);
	m = haswell;
	m.ept_vpid &= ~(EPT_CAP_2M | EPT_CAP_1G);
	ck_assert_int_eq(probe(&m), 0);
	ck_assert_uint_eq(caps.npt_max_level, 1);
}
END_TEST

struct controls {
	u32 word[VMX_WORDS];
};

static struct controls controls_of(const struct cpu_model *m)
{
	struct controls c = { 0 };
	struct vmx_caps vmx;
	u32 missing;

	set_cpu(m);
	mhi_vmx_caps_read(&vmx);
	ck_assert_int_eq(mhi_vmx_controls(&vmx, c.word, &missing), 0);
	return c;
}

START_TEST(controls_full)
{
	struct controls c = controls_of(&haswell);

	/* Must-be-one bits of the CPU, and ours, nothing else. */
	ck_assert_uint_eq(c.word[VMX_PIN],
			  0x16 | PIN_EXT_INTR | PIN_NMI | PIN_VIRTUAL_NMI | PIN_PREEMPTION_TIMER);
	ck_assert_uint_eq(c.word[VMX_PROC], 0x04006172 | PROC_TSC_OFFSET | PROC_HLT | PROC_MWAIT |
						    PROC_RDPMC | PROC_CR8_LOAD | PROC_CR8_STORE |
						    PROC_MOV_DR | PROC_IO | PROC_MSR_BITMAP |
						    PROC_MONITOR | PROC_SECONDARY);
	ck_assert_uint_eq(c.word[VMX_PROC2], PROC2_EPT | PROC2_RDTSCP | PROC2_VPID | PROC2_WBINVD |
						     PROC2_UNRESTRICTED | PROC2_INVPCID);
	ck_assert_uint_eq(c.word[VMX_EXIT], 0x36dfb | EXIT_SAVE_DEBUG | EXIT_HOST_64 |
						    EXIT_LOAD_PAT | EXIT_LOAD_EFER);
	ck_assert_uint_eq(c.word[VMX_ENTRY],
			  0x11fb | ENTRY_LOAD_DEBUG | ENTRY_LOAD_PAT | ENTRY_LOAD_EFER);
	/* Acknowledging the interrupt at the exit would steal it from the host. */
	ck_assert_uint_eq(c.word[VMX_EXIT] & (1u << 15), 0);
}
END_TEST

START_TEST(controls_optional)
{
	struct cpu_model m = lynnfield;
	struct controls c = controls_of(&m);

	ck_assert_uint_eq(c.word[VMX_PROC2], PROC2_EPT | PROC2_RDTSCP | PROC2_VPID | PROC2_WBINVD);
	/* A VPID that cannot be flushed is not used. */
	m.ept_vpid &= ~EPT_CAP_INVVPID;
	ck_assert_uint_eq(controls_of(&m).word[VMX_PROC2] & PROC2_VPID, 0);
	/* No enclaves where there could be some. */
	m = haswell;
	m.proc2 |= (u64)(PROC2_ENCLS | PROC2_ENCLV) << 32;
	c = controls_of(&m);
	ck_assert_uint_eq(c.word[VMX_PROC2] & (PROC2_ENCLS | PROC2_ENCLV),
			  PROC2_ENCLS | PROC2_ENCLV);
}
END_TEST

START_TEST(cpu_on)
{
	free_vcpu();
	set_cpu(&haswell);
	cpu.page = mhi_host_page_alloc();
	cpu.page_pa = mhi_host_va_to_pa(cpu.page);
	ck_assert_int_eq(mhi_vmx_ops.cpu_on(&cpu), 0);
	ck_assert(cpu.on);
	ck_assert_uint_eq(fake_vmx.vmxons, 1);
	ck_assert(!fake_vmx.root);
	ck_assert_uint_eq(fake_cr[4], HOST_CR4 & haswell.cr4_fixed1);
	ck_assert_uint_eq(cpu.host_syscall[1], HOST_LSTAR);
	ck_assert_uint_eq(cpu.host_tsc_aux, 3);
	mhi_vmx_ops.cpu_off(&cpu);
	ck_assert(!cpu.on);
	mhi_vmx_ops.cpu_off(&cpu);
	free_vcpu();
}
END_TEST

START_TEST(cpu_on_refused)
{
	u64 cr4;

	free_vcpu();
	set_cpu(&haswell);
	cr4 = fake_cr[4];
	cpu.page = mhi_host_page_alloc();
	cpu.page_pa = mhi_host_va_to_pa(cpu.page);
	fake_cr[4] = cr4 | MHI_CR4_VMXE;
	ck_assert_int_eq(mhi_vmx_ops.cpu_on(&cpu), MHI_EBUSY);
	ck_assert_uint_eq(fake_cr[4], cr4 | MHI_CR4_VMXE);
	fake_cr[4] = cr4;
	fake_vmx.vmxon_fails = MHI_VMX_FAULT;
	ck_assert_int_eq(mhi_vmx_ops.cpu_on(&cpu), MHI_EIO);
	ck_assert_uint_eq(fake_cr[4], cr4);
	fake_vmx.vmxon_fails = 0;
	fake_cr[0] = HOST_CR0 & ~MHI_CR0_NE;
	ck_assert_int_eq(mhi_vmx_ops.cpu_on(&cpu), MHI_EIO);
	fake_cr[0] = HOST_CR0;
	fake_msr_set(MHI_MSR_FEATURE_CONTROL, 1);
	ck_assert_int_eq(mhi_vmx_ops.cpu_on(&cpu), MHI_EIO);
	ck_assert_uint_eq(fake_vmx.vmxons, 0);
	ck_assert(!cpu.on);
	fake_msr_set(MHI_MSR_FEATURE_CONTROL, 0);
	ck_assert_int_eq(mhi_vmx_ops.cpu_on(&cpu), 0);
	ck_assert_uint_eq(fake_msr(MHI_MSR_FEATURE_CONTROL), 5);
	free_vcpu();
}
END_TEST

static void add_tests(TCase *tc)
{
	tcase_add_test(tc, full_cpu);
	tcase_add_test(tc, old_cpu);
	tcase_add_test(tc, cpu_without_ept);
	tcase_add_test(tc, no_vmx);
	tcase_add_test(tc, firmware);
	tcase_add_test(tc, held_by_another);
	tcase_add_test(tc, fred_host);
	tcase_add_loop_test(tc, missing_control, 0, MHI_COUNT(lacks));
	tcase_add_loop_test(tc, forced_control, 0, 4);
	tcase_add_test(tc, ept_capabilities);
	tcase_add_test(tc, controls_full);
	tcase_add_test(tc, controls_optional);
	tcase_add_test(tc, cpu_on);
	tcase_add_test(tc, cpu_on_refused);
}

UNIT_MAIN("vmx_caps", add_tests)
