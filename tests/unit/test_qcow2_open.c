/* SPDX-License-Identifier: MIT */
/*
 * Images of QEMU's with every option are read right; damaged and hostile ones are refused in words.
 */
#include "unit.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "qemu_img.h"
#include "virtio/be_open.h"
#include "virtio/be_raw.h"
#include "virtio/qcow2.h"
#include "virtio/qcow2_format.h"

#define MB (1u << 20)
#define BYTES (3 * MB + 512)

static char image[80], flat[80], other[80];
static struct mhi_blk *disk;
static struct mhi_err err;
static u8 *model;

static void set_up(void)
{
	u32 i;

	snprintf(image, sizeof(image), "%s/mh-qo-%d.qcow2", image_folder(), (int)getpid());
	snprintf(flat, sizeof(flat), "%s/mh-qo-%d.raw", image_folder(), (int)getpid());
	snprintf(other, sizeof(other), "%s/mh-qo-%d.other", image_folder(), (int)getpid());
	model = calloc(1, 2 * BYTES);
	/* Text-like, so that it can be packed; zeroes in between. */
	for (i = 0; i < BYTES; i++)
		model[i] = (i / 40000) % 3 ? (u8)("abcdefgh"[i % 8] + i / 9000 % 7) : 0;
	disk = NULL;
	memset(&err, 0, sizeof(err));
}

static void tear_down(void)
{
	if (disk)
		disk->ops->close(disk);
	free(model);
	unlink(image);
	unlink(flat);
	unlink(other);
}

static void write_flat(void)
{
	FILE *f = fopen(flat, "w");

	ck_assert_uint_eq(fwrite(model, 1, BYTES, f), BYTES);
	fclose(f);
}

static void compare(void)
{
	u8 *all = malloc(BYTES);

	ck_assert_uint_ge(disk->size, BYTES);
	ck_assert_int_eq(mhi_blk_read(disk, 0, all, BYTES), 0);
	ck_assert_int_eq(memcmp(all, model, BYTES), 0);
	free(all);
}

static void open_ok(const char *path, u32 flags)
{
	int rc = mhi_image_open(path, "qcow2", flags, &disk, &err);

	ck_assert_msg(!rc, "%s", err.text);
}

static void close_disk(void)
{
	ck_assert_int_eq(disk->ops->close(disk), 0);
	disk = NULL;
}

static const struct {
	const char *options;
	bool packed;
} made[] = {
	{ "compat=0.10", false },
	{ "compat=0.10", true },
	{ "compat=1.1", true },
	{ "cluster_size=512", false },
	{ "cluster_size=2M", true },
	{ "cluster_size=4k,refcount_bits=1", false },
	{ "refcount_bits=64,lazy_refcounts=on", true },
	{ "preallocation=metadata", false },
	{ "preallocation=falloc", false },
	{ "preallocation=full,cluster_size=8k", false },
	{ "compression_type=zstd", true },
};

START_TEST(images_of_qemu)
{
	char text[4096];
	int status;

	if (!qemu_img_there())
		return;
	write_flat();
	if (made[_i].packed)
		must_run("qemu-img", "convert", "-c", "-f", "raw", "-O", "qcow2", "-o",
			 made[_i].options, flat, image, NULL);
	else
		must_run("qemu-img", "convert", "-f", "raw", "-O", "qcow2", "-o", made[_i].options,
			 flat, image, NULL);
	open_ok(image, MHI_OPEN_READ_ONLY);
	compare();
	close_disk();
	/*
	 * And changed right: over packed clusters, over zero clusters, over what was preallocated.
	 */
	open_ok(image, 0);
	memset(model + 70000 / 512 * 512, 'x', 512 * 300);
	ck_assert_int_eq(
		mhi_blk_write(disk, 70000 / 512 * 512, model + 70000 / 512 * 512, 512 * 300), 0);
	compare();
	close_disk();
	status = qemu_check(image, text, sizeof(text));
	ck_assert_msg(status == 0, "status %d: %s", status, text);
	write_flat();
	must_run("qemu-img", "compare", "-f", "qcow2", "-F", "raw", image, flat, NULL);
}
END_TEST

