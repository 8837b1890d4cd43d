// SPDX-License-Identifier: MIT
/* The display: video memory, who shows what, damage, those who look; EDID; pictures as PNG. */
#include "unit.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include "core/be.h"
#include "core/display.h"
#include "core/edid.h"
#include "core/le.h"
#include "core/png.h"
#include "fake_loop.h"
#include "macrohard/error.h"

#define VRAM (2ull << 20)
#define PAGE MHI_PAGE_SIZE

static struct mhi_loop *loop;
static struct mhi_display *d;

static void setup(void)
{
	ck_assert_int_eq(mhi_loop_create(&loop), 0);
	ck_assert_int_eq(mhi_display_create(loop, VRAM, 640, 480, &d), 0);
}

static void teardown(void)
{
	mhi_display_destroy(d);
	mhi_loop_destroy(loop);
}

/* ---- memory ---- */

START_TEST(vram_pieces)
{
	struct mhi_vram v;
	u64 a, b, c, at;

	ck_assert_int_eq(mhi_vram_init(&v, 200 * PAGE), 0);
	ck_assert(mhi_vram_take(&v, 1, &a));
	ck_assert(mhi_vram_take(&v, 100 * PAGE, &b));
	ck_assert(mhi_vram_take(&v, 99 * PAGE, &c));
	ck_assert_uint_eq(a, 0);
	ck_assert_uint_eq(b, PAGE);
	ck_assert_uint_eq(c, 101 * PAGE);
	ck_assert_uint_eq(v.taken, 200 * PAGE);
	ck_assert(!mhi_vram_take(&v, 1, &at));
	memset(v.host + b, 0x55, 100 * PAGE);
	mhi_vram_give(&v, b, 100 * PAGE);
	ck_assert(!mhi_vram_take(&v, 100 * PAGE + 1, &at));
	ck_assert(mhi_vram_take(&v, 70 * PAGE - 5, &at));
	ck_assert_uint_eq(at, PAGE);
	/* What another had there is gone. */
	ck_assert_uint_eq(v.host[at], 0);
	ck_assert_uint_eq(v.host[at + 70 * PAGE - 1], 0);
	ck_assert(!mhi_vram_take(&v, 31 * PAGE, &b));
	ck_assert(mhi_vram_take(&v, 30 * PAGE, &b));
	ck_assert_uint_eq(b, 71 * PAGE);
	ck_assert(!mhi_vram_take(&v, 0, &b));
	ck_assert(!mhi_vram_take(&v, ~0ull, &b));
	mhi_vram_fini(&v);
}
END_TEST

START_TEST(vram_file)
{
	struct mh_surface s;
	struct stat st;
	u64 at;
	u8 *seen;

	mhi_display_surface(d, &s);
	ck_assert_uint_eq(s.bytes, VRAM);
	ck_assert_int_eq(fstat(s.fd, &st), 0);
	ck_assert_int_eq(st.st_size, VRAM);
	/* Who looks can neither change its size nor write. */
	ck_assert_int_ne(ftruncate(s.fd, PAGE), 0);
	ck_assert_ptr_eq(mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, s.fd, 0), MAP_FAILED);
	seen = mmap(NULL, VRAM, PROT_READ, MAP_SHARED, s.fd, 0);
	ck_assert_ptr_ne(seen, MAP_FAILED);
	ck_assert_int_eq(st.st_blocks, 0);
	ck_assert(mhi_display_take(d, 3 * PAGE, &at));
	mhi_display_host(d)[at + 2 * PAGE] = 77;
	ck_assert_uint_eq(seen[at + 2 * PAGE], 77);
	ck_assert_int_eq(fstat(s.fd, &st), 0);
	ck_assert_int_eq(st.st_blocks * 512, PAGE);
	/* Freed, it costs nothing, and may still be looked at. */
	mhi_display_give(d, at, 3 * PAGE);
	ck_assert_int_eq(fstat(s.fd, &st), 0);
	ck_assert_int_eq(st.st_blocks, 0);
	ck_assert_uint_eq(seen[at + 2 * PAGE], 0);
	munmap(seen, VRAM);
}
END_TEST

/* ---- looking ---- */

struct eye {
	u32 surfaces, damages, rects, cursors, moves;
	struct mh_surface surface;
	struct mh_rect first, last;
	struct mh_cursor cursor;
	u32 pixel; /* the cursor's first */
	struct mh_display_listener *self;
	bool leaves;
};

static void on_surface(void *opaque, const struct mh_surface *s)
{
	struct eye *e = opaque;

	e->surfaces++;
	e->surface = *s;
	if (e->leaves)
		mhi_display_unlisten(e->self);
}

