/* SPDX-License-Identifier: MIT */
/*
 * Nodes: places in the shared folder, found by parent and name when a name changes; at most so many
 * of them open, the least recently used ones are closed first. All with the session's lock held.
 */
#include "virtio/tree.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#define SQUEEZE 64 /* how many to close when the process has no descriptor left */

/* FNV-1a, 64 bits */
#define FNV_START 0xcbf29ce484222325ull
#define FNV_PRIME 0x100000001b3ull

static u32 bucket_of(const struct tree_id *dir, const char *name)
{
	u64 h = FNV_START ^ dir->ino ^ dir->dev << 32;

	for (; *name; name++)
		h = (h ^ (u8)*name) * FNV_PRIME;
	return (u32)(h ^ h >> 32) % TREE_BUCKETS;
}

static void table_add(struct mhi_tree *t, struct tree_node *node)
{
	struct tree_node **slot = &t->node_table[bucket_of(&node->parent->id, node->name)];

	node->chain = *slot;
	*slot = node;
}

static void table_remove(struct mhi_tree *t, struct tree_node *node)
{
	struct tree_node **slot = &t->node_table[bucket_of(&node->parent->id, node->name)];

	while (*slot != node)
		slot = &(*slot)->chain;
	*slot = node->chain;
}

/* ---- the list of open nodes, by use ---- */

static void list_remove(struct mhi_tree *t, struct tree_node *node)
{
	*(node->older ? &node->older->newer : &t->oldest_open) = node->newer;
	*(node->newer ? &node->newer->older : &t->newest_open) = node->older;
}

static void list_add(struct mhi_tree *t, struct tree_node *node)
{
	node->older = t->newest_open;
	node->newer = NULL;
	*(t->newest_open ? &t->newest_open->newer : &t->oldest_open) = node;
	t->newest_open = node;
}

static bool listed(const struct tree_node *node)
{
	return node->fd >= 0 && node->parent && !node->kept;
}

static void close_node(struct mhi_tree *t, struct tree_node *node)
{
	if (listed(node))
		list_remove(t, node);
	close(node->fd);
	node->fd = -1;
	t->fds--;
}

static bool close_oldest(struct mhi_tree *t)
{
	struct tree_node *node = t->oldest_open;

	while (node && node->busy)
		node = node->newer;
	if (node)
		close_node(t, node);
	return node;
}

/* Has the process one to spare? A new one is the lowest that is free. */
static bool spare(const struct mhi_tree *t)
{
	int fd = fcntl(t->root_fd, F_DUPFD_CLOEXEC, 0);

	if (fd >= 0)
		close(fd);
	return fd >= 0 && (u64)fd < t->fd_end;
}

int mhi_tree_fd_take(struct mhi_tree *t)
{
	bool full = t->fds >= t->config.fds_max || (t->fds >= TREE_FDS_MIN && !spare(t));

	if (full && !close_oldest(t))
		return -EMFILE;
	t->fds++;
	return 0;
}

void mhi_tree_fd_give(struct mhi_tree *t)
{
	t->fds--;
}

bool mhi_tree_fd_squeeze(struct mhi_tree *t)
{
	unsigned int n = 0;

	while (n < SQUEEZE && close_oldest(t))
		n++;
	return n;
}

/* ---- life ---- */

static bool set_name(struct tree_node *node, const char *name)
{
	size_t bytes = strlen(name) + 1;
	char *to = node->small;

	if (bytes > sizeof(node->small)) {
		to = malloc(bytes);
		if (!to)
			return false;
	}
	memcpy(to, name, bytes);
	node->name = to;
	return true;
}

static void drop_name(struct tree_node *node)
{
	if (node->name != node->small)
		free(node->name);
	node->name = NULL;
}

