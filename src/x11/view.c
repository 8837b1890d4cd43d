/* SPDX-License-Identifier: MIT */
/* One window of the guest as a window of the server: making it, and what it looks like. */
#include "seamless.h"

#include <stdlib.h>
#include <string.h>
#include <xcb/shape.h>

#define SIDE_MAX 16384u
#define PLACE_MAX 16384
#define ICONIC 3u /* ICCCM 4.1.4 "Changing Window State" */

static bool has(const struct mhi_x_looks *looks, uint32_t flag)
{
	return looks->flags & flag;
}

/* The guest's numbers, as far as X11 and good sense have them. */
static void bound(struct mh_rect *r)
{
	r->width = r->width > SIDE_MAX ? SIDE_MAX : r->width;
	r->height = r->height > SIDE_MAX ? SIDE_MAX : r->height;
	r->x = r->x < -PLACE_MAX ? -PLACE_MAX : r->x > PLACE_MAX ? PLACE_MAX : r->x;
	r->y = r->y < -PLACE_MAX ? -PLACE_MAX : r->y > PLACE_MAX ? PLACE_MAX : r->y;
}

static struct mhi_x_win *parent_of(struct mh_x11_seamless *s, const struct mhi_x_win *w)
{
	struct mhi_x_win *parent = w->now.parent ? mhi_x_win_by_id(s, w->now.parent) : NULL;

	if (!parent && has(&w->now, MH_WINDOW_POPUP) && s->focus)
		parent = mhi_x_win_by_id(s, s->focus);
	return parent && parent != w && parent->host && parent->mapped ? parent : NULL;
}

static uint32_t bare_count(struct mh_x11_seamless *s)
{
	uint32_t count = 0;

	for (struct mhi_x_win *w = mhi_x_win_first(s); w; w = w->next)
		count += w->bare && w->mapped;
	return count;
}

/*
 * Without a frame, a window could look like anything: so it belongs to one that has one, leaves
 * half of the screen free, and is not one of many. Others are windows like all.
 */
static bool may_be_bare(struct mh_x11_seamless *s, const struct mhi_x_win *w)
{
	const struct mh_rect *r = &w->now.limits.rect;
	uint64_t screen = (uint64_t)s->part.x->width * s->part.x->height;

	return has(&w->now, MH_WINDOW_POPUP) && parent_of(s, w) &&
	       2 * (uint64_t)r->width * r->height <= screen && bare_count(s) < MHI_X_BARE_MAX;
}

static void set_atoms(struct mh_x11 *x, xcb_window_t window, xcb_atom_t property, uint32_t count,
		      const xcb_atom_t *atoms)
{
	xcb_change_property(x->c, XCB_PROP_MODE_REPLACE, window, property, XCB_ATOM_ATOM, 32, count,
			    atoms);
}

static void set_type(struct mh_x11_seamless *s, struct mhi_x_win *w)
{
	struct mhi_x_win *parent = parent_of(s, w);
	struct mh_x11 *x = s->part.x;
	xcb_atom_t type = MHI_X_ATOM(x, TYPE_NORMAL);

	if (w->bare)
		type = MHI_X_ATOM(x, TYPE_POPUP);
	else if (has(&w->now, MH_WINDOW_POPUP))
		type = MHI_X_ATOM(x, TYPE_UTILITY);
	else if (has(&w->now, MH_WINDOW_DIALOG | MH_WINDOW_MODAL))
		type = MHI_X_ATOM(x, TYPE_DIALOG);
	set_atoms(x, w->host, MHI_X_ATOM(x, NET_WM_WINDOW_TYPE), 1, &type);
	if (parent)
		xcb_change_property(x->c, XCB_PROP_MODE_REPLACE, w->host, XCB_ATOM_WM_TRANSIENT_FOR,
				    XCB_ATOM_WINDOW, 32, 1, &parent->host);
	else
		xcb_delete_property(x->c, w->host, XCB_ATOM_WM_TRANSIENT_FOR);
}

/* Flags of the guest's, and what the server calls them. */
struct meaning {
	uint32_t flags;
	enum mhi_x_atom first, second;
};

