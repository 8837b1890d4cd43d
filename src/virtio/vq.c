/* SPDX-License-Identifier: MIT */
/* What both ring layouts share: the state of a queue at its start, and refused chains. */
#include "virtio/vq.h"

void mhi_vq_reset(struct mhi_vq *vq)
{
	const struct mhi_gmem *mem = vq->mem;
	u16 max = vq->max;
	u32 malformed = vq->malformed;

	*vq = (struct mhi_vq){
		.mem = mem,
		.max = max,
		.size = max,
		.vector = MHI_VQ_NO_VECTOR,
		.malformed = malformed,
	};
}

bool mhi_vq_start(struct mhi_vq *vq, bool packed)
{
	vq->ring = packed ? &mhi_ring_packed : &mhi_ring_split;
	if (!vq->size || vq->size > vq->max)
		return false;
	vq->next = vq->used = vq->signalled = 0;
	vq->next_wrap = vq->used_wrap = vq->signalled_wrap = true;
	vq->quiet = vq->pushed = false;
	return vq->ring->map(vq);
}

void mhi_vq_refuse(struct mhi_vq *vq, struct mhi_chain_id id, enum mhi_chain_fault fault)
{
	if (!vq->malformed++)
		vq->complaint = mhi_chain_fault_name(fault);
	vq->ring->push(vq, &(struct mhi_used){ .id = id }, 1);
}
