/* SPDX-License-Identifier: MIT */
/* The CLI's side of a transfer with a guest's agent: pieces both ways, and no way waits. */
#include "guest.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

struct link {
	struct guest *g;
	char in[RPC_LINE_MAX + RELAY_HEADER]; /* that came and is no piece yet */
	size_t in_bytes;
	char out[RELAY_HEADER + RELAY_PIECE]; /* that is to be sent */
	size_t out_at, out_bytes;
	bool failed;
};

bool guest_write_all(int fd, const char *data, size_t bytes)
{
	while (bytes) {
		ssize_t n = write(fd, data, bytes);

		if (n < 0 && errno != EINTR)
			return false;
		if (n > 0)
			data += n, bytes -= (size_t)n;
	}
	return true;
}

static void read_input(struct link *l)
{
	ssize_t n = read(l->g->input, l->out + RELAY_HEADER, RELAY_PIECE);

	if (n < 0 && errno == EINTR)
		return;
	if (n <= 0)
		l->g->input = -1;
	if (n < 0)
		n = 0;
	l->out[0] = RELAY_INPUT;
	l->out[1] = (char)(n & 0xff);
	l->out[2] = (char)(n >> 8);
	l->out[3] = 0;
	l->out_at = 0;
	l->out_bytes = RELAY_HEADER + (size_t)n;
}

static void send_output(struct link *l)
{
	ssize_t n =
		send(l->g->rpc->fd, l->out + l->out_at, l->out_bytes, MSG_NOSIGNAL | MSG_DONTWAIT);

	if (n < 0 && errno != EAGAIN && errno != EINTR)
		l->failed = true;
	if (n > 0) {
		l->out_at += (size_t)n;
		l->out_bytes -= (size_t)n;
	}
}

static void end(struct guest *g, const char *text)
{
	cJSON *document = cJSON_Parse(text);

	g->ended = true;
	g->status = (int)rpc_number(document, "status");
	g->signal = (int)rpc_number(document, "signal");
	snprintf(g->error, sizeof(g->error), "%s", rpc_text(document, "error"));
	if (g->error[0])
		cli_message("VM \"%s\": the guest: %s", g->rpc->vm->name,
			    rpc_text(document, "text"));
	cJSON_Delete(document);
}

static void take_pieces(struct link *l)
{
	while (!l->failed && !l->g->ended && l->in_bytes >= RELAY_HEADER) {
		const unsigned char *h = (const unsigned char *)l->in;
		size_t bytes = (size_t)h[1] | (size_t)h[2] << 8 | (size_t)h[3] << 16;
		char *data = l->in + RELAY_HEADER, after;

		if (bytes >= RPC_LINE_MAX) {
			cli_message("VM \"%s\": its process sent a piece of %zu bytes; at most %d "
				    "may be",
				    l->g->rpc->vm->name, bytes, RPC_LINE_MAX - 1);
			l->failed = true;
		}
		if (l->failed || l->in_bytes - RELAY_HEADER < bytes)
			return;
		after = data[bytes];
		data[bytes] = '\0';
		if (h[0] == RELAY_END)
			end(l->g, data);
		else if (!l->g->piece(l->g, (enum relay_kind)h[0], data, bytes))
			l->failed = true;
		data[bytes] = after;
		l->in_bytes -= RELAY_HEADER + bytes;
		memmove(l->in, data + bytes, l->in_bytes);
	}
}

static void receive(struct link *l)
{
	/* One byte is left for the zero behind a piece. */
	ssize_t n = read(l->g->rpc->fd, l->in + l->in_bytes, sizeof(l->in) - 1 - l->in_bytes);

	if (n < 0 && errno == EINTR)
		return;
	if (n <= 0) {
		cli_message("VM \"%s\" has ended", l->g->rpc->vm->name);
		l->failed = true;
		return;
	}
	l->in_bytes += (size_t)n;
	take_pieces(l);
}

static void serve(struct link *l)
{
	struct guest *g = l->g;

	while (!l->failed && !g->ended) {
		struct pollfd fds[2] = {
			{ .fd = g->rpc->fd, .events = POLLIN },
			{ .fd = l->out_bytes ? -1 : g->input, .events = POLLIN },
		};

		if (l->out_bytes)
			fds[0].events |= POLLOUT;
		if (poll(fds, 2, -1) < 0)
			continue;
		if (fds[0].revents & POLLOUT)
			send_output(l);
		if (fds[0].revents & (POLLIN | POLLHUP | POLLERR))
			receive(l);
		if (fds[1].revents)
			read_input(l);
	}
}

int guest_transfer(struct guest *g, const char *method, cJSON *params)
{
	int status = rpc_call(g->rpc, method, params, NULL);
	struct link *l;

	if (status)
		return status;
	l = calloc(1, sizeof(*l));
	if (!l)
		return cli_library_error(NULL, MH_ENOMEM);
	l->g = g;
	/* What came behind the answer. */
	memcpy(l->in, g->rpc->line, g->rpc->bytes);
	l->in_bytes = g->rpc->bytes;
	g->rpc->bytes = 0;
	take_pieces(l);
	serve(l);
	status = l->failed || g->error[0] ? CLI_ERROR : CLI_OK;
	free(l);
	return status;
}
