/* SPDX-License-Identifier: MIT */
/*
 * Video memory: one memory file of a fixed size, of which the devices of a display take pieces and
 * which those who look map. Pages that were never written, or are free again, cost nothing.
 */
#ifndef MHI_CORE_VRAM_H
#define MHI_CORE_VRAM_H

#include "base/types.h"

#define MHI_VRAM_LEAST (1ull << 20)
#define MHI_VRAM_MOST (1ull << 30)

struct mhi_vram {
	u64 bytes; /* (c) */
	u8 *host;  /* (c) [bytes] */
	int fd;	   /* (c) for reading, to hand out: the file is neither shrunk nor grown */
	int own;   /* (c) for holes */
	u64 *used; /* bit n: page n; the caller serialises */
	u64 taken; /* bytes */
};

/* bytes: LEAST to MOST, whole pages. 0; MH_ENOMEM. */
int mhi_vram_init(struct mhi_vram *v, u64 bytes);
/* Of a zeroed one too. */
void mhi_vram_fini(struct mhi_vram *v);
/* Whole pages, zeroed; they begin at *offset. False: there is no such room. */
bool mhi_vram_take(struct mhi_vram *v, u64 bytes, u64 *offset);
/* Give back what was taken, with the same bytes. */
void mhi_vram_give(struct mhi_vram *v, u64 offset, u64 bytes);

#endif
