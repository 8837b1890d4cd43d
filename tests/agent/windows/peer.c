/* SPDX-License-Identifier: MIT */
/* The host of agents' tests: the connection, the greeting, requests, and what is told. */
#include "peer.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <pty.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define CHUNK 32768u

void fail(const char *format, ...)
{
	va_list list;

	va_start(list, format);
	printf("FAIL: ");
	vprintf(format, list);
	printf("\n");
	va_end(list);
	exit(1);
}

uint64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

void add(struct bytes *to, const void *data, size_t bytes)
{
	to->data = realloc(to->data, to->bytes + bytes + 1);
	if (!to->data)
		fail("no memory");
	if (bytes)
		memcpy(to->data + to->bytes, data, bytes);
	to->bytes += bytes;
	to->data[to->bytes] = 0;
}

/* ---- the connection ---- */

/* Where the agent finds us goes into a file, which its starter waits for. */
static void tell_place(const char *path, const char *place)
{
	FILE *file = fopen(path, "w");

	if (!file || fprintf(file, "%s\n", place) < 0 || fclose(file))
		fail("cannot write %s", path);
}

static void listen_tcp(struct peer *p, const char *path)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr = { htonl(INADDR_LOOPBACK) } };
	socklen_t bytes = sizeof(a);
	char port[8];

	p->listen = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (p->listen < 0 || bind(p->listen, (struct sockaddr *)&a, bytes) ||
	    listen(p->listen, 1) || getsockname(p->listen, (struct sockaddr *)&a, &bytes))
		fail("cannot listen: %s", strerror(errno));
	snprintf(port, sizeof(port), "%u", ntohs(a.sin_port));
	tell_place(path, port);
}

/* The agent's side of the line is held open here, too: it is there before the agent. */
static void open_pty(struct peer *p, const char *path)
{
	struct termios raw;
	char name[64];

	if (openpty(&p->fd, &p->listen, name, NULL, NULL) || tcgetattr(p->listen, &raw))
		fail("no pseudo-terminal: %s", strerror(errno));
	cfmakeraw(&raw);
	tcsetattr(p->listen, TCSANOW, &raw);
	p->is_line = true;
	tell_place(path, name);
}

void peer_init(struct peer *p, const char *place)
{
	signal(SIGPIPE, SIG_IGN);
	p->fd = -1;
	if (!strncmp(place, "pty:", 4))
		open_pty(p, place + 4);
	else if (!strncmp(place, "tcp:", 4))
		listen_tcp(p, place + 4);
	else
		fail("%s is neither tcp:FILE nor pty:FILE", place);
}

void peer_drop(struct peer *p)
{
	if (p->fd >= 0)
		close(p->fd);
	p->fd = -1;
	p->in_bytes = 0;
	p->welcome = false;
	p->count = p->stacked = p->types = 0;
}

void peer_accept(struct peer *p)
{
	struct pollfd poll_fd = { p->listen, POLLIN, 0 };
	uint64_t end = now_ms() + PEER_MS;

	if (!p->is_line && poll(&poll_fd, 1, PEER_MS) != 1)
		fail("the agent does not connect");
	if (!p->is_line)
		p->fd = accept(p->listen, NULL, NULL);
	while (p->fd >= 0 && !p->welcome && now_ms() < end)
		peer_pump(p, 100);
	if (!p->welcome)
		fail("the agent does not say HELLO");
}

static void send_all(struct peer *p, const uint8_t *data, size_t bytes)
{
	while (bytes) {
		ssize_t n = write(p->fd, data, bytes);

		if (n <= 0)
			fail("the agent has closed its connection");
		data += n;
		bytes -= (size_t)n;
	}
}

void peer_send(struct peer *p, uint32_t type, uint32_t serial, const void *msg)
{
	static uint8_t frame[MHI_AGENT_FRAME];
	size_t bytes = mhi_agent_encode(frame, sizeof(frame), type, serial, msg);

	if (!bytes)
		fail("%s cannot be encoded", mhi_agent_name(type));
	send_all(p, frame, bytes);
}

/* ---- windows ---- */

