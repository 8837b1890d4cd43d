/* SPDX-License-Identifier: MIT */
/* A VM's process goes into its sandbox, before its guest runs. */
#include "process.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

/* fn for each that is open beside the standard ones, until it returns not 0: that, or -1. */
static int each_descriptor(struct process *p, int (*fn)(struct process *p, int fd))
{
	DIR *dir = opendir("/proc/self/fd");
	const struct dirent *entry;
	int rc = dir ? 0 : -1;

	while (!rc && (entry = readdir(dir))) {
		int fd = (int)strtol(entry->d_name, NULL, 10);

		if (fd > STDERR_FILENO && fd != dirfd(dir))
			rc = fn(p, fd);
	}
	if (dir)
		closedir(dir);
	return rc;
}

/* What exec closes is ours. */
static int note_stranger(struct process *p, int fd)
{
	int *more;

	if (fcntl(fd, F_GETFD) & FD_CLOEXEC)
		return 0;
	more = realloc(p->strange, (p->strangers + 1) * sizeof(*more));
	if (!more)
		return -1;
	p->strange = more;
	p->strange[p->strangers++] = fd;
	return 0;
}

int confine_note_strangers(struct process *p)
{
	return each_descriptor(p, note_stranger);
}

/* Network cards have copies of theirs. */
static void close_strangers(const struct process *p)
{
	for (size_t n = 0; n < p->strangers; n++)
		close(p->strange[n]);
}

/* Sockets that the library listens at: with a debugger's and the guest's. */
static bool listens(int fd, struct sockaddr_un *address)
{
	socklen_t bytes = sizeof(*address), int_bytes = sizeof(int);
	int on = 0;

	memset(address, 0, sizeof(*address));
	return !getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &on, &int_bytes) && on &&
	       !getsockname(fd, (struct sockaddr *)address, &bytes) &&
	       address->sun_family == AF_UNIX && address->sun_path[0];
}

static int hand_over_socket(struct process *p, int fd)
{
	struct sockaddr_un address;

	if (fd != p->server.listen && listens(fd, &address))
		steward_remove(&p->steward, address.sun_path);
	return 0;
}

/* Who is in the sandbox cannot remove them. One that was renamed the steward does not find. */
static void hand_over_sockets(struct process *p)
{
	if (p->server.listen >= 0)
		steward_remove(&p->steward, "");
	if (p->info.vnc)
		steward_remove(&p->steward, p->info.vnc);
	each_descriptor(p, hand_over_socket);
}

int confine_apart(struct process *p)
{
	uint32_t spaces;
	int error = p->no_sandbox ? 0 : mh_sandbox_namespaces(p->config, &spaces);

	return error ? cli_library_error(NULL, error) : CLI_OK;
}

int confine(struct process *p)
{
	struct mh_sandbox_config config = MH_SANDBOX_CONFIG_INIT;
	int error;

	if (p->no_sandbox)
		return CLI_OK;
	close_strangers(p);
	hand_over_sockets(p);
	steward_seal(&p->steward);
	config.required = 0;
	error = mh_sandbox_enter(p->ctx, &config);
	if (error)
		return cli_library_error(p->ctx, error);
	if (p->vnc.server)
		p->vnc.sandbox(p->vnc.server);
	return CLI_OK;
}

void confine_tell(struct process *p)
{
	struct mh_sandbox_info info = MH_SANDBOX_INFO_INIT;

	if (p->no_sandbox)
		cli_message("there is no sandbox (--no-sandbox)");
	else if (!mh_sandbox_info(p->ctx, &info) && info.missing)
		cli_message("the sandbox lacks something: %s", info.reason);
}

const char *confine_state(struct process *p)
{
	struct mh_sandbox_info info = MH_SANDBOX_INFO_INIT;

	if (p->no_sandbox || mh_sandbox_info(p->ctx, &info) || !info.level)
		return "off";
	return info.missing ? "partial" : "on";
}
