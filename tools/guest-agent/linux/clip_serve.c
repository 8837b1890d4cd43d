/* SPDX-License-Identifier: MIT */
/* Selections that this program owns for the host: who pastes gets the host's content. */
#include <stdlib.h>
#include <string.h>

#include "clipboard.h"

static const struct {
	enum x11_atom atom;
	uint32_t kind;
} targets[] = {
	{ A_UTF8_STRING, MHI_AGENT_CLIP_TEXT }, { A_TEXT_UTF8, MHI_AGENT_CLIP_TEXT },
	{ A_TEXT_PLAIN, MHI_AGENT_CLIP_TEXT },	{ A_TEXT_HTML, MHI_AGENT_CLIP_HTML },
	{ A_IMAGE_PNG, MHI_AGENT_CLIP_PNG },	{ A_URI_LIST, MHI_AGENT_CLIP_FILES },
};

#define TARGETS (sizeof(targets) / sizeof(targets[0]))

static uint32_t kind_of(const struct x11 *x, xcb_atom_t target)
{
	for (size_t n = 0; n < TARGETS; n++)
		if (x->atoms[targets[n].atom] == target)
			return targets[n].kind;
	return 0;
}

/* Tell who asked: property 0: there is none. */
static void notify(struct x11 *x, const xcb_selection_request_event_t *asked, xcb_atom_t property)
{
	xcb_selection_notify_event_t event = { .response_type = XCB_SELECTION_NOTIFY,
					       .time = asked->time,
					       .requestor = asked->requestor,
					       .selection = asked->selection,
					       .target = asked->target,
					       .property = property };

	xcb_send_event(x->c, 0, asked->requestor, 0, (const char *)&event);
}

static void put(struct x11 *x, const xcb_selection_request_event_t *asked, const uint8_t *data,
		size_t bytes)
{
	xcb_change_property(x->c, XCB_PROP_MODE_REPLACE, asked->requestor, asked->property,
			    asked->target, 8, (uint32_t)bytes, data);
}

static void finish(struct clip_served *v)
{
	free(v->data);
	memset(v, 0, sizeof(*v));
}

/* ---- content ---- */

static size_t piece(const struct x11 *x)
{
	return x->max_bytes < CLIP_PIECE ? x->max_bytes : CLIP_PIECE;
}

/* Each piece is asked for by deleting the last one; an empty one is the end (ICCCM 2.0, 2.7.2). */
static void begin_pieces(struct x11 *x, struct clip_served *v)
{
	const uint32_t events = X11_WINDOW_EVENTS;
	uint32_t bytes = (uint32_t)v->bytes;

	xcb_change_window_attributes(x->c, v->asked.requestor, XCB_CW_EVENT_MASK, &events);
	xcb_change_property(x->c, XCB_PROP_MODE_REPLACE, v->asked.requestor, v->asked.property,
			    x->atoms[A_INCR], 32, 1, &bytes);
	notify(x, &v->asked, v->asked.property);
}

static void content(void *opaque, uint8_t *data, size_t bytes)
{
	struct clip_served *v = opaque;
	struct x11 *x = &v->clipboard->d->x;

	v->content = NULL;
	v->data = data ? clip_to_guest(v->kind, data, &bytes) : NULL;
	v->bytes = bytes;
	v->until_ms = loop_now() + CLIP_PATIENCE_MS;
	if (!v->data) {
		notify(x, &v->asked, 0);
		finish(v);
	} else if (bytes <= piece(x)) {
		put(x, &v->asked, v->data, bytes);
		notify(x, &v->asked, v->asked.property);
		finish(v);
	} else
		begin_pieces(x, v);
}

