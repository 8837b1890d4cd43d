/* SPDX-License-Identifier: MIT */
/*
 * What the host does to windows: messages to the window manager (EWMH 1.5, Root Window Messages;
 * ICCCM 2.0, 4.1.4), which has the last word; without one it is done to the windows themselves.
 */
#include <stdlib.h>
#include <string.h>

#include "windows.h"

#define SOURCE 2u /* not the application: what a pager wants */
#define ICONIC 3u
#define GRAVITY_STATIC 10u
#define BORDER_MAX 8
#define STATE_REMOVE 0u
#define STATE_ADD 1u

/* ---- with a window manager ---- */

static void say(struct x11 *x, struct win *w, enum x11_atom what, uint32_t a, uint32_t b,
		uint32_t c)
{
	const uint32_t data[5] = { a, b, c, 0, 0 };

	x11_message(x, w->xid, x->atoms[what], data);
}

static void maximised(struct x11 *x, struct win *w, uint32_t how)
{
	say(x, w, A_NET_WM_STATE, how, x->atoms[A_STATE_MAX_VERT], x->atoms[A_STATE_MAX_HORZ]);
}

/* Out of whatever keeps it from its own place. */
static void restore(struct x11 *x, struct win *w)
{
	if (w->now.flags & MHI_AGENT_W_MINIMISED)
		xcb_map_window(x->c, w->xid);
	else if (w->now.flags & MHI_AGENT_W_FULLSCREEN)
		say(x, w, A_NET_WM_STATE, STATE_REMOVE, x->atoms[A_STATE_FULLSCREEN], 0);
	else
		maximised(x, w, STATE_REMOVE);
}

static void ask_manager(struct x11 *x, struct win *w, uint32_t action)
{
	switch (action) {
	case MHI_AGENT_ACT_ACTIVATE:
		say(x, w, A_ACTIVE_WINDOW, SOURCE, x->time, 0);
		break;
	case MHI_AGENT_ACT_RAISE:
		say(x, w, A_RESTACK_WINDOW, SOURCE, 0, XCB_STACK_MODE_ABOVE);
		break;
	case MHI_AGENT_ACT_LOWER:
		say(x, w, A_RESTACK_WINDOW, SOURCE, 0, XCB_STACK_MODE_BELOW);
		break;
	case MHI_AGENT_ACT_MINIMISE:
		say(x, w, A_WM_CHANGE_STATE, ICONIC, 0, 0);
		break;
	case MHI_AGENT_ACT_RESTORE:
		restore(x, w);
		break;
	case MHI_AGENT_ACT_MAXIMISE:
		maximised(x, w, STATE_ADD);
		break;
	default:
		say(x, w, A_CLOSE_WINDOW, x->time, SOURCE, 0);
	}
}

/* ---- without one ---- */

/* WM_PROTOCOLS says whether a window can be asked to go; else its program has to (ICCCM 4.2.8). */
static void close_window(struct x11 *x, struct win *w)
{
	xcb_get_property_reply_t *p =
		x11_property(x, w->xid, x->atoms[A_WM_PROTOCOLS], XCB_ATOM_ATOM, 256);
	const xcb_atom_t *list = p ? xcb_get_property_value(p) : NULL;
	xcb_client_message_event_t event = { .response_type = XCB_CLIENT_MESSAGE,
					     .format = 32,
					     .window = w->xid,
					     .type = x->atoms[A_WM_PROTOCOLS] };
	bool asks = false;

	for (uint32_t n = 0; n < x11_items(p); n++)
		asks |= list[n] == x->atoms[A_WM_DELETE_WINDOW];
	free(p);
	event.data.data32[0] = x->atoms[A_WM_DELETE_WINDOW];
	event.data.data32[1] = x->time;
	if (asks)
		xcb_send_event(x->c, 0, w->xid, 0, (const char *)&event);
	else
		xcb_kill_client(x->c, w->xid);
}

static void configure(struct x11 *x, struct win *w, uint32_t stack_mode)
{
	xcb_configure_window(x->c, w->xid, XCB_CONFIG_WINDOW_STACK_MODE, &stack_mode);
}

static void minimise(struct x11 *x, struct win *w)
{
	w->looks |= MHI_AGENT_W_MINIMISED;
	xcb_unmap_window(x->c, w->xid);
}

static void restore_it(struct x11 *x, struct win *w)
{
	w->looks &= ~MHI_AGENT_W_MINIMISED;
	xcb_map_window(x->c, w->xid);
}