static const struct meaning meanings[] = {
	{ MH_WINDOW_MAXIMISED, MHI_X_STATE_HORZ, MHI_X_STATE_VERT },
	{ MH_WINDOW_FULLSCREEN, MHI_X_STATE_FULL, MHI_X_ATOM_COUNT },
	{ MH_WINDOW_MODAL, MHI_X_STATE_MODAL, MHI_X_ATOM_COUNT },
	{ MH_WINDOW_ATTENTION, MHI_X_STATE_ATTENTION, MHI_X_ATOM_COUNT },
	{ MH_WINDOW_ABOVE, MHI_X_STATE_ABOVE, MHI_X_ATOM_COUNT },
	{ MH_WINDOW_NO_TASKBAR | MH_WINDOW_POPUP, MHI_X_STATE_SKIP_TASKBAR,
	  MHI_X_STATE_SKIP_PAGER },
};
#define MEANINGS (sizeof(meanings) / sizeof(meanings[0]))

/* Before a window is mapped its states are a property, later they are asked for: EWMH. */
static void set_states(struct mh_x11_seamless *s, struct mhi_x_win *w)
{
	xcb_atom_t atoms[2 * MEANINGS];
	struct mh_x11 *x = s->part.x;
	uint32_t count = 0;

	for (size_t n = 0; n < MEANINGS; n++) {
		if (!has(&w->now, meanings[n].flags))
			continue;
		atoms[count++] = x->atom[meanings[n].first];
		if (meanings[n].second != MHI_X_ATOM_COUNT)
			atoms[count++] = x->atom[meanings[n].second];
	}
	set_atoms(x, w->host, MHI_X_ATOM(x, NET_WM_STATE), count, atoms);
}

static void ask_states(struct mh_x11_seamless *s, struct mhi_x_win *w, uint32_t old)
{
	struct mh_x11 *x = s->part.x;
	const struct meaning *m;

	for (size_t n = 0; n < MEANINGS; n++) {
		m = &meanings[n];
		if (!(old & m->flags) == !has(&w->now, m->flags) ||
		    (m->flags == MH_WINDOW_MAXIMISED &&
		     !(w->state & MHI_X_MAXIMISED) == !has(&w->now, m->flags)))
			continue;
		mhi_x_ask_state(x, w->host, has(&w->now, m->flags), x->atom[m->first],
				m->second == MHI_X_ATOM_COUNT ? XCB_NONE : x->atom[m->second]);
	}
}

static void iconify(struct mh_x11_seamless *s, struct mhi_x_win *w, bool on)
{
	struct mh_x11 *x = s->part.x;

	if (on == !!(w->state & MHI_X_HIDDEN))
		return;
	if (on)
		mhi_x_message(x, w->host, MHI_X_WM_CHANGE_STATE, (uint32_t[5]){ ICONIC });
	else
		xcb_map_window(x->c, w->host);
}

static void set_limits(struct mh_x11_seamless *s, struct mhi_x_win *w)
{
	struct mhi_x_limits limits = w->now.limits;

	if (has(&w->now, MH_WINDOW_FIXED)) {
		limits.min_width = limits.max_width = limits.rect.width;
		limits.min_height = limits.max_height = limits.rect.height;
	}
	mhi_x_limits(s->part.x, w->host, &limits);
}

static void unmap(struct mh_x11_seamless *s, struct mhi_x_win *w)
{
	struct mh_x11 *x = s->part.x;
	/* ICCCM 4.1.4 "Changing Window State": window managers are told, as well. */
	xcb_unmap_notify_event_t e = { .response_type = XCB_UNMAP_NOTIFY,
				       .event = x->screen->root,
				       .window = w->host };

	xcb_unmap_window(x->c, w->host);
	if (!w->bare)
		xcb_send_event(x->c, 0, x->screen->root,
			       XCB_EVENT_MASK_SUBSTRUCTURE_REDIRECT |
				       XCB_EVENT_MASK_SUBSTRUCTURE_NOTIFY,
			       (const char *)&e);
	w->mapped = false;
	w->state = 0;
}

