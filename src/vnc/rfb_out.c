/* SPDX-License-Identifier: MIT */
/*
 * What a client is sent: RFC 6143, 7.6 "Server-to-Client Messages", 7.7 "Encodings", 7.8
 * "Pseudo-Encodings". An update is made as the client reads it.
 */
#include <string.h>

#include "vnc/rfb.h"

#define UPDATE 0
#define UPDATE_BYTES 4
#define RECT_BYTES 12

#define RAW 0
#define RESIZE (-223)
#define CURSOR (-239)
#define KEY_CODES (-258) /* QEMU's "Extended Key Event Pseudo-encoding" */

void rfb_put(struct rfb_client *c, const void *data, size_t bytes)
{
	/* What is put without asking for room before is little, and comes first. */
	if (bytes > rfb_room(c))
		return;
	memcpy(c->out + c->out_bytes, data, bytes);
	c->out_bytes += bytes;
}

void rfb_put16(struct rfb_client *c, uint32_t value)
{
	const uint8_t bytes[] = { (uint8_t)(value >> 8), (uint8_t)value };

	rfb_put(c, bytes, sizeof(bytes));
}

void rfb_put32(struct rfb_client *c, uint32_t value)
{
	rfb_put16(c, value >> 16);
	rfb_put16(c, value & 0xffff);
}

/* ---- pixels ---- */

/* 7.7.1 "Raw Encoding": one pixel, 0xRRGGBB, in the client's format. */
static size_t pixel(const struct rfb_format *f, uint32_t rgb, uint8_t *to)
{
	uint32_t value = 0;

	for (unsigned int n = 0; n < 3; n++)
		value |= ((rgb >> (16 - 8 * n) & 0xff) * f->max[n] + 127) / 255 << f->shift[n];
	for (unsigned int n = 0; n < f->bytes; n++) {
		unsigned int place = f->big_endian ? f->bytes - 1u - n : n;

		to[n] = (uint8_t)(value >> (8 * place));
	}
	return f->bytes;
}

/* The format that the display has. */
static bool is_native(const struct rfb_format *f)
{
	return f->bytes == 4 && !f->big_endian && f->max[0] == 255 && f->max[1] == 255 &&
	       f->max[2] == 255 && f->shift[0] == 16 && f->shift[1] == 8 && f->shift[2] == 0;
}

static void put_line(struct rfb_client *c, uint32_t x, uint32_t y, uint32_t width)
{
	const struct rfb_picture *p = &c->picture;
	const uint8_t *from = p->at ? p->at + (size_t)y * p->stride + (size_t)x * 4 : NULL;
	uint8_t *to = c->out + c->out_bytes;

	if (!from) {
		memset(to, 0, (size_t)width * c->format.bytes);
		to += (size_t)width * c->format.bytes;
	} else if (is_native(&c->format)) {
		memcpy(to, from, (size_t)width * 4);
		to += (size_t)width * 4;
	} else {
		for (uint32_t n = 0; n < width; n++) {
			uint32_t rgb;

			memcpy(&rgb, from + (size_t)n * 4, 4);
			to += pixel(&c->format, rgb, to);
		}
	}
	c->out_bytes = (size_t)(to - c->out);
}

/* ---- rectangles ---- */

static void put_rect(struct rfb_client *c, uint32_t x, uint32_t y, uint32_t width, uint32_t height,
		     int32_t encoding)
{
	rfb_put16(c, x);
	rfb_put16(c, y);
	rfb_put16(c, width);
	rfb_put16(c, height);
	rfb_put32(c, (uint32_t)encoding);
}

static uint32_t least(uint32_t a, uint32_t b)
{
	return a < b ? a : b;
}

static bool is_dirty(const struct rfb_dirt *dirt)
{
	return dirt->first <= dirt->last;
}

static const struct rfb_dirt clean = { 1, 0 };

void rfb_damage(struct rfb_client *c, uint32_t x, uint32_t y, uint32_t width, uint32_t height)
{
	uint32_t right, bottom;

	if (x >= RFB_SIDE_MAX || y >= RFB_SIDE_MAX || !width || !height)
		return;
	right = least(width, RFB_SIDE_MAX - x) + x - 1;
	bottom = least(height, RFB_SIDE_MAX - y) + y - 1;
	for (uint32_t row = y / RFB_TILE; row <= bottom / RFB_TILE; row++) {
		struct rfb_dirt *dirt = &c->dirt[row];
		uint16_t first = (uint16_t)(x / RFB_TILE), last = (uint16_t)(right / RFB_TILE);

		if (!is_dirty(dirt)) {
			*dirt = (struct rfb_dirt){ first, last };
			continue;
		}
		dirt->first = dirt->first < first ? dirt->first : first;
		dirt->last = dirt->last > last ? dirt->last : last;
	}
}