static struct window *by_id(struct peer *p, uint64_t id)
{
	for (uint32_t n = 0; n < p->count; n++)
		if (p->windows[n].id == id)
			return &p->windows[n];
	return NULL;
}

static void got_window(struct peer *p, const struct mhi_msg_window *m)
{
	struct window *w = by_id(p, m->id);
	uint32_t icon = w ? w->icon : 0;

	if (!m->id || m->parent == m->id || m->width > 16384 || m->height > 16384)
		fail("a window of nonsense");
	if (!w && p->count == MHI_AGENT_WINDOWS_MAX)
		fail("too many windows");
	if (!w)
		w = &p->windows[p->count++];
	*w = (struct window){ .id = m->id,
			      .parent = m->parent,
			      .flags = m->flags,
			      .x = m->x,
			      .y = m->y,
			      .width = m->width,
			      .height = m->height,
			      .min_width = m->min_width,
			      .min_height = m->min_height,
			      .max_width = m->max_width,
			      .max_height = m->max_height,
			      .icon = icon };
	snprintf(w->title, sizeof(w->title), "%s", m->title);
	snprintf(w->application, sizeof(w->application), "%s", m->application);
}

static void got_gone(struct peer *p, uint64_t id)
{
	struct window *w = by_id(p, id);

	if (!w)
		fail("a window is gone that never was");
	*w = p->windows[--p->count];
}

static void got_stack(struct peer *p, const struct mhi_agent_rest *ids)
{
	if (ids->bytes % 8 || ids->bytes > sizeof(p->stack))
		fail("a stack of nonsense");
	memcpy(p->stack, ids->data, ids->bytes);
	p->stacked = ids->bytes / 8;
}

static void got_icon(struct peer *p, const struct mhi_msg_window_icon *m)
{
	struct window *w = by_id(p, m->id);

	if (!m->width || m->width > 96 || m->height > 96 ||
	    m->pixels.bytes != m->width * m->height * 4)
		fail("an icon of nonsense");
	if (w)
		w->icon = m->width;
}

struct window *peer_window(struct peer *p, const char *title, uint32_t flags)
{
	uint64_t end = now_ms() + PEER_MS;

	while (now_ms() < end) {
		for (uint32_t n = 0; n < p->count; n++)
			if (strstr(p->windows[n].title, title) &&
			    (p->windows[n].flags & flags) == flags)
				return &p->windows[n];
		peer_pump(p, 100);
	}
	for (uint32_t n = 0; n < p->count; n++)
		printf("window \"%s\" of %s, flags %#x\n", p->windows[n].title,
		       p->windows[n].application, p->windows[n].flags);
	fail("no window \"%s\" with flags %#x comes", title, flags);
}

void peer_gone(struct peer *p, uint64_t id)
{
	uint64_t end = now_ms() + PEER_MS;

	while (by_id(p, id) && now_ms() < end)
		peer_pump(p, 100);
	if (by_id(p, id))
		fail("window \"%s\" does not go", by_id(p, id)->title);
}

/* ---- requests ---- */

static struct call *by_serial(struct peer *p, uint32_t serial)
{
	for (int n = 0; serial && n < PEER_CALLS; n++)
		if (p->calls[n].serial == serial)
			return &p->calls[n];
	return NULL;
}

struct call *peer_ask(struct peer *p, uint32_t type, const void *msg)
{
	for (int n = 0; n < PEER_CALLS; n++) {
		struct call *c = &p->calls[n];

		if (c->serial)
			continue;
		c->serial = ++p->serial;
		c->type = type;
		c->may_send = MHI_AGENT_WINDOW_BYTES;
		peer_send(p, type, c->serial, msg);
		return c;
	}
	fail("too many calls");
}

void peer_finish(struct peer *p, struct call *c)
{
	uint64_t end = now_ms() + PEER_MS;

	while (!c->done && now_ms() < end)
		peer_pump(p, 100);
	if (!c->done)
		fail("%s gets no result", mhi_agent_name(c->type));
}

