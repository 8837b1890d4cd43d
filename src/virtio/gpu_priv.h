/* SPDX-License-Identifier: MIT */
/* Inside of virtio-gpu: the device, its resources, and what commands answer. */
#ifndef MHI_VIRTIO_GPU_PRIV_H
#define MHI_VIRTIO_GPU_PRIV_H

#include "core/le.h"
#include "macrohard/error.h"
#include "virtio/gpu.h"

/* virtio 1.2, 5.7.6.7 "Device Operation: Request header". */
enum mhi_gpu_answer {
	GPU_OK = 0x1100,
	GPU_OK_DISPLAY_INFO = 0x1101,
	GPU_OK_EDID = 0x1104,
	GPU_ERR_UNSPEC = 0x1200,
	GPU_ERR_MEMORY = 0x1201,
	GPU_ERR_SCANOUT = 0x1202,
	GPU_ERR_RESOURCE = 0x1203,
	GPU_ERR_PARAMETER = 0x1205
};

#define GPU_HEADER 24u
#define GPU_FLAG_FENCE 1u
#define GPU_SIDE_MAX 16384u
#define GPU_CURSOR_MAX 64u /* drivers' cursors have this side */
#define GPU_RESOURCES_MAX 1024u
#define GPU_ENTRIES_MAX 65536u	   /* of one resource's backing */
#define GPU_ENTRIES_ALL (1u << 18) /* of all of them */
/* Bytes that are moved, and commands, before other devices have their turn. */
#define GPU_TURN_BYTES (16u << 20)
#define GPU_TURN 64u

/* A piece of guest memory; starts at the sum of those before it. */
struct gpu_entry {
	mh_gpa gpa;
	u64 start, bytes;
};

/* A picture, in video memory without gaps. */
struct gpu_res {
	u32 id, format, width, height;
	u64 offset, bytes;
	struct gpu_entry *entry; /* [entries], where the guest draws it; NULL: nowhere */
	u32 entries;
	u64 backed; /* bytes of all of them */
};

struct gpu_rect {
	u32 x, y, width, height;
};

struct gpu {
	struct mhi_vdev dev;
	struct mhi_display *display;		/* (c) */
	struct gpu_res *res[GPU_RESOURCES_MAX]; /* (m) [count] */
	u32 count, entries;			/* (m) entries of all */
	u32 shown;				/* (m) the resource on the display; 0: none */
	struct gpu_rect view;			/* (m) what is seen of it */
	u32 hot_x, hot_y;			/* (m) of the cursor */
	u64 moved;				/* (m) bytes in this turn */
	struct mhi_chain chain;			/* (m) the one at hand */
};

/* ---- gpu_res.c ---- */

struct gpu_res *mhi_gpu_find(const struct gpu *g, u32 id);
bool mhi_gpu_format_ok(u32 format);
enum mhi_gpu_answer mhi_gpu_res_create(struct gpu *g, u32 id, u32 format, u32 width, u32 height);
void mhi_gpu_res_free(struct gpu *g, struct gpu_res *r);
/* All of them. */
void mhi_gpu_res_clear(struct gpu *g);
/* The backing is count entries in the chain at hand, from offset on. */
enum mhi_gpu_answer mhi_gpu_res_attach(struct gpu *g, struct gpu_res *r, u32 count, u64 offset);
void mhi_gpu_res_detach(struct gpu *g, struct gpu_res *r);
/* What the guest has drawn, from offset in the backing on. */
enum mhi_gpu_answer mhi_gpu_res_fetch(struct gpu *g, struct gpu_res *r, const struct gpu_rect *rect,
				      u64 offset);

static inline bool mhi_gpu_inside(const struct gpu_rect *rect, const struct gpu_res *r)
{
	return (u64)rect->x + rect->width <= r->width && (u64)rect->y + rect->height <= r->height;
}

/* ---- gpu_cmd.c ---- */

#define GPU_ANSWER_MAX 1056u

/* Do what the chain at hand says, in the way of the first queue or the cursor's; bytes written. */
u32 mhi_gpu_command(struct gpu *g, bool cursor);
/* Show nothing. */
void mhi_gpu_hide(struct gpu *g);

#endif
