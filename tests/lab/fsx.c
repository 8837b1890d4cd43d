// SPDX-License-Identifier: MIT
/*
 * Random work on files of any file system, each compared with a model in memory: writes, reads,
 * appends, new sizes, shared mappings, holes, reopening, empty caches. Every operation is kept: a
 * wrong byte is reported with those that touched it. It runs in guests without libraries, too.
 * usage: fsx [-n OPERATIONS] [-s SEED] [-l BYTES] [-j PROCESSES] [-m MODEL] [-c] FILE
 *   -l  the largest size of the file
 *   -j  so many processes, one after the other on each CPU, with FILE.0, FILE.1, ...
 *   -m  leave what the file must hold in MODEL (with -j: MODEL.0, ...), for a later comparison
 *   -c  empty the kernel's caches now and then (root)
 */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define PAGE 4096u
#define OPERATIONS_MAX 10000000ull
#define LIMIT_MAX (1ull << 30)
#define SHOWN 12 /* operations in a report */

enum kind { READ, WRITE, APPEND, TRUNCATE, MAP_READ, MAP_WRITE, HOLE, REOPEN, SYNC, DROP, KINDS };

static const struct {
	const char *name;
	unsigned int weight;
	bool changes;
} kinds[KINDS] = {
	[READ] = { "read", 30, false },	       [WRITE] = { "write", 25, true },
	[APPEND] = { "append", 5, true },      [TRUNCATE] = { "truncate", 5, true },
	[MAP_READ] = { "map-read", 8, false }, [MAP_WRITE] = { "map-write", 8, true },
	[HOLE] = { "hole", 4, true },	       [REOPEN] = { "reopen", 4, false },
	[SYNC] = { "fsync", 2, false },	       [DROP] = { "drop-caches", 1, false },
};

struct operation {
	uint8_t kind;
	uint32_t at, bytes;
};

struct fsx {
	const char *path, *model_path;
	uint64_t seed;
	uint32_t operations, limit;
	bool drop, no_map, no_hole;
	int fd;
	uint8_t *model, *buffer; /* [limit] */
	uint32_t size;		 /* of the file, as it must be */
	struct operation *log;	 /* [operations] */
	uint32_t count;
	int failures;
};

/* xorshift64: the same work again with the same seed. */
static uint32_t below(struct fsx *f, uint32_t n)
{
	f->seed ^= f->seed << 13;
	f->seed ^= f->seed >> 7;
	f->seed ^= f->seed << 17;
	return (uint32_t)((f->seed >> 16) % n);
}

static void fail(struct fsx *f, const char *fmt, ...)
{
	const struct operation *op = &f->log[f->count - 1];
	va_list args;

	f->failures++;
	printf("FAIL: %s: operation %u, %s of %u at %u: ", f->path, f->count - 1,
	       kinds[op->kind].name, op->bytes, op->at);
	va_start(args, fmt);
	vprintf(fmt, args);
	va_end(args);
	printf("\n");
}

/* What touched this byte, newest first. */
static void show_log(const struct fsx *f, uint32_t at)
{
	unsigned int shown = 0;

	for (uint32_t i = f->count; i-- && shown < SHOWN;) {
		const struct operation *op = &f->log[i];

		if (op->kind == TRUNCATE ? at < op->at : at < op->at || at - op->at >= op->bytes)
			continue;
		printf("  %9u %-10s %9u +%u\n", i, kinds[op->kind].name, op->at, op->bytes);
		shown++;
	}
}

static void compare(struct fsx *f, const uint8_t *got, uint32_t at, uint32_t bytes)
{
	uint32_t first = 0, last = bytes;

	if (!memcmp(got, f->model + at, bytes))
		return;
	while (got[first] == f->model[at + first])
		first++;
	while (got[last - 1] == f->model[at + last - 1])
		last--;
	fail(f, "wrong bytes in [%u, %u), the first is %02x instead of %02x", at + first, at + last,
	     got[first], f->model[at + first]);
	show_log(f, at + first);
}

/* Bytes that tell their operation and their place. */
static void fill(struct fsx *f, uint8_t *to, uint32_t at, uint32_t bytes)
{
	for (uint32_t i = 0; i < bytes; i++)
		to[i] = (uint8_t)(f->count * 151 + (at + i) + (at + i) / 251 + 1);
}

static void grow(struct fsx *f, uint32_t end)
{
	if (end > f->size)
		f->size = end;
}

static void op_read(struct fsx *f, struct operation *op)
{
	uint32_t want = op->at >= f->size ? 0 : f->size - op->at;
	ssize_t got = pread(f->fd, f->buffer, op->bytes, op->at);

	if (want > op->bytes)
		want = op->bytes;
	if (got != (ssize_t)want)
		fail(f, "%zd bytes instead of %u (%s)", got, want, strerror(got < 0 ? errno : 0));
	else
		compare(f, f->buffer, op->at, want);
}

