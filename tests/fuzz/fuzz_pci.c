// SPDX-License-Identifier: MIT
/*
 * Fuzzes the PCI bus: configuration by CF8/CFC and by ECAM, BARs of several kinds wherever the
 * guest puts them, MSI-X tables, cards that come and go. The cards see that accesses lie within
 * their BARs and capabilities; doorbells must ring where their BAR answers, and nowhere after it
 * has gone.
 */
#include <string.h>

#include "fuzz.h"
#include "platform/pci.h"

#define WINDOW64 (1ull << 38)
#define CARDS 4
#define BELLS 3
#define BELL_AT 0x40
#define OPS_MOST 400

struct card {
	struct mhi_pci_dev dev;
	bool plugged, bell[BELLS];
	u64 bell_gpa[BELLS];
};

static struct card cards[CARDS];
static struct mhi_pci *pci;

static void on_msi(void *opaque, u64 addr, u32 data)
{
	if (addr & 3)
		fuzz_die("MSI-X", "an address that is not aligned");
}

static void on_line(void *opaque, unsigned int gsi, bool level)
{
	if (gsi < 16 || gsi >= 24)
		fuzz_die("INTx", "not one of PCI's lines");
}

static void on_doorbell(void *opaque, mh_gpa gpa, int fd, bool on)
{
	struct card *c = &cards[fd / BELLS];
	unsigned int n = (unsigned int)fd % BELLS;

	if (c->bell[n] == on || (!on && c->bell_gpa[n] != gpa))
		fuzz_die("doorbell", "not where it was");
	c->bell[n] = on;
	c->bell_gpa[n] = gpa;
}

static void check_access(const struct card *c, unsigned int bar, u64 offset, unsigned int bytes)
{
	u64 size = bar < MHI_PCI_BARS ? c->dev.bar[bar].bytes : 0;

	if (!c->plugged || !bytes || bytes > 8 || offset >= size || size - offset < bytes)
		fuzz_die("BAR", "an access outside of it");
}

static u64 card_read(void *opaque, unsigned int bar, u64 offset, unsigned int bytes)
{
	check_access(opaque, bar, offset, bytes);
	return offset;
}

static void card_write(void *opaque, unsigned int bar, u64 offset, unsigned int bytes, u64 value)
{
	struct card *c = opaque;

	check_access(c, bar, offset, bytes);
	if (value & 1)
		c->dev.port->intx(c->dev.slot, value & 2);
	else if (c->dev.port->msix_on(c->dev.slot))
		c->dev.port->msix(c->dev.slot, (unsigned int)(value >> 2));
}

static void card_cap(void *opaque, unsigned int cap, u8 *body, bool write, unsigned int at,
		     unsigned int bytes)
{
	const struct card *c = opaque;

	if (!c->plugged || cap >= c->dev.caps || at >= c->dev.cap[cap].bytes)
		fuzz_die("capability", "an access outside of it");
	if (!write)
		memset(body, 0x55, c->dev.cap[cap].bytes);
}

static void card_reset(void *opaque)
{
}

static void card_run(void *opaque, bool on)
{
}

static bool card_doorbell(void *opaque, unsigned int n, struct mhi_pci_doorbell *out)
{
	const struct card *c = opaque;

	*out = (struct mhi_pci_doorbell){ .offset = BELL_AT + 4 * n,
					  .fd = (int)((c - cards) * BELLS + n) };
	return n < BELLS;
}

static const struct mhi_pci_dev_ops card_ops = {
	.bar_read = card_read,
	.bar_write = card_write,
	.cap = card_cap,
	.reset = card_reset,
	.run = card_run,
	.doorbell = card_doorbell,
};

