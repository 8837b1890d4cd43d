/* SPDX-License-Identifier: MIT */
/* The raw back end: bytes of a file or of a block device. */
#include "virtio/be_raw.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/atomic.h"
#include "base/checked.h"

/* At the front of a disk whose format was guessed: what is judged before it is written. */
#define BEGIN_BYTES 4096u

/*
 * Linux drops what it cannot write back, and tells of that once per open file: who else was under
 * way must be told by us. `syncs` counts these failures: flushes and writes fail when it changed
 * while they were under way. For a write that ended before the failure, and after the flush that
 * was told of it had been asked for, the next flush fails.
 */
#define SYNCS_WRITTEN 1u /* a write has ended since the last flush was asked for */
#define SYNCS_OWED 2u	 /* the next flush has a failure to tell */
#define SYNCS_FAILURE 4u /* and above: how many */

struct raw {
	struct mhi_blk blk;
	int fd;		   /* (c) direct I/O if asked for */
	int cached;	   /* (c) through the page cache: the same descriptor without direct I/O */
	u32 align, memory; /* (c) of direct I/O; 1 without */
	bool device;	   /* (c) */
	bool guessed;	   /* (c) see MHI_RAW_GUESSED */
	u32 no_nowait;	   /* (a) the file system has no RWF_NOWAIT */
	u32 no_dsync;	   /* (a) the file system has no RWF_DSYNC */
	u32 syncs;	   /* (a) see SYNCS_FAILURE */
	dev_t st_dev;	   /* (c) */
	ino_t st_ino;	   /* (c) */
	/* Held in fdatasync, so that its failure is counted before another's success; a leaf. */
	pthread_mutex_t sync_lock;
};

static const struct mhi_blk_ops raw_ops;

static struct raw *raw_of(struct mhi_blk *b)
{
	return (struct raw *)b;
}

static u64 round_up(u64 bytes)
{
	return (bytes + MHI_BLK_SECTOR - 1) & ~(u64)(MHI_BLK_SECTOR - 1);
}

/* Direct I/O where the request's alignment allows it; the kernel keeps both ways coherent. */
static int fd_for(struct raw *r, u64 offset, const struct iovec *iov, u32 count)
{
	u32 i;

	if (r->fd == r->cached)
		return r->fd;
	if (offset & (r->align - 1))
		return r->cached;
	for (i = 0; i < count; i++)
		if (((uintptr_t)iov[i].iov_base & (r->memory - 1)) ||
		    (iov[i].iov_len & (r->align - 1)))
			return r->cached;
	return r->fd;
}

/* A read ended early at `position`: behind the end are zeroes, before it the file was cut short. */
static int read_end(struct raw *r, u64 position, struct mhi_iovs *rest, u64 bytes)
{
	u64 size = mhi_load64(&r->blk.size);

	if (round_up(position) < size || (r->device && position < size))
		return MH_EIO;
	mhi_iovs_zero(rest, bytes);
	return 0;
}

/* The general way: pieces, continued after short transfers. */
static int transfer(struct raw *r, u64 offset, struct mhi_iovs *at, u64 bytes, bool write)
{
	struct iovec piece[MHI_IOV_PIECE];
	struct mhi_iovs before;
	u64 length;
	ssize_t n;
	u32 count;

	while (bytes) {
		before = *at;
		length = bytes;
		count = mhi_iovs_cut(at, piece, &length);
		do {
			n = write ? pwritev(r->cached, piece, (int)count, (off_t)offset)
				  : preadv(r->cached, piece, (int)count, (off_t)offset);
		} while (n < 0 && errno == EINTR);
		if (n < 0)
			return mhi_blk_errno(errno);
		if (n == 0 && write)
			return MH_EIO;
		if (n == 0)
			return read_end(r, offset, &before, bytes);
		if ((u64)n < length) {
			/* Take up again where the transfer ended. */
			*at = before;
			length = (u64)n;
			mhi_iovs_cut(at, piece, &length);
		}
		offset += length;
		bytes -= length;
	}
	return 0;
}

