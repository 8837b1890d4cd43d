/* SPDX-License-Identifier: MIT */
/* Writing PNG pictures. */
#ifndef MHI_CORE_PNG_H
#define MHI_CORE_PNG_H

#include "base/types.h"

/*
 * pixels [width * height], 0xXXRRGGBB; write is given the file piece by piece, and returns 0 or
 * an error, which ends it. Returns that; MH_ENOMEM.
 */
int mhi_png_write(const u32 *pixels, u32 width, u32 height,
		  int (*write)(void *opaque, const void *bytes, size_t count), void *opaque);

#endif
