// SPDX-License-Identifier: MIT
/* p9_check: what a file has beside its data: attributes, owners, locks, permissions. */
#include "p9_check.h"

#include <fcntl.h>
#include <linux/magic.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

void check_attributes(void)
{
	struct timespec times[2] = { { 1000000000, 123456789 }, { 1600000000, 987654321 } };
	struct statfs sf;
	struct stat st;
	int fd = check_make("attr", "12345");

	CHECK(!chmod("attr", 0600) && !stat("attr", &st) && st.st_mode == (S_IFREG | 0600));
	CHECK(!utimensat(AT_FDCWD, "attr", times, 0) && !stat("attr", &st));
	/* Linux' client cuts what it sets to seconds (its s_time_gran), but not what it reads. */
	CHECK(st.st_atim.tv_sec == 1000000000 && st.st_mtim.tv_sec == 1600000000);
	CHECK(!fstatfs(served, &sf));
	if (sf.f_type != V9FS_MAGIC) {
		CHECK(!utimensat(served, "attr", times, 0) && !stat("attr", &st));
		CHECK(st.st_atim.tv_sec == 1000000000 && st.st_atim.tv_nsec == 123456789);
		CHECK(st.st_mtim.tv_sec == 1600000000 && st.st_mtim.tv_nsec == 987654321);
	}
	times[0].tv_nsec = UTIME_OMIT;
	times[1].tv_nsec = UTIME_NOW;
	CHECK(!futimens(fd, times) && !fstat(fd, &st));
	CHECK(st.st_atim.tv_sec == 1000000000 && st.st_mtim.tv_sec > 1600000000);
	CHECK(!truncate("attr", 2) && check_contains(served, "attr", "12"));
	CHECK(!truncate("attr", 4) && !stat("attr", &st) && st.st_size == 4);
	CHECK(!statfs(".", &sf) && sf.f_blocks && sf.f_namelen == 255);
	CHECK(!chown("attr", st.st_uid, st.st_gid));
	close(fd);
	fd = open("attr", O_RDONLY);
	FAILS(write(fd, "x", 1), EBADF);
	close(fd);
	CHECK(!unlink("attr"));
}

/* ---- owners that the server keeps beside the file (--ids mapped) ---- */

void check_mapped(void)
{
	struct stat st;

	close(check_make("own", "x"));
	CHECK(!chown("own", 1234, 5678) && !chmod("own", 04751));
	CHECK(!stat("own", &st) && st.st_uid == 1234 && st.st_gid == 5678);
	CHECK(st.st_mode == (S_IFREG | 04751));
	CHECK(!fstatat(served, "own", &st, 0) && st.st_mode == (S_IFREG | 0600));
	CHECK(st.st_uid == geteuid());
	CHECK(!mknod("zero", S_IFCHR | 0640, makedev(1, 5)));
	CHECK(!stat("zero", &st) && S_ISCHR(st.st_mode) && st.st_rdev == makedev(1, 5));
	CHECK(!fstatat(served, "zero", &st, AT_SYMLINK_NOFOLLOW) && S_ISREG(st.st_mode));
	CHECK(listxattr("own", NULL, 0) == 0);
	CHECK(!unlink("own") && !unlink("zero"));
}

/* ---- extended attributes ---- */

void check_xattrs(void)
{
	char value[5000], back[6000];
	ssize_t n;

	close(check_make("x", ""));
	CHECK(!setxattr("x", "user.one", "1", 1, XATTR_CREATE));
	FAILS(setxattr("x", "user.one", "2", 1, XATTR_CREATE), EEXIST);
	FAILS(setxattr("x", "user.two", "2", 1, XATTR_REPLACE), ENODATA);
	CHECK(!setxattr("x", "user.one", "22", 2, XATTR_REPLACE));
	CHECK(getxattr("x", "user.one", back, sizeof(back)) == 2 && !memcmp(back, "22", 2));
	CHECK(!setxattr("x", "user.empty", "", 0, 0) && getxattr("x", "user.empty", back, 9) == 0);
	memset(value, 'v', sizeof(value));
	if (!setxattr("x", "user.large", value, 3000, 0)) {
		CHECK(getxattr("x", "user.large", back, sizeof(back)) == 3000);
		CHECK(!memcmp(back, value, 3000));
		FAILS(getxattr("x", "user.large", back, 2000), ERANGE);
	} else {
		CHECK(errno == ENOSPC);
	}
	n = listxattr("x", back, sizeof(back));
	CHECK(n >= 20 && memmem(back, (size_t)n, "user.one", 9) &&
	      memmem(back, (size_t)n, "user.empty", 11));
	CHECK(!removexattr("x", "user.one"));
	FAILS(getxattr("x", "user.one", back, sizeof(back)), ENODATA);
	FAILS(setxattr("x", "trusted.no", "1", 1, 0), EOPNOTSUPP);
	CHECK(!unlink("x"));
}

