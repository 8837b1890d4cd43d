// SPDX-License-Identifier: MIT
/* The test's virtio driver: the bus it plays, registers, negotiation. */
#include "vdriver.h"

#include <check.h>
#include <stdio.h>

#include "fake_loop.h"

#define COMMON 0x0000
#define STATUS (COMMON + 0x14)

static bool port_msix_on(void *slot)
{
	return ((struct vdriver *)slot)->msix;
}

static void port_msix(void *slot, unsigned int vector)
{
	struct vdriver *d = slot;

	ck_assert_uint_lt(vector, VD_VECTORS);
	__atomic_fetch_add(&d->irqs[vector], 1, __ATOMIC_SEQ_CST);
}

static void port_intx(void *slot, bool level)
{
	struct vdriver *d = slot;

	if (level && !d->line)
		__atomic_fetch_add(&d->irqs[0], 1, __ATOMIC_SEQ_CST);
	d->line = level;
}

static const struct mhi_pci_port_ops port_ops = {
	.msix_on = port_msix_on,
	.msix = port_msix,
	.intx = port_intx,
};

static void on_log(void *opaque, enum mh_log_level level, const char *text)
{
	struct vdriver *d = opaque;

	__atomic_fetch_add(&d->logged, 1, __ATOMIC_SEQ_CST);
	snprintf(d->last_log, sizeof(d->last_log), "%s", text);
}

static void on_failure(void *opaque, enum mh_dev_operation operation, int error)
{
	struct vdriver *d = opaque;

	d->failed = operation;
	d->error = error;
	__atomic_fetch_add(&d->failures, 1, __ATOMIC_SEQ_CST);
}

void vd_init(struct vdriver *d)
{
	memset(d, 0, sizeof(*d));
	guest_ram_init(&d->ram, VD_RAM);
	ck_assert_int_eq(mhi_loop_create(&d->loop), 0);
	ck_assert_int_eq(mhi_log_init(&d->log, on_log, d, MH_LOG_DEBUG), 0);
	d->env = (struct mhi_vdev_env){
		&d->ram.mem, d->loop, &d->log, "VM \"test\"", on_failure, d
	};
	d->msix = true;
	d->brk = 0x10000;
}

void vd_attach(struct vdriver *d, struct mhi_vdev *dev, bool bells)
{
	d->dev = dev;
	ck_assert_int_eq(mhi_vpci_init(&d->pci, dev, bells), 0);
	d->pci.pci.port = &port_ops;
	d->pci.pci.slot = d;
	d->pci.pci.ops->reset(&d->pci);
	d->pci.pci.ops->run(&d->pci, true);
}

void vd_fini(struct vdriver *d)
{
	d->pci.pci.ops->run(&d->pci, false);
	mhi_vpci_fini(&d->pci);
	d->dev->ops->destroy(d->dev);
	if (d->gone)
		d->gone();
	mhi_loop_destroy(d->loop);
	mhi_log_fini(&d->log);
	guest_ram_fini(&d->ram);
}

void vd_sync(struct vdriver *d)
{
	fake_loop_run(d->loop);
}

mh_gpa vd_alloc(struct vdriver *d, u64 bytes, u64 align)
{
	mh_gpa at = (d->brk + align - 1) & ~(align - 1);

	d->brk = at + bytes;
	ck_assert_uint_le(d->brk, VD_RAM);
	return at;
}

void *vd_ptr(struct vdriver *d, mh_gpa gpa)
{
	ck_assert_uint_lt(gpa, VD_RAM);
	return (u8 *)d->ram.host + gpa;
}

u64 vd_read(struct vdriver *d, u64 offset, unsigned int bytes)
{
	u64 value = d->pci.pci.ops->bar_read(&d->pci, 0, offset, bytes);

	return bytes == 8 ? value : value & (MHI_BIT(8 * bytes) - 1);
}

void vd_write(struct vdriver *d, u64 offset, unsigned int bytes, u64 value)
{
	d->pci.pci.ops->bar_write(&d->pci, 0, offset, bytes, value);
}

u8 vd_status(struct vdriver *d)
{
	return (u8)vd_read(d, STATUS, 1);
}

void vd_set_status(struct vdriver *d, u8 status)
{
	vd_write(d, STATUS, 1, status);
}

u64 vd_offered(struct vdriver *d)
{
	u64 low;

	vd_write(d, 0, 4, 0);
	low = vd_read(d, 4, 4);
	vd_write(d, 0, 4, 1);
	return low | vd_read(d, 4, 4) << 32;
}

bool vd_negotiate(struct vdriver *d, u64 features)
{
	vd_set_status(d, 0);
	ck_assert_uint_eq(vd_status(d), 0);
	vd_set_status(d, VIRTIO_ACKNOWLEDGE);
	vd_set_status(d, VIRTIO_ACKNOWLEDGE | VIRTIO_DRIVER);
	vd_write(d, 8, 4, 0);
	vd_write(d, 0x0c, 4, (u32)features);
	vd_write(d, 8, 4, 1);
	vd_write(d, 0x0c, 4, features >> 32);
	vd_set_status(d, VIRTIO_ACKNOWLEDGE | VIRTIO_DRIVER | VIRTIO_FEATURES_OK);
	d->features = features;
	return vd_status(d) & VIRTIO_FEATURES_OK;
}

void vd_ok(struct vdriver *d)
{
	vd_set_status(d,
		      VIRTIO_ACKNOWLEDGE | VIRTIO_DRIVER | VIRTIO_FEATURES_OK | VIRTIO_DRIVER_OK);
	ck_assert_uint_eq(vd_status(d), VIRTIO_ACKNOWLEDGE | VIRTIO_DRIVER | VIRTIO_FEATURES_OK |
						VIRTIO_DRIVER_OK);
}
