/* SPDX-License-Identifier: MIT */
/*
 * virtio-vsock: the queues, and the life of the device. virtio 1.2, 5.10 "Socket Device". What the
 * guest may have outstanding is bounded: by its credit in each connection, by the number of
 * connections, and by the queue of refusals, behind which it waits.
 */

#include "virtio/vsock_priv.h"

#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "core/le.h"

#define CLASS_OTHER 0xff0000
#define QUEUE_SIZE 256
#define QUEUES 3
#define BATCH 64

/* 5.10.3 "Feature bits". */
#define F_STREAM MHI_BIT(0)
#define F_SEQPACKET MHI_BIT(1)

#define EVENT_BYTES 4 /* le32 id: 0, VIRTIO_VSOCK_EVENT_TRANSPORT_RESET */

static struct vsock *model(struct mhi_vdev *dev)
{
	return dev->model;
}

bool mhi_vsock_ready(const struct vsock *v)
{
	const struct mhi_vdev *dev = &v->dev;

	return !dev->reset_pending &&
	       (dev->status & (VIRTIO_DRIVER_OK | VIRTIO_NEEDS_RESET)) == VIRTIO_DRIVER_OK;
}

/* ---- to the guest ---- */

static u32 put_rst(struct vsock *v)
{
	const struct vsock_header *to = &v->rst[--v->rsts];
	const struct vsock_header h = { .src_cid = to->dst_cid,
					.dst_cid = to->src_cid,
					.src_port = to->dst_port,
					.dst_port = to->src_port,
					.type = to->type,
					.op = VSOCK_OP_RST };

	if (v->tx_waits) {
		v->tx_waits = false;
		mhi_vdev_again(&v->dev, VSOCK_TX);
	}
	return mhi_vsock_put(v, &h);
}

static u32 fill(struct vsock *v)
{
	struct vsock_conn *c;
	u32 bytes;

	if (v->rx.in_bytes < VSOCK_HEADER) {
		mhi_vdev_complain(&v->dev, "a buffer is too small for a packet");
		return 0;
	}
	if (v->rsts)
		return put_rst(v);
	c = VSOCK_CONN(v->ready.next, ready);
	vsock_unlink(&c->ready);
	bytes = mhi_vsock_turn(c);
	mhi_vsock_update(c);
	return bytes;
}

void mhi_vsock_pump(struct vsock *v)
{
	u32 bytes;

	for (unsigned int n = 0; n < BATCH; n++) {
		if (!v->rsts && !vsock_linked(&v->ready))
			return;
		/* None: the driver's next kick will come. */
		if (!mhi_vdev_pop(&v->dev, VSOCK_RX, &v->rx))
			return;
		bytes = fill(v);
		mhi_vdev_push(&v->dev, VSOCK_RX, v->rx.id, bytes);
		mhi_vdev_count(&v->dev, bytes, 0);
	}
	mhi_vdev_again(&v->dev, VSOCK_RX);
}

static void send_event(struct vsock *v)
{
	static const u8 reset[EVENT_BYTES];

	if (!v->event || !mhi_vdev_pop(&v->dev, VSOCK_EVENT, &v->rx))
		return;
	v->event = false;
	mhi_vdev_push(&v->dev, VSOCK_EVENT, v->rx.id,
		      (u32)mhi_chain_write(&v->rx, 0, reset, sizeof(reset)));
}

/* ---- from the guest ---- */

static void read_header(const u8 *raw, struct vsock_header *h)
{
	*h = (struct vsock_header){
		.src_cid = mhi_get_le64(raw),
		.dst_cid = mhi_get_le64(raw + 8),
		.src_port = mhi_get_le32(raw + 16),
		.dst_port = mhi_get_le32(raw + 20),
		.len = mhi_get_le32(raw + 24),
		.type = mhi_get_le16(raw + 28),
		.op = mhi_get_le16(raw + 30),
		.flags = mhi_get_le32(raw + 32),
		.buf_alloc = mhi_get_le32(raw + 36),
		.fwd_cnt = mhi_get_le32(raw + 40),
	};
}

static void refuse(struct vsock *v, const struct vsock_header *h)
{
	/* An answer to RST would be answered. */
	if (h->op != VSOCK_OP_RST)
		v->rst[v->rsts++] = *h;
}

