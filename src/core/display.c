/* SPDX-License-Identifier: MIT */
/* A VM's display: what is shown, and telling it. Pictures of it are made in display_read.c. */
#include "core/display.h"

#include <stdlib.h>

#include "core/display_priv.h"
#include "macrohard/error.h"

/* ---- what is shown; under the lock ---- */

const struct mhi_display_mode *mhi_display_mode(const struct mhi_display *d)
{
	unsigned int n = MHI_DISPLAY_DRIVERS - 1;

	while (n && !d->mode[n].width)
		n--;
	return &d->mode[n];
}

static void fill_surface(const struct mhi_display *d, struct mh_surface *out)
{
	const struct mhi_display_mode *mode = mhi_display_mode(d);

	*out = (struct mh_surface){ .fd = d->vram.fd,
				    .width = mode->width,
				    .height = mode->width ? mode->height : 0,
				    .stride = mode->stride,
				    .offset = mode->offset,
				    .bytes = d->vram.bytes };
}

/* Tell it soon, if there is anybody. */
static void note(struct mhi_display *d, u32 what)
{
	d->news |= what;
	if (d->listening || (what & NEWS_SIZE))
		mhi_loop_wake(d->loop, &d->wake);
}

static void all_is_new(struct mhi_display *d)
{
	d->damages = 0;
	note(d, NEWS_SURFACE);
}

bool mhi_display_same(const struct mhi_display_mode *a, const struct mhi_display_mode *b)
{
	return a->width == b->width &&
	       (!a->width ||
		(a->height == b->height && a->stride == b->stride && a->offset == b->offset));
}

void mhi_display_show(struct mhi_display *d, enum mhi_display_driver driver,
		      const struct mhi_display_mode *mode)
{
	struct mhi_display_mode before;

	pthread_mutex_lock(&d->lock);
	before = *mhi_display_mode(d);
	d->mode[driver] = *mode;
	if (!mhi_display_same(&before, mhi_display_mode(d)))
		all_is_new(d);
	pthread_mutex_unlock(&d->lock);
}

/* ---- damage; under the lock ---- */

static bool clip(const struct mh_rect *rect, const struct mhi_display_mode *mode,
		 struct mh_rect *out)
{
	s64 x = rect->x < 0 ? 0 : rect->x, y = rect->y < 0 ? 0 : rect->y;
	s64 right = (s64)rect->x + rect->width, bottom = (s64)rect->y + rect->height;

	right = right < mode->width ? right : mode->width;
	bottom = bottom < mode->height ? bottom : mode->height;
	if (right <= x || bottom <= y)
		return false;
	*out = (struct mh_rect){ (s32)x, (s32)y, (u32)(right - x), (u32)(bottom - y) };
	return true;
}

static bool holds(const struct mh_rect *a, const struct mh_rect *b)
{
	return b->x >= a->x && b->y >= a->y && b->x + (s64)b->width <= a->x + (s64)a->width &&
	       b->y + (s64)b->height <= a->y + (s64)a->height;
}

static void join(struct mh_rect *a, const struct mh_rect *b)
{
	s32 x = a->x < b->x ? a->x : b->x, y = a->y < b->y ? a->y : b->y;
	s64 ra = a->x + (s64)a->width, rb = b->x + (s64)b->width;
	s64 ba = a->y + (s64)a->height, bb = b->y + (s64)b->height;

	*a = (struct mh_rect){ x, y, (u32)((ra > rb ? ra : rb) - x),
			       (u32)((ba > bb ? ba : bb) - y) };
}

static void add_damage(struct mhi_display *d, const struct mh_rect *rect)
{
	for (u32 n = 0; n < d->damages; n++)
		if (holds(&d->damage[n], rect))
			return;
	if (d->damages == DAMAGES) {
		for (u32 n = 1; n < DAMAGES; n++)
			join(&d->damage[0], &d->damage[n]);
		join(&d->damage[0], rect);
		d->damages = 1;
	} else {
		d->damage[d->damages++] = *rect;
	}
	note(d, NEWS_DAMAGE);
}

void mhi_display_damage(struct mhi_display *d, enum mhi_display_driver driver,
			const struct mh_rect *rect)
{
	struct mh_rect part;

	pthread_mutex_lock(&d->lock);
	/* Of a new surface all is damaged, and nobody needs to be told what he does not look at. */
	if (d->listening && !(d->news & NEWS_SURFACE) && mhi_display_mode(d) == &d->mode[driver] &&
	    clip(rect, &d->mode[driver], &part))
		add_damage(d, &part);
	pthread_mutex_unlock(&d->lock);
}

