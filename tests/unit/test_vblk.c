// SPDX-License-Identifier: MIT
/*
 * virtio-blk: its configuration, every request in several layouts, random I/O against a model,
 * errors of the back end, malformed requests, resets in mid-request.
 */
#include "unit.h"
#include "core/le.h"
#include "fake_blk.h"
#include "fake_pool.h"
#include "rng.h"
#include "vdriver.h"
#include "virtio/vblk.h"

#define SECTORS 512u
#define BYTES (SECTORS * 512u)

enum { IN = 0, OUT = 1, FLUSH = 4, GET_ID = 8, DISCARD = 11, ZEROES = 13 };

static struct vdriver d;
static struct vring r;
static struct fake_blk *disk;
static mh_gpa header, data, status;

static void begin(u64 features)
{
	ck_assert(vd_negotiate(&d, features | VIRTIO_F_VERSION_1));
	vr_init(&r, &d, 0, 64);
	vd_ok(&d);
	fake_pool_run();
}

static void setup(u64 features, u16 queues, bool read_only)
{
	struct mhi_vblk_config config = { .queues = queues, .serial = "serial number" };
	struct mhi_vdev *dev;

	vd_init(&d);
	disk = fake_blk_new(BYTES, BYTES);
	disk->blk.read_only = read_only;
	config.node = &disk->blk;
	ck_assert_int_eq(mhi_workers_create(1, "test", &config.workers, NULL), 0);
	ck_assert_int_eq(mhi_vblk_create(&d.env, &config, &dev), 0);
	vd_attach(&d, dev, false);
	header = vd_alloc(&d, 64, 16);
	data = vd_alloc(&d, 1 << 20, 16);
	status = vd_alloc(&d, 16, 1);
	begin(features);
}

static void end(void)
{
	vd_fini(&d);
	fake_blk_free(disk);
}

static void put_header(u32 type, u64 sector)
{
	u8 *h = vd_ptr(&d, header);

	mhi_put_le32(h, type);
	mhi_put_le32(h + 4, 0);
	mhi_put_le64(h + 8, sector);
	*(u8 *)vd_ptr(&d, status) = 0xff;
}

static u8 finish(u32 *len)
{
	vr_kick(&r);
	fake_pool_run();
	ck_assert_int_ge(vr_get(&r, len), 0);
	return *(u8 *)vd_ptr(&d, status);
}

/* One request in the usual layout: header, data, status. */
static u8 request(u32 type, u64 sector, u32 bytes, u32 *len)
{
	struct vd_buf buf[3] = { { header, 16, false },
				 { data, bytes, type == IN || type == GET_ID },
				 { status, 1, true } };

	put_header(type, sector);
	if (!bytes)
		buf[1] = buf[2];
	ck_assert_int_ge(vr_add(&r, buf, bytes ? 3 : 2, false), 0);
	return finish(len);
}

START_TEST(configuration)
{
	u64 offered;

	setup(0, 4, false);
	ck_assert_uint_eq(d.pci.pci.device, 0x1042);
	ck_assert_uint_eq(d.pci.pci.class_code, 0x018000);
	offered = vd_offered(&d);
	/* SIZE_MAX SEG_MAX GEOMETRY BLK_SIZE FLUSH TOPOLOGY CONFIG_WCE MQ WRITE_ZEROES */
	ck_assert_uint_eq(offered & 0x5e56 & ~0x2000ull, 0x5e56 & ~0x2000ull);
	ck_assert_uint_eq(offered & 0x20, 0);
	ck_assert_uint_eq(vd_read(&d, 0x2000, 8), SECTORS);
	ck_assert_uint_eq(vd_read(&d, 0x200c, 4), 254);
	ck_assert_uint_eq(vd_read(&d, 0x2014, 4), 512);
	ck_assert_uint_eq(vd_read(&d, 0x2020, 1), 1);
	ck_assert_uint_eq(vd_read(&d, 0x2022, 2), 4);
	ck_assert_uint_eq(vd_read(&d, 0x2034, 4), 1);
	/* Not writable: the capacity. */
	vd_write(&d, 0x2000, 8, 1);
	ck_assert_uint_eq(vd_read(&d, 0x2000, 8), SECTORS);
	end();
	setup(0, 1, true);
	offered = vd_offered(&d);
	ck_assert_uint_eq(offered & 0x20, 0x20);
	ck_assert_uint_eq(offered & 0x7000, 0);
	end();
}
END_TEST

