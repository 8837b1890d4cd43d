/* SPDX-License-Identifier: MIT */
/*
 * Nodes: places in the shared folder, found by parent and name when a name changes; at most so many
 * of them open, the least recently used ones are closed first. All with the session's lock held.
 */
#include "virtio/p9_priv.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#define SQUEEZE 64 /* how many to close when the process has no descriptor left */

/* FNV-1a, 64 bits */
#define FNV_START 0xcbf29ce484222325ull
#define FNV_PRIME 0x100000001b3ull

static u32 bucket_of(const struct p9_id *dir, const char *name)
{
	u64 h = FNV_START ^ dir->ino ^ dir->dev << 32;

	for (; *name; name++)
		h = (h ^ (u8)*name) * FNV_PRIME;
	return (u32)(h ^ h >> 32) % P9_BUCKETS;
}

static void table_add(struct mhi_p9 *s, struct p9_node *node)
{
	struct p9_node **slot = &s->node_table[bucket_of(&node->parent->id, node->name)];

	node->chain = *slot;
	*slot = node;
}

static void table_remove(struct mhi_p9 *s, struct p9_node *node)
{
	struct p9_node **slot = &s->node_table[bucket_of(&node->parent->id, node->name)];

	while (*slot != node)
		slot = &(*slot)->chain;
	*slot = node->chain;
}

/* ---- the list of open nodes, by use ---- */

static void list_remove(struct mhi_p9 *s, struct p9_node *node)
{
	*(node->older ? &node->older->newer : &s->oldest_open) = node->newer;
	*(node->newer ? &node->newer->older : &s->newest_open) = node->older;
}

static void list_add(struct mhi_p9 *s, struct p9_node *node)
{
	node->older = s->newest_open;
	node->newer = NULL;
	*(s->newest_open ? &s->newest_open->newer : &s->oldest_open) = node;
	s->newest_open = node;
}

static bool listed(const struct p9_node *node)
{
	return node->fd >= 0 && node->parent && !node->kept;
}

static void close_node(struct mhi_p9 *s, struct p9_node *node)
{
	if (listed(node))
		list_remove(s, node);
	close(node->fd);
	node->fd = -1;
	s->fds--;
}

static bool close_oldest(struct mhi_p9 *s)
{
	struct p9_node *node = s->oldest_open;

	while (node && node->busy)
		node = node->newer;
	if (node)
		close_node(s, node);
	return node;
}

int mhi_p9_fd_take(struct mhi_p9 *s)
{
	if (s->fds >= s->config.fds_max && !close_oldest(s))
		return -EMFILE;
	s->fds++;
	return 0;
}

void mhi_p9_fd_give(struct mhi_p9 *s)
{
	s->fds--;
}

bool mhi_p9_fd_squeeze(struct mhi_p9 *s)
{
	unsigned int n = 0;

	while (n < SQUEEZE && close_oldest(s))
		n++;
	return n;
}

/* ---- life ---- */

static bool set_name(struct p9_node *node, const char *name)
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

static void drop_name(struct p9_node *node)
{
	if (node->name != node->small)
		free(node->name);
	node->name = NULL;
}

struct p9_node *mhi_p9_node_new(struct mhi_p9 *s, struct p9_node *parent, const char *name,
				const struct p9_attr *a, int fd)
{
	struct p9_node *node = s->free_nodes;

	if (node)
		s->free_nodes = node->chain;
	else
		node = malloc(sizeof(*node));
	if (!node)
		return NULL;
	memset(node, 0, offsetof(struct p9_node, small));
	if (!set_name(node, name)) {
		node->chain = s->free_nodes;
		s->free_nodes = node;
		return NULL;
	}
	node->refs = 1;
	node->type = a->host_mode & S_IFMT;
	node->id = a->id;
	node->fd = fd;
	node->parent = parent;
	if (parent) {
		parent->refs++;
		table_add(s, node);
	}
	if (listed(node))
		list_add(s, node);
	return node;
}

struct p9_node *mhi_p9_node_find(const struct mhi_p9 *s, const struct p9_node *parent,
				 const char *name)
{
	struct p9_node *node = s->node_table[bucket_of(&parent->id, name)];

	while (node && (node->parent != parent || node->fd < 0 || strcmp(node->name, name)))
		node = node->chain;
	return node;
}

void mhi_p9_node_put(struct mhi_p9 *s, struct p9_node *node)
{
	while (node && !--node->refs) {
		struct p9_node *parent = node->parent;

		if (parent && !node->orphan)
			table_remove(s, node);
		if (parent && node->fd >= 0)
			close_node(s, node);
		drop_name(node);
		node->chain = s->free_nodes;
		s->free_nodes = node;
		node = parent;
	}
}

void mhi_p9_nodes_fini(struct mhi_p9 *s)
{
	struct p9_node *node;

	mhi_p9_node_put(s, s->root);
	s->root = NULL;
	while ((node = s->free_nodes)) {
		s->free_nodes = node->chain;
		free(node);
	}
}

