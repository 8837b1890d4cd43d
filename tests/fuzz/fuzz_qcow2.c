// SPDX-License-Identifier: MIT
/*
 * Fuzzes the qcow2 engine (libFuzzer). The input: a byte that chooses the image's shape and how it
 * is opened, a number of patches to the image (place, length, bytes), then operations on the disk.
 * An image without patches must be consistent at the end, whatever was done to it.
 */
#include <string.h>

#include "fake_blk.h"
#include "fuzz.h"
#include "virtio/qcow2.h"
#include "virtio/qcow2_format.h"

#define CAPACITY (1u << 20)
#define DISK_BYTES (256u << 10)
#define BUFFER (96u << 10)
#define PATCHES_MOST 12
#define PACKED_CLUSTER 60
#define OPS_MOST 40

static u8 buffer[BUFFER];

static struct fake_blk *make(u8 shape)
{
	const struct mhi_qcow2_create o = { .size = DISK_BYTES,
					    .cluster_bytes = shape & 1 ? 512 : 4096,
					    .version = shape & 2 ? 2 : 3,
					    .refcount_bits = shape & 4 && !(shape & 2) ? 1 : 0 };
	struct fake_blk *f = fake_blk_new(0, CAPACITY);
	struct mhi_blk *disk;

	if (mhi_qcow2_create(&f->blk, &o, NULL) || mhi_qcow2_open(&f->blk, 0, &disk, NULL))
		fuzz_die("cannot prepare", "");
	memset(buffer, 0x33, BUFFER);
	if (mhi_blk_write(disk, 8192, buffer, 20000 / 512 * 512) ||
	    disk->ops->write_zeroes(disk, 16384, 4096, 0) || disk->ops->close(disk))
		fuzz_die("cannot prepare", "content");
	return f;
}

/* Puts a compressed cluster into the image (one block of deflate that is only stored). */
static void pack(struct fake_blk *f)
{
	u32 bits = f->data[Q2_H_CLUSTER_BITS + 3], bytes = 1u << bits;
	u64 l1 = q2_get64(f->data + Q2_H_L1_OFFSET), l2 = q2_get64(f->data + l1) & Q2_OFFSET_MASK;
	u64 at = (f->blk.size + bytes - 1) & ~(u64)(bytes - 1), sectors = (bytes + 5) / 512 + 1;
	u8 block[5 + 4096] = { 1, (u8)bytes, (u8)(bytes >> 8), (u8)~bytes, (u8)(~bytes >> 8) };
	struct mhi_qcow2_check report;
	struct mhi_blk *disk;

	memset(block + 5, 0x44, bytes);
	q2_put64(f->data + l2 + 8 * PACKED_CLUSTER,
		 Q2_COMPRESSED | at | (sectors - 1) << (62 - (bits - 8)));
	/* The counts are wrong now. */
	if (mhi_blk_write(&f->blk, at, block, 5 + bytes) ||
	    mhi_qcow2_open(&f->blk, MHI_QCOW2_CHECK, &disk, NULL) ||
	    mhi_qcow2_check(disk, true, &report, NULL, NULL) ||
	    mhi_blk_read(disk, (u64)PACKED_CLUSTER << bits, buffer, bytes) ||
	    memcmp(buffer, block + 5, bytes) || disk->ops->close(disk))
		fuzz_die("cannot prepare", "a compressed cluster");
}

static bool patch(struct fake_blk *f, struct fuzz_input *in)
{
	u32 n = (u32)fuzz_take(in, 1) % (PATCHES_MOST + 1), i;
	u64 at, bytes;

	for (i = 0; i < n; i++) {
		at = fuzz_take(in, 2);
		/* Half of them go to the header, and the rest to entries of tables. */
		at = at & 0x8000 ? at & 0x7f : (at & 0x7fff) * 8;
		for (bytes = fuzz_take(in, 1) % 9; bytes && at < f->blk.size; bytes--)
			f->data[at++] = (u8)fuzz_take(in, 1);
	}
	return n != 0;
}

static int operate(struct mhi_blk *disk, struct fuzz_input *in)
{
	u8 op = (u8)fuzz_take(in, 1);
	u64 sectors = disk->size / 512, at, n;
	struct mhi_qcow2_check report;

	if (!sectors)
		return 0;
	at = fuzz_take(in, 2) % sectors;
	n = fuzz_take(in, 1) % (BUFFER / 512) + 1;
	if (n > sectors - at)
		n = sectors - at;
	switch (op % 10) {
	case 0:
	case 1:
		return mhi_blk_read(disk, at * 512, buffer, n * 512);
	case 2:
	case 3:
	case 4:
		memset(buffer, op, n * 512);
		return mhi_blk_write(disk, at * 512, buffer, n * 512);
	case 5:
		return disk->ops->write_zeroes(disk, at * 512, n * 512,
					       op & 16 ? MHI_BLK_UNMAP : 0);
	case 6:
		return disk->ops->discard(disk, at * 512, n * 512);
	case 7:
		return disk->ops->flush(disk);
	case 8:
		return mhi_qcow2_check(disk, op & 16, &report, NULL, NULL);
	default:
		/* Both ways, by little and by much. */
		n *= op & 32 ? 512 * 512 : 512;
		if (!(op & 16))
			return disk->ops->resize(disk, disk->size + n, NULL);
		return disk->ops->resize(disk, n < disk->size ? disk->size - n : 0, NULL);
	}
}

static void judge(struct fake_blk *f)
{
	struct mhi_qcow2_check report;
	struct mhi_blk *disk;

	if (mhi_qcow2_open(&f->blk, MHI_QCOW2_READ_ONLY, &disk, NULL))
		fuzz_die("a good image is refused", "");
	if (mhi_qcow2_check(disk, false, &report, NULL, NULL))
		fuzz_die("a good image cannot be checked", "");
	if (report.errors || report.leaks)
		fuzz_die("a good image became bad", report.first);
	disk->ops->close(disk);
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	struct fuzz_input in = { data, data + size };
	struct mhi_qcow2_check report;
	struct mhi_blk *disk;
	struct fake_blk *f;
	u8 shape = (u8)fuzz_take(&in, 1);
	bool patched, full = false;
	u32 flags = shape & 8 ? MHI_QCOW2_CHECK : shape & 16 ? MHI_QCOW2_READ_ONLY : 0, i;
	struct mhi_err err;

	f = make(shape);
	if (shape & 64)
		pack(f);
	patched = patch(f, &in);
	if (!mhi_qcow2_open(&f->blk, flags, &disk, &err)) {
		if (flags == MHI_QCOW2_CHECK)
			mhi_qcow2_check(disk, (shape & 32) != 0, &report, NULL, NULL);
		for (i = 0; flags == 0 && i < OPS_MOST && fuzz_more(&in); i++)
			full = operate(disk, &in) == MH_ENOSPC || full;
		if (disk->ops->close(disk) && !patched && !full)
			fuzz_die("a good image cannot be closed", "");
	} else if (!patched) {
		fuzz_die("a good image is refused", err.text);
	}
	if (!patched && !full)
		judge(f);
	fake_blk_free(f);
	return 0;
}
