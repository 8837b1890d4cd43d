/* SPDX-License-Identifier: MIT */
/*
 * The core of a virtio device. virtio 1.2, 2 "Basic Facilities of a Virtio Device", 3.1 "Device
 * Initialization".
 */
#include "virtio/vdev.h"

#include <stdlib.h>
#include <x86intrin.h>

static void work(void *opaque);

int mhi_vdev_init(struct mhi_vdev *dev, const u16 *sizes, unsigned int vqs)
{
	if (vqs > MHI_VQS_MAX)
		return MH_EINVAL;
	dev->vq = calloc(vqs, sizeof(*dev->vq));
	if (!dev->vq)
		return MH_ENOMEM;
	dev->vqs = vqs;
	dev->offered |= MHI_VIRTIO_FEATURES;
	dev->wake = (struct mhi_wake){ .fn = work, .opaque = dev };
	dev->turn = (struct mhi_bell){ .fn = work, .opaque = dev };
	if (dev->workers)
		mhi_workers_watch(dev->workers, &dev->turn, -1);
	else
		dev->most = 1;
	pthread_mutex_init(&dev->lock, NULL);
	pthread_cond_init(&dev->drained, NULL);
	for (unsigned int q = 0; q < vqs; q++) {
		dev->vq[q].mem = dev->env.mem;
		dev->vq[q].max = sizes[q];
		mhi_vq_reset(&dev->vq[q]);
	}
	return 0;
}

static void cancel(void *opaque)
{
	struct mhi_vdev *dev = opaque;

	mhi_loop_cancel(dev->env.loop, &dev->wake);
}

void mhi_vdev_fini(struct mhi_vdev *dev)
{
	if (dev->workers)
		mhi_workers_unwatch(dev->workers, &dev->turn);
	else
		mhi_loop_call(dev->env.loop, cancel, dev);
	pthread_cond_destroy(&dev->drained);
	pthread_mutex_destroy(&dev->lock);
	free(dev->vq);
}

/* ---- complaints ---- */

void mhi_vdev_complain(struct mhi_vdev *dev, const char *what)
{
	if (dev->logged)
		return;
	dev->logged = true;
	mhi_log(dev->env.log, MH_LOG_WARN,
		"%s: %s: the guest's driver is wrong: %s; further mistakes are not logged",
		dev->env.owner, dev->ops->name, what);
}

void mhi_vdev_fault(struct mhi_vdev *dev, const char *why)
{
	mhi_vdev_complain(dev, why);
	if (dev->status & VIRTIO_NEEDS_RESET)
		return;
	dev->status |= VIRTIO_NEEDS_RESET;
	if (dev->status & VIRTIO_DRIVER_OK)
		dev->transport->config(dev->transport_opaque);
}

/* ---- work ---- */

bool mhi_vdev_live(const struct mhi_vdev *dev)
{
	return dev->running && !dev->reset_pending &&
	       (dev->status & (VIRTIO_DRIVER_OK | VIRTIO_NEEDS_RESET)) == VIRTIO_DRIVER_OK;
}

int mhi_vdev_pop(struct mhi_vdev *dev, unsigned int q, struct mhi_chain *chain)
{
	struct mhi_vq *vq = &dev->vq[q];
	int rc;

	if (!vq->enabled || !mhi_vdev_live(dev))
		return 0;
	rc = vq->ring->pop(vq, chain);
	if (vq->complaint) {
		mhi_vdev_complain(dev, vq->complaint);
		vq->complaint = NULL;
	}
	if (rc < 0)
		mhi_vdev_fault(dev, vq->broken);
	return rc > 0;
}

/* While a reset waits for the last chain, the rings still are the driver's. */
void mhi_vdev_push_all(struct mhi_vdev *dev, unsigned int q, const struct mhi_used *used, u32 count)
{
	struct mhi_vq *vq = &dev->vq[q];

	if (count && vq->enabled && !(dev->status & VIRTIO_NEEDS_RESET))
		vq->ring->push(vq, used, count);
}

void mhi_vdev_push(struct mhi_vdev *dev, unsigned int q, struct mhi_chain_id id, u32 written)
{
	mhi_vdev_push_all(dev, q, &(struct mhi_used){ id, written }, 1);
}

void mhi_vdev_unpop(struct mhi_vdev *dev, unsigned int q, struct mhi_chain_id id)
{
	struct mhi_vq *vq = &dev->vq[q];

	if (vq->enabled)
		vq->ring->unpop(vq, id);
}

void mhi_vdev_hold(struct mhi_vdev *dev)
{
	dev->in_flight++;
}

static void reset(struct mhi_vdev *dev)
{
	dev->reset_pending = false;
	dev->status = 0;
	dev->accepted = 0;
	__atomic_store_n(&dev->kicked, 0, __ATOMIC_RELAXED);
	for (unsigned int q = 0; q < dev->vqs; q++)
		mhi_vq_reset(&dev->vq[q]);
	if (dev->ops->reset)
		dev->ops->reset(dev);
}

