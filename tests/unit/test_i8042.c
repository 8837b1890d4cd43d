// SPDX-License-Identifier: MIT
/*
 * The keyboard controller with its keyboard and mouse: what Linux's i8042, atkbd and psmouse do
 * with them, both sets of scan codes, wheels, a guest that reads nothing.
 */
#include "unit.h"

#include <linux/input-event-codes.h>

#include "platform/i8042.h"
#include "platform/ps2_codes.h"

static struct mhi_i8042 kbc;
static struct {
	bool level;
	unsigned int rises;
} line[16];
static unsigned int resets;

static void set_line(void *opaque, unsigned int gsi, bool level)
{
	line[gsi].rises += level && !line[gsi].level;
	line[gsi].level = level;
}

static void on_power(void *opaque, enum mhi_power what)
{
	ck_assert_int_eq(what, MHI_POWER_RESET);
	resets++;
}

static void setup(void)
{
	static const struct mhi_irq_sink sink = { .set = set_line };
	static const struct mhi_power_port power = { .power = on_power };

	memset(line, 0, sizeof(line));
	resets = 0;
	mhi_i8042_init(&kbc, &sink, &power);
	kbc.present = true;
	mhi_i8042_reset(&kbc);
}

static void teardown(void)
{
	mhi_i8042_fini(&kbc);
}

static void command(u8 byte)
{
	mhi_kbc_ops.write(&kbc, 0, 1, byte);
}

static void data(u8 byte)
{
	mhi_kbc_data_ops.write(&kbc, 0, 1, byte);
}

static u8 status(void)
{
	return (u8)mhi_kbc_ops.read(&kbc, 0, 1);
}

static u8 take(void)
{
	ck_assert(status() & 1);
	return (u8)mhi_kbc_data_ops.read(&kbc, 0, 1);
}

static void expect(const u8 *bytes, size_t count, bool mouse)
{
	for (size_t n = 0; n < count; n++) {
		ck_assert_msg(status() & 1, "byte %zu is missing", n);
		ck_assert_uint_eq(status() >> 5 & 1, mouse);
		ck_assert_msg(bytes[n] == take(), "byte %zu is not 0x%02x", n, bytes[n]);
	}
	ck_assert_msg(!(status() & 1), "there is a byte 0x%02x behind", kbc.data);
}

#define EXPECT(mouse, ...) \
	expect((const u8[]){ __VA_ARGS__ }, sizeof((const u8[]){ __VA_ARGS__ }), mouse)
#define KEYBOARD(...) EXPECT(false, __VA_ARGS__)
#define MOUSE(...) EXPECT(true, __VA_ARGS__)

static void to_mouse(u8 byte)
{
	command(0xd4);
	data(byte);
}

static void set_control(u8 value)
{
	command(0x60);
	data(value);
}

/* As Linux's i8042_controller_check, _init and _check_aux. */
START_TEST(controller)
{
	setup();
	ck_assert_uint_eq(status(), 0x14);
	command(0x20);
	ck_assert_uint_eq(status() & 0x28, 0x08);
	KEYBOARD(0x65);
	set_control(0x74);
	command(0x20);
	KEYBOARD(0x74);
	command(0xaa);
	KEYBOARD(0x55);
	command(0xab);
	KEYBOARD(0x00);
	/* A byte that comes back as from the mouse, whatever is off. */
	command(0xd3);
	data(0x5a);
	MOUSE(0x5a);
	command(0xd2);
	data(0xa5);
	KEYBOARD(0xa5);
	command(0xa9);
	KEYBOARD(0x00);
	command(0xa8);
	command(0x20);
	KEYBOARD(0x54);
	command(0xa7);
	command(0xae);
	command(0x20);
	KEYBOARD(0x64);
	command(0xad);
	command(0x20);
	KEYBOARD(0x74);
	command(0xc0);
	KEYBOARD(0x80);
	command(0xdd);
	command(0xd0);
	KEYBOARD(0x01);
	command(0xdf);
	command(0xd0);
	KEYBOARD(0x03);
	/* Nothing knows it. */
	command(0x01);
	ck_assert_uint_eq(status() & 1, 0);
	/* Of the first answer: then they are off. */
	ck_assert_uint_eq(line[1].rises + line[12].rises, 1);
	teardown();
}
END_TEST

START_TEST(interrupts)
{
	setup();
	/* Linux waits for interrupt 12 of a byte that it sends to itself. */
	set_control(0x47);
	command(0xd3);
	data(0xa5);
	ck_assert(line[12].level && !line[1].level);
	take();
	ck_assert(!line[12].level);
	/* Each byte is an edge of its own. */
	line[1].rises = 0;
	ck_assert_int_eq(mhi_i8042_key(&kbc, KEY_UP, true), 0);
	ck_assert_uint_eq(line[1].rises, 1);
	ck_assert_uint_eq(take(), 0xe0);
	ck_assert(line[1].level);
	ck_assert_uint_eq(line[1].rises, 2);
	ck_assert_uint_eq(take(), 0x48);
	ck_assert(!line[1].level);
	teardown();
}
END_TEST

