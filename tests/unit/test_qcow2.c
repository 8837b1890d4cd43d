/* SPDX-License-Identifier: MIT */
/* Random changes to qcow2 images of every shape, against a flat model and QEMU's own tools. */
#include "unit.h"

#include <stdio.h>
#include <unistd.h>

#include "fake_blk.h"
#include "qemu_img.h"
#include "rng.h"
#include "virtio/be_open.h"
#include "virtio/be_raw.h"
#include "virtio/qcow2.h"

#define KB 1024ull
#define MB (1024ull * 1024)
#define MODEL_MOST (24 * MB)
#define PIECE_MOST (300 * KB)

static char image[80], backing[80], flat[80];
static struct mhi_blk *disk;
static struct mhi_err err;
static u8 *model, *scratch;
static u64 size;
static struct rng rng;
static bool judge;

static void set_up(void)
{
	snprintf(image, sizeof(image), "%s/mh-q2-%d.qcow2", image_folder(), (int)getpid());
	snprintf(backing, sizeof(backing), "%s/mh-q2-%d.base", image_folder(), (int)getpid());
	snprintf(flat, sizeof(flat), "%s/mh-q2-%d.raw", image_folder(), (int)getpid());
	unlink(image);
	unlink(backing);
	model = calloc(1, MODEL_MOST);
	scratch = malloc(MODEL_MOST);
	disk = NULL;
	judge = qemu_img_there();
}

static void tear_down(void)
{
	if (disk)
		disk->ops->close(disk);
	free(model);
	free(scratch);
	unlink(image);
	unlink(backing);
	unlink(flat);
}

static void create(const struct mhi_qcow2_create *options)
{
	struct mhi_blk *file;
	int rc = mhi_raw_open(image, MHI_RAW_CREATE, &file, &err);

	ck_assert_msg(!rc, "%s", err.text);
	rc = mhi_qcow2_create(file, options, &err);
	ck_assert_msg(!rc, "%s", err.text);
	ck_assert_int_eq(file->ops->close(file), 0);
	size = options->size;
}

static void open_image(u32 flags)
{
	int rc = mhi_image_open(image, "qcow2", flags, &disk, &err);

	ck_assert_msg(!rc, "%s", err.text);
	ck_assert_uint_eq(disk->size, size);
}

static void close_image(void)
{
	ck_assert_int_eq(disk->ops->close(disk), 0);
	disk = NULL;
}

static void compare_own(void)
{
	u64 i;

	memset(scratch, 0xee, size);
	ck_assert_int_eq(mhi_blk_read(disk, 0, scratch, size), 0);
	for (i = 0; i < size && scratch[i] == model[i]; i++)
		continue;
	if (i < size)
		ck_abort_msg("byte 0x%llx is %02x, should be %02x", i, scratch[i], model[i]);
}

/* The image is closed: what do QEMU's tools say? */
static void compare_qemu(void)
{
	char text[4096];
	FILE *f;
	int status;

	if (!judge)
		return;
	status = qemu_check(image, text, sizeof(text));
	ck_assert_msg(!status, "qemu-img check: status %d: %s", status, text);
	f = fopen(flat, "w");
	ck_assert_uint_eq(fwrite(model, 1, size, f), size);
	fclose(f);
	must_run("qemu-img", "compare", "-f", "qcow2", "-F", "raw", image, flat, NULL);
}

static u64 sector(u64 below)
{
	return rng_below(&rng, below / 512 + 1) * 512;
}

static void random_write(u64 at, u64 bytes)
{
	struct iovec iov[5];
	u64 i, n, done = 0;
	u32 count = 0;

	for (i = 0; i < bytes; i += 8)
		memset(scratch + i, (int)(rng_next(&rng) | 1), bytes - i < 8 ? bytes - i : 8);
	while (done < bytes) {
		n = count < 4 ? rng_below(&rng, bytes - done) + 1 : bytes - done;
		iov[count++] = (struct iovec){ scratch + done, n };
		done += n;
	}
	ck_assert_int_eq(disk->ops->write(disk, at, iov, count, 0), 0);
	memcpy(model + at, scratch, bytes);
}

static void random_read(u64 at, u64 bytes)
{
	int rc;

	memset(scratch, 0x99, bytes);
	rc = disk->ops->try_read(disk, at, &(struct iovec){ scratch, bytes }, 1);
	if (rc == MHI_BLK_WAIT)
		rc = mhi_blk_read(disk, at, scratch, bytes);
	ck_assert_int_eq(rc, 0);
	ck_assert_int_eq(memcmp(scratch, model + at, bytes), 0);
}

