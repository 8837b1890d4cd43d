/* SPDX-License-Identifier: MIT */
/* Bringing changed tables to the file in the order that keeps it consistent: see qcow2_int.h. */
#include "virtio/qcow2_int.h"

#include <stdlib.h>

/* Entries of the L1 table are written by sectors. */
#define L1_PER_SECTOR (MHI_BLK_SECTOR / 8)

/* What one commit brings to the file; it works on copies, while writers go on. */
struct batch {
	u32 pages;
	struct q2_page *page[Q2_STAGE_L2];
	u64 offset[Q2_STAGE_L2];
	u32 sectors;
	u32 sector[Q2_STAGE_L1];
	struct q2_pending freed;
	bool unsure; /* a flush failed: what the disk holds is not known */
};

void mhi_q2_l1_dirty(struct mhi_q2 *q, u32 index)
{
	u32 sector = index / L1_PER_SECTOR, i;

	for (i = 0; i < q->dirty_l1_count; i++)
		if (q->dirty_l1[i] == sector)
			return;
	q->dirty_l1[q->dirty_l1_count++] = sector;
}

static u8 *l1_stage(struct mhi_q2 *q, u32 i)
{
	return q->stage + (u64)Q2_STAGE_L2 * q->cache.page_bytes + (u64)i * MHI_BLK_SECTOR;
}

/* Under lock: copies of all changed tables. */
static void stage(struct mhi_q2 *q, struct batch *b)
{
	struct q2_cache *c = &q->cache;
	u64 entry;
	u32 i, n;

	b->pages = 0;
	for (i = 0; i < c->used && c->dirty_l2 && b->pages < Q2_STAGE_L2; i++) {
		if (!c->page[i].dirty || c->page[i].kind != Q2_PAGE_L2)
			continue;
		memcpy(q->stage + (u64)b->pages * c->page_bytes, c->page[i].data, c->page_bytes);
		b->offset[b->pages] = c->page[i].offset;
		b->page[b->pages++] = &c->page[i];
		c->page[i].writing = true;
		mhi_q2_page_clean(q, &c->page[i]);
	}
	b->sectors = q->dirty_l1_count;
	for (i = 0; i < b->sectors; i++) {
		b->sector[i] = q->dirty_l1[i];
		for (n = 0; n < L1_PER_SECTOR; n++) {
			entry = (u64)b->sector[i] * L1_PER_SECTOR + n;
			q2_put64(l1_stage(q, i) + 8 * n, entry < q->l1_size ? q->l1[entry] : 0);
		}
	}
	q->dirty_l1_count = 0;
	q->staged_l2 = b->pages;
	q->staged_l1 = b->sectors;
	b->freed = q->pending;
	memset(&q->pending, 0, sizeof(q->pending));
}

/* Under lock, after a failure: what was staged is changed still. */
static void unstage(struct mhi_q2 *q, struct batch *b, bool failed)
{
	u32 i;

	q->staged_l2 = q->staged_l1 = 0;
	for (i = 0; i < b->pages; i++) {
		b->page[i]->writing = false;
		if (failed && b->page[i]->offset == b->offset[i])
			mhi_q2_page_dirty(q, b->page[i]);
	}
	for (i = 0; failed && i < b->sectors; i++)
		mhi_q2_l1_dirty(q, b->sector[i] * L1_PER_SECTOR);
	for (i = 0; failed && i < b->freed.count; i++)
		mhi_q2_drop_later(q, b->freed.run[i].host, b->freed.run[i].count,
				  b->freed.run[i].punch);
}

static int flush_file(struct mhi_q2 *q, struct batch *b)
{
	int rc = q->file->ops->flush(q->file);

	b->unsure = rc != 0;
	return rc;
}

/* Without the lock. */
static int write_batch(struct mhi_q2 *q, struct batch *b, bool stable)
{
	u64 bytes;
	u32 i;
	int rc = 0;

	if (b->pages || b->sectors)
		rc = flush_file(q, b);
	for (i = 0; i < b->pages && !rc; i++)
		rc = mhi_blk_write(q->file, b->offset[i], q->stage + (u64)i * q->cache.page_bytes,
				   q->cache.page_bytes);
	if (!rc && b->sectors)
		rc = flush_file(q, b);
	for (i = 0; i < b->sectors && !rc; i++) {
		bytes = ((u64)q->l1_size - (u64)b->sector[i] * L1_PER_SECTOR) * 8;
		rc = mhi_blk_write(q->file, q->l1_offset + (u64)b->sector[i] * MHI_BLK_SECTOR,
				   l1_stage(q, i), bytes < MHI_BLK_SECTOR ? bytes : MHI_BLK_SECTOR);
	}
	if (!rc && (stable || (b->freed.count && (b->pages || b->sectors))))
		rc = flush_file(q, b);
	return rc;
}

