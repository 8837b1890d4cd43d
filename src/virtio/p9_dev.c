/* SPDX-License-Identifier: MIT */
/*
 * virtio-9p: a worker takes a chain, runs the request and gives it back; replies go straight into
 * the guest's buffers. virtio 1.2 gives it a device id (5 "Device Types": 9P transport); the rest
 * is what Linux' driver (9pnet_virtio) expects: one queue, a mount tag in the configuration.
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
/* Requests done in one turn. */
#define BATCH 128

/* A request that a worker has, from its chain to its completion. */
struct slot {
	struct mhi_p9_req req;
	struct mhi_chain chain;
	u64 began; /* TSC */
};

struct p9_dev {
	struct mhi_vdev dev;
	struct mhi_p9_server *server;
	struct mhi_workers *workers;
	unsigned int free;	   /* (m) of the device's lock; bit n: slot[n] is */
	struct slot slot[WORKERS]; /* one for each worker */
};

static struct p9_dev *model(struct mhi_vdev *dev)
{
	return dev->model;
}

/*
 * The device's lock is held, but for the request itself. Requests begin in the order of the ring,
 * each on a worker of its own: none has to wait for another, a flush excepted, which waits for what
 * began before it.
 */
static void serve(struct p9_dev *p9, struct slot *slot)
{
	struct mhi_vdev *dev = &p9->dev;

	slot->began = __rdtsc();
	slot->req = (struct mhi_p9_req){
		.out = slot->chain.iov,
		.outs = slot->chain.outs,
		.in = mhi_chain_in(&slot->chain),
		.ins = slot->chain.ins,
	};
	mhi_p9_server_begin(p9->server, &slot->req);
	mhi_vdev_step_out(dev, 0);
	p9->server->ops->run(p9->server, &slot->req);
	mhi_vdev_enter(dev);
	/* The reply must be in the ring before a flush that waits for it is answered. */
	mhi_vdev_push(dev, 0, slot->chain.id, slot->req.replied);
	mhi_vdev_count(dev, slot->req.replied, slot->chain.out_bytes);
	mhi_vdev_count_time(dev, slot->began);
	dev->counts.errors += slot->req.failed;
	mhi_p9_server_end(p9->server, &slot->req);
	p9->free |= 1u << (slot - p9->slot);
	mhi_vdev_release(dev);
}

static void p9_kick(struct mhi_vdev *dev, unsigned int q)
{
	struct p9_dev *p9 = model(dev);

	for (unsigned int n = 0; n < BATCH; n++) {
		unsigned int free = (unsigned int)__builtin_ctz(p9->free);
		struct slot *slot = &p9->slot[free];

		if (!mhi_vdev_pop(dev, q, &slot->chain))
			return;
		p9->free &= ~(1u << free);
		serve(p9, slot);
	}
	mhi_vdev_again(dev, q);
}

/* ---- life ---- */

static void p9_reset(struct mhi_vdev *dev)
{
	struct mhi_p9_server *server = model(dev)->server;

	server->ops->reset(server);
}

static void free_model(struct p9_dev *p9)
{
	mhi_workers_destroy(p9->workers);
	p9->server->ops->destroy(p9->server);
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

static int init(struct p9_dev *p9, const struct mhi_vdev_env *env, const char *tag,
		struct mhi_err *err)
{
	static const u16 size = QUEUE_SIZE;
	size_t len = tag ? strlen(tag) : 0;
	int rc;

	if (!len || len > MHI_P9_TAG_MAX)
		return mhi_err_set(err, MH_EINVAL,
				   "the tag has %zu bytes, not 1 to %d; set config.tag to a name "
				   "for the guest's mount",
				   len, MHI_P9_TAG_MAX);
	p9->dev.ops = &p9_ops;
	p9->dev.model = p9;
	p9->dev.env = *env;
	p9->dev.offered = F_MOUNT_TAG;
	set_tag(&p9->dev, tag, len);
	p9->free = (1u << WORKERS) - 1;
	rc = mhi_workers_create(WORKERS, "share", &p9->workers, err);
	p9->dev.workers = p9->workers;
	p9->dev.most = WORKERS;
	if (!rc && mhi_vdev_init(&p9->dev, &size, 1))
		rc = mhi_err_set(err, MH_ENOMEM, MHI_NO_MEMORY);
	return rc;
}

int mhi_p9_dev_serve(const struct mhi_vdev_env *env, struct mhi_p9_server *server, const char *tag,
		     struct mhi_vdev **out, struct mhi_err *err)
{
	struct p9_dev *p9 = calloc(1, sizeof(*p9));
	int rc;

	if (!p9) {
		server->ops->destroy(server);
		return mhi_err_set(err, MH_ENOMEM, MHI_NO_MEMORY);
	}
	p9->server = server;
	rc = init(p9, env, tag, err);
	if (rc) {
		free_model(p9);
		return rc;
	}
	*out = &p9->dev;
	return 0;
}

int mhi_p9_dev_create(const struct mhi_vdev_env *env, const struct mhi_p9_config *config,
		      const char *tag, struct mhi_vdev **out, struct mhi_err *err)
{
	struct mhi_p9 *p9;
	int rc = mhi_p9_create(config, &p9, err);

	return rc ? rc : mhi_p9_dev_serve(env, mhi_p9_server(p9), tag, out, err);
}
