// SPDX-License-Identifier: MIT
/*
 * The PCI bus: configuration by both ways, write masks, BAR sizing and moving, MSI-X masks and
 * pending bits, shared lines, doorbells that follow their BAR, and random accesses.
 */
#include "unit.h"
#include "core/le.h"
#include "platform/pci.h"
#include "rng.h"

#define WINDOW64 (1ull << 38)
#define BAR_BYTES 0x8000ull
#define TABLE 0x4000u
#define PBA 0x4800u
#define VECTORS 70
#define BELLS 2

struct card {
	struct mhi_pci_dev dev;
	u64 offset, value; /* of the last write to the BAR */
	unsigned int bytes, writes, resets, caps;
	int fd; /* of its first doorbell */
	bool running;
};

static struct mhi_pci *pci;
static struct {
	unsigned int cards, msis;
	u64 addr;
	u32 data;
	bool line[24];
	u64 bell[BELLS * MHI_PCI_SLOTS]; /* where fd 100 + i rings, 0: nowhere */
} seen;

static void on_msi(void *opaque, u64 addr, u32 data)
{
	seen.msis++;
	seen.addr = addr;
	seen.data = data;
}

static void on_line(void *opaque, unsigned int gsi, bool level)
{
	ck_assert_uint_ge(gsi, 16);
	ck_assert_uint_lt(gsi, 24);
	seen.line[gsi] = level;
}

static void on_doorbell(void *opaque, mh_gpa gpa, int fd, bool on)
{
	u64 *bell = &seen.bell[fd - 100];

	ck_assert_uint_eq(*bell, on ? 0 : gpa);
	*bell = on ? gpa : 0;
}

static u64 card_read(void *opaque, unsigned int bar, u64 offset, unsigned int bytes)
{
	const struct card *c = opaque;

	ck_assert_uint_le(offset + bytes, c->dev.bar[bar].bytes);
	return offset << 8 | bar;
}

static void card_write(void *opaque, unsigned int bar, u64 offset, unsigned int bytes, u64 value)
{
	struct card *c = opaque;

	ck_assert_uint_le(offset + bytes, c->dev.bar[bar].bytes);
	c->offset = offset;
	c->bytes = bytes;
	c->value = value;
	c->writes++;
}

static void card_cap(void *opaque, unsigned int cap, u8 *body, bool write, unsigned int at,
		     unsigned int bytes)
{
	struct card *c = opaque;

	ck_assert_uint_eq(cap, 1);
	ck_assert_uint_lt(at, c->dev.cap[1].bytes);
	c->caps++;
	if (!write)
		body[0]++;
}

static void card_reset(void *opaque)
{
	((struct card *)opaque)->resets++;
}

static void card_run(void *opaque, bool on)
{
	((struct card *)opaque)->running = on;
}

static bool card_doorbell(void *opaque, unsigned int n, struct mhi_pci_doorbell *out)
{
	if (n >= BELLS)
		return false;
	*out = (struct mhi_pci_doorbell){ .offset = 0x3000 + 4 * n,
					  .fd = ((struct card *)opaque)->fd + (int)n };
	return true;
}

static const struct mhi_pci_dev_ops card_ops = {
	.bar_read = card_read,
	.bar_write = card_write,
	.cap = card_cap,
	.reset = card_reset,
	.run = card_run,
	.doorbell = card_doorbell,
};

static struct card new_card(void)
{
	return (struct card){
		.dev = {
			.ops = &card_ops,
			.vendor = 0x1af4,
			.device = 0x1044,
			.subvendor = 0x1af4,
			.subsystem = 0x40,
			.revision = 1,
			.class_code = 0xff0000,
			.bar = { { .bytes = BAR_BYTES, .wide = true, .prefetch = true },
				 { 0 },
				 { .bytes = 0x1000 } },
			.msix_vectors = VECTORS,
			.msix_table = TABLE,
			.msix_pba = PBA,
			.cap = { { .id = 9, .bytes = 14, .body = { 16, 1 } },
				 { .id = 9, .bytes = 18, .body = { 0 }, .watched = true,
				   .writable = { 0, 0, 0xff } } },
			.caps = 2,
		},
	};
}

static void plug(struct card *c)
{
	*c = new_card();
	c->dev.opaque = c;
	c->fd = 100 + BELLS * (int)seen.cards++;
	ck_assert_int_eq(mhi_pci_add(pci, &c->dev), 0);
}

