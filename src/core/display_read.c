/* SPDX-License-Identifier: MIT */
/* Copies of what a display shows, with and without the cursor. */
#include <stdlib.h>

#include "base/checked.h"
#include "core/display_priv.h"
#include "macrohard/error.h"

static struct mhi_display_mode seen(struct mhi_display *d)
{
	struct mhi_display_mode mode;

	pthread_mutex_lock(&d->lock);
	mode = *mhi_display_mode(d);
	pthread_mutex_unlock(&d->lock);
	return mode;
}

/* The memory stays, whoever has it by then. */
static void copy(const struct mhi_display *d, const struct mhi_display_mode *mode,
		 const struct mh_rect *rect, u8 *to, u64 stride)
{
	const u8 *from =
		d->vram.host + mode->offset + (u64)rect->y * mode->stride + (u64)rect->x * 4;

	for (u32 y = 0; y < rect->height; y++, to += stride, from += mode->stride)
		memcpy(to, from, (u64)rect->width * 4);
}

int mhi_display_read(struct mhi_display *d, const struct mh_rect *rect, void *pixels, u64 stride)
{
	const struct mhi_display_mode mode = seen(d);
	const struct mh_rect all = { 0, 0, mode.width, mode.height };

	if (!mode.width)
		return MH_ESTATE;
	if (!rect)
		rect = &all;
	if (rect->x < 0 || rect->y < 0 || (u64)rect->x + rect->width > mode.width ||
	    (u64)rect->y + rect->height > mode.height)
		return MH_ERANGE;
	copy(d, &mode, rect, pixels, stride);
	return 0;
}

/* ---- with the cursor ---- */

static u32 blend(u32 under, u32 over)
{
	u32 alpha = over >> 24, out = 0;

	for (unsigned int shift = 0; shift < 24; shift += 8) {
		u32 a = over >> shift & 0xff, b = under >> shift & 0xff;

		out |= (a * alpha + b * (255 - alpha) + 127) / 255 << shift;
	}
	return out;
}

static void draw_cursor(const struct mh_cursor *c, u32 *pixels, u32 width, u32 height)
{
	s64 left = (s64)c->x - c->hot_x, top = (s64)c->y - c->hot_y;

	for (u32 y = 0; y < c->height; y++) {
		for (u32 x = 0; x < c->width; x++) {
			s64 at_x = left + x, at_y = top + y;

			if (at_x < 0 || at_y < 0 || at_x >= width || at_y >= height)
				continue;
			pixels[at_y * width + at_x] = blend(pixels[at_y * width + at_x],
							    c->pixels[(u64)y * c->width + x]);
		}
	}
}

int mhi_display_picture(struct mhi_display *d, u32 **out, u32 *width, u32 *height)
{
	const struct mhi_display_mode mode = seen(d);
	const struct mh_rect all = { 0, 0, mode.width, mode.height };
	u32 *pixels;

	if (!mode.width)
		return MH_ESTATE;
	pixels = malloc((u64)mode.width * mode.height * 4);
	if (!pixels)
		return MH_ENOMEM;
	copy(d, &mode, &all, (u8 *)pixels, (u64)mode.width * 4);
	pthread_mutex_lock(&d->lock);
	if (d->cursor.visible) {
		struct mh_cursor cursor = d->cursor;

		cursor.pixels = d->picture;
		draw_cursor(&cursor, pixels, mode.width, mode.height);
	}
	pthread_mutex_unlock(&d->lock);
	*out = pixels;
	*width = mode.width;
	*height = mode.height;
	return 0;
}
