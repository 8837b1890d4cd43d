// SPDX-License-Identifier: MIT
/* virtio-9p: requests in chains of any shape, many at once, chains that make no sense, resets. */
#include "unit.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "fake_pool.h"
#include "vdriver.h"
#include "virtio/p9_dev.h"
#include "virtio/p9_proto.h"

#define REPLY 4096

static struct vdriver d;
static struct vring r;
static char folder[] = "/tmp/virtio-p9-XXXXXX";
static u8 *request, *reply;
static mh_gpa request_at, reply_at;

static void setup(u64 features)
{
	struct mhi_p9_config config = { 0 };
	struct mhi_err err = { 0 };
	struct mhi_vdev *dev;
	int fd;

	memcpy(folder, "/tmp/virtio-p9-XXXXXX", sizeof(folder));
	ck_assert_ptr_nonnull(mkdtemp(folder));
	fd = open(folder, O_RDONLY | O_DIRECTORY);
	close(openat(fd, "f", O_CREAT | O_WRONLY, 0600));
	close(fd);
	config.tree.path = folder;
	vd_init(&d);
	ck_assert_int_eq(mhi_p9_dev_create(&d.env, &config, "tag", &dev, &err), 0);
	vd_attach(&d, dev, false);
	ck_assert_uint_eq(d.pci.pci.device, 0x1049);
	ck_assert(vd_offered(&d) & 1);
	ck_assert(vd_negotiate(&d, features | VIRTIO_F_VERSION_1 | 1));
	vr_init(&r, &d, 0, 128);
	vd_ok(&d);
	request_at = vd_alloc(&d, 4096, 1);
	reply_at = vd_alloc(&d, REPLY, 1);
	request = vd_ptr(&d, request_at);
	reply = vd_ptr(&d, reply_at);
}

static void teardown(void)
{
	char path[64];

	vd_fini(&d);
	snprintf(path, sizeof(path), "%s/f", folder);
	unlink(path);
	ck_assert_int_eq(rmdir(folder), 0);
}

static u32 put_version(void)
{
	static const u8 version[] = { 21, 0, 0,	  0,   P9_TVERSION, 0xff, 0xff, 0,   0x20, 0,  0,
				      8,  0, '9', 'P', '2',	    '0',  '0',	'0', '.',  'L' };

	memcpy(request, version, sizeof(version));
	return sizeof(version);
}

static u32 put_attach(u32 fid)
{
	static const u8 attach[] = { 23,   0,	 0,    0, P9_TATTACH, 1, 0, 0, 0, 0, 0, 0xff,
				     0xff, 0xff, 0xff, 0, 0,	      0, 0, 0, 0, 0, 0 };

	memcpy(request, attach, sizeof(attach));
	request[7] = (u8)fid;
	return sizeof(attach);
}

/* In descriptors of piece bytes each; the used length. */
static u32 transact(u32 bytes, u32 room, u32 piece)
{
	struct vd_buf buf[64];
	unsigned int n = 0;
	u32 len = ~0u;

	memset(reply, 0xa5, REPLY);
	for (u32 at = 0; at < bytes; at += piece)
		buf[n++] = (struct vd_buf){ request_at + at,
					    bytes - at < piece ? bytes - at : piece, false };
	for (u32 at = 0; at < room; at += piece)
		buf[n++] = (struct vd_buf){ reply_at + at, room - at < piece ? room - at : piece,
					    true };
	ck_assert_int_ge(vr_add(&r, buf, n, false), 0);
	vr_kick(&r);
	vd_sync(&d);
	fake_pool_run();
	vd_sync(&d);
	ck_assert_int_ge(vr_get(&r, &len), 0);
	return len;
}

START_TEST(shapes)
{
	static const u64 features[] = { 0, VIRTIO_F_RING_PACKED, VIRTIO_F_EVENT_IDX };

	for (unsigned int i = 0; i < MHI_COUNT(features); i++) {
		setup(features[i]);
		ck_assert_uint_eq(transact(put_version(), 64, 64), 21);
		ck_assert(reply[0] == 21 && reply[4] == P9_TVERSION + 1 && reply[21] == 0xa5);
		ck_assert_uint_eq(transact(put_attach(0), 64, 3), 20);
		ck_assert(reply[4] == P9_TATTACH + 1 && reply[7] == P9_QTDIR && reply[20] == 0xa5);
		ck_assert_uint_eq(d.irqs[1], 2);
		teardown();
	}
}
END_TEST

