// SPDX-License-Identifier: MIT
/*
 * Draws in a Linux guest, by dumb buffers of its first display: a picture, another one by a page
 * flip, a part of that, a cursor, and, when the host has asked for another size, one of that size.
 * Says what it has drawn; a line of input lets it go on. STEPS is the last step; "once": it waits
 * in that one only.
 * usage: drm_draw [STEPS [once]]
 */
#include "drm_draw.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "drm_pattern.h"

#define MODES_MAX 128
#define ROUNDS_MAX 600 /* of a tenth of a second */

struct buffer {
	struct drm_dumb dumb;
	uint32_t fb;
	unsigned char *pixels;
};

static struct {
	int fd;
	uint32_t crtc, connector;
	struct drm_mode mode;
	int once;
} d;

static void check(int ok, const char *what)
{
	if (ok)
		return;
	printf("FAIL: drm_draw: ");
	fflush(stdout);
	perror(what);
	exit(EXIT_FAILURE);
}

static void find(void)
{
	uint32_t crtcs[8], connectors[8];
	struct drm_resources r = { .crtcs = (uintptr_t)crtcs,
				   .connectors = (uintptr_t)connectors,
				   .count_crtcs = 8,
				   .count_connectors = 8 };

	d.fd = open("/dev/dri/card0", O_RDWR | O_CLOEXEC);
	check(d.fd >= 0, "/dev/dri/card0");
	check(!ioctl(d.fd, DRM_RESOURCES, &r), "resources");
	check(r.count_crtcs == 1 && r.count_connectors == 1, "one display");
	d.crtc = crtcs[0];
	d.connector = connectors[0];
}

/* The mode that the display prefers now: asking without room looks anew. */
static struct drm_mode preferred(void)
{
	struct drm_mode modes[MODES_MAX];
	struct drm_connector c = { .id = d.connector };
	uint32_t n = 0;

	check(!ioctl(d.fd, DRM_CONNECTOR, &c), "connector");
	check(c.connection == CONNECTED, "the display is connected");
	c = (struct drm_connector){ .id = d.connector,
				    .modes = (uintptr_t)modes,
				    .count_modes = MODES_MAX };
	check(!ioctl(d.fd, DRM_CONNECTOR, &c) && c.count_modes, "modes");
	while (n < c.count_modes && !(modes[n].type & MODE_PREFERRED))
		n++;
	check(n < c.count_modes, "a preferred mode");
	return modes[n];
}

static struct buffer make(uint32_t width, uint32_t height, uint32_t depth)
{
	struct buffer b = { .dumb = { .width = width, .height = height, .bpp = 32 } };
	struct drm_fb fb;
	struct drm_map map = { 0 };

	check(!ioctl(d.fd, DRM_DUMB, &b.dumb), "dumb buffer");
	fb = (struct drm_fb){ 0, width, height, b.dumb.pitch, 32, depth, b.dumb.handle };
	check(depth == 32 || !ioctl(d.fd, DRM_ADDFB, &fb), "frame buffer");
	map.handle = b.dumb.handle;
	check(!ioctl(d.fd, DRM_MAP, &map), "map a buffer");
	b.fb = fb.id;
	b.pixels = mmap(NULL, b.dumb.size, PROT_READ | PROT_WRITE, MAP_SHARED, d.fd,
			(off_t)map.offset);
	check(b.pixels != MAP_FAILED, "mmap");
	return b;
}

static void draw(const struct buffer *b, uint32_t step, const struct drm_clip *part)
{
	for (uint32_t y = part->y1; y < part->y2; y++) {
		uint32_t *line = (uint32_t *)(b->pixels + (size_t)y * b->dumb.pitch);

		for (uint32_t x = part->x1; x < part->x2; x++)
			line[x] = pattern(step, x, y);
	}
}

static struct buffer picture(uint32_t step)
{
	struct buffer b = make(d.mode.hdisplay, d.mode.vdisplay, 24);

