/* SPDX-License-Identifier: MIT */
/* The header, its extensions and the two upper tables: read, judged, and the marks written back. */
#include "virtio/qcow2_int.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#define CONVERT "'qemu-img convert -O qcow2' makes an image without"

static int bad(struct mhi_err *err, const char *field, u64 value, const char *why)
{
	return mhi_err_set(
		err, MH_EFORMAT,
		"qcow2 header: %s is 0x%llx: %s; the image is damaged: take a copy of it", field,
		value, why);
}

static int refuse(struct mhi_err *err, const char *feature, const char *cure)
{
	return mhi_err_set(err, MH_ENOTSUP, "the qcow2 image uses %s, which is not supported; %s",
			   feature, cure);
}

static int check_features(struct mhi_q2 *q, struct mhi_err *err)
{
	u64 known = Q2_INCOMPAT_DIRTY | Q2_INCOMPAT_CORRUPT | Q2_INCOMPAT_COMPRESSION;

	if (q->incompatible & Q2_INCOMPAT_DATA_FILE)
		return refuse(err, "an external data file (data-file)", CONVERT);
	if (q->incompatible & Q2_INCOMPAT_EXTENDED_L2)
		return refuse(err, "extended L2 entries (subclusters)", CONVERT);
	if (q->incompatible & ~known)
		return mhi_err_set(err, MH_ENOTSUP,
				   "the qcow2 image uses unknown incompatible features 0x%llx; "
				   "convert it with the program that made it",
				   q->incompatible & ~known);
	if ((q->incompatible & Q2_INCOMPAT_CORRUPT) && !q->blk.read_only && !q->check_only)
		return mhi_err_set(
			err, MH_EFORMAT,
			"the qcow2 image is marked corrupt; check and repair it first, or "
			"open it read-only to save what can be read");
	return 0;
}

static int read_v3(struct mhi_q2 *q, const u8 *h, struct mhi_err *err)
{
	u32 compression = 0;

	q->incompatible = q2_get64(h + Q2_H_INCOMPATIBLE);
	q->compatible = q2_get64(h + Q2_H_COMPATIBLE);
	q->autoclear = q2_get64(h + Q2_H_AUTOCLEAR);
	q->refcount_order = q2_get32(h + Q2_H_REFCOUNT_ORDER);
	q->header_length = q2_get32(h + Q2_H_LENGTH);
	if (q->refcount_order > Q2_REFCOUNT_ORDER_MOST)
		return bad(err, "refcount_order", q->refcount_order, "more than 64 bits");
	if (q->header_length < Q2_H_V3_BYTES || q->header_length > q->cluster ||
	    q->header_length % 8)
		return bad(err, "header_length", q->header_length,
			   "not a multiple of 8 from 104 to a cluster");
	if (q->header_length > Q2_H_COMPRESSION)
		compression = h[Q2_H_COMPRESSION];
	if (compression > Q2_COMPRESSION_ZSTD)
		return bad(err, "compression_type", compression, "unknown");
	if (!compression != !(q->incompatible & Q2_INCOMPAT_COMPRESSION))
		return bad(err, "compression_type", compression,
			   "it contradicts the feature bit of the same name");
	q->compression = compression;
	if (compression == Q2_COMPRESSION_ZSTD && !mhi_q2_has_zstd())
		return refuse(err, "zstd compression, by this build,",
			      "build the library with libzstd");
	return check_features(q, err);
}

