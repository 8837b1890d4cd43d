// SPDX-License-Identifier: MIT
/*
 * Fuzzes the plain frame buffer: the input is accesses to its BARs, resets, and people who come and
 * go. What is shown lies in its memory, whatever the registers say.
 */
#include <stdlib.h>
#include <string.h>

#include "core/display.h"
#include "fake_loop.h"
#include "fuzz.h"
#include "platform/framebuffer.h"

#define VRAM (4u << 20)
#define BYTES (1u << 20)
#define REGISTERS_BAR 2u
#define REGISTERS_BYTES 4096u
#define OPS_MOST 1000u

static struct mhi_display_mode shown;

static void on_surface(void *opaque, const struct mh_surface *s)
{
	shown = (struct mhi_display_mode){ s->offset, s->width, s->height, s->stride, true };
	if (s->width && (s->stride < 4ull * s->width ||
			 s->offset + (u64)s->stride * (s->height - 1) + 4ull * s->width > BYTES))
		fuzz_die("the surface leaves", "the memory");
}

static void on_damage(void *opaque, const struct mh_rect *rects, uint32_t count)
{
	for (; count; count--, rects++)
		if (rects->x < 0 || rects->y < 0 || (u64)rects->x + rects->width > shown.width ||
		    (u64)rects->y + rects->height > shown.height)
			fuzz_die("damage leaves", "the surface");
}

static const struct mh_display_ops ops = { 1, on_surface, on_damage, NULL };

static void access_bar(const struct mhi_pci_dev *dev, struct fuzz_input *in, u8 how)
{
	unsigned int bytes = 1u << (how >> 4 & 3);
	/* DISPI's registers, mostly. */
	u64 at = how & 0x40 ? 0x500 + 2 * (fuzz_take(in, 1) & 15) : fuzz_take(in, 2);

	if (how & 1) {
		at %= BYTES - 8;
		dev->ops->bar_write(dev->opaque, 0, at, bytes, fuzz_take(in, 2));
		dev->ops->bar_read(dev->opaque, 0, at, bytes);
		return;
	}
	at = at % (REGISTERS_BYTES / bytes) * (how & 0x40 ? 1 : bytes);
	if (at + bytes > REGISTERS_BYTES)
		return;
	dev->ops->bar_write(dev->opaque, REGISTERS_BAR, at, bytes, fuzz_take(in, 2));
	dev->ops->bar_read(dev->opaque, REGISTERS_BAR, at, bytes);
}

/* A mode that can be: else there is seldom one. */
static void set_mode(const struct mhi_pci_dev *dev, struct fuzz_input *in)
{
	const u64 values[] = { 1 + fuzz_take(in, 1), 1 + fuzz_take(in, 1), 32, 1 };

	for (unsigned int n = 0; n < 4; n++)
		dev->ops->bar_write(dev->opaque, REGISTERS_BAR, 0x502 + 2 * n, 2, values[n]);
}

static void operate(const struct mhi_pci_dev *dev, struct mhi_loop *loop,
		    struct mhi_display *display, struct fuzz_input *in)
{
	u8 how = (u8)fuzz_take(in, 1);
	struct mh_display_listener *l;
	u32 *pixels, width, height;

	switch (how >> 1 & 7) {
	case 0:
		dev->ops->reset(dev->opaque);
		break;
	case 1:
		set_mode(dev, in);
		break;
	case 2:
		fake_loop_pass(loop, how);
		break;
	case 3:
		if (mhi_display_listen(display, &ops, NULL, &l))
			fuzz_die("cannot", "listen");
		mhi_display_unlisten(l);
		break;
	case 4:
		if (!mhi_display_picture(display, &pixels, &width, &height))
			free(pixels);
		break;
	default:
		access_bar(dev, in, how);
	}
	fake_loop_run(loop);
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	struct fuzz_input in = { data, data + size };
	struct mh_display_listener *l;
	struct mhi_framebuffer *f;
	struct mhi_display *display;
	struct mhi_loop *loop;

	memset(&shown, 0, sizeof(shown));
	if (mhi_loop_create(&loop) || mhi_display_create(loop, VRAM, 640, 480, &display) ||
	    mhi_framebuffer_create(display, BYTES, &f) ||
	    mhi_display_listen(display, &ops, NULL, &l))
		fuzz_die("cannot prepare", "device");
	for (unsigned int n = 0; n < OPS_MOST && fuzz_more(&in); n++)
		operate(mhi_framebuffer_pci(f), loop, display, &in);
	mhi_framebuffer_destroy(f);
	mhi_display_destroy(display);
	mhi_loop_destroy(loop);
	return 0;
}
