/* SPDX-License-Identifier: MIT */
/* Disk images: creating, describing, checking and resizing. */
#include "macrohard/disk.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "api/disk.h"
#include "api/impl.h"
#include "virtio/be_open.h"
#include "virtio/be_raw.h"
#include "virtio/qcow2.h"

/* st_blocks counts these, whatever the file system's blocks are. */
#define STAT_BLOCK 512u

int mhi_disk_check_call(struct mhi_err *err, const char *what, const char *path, const void *sized,
			size_t want)
{
	size_t size = want;

	if (!path || !sized)
		return mhi_err_set(err, MH_EINVAL, "%s '%s': %s is NULL; pass one", what,
				   path ? path : "", path ? "what describes it" : "path");
	memcpy(&size, sized, sizeof(size));
	if (size == want)
		return 0;
	return mhi_err_set(err, MH_EINVAL, "%s '%s': size is %zu, not %zu; use the INIT macro",
			   what, path, size, want);
}

int mhi_disk_format(const char *format, struct mhi_err *err)
{
	if (!format || !strcmp(format, "qcow2") || !strcmp(format, "raw"))
		return 0;
	return mhi_err_set(err, MH_EINVAL, "unknown image format '%.40s'; use raw or qcow2",
			   format);
}

static bool is_raw(const char *format)
{
	return format && !strcmp(format, "raw");
}

/* What was written may not be on the disk. Returns rc. */
static int not_safe(const char *what, const char *path, int rc, struct mhi_err *err)
{
	return rc ? mhi_err_set(
			    err, rc,
			    "%s '%s': writing failed: %s; see the kernel log (dmesg), and do it "
			    "again",
			    what, path, mh_strerror(rc))
		  : 0;
}

/* ---- create ---- */

static int make_file(const char *path, bool raw, const struct mhi_qcow2_create *options,
		     struct mhi_err *err)
{
	struct mhi_blk *file;
	int rc, rc_close;

	rc = mhi_raw_open(path, MHI_RAW_CREATE, &file, err);
	if (rc)
		return rc;
	if (raw)
		rc = file->ops->resize(file, options->size, err);
	else
		rc = mhi_qcow2_create(file, options, err);
	if (rc)
		mhi_err_wrap(err, "create '%s'", path);
	if (!rc && raw)
		rc = not_safe("create", path, file->ops->flush(file), err);
	rc_close = file->ops->close(file);
	rc = rc ? rc : not_safe("create", path, rc_close, err);
	if (rc)
		unlink(path);
	return rc;
}

int mhi_disk_make(const char *path, const char *format, u64 bytes, u32 cluster_bytes,
		  struct mhi_blk **out, struct mhi_err *err)
{
	const struct mhi_qcow2_create options = { .size = bytes, .cluster_bytes = cluster_bytes };
	int rc;

	rc = make_file(path, is_raw(format), &options, err);
	if (rc)
		return rc;
	rc = mhi_image_open(path, is_raw(format) ? "raw" : "qcow2", 0, out, err);
	if (rc)
		unlink(path);
	return rc;
}

/* The path of a backing file as it is opened from here: see its meaning in disk.h. */
static char *from_folder_of(const char *image, const char *name)
{
	const char *slash = strrchr(image, '/');
	char *path;

	if (name[0] == '/' || !slash)
		return strdup(name);
	if (asprintf(&path, "%.*s%s", (int)(slash - image) + 1, image, name) < 0)
		return NULL;
	return path;
}

/* Can the backing file be opened? Takes its size and format where none were given. */
static int look_at_backing(const char *path, struct mhi_qcow2_create *options, struct mhi_err *err)
{
	char *backing = from_folder_of(path, options->backing_name);
	struct mhi_blk *b;
	int rc;

	if (!backing)
		return mhi_err_set(err, MH_ENOMEM, "create '%s': " MHI_NO_MEMORY, path);
	rc = mhi_image_open(backing, options->backing_format, MHI_OPEN_READ_ONLY, &b, err);
	free(backing);
	if (rc)
		return rc;
	if (!options->size)
		options->size = b->size;
	options->backing_format = b->ops->format;
	b->ops->close(b);
	return 0;
}

