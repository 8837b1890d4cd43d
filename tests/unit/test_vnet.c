// SPDX-License-Identifier: MIT
/* virtio-net: configuration, frames both ways in both ring layouts, offloads. */
#include "vnet_card.h"

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

/*
 * Frames in very small segments: a turn ended with a batch of them only, a million segments later.
 * It ends with the frame that makes it long, and the others have turns of their own.
 */
START_TEST(turns)
{
	const u32 frames = 4, segments = 100;
	u8 hdr[MHI_NET_HDR];
	u32 len, got = 0;

	for (unsigned int f = 0; f < 2; f++) {
		setup(0, 0, 1, CSUM | HOST_TSO4 | (f ? VIRTIO_F_RING_PACKED : 0));
		make_tcp(&packet, false, false, 0, 8 * segments);
		header(hdr, 1, 1, 8);
		for (u32 n = 0; n < frames; n++)
			queue_frame(&a, hdr, packet.data, packet.bytes, 100000);
		net->net.user->writable(net->net.opaque, 0);
		ck_assert_uint_eq(net->sents, segments);
		/* Others are next, and nobody has to kick for the rest. */
		vd_sync(&a.d);
		ck_assert_uint_eq(net->sents, frames * segments);
		for (got = 0; vr_get(&a.tx, &len) >= 0; got++)
			ck_assert_uint_eq(len, 0);
		ck_assert_uint_eq(got, frames);
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

static void add_tests(TCase *tcase)
{
	tcase_add_test(tcase, configuration);
	tcase_add_test(tcase, transmission);
	tcase_add_test(tcase, batches_and_room);
	tcase_add_test(tcase, checksum_offload);
	tcase_add_test(tcase, segmentation_offload);
	tcase_add_test(tcase, turns);
	tcase_add_test(tcase, bad_frames);
	tcase_add_test(tcase, reception);
	tcase_add_test(tcase, mergeable_buffers);
	tcase_add_test(tcase, shapes_of_buffers);
	tcase_add_test(tcase, bad_buffers);
}

UNIT_MAIN("vnet", add_tests)
