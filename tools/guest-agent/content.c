/* SPDX-License-Identifier: MIT */
/* Contents of the clipboard, sent and asked for, within their credit. */
#include "content.h"

#include <stdlib.h>
#include <string.h>

struct outgoing {
	uint8_t *data;
	size_t bytes, sent;
};

static void send_more(struct ga_request *r)
{
	struct outgoing *o = r->data;
	size_t room;

	while (o->sent < o->bytes && (room = ga_room(r))) {
		size_t part = o->bytes - o->sent < room ? o->bytes - o->sent : room;

		ga_data(r, 0, o->data + o->sent, part);
		o->sent += part;
	}
	if (o->sent < o->bytes)
		return;
	free(o->data);
	free(o);
	r->ops = NULL;
	ga_done(r);
}

static void sending_is_over(struct ga_request *r, uint32_t code, const char *text)
{
	struct outgoing *o = r->data;

	(void)code;
	(void)text;
	free(o->data);
	free(o);
}

void ga_content_send(struct ga_request *r, uint8_t *data, size_t bytes)
{
	static const struct ga_request_ops ops = { .room = send_more, .over = sending_is_over };
	struct mhi_msg_clip_size size = { bytes, 0 };
	struct outgoing *o = calloc(1, sizeof(*o));

	if (!o || bytes > GA_CONTENT_MAX) {
		free(o);
		free(data);
		ga_end(r, MHI_AGENT_TOO_LARGE, "the content has %zu bytes, the agent takes %u",
		       bytes, GA_CONTENT_MAX);
		return;
	}
	*o = (struct outgoing){ data, bytes, 0 };
	r->ops = &ops;
	r->data = o;
	ga_reply(r, MHI_MSG_CLIP_SIZE, &size);
	send_more(r);
}

struct ga_content {
	struct ga_request *request;
	ga_content_fn *fn;
	void *opaque;
	uint8_t *data;
	uint64_t size; /* as the host has said */
	size_t bytes;
	bool sized, wrong;
};

/* Allocated as it comes: what the host claims is no reason to take that much memory. */
static bool grow(struct ga_content *c, size_t bytes)
{
	size_t need = c->bytes + bytes + 1, room = 65536;
	uint8_t *data;

	while (room < need)
		room *= 2;
	data = realloc(c->data, room);
	if (data)
		c->data = data;
	return data;
}

static void got_size(struct ga_request *r, const struct mhi_agent_msg *msg)
{
	struct ga_content *c = r->data;

	if (msg->type != MHI_MSG_CLIP_SIZE)
		return;
	c->size = msg->u.clip_size.bytes;
	c->wrong |= c->sized || c->size > GA_CONTENT_MAX;
	c->sized = true;
}

static void got_part(struct ga_request *r, uint32_t stream, const uint8_t *data, uint32_t bytes)
{
	struct ga_content *c = r->data;

	if (!c->sized || bytes > c->size - c->bytes || stream)
		c->wrong = true;
	if (!c->wrong && !grow(c, bytes))
		c->wrong = true;
	if (!c->wrong) {
		memcpy(c->data + c->bytes, data, bytes);
		c->bytes += bytes;
	}
	ga_credit(r, bytes);
}

static void asking_is_over(struct ga_request *r, uint32_t code, const char *text)
{
	struct ga_content *c = r->data;

	(void)text;
	if (code != MHI_AGENT_OK || c->wrong || !c->sized || c->bytes != c->size || !grow(c, 0)) {
		free(c->data);
		c->data = NULL;
		c->bytes = 0;
	} else
		c->data[c->bytes] = 0;
	c->fn(c->opaque, c->data, c->bytes);
	free(c);
}

struct ga_content *ga_content_ask(struct ga_session *session,
				  const struct mhi_msg_clip_request *what, ga_content_fn *fn,
				  void *opaque)
{
	static const struct ga_request_ops ops = { .data = got_part,
						   .message = got_size,
						   .over = asking_is_over };
	struct ga_content *c = calloc(1, sizeof(*c));

	if (!c)
		return NULL;
	c->fn = fn;
	c->opaque = opaque;
	c->request = ga_ask(session, MHI_MSG_CLIP_REQUEST, what, &ops, c);
	if (!c->request) {
		free(c);
		return NULL;
	}
	return c;
}

void ga_content_forget(struct ga_content *c)
{
	ga_forget(c->request);
	free(c->data);
	free(c);
}
