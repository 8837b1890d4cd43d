/* SPDX-License-Identifier: MIT */
/* The agent's core: the stream, the greeting, requests with their results and credit. */
#include "session.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "os.h"

/* HELLO is said until the host answers: it may come later than the agent. */
#define HELLO_MS (MHI_AGENT_HELLO_EVERY * 1000u)
/* Silence: ask whether the host is there; it is not. */
#define PING_MS (MHI_AGENT_PING_AFTER * 1000u)
#define LOST_MS (MHI_AGENT_LOST_AFTER * 1000u)
#define QUEUE_LOW (GA_QUEUE / 8)    /* from here on down others may go on */
#define QUEUE_EVENTS (GA_QUEUE / 4) /* no data and no events beyond this */
#define QUEUE_INPUT (GA_QUEUE / 2)  /* no new requests beyond this */
#define REQUESTS (2 * MHI_AGENT_REQUESTS_MAX)
#define RESULT_TEXT 512u

int ga_init(struct ga_session *s, const struct ga_os *os, void *opaque, uint32_t features)
{
	memset(s, 0, sizeof(*s));
	s->os = os;
	s->opaque = opaque;
	s->offered = features;
	s->in = malloc(2 * MHI_AGENT_FRAME);
	s->out = malloc(GA_QUEUE);
	if (s->in && s->out)
		return 0;
	ga_fini(s);
	return -1;
}

void ga_fini(struct ga_session *s)
{
	if (s->instance)
		ga_disconnected(s);
	free(s->in);
	free(s->out);
	s->in = s->out = NULL;
}

/* ---- requests ---- */

static struct ga_request *find(struct ga_session *s, uint32_t serial)
{
	for (size_t n = 0; serial && n < REQUESTS; n++)
		if (s->requests[n].serial == serial)
			return &s->requests[n];
	return NULL;
}

/* The first half of the table is the host's, so that neither side takes the other one's places. */
static struct ga_request *claim(struct ga_session *s, uint32_t serial, uint32_t type)
{
	size_t first = serial & MHI_AGENT_SERIAL_GUEST ? MHI_AGENT_REQUESTS_MAX : 0;

	for (size_t n = first; n < first + MHI_AGENT_REQUESTS_MAX; n++) {
		struct ga_request *r = &s->requests[n];

		if (r->serial)
			continue;
		*r = (struct ga_request){ .session = s,
					  .serial = serial,
					  .type = type,
					  .may_send = MHI_AGENT_WINDOW_BYTES,
					  .may_get = MHI_AGENT_WINDOW_BYTES };
		return r;
	}
	return NULL;
}

static void release(struct ga_request *r, uint32_t code, const char *text)
{
	if (r->ops && r->ops->over)
		r->ops->over(r, code, text);
	memset(r, 0, sizeof(*r));
}

/* ---- the stream out ---- */

static bool put(struct ga_session *s, uint32_t type, uint32_t serial, const void *msg, size_t limit)
{
	size_t room = s->out_bytes < limit ? limit - s->out_bytes : 0;
	size_t bytes =
		s->instance ? mhi_agent_encode(s->out + s->out_bytes, room, type, serial, msg) : 0;

	s->out_bytes += bytes;
	return bytes != 0;
}

/* What the host waits for; it cannot be left out. */
static void answer(struct ga_session *s, uint32_t type, uint32_t serial, const void *msg)
{
	if (s->instance && !put(s, type, serial, msg, GA_QUEUE))
		s->broken = true;
}

bool ga_tell(struct ga_session *s, uint32_t type, const void *msg)
{
	if (put(s, type, 0, msg, QUEUE_EVENTS))
		return true;
	s->starved = true;
	return false;
}

bool ga_has_room(struct ga_session *s)
{
	if (s->out_bytes + MHI_AGENT_FRAME <= QUEUE_EVENTS)
		return true;
	s->starved = true;
	return false;
}

bool ga_send_raw(struct ga_session *s, const struct mhi_agent_msg *msg)
{
	return put(s, msg->type, msg->serial, &msg->u, GA_QUEUE);
}

void ga_reply(struct ga_request *r, uint32_t type, const void *msg)
{
	if (r)
		answer(r->session, type, r->serial, msg);
}

size_t ga_room(const struct ga_request *r)
{
	size_t used = r->session->out_bytes + MHI_AGENT_HEADER + 4;
	size_t room = used < QUEUE_EVENTS ? QUEUE_EVENTS - used : 0;

	if (room > r->may_send)
		room = (size_t)r->may_send;
	return room < GA_CHUNK ? room : GA_CHUNK;
}

