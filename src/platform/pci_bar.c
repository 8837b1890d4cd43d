/* SPDX-License-Identifier: MIT */
/*
 * Where BARs lie: addresses in the windows, given out as firmware would; which BARs answer; and the
 * windows' accesses to them.
 */
#include "platform/pci_priv.h"

/* The first multiple of bytes in [from, from + room) that no other BAR has as its home. */
static u64 find_home(const struct mhi_pci *pci, u64 from, u64 room, u64 bytes)
{
	u64 at = (from + bytes - 1) & ~(bytes - 1);

	for (unsigned int n = 0; n < MHI_PCI_MAPPED_MAX && at - from < room; n++) {
		const struct mhi_pci_slot *slot = &pci->slot[n / MHI_PCI_BARS];
		unsigned int bar = n % MHI_PCI_BARS;
		u64 end;

		if (!slot->dev || slot->home[bar] == MHI_PCI_NOWHERE)
			continue;
		end = slot->home[bar] + slot->dev->bar[bar].bytes;
		if (at >= end || at + bytes <= slot->home[bar])
			continue;
		/* Taken: go on behind it, and look at all again. */
		at = (end + bytes - 1) & ~(bytes - 1);
		n = ~0u;
	}
	return at - from < room && room - (at - from) >= bytes ? at : MHI_PCI_NOWHERE;
}

int mhi_pci_bar_place(struct mhi_pci_slot *slot)
{
	const struct mhi_pci_env *env = &slot->pci->env;
	unsigned int i;

	for (i = 0; i < MHI_PCI_BARS; i++)
		slot->home[i] = slot->at[i] = MHI_PCI_NOWHERE;
	for (i = 0; i < MHI_PCI_BARS; i++) {
		const struct mhi_pci_bar *bar = &slot->dev->bar[i];

		if (!bar->bytes)
			continue;
		if (bar->wide && env->window64_bytes)
			slot->home[i] = find_home(slot->pci, env->window64, env->window64_bytes,
						  bar->bytes);
		if (slot->home[i] == MHI_PCI_NOWHERE)
			slot->home[i] = find_home(slot->pci, MHI_PCI_WINDOW32,
						  MHI_PCI_WINDOW32_BYTES, bar->bytes);
		if (slot->home[i] == MHI_PCI_NOWHERE)
			return MH_ERANGE;
	}
	return 0;
}

/* ---- what answers ---- */

static void doorbells(struct mhi_pci_slot *slot, unsigned int bar, bool on)
{
	const struct mhi_doorbell_sink *sink = &slot->pci->env.doorbell;
	const struct mhi_pci_dev *dev = slot->dev;
	struct mhi_pci_doorbell bell;

	if (!sink->set || !dev->ops->doorbell)
		return;
	for (unsigned int n = 0; dev->ops->doorbell(dev->opaque, n, &bell); n++)
		if (bell.bar == bar)
			sink->set(sink->opaque, slot->at[bar] + bell.offset, bell.fd, on);
}

static void reachable(struct mhi_pci_slot *slot, unsigned int bar, bool on)
{
	const struct mhi_memory_sink *sink = &slot->pci->env.memory;
	const struct mhi_pci_bar *b = &slot->dev->bar[bar];

	doorbells(slot, bar, on);
	if (sink->set && b->host)
		sink->set(sink->opaque, slot->at[bar], b->host, b->bytes, on);
}

static void drop(struct mhi_pci *pci, const struct mhi_pci_slot *slot, unsigned int bar)
{
	struct mhi_pci_mapped *m = pci->mapped;
	unsigned int n = 0;

	while (m[n].slot != slot || m[n].bar != bar)
		n++;
	pci->mapped_count--;
	memmove(m + n, m + n + 1, (pci->mapped_count - n) * sizeof(*m));
}

static void insert(struct mhi_pci *pci, const struct mhi_pci_mapped *fresh)
{
	struct mhi_pci_mapped *m = pci->mapped;
	unsigned int n = pci->mapped_count++;

	for (; n && m[n - 1].start > fresh->start; n--)
		m[n] = m[n - 1];
	m[n] = *fresh;
}

static void move(struct mhi_pci_slot *slot, unsigned int bar, u64 to)
{
	struct mhi_pci *pci = slot->pci;
	const struct mhi_pci_mapped fresh = { to, slot->dev->bar[bar].bytes, slot, bar };

	if (slot->at[bar] == to)
		return;
	if (slot->at[bar] != MHI_PCI_NOWHERE)
		reachable(slot, bar, false);
	pthread_rwlock_wrlock(&pci->map_lock);
	if (slot->at[bar] != MHI_PCI_NOWHERE)
		drop(pci, slot, bar);
	slot->at[bar] = to;
	if (to != MHI_PCI_NOWHERE)
		insert(pci, &fresh);
	pthread_rwlock_unlock(&pci->map_lock);
	if (to != MHI_PCI_NOWHERE)
		reachable(slot, bar, true);
}

