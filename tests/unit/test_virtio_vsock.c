// SPDX-License-Identifier: MIT
/* virtio-vsock: connections both ways, their bytes and messages, half-closing, credit. */
#include "unit.h"
#include "vsock_guest.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/un.h>

static struct vsock_guest g;
static char buf[1 << 18];

START_TEST(to_host)
{
	for (unsigned int packed = 0; packed < 2; packed++) {
		struct pkt p;

		guest_init(&g, packed ? VIRTIO_F_RING_PACKED | VIRTIO_F_EVENT_IDX : 0, NULL, 0);
		guest_rx(&g, 16);
		guest_connect(&g, 1000, 5);
		ck_assert_uint_eq(g.wanted, 5);
		guest_write(&g, 1000, 5, 0, "hello", 5);
		ck_assert_int_eq(host_read(g.host, buf, 100), 5);
		ck_assert(!memcmp(buf, "hello", 5));
		ck_assert_int_eq(write(g.host, "you too", 7), 7);
		p = guest_expect(&g, RW, 1000, 5);
		ck_assert_uint_eq(p.len, 7);
		ck_assert_uint_eq(p.fwd, 5);
		ck_assert(!memcmp(p.data, "you too", 7));
		guest_expect_none(&g);
		/* Whoever asks is told. */
		guest_send(&g, CREDIT, 1000, 5, 0);
		p = guest_expect(&g, UPDATE, 1000, 5);
		ck_assert_uint_eq(p.fwd, 5);
		ck_assert_uint_eq(g.d.logged, 0);
		guest_fini(&g);
	}
}
END_TEST

START_TEST(host_closes)
{
	struct pkt p;

	guest_init(&g, 0, NULL, 0);
	guest_rx(&g, 16);
	guest_connect(&g, 1000, 5);
	/* It says that it is done, and still listens. */
	ck_assert_int_eq(write(g.host, "last", 4), 4);
	shutdown(g.host, SHUT_WR);
	guest_expect(&g, RW, 1000, 5);
	p = guest_expect(&g, SHUTDOWN, 1000, 5);
	ck_assert_uint_eq(p.flags, 2);
	guest_expect_none(&g);
	guest_write(&g, 1000, 5, 0, "answer", 6);
	ck_assert_int_eq(host_read(g.host, buf, 100), 6);
	/* Then it goes. */
	close(g.host);
	g.host = -1;
	p = guest_expect(&g, SHUTDOWN, 1000, 5);
	ck_assert_uint_eq(p.flags, 3);
	/* What comes now is lost, and costs no credit. */
	guest_write(&g, 1000, 5, 0, "late", 4);
	guest_send(&g, CREDIT, 1000, 5, 0);
	p = guest_expect(&g, UPDATE, 1000, 5);
	ck_assert_uint_eq(p.fwd, 10);
	guest_send(&g, RST, 1000, 5, 0);
	guest_expect_none(&g);
	/* All at once, with bytes before it. */
	guest_connect(&g, 1000, 5);
	ck_assert_int_eq(write(g.host, "last", 4), 4);
	close(g.host);
	g.host = -1;
	p = guest_expect(&g, RW, 1000, 5);
	ck_assert_uint_eq(p.len, 4);
	p = guest_expect(&g, SHUTDOWN, 1000, 5);
	ck_assert_uint_eq(p.flags, 3);
	guest_send(&g, RST, 1000, 5, 0);
	/* With bytes of the guest's unread: a reset. */
	guest_connect(&g, 1000, 5);
	guest_write(&g, 1000, 5, 0, "unread", 6);
	close(g.host);
	g.host = -1;
	guest_expect(&g, RST, 1000, 5);
	guest_send(&g, CREDIT, 1000, 5, 0);
	guest_expect(&g, RST, 1000, 5);
	/* It does not want to receive: the guest learns it when it sends. */
	guest_connect(&g, 1000, 5);
	shutdown(g.host, SHUT_RD);
	guest_write(&g, 1000, 5, 0, "unread", 6);
	p = guest_expect(&g, SHUTDOWN, 1000, 5);
	ck_assert_uint_eq(p.flags, 1);
	ck_assert_int_eq(write(g.host, "said", 4), 4);
	guest_expect(&g, RW, 1000, 5);
	guest_fini(&g);
}
END_TEST