/* What a snapshot holds survives writes to the active disk. */
START_TEST(snapshots_are_kept)
{
	char text[4096];

	if (!qemu_img_there())
		return;
	write_flat();
	must_run("qemu-img", "convert", "-f", "raw", "-O", "qcow2", "-o", "cluster_size=4k", flat,
		 image, NULL);
	must_run("qemu-img", "snapshot", "-c", "before", image, NULL);
	open_ok(image, 0);
	memset(model + MB, 'n', MB);
	ck_assert_int_eq(mhi_blk_write(disk, MB, model + MB, MB), 0);
	ck_assert_int_eq(disk->ops->discard(disk, 0, 64 << 10), 0);
	ck_assert_int_eq(disk->ops->write_zeroes(disk, 128 << 10, 64 << 10, 0), 0);
	close_disk();
	ck_assert_int_eq(qemu_check(image, text, sizeof(text)), 0);
	must_run("qemu-img", "convert", "-l", "snapshot.name=before", "-O", "raw", image, other,
		 NULL);
	must_run("qemu-img", "compare", "-f", "raw", "-F", "raw", other, flat, NULL);
	must_run("qemu-img", "snapshot", "-a", "before", image, NULL);
	ck_assert_int_eq(qemu_check(image, text, sizeof(text)), 0);
}
END_TEST

/* Bitmaps that we do not keep must not be believed by who comes next. */
START_TEST(bitmaps_are_given_up)
{
	struct mhi_qcow2_info info;
	u8 block[512] = { 1 };
	char text[4096];

	if (!qemu_img_there())
		return;
	must_run("qemu-img", "create", "-f", "qcow2", image, "4M", NULL);
	must_run("qemu-img", "bitmap", "--add", image, "b0", NULL);
	open_ok(image, 0);
	mhi_qcow2_info(disk, &info);
	ck_assert(info.has_bitmaps);
	ck_assert_int_eq(mhi_blk_write(disk, 0, block, 512), 0);
	close_disk();
	ck_assert_int_eq(run_tool(text, sizeof(text), "qemu-img", "info", image, NULL), 0);
	ck_assert_msg(!strstr(text, "name: b0"), "%s", text);
	ck_assert_int_ne(qemu_check(image, text, sizeof(text)), 2);
}
END_TEST

/* ---- refusals: an image of ours with some bytes changed ---- */

static void make_plain(void)
{
	const struct mhi_qcow2_create o = { .size = 4 * MB };
	struct mhi_blk *file;
	u8 block[512] = { 7 };

	unlink(image);
	ck_assert_int_eq(mhi_raw_open(image, MHI_RAW_CREATE, &file, &err), 0);
	ck_assert_int_eq(mhi_qcow2_create(file, &o, &err), 0);
	ck_assert_int_eq(file->ops->close(file), 0);
	open_ok(image, 0);
	ck_assert_int_eq(mhi_blk_write(disk, 0, block, 512), 0);
	close_disk();
}

static void patch(u64 offset, u32 bytes, u64 value)
{
	int fd = open(image, O_RDWR);
	u8 buf[8];

	q2_put64(buf, value);
	ck_assert_int_eq(pwrite(fd, buf + 8 - bytes, bytes, (off_t)offset), (ssize_t)bytes);
	close(fd);
}

/* Clusters of 64 KiB: header, refcount table, refcount block, L1, L2, data. */
enum { AT_RT = 0x10000, AT_RB = 0x20000, AT_L1 = 0x30000, AT_L2 = 0x40000, AT_DATA = 0x50000 };

/*
 * A repair frees the clusters of bitmaps that are given up. Those of the directory were still taken
 * for tables, and the first to use one called the image damaged.
 */
