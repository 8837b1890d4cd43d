// SPDX-License-Identifier: MIT
/* virtio-gpu: pictures from creation to the display, formats, fences, cursor, events; nonsense. */
#include "unit.h"
#include "core/edid.h"
#include "core/le.h"
#include "fake_loop.h"
#include "macrohard/error.h"
#include "vdriver.h"
#include "virtio/gpu.h"

#define VRAM (4ull << 20)
#define EVENTS 0x2000
#define CLEAR 0x2004
#define SCANOUTS 0x2008
#define OK 0x1100
#define UNSPEC 0x1200
#define NO_MEMORY 0x1201
#define BAD_SCANOUT 0x1202
#define BAD_RESOURCE 0x1203
#define BAD_PARAMETER 0x1205
#define BGRX 2

static struct vdriver d;
static struct mhi_display *display;
static struct mhi_vdev *dev;
static struct vring control, cursor;
static mh_gpa cmd_at, answer_at, pixels_at;
static u8 *cmd, *answer;
static u32 answer_bytes;

static void gone(void)
{
	mhi_display_destroy(display);
}

static void setup(void)
{
	vd_init(&d);
	d.gone = gone;
	ck_assert_int_eq(mhi_display_create(d.loop, VRAM, 800, 600, &display), 0);
	ck_assert_int_eq(mhi_gpu_create(&d.env, display, &dev), 0);
	vd_attach(&d, dev, false);
	ck_assert_uint_eq(d.pci.pci.device, 0x1050);
	cmd_at = vd_alloc(&d, 1 << 21, 4096);
	answer_at = vd_alloc(&d, 4096, 8);
	pixels_at = vd_alloc(&d, 1 << 20, 4096);
	cmd = vd_ptr(&d, cmd_at);
	answer = vd_ptr(&d, answer_at);
	ck_assert(vd_negotiate(&d, VIRTIO_F_VERSION_1 | 2));
	vr_init(&control, &d, 0, 16);
	vr_init(&cursor, &d, 1, 16);
	vd_ok(&d);
	vd_sync(&d);
}

static void teardown(void)
{
	vd_fini(&d);
}

/* A command of words behind its header; the answer's type. */
static u32 send_to(struct vring *r, u32 type, const u32 *words, u32 count, u32 more)
{
	const struct vd_buf buf[] = { { cmd_at, 24 + 4 * count + more, false },
				      { answer_at, 2048, true } };

	memset(cmd, 0, 24);
	memset(answer, 0xee, 2048);
	mhi_put_le32(cmd, type);
	for (u32 n = 0; n < count; n++)
		mhi_put_le32(cmd + 24 + 4 * n, words[n]);
	ck_assert_int_ge(vr_add(r, buf, 2, false), 0);
	vr_force_kick(r);
	vd_sync(&d);
	ck_assert_int_ge(vr_get(r, &answer_bytes), 0);
	ck_assert_uint_ge(answer_bytes, 24);
	return mhi_get_le32(answer);
}

#define SEND(type, ...)                                       \
	send_to(&control, type, (const u32[]){ __VA_ARGS__ }, \
		sizeof((const u32[]){ __VA_ARGS__ }) / 4, 0)
#define CREATE(id, format, w, h) SEND(0x101, id, format, w, h)
#define UNREF(id) SEND(0x102, id, 0)
#define SCANOUT(x, y, w, h, scanout, id) SEND(0x103, x, y, w, h, scanout, id)
#define FLUSH(x, y, w, h, id) SEND(0x104, x, y, w, h, id, 0)
#define TRANSFER(x, y, w, h, at, id) SEND(0x105, x, y, w, h, at, 0, id, 0)
#define CURSOR(type, scanout, x, y, id, hot_x, hot_y) \
	send_to(&cursor, type, (const u32[]){ scanout, x, y, 0, id, hot_x, hot_y, 0 }, 8, 0)

struct piece {
	mh_gpa gpa;
	u32 bytes;
};

