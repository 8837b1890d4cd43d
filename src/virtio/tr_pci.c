/* SPDX-License-Identifier: MIT */
/*
 * The PCI transport, modern only: capabilities, the registers in BAR 0, vectors. virtio 1.2, 4.1
 * "Virtio Over PCI Bus".
 */
#include "virtio/tr_pci.h"

#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "core/le.h"

#define VENDOR 0x1af4
#define DEVICE_BASE 0x1040 /* 4.1.2 "PCI Device Discovery" */
#define SUBSYSTEM_BASE 0x40

/* BAR 0, one page for each kind of registers. */
#define BAR_BYTES 0x8000
#define COMMON_AT 0x0000
#define COMMON_BYTES 0x38
#define ISR_AT 0x1000
#define ISR_BYTES 1
#define DEVICE_AT 0x2000
#define NOTIFY_AT 0x3000
#define NOTIFY_STRIDE 4
#define MSIX_TABLE_AT 0x4000
#define MSIX_PBA_AT 0x4800

/* 4.1.4 "Virtio Structure PCI Capabilities". Offsets from the body: behind id and next. */
#define CAP_VENDOR 0x09
#define CAP_LENGTH 0
#define CAP_TYPE 1
#define CAP_BAR 2
#define CAP_OFFSET 6
#define CAP_BYTES 10
#define CAP_BODY 14
#define CAP_EXTRA 14 /* the multiplier, or the window's data */
#define CAP_BODY_EXTRA 18
enum { CFG_COMMON = 1, CFG_NOTIFY, CFG_ISR, CFG_DEVICE, CFG_WINDOW };

/* 4.1.4.3 "Common configuration structure layout". */
#define C_DEVICE_SELECT 0x00
#define C_DEVICE_FEATURE 0x04
#define C_DRIVER_SELECT 0x08
#define C_DRIVER_FEATURE 0x0c
#define C_CONFIG_VECTOR 0x10
#define C_QUEUES 0x12
#define C_STATUS 0x14
#define C_GENERATION 0x15
#define C_QUEUE_SELECT 0x16
#define C_QUEUE_SIZE 0x18
#define C_QUEUE_VECTOR 0x1a
#define C_QUEUE_ENABLE 0x1c
#define C_QUEUE_NOTIFY_OFF 0x1e
#define C_QUEUE_DESC 0x20
#define C_QUEUE_DRIVER 0x28
#define C_QUEUE_DEVICE 0x30

/* 4.1.4.5 "ISR status capability". */
#define ISR_QUEUE 1
#define ISR_CONFIG 2

struct mhi_vpci_bell {
	struct mhi_vpci *t;
	unsigned int q;
	int fd;
	bool watched;
	struct mhi_watch *watch; /* of the loop */
	struct mhi_bell bell;	 /* of the workers that serve the device instead */
};

/* ---- interrupts; the lock is held ---- */

static void interrupt(struct mhi_vpci *t, u16 vector, u8 isr)
{
	const struct mhi_pci_port_ops *port = t->pci.port;

	if (!port)
		return;
	if (port->msix_on(t->pci.slot)) {
		if (vector != MHI_VQ_NO_VECTOR)
			port->msix(t->pci.slot, vector);
		return;
	}
	t->isr |= isr;
	port->intx(t->pci.slot, true);
}

static void queue_interrupt(void *opaque, unsigned int q)
{
	struct mhi_vpci *t = opaque;

	interrupt(t, t->dev->vq[q].vector, ISR_QUEUE);
}

static void config_interrupt(void *opaque)
{
	struct mhi_vpci *t = opaque;

	interrupt(t, t->config_vector, ISR_CONFIG);
}

static const struct mhi_vdev_transport transport = {
	.queue = queue_interrupt,
	.config = config_interrupt,
};

static u8 read_isr(struct mhi_vpci *t)
{
	u8 isr = t->isr;

	t->isr = 0;
	t->pci.port->intx(t->pci.slot, false);
	return isr;
}

/* ---- common configuration; the lock is held ---- */

static struct mhi_vq *selected(struct mhi_vpci *t)
{
	return t->queue_select < t->dev->vqs ? &t->dev->vq[t->queue_select] : NULL;
}

static u32 half(u64 value, u32 select)
{
	return select > 1 ? 0 : (u32)(value >> (32 * select));
}

