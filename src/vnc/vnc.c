/* SPDX-License-Identifier: MIT */
/* Starting and stopping VNC servers. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "vnc/server.h"

#define PATH_BYTES 80
#define CLIENTS 8
#define BACKLOG 8
#define NO_MEMORY "out of memory or file descriptors; free some, or raise the limit (ulimit)"

static int fail(const struct mh_vnc_config *c, int error, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/* "VNC: TEXT"; returns error. */
static int fail(const struct mh_vnc_config *c, int error, const char *fmt, ...)
{
	va_list args;
	int used;

	if (!c->why || !c->why_bytes)
		return error;
	used = snprintf(c->why, c->why_bytes, "VNC: ");
	va_start(args, fmt);
	if ((size_t)used < c->why_bytes)
		vsnprintf(c->why + used, c->why_bytes - (size_t)used, fmt, args);
	va_end(args);
	return error;
}

/* ---- the socket ---- */

static int bind_at(int fd, const char *path)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };

	snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
	return bind(fd, (const struct sockaddr *)&address, sizeof(address)) || chmod(path, 0600) ||
			       listen(fd, BACKLOG)
		       ? -1
		       : 0;
}

/*
 * It is made where only this user can go, and moved to its place when nobody else may open it any
 * more. 0 or -1 with errno.
 */
static int listen_at(int fd, const char *path)
{
	char folder[PATH_BYTES + 8], place[PATH_BYTES + 16];
	int rc, error;

	snprintf(folder, sizeof(folder), "%s.XXXXXX", path);
	if (!mkdtemp(folder))
		return -1;
	snprintf(place, sizeof(place), "%s/vnc", folder);
	rc = bind_at(fd, place);
	if (!rc)
		rc = renameat2(AT_FDCWD, place, AT_FDCWD, path, RENAME_NOREPLACE);
	error = errno;
	if (rc)
		unlink(place);
	rmdir(folder);
	errno = error;
	return rc;
}

static int open_socket(struct mh_vnc *vnc, const struct mh_vnc_config *c)
{
	vnc->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	vnc->listen = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	vnc->spare = fcntl(vnc->listen, F_DUPFD_CLOEXEC, 0);
	if (vnc->wake < 0 || vnc->listen < 0 || vnc->spare < 0)
		return fail(c, MH_ENOMEM, NO_MEMORY);
	if (!listen_at(vnc->listen, c->path))
		return 0;
	if (errno == EEXIST)
		return fail(c, MH_EEXIST,
			    "there is a file '%s' already; remove it if no VM uses it", c->path);
	return fail(c, MH_EIO, "cannot listen at '%s': %s; choose another path", c->path,
		    strerror(errno));
}

/* ---- beginning and end ---- */

static int check(struct mh_vm *vm, const struct mh_vnc_config *c, struct mh_vnc **out)
{
	size_t bytes;

	if (!vm || !out || !c || c->size != sizeof(*c))
		return MH_EINVAL;
	bytes = c->path ? strlen(c->path) : 0;
	if (!bytes || bytes > PATH_BYTES)
		return fail(c, MH_EINVAL, "the path has %zu bytes; give one of 1 to %d", bytes,
			    PATH_BYTES);
	if (c->flags || c->clients > RFB_CLIENTS_MAX)
		return fail(c, MH_EINVAL,
			    "%u clients, flags 0x%x; allow up to %d, and leave flags 0", c->clients,
			    c->flags, RFB_CLIENTS_MAX);
	return 0;
}

/* Whatever there is of it. */
static void vnc_free(struct mh_vnc *vnc)
{
	if (vnc->memory)
		munmap(vnc->memory, vnc->memory_bytes);
	if (vnc->wake >= 0)
		close(vnc->wake);
	if (vnc->listen >= 0)
		close(vnc->listen);
	pthread_cond_destroy(&vnc->obeyed);
	if (vnc->spare >= 0)
		close(vnc->spare);
	pthread_mutex_destroy(&vnc->lock);
	free(vnc->client);
	free(vnc->path);
	free(vnc);
}

static struct mh_vnc *vnc_new(struct mh_vm *vm, const struct mh_vnc_config *c)
{
	struct mh_vnc *vnc = calloc(1, sizeof(*vnc));

	if (!vnc)
		return NULL;
	pthread_mutex_init(&vnc->lock, NULL);
	pthread_cond_init(&vnc->obeyed, NULL);
	vnc->vm = vm;
	vnc->wake = vnc->listen = vnc->spare = -1;
	vnc->most = c->clients ? c->clients : CLIENTS;
	vnc->path = strdup(c->path);
	vnc->client = calloc(vnc->most, sizeof(*vnc->client));
	for (uint32_t n = 0; vnc->client && n < vnc->most; n++)
		vnc->client[n].fd = -1;
	if (vnc->path && vnc->client)
		return vnc;
	vnc_free(vnc);
	return NULL;
}

/* No signal of the program's is for it. */
static int start_thread(struct mh_vnc *vnc)
{
	sigset_t all, old;
	int rc;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	rc = pthread_create(&vnc->thread, NULL, mhv_serve, vnc);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	return rc;
}

static int start(struct mh_vnc *vnc, const struct mh_vnc_config *c)
{
	int rc = open_socket(vnc, c);

	if (rc)
		return rc;
	rc = mhv_view_begin(vnc);
	if (rc)
		fail(c, rc, "%s",
		     rc == MH_ENOENT ? "the VM has no display; give it one (mh_gpu_attach)"
				     : NO_MEMORY);
	else if (start_thread(vnc))
		rc = fail(c, MH_ENOMEM, NO_MEMORY);
	if (!rc)
		return 0;
	mhv_view_end(vnc);
	unlink(vnc->path);
	return rc;
}

int mh_vnc_start(struct mh_vm *vm, const struct mh_vnc_config *config, struct mh_vnc **out)
{
	struct mh_vnc *vnc;
	int rc = check(vm, config, out);

	if (rc)
		return rc;
	vnc = vnc_new(vm, config);
	if (!vnc)
		return fail(config, MH_ENOMEM, NO_MEMORY);
	rc = start(vnc, config);
	if (rc)
		vnc_free(vnc);
	else
		*out = vnc;
	return rc;
}

int mh_vnc_sandbox(struct mh_vnc *vnc)
{
	int rc;

	if (!vnc)
		return MH_EINVAL;
	pthread_mutex_lock(&vnc->lock);
	vnc->confine = true;
	mhv_wake(vnc);
	while (vnc->confine)
		pthread_cond_wait(&vnc->obeyed, &vnc->lock);
	rc = vnc->confined;
	pthread_mutex_unlock(&vnc->lock);
	return rc;
}

void mh_vnc_stop(struct mh_vnc *vnc)
{
	if (!vnc)
		return;
	unlink(vnc->path);
	mhv_view_end(vnc);
	pthread_mutex_lock(&vnc->lock);
	vnc->quit = true;
	pthread_mutex_unlock(&vnc->lock);
	mhv_wake(vnc);
	pthread_join(vnc->thread, NULL);
	vnc_free(vnc);
}
