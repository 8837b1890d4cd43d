/* SPDX-License-Identifier: MIT */
/* Block requests on their way to a node. */
#include "core/blk.h"

#include <errno.h>

#include "base/checked.h"

/* What write_zeroes writes where nothing better exists, bytes at a time. */
#define ZEROES_BYTES 65536u

/* A larger read keeps others who want the device's lock from it for too long, even from memory. */
#define TRY_BYTES (256u << 10)

static const u8 zeroes[ZEROES_BYTES] __attribute__((aligned(4096)));

int mhi_blk_read(struct mhi_blk *b, u64 offset, void *buf, size_t bytes)
{
	const struct iovec iov = { buf, bytes };

	return b->ops->read(b, offset, &iov, 1);
}

int mhi_blk_write(struct mhi_blk *b, u64 offset, const void *buf, size_t bytes)
{
	const struct iovec iov = { (void *)(uintptr_t)buf, bytes };

	return b->ops->write(b, offset, &iov, 1, 0);
}

int mhi_blk_write_zero_bytes(struct mhi_blk *b, u64 offset, u64 bytes)
{
	struct iovec iov[MHI_IOV_PIECE];
	u64 piece;
	u32 n;
	int rc;

	while (bytes) {
		piece = 0;
		for (n = 0; n < MHI_IOV_PIECE && piece < bytes; n++) {
			iov[n].iov_base = (void *)(uintptr_t)zeroes;
			iov[n].iov_len =
				bytes - piece < ZEROES_BYTES ? bytes - piece : ZEROES_BYTES;
			piece += iov[n].iov_len;
		}
		rc = b->ops->write(b, offset, iov, n, 0);
		if (rc)
			return rc;
		offset += piece;
		bytes -= piece;
	}
	return 0;
}

int mhi_blk_errno(int error)
{
	switch (error) {
	case 0:
		return 0;
	case ENOSPC:
	case EDQUOT:
	case EFBIG:
		return MH_ENOSPC;
	case ENOMEM:
		return MH_ENOMEM;
	case EACCES:
	case EPERM:
	case EROFS:
		return MH_EPERM;
	case ENOENT:
		return MH_ENOENT;
	case EEXIST:
		return MH_EEXIST;
	case EOPNOTSUPP:
	case ENOSYS:
		return MH_ENOTSUP;
	default:
		return MH_EIO;
	}
}

u64 mhi_iov_bytes(const struct iovec *iov, u32 count)
{
	u64 bytes = 0;
	u32 i;

	for (i = 0; i < count; i++)
		bytes += iov[i].iov_len;
	return bytes;
}

/* The next stretch of memory, at most `most` bytes, and step over it. */
static struct iovec next_stretch(struct mhi_iovs *from, u64 most)
{
	struct iovec piece;

	while (from->skip == from->iov->iov_len) {
		from->iov++;
		from->count--;
		from->skip = 0;
	}
	piece.iov_base = (u8 *)from->iov->iov_base + from->skip;
	piece.iov_len = from->iov->iov_len - from->skip;
	if (piece.iov_len > most)
		piece.iov_len = most;
	from->skip += piece.iov_len;
	return piece;
}

u32 mhi_iovs_cut(struct mhi_iovs *from, struct iovec *piece, u64 *bytes)
{
	u64 got = 0;
	u32 n;

	for (n = 0; n < MHI_IOV_PIECE && got < *bytes; n++) {
		piece[n] = next_stretch(from, *bytes - got);
		got += piece[n].iov_len;
	}
	*bytes = got;
	return n;
}

void mhi_iovs_zero(struct mhi_iovs *at, u64 bytes)
{
	struct iovec piece;

	for (; bytes; bytes -= piece.iov_len) {
		piece = next_stretch(at, bytes);
		memset(piece.iov_base, 0, piece.iov_len);
	}
}

void mhi_iovs_fill(struct mhi_iovs *to, const void *from, u64 bytes)
{
	const u8 *next = from;
	struct iovec piece;

	for (; bytes; bytes -= piece.iov_len) {
		piece = next_stretch(to, bytes);
		memcpy(piece.iov_base, next, piece.iov_len);
		next += piece.iov_len;
	}
}

void mhi_iovs_take(struct mhi_iovs *from, void *to, u64 bytes)
{
	struct iovec piece;
	u8 *next = to;

	for (; bytes; bytes -= piece.iov_len) {
		piece = next_stretch(from, bytes);
		memcpy(next, piece.iov_base, piece.iov_len);
		next += piece.iov_len;
	}
}

/* ---- requests ---- */

static int check(const struct mhi_blk *b, const struct mhi_blk_req *req)
{
	bool moves = req->op == MHI_BLK_READ || req->op == MHI_BLK_WRITE;

	if (req->op == MHI_BLK_FLUSH)
		return 0;
	if ((req->offset | req->bytes) % MHI_BLK_SECTOR)
		return MH_EINVAL;
	if (!mhi_range_within(req->offset, req->bytes, b->size))
		return MH_ERANGE;
	if (moves && mhi_iov_bytes(req->iov, req->iov_count) != req->bytes)
		return MH_EINVAL;
	if (req->op != MHI_BLK_READ && b->read_only)
		return MH_EPERM;
	return 0;
}

int mhi_blk_try(struct mhi_blk *b, const struct mhi_blk_req *req)
{
	int rc = check(b, req);

	if (rc)
		return rc;
	if (req->op != MHI_BLK_READ || !b->ops->try_read || req->bytes > TRY_BYTES)
		return MHI_BLK_WAIT;
	rc = b->ops->try_read(b, req->offset, req->iov, req->iov_count);
	/* What fails does so again: errors from here are the request's own. */
	return rc < 0 ? MHI_BLK_WAIT : rc;
}

int mhi_blk_execute(struct mhi_blk *b, const struct mhi_blk_req *req)
{
	int rc;

	switch (req->op) {
	case MHI_BLK_READ:
		return b->ops->read(b, req->offset, req->iov, req->iov_count);
	case MHI_BLK_WRITE:
		return b->ops->write(b, req->offset, req->iov, req->iov_count, req->flags);
	case MHI_BLK_FLUSH:
		return b->read_only ? 0 : b->ops->flush(b);
	case MHI_BLK_DISCARD:
		return b->ops->discard ? b->ops->discard(b, req->offset, req->bytes) : MH_ENOTSUP;
	case MHI_BLK_WRITE_ZEROES:
		rc = b->ops->write_zeroes(b, req->offset, req->bytes, req->flags);
		return rc || !(req->flags & MHI_BLK_FUA) ? rc : b->ops->flush(b);
	}
	return MH_EINVAL;
}
