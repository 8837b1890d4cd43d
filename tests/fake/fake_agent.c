// SPDX-License-Identifier: MIT
/* An agent that a test writes. */
#include "fake_agent.h"

#include <stdio.h>
#include <stdlib.h>

struct fake_agent fake_agent;

static size_t on_send(void *opaque, const void *data, size_t bytes)
{
	struct fake_agent *f = &fake_agent;
	size_t taken = bytes < f->room ? bytes : f->room;

	if (f->first + f->count + taken > sizeof(f->heard)) {
		memmove(f->heard, f->heard + f->first, f->count);
		f->first = 0;
	}
	if (f->count + taken > sizeof(f->heard))
		abort();
	memcpy(f->heard + f->first + f->count, data, taken);
	f->count += taken;
	f->room -= taken;
	return taken;
}

static void on_state(void *opaque)
{
	fake_agent.states++;
}

static void on_broken(void *opaque)
{
	fake_agent.breaks++;
}

static void on_log(void *opaque, enum mh_log_level level, const char *text)
{
	fake_agent.logs++;
	snprintf(fake_agent.last_log, sizeof(fake_agent.last_log), "%s", text);
}

static void begin(u32 features, const struct mh_clip_policy *policy)
{
	const struct mhi_agent_env env = { .send = on_send,
					   .state = on_state,
					   .broken = on_broken,
					   .log = &fake_agent.log,
					   .owner = "agent",
					   .features = features,
					   .clip = *policy };

	memset(&fake_agent, 0, offsetof(struct fake_agent, heard));
	fake_agent.first = fake_agent.count = 0;
	fake_agent.room = SIZE_MAX;
	mhi_log_init(&fake_agent.log, on_log, NULL, MH_LOG_INFO);
	if (mhi_agent_create(&env, &fake_agent.session))
		abort();
}

void fake_agent_begin(u32 features)
{
	const struct mh_clip_policy policy = MH_CLIP_POLICY_INIT;

	begin(features, &policy);
}

void fake_agent_begin_with(const struct mh_clip_policy *policy)
{
	begin(MH_AGENT_ALL, policy);
}

void fake_agent_end(void)
{
	mhi_agent_destroy(fake_agent.session);
	mhi_log_fini(&fake_agent.log);
}

void fake_agent_say(u32 type, u32 serial, const void *msg)
{
	size_t bytes = mhi_agent_encode(fake_agent.frame, MHI_AGENT_FRAME, type, serial, msg);

	if (!bytes)
		abort();
	mhi_agent_receive(fake_agent.session, fake_agent.frame, bytes);
}

void fake_agent_say_data(u32 serial, u32 stream, const void *data, size_t bytes)
{
	const struct mhi_msg_data msg = { stream, { data, (u32)bytes }, 0 };

	fake_agent_say(MHI_MSG_DATA, serial, &msg);
}

void fake_agent_say_result(u32 serial, u32 code, const char *text)
{
	const struct mhi_msg_result msg = { code, text, 0 };

	fake_agent_say(MHI_MSG_RESULT, serial, &msg);
}

void fake_agent_hello(u32 serial, u32 features)
{
	const struct mhi_msg_hello msg = { MHI_AGENT_VERSION, features, "linux", "fake 1", 0 };

	fake_agent_say(MHI_MSG_HELLO, serial, &msg);
}

bool fake_agent_hear(struct mhi_agent_msg *msg)
{
	struct fake_agent *f = &fake_agent;
	long bytes = mhi_agent_frame(f->heard + f->first, f->count);

	if (bytes < 0)
		abort();
	if (!bytes)
		return false;
	if (mhi_agent_decode(f->heard + f->first, msg))
		abort();
	f->first += (size_t)bytes;
	f->count -= (size_t)bytes;
	return true;
}

bool fake_agent_hear_type(u32 type, struct mhi_agent_msg *msg)
{
	while (fake_agent_hear(msg))
		if (msg->type == type)
			return true;
	return false;
}