START_TEST(requests)
{
	u32 len;

	setup(1 << 9, 1, false);
	memset(vd_ptr(&d, data), 0xab, 4096);
	ck_assert_uint_eq(request(OUT, 8, 4096, &len), 0);
	ck_assert_uint_eq(len, 1);
	ck_assert_uint_eq(disk->data[8 * 512], 0xab);
	ck_assert_uint_eq(disk->data[8 * 512 - 1], 0);
	ck_assert_uint_eq(disk->data[16 * 512], 0);
	memset(vd_ptr(&d, data), 0, 8192);
	ck_assert_uint_eq(request(IN, 8, 8192, &len), 0);
	ck_assert_uint_eq(len, 8193);
	ck_assert_uint_eq(*(u8 *)vd_ptr(&d, data + 4095), 0xab);
	ck_assert_uint_eq(*(u8 *)vd_ptr(&d, data + 4096), 0);
	ck_assert_uint_eq(request(FLUSH, 0, 0, &len), 0);
	ck_assert_uint_eq(disk->flushes, 1);
	ck_assert_uint_eq(request(GET_ID, 0, 20, &len), 0);
	ck_assert_uint_eq(len, 21);
	ck_assert(!memcmp(vd_ptr(&d, data), "serial number\0\0\0\0\0\0\0", 20));
	ck_assert_uint_eq(request(GET_ID, 0, 4, &len), 0);
	ck_assert_uint_eq(len, 5);
	/* Zeroes over the first half of what was written. */
	mhi_put_le64(vd_ptr(&d, data), 8);
	mhi_put_le32(vd_ptr(&d, data + 8), 4);
	mhi_put_le32(vd_ptr(&d, data + 12), 1);
	ck_assert_uint_eq(request(ZEROES, 0, 16, &len), 0);
	ck_assert_uint_eq(disk->data[8 * 512], 0);
	ck_assert_uint_eq(disk->data[12 * 512], 0xab);
	ck_assert_uint_eq(request(77, 0, 0, &len), 2);
	ck_assert_uint_eq(request(2, 0, 512, &len), 2);
	end();
}
END_TEST

START_TEST(counts)
{
	struct mhi_vdev_counts c;
	u32 len;

	setup(1 << 9, 1, false);
	request(OUT, 8, 4096, &len);
	request(IN, 8, 8192, &len);
	request(FLUSH, 0, 0, &len);
	request(IN, SECTORS, 512, &len);
	mhi_vdev_counts(d.dev, &c);
	ck_assert_uint_eq(c.requests, 4);
	ck_assert_uint_eq(c.errors, 1);
	ck_assert_uint_eq(c.from_guest, 4096);
	ck_assert_uint_eq(c.to_guest, 8192);
	ck_assert_uint_eq(c.timed, 4);
	ck_assert_uint_gt(c.ticks_max, 0);
	ck_assert_uint_ge(c.ticks, c.ticks_max);
	ck_assert_uint_le(c.ticks, 4 * c.ticks_max);
	end();
}
END_TEST