/* What the client and the picture have of a line of squares; false: nothing. */
static bool rect_of(const struct rfb_client *c, uint32_t row, uint32_t rect[4])
{
	uint32_t width = least(c->width, c->picture.width);
	uint32_t height = least(c->height, c->picture.height);
	const struct rfb_dirt *dirt = &c->todo[row];
	uint32_t x = dirt->first * RFB_TILE, y = row * RFB_TILE;

	if (!is_dirty(dirt) || x >= width || y >= height)
		return false;
	rect[0] = x;
	rect[1] = y;
	rect[2] = least((dirt->last + 1u) * RFB_TILE, width) - x;
	rect[3] = least(RFB_TILE, height - y);
	return true;
}

/* ---- updates ---- */

static uint32_t count_rects(const struct rfb_client *c)
{
	uint32_t rect[4], count = 0;

	for (uint32_t row = 0; row < RFB_TILES; row++)
		count += rect_of(c, row, rect);
	return count;
}

static bool differs(const struct rfb_client *c, const struct rfb_picture *p)
{
	return c->resizes && (c->width != p->width || c->height != p->height);
}

/* 7.8.1 "Cursor Pseudo-Encoding". */
static void put_cursor(struct rfb_client *c, const struct rfb_cursor *cursor)
{
	uint32_t width = cursor->width, height = width ? cursor->height : 0;

	put_rect(c, cursor->hot_x, cursor->hot_y, width, height, CURSOR);
	for (uint32_t n = 0; n < width * height; n++)
		c->out_bytes += pixel(&c->format, cursor->pixels[n], c->out + c->out_bytes);
	for (uint32_t y = 0; y < height; y++)
		for (uint32_t x = 0; x < width; x += 8) {
			uint8_t mask = 0;

			for (uint32_t n = 0; n < 8 && x + n < width; n++)
				if (cursor->pixels[y * width + x + n] >> 31)
					mask |= (uint8_t)(0x80 >> n);
			c->out[c->out_bytes++] = mask;
		}
}

/* The head, and all that is not pixels of the display; c->out is empty. */
static void begin_update(struct rfb_client *c, const struct rfb_picture *picture,
			 const struct rfb_cursor *cursor)
{
	bool resize = differs(c, picture);

	c->picture = *picture;
	c->format = c->next;
	if (resize) {
		c->width = picture->width;
		c->height = picture->height;
		rfb_damage(c, 0, 0, c->width, c->height);
	}
	memcpy(c->todo, c->dirt, sizeof(c->todo));
	for (uint32_t row = 0; row < RFB_TILES; row++)
		c->dirt[row] = clean;
	c->rects = count_rects(c);
	rfb_put16(c, UPDATE);
	rfb_put16(c, c->rects + resize + c->tell_codes + c->tell_cursor);
	if (resize)
		put_rect(c, 0, 0, c->width, c->height, RESIZE);
	if (c->tell_codes)
		put_rect(c, 0, 0, 0, 0, KEY_CODES);
	if (c->tell_cursor)
		put_cursor(c, cursor);
	c->tell_codes = c->tell_cursor = c->asked = c->in_rect = false;
	c->row = 0;
}

static bool has_news(const struct rfb_client *c, const struct rfb_picture *picture)
{
	if (differs(c, picture) || c->tell_codes || c->tell_cursor)
		return true;
	for (uint32_t row = 0; row < RFB_TILES; row++)
		if (is_dirty(&c->dirt[row]) && row * RFB_TILE < c->height &&
		    c->dirt[row].first * RFB_TILE < c->width)
			return true;
	return false;
}

bool rfb_wants_out(const struct rfb_client *c, const struct rfb_picture *picture)
{
	return c->out_bytes || c->rects || (c->asked && has_news(c, picture));
}

/* As much of the update as there is room for. */
static void go_on(struct rfb_client *c)
{
	uint32_t rect[4];

	while (c->rects) {
		if (!rect_of(c, c->row, rect)) {
			c->row++;
			continue;
		}
		if (!c->in_rect) {
			if (rfb_room(c) < RECT_BYTES)
				return;
			put_rect(c, rect[0], rect[1], rect[2], rect[3], RAW);
			c->in_rect = true;
			c->line = 0;
		}
		for (; c->line < rect[3]; c->line++) {
			if (rfb_room(c) < (size_t)rect[2] * c->format.bytes)
				return;
			put_line(c, rect[0], rect[1] + c->line, rect[2]);
		}
		c->in_rect = false;
		c->row++;
		c->rects--;
	}
}

void rfb_fill(struct rfb_client *c, const struct rfb_picture *picture,
	      const struct rfb_cursor *cursor)
{
	if (!c->rects && !c->out_bytes && c->asked && has_news(c, picture))
		begin_update(c, picture, cursor);
	go_on(c);
}
