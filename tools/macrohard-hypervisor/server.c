/* SPDX-License-Identifier: MIT */
/* The control socket of a VM's process: who is connected, what they send and have yet to read. */
#include "process.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* Who does not read so much is dropped. */
#define OUT_MAX (1u << 20)
#define CHUNK 16384

int server_init(struct process *p)
{
	for (unsigned int n = 0; n < CLIENTS_MAX; n++)
		p->server.client[n].fd = p->server.client[n].given = -1;
	p->server.listen = rpc_listen(p->store);
	p->server.spare = -1;
	if (p->server.listen < 0)
		return -1;
	p->server.spare = fcntl(p->server.listen, F_DUPFD_CLOEXEC, 0);
	return 0;
}

void client_drop(struct client *c)
{
	if (c->fd >= 0)
		close(c->fd);
	if (c->given >= 0)
		close(c->given);
	relay_free(c->relay);
	free(c->out);
	memset(c, 0, sizeof(*c));
	c->fd = c->given = -1;
}

/* ---- to clients ---- */

/* Twice as much each time: thousands of short answers are not copied again for each. */
static bool make_room(struct client *c, size_t bytes)
{
	size_t room = 2 * c->out_room;
	char *out;

	if (bytes > OUT_MAX - c->out_bytes)
		return false;
	if (c->out_bytes + bytes <= c->out_room)
		return true;
	if (room < c->out_bytes + bytes)
		room = c->out_bytes + bytes;
	out = realloc(c->out, room);
	if (!out)
		return false;
	c->out = out;
	c->out_room = room;
	return true;
}

void client_send(struct client *c, const char *text, size_t bytes)
{
	if (c->fd < 0)
		return;
	if (!make_room(c, bytes)) {
		client_drop(c);
		return;
	}
	memcpy(c->out + c->out_bytes, text, bytes);
	c->out_bytes += bytes;
}

void client_send_document(struct client *c, const cJSON *document)
{
	char *text = cJSON_PrintUnformatted(document);

	if (text) {
		client_send(c, text, strlen(text));
		client_send(c, "\n", 1);
	} else {
		client_drop(c);
	}
	cJSON_free(text);
}

/* True while the socket takes more. */
static bool send_out(struct client *c)
{
	ssize_t n = send(c->fd, c->out, c->out_bytes, MSG_NOSIGNAL | MSG_DONTWAIT);

	if (n < 0 && errno != EAGAIN && errno != EINTR) {
		c->gone = c->console;
		if (!c->gone)
			client_drop(c);
	}
	if (n <= 0)
		return false;
	c->out_bytes -= (size_t)n;
	memmove(c->out, c->out + n, c->out_bytes);
	return !c->out_bytes;
}

/* An answer that came late is one line, and the next request may follow. */
static size_t take_relay(struct client *c, char *chunk, size_t bytes)
{
	size_t n;

	if (relay_broken(c->relay)) {
		client_drop(c);
		return 0;
	}
	n = relay_take(c->relay, chunk, bytes);
	if (!relay_streams(c->relay) && relay_done(c->relay)) {
		relay_free(c->relay);
		c->relay = NULL;
	}
	return n;
}

static void flush(struct process *p, struct client *c)
{
	char chunk[CHUNK];
	size_t n;

	while (c->fd >= 0 && !c->gone) {
		if (c->out_bytes && !send_out(c))
			return;
		n = c->fd >= 0 && c->console ? output_read(&p->output, &c->at, chunk, CHUNK) : 0;
		if (c->fd >= 0 && c->relay)
			n = take_relay(c, chunk, CHUNK);
		if (!n)
			return;
		client_send(c, chunk, n);
	}
}

void server_fini(struct process *p)
{
	struct server *s = &p->server;

	if (s->listen < 0)
		return;
	for (unsigned int n = 0; n < CLIENTS_MAX; n++) {
		flush(p, &s->client[n]);
		client_drop(&s->client[n]);
	}
	close(s->listen);
	if (s->spare >= 0)
		close(s->spare);
	s->listen = -1;
	unlinkat(p->store->dir, STORE_SOCKET, 0);
}

