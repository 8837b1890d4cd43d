/* SPDX-License-Identifier: MIT */
/* Back ends of the embedder's by the public interface: what is refused, who is called and when. */
#include "api_fixture.h"

#include <pthread.h>

#define THREADS 4
#define FRAMES 500

static unsigned int closes;

static int no_io(void *opaque, uint64_t offset, const struct iovec *iov, uint32_t count)
{
	return MH_EIO;
}

static int no_flush(void *opaque)
{
	return 0;
}

static void count_close(void *opaque)
{
	ck_assert_ptr_eq(opaque, &closes);
	closes++;
}

static struct mh_block_ops disk_ops(void)
{
	return (struct mh_block_ops){
		.version = 1, .read = no_io, .write = no_io, .flush = no_flush, .close = count_close
	};
}

static void set_up(void)
{
	api_set_up();
	closes = 0;
}

START_TEST(disks)
{
	struct mh_disk_config c = MH_DISK_CONFIG_INIT;
	struct mh_vm *vm = api_vm(2, 0, 1 << 20);
	struct mh_block_ops ops = disk_ops();
	struct mh_dev *dev = NULL;

	c.ops = &ops;
	c.opaque = &closes;
	c.bytes = 1 << 20;
	ck_assert_int_eq(mh_disk_attach(vm, &c, &dev), 0);
	ck_assert_uint_eq(fake_machine.devs[0]->device, 0x1042);
	ck_assert_uint_eq(closes, 0);
	ck_assert_int_eq(mh_dev_detach(dev), 0);
	ck_assert_uint_eq(closes, 1);
	/* A copy was made. */
	ck_assert_int_eq(mh_disk_attach(vm, &c, NULL), 0);
	memset(&ops, 0, sizeof(ops));
	mh_vm_destroy(vm);
	ck_assert_uint_eq(closes, 2);
}
END_TEST

START_TEST(disks_that_cannot_be)
{
	struct mh_vm *vm = api_vm(1, 0, 1 << 20);
	static const struct {
		const char *path, *format, *error;
		u64 bytes;
		u32 block, flags, version;
	} all[] = {
		{ "x", NULL, "both set; set one of them", 4096, 0, 0, 1 },
		{ NULL, "raw", "config.format", 4096, 0, 0, 1 },
		{ NULL, NULL, "MH_DISK_DIRECT", 4096, 0, MH_DISK_DIRECT, 1 },
		{ NULL, NULL, "version is 2", 4096, 0, 0, 2 },
		{ NULL, NULL, "block_bytes is 100", 4096, 100, 0, 1 },
		{ NULL, NULL, "block_bytes is 768", 4096, 768, 0, 1 },
		{ NULL, NULL, "block_bytes is 131072", 1 << 20, 131072, 0, 1 },
		{ NULL, NULL, "config.bytes is 0", 0, 0, 0, 1 },
		{ NULL, NULL, "config.bytes is 4097", 4097, 0, 0, 1 },
		{ NULL, NULL, "config.bytes is 4608", 4608, 4096, 0, 1 },
		{ NULL, NULL, "config.bytes", ~0ull << 12, 0, 0, 1 },
	};

	for (unsigned int n = 0; n < MHI_COUNT(all); n++) {
		struct mh_disk_config c = MH_DISK_CONFIG_INIT;
		struct mh_block_ops ops = disk_ops();

		ops.version = all[n].version;
		c.path = all[n].path;
		c.format = all[n].format;
		c.bytes = all[n].bytes;
		c.block_bytes = all[n].block;
		c.flags = all[n].flags;
		c.ops = &ops;
		c.opaque = &closes;
		ck_assert_int_eq(mh_disk_attach(vm, &c, NULL), MH_EINVAL);
		ck_error_has(all[n].error);
		ck_error_has("disk of VM \"test\"");
		c = (struct mh_disk_config)MH_DISK_CONFIG_INIT;
		c.ops = &ops;
		c.bytes = 4096;
		ops = disk_ops();
		ops.flush = NULL;
		ck_assert_int_eq(mh_disk_attach(vm, &c, NULL), MH_EINVAL);
		ck_error_has("no read, write or flush");
	}
	ck_assert_uint_eq(closes, 0);
	mh_vm_destroy(vm);
}
END_TEST

