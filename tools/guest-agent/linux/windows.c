/* SPDX-License-Identifier: MIT */
/*
 * Which windows there are, and where. Events only say that something has changed: a scan then asks
 * for all of it, and tells the host what is other than what it knows. So no order of events, and
 * none that is missed, leaves a wrong picture.
 */
#include "windows.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <xcb/shape.h>
#include <xcb/xfixes.h>

/* Between scans: a window that is dragged gets a new place so often. */
#define SCAN_MS 10u
/* Cost of what is told in a second at most. */
#define BUDGET 10000u
#define CHILDREN_MAX 4096u
#define DEPTH_MAX 16
#define COORDINATE_MAX 32767
#define SIZE_PIXELS_MAX 16384u

struct windows *windows_create(struct desktop *d)
{
	struct windows *ws = calloc(1, sizeof(*ws));
	struct timespec now;

	if (!ws)
		return NULL;
	clock_gettime(CLOCK_REALTIME, &now);
	ws->d = d;
	/* Never twice in a session, nor with the last run of this program. */
	ws->next_id = ((uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000) << 20;
	return ws;
}

void windows_destroy(struct windows *ws)
{
	free(ws);
}

bool windows_may_tell(struct windows *ws, uint32_t cost)
{
	if (ws->budget >= cost && ga_has_room(&ws->d->session)) {
		ws->budget -= cost;
		return true;
	}
	ws->retell = true;
	return false;
}

struct win *windows_find(struct windows *ws, xcb_window_t xid)
{
	for (size_t n = 0; xid && n < MHI_AGENT_WINDOWS_MAX; n++)
		if (ws->list[n].xid == xid)
			return &ws->list[n];
	return NULL;
}

struct win *windows_find_id(struct windows *ws, uint64_t id)
{
	for (size_t n = 0; id && n < MHI_AGENT_WINDOWS_MAX; n++)
		if (ws->list[n].xid && ws->list[n].id == id)
			return &ws->list[n];
	return NULL;
}

/* ---- the table ---- */

static struct win *add(struct windows *ws, xcb_window_t xid, bool popup)
{
	const uint32_t events = X11_WINDOW_EVENTS;
	struct win *w = windows_find(ws, xid);

