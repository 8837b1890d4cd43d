// SPDX-License-Identifier: MIT
/*
 * The user network, spoken to by a guest of a hundred lines: DHCP, TCP and UDP to the host, port
 * forwards, what is forbidden; the record of frames, read by a reader of its own.
 */
#include "unit.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "net_user.h"

static const u8 ours[6] = { 2, 0, 0, 0, 0, 9 };
static const u8 guest[4] = { 10, 0, 2, 15 }, host[4] = { 10, 0, 2, 2 };
static struct net_user u;
static u8 frame[2048];

enum { SYN = 2, RST = 4, PSH = 8, ACK = 16, FIN = 1 };

static void set32(u8 *p, u32 v)
{
	set16(p, v >> 16);
	set16(p + 2, v);
}

/* ---- packets ---- */

static void begin(const struct mhi_user_net_config *config)
{
	struct mhi_err err = { 0 };
	struct mhi_net *net;

	user_init(&u);
	ck_assert_int_eq(mhi_user_net_open(&u.env, config, &net, &err), 0);
	ck_assert_uint_eq(net->queues, 1);
	user_connect(&u, net);
}

/* Who has 10.0.2.2? The network learns our address by it. */
static void send_arp(void)
{
	memset(frame, 0, 60);
	memset(frame, 0xff, 6);
	memcpy(frame + 6, ours, 6);
	set16(frame + 12, 0x0806);
	memcpy(frame + 14, "\0\1\x08\0\6\4\0\1", 8);
	memcpy(frame + 22, ours, 6);
	memcpy(frame + 28, guest, 4);
	memcpy(frame + 38, host, 4);
	user_send(&u, frame, 60);
}

static void send_ip(const u8 *from, const u8 *to, u8 protocol, const void *l4, size_t bytes)
{
	u8 *ip = frame + 14;
	size_t sum_at = protocol == 6 ? 16 : 6;

	memset(frame, 0, sizeof(frame));
	memcpy(frame, "\x52\x55\x0a\0\2\2", 6);
	memcpy(frame + 6, ours, 6);
	set16(frame + 12, 0x0800);
	ip[0] = 0x45;
	set16(ip + 2, (u32)(20 + bytes));
	ip[8] = 64;
	ip[9] = protocol;
	memcpy(ip + 12, from, 4);
	memcpy(ip + 16, to, 4);
	set16(ip + 10, ~slow_sum(0, ip, 20));
	memcpy(ip + 20, l4, bytes);
	set16(ip + 20 + sum_at, 0);
	set16(ip + 20 + sum_at, ~slow_l4(ip, false, protocol, ip + 20, bytes));
	user_send(&u, frame, 34 + bytes);
}

static void send_udp(const u8 *from, const u8 *to, u16 source, u16 port, const void *data,
		     size_t bytes)
{
	u8 udp[1024] = { 0 };

	set16(udp, source);
	set16(udp + 2, port);
	set16(udp + 4, (u32)(8 + bytes));
	memcpy(udp + 8, data, bytes);
	send_ip(from, to, 17, udp, 8 + bytes);
}

/* Lets the loop run until frame n is there; n counts from the last call of forget. */
static const u8 *await(u32 n)
{
	for (unsigned int tries = 0; u.frames <= n && tries < 3000; tries++) {
		fake_loop_run(u.loop);
		if (u.frames <= n)
			poll(NULL, 0, 1);
		fake_loop_pass(u.loop, 1);
	}
	ck_assert_uint_gt(u.frames, n);
	return u.frame[n].data;
}

/* The next IPv4 packet of a protocol; its header, with *l4 and *bytes of what follows. */
static u32 seen;
static const u8 *await_ip(u8 protocol, const u8 **l4, size_t *bytes)
{
	for (;;) {
		const u8 *f = await(seen++), *ip = f + 14;

		if (be16(f + 12) != 0x0800 || ip[9] != protocol)
			continue;
		*l4 = ip + 20;
		*bytes = be16(ip + 2) - 20u;
		ck_assert_uint_eq(slow_sum(0, ip, 20), 0xffff);
		ck_assert_uint_eq(slow_l4(ip, false, protocol, *l4, *bytes), 0xffff);
		return ip;
	}
}

