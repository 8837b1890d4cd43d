/* SPDX-License-Identifier: MIT */
/* Resources of virtio-gpu: their place in video memory, the guest memory behind them, copying. */
#include <stdlib.h>

#include "base/checked.h"
#include "virtio/gpu_priv.h"

/* virtio 1.2, 5.7.6.8 "Device Operation: controlq": names are bytes in the order of memory. */
enum {
	B8G8R8A8 = 1,
	B8G8R8X8 = 2,
	A8R8G8B8 = 3,
	X8R8G8B8 = 4,
	R8G8B8A8 = 67,
	X8B8G8R8 = 68,
	A8B8G8R8 = 121,
	R8G8B8X8 = 134
};

#define PIXEL 4u
#define ENTRY_BYTES 16u
#define ENTRIES_AT_ONCE 64u
#define PIXELS_AT_ONCE 512u

bool mhi_gpu_format_ok(u32 format)
{
	switch (format) {
	case B8G8R8A8:
	case B8G8R8X8:
	case A8R8G8B8:
	case X8R8G8B8:
	case R8G8B8A8:
	case X8B8G8R8:
	case A8B8G8R8:
	case R8G8B8X8:
		return true;
	default:
		return false;
	}
}

/* To 0xAARRGGBB. */
static u32 convert(u32 format, u32 pixel)
{
	switch (format) {
	case A8R8G8B8:
	case X8R8G8B8:
		return __builtin_bswap32(pixel);
	case R8G8B8A8:
	case R8G8B8X8:
		return (pixel & 0xff00ff00) | (pixel & 0xff) << 16 | (pixel >> 16 & 0xff);
	case A8B8G8R8:
	case X8B8G8R8:
		return pixel >> 8 | pixel << 24;
	default:
		return pixel;
	}
}

/* ---- life ---- */

struct gpu_res *mhi_gpu_find(const struct gpu *g, u32 id)
{
	for (u32 n = 0; n < g->count; n++)
		if (g->res[n]->id == id)
			return g->res[n];
	return NULL;
}

enum mhi_gpu_answer mhi_gpu_res_create(struct gpu *g, u32 id, u32 format, u32 width, u32 height)
{
	struct gpu_res *r;

	if (!id || mhi_gpu_find(g, id))
		return GPU_ERR_RESOURCE;
	if (!mhi_gpu_format_ok(format) || !width || !height || width > GPU_SIDE_MAX ||
	    height > GPU_SIDE_MAX)
		return GPU_ERR_PARAMETER;
	if (g->count == GPU_RESOURCES_MAX)
		return GPU_ERR_MEMORY;
	r = calloc(1, sizeof(*r));
	if (!r)
		return GPU_ERR_MEMORY;
	r->id = id;
	r->format = format;
	r->width = width;
	r->height = height;
	r->bytes = (u64)width * height * PIXEL;
	if (!mhi_display_take(g->display, r->bytes, &r->offset)) {
		free(r);
		return GPU_ERR_MEMORY;
	}
	g->res[g->count++] = r;
	return GPU_OK;
}

void mhi_gpu_res_free(struct gpu *g, struct gpu_res *r)
{
	u32 n = 0;

	while (g->res[n] != r)
		n++;
	g->res[n] = g->res[--g->count];
	mhi_gpu_res_detach(g, r);
	mhi_display_give(g->display, r->offset, r->bytes);
	free(r);
}

void mhi_gpu_res_clear(struct gpu *g)
{
	while (g->count)
		mhi_gpu_res_free(g, g->res[g->count - 1]);
}

/* ---- backing ---- */

void mhi_gpu_res_detach(struct gpu *g, struct gpu_res *r)
{
	g->entries -= r->entries;
	free(r->entry);
	r->entry = NULL;
	r->entries = 0;
	r->backed = 0;
}

static enum mhi_gpu_answer read_entries(struct gpu *g, struct gpu_res *r, u64 offset)
{
	u8 raw[ENTRIES_AT_ONCE * ENTRY_BYTES];

	for (u32 n = 0; n < r->entries; n++) {
		struct gpu_entry *e = &r->entry[n];
		u32 left = r->entries - n, at = n % ENTRIES_AT_ONCE * ENTRY_BYTES, want;

		if (!at) {
			want = (left < ENTRIES_AT_ONCE ? left : ENTRIES_AT_ONCE) * ENTRY_BYTES;
			if (mhi_chain_read(&g->chain, offset + (u64)n * ENTRY_BYTES, raw, want) !=
			    want)
				return GPU_ERR_PARAMETER;
		}
		e->gpa = mhi_get_le64(raw + at);
		e->bytes = mhi_get_le32(raw + at + 8);
		e->start = r->backed;
		/* Sums of 65536 numbers of 32 bits. */
		r->backed += e->bytes;
	}
	return GPU_OK;
}

