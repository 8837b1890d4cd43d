// SPDX-License-Identifier: MIT
/* virtio-net: the filter, every control command, many queues, links between two devices. */
#include "vnet_card.h"

#include <netinet/in.h>

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

static struct card b; /* the other end */

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
	ck_assert_uint_eq(a.d.failures, 1);
	ck_assert_int_eq(a.d.failed, MH_DEV_GONE);
	vd_fini(&a.d);
}

START_TEST(links)
{
	exchange(SOCK_SEQPACKET);
	exchange(SOCK_DGRAM);
}
END_TEST

/*
 * Empty datagrams are no frames, and were skipped without end by who found them: now each ends the
 * turn, and others have theirs.
 */
START_TEST(empty_datagrams)
{
	int fd = socket(AF_INET, SOCK_DGRAM, 0), peer = socket(AF_INET, SOCK_DGRAM, 0);
	struct sockaddr_in to = { .sin_family = AF_INET };
	socklen_t bytes = sizeof(to);
	struct mhi_err err = { 0 };
	struct mhi_net *back_end;
	u32 len, turns = 0;
	int id = -1;

	to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	ck_assert_int_eq(bind(fd, (struct sockaddr *)&to, sizeof(to)), 0);
	ck_assert_int_eq(getsockname(fd, (struct sockaddr *)&to, &bytes), 0);
	ck_assert_int_eq(connect(peer, (struct sockaddr *)&to, sizeof(to)), 0);
	vd_init(&a.d);
	ck_assert_int_eq(mhi_net_socket_open(&a.d.env, fd, 1500, &back_end, &err), 0);
	attach(&a, back_end);
	begin(&a, MRG, 2);
	offer(&a, 0, 10, 2048);
	make_tcp(&packet, false, false, 0, 100);
	for (unsigned int n = 0; n < 100; n++)
		ck_assert_int_eq(send(peer, NULL, 0, 0), 0);
	ck_assert_int_eq(send(peer, packet.data, packet.bytes, 0), (ssize_t)packet.bytes);
	for (; turns < 200 && id < 0; turns++) {
		vd_sync(&a.d);
		id = vr_get(&a.rx, &len);
	}
	ck_assert_int_ge(id, 0);
	ck_assert_uint_eq(len, MHI_NET_HDR + packet.bytes);
	ck_assert_uint_eq(turns, 101);
	vd_fini(&a.d);
	close(fd);
	close(peer);
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
	tcase_add_test(tcase, filter);
	tcase_add_test(tcase, commands_that_cannot_be);
	tcase_add_test(tcase, many_queues);
	tcase_add_test(tcase, links);
	tcase_add_test(tcase, empty_datagrams);
	tcase_add_test(tcase, slow_link);
}

UNIT_MAIN("vnet_ctrl", add_tests)
