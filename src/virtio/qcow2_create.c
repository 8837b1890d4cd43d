/* SPDX-License-Identifier: MIT */
/* New, empty qcow2 images. */
#include "virtio/qcow2_int.h"

#include <stdlib.h>

#define DEFAULT_CLUSTER 65536u
#define DEFAULT_REFCOUNT_BITS 16u

/* Where things are in the new file, in clusters. The header is cluster 0. */
struct layout {
	u32 cluster_bits, order, version;
	u64 l1_entries, l1_clusters;
	u64 blocks, table; /* refcounts */
	u64 total;
};

static u32 log2_of(u64 value)
{
	return (u32)__builtin_ctzll(value);
}

static bool power_of_two(u64 value)
{
	return value && !(value & (value - 1));
}

static int check(const struct mhi_qcow2_create *o, struct layout *l, struct mhi_err *err)
{
	u32 cluster = o->cluster_bytes ? o->cluster_bytes : DEFAULT_CLUSTER;
	u32 bits = o->refcount_bits ? o->refcount_bits : DEFAULT_REFCOUNT_BITS;

	l->version = o->version ? o->version : 3;
	if (l->version != 2 && l->version != 3)
		return mhi_err_set(err, MH_EINVAL, "version %u is neither 2 nor 3; choose one",
				   l->version);
	if (!power_of_two(cluster) || cluster < (1u << Q2_CLUSTER_BITS_LEAST) ||
	    cluster > (1u << Q2_CLUSTER_BITS_MOST))
		return mhi_err_set(err, MH_EINVAL,
				   "clusters of %u bytes; choose a power of two from 512 to 2M",
				   cluster);
	if (!power_of_two(bits) || bits > 64 || (l->version == 2 && bits != 16))
		return mhi_err_set(err, MH_EINVAL,
				   "refcounts of %u bits; choose a power of two up to 64, and "
				   "16 in version 2",
				   bits);
	if (o->size % MHI_BLK_SECTOR)
		return mhi_err_set(err, MH_EINVAL, "%llu bytes are no whole sectors; round it",
				   o->size);
	if (o->backing_name && strlen(o->backing_name) > Q2_BACKING_NAME_MOST)
		return mhi_err_set(err, MH_EINVAL,
				   "the backing file's name is too long; shorten it");
	if (o->backing_name && !o->backing_format)
		return mhi_err_set(err, MH_EINVAL, "the backing file's format is missing; name it");
	l->cluster_bits = log2_of(cluster);
	l->order = log2_of(bits);
	return 0;
}

static int lay_out(const struct mhi_qcow2_create *o, struct layout *l, struct mhi_err *err)
{
	u64 cluster = 1ull << l->cluster_bits, per_l2 = cluster << (l->cluster_bits - 3);
	u64 per_block = 1ull << (l->cluster_bits + 3 - l->order), before;

	l->l1_entries = o->size / per_l2 + (o->size % per_l2 != 0);
	if (o->size > Q2_SIZE_MOST || l->l1_entries * 8 > Q2_L1_BYTES_MOST)
		return mhi_err_set(err, MH_EINVAL,
				   "%llu bytes are too many for clusters of %llu bytes; take "
				   "larger ones",
				   o->size, cluster);
	l->l1_clusters = (l->l1_entries * 8 + cluster - 1) >> l->cluster_bits;
	if (!l->l1_clusters)
		l->l1_clusters = 1;
	/* Counts for all this, which take clusters themselves. */
	l->blocks = l->table = 1;
	do {
		before = l->blocks + l->table;
		l->total = 1 + l->l1_clusters + l->blocks + l->table;
		l->blocks = (l->total + per_block - 1) / per_block;
		l->table = (l->blocks * 8 + cluster - 1) >> l->cluster_bits;
	} while (l->blocks + l->table != before);
	l->total = 1 + l->l1_clusters + l->blocks + l->table;
	return 0;
}

static u64 put_extension(u8 *header, u64 at, u32 type, const char *text)
{
	u64 bytes = strlen(text);

	q2_put32(header + at, type);
	q2_put32(header + at + 4, (u32)bytes);
	memcpy(header + at + 8, text, bytes);
	return at + 8 + ((bytes + 7) & ~7ull);
}

