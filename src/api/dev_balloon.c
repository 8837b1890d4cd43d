/* SPDX-License-Identifier: MIT */
/* Attaching balloons, and what the host asks of them. */
#include "api/dev.h"
#include "virtio/balloon.h"

/* The balloon's size in pages. */
static int check_bytes(struct mh_vm *vm, const char *name, u64 bytes, u32 *pages)
{
	if (bytes % MH_PAGE_SIZE || bytes > vm->ram_bytes || bytes / MH_PAGE_SIZE > UINT32_MAX)
		return mhi_err_set(mhi_ctx_err(vm->ctx), MH_EINVAL,
				   "%s is %llu; it must be a multiple of %u, and no more than the "
				   "VM's memory",
				   name, bytes, MH_PAGE_SIZE);
	*pages = (u32)(bytes / MH_PAGE_SIZE);
	return 0;
}

static int make(struct mh_dev *dev, const struct mh_balloon_config *config)
{
	int rc = mhi_dev_check_flags(dev, config->flags, 0);
	u32 pages = 0;

	if (!rc)
		rc = check_bytes(dev->vm, "config.bytes", config->bytes, &pages);
	if (rc)
		return rc;
	rc = mhi_balloon_create(&dev->env, pages, &dev->vdev);
	return rc ? mhi_err_set(mhi_ctx_err(dev->vm->ctx), rc, MHI_NO_MEMORY) : 0;
}

int mh_balloon_attach(struct mh_vm *vm, const struct mh_balloon_config *config, struct mh_dev **out)
{
	const struct mh_balloon_config defaults = MH_BALLOON_CONFIG_INIT;
	struct mh_dev *dev;
	int rc;

	if (!config)
		config = &defaults;
	rc = mhi_dev_begin(vm, "balloon", config, sizeof(*config), &dev);
	return rc ? rc : mhi_dev_end(dev, config->flags, make(dev, config), out);
}

static int check_balloon(struct mh_dev *dev)
{
	if (!dev->vdev || dev->vdev->ops->id != MHI_BALLOON_ID)
		return mhi_err_set(mhi_ctx_err(dev->vm->ctx), MH_EINVAL,
				   "balloon of VM \"%s\": the device is no balloon; pass what "
				   "mh_balloon_attach gave",
				   dev->vm->name);
	return 0;
}

int mh_balloon_set(struct mh_dev *dev, uint64_t bytes)
{
	u32 pages;
	int rc = dev ? check_balloon(dev) : MH_EINVAL;

	if (rc)
		return rc;
	rc = check_bytes(dev->vm, "bytes", bytes, &pages);
	if (rc)
		return mhi_err_wrap(mhi_ctx_err(dev->vm->ctx), "balloon of VM \"%s\"",
				    dev->vm->name);
	mhi_balloon_set(dev->vdev, pages);
	return 0;
}

int mh_balloon_stats(struct mh_dev *dev, struct mh_balloon_stats *stats)
{
	struct mhi_balloon_stats s;
	int rc;

	if (!dev || !stats)
		return MH_EINVAL;
	rc = check_balloon(dev);
	if (!rc && stats->size != sizeof(*stats))
		rc = mhi_err_set(mhi_ctx_err(dev->vm->ctx), MH_EINVAL,
				 "balloon of VM \"%s\": stats.size is %zu, not %zu; use the INIT "
				 "macro",
				 dev->vm->name, stats->size, sizeof(*stats));
	if (rc)
		return rc;
	mhi_balloon_stats(dev->vdev, &s);
	/* By tag: virtio 1.2, 5.5.6.4 "Memory Statistics Tags". */
	*stats = (struct mh_balloon_stats){
		.size = sizeof(*stats),
		.target_bytes = (u64)s.target * MH_PAGE_SIZE,
		.actual_bytes = (u64)s.actual * MH_PAGE_SIZE,
		.updates = s.updates,
		.swap_in_bytes = s.value[0],
		.swap_out_bytes = s.value[1],
		.major_faults = s.value[2],
		.minor_faults = s.value[3],
		.free_bytes = s.value[4],
		.total_bytes = s.value[5],
		.available_bytes = s.value[6],
		.cache_bytes = s.value[7],
	};
	return 0;
}
