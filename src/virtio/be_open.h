/* SPDX-License-Identifier: MIT */
/* Opening a disk image of any format with all that is below it. */
#ifndef MHI_VIRTIO_BE_OPEN_H
#define MHI_VIRTIO_BE_OPEN_H

#include "core/blk.h"

#define MHI_OPEN_READ_ONLY 1u
/* of the image itself; backing files are read through the page cache */
#define MHI_OPEN_DIRECT 2u
#define MHI_OPEN_NO_LOCK 4u    /* read-only: look at what somebody else may be writing */
#define MHI_OPEN_NO_BACKING 8u /* what the image does not store cannot be read then */
#define MHI_OPEN_CHECK 16u     /* see MHI_QCOW2_CHECK */

/*
 * format: "raw", "qcow2", or NULL: qcow2 if it begins like one, else raw. A raw image whose format
 * was guessed may not be written so that it looks like qcow2 the next time.
 * Returns 0; what mhi_raw_open and mhi_qcow2_open return; MH_EINVAL (unknown format), MH_EFORMAT (a
 * chain of backing files that is too long or leads back to itself). The sentence names the file.
 */
int mhi_image_open(const char *path, const char *format, u32 flags, struct mhi_blk **out,
		   struct mhi_err *err);

#endif
