/* SPDX-License-Identifier: MIT */
/*
 * A network card's other end that the embedder supplies. Frames to the guest wait in a list, since
 * they come from any thread.
 */
#include <stdlib.h>

#include "virtio/be_embed.h"

/* That wait, at most; one is always taken. */
#define WAITING_BYTES (1u << 20)

struct frame {
	struct frame *next;
	size_t bytes;
	u8 data[];
};

struct embed {
	struct mhi_net net;
	struct mhi_vdev_env env; /* (c) */
	struct mh_net_ops ops;	 /* (c) */
	void *opaque;		 /* (c) */
	bool adopted;		 /* (c) but for the attaching */
	struct mhi_wake wake;
	bool listening, full;	    /* (l) full: send had no room */
	u32 ready;		    /* (a) there may be room again */
	pthread_mutex_t lock;	    /* a leaf */
	struct frame *first, **end; /* (m) */
	size_t waiting;		    /* (m) bytes of theirs */
};

static struct embed *embed_of(struct mhi_net *net)
{
	return (struct embed *)net;
}

static bool is_empty(struct embed *e)
{
	bool empty;

	pthread_mutex_lock(&e->lock);
	empty = !e->first;
	pthread_mutex_unlock(&e->lock);
	return empty;
}

static void on_wake(void *opaque)
{
	struct embed *e = opaque;

	/* Paired with mhi_embed_net_ready. */
	if (__atomic_exchange_n(&e->ready, 0, __ATOMIC_SEQ_CST) && e->full) {
		e->full = false;
		e->net.user->writable(e->net.opaque, 0);
	}
	if (!e->listening || is_empty(e))
		return;
	e->net.user->readable(e->net.opaque, 0);
	if (e->listening && !is_empty(e))
		mhi_loop_wake(e->env.loop, &e->wake);
}

static u32 embed_send(struct mhi_net *net, u32 queue, const struct mhi_net_frame *frame, u32 count)
{
	struct embed *e = embed_of(net);

	for (u32 n = 0; n < count; n++) {
		if (e->ops.send(e->opaque, frame[n].iov + 1, frame[n].count - 1))
			continue;
		/* Room that has come since then is told by a wake that is on its way. */
		e->full = true;
		return n;
	}
	return count;
}

static struct frame *take(struct embed *e)
{
	struct frame *f;

	pthread_mutex_lock(&e->lock);
	f = e->first;
	if (f) {
		e->first = f->next;
		e->waiting -= f->bytes;
		if (!e->first)
			e->end = &e->first;
	}
	pthread_mutex_unlock(&e->lock);
	return f;
}

static size_t embed_receive(struct mhi_net *net, u32 queue, const struct iovec *iov, u32 count)
{
	struct frame *f = take(embed_of(net));
	size_t done = 0;

	if (!f)
		return 0;
	memset(iov[0].iov_base, 0, MHI_NET_HDR);
	for (u32 i = 1; i < count && done < f->bytes; i++) {
		size_t n = iov[i].iov_len < f->bytes - done ? iov[i].iov_len : f->bytes - done;

		memcpy(iov[i].iov_base, f->data + done, n);
		done += n;
	}
	free(f);
	return done;
}

static void embed_listen(struct mhi_net *net, u32 queue, bool on)
{
	struct embed *e = embed_of(net);

	e->listening = on;
	if (on && !is_empty(e))
		mhi_loop_wake(e->env.loop, &e->wake);
}

static void embed_close(struct mhi_net *net)
{
	struct embed *e = embed_of(net);
	struct frame *f;

	mhi_loop_cancel(e->env.loop, &e->wake);
	if (e->adopted && e->ops.close)
		e->ops.close(e->opaque);
	while ((f = take(e)))
		free(f);
	pthread_mutex_destroy(&e->lock);
	free(e);
}

static const struct mhi_net_ops embed_ops = {
	.kind = "the embedder's",
	.send = embed_send,
	.receive = embed_receive,
	.listen = embed_listen,
	.close = embed_close,
};

int mhi_embed_net_create(const struct mhi_vdev_env *env, const struct mh_net_ops *ops, void *opaque,
			 u32 mtu, struct mhi_net **out)
{
	struct embed *e = calloc(1, sizeof(*e));

	if (!e)
		return MH_ENOMEM;
	e->net = (struct mhi_net){ .ops = &embed_ops, .queues = 1, .mtu = mtu };
	e->env = *env;
	e->ops = *ops;
	e->opaque = opaque;
	e->wake = (struct mhi_wake){ .fn = on_wake, .opaque = e };
	e->end = &e->first;
	pthread_mutex_init(&e->lock, NULL);
	*out = &e->net;
	return 0;
}

bool *mhi_embed_net_adopted(struct mhi_net *net)
{
	return &embed_of(net)->adopted;
}

int mhi_embed_net_input(struct mhi_net *net, const void *frame, size_t bytes)
{
	struct embed *e = embed_of(net);
	struct frame *f;
	bool room;

	if (bytes < MHI_NET_FRAME_MIN || bytes > MHI_NET_FRAME_MAX)
		return MH_EINVAL;
	f = malloc(sizeof(*f) + bytes);
	if (!f)
		return MH_ENOMEM;
	f->next = NULL;
	f->bytes = bytes;
	memcpy(f->data, frame, bytes);
	pthread_mutex_lock(&e->lock);
	room = !e->first || bytes <= WAITING_BYTES - e->waiting;
	if (room) {
		*e->end = f;
		e->end = &f->next;
		e->waiting += bytes;
	}
	pthread_mutex_unlock(&e->lock);
	if (!room) {
		free(f);
		return MH_ENOSPC;
	}
	mhi_loop_wake(e->env.loop, &e->wake);
	return 0;
}

void mhi_embed_net_ready(struct mhi_net *net)
{
	struct embed *e = embed_of(net);

	/* Paired with the exchange in on_wake. */
	__atomic_store_n(&e->ready, 1, __ATOMIC_SEQ_CST);
	mhi_loop_wake(e->env.loop, &e->wake);
}