static void activate(struct x11 *x, struct win *w)
{
	restore_it(x, w);
	configure(x, w, XCB_STACK_MODE_ABOVE);
	xcb_set_input_focus(x->c, XCB_INPUT_FOCUS_POINTER_ROOT, w->xid, XCB_CURRENT_TIME);
}

static void do_it(struct x11 *x, struct win *w, uint32_t action)
{
	switch (action) {
	case MHI_AGENT_ACT_ACTIVATE:
		activate(x, w);
		break;
	case MHI_AGENT_ACT_RAISE:
		configure(x, w, XCB_STACK_MODE_ABOVE);
		break;
	case MHI_AGENT_ACT_LOWER:
		configure(x, w, XCB_STACK_MODE_BELOW);
		break;
	case MHI_AGENT_ACT_MINIMISE:
		minimise(x, w);
		break;
	case MHI_AGENT_ACT_RESTORE:
		restore_it(x, w);
		break;
	case MHI_AGENT_ACT_CLOSE:
		close_window(x, w);
		break;
	default: /* who could say what the largest place is? */
		break;
	}
}

/* ---- the host's messages ---- */

void windows_act(void *os, struct ga_request *r, const struct mhi_agent_msg *msg)
{
	struct desktop *d = os;
	struct win *w = windows_find_id(d->windows, msg->u.window_act.id);
	uint32_t action = msg->u.window_act.action;

	if (!w || !d->windows->on) {
		ga_end(r, MHI_AGENT_MISSING, "there is no such window");
		return;
	}
	if (action >= MHI_AGENT_ACTIONS) {
		ga_end(r, MHI_AGENT_INVALID, "nothing is known of the action %u", action);
		return;
	}
	d->windows->dirty = true;
	if (action == MHI_AGENT_ACT_DEACTIVATE)
		xcb_set_input_focus(d->x.c, XCB_INPUT_FOCUS_POINTER_ROOT, d->x.own,
				    XCB_CURRENT_TIME);
	else if (w->popup || !x11_has_manager(&d->x))
		do_it(&d->x, w, action);
	else
		ask_manager(&d->x, w, action);
	ga_done(r);
}

static void send_move(struct x11 *x, struct win *w)
{
	/* Which of the values there are, and that x, y are the client's, not its frame's. */
	uint32_t data[5] = { GRAVITY_STATIC | 0xfu << 8 | SOURCE << 12,
			     (uint32_t)(w->asked.x - w->border), (uint32_t)(w->asked.y - w->border),
			     w->asked.width, w->asked.height };

	x11_message(x, w->xid, x->atoms[A_MOVERESIZE_WINDOW], data);
}

/*
 * What x and y mean counts the border that the window had before it was managed (ICCCM 2.0, 4.1.5),
 * which nobody can be asked for: one that came to the side by that is moved once more.
 */
void win_settle(struct windows *ws, struct win *w)
{
	int32_t by = w->now.x - w->asked.x;

	if (!w->asked.id || (w->now.x == w->told.x && w->now.y == w->told.y))
		return;
	w->asked.id = 0;
	if (w->border || by < 1 || by > BORDER_MAX || w->now.y - w->asked.y != by)
		return;
	w->border = by;
	send_move(&ws->d->x, w);
}

void windows_move(void *os, struct ga_request *r, const struct mhi_agent_msg *msg)
{
	struct desktop *d = os;
	const struct mhi_msg_window_move *m = &msg->u.window_move;
	struct win *w = windows_find_id(d->windows, m->id);
	uint32_t place[] = { (uint32_t)m->x, (uint32_t)m->y, m->width, m->height };

	if (!w || !d->windows->on) {
		ga_end(r, MHI_AGENT_MISSING, "there is no such window");
		return;
	}
	if (m->x < INT16_MIN || m->x > INT16_MAX || m->y < INT16_MIN || m->y > INT16_MAX ||
	    !m->width || !m->height || m->width > INT16_MAX || m->height > INT16_MAX) {
		ga_end(r, MHI_AGENT_INVALID, "no window can be there");
		return;
	}
	w->asked = *m;
	if (w->popup || !x11_has_manager(&d->x))
		xcb_configure_window(d->x.c, w->xid,
				     XCB_CONFIG_WINDOW_X | XCB_CONFIG_WINDOW_Y |
					     XCB_CONFIG_WINDOW_WIDTH | XCB_CONFIG_WINDOW_HEIGHT,
				     place);
	else
		send_move(&d->x, w);
	d->windows->dirty = true;
	ga_done(r);
}
