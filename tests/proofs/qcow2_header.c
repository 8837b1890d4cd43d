// SPDX-License-Identifier: MIT
/*
 * The header of a qcow2 image, for any file.
 *
 * header: the header's own fields, of any header and for any size of the file. Once anything
 * else is read, they have the format's limits: cluster and refcount sizes, tables that lie in
 * the file and not at its start, an L1 table that covers the disk, no feature that is not
 * known, no image that is marked corrupt for writing. No arithmetic wraps or shifts too far.
 *
 * name: a backing file's name is read from the first cluster into a buffer of its size, and
 * ends there.
 * Bounds: clusters of 512 bytes; at most 4 bytes of a name, or more than 1023, in the last 32
 * bytes.
 *
 * extensions: what is read of them lies in their area; what is accepted of the bitmaps'
 * directory lies in the file; it ends.
 * Bounds: clusters of 512 bytes; an area of at most 32 bytes at the first one's end.
 *
 * tables: the two upper tables are read as far as they reach and no further, and what is
 * accepted for writing refers to clusters of the file only.
 * Bounds: clusters of 16 bytes, at most 2 entries of the L1 table and 1 cluster of the refcount
 * table.
 *
 * Stubs: the file's node gives any bytes or any error; memory may run out; strndup gives a text
 * of at most that length.
 *
 * source: src/virtio/qcow2_header.c
 * prove: header --unwind 3
 * fault: header src/virtio/qcow2_format.h s/CLUSTER_BITS_MOST 21u/CLUSTER_BITS_MOST 70u/
 * fault: header src/virtio/qcow2_header.c s/if (q->l1_size < needed)/if (q->l1_size + 1 < needed)/
 * fault: header src/virtio/qcow2_header.c s/(!mhi_range_within(offset, bytes, q2_/(offset > (q2_/
 * fault: header src/virtio/qcow2_header.c s/(q->incompatible & ~known)/(q->incompatible \& 16)/
 * fault: header src/virtio/qcow2_header.c s/if (bytes \&\& !offset)/if (false)/
 * prove: name --unwind 6
 * fault: name src/virtio/qcow2_header.c s/bytes + 1ull);/bytes + 0ull);/
 * fault: name src/virtio/qcow2_header.c s/if (strlen(q->backing_name) != bytes)/if (false)/
 * prove: extensions --unwind 6
 * fault: extensions src/virtio/qcow2_header.c s/if (bytes > end - at)/if (bytes > end)/
 * fault: extensions src/virtio/qcow2_header.c s/at + 8 <= end)/at <= end)/
 * fault: extensions src/virtio/qcow2_header.c s/if (bytes != 24)/if (bytes > 24)/
 * prove: tables --unwind 7
 * fault: tables src/virtio/qcow2_header.c s/table, entries \* 8)/table, entries * 16)/
 * fault: tables src/virtio/qcow2_header.c s/(offset ? q->cluster : 0) > end/0 > end/
 * fault: tables src/virtio/qcow2_header.c s/i < q->rt_size/i + 1 < q->rt_size/
 */
#include "proof.h"
#include "virtio/qcow2_int.h"

#define AREA_MOST 32u
#define NAME_MOST 4u

static struct mhi_blk file;
static struct mhi_q2 image;
static struct mhi_err error;
static u8 header_bytes[Q2_H_BYTES];
static u32 reads;
static bool header_only; /* nothing else can be read */

/* ---- what is claimed ---- */

static bool in_file(u64 offset, u64 bytes)
{
	u64 end = file.size + image.cluster;

	return (offset & (image.cluster - 1)) == 0 && offset < end && bytes <= end - offset;
}

static void claim_features(void)
{
	u64 known = Q2_INCOMPAT_DIRTY | Q2_INCOMPAT_CORRUPT | Q2_INCOMPAT_COMPRESSION;

	CLAIM(!(image.incompatible & ~known));
	CLAIM(!(image.incompatible & Q2_INCOMPAT_CORRUPT) || image.blk.read_only ||
	      image.check_only);
	CLAIM(image.compression <= Q2_COMPRESSION_ZSTD);
	CLAIM(image.refcount_order <= Q2_REFCOUNT_ORDER_MOST);
}

static void claim_tables(void)
{
	u32 l2_bits = 2 * image.cluster_bits - 3;
	u64 rt_bytes = (u64)image.rt_clusters << image.cluster_bits;

	CLAIM(image.l1_size * 8ull <= Q2_L1_BYTES_MOST);
	CLAIM(!image.blk.size || (image.blk.size - 1) >> l2_bits < image.l1_size);
	CLAIM(!image.l1_size ||
	      (image.l1_offset && in_file(image.l1_offset, image.l1_size * 8ull)));
	CLAIM(image.rt_clusters && rt_bytes <= Q2_RT_BYTES_MOST);
	CLAIM(image.rt_offset && in_file(image.rt_offset, rt_bytes));
	CLAIM(image.snapshots <= Q2_SNAPSHOTS_MOST);
	CLAIM(!image.snapshots || in_file(image.snapshots_offset, Q2_S_BYTES));
}

static void claim_header(void)
{
	CLAIM(image.version == 2 || image.version == 3);
	CLAIM(image.cluster_bits >= 9 && image.cluster_bits <= 21);
	CLAIM(image.cluster == 1ull << image.cluster_bits);
	CLAIM(image.header_length >= Q2_H_V2_BYTES && image.header_length <= image.cluster);
	claim_features();
	claim_tables();
}

