/* SPDX-License-Identifier: MIT */
/* Shutting down, and the clock. */
#include <errno.h>
#include <string.h>
#include <sys/reboot.h>
#include <time.h>
#include <unistd.h>

#include "agent.h"
#include "fail.h"

/* The answer is on its way by then, or nobody reads it. */
#define ANSWER_MS 1000u

void power_down(void *os, struct ga_request *r, const struct mhi_agent_msg *msg)
{
	struct agent *agent = os;

	if (msg->u.shutdown.mode != MHI_AGENT_OFF && msg->u.shutdown.mode != MHI_AGENT_REBOOT) {
		ga_end(r, MHI_AGENT_INVALID, "there is no way %u to shut down",
		       msg->u.shutdown.mode);
		return;
	}
	agent->down = (int)msg->u.shutdown.mode;
	agent->down_ms = loop_now() + ANSWER_MS;
	ga_done(r);
}

/*
 * The first of these that is there: what the embedder of the guest wants, systemd, an init with
 * its own programs (sysvinit's, busybox's, OpenRC's).
 */
static int run_the_systems_own(const struct agent *agent, bool reboots)
{
	char verb[16] = "poweroff";
	char *own[] = { (char *)(uintptr_t)agent->power, verb, NULL };
	char *systemd[] = { "systemctl", "--no-block", verb, NULL };
	char *plain[] = { verb, NULL };

	if (reboots)
		memcpy(verb, "reboot", sizeof("reboot"));
	if (agent->power)
		return run_detached(own);
	if (access("/run/systemd/system", F_OK) == 0 && run_detached(systemd) == 0)
		return 0;
	/* Without an init beside us they would signal us. */
	return getpid() == 1 ? -1 : run_detached(plain);
}

void power_step(struct agent *agent)
{
	const uint8_t *data;
	int how = agent->down;

	if (how < 0)
		return;
	if (ga_output(&agent->session, &data) && loop_now() < agent->down_ms) {
		loop_wake(&agent->loop, agent->down_ms);
		return;
	}
	agent->down = -1;
	if (run_the_systems_own(agent, how == MHI_AGENT_REBOOT) == 0)
		return;
	sync();
	reboot(how == MHI_AGENT_REBOOT ? RB_AUTOBOOT : RB_POWER_OFF);
}

void power_time(void *os, struct ga_request *r, const struct mhi_agent_msg *msg)
{
	uint64_t ns = msg->u.set_time.unix_ns;
	struct timespec now = { .tv_sec = (time_t)(ns / 1000000000u),
				.tv_nsec = (long)(ns % 1000000000u) };

	if (clock_settime(CLOCK_REALTIME, &now) == 0)
		ga_done(r);
	else
		ga_end(r, fail_code(errno), "cannot set the clock: %s", strerror(errno));
}
