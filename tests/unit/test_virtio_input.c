// SPDX-License-Identifier: MIT
/* virtio-input: what drivers ask of it, reports, guests that take nothing, or are wrong. */
#include "unit.h"

#include <linux/input-event-codes.h>

#include "core/keys.h"
#include "core/le.h"
#include "vdriver.h"
#include "virtio/input.h"

#define CONFIG 0x2000
#define EVENT 8u
#define RING 256

static struct vdriver d;
static struct mhi_vdev *dev;
static struct vring events, status;
static mh_gpa room[64], lights;
static unsigned int given;

static void setup(enum mhi_input_kind kind, u64 features)
{
	vd_init(&d);
	ck_assert_int_eq(mhi_input_create(&d.env, kind, &dev), 0);
	vd_attach(&d, dev, false);
	ck_assert_uint_eq(d.pci.pci.device, 0x1052);
	ck_assert(vd_negotiate(&d, VIRTIO_F_VERSION_1 | features));
	vr_init(&events, &d, 0, 64);
	vr_init(&status, &d, 1, 16);
	for (unsigned int n = 0; n < MHI_COUNT(room); n++)
		room[n] = vd_alloc(&d, EVENT, 8);
	lights = vd_alloc(&d, EVENT, 8);
	vd_ok(&d);
	vd_sync(&d);
	given = 0;
}

/* A buffer for an event; its id tells where it is. */
static mh_gpa buffer_of[VD_RING_MAX];

static void give(unsigned int count, u32 bytes)
{
	for (unsigned int n = 0; n < count; n++) {
		struct vd_buf buf = { room[given++ % MHI_COUNT(room)], bytes, true };
		int id = vr_add(&events, &buf, 1, false);

		ck_assert_int_ge(id, 0);
		buffer_of[id] = buf.at;
	}
	vr_force_kick(&events);
	vd_sync(&d);
}

static void expect(u16 type, u16 code, u32 value)
{
	u32 len = 0;
	int id;
	const u8 *e;

	vd_sync(&d);
	id = vr_get(&events, &len);
	ck_assert_int_ge(id, 0);
	ck_assert_uint_eq(len, EVENT);
	e = vd_ptr(&d, buffer_of[id]);
	ck_assert_uint_eq(mhi_get_le16(e), type);
	ck_assert_uint_eq(mhi_get_le16(e + 2), code);
	ck_assert_uint_eq(mhi_get_le32(e + 4), value);
}

static void expect_syn(void)
{
	expect(EV_SYN, SYN_REPORT, 0);
}

static void expect_nothing(void)
{
	u32 len;

	vd_sync(&d);
	ck_assert_int_lt(vr_get(&events, &len), 0);
}

/* ---- what it is ---- */

static u8 ask(u8 select, u8 subsel)
{
	vd_write(&d, CONFIG, 1, select);
	vd_write(&d, CONFIG + 1, 1, subsel);
	return (u8)vd_read(&d, CONFIG + 2, 1);
}

static void expect_text(u8 select, const char *text)
{
	ck_assert_uint_eq(ask(select, 0), strlen(text));
	for (unsigned int n = 0; text[n]; n++)
		ck_assert_uint_eq(vd_read(&d, CONFIG + 8 + n, 1), (u8)text[n]);
}

static bool has(u8 type, u32 code)
{
	u8 bytes = ask(0x11, type);

	return code / 8 < bytes && vd_read(&d, CONFIG + 8 + code / 8, 1) >> (code % 8) & 1;
}

START_TEST(keyboards)
{
	setup(MHI_INPUT_KEYBOARD, 0);
	expect_text(1, "macrohard keyboard");
	expect_text(2, "keyboard");
	ck_assert_uint_eq(ask(3, 0), 8);
	ck_assert_uint_eq(vd_read(&d, CONFIG + 8, 2), 6);
	ck_assert(has(EV_KEY, KEY_ESC) && has(EV_KEY, KEY_A) && has(EV_KEY, KEY_MICMUTE));
	ck_assert(!has(EV_KEY, 0) && !has(EV_KEY, KEY_MICMUTE + 1) && !has(EV_KEY, BTN_LEFT));
	ck_assert(has(EV_LED, LED_CAPSL) && !has(EV_LED, LED_COMPOSE));
	ck_assert_uint_eq(ask(0x11, EV_REP), 1);
	ck_assert_uint_eq(ask(0x11, EV_REL), 0);
	ck_assert_uint_eq(ask(0x11, EV_ABS), 0);
	ck_assert_uint_eq(ask(0x12, ABS_X), 0);
	ck_assert_uint_eq(ask(0x10, 0), 0);
	/* What is no question has no answer; the answer is not the driver's to write. */
	ck_assert_uint_eq(ask(1, 1), 0);
	ck_assert_uint_eq(ask(0, 0), 0);
	ck_assert_uint_eq(ask(0xff, 0xff), 0);
	ask(1, 0);
	vd_write(&d, CONFIG + 8, 1, 'x');
	vd_write(&d, CONFIG + 2, 1, 99);
	expect_text(1, "macrohard keyboard");
	vd_fini(&d);
}
END_TEST

