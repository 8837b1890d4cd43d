/* SPDX-License-Identifier: MIT */
/* What is done to the windows on the server, for the guest to follow. */
#include "seamless.h"

static void point(struct mh_x11_seamless *s, struct mhi_x_win *w, int16_t root_x, int16_t root_y)
{
	int32_t at[2];

	/* While a button is held the window may follow the pointer, by which it is measured. */
	if (!s->input.buttons) {
		s->grip[0] = w->now.limits.rect.x - w->at.x;
		s->grip[1] = w->now.limits.rect.y - w->at.y;
	}
	at[0] = root_x + s->grip[0];
	at[1] = root_y + s->grip[1];
	mhi_x_input_pointer(&s->input, at, &s->pixels.now);
}

static void on_button(struct mh_x11_seamless *s, struct mhi_x_win *w,
		      const xcb_button_press_event_t *e, bool down)
{
	point(s, w, e->root_x, e->root_y);
	mhi_x_input_button(&s->input, e->detail, down);
}

/* Without a frame of the server's there is no button for it either: edges are the server's. */
static void on_state(struct mh_x11_seamless *s, struct mhi_x_win *w)
{
	uint32_t state = mhi_x_state(s->part.x, w->host), changed = state ^ w->state;

	w->state = state;
	if (!w->mapped)
		return;
	if (changed & MHI_X_HIDDEN) {
		if ((state & MHI_X_HIDDEN) && !(w->now.flags & MH_WINDOW_MINIMISED))
			mh_window_act(s->agent, w->id, MH_WINDOW_MINIMISE);
		else if (!(state & MHI_X_HIDDEN) && (w->now.flags & MH_WINDOW_MINIMISED))
			mh_window_act(s->agent, w->id, MH_WINDOW_RESTORE);
		w->redraw = true;
	}
	/* Where the server draws the frame, a window that is large is just large for the guest. */
	if ((changed & MHI_X_MAXIMISED) && (w->now.flags & MH_WINDOW_DECORATED) &&
	    !(state & MHI_X_MAXIMISED) == !!(w->now.flags & MH_WINDOW_MAXIMISED))
		mh_window_act(s->agent, w->id,
			      state & MHI_X_MAXIMISED ? MH_WINDOW_MAXIMISE : MH_WINDOW_RESTORE);
}

static void on_property(struct mh_x11_seamless *s, struct mhi_x_win *w,
			const xcb_property_notify_event_t *e)
{
	struct mh_x11 *x = s->part.x;

	if (!w->bare &&
	    (e->atom == MHI_X_ATOM(x, WM_STATE) || e->atom == MHI_X_ATOM(x, NET_WM_STATE)))
		on_state(s, w);
}

static void on_focus(struct mh_x11_seamless *s, struct mhi_x_win *w, const xcb_focus_in_event_t *e,
		     bool in)
{
	/* What goes on inside, or is only about the pointer, is no change. */
	if (e->detail != XCB_NOTIFY_DETAIL_POINTER && e->detail != XCB_NOTIFY_DETAIL_INFERIOR &&
	    e->mode != XCB_NOTIFY_MODE_GRAB && e->mode != XCB_NOTIFY_MODE_UNGRAB)
		mhi_x_focus_event(s, w, in);
	else if (!in)
		mhi_x_input_release(&s->input);
}

static void on_message(struct mh_x11_seamless *s, struct mhi_x_win *w,
		       const xcb_client_message_event_t *e)
{
	if (e->data.data32[0] == MHI_X_ATOM(s->part.x, WM_DELETE_WINDOW))
		mh_window_act(s->agent, w->id, MH_WINDOW_CLOSE);
}

static void input_event(struct mh_x11_seamless *s, const xcb_key_press_event_t *e, uint8_t type)
{
	struct mhi_x_win *w = mhi_x_win_by_host(s, e->event);

	if (!w)
		return;
	if (type == XCB_MOTION_NOTIFY)
		point(s, w, e->root_x, e->root_y);
	else if (type == XCB_KEY_PRESS || type == XCB_KEY_RELEASE)
		mhi_x_input_key(&s->input, e->detail, type == XCB_KEY_PRESS);
	else
		on_button(s, w, (const void *)e, type == XCB_BUTTON_PRESS);
}

/* Of these events the window is at two places: where it is, or what it is. */
static void window_event(struct mh_x11_seamless *s, const xcb_generic_event_t *event, uint8_t type)
{
	const xcb_configure_notify_event_t *place = (const void *)event;
	const xcb_expose_event_t *plain = (const void *)event;
	struct mhi_x_win *w =
		mhi_x_win_by_host(s, type == XCB_CONFIGURE_NOTIFY ? place->window : plain->window);

	if (!w)
		return;
	if (type == XCB_CONFIGURE_NOTIFY)
		mhi_x_place_host(s, w, place);
	else if (type == XCB_EXPOSE)
		w->redraw = true;
	else if (type == XCB_PROPERTY_NOTIFY)
		on_property(s, w, (const void *)event);
	else
		on_message(s, w, (const void *)event);
}

void mhi_x_seamless_event(struct mhi_x_part *part, const xcb_generic_event_t *event)
{
	struct mh_x11_seamless *s = (struct mh_x11_seamless *)part;
	const xcb_focus_in_event_t *focus = (const void *)event;
	uint8_t type = event->response_type & 0x7f;
	struct mhi_x_win *w;

	switch (type) {
	case XCB_KEY_PRESS:
	case XCB_KEY_RELEASE:
	case XCB_BUTTON_PRESS:
	case XCB_BUTTON_RELEASE:
	case XCB_MOTION_NOTIFY:
		input_event(s, (const void *)event, type);
		break;
	case XCB_FOCUS_IN:
	case XCB_FOCUS_OUT:
		w = mhi_x_win_by_host(s, focus->event);
		if (w)
			on_focus(s, w, focus, type == XCB_FOCUS_IN);
		break;
	case XCB_CONFIGURE_NOTIFY:
	case XCB_EXPOSE:
	case XCB_PROPERTY_NOTIFY:
	case XCB_CLIENT_MESSAGE:
		window_event(s, event, type);
		break;
	default:
		break;
	}
}
