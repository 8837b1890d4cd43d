// SPDX-License-Identifier: MIT
/*
 * What a program may expect of a folder, asked of a mounted share: names, data compared with a
 * model in memory and with the served folder itself, attributes, locks, files without a name.
 * usage: p9_check MOUNTED SERVED [TEST...]
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <time.h>
#include <unistd.h>

static int served; /* the same folder, not through 9P; the mounted one is the working folder */
static const char *test;
static int failures;

static void fail(int line, const char *fmt, ...)
{
	va_list args;

	printf("FAIL: %s, line %d: ", test, line);
	va_start(args, fmt);
	vprintf(fmt, args);
	va_end(args);
	printf(" (%s)\n", strerror(errno));
	failures++;
}

#define CHECK(cond)                                  \
	do {                                         \
		if (!(cond))                         \
			fail(__LINE__, "%s", #cond); \
	} while (0)
/* The call fails with this errno. */
#define FAILS(call, error)                                                                 \
	do {                                                                               \
		errno = 0;                                                                 \
		if ((call) >= 0 || errno != (error))                                       \
			fail(__LINE__, "%s: not refused with %s", #call, strerror(error)); \
	} while (0)

static unsigned long long state = 88172645463325252ull;

static unsigned int below(unsigned int n)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return (unsigned int)((state >> 11) % n);
}

static double now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

static int make(const char *name, const char *text)
{
	int fd = open(name, O_CREAT | O_TRUNC | O_RDWR, 0644);

	if (fd < 0 || write(fd, text, strlen(text)) != (ssize_t)strlen(text))
		fail(__LINE__, "cannot make %s", name);
	return fd;
}

static bool contains(int dir, const char *name, const char *text)
{
	char buf[256];
	int fd = openat(dir, name, O_RDONLY);
	ssize_t n = fd < 0 ? -1 : read(fd, buf, sizeof(buf));

	if (fd >= 0)
		close(fd);
	return n == (ssize_t)strlen(text) && !memcmp(buf, text, (size_t)n);
}

/* ---- storm: create, stat, open, unlink ---- */

#define STORM 60

static void storm(void)
{
	char name[32];
	struct stat st;
	double start = now();

	CHECK(!mkdir("storm", 0755));
	for (int i = 0; i < STORM; i++) {
		snprintf(name, sizeof(name), "storm/%d", i);
		close(make(name, "x"));
	}
	printf("create+write1 %.0f us\n", (now() - start) / STORM * 1e6);
	start = now();
	for (int i = 0; i < STORM; i++) {
		snprintf(name, sizeof(name), "storm/%d", i);
		CHECK(!stat(name, &st) && st.st_size == 1 && st.st_mode == (S_IFREG | 0644));
	}
	printf("stat %.0f us\n", (now() - start) / STORM * 1e6);
	start = now();
	for (int i = 0; i < STORM; i++) {
		snprintf(name, sizeof(name), "storm/%d", i);
		CHECK(contains(AT_FDCWD, name, "x"));
	}
	printf("open+read+close %.0f us\n", (now() - start) / STORM * 1e6);
	start = now();
	for (int i = 0; i < STORM; i++) {
		snprintf(name, sizeof(name), "storm/%d", i);
		CHECK(!unlink(name));
	}
	printf("unlink %.0f us\n", (now() - start) / STORM * 1e6);
	CHECK(!rmdir("storm"));
}

/* ---- random: I/O compared with a model ---- */

#define RANDOM_OPS 1500
#define RANDOM_MAX (256 << 10)

static unsigned char model[RANDOM_MAX], buffer[RANDOM_MAX];
static size_t model_size;

static void random_write(int fd)
{
	size_t at = below(RANDOM_MAX - 1), n = 1 + below(RANDOM_MAX - (unsigned int)at);

	if (below(4))
		n = n % 5000 + 1;
	if (at + n > RANDOM_MAX)
		n = RANDOM_MAX - at;
	for (size_t i = 0; i < n; i++)
		buffer[i] = (unsigned char)below(256);
	if (pwrite(fd, buffer, n, (off_t)at) != (ssize_t)n)
		fail(__LINE__, "write of %zu at %zu", n, at);
	if (at > model_size)
		memset(model + model_size, 0, at - model_size);
	memcpy(model + at, buffer, n);
	if (at + n > model_size)
		model_size = at + n;
}

static void random_read(int fd)
{
	size_t at = below(RANDOM_MAX), n = below(40000), want = 0;
	ssize_t got = pread(fd, buffer, n, (off_t)at);

	if (at < model_size)
		want = model_size - at < n ? model_size - at : n;
	if (got != (ssize_t)want || memcmp(buffer, model + at, want))
		fail(__LINE__, "read of %zu at %zu: %zd, not %zu, or wrong bytes", n, at, got,
		     want);
}

static void random_resize(int fd)
{
	size_t size = below(RANDOM_MAX);

	CHECK(!ftruncate(fd, (off_t)size));
	if (size > model_size)
		memset(model + model_size, 0, size - model_size);
	model_size = size;
}

/* Through a shared mapping, if the mount has one: cache=mmap, cache=loose. */
static void random_map(int fd)
{
	size_t page = below(RANDOM_MAX / 4096) * 4096u;
	unsigned char *p;

	if (page + 4096 > model_size)
		return;
	p = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, (off_t)page);
	if (p == MAP_FAILED)
		return;
	if (memcmp(p, model + page, 4096))
		fail(__LINE__, "a mapping of %zu has other bytes", page);
	for (int i = 0; i < 100; i++) {
		size_t at = below(4096);

		p[at] = model[page + at] = (unsigned char)below(256);
	}
	CHECK(!msync(p, 4096, MS_SYNC));
	CHECK(!munmap(p, 4096));
}

