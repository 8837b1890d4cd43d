/* SPDX-License-Identifier: MIT */
/* Attaching disks: images and block devices of the host as virtio-blk. */
#include "api/dev.h"
#include "virtio/be_open.h"
#include "virtio/vblk.h"

#define DISK_FLAGS (MH_DISK_READONLY | MH_DISK_DIRECT | MH_DISK_WRITE_THROUGH)
/* More bring nothing while one thread serves them all. */
#define QUEUES_DEFAULT_MAX 8

static int check(struct mh_dev *dev, const struct mh_disk_config *config)
{
	struct mhi_err *err = mhi_ctx_err(dev->vm->ctx);

	if (!config->path)
		return mhi_err_set(err, MH_EINVAL, "config.path is NULL");
	if (config->queues > MHI_VBLK_QUEUES_MAX)
		return mhi_err_set(err, MH_EINVAL, "config.queues is %u, not 0 to %d",
				   config->queues, MHI_VBLK_QUEUES_MAX);
	if (config->serial && strlen(config->serial) > MHI_VBLK_SERIAL)
		return mhi_err_set(err, MH_EINVAL, "config.serial has more than %d bytes",
				   MHI_VBLK_SERIAL);
	return mhi_dev_check_flags(dev, config->flags, DISK_FLAGS);
}

static u16 queues_of(const struct mh_vm *vm, const struct mh_disk_config *config)
{
	if (config->queues)
		return (u16)config->queues;
	return (u16)(vm->cpus < QUEUES_DEFAULT_MAX ? vm->cpus : QUEUES_DEFAULT_MAX);
}

static int make(struct mh_dev *dev, const struct mh_disk_config *config)
{
	struct mhi_vblk_config blk = {
		.queues = queues_of(dev->vm, config),
		.write_through = config->flags & MH_DISK_WRITE_THROUGH,
	};
	struct mhi_err *err = mhi_ctx_err(dev->vm->ctx);
	u32 flags = 0;
	int rc = check(dev, config);

	if (rc)
		return rc;
	if (config->flags & MH_DISK_READONLY)
		flags |= MHI_OPEN_READ_ONLY;
	if (config->flags & MH_DISK_DIRECT)
		flags |= MHI_OPEN_DIRECT;
	if (config->serial)
		memcpy(blk.serial, config->serial, strlen(config->serial));
	rc = mhi_ctx_workers(dev->vm->ctx, &blk.workers, err);
	if (!rc)
		rc = mhi_image_open(config->path, config->format, flags, &blk.node, err);
	if (rc)
		return rc;
	rc = mhi_vblk_create(&dev->env, &blk, &dev->vdev);
	if (rc) {
		mhi_err_set(err, rc, "out of memory");
		blk.node->ops->close(blk.node);
	}
	return rc;
}

int mh_disk_attach(struct mh_vm *vm, const struct mh_disk_config *config, struct mh_dev **out)
{
	struct mh_dev *dev;
	int rc = mhi_dev_begin(vm, "disk", config, sizeof(*config), &dev);

	return rc ? rc : mhi_dev_end(dev, config->flags, make(dev, config), out);
}
