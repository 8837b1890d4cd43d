/* SPDX-License-Identifier: MIT */
/* New refcount blocks, and a larger refcount table when it is full. */
#include "virtio/qcow2_int.h"

#include <stdlib.h>

/* New tables have this many entries more than needed, in parts of the size: growing is dear. */
#define SPARE_PART 4

/*
 * A cluster of counts on the disk: `ones` of them are 1, from index on. It is new, so nothing is in
 * the cache.
 */
static int write_block(struct mhi_q2 *q, u64 cluster, u64 index, u64 ones)
{
	u8 *block = calloc(1, q->cluster);
	u64 i;
	int rc;

	if (!block)
		return MH_ENOMEM;
	for (i = 0; i < ones; i++)
		mhi_q2_ref_put(block, q->refcount_order, index + i, 1);
	mhi_q2_cache_forget(q, cluster << q->cluster_bits, q->cluster);
	rc = mhi_blk_write(q->file, cluster << q->cluster_bits, block, q->cluster);
	free(block);
	return rc;
}

/* Nothing refers to these clusters, nor counts them. */
static void disown(struct mhi_q2 *q, u64 first, u64 count)
{
	u64 i;

	for (i = 0; i < count; i++)
		mhi_q2_meta_remove(q, first + i);
}

/* New blocks and the clusters of a table behind them: all or none. */
static int own(struct mhi_q2 *q, u64 first, u64 blocks, u64 table)
{
	enum q2_meta other;
	u64 i;
	int rc;

	for (i = 0; i < blocks + table; i++) {
		rc = mhi_q2_meta_add(q, first + i, i < blocks ? Q2_META_REFBLOCK : Q2_META_REFTABLE,
				     &other);
		if (!rc)
			continue;
		disown(q, first, i);
		if (rc == MH_EEXIST)
			return mhi_q2_damaged(q, "cluster 0x%llx has no refcount but is %s",
					      (first + i) << q->cluster_bits,
					      mhi_q2_meta_name(other));
		return rc;
	}
	/* Whatever becomes of them, they are no longer known to be zeroes. */
	mhi_q2_first_use(q, first, blocks + table);
	return 0;
}

/* The tables' sizes for `blocks` old blocks: how many new blocks and clusters of table. */
static void plan(const struct mhi_q2 *q, u64 *blocks, u64 *table)
{
	u64 per_table = q->cluster / 8, per_block = 1ull << q->rb_bits;
	u64 entries;

	/* The new blocks count themselves and the table; a few rounds find the fixed point. */
	*blocks = 1;
	for (;;) {
		entries = q->rt_size + *blocks;
		entries += entries / SPARE_PART;
		*table = (entries + per_table - 1) / per_table;
		if (*blocks * per_block >= *blocks + *table)
			return;
		*blocks = (*blocks + *table + per_block - 1) / per_block;
	}
}

static int write_table(struct mhi_q2 *q, u64 first, const u64 *rt, u64 entries)
{
	u64 *copy = malloc(entries * 8), i;
	int rc;

	if (!copy)
		return MH_ENOMEM;
	for (i = 0; i < entries; i++)
		copy[i] = htobe64(rt[i]);
	rc = mhi_blk_write(q->file, first << q->cluster_bits, copy, entries * 8);
	free(copy);
	return rc;
}

/* A row of new blocks that count themselves and, if there is one, the table behind them. */
static int write_blocks(struct mhi_q2 *q, u64 first, u64 blocks, u64 table)
{
	u64 per_block = 1ull << q->rb_bits, used = blocks + table, i, ones;
	int rc = 0;

	for (i = 0; i < blocks && !rc; i++) {
		ones = used > i * per_block ? used - i * per_block : 0;
		rc = write_block(q, first + i, 0, ones < per_block ? ones : per_block);
	}
	return rc;
}

/* The new blocks and table are written: flush, then the header, in one write within a sector. */
static int switch_table(struct mhi_q2 *q, u64 offset, u64 clusters)
{
	u8 place[12];
	int rc = q->file->ops->flush(q->file);

	q2_put64(place, offset);
	q2_put32(place + 8, (u32)clusters);
	if (!rc)
		rc = mhi_blk_write(q->file, Q2_H_RT_OFFSET, place, sizeof(place));
	return rc ? rc : q->file->ops->flush(q->file);
}

/*
 * A larger table, at the first cluster that the old one cannot count: nothing is counted there, so
 * it is free.
 */
