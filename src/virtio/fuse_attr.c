/* SPDX-License-Identifier: MIT */
/* A file's attributes, ordinary and extended, and its file system's. */
#include "virtio/fuse_priv.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/vfs.h>
#include <sys/xattr.h>
#include <unistd.h>

#define NS_PER_S 1000000000u

static int reply_attr(struct fuse_ctx *c, const struct fuse_use *use)
{
	struct fuse_attr_out *out = mhi_fuse_reply(c, sizeof(*out));
	struct tree_attr a;
	int error = mhi_tree_file_attr(&c->s->tree, &use->f, &a);

	if (error)
		return error;
	out->attr_valid = FUSE_VALID_S;
	mhi_fuse_put_attr(c->s, &a, &out->attr);
	return 0;
}

int mhi_fuse_do_getattr(struct fuse_ctx *c)
{
	const struct fuse_getattr_in *in = (const void *)c->text;
	struct fuse_use *use;
	int error;

	/* What is open can be asked even where its name has led elsewhere since. */
	if (in->getattr_flags & FUSE_GETATTR_FH)
		error = mhi_fuse_use_handle(c, in->fh, &use);
	else
		error = mhi_fuse_use(c, c->head.nodeid, &use);
	return error ? error : reply_attr(c, use);
}

/* ---- setattr ---- */

int mhi_fuse_kill_set_ids(const struct mhi_fuse *s, const struct tree_file *file)
{
	struct tree_attr a;
	u32 kill = S_ISUID;
	int error;

	/* No file has them. */
	if (s->tree.config.ids == MHI_TREE_SQUASH)
		return 0;
	error = mhi_tree_file_attr(&s->tree, file, &a);
	if (error || !S_ISREG(a.mode))
		return error;
	/* Without the right to execute it means something else: mandatory locking. */
	kill |= a.mode & S_IXGRP ? S_ISGID : 0;
	return a.mode & kill ? mhi_tree_chmod(&s->tree, file->fd, a.mode & ~kill) : 0;
}

static const struct {
	u32 fuse, tree;
} set_bits[] = {
	{ FATTR_MODE, TREE_SET_MODE },	 { FATTR_UID, TREE_SET_UID },
	{ FATTR_GID, TREE_SET_GID },	 { FATTR_SIZE, TREE_SET_SIZE },
	{ FATTR_ATIME, TREE_SET_ATIME }, { FATTR_MTIME, TREE_SET_MTIME },
};

static int change_of(const struct fuse_setattr_in *in, struct tree_change *ch)
{
	*ch = (struct tree_change){
		.mode = in->mode,
		.uid = in->uid,
		.gid = in->gid,
		.size = in->size,
		.atime = in->atime,
		.atime_ns = in->atimensec,
		.mtime = in->mtime,
		.mtime_ns = in->mtimensec,
	};
	for (unsigned int i = 0; i < MHI_COUNT(set_bits); i++)
		ch->valid |= in->valid & set_bits[i].fuse ? set_bits[i].tree : 0;
	if (!(in->valid & FATTR_ATIME_NOW))
		ch->valid |= ch->valid & TREE_SET_ATIME ? TREE_SET_ATIME_SET : 0;
	if (!(in->valid & FATTR_MTIME_NOW))
		ch->valid |= ch->valid & TREE_SET_MTIME ? TREE_SET_MTIME_SET : 0;
	/* Larger numbers are orders to utimensat. */
	if ((ch->valid & TREE_SET_ATIME_SET && ch->atime_ns >= NS_PER_S) ||
	    (ch->valid & TREE_SET_MTIME_SET && ch->mtime_ns >= NS_PER_S))
		return -EINVAL;
	return 0;
}

int mhi_fuse_do_setattr(struct fuse_ctx *c)
{
	const struct fuse_setattr_in *in = (const void *)c->text;
	struct tree_change ch;
	struct fuse_use *use;
	int error = change_of(in, &ch);

	if (error)
		return error;
	if (in->valid & FATTR_FH)
		error = mhi_fuse_use_handle(c, in->fh, &use);
	else
		error = mhi_fuse_use(c, c->head.nodeid, &use);
	if (!error)
		error = mhi_tree_apply(&c->s->tree, &use->f, &ch);
	if (!error && (in->valid & FATTR_KILL_SUIDGID))
		error = mhi_fuse_kill_set_ids(c->s, &use->f);
	return error ? error : reply_attr(c, use);
}

