// SPDX-License-Identifier: MIT
/*
 * virtio-net: configuration, frames both ways in both ring layouts, offloads, the filter, every
 * control command, flow control, links between two devices.
 */
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

static struct card a, b;
static struct fake_net *net;
static struct packet packet;

static void begin(struct card *c, u64 features, u32 ctrl_queue)
{
	ck_assert(vd_negotiate(&c->d, features | VIRTIO_F_VERSION_1));
	vr_init(&c->rx, &c->d, 0, 256);
	vr_init(&c->tx, &c->d, 1, 256);
	if (features & CTRL_VQ)
		vr_init(&c->ctrl, &c->d, ctrl_queue, 64);
	vd_ok(&c->d);
	vd_sync(&c->d);
}

static void attach(struct card *c, struct mhi_net *back_end)
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

static void setup(u32 takes, u32 gives, u32 queues, u64 features)
{
	vd_init(&a.d);
	net = fake_net_new(takes, gives, queues);
	attach(&a, &net->net);
	begin(&a, features, features & MQ ? 2 * queues : 2);
}

static void end(void)
{
	vd_fini(&a.d);
	fake_net_free(net);
}

/* ---- transmission ---- */

/* Makes the frame at hand, with a header, a chain of pieces of so many bytes. */
static void queue_frame(struct card *c, const u8 *hdr, const u8 *data, size_t bytes, u32 piece)
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

static void send_frame(struct card *c, const u8 *hdr, const u8 *data, size_t bytes, u32 piece)
{
	u32 len = 1;

	queue_frame(c, hdr, data, bytes, piece);
	vr_kick(&c->tx);
	vd_sync(&c->d);
	ck_assert_int_ge(vr_get(&c->tx, &len), 0);
	ck_assert_uint_eq(len, 0);
}

static void header(u8 *hdr, u8 flags, u8 gso, u16 size)
{
	memset(hdr, 0, MHI_NET_HDR);
	hdr[0] = flags;
	hdr[1] = gso;
	mhi_put_le16(hdr + 4, size);
	mhi_put_le16(hdr + 6, (u16)packet.l4);
	mhi_put_le16(hdr + 8, 16);
}

START_TEST(configuration)
{
	setup(0, 0, 1, 0);
	ck_assert_uint_eq(a.d.pci.pci.device, 0x1041);
	ck_assert_uint_eq(a.d.pci.pci.class_code, 0x020000);
	/* CSUM GUEST_CSUM CTRL_GUEST_OFFLOADS MTU MAC HOST_TSO4/6/ECN MRG STATUS CTRL* ANNOUNCE */
	ck_assert_uint_eq(vd_offered(&a.d) & 0xffffff, 0xbfb82f);
	for (unsigned int n = 0; n < 6; n++)
		ck_assert_uint_eq(vd_read(&a.d, 0x2000 + n, 1), mac[n]);
	ck_assert_uint_eq(vd_read(&a.d, 0x2006, 2), 1);
	ck_assert_uint_eq(vd_read(&a.d, 0x2008, 2), 1);
	ck_assert_uint_eq(vd_read(&a.d, 0x200a, 2), 1500);
	end();
	setup(15, 15, 4, 0);
	ck_assert_uint_eq(vd_offered(&a.d) & 0xffffff, 0xffbbaf);
	ck_assert_uint_eq(vd_read(&a.d, 0x2008, 2), 4);
	end();
}
END_TEST

