/* SPDX-License-Identifier: MIT */
/*
 * Back ends of the embedder's under the real devices: what they are asked for, what the guest sees
 * of their answers, flow control of frames.
 */
#include "unit.h"

#include "core/le.h"
#include "fake_pool.h"
#include "vdriver.h"
#include "virtio/be_embed.h"
#include "virtio/vblk.h"
#include "virtio/vnet.h"

#define SECTORS 64u
#define DISK_BYTES (SECTORS * 512u)
#define FRAMES 64
#define FRAME_BYTES 1500u

enum { IN = 0, OUT = 1, FLUSH = 4, DISCARD = 11, ZEROES = 13 };

static struct vdriver d;
static struct vring r, tx;
static mh_gpa header, data, status;

/* ---- a disk ---- */

static struct {
	u8 bytes[DISK_BYTES];
	unsigned int reads, writes, flushes, discards, zeroes, closes;
	int error;
} disk;

static int disk_read(void *opaque, uint64_t offset, const struct iovec *iov, uint32_t count)
{
	ck_assert_ptr_eq(opaque, &disk);
	for (u32 i = 0; i < count; i++) {
		ck_assert_uint_le(offset + iov[i].iov_len, DISK_BYTES);
		memcpy(iov[i].iov_base, disk.bytes + offset, iov[i].iov_len);
		offset += iov[i].iov_len;
	}
	disk.reads++;
	return disk.error;
}

static int disk_write(void *opaque, uint64_t offset, const struct iovec *iov, uint32_t count)
{
	for (u32 i = 0; i < count; i++) {
		ck_assert_uint_le(offset + iov[i].iov_len, DISK_BYTES);
		memcpy(disk.bytes + offset, iov[i].iov_base, iov[i].iov_len);
		offset += iov[i].iov_len;
	}
	disk.writes++;
	return disk.error;
}

static int disk_flush(void *opaque)
{
	disk.flushes++;
	return disk.error;
}

static int disk_discard(void *opaque, uint64_t offset, uint64_t bytes)
{
	ck_assert_uint_le(offset + bytes, DISK_BYTES);
	disk.discards++;
	return disk.error;
}

static int disk_zeroes(void *opaque, uint64_t offset, uint64_t bytes)
{
	memset(disk.bytes + offset, 0, bytes);
	disk.zeroes++;
	return disk.error;
}

static void disk_close(void *opaque)
{
	disk.closes++;
}

static const struct mh_block_ops all_ops = { 1,		 disk_read,    disk_write,
					     disk_flush, disk_discard, disk_zeroes,
					     disk_close };
static const struct mh_block_ops few_ops = {
	1, disk_read, disk_write, disk_flush, NULL, NULL, NULL
};

static void disk_begin(const struct mh_block_ops *ops, bool write_through)
{
	struct mhi_vblk_config config = { .queues = 1, .write_through = write_through };
	struct mhi_vdev *dev;

	memset(&disk, 0, sizeof(disk));
	vd_init(&d);
	ck_assert_int_eq(mhi_embed_blk_create(ops, &disk, DISK_BYTES, 512, &config.node), 0);
	*mhi_embed_blk_adopted(config.node) = true;
	ck_assert_int_eq(mhi_workers_create(1, "test", &config.workers, NULL), 0);
	ck_assert_int_eq(mhi_vblk_create(&d.env, &config, &dev), 0);
	vd_attach(&d, dev, false);
	header = vd_alloc(&d, 64, 16);
	data = vd_alloc(&d, DISK_BYTES, 16);
	status = vd_alloc(&d, 16, 1);
	ck_assert(vd_negotiate(&d, VIRTIO_F_VERSION_1 | 1 << 9 | (ops->discard ? 1 << 13 : 0)));
	vr_init(&r, &d, 0, 64);
	vd_ok(&d);
	vd_sync(&d);
}

