// SPDX-License-Identifier: MIT
/* Packets of GDB's remote serial protocol: "$body#checksum", acknowledged by '+' or '-'. */
#include "core/gdb_rsp.h"

#include <string.h>

#define CTRL_C 0x03
#define ESCAPE 0x7d /* '}': the next byte is XORed with 0x20 */
#define ESCAPE_XOR 0x20

static const char digits[] = "0123456789abcdef";

static int digit(u8 c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* ---- in ---- */

static void begin(struct mhi_rsp_in *in)
{
	in->at = MHI_RSP_BODY;
	in->bytes = 0;
	in->sum = 0;
	in->escape = in->too_long = false;
}

static enum mhi_rsp_event feed_idle(struct mhi_rsp_in *in, u8 byte)
{
	if (byte == '$')
		begin(in);
	if (byte == CTRL_C)
		return MHI_RSP_BREAK;
	return byte == '-' ? MHI_RSP_AGAIN : MHI_RSP_NOTHING;
}

static void feed_body(struct mhi_rsp_in *in, u8 byte)
{
	if (byte == '#') {
		in->at = MHI_RSP_SUM_HIGH;
		return;
	}
	if (byte == '$') {
		/* The end of the one before was lost. */
		begin(in);
		return;
	}
	in->sum = (u8)(in->sum + byte);
	if (byte == ESCAPE && !in->escape) {
		in->escape = true;
		return;
	}
	if (in->bytes == MHI_RSP_PACKET)
		in->too_long = true;
	else
		in->body[in->bytes++] = in->escape ? byte ^ ESCAPE_XOR : byte;
	in->escape = false;
}

static enum mhi_rsp_event end(struct mhi_rsp_in *in, u8 byte)
{
	int low = digit(byte), high = digit(in->told);

	in->at = MHI_RSP_IDLE;
	in->body[in->bytes] = '\0';
	if (low < 0 || high < 0 || in->sum != (high << 4 | low) || in->too_long || in->escape)
		return MHI_RSP_BAD;
	return MHI_RSP_PACKET_IN;
}

enum mhi_rsp_event mhi_rsp_feed(struct mhi_rsp_in *in, u8 byte)
{
	switch (in->at) {
	case MHI_RSP_IDLE:
		return feed_idle(in, byte);
	case MHI_RSP_BODY:
		feed_body(in, byte);
		return MHI_RSP_NOTHING;
	case MHI_RSP_SUM_HIGH:
		in->told = byte;
		in->at = MHI_RSP_SUM_LOW;
		return MHI_RSP_NOTHING;
	case MHI_RSP_SUM_LOW:
		return end(in, byte);
	}
	return MHI_RSP_NOTHING;
}

/* ---- out ---- */

static void put(struct mhi_rsp_out *out, u8 byte)
{
	/* Room for the end is always left, and for an acknowledgement. */
	if (out->bytes >= sizeof(out->data) - 4) {
		out->overflow = true;
		return;
	}
	out->data[out->bytes++] = byte;
	out->sum = (u8)(out->sum + byte);
}

void mhi_rsp_begin(struct mhi_rsp_out *out)
{
	out->bytes = 0;
	out->overflow = false;
	put(out, '$');
	out->sum = 0;
}

void mhi_rsp_binary(struct mhi_rsp_out *out, const void *data, size_t bytes)
{
	const u8 *at = data;

	for (; bytes; bytes--, at++) {
		/* '*' begins a run length. */
		bool special = *at == '$' || *at == '#' || *at == ESCAPE || *at == '*';

		if (special)
			put(out, ESCAPE);
		put(out, special ? *at ^ ESCAPE_XOR : *at);
	}
}

void mhi_rsp_text(struct mhi_rsp_out *out, const char *text)
{
	mhi_rsp_binary(out, text, strlen(text));
}

void mhi_rsp_hex(struct mhi_rsp_out *out, const void *data, size_t bytes)
{
	const u8 *at = data;

	for (; bytes; bytes--, at++) {
		put(out, (u8)digits[*at >> 4]);
		put(out, (u8)digits[*at & 15]);
	}
}

void mhi_rsp_number(struct mhi_rsp_out *out, u64 value)
{
	int shift = 60;

	while (shift && !(value >> shift))
		shift -= 4;
	for (; shift >= 0; shift -= 4)
		put(out, (u8)digits[value >> shift & 15]);
}

void mhi_rsp_end(struct mhi_rsp_out *out)
{
	u8 sum = out->sum;

	out->data[out->bytes++] = '#';
	out->data[out->bytes++] = (u8)digits[sum >> 4];
	out->data[out->bytes++] = (u8)digits[sum & 15];
}

/* ---- bodies ---- */

bool mhi_rsp_take_number(const char **at, u64 *value)
{
	const char *from = *at;
	u64 n = 0;

	for (; digit((u8) * *at) >= 0; (*at)++) {
		if (n >> 60) {
			*at = from;
			return false;
		}
		n = n << 4 | (u64)digit((u8) * *at);
	}
	*value = n;
	return *at != from;
}

bool mhi_rsp_take(const char **at, const char *text)
{
	size_t bytes = strlen(text);

	if (strncmp(*at, text, bytes) != 0)
		return false;
	*at += bytes;
	return true;
}

bool mhi_rsp_take_hex(const char **at, void *data, size_t bytes)
{
	u8 *to = data;

	for (; bytes; bytes--, *at += 2) {
		int high = digit((u8)(*at)[0]), low = high < 0 ? -1 : digit((u8)(*at)[1]);

		if (low < 0)
			return false;
		*to++ = (u8)(high << 4 | low);
	}
	return true;
}