/* ---- the cursor ---- */

void mhi_display_cursor(struct mhi_display *d, const struct mh_cursor *cursor)
{
	u64 pixels = (u64)cursor->width * cursor->height;

	pthread_mutex_lock(&d->lock);
	d->cursor = *cursor;
	d->cursor.pixels = NULL;
	if (!cursor->visible)
		d->cursor = (struct mh_cursor){ 0 };
	else if (cursor->width <= MH_CURSOR_SIDE_MAX && cursor->height <= MH_CURSOR_SIDE_MAX)
		memcpy(d->picture, cursor->pixels, pixels * sizeof(*d->picture));
	note(d, NEWS_CURSOR);
	pthread_mutex_unlock(&d->lock);
}

void mhi_display_cursor_move(struct mhi_display *d, s32 x, s32 y)
{
	pthread_mutex_lock(&d->lock);
	if (d->cursor.visible && (d->cursor.x != x || d->cursor.y != y)) {
		d->cursor.x = x;
		d->cursor.y = y;
		note(d, NEWS_MOVED);
	}
	pthread_mutex_unlock(&d->lock);
}

/* ---- telling; on the loop, without the lock ---- */

/* What is told together. */
struct news {
	u32 what, damages;
	struct mh_surface surface;
	struct mh_rect damage[DAMAGES];
	struct mh_cursor cursor;
};

/* Under the lock. The picture is copied to where only the loop writes. */
static void look(struct mhi_display *d, struct news *n)
{
	n->what = d->news;
	n->damages = d->damages;
	memcpy(n->damage, d->damage, sizeof(n->damage));
	fill_surface(d, &n->surface);
	n->cursor = d->cursor;
	if (n->cursor.visible) {
		memcpy(d->told, d->picture,
		       (u64)n->cursor.width * n->cursor.height * sizeof(*d->told));
		n->cursor.pixels = d->told;
	}
}

static void take_news(struct mhi_display *d, struct news *n)
{
	pthread_mutex_lock(&d->lock);
	look(d, n);
	d->news = 0;
	d->damages = 0;
	pthread_mutex_unlock(&d->lock);
}

static void tell(const struct mh_display_listener *l, const struct news *n)
{
	const struct mh_display_ops *ops = &l->ops;

	if (ops->surface && (n->what & NEWS_SURFACE))
		ops->surface(l->opaque, &n->surface);
	if (!l->gone && ops->damage && n->damages)
		ops->damage(l->opaque, n->damage, n->damages);
	if (!l->gone && ops->cursor && (n->what & (NEWS_CURSOR | NEWS_MOVED)))
		ops->cursor(l->opaque, &n->cursor, !(n->what & NEWS_CURSOR));
}

/* Those who have left while others were told. */
static void sweep(struct mhi_display *d)
{
	struct mh_display_listener **at = &d->listeners;

	while (*at) {
		struct mh_display_listener *l = *at;

		if (l->gone) {
			*at = l->next;
			free(l);
		} else {
			at = &l->next;
		}
	}
}

static void on_wake(void *opaque)
{
	struct mhi_display *d = opaque;
	struct mh_display_listener *l;
	struct news n;

	take_news(d, &n);
	if (d->resized && (n.what & NEWS_SIZE))
		d->resized(d->resized_opaque);
	d->telling = true;
	for (l = d->listeners; l; l = l->next)
		if (!l->gone)
			tell(l, &n);
	d->telling = false;
	sweep(d);
	mhi_display_scan(d);
}

/* ---- who looks ---- */

struct change {
	struct mhi_display *d;
	struct mh_display_listener *l;
};

static void add_listener(void *opaque)
{
	struct change *c = opaque;
	struct mhi_display *d = c->d;
	struct news n;

	/* Those who look already get theirs first, so that nothing is lost to them. */
	if (!d->telling)
		on_wake(d);
	c->l->next = d->listeners;
	d->listeners = c->l;
	pthread_mutex_lock(&d->lock);
	/* News that have come since are for the others, too. */
	look(d, &n);
	d->listening++;
	if (d->news)
		mhi_loop_wake(d->loop, &d->wake);
	pthread_mutex_unlock(&d->lock);
	n.what = NEWS_SURFACE | NEWS_CURSOR;
	n.damages = 0;
	tell(c->l, &n);
	mhi_display_scan(d);
}

int mhi_display_listen(struct mhi_display *d, const struct mh_display_ops *ops, void *opaque,
		       struct mh_display_listener **out)
{
	struct mh_display_listener *l = calloc(1, sizeof(*l));

