/* SPDX-License-Identifier: MIT */
/* A disk's storage that the embedder supplies. */
#include <stdlib.h>

#include "virtio/be_embed.h"

struct embed {
	struct mhi_blk blk;
	struct mh_block_ops ops; /* (c) */
	void *opaque;		 /* (c) */
	bool adopted;		 /* (c) but for the attaching */
};

static struct embed *embed_of(struct mhi_blk *b)
{
	return (struct embed *)b;
}

static int embed_read(struct mhi_blk *b, u64 offset, const struct iovec *iov, u32 count)
{
	struct embed *e = embed_of(b);

	return e->ops.read(e->opaque, offset, iov, count);
}

static int embed_write(struct mhi_blk *b, u64 offset, const struct iovec *iov, u32 count, u32 flags)
{
	struct embed *e = embed_of(b);
	int rc = e->ops.write(e->opaque, offset, iov, count);

	return rc || !(flags & MHI_BLK_FUA) ? rc : e->ops.flush(e->opaque);
}

static int embed_write_zeroes(struct mhi_blk *b, u64 offset, u64 bytes, u32 flags)
{
	struct embed *e = embed_of(b);

	if (!e->ops.write_zeroes)
		return mhi_blk_write_zero_bytes(b, offset, bytes);
	return e->ops.write_zeroes(e->opaque, offset, bytes);
}

static int embed_discard(struct mhi_blk *b, u64 offset, u64 bytes)
{
	struct embed *e = embed_of(b);

	return e->ops.discard(e->opaque, offset, bytes);
}

static int embed_flush(struct mhi_blk *b)
{
	struct embed *e = embed_of(b);

	return e->ops.flush(e->opaque);
}

static int embed_close(struct mhi_blk *b)
{
	struct embed *e = embed_of(b);

	if (e->adopted && e->ops.close)
		e->ops.close(e->opaque);
	free(e);
	return 0;
}

static const struct mhi_blk_ops embed_ops = {
	.format = "the embedder's",
	.read = embed_read,
	.write = embed_write,
	.write_zeroes = embed_write_zeroes,
	.discard = embed_discard,
	.flush = embed_flush,
	.close = embed_close,
};

int mhi_embed_blk_create(const struct mh_block_ops *ops, void *opaque, u64 size, u32 block,
			 struct mhi_blk **out)
{
	struct embed *e = calloc(1, sizeof(*e));

	if (!e)
		return MH_ENOMEM;
	e->blk = (struct mhi_blk){
		.ops = &embed_ops,
		.size = size,
		.limits = { .block = block,
			    .physical = block,
			    .memory_align = 1,
			    .discard_align = ops->discard ? block : 0,
			    .fast_zeroes = ops->write_zeroes != NULL },
	};
	e->ops = *ops;
	e->opaque = opaque;
	*out = &e->blk;
	return 0;
}

bool *mhi_embed_blk_adopted(struct mhi_blk *node)
{
	return &embed_of(node)->adopted;
}
