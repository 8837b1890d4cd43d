/* SPDX-License-Identifier: MIT */
/* What a window has beside its place and its texts: an icon, a shape, damage; the pointer's. */
#include <stdlib.h>
#include <string.h>
#include <xcb/damage.h>
#include <xcb/shape.h>
#include <xcb/xfixes.h>

#include "windows.h"

/* Of all sizes of an icon together. */
#define ICON_BYTES (4u << 20)
#define DAMAGE_MS 16u

void win_watch(struct windows *ws, struct win *w)
{
	struct x11 *x = &ws->d->x;

	if (x->shape)
		xcb_shape_select_input(x->c, w->xid, 1);
	if (!x->damage)
		return;
	w->damage = xcb_generate_id(x->c);
	xcb_damage_create(x->c, w->damage, w->xid, XCB_DAMAGE_REPORT_LEVEL_BOUNDING_BOX);
}

/* Where the window has gone, so has its damage: then this fails, and nobody minds. */
void win_unwatch(struct windows *ws, struct win *w)
{
	const uint32_t none = 0;

	if (w->damage)
		xcb_damage_destroy(ws->d->x.c, w->damage);
	w->damage = 0;
	w->damaged = false;
	xcb_change_window_attributes(ws->d->x.c, w->xid, XCB_CW_EVENT_MASK, &none);
}

/* ---- icons ---- */

struct icon {
	uint32_t width, height;
	const uint32_t *pixels;
};

/* The largest one that may be sent as it is, or else the smallest of the others. */
static bool better(const struct icon *a, const struct icon *b)
{
	bool a_fits = a->width <= MHI_AGENT_ICON_MAX && a->height <= MHI_AGENT_ICON_MAX;
	bool b_fits = b->width <= MHI_AGENT_ICON_MAX && b->height <= MHI_AGENT_ICON_MAX;

	if (!b->pixels || a_fits != b_fits)
		return !b->pixels || a_fits;
	return a_fits ? a->width > b->width : a->width < b->width;
}

/* _NET_WM_ICON: width, height, pixels; one after the other. */
static struct icon best_icon(const uint32_t *items, uint32_t count)
{
	struct icon best = { 0, 0, NULL };

	while (count > 2) {
		struct icon icon = { items[0], items[1], items + 2 };
		uint64_t pixels = (uint64_t)icon.width * icon.height;

		if (!pixels || icon.width > 4096 || icon.height > 4096 || pixels > count - 2)
			break;
		if (better(&icon, &best))
			best = icon;
		items += 2 + pixels;
		count -= (uint32_t)(2 + pixels);
	}
	return best;
}

static uint32_t scaled(uint32_t size, uint32_t largest)
{
	uint32_t to = largest > MHI_AGENT_ICON_MAX ? size * MHI_AGENT_ICON_MAX / largest : size;

	return to ? to : 1;
}

/* To wire, by the nearest pixels: what is sent is rarely scaled. */
static void write_icon(uint8_t *wire, const struct icon *icon, uint32_t width, uint32_t height)
{
	for (uint32_t y = 0; y < height; y++) {
		const uint32_t *line =
			icon->pixels + (size_t)(y * icon->height / height) * icon->width;

		for (uint32_t px = 0; px < width; px++, wire += 4) {
			uint32_t pixel = line[px * icon->width / width];

			for (int n = 0; n < 4; n++)
				wire[n] = (uint8_t)(pixel >> (8 * n));
		}
	}
}

void win_tell_icon(struct windows *ws, struct win *w)
{
	struct x11 *x = &ws->d->x;
	static const size_t room = 4u * MHI_AGENT_ICON_MAX * MHI_AGENT_ICON_MAX;
	struct mhi_msg_window_icon msg = { .id = w->id };
	xcb_get_property_reply_t *p;
	struct icon icon = { 0, 0, NULL };
	uint8_t *wire;

	if (!windows_may_tell(ws, WIN_COST_LARGE))
		return;
	w->stale &= ~WIN_ICON;
	p = x11_property(x, w->xid, x->atoms[A_WM_ICON], XCB_ATOM_CARDINAL, ICON_BYTES);
	if (p)
		icon = best_icon(xcb_get_property_value(p), x11_items(p));
	wire = icon.pixels ? malloc(room) : NULL;
	if (wire) {
		uint32_t largest = icon.width > icon.height ? icon.width : icon.height;

		msg.width = scaled(icon.width, largest);
		msg.height = scaled(icon.height, largest);
		write_icon(wire, &icon, msg.width, msg.height);
		msg.pixels.data = wire;
		msg.pixels.bytes = 4 * msg.width * msg.height;
		ga_tell(&ws->d->session, MHI_MSG_WINDOW_ICON, &msg);
	}
	free(wire);
	free(p);
}