START_TEST(pointers)
{
	setup(MHI_INPUT_TABLET, 0);
	ck_assert(has(EV_KEY, BTN_LEFT) && has(EV_KEY, BTN_EXTRA) && !has(EV_KEY, BTN_FORWARD));
	ck_assert(has(EV_ABS, ABS_X) && has(EV_ABS, ABS_Y) && !has(EV_ABS, ABS_Z));
	ck_assert(has(EV_REL, REL_WHEEL) && has(EV_REL, REL_HWHEEL) && !has(EV_REL, REL_X));
	ck_assert_uint_eq(ask(0x12, ABS_Y), 20);
	ck_assert_uint_eq(vd_read(&d, CONFIG + 8, 4), 0);
	ck_assert_uint_eq(vd_read(&d, CONFIG + 12, 4), 32767);
	ck_assert_uint_eq(ask(0x12, ABS_Z), 0);
	vd_fini(&d);
	setup(MHI_INPUT_MOUSE, 0);
	ck_assert(has(EV_REL, REL_X) && has(EV_REL, REL_Y) && has(EV_REL, REL_WHEEL));
	ck_assert_uint_eq(ask(0x11, EV_ABS), 0);
	vd_fini(&d);
	setup(MHI_INPUT_TOUCH, 0);
	ck_assert_uint_eq(ask(0x10, 0), 1);
	ck_assert_uint_eq(vd_read(&d, CONFIG + 8, 1), 1 << INPUT_PROP_DIRECT);
	ck_assert(has(EV_KEY, BTN_TOUCH) && !has(EV_KEY, BTN_LEFT));
	ck_assert(has(EV_ABS, ABS_MT_SLOT) && has(EV_ABS, ABS_MT_TRACKING_ID));
	ck_assert_uint_eq(ask(0x12, ABS_MT_SLOT), 20);
	ck_assert_uint_eq(vd_read(&d, CONFIG + 12, 4), 9);
	vd_fini(&d);
}
END_TEST

/* ---- events ---- */

START_TEST(keys)
{
	const u64 kinds[] = { 0, VIRTIO_F_RING_PACKED | VIRTIO_F_EVENT_IDX };

	for (unsigned int k = 0; k < MHI_COUNT(kinds); k++) {
		setup(MHI_INPUT_KEYBOARD, kinds[k]);
		give(8, EVENT);
		expect_nothing();
		ck_assert_int_eq(mhi_input_key(dev, KEY_A, true), 0);
		expect(EV_KEY, KEY_A, 1);
		expect_syn();
		/* Guests repeat keys themselves. */
		ck_assert_int_eq(mhi_input_key(dev, KEY_A, true), 0);
		ck_assert_int_eq(mhi_input_key(dev, KEY_B, false), 0);
		ck_assert_int_eq(mhi_input_key(dev, BTN_LEFT, true), 0);
		expect_nothing();
		ck_assert_int_eq(mhi_input_key(dev, KEY_A, false), 0);
		expect(EV_KEY, KEY_A, 0);
		expect_syn();
		expect_nothing();
		vd_fini(&d);
	}
}
END_TEST

START_TEST(motion)
{
	setup(MHI_INPUT_TABLET, 0);
	give(16, EVENT);
	ck_assert_int_eq(mhi_input_position(dev, 5, 32767), 0);
	expect(EV_ABS, ABS_X, 5);
	expect(EV_ABS, ABS_Y, 32767);
	expect_syn();
	ck_assert_int_eq(mhi_input_wheel(dev, -2, 1), 0);
	expect(EV_REL, REL_WHEEL, (u32)-2);
	expect(EV_REL, REL_HWHEEL, 1);
	expect_syn();
	ck_assert_int_eq(mhi_input_motion(dev, 1, 1), 0);
	ck_assert_int_eq(mhi_input_touch(dev, 0, true, 1, 1), 0);
	expect_nothing();
	vd_fini(&d);
	setup(MHI_INPUT_MOUSE, 0);
	give(16, EVENT);
	ck_assert_int_eq(mhi_input_motion(dev, 0, -7), 0);
	expect(EV_REL, REL_Y, (u32)-7);
	expect_syn();
	ck_assert_int_eq(mhi_input_motion(dev, 0, 0), 0);
	ck_assert_int_eq(mhi_input_position(dev, 1, 1), 0);
	expect_nothing();
	vd_fini(&d);
}
END_TEST

