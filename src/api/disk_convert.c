/* SPDX-License-Identifier: MIT */
/* Copying disk images: what reads as zeroes is found without reading where the formats can tell. */
#include "macrohard/disk.h"

#include <stdlib.h>
#include <unistd.h>

#include "api/disk.h"
#include "api/impl.h"
#include "virtio/be_open.h"

/* Bytes that are read at once, and the parts of them that are looked at for zeroes. */
#define COPY_BYTES (1u << 20)
#define PART_BYTES 4096u

struct copy {
	struct mhi_blk *from, *to;
	u8 *buf; /* [COPY_BYTES] */
	mh_disk_progress_fn *progress;
	void *opaque;
};

/* Do the next *length bytes read as zeroes, as far as the chain's formats know? */
static int known_zero(struct mhi_blk *b, u64 offset, u64 *length, bool *zero)
{
	enum mhi_blk_kind kind = MHI_BLK_DATA;
	u64 bytes = *length;
	int rc;

	*zero = false;
	for (; b; b = b->backing) {
		if (offset >= b->size)
			break;
		if (bytes > b->size - offset)
			bytes = b->size - offset;
		kind = MHI_BLK_DATA;
		if (b->ops->extent) {
			rc = b->ops->extent(b, offset, bytes, &kind, &bytes);
			if (rc)
				return rc;
		}
		*length = bytes;
		if (kind != MHI_BLK_HOLE)
			break;
	}
	*zero = kind != MHI_BLK_DATA;
	return 0;
}

static bool all_zero(const u8 *p, u64 bytes)
{
	return !p[0] && !memcmp(p, p + 1, bytes - 1);
}

/* The parts of buf that are not zero, as few writes as possible. */
static int write_data(struct copy *c, u64 offset, u64 bytes)
{
	u64 at, part, begin = 0, n = 0;
	int rc;

	for (at = 0; at <= bytes; at += PART_BYTES) {
		part = at < bytes ? bytes - at : 0;
		if (part > PART_BYTES)
			part = PART_BYTES;
		if (part && !all_zero(c->buf + at, part)) {
			begin = n ? begin : at;
			n += part;
			continue;
		}
		if (n) {
			rc = mhi_blk_write(c->to, offset + begin, c->buf + begin, n);
			if (rc)
				return rc;
		}
		n = 0;
	}
	if (!n)
		return 0;
	return mhi_blk_write(c->to, offset + begin, c->buf + begin, n);
}

static int copy_all(struct copy *c)
{
	u64 offset, bytes;
	bool zero;
	int rc;

	for (offset = 0; offset < c->from->size; offset += bytes) {
		bytes = c->from->size - offset;
		rc = known_zero(c->from, offset, &bytes, &zero);
		if (rc)
			return rc;
		if (!zero) {
			bytes = bytes < COPY_BYTES ? bytes : COPY_BYTES;
			rc = mhi_blk_read(c->from, offset, c->buf, bytes);
			if (!rc)
				rc = write_data(c, offset, bytes);
			if (rc)
				return rc;
		}
		if (c->progress && c->progress(c->opaque, offset + bytes, c->from->size))
			return MH_ESTATE;
	}
	return c->to->ops->flush(c->to);
}

static int check_config(const struct mh_disk_convert_config *config, struct mhi_err *err)
{
	int rc;

	if (!config->from || !config->to)
		return mhi_err_set(err, MH_EINVAL, "convert '%s': config.%s is NULL; set it",
				   config->from ? config->from : "", config->from ? "to" : "from");
	rc = mhi_disk_format(config->from_format, err);
	if (!rc)
		rc = mhi_disk_format(config->to_format, err);
	if (!rc && config->to_format && !strcmp(config->to_format, "raw") && config->cluster_bytes)
		rc = mhi_err_set(err, MH_EINVAL, "a raw image has no clusters; leave them out");
	if (rc)
		mhi_err_wrap(err, "convert '%s' to '%s'", config->from, config->to);
	return rc;
}

static const char *cause_of(int rc)
{
	switch (rc) {
	case MH_ESTATE:
		return "stopped by its progress function; begin anew";
	case MH_ENOSPC:
		return "no space left; free some there, or choose another place";
	case MH_ENOMEM:
		return MHI_NO_MEMORY;
	default:
		return "input or output failed; check the image, and see the kernel log: dmesg";
	}
}

static int convert(const struct mh_disk_convert_config *config, struct copy *c, struct mhi_err *err)
{
	int rc, rc_close;

	rc = mhi_disk_make(config->to, config->to_format, c->from->size, config->cluster_bytes,
			   &c->to, err);
	if (rc)
		return rc;
	rc = copy_all(c);
	rc_close = c->to->ops->close(c->to);
	rc = rc ? rc : rc_close;
	if (!rc)
		return 0;
	unlink(config->to);
	return mhi_err_set(err, rc, "convert '%s' to '%s': %s", config->from, config->to,
			   cause_of(rc));
}

int mh_disk_convert(struct mh_ctx *ctx, const struct mh_disk_convert_config *config)
{
	struct copy c = { 0 };
	struct mhi_err *err;
	int rc;

	if (!ctx)
		return MH_EINVAL;
	err = mhi_ctx_err(ctx);
	rc = mhi_disk_check_call(err, "convert", "", config, sizeof(*config));
	if (!rc)
		rc = check_config(config, err);
	if (!rc)
		rc = mhi_image_open(config->from, config->from_format, MHI_OPEN_READ_ONLY, &c.from,
				    err);
	if (rc)
		return rc;
	c.progress = config->progress;
	c.opaque = config->opaque;
	c.buf = malloc(COPY_BYTES);
	rc = c.buf ? convert(config, &c, err)
		   : mhi_err_set(err, MH_ENOMEM, "convert '%s': " MHI_NO_MEMORY, config->from);
	free(c.buf);
	c.from->ops->close(c.from);
	return rc;
}
