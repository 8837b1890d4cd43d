/* SPDX-License-Identifier: MIT */
/* Extended attributes that the client may see. */
#include "virtio/tree.h"

#include <errno.h>
#include <sys/xattr.h>

/* What the client may see of a list of names; returns its new size. */
static ssize_t filter(const struct mhi_tree *t, char *names, ssize_t n)
{
	ssize_t to = 0;

	for (ssize_t at = 0; at < n;) {
		size_t len = strlen(names + at) + 1;

		if (mhi_tree_xattr_allowed(t, names + at)) {
			memmove(names + to, names + at, len);
			to += (ssize_t)len;
		}
		at += (ssize_t)len;
	}
	return to;
}

ssize_t mhi_tree_xattr_get(const struct mhi_tree *t, int fd, const char *name, void *buf,
			   size_t room)
{
	struct tree_proc_path path = mhi_tree_proc_path(fd);
	ssize_t n;

	if (*name && !mhi_tree_xattr_allowed(t, name))
		return -EOPNOTSUPP;
	if (*name)
		n = getxattr(path.text, name, buf, room);
	else
		n = listxattr(path.text, buf, room);
	if (n < 0)
		return -errno;
	return *name || !room ? n : filter(t, buf, n);
}
