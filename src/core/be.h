/* SPDX-License-Identifier: MIT */
/* Big-endian loads and stores on byte arrays. */
#ifndef MHI_CORE_BE_H
#define MHI_CORE_BE_H

#include "base/types.h"

static inline u32 mhi_get_be32(const u8 *p)
{
	return (u32)p[0] << 24 | (u32)p[1] << 16 | (u32)p[2] << 8 | p[3];
}

static inline u64 mhi_get_be64(const u8 *p)
{
	return (u64)mhi_get_be32(p) << 32 | mhi_get_be32(p + 4);
}

static inline void mhi_put_be16(u8 *p, u16 v)
{
	p[0] = (u8)(v >> 8);
	p[1] = (u8)v;
}

static inline void mhi_put_be32(u8 *p, u32 v)
{
	mhi_put_be16(p, (u16)(v >> 16));
	mhi_put_be16(p + 2, (u16)v);
}

#endif
