/* SPDX-License-Identifier: MIT */
/*
 * Writing: in place where the cluster is ours alone, else into new clusters that are linked when
 * they are full.
 */
#include "virtio/qcow2_int.h"

#include <stdlib.h>

/* One step of a write: guest clusters that are treated alike. */
struct step {
	u64 offset, bytes; /* of the guest */
	bool in_place;
	u64 host;	       /* in place: byte in the file */
	struct q2_alloc alloc; /* else: what is being filled */
	/* the clusters were the guest's already, and hidden by a zero flag */
	bool reuse;
	bool fresh;		   /* never written: reads as zeroes */
	bool head_zero, tail_zero; /* the old content around the data is zeroes */
};

static bool busy(const struct mhi_q2 *q, u64 guest, u64 count)
{
	const struct q2_alloc *a;

	for (a = q->allocs; a; a = a->next)
		if (mhi_ranges_overlap(a->guest, a->count, guest, count))
			return true;
	return false;
}

bool mhi_q2_wait_allocs(struct mhi_q2 *q, u64 guest, u64 count)
{
	bool waited = false;

	while (busy(q, guest, count)) {
		pthread_cond_wait(&q->cond, &q->lock);
		waited = true;
	}
	return waited;
}

static void end_alloc(struct mhi_q2 *q, struct q2_alloc *alloc)
{
	struct q2_alloc **at = &q->allocs;

	while (*at != alloc)
		at = &(*at)->next;
	*at = alloc->next;
	pthread_cond_broadcast(&q->cond);
}

static bool is_ours(const struct mhi_q2 *q, u64 entry, enum q2_kind kind)
{
	return mhi_q2_kind(q, entry) == kind && (entry & Q2_COPIED);
}

/* Guest data must not land on tables, whatever an L2 entry says. */
static int check_target(struct mhi_q2 *q, u64 host, u64 count)
{
	u64 i;

	for (i = 0; i < count; i++)
		if (mhi_q2_meta_of(q, host + i) != Q2_META_NONE)
			return mhi_q2_damaged(q, "guest data at 0x%llx overlaps %s",
					      (host + i) << q->cluster_bits,
					      mhi_q2_meta_name(mhi_q2_meta_of(q, host + i)));
	return 0;
}

static int plan_in_place(struct mhi_q2 *q, struct step *s, const struct q2_page *page, u32 index,
			 u64 most)
{
	u64 first = q2_entry(page, index) & Q2_OFFSET_MASK, entry, n;
	u64 guest = s->offset >> q->cluster_bits, skip = s->offset & (q->cluster - 1);

	for (n = 1; n < most; n++) {
		entry = q2_entry(page, index + (u32)n);
		if (!is_ours(q, entry, Q2_NORMAL) || busy(q, guest + n, 1) ||
		    (entry & Q2_OFFSET_MASK) != first + (n << q->cluster_bits) ||
		    mhi_q2_entry_check(q, entry, guest + n))
			break;
	}
	s->in_place = true;
	s->host = first + skip;
	if (s->bytes > (n << q->cluster_bits) - skip)
		s->bytes = (n << q->cluster_bits) - skip;
	return check_target(q, first >> q->cluster_bits, n);
}

static bool reads_zero(const struct mhi_q2 *q, u64 entry, u64 guest)
{
	switch (mhi_q2_kind(q, entry)) {
	case Q2_ZERO_PLAIN:
	case Q2_ZERO_ALLOCATED:
		return true;
	case Q2_UNALLOCATED:
		return q->blk.backing ? guest << q->cluster_bits >= q->blk.backing->size
				      : !q->backing_name;
	case Q2_NORMAL:
	case Q2_PACKED:
		break;
	}
	return false;
}

/* Entries from the first on that need new clusters, too. */
static u64 count_new(struct mhi_q2 *q, const struct q2_page *page, u32 index, u64 guest, u64 most)
{
	u64 entry, n;

	for (n = 1; n < most; n++) {
		entry = q2_entry(page, index + (u32)n);
		if (is_ours(q, entry, Q2_NORMAL) || is_ours(q, entry, Q2_ZERO_ALLOCATED) ||
		    busy(q, guest + n, 1) || mhi_q2_entry_check(q, entry, guest + n))
			break;
	}
	return n;
}

