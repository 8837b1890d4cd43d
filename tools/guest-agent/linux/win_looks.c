/* SPDX-License-Identifier: MIT */
/* What a window's properties say of it (ICCCM 2.0, 4: client to window manager; EWMH 1.5). */
#include <stdlib.h>
#include <string.h>

#include "windows.h"

#define ICONIC 3u	   /* WM_STATE */
#define SIZE_MIN (1u << 4) /* WM_SIZE_HINTS.flags: PMinSize, PMaxSize */
#define SIZE_MAX_ (1u << 5)
#define HINT_URGENT (1u << 8) /* WM_HINTS.flags */
#define LIST_MAX 64u	      /* items of a list of states or types */

/* ---- texts ---- */

/* Bytes of the UTF-8 character at p, of left; 0: there is none. */
static size_t character(const uint8_t *p, size_t left)
{
	size_t bytes = p[0] < 0x80 ? 1 : p[0] < 0xc2 ? 0 : p[0] < 0xe0 ? 2 : p[0] < 0xf0 ? 3 : 4;

	if (!bytes || bytes > left || p[0] > 0xf4 || p[0] < ' ')
		return 0;
	for (size_t n = 1; n < bytes; n++)
		if ((p[n] & 0xc0) != 0x80)
			return 0;
	if ((p[0] == 0xe0 && p[1] < 0xa0) || (p[0] == 0xed && p[1] > 0x9f) ||
	    (p[0] == 0xf0 && p[1] < 0x90) || (p[0] == 0xf4 && p[1] > 0x8f))
		return 0;
	return bytes;
}

/* Whatever the text is, out is UTF-8: what is none becomes '?'. */
static void copy_utf8(char *out, const uint8_t *text, size_t bytes)
{
	size_t at = 0, to = 0;

	while (at < bytes) {
		size_t n = character(text + at, bytes - at);

		if (to + (n ? n : 1) >= MHI_AGENT_TITLE_MAX)
			break;
		if (n)
			memcpy(out + to, text + at, n);
		else
			out[to] = '?';
		to += n ? n : 1;
		at += n ? n : 1;
	}
	out[to] = 0;
}

static void copy_latin1(char *out, const uint8_t *text, size_t bytes)
{
	size_t to = 0;

	for (size_t n = 0; n < bytes && to + 2 < MHI_AGENT_TITLE_MAX; n++) {
		if (text[n] >= 0xa0) {
			out[to++] = (char)(0xc0 | text[n] >> 6);
			out[to++] = (char)(0x80 | (text[n] & 0x3f));
		} else
			out[to++] = text[n] >= ' ' && text[n] < 0x7f ? (char)text[n] : '?';
	}
	out[to] = 0;
}

static void read_title(struct x11 *x, struct win *w)
{
	xcb_atom_t utf8 = x->atoms[A_UTF8_STRING];
	xcb_get_property_reply_t *p =
		x11_property(x, w->xid, x->atoms[A_WM_NAME], utf8, MHI_AGENT_TITLE_MAX);

	if (!p)
		p = x11_property(x, w->xid, XCB_ATOM_WM_NAME, XCB_ATOM_ANY, MHI_AGENT_TITLE_MAX);
	w->title[0] = 0;
	if (p && p->format == 8 && p->type == utf8)
		copy_utf8(w->title, xcb_get_property_value(p), p->value_len);
	else if (p && p->format == 8)
		copy_latin1(w->title, xcb_get_property_value(p), p->value_len);
	free(p);
}

/* WM_CLASS is an instance's name and a class's, each with a zero: the second one groups. */
static void read_class(struct x11 *x, struct win *w)
{
	xcb_get_property_reply_t *p =
		x11_property(x, w->xid, XCB_ATOM_WM_CLASS, XCB_ATOM_ANY, 2 * MHI_AGENT_TITLE_MAX);
	const uint8_t *text = p ? xcb_get_property_value(p) : NULL;
	size_t bytes = p && p->format == 8 ? p->value_len : 0;
	size_t first = bytes ? strnlen((const char *)text, bytes) : 0;

	w->application[0] = 0;
	if (first + 1 < bytes)
		copy_latin1(w->application, text + first + 1,
			    strnlen((const char *)text + first + 1, bytes - first - 1));
	else if (first)
		copy_latin1(w->application, text, first);
	free(p);
}

/* ---- lists of atoms ---- */

struct meaning {
	enum x11_atom atom;
	uint32_t bits;
};

#define MAX_VERT (1u << 30)
#define MAX_HORZ (1u << 29)
#define HIDDEN (1u << 28) /* no window on the desktop, but a part of it */