START_TEST(refused)
{
	u32 len;

	setup(1 << 9, 1, false);
	/* Beyond the end, across it, far away, no whole sector, a wrong range. */
	ck_assert_uint_eq(request(IN, SECTORS, 512, &len), 1);
	ck_assert_uint_eq(len, 1);
	ck_assert_uint_eq(request(OUT, SECTORS - 1, 1024, &len), 1);
	ck_assert_uint_eq(request(IN, ~0ull, 512, &len), 1);
	ck_assert_uint_eq(request(IN, 1ull << 55, 512, &len), 1);
	ck_assert_uint_eq(request(OUT, 0, 511, &len), 1);
	ck_assert_uint_eq(request(IN, 0, 513, &len), 1);
	mhi_put_le64(vd_ptr(&d, data), SECTORS);
	mhi_put_le32(vd_ptr(&d, data + 8), 1);
	mhi_put_le32(vd_ptr(&d, data + 12), 0);
	ck_assert_uint_eq(request(ZEROES, 0, 16, &len), 1);
	ck_assert_uint_eq(request(ZEROES, 0, 15, &len), 1);
	ck_assert_uint_eq(request(ZEROES, 0, 32, &len), 1);
	mhi_put_le32(vd_ptr(&d, data + 12), 2);
	ck_assert_uint_eq(request(ZEROES, 0, 16, &len), 2);
	mhi_put_le32(vd_ptr(&d, data + 8), ~0u);
	mhi_put_le32(vd_ptr(&d, data + 12), 0);
	ck_assert_uint_eq(request(ZEROES, 0, 16, &len), 1);
	ck_assert_uint_eq(disk->writes, 0);
	ck_assert_uint_eq(d.logged, 0);
	end();

	setup(1 << 9, 1, true);
	ck_assert_uint_eq(request(OUT, 0, 512, &len), 1);
	ck_assert_uint_eq(request(IN, 0, 512, &len), 0);
	ck_assert_uint_eq(request(FLUSH, 0, 0, &len), 0);
	ck_assert_uint_eq(request(ZEROES, 0, 16, &len), 2);
	ck_assert_uint_eq(disk->writes, 0);
	end();
}
END_TEST

START_TEST(malformed)
{
	struct vd_buf buf[3] = { { header, 16, false }, { data, 512, true }, { status, 1, true } };
	u32 len;

	setup(0, 1, false);
	buf[0].at = header;
	buf[1].at = data;
	buf[2].at = status;
	/* Half a header. */
	put_header(IN, 0);
	buf[0].bytes = 8;
	ck_assert_int_ge(vr_add(&r, buf, 3, false), 0);
	ck_assert_uint_eq(finish(&len), 1);
	ck_assert_uint_eq(d.logged, 1);
	/* No room for a status. */
	buf[0].bytes = 16;
	put_header(OUT, 0);
	ck_assert_int_ge(vr_add(&r, buf, 1, false), 0);
	ck_assert_uint_eq(finish(&len), 0xff);
	ck_assert_uint_eq(len, 0);
	ck_assert_uint_eq(d.logged, 1);
	ck_assert_uint_eq(vd_status(&d), 0xf);
	end();
}
END_TEST

/* Header, data and status in any pieces: the status is the last byte that can be written. */
START_TEST(layouts)
{
	struct vd_buf buf[6];
	u32 len;

	setup(VIRTIO_F_INDIRECT_DESC, 1, false);
	memset(disk->data, 0x77, 512);
	put_header(IN, 0);
	buf[0] = (struct vd_buf){ header, 3, false };
	buf[1] = (struct vd_buf){ header + 3, 13, false };
	buf[2] = (struct vd_buf){ data, 500, true };
	buf[3] = (struct vd_buf){ data + 500, 12 + 1, true };
	for (unsigned int indirect = 0; indirect < 2; indirect++) {
		memset(vd_ptr(&d, data), 0xff, 513);
		ck_assert_int_ge(vr_add(&r, buf, 4, indirect), 0);
		finish(&len);
		ck_assert_uint_eq(len, 513);
		ck_assert_uint_eq(*(u8 *)vd_ptr(&d, data + 511), 0x77);
		ck_assert_uint_eq(*(u8 *)vd_ptr(&d, data + 512), 0);
	}
	/* Written: the data begin behind the header, in the same buffer. */
	memset(vd_ptr(&d, header + 16), 0x55, 40);
	put_header(OUT, 1);
	buf[0] = (struct vd_buf){ header, 56, false };
	buf[1] = (struct vd_buf){ data, 472, false };
	buf[2] = (struct vd_buf){ status, 1, true };
	memset(vd_ptr(&d, data), 0x66, 472);
	ck_assert_int_ge(vr_add(&r, buf, 3, true), 0);
	ck_assert_uint_eq(finish(&len), 0);
	ck_assert_uint_eq(disk->data[512 + 39], 0x55);
	ck_assert_uint_eq(disk->data[512 + 40], 0x66);
	ck_assert_uint_eq(disk->data[1023], 0x66);
	end();
}
END_TEST

