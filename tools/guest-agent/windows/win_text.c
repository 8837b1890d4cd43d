/* SPDX-License-Identifier: MIT */
/* UTF-8 and UTF-16, and the ends of lines. */
#include "win_text.h"

#include <stdlib.h>
#include <string.h>

#define REPLACEMENT 0xfffdu
#define LARGEST 0x40000000u /* so that sizes never wrap: more text than this is none */

/* The character at p [left], and its bytes; bytes that are no UTF-8 are one character each. */
static uint32_t utf8_next(const uint8_t *p, size_t left, size_t *bytes)
{
	static const uint32_t least[] = { 0, 0, 0x80, 0x800, 0x10000 };
	size_t n = p[0] < 0x80 ? 1 : p[0] < 0xc2 ? 0 : p[0] < 0xe0 ? 2 : p[0] < 0xf0 ? 3 : 4;
	uint32_t c = n == 1 ? p[0] : p[0] & (0x7fu >> n);

	*bytes = 1;
	if (!n || n > left || p[0] > 0xf4)
		return REPLACEMENT;
	for (size_t i = 1; i < n; i++) {
		if ((p[i] & 0xc0) != 0x80)
			return REPLACEMENT;
		c = c << 6 | (p[i] & 0x3f);
	}
	if (c < least[n] || c > 0x10ffff || (c >= 0xd800 && c < 0xe000))
		return REPLACEMENT;
	*bytes = n;
	return c;
}

uint16_t *win_wide(const char *text, size_t bytes, size_t *units)
{
	uint16_t *out = bytes < LARGEST ? malloc((bytes + 1) * sizeof(*out)) : NULL;
	size_t used = 0, n;

	if (!out)
		return NULL;
	for (size_t at = 0; at < bytes; at += n) {
		uint32_t c = utf8_next((const uint8_t *)text + at, bytes - at, &n);

		if (c >= 0x10000) {
			out[used++] = (uint16_t)(0xd800 + ((c - 0x10000) >> 10));
			c = 0xdc00 + ((c - 0x10000) & 0x3ff);
		}
		out[used++] = (uint16_t)c;
	}
	out[used] = 0;
	if (units)
		*units = used;
	return out;
}

static uint32_t utf16_next(const uint16_t *p, size_t left, size_t *units)
{
	*units = 1;
	if (p[0] < 0xd800 || p[0] >= 0xe000)
		return p[0];
	if (p[0] >= 0xdc00 || left < 2 || p[1] < 0xdc00 || p[1] >= 0xe000)
		return REPLACEMENT;
	*units = 2;
	return 0x10000 + ((uint32_t)(p[0] - 0xd800) << 10) + (p[1] - 0xdc00u);
}

static size_t utf8_put(char *out, uint32_t c)
{
	static const uint8_t lead[] = { 0, 0, 0xc0, 0xe0, 0xf0 };
	size_t n = c < 0x80 ? 1 : c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;

	for (size_t i = n - 1; i > 0; i--, c >>= 6)
		out[i] = (char)(0x80 | (c & 0x3f));
	out[0] = (char)(lead[n] | c);
	return n;
}

char *win_narrow(const uint16_t *text, size_t units, size_t *bytes)
{
	size_t room = units < LARGEST ? units * 3 + 1 : 0, used = 0, n;
	char *out = room ? malloc(room) : NULL;

	if (!out)
		return NULL;
	for (size_t at = 0; at < units; at += n)
		used += utf8_put(out + used, utf16_next(text + at, units - at, &n));
	out[used] = 0;
	if (bytes)
		*bytes = used;
	return out;
}

void win_narrow_into(char *out, size_t room, const uint16_t *text, size_t units)
{
	char one[4];
	size_t used = 0, n;

	for (size_t at = 0; at < units && text[at]; at += n) {
		size_t bytes = utf8_put(one, utf16_next(text + at, units - at, &n));

		if (used + bytes >= room)
			break;
		memcpy(out + used, one, bytes);
		used += bytes;
	}
	out[used] = 0;
}

char *win_to_crlf(const char *text, size_t bytes, size_t *out)
{
	size_t used = 0, more = 0;
	char *copy;

	for (size_t n = 0; n < bytes; n++)
		more += text[n] == '\n' && (!n || text[n - 1] != '\r');
	copy = bytes < LARGEST ? malloc(bytes + more + 1) : NULL;
	if (!copy)
		return NULL;
	for (size_t n = 0; n < bytes; n++) {
		if (text[n] == '\n' && (!n || text[n - 1] != '\r'))
			copy[used++] = '\r';
		copy[used++] = text[n];
	}
	copy[used] = 0;
	*out = used;
	return copy;
}

size_t win_to_lf(char *text, size_t bytes)
{
	size_t used = 0;

	for (size_t n = 0; n < bytes; n++)
		if (text[n] != '\r' || n + 1 == bytes || text[n + 1] != '\n')
			text[used++] = text[n];
	return used;
}