static void setup(void)
{
	const struct mhi_pci_env env = {
		.lines = { .set = on_line },
		.msi = { .send = on_msi },
		.doorbell = { .set = on_doorbell },
		.window64 = WINDOW64,
		.window64_bytes = WINDOW64,
	};

	memset(&seen, 0, sizeof(seen));
	ck_assert_int_eq(mhi_pci_create(&env, &pci), 0);
}

static u32 ecam_read(unsigned int slot, unsigned int at, unsigned int bytes)
{
	return (u32)mhi_pci_ecam_ops.read(pci, slot << 15 | at, bytes) &
	       (bytes == 4 ? ~0u : (1u << (8 * bytes)) - 1);
}

static void ecam_write(unsigned int slot, unsigned int at, unsigned int bytes, u32 value)
{
	mhi_pci_ecam_ops.write(pci, slot << 15 | at, bytes, value);
}

static u32 port_read(unsigned int slot, unsigned int at, unsigned int bytes)
{
	mhi_pci_port_io_ops.write(pci, 0, 4, 0x80000000u | slot << 11 | (at & 0xfc));
	return (u32)mhi_pci_port_io_ops.read(pci, 4 + (at & 3), bytes);
}

static unsigned int find_cap(unsigned int slot, u8 id)
{
	unsigned int at = ecam_read(slot, 0x34, 1), left = 48;

	while (at && ecam_read(slot, at, 1) != id) {
		ck_assert_uint_ge(at, 0x40);
		ck_assert_uint_eq(at % 4, 0);
		ck_assert_uint_gt(left--, 0);
		at = ecam_read(slot, at + 1, 1);
	}
	return at;
}

static u64 bar_at(unsigned int slot)
{
	return (ecam_read(slot, 0x10, 4) & ~0xfu) | (u64)ecam_read(slot, 0x14, 4) << 32;
}

static u64 mem_read(u64 addr, unsigned int bytes)
{
	if (addr >= WINDOW64)
		return mhi_pci_window64_ops.read(pci, addr - WINDOW64, bytes);
	return mhi_pci_window32_ops.read(pci, addr - MHI_PCI_WINDOW32, bytes);
}

static void mem_write(u64 addr, unsigned int bytes, u64 value)
{
	if (addr >= WINDOW64)
		mhi_pci_window64_ops.write(pci, addr - WINDOW64, bytes, value);
	else
		mhi_pci_window32_ops.write(pci, addr - MHI_PCI_WINDOW32, bytes, value);
}

START_TEST(configuration)
{
	struct card c;

	setup();
	plug(&c);
	/* The host bridge, and nothing in the other slots and functions. */
	ck_assert_uint_eq(ecam_read(0, 0, 4), 0x00081b36);
	ck_assert_uint_eq(ecam_read(0, 0x0a, 2), 0x0600);
	ck_assert_uint_eq(ecam_read(2, 0, 4), ~0u);
	ck_assert_uint_eq((u32)mhi_pci_ecam_ops.read(pci, 1 << 15 | 1 << 12, 4), ~0u);
	ck_assert_uint_eq(ecam_read(1, 0, 4), 0x10441af4);
	ck_assert_uint_eq(ecam_read(1, 8, 4), 0xff000001);
	ck_assert_uint_eq(ecam_read(1, 0x2c, 4), 0x00401af4);
	ck_assert_uint_eq(ecam_read(1, 0x100, 4), 0);
	/* The other way leads to the same. */
	c.dev.cap[1].watched = false;
	for (unsigned int at = 0; at < 256; at++)
		ck_assert_uint_eq(port_read(1, at, 1) & 0xff, ecam_read(1, at, 1));
	ck_assert_uint_eq(port_read(1, 2, 2) & 0xffff, 0x1044);
	mhi_pci_port_io_ops.write(pci, 0, 4, 0x80010000u | 1 << 11); /* bus 1 */
	ck_assert_uint_eq((u32)mhi_pci_port_io_ops.read(pci, 4, 4), ~0u);
	mhi_pci_port_io_ops.write(pci, 0, 4, 1 << 11); /* not enabled */
	ck_assert_uint_eq((u32)mhi_pci_port_io_ops.read(pci, 4, 4), ~0u);
	/* CONFIG_ADDRESS takes doublewords only. */
	mhi_pci_port_io_ops.write(pci, 0, 4, 0x80000800u);
	mhi_pci_port_io_ops.write(pci, 0, 1, 0xff);
	ck_assert_uint_eq((u32)mhi_pci_port_io_ops.read(pci, 0, 4), 0x80000800u);
	mhi_pci_remove(pci, &c.dev);
	ck_assert_uint_eq(ecam_read(1, 0, 4), ~0u);
	mhi_pci_destroy(pci);
}
END_TEST