static void common_image(struct mhi_vpci *t, u8 *p)
{
	const struct mhi_vdev *dev = t->dev;
	const struct mhi_vq *vq = selected(t);

	memset(p, 0, COMMON_BYTES);
	mhi_put_le32(p + C_DEVICE_SELECT, t->feature_select);
	mhi_put_le32(p + C_DEVICE_FEATURE, half(dev->offered, t->feature_select));
	mhi_put_le32(p + C_DRIVER_SELECT, t->driver_select);
	mhi_put_le32(p + C_DRIVER_FEATURE, half(dev->accepted, t->driver_select));
	mhi_put_le16(p + C_CONFIG_VECTOR, t->config_vector);
	mhi_put_le16(p + C_QUEUES, (u16)dev->vqs);
	p[C_STATUS] = dev->status;
	p[C_GENERATION] = (u8)dev->generation;
	mhi_put_le16(p + C_QUEUE_SELECT, t->queue_select);
	if (!vq) {
		mhi_put_le16(p + C_QUEUE_VECTOR, MHI_VQ_NO_VECTOR);
		return;
	}
	mhi_put_le16(p + C_QUEUE_SIZE, vq->size);
	mhi_put_le16(p + C_QUEUE_VECTOR, vq->vector);
	mhi_put_le16(p + C_QUEUE_ENABLE, vq->enabled);
	mhi_put_le16(p + C_QUEUE_NOTIFY_OFF, t->queue_select);
	mhi_put_le64(p + C_QUEUE_DESC, vq->desc);
	mhi_put_le64(p + C_QUEUE_DRIVER, vq->driver);
	mhi_put_le64(p + C_QUEUE_DEVICE, vq->device);
}

static u16 valid_vector(const struct mhi_vpci *t, u32 vector)
{
	return vector < t->pci.msix_vectors ? (u16)vector : MHI_VQ_NO_VECTOR;
}

static void set_half(u64 *address, bool high, u32 value)
{
	*address = high ? (u32)*address | (u64)value << 32 : (*address & ~0xffffffffull) | value;
}

/* A queue's registers do not change while it is enabled. */
static void queue_write(struct mhi_vpci *t, unsigned int at, unsigned int bytes, u32 value)
{
	struct mhi_vq *vq = selected(t);

	if (!vq)
		return;
	if (at == C_QUEUE_VECTOR && bytes == 2)
		vq->vector = valid_vector(t, value);
	if (vq->enabled)
		return;
	if (at == C_QUEUE_SIZE && bytes == 2)
		vq->size = (u16)value;
	else if (at == C_QUEUE_ENABLE && bytes == 2 && value == 1)
		mhi_vdev_enable_queue(t->dev, t->queue_select);
	else if ((at & ~4u) == C_QUEUE_DESC && bytes == 4)
		set_half(&vq->desc, at & 4, value);
	else if ((at & ~4u) == C_QUEUE_DRIVER && bytes == 4)
		set_half(&vq->driver, at & 4, value);
	else if ((at & ~4u) == C_QUEUE_DEVICE && bytes == 4)
		set_half(&vq->device, at & 4, value);
}

static void write_status(struct mhi_vpci *t, u8 status)
{
	mhi_vdev_set_status(t->dev, status);
	if (!t->dev->status)
		t->config_vector = MHI_VQ_NO_VECTOR;
}

static void common_write(struct mhi_vpci *t, unsigned int at, unsigned int bytes, u32 value)
{
	if (at == C_DEVICE_SELECT && bytes == 4)
		t->feature_select = value;
	else if (at == C_DRIVER_SELECT && bytes == 4)
		t->driver_select = value;
	else if (at == C_DRIVER_FEATURE && bytes == 4 && t->driver_select <= 1)
		mhi_vdev_set_features(t->dev, t->driver_select == 1, value);
	else if (at == C_CONFIG_VECTOR && bytes == 2)
		t->config_vector = valid_vector(t, value);
	else if (at == C_STATUS && bytes == 1)
		write_status(t, (u8)value);
	else if (at == C_QUEUE_SELECT && bytes == 2)
		t->queue_select = (u16)value;
	else if (at >= C_QUEUE_SIZE)
		queue_write(t, at, bytes, value);
}

/* ---- the BAR ---- */

static bool within(u64 offset, unsigned int bytes, u64 start, u64 len)
{
	return offset >= start && offset - start < len && len - (offset - start) >= bytes;
}

static u64 registers_read(struct mhi_vpci *t, u64 offset, unsigned int bytes)
{
	u8 image[COMMON_BYTES], buf[8] = { 0 };

	if (within(offset, bytes, COMMON_AT, COMMON_BYTES)) {
		common_image(t, image);
		memcpy(buf, image + (offset - COMMON_AT), bytes);
	} else if (offset == ISR_AT) {
		buf[0] = read_isr(t);
	} else if (within(offset, bytes, DEVICE_AT, MHI_VDEV_CONFIG_MAX)) {
		mhi_vdev_config_read(t->dev, (unsigned int)(offset - DEVICE_AT), buf, bytes);
	}
	return mhi_get_le64(buf);
}

