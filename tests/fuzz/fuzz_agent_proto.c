// SPDX-License-Identifier: MIT
/*
 * Fuzzes the agent protocol's codec (libFuzzer): a peer that sends anything. What is decoded can be
 * encoded again, to the same frame.
 */
#include <string.h>

#include "fuzz.h"
#include "integration/agent_proto.h"

static const u8 types[] = {
#define NUMBER(NAME, name, number) number,
	MHI_AGENT_MESSAGES(NUMBER)
};

/* The bytes as they are, or as the payload of a frame whose header is right. */
static size_t make_frame(const u8 *data, size_t size, u8 *out)
{
	size_t most = MHI_AGENT_FRAME - MHI_AGENT_HEADER;
	size_t payload = size < most ? size : most;

	if (!size || data[0] >= 2 * sizeof(types)) {
		memcpy(out, data, payload);
		return payload;
	}
	memcpy(out, "MHA1\0\0\0\0\1\2\3\4", 12);
	out[4] = types[data[0] % sizeof(types)];
	payload--;
	for (unsigned int n = 0; n < 4; n++)
		out[12 + n] = (u8)(payload >> 8 * n);
	memcpy(out + MHI_AGENT_HEADER, data + 1, payload);
	return MHI_AGENT_HEADER + payload;
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	static u8 again[MHI_AGENT_FRAME];
	u8 *frame = malloc(MHI_AGENT_FRAME);
	struct mhi_agent_msg msg;
	size_t bytes;
	long whole;

	if (!frame)
		return 0;
	bytes = make_frame(data, size, frame);
	whole = mhi_agent_frame(frame, bytes);
	if (whole > (long)bytes)
		fuzz_die("frame", "longer than what there is");
	if (whole > 0) {
		/* Nothing behind the frame is to be looked at. */
		u8 *exact = realloc(frame, (size_t)whole);

		frame = exact ? exact : frame;
		if (!mhi_agent_decode(frame, &msg) &&
		    (mhi_agent_encode(again, sizeof(again), msg.type, msg.serial, &msg.u) !=
			     (size_t)whole ||
		     memcmp(frame, again, (size_t)whole) != 0))
			fuzz_die("encoded again", "it is another frame");
	}
	free(frame);
	return 0;
}