static void on_damage(void *opaque, const struct mh_rect *rects, u32 count)
{
	struct eye *e = opaque;

	e->damages++;
	e->rects += count;
	e->first = rects[0];
	e->last = rects[count - 1];
}

static void on_cursor(void *opaque, const struct mh_cursor *c, u32 moved)
{
	struct eye *e = opaque;

	e->cursors += !moved;
	e->moves += moved;
	e->cursor = *c;
	e->pixel = c->visible ? c->pixels[0] : 0;
}

static const struct mh_display_ops ops = {
	.version = 1, .surface = on_surface, .damage = on_damage, .cursor = on_cursor
};

static void look(struct eye *e)
{
	ck_assert_int_eq(mhi_display_listen(d, &ops, e, &e->self), 0);
}

static void show(enum mhi_display_driver driver, u64 offset, u32 width, u32 height)
{
	const struct mhi_display_mode mode = { offset, width, height, width * 4, false };

	mhi_display_show(d, driver, &mode);
}

static void damage(enum mhi_display_driver driver, s32 x, s32 y, u32 width, u32 height)
{
	const struct mh_rect rect = { x, y, width, height };

	mhi_display_damage(d, driver, &rect);
}

START_TEST(drivers)
{
	struct eye e = { 0 };

	look(&e);
	ck_assert_uint_eq(e.surfaces, 1);
	ck_assert_uint_eq(e.surface.width, 0);
	ck_assert_uint_eq(e.cursors, 1);
	ck_assert_uint_eq(e.cursor.visible, 0);
	show(MHI_DISPLAY_FIRMWARE, 4096, 320, 200);
	ck_assert_uint_eq(e.surfaces, 1);
	fake_loop_run(loop);
	ck_assert_uint_eq(e.surfaces, 2);
	ck_assert_uint_eq(e.surface.width, 320);
	ck_assert_uint_eq(e.surface.height, 200);
	ck_assert_uint_eq(e.surface.stride, 1280);
	ck_assert_uint_eq(e.surface.offset, 4096);
	/* The graphics card covers the firmware's picture; what that does is not seen. */
	show(MHI_DISPLAY_GPU, 0, 640, 480);
	fake_loop_run(loop);
	ck_assert_uint_eq(e.surface.width, 640);
	show(MHI_DISPLAY_FIRMWARE, 4096, 400, 200);
	damage(MHI_DISPLAY_FIRMWARE, 0, 0, 10, 10);
	show(MHI_DISPLAY_GPU, 0, 640, 480);
	fake_loop_run(loop);
	ck_assert_uint_eq(e.surfaces, 3);
	ck_assert_uint_eq(e.damages, 0);
	show(MHI_DISPLAY_GPU, 0, 0, 0);
	fake_loop_run(loop);
	ck_assert_uint_eq(e.surface.width, 400);
	/* Many changes are one. */
	for (u32 n = 1; n < 100; n++)
		show(MHI_DISPLAY_GPU, PAGE * (n & 1), 64, 64);
	fake_loop_run(loop);
	ck_assert_uint_eq(e.surfaces, 5);
	ck_assert_uint_eq(e.surface.offset, PAGE);
	mhi_display_unlisten(e.self);
	show(MHI_DISPLAY_GPU, 0, 0, 0);
	fake_loop_run(loop);
	ck_assert_uint_eq(e.surfaces, 5);
}
END_TEST

