/* SPDX-License-Identifier: MIT */
/* The network back ends (core/net.h). All are opened from any thread but the loop's. */
#ifndef MHI_VIRTIO_BE_NET_H
#define MHI_VIRTIO_BE_NET_H

#include "core/err.h"
#include "core/net.h"
#include "virtio/vdev.h"

/*
 * A connected socket that keeps messages apart (SOCK_DGRAM, SOCK_SEQPACKET): each is one frame,
 * without a header. The back end takes a duplicate of fd. 0; MH_EINVAL (no such socket), MH_ENOMEM.
 */
int mhi_net_socket_open(const struct mhi_vdev_env *env, int fd, u32 mtu, struct mhi_net **out,
			struct mhi_err *err);

#endif
