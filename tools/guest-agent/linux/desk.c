/* SPDX-License-Identifier: MIT */
/* The socket for the program of a user's session: who may connect, and its bytes. */
#include "desk.h"

#include <errno.h>
#include <poll.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "desk_state.h"

#define SEAT "/run/systemd/seats/seat0"
#define NOBODY ((uid_t)-1)

/* ---- who may ---- */

/* The user whose session has the screen, as logind has it. */
static uid_t active_user(void)
{
	FILE *file = fopen(SEAT, "re");
	unsigned int uid = NOBODY;
	char line[256];

	while (file && fgets(line, sizeof(line), file))
		if (sscanf(line, "ACTIVE_UID=%u", &uid) == 1)
			break;
	if (file)
		fclose(file);
	return uid;
}

static bool may_connect(const struct desk *d, uid_t uid)
{
	return uid != NOBODY &&
	       (uid == 0 || uid == geteuid() || uid == d->user || uid == active_user());
}

static uid_t user_named(const char *name)
{
	FILE *file = name ? fopen("/etc/passwd", "re") : NULL;
	const struct passwd *p = NULL;
	uid_t uid;

	while (file && (p = fgetpwent(file)) && strcmp(p->pw_name, name) != 0)
		;
	uid = p ? p->pw_uid : NOBODY;
	if (file)
		fclose(file);
	return uid;
}

/* ---- the connection ---- */

void desk_drop(struct desk *d)
{
	if (!d->peer)
		return;
	loop_close(&d->peer);
	d->in_bytes = d->out_bytes = 0;
	d->welcome = d->broken = false;
	desk_forget(d);
}

bool desk_send(struct desk *d, uint32_t type, uint32_t serial, const void *msg)
{
	size_t bytes = mhi_agent_encode(d->out + d->out_bytes, DESK_QUEUE - d->out_bytes, type,
					serial, msg);

	d->out_bytes += bytes;
	d->broken |= !bytes;
	return bytes != 0;
}

/* What the host has not yet taken of a session's is not read from it either. */
static bool host_keeps_up(const struct desk *d)
{
	const uint8_t *data;

	return ga_output(&d->agent->session, &data) <= GA_QUEUE / 4;
}

static void handle_frames(struct desk *d)
{
	struct mhi_agent_msg msg;
	size_t at = 0;
	long bytes = 0;

	while (!d->broken && host_keeps_up(d)) {
		bytes = mhi_agent_frame(d->in + at, d->in_bytes - at);
		if (bytes <= 0)
			break;
		if (mhi_agent_decode(d->in + at, &msg) || !desk_said(d, &msg))
			d->broken = true;
		at += (size_t)bytes;
	}
	d->broken |= bytes < 0;
	d->in_bytes -= at;
	memmove(d->in, d->in + at, d->in_bytes);
}

static void move_bytes(struct desk *d, short revents)
{
	ssize_t n = 1;

	if (revents & POLLOUT && d->out_bytes) {
		n = send(d->peer->fd, d->out, d->out_bytes, MSG_NOSIGNAL | MSG_DONTWAIT);
		if (n > 0) {
			d->out_bytes -= (size_t)n;
			memmove(d->out, d->out + n, d->out_bytes);
		}
		d->broken |= n < 0 && errno != EAGAIN && errno != EINTR;
	}
	if (revents & (POLLIN | POLLHUP | POLLERR) && d->in_bytes < DESK_INPUT) {
		n = recv(d->peer->fd, d->in + d->in_bytes, DESK_INPUT - d->in_bytes, MSG_DONTWAIT);
		if (n > 0)
			d->in_bytes += (size_t)n;
		d->broken |= n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR);
	}
}

static void peer_ready(void *opaque, short revents)
{
	struct desk *d = opaque;

	move_bytes(d, revents);
	handle_frames(d);
	if (d->broken)
		desk_drop(d);
}

static void accept_peer(void *opaque, short revents)
{
	struct desk *d = opaque;
	int fd = accept4(d->listener->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	struct ucred who = { 0 };
	socklen_t bytes = sizeof(who);

	if (fd < 0)
		return;
	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &bytes) || !may_connect(d, who.uid) ||
	    (d->peer && may_connect(d, d->peer_user))) {
		close(fd);
		return;
	}
	desk_drop(d);
	d->peer = loop_watch(&d->agent->loop, fd, peer_ready, d);
	d->peer_user = who.uid;
	if (!d->peer)
		close(fd);
}

void desk_step(struct desk *d)
{
	if (d->peer && d->broken)
		desk_drop(d);
	if (!d->peer)
		return;
	handle_frames(d);
	d->peer->events = (short)((host_keeps_up(d) ? POLLIN : 0) | (d->out_bytes ? POLLOUT : 0));
}

/* ---- the socket ---- */

/* Its folder is nobody else's to write in, so that the path stays what it is. */
static int make_folder(const char *path)
{
	char folder[108];
	const char *end = strrchr(path, '/');
	int n = end ? snprintf(folder, sizeof(folder), "%.*s", (int)(end - path), path) : 0;

	if (n <= 0 || (size_t)n >= sizeof(folder))
		return 0;
	return mkdir(folder, 0755) && errno != EEXIST ? -1 : 0;
}

static int listen_at(const char *path)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd < 0)
		return -1;
	errno = ENAMETOOLONG;
	if (strlen(path) < sizeof(address.sun_path) && make_folder(path) == 0) {
		memcpy(address.sun_path, path, strlen(path));
		unlink(path);
		if (bind(fd, (struct sockaddr *)&address, sizeof(address)) == 0 &&
		    chmod(path, 0666) == 0 && listen(fd, 4) == 0)
			return fd;
	}
	close(fd);
	return -1;
}

static struct desk *fail(struct desk *d, const char *path)
{
	fprintf(stderr, "cannot listen at %s for the desktop's session: %s; going on without\n",
		path, strerror(errno));
	if (d)
		desk_close(d);
	return NULL;
}

struct desk *desk_open(struct agent *agent, const char *path, const char *user)
{
	struct desk *d = calloc(1, sizeof(*d));
	int fd;

	if (!d)
		return fail(d, path);
	d->agent = agent;
	d->path = path;
	d->user = user_named(user);
	d->in = malloc(DESK_INPUT);
	d->out = malloc(DESK_QUEUE);
	fd = d->in && d->out ? listen_at(path) : -1;
	if (fd < 0)
		return fail(d, path);
	d->listener = loop_watch(&agent->loop, fd, accept_peer, d);
	d->listener->events = POLLIN;
	return d;
}

void desk_close(struct desk *d)
{
	if (!d)
		return;
	desk_drop(d);
	if (d->listener)
		unlink(d->path);
	loop_close(&d->listener);
	free(d->in);
	free(d->out);
	free(d);
}