static int take_frame(void *opaque, const struct iovec *iov, uint32_t count)
{
	return 1;
}

static const struct mh_net_ops net_ops = { 1, take_frame, count_close };

static int no_answer(void *opaque, const void *request, uint32_t bytes, void *answer, uint32_t room)
{
	return MH_EIO;
}

static const struct mh_p9_ops p9_ops = { 1, no_answer, NULL, count_close };

START_TEST(shares)
{
	struct mh_share_config c = MH_SHARE_CONFIG_INIT;
	struct mh_vm *vm = api_vm(1, 0, 1 << 20);
	struct mh_p9_ops ops = p9_ops;
	struct mh_dev *dev = NULL;

	c.ops = &ops;
	c.opaque = &closes;
	c.tag = "tree";
	ck_assert_int_eq(mh_share_attach(vm, &c, &dev), 0);
	ck_assert_uint_eq(fake_machine.devs[0]->device, 0x1049);
	ck_assert_uint_eq(closes, 0);
	ck_assert_int_eq(mh_dev_detach(dev), 0);
	ck_assert_uint_eq(closes, 1);
	/* A copy was made. */
	ck_assert_int_eq(mh_share_attach(vm, &c, NULL), 0);
	memset(&ops, 0, sizeof(ops));
	mh_vm_destroy(vm);
	ck_assert_uint_eq(closes, 2);
}
END_TEST

START_TEST(shares_that_cannot_be)
{
	static const struct mh_p9_ops later = { 2, no_answer, NULL, NULL };
	static const struct mh_p9_ops empty = { 1, NULL, NULL, NULL };
	static const size_t bytes = sizeof(struct mh_share_config);
	static const struct {
		struct mh_share_config c;
		const char *error;
	} all[] = {
		{ { .size = bytes, .tag = "t" }, "set one of them" },
		{ { .size = bytes, .tag = "t", .path = "/", .ops = &p9_ops }, "set one of them" },
		{ { .size = bytes, .tag = "t", .readonly = 1, .ops = &p9_ops }, "for folders" },
		{ { .size = bytes, .tag = "t", .owners = 1, .ops = &p9_ops }, "for folders" },
		{ { .size = bytes, .tag = "t", .uid = 1, .ops = &p9_ops }, "for folders" },
		{ { .size = bytes, .tag = "t", .gid = 1, .ops = &p9_ops }, "for folders" },
		{ { .size = bytes, .tag = "t", .ops = &later }, "version is 2" },
		{ { .size = bytes, .tag = "t", .ops = &empty }, "no answer" },
		{ { .size = bytes, .ops = &p9_ops }, "the tag" },
		{ { .size = bytes, .tag = "t", .ops = &p9_ops, .flags = MH_SHARE_VIRTIOFS },
		  "leave one of them out" },
	};
	struct mh_vm *vm = api_vm(1, 0, 1 << 20);

	for (unsigned int n = 0; n < MHI_COUNT(all); n++) {
		ck_assert_int_eq(mh_share_attach(vm, &all[n].c, NULL), MH_EINVAL);
		ck_error_has(all[n].error);
		ck_error_has("shared folder of VM \"test\"");
	}
	ck_assert_uint_eq(closes, 0);
	mh_vm_destroy(vm);
}
END_TEST

/* What fails when all else is done leaves the back end to its owner. */
START_TEST(no_slot)
{
	struct mh_disk_config disk = MH_DISK_CONFIG_INIT;
	struct mh_net_config net = MH_NET_CONFIG_INIT;
	struct mh_share_config share = MH_SHARE_CONFIG_INIT;
	struct mh_vm *vm = api_vm(1, 0, 1 << 20);
	struct mh_block_ops ops = disk_ops();

	disk.ops = &ops;
	disk.opaque = &closes;
	disk.bytes = 4096;
	net.kind = MH_NET_OPS;
	net.ops = &net_ops;
	net.opaque = &closes;
	share.ops = &p9_ops;
	share.opaque = &closes;
	share.tag = "tree";
	fake_machine.add_error = MH_ERANGE;
	ck_assert_int_eq(mh_share_attach(vm, &share, NULL), MH_ERANGE);
	ck_assert_int_eq(mh_disk_attach(vm, &disk, NULL), MH_ERANGE);
	ck_assert_int_eq(mh_net_attach(vm, &net, NULL), MH_ERANGE);
	net.pcap = "/nowhere/at/all";
	ck_assert_int_eq(mh_net_attach(vm, &net, NULL), MH_ENOENT);
	ck_assert_uint_eq(closes, 0);
	mh_vm_destroy(vm);
}
END_TEST