/* ---- locks ---- */

static int set_lock(int fd, short type, off_t start, off_t len, int command)
{
	struct flock fl = { .l_type = type, .l_whence = SEEK_SET, .l_start = start, .l_len = len };

	return fcntl(fd, command, &fl);
}

void check_locks(void)
{
	int fd = check_make("lock", "0123456789"), second, direct, status;
	struct flock fl = { .l_type = F_WRLCK, .l_whence = SEEK_SET, .l_len = 10 };
	pid_t child;

	direct = openat(served, "lock", O_RDWR);
	CHECK(!set_lock(fd, F_WRLCK, 0, 4, F_SETLK));
	/* The server's side sees it, on these bytes. */
	FAILS(set_lock(direct, F_WRLCK, 0, 1, F_OFD_SETLK), EAGAIN);
	CHECK(!set_lock(direct, F_WRLCK, 8, 1, F_OFD_SETLK));
	FAILS(set_lock(fd, F_RDLCK, 8, 1, F_SETLK), EAGAIN);
	CHECK(!fcntl(fd, F_GETLK, &fl) && fl.l_type == F_WRLCK && fl.l_start == 8 && fl.l_len == 1);
	/* The same process through another descriptor does not meet itself. */
	second = open("lock", O_RDWR);
	CHECK(!set_lock(second, F_WRLCK, 0, 2, F_SETLK));
	child = fork();
	if (!child) {
		int own = open("lock", O_RDWR);

		if (!set_lock(own, F_WRLCK, 0, 1, F_SETLK) || errno != EAGAIN)
			_exit(1);
		if (set_lock(own, F_WRLCK, 5, 2, F_SETLK))
			_exit(2);
		_exit(0);
	}
	waitpid(child, &status, 0);
	CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
	/* The child's went with it, ours did not. */
	CHECK(!set_lock(direct, F_WRLCK, 5, 2, F_OFD_SETLK));
	FAILS(set_lock(direct, F_WRLCK, 0, 1, F_OFD_SETLK), EAGAIN);
	CHECK(!set_lock(fd, F_UNLCK, 0, 0, F_SETLK));
	CHECK(!set_lock(direct, F_WRLCK, 0, 1, F_OFD_SETLK));
	/* Waiting: the server's side lets go after a while. */
	child = fork();
	if (!child) {
		sleep(1);
		_exit(set_lock(direct, F_UNLCK, 0, 0, F_OFD_SETLK) ? 1 : 0);
	}
	CHECK(!set_lock(fd, F_WRLCK, 0, 1, F_SETLKW));
	waitpid(child, &status, 0);
	close(second);
	close(fd);
	CHECK(!set_lock(direct, F_WRLCK, 0, 0, F_OFD_SETLK));
	close(direct);
	CHECK(!unlink("lock"));
}

/* ---- read-only: SERVED has the file "here" with "text", and the folder "dir" ---- */

void check_readonly(void)
{
	struct stat st;

	CHECK(check_contains(AT_FDCWD, "here", "text"));
	CHECK(!stat("dir", &st) && S_ISDIR(st.st_mode));
	FAILS(open("here", O_RDWR), EROFS);
	FAILS(open("here", O_RDONLY | O_TRUNC), EROFS);
	FAILS(open("new", O_CREAT | O_WRONLY, 0600), EROFS);
	FAILS(unlink("here"), EROFS);
	FAILS(rename("here", "there"), EROFS);
	FAILS(mkdir("more", 0755), EROFS);
	FAILS(rmdir("dir"), EROFS);
	FAILS(chmod("here", 0600), EROFS);
	FAILS(truncate("here", 0), EROFS);
	FAILS(symlink("a", "b"), EROFS);
	FAILS(link("here", "b"), EROFS);
	FAILS(mkfifo("b", 0600), EROFS);
	/* 9P2000.u has no attributes. */
	CHECK(setxattr("here", "user.a", "b", 1, 0) && (errno == EROFS || errno == EOPNOTSUPP));
	CHECK(check_contains(served, "here", "text"));
}