START_TEST(damages)
{
	struct eye e = { 0 };

	show(MHI_DISPLAY_GPU, 0, 640, 480);
	damage(MHI_DISPLAY_GPU, 0, 0, 640, 480);
	look(&e);
	fake_loop_run(loop);
	ck_assert_uint_eq(e.damages, 0);
	damage(MHI_DISPLAY_GPU, 10, 20, 30, 40);
	damage(MHI_DISPLAY_GPU, 11, 21, 3, 4);
	damage(MHI_DISPLAY_GPU, -5, -5, 10, 10);
	damage(MHI_DISPLAY_GPU, 639, 479, 0xffffffff, 0xffffffff);
	damage(MHI_DISPLAY_GPU, 640, 0, 5, 5);
	damage(MHI_DISPLAY_GPU, -5, 0, 5, 5);
	damage(MHI_DISPLAY_GPU, 0, 0, 0, 5);
	fake_loop_run(loop);
	ck_assert_uint_eq(e.damages, 1);
	ck_assert_uint_eq(e.rects, 3);
	ck_assert_int_eq(e.first.x, 10);
	ck_assert_uint_eq(e.first.height, 40);
	ck_assert_int_eq(e.last.x, 639);
	ck_assert_uint_eq(e.last.width, 1);
	ck_assert_uint_eq(e.last.height, 1);
	/* Too many are as many as there is room for, and lose nothing. */
	e.rects = 0;
	for (s32 n = 0; n < 17; n++)
		damage(MHI_DISPLAY_GPU, 16 - n + 100, 2 * n + 50, 1, 1);
	fake_loop_run(loop);
	ck_assert_uint_eq(e.rects, 1);
	ck_assert_int_eq(e.first.x, 100);
	ck_assert_int_eq(e.first.y, 50);
	ck_assert_uint_eq(e.first.width, 17);
	ck_assert_uint_eq(e.first.height, 33);
	/* Of a new picture all is damaged. */
	damage(MHI_DISPLAY_GPU, 0, 0, 5, 5);
	show(MHI_DISPLAY_GPU, PAGE, 32, 32);
	damage(MHI_DISPLAY_GPU, 0, 0, 5, 5);
	fake_loop_run(loop);
	ck_assert_uint_eq(e.damages, 2);
	ck_assert_uint_eq(e.surfaces, 2);
}
END_TEST

START_TEST(cursors)
{
	static u32 pixels[MH_CURSOR_SIDE_MAX * MH_CURSOR_SIDE_MAX] = { 0x80123456 };
	struct mh_cursor c = {
		.visible = 1, .x = 3, .y = 4, .width = 256, .height = 256, .pixels = pixels
	};
	struct eye e = { 0 };

	mhi_display_cursor_move(d, 1, 1);
	look(&e);
	mhi_display_cursor(d, &c);
	fake_loop_run(loop);
	ck_assert_uint_eq(e.cursors, 2);
	ck_assert_int_eq(e.cursor.y, 4);
	ck_assert_uint_eq(e.pixel, 0x80123456);
	mhi_display_cursor_move(d, -7, 8);
	mhi_display_cursor_move(d, -7, 9);
	mhi_display_cursor_move(d, -7, 9);
	fake_loop_run(loop);
	ck_assert_uint_eq(e.moves, 1);
	ck_assert_int_eq(e.cursor.x, -7);
	ck_assert_int_eq(e.cursor.y, 9);
	c.visible = 0;
	mhi_display_cursor(d, &c);
	mhi_display_cursor_move(d, 5, 5);
	fake_loop_run(loop);
	ck_assert_uint_eq(e.cursors, 3);
	ck_assert_uint_eq(e.cursor.visible, 0);
}
END_TEST

START_TEST(coming_and_going)
{
	struct eye a = { 0 }, b = { .leaves = true }, c = { 0 };

	look(&a);
	b.leaves = false;
	look(&b);
	look(&c);
	b.leaves = true;
	show(MHI_DISPLAY_GPU, 0, 100, 100);
	fake_loop_run(loop);
	show(MHI_DISPLAY_GPU, 0, 100, 101);
	fake_loop_run(loop);
	ck_assert_uint_eq(a.surfaces, 3);
	ck_assert_uint_eq(b.surfaces, 2);
	ck_assert_uint_eq(b.cursors, 1);
	ck_assert_uint_eq(c.surfaces, 3);
	/* One who comes does not lose others what they were not told yet. */
	damage(MHI_DISPLAY_GPU, 1, 1, 1, 1);
	b.leaves = false;
	look(&b);
	ck_assert_uint_eq(a.damages, 1);
	ck_assert_uint_eq(b.damages, 0);
	mhi_display_unlisten(NULL);
	mhi_display_unlisten(a.self);
	/* The others are freed with the display. */
}
END_TEST

static u32 resizes;

static void on_resize(void *opaque)
{
	resizes++;
}

START_TEST(sizes)
{
	u32 width, height;

	resizes = 0;
	mhi_display_on_resize(d, on_resize, NULL);
	ck_assert_int_eq(mhi_display_resize(d, 800, 600), 0);
	ck_assert_int_eq(mhi_display_resize(d, 800, 601), 0);
	ck_assert_int_eq(mhi_display_resize(d, 800, 601), 0);
	fake_loop_run(loop);
	ck_assert_uint_eq(resizes, 1);
	mhi_display_wanted(d, &width, &height);
	ck_assert_uint_eq(width, 800);
	ck_assert_uint_eq(height, 601);
	ck_assert_int_eq(mhi_display_resize(d, 800, 601), 0);
	fake_loop_run(loop);
	ck_assert_uint_eq(resizes, 1);
	ck_assert_int_eq(mhi_display_resize(d, 63, 600), MH_EINVAL);
	ck_assert_int_eq(mhi_display_resize(d, 64, 16385), MH_EINVAL);
	ck_assert_int_eq(mhi_display_resize(d, 64, 8193), MH_EINVAL);
	ck_assert_int_eq(mhi_display_resize(d, 64, 8192), 0);
	mhi_display_on_resize(d, NULL, NULL);
	fake_loop_run(loop);
	ck_assert_uint_eq(resizes, 1);
}
END_TEST