void server_tell(struct process *p, const struct mh_event *event)
{
	cJSON *document;

	if (p->server.listen < 0)
		return;
	document = control_event(event);
	for (unsigned int n = 0; n < CLIENTS_MAX; n++)
		if (p->server.client[n].events)
			client_send_document(&p->server.client[n], document);
	cJSON_Delete(document);
}

/* ---- from clients ---- */

/* Only who started the VM, and root: the socket's mode says the same. */
static bool may_connect(int fd)
{
	struct ucred peer;
	socklen_t bytes = sizeof(peer);

	return !getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &bytes) &&
	       (peer.uid == geteuid() || peer.uid == 0);
}

static bool streams(const struct client *c)
{
	return c->fd >= 0 && !c->gone && (c->console || c->events || c->relay);
}

bool server_may_stream(const struct process *p, const struct client *c)
{
	unsigned int others = 0;

	for (unsigned int n = 0; n < CLIENTS_MAX; n++)
		others += &p->server.client[n] != c && streams(&p->server.client[n]);
	return others < STREAMS_MAX;
}

/*
 * A place for somebody new. Where there is none, whoever has been silent for the longest time loses
 * his: who connects and says nothing must not keep others out.
 */
static struct client *make_place(struct process *p)
{
	struct client *silent = NULL;

	for (unsigned int n = 0; n < CLIENTS_MAX; n++) {
		struct client *c = &p->server.client[n];

		if (c->fd < 0)
			return c;
		if (!streams(c) && (!silent || c->heard < silent->heard))
			silent = c;
	}
	client_drop(silent);
	return silent;
}

