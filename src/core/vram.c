/* SPDX-License-Identifier: MIT */
/* Video memory: the file, and which of its pages are in use. */
#include "core/vram.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/page.h"
#include "macrohard/error.h"

#define BITS 64

static u64 pages_of(u64 bytes)
{
	return (bytes + MHI_PAGE_MASK) >> MHI_PAGE_SHIFT;
}

/*
 * Who looks may not write, so that guests cannot be shown what they did not draw. Without /proc
 * there is no other way to them than a copy that may.
 */
static int reopen(int fd)
{
	char path[32];
	int ro;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	ro = open(path, O_RDONLY | O_CLOEXEC);
	return ro >= 0 ? ro : fcntl(fd, F_DUPFD_CLOEXEC, 0);
}

static int make(struct mhi_vram *v)
{
	void *map;

	v->own = memfd_create("macrohard-display", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (v->own < 0 || ftruncate(v->own, (off_t)v->bytes))
		return MH_ENOMEM;
	/* Who maps it is never hit by SIGBUS, whoever else has it. */
	if (fcntl(v->own, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL))
		return MH_ENOMEM;
	v->fd = reopen(v->own);
	map = mmap(NULL, v->bytes, PROT_READ | PROT_WRITE, MAP_SHARED, v->own, 0);
	if (map == MAP_FAILED)
		return MH_ENOMEM;
	v->host = map;
	v->used = calloc((pages_of(v->bytes) + BITS - 1) / BITS, sizeof(*v->used));
	return v->used && v->fd >= 0 ? 0 : MH_ENOMEM;
}

int mhi_vram_init(struct mhi_vram *v, u64 bytes)
{
	int rc;

	*v = (struct mhi_vram){ .bytes = bytes, .fd = -1, .own = -1 };
	rc = make(v);
	if (rc)
		mhi_vram_fini(v);
	return rc;
}

void mhi_vram_fini(struct mhi_vram *v)
{
	if (!v->bytes)
		return;
	if (v->host)
		munmap(v->host, v->bytes);
	if (v->fd >= 0)
		close(v->fd);
	if (v->own >= 0)
		close(v->own);
	free(v->used);
	*v = (struct mhi_vram){ .fd = -1, .own = -1 };
}

static bool is_used(const struct mhi_vram *v, u64 page)
{
	return v->used[page / BITS] >> page % BITS & 1;
}

/* The first page from `page` on that is (not) in use, or end; words of one kind go at once. */
static u64 skip(const struct mhi_vram *v, u64 page, u64 end, bool used)
{
	const u64 all = used ? ~0ull : 0;

	while (page < end) {
		if (page % BITS == 0 && end - page >= BITS && v->used[page / BITS] == all)
			page += BITS;
		else if (is_used(v, page) == used)
			page++;
		else
			break;
	}
	return page;
}

static void mark(struct mhi_vram *v, u64 page, u64 count, bool used)
{
	for (; count; page++, count--) {
		if (used)
			v->used[page / BITS] |= 1ull << page % BITS;
		else
			v->used[page / BITS] &= ~(1ull << page % BITS);
	}
}

bool mhi_vram_take(struct mhi_vram *v, u64 bytes, u64 *offset)
{
	u64 want = pages_of(bytes), end = pages_of(v->bytes), page = 0, stop;

	if (!bytes || bytes > v->bytes)
		return false;
	for (;;) {
		page = skip(v, page, end, true);
		if (end - page < want)
			return false;
		stop = skip(v, page, page + want, false);
		if (stop - page == want)
			break;
		page = stop;
	}
	mark(v, page, want, true);
	v->taken += want << MHI_PAGE_SHIFT;
	*offset = page << MHI_PAGE_SHIFT;
	return true;
}

void mhi_vram_give(struct mhi_vram *v, u64 offset, u64 bytes)
{
	u64 pages = pages_of(bytes);

	mark(v, offset >> MHI_PAGE_SHIFT, pages, false);
	v->taken -= pages << MHI_PAGE_SHIFT;
	/* Whoever takes them next finds zeros either way. */
	if (fallocate(v->own, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, (off_t)offset,
		      (off_t)(pages << MHI_PAGE_SHIFT)))
		memset(v->host + offset, 0, pages << MHI_PAGE_SHIFT);
}
