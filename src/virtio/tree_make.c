/* SPDX-License-Identifier: MIT */
/* Names in folders: making, linking, renaming and removing what they stand for on the host. */
#include "virtio/tree.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

/* ---- making ---- */

/* The kind of file that stands for it on the host; 0: it cannot be made. */
static u32 host_type(const struct mhi_tree *t, u32 mode)
{
	switch (mode & S_IFMT) {
	case S_IFREG:
	case S_IFDIR:
		return mode & S_IFMT;
	case S_IFIFO:
	case S_IFSOCK:
		return t->config.ids == MHI_TREE_MAPPED ? S_IFREG : mode & S_IFMT;
	case S_IFCHR:
	case S_IFBLK:
		if (t->config.ids == MHI_TREE_MAPPED)
			return S_IFREG;
		return t->config.ids == MHI_TREE_HOST ? mode & S_IFMT : 0;
	default:
		return 0;
	}
}

static int make_node(const struct mhi_tree *t, int dir, const char *name,
		     const struct tree_new *want)
{
	u32 type = host_type(t, want->mode);
	u32 mode = mhi_tree_host_mode(t, want->mode);

	if (!type)
		return -EPERM;
	if (type == S_IFDIR)
		return mkdirat(dir, name, mode) ? -errno : 0;
	return mknodat(dir, name, type | mode, want->rdev) ? -errno : 0;
}

/* What was just made, by its name. Its owner may be set only if nobody put another in its place. */
static int adopt_at(struct mhi_tree *t, int dir, const char *name, const struct tree_new *want,
		    struct tree_attr *a)
{
	int fd = mhi_tree_counted_open_at(t, dir, name, O_PATH, 0);
	u32 type = host_type(t, want->mode);
	int error;

	if (fd < 0)
		return fd;
	error = mhi_tree_stat(fd, a);
	if (!error && (a->mode & S_IFMT) == type && a->uid == t->euid)
		error = mhi_tree_adopt(t, fd, want, a);
	mhi_tree_counted_close(t, fd);
	return error;
}

int mhi_tree_make(struct mhi_tree *t, const struct tree_file *dir, const char *name,
		  const struct tree_new *want, struct tree_attr *a)
{
	int error = make_node(t, dir->fd, name, want);

	if (error)
		return error;
	error = adopt_at(t, dir->fd, name, want, a);
	if (error)
		unlinkat(dir->fd, name, S_ISDIR(want->mode) ? AT_REMOVEDIR : 0);
	return error;
}

int mhi_tree_make_symlink(struct mhi_tree *t, const struct tree_file *dir, const char *name,
			  const char *target, const struct tree_new *want, struct tree_attr *a)
{
	int fd, error;

	if (symlinkat(target, dir->fd, name))
		return -errno;
	fd = mhi_tree_counted_open_at(t, dir->fd, name, O_PATH, 0);
	if (fd < 0)
		return fd;
	error = mhi_tree_stat(fd, a);
	if (!error && S_ISLNK(a->mode) && a->uid == t->euid)
		error = mhi_tree_adopt(t, fd, want, a);
	mhi_tree_counted_close(t, fd);
	return error;
}

int mhi_tree_make_link(struct mhi_tree *t, const struct tree_file *dir, const char *name,
		       const struct tree_file *file)
{
	struct tree_proc_name from = mhi_tree_proc_name(file->fd);

	/* Follows /proc's link, not the file's own. */
	if (linkat(t->proc_fd, from.text, dir->fd, name, AT_SYMLINK_FOLLOW))
		return -errno;
	return 0;
}

/* ---- renaming ---- */

int mhi_tree_move(struct mhi_tree *t, const struct tree_file *from, const char *name,
		  const struct tree_file *to, const char *new_name, u32 flags)
{
	const struct tree_id *from_id = &from->node->id, *to_id = &to->node->id;
	bool same = mhi_tree_same(from_id, to_id) && !strcmp(name, new_name);
	int error = 0;

	if (same && faccessat(from->fd, name, F_OK, AT_SYMLINK_NOFOLLOW))
		return -errno;
	if (same)
		return flags ? -EEXIST : 0;
	pthread_mutex_lock(&t->lock);
	mhi_tree_node_keep(t, to_id, new_name);
	pthread_mutex_unlock(&t->lock);
	if (renameat2(from->fd, name, to->fd, new_name, flags))
		error = -errno;
	pthread_mutex_lock(&t->lock);
	mhi_tree_node_settle(t, to_id, new_name, !error);
	if (!error)
		mhi_tree_node_moved(t, from_id, name, to->node, new_name);
	pthread_mutex_unlock(&t->lock);
	return error;
}

/* ---- by node: the file that its parent has under its name ---- */

/* A copy of where a node is, with its parent busy. */
struct place {
	struct tree_node *parent;
	char name[MHI_TREE_NAME];
	u32 type;
};

static void leave_place(struct mhi_tree *t, struct place *place)
{
	pthread_mutex_lock(&t->lock);
	mhi_tree_node_idle(t, place->parent);
	mhi_tree_node_put(t, place->parent);
	pthread_mutex_unlock(&t->lock);
}

static int find_place(struct mhi_tree *t, struct tree_node *node, struct place *place)
{
	struct tree_attr a;
	int error = -ESTALE;

	pthread_mutex_lock(&t->lock);
	place->parent = node->parent;
	place->type = node->type;
	if (!node->parent)
		error = -EBUSY;
	else if (!node->orphan)
		error = mhi_tree_node_busy(t, node->parent);
	if (!error) {
		node->parent->refs++;
		memcpy(place->name, node->name, strlen(node->name) + 1);
	}
	pthread_mutex_unlock(&t->lock);
	if (error)
		return error;
	/* The host may have put another file there. */
	error = mhi_tree_stat_at(place->parent->fd, place->name, &a);
	if (!error && !mhi_tree_same(&a.id, &node->id))
		error = -ESTALE;
	if (error)
		leave_place(t, place);
	return error;
}

int mhi_tree_move_node(struct mhi_tree *t, struct tree_node *node, const struct tree_file *to,
		       const char *new_name)
{
	struct tree_file dir;
	struct place place;
	int error = find_place(t, node, &place);

	if (error)
		return error;
	dir = (struct tree_file){ place.parent, place.parent->fd, -1, 0 };
	error = mhi_tree_move(t, &dir, place.name, to ? to : &dir, new_name, 0);
	leave_place(t, &place);
	return error;
}

/* ---- removing ---- */

int mhi_tree_unlink(struct mhi_tree *t, const struct tree_file *dir, const char *name, int flags)
{
	const struct tree_id *id = &dir->node->id;
	int error = 0;

	pthread_mutex_lock(&t->lock);
	mhi_tree_node_keep(t, id, name);
	pthread_mutex_unlock(&t->lock);
	if (unlinkat(dir->fd, name, flags))
		error = -errno;
	pthread_mutex_lock(&t->lock);
	mhi_tree_node_settle(t, id, name, !error);
	pthread_mutex_unlock(&t->lock);
	return error;
}

int mhi_tree_remove_node(struct mhi_tree *t, struct tree_node *node)
{
	struct tree_file dir;
	struct place place;
	int error = find_place(t, node, &place);

	if (error)
		return error;
	dir = (struct tree_file){ place.parent, place.parent->fd, -1, 0 };
	error = mhi_tree_unlink(t, &dir, place.name, S_ISDIR(place.type) ? AT_REMOVEDIR : 0);
	leave_place(t, &place);
	return error;
}
