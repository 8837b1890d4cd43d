// SPDX-License-Identifier: MIT
/*
 * In a guest: what requests to a disk cost, by the time-stamp counter. In an emulated host whose
 * TSC counts instructions that is the guest's, the host's and the VMM's share together. One line a
 * figure: "BENCH NAME COUNT".
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/aio_abi.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#define SPAN (48ull << 20) /* of the disk, from its begin */
#define SMALL 4096u
#define LARGE (1u << 20)
#define DEPTH_MAX 32u

static uint64_t tsc(void)
{
	uint32_t low, high;

	__asm__ volatile("lfence; rdtsc" : "=a"(low), "=d"(high)::"memory");
	return (uint64_t)high << 32 | low;
}

static void fatal(const char *what)
{
	printf("BENCH failed: %s: %s\n", what, strerror(errno));
	exit(1);
}

static uint64_t place(uint64_t *seed, uint32_t bytes, unsigned int sequential)
{
	*seed = sequential ? *seed + 1 : *seed * 6364136223846793005ull + 1442695040888963407ull;
	return (sequential ? *seed : *seed >> 33) % (SPAN / bytes) * bytes;
}

struct job {
	const char *name;
	unsigned int write, bytes, depth, count, sequential;
};

/* Always `depth` requests in flight, by Linux' own asynchronous I/O. */
static void run_deep(int fd, const struct job *j, uint8_t *memory)
{
	struct iocb cb[DEPTH_MAX], *list[DEPTH_MAX];
	struct io_event event[DEPTH_MAX];
	unsigned int submitted = 0, completed = 0, n = j->depth;
	aio_context_t aio = 0;
	uint64_t seed = 1, begin = 0;

	if (syscall(SYS_io_setup, DEPTH_MAX, &aio))
		fatal("io_setup");
	memset(cb, 0, sizeof(cb));
	for (unsigned int i = 0; i < n; i++) {
		cb[i].aio_fildes = (uint32_t)fd;
		cb[i].aio_lio_opcode = j->write ? IOCB_CMD_PWRITE : IOCB_CMD_PREAD;
		cb[i].aio_buf = (uintptr_t)(memory + (size_t)i * j->bytes);
		cb[i].aio_nbytes = j->bytes;
		cb[i].aio_data = i;
		list[i] = &cb[i];
	}
	/* The first tenth warms up. */
	while (completed < j->count + j->count / 10) {
		if (!begin && completed >= j->count / 10) {
			begin = tsc();
			submitted = 0;
		}
		for (unsigned int i = 0; i < n; i++)
			list[i]->aio_offset = (int64_t)place(&seed, j->bytes, j->sequential);
		if (syscall(SYS_io_submit, aio, (long)n, list) != (long)n)
			fatal("io_submit");
		submitted += n;
		n = (unsigned int)syscall(SYS_io_getevents, aio, 1l, (long)j->depth, event, NULL);
		if (n > j->depth)
			fatal("io_getevents");
		for (unsigned int i = 0; i < n; i++) {
			if (event[i].res != (int64_t)j->bytes)
				fatal("a request");
			list[i] = &cb[event[i].data];
		}
		completed += n;
	}
	printf("BENCH %s %llu\n", j->name, (unsigned long long)((tsc() - begin) / submitted));
	syscall(SYS_io_destroy, aio);
}

static void run_one(int fd, const struct job *j, uint8_t *memory)
{
	uint64_t seed = 1, begin = 0;

	for (unsigned int i = 0; i < j->count + j->count / 10; i++) {
		off_t at = (off_t)place(&seed, j->bytes, j->sequential);
		ssize_t n;

		if (i == j->count / 10)
			begin = tsc();
		n = j->write ? pwrite(fd, memory, j->bytes, at) : pread(fd, memory, j->bytes, at);
		if (n != (ssize_t)j->bytes)
			fatal("a request");
	}
	printf("BENCH %s %llu\n", j->name, (unsigned long long)((tsc() - begin) / j->count));
}

int main(int argc, char **argv)
{
	static const struct job jobs[] = {
		{ "randread-4k-1", 0, SMALL, 1, 1000, 0 },
		{ "randread-4k-32", 0, SMALL, 32, 3200, 0 },
		{ "randwrite-4k-1", 1, SMALL, 1, 1000, 0 },
		{ "randwrite-4k-32", 1, SMALL, 32, 3200, 0 },
		{ "seqread-1m-4", 0, LARGE, 4, 40, 1 },
		{ "seqwrite-1m-4", 1, LARGE, 4, 40, 1 },
	};
	int fd = open(argc > 1 ? argv[1] : "/dev/vda", O_RDWR | O_DIRECT);
	void *memory;

	if (fd < 0)
		fatal("open");
	if (posix_memalign(&memory, SMALL, (size_t)4 * LARGE))
		fatal("memory");
	memset(memory, 0x5a, (size_t)4 * LARGE);
	for (size_t i = 0; i < sizeof(jobs) / sizeof(jobs[0]); i++) {
		if (jobs[i].depth == 1)
			run_one(fd, &jobs[i], memory);
		else
			run_deep(fd, &jobs[i], memory);
	}
	return 0;
}