START_TEST(fingers)
{
	setup(MHI_INPUT_TOUCH, 0);
	give(40, EVENT);
	ck_assert_int_eq(mhi_input_touch(dev, 3, true, 100, 200), 0);
	expect(EV_ABS, ABS_MT_SLOT, 3);
	expect(EV_ABS, ABS_MT_TRACKING_ID, 0);
	expect(EV_ABS, ABS_MT_POSITION_X, 100);
	expect(EV_ABS, ABS_MT_POSITION_Y, 200);
	expect(EV_KEY, BTN_TOUCH, 1);
	expect(EV_ABS, ABS_X, 100);
	expect(EV_ABS, ABS_Y, 200);
	expect_syn();
	ck_assert_int_eq(mhi_input_touch(dev, 0, true, 1, 2), 0);
	expect(EV_ABS, ABS_MT_SLOT, 0);
	expect(EV_ABS, ABS_MT_TRACKING_ID, 1);
	expect(EV_ABS, ABS_MT_POSITION_X, 1);
	expect(EV_ABS, ABS_MT_POSITION_Y, 2);
	expect_syn();
	/* The first one is lifted before the other. */
	ck_assert_int_eq(mhi_input_touch(dev, 3, false, 0, 0), 0);
	expect(EV_ABS, ABS_MT_SLOT, 3);
	expect(EV_ABS, ABS_MT_TRACKING_ID, ~0u);
	expect_syn();
	ck_assert_int_eq(mhi_input_touch(dev, 0, true, 3, 4), 0);
	expect(EV_ABS, ABS_MT_SLOT, 0);
	expect(EV_ABS, ABS_MT_POSITION_X, 3);
	expect(EV_ABS, ABS_MT_POSITION_Y, 4);
	expect_syn();
	ck_assert_int_eq(mhi_input_touch(dev, 0, false, 0, 0), 0);
	expect(EV_ABS, ABS_MT_SLOT, 0);
	expect(EV_ABS, ABS_MT_TRACKING_ID, ~0u);
	expect(EV_KEY, BTN_TOUCH, 0);
	expect_syn();
	ck_assert_int_eq(mhi_input_touch(dev, 0, false, 0, 0), 0);
	ck_assert_int_eq(mhi_input_touch(dev, MHI_INPUT_SLOTS, true, 0, 0), 0);
	expect_nothing();
	vd_fini(&d);
}
END_TEST

/* ---- a guest that takes nothing ---- */

START_TEST(full)
{
	unsigned int down = 0;

	setup(MHI_INPUT_KEYBOARD, 0);
	while (!mhi_input_key(dev, 1 + down, true))
		down++;
	ck_assert_uint_eq(down, RING / 2);
	ck_assert_int_eq(mhi_input_key(dev, 1 + down, true), MH_EBUSY);
	/* What was not told is not let go; what was told is, but not pressed again before. */
	ck_assert_int_eq(mhi_input_key(dev, 1 + down, false), 0);
	ck_assert_int_eq(mhi_input_key(dev, 7, false), 0);
	ck_assert_int_eq(mhi_input_key(dev, 7, false), 0);
	ck_assert_int_eq(mhi_input_key(dev, 7, true), MH_EBUSY);
	for (unsigned int n = 0; n < down; n += 2) {
		give(4, EVENT);
		expect(EV_KEY, (u16)(1 + n), 1);
		expect_syn();
		expect(EV_KEY, (u16)(2 + n), 1);
		expect_syn();
	}
	give(4, EVENT);
	expect(EV_KEY, 7, 0);
	expect_syn();
	expect_nothing();
	vd_fini(&d);
}
END_TEST

START_TEST(full_of_fingers)
{
	unsigned int moves = 0, seen = 0;

	setup(MHI_INPUT_TOUCH, 0);
	ck_assert_int_eq(mhi_input_touch(dev, 1, true, 0, 0), 0);
	while (!mhi_input_touch(dev, 1, true, moves, 0))
		moves++;
	ck_assert_uint_ge(moves, 30);
	ck_assert_int_eq(mhi_input_touch(dev, 1, false, 0, 0), 0);
	ck_assert_int_eq(mhi_input_touch(dev, 1, true, 0, 0), MH_EBUSY);
	for (bool lifted = false; !lifted; seen++) {
		u32 len;
		int id;
		const u8 *e;

		ck_assert_uint_lt(seen, RING + 4);
		give(1, EVENT);
		id = vr_get(&events, &len);
		ck_assert_int_ge(id, 0);
		e = vd_ptr(&d, buffer_of[id]);
		lifted = mhi_get_le16(e + 2) == BTN_TOUCH && mhi_get_le32(e + 4) == 0;
	}
	give(2, EVENT);
	expect_syn();
	expect_nothing();
	vd_fini(&d);
}
END_TEST