static int plan_alloc(struct mhi_q2 *q, struct step *s, const struct q2_page *page, u32 index,
		      u64 most)
{
	u64 entry = q2_entry(page, index), guest = s->offset >> q->cluster_bits, n = 1, want;
	u64 skip = s->offset & (q->cluster - 1);
	int rc;

	s->alloc.guest = guest;
	s->head_zero = s->tail_zero = reads_zero(q, entry, guest);
	s->reuse = is_ours(q, entry, Q2_ZERO_ALLOCATED);
	if (s->reuse) {
		s->alloc.host = (entry & Q2_OFFSET_MASK) >> q->cluster_bits;
		rc = check_target(q, s->alloc.host, 1);
	} else {
		want = count_new(q, page, index, guest, most);
		s->tail_zero =
			reads_zero(q, q2_entry(page, index + (u32)want - 1), guest + want - 1);
		/* The page may be gone from memory after this. */
		rc = mhi_q2_alloc(q, want, &s->alloc.host, &n);
		if (!rc)
			s->fresh = mhi_q2_first_use(q, s->alloc.host, n);
	}
	s->alloc.count = n;
	/* A shorter row than wanted ends at the end of a cluster: it has no tail. */
	if (s->bytes > (n << q->cluster_bits) - skip)
		s->bytes = (n << q->cluster_bits) - skip;
	return rc;
}

/* Under lock, which may be let go. Decides what the next step is and reserves its clusters. */
static int plan(struct mhi_q2 *q, struct step *s)
{
	u64 guest = s->offset >> q->cluster_bits, most, entry;
	struct q2_page *page;
	u32 index;
	int rc;

	do {
		rc = mhi_q2_make_room(q);
		if (!rc)
			rc = mhi_q2_begin_change(q);
		if (rc)
			return rc;
	} while (mhi_q2_wait_allocs(q, guest, 1));
	rc = mhi_q2_l2_for_write(q, guest, &page, &index);
	if (rc)
		return rc;
	entry = q2_entry(page, index);
	rc = mhi_q2_entry_check(q, entry, guest);
	if (rc)
		return rc;
	most = q2_clusters(q, (s->offset & (q->cluster - 1)) + s->bytes);
	if (most > mhi_q2_l2_left(q, guest))
		most = mhi_q2_l2_left(q, guest);
	if (is_ours(q, entry, Q2_NORMAL))
		return plan_in_place(q, s, page, index, most);
	if (most > 1 && most > Q2_RUN_MOST >> q->cluster_bits)
		most = Q2_RUN_MOST >> q->cluster_bits ? Q2_RUN_MOST >> q->cluster_bits : 1;
	rc = plan_alloc(q, s, page, index, most);
	if (rc)
		return rc;
	s->alloc.next = q->allocs;
	q->allocs = &s->alloc;
	return 0;
}

static int write_pieces(struct mhi_q2 *q, u64 host, struct mhi_iovs *from, u64 bytes)
{
	struct iovec piece[MHI_IOV_PIECE];
	u64 length;
	u32 count;
	int rc;

	for (; bytes; bytes -= length, host += length) {
		length = bytes;
		count = mhi_iovs_cut(from, piece, &length);
		rc = q->file->ops->write(q->file, host, piece, count, 0);
		if (rc)
			return rc;
	}
	return 0;
}

/* Old content around the data, and the data between, in one write where it fits. */
static int write_framed(struct mhi_q2 *q, const struct step *s, struct mhi_iovs *from,
			struct iovec head, struct iovec tail)
{
	u64 host = s->alloc.host << q->cluster_bits, skip = s->offset & (q->cluster - 1), length;
	struct iovec v[MHI_IOV_PIECE + 2];
	u32 n = 0;
	int rc;

	if (head.iov_len)
		v[n++] = head;
	length = s->bytes;
	n += mhi_iovs_cut(from, v + n, &length);
	if (length == s->bytes && tail.iov_len)
		v[n++] = tail;
	rc = q->file->ops->write(q->file, host + skip - head.iov_len, v, n, 0);
	if (rc || length == s->bytes)
		return rc;
	rc = write_pieces(q, host + skip + length, from, s->bytes - length);
	if (!rc && tail.iov_len)
		rc = mhi_blk_write(q->file, host + skip + s->bytes, tail.iov_base, tail.iov_len);
	return rc;
}

