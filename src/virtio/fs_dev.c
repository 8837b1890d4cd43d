/* SPDX-License-Identifier: MIT */
/*
 * virtio-fs (virtio 1.2, 5.11 "File System Device"): a worker takes a chain, runs the request and
 * gives it back; replies go straight into the guest's buffers. Queue 0 is for what must not wait
 * behind requests (FUSE_FORGET, FUSE_INTERRUPT), queue 1 for requests.
 */
#include "virtio/fs_dev.h"

#include <stdlib.h>
#include <x86intrin.h>

#include "core/le.h"
#include "core/worker.h"

#define DEVICE_ID 26
#define CLASS_STORAGE_OTHER 0x018000
/* Linux makes no request longer than the queue. */
#define HIPRIO_SIZE 128
#define REQUESTS_SIZE 1024
#define REQUEST_QUEUES 1
#define WORKERS 4
/* Requests done in one turn. */
#define BATCH 128

/* A request that a worker has, from its chain to its completion. */
struct slot {
	struct mhi_fuse_req req;
	struct mhi_chain chain;
	u64 began; /* TSC */
};

struct fs_dev {
	struct mhi_vdev dev;
	struct mhi_fuse *fuse;
	struct mhi_workers *workers;
	unsigned int free;	   /* (m) of the device's lock; bit n: slot[n] is */
	struct slot slot[WORKERS]; /* one for each worker */
};

static struct fs_dev *model(struct mhi_vdev *dev)
{
	return dev->model;
}

/* The device's lock is held, but for the request itself. */
static void serve(struct fs_dev *fs, unsigned int q, struct slot *slot)
{
	struct mhi_vdev *dev = &fs->dev;

	slot->began = __rdtsc();
	slot->req = (struct mhi_fuse_req){
		.out = slot->chain.iov,
		.outs = slot->chain.outs,
		.in = mhi_chain_in(&slot->chain),
		.ins = slot->chain.ins,
	};
	mhi_vdev_step_out(dev, q);
	mhi_fuse_run(fs->fuse, &slot->req);
	mhi_vdev_enter(dev);
	mhi_vdev_push(dev, q, slot->chain.id, slot->req.replied);
	mhi_vdev_count(dev, slot->req.replied, slot->chain.out_bytes);
	mhi_vdev_count_time(dev, slot->began);
	dev->counts.errors += slot->req.failed;
	fs->free |= 1u << (slot - fs->slot);
	mhi_vdev_release(dev);
}

static void fs_kick(struct mhi_vdev *dev, unsigned int q)
{
	struct fs_dev *fs = model(dev);

	for (unsigned int n = 0; n < BATCH; n++) {
		unsigned int free = (unsigned int)__builtin_ctz(fs->free);
		struct slot *slot = &fs->slot[free];

		if (!mhi_vdev_pop(dev, q, &slot->chain))
			return;
		fs->free &= ~(1u << free);
		serve(fs, q, slot);
	}
	mhi_vdev_again(dev, q);
}

/* ---- life ---- */

static void fs_reset(struct mhi_vdev *dev)
{
	mhi_fuse_reset(model(dev)->fuse);
}

static void free_model(struct fs_dev *fs)
{
	mhi_workers_destroy(fs->workers);
	mhi_fuse_destroy(fs->fuse);
	free(fs);
}

static void fs_destroy(struct mhi_vdev *dev)
{
	mhi_vdev_fini(dev);
	free_model(model(dev));
}

static const struct mhi_vdev_ops fs_ops = {
	.name = "virtio-fs",
	.id = DEVICE_ID,
	.class_code = CLASS_STORAGE_OTHER,
	.kick = fs_kick,
	.reset = fs_reset,
	.destroy = fs_destroy,
};

/* 5.11.4 "Device configuration layout": tag, without a terminator where it is full, and queues. */
static void set_config(struct mhi_vdev *dev, const char *tag, size_t len)
{
	memcpy(dev->config, tag, len);
	mhi_put_le32(dev->config + MHI_FS_TAG_MAX, REQUEST_QUEUES);
	dev->config_bytes = MHI_FS_TAG_MAX + 4;
}

static int init(struct fs_dev *fs, const struct mhi_vdev_env *env,
		const struct mhi_fuse_config *config, const char *tag, struct mhi_err *err)
{
	static const u16 sizes[] = { HIPRIO_SIZE, REQUESTS_SIZE };
	size_t len = tag ? strlen(tag) : 0;
	int rc;

	if (!len || len > MHI_FS_TAG_MAX)
		return mhi_err_set(err, MH_EINVAL,
				   "the tag has %zu bytes, not 1 to %d; set config.tag to a name "
				   "for the guest's mount",
				   len, MHI_FS_TAG_MAX);
	fs->dev.ops = &fs_ops;
	fs->dev.model = fs;
	fs->dev.env = *env;
	set_config(&fs->dev, tag, len);
	fs->free = (1u << WORKERS) - 1;
	rc = mhi_fuse_create(config, &fs->fuse, err);
	if (!rc)
		rc = mhi_workers_create(WORKERS, "share", &fs->workers, err);
	fs->dev.workers = fs->workers;
	fs->dev.most = WORKERS;
	if (!rc && mhi_vdev_init(&fs->dev, sizes, MHI_COUNT(sizes)))
		rc = mhi_err_set(err, MH_ENOMEM, MHI_NO_MEMORY);
	return rc;
}

int mhi_fs_dev_create(const struct mhi_vdev_env *env, const struct mhi_fuse_config *config,
		      const char *tag, struct mhi_vdev **out, struct mhi_err *err)
{
	struct fs_dev *fs = calloc(1, sizeof(*fs));
	int rc;

	if (!fs)
		return mhi_err_set(err, MH_ENOMEM, MHI_NO_MEMORY);
	rc = init(fs, env, config, tag, err);
	if (rc) {
		free_model(fs);
		return rc;
	}
	*out = &fs->dev;
	return 0;
}
