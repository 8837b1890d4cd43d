/* SPDX-License-Identifier: MIT */
/* The files that the client knows and those that it has open, and what a request holds of them. */
#include "virtio/fuse_priv.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#define TABLE_FIRST 64u

/* The next place of a table of pointers, which grows for it. False: full, or no memory. */
static bool grow(void ***table, u32 used, u32 *room, u32 most)
{
	u32 more = *room ? *room * 2 : TABLE_FIRST;
	void **bigger;

	if (used >= most)
		return false;
	if (used < *room)
		return true;
	bigger = realloc(*table, more * sizeof(**table));
	if (!bigger)
		return false;
	*table = bigger;
	*room = more;
	return true;
}

/* ---- inodes; with the lock held ---- */

static u64 nodeid_of(const struct fuse_inode *inode)
{
	return (u64)inode->generation << 32 | (inode->index + FUSE_ROOT_ID);
}

static struct fuse_inode *find_inode(const struct mhi_fuse *s, u64 nodeid)
{
	u32 index = (u32)nodeid - FUSE_ROOT_ID;
	struct fuse_inode *inode = index < s->inodes ? s->inode[index] : NULL;

	return inode && inode->refs && nodeid_of(inode) == nodeid ? inode : NULL;
}

static struct fuse_inode **bucket_of(struct mhi_fuse *s, const struct tree_id *id)
{
	u64 h = (id->ino ^ id->dev << 32 ^ id->born) * 0x9e3779b97f4a7c15ull;

	return &s->by_id[(u32)(h >> 32) % FUSE_BUCKETS];
}

static struct fuse_inode *new_inode(struct mhi_fuse *s, struct tree_node *node)
{
	struct fuse_inode *inode = s->free_inodes;
	struct fuse_inode **bucket = bucket_of(s, &node->id);

	if (inode) {
		s->free_inodes = inode->chain;
		inode->generation++;
	} else {
		if (!grow((void ***)&s->inode, s->inodes, &s->inode_room, s->inodes_max))
			return NULL;
		inode = calloc(1, sizeof(*inode));
		if (!inode)
			return NULL;
		inode->index = s->inodes;
		s->inode[s->inodes++] = inode;
	}
	inode->node = node;
	node->refs++;
	inode->chain = *bucket;
	*bucket = inode;
	return inode;
}

static void put_inode(struct mhi_fuse *s, struct fuse_inode *inode)
{
	struct fuse_inode **slot;

	if (--inode->refs)
		return;
	slot = bucket_of(s, &inode->node->id);
	while (*slot != inode)
		slot = &(*slot)->chain;
	*slot = inode->chain;
	mhi_tree_node_put(&s->tree, inode->node);
	inode->node = NULL;
	inode->chain = s->free_inodes;
	s->free_inodes = inode;
}

static void drop_lookups(struct mhi_fuse *s, struct fuse_inode *inode, u64 lookups)
{
	if (!inode->lookups)
		return;
	inode->lookups -= lookups < inode->lookups ? lookups : inode->lookups;
	if (!inode->lookups)
		put_inode(s, inode);
}

/* Where it was found last is the best place to find it again. */
static void settle_at(struct mhi_fuse *s, struct fuse_inode *inode, struct tree_node *node)
{
	struct tree_node *old = inode->node;

	if (old == node || old == s->tree.root)
		return;
	node->refs++;
	inode->node = node;
	mhi_tree_node_put(&s->tree, old);
}

int mhi_fuse_remember(struct mhi_fuse *s, struct tree_node *node, u64 *nodeid)
{
	struct fuse_inode *inode;

	pthread_mutex_lock(&s->tree.lock);
	inode = *bucket_of(s, &node->id);
	while (inode && !mhi_tree_same(&inode->node->id, &node->id))
		inode = inode->chain;
	if (inode)
		settle_at(s, inode, node);
	else
		inode = new_inode(s, node);
	if (inode) {
		inode->refs += !inode->lookups;
		inode->lookups++;
		*nodeid = nodeid_of(inode);
	}
	pthread_mutex_unlock(&s->tree.lock);
	return inode ? 0 : -ENFILE;
}

void mhi_fuse_forget(struct mhi_fuse *s, u64 nodeid, u64 lookups)
{
	struct fuse_inode *inode;

	pthread_mutex_lock(&s->tree.lock);
	inode = find_inode(s, nodeid);
	if (inode)
		drop_lookups(s, inode, lookups);
	pthread_mutex_unlock(&s->tree.lock);
}

/* ---- handles; with the lock held ---- */

static u64 fh_of(const struct fuse_handle *handle)
{
	return (u64)handle->generation << 32 | handle->index;
}

static struct fuse_handle *find_handle(const struct mhi_fuse *s, u64 fh)
{
	u32 index = (u32)fh;
	struct fuse_handle *handle = index < s->handles ? s->handle[index] : NULL;

	return handle && handle->open && fh_of(handle) == fh ? handle : NULL;
}

static struct fuse_handle *new_handle(struct mhi_fuse *s)
{
	struct fuse_handle *handle = s->free_handles;

	if (handle) {
		s->free_handles = handle->chain;
		handle->generation++;
		return handle;
	}
	if (!grow((void ***)&s->handle, s->handles, &s->handle_room, s->handles_max))
		return NULL;
	handle = calloc(1, sizeof(*handle));
	if (!handle)
		return NULL;
	pthread_mutex_init(&handle->lock, NULL);
	handle->index = s->handles;
	s->handle[s->handles++] = handle;
	return handle;
}

