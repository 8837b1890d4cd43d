/* SPDX-License-Identifier: MIT */
/* Windows and their properties, as ICCCM 2.0 and EWMH 1.5 name them. */
#include "x11_priv.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define STATES_MAX 64u
#define ICONIC 3u /* ICCCM 4.1.3.1 "WM_STATE Property" */
/* ICCCM 4.1.2.3 "WM_NORMAL_HINTS Property" */
#define HINT_POSITION (1u << 2)
#define HINT_SIZE (1u << 3)
#define HINT_MIN (1u << 4)
#define HINT_MAX (1u << 5)
#define HINT_GRAVITY (1u << 9)
#define STATIC_GRAVITY 10u
/* ICCCM 4.1.2.4 "WM_HINTS Property" */
#define HINT_INPUT (1u << 0)
#define HINT_URGENT (1u << 8)
/* EWMH "Source indication in requests": an application */
#define SOURCE 1u

#define SIDE_MAX 32767u

static void set(struct mh_x11 *x, xcb_window_t window, xcb_atom_t property, xcb_atom_t type,
		uint32_t count, const void *values)
{
	xcb_change_property(x->c, XCB_PROP_MODE_REPLACE, window, property, type,
			    type == XCB_ATOM_STRING || type == MHI_X_ATOM(x, UTF8_STRING) ? 8 : 32,
			    count, values);
}

/* Old programs read the one, new ones the other. */
void mhi_x_title(struct mh_x11 *x, xcb_window_t window, const char *title)
{
	char text[MHI_X_TEXT_MAX];
	uint32_t bytes = (uint32_t)mhi_x_clean(text, sizeof(text), title);

	set(x, window, XCB_ATOM_WM_NAME, MHI_X_ATOM(x, UTF8_STRING), bytes, text);
	set(x, window, MHI_X_ATOM(x, NET_WM_NAME), MHI_X_ATOM(x, UTF8_STRING), bytes, text);
}

/* An instance and a class, each with a zero behind it. */
void mhi_x_class(struct mh_x11 *x, xcb_window_t window, const char *application)
{
	char text[2 * MHI_X_TEXT_MAX] = "macrohard";
	size_t at = strlen(text) + 1;

	at += mhi_x_clean(text + at, MHI_X_TEXT_MAX, application) + 1;
	set(x, window, XCB_ATOM_WM_CLASS, XCB_ATOM_STRING, (uint32_t)at, text);
}

uint32_t mhi_x_state(struct mh_x11 *x, xcb_window_t window)
{
	uint32_t count, state = 0, *values;

	values = mhi_x_values(x, window, MHI_X_ATOM(x, WM_STATE), 2, &count);
	if (values && values[0] == ICONIC)
		state |= MHI_X_HIDDEN;
	free(values);
	values = mhi_x_values(x, window, MHI_X_ATOM(x, NET_WM_STATE), STATES_MAX, &count);
	for (uint32_t n = 0; n < count; n++) {
		if (values[n] == MHI_X_ATOM(x, STATE_VERT))
			state |= MHI_X_MAXIMISED;
		else if (values[n] == MHI_X_ATOM(x, STATE_FULL))
			state |= MHI_X_FULL;
	}
	free(values);
	return state;
}

void mhi_x_ask_state(struct mh_x11 *x, xcb_window_t window, bool add, xcb_atom_t first,
		     xcb_atom_t second)
{
	mhi_x_message(x, window, MHI_X_NET_WM_STATE,
		      (uint32_t[5]){ add, first, second, SOURCE, 0 });
}

static uint32_t side(uint32_t value)
{
	return value > SIDE_MAX ? SIDE_MAX : value;
}

