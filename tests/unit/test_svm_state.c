// SPDX-License-Identifier: MIT
/*
 * Tests of svm_setup.c, svm_state.c and svm_section.c: the VMCB after reset, groups in both
 * directions, borders.
 */
#include "fake_svm.h"
#include "arch/x86/reset.h"
#include "rng.h"
#include "unit.h"

#define ALL (MHK_G_ALL & ~MHK_G_FPU)

static struct mhi_exit x;

START_TEST(controls_after_reset)
{
	const struct mhi_vmcb_control *c;

	fake_svm_begin(FAKE_SVM_FULL);
	c = &fake_svm.vmcb->control;
	ck_assert_uint_eq(c->intercept_cr, 0x01100000); /* CR4 and CR8 writes */
	ck_assert_uint_eq(c->intercept_dr, 0xffffffff);
	ck_assert_uint_eq(c->intercept_exceptions, 0x00060002); /* DB AC MC */
	/* INTR NMI SMI INIT RDPMC CPUID RSM INVD HLT INVLPGA IOIO MSR SHUTDOWN */
	ck_assert_uint_eq(c->intercept_misc1, 0x9d4c800f);
	/* VMRUN..SKINIT WBINVD MONITOR MWAIT x2 XSETBV RDPRU */
	ck_assert_uint_eq(c->intercept_misc2, 0x7e7f);
	ck_assert_uint_eq(c->intercept_misc3, 0);
	ck_assert_uint_eq(c->np_enable, 1);
	ck_assert_uint_eq(c->n_cr3, 0x5000);
	ck_assert_uint_eq(c->lbr_virtualization_enable, 0);
	ck_assert_uint_eq(c->virtual_intr, MHI_BIT(24) | MHI_BIT(20) | 0xf0000);
	ck_assert_uint_eq(c->iopm_base_pa & MHI_PAGE_MASK, 0);
	ck_assert_uint_eq(c->msrpm_base_pa & MHI_PAGE_MASK, 0);
	fake_svm_end();
}
END_TEST

static bool msr_intercepted(u32 index, bool write)
{
	const u8 *map = mhi_host_pa_to_va(fake_svm.vmcb->control.msrpm_base_pa);
	u32 range = index >> 16 == 0xc000 ? 1 : index >> 16 == 0xc001 ? 2 : 0;
	u32 bit = (range * 0x2000 + (index & 0x1fff)) * 2 + write;

	return map[bit / 8] >> (bit % 8) & 1;
}

START_TEST(permission_maps)
{
	static const u32 open[] = { 0x174,	0x175,	    0x176,	0xc0000081, 0xc0000082,
				    0xc0000083, 0xc0000084, 0xc0000100, 0xc0000101, 0xc0000102 };
	const u8 *iopm, *msrpm;
	unsigned int zeros = 0;
	size_t i;

	fake_svm_begin(FAKE_SVM_FULL);
	iopm = mhi_host_pa_to_va(fake_svm.vmcb->control.iopm_base_pa);
	for (i = 0; i < 0x3000; i++)
		ck_assert_uint_eq(iopm[i], 0xff);
	for (i = 0; i < MHI_COUNT(open); i++) {
		ck_assert_msg(!msr_intercepted(open[i], false), "%#x read", open[i]);
		ck_assert_msg(!msr_intercepted(open[i], true), "%#x write", open[i]);
	}
	ck_assert(msr_intercepted(MHI_MSR_EFER, false) && msr_intercepted(MHI_MSR_EFER, true));
	msrpm = mhi_host_pa_to_va(fake_svm.vmcb->control.msrpm_base_pa);
	for (i = 0; i < 0x2000; i++)
		zeros += 8 - (unsigned int)__builtin_popcount(msrpm[i]);
	ck_assert_uint_eq(zeros, 2 * MHI_COUNT(open)); /* and nothing else */
	fake_svm_end();
}
END_TEST

