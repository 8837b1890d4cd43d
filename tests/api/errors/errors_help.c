// SPDX-License-Identifier: MIT
/* What failures are made of: files, images, rights, limits, other processes. */
#include "errors.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#define NOBODY 65534
#define IMAGE_BYTES (1u << 20)

void die(const char *what)
{
	fprintf(stderr, "errors: %s (%s)\n", what, strerror(errno));
	exit(EXIT_FAILURE);
}

const char *make_file(const char *name, const void *text, size_t bytes)
{
	FILE *f = fopen(name, "w");

	if (!f || (text && fwrite(text, 1, bytes, f) != bytes) || fclose(f))
		die(name);
	if (!text && truncate(name, (off_t)bytes))
		die(name);
	return name;
}

const char *make_image(const char *name)
{
	struct mh_disk_create_config config = MH_DISK_CREATE_CONFIG_INIT;

	config.bytes = IMAGE_BYTES;
	unlink(name);
	if (mh_disk_create(ctx, name, &config))
		die(mh_last_error(ctx));
	return name;
}

const char *make_broken(const char *name, long at, const void *bytes, size_t count)
{
	int fd;

	make_image(name);
	fd = open(name, O_WRONLY | O_CLOEXEC);
	if (fd < 0 || pwrite(fd, bytes, count, at) != (ssize_t)count || close(fd))
		die(name);
	return name;
}

void drop_rights(bool drop)
{
	if (!geteuid() || !getuid())
		if (seteuid(drop ? NOBODY : 0))
			die("seteuid");
}

void limit_files(unsigned int most)
{
	static struct rlimit before;
	struct rlimit limit;

	if (!before.rlim_cur && getrlimit(RLIMIT_NOFILE, &before))
		die("getrlimit");
	limit = before;
	if (most)
		limit.rlim_cur = most;
	if (setrlimit(RLIMIT_NOFILE, &limit))
		die("setrlimit");
}

static bool mounted;

const char *small_folder(void)
{
	if (mounted)
		return "small";
	if (mkdir("small", 0755) && errno != EEXIST)
		die("small");
	if (mount("none", "small", "tmpfs", 0, "size=1m"))
		return NULL;
	mounted = true;
	return "small";
}

void leave_small_folder(void)
{
	if (mounted && umount2("small", MNT_DETACH))
		die("umount");
}

void lock_elsewhere(const char *name)
{
	int ready[2];
	pid_t pid;
	char c;

	if (pipe(ready))
		die("pipe");
	pid = fork();
	if (!pid) {
		struct flock lock = { .l_type = F_RDLCK, .l_start = 100, .l_len = 104 };
		int fd = open(name, O_RDWR | O_CLOEXEC);

		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (fd < 0 || fcntl(fd, F_OFD_SETLK, &lock) || write(ready[1], "r", 1) != 1)
			_exit(EXIT_FAILURE);
		pause();
		_exit(EXIT_SUCCESS);
	}
	if (pid < 0 || read(ready[0], &c, 1) != 1)
		die("another process");
	close(ready[0]);
	close(ready[1]);
}
