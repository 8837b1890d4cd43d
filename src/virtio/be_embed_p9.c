/* SPDX-License-Identifier: MIT */
/*
 * A 9P server of the embedder's. What he is asked is whole and does not change; what the guest gets
 * of him has been looked at, so both are copied.
 */
#include <errno.h>
#include <stdlib.h>

#include "core/le.h"
#include "virtio/be_embed.h"
#include "virtio/p9_proto.h"

#define TLERROR (P9_RLERROR - 1)
#define TERROR (P9_RERROR - 1)

/* A request and its answer, while they are with the embedder. */
struct buffers {
	struct buffers *next; /* (m) of those that are free */
	u8 request[MHI_P9_MSIZE_MAX];
	u8 answer[MHI_P9_MSIZE_MAX];
};

struct embed {
	struct mhi_p9_server server;
	struct mh_p9_ops ops;	 /* (c) */
	void *opaque;		 /* (c) */
	bool adopted;		 /* (c) but for the attaching */
	pthread_mutex_t lock;	 /* protects (m); nothing is taken inside it */
	struct buffers *free;	 /* (m) */
	enum p9_dialect dialect; /* (m) */
	u32 msize;		 /* (m) */
};

struct call {
	struct embed *e;
	struct mhi_p9_req *req;
	enum p9_dialect dialect;
	u32 msize;
	u32 room;  /* for the answer, at most msize */
	u32 asked; /* a Tversion's msize, as the embedder sees it */
};

static struct embed *embed_of(struct mhi_p9_server *s)
{
	return (struct embed *)s;
}

/* NULL: out of memory. There are as many as there were calls at a time. */
static struct buffers *take(struct embed *e)
{
	struct buffers *b;

	pthread_mutex_lock(&e->lock);
	b = e->free;
	if (b)
		e->free = b->next;
	pthread_mutex_unlock(&e->lock);
	return b ? b : calloc(1, sizeof(*b));
}

static void give(struct embed *e, struct buffers *b)
{
	pthread_mutex_lock(&e->lock);
	b->next = e->free;
	e->free = b;
	pthread_mutex_unlock(&e->lock);
}

static void set_session(struct embed *e, enum p9_dialect dialect, u32 msize)
{
	pthread_mutex_lock(&e->lock);
	e->dialect = dialect;
	e->msize = msize;
	pthread_mutex_unlock(&e->lock);
}

/* ---- requests ---- */

/* What the embedder is not asked. */
static int check(const struct call *c)
{
	const struct mhi_p9_req *req = c->req;

	if (req->size < P9_HEADER || req->size > mhi_sg_bytes(req->out, req->outs))
		return -EINVAL;
	if (req->size > c->msize)
		return -EMSGSIZE;
	if ((req->type & 1) || req->type == TLERROR || req->type == TERROR)
		return -EOPNOTSUPP;
	return c->dialect == P9_NONE && req->type != P9_TVERSION ? -EOPNOTSUPP : 0;
}

/* The session ends: older requests are answered first. No msize is above the device's. */
static int fetch_version(struct call *c, u8 *message)
{
	struct mhi_p9_in in = { message + P9_HEADER, c->req->size - P9_HEADER, false };

	c->asked = mhi_p9_get32(&in);
	mhi_p9_get_str(&in);
	if (in.bad || c->asked < MHI_P9_MSIZE_MIN)
		return -EINVAL;
	if (c->asked > MHI_P9_MSIZE_MAX)
		c->asked = MHI_P9_MSIZE_MAX;
	mhi_put_le32(message + P9_HEADER, c->asked);
	mhi_p9_server_wait(&c->e->server, c->req, -1);
	return 0;
}

/* The guest may have changed the header since it was looked at. */
static int fetch(struct call *c, u8 *message)
{
	const struct mhi_p9_req *req = c->req;
	struct mhi_p9_out head = { message, 0, P9_HEADER, false };

	mhi_sg_get(req->out, req->outs, 0, message, req->size);
	mhi_p9_put32(&head, req->size);
	mhi_p9_put8(&head, req->type);
	mhi_p9_put16(&head, req->tag);
	if (req->type == P9_TVERSION)
		return fetch_version(c, message);
	return req->type == P9_TFLUSH && req->size < P9_HEADER + 2 ? -EINVAL : 0;
}

/* ---- answers ---- */

