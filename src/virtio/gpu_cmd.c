/* SPDX-License-Identifier: MIT */
/*
 * Commands of virtio-gpu. virtio 1.2, 5.7.6.8 "Device Operation: controlq", 5.7.6.10 "Device
 * Operation: cursorq".
 */
#include "core/edid.h"
#include "virtio/gpu_priv.h"

#define COMMAND_MAX 56u
#define SCANOUTS_MAX 16u
#define SCANOUT_BYTES 24u
#define INFO_BYTES (GPU_HEADER + SCANOUTS_MAX * SCANOUT_BYTES)
#define EDID_AT (GPU_HEADER + 8)
#define EDID_ANSWER (EDID_AT + 1024)

MHI_STATIC_ASSERT(EDID_ANSWER <= GPU_ANSWER_MAX && INFO_BYTES <= GPU_ANSWER_MAX);

/* An answer: its header is filled in when it is given. */
struct answer {
	u8 raw[GPU_ANSWER_MAX];
	u32 bytes;
};

static struct gpu_rect get_rect(const u8 *p)
{
	return (struct gpu_rect){ mhi_get_le32(p), mhi_get_le32(p + 4), mhi_get_le32(p + 8),
				  mhi_get_le32(p + 12) };
}

/* ---- what the display is ---- */

static enum mhi_gpu_answer get_display_info(struct gpu *g, const u8 *cmd, struct answer *a)
{
	u8 *p = a->raw + GPU_HEADER;
	u32 width, height;

	mhi_display_wanted(g->display, &width, &height);
	mhi_put_le32(p + 8, width);
	mhi_put_le32(p + 12, height);
	mhi_put_le32(p + 16, 1);
	a->bytes = INFO_BYTES;
	return GPU_OK_DISPLAY_INFO;
}

static enum mhi_gpu_answer get_edid(struct gpu *g, const u8 *cmd, struct answer *a)
{
	u32 width, height;

	if (mhi_get_le32(cmd + 24))
		return GPU_ERR_SCANOUT;
	mhi_display_wanted(g->display, &width, &height);
	/* Drivers go by the display's info then, which knows larger ones. */
	if (width > MHI_EDID_SIDE_MAX || height > MHI_EDID_SIDE_MAX)
		return GPU_ERR_UNSPEC;
	mhi_put_le32(a->raw + GPU_HEADER, MHI_EDID_BYTES);
	mhi_edid_make(a->raw + EDID_AT, width, height);
	a->bytes = EDID_ANSWER;
	return GPU_OK_EDID;
}

/* ---- resources ---- */

static enum mhi_gpu_answer create_2d(struct gpu *g, const u8 *cmd, struct answer *a)
{
	return mhi_gpu_res_create(g, mhi_get_le32(cmd + 24), mhi_get_le32(cmd + 28),
				  mhi_get_le32(cmd + 32), mhi_get_le32(cmd + 36));
}

void mhi_gpu_hide(struct gpu *g)
{
	g->shown = 0;
	mhi_display_show(g->display, MHI_DISPLAY_GPU, &(struct mhi_display_mode){ 0 });
}

static enum mhi_gpu_answer unref(struct gpu *g, const u8 *cmd, struct answer *a)
{
	struct gpu_res *r = mhi_gpu_find(g, mhi_get_le32(cmd + 24));

	if (!r)
		return GPU_ERR_RESOURCE;
	if (g->shown == r->id)
		mhi_gpu_hide(g);
	mhi_gpu_res_free(g, r);
	return GPU_OK;
}

static enum mhi_gpu_answer attach_backing(struct gpu *g, const u8 *cmd, struct answer *a)
{
	struct gpu_res *r = mhi_gpu_find(g, mhi_get_le32(cmd + 24));

	return r ? mhi_gpu_res_attach(g, r, mhi_get_le32(cmd + 28), 32) : GPU_ERR_RESOURCE;
}

static enum mhi_gpu_answer detach_backing(struct gpu *g, const u8 *cmd, struct answer *a)
{
	struct gpu_res *r = mhi_gpu_find(g, mhi_get_le32(cmd + 24));

