/* SPDX-License-Identifier: MIT */
/* virtio-9p: a tree of files for the guest, a folder of the host or any other server's. */
#ifndef MHI_VIRTIO_P9_DEV_H
#define MHI_VIRTIO_P9_DEV_H

#include "virtio/p9.h"
#include "virtio/vdev.h"

#define MHI_P9_TAG_MAX 64

/*
 * tag: 1 to MHI_P9_TAG_MAX bytes, by which the guest names it. 0; MH_EINVAL, MH_ENOENT, MH_EPERM,
 * MH_ENOTSUP, MH_ENOMEM, MH_EIO with a sentence in err. The device frees itself by ops->destroy.
 * Not on the loop's thread.
 */
int mhi_p9_dev_create(const struct mhi_vdev_env *env, const struct mhi_p9_config *config,
		      const char *tag, struct mhi_vdev **out, struct mhi_err *err);
/* Any server: it is the device's, also when this fails. 0; MH_EINVAL, MH_ENOMEM. */
int mhi_p9_dev_serve(const struct mhi_vdev_env *env, struct mhi_p9_server *server, const char *tag,
		     struct mhi_vdev **out, struct mhi_err *err);

#endif