START_TEST(guest_closes)
{
	guest_init(&g, 0, NULL, 0);
	guest_rx(&g, 16);
	guest_connect(&g, 1000, 5);
	guest_write(&g, 1000, 5, 0, "bye", 3);
	guest_send(&g, SHUTDOWN, 1000, 5, 2);
	ck_assert_int_eq(host_read(g.host, buf, 100), 3);
	ck_assert_int_eq(host_read(g.host, buf, 100), 0);
	ck_assert_int_eq(write(g.host, "wait", 4), 4);
	guest_expect(&g, RW, 1000, 5);
	guest_send(&g, SHUTDOWN, 1000, 5, 1);
	guest_expect(&g, RST, 1000, 5);
	ck_assert_int_eq(send(g.host, "wait", 4, MSG_NOSIGNAL), -1);
	close(g.host);
	/* It does not want to receive, but sends. */
	guest_connect(&g, 1000, 6);
	guest_send(&g, SHUTDOWN, 1000, 6, 1);
	ck_assert_int_eq(send(g.host, "no", 2, MSG_NOSIGNAL), -1);
	ck_assert_int_eq(errno, EPIPE);
	guest_write(&g, 1000, 6, 0, "yes", 3);
	ck_assert_int_eq(host_read(g.host, buf, 100), 3);
	guest_expect_none(&g);
	/* A reset. */
	guest_send(&g, RST, 1000, 6, 0);
	ck_assert_int_eq(host_read(g.host, buf, 100), 0);
	guest_expect_none(&g);
	guest_fini(&g);
}
END_TEST

/* Sends a pattern that goes on at from. */
static void send_pattern(u32 from, u32 bytes)
{
	while (bytes) {
		u32 n = bytes < 60000 ? bytes : 60000;

		for (u32 i = 0; i < n; i++)
			buf[i] = (char)((from + i) * 7 >> 3);
		guest_write(&g, 1000, 5, 0, buf, n);
		from += n;
		bytes -= n;
	}
}

/* Reads what is there, which must be the pattern. */
static u32 read_pattern(u32 from, u32 most)
{
	u32 done = 0;
	ssize_t n;

	while (done < most && (n = host_read(g.host, buf, most - done)) > 0) {
		for (u32 i = 0; i < n; i++)
			ck_assert_int_eq(buf[i], (char)((from + done + i) * 7 >> 3));
		done += (u32)n;
	}
	return done;
}

START_TEST(slow_host)
{
	u32 sent = 0, fwd = 0, got = 0;
	struct pkt p;

	guest_init(&g, 0, NULL, 0);
	guest_rx(&g, 32);
	guest_connect(&g, 1000, 5);
	/* Until the socket is full, and then until the window is. */
	for (;;) {
		while (guest_recv(&g, &p))
			if (p.op == UPDATE)
				fwd = p.fwd;
		if (sent - fwd == WINDOW)
			break;
		ck_assert_uint_lt(sent, 16 << 20);
		send_pattern(sent, WINDOW - (sent - fwd));
		sent += WINDOW - (sent - fwd);
	}
	ck_assert_uint_gt(fwd, 0);
	guest_send(&g, CREDIT, 1000, 5, 0);
	p = guest_expect(&g, UPDATE, 1000, 5);
	/* The guest knows of less than half of what may be forwarded. */
	fwd = p.fwd;
	send_pattern(sent, WINDOW - (sent - fwd));
	sent += WINDOW - (sent - fwd);
	guest_send(&g, SHUTDOWN, 1000, 5, 2);
	/* In pieces of odd size; then the end. */
	while (got < sent) {
		u32 n = read_pattern(got, 7777);

		ck_assert_uint_gt(n, 0);
		got += n;
		guest_sync(&g);
	}
	ck_assert_uint_eq(got, sent);
	guest_sync(&g);
	ck_assert_int_eq(host_read(g.host, buf, 1), 0);
	while (guest_recv(&g, &p))
		fwd = p.fwd;
	ck_assert_uint_gt(WINDOW / 2, sent - fwd);
	guest_fini(&g);
}
END_TEST