	if (!r)
		return GPU_ERR_RESOURCE;
	if (!r->entries)
		return GPU_ERR_UNSPEC;
	mhi_gpu_res_detach(g, r);
	return GPU_OK;
}

static enum mhi_gpu_answer transfer(struct gpu *g, const u8 *cmd, struct answer *a)
{
	const struct gpu_rect rect = get_rect(cmd + 24);
	struct gpu_res *r = mhi_gpu_find(g, mhi_get_le32(cmd + 48));

	if (!r)
		return GPU_ERR_RESOURCE;
	if (!mhi_gpu_inside(&rect, r))
		return GPU_ERR_PARAMETER;
	return mhi_gpu_res_fetch(g, r, &rect, mhi_get_le64(cmd + 40));
}

/* ---- showing ---- */

static void show(struct gpu *g, const struct gpu_res *r, const struct gpu_rect *rect)
{
	const struct mhi_display_mode mode = {
		.offset = r->offset + ((u64)rect->y * r->width + rect->x) * 4,
		.width = rect->width,
		.height = rect->height,
		.stride = r->width * 4,
	};

	g->shown = r->id;
	g->view = *rect;
	mhi_display_show(g->display, MHI_DISPLAY_GPU, &mode);
}

static enum mhi_gpu_answer set_scanout(struct gpu *g, const u8 *cmd, struct answer *a)
{
	const struct gpu_rect rect = get_rect(cmd + 24);
	u32 id = mhi_get_le32(cmd + 44);
	struct gpu_res *r;

	if (mhi_get_le32(cmd + 40))
		return GPU_ERR_SCANOUT;
	if (!id) {
		mhi_gpu_hide(g);
		return GPU_OK;
	}
	r = mhi_gpu_find(g, id);
	if (!r)
		return GPU_ERR_RESOURCE;
	if (!rect.width || !rect.height || !mhi_gpu_inside(&rect, r))
		return GPU_ERR_PARAMETER;
	show(g, r, &rect);
	return GPU_OK;
}

static enum mhi_gpu_answer flush(struct gpu *g, const u8 *cmd, struct answer *a)
{
	const struct gpu_rect rect = get_rect(cmd + 24);
	struct gpu_res *r = mhi_gpu_find(g, mhi_get_le32(cmd + 40));

	if (!r)
		return GPU_ERR_RESOURCE;
	if (!mhi_gpu_inside(&rect, r))
		return GPU_ERR_PARAMETER;
	if (g->shown == r->id)
		mhi_display_damage(g->display, MHI_DISPLAY_GPU,
				   &(struct mh_rect){ (s32)(rect.x - g->view.x),
						      (s32)(rect.y - g->view.y), rect.width,
						      rect.height });
	return GPU_OK;
}

/* ---- the cursor ---- */

/* Linux says where its picture's corner is; it may be beside the screen. */
static s32 spot(u32 at, u32 hot)
{
	const s64 most = GPU_SIDE_MAX;
	s64 sum = (s64)(s32)at + hot;

	sum = sum < most ? sum : most;
	return (s32)(sum > -most ? sum : -most);
}

/* Linux' cursors have an alpha, whatever format it has given them. */
static void put_cursor(struct gpu *g, const struct gpu_res *r, const u8 *cmd)
{
	const u8 *from = mhi_display_host(g->display) + r->offset;
	u32 pixel[GPU_CURSOR_MAX * GPU_CURSOR_MAX];
	struct mh_cursor c = { .visible = 1,
			       .width = r->width,
			       .height = r->height,
			       .hot_x = mhi_get_le32(cmd + 44),
			       .hot_y = mhi_get_le32(cmd + 48),
			       .pixels = pixel };

	c.hot_x = c.hot_x < c.width ? c.hot_x : c.width - 1;
	c.hot_y = c.hot_y < c.height ? c.hot_y : c.height - 1;
	c.x = spot(mhi_get_le32(cmd + 28), c.hot_x);
	c.y = spot(mhi_get_le32(cmd + 32), c.hot_y);
	g->hot_x = c.hot_x;
	g->hot_y = c.hot_y;
	memcpy(pixel, from, (u64)r->width * r->height * sizeof(*pixel));
	mhi_display_cursor(g->display, &c);
}