/* While the machine rests nothing is pressed, and what is let go is told when it goes on. */
START_TEST(rest)
{
	setup(MHI_INPUT_KEYBOARD, 0);
	give(16, EVENT);
	ck_assert(mhi_input_ready(dev));
	mhi_input_key(dev, KEY_A, true);
	expect(EV_KEY, KEY_A, 1);
	expect_syn();
	mhi_vdev_run(dev, false);
	ck_assert(!mhi_input_ready(dev));
	ck_assert_int_eq(mhi_input_key(dev, KEY_B, true), MH_ESTATE);
	ck_assert_int_eq(mhi_input_key(dev, KEY_A, false), 0);
	expect_nothing();
	mhi_vdev_run(dev, true);
	expect(EV_KEY, KEY_A, 0);
	expect_syn();
	expect_nothing();
	/* A driver that begins again has no key down, nor anything from before. */
	mhi_input_key(dev, KEY_A, true);
	vd_set_status(&d, 0);
	ck_assert_int_eq(mhi_input_key(dev, KEY_A, true), MH_ESTATE);
	ck_assert_int_eq(mhi_input_key(dev, KEY_A, false), 0);
	ck_assert(vd_negotiate(&d, VIRTIO_F_VERSION_1));
	vr_init(&events, &d, 0, 64);
	vd_ok(&d);
	give(8, EVENT);
	expect_nothing();
	mhi_input_key(dev, KEY_A, true);
	expect(EV_KEY, KEY_A, 1);
	vd_fini(&d);
}
END_TEST

/* ---- lights ---- */

static void light(u16 type, u16 code, u32 value, u32 bytes)
{
	const struct vd_buf buf = { lights, bytes, false };
	u8 *e = vd_ptr(&d, lights);
	u32 len = 1;

	mhi_put_le16(e, type);
	mhi_put_le16(e + 2, code);
	mhi_put_le32(e + 4, value);
	ck_assert_int_ge(vr_add(&status, &buf, 1, false), 0);
	vr_force_kick(&status);
	vd_sync(&d);
	ck_assert_int_ge(vr_get(&status, &len), 0);
	ck_assert_uint_eq(len, 0);
}

START_TEST(leds)
{
	setup(MHI_INPUT_KEYBOARD, 0);
	ck_assert_uint_eq(mhi_input_leds(dev), 0);
	light(EV_LED, LED_CAPSL, 1, 8);
	light(EV_LED, LED_NUML, 5, 8);
	ck_assert_uint_eq(mhi_input_leds(dev), 3);
	light(EV_LED, LED_NUML, 0, 8);
	light(EV_LED, 77, 1, 8);
	light(EV_SND, LED_SCROLLL, 1, 8);
	light(EV_LED, LED_SCROLLL, 1, 7);
	light(EV_LED, LED_SCROLLL, 1, 0);
	ck_assert_uint_eq(mhi_input_leds(dev), 2);
	vd_set_status(&d, 0);
	ck_assert_uint_eq(mhi_input_leds(dev), 0);
	vd_fini(&d);
}
END_TEST

/* ---- drivers of nonsense ---- */

START_TEST(hostile)
{
	struct vd_buf out = { 0, 8, false };
	u32 len = 1;

	setup(MHI_INPUT_KEYBOARD, 0);
	/* Buffers that are too small, for reading, or nowhere: the event waits for a good one. */
	mhi_input_key(dev, KEY_A, true);
	give(3, 7);
	for (unsigned int n = 0; n < 3; n++) {
		ck_assert_int_ge(vr_get(&events, &len), 0);
		ck_assert_uint_eq(len, 0);
	}
	out.at = room[0];
	ck_assert_int_ge(vr_add(&events, &out, 1, false), 0);
	out.at = VD_RAM;
	out.write = true;
	ck_assert_int_ge(vr_add(&events, &out, 1, false), 0);
	vr_force_kick(&events);
	vd_sync(&d);
	ck_assert_int_ge(vr_get(&events, &len), 0);
	ck_assert_uint_eq(len, 0);
	ck_assert_int_ge(vr_get(&events, &len), 0);
	ck_assert_uint_eq(len, 0);
	give(2, 64);
	expect(EV_KEY, KEY_A, 1);
	expect_syn();
	ck_assert_uint_eq(d.logged, 1);
	vd_fini(&d);
}
END_TEST

static void add_tests(TCase *tcase)
{
	tcase_add_test(tcase, keyboards);
	tcase_add_test(tcase, pointers);
	tcase_add_test(tcase, keys);
	tcase_add_test(tcase, motion);
	tcase_add_test(tcase, fingers);
	tcase_add_test(tcase, full);
	tcase_add_test(tcase, full_of_fingers);
	tcase_add_test(tcase, rest);
	tcase_add_test(tcase, leds);
	tcase_add_test(tcase, hostile);
}

UNIT_MAIN("virtio_input", add_tests)
