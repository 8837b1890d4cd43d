/* SPDX-License-Identifier: MIT */
/*
 * Pictures of which nobody says when they change: while somebody looks they are compared with what
 * was there before. All on the loop.
 */
#include <stdlib.h>

#include "core/display_priv.h"

#define SCAN_MS 33

static u64 line_bytes(const struct mhi_display_mode *mode)
{
	return (u64)mode->width * 4;
}

/* False: there is no memory to remember it. */
static bool remember(struct mhi_display *d, const struct mhi_display_mode *mode)
{
	struct mhi_scan *s = &d->scan;
	u64 bytes = line_bytes(mode);

	free(s->before);
	s->mode = *mode;
	s->before = malloc(bytes * mode->height);
	for (u32 y = 0; s->before && y < mode->height; y++)
		memcpy(s->before + y * bytes, d->vram.host + mode->offset + (u64)y * mode->stride,
		       bytes);
	return s->before != NULL;
}

static bool line_changed(struct mhi_display *d, const struct mhi_display_mode *mode, u32 y)
{
	u64 bytes = line_bytes(mode);
	const u8 *now = d->vram.host + mode->offset + (u64)y * mode->stride;
	u8 *before = d->scan.before + y * bytes;

	if (!memcmp(before, now, bytes))
		return false;
	memcpy(before, now, bytes);
	return true;
}

static void damage_lines(struct mhi_display *d, const struct mhi_display_mode *mode, u32 from,
			 u32 to)
{
	const struct mh_rect rect = { 0, (s32)from, mode->width, to - from };

	if (from < to)
		mhi_display_damage(d, MHI_DISPLAY_FIRMWARE, &rect);
}

/* Lines that have changed, together with those beside them that have. */
static void compare(struct mhi_display *d, const struct mhi_display_mode *mode)
{
	u32 from = 0;

	for (u32 y = 0; y < mode->height; y++) {
		if (line_changed(d, mode, y))
			continue;
		damage_lines(d, mode, from, y);
		from = y + 1;
	}
	damage_lines(d, mode, from, mode->height);
}

static struct mhi_display_mode watched(struct mhi_display *d)
{
	struct mhi_display_mode mode = { 0 };

	pthread_mutex_lock(&d->lock);
	if (d->listening && mhi_display_mode(d)->silent)
		mode = *mhi_display_mode(d);
	pthread_mutex_unlock(&d->lock);
	return mode;
}

static void forget(struct mhi_display *d)
{
	free(d->scan.before);
	d->scan.before = NULL;
	d->scan.mode.width = 0;
}

static void on_timer(void *opaque)
{
	struct mhi_display *d = opaque;
	const struct mhi_display_mode mode = watched(d);

	d->scan.armed = false;
	if (mode.width && d->scan.before && mhi_display_same(&mode, &d->scan.mode))
		compare(d, &mode);
	else if (mode.width && remember(d, &mode))
		damage_lines(d, &mode, 0, mode.height);
	mhi_display_scan(d);
}

void mhi_display_scan(struct mhi_display *d)
{
	struct mhi_scan *s = &d->scan;
	const struct mhi_display_mode mode = watched(d);

	if (!mode.width) {
		forget(d);
		return;
	}
	if (s->armed || (!s->timer && mhi_timer_create(d->loop, on_timer, d, &s->timer)))
		return;
	s->armed = true;
	mhi_timer_set(s->timer, SCAN_MS);
}

void mhi_display_scan_end(struct mhi_display *d)
{
	mhi_timer_destroy(d->scan.timer);
	forget(d);
}
