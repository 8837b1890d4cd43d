/* SPDX-License-Identifier: MIT */
/* Open files: open, create, read, write and the like. Data goes between file and pieces, once. */
#include "virtio/fuse_priv.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

/* Of one COPY_FILE_RANGE: the client goes on with the rest. */
#define COPY_MAX (64u << 20)
#define FALLOC_KNOWN (FALLOC_FL_KEEP_SIZE | FALLOC_FL_PUNCH_HOLE | FALLOC_FL_ZERO_RANGE)

/* What of the client's flags is for the host. */
#define FLAGS_KEPT (O_ACCMODE | O_APPEND | O_TRUNC | O_SYNC | O_DSYNC)

static bool writes(int flags)
{
	return (flags & O_ACCMODE) != O_RDONLY || (flags & O_TRUNC);
}

/* ---- open and create ---- */

int mhi_fuse_do_open(struct fuse_ctx *c)
{
	const struct fuse_open_in *in = (const void *)c->text;
	int flags = (int)in->flags & FLAGS_KEPT;
	struct fuse_open_out *out = mhi_fuse_reply(c, sizeof(*out));
	struct fuse_use *use;
	struct tree_attr a;
	int error, fd;

	if ((flags & O_ACCMODE) == O_ACCMODE)
		return -EINVAL;
	if (c->s->tree.config.readonly && writes(flags))
		return -EROFS;
	error = mhi_fuse_use(c, c->head.nodeid, &use);
	if (!error)
		error = mhi_tree_file_attr(&c->s->tree, &use->f, &a);
	if (!error)
		error = S_ISDIR(a.mode) ? -EISDIR : mhi_tree_openable(&a);
	if (error)
		return error;
	fd = mhi_tree_counted_reopen(&c->s->tree, use->f.fd, flags);
	if (fd < 0)
		return fd;
	if ((flags & O_TRUNC) && (in->open_flags & FUSE_OPEN_KILL_SUIDGID))
		error = mhi_fuse_kill_set_ids(c->s, &use->f);
	if (!error)
		error = mhi_fuse_open(c->s, use, fd, (u32)flags & O_ACCMODE, (u64 *)&out->fh);
	if (error)
		mhi_tree_counted_close(&c->s->tree, fd);
	return error;
}

struct created {
	struct fuse_entry_out entry;
	struct fuse_open_out open;
};

/* Tell the client of the file that fd is; somebody may have put another one in its place. */
static int introduce(struct fuse_ctx *c, const struct fuse_use *dir, const char *name,
		     const struct tree_id *id, struct created *out)
{
	struct fuse_use *use;
	int error = mhi_fuse_entry(c->s, &dir->f, name, &out->entry);

	if (error)
		return error;
	error = mhi_fuse_use(c, out->entry.nodeid, &use);
	if (!error && !mhi_tree_same(&use->f.node->id, id))
		error = -ESTALE;
	if (error)
		mhi_fuse_forget(c->s, out->entry.nodeid, 1);
	return error;
}

int mhi_fuse_do_create(struct fuse_ctx *c)
{
	const struct fuse_create_in *in = (const void *)c->text;
	int flags = (int)in->flags & (FLAGS_KEPT | O_EXCL);
	struct tree_new want = { .mode = (in->mode & ~(u32)S_IFMT) | S_IFREG,
				 .uid = c->head.uid,
				 .gid = c->head.gid };
	struct created *out = mhi_fuse_reply(c, sizeof(*out));
	char name[MHI_TREE_NAME];
	struct fuse_use *dir;
	struct tree_attr a;
	u32 at = sizeof(*in);
	int error, fd;

	if ((flags & O_ACCMODE) == O_ACCMODE)
		return -EINVAL;
	error = mhi_fuse_name(c, &at, name);
	if (!error)
		error = mhi_fuse_use(c, c->head.nodeid, &dir);
	if (error)
		return error;
	fd = mhi_tree_create_file(&c->s->tree, dir->f.fd, name, flags, &want, &a);
	if (fd < 0)
		return fd;
	error = introduce(c, dir, name, &a.id, out);
	if (!error) {
		error = mhi_fuse_open(c->s, &c->use[c->uses - 1], fd, (u32)flags & O_ACCMODE,
				      (u64 *)&out->open.fh);
		if (error)
			mhi_fuse_forget(c->s, out->entry.nodeid, 1);
	}
	if (error)
		mhi_tree_counted_close(&c->s->tree, fd);
	return error;
}

int mhi_fuse_do_release(struct fuse_ctx *c)
{
	const struct fuse_release_in *in = (const void *)c->text;

	return mhi_fuse_close(c->s, in->fh);
}

/* ---- data ---- */

typedef ssize_t transfer_fn(int fd, const struct iovec *iov, int n, off_t at);

/* Data in a request, or the room for it: behind skip bytes. */
struct pieces {
	const struct iovec *iov;
	unsigned int n;
	size_t skip;
};

/* All of it, for to the client less means the file's end. The bytes or -errno. */
static ssize_t transfer(transfer_fn *fn, int fd, u64 offset, const struct pieces *p, u32 count)
{
	struct mhi_sg_slice part;
	u32 done = 0;

	if (offset > (u64)INT64_MAX - count)
		return -EINVAL;
	while (done < count) {
		size_t want = mhi_sg_slice(&part, p->iov, p->n, p->skip + done, count - done);
		ssize_t got = want ? fn(fd, part.iov, (int)part.n, (off_t)(offset + done)) : 0;

		if (got < 0)
			return done ? (ssize_t)done : -errno;
		done += (u32)got;
		if ((size_t)got < want || !want)
			break;
	}
	return done;
}