/* Every bit: what a guest writes changes only what it may. */
START_TEST(write_masks)
{
	struct card c;
	u8 before[256], writable[256] = { 0 };
	unsigned int msix;

	setup();
	plug(&c);
	msix = find_cap(1, 0x11);
	writable[4] = 0x46;
	writable[5] = 0x05;
	writable[0x0c] = writable[0x3c] = 0xff;
	writable[0x11] = 0x80;
	writable[0x12] = writable[0x13] = 0xff;
	memset(writable + 0x14, 0xff, 4);
	writable[0x19] = 0xf0;
	writable[0x1a] = writable[0x1b] = 0xff;
	writable[msix + 3] = 0xc0;
	writable[find_cap(1, 9) + 4] = 0; /* the first vendor capability has none */
	for (unsigned int at = ecam_read(1, 0x34, 1); at; at = ecam_read(1, at + 1, 1))
		if (ecam_read(1, at, 1) == 9 && !ecam_read(1, at + 3, 1))
			writable[at + 4] = 0xff;
	for (unsigned int at = 0; at < 256; at++)
		before[at] = (u8)ecam_read(1, at, 1);
	for (unsigned int at = 0; at < 256; at++) {
		u8 now;

		ecam_write(1, at, 1, (u8)~before[at]);
		now = (u8)ecam_read(1, at, 1);
		/* The second capability's first byte counts reads. */
		if (at >= 0x40 && ecam_read(1, at & ~3u, 1) == 9 && (at & 3) == 2)
			continue;
		ck_assert_msg((u8)(now ^ before[at]) == writable[at], "byte %x: %x, was %x", at,
			      now, before[at]);
		ecam_write(1, at, 1, before[at]);
	}
	ck_assert_uint_gt(c.caps, 0);
	mhi_pci_remove(pci, &c.dev);
	mhi_pci_destroy(pci);
}
END_TEST

START_TEST(bars)
{
	struct card a, b;
	u64 at;

	setup();
	plug(&a);
	plug(&b);
	/* Given out, aligned, apart; answering only when memory decoding is on. */
	at = bar_at(1);
	ck_assert_uint_ge(at, WINDOW64);
	ck_assert_uint_eq(at % BAR_BYTES, 0);
	ck_assert_uint_ge(bar_at(2), at + BAR_BYTES);
	ck_assert_uint_eq(ecam_read(1, 0x10, 1) & 0xf, 0xc);
	ck_assert_uint_ge(ecam_read(1, 0x18, 4), MHI_PCI_WINDOW32);
	ck_assert_uint_ne(ecam_read(1, 0x18, 4), ecam_read(2, 0x18, 4));
	ck_assert_uint_eq(mem_read(at, 4), ~0ull);
	ecam_write(1, 4, 2, 2);
	ck_assert_uint_eq(mem_read(at + 0x10, 4), 0x1000);
	ck_assert_uint_eq(mem_read(ecam_read(1, 0x18, 4) + 4, 4), 0x402);
	mem_write(at + 0x1234, 2, 0xbeef);
	ck_assert_uint_eq(a.offset, 0x1234);
	ck_assert_uint_eq(a.value, 0xbeef);
	ck_assert_uint_eq(b.writes, 0);
	/* Across the end of a BAR nobody answers. */
	ck_assert_uint_eq(mem_read(at + BAR_BYTES - 2, 4), ~0ull);
	/* Its size. */
	ecam_write(1, 4, 2, 0);
	ecam_write(1, 0x10, 4, ~0u);
	ecam_write(1, 0x14, 4, ~0u);
	ck_assert_uint_eq(bar_at(1), ~(BAR_BYTES - 1));
	/* Into the other window, and on while decoding is on. */
	ecam_write(1, 0x14, 4, 0);
	ecam_write(1, 0x10, 4, (u32)MHI_PCI_WINDOW32 + 0x800000);
	ecam_write(1, 4, 2, 2);
	ck_assert_uint_eq(mem_read(MHI_PCI_WINDOW32 + 0x800008, 4), 0x800);
	ck_assert_uint_eq(mem_read(at + 0x10, 4), ~0ull);
	ecam_write(1, 0x10, 4, (u32)MHI_PCI_WINDOW32 + 0x900000);
	ck_assert_uint_eq(mem_read(MHI_PCI_WINDOW32 + 0x800008, 4), ~0ull);
	ck_assert_uint_eq(mem_read(MHI_PCI_WINDOW32 + 0x900008, 4), 0x800);
	/* A reset brings everything back. */
	mhi_pci_reset(pci);
	ck_assert_uint_eq(a.resets, 1);
	ck_assert_uint_eq(bar_at(1), at);
	ck_assert_uint_eq(mem_read(at + 0x10, 4), ~0ull);
	mhi_pci_remove(pci, &a.dev);
	mhi_pci_remove(pci, &b.dev);
	mhi_pci_destroy(pci);
}
END_TEST