/* ---- copies ---- */

START_TEST(reading)
{
	const struct mhi_display_mode mode = { PAGE, 8, 4, 64, false };
	struct mh_rect rect = { 2, 1, 3, 2 };
	u32 out[2][4] = { 0 }, *line;

	ck_assert_int_eq(mhi_display_read(d, &rect, out, 16), MH_ESTATE);
	mhi_display_show(d, MHI_DISPLAY_GPU, &mode);
	for (u32 y = 0; y < 4; y++) {
		line = (u32 *)(mhi_display_host(d) + PAGE + y * 64);
		for (u32 x = 0; x < 8; x++)
			line[x] = y * 256 + x;
	}
	ck_assert_int_eq(mhi_display_read(d, &rect, out, 16), 0);
	ck_assert_uint_eq(out[0][0], 0x102);
	ck_assert_uint_eq(out[0][3], 0);
	ck_assert_uint_eq(out[1][2], 0x204);
	rect = (struct mh_rect){ 2, 1, 7, 1 };
	ck_assert_int_eq(mhi_display_read(d, &rect, out, 16), MH_ERANGE);
	rect = (struct mh_rect){ 2, 1, 1, 0xffffffff };
	ck_assert_int_eq(mhi_display_read(d, &rect, out, 16), MH_ERANGE);
	rect = (struct mh_rect){ -1, 1, 1, 1 };
	ck_assert_int_eq(mhi_display_read(d, &rect, out, 16), MH_ERANGE);
}
END_TEST

struct file {
	u8 bytes[1 << 20];
	size_t count, most;
};

static int to_file(void *opaque, const void *bytes, size_t count)
{
	struct file *f = opaque;

	if (f->count + count > f->most)
		return MH_EIO;
	memcpy(f->bytes + f->count, bytes, count);
	f->count += count;
	return 0;
}

/* All chunks, their sums checked; the data of those of pixels, together. */
static size_t open_png(const struct file *f, u8 *data)
{
	size_t at = 8, all = 0;

	ck_assert_int_eq(memcmp(f->bytes, "\x89PNG\r\n\x1a\n", 8), 0);
	while (at < f->count) {
		const u8 *p = f->bytes + at;
		u32 bytes = mhi_get_be32(p);

		ck_assert_uint_eq(mhi_get_be32(p + 8 + bytes), crc32(0, p + 4, bytes + 4));
		if (!memcmp(p + 4, "IDAT", 4)) {
			memcpy(data + all, p + 8, bytes);
			all += bytes;
		}
		at += 12 + bytes;
	}
	ck_assert_uint_eq(at, f->count);
	ck_assert_int_eq(memcmp(f->bytes + f->count - 8, "IEND", 4), 0);
	return all;
}

static void check_png(const u32 *pixels, u32 width, u32 height)
{
	static struct file f;
	static u8 data[1 << 20], raw[1 << 20];
	uLongf raw_bytes = sizeof(raw);
	u64 line = 1 + 3 * (u64)width;
	u8 up[3] = { 0 };

	f.count = 0;
	f.most = sizeof(f.bytes);
	ck_assert_int_eq(mhi_png_write(pixels, width, height, to_file, &f), 0);
	ck_assert_uint_eq(mhi_get_be32(f.bytes + 16), width);
	ck_assert_uint_eq(mhi_get_be32(f.bytes + 20), height);
	ck_assert_int_eq(uncompress(raw, &raw_bytes, data, open_png(&f, data)), Z_OK);
	ck_assert_uint_eq(raw_bytes, line * height);
	for (u32 x = 0; x < width; x++) {
		memset(up, 0, sizeof(up));
		for (u32 y = 0; y < height; y++) {
			const u8 *p = raw + y * line + 1 + 3 * x;

			ck_assert_uint_eq(raw[y * line], 2);
			for (u32 c = 0; c < 3; c++) {
				up[c] = (u8)(up[c] + p[c]);
				ck_assert_uint_eq(up[c],
						  pixels[y * width + x] >> (16 - 8 * c) & 0xff);
			}
		}
	}
	/* Wherever writing fails, that is told. */
	f.most = f.count / 2;
	f.count = 0;
	ck_assert_int_eq(mhi_png_write(pixels, width, height, to_file, &f), MH_EIO);
}

