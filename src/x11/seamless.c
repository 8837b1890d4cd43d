/* SPDX-License-Identifier: MIT */
/* A guest's windows on the server: the public calls, pixels, the pointer, the desk that is told. */
#include "seamless.h"

#include <stdlib.h>
#include <string.h>

#define POLL_MS 40

static struct mh_x11_seamless *seamless_of(struct mhi_x_part *part)
{
	return (struct mh_x11_seamless *)part;
}

struct mhi_x_win *mhi_x_win_first(struct mh_x11_seamless *s)
{
	struct mhi_x_win *w;

	pthread_mutex_lock(&s->lock);
	w = s->wins;
	pthread_mutex_unlock(&s->lock);
	return w;
}

struct mhi_x_win *mhi_x_win_by_id(struct mh_x11_seamless *s, uint64_t id)
{
	struct mhi_x_win *w;

	pthread_mutex_lock(&s->lock);
	w = s->wins;
	while (w && (w->id != id || w->gone))
		w = w->next;
	pthread_mutex_unlock(&s->lock);
	return w;
}

struct mhi_x_win *mhi_x_win_by_host(struct mh_x11_seamless *s, xcb_window_t host)
{
	struct mhi_x_win *w = mhi_x_win_first(s);

	while (w && (w->host != host || !host))
		w = w->next;
	return w;
}

static void start(struct mhi_x_part *part)
{
	struct mh_x11_seamless *s = seamless_of(part);

	s->desk_told = part->x->desk_serial - 1;
	s->order_seen = part->x->order_serial;
}

/* ---- windows ---- */

/* Ending one may wait for the agent's thread, which may wait for the lock. */
static void remove_gone(struct mh_x11_seamless *s, bool all)
{
	struct mhi_x_win **at, *w, *gone = NULL;

	pthread_mutex_lock(&s->lock);
	for (at = &s->wins; (w = *at);) {
		if (!w->gone && !all) {
			at = &w->next;
			continue;
		}
		*at = w->next;
		s->win_count--;
		w->next = gone;
		gone = w;
	}
	pthread_mutex_unlock(&s->lock);
	/* Nobody else has them any more. */
	while ((w = gone)) {
		gone = w->next;
		mhi_x_view_end(s, w);
		mhi_x_win_free(w);
	}
}

static bool has_parent(struct mh_x11_seamless *s, struct mhi_x_win *w)
{
	bool has;

	pthread_mutex_lock(&s->lock);
	has = w->looks.parent;
	pthread_mutex_unlock(&s->lock);
	return has;
}

/*
 * New windows come in the guest's order, so that they begin in that one; those that belong to
 * others come after those.
 */
static void update_all(struct mh_x11_seamless *s)
{
	uint64_t order[MHI_X_WINDOWS_MAX];
	struct mhi_x_win *w;
	uint32_t count;
	bool new;

	pthread_mutex_lock(&s->lock);
	new = s->wins_new;
	s->wins_new = false;
	count = s->stack_count;
	memcpy(order, s->stack, count * sizeof(*order));
	pthread_mutex_unlock(&s->lock);
	for (uint32_t n = 0; new &&n < 2 * count; n++) {
		w = mhi_x_win_by_id(s, order[n % count]);
		if (w && has_parent(s, w) == (n >= count))
			mhi_x_view_update(s, w);
	}
	for (int parents = 1; new &&parents >= 0; parents--) {
		for (w = mhi_x_win_first(s); w; w = w->next) {
			if (has_parent(s, w) != parents)
				mhi_x_view_update(s, w);
		}
	}
}

/* ---- pixels ---- */

static bool draw_window(struct mh_x11_seamless *s, struct mhi_x_win *w,
			const struct mhi_x_damage *damage)
{
	const struct mh_rect *rect = &w->now.limits.rect;
	int32_t at[2] = { 0, 0 };
	struct mh_rect part;
	bool drawn = w->redraw;

	if (!w->mapped || (w->state & MHI_X_HIDDEN))
		return false;
	if (w->redraw)
		mhi_x_pixels_put(s->part.x, &s->pixels, w->host, rect, at);
	for (uint32_t n = 0; n < damage->count && !w->redraw; n++) {
		if (!mhi_x_common(&damage->rect[n], rect, &part))
			continue;
		at[0] = part.x - rect->x;
		at[1] = part.y - rect->y;
		mhi_x_pixels_put(s->part.x, &s->pixels, w->host, &part, at);
		drawn = true;
	}
	w->redraw = false;
	return drawn;
}

static void draw(struct mh_x11_seamless *s, const struct mhi_x_damage *damage)
{
	bool drawn = false;

	for (struct mhi_x_win *w = mhi_x_win_first(s); w; w = w->next)
		drawn |= draw_window(s, w, damage);
	if (drawn)
		mhi_x_drawn(s->part.x);
}

/* ---- the pointer's picture ---- */

static void set_cursor(struct mh_x11_seamless *s, xcb_cursor_t cursor, bool ours)
{
	struct mh_x11 *x = s->part.x;
	xcb_cursor_t old = s->cursor;

	s->cursor = ours ? cursor : XCB_NONE;
	for (struct mhi_x_win *w = mhi_x_win_first(s); w; w = w->next) {
		if (w->host)
			xcb_change_window_attributes(x->c, w->host, XCB_CW_CURSOR, &cursor);
	}
	if (old)
		xcb_free_cursor(x->c, old);
}