void ga_data(struct ga_request *r, uint32_t stream, const void *data, size_t bytes)
{
	struct mhi_msg_data msg = { stream, { data, (uint32_t)bytes }, 0 };

	r->may_send -= bytes < r->may_send ? bytes : r->may_send;
	answer(r->session, MHI_MSG_DATA, r->serial, &msg);
}

void ga_credit(struct ga_request *r, uint64_t bytes)
{
	struct mhi_msg_credit msg = { (uint32_t)bytes, 0 };

	r->may_get += bytes;
	answer(r->session, MHI_MSG_CREDIT, r->serial, &msg);
}

static void result(struct ga_session *s, uint32_t serial, uint32_t code, const char *text)
{
	struct mhi_msg_result msg = { code, text, 0 };

	if (s->instance && !put(s, MHI_MSG_RESULT, serial, &msg, GA_QUEUE)) {
		/* A file's name in it may be no UTF-8: then the code has to do. */
		msg.text = "";
		answer(s, MHI_MSG_RESULT, serial, &msg);
	}
}

void ga_end(struct ga_request *r, enum mhi_agent_code code, const char *format, ...)
{
	char text[RESULT_TEXT];
	va_list list;

	if (!r)
		return;
	va_start(list, format);
	vsnprintf(text, sizeof(text), format, list);
	va_end(list);
	result(r->session, r->serial, code, text);
	memset(r, 0, sizeof(*r));
}

struct ga_request *ga_ask(struct ga_session *s, uint32_t type, const void *msg,
			  const struct ga_request_ops *ops, void *data)
{
	struct ga_request *r;

	do
		s->own = (s->own + 1) | MHI_AGENT_SERIAL_GUEST;
	while (find(s, s->own));
	r = s->welcome ? claim(s, s->own, type) : NULL;
	if (!r)
		return NULL;
	r->ops = ops;
	r->data = data;
	answer(s, type, r->serial, msg);
	return r;
}

void ga_forget(struct ga_request *r)
{
	static const struct mhi_msg_cancel cancel;

	answer(r->session, MHI_MSG_CANCEL, r->serial, &cancel);
	memset(r, 0, sizeof(*r));
}

/* ---- the greeting ---- */

static void hello(struct ga_session *s, uint64_t now_ms)
{
	struct mhi_msg_hello msg = { MHI_AGENT_VERSION, s->offered, s->os->system, s->os->agent,
				     0 };

	answer(s, MHI_MSG_HELLO, s->instance, &msg);
	s->hello_ms = now_ms + HELLO_MS;
}

static void agree(struct ga_session *s, uint32_t features)
{
	if (features == s->features)
		return;
	s->features = features;
	if (s->os->agreed)
		s->os->agreed(s->opaque, features);
}

void ga_connected(struct ga_session *s, uint32_t instance, uint64_t now_ms)
{
	ga_disconnected(s);
	s->instance = instance ? instance : 1;
	s->heard = true; /* as it were: silence begins now */
	hello(s, now_ms);
}

void ga_disconnected(struct ga_session *s)
{
	s->instance = 0;
	s->welcome = s->broken = s->starved = false;
	s->in_bytes = s->out_bytes = 0;
	for (size_t n = 0; n < REQUESTS; n++)
		if (s->requests[n].serial)
			release(&s->requests[n], MHI_AGENT_CANCELLED, "the host is gone");
	agree(s, 0);
}

/* A host of another version knows none of ours: go on saying HELLO, it may be updated. */
static void welcomed(struct ga_session *s, const struct mhi_agent_msg *m)
{
	if (s->welcome || m->serial != s->instance || m->u.welcome.version != MHI_AGENT_VERSION)
		return;
	s->welcome = true;
	agree(s, m->u.welcome.features & s->offered);
}

/* ---- the host's messages ---- */

