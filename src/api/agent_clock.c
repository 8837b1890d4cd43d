/* SPDX-License-Identifier: MIT */
/* The guest's clock, which its agent sets after a pause, and when the host's has jumped. */
#include "api/agent_impl.h"

#include <errno.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

/* It never expires. */
#define FAR_S (1ll << 32)

void mhi_agent_set_clock(struct mh_agent *agent)
{
	struct timespec now;
	struct mhi_msg_set_time msg;
	const struct mhi_agent_plain plain = { .feature = MHI_AGENT_F_TIME,
					       .type = MHI_MSG_SET_TIME,
					       .msg = &msg };

	if (agent->flags & MH_AGENT_NO_TIME)
		return;
	clock_gettime(CLOCK_REALTIME, &now);
	msg = (struct mhi_msg_set_time){ .unix_ns = (u64)now.tv_sec * 1000000000ull +
						    (u64)now.tv_nsec };
	mhi_agent_ask_plain(agent->session, &plain);
}

static void on_clock(void *opaque, unsigned int events)
{
	struct mh_agent *agent = opaque;
	u64 count;

	/* timerfd_create(2), TFD_TIMER_CANCEL_ON_SET. */
	if (read(agent->clock, &count, sizeof(count)) < 0 && errno == ECANCELED)
		mhi_agent_set_clock(agent);
}

void mhi_agent_clock_begin(struct mh_agent *agent)
{
	const struct itimerspec far = { .it_value.tv_sec = FAR_S };

	if (agent->clock >= 0 || (agent->flags & MH_AGENT_NO_TIME))
		return;
	agent->clock = timerfd_create(CLOCK_REALTIME, TFD_CLOEXEC | TFD_NONBLOCK);
	if (agent->clock >= 0 &&
	    !timerfd_settime(agent->clock, TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET, &far,
			     NULL) &&
	    !mhi_loop_watch(agent->loop, agent->clock, MHI_WATCH_READ, on_clock, agent,
			    &agent->clock_watch))
		return;
	/* Without a descriptor it has a clock all the same; the next connection tries again. */
	mhi_agent_clock_end(agent);
}

void mhi_agent_clock_end(struct mh_agent *agent)
{
	if (agent->clock_watch)
		mhi_loop_unwatch(agent->clock_watch);
	if (agent->clock >= 0)
		close(agent->clock);
	agent->clock_watch = NULL;
	agent->clock = -1;
}
