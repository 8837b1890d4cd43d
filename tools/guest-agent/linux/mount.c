/* SPDX-License-Identifier: MIT */
/*
 * Shared folders, mounted by 9P or virtio-fs. Mounting waits for the host and for modules, and a
 * share that is gone makes unmounting wait: a process of its own does it and tells how it went.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "agent.h"
#include "fail.h"

#define MOUNTS "/proc/self/mounts"

/* How a share is mounted; msize is what virtio's transport takes at most in one message. */
struct way {
	const char *type, *options;
	/* The kernel asks for the file system's module itself, but not for its transport's. */
	const char *modules[2];
};

static const struct way by_9p = { "9p",
				  "trans=virtio,version=9p2000.L,msize=512000",
				  { "9p", "9pnet_virtio" } };
static const struct way by_virtiofs = { "virtiofs", NULL, { "virtiofs", NULL } };

struct job {
	struct agent *agent;
	struct ga_request *request; /* NULL: nobody waits for it any more */
	struct watch *watch;
	struct ga_failure why;
	size_t bytes; /* of why, that have come */
};

/* ---- in the process of its own ---- */

/* /proc/self/mounts has octal numbers for what would be ambiguous (proc(5)). */
static void unescape(char *text)
{
	char *to = text;

	for (; *text; text++) {
		if (text[0] == '\\' && text[1] >= '0' && text[1] <= '3' && text[2] && text[3]) {
			*to++ = (char)((text[1] - '0') * 64 + (text[2] - '0') * 8 + text[3] - '0');
			text += 3;
		} else
			*to++ = *text;
	}
	*to = 0;
}

/*
 * Look for a mount of the share tag ("": any) at path ("": any). Returns whether there is one, the
 * last one then, and its path in found.
 */
static bool find_mount(const char *tag, const char *path, char *found, size_t room)
{
	FILE *file = fopen(MOUNTS, "re");
	char *line = NULL;
	size_t bytes = 0;
	bool is_there = false;

	while (file && getline(&line, &bytes, file) > 0) {
		char *save, *device = strtok_r(line, " ", &save);
		char *at = device ? strtok_r(NULL, " ", &save) : NULL;
		char *type = at ? strtok_r(NULL, " ", &save) : NULL;

		if (!type || (strcmp(type, by_9p.type) != 0 && strcmp(type, by_virtiofs.type) != 0))
			continue;
		unescape(device);
		unescape(at);
		if ((tag[0] && strcmp(tag, device) != 0) || (path[0] && strcmp(path, at) != 0))
			continue;
		is_there = true;
		snprintf(found, room, "%s", at);
	}
	free(line);
	if (file)
		fclose(file);
	return is_there;
}

static int make_folders(char *path)
{
	for (char *at = path + 1; *at; at++) {
		if (*at != '/')
			continue;
		*at = 0;
		if (mkdir(path, 0755) && errno != EEXIST)
			return -1;
		*at = '/';
	}
	return mkdir(path, 0755) && errno != EEXIST ? -1 : 0;
}

static void load_modules(const struct way *way)
{
	pid_t child = fork();

	if (child == 0) {
		execlp("modprobe", "modprobe", "-q", "-a", way->modules[0], way->modules[1],
		       (char *)NULL);
		_exit(127);
	}
	if (child > 0)
		waitpid(child, NULL, 0);
}

