/* SPDX-License-Identifier: MIT */
/* Reference counts of host clusters, and finding free ones. */
#include "virtio/qcow2_int.h"

#include <stdlib.h>

/* Count i of a block whose counts are 2^order bits wide. */
u64 mhi_q2_ref_in(const u8 *block, u32 order, u64 i)
{
	u32 bits = 1u << order;

	switch (order) {
	case 4:
		return q2_get16(block + 2 * i);
	case 5:
		return q2_get32(block + 4 * i);
	case 6:
		return q2_get64(block + 8 * i);
	default:
		/* Narrow counts: the first one is in a byte's lowest bits. */
		return (block[i * bits / 8] >> (i * bits % 8)) & ((1u << bits) - 1);
	}
}

void mhi_q2_ref_put(u8 *block, u32 order, u64 i, u64 count)
{
	u32 bits = 1u << order, shift = (u32)(i * bits % 8), mask;

	switch (order) {
	case 4:
		q2_put16(block + 2 * i, (u16)count);
		break;
	case 5:
		q2_put32(block + 4 * i, (u32)count);
		break;
	case 6:
		q2_put64(block + 8 * i, count);
		break;
	default:
		mask = ((1u << bits) - 1) << shift;
		block[i * bits / 8] =
			(u8)((block[i * bits / 8] & ~mask) | ((u32)count << shift & mask));
		break;
	}
}

/* The page with the cluster's count. *index is within the page. */
static int ref_page(struct mhi_q2 *q, u64 cluster, struct q2_page **page, u64 *index)
{
	u64 per_page = ((u64)q->cache.page_bytes * 8) >> q->refcount_order;
	u64 in_block = cluster & ((1ull << q->rb_bits) - 1);

	*index = in_block % per_page;
	return mhi_q2_page(q,
			   q->rt[cluster >> q->rb_bits] + in_block / per_page * q->cache.page_bytes,
			   Q2_PAGE_REF, page);
}

static bool has_block(const struct mhi_q2 *q, u64 cluster)
{
	u64 block = cluster >> q->rb_bits;

	return block < q->rt_size && q->rt[block];
}

int mhi_q2_ref_get(struct mhi_q2 *q, u64 cluster, u64 *count)
{
	struct q2_page *page;
	u64 index;
	int rc;

	*count = 0;
	if (!has_block(q, cluster))
		return 0;
	rc = ref_page(q, cluster, &page, &index);
	if (!rc)
		*count = mhi_q2_ref_in(page->data, q->refcount_order, index);
	return rc;
}

static int put_count(struct mhi_q2 *q, u64 cluster, u64 count)
{
	struct q2_page *page;
	u64 index;
	int rc;

	rc = ref_page(q, cluster, &page, &index);
	if (rc)
		return rc;
	mhi_q2_ref_put(page->data, q->refcount_order, index, count);
	mhi_q2_page_dirty(q, page);
	return 0;
}

int mhi_q2_ref_set(struct mhi_q2 *q, u64 cluster, u64 count)
{
	u32 bits = 1u << q->refcount_order;

	if (bits < 64 && count >> bits)
		return MH_ERANGE;
	if (!has_block(q, cluster))
		return count ? MH_ENOENT : 0;
	return put_count(q, cluster, count);
}

/*
 * Free clusters from *at on: where, and how many in a row up to want. Blocks are made on the way,
 * or without `grow` their absence ends the search.
 */
static int find_free(struct mhi_q2 *q, u64 *at, u64 want, u64 *got, bool grow)
{
	u64 cluster = *at, count;
	int rc;

	for (*got = 0; *got < want; cluster++) {
		if (!has_block(q, cluster)) {
			/* The new block's own cluster is in use then, which ends the row. */
			if (*got || !grow)
				return 0;
			rc = mhi_q2_add_refblock(q, cluster);
			if (rc)
				return rc;
		}
		rc = mhi_q2_ref_get(q, cluster, &count);
		if (rc)
			return rc;
		if (count && *got)
			return 0;
		if (count)
			continue;
		if (!(*got)++)
			*at = cluster;
	}
	return 0;
}

static int take(struct mhi_q2 *q, u64 first, u64 count)
{
	u64 i;
	int rc;

	for (i = 0; i < count; i++) {
		if (mhi_q2_meta_of(q, first + i) != Q2_META_NONE)
			return mhi_q2_damaged(q, "cluster 0x%llx counts as free but is %s",
					      (first + i) << q->cluster_bits,
					      mhi_q2_meta_name(mhi_q2_meta_of(q, first + i)));
		rc = put_count(q, first + i, 1);
		if (rc)
			return rc;
	}
	return 0;
}

int mhi_q2_alloc(struct mhi_q2 *q, u64 want, u64 *first, u64 *got)
{
	u64 at = q->free_hint, row;
	int rc;

	rc = find_free(q, &at, want, &row, true);
	if (!rc)
		rc = take(q, at, row);
	if (rc)
		return rc;
	/*
	 * Blocks that were made on the way are in use, so nothing free lies before the row's end.
	 */
	q->free_hint = at + row;
	*first = at;
	*got = row;
	return 0;
}

int mhi_q2_alloc_row(struct mhi_q2 *q, u64 want, u64 *first)
{
	u64 at = q->free_hint, row;
	int rc;

	for (;;) {
		rc = find_free(q, &at, want, &row, false);
		if (rc)
			return rc;
		if (row == want || !row)
			break;
		at += row;
	}
	/* New blocks among the clusters would break the row: they come before it. */
	if (!row)
		rc = mhi_q2_add_refblocks(q, want, &at);
	if (rc)
		return rc;
	*first = at;
	return take(q, at, want);
}

static int drop_one(struct mhi_q2 *q, u64 cluster)
{
	u64 count;
	int rc;

	rc = mhi_q2_ref_get(q, cluster, &count);
	if (rc)
		return rc;
	if (!count)
		return mhi_q2_damaged(q, "cluster 0x%llx is in use but its refcount is 0",
				      cluster << q->cluster_bits);
	rc = put_count(q, cluster, count - 1);
	if (rc || count > 1)
		return rc;
	mhi_q2_meta_remove(q, cluster);
	mhi_q2_cache_forget(q, cluster << q->cluster_bits, q->cluster);
	if (cluster < q->free_hint)
		q->free_hint = cluster;
	return 0;
}

int mhi_q2_drop(struct mhi_q2 *q, u64 first, u64 count)
{
	u64 i;
	int rc = 0;

	for (i = 0; i < count && !rc; i++)
		rc = drop_one(q, first + i);
	return rc;
}

bool mhi_q2_first_use(struct mhi_q2 *q, u64 first, u64 count)
{
	u64 begin = first << q->cluster_bits, end = (first + count) << q->cluster_bits;
	bool fresh = begin >= q->virgin;

	if (end > q->virgin)
		q->virgin = end;
	return fresh;
}

int mhi_q2_drop_later(struct mhi_q2 *q, u64 first, u64 count, bool punch)
{
	struct q2_pending *p = &q->pending;
	struct q2_free *last = p->count ? &p->run[p->count - 1] : NULL, *bigger;
	u32 room;

	if (last && last->host + last->count == first && last->punch == punch) {
		last->count += count;
		return 0;
	}
	if (p->count == p->room) {
		room = p->room ? 2 * p->room : 64;
		bigger = realloc(p->run, room * sizeof(*bigger));
		if (!bigger)
			return MH_ENOMEM;
		p->run = bigger;
		p->room = room;
	}
	p->run[p->count++] = (struct q2_free){ first, count, punch };
	return 0;
}