int mhi_fuse_do_read(struct fuse_ctx *c)
{
	const struct fuse_read_in *in = (const void *)c->text;
	const struct pieces to = { c->req->in, c->req->ins, FUSE_REPLY_HEADER };
	u32 count = in->size < c->room ? in->size : c->room;
	struct fuse_use *use;
	ssize_t n;
	int error = mhi_fuse_use_handle(c, in->fh, &use);

	if (error)
		return error;
	if (count > FUSE_DATA_MAX)
		count = FUSE_DATA_MAX;
	n = transfer(preadv, use->f.fd, in->offset, &to, count);
	c->data = n < 0 ? 0 : (u32)n;
	return n < 0 ? (int)n : 0;
}

int mhi_fuse_do_write(struct fuse_ctx *c)
{
	const struct fuse_write_in *in = (const void *)c->text;
	const struct pieces from = { c->req->out, c->req->outs, FUSE_HEADER + sizeof(*in) };
	struct fuse_write_out *out = mhi_fuse_reply(c, sizeof(*out));
	struct fuse_use *use;
	ssize_t n;
	int error;

	if (in->size > c->head.len - from.skip || in->size > FUSE_DATA_MAX)
		return -EINVAL;
	error = mhi_fuse_use_handle(c, in->fh, &use);
	if (error)
		return error;
	n = transfer(pwritev, use->f.fd, in->offset, &from, in->size);
	if (n < 0)
		return (int)n;
	if (in->write_flags & FUSE_WRITE_KILL_SUIDGID)
		error = mhi_fuse_kill_set_ids(c->s, &use->f);
	out->size = (u32)n;
	return error;
}

/* Nothing is kept back that could fail only at the end. */
int mhi_fuse_do_flush(struct fuse_ctx *c)
{
	(void)c;
	return 0;
}

int mhi_fuse_do_fsync(struct fuse_ctx *c)
{
	const struct fuse_fsync_in *in = (const void *)c->text;
	bool data_only = in->fsync_flags & FUSE_FSYNC_FDATASYNC;
	struct fuse_use *use;
	int error = mhi_fuse_use_handle(c, in->fh, &use);

	if (error)
		return error;
	return (data_only ? fdatasync(use->f.fd) : fsync(use->f.fd)) ? -errno : 0;
}

static int use_regular(struct fuse_ctx *c, u64 fh, struct fuse_use **use)
{
	int error = mhi_fuse_use_handle(c, fh, use);

	return !error && !S_ISREG((*use)->f.node->type) ? -EINVAL : error;
}

int mhi_fuse_do_fallocate(struct fuse_ctx *c)
{
	const struct fuse_fallocate_in *in = (const void *)c->text;
	struct fuse_use *use;
	int error = use_regular(c, in->fh, &use);

	if (!error && (in->offset > INT64_MAX || in->length > INT64_MAX))
		error = -EINVAL;
	if (!error && (in->mode & ~(u32)FALLOC_KNOWN))
		error = -EOPNOTSUPP;
	if (error)
		return error;
	return fallocate(use->f.fd, (int)in->mode, (off_t)in->offset, (off_t)in->length) ? -errno
											 : 0;
}

int mhi_fuse_do_lseek(struct fuse_ctx *c)
{
	const struct fuse_lseek_in *in = (const void *)c->text;
	struct fuse_lseek_out *out = mhi_fuse_reply(c, sizeof(*out));
	struct fuse_use *use;
	off_t at;
	int error = use_regular(c, in->fh, &use);

	if (!error &&
	    ((in->whence != SEEK_DATA && in->whence != SEEK_HOLE) || in->offset > INT64_MAX))
		error = -EINVAL;
	if (error)
		return error;
	at = lseek(use->f.fd, (off_t)in->offset, (int)in->whence);
	out->offset = (u64)at;
	return at < 0 ? -errno : 0;
}

int mhi_fuse_do_copy_file_range(struct fuse_ctx *c)
{
	const struct fuse_copy_file_range_in *in = (const void *)c->text;
	size_t len = in->len < COPY_MAX ? (size_t)in->len : COPY_MAX;
	struct fuse_write_out *out = mhi_fuse_reply(c, sizeof(*out));
	off_t from_at = (off_t)in->off_in, to_at = (off_t)in->off_out;
	struct fuse_use *from, *to;
	ssize_t n;
	int error = use_regular(c, in->fh_in, &from);

	if (!error)
		error = use_regular(c, in->fh_out, &to);
	if (!error && (in->flags || from_at < 0 || to_at < 0))
		error = -EINVAL;
	if (error)
		return error;
	n = copy_file_range(from->f.fd, &from_at, to->f.fd, &to_at, len, 0);
	if (n < 0)
		return -errno;
	out->size = (u32)n;
	return 0;
}

int mhi_fuse_do_syncfs(struct fuse_ctx *c)
{
	struct mhi_tree *t = &c->s->tree;
	int fd = mhi_tree_counted_reopen(t, t->root_fd, O_RDONLY | O_DIRECTORY);
	int error;

	if (fd < 0)
		return fd;
	error = syncfs(fd) ? -errno : 0;
	mhi_tree_counted_close(t, fd);
	return error;
}
