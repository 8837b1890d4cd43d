/* SPDX-License-Identifier: MIT */
/* Fids to names: attach, walk, clunk, remove. */
#include "virtio/p9_priv.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

static const struct p9_open not_open = { .fd = -1 };

int mhi_p9_do_attach(struct p9_ctx *c)
{
	u32 number = mhi_p9_get32(&c->in);
	u32 afid = mhi_p9_get32(&c->in);
	struct mhi_p9_str uname = mhi_p9_get_str(&c->in);
	struct mhi_p9_str aname = mhi_p9_get_str(&c->in);
	struct mhi_p9_qid qid;
	struct tree_attr a;
	int error;

	(void)uname;
	c->uid = c->dialect == P9_2000 ? P9_NONUNAME : mhi_p9_get32(&c->in);
	if (c->in.bad || afid != P9_NOFID)
		return -EINVAL;
	/* A session has one tree. */
	if (aname.len && !mhi_p9_str_is(aname, "/"))
		return -ENOENT;
	error = mhi_tree_stat(c->s->tree.root_fd, &a);
	if (!error)
		error = mhi_p9_fid_new(c, number, NULL, c->s->tree.root, &not_open);
	qid = mhi_p9_qid(c->s, &a);
	mhi_p9_put_qid(&c->out, &qid);
	return error;
}

/* ---- walk ---- */

/* Where a walk has got to. Its node is busy; but for the start it has a reference, too. */
struct cursor {
	struct tree_file f;
	bool owned;
};

static void move_to(struct p9_ctx *c, struct cursor *at, struct tree_node *node)
{
	if (at->owned)
		mhi_tree_leave(&c->s->tree, at->f.node);
	*at = (struct cursor){ { node, node->fd, -1, 0 }, true };
}

static int enter_parent(struct p9_ctx *c, struct cursor *at, struct tree_attr *a)
{
	struct tree_node *node;
	int error;

	pthread_mutex_lock(&c->s->tree.lock);
	node = at->f.node->parent ? at->f.node->parent : at->f.node;
	error = mhi_tree_node_busy(&c->s->tree, node);
	if (!error)
		node->refs++;
	pthread_mutex_unlock(&c->s->tree.lock);
	if (error)
		return error;
	move_to(c, at, node);
	return mhi_tree_stat(at->f.fd, a);
}

static int enter(struct p9_ctx *c, struct cursor *at, const char *name, struct tree_attr *a)
{
	struct tree_node *node;
	int error = mhi_tree_step(&c->s->tree, &at->f, name, &node, a);

	if (!error)
		move_to(c, at, node);
	return error;
}

static int step(struct p9_ctx *c, struct cursor *at, struct mhi_p9_str name)
{
	char text[MHI_TREE_NAME];
	struct mhi_p9_qid qid;
	struct tree_attr a;
	int error;

	if (mhi_p9_str_is(name, "..") && c->dialect != P9_2000L) {
		error = enter_parent(c, at, &a);
	} else {
		error = mhi_p9_name(name, text);
		if (!error)
			error = enter(c, at, text, &a);
	}
	if (error)
		return error;
	qid = mhi_p9_qid(c->s, &a);
	mhi_p9_put_qid(&c->out, &qid);
	return 0;
}

/* "walk": an error for the first name, fewer qids and no new fid for a later one. */
static int walk(struct p9_ctx *c, struct p9_use *use, u32 new_number,
		const struct mhi_p9_str *names, u16 n)
{
	struct cursor at = { use->f, false };
	bool same = new_number == use->fid->number;
	u16 done = 0;
	int error = 0;

	mhi_p9_put16(&c->out, n);
	while (done < n && !error) {
		error = step(c, &at, names[done]);
		done += !error;
	}
	if (!error && (n || !same))
		error = mhi_p9_fid_new(c, new_number, same ? use->fid : NULL, at.f.node, &not_open);
	else if (done)
		error = 0;
	if (at.owned)
		mhi_tree_leave(&c->s->tree, at.f.node);
	c->out.p[0] = (u8)done;
	return error;
}

int mhi_p9_do_walk(struct p9_ctx *c)
{
	u32 number = mhi_p9_get32(&c->in);
	u32 new_number = mhi_p9_get32(&c->in);
	u16 n = mhi_p9_get16(&c->in);
	struct mhi_p9_str names[P9_MAXWELEM];
	struct p9_use *use;
	int error;

	if (n > P9_MAXWELEM)
		return -EINVAL;
	for (u16 i = 0; i < n; i++)
		names[i] = mhi_p9_get_str(&c->in);
	error = mhi_p9_use(c, number, &use);
	if (error)
		return error;
	/* "walk": the fid must not have been opened. A copy of it does no harm. */
	if (use->f.io_fd >= 0 && number == new_number)
		return -EBADF;
	return walk(c, use, new_number, names, n);
}

/* ---- the end of a fid ---- */

int mhi_p9_do_clunk(struct p9_ctx *c)
{
	u32 number = mhi_p9_get32(&c->in);
	struct p9_fid *fid;
	int error = 0;

	if (c->in.bad)
		return -EINVAL;
	fid = mhi_p9_fid_take(c->s, number);
	if (!fid)
		return -EBADF;
	if (fid->xattr && fid->xattr->create)
		error = mhi_p9_xattr_commit(c->s, fid);
	if (fid->remove_on_clunk)
		mhi_tree_remove_node(&c->s->tree, fid->node);
	mhi_p9_fid_put(c->s, fid);
	return error;
}

int mhi_p9_do_remove(struct p9_ctx *c)
{
	u32 number = mhi_p9_get32(&c->in);
	struct p9_fid *fid;
	int error;

	if (c->in.bad)
		return -EINVAL;
	fid = mhi_p9_fid_take(c->s, number);
	if (!fid)
		return -EBADF;
	if (c->s->tree.config.readonly)
		error = -EROFS;
	else
		error = mhi_tree_remove_node(&c->s->tree, fid->node);
	mhi_p9_fid_put(c->s, fid);
	return error;
}