START_TEST(clusters_of_bitmaps_are_used_again)
{
	enum { DIRECTORY = 0x60000, TABLE = 0x70000 };
	struct mhi_qcow2_check report;
	u8 *data = malloc(MB);

	memset(data, 9, MB);
	make_plain();
	patch(DIRECTORY + Q2_B_TABLE_OFFSET, 8, TABLE);
	patch(DIRECTORY + Q2_B_TABLE_SIZE, 4, 1);
	patch(TABLE + 0xfff8, 8, 0);
	patch(AT_RB + 2 * (DIRECTORY >> 16), 2, 1);
	patch(AT_RB + 2 * (TABLE >> 16), 2, 1);
	patch(Q2_H_BYTES, 8, (u64)Q2_EXT_BITMAPS << 32 | 24);
	patch(Q2_H_BYTES + 8, 8, 1ull << 32);
	patch(Q2_H_BYTES + 16, 8, Q2_B_BYTES);
	patch(Q2_H_BYTES + 24, 8, DIRECTORY);
	patch(Q2_H_AUTOCLEAR, 8, Q2_AUTOCLEAR_BITMAPS);
	open_ok(image, MHI_OPEN_READ_ONLY);
	ck_assert_int_eq(mhi_qcow2_check(disk, false, &report, NULL, NULL), 0);
	ck_assert_uint_eq(report.errors + report.leaks, 0);
	close_disk();
	patch(Q2_H_INCOMPATIBLE, 8, Q2_INCOMPAT_DIRTY);
	open_ok(image, 0);
	ck_assert_int_eq(mhi_blk_write(disk, MB, data, MB), 0);
	ck_assert_str_eq(mhi_qcow2_fault(disk), "");
	ck_assert_int_eq(mhi_qcow2_check(disk, false, &report, NULL, NULL), 0);
	ck_assert_uint_eq(report.errors + report.leaks, 0);
	free(data);
}
END_TEST

