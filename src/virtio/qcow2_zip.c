/* SPDX-License-Identifier: MIT */
/* Compressed clusters: read and unpacked whole, the last one is kept. */
#include "virtio/qcow2_int.h"

#include <stdlib.h>
#include <zlib.h>

/* "Compressed clusters": raw deflate with a window of 4 KiB; negative means no zlib header. */
#define WINDOW_BITS (-12)

static int unzip(const u8 *in, size_t in_bytes, u8 *out, size_t out_bytes)
{
	z_stream z = { .next_in = (u8 *)(uintptr_t)in,
		       .avail_in = (uInt)in_bytes,
		       .next_out = out,
		       .avail_out = (uInt)out_bytes };
	int rc;

	if (inflateInit2(&z, WINDOW_BITS) != Z_OK)
		return MH_ENOMEM;
	rc = inflate(&z, Z_FINISH);
	inflateEnd(&z);
	/* The input is counted in sectors, so there may be more of it than was needed. */
	if ((rc == Z_STREAM_END || rc == Z_BUF_ERROR) && !z.avail_out)
		return 0;
	return MH_EFORMAT;
}

static int prepare(struct mhi_q2 *q)
{
	if (!q->zip)
		q->zip = malloc(q->cluster);
	if (!q->zip_in)
		q->zip_in = malloc(2 * q->cluster + 1024);
	return q->zip && q->zip_in ? 0 : MH_ENOMEM;
}

/* Under zip_lock. */
static int unpack(struct mhi_q2 *q, u64 entry)
{
	u32 shift = 62 - (q->cluster_bits - 8);
	u64 offset = entry & ((1ull << shift) - 1);
	u64 sectors = ((entry >> shift) & ((1ull << (q->cluster_bits - 8)) - 1)) + 1;
	u64 bytes = sectors * 512 - (offset & 511);
	int rc;

	rc = prepare(q);
	if (rc)
		return rc;
	q->zip_entry = 0;
	rc = mhi_blk_read(q->file, offset, q->zip_in, bytes);
	if (rc)
		return rc;
	if (q->compression == Q2_COMPRESSION_ZSTD)
		rc = mhi_q2_unzstd(q->zip_in, bytes, q->zip, q->cluster);
	else
		rc = unzip(q->zip_in, bytes, q->zip, q->cluster);
	if (!rc)
		q->zip_entry = entry;
	return rc;
}

int mhi_q2_read_packed(struct mhi_q2 *q, u64 entry, u64 skip, struct mhi_iovs *to, u64 bytes)
{
	int rc = 0;

	pthread_mutex_lock(&q->zip_lock);
	/*
	 * What zip holds is of the same entry, but the file's bytes may have been given away and
	 * written since: then no table refers to them by this entry any more, and nothing packed is
	 * written here.
	 */
	if (q->zip_entry != entry)
		rc = unpack(q, entry);
	if (!rc)
		mhi_iovs_fill(to, q->zip + skip, bytes);
	pthread_mutex_unlock(&q->zip_lock);
	return rc;
}
