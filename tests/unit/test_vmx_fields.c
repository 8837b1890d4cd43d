// SPDX-License-Identifier: MIT
/*
 * The two tables of VMCS fields against the rules of SDM 3C 24.11.2 and the sizes of appendix B's
 * tables.
 */
#include "unit.h"
#include "fake_vmx.h"

enum group { GUEST, HOST, EXEC, EXIT, ENTRY, INFO };
#define NAT 0

struct field {
	const char *name;
	u32 encoding;
	unsigned int width;
	enum group group;
};

static const struct field fields[] = {
#define X(width, group, name, encoding) { #name, encoding, width, group },
#include "arch/x86/vmx/vmcs_fields.def"
#include "arch/x86/vmx/vmcs_fields_rest.def"
#undef X
};

/* Bits 11:10 of the encoding. */
static unsigned int type_of(enum group g)
{
	switch (g) {
	case INFO:
		return 1;
	case GUEST:
		return 2;
	case HOST:
		return 3;
	case EXEC:
	case EXIT:
	case ENTRY:
	default:
		return 0;
	}
}

static unsigned int width_bits(unsigned int width)
{
	switch (width) {
	case 16:
		return 0;
	case 64:
		return 1;
	case 32:
		return 2;
	default:
		return 3;
	}
}

START_TEST(encodings)
{
	const struct field *f = &fields[_i];

	ck_assert_msg((f->encoding & 1) == 0, "%s: high access", f->name);
	ck_assert_msg((f->encoding & ~0x6fffu) == 0, "%s: reserved bits", f->name);
	ck_assert_msg(((f->encoding >> 10) & 3) == type_of(f->group), "%s: type", f->name);
	ck_assert_msg(((f->encoding >> 13) & 3) == width_bits(f->width), "%s: width", f->name);
}
END_TEST

START_TEST(names_tell_the_group)
{
	const struct field *f = &fields[_i];

	if (!strncmp(f->name, "HOST_", 5))
		ck_assert_msg(f->group == HOST, "%s", f->name);
	if (!strncmp(f->name, "ENTRY_", 6))
		ck_assert_msg(f->group == ENTRY, "%s", f->name);
	if (f->group == HOST)
		ck_assert_msg(!strncmp(f->name, "HOST_", 5), "%s", f->name);
}
END_TEST

/* Each table ascends, so there is one descent where the second begins; they share nothing. */
START_TEST(ascending_without_repetition)
{
	unsigned int i, j, descents = 0;

	for (i = 1; i < MHI_COUNT(fields); i++) {
		if (fields[i - 1].encoding > fields[i].encoding)
			descents++;
		for (j = 0; j < i; j++)
			ck_assert_msg(fields[j].encoding != fields[i].encoding, "%s",
				      fields[i].name);
	}
	ck_assert_uint_eq(descents, 1);
}
END_TEST

static unsigned int count(unsigned int width, unsigned int type)
{
	unsigned int i, n = 0;

	for (i = 0; i < MHI_COUNT(fields); i++)
		if (fields[i].width == width && type_of(fields[i].group) == type)
			n++;
	return n;
}

/* Control, read-only, guest, host; tables B-1 to B-15. */
START_TEST(every_table_is_complete)
{
	static const unsigned int expected[4][5] = {
		{ 16, 5, 0, 11, 7 },
		{ 64, 38, 3, 21, 12 },
		{ 32, 19, 8, 23, 1 },
		{ NAT, 8, 6, 23, 15 },
	};
	unsigned int i, type;

	for (i = 0; i < 4; i++)
		for (type = 0; type < 4; type++)
			ck_assert_msg(count(expected[i][0], type) == expected[i][1 + type],
				      "width %u type %u: %u", expected[i][0], type,
				      count(expected[i][0], type));
}
END_TEST

/* One of each table, from appendix B, and the ends of the long runs. */
START_TEST(known_encodings)
{
	ck_assert_uint_eq(VMCS_VPID, 0x0000);
	ck_assert_uint_eq(VMCS_GUEST_TR_SEL, 0x080e);
	ck_assert_uint_eq(VMCS_HOST_TR_SEL, 0x0c0c);
	ck_assert_uint_eq(VMCS_MSR_BITMAP, 0x2004);
	ck_assert_uint_eq(VMCS_TSC_OFFSET, 0x2010);
	ck_assert_uint_eq(VMCS_EPT_POINTER, 0x201a);
	ck_assert_uint_eq(VMCS_ENCLS_EXIT_BITMAP, 0x202e);
	ck_assert_uint_eq(VMCS_TSC_MULTIPLIER, 0x2032);
	ck_assert_uint_eq(VMCS_PID_POINTER_TABLE, 0x2042);
	ck_assert_uint_eq(VMCS_GUEST_PHYSICAL_ADDR, 0x2400);
	ck_assert_uint_eq(VMCS_VMCS_LINK, 0x2800);
	ck_assert_uint_eq(VMCS_GUEST_EFER, 0x2806);
	ck_assert_uint_eq(VMCS_GUEST_PDPTE3, 0x2810);
	ck_assert_uint_eq(VMCS_HOST_EFER, 0x2c02);
	ck_assert_uint_eq(VMCS_PROC_CONTROLS2, 0x401e);
	ck_assert_uint_eq(VMCS_ENTRY_INTR_INFO, 0x4016);
	ck_assert_uint_eq(VMCS_INSN_ERROR, 0x4400);
	ck_assert_uint_eq(VMCS_EXIT_INSN_LEN, 0x440c);
	ck_assert_uint_eq(VMCS_GUEST_TR_AR, 0x4822);
	ck_assert_uint_eq(VMCS_GUEST_INTERRUPTIBILITY, 0x4824);
	ck_assert_uint_eq(VMCS_PREEMPTION_TIMER, 0x482e);
	ck_assert_uint_eq(VMCS_HOST_SYSENTER_CS, 0x4c00);
	ck_assert_uint_eq(VMCS_CR4_SHADOW, 0x6006);
	ck_assert_uint_eq(VMCS_EXIT_QUALIFICATION, 0x6400);
	ck_assert_uint_eq(VMCS_GUEST_RIP, 0x681e);
	ck_assert_uint_eq(VMCS_HOST_RSP, 0x6c14);
	ck_assert_uint_eq(VMCS_HOST_RIP, 0x6c16);
	ck_assert_uint_eq(VMCS_SEG(BASE, 7), VMCS_GUEST_TR_BASE);
	ck_assert_uint_eq(VMCS_SEG(SEL, 1), VMCS_GUEST_CS_SEL);
}
END_TEST

static void add_tests(TCase *tc)
{
	tcase_add_loop_test(tc, encodings, 0, MHI_COUNT(fields));
	tcase_add_loop_test(tc, names_tell_the_group, 0, MHI_COUNT(fields));
	tcase_add_test(tc, ascending_without_repetition);
	tcase_add_test(tc, every_table_is_complete);
	tcase_add_test(tc, known_encodings);
}

UNIT_MAIN("vmx_fields", add_tests)