START_TEST(reset_state)
{
	struct mhk_state s, reset;

	fake_svm_begin(FAKE_SVM_FULL);
	memset(&s, 0xee, sizeof(s));
	hv_state_get(&fake_svm.v, ALL, &s);
	mhi_reset_state(&reset, true);
	/* What the VMCB is made with is what reset.c says. */
	ck_assert_uint_eq(s.rip, reset.rip);
	ck_assert_uint_eq(s.rflags, reset.rflags);
	ck_assert_uint_eq(s.cr0, reset.cr0);
	ck_assert_uint_eq(s.cr4, reset.cr4);
	ck_assert_uint_eq(s.efer, reset.efer);
	ck_assert_uint_eq(s.dr6, reset.dr6);
	ck_assert_uint_eq(s.dr7, reset.dr7);
	ck_assert_uint_eq(s.pat, reset.pat);
	ck_assert_mem_eq(&s.seg[MHK_CS], &reset.seg[MHK_CS], sizeof(s.seg[0]));
	ck_assert_mem_eq(&s.seg[MHK_TR], &reset.seg[MHK_TR], sizeof(s.seg[0]));
	ck_assert_uint_eq(fake_svm.vmcb->state.tr.attrib, 0x8b);
	ck_assert_uint_eq(fake_svm.vmcb->state.efer, MHI_EFER_SVME);
	fake_svm_end();
}
END_TEST

START_TEST(five_level_host)
{
	const u64 *pml5;

	fake_svm_begin(FAKE_SVM_FULL);
	mhi_svm_ops.put(&fake_svm.v);
	mhi_svm_ops.vcpu_fini(&fake_svm.v);
	fake_cr[4] = MHI_CR4_LA57;
	ck_assert_int_eq(mhi_svm_ops.vcpu_init(&fake_svm.v), 0);
	fake_svm.vmcb = svm_of(&fake_svm.v)->vmcb;
	ck_assert_int_eq(mhi_svm_ops.load(&fake_svm.v, &x), 0);
	pml5 = mhi_host_pa_to_va(fake_svm.vmcb->control.n_cr3);
	ck_assert_uint_eq(pml5[0], 0x5007);
	ck_assert_uint_eq(pml5[1], 0);
	fake_svm_end();
}
END_TEST

START_TEST(out_of_memory)
{
	struct mhi_vcpu v = { .vm = &fake_svm.vm };
	int n;

	fake_svm_begin(FAKE_SVM_FULL);
	fake_svm_end();
	fake_cr[4] = MHI_CR4_LA57;
	for (n = 0; n < 2; n++) {
		fake_pages_fail_after(n);
		ck_assert_int_eq(mhi_svm_ops.vcpu_init(&v), MHI_ENOMEM);
		ck_assert_uint_eq(fake_pages_live(), 0);
		mhi_svm_ops.vcpu_fini(&v);
	}
	fake_pages_fail_after(-1);
}
END_TEST

START_TEST(attributes)
{
	static const struct {
		u32 attr;
		u16 vmcb;
	} rows[] = {
		{ 0xa09b, 0xa9b }, /* 64-bit code */
		{ 0xc093, 0xc93 }, /* flat data */
		{ 0x0093, 0x093 }, /* real mode */
		{ 0x00fb, 0x0fb }, /* DPL 3 */
		{ 0x1093, 0x193 }, /* AVL */
		{ 0x008b, 0x08b }, /* TSS */
		{ 0x0082, 0x082 }, /* LDT */
	};
	size_t i;

	for (i = 0; i < MHI_COUNT(rows); i++) {
		ck_assert_uint_eq(mhi_svm_attr_to_vmcb(rows[i].attr), rows[i].vmcb);
		ck_assert_uint_eq(mhi_svm_attr_from_vmcb(rows[i].vmcb), rows[i].attr);
	}
	ck_assert_uint_eq(mhi_svm_attr_to_vmcb(0x93 | MHK_SEG_UNUSABLE) & MHI_SVM_SEG_P, 0);
	ck_assert(mhi_svm_attr_from_vmcb(0) & MHK_SEG_UNUSABLE);
}
END_TEST

