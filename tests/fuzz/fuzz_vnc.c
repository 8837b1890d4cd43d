// SPDX-License-Identifier: MIT
/*
 * Fuzzes what VNC clients send, whole messages and pieces of them, while the display changes and
 * the client reads or does not: what is due fits into the buffer, and an update has as many bytes
 * as its head says.
 */
#include <stdlib.h>
#include <string.h>

#include "fuzz.h"
#include "vnc/rfb.h"

#define OPS_MOST 200
#define SIDE_MOST 256

static struct rfb_client client;
static struct rfb_cursor cursor;
static uint8_t pixels[SIDE_MOST * SIDE_MOST * 4];
static unsigned long done;
static uint32_t down;

static void on_key(void *opaque, uint32_t code, bool pressed)
{
	if (code >= RFB_KEYS)
		fuzz_die("vnc", "a key that there is not");
	done += pressed;
}

static void on_pointer(void *opaque, uint32_t x, uint32_t y, uint32_t width, uint32_t height)
{
	if (x >= width || y >= height)
		fuzz_die("vnc", "a pointer that is outside");
	done++;
}

static void on_button(void *opaque, unsigned int button, bool pressed)
{
	if (button > 7 || (down >> button & 1) == pressed)
		fuzz_die("vnc", "a button that does not change");
	down ^= 1u << button;
}

static const struct rfb_events events = { on_key, on_pointer, on_button };

/* A likely message, or noise. */
static size_t message(struct fuzz_input *in, uint8_t *to)
{
	static const uint8_t starts[][8] = {
		{ 0, 0, 0, 0, 32, 24, 0, 1 }, { 2, 0, 0, 3, 255, 255, 255, 33 },
		{ 3, 0, 0, 0, 0, 0, 1, 0 },   { 4, 1, 0, 0, 0, 0, 0, 'a' },
		{ 5, 1, 0, 9, 0, 9, 3, 1 },   { 6, 0, 0, 0, 0, 0, 0, 9 },
		{ 255, 0, 0, 1, 0, 0, 0, 0 }, "RFB 003"
	};
	static const uint8_t lengths[] = { 20, 16, 10, 8, 6, 17, 12, 12 };
	uint8_t how = (uint8_t)fuzz_take(in, 1);
	size_t length = how & 0x40 ? 1u + (how & 15) : lengths[how & 7];

	for (size_t n = 0; n < length; n++)
		to[n] = n < 8 && !(how & 0x40) ? starts[how & 7][n] : (uint8_t)fuzz_take(in, 1);
	return length;
}

static void receive(struct fuzz_input *in, bool *lives)
{
	uint8_t bytes[32];
	size_t length = message(in, bytes), room = sizeof(client.in) - client.in_bytes;

	length = length < room ? length : room;
	memcpy(client.in + client.in_bytes, bytes, length);
	client.in_bytes += length;
	*lives = rfb_take(&client, &events, NULL);
	if (client.in_bytes > 20 && *lives)
		fuzz_die("vnc", "a message that is never whole");
}

static void transmit(struct fuzz_input *in, const struct rfb_picture *picture)
{
	uint8_t how = (uint8_t)fuzz_take(in, 1);

	if (!client.out_bytes)
		rfb_fill(&client, picture, &cursor);
	if (client.out_bytes > RFB_OUT)
		fuzz_die("vnc", "more than there is room for");
	if (how & 3)
		client.out_bytes = 0;
}

static void operate(struct fuzz_input *in, struct rfb_picture *picture, bool *lives)
{
	uint8_t op = (uint8_t)fuzz_take(in, 1);

	switch (op & 7) {
	case 0:
		rfb_damage(&client, op * 3u, (uint32_t)fuzz_take(in, 1), op,
			   (uint32_t)fuzz_take(in, 4));
		break;
	case 1:
		picture->width = 1u + op;
		picture->height = 1u + (uint32_t)fuzz_take(in, 1);
		picture->at = op & 8 ? pixels : NULL;
		break;
	case 2:
		cursor.width = op % (RFB_CURSOR + 1);
		cursor.height = 1 + op / 3;
		client.tell_cursor = client.has_cursor;
		break;
	case 3:
		transmit(in, picture);
		break;
	default:
		receive(in, lives);
	}
}

/* Whatever is due ends, when the client reads. */
static void finish(const struct rfb_picture *picture)
{
	for (unsigned int n = 0; n < 2000; n++) {
		client.out_bytes = 0;
		if (!rfb_wants_out(&client, picture))
			return;
		rfb_fill(&client, picture, &cursor);
		if (!client.out_bytes)
			fuzz_die("vnc", "nothing comes of what is due");
	}
	fuzz_die("vnc", "an update that does not end");
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	struct fuzz_input in = { data, data + size };
	struct rfb_picture picture = { pixels, 200, 100, SIDE_MOST * 4 };
	bool lives = true;

	down = 0;
	cursor.width = 0;
	rfb_begin(&client, 0, picture.width, picture.height);
	if (fuzz_take(&in, 1) & 1) {
		memcpy(client.in, "RFB 003.008\n\1\1", 14);
		client.in_bytes = 14;
		lives = rfb_take(&client, &events, NULL);
	}
	for (unsigned int n = 0; n < OPS_MOST && lives && fuzz_more(&in); n++)
		operate(&in, &picture, &lives);
	if (lives)
		finish(&picture);
	rfb_end(&client, &events, NULL);
	if (down)
		fuzz_die("vnc", "a button stays down");
	return 0;
}