static const struct {
	u64 offset;
	u32 bytes;
	u64 value;
	int code;
	const char *says;
} damage[] = {
	{ Q2_H_MAGIC, 4, 0, MH_EFORMAT, "not a qcow2 image" },
	{ Q2_H_VERSION, 4, 1, MH_ENOTSUP, "version 1" },
	{ Q2_H_VERSION, 4, 4, MH_EFORMAT, "version" },
	{ Q2_H_CLUSTER_BITS, 4, 8, MH_EFORMAT, "cluster_bits" },
	{ Q2_H_CLUSTER_BITS, 4, 60, MH_EFORMAT, "cluster_bits" },
	{ Q2_H_SIZE, 8, ~0ull, MH_EFORMAT, "size" },
	{ Q2_H_SIZE, 8, 1ull << 60, MH_EFORMAT, "size" },
	{ Q2_H_CRYPT, 4, 1, MH_ENOTSUP, "AES" },
	{ Q2_H_CRYPT, 4, 2, MH_ENOTSUP, "LUKS" },
	{ Q2_H_L1_SIZE, 4, 0xffffffff, MH_EFORMAT, "l1_size" },
	{ Q2_H_L1_SIZE, 4, 0, MH_EFORMAT, "l1_size" },
	{ Q2_H_L1_OFFSET, 8, 0x30200, MH_EFORMAT, "l1_table_offset" },
	{ Q2_H_L1_OFFSET, 8, 1ull << 50, MH_EFORMAT, "l1_table_offset" },
	{ Q2_H_L1_OFFSET, 8, AT_RB, MH_EFORMAT, "L1 entry 0" },
	{ Q2_H_RT_OFFSET, 8, 0, MH_EFORMAT, "refcount_table_offset" },
	{ Q2_H_RT_OFFSET, 8, AT_L2, MH_EFORMAT, "" },
	{ Q2_H_RT_CLUSTERS, 4, 0xffffff, MH_EFORMAT, "refcount_table_clusters" },
	{ Q2_H_RT_CLUSTERS, 4, 0, MH_EFORMAT, "refcount_table_clusters" },
	{ Q2_H_SNAPSHOTS, 4, 0xffffffff, MH_EFORMAT, "nb_snapshots" },
	{ Q2_H_SNAPSHOTS, 4, 5, MH_EFORMAT, "snapshot" },
	{ Q2_H_BACKING_SIZE, 4, 5000, MH_OK, "" },
	{ Q2_H_INCOMPATIBLE, 8, 2, MH_EFORMAT, "marked corrupt" },
	{ Q2_H_INCOMPATIBLE, 8, 4, MH_ENOTSUP, "data-file" },
	{ Q2_H_INCOMPATIBLE, 8, 16, MH_ENOTSUP, "extended L2" },
	{ Q2_H_INCOMPATIBLE, 8, 1ull << 40, MH_ENOTSUP, "unknown incompatible" },
	{ Q2_H_REFCOUNT_ORDER, 4, 7, MH_EFORMAT, "refcount_order" },
	{ Q2_H_LENGTH, 4, 40, MH_EFORMAT, "header_length" },
	{ Q2_H_LENGTH, 4, 1u << 30, MH_EFORMAT, "header_length" },
	{ Q2_H_COMPRESSION, 1, 9, MH_EFORMAT, "compression_type" },
	{ Q2_H_COMPRESSION, 1, 1, MH_EFORMAT, "compression_type" },
	{ Q2_H_BYTES, 8, 0x12345678ffffffff, MH_EFORMAT, "extension" },
	{ AT_RT, 8, 0x20200, MH_EFORMAT, "refcount table entry 0" },
	{ AT_RT, 8, 1ull << 45, MH_EFORMAT, "refcount table entry 0" },
	{ AT_RT + 8, 8, AT_RB, MH_EFORMAT, "overlap" },
	{ AT_RT, 8, AT_L1, MH_EFORMAT, "overlap" },
	{ AT_L1, 8, 0x8000000000000000ull | 1ull << 45, MH_EFORMAT, "L1 entry 0" },
	{ AT_L1, 8, 0x8000000000000000ull | AT_L1, MH_EFORMAT, "overlap" },
	{ AT_L1, 8, 0x8000000000040200ull, MH_EFORMAT, "L1 entry 0" },
};

START_TEST(damage_is_refused)
{
	int rc;

	make_plain();
	patch(damage[_i].offset, damage[_i].bytes, damage[_i].value);
	rc = mhi_image_open(image, "qcow2", 0, &disk, &err);
	ck_assert_msg(rc == damage[_i].code, "%d instead of %d: %s", rc, damage[_i].code, err.text);
	if (rc) {
		disk = NULL;
		ck_assert_msg(strstr(err.text, damage[_i].says), "'%s' is not in: %s",
			      damage[_i].says, err.text);
		ck_assert_msg(strstr(err.text, image), "no file name in: %s", err.text);
	}
}
END_TEST

/* An L2 entry that names a table: reading it is harmless, writing there is not done. */
static const struct {
	u64 entry;
	bool reads;
} bad_l2[] = {
	{ Q2_COPIED, true },
	{ Q2_COPIED | AT_RB, true },
	{ Q2_COPIED | AT_L1, true },
	{ Q2_COPIED | AT_L2, true },
	{ Q2_COPIED | 0x50200, false },
	{ Q2_COPIED | 1ull << 48, false },
	{ Q2_COPIED | 0x50002, false },
	{ Q2_COMPRESSED | 1ull << 40, false },
	{ 0x3f00000000000000ull | AT_DATA, false },
};

