/* SPDX-License-Identifier: MIT */
/*
 * What belongs to the session of a user, which the agent that runs as root has no part in: a
 * program of the session (macrohard-guest-x11) does it and connects here. Its messages and the
 * host's for it are handed on. It is less trusted than the agent: it can say nothing but what a
 * desktop has to say, and answer nothing but what it was asked.
 */
#ifndef GUEST_AGENT_DESK_H
#define GUEST_AGENT_DESK_H

#include <sys/types.h>

#include "agent.h"

#define DESK_SOCKET "/run/macrohard-guest/desk"
#define DESK_FEATURES                                                                             \
	(MHI_AGENT_F_CLIPBOARD | MHI_AGENT_F_PRIMARY | MHI_AGENT_F_WINDOWS | MHI_AGENT_F_RESIZE | \
	 MHI_AGENT_F_INPUT)

/*
 * Listen at path for the program of a session: of root, of the agent's user, of user (NULL: nobody
 * else), of the user whose session is the active one of the seat. NULL: it cannot, which was said.
 */
struct desk *desk_open(struct agent *agent, const char *path, const char *user);
void desk_close(struct desk *desk);

/* The functions of struct ga_os. */
void desk_agreed(struct desk *desk, uint32_t features);
bool desk_relay(struct desk *desk, const struct mhi_agent_msg *msg);

/* To be called before each loop_run. */
void desk_step(struct desk *desk);

#endif
