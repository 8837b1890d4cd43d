/* SPDX-License-Identifier: MIT */
/* Texts that a guest chose, as they may be shown. */
#include "x11_priv.h"

#include <string.h>

/* Bytes of the UTF-8 character at text (terminated); 0: none. */
static size_t character(const unsigned char *text, uint32_t *code)
{
	static const uint32_t least[] = { 0, 0, 0x80, 0x800, 0x10000 };
	size_t bytes = *text < 0x80	  ? 1
		       : *text >> 5 == 6  ? 2
		       : *text >> 4 == 14 ? 3
		       : *text >> 3 == 30 ? 4
					  : 0;

	if (!bytes)
		return 0;
	*code = bytes == 1 ? *text : *text & (0x7fu >> bytes);
	for (size_t n = 1; n < bytes; n++) {
		if (text[n] >> 6 != 2)
			return 0;
		*code = *code << 6 | (text[n] & 0x3f);
	}
	return *code < least[bytes] || *code > 0x10ffff || *code >> 11 == 0x1b ? 0 : bytes;
}

/* What would let a title look like another one: control characters, and those that turn writing. */
static bool bad(uint32_t code)
{
	return code < 0x20 || (code >= 0x7f && code < 0xa0) || code == 0x200e || code == 0x200f ||
	       (code >= 0x2028 && code <= 0x202e) || (code >= 0x2066 && code <= 0x2069);
}

size_t mhi_x_clean(char *out, size_t room, const char *text)
{
	const unsigned char *from = (const unsigned char *)(text ? text : "");
	size_t at = 0, bytes;
	uint32_t code;

	while (*from) {
		bytes = character(from, &code);
		if (at + (bytes ? bytes : 1) >= room)
			break;
		if (!bytes || bad(code)) {
			out[at++] = bytes ? ' ' : '?';
		} else {
			memcpy(out + at, from, bytes);
			at += bytes;
		}
		from += bytes ? bytes : 1;
	}
	out[at] = '\0';
	return at;
}