static int grow_table(struct mhi_q2 *q)
{
	u64 first = q->rt_size << q->rb_bits, blocks, table, i, *rt;
	u64 old = q->rt_offset >> q->cluster_bits, old_clusters = q->rt_clusters;
	int rc;

	plan(q, &blocks, &table);
	if ((table << q->cluster_bits) > Q2_RT_BYTES_MOST)
		return MH_ENOSPC;
	rt = calloc(table * (q->cluster / 8), 8);
	if (!rt)
		return MH_ENOMEM;
	memcpy(rt, q->rt, q->rt_size * 8);
	for (i = 0; i < blocks; i++)
		rt[q->rt_size + i] = (first + i) << q->cluster_bits;
	rc = own(q, first, blocks, table);
	if (rc)
		goto fail;
	rc = write_blocks(q, first, blocks, table);
	if (!rc)
		rc = write_table(q, first + blocks, rt, table * (q->cluster / 8));
	if (rc) {
		disown(q, first, blocks + table);
		goto fail;
	}
	rc = switch_table(q, (first + blocks) << q->cluster_bits, table);
	if (rc) {
		/* The header may name either table: neither may be changed any more. */
		q2_give_up(q, rc);
		goto fail;
	}
	free(q->rt);
	q->rt = rt;
	q->rt_size = table * (q->cluster / 8);
	q->rt_offset = (first + blocks) << q->cluster_bits;
	q->rt_clusters = (u32)table;
	return mhi_q2_drop_later(q, old, old_clusters, false);

fail:
	free(rt);
	return rc;
}

int mhi_q2_add_refblock(struct mhi_q2 *q, u64 cluster)
{
	u64 block = cluster >> q->rb_bits, index = cluster & ((1ull << q->rb_bits) - 1);
	u8 entry[8];
	int rc;

	while (block >= q->rt_size) {
		rc = grow_table(q);
		if (rc)
			return rc;
		if (q->rt[block])
			return 0;
	}
	rc = own(q, cluster, 1, 0);
	if (rc)
		return rc;
	rc = write_block(q, cluster, index, 1);
	if (rc) {
		disown(q, cluster, 1);
		return rc;
	}
	rc = q->file->ops->flush(q->file);
	q2_put64(entry, cluster << q->cluster_bits);
	if (!rc)
		rc = mhi_blk_write(q->file, q->rt_offset + 8 * block, entry, sizeof(entry));
	if (rc)
		return q2_give_up(q, rc); /* the entry may have reached the disk or not */
	q->rt[block] = cluster << q->cluster_bits;
	return 0;
}

/*
 * Block i of a row of blocks is counted by block i / per_block of the same row: such a block's
 * entry is on the disk before the entries of those that it counts.
 */
static int write_entries(struct mhi_q2 *q, u64 block, u64 first, u64 blocks)
{
	u64 per_block = 1ull << q->rb_bits, i;
	u8 entry[8];
	int rc = 0;

	for (i = 0; i < blocks && !rc; i++) {
		q2_put64(entry, (first + i) << q->cluster_bits);
		rc = mhi_blk_write(q->file, q->rt_offset + 8 * (block + i), entry, sizeof(entry));
		if (!rc && i <= blocks / per_block)
			rc = q->file->ops->flush(q->file);
	}
	return rc;
}

static u64 blocks_in_use(const struct mhi_q2 *q)
{
	u64 n = q->rt_size;

	while (n && !q->rt[n - 1])
		n--;
	return n;
}

static int write_row(struct mhi_q2 *q, u64 block, u64 at, u64 blocks)
{
	int rc = own(q, at, blocks, 0);

	if (rc)
		return rc;
	rc = write_blocks(q, at, blocks, 0);
	if (rc) {
		disown(q, at, blocks);
		return rc;
	}
	rc = q->file->ops->flush(q->file);
	if (!rc)
		rc = write_entries(q, block, at, blocks);
	return rc ? q2_give_up(q, rc) : 0;
}

int mhi_q2_add_refblocks(struct mhi_q2 *q, u64 want, u64 *first)
{
	u64 per_block = 1ull << q->rb_bits, block, at, blocks = 1, i;
	int rc;

	while (blocks * per_block < blocks + want)
		blocks = (blocks + want + per_block - 1) / per_block;
	while ((block = blocks_in_use(q)) + blocks > q->rt_size) {
		rc = grow_table(q);
		if (rc)
			return rc;
	}
	at = block << q->rb_bits;
	rc = write_row(q, block, at, blocks);
	if (rc)
		return rc;
	for (i = 0; i < blocks; i++)
		q->rt[block + i] = (at + i) << q->cluster_bits;
	*first = at + blocks;
	return 0;
}
