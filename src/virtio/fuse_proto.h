/* SPDX-License-Identifier: MIT */
/*
 * FUSE's numbers and structures: those of Linux' own header, to which virtio 1.2, 5.11 "File System
 * Device", refers.
 */
#ifndef MHI_VIRTIO_FUSE_PROTO_H
#define MHI_VIRTIO_FUSE_PROTO_H

#include <linux/fuse.h>

#endif