START_TEST(resets_machine)
{
	setup();
	command(0xfe);
	ck_assert_uint_eq(resets, 1);
	command(0xd1);
	data(0x02);
	ck_assert_uint_eq(resets, 2);
	command(0xd1);
	data(0x03);
	command(0xff);
	ck_assert_uint_eq(resets, 2);
	/* Without a keyboard that is all there is. */
	kbc.present = false;
	ck_assert_uint_eq(status(), 0);
	command(0x20);
	command(0xfe);
	ck_assert_uint_eq(resets, 3);
	ck_assert_uint_eq(status(), 0);
	ck_assert(!kbc.full);
	ck_assert_int_eq(mhi_i8042_key(&kbc, KEY_A, true), MH_ESTATE);
	ck_assert_int_eq(mhi_i8042_move(&kbc, 1, 1, 1), MH_ESTATE);
	ck_assert_int_eq(mhi_i8042_button(&kbc, MHI_PS2_LEFT, true), MH_ESTATE);
	teardown();
}
END_TEST

/* As atkbd finds it, with the controller's translation. */
START_TEST(keyboard_commands)
{
	setup();
	data(0xff);
	KEYBOARD(0xfa, 0xaa);
	data(0xf2);
	KEYBOARD(0xfa, 0xab, 0x41);
	data(0xee);
	KEYBOARD(0xee);
	data(0xed);
	KEYBOARD(0xfa);
	data(0x06);
	KEYBOARD(0xfa);
	ck_assert_uint_eq(mhi_i8042_leds(&kbc), 1 << LED_NUML | 1 << LED_CAPSL);
	data(0xed);
	data(0x01);
	KEYBOARD(0xfa, 0xfa);
	ck_assert_uint_eq(mhi_i8042_leds(&kbc), 1 << LED_SCROLLL);
	data(0xf3);
	data(0x00);
	KEYBOARD(0xfa, 0xfa);
	data(0xf0);
	data(0x03);
	KEYBOARD(0xfa, 0xfe);
	data(0x12);
	KEYBOARD(0xfe);
	/* A command in place of a parameter. */
	data(0xed);
	data(0xf4);
	KEYBOARD(0xfa, 0xfa);
	data(0xf5);
	KEYBOARD(0xfa);
	ck_assert_int_eq(mhi_i8042_key(&kbc, KEY_A, true), MH_ESTATE);
	data(0xf4);
	KEYBOARD(0xfa);
	ck_assert_int_eq(mhi_i8042_key(&kbc, KEY_A, true), 0);
	KEYBOARD(0x1e);
	data(0xfe);
	KEYBOARD(0x1e);
	/* Answers overflow, and nothing else. */
	for (unsigned int n = 0; n < 200; n++)
		data(0xf2);
	for (unsigned int n = 0; n < 100 && status() & 1; n++)
		take();
	ck_assert_uint_eq(status() & 1, 0);
	teardown();
}
END_TEST

static void press(u32 code)
{
	ck_assert_int_eq(mhi_i8042_key(&kbc, code, true), 0);
}

static void let_go(u32 code)
{
	ck_assert_int_eq(mhi_i8042_key(&kbc, code, false), 0);
}

START_TEST(scan_codes)
{
	setup();
	press(KEY_A);
	KEYBOARD(0x1e);
	press(KEY_A);
	KEYBOARD(0x1e);
	let_go(KEY_A);
	KEYBOARD(0x9e);
	let_go(KEY_A);
	press(KEY_F7);
	let_go(KEY_F7);
	KEYBOARD(0x41, 0xc1);
	press(KEY_RIGHTCTRL);
	let_go(KEY_RIGHTCTRL);
	KEYBOARD(0xe0, 0x1d, 0xe0, 0x9d);
	press(KEY_PAUSE);
	KEYBOARD(0xe1, 0x1d, 0x45, 0xe1, 0x9d, 0xc5);
	let_go(KEY_PAUSE);
	press(KEY_F12);
	let_go(KEY_F12);
	KEYBOARD(0x58, 0xd8);
	press(KEY_F24 - 1);
	KEYBOARD(0x6e);
	ck_assert_int_eq(mhi_i8042_key(&kbc, KEY_MICMUTE, true), MH_ESTATE);
	/* Set 2, as it comes. */
	set_control(0x05);
	press(KEY_A);
	let_go(KEY_A);
	KEYBOARD(0x1c, 0xf0, 0x1c);
	press(KEY_DELETE);
	let_go(KEY_DELETE);
	KEYBOARD(0xe0, 0x71, 0xe0, 0xf0, 0x71);
	press(KEY_F7);
	KEYBOARD(0x83);
	data(0xf0);
	data(0x00);
	KEYBOARD(0xfa, 0xfa, 0x02);
	/* Set 1, from the keyboard. */
	data(0xf0);
	data(0x01);
	KEYBOARD(0xfa, 0xfa);
	press(KEY_B);
	let_go(KEY_B);
	KEYBOARD(0x30, 0xb0);
	press(KEY_UP);
	let_go(KEY_UP);
	KEYBOARD(0xe0, 0x48, 0xe0, 0xc8);
	teardown();
}
END_TEST