	draw(&b, step, &(struct drm_clip){ 0, 0, d.mode.hdisplay, d.mode.vdisplay });
	return b;
}

static void set(const struct buffer *b)
{
	struct drm_crtc crtc = { .connectors = (uintptr_t)&d.connector,
				 .count_connectors = 1,
				 .id = d.crtc,
				 .fb = b->fb,
				 .mode_valid = 1,
				 .mode = d.mode };

	check(!ioctl(d.fd, DRM_SETCRTC, &crtc), "set the mode");
}

static void drawn(uint32_t step, uint32_t steps)
{
	char line[64];

	printf("DRAWN %u %u %u\n", step, d.mode.hdisplay, d.mode.vdisplay);
	fflush(stdout);
	if (!d.once || step == steps)
		check(fgets(line, sizeof(line), stdin) != NULL, "a word from the host");
	if (step == steps)
		exit(EXIT_SUCCESS);
}

static void flip(const struct buffer *b)
{
	struct drm_flip f = { .crtc = d.crtc, .fb = b->fb, .flags = FLIP_EVENT };
	char event[128];

	check(!ioctl(d.fd, DRM_FLIP, &f), "flip");
	check(read(d.fd, event, sizeof(event)) > 0, "the flip's event");
}

static void point(void)
{
	struct buffer b = make(CURSOR_SIDE, CURSOR_SIDE, 32);
	struct drm_cursor c = { .flags = CURSOR_BO,
				.crtc = d.crtc,
				.width = CURSOR_SIDE,
				.height = CURSOR_SIDE,
				.handle = b.dumb.handle,
				.hot_x = CURSOR_HOT_X,
				.hot_y = CURSOR_HOT_Y };

	for (uint32_t y = 0; y < CURSOR_SIDE; y++)
		for (uint32_t x = 0; x < CURSOR_SIDE; x++)
			((uint32_t *)b.pixels)[y * CURSOR_SIDE + x] = pattern_cursor(x, y);
	check(!ioctl(d.fd, DRM_CURSOR, &c), "cursor");
	c.flags = CURSOR_MOVE;
	c.x = CURSOR_X;
	c.y = CURSOR_Y;
	check(!ioctl(d.fd, DRM_CURSOR, &c), "move the cursor");
}

static void hide(void)
{
	struct drm_cursor c = { .flags = CURSOR_BO, .crtc = d.crtc };

	check(!ioctl(d.fd, DRM_CURSOR, &c), "hide the cursor");
}

/* The display's own wish has changed. */
static void follow(void)
{
	const struct timespec pause = { .tv_nsec = 100000000 };
	struct drm_mode mode = preferred();

	for (int n = 0; n < ROUNDS_MAX; n++) {
		if (mode.hdisplay != d.mode.hdisplay || mode.vdisplay != d.mode.vdisplay)
			break;
		nanosleep(&pause, NULL);
		mode = preferred();
	}
	d.mode = mode;
}

int main(int argc, char **argv)
{
	uint32_t steps = argc > 1 ? (uint32_t)strtoul(argv[1], NULL, 10) : 5;
	struct buffer first, second, other;
	struct drm_clip part = { PART_X, PART_Y, PART_X + PART_WIDTH, PART_Y + PART_HEIGHT };
	struct drm_dirty dirty = { .count = 1, .clips = (uintptr_t)&part };

	d.once = argc > 2;
	find();
	d.mode = preferred();
	first = picture(1);
	set(&first);
	drawn(1, steps);
	second = picture(2);
	flip(&second);
	drawn(2, steps);
	draw(&second, 3, &part);
	dirty.fb = second.fb;
	/* A driver whose buffers are the display's memory need not be told. */
	check(!ioctl(d.fd, DRM_DIRTY, &dirty) || errno == ENOSYS, "dirty");
	drawn(3, steps);
	point();
	drawn(4, steps);
	follow();
	hide();
	other = picture(5);
	set(&other);
	drawn(5, steps);
	return EXIT_SUCCESS;
}
