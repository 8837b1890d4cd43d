/* SPDX-License-Identifier: MIT */
/* A file's attributes and its file system's: getattr, setattr, statfs of 9P2000.L. */
#include "virtio/p9_priv.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/vfs.h>
#include <unistd.h>

#define NS_PER_S 1000000000ull

/* Linux takes version 0 for "never cache". */
static u32 version_of(const struct tree_attr *a)
{
	u64 ns = (u64)a->mtime.tv_sec * NS_PER_S + (u64)a->mtime.tv_nsec;
	u32 v = (u32)(ns >> 32) ^ (u32)ns ^ (u32)(a->size << 8);

	return v ? v : 1;
}

struct mhi_p9_qid mhi_p9_qid(const struct mhi_p9 *s, const struct tree_attr *a)
{
	struct mhi_p9_qid qid = {
		.type = P9_QTFILE,
		.version = version_of(a),
		.path = mhi_tree_ino(&s->tree, a->id.dev, a->id.ino),
	};

	if (S_ISDIR(a->host_mode))
		qid.type = P9_QTDIR;
	else if (S_ISLNK(a->host_mode))
		qid.type = P9_QTSYMLINK;
	return qid;
}

static void put_time(struct mhi_p9_out *out, const struct timespec *t)
{
	mhi_p9_put64(out, (u64)t->tv_sec);
	mhi_p9_put64(out, (u64)t->tv_nsec);
}

static void put_attr(struct p9_ctx *c, const struct tree_attr *a, u64 mask)
{
	struct mhi_p9_qid qid = mhi_p9_qid(c->s, a);
	struct mhi_p9_out *out = &c->out;
	u64 valid = P9_GETATTR_BASIC;

	if (a->id.born)
		valid |= P9_GETATTR_BTIME | P9_GETATTR_GEN;
	mhi_p9_put64(out, valid & mask);
	mhi_p9_put_qid(out, &qid);
	mhi_p9_put32(out, a->mode);
	mhi_p9_put32(out, a->uid);
	mhi_p9_put32(out, a->gid);
	mhi_p9_put64(out, a->nlink);
	mhi_p9_put64(out, a->rdev);
	mhi_p9_put64(out, a->size);
	mhi_p9_put64(out, a->blksize);
	mhi_p9_put64(out, a->blocks);
	put_time(out, &a->atime);
	put_time(out, &a->mtime);
	put_time(out, &a->ctime);
	put_time(out, &a->btime);
	/* A number that was used before is told apart by the time of its file's birth. */
	mhi_p9_put64(out, (u32)(a->id.born ^ a->id.born >> 32));
	mhi_p9_put64(out, 0); /* data_version: Linux' is reserved */
}

int mhi_p9_do_getattr(struct p9_ctx *c)
{
	u32 number = mhi_p9_get32(&c->in);
	u64 mask = mhi_p9_get64(&c->in);
	struct tree_attr a;
	struct p9_use *use;
	int error;

	error = mhi_p9_use(c, number, &use);
	if (error)
		return error;
	error = mhi_tree_file_attr(&c->s->tree, &use->f, &a);
	if (!error)
		put_attr(c, &a, mask);
	return error;
}

/* ---- setattr ---- */

MHI_STATIC_ASSERT((P9_SETATTR_ALL & ~P9_SETATTR_CTIME) ==
		  (TREE_SET_MODE | TREE_SET_UID | TREE_SET_GID | TREE_SET_SIZE | TREE_SET_ATIME |
		   TREE_SET_MTIME | TREE_SET_ATIME_SET | TREE_SET_MTIME_SET));

int mhi_p9_do_setattr(struct p9_ctx *c)
{
	u32 number = mhi_p9_get32(&c->in);
	struct tree_change ch = { .valid = mhi_p9_get32(&c->in) };
	struct p9_use *use;
	int error;

	ch.mode = mhi_p9_get32(&c->in);
	ch.uid = mhi_p9_get32(&c->in);
	ch.gid = mhi_p9_get32(&c->in);
	ch.size = mhi_p9_get64(&c->in);
	ch.atime = mhi_p9_get64(&c->in);
	ch.atime_ns = mhi_p9_get64(&c->in);
	ch.mtime = mhi_p9_get64(&c->in);
	ch.mtime_ns = mhi_p9_get64(&c->in);
	if (c->in.bad || (ch.valid & ~P9_SETATTR_ALL))
		return -EINVAL;
	/* Larger numbers are orders to utimensat. */
	if ((ch.valid & P9_SETATTR_ATIME_SET && ch.atime_ns >= NS_PER_S) ||
	    (ch.valid & P9_SETATTR_MTIME_SET && ch.mtime_ns >= NS_PER_S))
		return -EINVAL;
	error = mhi_p9_use(c, number, &use);
	return error ? error : mhi_tree_apply(&c->s->tree, &use->f, &ch);
}

int mhi_p9_do_statfs(struct p9_ctx *c)
{
	u32 number = mhi_p9_get32(&c->in);
	struct mhi_p9_out *out = &c->out;
	struct p9_use *use;
	struct statfs sf;
	int error;

	error = mhi_p9_use(c, number, &use);
	if (error)
		return error;
	if (fstatfs(use->f.fd, &sf))
		return -errno;
	mhi_p9_put32(out, P9_STATFS_TYPE);
	mhi_p9_put32(out, (u32)sf.f_bsize);
	mhi_p9_put64(out, sf.f_blocks);
	mhi_p9_put64(out, sf.f_bfree);
	mhi_p9_put64(out, sf.f_bavail);
	mhi_p9_put64(out, sf.f_files);
	mhi_p9_put64(out, sf.f_ffree);
	mhi_p9_put64(out, (u32)sf.f_fsid.__val[0] | (u64)(u32)sf.f_fsid.__val[1] << 32);
	mhi_p9_put32(out, (u32)sf.f_namelen);
	return 0;
}
