/* SPDX-License-Identifier: MIT */
/*
 * A descriptor chain as a device sees it: host memory, checked, in two groups: what the driver
 * wrote for the device (out), then what the device is to fill (in). Each descriptor was read once;
 * the memory it names may change at any time.
 */
#ifndef MHI_VIRTIO_CHAIN_H
#define MHI_VIRTIO_CHAIN_H

#include <sys/uio.h>

#include "core/gmem.h"

/*
 * Descriptors of one indirect table. 2.7.5.3.1 allows no more than the queue has, but Linux fills
 * longer ones.
 */
#define MHI_INDIRECT_MAX 1024
/* More than that: a buffer may span memory slots. */
#define MHI_CHAIN_IOVS 1088

/* Why a chain cannot be used. */
enum mhi_chain_fault {
	MHI_CHAIN_OK,
	MHI_CHAIN_NEXT,	    /* next is no descriptor, or the chain has no end */
	MHI_CHAIN_LENGTH,   /* too many descriptors */
	MHI_CHAIN_ADDRESS,  /* not guest memory, or read-only */
	MHI_CHAIN_ORDER,    /* out after in */
	MHI_CHAIN_INDIRECT, /* not negotiated, nested, empty, of an odd size, with next */
};
const char *mhi_chain_fault_name(enum mhi_chain_fault fault);

/* What has to be given back to the ring. */
struct mhi_chain_id {
	u16 id;	   /* head, or buffer id */
	u16 slots; /* packed: descriptors that it has in the ring */
};

struct mhi_chain {
	struct mhi_chain_id id;
	u32 outs, ins; /* iov: outs, then ins */
	u64 out_bytes, in_bytes;
	struct iovec iov[MHI_CHAIN_IOVS];
};

/* virtio 1.2, 2.7.5 "The Virtqueue Descriptor Table" and 2.8.13 "Virtqueue Descriptor". */
#define VQ_DESC_NEXT 1
#define VQ_DESC_WRITE 2
#define VQ_DESC_INDIRECT 4
#define VQ_DESC_BYTES 16

/* A descriptor of either ring: last is next (split) or flags (packed). */
struct vq_desc {
	u64 addr;
	u32 len;
	u16 flags; /* split: at 12; packed: at 14 */
	u16 other; /* split: next, at 14; packed: buffer id, at 12 */
};

/* Read once: the compiler may not go back to memory that the guest changes. */
static inline void mhi_copy_once(void *to, const void *from, size_t bytes)
{
	memcpy(to, from, bytes);
	__asm__ volatile("" : : : "memory");
}

struct vq_desc mhi_desc_read(const void *at, bool packed);

static inline const struct iovec *mhi_chain_in(const struct mhi_chain *chain)
{
	return chain->iov + chain->outs;
}

void mhi_chain_begin(struct mhi_chain *chain);
/* Add a buffer. */
enum mhi_chain_fault mhi_chain_add(struct mhi_chain *chain, const struct mhi_gmem *mem,
				   const struct vq_desc *desc);
/* Add the buffers of an indirect table. */
enum mhi_chain_fault mhi_chain_indirect(struct mhi_chain *chain, const struct mhi_gmem *mem,
					const struct vq_desc *desc, bool packed);

/* Copy from the out part at an offset, or to the in part; returns how many bytes there were. */
size_t mhi_chain_read(const struct mhi_chain *chain, u64 offset, void *buf, size_t bytes);
size_t mhi_chain_write(const struct mhi_chain *chain, u64 offset, const void *buf, size_t bytes);

#endif
