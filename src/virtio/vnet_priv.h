/* SPDX-License-Identifier: MIT */
/* virtio-net's parts: the device and its transmission, reception, control. */
#ifndef MHI_VIRTIO_VNET_PRIV_H
#define MHI_VIRTIO_VNET_PRIV_H

#include "core/net.h"
#include "virtio/net_frame.h"
#include "virtio/vdev.h"

/* virtio 1.2, 5.1.3 "Feature bits". */
#define NET_F_CSUM MHI_BIT(0)
#define NET_F_GUEST_CSUM MHI_BIT(1)
#define NET_F_CTRL_GUEST_OFFLOADS MHI_BIT(2)
#define NET_F_MTU MHI_BIT(3)
#define NET_F_MAC MHI_BIT(5)
#define NET_F_GUEST_TSO4 MHI_BIT(7)
#define NET_F_GUEST_TSO6 MHI_BIT(8)
#define NET_F_GUEST_ECN MHI_BIT(9)
#define NET_F_HOST_TSO4 MHI_BIT(11)
#define NET_F_HOST_TSO6 MHI_BIT(12)
#define NET_F_HOST_ECN MHI_BIT(13)
#define NET_F_MRG_RXBUF MHI_BIT(15)
#define NET_F_STATUS MHI_BIT(16)
#define NET_F_CTRL_VQ MHI_BIT(17)
#define NET_F_CTRL_RX MHI_BIT(18)
#define NET_F_CTRL_VLAN MHI_BIT(19)
#define NET_F_CTRL_RX_EXTRA MHI_BIT(20)
#define NET_F_GUEST_ANNOUNCE MHI_BIT(21)
#define NET_F_MQ MHI_BIT(22)
#define NET_F_CTRL_MAC_ADDR MHI_BIT(23)
/* Those that CTRL_GUEST_OFFLOADS switches (5.1.6.5.6). */
#define NET_GUEST_OFFLOADS \
	(NET_F_GUEST_CSUM | NET_F_GUEST_TSO4 | NET_F_GUEST_TSO6 | NET_F_GUEST_ECN)

/* 5.1.4 "Device configuration layout". */
#define NET_C_MAC 0
#define NET_C_STATUS 6
#define NET_C_PAIRS 8
#define NET_C_MTU 10
#define NET_CONFIG_BYTES 12
#define NET_S_LINK_UP 1
#define NET_S_ANNOUNCE 2

#define VNET_MACS 64
#define VNET_VLANS 4096
#define VNET_TX_BATCH 16
#define VNET_RX_BUFS 64

/* What the guest wants to receive. */
struct vnet_filter {
	bool all, all_multi, all_uni, no_multi, no_uni, no_broadcast;
	bool many_uni, many_multi; /* more addresses than there is room for */
	u32 unis, macs;		   /* mac: unicast addresses, then others */
	u8 mac[VNET_MACS][6];
	u8 vlan[VNET_VLANS / 8]; /* bits */
};

/* Buffers of a receive queue, popped ahead, so that a frame goes right into them. */
struct vnet_rx {
	struct {
		struct mhi_chain_id id;
		u32 iovs, bytes;
	} buf[VNET_RX_BUFS];
	u32 bufs, iovs;
	u64 room;			    /* bytes, with headers */
	struct iovec iov[MHI_NET_IOVS_MAX]; /* of all buffers; the last ones of a call are ours */
	u32 large;			    /* frames for which room for large ones is kept */
	size_t parked;			    /* bytes of a frame that waits in spill for buffers */
	u8 parked_hdr[MHI_NET_HDR];
	u8 *spill; /* (c) [MHI_NET_FRAME_MAX] */
	bool listening;
};

struct vnet_tx {
	u8 hdr[MHI_NET_HDR];
	struct mhi_net_todo todo;
	bool drop; /* it is no frame */
	struct mhi_chain chain;
};

/* All (m), but for what says otherwise. */
struct vnet {
	struct mhi_vdev dev;
	struct mhi_net *net; /* (c) */
	u32 pairs_max;	     /* (c) */
	u8 mac[6];	     /* (c) at reset */
	u32 pairs;
	bool queues_due; /* the back end does not know of pairs or offloads yet */
	u64 offloads;	 /* NET_GUEST_OFFLOADS */
	struct vnet_filter filter;
	u8 *flat;		/* (c) [MHI_NET_FRAME_MAX] a frame in one piece */
	struct mhi_chain chain; /* the one at hand of other queues */
	struct vnet_tx *tx;	/* (c) [VNET_TX_BATCH] */
	struct vnet_rx rx[];	/* [pairs_max] */
};

/* ---- vnet_tx.c ---- */

void vnet_tx_kick(struct vnet *v, u32 pair);

/* ---- vnet_rx.c ---- */

/* Frames to the guest, as long as there are both frames and buffers. Loop thread. */
void vnet_rx_pump(struct vnet *v, u32 pair);
/* Unpop what was popped ahead. */
void vnet_rx_pause(struct vnet *v, u32 pair);
void vnet_rx_reset(struct vnet *v, u32 pair);
/* MHI_NET_CSUM ...: what may be left to do in frames to the guest. */
u32 vnet_guest_takes(const struct vnet *v);

/* ---- vnet_ctrl.c ---- */

void vnet_ctrl_kick(struct vnet *v, u32 q);
void vnet_filter_reset(struct vnet *v);
/* Does the guest want the frame? bytes is at least MHI_NET_FRAME_MIN. */
bool vnet_wants(const struct vnet *v, const u8 *frame, size_t bytes);

static inline unsigned int vnet_ctrl_queue(const struct vnet *v)
{
	/* 5.1.2 "Virtqueues": without MQ there is one pair, whatever is offered. */
	return mhi_vdev_has(&v->dev, NET_F_MQ) ? 2 * v->pairs_max : 2;
}

#endif