/* Random values wherever any value is legal, a 64-bit guest's where not. */
static void random_state(struct mhk_state *s, struct rng *rng)
{
	u8 *raw = (u8 *)s;
	size_t i;

	for (i = 0; i < sizeof(*s); i++)
		raw[i] = (u8)(rng_next(rng) >> 32);
	s->rflags = 0x40202;
	for (i = 0; i < MHK_SEGS; i++) {
		memset(s->seg[i].pad, 0, sizeof(s->seg[i].pad));
		s->seg[i].attr = 0xc093;
		s->seg[i].limit = 0xffffffff;
	}
	s->seg[MHK_CS].attr = 0xa09b;
	s->seg[MHK_DS].attr = 0x13 | MHK_SEG_UNUSABLE;
	s->seg[MHK_DS].limit = 0;
	s->seg[MHK_LDTR].attr = 0x82;
	s->seg[MHK_TR].attr = 0x8b;
	s->seg[MHK_LDTR].limit = s->seg[MHK_TR].limit = 0xffff;
	s->seg[MHK_SS].attr = 0xc0f3; /* CPL 3 */
	memset(s->gdt.pad, 0, sizeof(s->gdt.pad));
	memset(s->idt.pad, 0, sizeof(s->idt.pad));
	s->cr0 = 0x80050033;
	s->cr4 = MHI_CR4_PAE;
	s->efer = MHI_EFER_LME | MHI_EFER_LMA | MHI_EFER_SCE;
	s->dr6 = 0xffff4ff1;
	s->dr7 = 0x401;
	s->shadow = MHK_SHADOW_STI | MHK_SHADOW_NMI;
}

START_TEST(round_trip)
{
	struct mhk_state in, out, part;
	struct rng rng = { .s = 1 };
	u32 g;
	int n;

	fake_svm_begin(FAKE_SVM_FULL);
	for (n = 0; n < 100; n++) {
		memset(&in, 0, sizeof(in));
		random_state(&in, &rng);
		hv_state_set(&fake_svm.v, ALL, &in);
		memset(&out, 0, sizeof(out));
		hv_state_get(&fake_svm.v, ALL, &out);
		/* These three are state.c's. */
		out.cr8 = in.cr8;
		out.xcr0 = in.xcr0;
		out.mp_state = in.mp_state;
		ck_assert_mem_eq(&in, &out, sizeof(in));
	}
	ck_assert_uint_eq(mhi_svm_ops.cpl(&fake_svm.v), 3);
	/* Each group alone touches nothing else. */
	for (g = 1; g <= MHK_G_MISC; g <<= 1) {
		memset(&part, 0x5a, sizeof(part));
		hv_state_get(&fake_svm.v, g, &part);
		ck_assert((part.gpr[0] != 0x5a5a5a5a5a5a5a5aull) == (g == MHK_G_GPR));
		ck_assert((part.rflags != 0x5a5a5a5a5a5a5a5aull) == (g == MHK_G_RIP));
		ck_assert((part.idt.base != 0x5a5a5a5a5a5a5a5aull) == (g == MHK_G_SEG));
		ck_assert((part.cr3 != 0x5a5a5a5a5a5a5a5aull) == (g == MHK_G_CR));
		ck_assert((part.dr7 != 0x5a5a5a5a5a5a5a5aull) == (g == MHK_G_DR));
		ck_assert((part.pat != 0x5a5a5a5a5a5a5a5aull) == (g == MHK_G_MSR));
		ck_assert((part.shadow != 0x5a5a5a5a) == (g == MHK_G_MISC));
	}
	fake_svm_end();
}
END_TEST

START_TEST(what_the_cpu_does_not_keep)
{
	struct mhi_vmcb_state *st;
	struct mhk_state s;

	fake_svm_begin(FAKE_SVM_FULL);
	st = &fake_svm.vmcb->state;
	st->cs.limit = 0xffffffff;
	st->cs.attrib = 0x29b; /* CPUs may drop G of CS */
	st->cpl = 3;
	st->ss.attrib = 0x93; /* SYSRET leaves SS.DPL alone */
	st->ds.attrib = 0x92;
	st->tr.attrib = 0x89;
	hv_state_get(&fake_svm.v, MHK_G_SEG, &s);
	ck_assert_uint_eq(s.seg[MHK_CS].attr, 0xa09b);
	ck_assert_uint_eq(s.seg[MHK_SS].attr, 0xf3);
	ck_assert_uint_eq(s.seg[MHK_DS].attr, 0x93);
	ck_assert_uint_eq(s.seg[MHK_TR].attr, 0x8b);
	fake_svm_end();
}
END_TEST