static uint32_t meanings(struct x11 *x, xcb_window_t window, enum x11_atom property,
			 const struct meaning *table, size_t count)
{
	xcb_get_property_reply_t *p =
		x11_property(x, window, x->atoms[property], XCB_ATOM_ATOM, LIST_MAX * 4);
	const xcb_atom_t *list = p ? xcb_get_property_value(p) : NULL;
	uint32_t items = x11_items(p), bits = 0;

	for (uint32_t n = 0; n < items; n++)
		for (size_t m = 0; m < count; m++)
			if (list[n] == x->atoms[table[m].atom])
				bits |= table[m].bits;
	free(p);
	return bits;
}

static uint32_t read_states(struct x11 *x, xcb_window_t window)
{
	static const struct meaning table[] = {
		{ A_STATE_HIDDEN, MHI_AGENT_W_MINIMISED },
		{ A_STATE_MAX_VERT, MAX_VERT },
		{ A_STATE_MAX_HORZ, MAX_HORZ },
		{ A_STATE_FULLSCREEN, MHI_AGENT_W_FULLSCREEN },
		{ A_STATE_ABOVE, MHI_AGENT_W_ABOVE },
		{ A_STATE_ATTENTION, MHI_AGENT_W_ATTENTION },
		{ A_STATE_MODAL, MHI_AGENT_W_MODAL },
		{ A_STATE_SKIP_TASKBAR, MHI_AGENT_W_NO_TASKBAR },
	};
	uint32_t bits =
		meanings(x, window, A_NET_WM_STATE, table, sizeof(table) / sizeof(table[0]));

	if (bits & MAX_VERT && bits & MAX_HORZ)
		bits |= MHI_AGENT_W_MAXIMISED;
	if (x11_number(x, window, x->atoms[A_WM_STATE]) == ICONIC)
		bits |= MHI_AGENT_W_MINIMISED;
	return bits & ~(MAX_VERT | MAX_HORZ);
}

static uint32_t read_types(struct x11 *x, xcb_window_t window)
{
	static const struct meaning table[] = {
		{ A_TYPE_DESKTOP, HIDDEN },
		{ A_TYPE_DOCK, HIDDEN },
		{ A_TYPE_DIALOG, MHI_AGENT_W_DIALOG },
		{ A_TYPE_MENU, MHI_AGENT_W_POPUP },
		{ A_TYPE_DROPDOWN, MHI_AGENT_W_POPUP },
		{ A_TYPE_POPUP, MHI_AGENT_W_POPUP },
		{ A_TYPE_TOOLTIP, MHI_AGENT_W_POPUP },
		{ A_TYPE_COMBO, MHI_AGENT_W_POPUP },
	};

	return meanings(x, window, A_WINDOW_TYPE, table, sizeof(table) / sizeof(table[0]));
}

/* ---- hints ---- */

static uint32_t limit(uint32_t pixels)
{
	return pixels > 16384 ? 0 : pixels;
}

/* WM_NORMAL_HINTS: flags, 4 unused ones, minimum, maximum (ICCCM 2.0, 4.1.2.3). */
static void read_limits(struct x11 *x, struct win *w)
{
	xcb_get_property_reply_t *p =
		x11_property(x, w->xid, XCB_ATOM_WM_NORMAL_HINTS, XCB_ATOM_WM_SIZE_HINTS, 18 * 4);
	const uint32_t *h = p ? xcb_get_property_value(p) : NULL;
	uint32_t items = x11_items(p);

	w->now.min_width = w->now.min_height = w->now.max_width = w->now.max_height = 0;
	if (items >= 7 && h[0] & SIZE_MIN) {
		w->now.min_width = limit(h[5]);
		w->now.min_height = limit(h[6]);
	}
	if (items >= 9 && h[0] & SIZE_MAX_) {
		w->now.max_width = limit(h[7]);
		w->now.max_height = limit(h[8]);
	}
	if (w->now.max_width && w->now.max_width == w->now.min_width && w->now.max_height &&
	    w->now.max_height == w->now.min_height)
		w->looks |= MHI_AGENT_W_FIXED;
	free(p);
}

void win_read_looks(struct windows *ws, struct win *w)
{
	struct x11 *x = &ws->d->x;
	uint32_t types = read_types(x, w->xid);

	w->looks = read_states(x, w->xid) | (types & ~HIDDEN);
	w->hidden = types & HIDDEN;
	if (w->popup)
		w->looks |= MHI_AGENT_W_POPUP;
	if (x11_number(x, w->xid, XCB_ATOM_WM_HINTS) & HINT_URGENT)
		w->looks |= MHI_AGENT_W_ATTENTION;
	w->transient = x11_number(x, w->xid, XCB_ATOM_WM_TRANSIENT_FOR);
	if (w->transient && !(w->looks & MHI_AGENT_W_POPUP))
		w->looks |= MHI_AGENT_W_DIALOG;
	read_title(x, w);
	read_class(x, w);
	read_limits(x, w);
	w->stale &= ~WIN_LOOKS;
}