START_TEST(back_end_errors)
{
	u32 len;

	setup(1 << 9, 1, false);
	disk->fail_code = MH_EIO;
	disk->fail_writes_after = 0;
	ck_assert_uint_eq(request(OUT, 0, 512, &len), 1);
	ck_assert_uint_eq(d.failures, 1);
	ck_assert_int_eq(d.failed, MH_DEV_WRITE);
	ck_assert_int_eq(d.error, MH_EIO);
	disk->fail_writes_after = -1;
	ck_assert_uint_eq(request(OUT, 0, 512, &len), 0);
	disk->fail_flushes_after = 0;
	ck_assert_uint_eq(request(FLUSH, 0, 0, &len), 1);
	ck_assert_uint_eq(d.failures, 2);
	ck_assert_int_eq(d.failed, MH_DEV_FLUSH);
	/* What the guest cannot have is no failure of the back end's. */
	ck_assert_uint_eq(request(IN, BYTES / 512, 512, &len), 1);
	ck_assert_uint_eq(request(OUT, ~0ull, 512, &len), 1);
	ck_assert_uint_eq(request(OUT, 0, 100, &len), 1);
	ck_assert_uint_eq(d.failures, 2);
	end();
}
END_TEST

/* A driver without FLUSH gets writes that are stable; one with CONFIG_WCE chooses. */
START_TEST(write_cache)
{
	u32 len;

	setup(0, 1, false);
	ck_assert_uint_eq(request(OUT, 0, 512, &len), 0);
	ck_assert_uint_ge(disk->fua, 1);
	begin(1 << 9);
	disk->fua = 0;
	ck_assert_uint_eq(request(OUT, 0, 512, &len), 0);
	ck_assert_uint_eq(disk->fua, 0);
	begin(1 << 9 | 1 << 11);
	ck_assert_uint_eq(request(OUT, 0, 512, &len), 0);
	ck_assert_uint_eq(disk->fua, 0);
	vd_write(&d, 0x2020, 1, 0);
	ck_assert_uint_eq(request(OUT, 0, 512, &len), 0);
	ck_assert_uint_eq(disk->fua, 1);
	/* A reset forgets the choice. */
	begin(1 << 9 | 1 << 11);
	ck_assert_uint_eq(vd_read(&d, 0x2020, 1), 1);
	end();
}
END_TEST

/* Many at once, completed in another order; the disk is as the model says. */
#define AT_ONCE 12

struct io {
	bool write;
	u32 bytes;
	u64 sector;
};

static u8 model[BYTES];

/* Not overlapping: each of a round has its own part of the disk, and its memory by its id. */
static struct io add_io(struct rng *rng, mh_gpa base, unsigned int n)
{
	struct io io = { .write = rng_below(rng, 2),
			 .bytes = 512 * (1 + (u32)rng_below(rng, 8)),
			 .sector = n * 40 + rng_below(rng, 32) };
	const struct vd_buf buf[3] = { { base, 16, false },
				       { base + 64, io.bytes, !io.write },
				       { base + 32, 1, true } };
	u8 *bytes = vd_ptr(&d, base + 64);

	mhi_put_le32(vd_ptr(&d, base), io.write ? OUT : IN);
	mhi_put_le64(vd_ptr(&d, base + 8), io.sector);
	for (u32 i = 0; io.write && i < io.bytes; i++)
		model[io.sector * 512 + i] = bytes[i] = (u8)rng_next(rng);
	ck_assert_int_ge(vr_add(&r, buf, 3, (d.features & VIRTIO_F_INDIRECT_DESC) != 0), 0);
	return io;
}

static u32 wrong_ios(const struct io *at, mh_gpa area)
{
	u32 len, wrong = 0;

	for (unsigned int n = 0; n < AT_ONCE; n++) {
		int id = vr_get(&r, &len);
		const u8 *base;

		ck_assert_int_ge(id, 0);
		base = vd_ptr(&d, area + (u64)id * 8192);
		wrong += base[32] != 0;
		if (!at[id].write)
			wrong += memcmp(base + 64, model + at[id].sector * 512, at[id].bytes) != 0;
	}
	return wrong;
}

static unsigned int deep, deepest;

/* Other workers answer the bell, and complete what they take first. */
static void others(void)
{
	if (++deep > deepest)
		deepest = deep;
	fake_pool_run();
	deep--;
}

