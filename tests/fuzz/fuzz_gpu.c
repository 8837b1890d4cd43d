// SPDX-License-Identifier: MIT
/* Fuzzes virtio-gpu: see vfuzz.h. Who looks sees only what lies in the display's memory. */
#include "core/display.h"
#include "core/le.h"
#include "vfuzz.h"
#include "virtio/gpu.h"

#define VRAM (1u << 20)

static struct mhi_display *display;
static struct mh_display_listener *listener;
static struct mhi_display_mode shown;

static void on_surface(void *opaque, const struct mh_surface *s)
{
	shown = (struct mhi_display_mode){ s->offset, s->width, s->height, s->stride, false };
	if (s->width && (s->stride < 4ull * s->width ||
			 s->offset + (u64)s->stride * (s->height - 1) + 4ull * s->width > VRAM))
		fuzz_die("the surface leaves", "the memory");
}

static void on_damage(void *opaque, const struct mh_rect *rects, u32 count)
{
	for (; count; count--, rects++)
		if (rects->x < 0 || rects->y < 0 || (u64)rects->x + rects->width > shown.width ||
		    (u64)rects->y + rects->height > shown.height)
			fuzz_die("damage leaves", "the surface");
}

static void on_cursor(void *opaque, const struct mh_cursor *c, u32 moved)
{
	if (c->visible && (c->hot_x >= c->width || c->hot_y >= c->height))
		fuzz_die("the hot spot leaves", "the cursor");
}

static struct mhi_vdev *create(const struct mhi_vdev_env *env, u8 choice)
{
	static const struct mh_display_ops ops = {
		.version = 1, .surface = on_surface, .damage = on_damage, .cursor = on_cursor
	};
	struct mhi_vdev *dev;

	if (mhi_display_create(env->loop, VRAM, 64, 64, &display) ||
	    mhi_display_listen(display, &ops, NULL, &listener) ||
	    mhi_gpu_create(env, display, &dev))
		fuzz_die("cannot prepare", "device");
	return dev;
}

/* Small numbers, so that resources are found and rectangles fit, mostly. */
static u32 request(struct fuzz_input *in, unsigned int q, u8 *out, u32 *in_bytes)
{
	static const u8 formats[] = { 1, 2, 3, 4, 67, 68, 121, 134 };
	u8 how = (u8)fuzz_take(in, 1);
	u32 words = 4 + (how >> 5);

	memset(out, 0, 24);
	*in_bytes = how & 16 ? 1056 : 24;
	mhi_put_le32(out, q ? 0x300 + (how & 1) : 0x100 + (how & 15));
	mhi_put_le32(out + 4, how & 1);
	for (u32 n = 0; n < words; n++)
		mhi_put_le32(out + 24 + 4 * n, (u32)fuzz_take(in, 1) & 0x3f);
	if ((how & 15) == 1 && !q)
		mhi_put_le32(out + 28, formats[out[28] & 7]);
	if ((how & 15) != 6)
		return 24 + 4 * words;
	for (u32 n = 0; n < 4; n++) {
		mhi_put_le64(out + 32 + 16 * n, fuzz_take(in, 2) << 4);
		mhi_put_le32(out + 40 + 16 * n, (u32)fuzz_take(in, 2));
	}
	return 32 + 16 * 4;
}

static void host(struct mhi_vdev *dev, struct fuzz_input *in)
{
	u32 *pixels, width, height;

	if (fuzz_take(in, 1) & 1)
		mhi_display_resize(display, 64 + (u32)fuzz_take(in, 1), 64);
	else if (!mhi_display_picture(display, &pixels, &width, &height))
		free(pixels);
}

static void end(void)
{
	mhi_display_destroy(display);
}

static const struct vfuzz_model model = {
	.create = create, .request = request, .host = host, .end = end
};

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	return vfuzz(&model, data, size);
}
