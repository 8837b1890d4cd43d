// SPDX-License-Identifier: MIT
/* p9_check: names and folders. */
#include "p9_check.h"

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

/* ---- storm: create, stat, open, unlink ---- */

#define STORM (60 / divisor)

void check_storm(void)
{
	char name[32];
	struct stat st;
	double start = check_now();

	CHECK(!mkdir("storm", 0755));
	for (int i = 0; i < STORM; i++) {
		snprintf(name, sizeof(name), "storm/%d", i);
		close(check_make(name, "x"));
	}
	printf("create+write1 %.0f us\n", (check_now() - start) / STORM * 1e6);
	start = check_now();
	for (int i = 0; i < STORM; i++) {
		snprintf(name, sizeof(name), "storm/%d", i);
		CHECK(!stat(name, &st) && st.st_size == 1 && st.st_mode == (S_IFREG | 0644));
	}
	printf("stat %.0f us\n", (check_now() - start) / STORM * 1e6);
	start = check_now();
	for (int i = 0; i < STORM; i++) {
		snprintf(name, sizeof(name), "storm/%d", i);
		CHECK(check_contains(AT_FDCWD, name, "x"));
	}
	printf("open+read+close %.0f us\n", (check_now() - start) / STORM * 1e6);
	start = check_now();
	for (int i = 0; i < STORM; i++) {
		snprintf(name, sizeof(name), "storm/%d", i);
		CHECK(!unlink(name));
	}
	printf("unlink %.0f us\n", (check_now() - start) / STORM * 1e6);
	CHECK(!rmdir("storm"));
}

/* ---- names ---- */

void check_renames(void)
{
	struct stat st;
	int fd;

	close(check_make("a", "one"));
	close(check_make("b", "two"));
	CHECK(!rename("a", "b"));
	CHECK(check_contains(AT_FDCWD, "b", "one") && check_contains(served, "b", "one"));
	FAILS(stat("a", &st), ENOENT);
	CHECK(!mkdir("d1", 0755) && !mkdir("d1/sub", 0755) && !mkdir("d2", 0755));
	fd = check_make("d1/sub/f", "deep");
	CHECK(!rename("d1/sub", "d2/moved"));
	CHECK(check_contains(AT_FDCWD, "d2/moved/f", "deep"));
	/* What is open follows its file. */
	CHECK(pwrite(fd, "DEEP", 4, 0) == 4);
	CHECK(check_contains(served, "d2/moved/f", "DEEP"));
	CHECK(!rename("d2/moved/f", "f"));
	CHECK(pwrite(fd, "deEP", 4, 0) == 4 && check_contains(served, "f", "deEP"));
	close(fd);
	FAILS(rename("d2", "d2/moved/x"), EINVAL);
	FAILS(rename("f", "d2"), EISDIR);
	FAILS(rename("d2", "f"), ENOTDIR);
	close(check_make("d1/x", "x"));
	FAILS(rename("d2", "d1"), ENOTEMPTY);
	FAILS(rmdir("d1"), ENOTEMPTY);
	FAILS(rmdir("f"), ENOTDIR);
	FAILS(mkdir("f", 0755), EEXIST);
	CHECK(!unlink("d1/x") && !rmdir("d1") && !rmdir("d2/moved") && !rmdir("d2"));
	CHECK(!unlink("f") && !unlink("b"));
}

void check_links(void)
{
	char text[PATH_MAX], longest[PATH_MAX];
	struct stat st, other;
	ssize_t n;

	close(check_make("file", "text"));
	CHECK(!link("file", "second"));
	CHECK(!stat("second", &st) && st.st_nlink == 2);
	CHECK(!stat("file", &other) && st.st_ino == other.st_ino);
	FAILS(link("file", "second"), EEXIST);
	CHECK(!unlink("file") && check_contains(AT_FDCWD, "second", "text"));
	CHECK(!symlink("second", "sym"));
	CHECK(!lstat("sym", &st) && S_ISLNK(st.st_mode));
	n = readlink("sym", text, sizeof(text));
	CHECK(n == 6 && !memcmp(text, "second", 6) && check_contains(AT_FDCWD, "sym", "text"));
	CHECK(!symlink("/nowhere/at/all", "dangling"));
	FAILS(open("dangling", O_RDONLY), ENOENT);
	CHECK(!unlink("dangling"));
	memset(longest, 'l', sizeof(longest));
	longest[PATH_MAX - 1] = 0;
	/* As long as the served file system allows; what it takes must come back whole. */
	for (longest[3000] = 0; symlink(longest, "long") && strlen(longest) > 50;)
		longest[strlen(longest) / 2] = 0;
	n = readlink("long", text, sizeof(text));
	CHECK(n == (ssize_t)strlen(longest) && !memcmp(text, longest, (size_t)n));
	CHECK(!unlink("long"));
	/* A link that leaves the share leads into the client's own tree. */
	CHECK(!symlinkat("/proc/self/status", served, "out"));
	n = readlink("out", text, sizeof(text));
	CHECK(n == 17);
	CHECK(!unlink("out") && !unlink("sym") && !unlink("second"));
}

