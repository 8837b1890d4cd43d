/* SPDX-License-Identifier: MIT */
/*
 * A VNC server's clients: RFB as RFC 6143 has it, without authentication, pixels as they are (Raw).
 * A client costs a fixed amount of memory, whatever it sends or does not read.
 */
#ifndef MHV_RFB_H
#define MHV_RFB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <macrohard/display.h>

#define RFB_CLIENTS_MAX 32
#define RFB_IN 512
#define RFB_OUT 65536
#define RFB_KEYS 256

/* What changes is told in squares; a line of them is one rectangle. */
#define RFB_TILE 64
#define RFB_SIDE_MAX 16384
#define RFB_TILES (RFB_SIDE_MAX / RFB_TILE)

/* Larger ones are not shown. */
#define RFB_CURSOR 96

/* 7.4 "Pixel Format Data Structure". */
struct rfb_format {
	uint8_t bytes; /* a pixel: 1, 2 or 4 */
	bool big_endian;
	uint16_t max[3]; /* red, green, blue */
	uint8_t shift[3];
};

/* The display's pixels; at NULL: there are none, all is black. */
struct rfb_picture {
	const uint8_t *at;
	uint32_t width, height, stride;
};

struct rfb_cursor {
	uint32_t width, height, hot_x, hot_y; /* width 0: none */
	uint32_t pixels[RFB_CURSOR * RFB_CURSOR];
};

/* A line of squares: what is dirty of it lies between them; first > last: nothing. */
struct rfb_dirt {
	uint16_t first, last;
};

enum rfb_state {
	RFB_VERSION,
	RFB_SECURITY,
	RFB_INIT,
	RFB_READY,
	RFB_ENCODINGS, /* those of the message, as they come */
	RFB_SKIP       /* of the message */
};

/* What clients do. */
struct rfb_events {
	void (*key)(void *opaque, uint32_t code, bool down);
	void (*pointer)(void *opaque, uint32_t x, uint32_t y, uint32_t width, uint32_t height);
	void (*button)(void *opaque, unsigned int button, bool down); /* 0 .. 7 */
};

struct rfb_client {
	int fd; /* -1: nobody */
	enum rfb_state state;
	unsigned int minor; /* of the protocol: 3, 7, 8 */
	uint8_t in[RFB_IN];
	size_t in_bytes;
	uint32_t left; /* RFB_ENCODINGS: of them; RFB_SKIP: bytes */
	uint8_t out[RFB_OUT];
	size_t out_bytes, out_sent;
	struct rfb_format format, next;	     /* next: of updates that begin from now on */
	bool resizes, has_cursor, has_codes; /* pseudo-encodings that it knows */
	bool tell_codes, tell_cursor;	     /* it is to be told */
	bool asked;			     /* for an update */
	uint32_t width, height;		     /* that it knows */
	struct rfb_dirt dirt[RFB_TILES];
	/* The update under way: a rectangle for each line of squares from row on. */
	struct rfb_picture picture;
	struct rfb_dirt todo[RFB_TILES];
	uint32_t rects, row, line;
	bool in_rect;
	uint8_t keys[RFB_KEYS / 8], buttons; /* that it holds down */
};

/* Somebody has connected to fd, which does not block. */
void rfb_begin(struct rfb_client *c, int fd, uint32_t width, uint32_t height);
/* It is gone: lets go what it held down. The descriptor is the caller's to close. */
void rfb_end(struct rfb_client *c, const struct rfb_events *events, void *opaque);

/* Bytes that came are in c->in: act upon them. False: it is no client of ours, end it. */
bool rfb_take(struct rfb_client *c, const struct rfb_events *events, void *opaque);

/* Pixels have changed; the place may be outside of what the client knows. */
void rfb_damage(struct rfb_client *c, uint32_t x, uint32_t y, uint32_t width, uint32_t height);

/* Is there something to write, or could there be? */
bool rfb_wants_out(const struct rfb_client *c, const struct rfb_picture *picture);
/* Fill c->out with what is due; picture and cursor are those of now. */
void rfb_fill(struct rfb_client *c, const struct rfb_picture *picture,
	      const struct rfb_cursor *cursor);

/* ---- between rfb_in.c and rfb_out.c ---- */

static inline size_t rfb_room(const struct rfb_client *c)
{
	return RFB_OUT - c->out_bytes;
}

void rfb_put(struct rfb_client *c, const void *data, size_t bytes);
void rfb_put16(struct rfb_client *c, uint32_t value);
void rfb_put32(struct rfb_client *c, uint32_t value);

static inline uint32_t rfb_get16(const uint8_t *p)
{
	return (uint32_t)(p[0] << 8 | p[1]);
}

static inline uint32_t rfb_get32(const uint8_t *p)
{
	return rfb_get16(p) << 16 | rfb_get16(p + 2);
}

#endif
