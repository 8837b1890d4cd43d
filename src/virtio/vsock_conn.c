/* SPDX-License-Identifier: MIT */
/* virtio-vsock: connections, from the wish for one to its end; which packet is due next. */
#include "virtio/vsock_priv.h"

#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "core/le.h"

/* ---- finding, making, ending ---- */

static struct vsock_link *bucket(struct vsock *v, u32 guest_port, u32 host_port)
{
	return &v->hash[(guest_port * 31 + host_port) % VSOCK_HASH];
}

struct vsock_conn *mhi_vsock_find(struct vsock *v, u32 guest_port, u32 host_port)
{
	struct vsock_link *list = bucket(v, guest_port, host_port);

	for (struct vsock_link *at = list->next; at != list; at = at->next) {
		struct vsock_conn *c = VSOCK_CONN(at, hash);

		if (c->guest_port == guest_port && c->host_port == host_port)
			return c;
	}
	return NULL;
}

struct vsock_conn *mhi_vsock_conn_new(struct vsock *v, enum vsock_state state, u16 type, int fd)
{
	struct vsock_conn *c = v->count < v->is.connections ? calloc(1, sizeof(*c)) : NULL;

	if (!c)
		return NULL;
	c->v = v;
	c->state = state;
	c->type = type;
	c->fd = fd;
	vsock_link_init(&c->hash);
	vsock_link_init(&c->ready);
	vsock_link_to(&v->all, &c->all);
	v->count++;
	return c;
}

static void known(struct vsock_conn *c, u32 guest_port, u32 host_port)
{
	c->guest_port = guest_port;
	c->host_port = host_port;
	vsock_link_to(bucket(c->v, guest_port, host_port), &c->hash);
}

static void due(struct vsock_conn *c, enum vsock_op op)
{
	c->due |= VSOCK_DUE(op);
	if (!vsock_linked(&c->ready))
		vsock_link_to(&c->v->ready, &c->ready);
}

static void close_fd(struct vsock_conn *c)
{
	mhi_loop_unwatch(c->watch);
	c->watch = NULL;
	c->watched = 0;
	if (c->fd >= 0)
		close(c->fd);
	c->fd = -1;
}

void mhi_vsock_kill(struct vsock_conn *c)
{
	c->state = VSOCK_DEAD;
	vsock_unlink(&c->hash);
	vsock_unlink(&c->ready);
	vsock_unlink(&c->all);
	vsock_link_to(&c->v->dead, &c->all);
	mhi_loop_wake(c->v->dev.env.loop, &c->v->reap);
}

void mhi_vsock_reap(struct vsock *v)
{
	while (vsock_linked(&v->dead)) {
		struct vsock_conn *c = VSOCK_CONN(v->dead.next, all);

		vsock_unlink(&c->all);
		close_fd(c);
		free(c->ring);
		free(c->message);
		free(c);
		v->count--;
	}
}

void mhi_vsock_reset_conn(struct vsock_conn *c)
{
	if (!vsock_linked(&c->hash)) {
		mhi_vsock_kill(c);
		return;
	}
	close_fd(c);
	free(c->ring);
	free(c->message);
	c->ring = c->message = NULL;
	c->count = 0;
	c->record = false;
	c->state = VSOCK_DYING;
	c->due = 0;
	due(c, VSOCK_OP_RST);
}

/* The guest does not know it any more. What it sent before it said that it was done still goes. */
static void forgotten(struct vsock_conn *c)
{
	if (c->state != VSOCK_OPEN || !(c->guest_shut & VSOCK_SHUT_SEND) || !c->count) {
		mhi_vsock_kill(c);
		return;
	}
	c->state = VSOCK_LINGER;
	vsock_unlink(&c->hash);
	vsock_unlink(&c->ready);
}

void mhi_vsock_kill_all(struct vsock *v)
{
	struct vsock_link *at = v->all.next;

	while (at != &v->all) {
		struct vsock_conn *c = VSOCK_CONN(at, all);

		at = at->next;
		if (vsock_linked(&c->hash))
			forgotten(c);
	}
}

/* ---- packets ---- */