static u64 configured(const struct mhi_pci_slot *slot, unsigned int bar)
{
	const u8 *p = slot->config + PCI_BAR0 + 4 * bar;
	u64 at = mhi_get_le32(p) & ~0xfu;

	if (slot->dev->bar[bar].wide)
		at |= (u64)mhi_get_le32(p + 4) << 32;
	return at;
}

void mhi_pci_bar_update(struct mhi_pci_slot *slot)
{
	bool on = mhi_pci_command(slot) & PCI_COMMAND_MEMORY;

	for (unsigned int i = 0; i < MHI_PCI_BARS; i++)
		if (slot->dev->bar[i].bytes)
			move(slot, i, on ? configured(slot, i) : MHI_PCI_NOWHERE);
}

void mhi_pci_bar_unmap(struct mhi_pci_slot *slot)
{
	for (unsigned int i = 0; i < MHI_PCI_BARS; i++)
		if (slot->dev->bar[i].bytes)
			move(slot, i, MHI_PCI_NOWHERE);
}

/* ---- accesses ---- */

static const struct mhi_pci_mapped *find(const struct mhi_pci *pci, u64 addr, unsigned int bytes)
{
	unsigned int low = 0, high = pci->mapped_count;
	const struct mhi_pci_mapped *m;

	while (low < high) {
		unsigned int middle = low + (high - low) / 2;

		if (pci->mapped[middle].start <= addr)
			low = middle + 1;
		else
			high = middle;
	}
	if (!low)
		return NULL;
	m = &pci->mapped[low - 1];
	return addr - m->start < m->bytes && m->bytes - (addr - m->start) >= bytes ? m : NULL;
}

static void window_access(struct mhi_pci *pci, u64 addr, unsigned int bytes, bool write, u64 *value)
{
	const struct mhi_pci_mapped *m;

	pthread_rwlock_rdlock(&pci->map_lock);
	m = find(pci, addr, bytes);
	if (m) {
		const struct mhi_pci_dev *dev = m->slot->dev;
		u64 offset = addr - m->start;

		if (dev->msix_vectors && m->bar == dev->msix_bar &&
		    mhi_msix_access(m->slot, offset, bytes, write, value))
			; /* the bus's own */
		else if (write)
			dev->ops->bar_write(dev->opaque, m->bar, offset, bytes, *value);
		else
			*value = dev->ops->bar_read(dev->opaque, m->bar, offset, bytes);
	}
	pthread_rwlock_unlock(&pci->map_lock);
}

static uint64_t window32_read(void *opaque, uint64_t offset, unsigned int bytes)
{
	u64 value = ~0ull;

	window_access(opaque, MHI_PCI_WINDOW32 + offset, bytes, false, &value);
	return value;
}

static void window32_write(void *opaque, uint64_t offset, unsigned int bytes, uint64_t value)
{
	u64 v = value;

	window_access(opaque, MHI_PCI_WINDOW32 + offset, bytes, true, &v);
}

static uint64_t window_fw_read(void *opaque, uint64_t offset, unsigned int bytes)
{
	u64 value = ~0ull;

	window_access(opaque, MHI_PCI_WINDOW_FW + offset, bytes, false, &value);
	return value;
}

static void window_fw_write(void *opaque, uint64_t offset, unsigned int bytes, uint64_t value)
{
	u64 v = value;

	window_access(opaque, MHI_PCI_WINDOW_FW + offset, bytes, true, &v);
}

static uint64_t window64_read(void *opaque, uint64_t offset, unsigned int bytes)
{
	struct mhi_pci *pci = opaque;
	u64 value = ~0ull;

	window_access(pci, pci->env.window64 + offset, bytes, false, &value);
	return value;
}

static void window64_write(void *opaque, uint64_t offset, unsigned int bytes, uint64_t value)
{
	struct mhi_pci *pci = opaque;
	u64 v = value;

	window_access(pci, pci->env.window64 + offset, bytes, true, &v);
}

const struct mh_io_ops mhi_pci_window32_ops = {
	.version = 1,
	.read = window32_read,
	.write = window32_write,
};

const struct mh_io_ops mhi_pci_window_fw_ops = {
	.version = 1,
	.read = window_fw_read,
	.write = window_fw_write,
};

const struct mh_io_ops mhi_pci_window64_ops = {
	.version = 1,
	.read = window64_read,
	.write = window64_write,
};
