/* SPDX-License-Identifier: MIT */
/* virtio-fs: a folder of the host for the guest, by FUSE. */
#ifndef MHI_VIRTIO_FS_DEV_H
#define MHI_VIRTIO_FS_DEV_H

#include "virtio/fuse.h"
#include "virtio/vdev.h"

#define MHI_FS_TAG_MAX 36

/*
 * tag: 1 to MHI_FS_TAG_MAX bytes, by which the guest names it. 0; MH_EINVAL, MH_ENOENT, MH_EPERM,
 * MH_ENOTSUP, MH_ENOMEM, MH_EIO with a sentence in err. The device frees itself by ops->destroy.
 * Not on the loop's thread.
 */
int mhi_fs_dev_create(const struct mhi_vdev_env *env, const struct mhi_fuse_config *config,
		      const char *tag, struct mhi_vdev **out, struct mhi_err *err);

#endif
