/* SPDX-License-Identifier: MIT */
/* What the files of the disk functions share. */
#ifndef MHI_API_DISK_H
#define MHI_API_DISK_H

#include "core/blk.h"

/* A new, empty image of `bytes` bytes, open for writing. On error there is no file. */
int mhi_disk_make(const char *path, const char *format, u64 bytes, u32 cluster_bytes,
		  struct mhi_blk **out, struct mhi_err *err);
/*
 * Is path not NULL, and sized a structure that begins with its size, which is want? Else MH_EINVAL,
 * of what was attempted.
 */
int mhi_disk_check_call(struct mhi_err *err, const char *what, const char *path, const void *sized,
			size_t want);
/* NULL or a format's name, else MH_EINVAL. */
int mhi_disk_format(const char *format, struct mhi_err *err);

#endif