static u32 attach(u32 id, const struct piece *piece, u32 count, u32 claimed)
{
	const u32 words[] = { id, claimed };
	u8 *p = cmd + 32;

	for (u32 n = 0; n < count; n++, p += 16) {
		mhi_put_le64(p, piece[n].gpa);
		mhi_put_le32(p + 8, piece[n].bytes);
		mhi_put_le32(p + 12, 0);
	}
	return send_to(&control, 0x106, words, 2, count * 16);
}

/* A picture with all of pixels_at behind it. */
static void make(u32 id, u32 format, u32 width, u32 height)
{
	const struct piece piece = { pixels_at, 1 << 20 };

	ck_assert_uint_eq(CREATE(id, format, width, height), OK);
	ck_assert_uint_eq(attach(id, &piece, 1, 1), OK);
}

static u32 *guest_pixels(void)
{
	return vd_ptr(&d, pixels_at);
}

static u32 seen(u32 x, u32 y)
{
	const struct mh_rect rect = { (s32)x, (s32)y, 1, 1 };
	u32 pixel;

	ck_assert_int_eq(mhi_display_read(display, &rect, &pixel, 4), 0);
	return pixel;
}

static struct mh_surface surface(void)
{
	struct mh_surface s;

	mhi_display_surface(display, &s);
	return s;
}

/* ---- what works ---- */

START_TEST(info)
{
	u8 edid[MHI_EDID_BYTES];

	ck_assert_uint_eq(vd_offered(&d) & 0xff, 2);
	ck_assert_uint_eq(vd_read(&d, SCANOUTS, 4), 1);
	ck_assert_uint_eq(send_to(&control, 0x100, NULL, 0, 0), 0x1101);
	ck_assert_uint_eq(answer_bytes, 408);
	ck_assert_uint_eq(mhi_get_le32(answer + 32), 800);
	ck_assert_uint_eq(mhi_get_le32(answer + 36), 600);
	ck_assert_uint_eq(mhi_get_le32(answer + 40), 1);
	ck_assert_uint_eq(mhi_get_le32(answer + 64), 0);
	ck_assert_uint_eq(SEND(0x10a, 0, 0), 0x1104);
	ck_assert_uint_eq(answer_bytes, 1056);
	ck_assert_uint_eq(mhi_get_le32(answer + 24), 128);
	mhi_edid_make(edid, 800, 600);
	ck_assert_int_eq(memcmp(answer + 32, edid, sizeof(edid)), 0);
	ck_assert_uint_eq(SEND(0x10a, 1, 0), BAD_SCANOUT);
	ck_assert_int_eq(mhi_display_resize(display, 4096, 100), 0);
	ck_assert_uint_eq(SEND(0x10a, 0, 0), UNSPEC);
	ck_assert_uint_eq(answer_bytes, 24);
}
END_TEST

