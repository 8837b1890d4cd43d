// SPDX-License-Identifier: MIT
/* Contents of the VMCS after reset, and the way of every group of state in and out of it. */
#include "vmx_cpu.h"
#include "rng.h"

#define GROUPS (MHK_G_ALL & ~MHK_G_FPU)

static const struct mhi_hv_ops *const ops = &mhi_vmx_ops;

START_TEST(controls_in_the_vmcs)
{
	make_vcpu(&haswell);
	load();
	ck_assert_uint_eq(fake_vmcs(VMCS_PIN_CONTROLS), 0x16 | 1 | 8 | 0x20 | 0x40);
	/* 10 ms of a TSC of 2 GHz, counted in units of 32. */
	ck_assert_uint_eq(fake_vmcs(VMCS_PREEMPTION_TIMER), 625000);
	ck_assert_uint_eq(fake_vmcs(VMCS_VPID), VPID_BASE + 2);
	ck_assert_uint_eq(fake_vmcs(VMCS_EPT_POINTER), 0x5000 | 6 | 3 << 3 | 1 << 6);
	ck_assert_uint_eq(fake_vmcs(VMCS_VMCS_LINK), ~0ull);
	ck_assert_uint_eq(fake_vmcs(VMCS_EXCEPTION_BITMAP), 1u << 18 | 1u << 1 | 1u << 17);
	ck_assert_uint_eq(fake_vmcs(VMCS_ENTRY_MSR_LOAD_COUNT), 0);
	ck_assert_uint_eq(fake_vmcs(VMCS_EXIT_MSR_LOAD_COUNT), 0);
	ck_assert_uint_eq(fake_vmcs(VMCS_EXIT_MSR_STORE_COUNT), 0);
	ck_assert_uint_eq(fake_vmcs(VMCS_CR3_TARGET_COUNT), 0);
	/* The guest owns nothing of CR4 that is not offered, and never VMXE or MCE. */
	ck_assert_uint_eq(fake_vmcs(VMCS_CR4_MASK), ~vm.caps.cr4 | MHI_CR4_MCE);
	ck_assert_uint_eq(fake_vmcs(VMCS_CR0_MASK) &
				  (MHI_CR0_PE | MHI_CR0_PG | MHI_CR0_CD | MHI_CR0_NE),
			  MHI_CR0_PE | MHI_CR0_PG | MHI_CR0_CD | MHI_CR0_NE);
	ck_assert_uint_eq(fake_vmcs(VMCS_CR0_MASK) & (MHI_CR0_TS | MHI_CR0_WP), 0);
	put();
}
END_TEST

START_TEST(host_state_in_the_vmcs)
{
	make_vcpu(&haswell);
	load();
	ck_assert_uint_eq(fake_vmcs(VMCS_HOST_CR0), HOST_CR0);
	ck_assert_uint_eq(fake_vmcs(VMCS_HOST_CR3), HOST_CR3);
	ck_assert_uint_eq(fake_vmcs(VMCS_HOST_CR4), (HOST_CR4 & haswell.cr4_fixed1) | MHI_CR4_VMXE);
	ck_assert_uint_eq(fake_vmcs(VMCS_HOST_CS_SEL), 0x10);
	ck_assert_uint_eq(fake_vmcs(VMCS_HOST_SS_SEL), 0x18);
	ck_assert_uint_eq(fake_vmcs(VMCS_HOST_DS_SEL), 0);
	ck_assert_uint_eq(fake_vmcs(VMCS_HOST_TR_SEL), FAKE_TR_SEL);
	ck_assert_uint_eq(fake_vmcs(VMCS_HOST_TR_BASE), FAKE_TSS_BASE);
	ck_assert_uint_eq(fake_vmcs(VMCS_HOST_GDTR_BASE), fake_vmx.gdt.base);
	ck_assert_uint_eq(fake_vmcs(VMCS_HOST_IDTR_BASE), fake_vmx.idt.base);
	ck_assert_uint_eq(fake_vmcs(VMCS_HOST_FS_BASE), HOST_FS_BASE);
	ck_assert_uint_eq(fake_vmcs(VMCS_HOST_GS_BASE), HOST_GS_BASE);
	ck_assert_uint_eq(fake_vmcs(VMCS_HOST_EFER), HOST_EFER);
	ck_assert_uint_eq(fake_vmcs(VMCS_HOST_PAT), HOST_PAT);
	ck_assert_uint_eq(fake_vmcs(VMCS_HOST_SYSENTER_CS), 0x10);
	ck_assert_uint_eq(fake_vmcs(VMCS_HOST_RIP), (u64)(uintptr_t)mhi_vmx_exit_point);
	put();
}
END_TEST

