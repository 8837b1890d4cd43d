/* SPDX-License-Identifier: MIT */
/*
 * The qcow2 back end: opening, creating and checking images; reading and writing is by struct
 * mhi_blk.
 */
#ifndef MHI_VIRTIO_QCOW2_H
#define MHI_VIRTIO_QCOW2_H

#include "core/blk.h"

#define MHI_QCOW2_READ_ONLY 1u
#define MHI_QCOW2_CHECK 2u /* open what is marked dirty or corrupt, repair nothing */

/*
 * Opens the image that file holds. On success the node owns file; on error the caller still does.
 * The backing file is not opened: see mhi_qcow2_backing and mhi_qcow2_set_backing. An image that
 * was not closed properly is repaired here when it is opened for writing.
 * Returns 0; MH_EFORMAT (not qcow2, or damaged), MH_ENOTSUP (a feature, named), MH_EIO, MH_ENOMEM.
 */
int mhi_qcow2_open(struct mhi_blk *file, u32 flags, struct mhi_blk **out, struct mhi_err *err);
bool mhi_qcow2_is(const struct mhi_blk *b);
/* Does it begin as a qcow2 image does? 0 or 1, or MH_E*. */
int mhi_qcow2_probe(struct mhi_blk *file);

struct mhi_qcow2_info {
	u32 version, cluster_bytes, refcount_bits;
	bool dirty, corrupt, lazy_refcounts, has_bitmaps;
	const char *compression;    /* "zlib", "zstd" */
	const char *backing_name;   /* as in the header; NULL: none */
	const char *backing_format; /* NULL: the header names none */
	u32 snapshots;
	u64 file_bytes;
};

/* The strings belong to the node. */
void mhi_qcow2_info(const struct mhi_blk *b, struct mhi_qcow2_info *info);
/* The node owns backing from now on. */
void mhi_qcow2_set_backing(struct mhi_blk *b, struct mhi_blk *backing);
/* What made the image refuse further writes; "" if nothing did. */
const char *mhi_qcow2_fault(const struct mhi_blk *b);

struct mhi_qcow2_create {
	u64 size;		    /* bytes; multiple of MHI_BLK_SECTOR */
	u32 cluster_bytes;	    /* 0: 64 KiB */
	u32 version;		    /* 2 or 3; 0: 3 */
	u32 refcount_bits;	    /* 0: 16 */
	const char *backing_name;   /* NULL: none */
	const char *backing_format; /* with backing_name */
};

/* Writes an empty image into an empty file. MH_EINVAL names the option. */
int mhi_qcow2_create(struct mhi_blk *file, const struct mhi_qcow2_create *options,
		     struct mhi_err *err);

struct mhi_qcow2_check {
	u64 clusters;	/* of the file */
	u64 referenced; /* clusters that something refers to */
	u64 guest_data; /* allocated clusters of the active disk */
	u64 leaks;	/* clusters counted more often than they are used: space is lost */
	u64 errors;	/* wrong references and counts: data is in danger */
	u64 fixed;
	u64 file_end;	 /* bytes up to the last cluster in use */
	char first[256]; /* the first error in words */
};

typedef bool mhi_blk_progress(void *opaque, u64 done, u64 total); /* false: stop */

/*
 * Compare all references with all counts. repair: set counts right, and the flags that depend on
 * them.
 * Returns 0 (see report), MH_ESTATE (stopped by progress), MH_EFORMAT (cannot be checked), MH_EIO,
 * MH_ENOMEM.
 */
int mhi_qcow2_check(struct mhi_blk *b, bool repair, struct mhi_qcow2_check *report,
		    mhi_blk_progress *progress, void *opaque);

#endif