START_TEST(doorbells)
{
	struct card c;
	u64 at;

	setup();
	plug(&c);
	at = bar_at(1);
	ck_assert_uint_eq(seen.bell[0], 0);
	ecam_write(1, 4, 2, 2);
	ck_assert_uint_eq(seen.bell[0], at + 0x3000);
	ck_assert_uint_eq(seen.bell[1], at + 0x3004);
	ecam_write(1, 0x10, 4, (u32)at + 0x100000);
	ck_assert_uint_eq(seen.bell[1], at + 0x103004);
	mhi_pci_reset(pci);
	ck_assert_uint_eq(seen.bell[0], 0);
	ecam_write(1, 4, 2, 2);
	mhi_pci_remove(pci, &c.dev);
	ck_assert_uint_eq(seen.bell[0], 0);
	ck_assert_uint_eq(seen.bell[1], 0);
	mhi_pci_destroy(pci);
}
END_TEST

START_TEST(msix)
{
	struct card c;
	unsigned int cap;
	u64 at;

	setup();
	plug(&c);
	cap = find_cap(1, 0x11);
	ck_assert_uint_eq(ecam_read(1, cap + 2, 2), VECTORS - 1);
	ck_assert_uint_eq(ecam_read(1, cap + 4, 4), TABLE);
	ck_assert_uint_eq(ecam_read(1, cap + 8, 4), PBA);
	ecam_write(1, 4, 2, 2);
	at = bar_at(1);
	/* All masked at first. */
	ck_assert_uint_eq(mem_read(at + TABLE + 16 * 69 + 12, 4), 1);
	mem_write(at + TABLE + 16 * 69, 8, 0xfee01003ull | 5ull << 32);
	mem_write(at + TABLE + 16 * 69 + 8, 4, 0x4077);
	ck_assert_uint_eq(mem_read(at + TABLE + 16 * 69, 8), 0xfee01000ull | 5ull << 32);
	ck_assert_uint_eq(c.writes, 0);
	/* Disabled: lost. Masked: it waits. */
	ck_assert(!c.dev.port->msix_on(c.dev.slot));
	c.dev.port->msix(c.dev.slot, 69);
	ecam_write(1, cap + 2, 2, 0xc000);
	ck_assert(c.dev.port->msix_on(c.dev.slot));
	ck_assert_uint_eq(mem_read(at + PBA + 8, 8), 0);
	c.dev.port->msix(c.dev.slot, 69);
	ck_assert_uint_eq(mem_read(at + PBA + 8, 8), 1 << 5);
	ck_assert_uint_eq(mem_read(at + PBA, 4), 0);
	mem_write(at + PBA + 8, 8, 0);
	mem_write(at + TABLE + 16 * 69 + 12, 4, 0xfffffffe);
	ck_assert_uint_eq(mem_read(at + TABLE + 16 * 69 + 12, 4), 0);
	ck_assert_uint_eq(seen.msis, 0);
	ecam_write(1, cap + 3, 1, 0x80);
	ck_assert_uint_eq(seen.msis, 1);
	ck_assert_uint_eq(seen.addr, 0xfee01000ull | 5ull << 32);
	ck_assert_uint_eq(seen.data, 0x4077);
	ck_assert_uint_eq(mem_read(at + PBA + 8, 8), 0);
	/* The other mask. */
	mem_write(at + TABLE + 16 * 69 + 12, 4, 1);
	c.dev.port->msix(c.dev.slot, 69);
	c.dev.port->msix(c.dev.slot, 69);
	ck_assert_uint_eq(seen.msis, 1);
	mem_write(at + TABLE + 16 * 69 + 12, 4, 0);
	ck_assert_uint_eq(seen.msis, 2);
	c.dev.port->msix(c.dev.slot, 69);
	ck_assert_uint_eq(seen.msis, 3);
	/* Vectors that do not exist, accesses of odd size. */
	c.dev.port->msix(c.dev.slot, VECTORS);
	c.dev.port->msix(c.dev.slot, ~0u);
	ck_assert_uint_eq(seen.msis, 3);
	mem_write(at + TABLE, 2, 0xffff);
	mem_write(at + TABLE + 2, 4, 0xffffffff);
	ck_assert_uint_eq(mem_read(at + TABLE, 4), 0);
	/* Behind the table the device answers. */
	ck_assert_uint_eq(mem_read(at + TABLE + 16 * VECTORS, 4), (TABLE + 16 * VECTORS) << 8);
	mhi_pci_reset(pci);
	ck_assert(!c.dev.port->msix_on(c.dev.slot));
	mhi_pci_remove(pci, &c.dev);
	mhi_pci_destroy(pci);
}
END_TEST

