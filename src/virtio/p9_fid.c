/* SPDX-License-Identifier: MIT */
/* Fids: the client's handles; what a request holds of them, and descriptors within the limit. */
#include "virtio/p9_priv.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

static struct p9_fid **slot_of(struct mhi_p9 *s, u32 number)
{
	struct p9_fid **slot = &s->fid_table[number % P9_BUCKETS];

	while (*slot && (*slot)->number != number)
		slot = &(*slot)->chain;
	return slot;
}

struct p9_fid *mhi_p9_fid_find(const struct mhi_p9 *s, u32 number)
{
	struct p9_fid *fid = s->fid_table[number % P9_BUCKETS];

	while (fid && fid->number != number)
		fid = fid->chain;
	return fid;
}

/* ---- use by a request ---- */

static struct p9_use *take_use(struct p9_ctx *c, struct p9_fid *fid)
{
	struct p9_use *use = &c->use[c->uses++];

	fid->refs++;
	*use = (struct p9_use){
		.fid = fid,
		.f = { fid->node, fid->io_fd, fid->io_fd, fid->access },
	};
	return use;
}

int mhi_p9_use(struct p9_ctx *c, u32 number, struct p9_use **use)
{
	struct mhi_p9 *s = c->s;
	struct p9_fid *fid;
	int error = -EBADF;

	if (c->in.bad)
		return -EINVAL;
	pthread_mutex_lock(&s->tree.lock);
	fid = mhi_p9_fid_find(s, number);
	if (fid && !fid->xattr)
		error = fid->io_fd < 0 ? mhi_tree_node_busy(&s->tree, fid->node) : 0;
	if (!error) {
		*use = take_use(c, fid);
		if (fid->io_fd < 0) {
			(*use)->f.fd = fid->node->fd;
			(*use)->busy = true;
		}
	}
	pthread_mutex_unlock(&s->tree.lock);
	return error;
}

int mhi_p9_use_named(struct p9_ctx *c, u32 number, struct mhi_p9_str name, char *text,
		     struct p9_use **use)
{
	int error = c->in.bad ? -EINVAL : mhi_p9_name(name, text);

	return error ? error : mhi_p9_use(c, number, use);
}

int mhi_p9_use_open(struct p9_ctx *c, u32 number, struct p9_use **use)
{
	struct mhi_p9 *s = c->s;
	struct p9_fid *fid;
	bool open;

	if (c->in.bad)
		return -EINVAL;
	pthread_mutex_lock(&s->tree.lock);
	fid = mhi_p9_fid_find(s, number);
	open = fid && (fid->xattr || fid->io_fd >= 0);
	if (open)
		*use = take_use(c, fid);
	pthread_mutex_unlock(&s->tree.lock);
	return open ? 0 : -EBADF;
}

/* Not in the table any more, and nobody else uses it. */
static void destroy(struct mhi_p9 *s, struct p9_fid *fid)
{
	if (fid->io_fd >= 0)
		close(fid->io_fd);
	pthread_mutex_destroy(&fid->lock);
	pthread_mutex_lock(&s->tree.lock);
	if (fid->io_fd >= 0) {
		mhi_tree_fd_give(&s->tree);
		mhi_p9_locks_drop(s, &fid->node->id);
	}
	if (fid->xattr) {
		s->xattr_bytes -= fid->xattr->size;
		free(fid->xattr->value);
		free(fid->xattr);
	}
	mhi_tree_node_put(&s->tree, fid->node);
	s->fids--;
	fid->chain = s->free_fids;
	s->free_fids = fid;
	pthread_mutex_unlock(&s->tree.lock);
}

void mhi_p9_fid_put(struct mhi_p9 *s, struct p9_fid *fid)
{
	bool last;

	pthread_mutex_lock(&s->tree.lock);
	last = !--fid->refs;
	pthread_mutex_unlock(&s->tree.lock);
	if (last)
		destroy(s, fid);
}

void mhi_p9_unuse(struct p9_ctx *c)
{
	struct p9_fid *dead[MHI_COUNT(c->use)];
	unsigned int n = 0;

	if (!c->uses)
		return;
	pthread_mutex_lock(&c->s->tree.lock);
	while (c->uses) {
		struct p9_use *use = &c->use[--c->uses];

		if (use->busy)
			mhi_tree_node_idle(&c->s->tree, use->f.node);
		if (!--use->fid->refs)
			dead[n++] = use->fid;
	}
	pthread_mutex_unlock(&c->s->tree.lock);
	while (n)
		destroy(c->s, dead[--n]);
}

/* ---- the table ---- */

static struct p9_fid *new_fid(struct mhi_p9 *s)
{
	struct p9_fid *fid = s->free_fids;

	if (s->fids >= s->fids_max)
		return NULL;
	if (fid)
		s->free_fids = fid->chain;
	else
		fid = malloc(sizeof(*fid));
	if (!fid)
		return NULL;
	memset(fid, 0, sizeof(*fid));
	pthread_mutex_init(&fid->lock, NULL);
	s->fids++;
	return fid;
}

static int insert(struct p9_ctx *c, u32 number, struct p9_fid *old, struct tree_node *node,
		  const struct p9_open *open)
{
	struct mhi_p9 *s = c->s;
	struct p9_fid **slot = slot_of(s, number);
	struct p9_fid *fid;

	if (*slot != old)
		return -EBADF;
	fid = new_fid(s);
	if (!fid)
		return -ENFILE;
	fid->number = number;
	fid->refs = 1;
	fid->io_fd = open->fd;
	fid->access = open->access;
	fid->xattr = open->xattr;
	fid->node = node;
	node->refs++;
	fid->uid = c->uses ? c->use[0].fid->uid : c->uid;
	if (old) {
		fid->chain = old->chain;
		/* The request's own reference is left. */
		old->refs--;
	}
	*slot = fid;
	return 0;
}

int mhi_p9_fid_new(struct p9_ctx *c, u32 number, struct p9_fid *old, struct tree_node *node,
		   const struct p9_open *open)
{
	int error;

	if (number == P9_NOFID)
		return -EBADF;
	pthread_mutex_lock(&c->s->tree.lock);
	error = insert(c, number, old, node, open);
	pthread_mutex_unlock(&c->s->tree.lock);
	return error;
}

struct p9_fid *mhi_p9_fid_take(struct mhi_p9 *s, u32 number)
{
	struct p9_fid **slot, *fid;

	pthread_mutex_lock(&s->tree.lock);
	slot = slot_of(s, number);
	fid = *slot;
	if (fid)
		*slot = fid->chain;
	pthread_mutex_unlock(&s->tree.lock);
	return fid;
}

void mhi_p9_fids_clear(struct mhi_p9 *s)
{
	for (unsigned int i = 0; i < P9_BUCKETS; i++) {
		for (;;) {
			struct p9_fid *fid;

			pthread_mutex_lock(&s->tree.lock);
			fid = s->fid_table[i];
			if (fid)
				s->fid_table[i] = fid->chain;
			pthread_mutex_unlock(&s->tree.lock);
			if (!fid)
				break;
			mhi_p9_fid_put(s, fid);
		}
	}
}

void mhi_p9_fids_fini(struct mhi_p9 *s)
{
	struct p9_fid *fid;

	mhi_p9_fids_clear(s);
	while ((fid = s->free_fids)) {
		s->free_fids = fid->chain;
		free(fid);
	}
}