void mhi_vdev_release(struct mhi_vdev *dev)
{
	if (--dev->in_flight)
		return;
	if (dev->reset_pending)
		reset(dev);
	pthread_cond_broadcast(&dev->drained);
}

void mhi_vdev_enter(struct mhi_vdev *dev)
{
	pthread_mutex_lock(&dev->lock);
}

void mhi_vdev_leave(struct mhi_vdev *dev)
{
	for (unsigned int q = 0; q < dev->vqs; q++) {
		struct mhi_vq *vq = &dev->vq[q];

		if (!vq->pushed)
			continue;
		vq->pushed = false;
		if (!vq->ring->signal(vq))
			continue;
		dev->counts.interrupts++;
		dev->transport->queue(dev->transport_opaque, q);
	}
	pthread_mutex_unlock(&dev->lock);
}

/* Each queue that was kicked has its turn, unless another worker takes it meanwhile. */
static void serve(struct mhi_vdev *dev)
{
	/* Paired with mhi_vdev_kick. */
	u64 todo = __atomic_load_n(&dev->kicked, __ATOMIC_SEQ_CST);

	for (; todo && mhi_vdev_live(dev); todo &= todo - 1) {
		unsigned int q = (unsigned int)__builtin_ctzll(todo);
		u64 before = __atomic_fetch_and(&dev->kicked, ~MHI_BIT(q), __ATOMIC_SEQ_CST);

		if ((before & MHI_BIT(q)) && dev->vq[q].enabled)
			dev->ops->kick(dev, q);
	}
}

static void wake(struct mhi_vdev *dev)
{
	if (dev->workers)
		mhi_workers_ring(dev->workers, &dev->turn);
	else
		mhi_loop_wake(dev->env.loop, &dev->wake);
}

static void work(void *opaque)
{
	struct mhi_vdev *dev = opaque;

	mhi_vdev_enter(dev);
	if (dev->inside == dev->most) {
		dev->put_off = true;
	} else if (mhi_vdev_live(dev)) { /* else the kicks stay for when the machine goes on */
		dev->inside++;
		serve(dev);
		dev->inside--;
		if (dev->put_off)
			wake(dev);
		dev->put_off = false;
	}
	mhi_vdev_leave(dev);
}

void mhi_vdev_kick(struct mhi_vdev *dev, unsigned int q)
{
	if (q >= dev->vqs)
		return;
	/* Paired with the load in serve. */
	__atomic_fetch_or(&dev->kicked, MHI_BIT(q), __ATOMIC_SEQ_CST);
	wake(dev);
}

void mhi_vdev_ring(struct mhi_vdev *dev, unsigned int q)
{
	/* Paired with the load in serve. */
	__atomic_fetch_or(&dev->kicked, MHI_BIT(q), __ATOMIC_SEQ_CST);
	work(dev);
}

void mhi_vdev_step_out(struct mhi_vdev *dev, unsigned int q)
{
	bool help;

	mhi_vdev_hold(dev);
	if (dev->vq[q].ring->more(&dev->vq[q]))
		__atomic_fetch_or(&dev->kicked, MHI_BIT(q), __ATOMIC_SEQ_CST);
	/* Pairs with the one in mhi_vdev_kick, whose wake may still be on its way. */
	help = __atomic_load_n(&dev->kicked, __ATOMIC_SEQ_CST);
	if (help && dev->inside == dev->most) {
		dev->put_off = true;
		help = false;
	}
	mhi_vdev_leave(dev);
	/* Not before: all that another worker could do is to wait for the lock. */
	if (help)
		wake(dev);
}

void mhi_vdev_again(struct mhi_vdev *dev, unsigned int q)
{
	mhi_vdev_kick(dev, q);
}

void mhi_vdev_config_changed(struct mhi_vdev *dev)
{
	dev->generation++;
	if (dev->status & VIRTIO_DRIVER_OK)
		dev->transport->config(dev->transport_opaque);
}

/* ---- counts ---- */

void mhi_vdev_count_time(struct mhi_vdev *dev, u64 since)
{
	u64 now = __rdtsc(), ticks = now > since ? now - since : 0;

	dev->counts.timed++;
	dev->counts.ticks += ticks;
	if (ticks > dev->counts.ticks_max)
		dev->counts.ticks_max = ticks;
}

void mhi_vdev_counts(struct mhi_vdev *dev, struct mhi_vdev_counts *out)
{
	pthread_mutex_lock(&dev->lock);
	*out = dev->counts;
	pthread_mutex_unlock(&dev->lock);
}

/* ---- the machine ---- */