static int read_fixed(struct mhi_q2 *q, const u8 *h, struct mhi_err *err)
{
	if (q2_get32(h + Q2_H_MAGIC) != Q2_MAGIC)
		return mhi_err_set(err, MH_EFORMAT,
				   "it is not a qcow2 image: no magic number; name its format, or "
				   "leave it out");
	q->version = q2_get32(h + Q2_H_VERSION);
	if (q->version == 1)
		return refuse(err, "version 1 (qcow)",
			      "'qemu-img convert -O qcow2' makes a version 3");
	if (q->version != 2 && q->version != 3)
		return bad(err, "version", q->version, "neither 2 nor 3");
	q->cluster_bits = q2_get32(h + Q2_H_CLUSTER_BITS);
	if (q->cluster_bits < Q2_CLUSTER_BITS_LEAST || q->cluster_bits > Q2_CLUSTER_BITS_MOST)
		return bad(err, "cluster_bits", q->cluster_bits, "not 9 to 21");
	q->cluster = 1ull << q->cluster_bits;
	q->refcount_order = 4;
	q->header_length = Q2_H_V2_BYTES;
	if (q2_get32(h + Q2_H_CRYPT))
		return refuse(err,
			      q2_get32(h + Q2_H_CRYPT) == 1 ? "AES encryption" : "LUKS encryption",
			      "decrypt it with 'qemu-img convert'");
	q->blk.size = q2_get64(h + Q2_H_SIZE);
	if (q->blk.size > Q2_SIZE_MOST)
		return bad(err, "size", q->blk.size, "too large");
	q->l1_size = q2_get32(h + Q2_H_L1_SIZE);
	q->l1_offset = q2_get64(h + Q2_H_L1_OFFSET);
	q->rt_offset = q2_get64(h + Q2_H_RT_OFFSET);
	q->rt_clusters = q2_get32(h + Q2_H_RT_CLUSTERS);
	q->snapshots = q2_get32(h + Q2_H_SNAPSHOTS);
	q->snapshots_offset = q2_get64(h + Q2_H_SNAPSHOTS_OFFSET);
	return 0;
}

/* A table's place: aligned, inside of the file, not in the header's cluster. */
static int check_table(struct mhi_q2 *q, const char *field, u64 offset, u64 bytes,
		       struct mhi_err *err)
{
	if (offset & (q->cluster - 1))
		return bad(err, field, offset, "not aligned to a cluster");
	if (bytes && !offset)
		return bad(err, field, offset, "it is the header's place");
	if (!mhi_range_within(offset, bytes, q2_round_up(q, q->file->size)))
		return bad(err, field, offset, "the table reaches beyond the end of the file");
	return 0;
}

static int check_places(struct mhi_q2 *q, struct mhi_err *err)
{
	/* Of the disk's bytes that one L2 table, a cluster of 8-byte entries, maps. */
	u32 l2_bits = 2 * q->cluster_bits - 3;
	u64 needed = (q->blk.size + MHI_BIT(l2_bits) - 1) >> l2_bits;
	int rc;

	if (needed * 8 > Q2_L1_BYTES_MOST)
		return bad(err, "size", q->blk.size, "too large for this cluster size");
	if (q->l1_size * 8ull > Q2_L1_BYTES_MOST)
		return bad(err, "l1_size", q->l1_size, "more than 32 MiB");
	if (q->l1_size < needed)
		return bad(err, "l1_size", q->l1_size, "too small for the disk's size");
	if (((u64)q->rt_clusters << q->cluster_bits) > Q2_RT_BYTES_MOST)
		return bad(err, "refcount_table_clusters", q->rt_clusters, "more than 8 MiB");
	if (!q->rt_clusters)
		return bad(err, "refcount_table_clusters", 0, "there must be a refcount table");
	if (q->snapshots > Q2_SNAPSHOTS_MOST)
		return bad(err, "nb_snapshots", q->snapshots, "more than 65536");
	rc = check_table(q, "l1_table_offset", q->l1_offset, q->l1_size * 8ull, err);
	if (!rc)
		rc = check_table(q, "refcount_table_offset", q->rt_offset,
				 (u64)q->rt_clusters << q->cluster_bits, err);
	if (!rc && q->snapshots)
		rc = check_table(q, "snapshots_offset", q->snapshots_offset, Q2_S_BYTES, err);
	return rc;
}

static int read_backing_name(struct mhi_q2 *q, const u8 *h, struct mhi_err *err)
{
	u64 offset = q2_get64(h + Q2_H_BACKING_OFFSET);
	u32 bytes = q2_get32(h + Q2_H_BACKING_SIZE);
	int rc;

	if (!offset || !bytes)
		return 0;
	if (bytes > Q2_BACKING_NAME_MOST)
		return bad(err, "backing_file_size", bytes, "more than 1023");
	if (!mhi_range_within(offset, bytes, q->cluster))
		return bad(err, "backing_file_offset", offset, "not in the header's cluster");
	q->backing_name = calloc(1, bytes + 1ull);
	if (!q->backing_name)
		return mhi_err_set(err, MH_ENOMEM, MHI_NO_MEMORY);
	rc = mhi_blk_read(q->file, offset, q->backing_name, bytes);
	if (rc)
		return mhi_err_set(err, rc, "cannot read the backing file's name");
	if (strlen(q->backing_name) != bytes)
		return bad(err, "backing_file", bytes, "the name contains a zero byte");
	return 0;
}