void peer_data(struct peer *p, struct call *c, const void *data, size_t bytes)
{
	struct mhi_msg_data msg = { 0, { data, 0 }, 0 };
	uint64_t end = now_ms() + PEER_MS;

	do {
		size_t part = bytes < CHUNK ? bytes : CHUNK;

		while (c->may_send < part && !c->done && now_ms() < end)
			peer_pump(p, 100);
		if (c->done)
			return;
		if (c->may_send < part)
			fail("%s gives no credit", mhi_agent_name(c->type));
		msg.data.bytes = (uint32_t)part;
		peer_send(p, MHI_MSG_DATA, c->serial, &msg);
		c->may_send -= part;
		msg.data.data += part;
		bytes -= part;
	} while (bytes);
}

void call_end(struct call *c)
{
	for (int n = 0; n < 3; n++)
		free(c->out[n].data);
	free(c->names.data);
	memset(c, 0, sizeof(*c));
}

void peer_expect(struct peer *p, uint32_t type, const void *msg, uint32_t code)
{
	struct call *c = peer_ask(p, type, msg);

	peer_finish(p, c);
	if (c->code != code)
		fail("%s: code %u (%s) instead of %u", mhi_agent_name(type), c->code, c->text,
		     code);
	call_end(c);
}

struct call *peer_exec(struct peer *p, uint32_t flags, const char *const *words, uint32_t arguments)
{
	struct mhi_msg_exec msg = { .flags = flags, .arguments = arguments };
	struct bytes strings = { NULL, 0 };
	struct call *c;

	for (; *words; words++)
		add(&strings, *words, strlen(*words) + 1);
	msg.strings.data = strings.data;
	msg.strings.bytes = (uint32_t)strings.bytes;
	c = peer_ask(p, MHI_MSG_EXEC, &msg);
	free(strings.data);
	return c;
}

static void got_data(struct peer *p, struct call *c, const struct mhi_msg_data *m)
{
	struct mhi_msg_credit credit = { m->data.bytes, 0 };

	if (m->stream > 2 || m->data.bytes > CHUNK)
		fail("data of nonsense");
	add(&c->out[m->stream], m->data.data, m->data.bytes);
	if (m->data.bytes)
		peer_send(p, MHI_MSG_CREDIT, c->serial, &credit);
}

static void name(struct call *c, const char *what, const char *text)
{
	add(&c->names, what, strlen(what));
	add(&c->names, text, strlen(text));
	add(&c->names, "\n", 1);
}

static void got_info(struct call *c, const struct mhi_msg_info *m)
{
	name(c, "host ", m->host_name);
	name(c, "os ", m->os_name);
	name(c, "version ", m->os_version);
	name(c, "kernel ", m->kernel);
}

static void got_result(struct call *c, const struct mhi_msg_result *m)
{
	c->done = true;
	c->code = m->code;
	snprintf(c->text, sizeof(c->text), "%s", m->text);
}

static void for_call(struct peer *p, struct call *c, const struct mhi_agent_msg *m)
{
	switch (m->type) {
	case MHI_MSG_DATA:
		got_data(p, c, &m->u.data);
		break;
	case MHI_MSG_RESULT:
		got_result(c, &m->u.result);
		break;
	case MHI_MSG_CREDIT:
		c->may_send += m->u.credit.bytes;
		break;
	case MHI_MSG_EXEC_EXIT:
		c->exited = true;
		c->status = m->u.exec_exit.status;
		c->signal = m->u.exec_exit.signal;
		break;
	case MHI_MSG_FILE_IS:
		c->size = m->u.file_is.bytes;
		break;
	case MHI_MSG_CLIP_SIZE:
		c->size = m->u.clip_size.bytes;
		break;
	case MHI_MSG_INFO:
		got_info(c, &m->u.info);
		break;
	case MHI_MSG_INFO_ADDRESS:
		name(c, "address ", m->u.info_address.address);
		break;
	case MHI_MSG_INFO_USER:
		name(c, "user ", m->u.info_user.name);
		break;
	default:
		fail("%s for %s", mhi_agent_name(m->type), mhi_agent_name(c->type));
	}
}

/* ---- what the agent says by itself ---- */

