/* SPDX-License-Identifier: MIT */
/* The whole display of a guest in one window. */
#include "x11_priv.h"

#include <stdlib.h>
#include <string.h>

#define FIRST_WIDTH 640u
#define FIRST_HEIGHT 480u
#define SETTLE_MS 150	   /* a size that stays that long is asked of the guest */
#define KEY_FULL_SCREEN 36 /* X's number for Enter */

/* Fields: (c) constant, (x) the connection's thread. */
struct mh_x11_window {
	struct mhi_x_part part;
	struct mh_vm *vm;	     /* (c) */
	void (*close)(void *opaque); /* (c) */
	void *opaque;		     /* (c) */
	char *title;		     /* (c) */
	struct mhi_x_feed feed;
	struct mhi_x_pixels pixels; /* (x) */
	struct mhi_x_input input;   /* (x) */
	xcb_window_t id;	    /* (x) */
	xcb_cursor_t cursor;	    /* (x) XCB_NONE: the server's */
	uint32_t width, height;	    /* (x) of the window */
	uint32_t state;		    /* (x) MHI_X_FULL, ... */
	int64_t settled;	    /* (x) when the guest is asked for that size; or MHI_X_NEVER */
	bool redraw;		    /* (x) */
};

static struct mh_x11_window *window_of(struct mhi_x_part *part)
{
	return (struct mh_x11_window *)part;
}

static void start(struct mhi_x_part *part)
{
	struct mh_x11_window *w = window_of(part);
	struct mhi_x_limits limits = { { 0, 0, FIRST_WIDTH, FIRST_HEIGHT }, 0, 0, 0, 0 };
	struct mh_x11 *x = part->x;

	pthread_mutex_lock(&w->feed.lock);
	if (w->feed.surface.width && w->feed.surface.height) {
		limits.rect.width = w->feed.surface.width;
		limits.rect.height = w->feed.surface.height;
	}
	pthread_mutex_unlock(&w->feed.lock);
	w->width = limits.rect.width;
	w->height = limits.rect.height;
	w->id = mhi_x_window(x, &limits.rect, false);
	mhi_x_title(x, w->id, w->title);
	mhi_x_class(x, w->id, "MacroHard-VM");
	xcb_map_window(x->c, w->id);
}

/* Where the picture's upper left pixel is in the window. */
static void origin(const struct mh_x11_window *w, int32_t at[2])
{
	uint32_t width = w->pixels.now.width, height = w->pixels.now.height;

	at[0] = w->width > width ? (int32_t)(w->width - width) / 2 : 0;
	at[1] = w->height > height ? (int32_t)(w->height - height) / 2 : 0;
}

/* ---- events ---- */

static void point(struct mh_x11_window *w, int16_t x, int16_t y)
{
	int32_t at[2];

	origin(w, at);
	at[0] = x - at[0];
	at[1] = y - at[1];
	mhi_x_input_pointer(&w->input, at, &w->pixels.now);
}

static void on_key(struct mh_x11_window *w, const xcb_key_press_event_t *e, bool down)
{
	uint16_t both = XCB_MOD_MASK_CONTROL | XCB_MOD_MASK_1;
	struct mh_x11 *x = w->part.x;

	if (down && e->detail == KEY_FULL_SCREEN && (e->state & both) == both) {
		mhi_x_input_release(&w->input);
		mhi_x_ask_state(x, w->id, !(w->state & MHI_X_FULL), MHI_X_ATOM(x, STATE_FULL), 0);
		return;
	}
	mhi_x_input_key(&w->input, e->detail, down);
}

static void on_button(struct mh_x11_window *w, const xcb_button_press_event_t *e, bool down)
{
	point(w, e->event_x, e->event_y);
	mhi_x_input_button(&w->input, e->detail, down);
}

static void on_size(struct mh_x11_window *w, const xcb_configure_notify_event_t *e)
{
	if (e->width == w->width && e->height == w->height)
		return;
	w->width = e->width;
	w->height = e->height;
	w->redraw = true;
	w->settled = w->width == w->pixels.now.width && w->height == w->pixels.now.height
			     ? MHI_X_NEVER
			     : mhi_x_now() + SETTLE_MS;
}

static void on_message(struct mh_x11_window *w, const xcb_client_message_event_t *e)
{
	if (e->data.data32[0] != MHI_X_ATOM(w->part.x, WM_DELETE_WINDOW))
		return;
	if (w->close)
		w->close(w->opaque);
	else
		mh_vm_power_button(w->vm);
}

/* All of these events have their window at the same place, or one of those two. */
static void event(struct mhi_x_part *part, const xcb_generic_event_t *event)
{
	struct mh_x11_window *w = window_of(part);
	const xcb_key_press_event_t *key = (const void *)event;
	const xcb_expose_event_t *plain = (const void *)event;
	const xcb_configure_notify_event_t *size = (const void *)event;
	uint8_t type = event->response_type & 0x7f;

	if ((type == XCB_KEY_PRESS || type == XCB_KEY_RELEASE) && key->event == w->id)
		on_key(w, key, type == XCB_KEY_PRESS);
	else if ((type == XCB_BUTTON_PRESS || type == XCB_BUTTON_RELEASE) && key->event == w->id)
		on_button(w, (const void *)event, type == XCB_BUTTON_PRESS);
	else if (type == XCB_MOTION_NOTIFY && key->event == w->id)
		point(w, key->event_x, key->event_y);
	else if (type == XCB_CONFIGURE_NOTIFY && size->window == w->id)
		on_size(w, size);
	else if (plain->window != w->id)
		return;
	else if (type == XCB_EXPOSE)
		w->redraw = true;
	else if (type == XCB_FOCUS_OUT)
		mhi_x_input_release(&w->input);
	else if (type == XCB_PROPERTY_NOTIFY)
		w->state = mhi_x_state(part->x, w->id);
	else if (type == XCB_CLIENT_MESSAGE)
		on_message(w, (const void *)event);
}

