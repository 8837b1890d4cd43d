/* SPDX-License-Identifier: MIT */
/* Selections that programs of the guest own: their kinds, and the content the host wants. */
#include <stdlib.h>
#include <string.h>

#include "clipboard.h"

#define TARGETS_MAX 256u

/* The best first. */
static const struct {
	uint32_t kind;
	enum x11_atom atom;
} targets[] = {
	{ MHI_AGENT_CLIP_TEXT, A_UTF8_STRING }, { MHI_AGENT_CLIP_TEXT, A_TEXT_UTF8 },
	{ MHI_AGENT_CLIP_HTML, A_TEXT_HTML },	{ MHI_AGENT_CLIP_PNG, A_IMAGE_PNG },
	{ MHI_AGENT_CLIP_FILES, A_URI_LIST },
};

static struct x11 *x11_of(struct clipboard *c)
{
	return &c->d->x;
}

/* ---- what there is ---- */

static void offer(struct clipboard *c, struct clip_selection *s, uint32_t types)
{
	struct mhi_msg_clip_offer msg = { s->number, s->offer + 1, types, 0 };

	if (!types && !s->types)
		return;
	/* Where there is no room the host has the old offer, which is refused when it asks. */
	s->offer++;
	s->types = types;
	ga_tell(&c->d->session, MHI_MSG_CLIP_OFFER, &msg);
}

void clip_read_gone(struct clipboard *c, struct clip_selection *s)
{
	memset(s->kinds, 0, sizeof(s->kinds));
	offer(c, s, 0);
}

void clip_read_targets(struct clipboard *c, struct clip_selection *s)
{
	struct x11 *x = x11_of(c);

	xcb_convert_selection(x->c, x->own, s->name, x->atoms[A_TARGETS], s->targets,
			      XCB_CURRENT_TIME);
}

static void got_targets(struct clipboard *c, struct clip_selection *s, xcb_atom_t property)
{
	struct x11 *x = x11_of(c);
	xcb_get_property_reply_t *p =
		property ? x11_property(x, x->own, property, XCB_ATOM_ANY, TARGETS_MAX * 4) : NULL;
	const xcb_atom_t *list = p ? xcb_get_property_value(p) : NULL;
	uint32_t items = x11_items(p), types = 0;

	memset(s->kinds, 0, sizeof(s->kinds));
	for (size_t t = 0; t < sizeof(targets) / sizeof(targets[0]); t++) {
		xcb_atom_t *kind = &s->kinds[clip_index(targets[t].kind)];

		for (uint32_t n = 0; n < items && !*kind; n++)
			if (list[n] == x->atoms[targets[t].atom]) {
				*kind = list[n];
				types |= targets[t].kind;
			}
	}
	free(p);
	offer(c, s, types);
}

/* ---- the content ---- */

static void stop(struct clip_reading *r)
{
	free(r->data);
	memset(r, 0, sizeof(*r));
}

static void fail(struct clip_reading *r, enum mhi_agent_code code, const char *text)
{
	struct ga_request *request = r->request;

	stop(r);
	request->ops = NULL;
	ga_end(request, code, "%s", text);
}

static void is_over(struct ga_request *request, uint32_t code, const char *text)
{
	stop(request->data);
}

static void complete(struct clip_reading *r)
{
	struct ga_request *request = r->request;
	uint8_t *data = r->data ? r->data : calloc(1, 1);
	size_t bytes = r->bytes;

	r->data = NULL;
	data = data ? clip_from_guest(r->kind, data, &bytes) : NULL;
	stop(r);
	request->ops = NULL;
	if (data)
		ga_content_send(request, data, bytes);
	else
		ga_end(request, MHI_AGENT_FAILED, "no memory");
}

