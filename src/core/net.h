/* SPDX-License-Identifier: MIT */
/*
 * The contract of network back ends: what Ethernet frames of a device go to and come from.
 * Everything happens on the loop's thread, and nothing waits. A frame travels behind a header of
 * MHI_NET_HDR bytes (virtio 1.2, 5.1.6 "Device Operation": struct virtio_net_hdr), which tells what
 * the sender left to do: a checksum, cutting into segments.
 */
#ifndef MHI_CORE_NET_H
#define MHI_CORE_NET_H

#include <sys/types.h>
#include <sys/uio.h>

#include "base/types.h"

/* The header: offsets, flags and kinds of segmentation. */
#define MHI_NET_HDR 12
#define MHI_NET_FLAGS 0
#define MHI_NET_GSO 1
#define MHI_NET_HDR_LEN 2
#define MHI_NET_GSO_SIZE 4
#define MHI_NET_CSUM_START 6
#define MHI_NET_CSUM_OFFSET 8
#define MHI_NET_BUFFERS 10

#define MHI_NET_NEEDS_CSUM 1
#define MHI_NET_DATA_VALID 2
#define MHI_NET_GSO_NONE 0
#define MHI_NET_GSO_TCP4 1
#define MHI_NET_GSO_TCP6 4
#define MHI_NET_GSO_ECN 0x80

/* What may be left to do. */
#define MHI_NET_CSUM 1u
#define MHI_NET_TSO4 2u
#define MHI_NET_TSO6 4u
#define MHI_NET_ECN 8u
#define MHI_NET_OFFLOADS 15u

/* A frame is no longer than that, without its header: an IPv6 packet and two VLAN tags. */
#define MHI_NET_FRAME_MAX (14 + 8 + 40 + 65535)
#define MHI_NET_FRAME_MIN 14
#define MHI_NET_IOVS_MAX 1024 /* of a frame, with its header */
#define MHI_NET_MTU_MIN 68
#define MHI_NET_MTU_MAX 65535
#define MHI_NET_QUEUES_MAX 16

struct mhi_net;

/* iov[0] is the header, alone. */
struct mhi_net_frame {
	const struct iovec *iov;
	u32 count;
};

/* The device's side. Not called from within a call of the back end's. */
struct mhi_net_user {
	/* Frames are there; called again until they are taken, or listen is off. */
	void (*readable)(void *opaque, u32 queue);
	/* There is room for more, after send took less than all. */
	void (*writable)(void *opaque, u32 queue);
};

struct mhi_net_ops {
	const char *kind; /* "tap" */
	/*
	 * Take frames [count]; headers ask for no more than net->takes. Returns how many were
	 * taken: of the rest, writable tells. What cannot be sent is dropped, and counts as taken.
	 */
	u32 (*send)(struct mhi_net *net, u32 queue, const struct mhi_net_frame *frame, u32 count);
	/*
	 * Put the next frame into iov [count], the first of which is for the header. What does not
	 * fit is lost. Returns its bytes without the header; 0: there is none.
	 */
	size_t (*receive)(struct mhi_net *net, u32 queue, const struct iovec *iov, u32 count);
	/* Is readable wanted? At first it is not. */
	void (*listen)(struct mhi_net *net, u32 queue, bool on);
	/* NULL, or: what may be left to do in frames to the device; at first nothing. */
	void (*offloads)(struct mhi_net *net, u32 offloads);
	/* NULL, or: use so many of net->queues; at first 1. */
	void (*queues)(struct mhi_net *net, u32 queues);
	/* Ends it; on the loop's thread too. */
	void (*close)(struct mhi_net *net);
};

struct mhi_net {
	const struct mhi_net_ops *ops;	 /* (c) */
	u32 takes, gives;		 /* (c) MHI_NET_CSUM ... */
	u32 queues;			 /* (c) 1 .. MHI_NET_QUEUES_MAX */
	u32 mtu;			 /* (c) bytes */
	bool verified;			 /* (c) checksums of frames to the device need no test */
	bool waiting;			 /* (l) send made frames that receive would give now */
	const struct mhi_net_user *user; /* (l) set before the first call */
	void *opaque;			 /* (l) */
};

#endif