static int fill_header(const struct mhi_qcow2_create *o, const struct layout *l, u8 *h,
		       struct mhi_err *err)
{
	u64 at = l->version == 2 ? Q2_H_V2_BYTES : Q2_H_BYTES;

	q2_put32(h + Q2_H_MAGIC, Q2_MAGIC);
	q2_put32(h + Q2_H_VERSION, l->version);
	q2_put32(h + Q2_H_CLUSTER_BITS, l->cluster_bits);
	q2_put64(h + Q2_H_SIZE, o->size);
	q2_put32(h + Q2_H_L1_SIZE, (u32)l->l1_entries);
	q2_put64(h + Q2_H_RT_OFFSET, 1ull << l->cluster_bits);
	q2_put32(h + Q2_H_RT_CLUSTERS, (u32)l->table);
	q2_put64(h + Q2_H_L1_OFFSET, (1 + l->table + l->blocks) << l->cluster_bits);
	if (l->version >= 3) {
		q2_put32(h + Q2_H_REFCOUNT_ORDER, l->order);
		q2_put32(h + Q2_H_LENGTH, Q2_H_BYTES);
	}
	if (!o->backing_name)
		return 0;
	if (at + strlen(o->backing_format) + strlen(o->backing_name) + 32 > 1ull << l->cluster_bits)
		return mhi_err_set(
			err, MH_EINVAL,
			"the backing file's name does not fit into a cluster; take larger ones");
	at = put_extension(h, at, Q2_EXT_BACKING_FORMAT, o->backing_format) + 8;
	q2_put64(h + Q2_H_BACKING_OFFSET, at);
	q2_put32(h + Q2_H_BACKING_SIZE, (u32)strlen(o->backing_name));
	memcpy(h + at, o->backing_name, strlen(o->backing_name));
	return 0;
}

static int write_refcounts(struct mhi_blk *file, const struct layout *l)
{
	u64 cluster = 1ull << l->cluster_bits, per_block = 1ull << (l->cluster_bits + 3 - l->order);
	u8 *block = calloc(1, cluster), *table = calloc(l->table, cluster);
	u64 i, n;
	int rc = block && table ? 0 : MH_ENOMEM;

	for (i = 0; i < l->blocks && !rc; i++) {
		memset(block, 0, cluster);
		for (n = 0; n < per_block && i * per_block + n < l->total; n++)
			mhi_q2_ref_put(block, l->order, n, 1);
		q2_put64(table + 8 * i, (1 + l->table + i) << l->cluster_bits);
		rc = mhi_blk_write(file, (1 + l->table + i) << l->cluster_bits, block, cluster);
	}
	if (!rc)
		rc = mhi_blk_write(file, cluster, table, l->table << l->cluster_bits);
	free(block);
	free(table);
	return rc;
}

int mhi_qcow2_create(struct mhi_blk *file, const struct mhi_qcow2_create *options,
		     struct mhi_err *err)
{
	struct layout l = { 0 };
	u8 *header;
	int rc;

	rc = check(options, &l, err);
	if (!rc)
		rc = lay_out(options, &l, err);
	if (rc)
		return rc;
	header = calloc(1, 1ull << l.cluster_bits);
	if (!header)
		return mhi_err_set(err, MH_ENOMEM, MHI_NO_MEMORY);
	rc = fill_header(options, &l, header, err);
	if (rc)
		goto out;
	rc = write_refcounts(file, &l);
	if (!rc)
		rc = mhi_blk_write_zero_bytes(file, (1 + l.table + l.blocks) << l.cluster_bits,
					      l.l1_clusters << l.cluster_bits);
	if (!rc)
		rc = file->ops->flush(file);
	/* The header comes last: without it, it is no image. */
	if (!rc)
		rc = mhi_blk_write(file, 0, header, 1ull << l.cluster_bits);
	if (!rc)
		rc = file->ops->flush(file);
	if (rc)
		mhi_err_set(err, rc,
			    "cannot write the image: %s; free space there, or choose another place",
			    mh_strerror(rc));
out:
	free(header);
	return rc;
}
