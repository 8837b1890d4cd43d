/* SPDX-License-Identifier: MIT */
/* From a folder to what is in it. */
#include "virtio/tree.h"

#include <errno.h>
#include <fcntl.h>

/* A node that is there already, if its name still leads to it. */
static struct tree_node *known(struct mhi_tree *t, const struct tree_file *dir, const char *name,
			       struct tree_attr *a)
{
	struct tree_node *node;

	pthread_mutex_lock(&t->lock);
	node = mhi_tree_node_find(t, dir->node, name);
	if (node && mhi_tree_node_busy(t, node))
		node = NULL;
	if (node)
		node->refs++;
	pthread_mutex_unlock(&t->lock);
	if (!node || (!mhi_tree_stat_at(dir->fd, name, a) && mhi_tree_same(&a->id, &node->id)))
		return node;
	mhi_tree_leave(t, node);
	return NULL;
}

int mhi_tree_step(struct mhi_tree *t, const struct tree_file *dir, const char *name,
		  struct tree_node **out, struct tree_attr *a)
{
	int fd, error;

	*out = known(t, dir, name, a);
	if (*out)
		return 0;
	fd = mhi_tree_counted_open_at(t, dir->fd, name, O_PATH, 0);
	if (fd < 0)
		return fd;
	error = mhi_tree_stat(fd, a);
	if (!error) {
		pthread_mutex_lock(&t->lock);
		*out = mhi_tree_node_new(t, dir->node, name, a, fd);
		if (*out)
			(*out)->busy++;
		else
			error = -ENOMEM;
		pthread_mutex_unlock(&t->lock);
	}
	if (error)
		mhi_tree_counted_close(t, fd);
	return error;
}

void mhi_tree_leave(struct mhi_tree *t, struct tree_node *node)
{
	pthread_mutex_lock(&t->lock);
	mhi_tree_node_idle(t, node);
	mhi_tree_node_put(t, node);
	pthread_mutex_unlock(&t->lock);
}
