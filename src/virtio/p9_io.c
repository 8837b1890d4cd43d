/* SPDX-License-Identifier: MIT */
/* Open files: open, create, read, write, fsync. Data goes between file and pieces, once. */
#include "virtio/p9_priv.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

/* ---- open ---- */

static bool writes(int flags)
{
	return (flags & O_ACCMODE) != O_RDONLY || (flags & O_TRUNC);
}

static int set_open(struct p9_ctx *c, struct p9_fid *fid, int fd, int flags)
{
	bool was_open;

	pthread_mutex_lock(&c->s->tree.lock);
	was_open = fid->io_fd >= 0;
	if (!was_open) {
		fid->io_fd = fd;
		fid->access = (u32)flags & O_ACCMODE;
	}
	pthread_mutex_unlock(&c->s->tree.lock);
	if (was_open)
		mhi_tree_counted_close(&c->s->tree, fd);
	return was_open ? -EBADF : 0;
}

static void put_open(struct p9_ctx *c, const struct tree_attr *a)
{
	struct mhi_p9_qid qid = mhi_p9_qid(c->s, a);

	mhi_p9_put_qid(&c->out, &qid);
	mhi_p9_put32(&c->out, 0); /* iounit: what msize allows */
}

int mhi_p9_open_fid(struct p9_ctx *c, struct p9_use *use, int flags)
{
	struct tree_attr a;
	int error, fd;

	if (use->f.io_fd >= 0)
		return -EBADF;
	if (c->s->tree.config.readonly && writes(flags))
		return -EROFS;
	error = mhi_tree_file_attr(&c->s->tree, &use->f, &a);
	if (!error)
		error = mhi_tree_openable(&a);
	if (error)
		return error;
	fd = mhi_tree_counted_reopen(&c->s->tree, use->f.fd, flags);
	if (fd < 0)
		return fd;
	error = set_open(c, use->fid, fd, flags);
	if (!error)
		put_open(c, &a);
	return error;
}

static int host_flags(u32 dotl)
{
	int flags = (int)(dotl & P9_DOTL_ACCMODE);

	flags |= dotl & P9_DOTL_TRUNC ? O_TRUNC : 0;
	flags |= dotl & P9_DOTL_APPEND ? O_APPEND : 0;
	flags |= dotl & P9_DOTL_DIRECTORY ? O_DIRECTORY : 0;
	flags |= (dotl & P9_DOTL_SYNC) == P9_DOTL_SYNC ? O_SYNC : 0;
	flags |= dotl & P9_DOTL_DSYNC ? O_DSYNC : 0;
	return flags;
}

int mhi_p9_do_lopen(struct p9_ctx *c)
{
	u32 number = mhi_p9_get32(&c->in);
	u32 flags = mhi_p9_get32(&c->in);
	struct p9_use *use;
	int error;

	if ((flags & P9_DOTL_ACCMODE) == P9_DOTL_ACCMODE)
		return -EINVAL;
	error = mhi_p9_use(c, number, &use);
	return error ? error : mhi_p9_open_fid(c, use, host_flags(flags));
}

/* ---- create ---- */

int mhi_p9_create_fid(struct p9_ctx *c, struct p9_use *use, const char *name, int flags,
		      const struct tree_new *want)
{
	struct mhi_p9 *s = c->s;
	struct p9_open open = { .access = (u32)flags & O_ACCMODE };
	struct tree_node *node;
	struct tree_attr a;
	int error = -ENOMEM;

	if (use->f.io_fd >= 0)
		return -EBADF;
	open.fd = mhi_tree_create_file(&c->s->tree, use->f.fd, name, flags, want, &a);
	if (open.fd < 0)
		return open.fd;
	pthread_mutex_lock(&s->tree.lock);
	node = mhi_tree_node_new(&s->tree, use->f.node, name, &a, -1);
	pthread_mutex_unlock(&s->tree.lock);
	if (node) {
		error = mhi_p9_fid_new(c, use->fid->number, use->fid, node, &open);
		pthread_mutex_lock(&s->tree.lock);
		mhi_tree_node_put(&s->tree, node);
		pthread_mutex_unlock(&s->tree.lock);
	}
	if (error)
		mhi_tree_counted_close(&s->tree, open.fd);
	else
		put_open(c, &a);
	return error;
}