static u8 request(u32 type, u64 sector, u32 bytes)
{
	struct vd_buf buf[3] = { { header, 16, false },
				 { data, bytes, type == IN },
				 { status, 1, true } };
	u8 *h = vd_ptr(&d, header);
	u32 len;

	mhi_put_le32(h, type);
	mhi_put_le32(h + 4, 0);
	mhi_put_le64(h + 8, sector);
	*(u8 *)vd_ptr(&d, status) = 0xff;
	if (!bytes)
		buf[1] = buf[2];
	ck_assert_int_ge(vr_add(&r, buf, bytes ? 3 : 2, false), 0);
	vr_kick(&r);
	vd_sync(&d);
	fake_pool_run();
	ck_assert_int_ge(vr_get(&r, &len), 0);
	return *(u8 *)vd_ptr(&d, status);
}

static u8 range(u32 type, u64 sector, u32 sectors)
{
	u8 *entry = vd_ptr(&d, data);

	mhi_put_le64(entry, sector);
	mhi_put_le32(entry + 8, sectors);
	mhi_put_le32(entry + 12, 0);
	return request(type, 0, 16);
}

START_TEST(disk_requests)
{
	disk_begin(&all_ops, false);
	memset(vd_ptr(&d, data), 0x5a, 4096);
	ck_assert_uint_eq(request(OUT, 8, 4096), 0);
	ck_assert_uint_eq(disk.bytes[8 * 512], 0x5a);
	ck_assert_uint_eq(disk.bytes[16 * 512 - 1], 0x5a);
	ck_assert_uint_eq(disk.bytes[16 * 512], 0);
	ck_assert_uint_eq(disk.flushes, 0);
	memset(vd_ptr(&d, data), 0, 4096);
	ck_assert_uint_eq(request(IN, 8, 1024), 0);
	ck_assert_uint_eq(*(u8 *)vd_ptr(&d, data + 1023), 0x5a);
	ck_assert_uint_eq(request(FLUSH, 0, 0), 0);
	ck_assert_uint_eq(range(DISCARD, 0, 8), 0);
	ck_assert_uint_eq(range(ZEROES, 8, 1), 0);
	ck_assert_uint_eq(disk.bytes[8 * 512], 0);
	ck_assert_uint_eq(disk.bytes[9 * 512], 0x5a);
	ck_assert_uint_eq(disk.reads, 1);
	ck_assert_uint_eq(disk.writes, 1);
	ck_assert_uint_eq(disk.flushes, 1);
	ck_assert_uint_eq(disk.discards, 1);
	ck_assert_uint_eq(disk.zeroes, 1);
	/* Beyond the end the embedder is not asked. */
	ck_assert_uint_eq(request(IN, SECTORS - 1, 1024), 1);
	ck_assert_uint_eq(disk.reads, 1);
	vd_fini(&d);
	ck_assert_uint_eq(disk.closes, 1);
}
END_TEST

/* Without optional functions: zeroes are written, discards refused; stable by flushing. */
START_TEST(disk_of_few_functions)
{
	disk_begin(&few_ops, true);
	memset(disk.bytes, 0xff, sizeof(disk.bytes));
	ck_assert_uint_eq(range(ZEROES, 1, 2), 0);
	ck_assert_uint_eq(disk.bytes[511], 0xff);
	ck_assert_uint_eq(disk.bytes[512], 0);
	ck_assert_uint_eq(disk.bytes[3 * 512], 0xff);
	ck_assert_uint_eq(range(DISCARD, 0, 8), 2);
	vd_fini(&d);
	ck_assert_uint_eq(disk.closes, 0);
}
END_TEST

START_TEST(disk_errors)
{
	static const struct {
		int error;
		u8 status;
	} all[] = { { MH_EIO, 1 }, { MH_ENOSPC, 1 }, { MH_ENOTSUP, 2 }, { 77, 1 } };

	disk_begin(&all_ops, false);
	for (unsigned int n = 0; n < sizeof(all) / sizeof(all[0]); n++) {
		disk.error = all[n].error;
		ck_assert_uint_eq(request(IN, 0, 512), all[n].status);
		ck_assert_uint_eq(request(OUT, 0, 512), all[n].status);
		ck_assert_uint_eq(request(FLUSH, 0, 0), all[n].status);
		ck_assert_uint_eq(range(ZEROES, 0, 1), all[n].status);
	}
	disk.error = 0;
	ck_assert_uint_eq(request(IN, 0, 512), 0);
	vd_fini(&d);
}
END_TEST

