/* SPDX-License-Identifier: MIT */
/* Making the disk of an image larger. */
#include "virtio/qcow2_int.h"

#include <stdlib.h>

#include "base/atomic.h"

static int write_l1(struct mhi_q2 *q, u64 offset, const u64 *l1, u64 clusters)
{
	u64 entries = (clusters << q->cluster_bits) / 8, i, *copy = calloc(entries, 8);
	int rc;

	if (!copy)
		return MH_ENOMEM;
	for (i = 0; i < q->l1_size; i++)
		copy[i] = htobe64(l1[i]);
	rc = mhi_blk_write(q->file, offset, copy, entries * 8);
	free(copy);
	return rc;
}

/* The new table first, flush, then the header, in one write within a sector. */
static int switch_l1(struct mhi_q2 *q, u64 offset, u64 clusters, u32 entries)
{
	u8 place[12];
	int rc;

	rc = write_l1(q, offset, q->l1, clusters);
	if (!rc)
		rc = mhi_q2_write_refs(q);
	if (!rc)
		rc = q->file->ops->flush(q->file);
	if (rc)
		return rc;
	q2_put32(place, entries);
	q2_put64(place + 4, offset);
	rc = mhi_blk_write(q->file, Q2_H_L1_SIZE, place, sizeof(place));
	if (!rc)
		rc = q->file->ops->flush(q->file);
	/* The header may name either table. */
	return rc ? q2_give_up(q, rc) : 0;
}

static int own_l1(struct mhi_q2 *q, u64 first, u64 clusters)
{
	enum q2_meta other;
	u64 i;
	int rc = 0;

	for (i = 0; i < clusters && !rc; i++)
		rc = mhi_q2_meta_add(q, first + i, Q2_META_L1, &other);
	return rc;
}

/* Under lock, with nothing changed and not committed. */
static int grow_l1(struct mhi_q2 *q, u32 entries)
{
	u64 clusters = q2_clusters(q, entries * 8ull), first, *l1;
	u64 old = q->l1_offset >> q->cluster_bits, old_clusters = q2_clusters(q, q->l1_size * 8ull);
	int rc;

	l1 = calloc(entries, 8);
	if (!l1)
		return MH_ENOMEM;
	rc = mhi_q2_alloc_row(q, clusters, &first);
	if (rc) {
		free(l1);
		return rc;
	}
	mhi_q2_first_use(q, first, clusters);
	rc = own_l1(q, first, clusters);
	if (!rc)
		rc = switch_l1(q, first << q->cluster_bits, clusters, entries);
	if (rc) {
		free(l1);
		if (!q->failed)
			mhi_q2_drop(q, first, clusters);
		return rc;
	}
	memcpy(l1, q->l1, q->l1_size * 8ull);
	free(q->l1);
	q->l1 = l1;
	q->l1_size = entries;
	q->l1_offset = first << q->cluster_bits;
	return old_clusters ? mhi_q2_drop_later(q, old, old_clusters, false) : 0;
}

static int write_size(struct mhi_q2 *q, u64 bytes)
{
	u8 field[8];
	int rc;

	q2_put64(field, bytes);
	rc = mhi_blk_write(q->file, Q2_H_SIZE, field, sizeof(field));
	return rc ? rc : mhi_q2_flush(&q->blk);
}

/* What a larger backing file, or the end of the last cluster, holds must not come to light. */
static int hide_old(struct mhi_q2 *q, u64 old, u64 bytes)
{
	u64 end = q2_round_up(q, old);

	if (q->blk.backing && q->blk.backing->size > end)
		end = q->blk.backing->size;
	if (end > bytes)
		end = bytes;
	return end > old ? mhi_q2_write_zeroes(&q->blk, old, end - old, 0) : 0;
}

static int refuse(struct mhi_q2 *q, u64 bytes, u64 entries, struct mhi_err *err)
{
	if (bytes % MHI_BLK_SECTOR)
		return mhi_err_set(err, MH_EINVAL,
				   "resize: %llu bytes are no whole sectors; round it", bytes);
	if (bytes < q->blk.size)
		return mhi_err_set(err, MH_ENOTSUP,
				   "resize: from %llu to %llu bytes: a qcow2 image cannot be made "
				   "smaller; convert it to a new one",
				   q->blk.size, bytes);
	if (q->version < 3 && q->snapshots)
		return mhi_err_set(err, MH_ENOTSUP,
				   "resize: a version 2 image with snapshots keeps its size; "
				   "convert it to a new one");
	if (bytes > Q2_SIZE_MOST || entries * 8 > Q2_L1_BYTES_MOST)
		return mhi_err_set(err, MH_ERANGE,
				   "resize: %llu bytes are too many for clusters of %llu bytes; "
				   "convert it to one with larger clusters",
				   bytes, q->cluster);
	return 0;
}

int mhi_q2_resize(struct mhi_blk *b, u64 bytes, struct mhi_err *err)
{
	struct mhi_q2 *q = q2_of(b);
	u64 per_l2 = q->cluster << (q->cluster_bits - 3), old = b->size;
	u64 entries = bytes / per_l2 + (bytes % per_l2 != 0);
	int rc;

	rc = refuse(q, bytes, entries, err);
	if (rc || bytes == old)
		return rc;
	pthread_mutex_lock(&q->lock);
	rc = mhi_q2_begin_change(q);
	if (!rc)
		rc = mhi_q2_commit(q, true);
	/* A table on its way to the file at its old place: wait for that. */
	while (!rc && (q->committing || q->dirty_l1_count))
		rc = mhi_q2_commit(q, true);
	if (!rc && entries > q->l1_size)
		rc = grow_l1(q, (u32)entries);
	pthread_mutex_unlock(&q->lock);
	if (!rc)
		rc = hide_old(q, old, bytes);
	if (!rc)
		rc = mhi_q2_flush(b);
	if (!rc)
		rc = write_size(q, bytes);
	if (rc)
		return mhi_err_set(err, rc,
				   "resize to %llu bytes: %s; free space there, and try again",
				   bytes, mh_strerror(rc));
	mhi_store64(&b->size, bytes);
	return 0;
}