static void random_check(int fd)
{
	struct stat st;
	int direct;

	CHECK(!fsync(fd));
	CHECK(!fstat(fd, &st) && (size_t)st.st_size == model_size);
	direct = openat(served, "random", O_RDONLY);
	if (read(direct, buffer, RANDOM_MAX) != (ssize_t)model_size ||
	    memcmp(buffer, model, model_size))
		fail(__LINE__, "the served file is not what was written");
	close(direct);
}

static void random_io(void)
{
	int fd = open("random", O_CREAT | O_TRUNC | O_RDWR, 0600);

	model_size = 0;
	for (int i = 0; i < RANDOM_OPS && failures < 10; i++) {
		switch (below(20)) {
		case 0:
			random_resize(fd);
			break;
		case 1:
		case 2:
			random_map(fd);
			break;
		case 3:
			close(fd);
			fd = open("random", O_RDWR);
			break;
		case 4:
			if (!below(10))
				random_check(fd);
			break;
		case 5:
		case 6:
		case 7:
		case 8:
		case 9:
		case 10:
			random_write(fd);
			break;
		default:
			random_read(fd);
		}
	}
	random_check(fd);
	close(fd);
	CHECK(!unlink("random"));
}

/* ---- big: sequential, in parts larger than a message ---- */

#define BIG (8 << 20)

static void big(void)
{
	unsigned char *data = malloc(BIG), *back = malloc(BIG);
	int fd = open("big", O_CREAT | O_RDWR | O_TRUNC, 0644);
	double start;

	for (size_t i = 0; i < BIG; i++)
		data[i] = (unsigned char)below(256);
	start = now();
	CHECK(write(fd, data, BIG) == BIG);
	CHECK(!fsync(fd));
	printf("write %.0f MB/s\n", BIG / (now() - start) / 1e6);
	close(fd);
	fd = open("big", O_RDONLY);
	start = now();
	CHECK(read(fd, back, BIG) == BIG);
	printf("read %.0f MB/s\n", BIG / (now() - start) / 1e6);
	CHECK(!memcmp(data, back, BIG));
	close(fd);
	fd = openat(served, "big", O_RDONLY);
	CHECK(read(fd, back, BIG) == BIG && !memcmp(data, back, BIG));
	close(fd);
	unlink("big");
	free(data);
	free(back);
}

/* ---- names ---- */