/* ---- what the guest shows ---- */

/* A guest that has chosen its size itself gets a window of that size. */
static void follow_size(struct mh_x11_window *w)
{
	uint32_t size[2] = { w->pixels.now.width, w->pixels.now.height };

	if (!size[0] || (size[0] == w->width && size[1] == w->height) ||
	    w->settled != MHI_X_NEVER || (w->state & (MHI_X_FULL | MHI_X_MAXIMISED)))
		return;
	xcb_configure_window(w->part.x->c, w->id,
			     XCB_CONFIG_WINDOW_WIDTH | XCB_CONFIG_WINDOW_HEIGHT, size);
}

static void set_cursor(struct mh_x11_window *w, const struct mh_cursor *cursor)
{
	struct mh_x11 *x = w->part.x;
	xcb_cursor_t old = w->cursor;
	uint32_t id;

	w->cursor = cursor->visible ? mhi_x_cursor(x, cursor) : XCB_NONE;
	id = cursor->visible ? w->cursor : x->no_cursor;
	xcb_change_window_attributes(x->c, w->id, XCB_CW_CURSOR, &id);
	if (old)
		xcb_free_cursor(x->c, old);
}

static void draw(struct mh_x11_window *w, const struct mhi_x_damage *damage)
{
	struct mh_rect all = { 0, 0, w->pixels.now.width, w->pixels.now.height };
	struct mh_x11 *x = w->part.x;
	int32_t at[2], place[2];

	origin(w, at);
	if (w->redraw) {
		if (all.width < w->width || all.height < w->height)
			xcb_clear_area(x->c, 0, w->id, 0, 0, 0, 0);
		mhi_x_pixels_put(x, &w->pixels, w->id, &all, at);
	}
	for (uint32_t n = 0; n < damage->count && !w->redraw; n++) {
		place[0] = at[0] + damage->rect[n].x;
		place[1] = at[1] + damage->rect[n].y;
		mhi_x_pixels_put(x, &w->pixels, w->id, &damage->rect[n], place);
	}
	if (w->redraw || damage->count)
		mhi_x_drawn(x);
	w->redraw = false;
}

static uint32_t side(uint32_t value)
{
	return value < MH_DISPLAY_SIDE_MIN   ? MH_DISPLAY_SIDE_MIN
	       : value > MH_DISPLAY_SIDE_MAX ? MH_DISPLAY_SIDE_MAX
					     : value;
}

static int64_t sync(struct mhi_x_part *part, int64_t now)
{
	struct mh_x11_window *w = window_of(part);
	bool may = mhi_x_may_draw(part->x);
	struct mhi_x_news news;

	mhi_x_feed_take(&w->feed, may, &news);
	if (news.surface_new) {
		mhi_x_pixels_set(part->x, &w->pixels, &news.surface);
		w->redraw = true;
		follow_size(w);
	}
	if (news.cursor_new)
		set_cursor(w, &news.cursor);
	free((void *)news.cursor.pixels);
	if (may)
		draw(w, &news.damage);
	if (now >= w->settled) {
		w->settled = MHI_X_NEVER;
		mh_display_resize(w->vm, side(w->width), side(w->height));
	}
	return w->settled;
}

static void end(struct mhi_x_part *part)
{
	struct mh_x11_window *w = window_of(part);

	mhi_x_input_release(&w->input);
	mhi_x_pixels_fini(part->x, &w->pixels);
	if (w->cursor)
		xcb_free_cursor(part->x->c, w->cursor);
	xcb_destroy_window(part->x->c, w->id);
	xcb_flush(part->x->c);
}

/* ---- API ---- */

static void close_part(struct mhi_x_part *part)
{
	mh_x11_window_close(window_of(part));
}

static const struct mhi_x_part_ops window_ops = {
	.start = start,
	.event = event,
	.sync = sync,
	.end = end,
	.close = close_part,
};

static void free_window(struct mh_x11_window *w)
{
	mhi_x_feed_unlisten(&w->feed);
	mhi_x_feed_fini(&w->feed);
	free(w->title);
	free(w);
}

int mh_x11_window_open(struct mh_x11 *x11, const struct mh_x11_window_config *config,
		       struct mh_x11_window **out)
{
	struct mh_x11_window *w;
	int error;

	if (!x11 || !out || !config || config->size != sizeof(*config) || !config->vm)
		return MH_EINVAL;
	w = calloc(1, sizeof(*w));
	if (!w)
		return MH_ENOMEM;
	w->vm = w->input.vm = config->vm;
	w->close = config->close;
	w->opaque = config->opaque;
	w->settled = MHI_X_NEVER;
	w->title = strdup(config->title ? config->title : "macrohard");
	mhi_x_pixels_init(&w->pixels);
	mhi_x_feed_init(&w->feed, x11);
	error = w->title ? mhi_x_feed_listen(&w->feed, w->vm, NULL) : MH_ENOMEM;
	if (!error)
		error = mhi_x_part_add(x11, &w->part, &window_ops);
	if (error)
		free_window(w);
	else
		*out = w;
	return error;
}

void mh_x11_window_close(struct mh_x11_window *window)
{
	if (!window)
		return;
	mhi_x_part_remove(&window->part);
	free_window(window);
}
