/* SPDX-License-Identifier: MIT */
/*
 * What a client sends: RFC 6143, 7.1 "Handshake Messages" to 7.5 "Client-to-Server Messages"; and
 * QEMU's "Extended Key Event" message.
 */
#include <stdio.h>
#include <string.h>

#include "vnc/keysym.h"
#include "vnc/rfb.h"

#define VERSION "RFB 003.008\n"
#define VERSION_BYTES 12
#define SECURITY_NONE 1
#define NAME "macrohard"

enum {
	SET_FORMAT = 0,
	SET_ENCODINGS = 2,
	UPDATE_REQUEST = 3,
	KEY = 4,
	POINTER = 5,
	CUT_TEXT = 6,
	QEMU = 255
};

#define QEMU_KEY 0

#define FORMAT_BYTES 16
#define ENCODING_BYTES 4
#define RESIZE (-223)
#define CURSOR (-239)
#define KEY_CODES (-258)

void rfb_begin(struct rfb_client *c, int fd, uint32_t width, uint32_t height)
{
	memset(c, 0, sizeof(*c));
	c->fd = fd;
	c->width = width;
	c->height = height;
	c->format = (struct rfb_format){ 4, false, { 255, 255, 255 }, { 16, 8, 0 } };
	for (uint32_t row = 0; row < RFB_TILES; row++)
		c->dirt[row] = (struct rfb_dirt){ 1, 0 };
	c->next = c->format;
	rfb_damage(c, 0, 0, width, height);
	rfb_put(c, VERSION, VERSION_BYTES);
}

/* ---- 7.1, 7.3 ---- */

static bool take_version(struct rfb_client *c)
{
	static const uint8_t types[] = { 1, SECURITY_NONE };
	unsigned int major, minor;
	char text[VERSION_BYTES + 1];

	memcpy(text, c->in, VERSION_BYTES);
	text[VERSION_BYTES] = '\0';
	if (sscanf(text, "RFB %3u.%3u\n", &major, &minor) != 2 || major != 3)
		return false;
	c->minor = minor >= 8 ? 8 : minor == 7 ? 7 : 3;
	if (c->minor == 3) {
		rfb_put32(c, SECURITY_NONE);
		c->state = RFB_INIT;
	} else {
		rfb_put(c, types, sizeof(types));
		c->state = RFB_SECURITY;
	}
	return true;
}

static bool take_security(struct rfb_client *c)
{
	if (c->in[0] != SECURITY_NONE)
		return false;
	if (c->minor == 8)
		rfb_put32(c, 0);
	c->state = RFB_INIT;
	return true;
}

static bool take_init(struct rfb_client *c)
{
	static const uint8_t format[FORMAT_BYTES] = { 32, 24,  0,  1, 0, 255, 0, 255,
						      0,  255, 16, 8, 0, 0,   0, 0 };

	rfb_put16(c, c->width);
	rfb_put16(c, c->height);
	rfb_put(c, format, sizeof(format));
	rfb_put32(c, sizeof(NAME) - 1);
	rfb_put(c, NAME, sizeof(NAME) - 1);
	c->state = RFB_READY;
	return true;
}

/* ---- 7.5 ---- */

static bool take_format(struct rfb_client *c)
{
	const uint8_t *p = c->in + 4;
	struct rfb_format f = { .bytes = p[0] / 8, .big_endian = p[2] };

	/* There are no colour maps. */
	if (!p[3] || (p[0] != 8 && p[0] != 16 && p[0] != 32))
		return false;
	for (unsigned int n = 0; n < 3; n++) {
		f.max[n] = (uint16_t)rfb_get16(p + 4 + 2 * n);
		f.shift[n] = p[10 + n];
		if (f.shift[n] >= 32 || (uint64_t)f.max[n] << f.shift[n] > UINT32_MAX)
			return false;
	}
	c->next = f;
	return true;
}

static void take_encoding(struct rfb_client *c)
{
	switch ((int32_t)rfb_get32(c->in)) {
	case RESIZE:
		c->resizes = true;
		break;
	case CURSOR:
		c->tell_cursor = c->has_cursor = true;
		break;
	case KEY_CODES:
		c->tell_codes = !c->has_codes;
		c->has_codes = true;
		break;
	default:
		break;
	}
}

static void take_request(struct rfb_client *c)
{
	if (!c->in[1])
		rfb_damage(c, rfb_get16(c->in + 2), rfb_get16(c->in + 4), rfb_get16(c->in + 6),
			   rfb_get16(c->in + 8));
	c->asked = true;
}