START_TEST(reset_state)
{
	make_vcpu(&haswell);
	load();
	enter();
	ck_assert_uint_eq(fake_vmcs(VMCS_GUEST_RIP), 0xfff0);
	ck_assert_uint_eq(fake_vmcs(VMCS_GUEST_RFLAGS), 2);
	ck_assert_uint_eq(fake_vmcs(VMCS_GUEST_CS_SEL), 0xf000);
	ck_assert_uint_eq(fake_vmcs(VMCS_GUEST_CS_BASE), 0xffff0000);
	ck_assert_uint_eq(fake_vmcs(VMCS_GUEST_CS_AR), 0x9b);
	ck_assert_uint_eq(fake_vmcs(VMCS_GUEST_TR_AR), 0x8b);
	/* NE is the CPU's; paging and protection are off by unrestricted guest. */
	ck_assert_uint_eq(fake_vmcs(VMCS_GUEST_CR0), MHI_CR0_NE | MHI_CR0_ET);
	ck_assert_uint_eq(fake_vmcs(VMCS_CR0_SHADOW), MHI_CR0_ET);
	ck_assert_uint_eq(fake_vmcs(VMCS_GUEST_CR4), MHI_CR4_VMXE | MHI_CR4_MCE);
	ck_assert_uint_eq(fake_vmcs(VMCS_CR4_SHADOW), 0);
	ck_assert_uint_eq(fake_vmcs(VMCS_GUEST_EFER), 0);
	ck_assert_uint_eq(fake_vmcs(VMCS_GUEST_PAT), MHI_PAT_RESET);
	ck_assert_uint_eq(fake_vmcs(VMCS_GUEST_DR7), 0x400);
	ck_assert_uint_eq(fake_vmcs(VMCS_GUEST_ACTIVITY), 0);
	ck_assert_uint_eq(fake_vmcs(VMCS_GUEST_INTERRUPTIBILITY), 0);
	ck_assert_uint_eq(fake_vmcs(VMCS_ENTRY_CONTROLS) & ENTRY_IA32E, 0);
	ck_assert_uint_eq(last_exit.reason, MHI_X_HOST);
	put();
}
END_TEST

static bool bit_of(const u8 *page, u32 offset, u32 bit)
{
	return (page[offset + bit / 8] >> (bit & 7)) & 1;
}

START_TEST(msr_bitmap)
{
	static const u32 passed_high[] = { 0x100, 0x101, 0x102 };
	static const u32 passed_low[] = { 0x174, 0x175, 0x176 };
	const u8 *page;
	unsigned int i, passed = 0;

	make_vcpu(&haswell);
	load();
	page = mhi_host_pa_to_va(fake_vmcs(VMCS_MSR_BITMAP));
	for (i = 0; i < 3; i++) {
		ck_assert(!bit_of(page, 0, passed_low[i]) && !bit_of(page, 2048, passed_low[i]));
		ck_assert(!bit_of(page, 1024, passed_high[i]));
		ck_assert(!bit_of(page, 3072, passed_high[i]));
	}
	for (i = 0; i < 8 * MHI_PAGE_SIZE; i++)
		passed += !bit_of(page, 0, i);
	ck_assert_uint_eq(passed, 12);
	put();
}
END_TEST

static u64 canonical(struct rng *r)
{
	return rng_next(r) >> 17;
}

