/* SPDX-License-Identifier: MIT */
/* The qcow2 node: opened, described, closed. */
#include "virtio/qcow2_int.h"

#include <stdlib.h>

static const struct mhi_blk_ops qcow2_ops;

static void free_q2(struct mhi_q2 *q)
{
	mhi_q2_cache_fini(&q->cache);
	mhi_q2_meta_fini(&q->meta);
	free(q->backing_name);
	free(q->backing_format);
	free(q->l1);
	free(q->rt);
	free(q->pending.run);
	free(q->stage);
	free(q->zip);
	free(q->zip_in);
	pthread_mutex_destroy(&q->lock);
	pthread_cond_destroy(&q->cond);
	pthread_mutex_destroy(&q->io_lock);
	pthread_cond_destroy(&q->io_cond);
	pthread_mutex_destroy(&q->zip_lock);
	free(q);
}

/* All changes to the file, then the mark that says that the image is in use. */
static int settle(struct mhi_q2 *q)
{
	int rc;

	pthread_mutex_lock(&q->lock);
	do {
		rc = mhi_q2_commit(q, true);
	} while (!rc && (q->cache.dirty_l2 || q->cache.dirty_ref || q->pending.count));
	if (!rc && q->marked && q->version >= 3) {
		/* The counts that shrank last must be there before the mark goes. */
		rc = q->file->ops->flush(q->file);
		q->incompatible &= ~Q2_INCOMPAT_DIRTY;
		if (!rc)
			rc = mhi_q2_write_features(q);
		if (!rc)
			rc = q->file->ops->flush(q->file);
	}
	q->marked = false;
	pthread_mutex_unlock(&q->lock);
	return rc;
}

static int q2_close(struct mhi_blk *b)
{
	struct mhi_q2 *q = q2_of(b);
	int rc = 0, rc_file;

	if (!b->read_only)
		rc = settle(q);
	if (b->backing)
		b->backing->ops->close(b->backing);
	rc_file = q->file->ops->close(q->file);
	free_q2(q);
	return rc ? rc : rc_file;
}

static const struct mhi_blk_ops qcow2_ops = {
	.format = "qcow2",
	.read = mhi_q2_read,
	.try_read = mhi_q2_try_read,
	.write = mhi_q2_write,
	.write_zeroes = mhi_q2_write_zeroes,
	.discard = mhi_q2_discard,
	.flush = mhi_q2_flush,
	.resize = mhi_q2_resize,
	.extent = mhi_q2_extent,
	.close = q2_close,
};

/* Pages for all tables of a small image; for a large one as many as the bound allows. */
static int init_cache(struct mhi_q2 *q)
{
	u32 page = q->cluster < Q2_PAGE_MOST ? (u32)q->cluster : Q2_PAGE_MOST;
	u64 pages = q2_clusters(q, q->blk.size) / (page / 8) * 9 / 8 + Q2_CACHE_LEAST;

	return mhi_q2_cache_init(&q->cache, page,
				 pages < Q2_CACHE_MOST ? (u32)pages : Q2_CACHE_MOST);
}

static int prepare(struct mhi_q2 *q, struct mhi_err *err)
{
	int rc;

	rc = mhi_q2_header_read(q, err);
	if (!rc)
		rc = mhi_q2_tables_read(q, err);
	if (rc)
		return rc;
	q->blk.size = (q->blk.size + MHI_BLK_SECTOR - 1) & ~(u64)(MHI_BLK_SECTOR - 1);
	q->virgin = q2_round_up(q, q->file->size);
	if (init_cache(q))
		return mhi_err_set(err, MH_ENOMEM, MHI_NO_MEMORY);
	q->blk.limits = (struct mhi_blk_limits){
		.block = q->file->limits.block,
		.physical = q->file->limits.physical,
		.memory_align = q->file->limits.memory_align,
		.discard_align = (u32)q->cluster,
		.fast_zeroes = q->version >= 3,
	};
	if (q->blk.read_only)
		return 0;
	q->stage =
		malloc((u64)Q2_STAGE_L2 * q->cache.page_bytes + (u64)Q2_STAGE_L1 * MHI_BLK_SECTOR);
	if (!q->stage)
		return mhi_err_set(err, MH_ENOMEM, MHI_NO_MEMORY);
	return mhi_q2_meta_load(q, err);
}

