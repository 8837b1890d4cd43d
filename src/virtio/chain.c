/* SPDX-License-Identifier: MIT */
/*
 * From descriptors to host memory: every address, length, direction and count is checked here, for
 * both ring layouts. virtio 1.2, 2.7.5.3 "Indirect Descriptors", 2.8.7 "Indirect Flag: Scatter-
 * Gather Support".
 */
#include "virtio/chain.h"

#include "base/checked.h"

const char *mhi_chain_fault_name(enum mhi_chain_fault fault)
{
	static const char *const names[] = {
		[MHI_CHAIN_OK] = "none",
		[MHI_CHAIN_NEXT] = "a chain leaves the table or has no end",
		[MHI_CHAIN_LENGTH] = "a chain is too long",
		[MHI_CHAIN_ADDRESS] = "a buffer is not in guest memory",
		[MHI_CHAIN_ORDER] = "a buffer for the device follows one of the device's",
		[MHI_CHAIN_INDIRECT] = "an indirect table is malformed or not negotiated",
	};

	return names[fault];
}

struct vq_desc mhi_desc_read(const void *at, bool packed)
{
	struct {
		u64 addr;
		u32 len;
		u16 at12, at14;
	} raw;

	mhi_copy_once(&raw, at, sizeof(raw));
	return (struct vq_desc){ .addr = raw.addr,
				 .len = raw.len,
				 .flags = packed ? raw.at14 : raw.at12,
				 .other = packed ? raw.at12 : raw.at14 };
}

void mhi_chain_begin(struct mhi_chain *chain)
{
	chain->outs = chain->ins = 0;
	chain->out_bytes = chain->in_bytes = 0;
}

/* How much of [gpa, gpa + bytes) lies in one slot, and where; 0: it is not memory. */
static u64 stretch(const struct mhi_gmem *mem, mh_gpa gpa, u64 bytes, bool write, void **host)
{
	const struct mhi_slot *slot = mhi_slots_find(&mem->slots, gpa);
	u64 offset;

	if (!slot || (write && slot->readonly))
		return 0;
	offset = gpa - slot->gpa;
	*host = (u8 *)(uintptr_t)slot->hva + offset;
	return bytes < slot->bytes - offset ? bytes : slot->bytes - offset;
}

enum mhi_chain_fault mhi_chain_add(struct mhi_chain *chain, const struct mhi_gmem *mem,
				   const struct vq_desc *desc)
{
	bool write = desc->flags & VQ_DESC_WRITE;
	u64 gpa = desc->addr, left = desc->len, end;

	if (!write && chain->ins)
		return MHI_CHAIN_ORDER;
	if (!mhi_add_u64(gpa, left, &end))
		return MHI_CHAIN_ADDRESS;
	while (left) {
		struct iovec *iov = &chain->iov[chain->outs + chain->ins];
		void *host = NULL;
		u64 n = stretch(mem, gpa, left, write, &host);

		if (!n)
			return MHI_CHAIN_ADDRESS;
		if (chain->outs + chain->ins == MHI_CHAIN_IOVS)
			return MHI_CHAIN_LENGTH;
		*iov = (struct iovec){ host, n };
		if (write) {
			chain->ins++;
			chain->in_bytes += n;
		} else {
			chain->outs++;
			chain->out_bytes += n;
		}
		gpa += n;
		left -= n;
	}
	return MHI_CHAIN_OK;
}

static int table_desc(const struct mhi_gmem *mem, mh_gpa table, u32 index, bool packed,
		      struct vq_desc *out)
{
	u8 raw[VQ_DESC_BYTES];

	if (mhi_gmem_read(mem, table + (u64)index * VQ_DESC_BYTES, raw, sizeof(raw)))
		return -1;
	*out = mhi_desc_read(raw, packed);
	return 0;
}

enum mhi_chain_fault mhi_chain_indirect(struct mhi_chain *chain, const struct mhi_gmem *mem,
					const struct vq_desc *desc, bool packed)
{
	u32 count = desc->len / VQ_DESC_BYTES, index = 0;
	enum mhi_chain_fault fault;
	struct vq_desc d;

	if (!count || desc->len % VQ_DESC_BYTES || (desc->flags & VQ_DESC_NEXT))
		return MHI_CHAIN_INDIRECT;
	if (packed && count > MHI_INDIRECT_MAX)
		return MHI_CHAIN_LENGTH;
	for (u32 n = 0; n < MHI_INDIRECT_MAX; n++) {
		if (table_desc(mem, desc->addr, index, packed, &d))
			return MHI_CHAIN_ADDRESS;
		if (d.flags & VQ_DESC_INDIRECT)
			return MHI_CHAIN_INDIRECT;
		fault = mhi_chain_add(chain, mem, &d);
		if (fault)
			return fault;
		/* In a packed table all descriptors belong to the chain, and flags but WRITE mean
		 * nothing; in a split one they are linked. */
		if (packed ? index + 1 == count : !(d.flags & VQ_DESC_NEXT))
			return MHI_CHAIN_OK;
		index = packed ? index + 1 : d.other;
		if (index >= count)
			return MHI_CHAIN_NEXT;
	}
	return MHI_CHAIN_LENGTH;
}

/* ---- copying ---- */

size_t mhi_chain_read(const struct mhi_chain *chain, u64 offset, void *buf, size_t bytes)
{
	size_t done = 0;

	for (u32 i = 0; i < chain->outs && done < bytes; i++) {
		const struct iovec *iov = &chain->iov[i];
		size_t n;

		if (offset >= iov->iov_len) {
			offset -= iov->iov_len;
			continue;
		}
		n = iov->iov_len - offset;
		if (n > bytes - done)
			n = bytes - done;
		mhi_copy_once((u8 *)buf + done, (const u8 *)iov->iov_base + offset, n);
		done += n;
		offset = 0;
	}
	return done;
}

size_t mhi_chain_write(const struct mhi_chain *chain, u64 offset, const void *buf, size_t bytes)
{
	const struct iovec *in = mhi_chain_in(chain);
	size_t done = 0;

	for (u32 i = 0; i < chain->ins && done < bytes; i++) {
		size_t n;

		if (offset >= in[i].iov_len) {
			offset -= in[i].iov_len;
			continue;
		}
		n = in[i].iov_len - offset;
		if (n > bytes - done)
			n = bytes - done;
		memcpy((u8 *)in[i].iov_base + offset, (const u8 *)buf + done, n);
		done += n;
		offset = 0;
	}
	return done;
}
