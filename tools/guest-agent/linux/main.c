/* SPDX-License-Identifier: MIT */
/* macrohard-guest-agent: its options, its signals, its loop. */
#include <errno.h>
#include <getopt.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "../files.h"
#include "agent.h"
#include "desk.h"

#define FEATURES                                                                      \
	(MHI_AGENT_F_INFO | MHI_AGENT_F_POWER | MHI_AGENT_F_TIME | MHI_AGENT_F_EXEC | \
	 MHI_AGENT_F_FILES | MHI_AGENT_F_MOUNT)

struct options {
	struct link link;
	uint32_t features;
	const char *desk, *desk_user, *power;
};

static const char usage[] =
	"usage: macrohard-guest-agent [OPTION]...\n"
	"\n"
	"Does for the host of this virtual machine what only a program in it can do.\n"
	"\n"
	"  --port PATH        the port of a virtio console (" LINK_PORT ")\n"
	"  --serial PATH      a serial line instead, such as /dev/ttyS1\n"
	"  --vsock PORT       a vsock port of the host instead\n"
	"  --connect PATH     a UNIX socket instead\n"
	"  --fd NUMBER        a connected descriptor instead; when it ends, so does the agent\n"
	"  --without LIST     what is refused: info power time exec files mount desktop, by "
	"commas\n"
	"  --desk PATH        where the desktop's session connects (" DESK_SOCKET ")\n"
	"  --desk-user NAME   a user who may, beside the one at the screen\n"
	"  --power PROGRAM    what is run, with poweroff or reboot, instead of the system's own\n"
	"  --help, --version\n";

/* ---- options ---- */

static uint32_t feature_named(const char *name)
{
	static const struct {
		const char *name;
		uint32_t features;
	} names[] = {
		{ "info", MHI_AGENT_F_INFO },	{ "power", MHI_AGENT_F_POWER },
		{ "time", MHI_AGENT_F_TIME },	{ "exec", MHI_AGENT_F_EXEC },
		{ "files", MHI_AGENT_F_FILES }, { "mount", MHI_AGENT_F_MOUNT },
		{ "desktop", DESK_FEATURES },
	};

	for (size_t n = 0; n < sizeof(names) / sizeof(names[0]); n++)
		if (strcmp(names[n].name, name) == 0)
			return names[n].features;
	return 0;
}

static bool without(struct options *o, char *list)
{
	char *save = NULL;

	for (char *name = strtok_r(list, ",", &save); name; name = strtok_r(NULL, ",", &save)) {
		uint32_t features = feature_named(name);

		if (!features) {
			fprintf(stderr, "macrohard-guest-agent: --without: nothing is called %s\n",
				name);
			return false;
		}
		o->features &= ~features;
	}
	return true;
}

static bool number(struct options *o, enum link_kind kind, const char *text)
{
	char *end;
	unsigned long value = strtoul(text, &end, 10);

	if (!*text || *end || value > UINT32_MAX) {
		fprintf(stderr, "macrohard-guest-agent: %s is not a number\n", text);
		return false;
	}
	link_init(&o->link, kind, NULL, (unsigned int)value);
	return true;
}

/* Returns -1: go on; else the exit status. */
static int option(struct options *o, int c)
{
	switch (c) {
	case 'p':
		link_init(&o->link, LINK_VIRTIO, optarg, 0);
		return -1;
	case 's':
		link_init(&o->link, LINK_SERIAL, optarg, 0);
		return -1;
	case 'c':
		link_init(&o->link, LINK_UNIX, optarg, 0);
		return -1;
	case 'v':
		return number(o, LINK_VSOCK, optarg) ? -1 : 2;
	case 'f':
		return number(o, LINK_FD, optarg) ? -1 : 2;
	case 'w':
		return without(o, optarg) ? -1 : 2;
	case 'd':
		o->desk = optarg;
		return -1;
	case 'u':
		o->desk_user = optarg;
		return -1;
	case 'o':
		o->power = optarg;
		return -1;
	case 'h':
		fputs(usage, stdout);
		return 0;
	case 'V':
		puts("macrohard-guest-agent " GUEST_AGENT_VERSION);
		return 0;
	default:
		fputs("try macrohard-guest-agent --help\n", stderr);
		return 2;
	}
}

