/* SPDX-License-Identifier: MIT */
/* The packed ring. virtio 1.2, 2.8 "Packed Virtqueues". */
#include "virtio/vq.h"

/* 2.8.1 "Driver and Device Ring Wrap Counters": flags of a descriptor in the ring. */
#define DESC_ID 12
#define DESC_FLAGS 14
#define DESC_AVAIL 0x0080
#define DESC_USED 0x8000

/* 2.8.14 "Event Suppression Structure Format". */
#define EVENT_OFFSET 0
#define EVENT_FLAGS 2
#define EVENT_BYTES 4
#define EVENT_WRAP 0x8000
#define EVENTS_ON 0
#define EVENTS_OFF 1
#define EVENTS_AT 2

static bool packed_map(struct mhi_vq *vq)
{
	if (vq->desc % 16 || vq->driver % 4 || vq->device % 4)
		return false;
	vq->desc_at = mhi_gmem_ptr(vq->mem, vq->desc, (u32)vq->size * VQ_DESC_BYTES, true);
	vq->driver_at = mhi_gmem_ptr(vq->mem, vq->driver, EVENT_BYTES, false);
	vq->device_at = mhi_gmem_ptr(vq->mem, vq->device, EVENT_BYTES, true);
	return vq->desc_at && vq->driver_at && vq->device_at;
}

static void advance(const struct mhi_vq *vq, u16 *at, bool *wrap, u16 count)
{
	u32 next = (u32)*at + count;

	if (next >= vq->size) {
		next -= vq->size;
		*wrap = !*wrap;
	}
	*at = (u16)next;
}

static bool is_available(const struct mhi_vq *vq)
{
	/* Pairs with the driver's barrier: the flags of the first descriptor come last. */
	u16 flags = __atomic_load_n(
		(const u16 *)(const void *)(vq->desc_at + vq->next * VQ_DESC_BYTES + DESC_FLAGS),
		__ATOMIC_ACQUIRE);

	return !!(flags & DESC_AVAIL) == vq->next_wrap && !!(flags & DESC_USED) != vq->next_wrap;
}

static void set_quiet(struct mhi_vq *vq, bool quiet)
{
	vq->quiet = quiet;
	if (quiet) {
		mhi_ring_store(vq->device_at + EVENT_FLAGS, EVENTS_OFF);
		return;
	}
	if (vq->event_idx) {
		mhi_ring_store(vq->device_at + EVENT_OFFSET,
			       vq->next | (vq->next_wrap ? EVENT_WRAP : 0));
		/* The driver reads the flags before the offset. */
		__atomic_thread_fence(__ATOMIC_RELEASE);
	}
	mhi_ring_store(vq->device_at + EVENT_FLAGS, vq->event_idx ? EVENTS_AT : EVENTS_ON);
}

/*
 * The chain at vq->next. A fault of its buffers leaves *chain->id right, so that it can be given
 * back; a chain without an end does not.
 */
static enum mhi_chain_fault walk(struct mhi_vq *vq, struct mhi_chain *chain)
{
	enum mhi_chain_fault fault = MHI_CHAIN_OK, next;
	u32 index = vq->next;

	mhi_chain_begin(chain);
	for (u16 n = 1; n <= vq->size; n++) {
		struct vq_desc d = mhi_desc_read(vq->desc_at + index * VQ_DESC_BYTES, true);

		if (!(d.flags & VQ_DESC_INDIRECT))
			next = mhi_chain_add(chain, vq->mem, &d);
		else if (!vq->indirect || n > 1)
			next = MHI_CHAIN_INDIRECT;
		else
			next = mhi_chain_indirect(chain, vq->mem, &d, true);
		if (!fault)
			fault = next;
		if (!(d.flags & VQ_DESC_NEXT)) {
			chain->id = (struct mhi_chain_id){ .id = d.other, .slots = n };
			return fault;
		}
		index = index + 1 == vq->size ? 0 : index + 1;
	}
	chain->id.slots = 0;
	return MHI_CHAIN_NEXT;
}