START_TEST(networks)
{
	struct mh_net_config c = MH_NET_CONFIG_INIT;
	struct mh_vm *vm = api_vm(1, 0, 1 << 20);
	struct mh_dev *dev, *other;
	u8 frame[60] = { 0 };

	c.kind = MH_NET_OPS;
	ck_assert_int_eq(mh_net_attach(vm, &c, &dev), MH_EINVAL);
	ck_error_has("config.ops");
	c.ops = &net_ops;
	c.opaque = &closes;
	c.queues = 2;
	ck_assert_int_eq(mh_net_attach(vm, &c, &dev), MH_EINVAL);
	c.queues = 0;
	ck_assert_int_eq(mh_net_attach(vm, &c, &dev), 0);
	ck_assert_int_eq(mh_net_input(dev, frame, sizeof(frame)), 0);
	ck_assert_int_eq(mh_net_ready(dev), 0);
	ck_assert_int_eq(mh_net_input(dev, frame, 5), MH_EINVAL);
	ck_error_has("14 to 65597");
	ck_assert_int_eq(mh_net_input(dev, NULL, 60), MH_EINVAL);
	ck_assert_int_eq(mh_net_input(NULL, frame, 60), MH_EINVAL);
	ck_assert_int_eq(mh_net_ready(NULL), MH_EINVAL);
	ck_assert_int_eq(mh_rng_attach(vm, NULL, &other), 0);
	ck_assert_int_eq(mh_net_input(other, frame, sizeof(frame)), MH_EINVAL);
	ck_error_has("no network card of kind MH_NET_OPS");
	ck_assert_int_eq(mh_net_ready(other), MH_EINVAL);
	ck_assert_int_eq(mh_dev_detach(dev), 0);
	ck_assert_uint_eq(closes, 1);
	mh_vm_destroy(vm);
}
END_TEST

static void *feed(void *opaque)
{
	u8 frame[1500] = { 0 };

	for (unsigned int n = 0; n < FRAMES; n++) {
		int rc = mh_net_input(opaque, frame, sizeof(frame));

		ck_assert(rc == 0 || rc == MH_ENOSPC);
		ck_assert_int_eq(mh_net_ready(opaque), 0);
	}
	return NULL;
}

/* From several threads at once, for a guest that takes nothing. */
START_TEST(many_feeders)
{
	struct mh_net_config c = MH_NET_CONFIG_INIT;
	struct mh_vm *vm = api_vm(1, 0, 1 << 20);
	pthread_t thread[THREADS];
	struct mh_dev *dev;

	c.kind = MH_NET_OPS;
	c.ops = &net_ops;
	c.opaque = &closes;
	ck_assert_int_eq(mh_net_attach(vm, &c, &dev), 0);
	ck_assert_int_eq(mh_vm_start(vm), 0);
	for (unsigned int n = 0; n < THREADS; n++)
		ck_assert_int_eq(pthread_create(&thread[n], NULL, feed, dev), 0);
	for (unsigned int n = 0; n < THREADS; n++)
		pthread_join(thread[n], NULL);
	mh_vm_destroy(vm);
	ck_assert_uint_eq(closes, 1);
}
END_TEST

static void add_tests(TCase *tcase)
{
	tcase_add_checked_fixture(tcase, set_up, api_tear_down);
	tcase_add_test(tcase, disks);
	tcase_add_test(tcase, disks_that_cannot_be);
	tcase_add_test(tcase, shares);
	tcase_add_test(tcase, shares_that_cannot_be);
	tcase_add_test(tcase, no_slot);
	tcase_add_test(tcase, networks);
	tcase_add_test(tcase, many_feeders);
}

UNIT_MAIN("backend", add_tests)