/* Memory may have been unmapped while the machine did not run. */
static void map_again(struct mhi_vdev *dev)
{
	for (unsigned int q = 0; q < dev->vqs; q++) {
		struct mhi_vq *vq = &dev->vq[q];

		if (vq->enabled && !vq->ring->map(vq)) {
			vq->enabled = false;
			mhi_vdev_fault(dev, "a ring is not in guest memory any more");
		}
	}
}

void mhi_vdev_run(struct mhi_vdev *dev, bool on)
{
	pthread_mutex_lock(&dev->lock);
	dev->running = on;
	if (on)
		map_again(dev);
	else if (dev->ops->pause)
		dev->ops->pause(dev);
	while (!on && dev->in_flight)
		pthread_cond_wait(&dev->drained, &dev->lock);
	pthread_mutex_unlock(&dev->lock);
	/* Kicks that came too late, and what the host had for the guest meanwhile. */
	for (unsigned int q = 0; on && q < dev->vqs; q++)
		mhi_vdev_kick(dev, q);
}

void mhi_vdev_power_up(struct mhi_vdev *dev)
{
	pthread_mutex_lock(&dev->lock);
	while (dev->in_flight)
		pthread_cond_wait(&dev->drained, &dev->lock);
	reset(dev);
	pthread_mutex_unlock(&dev->lock);
}

/* ---- the driver ---- */

static bool features_acceptable(const struct mhi_vdev *dev)
{
	return !(dev->accepted & ~dev->offered) && mhi_vdev_has(dev, VIRTIO_F_VERSION_1);
}

static void driver_resets(struct mhi_vdev *dev)
{
	if (dev->in_flight)
		dev->reset_pending = true;
	else
		reset(dev);
}

void mhi_vdev_set_status(struct mhi_vdev *dev, u8 status)
{
	u8 fresh = status & (u8)~dev->status;

	if (!status) {
		driver_resets(dev);
		return;
	}
	/* Bits are only ever added (2.1.1), and NEEDS_RESET is ours. */
	if (dev->reset_pending)
		return;
	if ((fresh & VIRTIO_FEATURES_OK) && !features_acceptable(dev))
		fresh &= (u8)~VIRTIO_FEATURES_OK;
	if ((fresh & VIRTIO_DRIVER_OK) && !((dev->status | fresh) & VIRTIO_FEATURES_OK))
		fresh &= (u8)~VIRTIO_DRIVER_OK;
	dev->status |= fresh & (u8)~VIRTIO_NEEDS_RESET;
	if (!(fresh & VIRTIO_DRIVER_OK))
		return;
	if (dev->ops->start)
		dev->ops->start(dev);
	for (unsigned int q = 0; q < dev->vqs; q++)
		mhi_vdev_kick(dev, q);
}

void mhi_vdev_set_features(struct mhi_vdev *dev, bool high, u32 value)
{
	/* 2.2: not after FEATURES_OK. */
	if (dev->status & VIRTIO_FEATURES_OK)
		return;
	if (high)
		dev->accepted = (u32)dev->accepted | (u64)value << 32;
	else
		dev->accepted = (dev->accepted & ~0xffffffffull) | value;
}

void mhi_vdev_enable_queue(struct mhi_vdev *dev, unsigned int q)
{
	struct mhi_vq *vq = &dev->vq[q];

	if (vq->enabled || dev->reset_pending || !(dev->status & VIRTIO_FEATURES_OK))
		return;
	vq->event_idx = mhi_vdev_has(dev, VIRTIO_F_EVENT_IDX);
	vq->indirect = mhi_vdev_has(dev, VIRTIO_F_INDIRECT_DESC);
	if (!mhi_vq_start(vq, mhi_vdev_has(dev, VIRTIO_F_RING_PACKED))) {
		mhi_vdev_fault(dev, "a ring's size or address cannot be");
		return;
	}
	vq->enabled = true;
	mhi_vdev_kick(dev, q);
}

void mhi_vdev_config_read(struct mhi_vdev *dev, unsigned int at, void *buf, unsigned int bytes)
{
	memset(buf, 0, bytes);
	if (at < dev->config_bytes)
		memcpy(buf, dev->config + at,
		       bytes < dev->config_bytes - at ? bytes : dev->config_bytes - at);
}

void mhi_vdev_config_write(struct mhi_vdev *dev, unsigned int at, const void *buf,
			   unsigned int bytes)
{
	const u8 *from = buf;

	if (at >= dev->config_bytes || bytes > dev->config_bytes - at)
		return;
	for (unsigned int i = 0; i < bytes; i++) {
		u8 mask = dev->config_writable[at + i], *p = &dev->config[at + i];

		*p = (u8)((*p & ~mask) | (from[i] & mask));
	}
	if (dev->ops->config)
		dev->ops->config(dev, at, bytes);
}