START_TEST(sixteen_bit_tss)
{
	struct mhk_state s;

	fake_svm_begin(FAKE_SVM_FULL);
	hv_state_get(&fake_svm.v, ALL, &s);
	s.seg[MHK_TR].attr = 0x83;
	hv_state_set(&fake_svm.v, MHK_G_SEG, &s); /* real mode */
	ck_assert_uint_eq(fake_svm.vmcb->state.tr.attrib, 0x8b);
	/* A 16-bit system's own TSS stays what it is. */
	s.cr0 = MHI_CR0_PE | MHI_CR0_ET;
	hv_state_set(&fake_svm.v, MHK_G_SEG | MHK_G_CR, &s);
	ck_assert_uint_eq(fake_svm.vmcb->state.tr.attrib, 0x83);
	s.efer = MHI_EFER_LMA | MHI_EFER_LME;
	hv_state_set(&fake_svm.v, MHK_G_CR, &s);
	ck_assert_uint_eq(fake_svm.vmcb->state.tr.attrib, 0x8b);
	fake_svm_end();
}
END_TEST

START_TEST(efer_hides_svme)
{
	fake_svm_begin(FAKE_SVM_FULL);
	mhi_svm_ops.msr_set(&fake_svm.v, MHI_MSR_EFER, MHI_EFER_NXE);
	ck_assert_uint_eq(fake_svm.vmcb->state.efer, MHI_EFER_NXE | MHI_EFER_SVME);
	ck_assert_uint_eq(mhi_svm_ops.msr_get(&fake_svm.v, MHI_MSR_EFER), MHI_EFER_NXE);
	fake_svm_end();
}
END_TEST

START_TEST(msrs)
{
	static const u32 all[] = { 0xc0000081, 0xc0000082, 0xc0000083, 0xc0000084,
				   0xc0000100, 0xc0000101, 0xc0000102, 0x174,
				   0x175,      0x176,	   0x277,      0xc0000103 };
	const struct mhi_vmcb_state *st;
	size_t i;

	fake_svm_begin(FAKE_SVM_FULL);
	st = &fake_svm.vmcb->state;
	for (i = 0; i < MHI_COUNT(all); i++)
		mhi_svm_ops.msr_set(&fake_svm.v, all[i], 0x1000 + i);
	for (i = 0; i < MHI_COUNT(all); i++)
		ck_assert_uint_eq(mhi_svm_ops.msr_get(&fake_svm.v, all[i]), 0x1000 + i);
	ck_assert_uint_eq(st->star, 0x1000);
	ck_assert_uint_eq(st->fs.base, 0x1004);
	ck_assert_uint_eq(st->gs.base, 0x1005);
	ck_assert_uint_eq(st->sysenter_eip, 0x1009);
	ck_assert_uint_eq(st->g_pat, 0x100a);
	ck_assert_uint_eq(fake_msr(MHI_MSR_TSC_AUX), 0x100b); /* within a section: at once */
	fake_svm_end();
	ck_assert_uint_eq(fake_msr(MHI_MSR_TSC_AUX), 7);
}
END_TEST

START_TEST(tsc)
{
	fake_svm_begin(FAKE_SVM_FULL);
	mhi_svm_ops.put(&fake_svm.v);
	fake_svm.vm.tsc_offset = 0x123456789abcdefull;
	ck_assert_int_eq(mhi_svm_ops.load(&fake_svm.v, &x), 0);
	ck_assert_uint_eq(fake_svm.vmcb->control.tsc_offset, 0x123456789abcdefull);
	fake_svm_end();
}
END_TEST

/* The CPU's ratio follows who runs, and is written only when that changes it. */
START_TEST(tsc_ratio)
{
	const u64 ratio = 5ull << 30;
	u64 writes;

	fake_svm_begin(FAKE_SVM_FULL);
	fake_svm.cpu.tsc_ratio = MHI_TSC_RATIO_ONE;
	writes = fake_msr_writes(MHI_MSR_TSC_RATIO);
	mhi_svm_ops.put(&fake_svm.v);
	ck_assert_int_eq(mhi_svm_ops.load(&fake_svm.v, &x), 0);
	mhi_svm_ops.put(&fake_svm.v);
	ck_assert_uint_eq(fake_msr_writes(MHI_MSR_TSC_RATIO), writes);
	fake_svm.vm.tsc_ratio = ratio;
	ck_assert_int_eq(mhi_svm_ops.load(&fake_svm.v, &x), 0);
	ck_assert_uint_eq(fake_msr(MHI_MSR_TSC_RATIO), ratio);
	mhi_svm_ops.put(&fake_svm.v);
	ck_assert_int_eq(mhi_svm_ops.load(&fake_svm.v, &x), 0);
	mhi_svm_ops.put(&fake_svm.v);
	ck_assert_uint_eq(fake_msr_writes(MHI_MSR_TSC_RATIO), writes + 1);
	fake_svm.vm.tsc_ratio = 0;
	ck_assert_int_eq(mhi_svm_ops.load(&fake_svm.v, &x), 0);
	ck_assert_uint_eq(fake_msr(MHI_MSR_TSC_RATIO), MHI_TSC_RATIO_ONE);
	ck_assert_uint_eq(fake_msr_writes(MHI_MSR_TSC_RATIO), writes + 2);
	fake_svm_end();
}
END_TEST

