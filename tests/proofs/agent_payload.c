// SPDX-License-Identifier: MIT
/*
 * The payloads of the agent protocol, of each kind of message in the protocol's table.
 *
 * decode: of any payload of any length up to the most that a frame may have. No read leaves the
 * frame, no write the message; what is accepted has its texts and its rest in the frame, where
 * they were found to be good, with the final zero.
 *
 * A message's kind is looked up by a number that CBMC knows, and claimed to be the frame's.
 *
 * Stubs: mhi_agent_is_text judges anything of what it can read ("agent_proto" is about it).
 *
 * change: src/integration/agent_proto.h $i uint32_t proof_kind(uint32_t type);
 * change: src/integration/agent_proto.c s/find(msg->type)/find(proof_kind(msg->type))/
 * source: src/integration/agent_proto.c
 * prove: decode_without --unwind 43
 * prove: decode_one --unwind 43
 * prove: decode_two_low --unwind 43
 * prove: decode_two_high --unwind 43
 * prove: decode_three --unwind 43
 * prove: decode_four --unwind 43
 * fault: decode_one src/integration/agent_proto.c s/r->at) < bytes/r->at) + 1 < bytes/
 * fault: decode_one src/integration/agent_proto.c s/p \&\& bytes \&\& !p/p \&\& !p/
 * fault: decode_one src/integration/agent_proto.c s/\&\& !p\[bytes - 1\]//
 * fault: decode_without src/integration/agent_proto.c s/(p->at + align - 1)/(p->at + align)/
 */
#include "integration/agent_proto.h"
#include "proof.h"

#define TEXTS_MOST 4

/* What was found to be good, of the frame at hand. */
static struct {
	const void *data;
	size_t bytes;
} good[TEXTS_MOST];
static unsigned int goods;
static uint8_t *frame;
static size_t payload;
static uint32_t kind;

uint32_t proof_kind(uint32_t type)
{
	CLAIM(type == kind);
	return kind;
}

int mhi_agent_is_text(const void *data, size_t bytes)
{
	CLAIM(READABLE(data, bytes + 1) && !((const char *)data)[bytes]);
	if (nondet_bool() || goods == TEXTS_MOST)
		return 0;
	good[goods].data = data;
	good[goods++].bytes = bytes;
	return 1;
}

static void in_frame(const void *data, size_t bytes)
{
	size_t at = __CPROVER_POINTER_OFFSET(data);

	CLAIM(__CPROVER_same_object(data, frame) && at >= MHI_AGENT_HEADER);
	CLAIM(at <= MHI_AGENT_HEADER + payload && bytes <= MHI_AGENT_HEADER + payload - at);
}

static void a_text(const char *text)
{
	bool found = false;

	for (unsigned int n = 0; n < TEXTS_MOST; n++)
		if (n < goods && good[n].data == text) {
			in_frame(text, good[n].bytes + 1);
			found = true;
		}
	CLAIM(found);
}

static void any_frame(uint32_t type)
{
	payload = nondet_size();
	ASSUME(payload <= MHI_AGENT_PAYLOAD);
	frame = __CPROVER_allocate(MHI_AGENT_HEADER + payload, false);
	kind = type;
	frame[4] = (uint8_t)type;
	frame[5] = (uint8_t)(type >> 8);
	frame[6] = frame[7] = 0;
	for (int n = 0; n < 4; n++)
		frame[12 + n] = (uint8_t)(payload >> 8 * n);
	goods = 0;
}

#define NOTHING(f)
#define TEXT(f) a_text(m->f);
#define REST(f) in_frame(m->f.data, m->f.bytes);
#define DECODE(NAME, name, number)                                                       \
	static void decode_##name(void)                                                  \
	{                                                                                \
		struct mhi_agent_msg msg;                                                \
		const struct mhi_msg_##name *m = &msg.u.name;                            \
		int rc;                                                                  \
                                                                                         \
		any_frame(number);                                                       \
		rc = mhi_agent_decode(frame, &msg);                                      \
		CLAIM(rc == 0 || rc == -1);                                              \
		CLAIM(msg.type == (number));                                             \
		if (!rc) {                                                               \
			MHI_AGENT_##NAME(NOTHING, NOTHING, NOTHING, TEXT, REST)(void) m; \
		}                                                                        \
	}
MHI_AGENT_MESSAGES(DECODE)

#define ONE(f) +1
#define TEXTS(NAME) (0 MHI_AGENT_##NAME(NOTHING, NOTHING, NOTHING, ONE, NOTHING))
/* Kinds that have so many texts; all at once are too much for one run. */
#define DECODE_IF(NAME, name, number)                                      \
	if (TEXTS(NAME) == texts && (number) >= first && (number) <= last) \
		decode_##name();

/* They are all kinds. */
#define FOUR_MOST(NAME, name, number) MHI_STATIC_ASSERT(TEXTS(NAME) <= TEXTS_MOST);
MHI_AGENT_MESSAGES(FOUR_MOST)

static void decode_those(int texts, uint32_t first, uint32_t last)
{
	MHI_AGENT_MESSAGES(DECODE_IF)
}

void decode_without(void)
{
	decode_those(0, 0, 0xffff);
}

void decode_one(void)
{
	decode_those(1, 0, 0xffff);
}

void decode_two_low(void)
{
	decode_those(2, 0, 0x2f);
}

void decode_two_high(void)
{
	decode_those(2, 0x30, 0xffff);
}

void decode_three(void)
{
	decode_those(3, 0, 0xffff);
}

void decode_four(void)
{
	decode_those(4, 0, 0xffff);
}
