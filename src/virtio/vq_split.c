/* SPDX-License-Identifier: MIT */
/* The split ring. virtio 1.2, 2.7 "Split Virtqueues". */
#include "virtio/vq.h"

/* 2.7.6 "The Virtqueue Available Ring", 2.7.8 "The Virtqueue Used Ring". */
#define FLAGS 0
#define INDEX 2
#define RING 4
#define AVAIL_ENTRY 2
#define USED_ENTRY 8
#define EVENT_BYTES 2
#define NO_INTERRUPT 1
#define NO_NOTIFY 1

static bool split_map(struct mhi_vq *vq)
{
	u32 size = vq->size;

	if ((size & (size - 1)) || vq->desc % 16 || vq->driver % 2 || vq->device % 4)
		return false;
	vq->desc_at = mhi_gmem_ptr(vq->mem, vq->desc, size * VQ_DESC_BYTES, false);
	vq->driver_at =
		mhi_gmem_ptr(vq->mem, vq->driver, RING + size * AVAIL_ENTRY + EVENT_BYTES, false);
	vq->device_at =
		mhi_gmem_ptr(vq->mem, vq->device, RING + size * USED_ENTRY + EVENT_BYTES, true);
	return vq->desc_at && vq->driver_at && vq->device_at;
}

static enum mhi_chain_fault walk(struct mhi_vq *vq, u16 head, struct mhi_chain *chain)
{
	enum mhi_chain_fault fault;
	u16 index = head;

	mhi_chain_begin(chain);
	/* A loop visits more descriptors than there are. */
	for (u32 n = 0; n < vq->size; n++) {
		struct vq_desc d = mhi_desc_read(vq->desc_at + index * VQ_DESC_BYTES, false);

		if (d.flags & VQ_DESC_INDIRECT)
			return vq->indirect ? mhi_chain_indirect(chain, vq->mem, &d, false)
					    : MHI_CHAIN_INDIRECT;
		fault = mhi_chain_add(chain, vq->mem, &d);
		if (fault || !(d.flags & VQ_DESC_NEXT))
			return fault;
		if (d.other >= vq->size)
			return MHI_CHAIN_NEXT;
		index = d.other;
	}
	return MHI_CHAIN_NEXT;
}

static void set_quiet(struct mhi_vq *vq, bool quiet)
{
	vq->quiet = quiet;
	/* With event indices silence is the rule: the driver kicks when the index is reached. */
	if (!vq->event_idx)
		mhi_ring_store(vq->device_at + FLAGS, quiet ? NO_NOTIFY : 0);
	else if (!quiet)
		mhi_ring_store(vq->device_at + RING + vq->size * USED_ENTRY, vq->next);
}

/* How many chains are available; 0: none, and the driver will kick for the next. */
static u16 available(struct mhi_vq *vq)
{
	u16 count;

	/* Pairs with the driver's barrier between ring entry and index. */
	count = (u16)(__atomic_load_n((const u16 *)(const void *)(vq->driver_at + INDEX),
				      __ATOMIC_ACQUIRE) -
		      vq->next);
	if (count)
		return count;
	set_quiet(vq, false);
	/* Pairs with the driver's full barrier between index and the look at our wish. */
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	return (u16)(__atomic_load_n((const u16 *)(const void *)(vq->driver_at + INDEX),
				     __ATOMIC_ACQUIRE) -
		     vq->next);
}

static int split_pop(struct mhi_vq *vq, struct mhi_chain *chain)
{
	enum mhi_chain_fault fault;

	/* A driver all of whose chains are malformed does not get us to try for ever. */
	for (u32 n = 0; n <= vq->size; n++) {
		u16 count = available(vq), head;

		if (!count)
			return 0;
		if (count > vq->size) {
			vq->broken = "the available index runs ahead of the ring";
			return -1;
		}
		if (!vq->quiet)
			set_quiet(vq, true);
		head = mhi_ring_load(vq->driver_at + RING +
				     (vq->next & (vq->size - 1)) * AVAIL_ENTRY);
		if (head >= vq->size) {
			vq->broken = "a head is no descriptor";
			return -1;
		}
		vq->next++;
		chain->id = (struct mhi_chain_id){ .id = head };
		fault = walk(vq, head, chain);
		if (!fault)
			return 1;
		mhi_vq_refuse(vq, chain->id, fault);
	}
	vq->broken = "nothing but malformed chains";
	return -1;
}

static bool split_more(struct mhi_vq *vq)
{
	return available(vq) > 0;
}

static void split_push(struct mhi_vq *vq, const struct mhi_used *used, u32 count)
{
	for (u32 n = 0; n < count; n++) {
		u8 *entry = vq->device_at + RING + (vq->used & (vq->size - 1)) * USED_ENTRY;
		const u32 element[2] = { used[n].id.id, used[n].written };

		memcpy(entry, element, sizeof(element));
		vq->used++;
	}
	vq->pushed = true;
	/* Pairs with the driver's read barrier between index and entry. */
	__atomic_store_n((u16 *)(void *)(vq->device_at + INDEX), vq->used, __ATOMIC_RELEASE);
}

static void split_unpop(struct mhi_vq *vq, struct mhi_chain_id id)
{
	vq->next--;
}

static bool split_signal(struct mhi_vq *vq)
{
	u16 before = vq->signalled;

	/* Pairs with the driver's full barrier between its wish and its look at the index. */
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	if (!vq->event_idx)
		return !(mhi_ring_load(vq->driver_at + FLAGS) & NO_INTERRUPT);
	vq->signalled = vq->used;
	return mhi_vq_passed(mhi_ring_load(vq->driver_at + RING + vq->size * AVAIL_ENTRY), vq->used,
			     before);
}

const struct mhi_ring_ops mhi_ring_split = {
	.map = split_map,
	.pop = split_pop,
	.more = split_more,
	.push = split_push,
	.unpop = split_unpop,
	.signal = split_signal,
};
