/* SPDX-License-Identifier: MIT */
/*
 * virtio-9p: chains become requests that workers run; replies go straight into the guest's
 * buffers. virtio 1.2 gives it a device id (5 "Device Types": 9P transport); the rest is what
 * Linux' driver (9pnet_virtio) expects: one queue, a mount tag in the configuration.
 */
#include "virtio/p9_dev.h"

#include <stdlib.h>
#include <x86intrin.h>

#include "core/worker.h"

#define DEVICE_ID 9
#define CLASS_OTHER 0xff0000
#define QUEUE_SIZE 128 /* Linux never has more descriptors in one request */
#define F_MOUNT_TAG MHI_BIT(0)
#define WORKERS 4

struct p9_dev;

/* A request from its chain to its completion. */
struct slot {
	struct mhi_work work;
	struct p9_dev *p9;
	struct slot *next; /* (m) free ones */
	struct mhi_p9_req req;
	struct mhi_chain chain;
	u64 began; /* TSC */
};

struct p9_dev {
	struct mhi_vdev dev;
	struct mhi_p9 *session;
	struct mhi_workers *workers;
	struct slot *free;  /* (m) of the device's lock */
	unsigned int slots; /* (m) that exist, at most QUEUE_SIZE */
	bool waiting;	    /* (m) chains are left in the queue because no slot was free */
};

static struct p9_dev *model(struct mhi_vdev *dev)
{
	return dev->model;
}

/* ---- requests; what touches slots has the device's lock ---- */

static struct slot *take_slot(struct p9_dev *p9)
{
	struct slot *slot = p9->free;

	if (slot) {
		p9->free = slot->next;
		return slot;
	}
	if (p9->slots == QUEUE_SIZE)
		return NULL;
	slot = malloc(sizeof(*slot));
	if (slot)
		p9->slots++;
	return slot;
}

static void give_slot(struct p9_dev *p9, struct slot *slot)
{
	slot->next = p9->free;
	p9->free = slot;
}

static void run(struct mhi_work *work)
{
	struct slot *slot = (struct slot *)work;
	struct p9_dev *p9 = slot->p9;

	mhi_p9_run(p9->session, &slot->req);
	mhi_vdev_enter(&p9->dev);
	/* The reply must be in the ring before a flush that waits for it is answered. */
	mhi_vdev_push(&p9->dev, 0, slot->chain.id, slot->req.replied);
	mhi_vdev_count(&p9->dev, slot->req.replied, slot->chain.out_bytes);
	mhi_vdev_count_time(&p9->dev, slot->began);
	mhi_p9_end(p9->session, &slot->req);
	give_slot(p9, slot);
	mhi_vdev_release(&p9->dev);
	if (p9->waiting) {
		p9->waiting = false;
		mhi_vdev_again(&p9->dev, 0);
	}
	mhi_vdev_leave(&p9->dev);
}

static void start(struct p9_dev *p9, struct slot *slot)
{
	slot->work = (struct mhi_work){ .run = run };
	slot->p9 = p9;
	slot->began = __rdtsc();
	slot->req = (struct mhi_p9_req){
		.out = slot->chain.iov,
		.outs = slot->chain.outs,
		.in = mhi_chain_in(&slot->chain),
		.ins = slot->chain.ins,
	};
	mhi_vdev_hold(&p9->dev);
	mhi_p9_begin(p9->session, &slot->req);
	mhi_workers_post(p9->workers, &slot->work);
}

static void p9_kick(struct mhi_vdev *dev, unsigned int q)
{
	struct p9_dev *p9 = model(dev);
	struct slot *slot;

	while ((slot = take_slot(p9))) {
		if (!mhi_vdev_pop(dev, q, &slot->chain)) {
			give_slot(p9, slot);
			return;
		}
		start(p9, slot);
	}
	p9->waiting = true;
}

/* ---- life ---- */

static void p9_reset(struct mhi_vdev *dev)
{
	mhi_p9_reset(model(dev)->session);
}

static void free_model(struct p9_dev *p9)
{
	mhi_workers_destroy(p9->workers);
	while (p9->free) {
		struct slot *slot = p9->free;

		p9->free = slot->next;
		free(slot);
	}
	mhi_p9_destroy(p9->session);
	free(p9);
}

static void p9_destroy(struct mhi_vdev *dev)
{
	mhi_vdev_fini(dev);
	free_model(model(dev));
}

static const struct mhi_vdev_ops p9_ops = {
	.name = "virtio-9p",
	.id = DEVICE_ID,
	.class_code = CLASS_OTHER,
	.kick = p9_kick,
	.reset = p9_reset,
	.destroy = p9_destroy,
};

/* le16 length, then the tag without a terminator. */
static void set_tag(struct mhi_vdev *dev, const char *tag, size_t len)
{
	dev->config[0] = (u8)len;
	dev->config[1] = 0;
	memcpy(dev->config + 2, tag, len);
	dev->config_bytes = (unsigned int)len + 2;
}

int mhi_p9_dev_create(const struct mhi_vdev_env *env, const struct mhi_p9_config *config,
		      const char *tag, struct mhi_vdev **out, struct mhi_err *err)
{
	static const u16 size = QUEUE_SIZE;
	size_t len = tag ? strlen(tag) : 0;
	struct p9_dev *p9;
	int rc;

	if (!len || len > MHI_P9_TAG_MAX)
		return mhi_err_set(err, MH_EINVAL, "the tag must have 1 to %d bytes",
				   MHI_P9_TAG_MAX);
	p9 = calloc(1, sizeof(*p9));
	if (!p9)
		return mhi_err_set(err, MH_ENOMEM, "out of memory");
	p9->dev.ops = &p9_ops;
	p9->dev.model = p9;
	p9->dev.env = *env;
	p9->dev.offered = F_MOUNT_TAG;
	set_tag(&p9->dev, tag, len);
	rc = mhi_p9_create(config, &p9->session, err);
	if (!rc)
		rc = mhi_workers_create(WORKERS, &p9->workers, err);
	if (!rc && mhi_vdev_init(&p9->dev, &size, 1))
		rc = mhi_err_set(err, MH_ENOMEM, "out of memory");
	if (rc) {
		free_model(p9);
		return rc;
	}
	*out = &p9->dev;
	return 0;
}
