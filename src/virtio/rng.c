/* SPDX-License-Identifier: MIT */
/* virtio-rng. virtio 1.2, 5.4 "Entropy Device". */
#include "virtio/rng.h"

#include <stdlib.h>
#include <sys/random.h>

#include "macrohard/error.h"

#define QUEUE_SIZE 64
#define DEVICE_ID 4
#define CLASS_OTHER 0xff0000
/* A driver gets at least one byte for each request, and asks again for more. */
#define BYTES_MAX 4096
/* Requests before other devices have their turn. */
#define BATCH 64

static u32 fill(const struct mhi_chain *chain)
{
	u8 bytes[BYTES_MAX];
	size_t want = chain->in_bytes < BYTES_MAX ? chain->in_bytes : BYTES_MAX;
	/* This pool is filled at boot and never blocks later. */
	ssize_t got = getrandom(bytes, want, 0);

	return got > 0 ? (u32)mhi_chain_write(chain, 0, bytes, (size_t)got) : 0;
}

static void rng_kick(struct mhi_vdev *dev, unsigned int q)
{
	struct mhi_chain chain;
	u32 bytes;

	for (unsigned int n = 0; n < BATCH; n++) {
		if (!mhi_vdev_pop(dev, q, &chain))
			return;
		bytes = fill(&chain);
		mhi_vdev_push(dev, q, chain.id, bytes);
		mhi_vdev_count(dev, bytes, 0);
	}
	mhi_vdev_again(dev, q);
}

static void rng_destroy(struct mhi_vdev *dev)
{
	mhi_vdev_fini(dev);
	free(dev);
}

static const struct mhi_vdev_ops rng_ops = {
	.name = "virtio-rng",
	.id = DEVICE_ID,
	.class_code = CLASS_OTHER,
	.kick = rng_kick,
	.destroy = rng_destroy,
};

int mhi_rng_create(const struct mhi_vdev_env *env, struct mhi_vdev **out)
{
	static const u16 size = QUEUE_SIZE;
	struct mhi_vdev *dev = calloc(1, sizeof(*dev));

	if (!dev)
		return MH_ENOMEM;
	dev->ops = &rng_ops;
	dev->env = *env;
	if (mhi_vdev_init(dev, &size, 1)) {
		free(dev);
		return MH_ENOMEM;
	}
	*out = dev;
	return 0;
}