void mhi_x_limits(struct mh_x11 *x, xcb_window_t window, const struct mhi_x_limits *l)
{
	uint32_t hints[18] = { HINT_POSITION | HINT_SIZE | HINT_GRAVITY, (uint32_t)l->rect.x,
			       (uint32_t)l->rect.y, side(l->rect.width), side(l->rect.height) };

	hints[17] = STATIC_GRAVITY;
	if (l->min_width || l->min_height)
		hints[0] |= HINT_MIN;
	if (l->max_width || l->max_height)
		hints[0] |= HINT_MAX;
	hints[5] = l->min_width ? side(l->min_width) : 1;
	hints[6] = l->min_height ? side(l->min_height) : 1;
	hints[7] = l->max_width ? side(l->max_width) : SIDE_MAX;
	hints[8] = l->max_height ? side(l->max_height) : SIDE_MAX;
	set(x, window, XCB_ATOM_WM_NORMAL_HINTS, XCB_ATOM_WM_SIZE_HINTS, 18, hints);
}

/* Motif's hints: flags 2 (decorations), functions, decorations, input mode, status. */
void mhi_x_frame(struct mh_x11 *x, xcb_window_t window, bool frame)
{
	uint32_t hints[5] = { 2, 0, frame, 0, 0 };

	set(x, window, MHI_X_ATOM(x, MOTIF_WM_HINTS), MHI_X_ATOM(x, MOTIF_WM_HINTS), 5, hints);
}

void mhi_x_urgent(struct mh_x11 *x, xcb_window_t window, bool urgent)
{
	uint32_t hints[9] = { HINT_INPUT | (urgent ? HINT_URGENT : 0), 1 };

	set(x, window, XCB_ATOM_WM_HINTS, XCB_ATOM_WM_HINTS, 9, hints);
}

xcb_window_t mhi_x_window(struct mh_x11 *x, const struct mh_rect *rect, bool bare)
{
	xcb_window_t window = xcb_generate_id(x->c);
	uint32_t mask = XCB_CW_BACK_PIXEL | XCB_CW_BORDER_PIXEL | XCB_CW_BIT_GRAVITY |
			XCB_CW_OVERRIDE_REDIRECT | XCB_CW_EVENT_MASK | XCB_CW_COLORMAP;
	uint32_t values[] = { 0,
			      0,
			      XCB_GRAVITY_NORTH_WEST,
			      bare,
			      XCB_EVENT_MASK_EXPOSURE | XCB_EVENT_MASK_STRUCTURE_NOTIFY |
				      XCB_EVENT_MASK_FOCUS_CHANGE | XCB_EVENT_MASK_KEY_PRESS |
				      XCB_EVENT_MASK_KEY_RELEASE | XCB_EVENT_MASK_BUTTON_PRESS |
				      XCB_EVENT_MASK_BUTTON_RELEASE |
				      XCB_EVENT_MASK_POINTER_MOTION |
				      XCB_EVENT_MASK_PROPERTY_CHANGE,
			      x->colormap };
	uint32_t pid = (uint32_t)getpid();
	char machine[256] = "";

	xcb_create_window(x->c, 24, window, x->screen->root, (int16_t)rect->x, (int16_t)rect->y,
			  (uint16_t)side(rect->width ? rect->width : 1),
			  (uint16_t)side(rect->height ? rect->height : 1), 0,
			  XCB_WINDOW_CLASS_INPUT_OUTPUT, x->visual, mask, values);
	set(x, window, MHI_X_ATOM(x, WM_PROTOCOLS), XCB_ATOM_ATOM, 1,
	    &MHI_X_ATOM(x, WM_DELETE_WINDOW));
	set(x, window, MHI_X_ATOM(x, NET_WM_PID), XCB_ATOM_CARDINAL, 1, &pid);
	/* EWMH: the one means nothing without the other. */
	gethostname(machine, sizeof(machine) - 1);
	set(x, window, XCB_ATOM_WM_CLIENT_MACHINE, XCB_ATOM_STRING, (uint32_t)strlen(machine),
	    machine);
	mhi_x_urgent(x, window, false);
	return window;
}