/* The display's picture, if there is one, else the server's for what the agent says. */
static void sync_cursor(struct mh_x11_seamless *s, const struct mhi_x_news *news)
{
	struct mh_x11 *x = s->part.x;
	enum mh_pointer_shape shape;
	xcb_cursor_t own;
	bool changed;

	pthread_mutex_lock(&s->lock);
	shape = s->shape;
	changed = s->shape_new;
	s->shape_new = false;
	pthread_mutex_unlock(&s->lock);
	if (news->cursor_new) {
		own = news->cursor.visible ? mhi_x_cursor(x, &news->cursor) : XCB_NONE;
		changed |= s->cursor_own;
		s->cursor_own = own;
		if (own)
			set_cursor(s, own, true);
	}
	if (!changed || s->cursor_own)
		return;
	if (shape == MH_POINTER_HIDDEN)
		set_cursor(s, x->no_cursor, false);
	else
		set_cursor(s, mhi_x_glyph(x, shape), true);
}

/* ---- the desk ---- */

static void sync_desk(struct mh_x11_seamless *s)
{
	struct mh_x11 *x = s->part.x;

	if (s->desk_told == x->desk_serial)
		return;
	s->desk_told = x->desk_serial;
	if (s->vm && x->width >= MH_DISPLAY_SIDE_MIN && x->height >= MH_DISPLAY_SIDE_MIN)
		mh_display_resize(s->vm, x->width, x->height);
	mh_seamless_work_area(s->agent, &x->work_area, x->scale);
}

/* ---- the part ---- */

static int64_t earlier(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

static int64_t sync_poll(struct mh_x11_seamless *s, int64_t now)
{
	if (!s->poll_ms)
		return MHI_X_NEVER;
	if (now >= s->poll_at) {
		s->poll_at = now + s->poll_ms;
		for (struct mhi_x_win *w = mhi_x_win_first(s); w; w = w->next)
			w->redraw = true;
	}
	return s->poll_at;
}

static int64_t sync(struct mhi_x_part *part, int64_t now)
{
	struct mh_x11_seamless *s = seamless_of(part);
	bool may = mhi_x_may_draw(part->x);
	struct mhi_x_news news;
	int64_t deadline;

	remove_gone(s, false);
	mhi_x_feed_take(&s->feed, may, &news);
	if (news.surface_new)
		mhi_x_pixels_set(part->x, &s->pixels, &news.surface);
	update_all(s);
	sync_cursor(s, &news);
	free((void *)news.cursor.pixels);
	deadline = sync_poll(s, now);
	if (may)
		draw(s, &news.damage);
	for (struct mhi_x_win *w = mhi_x_win_first(s); w; w = w->next)
		deadline = earlier(deadline, mhi_x_place_sync(s, w, now));
	deadline = earlier(deadline, mhi_x_order_sync(s, now));
	sync_desk(s);
	return deadline;
}

static void end(struct mhi_x_part *part)
{
	struct mh_x11_seamless *s = seamless_of(part);

	mhi_x_input_release(&s->input);
	remove_gone(s, true);
	mhi_x_pixels_fini(part->x, &s->pixels);
	if (s->cursor)
		xcb_free_cursor(part->x->c, s->cursor);
	xcb_flush(part->x->c);
}

static void close_part(struct mhi_x_part *part)
{
	mh_x11_seamless_stop(seamless_of(part));
}

static const struct mhi_x_part_ops seamless_ops = {
	.start = start,
	.event = mhi_x_seamless_event,
	.sync = sync,
	.end = end,
	.close = close_part,
};

/* ---- API ---- */

static bool good(const struct mh_x11_seamless_config *config)
{
	return config->size == sizeof(*config) && config->agent &&
	       (config->vm ? !config->surface : config->surface && config->surface->fd >= 0);
}

static void free_seamless(struct mh_x11_seamless *s)
{
	struct mhi_x_win *w;

	while ((w = s->wins)) {
		s->wins = w->next;
		mhi_x_win_free(w);
	}
	mhi_x_feed_unlisten(&s->feed);
	mhi_x_feed_fini(&s->feed);
	pthread_mutex_destroy(&s->lock);
	free(s);
}

static struct mh_x11_seamless *new_seamless(struct mh_x11 *x11,
					    const struct mh_x11_seamless_config *config)
{
	struct mh_x11_seamless *s = calloc(1, sizeof(*s));

	if (!s)
		return NULL;
	s->agent = config->agent;
	s->vm = s->input.vm = config->vm;
	s->input.agent = config->agent;
	if (!s->vm)
		s->poll_ms = config->poll_ms ? config->poll_ms : POLL_MS;
	s->focus_at = s->order_at = MHI_X_NEVER;
	s->part.x = x11;
	pthread_mutex_init(&s->lock, NULL);
	mhi_x_pixels_init(&s->pixels);
	mhi_x_feed_init(&s->feed, x11);
	return s;
}

int mh_x11_seamless_start(struct mh_x11 *x11, const struct mh_x11_seamless_config *config,
			  struct mh_x11_seamless **out)
{
	struct mh_x11_seamless *s;
	int error;

	if (!x11 || !out || !config || !good(config))
		return MH_EINVAL;
	s = new_seamless(x11, config);
	if (!s)
		return MH_ENOMEM;
	error = mhi_x_feed_listen(&s->feed, config->vm, config->surface);
	if (error)
		goto fail;
	error = mhi_x_part_add(x11, &s->part, &seamless_ops);
	if (error)
		goto fail;
	error = mh_seamless_start(s->agent, &mhi_x_model_ops, s);
	if (!error) {
		*out = s;
		return 0;
	}
	mhi_x_part_remove(&s->part);
fail:
	free_seamless(s);
	return error;
}

void mh_x11_seamless_stop(struct mh_x11_seamless *seamless)
{
	if (!seamless)
		return;
	mh_seamless_stop(seamless->agent);
	mhi_x_part_remove(&seamless->part);
	free_seamless(seamless);
}
