/* SPDX-License-Identifier: MIT */
/* The device of virtio-gpu: queues, events, reset. virtio 1.2, 5.7 "GPU Device". */
#include <stdlib.h>

#include "virtio/gpu_priv.h"

enum { CONTROL, CURSOR, QUEUES };
#define CONTROL_SIZE 256
#define CURSOR_SIZE 16
#define CLASS_DISPLAY_OTHER 0x038000

#define F_EDID MHI_BIT(1)

/* 5.7.4 "Device configuration layout". */
#define C_EVENTS_READ 0
#define C_EVENTS_CLEAR 4
#define C_SCANOUTS 8
#define CONFIG_BYTES 16
#define EVENT_DISPLAY 1u

static void gpu_kick(struct mhi_vdev *dev, unsigned int q)
{
	struct gpu *g = dev->model;

	g->moved = 0;
	for (unsigned int n = 0; n < GPU_TURN && g->moved < GPU_TURN_BYTES; n++) {
		u32 bytes;

		if (!mhi_vdev_pop(dev, q, &g->chain))
			return;
		bytes = mhi_gpu_command(g, q == CURSOR);
		mhi_vdev_push(dev, q, g->chain.id, bytes);
		dev->counts.requests++;
		dev->counts.to_guest += bytes;
	}
	mhi_vdev_again(dev, q);
}

static void gpu_config(struct mhi_vdev *dev, unsigned int at, unsigned int bytes)
{
	u32 clear = mhi_get_le32(dev->config + C_EVENTS_CLEAR);

	mhi_put_le32(dev->config + C_EVENTS_READ,
		     mhi_get_le32(dev->config + C_EVENTS_READ) & ~clear);
	mhi_put_le32(dev->config + C_EVENTS_CLEAR, 0);
}

static void gpu_reset(struct mhi_vdev *dev)
{
	struct gpu *g = dev->model;

	mhi_gpu_hide(g);
	mhi_display_cursor(g->display, &(struct mh_cursor){ 0 });
	mhi_gpu_res_clear(g);
	mhi_put_le32(dev->config + C_EVENTS_READ, 0);
}

static void resized(void *opaque)
{
	struct mhi_vdev *dev = opaque;

	mhi_vdev_enter(dev);
	mhi_put_le32(dev->config + C_EVENTS_READ, EVENT_DISPLAY);
	mhi_vdev_config_changed(dev);
	mhi_vdev_leave(dev);
}

static void gpu_destroy(struct mhi_vdev *dev)
{
	struct gpu *g = dev->model;

	mhi_display_on_resize(g->display, NULL, NULL);
	gpu_reset(dev);
	mhi_vdev_fini(dev);
	free(g);
}

static const struct mhi_vdev_ops gpu_ops = {
	.name = "virtio-gpu",
	.id = MHI_GPU_ID,
	.class_code = CLASS_DISPLAY_OTHER,
	.kick = gpu_kick,
	.reset = gpu_reset,
	.config = gpu_config,
	.destroy = gpu_destroy,
};

int mhi_gpu_create(const struct mhi_vdev_env *env, struct mhi_display *display,
		   struct mhi_vdev **out)
{
	static const u16 sizes[QUEUES] = { CONTROL_SIZE, CURSOR_SIZE };
	struct gpu *g = calloc(1, sizeof(*g));

	if (!g)
		return MH_ENOMEM;
	g->dev.ops = &gpu_ops;
	g->dev.model = g;
	g->dev.env = *env;
	g->display = display;
	g->dev.offered = F_EDID;
	g->dev.config_bytes = CONFIG_BYTES;
	memset(g->dev.config_writable + C_EVENTS_CLEAR, 0xff, 4);
	mhi_put_le32(g->dev.config + C_SCANOUTS, 1);
	if (mhi_vdev_init(&g->dev, sizes, QUEUES)) {
		free(g);
		return MH_ENOMEM;
	}
	mhi_display_on_resize(display, resized, &g->dev);
	*out = &g->dev;
	return 0;
}
