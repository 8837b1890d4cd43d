/* SPDX-License-Identifier: MIT */
/* The screen: its size, by RandR; the part of it that the host shows, and the scale of that. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <xcb/randr.h>

#include "x11.h"

#define PIXELS_MIN 64u
#define PIXELS_MAX 16384u
#define MM_PER_INCH 25.4
#define DPI 96u
#define SCALE_ONE 120u
#define RESOURCES_MAX 262144u

/* ---- size ---- */

struct screen {
	struct x11 *x;
	xcb_randr_get_screen_resources_current_reply_t *resources;
	xcb_randr_output_t output;
	xcb_randr_crtc_t crtc;
	uint32_t width, height; /* wanted */
	xcb_randr_mode_t mode;	/* that comes nearest */
	uint32_t mode_width, mode_height;
};

static const xcb_randr_mode_info_t *mode_info(const struct screen *s, xcb_randr_mode_t mode)
{
	const xcb_randr_mode_info_t *list =
		xcb_randr_get_screen_resources_current_modes(s->resources);
	int count = xcb_randr_get_screen_resources_current_modes_length(s->resources);

	for (int n = 0; n < count; n++)
		if (list[n].id == mode)
			return &list[n];
	return NULL;
}

/* The largest mode that is not larger than what is wanted. */
static void consider(struct screen *s, xcb_randr_mode_t mode)
{
	const xcb_randr_mode_info_t *m = mode_info(s, mode);

	if (!m || m->width > s->width || m->height > s->height ||
	    (uint64_t)m->width * m->height <= (uint64_t)s->mode_width * s->mode_height)
		return;
	s->mode = mode;
	s->mode_width = m->width;
	s->mode_height = m->height;
}

/* The first output that has a screen. Returns false: it is none. */
static bool look_at_output(struct screen *s, xcb_randr_output_t output)
{
	xcb_connection_t *c = s->x->c;
	xcb_randr_get_output_info_reply_t *info = xcb_randr_get_output_info_reply(
		c, xcb_randr_get_output_info(c, output, XCB_CURRENT_TIME), NULL);
	bool usable = info && info->connection == XCB_RANDR_CONNECTION_CONNECTED && info->crtc;

	if (usable) {
		s->output = output;
		s->crtc = info->crtc;
		for (int n = 0; n < xcb_randr_get_output_info_modes_length(info); n++)
			consider(s, xcb_randr_get_output_info_modes(info)[n]);
	}
	free(info);
	return usable;
}

/* One of exactly that size, where the driver lets us: those of virtual machines do. */
static void make_mode(struct screen *s)
{
	char name[32];
	int bytes = snprintf(name, sizeof(name), "agent-%ux%u", s->width, s->height);
	xcb_randr_mode_info_t info = { .width = (uint16_t)s->width,
				       .height = (uint16_t)s->height,
				       .htotal = (uint16_t)s->width,
				       .vtotal = (uint16_t)s->height,
				       .dot_clock = s->width * s->height * 60,
				       .name_len = (uint16_t)bytes };
	xcb_connection_t *c = s->x->c;
	xcb_randr_create_mode_reply_t *reply = xcb_randr_create_mode_reply(
		c, xcb_randr_create_mode(c, s->x->root, info, (uint32_t)bytes, name), NULL);
	xcb_generic_error_t *error;

	if (!reply)
		return;
	error = xcb_request_check(c, xcb_randr_add_output_mode_checked(c, s->output, reply->mode));
	if (!error) {
		s->mode = reply->mode;
		s->mode_width = s->width;
		s->mode_height = s->height;
	} else
		xcb_randr_destroy_mode(c, reply->mode);
	free(error);
	free(reply);
}

static bool set_crtc(struct screen *s, xcb_randr_mode_t mode)
{
	xcb_connection_t *c = s->x->c;
	xcb_randr_set_crtc_config_reply_t *reply = xcb_randr_set_crtc_config_reply(
		c,
		xcb_randr_set_crtc_config(c, s->crtc, XCB_CURRENT_TIME, XCB_CURRENT_TIME, 0, 0,
					  mode, XCB_RANDR_ROTATION_ROTATE_0, mode ? 1 : 0,
					  &s->output),
		NULL);
	bool done = reply && reply->status == XCB_RANDR_SET_CONFIG_SUCCESS;

	free(reply);
	return done;
}

/* The screen has to be as large as what is shown of it: off, resize, on again. */
static bool apply(struct screen *s)
{
	xcb_connection_t *c = s->x->c;
	xcb_generic_error_t *error;
	bool done;

	xcb_grab_server(c);
	set_crtc(s, XCB_NONE);
	error = xcb_request_check(c, xcb_randr_set_screen_size_checked(
					     c, s->x->root, (uint16_t)s->mode_width,
					     (uint16_t)s->mode_height,
					     (uint32_t)(s->mode_width * MM_PER_INCH / DPI),
					     (uint32_t)(s->mode_height * MM_PER_INCH / DPI)));
	done = set_crtc(s, s->mode) && !error;
	free(error);
	xcb_ungrab_server(c);
	return done;
}

static const char *resize(struct screen *s)
{
	xcb_connection_t *c = s->x->c;
	const xcb_randr_output_t *outputs;
	int count;

	s->resources = xcb_randr_get_screen_resources_current_reply(
		c, xcb_randr_get_screen_resources_current(c, s->x->root), NULL);
	if (!s->resources)
		return "the X server has no RandR 1.3";
	outputs = xcb_randr_get_screen_resources_current_outputs(s->resources);
	count = xcb_randr_get_screen_resources_current_outputs_length(s->resources);
	for (int n = 0; n < count && !s->output; n++)
		look_at_output(s, outputs[n]);
	if (!s->output)
		return "no output shows the screen";
	if (s->mode_width != s->width || s->mode_height != s->height)
		make_mode(s);
	if (!s->mode)
		return "no mode of the screen is as small as that";
	return apply(s) ? NULL : "the X server did not take the mode";
}

