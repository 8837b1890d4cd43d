/* SPDX-License-Identifier: MIT */
/*
 * The PCI root bus: its slots, the two ways to configuration space, and interrupt lines. PCI 3.0,
 * 3.2.2.3 "Configuration Space Decoding" (CF8/CFC); PCIe 5.0, 7.2.2 "PCI Express Enhanced
 * Configuration Access Mechanism".
 */
#include "platform/pci_priv.h"

#include <stdlib.h>

/* A generic host bridge, as Linux and Windows know it. */
#define BRIDGE_VENDOR 0x1b36
#define BRIDGE_DEVICE 0x0008
#define CLASS_HOST_BRIDGE 0x060000

/* CONFIG_ADDRESS: enable 31, bus 23:16, device 15:11, function 10:8, register 7:2. */
#define ADDRESS_ENABLE 0x80000000u
#define ADDRESS_WRITABLE 0x80fffffcu
#define DATA_PORT 4

/* ECAM: device and function 19:12, register 11:0. */
#define ECAM_FUNCTION_SHIFT 12
#define ECAM_REGISTER 0xfffu

/* Pins of the I/O APIC from here on are PCI's. */
#define FIRST_GSI 16
#define GSIS 8

unsigned int mhi_pci_gsi(unsigned int slot, unsigned int pin)
{
	return FIRST_GSI + (slot + pin) % GSIS;
}

/* ---- lines ---- */

/* Under irq_lock: a line is high as long as one of the slots wired to it drives it. */
static void drive(struct mhi_pci *pci, unsigned int slot, bool level)
{
	unsigned int gsi = mhi_pci_gsi(slot, 0);
	u32 wired = 0;

	for (unsigned int n = 0; n < MHI_PCI_SLOTS; n++)
		if (mhi_pci_gsi(n, 0) == gsi)
			wired |= (u32)MHI_BIT(n);
	if (level)
		pci->asserted |= (u32)MHI_BIT(slot);
	else
		pci->asserted &= (u32)~MHI_BIT(slot);
	mhi_irq_set(&pci->env.lines, gsi, (pci->asserted & wired) != 0);
}

static void set_line(struct mhi_pci_slot *slot, bool intx, bool gated)
{
	bool was = slot->intx && !slot->gated, now = intx && !gated;

	slot->intx = intx;
	slot->gated = gated;
	if (was != now)
		drive(slot->pci, slot->number, now);
}

void mhi_pci_gate(struct mhi_pci_slot *slot, bool gated)
{
	pthread_mutex_lock(&slot->pci->irq_lock);
	set_line(slot, slot->intx, gated);
	pthread_mutex_unlock(&slot->pci->irq_lock);
}

static void port_intx(void *opaque, bool level)
{
	struct mhi_pci_slot *slot = opaque;

	pthread_mutex_lock(&slot->pci->irq_lock);
	set_line(slot, level, slot->gated);
	pthread_mutex_unlock(&slot->pci->irq_lock);
}

static bool port_msix_on(void *opaque)
{
	struct mhi_pci_slot *slot = opaque;

	return mhi_msix_on(&slot->msix);
}

static void port_msix(void *opaque, unsigned int vector)
{
	struct mhi_pci_slot *slot = opaque;

	mhi_msix_raise(&slot->msix, vector);
}

static const struct mhi_pci_port_ops port_ops = {
	.msix_on = port_msix_on,
	.msix = port_msix,
	.intx = port_intx,
};

/* ---- devices ---- */

static u64 bridge_read(void *opaque, unsigned int bar, u64 offset, unsigned int bytes)
{
	return ~0ull;
}

static void bridge_write(void *opaque, unsigned int bar, u64 offset, unsigned int bytes, u64 value)
{
}

static void bridge_reset(void *opaque)
{
}

static void bridge_run(void *opaque, bool on)
{
}

static const struct mhi_pci_dev_ops bridge_ops = {
	.bar_read = bridge_read,
	.bar_write = bridge_write,
	.reset = bridge_reset,
	.run = bridge_run,
};