static void random_state(struct rng *r, struct mhk_state *s)
{
	unsigned int i;

	long_mode(s);
	for (i = 0; i < MHK_GPRS; i++)
		s->gpr[i] = rng_next(r);
	s->rip = canonical(r);
	s->rflags = (rng_next(r) & MHI_RFLAGS_VALID & ~MHI_RFLAGS_TF) | MHI_RFLAGS_FIXED;
	for (i = 0; i < MHK_SEGS; i++) {
		s->seg[i].base = canonical(r);
		s->seg[i].limit = (u32)rng_next(r);
		s->seg[i].sel = (u16)rng_next(r);
	}
	s->gdt.base = canonical(r);
	s->gdt.limit = (u16)rng_next(r);
	s->idt.base = canonical(r);
	s->idt.limit = (u16)rng_next(r);
	s->cr0 |= rng_next(r) & (MHI_CR0_TS | MHI_CR0_WP | MHI_CR0_CD | MHI_CR0_AM);
	s->cr2 = canonical(r);
	s->cr3 = canonical(r) & 0x7ffffff000ull;
	s->cr4 |= rng_next(r) & vm.caps.cr4;
	s->efer |= rng_next(r) & (MHI_EFER_SCE | MHI_EFER_NXE);
	for (i = 0; i < 4; i++)
		s->dr[i] = canonical(r);
	s->dr6 = (rng_next(r) & 0xe00f) | 0xffff0ff0;
	s->dr7 = (rng_next(r) & 0xffff23ff) | 0x400;
	s->star = rng_next(r);
	s->lstar = canonical(r);
	s->cstar = canonical(r);
	s->sfmask = (u32)rng_next(r);
	s->kernel_gs_base = canonical(r);
	s->sysenter_cs = (u32)rng_next(r);
	s->sysenter_esp = canonical(r);
	s->sysenter_eip = canonical(r);
	s->tsc_aux = (u32)rng_next(r);
	s->shadow = (u32)rng_below(r, 4);
}

static void assert_same(const struct mhk_state *a, const struct mhk_state *b)
{
	const u64 *x = (const u64 *)a, *y = (const u64 *)b;
	unsigned int i;

	for (i = 0; i < sizeof(*a) / sizeof(u64); i++)
		ck_assert_msg(x[i] == y[i], "offset %zu: %llx is %llx", i * sizeof(u64), y[i],
			      x[i]);
}

/* Set; enter; another section on the other CPU; get: nothing of any group is lost. */
START_TEST(round_trip)
{
	struct rng r = { 0x1234567 + (u64)_i };
	struct mhk_state in, out;

	make_vcpu(_i & 1 ? &lynnfield : &haswell);
	random_state(&r, &in);
	load();
	hv_state_set(&vcpu, GROUPS, &in);
	memset(&out, 0, sizeof(out));
	hv_state_get(&vcpu, GROUPS, &out);
	assert_same(&out, &in);
	enter();
	put();
	vcpu.cpu = &cpu2;
	load();
	enter();
	memset(&out, 0, sizeof(out));
	hv_state_get(&vcpu, GROUPS, &out);
	assert_same(&out, &in);
	put();
}
END_TEST

/* Only what was asked for is touched. */
START_TEST(groups_apart)
{
	struct mhk_state s, before;

	make_vcpu(&haswell);
	load();
	memset(&s, 0xa5, sizeof(s));
	before = s;
	hv_state_get(&vcpu, 0, &s);
	assert_same(&s, &before);
	hv_state_get(&vcpu, MHK_G_RIP, &s);
	ck_assert_uint_eq(s.rip, 0xfff0);
	ck_assert_uint_eq(s.rflags, 2);
	ck_assert_uint_eq(s.cr0, before.cr0);
	ck_assert_uint_eq(s.gpr[0], before.gpr[0]);
	put();
}
END_TEST

