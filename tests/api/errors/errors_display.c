// SPDX-License-Identifier: MIT
/* Failures of displays. */
#include "errors.h"

static int gpu_size(void)
{
	struct mh_gpu_config config = MH_GPU_CONFIG_INIT;

	config.width = config.height = 10;
	return mh_gpu_attach(vm, &config, NULL);
}

static int gpu_second(void)
{
	if (mh_gpu_attach(vm, NULL, NULL))
		die(mh_last_error(ctx));
	return mh_gpu_attach(vm, NULL, NULL);
}

static int no_display(void)
{
	return mh_display_resize(vm, 640, 480);
}

static int nothing_shown(void)
{
	if (mh_gpu_attach(vm, NULL, NULL))
		die(mh_last_error(ctx));
	return mh_display_png(vm, 1);
}

static int display_size(void)
{
	if (mh_gpu_attach(vm, NULL, NULL))
		die(mh_last_error(ctx));
	return mh_display_resize(vm, 100000, 100);
}

static int framebuffer(uint64_t bytes, uint64_t vram)
{
	struct mh_framebuffer_config config = MH_FRAMEBUFFER_CONFIG_INIT;

	config.bytes = bytes;
	config.vram_bytes = vram;
	return mh_framebuffer_attach(vm, &config, NULL);
}

static int framebuffer_odd(void)
{
	return framebuffer(3 << 20, 0);
}

static int framebuffer_large(void)
{
	return framebuffer(16 << 20, 8 << 20);
}

static const struct error_row display_rows[] = {
	{ "a graphics card of an impossible size", gpu_size, MH_EINVAL,
	  "graphics card of VM \"web\"", "config.width and config.height are 10 and 10",
	  "choose them from 64 to 16384, and so that 4 bytes for each pixel fit into the 134217728 "
	  "of video memory",
	  NULL },
	{ "a frame buffer of an odd size", framebuffer_odd, MH_EINVAL, "frame buffer of VM \"web\"",
	  "config.bytes is 3145728", "it must be a power of two from 1048576 to 134217728", NULL },
	{ "a frame buffer larger than the display's memory", framebuffer_large, MH_ENOSPC,
	  "frame buffer of VM \"web\"",
	  "16777216 bytes are not free in the display's 8388608 of video memory",
	  "choose a smaller config.bytes, or a larger config.vram_bytes", NULL },
	{ "a second graphics card", gpu_second, MH_EEXIST, "graphics card of VM \"web\"",
	  "the VM has one already", "detach it, or use that", NULL },
	{ "looking at a VM without a display", no_display, MH_ENOENT, "display of VM \"web\"",
	  "it has none", "give it a graphics card (mh_gpu_attach) first", NULL },
	{ "a picture of a guest that shows nothing", nothing_shown, MH_ESTATE,
	  "display of VM \"web\"", "the guest shows nothing", "wait until its driver does", NULL },
	{ "a display of an impossible size", display_size, MH_EINVAL, "display of VM \"web\"",
	  "100000 x 100 cannot be",
	  "choose each from 64 to 16384, and so that 4 bytes for each pixel fit into its 134217728 "
	  "of video memory",
	  NULL },
};
ERROR_GROUP(display_errors, "Displays", NEEDS_VM, display_rows);