/* ---- stubs ---- */

int mhi_err_set(struct mhi_err *err, int code, const char *fmt, ...)
{
	CLAIM(err == &error && code < 0 && fmt);
	return code;
}

const char *mh_strerror(int code)
{
	return "an error";
}

bool mhi_q2_has_zstd(void)
{
	return nondet_bool();
}

int mhi_blk_write(struct mhi_blk *b, u64 offset, const void *buf, size_t bytes)
{
	CLAIM(b == &file && READABLE(buf, bytes));
	return nondet_bool() ? MH_EIO : 0;
}

int mhi_blk_read(struct mhi_blk *b, u64 offset, void *buf, size_t bytes)
{
	CLAIM(b == &file && bytes && WRITABLE(buf, bytes));
	CLAIM(offset <= file.size + image.cluster && bytes <= file.size + image.cluster - offset);
	if (reads++ && header_only) {
		claim_header();
		return MH_EIO;
	}
	if (nondet_bool())
		return MH_EIO;
	if (reads == 1)
		memcpy(buf, header_bytes, Q2_H_BYTES);
	else
		ANY_BYTES(buf, bytes);
	return 0;
}

void *calloc(size_t count, size_t bytes)
{
	CLAIM(!count || bytes <= (64u << 20) / count);
	return nondet_bool() ? NULL : __CPROVER_allocate(count * bytes, true);
}

char *strndup(const char *text, size_t bytes)
{
	CLAIM(READABLE(text, bytes));
	return nondet_bool() ? NULL : __CPROVER_allocate(bytes + 1, true);
}

/* ---- any image ---- */

static void any_file(void)
{
	file.size = nondet_u64();
	/* A file's size is an off_t; a node's is in sectors. */
	ASSUME(file.size <= INT64_MAX && file.size % MHI_BLK_SECTOR == 0);
	image.file = &file;
	image.blk.read_only = nondet_bool();
	image.check_only = nondet_bool();
}

void header(void)
{
	any_file();
	ANYTHING(header_bytes);
	header_only = true;
	CLAIM(mhi_q2_header_read(&image, &error));
}

/* An image of version 2 or 3 with small clusters and any place for a name. */
static void small_header(u32 version)
{
	any_file();
	ASSUME(file.size >= 16 * MHI_BLK_SECTOR);
	q2_put32(header_bytes + Q2_H_MAGIC, Q2_MAGIC);
	q2_put32(header_bytes + Q2_H_VERSION, version);
	q2_put32(header_bytes + Q2_H_CLUSTER_BITS, Q2_CLUSTER_BITS_LEAST);
	q2_put32(header_bytes + Q2_H_RT_CLUSTERS, 1);
	q2_put64(header_bytes + Q2_H_RT_OFFSET, 512);
	q2_put32(header_bytes + Q2_H_LENGTH, 512 - AREA_MOST);
	q2_put64(header_bytes + Q2_H_BACKING_OFFSET, nondet_u64());
	q2_put32(header_bytes + Q2_H_BACKING_SIZE, nondet_u32());
}

void name(void)
{
	u64 offset, bytes;

	small_header(3);
	offset = q2_get64(header_bytes + Q2_H_BACKING_OFFSET);
	bytes = q2_get32(header_bytes + Q2_H_BACKING_SIZE);
	ASSUME(bytes <= NAME_MOST || bytes > Q2_BACKING_NAME_MOST);
	if (mhi_q2_header_read(&image, &error))
		return;
	CLAIM(!image.backing_name == !(offset && bytes));
	if (!image.backing_name)
		return;
	CLAIM(bytes <= NAME_MOST && offset + bytes <= image.cluster);
	CLAIM(strlen(image.backing_name) == bytes);
}

void extensions(void)
{
	small_header(3);
	q2_put32(header_bytes + Q2_H_BACKING_SIZE, nondet_bool());
	if (mhi_q2_header_read(&image, &error))
		return;
	CLAIM(image.bitmaps_bytes <= Q2_SNAPSHOT_BYTES_MOST);
	CLAIM(!image.bitmaps_bytes || in_file(image.bitmaps_offset, image.bitmaps_bytes));
}

void tables(void)
{
	u64 end, i = nondet_u64();

	any_file();
	image.cluster_bits = 4;
	image.cluster = 16;
	end = q2_round_up(&image, file.size);
	image.l1_offset = nondet_u64();
	image.l1_size = nondet_u32();
	image.rt_offset = nondet_u64();
	image.rt_clusters = nondet_u32();
	ASSUME(image.l1_size <= 2 && image.rt_clusters <= 1);
	reads = 1;
	ASSUME(in_file(image.l1_offset, image.l1_size * 8ull));
	ASSUME(in_file(image.rt_offset, image.rt_clusters * image.cluster));
	if (mhi_q2_tables_read(&image, &error) || image.blk.read_only)
		return;
	CLAIM(image.rt_size == 2ull * image.rt_clusters);
	if (i < image.l1_size) {
		u64 offset = image.l1[i] & Q2_OFFSET_MASK;

		CLAIM(!(image.l1[i] & Q2_L1_RESERVED) && offset % image.cluster == 0);
		CLAIM(!offset || offset + image.cluster <= end);
	}
	if (i < image.rt_size)
		CLAIM(image.rt[i] % image.cluster == 0 && image.rt[i] + image.cluster <= end);
}
