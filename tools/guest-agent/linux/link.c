/* SPDX-License-Identifier: MIT */
/* The connection to the host: a virtio port, a serial line, a socket. */
#include "link.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#include <linux/vm_sockets.h>

#define RETRY_MS 1000u
#define READ_BYTES 65536u

void link_init(struct link *link, enum link_kind kind, const char *path, unsigned int number)
{
	*link = (struct link){ .kind = kind, .path = path, .number = number };
}

void link_start(struct link *link, struct loop *loop, struct ga_session *session)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	link->loop = loop;
	link->session = session;
	/* The next start of this program is to say HELLO with other numbers. */
	link->instance = (uint32_t)now.tv_sec << 12 ^ (uint32_t)now.tv_nsec ^ (uint32_t)getpid();
}

/* ---- opening ---- */

/*
 * Bytes go as they are: no echo, no signals, no conversion; not even the speed matters to a VM. The
 * host sends no faster than this program reads only if the driver may tell it (RTS).
 */
static int open_serial(const char *path)
{
	struct termios t;
	int fd = open(path, O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);

	if (fd < 0)
		return -1;
	if (tcgetattr(fd, &t) == 0) {
		cfmakeraw(&t);
		t.c_cflag |= CLOCAL | CREAD | CRTSCTS;
		cfsetspeed(&t, B115200);
		if (tcsetattr(fd, TCSANOW, &t) == 0)
			return fd;
	}
	close(fd);
	return -1;
}

static int connected(int fd, const void *address, socklen_t bytes)
{
	int error;

	if (fd < 0)
		return -1;
	if (connect(fd, address, bytes) == 0 &&
	    fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK) == 0)
		return fd;
	error = errno;
	close(fd);
	errno = error;
	return -1;
}

static int open_unix(const char *path)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };

	if (strlen(path) >= sizeof(address.sun_path)) {
		errno = ENAMETOOLONG;
		return -1;
	}
	memcpy(address.sun_path, path, strlen(path));
	return connected(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), &address, sizeof(address));
}

static int open_vsock(unsigned int port)
{
	struct sockaddr_vm address = { .svm_family = AF_VSOCK,
				       .svm_port = port,
				       .svm_cid = VMADDR_CID_HOST };

	return connected(socket(AF_VSOCK, SOCK_STREAM | SOCK_CLOEXEC, 0), &address,
			 sizeof(address));
}

static int open_fd(unsigned int number)
{
	int fd = (int)number;

	if (fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK) < 0 ||
	    fcntl(fd, F_SETFD, FD_CLOEXEC) < 0)
		return -1;
	return fd;
}

static int open_link(const struct link *link)
{
	switch (link->kind) {
	case LINK_SERIAL:
		return open_serial(link->path);
	case LINK_UNIX:
		return open_unix(link->path);
	case LINK_VSOCK:
		return open_vsock(link->number);
	case LINK_FD:
		return open_fd(link->number);
	case LINK_VIRTIO:
	default:
		return open(link->path, O_RDWR | O_NONBLOCK | O_CLOEXEC);
	}
}

/* ---- moving bytes ---- */

void link_close(struct link *link)
{
	if (!link->watch)
		return;
	loop_close(&link->watch);
	ga_disconnected(link->session);
	link->retry_ms = loop_now() + RETRY_MS;
	if (link->kind == LINK_FD)
		link->loop->quit = true;
}

static bool would_block(void)
{
	return errno == EAGAIN || errno == EINTR;
}

static void write_some(struct link *link)
{
	const uint8_t *data;
	size_t bytes = ga_output(link->session, &data);
	ssize_t n = bytes ? write(link->watch->fd, data, bytes) : 0;

	if (n > 0)
		ga_sent(link->session, (size_t)n);
	else if (n < 0 && !would_block())
		link_close(link);
}

static void read_some(struct link *link)
{
	uint8_t data[READ_BYTES];
	ssize_t n = read(link->watch->fd, data, sizeof(data));

	if (n == 0 || (n < 0 && !would_block()) ||
	    (n > 0 && ga_input(link->session, data, (size_t)n)))
		link_close(link);
}

static void ready(void *opaque, short revents)
{
	struct link *link = opaque;

	if (revents & POLLOUT)
		write_some(link);
	if (link->watch && revents & POLLIN)
		read_some(link);
	else if (link->watch && revents & (POLLHUP | POLLERR | POLLNVAL))
		link_close(link);
}

/* Once for each reason, not every second. */
static void complain(struct link *link)
{
	if (link->error == errno)
		return;
	link->error = errno;
	if (link->kind == LINK_VSOCK)
		fprintf(stderr, "cannot connect to the host's vsock port %u: %s; trying on\n",
			link->number, strerror(errno));
	else
		fprintf(stderr, "cannot open %s: %s; trying on\n",
			link->path ? link->path : "the descriptor", strerror(errno));
}

static void reopen(struct link *link, uint64_t now)
{
	int fd = open_link(link);

	if (fd >= 0)
		link->watch = loop_watch(link->loop, fd, ready, link);
	if (link->watch) {
		link->error = 0;
		ga_connected(link->session, ++link->instance, now);
		return;
	}
	complain(link);
	if (fd >= 0)
		close(fd);
	link->retry_ms = now + RETRY_MS;
	if (link->kind == LINK_FD)
		link->loop->quit = true;
}

void link_step(struct link *link)
{
	uint64_t now = loop_now();
	const uint8_t *data;
	int ms;

	if (!link->watch && now >= link->retry_ms)
		reopen(link, now);
	ms = link->watch ? ga_tick(link->session, now) : -1;
	if (link->watch && ga_is_broken(link->session))
		link_close(link);
	if (!link->watch) {
		loop_wake(link->loop, link->retry_ms);
		return;
	}
	if (ms >= 0)
		loop_wake(link->loop, now + (uint64_t)ms);
	link->watch->events = (short)((ga_wants_input(link->session) ? POLLIN : 0) |
				      (ga_output(link->session, &data) ? POLLOUT : 0));
}