/* ---- shapes ---- */

static void put_i32(uint8_t *p, int32_t v)
{
	for (int n = 0; n < 4; n++)
		p[n] = (uint8_t)((uint32_t)v >> (8 * n));
}

static size_t write_rects(uint8_t *wire, const xcb_rectangle_t *rects, int count)
{
	for (int n = 0; n < count; n++, wire += 16) {
		put_i32(wire, rects[n].x);
		put_i32(wire + 4, rects[n].y);
		put_i32(wire + 8, rects[n].width);
		put_i32(wire + 12, rects[n].height);
	}
	return (size_t)count * 16;
}

static bool is_shaped(struct x11 *x, xcb_window_t xid)
{
	xcb_shape_query_extents_reply_t *e =
		xcb_shape_query_extents_reply(x->c, xcb_shape_query_extents(x->c, xid), NULL);
	bool shaped = e && e->bounding_shaped;

	free(e);
	return shaped;
}

/* One of more rectangles than may be told is told as none: too much is better than too little. */
void win_tell_shape(struct windows *ws, struct win *w)
{
	struct x11 *x = &ws->d->x;
	static const size_t room = 16u * MHI_AGENT_RECTS_MAX;
	xcb_shape_get_rectangles_reply_t *list = NULL;
	struct mhi_msg_window_shape msg = { .id = w->id };
	uint8_t *wire = malloc(room);
	int count;

	if (!wire || !windows_may_tell(ws, WIN_COST_LARGE)) {
		free(wire);
		return;
	}
	w->stale &= ~WIN_SHAPE;
	if (x->shape && is_shaped(x, w->xid))
		list = xcb_shape_get_rectangles_reply(
			x->c, xcb_shape_get_rectangles(x->c, w->xid, XCB_SHAPE_SK_BOUNDING), NULL);
	count = list ? xcb_shape_get_rectangles_rectangles_length(list) : 0;
	if (count > (int)MHI_AGENT_RECTS_MAX)
		count = 0;
	if (count || w->shaped) {
		msg.rects.data = wire;
		if (count)
			msg.rects.bytes = (uint32_t)write_rects(
				wire, xcb_shape_get_rectangles_rectangles(list), count);
		ga_tell(&ws->d->session, MHI_MSG_WINDOW_SHAPE, &msg);
	}
	w->shaped = count != 0;
	free(list);
	free(wire);
}

/* ---- damage ---- */

void win_damage_event(struct windows *ws, const xcb_generic_event_t *event)
{
	const xcb_damage_notify_event_t *e = (const xcb_damage_notify_event_t *)event;
	struct win *w = windows_find(ws, e->drawable);
	int32_t x1 = e->area.x + e->area.width, y1 = e->area.y + e->area.height;

	if (!w || !e->area.width || !e->area.height)
		return;
	if (!w->damaged) {
		w->x0 = e->area.x;
		w->y0 = e->area.y;
		w->x1 = x1;
		w->y1 = y1;
	}
	w->x0 = e->area.x < w->x0 ? e->area.x : w->x0;
	w->y0 = e->area.y < w->y0 ? e->area.y : w->y0;
	w->x1 = x1 > w->x1 ? x1 : w->x1;
	w->y1 = y1 > w->y1 ? y1 : w->y1;
	w->damaged = true;
}

void win_tell_damage(struct windows *ws, struct win *w)
{
	struct mhi_msg_window_damage msg = { w->id, w->x0, w->y0, 0, 0, 0 };
	uint64_t now = loop_now();

	if (now - w->damage_ms < DAMAGE_MS) {
		loop_wake(&ws->d->loop, w->damage_ms + DAMAGE_MS);
		return;
	}
	/* A window that the host does not know will be drawn whole. */
	if (w->known && !windows_may_tell(ws, WIN_COST_SMALL))
		return;
	msg.width = (uint32_t)(w->x1 - w->x0);
	msg.height = (uint32_t)(w->y1 - w->y0);
	if (w->known)
		ga_tell(&ws->d->session, MHI_MSG_WINDOW_DAMAGE, &msg);
	w->damaged = false;
	w->damage_ms = now;
	/* From here on the server tells of damage anew. */
	xcb_damage_subtract(ws->d->x.c, w->damage, XCB_NONE, XCB_NONE);
}

/* ---- the pointer ---- */

