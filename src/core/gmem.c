/* SPDX-License-Identifier: MIT */
/* Guest memory as the library sees it: every access is checked against the slots. */
#include "core/gmem.h"

#include <sys/mman.h>

#include "base/checked.h"
#include "macrohard/error.h"

/* How many of bytes at gpa lie in one slot; *host is where. 0: no memory there. */
static u64 piece(const struct mhi_gmem *m, mh_gpa gpa, u64 bytes, bool write, u8 **host)
{
	const struct mhi_slot *slot = mhi_slots_find(&m->slots, gpa);
	u64 offset, rest;

	if (!slot || (write && slot->readonly))
		return 0;
	offset = gpa - slot->gpa;
	rest = slot->bytes - offset;
	*host = (u8 *)(uintptr_t)(slot->hva + offset);
	return bytes < rest ? bytes : rest;
}

static bool covered(const struct mhi_gmem *m, mh_gpa gpa, u64 bytes, bool write)
{
	u8 *host = NULL;
	u64 end;

	if (!mhi_add_u64(gpa, bytes, &end))
		return false;
	while (bytes) {
		u64 n = piece(m, gpa, bytes, write, &host);

		if (!n)
			return false;
		gpa += n;
		bytes -= n;
	}
	return true;
}

int mhi_gmem_read(const struct mhi_gmem *m, mh_gpa gpa, void *buf, u64 bytes)
{
	u8 *to = buf, *host = NULL;

	if (!covered(m, gpa, bytes, false))
		return MH_EFAULT;
	while (bytes) {
		u64 n = piece(m, gpa, bytes, false, &host);

		memcpy(to, host, n);
		to += n;
		gpa += n;
		bytes -= n;
	}
	return 0;
}

int mhi_gmem_write(const struct mhi_gmem *m, mh_gpa gpa, const void *buf, u64 bytes, bool force)
{
	const u8 *from = buf;
	u8 *host = NULL;

	if (!covered(m, gpa, bytes, !force))
		return MH_EFAULT;
	while (bytes) {
		u64 n = piece(m, gpa, bytes, !force, &host);

		memcpy(host, from, n);
		from += n;
		gpa += n;
		bytes -= n;
	}
	return 0;
}

bool mhi_gmem_writable(const struct mhi_gmem *m, mh_gpa gpa, u64 bytes)
{
	return covered(m, gpa, bytes, true);
}

void *mhi_gmem_ptr(const struct mhi_gmem *m, mh_gpa gpa, u64 bytes, bool write)
{
	u8 *host = NULL;

	if (!bytes || piece(m, gpa, bytes, write, &host) != bytes)
		return NULL;
	return host;
}

void mhi_gmem_discard_host(const struct mhi_gmem *m, void *host, u64 bytes)
{
	u64 at = (u64)(uintptr_t)host;
	u64 start = (at + MHI_PAGE_MASK) & ~(u64)MHI_PAGE_MASK;
	u64 end = (at + bytes) & ~(u64)MHI_PAGE_MASK;

	if (end <= start)
		return;
	/*
	 * Dropping the caller's shared pages from this mapping would free nothing: a hole in what
	 * backs them does. The kernel refuses that for private memory, whose content may come
	 * from a file. A host that keeps pages (they are locked) costs memory only.
	 */
	madvise((void *)(uintptr_t)start, end - start,
		start - m->own < m->own_bytes ? MADV_DONTNEED : MADV_REMOVE);
}

void mhi_gmem_discard(const struct mhi_gmem *m, mh_gpa gpa, u64 bytes)
{
	u64 end, n;
	u8 *host = NULL;

	if (!mhi_add_u64(gpa, bytes, &end))
		return;
	for (; gpa < end; gpa += n) {
		n = piece(m, gpa, end - gpa, true, &host);
		if (n)
			mhi_gmem_discard_host(m, host, n);
		else
			n = MHI_PAGE_SIZE;
	}
}

void mhi_gmem_huge(const struct mhi_gmem *m, bool on)
{
	if (m->own_bytes)
		madvise((void *)(uintptr_t)m->own, m->own_bytes,
			on ? MADV_HUGEPAGE : MADV_NOHUGEPAGE);
}
