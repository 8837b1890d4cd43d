// SPDX-License-Identifier: MIT
/* virtio-fs: requests in chains of any shape, on both queues, many at once, and resets. */
#include "unit.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "core/le.h"
#include "fake_pool.h"
#include "vdriver.h"
#include "virtio/fs_dev.h"
#include "virtio/fuse_proto.h"

#define REPLY 4096
#define HIPRIO 0
#define REQUESTS 1

static struct vdriver d;
static struct vring r[2];
static char folder[32];
static u8 *request, *reply;
static mh_gpa request_at, reply_at;

static void begin(u64 features)
{
	ck_assert(vd_negotiate(&d, features | VIRTIO_F_VERSION_1));
	vr_init(&r[HIPRIO], &d, HIPRIO, 16);
	vr_init(&r[REQUESTS], &d, REQUESTS, 128);
	vd_ok(&d);
}

static void setup(u64 features)
{
	struct mhi_fuse_config config = { 0 };
	struct mhi_err err = { 0 };
	struct mhi_vdev *dev;
	int fd;

	memcpy(folder, "/tmp/virtio-fs-XXXXXX", 22);
	ck_assert_ptr_nonnull(mkdtemp(folder));
	fd = open(folder, O_RDONLY | O_DIRECTORY);
	close(openat(fd, "f", O_CREAT | O_WRONLY, 0600));
	close(fd);
	config.tree.path = folder;
	vd_init(&d);
	ck_assert_int_eq(mhi_fs_dev_create(&d.env, &config, "tag", &dev, &err), 0);
	vd_attach(&d, dev, false);
	ck_assert_uint_eq(d.pci.pci.device, 0x105a);
	begin(features);
	request_at = vd_alloc(&d, 4096, 8);
	reply_at = vd_alloc(&d, REPLY, 8);
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

static u32 put(u32 op, const void *body, u32 bytes)
{
	const struct fuse_in_header head = { .len = (u32)sizeof(head) + bytes,
					     .opcode = op,
					     .nodeid = FUSE_ROOT_ID };

	memcpy(request, &head, sizeof(head));
	memcpy(request + sizeof(head), body, bytes);
	return head.len;
}

static u32 put_init(void)
{
	return put(FUSE_INIT, &(struct fuse_init_in){ .major = 7, .minor = 31 }, 16);
}

static u32 put_lookup(void)
{
	return put(FUSE_LOOKUP, "f", 2);
}

static void work(void)
{
	vd_sync(&d);
	fake_pool_run();
	vd_sync(&d);
}

/* In descriptors of piece bytes each; the used length. */
static u32 transact(unsigned int q, u32 bytes, u32 room, u32 piece)
{
	struct vd_buf buf[128];
	unsigned int n = 0;
	u32 len = ~0u;

	memset(reply, 0xa5, REPLY);
	for (u32 at = 0; at < bytes; at += piece)
		buf[n++] = (struct vd_buf){ request_at + at,
					    bytes - at < piece ? bytes - at : piece, false };
	for (u32 at = 0; at < room; at += piece)
		buf[n++] = (struct vd_buf){ reply_at + at, room - at < piece ? room - at : piece,
					    true };
	ck_assert_int_ge(vr_add(&r[q], buf, n, false), 0);
	vr_kick(&r[q]);
	work();
	ck_assert_int_ge(vr_get(&r[q], &len), 0);
	return len;
}

static int error(void)
{
	return (int)mhi_get_le32(reply + 4);
}

START_TEST(shapes)
{
	static const u64 features[] = { 0, VIRTIO_F_RING_PACKED, VIRTIO_F_EVENT_IDX };

	for (unsigned int i = 0; i < MHI_COUNT(features); i++) {
		setup(features[i]);
		ck_assert_uint_eq(transact(REQUESTS, put_init(), 100, 100), 80);
		ck_assert_int_eq(error(), 0);
		ck_assert_uint_eq(reply[80], 0xa5);
		ck_assert_uint_eq(transact(REQUESTS, put_lookup(), 144, 3), 144);
		ck_assert_int_eq(error(), 0);
		/* A driver may use either queue for anything. */
		ck_assert_uint_eq(transact(HIPRIO, put_lookup(), 144, 20), 144);
		ck_assert_uint_eq(transact(HIPRIO, put(FUSE_FORGET, "\1\0\0\0\0\0\0", 8), 0, 64),
				  0);
		teardown();
	}
}
END_TEST

START_TEST(config)
{
	struct mhi_fuse_config folder_config = { .tree.path = "/tmp" };
	struct mhi_err err = { 0 };
	struct mhi_vdev *dev;
	char longest[MHI_FS_TAG_MAX + 2];

	setup(0);
	ck_assert_uint_eq(d.dev->config_bytes, 40);
	ck_assert_str_eq((const char *)d.dev->config, "tag");
	ck_assert_uint_eq(mhi_get_le32(d.dev->config + MHI_FS_TAG_MAX), 1);
	ck_assert_uint_eq(vd_offered(&d) & 0xffffff, 0);
	ck_assert_int_eq(mhi_fs_dev_create(&d.env, &folder_config, "", &dev, &err), MH_EINVAL);
	memset(longest, 't', sizeof(longest));
	longest[MHI_FS_TAG_MAX + 1] = 0;
	ck_assert_int_eq(mhi_fs_dev_create(&d.env, &folder_config, longest, &dev, &err), MH_EINVAL);
	folder_config.tree.path = "/nowhere/at/all";
	ck_assert_int_eq(mhi_fs_dev_create(&d.env, &folder_config, "t", &dev, &err), MH_ENOENT);
	teardown();
}
END_TEST

START_TEST(nonsense)
{
	setup(0);
	/* No request, half a header, no room, room for half a header: used, with nothing in it. */
	ck_assert_uint_eq(transact(REQUESTS, 0, 64, 64), 0);
	ck_assert_uint_eq(transact(REQUESTS, 5, 64, 64), 0);
	ck_assert_uint_eq(transact(REQUESTS, put_init(), 0, 64), 0);
	ck_assert_uint_eq(transact(REQUESTS, put_init(), 15, 64), 0);
	ck_assert_uint_eq(reply[0], 0xa5);
	/* A size that the chain does not have. */
	put_init();
	request[1] = 1;
	ck_assert_uint_eq(transact(REQUESTS, 56, 64, 64), 16);
	ck_assert_int_eq(error(), -EINVAL);
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
	transact(REQUESTS, put_init(), 80, 80);
	buf[0] = (struct vd_buf){ request_at, put_lookup(), false };
	buf[1] = (struct vd_buf){ reply_at, 144, true };
	for (int round = 0; round < 3; round++) {
		while (vr_add(&r[REQUESTS], buf, 2, false) >= 0)
			n++;
		vr_kick(&r[REQUESTS]);
		work();
		while (vr_get(&r[REQUESTS], &len) >= 0)
			done += len == 144;
	}
	ck_assert_uint_eq(n, 3 * 64);
	ck_assert_uint_eq(done, n);
	while (vr_add(&r[REQUESTS], buf, 2, false) >= 0)
		;
	vr_kick(&r[REQUESTS]);
	vd_sync(&d);
	vd_set_status(&d, 0);
	ck_assert_uint_ge(fake_pool_run(), 1);
	vd_sync(&d);
	ck_assert_uint_eq(vd_status(&d), 0);
	/* The session has gone with it. */
	begin(0);
	ck_assert_uint_eq(transact(REQUESTS, put_lookup(), 144, 144), 16);
	ck_assert_int_eq(error(), -ENOTCONN);
	ck_assert_uint_eq(transact(REQUESTS, put_init(), 80, 80), 80);
	ck_assert_uint_eq(transact(REQUESTS, put_lookup(), 144, 144), 144);
	/* Unplugged with requests in flight. */
	vr_add(&r[REQUESTS], buf, 2, false);
	vr_kick(&r[REQUESTS]);
	vd_sync(&d);
	fake_pool_run();
	teardown();
}
END_TEST

static void add_tests(TCase *tcase)
{
	tcase_add_test(tcase, shapes);
	tcase_add_test(tcase, config);
	tcase_add_test(tcase, nonsense);
	tcase_add_test(tcase, many);
}

UNIT_MAIN("virtio_fs", add_tests)
