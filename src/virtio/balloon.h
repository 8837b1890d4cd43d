/* SPDX-License-Identifier: MIT */
/* virtio-balloon: memory that the guest can spare goes back to the host. */
#ifndef MHI_VIRTIO_BALLOON_H
#define MHI_VIRTIO_BALLOON_H

#include "virtio/vdev.h"

#define MHI_BALLOON_ID 5
#define MHI_BALLOON_STATS 8

struct mhi_balloon_stats {
	u32 target, actual;	      /* pages of 4 KiB */
	u64 updates;		      /* how often the guest has told the values */
	u64 value[MHI_BALLOON_STATS]; /* by tag; ~0: not told */
};

/* pages: the first target. 0; MH_ENOMEM. */
int mhi_balloon_create(const struct mhi_vdev_env *env, u32 pages, struct mhi_vdev **out);
/* How many pages the guest is to give back. Any thread. */
void mhi_balloon_set(struct mhi_vdev *dev, u32 pages);
/* What the guest told last; asks it for more. Any thread. */
void mhi_balloon_stats(struct mhi_vdev *dev, struct mhi_balloon_stats *out);

#endif