/* Every key's code comes back from the translation as its own. */
START_TEST(all_codes)
{
	u8 seen[2][128] = { { 0 } };

	for (u32 code = 1; code < MHI_KEYS; code++) {
		u8 make[8], brk[8], byte;
		u32 n = mhi_ps2_codes(code, true, make), m = mhi_ps2_codes(code, false, brk);
		bool e0 = n == 2;

		if (!n || code == KEY_PAUSE)
			continue;
		ck_assert_uint_le(n, 2);
		ck_assert_uint_eq(m, n + 1);
		ck_assert_uint_eq(brk[m - 2], 0xf0);
		ck_assert_uint_eq(brk[m - 1], make[n - 1]);
		byte = mhi_ps2_translate(make[n - 1]);
		ck_assert_uint_lt(byte, 0x80);
		ck_assert_msg(!seen[e0][byte], "key %u has another one's code", code);
		seen[e0][byte] = 1;
		if (code <= KEY_KPDOT)
			ck_assert_uint_eq(byte, code);
	}
	ck_assert_uint_eq(mhi_ps2_codes(0, true, seen[0]), 0);
}
END_TEST

/* The guest does not read: what is down is let go as soon as it does. */
START_TEST(keyboard_full)
{
	unsigned int down = 0;

	setup();
	while (!mhi_i8042_key(&kbc, KEY_1 + down, true))
		down++;
	ck_assert_uint_ge(down, 16);
	ck_assert_uint_le(down, 40);
	ck_assert_int_eq(mhi_i8042_key(&kbc, KEY_1 + down, true), MH_EBUSY);
	let_go(KEY_1 + down);
	let_go(KEY_1);
	ck_assert_int_eq(mhi_i8042_key(&kbc, KEY_1, true), MH_EBUSY);
	for (unsigned int n = 0; n < down; n++)
		ck_assert_uint_eq(take(), KEY_1 + n);
	KEYBOARD(KEY_1 | 0x80);
	/* Or when it switches the keyboard on again. */
	data(0xf5);
	KEYBOARD(0xfa);
	let_go(KEY_2);
	ck_assert_uint_eq(status() & 1, 0);
	data(0xf4);
	KEYBOARD(0xfa, KEY_2 | 0x80);
	/* A reset lets all go. */
	data(0xff);
	KEYBOARD(0xfa, 0xaa);
	let_go(KEY_3);
	ck_assert_uint_eq(status() & 1, 0);
	teardown();
}
END_TEST

/* ---- the mouse ---- */

static void answer(u8 byte)
{
	to_mouse(byte);
	MOUSE(0xfa);
}

static void rate(u8 value)
{
	answer(0xf3);
	answer(value);
}

START_TEST(mouse_commands)
{
	setup();
	ck_assert_int_eq(mhi_i8042_move(&kbc, 1, 1, 0), MH_ESTATE);
	ck_assert_int_eq(mhi_i8042_button(&kbc, MHI_PS2_LEFT, true), MH_ESTATE);
	to_mouse(0xff);
	MOUSE(0xfa, 0xaa, 0x00);
	to_mouse(0xf2);
	MOUSE(0xfa, 0x00);
	answer(0xe8);
	answer(0x03);
	answer(0xe7);
	rate(40);
	answer(0xf4);
	to_mouse(0xe9);
	MOUSE(0xfa, 0x30, 3, 40);
	answer(0xe6);
	answer(0xf5);
	answer(0xf6);
	to_mouse(0xe9);
	MOUSE(0xfa, 0x00, 2, 100);
	to_mouse(0x11);
	MOUSE(0xfc);
	to_mouse(0xfe);
	MOUSE(0xfc);
	answer(0xee);
	to_mouse(0x55);
	MOUSE(0x55);
	answer(0xec);
	/* Asked for what there is. */
	answer(0xf0);
	ck_assert_int_eq(mhi_i8042_move(&kbc, 3, -4, 0), 0);
	ck_assert_uint_eq(status() & 1, 0);
	to_mouse(0xeb);
	MOUSE(0xfa, 0x28, 3, 0xfc);
	answer(0xea);
	teardown();
}
END_TEST

