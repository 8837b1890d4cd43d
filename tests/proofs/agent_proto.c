// SPDX-License-Identifier: MIT
/*
 * The agent protocol's codec.
 *
 * frame: looking for a frame reads no more than there is; what it accepts lies in the bytes, and no
 * payload is longer than it may be.
 *
 * text: judging a text reads only the text.
 * Bounds: at most 5 bytes.
 *
 * source: src/integration/agent_proto.c src/integration/agent_text.c
 * prove: frame --unwind 6
 * fault: frame src/integration/agent_proto.c s/bytes < 4 ? bytes : 4/4/
 * fault: frame src/integration/agent_proto.c s/> MHI_AGENT_PAYLOAD/> 2 * MHI_AGENT_PAYLOAD/
 * prove: text --unwind 7
 * fault: text src/integration/agent_text.c s/|| bytes > left)/)/
 */
#include "integration/agent_proto.h"
#include "proof.h"

#define PAYLOAD_MOST 12

static u8 buffer[MHI_AGENT_HEADER + PAYLOAD_MOST];

void frame(void)
{
	size_t bytes = nondet_size();
	const u8 *data;
	long n;

	ANYTHING(buffer);
	ASSUME(bytes <= sizeof(buffer));
	data = buffer + sizeof(buffer) - bytes;
	n = mhi_agent_frame(data, bytes);
	CLAIM(n >= -1 && (n <= 0 || ((size_t)n <= bytes && n >= (long)MHI_AGENT_HEADER)));
	/* More bytes are waited for only where they can come. */
	CLAIM(n || bytes < MHI_AGENT_HEADER || data[14] <= 1);
}

void text(void)
{
	u8 bytes[5];
	size_t n = nondet_size();

	ANYTHING(bytes);
	ASSUME(n <= sizeof(bytes));
	mhi_agent_is_text(bytes + sizeof(bytes) - n, n);
}
