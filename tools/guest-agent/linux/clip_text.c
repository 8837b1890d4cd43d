/* SPDX-License-Identifier: MIT */
/* Contents of the clipboard between X11's forms and the wire's. */
#include <stdlib.h>
#include <string.h>

#include "clipboard.h"

/* ---- lines ---- */

/* Lines end with \n on the wire. */
static void lines(uint8_t *data, size_t *bytes)
{
	size_t to = 0;

	for (size_t n = 0; n < *bytes; n++)
		if (data[n] != '\r' || n + 1 == *bytes || data[n + 1] != '\n')
			data[to++] = data[n];
	/* Some count the zero that ends a text in C. */
	while (to && !data[to - 1])
		to--;
	*bytes = to;
	data[to] = 0;
}

/* ---- UTF-16, as some programs have HTML ---- */

static size_t put_character(uint8_t *out, uint32_t c)
{
	if (c < 0x80) {
		out[0] = (uint8_t)c;
		return 1;
	}
	if (c < 0x800) {
		out[0] = (uint8_t)(0xc0 | c >> 6);
		out[1] = (uint8_t)(0x80 | (c & 0x3f));
		return 2;
	}
	if (c < 0x10000) {
		out[0] = (uint8_t)(0xe0 | c >> 12);
		out[1] = (uint8_t)(0x80 | (c >> 6 & 0x3f));
		out[2] = (uint8_t)(0x80 | (c & 0x3f));
		return 3;
	}
	out[0] = (uint8_t)(0xf0 | c >> 18);
	out[1] = (uint8_t)(0x80 | (c >> 12 & 0x3f));
	out[2] = (uint8_t)(0x80 | (c >> 6 & 0x3f));
	out[3] = (uint8_t)(0x80 | (c & 0x3f));
	return 4;
}

static uint32_t unit(const uint8_t *p)
{
	return p[0] | (uint32_t)p[1] << 8;
}

/* Behind the mark ff fe, which says that it is such a text. */
static uint8_t *from_utf16(uint8_t *data, size_t *bytes)
{
	uint8_t *out = malloc(*bytes / 2 * 3 + 1);
	size_t to = 0;

	for (size_t n = 2; out && n + 1 < *bytes; n += 2) {
		uint32_t c = unit(data + n);
		uint32_t low = n + 3 < *bytes ? unit(data + n + 2) : 0;

		if (c >= 0xd800 && c < 0xdc00 && low >= 0xdc00 && low < 0xe000) {
			c = 0x10000 + ((c - 0xd800) << 10) + (low - 0xdc00);
			n += 2;
		} else if (c >= 0xd800 && c < 0xe000)
			c = 0xfffd;
		to += put_character(out + to, c);
	}
	free(data);
	*bytes = to;
	if (out)
		out[to] = 0;
	return out;
}

/* ---- lists of files: URIs (RFC 2483, 5: the text/uri-list Internet Media Type) ---- */

static int hex(uint8_t c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* One line [bytes] to a path and a newline at out. Returns its bytes; 0: it is no file here. */
static size_t path_of(const uint8_t *line, size_t bytes, uint8_t *out)
{
	size_t at = 7, to = 0;

	if (bytes < 8 || memcmp(line, "file://", 7) != 0)
		return 0;
	while (at < bytes && line[at] != '/') /* the host's name */
		at++;
	for (; at < bytes; at++) {
		int high = at + 2 < bytes ? hex(line[at + 1]) : -1;
		int low = at + 2 < bytes ? hex(line[at + 2]) : -1;

		if (line[at] == '%' && high >= 0 && low >= 0) {
			out[to++] = (uint8_t)(high << 4 | low);
			at += 2;
		} else
			out[to++] = line[at];
		if (out[to - 1] == '\n' || !out[to - 1])
			return 0;
	}
	if (!to)
		return 0;
	out[to++] = '\n';
	return to;
}

/* A path is no longer than its URI. */
static void from_uris(uint8_t *data, size_t *bytes)
{
	size_t at = 0, to = 0;

	lines(data, bytes);
	while (at < *bytes) {
		const uint8_t *end = memchr(data + at, '\n', *bytes - at);
		size_t length = end ? (size_t)(end - data) - at : *bytes - at;

		to += path_of(data + at, length, data + to);
		at += length + 1;
	}
	*bytes = to;
	data[to] = 0;
}

static bool plain(uint8_t c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	       (c && strchr("/-._~", c));
}

static uint8_t *to_uris(uint8_t *data, size_t *bytes)
{
	static const char digits[] = "0123456789ABCDEF";
	size_t files = 1, to = 0;
	uint8_t *out;
	bool starts = true;

	for (size_t n = 0; n < *bytes; n++)
		files += data[n] == '\n';
	out = malloc(*bytes * 3 + files * 9 + 1);
	for (size_t n = 0; out && n < *bytes; n++) {
		if (starts)
			memcpy(out + to, "file://", 7);
		to += starts ? 7 : 0;
		starts = data[n] == '\n';
		if (starts) {
			out[to++] = '\r';
			out[to++] = '\n';
		} else if (plain(data[n]))
			out[to++] = data[n];
		else {
			out[to++] = '%';
			out[to++] = (uint8_t)digits[data[n] >> 4];
			out[to++] = (uint8_t)digits[data[n] & 15];
		}
	}
	free(data);
	*bytes = to;
	if (out)
		out[to] = 0;
	return out;
}

/* ---- kinds ---- */

uint8_t *clip_from_guest(uint32_t kind, uint8_t *data, size_t *bytes)
{
	if (kind == MHI_AGENT_CLIP_PNG)
		return data;
	if (*bytes >= 2 && data[0] == 0xff && data[1] == 0xfe)
		data = from_utf16(data, bytes);
	if (data && kind == MHI_AGENT_CLIP_FILES)
		from_uris(data, bytes);
	else if (data)
		lines(data, bytes);
	return data;
}

uint8_t *clip_to_guest(uint32_t kind, uint8_t *data, size_t *bytes)
{
	return kind == MHI_AGENT_CLIP_FILES ? to_uris(data, bytes) : data;
}
