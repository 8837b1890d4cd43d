/* SPDX-License-Identifier: MIT */
/* The agent in the guest: what a program there does for the host, because only it can. */
#ifndef MACROHARD_AGENT_H
#define MACROHARD_AGENT_H

#include <macrohard/device.h>

#ifdef __cplusplus
extern "C" {
#endif

/* The host's end of an agent, whether one is connected or not. */
struct mh_agent;

/*
 * Contract (draft):
 *   mh_agent_attach(vm, const struct mh_agent_config *, struct mh_agent **out)   [setup]
 *       a port org.macrohard.agent.0 of a console device of its own, and/or a serial port (COM2)
 *   mh_agent_open(ctx, fd, config, out)   a connected stream socket in place of a VM
 *   mh_agent_close(agent)
 *   requests with a callback: info, shutdown, set time, exec, file put and get, mount, resize
 */

#ifdef __cplusplus
}
#endif
#endif
