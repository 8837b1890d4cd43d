/* SPDX-License-Identifier: MIT */
/* The device's side of a network back end, played by a test: it takes each frame as it comes. */
#ifndef TESTS_NET_USER_H
#define TESTS_NET_USER_H

#include <check.h>
#include <stdlib.h>

#include "fake_loop.h"
#include "net_packet.h"
#include "virtio/be_net.h"

#define USER_FRAMES 256

struct net_user {
	struct mhi_net *net;
	struct mhi_loop *loop;
	struct mhi_log log;
	struct mhi_vdev_env env;
	struct {
		u8 hdr[MHI_NET_HDR], data[2048];
		size_t bytes;
	} frame[USER_FRAMES];
	u32 frames, writable;
};

static inline void user_take(struct net_user *u, u32 queue)
{
	static u8 rest[MHI_NET_FRAME_MAX];

	for (;;) {
		u8 *data = u->frame[u->frames].data;
		const struct iovec iov[3] = { { u->frame[u->frames].hdr, MHI_NET_HDR },
					      { data, sizeof(u->frame[0].data) },
					      { rest, sizeof(rest) } };
		size_t bytes = u->net->ops->receive(u->net, queue, iov, 3);

		if (!bytes)
			return;
		u->frame[u->frames].bytes = bytes;
		ck_assert_uint_lt(++u->frames, USER_FRAMES);
	}
}

static inline void user_readable(void *opaque, u32 queue)
{
	user_take(opaque, queue);
}

static inline void user_writable(void *opaque, u32 queue)
{
	((struct net_user *)opaque)->writable++;
}

static inline void user_init(struct net_user *u)
{
	memset(u, 0, sizeof(*u));
	ck_assert_int_eq(mhi_loop_create(&u->loop), 0);
	ck_assert_int_eq(mhi_log_init(&u->log, NULL, NULL, MH_LOG_ERROR), 0);
	u->env = (struct mhi_vdev_env){ .loop = u->loop, .log = &u->log, .owner = "VM \"test\"" };
}

static inline void user_connect(struct net_user *u, struct mhi_net *net)
{
	static const struct mhi_net_user ops = { user_readable, user_writable };

	u->net = net;
	net->opaque = u;
	net->user = &ops;
	for (u32 q = 0; q < net->queues; q++)
		net->ops->listen(net, q, true);
}

static inline void user_fini(struct net_user *u)
{
	if (u->net)
		u->net->ops->close(u->net);
	mhi_loop_destroy(u->loop);
	mhi_log_fini(&u->log);
}

/* One frame, in two pieces. */
static inline u32 user_send_hdr(struct net_user *u, u32 queue, const u8 *hdr, const u8 *data,
				size_t bytes)
{
	const struct iovec iov[3] = { { (void *)(uintptr_t)hdr, MHI_NET_HDR },
				      { (void *)(uintptr_t)data, 14 },
				      { (void *)(uintptr_t)(data + 14), bytes - 14 } };
	const struct mhi_net_frame frame = { iov, 3 };
	u32 taken = u->net->ops->send(u->net, queue, &frame, 1);

	if (u->net->waiting)
		user_take(u, queue);
	return taken;
}

static inline void user_send(struct net_user *u, const u8 *data, size_t bytes)
{
	static const u8 none[MHI_NET_HDR];

	ck_assert_uint_eq(user_send_hdr(u, 0, none, data, bytes), 1);
}

#endif
