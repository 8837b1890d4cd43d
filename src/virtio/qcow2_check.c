/* SPDX-License-Identifier: MIT */
/*
 * Checking an image: every reference is counted anew and held against the counts that the image
 * keeps.
 */
#include "virtio/qcow2_int.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

/* Counting takes two bytes a cluster; more than this is refused. */
#define COUNT_BYTES_MOST (1ull << 30)
#define COUNT_MOST 0xffffu
/* Clusters between two reports of progress. */
#define PROGRESS_STEP 65536u

struct check {
	struct mhi_q2 *q;
	struct mhi_qcow2_check *report;
	u16 *refs; /* [clusters] */
	u64 clusters;
	bool repair;
	bool broken; /* something that counts cannot cure */
	u8 *table;   /* [cluster] the L2 table at hand */
	mhi_blk_progress *progress;
	void *opaque;
	u64 done, total;
};

static void fault(struct check *c, bool curable, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

static void fault(struct check *c, bool curable, const char *fmt, ...)
{
	va_list args;

	c->report->errors++;
	c->broken = c->broken || !curable;
	if (c->report->first[0])
		return;
	va_start(args, fmt);
	vsnprintf(c->report->first, sizeof(c->report->first), fmt, args);
	va_end(args);
}

static int step(struct check *c, u64 done)
{
	u64 before = c->done / PROGRESS_STEP;

	c->done += done;
	if (!c->progress || c->done / PROGRESS_STEP == before)
		return 0;
	return c->progress(c->opaque, c->done, c->total) ? 0 : MH_ESTATE;
}

/* Something refers to these bytes. */
static bool refer(struct check *c, u64 offset, u64 bytes, const char *what)
{
	u64 first = offset >> c->q->cluster_bits, end, i;

	if (!bytes)
		return true;
	if (!mhi_range_within(offset, bytes, c->clusters << c->q->cluster_bits)) {
		fault(c, false, "%s at 0x%llx is beyond the end of the file", what, offset);
		return false;
	}
	end = (offset + bytes - 1) >> c->q->cluster_bits;
	for (i = first; i <= end; i++)
		if (c->refs[i] < COUNT_MOST)
			c->refs[i]++;
	return true;
}

static bool refer_cluster(struct check *c, u64 offset, const char *what)
{
	if (offset & (c->q->cluster - 1)) {
		fault(c, false, "%s at 0x%llx is not aligned to a cluster", what, offset);
		return false;
	}
	return refer(c, offset, c->q->cluster, what);
}

static void refer_entry(struct check *c, u64 entry, bool active)
{
	struct mhi_q2 *q = c->q;
	u64 first, count, reserved = Q2_L2_RESERVED | (q->version < 3 ? Q2_ZERO : 0);

	if (!(entry & Q2_COMPRESSED) && (entry & reserved)) {
		fault(c, false, "L2 entry 0x%llx has reserved bits set", entry);
		return;
	}
	mhi_q2_entry_clusters(q, entry, &first, &count);
	if (!count)
		return;
	c->report->guest_data += active;
	if (entry & Q2_COMPRESSED) {
		/* The last sectors that an entry counts need not be there. */
		if (first < c->clusters && first + count > c->clusters)
			count = c->clusters - first;
		refer(c, first << q->cluster_bits, count << q->cluster_bits,
		      "a compressed cluster");
	} else {
		refer_cluster(c, entry & Q2_OFFSET_MASK, "a data cluster");
	}
}

static int walk_l2(struct check *c, u64 entry, bool active)
{
	struct mhi_q2 *q = c->q;
	u64 offset = entry & Q2_OFFSET_MASK, i;
	int rc;

	if (entry & Q2_L1_RESERVED)
		fault(c, false, "L1 entry 0x%llx has reserved bits set", entry);
	if (!offset || !refer_cluster(c, offset, "an L2 table"))
		return 0;
	rc = mhi_blk_read(q->file, offset, c->table, q->cluster);
	for (i = 0; i < q->cluster / 8 && !rc; i++)
		refer_entry(c, q2_get64(c->table + 8 * i), active);
	return rc ? rc : step(c, q->cluster / 8);
}

static int walk_snapshot(struct check *c, u64 offset, u64 entries)
{
	u64 i, *l1;
	int rc;

	if (entries * 8 > Q2_L1_BYTES_MOST ||
	    !refer(c, offset, entries * 8, "a snapshot's L1 table")) {
		fault(c, false, "a snapshot's L1 table at 0x%llx is too large", offset);
		return 0;
	}
	l1 = calloc(entries + 1, 8);
	if (!l1)
		return MH_ENOMEM;
	rc = entries ? mhi_blk_read(c->q->file, offset, l1, entries * 8) : 0;
	for (i = 0; i < entries && !rc; i++)
		rc = walk_l2(c, be64toh(l1[i]), false);
	free(l1);
	return rc;
}

static int walk_snapshots(struct check *c)
{
	struct mhi_q2 *q = c->q;
	u64 at = q->snapshots_offset;
	u8 s[Q2_S_BYTES];
	u32 i;
	int rc = 0;

	for (i = 0; i < q->snapshots && !rc; i++) {
		if (at - q->snapshots_offset > Q2_SNAPSHOT_BYTES_MOST) {
			fault(c, false, "the snapshot table is too large");
			return 0;
		}
		rc = mhi_blk_read(q->file, at, s, sizeof(s));
		if (!rc)
			rc = walk_snapshot(c, q2_get64(s + Q2_S_L1_OFFSET),
					   q2_get32(s + Q2_S_L1_SIZE));
		at += (Q2_S_BYTES + (u64)q2_get16(s + Q2_S_ID_BYTES) +
		       q2_get16(s + Q2_S_NAME_BYTES) + q2_get32(s + Q2_S_EXTRA_BYTES) + 7) &
		      ~7ull;
	}
	if (q->snapshots && !rc)
		refer(c, q->snapshots_offset, at - q->snapshots_offset, "the snapshot table");
	return rc;
}

static int walk_bitmap(struct check *c, u64 offset, u64 entries)
{
	u64 i, place;
	u8 entry[8];
	int rc = 0;

	if (!refer(c, offset, entries * 8, "a bitmap's table"))
		return 0;
	for (i = 0; i < entries && !rc; i++) {
		rc = mhi_blk_read(c->q->file, offset + 8 * i, entry, sizeof(entry));
		place = q2_get64(entry) & Q2_OFFSET_MASK;
		if (!rc && place)
			refer_cluster(c, place, "a bitmap's cluster");
	}
	return rc;
}

/*
 * Bitmaps that nobody keeps any more (no autoclear bit) count as nothing: their clusters are leaks.
 */
static int walk_bitmaps(struct check *c)
{
	struct mhi_q2 *q = c->q;
	u64 at = 0;
	u8 d[Q2_B_BYTES];
	u32 i;
	int rc = 0;

	if (!(q->autoclear & Q2_AUTOCLEAR_BITMAPS) || !q->bitmaps ||
	    !refer(c, q->bitmaps_offset, q->bitmaps_bytes, "the bitmap directory"))
		return 0;
	for (i = 0; i < q->bitmaps && !rc; i++) {
		if (!mhi_range_within(at, sizeof(d), q->bitmaps_bytes)) {
			fault(c, false, "the bitmap directory is cut short");
			return 0;
		}
		rc = mhi_blk_read(q->file, q->bitmaps_offset + at, d, sizeof(d));
		if (!rc)
			rc = walk_bitmap(c, q2_get64(d + Q2_B_TABLE_OFFSET),
					 q2_get32(d + Q2_B_TABLE_SIZE));
		at += (Q2_B_BYTES + (u64)q2_get16(d + Q2_B_NAME_BYTES) +
		       q2_get32(d + Q2_B_EXTRA_BYTES) + 7) &
		      ~7ull;
	}
	return rc;
}

static void walk_refcounts(struct check *c)
{
	struct mhi_q2 *q = c->q;
	u64 i;

	refer(c, q->rt_offset, (u64)q->rt_clusters << q->cluster_bits, "the refcount table");
	for (i = 0; i < q->rt_size; i++) {
		if (!q->rt[i] || refer_cluster(c, q->rt[i], "a refcount block"))
			continue;
		/*
		 * It cannot be read, so nothing is counted there. Such an image is never written.
		 */
		q->rt[i] = 0;
	}
}

static int walk(struct check *c)
{
	struct mhi_q2 *q = c->q;
	u64 i;
	int rc = 0;

	refer(c, 0, q->cluster, "the header");
	refer(c, q->l1_offset, q->l1_size * 8ull, "the L1 table");
	for (i = 0; i < q->l1_size && !rc; i++)
		rc = walk_l2(c, q->l1[i], true);
	walk_refcounts(c);
	if (!rc)
		rc = walk_snapshots(c);
	return rc ? rc : walk_bitmaps(c);
}

/* A block of counts for a range that has none, in a cluster of that range which nothing uses. */
static int add_block(struct check *c, u64 cluster)
{
	u64 per_block = 1ull << c->q->rb_bits, i = cluster & ~(per_block - 1), end = i + per_block;
	int rc;

	for (; i < end; i++) {
		if (i < c->clusters && c->refs[i])
			continue;
		rc = mhi_q2_add_refblock(c->q, i);
		if (!rc && i < c->clusters)
			c->refs[i] = 1;
		return rc;
	}
	return MH_EFORMAT;
}

static int set_count(struct check *c, u64 cluster, u64 count)
{
	int rc = mhi_q2_ref_set(c->q, cluster, count);

	if (rc == MH_ENOENT) {
		rc = add_block(c, cluster);
		if (!rc)
			rc = mhi_q2_ref_set(c->q, cluster, count);
	}
	if (!rc)
		c->report->fixed++;
	return rc;
}

static int compare_one(struct check *c, u64 cluster)
{
	u64 kept, used = cluster < c->clusters ? c->refs[cluster] : 0;
	int rc;

	rc = mhi_q2_ref_get(c->q, cluster, &kept);
	if (rc)
		return rc;
	if (used) {
		c->report->referenced++;
		c->report->file_end = (cluster + 1) << c->q->cluster_bits;
	}
	if (kept == used || (used == COUNT_MOST && kept > used))
		return 0;
	if (kept > used)
		c->report->leaks++;
	else
		fault(c, true, "cluster 0x%llx is used %llu times but its refcount is %llu",
		      cluster << c->q->cluster_bits, used, kept);
	/* With references that cannot be followed, a lower count might free what they mean. */
	if (!c->repair || (c->broken && kept > used))
		return 0;
	return set_count(c, cluster, used);
}

static int compare(struct check *c)
{
	u64 per_block = 1ull << c->q->rb_bits, block, i, end;
	int rc = 0;

	for (block = 0; block < c->q->rt_size && !rc; block++) {
		end = (block + 1) * per_block;
		/*
		 * Clusters without a block have the count 0; behind the file's end that is right.
		 */
		if (!c->q->rt[block] && end > c->clusters)
			end = c->clusters;
		for (i = block * per_block; i < end && !rc; i++)
			rc = compare_one(c, i);
		if (!rc)
			rc = step(c, per_block);
	}
	for (i = c->q->rt_size * per_block; i < c->clusters && !rc; i++)
		rc = compare_one(c, i);
	return rc;
}

/* Is an entry's flag right that says that its cluster has one reference? */
static int flag(struct check *c, u64 entry, const char *what, bool *wrong)
{
	u64 offset = entry & Q2_OFFSET_MASK, kept;
	int rc;

	*wrong = false;
	if (!offset || (entry & Q2_COMPRESSED) || (offset & (c->q->cluster - 1)) ||
	    offset >> c->q->cluster_bits >= c->clusters)
		return 0;
	rc = mhi_q2_ref_get(c->q, offset >> c->q->cluster_bits, &kept);
	if (rc)
		return rc;
	*wrong = (kept == 1) != ((entry & Q2_COPIED) != 0);
	if (*wrong)
		fault(c, true, "%s 0x%llx has a wrong COPIED flag: the refcount is %llu", what,
		      entry, kept);
	return 0;
}

static int flags_of_l2(struct check *c, u64 table)
{
	struct mhi_q2 *q = c->q;
	struct q2_page *page;
	u64 i, at, entry;
	bool wrong;
	int rc;

	for (i = 0; i < q->cluster / 8; i++) {
		at = table + (8 * i & ~(u64)(q->cache.page_bytes - 1));
		rc = mhi_q2_make_room(q);
		if (!rc)
			rc = mhi_q2_page(q, at, Q2_PAGE_L2, &page);
		if (rc)
			return rc;
		entry = q2_entry(page, mhi_q2_l2_index(q, i));
		rc = flag(c, entry, "L2 entry", &wrong);
		if (!rc && wrong && c->repair) {
			rc = mhi_q2_page(q, at, Q2_PAGE_L2, &page);
			if (!rc) {
				q2_put64(page->data + 8 * mhi_q2_l2_index(q, i), entry ^ Q2_COPIED);
				mhi_q2_page_dirty(q, page);
				c->report->fixed++;
			}
		}
		if (rc)
			return rc;
	}
	return 0;
}

static int flags(struct check *c)
{
	struct mhi_q2 *q = c->q;
	u64 i, offset;
	bool wrong;
	int rc = 0;

	for (i = 0; i < q->l1_size && !rc; i++) {
		offset = q->l1[i] & Q2_OFFSET_MASK;
		if (!offset || (offset & (q->cluster - 1)) ||
		    offset >> q->cluster_bits >= c->clusters)
			continue;
		rc = flag(c, q->l1[i], "L1 entry", &wrong);
		if (!rc && wrong && c->repair) {
			rc = mhi_q2_make_room(q);
			if (rc)
				return rc;
			q->l1[i] ^= Q2_COPIED;
			mhi_q2_l1_dirty(q, (u32)i);
			c->report->fixed++;
		}
		if (!rc)
			rc = flags_of_l2(c, offset);
	}
	return rc;
}

static int run(struct check *c)
{
	struct mhi_q2 *q = c->q;
	int rc;

	if (c->repair) {
		/* A mark of damage is what this is to cure. */
		rc = mhi_q2_begin_change(q);
		if (rc)
			return rc;
	}
	rc = walk(c);
	if (!rc)
		rc = compare(c);
	if (!rc)
		rc = flags(c);
	if (rc || !c->repair)
		return rc;
	q->free_hint = 0;
	rc = mhi_q2_commit(q, true);
	if (!rc && !c->broken && (q->incompatible & Q2_INCOMPAT_CORRUPT)) {
		q->incompatible &= ~Q2_INCOMPAT_CORRUPT;
		rc = mhi_q2_write_features(q);
	}
	return rc;
}

/* What is on its way to the file: clusters that are counted there and not yet referenced. */
static int settle(struct mhi_q2 *q)
{
	int rc = 0;

	pthread_mutex_lock(&q->lock);
	while (!rc &&
	       (q->cache.dirty_l2 || q->cache.dirty_ref || q->dirty_l1_count || q->pending.count))
		rc = mhi_q2_commit(q, true);
	pthread_mutex_unlock(&q->lock);
	return rc;
}

int mhi_qcow2_check(struct mhi_blk *b, bool repair, struct mhi_qcow2_check *report,
		    mhi_blk_progress *progress, void *opaque)
{
	struct mhi_q2 *q = q2_of(b);
	struct check c = {
		.q = q, .report = report, .repair = repair, .progress = progress, .opaque = opaque
	};
	int rc;

	memset(report, 0, sizeof(*report));
	if (repair && b->read_only)
		return MH_EPERM;
	rc = settle(q);
	if (rc)
		return rc;
	c.clusters = q2_clusters(q, q->file->size);
	report->clusters = c.clusters;
	if (c.clusters * sizeof(*c.refs) > COUNT_BYTES_MOST)
		return MH_ENOMEM;
	c.total = c.clusters + (u64)q->l1_size * (q->cluster / 8);
	c.refs = calloc(c.clusters + 1, sizeof(*c.refs));
	c.table = malloc(q->cluster);
	rc = MH_ENOMEM;
	if (c.refs && c.table) {
		pthread_mutex_lock(&q->lock);
		rc = run(&c);
		pthread_mutex_unlock(&q->lock);
	}
	free(c.refs);
	free(c.table);
	return rc;
}