static bool packed_more(struct mhi_vq *vq)
{
	if (is_available(vq))
		return true;
	set_quiet(vq, false);
	/* Pairs with the driver's full barrier between descriptor and the look at our wish. */
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	return is_available(vq);
}

static int packed_pop(struct mhi_vq *vq, struct mhi_chain *chain)
{
	enum mhi_chain_fault fault;

	for (u32 n = 0; n <= vq->size; n++) {
		if (!packed_more(vq))
			return 0;
		if (!vq->quiet)
			set_quiet(vq, true);
		fault = walk(vq, chain);
		if (!chain->id.slots) {
			vq->broken = "a chain has no end";
			return -1;
		}
		advance(vq, &vq->next, &vq->next_wrap, chain->id.slots);
		if (!fault)
			return 1;
		mhi_vq_refuse(vq, chain->id, fault);
	}
	vq->broken = "nothing but malformed chains";
	return -1;
}

static void packed_push(struct mhi_vq *vq, const struct mhi_used *used, u32 count)
{
	u8 *first = vq->desc_at + vq->used * VQ_DESC_BYTES;
	u16 first_flags = 0;

	for (u32 n = 0; n < count; n++) {
		u8 *desc = vq->desc_at + vq->used * VQ_DESC_BYTES;
		u16 flags = used[n].written ? VQ_DESC_WRITE : 0;

		if (vq->used_wrap)
			flags |= DESC_AVAIL | DESC_USED;
		memcpy(desc + 8, &used[n].written, sizeof(used[n].written));
		memcpy(desc + DESC_ID, &used[n].id.id, sizeof(used[n].id.id));
		/* The driver goes on to a descriptor after the first one only. */
		if (n)
			mhi_ring_store(desc + DESC_FLAGS, flags);
		else
			first_flags = flags;
		advance(vq, &vq->used, &vq->used_wrap, used[n].id.slots);
	}
	vq->pushed = true;
	/* Pairs with the driver's read barrier between flags and the rest. */
	__atomic_store_n((u16 *)(void *)(first + DESC_FLAGS), first_flags, __ATOMIC_RELEASE);
}

static void packed_unpop(struct mhi_vq *vq, struct mhi_chain_id id)
{
	if (vq->next < id.slots) {
		vq->next_wrap = !vq->next_wrap;
		vq->next = (u16)(vq->next + vq->size);
	}
	vq->next = (u16)(vq->next - id.slots);
}

static bool packed_signal(struct mhi_vq *vq)
{
	u16 before = vq->signalled, flags, event, now = vq->used;

	/* One lap behind: as if the ring went on below its start. */
	if (vq->signalled_wrap != vq->used_wrap)
		before = (u16)(before - vq->size);
	vq->signalled = vq->used;
	vq->signalled_wrap = vq->used_wrap;
	/* Pairs with the driver's full barrier between its wish and its look at the ring. */
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	flags = mhi_ring_load(vq->driver_at + EVENT_FLAGS);
	if (flags != EVENTS_AT || !vq->event_idx)
		return flags != EVENTS_OFF;
	/* The driver writes the offset before the flags. */
	__atomic_thread_fence(__ATOMIC_ACQUIRE);
	event = mhi_ring_load(vq->driver_at + EVENT_OFFSET);
	if (!!(event & EVENT_WRAP) != vq->used_wrap)
		event = (u16)((event & ~EVENT_WRAP) - vq->size);
	else
		event &= (u16)~EVENT_WRAP;
	return mhi_vq_passed(event, now, before);
}

const struct mhi_ring_ops mhi_ring_packed = {
	.map = packed_map,
	.pop = packed_pop,
	.more = packed_more,
	.push = packed_push,
	.unpop = packed_unpop,
	.signal = packed_signal,
};
