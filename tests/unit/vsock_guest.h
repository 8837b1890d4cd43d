/* SPDX-License-Identifier: MIT */
/* The test's guest for virtio-vsock: packets as a driver sends and gets them. */
#ifndef TESTS_VSOCK_GUEST_H
#define TESTS_VSOCK_GUEST_H

#include <check.h>
#include <errno.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "core/le.h"
#include "vdriver.h"
#include "virtio/vsock.h"

#define CID 42
#define HEADER 44
#define ROOM 4096 /* of a buffer, behind the header */
#define WINDOW (128u << 10)
#define SEQPACKET 2 /* the feature */

enum { REQUEST = 1, RESPONSE, RST, SHUTDOWN, RW, UPDATE, CREDIT };

/* A packet; the guest's port is always 1000 + n, and each test has its idea of hosts'. */
struct pkt {
	u32 guest, host, len, flags, alloc, fwd;
	u16 type, op;
	const u8 *data;
};

struct vsock_guest {
	struct vdriver d;
	struct mhi_vdev *dev;
	struct vring rx, tx, ev;
	mh_gpa out, in[VD_RING_MAX];
	u16 spare; /* rx buffers to be made before the next run */
	u32 alloc, fwd;
	u16 type;
	u8 data[ROOM]; /* of the last packet */
	int host;      /* the host's end of the last connection */
	u32 wanted;    /* the last port that the guest wanted */
};

/* Ports below 100 are answered by a socket whose other end is host. */
static inline int guest_accept(void *opaque, u32 port, u32 type)
{
	struct vsock_guest *g = opaque;
	int pair[2];

	g->wanted = port;
	if (port >= 100)
		return -1;
	ck_assert_int_eq(socketpair(AF_UNIX, type == 2 ? SOCK_SEQPACKET : SOCK_STREAM, 0, pair), 0);
	g->host = pair[1];
	return pair[0];
}

/* Long enough for what wakes another. */
static inline void guest_sync(struct vsock_guest *g)
{
	for (unsigned int i = 0; i < 4; i++)
		vd_sync(&g->d);
}

static inline void guest_rx(struct vsock_guest *g, unsigned int count)
{
	while (count--) {
		struct vd_buf buf = { vd_alloc(&g->d, HEADER + ROOM, 4), HEADER + ROOM, true };
		int id = vr_add(&g->rx, &buf, 1, false);

		ck_assert_int_ge(id, 0);
		g->in[id] = buf.at;
	}
	vr_kick(&g->rx);
	guest_sync(g);
}

static inline void guest_up(struct vsock_guest *g, u64 features)
{
	ck_assert(vd_negotiate(&g->d, VIRTIO_F_VERSION_1 | features));
	g->d.brk = 0x10000;
	vr_init(&g->rx, &g->d, 0, 64);
	vr_init(&g->tx, &g->d, 1, 128);
	vr_init(&g->ev, &g->d, 2, 8);
	g->out = vd_alloc(&g->d, 1 << 20, 16);
	vd_ok(&g->d);
	vd_sync(&g->d);
}

static inline void guest_init(struct vsock_guest *g, u64 features, const char *path, u32 most)
{
	const struct mhi_vsock_config config = {
		.cid = CID, .path = path, .connections = most, .accept = guest_accept, .opaque = g
	};

	memset(g, 0, sizeof(*g));
	vd_init(&g->d);
	g->alloc = 1 << 18;
	g->type = 1;
	g->host = -1;
	ck_assert_int_eq(mhi_vsock_create(&g->d.env, &config, &g->dev, NULL), 0);
	vd_attach(&g->d, g->dev, false);
	ck_assert_uint_eq(g->d.pci.pci.device, 0x1053);
	ck_assert_uint_eq(vd_offered(&g->d) & 0xff, 3);
	ck_assert_uint_eq(vd_read(&g->d, 0x2000, 8), CID);
	guest_up(g, features);
}

static inline void guest_fini(struct vsock_guest *g)
{
	vd_fini(&g->d);
	if (g->host >= 0)
		close(g->host);
}