/* Which function of struct ga_os handles a message, and what must have been agreed on. */
static const struct route {
	uint32_t type, feature;
	size_t handler;
} routes[] = {
#define ROUTE(NAME, name, feature)                                      \
	{                                                               \
		MHI_MSG_##NAME, (feature), offsetof(struct ga_os, name) \
	}
	ROUTE(GET_INFO, get_info, MHI_AGENT_F_INFO),
	ROUTE(SHUTDOWN, shutdown, MHI_AGENT_F_POWER),
	ROUTE(SET_TIME, set_time, MHI_AGENT_F_TIME),
	ROUTE(EXEC, exec, MHI_AGENT_F_EXEC),
	ROUTE(FILE_PUT, file_put, MHI_AGENT_F_FILES),
	ROUTE(FILE_GET, file_get, MHI_AGENT_F_FILES),
	ROUTE(MOUNT, mount, MHI_AGENT_F_MOUNT),
	ROUTE(UNMOUNT, unmount, MHI_AGENT_F_MOUNT),
	ROUTE(CLIP_OFFER, clip_offer, MHI_AGENT_F_CLIPBOARD | MHI_AGENT_F_PRIMARY),
	ROUTE(CLIP_REQUEST, clip_request, MHI_AGENT_F_CLIPBOARD | MHI_AGENT_F_PRIMARY),
	ROUTE(SEAMLESS, seamless, MHI_AGENT_F_WINDOWS),
	ROUTE(WORK_AREA, work_area, MHI_AGENT_F_WINDOWS),
	ROUTE(WINDOW_MOVE, window_move, MHI_AGENT_F_WINDOWS),
	ROUTE(WINDOW_ACT, window_act, MHI_AGENT_F_WINDOWS),
	ROUTE(RESIZE, resize, MHI_AGENT_F_RESIZE),
	ROUTE(KEY, key, MHI_AGENT_F_INPUT),
	ROUTE(POINTER, pointer, MHI_AGENT_F_INPUT),
	ROUTE(BUTTON, button, MHI_AGENT_F_INPUT),
	ROUTE(WHEEL, wheel, MHI_AGENT_F_INPUT),
};

static void refuse(struct ga_session *s, const struct mhi_agent_msg *m, uint32_t code,
		   const char *text)
{
	if (m->serial)
		result(s, m->serial, code, text);
}

static void start(struct ga_session *s, const struct mhi_agent_msg *m, ga_handler *handler)
{
	struct ga_request *r = NULL;

	if (m->serial & MHI_AGENT_SERIAL_GUEST || find(s, m->serial)) {
		s->broken = true;
		return;
	}
	if (m->serial)
		r = claim(s, m->serial, m->type);
	if (m->serial && !r)
		refuse(s, m, MHI_AGENT_BUSY, "as many requests as there may be are under way");
	else
		handler(s->opaque, r, m);
}

static void dispatch(struct ga_session *s, const struct mhi_agent_msg *m)
{
	for (size_t n = 0; n < sizeof(routes) / sizeof(routes[0]); n++) {
		ga_handler *handler;

		if (routes[n].type != m->type)
			continue;
		memcpy(&handler, (const char *)s->os + routes[n].handler, sizeof(handler));
		if (!handler)
			refuse(s, m, MHI_AGENT_UNSUPPORTED, "this agent cannot do that");
		else if (!(routes[n].feature & s->features))
			refuse(s, m, MHI_AGENT_UNSUPPORTED, "that was not agreed on");
		else
			start(s, m, handler);
		return;
	}
}

static void got_data(struct ga_request *r, const struct mhi_agent_msg *m)
{
	const struct mhi_agent_rest *rest = &m->u.data.data;

	if (rest->bytes > r->may_get) {
		r->session->broken = true;
		return;
	}
	r->may_get -= rest->bytes;
	if (r->ops && r->ops->data)
		r->ops->data(r, m->u.data.stream, rest->data, rest->bytes);
}

static void got_credit(struct ga_request *r, uint32_t bytes)
{
	if (r->may_send > UINT64_MAX - bytes)
		return;
	r->may_send += bytes;
	if (r->ops && r->ops->room)
		r->ops->room(r);
}

/* A message of a request that is under way. */
static void go_on(struct ga_request *r, const struct mhi_agent_msg *m)
{
	struct ga_session *s = r->session;
	uint32_t serial = r->serial;

	if (m->type == MHI_MSG_DATA)
		got_data(r, m);
	else if (m->type == MHI_MSG_CREDIT)
		got_credit(r, m->u.credit.bytes);
	else if (m->type == MHI_MSG_RESULT && serial & MHI_AGENT_SERIAL_GUEST)
		release(r, m->u.result.code, m->u.result.text);
	else if (m->type == MHI_MSG_CANCEL && !(serial & MHI_AGENT_SERIAL_GUEST)) {
		release(r, MHI_AGENT_CANCELLED, "cancelled");
		result(s, serial, MHI_AGENT_CANCELLED, "cancelled");
	} else if (r->ops && r->ops->message)
		r->ops->message(r, m);
}

static bool belongs_to_a_request(uint32_t type)
{
	return type == MHI_MSG_DATA || type == MHI_MSG_CREDIT || type == MHI_MSG_CANCEL ||
	       type == MHI_MSG_RESULT || type == MHI_MSG_EXEC_KILL || type == MHI_MSG_CLIP_SIZE;
}