/* Attaching failed: what the embedder has is still his. */
START_TEST(not_adopted)
{
	const struct mh_net_ops none = { .version = 1 };
	struct mhi_blk *node;
	struct mhi_net *net;

	memset(&disk, 0, sizeof(disk));
	ck_assert_int_eq(mhi_embed_blk_create(&all_ops, &disk, DISK_BYTES, 4096, &node), 0);
	ck_assert_int_eq(node->ops->close(node), 0);
	ck_assert_uint_eq(disk.closes, 0);
	vd_init(&d);
	ck_assert_int_eq(mhi_embed_net_create(&d.env, &none, NULL, 1500, &net), 0);
	net->ops->close(net);
	mhi_loop_destroy(d.loop);
	guest_ram_fini(&d.ram);
	mhi_log_fini(&d.log);
}
END_TEST

/* ---- a network card ---- */

static struct {
	u8 sent[FRAMES][FRAME_BYTES];
	size_t bytes[FRAMES];
	unsigned int sents, room, refused, closes;
} wire;
static struct mhi_net *net;
static mh_gpa rx_at[64];

static int wire_send(void *opaque, const struct iovec *iov, uint32_t count)
{
	size_t done = 0;

	ck_assert_ptr_eq(opaque, &wire);
	if (wire.sents == wire.room) {
		wire.refused++;
		return 0;
	}
	for (u32 i = 0; i < count; i++) {
		ck_assert_uint_le(done + iov[i].iov_len, FRAME_BYTES);
		memcpy(wire.sent[wire.sents] + done, iov[i].iov_base, iov[i].iov_len);
		done += iov[i].iov_len;
	}
	wire.bytes[wire.sents++] = done;
	return 1;
}

static void wire_close(void *opaque)
{
	wire.closes++;
}

static const struct mh_net_ops wire_ops = { 1, wire_send, wire_close };

static void card_begin(void)
{
	struct mhi_vnet_config config = { .mac = { 2, 0, 0, 0, 0, 1 } };
	struct mhi_vdev *dev;

	memset(&wire, 0, sizeof(wire));
	wire.room = FRAMES;
	vd_init(&d);
	ck_assert_int_eq(mhi_embed_net_create(&d.env, &wire_ops, &wire, 1500, &net), 0);
	*mhi_embed_net_adopted(net) = true;
	config.net = net;
	ck_assert_int_eq(mhi_vnet_create(&d.env, &config, &dev), 0);
	vd_attach(&d, dev, false);
	data = vd_alloc(&d, 65536, 64);
	for (unsigned int n = 0; n < 64; n++)
		rx_at[n] = vd_alloc(&d, 2048, 64);
	ck_assert(vd_negotiate(&d, VIRTIO_F_VERSION_1));
	vr_init(&r, &d, 0, 64);
	vr_init(&tx, &d, 1, 64);
	vd_ok(&d);
	vd_sync(&d);
}

static void offer(unsigned int count)
{
	for (unsigned int n = 0; n < count; n++)
		ck_assert_int_ge(vr_add(&r, &(struct vd_buf){ rx_at[n], 2048, true }, 1, false), 0);
	vr_kick(&r);
	vd_sync(&d);
}

/* Frames [count], each filled with its number. */
static void transmit(unsigned int count)
{
	for (unsigned int n = 0; n < count; n++) {
		mh_gpa at = data + n * 1024;

		memset(vd_ptr(&d, at), 0, MHI_NET_HDR);
		memset(vd_ptr(&d, at + MHI_NET_HDR), (int)n, 100 + n);
		ck_assert_int_ge(
			vr_add(&tx, &(struct vd_buf){ at, MHI_NET_HDR + 100 + n, false }, 1, false),
			0);
	}
	vr_kick(&tx);
	vd_sync(&d);
}

static unsigned int answered(struct vring *ring)
{
	unsigned int n = 0;
	u32 len;

	while (vr_get(ring, &len) >= 0)
		n++;
	return n;
}

