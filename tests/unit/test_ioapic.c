// SPDX-License-Identifier: MIT
/*
 * The I/O APIC: registers, edge and level triggering, remote IRR and EOI, masks, changes while a
 * line is high.
 */
#include "unit.h"
#include "platform/ioapic.h"

#define SELECT 0x00
#define WINDOW 0x10
#define EOI 0x40

#define MASKED 0x10000u
#define LEVEL 0x8000u
#define REMOTE_IRR 0x4000u
#define LOGICAL 0x800u

#define PIN 5
#define VECTOR 0x41u

static struct mhi_ioapic io;
static struct {
	unsigned int count;
	u64 addr;
	u32 data;
} sent;

static void record(void *opaque, u64 addr, u32 data)
{
	ck_assert_ptr_eq(opaque, &sent);
	sent.count++;
	sent.addr = addr;
	sent.data = data;
}

static void setup(void)
{
	static const struct mhi_msi_sink sink = { .send = record, .opaque = &sent };

	memset(&sent, 0, sizeof(sent));
	mhi_ioapic_init(&io, &sink);
}

static void teardown(void)
{
	mhi_ioapic_fini(&io);
}

static void put(u8 index, u32 value)
{
	mhi_ioapic_ops.write(&io, SELECT, 4, index);
	mhi_ioapic_ops.write(&io, WINDOW, 4, value);
}

static u32 get(u8 index)
{
	mhi_ioapic_ops.write(&io, SELECT, 4, index);
	ck_assert_uint_eq(mhi_ioapic_ops.read(&io, SELECT, 4), index);
	return (u32)mhi_ioapic_ops.read(&io, WINDOW, 4);
}

static void redirect(unsigned int pin, u8 dest, u32 low)
{
	put((u8)(0x11 + 2 * pin), (u32)dest << 24);
	put((u8)(0x10 + 2 * pin), low);
}

static u32 entry(unsigned int pin)
{
	return get((u8)(0x10 + 2 * pin));
}

static void line(unsigned int pin, bool level)
{
	mhi_ioapic_set(&io, pin, level);
}

START_TEST(registers)
{
	setup();
	ck_assert_uint_eq(get(1), 0x00170020);
	put(0, 0xff000000);
	ck_assert_uint_eq(get(0), 0x0f000000);
	for (unsigned int pin = 0; pin < MHI_IOAPIC_PINS; pin++)
		ck_assert_uint_eq(entry(pin), MASKED);
	/* Only what exists can be written: neither delivery status nor remote IRR. */
	redirect(PIN, 0xa5, 0xffffffff);
	ck_assert_uint_eq(entry(PIN), 0x1afff);
	ck_assert_uint_eq(get(0x11 + 2 * PIN), 0xa5000000);
	/* Behind the last pin, and lines that do not exist. */
	put(0x40, 0x1234);
	ck_assert_uint_eq(get(0x40), 0);
	put(0xff, 0x1234);
	ck_assert_uint_eq(get(0xff), 0);
	line(24, true);
	line(~0u, true);
	ck_assert_uint_eq(mhi_ioapic_ops.read(&io, 0x24, 4), 0);
	ck_assert_uint_eq(sent.count, 0);
	mhi_ioapic_reset(&io);
	ck_assert_uint_eq(entry(PIN), MASKED);
	ck_assert_uint_eq(get(0), 0);
	teardown();
}
END_TEST

START_TEST(messages)
{
	setup();
	redirect(PIN, 3, VECTOR);
	line(PIN, true);
	ck_assert_uint_eq(sent.addr, 0xfee03000);
	ck_assert_uint_eq(sent.data, 0x4000 | VECTOR);
	line(PIN, false);
	/* Lowest priority, logical destination, level-triggered. */
	redirect(PIN, 0xff, VECTOR | 0x100 | LOGICAL | LEVEL);
	line(PIN, true);
	ck_assert_uint_eq(sent.addr, 0xfeeff004);
	ck_assert_uint_eq(sent.data, 0xc000 | 0x100 | VECTOR);
	teardown();
}
END_TEST

START_TEST(edge)
{
	setup();
	redirect(PIN, 0, VECTOR);
	line(PIN, true);
	ck_assert_uint_eq(sent.count, 1);
	line(PIN, true);
	ck_assert_uint_eq(sent.count, 1);
	mhi_ioapic_eoi(&io, VECTOR);
	ck_assert_uint_eq(sent.count, 1);
	ck_assert_uint_eq(entry(PIN), VECTOR);
	line(PIN, false);
	ck_assert_uint_eq(sent.count, 1);
	line(PIN, true);
	ck_assert_uint_eq(sent.count, 2);
	line(PIN, false);
	/* An edge on a masked pin is lost, unmasking does not bring it back. */
	redirect(PIN, 0, VECTOR | MASKED);
	line(PIN, true);
	redirect(PIN, 0, VECTOR);
	ck_assert_uint_eq(sent.count, 2);
	line(PIN, false);
	line(PIN, true);
	ck_assert_uint_eq(sent.count, 3);
	teardown();
}
END_TEST

