/* SPDX-License-Identifier: MIT */
/* What all 9P servers have: requests in flight, dialects, errors. */
#include "virtio/p9_server.h"

#include "virtio/p9_proto.h"

#define ERROR_TEXT 128

/* ---- requests in flight ---- */

void mhi_p9_server_init(struct mhi_p9_server *s, const struct mhi_p9_server_ops *ops)
{
	s->ops = ops;
	pthread_mutex_init(&s->lock, NULL);
	pthread_cond_init(&s->ended, NULL);
}

void mhi_p9_server_fini(struct mhi_p9_server *s)
{
	pthread_cond_destroy(&s->ended);
	pthread_mutex_destroy(&s->lock);
}

void mhi_p9_server_begin(struct mhi_p9_server *s, struct mhi_p9_req *req)
{
	u8 head[P9_HEADER];
	struct mhi_p9_in in = { head, 0, false };

	in.left = mhi_sg_get(req->out, req->outs, 0, head, sizeof(head));
	req->size = mhi_p9_get32(&in);
	req->type = mhi_p9_get8(&in);
	req->tag = mhi_p9_get16(&in);
	if (in.bad)
		req->size = 0;
	req->replied = 0;
	req->failed = false;
	req->next = NULL;
	pthread_mutex_lock(&s->lock);
	req->seq = s->seq++;
	req->prev = s->newest;
	*(s->newest ? &s->newest->next : &s->oldest) = req;
	s->newest = req;
	pthread_mutex_unlock(&s->lock);
}

void mhi_p9_server_end(struct mhi_p9_server *s, struct mhi_p9_req *req)
{
	pthread_mutex_lock(&s->lock);
	*(req->prev ? &req->prev->next : &s->oldest) = req->next;
	*(req->next ? &req->next->prev : &s->newest) = req->prev;
	pthread_cond_broadcast(&s->ended);
	pthread_mutex_unlock(&s->lock);
}

static bool older(const struct mhi_p9_server *s, const struct mhi_p9_req *req, int tag)
{
	const struct mhi_p9_req *r;

	for (r = s->oldest; r && r->seq < req->seq; r = r->next)
		if (tag < 0 || r->tag == tag)
			return true;
	return false;
}

void mhi_p9_server_wait(struct mhi_p9_server *s, const struct mhi_p9_req *req, int tag)
{
	pthread_mutex_lock(&s->lock);
	while (older(s, req, tag))
		pthread_cond_wait(&s->ended, &s->lock);
	pthread_mutex_unlock(&s->lock);
}

/* ---- dialects and errors ---- */

enum p9_dialect mhi_p9_dialect(struct mhi_p9_str version)
{
	if (mhi_p9_str_is(version, "9P2000.L"))
		return P9_2000L;
	if (mhi_p9_str_is(version, "9P2000.u"))
		return P9_2000U;
	/* "version": what is behind a period names a variant that may be answered without it. */
	if (version.len >= 6 && !memcmp(version.p, "9P2000", 6) &&
	    (version.len == 6 || version.p[6] == '.'))
		return P9_2000;
	return P9_NONE;
}

u8 mhi_p9_put_error(struct mhi_p9_out *out, enum p9_dialect dialect, int error)
{
	char text[ERROR_TEXT];
	const char *message = strerror_r(-error, text, sizeof(text));

	out->used = 0;
	out->full = false;
	if (dialect == P9_2000L || dialect == P9_NONE) {
		mhi_p9_put32(out, (u32)-error);
		return P9_RLERROR;
	}
	mhi_p9_put_str(out, message, strlen(message));
	if (dialect == P9_2000U)
		mhi_p9_put32(out, (u32)-error);
	return P9_RERROR;
}

void mhi_p9_reply_error(struct mhi_p9_req *req, u32 room, enum p9_dialect dialect, int error)
{
	u8 reply[P9_HEADER + 2 + ERROR_TEXT + 4];
	struct mhi_p9_out head = { reply, 0, P9_HEADER, false };
	struct mhi_p9_out out = { reply + P9_HEADER, 0, 0, false };
	u8 type;

	out.room = (room < sizeof(reply) ? room : sizeof(reply)) - P9_HEADER;
	type = mhi_p9_put_error(&out, dialect, error);
	if (out.full)
		return;
	req->replied = (u32)(P9_HEADER + out.used);
	mhi_p9_put32(&head, req->replied);
	mhi_p9_put8(&head, type);
	mhi_p9_put16(&head, req->tag);
	mhi_sg_put(req->in, req->ins, 0, reply, req->replied);
}