int mhi_fuse_open(struct mhi_fuse *s, const struct fuse_use *use, int fd, u32 access, u64 *fh)
{
	struct fuse_handle *handle;

	pthread_mutex_lock(&s->tree.lock);
	handle = new_handle(s);
	if (handle) {
		handle->refs = 1;
		handle->open = true;
		handle->fd = fd;
		handle->access = access;
		handle->dir_pos = 0;
		handle->inode = use->inode;
		handle->node = use->f.node;
		handle->inode->refs++;
		handle->node->refs++;
		*fh = fh_of(handle);
	}
	pthread_mutex_unlock(&s->tree.lock);
	return handle ? 0 : -ENFILE;
}

/* Without the lock: nobody uses it any more. */
static void end_handle(struct mhi_fuse *s, struct fuse_handle *handle)
{
	close(handle->fd);
	pthread_mutex_lock(&s->tree.lock);
	mhi_tree_fd_give(&s->tree);
	mhi_tree_node_put(&s->tree, handle->node);
	put_inode(s, handle->inode);
	handle->chain = s->free_handles;
	s->free_handles = handle;
	pthread_mutex_unlock(&s->tree.lock);
}

int mhi_fuse_close(struct mhi_fuse *s, u64 fh)
{
	struct fuse_handle *handle;
	bool last = false;

	pthread_mutex_lock(&s->tree.lock);
	handle = find_handle(s, fh);
	if (handle) {
		handle->open = false;
		last = !--handle->refs;
	}
	pthread_mutex_unlock(&s->tree.lock);
	if (last)
		end_handle(s, handle);
	return handle ? 0 : -EBADF;
}

/* ---- use by a request ---- */

int mhi_fuse_use(struct fuse_ctx *c, u64 nodeid, struct fuse_use **out)
{
	struct fuse_use *use = &c->use[c->uses];
	struct mhi_fuse *s = c->s;
	struct fuse_inode *inode;
	int error = -ESTALE;

	pthread_mutex_lock(&s->tree.lock);
	inode = find_inode(s, nodeid);
	if (inode)
		error = mhi_tree_node_busy(&s->tree, inode->node);
	if (!error) {
		inode->refs++;
		inode->node->refs++;
		*use = (struct fuse_use){ inode, NULL, { inode->node, inode->node->fd, -1, 0 } };
		c->uses++;
		*out = use;
	}
	pthread_mutex_unlock(&s->tree.lock);
	return error;
}

int mhi_fuse_use_handle(struct fuse_ctx *c, u64 fh, struct fuse_use **out)
{
	struct fuse_use *use = &c->use[c->uses];
	struct mhi_fuse *s = c->s;
	struct fuse_handle *handle;

	pthread_mutex_lock(&s->tree.lock);
	handle = find_handle(s, fh);
	if (handle) {
		handle->refs++;
		*use = (struct fuse_use){
			.inode = handle->inode,
			.handle = handle,
			.f = { handle->node, handle->fd, handle->fd, handle->access },
		};
		c->uses++;
		*out = use;
	}
	pthread_mutex_unlock(&s->tree.lock);
	return handle ? 0 : -EBADF;
}

void mhi_fuse_unuse(struct fuse_ctx *c)
{
	struct fuse_handle *dead[MHI_COUNT(c->use)];
	struct mhi_fuse *s = c->s;
	unsigned int n = 0;

	if (!c->uses)
		return;
	pthread_mutex_lock(&s->tree.lock);
	while (c->uses) {
		struct fuse_use *use = &c->use[--c->uses];

		if (!use->handle) {
			mhi_tree_node_idle(&s->tree, use->f.node);
			mhi_tree_node_put(&s->tree, use->f.node);
			put_inode(s, use->inode);
		} else if (!--use->handle->refs) {
			dead[n++] = use->handle;
		}
	}
	pthread_mutex_unlock(&s->tree.lock);
	while (n)
		end_handle(s, dead[--n]);
}

/* ---- life ---- */

void mhi_fuse_clear(struct mhi_fuse *s)
{
	pthread_mutex_lock(&s->tree.lock);
	for (u32 i = 0; i < s->handles; i++) {
		u64 fh = fh_of(s->handle[i]);

		if (!s->handle[i]->open)
			continue;
		pthread_mutex_unlock(&s->tree.lock);
		mhi_fuse_close(s, fh);
		pthread_mutex_lock(&s->tree.lock);
	}
	for (u32 i = 0; i < s->inodes; i++)
		drop_lookups(s, s->inode[i], UINT64_MAX);
	pthread_mutex_unlock(&s->tree.lock);
}

int mhi_fuse_nodes_init(struct mhi_fuse *s)
{
	struct fuse_inode *root = new_inode(s, s->tree.root);

	if (root)
		root->refs = 1;
	return root ? 0 : -ENOMEM;
}

void mhi_fuse_nodes_fini(struct mhi_fuse *s)
{
	mhi_fuse_clear(s);
	if (s->inodes)
		put_inode(s, s->inode[0]);
	for (u32 i = 0; i < s->handles; i++) {
		pthread_mutex_destroy(&s->handle[i]->lock);
		free(s->handle[i]);
	}
	for (u32 i = 0; i < s->inodes; i++)
		free(s->inode[i]);
	free(s->handle);
	free(s->inode);
}
