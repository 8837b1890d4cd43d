// SPDX-License-Identifier: MIT
/*
 * In a guest: what requests to a disk cost, past the guest's page cache.
 * usage: bench_disk DEVICE
 */
#include <fcntl.h>
#include <linux/aio_abi.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "guest.h"

#define SPAN (48ull << 20) /* of the disk, from its begin */
#define SMALL 4096u
#define LARGE (1u << 20)
#define DEPTH_MAX 32u

struct job {
	const char *name;
	unsigned int write, bytes, depth, count;
};

/* Large ones in a row, small ones anywhere. */
static off_t place(const struct job *j, uint64_t *seed)
{
	uint64_t n = j->bytes == LARGE ? ++*seed : bench_random(seed);

	return (off_t)(n % (SPAN / j->bytes) * j->bytes);
}

/* Always so many requests in flight, by Linux' own asynchronous I/O. The first tenth warms up. */
static void run_deep(int fd, const struct job *j, uint8_t *memory)
{
	unsigned int warm = j->count / 10, completed = 0, counted = 0, n = j->depth;
	struct iocb cb[DEPTH_MAX], *list[DEPTH_MAX];
	struct io_event event[DEPTH_MAX];
	uint64_t seed = 1, begin = 0;
	aio_context_t aio = 0;

	if (syscall(SYS_io_setup, DEPTH_MAX, &aio))
		bench_fatal("io_setup");
	memset(cb, 0, sizeof(cb));
	for (unsigned int i = 0; i < n; i++) {
		cb[i].aio_fildes = (uint32_t)fd;
		cb[i].aio_lio_opcode = j->write ? IOCB_CMD_PWRITE : IOCB_CMD_PREAD;
		cb[i].aio_buf = (uintptr_t)(memory + (size_t)i * j->bytes);
		cb[i].aio_nbytes = j->bytes;
		cb[i].aio_data = i;
		list[i] = &cb[i];
	}
	while (completed < j->count + warm) {
		if (!begin && completed >= warm) {
			begin = bench_tsc();
			counted = completed;
		}
		for (unsigned int i = 0; i < n; i++)
			list[i]->aio_offset = place(j, &seed);
		if (syscall(SYS_io_submit, aio, (long)n, list) != (long)n)
			bench_fatal("io_submit");
		n = (unsigned int)syscall(SYS_io_getevents, aio, 1l, (long)j->depth, event, NULL);
		if (n > j->depth)
			bench_fatal("io_getevents");
		for (unsigned int i = 0; i < n; i++) {
			if (event[i].res != (int64_t)j->bytes)
				bench_fatal(j->name);
			list[i] = &cb[event[i].data];
		}
		completed += n;
	}
	bench_report(j->name, begin, completed - counted);
	syscall(SYS_io_destroy, aio);
}

static void run_one(int fd, const struct job *j, uint8_t *memory)
{
	uint64_t seed = 1, begin = 0;

	for (unsigned int i = 0; i < j->count + j->count / 10; i++) {
		off_t at = place(j, &seed);
		ssize_t n;

		if (i == j->count / 10)
			begin = bench_tsc();
		n = j->write ? pwrite(fd, memory, j->bytes, at) : pread(fd, memory, j->bytes, at);
		if (n != (ssize_t)j->bytes)
			bench_fatal(j->name);
	}
	bench_report(j->name, begin, j->count);
}

int main(int argc, char **argv)
{
	static const struct job jobs[] = {
		{ "randread-4k-1", 0, SMALL, 1, 1000 },	 { "randread-4k-32", 0, SMALL, 32, 3200 },
		{ "randwrite-4k-1", 1, SMALL, 1, 1000 }, { "randwrite-4k-32", 1, SMALL, 32, 3200 },
		{ "seqread-1m-4", 0, LARGE, 4, 400 },	 { "seqwrite-1m-4", 1, LARGE, 4, 400 },
	};
	int fd = open(argc > 1 ? argv[1] : "/dev/vda", O_RDWR | O_DIRECT);
	void *memory;

	if (fd < 0)
		bench_fatal("open");
	if (posix_memalign(&memory, SMALL, 4ul * LARGE))
		bench_fatal("memory");
	memset(memory, 0x5a, 4ul * LARGE);
	for (size_t i = 0; i < sizeof(jobs) / sizeof(jobs[0]); i++) {
		if (jobs[i].depth == 1)
			run_one(fd, &jobs[i], memory);
		else
			run_deep(fd, &jobs[i], memory);
	}
	return 0;
}
