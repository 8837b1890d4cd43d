// SPDX-License-Identifier: MIT
/*
 * Both rings, each operation by itself, from any state that the others leave: with any addresses,
 * and a driver that changes the rings' memory between any two reads of it.
 *
 * map: the parts that the ring uses are guest memory as long as the ring needs, and aligned.
 * Others, on parts of just that length: nothing outside of them is touched; the position stays in
 * the ring; what goes back has a place there. unpop undoes pop.
 *
 * Stubs: mhi_gmem_ptr gives memory of the length that is asked for, or none; a descriptor is any
 * one; mhi_chain_add and mhi_chain_indirect answer anything ("chain" is about them); an atomic load
 * gives any value.
 * Bounds: rings of at most 4 descriptors where all of them are looked at (pop), else of any size;
 * at most 3 chains go back at a time.
 *
 * change: src/base/types.h $a int proof_any(const void *p);
 * change: src/base/types.h $a #define __atomic_load_n(p, o) ((u16)proof_any(p))
 * source: src/virtio/vq.c src/virtio/vq_split.c src/virtio/vq_packed.c
 * prove: map --unwind 2
 * fault: map src/virtio/vq_split.c s/RING + size \* USED_ENTRY + EVENT_BYTES/size * USED_ENTRY/
 * fault: map src/virtio/vq_packed.c s/vq->desc % 16/vq->desc % 8/
 * prove: pop_split --unwind 6
 * fault: pop_split src/virtio/vq_split.c s/if (head >= vq->size)/if (head > vq->size)/
 * fault: pop_split src/virtio/vq_split.c s/d.other >= vq->size/d.other > vq->size/
 * prove: pop_packed --unwind 6
 * fault: pop_packed src/virtio/vq_packed.c s/index + 1 == vq->size/index == vq->size/
 * prove: push_split --unwind 4
 * fault: push_split src/virtio/vq_split.c s/vq->used & (vq->size - 1)/vq->used \& vq->size/
 * prove: push_packed --unwind 4
 * fault: push_packed src/virtio/vq_packed.c s/if (next >= vq->size)/if (next > vq->size)/
 * prove: others --unwind 2
 */
#include <stdlib.h>

#include "proof.h"
#include "virtio/vq.h"

#define POP_SIZE_MOST 4

static struct mhi_gmem mem;
static struct mhi_vq vq;
/*
 * For descriptors, driver, device: as much as the largest ring needs, or one of POP_SIZE_MOST.
 * Objects by themselves: in one array each would be behind the end of another.
 */
static u8 large_desc[16 * MHI_VQ_SIZE_MAX], large_driver[6 + 2 * MHI_VQ_SIZE_MAX];
static u8 large_device[6 + 8 * MHI_VQ_SIZE_MAX];
static u8 small_desc[16 * POP_SIZE_MOST], small_driver[6 + 2 * POP_SIZE_MOST];
static u8 small_device[6 + 8 * POP_SIZE_MOST];
static u32 adds;

/* ---- stubs ---- */

void mhi_chain_begin(struct mhi_chain *chain)
{
	chain->outs = chain->ins = 0;
}

enum mhi_chain_fault mhi_chain_add(struct mhi_chain *chain, const struct mhi_gmem *m,
				   const struct vq_desc *desc)
{
	CLAIM(m == &mem);
	adds++;
	return nondet_bool() ? MHI_CHAIN_OK : MHI_CHAIN_ADDRESS;
}

enum mhi_chain_fault mhi_chain_indirect(struct mhi_chain *chain, const struct mhi_gmem *m,
					const struct vq_desc *desc, bool packed)
{
	CLAIM(vq.indirect);
	return mhi_chain_add(chain, m, desc);
}

struct vq_desc mhi_desc_read(const void *at, bool packed)
{
	CLAIM(READABLE(at, VQ_DESC_BYTES));
	return (struct vq_desc){ nondet_u64(), nondet_u32(), nondet_u16(), nondet_u16() };
}

const char *mhi_chain_fault_name(enum mhi_chain_fault fault)
{
	return "a fault";
}

int proof_any(const void *p)
{
	CLAIM(READABLE(p, sizeof(u16)));
	return nondet_u16();
}

