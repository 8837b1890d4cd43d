/* SPDX-License-Identifier: MIT */
/* virtio-rng: the host's random numbers for the guest. */
#ifndef MHI_VIRTIO_RNG_H
#define MHI_VIRTIO_RNG_H

#include "virtio/vdev.h"

/* 0; MH_ENOMEM. The device frees itself by ops->destroy. */
int mhi_rng_create(const struct mhi_vdev_env *env, struct mhi_vdev **out);

#endif