static int check_create(const struct mh_disk_create_config *config, struct mhi_err *err)
{
	int rc = mhi_disk_format(config->format, err);

	if (!rc)
		rc = mhi_disk_format(config->backing_format, err);
	if (rc)
		return rc;
	if (!config->bytes && !config->backing)
		return mhi_err_set(err, MH_EINVAL,
				   "bytes is 0 and there is no backing file; set one of them");
	if (config->bytes % MHI_BLK_SECTOR || config->bytes >> 62)
		return mhi_err_set(err, MH_EINVAL,
				   "bytes is %llu: not a multiple of 512, or "
				   "too large; round it",
				   (u64)config->bytes);
	if (is_raw(config->format) && (config->backing || config->cluster_bytes))
		return mhi_err_set(err, MH_EINVAL,
				   "a raw image has neither a backing file nor clusters; leave "
				   "them out, or make it qcow2");
	return 0;
}

int mh_disk_create(struct mh_ctx *ctx, const char *path, const struct mh_disk_create_config *config)
{
	struct mhi_qcow2_create options = { 0 };
	struct mhi_err *err;
	int rc;

	if (!ctx)
		return MH_EINVAL;
	err = mhi_ctx_err(ctx);
	rc = mhi_disk_check_call(err, "create", path, config, sizeof(*config));
	if (rc)
		return rc;
	rc = check_create(config, err);
	options.size = config->bytes;
	options.cluster_bytes = config->cluster_bytes;
	options.backing_name = config->backing;
	options.backing_format = config->backing_format;
	if (!rc && config->backing)
		rc = look_at_backing(path, &options, err);
	if (rc) {
		mhi_err_wrap(err, "create '%s'", path);
		return rc;
	}
	return make_file(path, is_raw(config->format), &options, err);
}

/* ---- info ---- */

static int copy_text(const char **to, const char *from)
{
	*to = from ? strdup(from) : NULL;
	return from && !*to ? MH_ENOMEM : 0;
}

static int describe(const struct mhi_blk *b, struct mh_disk_info *info)
{
	struct mhi_qcow2_info q;
	int rc;

	info->size = sizeof(*info);
	info->format = b->ops->format;
	info->bytes = info->file_bytes = b->size;
	if (!mhi_qcow2_is(b))
		return 0;
	mhi_qcow2_info(b, &q);
	info->file_bytes = q.file_bytes;
	info->cluster_bytes = q.cluster_bytes;
	info->version = q.version;
	info->refcount_bits = q.refcount_bits;
	info->snapshots = q.snapshots;
	info->compression = q.compression;
	info->dirty = q.dirty;
	info->corrupt = q.corrupt;
	rc = copy_text(&info->backing, q.backing_name);
	return rc ? rc : copy_text(&info->backing_format, q.backing_format);
}

int mh_disk_info(struct mh_ctx *ctx, const char *path, const char *format,
		 struct mh_disk_info **out)
{
	struct mh_disk_info *info;
	struct mhi_blk *b;
	struct mhi_err *err;
	struct stat st;
	int rc;

	if (!ctx)
		return MH_EINVAL;
	err = mhi_ctx_err(ctx);
	if (!path || !out)
		return mhi_err_set(err, MH_EINVAL, "info of '%s': %s is NULL; pass one",
				   path ? path : "", path ? "out" : "path");
	rc = mhi_disk_format(format, err);
	if (rc)
		mhi_err_wrap(err, "info of '%s'", path);
	else
		rc = mhi_image_open(path, format,
				    MHI_OPEN_READ_ONLY | MHI_OPEN_NO_LOCK | MHI_OPEN_NO_BACKING, &b,
				    err);
	if (rc)
		return rc;
	info = calloc(1, sizeof(*info));
	rc = info ? describe(b, info) : MH_ENOMEM;
	b->ops->close(b);
	if (rc) {
		mh_disk_info_free(info);
		return mhi_err_set(err, rc, "info of '%s': " MHI_NO_MEMORY, path);
	}
	if (!stat(path, &st) && S_ISREG(st.st_mode))
		info->used_bytes = (u64)st.st_blocks * STAT_BLOCK;
	*out = info;
	return 0;
}