static void renames(void)
{
	struct stat st;
	int fd;

	close(make("a", "one"));
	close(make("b", "two"));
	CHECK(!rename("a", "b"));
	CHECK(contains(AT_FDCWD, "b", "one") && contains(served, "b", "one"));
	FAILS(stat("a", &st), ENOENT);
	CHECK(!mkdir("d1", 0755) && !mkdir("d1/sub", 0755) && !mkdir("d2", 0755));
	fd = make("d1/sub/f", "deep");
	CHECK(!rename("d1/sub", "d2/moved"));
	CHECK(contains(AT_FDCWD, "d2/moved/f", "deep"));
	/* What is open follows its file. */
	CHECK(pwrite(fd, "DEEP", 4, 0) == 4);
	CHECK(contains(served, "d2/moved/f", "DEEP"));
	CHECK(!rename("d2/moved/f", "f"));
	CHECK(pwrite(fd, "deEP", 4, 0) == 4 && contains(served, "f", "deEP"));
	close(fd);
	FAILS(rename("d2", "d2/moved/x"), EINVAL);
	FAILS(rename("f", "d2"), EISDIR);
	FAILS(rename("d2", "f"), ENOTDIR);
	close(make("d1/x", "x"));
	FAILS(rename("d2", "d1"), ENOTEMPTY);
	FAILS(rmdir("d1"), ENOTEMPTY);
	FAILS(rmdir("f"), ENOTDIR);
	FAILS(mkdir("f", 0755), EEXIST);
	CHECK(!unlink("d1/x") && !rmdir("d1") && !rmdir("d2/moved") && !rmdir("d2"));
	CHECK(!unlink("f") && !unlink("b"));
}

