/* SPDX-License-Identifier: MIT */
/* fork(2) and exec(2) for the host: no shell, no descriptor of the agent's, a group of its own. */
#include "spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PATH_DEFAULT "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
#define GROUPS_MAX 256

/* A user of /etc/passwd: without name services, which a static program cannot load. */
struct account {
	uid_t uid;
	gid_t gid, groups[GROUPS_MAX];
	size_t group_count;
	char name[64], home[256], shell[256];
};

static bool find_account(const char *name, struct account *a)
{
	FILE *file = fopen("/etc/passwd", "re");
	const struct passwd *p = NULL;

	while (file && (p = fgetpwent(file)) && strcmp(p->pw_name, name) != 0)
		;
	if (p) {
		a->uid = p->pw_uid;
		a->gid = p->pw_gid;
		snprintf(a->name, sizeof(a->name), "%s", p->pw_name);
		snprintf(a->home, sizeof(a->home), "%s", p->pw_dir);
		snprintf(a->shell, sizeof(a->shell), "%s", p->pw_shell);
	}
	if (file)
		fclose(file);
	return p;
}

static void find_groups(struct account *a)
{
	FILE *file = fopen("/etc/group", "re");
	const struct group *g;

	a->groups[a->group_count++] = a->gid;
	while (file && (g = fgetgrent(file)))
		for (char **m = g->gr_mem; *m && a->group_count < GROUPS_MAX; m++)
			if (strcmp(*m, a->name) == 0)
				a->groups[a->group_count++] = g->gr_gid;
	if (file)
		fclose(file);
}

/* ---- in the child: what fails is told by errno, on the pipe that exec closes ---- */

static int become(const struct account *a)
{
	if (a->uid != geteuid() || geteuid() == 0) {
		if (setgroups(a->group_count, a->groups) || setgid(a->gid) || setuid(a->uid))
			return -1;
	}
	if (clearenv() || setenv("HOME", a->home, 1) || setenv("USER", a->name, 1) ||
	    setenv("LOGNAME", a->name, 1) || setenv("SHELL", a->shell, 1))
		return -1;
	return 0;
}

static int environment(char **more)
{
	if (!getenv("PATH") && setenv("PATH", PATH_DEFAULT, 1))
		return -1;
	for (; *more; more++)
		if (putenv(*more))
			return -1;
	return 0;
}

static int streams(int theirs[3])
{
	for (int n = 0; n < 3; n++)
		if (theirs[n] < 0)
			theirs[n] = open("/dev/null", n ? O_WRONLY : O_RDONLY);
	/* Those that are 0 to 2 by chance would be closed by each other's dup2. */
	for (int n = 0; n < 3; n++)
		theirs[n] = theirs[n] < 0 ? -1 : fcntl(theirs[n], F_DUPFD_CLOEXEC, 3);
	for (int n = 0; n < 3; n++)
		if (theirs[n] < 0 || dup2(theirs[n], n) < 0)
			return -1;
	return 0;
}

static void default_signals(void)
{
	sigset_t none;

	sigemptyset(&none);
	for (int n = 1; n < NSIG; n++)
		signal(n, SIG_DFL);
	sigprocmask(SIG_SETMASK, &none, NULL);
}

static void child(const struct spawn *what, const struct account *a, int theirs[3], int report)
{
	const char *directory = what->directory[0] ? what->directory : a ? a->home : "/";
	int error;

	default_signals();
	if (setsid() >= 0 && streams(theirs) == 0 && (!a || become(a) == 0) &&
	    chdir(directory) == 0 && environment(what->strings.environment) == 0)
		execvp(what->strings.arguments[0], what->strings.arguments);
	error = errno;
	if (write(report, &error, sizeof(error)) != (ssize_t)sizeof(error))
		_exit(126);
	_exit(127);
}

/* ---- in the agent ---- */

static void close_all(const int *fds, size_t count)
{
	for (size_t n = 0; n < count; n++)
		if (fds[n] >= 0)
			close(fds[n]);
}

/* fds: ours of streams 0 to 2, theirs of those, both ends of the report. */
static int open_pipes(uint32_t wanted, int fds[8])
{
	int ends[2];

	for (int n = 0; n < 8; n++)
		fds[n] = -1;
	for (int n = 0; n < 3; n++) {
		if (!(wanted & 1u << n))
			continue;
		if (pipe2(ends, O_CLOEXEC))
			return -1;
		fds[n] = ends[n ? 0 : 1];
		fds[3 + n] = ends[n ? 1 : 0];
		if (fcntl(fds[n], F_SETFL, O_NONBLOCK))
			return -1;
	}
	return pipe2(fds + 6, O_CLOEXEC);
}

static int wait_for_exec(int report, const char *program, struct ga_failure *why)
{
	int error = 0;
	ssize_t n;

	do
		n = read(report, &error, sizeof(error));
	while (n < 0 && errno == EINTR);
	if (n != (ssize_t)sizeof(error))
		return 0;
	errno = error;
	fail_errno(why, "cannot run", program);
	return -1;
}

static int start(struct spawn *what, const struct account *a, struct ga_failure *why)
{
	const char *program = what->strings.arguments[0];
	int fds[8], rc = -1;

	if (open_pipes(what->streams, fds) == 0) {
		what->pid = fork();
		if (what->pid == 0)
			child(what, a, fds + 3, fds[7]);
		rc = what->pid < 0 ? -1 : 0;
	}
	if (rc) {
		fail_errno(why, "cannot start", program);
		close_all(fds, 8);
		return -1;
	}
	close_all(fds + 3, 3);
	close(fds[7]);
	rc = wait_for_exec(fds[6], program, why);
	close(fds[6]);
	if (rc)
		close_all(fds, 3);
	else
		memcpy(what->pipes, fds, sizeof(what->pipes));
	return rc;
}

int spawn(struct spawn *what, struct ga_failure *why)
{
	struct account *a = NULL;
	int rc;

	if (what->user[0]) {
		a = calloc(1, sizeof(*a));
		errno = ENOENT;
		if (!a || !find_account(what->user, a)) {
			fail_errno(why, "no such user:", what->user);
			free(a);
			return -1;
		}
		find_groups(a);
	}
	rc = start(what, a, why);
	free(a);
	return rc;
}
