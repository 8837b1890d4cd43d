// SPDX-License-Identifier: MIT
/* Disk images for tests of what is above them: in memory, by name. */
#include "fake_image.h"

#include <string.h>

#include "fake_blk.h"

struct fake_image fake_image;

static int close_image(struct mhi_blk *b)
{
	fake_image.open--;
	fake_blk_free((struct fake_blk *)b);
	return 0;
}

int mhi_image_open(const char *path, const char *format, u32 flags, struct mhi_blk **out,
		   struct mhi_err *err)
{
	static struct mhi_blk_ops ops;
	struct fake_blk *blk;

	if (fake_image.error)
		return mhi_err_set(err, fake_image.error, "fake: no image %s", path);
	blk = fake_blk_new(FAKE_IMAGE_BYTES, FAKE_IMAGE_BYTES);
	ops = *blk->blk.ops;
	ops.close = close_image;
	blk->blk.ops = &ops;
	blk->blk.read_only = flags & 1;
	fake_image.open++;
	fake_image.flags = flags;
	*out = &blk->blk;
	return 0;
}