static int read_extension(struct mhi_q2 *q, u32 type, const u8 *data, u32 bytes,
			  struct mhi_err *err)
{
	switch (type) {
	case Q2_EXT_BACKING_FORMAT:
		free(q->backing_format);
		q->backing_format = strndup((const char *)data, bytes);
		return q->backing_format ? 0 : mhi_err_set(err, MH_ENOMEM, MHI_NO_MEMORY);
	case Q2_EXT_CRYPTO:
		return refuse(err, "encryption", CONVERT);
	case Q2_EXT_DATA_FILE:
		return refuse(err, "an external data file (data-file)", CONVERT);
	case Q2_EXT_BITMAPS:
		if (bytes != 24)
			return bad(err, "bitmaps extension", bytes, "not 24 bytes");
		q->bitmaps = q2_get32(data);
		q->bitmaps_bytes = q2_get64(data + 8);
		q->bitmaps_offset = q2_get64(data + 16);
		if (q->bitmaps_bytes > Q2_SNAPSHOT_BYTES_MOST)
			return bad(err, "bitmap_directory_size", q->bitmaps_bytes, "too large");
		return check_table(q, "bitmap_directory_offset", q->bitmaps_offset,
				   q->bitmaps_bytes, err);
	default:
		return 0;
	}
}

/* The area between the header and the backing file's name, or the cluster's end. */
static int read_extensions(struct mhi_q2 *q, u64 end, struct mhi_err *err)
{
	u64 at = q->header_length;
	u32 type, bytes;
	u8 *area;
	int rc;

	if (end < at)
		return bad(err, "backing_file_offset", end, "inside of the header");
	area = calloc(1, end + 8);
	if (!area)
		return mhi_err_set(err, MH_ENOMEM, MHI_NO_MEMORY);
	rc = mhi_blk_read(q->file, 0, area, end);
	if (rc)
		mhi_err_set(err, rc, "cannot read the header extensions");
	while (!rc && at + 8 <= end) {
		type = q2_get32(area + at);
		bytes = q2_get32(area + at + 4);
		at += 8;
		if (type == Q2_EXT_END)
			break;
		if (bytes > end - at) {
			rc = bad(err, "extension length", bytes, "beyond the extensions' area");
			break;
		}
		rc = read_extension(q, type, area + at, bytes, err);
		at += (bytes + 7ull) & ~7ull;
	}
	free(area);
	return rc;
}

int mhi_q2_header_read(struct mhi_q2 *q, struct mhi_err *err)
{
	u8 h[Q2_H_BYTES] = { 0 };
	u64 end;
	int rc;

	if (q->file->size < MHI_BLK_SECTOR)
		return mhi_err_set(err, MH_EFORMAT,
				   "it is not a qcow2 image: the file is empty; name its format, "
				   "or leave it out");
	rc = mhi_blk_read(q->file, 0, h, sizeof(h));
	if (rc)
		return mhi_err_set(err, rc,
				   "cannot read the qcow2 header: %s; is its medium right?",
				   mh_strerror(rc));
	rc = read_fixed(q, h, err);
	if (!rc && q->version >= 3)
		rc = read_v3(q, h, err);
	if (!rc)
		rc = check_places(q, err);
	if (!rc)
		rc = read_backing_name(q, h, err);
	if (rc)
		return rc;
	q->rb_bits = q->cluster_bits + 3 - q->refcount_order;
	end = q->backing_name ? q2_get64(h + Q2_H_BACKING_OFFSET) : q->cluster;
	return read_extensions(q, end, err);
}