static void links(void)
{
	char text[PATH_MAX], longest[PATH_MAX];
	struct stat st, other;
	ssize_t n;

	close(make("file", "text"));
	CHECK(!link("file", "second"));
	CHECK(!stat("second", &st) && st.st_nlink == 2);
	CHECK(!stat("file", &other) && st.st_ino == other.st_ino);
	FAILS(link("file", "second"), EEXIST);
	CHECK(!unlink("file") && contains(AT_FDCWD, "second", "text"));
	CHECK(!symlink("second", "sym"));
	CHECK(!lstat("sym", &st) && S_ISLNK(st.st_mode));
	n = readlink("sym", text, sizeof(text));
	CHECK(n == 6 && !memcmp(text, "second", 6) && contains(AT_FDCWD, "sym", "text"));
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

static void long_names(void)
{
	char name[300];
	struct stat st;

	memset(name, 'n', sizeof(name));
	name[255] = 0;
	close(make(name, "long"));
	CHECK(!stat(name, &st) && !fstatat(served, name, &st, 0));
	CHECK(!unlink(name));
	name[255] = 'n';
	name[256] = 0;
	FAILS(open(name, O_CREAT | O_RDWR, 0600), ENAMETOOLONG);
	close(make("\xff\xfe \n\\name", "odd"));
	CHECK(contains(served, "\xff\xfe \n\\name", "odd"));
	CHECK(!unlink("\xff\xfe \n\\name"));
}

static void specials(void)
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

#define MANY 5000
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

static void many(void)
{
	static unsigned char seen[MANY];
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
	start = now();
	CHECK(count("many", seen) == MANY);
	printf("readdir %.1f us an entry\n", (now() - start) / MANY * 1e6);
	for (int i = 0; i < MANY; i++)
		CHECK(seen[i] == 1);
	dir = opendir("many");
	for (int i = 0; i < 1000; i++)
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

/* ---- open files without a name, appending, truncation ---- */

static void unlinked(void)
{
	char buf[16] = "";
	struct stat st;
	int fd = make("gone", "before");

	CHECK(!unlink("gone"));
	CHECK(pwrite(fd, "after!", 6, 0) == 6 && pread(fd, buf, 6, 0) == 6);
	CHECK(!memcmp(buf, "after!", 6));
	CHECK(!fstat(fd, &st) && st.st_nlink == 0 && st.st_size == 6);
	CHECK(!ftruncate(fd, 3) && !fstat(fd, &st) && st.st_size == 3);
	CHECK(!fchmod(fd, 0600));
	close(fd);
	/* The same when another file takes the name. */
	fd = make("old", "old");
	close(make("new", "new"));
	CHECK(!rename("new", "old"));
	CHECK(pread(fd, buf, 3, 0) == 3 && !memcmp(buf, "old", 3));
	CHECK(!fstat(fd, &st) && st.st_nlink == 0);
	close(fd);
	CHECK(contains(AT_FDCWD, "old", "new") && !unlink("old"));
}

#define APPENDS 200

static void append(void)
{
	char buf[APPENDS * 2 * 8];
	int fd = open("log", O_CREAT | O_WRONLY | O_APPEND, 0600), direct;
	ssize_t n;

	direct = openat(served, "log", O_WRONLY | O_APPEND);
	for (int i = 0; i < APPENDS; i++) {
		CHECK(write(fd, "client.\n", 8) == 8);
		CHECK(write(direct, "server.\n", 8) == 8);
	}
	close(fd);
	close(direct);
	direct = openat(served, "log", O_RDONLY);
	n = read(direct, buf, sizeof(buf));
	close(direct);
	CHECK(n == (ssize_t)sizeof(buf));
	CHECK(!unlink("log"));
}

static void attributes(void)
{
	struct timespec times[2] = { { 1000000000, 123456789 }, { 1600000000, 987654321 } };
	struct statfs sf;
	struct stat st;
	int fd = make("attr", "12345");

	CHECK(!chmod("attr", 0600) && !stat("attr", &st) && st.st_mode == (S_IFREG | 0600));
	CHECK(!utimensat(AT_FDCWD, "attr", times, 0) && !stat("attr", &st));
	/* Linux' client cuts what it sets to seconds (its s_time_gran), but not what it reads. */
	CHECK(st.st_atim.tv_sec == 1000000000 && st.st_mtim.tv_sec == 1600000000);
	CHECK(!utimensat(served, "attr", times, 0) && !stat("attr", &st));
	CHECK(st.st_atim.tv_sec == 1000000000 && st.st_atim.tv_nsec == 123456789);
	CHECK(st.st_mtim.tv_sec == 1600000000 && st.st_mtim.tv_nsec == 987654321);
	times[0].tv_nsec = UTIME_OMIT;
	times[1].tv_nsec = UTIME_NOW;
	CHECK(!futimens(fd, times) && !fstat(fd, &st));
	CHECK(st.st_atim.tv_sec == 1000000000 && st.st_mtim.tv_sec > 1600000000);
	CHECK(!truncate("attr", 2) && contains(served, "attr", "12"));
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

static void mapped(void)
{
	struct stat st;

	close(make("own", "x"));
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

static void xattrs(void)
{
	char value[5000], back[6000];
	ssize_t n;

	close(make("x", ""));
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

static void locks(void)
{
	int fd = make("lock", "0123456789"), second, direct, status;
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

/* ---- a full file system: SERVED is a small one ---- */

static void full(void)
{
	static char block[65536];
	int fd = open("filler", O_CREAT | O_WRONLY, 0600);
	ssize_t n = 0;
	int error = 0;

	for (int i = 0; i < 1000 && n >= 0; i++)
		n = write(fd, block, sizeof(block));
	error = errno;
	if (n >= 0 && fsync(fd) && errno == ENOSPC)
		error = errno;
	CHECK(error == ENOSPC);
	close(fd);
	CHECK(!unlink("filler"));
}

/* ---- read-only: SERVED has the file "here" with "text", and the folder "dir" ---- */

static void readonly(void)
{
	struct stat st;

	CHECK(contains(AT_FDCWD, "here", "text"));
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
	CHECK(contains(served, "here", "text"));
}

/* ---- all ---- */

static const struct {
	const char *name;
	void (*run)(void);
	bool named; /* only when it is asked for */
} tests[] = {
	{ "storm", storm, false },
	{ "random", random_io, false },
	{ "big", big, false },
	{ "renames", renames, false },
	{ "links", links, false },
	{ "long-names", long_names, false },
	{ "specials", specials, false },
	{ "many", many, false },
	{ "unlinked", unlinked, false },
	{ "append", append, false },
	{ "attributes", attributes, false },
	{ "xattrs", xattrs, true },
	{ "locks", locks, true },
	{ "mapped", mapped, true },
	{ "full", full, true },
	{ "readonly", readonly, true },
};

static bool wanted(size_t i, int argc, char **argv)
{
	for (int a = 3; a < argc; a++)
		if (!strcmp(argv[a], tests[i].name) ||
		    (!strcmp(argv[a], "usual") && !tests[i].named))
			return true;
	return argc == 3 && !tests[i].named;
}

int main(int argc, char **argv)
{
	if (argc < 3)
		return 2;
	served = open(argv[2], O_RDONLY | O_DIRECTORY);
	if (served < 0 || chdir(argv[1])) {
		perror("p9_check");
		return 2;
	}
	setvbuf(stdout, NULL, _IOLBF, 0);
	for (size_t i = 0; i < sizeof(tests) / sizeof(tests[0]); i++) {
		int before = failures;

		if (!wanted(i, argc, argv))
			continue;
		test = tests[i].name;
		tests[i].run();
		printf("%s: %s\n", failures == before ? "ok" : "FAILED", test);
	}
	return failures ? 1 : 0;
}
