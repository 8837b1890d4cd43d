/* SPDX-License-Identifier: MIT */
/* virtio-gpu, 2D: pictures of the guest's, one of which the display shows. */
#ifndef MHI_VIRTIO_GPU_H
#define MHI_VIRTIO_GPU_H

#include "core/display.h"
#include "virtio/vdev.h"

#define MHI_GPU_ID 16

/* The display outlives the device. 0; MH_ENOMEM. */
int mhi_gpu_create(const struct mhi_vdev_env *env, struct mhi_display *display,
		   struct mhi_vdev **out);

#endif