void screen_resize(void *os, struct ga_request *r, const struct mhi_agent_msg *msg)
{
	struct screen s = { .x = &((struct desktop *)os)->x,
			    .width = msg->u.resize.width,
			    .height = msg->u.resize.height };
	const char *why;

	if (s.width < PIXELS_MIN || s.height < PIXELS_MIN || s.width > PIXELS_MAX ||
	    s.height > PIXELS_MAX) {
		ga_end(r, MHI_AGENT_INVALID, "no screen has that size");
		return;
	}
	why = s.x->randr ? resize(&s) : "the X server has no RandR";
	free(s.resources);
	if (why)
		ga_end(r, MHI_AGENT_FAILED, "%s", why);
	else
		ga_done(r);
}

/* ---- work area ---- */

/*
 * A window of ours that takes the edges away from others, as panels do (EWMH 1.5,
 * _NET_WM_STRUT_PARTIAL): so no window is maximised below what the host shows there.
 */
static void make_strut(struct desktop *d)
{
	struct x11 *x = &d->x;

	d->work_area = xcb_generate_id(x->c);
	xcb_create_window(x->c, 0, d->work_area, x->root, 0, 0, 1, 1, 0,
			  XCB_WINDOW_CLASS_INPUT_OUTPUT, XCB_COPY_FROM_PARENT, 0, NULL);
	xcb_change_property(x->c, XCB_PROP_MODE_REPLACE, d->work_area, x->atoms[A_WINDOW_TYPE],
			    XCB_ATOM_ATOM, 32, 1, &x->atoms[A_TYPE_DOCK]);
}

static uint32_t rest(uint32_t whole, int64_t used)
{
	return used < 0 || used >= whole ? 0 : whole - (uint32_t)used;
}

static void set_strut(struct desktop *d, const struct mhi_msg_work_area *m)
{
	struct x11 *x = &d->x;
	xcb_get_geometry_reply_t *root =
		xcb_get_geometry_reply(x->c, xcb_get_geometry(x->c, x->root), NULL);
	uint32_t strut[12] = { 0 };

	if (!root)
		return;
	/* Left, right, top, bottom; then where along its edge each begins and ends. */
	strut[0] = m->x > 0 && m->x < root->width ? (uint32_t)m->x : 0;
	strut[1] = rest(root->width, (int64_t)m->x + m->width);
	strut[2] = m->y > 0 && m->y < root->height ? (uint32_t)m->y : 0;
	strut[3] = rest(root->height, (int64_t)m->y + m->height);
	strut[5] = strut[7] = root->height - 1u;
	strut[9] = strut[11] = root->width - 1u;
	free(root);
	if (!d->work_area)
		make_strut(d);
	xcb_change_property(x->c, XCB_PROP_MODE_REPLACE, d->work_area, x->atoms[A_STRUT],
			    XCB_ATOM_CARDINAL, 32, 4, strut);
	xcb_change_property(x->c, XCB_PROP_MODE_REPLACE, d->work_area, x->atoms[A_STRUT_PARTIAL],
			    XCB_ATOM_CARDINAL, 32, 12, strut);
	xcb_map_window(x->c, d->work_area);
}

/* ---- scale ---- */

#define DPI_NAME "Xft.dpi:"

/* What programs draw with is a line of the resources, which new ones read when they start. */
static void set_dpi(struct x11 *x, uint32_t dpi)
{
	xcb_get_property_reply_t *p =
		x11_property(x, x->root, XCB_ATOM_RESOURCE_MANAGER, XCB_ATOM_STRING, RESOURCES_MAX);
	const char *old = p ? xcb_get_property_value(p) : NULL;
	size_t bytes = p && p->format == 8 ? p->value_len : 0, at = 0, to = 0;
	char *text = malloc(bytes + 64);

	while (text && at < bytes) {
		const char *end = memchr(old + at, '\n', bytes - at);
		size_t line = end ? (size_t)(end - old) + 1 - at : bytes - at;

		if (line < strlen(DPI_NAME) || memcmp(old + at, DPI_NAME, strlen(DPI_NAME)) != 0) {
			memcpy(text + to, old + at, line);
			to += line;
		}
		at += line;
	}
	if (text) {
		if (to && text[to - 1] != '\n')
			text[to++] = '\n';
		to += (size_t)snprintf(text + to, 32, DPI_NAME "\t%u\n", dpi);
		xcb_change_property(x->c, XCB_PROP_MODE_REPLACE, x->root, XCB_ATOM_RESOURCE_MANAGER,
				    XCB_ATOM_STRING, 8, (uint32_t)to, text);
	}
	free(text);
	free(p);
}

void screen_work_area(void *os, struct ga_request *r, const struct mhi_agent_msg *msg)
{
	const struct mhi_msg_work_area *m = &msg->u.work_area;
	struct desktop *d = os;

	if (!m->width || !m->height || m->scale < SCALE_ONE / 4 || m->scale > SCALE_ONE * 8) {
		ga_end(r, MHI_AGENT_INVALID, "no work area is like that");
		return;
	}
	set_strut(d, m);
	set_dpi(&d->x, DPI * m->scale / SCALE_ONE);
	ga_done(r);
}