/*
 * An image that was in use when its writer died: counts may be too large, or as that writer left
 * them.
 */
static int repair_unclean(struct mhi_q2 *q, struct mhi_err *err)
{
	struct mhi_qcow2_check report;
	int rc;

	if (q->blk.read_only || q->check_only || !(q->incompatible & Q2_INCOMPAT_DIRTY))
		return 0;
	rc = mhi_qcow2_check(&q->blk, true, &report, NULL, NULL);
	if (!rc)
		rc = settle(q);
	if (rc)
		return mhi_err_set(err, rc,
				   "the image was not closed properly and cannot be repaired: %s",
				   q->fault[0] ? q->fault : mh_strerror(rc));
	return 0;
}

int mhi_qcow2_open(struct mhi_blk *file, u32 flags, struct mhi_blk **out, struct mhi_err *err)
{
	struct mhi_q2 *q = calloc(1, sizeof(*q));
	int rc;

	if (!q)
		return mhi_err_set(err, MH_ENOMEM, MHI_NO_MEMORY);
	q->blk.ops = &qcow2_ops;
	q->blk.read_only = file->read_only || (flags & MHI_QCOW2_READ_ONLY);
	q->check_only = (flags & MHI_QCOW2_CHECK) != 0;
	q->file = file;
	pthread_mutex_init(&q->lock, NULL);
	pthread_cond_init(&q->cond, NULL);
	pthread_mutex_init(&q->io_lock, NULL);
	pthread_cond_init(&q->io_cond, NULL);
	pthread_mutex_init(&q->zip_lock, NULL);
	rc = prepare(q, err);
	if (!rc)
		rc = repair_unclean(q, err);
	if (rc) {
		free_q2(q);
		return rc;
	}
	*out = &q->blk;
	return 0;
}

bool mhi_qcow2_is(const struct mhi_blk *b)
{
	return b->ops == &qcow2_ops;
}

int mhi_qcow2_probe(struct mhi_blk *file)
{
	u8 magic[4];
	int rc;

	if (file->size < MHI_BLK_SECTOR)
		return 0;
	rc = mhi_blk_read(file, 0, magic, sizeof(magic));
	return rc ? rc : q2_get32(magic) == Q2_MAGIC;
}

void mhi_qcow2_info(const struct mhi_blk *b, struct mhi_qcow2_info *info)
{
	const struct mhi_q2 *q = (const struct mhi_q2 *)b;

	*info = (struct mhi_qcow2_info){
		.version = q->version,
		.cluster_bytes = (u32)q->cluster,
		.refcount_bits = 1u << q->refcount_order,
		.dirty = (q->incompatible & Q2_INCOMPAT_DIRTY) != 0,
		.corrupt = (q->incompatible & Q2_INCOMPAT_CORRUPT) != 0,
		.lazy_refcounts = (q->compatible & Q2_COMPAT_LAZY_REFCOUNTS) != 0,
		.has_bitmaps = q->bitmaps != 0,
		.compression = q->compression == Q2_COMPRESSION_ZSTD ? "zstd" : "zlib",
		.backing_name = q->backing_name,
		.backing_format = q->backing_format,
		.snapshots = q->snapshots,
		.file_bytes = q->file->size,
	};
}

void mhi_qcow2_set_backing(struct mhi_blk *b, struct mhi_blk *backing)
{
	b->backing = backing;
}

const char *mhi_qcow2_fault(const struct mhi_blk *b)
{
	return ((const struct mhi_q2 *)b)->fault;
}