static int plug(struct mhi_pci_slot *slot, struct mhi_pci_dev *dev)
{
	int rc = mhi_msix_init(&slot->msix, dev->msix_vectors, &slot->pci->env.msi);

	if (rc)
		return rc;
	slot->dev = dev;
	rc = mhi_pci_bar_place(slot);
	if (rc) {
		slot->dev = NULL;
		mhi_msix_fini(&slot->msix);
		return rc;
	}
	dev->port = &port_ops;
	dev->slot = slot;
	dev->number = slot->number;
	mhi_pci_cfg_reset(slot);
	return 0;
}

/* Under lock. */
static int find_slot(struct mhi_pci *pci, unsigned int want, struct mhi_pci_slot **out)
{
	unsigned int n = want;

	if (want >= MHI_PCI_SLOTS)
		return MH_EINVAL;
	if (want && pci->slot[want].dev)
		return MH_EEXIST;
	while (n < MHI_PCI_SLOTS && pci->slot[n].dev)
		n++;
	if (n == MHI_PCI_SLOTS)
		return MH_ERANGE;
	*out = &pci->slot[n];
	return 0;
}

int mhi_pci_add(struct mhi_pci *pci, struct mhi_pci_dev *dev)
{
	struct mhi_pci_slot *slot = NULL;
	int rc = mhi_pci_cfg_check(dev);

	if (rc)
		return rc;
	pthread_mutex_lock(&pci->lock);
	rc = find_slot(pci, dev->want_slot, &slot);
	if (!rc)
		rc = plug(slot, dev);
	pthread_mutex_unlock(&pci->lock);
	return rc;
}

void mhi_pci_remove(struct mhi_pci *pci, struct mhi_pci_dev *dev)
{
	struct mhi_pci_slot *slot = dev->slot;

	pthread_mutex_lock(&pci->lock);
	mhi_pci_bar_unmap(slot);
	port_intx(slot, false);
	pthread_rwlock_wrlock(&pci->map_lock);
	slot->dev = NULL;
	pthread_rwlock_unlock(&pci->map_lock);
	mhi_msix_fini(&slot->msix);
	dev->port = NULL;
	dev->slot = NULL;
	pthread_mutex_unlock(&pci->lock);
}

unsigned int mhi_pci_slot(const struct mhi_pci_dev *dev)
{
	return ((const struct mhi_pci_slot *)dev->slot)->number;
}

int mhi_pci_create(const struct mhi_pci_env *env, struct mhi_pci **out)
{
	struct mhi_pci *pci = calloc(1, sizeof(*pci));
	int rc;

	if (!pci)
		return MH_ENOMEM;
	pci->env = *env;
	pthread_mutex_init(&pci->lock, NULL);
	pthread_rwlock_init(&pci->map_lock, NULL);
	pthread_mutex_init(&pci->irq_lock, NULL);
	for (unsigned int n = 0; n < MHI_PCI_SLOTS; n++) {
		pci->slot[n].pci = pci;
		pci->slot[n].number = n;
	}
	pci->bridge = (struct mhi_pci_dev){
		.ops = &bridge_ops,
		.vendor = BRIDGE_VENDOR,
		.device = BRIDGE_DEVICE,
		.class_code = CLASS_HOST_BRIDGE,
	};
	rc = mhi_pci_add(pci, &pci->bridge);
	if (rc) {
		mhi_pci_destroy(pci);
		return rc;
	}
	*out = pci;
	return 0;
}

void mhi_pci_destroy(struct mhi_pci *pci)
{
	if (!pci)
		return;
	if (pci->bridge.slot)
		mhi_pci_remove(pci, &pci->bridge);
	pthread_mutex_destroy(&pci->irq_lock);
	pthread_rwlock_destroy(&pci->map_lock);
	pthread_mutex_destroy(&pci->lock);
	free(pci);
}

void mhi_pci_reset(struct mhi_pci *pci)
{
	pthread_mutex_lock(&pci->lock);
	pci->address = 0;
	for (unsigned int n = 0; n < MHI_PCI_SLOTS; n++) {
		struct mhi_pci_slot *slot = &pci->slot[n];

		if (!slot->dev)
			continue;
		slot->dev->ops->reset(slot->dev->opaque);
		port_intx(slot, false);
		mhi_pci_cfg_reset(slot);
	}
	pthread_mutex_unlock(&pci->lock);
}