/* Names of cursors, as X11, CSS and themes have them: the first that is a part of one. */
static uint32_t shape_named(const char *name)
{
	static const struct {
		const char *part;
		uint32_t shape;
	} names[] = {
		{ "vertical-text", MHI_AGENT_PTR_TEXT }, { "xterm", MHI_AGENT_PTR_TEXT },
		{ "ibeam", MHI_AGENT_PTR_TEXT },	 { "text", MHI_AGENT_PTR_TEXT },
		{ "pointing", MHI_AGENT_PTR_HAND },	 { "pointer", MHI_AGENT_PTR_HAND },
		{ "hand", MHI_AGENT_PTR_HAND },		 { "watch", MHI_AGENT_PTR_WAIT },
		{ "wait", MHI_AGENT_PTR_WAIT },		 { "progress", MHI_AGENT_PTR_WAIT },
		{ "not-allowed", MHI_AGENT_PTR_NO },	 { "no-drop", MHI_AGENT_PTR_NO },
		{ "forbidden", MHI_AGENT_PTR_NO },	 { "crossed_circle", MHI_AGENT_PTR_NO },
		{ "cross", MHI_AGENT_PTR_CROSS },	 { "fleur", MHI_AGENT_PTR_MOVE },
		{ "move", MHI_AGENT_PTR_MOVE },		 { "all-scroll", MHI_AGENT_PTR_MOVE },
		{ "nesw", MHI_AGENT_PTR_NESW },		 { "nwse", MHI_AGENT_PTR_NWSE },
		{ "top_left", MHI_AGENT_PTR_NWSE },	 { "bottom_right", MHI_AGENT_PTR_NWSE },
		{ "top_right", MHI_AGENT_PTR_NESW },	 { "bottom_left", MHI_AGENT_PTR_NESW },
		{ "nw-resize", MHI_AGENT_PTR_NWSE },	 { "se-resize", MHI_AGENT_PTR_NWSE },
		{ "ne-resize", MHI_AGENT_PTR_NESW },	 { "sw-resize", MHI_AGENT_PTR_NESW },
		{ "size_bdiag", MHI_AGENT_PTR_NESW },	 { "size_fdiag", MHI_AGENT_PTR_NWSE },
		{ "v_double", MHI_AGENT_PTR_NS },	 { "ns-resize", MHI_AGENT_PTR_NS },
		{ "n-resize", MHI_AGENT_PTR_NS },	 { "s-resize", MHI_AGENT_PTR_NS },
		{ "row-resize", MHI_AGENT_PTR_NS },	 { "top_side", MHI_AGENT_PTR_NS },
		{ "bottom_side", MHI_AGENT_PTR_NS },	 { "size_ver", MHI_AGENT_PTR_NS },
		{ "h_double", MHI_AGENT_PTR_EW },	 { "ew-resize", MHI_AGENT_PTR_EW },
		{ "e-resize", MHI_AGENT_PTR_EW },	 { "w-resize", MHI_AGENT_PTR_EW },
		{ "col-resize", MHI_AGENT_PTR_EW },	 { "left_side", MHI_AGENT_PTR_EW },
		{ "right_side", MHI_AGENT_PTR_EW },	 { "size_hor", MHI_AGENT_PTR_EW },
	};

	for (size_t n = 0; n < sizeof(names) / sizeof(names[0]); n++)
		if (strstr(name, names[n].part))
			return names[n].shape;
	return MHI_AGENT_PTR_DEFAULT;
}

void win_cursor_event(struct windows *ws, const xcb_generic_event_t *event)
{
	const xcb_xfixes_cursor_notify_event_t *e = (const xcb_xfixes_cursor_notify_event_t *)event;
	struct mhi_msg_pointer_shape msg = { MHI_AGENT_PTR_DEFAULT, 0 };
	xcb_get_atom_name_reply_t *reply;
	char name[64];
	int bytes;

	reply = e->name ? xcb_get_atom_name_reply(ws->d->x.c,
						  xcb_get_atom_name(ws->d->x.c, e->name), NULL)
			: NULL;
	if (reply) {
		bytes = xcb_get_atom_name_name_length(reply);
		bytes = bytes < (int)sizeof(name) ? bytes : (int)sizeof(name) - 1;
		memcpy(name, xcb_get_atom_name_name(reply), (size_t)bytes);
		name[bytes] = 0;
		msg.shape = shape_named(name);
	}
	free(reply);
	if (windows_may_tell(ws, WIN_COST_SMALL))
		ga_tell(&ws->d->session, MHI_MSG_POINTER_SHAPE, &msg);
}
