/* SPDX-License-Identifier: MIT */
/* What a display tells of itself: EDID 1.4. */
#ifndef MHI_CORE_EDID_H
#define MHI_CORE_EDID_H

#include "base/types.h"

#define MHI_EDID_BYTES 128u
/* The most that a detailed timing can say. */
#define MHI_EDID_SIDE_MAX 4095u

/* A display that prefers a size, of 1 to SIDE_MAX. */
void mhi_edid_make(u8 edid[MHI_EDID_BYTES], u32 width, u32 height);

#endif
