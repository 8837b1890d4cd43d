/* SPDX-License-Identifier: MIT */
/*
 * A function's configuration space: the type 0 header, capabilities, which bits a guest may write,
 * and what its writes do. PCI 3.0, chapter 6 "Configuration Space".
 */
#include "platform/pci_priv.h"

#define COMMAND_WRITABLE                                                                   \
	(PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER | PCI_COMMAND_PARITY | PCI_COMMAND_SERR | \
	 PCI_COMMAND_NO_INTX)

#define BAR_BYTES_MIN 16
#define CAP_HEAD 2 /* id, next */

static bool power_of_two(u64 n)
{
	return n && !(n & (n - 1));
}

static bool bar_possible(const struct mhi_pci_dev *dev, unsigned int i)
{
	const struct mhi_pci_bar *bar = &dev->bar[i];

	if (!bar->bytes)
		return true;
	if (!power_of_two(bar->bytes) || bar->bytes < BAR_BYTES_MIN)
		return false;
	if (!bar->wide)
		return bar->bytes <= MHI_PCI_WINDOW32_BYTES;
	return i + 1 < MHI_PCI_BARS && !dev->bar[i + 1].bytes;
}

static bool msix_possible(const struct mhi_pci_dev *dev)
{
	u64 bar, table = (u64)dev->msix_vectors * MSIX_ENTRY_BYTES;
	u64 pba = (dev->msix_vectors + 63) / 64 * 8;

	if (!dev->msix_vectors)
		return true;
	if (dev->msix_vectors > MSIX_VECTORS_MAX || dev->msix_bar >= MHI_PCI_BARS)
		return false;
	bar = dev->bar[dev->msix_bar].bytes;
	return !((dev->msix_table | dev->msix_pba) & 7) && dev->msix_table + table <= bar &&
	       dev->msix_pba + pba <= bar;
}

static bool regs_possible(const struct mhi_pci_dev *dev, unsigned int caps_end)
{
	return !dev->regs_bytes || (dev->regs_bytes <= MHI_PCI_REGS && dev->regs_at >= caps_end &&
				    dev->regs_at + dev->regs_bytes <= MHI_PCI_CONFIG_BYTES);
}

int mhi_pci_cfg_check(const struct mhi_pci_dev *dev)
{
	unsigned int bytes = PCI_FIRST_CAP + (dev->msix_vectors ? MSIX_CAP_BYTES : 0);

	for (unsigned int i = 0; i < MHI_PCI_BARS; i++)
		if (!bar_possible(dev, i))
			return MH_EINVAL;
	if (dev->caps > MHI_PCI_CAPS || !msix_possible(dev))
		return MH_EINVAL;
	for (unsigned int i = 0; i < dev->caps; i++) {
		if (dev->cap[i].bytes > MHI_PCI_CAP_BODY)
			return MH_EINVAL;
		bytes += (dev->cap[i].bytes + CAP_HEAD + 3) & ~3u;
	}
	return bytes <= MHI_PCI_CONFIG_BYTES && regs_possible(dev, bytes) ? 0 : MH_EINVAL;
}

/* ---- power-up state ---- */

static void put_bars(struct mhi_pci_slot *slot)
{
	for (unsigned int i = 0; i < MHI_PCI_BARS; i++) {
		const struct mhi_pci_bar *bar = &slot->dev->bar[i];
		u8 *p = slot->config + PCI_BAR0 + 4 * i, *mask = slot->mask + PCI_BAR0 + 4 * i;
		u64 writable = ~(bar->bytes - 1);

		if (!bar->bytes)
			continue;
		mhi_put_le32(p, (u32)slot->home[i] | (bar->wide ? PCI_BAR_WIDE : 0) |
					(bar->prefetch ? PCI_BAR_PREFETCH : 0));
		mhi_put_le32(mask, (u32)writable);
		if (!bar->wide)
			continue;
		mhi_put_le32(p + 4, (u32)(slot->home[i] >> 32));
		mhi_put_le32(mask + 4, (u32)(writable >> 32));
	}
}

static unsigned int put_msix(struct mhi_pci_slot *slot, unsigned int at)
{
	const struct mhi_pci_dev *dev = slot->dev;
	u8 *p = slot->config + at;

	p[0] = PCI_CAP_MSIX;
	p[1] = slot->config[PCI_CAP_POINTER];
	slot->config[PCI_CAP_POINTER] = (u8)at;
	mhi_put_le16(p + MSIX_CONTROL, (u16)(dev->msix_vectors - 1));
	mhi_put_le16(slot->mask + at + MSIX_CONTROL, MSIX_ENABLE | MSIX_MASK_ALL);
	mhi_put_le32(p + 4, dev->msix_table | dev->msix_bar);
	mhi_put_le32(p + 8, dev->msix_pba | dev->msix_bar);
	slot->msix_at = (u8)at;
	return at + MSIX_CAP_BYTES;
}

static void put_caps(struct mhi_pci_slot *slot)
{
	const struct mhi_pci_dev *dev = slot->dev;
	unsigned int at = PCI_FIRST_CAP;

	slot->msix_at = 0;
	for (unsigned int i = dev->caps; i-- > 0;) {
		const struct mhi_pci_cap *cap = &dev->cap[i];

		slot->cap_at[i] = (u8)at;
		slot->config[at] = cap->id;
		slot->config[at + 1] = slot->config[PCI_CAP_POINTER];
		slot->config[PCI_CAP_POINTER] = (u8)at;
		memcpy(slot->config + at + CAP_HEAD, cap->body, cap->bytes);
		memcpy(slot->mask + at + CAP_HEAD, cap->writable, cap->bytes);
		at += (cap->bytes + CAP_HEAD + 3) & ~3u;
	}
	if (dev->msix_vectors)
		put_msix(slot, at);
	if (slot->config[PCI_CAP_POINTER])
		mhi_put_le16(slot->config + PCI_STATUS, PCI_STATUS_CAPS);
}