static void press(struct rfb_client *c, uint32_t code, bool down, const struct rfb_events *events,
		  void *opaque)
{
	if (!code || code >= RFB_KEYS)
		return;
	if (down)
		c->keys[code / 8] |= (uint8_t)(1u << code % 8);
	else
		c->keys[code / 8] &= (uint8_t) ~(1u << code % 8);
	events->key(opaque, code, down);
}

static void set_buttons(struct rfb_client *c, uint8_t now, const struct rfb_events *events,
			void *opaque)
{
	uint8_t changed = c->buttons ^ now;

	c->buttons = now;
	for (unsigned int n = 0; n < 8; n++)
		if (changed >> n & 1)
			events->button(opaque, n, now >> n & 1);
}

static void take_pointer(struct rfb_client *c, const struct rfb_events *events, void *opaque)
{
	uint32_t x = rfb_get16(c->in + 2), y = rfb_get16(c->in + 4);

	if (x < c->width && y < c->height)
		events->pointer(opaque, x, y, c->width, c->height);
	set_buttons(c, c->in[1], events, opaque);
}

/* How many bytes the message has that begins with what is there; 0: there is no such message. */
static size_t message_bytes(const struct rfb_client *c)
{
	switch (c->state) {
	case RFB_VERSION:
		return VERSION_BYTES;
	case RFB_SECURITY:
	case RFB_INIT:
		return 1;
	case RFB_ENCODINGS:
		return ENCODING_BYTES;
	case RFB_SKIP:
		return c->left < c->in_bytes ? c->left : c->in_bytes;
	case RFB_READY:
		break;
	}
	switch (c->in[0]) {
	case SET_FORMAT:
		return 4 + FORMAT_BYTES;
	case SET_ENCODINGS:
		return 4;
	case UPDATE_REQUEST:
		return 10;
	case KEY:
	case CUT_TEXT:
		return 8;
	case POINTER:
		return 6;
	case QEMU:
		return 12;
	default:
		return 0;
	}
}

static bool take_message(struct rfb_client *c, const struct rfb_events *events, void *opaque)
{
	int32_t length;

	switch (c->in[0]) {
	case SET_FORMAT:
		return take_format(c);
	case SET_ENCODINGS:
		c->resizes = c->has_cursor = false;
		c->left = rfb_get16(c->in + 2);
		c->state = c->left ? RFB_ENCODINGS : RFB_READY;
		return true;
	case UPDATE_REQUEST:
		take_request(c);
		return true;
	case KEY:
		press(c, mhv_keysym(rfb_get32(c->in + 4)), c->in[1], events, opaque);
		return true;
	case POINTER:
		take_pointer(c, events, opaque);
		return true;
	case CUT_TEXT:
		/* Negative: of the extended clipboard. */
		length = (int32_t)rfb_get32(c->in + 4);
		c->left = length < 0 ? 0u - (uint32_t)length : (uint32_t)length;
		c->state = c->left ? RFB_SKIP : RFB_READY;
		return true;
	default:
		if (c->in[1] != QEMU_KEY)
			return false;
		press(c, mhv_key_code(rfb_get32(c->in + 8)), rfb_get16(c->in + 2), events, opaque);
		return true;
	}
}

static bool take_one(struct rfb_client *c, size_t bytes, const struct rfb_events *events,
		     void *opaque)
{
	switch (c->state) {
	case RFB_VERSION:
		return take_version(c);
	case RFB_SECURITY:
		return take_security(c);
	case RFB_INIT:
		return take_init(c);
	case RFB_ENCODINGS:
		take_encoding(c);
		if (!--c->left)
			c->state = RFB_READY;
		return true;
	case RFB_SKIP:
		c->left -= (uint32_t)bytes;
		if (!c->left)
			c->state = RFB_READY;
		return true;
	case RFB_READY:
		break;
	}
	return take_message(c, events, opaque);
}

bool rfb_take(struct rfb_client *c, const struct rfb_events *events, void *opaque)
{
	while (c->in_bytes) {
		size_t bytes = message_bytes(c);

		if (!bytes)
			return false;
		if (c->in_bytes < bytes)
			return true;
		if (!take_one(c, bytes, events, opaque))
			return false;
		c->in_bytes -= bytes;
		memmove(c->in, c->in + bytes, c->in_bytes);
	}
	return true;
}

void rfb_end(struct rfb_client *c, const struct rfb_events *events, void *opaque)
{
	for (uint32_t code = 0; code < RFB_KEYS; code++)
		if (c->keys[code / 8] >> code % 8 & 1)
			events->key(opaque, code, false);
	set_buttons(c, 0, events, opaque);
	c->fd = -1;
}