START_TEST(transmission)
{
	static const u32 pieces[] = { 100000, 12, 11, 500, 7 };
	struct mhi_vdev_counts c;
	u64 sent;

	for (unsigned int f = 0; f < 4; f++) {
		setup(0, 0, 1,
		      (f & 1 ? VIRTIO_F_RING_PACKED : 0) | (f & 2 ? VIRTIO_F_EVENT_IDX : 0));
		sent = 0;
		for (unsigned int n = 0; n < sizeof(pieces) / sizeof(pieces[0]); n++) {
			make_tcp(&packet, false, false, 0, 900 + n);
			fake_net_clear(net);
			send_frame(&a, NULL, packet.data, packet.bytes, pieces[n]);
			ck_assert_uint_eq(net->sents, 1);
			ck_assert_uint_eq(net->sent[0].bytes, packet.bytes);
			ck_assert(!memcmp(net->sent[0].data, packet.data, packet.bytes));
			sent += packet.bytes;
		}
		mhi_vdev_counts(a.d.dev, &c);
		ck_assert_uint_eq(c.requests, 5);
		ck_assert_uint_eq(c.from_guest, sent);
		ck_assert_uint_eq(c.to_guest + c.errors + c.timed, 0);
		end();
	}
}
END_TEST

/* Many at once are few calls of the back end; what it has no room for waits. */
START_TEST(batches_and_room)
{
	for (unsigned int f = 0; f < 2; f++) {
		u32 len, got = 0;

		setup(0, 0, 1, f ? VIRTIO_F_RING_PACKED : 0);
		net->room = 37;
		make_tcp(&packet, false, false, 0, 50);
		for (unsigned int n = 0; n < 100; n++)
			queue_frame(&a, NULL, packet.data, packet.bytes, 100000);
		vr_kick(&a.tx);
		vd_sync(&a.d);
		ck_assert_uint_eq(net->sents, 37);
		ck_assert_uint_eq(net->calls, 3);
		while (vr_get(&a.tx, &len) >= 0)
			got++;
		ck_assert_uint_eq(got, 37);
		/* The machine stops and goes on meanwhile. */
		a.d.pci.pci.ops->run(&a.d.pci, false);
		a.d.pci.pci.ops->run(&a.d.pci, true);
		net->room = ~0u;
		net->net.user->writable(net->net.opaque, 0);
		vd_sync(&a.d);
		ck_assert_uint_eq(net->sents, 100);
		while (vr_get(&a.tx, &len) >= 0)
			got++;
		ck_assert_uint_eq(got, 100);
		end();
	}
}
END_TEST

/* The back end takes it: the header goes along. It does not: the device does what it asks for. */
START_TEST(checksum_offload)
{
	u8 hdr[MHI_NET_HDR];

	for (unsigned int takes = 0; takes < 2; takes++) {
		setup(takes, 0, 1, CSUM);
		make_tcp(&packet, true, true, 0, 333);
		header(hdr, 1, 0, 0);
		send_frame(&a, hdr, packet.data, packet.bytes, 40);
		ck_assert_uint_eq(net->sents, 1);
		ck_assert_uint_eq(net->sent[0].hdr[0], takes);
		ck_assert_uint_eq(slow_l4(net->sent[0].data + packet.ip, true, 6,
					  net->sent[0].data + packet.l4,
					  packet.bytes - packet.l4) == 0xffff,
				  !takes);
		end();
	}
}
END_TEST

START_TEST(segmentation_offload)
{
	u8 hdr[MHI_NET_HDR];

	for (unsigned int v6 = 0; v6 < 2; v6++) {
		setup(MHI_NET_CSUM, 0, 1, CSUM | HOST_TSO4 | HOST_TSO6);
		make_tcp(&packet, v6, false, 12, 40000);
		header(hdr, 1, v6 ? 4 : 1, 1448);
		send_frame(&a, hdr, packet.data, packet.bytes, 4096);
		ck_assert_uint_eq(net->sents, 28);
		for (u32 n = 0; n < net->sents; n++) {
			const u8 *s = net->sent[n].data;

			ck_assert_uint_eq(net->sent[n].hdr[0], 0);
			ck_assert_uint_eq(net->sent[n].hdr[1], 0);
			ck_assert_uint_eq(slow_l4(s + packet.ip, v6, 6, s + packet.l4,
						  net->sent[n].bytes - packet.l4),
					  0xffff);
			ck_assert(!memcmp(s + packet.payload,
					  packet.data + packet.payload + n * 1448,
					  net->sent[n].bytes - packet.payload));
		}
		fake_net_clear(net);
		net->net.takes = MHI_NET_OFFLOADS;
		send_frame(&a, hdr, packet.data, packet.bytes, 4096);
		ck_assert_uint_eq(net->sents, 1);
		ck_assert(!memcmp(net->sent[0].hdr, hdr, MHI_NET_HDR));
		end();
	}
}
END_TEST

