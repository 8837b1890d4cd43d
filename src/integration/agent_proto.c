/* SPDX-License-Identifier: MIT */
/* The agent protocol's codec: one encoder and one decoder, driven by the table of messages. */
#include "integration/agent_proto.h"

#include <stdbool.h>
#include <string.h>

/* A letter for each field of a message. */
#define LETTER_U(f) "U"
#define LETTER_I(f) "U"
#define LETTER_L(f) "L"
#define LETTER_S(f) "S"
#define LETTER_R(f) "R"
#define LETTERS(NAME, name, number) \
	{ number, #NAME, "" MHI_AGENT_##NAME(LETTER_U, LETTER_I, LETTER_L, LETTER_S, LETTER_R) },

static const struct message {
	uint32_t type;
	const char *name, *fields;
} messages[] = { MHI_AGENT_MESSAGES(LETTERS) };

static const struct message *find(uint32_t type)
{
	for (size_t n = 0; n < sizeof(messages) / sizeof(messages[0]); n++)
		if (messages[n].type == type)
			return &messages[n];
	return NULL;
}

const char *mhi_agent_name(uint32_t type)
{
	const struct message *message = find(type);

	return message ? message->name : NULL;
}

/* A place in a message's structure. */
struct place {
	char *msg;
	size_t at;
};

/* A step to the next field: it lies where C puts it, at the next multiple of its own alignment. */
static void *step(struct place *p, size_t bytes, size_t align)
{
	size_t field = (p->at + align - 1) & ~(align - 1);

	p->at = field + bytes;
	return p->msg + field;
}

#define STEP(p, type) ((type *)step(p, sizeof(type), _Alignof(type)))

static uint32_t get_u32(const uint8_t *p)
{
	return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

static void put_u32(uint8_t *p, uint32_t v)
{
	for (int n = 0; n < 4; n++)
		p[n] = (uint8_t)(v >> (8 * n));
}

/* ---- encoding ---- */

struct writer {
	uint8_t *at, *end;
	bool failed;
};

static uint8_t *claim(struct writer *w, size_t bytes)
{
	uint8_t *p = w->at;

	if (w->failed || (size_t)(w->end - w->at) < bytes) {
		w->failed = true;
		return NULL;
	}
	w->at += bytes;
	return p;
}

static void write_u32(struct writer *w, uint32_t v)
{
	uint8_t *p = claim(w, 4);

	if (p)
		put_u32(p, v);
}

static void write_bytes(struct writer *w, const void *data, size_t bytes)
{
	uint8_t *p = claim(w, bytes);

	if (p && bytes)
		memcpy(p, data, bytes);
}

static void write_text(struct writer *w, const char *text)
{
	size_t bytes = text ? strlen(text) : 0;

	if (bytes >= MHI_AGENT_PAYLOAD || (text && !mhi_agent_is_text(text, bytes))) {
		w->failed = true;
		return;
	}
	write_u32(w, (uint32_t)bytes + 1);
	write_bytes(w, text ? text : "", bytes + 1);
}

static void write_field(struct writer *w, char letter, struct place *at)
{
	uint64_t number;
	const struct mhi_agent_rest *rest;

	switch (letter) {
	case 'U':
		write_u32(w, *STEP(at, uint32_t));
		break;
	case 'L':
		number = *STEP(at, uint64_t);
		write_u32(w, (uint32_t)number);
		write_u32(w, (uint32_t)(number >> 32));
		break;
	case 'S':
		write_text(w, *STEP(at, const char *));
		break;
	default:
		rest = STEP(at, struct mhi_agent_rest);
		write_bytes(w, rest->data, rest->bytes);
	}
}

size_t mhi_agent_encode(uint8_t *out, size_t room, uint32_t type, uint32_t serial, const void *msg)
{
	const struct message *message = find(type);
	struct writer w = { out, out + (room < MHI_AGENT_FRAME ? room : MHI_AGENT_FRAME), false };
	struct place at = { (char *)(uintptr_t)msg, 0 };

	write_u32(&w, MHI_AGENT_MAGIC);
	write_u32(&w, type);
	write_u32(&w, serial);
	write_u32(&w, 0);
	for (const char *f = message ? message->fields : ""; *f; f++)
		write_field(&w, *f, &at);
	if (!message || w.failed)
		return 0;
	put_u32(out + 12, (uint32_t)(w.at - out - MHI_AGENT_HEADER));
	return (size_t)(w.at - out);
}

/* ---- decoding ---- */

long mhi_agent_frame(const uint8_t *data, size_t bytes)
{
	static const uint8_t magic[4] = { 'M', 'H', 'A', '1' };
	uint32_t payload;

	if (memcmp(data, magic, bytes < 4 ? bytes : 4) != 0)
		return -1;
	if (bytes < MHI_AGENT_HEADER)
		return 0;
	payload = get_u32(data + 12);
	if (payload > MHI_AGENT_PAYLOAD || data[6] || data[7])
		return -1;
	return bytes - MHI_AGENT_HEADER < payload ? 0 : (long)(MHI_AGENT_HEADER + payload);
}

struct reader {
	const uint8_t *at, *end;
	bool failed;
};

static const uint8_t *take(struct reader *r, size_t bytes)
{
	const uint8_t *p = r->at;

	if (r->failed || (size_t)(r->end - r->at) < bytes) {
		r->failed = true;
		return NULL;
	}
	r->at += bytes;
	return p;
}

static uint32_t read_u32(struct reader *r)
{
	const uint8_t *p = take(r, 4);

	return p ? get_u32(p) : 0;
}

static const char *read_text(struct reader *r)
{
	uint32_t bytes = read_u32(r);
	const uint8_t *p = take(r, bytes);

	if (p && bytes && !p[bytes - 1] && mhi_agent_is_text(p, bytes - 1))
		return (const char *)p;
	r->failed = true;
	return "";
}

static void read_field(struct reader *r, char letter, struct place *at)
{
	struct mhi_agent_rest *rest;
	uint64_t *number;

	switch (letter) {
	case 'U':
		*STEP(at, uint32_t) = read_u32(r);
		break;
	case 'L':
		number = STEP(at, uint64_t);
		*number = read_u32(r);
		*number |= (uint64_t)read_u32(r) << 32;
		break;
	case 'S':
		*STEP(at, const char *) = read_text(r);
		break;
	default:
		rest = STEP(at, struct mhi_agent_rest);
		rest->bytes = (uint32_t)(r->end - r->at);
		rest->data = take(r, rest->bytes);
	}
}

int mhi_agent_decode(const uint8_t *frame, struct mhi_agent_msg *msg)
{
	struct reader r = { frame + MHI_AGENT_HEADER, frame + MHI_AGENT_HEADER, false };
	const struct message *message;
	struct place at = { (char *)&msg->u, 0 };

	memset(msg, 0, sizeof(*msg));
	msg->type = get_u32(frame + 4);
	msg->serial = get_u32(frame + 8);
	r.end += get_u32(frame + 12);
	message = find(msg->type);
	if (!message)
		return 1;
	for (const char *f = message->fields; *f; f++)
		read_field(&r, *f, &at);
	return r.failed || r.at != r.end ? -1 : 0;
}