/* Left alone, it would wake the loop again and again. Who is turned away learns why. */
static int turn_away(struct process *p)
{
	static const char why[] =
		"{\"jsonrpc\":\"2.0\",\"id\":null,\"error\":{\"code\":-32000,\"message\":"
		"\"control socket: the process has no file descriptor left; close some, or raise "
		"its "
		"limit (ulimit -n)\",\"data\":{\"error\":\"MH_ENOMEM\"}}}\n";
	int fd;

	if (p->server.spare >= 0)
		close(p->server.spare);
	fd = accept4(p->server.listen, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	if (fd >= 0) {
		send(fd, why, sizeof(why) - 1, MSG_NOSIGNAL | MSG_DONTWAIT);
		close(fd);
	}
	p->server.spare = fcntl(p->server.listen, F_DUPFD_CLOEXEC, 0);
	return -1;
}

static void accept_client(struct process *p)
{
	int fd = accept4(p->server.listen, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	struct client *c;

	if (fd < 0 && (errno == EMFILE || errno == ENFILE))
		fd = turn_away(p);
	if (fd < 0)
		return;
	if (!may_connect(fd)) {
		close(fd);
		return;
	}
	c = make_place(p);
	c->fd = fd;
	c->heard = ++p->server.turn;
}

/* What follows a line that asks for the console is typed already. */
static void start_typing(struct client *c)
{
	c->input.bytes =
		c->line_bytes < sizeof(c->input.data) ? c->line_bytes : sizeof(c->input.data);
	memcpy(c->input.data, c->line, c->input.bytes);
	c->line_bytes -= c->input.bytes;
	memmove(c->line, c->line + c->input.bytes, c->line_bytes);
}

static void take_lines(struct process *p, struct client *c)
{
	char *end;

	while (c->fd >= 0 && !c->console && !c->relay &&
	       (end = memchr(c->line, '\n', c->line_bytes))) {
		size_t bytes = (size_t)(end - c->line);
		char line[sizeof(c->line)];

		memcpy(line, c->line, bytes);
		c->line_bytes -= bytes + 1;
		memmove(c->line, end + 1, c->line_bytes);
		control_line(p, c, line, bytes);
	}
	if (c->console && c->line_bytes && !c->input.bytes)
		start_typing(c);
	if (c->relay && relay_streams(c->relay) && relay_input(c->relay, c->line, &c->line_bytes))
		client_drop(c);
	if (c->relay)
		return;
	if (c->line_bytes == sizeof(c->line))
		client_drop(c);
}

/* A descriptor stays until a method takes it, or the next one comes. */
static void keep_given(struct client *c, struct msghdr *message)
{
	struct cmsghdr *header = CMSG_FIRSTHDR(message);

	if (!header || header->cmsg_level != SOL_SOCKET || header->cmsg_type != SCM_RIGHTS)
		return;
	if (c->given >= 0)
		close(c->given);
	memcpy(&c->given, CMSG_DATA(header), sizeof(c->given));
}

/* There is room for one descriptor a message: the kernel closes what is more. */
static ssize_t hear(struct client *c, void *to, size_t room)
{
	union {
		struct cmsghdr header;
		char room[CMSG_SPACE(sizeof(int))];
	} control;
	struct iovec piece = { to, room };
	struct msghdr message = { .msg_iov = &piece,
				  .msg_iovlen = 1,
				  .msg_control = &control,
				  .msg_controllen = CMSG_LEN(sizeof(int)) };
	ssize_t n = recvmsg(c->fd, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);

	if (n > 0)
		keep_given(c, &message);
	return n;
}

static void receive(struct process *p, struct client *c)
{
	void *to = c->console ? (void *)c->input.data : c->line + c->line_bytes;
	size_t room = c->console ? sizeof(c->input.data) : sizeof(c->line) - c->line_bytes;
	ssize_t n = hear(c, to, room);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		client_drop(c);
	} else if (c->console) {
		c->input.bytes = (size_t)n;
	} else {
		c->heard = ++p->server.turn;
		c->line_bytes += (size_t)n;
		take_lines(p, c);
	}
}

/* ---- the loop ---- */

bool server_typing(const struct process *p)
{
	if (p->server.listen < 0)
		return false;
	for (unsigned int n = 0; n < CLIENTS_MAX; n++) {
		const struct client *c = &p->server.client[n];

		if (c->input.bytes || (c->relay && relay_ending(c->relay)))
			return true;
	}
	return false;
}

void server_fill(struct process *p, struct pollfd *fds)
{
	bool on = p->server.listen >= 0;

	fds[0] = (struct pollfd){ .fd = p->server.listen, .events = POLLIN };
	for (unsigned int n = 0; n < CLIENTS_MAX; n++) {
		struct client *c = &p->server.client[n];
		struct pollfd *fd = &fds[1 + n];

		/* Who has gone would wake the loop again and again until all is typed. */
		*fd = (struct pollfd){ .fd = on && !(c->gone && c->input.bytes) ? c->fd : -1 };
		if (!c->input.bytes && c->line_bytes < sizeof(c->line))
			fd->events |= POLLIN;
		if (c->gone)
			continue;
		if (c->out_bytes || (on && c->relay && relay_has(c->relay)) ||
		    (c->console && output_has(&p->output, c->at)))
			fd->events |= POLLOUT;
	}
}

void server_serve(struct process *p, const struct pollfd *fds)
{
	if (p->server.listen < 0)
		return;
	for (unsigned int n = 0; n < CLIENTS_MAX; n++) {
		struct client *c = &p->server.client[n];

		if (c->fd < 0)
			continue;
		c->gone |= c->console && fds[1 + n].revents & (POLLHUP | POLLERR);
		if (fds[1 + n].revents & (POLLIN | POLLHUP | POLLERR) && !c->input.bytes)
			receive(p, c);
		input_type(p, &c->input);
		if (c->line_bytes || (c->relay && relay_ending(c->relay)))
			take_lines(p, c);
		flush(p, c);
	}
	if (fds[0].revents)
		accept_client(p);
}
