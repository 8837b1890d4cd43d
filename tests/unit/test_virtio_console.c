// SPDX-License-Identifier: MIT
/* virtio-console: bytes both ways, ports with names, the control queues, hostile messages. */
#include "unit.h"
#include "core/le.h"
#include "vdriver.h"
#include "virtio/console.h"

static struct vdriver d;
static struct mhi_vdev *dev;
static struct vring rx, tx, ctl_rx, ctl_tx;
static mh_gpa buffer;
static struct {
	char text[20000];
	size_t len;
} said[2];

static void on_output(void *opaque, const void *data, size_t bytes)
{
	unsigned int n = (unsigned int)(uintptr_t)opaque;

	ck_assert_uint_le(said[n].len + bytes, sizeof(said[n].text));
	memcpy(said[n].text + said[n].len, data, bytes);
	said[n].len += bytes;
	/* A callback may give input. */
	mhi_console_input(dev, 0, "!", 1);
}

static u32 rooms, opened, open_now;

static void on_room(void *opaque)
{
	rooms++;
	mhi_console_input(dev, 1, "more", 4);
}

static void on_opened(void *opaque, bool open)
{
	opened++;
	open_now = open;
}

static void setup(unsigned int ports, bool multiport)
{
	struct mhi_console_port port[2] = {
		{ .output = on_output, .opaque = (void *)0 },
		{ .name = "org.test.0",
		  .output = on_output,
		  .opaque = (void *)1,
		  .room = on_room,
		  .opened = on_opened },
	};

	memset(said, 0, sizeof(said));
	vd_init(&d);
	ck_assert_int_eq(mhi_console_create(&d.env, port, ports, &dev), 0);
	vd_attach(&d, dev, false);
	buffer = vd_alloc(&d, 65536, 16);
	ck_assert_uint_eq(d.pci.pci.device, 0x1043);
	ck_assert(vd_negotiate(&d, VIRTIO_F_VERSION_1 | 1 | (multiport ? 2 : 0)));
	vr_init(&rx, &d, 0, 16);
	vr_init(&tx, &d, 1, 16);
	if (ports > 1) {
		vr_init(&ctl_rx, &d, 2, 16);
		vr_init(&ctl_tx, &d, 3, 16);
	}
	vd_ok(&d);
	vd_sync(&d);
}

static void put(struct vring *r, const void *data, u32 bytes)
{
	struct vd_buf buf = { buffer + 32768, bytes, false };
	u32 len;

	memcpy(vd_ptr(&d, buf.at), data, bytes);
	ck_assert_int_ge(vr_add(r, &buf, 1, false), 0);
	vr_kick(r);
	vd_sync(&d);
	ck_assert_int_ge(vr_get(r, &len), 0);
	ck_assert_uint_eq(len, 0);
}

/* One buffer at a fixed place for what comes; its length, or -1: nothing came. */
static int got(struct vring *r, u32 room)
{
	struct vd_buf buf = { buffer, room, true };
	u32 len;

	if (!rx.busy[0] || r != &rx)
		ck_assert_int_ge(vr_add(r, &buf, 1, false), 0);
	vr_kick(r);
	vd_sync(&d);
	return vr_get(r, &len) < 0 ? -1 : (int)len;
}

