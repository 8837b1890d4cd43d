/* SPDX-License-Identifier: MIT */
/* virtio-net: a network card over a network back end. */
#ifndef MHI_VIRTIO_VNET_H
#define MHI_VIRTIO_VNET_H

#include "core/net.h"
#include "virtio/vdev.h"

struct mhi_vnet_config {
	struct mhi_net *net; /* the device closes it */
	u8 mac[6];
};

/* 0; MH_ENOMEM: the back end is still the caller's. */
int mhi_vnet_create(const struct mhi_vdev_env *env, const struct mhi_vnet_config *config,
		    struct mhi_vdev **out);

#endif