static void request(struct vsock *v, const struct vsock_header *h)
{
	struct vsock_conn *c = NULL;
	int fd = -1;

	if (v->count < v->is.connections)
		fd = mhi_vsock_reach(v, h->dst_port, h->type);
	/* The lock was let go: it may exist now, and the driver may be gone. */
	if (fd >= 0 && mhi_vsock_ready(v) && !mhi_vsock_find(v, h->src_port, h->dst_port))
		c = mhi_vsock_conn_new(v, VSOCK_OPEN, h->type, fd);
	if (c)
		mhi_vsock_accepted(c, h);
	else if (fd >= 0)
		close(fd);
	if (!c && mhi_vsock_ready(v))
		refuse(v, h);
}

static bool type_known(const struct vsock *v, u16 type)
{
	return type == MHI_VSOCK_STREAM ||
	       (type == MHI_VSOCK_SEQPACKET && mhi_vdev_has(&v->dev, F_SEQPACKET));
}

static void packet(struct vsock *v)
{
	struct vsock_header h;
	u8 raw[VSOCK_HEADER];

	if (mhi_chain_read(&v->tx, 0, raw, sizeof(raw)) < sizeof(raw)) {
		mhi_vdev_complain(&v->dev, "a packet has no whole header");
		return;
	}
	read_header(raw, &h);
	if (h.src_cid != v->is.cid || h.len > v->tx.out_bytes - VSOCK_HEADER) {
		mhi_vdev_complain(&v->dev,
				  "a packet has another's address, or is shorter than it says");
		return;
	}
	if (h.dst_cid != VSOCK_HOST_CID || !type_known(v, h.type))
		refuse(v, &h);
	else if (mhi_vsock_find(v, h.src_port, h.dst_port))
		mhi_vsock_packet(v, &h);
	else if (h.op == VSOCK_OP_REQUEST)
		request(v, &h);
	else
		refuse(v, &h);
}

static void take_packets(struct vsock *v)
{
	for (unsigned int n = 0; n < BATCH; n++) {
		if (v->rsts == VSOCK_RSTS) {
			v->tx_waits = true;
			return;
		}
		if (!mhi_vdev_pop(&v->dev, VSOCK_TX, &v->tx))
			return;
		packet(v);
		mhi_vdev_push(&v->dev, VSOCK_TX, v->tx.id, 0);
		mhi_vdev_count(&v->dev, 0, v->tx.out_bytes);
	}
	mhi_vdev_again(&v->dev, VSOCK_TX);
}

static void vsock_kick(struct mhi_vdev *dev, unsigned int q)
{
	struct vsock *v = model(dev);

	if (q == VSOCK_EVENT)
		send_event(v);
	if (q == VSOCK_TX)
		take_packets(v);
	mhi_vsock_pump(v);
	mhi_vsock_reap(v);
}

/* ---- the host's side ---- */

int mhi_vsock_connect(struct mhi_vdev *dev, u32 port, u32 type, struct mhi_err *err)
{
	int kind = type == MHI_VSOCK_SEQPACKET ? SOCK_SEQPACKET : SOCK_STREAM;
	struct vsock *v = model(dev);
	struct vsock_conn *c = NULL;
	int pair[2], rc = 0;

	if (socketpair(AF_UNIX, kind | SOCK_CLOEXEC, 0, pair))
		return mhi_err_set(err, MH_ENOMEM,
				   "no file descriptors or no memory for sockets; free some, or "
				   "raise the limit (ulimit -n)");
	pthread_mutex_lock(&dev->lock);
	if (!mhi_vsock_ready(v))
		rc = mhi_err_set(err, MH_ESTATE,
				 "the guest's driver is not there (yet); try again when the guest "
				 "has booted");
	else if (!type_known(v, (u16)type))
		rc = mhi_err_set(
			err, MH_ENOTSUP,
			"the guest's driver has no SEQPACKET sockets; use MH_VSOCK_STREAM");
	else if (v->count >= v->is.connections)
		rc = mhi_err_set(
			err, MH_ERANGE,
			"there are %u connections already; close some, or raise config.connections",
			v->count);
	else if (!(c = mhi_vsock_conn_new(v, VSOCK_ASKED, (u16)type, pair[0])))
		rc = mhi_err_set(err, MH_ENOMEM, MHI_NO_MEMORY);
	else
		mhi_vsock_ask(c, port);
	pthread_mutex_unlock(&dev->lock);
	if (rc) {
		close(pair[0]);
		close(pair[1]);
		return rc;
	}
	mhi_vdev_kick(dev, VSOCK_RX);
	return pair[1];
}