void *mhi_gmem_ptr(const struct mhi_gmem *m, mh_gpa gpa, u64 bytes, bool write)
{
	unsigned int n = gpa == vq.desc ? 0 : gpa == vq.driver ? 1 : 2;
	bool split = vq.ring == &mhi_ring_split;
	const u64 needed[3] = {
		16 * vq.size,
		split ? 6 + 2 * vq.size : 4,
		split ? 6 + 8 * vq.size : 4,
	};

	CLAIM(m == &mem);
	CLAIM(bytes >= needed[n]);
	CLAIM(write || n == 1 || (n == 0 && split));
	return nondet_bool() ? large_desc : NULL;
}

/* ---- any state ---- */

#define END_OF(most, part)                                             \
	((most) == POP_SIZE_MOST ? small_##part + sizeof(small_##part) \
				 : large_##part + sizeof(large_##part))

/* Each part ends where its object ends. */
static void any_queue(bool packed, u16 size_most)
{
	u32 size;

	ANYTHING(vq);
	vq.mem = &mem;
	vq.ring = packed ? &mhi_ring_packed : &mhi_ring_split;
	ASSUME(vq.max <= MHI_VQ_SIZE_MAX && vq.size && vq.size <= vq.max && vq.size <= size_most);
	ASSUME(packed || !(vq.size & (vq.size - 1)));
	ASSUME(!packed || (vq.next < vq.size && vq.used < vq.size && vq.signalled < vq.size));
	size = vq.size;
	vq.desc_at = END_OF(size_most, desc) - 16 * size;
	vq.driver_at = END_OF(size_most, driver) - (packed ? 4 : 6 + 2 * size);
	vq.device_at = END_OF(size_most, device) - (packed ? 4 : 6 + 8 * size);
}

static void check_queue(bool packed)
{
	CLAIM(!packed || (vq.next < vq.size && vq.used < vq.size));
}

void map(void)
{
	bool packed = nondet_bool();

	ANYTHING(vq);
	vq.mem = &mem;
	ASSUME(vq.max <= MHI_VQ_SIZE_MAX);
	ASSUME(vq.desc != vq.driver && vq.desc != vq.device && vq.driver != vq.device);
	if (!mhi_vq_start(&vq, packed))
		return;
	CLAIM(vq.size && vq.size <= vq.max && (packed || !(vq.size & (vq.size - 1))));
	CLAIM(vq.desc % 16 == 0 && vq.driver % 2 == 0 && vq.device % 4 == 0);
	CLAIM(vq.desc_at && vq.driver_at && vq.device_at);
	check_queue(packed);
}

static void pop(bool packed)
{
	static struct mhi_chain chain;
	struct mhi_vq before;
	int rc;

	any_queue(packed, POP_SIZE_MOST);
	before = vq;
	rc = vq.ring->pop(&vq, &chain);
	check_queue(packed);
	CLAIM(rc >= 0 || vq.broken);
	if (rc != 1)
		return;
	CLAIM(adds);
	CLAIM(packed ? chain.id.slots && chain.id.slots <= vq.size : chain.id.id < vq.size);
	if (vq.malformed != before.malformed)
		return;
	vq.ring->unpop(&vq, chain.id);
	CLAIM(vq.next == before.next);
	CLAIM(!packed || vq.next_wrap == before.next_wrap);
}

void pop_split(void)
{
	pop(false);
}

void pop_packed(void)
{
	pop(true);
}

static void push(bool packed)
{
	struct mhi_used used[3];
	u32 count = nondet_u32();
	u16 before;

	any_queue(packed, MHI_VQ_SIZE_MAX);
	ANYTHING(used);
	before = vq.used;
	ASSUME(count && count <= 3);
	for (u32 n = 0; n < 3; n++)
		ASSUME(used[n].id.slots <= vq.size);
	vq.ring->push(&vq, used, count);
	check_queue(packed);
	CLAIM(packed || (u16)(vq.used - before) == count);
}

void push_split(void)
{
	push(false);
}

void push_packed(void)
{
	push(true);
}

void others(void)
{
	bool packed = nondet_bool();

	any_queue(packed, MHI_VQ_SIZE_MAX);
	vq.ring->more(&vq);
	check_queue(packed);
	vq.ring->signal(&vq);
	check_queue(packed);
}
