/* SPDX-License-Identifier: MIT */
/* Files of the folder that are opened, or made, for reading and writing. */
#include "virtio/tree.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#define CREATE_TRIES 8 /* somebody else may be making and removing the same name */

/* Devices, FIFOs and sockets are the client's own business, links have been followed by it. */
int mhi_tree_openable(const struct tree_attr *a)
{
	if (S_ISREG(a->mode) || S_ISDIR(a->mode))
		return 0;
	return S_ISLNK(a->mode) ? -ELOOP : -ENXIO;
}

/* A name that exists is opened, if it may be, without O_CREAT. */
static int open_existing(struct mhi_tree *t, int dir, const char *name, int flags,
			 struct tree_attr *a)
{
	int path = mhi_tree_counted_open_at(t, dir, name, O_PATH, 0);
	int fd;

	if (path < 0)
		return path;
	fd = mhi_tree_attr(t, path, a);
	if (!fd)
		fd = S_ISDIR(a->mode) ? -EISDIR : mhi_tree_openable(a);
	if (!fd)
		fd = mhi_tree_counted_reopen(t, path, flags);
	mhi_tree_counted_close(t, path);
	return fd;
}

static int create_new(struct mhi_tree *t, int dir, const char *name, int flags,
		      const struct tree_new *want, struct tree_attr *a)
{
	u32 mode = mhi_tree_host_mode(t, want->mode);
	int fd = mhi_tree_counted_open_at(t, dir, name, (u64)(flags | O_CREAT | O_EXCL), mode);
	int error;

	if (fd < 0)
		return fd;
	error = mhi_tree_stat(fd, a);
	if (!error)
		error = mhi_tree_adopt(t, fd, want, a);
	if (error) {
		unlinkat(dir, name, 0);
		mhi_tree_counted_close(t, fd);
		return error;
	}
	return fd;
}

/*
 * Never O_CREAT without O_EXCL: the name could be a FIFO's, and opening that is not ours to do.
 */
int mhi_tree_create_file(struct mhi_tree *t, int dir, const char *name, int flags,
			 const struct tree_new *want, struct tree_attr *a)
{
	bool exclusive = flags & O_EXCL;
	int fd = -EEXIST;

	for (int i = 0; i < CREATE_TRIES; i++) {
		fd = create_new(t, dir, name, flags & ~(O_TRUNC | O_EXCL), want, a);
		if (fd != -EEXIST || exclusive)
			break;
		fd = open_existing(t, dir, name, flags & ~O_EXCL, a);
		if (fd != -ENOENT)
			break;
	}
	return fd;
}
