/* SPDX-License-Identifier: MIT */
/* Bytes of scattered memory. */
#include "virtio/sg.h"

size_t mhi_sg_bytes(const struct iovec *iov, unsigned int n)
{
	size_t sum = 0;

	for (unsigned int i = 0; i < n; i++)
		if (__builtin_add_overflow(sum, iov[i].iov_len, &sum))
			return SIZE_MAX;
	return sum;
}

/* To buf, or with put from it; inlined, so that each way has no question to ask. */
static inline __attribute__((always_inline)) size_t copy(const struct iovec *iov, unsigned int n,
							 size_t off, u8 *buf, size_t len, bool put)
{
	size_t done = 0;

	for (unsigned int i = 0; i < n && done < len; i++) {
		size_t part = iov[i].iov_len;
		u8 *at;

		if (off >= part) {
			off -= part;
			continue;
		}
		at = (u8 *)iov[i].iov_base + off;
		part -= off;
		if (part > len - done)
			part = len - done;
		memcpy(put ? at : buf + done, put ? buf + done : at, part);
		done += part;
		off = 0;
	}
	return done;
}

size_t mhi_sg_get(const struct iovec *iov, unsigned int n, size_t off, void *buf, size_t len)
{
	return copy(iov, n, off, buf, len, false);
}

size_t mhi_sg_put(const struct iovec *iov, unsigned int n, size_t off, const void *buf, size_t len)
{
	return copy(iov, n, off, (u8 *)buf, len, true);
}

size_t mhi_sg_slice(struct mhi_sg_slice *s, const struct iovec *iov, unsigned int n, size_t off,
		    size_t len)
{
	size_t done = 0;

	s->n = 0;
	for (unsigned int i = 0; i < n && done < len && s->n < MHI_COUNT(s->iov); i++) {
		size_t part = iov[i].iov_len;

		if (off >= part) {
			off -= part;
			continue;
		}
		part -= off;
		if (part > len - done)
			part = len - done;
		s->iov[s->n].iov_base = (u8 *)iov[i].iov_base + off;
		s->iov[s->n++].iov_len = part;
		done += part;
		off = 0;
	}
	return done;
}