static void got_hello(struct peer *p, uint32_t serial, const struct mhi_msg_hello *m)
{
	struct mhi_msg_welcome msg = { MHI_AGENT_VERSION, m->features, 0 };

	if (p->welcome && serial == p->hello)
		return;
	p->hello = serial;
	p->features = m->features;
	snprintf(p->agent, sizeof(p->agent), "%s %s", m->system, m->agent);
	peer_send(p, MHI_MSG_WELCOME, serial, &msg);
	p->welcome = true;
}

/* The agent pastes what we have offered. More than its credit is never under way. */
static void got_clip_request(struct peer *p, uint32_t serial, const struct mhi_msg_clip_request *m)
{
	struct bytes *content = NULL;
	struct mhi_msg_clip_size size = { 0 };
	struct mhi_msg_result result = { MHI_AGENT_OK, "", 0 };
	struct call *c;

	p->requests++;
	for (int n = 0; n < 4; n++)
		if (m->kind == 1u << n)
			content = &p->content[n];
	if (!content || !content->data || m->offer != p->our_offer || !(p->our_types & m->kind)) {
		result.code = MHI_AGENT_MISSING;
		peer_send(p, MHI_MSG_RESULT, serial, &result);
		return;
	}
	for (c = p->calls; c->serial; c++)
		if (c == &p->calls[PEER_CALLS - 1])
			fail("too many calls");
	*c = (struct call){ .serial = serial, .may_send = MHI_AGENT_WINDOW_BYTES };
	size.bytes = content->bytes;
	peer_send(p, MHI_MSG_CLIP_SIZE, serial, &size);
	if (content->bytes)
		peer_data(p, c, content->data, content->bytes);
	peer_send(p, MHI_MSG_RESULT, serial, &result);
	call_end(c);
}

static void by_itself(struct peer *p, const struct mhi_agent_msg *m)
{
	switch (m->type) {
	case MHI_MSG_HELLO:
		got_hello(p, m->serial, &m->u.hello);
		break;
	case MHI_MSG_PING:
		peer_send(p, MHI_MSG_PONG, m->serial, &m->u.ping);
		break;
	case MHI_MSG_WINDOW:
		got_window(p, &m->u.window);
		break;
	case MHI_MSG_WINDOW_GONE:
		got_gone(p, m->u.window_gone.id);
		break;
	case MHI_MSG_WINDOW_STACK:
		got_stack(p, &m->u.window_stack.ids);
		break;
	case MHI_MSG_WINDOW_ICON:
		got_icon(p, &m->u.window_icon);
		break;
	case MHI_MSG_CLIP_OFFER:
		p->offer = m->u.clip_offer.offer;
		p->types = m->u.clip_offer.types;
		p->offers++;
		break;
	case MHI_MSG_CLIP_REQUEST:
		got_clip_request(p, m->serial, &m->u.clip_request);
		break;
	default:
		break;
	}
}

static void handle(struct peer *p, const uint8_t *frame)
{
	struct mhi_agent_msg m;
	struct call *c;

	if (mhi_agent_decode(frame, &m))
		fail("a message of the agent's is none: type %#x", frame[4]);
	c = by_serial(p, m.serial);
	if (c)
		for_call(p, c, &m);
	else
		by_itself(p, &m);
}

void peer_pump(struct peer *p, int ms)
{
	struct pollfd poll_fd = { p->fd, POLLIN, 0 };
	uint8_t frame[MHI_AGENT_FRAME];
	ssize_t n;
	long bytes = 0;

	if (poll(&poll_fd, 1, ms) != 1)
		return;
	n = read(p->fd, p->in + p->in_bytes, sizeof(p->in) - p->in_bytes);
	if (n <= 0)
		fail("the agent has closed its connection");
	p->in_bytes += (size_t)n;
	/* Handling one may pump again: each is taken out before. */
	while (p->in_bytes && (bytes = mhi_agent_frame(p->in, p->in_bytes)) > 0) {
		memcpy(frame, p->in, (size_t)bytes);
		p->in_bytes -= (size_t)bytes;
		memmove(p->in, p->in + bytes, p->in_bytes);
		handle(p, frame);
	}
	if (bytes < 0)
		fail("the agent's stream is none");
}