/* Bochs's VMRUN does not load CR2: the host's would become the guest's. */
START_TEST(cr2_is_loaded_by_hand)
{
	struct mhk_state s;

	fake_svm_begin(FAKE_SVM_FULL);
	hv_state_get(&fake_svm.v, MHK_G_CR, &s);
	s.cr2 = 0x1234;
	hv_state_set(&fake_svm.v, MHK_G_CR, &s);
	ck_assert_uint_eq(fake_cr[2], 0x1234);
	mhi_svm_ops.put(&fake_svm.v);
	fake_cr[2] = 0x7f0000000000; /* a page fault of the host */
	mhi_svm_ops.load(&fake_svm.v, &x);
	ck_assert_uint_eq(fake_cr[2], 0x1234);
	fake_svm_end();
}
END_TEST

START_TEST(equal_tsc_aux_costs_nothing)
{
	unsigned int writes;

	fake_svm_begin(FAKE_SVM_FULL);
	mhi_svm_ops.msr_set(&fake_svm.v, MHI_MSR_TSC_AUX, 7);
	mhi_svm_ops.put(&fake_svm.v);
	writes = fake_msr_writes(MHI_MSR_TSC_AUX);
	ck_assert_int_eq(mhi_svm_ops.load(&fake_svm.v, &x), 0);
	mhi_svm_ops.put(&fake_svm.v);
	ck_assert_uint_eq(fake_msr_writes(MHI_MSR_TSC_AUX), writes);
	ck_assert_int_eq(mhi_svm_ops.load(&fake_svm.v, &x), 0);
	fake_svm_end();
}
END_TEST

START_TEST(supervisor_xsave_state_is_the_hosts)
{
	static const u32 xsaves[4] = { 1u << 3, 0, 0, 0 };

	fake_svm_begin(FAKE_SVM_FULL);
	mhi_svm_ops.put(&fake_svm.v);
	mhi_svm_ops.vcpu_fini(&fake_svm.v);
	fake_cpuid_set(0xd, 1, xsaves);
	fake_msr_set(MHI_MSR_XSS, 0x1800);
	ck_assert_int_eq(mhi_svm_ops.vcpu_init(&fake_svm.v), 0);
	fake_svm.vmcb = svm_of(&fake_svm.v)->vmcb;
	ck_assert_int_eq(mhi_svm_ops.load(&fake_svm.v, &x), 0);
	ck_assert_uint_eq(fake_msr(MHI_MSR_XSS), 0);
	fake_svm_end();
	ck_assert_uint_eq(fake_msr(MHI_MSR_XSS), 0x1800);
}
END_TEST

static void set_host_drs(u64 dr7)
{
	unsigned int i;

	for (i = 0; i < 4; i++)
		fake_dr[i] = 0xff00 + i;
	fake_dr[7] = dr7;
}

static void check_host_drs(u64 dr7)
{
	unsigned int i;

	for (i = 0; i < 4; i++)
		ck_assert_uint_eq(fake_dr[i], 0xff00 + i);
	ck_assert_uint_eq(fake_dr[6], MHI_DR6_RESET);
	ck_assert_uint_eq(fake_dr[7], dr7);
}

