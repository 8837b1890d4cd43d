/* SPDX-License-Identifier: MIT */
/* The connection to the X server, and what all parts of the program need of it. */
#include "x11.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <xcb/damage.h>
#include <xcb/randr.h>
#include <xcb/shape.h>
#include <xcb/xfixes.h>
#include <xcb/xtest.h>

/* ---- opening ---- */

static void intern(struct x11 *x)
{
#define X11_ATOM_TEXT(NAME, text) text,
	static const char *const names[] = { X11_ATOMS(X11_ATOM_TEXT) };
	xcb_intern_atom_cookie_t cookies[A_COUNT];

	for (size_t n = 0; n < A_COUNT; n++)
		cookies[n] = xcb_intern_atom(x->c, 0, (uint16_t)strlen(names[n]), names[n]);
	for (size_t n = 0; n < A_COUNT; n++) {
		xcb_intern_atom_reply_t *reply = xcb_intern_atom_reply(x->c, cookies[n], NULL);

		x->atoms[n] = reply ? reply->atom : 0;
		free(reply);
	}
}

static uint8_t first_event(struct x11 *x, xcb_extension_t *extension)
{
	const xcb_query_extension_reply_t *reply = xcb_get_extension_data(x->c, extension);

	return reply && reply->present ? reply->first_event : 0;
}

/* XFixes, Damage and RandR answer nothing before they were told the version that is spoken. */
static void extensions(struct x11 *x)
{
	x->xfixes = first_event(x, &xcb_xfixes_id);
	x->damage = first_event(x, &xcb_damage_id);
	x->shape = first_event(x, &xcb_shape_id);
	x->randr = first_event(x, &xcb_randr_id);
	x->xtest = xcb_get_extension_data(x->c, &xcb_test_id)->present;
	if (x->xfixes)
		free(xcb_xfixes_query_version_reply(x->c, xcb_xfixes_query_version(x->c, 4, 0),
						    NULL));
	if (x->damage)
		free(xcb_damage_query_version_reply(x->c, xcb_damage_query_version(x->c, 1, 1),
						    NULL));
	if (x->randr)
		free(xcb_randr_query_version_reply(x->c, xcb_randr_query_version(x->c, 1, 4),
						   NULL));
}

/* It can have the keyboard, which is how a host's leaving takes it from other windows. */
static void own_window(struct x11 *x)
{
	const uint32_t values[] = { 1, X11_WINDOW_EVENTS };

	x->own = xcb_generate_id(x->c);
	xcb_create_window(x->c, 0, x->own, x->root, -10, -10, 1, 1, 0, XCB_WINDOW_CLASS_INPUT_ONLY,
			  XCB_COPY_FROM_PARENT, XCB_CW_OVERRIDE_REDIRECT | XCB_CW_EVENT_MASK,
			  values);
	xcb_map_window(x->c, x->own);
}

int x11_open(struct x11 *x, const char *display)
{
	const uint32_t events = XCB_EVENT_MASK_PROPERTY_CHANGE | XCB_EVENT_MASK_SUBSTRUCTURE_NOTIFY;
	xcb_screen_iterator_t screens;
	int screen = 0;

	memset(x, 0, sizeof(*x));
	x->c = xcb_connect(display, &screen);
	if (xcb_connection_has_error(x->c)) {
		fprintf(stderr, "macrohard-guest-x11: no X server at %s\n",
			display		    ? display
			: getenv("DISPLAY") ? getenv("DISPLAY")
					    : "$DISPLAY, which is not set");
		x11_close(x);
		return -1;
	}
	screens = xcb_setup_roots_iterator(xcb_get_setup(x->c));
	while (screen-- > 0 && screens.rem > 1)
		xcb_screen_next(&screens);
	x->root = screens.data->root;
	/* Half of what a request may have: the other half is more than its header. */
	x->max_bytes = xcb_get_maximum_request_length(x->c) * 2;
	intern(x);
	extensions(x);
	own_window(x);
	xcb_change_window_attributes(x->c, x->root, XCB_CW_EVENT_MASK, &events);
	return 0;
}

void x11_close(struct x11 *x)
{
	if (x->c)
		xcb_disconnect(x->c);
	x->c = NULL;
}

/* ---- properties ---- */

xcb_get_property_reply_t *x11_property(struct x11 *x, xcb_window_t window, xcb_atom_t name,
				       xcb_atom_t type, uint32_t bytes)
{
	xcb_get_property_reply_t *reply = xcb_get_property_reply(
		x->c, xcb_get_property(x->c, 0, window, name, type, 0, (bytes + 3) / 4), NULL);

	if (reply && reply->type && (type == XCB_ATOM_ANY || reply->type == type))
		return reply;
	free(reply);
	return NULL;
}

uint32_t x11_items(const xcb_get_property_reply_t *reply)
{
	return reply && reply->format == 32 ? reply->value_len : 0;
}

uint32_t x11_number(struct x11 *x, xcb_window_t window, xcb_atom_t name)
{
	xcb_get_property_reply_t *reply = x11_property(x, window, name, XCB_ATOM_ANY, 4);
	uint32_t number = 0;

	if (x11_items(reply))
		memcpy(&number, xcb_get_property_value(reply), sizeof(number));
	free(reply);
	return number;
}

void x11_message(struct x11 *x, xcb_window_t window, xcb_atom_t type, const uint32_t data[5])
{
	xcb_client_message_event_t event = {
		.response_type = XCB_CLIENT_MESSAGE, .format = 32, .window = window, .type = type
	};

	memcpy(event.data.data32, data, sizeof(event.data.data32));
	xcb_send_event(x->c, 0, x->root,
		       XCB_EVENT_MASK_SUBSTRUCTURE_NOTIFY | XCB_EVENT_MASK_SUBSTRUCTURE_REDIRECT,
		       (const char *)&event);
}

/* The property stays when a window manager dies; its window does not. */
bool x11_has_manager(struct x11 *x)
{
	xcb_atom_t check = x->atoms[A_WM_CHECK];
	uint32_t window = x11_number(x, x->root, check);

	return window && x11_number(x, window, check) == window;
}
