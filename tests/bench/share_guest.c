// SPDX-License-Identifier: MIT
/* In a guest: what files on a shared folder cost. usage: bench_share FOLDER */
#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "guest.h"

#define BLOCK (128u << 10)
#define BLOCKS 64u
#define SMALL 4096u
#define FILES 200u

static char name[64];

/* The i-th small file. */
static const char *file(unsigned int i)
{
	snprintf(name, sizeof(name), "storm/f%u", i);
	return name;
}

static int opened(const char *path, int flags)
{
	int fd = open(path, flags, 0644);

	if (fd < 0)
		bench_fatal(path);
	return fd;
}

static void large_file(void)
{
	static uint8_t data[BLOCK];
	uint64_t begin, seed = 1;
	int fd = opened("large", O_RDWR | O_CREAT | O_TRUNC);

	memset(data, 0x5a, sizeof(data));
	begin = bench_tsc();
	for (unsigned int i = 0; i < BLOCKS; i++)
		if (write(fd, data, BLOCK) != BLOCK)
			bench_fatal("write");
	bench_report("seqwrite-128k", begin, BLOCKS);
	begin = bench_tsc();
	for (unsigned int i = 0; i < BLOCKS; i++)
		if (pread(fd, data, BLOCK, (off_t)i * BLOCK) != BLOCK)
			bench_fatal("read");
	bench_report("seqread-128k", begin, BLOCKS);
	begin = bench_tsc();
	for (unsigned int i = 0; i < 500; i++) {
		off_t at = (off_t)(bench_random(&seed) % (BLOCKS * BLOCK / SMALL) * SMALL);

		if (pread(fd, data, SMALL, at) != SMALL)
			bench_fatal("read");
	}
	bench_report("randread-4k", begin, 500);
	close(fd);
}

static void list(void)
{
	uint64_t begin = bench_tsc();
	unsigned int n = 0;
	DIR *dir = opendir("storm");

	while (dir && readdir(dir))
		n++;
	if (n != FILES + 2)
		bench_fatal("readdir");
	closedir(dir);
	bench_report("readdir-entry", begin, n);
}

static void many_files(void)
{
	uint64_t begin;
	struct stat st;
	char byte = 1;
	int fd;

	if (mkdir("storm", 0755))
		bench_fatal("mkdir");
	begin = bench_tsc();
	for (unsigned int i = 0; i < FILES; i++) {
		fd = opened(file(i), O_WRONLY | O_CREAT | O_EXCL);
		if (write(fd, &byte, 1) != 1)
			bench_fatal("write");
		close(fd);
	}
	bench_report("create+write", begin, FILES);
	begin = bench_tsc();
	for (unsigned int i = 0; i < FILES; i++)
		if (stat(file(i), &st) || st.st_size != 1)
			bench_fatal("stat");
	bench_report("stat", begin, FILES);
	begin = bench_tsc();
	for (unsigned int i = 0; i < FILES; i++) {
		fd = opened(file(i), O_RDONLY);
		if (read(fd, &byte, 1) != 1)
			bench_fatal("read");
		close(fd);
	}
	bench_report("open+read+close", begin, FILES);
	list();
	begin = bench_tsc();
	for (unsigned int i = 0; i < FILES; i++)
		if (unlink(file(i)))
			bench_fatal("unlink");
	bench_report("unlink", begin, FILES);
	rmdir("storm");
}

int main(int argc, char **argv)
{
	if (chdir(argc > 1 ? argv[1] : "."))
		bench_fatal("chdir");
	large_file();
	many_files();
	unlink("large");
	return 0;
}