/* Frames that make no sense are dropped and given back; good ones around them go out. */
START_TEST(bad_frames)
{
	static const struct {
		u8 flags, gso;
		u16 size, start, offset;
		u32 bytes;
	} bad[] = {
		{ 0, 0, 0, 0, 0, 13 },	    { 1, 0, 0, 200, 0, 200 },
		{ 1, 0, 0, 0, 199, 200 },   { 1, 0, 0, 0xffff, 0xffff, 200 },
		{ 1, 1, 0, 34, 16, 200 },   { 0, 1, 100, 34, 16, 200 },
		{ 1, 3, 100, 34, 16, 200 }, { 1, 0x80, 100, 34, 16, 200 },
		{ 1, 5, 100, 34, 16, 200 }, { 1, 0x81, 100, 34, 16, 200 },
		{ 1, 4, 100, 34, 16, 200 }, { 1, 1, 100, 190, 2, 200 },
		{ 1, 1, 100, 30, 16, 200 },
	};

	for (unsigned int f = 0; f < 2; f++) {
		setup(0, 0, 1, CSUM | HOST_TSO4 | (f ? VIRTIO_F_RING_PACKED : 0));
		make_tcp(&packet, false, false, 0, 600);
		for (unsigned int n = 0; n < sizeof(bad) / sizeof(bad[0]); n++) {
			u8 hdr[MHI_NET_HDR] = { bad[n].flags, bad[n].gso };

			mhi_put_le16(hdr + 4, bad[n].size);
			mhi_put_le16(hdr + 6, bad[n].start);
			mhi_put_le16(hdr + 8, bad[n].offset);
			send_frame(&a, hdr, packet.data, bad[n].bytes, 64);
			ck_assert_msg(net->sents == n, "%u", n);
			send_frame(&a, NULL, packet.data, packet.bytes, 64);
			ck_assert_uint_eq(net->sents, n + 1);
		}
		/* A header that is not whole; none at all; more than any frame has. */
		for (unsigned int n = 0; n < 3; n++) {
			struct vd_buf buf = { a.tx_at, n == 2 ? 1 << 20 : 5, n == 1 };
			u32 len;

			fake_net_clear(net);
			ck_assert_int_ge(vr_add(&a.tx, &buf, 1, false), 0);
			vr_kick(&a.tx);
			vd_sync(&a.d);
			ck_assert_int_ge(vr_get(&a.tx, &len), 0);
			ck_assert_uint_eq(net->sents, 0);
		}
		ck_assert_uint_eq(a.d.logged, 1);
		ck_assert_uint_eq(vd_status(&a.d), 0xf);
		end();
	}
}
END_TEST

/* ---- reception ---- */

/* Buffers [from, to) of so many bytes. */
static void offer(struct card *c, unsigned int from, unsigned int to, u32 bytes)
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
static unsigned int take_frame(struct card *c, unsigned int n, u8 *hdr, u8 *data, size_t *bytes)
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