static const struct mhi_pci_dev kinds[CARDS] = {
	{ .bar = { { .bytes = 0x8000, .wide = true, .prefetch = true }, { 0 }, { .bytes = 4096 } },
	  .msix_vectors = 70,
	  .msix_table = 0x4000,
	  .msix_pba = 0x4800,
	  .cap = { { .id = 9, .bytes = 14, .body = { 16, 1 } },
		   { .id = 9, .bytes = 18, .watched = true, .writable = { 0, 0, 0xff, 0, 0xff } } },
	  .caps = 2 },
	{ .bar = { { .bytes = 0x100 }, { .bytes = 16 }, { 0 }, { 0 }, { 0 }, { .bytes = 32 } },
	  .cap = { { .id = 5, .bytes = 1, .watched = true, .writable = { 0xff } } },
	  .caps = 1 },
	{ .bar = { { .bytes = 0x100 },
		   { .bytes = 0x10000 },
		   { 0 },
		   { 0 },
		   { .bytes = 1ull << 36, .wide = true } },
	  .msix_vectors = 2048,
	  .msix_bar = 1,
	  .msix_table = 0x10000 - 2048 * 16,
	  .msix_pba = 8 },
	{ .bar = { { .bytes = 0x80 } }, .msix_vectors = 1, .msix_table = 8, .msix_pba = 0x78 },
};

static void plug(unsigned int n)
{
	struct card *c = &cards[n];

	if (c->plugged) {
		mhi_pci_remove(pci, &c->dev);
		c->plugged = false;
		for (unsigned int i = 0; i < BELLS; i++)
			if (c->bell[i])
				fuzz_die("doorbell", "it rings for a card that has gone");
		return;
	}
	c->dev = kinds[n];
	c->dev.ops = &card_ops;
	c->dev.opaque = c;
	c->dev.vendor = 0x1af4;
	c->dev.device = (u16)(0x1040 + n);
	c->plugged = true;
	if (mhi_pci_add(pci, &c->dev))
		fuzz_die("bus", "a card does not fit");
}

/* Memory in one of the windows. */
static void reach(u64 at, unsigned int bytes, bool write, u64 value)
{
	const struct mh_io_ops *ops = &mhi_pci_window32_ops;
	u64 start = MHI_PCI_WINDOW32, room = MHI_PCI_WINDOW32_BYTES;

	if (at >= WINDOW64) {
		ops = &mhi_pci_window64_ops;
		start = room = WINDOW64;
	}
	if (at < start || at - start > room - bytes)
		return;
	if (write)
		ops->write(pci, at - start, bytes, value);
	else
		ops->read(pci, at - start, bytes);
}

static void access(const struct mh_io_ops *ops, u64 offset, unsigned int bytes, bool write,
		   struct fuzz_input *in)
{
	if (write)
		ops->write(pci, offset, bytes, fuzz_take(in, bytes));
	else
		ops->read(pci, offset, bytes);
}

/* A register of a slot, by one way or the other. */
static void configuration(struct fuzz_input *in, u8 op)
{
	u8 where = (u8)fuzz_take(in, 1), at = (u8)fuzz_take(in, 1);
	unsigned int bytes = 1u << (where & 3), slot = where >> 2 & 7;
	u64 ecam = (u64)slot << 15 | at;

	/* The bus gives ports no more than four bytes, and none behind its end. */
	if (op & 0x20) {
		access(&mhi_pci_ecam_ops, ecam & ~(u64)(bytes - 1), bytes, op & 0x10, in);
		return;
	}
	bytes = bytes > 4 ? 4 : bytes;
	mhi_pci_port_io_ops.write(pci, 0, 4, 0x80000000u | slot << 11 | (at & 0xfcu));
	access(&mhi_pci_port_io_ops, 4 + (at & 3u & ~(bytes - 1)), bytes, op & 0x10, in);
}

/* A driver that does right: decoders on, MSI-X on, a vector with a message. */
static void enable(struct fuzz_input *in, u8 op)
{
	u64 slot = (u64)(op >> 4 & 7) << 15, cap, table;

	mhi_pci_ecam_ops.write(pci, slot | 4, 2, 6);
	cap = mhi_pci_ecam_ops.read(pci, slot | 0x34, 1);
	for (unsigned int n = 0; n < 10 && mhi_pci_ecam_ops.read(pci, slot | cap, 1) != 0x11; n++)
		cap = mhi_pci_ecam_ops.read(pci, slot | (cap + 1), 1) & 0xfc;
	mhi_pci_ecam_ops.write(pci, slot | (cap + 2), 2, op & 0x80 ? 0xc000 : 0x8000);
	table = mhi_pci_ecam_ops.read(pci, slot | 0x10, 4);
	if (table & 4)
		table |= mhi_pci_ecam_ops.read(pci, slot | 0x14, 4) << 32;
	table = (table & ~0xfull) + mhi_pci_ecam_ops.read(pci, slot | (cap + 4), 4);
	table += 16 * (fuzz_take(in, 1) & 7);
	for (unsigned int n = 0; n < 4; n++, table += 4)
		reach(table, 4, true, n == 3 ? fuzz_take(in, 1) & 1 : 0xfee01234);
}

