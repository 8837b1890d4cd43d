// SPDX-License-Identifier: MIT
/* virtio-vsock and drivers that lie: packets of nonsense, credit, floods, resets at any moment. */
#include "unit.h"
#include "rng.h"
#include "vsock_guest.h"

static struct vsock_guest g;
static char buf[1 << 18];

START_TEST(refusals)
{
	u8 *p;

	guest_init(&g, 0, NULL, 0);
	guest_rx(&g, 16);
	/* Nobody is there; a connection that is none; answers to answers are none. */
	guest_send(&g, REQUEST, 1000, 100, 0);
	guest_expect(&g, RST, 1000, 100);
	guest_send(&g, RW, 1000, 5, 0);
	guest_expect(&g, RST, 1000, 5);
	guest_send(&g, 77, 1000, 5, 0);
	guest_expect(&g, RST, 1000, 5);
	guest_send(&g, RST, 1000, 5, 0);
	guest_expect_none(&g);
	/* Not of this host; of a type that does not exist, or was not negotiated. */
	p = guest_header(&g, REQUEST, 1000, 5, 0, 0);
	mhi_put_le64(p + 8, 77);
	guest_send_raw(&g, HEADER);
	guest_expect(&g, RST, 1000, 5);
	g.type = 7;
	guest_send(&g, REQUEST, 1000, 5, 0);
	guest_expect(&g, RST, 1000, 5);
	g.type = 2;
	guest_send(&g, REQUEST, 1000, 5, 0);
	guest_expect(&g, RST, 1000, 5);
	g.type = 1;
	ck_assert_uint_eq(g.d.logged, 0);
	/* Another's address, no whole header, less than it says: not worth an answer. */
	p = guest_header(&g, REQUEST, 1000, 5, 0, 0);
	mhi_put_le64(p, CID + 1);
	guest_send_raw(&g, HEADER);
	guest_header(&g, REQUEST, 1000, 5, 0, 0);
	guest_send_raw(&g, HEADER - 1);
	guest_send_raw(&g, 1);
	guest_header(&g, REQUEST, 1000, 5, 0, 1);
	guest_send_raw(&g, HEADER);
	guest_header(&g, REQUEST, 1000, 5, 0, ~0u);
	guest_send_raw(&g, HEADER + 100);
	guest_expect_none(&g);
	ck_assert_int_eq(g.host, -1);
	ck_assert_uint_eq(g.d.logged, 1);
	ck_assert_uint_eq(vd_status(&g.d), 0xf);
	guest_fini(&g);
}
END_TEST

/* Connects, does this, and must be reset; what it sends then is a stranger's. */
static void wrong(u16 op, u16 type, u32 fwd, u32 flags, u32 len)
{
	ssize_t n;

	guest_connect(&g, 1000, 5);
	g.type = type;
	g.fwd = fwd;
	memset(guest_header(&g, op, 1000, 5, flags, len) + HEADER, 'x', len);
	guest_send_raw(&g, HEADER + len);
	g.type = 1;
	g.fwd = 0;
	guest_expect(&g, RST, 1000, 5);
	while ((n = host_read(g.host, buf, sizeof(buf))) > 0)
		;
	ck_assert_int_eq(n, 0);
	close(g.host);
	g.host = -1;
	guest_send(&g, UPDATE, 1000, 5, 0);
	guest_expect(&g, RST, 1000, 5);
	guest_expect_none(&g);
}

START_TEST(nonsense)
{
	guest_init(&g, SEQPACKET, NULL, 0);
	guest_rx(&g, 16);
	wrong(REQUEST, 1, 0, 0, 0);
	wrong(RESPONSE, 1, 0, 0, 0);
	wrong(0, 1, 0, 0, 0);
	wrong(8, 1, 0, 0, 0);
	wrong(0xffff, 1, 0, 0, 0);
	wrong(RW, 2, 0, 0, 10);
	/* It has read what it was not sent, and sends what it has no credit for. */
	wrong(UPDATE, 1, 1, 0, 0);
	wrong(UPDATE, 1, 0x7fffffff, 0, 0);
	wrong(RW, 1, 0, 0, WINDOW + 1);
	/* It said that it would not send. */
	guest_connect(&g, 1000, 6);
	guest_send(&g, SHUTDOWN, 1000, 6, 2);
	guest_write(&g, 1000, 6, 0, "x", 1);
	guest_expect(&g, RST, 1000, 6);
	/* A message without end. */
	g.type = 2;
	guest_connect(&g, 1000, 7);
	guest_write(&g, 1000, 7, 0, buf, WINDOW);
	guest_write(&g, 1000, 7, 0, buf, 1);
	guest_expect(&g, RST, 1000, 7);
	guest_fini(&g);
}
END_TEST

