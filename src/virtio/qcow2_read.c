/* SPDX-License-Identifier: MIT */
/* Reading an image, and the epochs that keep clusters from being given away under a transfer. */
#include "virtio/qcow2_int.h"

u32 mhi_q2_io_begin(struct mhi_q2 *q)
{
	u32 token;

	pthread_mutex_lock(&q->io_lock);
	token = q->epoch & 1;
	q->transfers[token]++;
	pthread_mutex_unlock(&q->io_lock);
	return token;
}

void mhi_q2_io_end(struct mhi_q2 *q, u32 token)
{
	pthread_mutex_lock(&q->io_lock);
	if (!--q->transfers[token])
		pthread_cond_broadcast(&q->io_cond);
	pthread_mutex_unlock(&q->io_lock);
}

/* bytes of the node at offset into the front of `to`. */
static int read_node(struct mhi_blk *b, u64 offset, struct mhi_iovs *to, u64 bytes)
{
	struct iovec piece[MHI_IOV_PIECE];
	u64 length;
	u32 count;
	int rc;

	while (bytes) {
		length = bytes;
		count = mhi_iovs_cut(to, piece, &length);
		rc = b->ops->read(b, offset, piece, count);
		if (rc)
			return rc;
		offset += length;
		bytes -= length;
	}
	return 0;
}

/* How much of a range the backing node has; the rest is zeroes. */
static u64 backed(const struct mhi_q2 *q, u64 offset, u64 bytes)
{
	u64 size = q->blk.backing ? q->blk.backing->size : 0;

	if (offset >= size)
		return 0;
	return size - offset < bytes ? size - offset : bytes;
}

static int read_backing(struct mhi_q2 *q, u64 offset, struct mhi_iovs *to, u64 bytes)
{
	u64 there = backed(q, offset, bytes);
	int rc;

	if (q->backing_name && !q->blk.backing)
		return MH_ESTATE; /* not opened: zeroes would be wrong data */
	rc = there ? read_node(q->blk.backing, offset, to, there) : 0;

	if (!rc)
		mhi_iovs_zero(to, bytes - there);
	return rc;
}

static int read_extent(struct mhi_q2 *q, const struct q2_extent *e, u64 offset, struct mhi_iovs *to)
{
	switch (e->kind) {
	case Q2_NORMAL:
		return read_node(q->file, e->host, to, e->length);
	case Q2_ZERO_PLAIN:
	case Q2_ZERO_ALLOCATED:
		mhi_iovs_zero(to, e->length);
		return 0;
	case Q2_UNALLOCATED:
		return read_backing(q, offset, to, e->length);
	case Q2_PACKED:
		return mhi_q2_read_packed(q, e->entry, offset & (q->cluster - 1), to, e->length);
	}
	return MH_EFORMAT;
}

int mhi_q2_read(struct mhi_blk *b, u64 offset, const struct iovec *iov, u32 count)
{
	struct mhi_q2 *q = q2_of(b);
	u64 bytes = mhi_iov_bytes(iov, count);
	struct mhi_iovs to = { iov, count, 0 };
	struct q2_extent e;
	bool whole = true;
	u32 token;
	int rc;

	while (bytes) {
		pthread_mutex_lock(&q->lock);
		rc = mhi_q2_map(q, offset, bytes, true, &e);
		if (rc) {
			pthread_mutex_unlock(&q->lock);
			return rc;
		}
		token = mhi_q2_io_begin(q);
		pthread_mutex_unlock(&q->lock);
		whole = whole && e.length == bytes && e.kind == Q2_NORMAL;
		if (whole)
			rc = q->file->ops->read(q->file, e.host, iov, count);
		else
			rc = read_extent(q, &e, offset, &to);
		mhi_q2_io_end(q, token);
		if (rc || whole)
			return rc;
		offset += e.length;
		bytes -= e.length;
	}
	return 0;
}

static int try_extent(struct mhi_q2 *q, const struct q2_extent *e, u64 offset,
		      const struct iovec *iov, u32 count)
{
	struct mhi_iovs to = { iov, count, 0 };
	struct mhi_blk *from = q->file;
	u64 at = e->host;

	if (e->kind == Q2_PACKED || (q->backing_name && !q->blk.backing))
		return MHI_BLK_WAIT;
	if (e->kind == Q2_UNALLOCATED && backed(q, offset, e->length)) {
		if (backed(q, offset, e->length) != e->length)
			return MHI_BLK_WAIT;
		from = q->blk.backing;
		at = offset;
	} else if (e->kind != Q2_NORMAL) {
		mhi_iovs_zero(&to, e->length);
		return 0;
	}
	return from->ops->try_read ? from->ops->try_read(from, at, iov, count) : MHI_BLK_WAIT;
}

int mhi_q2_try_read(struct mhi_blk *b, u64 offset, const struct iovec *iov, u32 count)
{
	struct mhi_q2 *q = q2_of(b);
	u64 bytes = mhi_iov_bytes(iov, count);
	struct q2_extent e;
	u32 token = 0;
	int rc;

	if (pthread_mutex_trylock(&q->lock))
		return MHI_BLK_WAIT;
	rc = mhi_q2_map(q, offset, bytes, false, &e);
	if (!rc && e.length != bytes)
		rc = MHI_BLK_WAIT;
	if (!rc)
		token = mhi_q2_io_begin(q);
	pthread_mutex_unlock(&q->lock);
	if (rc)
		return rc;
	rc = try_extent(q, &e, offset, iov, count);
	mhi_q2_io_end(q, token);
	return rc;
}

int mhi_q2_extent(struct mhi_blk *b, u64 offset, u64 bytes, enum mhi_blk_kind *kind, u64 *length)
{
	struct mhi_q2 *q = q2_of(b);
	struct q2_extent e;
	int rc;

	pthread_mutex_lock(&q->lock);
	rc = mhi_q2_map(q, offset, bytes, true, &e);
	pthread_mutex_unlock(&q->lock);
	if (rc)
		return rc;
	*length = e.length;
	*kind = e.kind == Q2_UNALLOCATED				 ? MHI_BLK_HOLE
		: e.kind == Q2_ZERO_PLAIN || e.kind == Q2_ZERO_ALLOCATED ? MHI_BLK_ZERO
									 : MHI_BLK_DATA;
	return 0;
}