void mh_disk_info_free(struct mh_disk_info *info)
{
	if (!info)
		return;
	free((char *)(uintptr_t)info->backing);
	free((char *)(uintptr_t)info->backing_format);
	free(info);
}

/* ---- check, resize ---- */

struct progress {
	mh_disk_progress_fn *fn;
	void *opaque;
};

static bool report_progress(void *opaque, u64 done, u64 total)
{
	const struct progress *p = opaque;

	return !p->fn || !p->fn(p->opaque, done, total);
}

static void copy_report(const struct mhi_qcow2_check *from, struct mh_disk_report *to)
{
	to->clusters = from->clusters;
	to->referenced = from->referenced;
	to->guest_data = from->guest_data;
	to->leaks = from->leaks;
	to->errors = from->errors;
	to->fixed = from->fixed;
	memcpy(to->first_error, from->first, sizeof(to->first_error));
	to->first_error[sizeof(to->first_error) - 1] = '\0';
}

int mh_disk_check(struct mh_ctx *ctx, const char *path, int repair, struct mh_disk_report *report,
		  mh_disk_progress_fn *progress, void *opaque)
{
	struct progress p = { progress, opaque };
	struct mhi_qcow2_check found;
	u32 flags = MHI_OPEN_CHECK | MHI_OPEN_NO_BACKING | (repair ? 0 : MHI_OPEN_READ_ONLY);
	struct mhi_blk *b;
	struct mhi_err *err;
	int rc, rc_close;

	if (!ctx)
		return MH_EINVAL;
	err = mhi_ctx_err(ctx);
	rc = mhi_disk_check_call(err, "check", path, report, sizeof(*report));
	if (rc)
		return rc;
	rc = mhi_image_open(path, NULL, flags, &b, err);
	if (rc)
		return rc;
	if (!mhi_qcow2_is(b)) {
		b->ops->close(b);
		return mhi_err_set(err, MH_ENOTSUP,
				   "check '%s': it is a raw image, which has nothing to check; "
				   "check what is in it with its own tools",
				   path);
	}
	rc = mhi_qcow2_check(b, repair != 0, &found, report_progress, &p);
	if (rc)
		mhi_err_set(err, rc, "check '%s': %s", path,
			    mhi_qcow2_fault(b)[0] ? mhi_qcow2_fault(b)
			    : rc == MH_ESTATE	  ? "stopped by its progress function; begin anew"
						  : mh_strerror(rc));
	rc_close = b->ops->close(b);
	if (!rc && rc_close)
		rc = mhi_err_set(err, rc_close, "check '%s': cannot write: %s", path,
				 mh_strerror(rc_close));
	if (!rc)
		copy_report(&found, report);
	return rc;
}

int mh_disk_resize(struct mh_ctx *ctx, const char *path, const char *format, uint64_t bytes)
{
	struct mhi_blk *b;
	struct mhi_err *err;
	int rc, rc_close;

	if (!ctx)
		return MH_EINVAL;
	err = mhi_ctx_err(ctx);
	if (!path)
		return mhi_err_set(err, MH_EINVAL, "resize '': path is NULL; pass one");
	rc = mhi_disk_format(format, err);
	if (rc) {
		mhi_err_wrap(err, "resize '%s'", path);
		return rc;
	}
	if (!bytes || bytes % MHI_BLK_SECTOR || bytes >> 62)
		return mhi_err_set(
			err, MH_EINVAL,
			"resize '%s': %llu bytes: not a multiple of 512, or too large; round it",
			path, (u64)bytes);
	rc = mhi_image_open(path, format, 0, &b, err);
	if (rc)
		return rc;
	rc = b->ops->resize(b, bytes, err);
	if (rc)
		mhi_err_wrap(err, "'%s'", path);
	else
		rc = not_safe("resize", path, b->ops->flush(b), err);
	rc_close = b->ops->close(b);
	return rc ? rc : not_safe("resize", path, rc_close, err);
}
