/* SPDX-License-Identifier: MIT */
/* PNG pictures of 24 bits a pixel. "Portable Network Graphics (PNG) Specification", 2nd edition. */
#include "core/png.h"

#include <stdlib.h>
#include <zlib.h>

#include "core/be.h"
#include "macrohard/error.h"

#define CHUNK 32768u
/* 11.2.2 "IHDR Image header". */
#define IHDR_BYTES 13
#define DEPTH 8
#define COLOUR_RGB 2
/* 9.2 "Filter types for filter method 0". */
#define FILTER_UP 2

struct png {
	int (*write)(void *opaque, const void *bytes, size_t count);
	void *opaque;
	z_stream z;
	u8 *line;	       /* the filter's type, then its bytes */
	u8 out[8 + CHUNK + 4]; /* 5.3 "Chunk layout" */
};

/* A chunk, whose data is at out + 8. */
static int put_chunk(struct png *p, const char *type, u32 bytes)
{
	mhi_put_be32(p->out, bytes);
	memcpy(p->out + 4, type, 4);
	mhi_put_be32(p->out + 8 + bytes, (u32)crc32(0, p->out + 4, bytes + 4));
	return p->write(p->opaque, p->out, 8 + bytes + 4);
}

static int put_header(struct png *p, u32 width, u32 height)
{
	static const u8 signature[] = { 0x89, 'P', 'N', 'G', '\r', '\n', 0x1a, '\n' };
	u8 *data = p->out + 8;
	int rc = p->write(p->opaque, signature, sizeof(signature));

	if (rc)
		return rc;
	memset(data, 0, IHDR_BYTES);
	mhi_put_be32(data, width);
	mhi_put_be32(data + 4, height);
	data[8] = DEPTH;
	data[9] = COLOUR_RGB;
	return put_chunk(p, "IHDR", IHDR_BYTES);
}

static void filter(u8 *line, const u32 *pixels, const u32 *above, u32 width)
{
	*line++ = FILTER_UP;
	for (u32 x = 0; x < width; x++) {
		u32 up = above ? above[x] : 0;

		for (int shift = 16; shift >= 0; shift -= 8)
			*line++ = (u8)((pixels[x] >> shift) - (up >> shift));
	}
}

/* Compress what there is, or all that is left; whole chunks go out. */
static int squeeze(struct png *p, int flush)
{
	int state, rc = 0;

	do {
		state = deflate(&p->z, flush);
		if (!p->z.avail_out || state == Z_STREAM_END) {
			rc = put_chunk(p, "IDAT", CHUNK - p->z.avail_out);
			p->z.next_out = p->out + 8;
			p->z.avail_out = CHUNK;
		}
	} while (!rc && (flush == Z_FINISH ? state != Z_STREAM_END : p->z.avail_in));
	return rc;
}

static int put_pixels(struct png *p, const u32 *pixels, u32 width, u32 height)
{
	int rc = 0;

	for (u32 y = 0; y < height && !rc; y++) {
		const u32 *at = pixels + (u64)y * width;

		filter(p->line, at, y ? at - width : NULL, width);
		p->z.next_in = p->line;
		p->z.avail_in = 1 + 3 * width;
		rc = squeeze(p, Z_NO_FLUSH);
	}
	return rc ? rc : squeeze(p, Z_FINISH);
}

int mhi_png_write(const u32 *pixels, u32 width, u32 height,
		  int (*write)(void *opaque, const void *bytes, size_t count), void *opaque)
{
	struct png *p = calloc(1, sizeof(*p));
	int rc = MH_ENOMEM;

	if (!p)
		return MH_ENOMEM;
	p->write = write;
	p->opaque = opaque;
	p->line = malloc(1 + 3 * (size_t)width);
	if (p->line && deflateInit(&p->z, Z_BEST_SPEED) == Z_OK) {
		rc = put_header(p, width, height);
		p->z.next_out = p->out + 8;
		p->z.avail_out = CHUNK;
		if (!rc)
			rc = put_pixels(p, pixels, width, height);
		if (!rc)
			rc = put_chunk(p, "IEND", 0);
		deflateEnd(&p->z);
	}
	free(p->line);
	free(p);
	return rc;
}
