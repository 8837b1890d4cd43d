/* SPDX-License-Identifier: MIT */
/*
 * A virtio device for tests: returns what it is sent, each byte changed; at once, or later and in
 * another order.
 */
#ifndef TESTS_VECHO_H
#define TESTS_VECHO_H

#include <check.h>
#include <stdlib.h>

#include "rng.h"
#include "vdriver.h"

#define ECHO_QUEUES 2
#define ECHO_SIZE 256
#define ECHO_KEY 0x5a
#define ECHO_HELD 256

struct echo {
	struct mhi_vdev dev;
	bool hold; /* complete only by echo_complete */
	struct {
		struct mhi_chain chain;
		unsigned int q;
	} held[ECHO_HELD];
	unsigned int count;
	struct rng rng;
	u32 starts, resets, kicks, config_writes;
};

static inline u32 echo_copy(const struct mhi_chain *chain)
{
	u64 done = 0;
	u8 buf[256];
	size_t n;

	while ((n = mhi_chain_read(chain, done, buf, sizeof(buf)))) {
		for (size_t i = 0; i < n; i++)
			buf[i] ^= ECHO_KEY;
		n = mhi_chain_write(chain, done, buf, n);
		done += n;
		if (n < sizeof(buf))
			break;
	}
	return (u32)done;
}

static inline void echo_kick(struct mhi_vdev *dev, unsigned int q)
{
	struct echo *e = dev->model;
	static struct mhi_chain chain;

	e->kicks++;
	for (unsigned int n = 0; n < 2 * ECHO_SIZE; n++) {
		if (e->hold && e->count == ECHO_HELD)
			return;
		if (!mhi_vdev_pop(dev, q, &chain))
			return;
		if (e->hold) {
			e->held[e->count].chain = chain;
			e->held[e->count++].q = q;
			mhi_vdev_hold(dev);
		} else {
			mhi_vdev_push(dev, q, chain.id, echo_copy(&chain));
		}
	}
	mhi_vdev_again(dev, q);
}

/* On the loop: completes some of what is held, or all. */
static inline void echo_complete(void *opaque)
{
	struct echo *e = opaque;
	u64 n = e->count && e->hold ? rng_below(&e->rng, e->count + 1) : e->count;

	mhi_vdev_enter(&e->dev);
	while (n--) {
		unsigned int pick = (unsigned int)rng_below(&e->rng, e->count);
		struct mhi_chain *chain = &e->held[pick].chain;

		mhi_vdev_push(&e->dev, e->held[pick].q, chain->id, echo_copy(chain));
		e->held[pick] = e->held[--e->count];
		mhi_vdev_release(&e->dev);
	}
	mhi_vdev_leave(&e->dev);
}

static inline void echo_start(struct mhi_vdev *dev)
{
	((struct echo *)dev->model)->starts++;
}

static inline void echo_reset(struct mhi_vdev *dev)
{
	struct echo *e = dev->model;

	e->resets++;
	ck_assert_uint_eq(e->count, 0);
}

static inline void echo_config(struct mhi_vdev *dev, unsigned int at, unsigned int bytes)
{
	((struct echo *)dev->model)->config_writes++;
}

static inline void echo_destroy(struct mhi_vdev *dev)
{
	mhi_vdev_fini(dev);
	free(dev->model);
}

static const struct mhi_vdev_ops echo_ops = {
	.name = "virtio-echo",
	.id = 63,
	.class_code = 0xff0000,
	.kick = echo_kick,
	.start = echo_start,
	.reset = echo_reset,
	.config = echo_config,
	.destroy = echo_destroy,
};

static inline struct echo *echo_create(struct vdriver *d)
{
	static const u16 sizes[ECHO_QUEUES] = { ECHO_SIZE, ECHO_SIZE };
	struct echo *e = calloc(1, sizeof(*e));

	ck_assert_ptr_nonnull(e);
	e->rng.s = 0x2545f4914f6cdd1d;
	e->dev.ops = &echo_ops;
	e->dev.model = e;
	e->dev.env = d->env;
	e->dev.offered = 0x15;
	e->dev.config_bytes = 12;
	memcpy(e->dev.config, "configurable", 12);
	e->dev.config_writable[8] = 0x0f;
	ck_assert_int_eq(mhi_vdev_init(&e->dev, sizes, ECHO_QUEUES), 0);
	return e;
}

#endif
