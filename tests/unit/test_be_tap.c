// SPDX-License-Identifier: MIT
/*
 * TAP interfaces, in a network namespace of the test's own: frames to and from the kernel's stack,
 * with checksums left to do and without, several queues, descriptors, what is refused.
 */
#include "unit.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "net_user.h"

static const u8 ours[6] = { 2, 0, 0, 0, 0, 9 };
static const u8 guest[4] = { 10, 88, 0, 2 }, host[4] = { 10, 88, 0, 1 };
static struct net_user u;

/* Address and state of an interface. */
static void set_up(const char *name, u8 *mac)
{
	struct sockaddr_in a = { .sin_family = AF_INET };
	struct ifreq ifr = { .ifr_flags = 0 };
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	snprintf(ifr.ifr_name, sizeof(ifr.ifr_name), "%s", name);
	memcpy(&a.sin_addr, host, 4);
	memcpy(&ifr.ifr_addr, &a, sizeof(a));
	ck_assert_int_eq(ioctl(fd, SIOCSIFADDR, &ifr), 0);
	a.sin_addr.s_addr = htonl(0xffffff00);
	memcpy(&ifr.ifr_addr, &a, sizeof(a));
	ck_assert_int_eq(ioctl(fd, SIOCSIFNETMASK, &ifr), 0);
	ifr.ifr_flags = IFF_UP | IFF_RUNNING;
	ck_assert_int_eq(ioctl(fd, SIOCSIFFLAGS, &ifr), 0);
	ck_assert_int_eq(ioctl(fd, SIOCGIFHWADDR, &ifr), 0);
	memcpy(mac, ifr.ifr_hwaddr.sa_data, 6);
	close(fd);
}

/* The first frame of a type (and protocol of IPv4) that is not older than *from. */
static u32 await(u32 *from, u16 type, u8 protocol)
{
	for (unsigned int tries = 0; tries < 3000; tries++) {
		fake_loop_run(u.loop);
		for (; *from < u.frames; ++*from)
			if (be16(u.frame[*from].data + 12) == type &&
			    (!protocol || u.frame[*from].data[23] == protocol))
				return (*from)++;
		poll(NULL, 0, 1);
	}
	ck_abort_msg("no such frame came");
	return 0;
}

static void answer_arp(const u8 *request)
{
	u8 frame[60] = { 0 };

	memcpy(frame, request + 6, 6);
	memcpy(frame + 6, ours, 6);
	memcpy(frame + 12, request + 12, 8);
	frame[21] = 2;
	memcpy(frame + 22, ours, 6);
	memcpy(frame + 28, guest, 4);
	memcpy(frame + 32, request + 22, 10);
	user_send(&u, frame, sizeof(frame));
}

/* UDP to the kernel; partial: its checksum is left to do. */
static void send_udp(const u8 *mac, u16 port, bool partial)
{
	u8 frame[14 + 20 + 8 + 5] = { 0 }, hdr[MHI_NET_HDR] = { 0 }, *ip = frame + 14,
			       *udp = ip + 20, pseudo[4] = { 0, 17, 0, 13 };
	u32 sum;

	memcpy(frame, mac, 6);
	memcpy(frame + 6, ours, 6);
	set16(frame + 12, 0x0800);
	ip[0] = 0x45;
	set16(ip + 2, 33);
	ip[8] = 64;
	ip[9] = 17;
	memcpy(ip + 12, guest, 4);
	memcpy(ip + 16, host, 4);
	set16(ip + 10, ~slow_sum(0, ip, 20));
	set16(udp, 7);
	set16(udp + 2, port);
	set16(udp + 4, 13);
	memcpy(udp + 8, "howdy", 5);
	sum = slow_sum(slow_sum(0, ip + 12, 8), pseudo, 4);
	set16(udp + 6, partial ? sum : ~slow_sum(sum, udp, 13));
	if (partial) {
		hdr[MHI_NET_FLAGS] = MHI_NET_NEEDS_CSUM;
		hdr[MHI_NET_CSUM_START] = 34;
		hdr[MHI_NET_CSUM_OFFSET] = 6;
	}
	ck_assert_uint_eq(user_send_hdr(&u, 0, hdr, frame, sizeof(frame)), 1);
}

