/* SPDX-License-Identifier: MIT */
/*
 * virtio-vsock: the host's sockets. They are named as Firecracker names them, so that its tools
 * work: PATH is where the host's programs say "CONNECT port", and are told "OK port"; the guest
 * reaches who listens on PATH_port.
 */
#include "core/accept.h"
#include "virtio/vsock_priv.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define BACKLOG 128
#define BATCH 64
#define SUFFIX_MAX (sizeof("_4294967295") - 1)

/* ---- to the guest ---- */

static bool read_port(const char *line, u32 *port)
{
	static const char word[] = "CONNECT ";
	unsigned long long value;
	char *after;

	line += sizeof(word) - 1;
	if (strncmp(line - (sizeof(word) - 1), word, sizeof(word) - 1) || *line < '0' ||
	    *line > '9')
		return false;
	value = strtoull(line, &after, 10);
	*port = (u32)value;
	return *after == '\n' && value <= UINT32_MAX;
}

/* The line and not a byte more: what follows it is the guest's. */
void mhi_vsock_hello(struct vsock_conn *c)
{
	char *at = c->line + c->line_bytes, *end;
	size_t room = sizeof(c->line) - 1 - c->line_bytes;
	ssize_t n = recv(c->fd, at, room, MSG_DONTWAIT | MSG_PEEK);
	u32 port;

	c->readable = false;
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	end = n > 0 ? memchr(at, '\n', (size_t)n) : NULL;
	if (end)
		n = end + 1 - at;
	if (n <= 0 || recv(c->fd, at, (size_t)n, MSG_DONTWAIT) != n ||
	    (!end && (size_t)n == room)) {
		mhi_vsock_kill(c);
		return;
	}
	c->line_bytes += (unsigned int)n;
	if (!end)
		return;
	if (!mhi_vsock_ready(c->v) || !read_port(c->line, &port)) {
		mhi_vsock_kill(c);
		return;
	}
	c->hello = true;
	mhi_vsock_ask(c, port);
}

bool mhi_vsock_greet(struct vsock_conn *c)
{
	char line[VSOCK_LINE];
	int n = snprintf(line, sizeof(line), "OK %u\n", c->host_port);

	c->hello = false;
	return send(c->fd, line, (size_t)n, MSG_DONTWAIT | MSG_NOSIGNAL) == n;
}

static void new_client(struct vsock *v, int fd)
{
	struct vsock_conn *c;

	mhi_vdev_enter(&v->dev);
	c = mhi_vsock_conn_new(v, VSOCK_HELLO, MHI_VSOCK_STREAM, fd);
	if (c)
		mhi_vsock_update(c);
	else
		close(fd);
	mhi_vdev_leave(&v->dev);
}

static void on_listener(void *opaque, unsigned int events)
{
	struct vsock *v = opaque;

	for (unsigned int i = 0; i < BATCH; i++) {
		int fd = mhi_accept(v->listener, &v->spare);

		if (fd < 0)
			return;
		new_client(v, fd);
	}
}

static void watch_listener(void *opaque)
{
	struct vsock *v = opaque;

	v->rc = mhi_loop_watch(v->dev.env.loop, v->listener, MHI_WATCH_READ, on_listener, v,
			       &v->listen_watch);
}

static int bind_error(struct vsock *v, struct mhi_err *err)
{
	switch (errno) {
	case EADDRINUSE:
		return mhi_err_set(err, MH_EEXIST,
				   "there is a file \"%s\" already; remove it if no VM uses it",
				   v->path);
	case ENOENT:
	case ENOTDIR:
		return mhi_err_set(err, MH_ENOENT,
				   "there is no folder for \"%s\"; make it, or choose another path",
				   v->path);
	case EACCES:
	case EPERM:
	case EROFS:
		return mhi_err_set(err, MH_EPERM,
				   "no permission to make the socket \"%s\"; choose another folder",
				   v->path);
	default:
		return mhi_err_set(err, MH_EIO,
				   "cannot make the socket \"%s\": %s; choose another path",
				   v->path, strerror(errno));
	}
}

int mhi_vsock_listen(struct vsock *v, struct mhi_err *err)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	int rc;

	if (!*v->path || strlen(v->path) + SUFFIX_MAX >= sizeof(a.sun_path))
		return mhi_err_set(err, MH_EINVAL,
				   "the path \"%s\" has not 1 to %zu bytes; choose another",
				   v->path, sizeof(a.sun_path) - 1 - SUFFIX_MAX);
	memcpy(a.sun_path, v->path, strlen(v->path));
	v->spare = -1;
	v->listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (v->listener < 0)
		return mhi_err_set(err, MH_ENOMEM,
				   "no file descriptors or no memory for sockets; free some, or "
				   "raise the limit (ulimit -n)");
	v->spare = fcntl(v->listener, F_DUPFD_CLOEXEC, 0);
	if (bind(v->listener, (struct sockaddr *)&a, sizeof(a))) {
		rc = bind_error(v, err);
		/* It is not ours to remove. */
		close(v->listener);
		v->listener = -1;
		return rc;
	}
	if (listen(v->listener, BACKLOG))
		return mhi_err_set(err, MH_EIO, "cannot listen on \"%s\": %s; choose another path",
				   v->path, strerror(errno));
	mhi_loop_call(v->dev.env.loop, watch_listener, v);
	return v->rc ? mhi_err_set(err, v->rc, "cannot watch \"%s\": " MHI_NO_MEMORY, v->path) : 0;
}

void mhi_vsock_unlisten(struct vsock *v)
{
	mhi_loop_unwatch(v->listen_watch);
	if (v->listener >= 0) {
		close(v->listener);
		unlink(v->path);
	}
	if (v->spare >= 0)
		close(v->spare);
}

/* ---- from the guest ---- */

static int connect_path(const char *path, u32 port, u16 type)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	int kind = type == MHI_VSOCK_SEQPACKET ? SOCK_SEQPACKET : SOCK_STREAM;
	int fd = socket(AF_UNIX, kind | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	snprintf(a.sun_path, sizeof(a.sun_path), "%s_%u", path, port);
	if (fd >= 0 && connect(fd, (struct sockaddr *)&a, sizeof(a))) {
		close(fd);
		fd = -1;
	}
	return fd;
}

int mhi_vsock_reach(struct vsock *v, u32 port, u16 type)
{
	int fd = -1;

	mhi_vdev_hold(&v->dev);
	mhi_vdev_leave(&v->dev);
	if (v->is.accept)
		fd = v->is.accept(v->is.opaque, port, type);
	if (fd < 0 && v->path)
		fd = connect_path(v->path, port, type);
	mhi_vdev_enter(&v->dev);
	mhi_vdev_release(&v->dev);
	return fd < 0 ? -1 : fd;
}