static void any_port(struct fuzz_input *in, u8 op)
{
	unsigned int bytes = 1u << (op >> 4 & 3);
	u64 at = fuzz_take(in, 1) & 7;

	bytes = bytes > 4 ? 4 : bytes;
	if (at + bytes <= MHI_PCI_PORTS)
		access(&mhi_pci_port_io_ops, at, bytes, op & 0x40, in);
}

static void any_ecam(struct fuzz_input *in, u8 op)
{
	unsigned int bytes = 1u << (op >> 4 & 3);
	u64 at = fuzz_take(in, 3) % (MHI_ECAM_BYTES - 8);

	access(&mhi_pci_ecam_ops, at, bytes, op & 0x40, in);
}

/* Where a card's BAR is, as its configuration says, or anywhere in a window. */
static void memory(struct fuzz_input *in, u8 op)
{
	unsigned int bytes = 1u << (op >> 4 & 3), slot, bar;
	u8 how = (u8)fuzz_take(in, 1);
	u64 at, low, high;

	slot = how & 7;
	bar = (how >> 3 & 7) % MHI_PCI_BARS;
	low = mhi_pci_ecam_ops.read(pci, (u64)slot << 15 | (0x10 + 4 * bar), 4);
	high = low & 4 && bar < 5
		       ? mhi_pci_ecam_ops.read(pci, (u64)slot << 15 | (0x14 + 4 * bar), 4)
		       : 0;
	at = (high << 32 | (low & ~0xfu)) + fuzz_take(in, 2);
	if (how & 0x80)
		at = MHI_PCI_WINDOW32 + fuzz_take(in, 4) % MHI_PCI_WINDOW32_BYTES;
	reach(at, bytes, op & 0x40, fuzz_take(in, op & 0x40 ? bytes : 0));
}

static void operate(struct fuzz_input *in)
{
	u8 op = (u8)fuzz_take(in, 1);

	switch (op & 15) {
	case 0:
		plug(op >> 4 & 3);
		break;
	case 1:
		any_port(in, op);
		break;
	case 2:
		any_ecam(in, op);
		break;
	case 3:
		if (op >> 4 == 0)
			mhi_pci_reset(pci);
		else
			mhi_pci_run(pci, op & 16);
		break;
	case 4:
	case 5:
	case 6:
	case 7:
	case 8:
		memory(in, op);
		break;
	case 9:
		enable(in, op);
		break;
	default:
		configuration(in, op);
	}
}

/* What no guest may have changed. */
static void check(void)
{
	if (mhi_pci_ecam_ops.read(pci, 0, 4) != 0x00081b36)
		fuzz_die("configuration", "the bridge has another identity");
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	const struct mhi_pci_env env = {
		.lines = { .set = on_line },
		.msi = { .send = on_msi },
		.doorbell = { .set = on_doorbell },
		.window64 = WINDOW64,
		.window64_bytes = WINDOW64,
	};
	struct fuzz_input in = { data, data + size };

	memset(cards, 0, sizeof(cards));
	if (mhi_pci_create(&env, &pci))
		fuzz_die("cannot prepare", "bus");
	for (unsigned int n = 0; n < CARDS; n++)
		plug(n);
	for (unsigned int n = 0; n < OPS_MOST && fuzz_more(&in); n++)
		operate(&in);
	check();
	for (unsigned int n = 0; n < CARDS; n++)
		if (cards[n].plugged)
			plug(n);
	mhi_pci_destroy(pci);
	return 0;
}