int mhi_p9_do_lcreate(struct p9_ctx *c)
{
	u32 number = mhi_p9_get32(&c->in);
	struct mhi_p9_str name = mhi_p9_get_str(&c->in);
	u32 dotl = mhi_p9_get32(&c->in);
	struct tree_new want = { .mode = mhi_p9_get32(&c->in) };
	char text[MHI_TREE_NAME];
	struct p9_use *use;
	int flags = host_flags(dotl) & ~O_DIRECTORY;
	int error;

	want.gid = mhi_p9_get32(&c->in);
	want.mode = (want.mode & ~(u32)S_IFMT) | S_IFREG;
	if ((dotl & P9_DOTL_ACCMODE) == P9_DOTL_ACCMODE)
		return -EINVAL;
	error = mhi_p9_use_named(c, number, name, text, &use);
	if (error)
		return error;
	want.uid = use->fid->uid;
	flags |= dotl & P9_DOTL_EXCL ? O_EXCL : 0;
	return mhi_p9_create_fid(c, use, text, flags, &want);
}

/* ---- data ---- */

static int read_xattr(struct p9_ctx *c, const struct p9_xattr *x, u64 offset, u32 count)
{
	if (x->create)
		return -EBADF;
	if (offset >= x->size)
		count = 0;
	else if (count > x->size - offset)
		count = (u32)(x->size - offset);
	mhi_sg_put(c->req->in, c->req->ins, P9_READ_HEADER, x->value + offset, count);
	mhi_p9_put32(&c->out, count);
	c->data = count;
	return 0;
}

static int read_file(struct p9_ctx *c, int fd, u64 offset, u32 count)
{
	struct mhi_sg_slice to;
	ssize_t n;

	if (offset > INT64_MAX)
		return -EINVAL;
	mhi_sg_slice(&to, c->req->in, c->req->ins, P9_READ_HEADER, count);
	n = preadv(fd, to.iov, (int)to.n, (off_t)offset);
	if (n < 0)
		return -errno;
	mhi_p9_put32(&c->out, (u32)n);
	c->data = (u32)n;
	return 0;
}

int mhi_p9_do_read(struct p9_ctx *c)
{
	u32 number = mhi_p9_get32(&c->in);
	u64 offset = mhi_p9_get64(&c->in);
	u32 count = mhi_p9_get32(&c->in);
	struct p9_use *use;
	int error;

	if (c->room < P9_READ_HEADER)
		return -EINVAL;
	if (count > c->room - P9_READ_HEADER)
		count = c->room - P9_READ_HEADER;
	error = mhi_p9_use_open(c, number, &use);
	if (error)
		return error;
	if (use->fid->xattr)
		return read_xattr(c, use->fid->xattr, offset, count);
	if (S_ISDIR(use->f.node->type))
		return c->dialect == P9_2000L ? -EISDIR
					      : mhi_p9_read_dir_stat(c, use, offset, count);
	return read_file(c, use->f.io_fd, offset, count);
}

static int write_xattr(struct p9_ctx *c, struct p9_fid *fid, u64 offset, u32 count)
{
	struct p9_xattr *x = fid->xattr;

	if (!x->create)
		return -EBADF;
	if (offset > x->size || count > x->size - offset)
		return -ENOSPC;
	pthread_mutex_lock(&fid->lock);
	mhi_sg_get(c->req->out, c->req->outs, P9_WRITE_HEADER, x->value + offset, count);
	if (offset + count > x->filled)
		x->filled = (u32)(offset + count);
	pthread_mutex_unlock(&fid->lock);
	mhi_p9_put32(&c->out, count);
	return 0;
}

static int write_file(struct p9_ctx *c, int fd, u64 offset, u32 count)
{
	struct mhi_sg_slice from;
	ssize_t n;

	if (offset > INT64_MAX)
		return -EINVAL;
	mhi_sg_slice(&from, c->req->out, c->req->outs, P9_WRITE_HEADER, count);
	n = pwritev(fd, from.iov, (int)from.n, (off_t)offset);
	if (n < 0)
		return -errno;
	mhi_p9_put32(&c->out, (u32)n);
	return 0;
}

int mhi_p9_do_write(struct p9_ctx *c)
{
	u32 number = mhi_p9_get32(&c->in);
	u64 offset = mhi_p9_get64(&c->in);
	u32 count = mhi_p9_get32(&c->in);
	struct p9_use *use;
	int error;

	if (c->in.bad || count > c->req->size - P9_WRITE_HEADER)
		return -EINVAL;
	error = mhi_p9_use_open(c, number, &use);
	if (error)
		return error;
	if (use->fid->xattr)
		return write_xattr(c, use->fid, offset, count);
	return write_file(c, use->f.io_fd, offset, count);
}

int mhi_p9_do_fsync(struct p9_ctx *c)
{
	u32 number = mhi_p9_get32(&c->in);
	/* Old clients do not say. */
	u32 data_only = c->in.left ? mhi_p9_get32(&c->in) : 0;
	struct p9_use *use;
	int error;

	error = mhi_p9_use_open(c, number, &use);
	if (error)
		return error;
	if (use->fid->xattr)
		return -EINVAL;
	return (data_only ? fdatasync(use->f.io_fd) : fsync(use->f.io_fd)) ? -errno : 0;
}