u32 mhi_vsock_put(struct vsock *v, const struct vsock_header *h)
{
	u8 raw[VSOCK_HEADER];

	mhi_put_le64(raw, h->src_cid);
	mhi_put_le64(raw + 8, h->dst_cid);
	mhi_put_le32(raw + 16, h->src_port);
	mhi_put_le32(raw + 20, h->dst_port);
	mhi_put_le32(raw + 24, h->len);
	mhi_put_le16(raw + 28, h->type);
	mhi_put_le16(raw + 30, h->op);
	mhi_put_le32(raw + 32, h->flags);
	mhi_put_le32(raw + 36, h->buf_alloc);
	mhi_put_le32(raw + 40, h->fwd_cnt);
	return (u32)mhi_chain_write(&v->rx, 0, raw, sizeof(raw));
}

u32 mhi_vsock_put_conn(struct vsock_conn *c, enum vsock_op op, u32 flags, u32 len)
{
	const struct vsock_header h = { .src_cid = VSOCK_HOST_CID,
					.dst_cid = c->v->is.cid,
					.src_port = c->host_port,
					.dst_port = c->guest_port,
					.len = len,
					.type = c->type,
					.op = (u16)op,
					.flags = flags,
					.buf_alloc = VSOCK_WINDOW,
					.fwd_cnt = c->fwd_cnt };

	c->told_fwd = c->fwd_cnt;
	c->due &= ~(VSOCK_DUE(op) | VSOCK_DUE(VSOCK_OP_CREDIT_UPDATE));
	return mhi_vsock_put(c->v, &h) + len;
}

u32 mhi_vsock_turn(struct vsock_conn *c)
{
	static const enum vsock_op order[] = { VSOCK_OP_REQUEST, VSOCK_OP_RESPONSE, VSOCK_OP_RST,
					       VSOCK_OP_SHUTDOWN, VSOCK_OP_CREDIT_REQUEST };
	u32 bytes;

	for (size_t i = 0; i < MHI_COUNT(order); i++) {
		if (!(c->due & VSOCK_DUE(order[i])))
			continue;
		bytes = mhi_vsock_put_conn(c, order[i],
					   order[i] == VSOCK_OP_SHUTDOWN ? c->host_shut : 0, 0);
		if (order[i] == VSOCK_OP_RST)
			mhi_vsock_kill(c);
		return bytes;
	}
	/* Any packet tells the credit. */
	if (mhi_vsock_has_data(c) && mhi_vsock_credit(c))
		return mhi_vsock_give(c);
	return mhi_vsock_put_conn(c, VSOCK_OP_CREDIT_UPDATE, 0, 0);
}

/* ---- what the guest wants ---- */

void mhi_vsock_ask(struct vsock_conn *c, u32 guest_port)
{
	struct vsock *v = c->v;
	u32 port;

	do {
		port = v->next_port;
		v->next_port = port == VSOCK_LAST_PORT ? VSOCK_FIRST_PORT : port + 1;
	} while (mhi_vsock_find(v, guest_port, port));
	known(c, guest_port, port);
	c->state = VSOCK_ASKED;
	due(c, VSOCK_OP_REQUEST);
}

/*
 * What the guest has read, and has room for. Its threads may overtake each other: an older count
 * means nothing. false: it has read what it was not sent.
 */
static bool take_credit(struct vsock_conn *c, const struct vsock_header *h)
{
	u32 advance = h->fwd_cnt - c->peer_fwd;

	c->peer_alloc = h->buf_alloc;
	if (advance <= c->tx_cnt - c->peer_fwd)
		c->peer_fwd = h->fwd_cnt;
	else if (advance < 0x80000000u)
		return false;
	if (mhi_vsock_credit(c))
		c->credit_asked = false;
	return true;
}

void mhi_vsock_accepted(struct vsock_conn *c, const struct vsock_header *h)
{
	known(c, h->src_port, h->dst_port);
	due(c, VSOCK_OP_RESPONSE);
	if (!take_credit(c, h))
		mhi_vsock_reset_conn(c);
	mhi_vsock_update(c);
}

static void answered(struct vsock_conn *c, const struct vsock_header *h)
{
	if (h->op == VSOCK_OP_RST)
		mhi_vsock_kill(c);
	else if (h->op != VSOCK_OP_RESPONSE || (c->hello && !mhi_vsock_greet(c)))
		mhi_vsock_reset_conn(c);
	else
		c->state = VSOCK_OPEN;
}

