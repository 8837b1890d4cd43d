/* SPDX-License-Identifier: MIT */
/* Disk images: creating, describing, checking, resizing, converting. Nothing here needs a VM. */
#ifndef MACROHARD_DISK_H
#define MACROHARD_DISK_H

#include <stddef.h>
#include <stdint.h>
#include <macrohard/error.h>

#ifdef __cplusplus
extern "C" {
#endif

struct mh_ctx;

/*
 * Called from time to time by long work, on the caller's thread. Anything but 0 stops the work,
 * which then returns MH_ESTATE.
 */
typedef int mh_disk_progress_fn(void *opaque, uint64_t done, uint64_t total);

/* ---- create ---- */

struct mh_disk_create_config {
	size_t size;	    /* by MH_DISK_CREATE_CONFIG_INIT */
	const char *format; /* "qcow2" (default) or "raw" */
	uint64_t bytes;	    /* multiple of 512; 0: as large as the backing file */
	/* qcow2: its content shows until it is overwritten; NULL: none */
	const char *backing;
	const char *backing_format; /* NULL: found out, and noted in the new image */
	uint32_t cluster_bytes;	    /* qcow2: power of two, 512 to 2 MiB; 0: 64 KiB */
};

#define MH_DISK_CREATE_CONFIG_INIT                                           \
	{                                                                    \
		sizeof(struct mh_disk_create_config), NULL, 0, NULL, NULL, 0 \
	}

/**
 * Make a new image. It occupies next to nothing until it is written.
 * @path    must not exist
 * A relative backing path starts at the folder of the new image.
 * Thread: [any]
 * Returns 0; MH_EINVAL (a field of config, named), MH_EEXIST, MH_ENOENT (folder or backing file),
 * MH_EPERM, MH_EBUSY (the backing file is being written), MH_EFORMAT and MH_ENOTSUP (the backing
 * file), MH_ENOSPC, MH_EIO, MH_ENOMEM.
 * On error there is no new file.   Since: 1.0
 */
MH_API int mh_disk_create(struct mh_ctx *ctx, const char *path,
			  const struct mh_disk_create_config *config);

/* ---- info ---- */

struct mh_disk_info {
	size_t size;		    /* sizeof(struct mh_disk_info), by the library */
	const char *format;	    /* "raw", "qcow2" */
	uint64_t bytes;		    /* of the disk */
	uint64_t file_bytes;	    /* length of the file or device */
	uint64_t used_bytes;	    /* storage that the file occupies; 0 for a device */
	const char *backing;	    /* as the image says; NULL: none */
	const char *backing_format; /* NULL: none, or not said */
	uint32_t cluster_bytes;	    /* qcow2 from here on */
	uint32_t version;
	uint32_t refcount_bits;
	uint32_t snapshots;
	const char *compression; /* "zlib", "zstd" */
	int dirty;		 /* in use, or not closed properly */
	int corrupt;
};

/**
 * Describe an image. Locks nothing: an image that a VM is using can be looked at.
 * @format  NULL: found out
 * @out     free it with mh_disk_info_free; the strings belong to it
 * Thread: [any]
 * Returns 0; MH_EINVAL, MH_ENOENT, MH_EPERM, MH_EFORMAT, MH_ENOTSUP, MH_EIO, MH_ENOMEM.
 * Since: 1.0
 */
MH_API int mh_disk_info(struct mh_ctx *ctx, const char *path, const char *format,
			struct mh_disk_info **out);
MH_API void mh_disk_info_free(struct mh_disk_info *info);

/* ---- check ---- */

struct mh_disk_report {
	size_t size;	     /* by MH_DISK_REPORT_INIT */
	uint64_t clusters;   /* that the file has room for */
	uint64_t referenced; /* in use */
	uint64_t guest_data; /* in use for the disk's content */
	/* counted as used, but nothing refers to them: lost space, no danger */
	uint64_t leaks;
	uint64_t errors; /* the image is damaged */
	uint64_t fixed;
	char first_error[256]; /* in words; "" if there is none */
};

#define MH_DISK_REPORT_INIT                                      \
	{                                                        \
		sizeof(struct mh_disk_report), 0, 0, 0, 0, 0, 0, \
		{                                                \
			0                                        \
		}                                                \
	}

/**
 * Check a qcow2 image: hold all references against all reference counts.
 * @repair    not 0: set wrong counts right, which cures leaks and most errors
 * @progress  may be NULL
 * Thread: [any]
 * Returns 0 (see *report); MH_EINVAL, MH_ENOENT, MH_EPERM, MH_EBUSY (in use), MH_EFORMAT,
 * MH_ENOTSUP (raw, or an unknown feature), MH_ESTATE (stopped by progress), MH_EIO, MH_ENOSPC,
 * MH_ENOMEM.
 * Since: 1.0
 */
MH_API int mh_disk_check(struct mh_ctx *ctx, const char *path, int repair,
			 struct mh_disk_report *report, mh_disk_progress_fn *progress,
			 void *opaque);

/* ---- resize, convert ---- */

/**
 * Change the size of an image that nobody uses. What is new reads as zeroes. Making it smaller is
 * for raw images only, and throws away what was beyond.
 * @format  NULL: found out
 * Thread: [any]
 * Returns 0; MH_EINVAL, MH_ENOENT, MH_EPERM, MH_EBUSY, MH_EFORMAT, MH_ENOTSUP, MH_ERANGE (too large
 * for its clusters), MH_ENOSPC, MH_EIO, MH_ENOMEM.   Since: 1.0
 */
MH_API int mh_disk_resize(struct mh_ctx *ctx, const char *path, const char *format, uint64_t bytes);

struct mh_disk_convert_config {
	size_t size;		       /* by MH_DISK_CONVERT_CONFIG_INIT */
	const char *from;	       /* an image with all its backing files */
	const char *from_format;       /* NULL: found out */
	const char *to;		       /* must not exist */
	const char *to_format;	       /* "qcow2" (default) or "raw" */
	uint32_t cluster_bytes;	       /* of a new qcow2 image; 0: 64 KiB */
	mh_disk_progress_fn *progress; /* may be NULL */
	void *opaque;
};

#define MH_DISK_CONVERT_CONFIG_INIT                                                          \
	{                                                                                    \
		sizeof(struct mh_disk_convert_config), NULL, NULL, NULL, NULL, 0, NULL, NULL \
	}

/**
 * Copy an image into a new one that stands alone. Zeroes take no storage there.
 * Thread: [any]
 * Returns 0; MH_EINVAL, MH_ENOENT, MH_EEXIST, MH_EPERM, MH_EBUSY (the source is being written),
 * MH_EFORMAT, MH_ENOTSUP, MH_ESTATE (stopped by progress), MH_ENOSPC, MH_EIO, MH_ENOMEM.
 * On error there is no new file.   Since: 1.0
 */
MH_API int mh_disk_convert(struct mh_ctx *ctx, const struct mh_disk_convert_config *config);

#ifdef __cplusplus
}
#endif
#endif