START_TEST(slow_guest)
{
	u32 got = 0;
	struct pkt p;

	guest_init(&g, 0, NULL, 0);
	guest_rx(&g, 16);
	g.alloc = 1000;
	guest_connect(&g, 1000, 5);
	for (u32 i = 0; i < sizeof(buf); i++)
		buf[i] = (char)(i * 7 >> 3);
	ck_assert_int_eq(write(g.host, buf, 10000), 10000);
	shutdown(g.host, SHUT_WR);
	p = guest_expect(&g, RW, 1000, 5);
	ck_assert_uint_eq(p.len, 1000);
	got = 1000;
	guest_expect(&g, CREDIT, 1000, 5);
	guest_expect_none(&g);
	/* Not a byte more than it has room for. */
	g.fwd = 1;
	guest_send(&g, UPDATE, 1000, 5, 0);
	p = guest_expect(&g, RW, 1000, 5);
	ck_assert_uint_eq(p.len, 1);
	got += 1;
	guest_expect(&g, CREDIT, 1000, 5);
	/* An older count does not mean more, nor does a smaller room. */
	g.fwd = 0;
	guest_send(&g, UPDATE, 1000, 5, 0);
	guest_expect_none(&g);
	g.fwd = got;
	g.alloc = 0;
	guest_send(&g, UPDATE, 1000, 5, 0);
	guest_expect_none(&g);
	g.alloc = 1 << 16;
	guest_send(&g, UPDATE, 1000, 5, 0);
	while (got < 10000) {
		p = guest_expect(&g, RW, 1000, 5);
		ck_assert(!memcmp(p.data, buf + got, p.len));
		got += p.len;
	}
	ck_assert_uint_eq(got, 10000);
	guest_expect(&g, SHUTDOWN, 1000, 5);
	guest_fini(&g);
}
END_TEST

START_TEST(messages)
{
	struct pkt p;

	guest_init(&g, SEQPACKET, NULL, 0);
	guest_rx(&g, 32);
	g.type = 2;
	guest_connect(&g, 1000, 5);
	/* One in a packet, one in three, an empty one, half of one at the end. */
	guest_write(&g, 1000, 5, 1, "one", 3);
	guest_write(&g, 1000, 5, 0, "t", 1);
	guest_write(&g, 1000, 5, 0, "wo", 2);
	ck_assert_int_eq(host_read(g.host, buf, 100), 3);
	ck_assert_int_eq(host_read(g.host, buf, 100), -1);
	guest_write(&g, 1000, 5, 1, "", 0);
	guest_write(&g, 1000, 5, 1, "", 0);
	guest_write(&g, 1000, 5, 0, "half", 4);
	ck_assert_int_eq(host_read(g.host, buf, 100), 3);
	ck_assert(!memcmp(buf, "two", 3));
	/* Half a message may need all the room that there is. */
	while (guest_recv(&g, &p))
		ck_assert_uint_eq(p.op, UPDATE);
	/* To the guest. */
	memset(buf, 'x', 10000);
	ck_assert_int_eq(send(g.host, "short", 5, 0), 5);
	ck_assert_int_eq(send(g.host, buf, 10000, 0), 10000);
	ck_assert_int_eq(send(g.host, "end", 3, 0), 3);
	p = guest_expect(&g, RW, 1000, 5);
	ck_assert_uint_eq(p.len, 5);
	ck_assert_uint_eq(p.flags, 1);
	for (u32 left = 10000; left; left -= p.len) {
		p = guest_expect(&g, RW, 1000, 5);
		ck_assert_uint_eq(p.flags, p.len == left);
	}
	p = guest_expect(&g, RW, 1000, 5);
	ck_assert_uint_eq(p.len, 3);
	guest_expect_none(&g);
	guest_send(&g, SHUTDOWN, 1000, 5, 2);
	ck_assert_int_eq(host_read(g.host, buf, 100), 0);
	/* One that the guest has no room for. */
	g.alloc = 999;
	g.fwd = 5 + 10000 + 3;
	guest_send(&g, UPDATE, 1000, 5, 0);
	ck_assert_int_eq(send(g.host, buf, 1000, 0), 1000);
	guest_expect(&g, RST, 1000, 5);
	ck_assert_int_eq(host_read(g.host, buf, 100), -1);
	ck_assert_int_eq(errno, ECONNRESET);
	guest_fini(&g);
}
END_TEST

START_TEST(message_of_a_window)
{
	struct pkt p;

	/* Some bytes forwarded and not told, then a message that needs the whole window. */
	guest_init(&g, SEQPACKET, NULL, 0);
	guest_rx(&g, 32);
	g.type = 2;
	guest_connect(&g, 1000, 5);
	guest_write(&g, 1000, 5, 1, buf, 1000);
	ck_assert_int_eq(host_read(g.host, buf, sizeof(buf)), 1000);
	guest_expect_none(&g);
	memset(buf, 'w', WINDOW);
	guest_write(&g, 1000, 5, 0, buf, WINDOW - 1000);
	p = guest_expect(&g, UPDATE, 1000, 5);
	ck_assert_uint_eq(p.fwd, 1000);
	guest_write(&g, 1000, 5, 1, buf, 1000);
	ck_assert_int_eq(host_read(g.host, buf, sizeof(buf)), WINDOW);
	guest_fini(&g);
}
END_TEST