static bool is_error(const struct call *c, u8 type, struct mhi_p9_in *in)
{
	if (type == P9_RLERROR)
		return in->left == 4 && (c->dialect == P9_2000L || c->dialect == P9_NONE);
	if (type != P9_RERROR || c->dialect == P9_2000L)
		return false;
	mhi_p9_get_str(in);
	return !in->bad && (in->left == 0 || in->left == 4);
}

static bool accept_version(const struct call *c, struct mhi_p9_in *in)
{
	u32 msize = mhi_p9_get32(in);
	struct mhi_p9_str version = mhi_p9_get_str(in);

	if (in->bad || in->left || msize < MHI_P9_MSIZE_MIN || msize > c->asked)
		return false;
	set_session(c->e, mhi_p9_dialect(version), msize);
	return true;
}

/* May the guest see it? */
static bool accept(const struct call *c, const u8 *message, int bytes)
{
	struct mhi_p9_in in = { message, (size_t)bytes, false };
	u32 size;
	u8 type;

	if (bytes < P9_HEADER || (u32)bytes > c->room)
		return false;
	size = mhi_p9_get32(&in);
	type = mhi_p9_get8(&in);
	if (size != (u32)bytes || mhi_p9_get16(&in) != c->req->tag)
		return false;
	if (type != c->req->type + 1)
		return is_error(c, type, &in);
	return type != P9_TVERSION + 1 || accept_version(c, &in);
}

static int ask(struct call *c, struct buffers *b)
{
	struct embed *e = c->e;
	struct mhi_p9_req *req = c->req;
	int error = fetch(c, b->request);
	int bytes;

	if (error)
		return error;
	bytes = e->ops.answer(e->opaque, b->request, req->size, b->answer, c->room);
	/* What is flushed is answered before, or never. */
	if (req->type == P9_TFLUSH)
		mhi_p9_server_wait(&e->server, req, mhi_get_le16(b->request + P9_HEADER));
	req->failed = !accept(c, b->answer, bytes);
	if (req->failed)
		return -EIO;
	req->replied = (u32)mhi_sg_put(req->in, req->ins, 0, b->answer, (size_t)bytes);
	return 0;
}

static void embed_run(struct mhi_p9_server *s, struct mhi_p9_req *req)
{
	size_t room = mhi_sg_bytes(req->in, req->ins);
	struct call c = { .e = embed_of(s), .req = req };
	struct buffers *b;
	int error;

	pthread_mutex_lock(&c.e->lock);
	c.dialect = c.e->dialect;
	c.msize = c.e->msize;
	pthread_mutex_unlock(&c.e->lock);
	c.room = room < c.msize ? (u32)room : c.msize;
	if (!req->size || c.room < P9_HEADER)
		return;
	error = check(&c);
	if (!error) {
		b = take(c.e);
		error = b ? ask(&c, b) : -ENOMEM;
		if (b)
			give(c.e, b);
	}
	if (error)
		mhi_p9_reply_error(req, c.room, c.dialect, error);
}

/* ---- life ---- */

static void embed_reset(struct mhi_p9_server *s)
{
	struct embed *e = embed_of(s);

	set_session(e, P9_NONE, MHI_P9_MSIZE_MAX);
	if (e->ops.reset)
		e->ops.reset(e->opaque);
}

static void embed_destroy(struct mhi_p9_server *s)
{
	struct embed *e = embed_of(s);
	struct buffers *b;

	if (e->adopted && e->ops.close)
		e->ops.close(e->opaque);
	while ((b = e->free)) {
		e->free = b->next;
		free(b);
	}
	pthread_mutex_destroy(&e->lock);
	mhi_p9_server_fini(s);
	free(e);
}

static const struct mhi_p9_server_ops embed_ops = {
	.run = embed_run,
	.reset = embed_reset,
	.destroy = embed_destroy,
};

int mhi_embed_p9_create(const struct mh_p9_ops *ops, void *opaque, struct mhi_p9_server **out)
{
	struct embed *e = calloc(1, sizeof(*e));

	if (!e)
		return MH_ENOMEM;
	mhi_p9_server_init(&e->server, &embed_ops);
	pthread_mutex_init(&e->lock, NULL);
	e->ops = *ops;
	e->opaque = opaque;
	e->msize = MHI_P9_MSIZE_MAX;
	*out = &e->server;
	return 0;
}

bool *mhi_embed_p9_adopted(struct mhi_p9_server *server)
{
	return &embed_of(server)->adopted;
}