/* Without the lock: wait for all transfers that began before now. */
static void drain(struct mhi_q2 *q)
{
	u32 old;

	pthread_mutex_lock(&q->io_lock);
	old = q->epoch++ & 1;
	while (q->transfers[old])
		pthread_cond_wait(&q->io_cond, &q->io_lock);
	pthread_mutex_unlock(&q->io_lock);
}

/* Give back the storage of those clusters of a run that nothing else uses. */
static int punch(struct mhi_q2 *q, const struct q2_free *run)
{
	u64 i, count, from = 0, n = 0;
	int rc;

	for (i = 0; i <= run->count; i++) {
		count = 0;
		if (i < run->count) {
			rc = mhi_q2_ref_get(q, run->host + i, &count);
			if (rc)
				return rc;
		}
		if (count == 1 && !n++)
			from = run->host + i;
		if (count == 1 || !n)
			continue;
		/* A hint to the file system: what comes of it does not matter. */
		q->file->ops->discard(q->file, from << q->cluster_bits, n << q->cluster_bits);
		n = 0;
	}
	return 0;
}

/* Under lock: the tables on the disk do not refer to these any more. */
static int release(struct mhi_q2 *q, const struct q2_pending *freed)
{
	u32 i;
	int rc = 0;

	for (i = 0; i < freed->count && !rc; i++) {
		if (freed->run[i].punch && q->file->limits.discard_align)
			rc = punch(q, &freed->run[i]);
		if (!rc)
			rc = mhi_q2_drop(q, freed->run[i].host, freed->run[i].count);
	}
	return rc ? rc : mhi_q2_write_refs(q);
}

static int commit_batch(struct mhi_q2 *q, bool stable)
{
	struct batch *b = calloc(1, sizeof(*b));
	int rc;

	if (!b)
		return MH_ENOMEM;
	rc = mhi_q2_write_refs(q);
	if (rc)
		goto out;
	stage(q, b);
	pthread_mutex_unlock(&q->lock);
	rc = write_batch(q, b, stable);
	if (!rc && b->freed.count)
		drain(q);
	pthread_mutex_lock(&q->lock);
	unstage(q, b, rc != 0);
	if (b->unsure)
		q2_give_up(q, rc);
	if (!rc)
		rc = release(q, &b->freed);
	free(b->freed.run);
out:
	free(b);
	return rc;
}

/* Under lock, which is let go. */
static int plain_flush(struct mhi_q2 *q)
{
	int rc;

	pthread_mutex_unlock(&q->lock);
	rc = q->file->ops->flush(q->file);
	pthread_mutex_lock(&q->lock);
	return rc ? q2_give_up(q, rc) : 0;
}

int mhi_q2_commit(struct mhi_q2 *q, bool stable)
{
	int rc;

	while (q->committing)
		pthread_cond_wait(&q->cond, &q->lock);
	if (q->failed)
		return q->failed;
	if (!q->cache.dirty_l2 && !q->cache.dirty_ref && !q->dirty_l1_count && !q->pending.count)
		return stable ? plain_flush(q) : 0;
	q->committing = true;
	rc = commit_batch(q, stable);
	q->committing = false;
	pthread_cond_broadcast(&q->cond);
	return rc;
}

/* What one step changes at most: an L2 page or two, one sector of the L1 table. */
static bool has_room(const struct mhi_q2 *q)
{
	u32 l2 = q->cache.dirty_l2 + 4, l1 = q->dirty_l1_count + 2;

	return l2 <= Q2_DIRTY_L2_MOST && l1 <= Q2_DIRTY_L1_MOST &&
	       l2 + q->staged_l2 <= Q2_STAGE_L2 && l1 + q->staged_l1 <= Q2_STAGE_L1 &&
	       q->pending.count < Q2_PENDING_MOST;
}

int mhi_q2_make_room(struct mhi_q2 *q)
{
	int rc;

	while (!has_room(q)) {
		rc = mhi_q2_commit(q, false);
		if (rc)
			return rc;
	}
	return 0;
}

int mhi_q2_flush(struct mhi_blk *b)
{
	struct mhi_q2 *q = q2_of(b);
	int rc;

	if (b->read_only)
		return 0;
	pthread_mutex_lock(&q->lock);
	rc = mhi_q2_commit(q, true);
	pthread_mutex_unlock(&q->lock);
	return rc;
}
