/* SPDX-License-Identifier: MIT */
/* virtio-net cards with drivers and fake back ends, for the tests of vnet*.c. */
#ifndef TESTS_VNET_CARD_H
#define TESTS_VNET_CARD_H

#include "unit.h"

#include <sys/socket.h>
#include <unistd.h>

#include "core/le.h"
#include "fake_net.h"
#include "net_packet.h"
#include "vdriver.h"
#include "virtio/be_net.h"
#include "virtio/vnet.h"

#define CSUM (1ull << 0)
#define GUEST_CSUM (1ull << 1)
#define GUEST_TSO4 (1ull << 7)
#define HOST_TSO4 (1ull << 11)
#define HOST_TSO6 (1ull << 12)
#define MRG (1ull << 15)
#define CTRL_VQ (1ull << 17)
#define CTRL_RX (1ull << 18)
#define CTRL_VLAN (1ull << 19)
#define MQ (1ull << 22)
#define CTRL (CTRL_VQ | CTRL_RX | CTRL_VLAN | (1ull << 2) | (1ull << 20) | (1ull << 23))

static const u8 mac[6] = { 2, 0, 0, 0, 0, 1 };

/* A driver with one pair of queues and control. */
struct card {
	struct vdriver d;
	struct vring rx, tx, ctrl;
	mh_gpa rx_at[256], tx_at, ctrl_at;
	u32 rx_bytes;
};

static struct card a;
static struct fake_net *net;
static struct packet packet;

static inline void begin(struct card *c, u64 features, u32 ctrl_queue)
{
	ck_assert(vd_negotiate(&c->d, features | VIRTIO_F_VERSION_1));
	vr_init(&c->rx, &c->d, 0, 256);
	vr_init(&c->tx, &c->d, 1, 256);
	if (features & CTRL_VQ)
		vr_init(&c->ctrl, &c->d, ctrl_queue, 64);
	vd_ok(&c->d);
	vd_sync(&c->d);
}

static inline void attach(struct card *c, struct mhi_net *back_end)
{
	struct mhi_vnet_config config = { .net = back_end };
	struct mhi_vdev *dev;

	memcpy(config.mac, mac, sizeof(mac));
	ck_assert_int_eq(mhi_vnet_create(&c->d.env, &config, &dev), 0);
	vd_attach(&c->d, dev, false);
	c->tx_at = vd_alloc(&c->d, 70000, 64);
	c->ctrl_at = vd_alloc(&c->d, 4096, 64);
	for (unsigned int n = 0; n < 256; n++)
		c->rx_at[n] = vd_alloc(&c->d, 4096, 64);
}

static inline void setup(u32 takes, u32 gives, u32 queues, u64 features)
{
	vd_init(&a.d);
	net = fake_net_new(takes, gives, queues);
	attach(&a, &net->net);
	begin(&a, features, features & MQ ? 2 * queues : 2);
}

static inline void end(void)
{
	vd_fini(&a.d);
	fake_net_free(net);
}

/* ---- transmission ---- */

/* Makes the frame at hand, with a header, a chain of pieces of so many bytes. */
static inline void queue_frame(struct card *c, const u8 *hdr, const u8 *data, size_t bytes,
			       u32 piece)
{
	u8 *to = vd_ptr(&c->d, c->tx_at);
	struct vd_buf buf[VD_RING_MAX];
	u32 total = (u32)(MHI_NET_HDR + bytes), count = 0;

	memset(to, 0, MHI_NET_HDR);
	if (hdr)
		memcpy(to, hdr, MHI_NET_HDR);
	memcpy(to + MHI_NET_HDR, data, bytes);
	for (u32 at = 0; at < total; at += piece)
		buf[count++] = (struct vd_buf){ c->tx_at + at,
						total - at < piece ? total - at : piece, false };
	ck_assert_int_ge(vr_add(&c->tx, buf, count, false), 0);
}

static inline void send_frame(struct card *c, const u8 *hdr, const u8 *data, size_t bytes,
			      u32 piece)
{
	u32 len = 1;

	queue_frame(c, hdr, data, bytes, piece);
	vr_kick(&c->tx);
	vd_sync(&c->d);
	ck_assert_int_ge(vr_get(&c->tx, &len), 0);
	ck_assert_uint_eq(len, 0);
}

static inline void header(u8 *hdr, u8 flags, u8 gso, u16 size)
{
	memset(hdr, 0, MHI_NET_HDR);
	hdr[0] = flags;
	hdr[1] = gso;
	mhi_put_le16(hdr + 4, size);
	mhi_put_le16(hdr + 6, (u16)packet.l4);
	mhi_put_le16(hdr + 8, 16);
}

/* ---- reception ---- */

/* Buffers [from, to) of so many bytes. */
static inline void offer(struct card *c, unsigned int from, unsigned int to, u32 bytes)
{
	c->rx_bytes = bytes;
	for (unsigned int n = from; n < to; n++) {
		struct vd_buf buf[2] = { { c->rx_at[n], 5, true },
					 { c->rx_at[n] + 5, bytes - 5, true } };

		ck_assert_int_ge(vr_add(&c->rx, buf, 2, false), 0);
	}
	vr_force_kick(&c->rx);
	vd_sync(&c->d);
}

/* Takes a frame, which begins in buffer n, to data; returns how many buffers it had. */
static inline unsigned int take_frame(struct card *c, unsigned int n, u8 *hdr, u8 *data,
				      size_t *bytes)
{
	unsigned int buffers = 1, k = 0;

	*bytes = 0;
	for (; k < buffers; k++) {
		const u8 *from = vd_ptr(&c->d, c->rx_at[n + k]);
		u32 len;

		ck_assert_int_ge(vr_get(&c->rx, &len), 0);
		if (!k) {
			memcpy(hdr, from, MHI_NET_HDR);
			buffers = mhi_get_le16(hdr + 10);
			from += MHI_NET_HDR;
			len -= MHI_NET_HDR;
		}
		memcpy(data + *bytes, from, len);
		*bytes += len;
	}
	return buffers;
}

#endif