static u64 bar_read(void *opaque, unsigned int bar, u64 offset, unsigned int bytes)
{
	struct mhi_vpci *t = opaque;
	u64 value;

	pthread_mutex_lock(&t->dev->lock);
	value = registers_read(t, offset, bytes);
	pthread_mutex_unlock(&t->dev->lock);
	return value;
}

static void registers_write(struct mhi_vpci *t, u64 offset, unsigned int bytes, u64 value)
{
	unsigned int at = (unsigned int)offset;
	u8 buf[8];

	if (within(offset, bytes, COMMON_AT, COMMON_BYTES)) {
		common_write(t, at - COMMON_AT, bytes == 8 ? 4 : bytes, (u32)value);
		if (bytes == 8)
			common_write(t, at - COMMON_AT + 4, 4, (u32)(value >> 32));
	} else if (within(offset, bytes, DEVICE_AT, MHI_VDEV_CONFIG_MAX)) {
		mhi_put_le64(buf, value);
		mhi_vdev_config_write(t->dev, at - DEVICE_AT, buf, bytes);
	}
}

static void bar_write(void *opaque, unsigned int bar, u64 offset, unsigned int bytes, u64 value)
{
	struct mhi_vpci *t = opaque;

	/* A kick is only a wake-up: it needs no lock. */
	if (offset >= NOTIFY_AT && offset < MSIX_TABLE_AT) {
		mhi_vdev_kick(t->dev, (unsigned int)(offset - NOTIFY_AT) / NOTIFY_STRIDE);
		return;
	}
	pthread_mutex_lock(&t->dev->lock);
	registers_write(t, offset, bytes, value);
	/* Faults found by a register's write have interrupts too; queues have not moved. */
	pthread_mutex_unlock(&t->dev->lock);
}

/* ---- the window in configuration space: 4.1.4.9 "PCI configuration access capability" ---- */

static void window(void *opaque, unsigned int cap, u8 *body, bool write, unsigned int at,
		   unsigned int bytes)
{
	u32 offset = mhi_get_le32(body + CAP_OFFSET), width = mhi_get_le32(body + CAP_BYTES);

	if (at + bytes <= CAP_EXTRA || body[CAP_BAR] || (width != 1 && width != 2 && width != 4))
		return;
	if (offset % width || !within(offset, width, 0, BAR_BYTES))
		return;
	if (write)
		bar_write(opaque, 0, offset, width, mhi_get_le32(body + CAP_EXTRA));
	else
		mhi_put_le32(body + CAP_EXTRA, (u32)bar_read(opaque, 0, offset, width));
}

/* ---- as a PCI device ---- */

static void pci_reset(void *opaque)
{
	struct mhi_vpci *t = opaque;

	mhi_vdev_power_up(t->dev);
	pthread_mutex_lock(&t->dev->lock);
	t->feature_select = t->driver_select = 0;
	t->queue_select = 0;
	t->config_vector = MHI_VQ_NO_VECTOR;
	t->isr = 0;
	pthread_mutex_unlock(&t->dev->lock);
}

static void pci_run(void *opaque, bool on)
{
	struct mhi_vpci *t = opaque;

	mhi_vdev_run(t->dev, on);
}

static bool pci_doorbell(void *opaque, unsigned int n, struct mhi_pci_doorbell *out)
{
	const struct mhi_vpci *t = opaque;

	if (!t->bell || n >= t->dev->vqs)
		return false;
	*out = (struct mhi_pci_doorbell){ .bar = 0,
					  .offset = NOTIFY_AT + n * NOTIFY_STRIDE,
					  .fd = t->bell[n].fd };
	return true;
}

static const struct mhi_pci_dev_ops pci_ops = {
	.bar_read = bar_read,
	.bar_write = bar_write,
	.cap = window,
	.reset = pci_reset,
	.run = pci_run,
	.doorbell = pci_doorbell,
};

static void add_cap(struct mhi_pci_dev *pci, u8 type, u32 offset, u32 bytes)
{
	struct mhi_pci_cap *cap = &pci->cap[pci->caps++];
	bool extra = type == CFG_NOTIFY || type == CFG_WINDOW;

	cap->id = CAP_VENDOR;
	cap->bytes = extra ? CAP_BODY_EXTRA : CAP_BODY;
	cap->body[CAP_LENGTH] = (u8)(cap->bytes + 2);
	cap->body[CAP_TYPE] = type;
	mhi_put_le32(cap->body + CAP_OFFSET, offset);
	mhi_put_le32(cap->body + CAP_BYTES, bytes);
	if (type == CFG_NOTIFY)
		mhi_put_le32(cap->body + CAP_EXTRA, NOTIFY_STRIDE);
	if (type == CFG_WINDOW) {
		cap->watched = true;
		cap->writable[CAP_BAR] = 0xff;
		memset(cap->writable + CAP_OFFSET, 0xff, 12);
	}
}

