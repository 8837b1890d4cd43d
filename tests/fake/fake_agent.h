/* SPDX-License-Identifier: MIT */
/*
 * An agent that a test writes: it says what the test wants, and keeps what the session says, over a
 * line that takes as much as the test lets it.
 */
#ifndef FAKE_AGENT_H
#define FAKE_AGENT_H

#include "integration/agent.h"

#define FAKE_AGENT_KEPT (4u << 20)

extern struct fake_agent {
	struct mhi_agent *session;
	struct mhi_log log;
	size_t room;		  /* bytes that the line still takes */
	u32 states, breaks, logs; /* how often these were told */
	char last_log[1024];
	u8 heard[FAKE_AGENT_KEPT];
	size_t first, count; /* what of that was not looked at */
	u8 frame[MHI_AGENT_FRAME];
} fake_agent;

/* A session with any features, the default policy, and a line without limits. */
void fake_agent_begin(u32 features);
void fake_agent_begin_with(const struct mh_clip_policy *policy);
void fake_agent_end(void);
/* The agent says it. */
void fake_agent_say(u32 type, u32 serial, const void *msg);
void fake_agent_say_data(u32 serial, u32 stream, const void *data, size_t bytes);
void fake_agent_say_result(u32 serial, u32 code, const char *text);
void fake_agent_hello(u32 serial, u32 features);
/* The next message of the host. False: there is none. */
bool fake_agent_hear(struct mhi_agent_msg *msg);
/* The next one of this type; others are dropped. */
bool fake_agent_hear_type(u32 type, struct mhi_agent_msg *msg);

#endif