static void converse(const char *name)
{
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons(7) }, from;
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	socklen_t bytes = sizeof(from);
	u8 mac[6], said[8];
	u32 at = 0, n;

	set_up(name, mac);
	memcpy(&to.sin_addr, guest, 4);
	ck_assert_int_eq(sendto(fd, "hello", 5, 0, (struct sockaddr *)&to, sizeof(to)), 5);
	answer_arp(u.frame[await(&at, 0x0806, 0)].data);
	for (u32 offloads = 0; offloads < 2; offloads++) {
		const u8 *ip;

		n = await(&at, 0x0800, 17);
		ip = u.frame[n].data + 14;
		ck_assert_uint_eq(u.frame[n].bytes, 14 + 20 + 8 + 5);
		ck_assert(!memcmp(ip + 28, "hello", 5));
		ck_assert_uint_eq(u.frame[n].hdr[0], offloads ? MHI_NET_NEEDS_CSUM : 0);
		ck_assert_uint_eq(slow_l4(ip, false, 17, ip + 20, 13) == 0xffff, !offloads);
		if (offloads)
			break;
		u.net->ops->offloads(u.net, MHI_NET_OFFLOADS);
		ck_assert_int_eq(sendto(fd, "hello", 5, 0, (struct sockaddr *)&to, sizeof(to)), 5);
	}
	getsockname(fd, (struct sockaddr *)&from, &bytes);
	for (unsigned int partial = 0; partial < 2; partial++) {
		send_udp(mac, ntohs(from.sin_port), partial);
		ck_assert_int_eq(recv(fd, said, sizeof(said), MSG_DONTWAIT), 5);
		ck_assert(!memcmp(said, "howdy", 5));
	}
	close(fd);
}

START_TEST(by_name)
{
	struct mhi_tap_config config = { .name = "mhtest0", .queues = 1 };
	struct mhi_net *net, *second;
	struct mhi_err err = { 0 };

	user_init(&u);
	ck_assert_msg(!mhi_tap_open(&u.env, &config, &net, &err), "%s", err.text);
	ck_assert_uint_eq(net->mtu, 1500);
	ck_assert_uint_eq(net->takes, MHI_NET_OFFLOADS);
	user_connect(&u, net);
	converse("mhtest0");
	ck_assert_int_eq(mhi_tap_open(&u.env, &config, &second, &err), MH_EBUSY);
	ck_assert_ptr_nonnull(strstr(err.text, "mhtest0"));
	config.name = "a-name-that-is-too-long";
	ck_assert_int_eq(mhi_tap_open(&u.env, &config, &second, &err), MH_EINVAL);
	user_fini(&u);
}
END_TEST

START_TEST(by_descriptor)
{
	static const char name[] = "mhtest1";
	struct ifreq ifr = { .ifr_flags = IFF_TAP | IFF_NO_PI | IFF_VNET_HDR };
	int fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC);
	struct mhi_tap_config config = { .fd = &fd, .queues = 1, .mtu = 9000 };
	struct mhi_err err = { 0 };
	struct mhi_net *net;

	user_init(&u);
	ck_assert_int_eq(mhi_tap_open(&u.env, &config, &net, &err), MH_EINVAL);
	memcpy(ifr.ifr_name, name, sizeof(name));
	ck_assert_int_eq(ioctl(fd, TUNSETIFF, &ifr), 0);
	ck_assert_msg(!mhi_tap_open(&u.env, &config, &net, &err), "%s", err.text);
	close(fd);
	ck_assert_uint_eq(net->mtu, 9000);
	user_connect(&u, net);
	converse(name);
	user_fini(&u);
	fd = STDERR_FILENO;
	user_init(&u);
	ck_assert_int_eq(mhi_tap_open(&u.env, &config, &net, &err), MH_EINVAL);
	user_fini(&u);
}
END_TEST

/* All queues can send; only those in use are given frames. */
START_TEST(many_queues)
{
	static const u8 none[MHI_NET_HDR];
	struct mhi_tap_config config = { .name = "mhtest2", .queues = 4 };
	struct mhi_err err = { 0 };
	struct mhi_net *net;
	u8 frame[60] = { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2, 0, 0, 0, 0, 9, 0x88, 0xb5 };

	user_init(&u);
	ck_assert_msg(!mhi_tap_open(&u.env, &config, &net, &err), "%s", err.text);
	user_connect(&u, net);
	converse("mhtest2");
	for (u32 queues = 1; queues <= 4; queues++) {
		net->ops->queues(net, queues);
		for (u32 q = 0; q < queues; q++)
			ck_assert_uint_eq(user_send_hdr(&u, q, none, frame, sizeof(frame)), 1);
	}
	net->ops->queues(net, 2);
	fake_loop_run(u.loop);
	user_fini(&u);
}
END_TEST

/* What the test needs, or why it cannot be had. */
static const char *obstacle(void)
{
	int fd;

	if (unshare(CLONE_NEWNET) && unshare(CLONE_NEWUSER | CLONE_NEWNET))
		return "no network namespace of its own";
	fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC);
	if (fd < 0)
		return "/dev/net/tun cannot be opened";
	close(fd);
	return NULL;
}

static void add_tests(TCase *tcase)
{
	const char *why = obstacle();

	if (why) {
		printf("skipped: %s: %s\n", why, strerror(errno));
		exit(77);
	}
	tcase_add_test(tcase, by_name);
	tcase_add_test(tcase, by_descriptor);
	tcase_add_test(tcase, many_queues);
}

UNIT_MAIN("be_tap", add_tests)