void clipboard_request(void *os, struct ga_request *request, const struct mhi_agent_msg *msg)
{
	static const struct ga_request_ops ops = { .over = is_over };
	const struct mhi_msg_clip_request *m = &msg->u.clip_request;
	struct clipboard *c = ((struct desktop *)os)->clipboard;
	struct x11 *x = x11_of(c);
	struct clip_selection *s =
		m->selection < CLIP_SELECTIONS ? &c->selections[m->selection] : NULL;
	uint32_t index = clip_index(m->kind);

	if (!request)
		return;
	if (!s || index == CLIP_KINDS || m->offer != s->offer || !s->kinds[index] || s->ours) {
		ga_end(request, MHI_AGENT_MISSING, "that is not what is offered");
		return;
	}
	if (s->reading.request) {
		ga_end(request, MHI_AGENT_BUSY, "the content is being read already");
		return;
	}
	s->reading = (struct clip_reading){ .request = request,
					    .kind = m->kind,
					    .until_ms = loop_now() + CLIP_PATIENCE_MS };
	request->ops = &ops;
	request->data = &s->reading;
	xcb_delete_property(x->c, x->own, s->property);
	xcb_convert_selection(x->c, x->own, s->name, s->kinds[index], s->property,
			      XCB_CURRENT_TIME);
}

/* Returns bytes that were added; -1: too large, or of a form that is none. */
static long take(struct clipboard *c, struct clip_selection *s, const xcb_get_property_reply_t *p)
{
	struct clip_reading *r = &s->reading;
	uint32_t bytes = p->value_len;
	uint8_t *data;

	if (p->format != 8 && bytes)
		return -1;
	if (p->bytes_after || r->bytes + bytes > GA_CONTENT_MAX)
		return -1;
	data = realloc(r->data, r->bytes + bytes + 1);
	if (!data)
		return -1;
	memcpy(data + r->bytes, xcb_get_property_value(p), bytes);
	r->data = data;
	r->bytes += bytes;
	data[r->bytes] = 0;
	r->until_ms = loop_now() + CLIP_PATIENCE_MS;
	return (long)bytes;
}

/* What is there is read, and deleted: which asks for the next piece. */
static void read_piece(struct clipboard *c, struct clip_selection *s)
{
	struct x11 *x = x11_of(c);
	xcb_get_property_reply_t *p = xcb_get_property_reply(
		x->c,
		xcb_get_property(x->c, 1, x->own, s->property, XCB_ATOM_ANY, 0, GA_CONTENT_MAX / 4),
		NULL);
	long n = 0;

	if (!p || !p->type) {
		free(p);
		if (!s->reading.pieces)
			fail(&s->reading, MHI_AGENT_MISSING, "the owner has not sent it");
		return;
	}
	if (p->type == x->atoms[A_INCR] && !s->reading.pieces)
		s->reading.pieces = true;
	else {
		n = take(c, s, p);
		if (n < 0)
			fail(&s->reading, MHI_AGENT_TOO_LARGE, "the content is too large");
		else if (!n || !s->reading.pieces)
			complete(&s->reading);
	}
	free(p);
}

void clip_read_notify(struct clipboard *c, const xcb_selection_notify_event_t *e)
{
	for (size_t n = 0; n < CLIP_SELECTIONS; n++) {
		struct clip_selection *s = &c->selections[n];

		if (e->selection != s->name)
			continue;
		if (e->target == x11_of(c)->atoms[A_TARGETS])
			got_targets(c, s, e->property);
		else if (s->reading.request && !e->property)
			fail(&s->reading, MHI_AGENT_MISSING, "the owner does not give it");
		else if (s->reading.request && e->property == s->property)
			read_piece(c, s);
	}
}

void clip_read_property(struct clipboard *c, const xcb_property_notify_event_t *e)
{
	if (e->window != x11_of(c)->own || e->state != XCB_PROPERTY_NEW_VALUE)
		return;
	for (size_t n = 0; n < CLIP_SELECTIONS; n++) {
		struct clip_selection *s = &c->selections[n];

		if (e->atom == s->property && s->reading.request && s->reading.pieces)
			read_piece(c, s);
	}
}

void clip_read_step(struct clipboard *c, uint64_t now)
{
	for (size_t n = 0; n < CLIP_SELECTIONS; n++) {
		struct clip_reading *r = &c->selections[n].reading;

		if (r->request && now >= r->until_ms)
			fail(r, MHI_AGENT_FAILED, "the owner does not answer");
		if (r->request)
			loop_wake(&c->d->loop, r->until_ms);
	}
}
