/* SPDX-License-Identifier: MIT */
/*
 * Raw disks: a file or a block device whose bytes are the disk's. Also the ground that qcow2 stands
 * on.
 */
#ifndef MHI_VIRTIO_BE_RAW_H
#define MHI_VIRTIO_BE_RAW_H

#include <sys/stat.h>

#include "core/blk.h"

#define MHI_RAW_READ_ONLY 1u
#define MHI_RAW_DIRECT 2u   /* no page cache; requests that are not aligned still go through it */
#define MHI_RAW_NO_LOCK 4u  /* for reading what somebody else may be writing */
#define MHI_RAW_GUESSED 16u /* refuse writes that would make it look like qcow2 */
#define MHI_RAW_CREATE 8u   /* a new file; one that exists is an error */

/*
 * Returns 0; MH_EINVAL (neither file nor block device), MH_ENOENT, MH_EEXIST, MH_EPERM, MH_EBUSY
 * (somebody else uses it), MH_EIO, MH_ENOMEM.
 */
int mhi_raw_open(const char *path, u32 flags, struct mhi_blk **out, struct mhi_err *err);
/* Which file a raw node stands for: two paths may name one file. */
void mhi_raw_identity(const struct mhi_blk *b, dev_t *device, ino_t *inode);

/* ---- be_raw_dev.c: what the kernel knows about a file or device ---- */

struct mhi_raw_facts {
	u64 bytes;
	u32 block, physical; /* bytes */
	u32 direct_align;    /* bytes: offsets and lengths of direct I/O */
	u32 direct_memory;   /* bytes: buffers of direct I/O */
	bool device, read_only;
};

int mhi_raw_facts(int fd, struct mhi_raw_facts *facts); /* 0 or -errno */
int mhi_raw_dev_discard(int fd, u64 offset, u64 bytes); /* 0 or -errno */
int mhi_raw_dev_zero(int fd, u64 offset, u64 bytes);	/* 0 or -errno */

/* ---- be_lock.c: one writer per image ---- */

/*
 * Locks of the open file description, on the bytes that QEMU's image locking uses, so that its
 * tools and ours keep out of each other's way. 0; MH_EBUSY with a sentence that names the other
 * process where it can be found; MH_EIO.
 */
int mhi_lock_image(int fd, bool writer, const char *path, struct mhi_err *err);

#endif