START_TEST(bad_entries_stop_writes)
{
	u8 block[512] = { 1 }, before[512], after[512];
	int fd, rc;

	make_plain();
	patch(AT_L2, 8, bad_l2[_i].entry);
	fd = open(image, O_RDONLY);
	ck_assert_int_eq(pread(fd, before, 512, AT_L1), 512);
	open_ok(image, 0);
	rc = mhi_blk_read(disk, 0, after, 512);
	ck_assert_int_eq(rc, bad_l2[_i].reads ? 0 : MH_EFORMAT);
	rc = mhi_blk_write(disk, 0, block, 512);
	if (bad_l2[_i].entry != Q2_COPIED) {
		ck_assert_int_eq(rc, MH_EFORMAT);
		ck_assert_str_ne(mhi_qcow2_fault(disk), "");
		ck_assert_int_eq(disk->ops->flush(disk), MH_EFORMAT);
	}
	ck_assert_int_eq(pread(fd, after, 512, AT_L1), 512);
	ck_assert_int_eq(memcmp(before, after, 512), 0);
	close(fd);
	disk->ops->close(disk);
	disk = NULL;
	if (bad_l2[_i].entry != Q2_COPIED)
		ck_assert_int_eq(mhi_image_open(image, "qcow2", 0, &disk, &err), MH_EFORMAT);
	disk = NULL;
}
END_TEST

/* Counts that say "free" for what is in use: the clusters of tables are not given away. */
START_TEST(wrong_counts)
{
	struct mhi_qcow2_check report;
	u8 block[512] = { 1 };
	u32 i;

	make_plain();
	for (i = 0; i < 6; i++)
		patch(AT_RB + 2 * i, 2, 0);
	open_ok(image, 0);
	ck_assert_int_eq(mhi_blk_write(disk, MB, block, 512), MH_EFORMAT);
	disk->ops->close(disk);
	disk = NULL;
	open_ok(image, MHI_OPEN_CHECK);
	ck_assert_int_eq(mhi_qcow2_check(disk, true, &report, NULL, NULL), 0);
	ck_assert_uint_ge(report.errors, 6);
	close_disk();
	open_ok(image, 0);
	ck_assert_int_eq(mhi_qcow2_check(disk, false, &report, NULL, NULL), 0);
	ck_assert_uint_eq(report.errors + report.leaks, 0);
	ck_assert_int_eq(mhi_blk_write(disk, MB, block, 512), 0);
}
END_TEST

START_TEST(cycles_and_protocols)
{
	struct mhi_qcow2_create o = { .size = 4 * MB, .backing_format = "qcow2" };
	struct mhi_blk *file;
	const char *names[] = { NULL, "nbd://localhost/x", "json:{}", "nothing.img" };
	const int codes[] = { MH_EFORMAT, MH_ENOTSUP, MH_ENOTSUP, MH_ENOENT };
	const char *says[] = { "backing file of itself", "nbd:", "json:", "nothing.img" };
	u32 i;

	names[0] = strrchr(image, '/') + 1;
	for (i = 0; i < 4; i++) {
		unlink(image);
		ck_assert_int_eq(mhi_raw_open(image, MHI_RAW_CREATE, &file, &err), 0);
		o.backing_name = names[i];
		ck_assert_int_eq(mhi_qcow2_create(file, &o, &err), 0);
		ck_assert_int_eq(file->ops->close(file), 0);
		ck_assert_int_eq(mhi_image_open(image, "qcow2",
						MHI_OPEN_NO_LOCK | MHI_OPEN_READ_ONLY, &disk, &err),
				 codes[i]);
		disk = NULL;
		ck_assert_msg(strstr(err.text, says[i]), "%s", err.text);
	}
}
END_TEST