void check_long_names(void)
{
	char name[300];
	struct stat st;

	memset(name, 'n', sizeof(name));
	name[255] = 0;
	close(check_make(name, "long"));
	CHECK(!stat(name, &st) && !fstatat(served, name, &st, 0));
	CHECK(!unlink(name));
	name[255] = 'n';
	name[256] = 0;
	FAILS(open(name, O_CREAT | O_RDWR, 0600), ENAMETOOLONG);
	close(check_make("\xff\xfe \n\\name", "odd"));
	CHECK(check_contains(served, "\xff\xfe \n\\name", "odd"));
	CHECK(!unlink("\xff\xfe \n\\name"));
}

void check_specials(void)
{
	struct stat st;

	CHECK(!mkfifo("fifo", 0600));
	CHECK(!lstat("fifo", &st) && S_ISFIFO(st.st_mode));
	CHECK(!unlink("fifo"));
	/* Nothing is said of devices: only root with --ids host, and --ids mapped, make them. */
	if (!mknod("null", S_IFCHR | 0600, makedev(1, 3))) {
		CHECK(!lstat("null", &st) && S_ISCHR(st.st_mode) && st.st_rdev == makedev(1, 3));
		CHECK(!unlink("null"));
	} else {
		CHECK(errno == EPERM);
	}
}

/* ---- folders ---- */

#define MANY_MAX 5000
#define MANY (MANY_MAX / divisor)
#define REMOVED 300 /* through the mount; the rest is removed beside it */

static int count(const char *path, unsigned char *seen)
{
	DIR *dir = opendir(path);
	struct dirent *d;
	int n = 0;

	while (dir && (d = readdir(dir))) {
		if (d->d_name[0] == '.')
			continue;
		seen[strtol(d->d_name + 5, NULL, 10)]++;
		n++;
	}
	if (dir)
		closedir(dir);
	return n;
}

void check_many(void)
{
	static unsigned char seen[MANY_MAX];
	char name[300];
	double start;
	DIR *dir;
	struct dirent *d;
	long place = 0;

	CHECK(!mkdir("many", 0755));
	for (int i = 0; i < MANY; i++) {
		snprintf(name, sizeof(name), "many/name_%d", i);
		close(openat(served, name, O_CREAT | O_WRONLY, 0600));
	}
	start = check_now();
	CHECK(count("many", seen) == MANY);
	printf("readdir %.1f us an entry\n", (check_now() - start) / MANY * 1e6);
	for (int i = 0; i < MANY; i++)
		CHECK(seen[i] == 1);
	dir = opendir("many");
	for (int i = 0; i < MANY / 5; i++)
		d = readdir(dir);
	place = telldir(dir);
	d = readdir(dir);
	snprintf(name, sizeof(name), "%s", d ? d->d_name : "");
	while (readdir(dir))
		;
	seekdir(dir, place);
	d = readdir(dir);
	CHECK(d && !strcmp(d->d_name, name));
	rewinddir(dir);
	/* Removing what was read must not make others be skipped. */
	for (int n = 0; (d = readdir(dir)); n++) {
		if (d->d_name[0] == '.')
			continue;
		snprintf(name, sizeof(name), "many/%s", d->d_name);
		CHECK(!unlinkat(n < REMOVED ? AT_FDCWD : served, name, 0));
	}
	closedir(dir);
	CHECK(!rmdir("many"));
}