START_TEST(level)
{
	setup();
	redirect(PIN, 0, VECTOR | LEVEL);
	line(PIN, true);
	ck_assert_uint_eq(sent.count, 1);
	ck_assert_uint_eq(entry(PIN), VECTOR | LEVEL | REMOTE_IRR);
	/* Not again before the EOI, also when the line falls and rises. */
	line(PIN, false);
	line(PIN, true);
	ck_assert_uint_eq(sent.count, 1);
	mhi_ioapic_eoi(&io, VECTOR + 1);
	ck_assert_uint_eq(entry(PIN), VECTOR | LEVEL | REMOTE_IRR);
	/* Still high at the EOI: delivered anew. */
	mhi_ioapic_eoi(&io, VECTOR);
	ck_assert_uint_eq(sent.count, 2);
	line(PIN, false);
	mhi_ioapic_eoi(&io, VECTOR);
	ck_assert_uint_eq(sent.count, 2);
	ck_assert_uint_eq(entry(PIN), VECTOR | LEVEL);
	line(PIN, true);
	ck_assert_uint_eq(sent.count, 3);
	/* The EOI register does the same. */
	mhi_ioapic_ops.write(&io, EOI, 4, VECTOR);
	ck_assert_uint_eq(sent.count, 4);
	teardown();
}
END_TEST

START_TEST(level_mask)
{
	setup();
	redirect(PIN, 0, VECTOR | LEVEL | MASKED);
	line(PIN, true);
	ck_assert_uint_eq(sent.count, 0);
	/* Level-triggered: the line is still high when the pin opens. */
	redirect(PIN, 0, VECTOR | LEVEL);
	ck_assert_uint_eq(sent.count, 1);
	/* Masked in service, acknowledged, opened: delivered again. */
	redirect(PIN, 0, VECTOR | LEVEL | MASKED);
	ck_assert_uint_eq(entry(PIN), VECTOR | LEVEL | MASKED | REMOTE_IRR);
	mhi_ioapic_eoi(&io, VECTOR);
	ck_assert_uint_eq(sent.count, 1);
	redirect(PIN, 0, VECTOR | LEVEL);
	ck_assert_uint_eq(sent.count, 2);
	/* Falls while masked: nothing is left to deliver. */
	redirect(PIN, 0, VECTOR | LEVEL | MASKED);
	line(PIN, false);
	mhi_ioapic_eoi(&io, VECTOR);
	redirect(PIN, 0, VECTOR | LEVEL);
	ck_assert_uint_eq(sent.count, 2);
	teardown();
}
END_TEST

START_TEST(changes_while_high)
{
	setup();
	redirect(PIN, 0, VECTOR | LEVEL);
	line(PIN, true);
	/*
	 * A new destination and vector while in service: remote IRR stays, the old vector's EOI
	 * is no longer ours.
	 */
	redirect(PIN, 2, (VECTOR + 1) | LEVEL);
	ck_assert_uint_eq(sent.count, 1);
	mhi_ioapic_eoi(&io, VECTOR);
	ck_assert_uint_eq(sent.count, 1);
	mhi_ioapic_eoi(&io, VECTOR + 1);
	ck_assert_uint_eq(sent.count, 2);
	ck_assert_uint_eq(sent.addr, 0xfee02000);
	ck_assert_uint_eq(sent.data & 0xff, VECTOR + 1);
	/* To edge and back acknowledges, as guests without the EOI register do it. */
	redirect(PIN, 2, VECTOR | MASKED);
	ck_assert_uint_eq(entry(PIN), VECTOR | MASKED);
	redirect(PIN, 2, VECTOR | LEVEL);
	ck_assert_uint_eq(sent.count, 3);
	teardown();
}
END_TEST

START_TEST(pins_with_one_vector)
{
	setup();
	redirect(PIN, 0, VECTOR | LEVEL);
	redirect(PIN + 1, 0, VECTOR | LEVEL);
	line(PIN, true);
	line(PIN + 1, true);
	ck_assert_uint_eq(sent.count, 2);
	mhi_ioapic_eoi(&io, VECTOR);
	ck_assert_uint_eq(sent.count, 4);
	teardown();
}
END_TEST

static void add_tests(TCase *tcase)
{
	tcase_add_test(tcase, registers);
	tcase_add_test(tcase, messages);
	tcase_add_test(tcase, edge);
	tcase_add_test(tcase, level);
	tcase_add_test(tcase, level_mask);
	tcase_add_test(tcase, changes_while_high);
	tcase_add_test(tcase, pins_with_one_vector);
}

UNIT_MAIN("ioapic", add_tests)
