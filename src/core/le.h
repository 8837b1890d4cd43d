/* SPDX-License-Identifier: MIT */
/* Little-endian loads and stores on byte arrays: file formats, boot structures and ACPI tables. */
#ifndef MHI_CORE_LE_H
#define MHI_CORE_LE_H

#include "base/types.h"

static inline u16 mhi_get_le16(const u8 *p)
{
	return (u16)(p[0] | p[1] << 8);
}

static inline u32 mhi_get_le32(const u8 *p)
{
	return mhi_get_le16(p) | (u32)mhi_get_le16(p + 2) << 16;
}

static inline u64 mhi_get_le64(const u8 *p)
{
	return mhi_get_le32(p) | (u64)mhi_get_le32(p + 4) << 32;
}

static inline void mhi_put_le16(u8 *p, u16 v)
{
	p[0] = (u8)v;
	p[1] = (u8)(v >> 8);
}

static inline void mhi_put_le32(u8 *p, u32 v)
{
	mhi_put_le16(p, (u16)v);
	mhi_put_le16(p + 2, (u16)(v >> 16));
}

static inline void mhi_put_le64(u8 *p, u64 v)
{
	mhi_put_le32(p, (u32)v);
	mhi_put_le32(p + 4, (u32)(v >> 32));
}

#endif
