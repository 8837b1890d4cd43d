/* SPDX-License-Identifier: MIT */
/*
 * The qcow2 file format, versions 2 and 3: numbers of QEMU's docs/interop/qcow2.txt; each block
 * below names its section. All integers in the file are big-endian.
 */
#ifndef MHI_VIRTIO_QCOW2_FORMAT_H
#define MHI_VIRTIO_QCOW2_FORMAT_H

#include <endian.h>

#include "base/types.h"

/* "Header": byte offsets. */
#define Q2_MAGIC 0x514649fbu
enum q2_header {
	Q2_H_MAGIC = 0,
	Q2_H_VERSION = 4,
	Q2_H_BACKING_OFFSET = 8,
	Q2_H_BACKING_SIZE = 16,
	Q2_H_CLUSTER_BITS = 20,
	Q2_H_SIZE = 24,
	Q2_H_CRYPT = 32,
	Q2_H_L1_SIZE = 36,
	Q2_H_L1_OFFSET = 40,
	Q2_H_RT_OFFSET = 48,
	Q2_H_RT_CLUSTERS = 56,
	Q2_H_SNAPSHOTS = 60,
	Q2_H_SNAPSHOTS_OFFSET = 64,
	Q2_H_V2_BYTES = 72,
	Q2_H_INCOMPATIBLE = 72,
	Q2_H_COMPATIBLE = 80,
	Q2_H_AUTOCLEAR = 88,
	Q2_H_REFCOUNT_ORDER = 96,
	Q2_H_LENGTH = 100,
	Q2_H_V3_BYTES = 104,
	Q2_H_COMPRESSION = 104,
	Q2_H_BYTES = 112, /* what we write */
};

/* "Feature bits". */
#define Q2_INCOMPAT_DIRTY (1ull << 0)
#define Q2_INCOMPAT_CORRUPT (1ull << 1)
#define Q2_INCOMPAT_DATA_FILE (1ull << 2)
#define Q2_INCOMPAT_COMPRESSION (1ull << 3)
#define Q2_INCOMPAT_EXTENDED_L2 (1ull << 4)
#define Q2_COMPAT_LAZY_REFCOUNTS (1ull << 0)
#define Q2_AUTOCLEAR_BITMAPS (1ull << 0)

#define Q2_COMPRESSION_ZLIB 0
#define Q2_COMPRESSION_ZSTD 1

/* "Header extensions". */
#define Q2_EXT_END 0u
#define Q2_EXT_BACKING_FORMAT 0xe2792acau
#define Q2_EXT_FEATURE_NAMES 0x6803f857u
#define Q2_EXT_BITMAPS 0x23852875u
#define Q2_EXT_CRYPTO 0x0537be77u
#define Q2_EXT_DATA_FILE 0x44415441u

/* "Standard cluster descriptor", "L1 table entry", "L2 table entry", "Refcounts". */
#define Q2_OFFSET_MASK 0x00fffffffffffe00ull
#define Q2_L1_RESERVED 0x7f000000000001ffull
#define Q2_L2_RESERVED 0x3f000000000001feull
#define Q2_RT_RESERVED 0x1ffull
#define Q2_COPIED (1ull << 63)
#define Q2_COMPRESSED (1ull << 62)
#define Q2_ZERO 1ull

/* Limits: the format's for clusters and refcounts, QEMU's for tables, ours for the rest. */
#define Q2_CLUSTER_BITS_LEAST 9u
#define Q2_CLUSTER_BITS_MOST 21u
#define Q2_REFCOUNT_ORDER_MOST 6u
#define Q2_L1_BYTES_MOST (32u << 20)
#define Q2_RT_BYTES_MOST (8u << 20)
#define Q2_SNAPSHOTS_MOST 65536u
#define Q2_SNAPSHOT_BYTES_MOST (64u << 20)
#define Q2_BACKING_NAME_MOST 1023u
#define Q2_CHAIN_MOST 64u
#define Q2_SIZE_MOST (1ull << 62)

/* "Snapshots": byte offsets in a snapshot table entry. */
enum q2_snapshot {
	Q2_S_L1_OFFSET = 0,
	Q2_S_L1_SIZE = 8,
	Q2_S_ID_BYTES = 12,
	Q2_S_NAME_BYTES = 14,
	Q2_S_EXTRA_BYTES = 36,
	Q2_S_BYTES = 40,
};

/* "Bitmaps extension", "Bitmap directory". */
enum q2_bitmap {
	Q2_B_TABLE_OFFSET = 0,
	Q2_B_TABLE_SIZE = 8,
	Q2_B_NAME_BYTES = 18,
	Q2_B_EXTRA_BYTES = 20,
	Q2_B_BYTES = 24,
};

static inline u16 q2_get16(const u8 *p)
{
	u16 v;

	memcpy(&v, p, sizeof(v));
	return be16toh(v);
}

static inline u32 q2_get32(const u8 *p)
{
	u32 v;

	memcpy(&v, p, sizeof(v));
	return be32toh(v);
}

static inline u64 q2_get64(const u8 *p)
{
	u64 v;

	memcpy(&v, p, sizeof(v));
	return be64toh(v);
}

static inline void q2_put16(u8 *p, u16 v)
{
	v = htobe16(v);
	memcpy(p, &v, sizeof(v));
}

static inline void q2_put32(u8 *p, u32 v)
{
	v = htobe32(v);
	memcpy(p, &v, sizeof(v));
}

static inline void q2_put64(u8 *p, u64 v)
{
	v = htobe64(v);
	memcpy(p, &v, sizeof(v));
}

#endif
