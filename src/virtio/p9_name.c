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

/* The kind of file that stands for it on the host; 0: it cannot be made. */
static u32 host_type(const struct mhi_p9 *s, u32 mode)
{
	switch (mode & S_IFMT) {
	case S_IFREG:
	case S_IFDIR:
		return mode & S_IFMT;
	case S_IFIFO:
	case S_IFSOCK:
		return s->config.ids == MHI_P9_MAPPED ? S_IFREG : mode & S_IFMT;
	case S_IFCHR:
	case S_IFBLK:
		if (s->config.ids == MHI_P9_MAPPED)
			return S_IFREG;
		return s->config.ids == MHI_P9_HOST ? mode & S_IFMT : 0;
	default:
		return 0;
	}
}

static int make_node(const struct mhi_p9 *s, int dir, const char *name, const struct p9_new *want)
{
	u32 type = host_type(s, want->mode);
	u32 mode = mhi_p9_host_mode(s, want->mode);

	if (!type)
		return -EPERM;
	if (type == S_IFDIR)
		return mkdirat(dir, name, mode) ? -errno : 0;
	return mknodat(dir, name, type | mode, want->rdev) ? -errno : 0;
}

/* What was just made, by its name. Its owner may be set only if nobody put another in its place. */
static int adopt_at(struct p9_ctx *c, int dir, const char *name, const struct p9_new *want,
		    struct p9_attr *a)
{
	struct mhi_p9 *s = c->s;
	int fd = mhi_p9_counted_open_at(s, dir, name, O_PATH, 0);
	u32 type = host_type(s, want->mode);
	int error;

	if (fd < 0)
		return fd;
	error = mhi_p9_stat(fd, a);
	if (!error && (a->mode & S_IFMT) == type && a->uid == s->euid)
		error = mhi_p9_adopt(s, fd, want, a);
	mhi_p9_counted_close(s, fd);
	return error;
}

int mhi_p9_make(struct p9_ctx *c, struct p9_use *dir, const char *name, const struct p9_new *want,
		struct p9_attr *a)
{
	int error = make_node(c->s, dir->fd, name, want);

	if (error)
		return error;
	error = adopt_at(c, dir->fd, name, want, a);
	if (error)
		unlinkat(dir->fd, name, S_ISDIR(want->mode) ? AT_REMOVEDIR : 0);
	return error;
}

static int reply_qid(struct p9_ctx *c, const struct p9_attr *a)
{
	struct mhi_p9_qid qid = mhi_p9_qid(c->s, a);

	mhi_p9_put_qid(&c->out, &qid);
	return 0;
}

/* The rest of mkdir and mknod, when the request has been read. */
static int make_as(struct p9_ctx *c, u32 number, struct mhi_p9_str name, struct p9_new *want)
{
	char text[MHI_P9_NAME];
	struct p9_use *use;
	struct p9_attr a;
	int error = mhi_p9_use_named(c, number, name, text, &use);

	if (error)
		return error;
	want->uid = use->fid->uid;
	error = mhi_p9_make(c, use, text, want, &a);
	return error ? error : reply_qid(c, &a);
}

int mhi_p9_do_mkdir(struct p9_ctx *c)
{
	u32 number = mhi_p9_get32(&c->in);
	struct mhi_p9_str name = mhi_p9_get_str(&c->in);
	struct p9_new want = { .mode = mhi_p9_get32(&c->in) };

	want.gid = mhi_p9_get32(&c->in);
	want.mode = (want.mode & ~(u32)S_IFMT) | S_IFDIR;
	return make_as(c, number, name, &want);
}