/* After a discard each byte is the old one or zero, and stays so: the model learns which. */
static void random_discard(u64 at, u64 bytes)
{
	u64 i;

	ck_assert_int_eq(disk->ops->discard(disk, at, bytes), 0);
	ck_assert_int_eq(mhi_blk_read(disk, at, scratch, bytes), 0);
	for (i = 0; i < bytes; i++) {
		if (scratch[i] && scratch[i] != model[at + i])
			ck_abort_msg("discarded byte 0x%llx is neither old nor zero", at + i);
		model[at + i] = scratch[i];
	}
}

static void random_step(void)
{
	u64 at = sector(size - 512), most = size - at < PIECE_MOST ? size - at : PIECE_MOST;
	u64 bytes = rng_below(&rng, 3) ? sector(most - 512) + 512 : 512;
	u64 grown;

	switch (rng_below(&rng, 16)) {
	case 0:
		ck_assert_int_eq(disk->ops->flush(disk), 0);
		break;
	case 1:
		random_discard(at, bytes);
		break;
	case 2:
	case 3:
		ck_assert_int_eq(disk->ops->write_zeroes(disk, at, bytes,
							 rng_below(&rng, 2) ? MHI_BLK_UNMAP : 0),
				 0);
		memset(model + at, 0, bytes);
		break;
	case 4:
		grown = size + sector(200 * KB);
		if (grown <= MODEL_MOST && !rng_below(&rng, 8)) {
			ck_assert_int_eq(disk->ops->resize(disk, grown, &err), 0);
			size = grown;
		}
		break;
	case 5:
	case 6:
	case 7:
	case 8:
		random_read(at, bytes);
		break;
	default:
		random_write(at, bytes);
		break;
	}
}

static void run_steps(unsigned int rounds, unsigned int steps)
{
	unsigned int i;

	while (rounds--) {
		open_image(0);
		for (i = 0; i < steps; i++)
			random_step();
		compare_own();
		close_image();
		compare_qemu();
	}
}

static const struct mhi_qcow2_create shapes[] = {
	{ .size = 8 * MB },
	{ .size = 5 * MB + 512 * 3, .cluster_bytes = 512 },
	{ .size = 6 * MB + 512, .cluster_bytes = 4096, .refcount_bits = 1 },
	{ .size = 9 * MB, .cluster_bytes = 2 << 20, .refcount_bits = 64 },
	{ .size = 4 * MB, .cluster_bytes = 1024, .refcount_bits = 64 },
	{ .size = 4 * MB, .cluster_bytes = 512, .version = 2 },
	{ .size = 7 * MB, .version = 2 },
	{ .size = 3 * MB, .cluster_bytes = 8192, .refcount_bits = 2 },
	{ .size = 3 * MB, .cluster_bytes = 16384, .refcount_bits = 4 },
	{ .size = 3 * MB, .cluster_bytes = 32768, .refcount_bits = 8 },
	{ .size = 3 * MB, .cluster_bytes = 4096, .refcount_bits = 32 },
	{ .size = 512 },
};

START_TEST(random_changes)
{
	rng.s = 1000 + (u64)_i;
	create(&shapes[_i]);
	run_steps(4, 300);
}
END_TEST

/*
 * Checks and repairs of a disk that is being written. A repair once took clusters whose references
 * were still on their way to the file for lost ones, freed them, and damaged the image.
 */
START_TEST(repair_while_writing)
{
	struct mhi_qcow2_check report;

	rng.s = 77;
	create(&shapes[2]);
	open_image(0);
	for (unsigned int i = 0; i < 200; i++) {
		random_step();
		ck_assert_int_eq(mhi_qcow2_check(disk, i & 1, &report, NULL, NULL), 0);
		ck_assert_msg(!report.errors && !report.leaks, "%s", report.first);
	}
	compare_own();
	close_image();
	compare_qemu();
}
END_TEST

/* The backing file: content, size, format. */
static void make_backing(u64 bytes, const char *format)
{
	FILE *f = fopen(flat, "w");
	u64 i;

	for (i = 0; i < bytes; i += 512)
		memset(model + i, (i / 512) % 5 ? (int)(i / 512 * 7 + 1) : 0, 512);
	ck_assert_uint_eq(fwrite(model, 1, bytes, f), bytes);
	fclose(f);
	if (!strcmp(format, "raw"))
		ck_assert_int_eq(rename(flat, backing), 0);
	else
		must_run("qemu-img", "convert", "-O", "qcow2", "-o", "cluster_size=4096", flat,
			 backing, NULL);
}