START_TEST(floods)
{
	u32 len, taken = 0;
	struct pkt p;

	/* No buffers for answers: it has to wait for them. */
	guest_init(&g, 0, NULL, 0);
	guest_header(&g, RW, 1000, 5, 0, 0);
	for (unsigned int i = 0; i < 100; i++) {
		struct vd_buf one = { g.out, HEADER, false };

		ck_assert_int_ge(vr_add(&g.tx, &one, 1, false), 0);
	}
	vr_force_kick(&g.tx);
	guest_sync(&g);
	while (vr_get(&g.tx, &len) >= 0)
		taken++;
	ck_assert_uint_eq(taken, 64);
	guest_rx(&g, 32);
	for (unsigned int i = 0; i < 100; i++)
		guest_expect(&g, RST, 1000, 5);
	guest_expect_none(&g);
	while (vr_get(&g.tx, &len) >= 0)
		taken++;
	ck_assert_uint_eq(taken, 100);
	/* Buffers that are too small: all are used up, to no end. */
	guest_fini(&g);
	guest_init(&g, 0, NULL, 0);
	for (unsigned int i = 0; i < 8; i++) {
		struct vd_buf small = { vd_alloc(&g.d, 64, 4), i < 4 ? 43 : 44, true };

		ck_assert_int_ge(vr_add(&g.rx, &small, 1, false), 0);
	}
	vr_force_kick(&g.rx);
	guest_send(&g, REQUEST, 1000, 5, 0);
	ck_assert_int_eq(write(g.host, "data", 4), 4);
	guest_sync(&g);
	for (unsigned int i = 0; i < 8; i++) {
		ck_assert_int_ge(vr_get(&g.rx, &len), 0);
		ck_assert_uint_eq(len, i < 4 ? 0 : HEADER);
	}
	guest_rx(&g, 4);
	ck_assert(guest_recv(&g, &p));
	ck_assert_uint_eq(p.op, RW);
	ck_assert_uint_eq(p.len, 4);
	guest_fini(&g);
}
END_TEST

START_TEST(too_many)
{
	int host[20];

	guest_init(&g, 0, NULL, 20);
	guest_rx(&g, 32);
	for (u32 i = 0; i < 20; i++) {
		guest_connect(&g, 1000 + i, 5);
		host[i] = g.host;
	}
	guest_send(&g, REQUEST, 2000, 5, 0);
	guest_expect(&g, RST, 2000, 5);
	for (u32 i = 0; i < 20; i++) {
		guest_write(&g, 1000 + i, 5, 0, &i, 4);
		ck_assert_int_eq(host_read(host[i], buf, 100), 4);
		ck_assert_uint_eq(*(u8 *)buf, i);
	}
	guest_send(&g, RST, 1007, 5, 0);
	guest_connect(&g, 2000, 5);
	for (u32 i = 0; i < 20; i++)
		close(host[i]);
	guest_fini(&g);
}
END_TEST

/* Bytes of the guest's that wait because nobody reads them; returns how many there are. */
static u32 fill_socket(u32 port)
{
	u32 sent = 0, fwd = 0;
	struct pkt p;

	guest_connect(&g, 1000, port);
	memset(buf, 'f', sizeof(buf));
	while (sent - fwd < WINDOW) {
		guest_write(&g, 1000, port, 0, buf, WINDOW - (sent - fwd));
		sent += WINDOW - (sent - fwd);
		while (guest_recv(&g, &p))
			fwd = p.op == UPDATE ? p.fwd : fwd;
	}
	return sent;
}

static u32 drain(int fd)
{
	u32 got = 0;
	ssize_t n;

	while ((n = host_read(fd, buf, sizeof(buf))) > 0) {
		got += (u32)n;
		guest_sync(&g);
	}
	ck_assert_int_eq(n, 0);
	return got;
}

START_TEST(resets)
{
	u32 sent;
	int fd;

	/* In the middle of its bytes: they are lost. */
	guest_init(&g, 0, NULL, 0);
	guest_rx(&g, 16);
	sent = fill_socket(5);
	vd_set_status(&g.d, 0);
	guest_sync(&g);
	ck_assert_uint_lt(drain(g.host), sent);
	close(g.host);
	/* It was done, and did not wait: they are all there. So by RST. */
	for (unsigned int how = 0; how < 2; how++) {
		guest_up(&g, 0);
		guest_rx(&g, 16);
		sent = fill_socket(5);
		fd = g.host;
		guest_send(&g, SHUTDOWN, 1000, 5, how ? 2 : 3);
		if (how)
			vd_set_status(&g.d, 0);
		else
			guest_send(&g, RST, 1000, 5, 0);
		if (!how) {
			/* Its ports are free again. */
			guest_connect(&g, 1000, 5);
			close(g.host);
		}
		g.host = -1;
		guest_sync(&g);
		ck_assert_uint_eq(drain(fd), sent);
		close(fd);
		vd_set_status(&g.d, 0);
		guest_sync(&g);
	}
	/* While the host connects, while it says hello, while packets are due. */
	guest_up(&g, 0);
	fd = mhi_vsock_connect(g.dev, 1, MHI_VSOCK_STREAM, NULL);
	vd_set_status(&g.d, 0);
	guest_sync(&g);
	ck_assert_int_eq(host_read(fd, buf, 1), 0);
	close(fd);
	guest_up(&g, 0);
	guest_send(&g, REQUEST, 1000, 5, 0);
	guest_send(&g, REQUEST, 1001, 500, 0);
	vd_set_status(&g.d, 0);
	guest_up(&g, 0);
	guest_rx(&g, 16);
	guest_expect_none(&g);
	guest_fini(&g);
}
END_TEST

