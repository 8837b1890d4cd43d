/* SPDX-License-Identifier: MIT */
/* Files of the guest: a new one comes to its place by a rename. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fail.h"

struct ga_file {
	int fd;
	char *path, *temporary; /* NULL: it is read */
	mode_t mode;
};

#define PERMISSIONS 07777u

static struct ga_file *fail(struct ga_file *f, struct ga_failure *why, const char *path)
{
	fail_errno(why, "cannot open", path);
	if (f)
		ga_file_close(f);
	return NULL;
}

/* Whatever is at path, and whoever looks there, sees the old file or the new one. */
struct ga_file *ga_file_create(const char *path, uint32_t mode, struct ga_failure *why)
{
	struct ga_file *f = calloc(1, sizeof(*f));
	const char *name = strrchr(path, '/');

	if (!f)
		return fail(NULL, why, path);
	f->fd = -1;
	errno = EINVAL;
	if (path[0] != '/' || !name[1])
		return fail(f, why, path);
	f->mode = mode & PERMISSIONS;
	f->path = strdup(path);
	if (!f->path || asprintf(&f->temporary, "%.*s/.agent-XXXXXX", (int)(name - path), path) < 0)
		f->temporary = NULL;
	if (f->temporary)
		f->fd = mkostemp(f->temporary, O_CLOEXEC);
	if (f->fd >= 0)
		return f;
	free(f->temporary);
	f->temporary = NULL;
	return fail(f, why, path);
}

bool ga_file_write(struct ga_file *f, const void *data, size_t bytes, struct ga_failure *why)
{
	const char *at = data;

	while (bytes) {
		ssize_t n = write(f->fd, at, bytes);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0) {
			fail_errno(why, "cannot write", f->path);
			return false;
		}
		at += n;
		bytes -= (size_t)n;
	}
	return true;
}

static bool is_folder(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

bool ga_file_commit(struct ga_file *f, struct ga_failure *why)
{
	bool done = false;

	if (is_folder(f->path)) {
		errno = EISDIR;
		fail_errno(why, "cannot write", f->path);
	} else if (fchmod(f->fd, f->mode) || fdatasync(f->fd) || rename(f->temporary, f->path)) {
		fail_errno(why, "cannot write", f->path);
	} else {
		free(f->temporary);
		f->temporary = NULL;
		done = true;
	}
	ga_file_close(f);
	return done;
}

/* A pipe or a device would have the agent wait, or do something by being read. */
struct ga_file *ga_file_open(const char *path, uint32_t *mode, uint64_t *bytes,
			     struct ga_failure *why)
{
	struct ga_file *f = calloc(1, sizeof(*f));
	struct stat st;

	if (!f)
		return fail(NULL, why, path);
	f->fd = -1;
	errno = EINVAL;
	if (path[0] != '/' || stat(path, &st))
		return fail(f, why, path);
	errno = S_ISDIR(st.st_mode) ? EISDIR : EINVAL;
	if (!S_ISREG(st.st_mode))
		return fail(f, why, path);
	f->fd = open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	if (f->fd < 0 || fstat(f->fd, &st))
		return fail(f, why, path);
	errno = EINVAL;
	if (!S_ISREG(st.st_mode))
		return fail(f, why, path);
	*mode = st.st_mode & PERMISSIONS;
	*bytes = (uint64_t)st.st_size;
	return f;
}

long ga_file_read(struct ga_file *f, void *data, size_t bytes, struct ga_failure *why)
{
	ssize_t n;

	do
		n = read(f->fd, data, bytes);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		fail_errno(why, "cannot read", "the file");
	return n;
}

void ga_file_close(struct ga_file *f)
{
	if (f->fd >= 0)
		close(f->fd);
	if (f->temporary)
		unlink(f->temporary);
	free(f->temporary);
	free(f->path);
	free(f);
}