static const struct {
	u64 base, overlay;
	const char *format;
	u32 cluster, version;
} overlays[] = {
	{ 4 * MB, 4 * MB, "raw", 65536, 3 },
	{ 4 * MB + 512, 2 * MB + 1024, "raw", 65536, 3 },
	{ 1 * MB + 512, 5 * MB, "raw", 4096, 3 },
	{ 4 * MB, 4 * MB, "raw", 65536, 2 },
	{ 1 * MB + 1536, 3 * MB, "qcow2", 512, 2 },
	{ 4 * MB, 6 * MB, "qcow2", 65536, 3 },
	{ 8 * MB, 3 * MB, "qcow2", 2 << 20, 3 },
};

START_TEST(random_changes_to_overlays)
{
	struct mhi_qcow2_create o = { .size = overlays[_i].overlay,
				      .cluster_bytes = overlays[_i].cluster,
				      .version = overlays[_i].version,
				      .backing_format = overlays[_i].format };
	u64 base = overlays[_i].base;

	if (!judge && strcmp(overlays[_i].format, "raw"))
		return;
	rng.s = 2000 + (u64)_i;
	make_backing(base, overlays[_i].format);
	/* What the overlay does not show stays hidden when it grows. */
	if (base > o.size)
		memset(model + o.size, 0, base - o.size);
	o.backing_name = strrchr(backing, '/') + 1;
	create(&o);
	run_steps(4, 200);
}
END_TEST

/* Clusters of 512 bytes and 64-bit counts: a block counts 64 clusters, and the first table 4096. */
static const struct {
	u64 full; /* bytes of storage, at which the new block or table would begin */
	u64 resize;
} ends[] = {
	{ 64 * 512, 0 },
	{ 4096 * 512, 0 },
	{ 64 * 512, 256 * MB },
};

/*
 * The storage is full where a new refcount block, a larger table or a row of blocks would go: that
 * once stopped all writes until the image was opened anew, though nothing referred to the new ones.
 */
START_TEST(full_at_new_counts)
{
	const struct mhi_qcow2_create o = { .size = 4 * MB,
					    .cluster_bytes = 512,
					    .refcount_bits = 64 };
	struct fake_blk *file = fake_blk_new(0, 8 * MB);
	struct mhi_qcow2_check report;
	u64 at = 0;

	ck_assert_int_eq(mhi_qcow2_create(&file->blk, &o, &err), 0);
	ck_assert_int_eq(mhi_qcow2_open(&file->blk, 0, &disk, &err), 0);
	size = o.size;
	memset(model, 5, size);
	file->capacity = ends[_i].full;
	if (ends[_i].resize) {
		ck_assert_int_eq(disk->ops->resize(disk, ends[_i].resize, &err), MH_ENOSPC);
	} else {
		while (!mhi_blk_write(disk, at, model, 512))
			at += 512;
		ck_assert_int_eq(mhi_blk_write(disk, at, model, 512), MH_ENOSPC);
	}
	ck_assert_uint_le(file->blk.size, ends[_i].full);
	file->capacity = 8 * MB;
	if (ends[_i].resize)
		ck_assert_int_eq(disk->ops->resize(disk, ends[_i].resize, &err), 0);
	ck_assert_int_eq(mhi_blk_write(disk, at, model, size - at), 0);
	ck_assert_int_eq(disk->ops->flush(disk), 0);
	compare_own();
	ck_assert_int_eq(mhi_qcow2_check(disk, false, &report, NULL, NULL), 0);
	ck_assert_msg(!report.errors && !report.leaks, "%s", report.first);
	close_image();
	fake_blk_free(file);
}
END_TEST

static void add_tests(TCase *tcase)
{
	tcase_add_checked_fixture(tcase, set_up, tear_down);
	tcase_add_loop_test(tcase, random_changes, 0, (int)MHI_COUNT(shapes));
	tcase_add_test(tcase, repair_while_writing);
	tcase_add_loop_test(tcase, full_at_new_counts, 0, (int)MHI_COUNT(ends));
	tcase_add_loop_test(tcase, random_changes_to_overlays, 0, (int)MHI_COUNT(overlays));
}

UNIT_MAIN("qcow2", add_tests)