static void opened(struct vsock_conn *c, const struct vsock_header *h)
{
	switch (h->op) {
	case VSOCK_OP_RW:
		if ((c->guest_shut & VSOCK_SHUT_SEND) || !mhi_vsock_take(c, h->flags, h->len))
			mhi_vsock_reset_conn(c);
		break;
	case VSOCK_OP_SHUTDOWN:
		mhi_vsock_shut(c, h->flags & VSOCK_SHUT_BOTH);
		break;
	case VSOCK_OP_RST:
		forgotten(c);
		break;
	case VSOCK_OP_CREDIT_UPDATE:
		break;
	case VSOCK_OP_CREDIT_REQUEST:
		due(c, VSOCK_OP_CREDIT_UPDATE);
		break;
	default:
		mhi_vsock_reset_conn(c);
	}
}

void mhi_vsock_packet(struct vsock *v, const struct vsock_header *h)
{
	struct vsock_conn *c = mhi_vsock_find(v, h->src_port, h->dst_port);

	if (c->state == VSOCK_DYING) {
		if (h->op == VSOCK_OP_RST)
			mhi_vsock_kill(c);
		return;
	}
	if (h->type != c->type || !take_credit(c, h))
		mhi_vsock_reset_conn(c);
	else if (c->state == VSOCK_ASKED)
		answered(c, h);
	else
		opened(c, h);
	mhi_vsock_update(c);
}

/* ---- what the host's end wants ---- */

static unsigned int wanted(const struct vsock_conn *c)
{
	/* Who is gone stays gone; a hang-up would be told for ever. */
	if (c->fd < 0 || c->hup)
		return 0;
	switch (c->state) {
	case VSOCK_HELLO:
		return MHI_WATCH_READ;
	case VSOCK_ASKED:
		return MHI_WATCH_HUP;
	case VSOCK_OPEN:
		return MHI_WATCH_HUP | (mhi_vsock_blocked(c) ? MHI_WATCH_WRITE : 0) |
		       (!c->eof && !c->message && !c->readable &&
					!(c->guest_shut & VSOCK_SHUT_RECEIVE)
				? MHI_WATCH_READ
				: 0);
	case VSOCK_LINGER:
		return MHI_WATCH_WRITE;
	case VSOCK_DYING:
	case VSOCK_DEAD:
		break;
	}
	return 0;
}

void mhi_vsock_update(struct vsock_conn *c)
{
	unsigned int events;
	int rc = 0;

	if (c->state == VSOCK_DEAD)
		return;
	if (mhi_vsock_has_data(c)) {
		if (mhi_vsock_credit(c)) {
			if (!vsock_linked(&c->ready))
				vsock_link_to(&c->v->ready, &c->ready);
		} else if (!c->credit_asked) {
			c->credit_asked = true;
			due(c, VSOCK_OP_CREDIT_REQUEST);
		}
	}
	if (c->due && !vsock_linked(&c->ready))
		vsock_link_to(&c->v->ready, &c->ready);
	events = wanted(c);
	if (events == c->watched)
		return;
	c->watched = events;
	if (c->watch)
		mhi_watch_events(c->watch, events);
	else
		rc = mhi_loop_watch(c->v->dev.env.loop, c->fd, events, mhi_vsock_on_watch, c,
				    &c->watch);
	if (rc)
		mhi_vsock_reset_conn(c);
}

static void looked(struct vsock_conn *c, unsigned int events)
{
	c->readable |= (events & MHI_WATCH_READ) != 0;
	c->hup |= (events & MHI_WATCH_HUP) != 0;
	if (c->state == VSOCK_HELLO)
		mhi_vsock_hello(c);
	else if (c->state == VSOCK_ASKED && c->hello && c->hup)
		mhi_vsock_reset_conn(c);
	else if (c->state == VSOCK_OPEN && c->hup && c->eof)
		mhi_vsock_broken(c);
	else if (c->state == VSOCK_OPEN || c->state == VSOCK_LINGER)
		mhi_vsock_flush(c);
	mhi_vsock_update(c);
}

void mhi_vsock_on_watch(void *opaque, unsigned int events)
{
	struct vsock_conn *c = opaque;
	struct vsock *v = c->v;

	mhi_vdev_enter(&v->dev);
	if (c->state != VSOCK_DEAD)
		looked(c, events);
	mhi_vsock_pump(v);
	mhi_vsock_reap(v);
	mhi_vdev_leave(&v->dev);
}
