/* SPDX-License-Identifier: MIT */
/*
 * The contract of block back ends. A back end (a "node") works synchronously and may be called by
 * several threads at once; nodes stack (qcow2 over a raw file over its backing nodes). Devices do
 * not call nodes: they make requests, which are checked here. Codes are MH_E*, negative.
 */
#ifndef MHI_CORE_BLK_H
#define MHI_CORE_BLK_H

#include <sys/uio.h>

#include "base/types.h"
#include "core/err.h"

struct mhi_blk;

/* Sizes and offsets of requests are multiples of this (virtio 1.2, 5.2.4 "Device configuration
 * layout": capacity is in 512-byte sectors).
 */
#define MHI_BLK_SECTOR 512u

/* Not an error of a request: try_read() would have to wait. Positive, so that it is no MH_E*. */
#define MHI_BLK_WAIT 1

/* Flags of requests. */
#define MHI_BLK_FUA 1u	 /* write: stable when it completes */
#define MHI_BLK_UNMAP 2u /* write_zeroes: storage may be given back */

/* What is stored at an extent, as far as the node itself knows. */
enum mhi_blk_kind {
	MHI_BLK_DATA, /* something is stored */
	MHI_BLK_ZERO, /* reads as zeroes, without storage or with */
	MHI_BLK_HOLE, /* this node stores nothing: its backing node shows through; else zeroes */
};

struct mhi_blk_limits {
	u32 block;	   /* bytes; requests should be multiples of it (logical block) */
	u32 physical;	   /* bytes; writes of less cost a read (physical block, cluster) */
	u32 memory_align;  /* bytes; buffers with less are copied once more */
	u32 discard_align; /* bytes; discards of less do nothing; 0: the node has no discard */
	bool fast_zeroes;  /* write_zeroes needs no writing of zeroes */
};

struct mhi_blk_ops {
	const char *format; /* "raw", "qcow2" */
	/*
	 * Transfer all bytes of iov [count] at offset, which lie within b->size. A read beyond the
	 * end of a short file gives zeroes. Several calls may overlap in time; if they overlap in
	 * bytes too, each byte is one of theirs.
	 */
	int (*read)(struct mhi_blk *b, u64 offset, const struct iovec *iov, u32 count);
	int (*write)(struct mhi_blk *b, u64 offset, const struct iovec *iov, u32 count, u32 flags);
	/* read() that never waits: MHI_BLK_WAIT when it would have to. NULL: always has to. */
	int (*try_read)(struct mhi_blk *b, u64 offset, const struct iovec *iov, u32 count);
	int (*write_zeroes)(struct mhi_blk *b, u64 offset, u64 bytes, u32 flags);
	/* A hint: what is read there afterwards is the old content or zeroes. */
	int (*discard)(struct mhi_blk *b, u64 offset, u64 bytes);
	/* All that was complete when it was called is stable when it returns 0. */
	int (*flush)(struct mhi_blk *b);
	/* Grow or shrink; content up to the smaller size stays, new content is zeroes. */
	int (*resize)(struct mhi_blk *b, u64 bytes, struct mhi_err *err);
	/* Kind and length of what begins at offset; *length is 1..bytes. NULL: all is data. */
	int (*extent)(struct mhi_blk *b, u64 offset, u64 bytes, enum mhi_blk_kind *kind,
		      u64 *length);
	/* Brings to storage what is not there yet, and frees the node and those below it. */
	int (*close)(struct mhi_blk *b);
};

struct mhi_blk {
	const struct mhi_blk_ops *ops; /* (c) */
	/* bytes; multiple of MHI_BLK_SECTOR; changed by resize only */
	u64 size;
	struct mhi_blk_limits limits; /* (c) */
	bool read_only;		      /* (c) */
	struct mhi_blk *backing;      /* (c) what MHI_BLK_HOLE shows; NULL: none */
};

/* ---- helpers over nodes ---- */

int mhi_blk_read(struct mhi_blk *b, u64 offset, void *buf, size_t bytes);
int mhi_blk_write(struct mhi_blk *b, u64 offset, const void *buf, size_t bytes);
/* Write zeroes by writing them: for nodes that have no better way. */
int mhi_blk_write_zero_bytes(struct mhi_blk *b, u64 offset, u64 bytes);
/* The MH_E* of an errno of file or device I/O. */
int mhi_blk_errno(int error);

/* A position in an iovec array, from which pieces are cut without copying or allocating. */
struct mhi_iovs {
	const struct iovec *iov;
	u32 count;
	size_t skip; /* bytes of iov[0] that are behind */
};

#define MHI_IOV_PIECE 64

u64 mhi_iov_bytes(const struct iovec *iov, u32 count);
/*
 * Cut up to *bytes from the front into piece [MHI_IOV_PIECE]; *bytes becomes what fitted. Returns
 * the number of entries.
 */
u32 mhi_iovs_cut(struct mhi_iovs *from, struct iovec *piece, u64 *bytes);
void mhi_iovs_zero(struct mhi_iovs *at, u64 bytes);
/* Copy between a buffer and the front, and step over it. */
void mhi_iovs_fill(struct mhi_iovs *to, const void *from, u64 bytes);
void mhi_iovs_take(struct mhi_iovs *from, void *to, u64 bytes);

/* ---- requests of a device ---- */

enum mhi_blk_op {
	MHI_BLK_READ,
	MHI_BLK_WRITE,
	MHI_BLK_FLUSH,
	MHI_BLK_DISCARD,
	MHI_BLK_WRITE_ZEROES
};

struct mhi_blk_req {
	enum mhi_blk_op op;
	u32 flags;		 /* MHI_BLK_FUA, MHI_BLK_UNMAP */
	u64 offset, bytes;	 /* multiples of MHI_BLK_SECTOR; bytes is the sum of iov */
	const struct iovec *iov; /* READ, WRITE: [iov_count] */
	u32 iov_count;
};

/*
 * What can be said without waiting: 0 (it is done) or MH_E* (there can be no such request);
 * MHI_BLK_WAIT: it is for mhi_blk_execute.
 */
int mhi_blk_try(struct mhi_blk *b, const struct mhi_blk_req *req);
/*
 * Do it, however long it takes, on the caller's thread. Requests have no order among themselves; a
 * flush covers what had completed when it was called. 0; MH_E*.
 */
int mhi_blk_execute(struct mhi_blk *b, const struct mhi_blk_req *req);

#endif