static void op_write(struct fsx *f, struct operation *op)
{
	ssize_t done;

	fill(f, f->model + op->at, op->at, op->bytes);
	done = pwrite(f->fd, f->model + op->at, op->bytes, op->at);
	if (done != (ssize_t)op->bytes)
		fail(f, "%zd bytes taken (%s)", done, strerror(done < 0 ? errno : 0));
	grow(f, op->at + op->bytes);
}

/* Through a descriptor of its own: the file system chooses the place. */
static void op_append(struct fsx *f, struct operation *op)
{
	int fd = open(f->path, O_WRONLY | O_APPEND);
	ssize_t done;

	op->at = f->size;
	if (op->bytes > f->limit - f->size)
		op->bytes = f->limit - f->size;
	fill(f, f->model + op->at, op->at, op->bytes);
	done = write(fd, f->model + op->at, op->bytes);
	if (fd < 0 || done != (ssize_t)op->bytes)
		fail(f, "%zd bytes taken (%s)", done, strerror(errno));
	close(fd);
	grow(f, op->at + op->bytes);
}

static void op_truncate(struct fsx *f, struct operation *op)
{
	struct stat st;

	op->bytes = 0;
	if (ftruncate(f->fd, op->at))
		fail(f, "%s", strerror(errno));
	if (op->at < f->size)
		memset(f->model + op->at, 0, f->size - op->at);
	f->size = op->at;
	if (fstat(f->fd, &st) || st.st_size != f->size)
		fail(f, "the size is %lld", (long long)st.st_size);
}

/* A mapping of the whole pages around it, within the file. */
static void op_map(struct fsx *f, struct operation *op)
{
	uint32_t start = op->at & ~(PAGE - 1), skip = op->at - start;
	uint8_t *map;

	if (op->at >= f->size || f->no_map) {
		op->bytes = 0;
		return;
	}
	if (op->bytes > f->size - op->at)
		op->bytes = f->size - op->at;
	map = mmap(NULL, skip + op->bytes, PROT_READ | PROT_WRITE, MAP_SHARED, f->fd, start);
	if (map == MAP_FAILED) {
		/* Some file systems have none, as 9P without a cache. */
		f->no_map = true;
		return;
	}
	compare(f, map + skip, op->at, op->bytes);
	if (op->kind == MAP_WRITE) {
		fill(f, f->model + op->at, op->at, op->bytes);
		memcpy(map + skip, f->model + op->at, op->bytes);
		if (msync(map, skip + op->bytes, MS_SYNC))
			fail(f, "msync: %s", strerror(errno));
	}
	munmap(map, skip + op->bytes);
}

static void op_hole(struct fsx *f, struct operation *op)
{
	if (op->at >= f->size || f->no_hole) {
		op->bytes = 0;
		return;
	}
	if (op->bytes > f->size - op->at)
		op->bytes = f->size - op->at;
	if (fallocate(f->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, op->at, op->bytes)) {
		if (errno != EOPNOTSUPP)
			fail(f, "%s", strerror(errno));
		f->no_hole = true;
		op->bytes = 0;
		return;
	}
	memset(f->model + op->at, 0, op->bytes);
}

static void op_reopen(struct fsx *f)
{
	struct stat st;

	if (close(f->fd))
		fail(f, "close: %s", strerror(errno));
	f->fd = open(f->path, O_RDWR);
	if (f->fd < 0 || fstat(f->fd, &st))
		fail(f, "open: %s", strerror(errno));
	else if (st.st_size != f->size)
		fail(f, "the size is %lld, not %u", (long long)st.st_size, f->size);
}

static void op_drop(struct fsx *f)
{
	int fd = f->drop ? open("/proc/sys/vm/drop_caches", O_WRONLY) : -1;

	if (fd < 0)
		return;
	if (fsync(f->fd) || write(fd, "3\n", 2) != 2)
		fail(f, "%s", strerror(errno));
	close(fd);
}

static enum kind choose(struct fsx *f)
{
	unsigned int sum = 0, at;
	int k;

	for (k = 0; k < KINDS; k++)
		sum += kinds[k].weight;
	at = below(f, sum);
	for (k = 0; at >= kinds[k].weight; k++)
		at -= kinds[k].weight;
	return (enum kind)k;
}

