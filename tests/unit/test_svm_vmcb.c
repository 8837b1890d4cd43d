// SPDX-License-Identifier: MIT
/* The layout of the VMCB, written from the tables of APM 2 appendix B "VMCB Layout". */
#include "unit.h"
#include "arch/x86/svm/vmcb.h"

struct field {
	const char *name;
	size_t offset, size, expected;
};

/* Table B-1 "VMCB Layout, Control Area", without gaps. */
static const struct field control[] = {
#define AT(field, at)                                                     \
	{                                                                 \
#field, offsetof(struct mhi_vmcb_control, field),         \
			sizeof(((struct mhi_vmcb_control *)0)->field), at \
	}
	AT(intercept_cr, 0x000),
	AT(intercept_dr, 0x004),
	AT(intercept_exceptions, 0x008),
	AT(intercept_misc1, 0x00c),
	AT(intercept_misc2, 0x010),
	AT(intercept_misc3, 0x014),
	AT(reserved_018, 0x018),
	AT(iopm_base_pa, 0x040),
	AT(msrpm_base_pa, 0x048),
	AT(tsc_offset, 0x050),
	AT(guest_asid, 0x058),
	AT(tlb_control, 0x05c),
	AT(reserved_05d, 0x05d),
	AT(virtual_intr, 0x060),
	AT(interrupt_shadow, 0x068),
	AT(exit_code, 0x070),
	AT(exit_info1, 0x078),
	AT(exit_info2, 0x080),
	AT(exit_int_info, 0x088),
	AT(np_enable, 0x090),
	AT(reserved_098, 0x098),
	AT(event_inject, 0x0a8),
	AT(n_cr3, 0x0b0),
	AT(lbr_virtualization_enable, 0x0b8),
	AT(vmcb_clean, 0x0c0),
	AT(reserved_0c4, 0x0c4),
	AT(next_rip, 0x0c8),
	AT(bytes_fetched, 0x0d0),
	AT(guest_instruction_bytes, 0x0d1),
	AT(reserved_0e0, 0x0e0),
#undef AT
};

/* Table B-2 "VMCB Layout, State Save Area", without gaps. */
static const struct field state[] = {
#define AT(field, at)                                                   \
	{                                                               \
#field, offsetof(struct mhi_vmcb_state, field),         \
			sizeof(((struct mhi_vmcb_state *)0)->field), at \
	}
	AT(es, 0x000),
	AT(cs, 0x010),
	AT(ss, 0x020),
	AT(ds, 0x030),
	AT(fs, 0x040),
	AT(gs, 0x050),
	AT(gdtr, 0x060),
	AT(ldtr, 0x070),
	AT(idtr, 0x080),
	AT(tr, 0x090),
	AT(reserved_0a0, 0x0a0),
	AT(cpl, 0x0cb),
	AT(reserved_0cc, 0x0cc),
	AT(efer, 0x0d0),
	AT(reserved_0d8, 0x0d8),
	AT(cr4, 0x148),
	AT(cr3, 0x150),
	AT(cr0, 0x158),
	AT(dr7, 0x160),
	AT(dr6, 0x168),
	AT(rflags, 0x170),
	AT(rip, 0x178),
	AT(reserved_180, 0x180),
	AT(rsp, 0x1d8),
	AT(reserved_1e0, 0x1e0),
	AT(rax, 0x1f8),
	AT(star, 0x200),
	AT(lstar, 0x208),
	AT(cstar, 0x210),
	AT(sfmask, 0x218),
	AT(kernel_gs_base, 0x220),
	AT(sysenter_cs, 0x228),
	AT(sysenter_esp, 0x230),
	AT(sysenter_eip, 0x238),
	AT(cr2, 0x240),
	AT(reserved_248, 0x248),
	AT(g_pat, 0x268),
	AT(reserved_270, 0x270),
#undef AT
};

/* The fields that the shim leaves 0. */
static const struct field rest_control[] = {
#define X(area, name, offset, bytes) X_##area(name, offset, bytes)
#define X_control(name, offset, bytes) { #name, offset, bytes, offset },
#define X_state(name, offset, bytes)
#include "arch/x86/svm/vmcb_fields_rest.def"
#undef X_control
#undef X_state
};

static const struct field rest_state[] = {
#define X_control(name, offset, bytes)
#define X_state(name, offset, bytes) { #name, offset, bytes, offset },
#include "arch/x86/svm/vmcb_fields_rest.def"
#undef X_control
#undef X_state
#undef X
};

/* Each lies in a reserved piece of the structure, behind the one before. */
static void check_rest(const struct field *rest, size_t count, const struct field *fields,
		       size_t fields_count)
{
	size_t next = 0;
	size_t i, n = 0;

	for (i = 0; i < count; i++) {
		const struct field *f = &rest[i];

		ck_assert_msg(f->offset >= next, "%s overlaps", f->name);
		next = f->offset + f->size;
		while (n < fields_count && fields[n].offset + fields[n].size <= f->offset)
			n++;
		ck_assert_msg(n < fields_count && fields[n].offset <= f->offset &&
				      next <= fields[n].offset + fields[n].size &&
				      !strncmp(fields[n].name, "reserved_", 9),
			      "%s is not in a reserved piece", f->name);
	}
}

static void check(const struct field *fields, size_t count, size_t end)
{
	size_t next = 0;
	size_t i;

	for (i = 0; i < count; i++) {
		ck_assert_msg(fields[i].offset == fields[i].expected, "%s at %#zx", fields[i].name,
			      fields[i].offset);
		ck_assert_msg(fields[i].offset == next, "a field before %s", fields[i].name);
		next = fields[i].offset + fields[i].size;
	}
	ck_assert_uint_eq(next, end);
}

START_TEST(control_area)
{
	check(control, MHI_COUNT(control), 0x400);
	check_rest(rest_control, MHI_COUNT(rest_control), control, MHI_COUNT(control));
}
END_TEST

START_TEST(state_save_area)
{
	check(state, MHI_COUNT(state), 0xc00);
	check_rest(rest_state, MHI_COUNT(rest_state), state, MHI_COUNT(state));
}
END_TEST

START_TEST(whole)
{
	ck_assert_uint_eq(offsetof(struct mhi_vmcb, control), 0);
	ck_assert_uint_eq(offsetof(struct mhi_vmcb, state), 0x400);
	ck_assert_uint_eq(sizeof(struct mhi_vmcb), 4096);
	ck_assert_uint_eq(sizeof(struct mhi_vmcb_seg), 16);
	ck_assert_uint_eq(offsetof(struct mhi_vmcb_seg, attrib), 2);
	ck_assert_uint_eq(offsetof(struct mhi_vmcb_seg, limit), 4);
	ck_assert_uint_eq(offsetof(struct mhi_vmcb_seg, base), 8);
}
END_TEST

static void add_tests(TCase *tc)
{
	tcase_add_test(tc, control_area);
	tcase_add_test(tc, state_save_area);
	tcase_add_test(tc, whole);
}

UNIT_MAIN("svm_vmcb", add_tests)