START_TEST(reception)
{
	static u8 data[70000];
	struct mhi_vdev_counts c;
	u8 hdr[MHI_NET_HDR];
	size_t bytes;

	for (unsigned int f = 0; f < 4; f++) {
		setup(0, 0, 1, (f & 1 ? VIRTIO_F_RING_PACKED : 0) | (f & 2 ? MRG : 0));
		ck_assert(!net->listening[0]);
		make_tcp(&packet, false, false, 0, 1000);
		offer(&a, 0, 4, 2048);
		ck_assert(net->listening[0]);
		for (unsigned int n = 0; n < 6; n++) {
			packet.data[20] = (u8)n;
			fake_net_lay(net, 0, NULL, packet.data, packet.bytes - n);
		}
		vd_sync(&a.d);
		/* Two of them wait in the back end. */
		ck_assert(!net->listening[0]);
		for (unsigned int n = 0; n < 4; n++) {
			packet.data[20] = (u8)n;
			ck_assert_uint_eq(take_frame(&a, n, hdr, data, &bytes), 1);
			ck_assert_uint_eq(bytes, packet.bytes - n);
			ck_assert(!memcmp(data, packet.data, bytes));
			ck_assert_uint_eq(hdr[0], 0);
		}
		offer(&a, 4, 8, 2048);
		ck_assert_uint_eq(take_frame(&a, 4, hdr, data, &bytes), 1);
		ck_assert_uint_eq(data[20], 4);
		/* While the machine does not run nothing is written. */
		a.d.pci.pci.ops->run(&a.d.pci, false);
		fake_net_lay(net, 0, NULL, packet.data, packet.bytes);
		ck_assert_uint_eq(take_frame(&a, 5, hdr, data, &bytes), 1);
		ck_assert_int_lt(vr_get(&a.rx, &(u32){ 0 }), 0);
		a.d.pci.pci.ops->run(&a.d.pci, true);
		vd_sync(&a.d);
		ck_assert_uint_eq(take_frame(&a, 6, hdr, data, &bytes), 1);
		ck_assert_uint_eq(bytes, packet.bytes);
		mhi_vdev_counts(a.d.dev, &c);
		ck_assert_uint_eq(c.requests, 7);
		ck_assert_uint_eq(c.to_guest, 7 * packet.bytes - 15);
		ck_assert_uint_gt(c.interrupts, 0);
		end();
	}
}
END_TEST

/* A frame over many buffers, at once and when they come late; one that no ring can hold. */
START_TEST(mergeable_buffers)
{
	static u8 data[70000];
	u8 hdr[MHI_NET_HDR], from[MHI_NET_HDR];
	size_t bytes;

	for (unsigned int f = 0; f < 2; f++) {
		unsigned int at = 0, n;

		setup(0, 15, 1, MRG | GUEST_CSUM | GUEST_TSO4 | (f ? VIRTIO_F_RING_PACKED : 0));
		ck_assert_uint_eq(net->offloads, MHI_NET_CSUM | MHI_NET_TSO4);
		make_tcp(&packet, false, false, 0, 60000);
		header(from, 1, 1, 1448);
		offer(&a, 0, 60, 1500);
		for (unsigned int k = 0; k < 2; k++) {
			fake_net_lay(net, 0, from, packet.data, packet.bytes);
			vd_sync(&a.d);
			if (k) {
				/* Only some of the buffers are there. */
				ck_assert_int_lt(vr_get(&a.rx, &(u32){ 0 }), 0);
				offer(&a, 60, 100, 1500);
			}
			n = take_frame(&a, at, hdr, data, &bytes);
			ck_assert_uint_eq(n, (packet.bytes + 12 + 1499) / 1500);
			ck_assert_uint_eq(bytes, packet.bytes);
			ck_assert(!memcmp(data, packet.data, bytes));
			ck_assert(!memcmp(hdr, from, 10));
			at += n;
		}
		/* A small one behind it. */
		fake_net_lay(net, 0, NULL, packet.data, 100);
		ck_assert_uint_eq(take_frame(&a, at, hdr, data, &bytes), 1);
		ck_assert_uint_eq(bytes, 100);
		end();
		setup(0, 15, 1, GUEST_CSUM | GUEST_TSO4);
		offer(&a, 0, 10, 1500);
		fake_net_lay(net, 0, from, packet.data, packet.bytes);
		fake_net_lay(net, 0, NULL, packet.data, 100);
		ck_assert_uint_eq(take_frame(&a, 0, hdr, data, &bytes), 1);
		ck_assert_uint_eq(bytes, 100);
		ck_assert_uint_eq(a.d.logged, 1);
		end();
	}
}
END_TEST