START_TEST(long_mode_switch)
{
	struct mhk_state s;

	make_vcpu(&haswell);
	load();
	long_mode(&s);
	hv_state_set(&vcpu, GROUPS, &s);
	ck_assert_uint_eq(fake_vmcs(VMCS_ENTRY_CONTROLS) & ENTRY_IA32E, ENTRY_IA32E);
	/* Paging off leaves long mode, on enters it, by CR0 alone. */
	ops->cr_set(&vcpu, 0, MHI_CR0_PE);
	ck_assert_uint_eq(fake_vmcs(VMCS_ENTRY_CONTROLS) & ENTRY_IA32E, 0);
	ck_assert_uint_eq(ops->msr_get(&vcpu, MHI_MSR_EFER), MHI_EFER_LME);
	ck_assert_uint_eq(fake_vmcs(VMCS_GUEST_EFER), MHI_EFER_LME);
	ck_assert_uint_eq(ops->cr_get(&vcpu, 0), MHI_CR0_PE);
	fake_vmcs_set(VMCS_GUEST_TR_AR, 0x83);
	ops->cr_set(&vcpu, 0, MHI_CR0_PE | MHI_CR0_PG);
	ck_assert_uint_eq(fake_vmcs(VMCS_ENTRY_CONTROLS) & ENTRY_IA32E, ENTRY_IA32E);
	ck_assert_uint_eq(fake_vmcs(VMCS_GUEST_EFER), MHI_EFER_LME | MHI_EFER_LMA);
	ck_assert_uint_eq(fake_vmcs(VMCS_GUEST_TR_AR), 0x8b);
	put();
}
END_TEST

/* The accessed bit that VM entry wants; an unusable segment stays as it was given. */
START_TEST(accessed_bit)
{
	struct mhk_state s;

	make_vcpu(&haswell);
	load();
	long_mode(&s);
	s.seg[MHK_DS].attr = 0xc092;
	s.seg[MHK_GS].attr = 0x92 | MHK_SEG_UNUSABLE;
	s.seg[MHK_LDTR].attr = 0x82;
	hv_state_set(&vcpu, MHK_G_SEG, &s);
	ck_assert_uint_eq(fake_vmcs(VMCS_GUEST_DS_AR), 0xc093);
	ck_assert_uint_eq(fake_vmcs(VMCS_GUEST_GS_AR), 0x92 | MHK_SEG_UNUSABLE);
	ck_assert_uint_eq(fake_vmcs(VMCS_GUEST_LDTR_AR), 0x82);
	put();
}
END_TEST

static void pae_state(struct mhk_state *s)
{
	long_mode(s);
	s->efer = 0;
	s->seg[MHK_CS].attr = 0xc09b;
	s->cr3 = 0x12345020;
}

START_TEST(pae_pdptes)
{
	struct mhk_state s;
	unsigned int i;

	make_vcpu(&haswell);
	load();
	pae_state(&s);
	hv_state_set(&vcpu, GROUPS, &s);
	/* Not in memory yet: no entry, but a wish for the page. */
	guest_read_error = MHI_EAGAIN;
	enter();
	ck_assert_uint_eq(last_exit.reason, MHI_X_FETCH);
	ck_assert_uint_eq(last_exit.fault.gpa, 0x12345020);
	ck_assert_uint_eq(fake_vmx.vmlaunches, 0);
	guest_read_error = 0;
	for (i = 0; i < 4; i++)
		guest_read_pdptes[i] = 0x1001 + 0x1000 * i;
	enter();
	ck_assert_uint_eq(fake_vmx.vmlaunches, 1);
	for (i = 0; i < 4; i++)
		ck_assert_uint_eq(fake_vmcs(VMCS_GUEST_PDPTE0 + 2 * i), 0x1001 + 0x1000 * i);
	/* From then on the CPU keeps them. */
	guest_read_pdptes[0] = 0;
	enter();
	ck_assert_uint_eq(fake_vmcs(VMCS_GUEST_PDPTE0), 0x1001);
	/* No memory at CR3 at all. */
	ops->cr_set(&vcpu, 3, 0x777000);
	guest_read_error = MHI_EFAULT;
	enter();
	ck_assert_uint_eq(fake_vmcs(VMCS_GUEST_PDPTE0), 0);
	put();
}
END_TEST

