/* SPDX-License-Identifier: MIT */
/* Names in folders: what they lead to, and making, moving and removing them. */
#include "virtio/fuse_priv.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <unistd.h>

/* Of BATCH_FORGET's list, at a time. */
#define FORGET_CHUNK 64u

/* The text at *at: its length. -EINVAL: it does not end. */
static int text_at(const struct fuse_ctx *c, u32 *at, const char **text)
{
	const char *start = (const char *)c->text + *at;
	const char *end = *at < c->have ? memchr(start, 0, c->have - *at) : NULL;

	if (!end)
		return -EINVAL;
	*text = start;
	*at += (u32)(end - start) + 1;
	return (int)(end - start);
}

int mhi_fuse_name(const struct fuse_ctx *c, u32 *at, char *name)
{
	const char *text;
	int len = text_at(c, at, &text);

	return len < 0 ? len : mhi_tree_name(text, (size_t)len, name);
}

/* ---- what the client is told of a file ---- */

/* As Linux packs it: 12 bits of major and 20 of minor, which for those is what glibc does, too. */
void mhi_fuse_put_attr(const struct mhi_fuse *s, const struct tree_attr *a, struct fuse_attr *out)
{
	*out = (struct fuse_attr){
		.ino = mhi_tree_ino(&s->tree, a->id.dev, a->id.ino),
		.size = a->size,
		.blocks = a->blocks,
		.atime = (u64)a->atime.tv_sec,
		.mtime = (u64)a->mtime.tv_sec,
		.ctime = (u64)a->ctime.tv_sec,
		.atimensec = (u32)a->atime.tv_nsec,
		.mtimensec = (u32)a->mtime.tv_nsec,
		.ctimensec = (u32)a->ctime.tv_nsec,
		.mode = a->mode,
		.nlink = (u32)a->nlink,
		.uid = a->uid,
		.gid = a->gid,
		.rdev = (u32)a->rdev,
		.blksize = (u32)a->blksize,
	};
}

static int remember(struct mhi_fuse *s, struct tree_node *node, const struct tree_attr *a,
		    struct fuse_entry_out *out)
{
	int error = mhi_fuse_remember(s, node, (u64 *)&out->nodeid);

	if (error)
		return error;
	out->entry_valid = out->attr_valid = FUSE_VALID_S;
	mhi_fuse_put_attr(s, a, &out->attr);
	return 0;
}

int mhi_fuse_entry(struct mhi_fuse *s, const struct tree_file *dir, const char *name,
		   struct fuse_entry_out *out)
{
	struct tree_node *node;
	struct tree_attr a;
	int error = mhi_tree_step(&s->tree, dir, name, &node, &a);

	if (error)
		return error;
	mhi_tree_map(&s->tree, node->fd, &a);
	error = remember(s, node, &a, out);
	mhi_tree_leave(&s->tree, node);
	return error;
}

/* Names are in the folder that the request is about. */
static int use_dir(struct fuse_ctx *c, u32 at, char *name, struct fuse_use **use)
{
	int error = mhi_fuse_name(c, &at, name);

	return error ? error : mhi_fuse_use(c, c->head.nodeid, use);
}

static int reply_entry(struct fuse_ctx *c, const struct fuse_use *dir, const char *name)
{
	return mhi_fuse_entry(c->s, &dir->f, name,
			      mhi_fuse_reply(c, sizeof(struct fuse_entry_out)));
}

/* viofs asks for the root in this way. */
static int lookup_self(struct fuse_ctx *c)
{
	struct fuse_use *use;
	struct tree_attr a;
	int error = mhi_fuse_use(c, c->head.nodeid, &use);

	if (!error)
		error = mhi_tree_file_attr(&c->s->tree, &use->f, &a);
	if (error)
		return error;
	return remember(c->s, use->f.node, &a, mhi_fuse_reply(c, sizeof(struct fuse_entry_out)));
}

int mhi_fuse_do_lookup(struct fuse_ctx *c)
{
	char name[MHI_TREE_NAME];
	struct fuse_use *use;
	int error;

	if (c->have == 2 && !memcmp(c->text, ".", 2))
		return lookup_self(c);
	error = use_dir(c, 0, name, &use);
	return error ? error : reply_entry(c, use, name);
}

int mhi_fuse_do_forget(struct fuse_ctx *c)
{
	const struct fuse_forget_in *in = (const void *)c->text;

	mhi_fuse_forget(c->s, c->head.nodeid, in->nlookup);
	return 0;
}

int mhi_fuse_do_batch_forget(struct fuse_ctx *c)
{
	const struct fuse_batch_forget_in *in = (const void *)c->text;
	struct fuse_forget_one list[FORGET_CHUNK];
	size_t at = FUSE_HEADER + sizeof(*in);
	u32 left = (u32)((c->head.len - at) / sizeof(*list));

	/* A chain may name the same memory again and again, and be far longer than any request. */
	if (left > FUSE_DATA_MAX / sizeof(*list))
		left = FUSE_DATA_MAX / sizeof(*list);
	if (in->count < left)
		left = in->count;
	while (left) {
		u32 n = left < FORGET_CHUNK ? left : FORGET_CHUNK;

		mhi_sg_get(c->req->out, c->req->outs, at, list, n * sizeof(*list));
		for (u32 i = 0; i < n; i++)
			mhi_fuse_forget(c->s, list[i].nodeid, list[i].nlookup);
		at += n * sizeof(*list);
		left -= n;
	}
	return 0;
}