int mhi_p9_do_mknod(struct p9_ctx *c)
{
	u32 number = mhi_p9_get32(&c->in);
	struct mhi_p9_str name = mhi_p9_get_str(&c->in);
	struct p9_new want = { .mode = mhi_p9_get32(&c->in) };
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

int mhi_p9_make_symlink(struct p9_ctx *c, struct p9_use *dir, const char *name, const char *target,
			const struct p9_new *want, struct p9_attr *a)
{
	int fd, error;

	if (symlinkat(target, dir->fd, name))
		return -errno;
	fd = mhi_p9_counted_open_at(c->s, dir->fd, name, O_PATH, 0);
	if (fd < 0)
		return fd;
	error = mhi_p9_stat(fd, a);
	if (!error && S_ISLNK(a->mode) && a->uid == c->s->euid)
		error = mhi_p9_adopt(c->s, fd, want, a);
	mhi_p9_counted_close(c->s, fd);
	return error;
}

int mhi_p9_do_symlink(struct p9_ctx *c)
{
	u32 number = mhi_p9_get32(&c->in);
	struct mhi_p9_str name = mhi_p9_get_str(&c->in);
	struct mhi_p9_str target = mhi_p9_get_str(&c->in);
	struct p9_new want = { .mode = S_IFLNK | 0777, .gid = mhi_p9_get32(&c->in) };
	char text[MHI_P9_NAME], to[PATH_MAX];
	struct p9_use *use;
	struct p9_attr a;
	int error;

	error = mhi_p9_str_copy(target, to, sizeof(to));
	if (!error)
		error = mhi_p9_use_named(c, number, name, text, &use);
	if (error)
		return error;
	want.uid = use->fid->uid;
	error = mhi_p9_make_symlink(c, use, text, to, &want, &a);
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
	if (!S_ISLNK(use->node->type))
		return -EINVAL;
	n = readlinkat(use->fd, "", target, sizeof(target));
	if (n < 0)
		return -errno;
	mhi_p9_put_str(&c->out, target, (size_t)n);
	return 0;
}

/* ---- hard links ---- */

int mhi_p9_make_link(struct p9_ctx *c, struct p9_use *dir, const char *name, struct p9_use *file)
{
	struct p9_proc_name from = mhi_p9_proc_name(file->fd);

	/* Follows /proc's link, not the file's own. */
	if (linkat(c->s->proc_fd, from.text, dir->fd, name, AT_SYMLINK_FOLLOW))
		return -errno;
	return 0;
}

int mhi_p9_do_link(struct p9_ctx *c)
{
	u32 dir = mhi_p9_get32(&c->in);
	u32 file = mhi_p9_get32(&c->in);
	struct mhi_p9_str name = mhi_p9_get_str(&c->in);
	struct p9_use *dir_use, *file_use;
	char text[MHI_P9_NAME];
	int error;

	error = mhi_p9_use_named(c, dir, name, text, &dir_use);
	if (!error)
		error = mhi_p9_use(c, file, &file_use);
	return error ? error : mhi_p9_make_link(c, dir_use, text, file_use);
}

/* ---- renaming ---- */

/* from: an open folder. */
static int move(struct mhi_p9 *s, int from, const struct p9_id *from_id, const char *name,
		const struct p9_use *to, const char *new_name)
{
	const struct p9_id *to_id = &to->node->id;
	bool same = mhi_p9_same(from_id, to_id) && !strcmp(name, new_name);
	int error = 0;

	if (same)
		return faccessat(from, name, F_OK, AT_SYMLINK_NOFOLLOW) ? -errno : 0;
	pthread_mutex_lock(&s->lock);
	mhi_p9_node_keep(s, to_id, new_name);
	pthread_mutex_unlock(&s->lock);
	if (renameat(from, name, to->fd, new_name))
		error = -errno;
	pthread_mutex_lock(&s->lock);
	mhi_p9_node_settle(s, to_id, new_name, !error);
	if (!error)
		mhi_p9_node_moved(s, from_id, name, to->node, new_name);
	pthread_mutex_unlock(&s->lock);
	return error;
}

int mhi_p9_do_renameat(struct p9_ctx *c)
{
	u32 from = mhi_p9_get32(&c->in);
	struct mhi_p9_str old_name = mhi_p9_get_str(&c->in);
	u32 to = mhi_p9_get32(&c->in);
	struct mhi_p9_str new_name = mhi_p9_get_str(&c->in);
	char old_text[MHI_P9_NAME], new_text[MHI_P9_NAME];
	struct p9_use *from_use, *to_use;
	int error;

	error = mhi_p9_use_named(c, from, old_name, old_text, &from_use);
	if (!error)
		error = mhi_p9_use_named(c, to, new_name, new_text, &to_use);
	if (error)
		return error;
	return move(c->s, from_use->fd, &from_use->node->id, old_text, to_use, new_text);
}

/* ---- by fid: the file that its parent has under its name ---- */

/* A copy of where a node is, with its parent busy. */
struct place {
	struct p9_node *parent;
	char name[MHI_P9_NAME];
	u32 type;
};

static void leave_place(struct mhi_p9 *s, struct place *place)
{
	pthread_mutex_lock(&s->lock);
	mhi_p9_node_idle(s, place->parent);
	mhi_p9_node_put(s, place->parent);
	pthread_mutex_unlock(&s->lock);
}

static int find_place(struct mhi_p9 *s, struct p9_node *node, struct place *place)
{
	struct p9_attr a;
	int error = -ESTALE;

	pthread_mutex_lock(&s->lock);
	place->parent = node->parent;
	place->type = node->type;
	if (!node->parent)
		error = -EBUSY;
	else if (!node->orphan)
		error = mhi_p9_node_busy(s, node->parent);
	if (!error) {
		node->parent->refs++;
		memcpy(place->name, node->name, strlen(node->name) + 1);
	}
	pthread_mutex_unlock(&s->lock);
	if (error)
		return error;
	/* The host may have put another file there. */
	error = mhi_p9_stat_at(place->parent->fd, place->name, &a);
	if (!error && !mhi_p9_same(&a.id, &node->id))
		error = -ESTALE;
	if (error)
		leave_place(s, place);
	return error;
}

int mhi_p9_move_node(struct mhi_p9 *s, struct p9_node *node, const struct p9_use *to,
		     const char *new_name)
{
	struct p9_use same_dir = { 0 };
	struct place place;
	int error = find_place(s, node, &place);

	if (error)
		return error;
	same_dir.node = place.parent;
	same_dir.fd = place.parent->fd;
	error = move(s, place.parent->fd, &place.parent->id, place.name, to ? to : &same_dir,
		     new_name);
	leave_place(s, &place);
	return error;
}

int mhi_p9_do_rename(struct p9_ctx *c)
{
	u32 file = mhi_p9_get32(&c->in);
	u32 dir = mhi_p9_get32(&c->in);
	struct mhi_p9_str name = mhi_p9_get_str(&c->in);
	struct p9_use *file_use, *dir_use;
	char text[MHI_P9_NAME];
	int error;

	error = mhi_p9_use_named(c, dir, name, text, &dir_use);
	if (!error)
		error = mhi_p9_use(c, file, &file_use);
	return error ? error : mhi_p9_move_node(c->s, file_use->node, dir_use, text);
}

/* ---- removing ---- */

static int unlink_at(struct mhi_p9 *s, int dir, const struct p9_id *dir_id, const char *name,
		     int flags)
{
	int error = 0;

	pthread_mutex_lock(&s->lock);
	mhi_p9_node_keep(s, dir_id, name);
	pthread_mutex_unlock(&s->lock);
	if (unlinkat(dir, name, flags))
		error = -errno;
	pthread_mutex_lock(&s->lock);
	mhi_p9_node_settle(s, dir_id, name, !error);
	pthread_mutex_unlock(&s->lock);
	return error;
}

int mhi_p9_do_unlinkat(struct p9_ctx *c)
{
	u32 number = mhi_p9_get32(&c->in);
	struct mhi_p9_str name = mhi_p9_get_str(&c->in);
	u32 flags = mhi_p9_get32(&c->in);
	char text[MHI_P9_NAME];
	struct p9_use *use;
	int error;

	if (flags & ~P9_DOTL_AT_REMOVEDIR)
		return -EINVAL;
	error = mhi_p9_use_named(c, number, name, text, &use);
	if (error)
		return error;
	return unlink_at(c->s, use->fd, &use->node->id, text, flags ? AT_REMOVEDIR : 0);
}

int mhi_p9_remove_node(struct mhi_p9 *s, struct p9_node *node)
{
	struct place place;
	int error = find_place(s, node, &place);

	if (error)
		return error;
	error = unlink_at(s, place.parent->fd, &place.parent->id, place.name,
			  S_ISDIR(place.type) ? AT_REMOVEDIR : 0);
	leave_place(s, &place);
	return error;
}