static void describe(struct mhi_vpci *t)
{
	const struct mhi_vdev_ops *ops = t->dev->ops;
	struct mhi_pci_dev *pci = &t->pci;

	*pci = (struct mhi_pci_dev){
		.ops = &pci_ops,
		.opaque = t,
		.vendor = VENDOR,
		.device = (u16)(DEVICE_BASE + ops->id),
		.subvendor = VENDOR,
		.subsystem = (u16)(SUBSYSTEM_BASE + ops->id),
		.revision = 1,
		.class_code = ops->class_code,
		.bar = { { .bytes = BAR_BYTES, .wide = true, .prefetch = true } },
		.msix_vectors = (u16)(t->dev->vqs + 1),
		.msix_table = MSIX_TABLE_AT,
		.msix_pba = MSIX_PBA_AT,
	};
	add_cap(pci, CFG_COMMON, COMMON_AT, COMMON_BYTES);
	add_cap(pci, CFG_NOTIFY, NOTIFY_AT, t->dev->vqs * NOTIFY_STRIDE);
	add_cap(pci, CFG_ISR, ISR_AT, ISR_BYTES);
	if (t->dev->config_bytes)
		add_cap(pci, CFG_DEVICE, DEVICE_AT, t->dev->config_bytes);
	add_cap(pci, CFG_WINDOW, 0, 0);
}

/* ---- doorbells ---- */

static void on_bell(void *opaque)
{
	struct mhi_vpci_bell *bell = opaque;

	mhi_vdev_ring(bell->t->dev, bell->q);
}

static void on_loop(void *opaque, unsigned int events)
{
	struct mhi_vpci_bell *bell = opaque;
	u64 count;

	if (read(bell->fd, &count, sizeof(count)) == (ssize_t)sizeof(count))
		on_bell(bell);
}

static void watch_on_loop(void *opaque)
{
	struct mhi_vpci_bell *bell = opaque;

	bell->watched = !mhi_loop_watch(bell->t->dev->env.loop, bell->fd, MHI_WATCH_READ, on_loop,
					bell, &bell->watch);
}

static void unwatch_on_loop(void *opaque)
{
	struct mhi_vpci_bell *bell = opaque;

	mhi_loop_unwatch(bell->watch);
}

/* Whoever serves the device watches its doorbells. */
static void watch(struct mhi_vpci_bell *bell)
{
	struct mhi_vdev *dev = bell->t->dev;

	bell->bell = (struct mhi_bell){ .fn = on_bell, .opaque = bell };
	if (dev->workers)
		bell->watched = !mhi_workers_watch(dev->workers, &bell->bell, bell->fd);
	else
		mhi_loop_call(dev->env.loop, watch_on_loop, bell);
}

static void unwatch(struct mhi_vpci_bell *bell)
{
	struct mhi_vdev *dev = bell->t->dev;

	if (dev->workers)
		mhi_workers_unwatch(dev->workers, &bell->bell);
	else
		mhi_loop_call(dev->env.loop, unwatch_on_loop, bell);
}

static int make_bells(struct mhi_vpci *t)
{
	bool failed = false;

	t->bell = calloc(t->dev->vqs, sizeof(*t->bell));
	if (!t->bell)
		return MH_ENOMEM;
	for (unsigned int q = 0; q < t->dev->vqs; q++) {
		struct mhi_vpci_bell *bell = &t->bell[q];

		*bell = (struct mhi_vpci_bell){ .t = t, .q = q };
		bell->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
		if (bell->fd >= 0)
			watch(bell);
		failed |= !bell->watched;
	}
	return failed ? MH_ENOMEM : 0;
}

int mhi_vpci_init(struct mhi_vpci *t, struct mhi_vdev *dev, bool bells)
{
	int rc = 0;

	memset(t, 0, sizeof(*t));
	t->dev = dev;
	t->config_vector = MHI_VQ_NO_VECTOR;
	dev->transport = &transport;
	dev->transport_opaque = t;
	describe(t);
	if (bells)
		rc = make_bells(t);
	if (rc)
		mhi_vpci_fini(t);
	return rc;
}

void mhi_vpci_fini(struct mhi_vpci *t)
{
	if (!t->bell)
		return;
	for (unsigned int q = 0; q < t->dev->vqs; q++) {
		if (t->bell[q].watched)
			unwatch(&t->bell[q]);
		if (t->bell[q].fd >= 0)
			close(t->bell[q].fd);
	}
	free(t->bell);
	t->bell = NULL;
}