struct tree_node *mhi_tree_node_new(struct mhi_tree *t, struct tree_node *parent, const char *name,
				    const struct tree_attr *a, int fd)
{
	struct tree_node *node = t->free_nodes;

	if (node)
		t->free_nodes = node->chain;
	else
		node = malloc(sizeof(*node));
	if (!node)
		return NULL;
	memset(node, 0, offsetof(struct tree_node, small));
	if (!set_name(node, name)) {
		node->chain = t->free_nodes;
		t->free_nodes = node;
		return NULL;
	}
	node->refs = 1;
	node->type = a->host_mode & S_IFMT;
	node->id = a->id;
	node->fd = fd;
	node->parent = parent;
	if (parent) {
		parent->refs++;
		table_add(t, node);
	}
	if (listed(node))
		list_add(t, node);
	return node;
}

struct tree_node *mhi_tree_node_find(const struct mhi_tree *t, const struct tree_node *parent,
				     const char *name)
{
	struct tree_node *node = t->node_table[bucket_of(&parent->id, name)];

	while (node && (node->parent != parent || node->fd < 0 || strcmp(node->name, name)))
		node = node->chain;
	return node;
}

void mhi_tree_node_put(struct mhi_tree *t, struct tree_node *node)
{
	while (node && !--node->refs) {
		struct tree_node *parent = node->parent;

		if (parent && !node->orphan)
			table_remove(t, node);
		if (parent && node->fd >= 0)
			close_node(t, node);
		drop_name(node);
		node->chain = t->free_nodes;
		t->free_nodes = node;
		node = parent;
	}
}

void mhi_tree_nodes_fini(struct mhi_tree *t)
{
	struct tree_node *node;

	mhi_tree_node_put(t, t->root);
	t->root = NULL;
	while ((node = t->free_nodes)) {
		t->free_nodes = node->chain;
		free(node);
	}
}

/* ---- opening what was closed ---- */

static int open_again(struct mhi_tree *t, struct tree_node *node)
{
	struct tree_attr a;
	int error = node->orphan ? -ESTALE : mhi_tree_fd_take(t);
	int fd;

	if (error)
		return error;
	do
		fd = mhi_tree_open_at(node->parent->fd, node->name, O_PATH, 0);
	while ((fd == -EMFILE || fd == -ENFILE) && mhi_tree_fd_squeeze(t));
	if (fd < 0) {
		mhi_tree_fd_give(t);
		return fd == -ENOENT || fd == -ENOTDIR ? -ESTALE : fd;
	}
	if (mhi_tree_stat(fd, &a) || !mhi_tree_same(&a.id, &node->id)) {
		close(fd);
		mhi_tree_fd_give(t);
		return -ESTALE;
	}
	node->fd = fd;
	if (listed(node))
		list_add(t, node);
	return 0;
}

static int open_from_above(struct mhi_tree *t, struct tree_node *node)
{
	struct tree_node *closed[TREE_DEPTH_MAX];
	unsigned int n = 0;
	int error = 0;

	for (; node->fd < 0; node = node->parent) {
		if (n == TREE_DEPTH_MAX)
			return -ENAMETOOLONG;
		closed[n++] = node;
	}
	while (n && !error) {
		node->busy++;
		error = open_again(t, closed[--n]);
		node->busy--;
		node = closed[n];
	}
	return error;
}

int mhi_tree_node_busy(struct mhi_tree *t, struct tree_node *node)
{
	if (node->fd < 0) {
		int error = open_from_above(t, node);

		if (error)
			return error;
	} else if (listed(node) && t->newest_open != node) {
		list_remove(t, node);
		list_add(t, node);
	}
	node->busy++;
	return 0;
}

void mhi_tree_node_idle(struct mhi_tree *t, struct tree_node *node)
{
	node->busy--;
}

/* ---- names that change ---- */

static bool is_at(const struct tree_node *node, const struct tree_id *dir, const char *name)
{
	return mhi_tree_same(&node->parent->id, dir) && !strcmp(node->name, name);
}

static void keep(struct mhi_tree *t, struct tree_node *node)
{
	if (node->kept || mhi_tree_node_busy(t, node))
		return;
	mhi_tree_node_idle(t, node);
	list_remove(t, node);
	node->kept = true;
}