/* Many at once, completed in another order; the disk is as the model says. */
static void random_io(u64 features)
{
	struct rng rng = { 0x853c49e6748fea9b };
	struct io at[VD_RING_MAX];
	mh_gpa area;

	setup(features | 1 << 9, 1, false);
	disk->slow_reads = true;
	disk->meanwhile = others;
	area = vd_alloc(&d, 64 * 8192, 16);
	memset(model, 0, sizeof(model));
	for (unsigned int round = 0; round < 200; round++) {
		for (unsigned int n = 0; n < AT_ONCE; n++) {
			unsigned int place = r.packed ? n : r.free_list[r.free - 1];

			at[place] = add_io(&rng, area + place * 8192ull, n);
		}
		deepest = 0;
		vr_kick(&r);
		fake_pool_run();
		ck_assert_uint_eq(wrong_ios(at, area), 0);
		if (disk->slow_reads)
			ck_assert_uint_eq(deepest, AT_ONCE);
		disk->slow_reads = round & 1;
	}
	ck_assert(!memcmp(model, disk->data, BYTES));
	end();
}

START_TEST(random_requests)
{
	random_io(0);
	random_io(VIRTIO_F_EVENT_IDX | VIRTIO_F_INDIRECT_DESC);
	random_io(VIRTIO_F_RING_PACKED | VIRTIO_F_EVENT_IDX | VIRTIO_F_INDIRECT_DESC);
}
END_TEST

static void add_write(unsigned int n)
{
	const struct vd_buf buf[3] = { { header, 16, false },
				       { data, 512, false },
				       { status, 1, true } };

	put_header(OUT, n);
	ck_assert_int_ge(vr_add(&r, buf, 3, true), 0);
}

/* More than workers may be here: the rest waits until one is back, on whichever queue it is. */
START_TEST(workers_are_bounded)
{
	unsigned int done = 0, n;
	struct vring second;
	u32 len;

	setup(1 << 9 | VIRTIO_F_INDIRECT_DESC, 2, false);
	vr_init(&second, &d, 1, 64);
	disk->meanwhile = others;
	deepest = 0;
	for (n = 0; n < 2 * MHI_VBLK_WORKERS_MOST; n++)
		add_write(0);
	vr_kick(&r);
	fake_pool_run();
	ck_assert_uint_eq(deepest, MHI_VBLK_WORKERS_MOST);
	while (vr_get(&r, &len) >= 0)
		done++;
	ck_assert_uint_eq(done, n);
	ck_assert_uint_eq(disk->writes, n);
	end();
}
END_TEST

static void reset_device(void)
{
	disk->meanwhile = NULL;
	vd_set_status(&d, 0);
	/* Not as long as the request is under way. */
	ck_assert_uint_ne(vd_status(&d), 0);
	ck_assert_uint_eq(d.dev->in_flight, 1);
}

START_TEST(reset_in_mid_request)
{
	u32 len;

	setup(1 << 9 | VIRTIO_F_INDIRECT_DESC, 1, false);
	for (unsigned int n = 0; n < 5; n++) {
		disk->meanwhile = reset_device;
		add_write(n);
		vr_kick(&r);
		fake_pool_run();
		ck_assert_ptr_null(disk->meanwhile);
		ck_assert_uint_eq(vd_status(&d), 0);
		begin(1 << 9 | VIRTIO_F_INDIRECT_DESC);
		ck_assert_uint_eq(request(IN, n, 512, &len), 0);
	}
	end();
}
END_TEST

static void add_tests(TCase *tcase)
{
	tcase_add_test(tcase, configuration);
	tcase_add_test(tcase, requests);
	tcase_add_test(tcase, counts);
	tcase_add_test(tcase, refused);
	tcase_add_test(tcase, malformed);
	tcase_add_test(tcase, layouts);
	tcase_add_test(tcase, back_end_errors);
	tcase_add_test(tcase, write_cache);
	tcase_add_test(tcase, random_requests);
	tcase_add_test(tcase, workers_are_bounded);
	tcase_add_test(tcase, reset_in_mid_request);
}

UNIT_MAIN("vblk", add_tests)