START_TEST(one_console)
{
	static char text[10000];

	setup(1, false);
	ck_assert_uint_eq(vd_offered(&d) & 0xff, 1);
	ck_assert_uint_eq(vd_read(&d, 0x12, 2), 2);
	put(&tx, "hello", 5);
	ck_assert_uint_eq(said[0].len, 5);
	ck_assert(!memcmp(said[0].text, "hello", 5));
	ck_assert_int_eq(got(&rx, 100), 1);
	ck_assert_uint_eq(*(u8 *)vd_ptr(&d, buffer), '!');
	/* More than the callback takes at once. */
	memset(text, 'x', sizeof(text));
	put(&tx, text, sizeof(text));
	ck_assert_uint_eq(said[0].len, 5 + sizeof(text));
	ck_assert_int_eq(got(&rx, 100), 3);
	/* Input waits for buffers, as much as fits, and comes in order. */
	ck_assert_uint_eq(mhi_console_input(dev, 0, "abcdef", 6), 6);
	ck_assert_int_eq(got(&rx, 4), 4);
	ck_assert(!memcmp(vd_ptr(&d, buffer), "abcd", 4));
	ck_assert_int_eq(got(&rx, 4), 2);
	ck_assert(!memcmp(vd_ptr(&d, buffer), "ef", 2));
	ck_assert_uint_eq(mhi_console_input(dev, 0, text, sizeof(text)), sizeof(text));
	ck_assert_uint_eq(mhi_console_input(dev, 0, text, sizeof(text)), 16384 - sizeof(text));
	ck_assert_uint_eq(mhi_console_input(dev, 0, text, 1), 0);
	vd_fini(&d);
}
END_TEST

START_TEST(resize)
{
	setup(1, false);
	vd_write(&d, 0x10, 2, 0);
	mhi_console_resize(dev, 0, 132, 43);
	ck_assert_uint_eq(vd_read(&d, 0x2000, 4), 132 | 43 << 16);
	ck_assert_uint_eq(d.irqs[0], 1);
	vd_fini(&d);
}
END_TEST

static void control(u32 id, u16 event, u16 value)
{
	u8 message[8];

	mhi_put_le32(message, id);
	mhi_put_le16(message + 4, event);
	mhi_put_le16(message + 6, value);
	put(&ctl_tx, message, sizeof(message));
}

static void expect(u32 id, u16 event, const char *more)
{
	size_t extra = more ? strlen(more) : 0;
	const u8 *m = vd_ptr(&d, buffer);

	ck_assert_int_eq(got(&ctl_rx, 128), (int)(8 + extra));
	ck_assert_uint_eq(mhi_get_le32(m), id);
	ck_assert_uint_eq(mhi_get_le16(m + 4), event);
	ck_assert_uint_eq(mhi_get_le16(m + 6), 1);
	if (extra)
		ck_assert(!memcmp(m + 8, more, extra));
}

START_TEST(ports)
{
	u32 len;

	setup(2, true);
	ck_assert_uint_eq(vd_offered(&d) & 0xff, 3);
	ck_assert_uint_eq(vd_read(&d, 0x12, 2), 6);
	ck_assert_uint_eq(vd_read(&d, 0x2004, 4), 2);
	control(0, 0, 1);
	expect(0, 1, NULL);
	expect(1, 1, NULL);
	mhi_console_resize(dev, 0, 'C', 'R');
	control(0, 3, 1);
	expect(0, 4, NULL);
	/* Its value is not that of a string: C 0 R 0. */
	ck_assert_int_eq(got(&ctl_rx, 128), 12);
	ck_assert_uint_eq(mhi_get_le16((u8 *)vd_ptr(&d, buffer) + 8), 'C');
	ck_assert_uint_eq(mhi_get_le16((u8 *)vd_ptr(&d, buffer) + 10), 'R');
	expect(0, 6, NULL);
	control(1, 3, 1);
	expect(1, 6, NULL);
	expect(1, 7, "org.test.0");
	/* Input waits until the port is open. */
	ck_assert_uint_eq(mhi_console_input(dev, 0, "abc", 3), 3);
	ck_assert_int_eq(got(&rx, 64), -1);
	control(0, 6, 1);
	vd_sync(&d);
	ck_assert_int_ge(vr_get(&rx, &len), 0);
	ck_assert_uint_eq(len, 3);
	/* Nonsense. */
	control(77, 3, 1);
	control(0, 99, 1);
	put(&ctl_tx, "abc", 3);
	ck_assert_uint_eq(d.logged, 1);
	ck_assert_uint_eq(vd_status(&d), 0xf);
	vd_fini(&d);
}
END_TEST

