/* SPDX-License-Identifier: MIT */
/* A file's attributes and its file system's: getattr, setattr, statfs of 9P2000.L. */
#include "virtio/p9_priv.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/vfs.h>
#include <unistd.h>

#define NS_PER_S 1000000000ull

static void put_time(struct mhi_p9_out *out, const struct timespec *t)
{
	mhi_p9_put64(out, (u64)t->tv_sec);
	mhi_p9_put64(out, (u64)t->tv_nsec);
}

static void put_attr(struct p9_ctx *c, const struct p9_attr *a, u64 mask)
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
	struct p9_attr a;
	struct p9_use *use;
	int error;

	error = mhi_p9_use(c, number, &use);
	if (error)
		return error;
	error = mhi_p9_use_attr(c->s, use, &a);
	if (!error)
		put_attr(c, &a, mask);
	return error;
}

/* ---- setattr ---- */

static int resize(const struct p9_use *use, u64 size)
{
	if (size > INT64_MAX)
		return -EINVAL;
	if (S_ISDIR(use->node->type))
		return -EISDIR;
	if (!S_ISREG(use->node->type))
		return -EINVAL;
	/* A file that is open for writing may have a mode by now that forbids it. */
	if (use->io_fd >= 0 && use->access != O_RDONLY)
		return ftruncate(use->io_fd, (off_t)size) ? -errno : 0;
	return truncate(mhi_p9_proc_path(use->fd).text, (off_t)size) ? -errno : 0;
}

static struct timespec time_from(u32 valid, u32 now, u32 set, u64 s, u64 ns)
{
	if (!(valid & now))
		return (struct timespec){ .tv_nsec = UTIME_OMIT };
	if (!(valid & set))
		return (struct timespec){ .tv_nsec = UTIME_NOW };
	return (struct timespec){ .tv_sec = (time_t)s, .tv_nsec = (long)ns };
}

static int set_times(const struct mhi_p9 *s, const struct p9_use *use, const struct p9_change *ch)
{
	struct p9_proc_name name = mhi_p9_proc_name(use->fd);
	struct timespec times[2] = {
		time_from(ch->valid, P9_SETATTR_ATIME, P9_SETATTR_ATIME_SET, ch->atime,
			  ch->atime_ns),
		time_from(ch->valid, P9_SETATTR_MTIME, P9_SETATTR_MTIME_SET, ch->mtime,
			  ch->mtime_ns),
	};

	return utimensat(s->proc_fd, name.text, times, 0) ? -errno : 0;
}

/* Resizing and changing the owner change other attributes, so the ones that may be given follow. */
int mhi_p9_apply(const struct mhi_p9 *s, const struct p9_use *use, const struct p9_change *ch)
{
	u32 uid = ch->valid & P9_SETATTR_UID ? ch->uid : ~0u;
	u32 gid = ch->valid & P9_SETATTR_GID ? ch->gid : ~0u;
	int error = 0;

	if (ch->valid & P9_SETATTR_SIZE)
		error = resize(use, ch->size);
	if (!error && (ch->valid & (P9_SETATTR_UID | P9_SETATTR_GID)))
		error = mhi_p9_chown(s, use->fd, uid, gid);
	if (!error && (ch->valid & P9_SETATTR_MODE))
		error = mhi_p9_chmod(s, use->fd, ch->mode);
	if (!error && (ch->valid & (P9_SETATTR_ATIME | P9_SETATTR_MTIME)))
		error = set_times(s, use, ch);
	return error;
}

int mhi_p9_do_setattr(struct p9_ctx *c)
{
	u32 number = mhi_p9_get32(&c->in);
	struct p9_change ch = { .valid = mhi_p9_get32(&c->in) };
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
	return error ? error : mhi_p9_apply(c->s, use, &ch);
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
	if (fstatfs(use->fd, &sf))
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
