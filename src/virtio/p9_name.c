/* SPDX-License-Identifier: MIT */
/* Names in folders: making, linking, renaming and removing what they stand for. */
#include "virtio/p9_priv.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <sys/sysmacros.h>
#include <unistd.h>

/* ---- making ---- */

static int reply_qid(struct p9_ctx *c, const struct tree_attr *a)
{
	struct mhi_p9_qid qid = mhi_p9_qid(c->s, a);

	mhi_p9_put_qid(&c->out, &qid);
	return 0;
}

/* The rest of mkdir and mknod, when the request has been read. */
static int make_as(struct p9_ctx *c, u32 number, struct mhi_p9_str name, struct tree_new *want)
{
	char text[MHI_TREE_NAME];
	struct p9_use *use;
	struct tree_attr a;
	int error = mhi_p9_use_named(c, number, name, text, &use);

	if (error)
		return error;
	want->uid = use->fid->uid;
	error = mhi_tree_make(&c->s->tree, &use->f, text, want, &a);
	return error ? error : reply_qid(c, &a);
}

int mhi_p9_do_mkdir(struct p9_ctx *c)
{
	u32 number = mhi_p9_get32(&c->in);
	struct mhi_p9_str name = mhi_p9_get_str(&c->in);
	struct tree_new want = { .mode = mhi_p9_get32(&c->in) };

	want.gid = mhi_p9_get32(&c->in);
	want.mode = (want.mode & ~(u32)S_IFMT) | S_IFDIR;
	return make_as(c, number, name, &want);
}

int mhi_p9_do_mknod(struct p9_ctx *c)
{
	u32 number = mhi_p9_get32(&c->in);
	struct mhi_p9_str name = mhi_p9_get_str(&c->in);
	struct tree_new want = { .mode = mhi_p9_get32(&c->in) };
	u32 maj = mhi_p9_get32(&c->in);
	u32 min = mhi_p9_get32(&c->in);

	want.gid = mhi_p9_get32(&c->in);
	if (S_ISDIR(want.mode))
		return -EINVAL;
	if (!(want.mode & S_IFMT))
		want.mode |= S_IFREG;
	if (S_ISCHR(want.mode) || S_ISBLK(want.mode))
		want.rdev = makedev(maj, min);
	return make_as(c, number, name, &want);
}

/* ---- symbolic links: text that only the client follows ---- */

int mhi_p9_do_symlink(struct p9_ctx *c)
{
	u32 number = mhi_p9_get32(&c->in);
	struct mhi_p9_str name = mhi_p9_get_str(&c->in);
	struct mhi_p9_str target = mhi_p9_get_str(&c->in);
	struct tree_new want = { .mode = S_IFLNK | 0777, .gid = mhi_p9_get32(&c->in) };
	char text[MHI_TREE_NAME], to[PATH_MAX];
	struct p9_use *use;
	struct tree_attr a;
	int error;

	error = mhi_p9_str_copy(target, to, sizeof(to));
	if (!error)
		error = mhi_p9_use_named(c, number, name, text, &use);
	if (error)
		return error;
	want.uid = use->fid->uid;
	error = mhi_tree_make_symlink(&c->s->tree, &use->f, text, to, &want, &a);
	return error ? error : reply_qid(c, &a);
}

int mhi_p9_do_readlink(struct p9_ctx *c)
{
	u32 number = mhi_p9_get32(&c->in);
	char target[PATH_MAX];
	struct p9_use *use;
	ssize_t n;
	int error;

	error = mhi_p9_use(c, number, &use);
	if (error)
		return error;
	if (!S_ISLNK(use->f.node->type))
		return -EINVAL;
	n = readlinkat(use->f.fd, "", target, sizeof(target));
	if (n < 0)
		return -errno;
	mhi_p9_put_str(&c->out, target, (size_t)n);
	return 0;
}

/* ---- hard links ---- */

int mhi_p9_do_link(struct p9_ctx *c)
{
	u32 dir = mhi_p9_get32(&c->in);
	u32 file = mhi_p9_get32(&c->in);
	struct mhi_p9_str name = mhi_p9_get_str(&c->in);
	struct p9_use *dir_use, *file_use;
	char text[MHI_TREE_NAME];
	int error;

	error = mhi_p9_use_named(c, dir, name, text, &dir_use);
	if (!error)
		error = mhi_p9_use(c, file, &file_use);
	return error ? error : mhi_tree_make_link(&c->s->tree, &dir_use->f, text, &file_use->f);
}

/* ---- renaming ---- */

int mhi_p9_do_renameat(struct p9_ctx *c)
{
	u32 from = mhi_p9_get32(&c->in);
	struct mhi_p9_str old_name = mhi_p9_get_str(&c->in);
	u32 to = mhi_p9_get32(&c->in);
	struct mhi_p9_str new_name = mhi_p9_get_str(&c->in);
	char old_text[MHI_TREE_NAME], new_text[MHI_TREE_NAME];
	struct p9_use *from_use, *to_use;
	int error;

	error = mhi_p9_use_named(c, from, old_name, old_text, &from_use);
	if (!error)
		error = mhi_p9_use_named(c, to, new_name, new_text, &to_use);
	if (error)
		return error;
	return mhi_tree_move(&c->s->tree, &from_use->f, old_text, &to_use->f, new_text, 0);
}

int mhi_p9_do_rename(struct p9_ctx *c)
{
	u32 file = mhi_p9_get32(&c->in);
	u32 dir = mhi_p9_get32(&c->in);
	struct mhi_p9_str name = mhi_p9_get_str(&c->in);
	struct p9_use *file_use, *dir_use;
	char text[MHI_TREE_NAME];
	int error;

	error = mhi_p9_use_named(c, dir, name, text, &dir_use);
	if (!error)
		error = mhi_p9_use(c, file, &file_use);
	return error ? error : mhi_tree_move_node(&c->s->tree, file_use->f.node, &dir_use->f, text);
}

/* ---- removing ---- */

int mhi_p9_do_unlinkat(struct p9_ctx *c)
{
	u32 number = mhi_p9_get32(&c->in);
	struct mhi_p9_str name = mhi_p9_get_str(&c->in);
	u32 flags = mhi_p9_get32(&c->in);
	char text[MHI_TREE_NAME];
	struct p9_use *use;
	int error;

	if (flags & ~P9_DOTL_AT_REMOVEDIR)
		return -EINVAL;
	error = mhi_p9_use_named(c, number, name, text, &use);
	if (error)
		return error;
	return mhi_tree_unlink(&c->s->tree, &use->f, text, flags ? AT_REMOVEDIR : 0);
}
