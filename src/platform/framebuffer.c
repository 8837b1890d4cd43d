/* SPDX-License-Identifier: MIT */
/*
 * The frame buffer's registers: BAR 0 is its memory, BAR 2 has its EDID and the "DISPI" registers
 * of Bochs' VBE. QEMU, docs/specs/standard-vga and hw/display/bochs-display.
 */
#include "platform/framebuffer.h"

#include <pthread.h>
#include <stdlib.h>

#include "core/edid.h"
#include "macrohard/error.h"

#define SUBVENDOR 0x1af4
#define SUBSYSTEM 0x1100
#define REVISION 2 /* BAR 2 is there */
/* Of no other class SeaBIOS runs a ROM that is one of its files. VGA's registers are not there. */
#define CLASS_VGA 0x030000

enum { MEMORY_BAR = 0, REGISTERS_BAR = 2 };
#define REGISTERS_BYTES 4096
#define DISPI_AT 0x500
#define EXTENDED_AT 0x600 /* how many bytes they have, and the byte order */
#define EXTENDED_BYTES 8
#define LITTLE_ENDIAN_ORDER 0x1e1e1e1e

/* Registers of 16 bits, by index. */
enum {
	DISPI_ID,
	DISPI_WIDTH,
	DISPI_HEIGHT,
	DISPI_BPP,
	DISPI_ENABLE,
	DISPI_BANK,
	DISPI_VIRTUAL_WIDTH,
	DISPI_VIRTUAL_HEIGHT,
	DISPI_X,
	DISPI_Y,
	DISPI_MEMORY, /* in 64 KiB */
	DISPI_REGISTERS
};
#define DISPI_ID_5 0xb0c5
#define DISPI_ENABLED 1
#define DISPI_UNIT 0x10000u
#define BITS 32

struct mhi_framebuffer {
	struct mhi_pci_dev pci;	     /* (c) */
	struct mhi_display *display; /* (c) */
	u64 offset, bytes;	     /* (c) of its part of the display's memory */
	u8 *rom;		     /* (c) NULL: none */
	pthread_mutex_t lock;	     /* protects (m); the display's is taken inside it */
	u16 reg[DISPI_REGISTERS];    /* (m) */
};

/* ---- the picture; the lock is held ---- */

static struct mhi_display_mode mode_of(const struct mhi_framebuffer *f)
{
	const u16 *r = f->reg;
	u32 wide =
		r[DISPI_VIRTUAL_WIDTH] > r[DISPI_WIDTH] ? r[DISPI_VIRTUAL_WIDTH] : r[DISPI_WIDTH];
	struct mhi_display_mode mode = { .width = r[DISPI_WIDTH],
					 .height = r[DISPI_HEIGHT],
					 .stride = wide * 4,
					 .silent = true };
	u64 at = (u64)r[DISPI_Y] * mode.stride + (u64)r[DISPI_X] * 4;

	mode.offset = f->offset + at;
	if (!(r[DISPI_ENABLE] & DISPI_ENABLED) || r[DISPI_BPP] != BITS || !mode.width ||
	    !mode.height || at + (u64)mode.height * mode.stride > f->bytes)
		return (struct mhi_display_mode){ 0 };
	return mode;
}

static void show(struct mhi_framebuffer *f)
{
	const struct mhi_display_mode mode = mode_of(f);

	mhi_display_show(f->display, MHI_DISPLAY_FIRMWARE, &mode);
}

static u16 dispi_read(const struct mhi_framebuffer *f, u64 index)
{
	if (index == DISPI_ID)
		return DISPI_ID_5;
	if (index == DISPI_MEMORY)
		return (u16)(f->bytes / DISPI_UNIT < 0xffff ? f->bytes / DISPI_UNIT : 0xffff);
	return f->reg[index];
}

/* ---- registers ---- */

static u8 register_byte(struct mhi_framebuffer *f, const u8 *edid, u64 at)
{
	u64 in_dispi = at - DISPI_AT, in_extended = at - EXTENDED_AT;

	if (at < MHI_EDID_BYTES)
		return edid[at];
	if (in_dispi < 2 * DISPI_REGISTERS)
		return (u8)(dispi_read(f, in_dispi / 2) >> (8 * (in_dispi & 1)));
	if (in_extended < 4)
		return (u8)(EXTENDED_BYTES >> (8 * in_extended));
	if (in_extended < EXTENDED_BYTES)
		return (u8)(LITTLE_ENDIAN_ORDER & 0xff);
	return 0;
}

static void make_edid(struct mhi_framebuffer *f, u8 edid[MHI_EDID_BYTES])
{
	u32 width, height;

	mhi_display_wanted(f->display, &width, &height);
	mhi_edid_make(edid, width < MHI_EDID_SIDE_MAX ? width : MHI_EDID_SIDE_MAX,
		      height < MHI_EDID_SIDE_MAX ? height : MHI_EDID_SIDE_MAX);
}

