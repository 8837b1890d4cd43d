/* SPDX-License-Identifier: MIT */
/* A VNC server's thread: clients come, are served, and go. */
#include <errno.h>
#include <fcntl.h>
#include <linux/input-event-codes.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <macrohard/input.h>
#include <macrohard/sandbox.h>

#include "vnc/server.h"

/* ---- what clients do ---- */

/* What the guest does not take is lost. */
static void on_key(void *opaque, uint32_t code, bool down)
{
	struct mh_vnc *vnc = opaque;

	mh_input_key(vnc->vm, code, down);
}

static void on_pointer(void *opaque, uint32_t x, uint32_t y, uint32_t width, uint32_t height)
{
	struct mh_vnc *vnc = opaque;

	mh_input_pointer(vnc->vm, (int32_t)x, (int32_t)y, width, height);
}

/* RFC 6143, 7.5.5 "PointerEvent"; those behind the wheel's are what X11 makes of them. */
static void on_button(void *opaque, unsigned int button, bool down)
{
	static const struct {
		uint16_t code;
		int8_t vertical, horizontal;
	} buttons[] = {
		{ BTN_LEFT, 0, 0 }, { BTN_MIDDLE, 0, 0 }, { BTN_RIGHT, 0, 0 }, { 0, 1, 0 },
		{ 0, -1, 0 },	    { 0, 0, -1 },	  { 0, 0, 1 },	       { BTN_SIDE, 0, 0 },
	};
	struct mh_vnc *vnc = opaque;

	if (buttons[button].code)
		mh_input_button(vnc->vm, buttons[button].code, down);
	else if (down)
		mh_input_wheel(vnc->vm, buttons[button].vertical, buttons[button].horizontal);
}

static const struct rfb_events events = {
	.key = on_key,
	.pointer = on_pointer,
	.button = on_button,
};

/* ---- clients ---- */

static void drop(struct mh_vnc *vnc, struct rfb_client *c)
{
	int fd = c->fd;

	rfb_end(c, &events, vnc);
	close(fd);
}

/* No descriptor is left. A client that stays would wake the thread again and again. */
static void turn_away(struct mh_vnc *vnc)
{
	int fd;

	if (vnc->spare >= 0)
		close(vnc->spare);
	fd = accept4(vnc->listen, NULL, NULL, SOCK_CLOEXEC);
	if (fd >= 0)
		close(fd);
	vnc->spare = fcntl(vnc->listen, F_DUPFD_CLOEXEC, 0);
}

static void come(struct mh_vnc *vnc)
{
	int fd = accept4(vnc->listen, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	uint32_t n = 0;

	if (fd < 0 && (errno == EMFILE || errno == ENFILE))
		turn_away(vnc);
	if (fd < 0)
		return;
	while (n < vnc->most && vnc->client[n].fd >= 0)
		n++;
	if (n == vnc->most)
		close(fd);
	else
		rfb_begin(&vnc->client[n], fd, vnc->shown.width, vnc->shown.height);
}

/* False: it has gone. */
static bool receive(struct mh_vnc *vnc, struct rfb_client *c)
{
	ssize_t n = recv(c->fd, c->in + c->in_bytes, sizeof(c->in) - c->in_bytes, 0);

	if (n < 0)
		return errno == EAGAIN || errno == EINTR;
	c->in_bytes += (size_t)n;
	return n && rfb_take(c, &events, vnc);
}

static bool transmit(struct mh_vnc *vnc, struct rfb_client *c)
{
	ssize_t n;

	if (!c->out_bytes)
		rfb_fill(c, &vnc->shown, &vnc->pointer);
	n = send(c->fd, c->out + c->out_sent, c->out_bytes - c->out_sent, MSG_NOSIGNAL);
	if (n < 0)
		return errno == EAGAIN || errno == EINTR;
	c->out_sent += (size_t)n;
	if (c->out_sent == c->out_bytes)
		c->out_sent = c->out_bytes = 0;
	return true;
}

static void serve_client(struct mh_vnc *vnc, struct rfb_client *c, short happened)
{
	bool stays = true;

	if (happened & (POLLIN | POLLHUP | POLLERR))
		stays = receive(vnc, c);
	if (stays && rfb_wants_out(c, &vnc->shown))
		stays = transmit(vnc, c);
	if (!stays)
		drop(vnc, c);
}

/* ---- the thread ---- */

#define FDS (2 + RFB_CLIENTS_MAX)

void mhv_wake(struct mh_vnc *vnc)
{
	uint64_t one = 1;

	while (write(vnc->wake, &one, sizeof(one)) < 0 && errno == EINTR)
		continue;
}

static void wait_for(struct mh_vnc *vnc, struct pollfd *fds)
{
	fds[0] = (struct pollfd){ vnc->wake, POLLIN, 0 };
	fds[1] = (struct pollfd){ vnc->listen, POLLIN, 0 };
	for (uint32_t n = 0; n < vnc->most; n++) {
		const struct rfb_client *c = &vnc->client[n];
		bool out = c->fd >= 0 && rfb_wants_out(c, &vnc->shown);

		fds[2 + n] = (struct pollfd){ c->fd, out ? POLLIN | POLLOUT : POLLIN, 0 };
	}
	if (poll(fds, 2 + vnc->most, -1) < 0)
		for (uint32_t n = 0; n < 2 + vnc->most; n++)
			fds[n].revents = 0;
}

static bool quits(struct mh_vnc *vnc)
{
	bool quit;

	pthread_mutex_lock(&vnc->lock);
	quit = vnc->quit;
	if (vnc->confine) {
		vnc->confined = mh_sandbox_thread(vnc->vm);
		vnc->confine = false;
		pthread_cond_signal(&vnc->obeyed);
	}
	pthread_mutex_unlock(&vnc->lock);
	return quit;
}

void *mhv_serve(void *opaque)
{
	struct mh_vnc *vnc = opaque;
	struct pollfd fds[FDS];
	uint64_t count;

	while (!quits(vnc)) {
		mhv_view_take(vnc);
		wait_for(vnc, fds);
		if (fds[0].revents)
			while (read(vnc->wake, &count, sizeof(count)) < 0 && errno == EINTR)
				continue;
		for (uint32_t n = 0; n < vnc->most; n++)
			if (vnc->client[n].fd >= 0 && fds[2 + n].revents)
				serve_client(vnc, &vnc->client[n], fds[2 + n].revents);
		if (fds[1].revents)
			come(vnc);
	}
	for (uint32_t n = 0; n < vnc->most; n++)
		if (vnc->client[n].fd >= 0)
			drop(vnc, &vnc->client[n]);
	return NULL;
}