/* A guest with a raw disk cannot turn it into qcow2 for the next start. */
START_TEST(guessed_raw_stays_raw)
{
	u8 block[512] = { 'Q', 'F', 'I', 0xfb };

	write_flat();
	ck_assert_int_eq(mhi_image_open(flat, NULL, 0, &disk, &err), 0);
	ck_assert_str_eq(disk->ops->format, "raw");
	ck_assert_int_eq(mhi_blk_write(disk, 0, block, 512), MH_EPERM);
	ck_assert_int_eq(mhi_blk_write(disk, 512, block, 512), 0);
	close_disk();
	ck_assert_int_eq(mhi_image_open(flat, "raw", 0, &disk, &err), 0);
	ck_assert_int_eq(mhi_blk_write(disk, 0, block, 512), 0);
}
END_TEST

/* What another CPU of the guest makes of its memory while it is written. */
static u8 *changing;
static u32 direct_writes;

ssize_t pwritev2(int fd, const struct iovec *iov, int count, off_t at, int flags)
{
	if (changing)
		memcpy(changing, "QFI\xfb", 4);
	direct_writes += (fcntl(fd, F_GETFL) & O_DIRECT) != 0;
	return syscall(SYS_pwritev2, fd, iov, count, at, 0, flags);
}

/* The guard once judged what the guest could still change before it was written. */
START_TEST(guessed_raw_is_judged_as_written)
{
	u8 *block = aligned_alloc(4096, 16384), first[4096];
	struct iovec iov[2] = { { block, 512 }, { block + 512, 16384 - 512 } };

	memset(block, 'a', 16384);
	write_flat();
	ck_assert_int_eq(mhi_image_open(flat, NULL, 0, &disk, &err), 0);
	changing = block;
	ck_assert_int_eq(disk->ops->write(disk, 0, iov, 1, 0), 0);
	memset(block, 'a', 16384);
	ck_assert_int_eq(disk->ops->write(disk, 0, iov, 2, MHI_BLK_FUA), 0);
	changing = NULL;
	ck_assert_mem_eq(block, "QFI\xfb", 4);
	ck_assert_int_eq(mhi_blk_read(disk, 0, first, sizeof(first)), 0);
	ck_assert_int_eq(first[0], 'a');
	ck_assert_int_eq(mhi_blk_read(disk, 4096, block, 12288), 0);
	ck_assert(block[0] == 'a' && !memcmp(block, block + 1, 12287));
	free(block);
}
END_TEST

START_TEST(guessed_raw_is_written_directly)
{
	u8 *block = aligned_alloc(4096, 16384);
	int rc;

	memset(block, 'd', 16384);
	write_flat();
	rc = mhi_image_open(flat, NULL, MHI_OPEN_DIRECT, &disk, &err);
	if (rc == MH_EIO) {
		printf("no direct I/O here: %s\n", err.text);
		disk = NULL;
	} else {
		ck_assert_msg(!rc, "%s", err.text);
		direct_writes = 0;
		ck_assert_int_eq(mhi_blk_write(disk, 0, block, 16384), 0);
		ck_assert_uint_eq(direct_writes, 2);
	}
	free(block);
}
END_TEST

static void add_tests(TCase *tcase)
{
	tcase_add_checked_fixture(tcase, set_up, tear_down);
	tcase_add_loop_test(tcase, images_of_qemu, 0, (int)MHI_COUNT(made));
	tcase_add_test(tcase, snapshots_are_kept);
	tcase_add_test(tcase, bitmaps_are_given_up);
	tcase_add_test(tcase, clusters_of_bitmaps_are_used_again);
	tcase_add_loop_test(tcase, damage_is_refused, 0, (int)MHI_COUNT(damage));
	tcase_add_loop_test(tcase, bad_entries_stop_writes, 0, (int)MHI_COUNT(bad_l2));
	tcase_add_test(tcase, wrong_counts);
	tcase_add_test(tcase, cycles_and_protocols);
	tcase_add_test(tcase, guessed_raw_stays_raw);
	tcase_add_test(tcase, guessed_raw_is_judged_as_written);
	tcase_add_test(tcase, guessed_raw_is_written_directly);
}

UNIT_MAIN("qcow2_open", add_tests)
