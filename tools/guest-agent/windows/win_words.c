/* SPDX-License-Identifier: MIT */
/* The clipboard's HTML and the end of its pictures, command lines, environments. */
#include "win_text.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- "HTML Format": Win32 documentation, HTML Clipboard Format ---- */

#define HEAD                                                                            \
	"Version:0.9\r\nStartHTML:%010zu\r\nEndHTML:%010zu\r\nStartFragment:%010zu\r\n" \
	"EndFragment:%010zu\r\n"
#define HEAD_BYTES 105u /* of the head with its numbers in place */
#define BEFORE "<html><body>\r\n<!--StartFragment-->"
#define BEHIND "<!--EndFragment-->\r\n</body></html>"

char *win_html_wrap(const char *html, size_t bytes, size_t *out)
{
	size_t before = sizeof(BEFORE) - 1, behind = sizeof(BEHIND) - 1;
	size_t from = HEAD_BYTES + before, all = from + bytes + behind;
	char *text = bytes < 0x40000000 ? malloc(all + 1) : NULL;

	if (!text)
		return NULL;
	snprintf(text, HEAD_BYTES + 1, HEAD, (size_t)HEAD_BYTES, all, from, from + bytes);
	memcpy(text + HEAD_BYTES, BEFORE, before);
	memcpy(text + from, html, bytes);
	memcpy(text + from + bytes, BEHIND, behind + 1);
	*out = all;
	return text;
}

/* The number behind a name in the head, which ends where the first tag begins. */
static bool number_of(const char *data, size_t bytes, const char *name, size_t *number)
{
	size_t length = strlen(name), value = 0, n;
	bool digits = false;

	for (n = 0; n + length < bytes && data[n] != '<'; n++)
		if (!memcmp(data + n, name, length))
			break;
	if (n + length >= bytes || data[n] == '<')
		return false;
	for (n += length; n < bytes && data[n] >= '0' && data[n] <= '9'; n++) {
		if (value > bytes)
			return false;
		value = value * 10 + (size_t)(data[n] - '0');
		digits = true;
	}
	*number = value;
	return digits;
}

const char *win_html_find(const char *data, size_t bytes, size_t *out)
{
	size_t from, to;

	while (bytes && !data[bytes - 1])
		bytes--;
	if (!number_of(data, bytes, "StartFragment:", &from) ||
	    !number_of(data, bytes, "EndFragment:", &to) || from > to || to > bytes) {
		from = 0;
		to = bytes;
	}
	*out = to - from;
	return data + from;
}

/* ---- PNG: ISO/IEC 15948, 5.3 Chunk layout ---- */

size_t win_png_bytes(const uint8_t *data, size_t bytes)
{
	size_t at = 8; /* the signature */

	while (at < bytes && bytes - at >= 12) {
		size_t left = bytes - at - 12;
		size_t length = (size_t)data[at] << 24 | (size_t)data[at + 1] << 16 |
				(size_t)data[at + 2] << 8 | data[at + 3];
		bool last = !memcmp(data + at + 4, "IEND", 4);

		if (length > left)
			break;
		at += 12 + length;
		if (last)
			return at;
	}
	return bytes;
}

/* ---- command lines: C library documentation, Parsing C command-line arguments ---- */

static size_t quote(char *out, const char *argument)
{
	size_t used = 0, slashes = 0;

	out[used++] = '"';
	for (const char *p = argument; *p; p++) {
		/* Backslashes are doubled only where a quote follows. */
		if (*p == '"')
			for (slashes++; slashes; slashes--)
				out[used++] = '\\';
		slashes = *p == '\\' ? slashes + 1 : 0;
		out[used++] = *p;
	}
	for (; slashes; slashes--)
		out[used++] = '\\';
	out[used++] = '"';
	return used;
}

/* The program's name has other rules: no backslash is special, and it has no quote. */
static size_t quote_program(char *out, const char *program)
{
	size_t used = 0;

	out[used++] = '"';
	for (const char *p = program; *p; p++)
		out[used++] = *p;
	out[used++] = '"';
	return used;
}

char *win_command_line(char *const *arguments)
{
	size_t room = 1, used = 0;
	char *out;

	for (char *const *a = arguments; *a; a++)
		room += 2 * strlen(*a) + 3;
	out = strchr(arguments[0], '"') ? NULL : malloc(room);
	if (!out)
		return NULL;
	for (char *const *a = arguments; *a; a++) {
		if (used)
			out[used++] = ' ';
		used += used ? quote(out + used, *a) : quote_program(out + used, *a);
	}
	out[used] = 0;
	return out;
}

/* ---- environment blocks: strings with their zeroes, in the order of names, and a zero ---- */

static size_t units_of(const uint16_t *text)
{
	size_t n = 0;

	while (text[n])
		n++;
	return n;
}

static uint16_t upper(uint16_t c)
{
	return c >= 'a' && c <= 'z' ? (uint16_t)(c - 'a' + 'A') : c;
}

/* Names end at a "=", but for those that begin with one ("=C:=C:\\dir"). */
static int compare_names(const uint16_t *a, const uint16_t *b)
{
	size_t n = 0;

	for (;; n++) {
		bool a_ends = !a[n] || (n && a[n] == '='), b_ends = !b[n] || (n && b[n] == '=');

		if (a_ends || b_ends)
			return (int)b_ends - (int)a_ends;
		if (upper(a[n]) != upper(b[n]))
			return upper(a[n]) < upper(b[n]) ? -1 : 1;
	}
}

static int compare(const void *a, const void *b)
{
	return compare_names(*(const uint16_t *const *)a, *(const uint16_t *const *)b);
}

/* The place of a string's name in list [count], or the one behind the last. */
static size_t place_of(const uint16_t **list, size_t count, const uint16_t *text)
{
	for (size_t n = 0; n < count; n++)
		if (!compare_names(list[n], text))
			return n;
	return count;
}

/* Returns the block of list [count]. */
static uint16_t *make_block(const uint16_t **list, size_t count)
{
	size_t room = 2, used = 0;
	uint16_t *block;

	for (size_t n = 0; n < count; n++)
		room += units_of(list[n]) + 1;
	block = calloc(room, sizeof(*block));
	for (size_t n = 0; block && n < count; n++) {
		size_t units = units_of(list[n]) + 1;

		memcpy(block + used, list[n], units * sizeof(*block));
		used += units;
	}
	return block;
}

uint16_t *win_environment(const uint16_t *own, char *const *others)
{
	size_t count = 0, more = 0, used = 0, mine = 0;
	uint16_t **wide, *block = NULL;
	const uint16_t **list;

	for (const uint16_t *p = own; *p; p += units_of(p) + 1)
		count++;
	while (others[more])
		more++;
	list = calloc(count + more + 1, sizeof(*list));
	wide = calloc(more + 1, sizeof(*wide));
	for (const uint16_t *p = own; list && *p; p += units_of(p) + 1)
		list[used++] = p;
	for (; wide && mine < more; mine++) {
		wide[mine] = win_wide(others[mine], strlen(others[mine]), NULL);
		if (!wide[mine])
			break;
		count = list ? place_of(list, used, wide[mine]) : used;
		if (list)
			list[count] = wide[mine];
		used += count == used;
	}
	if (list && wide && mine == more) {
		qsort(list, used, sizeof(*list), compare);
		block = make_block(list, used);
	}
	for (size_t n = 0; wide && n < mine; n++)
		free(wide[n]);
	free(wide);
	free(list);
	return block;
}
