/* SPDX-License-Identifier: MIT */
/* A folder as vfat, NTFS or FUSE may have it: with names that are longer than 255 bytes. */
#ifndef TESTS_LONG_NAMES_H
#define TESTS_LONG_NAMES_H

#include <dirent.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/types.h"

#define LONGEST 255 /* that a client can name */

/* The position in the folder that the next getdents64 tells of; 0: it tells of the real one. */
static u32 long_names_next;

static const char *long_name(u32 bytes)
{
	static char name[1024];

	memset(name, 'n', bytes);
	name[bytes] = 0;
	return name;
}

/* In calls of their own: two names that are too long, and one of them beside each that is not. */
ssize_t getdents64(int fd, void *buf, size_t bytes)
{
	static const u32 call[][2] = { { 700, 256 }, { LONGEST, 1000 }, { 765, 1 } };
	size_t used = 0;

	if (!long_names_next)
		return syscall(SYS_getdents64, fd, buf, bytes);
	if (long_names_next > MHI_COUNT(call))
		return 0;
	for (u32 n = 0; n < 2; n++) {
		struct dirent *d = (void *)((char *)buf + used);
		u32 len = call[long_names_next - 1][n];

		d->d_ino = 1000 + len;
		d->d_off = long_names_next * 2 + n;
		d->d_type = DT_REG;
		d->d_reclen = (unsigned short)((offsetof(struct dirent, d_name) + len + 8) & ~7u);
		memcpy(d->d_name, len == 1 ? "z" : long_name(len), len + 1);
		used += d->d_reclen;
	}
	long_names_next++;
	return (ssize_t)used;
}

#endif