START_TEST(no_unrestricted_guest)
{
	struct mhk_state s;

	make_vcpu(&lynnfield);
	load();
	enter();
	ck_assert_uint_eq(last_exit.reason, MHI_X_ENTRY_FAILED);
	ck_assert_uint_eq(last_exit.raw, MHI_VMX_NEEDS_UNRESTRICTED);
	ck_assert_uint_eq(fake_vmx.vmlaunches, 0);
	long_mode(&s);
	hv_state_set(&vcpu, GROUPS, &s);
	enter();
	ck_assert_uint_eq(last_exit.reason, MHI_X_HOST);
	ck_assert_uint_eq(fake_vmcs(VMCS_GUEST_CR0) & (MHI_CR0_PE | MHI_CR0_PG),
			  MHI_CR0_PE | MHI_CR0_PG);
	/* A guest that turns paging off there. */
	ops->cr_set(&vcpu, 0, MHI_CR0_PE);
	ck_assert_uint_eq(ops->cr_get(&vcpu, 0), MHI_CR0_PE);
	enter();
	ck_assert_uint_eq(last_exit.raw, MHI_VMX_NEEDS_UNRESTRICTED);
	ck_assert_uint_eq(fake_vmx.vmresumes, 0);
	put();
}
END_TEST

/* VM entry wants STI's blocking only with IF, and a pending trap under either blocking. */
START_TEST(shadows)
{
	struct mhk_state s;

	make_vcpu(&haswell);
	load();
	long_mode(&s);
	s.shadow = MHK_SHADOW_STI | MHK_SHADOW_NMI;
	s.rflags = 2 | MHI_RFLAGS_IF | MHI_RFLAGS_TF;
	hv_state_set(&vcpu, GROUPS, &s);
	ck_assert_uint_eq(fake_vmcs(VMCS_GUEST_INTERRUPTIBILITY), BLOCKED_BY_STI | BLOCKED_BY_NMI);
	ck_assert_uint_eq(fake_vmcs(VMCS_GUEST_PENDING_DEBUG), PENDING_DEBUG_BS);
	s.rflags = 2;
	hv_state_set(&vcpu, MHK_G_RIP | MHK_G_MISC, &s);
	ck_assert_uint_eq(fake_vmcs(VMCS_GUEST_INTERRUPTIBILITY),
			  BLOCKED_BY_MOV_SS | BLOCKED_BY_NMI);
	ck_assert_uint_eq(fake_vmcs(VMCS_GUEST_PENDING_DEBUG), 0);
	/* It is over with the instruction that somebody else executed. */
	hv_state_set(&vcpu, MHK_G_RIP, &s);
	ck_assert_uint_eq(fake_vmcs(VMCS_GUEST_INTERRUPTIBILITY), BLOCKED_BY_NMI);
	put();
}
END_TEST

START_TEST(memory_runs_out)
{
	unsigned int live, i;

	make_vcpu(&haswell);
	mhi_vmx_ops.vcpu_fini(&vcpu);
	live = fake_pages_live();
	for (i = 0; i < 3; i++) {
		fake_pages_fail_after((int)i);
		ck_assert_int_eq(mhi_vmx_ops.vcpu_init(&vcpu), MHI_ENOMEM);
		ck_assert_ptr_null(vcpu.hw);
		mhi_vmx_ops.vcpu_fini(&vcpu);
		ck_assert_uint_eq(fake_pages_live(), live);
	}
	fake_pages_fail_after(-1);
	free_vcpu();
	ck_assert_uint_eq(fake_pages_live(), 0);
}
END_TEST

static void add_tests(TCase *tc)
{
	tcase_add_test(tc, controls_in_the_vmcs);
	tcase_add_test(tc, host_state_in_the_vmcs);
	tcase_add_test(tc, reset_state);
	tcase_add_test(tc, msr_bitmap);
	tcase_add_loop_test(tc, round_trip, 0, 40);
	tcase_add_test(tc, groups_apart);
	tcase_add_test(tc, long_mode_switch);
	tcase_add_test(tc, accessed_bit);
	tcase_add_test(tc, pae_pdptes);
	tcase_add_test(tc, no_unrestricted_guest);
	tcase_add_test(tc, shadows);
	tcase_add_test(tc, memory_runs_out);
}

UNIT_MAIN("vmx_state", add_tests)