START_TEST(draw)
{
	const struct piece scattered[] = { { pixels_at + 8192, 4096 },
					   { pixels_at, 0 },
					   { pixels_at + 3, 6 },
					   { pixels_at + 40000, 30000 } };

	/* Lines of 400 bytes in pieces of odd sizes: 4096, 0, 6, the rest. */
	ck_assert_uint_eq(CREATE(7, BGRX, 100, 50), OK);
	ck_assert_uint_eq(attach(7, scattered, 4, 4), OK);
	for (u32 n = 0; n < 5000; n++) {
		u32 at = n * 4;
		u8 pixel[4];

		mhi_put_le32(pixel, 0x1000000 + n);
		for (u32 i = 0; i < 4; i++, at++) {
			u8 *to = vd_ptr(&d, at < 4096	? pixels_at + 8192 + at
					    : at < 4102 ? pixels_at + 3 + at - 4096
							: pixels_at + 40000 + at - 4102);
			*to = pixel[i];
		}
	}
	ck_assert_uint_eq(SCANOUT(0, 0, 100, 50, 0, 7), OK);
	ck_assert_uint_eq(surface().width, 100);
	ck_assert_uint_eq(surface().height, 50);
	ck_assert_uint_eq(surface().stride, 400);
	/* A part: 10 x 5 at 20, 30. */
	ck_assert_uint_eq(TRANSFER(20, 30, 10, 5, 30 * 400 + 80, 7), OK);
	ck_assert_uint_eq(seen(19, 30), 0);
	ck_assert_uint_eq(seen(20, 30), 0x1000000 + 3020);
	ck_assert_uint_eq(seen(29, 34), 0x1000000 + 3429);
	ck_assert_uint_eq(seen(30, 34), 0);
	ck_assert_uint_eq(TRANSFER(0, 0, 100, 50, 0, 7), OK);
	for (u32 n = 0; n < 5000; n++)
		ck_assert_uint_eq(seen(n % 100, n / 100), 0x1000000 + n);
	/* A part of the picture is shown. */
	ck_assert_uint_eq(SCANOUT(10, 20, 30, 10, 0, 7), OK);
	ck_assert_uint_eq(seen(0, 0), 0x1000000 + 2010);
	ck_assert_uint_eq(seen(29, 9), 0x1000000 + 2939);
	ck_assert_uint_eq(SCANOUT(0, 0, 0, 0, 0, 0), OK);
	ck_assert_uint_eq(surface().width, 0);
}
END_TEST

START_TEST(formats)
{
	static const struct {
		u32 format;
		u8 bytes[4];
		bool alpha;
	} kinds[] = {
		{ 1, { 3, 2, 1, 9 }, true },   { 2, { 3, 2, 1, 9 }, false },
		{ 3, { 9, 1, 2, 3 }, true },   { 4, { 9, 1, 2, 3 }, false },
		{ 67, { 1, 2, 3, 9 }, true },  { 134, { 1, 2, 3, 9 }, false },
		{ 121, { 9, 3, 2, 1 }, true }, { 68, { 9, 3, 2, 1 }, false },
	};

	for (u32 n = 0; n < MHI_COUNT(kinds); n++) {
		make(n + 1, kinds[n].format, 64, 64);
		for (u32 i = 0; i < 64 * 64; i++)
			memcpy(guest_pixels() + i, kinds[n].bytes, 4);
		ck_assert_uint_eq(TRANSFER(0, 0, 64, 64, 0, n + 1), OK);
		ck_assert_uint_eq(SCANOUT(0, 0, 64, 64, 0, n + 1), OK);
		ck_assert_uint_eq(seen(0, 0) & 0xffffff, 0x010203);
		ck_assert_uint_eq(seen(63, 63) & 0xffffff, 0x010203);
		ck_assert_uint_eq(seen(63, 63) >> 24, 9);
	}
}
END_TEST

START_TEST(fences)
{
	const struct vd_buf buf[] = { { cmd_at, 32, false }, { answer_at, 24, true } };

	ck_assert_uint_eq(CREATE(1, BGRX, 1, 1), OK);
	ck_assert_uint_eq(mhi_get_le64(answer + 4), 0);
	memset(cmd, 0, 32);
	mhi_put_le32(cmd, 0x102);
	mhi_put_le32(cmd + 4, 0xff);
	mhi_put_le64(cmd + 8, 0x123456789abcdef0);
	mhi_put_le32(cmd + 16, 77);
	mhi_put_le32(cmd + 24, 1);
	ck_assert_int_ge(vr_add(&control, buf, 2, false), 0);
	vr_force_kick(&control);
	vd_sync(&d);
	ck_assert_int_ge(vr_get(&control, &answer_bytes), 0);
	ck_assert_uint_eq(mhi_get_le32(answer), OK);
	ck_assert_uint_eq(mhi_get_le32(answer + 4), 1);
	ck_assert_uint_eq(mhi_get_le64(answer + 8), 0x123456789abcdef0);
	ck_assert_uint_eq(mhi_get_le32(answer + 16), 77);
}
END_TEST

struct eye {
	u32 damages, cursors, moves, pixel;
	struct mh_rect rect;
	struct mh_cursor cursor;
};

