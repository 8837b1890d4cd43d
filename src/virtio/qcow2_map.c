/* SPDX-License-Identifier: MIT */
/* From guest offsets to what the image stores for them: L1 and L2 tables. */
#include "virtio/qcow2_int.h"

#include <stdlib.h>

#include "base/atomic.h"

static u64 file_end(const struct mhi_q2 *q)
{
	/* Paired with the store of the raw node: other threads make the file longer. */
	return q2_round_up(q, mhi_load64(&q->file->size));
}

enum q2_kind mhi_q2_kind(const struct mhi_q2 *q, u64 entry)
{
	if (entry & Q2_COMPRESSED)
		return Q2_PACKED;
	if (entry & Q2_ZERO && q->version >= 3)
		return entry & Q2_OFFSET_MASK ? Q2_ZERO_ALLOCATED : Q2_ZERO_PLAIN;
	return entry & Q2_OFFSET_MASK ? Q2_NORMAL : Q2_UNALLOCATED;
}

/* "Compressed Clusters Descriptor": offset in the low bits, sectors above. */
static void packed_place(const struct mhi_q2 *q, u64 entry, u64 *offset, u64 *bytes)
{
	u32 shift = 62 - (q->cluster_bits - 8);
	u64 sectors = ((entry >> shift) & ((1ull << (q->cluster_bits - 8)) - 1)) + 1;

	*offset = entry & ((1ull << shift) - 1);
	*bytes = sectors * 512 - (*offset & 511);
}

void mhi_q2_entry_clusters(const struct mhi_q2 *q, u64 entry, u64 *first, u64 *count)
{
	u64 offset = entry & Q2_OFFSET_MASK, bytes = q->cluster;

	*first = *count = 0;
	if (entry & Q2_COMPRESSED)
		packed_place(q, entry, &offset, &bytes);
	else if (!offset)
		return;
	*first = offset >> q->cluster_bits;
	*count = ((offset + bytes - 1) >> q->cluster_bits) - *first + 1;
}

int mhi_q2_entry_check(struct mhi_q2 *q, u64 entry, u64 guest)
{
	u64 reserved = Q2_L2_RESERVED | (q->version < 3 ? Q2_ZERO : 0), offset, bytes;

	if (entry & Q2_COMPRESSED) {
		packed_place(q, entry, &offset, &bytes);
		/* The last sector may be counted but not be there. */
		if (offset < file_end(q) && !(entry & Q2_COPIED))
			return 0;
	} else {
		offset = entry & Q2_OFFSET_MASK;
		if (!offset && !(entry & reserved))
			return 0;
		if (!(entry & reserved) && !(offset & (q->cluster - 1)) &&
		    mhi_range_within(offset, q->cluster, file_end(q)))
			return 0;
	}
	return mhi_q2_damaged(q, "L2 entry 0x%llx of guest cluster %llu is no cluster of the file",
			      entry, guest);
}

u32 mhi_q2_l2_index(const struct mhi_q2 *q, u64 guest)
{
	return (u32)(guest & (q->cache.page_bytes / 8 - 1));
}

u64 mhi_q2_l2_left(const struct mhi_q2 *q, u64 guest)
{
	return q->cache.page_bytes / 8 - mhi_q2_l2_index(q, guest);
}

static u64 page_offset(const struct mhi_q2 *q, u64 table, u64 guest)
{
	u64 in_table = guest & ((1ull << (q->cluster_bits - 3)) - 1);

	return table + (in_table * 8 & ~(u64)(q->cache.page_bytes - 1));
}

/* The L2 table of a guest cluster; 0: none. */
static int l2_table(struct mhi_q2 *q, u64 guest, u64 *table)
{
	u64 index = guest >> (q->cluster_bits - 3);

	if (index >= q->l1_size)
		return mhi_q2_damaged(q, "guest cluster %llu is beyond the L1 table", guest);
	*table = q->l1[index] & Q2_OFFSET_MASK;
	if (!*table)
		return 0;
	if ((q->l1[index] & Q2_L1_RESERVED) || (*table & (q->cluster - 1)) ||
	    !mhi_range_within(*table, q->cluster, file_end(q)))
		return mhi_q2_damaged(q, "L1 entry %llu is 0x%llx: not a cluster of the file",
				      index, q->l1[index]);
	return 0;
}

/* How many entries from index on, at most `most`, continue the first one's run. */
static u64 run_of(struct mhi_q2 *q, const struct q2_page *page, u32 index, u64 most,
		  enum q2_kind kind)
{
	u64 first = q2_entry(page, index), entry, n;