/* ---- making ---- */

static int make(struct fuse_ctx *c, u32 at, struct tree_new *want)
{
	char name[MHI_TREE_NAME];
	struct fuse_use *use;
	struct tree_attr a;
	int error = use_dir(c, at, name, &use);

	if (error)
		return error;
	want->uid = c->head.uid;
	want->gid = c->head.gid;
	error = mhi_tree_make(&c->s->tree, &use->f, name, want, &a);
	return error ? error : reply_entry(c, use, name);
}

int mhi_fuse_do_mknod(struct fuse_ctx *c)
{
	const struct fuse_mknod_in *in = (const void *)c->text;
	struct tree_new want = { .mode = in->mode, .rdev = in->rdev };

	if (S_ISDIR(want.mode))
		return -EINVAL;
	if (!(want.mode & S_IFMT))
		want.mode |= S_IFREG;
	return make(c, sizeof(*in), &want);
}

int mhi_fuse_do_mkdir(struct fuse_ctx *c)
{
	const struct fuse_mkdir_in *in = (const void *)c->text;
	struct tree_new want = { .mode = (in->mode & ~(u32)S_IFMT) | S_IFDIR };

	return make(c, sizeof(*in), &want);
}

int mhi_fuse_do_symlink(struct fuse_ctx *c)
{
	struct tree_new want = { .mode = S_IFLNK | 0777, .uid = c->head.uid, .gid = c->head.gid };
	char name[MHI_TREE_NAME];
	struct fuse_use *use;
	struct tree_attr a;
	const char *target = NULL;
	u32 at = 0;
	int error = mhi_fuse_name(c, &at, name);
	int len = error ? error : text_at(c, &at, &target);

	if (len <= 0)
		return len ? len : -EINVAL;
	if (len >= PATH_MAX)
		return -ENAMETOOLONG;
	error = mhi_fuse_use(c, c->head.nodeid, &use);
	if (!error)
		error = mhi_tree_make_symlink(&c->s->tree, &use->f, name, target, &want, &a);
	return error ? error : reply_entry(c, use, name);
}

int mhi_fuse_do_readlink(struct fuse_ctx *c)
{
	struct fuse_use *use;
	ssize_t n;
	int error = mhi_fuse_use(c, c->head.nodeid, &use);

	if (error)
		return error;
	if (!S_ISLNK(use->f.node->type))
		return -EINVAL;
	n = readlinkat(use->f.fd, "", (char *)c->reply, sizeof(c->reply));
	if (n < 0)
		return -errno;
	c->body = (u32)n;
	return 0;
}

int mhi_fuse_do_link(struct fuse_ctx *c)
{
	const struct fuse_link_in *in = (const void *)c->text;
	struct fuse_use *dir, *file;
	char name[MHI_TREE_NAME];
	int error = use_dir(c, sizeof(*in), name, &dir);

	if (!error)
		error = mhi_fuse_use(c, in->oldnodeid, &file);
	if (!error)
		error = mhi_tree_make_link(&c->s->tree, &dir->f, name, &file->f);
	return error ? error : reply_entry(c, dir, name);
}

/* ---- removing and renaming ---- */

static int take_away(struct fuse_ctx *c, int flags)
{
	char name[MHI_TREE_NAME];
	struct fuse_use *use;
	int error = use_dir(c, 0, name, &use);

	return error ? error : mhi_tree_unlink(&c->s->tree, &use->f, name, flags);
}

int mhi_fuse_do_unlink(struct fuse_ctx *c)
{
	return take_away(c, 0);
}

int mhi_fuse_do_rmdir(struct fuse_ctx *c)
{
	return take_away(c, AT_REMOVEDIR);
}

static int move(struct fuse_ctx *c, u32 at, u64 to, u32 flags)
{
	char old_name[MHI_TREE_NAME], new_name[MHI_TREE_NAME];
	struct fuse_use *from_use, *to_use;
	int error = mhi_fuse_name(c, &at, old_name);

	if (!error)
		error = mhi_fuse_name(c, &at, new_name);
	if (!error)
		error = mhi_fuse_use(c, c->head.nodeid, &from_use);
	if (!error)
		error = mhi_fuse_use(c, to, &to_use);
	if (error)
		return error;
	return mhi_tree_move(&c->s->tree, &from_use->f, old_name, &to_use->f, new_name, flags);
}

int mhi_fuse_do_rename(struct fuse_ctx *c)
{
	const struct fuse_rename_in *in = (const void *)c->text;

	return move(c, sizeof(*in), in->newdir, 0);
}

int mhi_fuse_do_rename2(struct fuse_ctx *c)
{
	const struct fuse_rename2_in *in = (const void *)c->text;

	if (in->flags & ~(u32)RENAME_NOREPLACE)
		return -EINVAL;
	return move(c, sizeof(*in), in->newdir, in->flags);
}