static void on_damage(void *opaque, const struct mh_rect *rects, u32 count)
{
	struct eye *e = opaque;

	e->damages += count;
	e->rect = rects[0];
}

static void on_cursor(void *opaque, const struct mh_cursor *c, u32 moved)
{
	struct eye *e = opaque;

	e->cursors += !moved;
	e->moves += moved;
	e->cursor = *c;
	e->pixel = c->visible ? c->pixels[65] : 0;
}

static const struct mh_display_ops ops = { .version = 1, .damage = on_damage, .cursor = on_cursor };

START_TEST(telling)
{
	struct mh_display_listener *l;
	struct eye e = { 0 };

	ck_assert_int_eq(mhi_display_listen(display, &ops, &e, &l), 0);
	make(1, BGRX, 200, 100);
	make(2, BGRX, 200, 100);
	ck_assert_uint_eq(SCANOUT(50, 40, 100, 50, 0, 1), OK);
	ck_assert_uint_eq(FLUSH(0, 0, 200, 100, 2), OK);
	ck_assert_uint_eq(FLUSH(0, 0, 50, 100, 1), OK);
	ck_assert_uint_eq(e.damages, 0);
	ck_assert_uint_eq(FLUSH(40, 45, 20, 10, 1), OK);
	ck_assert_uint_eq(e.damages, 1);
	ck_assert_int_eq(e.rect.x, 0);
	ck_assert_int_eq(e.rect.y, 5);
	ck_assert_uint_eq(e.rect.width, 10);
	ck_assert_uint_eq(e.rect.height, 10);
	mhi_display_unlisten(l);
}
END_TEST

START_TEST(pointer)
{
	struct mh_display_listener *l;
	struct eye e = { 0 };

	ck_assert_int_eq(mhi_display_listen(display, &ops, &e, &l), 0);
	make(5, 1, 64, 64);
	make(6, 2, 16, 16);
	make(7, 1, 65, 64);
	for (u32 n = 0; n < 64 * 64; n++)
		guest_pixels()[n] = n ^ 1;
	ck_assert_uint_eq(TRANSFER(0, 0, 64, 64, 0, 5), OK);
	ck_assert_uint_eq(TRANSFER(0, 0, 16, 16, 0, 6), OK);
	ck_assert_uint_eq(CURSOR(0x300, 0, 10, (u32)-20, 5, 3, 4), OK);
	ck_assert_uint_eq(e.cursors, 2);
	ck_assert_uint_eq(e.cursor.visible, 1);
	ck_assert_int_eq(e.cursor.x, 13);
	ck_assert_int_eq(e.cursor.y, -16);
	ck_assert_uint_eq(e.cursor.hot_y, 4);
	ck_assert_uint_eq(e.pixel, 64);
	ck_assert_uint_eq(CURSOR(0x301, 0, 20, 30, 0, 0, 0), OK);
	ck_assert_uint_eq(e.moves, 1);
	ck_assert_int_eq(e.cursor.x, 23);
	ck_assert_int_eq(e.cursor.y, 34);
	/* Linux gives its cursors a format without alpha, and means it; the hot spot is within. */
	ck_assert_uint_eq(CURSOR(0x300, 0, 0x7fffffff, 0x80000000, 6, 0xffffffff, 15), OK);
	ck_assert_uint_eq(e.pixel, 0x40);
	ck_assert_uint_eq(e.cursor.hot_x, 15);
	ck_assert_int_eq(e.cursor.x, 16384);
	ck_assert_int_eq(e.cursor.y, -16384);
	ck_assert_uint_eq(CURSOR(0x300, 0, 0, 0, 7, 0, 0), BAD_PARAMETER);
	ck_assert_uint_eq(CURSOR(0x300, 0, 0, 0, 8, 0, 0), BAD_RESOURCE);
	ck_assert_uint_eq(CURSOR(0x300, 1, 0, 0, 5, 0, 0), BAD_SCANOUT);
	ck_assert_uint_eq(CURSOR(0x301, 1, 0, 0, 5, 0, 0), BAD_SCANOUT);
	ck_assert_uint_eq(e.cursor.visible, 1);
	ck_assert_uint_eq(CURSOR(0x300, 0, 0, 0, 0, 0, 0), OK);
	ck_assert_uint_eq(e.cursor.visible, 0);
	/* Each queue has its commands. */
	ck_assert_uint_eq(SEND(0x300, 0, 0, 0, 0, 5, 0, 0, 0), UNSPEC);
	ck_assert_uint_eq(send_to(&cursor, 0x100, NULL, 0, 0), UNSPEC);
	mhi_display_unlisten(l);
}
END_TEST

