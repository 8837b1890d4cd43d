/* SPDX-License-Identifier: MIT */
/* Which clusters of an image hold metadata: guest data must never be written there. */
#include "virtio/qcow2_int.h"

#include <stdlib.h>

#define KIND_SHIFT 56
#define KEY_MASK ((1ull << KIND_SHIFT) - 1)
/* Snapshots' tables together, in entries: what lies beyond is refused. */
#define SNAPSHOT_ENTRIES_MOST (8u << 20)
#define CHUNK_ENTRIES 512u

const char *mhi_q2_meta_name(enum q2_meta kind)
{
	static const char *const names[] = {
		[Q2_META_NONE] = "nothing",
		[Q2_META_HEADER] = "the header",
		[Q2_META_L1] = "the L1 table",
		[Q2_META_L2] = "an L2 table",
		[Q2_META_REFTABLE] = "the refcount table",
		[Q2_META_REFBLOCK] = "a refcount block",
		[Q2_META_SNAPSHOTS] = "the snapshot table",
		[Q2_META_SNAPSHOT_L1] = "a snapshot's L1 table",
		[Q2_META_BITMAPS] = "the bitmap directory",
	};

	return names[kind];
}

static u64 slot_of(const struct q2_meta_set *set, u64 key)
{
	return ((key * 0x9e3779b97f4a7c15ull) >> 20) & (set->slots - 1);
}

/* The slot of a key, or the free one where it would go. */
static u64 find(const struct q2_meta_set *set, u64 key)
{
	u64 i = slot_of(set, key);

	while (set->key[i] && (set->key[i] & KEY_MASK) != key)
		i = (i + 1) & (set->slots - 1);
	return i;
}

enum q2_meta mhi_q2_meta_of(const struct mhi_q2 *q, u64 cluster)
{
	if (!q->meta.slots)
		return Q2_META_NONE;
	return (enum q2_meta)(q->meta.key[find(&q->meta, cluster + 1)] >> KIND_SHIFT);
}

static int grow(struct q2_meta_set *set)
{
	struct q2_meta_set bigger = { .slots = set->slots ? 2 * set->slots : 256,
				      .used = set->used };
	u64 i;

	bigger.key = calloc(bigger.slots, sizeof(u64));
	if (!bigger.key)
		return MH_ENOMEM;
	for (i = 0; i < set->slots; i++)
		if (set->key[i])
			bigger.key[find(&bigger, set->key[i] & KEY_MASK)] = set->key[i];
	free(set->key);
	*set = bigger;
	return 0;
}

int mhi_q2_meta_add(struct mhi_q2 *q, u64 cluster, enum q2_meta kind, enum q2_meta *other)
{
	struct q2_meta_set *set = &q->meta;
	u64 i;

	if (2 * (set->used + 1) > set->slots && grow(set))
		return MH_ENOMEM;
	i = find(set, cluster + 1);
	if (set->key[i]) {
		*other = (enum q2_meta)(set->key[i] >> KIND_SHIFT);
		return MH_EEXIST;
	}
	set->key[i] = (cluster + 1) | (u64)kind << KIND_SHIFT;
	set->used++;
	return 0;
}

void mhi_q2_meta_remove(struct mhi_q2 *q, u64 cluster)
{
	struct q2_meta_set *set = &q->meta;
	u64 hole, i, home;

	if (!set->slots)
		return;
	hole = find(set, cluster + 1);
	if (!set->key[hole])
		return;
	set->used--;
	/* Entries behind the hole move up, so that none becomes unreachable. */
	for (i = (hole + 1) & (set->slots - 1); set->key[i]; i = (i + 1) & (set->slots - 1)) {
		home = slot_of(set, set->key[i] & KEY_MASK);
		if (((i - home) & (set->slots - 1)) < ((i - hole) & (set->slots - 1)))
			continue;
		set->key[hole] = set->key[i];
		hole = i;
	}
	set->key[hole] = 0;
}

void mhi_q2_meta_fini(struct q2_meta_set *set)
{
	free(set->key);
}

/* ---- the metadata of an image ---- */

static int add_range(struct mhi_q2 *q, u64 offset, u64 bytes, enum q2_meta kind,
		     struct mhi_err *err)
{
	u64 first = offset >> q->cluster_bits, n = q2_clusters(q, bytes), i;
	enum q2_meta other;
	int rc;

	for (i = 0; i < n; i++) {
		rc = mhi_q2_meta_add(q, first + i, kind, &other);
		if (rc == MH_EEXIST)
			return mhi_err_set(err, MH_EFORMAT,
					   "%s and %s overlap at 0x%llx: the image is damaged",
					   mhi_q2_meta_name(kind), mhi_q2_meta_name(other),
					   (first + i) << q->cluster_bits);
		if (rc)
			return mhi_err_set(err, rc, "the image's tables: " MHI_NO_MEMORY);
	}
	return 0;
}