static void handle(struct ga_session *s, const struct mhi_agent_msg *m)
{
	struct ga_request *r = belongs_to_a_request(m->type) ? find(s, m->serial) : NULL;

	if (m->type == MHI_MSG_WELCOME)
		welcomed(s, m);
	else if (!s->welcome)
		return;
	else if (m->type == MHI_MSG_PING)
		answer(s, MHI_MSG_PONG, m->serial, &m->u.ping);
	else if (r)
		go_on(r, m);
	else if (!s->os->relay || !s->os->relay(s->opaque, m))
		dispatch(s, m);
}

/* ---- the stream in ---- */

/* Whether data [bytes] may be the begin of a WELCOME, as far as it goes. */
static bool may_be_welcome(const uint8_t *data, size_t bytes)
{
	static const uint8_t header[MHI_AGENT_HEADER] = {
		'M', 'H', 'A', '1', MHI_MSG_WELCOME, [12] = 8, /* bytes of its payload */
	};
	size_t first = bytes < 8 ? bytes : 8;
	size_t last = bytes < 12 ? 0 : bytes < 16 ? bytes - 12 : 4;

	return !memcmp(data, header, first) && (!last || !memcmp(data + 12, header + 12, last));
}

/*
 * Before the host's first answer there may be anything on a serial line, and a piece of what was
 * said to the agent before this one: what is no WELCOME is none of it. Returns where one may begin,
 * from at on.
 */
static size_t skip_noise(const struct ga_session *s, size_t at)
{
	while (at < s->in_bytes && !may_be_welcome(s->in + at, s->in_bytes - at))
		at++;
	return at;
}

/* Handle the frame at *at and put the next one's place there. Returns whether there was one. */
static bool next_frame(struct ga_session *s, size_t *at)
{
	struct mhi_agent_msg msg;
	long bytes;
	int rc;

	if (!s->welcome)
		*at = skip_noise(s, *at);
	bytes = mhi_agent_frame(s->in + *at, s->in_bytes - *at);
	if (bytes <= 0) {
		s->broken |= bytes < 0;
		return false;
	}
	rc = mhi_agent_decode(s->in + *at, &msg);
	if (!rc)
		handle(s, &msg);
	else if (s->welcome)
		s->broken |= rc < 0;
	*at += (size_t)bytes;
	return !s->broken;
}

int ga_input(struct ga_session *s, const uint8_t *data, size_t bytes)
{
	s->heard |= bytes != 0;
	while (s->instance && bytes && !s->broken) {
		size_t room = 2 * MHI_AGENT_FRAME - s->in_bytes;
		size_t part = bytes < room ? bytes : room, at = 0;

		memcpy(s->in + s->in_bytes, data, part);
		s->in_bytes += part;
		data += part;
		bytes -= part;
		while (next_frame(s, &at))
			;
		s->in_bytes -= at;
		memmove(s->in, s->in + at, s->in_bytes);
	}
	return s->broken ? -1 : 0;
}

bool ga_wants_input(const struct ga_session *s)
{
	return s->instance && s->out_bytes <= QUEUE_INPUT;
}

size_t ga_output(const struct ga_session *s, const uint8_t **data)
{
	*data = s->out;
	return s->out_bytes;
}

void ga_sent(struct ga_session *s, size_t bytes)
{
	s->out_bytes -= bytes;
	memmove(s->out, s->out + bytes, s->out_bytes);
	if (s->out_bytes > QUEUE_LOW)
		return;
	for (size_t n = 0; n < REQUESTS; n++) {
		struct ga_request *r = &s->requests[n];

		if (r->serial && r->may_send && r->ops && r->ops->room)
			r->ops->room(r);
	}
	if (s->starved) {
		s->starved = false;
		if (s->os->room)
			s->os->room(s->opaque);
	}
}

/* A host says something when it is asked to. Returns milliseconds until the next step. */
static uint64_t listen_on(struct ga_session *s, uint64_t now_ms)
{
	struct mhi_msg_ping ping = { now_ms, 0 };
	uint64_t silence = now_ms - s->heard_ms;

	if (silence >= LOST_MS)
		s->broken = true;
	else if (silence >= PING_MS && !s->asked) {
		s->asked = true;
		answer(s, MHI_MSG_PING, 0, &ping);
	}
	return silence < PING_MS ? PING_MS - silence : silence < LOST_MS ? LOST_MS - silence : 0;
}

int ga_tick(struct ga_session *s, uint64_t now_ms)
{
	if (!s->instance)
		return -1;
	if (s->heard) {
		s->heard = s->asked = false;
		s->heard_ms = now_ms;
	}
	if (s->welcome)
		return (int)listen_on(s, now_ms);
	if (now_ms >= s->hello_ms && !s->out_bytes)
		hello(s, now_ms);
	return now_ms < s->hello_ms ? (int)(s->hello_ms - now_ms) : (int)HELLO_MS;
}

bool ga_is_broken(const struct ga_session *s)
{
	return s->broken;
}
