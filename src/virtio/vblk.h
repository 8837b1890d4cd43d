/* SPDX-License-Identifier: MIT */
/* virtio-blk: a disk over a block back end. */
#ifndef MHI_VIRTIO_VBLK_H
#define MHI_VIRTIO_VBLK_H

#include "core/blk.h"
#include "virtio/vdev.h"

#define MHI_VBLK_QUEUES_MAX 16
#define MHI_VBLK_SERIAL 20
/* Of the workers so many work for one disk, so that one with slow storage leaves some to others. */
#define MHI_VBLK_WORKERS_MOST 16

struct mhi_vblk_config {
	struct mhi_blk *node;	      /* the device closes it; read_only makes the disk so */
	struct mhi_workers *workers;  /* outlive the device */
	u16 queues;		      /* 1 .. MHI_VBLK_QUEUES_MAX */
	bool write_through;	      /* at first; the driver may change it */
	char serial[MHI_VBLK_SERIAL]; /* padded with zeros */
};

/* 0; MH_ENOMEM: the node is still the caller's. */
int mhi_vblk_create(const struct mhi_vdev_env *env, const struct mhi_vblk_config *config,
		    struct mhi_vdev **out);

#endif