START_TEST(events)
{
	u32 irqs;

	vd_write(&d, 0x10, 2, 2);
	irqs = d.irqs[2];
	ck_assert_int_eq(mhi_display_resize(display, 1000, 500), 0);
	vd_sync(&d);
	ck_assert_uint_eq(d.irqs[2], irqs + 1);
	ck_assert_uint_eq(vd_read(&d, EVENTS, 4), 1);
	ck_assert_uint_eq(send_to(&control, 0x100, NULL, 0, 0), 0x1101);
	ck_assert_uint_eq(mhi_get_le32(answer + 32), 1000);
	vd_write(&d, EVENTS, 4, 0);
	ck_assert_uint_eq(vd_read(&d, EVENTS, 4), 1);
	vd_write(&d, CLEAR, 4, 2);
	ck_assert_uint_eq(vd_read(&d, EVENTS, 4), 1);
	vd_write(&d, CLEAR, 4, 1);
	ck_assert_uint_eq(vd_read(&d, EVENTS, 4), 0);
	ck_assert_uint_eq(vd_read(&d, CLEAR, 4), 0);
}
END_TEST

START_TEST(ends)
{
	u64 offset, other;

	make(1, BGRX, 1000, 1000);
	ck_assert_uint_eq(SCANOUT(0, 0, 1000, 1000, 0, 1), OK);
	ck_assert_uint_eq(surface().width, 1000);
	ck_assert_uint_eq(UNREF(1), OK);
	ck_assert_uint_eq(surface().width, 0);
	ck_assert_uint_eq(UNREF(1), BAD_RESOURCE);
	make(1, BGRX, 1000, 1000);
	make(2, BGRX, 64, 64);
	ck_assert_uint_eq(SCANOUT(0, 0, 1000, 1000, 0, 1), OK);
	ck_assert_uint_eq(CURSOR(0x300, 0, 0, 0, 2, 0, 0), OK);
	/* A reset frees everything. */
	vd_set_status(&d, 0);
	ck_assert_uint_eq(surface().width, 0);
	ck_assert(mhi_display_take(display, VRAM, &offset));
	ck_assert(!mhi_display_take(display, 1, &other));
	mhi_display_give(display, offset, VRAM);
	vd_sync(&d);
}
END_TEST

/* ---- nonsense ---- */