START_TEST(slow_host_of_messages)
{
	u32 sent = 0, fwd = 0, got = 0;
	struct pkt p;
	ssize_t n;

	/* Of a single byte each: the most that may be kept. */
	guest_init(&g, SEQPACKET, NULL, 0);
	guest_rx(&g, 32);
	g.type = 2;
	guest_connect(&g, 1000, 5);
	while (sent - fwd < WINDOW) {
		char c = (char)(sent * 7 >> 3);

		guest_write(&g, 1000, 5, 1, &c, 1);
		sent++;
		while (guest_recv(&g, &p))
			fwd = p.op == UPDATE ? p.fwd : fwd;
	}
	for (; got < sent; got++) {
		n = host_read(g.host, buf, 100);
		if (n < 0) {
			guest_sync(&g);
			n = host_read(g.host, buf, 100);
		}
		ck_assert_int_eq(n, 1);
		ck_assert_int_eq(buf[0], (char)(got * 7 >> 3));
	}
	guest_fini(&g);
}
END_TEST

/* ---- the host connects ---- */

static int client(const char *path)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	snprintf(a.sun_path, sizeof(a.sun_path), "%s", path);
	ck_assert_int_eq(connect(fd, (struct sockaddr *)&a, sizeof(a)), 0);
	return fd;
}

static void say(int fd, const char *text)
{
	ck_assert_int_eq(write(fd, text, strlen(text)), strlen(text));
	guest_sync(&g);
}

static char path[64];

static void set_path(void)
{
	snprintf(path, sizeof(path), "/tmp/vsock-test-%d", (int)getpid());
	guest_init(&g, 0, path, 0);
	guest_rx(&g, 16);
}

START_TEST(client_by_path)
{
	char want[64];
	struct pkt p;
	int fd;

	set_path();
	fd = client(path);
	say(fd, "CONN");
	guest_expect_none(&g);
	say(fd, "ECT 1234\nearly");
	p = guest_expect(&g, REQUEST, 1234, 1u << 30);
	ck_assert_uint_eq(p.alloc, WINDOW);
	ck_assert_int_eq(host_read(fd, buf, 100), -1);
	guest_send(&g, RESPONSE, 1234, p.host, 0);
	ck_assert_int_eq(host_read(fd, buf, 100), snprintf(want, 64, "OK %u\n", 1u << 30));
	ck_assert(!memcmp(buf, want, strlen(want)));
	p = guest_expect(&g, RW, 1234, p.host);
	ck_assert_uint_eq(p.len, 5);
	ck_assert(!memcmp(p.data, "early", 5));
	guest_write(&g, 1234, p.host, 0, "hi", 2);
	ck_assert_int_eq(host_read(fd, buf, 100), 2);
	close(fd);
	guest_expect(&g, SHUTDOWN, 1234, p.host);
	guest_send(&g, RST, 1234, p.host, 0);
	guest_fini(&g);
	ck_assert_int_eq(access(path, F_OK), -1);
}
END_TEST

START_TEST(clients_that_get_nothing)
{
	static const char *const wrong[] = { "CONNECT\n",
					     "CONNECT x\n",
					     "CONNECT 4294967296\n",
					     "CONNECT -1\n",
					     "connect 5\n",
					     "\n",
					     "CONNECT 5 \n",
					     "CONNECT 00000000000005",
					     "GET / HTTP/1.1\r\n" };
	const struct mhi_vsock_config again = { .cid = 3, .path = path };
	struct mhi_vdev *none;
	struct mhi_err err;
	int fd;

	set_path();
	ck_assert_int_eq(mhi_vsock_create(&g.d.env, &again, &none, &err), MH_EEXIST);
	ck_assert_ptr_nonnull(strstr(err.text, path));
	/* The guest refuses; the client goes before the guest answers. */
	fd = client(path);
	say(fd, "CONNECT 0\n");
	guest_expect(&g, REQUEST, 0, 1u << 30);
	guest_send(&g, RST, 0, 1u << 30, 0);
	ck_assert_int_eq(host_read(fd, buf, 100), 0);
	close(fd);
	fd = client(path);
	say(fd, "CONNECT 4294967295\n");
	guest_expect(&g, REQUEST, ~0u, (1u << 30) + 1);
	close(fd);
	guest_expect(&g, RST, ~0u, (1u << 30) + 1);
	for (unsigned int i = 0; i < MHI_COUNT(wrong); i++) {
		fd = client(path);
		say(fd, wrong[i]);
		ck_assert_int_le(host_read(fd, buf, 100), 0);
		ck_assert_int_eq(send(fd, "x", 1, MSG_NOSIGNAL), -1);
		close(fd);
	}
	guest_expect_none(&g);
	guest_fini(&g);
}
END_TEST

