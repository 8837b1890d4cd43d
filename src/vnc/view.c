/* SPDX-License-Identifier: MIT */
/*
 * What the guest shows, on its way to clients. Pixels are not copied before they are sent: the
 * display's memory file is mapped.
 */
#include <string.h>
#include <sys/mman.h>

#include "vnc/server.h"

/* What is shown where the guest shows nothing: black. */
#define BLANK_WIDTH 640
#define BLANK_HEIGHT 480

static const struct rfb_dirt clean = { 1, 0 };

/* ---- the display's callbacks: on the devices' thread ---- */

/* With the lock held. */
static void add_dirt(struct mh_vnc *vnc, const struct mh_rect *r)
{
	uint64_t right = (uint64_t)r->x + r->width, bottom = (uint64_t)r->y + r->height;

	if (r->x < 0 || r->y < 0 || !r->width || !r->height || right > RFB_SIDE_MAX ||
	    bottom > RFB_SIDE_MAX)
		return;
	for (uint32_t row = (uint32_t)r->y / RFB_TILE; row <= (bottom - 1) / RFB_TILE; row++) {
		struct rfb_dirt *dirt = &vnc->news.dirt[row];
		uint16_t first = (uint16_t)((uint32_t)r->x / RFB_TILE);
		uint16_t last = (uint16_t)((right - 1) / RFB_TILE);

		if (dirt->first > dirt->last)
			*dirt = (struct rfb_dirt){ first, last };
		dirt->first = dirt->first < first ? dirt->first : first;
		dirt->last = dirt->last > last ? dirt->last : last;
	}
}

static void on_surface(void *opaque, const struct mh_surface *surface)
{
	struct mh_vnc *vnc = opaque;
	void *at = NULL;

	if (!vnc->memory && surface->fd >= 0 && surface->bytes)
		at = mmap(NULL, surface->bytes, PROT_READ, MAP_SHARED, surface->fd, 0);
	pthread_mutex_lock(&vnc->lock);
	if (at && at != MAP_FAILED) {
		vnc->memory = at;
		vnc->memory_bytes = surface->bytes;
	}
	vnc->surface = *surface;
	vnc->news.surface = true;
	pthread_mutex_unlock(&vnc->lock);
	mhv_wake(vnc);
}

static void on_damage(void *opaque, const struct mh_rect *rects, uint32_t count)
{
	struct mh_vnc *vnc = opaque;

	pthread_mutex_lock(&vnc->lock);
	for (uint32_t n = 0; n < count; n++)
		add_dirt(vnc, &rects[n]);
	pthread_mutex_unlock(&vnc->lock);
	mhv_wake(vnc);
}

static void on_cursor(void *opaque, const struct mh_cursor *cursor, uint32_t moved)
{
	struct mh_vnc *vnc = opaque;
	bool fits = cursor->visible && cursor->width && cursor->height &&
		    cursor->width <= RFB_CURSOR && cursor->height <= RFB_CURSOR;

	/* Clients move it themselves. */
	if (moved && fits == (vnc->cursor.width != 0))
		return;
	pthread_mutex_lock(&vnc->lock);
	vnc->cursor.width = 0;
	if (fits) {
		vnc->cursor.width = cursor->width;
		vnc->cursor.height = cursor->height;
		vnc->cursor.hot_x = cursor->hot_x;
		vnc->cursor.hot_y = cursor->hot_y;
		memcpy(vnc->cursor.pixels, cursor->pixels,
		       (size_t)cursor->width * cursor->height * 4);
	}
	vnc->news.cursor = true;
	pthread_mutex_unlock(&vnc->lock);
	mhv_wake(vnc);
}

int mhv_view_begin(struct mh_vnc *vnc)
{
	static const struct mh_display_ops ops = {
		.version = 1,
		.surface = on_surface,
		.damage = on_damage,
		.cursor = on_cursor,
	};

	for (uint32_t row = 0; row < RFB_TILES; row++)
		vnc->news.dirt[row] = clean;
	vnc->surface.fd = -1;
	return mh_display_listen(vnc->vm, &ops, vnc, &vnc->listener);
}

void mhv_view_end(struct mh_vnc *vnc)
{
	mh_display_unlisten(vnc->listener);
	vnc->listener = NULL;
}

/* ---- the server's thread ---- */

/* Where the pixels lie; with the lock held. */
static struct rfb_picture picture_of(const struct mh_vnc *vnc)
{
	const struct mh_surface *s = &vnc->surface;
	struct rfb_picture p = { NULL, BLANK_WIDTH, BLANK_HEIGHT, 0 };

	if (!vnc->memory || !s->width || !s->height || s->width > RFB_SIDE_MAX ||
	    s->height > RFB_SIDE_MAX || s->stride / 4 < s->width || s->offset > vnc->memory_bytes ||
	    (uint64_t)s->stride * s->height > vnc->memory_bytes - s->offset)
		return p;
	p.at = (const uint8_t *)vnc->memory + s->offset;
	p.width = s->width;
	p.height = s->height;
	p.stride = s->stride;
	return p;
}

static void spread(struct mh_vnc *vnc, const struct mhv_news *news)
{
	for (uint32_t n = 0; n < vnc->most; n++) {
		struct rfb_client *c = &vnc->client[n];

		if (c->fd < 0)
			continue;
		if (news->surface)
			rfb_damage(c, 0, 0, vnc->shown.width, vnc->shown.height);
		if (news->cursor)
			c->tell_cursor = c->has_cursor;
		for (uint32_t row = 0; row < RFB_TILES; row++) {
			const struct rfb_dirt *dirt = &news->dirt[row];

			if (dirt->first <= dirt->last)
				rfb_damage(c, dirt->first * RFB_TILE, row * RFB_TILE,
					   (dirt->last - dirt->first + 1u) * RFB_TILE, RFB_TILE);
		}
	}
}

void mhv_view_take(struct mh_vnc *vnc)
{
	struct mhv_news news;

	pthread_mutex_lock(&vnc->lock);
	news = vnc->news;
	vnc->news.surface = vnc->news.cursor = false;
	for (uint32_t row = 0; row < RFB_TILES; row++)
		vnc->news.dirt[row] = clean;
	if (news.surface)
		vnc->shown = picture_of(vnc);
	if (news.cursor)
		vnc->pointer = vnc->cursor;
	pthread_mutex_unlock(&vnc->lock);
	spread(vnc, &news);
}