START_TEST(debug_registers_on_first_touch)
{
	unsigned int i;

	fake_svm_begin(FAKE_SVM_FULL);
	mhi_svm_ops.put(&fake_svm.v);
	set_host_drs(0x401);
	for (i = 0; i < 4; i++)
		fake_svm.v.dr[i] = 0x100 + i;
	mhi_svm_ops.load(&fake_svm.v, &x);
	fake_svm_exit(0x30, 0, 0, &x); /* MOV to DR0 */
	ck_assert_int_eq(x.reason, MHI_X_DR);
	ck_assert_uint_eq(fake_dr[0], 0xff00); /* nothing was switched for nothing */
	mhi_dr_live(&fake_svm.v);
	ck_assert_uint_eq(fake_svm.vmcb->control.intercept_dr, 0);
	ck_assert_uint_eq(fake_dr[3], 0x103);
	fake_svm_exit(0x60, 0, 0, &x);
	ck_assert(!(fake_svm.at_entry.control.vmcb_clean & MHI_SVM_CLEAN_I));
	fake_dr[0] = 0xabc; /* the guest wrote it */
	mhi_svm_ops.put(&fake_svm.v);
	ck_assert_uint_eq(fake_svm.v.dr[0], 0xabc);
	ck_assert_uint_eq(fake_svm.vmcb->control.intercept_dr, 0xffffffff);
	check_host_drs(0x401);
	mhi_svm_ops.load(&fake_svm.v, &x);
	fake_svm_end();
}
END_TEST

START_TEST(guest_breakpoints_are_live_from_the_start)
{
	struct mhk_state s;

	fake_svm_begin(FAKE_SVM_FULL);
	hv_state_get(&fake_svm.v, MHK_G_DR, &s);
	s.dr[0] = 0x1234;
	s.dr7 = 0x402;
	s.dr6 = MHI_DR6_RESET | 1;
	hv_state_set(&fake_svm.v, MHK_G_DR, &s);
	ck_assert_uint_eq(fake_dr[0], 0x1234); /* by state_set already */
	mhi_svm_ops.put(&fake_svm.v);
	set_host_drs(MHI_DR7_RESET);
	mhi_svm_ops.load(&fake_svm.v, &x);
	ck_assert_uint_eq(fake_dr[0], 0x1234);
	fake_svm_exit(0x60, 0, 0, &x);
	ck_assert_uint_eq(fake_svm.at_entry.state.dr7, 0x402);
	hv_state_get(&fake_svm.v, MHK_G_DR, &s);
	ck_assert_uint_eq(s.dr[0], 0x1234);
	ck_assert_uint_eq(s.dr6, MHI_DR6_RESET | 1);
	mhi_svm_ops.put(&fake_svm.v);
	/* The guest's DR6 must not look like a breakpoint of the host's. */
	ck_assert_uint_eq(fake_dr[6], MHI_DR6_RESET);
	ck_assert_uint_eq(fake_dr[7], MHI_DR7_RESET);
	mhi_svm_ops.load(&fake_svm.v, &x);
	fake_svm_end();
}
END_TEST

START_TEST(host_breakpoints_survive_a_guest_without)
{
	fake_svm_begin(FAKE_SVM_FULL);
	mhi_svm_ops.put(&fake_svm.v);
	set_host_drs(0x455);
	mhi_svm_ops.load(&fake_svm.v, &x);
	fake_svm_exit(0x60, 0, 0, &x);
	mhi_svm_ops.put(&fake_svm.v);
	check_host_drs(0x455);
	mhi_svm_ops.load(&fake_svm.v, &x);
	fake_svm_end();
}
END_TEST

static void change_rax(struct fake_svm *f, struct mhi_vmcb *vmcb, u64 *gpr)
{
	vmcb->state.rax++;
	gpr[MHK_R15]++;
	vmcb->state.rip += 5;
	vmcb->control.exit_code = 0x60;
}

START_TEST(registers_of_an_entry)
{
	struct mhi_vcpu *v = &fake_svm.v;

	fake_svm_begin(FAKE_SVM_FULL);
	fake_svm.guest = change_rax;
	v->gpr[MHK_RAX] = 0x1111;
	v->gpr[MHK_R15] = 0x2222;
	v->rip = 0x8000;
	v->rip_dirty = true;
	mhi_svm_ops.enter(v, &x);
	ck_assert_uint_eq(fake_svm.at_entry.state.rax, 0x1111);
	ck_assert_uint_eq(fake_svm.at_entry.state.rip, 0x8000);
	ck_assert_uint_eq(v->gpr[MHK_RAX], 0x1112);
	ck_assert_uint_eq(v->gpr[MHK_R15], 0x2223);
	ck_assert_uint_eq(v->rip, 0x8005);
	ck_assert(!v->rip_dirty);
	fake_svm_end();
}
END_TEST