	if (kind == Q2_PACKED)
		return 1;
	for (n = 1; n < most; n++) {
		entry = q2_entry(page, index + (u32)n);
		if (mhi_q2_kind(q, entry) != kind)
			break;
		if (kind == Q2_NORMAL &&
		    (entry & Q2_OFFSET_MASK) != (first & Q2_OFFSET_MASK) + (n << q->cluster_bits))
			break;
		if (kind != Q2_UNALLOCATED && mhi_q2_entry_check(q, entry, 0))
			break;
	}
	return n;
}

int mhi_q2_map(struct mhi_q2 *q, u64 offset, u64 bytes, bool wait, struct q2_extent *out)
{
	u64 guest = offset >> q->cluster_bits, skip = offset & (q->cluster - 1), table, n;
	u64 per_l2 = q->cluster << (q->cluster_bits - 3);
	struct q2_page *page;
	u32 index = mhi_q2_l2_index(q, guest);
	int rc;

	rc = l2_table(q, guest, &table);
	if (rc)
		return rc;
	memset(out, 0, sizeof(*out));
	out->length = per_l2 - (offset & (per_l2 - 1));
	if (table) {
		page = mhi_q2_page_cached(q, page_offset(q, table, guest));
		if (!page && !wait)
			return MHI_BLK_WAIT;
		if (!page || page->kind != Q2_PAGE_L2)
			rc = mhi_q2_page(q, page_offset(q, table, guest), Q2_PAGE_L2, &page);
		if (rc)
			return rc;
		out->entry = q2_entry(page, index);
		rc = mhi_q2_entry_check(q, out->entry, guest);
		if (rc)
			return rc;
		out->kind = mhi_q2_kind(q, out->entry);
		out->host = (out->entry & Q2_OFFSET_MASK) + skip;
		n = q2_clusters(q, skip + bytes);
		if (n > mhi_q2_l2_left(q, guest))
			n = mhi_q2_l2_left(q, guest);
		out->length = (run_of(q, page, index, n, out->kind) << q->cluster_bits) - skip;
	}
	if (out->length > bytes)
		out->length = bytes;
	return 0;
}

/* ---- for writing ---- */

static int write_new_table(struct mhi_q2 *q, u64 cluster, u64 copy_of)
{
	u8 *table = calloc(1, q->cluster);
	u64 offset = cluster << q->cluster_bits;
	int rc = 0;

	if (!table)
		return MH_ENOMEM;
	if (copy_of)
		rc = mhi_blk_read(q->file, copy_of, table, q->cluster);
	mhi_q2_cache_forget(q, offset, q->cluster);
	if (!rc)
		rc = mhi_blk_write(q->file, offset, table, q->cluster);
	free(table);
	return rc;
}

/* A table of our own, empty or the copy of one that a snapshot shares. */
static int new_table(struct mhi_q2 *q, u64 index, u64 old)
{
	enum q2_meta other;
	u64 cluster, got;
	int rc;

	rc = mhi_q2_alloc(q, 1, &cluster, &got);
	if (rc)
		return rc;
	mhi_q2_first_use(q, cluster, 1);
	rc = write_new_table(q, cluster, old);
	if (!rc)
		rc = mhi_q2_meta_add(q, cluster, Q2_META_L2, &other);
	if (!rc && old)
		rc = mhi_q2_drop_later(q, old >> q->cluster_bits, 1, false);
	if (rc) {
		mhi_q2_drop(q, cluster, 1);
		return rc;
	}
	q->l1[index] = cluster << q->cluster_bits | Q2_COPIED;
	mhi_q2_l1_dirty(q, (u32)index);
	return 0;
}

int mhi_q2_l2_for_write(struct mhi_q2 *q, u64 guest, struct q2_page **page, u32 *index)
{
	u64 l1_index = guest >> (q->cluster_bits - 3), table;
	int rc;

	rc = l2_table(q, guest, &table);
	if (rc)
		return rc;
	if (!table || !(q->l1[l1_index] & Q2_COPIED)) {
		rc = new_table(q, l1_index, table);
		if (rc)
			return rc;
		table = q->l1[l1_index] & Q2_OFFSET_MASK;
	}
	*index = mhi_q2_l2_index(q, guest);
	return mhi_q2_page(q, page_offset(q, table, guest), Q2_PAGE_L2, page);
}