void mhi_pci_cfg_reset(struct mhi_pci_slot *slot)
{
	const struct mhi_pci_dev *dev = slot->dev;
	u8 *config = slot->config;

	mhi_pci_bar_unmap(slot);
	memset(config, 0, MHI_PCI_CONFIG_BYTES);
	memset(slot->mask, 0, MHI_PCI_CONFIG_BYTES);
	mhi_put_le16(config + PCI_VENDOR, dev->vendor);
	mhi_put_le16(config + PCI_DEVICE, dev->device);
	mhi_put_le16(slot->mask + PCI_COMMAND,
		     (u16)(COMMAND_WRITABLE | (slot->dev->rom ? PCI_COMMAND_IO : 0)));
	mhi_put_le32(config + PCI_REVISION, dev->class_code << 8 | dev->revision);
	mhi_put_le16(config + PCI_SUBVENDOR, dev->subvendor);
	mhi_put_le16(config + PCI_SUBSYSTEM, dev->subsystem);
	slot->mask[PCI_CACHE_LINE] = 0xff;
	slot->mask[PCI_INTERRUPT_LINE] = 0xff;
	if (slot->number) {
		config[PCI_INTERRUPT_PIN] = 1;
		config[PCI_INTERRUPT_LINE] = (u8)mhi_pci_gsi(slot->number, 0);
	}
	put_bars(slot);
	put_caps(slot);
	memcpy(slot->mask + dev->regs_at, dev->regs_writable, dev->regs_bytes);
	mhi_msix_reset(&slot->msix);
	mhi_pci_gate(slot, false);
}

/* ---- accesses ---- */

static bool touches(unsigned int at, unsigned int bytes, unsigned int start, unsigned int len)
{
	return at < start + len && start < at + bytes;
}

/* Tells the device of an access to the body of one of its watched capabilities. */
static void tell_cap(struct mhi_pci_slot *slot, unsigned int at, unsigned int bytes, bool write)
{
	const struct mhi_pci_dev *dev = slot->dev;

	for (unsigned int i = 0; i < dev->caps; i++) {
		unsigned int body = slot->cap_at[i] + CAP_HEAD;

		if (dev->cap[i].watched && at >= body &&
		    touches(at, bytes, body, dev->cap[i].bytes))
			dev->ops->cap(dev->opaque, i, slot->config + body, write, at - body, bytes);
	}
}

static void tell_regs(struct mhi_pci_slot *slot, unsigned int at, unsigned int bytes, bool write)
{
	const struct mhi_pci_dev *dev = slot->dev;

	if (touches(at, bytes, dev->regs_at, dev->regs_bytes))
		dev->ops->regs(dev->opaque, slot->config + dev->regs_at, write);
}

static u16 status(const struct mhi_pci_slot *slot)
{
	u16 status = mhi_get_le16(slot->config + PCI_STATUS);
	bool intx;

	pthread_mutex_lock(&slot->pci->irq_lock);
	intx = slot->intx;
	pthread_mutex_unlock(&slot->pci->irq_lock);
	return intx ? status | PCI_STATUS_INTX : status & (u16)~PCI_STATUS_INTX;
}

u32 mhi_pci_cfg_read(struct mhi_pci_slot *slot, unsigned int at, unsigned int bytes)
{
	u32 value = 0;

	tell_cap(slot, at, bytes, false);
	tell_regs(slot, at, bytes, false);
	if (touches(at, bytes, PCI_STATUS, 2))
		mhi_put_le16(slot->config + PCI_STATUS, status(slot));
	for (unsigned int i = 0; i < bytes; i++)
		value |= (u32)slot->config[at + i] << (8 * i);
	return value;
}

void mhi_pci_cfg_write(struct mhi_pci_slot *slot, unsigned int at, unsigned int bytes, u32 value)
{
	for (unsigned int i = 0; i < bytes; i++) {
		u8 mask = slot->mask[at + i], *p = &slot->config[at + i];

		*p = (u8)((*p & ~mask) | (value >> (8 * i) & mask));
	}
	if (slot->msix_at && touches(at, bytes, slot->msix_at + MSIX_CONTROL, 2))
		mhi_msix_control(&slot->msix,
				 mhi_get_le16(slot->config + slot->msix_at + MSIX_CONTROL));
	if (touches(at, bytes, PCI_COMMAND, 2) ||
	    (slot->msix_at && touches(at, bytes, slot->msix_at + MSIX_CONTROL, 2)))
		mhi_pci_gate(slot, (mhi_pci_command(slot) & PCI_COMMAND_NO_INTX) ||
					   (slot->msix.count && mhi_msix_on(&slot->msix)));
	if (touches(at, bytes, PCI_COMMAND, 2) || touches(at, bytes, PCI_BAR0, 4 * MHI_PCI_BARS))
		mhi_pci_bar_update(slot);
	tell_cap(slot, at, bytes, true);
	tell_regs(slot, at, bytes, true);
}
