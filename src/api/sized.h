/* SPDX-License-Identifier: MIT */
/*
 * Structures of the public API. They begin with their size, which the caller sets, and grow at
 * their end. A caller who was compiled against an older or a newer header gets, of what the library
 * fills in, the fields that both sides know, and zero for the rest of his; of what he gives the
 * library, what he does not know is zero, and what the library does not know must be.
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

/* from, a caller's structure, to ours [bytes]. False: it is none of those. */
static inline bool mhi_sized_take(void *to, size_t bytes, const void *from)
{
	size_t size, i;

	if (!mhi_sized_ok(from))
		return false;
	memcpy(&size, from, sizeof(size));
	for (i = bytes; i < size; i++)
		if (((const u8 *)from)[i])
			return false;
	memset(to, 0, bytes);
	memcpy(to, from, size < bytes ? size : bytes);
	memcpy(to, &bytes, sizeof(bytes));
	return true;
}

#define MHI_SIZED_WRONG                                                                      \
	"it is NULL, its size is not set, or it asks for what only a newer library can do; " \
	"use the INIT macro"

#endif
