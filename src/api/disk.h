/* SPDX-License-Identifier: MIT */
/* What the files of the disk functions share. */
#ifndef MHI_API_DISK_H
#define MHI_API_DISK_H

#include "core/blk.h"

/* A new, empty image of `bytes` bytes, open for writing. On error there is no file. */
int mhi_disk_make(const char *path, const char *format, u64 bytes, u32 cluster_bytes,
		  struct mhi_blk **out, struct mhi_err *err);
/* NULL or a format's name, else MH_EINVAL. */
int mhi_disk_format(const char *format, struct mhi_err *err);

#endif
