/* SPDX-License-Identifier: MIT */
/* Write zeroes and discard: whole clusters by their L2 entries, the rest by bytes. */
#include "virtio/qcow2_int.h"

enum zero_mode { MODE_DISCARD, MODE_ZERO, MODE_ZERO_UNMAP };

/*
 * The entry that an entry becomes. Discard may keep the old content where zeroes cannot be said;
 * zeroing may not: MH_ENOTSUP.
 */
static int changed(const struct mhi_q2 *q, u64 entry, enum zero_mode mode, u64 *out)
{
	enum q2_kind kind = mhi_q2_kind(q, entry);
	bool backed = q->blk.backing || q->backing_name;

	*out = entry;
	if (kind == Q2_ZERO_PLAIN || (kind == Q2_UNALLOCATED && (!backed || mode == MODE_DISCARD)))
		return 0;
	if (kind == Q2_ZERO_ALLOCATED && mode == MODE_ZERO)
		return 0;
	if (kind == Q2_NORMAL && (entry & Q2_COPIED) && mode == MODE_ZERO && q->version >= 3) {
		*out = entry | Q2_ZERO;
		return 0;
	}
	if (!backed) {
		*out = 0;
		return 0;
	}
	if (q->version >= 3) {
		*out = Q2_ZERO;
		return 0;
	}
	return mode == MODE_DISCARD ? 0 : MH_ENOTSUP;
}

static int change_page(struct mhi_q2 *q, u64 guest, u64 count, enum zero_mode mode)
{
	u64 i, entry, next, first, clusters;
	struct q2_page *page;
	u32 index;
	int rc;

	rc = mhi_q2_l2_for_write(q, guest, &page, &index);
	for (i = 0; i < count && !rc; i++) {
		entry = q2_entry(page, index + (u32)i);
		rc = mhi_q2_entry_check(q, entry, guest + i);
		if (!rc)
			rc = changed(q, entry, mode, &next);
		if (rc || next == entry)
			continue;
		mhi_q2_entry_clusters(q, entry, &first, &clusters);
		if (clusters && !(next & Q2_OFFSET_MASK))
			rc = mhi_q2_drop_later(q, first, clusters, true);
		if (rc)
			break;
		q2_put64(page->data + 8ull * (index + i), next);
		mhi_q2_page_dirty(q, page);
	}
	return rc;
}

/* Clusters without a table that read as zeroes anyway need none: how many from guest on? */
static u64 absent(const struct mhi_q2 *q, u64 guest, enum zero_mode mode)
{
	u64 per_table = 1ull << (q->cluster_bits - 3), index = guest >> (q->cluster_bits - 3);

	if (index >= q->l1_size || (q->l1[index] & Q2_OFFSET_MASK))
		return 0;
	if (mode != MODE_DISCARD && (q->blk.backing || q->backing_name))
		return 0;
	return per_table - (guest & (per_table - 1));
}

static int change_clusters(struct mhi_q2 *q, u64 guest, u64 count, enum zero_mode mode)
{
	u64 n;
	int rc = 0;

	pthread_mutex_lock(&q->lock);
	for (; count && !rc; guest += n, count -= n) {
		n = absent(q, guest, mode);
		if (n) {
			n = n < count ? n : count;
			/* A writer may be about to link a new table's first cluster. */
			mhi_q2_wait_allocs(q, guest, n);
			if (absent(q, guest, mode))
				continue;
		}
		n = mhi_q2_l2_left(q, guest);
		n = n < count ? n : count;
		do {
			rc = mhi_q2_make_room(q);
			if (!rc)
				rc = mhi_q2_begin_change(q);
		} while (!rc && mhi_q2_wait_allocs(q, guest, n));
		if (!rc)
			rc = change_page(q, guest, n, mode);
	}
	pthread_mutex_unlock(&q->lock);
	return rc;
}

/* Parts of one or two clusters: nothing to do where zeroes are read already. */
static int zero_part(struct mhi_blk *b, u64 offset, u64 bytes)
{
	struct mhi_q2 *q = q2_of(b);
	struct q2_extent e;
	bool zero;
	int rc;

	if (!bytes)
		return 0;
	pthread_mutex_lock(&q->lock);
	mhi_q2_wait_allocs(q, offset >> q->cluster_bits, 2);
	rc = mhi_q2_map(q, offset, bytes, true, &e);
	pthread_mutex_unlock(&q->lock);
	if (rc)
		return rc;
	zero = e.kind == Q2_ZERO_PLAIN || e.kind == Q2_ZERO_ALLOCATED ||
	       (e.kind == Q2_UNALLOCATED && !b->backing);
	return zero && e.length == bytes ? 0 : mhi_blk_write_zero_bytes(b, offset, bytes);
}

/* The whole clusters of a range; the disk's last one may be short. */
static void whole_clusters(const struct mhi_q2 *q, u64 offset, u64 bytes, u64 *first, u64 *end)
{
	u64 mask = q->cluster - 1;

	*first = (offset + mask) >> q->cluster_bits;
	*end = (offset + bytes) >> q->cluster_bits;
	if (offset + bytes >= q->blk.size)
		*end = (offset + bytes + mask) >> q->cluster_bits;
}

int mhi_q2_write_zeroes(struct mhi_blk *b, u64 offset, u64 bytes, u32 flags)
{
	struct mhi_q2 *q = q2_of(b);
	enum zero_mode mode = flags & MHI_BLK_UNMAP ? MODE_ZERO_UNMAP : MODE_ZERO;
	u64 first, end, start, stop;
	int rc;

	whole_clusters(q, offset, bytes, &first, &end);
	if (first >= end)
		return zero_part(b, offset, bytes);
	start = first << q->cluster_bits;
	stop = end << q->cluster_bits;
	if (stop > offset + bytes)
		stop = offset + bytes;
	rc = change_clusters(q, first, end - first, mode);
	if (rc == MH_ENOTSUP)
		rc = mhi_blk_write_zero_bytes(b, start, stop - start);
	if (!rc)
		rc = zero_part(b, offset, start - offset);
	return rc ? rc : zero_part(b, stop, offset + bytes - stop);
}

int mhi_q2_discard(struct mhi_blk *b, u64 offset, u64 bytes)
{
	struct mhi_q2 *q = q2_of(b);
	u64 first, end;

	whole_clusters(q, offset, bytes, &first, &end);
	return first < end ? change_clusters(q, first, end - first, MODE_DISCARD) : 0;
}