static enum mhi_gpu_answer update_cursor(struct gpu *g, const u8 *cmd, struct answer *a)
{
	u32 id = mhi_get_le32(cmd + 40);
	struct gpu_res *r = mhi_gpu_find(g, id);

	if (mhi_get_le32(cmd + 24))
		return GPU_ERR_SCANOUT;
	if (!id) {
		mhi_display_cursor(g->display, &(struct mh_cursor){ 0 });
		return GPU_OK;
	}
	if (!r)
		return GPU_ERR_RESOURCE;
	if (r->width > GPU_CURSOR_MAX || r->height > GPU_CURSOR_MAX)
		return GPU_ERR_PARAMETER;
	put_cursor(g, r, cmd);
	return GPU_OK;
}

static enum mhi_gpu_answer move_cursor(struct gpu *g, const u8 *cmd, struct answer *a)
{
	if (mhi_get_le32(cmd + 24))
		return GPU_ERR_SCANOUT;
	mhi_display_cursor_move(g->display, spot(mhi_get_le32(cmd + 28), g->hot_x),
				spot(mhi_get_le32(cmd + 32), g->hot_y));
	return GPU_OK;
}

/* ---- taking and answering ---- */

static const struct command {
	u32 type, bytes;
	bool cursor;
	enum mhi_gpu_answer (*fn)(struct gpu *g, const u8 *cmd, struct answer *a);
} commands[] = {
	{ 0x100, 24, false, get_display_info },
	{ 0x101, 40, false, create_2d },
	{ 0x102, 32, false, unref },
	{ 0x103, 48, false, set_scanout },
	{ 0x104, 48, false, flush },
	{ 0x105, 56, false, transfer },
	{ 0x106, 32, false, attach_backing },
	{ 0x107, 32, false, detach_backing },
	{ 0x10a, 32, false, get_edid },
	{ 0x300, 56, true, update_cursor },
	{ 0x301, 56, true, move_cursor },
};

static enum mhi_gpu_answer run(struct gpu *g, const u8 *cmd, size_t bytes, bool cursor,
			       struct answer *a)
{
	u32 type = mhi_get_le32(cmd);

	for (unsigned int n = 0; n < MHI_COUNT(commands); n++) {
		const struct command *c = &commands[n];

		if (c->type == type && c->cursor == cursor)
			return bytes < c->bytes ? GPU_ERR_PARAMETER : c->fn(g, cmd, a);
	}
	return GPU_ERR_UNSPEC;
}

/* 5.7.6.7: whatever was asked for is done before this, so that fences need no waiting. */
static void put_header(struct answer *a, const u8 *cmd, enum mhi_gpu_answer type)
{
	u32 flags = mhi_get_le32(cmd + 4) & GPU_FLAG_FENCE;

	mhi_put_le32(a->raw, type);
	if (!flags)
		return;
	mhi_put_le32(a->raw + 4, flags);
	memcpy(a->raw + 8, cmd + 8, 12); /* the fence, and its context */
}

u32 mhi_gpu_command(struct gpu *g, bool cursor)
{
	struct answer a = { .bytes = GPU_HEADER };
	u8 cmd[COMMAND_MAX] = { 0 };
	size_t bytes = mhi_chain_read(&g->chain, 0, cmd, sizeof(cmd));
	enum mhi_gpu_answer type;

	if (bytes < GPU_HEADER) {
		mhi_vdev_complain(&g->dev, "a command has no header");
		return 0;
	}
	type = run(g, cmd, bytes, cursor, &a);
	if (type >= GPU_ERR_UNSPEC) {
		a.bytes = GPU_HEADER;
		g->dev.counts.errors++;
	}
	put_header(&a, cmd, type);
	return (u32)mhi_chain_write(&g->chain, 0, a.raw, a.bytes);
}
