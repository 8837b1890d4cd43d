/* SPDX-License-Identifier: MIT */
/* The server's screen: its size, what of it is free for windows, its scale, the windows' order. */
#include "x11_priv.h"

#include <stdlib.h>
#include <string.h>

#define SCALE_ONE 120u
#define DPI_ONE 96u
#define RESOURCES_MAX 4096u /* of 4 bytes */
#define DESKTOPS_MAX 64u

static void read_work_area(struct mh_x11 *x)
{
	struct mh_rect screen = { 0, 0, x->width, x->height }, area = screen;
	uint32_t count, desktop = 0, *values;

	values = mhi_x_values(x, x->screen->root, MHI_X_ATOM(x, NET_CURRENT_DESKTOP), 1, &count);
	if (values && values[0] < DESKTOPS_MAX)
		desktop = values[0];
	free(values);
	values = mhi_x_values(x, x->screen->root, MHI_X_ATOM(x, NET_WORKAREA), 4 * DESKTOPS_MAX,
			      &count);
	if (values && count >= 4 * desktop + 4)
		area = (struct mh_rect){ (int32_t)values[4 * desktop],
					 (int32_t)values[4 * desktop + 1], values[4 * desktop + 2],
					 values[4 * desktop + 3] };
	free(values);
	if (!mhi_x_common(&area, &screen, &x->work_area))
		x->work_area = screen;
}

/* Xft.dpi is what desktops write their scale into. */
static void read_scale(struct mh_x11 *x)
{
	xcb_get_property_reply_t *r = xcb_get_property_reply(
		x->c,
		xcb_get_property(x->c, 0, x->screen->root, XCB_ATOM_RESOURCE_MANAGER,
				 XCB_ATOM_STRING, 0, RESOURCES_MAX),
		NULL);
	size_t bytes = r ? mhi_x_value_bytes(r) : 0;
	char *text = bytes ? strndup(xcb_get_property_value(r), bytes) : NULL, *line, *rest = NULL;
	unsigned long dpi = 0;

	for (line = text ? strtok_r(text, "\n", &rest) : NULL; line;
	     line = strtok_r(NULL, "\n", &rest)) {
		if (!strncmp(line, "Xft.dpi:", 8))
			dpi = strtoul(line + 8, NULL, 10);
	}
	x->scale = dpi >= DPI_ONE / 2 && dpi <= 8 * DPI_ONE ? (uint32_t)dpi * SCALE_ONE / DPI_ONE
							    : SCALE_ONE;
	free(text);
	free(r);
}

static void read_all(struct mh_x11 *x)
{
	read_work_area(x);
	read_scale(x);
	x->desk_serial++;
}

void mhi_x_desk_start(struct mh_x11 *x)
{
	uint32_t mask = XCB_EVENT_MASK_PROPERTY_CHANGE | XCB_EVENT_MASK_STRUCTURE_NOTIFY;

	xcb_change_window_attributes(x->c, x->screen->root, XCB_CW_EVENT_MASK, &mask);
	x->width = x->screen->width_in_pixels;
	x->height = x->screen->height_in_pixels;
	read_all(x);
}

void mhi_x_desk_event(struct mh_x11 *x, const xcb_generic_event_t *event)
{
	const xcb_property_notify_event_t *property = (const void *)event;
	const xcb_configure_notify_event_t *size = (const void *)event;
	uint8_t type = event->response_type & 0x7f;

	if (type == XCB_CONFIGURE_NOTIFY && size->window == x->screen->root) {
		x->width = size->width;
		x->height = size->height;
		read_all(x);
	} else if (type == XCB_PROPERTY_NOTIFY && property->window == x->screen->root) {
		if (property->atom == MHI_X_ATOM(x, NET_STACKING))
			x->order_serial++;
		else if (property->atom == MHI_X_ATOM(x, NET_WORKAREA) ||
			 property->atom == MHI_X_ATOM(x, NET_CURRENT_DESKTOP) ||
			 property->atom == XCB_ATOM_RESOURCE_MANAGER)
			read_all(x);
	}
}
