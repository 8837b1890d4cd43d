// SPDX-License-Identifier: MIT
/*
 * Descriptor chains, for any descriptor and any slot of guest memory.
 *
 * add: by induction over the descriptors of a chain. Whatever valid chain there is, adding any
 * descriptor leaves a valid one: no more segments than there is room for, and each new segment lies
 * in one slot, in a writable one if the device is to write it.
 * Bounds: one slot of at most 64 KiB anywhere; MHI_CHAIN_IOVS is 3.
 *
 * indirect: the walk of an indirect table reads nothing but descriptors inside of it, and ends.
 * Stubs: mhi_gmem_read gives any bytes, or fails.
 * Bounds: MHI_INDIRECT_MAX is 4; the table's length is any. There is no guest memory, so that only
 * empty buffers are no fault: "add" is about the others.
 *
 * copy: copying from and to a chain stays in its segments and in the buffer, and copies what there
 * is.
 * Bounds: three segments of at most 4 bytes, a buffer of at most 4.
 *
 * change: src/virtio/chain.h s/MHI_CHAIN_IOVS 1088/MHI_CHAIN_IOVS 3/
 * change: src/virtio/chain.h s/MHI_INDIRECT_MAX 1024/MHI_INDIRECT_MAX 4/
 * source: src/virtio/chain.c src/mm/slots.c
 * prove: add --unwind 3
 * fault: add src/virtio/chain.c s/bytes < slot->bytes - offset ? bytes/bytes < slot->bytes ? bytes/
 * fault: add src/virtio/chain.c s/(write && slot->readonly)/false/
 * fault: add src/virtio/chain.c s/ins == MHI_CHAIN_IOVS/ins > MHI_CHAIN_IOVS/
 * prove: indirect --unwind 6
 * fault: indirect src/virtio/chain.c s/if (index >= count)/if (index > count)/
 * prove: copy --unwind 5
 * fault: copy src/virtio/chain.c s/if (n > bytes - done)/if (n > bytes)/
 */
#include "proof.h"
#include "virtio/chain.h"

static struct mhi_gmem mem;

static u8 host[65536]; /* its content does not matter: nothing of it is touched */

/* It ends where the object ends. */
static void any_slot(void)
{
	struct mhi_slot *slot = &mem.slots.slot[0];

	slot->gpa = nondet_u64();
	slot->bytes = nondet_u64();
	ASSUME(slot->bytes <= sizeof(host) && slot->gpa <= ~0ull - slot->bytes);
	slot->hva = (u64)(uintptr_t)(host + sizeof(host) - slot->bytes);
	slot->readonly = nondet_bool();
}

static void any_memory(void)
{
	any_slot();
	mem.slots.end = 1;
}

static bool in_slot(const struct iovec *iov, bool write)
{
	const struct mhi_slot *slot = &mem.slots.slot[0];
	u64 offset = (u64)(uintptr_t)iov->iov_base - slot->hva;

	return __CPROVER_same_object(iov->iov_base, host) && offset < slot->bytes &&
	       iov->iov_len <= slot->bytes - offset && !(write && slot->readonly);
}

void add(void)
{
	struct vq_desc d = { nondet_u64(), nondet_u32(), nondet_u16(), nondet_u16() };
	bool write = d.flags & VQ_DESC_WRITE;
	static struct mhi_chain chain;
	enum mhi_chain_fault fault;
	u32 before, outs;

	any_memory();
	chain.outs = nondet_u32();
	chain.ins = nondet_u32();
	ASSUME(chain.outs <= MHI_CHAIN_IOVS && chain.ins <= MHI_CHAIN_IOVS - chain.outs);
	before = chain.outs + chain.ins;
	outs = chain.outs;
	fault = mhi_chain_add(&chain, &mem, &d);
	CLAIM(chain.outs + chain.ins <= MHI_CHAIN_IOVS);
	CLAIM(chain.outs + chain.ins >= before && chain.outs + chain.ins <= before + 1);
	/* What the device reads comes first. */
	CLAIM(chain.outs == outs || before == outs);
	for (u32 i = before; i < chain.outs + chain.ins; i++) {
		CLAIM(chain.iov[i].iov_len && chain.iov[i].iov_len <= d.len);
		CLAIM(in_slot(&chain.iov[i], write));
	}
	CLAIM(fault || chain.out_bytes + chain.in_bytes == d.len);
	CLAIM(fault || before == MHI_CHAIN_IOVS || !d.len || chain.outs + chain.ins > before);
}

static struct vq_desc table;
static u32 reads;

int mhi_gmem_read(const struct mhi_gmem *m, mh_gpa gpa, void *buf, u64 bytes)
{
	CLAIM(m == &mem && bytes == VQ_DESC_BYTES && WRITABLE(buf, bytes));
	CLAIM((gpa - table.addr) % VQ_DESC_BYTES == 0);
	CLAIM(gpa - table.addr <= table.len - VQ_DESC_BYTES);
	CLAIM(++reads <= MHI_INDIRECT_MAX);
	if (nondet_bool())
		return -1;
	ANY_BYTES(buf, bytes);
	return 0;
}

void indirect(void)
{
	static struct mhi_chain chain;
	enum mhi_chain_fault fault;

	table = (struct vq_desc){ nondet_u64(), nondet_u32(), nondet_u16(), nondet_u16() };
	mhi_chain_begin(&chain);
	fault = mhi_chain_indirect(&chain, &mem, &table, nondet_bool());
	CLAIM(chain.outs + chain.ins <= MHI_CHAIN_IOVS);
	CLAIM(fault || (table.len && table.len % VQ_DESC_BYTES == 0));
}

void copy(void)
{
	static struct mhi_chain chain;
	static u8 first_bytes[4], second_bytes[4], third_bytes[4], buffer[4];
	u8 *const segment[3] = { first_bytes, second_bytes, third_bytes };
	size_t bytes = nondet_size(), total = 0, n;
	u64 offset = nondet_u64();
	u32 first, end;

	ASSUME(bytes <= sizeof(buffer));
	chain.outs = nondet_u32();
	chain.ins = nondet_u32();
	ASSUME(chain.outs <= 3 && chain.ins <= 3 - chain.outs);
	/* Each ends where its object ends: what is behind it cannot be reached. */
	for (u32 i = 0; i < 3; i++) {
		size_t len = nondet_size();

		ASSUME(len <= 4);
		chain.iov[i] = (struct iovec){ segment[i] + 4 - len, len };
	}
	if (nondet_bool()) {
		n = mhi_chain_read(&chain, offset, buffer + sizeof(buffer) - bytes, bytes);
		first = 0;
		end = chain.outs;
	} else {
		n = mhi_chain_write(&chain, offset, buffer + sizeof(buffer) - bytes, bytes);
		first = chain.outs;
		end = chain.outs + chain.ins;
	}
	for (u32 i = first; i < end; i++)
		total += chain.iov[i].iov_len;
	total = offset > total ? 0 : total - offset;
	CLAIM(n == (bytes < total ? bytes : total));
}