static void step(struct fsx *f)
{
	struct operation *op = &f->log[f->count++];

	op->kind = (uint8_t)choose(f);
	op->at = below(f, f->limit);
	op->bytes = 1 + below(f, f->limit - op->at);
	if (below(f, 8)) /* mostly short ones */
		op->bytes = 1 + op->bytes % (5 * PAGE);
	if (op->bytes > f->limit - op->at)
		op->bytes = f->limit - op->at;
	switch ((enum kind)op->kind) {
	case READ:
		op_read(f, op);
		break;
	case WRITE:
		op_write(f, op);
		break;
	case APPEND:
		op_append(f, op);
		break;
	case TRUNCATE:
		op_truncate(f, op);
		break;
	case MAP_READ:
	case MAP_WRITE:
		op_map(f, op);
		break;
	case HOLE:
		op_hole(f, op);
		break;
	case REOPEN:
		op_reopen(f);
		break;
	case SYNC:
		if (fsync(f->fd))
			fail(f, "%s", strerror(errno));
		break;
	case DROP:
		op_drop(f);
		break;
	case KINDS:
		break;
	}
}

static void save_model(struct fsx *f)
{
	int fd = open(f->model_path, O_CREAT | O_TRUNC | O_WRONLY, 0600);

	if (fd < 0 || write(fd, f->model, f->size) != (ssize_t)f->size || close(fd))
		fail(f, "cannot write %s: %s", f->model_path, strerror(errno));
}

static int work(struct fsx *f)
{
	f->model = calloc(1, f->limit);
	f->buffer = malloc(f->limit);
	f->log = calloc(f->operations + 1, sizeof(*f->log));
	f->fd = open(f->path, O_CREAT | O_TRUNC | O_RDWR, 0600);
	if (!f->model || !f->buffer || !f->log || f->fd < 0) {
		printf("FAIL: %s: cannot begin: %s\n", f->path, strerror(errno));
		return 1;
	}
	while (f->count < f->operations && !f->failures)
		step(f);
	/* All of it, as somebody else sees it. */
	f->log[f->count++] = (struct operation){ .kind = READ, .bytes = f->limit };
	if (!f->failures && fsync(f->fd))
		fail(f, "fsync: %s", strerror(errno));
	if (!f->failures)
		op_reopen(f);
	if (!f->failures)
		op_read(f, &f->log[f->count - 1]);
	if (f->model_path && !f->failures)
		save_model(f);
	if (!f->failures)
		printf("fsx: %s: %u operations, %u bytes%s%s\n", f->path, f->operations, f->size,
		       f->no_map ? ", no mappings" : "", f->no_hole ? ", no holes" : "");
	return f->failures != 0;
}

/* One of several: files and work of its own, on a CPU of its own if there is one. */
static int work_nth(const struct fsx *all, unsigned int n)
{
	char path[4096], model[4096];
	struct fsx f = *all;
	cpu_set_t cpus;

	CPU_ZERO(&cpus);
	CPU_SET(n % (unsigned int)sysconf(_SC_NPROCESSORS_ONLN), &cpus);
	sched_setaffinity(0, sizeof(cpus), &cpus);
	snprintf(path, sizeof(path), "%s.%u", all->path, n);
	f.path = path;
	if (all->model_path) {
		snprintf(model, sizeof(model), "%s.%u", all->model_path, n);
		f.model_path = model;
	}
	f.seed += n * 0x9e3779b97f4a7c15ull;
	return work(&f);
}

static int work_all(const struct fsx *f, unsigned int processes)
{
	int status, failed = 0;

	for (unsigned int n = 0; n < processes; n++) {
		pid_t pid = fork();

		if (!pid)
			exit(work_nth(f, n));
		if (pid < 0)
			failed = 1;
	}
	while (wait(&status) > 0)
		failed |= status != 0;
	return failed;
}

static int usage(void)
{
	fprintf(stderr, "usage: fsx [-n OPERATIONS] [-s SEED] [-l BYTES] [-j PROCESSES]"
			" [-m MODEL] [-c] FILE\n");
	return 2;
}

int main(int argc, char **argv)
{
	struct fsx f = { .seed = 1, .operations = 1000, .limit = 256 << 10 };
	unsigned long long operations = f.operations, limit = f.limit, processes = 0;
	int option;

	setvbuf(stdout, NULL, _IOLBF, 0);
	while ((option = getopt(argc, argv, "n:s:l:j:m:c")) != -1) {
		if (option == 'n')
			operations = strtoull(optarg, NULL, 10);
		else if (option == 's')
			f.seed = strtoull(optarg, NULL, 10);
		else if (option == 'l')
			limit = strtoull(optarg, NULL, 10);
		else if (option == 'j')
			processes = strtoull(optarg, NULL, 10);
		else if (option == 'm')
			f.model_path = optarg;
		else if (option == 'c')
			f.drop = true;
		else
			return usage();
	}
	if (optind + 1 != argc || !limit || limit > LIMIT_MAX || operations > OPERATIONS_MAX ||
	    processes > 1000)
		return usage();
	f.path = argv[optind];
	f.operations = (uint32_t)operations;
	f.limit = (uint32_t)limit;
	f.seed = f.seed * 0x9e3779b97f4a7c15ull | 1;
	return processes ? work_all(&f, (unsigned int)processes) : work(&f);
}
