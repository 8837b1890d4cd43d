/* SPDX-License-Identifier: MIT */
/* Bytes of scattered memory: a request's, or the room for its reply. */
#ifndef MHI_VIRTIO_SG_H
#define MHI_VIRTIO_SG_H

#include <sys/uio.h>

#include "base/types.h"

size_t mhi_sg_bytes(const struct iovec *iov, unsigned int n);
/* Copy from or to the bytes at off; the number of bytes that are there, at most len. */
size_t mhi_sg_get(const struct iovec *iov, unsigned int n, size_t off, void *buf, size_t len);
size_t mhi_sg_put(const struct iovec *iov, unsigned int n, size_t off, const void *buf, size_t len);

/* The pieces of [off, off + len), as many as fit. */
struct mhi_sg_slice {
	struct iovec iov[256];
	unsigned int n;
};
/* Returns the bytes in it: less than len when the memory or the slice ends. */
size_t mhi_sg_slice(struct mhi_sg_slice *s, const struct iovec *iov, unsigned int n, size_t off,
		    size_t len);

#endif