enum mhi_gpu_answer mhi_gpu_res_attach(struct gpu *g, struct gpu_res *r, u32 count, u64 offset)
{
	enum mhi_gpu_answer answer;

	if (r->entries)
		return GPU_ERR_UNSPEC;
	if (!count || count > GPU_ENTRIES_MAX)
		return GPU_ERR_PARAMETER;
	if (count > GPU_ENTRIES_ALL - g->entries)
		return GPU_ERR_MEMORY;
	r->entry = calloc(count, sizeof(*r->entry));
	if (!r->entry)
		return GPU_ERR_MEMORY;
	r->entries = count;
	g->entries += count;
	answer = read_entries(g, r, offset);
	if (answer != GPU_OK)
		mhi_gpu_res_detach(g, r);
	return answer;
}

/* The entry that holds a byte of the backing, which has it. */
static u32 entry_at(const struct gpu_res *r, u64 offset)
{
	u32 low = 0, high = r->entries - 1;

	while (low < high) {
		u32 middle = low + (high - low + 1) / 2;

		if (r->entry[middle].start <= offset)
			low = middle;
		else
			high = middle - 1;
	}
	return low;
}

/* The backing has [offset, offset + bytes). False: that is no memory of the guest's. */
static bool read_backing(const struct gpu *g, const struct gpu_res *r, u64 offset, void *to,
			 u64 bytes)
{
	u32 n = entry_at(r, offset);
	u8 *p = to;

	while (bytes) {
		const struct gpu_entry *e = &r->entry[n++];
		u64 skip = offset - e->start, part = e->bytes - skip;
		mh_gpa gpa;

		part = part < bytes ? part : bytes;
		if (!mhi_add_u64(e->gpa, skip, &gpa) || mhi_gmem_read(g->dev.env.mem, gpa, p, part))
			return false;
		p += part;
		offset += part;
		bytes -= part;
	}
	return true;
}

/* ---- fetching ---- */

/* Nobody sees pixels before they are converted. */
static bool fetch_converted(struct gpu *g, struct gpu_res *r, u64 offset, u8 *to, u64 bytes)
{
	u32 pixel[PIXELS_AT_ONCE];

	while (bytes) {
		u64 part = bytes < sizeof(pixel) ? bytes : sizeof(pixel);

		if (!read_backing(g, r, offset, pixel, part))
			return false;
		for (u64 n = 0; n < part / PIXEL; n++)
			pixel[n] = convert(r->format, pixel[n]);
		memcpy(to, pixel, part);
		to += part;
		offset += part;
		bytes -= part;
	}
	return true;
}

static bool fetch(struct gpu *g, struct gpu_res *r, u64 offset, u64 at, u64 bytes)
{
	u8 *to = mhi_display_host(g->display) + r->offset + at;

	g->moved += bytes;
	g->dev.counts.from_guest += bytes;
	if (r->format == B8G8R8A8 || r->format == B8G8R8X8)
		return read_backing(g, r, offset, to, bytes);
	return fetch_converted(g, r, offset, to, bytes);
}

/* Lines are as far apart in the backing as in the picture. */
enum mhi_gpu_answer mhi_gpu_res_fetch(struct gpu *g, struct gpu_res *r, const struct gpu_rect *rect,
				      u64 offset)
{
	u64 stride = (u64)r->width * PIXEL, at = rect->y * stride + (u64)rect->x * PIXEL, end;
	u64 bytes = (u64)rect->width * PIXEL;
	u32 lines = rect->height;

	if (!r->entries)
		return GPU_ERR_UNSPEC;
	if (!bytes || !lines)
		return GPU_OK;
	if (!mhi_add_u64(offset, (lines - 1) * stride + bytes, &end) || end > r->backed)
		return GPU_ERR_PARAMETER;
	if (bytes == stride) {
		bytes *= lines;
		lines = 1;
	}
	for (; lines; lines--, offset += stride, at += stride)
		if (!fetch(g, r, offset, at, bytes))
			return GPU_ERR_UNSPEC;
	return GPU_OK;
}