static int raw_read(struct mhi_blk *b, u64 offset, const struct iovec *iov, u32 count)
{
	struct raw *r = raw_of(b);
	struct mhi_iovs at = { iov, count, 0 };
	u64 bytes = mhi_iov_bytes(iov, count);
	ssize_t n = 0;

	if (count <= IOV_MAX)
		n = preadv(fd_for(r, offset, iov, count), iov, (int)count, (off_t)offset);
	if (n == (ssize_t)bytes)
		return 0;
	if (n < 0 && errno != EINTR && errno != EINVAL)
		return mhi_blk_errno(errno);
	return transfer(r, offset, &at, bytes, false);
}

static int raw_try_read(struct mhi_blk *b, u64 offset, const struct iovec *iov, u32 count)
{
	struct raw *r = raw_of(b);
	ssize_t n;

	if (r->fd != r->cached || count > IOV_MAX ||
	    __atomic_load_n(&r->no_nowait, __ATOMIC_RELAXED))
		return MHI_BLK_WAIT;
	n = preadv2(r->cached, iov, (int)count, (off_t)offset, RWF_NOWAIT);
	if (n == (ssize_t)mhi_iov_bytes(iov, count))
		return 0;
	if (n < 0 && (errno == EOPNOTSUPP || errno == ENOSYS || errno == EINVAL))
		__atomic_store_n(&r->no_nowait, 1, __ATOMIC_RELAXED);
	return MHI_BLK_WAIT;
}

/* Other threads may move the end at the same time: it only grows here. */
static void note_end(struct mhi_blk *b, u64 end)
{
	u64 size;

	do {
		size = mhi_load64(&b->size);
		if (end <= size)
			return;
	} while (!__atomic_compare_exchange_n(&b->size, &size, round_up(end), false,
					      __ATOMIC_SEQ_CST, __ATOMIC_RELAXED));
}

static bool failed_since(u32 before, u32 syncs)
{
	return syncs / SYNCS_FAILURE != before / SYNCS_FAILURE;
}

static void note_failure(struct raw *r)
{
	u32 old = mhi_load32(&r->syncs), new;

	/* Paired with end_write() and raw_flush(). */
	do {
		new = (old & SYNCS_WRITTEN ? old | SYNCS_OWED : old) + SYNCS_FAILURE;
	} while (!__atomic_compare_exchange_n(&r->syncs, &old, new, false, __ATOMIC_SEQ_CST,
					      __ATOMIC_RELAXED));
}

/* before: `syncs` when the flush or the write began. */
static int sync_file(struct raw *r, u32 before)
{
	int rc;

	pthread_mutex_lock(&r->sync_lock);
	do {
		rc = fdatasync(r->fd);
	} while (rc && errno == EINTR);
	if (rc) {
		rc = mhi_blk_errno(errno);
		note_failure(r);
	} else if ((before & SYNCS_OWED) || failed_since(before, mhi_load32(&r->syncs))) {
		rc = MH_EIO;
	}
	pthread_mutex_unlock(&r->sync_lock);
	return rc;
}

static int raw_flush(struct mhi_blk *b)
{
	struct raw *r = raw_of(b);

	/* Paired with end_write() and note_failure(). */
	return sync_file(r, mhi_fetch_and32(&r->syncs, ~(SYNCS_WRITTEN | SYNCS_OWED)));
}

static int end_write(struct raw *r, u32 before)
{
	/* Paired with note_failure(). */
	u32 syncs = mhi_load32(&r->syncs);

	if (!(syncs & SYNCS_WRITTEN))
		syncs = mhi_fetch_or32(&r->syncs, SYNCS_WRITTEN);
	return failed_since(before, syncs) ? MH_EIO : 0;
}