	if (!l)
		return MH_ENOMEM;
	*l = (struct mh_display_listener){ .display = d, .ops = *ops, .opaque = opaque };
	*out = l;
	mhi_loop_call(d->loop, add_listener, &(struct change){ d, l });
	return 0;
}

static void remove_listener(void *opaque)
{
	struct mh_display_listener *l = opaque;
	struct mhi_display *d = l->display;

	l->gone = true;
	pthread_mutex_lock(&d->lock);
	d->listening--;
	pthread_mutex_unlock(&d->lock);
	if (!d->telling)
		sweep(d);
}

void mhi_display_unlisten(struct mh_display_listener *l)
{
	if (l)
		mhi_loop_call(l->display->loop, remove_listener, l);
}

/* ---- sizes ---- */

bool mhi_display_size_ok(u64 vram_bytes, u32 width, u32 height)
{
	return width >= MH_DISPLAY_SIDE_MIN && width <= MH_DISPLAY_SIDE_MAX &&
	       height >= MH_DISPLAY_SIDE_MIN && height <= MH_DISPLAY_SIDE_MAX &&
	       (u64)width * height * 4 <= vram_bytes;
}

int mhi_display_resize(struct mhi_display *d, u32 width, u32 height)
{
	if (!mhi_display_size_ok(d->vram.bytes, width, height))
		return MH_EINVAL;
	pthread_mutex_lock(&d->lock);
	if (d->width != width || d->height != height) {
		d->width = width;
		d->height = height;
		note(d, NEWS_SIZE);
	}
	pthread_mutex_unlock(&d->lock);
	return 0;
}

void mhi_display_wanted(struct mhi_display *d, u32 *width, u32 *height)
{
	pthread_mutex_lock(&d->lock);
	*width = d->width;
	*height = d->height;
	pthread_mutex_unlock(&d->lock);
}

struct resized {
	struct mhi_display *d;
	void (*fn)(void *opaque);
	void *opaque;
};

static void set_resized(void *opaque)
{
	const struct resized *r = opaque;

	r->d->resized = r->fn;
	r->d->resized_opaque = r->opaque;
}

void mhi_display_on_resize(struct mhi_display *d, void (*fn)(void *opaque), void *opaque)
{
	mhi_loop_call(d->loop, set_resized, &(struct resized){ d, fn, opaque });
}

void mhi_display_surface(struct mhi_display *d, struct mh_surface *out)
{
	pthread_mutex_lock(&d->lock);
	fill_surface(d, out);
	pthread_mutex_unlock(&d->lock);
}

/* ---- memory ---- */

u8 *mhi_display_host(const struct mhi_display *d)
{
	return d->vram.host;
}

u64 mhi_display_vram_bytes(const struct mhi_display *d)
{
	return d->vram.bytes;
}

bool mhi_display_take(struct mhi_display *d, u64 bytes, u64 *offset)
{
	bool ok;

	pthread_mutex_lock(&d->lock);
	ok = mhi_vram_take(&d->vram, bytes, offset);
	pthread_mutex_unlock(&d->lock);
	return ok;
}

void mhi_display_give(struct mhi_display *d, u64 offset, u64 bytes)
{
	pthread_mutex_lock(&d->lock);
	mhi_vram_give(&d->vram, offset, bytes);
	pthread_mutex_unlock(&d->lock);
}

/* ---- life ---- */

int mhi_display_create(struct mhi_loop *loop, u64 vram_bytes, u32 width, u32 height,
		       struct mhi_display **out)
{
	struct mhi_display *d = calloc(1, sizeof(*d));

	if (!d)
		return MH_ENOMEM;
	if (mhi_vram_init(&d->vram, vram_bytes)) {
		free(d);
		return MH_ENOMEM;
	}
	pthread_mutex_init(&d->lock, NULL);
	d->loop = loop;
	d->wake = (struct mhi_wake){ .fn = on_wake, .opaque = d };
	d->width = width;
	d->height = height;
	*out = d;
	return 0;
}

static void end_on_loop(void *opaque)
{
	struct mhi_display *d = opaque;

	mhi_loop_cancel(d->loop, &d->wake);
	mhi_display_scan_end(d);
	for (struct mh_display_listener *l = d->listeners; l; l = l->next)
		l->gone = true;
	sweep(d);
}

void mhi_display_destroy(struct mhi_display *d)
{
	if (!d)
		return;
	mhi_loop_call(d->loop, end_on_loop, d);
	mhi_vram_fini(&d->vram);
	pthread_mutex_destroy(&d->lock);
	free(d);
}