START_TEST(png)
{
	static u32 noise[300 * 200];
	u32 x = 1;

	check_png((const u32[]){ 0xff123456 }, 1, 1);
	for (u32 n = 0; n < MHI_COUNT(noise); n++)
		noise[n] = x = x * 1664525 + 1013904223;
	check_png(noise, 300, 200);
	memset(noise, 0x33, sizeof(noise));
	check_png(noise, 200, 300);
}
END_TEST

START_TEST(picture)
{
	const u32 arrow[] = { 0xff0000ff, 0x8000ff00, 0x00ffffff, 0xffffffff };
	const struct mh_cursor c = {
		.visible = 1, .x = 2, .y = 1, .width = 2, .height = 2, .hot_x = 1, .pixels = arrow
	};
	u32 *pixels, width, height;

	ck_assert_int_eq(mhi_display_picture(d, &pixels, &width, &height), MH_ESTATE);
	show(MHI_DISPLAY_GPU, 0, 4, 3);
	for (u32 n = 0; n < 12; n++)
		((u32 *)mhi_display_host(d))[n] = 0x00800080;
	mhi_display_cursor(d, &c);
	ck_assert_int_eq(mhi_display_picture(d, &pixels, &width, &height), 0);
	ck_assert_uint_eq(width, 4);
	ck_assert_uint_eq(height, 3);
	ck_assert_uint_eq(pixels[0], 0x00800080);
	ck_assert_uint_eq(pixels[5], 0x000000ff);
	ck_assert_uint_eq(pixels[6], 0x00408040);
	ck_assert_uint_eq(pixels[9], 0x00800080);
	ck_assert_uint_eq(pixels[10], 0x00ffffff);
	ck_assert_uint_eq(pixels[11], 0x00800080);
	free(pixels);
	/* Mostly beside the picture. */
	mhi_display_cursor_move(d, -0x7fffffff, 0x7fffffff);
	ck_assert_int_eq(mhi_display_picture(d, &pixels, &width, &height), 0);
	free(pixels);
	mhi_display_cursor_move(d, 0, 2);
	ck_assert_int_eq(mhi_display_picture(d, &pixels, &width, &height), 0);
	ck_assert_uint_eq(pixels[8], 0x00408040);
	free(pixels);
}
END_TEST

START_TEST(edid)
{
	static const u32 size[][2] = { { 1024, 768 }, { 64, 64 }, { 1919, 1081 }, { 4095, 4095 } };

	for (unsigned int n = 0; n < MHI_COUNT(size); n++) {
		u8 e[MHI_EDID_BYTES], sum = 0;
		const u8 *t = e + 54;
		u32 clock, h, v;

		mhi_edid_make(e, size[n][0], size[n][1]);
		for (unsigned int i = 0; i < MHI_EDID_BYTES; i++)
			sum = (u8)(sum + e[i]);
		ck_assert_uint_eq(sum, 0);
		ck_assert_uint_eq(mhi_get_le64(e), 0x00ffffffffffff00);
		ck_assert_uint_eq(t[2] | (t[4] & 0xf0) << 4, size[n][0]);
		ck_assert_uint_eq(t[5] | (t[7] & 0xf0) << 4, size[n][1]);
		clock = mhi_get_le16(t) * 10000u;
		h = size[n][0] + (t[3] | (t[4] & 15u) << 8);
		v = size[n][1] + (t[6] | (t[7] & 15u) << 8);
		if (size[n][0] < 4000) {
			ck_assert_uint_le(clock / h / v, 60);
			ck_assert_uint_ge(clock / h / v, 58);
		}
	}
}
END_TEST

static void add_tests(TCase *tcase)
{
	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_add_test(tcase, vram_pieces);
	tcase_add_test(tcase, vram_file);
	tcase_add_test(tcase, drivers);
	tcase_add_test(tcase, damages);
	tcase_add_test(tcase, cursors);
	tcase_add_test(tcase, coming_and_going);
	tcase_add_test(tcase, sizes);
	tcase_add_test(tcase, reading);
	tcase_add_test(tcase, png);
	tcase_add_test(tcase, picture);
	tcase_add_test(tcase, edid);
}

UNIT_MAIN("display", add_tests)
