/* SPDX-License-Identifier: MIT */
/* Disk images for tests of what is above them. */
#ifndef FAKE_IMAGE_H
#define FAKE_IMAGE_H

#include "core/blk.h"

#define FAKE_IMAGE_BYTES (1u << 20)

extern struct fake_image {
	u32 open;  /* images */
	u32 flags; /* of the last one */
	int error; /* what the next opening answers */
} fake_image;

int mhi_image_open(const char *path, const char *format, u32 flags, struct mhi_blk **out,
		   struct mhi_err *err);

#endif