/* ---- a TCP of sorts ---- */

struct tcp {
	u16 port, peer;
	u32 next, ack;
	u8 got[65536];
	size_t bytes;
};

static struct tcp tcp;

static void tcp_send(u8 flags, const void *data, size_t bytes)
{
	u8 segment[1500] = { 0 };

	set16(segment, tcp.port);
	set16(segment + 2, tcp.peer);
	set32(segment + 4, tcp.next);
	set32(segment + 8, tcp.ack);
	segment[12] = 0x50;
	segment[13] = flags;
	set16(segment + 14, 60000);
	if (bytes)
		memcpy(segment + 20, data, bytes);
	send_ip(guest, host, 6, segment, 20 + bytes);
	tcp.next += (u32)bytes + !!(flags & (SYN | FIN));
}

/* The next segment of this connection; returns its flags. */
static u8 tcp_receive(void)
{
	for (;;) {
		size_t bytes, header;
		const u8 *l4;
		u8 flags;

		await_ip(6, &l4, &bytes);
		if (be16(l4 + 2) != tcp.port)
			continue;
		header = (l4[12] >> 4) * 4u;
		flags = l4[13];
		if (flags & SYN) {
			tcp.peer = be16(l4);
			tcp.ack = be32(l4 + 4) + 1;
			return flags;
		}
		if (be32(l4 + 4) == tcp.ack) {
			memcpy(tcp.got + tcp.bytes, l4 + header, bytes - header);
			tcp.bytes += bytes - header;
			tcp.ack += (u32)(bytes - header) + (flags & FIN);
		}
		return flags;
	}
}

static int listener(int type, u16 *port)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t bytes = sizeof(a);
	int fd = socket(AF_INET, type | SOCK_CLOEXEC, 0);

	ck_assert_int_eq(bind(fd, (struct sockaddr *)&a, sizeof(a)), 0);
	if (type == SOCK_STREAM)
		ck_assert_int_eq(listen(fd, 4), 0);
	getsockname(fd, (struct sockaddr *)&a, &bytes);
	*port = ntohs(a.sin_port);
	return fd;
}

/* ---- tests ---- */

static const struct mhi_user_net_config plain = { .mtu = 1500 };

START_TEST(dhcp)
{
	static const u8 nobody[4], all[4] = { 255, 255, 255, 255 };
	u8 discover[300] = { 1, 1, 6, 0, 1, 2, 3, 4 };
	size_t bytes;
	const u8 *l4;

	seen = 0;
	begin(&plain);
	memcpy(discover + 28, ours, 6);
	memcpy(discover + 236, "\x63\x82\x53\x63\x35\1\1\xff", 8);
	send_udp(nobody, all, 68, 67, discover, sizeof(discover));
	await_ip(17, &l4, &bytes);
	ck_assert_uint_eq(be16(l4), 67);
	ck_assert_uint_eq(be16(l4 + 2), 68);
	ck_assert(!memcmp(l4 + 8 + 4, "\1\2\3\4", 4));
	ck_assert(!memcmp(l4 + 8 + 16, guest, 4));
	/* An offer. */
	ck_assert(!memcmp(l4 + 8 + 236, "\x63\x82\x53\x63\x35\1\2", 7));
	user_fini(&u);
}
END_TEST

static void connect_out(u16 port)
{
	memset(&tcp, 0, sizeof(tcp));
	tcp.port = 5000;
	tcp.peer = port;
	tcp.next = 1000;
	seen = 0;
	send_arp();
	tcp_send(SYN, NULL, 0);
}

