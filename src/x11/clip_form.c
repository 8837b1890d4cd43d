/* SPDX-License-Identifier: MIT */
/* Contents of the clipboard, from X's forms to the guest's and back. */
#include "clip.h"

#include <stdlib.h>
#include <string.h>

bool mhi_x_bytes_add(struct mhi_x_bytes *b, const void *data, size_t bytes, uint64_t most)
{
	size_t room = b->room ? b->room : 4096;
	uint8_t *larger;

	if (bytes > most || b->bytes > most - bytes)
		return false;
	while (room < b->bytes + bytes)
		room *= 2;
	if (room > b->room) {
		larger = realloc(b->data, room);
		if (!larger)
			return false;
		b->data = larger;
		b->room = room;
	}
	if (bytes)
		memcpy(b->data + b->bytes, data, bytes);
	b->bytes += bytes;
	return true;
}

void mhi_x_bytes_free(struct mhi_x_bytes *b)
{
	free(b->data);
	*b = (struct mhi_x_bytes){ NULL, 0, 0 };
}

static void replace(struct mhi_x_bytes *b, struct mhi_x_bytes *by)
{
	mhi_x_bytes_free(b);
	*b = *by;
}

/* ---- Latin-1, which STRING is: ICCCM 2.6.2 "Target Atoms" ---- */

bool mhi_x_to_latin1(struct mhi_x_bytes *b)
{
	size_t to = 0, n = 0;

	while (n < b->bytes) {
		uint8_t c = b->data[n++];

		if ((c == 0xc2 || c == 0xc3) && n < b->bytes) {
			c = (uint8_t)(c << 6 | (b->data[n++] & 0x3f));
		} else if (c >= 0x80) {
			c = '?';
			while (n < b->bytes && b->data[n] >> 6 == 2)
				n++;
		}
		b->data[to++] = c;
	}
	b->bytes = to;
	return true;
}

bool mhi_x_from_latin1(struct mhi_x_bytes *b, uint64_t most)
{
	struct mhi_x_bytes out = { NULL, 0, 0 };
	bool good = true;

	for (size_t n = 0; n < b->bytes && good; n++) {
		uint8_t c = b->data[n],
			two[2] = { (uint8_t)(0xc0 | c >> 6), (uint8_t)(0x80 | (c & 0x3f)) };

		good = c < 0x80 ? mhi_x_bytes_add(&out, &c, 1, most)
				: mhi_x_bytes_add(&out, two, 2, most);
	}
	replace(b, &out);
	return good;
}

/* ---- RFC 2483, 5 "The text/uri-list Internet Media Type"; RFC 8089 "The file URI Scheme" ---- */

static bool plain(uint8_t c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	       (c && strchr("-._~/", c));
}

static bool add_path(struct mhi_x_bytes *out, const uint8_t *path, size_t bytes, uint64_t most)
{
	static const char digits[] = "0123456789ABCDEF";
	bool good = mhi_x_bytes_add(out, "file://", 7, most);

	for (size_t n = 0; n < bytes && good; n++) {
		char code[3] = { '%', digits[path[n] >> 4], digits[path[n] & 15] };

		good = plain(path[n]) ? mhi_x_bytes_add(out, path + n, 1, most)
				      : mhi_x_bytes_add(out, code, 3, most);
	}
	return good && mhi_x_bytes_add(out, "\r\n", 2, most);
}

/* The next line that ends with \n, without it: its bytes; *at is behind it then. */
static size_t line(const struct mhi_x_bytes *b, size_t *at)
{
	const uint8_t *from = b->data + *at, *end = memchr(from, '\n', b->bytes - *at);
	size_t bytes = end ? (size_t)(end - from) : b->bytes - *at;

	*at += bytes + !!end;
	return bytes;
}

bool mhi_x_to_uris(struct mhi_x_bytes *b, uint64_t most)
{
	struct mhi_x_bytes out = { NULL, 0, 0 };
	bool good = true;
	size_t at = 0, from, bytes;

	while (at < b->bytes && good) {
		from = at;
		bytes = line(b, &at);
		if (bytes && b->data[from] == '/')
			good = add_path(&out, b->data + from, bytes, most);
	}
	replace(b, &out);
	return good;
}

static int digit(uint8_t c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Decodes to to, which may be from; 0: it is no path, or has characters that no line may have. */
static size_t decode(uint8_t *to, const uint8_t *from, size_t bytes)
{
	size_t out = 0;

	for (size_t n = 0; n < bytes; n++) {
		uint8_t c = from[n];

		if (c == '%') {
			if (bytes - n < 3 || digit(from[n + 1]) < 0 || digit(from[n + 2]) < 0)
				return 0;
			c = (uint8_t)(digit(from[n + 1]) << 4 | digit(from[n + 2]));
			n += 2;
		}
		if (!c || c == '\n')
			return 0;
		to[out++] = c;
	}
	return out;
}

/* Paths are shorter than their URIs: they go where those were. */
bool mhi_x_from_uris(struct mhi_x_bytes *b)
{
	static const char *const heads[] = { "file://localhost/", "file:///", "file:/" };
	size_t at = 0, to = 0, from, bytes, head, got;

	while (at < b->bytes) {
		from = at;
		bytes = line(b, &at);
		if (bytes && b->data[from + bytes - 1] == '\r')
			bytes--;
		for (unsigned int n = 0; n < sizeof(heads) / sizeof(heads[0]); n++) {
			head = strlen(heads[n]);
			if (bytes < head || memcmp(b->data + from, heads[n], head))
				continue;
			got = decode(b->data + to, b->data + from + head - 1, bytes - head + 1);
			if (got) {
				to += got;
				b->data[to++] = '\n';
			}
			break;
		}
	}
	b->bytes = to;
	return true;
}
