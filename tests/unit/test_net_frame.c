// SPDX-License-Identifier: MIT
/* Checksums and segments against a reference that is computed another way; headers that lie. */
#include "unit.h"
#include "net_packet.h"
#include "rng.h"
#include "virtio/net_frame.h"

static struct packet p;

static struct mhi_net_todo tso(u16 size)
{
	return (struct mhi_net_todo){ .flags = MHI_NET_NEEDS_CSUM,
				      .gso = p.v6 ? MHI_NET_GSO_TCP6 : MHI_NET_GSO_TCP4,
				      .gso_size = size,
				      .csum_start = (u16)p.l4,
				      .csum_offset = 16 };
}

START_TEST(checksums)
{
	struct rng r = { 5 };

	for (unsigned int n = 0; n < 600; n++) {
		struct mhi_net_todo todo;

		make_tcp(&p, n & 1, n & 2, 0, n < 300 ? n : rng_below(&r, 65000));
		todo = tso(0);
		todo.gso = 0;
		ck_assert(mhi_net_todo_sane(&todo, p.bytes));
		mhi_net_checksum(&todo, p.data, p.bytes);
		ck_assert_uint_eq(slow_l4(p.data + p.ip, p.v6, 6, p.data + p.l4, p.bytes - p.l4),
				  0xffff);
	}
}
END_TEST

/* A sum of 0 would mean to UDP that there is none. */
START_TEST(never_zero)
{
	struct mhi_net_todo todo = { .flags = MHI_NET_NEEDS_CSUM,
				     .csum_start = 14,
				     .csum_offset = 6 };
	u8 frame[24] = { [14] = 0xff, 0xff };

	mhi_net_checksum(&todo, frame, sizeof(frame));
	ck_assert_uint_eq(be16(frame + 20), 0xffff);
}
END_TEST

static void check_segment(const u8 *s, size_t bytes, u32 index, size_t at, bool last)
{
	const u8 *ip = s + p.ip, *tcp = s + p.l4;

	/* Link and addresses as they were. */
	ck_assert(!memcmp(s, p.data, p.ip));
	if (p.v6) {
		ck_assert_uint_eq(be16(ip + 4), bytes - p.l4);
	} else {
		ck_assert_uint_eq(be16(ip + 2), bytes - p.ip);
		ck_assert_uint_eq(be16(ip + 4), (0xfffe + index) & 0xffff);
		ck_assert_uint_eq(slow_sum(0, ip, 20), 0xffff);
	}
	ck_assert_uint_eq(be32(tcp + 4), 0xfffff000 + (u32)at);
	ck_assert_uint_eq(tcp[13], 0x10 | (index ? 0 : 0x80) | (last ? 0x09 : 0));
	ck_assert_uint_eq(slow_l4(ip, p.v6, 6, tcp, bytes - p.l4), 0xffff);
}

START_TEST(segments)
{
	static u8 whole[70000];
	struct rng r = { 9 };

	for (unsigned int n = 0; n < 400; n++) {
		u16 size = (u16)(MHI_NET_GSO_SIZE_MIN + rng_below(&r, 3000));
		size_t payload = rng_below(&r, 64000) + 1, at = 0;
		struct mhi_net_todo todo;
		struct mhi_net_cut cut;
		u8 headers[MHI_NET_HEADERS_MAX];
		struct iovec iov;
		u32 index = 0;

		make_tcp(&p, n & 1, n & 2, n & 4 ? 12 : 0, payload);
		todo = tso(size);
		ck_assert(mhi_net_todo_sane(&todo, p.bytes));
		ck_assert(mhi_net_cut_begin(&cut, &todo, p.data, p.bytes));
		ck_assert_uint_eq(cut.headers, p.payload);
		while (mhi_net_cut_next(&cut, headers, &iov)) {
			memcpy(whole, headers, cut.headers);
			memcpy(whole + cut.headers, iov.iov_base, iov.iov_len);
			ck_assert(iov.iov_len == size || at + iov.iov_len == payload);
			ck_assert(!memcmp(iov.iov_base, p.data + p.payload + at, iov.iov_len));
			check_segment(whole, cut.headers + iov.iov_len, index++, at,
				      at + iov.iov_len == payload);
			at += iov.iov_len;
		}
		ck_assert_uint_eq(at, payload);
		ck_assert_uint_eq(index, (payload + size - 1) / size);
	}
}
END_TEST

/* Headers of which some fields are nonsense: refused, or harmless (under ASan). */
START_TEST(lies)
{
	struct rng r = { 21 };
	u32 cuts = 0;

	for (unsigned int n = 0; n < 20000; n++) {
		struct mhi_net_todo todo;
		struct mhi_net_cut cut;
		struct iovec iov;
		u8 headers[MHI_NET_HEADERS_MAX], *frame;
		size_t bytes;

		make_tcp(&p, n & 1, n & 2, 0, 200);
		todo = tso(100);
		bytes = n & 8 ? p.bytes : rng_below(&r, p.bytes) + 1;
		frame = malloc(bytes);
		memcpy(frame, p.data, bytes);
		for (unsigned int k = 0; k < 3; k++)
			frame[rng_below(&r, bytes < 60 ? bytes : 60)] = (u8)rng_next(&r);
		if (n & 4)
			todo.csum_start = (u16)rng_below(&r, 300);
		if (n & 16)
			todo.csum_offset = (u16)rng_next(&r);
		if (n & 32)
			todo.gso = (u8)rng_next(&r);
		if (mhi_net_todo_sane(&todo, bytes)) {
			if (!todo.gso && (todo.flags & MHI_NET_NEEDS_CSUM))
				mhi_net_checksum(&todo, frame, bytes);
			if (todo.gso && mhi_net_cut_begin(&cut, &todo, frame, bytes))
				while (mhi_net_cut_next(&cut, headers, &iov))
					cuts++;
		}
		free(frame);
	}
	ck_assert_uint_gt(cuts, 100);
}
END_TEST

/* A frame cut into single bytes kept the loop busy; what the smallest TCPs send is cut. */
START_TEST(tiny_segments)
{
	make_tcp(&p, false, false, 0, 1000);
	for (u16 size = 0; size < 100; size++) {
		struct mhi_net_todo todo = tso(size);

		ck_assert_int_eq(mhi_net_todo_sane(&todo, p.bytes), size >= 8);
		todo.gso |= MHI_NET_GSO_ECN;
		ck_assert_int_eq(mhi_net_todo_sane(&todo, p.bytes), size >= 8);
	}
}
END_TEST

static void add_tests(TCase *tcase)
{
	tcase_add_test(tcase, checksums);
	tcase_add_test(tcase, never_zero);
	tcase_add_test(tcase, segments);
	tcase_add_test(tcase, lies);
	tcase_add_test(tcase, tiny_segments);
}

UNIT_MAIN("net_frame", add_tests)