void mhi_x_view_end(struct mh_x11_seamless *s, struct mhi_x_win *w)
{
	if (s->focus == w->id)
		mhi_x_focus_event(s, w, false);
	if (s->focus_told == w->id)
		s->focus_told = 0;
	if (w->host)
		xcb_destroy_window(s->part.x->c, w->host);
	w->host = 0;
	w->mapped = false;
	w->state = 0;
}

/* A popup keeps its place at its parent, which the server may have elsewhere than the guest. */
struct mh_rect mhi_x_view_place(struct mh_x11_seamless *s, struct mhi_x_win *w)
{
	struct mhi_x_win *parent = w->bare ? parent_of(s, w) : NULL;
	struct mh_rect r = w->now.limits.rect;

	if (parent) {
		r.x += parent->at.x - parent->now.limits.rect.x;
		r.y += parent->at.y - parent->now.limits.rect.y;
		bound(&r);
	}
	return r;
}

static void make(struct mh_x11_seamless *s, struct mhi_x_win *w)
{
	struct mh_x11 *x = s->part.x;

	w->bare = may_be_bare(s, w);
	w->at = w->asked = mhi_x_view_place(s, w);
	w->told = w->now.limits.rect;
	w->asked_until = w->told_until = 0;
	w->tell_at = MHI_X_NEVER;
	w->host = mhi_x_window(x, &w->at, w->bare);
	w->redraw = true;
	xcb_change_window_attributes(x->c, w->host, XCB_CW_CURSOR, &s->cursor);
	mhi_x_class(x, w->host, w->now.application);
	mhi_x_title(x, w->host, w->now.title);
	mhi_x_frame(x, w->host, !has(&w->now, MH_WINDOW_DECORATED | MH_WINDOW_POPUP));
}

static void show(struct mh_x11_seamless *s, struct mhi_x_win *w);

/* Windows that were told of before the one that they belong to. Each becomes bare only once. */
static void adopt(struct mh_x11_seamless *s, const struct mhi_x_win *parent)
{
	for (struct mhi_x_win *w = mhi_x_win_first(s); w; w = w->next) {
		if (!w->mapped || w->bare || w->now.parent != parent->id)
			continue;
		if (may_be_bare(s, w)) {
			mhi_x_view_end(s, w);
			make(s, w);
			show(s, w);
		} else {
			set_type(s, w);
		}
	}
}

static void show(struct mh_x11_seamless *s, struct mhi_x_win *w)
{
	set_states(s, w);
	set_type(s, w);
	set_limits(s, w);
	mhi_x_urgent(s->part.x, w->host, has(&w->now, MH_WINDOW_ATTENTION));
	xcb_map_window(s->part.x->c, w->host);
	w->mapped = true;
	w->redraw = true;
	if (has(&w->now, MH_WINDOW_MINIMISED) && !w->bare)
		iconify(s, w, true);
	adopt(s, w);
}

static void change(struct mh_x11_seamless *s, struct mhi_x_win *w, const struct mhi_x_looks *old)
{
	uint32_t flags = old->flags ^ w->now.flags;

	if (strcmp(old->title, w->now.title))
		mhi_x_title(s->part.x, w->host, w->now.title);
	if (strcmp(old->application, w->now.application))
		mhi_x_class(s->part.x, w->host, w->now.application);
	if (flags & (MH_WINDOW_DECORATED | MH_WINDOW_POPUP))
		mhi_x_frame(s->part.x, w->host,
			    !has(&w->now, MH_WINDOW_DECORATED | MH_WINDOW_POPUP));
	if (old->parent != w->now.parent || (flags & (MH_WINDOW_DIALOG | MH_WINDOW_MODAL)))
		set_type(s, w);
	if (memcmp(&old->limits, &w->now.limits, sizeof(old->limits)) || (flags & MH_WINDOW_FIXED))
		set_limits(s, w);
	if (!mhi_x_same(&old->limits.rect, &w->now.limits.rect))
		w->redraw = true;
	if (!w->mapped) {
		show(s, w);
		return;
	}
	if (flags & MH_WINDOW_ATTENTION)
		mhi_x_urgent(s->part.x, w->host, has(&w->now, MH_WINDOW_ATTENTION));
	if (w->bare)
		return;
	ask_states(s, w, old->flags);
	if (flags & MH_WINDOW_MINIMISED)
		iconify(s, w, has(&w->now, MH_WINDOW_MINIMISED));
}