/* L2 tables may belong to several snapshots and to the active disk at once. */
static int add_shared_l2(struct mhi_q2 *q, u64 entry, struct mhi_err *err)
{
	u64 offset = entry & Q2_OFFSET_MASK;

	if (!offset || mhi_q2_meta_of(q, offset >> q->cluster_bits) == Q2_META_L2)
		return 0;
	if (offset & (q->cluster - 1))
		return mhi_err_set(err, MH_EFORMAT,
				   "a snapshot's L1 entry 0x%llx is not aligned to a cluster",
				   entry);
	return add_range(q, offset, q->cluster, Q2_META_L2, err);
}

static int add_snapshot_l2s(struct mhi_q2 *q, u64 offset, u64 entries, struct mhi_err *err)
{
	u8 chunk[CHUNK_ENTRIES * 8];
	u64 n, i;
	int rc;

	for (; entries; entries -= n, offset += n * 8) {
		n = entries < CHUNK_ENTRIES ? entries : CHUNK_ENTRIES;
		rc = mhi_blk_read(q->file, offset, chunk, n * 8);
		if (rc)
			return mhi_err_set(err, rc, "cannot read a snapshot's L1 table");
		for (i = 0; i < n && !rc; i++)
			rc = add_shared_l2(q, q2_get64(chunk + i * 8), err);
		if (rc)
			return rc;
	}
	return 0;
}

/* One entry of the snapshot table; *bytes is its length. */
static int add_snapshot(struct mhi_q2 *q, u64 at, u64 left, u64 *bytes, struct mhi_err *err)
{
	u8 entry[Q2_S_BYTES];
	u64 l1_offset, l1_size;
	int rc;

	if (left < Q2_S_BYTES)
		return mhi_err_set(err, MH_EFORMAT, "the snapshot table is cut short");
	rc = mhi_blk_read(q->file, at, entry, sizeof(entry));
	if (rc)
		return mhi_err_set(err, rc, "cannot read the snapshot table");
	l1_offset = q2_get64(entry + Q2_S_L1_OFFSET);
	l1_size = q2_get32(entry + Q2_S_L1_SIZE);
	if ((l1_offset & (q->cluster - 1)) ||
	    !mhi_range_within(l1_offset, l1_size * 8, q2_round_up(q, q->file->size)))
		return mhi_err_set(
			err, MH_EFORMAT,
			"a snapshot's L1 table (0x%llx, %llu entries) is not in the file",
			l1_offset, l1_size);
	rc = add_range(q, l1_offset, l1_size * 8, Q2_META_SNAPSHOT_L1, err);
	if (rc)
		return rc;
	*bytes = (Q2_S_BYTES + (u64)q2_get16(entry + Q2_S_ID_BYTES) +
		  q2_get16(entry + Q2_S_NAME_BYTES) + q2_get32(entry + Q2_S_EXTRA_BYTES) + 7) &
		 ~7ull;
	return add_snapshot_l2s(q, l1_offset, l1_size, err);
}

static int add_snapshots(struct mhi_q2 *q, struct mhi_err *err)
{
	u64 at = 0, bytes = 0;
	u32 i;
	int rc;

	for (i = 0; i < q->snapshots; i++, at += bytes) {
		rc = add_snapshot(q, q->snapshots_offset + at, Q2_SNAPSHOT_BYTES_MOST - at, &bytes,
				  err);
		if (rc)
			return rc;
		if (at + bytes > Q2_SNAPSHOT_BYTES_MOST || q->meta.used > SNAPSHOT_ENTRIES_MOST)
			return mhi_err_set(err, MH_EFORMAT, "the snapshot tables are too large");
	}
	q->snapshots_bytes = at;
	return at ? add_range(q, q->snapshots_offset, at, Q2_META_SNAPSHOTS, err) : 0;
}

int mhi_q2_meta_load(struct mhi_q2 *q, struct mhi_err *err)
{
	u64 i;
	int rc;

	rc = add_range(q, 0, q->cluster, Q2_META_HEADER, err);
	if (!rc)
		rc = add_range(q, q->l1_offset, q->l1_size * 8ull, Q2_META_L1, err);
	if (!rc)
		rc = add_range(q, q->rt_offset, (u64)q->rt_clusters << q->cluster_bits,
			       Q2_META_REFTABLE, err);
	for (i = 0; i < q->rt_size && !rc; i++)
		if (q->rt[i])
			rc = add_range(q, q->rt[i], q->cluster, Q2_META_REFBLOCK, err);
	for (i = 0; i < q->l1_size && !rc; i++)
		if (q->l1[i] & Q2_OFFSET_MASK)
			rc = add_range(q, q->l1[i] & Q2_OFFSET_MASK, q->cluster, Q2_META_L2, err);
	if (!rc && (q->autoclear & Q2_AUTOCLEAR_BITMAPS) && q->bitmaps_bytes)
		rc = add_range(q, q->bitmaps_offset, q->bitmaps_bytes, Q2_META_BITMAPS, err);
	return rc ? rc : add_snapshots(q, err);
}