START_TEST(tag)
{
	struct mhi_p9_config config = { .tree.path = "/tmp" };
	struct mhi_err err = { 0 };
	struct mhi_vdev *dev;
	char longest[MHI_P9_TAG_MAX + 2];

	setup(0);
	ck_assert_uint_eq(d.dev->config_bytes, 5);
	ck_assert(!memcmp(d.dev->config, "\3\0tag", 5));
	ck_assert_int_eq(mhi_p9_dev_create(&d.env, &config, "", &dev, &err), MH_EINVAL);
	memset(longest, 't', sizeof(longest));
	longest[MHI_P9_TAG_MAX + 1] = 0;
	ck_assert_int_eq(mhi_p9_dev_create(&d.env, &config, longest, &dev, &err), MH_EINVAL);
	config.tree.path = "/nowhere/at/all";
	ck_assert_int_eq(mhi_p9_dev_create(&d.env, &config, "t", &dev, &err), MH_ENOENT);
	teardown();
}
END_TEST

START_TEST(nonsense)
{
	setup(0);
	/* No message, half a header, no room, room for half a header: used, with nothing in it. */
	ck_assert_uint_eq(transact(0, 64, 64), 0);
	ck_assert_uint_eq(transact(5, 64, 64), 0);
	ck_assert_uint_eq(transact(put_version(), 0, 64), 0);
	ck_assert_uint_eq(transact(put_version(), 5, 64), 0);
	ck_assert_uint_eq(reply[0], 0xa5);
	/* A size that the chain does not have. */
	put_version();
	request[1] = 1;
	ck_assert_uint_eq(transact(21, 64, 64), 11);
	ck_assert_uint_eq(reply[4], P9_RLERROR);
	ck_assert_uint_eq(vd_status(&d), 0xf);
	teardown();
}
END_TEST

/* As many as the ring holds, before any is done; then a reset with as many in flight. */
START_TEST(many)
{
	struct vd_buf buf[2];
	unsigned int n = 0, done = 0;
	u32 len;

	setup(VIRTIO_F_RING_PACKED);
	transact(put_version(), 64, 64);
	buf[0] = (struct vd_buf){ request_at, put_attach(200), false };
	buf[1] = (struct vd_buf){ reply_at, 64, true };
	for (int round = 0; round < 3; round++) {
		while (vr_add(&r, buf, 2, false) >= 0)
			n++;
		vr_kick(&r);
		vd_sync(&d);
		fake_pool_run();
		vd_sync(&d);
		while (vr_get(&r, &len) >= 0)
			done += len == 20 || len == 11;
	}
	ck_assert_uint_eq(n, 3 * 64);
	ck_assert_uint_eq(done, n);
	for (n = 0; vr_add(&r, buf, 2, false) >= 0; n++)
		;
	vr_kick(&r);
	vd_sync(&d);
	vd_set_status(&d, 0);
	ck_assert_uint_ge(fake_pool_run(), 1);
	vd_sync(&d);
	ck_assert_uint_eq(vd_status(&d), 0);
	/* Fids and version have gone with it. */
	ck_assert(vd_negotiate(&d, VIRTIO_F_VERSION_1 | 1));
	vr_init(&r, &d, 0, 128);
	vd_ok(&d);
	transact(put_attach(200), 64, 64);
	ck_assert_uint_eq(reply[4], P9_RLERROR);
	transact(put_version(), 64, 64);
	ck_assert_uint_eq(transact(put_attach(200), 64, 64), 20);
	/* Unplugged with requests in flight. */
	vr_add(&r, buf, 2, false);
	vr_kick(&r);
	vd_sync(&d);
	fake_pool_run();
	teardown();
}
END_TEST

static void add_tests(TCase *tcase)
{
	tcase_add_test(tcase, shapes);
	tcase_add_test(tcase, tag);
	tcase_add_test(tcase, nonsense);
	tcase_add_test(tcase, many);
}

UNIT_MAIN("virtio_p9", add_tests)
