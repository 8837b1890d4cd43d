// SPDX-License-Identifier: MIT
/* Memory slots: what may be registered, what is found, and which leaf sizes fit. */
#include "unit.h"
#include "base/err.h"
#include "mm/slots.h"

#define PAGE MHI_PAGE_SIZE
#define MIB (1024 * 1024ull)
#define GIB (1024 * MIB)
#define LIMIT (1ull << 40)

static struct mhi_slots slots;

static int set(unsigned int n, u64 gpa, u64 bytes, u64 hva)
{
	struct mhi_slot slot = { .gpa = gpa, .bytes = bytes, .hva = hva };

	return mhi_slots_set(&slots, n, &slot, LIMIT);
}

START_TEST(rules)
{
	memset(&slots, 0, sizeof(slots));
	ck_assert_int_eq(set(MHI_SLOTS_MAX, 0, PAGE, 0), MHI_EINVAL);
	ck_assert_int_eq(set(0, 0, 0, 0), MHI_EINVAL);
	ck_assert_int_eq(set(0, 1, PAGE, 0), MHI_EINVAL);
	ck_assert_int_eq(set(0, 0, PAGE + 1, 0), MHI_EINVAL);
	ck_assert_int_eq(set(0, 0, PAGE, 8), MHI_EINVAL);
	ck_assert_int_eq(set(0, ~0ull & ~MHI_PAGE_MASK, 2 * PAGE, 0), MHI_EINVAL);
	ck_assert_int_eq(set(0, 0, 2 * PAGE, ~0ull & ~MHI_PAGE_MASK), MHI_EINVAL);
	ck_assert_int_eq(set(0, LIMIT - PAGE, 2 * PAGE, 0), MHI_ERANGE);
	ck_assert_ptr_null(mhi_slots_find(&slots, 0));
	ck_assert_int_eq(set(0, LIMIT - PAGE, PAGE, 0), 0);
	ck_assert_int_eq(set(0, 0, PAGE, 0), MHI_EEXIST);
	ck_assert_int_eq(set(1, LIMIT - 2 * PAGE, 2 * PAGE, 0), MHI_EEXIST);
	ck_assert_int_eq(set(1, LIMIT - 2 * PAGE, PAGE, 0), 0);
	ck_assert_int_eq(mhi_slots_clear(&slots, 2), MHI_ENOENT);
	ck_assert_int_eq(mhi_slots_clear(&slots, MHI_SLOTS_MAX), MHI_EINVAL);
	ck_assert_int_eq(mhi_slots_clear(&slots, 0), 0);
	ck_assert_int_eq(mhi_slots_clear(&slots, 0), MHI_ENOENT);
	ck_assert_int_eq(set(5, LIMIT - PAGE, PAGE, 0), 0);
}
END_TEST

START_TEST(find)
{
	memset(&slots, 0, sizeof(slots));
	ck_assert_int_eq(set(3, 0, MIB, 0x7000000), 0);
	ck_assert_int_eq(set(63, MIB, PAGE, 0x9000000), 0);
	ck_assert_ptr_eq(mhi_slots_find(&slots, 0), &slots.slot[3]);
	ck_assert_ptr_eq(mhi_slots_find(&slots, MIB - 1), &slots.slot[3]);
	ck_assert_ptr_eq(mhi_slots_find(&slots, MIB), &slots.slot[63]);
	ck_assert_ptr_null(mhi_slots_find(&slots, MIB + PAGE));
	ck_assert_ptr_null(mhi_slots_find(&slots, ~0ull));
}
END_TEST

START_TEST(leaf_level)
{
	struct mhi_slot s = { .gpa = 0, .bytes = 3 * GIB, .hva = 0x7f0000000000 };

	ck_assert_uint_eq(mhi_slot_leaf_level(&s, 5 * PAGE, 3), 3);
	ck_assert_uint_eq(mhi_slot_leaf_level(&s, 5 * PAGE, 2), 2);
	ck_assert_uint_eq(mhi_slot_leaf_level(&s, 5 * PAGE, 1), 1);
	ck_assert_uint_eq(mhi_slot_leaf_level(&s, 3 * GIB - 1, 3), 3);
	s.hva += 2 * MIB;
	ck_assert_uint_eq(mhi_slot_leaf_level(&s, 5 * PAGE, 3), 2);
	s.hva += PAGE;
	ck_assert_uint_eq(mhi_slot_leaf_level(&s, 5 * PAGE, 3), 1);
	s.hva = 0x7f0000000000 - PAGE; /* congruent, but its first 2 MiB begin before the slot */
	s.gpa = 2 * MIB - PAGE;
	s.bytes = 2 * MIB + PAGE;
	ck_assert_uint_eq(mhi_slot_leaf_level(&s, 2 * MIB - 1, 3), 1);
	ck_assert_uint_eq(mhi_slot_leaf_level(&s, 2 * MIB, 3), 2);
	s.bytes = 2 * MIB;
	ck_assert_uint_eq(mhi_slot_leaf_level(&s, 2 * MIB, 3), 1);
}
END_TEST

static void add_tests(TCase *t)
{
	tcase_add_test(t, rules);
	tcase_add_test(t, find);
	tcase_add_test(t, leaf_level);
}

UNIT_MAIN("slots", add_tests)