void clip_serve_property(struct clipboard *c, const xcb_property_notify_event_t *e)
{
	struct x11 *x = &c->d->x;

	for (size_t n = 0; n < CLIP_SERVED; n++) {
		struct clip_served *v = &c->served[n];
		size_t left = v->bytes - v->sent, part = left < piece(x) ? left : piece(x);

		if (!v->clipboard || !v->data || e->state != XCB_PROPERTY_DELETE ||
		    e->window != v->asked.requestor || e->atom != v->asked.property)
			continue;
		put(x, &v->asked, v->data + v->sent, part);
		v->sent += part;
		v->until_ms = loop_now() + CLIP_PATIENCE_MS;
		if (!part)
			finish(v);
	}
}

/* ---- who asks ---- */

static void put_targets(struct x11 *x, const struct clip_selection *s,
			const xcb_selection_request_event_t *asked)
{
	xcb_atom_t list[TARGETS + 2] = { x->atoms[A_TARGETS], x->atoms[A_TIMESTAMP] };
	uint32_t count = 2;

	for (size_t n = 0; n < TARGETS; n++)
		if (targets[n].kind & s->host_types)
			list[count++] = x->atoms[targets[n].atom];
	xcb_change_property(x->c, XCB_PROP_MODE_REPLACE, asked->requestor, asked->property,
			    XCB_ATOM_ATOM, 32, count, list);
	notify(x, asked, asked->property);
}

static void put_time(struct x11 *x, const struct clip_selection *s,
		     const xcb_selection_request_event_t *asked)
{
	xcb_change_property(x->c, XCB_PROP_MODE_REPLACE, asked->requestor, asked->property,
			    XCB_ATOM_INTEGER, 32, 1, &s->since);
	notify(x, asked, asked->property);
}

/* Returns false: it cannot be served. */
static bool serve(struct clipboard *c, const struct clip_selection *s,
		  const xcb_selection_request_event_t *asked, uint32_t kind)
{
	struct mhi_msg_clip_request what = { s->number, s->host_offer, kind, 0 };
	struct clip_served *v = c->served;

	while (v < c->served + CLIP_SERVED && v->clipboard)
		v++;
	if (v == c->served + CLIP_SERVED)
		return false;
	*v = (struct clip_served){ .clipboard = c, .asked = *asked, .kind = kind };
	v->content = ga_content_ask(&c->d->session, &what, content, v);
	if (v->content)
		return true;
	finish(v);
	return false;
}

void clip_serve_request(struct clipboard *c, const xcb_selection_request_event_t *e)
{
	xcb_selection_request_event_t asked = *e;
	struct x11 *x = &c->d->x;
	struct clip_selection *s = NULL;

	for (size_t n = 0; n < CLIP_SELECTIONS; n++)
		if (c->selections[n].name == e->selection && c->selections[n].ours)
			s = &c->selections[n];
	/* Old programs leave the choice to us. */
	if (!asked.property)
		asked.property = asked.target;
	if (s && asked.target == x->atoms[A_TARGETS])
		put_targets(x, s, &asked);
	else if (s && asked.target == x->atoms[A_TIMESTAMP])
		put_time(x, s, &asked);
	else if (!s || !(kind_of(x, asked.target) & s->host_types) ||
		 !serve(c, s, &asked, kind_of(x, asked.target)))
		notify(x, &asked, 0);
}

/* ---- ends ---- */

/* The host has its own time limit; this one is for who pastes. */
void clip_serve_step(struct clipboard *c, uint64_t now)
{
	for (size_t n = 0; n < CLIP_SERVED; n++) {
		struct clip_served *v = &c->served[n];

		if (!v->clipboard || v->content)
			continue;
		if (now >= v->until_ms)
			finish(v);
		else
			loop_wake(&c->d->loop, v->until_ms);
	}
}

void clip_serve_end(struct clipboard *c)
{
	for (size_t n = 0; n < CLIP_SERVED; n++) {
		if (c->served[n].clipboard && c->served[n].content)
			ga_content_forget(c->served[n].content);
		if (c->served[n].clipboard)
			finish(&c->served[n]);
	}
}
