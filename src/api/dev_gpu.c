/* SPDX-License-Identifier: MIT */
/* Attaching graphics cards and frame buffers, and with the first one the VM's display. */
#include "api/dev.h"
#include "virtio/gpu.h"

#define WIDTH 1024u
#define HEIGHT 768u
#define VRAM_BYTES (128ull << 20)
#define FRAMEBUFFER_BYTES (16ull << 20)
#define FRAMEBUFFER_MOST (128ull << 20)

/* What both kinds are asked for. */
struct wish {
	u32 width, height;
	u64 vram;
};

static void fill_in(struct wish *w, u32 width, u32 height, u64 vram)
{
	bool given = width || height;

	*w = (struct wish){ .width = given ? width : WIDTH,
			    .height = given ? height : HEIGHT,
			    .vram = vram ? vram : VRAM_BYTES };
}

static int check(struct mh_dev *dev, const struct wish *w, u64 vram)
{
	struct mhi_err *err = mhi_ctx_err(dev->vm->ctx);

	if (w->vram < MH_DISPLAY_VRAM_MIN || w->vram > MH_DISPLAY_VRAM_MAX ||
	    w->vram % MH_PAGE_SIZE)
		return mhi_err_set(err, MH_EINVAL,
				   "config.vram_bytes is %llu; it must be a multiple of %u from "
				   "%u to %u",
				   w->vram, MH_PAGE_SIZE, MH_DISPLAY_VRAM_MIN, MH_DISPLAY_VRAM_MAX);
	if (!mhi_display_size_ok(vram, w->width, w->height))
		return mhi_err_set(err, MH_EINVAL,
				   "config.width and config.height are %u and %u; choose them from "
				   "%u to %u, and so that 4 bytes for each pixel fit into the "
				   "%llu of video memory",
				   w->width, w->height, MH_DISPLAY_SIDE_MIN, MH_DISPLAY_SIDE_MAX,
				   vram);
	return 0;
}

/* That of a card which was detached, or of the other kind, goes on as it is. */
static int get_display(struct mh_dev *dev, const struct wish *w, struct mhi_display **out)
{
	struct mhi_display *display = mhi_vm_display(dev->vm);
	int rc = check(dev, w, display ? mhi_display_vram_bytes(display) : w->vram);

	if (!rc && !display) {
		rc = mhi_display_create(dev->env.loop, w->vram, w->width, w->height, &dev->display);
		if (rc)
			mhi_err_set(mhi_ctx_err(dev->vm->ctx), rc,
				    "out of memory or file descriptors; free some, or raise the "
				    "limits (ulimit -n, -v)");
		display = dev->display;
	}
	*out = display;
	return rc;
}

static int check_only(struct mh_dev *dev, bool framebuffer)
{
	const struct mh_dev *other = dev->vm->devs;

	for (; other; other = other->next)
		if (framebuffer ? other->framebuffer != NULL
				: other->vdev && other->vdev->ops->id == MHI_GPU_ID)
			return mhi_err_set(mhi_ctx_err(dev->vm->ctx), MH_EEXIST,
					   "the VM has one already; detach it, or use that");
	return 0;
}

/* ---- virtio-gpu ---- */

static int make(struct mh_dev *dev, const struct mh_gpu_config *config)
{
	struct mhi_err *err = mhi_ctx_err(dev->vm->ctx);
	struct mhi_display *display;
	struct wish w;
	int rc = mhi_dev_check_flags(dev, config->flags, 0);

	if (!rc)
		rc = check_only(dev, false);
	if (!rc && config->reserved)
		rc = mhi_err_set(err, MH_EINVAL, "config.reserved is %u; set it to 0",
				 config->reserved);
	if (rc)
		return rc;
	fill_in(&w, config->width, config->height, config->vram_bytes);
	rc = get_display(dev, &w, &display);
	if (rc)
		return rc;
	rc = mhi_gpu_create(&dev->env, display, &dev->vdev);
	if (rc)
		return mhi_err_set(err, rc, MHI_NO_MEMORY);
	mhi_display_resize(display, w.width, w.height);
	return 0;
}

int mh_gpu_attach(struct mh_vm *vm, const struct mh_gpu_config *config, struct mh_dev **out)
{
	const struct mh_gpu_config defaults = MH_GPU_CONFIG_INIT;
	struct mh_dev *dev;
	int rc;

	if (!config)
		config = &defaults;
	rc = mhi_dev_begin(vm, "graphics card", config, sizeof(*config), &dev);
	return rc ? rc : mhi_dev_end(dev, config->flags, make(dev, config), out);
}

/* ---- the frame buffer ---- */

static int check_framebuffer(struct mh_dev *dev, const struct mh_framebuffer_config *config,
			     u64 bytes)
{
	struct mhi_err *err = mhi_ctx_err(dev->vm->ctx);
	int rc = mhi_dev_check_flags(dev, config->flags, 0);

	if (!rc)
		rc = check_only(dev, true);
	if (!rc && (config->flags & MH_VIRTIO_SPLIT))
		rc = mhi_err_set(err, MH_EINVAL,
				 "MH_VIRTIO_SPLIT is for virtio devices; leave it out");
	if (!rc && config->reserved)
		rc = mhi_err_set(err, MH_EINVAL, "config.reserved is %u; set it to 0",
				 config->reserved);
	if (!rc && (bytes < MH_DISPLAY_VRAM_MIN || bytes > FRAMEBUFFER_MOST || bytes & (bytes - 1)))
		rc = mhi_err_set(err, MH_EINVAL,
				 "config.bytes is %llu; it must be a power of two from %u to %llu",
				 bytes, MH_DISPLAY_VRAM_MIN, FRAMEBUFFER_MOST);
	return rc;
}

static int make_framebuffer(struct mh_dev *dev, const struct mh_framebuffer_config *config)
{
	u64 bytes = config->bytes ? config->bytes : FRAMEBUFFER_BYTES;
	struct mhi_display *display;
	struct wish w;
	int rc = check_framebuffer(dev, config, bytes);

	if (rc)
		return rc;
	fill_in(&w, config->width, config->height, config->vram_bytes);
	rc = get_display(dev, &w, &display);
	if (rc)
		return rc;
	rc = mhi_framebuffer_create(display, bytes, &dev->framebuffer);
	if (rc == MH_ENOSPC)
		return mhi_err_set(mhi_ctx_err(dev->vm->ctx), rc,
				   "%llu bytes are not free in the display's %llu of video memory; "
				   "choose a smaller config.bytes, or a larger config.vram_bytes",
				   bytes, mhi_display_vram_bytes(display));
	if (rc)
		return mhi_err_set(mhi_ctx_err(dev->vm->ctx), rc, MHI_NO_MEMORY);
	mhi_display_resize(display, w.width, w.height);
	return 0;
}

int mh_framebuffer_attach(struct mh_vm *vm, const struct mh_framebuffer_config *config,
			  struct mh_dev **out)
{
	const struct mh_framebuffer_config defaults = MH_FRAMEBUFFER_CONFIG_INIT;
	struct mh_dev *dev;
	int rc;

	if (!config)
		config = &defaults;
	rc = mhi_dev_begin(vm, "frame buffer", config, sizeof(*config), &dev);
	return rc ? rc : mhi_dev_end(dev, config->flags, make_framebuffer(dev, config), out);
}
