/* SPDX-License-Identifier: MIT */
/* Attaching disks: images and block devices of the host as virtio-blk. */
#include "api/dev.h"
#include "virtio/be_embed.h"
#include "virtio/be_open.h"
#include "virtio/vblk.h"

#define DISK_FLAGS (MH_DISK_READONLY | MH_DISK_DIRECT | MH_DISK_WRITE_THROUGH)
#define BLOCK_MAX 65536u
#define DISK_MAX (1ull << 62) /* offsets are signed elsewhere */
/* More bring little: 16 workers serve them all. */
#define QUEUES_DEFAULT_MAX 8

static int check(struct mh_dev *dev, const struct mh_disk_config *config)
{
	struct mhi_err *err = mhi_ctx_err(dev->vm->ctx);

	if (!config->path == !config->ops)
		return mhi_err_set(err, MH_EINVAL,
				   "config.path and config.ops are both %s; set one of them",
				   config->path ? "set" : "NULL");
	if (config->queues > MHI_VBLK_QUEUES_MAX)
		return mhi_err_set(err, MH_EINVAL,
				   "config.queues is %u, not 0 to %d; choose a number from there",
				   config->queues, MHI_VBLK_QUEUES_MAX);
	if (config->serial && strlen(config->serial) > MHI_VBLK_SERIAL)
		return mhi_err_set(err, MH_EINVAL,
				   "config.serial has more than %d bytes; shorten it",
				   MHI_VBLK_SERIAL);
	return mhi_dev_check_flags(dev, config->flags, DISK_FLAGS);
}

static int check_ops(struct mh_dev *dev, const struct mh_disk_config *config, u32 block)
{
	struct mhi_err *err = mhi_ctx_err(dev->vm->ctx);
	const struct mh_block_ops *ops = config->ops;

	if (config->format || (config->flags & MH_DISK_DIRECT))
		return mhi_err_set(err, MH_EINVAL,
				   "config.format and MH_DISK_DIRECT are for images, not for "
				   "config.ops; leave them out");
	if (ops->version != 1)
		return mhi_err_set(err, MH_EINVAL, "config.ops->version is %u, not 1; set it to 1",
				   ops->version);
	if (!ops->read || !ops->write || !ops->flush)
		return mhi_err_set(err, MH_EINVAL,
				   "config.ops has no read, write or flush; give it all three");
	if (block < MHI_BLK_SECTOR || block > BLOCK_MAX || (block & (block - 1)))
		return mhi_err_set(err, MH_EINVAL,
				   "config.block_bytes is %u; choose a power of two from 512 to %u",
				   block, BLOCK_MAX);
	if (!config->bytes || config->bytes % block || config->bytes > DISK_MAX)
		return mhi_err_set(
			err, MH_EINVAL,
			"config.bytes is %llu, not a multiple of %u, or 0, or too much; correct it",
			(u64)config->bytes, block);
	return 0;
}

static int open_ops(struct mh_dev *dev, const struct mh_disk_config *config, struct mhi_blk **node)
{
	u32 block = config->block_bytes ? config->block_bytes : MHI_BLK_SECTOR;
	int rc = check_ops(dev, config, block);

	if (rc)
		return rc;
	rc = mhi_embed_blk_create(config->ops, config->opaque, config->bytes, block, node);
	if (rc)
		return mhi_err_set(mhi_ctx_err(dev->vm->ctx), rc, MHI_NO_MEMORY);
	(*node)->read_only = config->flags & MH_DISK_READONLY;
	dev->adopted = mhi_embed_blk_adopted(*node);
	return 0;
}

static int open_image(struct mh_dev *dev, const struct mh_disk_config *config,
		      struct mhi_blk **node)
{
	u32 flags = 0;

	if (config->flags & MH_DISK_READONLY)
		flags |= MHI_OPEN_READ_ONLY;
	if (config->flags & MH_DISK_DIRECT)
		flags |= MHI_OPEN_DIRECT;
	return mhi_image_open(config->path, config->format, flags, node, mhi_ctx_err(dev->vm->ctx));
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
	int rc = check(dev, config);

	if (rc)
		return rc;
	if (config->path) {
		dev->label = strdup(config->path);
		if (!dev->label)
			return mhi_err_set(err, MH_ENOMEM, "out of memory");
	}
	if (config->serial)
		memcpy(blk.serial, config->serial, strlen(config->serial));
	rc = mhi_ctx_workers(dev->vm->ctx, &blk.workers, err);
	if (!rc)
		rc = config->ops ? open_ops(dev, config, &blk.node)
				 : open_image(dev, config, &blk.node);
	if (rc)
		return rc;
	rc = mhi_vblk_create(&dev->env, &blk, &dev->vdev);
	if (rc) {
		mhi_err_set(err, rc, MHI_NO_MEMORY);
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