/* A table of 64-bit entries into host order. */
static int read_table(struct mhi_q2 *q, u64 offset, u64 entries, u64 **out, struct mhi_err *err)
{
	u64 *table = calloc(entries ? entries : 1, 8), i;
	int rc = 0;

	if (!table)
		return mhi_err_set(err, MH_ENOMEM, "the image's tables: " MHI_NO_MEMORY);
	if (entries)
		rc = mhi_blk_read(q->file, offset, table, entries * 8);
	if (rc) {
		free(table);
		return mhi_err_set(err, rc, "cannot read a table of the image");
	}
	for (i = 0; i < entries; i++)
		table[i] = be64toh(table[i]);
	*out = table;
	return 0;
}

static int check_entries(struct mhi_q2 *q, struct mhi_err *err)
{
	u64 end = q2_round_up(q, q->file->size), offset, i;

	for (i = 0; i < q->l1_size; i++) {
		offset = q->l1[i] & Q2_OFFSET_MASK;
		if ((q->l1[i] & Q2_L1_RESERVED) || (offset & (q->cluster - 1)) ||
		    offset + (offset ? q->cluster : 0) > end)
			return mhi_err_set(err, MH_EFORMAT,
					   "L1 entry %llu is 0x%llx: not a cluster of the file", i,
					   q->l1[i]);
	}
	for (i = 0; i < q->rt_size; i++) {
		offset = q->rt[i];
		if ((offset & (q->cluster - 1)) || !mhi_range_within(offset, q->cluster, end))
			return mhi_err_set(err, MH_EFORMAT,
					   "refcount table entry %llu is 0x%llx: not a cluster of "
					   "the file",
					   i, offset);
	}
	return 0;
}

int mhi_q2_tables_read(struct mhi_q2 *q, struct mhi_err *err)
{
	int rc = read_table(q, q->l1_offset, q->l1_size, &q->l1, err);

	q->rt_size = ((u64)q->rt_clusters << q->cluster_bits) / 8;
	if (!rc)
		rc = read_table(q, q->rt_offset, q->rt_size, &q->rt, err);
	if (rc)
		return rc;
	/* What is only read, perhaps to save it, fails where the bad entry is used. */
	return q->blk.read_only ? 0 : check_entries(q, err);
}

int mhi_q2_write_features(struct mhi_q2 *q)
{
	u8 bits[24];

	q2_put64(bits, q->incompatible);
	q2_put64(bits + 8, q->compatible);
	q2_put64(bits + 16, q->autoclear);
	return mhi_blk_write(q->file, Q2_H_INCOMPATIBLE, bits, sizeof(bits));
}

int mhi_q2_damaged(struct mhi_q2 *q, const char *fmt, ...)
{
	va_list args;

	if (q->fault[0])
		return MH_EFORMAT;
	va_start(args, fmt);
	vsnprintf(q->fault, sizeof(q->fault), fmt, args);
	va_end(args);
	if (q->blk.read_only || q->check_only)
		return MH_EFORMAT;
	q->failed = MH_EFORMAT;
	if (q->version >= 3) {
		q->incompatible |= Q2_INCOMPAT_CORRUPT;
		/*
		 * The image is given up; if the mark fails too, the fault is all that can be told.
		 */
		mhi_q2_write_features(q);
		q->file->ops->flush(q->file);
	}
	return MH_EFORMAT;
}

/* Without the autoclear bit the bitmap directory is nobody's: a repair frees its clusters. */
static void give_up_bitmaps(struct mhi_q2 *q)
{
	u64 first = q->bitmaps_offset >> q->cluster_bits, i;

	for (i = 0; i < q2_clusters(q, q->bitmaps_bytes); i++)
		mhi_q2_meta_remove(q, first + i);
}

int mhi_q2_begin_change(struct mhi_q2 *q)
{
	u64 autoclear = q->autoclear, incompatible = q->incompatible;
	int rc;

	if (q->failed || q->marked)
		return q->failed;
	if (q->version >= 3) {
		/* We keep no bitmaps, nor what later versions may have added. */
		q->autoclear = 0;
		q->incompatible |= Q2_INCOMPAT_DIRTY;
		rc = mhi_q2_write_features(q);
		if (!rc)
			rc = q->file->ops->flush(q->file);
		if (rc) {
			q->autoclear = autoclear;
			q->incompatible = incompatible;
			return rc;
		}
		if (autoclear & Q2_AUTOCLEAR_BITMAPS)
			give_up_bitmaps(q);
	}
	q->marked = true;
	return 0;
}
