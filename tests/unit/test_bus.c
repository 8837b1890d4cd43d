/* SPDX-License-Identifier: MIT */
/* The buses: what may be registered, who answers, what nobody answers. */
#include "unit.h"
#include "core/bus.h"

static u64 last_offset, last_value;
static unsigned int last_bytes;
static void *last_opaque;

static uint64_t on_read(void *opaque, uint64_t offset, unsigned int bytes)
{
	last_opaque = opaque;
	last_offset = offset;
	last_bytes = bytes;
	return 0x1122334455667788;
}

static void on_write(void *opaque, uint64_t offset, unsigned int bytes, uint64_t value)
{
	last_opaque = opaque;
	last_offset = offset;
	last_bytes = bytes;
	last_value = value;
}

static const struct mh_io_ops ops = { 1, on_read, on_write };

START_TEST(rules)
{
	const struct mh_io_ops future = { 2, on_read, on_write };
	struct mhi_bus bus;

	mhi_bus_init(&bus);
	ck_assert_int_eq(mhi_bus_add(&bus, 0x100, 0, &ops, NULL), MH_EINVAL);
	ck_assert_int_eq(mhi_bus_add(&bus, ~0ull, 2, &ops, NULL), MH_EINVAL);
	ck_assert_int_eq(mhi_bus_add(&bus, 0x100, 8, NULL, NULL), MH_EINVAL);
	ck_assert_int_eq(mhi_bus_add(&bus, 0x100, 8, &future, NULL), MH_EINVAL);
	ck_assert_int_eq(mhi_bus_add(&bus, 0x100, 8, &ops, NULL), 0);
	ck_assert_int_eq(mhi_bus_add(&bus, 0x100, 8, &ops, NULL), MH_EEXIST);
	ck_assert_int_eq(mhi_bus_add(&bus, 0x107, 1, &ops, NULL), MH_EEXIST);
	ck_assert_int_eq(mhi_bus_add(&bus, 0xff, 2, &ops, NULL), MH_EEXIST);
	ck_assert_int_eq(mhi_bus_add(&bus, 0, 0x1000, &ops, NULL), MH_EEXIST);
	ck_assert_int_eq(mhi_bus_add(&bus, 0xff, 1, &ops, NULL), 0);
	ck_assert_int_eq(mhi_bus_add(&bus, 0x108, 1, &ops, NULL), 0);
	ck_assert_int_eq(mhi_bus_add(&bus, ~0ull, 1, &ops, NULL), 0);
	ck_assert_int_eq(mhi_bus_remove(&bus, 0x101), MH_ENOENT);
	ck_assert_int_eq(mhi_bus_remove(&bus, 0x100), 0);
	ck_assert_int_eq(mhi_bus_remove(&bus, 0x100), MH_ENOENT);
	ck_assert_int_eq(mhi_bus_add(&bus, 0x100, 8, &ops, NULL), 0);
	mhi_bus_fini(&bus);
}
END_TEST

START_TEST(dispatch)
{
	int first, second;
	struct mhi_bus bus;
	u64 value = 0;

	mhi_bus_init(&bus);
	ck_assert_int_eq(mhi_bus_add(&bus, 0x200, 0x10, &ops, &second), 0);
	ck_assert_int_eq(mhi_bus_add(&bus, 0x100, 0x10, &ops, &first), 0);
	ck_assert(mhi_bus_read(&bus, 0x104, 4, &value));
	ck_assert_uint_eq(value, 0x55667788);
	ck_assert_ptr_eq(last_opaque, &first);
	ck_assert_uint_eq(last_offset, 4);
	ck_assert_uint_eq(last_bytes, 4);
	ck_assert(mhi_bus_write(&bus, 0x20f, 1, 0xabcd));
	ck_assert_ptr_eq(last_opaque, &second);
	ck_assert_uint_eq(last_offset, 0xf);
	ck_assert_uint_eq(last_value, 0xcd);
	ck_assert(mhi_bus_read(&bus, 0x208, 8, &value));
	ck_assert_uint_eq(value, 0x1122334455667788);
	mhi_bus_fini(&bus);
}
END_TEST

START_TEST(nobody)
{
	struct mhi_bus bus;
	u64 value = 0;

	mhi_bus_init(&bus);
	ck_assert(!mhi_bus_read(&bus, 0, 2, &value));
	ck_assert_uint_eq(value, 0xffff);
	ck_assert_int_eq(mhi_bus_add(&bus, 0x100, 0x10, &ops, NULL), 0);
	last_value = 0;
	/* Half in, half out of the range. */
	ck_assert(!mhi_bus_read(&bus, 0x10e, 4, &value));
	ck_assert_uint_eq(value, 0xffffffff);
	ck_assert(!mhi_bus_write(&bus, 0x10d, 4, 1));
	ck_assert(!mhi_bus_write(&bus, 0xfe, 4, 1));
	ck_assert(!mhi_bus_read(&bus, 0x110, 8, &value));
	ck_assert_uint_eq(value, ~0ull);
	ck_assert_uint_eq(last_value, 0);
	mhi_bus_fini(&bus);
}
END_TEST

START_TEST(one_sided)
{
	const struct mh_io_ops none = { 1, NULL, NULL };
	struct mhi_bus bus;
	u64 value = 0;

	mhi_bus_init(&bus);
	ck_assert_int_eq(mhi_bus_add(&bus, 0, 8, &none, NULL), 0);
	ck_assert(mhi_bus_read(&bus, 0, 1, &value));
	ck_assert_uint_eq(value, 0xff);
	ck_assert(mhi_bus_write(&bus, 0, 1, 1));
	mhi_bus_fini(&bus);
}
END_TEST

/* Many ranges, added in a scattered order: each address finds its own. */
START_TEST(many)
{
	struct mhi_bus bus;
	u64 i, value;

	mhi_bus_init(&bus);
	for (i = 0; i < 257; i++)
		ck_assert_int_eq(mhi_bus_add(&bus, (i * 101 % 257) * 16, 8, &ops,
					     (void *)(uintptr_t)(i * 101 % 257)),
				 0);
	for (i = 0; i < 257; i++) {
		ck_assert(mhi_bus_read(&bus, i * 16 + 4, 4, &value));
		ck_assert_uint_eq((uintptr_t)last_opaque, i);
		ck_assert(!mhi_bus_read(&bus, i * 16 + 8, 1, &value));
	}
	mhi_bus_fini(&bus);
}
END_TEST

static void add_tests(TCase *tcase)
{
	tcase_add_test(tcase, rules);
	tcase_add_test(tcase, dispatch);
	tcase_add_test(tcase, nobody);
	tcase_add_test(tcase, one_sided);
	tcase_add_test(tcase, many);
}

UNIT_MAIN("bus", add_tests)