/* Fill the new clusters. Nobody maps them yet, so this needs no epoch. */
static int fill(struct mhi_q2 *q, const struct step *s, struct mhi_iovs *from)
{
	u64 head = s->offset & (q->cluster - 1), end = s->offset + s->bytes;
	u64 tail = (q->cluster - (end & (q->cluster - 1))) & (q->cluster - 1);
	struct iovec iov[2] = { { 0 } };
	u8 *old = NULL;
	int rc = 0;

	if (s->fresh && s->head_zero)
		head = 0;
	if (s->fresh && s->tail_zero)
		tail = 0;
	if (head + tail) {
		old = calloc(1, head + tail);
		if (!old)
			return MH_ENOMEM;
		iov[0] = (struct iovec){ old, head };
		iov[1] = (struct iovec){ old + head, tail };
		if (head && !s->head_zero)
			rc = mhi_q2_read(&q->blk, s->offset - head, &iov[0], 1);
		if (!rc && tail && !s->tail_zero)
			rc = mhi_q2_read(&q->blk, end, &iov[1], 1);
	}
	if (!rc)
		rc = write_framed(q, s, from, iov[0], iov[1]);
	free(old);
	return rc;
}

/* Out of memory, the old clusters leak: that is all. */
static void release_old(struct mhi_q2 *q, u64 old)
{
	u64 first, count;

	mhi_q2_entry_clusters(q, old, &first, &count);
	if (count)
		mhi_q2_drop_later(q, first, count, false);
}

/* Under lock: the guest's clusters become the new ones. */
static int link_clusters(struct mhi_q2 *q, const struct step *s)
{
	u64 i, old, host;
	struct q2_page *page;
	u32 index;
	int rc;

	rc = mhi_q2_make_room(q);
	if (!rc)
		rc = mhi_q2_l2_for_write(q, s->alloc.guest, &page, &index);
	if (rc)
		return rc;
	for (i = 0; i < s->alloc.count; i++) {
		old = q2_entry(page, index + (u32)i);
		host = (s->alloc.host + i) << q->cluster_bits;
		if (!s->reuse)
			release_old(q, old);
		q2_put64(page->data + 8ull * (index + i), host | Q2_COPIED);
	}
	mhi_q2_page_dirty(q, page);
	return 0;
}

static int run_alloc(struct mhi_q2 *q, struct step *s, struct mhi_iovs *from)
{
	int rc = fill(q, s, from);

	pthread_mutex_lock(&q->lock);
	if (!rc)
		rc = link_clusters(q, s);
	if (rc && !s->reuse)
		mhi_q2_drop(q, s->alloc.host, s->alloc.count);
	end_alloc(q, &s->alloc);
	pthread_mutex_unlock(&q->lock);
	return rc;
}

int mhi_q2_write(struct mhi_blk *b, u64 offset, const struct iovec *iov, u32 count, u32 flags)
{
	struct mhi_q2 *q = q2_of(b);
	struct mhi_iovs from = { iov, count, 0 };
	u64 bytes = mhi_iov_bytes(iov, count);
	struct step s;
	bool first = true;
	u32 token = 0;
	int rc;

	while (bytes) {
		memset(&s, 0, sizeof(s));
		s.offset = offset;
		s.bytes = bytes;
		pthread_mutex_lock(&q->lock);
		rc = plan(q, &s);
		if (!rc && s.in_place)
			token = mhi_q2_io_begin(q);
		pthread_mutex_unlock(&q->lock);
		if (rc)
			return rc;
		if (s.in_place) {
			if (first && s.bytes == bytes)
				rc = q->file->ops->write(q->file, s.host, iov, count, 0);
			else
				rc = write_pieces(q, s.host, &from, s.bytes);
			mhi_q2_io_end(q, token);
		} else {
			rc = run_alloc(q, &s, &from);
		}
		if (rc)
			return rc;
		first = false;
		offset += s.bytes;
		bytes -= s.bytes;
	}
	return flags & MHI_BLK_FUA ? mhi_q2_flush(b) : 0;
}
