/* SPDX-License-Identifier: MIT */
/* What the agent protocol takes for a text: UTF-8 without zero bytes. */
#include "integration/agent_proto.h"

/* Bytes of the UTF-8 character at p; 0: none begins there (RFC 3629, 4: syntax of UTF-8). */
static size_t character(const uint8_t *p, size_t left)
{
	size_t bytes = p[0] < 0x80 ? 1 : p[0] < 0xc2 ? 0 : p[0] < 0xe0 ? 2 : p[0] < 0xf0 ? 3 : 4;
	uint8_t low = p[0] == 0xe0 ? 0xa0 : p[0] == 0xf0 ? 0x90 : 0x80;
	uint8_t high = p[0] == 0xed ? 0x9f : p[0] == 0xf4 ? 0x8f : 0xbf;

	if (!p[0] || p[0] > 0xf4 || bytes > left)
		return 0;
	if (bytes > 1 && (p[1] < low || p[1] > high))
		return 0;
	for (size_t n = 2; n < bytes; n++)
		if ((p[n] & 0xc0) != 0x80)
			return 0;
	return bytes;
}

int mhi_agent_is_text(const void *data, size_t bytes)
{
	const uint8_t *p = data;

	while (bytes) {
		size_t n = character(p, bytes);

		if (!n)
			return 0;
		p += n;
		bytes -= n;
	}
	return 1;
}