/* Buffers of nearly all shapes; also such that a frame ends on a buffer's end. */
START_TEST(shapes_of_buffers)
{
	static u8 data[70000];
	u8 hdr[MHI_NET_HDR];
	size_t bytes;

	make_tcp(&packet, false, false, 0, 1300);
	for (u32 size = 12; size < 1400; size += size < 30 ? 1 : 37) {
		setup(0, 0, 1, MRG);
		offer(&a, 0, 120, size);
		fake_net_lay(net, 0, NULL, packet.data, packet.bytes);
		vd_sync(&a.d);
		if (size * 64 < packet.bytes + 12) {
			ck_assert_int_lt(vr_get(&a.rx, &(u32){ 0 }), 0);
		} else {
			take_frame(&a, 0, hdr, data, &bytes);
			ck_assert_uint_eq(bytes, packet.bytes);
			ck_assert(!memcmp(data, packet.data, bytes));
		}
		end();
	}
}
END_TEST

START_TEST(bad_buffers)
{
	struct vd_buf buf = { 0, 11, true };
	u32 len = 1;

	setup(0, 0, 1, MRG);
	buf.at = a.rx_at[0];
	for (unsigned int n = 0; n < 200; n++)
		vr_add(&a.rx, &buf, 1, false);
	buf.write = false;
	vr_add(&a.rx, &buf, 1, false);
	vr_force_kick(&a.rx);
	vd_sync(&a.d);
	for (unsigned int n = 0; n < 4; n++) {
		vr_force_kick(&a.rx);
		vd_sync(&a.d);
	}
	for (unsigned int n = 0; n < 201; n++) {
		ck_assert_int_ge(vr_get(&a.rx, &len), 0);
		ck_assert_uint_eq(len, 0);
	}
	ck_assert_uint_eq(a.d.logged, 1);
	end();
}
END_TEST

/* ---- control ---- */

static u8 command(struct card *c, u8 class, u8 cmd, const void *data, u32 bytes)
{
	u8 *at = vd_ptr(&c->d, c->ctrl_at);
	struct vd_buf buf[3] = { { c->ctrl_at, 2, false },
				 { c->ctrl_at + 2, bytes, false },
				 { c->ctrl_at + 2048, 1, true } };
	u32 len;

	at[0] = class;
	at[1] = cmd;
	memcpy(at + 2, data, bytes);
	at[2048] = 0xff;
	if (!bytes)
		buf[1] = buf[2];
	ck_assert_int_ge(vr_add(&c->ctrl, buf, bytes ? 3 : 2, false), 0);
	vr_kick(&c->ctrl);
	vd_sync(&c->d);
	ck_assert_int_ge(vr_get(&c->ctrl, &len), 0);
	ck_assert_uint_eq(len, 1);
	return at[2048];
}

static bool arrives(const char *to, u16 vlan)
{
	u8 frame[64] = { 0 };
	u32 len;
	int id;

	memcpy(frame, to, 6);
	set16(frame + 12, vlan ? 0x8100 : 0x0800);
	set16(frame + 14, vlan);
	offer(&a, 0, 1, 512);
	fake_net_lay(net, 0, NULL, frame, sizeof(frame));
	vd_sync(&a.d);
	id = vr_get(&a.rx, &len);
	/* Empties the ring again, with a frame that everybody wants. */
	if (id < 0) {
		memset(frame, 0xff, 6);
		set16(frame + 12, 0x0800);
		fake_net_lay(net, 0, NULL, frame, sizeof(frame));
		vd_sync(&a.d);
		ck_assert_int_ge(vr_get(&a.rx, &len), 0);
	}
	return id >= 0;
}

#define OURS "\2\0\0\0\0\1"
#define OTHER "\2\0\0\0\0\2"
#define GROUP "\1\0\x5e\0\0\1"

