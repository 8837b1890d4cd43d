/* SPDX-License-Identifier: MIT */
/* Extended attributes: a fid holds the value that is read, or that is written at its clunk. */
#include "virtio/p9_priv.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/xattr.h>

static bool take_bytes(struct mhi_p9 *s, u32 bytes)
{
	bool fits;

	pthread_mutex_lock(&s->tree.lock);
	fits = bytes <= P9_XATTR_TOTAL - s->xattr_bytes;
	if (fits)
		s->xattr_bytes += bytes;
	pthread_mutex_unlock(&s->tree.lock);
	return fits;
}

static void free_xattr(struct mhi_p9 *s, struct p9_xattr *x)
{
	pthread_mutex_lock(&s->tree.lock);
	s->xattr_bytes -= x->size;
	pthread_mutex_unlock(&s->tree.lock);
	free(x->value);
	free(x);
}

/* A value of so many bytes, zeroed. */
static struct p9_xattr *new_xattr(struct mhi_p9 *s, u32 size)
{
	struct p9_xattr *x = calloc(1, sizeof(*x));

	if (!x)
		return NULL;
	x->value = calloc(1, size ? size : 1);
	if (!x->value || !take_bytes(s, size)) {
		free(x->value);
		free(x);
		return NULL;
	}
	x->size = size;
	return x;
}

static int read_value(struct p9_ctx *c, int fd, const char *name, struct p9_xattr **out)
{
	u8 *big = NULL, *from = c->text;
	ssize_t n;

	n = mhi_tree_xattr_get(&c->s->tree, fd, name, c->text, sizeof(c->text));
	if (n == -ERANGE) {
		from = big = malloc(TREE_XATTR_MAX);
		n = big ? mhi_tree_xattr_get(&c->s->tree, fd, name, big, TREE_XATTR_MAX) : -ENOMEM;
	}
	if (n >= 0) {
		*out = new_xattr(c->s, (u32)n);
		if (*out)
			memcpy((*out)->value, from, (size_t)n);
	}
	free(big);
	if (n < 0)
		return (int)n;
	return *out ? 0 : -ENOMEM;
}

int mhi_p9_do_xattrwalk(struct p9_ctx *c)
{
	u32 number = mhi_p9_get32(&c->in);
	u32 new_number = mhi_p9_get32(&c->in);
	struct mhi_p9_str name = mhi_p9_get_str(&c->in);
	char text[MHI_TREE_NAME] = "";
	struct p9_open open = { .fd = -1 };
	struct p9_use *use;
	int error;

	error = c->in.bad ? -EINVAL : 0;
	if (!error && name.len)
		error = mhi_p9_str_copy(name, text, sizeof(text));
	if (error)
		return error;
	error = mhi_p9_use(c, number, &use);
	if (error)
		return error;
	error = read_value(c, use->f.fd, text, &open.xattr);
	if (error)
		return error;
	mhi_p9_put64(&c->out, open.xattr->size);
	error = mhi_p9_fid_new(c, new_number, NULL, use->f.node, &open);
	if (error)
		free_xattr(c->s, open.xattr);
	return error;
}

int mhi_p9_do_xattrcreate(struct p9_ctx *c)
{
	u32 number = mhi_p9_get32(&c->in);
	struct mhi_p9_str name = mhi_p9_get_str(&c->in);
	u64 size = mhi_p9_get64(&c->in);
	u32 flags = mhi_p9_get32(&c->in);
	struct p9_open open = { .fd = -1 };
	char text[MHI_TREE_NAME];
	struct p9_use *use;
	int error;

	if (c->in.bad || (flags & ~(P9_XATTR_CREATE | P9_XATTR_REPLACE)))
		return -EINVAL;
	error = mhi_p9_str_copy(name, text, sizeof(text));
	if (error)
		return error;
	if (size > TREE_XATTR_MAX)
		return -E2BIG;
	if (!mhi_tree_xattr_allowed(&c->s->tree, text))
		return -EOPNOTSUPP;
	error = mhi_p9_use(c, number, &use);
	if (error)
		return error;
	if (use->f.io_fd >= 0)
		return -EBADF;
	open.xattr = new_xattr(c->s, (u32)size);
	if (!open.xattr)
		return -ENOMEM;
	open.xattr->create = true;
	open.xattr->flags = flags;
	memcpy(open.xattr->name, text, sizeof(text));
	error = mhi_p9_fid_new(c, number, use->fid, use->f.node, &open);
	if (error)
		free_xattr(c->s, open.xattr);
	return error;
}

static int store(const struct p9_xattr *x, int fd)
{
	struct tree_proc_path path = mhi_tree_proc_path(fd);
	int flags = 0;

	/* The only way to say "remove", which Linux' client uses. */
	if (!x->size && x->flags == P9_XATTR_REPLACE)
		return removexattr(path.text, x->name) ? -errno : 0;
	flags |= x->flags & P9_XATTR_CREATE ? XATTR_CREATE : 0;
	flags |= x->flags & P9_XATTR_REPLACE ? XATTR_REPLACE : 0;
	return setxattr(path.text, x->name, x->value, x->size, flags) ? -errno : 0;
}

int mhi_p9_xattr_commit(struct mhi_p9 *s, struct p9_fid *fid)
{
	struct tree_node *node = fid->node;
	struct p9_xattr *x = fid->xattr;
	bool complete;
	int error;

	pthread_mutex_lock(&fid->lock);
	complete = x->filled == x->size;
	pthread_mutex_unlock(&fid->lock);
	if (!complete)
		return -EINVAL;
	pthread_mutex_lock(&s->tree.lock);
	error = mhi_tree_node_busy(&s->tree, node);
	pthread_mutex_unlock(&s->tree.lock);
	if (error)
		return error;
	error = store(x, node->fd);
	pthread_mutex_lock(&s->tree.lock);
	mhi_tree_node_idle(&s->tree, node);
	pthread_mutex_unlock(&s->tree.lock);
	return error;
}
