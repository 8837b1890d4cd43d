/* SPDX-License-Identifier: MIT */
/*
 * A virtqueue: its ring in guest memory, of either layout, and where the device is in it. Who
 * calls holds the device's lock.
 */
#ifndef MHI_VIRTIO_VQ_H
#define MHI_VIRTIO_VQ_H

#include "virtio/chain.h"

#define MHI_VQ_SIZE_MAX 1024
#define MHI_VQ_NO_VECTOR 0xffff

struct mhi_vq;

/* A chain that goes back to the driver, with so many bytes written to its in part. */
struct mhi_used {
	struct mhi_chain_id id;
	u32 written;
};

/* A layout. */
struct mhi_ring_ops {
	/* From addresses to host memory; false: they cannot be. */
	bool (*map)(struct mhi_vq *vq);
	/* 1: *chain is the next one; 0: there is none, the driver's next kick will come; -1: the
	 * ring is broken, vq->broken says how. */
	int (*pop)(struct mhi_vq *vq, struct mhi_chain *chain);
	/* Is there a next one? No: the driver's next kick will come. */
	bool (*more)(struct mhi_vq *vq);
	/* The driver sees all of them at once, in this order. */
	void (*push)(struct mhi_vq *vq, const struct mhi_used *used, u32 count);
	/* The chain that was popped last, of those not pushed, is the next one again. */
	void (*unpop)(struct mhi_vq *vq, struct mhi_chain_id id);
	/* Does the driver want an interrupt for what was pushed since it was asked last? */
	bool (*signal)(struct mhi_vq *vq);
};
extern const struct mhi_ring_ops mhi_ring_split, mhi_ring_packed;

struct mhi_vq {
	const struct mhi_gmem *mem; /* (c) */
	u16 max;		    /* (c) size that is offered */
	/* What the driver set. */
	u16 size, vector;
	mh_gpa desc, driver, device;
	bool enabled;
	bool event_idx, indirect; /* negotiated */

	const struct mhi_ring_ops *ring;
	/* Host memory of the three parts: valid while enabled and the machine runs. */
	u8 *desc_at, *driver_at, *device_at;
	u16 next, used;		   /* where the next chain is taken, the next one put */
	bool next_wrap, used_wrap; /* packed */
	bool quiet;		   /* the driver has been told not to kick */
	u16 signalled;		   /* used, at the last decision about an interrupt */
	bool signalled_wrap;
	bool pushed;	       /* since the last decision */
	const char *broken;    /* why the ring cannot be used any more */
	const char *complaint; /* the first malformed chain, not logged yet */
	u32 malformed;	       /* chains given back unused */
};

/* Everything to what it is before the driver comes. */
void mhi_vq_reset(struct mhi_vq *vq);
/* Begin with an empty ring, as the driver has set it up; false: it cannot be used. */
bool mhi_vq_start(struct mhi_vq *vq, bool packed);

/* A chain that cannot be used goes back with nothing written. */
void mhi_vq_refuse(struct mhi_vq *vq, struct mhi_chain_id id, enum mhi_chain_fault fault);

/* Words of a ring, which the driver may change at any time. */
static inline u16 mhi_ring_load(const u8 *p)
{
	return __atomic_load_n((const u16 *)(const void *)p, __ATOMIC_RELAXED);
}

static inline void mhi_ring_store(u8 *p, u16 value)
{
	__atomic_store_n((u16 *)(void *)p, value, __ATOMIC_RELAXED);
}

/* Has the other side's event index been passed? virtio 1.2, 2.7.7.1, 2.7.10.1. */
static inline bool mhi_vq_passed(u16 event, u16 now, u16 before)
{
	return (u16)(now - event - 1) < (u16)(now - before);
}

#endif