START_TEST(filter)
{
	u8 tables[4 + 6 + 4 + 6] = {
		1, 0, 0, 0, 2, 0, 0, 0, 0, 2, 1, 0, 0, 0, 1, 0, 0x5e, 0, 0, 1
	};
	u8 many[4 + 65 * 6 + 4] = { 65 };

	setup(0, 0, 1, CTRL);
	ck_assert(arrives(OTHER, 0));
	ck_assert_uint_eq(command(&a, 0, 0, "\0", 1), 0);
	ck_assert(arrives(OURS, 0));
	ck_assert(!arrives(OTHER, 0));
	ck_assert(!arrives(GROUP, 0));
	ck_assert_uint_eq(command(&a, 1, 0, tables, sizeof(tables)), 0);
	ck_assert(arrives(OTHER, 0));
	ck_assert(arrives(GROUP, 0));
	ck_assert(!arrives("\2\0\0\0\0\3", 0));
	memset(tables, 0, sizeof(tables));
	ck_assert_uint_eq(command(&a, 1, 0, tables, 8), 0);
	ck_assert(!arrives(OTHER, 0));
	ck_assert_uint_eq(command(&a, 1, 0, many, sizeof(many)), 0);
	ck_assert(arrives(OTHER, 0));
	ck_assert(!arrives(GROUP, 0));
	ck_assert_uint_eq(command(&a, 1, 0, tables, 8), 0);
	/* ALLMULTI, ALLUNI, NOMULTI, NOUNI */
	for (u8 cmd = 1; cmd <= 2; cmd++) {
		ck_assert_uint_eq(command(&a, 0, cmd, "\1", 1), 0);
		ck_assert(arrives(cmd == 1 ? GROUP : OTHER, 0));
		ck_assert_uint_eq(command(&a, 0, cmd + 2, "\1", 1), 0);
		ck_assert(!arrives(cmd == 1 ? GROUP : OTHER, 0));
	}
	ck_assert_uint_eq(command(&a, 0, 4, "\0", 1), 0);
	ck_assert_uint_eq(command(&a, 0, 2, "\0", 1), 0);
	/* Another address. */
	ck_assert_uint_eq(command(&a, 1, 1, OTHER, 6), 0);
	ck_assert(arrives(OTHER, 0));
	ck_assert(!arrives(OURS, 0));
	ck_assert_uint_eq(vd_read(&a.d, 0x2005, 1), 2);
	/* VLANs. */
	ck_assert(!arrives(OTHER, 7));
	ck_assert_uint_eq(command(&a, 2, 0, "\7\0", 2), 0);
	ck_assert(arrives(OTHER, 7));
	ck_assert(!arrives(OTHER, 8));
	ck_assert_uint_eq(command(&a, 2, 1, "\7\0", 2), 0);
	ck_assert(!arrives(OTHER, 7));
	end();
}
END_TEST

START_TEST(commands_that_cannot_be)
{
	u8 huge[8] = { 0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0 };

	setup(0, 0, 1, CTRL);
	ck_assert_uint_eq(command(&a, 0, 6, "\1", 1), 1);
	ck_assert_uint_eq(command(&a, 0, 0, "", 0), 1);
	ck_assert_uint_eq(command(&a, 1, 0, huge, 8), 1);
	ck_assert_uint_eq(command(&a, 1, 0, huge + 4, 4), 1);
	ck_assert_uint_eq(command(&a, 1, 1, huge, 5), 1);
	ck_assert_uint_eq(command(&a, 1, 2, huge, 8), 1);
	ck_assert_uint_eq(command(&a, 2, 0, "\0\x10", 2), 1);
	ck_assert_uint_eq(command(&a, 2, 2, "\1\0", 2), 1);
	ck_assert_uint_eq(command(&a, 4, 0, "\1\0", 2), 1);
	ck_assert_uint_eq(command(&a, 5, 0, huge, 8), 1);
	ck_assert_uint_eq(command(&a, 6, 0, huge, 8), 1);
	ck_assert_uint_eq(command(&a, 3, 0, "", 0), 0);
	ck_assert_uint_eq(vd_status(&a.d), 0xf);
	end();
}
END_TEST

