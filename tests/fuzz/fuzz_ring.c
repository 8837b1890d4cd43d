// SPDX-License-Identifier: MIT
/*
 * Fuzzes the virtio core with both ring layouts (see vfuzz.h): the device copies what it is sent
 * into what it is given, at once or later and in another order.
 */
#include <string.h>

#include "vfuzz.h"

#define QUEUES 3
#define HELD 16

static struct {
	struct mhi_vdev dev;
	struct mhi_chain chain;
	struct {
		unsigned int q;
		struct mhi_chain chain;
	} held[HELD];
	unsigned int count;
	bool hold;
} ring;

static u32 copy(const struct mhi_chain *chain)
{
	u8 buf[97];
	u64 done = 0;
	size_t n;

	do {
		n = mhi_chain_read(chain, done, buf, sizeof(buf));
		n = mhi_chain_write(chain, done, buf, n);
		done += n;
	} while (n == sizeof(buf));
	return (u32)done;
}

static void kick(struct mhi_vdev *dev, unsigned int q)
{
	for (unsigned int n = 0; n < HELD; n++) {
		if (ring.count == HELD || !mhi_vdev_pop(dev, q, &ring.chain))
			return;
		if (ring.hold) {
			mhi_vdev_hold(dev);
			ring.held[ring.count].chain = ring.chain;
			ring.held[ring.count++].q = q;
		} else {
			mhi_vdev_push(dev, q, ring.chain.id, copy(&ring.chain));
		}
	}
	mhi_vdev_again(dev, q);
}

static void give_back(struct mhi_vdev *dev, unsigned int pick)
{
	const struct mhi_chain *chain = &ring.held[pick].chain;

	mhi_vdev_enter(dev);
	mhi_vdev_push(dev, ring.held[pick].q, chain->id, copy(chain));
	if (pick != --ring.count)
		ring.held[pick] = ring.held[ring.count];
	mhi_vdev_release(dev);
	mhi_vdev_leave(dev);
}

static void reset(struct mhi_vdev *dev)
{
	if (ring.count)
		fuzz_die("the core", "a reset while chains are in flight");
}

static void destroy(struct mhi_vdev *dev)
{
	mhi_vdev_fini(dev);
}

static const struct mhi_vdev_ops ops = {
	.name = "virtio-fuzz",
	.id = 63,
	.kick = kick,
	.reset = reset,
	.destroy = destroy,
};

static struct mhi_vdev *create(const struct mhi_vdev_env *env, u8 choice)
{
	static const u16 sizes[QUEUES] = { 8, 256, MHI_VQ_SIZE_MAX };

	memset(&ring, 0, sizeof(ring));
	ring.hold = choice & 2;
	ring.dev.ops = &ops;
	ring.dev.env = *env;
	ring.dev.offered = 0xff;
	ring.dev.config_bytes = 13;
	memset(ring.dev.config_writable, 0xf0, sizeof(ring.dev.config_writable));
	if (mhi_vdev_init(&ring.dev, sizes, QUEUES))
		fuzz_die("cannot prepare", "device");
	return &ring.dev;
}

static u32 request(struct fuzz_input *in, unsigned int q, u8 *out, u32 *in_bytes)
{
	u8 bytes = (u8)fuzz_take(in, 1);

	*in_bytes = (u32)fuzz_take(in, 1);
	fuzz_fill(in, out, bytes);
	return bytes;
}

static void host(struct mhi_vdev *dev, struct fuzz_input *in)
{
	u8 how = (u8)fuzz_take(in, 1);

	ring.hold = how & 0x80;
	if (ring.count)
		give_back(dev, (how & 0x7f) % ring.count);
	else if (how & 0x40)
		mhi_vdev_kick(dev, how & 0x3f);
}

static void drain(struct mhi_vdev *dev)
{
	while (ring.count)
		give_back(dev, 0);
}

static const struct vfuzz_model model = {
	.create = create,
	.request = request,
	.host = host,
	.drain = drain,
};

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	return vfuzz(&model, data, size);
}