START_TEST(clean_bits)
{
	struct mhi_vcpu *v = &fake_svm.v;
	struct mhk_state s;

	fake_svm_begin(FAKE_SVM_FULL);
	fake_svm_exit(0x60, 0, 0, &x);
	ck_assert_uint_eq(fake_svm.at_entry.control.vmcb_clean, 0); /* first entry on this CPU */
	fake_svm_exit(0x60, 0, 0, &x);
	ck_assert_uint_eq(fake_svm.at_entry.control.vmcb_clean, MHI_SVM_CLEAN_ALL);
	mhi_svm_ops.cr_set(v, 4, MHI_CR4_PAE);
	fake_svm_exit(0x60, 0, 0, &x);
	ck_assert_uint_eq(fake_svm.at_entry.control.vmcb_clean,
			  MHI_SVM_CLEAN_ALL & ~MHI_SVM_CLEAN_CRX);
	mhi_svm_ops.msr_set(v, MHI_MSR_PAT, 1);
	fake_svm_exit(0x60, 0, 0, &x);
	ck_assert(!(fake_svm.at_entry.control.vmcb_clean & MHI_SVM_CLEAN_NP));
	hv_state_get(v, ALL, &s);
	hv_state_set(v, ALL, &s);
	fake_svm_exit(0x60, 0, 0, &x);
	ck_assert_uint_eq(fake_svm.at_entry.control.vmcb_clean &
				  (MHI_SVM_CLEAN_CRX | MHI_SVM_CLEAN_DRX | MHI_SVM_CLEAN_DT |
				   MHI_SVM_CLEAN_SEG | MHI_SVM_CLEAN_CR2 | MHI_SVM_CLEAN_NP),
			  0);
	fake_svm_end();

	fake_svm_begin(FAKE_SVM_QEMU); /* the CPU knows no clean bits: never set one */
	fake_svm_exit(0x60, 0, 0, &x);
	fake_svm_exit(0x60, 0, 0, &x);
	ck_assert_uint_eq(fake_svm.at_entry.control.vmcb_clean, 0);
	fake_svm_end();
}
END_TEST

/* Of 64-bit code the segments that count, of other code all. */
START_TEST(code_group)
{
	struct mhk_state part;
	unsigned int i, same;

	fake_svm_begin(FAKE_SVM_FULL);
	fake_svm.vmcb->state.cs.attrib |= MHI_SVM_SEG_L;
	fake_svm.vmcb->state.efer = MHI_EFER_SVME | (_i ? MHI_EFER_LMA : 0);
	memset(&part, 0x5a, sizeof(part));
	mhi_svm_ops.state_get(&fake_svm.v, MHK_G_CODE, &part);
	for (i = same = 0; i < MHK_SEGS; i++)
		same |= (unsigned int)(part.seg[i].base == 0x5a5a5a5a5a5a5a5aull) << i;
	ck_assert_uint_eq(same, _i ? 0xffu & ~MHI_CODE64_SEGS : 0);
	ck_assert((part.idt.base == 0x5a5a5a5a5a5a5a5aull) == _i);
	fake_svm_end();
}
END_TEST

static void add_tests(TCase *tc)
{
	tcase_add_loop_test(tc, code_group, 0, 2);
	tcase_add_test(tc, controls_after_reset);
	tcase_add_test(tc, permission_maps);
	tcase_add_test(tc, reset_state);
	tcase_add_test(tc, five_level_host);
	tcase_add_test(tc, out_of_memory);
	tcase_add_test(tc, attributes);
	tcase_add_test(tc, round_trip);
	tcase_add_test(tc, what_the_cpu_does_not_keep);
	tcase_add_test(tc, sixteen_bit_tss);
	tcase_add_test(tc, efer_hides_svme);
	tcase_add_test(tc, msrs);
	tcase_add_test(tc, tsc);
	tcase_add_test(tc, tsc_ratio);
	tcase_add_test(tc, cr2_is_loaded_by_hand);
	tcase_add_test(tc, equal_tsc_aux_costs_nothing);
	tcase_add_test(tc, supervisor_xsave_state_is_the_hosts);
	tcase_add_test(tc, debug_registers_on_first_touch);
	tcase_add_test(tc, guest_breakpoints_are_live_from_the_start);
	tcase_add_test(tc, host_breakpoints_survive_a_guest_without);
	tcase_add_test(tc, registers_of_an_entry);
	tcase_add_test(tc, clean_bits);
}

UNIT_MAIN("svm_state", add_tests)