static int write_all(struct mhi_blk *b, u64 offset, const struct iovec *iov, u32 count, u32 flags)
{
	struct raw *r = raw_of(b);
	struct mhi_iovs at = { iov, count, 0 };
	bool stable = (flags & MHI_BLK_FUA) != 0;
	bool dsync = stable && !__atomic_load_n(&r->no_dsync, __ATOMIC_RELAXED);
	u64 bytes = mhi_iov_bytes(iov, count);
	u32 before = mhi_load32(&r->syncs);
	ssize_t n = 0;
	int rc;

	if (count <= IOV_MAX)
		n = pwritev2(fd_for(r, offset, iov, count), iov, (int)count, (off_t)offset,
			     dsync ? RWF_DSYNC : 0);
	if (n < 0 && dsync && (errno == EOPNOTSUPP || errno == ENOSYS)) {
		__atomic_store_n(&r->no_dsync, 1, __ATOMIC_RELAXED);
		n = 0;
	}
	if (n < 0 && errno != EINTR && errno != EINVAL) {
		rc = mhi_blk_errno(errno);
		if (dsync)
			note_failure(r); /* perhaps of what others wrote */
		return rc;
	}
	if (n != (ssize_t)bytes) {
		rc = transfer(r, offset, &at, bytes, true);
		if (rc)
			return rc;
		dsync = false;
	}
	note_end(b, offset + bytes);
	rc = end_write(r, before);
	return !rc && stable && !dsync ? sync_file(r, before & ~SYNCS_OWED) : rc;
}

/*
 * The disk's first bytes, unless they would make it look like qcow2. The guest may change its
 * memory meanwhile: what is judged is a copy, which is what is written.
 */
static int write_begin(struct mhi_blk *b, const struct iovec *iov, u32 count, u32 flags)
{
	static const u8 magic[4] = { 'Q', 'F', 'I', 0xfb };
	/* Aligned, for direct I/O. */
	u8 begin[BEGIN_BYTES] __attribute__((aligned(BEGIN_BYTES))) = { 0 };
	struct mhi_iovs from = { iov, count, 0 };
	struct iovec piece[MHI_IOV_PIECE];
	u64 bytes = mhi_iov_bytes(iov, count), n = bytes < BEGIN_BYTES ? bytes : BEGIN_BYTES, at;
	int rc;

	mhi_iovs_take(&from, begin, n);
	if (!memcmp(begin, magic, sizeof(magic)))
		return MH_EPERM;
	rc = write_all(b, 0, &(struct iovec){ begin, n }, 1, flags);
	for (at = n; at < bytes && !rc; at += n) {
		n = bytes - at;
		count = mhi_iovs_cut(&from, piece, &n);
		rc = write_all(b, at, piece, count, flags);
	}
	return rc;
}

static int raw_write(struct mhi_blk *b, u64 offset, const struct iovec *iov, u32 count, u32 flags)
{
	if (raw_of(b)->guessed && !offset)
		return write_begin(b, iov, count, flags);
	return write_all(b, offset, iov, count, flags);
}

/* EOPNOTSUPP and the like: another way may still do. */
static bool unsupported(int error)
{
	return error == EOPNOTSUPP || error == ENOSYS || error == EINVAL || error == ENODEV;
}

static int fall(struct raw *r, int mode, u64 offset, u64 bytes)
{
	int rc;

	do {
		rc = fallocate(r->fd, mode, (off_t)offset, (off_t)bytes);
	} while (rc && errno == EINTR);
	return rc ? errno : 0;
}

static int raw_write_zeroes(struct mhi_blk *b, u64 offset, u64 bytes, u32 flags)
{
	struct raw *r = raw_of(b);
	int error = EOPNOTSUPP;

	if ((flags & MHI_BLK_UNMAP) && offset + bytes <= mhi_load64(&b->size))
		error = fall(r, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, offset, bytes);
	if (unsupported(error))
		error = fall(r, FALLOC_FL_ZERO_RANGE, offset, bytes);
	if (unsupported(error) && r->device)
		error = -mhi_raw_dev_zero(r->fd, offset, bytes);
	if (unsupported(error))
		return mhi_blk_write_zero_bytes(b, offset, bytes);
	if (!error)
		note_end(b, offset + bytes);
	return mhi_blk_errno(error);
}

static int raw_discard(struct mhi_blk *b, u64 offset, u64 bytes)
{
	struct raw *r = raw_of(b);
	int error;

	if (r->device)
		error = -mhi_raw_dev_discard(r->fd, offset, bytes);
	else
		error = fall(r, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, offset, bytes);
	return unsupported(error) ? 0 : mhi_blk_errno(error);
}

