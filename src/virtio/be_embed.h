/* SPDX-License-Identifier: MIT */
/* Back ends that the embedder supplies (macrohard/backend.h), as the devices see them. */
#ifndef MHI_VIRTIO_BE_EMBED_H
#define MHI_VIRTIO_BE_EMBED_H

#include "core/blk.h"
#include "core/net.h"
#include "macrohard/backend.h"
#include "virtio/p9_server.h"
#include "virtio/vdev.h"

/* size: bytes of the disk, multiple of block, a power of two. 0; MH_ENOMEM. */
int mhi_embed_blk_create(const struct mh_block_ops *ops, void *opaque, u64 size, u32 block,
			 struct mhi_blk **out);
/* The embedder's close is called once this is set: his device is attached. */
bool *mhi_embed_blk_adopted(struct mhi_blk *node);

/* 0; MH_ENOMEM. */
int mhi_embed_p9_create(const struct mh_p9_ops *ops, void *opaque, struct mhi_p9_server **out);
/* As mhi_embed_blk_adopted. */
bool *mhi_embed_p9_adopted(struct mhi_p9_server *server);

/* Any thread but the loop's. 0; MH_ENOMEM. */
int mhi_embed_net_create(const struct mhi_vdev_env *env, const struct mh_net_ops *ops, void *opaque,
			 u32 mtu, struct mhi_net **out);
/* As mhi_embed_blk_adopted. */
bool *mhi_embed_net_adopted(struct mhi_net *net);
/* Any thread. 0; MH_ENOSPC (too many wait), MH_ENOMEM, MH_EINVAL (no frame has such a length). */
int mhi_embed_net_input(struct mhi_net *net, const void *frame, size_t bytes);
/* Any thread: send is worth trying again. */
void mhi_embed_net_ready(struct mhi_net *net);

#endif