static u64 registers_read(struct mhi_framebuffer *f, u64 offset, unsigned int bytes)
{
	u8 edid[MHI_EDID_BYTES] = { 0 };
	u64 value = 0;

	if (offset < MHI_EDID_BYTES)
		make_edid(f, edid);
	pthread_mutex_lock(&f->lock);
	for (unsigned int n = 0; n < bytes; n++)
		value |= (u64)register_byte(f, edid, offset + n) << (8 * n);
	pthread_mutex_unlock(&f->lock);
	return value;
}

/* Registers are written whole; VGA's, which lie here too on other cards, are none of ours. */
static void registers_write(struct mhi_framebuffer *f, u64 offset, unsigned int bytes, u64 value)
{
	u64 index = (offset - DISPI_AT) / 2;

	if (offset < DISPI_AT || offset % 2 || bytes != 2 || index >= DISPI_REGISTERS)
		return;
	pthread_mutex_lock(&f->lock);
	if (f->reg[index] != (u16)value) {
		f->reg[index] = (u16)value;
		show(f);
	}
	pthread_mutex_unlock(&f->lock);
}

/* ---- PCI ---- */

/* Where the engine does not map the memory, and for instructions that are emulated. */
static u64 bar_read(void *opaque, unsigned int bar, u64 offset, unsigned int bytes)
{
	struct mhi_framebuffer *f = opaque;
	u64 value = 0;

	if (bar != MEMORY_BAR)
		return registers_read(f, offset, bytes);
	memcpy(&value, (u8 *)f->pci.bar[MEMORY_BAR].host + offset, bytes);
	return value;
}

static void bar_write(void *opaque, unsigned int bar, u64 offset, unsigned int bytes, u64 value)
{
	struct mhi_framebuffer *f = opaque;

	if (bar != MEMORY_BAR)
		registers_write(f, offset, bytes, value);
	else
		memcpy((u8 *)f->pci.bar[MEMORY_BAR].host + offset, &value, bytes);
}

static void reset(void *opaque)
{
	struct mhi_framebuffer *f = opaque;

	pthread_mutex_lock(&f->lock);
	memset(f->reg, 0, sizeof(f->reg));
	show(f);
	pthread_mutex_unlock(&f->lock);
}

static void run(void *opaque, bool on)
{
}

static const struct mhi_pci_dev_ops pci_ops = {
	.bar_read = bar_read,
	.bar_write = bar_write,
	.reset = reset,
	.run = run,
};

/* ---- life ---- */

/* Where distributions have SeaBIOS' VGA BIOS for it. */
static const char *const places[] = {
	"/usr/share/seabios/vgabios-bochs-display.bin",
	"/usr/share/qemu/vgabios-bochs-display.bin",
	"/usr/share/seavgabios/vgabios-bochs-display.bin",
};

static void fill_in(struct mhi_framebuffer *f)
{
	u32 rom_bytes = 0;

	for (size_t n = 0; n < MHI_COUNT(places) && !f->rom; n++)
		f->rom = mhi_framebuffer_rom(places[n], &rom_bytes);
	f->pci = (struct mhi_pci_dev){
		.ops = &pci_ops,
		.opaque = f,
		.vendor = MHI_FRAMEBUFFER_VENDOR,
		.device = MHI_FRAMEBUFFER_DEVICE,
		.subvendor = SUBVENDOR,
		.subsystem = SUBSYSTEM,
		.revision = REVISION,
		.class_code = CLASS_VGA,
		.bar = { [MEMORY_BAR] = { .bytes = f->bytes,
					  .prefetch = true,
					  .host = mhi_display_host(f->display) + f->offset },
			 [REGISTERS_BAR] = { .bytes = REGISTERS_BYTES } },
		.rom = f->rom,
		.rom_bytes = rom_bytes,
	};
}

int mhi_framebuffer_create(struct mhi_display *display, u64 bytes, struct mhi_framebuffer **out)
{
	struct mhi_framebuffer *f = calloc(1, sizeof(*f));

	if (!f)
		return MH_ENOMEM;
	f->display = display;
	f->bytes = bytes;
	if (!mhi_display_take(display, bytes, &f->offset)) {
		free(f);
		return MH_ENOSPC;
	}
	pthread_mutex_init(&f->lock, NULL);
	fill_in(f);
	*out = f;
	return 0;
}

struct mhi_pci_dev *mhi_framebuffer_pci(struct mhi_framebuffer *f)
{
	return &f->pci;
}

void mhi_framebuffer_destroy(struct mhi_framebuffer *f)
{
	mhi_display_show(f->display, MHI_DISPLAY_FIRMWARE, &(struct mhi_display_mode){ 0 });
	mhi_display_give(f->display, f->offset, f->bytes);
	pthread_mutex_destroy(&f->lock);
	free(f->rom);
	free(f);
}