START_TEST(sending)
{
	card_begin();
	transmit(5);
	ck_assert_uint_eq(wire.sents, 5);
	ck_assert_uint_eq(answered(&tx), 5);
	for (unsigned int n = 0; n < 5; n++) {
		ck_assert_uint_eq(wire.bytes[n], 100 + n);
		ck_assert_uint_eq(wire.sent[n][0], n);
		ck_assert_uint_eq(wire.sent[n][99 + n], n);
	}
	/* No room: the rest stays with the guest until there is some, and none is lost. */
	wire.room = 8;
	transmit(10);
	ck_assert_uint_eq(wire.sents, 8);
	ck_assert_uint_eq(answered(&tx), 3);
	ck_assert_uint_eq(wire.refused, 1);
	vd_sync(&d);
	ck_assert_uint_eq(wire.refused, 1);
	wire.room = 9;
	mhi_embed_net_ready(net);
	vd_sync(&d);
	ck_assert_uint_eq(wire.sents, 9);
	wire.room = FRAMES;
	mhi_embed_net_ready(net);
	mhi_embed_net_ready(net);
	vd_sync(&d);
	ck_assert_uint_eq(wire.sents, 15);
	ck_assert_uint_eq(answered(&tx), 7);
	for (unsigned int n = 0; n < 10; n++)
		ck_assert_uint_eq(wire.sent[5 + n][0], n);
	vd_fini(&d);
	ck_assert_uint_eq(wire.closes, 1);
}
END_TEST

static void input(u8 fill, size_t bytes, int want)
{
	u8 frame[70000];

	memset(frame, fill, bytes);
	/* To everybody. */
	memset(frame, 0xff, 6);
	ck_assert_int_eq(mhi_embed_net_input(net, frame, bytes), want);
}

static void take(u8 fill, size_t bytes, unsigned int n)
{
	const u8 *frame = vd_ptr(&d, rx_at[n]);
	u32 len = 0;

	ck_assert_int_ge(vr_get(&r, &len), 0);
	ck_assert_uint_eq(len, MHI_NET_HDR + bytes);
	ck_assert_uint_eq(frame[MHI_NET_HDR + 6], fill);
	ck_assert_uint_eq(frame[MHI_NET_HDR + bytes - 1], fill);
}

START_TEST(receiving)
{
	card_begin();
	/* Before the guest has buffers they wait. */
	for (unsigned int n = 0; n < 3; n++)
		input((u8)n, 60 + n, 0);
	vd_sync(&d);
	offer(2);
	take(0, 60, 0);
	take(1, 61, 1);
	ck_assert_int_lt(vr_get(&r, &(u32){ 0 }), 0);
	offer(8);
	take(2, 62, 0);
	input(9, 1514, 0);
	vd_sync(&d);
	take(9, 1514, 1);
	input(0, 13, MH_EINVAL);
	input(0, MHI_NET_FRAME_MAX + 1, MH_EINVAL);
	vd_fini(&d);
	ck_assert_uint_eq(wire.closes, 1);
}
END_TEST

/* A guest that takes nothing costs 1 MiB, and what waits is freed with the device. */
START_TEST(too_many_wait)
{
	unsigned int n = 0;

	card_begin();
	while (n < 2000 && !mhi_embed_net_input(net, vd_ptr(&d, data), 1024))
		n++;
	ck_assert_uint_eq(n, 1024);
	input(0, 60, MH_ENOSPC);
	offer(2);
	/* Two went to the guest, or are lost to its filter. */
	input(0, 60, 0);
	vd_fini(&d);
}
END_TEST

static void add_tests(TCase *tcase)
{
	tcase_add_test(tcase, disk_requests);
	tcase_add_test(tcase, disk_of_few_functions);
	tcase_add_test(tcase, disk_errors);
	tcase_add_test(tcase, not_adopted);
	tcase_add_test(tcase, sending);
	tcase_add_test(tcase, receiving);
	tcase_add_test(tcase, too_many_wait);
}

UNIT_MAIN("be_embed", add_tests)
