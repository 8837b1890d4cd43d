/* SPDX-License-Identifier: MIT */
/*
 * Structures of the public API that the library fills in. They begin with their size, which the
 * caller sets, and grow at their end: a caller who was compiled against an older or a newer header
 * gets the fields that both sides know, and zero for the rest of his.
 */
#ifndef MHI_API_SIZED_H
#define MHI_API_SIZED_H

#include "base/types.h"

/* More than any of them will have: a size that is not set is found out. */
#define MHI_SIZED_MAX 65536u

/* Is there a structure, and has it room for more than its size? */
static inline bool mhi_sized_ok(const void *to)
{
	size_t size;

	if (!to)
		return false;
	memcpy(&size, to, sizeof(size));
	return size > sizeof(size) && size <= MHI_SIZED_MAX;
}

/* from [bytes], which begins with a size_t too, to a structure that is ok. */
static inline void mhi_sized_put(void *to, const void *from, size_t bytes)
{
	size_t size;

	memcpy(&size, to, sizeof(size));
	memset((u8 *)to + sizeof(size), 0, size - sizeof(size));
	memcpy((u8 *)to + sizeof(size), (const u8 *)from + sizeof(size),
	       (size < bytes ? size : bytes) - sizeof(size));
}

#endif