void mhi_tree_node_keep(struct mhi_tree *t, const struct tree_id *dir, const char *name)
{
	struct tree_node *node = t->node_table[bucket_of(dir, name)];

	for (; node; node = node->chain)
		if (is_at(node, dir, name))
			keep(t, node);
}

void mhi_tree_node_settle(struct mhi_tree *t, const struct tree_id *dir, const char *name,
			  bool gone)
{
	struct tree_node **slot = &t->node_table[bucket_of(dir, name)];

	while (*slot) {
		struct tree_node *node = *slot;

		if (!is_at(node, dir, name)) {
			slot = &node->chain;
		} else if (gone) {
			if (listed(node))
				list_remove(t, node);
			node->kept = node->orphan = true;
			*slot = node->chain;
		} else {
			if (node->kept) {
				node->kept = false;
				list_add(t, node);
			}
			slot = &node->chain;
		}
	}
}

static bool is_below(const struct tree_node *node, const struct tree_node *top)
{
	while (node && node != top)
		node = node->parent;
	return node;
}

/*
 * The node is out of the table. What cannot have the new name - the host has moved folders behind
 * our back so that it would be its own ancestor, or there is no memory - has none from now on.
 */
static void move_node(struct mhi_tree *t, struct tree_node *node, struct tree_node *dir,
		      const char *name)
{
	struct tree_node *old = node->parent;
	char *old_name = node->name == node->small ? NULL : node->name;

	if (is_below(dir, node) || !set_name(node, name)) {
		if (listed(node))
			list_remove(t, node);
		node->kept = node->orphan = true;
		return;
	}
	free(old_name);
	dir->refs++;
	node->parent = dir;
	table_add(t, node);
	mhi_tree_node_put(t, old);
}

void mhi_tree_node_moved(struct mhi_tree *t, const struct tree_id *dir, const char *name,
			 struct tree_node *new_dir, const char *new_name)
{
	struct tree_node **slot = &t->node_table[bucket_of(dir, name)];
	struct tree_node *moved = NULL;

	while (*slot) {
		struct tree_node *node = *slot;

		if (is_at(node, dir, name)) {
			*slot = node->chain;
			node->chain = moved;
			moved = node;
		} else {
			slot = &node->chain;
		}
	}
	while (moved) {
		struct tree_node *next = moved->chain;

		move_node(t, moved, new_dir, new_name);
		moved = next;
	}
}

/* ---- counted descriptors ---- */

static int take_fd(struct mhi_tree *t)
{
	int error;

	pthread_mutex_lock(&t->lock);
	error = mhi_tree_fd_take(t);
	pthread_mutex_unlock(&t->lock);
	return error;
}

/* Is another try worth while? If not, the descriptor that was counted is not one. */
static bool again(struct mhi_tree *t, int fd)
{
	bool again = false;

	if (fd >= 0)
		return false;
	pthread_mutex_lock(&t->lock);
	if (fd == -EMFILE || fd == -ENFILE)
		again = mhi_tree_fd_squeeze(t);
	if (!again)
		mhi_tree_fd_give(t);
	pthread_mutex_unlock(&t->lock);
	return again;
}

int mhi_tree_counted_open_at(struct mhi_tree *t, int dir, const char *name, u64 flags, u32 mode)
{
	int fd = take_fd(t);

	if (fd)
		return fd;
	do
		fd = mhi_tree_open_at(dir, name, flags, mode);
	while (again(t, fd));
	return fd;
}

int mhi_tree_counted_reopen(struct mhi_tree *t, int fd, int flags)
{
	int new_fd = take_fd(t);

	if (new_fd)
		return new_fd;
	do
		new_fd = mhi_tree_reopen(t, fd, flags);
	while (again(t, new_fd));
	return new_fd;
}

void mhi_tree_counted_close(struct mhi_tree *t, int fd)
{
	close(fd);
	pthread_mutex_lock(&t->lock);
	mhi_tree_fd_give(t);
	pthread_mutex_unlock(&t->lock);
}
