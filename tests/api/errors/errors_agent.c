// SPDX-License-Identifier: MIT
/* Failures around agents in guests. */
#include "errors.h"

#include <unistd.h>

static struct mh_agent *attach(uint32_t transport)
{
	struct mh_agent_config config = MH_AGENT_CONFIG_INIT;
	struct mh_agent *agent;

	config.transport = transport;
	if (mh_agent_attach(vm, &config, &agent))
		die("agent");
	return agent;
}

static int agent_twice(void)
{
	attach(MH_AGENT_VIRTIO);
	return mh_agent_attach(vm, NULL, NULL);
}

static void drop(void *opaque, const void *data, size_t bytes)
{
}

static int agent_com2(void)
{
	struct mh_agent_config config = MH_AGENT_CONFIG_INIT;

	config.transport = MH_AGENT_SERIAL;
	if (mh_serial_attach(vm, 1, drop, NULL))
		die("serial");
	return mh_agent_attach(vm, &config, NULL);
}

static int com2_of_agent(void)
{
	attach(MH_AGENT_SERIAL);
	return mh_serial_attach(vm, 1, drop, NULL);
}

static int agent_mount(void)
{
	struct mh_agent_config config = MH_AGENT_CONFIG_INIT;

	config.mount = "media";
	return mh_agent_attach(vm, &config, NULL);
}

static int agent_clipboard(void)
{
	struct mh_agent_config config = MH_AGENT_CONFIG_INIT;
	struct mh_clip_policy policy = MH_CLIP_POLICY_INIT;

	policy.bytes = 1ull << 31;
	config.clipboard = &policy;
	return mh_agent_attach(vm, &config, NULL);
}

static int no_agent(void)
{
	return mh_agent_shutdown(attach(MH_AGENT_VIRTIO), MH_AGENT_OFF, NULL, NULL);
}

static int nothing_to_run(void)
{
	static const char *const argv[] = { NULL };
	const struct mh_agent_transfer_ops ops = { .version = 1 };
	struct mh_agent_exec_config config = MH_AGENT_EXEC_CONFIG_INIT;

	config.argv = argv;
	return mh_agent_exec(attach(MH_AGENT_VIRTIO), &config, &ops, NULL, NULL);
}

static int no_socket(void)
{
	struct mh_agent *agent;
	int fds[2], rc;

	if (pipe(fds) || dup2(fds[0], 77) < 0)
		die("pipe");
	rc = mh_agent_open(ctx, 77, NULL, &agent);
	close(fds[0]);
	close(fds[1]);
	close(77);
	return rc;
}

static const struct error_row rows[] = {
	{ "a second agent", agent_twice, MH_EEXIST, "agent of VM \"web\"", "it has one already",
	  "close that first", NULL },
	{ "an agent on a serial port in use", agent_com2, MH_EEXIST, "agent of VM \"web\"",
	  "COM2 is in use", "detach its function, or use MH_AGENT_VIRTIO", NULL },
	{ "the serial port that an agent has", com2_of_agent, MH_EEXIST,
	  "serial port of VM \"web\"", "the guest's agent has COM2", "take another one", NULL },
	{ "mounting at a relative path", agent_mount, MH_EINVAL, "agent of VM \"web\"",
	  "config.mount is no absolute path of at most 1000 bytes", "begin it with a /", NULL },
	{ "too much of the clipboard", agent_clipboard, MH_EINVAL, "agent of VM \"web\"",
	  "config.clipboard->bytes is 2147483648, more than 1 GiB", "choose less", NULL },
	{ "no agent is connected", no_agent, MH_ESTATE, "agent of VM \"web\": shut down",
	  "no agent is connected, or nothing was started",
	  "start the agent in the guest and wait for the state callback", NULL },
	{ "no program to run", nothing_to_run, MH_EINVAL, "agent of VM \"web\": exec",
	  "config.argv has no program", "put its name first", NULL },
	{ "an agent over a pipe", no_socket, MH_EINVAL, "agent",
	  "descriptor 77 is no stream socket", "pass one that is connected", NULL },
};
ERROR_GROUP(agent_errors, "Agents", NEEDS_VM, rows);
