/* SPDX-License-Identifier: MIT */
/* Attaching graphics cards, and with the first one the VM's display. */
#include "api/dev.h"
#include "virtio/gpu.h"

#define WIDTH 1024u
#define HEIGHT 768u
#define VRAM_BYTES (128ull << 20)

static int check(struct mh_dev *dev, const struct mh_gpu_config *config, u64 vram, u32 width,
		 u32 height)
{
	struct mhi_err *err = mhi_ctx_err(dev->vm->ctx);
	int rc = mhi_dev_check_flags(dev, config->flags, 0);

	if (rc)
		return rc;
	if (config->reserved)
		return mhi_err_set(err, MH_EINVAL, "config.reserved is %u; set it to 0",
				   config->reserved);
	if (vram < MH_DISPLAY_VRAM_MIN || vram > MH_DISPLAY_VRAM_MAX || vram % MH_PAGE_SIZE)
		return mhi_err_set(err, MH_EINVAL,
				   "config.vram_bytes is %llu; it must be a multiple of %u from "
				   "%u to %u",
				   vram, MH_PAGE_SIZE, MH_DISPLAY_VRAM_MIN, MH_DISPLAY_VRAM_MAX);
	if (!mhi_display_size_ok(vram, width, height))
		return mhi_err_set(err, MH_EINVAL,
				   "config.width and config.height are %u and %u; choose them from "
				   "%u to %u, and so that 4 bytes for each pixel fit into the "
				   "%llu of video memory",
				   width, height, MH_DISPLAY_SIDE_MIN, MH_DISPLAY_SIDE_MAX, vram);
	return 0;
}

static bool has_gpu(const struct mh_vm *vm)
{
	const struct mh_dev *dev = vm->devs;

	while (dev && !(dev->vdev && dev->vdev->ops->id == MHI_GPU_ID))
		dev = dev->next;
	return dev;
}

static int make(struct mh_dev *dev, const struct mh_gpu_config *config)
{
	u64 vram = config->vram_bytes ? config->vram_bytes : VRAM_BYTES;
	bool given = config->width || config->height;
	u32 width = given ? config->width : WIDTH, height = given ? config->height : HEIGHT;
	struct mhi_err *err = mhi_ctx_err(dev->vm->ctx);
	struct mhi_display *display = mhi_vm_display(dev->vm);
	int rc;

	if (has_gpu(dev->vm))
		return mhi_err_set(err, MH_EEXIST,
				   "the VM has one already; detach it, or use that");
	/* That of a card which was detached goes on as it is. */
	rc = check(dev, config, display ? mhi_display_vram_bytes(display) : vram, width, height);
	if (rc)
		return rc;
	if (!display) {
		rc = mhi_display_create(dev->env.loop, vram, width, height, &dev->display);
		if (rc)
			return mhi_err_set(err, rc,
					   "out of memory or file descriptors; free some, or raise "
					   "the limits (ulimit -n, -v)");
		display = dev->display;
	}
	rc = mhi_gpu_create(&dev->env, display, &dev->vdev);
	if (rc)
		return mhi_err_set(err, rc, MHI_NO_MEMORY);
	mhi_display_resize(display, width, height);
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
