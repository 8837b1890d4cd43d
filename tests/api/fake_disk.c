/* SPDX-License-Identifier: MIT */
/*
 * The disk functions for the CLI over a fake library: none works. test_cli_disk has the real ones.
 */
#include <macrohard/macrohard.h>

int mh_disk_create(struct mh_ctx *ctx, const char *path, const struct mh_disk_create_config *config)
{
	return MH_ENOTSUP;
}

int mh_disk_info(struct mh_ctx *ctx, const char *path, const char *format,
		 struct mh_disk_info **out)
{
	return MH_ENOTSUP;
}

void mh_disk_info_free(struct mh_disk_info *info)
{
}

int mh_disk_check(struct mh_ctx *ctx, const char *path, int repair, struct mh_disk_report *report,
		  mh_disk_progress_fn *progress, void *opaque)
{
	return MH_ENOTSUP;
}

int mh_disk_resize(struct mh_ctx *ctx, const char *path, const char *format, uint64_t bytes)
{
	return MH_ENOTSUP;
}

int mh_disk_convert(struct mh_ctx *ctx, const struct mh_disk_convert_config *config)
{
	return MH_ENOTSUP;
}