static int raw_extent(struct mhi_blk *b, u64 offset, u64 bytes, enum mhi_blk_kind *kind,
		      u64 *length)
{
	struct raw *r = raw_of(b);
	off_t data, hole;

	*kind = MHI_BLK_DATA;
	*length = bytes;
	if (r->device)
		return 0;
	data = lseek(r->cached, (off_t)offset, SEEK_DATA);
	if (data < 0 && errno == ENXIO) {
		*kind = MHI_BLK_HOLE; /* nothing but a hole up to the end */
		return 0;
	}
	if (data < 0)
		return 0;
	if ((u64)data > offset) {
		*kind = MHI_BLK_HOLE;
		*length = (u64)data - offset;
	} else {
		hole = lseek(r->cached, (off_t)offset, SEEK_HOLE);
		if (hole > (off_t)offset)
			*length = (u64)hole - offset;
	}
	/* Extents of requests are whole sectors; the file's last one may be cut. */
	*length = *kind == MHI_BLK_HOLE ? *length & ~(u64)(MHI_BLK_SECTOR - 1) : round_up(*length);
	if (!*length) {
		*kind = MHI_BLK_DATA;
		*length = MHI_BLK_SECTOR;
	}
	if (*length > bytes)
		*length = bytes;
	return 0;
}

static int raw_resize(struct mhi_blk *b, u64 bytes, struct mhi_err *err)
{
	struct raw *r = raw_of(b);

	if (r->device)
		return mhi_err_set(err, MH_ENOTSUP,
				   "resize: it is a block device; resize it with its own tools");
	if (ftruncate(r->cached, (off_t)bytes))
		return mhi_err_set(err, mhi_blk_errno(errno),
				   "resize to %llu bytes: %s; free space there, and try again",
				   bytes, strerror(errno));
	mhi_store64(&b->size, round_up(bytes));
	return 0;
}

static int raw_close(struct mhi_blk *b)
{
	struct raw *r = raw_of(b);

	if (r->cached != r->fd && r->cached >= 0)
		close(r->cached);
	if (r->fd >= 0)
		close(r->fd);
	pthread_mutex_destroy(&r->sync_lock);
	free(r);
	return 0;
}

static const struct mhi_blk_ops raw_ops = {
	.format = "raw",
	.read = raw_read,
	.try_read = raw_try_read,
	.write = raw_write,
	.write_zeroes = raw_write_zeroes,
	.discard = raw_discard,
	.flush = raw_flush,
	.resize = raw_resize,
	.extent = raw_extent,
	.close = raw_close,
};

static const char *cure_of(int error, u32 flags)
{
	switch (error) {
	case EACCES:
	case EPERM:
		return "give this user the right, or run as another one";
	case EEXIST:
		return "choose another name or remove it first";
	case ENOENT:
	case ENOTDIR:
		return (flags & MHI_RAW_CREATE) ? "correct the path, or make its folder"
						: "correct the path, or create it";
	case EROFS:
	case ETXTBSY:
		return "open it read-only";
	case EMFILE:
	case ENFILE:
		return "close files or raise the limit (ulimit -n)";
	case ENOSPC:
	case EDQUOT:
		return "free some there, or choose another place";
	default:
		return "is it the right file?";
	}
}

static int fail_open(struct mhi_err *err, const char *path, u32 flags, int error)
{
	const char *what = (flags & MHI_RAW_CREATE)	 ? "create"
			   : (flags & MHI_RAW_READ_ONLY) ? "open for reading"
							 : "open";

	return mhi_err_set(err, mhi_blk_errno(error), "%s '%s': %s; %s", what, path,
			   strerror(error), cure_of(error, flags));
}

static int fail_kind(struct mhi_err *err, const char *path)
{
	return mhi_err_set(err, MH_EINVAL,
			   "open '%s': it is neither a regular file nor a block device; name one",
			   path);
}

/*
 * A path that an image names may be anything, and for some devices being opened is an order: a
 * watchdog begins to count. learn() judges what was opened in the end.
 */