/* A packet's header at the start of the out buffer. */
static inline u8 *guest_header(struct vsock_guest *g, u16 op, u32 guest, u32 host, u32 flags,
			       u32 len)
{
	u8 *p = vd_ptr(&g->d, g->out);

	mhi_put_le64(p, CID);
	mhi_put_le64(p + 8, 2);
	mhi_put_le32(p + 16, guest);
	mhi_put_le32(p + 20, host);
	mhi_put_le32(p + 24, len);
	mhi_put_le16(p + 28, g->type);
	mhi_put_le16(p + 30, op);
	mhi_put_le32(p + 32, flags);
	mhi_put_le32(p + 36, g->alloc);
	mhi_put_le32(p + 40, g->fwd);
	return p;
}

/* What is in the out buffer, in two pieces. */
static inline void guest_send_raw(struct vsock_guest *g, u32 bytes)
{
	struct vd_buf buf[2] = { { g->out, bytes < 20 ? bytes : 20, false },
				 { g->out + 20, bytes < 20 ? 0 : bytes - 20, false } };
	u32 len = 1;

	ck_assert_int_ge(vr_add(&g->tx, buf, buf[1].bytes ? 2 : 1, false), 0);
	vr_kick(&g->tx);
	guest_sync(g);
	ck_assert_int_ge(vr_get(&g->tx, &len), 0);
	ck_assert_uint_eq(len, 0);
}

static inline void guest_send(struct vsock_guest *g, u16 op, u32 guest, u32 host, u32 flags)
{
	guest_header(g, op, guest, host, flags, 0);
	guest_send_raw(g, HEADER);
}

static inline void guest_write(struct vsock_guest *g, u32 guest, u32 host, u32 flags,
			       const void *data, u32 len)
{
	memcpy(guest_header(g, RW, guest, host, flags, len) + HEADER, data, len);
	guest_send_raw(g, HEADER + len);
}

/* The next packet for the guest; false: there is none. Its buffer is given again. */
static inline bool guest_recv(struct vsock_guest *g, struct pkt *p)
{
	const u8 *at;
	u32 len;
	int id = vr_get(&g->rx, &len);

	if (id < 0)
		return false;
	at = vd_ptr(&g->d, g->in[id]);
	*p = (struct pkt){ .guest = mhi_get_le32(at + 20),
			   .host = mhi_get_le32(at + 16),
			   .len = mhi_get_le32(at + 24),
			   .type = mhi_get_le16(at + 28),
			   .op = mhi_get_le16(at + 30),
			   .flags = mhi_get_le32(at + 32),
			   .alloc = mhi_get_le32(at + 36),
			   .fwd = mhi_get_le32(at + 40),
			   .data = g->data };
	ck_assert_uint_eq(len, HEADER + p->len);
	ck_assert_uint_eq(mhi_get_le64(at + 8), CID);
	memcpy(g->data, at + HEADER, p->len);
	{
		struct vd_buf buf = { g->in[id], HEADER + ROOM, true };
		mh_gpa in = g->in[id];

		id = vr_add(&g->rx, &buf, 1, false);
		g->in[id] = in;
	}
	vr_kick(&g->rx);
	guest_sync(g);
	return true;
}

/* The next packet must be this. */
static inline struct pkt guest_expect(struct vsock_guest *g, u16 op, u32 guest, u32 host)
{
	struct pkt p = { 0 };

	guest_sync(g);
	ck_assert_msg(guest_recv(g, &p), "no packet instead of operation %u", op);
	ck_assert_uint_eq(p.op, op);
	ck_assert_uint_eq(p.guest, guest);
	ck_assert_uint_eq(p.host, host);
	return p;
}

static inline void guest_expect_none(struct vsock_guest *g)
{
	struct pkt p = { 0 };

	guest_sync(g);
	ck_assert_msg(!guest_recv(g, &p), "operation %u", p.op);
}

static inline void guest_connect(struct vsock_guest *g, u32 guest, u32 host)
{
	struct pkt p;

	guest_send(g, REQUEST, guest, host, 0);
	p = guest_expect(g, RESPONSE, guest, host);
	ck_assert_uint_eq(p.alloc, WINDOW);
	ck_assert_uint_eq(p.type, g->type);
	ck_assert_int_ge(g->host, 0);
}

/* What the host's end can read now: bytes; 0: its end; -1: nothing (yet). */
static inline ssize_t host_read(int fd, void *buf, size_t bytes)
{
	ssize_t n = recv(fd, buf, bytes, MSG_DONTWAIT);

	ck_assert(n >= 0 || errno == EAGAIN || errno == ECONNRESET);
	return n;
}

#endif
