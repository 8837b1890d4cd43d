/* SPDX-License-Identifier: MIT */
/* Namespaces of a VM's process. */
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "api/config.h"

static const struct space {
	u32 bit;
	int clone;
} spaces[] = {
	{ MH_SANDBOX_NS_NETWORK, CLONE_NEWNET },
	{ MH_SANDBOX_NS_IPC, CLONE_NEWIPC },
	{ MH_SANDBOX_NS_UTS, CLONE_NEWUTS },
	{ MH_SANDBOX_NS_USER, CLONE_NEWUSER },
};

static bool needs_network(const struct mh_config *config)
{
	const struct mhi_cfg_net *nets = config->devices.nets.items;

	for (u32 n = 0; n < config->devices.nets.count; n++)
		if (nets[n].c.kind != MH_NET_FD)
			return true;
	return config->gdb.address && strncmp(config->gdb.address, "unix:", 5) != 0;
}

static bool move(u32 bits)
{
	int flags = 0;

	for (size_t n = 0; n < MHI_COUNT(spaces); n++)
		if (bits & spaces[n].bit)
			flags |= spaces[n].clone;
	return !unshare(flags);
}

static bool put(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : write(fd, text, strlen(text));

	if (fd >= 0)
		close(fd);
	return n == (ssize_t)strlen(text);
}

/* The user stays who he is; that is all that he may say himself: user_namespaces(7). */
static bool map_ids(uid_t uid, gid_t gid)
{
	char users[40], groups[40];

	snprintf(users, sizeof(users), "%u %u 1", uid, uid);
	snprintf(groups, sizeof(groups), "%u %u 1", gid, gid);
	return put("/proc/self/setgroups", "deny") && put("/proc/self/uid_map", users) &&
	       put("/proc/self/gid_map", groups);
}

int mh_sandbox_namespaces(const struct mh_config *config, uint32_t *out)
{
	u32 bits = MH_SANDBOX_NS_IPC | MH_SANDBOX_NS_UTS;
	uid_t uid = geteuid();
	gid_t gid = getegid();

	if (!config || !out)
		return MH_EINVAL;
	*out = 0;
	if (!needs_network(config))
		bits |= MH_SANDBOX_NS_NETWORK;
	if (!move(bits)) {
		bits |= MH_SANDBOX_NS_USER;
		/* Nobody's: a process that is not dumpable. */
		if (config->devices.shares.count || access("/proc/self/uid_map", W_OK) ||
		    !move(bits))
			return 0;
		if (!map_ids(uid, gid))
			return MH_EIO;
	}
	*out = bits;
	return 0;
}
