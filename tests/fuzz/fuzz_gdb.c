// SPDX-License-Identifier: MIT
/*
 * Fuzzes the GDB stub's protocol (libFuzzer): a peer that sends anything. What is sent is well
 * formed, and what the peer gets is never more than it asked for.
 */
#include <stdlib.h>
#include <string.h>

#include "core/gdb_serve.h"
#include "fake_gdb.h"
#include "fuzz.h"

/* In place of bytes from 0x80 on: what makes packets that are taken. */
static const char *const words[] = {
	"$",
	"#",
	"\x03",
	"-",
	"+",
	"m10000,",
	"M10010,4:01020304",
	"X10000,3:",
	"Z0,10000,1",
	"Z2,10001,10",
	"z1,0,1",
	"vCont;s:1;c",
	"vCont;c",
	"vCont?",
	"qSupported:swbreak+",
	"qXfer:features:read:target.xml:0,ffb",
	"qfThreadInfo",
	"qThreadExtraInfo,1",
	"Hg2",
	"Hc-1",
	"T3",
	"p10",
	"P10=0011223344556677",
	"g",
	"G",
	"?",
	"c",
	"s",
	"D",
	"k",
	"QStartNoAckMode",
	"Qqemu.PhyMemMode:1",
	"ffffffffffffffff",
	"}\x03",
};

#define WORDS (sizeof(words) / sizeof(words[0]))

/* Packets as "$...#": the checksum is made right, mostly, so that they get through. */
static size_t frame(const u8 *data, size_t size, u8 *out, size_t most)
{
	static const char hex[] = "0123456789abcdef";
	size_t used = 0;
	u8 sum = 0;

	for (size_t n = 0; n < size; n++) {
		const char *word = data[n] >= 0x80 ? words[(data[n] - 0x80u) % WORDS] : NULL;
		const u8 *from = word ? (const u8 *)word : data + n;
		size_t bytes = word ? strlen(word) : 1;

		if (used + bytes + 2 > most)
			break;
		for (size_t i = 0; i < bytes; i++) {
			out[used++] = from[i];
			if (from[i] == '$')
				sum = 0;
			else if (from[i] != '#')
				sum = (u8)(sum + from[i]);
		}
		if (from[bytes - 1] == '#' && n % 16) {
			out[used++] = (u8)hex[sum >> 4];
			out[used++] = (u8)hex[sum & 15];
		}
	}
	return used;
}

static void check_sent(const u8 *bytes, size_t count)
{
	u8 sum = 0;
	size_t n = 0;

	if (count && (*bytes == '+' || *bytes == '-'))
		n++;
	if (n == count)
		return;
	if (count < n + 4 || bytes[n] != '$' || bytes[count - 3] != '#')
		abort();
	for (n++; n < count - 3; n++) {
		sum = (u8)(sum + bytes[n]);
		if (bytes[n] == '$' || bytes[n] == '#')
			abort();
	}
	if ((sum >> 4) !=
	    (bytes[count - 2] <= '9' ? bytes[count - 2] - '0' : bytes[count - 2] - 'a' + 10))
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct mhi_gdb g;
	static struct fake_gdb guest;
	static u8 stream[1 << 16];
	const struct mhi_gdb_stop stop = { .cpu = 1, .why = MHI_GDB_POINT, .point = MHI_GDB_WRITE };
	size_t count = frame(data, size, stream, sizeof(stream)), at = 0;

	memset(&guest, 0, sizeof(guest));
	mhi_gdb_init(&g, &fake_gdb_target, &guest, FAKE_GDB_CPUS);
	while (at < count && !g.over) {
		const u8 *bytes;
		size_t n = mhi_gdb_feed(&g, stream + at, count - at), sent;

		at += n;
		sent = mhi_gdb_pending(&g, &bytes);
		if (!n && !sent)
			abort();
		if (sent)
			check_sent(bytes, sent);
		mhi_gdb_sent(&g, sent);
		if (g.cpu >= FAKE_GDB_CPUS)
			abort();
		if (g.running && !sent)
			mhi_gdb_stopped(&g, &stop);
		mhi_gdb_sent(&g, mhi_gdb_pending(&g, &bytes));
	}
	return 0;
}
