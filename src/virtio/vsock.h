/* SPDX-License-Identifier: MIT */
/* virtio-vsock: sockets between the guest and this host, where they are AF_UNIX sockets. */
#ifndef MHI_VIRTIO_VSOCK_H
#define MHI_VIRTIO_VSOCK_H

#include "core/err.h"
#include "virtio/vdev.h"

#define MHI_VSOCK_ID 19
#define MHI_VSOCK_CONNECTIONS 1024 /* default of what there may be at a time */
/* virtio 1.2, 5.10.6.2 "Addressing": a packet's type. */
#define MHI_VSOCK_STREAM 1
#define MHI_VSOCK_SEQPACKET 2

struct mhi_vsock_config {
	u64 cid;
	const char *path; /* NULL: no socket in the file system */
	u32 connections;  /* 0: MHI_VSOCK_CONNECTIONS */
	/* The guest wants port: a connected socket, which is the device's then, or -1. On the
	 * loop's thread, without locks. NULL: nobody listens there. */
	int (*accept)(void *opaque, u32 port, u32 type);
	void *opaque;
};

/* 0; MH_EINVAL (path too long), MH_EEXIST, MH_ENOENT, MH_EPERM, MH_EIO (path), MH_ENOMEM. */
int mhi_vsock_create(const struct mhi_vdev_env *env, const struct mhi_vsock_config *config,
		     struct mhi_vdev **out, struct mhi_err *err);
/*
 * A socket that is connected to the guest's port as soon as the guest agrees; it is closed if he
 * does not. Or MH_ESTATE (no driver), MH_ENOTSUP (type), MH_ERANGE (too many), MH_ENOMEM. Any
 * thread.
 */
int mhi_vsock_connect(struct mhi_vdev *dev, u32 port, u32 type, struct mhi_err *err);
/* Ends all connections, and tells the guest; cid: its new one, 0: it stays. Any thread. */
void mhi_vsock_cut(struct mhi_vdev *dev, u64 cid);

#endif