static void set_icon(struct mh_x11_seamless *s, struct mhi_x_win *w, const struct mhi_x_icon *icon)
{
	struct mh_x11 *x = s->part.x;

	xcb_change_property(x->c, XCB_PROP_MODE_REPLACE, w->host, MHI_X_ATOM(x, NET_WM_ICON),
			    XCB_ATOM_CARDINAL, 32, icon->count, icon->data);
}

static void set_shape(struct mh_x11_seamless *s, struct mhi_x_win *w,
		      const struct mhi_x_shape *shape)
{
	struct mh_x11 *x = s->part.x;

	if (!x->shape)
		return;
	if (shape->count)
		xcb_shape_rectangles(x->c, XCB_SHAPE_SO_SET, XCB_SHAPE_SK_BOUNDING,
				     XCB_CLIP_ORDERING_UNSORTED, w->host, 0, 0, shape->count,
				     shape->rects);
	else
		xcb_shape_mask(x->c, XCB_SHAPE_SO_SET, XCB_SHAPE_SK_BOUNDING, w->host, 0, 0,
			       XCB_NONE);
}

/* What a window has besides its looks waits until it is there. */
static void update_rest(struct mh_x11_seamless *s, struct mhi_x_win *w)
{
	struct mhi_x_icon icon = { NULL, 0 };
	struct mhi_x_shape shape = { NULL, 0 };
	bool icon_new, shape_new;

	if (!w->host)
		return;
	pthread_mutex_lock(&s->lock);
	icon_new = w->icon_new;
	shape_new = w->shape_new;
	if (icon_new) {
		icon = w->icon;
		w->icon = (struct mhi_x_icon){ NULL, 0 };
	}
	if (shape_new) {
		shape = w->shape;
		w->shape = (struct mhi_x_shape){ NULL, 0 };
	}
	w->icon_new = w->shape_new = false;
	pthread_mutex_unlock(&s->lock);
	if (icon_new)
		set_icon(s, w, &icon);
	if (shape_new)
		set_shape(s, w, &shape);
	free(icon.data);
	free(shape.rects);
}

/* True: it is another one than before. While minimised, a place means nothing (Windows: -32000). */
static bool take_looks(struct mh_x11_seamless *s, struct mhi_x_win *w)
{
	struct mh_rect before = w->now.limits.rect;
	bool new;

	pthread_mutex_lock(&s->lock);
	new = w->looks_new;
	if (new)
		w->now = w->looks;
	w->looks_new = false;
	pthread_mutex_unlock(&s->lock);
	if (!new)
		return false;
	bound(&w->now.limits.rect);
	if (has(&w->now, MH_WINDOW_MINIMISED) && before.width)
		w->now.limits.rect = before;
	return true;
}

void mhi_x_view_update(struct mh_x11_seamless *s, struct mhi_x_win *w)
{
	struct mhi_x_looks old = w->now;
	bool visible;

	if (take_looks(s, w)) {
		visible = has(&w->now, MH_WINDOW_VISIBLE) && w->now.limits.rect.width &&
			  w->now.limits.rect.height;
		if (w->host && ((old.flags ^ w->now.flags) & MH_WINDOW_POPUP))
			mhi_x_view_end(s, w);
		if (!visible && w->mapped)
			unmap(s, w);
		if (visible && !w->host) {
			make(s, w);
			show(s, w);
		} else if (visible) {
			change(s, w, &old);
			mhi_x_place_guest(s, w);
		}
		if (visible && has(&w->now, MH_WINDOW_ACTIVE) && !(old.flags & MH_WINDOW_ACTIVE))
			mhi_x_focus_guest(s, w);
		if (has(&old, MH_WINDOW_ACTIVE) && !has(&w->now, MH_WINDOW_ACTIVE))
			mhi_x_focus_lost(s, w);
	}
	update_rest(s, w);
}
