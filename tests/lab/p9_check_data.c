// SPDX-License-Identifier: MIT
/* p9_check: data of files: many, without a name, from two sides, on a full disk. */
#include "p9_check.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- big: sequential, in parts larger than a message ---- */

#define BIG ((8 << 20) / divisor)

void check_big(void)
{
	unsigned char *data = malloc(BIG), *back = malloc(BIG);
	unsigned long long state = 88172645463325252ull;
	int fd = open("big", O_CREAT | O_RDWR | O_TRUNC, 0644);
	double start;

	for (int i = 0; i < BIG; i++) {
		state = state * 6364136223846793005ull + 1442695040888963407ull;
		data[i] = (unsigned char)(state >> 56);
	}
	start = check_now();
	CHECK(write(fd, data, BIG) == BIG);
	CHECK(!fsync(fd));
	printf("write %.0f MB/s\n", BIG / (check_now() - start) / 1e6);
	close(fd);
	fd = open("big", O_RDONLY);
	start = check_now();
	CHECK(read(fd, back, BIG) == BIG);
	printf("read %.0f MB/s\n", BIG / (check_now() - start) / 1e6);
	CHECK(!memcmp(data, back, BIG));
	close(fd);
	fd = openat(served, "big", O_RDONLY);
	CHECK(read(fd, back, BIG) == BIG && !memcmp(data, back, BIG));
	close(fd);
	unlink("big");
	free(data);
	free(back);
}

/* ---- open files without a name, appending, truncation ---- */

void check_unlinked(void)
{
	char buf[16] = "";
	struct stat st;
	int fd = check_make("gone", "before");

	CHECK(!unlink("gone"));
	CHECK(pwrite(fd, "after!", 6, 0) == 6 && pread(fd, buf, 6, 0) == 6);
	CHECK(!memcmp(buf, "after!", 6));
	CHECK(!fstat(fd, &st) && st.st_nlink == 0 && st.st_size == 6);
	CHECK(!ftruncate(fd, 3) && !fstat(fd, &st) && st.st_size == 3);
	CHECK(!fchmod(fd, 0600));
	close(fd);
	/* The same when another file takes the name. */
	fd = check_make("old", "old");
	close(check_make("new", "new"));
	CHECK(!rename("new", "old"));
	CHECK(pread(fd, buf, 3, 0) == 3 && !memcmp(buf, "old", 3));
	CHECK(!fstat(fd, &st) && st.st_nlink == 0);
	close(fd);
	CHECK(check_contains(AT_FDCWD, "old", "new") && !unlink("old"));
}

#define APPENDS_MAX 200
#define APPENDS (APPENDS_MAX / divisor)

void check_append(void)
{
	char buf[APPENDS_MAX * 2 * 8];
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
	CHECK(n == APPENDS * 2 * 8);
	CHECK(!unlink("log"));
}

/* ---- a full file system: SERVED is a small one ---- */

void check_full(void)
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
