/* SPDX-License-Identifier: MIT */
/* virtio-net. virtio 1.2, 5.1 "Network Device". */
#include "virtio/vnet.h"

#include <stdlib.h>

#include "core/le.h"
#include "virtio/vnet_priv.h"

#define DEVICE_ID 1
#define CLASS_ETHERNET 0x020000
#define QUEUE_SIZE 256
#define CTRL_QUEUE_SIZE 64

/* ---- what the back end is told ---- */

/* The driver speaks on vCPU threads: the back end hears of it here, on the loop's. */
static void tell_back_end(struct vnet *v)
{
	if (!v->queues_due)
		return;
	v->queues_due = false;
	if (v->net->ops->offloads)
		v->net->ops->offloads(v->net, vnet_guest_takes(v) & v->net->gives);
	if (v->net->ops->queues)
		v->net->ops->queues(v->net, v->pairs);
	/* Kicks of queues that were not in use yet. */
	for (u32 q = 0; q < 2 * v->pairs; q++)
		mhi_vdev_again(&v->dev, q);
}

/* ---- the device's side of the back end ---- */

static void on_readable(void *opaque, u32 queue)
{
	struct vnet *v = opaque;

	mhi_vdev_enter(&v->dev);
	tell_back_end(v);
	vnet_rx_pump(v, queue);
	mhi_vdev_leave(&v->dev);
}

static void on_writable(void *opaque, u32 queue)
{
	struct vnet *v = opaque;

	mhi_vdev_enter(&v->dev);
	if (mhi_vdev_live(&v->dev) && queue < v->pairs)
		vnet_tx_kick(v, queue);
	mhi_vdev_leave(&v->dev);
}

static const struct mhi_net_user user = { .readable = on_readable, .writable = on_writable };

/* ---- the model ---- */

static void vnet_kick(struct mhi_vdev *dev, unsigned int q)
{
	struct vnet *v = dev->model;

	tell_back_end(v);
	if (q == vnet_ctrl_queue(v)) {
		vnet_ctrl_kick(v, q);
		tell_back_end(v);
		return;
	}
	if (q / 2 >= v->pairs)
		return;
	if (q & 1)
		vnet_tx_kick(v, q / 2);
	if (!(q & 1) || v->net->waiting)
		vnet_rx_pump(v, q / 2);
}

static void vnet_start(struct mhi_vdev *dev)
{
	struct vnet *v = dev->model;

	v->offloads = dev->accepted & NET_GUEST_OFFLOADS;
	v->queues_due = true;
}

static void vnet_reset(struct mhi_vdev *dev)
{
	struct vnet *v = dev->model;

	for (u32 pair = 0; pair < v->pairs_max; pair++)
		vnet_rx_reset(v, pair);
	vnet_filter_reset(v);
	memcpy(dev->config + NET_C_MAC, v->mac, sizeof(v->mac));
	mhi_put_le16(dev->config + NET_C_STATUS, NET_S_LINK_UP);
	v->offloads = 0;
	v->pairs = 1;
	v->queues_due = true;
}

static void vnet_pause(struct mhi_vdev *dev)
{
	struct vnet *v = dev->model;

	for (u32 pair = 0; pair < v->pairs_max; pair++)
		vnet_rx_pause(v, pair);
}

static void close_back_end(void *opaque)
{
	struct mhi_net *net = opaque;

	net->ops->close(net);
}

static void vnet_free(struct vnet *v)
{
	for (u32 pair = 0; pair < v->pairs_max; pair++)
		free(v->rx[pair].spill);
	free(v->flat);
	free(v->tx);
	free(v);
}

static void vnet_destroy(struct mhi_vdev *dev)
{
	struct vnet *v = dev->model;

	mhi_loop_call(dev->env.loop, close_back_end, v->net);
	mhi_vdev_fini(dev);
	vnet_free(v);
}

static const struct mhi_vdev_ops vnet_ops = {
	.name = "virtio-net",
	.id = DEVICE_ID,
	.class_code = CLASS_ETHERNET,
	.kick = vnet_kick,
	.start = vnet_start,
	.reset = vnet_reset,
	.pause = vnet_pause,
	.destroy = vnet_destroy,
};

static void describe(struct vnet *v)
{
	struct mhi_vdev *dev = &v->dev;
	const struct mhi_net *net = v->net;

	/* To the back end everything may be left: what it does not take is done in software. */
	dev->offered = NET_F_CSUM | NET_F_HOST_TSO4 | NET_F_HOST_TSO6 | NET_F_HOST_ECN |
		       NET_F_GUEST_CSUM | NET_F_CTRL_GUEST_OFFLOADS | NET_F_MTU | NET_F_MAC |
		       NET_F_MRG_RXBUF | NET_F_STATUS | NET_F_CTRL_VQ | NET_F_CTRL_RX |
		       NET_F_CTRL_VLAN | NET_F_CTRL_RX_EXTRA | NET_F_GUEST_ANNOUNCE |
		       NET_F_CTRL_MAC_ADDR;
	if (net->gives & MHI_NET_TSO4)
		dev->offered |= NET_F_GUEST_TSO4;
	if (net->gives & MHI_NET_TSO6)
		dev->offered |= NET_F_GUEST_TSO6;
	if (net->gives & MHI_NET_ECN)
		dev->offered |= NET_F_GUEST_ECN;
	if (v->pairs_max > 1)
		dev->offered |= NET_F_MQ;
	dev->config_bytes = NET_CONFIG_BYTES;
	mhi_put_le16(dev->config + NET_C_PAIRS, (u16)v->pairs_max);
	mhi_put_le16(dev->config + NET_C_MTU, (u16)net->mtu);
}

static bool allocate(struct vnet *v)
{
	bool ok;

	v->tx = calloc(VNET_TX_BATCH, sizeof(*v->tx));
	v->flat = malloc(MHI_NET_FRAME_MAX);
	ok = v->tx && v->flat;
	for (u32 pair = 0; pair < v->pairs_max; pair++) {
		v->rx[pair].spill = malloc(MHI_NET_FRAME_MAX);
		ok &= v->rx[pair].spill != NULL;
	}
	return ok;
}

int mhi_vnet_create(const struct mhi_vdev_env *env, const struct mhi_vnet_config *config,
		    struct mhi_vdev **out)
{
	u32 pairs = config->net->queues;
	struct vnet *v = calloc(1, sizeof(*v) + pairs * sizeof(v->rx[0]));
	u16 sizes[2 * MHI_NET_QUEUES_MAX + 1];

	if (!v)
		return MH_ENOMEM;
	v->net = config->net;
	v->pairs_max = pairs;
	memcpy(v->mac, config->mac, sizeof(v->mac));
	v->dev.ops = &vnet_ops;
	v->dev.model = v;
	v->dev.env = *env;
	describe(v);
	for (u32 q = 0; q < 2 * pairs; q++)
		sizes[q] = QUEUE_SIZE;
	sizes[2 * pairs] = CTRL_QUEUE_SIZE;
	if (!allocate(v) || mhi_vdev_init(&v->dev, sizes, 2 * pairs + 1)) {
		vnet_free(v);
		return MH_ENOMEM;
	}
	vnet_reset(&v->dev);
	v->net->opaque = v;
	v->net->user = &user;
	*out = &v->dev;
	return 0;
}
