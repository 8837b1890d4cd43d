/* SPDX-License-Identifier: MIT */
/* The clipboard: who owns the selections, this guest's programs or the host. */
#include "clipboard.h"

#include <stdlib.h>
#include <time.h>
#include <xcb/xfixes.h>

#define OWNERS                                                      \
	(XCB_XFIXES_SELECTION_EVENT_MASK_SET_SELECTION_OWNER |      \
	 XCB_XFIXES_SELECTION_EVENT_MASK_SELECTION_WINDOW_DESTROY | \
	 XCB_XFIXES_SELECTION_EVENT_MASK_SELECTION_CLIENT_CLOSE)

uint32_t clip_index(uint32_t kind)
{
	for (uint32_t n = 0; n < CLIP_KINDS; n++)
		if (kind == 1u << n)
			return n;
	return CLIP_KINDS;
}

struct clipboard *clipboard_create(struct desktop *d)
{
	struct clipboard *c = calloc(1, sizeof(*c));
	const xcb_atom_t *atoms = d->x.atoms;
	struct clip_selection *s;

	if (!c)
		return NULL;
	c->d = d;
	s = &c->selections[MHI_AGENT_SEL_CLIPBOARD];
	s->name = atoms[A_CLIPBOARD];
	s->property = atoms[A_AGENT];
	s->targets = atoms[A_AGENT_TARGETS];
	s = &c->selections[MHI_AGENT_SEL_PRIMARY];
	s->number = MHI_AGENT_SEL_PRIMARY;
	s->name = XCB_ATOM_PRIMARY;
	s->property = atoms[A_AGENT_PRIMARY];
	s->targets = atoms[A_AGENT_TARGETS_PRIMARY];
	for (size_t n = 0; n < CLIP_SELECTIONS; n++) {
		/* What a program that starts anew offers is newer than what the last one did. */
		c->selections[n].offer = (uint32_t)time(NULL);
		xcb_xfixes_select_selection_input(d->x.c, d->x.own, c->selections[n].name, OWNERS);
	}
	return c;
}

void clipboard_destroy(struct clipboard *c)
{
	free(c);
}

static bool is_agreed(const struct clipboard *c, const struct clip_selection *s)
{
	return c->features &
	       (s->number == MHI_AGENT_SEL_PRIMARY ? MHI_AGENT_F_PRIMARY : MHI_AGENT_F_CLIPBOARD);
}

/* ---- owners ---- */

/* A new owner. Our own offers are none of this guest's. */
static void owned(struct clipboard *c, struct clip_selection *s, xcb_window_t owner)
{
	s->ours = owner == c->d->x.own;
	if (!is_agreed(c, s))
		return;
	if (s->ours || !owner)
		clip_read_gone(c, s);
	else
		clip_read_targets(c, s);
}

static void owner_event(struct clipboard *c, const xcb_generic_event_t *event)
{
	const xcb_xfixes_selection_notify_event_t *e =
		(const xcb_xfixes_selection_notify_event_t *)event;

	for (size_t n = 0; n < CLIP_SELECTIONS; n++) {
		if (c->selections[n].name != e->selection)
			continue;
		c->selections[n].since = e->selection_timestamp;
		owned(c, &c->selections[n], e->owner);
	}
}

void clipboard_event(struct clipboard *c, const xcb_generic_event_t *event)
{
	uint8_t type = event->response_type & 0x7f;
	const xcb_property_notify_event_t *property;

	if (type == c->d->x.xfixes + XCB_XFIXES_SELECTION_NOTIFY)
		owner_event(c, event);
	else if (type == XCB_SELECTION_NOTIFY)
		clip_read_notify(c, (const xcb_selection_notify_event_t *)event);
	else if (type == XCB_SELECTION_REQUEST)
		clip_serve_request(c, (const xcb_selection_request_event_t *)event);
	else if (type == XCB_PROPERTY_NOTIFY) {
		property = (const xcb_property_notify_event_t *)event;
		clip_read_property(c, property);
		clip_serve_property(c, property);
	}
}

void clipboard_step(struct clipboard *c)
{
	uint64_t now = loop_now();

	clip_read_step(c, now);
	clip_serve_step(c, now);
}

/* ---- the host ---- */

static void release(struct clipboard *c, struct clip_selection *s)
{
	s->host_types = 0;
	if (s->ours)
		xcb_set_selection_owner(c->d->x.c, XCB_NONE, s->name, XCB_CURRENT_TIME);
}

void clipboard_offer(void *os, struct ga_request *r, const struct mhi_agent_msg *msg)
{
	const struct mhi_msg_clip_offer *m = &msg->u.clip_offer;
	struct clipboard *c = ((struct desktop *)os)->clipboard;
	struct clip_selection *s =
		m->selection < CLIP_SELECTIONS ? &c->selections[m->selection] : NULL;

	if (!s || !is_agreed(c, s)) {
		ga_end(r, MHI_AGENT_INVALID, "there is no such selection");
		return;
	}
	if (m->types) {
		s->host_offer = m->offer;
		s->host_types = m->types;
		/* Who looks before the server's event has come sees the right owner, too. */
		s->ours = true;
		xcb_set_selection_owner(c->d->x.c, c->d->x.own, s->name, XCB_CURRENT_TIME);
	} else
		release(c, s);
	ga_done(r);
}

static xcb_window_t owner_of(struct clipboard *c, const struct clip_selection *s)
{
	xcb_connection_t *x = c->d->x.c;
	xcb_get_selection_owner_reply_t *reply =
		xcb_get_selection_owner_reply(x, xcb_get_selection_owner(x, s->name), NULL);
	xcb_window_t owner = reply ? reply->owner : 0;

	free(reply);
	return owner;
}

void clipboard_agreed(struct clipboard *c, uint32_t features)
{
	c->features = features;
	if (!features) {
		clip_serve_end(c);
		for (size_t n = 0; n < CLIP_SELECTIONS; n++) {
			release(c, &c->selections[n]);
			c->selections[n].types = 0;
		}
		return;
	}
	for (size_t n = 0; n < CLIP_SELECTIONS; n++)
		owned(c, &c->selections[n], owner_of(c, &c->selections[n]));
}