START_TEST(wrong_resources)
{
	const struct piece whole = { pixels_at, 1 << 20 };
	const struct piece wild[] = { { VD_RAM - 4096, 8192 }, { ~0ull - 4095, 8192 } };

	ck_assert_uint_eq(CREATE(0, BGRX, 10, 10), BAD_RESOURCE);
	ck_assert_uint_eq(CREATE(1, 0, 10, 10), BAD_PARAMETER);
	ck_assert_uint_eq(CREATE(1, 5, 10, 10), BAD_PARAMETER);
	ck_assert_uint_eq(CREATE(1, BGRX, 0, 10), BAD_PARAMETER);
	ck_assert_uint_eq(CREATE(1, BGRX, 10, 0), BAD_PARAMETER);
	ck_assert_uint_eq(CREATE(1, BGRX, 16385, 1), BAD_PARAMETER);
	ck_assert_uint_eq(CREATE(1, BGRX, 0xffffffff, 0xffffffff), BAD_PARAMETER);
	ck_assert_uint_eq(CREATE(1, BGRX, 16384, 16384), NO_MEMORY);
	ck_assert_uint_eq(CREATE(1, BGRX, 10, 10), OK);
	ck_assert_uint_eq(CREATE(1, BGRX, 10, 10), BAD_RESOURCE);
	ck_assert_uint_eq(attach(2, &whole, 1, 1), BAD_RESOURCE);
	ck_assert_uint_eq(SEND(0x107, 2, 0), BAD_RESOURCE);
	ck_assert_uint_eq(SEND(0x107, 1, 0), UNSPEC);
	ck_assert_uint_eq(TRANSFER(0, 0, 10, 10, 0, 1), UNSPEC);
	ck_assert_uint_eq(attach(1, &whole, 1, 0), BAD_PARAMETER);
	ck_assert_uint_eq(attach(1, &whole, 1, 2), BAD_PARAMETER);
	ck_assert_uint_eq(attach(1, &whole, 1, 0xffffffff), BAD_PARAMETER);
	ck_assert_uint_eq(attach(1, &whole, 1, 65536), BAD_PARAMETER);
	ck_assert_uint_eq(attach(1, wild, 1, 1), OK);
	ck_assert_uint_eq(attach(1, &whole, 1, 1), UNSPEC);
	ck_assert_uint_eq(TRANSFER(0, 0, 10, 10, 4096, 1), UNSPEC);
	ck_assert_uint_eq(SEND(0x107, 1, 0), OK);
	ck_assert_uint_eq(attach(1, wild + 1, 1, 1), OK);
	ck_assert_uint_eq(TRANSFER(0, 0, 10, 10, 4096, 1), UNSPEC);
	ck_assert_uint_eq(TRANSFER(0, 0, 10, 10, 8192 - 399, 1), BAD_PARAMETER);
	ck_assert_uint_eq(UNREF(1), OK);
	ck_assert_uint_eq(d.logged, 0);
}
END_TEST

START_TEST(wrong_rectangles)
{
	make(1, BGRX, 100, 50);
	ck_assert_uint_eq(TRANSFER(0, 0, 101, 50, 0, 1), BAD_PARAMETER);
	ck_assert_uint_eq(TRANSFER(1, 0, 0xffffffff, 50, 0, 1), BAD_PARAMETER);
	ck_assert_uint_eq(TRANSFER(0, 0xffffffff, 1, 1, 0, 1), BAD_PARAMETER);
	ck_assert_uint_eq(TRANSFER(0, 0, 100, 50, (1 << 20) - 19999, 1), BAD_PARAMETER);
	ck_assert_uint_eq(SEND(0x105, 0, 0, 1, 1, 0xffffffff, 0xffffffff, 1, 0), BAD_PARAMETER);
	ck_assert_uint_eq(TRANSFER(100, 50, 0, 0, 0xffffffff, 1), OK);
	ck_assert_uint_eq(TRANSFER(0, 0, 1, 1, 0, 2), BAD_RESOURCE);
	ck_assert_uint_eq(FLUSH(0, 0, 1, 1, 2), BAD_RESOURCE);
	ck_assert_uint_eq(FLUSH(100, 0, 1, 1, 1), BAD_PARAMETER);
	ck_assert_uint_eq(SCANOUT(0, 0, 100, 50, 1, 1), BAD_SCANOUT);
	ck_assert_uint_eq(SCANOUT(0, 0, 100, 50, 0, 2), BAD_RESOURCE);
	ck_assert_uint_eq(SCANOUT(0, 0, 0, 50, 0, 1), BAD_PARAMETER);
	ck_assert_uint_eq(SCANOUT(1, 0, 100, 50, 0, 1), BAD_PARAMETER);
	ck_assert_uint_eq(surface().width, 0);
}
END_TEST