static bool must_not_open(const char *path)
{
	struct stat st;

	return !stat(path, &st) && !S_ISREG(st.st_mode) && !S_ISBLK(st.st_mode) &&
	       !S_ISDIR(st.st_mode);
}

/* Opening another's FIFO or terminal must not wait for anything: O_NONBLOCK. */
static int open_fd(const char *path, u32 flags)
{
	int mode = O_CLOEXEC | O_NOCTTY | O_NONBLOCK;

	mode |= (flags & MHI_RAW_READ_ONLY) ? O_RDONLY : O_RDWR;
	mode |= (flags & MHI_RAW_CREATE) ? O_CREAT | O_EXCL : 0;
	return open(path, mode, 0644);
}

/* A second open file description of the same file, for direct I/O. */
static int open_direct(struct raw *r, u32 flags)
{
	char path[32];

	snprintf(path, sizeof(path), "/proc/self/fd/%d", r->cached);
	r->fd = open(path,
		     O_CLOEXEC | O_DIRECT | ((flags & MHI_RAW_READ_ONLY) ? O_RDONLY : O_RDWR));
	return r->fd < 0 ? errno : 0;
}

static int learn(struct raw *r, u32 flags, const char *path, struct mhi_err *err)
{
	struct mhi_raw_facts facts;
	struct stat st;
	int error;

	error = -mhi_raw_facts(r->cached, &facts);
	if (error == EINVAL)
		return fail_kind(err, path);
	if (error || fstat(r->cached, &st))
		return fail_open(err, path, flags, error ? error : errno);
	if (facts.read_only && !(flags & MHI_RAW_READ_ONLY))
		return mhi_err_set(err, MH_EPERM, "open '%s': the device is read-only; open it so",
				   path);
	r->st_dev = st.st_dev;
	r->st_ino = st.st_ino;
	r->device = facts.device;
	r->fd = r->cached;
	r->align = r->memory = 1;
	if (flags & MHI_RAW_DIRECT) {
		error = open_direct(r, flags);
		if (error) {
			r->fd = r->cached;
			return mhi_err_set(err, mhi_blk_errno(error),
					   "open '%s': direct I/O: %s; go without", path,
					   strerror(error));
		}
		r->align = facts.direct_align;
		r->memory = facts.direct_memory;
	}
	r->blk.size =
		facts.device ? facts.bytes & ~(u64)(MHI_BLK_SECTOR - 1) : round_up(facts.bytes);
	r->blk.limits = (struct mhi_blk_limits){
		.block = (flags & MHI_RAW_DIRECT) ? r->align : facts.block,
		.physical = facts.physical,
		.memory_align = r->memory,
		.discard_align = facts.physical,
		.fast_zeroes = true,
	};
	return 0;
}

int mhi_raw_open(const char *path, u32 flags, struct mhi_blk **out, struct mhi_err *err)
{
	struct raw *r = calloc(1, sizeof(*r));
	int rc;

	if (!r)
		return mhi_err_set(err, MH_ENOMEM, "open '%s': " MHI_NO_MEMORY, path);
	pthread_mutex_init(&r->sync_lock, NULL);
	r->blk.ops = &raw_ops;
	r->blk.read_only = (flags & MHI_RAW_READ_ONLY) != 0;
	r->guessed = (flags & MHI_RAW_GUESSED) != 0;
	r->fd = r->cached = -1;
	if (!(flags & MHI_RAW_CREATE) && must_not_open(path)) {
		rc = fail_kind(err, path);
		goto fail;
	}
	r->fd = r->cached = open_fd(path, flags);
	if (r->fd < 0) {
		rc = fail_open(err, path, flags, errno);
		goto fail;
	}
	rc = learn(r, flags, path, err);
	if (!rc && !(flags & MHI_RAW_NO_LOCK))
		rc = mhi_lock_image(r->cached, !r->blk.read_only, path, err);
	if (rc)
		goto fail;
	*out = &r->blk;
	return 0;

fail:
	raw_close(&r->blk);
	return rc;
}

void mhi_raw_identity(const struct mhi_blk *b, dev_t *device, ino_t *inode)
{
	const struct raw *r = (const struct raw *)b;

	*device = r->st_dev;
	*inode = r->st_ino;
}