	if (w)
		return w;
	for (w = ws->list; w < ws->list + MHI_AGENT_WINDOWS_MAX && w->xid; w++)
		;
	if (w == ws->list + MHI_AGENT_WINDOWS_MAX)
		return NULL;
	memset(w, 0, sizeof(*w));
	w->xid = xid;
	w->popup = popup;
	w->id = ++ws->next_id;
	w->stale = WIN_LOOKS | WIN_ICON | WIN_SHAPE;
	xcb_change_window_attributes(ws->d->x.c, xid, XCB_CW_EVENT_MASK, &events);
	win_watch(ws, w);
	return w;
}

/* The host has to know; a window stays here until it does. */
static void drop(struct windows *ws, struct win *w)
{
	struct mhi_msg_window_gone gone = { w->id, 0 };

	if (w->known && (!windows_may_tell(ws, WIN_COST_SMALL) ||
			 !ga_tell(&ws->d->session, MHI_MSG_WINDOW_GONE, &gone)))
		return;
	win_unwatch(ws, w);
	w->xid = 0;
	w->known = false;
}

static void forget_all(struct windows *ws)
{
	for (size_t n = 0; n < MHI_AGENT_WINDOWS_MAX; n++)
		if (ws->list[n].xid)
			win_unwatch(ws, &ws->list[n]);
	memset(ws->list, 0, sizeof(ws->list));
	ws->stacked = 0;
}

/* ---- a scan: which windows ---- */

/* A frame is a child of the root, too, and no window by itself. */
static xcb_window_t top_of(struct x11 *x, xcb_window_t window)
{
	for (int depth = 0; depth < DEPTH_MAX; depth++) {
		xcb_query_tree_reply_t *tree =
			xcb_query_tree_reply(x->c, xcb_query_tree(x->c, window), NULL);
		xcb_window_t parent = tree ? tree->parent : 0;

		free(tree);
		if (!parent)
			return 0;
		if (parent == x->root)
			return window;
		window = parent;
	}
	return 0;
}

struct scan {
	struct windows *ws;
	bool managed;
	uint32_t width, height; /* the root's */
	xcb_window_t active;
	size_t count;
	struct win *order[MHI_AGENT_WINDOWS_MAX]; /* lowest first */
	xcb_get_geometry_cookie_t geometry[MHI_AGENT_WINDOWS_MAX];
	xcb_translate_coordinates_cookie_t place[MHI_AGENT_WINDOWS_MAX];
	xcb_get_window_attributes_cookie_t attributes[MHI_AGENT_WINDOWS_MAX];
};

static void note(struct scan *s, xcb_window_t xid, bool popup)
{
	struct win *w = s->count < MHI_AGENT_WINDOWS_MAX ? add(s->ws, xid, popup) : NULL;

	if (!w || w->seen)
		return;
	w->seen = true;
	if (!w->top)
		w->top = top_of(&s->ws->d->x, xid);
	s->order[s->count++] = w;
}

static void note_clients(struct scan *s)
{
	struct x11 *x = &s->ws->d->x;
	xcb_get_property_reply_t *p = x11_property(x, x->root, x->atoms[A_CLIENTS], XCB_ATOM_WINDOW,
						   MHI_AGENT_WINDOWS_MAX * 4);
	const xcb_window_t *list = p ? xcb_get_property_value(p) : NULL;
	uint32_t items = x11_items(p);

	for (uint32_t n = 0; n < items; n++)
		note(s, list[n], false);
	free(p);
}

static bool is_frame(const struct scan *s, xcb_window_t child)
{
	for (size_t n = 0; n < s->count; n++)
		if (s->order[n]->top == child && s->order[n]->xid != child)
			return true;
	return false;
}

/* A child of the root is a menu or the like; without a window manager it may be any window. */
static void note_child(struct scan *s, xcb_window_t child,
		       const xcb_get_window_attributes_reply_t *a)
{
	struct win *w = windows_find(s->ws, child);

	if (a->_class == XCB_WINDOW_CLASS_INPUT_ONLY || child == s->ws->d->x.own)
		return;
	if (s->managed &&
	    (!a->override_redirect || a->map_state != XCB_MAP_STATE_VIEWABLE || is_frame(s, child)))
		return;
	/* One that was unmapped by the host's wish is minimised; others have gone. */
	if (a->map_state != XCB_MAP_STATE_VIEWABLE &&
	    !(w && w->known && w->looks & MHI_AGENT_W_MINIMISED))
		return;
	note(s, child, a->override_redirect);
}

static void note_children(struct scan *s)
{
	xcb_connection_t *c = s->ws->d->x.c;
	xcb_query_tree_reply_t *tree =
		xcb_query_tree_reply(c, xcb_query_tree(c, s->ws->d->x.root), NULL);
	xcb_get_window_attributes_cookie_t *cookies;
	int count = tree ? xcb_query_tree_children_length(tree) : 0;

	count = count > (int)CHILDREN_MAX ? (int)CHILDREN_MAX : count;
	cookies = calloc((size_t)count + 1, sizeof(*cookies));
	for (int n = 0; cookies && n < count; n++)
		cookies[n] = xcb_get_window_attributes(c, xcb_query_tree_children(tree)[n]);
	for (int n = 0; cookies && n < count; n++) {
		xcb_get_window_attributes_reply_t *a =
			xcb_get_window_attributes_reply(c, cookies[n], NULL);

		if (a)
			note_child(s, xcb_query_tree_children(tree)[n], a);
		free(a);
	}
	free(cookies);
	free(tree);
}

/* ---- a scan: where they are ---- */

static void ask_places(struct scan *s)
{
	xcb_connection_t *c = s->ws->d->x.c;

	for (size_t n = 0; n < s->count; n++) {
		xcb_window_t xid = s->order[n]->xid;

		s->geometry[n] = xcb_get_geometry(c, xid);
		s->place[n] = xcb_translate_coordinates(c, xid, s->ws->d->x.root, 0, 0);
		s->attributes[n] = xcb_get_window_attributes(c, xid);
	}
}

static int32_t coordinate(int32_t value)
{
	return value > COORDINATE_MAX	     ? COORDINATE_MAX
	       : value < -COORDINATE_MAX - 1 ? -COORDINATE_MAX - 1
					     : value;
}

static uint32_t pixels(uint32_t value)
{
	return value > SIZE_PIXELS_MAX ? SIZE_PIXELS_MAX : value;
}

/* Toolkits and window managers have windows that nobody is to see, beyond the screen's edge. */
static bool is_nowhere(const struct scan *s, const struct win *w)
{
	return w->popup &&
	       ((w->now.width <= 1 && w->now.height <= 1) || w->now.x >= (int32_t)s->width ||
		w->now.y >= (int32_t)s->height || w->now.x + (int32_t)w->now.width <= 0 ||
		w->now.y + (int32_t)w->now.height <= 0);
}

/* A window that went while it was asked for answers nothing. Then it is not seen. */
static void get_place(struct scan *s, size_t n)
{
	xcb_connection_t *c = s->ws->d->x.c;
	struct win *w = s->order[n];
	xcb_get_geometry_reply_t *g = xcb_get_geometry_reply(c, s->geometry[n], NULL);
	xcb_translate_coordinates_reply_t *p =
		xcb_translate_coordinates_reply(c, s->place[n], NULL);
	xcb_get_window_attributes_reply_t *a =
		xcb_get_window_attributes_reply(c, s->attributes[n], NULL);

	if (g && p && a) {
		w->now.x = coordinate(p->dst_x);
		w->now.y = coordinate(p->dst_y);
		w->now.width = pixels(g->width);
		w->now.height = pixels(g->height);
		w->now.flags = a->map_state == XCB_MAP_STATE_VIEWABLE ? MHI_AGENT_W_VISIBLE : 0;
	}
	w->seen = g && p && a && !is_nowhere(s, w);
	free(g);
	free(p);
	free(a);
}

static uint64_t parent_of(const struct scan *s, const struct win *w)
{
	const struct win *parent = windows_find(s->ws, w->transient);

	/* What no property connects belongs to the window that has the keyboard, most likely. */
	if (!parent && w->looks & MHI_AGENT_W_POPUP)
		parent = windows_find(s->ws, s->active);
	return parent && parent != w && parent->seen && !parent->hidden ? parent->id : 0;
}

/* ---- a scan: telling ---- */

static uint32_t sum(const char *text, uint32_t sum)
{
	while (*text)
		sum = (sum ^ (uint8_t)*text++) * 16777619u; /* FNV-1a */
	return (sum ^ 0xffu) * 16777619u;
}

static bool same(const struct mhi_msg_window *a, const struct mhi_msg_window *b)
{
	return a->parent == b->parent && a->flags == b->flags && a->x == b->x && a->y == b->y &&
	       a->width == b->width && a->height == b->height && a->min_width == b->min_width &&
	       a->min_height == b->min_height && a->max_width == b->max_width &&
	       a->max_height == b->max_height;
}

static void tell(struct scan *s, struct win *w)
{
	uint32_t texts;

	if (w->stale & WIN_LOOKS)
		win_read_looks(s->ws, w);
	if (w->hidden) {
		w->seen = false;
		return;
	}
	win_settle(s->ws, w);
	w->now.id = w->id;
	w->now.parent = parent_of(s, w);
	w->now.flags |= w->looks | (w->xid == s->active ? MHI_AGENT_W_ACTIVE : 0);
	if (w->now.flags & MHI_AGENT_W_MINIMISED)
		w->now.flags &= ~MHI_AGENT_W_VISIBLE;
	w->now.title = w->title;
	w->now.application = w->application;
	texts = sum(w->application, sum(w->title, 2166136261u));
	if (!w->known || texts != w->told_texts || !same(&w->now, &w->told)) {
		if (!windows_may_tell(s->ws, WIN_COST_SMALL) ||
		    !ga_tell(&s->ws->d->session, MHI_MSG_WINDOW, &w->now))
			return;
		w->known = true;
		w->told = w->now;
		w->told_texts = texts;
	}
	if (w->stale & WIN_SHAPE)
		win_tell_shape(s->ws, w);
	if (w->stale & WIN_ICON)
		win_tell_icon(s->ws, w);
}

static void put_u64(uint8_t *p, uint64_t v)
{
	for (int n = 0; n < 8; n++)
		p[n] = (uint8_t)(v >> (8 * n));
}

static void tell_stack(struct scan *s)
{
	struct windows *ws = s->ws;
	uint8_t wire[8 * MHI_AGENT_WINDOWS_MAX];
	uint64_t stack[MHI_AGENT_WINDOWS_MAX];
	size_t count = 0;
	struct mhi_msg_window_stack msg = { { wire, 0 }, 0 };

	for (size_t n = 0; n < s->count; n++)
		if (s->order[n]->known && s->order[n]->seen)
			stack[count++] = s->order[n]->id;
	if (!ws->stack_stale && count == ws->stacked &&
	    !memcmp(stack, ws->stack, count * sizeof(stack[0])))
		return;
	for (size_t n = 0; n < count; n++)
		put_u64(wire + 8 * n, stack[n]);
	msg.ids.bytes = (uint32_t)(8 * count);
	if (!windows_may_tell(ws, WIN_COST_LARGE) ||
	    !ga_tell(&ws->d->session, MHI_MSG_WINDOW_STACK, &msg))
		return;
	memcpy(ws->stack, stack, count * sizeof(stack[0]));
	ws->stacked = count;
	ws->stack_stale = false;
}

static void screen_size(struct x11 *x, uint32_t *width, uint32_t *height)
{
	xcb_get_geometry_reply_t *g =
		xcb_get_geometry_reply(x->c, xcb_get_geometry(x->c, x->root), NULL);

	*width = g ? g->width : 0;
	*height = g ? g->height : 0;
	free(g);
}

static xcb_window_t focused(struct x11 *x)
{
	xcb_get_input_focus_reply_t *focus =
		xcb_get_input_focus_reply(x->c, xcb_get_input_focus(x->c), NULL);
	xcb_window_t window = focus ? focus->focus : 0;

	free(focus);
	return window;
}

static void scan(struct windows *ws)
{
	struct scan *s = calloc(1, sizeof(*s));
	struct x11 *x = &ws->d->x;

	if (!s)
		return;
	s->ws = ws;
	screen_size(x, &s->width, &s->height);
	s->managed = x11_has_manager(x);
	s->active = s->managed ? x11_number(x, x->root, x->atoms[A_ACTIVE_WINDOW]) : focused(x);
	for (size_t n = 0; n < MHI_AGENT_WINDOWS_MAX; n++)
		ws->list[n].seen = false;
	if (s->managed)
		note_clients(s);
	note_children(s);
	ask_places(s);
	for (size_t n = 0; n < s->count; n++)
		get_place(s, n);
	for (size_t n = 0; n < s->count; n++)
		if (s->order[n]->seen)
			tell(s, s->order[n]);
	tell_stack(s);
	for (size_t n = 0; n < MHI_AGENT_WINDOWS_MAX; n++)
		if (ws->list[n].xid && !ws->list[n].seen && !ws->list[n].hidden)
			drop(ws, &ws->list[n]);
	free(s);
}

void windows_step(struct windows *ws)
{
	uint64_t now = loop_now();

	if (!ws->on)
		return;
	if (now - ws->budget_ms >= 100) {
		ws->budget = BUDGET / 10;
		ws->budget_ms = now;
		ws->dirty |= ws->retell;
	}
	if (ws->retell)
		loop_wake(&ws->d->loop, ws->budget_ms + 100);
	if (ws->dirty && now - ws->scan_ms >= SCAN_MS) {
		ws->dirty = ws->retell = false;
		ws->scan_ms = now;
		scan(ws);
	}
	if (ws->dirty)
		loop_wake(&ws->d->loop, ws->scan_ms + SCAN_MS);
	for (size_t n = 0; n < MHI_AGENT_WINDOWS_MAX; n++)
		if (ws->list[n].damaged)
			win_tell_damage(ws, &ws->list[n]);
}

void windows_retry(struct windows *ws)
{
	ws->dirty |= ws->retell;
}

/* ---- events ---- */

static void property_event(struct windows *ws, const xcb_property_notify_event_t *e)
{
	struct x11 *x = &ws->d->x;
	struct win *w = windows_find(ws, e->window);

	if (w)
		w->stale |= e->atom == x->atoms[A_WM_ICON] ? WIN_ICON : WIN_LOOKS;
	/* The root has many, most of them of no interest. */
	if (w || e->atom == x->atoms[A_CLIENTS] || e->atom == x->atoms[A_ACTIVE_WINDOW] ||
	    e->atom == x->atoms[A_WM_CHECK])
		ws->dirty = true;
}

/* Its number may be another window's by the time of the scan. */
static void destroy_event(struct windows *ws, xcb_window_t window)
{
	struct win *w = windows_find(ws, window);

	ws->dirty = true;
	if (!w)
		return;
	w->xid = WIN_DEAD;
	w->hidden = false;
}

static void reparent_event(struct windows *ws, xcb_window_t window)
{
	struct win *w = windows_find(ws, window);

	ws->dirty = true;
	if (w)
		w->top = 0;
}

static void shape_event(struct windows *ws, xcb_window_t window)
{
	struct win *w = windows_find(ws, window);

	if (w)
		w->stale |= WIN_SHAPE;
	ws->dirty |= w != NULL;
}

void windows_event(struct windows *ws, const xcb_generic_event_t *event)
{
	const struct x11 *x = &ws->d->x;
	uint8_t type = event->response_type & 0x7f;

	if (!ws->on)
		return;
	if (x->damage && type == x->damage)
		win_damage_event(ws, event);
	else if (x->xfixes && type == x->xfixes + XCB_XFIXES_CURSOR_NOTIFY)
		win_cursor_event(ws, event);
	else if (x->shape && type == x->shape)
		shape_event(ws, ((const xcb_shape_notify_event_t *)event)->affected_window);
	else if (type == XCB_PROPERTY_NOTIFY)
		property_event(ws, (const xcb_property_notify_event_t *)event);
	else if (type == XCB_DESTROY_NOTIFY)
		destroy_event(ws, ((const xcb_destroy_notify_event_t *)event)->window);
	else if (type == XCB_REPARENT_NOTIFY)
		reparent_event(ws, ((const xcb_reparent_notify_event_t *)event)->window);
	else if (type == XCB_CONFIGURE_NOTIFY || type == XCB_MAP_NOTIFY ||
		 type == XCB_UNMAP_NOTIFY || type == XCB_CREATE_NOTIFY ||
		 type == XCB_CIRCULATE_NOTIFY)
		ws->dirty = true;
}

/* ---- the host's messages ---- */

static void watch_cursor(struct windows *ws)
{
	if (ws->d->x.xfixes)
		xcb_xfixes_select_cursor_input(ws->d->x.c, ws->d->x.root,
					       ws->on ? XCB_XFIXES_CURSOR_NOTIFY_MASK_DISPLAY_CURSOR
						      : 0);
}

void windows_seamless(void *os, struct ga_request *r, const struct mhi_agent_msg *msg)
{
	struct windows *ws = ((struct desktop *)os)->windows;

	forget_all(ws);
	ws->on = msg->u.seamless.on;
	ws->dirty = ws->stack_stale = true;
	ws->scan_ms = ws->budget_ms = 0;
	watch_cursor(ws);
	ga_done(r);
}