START_TEST(many_queues)
{
	struct vring tx2;
	struct vd_buf buf;
	u32 len;

	setup(0, 15, 4, CTRL | MQ | GUEST_CSUM | GUEST_TSO4);
	ck_assert_uint_eq(net->used_queues, 1);
	ck_assert_uint_eq(command(&a, 4, 0, "\0\0", 2), 1);
	ck_assert_uint_eq(command(&a, 4, 0, "\5\0", 2), 1);
	ck_assert_uint_eq(command(&a, 4, 0, "\3\0", 2), 0);
	ck_assert_uint_eq(net->used_queues, 3);
	make_tcp(&packet, false, false, 0, 100);
	vr_init(&tx2, &a.d, 5, 64);
	memset(vd_ptr(&a.d, a.tx_at), 0, 200);
	buf = (struct vd_buf){ a.tx_at, 112, false };
	vr_add(&tx2, &buf, 1, false);
	vr_kick(&tx2);
	vd_sync(&a.d);
	ck_assert_int_ge(vr_get(&tx2, &len), 0);
	ck_assert_uint_eq(net->sents, 1);
	ck_assert_uint_eq(net->sent_queue[0], 2);
	/* Offloads switched off and on again. */
	ck_assert_uint_eq(net->offloads, 3);
	ck_assert_uint_eq(command(&a, 5, 0, "\2\0\0\0\0\0\0\0", 8), 0);
	ck_assert_uint_eq(net->offloads, 1);
	ck_assert_uint_eq(command(&a, 5, 0, "\x82\0\0\0\0\0\0\0", 8), 0);
	ck_assert_uint_eq(net->offloads, 3);
	/* A reset forgets all of it. */
	begin(&a, CTRL, 2);
	ck_assert_uint_eq(net->used_queues, 1);
	ck_assert_uint_eq(net->offloads, 0);
	ck_assert_uint_eq(command(&a, 4, 0, "\1\0", 2), 1);
	end();
}
END_TEST

/* ---- links ---- */

static void exchange(int type)
{
	static u8 data[70000];
	u8 hdr[MHI_NET_HDR], tso[MHI_NET_HDR];
	struct mhi_err err = { 0 };
	struct mhi_net *back_end;
	size_t bytes;
	u32 sum = 0;
	int fd[2];

	ck_assert_int_eq(socketpair(AF_UNIX, type, 0, fd), 0);
	vd_init(&a.d);
	ck_assert_int_eq(mhi_net_socket_open(&a.d.env, fd[0], 1500, &back_end, &err), 0);
	attach(&a, back_end);
	vd_init(&b.d);
	ck_assert_int_eq(mhi_net_socket_open(&b.d.env, fd[1], 1500, &back_end, &err), 0);
	attach(&b, back_end);
	close(fd[0]);
	close(fd[1]);
	begin(&a, MRG, 2);
	begin(&b, CSUM | HOST_TSO4 | MRG, 2);
	offer(&a, 0, 100, 2048);
	offer(&b, 0, 10, 2048);
	make_tcp(&packet, false, false, 0, 1400);
	send_frame(&a, NULL, packet.data, packet.bytes, 700);
	vd_sync(&b.d);
	ck_assert_uint_eq(take_frame(&b, 0, hdr, data, &bytes), 1);
	ck_assert_uint_eq(bytes, packet.bytes);
	ck_assert(!memcmp(data, packet.data, bytes));
	/* The other way, and cut into segments: the socket's buffer holds few messages. */
	make_tcp(&packet, false, false, 0, 5 * 1400);
	header(tso, 1, 1, 1400);
	send_frame(&b, tso, packet.data, packet.bytes, 4096);
	vd_sync(&a.d);
	for (unsigned int n = 0; n < 5; n++) {
		ck_assert_uint_eq(take_frame(&a, n, hdr, data, &bytes), 1);
		ck_assert(!memcmp(data + packet.payload, packet.data + packet.payload + n * 1400,
				  1400));
		sum += (u32)(bytes - packet.payload);
	}
	ck_assert_uint_eq(sum, 5 * 1400);
	/* Nobody listens any more. */
	vd_fini(&b.d);
	make_tcp(&packet, false, false, 0, 100);
	for (unsigned int n = 0; n < 3; n++)
		send_frame(&a, NULL, packet.data, packet.bytes, 700);
	ck_assert_uint_eq(a.d.logged, 1);
	vd_fini(&a.d);
}

