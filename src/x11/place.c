/* SPDX-License-Identifier: MIT */
/*
 * Where a window is on the server and in the guest, when both may move it. Each side is asked for a
 * place once: what it makes of it is what it has. Answers that are on their way while the other
 * side moves on are waited out, so that windows do not jump back and forth.
 */
#include "seamless.h"

#include <stdlib.h>

#define TELL_MS 20 /* while a window is dragged the guest is told so often */

static void ask_host(struct mh_x11_seamless *s, struct mhi_x_win *w)
{
	struct mh_rect r = mhi_x_view_place(s, w);
	uint32_t values[4] = { (uint32_t)r.x, (uint32_t)r.y, r.width, r.height };
	bool known = mhi_x_same(&r, &w->at) || mhi_x_same(&r, &w->asked);

	w->asked = r;
	if (known)
		return;
	w->asked_until = mhi_x_now() + MHI_X_ECHO_MS;
	xcb_configure_window(s->part.x->c, w->host,
			     XCB_CONFIG_WINDOW_X | XCB_CONFIG_WINDOW_Y | XCB_CONFIG_WINDOW_WIDTH |
				     XCB_CONFIG_WINDOW_HEIGHT,
			     values);
}

/* A frame that the guest draws has the size that it gives to maximised windows itself. */
static bool guest_decides(const struct mhi_x_win *w)
{
	return (w->state & MHI_X_HIDDEN) || (w->now.flags & MH_WINDOW_MINIMISED) ||
	       ((w->state & MHI_X_MAXIMISED) && (w->now.flags & MH_WINDOW_DECORATED));
}

static void tell_guest(struct mh_x11_seamless *s, struct mhi_x_win *w, int64_t now)
{
	w->tell_at = MHI_X_NEVER;
	if (guest_decides(w))
		return;
	/* Where it still has it is no answer while it is on its way elsewhere. */
	if ((!w->told_until && mhi_x_same(&w->at, &w->now.limits.rect)) ||
	    mhi_x_same(&w->at, &w->told)) {
		w->told = w->at;
		return;
	}
	if (mh_window_configure(s->agent, w->id, &w->at) == MH_EBUSY) {
		w->tell_at = now + TELL_MS;
		return;
	}
	w->told = w->at;
	w->told_until = now + MHI_X_ECHO_MS;
}

void mhi_x_place_guest(struct mh_x11_seamless *s, struct mhi_x_win *w)
{
	if (w->now.flags & MH_WINDOW_MINIMISED)
		return;
	if (w->told_until && mhi_x_same(&w->now.limits.rect, &w->told))
		w->told_until = 0;
	/* It may not have heard yet of where the server has it. */
	if (w->told_until || w->tell_at != MHI_X_NEVER)
		return;
	ask_host(s, w);
}

static void moved(struct mhi_x_win *w, const struct mh_rect *to, int64_t now)
{
	if (to->width != w->at.width || to->height != w->at.height)
		w->redraw = true;
	w->at = *to;
	/* Where the guest has it, or what it wants while the server is on its way there. */
	if (w->asked_until ? mhi_x_same(to, &w->asked)
			   : !w->told_until && mhi_x_same(to, &w->now.limits.rect)) {
		w->asked_until = 0;
		w->told = *to;
	} else if (!w->bare && !w->asked_until && w->tell_at == MHI_X_NEVER) {
		w->tell_at = now + TELL_MS;
	}
}

/* Places of real events are those in the window manager's frame; those of sent ones are right. */
void mhi_x_place_host(struct mh_x11_seamless *s, struct mhi_x_win *w,
		      const xcb_configure_notify_event_t *e)
{
	struct mh_rect to = { e->x, e->y, e->width, e->height };

	if (e->response_type & 0x80 || w->bare) {
		w->at_unsure = false;
		moved(w, &to, mhi_x_now());
	} else {
		w->at_unsure = true;
		if (e->width != w->at.width || e->height != w->at.height)
			w->redraw = true;
		w->at.width = e->width;
		w->at.height = e->height;
	}
}

static void look(struct mh_x11_seamless *s, struct mhi_x_win *w, int64_t now)
{
	xcb_connection_t *c = s->part.x->c;
	xcb_translate_coordinates_reply_t *r = xcb_translate_coordinates_reply(
		c, xcb_translate_coordinates(c, w->host, s->part.x->screen->root, 0, 0), NULL);
	struct mh_rect to = w->at;

	w->at_unsure = false;
	if (!r)
		return;
	to.x = r->dst_x;
	to.y = r->dst_y;
	free(r);
	moved(w, &to, now);
}

int64_t mhi_x_place_sync(struct mh_x11_seamless *s, struct mhi_x_win *w, int64_t now)
{
	int64_t deadline;

	if (!w->mapped)
		return MHI_X_NEVER;
	if (w->at_unsure)
		look(s, w, now);
	if (w->asked_until && now >= w->asked_until) {
		/* The window manager has another opinion: so be it. */
		w->asked_until = 0;
		w->tell_at = now;
	}
	if (now >= w->tell_at)
		tell_guest(s, w, now);
	if (w->told_until && now >= w->told_until) {
		/* The guest has. */
		w->told_until = 0;
		mhi_x_place_guest(s, w);
	}
	deadline = w->tell_at;
	if (w->asked_until && w->asked_until < deadline)
		deadline = w->asked_until;
	if (w->told_until && w->told_until < deadline)
		deadline = w->told_until;
	return deadline;
}