static bool do_mount(const struct mhi_msg_mount *m, struct ga_failure *why)
{
	const struct way *way = m->flags & MHI_AGENT_MOUNT_VIRTIOFS ? &by_virtiofs : &by_9p;
	unsigned long flags = MS_NOSUID | MS_NODEV;
	char path[4096], found[4096];
	int n;

	n = m->path[0] ? snprintf(path, sizeof(path), "%s", m->path)
		       : snprintf(path, sizeof(path), "/media/%s", m->tag);
	errno = EINVAL;
	if (n <= 1 || (size_t)n >= sizeof(path) || path[0] != '/' || !m->tag[0]) {
		fail_errno(why, "cannot mount at", path);
		return false;
	}
	if (m->flags & MHI_AGENT_MOUNT_READONLY)
		flags |= MS_RDONLY;
	if (find_mount(m->tag, path, found, sizeof(found)))
		return true;
	if (make_folders(path)) {
		fail_errno(why, "cannot make the folder", path);
		return false;
	}
	if (mount(m->tag, path, way->type, flags, way->options) == 0)
		return true;
	load_modules(way);
	if (mount(m->tag, path, way->type, flags, way->options) == 0)
		return true;
	fail_errno(why, "cannot mount the share", m->tag);
	return false;
}

static bool do_unmount(const struct mhi_msg_unmount *m, struct ga_failure *why)
{
	char found[4096];

	errno = ENOENT;
	if (!find_mount(m->tag, m->path, found, sizeof(found)) || umount2(found, UMOUNT_NOFOLLOW)) {
		fail_errno(why, "cannot unmount the share", m->tag);
		return false;
	}
	return true;
}

static void child(const struct mhi_agent_msg *msg, int out)
{
	struct ga_failure why = { MHI_AGENT_OK, "" };

	if (msg->type == MHI_MSG_MOUNT)
		do_mount(&msg->u.mount, &why);
	else
		do_unmount(&msg->u.unmount, &why);
	if (write(out, &why, sizeof(why)) != (ssize_t)sizeof(why))
		_exit(1);
	_exit(0);
}

/* ---- in the agent ---- */

static void finish(struct job *job)
{
	struct ga_request *r = job->request;

	loop_close(&job->watch);
	if (r)
		r->ops = NULL;
	if (job->bytes != sizeof(job->why))
		ga_end(r, MHI_AGENT_FAILED, "the process that was to do it has ended");
	else
		ga_end(r, job->why.code, "%.255s", job->why.text);
	free(job);
}

static void told(void *opaque, short revents)
{
	struct job *job = opaque;
	ssize_t n =
		read(job->watch->fd, (char *)&job->why + job->bytes, sizeof(job->why) - job->bytes);

	if (n > 0)
		job->bytes += (size_t)n;
	if (n == 0 || (n < 0 && errno != EINTR && errno != EAGAIN) ||
	    job->bytes == sizeof(job->why))
		finish(job);
}

static void nobody_waits(struct ga_request *r, uint32_t code, const char *text)
{
	struct job *job = r->data;

	job->request = NULL;
}

static int start(struct job *job, const struct mhi_agent_msg *msg)
{
	int ends[2];
	pid_t pid;

	if (pipe2(ends, O_CLOEXEC | O_NONBLOCK))
		return -1;
	job->watch = loop_watch(&job->agent->loop, ends[0], told, job);
	pid = job->watch ? fork() : -1;
	if (pid == 0)
		child(msg, ends[1]);
	close(ends[1]);
	if (pid > 0) {
		job->watch->events = POLLIN;
		return 0;
	}
	if (job->watch)
		loop_close(&job->watch);
	else
		close(ends[0]);
	return -1;
}

void mount_share(void *os, struct ga_request *r, const struct mhi_agent_msg *msg)
{
	static const struct ga_request_ops ops = { .over = nobody_waits };
	struct job *job = calloc(1, sizeof(*job));

	if (!job || !r) {
		free(job);
		ga_end(r, MHI_AGENT_FAILED, "no memory");
		return;
	}
	job->agent = os;
	job->request = r;
	if (start(job, msg)) {
		free(job);
		ga_end(r, MHI_AGENT_FAILED, "cannot start a process: %s", strerror(errno));
		return;
	}
	r->ops = &ops;
	r->data = job;
}

void mount_remove(void *os, struct ga_request *r, const struct mhi_agent_msg *msg)
{
	mount_share(os, r, msg);
}
