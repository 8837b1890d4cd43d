/* SPDX-License-Identifier: MIT */
/* Reaching an X server: what a caller wants, the socket to the server, and who is let in there. */
#include "x11_priv.h"

#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

/* X Window System Protocol, appendix B "Protocol Encoding": a display's port. */
#define TCP_PORT 6000
#define UNIX_PATH "/tmp/.X11-unix/X%d"

/* ---- what a caller wants ---- */

/* One that can be shut down: whoever waits for it must be able to stop. */
static bool is_stream(int fd)
{
	socklen_t bytes = sizeof(int);
	int type;

	return !getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &bytes) && type == SOCK_STREAM;
}

static bool socket_ok(const struct mh_x11_socket *s)
{
	return s->size == sizeof(*s) && is_stream(s->fd) && s->auth_bytes <= sizeof(s->auth_data) &&
	       memchr(s->auth_name, '\0', sizeof(s->auth_name));
}

/* It has grown: programs that know no socket have a shorter one. */
bool mhi_x_config_read(const struct mh_x11_config *from, struct mh_x11_config *to)
{
	*to = (struct mh_x11_config)MH_X11_CONFIG_INIT;
	if (!from)
		return true;
	if (from->size != sizeof(*to) && from->size != offsetof(struct mh_x11_config, socket))
		return false;
	memcpy(to, from, from->size);
	return (!to->ops || to->ops->version == 1) && (!to->socket || socket_ok(to->socket));
}

const char *mhi_x_name(const struct mh_x11_config *config)
{
	return config->display ? config->display : "of DISPLAY";
}

int mhi_x_nobody(const struct mh_x11_config *config)
{
	char text[512];

	snprintf(text, sizeof(text),
		 "connecting to the X server %s: nobody answers there, or it does not let this "
		 "user in; check DISPLAY and XAUTHORITY",
		 mhi_x_name(config));
	if (config->ops && config->ops->tell)
		config->ops->tell(config->opaque, MH_ENOENT, text);
	return MH_ENOENT;
}

/* ---- sockets ---- */

/* Closes the descriptor if it fails. -1: nobody answers. */
static int connected(int fd, const void *address, size_t bytes)
{
	if (fd < 0 || !connect(fd, address, (socklen_t)bytes))
		return fd;
	close(fd);
	return -1;
}

/* By a file, or by the same name without one (abstract), which anybody may take. */
static int dial_unix(const char *path, bool abstract)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	const size_t at = abstract ? 1 : 0, bytes = strlen(path);

	if (at + bytes >= sizeof(address.sun_path))
		return -1;
	memcpy(address.sun_path + at, path, bytes);
	return connected(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), &address,
			 offsetof(struct sockaddr_un, sun_path) + at + bytes + !abstract);
}

static int dial_tcp(const char *host, int display)
{
	const struct addrinfo hints = { .ai_socktype = SOCK_STREAM };
	struct addrinfo *all = NULL, *a;
	char port[16];
	int fd = -1, on = 1;

	snprintf(port, sizeof(port), "%d", TCP_PORT + display);
	if (getaddrinfo(host, port, &hints, &all))
		return -1;
	for (a = all; a && fd < 0; a = a->ai_next)
		fd = connected(socket(a->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0), a->ai_addr,
			       a->ai_addrlen);
	freeaddrinfo(all);
	if (fd >= 0)
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	return fd;
}

static int dial(const char *host, int display)
{
	char path[64];
	int fd;

	if (*host == '/')
		return dial_unix(host, false);
	if (*host && strcmp(host, "unix"))
		return dial_tcp(host, display);
	snprintf(path, sizeof(path), UNIX_PATH, display);
	fd = dial_unix(path, false);
	return fd < 0 ? dial_unix(path, true) : fd;
}

/* ---- and who is let in ---- */

/* Xlib's place for it: XAUTHORITY, or a file in HOME. */
static void find_authority(const char *file, unsigned int display, struct mh_x11_socket *out)
{
	const char *home = getenv("HOME");
	char *path = NULL;

	if (!file)
		file = getenv("XAUTHORITY");
	if ((!file || !*file) && home && asprintf(&path, "%s/.Xauthority", home) > 0)
		file = path;
	if (file && *file)
		mhi_x_auth_find(file, display, out);
	free(path);
}

bool mhi_x_dial(const struct mh_x11_config *config, struct mh_x11_socket *out)
{
	int display = 0, screen = 0;
	char *host = NULL;

	if (!xcb_parse_display(config->display, &host, &display, &screen))
		return false;
	out->fd = dial(host, display);
	free(host);
	if (out->fd < 0)
		return false;
	out->screen = (uint32_t)screen;
	find_authority(config->authority, (unsigned int)display, out);
	return true;
}

int mh_x11_dial(const struct mh_x11_config *config, struct mh_x11_socket *out)
{
	struct mh_x11_socket made = MH_X11_SOCKET_INIT;
	struct mh_x11_config own;

	if (!out || out->size != sizeof(*out) || !mhi_x_config_read(config, &own) || own.socket)
		return MH_EINVAL;
	if (!mhi_x_dial(&own, &made))
		return mhi_x_nobody(&own);
	*out = made;
	return 0;
}
