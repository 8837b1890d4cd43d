/* SPDX-License-Identifier: MIT */
/* A network back end that keeps what it is sent, and gives what the test has laid there. */
#ifndef FAKE_NET_H
#define FAKE_NET_H

#include "core/net.h"

#define FAKE_NET_FRAMES 512

struct fake_frame {
	u8 hdr[MHI_NET_HDR];
	u8 *data; /* [bytes] */
	size_t bytes;
};

struct fake_net {
	struct mhi_net net;
	struct fake_frame sent[FAKE_NET_FRAMES]; /* from any queue */
	u32 sent_queue[FAKE_NET_FRAMES];
	u32 sents, room; /* room: so many are taken before it is full */
	struct fake_frame in[MHI_NET_QUEUES_MAX][FAKE_NET_FRAMES];
	u32 ins[MHI_NET_QUEUES_MAX], taken[MHI_NET_QUEUES_MAX];
	bool listening[MHI_NET_QUEUES_MAX];
	u32 offloads, used_queues;
	u32 calls; /* of send */
	bool closed;
};

struct fake_net *fake_net_new(u32 takes, u32 gives, u32 queues);
/* The device has closed it. */
void fake_net_free(struct fake_net *f);
/* Lay a frame there; hdr NULL: one of zeroes. The device is told if it listens. */
void fake_net_lay(struct fake_net *f, u32 queue, const u8 *hdr, const void *data, size_t bytes);
/* Forget what was sent. */
void fake_net_clear(struct fake_net *f);

#endif