START_TEST(packets)
{
	setup();
	answer(0xf4);
	ck_assert_int_eq(mhi_i8042_move(&kbc, 5, 6, 7), 0);
	MOUSE(0x08, 5, 6);
	ck_assert_int_eq(mhi_i8042_move(&kbc, -1, -255, 0), 0);
	MOUSE(0x38, 0xff, 0x01);
	ck_assert_int_eq(mhi_i8042_move(&kbc, 300, 0, 0), 0);
	MOUSE(0x08, 255, 0, 0x08, 45, 0);
	ck_assert_int_eq(mhi_i8042_button(&kbc, MHI_PS2_RIGHT, true), 0);
	ck_assert_int_eq(mhi_i8042_button(&kbc, MHI_PS2_RIGHT, true), 0);
	ck_assert_int_eq(mhi_i8042_button(&kbc, MHI_PS2_RIGHT, false), 0);
	MOUSE(0x0a, 0, 0, 0x08, 0, 0);
	/* Nobody has asked for these. */
	ck_assert_int_eq(mhi_i8042_button(&kbc, MHI_PS2_SIDE, true), 0);
	ck_assert_int_eq(mhi_i8042_move(&kbc, 0, 0, 1), 0);
	ck_assert_uint_eq(status() & 1, 0);
	teardown();
}
END_TEST

START_TEST(wheels)
{
	setup();
	rate(200);
	rate(100);
	rate(80);
	to_mouse(0xf2);
	MOUSE(0xfa, 0x03);
	answer(0xf4);
	ck_assert_int_eq(mhi_i8042_move(&kbc, 0, 0, -1), 0);
	MOUSE(0x08, 0, 0, 0xff);
	answer(0xf5);
	rate(200);
	rate(200);
	rate(80);
	to_mouse(0xf2);
	MOUSE(0xfa, 0x04);
	answer(0xf4);
	ck_assert_int_eq(mhi_i8042_button(&kbc, MHI_PS2_SIDE, true), 0);
	MOUSE(0x08, 0, 0, 0x10);
	ck_assert_int_eq(mhi_i8042_button(&kbc, MHI_PS2_EXTRA, true), 0);
	MOUSE(0x08, 0, 0, 0x30);
	ck_assert_int_eq(mhi_i8042_move(&kbc, 0, 0, -9), 0);
	MOUSE(0x08, 0, 0, 0x39, 0x08, 0, 0, 0x3e);
	to_mouse(0xff);
	MOUSE(0xfa, 0xaa, 0x00);
	teardown();
}
END_TEST

/* Motion adds up; a press that nobody would see is refused; a release is told. */
START_TEST(mouse_full)
{
	unsigned int count = 0;
	s32 dx = 0;

	setup();
	answer(0xf4);
	ck_assert_int_eq(mhi_i8042_button(&kbc, MHI_PS2_LEFT, true), 0);
	MOUSE(0x09, 0, 0);
	for (unsigned int n = 0; n < 100; n++)
		ck_assert_int_eq(mhi_i8042_move(&kbc, 2, 0, 0), 0);
	ck_assert_int_eq(mhi_i8042_button(&kbc, MHI_PS2_RIGHT, true), MH_EBUSY);
	ck_assert_int_eq(mhi_i8042_button(&kbc, MHI_PS2_LEFT, false), 0);
	for (u8 first; status() & 1; count++) {
		first = take();
		dx += take();
		ck_assert_uint_eq(take(), 0);
		ck_assert_uint_eq(first, status() & 1 ? 0x09 : 0x08);
	}
	ck_assert_int_eq(dx, 200);
	ck_assert_uint_lt(count, 20);
	ck_assert_int_eq(mhi_i8042_move(&kbc, INT32_MIN, INT32_MAX, 0), 0);
	ck_assert_int_eq(mhi_i8042_move(&kbc, INT32_MIN, INT32_MAX, 0), 0);
	teardown();
}
END_TEST

static void add_tests(TCase *tcase)
{
	tcase_add_test(tcase, controller);
	tcase_add_test(tcase, interrupts);
	tcase_add_test(tcase, resets_machine);
	tcase_add_test(tcase, keyboard_commands);
	tcase_add_test(tcase, scan_codes);
	tcase_add_test(tcase, all_codes);
	tcase_add_test(tcase, keyboard_full);
	tcase_add_test(tcase, mouse_commands);
	tcase_add_test(tcase, packets);
	tcase_add_test(tcase, wheels);
	tcase_add_test(tcase, mouse_full);
}

UNIT_MAIN("i8042", add_tests)