START_TEST(tcp_to_the_host)
{
	static u8 data[20000];
	u16 port;
	int listening = listener(SOCK_STREAM, &port), fd;
	char said[16] = { 0 };

	for (size_t i = 0; i < sizeof(data); i++)
		data[i] = (u8)(i * 13 + i / 250);
	begin(&plain);
	connect_out(port);
	ck_assert_uint_eq(tcp_receive(), SYN | ACK);
	tcp_send(ACK, NULL, 0);
	fd = accept(listening, NULL, NULL);
	ck_assert_int_ge(fd, 0);
	tcp_send(PSH | ACK, "hello", 5);
	ck_assert_int_eq(read(fd, said, sizeof(said)), 5);
	ck_assert_str_eq(said, "hello");
	ck_assert_int_eq(write(fd, data, sizeof(data)), sizeof(data));
	close(fd);
	while (!(tcp_receive() & FIN))
		tcp_send(ACK, NULL, 0);
	ck_assert_uint_eq(tcp.bytes, sizeof(data));
	ck_assert(!memcmp(tcp.got, data, sizeof(data)));
	tcp_send(FIN | ACK, NULL, 0);
	fake_loop_run(u.loop);
	user_fini(&u);
	close(listening);
}
END_TEST

START_TEST(forbidden)
{
	const struct mhi_user_net_config no_loopback = { .mtu = 1500, .no_loopback = true };
	const struct mhi_user_net_config restricted = { .mtu = 1500, .restricted = true };
	struct pollfd p = { .events = POLLIN };
	u16 port;

	p.fd = listener(SOCK_STREAM, &port);
	begin(&no_loopback);
	connect_out(port);
	for (unsigned int n = 0; n < 20; n++)
		fake_loop_run(u.loop);
	ck_assert_int_eq(poll(&p, 1, 20), 0);
	user_fini(&u);
	begin(&restricted);
	connect_out(port);
	for (unsigned int n = 0; n < 20; n++)
		fake_loop_run(u.loop);
	ck_assert_int_eq(poll(&p, 1, 20), 0);
	user_fini(&u);
	close(p.fd);
}
END_TEST

/* A port that nobody has: found by letting the kernel choose one. */
static u16 free_port(int type)
{
	u16 port;

	close(listener(type, &port));
	return port;
}

START_TEST(tcp_to_the_guest)
{
	struct mhi_net_forward forward = { .host.s_addr = htonl(INADDR_LOOPBACK),
					   .host_port = free_port(SOCK_STREAM),
					   .guest_port = 80 };
	const struct mhi_user_net_config config = {
		.mtu = 1500, .restricted = true, .forward = &forward, .forwards = 1
	};
	struct sockaddr_in a = { .sin_family = AF_INET,
				 .sin_addr = forward.host,
				 .sin_port = htons(forward.host_port) };
	struct mhi_err err = { 0 };
	struct mhi_net *second;
	char said[16] = { 0 };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	begin(&config);
	memset(&tcp, 0, sizeof(tcp));
	tcp.port = 80;
	tcp.next = 77;
	seen = 0;
	send_arp();
	ck_assert_int_eq(connect(fd, (struct sockaddr *)&a, sizeof(a)), 0);
	ck_assert_uint_eq(tcp_receive(), SYN);
	tcp_send(SYN | ACK, NULL, 0);
	ck_assert_int_eq(write(fd, "question", 8), 8);
	while (tcp.bytes < 8)
		tcp_receive();
	ck_assert(!memcmp(tcp.got, "question", 8));
	tcp_send(PSH | ACK, "answer", 6);
	ck_assert_int_eq(read(fd, said, sizeof(said)), 6);
	ck_assert_str_eq(said, "answer");
	/* The port is in use now. */
	ck_assert_int_eq(mhi_user_net_open(&u.env, &config, &second, &err), MH_EBUSY);
	ck_assert_ptr_nonnull(strstr(err.text, "cannot listen on tcp 127.0.0.1:"));
	user_fini(&u);
	close(fd);
}
END_TEST