START_TEST(lines)
{
	struct card c[10];
	unsigned int cap;

	setup();
	for (unsigned int i = 0; i < 10; i++)
		plug(&c[i]);
	ck_assert_uint_eq(mhi_pci_gsi(1, 0), 17);
	ck_assert_uint_eq(mhi_pci_gsi(9, 0), 17);
	ck_assert_uint_eq(ecam_read(1, 0x3d, 1), 1);
	ck_assert_uint_eq(ecam_read(1, 0x3c, 1), 17);
	ck_assert_uint_eq(ecam_read(0, 0x3d, 1), 0);
	/* Slots 1 and 9 share a line. */
	c[0].dev.port->intx(c[0].dev.slot, true);
	c[8].dev.port->intx(c[8].dev.slot, true);
	ck_assert(seen.line[17]);
	ck_assert_uint_eq(ecam_read(1, 6, 2) & 8, 8);
	ck_assert_uint_eq(ecam_read(2, 6, 2) & 8, 0);
	c[0].dev.port->intx(c[0].dev.slot, false);
	ck_assert(seen.line[17]);
	/* The command register shuts it; the status still tells. */
	ecam_write(9, 4, 2, 0x400);
	ck_assert(!seen.line[17]);
	ck_assert_uint_eq(ecam_read(9, 6, 2) & 8, 8);
	ecam_write(9, 4, 2, 0);
	ck_assert(seen.line[17]);
	/* So does MSI-X. */
	cap = find_cap(9, 0x11);
	ecam_write(9, cap + 2, 2, 0x8000);
	ck_assert(!seen.line[17]);
	ecam_write(9, cap + 2, 2, 0);
	ck_assert(seen.line[17]);
	/* Who is unplugged, or reset, lets go. */
	mhi_pci_remove(pci, &c[8].dev);
	ck_assert(!seen.line[17]);
	c[2].dev.port->intx(c[2].dev.slot, true);
	ck_assert(seen.line[19]);
	mhi_pci_reset(pci);
	ck_assert(!seen.line[19]);
	for (unsigned int i = 0; i < 10; i++)
		if (i != 8)
			mhi_pci_remove(pci, &c[i].dev);
	mhi_pci_destroy(pci);
}
END_TEST

START_TEST(refusals)
{
	static struct card c[MHI_PCI_SLOTS];
	struct card bad;

	setup();
	for (unsigned int i = 0; i < MHI_PCI_SLOTS - 1; i++)
		plug(&c[i]);
	bad = new_card();
	bad.dev.opaque = &bad;
	ck_assert_int_eq(mhi_pci_add(pci, &bad.dev), MH_ERANGE);
	mhi_pci_run(pci, true);
	ck_assert(c[0].running && c[30].running);
	mhi_pci_run(pci, false);
	ck_assert(!c[0].running && !c[30].running);
	for (unsigned int i = 0; i < MHI_PCI_SLOTS - 1; i++)
		mhi_pci_remove(pci, &c[i].dev);
	bad.dev.bar[0].bytes = 0x7000;
	ck_assert_int_eq(mhi_pci_add(pci, &bad.dev), MH_EINVAL);
	bad = new_card();
	bad.dev.bar[1].bytes = 0x1000; /* belongs to the wide one */
	ck_assert_int_eq(mhi_pci_add(pci, &bad.dev), MH_EINVAL);
	bad = new_card();
	bad.dev.msix_pba = BAR_BYTES - 8;
	ck_assert_int_eq(mhi_pci_add(pci, &bad.dev), MH_EINVAL);
	bad = new_card();
	bad.dev.msix_vectors = 2049;
	ck_assert_int_eq(mhi_pci_add(pci, &bad.dev), MH_EINVAL);
	bad = new_card();
	bad.dev.bar[0].bytes = 2 * WINDOW64;
	ck_assert_int_eq(mhi_pci_add(pci, &bad.dev), MH_ERANGE);
	ck_assert_uint_eq(ecam_read(1, 0, 4), ~0u);
	mhi_pci_destroy(pci);
}
END_TEST