START_TEST(too_many)
{
	const struct piece one = { pixels_at, 4096 };
	u32 most = 0, count = 60000;

	while (CREATE(most + 1, BGRX, 1, 1) == OK)
		most++;
	ck_assert_uint_eq(mhi_get_le32(answer), NO_MEMORY);
	ck_assert_uint_eq(most, 1024);
	/* Lists of nothing: what is counted is their length. */
	memset(cmd, 0, 32 + 16 * count);
	for (u32 n = 1; n <= 4; n++)
		ck_assert_uint_eq(
			send_to(&control, 0x106, (const u32[]){ n, count }, 2, 16 * count), OK);
	ck_assert_uint_eq(send_to(&control, 0x106, (const u32[]){ 5, count }, 2, 16 * count),
			  NO_MEMORY);
	ck_assert_uint_eq(TRANSFER(0, 0, 1, 1, 0, 1), BAD_PARAMETER);
	ck_assert_uint_eq(UNREF(1), OK);
	ck_assert_uint_eq(send_to(&control, 0x106, (const u32[]){ 5, count }, 2, 16 * count), OK);
	ck_assert_uint_eq(attach(6, &one, 1, 1), OK);
	ck_assert_uint_eq(TRANSFER(0, 0, 1, 1, 4092, 6), OK);
	for (u32 n = 2; n <= most; n++)
		ck_assert_uint_eq(UNREF(n), OK);
}
END_TEST

/* Commands that end early, no room for answers, commands that do not exist. */
START_TEST(wrong_commands)
{
	static const u32 types[] = { 0x100, 0x101, 0x102, 0x103, 0x104,	 0x105,
				     0x106, 0x107, 0x108, 0x109, 0x10a,	 0x10b,
				     0x10c, 0x200, 0x207, 0,	 0x1100, 0xffffffff };
	struct vd_buf buf[] = { { cmd_at, 23, false }, { answer_at, 2048, true } };

	for (u32 n = 0; n < MHI_COUNT(types); n++) {
		u32 got = send_to(&control, types[n], NULL, 0, 0);

		if (types[n] != 0x100)
			ck_assert_uint_eq(got, types[n] > 0x100 && types[n] <= 0x10a &&
							       types[n] != 0x108 &&
							       types[n] != 0x109
						       ? BAD_PARAMETER
						       : UNSPEC);
	}
	ck_assert_uint_eq(d.logged, 0);
	ck_assert_int_ge(vr_add(&control, buf, 2, false), 0);
	vr_force_kick(&control);
	vd_sync(&d);
	ck_assert_int_ge(vr_get(&control, &answer_bytes), 0);
	ck_assert_uint_eq(answer_bytes, 0);
	ck_assert_uint_eq(d.logged, 1);
	/* An answer that is cut off. */
	mhi_put_le32(cmd, 0x100);
	buf[0].bytes = 24;
	buf[1].bytes = 10;
	ck_assert_int_ge(vr_add(&control, buf, 2, false), 0);
	ck_assert_int_ge(vr_add(&cursor, buf, 1, false), 0);
	vr_force_kick(&control);
	vr_force_kick(&cursor);
	vd_sync(&d);
	ck_assert_int_ge(vr_get(&control, &answer_bytes), 0);
	ck_assert_uint_eq(answer_bytes, 10);
	ck_assert_int_ge(vr_get(&cursor, &answer_bytes), 0);
	ck_assert_uint_eq(answer_bytes, 0);
}
END_TEST

static void add_tests(TCase *tcase)
{
	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_add_test(tcase, info);
	tcase_add_test(tcase, draw);
	tcase_add_test(tcase, formats);
	tcase_add_test(tcase, fences);
	tcase_add_test(tcase, telling);
	tcase_add_test(tcase, pointer);
	tcase_add_test(tcase, events);
	tcase_add_test(tcase, ends);
	tcase_add_test(tcase, wrong_resources);
	tcase_add_test(tcase, wrong_rectangles);
	tcase_add_test(tcase, too_many);
	tcase_add_test(tcase, wrong_commands);
}

UNIT_MAIN("gpu", add_tests)
