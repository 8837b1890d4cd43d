/* SPDX-License-Identifier: MIT */
/* Open files: open, create, read, write, fsync. Data goes between file and pieces, once. */
#include "virtio/p9_priv.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#define CREATE_TRIES 8 /* somebody else may be making and removing the same name */

/* ---- open ---- */

/* Devices, FIFOs and sockets are the client's own business, links have been followed by it. */
static int openable(const struct p9_attr *a)
{
	if (S_ISREG(a->mode) || S_ISDIR(a->mode))
		return 0;
	return S_ISLNK(a->mode) ? -ELOOP : -ENXIO;
}

static bool writes(int flags)
{
	return (flags & O_ACCMODE) != O_RDONLY || (flags & O_TRUNC);
}

static int set_open(struct p9_ctx *c, struct p9_fid *fid, int fd, int flags)
{
	bool was_open;

	pthread_mutex_lock(&c->s->lock);
	was_open = fid->io_fd >= 0;
	if (!was_open) {
		fid->io_fd = fd;
		fid->access = (u32)flags & O_ACCMODE;
	}
	pthread_mutex_unlock(&c->s->lock);
	if (was_open)
		mhi_p9_counted_close(c->s, fd);
	return was_open ? -EBADF : 0;
}

static void put_open(struct p9_ctx *c, const struct p9_attr *a)
{
	struct mhi_p9_qid qid = mhi_p9_qid(c->s, a);

	mhi_p9_put_qid(&c->out, &qid);
	mhi_p9_put32(&c->out, 0); /* iounit: what msize allows */
}

int mhi_p9_open_fid(struct p9_ctx *c, struct p9_use *use, int flags)
{
	struct p9_attr a;
	int error, fd;

	if (use->io_fd >= 0)
		return -EBADF;
	if (c->s->config.readonly && writes(flags))
		return -EROFS;
	error = mhi_p9_use_attr(c->s, use, &a);
	if (!error)
		error = openable(&a);
	if (error)
		return error;
	fd = mhi_p9_counted_reopen(c->s, use->fd, flags);
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

/* A name that exists is opened, if it may be, without O_CREAT. */
static int open_existing(struct p9_ctx *c, int dir, const char *name, int flags, struct p9_attr *a)
{
	int path = mhi_p9_counted_open_at(c->s, dir, name, O_PATH, 0);
	int fd;

	if (path < 0)
		return path;
	fd = mhi_p9_attr(c->s, path, a);
	if (!fd)
		fd = S_ISDIR(a->mode) ? -EISDIR : openable(a);
	if (!fd)
		fd = mhi_p9_counted_reopen(c->s, path, flags);
	mhi_p9_counted_close(c->s, path);
	return fd;
}

static int create_new(struct p9_ctx *c, int dir, const char *name, int flags,
		      const struct p9_new *want, struct p9_attr *a)
{
	u32 mode = mhi_p9_host_mode(c->s, want->mode);
	int fd = mhi_p9_counted_open_at(c->s, dir, name, (u64)(flags | O_CREAT | O_EXCL), mode);
	int error;

	if (fd < 0)
		return fd;
	error = mhi_p9_stat(fd, a);
	if (!error)
		error = mhi_p9_adopt(c->s, fd, want, a);
	if (error) {
		unlinkat(dir, name, 0);
		mhi_p9_counted_close(c->s, fd);
		return error;
	}
	return fd;
}

/*
 * Never O_CREAT without O_EXCL: the name could be a FIFO's, and opening that is not ours to do.
 */
static int create_file(struct p9_ctx *c, int dir, const char *name, int flags,
		       const struct p9_new *want, struct p9_attr *a)
{
	bool exclusive = flags & O_EXCL;
	int fd = -EEXIST;

	for (int i = 0; i < CREATE_TRIES; i++) {
		fd = create_new(c, dir, name, flags & ~(O_TRUNC | O_EXCL), want, a);
		if (fd != -EEXIST || exclusive)
			break;
		fd = open_existing(c, dir, name, flags & ~O_EXCL, a);
		if (fd != -ENOENT)
			break;
	}
	return fd;
}

int mhi_p9_create_fid(struct p9_ctx *c, struct p9_use *use, const char *name, int flags,
		      const struct p9_new *want)
{
	struct mhi_p9 *s = c->s;
	struct p9_open open = { .access = (u32)flags & O_ACCMODE };
	struct p9_node *node;
	struct p9_attr a;
	int error = -ENOMEM;

	if (use->io_fd >= 0)
		return -EBADF;
	open.fd = create_file(c, use->fd, name, flags, want, &a);
	if (open.fd < 0)
		return open.fd;
	pthread_mutex_lock(&s->lock);
	node = mhi_p9_node_new(s, use->node, name, &a, -1);
	pthread_mutex_unlock(&s->lock);
	if (node) {
		error = mhi_p9_fid_new(c, use->fid->number, use->fid, node, &open);
		pthread_mutex_lock(&s->lock);
		mhi_p9_node_put(s, node);
		pthread_mutex_unlock(&s->lock);
	}
	if (error)
		mhi_p9_counted_close(s, open.fd);
	else
		put_open(c, &a);
	return error;
}

int mhi_p9_do_lcreate(struct p9_ctx *c)
{
	u32 number = mhi_p9_get32(&c->in);
	struct mhi_p9_str name = mhi_p9_get_str(&c->in);
	u32 dotl = mhi_p9_get32(&c->in);
	struct p9_new want = { .mode = mhi_p9_get32(&c->in) };
	char text[MHI_P9_NAME];
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
	mhi_p9_iov_put(c->req->in, c->req->ins, P9_READ_HEADER, x->value + offset, count);
	mhi_p9_put32(&c->out, count);
	c->data = count;
	return 0;
}

static int read_file(struct p9_ctx *c, int fd, u64 offset, u32 count)
{
	struct mhi_p9_slice to;
	ssize_t n;

	if (offset > INT64_MAX)
		return -EINVAL;
	mhi_p9_slice(&to, c->req->in, c->req->ins, P9_READ_HEADER, count);
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
	if (S_ISDIR(use->node->type))
		return c->dialect == P9_2000L ? -EISDIR
					      : mhi_p9_read_dir_stat(c, use, offset, count);
	return read_file(c, use->io_fd, offset, count);
}

static int write_xattr(struct p9_ctx *c, struct p9_fid *fid, u64 offset, u32 count)
{
	struct p9_xattr *x = fid->xattr;

	if (!x->create)
		return -EBADF;
	if (offset > x->size || count > x->size - offset)
		return -ENOSPC;
	pthread_mutex_lock(&fid->lock);
	mhi_p9_iov_get(c->req->out, c->req->outs, P9_WRITE_HEADER, x->value + offset, count);
	if (offset + count > x->filled)
		x->filled = (u32)(offset + count);
	pthread_mutex_unlock(&fid->lock);
	mhi_p9_put32(&c->out, count);
	return 0;
}

static int write_file(struct p9_ctx *c, int fd, u64 offset, u32 count)
{
	struct mhi_p9_slice from;
	ssize_t n;

	if (offset > INT64_MAX)
		return -EINVAL;
	mhi_p9_slice(&from, c->req->out, c->req->outs, P9_WRITE_HEADER, count);
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
	return write_file(c, use->io_fd, offset, count);
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
	return (data_only ? fdatasync(use->io_fd) : fsync(use->io_fd)) ? -errno : 0;
}