void mhi_vsock_cut(struct mhi_vdev *dev, u64 cid)
{
	struct vsock *v = model(dev);

	pthread_mutex_lock(&dev->lock);
	mhi_vsock_kill_all(v);
	if (cid) {
		v->is.cid = cid;
		mhi_put_le64(dev->config, cid);
		dev->generation++;
	}
	v->event = mhi_vsock_ready(v);
	pthread_mutex_unlock(&dev->lock);
	mhi_vdev_kick(dev, VSOCK_EVENT);
}

/* ---- life ---- */

static void vsock_reset(struct mhi_vdev *dev)
{
	struct vsock *v = model(dev);

	mhi_vsock_kill_all(v);
	v->rsts = 0;
	v->tx_waits = false;
	v->event = false;
}

/* Sockets are the loop's to close. */
static void reap(void *opaque)
{
	struct vsock *v = opaque;

	mhi_vdev_enter(&v->dev);
	mhi_vsock_reap(v);
	mhi_vdev_leave(&v->dev);
}

static void shut(void *opaque)
{
	struct vsock *v = opaque;

	mhi_vsock_unlisten(v);
	while (vsock_linked(&v->all))
		mhi_vsock_kill(VSOCK_CONN(v->all.next, all));
	mhi_vsock_reap(v);
	mhi_loop_cancel(v->dev.env.loop, &v->reap);
}

static void vsock_destroy(struct mhi_vdev *dev)
{
	struct vsock *v = model(dev);

	mhi_loop_call(dev->env.loop, shut, v);
	mhi_vdev_fini(dev);
	free(v->path);
	free(v);
}

static const struct mhi_vdev_ops vsock_ops = {
	.name = "virtio-vsock",
	.id = MHI_VSOCK_ID,
	.class_code = CLASS_OTHER,
	.kick = vsock_kick,
	.reset = vsock_reset,
	.destroy = vsock_destroy,
};

static void vsock_init(struct vsock *v, const struct mhi_vdev_env *env)
{
	v->dev.ops = &vsock_ops;
	v->dev.model = v;
	v->dev.env = *env;
	v->dev.offered = F_STREAM | F_SEQPACKET;
	v->dev.config_bytes = 8;
	mhi_put_le64(v->dev.config, v->is.cid);
	v->reap = (struct mhi_wake){ .fn = reap, .opaque = v };
	v->next_port = VSOCK_FIRST_PORT;
	v->listener = v->spare = -1;
	vsock_link_init(&v->all);
	vsock_link_init(&v->dead);
	vsock_link_init(&v->ready);
	for (unsigned int n = 0; n < VSOCK_HASH; n++)
		vsock_link_init(&v->hash[n]);
}

int mhi_vsock_create(const struct mhi_vdev_env *env, const struct mhi_vsock_config *config,
		     struct mhi_vdev **out, struct mhi_err *err)
{
	static const u16 sizes[QUEUES] = { QUEUE_SIZE, QUEUE_SIZE, QUEUE_SIZE };
	struct vsock *v = calloc(1, sizeof(*v));
	int rc;

	if (!v)
		return mhi_err_set(err, MH_ENOMEM, MHI_NO_MEMORY);
	v->is = *config;
	if (!v->is.connections)
		v->is.connections = MHI_VSOCK_CONNECTIONS;
	vsock_init(v, env);
	v->path = config->path ? strdup(config->path) : NULL;
	if ((config->path && !v->path) || mhi_vdev_init(&v->dev, sizes, QUEUES)) {
		free(v->path);
		free(v);
		return mhi_err_set(err, MH_ENOMEM, MHI_NO_MEMORY);
	}
	v->is.path = v->path;
	rc = v->path ? mhi_vsock_listen(v, err) : 0;
	if (rc) {
		vsock_destroy(&v->dev);
		return rc;
	}
	*out = &v->dev;
	return 0;
}