/* The record has each frame, to the byte, and nothing else. */
static void check_record(const char *path)
{
	static u8 file[65536];
	size_t at = 24, records = 0, sent = 0;
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t total = read(fd, file, sizeof(file));

	ck_assert_int_gt(total, 24);
	ck_assert(!memcmp(file, "\x4d\x3c\xb2\xa1\2\0\4\0\0\0\0\0\0\0\0\0\0\0\4\0\1\0\0\0", 24));
	while (at < (size_t)total) {
		u32 length;

		memcpy(&length, file + at + 8, 4);
		ck_assert(!memcmp(file + at + 8, file + at + 12, 4));
		at += 16;
		ck_assert_uint_le(at + length, (size_t)total);
		if (!memcmp(file + at + 6, ours, 6))
			sent++;
		else
			ck_assert(!memcmp(file + at, u.frame[records - sent].data, length));
		at += length;
		records++;
	}
	ck_assert_uint_eq(sent, 2);
	ck_assert_uint_eq(records, 2 + u.frames);
	close(fd);
}

/* UDP both ways, with what passes in a file. */
START_TEST(udp_and_its_record)
{
	struct mhi_net_forward forward = { .udp = true,
					   .host.s_addr = htonl(INADDR_LOOPBACK),
					   .host_port = free_port(SOCK_DGRAM),
					   .guest_port = 53 };
	const struct mhi_user_net_config config = { .mtu = 1500,
						    .forward = &forward,
						    .forwards = 1 };
	struct sockaddr_in a = { .sin_family = AF_INET,
				 .sin_addr = forward.host,
				 .sin_port = htons(forward.host_port) };
	char path[] = "/tmp/mh-pcap-XXXXXX", said[64] = { 0 };
	struct mhi_err err = { 0 };
	struct mhi_net *inner, *net;
	u16 port;
	int fd = listener(SOCK_DGRAM, &port);
	size_t bytes;
	const u8 *l4, *ip;

	close(mkstemp(path));
	user_init(&u);
	ck_assert_int_eq(mhi_user_net_open(&u.env, &config, &inner, &err), 0);
	ck_assert_int_eq(mhi_pcap_open(&u.env, "/nowhere/file", inner, &net, &err), MH_ENOENT);
	ck_assert_ptr_nonnull(strstr(err.text, "/nowhere/file"));
	ck_assert_int_eq(mhi_pcap_open(&u.env, path, inner, &net, &err), 0);
	user_connect(&u, net);
	seen = 0;
	send_arp();
	send_udp(guest, host, 53, port, "to the host", 11);
	ck_assert_int_eq(recv(fd, said, sizeof(said), 0), 11);
	ck_assert_str_eq(said, "to the host");
	ck_assert_int_eq(sendto(fd, "to the guest", 12, 0, (struct sockaddr *)&a, sizeof(a)), 12);
	ip = await_ip(17, &l4, &bytes);
	ck_assert(!memcmp(ip + 16, guest, 4));
	ck_assert_uint_eq(be16(l4 + 2), 53);
	ck_assert(!memcmp(l4 + 8, "to the guest", 12));
	user_fini(&u);
	close(fd);
	check_record(path);
	unlink(path);
}
END_TEST

/* Frames that are none: libslirp is to survive them. */
START_TEST(garbage)
{
	u8 data[256];

	begin(&plain);
	for (unsigned int n = 0; n < 3000; n++) {
		for (size_t i = 0; i < sizeof(data); i++)
			data[i] = (u8)(rand() >> 7);
		set16(data + 12, n & 1 ? 0x0800 : n & 2 ? 0x86dd : 0x0806);
		if (n & 1)
			data[14] = 0x45;
		user_send(&u, data, 14 + n % 200);
		u.frames = 0;
	}
	user_fini(&u);
}
END_TEST

static void add_tests(TCase *tcase)
{
	tcase_add_test(tcase, dhcp);
	tcase_add_test(tcase, tcp_to_the_host);
	tcase_add_test(tcase, tcp_to_the_guest);
	tcase_add_test(tcase, udp_and_its_record);
	tcase_add_test(tcase, forbidden);
	tcase_add_test(tcase, garbage);
}

UNIT_MAIN("be_slirp", add_tests)