/* Who owns a port learns when it is opened, and when there is room again. */
START_TEST(owner)
{
	static char text[20000];
	struct vring rx1;
	u32 len;

	rooms = opened = 0;
	setup(2, true);
	vr_init(&rx1, &d, 4, 16);
	ck_assert_uint_eq(mhi_console_input(dev, 1, text, sizeof(text)), 16384);
	control(1, 6, 1);
	ck_assert_uint_eq(opened, 1);
	ck_assert_uint_eq(open_now, 1);
	/* What was there before is not for who has opened it. */
	ck_assert_uint_eq(rooms, 1);
	ck_assert_int_eq(got(&rx1, 64), 4);
	ck_assert_mem_eq(vd_ptr(&d, buffer), "more", 4);
	ck_assert_uint_eq(mhi_console_input(dev, 1, text, sizeof(text)), 16384);
	ck_assert_int_eq(got(&rx1, 8191), 8191);
	ck_assert_uint_eq(rooms, 1);
	ck_assert_int_eq(got(&rx1, 1), 1);
	ck_assert_uint_eq(rooms, 2);
	ck_assert_uint_eq(mhi_console_input(dev, 1, text, 16), 16);
	control(1, 6, 0);
	ck_assert_uint_eq(opened, 2);
	ck_assert_uint_eq(open_now, 0);
	ck_assert_int_lt(vr_get(&rx1, &len), 0);
	vd_fini(&d);
}
END_TEST

/*
 * What a guest makes the device do in one turn must end, for other devices need the loop too. Once
 * buffers without room were taken for as long as the guest brought more, and a buffer that names
 * all memory many times was sent in full.
 */
START_TEST(turns_end)
{
	const struct vd_buf empty = { buffer, 0, true };
	struct vd_buf all[14];
	unsigned int taken = 0;
	u32 len;

	setup(1, false);
	ck_assert(vd_negotiate(&d, VIRTIO_F_VERSION_1));
	vr_init(&rx, &d, 0, 64);
	vr_init(&tx, &d, 1, 16);
	vd_ok(&d);
	vd_sync(&d);
	for (unsigned int n = 0; n < 64; n++)
		ck_assert_int_ge(vr_add(&rx, &empty, 1, false), 0);
	ck_assert_uint_eq(mhi_console_input(dev, 0, "a", 1), 1);
	mhi_vdev_enter(dev);
	dev->ops->kick(dev, 0);
	mhi_vdev_leave(dev);
	while (vr_get(&rx, &len) >= 0)
		taken++;
	ck_assert_uint_eq(taken, 32);
	/* The rest is taken in the next one. */
	vd_sync(&d);
	while (vr_get(&rx, &len) >= 0)
		taken++;
	ck_assert_uint_eq(taken, 64);
	ck_assert_int_eq(got(&rx, 4), 1);

	for (unsigned int n = 0; n < 14; n++)
		all[n] = (struct vd_buf){ 0, VD_RAM, false };
	ck_assert_int_ge(vr_add(&tx, all, 14, false), 0);
	vr_kick(&tx);
	vd_sync(&d);
	ck_assert_int_ge(vr_get(&tx, &len), 0);
	ck_assert_uint_eq(said[0].len, 0);
	ck_assert_uint_eq(d.logged, 1);
	put(&tx, "abc", 3);
	ck_assert_uint_eq(said[0].len, 3);
	vd_fini(&d);
}
END_TEST

static void add_tests(TCase *tcase)
{
	tcase_add_test(tcase, one_console);
	tcase_add_test(tcase, resize);
	tcase_add_test(tcase, ports);
	tcase_add_test(tcase, owner);
	tcase_add_test(tcase, turns_end);
}

UNIT_MAIN("virtio_console", add_tests)