void mhi_pci_run(struct mhi_pci *pci, bool on)
{
	pthread_mutex_lock(&pci->lock);
	for (unsigned int n = 0; n < MHI_PCI_SLOTS; n++)
		if (pci->slot[n].dev)
			pci->slot[n].dev->ops->run(pci->slot[n].dev->opaque, on);
	pthread_mutex_unlock(&pci->lock);
}

/* ---- configuration ---- */

/* Under lock. A function that does not exist reads as all ones; so do extended registers. */
static u32 config_read(struct mhi_pci *pci, unsigned int devfn, unsigned int at, unsigned int bytes)
{
	struct mhi_pci_slot *slot = &pci->slot[devfn >> 3];

	if ((devfn & 7) || !slot->dev)
		return ~0u;
	/* An ECAM device without extended capabilities has zeros there. */
	if (at + bytes > MHI_PCI_CONFIG_BYTES)
		return 0;
	return mhi_pci_cfg_read(slot, at, bytes);
}

static void config_write(struct mhi_pci *pci, unsigned int devfn, unsigned int at,
			 unsigned int bytes, u32 value)
{
	struct mhi_pci_slot *slot = &pci->slot[devfn >> 3];

	if (!(devfn & 7) && slot->dev && at + bytes <= MHI_PCI_CONFIG_BYTES)
		mhi_pci_cfg_write(slot, at, bytes, value);
}

/* Under lock: does CONFIG_ADDRESS name a register of this bus? */
static bool addressed(const struct mhi_pci *pci)
{
	return (pci->address & ADDRESS_ENABLE) && !(pci->address >> 16 & 0xff);
}

static uint64_t port_read(void *opaque, uint64_t offset, unsigned int bytes)
{
	struct mhi_pci *pci = opaque;
	u32 value = ~0u;

	pthread_mutex_lock(&pci->lock);
	if (offset == 0 && bytes == 4)
		value = pci->address;
	else if (offset >= DATA_PORT && offset % bytes == 0 && addressed(pci))
		value = config_read(pci, pci->address >> 8 & 0xff,
				    (pci->address & 0xfc) + (unsigned int)(offset & 3), bytes);
	pthread_mutex_unlock(&pci->lock);
	return value;
}

static void port_write(void *opaque, uint64_t offset, unsigned int bytes, uint64_t value)
{
	struct mhi_pci *pci = opaque;

	pthread_mutex_lock(&pci->lock);
	if (offset == 0 && bytes == 4)
		pci->address = (u32)value & ADDRESS_WRITABLE;
	else if (offset >= DATA_PORT && offset % bytes == 0 && addressed(pci))
		config_write(pci, pci->address >> 8 & 0xff,
			     (pci->address & 0xfc) + (unsigned int)(offset & 3), bytes, (u32)value);
	pthread_mutex_unlock(&pci->lock);
}

static unsigned int ecam_devfn(u64 offset)
{
	return (unsigned int)(offset >> ECAM_FUNCTION_SHIFT) & 0xff;
}

static uint64_t ecam_read(void *opaque, uint64_t offset, unsigned int bytes)
{
	struct mhi_pci *pci = opaque;
	unsigned int at = (unsigned int)offset & ECAM_REGISTER;
	u32 value;

	if (bytes > 4 || offset % bytes)
		return ~0ull;
	pthread_mutex_lock(&pci->lock);
	value = config_read(pci, ecam_devfn(offset), at, bytes);
	pthread_mutex_unlock(&pci->lock);
	return value;
}

static void ecam_write(void *opaque, uint64_t offset, unsigned int bytes, uint64_t value)
{
	struct mhi_pci *pci = opaque;
	unsigned int at = (unsigned int)offset & ECAM_REGISTER;

	if (bytes > 4 || offset % bytes)
		return;
	pthread_mutex_lock(&pci->lock);
	config_write(pci, ecam_devfn(offset), at, bytes, (u32)value);
	pthread_mutex_unlock(&pci->lock);
}

const struct mh_io_ops mhi_pci_port_io_ops = {
	.version = 1,
	.read = port_read,
	.write = port_write,
};

const struct mh_io_ops mhi_pci_ecam_ops = {
	.version = 1,
	.read = ecam_read,
	.write = ecam_write,
};