START_TEST(cut)
{
	u32 len;
	struct vd_buf event = { 0, 8, true };

	guest_init(&g, 0, NULL, 0);
	guest_rx(&g, 16);
	event.at = vd_alloc(&g.d, 8, 8);
	guest_connect(&g, 1000, 5);
	mhi_vsock_cut(g.dev, 4711);
	guest_sync(&g);
	ck_assert_int_eq(host_read(g.host, buf, 1), 0);
	ck_assert_uint_eq(vd_read(&g.d, 0x2000, 8), 4711);
	guest_expect_none(&g);
	/* It waits for a buffer. */
	ck_assert_int_ge(vr_add(&g.ev, &event, 1, false), 0);
	vr_force_kick(&g.ev);
	guest_sync(&g);
	ck_assert_int_ge(vr_get(&g.ev, &len), 0);
	ck_assert_uint_eq(len, 4);
	ck_assert_uint_eq(*(u32 *)vd_ptr(&g.d, event.at), 0);
	ck_assert_int_ge(vr_add(&g.ev, &event, 1, false), 0);
	vr_force_kick(&g.ev);
	guest_sync(&g);
	ck_assert_int_lt(vr_get(&g.ev, &len), 0);
	guest_fini(&g);
}
END_TEST

START_TEST(paused)
{
	struct pkt p;

	guest_init(&g, 0, NULL, 0);
	guest_rx(&g, 16);
	guest_connect(&g, 1000, 5);
	g.d.pci.pci.ops->run(&g.d.pci, false);
	ck_assert_int_eq(write(g.host, "wait", 4), 4);
	guest_expect_none(&g);
	g.d.pci.pci.ops->run(&g.d.pci, true);
	p = guest_expect(&g, RW, 1000, 5);
	ck_assert_uint_eq(p.len, 4);
	guest_fini(&g);
}
END_TEST

/* Whatever comes, nothing is read or written outside, and the device goes on. */
START_TEST(random_packets)
{
	struct rng rng = { 20240611 };
	struct pkt p;

	guest_init(&g, SEQPACKET, NULL, 10);
	guest_rx(&g, 32);
	for (unsigned int round = 0; round < 4000; round++) {
		u32 len = rng_below(&rng, 3) ? 0 : (u32)rng_below(&rng, 70000);
		int before = g.host;

		g.type = (u16)(1 + rng_below(&rng, 2));
		g.fwd = rng_below(&rng, 50) ? g.fwd : (u32)rng_next(&rng);
		g.alloc = 1u << rng_below(&rng, 20);
		guest_header(&g, (u16)rng_below(&rng, 9), 1000 + (u32)rng_below(&rng, 3),
			     (u32)rng_below(&rng, 3), (u32)rng_below(&rng, 4), len);
		guest_send_raw(&g, HEADER + len);
		if (before >= 0 && before != g.host)
			close(before);
		if (g.host >= 0 && !rng_below(&rng, 3))
			host_read(g.host, buf, rng_below(&rng, sizeof(buf)));
		if (g.host >= 0 && !rng_below(&rng, 3))
			send(g.host, buf, rng_below(&rng, 9000), MSG_DONTWAIT | MSG_NOSIGNAL);
		for (unsigned int i = 0; i < 4; i++)
			guest_recv(&g, &p);
		if (!rng_below(&rng, 500)) {
			vd_set_status(&g.d, 0);
			guest_up(&g, SEQPACKET);
			guest_rx(&g, 32);
			g.fwd = 0;
		}
	}
	ck_assert_uint_eq(vd_status(&g.d), 0xf);
	guest_fini(&g);
}
END_TEST

static void add_tests(TCase *tcase)
{
	tcase_set_timeout(tcase, 100);
	tcase_add_test(tcase, refusals);
	tcase_add_test(tcase, nonsense);
	tcase_add_test(tcase, floods);
	tcase_add_test(tcase, too_many);
	tcase_add_test(tcase, resets);
	tcase_add_test(tcase, cut);
	tcase_add_test(tcase, paused);
	tcase_add_test(tcase, random_packets);
}

UNIT_MAIN("vsock_hostile", add_tests)