START_TEST(links)
{
	exchange(SOCK_SEQPACKET);
	exchange(SOCK_DGRAM);
}
END_TEST

/* The receiver is slow: the sender's chains wait, and none is lost. */
START_TEST(slow_link)
{
	static u8 data[70000];
	u8 hdr[MHI_NET_HDR];
	struct mhi_err err = { 0 };
	struct mhi_net *back_end;
	u32 len, got = 0, seen = 0;
	size_t bytes;
	int fd[2];

	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, fd), 0);
	vd_init(&a.d);
	ck_assert_int_eq(mhi_net_socket_open(&a.d.env, fd[0], 1500, &back_end, &err), 0);
	attach(&a, back_end);
	vd_init(&b.d);
	ck_assert_int_eq(mhi_net_socket_open(&b.d.env, fd[1], 1500, &back_end, &err), 0);
	attach(&b, back_end);
	begin(&a, VIRTIO_F_RING_PACKED, 2);
	begin(&b, VIRTIO_F_RING_PACKED, 2);
	make_tcp(&packet, false, false, 0, 1400);
	for (unsigned int n = 0; n < 250; n++)
		queue_frame(&a, NULL, packet.data, packet.bytes, 100000);
	vr_kick(&a.tx);
	for (unsigned int round = 0; round < 300 && seen < 250; round++) {
		vd_sync(&a.d);
		while (vr_get(&a.tx, &len) >= 0)
			got++;
		if (!round)
			ck_assert_uint_lt(got, 250);
		offer(&b, round % 256, round % 256 + 1, 2048);
		vd_sync(&b.d);
		ck_assert_uint_eq(take_frame(&b, round % 256, hdr, data, &bytes), 1);
		ck_assert_uint_eq(bytes, packet.bytes);
		seen++;
	}
	ck_assert_uint_eq(seen, 250);
	ck_assert_uint_eq(got, 250);
	ck_assert_int_eq(mhi_net_socket_open(&a.d.env, 9999, 1500, &back_end, &err), MH_EINVAL);
	ck_assert_int_eq(mhi_net_socket_open(&a.d.env, STDERR_FILENO, 1500, &back_end, &err),
			 MH_EINVAL);
	vd_fini(&a.d);
	vd_fini(&b.d);
	close(fd[0]);
	close(fd[1]);
}
END_TEST

static void add_tests(TCase *tcase)
{
	tcase_add_test(tcase, configuration);
	tcase_add_test(tcase, transmission);
	tcase_add_test(tcase, batches_and_room);
	tcase_add_test(tcase, checksum_offload);
	tcase_add_test(tcase, segmentation_offload);
	tcase_add_test(tcase, bad_frames);
	tcase_add_test(tcase, reception);
	tcase_add_test(tcase, mergeable_buffers);
	tcase_add_test(tcase, shapes_of_buffers);
	tcase_add_test(tcase, bad_buffers);
	tcase_add_test(tcase, filter);
	tcase_add_test(tcase, commands_that_cannot_be);
	tcase_add_test(tcase, many_queues);
	tcase_add_test(tcase, links);
	tcase_add_test(tcase, slow_link);
}

UNIT_MAIN("vnet", add_tests)