/* ---- opening what was closed ---- */

static int open_again(struct mhi_p9 *s, struct p9_node *node)
{
	struct p9_attr a;
	int error = node->orphan ? -ESTALE : mhi_p9_fd_take(s);
	int fd;

	if (error)
		return error;
	do
		fd = mhi_p9_open_at(node->parent->fd, node->name, O_PATH, 0);
	while ((fd == -EMFILE || fd == -ENFILE) && mhi_p9_fd_squeeze(s));
	if (fd < 0) {
		mhi_p9_fd_give(s);
		return fd == -ENOENT || fd == -ENOTDIR ? -ESTALE : fd;
	}
	if (mhi_p9_stat(fd, &a) || !mhi_p9_same(&a.id, &node->id)) {
		close(fd);
		mhi_p9_fd_give(s);
		return -ESTALE;
	}
	node->fd = fd;
	if (listed(node))
		list_add(s, node);
	return 0;
}

static int open_from_above(struct mhi_p9 *s, struct p9_node *node)
{
	struct p9_node *closed[P9_DEPTH_MAX];
	unsigned int n = 0;
	int error = 0;

	for (; node->fd < 0; node = node->parent) {
		if (n == P9_DEPTH_MAX)
			return -ENAMETOOLONG;
		closed[n++] = node;
	}
	while (n && !error) {
		node->busy++;
		error = open_again(s, closed[--n]);
		node->busy--;
		node = closed[n];
	}
	return error;
}

int mhi_p9_node_busy(struct mhi_p9 *s, struct p9_node *node)
{
	if (node->fd < 0) {
		int error = open_from_above(s, node);

		if (error)
			return error;
	} else if (listed(node) && s->newest_open != node) {
		list_remove(s, node);
		list_add(s, node);
	}
	node->busy++;
	return 0;
}

void mhi_p9_node_idle(struct mhi_p9 *s, struct p9_node *node)
{
	node->busy--;
}

/* ---- names that change ---- */

static bool is_at(const struct p9_node *node, const struct p9_id *dir, const char *name)
{
	return mhi_p9_same(&node->parent->id, dir) && !strcmp(node->name, name);
}

static void keep(struct mhi_p9 *s, struct p9_node *node)
{
	if (node->kept || mhi_p9_node_busy(s, node))
		return;
	mhi_p9_node_idle(s, node);
	list_remove(s, node);
	node->kept = true;
}

void mhi_p9_node_keep(struct mhi_p9 *s, const struct p9_id *dir, const char *name)
{
	struct p9_node *node = s->node_table[bucket_of(dir, name)];

	for (; node; node = node->chain)
		if (is_at(node, dir, name))
			keep(s, node);
}

void mhi_p9_node_settle(struct mhi_p9 *s, const struct p9_id *dir, const char *name, bool gone)
{
	struct p9_node **slot = &s->node_table[bucket_of(dir, name)];

	while (*slot) {
		struct p9_node *node = *slot;

		if (!is_at(node, dir, name)) {
			slot = &node->chain;
		} else if (gone) {
			if (listed(node))
				list_remove(s, node);
			node->kept = node->orphan = true;
			*slot = node->chain;
		} else {
			if (node->kept) {
				node->kept = false;
				list_add(s, node);
			}
			slot = &node->chain;
		}
	}
}

static bool is_below(const struct p9_node *node, const struct p9_node *top)
{
	while (node && node != top)
		node = node->parent;
	return node;
}

/*
 * The node is out of the table. What cannot have the new name - the host has moved folders behind
 * our back so that it would be its own ancestor, or there is no memory - has none from now on.
 */
static void move_node(struct mhi_p9 *s, struct p9_node *node, struct p9_node *dir, const char *name)
{
	struct p9_node *old = node->parent;
	char *old_name = node->name == node->small ? NULL : node->name;

	if (is_below(dir, node) || !set_name(node, name)) {
		if (listed(node))
			list_remove(s, node);
		node->kept = node->orphan = true;
		return;
	}
	free(old_name);
	dir->refs++;
	node->parent = dir;
	table_add(s, node);
	mhi_p9_node_put(s, old);
}

void mhi_p9_node_moved(struct mhi_p9 *s, const struct p9_id *dir, const char *name,
		       struct p9_node *new_dir, const char *new_name)
{
	struct p9_node **slot = &s->node_table[bucket_of(dir, name)];
	struct p9_node *moved = NULL;

	while (*slot) {
		struct p9_node *node = *slot;

		if (is_at(node, dir, name)) {
			*slot = node->chain;
			node->chain = moved;
			moved = node;
		} else {
			slot = &node->chain;
		}
	}
	while (moved) {
		struct p9_node *next = moved->chain;

		move_node(s, moved, new_dir, new_name);
		moved = next;
	}
}