START_TEST(chosen_slots)
{
	struct card c[3];

	setup();
	for (unsigned int i = 0; i < 3; i++)
		c[i] = new_card();
	c[0].dev.want_slot = 2;
	c[1].dev.want_slot = 31;
	ck_assert_int_eq(mhi_pci_add(pci, &c[0].dev), 0);
	ck_assert_int_eq(mhi_pci_add(pci, &c[1].dev), 0);
	ck_assert_uint_eq(ecam_read(2, 0, 4), 0x10441af4);
	ck_assert_uint_eq(ecam_read(31, 0, 4), 0x10441af4);
	c[2].dev.want_slot = 2;
	ck_assert_int_eq(mhi_pci_add(pci, &c[2].dev), MH_EEXIST);
	c[2].dev.want_slot = 32;
	ck_assert_int_eq(mhi_pci_add(pci, &c[2].dev), MH_EINVAL);
	c[2].dev.want_slot = 0;
	ck_assert_int_eq(mhi_pci_add(pci, &c[2].dev), 0);
	ck_assert_uint_eq(ecam_read(1, 0, 4), 0x10441af4);
	for (unsigned int i = 0; i < 3; i++)
		mhi_pci_remove(pci, &c[i].dev);
	mhi_pci_destroy(pci);
}
END_TEST

/* A guest gone wild: any access anywhere. What must hold is checked by the callbacks above. */
START_TEST(random_accesses)
{
	static const u8 sizes[] = { 1, 2, 4, 8 };
	struct rng r = { 0x1234567 };
	struct card c[3];

	setup();
	for (unsigned int i = 0; i < 3; i++)
		plug(&c[i]);
	for (unsigned int n = 0; n < 300000; n++) {
		unsigned int bytes = sizes[rng_below(&r, 4)], slot = (unsigned int)rng_below(&r, 5);
		u64 value = rng_next(&r) & (rng_below(&r, 2) ? ~0ull : 0xffff);
		u64 at = rng_below(&r, 0x110);

		switch (rng_below(&r, 6)) {
		case 0:
			mhi_pci_ecam_ops.write(pci, slot << 15 | at, bytes, value);
			break;
		case 1:
			mhi_pci_ecam_ops.read(pci, rng_below(&r, MHI_ECAM_BYTES), bytes);
			break;
		case 2:
			if (bytes <= 4)
				mhi_pci_port_io_ops.write(pci, rng_below(&r, 9 - bytes), bytes,
							  value);
			break;
		case 3:
			mem_write(bar_at(slot) % BAR_BYTES + WINDOW64 +
					  rng_below(&r, 4 * BAR_BYTES),
				  bytes, value);
			break;
		case 4:
			mem_read(MHI_PCI_WINDOW32 + rng_below(&r, 0x10000), bytes);
			break;
		default:
			c[n % 3].dev.port->msix(c[n % 3].dev.slot, (unsigned int)at);
			c[n % 3].dev.port->intx(c[n % 3].dev.slot, value & 1);
			break;
		}
	}
	for (unsigned int i = 0; i < 3; i++)
		mhi_pci_remove(pci, &c[i].dev);
	for (unsigned int i = 0; i < 3 * BELLS; i++)
		ck_assert_uint_eq(seen.bell[i], 0);
	mhi_pci_destroy(pci);
}
END_TEST

static void add_tests(TCase *tcase)
{
	tcase_add_test(tcase, configuration);
	tcase_add_test(tcase, write_masks);
	tcase_add_test(tcase, bars);
	tcase_add_test(tcase, doorbells);
	tcase_add_test(tcase, msix);
	tcase_add_test(tcase, lines);
	tcase_add_test(tcase, refusals);
	tcase_add_test(tcase, chosen_slots);
	tcase_add_test(tcase, random_accesses);
}

UNIT_MAIN("pci", add_tests)