START_TEST(server_by_path)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	int fd, listener = socket(AF_UNIX, SOCK_STREAM, 0);

	/* The callback has none for these ports. */
	set_path();
	snprintf(a.sun_path, sizeof(a.sun_path), "%s_777", path);
	ck_assert_int_eq(bind(listener, (struct sockaddr *)&a, sizeof(a)), 0);
	ck_assert_int_eq(listen(listener, 5), 0);
	guest_send(&g, REQUEST, 1000, 777, 0);
	guest_expect(&g, RESPONSE, 1000, 777);
	guest_write(&g, 1000, 777, 0, "hi", 2);
	fd = accept(listener, NULL, NULL);
	ck_assert_int_eq(host_read(fd, buf, 100), 2);
	guest_send(&g, REQUEST, 1000, 778, 0);
	guest_expect(&g, RST, 1000, 778);
	close(fd);
	close(listener);
	unlink(a.sun_path);
	guest_fini(&g);
}
END_TEST

START_TEST(by_call)
{
	struct pkt p;
	int fd;

	guest_init(&g, SEQPACKET, NULL, 2);
	guest_rx(&g, 16);
	fd = mhi_vsock_connect(g.dev, 99, MHI_VSOCK_STREAM, NULL);
	ck_assert_int_ge(fd, 0);
	/* Written and closed before the guest says anything. */
	ck_assert_int_eq(write(fd, "gone", 4), 4);
	close(fd);
	p = guest_expect(&g, REQUEST, 99, 1u << 30);
	guest_send(&g, RESPONSE, 99, p.host, 0);
	p = guest_expect(&g, RW, 99, p.host);
	ck_assert_uint_eq(p.len, 4);
	guest_expect(&g, SHUTDOWN, 99, p.host);
	g.type = 2;
	fd = mhi_vsock_connect(g.dev, 98, MHI_VSOCK_SEQPACKET, NULL);
	p = guest_expect(&g, REQUEST, 98, (1u << 30) + 1);
	ck_assert_uint_eq(p.type, 2);
	guest_send(&g, RESPONSE, 98, p.host, 0);
	ck_assert_int_eq(send(fd, "ab", 2, 0) + send(fd, "c", 1, 0), 3);
	p = guest_expect(&g, RW, 98, p.host);
	ck_assert_uint_eq(p.len, 2);
	guest_expect(&g, RW, 98, p.host);
	close(fd);
	ck_assert_int_eq(mhi_vsock_connect(g.dev, 97, MHI_VSOCK_STREAM, NULL), MH_ERANGE);
	vd_set_status(&g.d, 0);
	ck_assert_int_eq(mhi_vsock_connect(g.dev, 97, MHI_VSOCK_STREAM, NULL), MH_ESTATE);
	vd_sync(&g.d);
	guest_up(&g, 0);
	ck_assert_int_eq(mhi_vsock_connect(g.dev, 97, MHI_VSOCK_SEQPACKET, NULL), MH_ENOTSUP);
	guest_fini(&g);
}
END_TEST

static void add_tests(TCase *tcase)
{
	tcase_set_timeout(tcase, 60);
	tcase_add_test(tcase, to_host);
	tcase_add_test(tcase, host_closes);
	tcase_add_test(tcase, guest_closes);
	tcase_add_test(tcase, slow_host);
	tcase_add_test(tcase, slow_guest);
	tcase_add_test(tcase, messages);
	tcase_add_test(tcase, message_of_a_window);
	tcase_add_test(tcase, slow_host_of_messages);
	tcase_add_test(tcase, client_by_path);
	tcase_add_test(tcase, clients_that_get_nothing);
	tcase_add_test(tcase, server_by_path);
	tcase_add_test(tcase, by_call);
}

UNIT_MAIN("virtio_vsock", add_tests)