int mhi_fuse_do_statfs(struct fuse_ctx *c)
{
	struct fuse_statfs_out *out = mhi_fuse_reply(c, sizeof(*out));
	struct fuse_use *use;
	struct statfs sf;
	int error = mhi_fuse_use(c, c->head.nodeid, &use);

	if (error)
		return error;
	if (fstatfs(use->f.fd, &sf))
		return -errno;
	out->st = (struct fuse_kstatfs){
		.blocks = sf.f_blocks,
		.bfree = sf.f_bfree,
		.bavail = sf.f_bavail,
		.files = sf.f_files,
		.ffree = sf.f_ffree,
		.bsize = (u32)sf.f_bsize,
		.namelen = (u32)sf.f_namelen,
		.frsize = (u32)sf.f_frsize,
	};
	return 0;
}

/* ---- extended attributes ---- */

/* name "": the list. With no room the client asks how much it needs. */
static int get(struct fuse_ctx *c, u32 size, const char *name)
{
	struct fuse_getxattr_out *out;
	struct fuse_use *use;
	ssize_t n;
	u8 *value;
	int error = mhi_fuse_use(c, c->head.nodeid, &use);

	if (error)
		return error;
	value = malloc(TREE_XATTR_MAX);
	if (!value)
		return -ENOMEM;
	n = mhi_tree_xattr_get(&c->s->tree, use->f.fd, name, value, TREE_XATTR_MAX);
	if (n >= 0 && size && ((size_t)n > size || (size_t)n > c->room))
		n = -ERANGE;
	if (n >= 0 && size)
		c->data = (u32)mhi_sg_put(c->req->in, c->req->ins, FUSE_REPLY_HEADER, value,
					  (size_t)n);
	free(value);
	if (n >= 0 && !size) {
		out = mhi_fuse_reply(c, sizeof(*out));
		out->size = (u32)n;
	}
	return n < 0 ? (int)n : 0;
}

int mhi_fuse_do_listxattr(struct fuse_ctx *c)
{
	const struct fuse_getxattr_in *in = (const void *)c->text;

	return get(c, in->size, "");
}

/* What is no name in a folder may be one here. */
static int attr_name(const struct fuse_ctx *c, u32 at, const char **name)
{
	size_t len = strnlen((const char *)c->text + at, c->have - at);

	*name = (const char *)c->text + at;
	if (!len || len == c->have - at)
		return -EINVAL;
	return len >= MHI_TREE_NAME ? -ERANGE : 0;
}

int mhi_fuse_do_getxattr(struct fuse_ctx *c)
{
	const struct fuse_getxattr_in *in = (const void *)c->text;
	const char *name;
	int error = attr_name(c, sizeof(*in), &name);

	return error ? error : get(c, in->size, name);
}

int mhi_fuse_do_removexattr(struct fuse_ctx *c)
{
	const char *name;
	struct fuse_use *use;
	int error = attr_name(c, 0, &name);

	if (!error && !mhi_tree_xattr_allowed(&c->s->tree, name))
		error = -EOPNOTSUPP;
	if (!error)
		error = mhi_fuse_use(c, c->head.nodeid, &use);
	if (error)
		return error;
	return removexattr(mhi_tree_proc_path(use->f.fd).text, name) ? -errno : 0;
}

/* Its text was not read yet: the value may be long. */
int mhi_fuse_do_setxattr(struct fuse_ctx *c)
{
	const struct fuse_setxattr_in *in = (const void *)c->text;
	const size_t at = FUSE_HEADER + FUSE_COMPAT_SETXATTR_IN_SIZE;
	size_t left = c->head.len - at;
	u32 size = in->size, flags = in->flags;
	struct fuse_use *use;
	const char *name;
	u8 *value;
	int error;

	c->have = (u32)mhi_sg_get(c->req->out, c->req->outs, at, c->text,
				  left < MHI_TREE_NAME ? left : MHI_TREE_NAME);
	error = attr_name(c, 0, &name);
	if (!error && (flags & ~(u32)(XATTR_CREATE | XATTR_REPLACE)))
		error = -EINVAL;
	if (!error && size > TREE_XATTR_MAX)
		error = -E2BIG;
	if (!error && size > left - strlen(name) - 1)
		error = -EINVAL;
	if (!error && !mhi_tree_xattr_allowed(&c->s->tree, name))
		error = -EOPNOTSUPP;
	if (!error)
		error = mhi_fuse_use(c, c->head.nodeid, &use);
	if (error)
		return error;
	value = malloc(size ? size : 1);
	if (!value)
		return -ENOMEM;
	mhi_sg_get(c->req->out, c->req->outs, at + strlen(name) + 1, value, size);
	if (setxattr(mhi_tree_proc_path(use->f.fd).text, name, value, size, (int)flags))
		error = -errno;
	free(value);
	return error;
}