static int parse(struct options *o, int argc, char **argv)
{
	static const struct option names[] = {
		{ "port", required_argument, NULL, 'p' },
		{ "serial", required_argument, NULL, 's' },
		{ "vsock", required_argument, NULL, 'v' },
		{ "connect", required_argument, NULL, 'c' },
		{ "fd", required_argument, NULL, 'f' },
		{ "without", required_argument, NULL, 'w' },
		{ "desk", required_argument, NULL, 'd' },
		{ "desk-user", required_argument, NULL, 'u' },
		{ "power", required_argument, NULL, 'o' },
		{ "help", no_argument, NULL, 'h' },
		{ "version", no_argument, NULL, 'V' },
		{ 0 },
	};
	int c, rc = -1;

	while (rc < 0 && (c = getopt_long(argc, argv, "", names, NULL)) >= 0)
		rc = option(o, c);
	if (rc < 0 && optind < argc) {
		fprintf(stderr, "macrohard-guest-agent: what is %s? try --help\n", argv[optind]);
		rc = 2;
	}
	return rc;
}

/* ---- the core's functions ---- */

static void agreed(void *opaque, uint32_t features)
{
	struct agent *agent = opaque;

	if (agent->desk)
		desk_agreed(agent->desk, features);
}

static bool relay(void *opaque, const struct mhi_agent_msg *msg)
{
	struct agent *agent = opaque;

	return agent->desk && desk_relay(agent->desk, msg);
}

static const struct ga_os linux_os = {
	.system = "linux",
	.agent = "macrohard-guest-agent " GUEST_AGENT_VERSION,
	.agreed = agreed,
	.relay = relay,
	.get_info = info_get,
	.shutdown = power_down,
	.set_time = power_time,
	.exec = run_exec,
	.file_put = ga_file_put,
	.file_get = ga_file_get,
	.mount = mount_share,
	.unmount = mount_remove,
};

/* ---- signals, the loop ---- */

static void got_signal(void *opaque, short revents)
{
	struct agent *agent = opaque;
	struct signalfd_siginfo info;

	while (read(agent->signals->fd, &info, sizeof(info)) == (ssize_t)sizeof(info))
		if (info.ssi_signo != SIGCHLD)
			agent->loop.quit = true;
	run_reap(agent);
}

static int watch_signals(struct agent *agent)
{
	sigset_t set;
	int fd;

	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigprocmask(SIG_BLOCK, &set, NULL);
	signal(SIGPIPE, SIG_IGN);
	fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	if (fd < 0)
		return -1;
	agent->signals = loop_watch(&agent->loop, fd, got_signal, agent);
	agent->signals->events = POLLIN;
	return 0;
}

static int run(struct agent *agent)
{
	while (!agent->loop.quit) {
		run_step(agent);
		power_step(agent);
		if (agent->desk)
			desk_step(agent->desk);
		link_step(&agent->link);
		if (loop_run(&agent->loop))
			return -1;
	}
	return 0;
}

static int start(struct agent *agent, struct options *o)
{
	int rc;

	loop_init(&agent->loop);
	if (watch_signals(agent)) {
		perror("macrohard-guest-agent: signals");
		return 1;
	}
	agent->down = -1;
	agent->power = o->power;
	if (o->features & DESK_FEATURES)
		agent->desk = desk_open(agent, o->desk, o->desk_user);
	if (!agent->desk)
		o->features &= ~DESK_FEATURES;
	if (ga_init(&agent->session, &linux_os, agent, o->features)) {
		fputs("macrohard-guest-agent: no memory\n", stderr);
		return 1;
	}
	agent->link = o->link;
	link_start(&agent->link, &agent->loop, &agent->session);
	rc = run(agent) ? 1 : 0;
	if (rc)
		perror("macrohard-guest-agent: poll");
	link_close(&agent->link);
	desk_close(agent->desk);
	run_fini(agent);
	ga_fini(&agent->session);
	loop_close(&agent->signals);
	return rc;
}

int main(int argc, char **argv)
{
	struct options o = { .features = FEATURES | DESK_FEATURES, .desk = DESK_SOCKET };
	struct agent *agent;
	int rc;

	link_init(&o.link, LINK_VIRTIO, LINK_PORT, 0);
	rc = parse(&o, argc, argv);
	if (rc >= 0)
		return rc;
	agent = calloc(1, sizeof(*agent));
	rc = agent ? start(agent, &o) : 1;
	free(agent);
	return rc;
}
