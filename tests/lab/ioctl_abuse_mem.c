// SPDX-License-Identifier: MIT
/*
 * Memory that the host changes under a running guest. The question is always the same: do guest and
 * host see one memory afterwards, and is what was taken away really gone?
 */
#include "ioctl_abuse.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define MIB2 0x200000ul

/* A box whose sweeping guest runs over LOOSE_BYTES at hva. */
struct field {
	struct box box;
	struct runner runner;
	uint8_t *at;
};

static uint8_t *word(const struct field *f, unsigned int page)
{
	return f->at + page * 4096ul;
}

static void field_start(struct field *f, void *at)
{
	f->at = at;
	box_make(&f->box, &guest_sweep);
	WORKS(box_mem(&f->box, LOOSE_SLOT, LOOSE, at, LOOSE_BYTES, 0));
	runner_start(&f->runner, &f->box);
	CHECK(box_progress(&f->box));
}

static void field_end(struct field *f)
{
	runner_stop(&f->runner);
	box_free(&f->box);
}

/*
 * The guest runs; with it halted the host writes numbers of its own, and after some laps they have
 * all moved by the number of laps.
 */
static void one_memory(struct field *f, int line)
{
	uint32_t from, laps;
	unsigned int i;

	check_at(__FILE__, line, "the guest goes on", box_progress(&f->box), 0);
	runner_stop(&f->runner);
	check_at(__FILE__, line, "and makes no exit",
		 !f->runner.error && f->runner.exit.reason == MHK_EXIT_NONE,
		 f->runner.error ? -f->runner.error : (int)f->runner.exit.reason);
	for (i = 0; i < LOOSE_PAGES; i++)
		put32(word(f, i), 100000 * i);
	from = box_counter(&f->box);
	runner_start(&f->runner, &f->box);
	CHECK(box_progress(&f->box));
	runner_stop(&f->runner);
	laps = box_counter(&f->box) - from;
	for (i = 0; i < LOOSE_PAGES; i++) {
		uint32_t moved = get32(word(f, i)) - 100000 * i;

		/* It may have been stopped in the middle of a lap, twice. */
		if (moved + 1 < laps || moved > laps + 1)
			check_at(__FILE__, line, "guest and host see one memory", false,
				 (long long)moved - laps);
	}
	runner_start(&f->runner, &f->box);
}

#define ONE_MEMORY(f) one_memory(f, __LINE__)

/* What was done took memory away, from the page on: the guest ends there. */
static void gone(struct field *f, unsigned int page, int line)
{
	struct runner *r = &f->runner;

	check_at(__FILE__, line, "the guest ended", runner_ended(r), 0);
	check_at(__FILE__, line, "by MEM_FAULT", r->exit.reason == MHK_EXIT_MEM_FAULT,
		 r->exit.reason);
	check_at(__FILE__, line, "at that page or behind it",
		 r->exit.u.mmio.gpa >> 12 >= (LOOSE >> 12) + page, (long long)r->exit.u.mmio.gpa);
}

static void *fixed(void *at, size_t bytes, int flags, int fd)
{
	void *p = mmap(at, bytes, PROT_READ | PROT_WRITE, flags | MAP_FIXED, fd, 0);

	if (p != at)
		fatal("mmap at a fixed place");
	return p;
}

static void protections(struct field *f)
{
	mprotect(f->at + 3 * 4096, 4096, PROT_READ);
	gone(f, 3, __LINE__);
	mprotect(f->at + 3 * 4096, 4096, PROT_READ | PROT_WRITE);
	runner_start(&f->runner, &f->box);
	ONE_MEMORY(f);
	mprotect(f->at, LOOSE_BYTES, PROT_NONE);
	CHECK(runner_ended(&f->runner));
	CHECK_VAL(f->runner.exit.reason == MHK_EXIT_MEM_FAULT, f->runner.exit.reason);
	mprotect(f->at, LOOSE_BYTES, PROT_READ | PROT_WRITE);
	runner_start(&f->runner, &f->box);
	ONE_MEMORY(f);
}

static void replaced(struct field *f)
{
	uint8_t *elsewhere = map_pages(LOOSE_BYTES);
	uint32_t was;

	/* Other pages in its place. */
	fixed(f->at + 4096, 4096, MAP_PRIVATE | MAP_ANONYMOUS, -1);
	ONE_MEMORY(f);
	/* Moved away: the guest must not follow it. */
	CHECK(mremap(f->at, LOOSE_BYTES, LOOSE_BYTES, MREMAP_MAYMOVE | MREMAP_FIXED, elsewhere) ==
	      elsewhere);
	CHECK(runner_ended(&f->runner));
	CHECK_VAL(f->runner.exit.reason == MHK_EXIT_MEM_FAULT, f->runner.exit.reason);
	was = get32(elsewhere + 4096);
	fixed(f->at, LOOSE_BYTES, MAP_PRIVATE | MAP_ANONYMOUS, -1);
	runner_start(&f->runner, &f->box);
	ONE_MEMORY(f);
	CHECK(get32(elsewhere + 4096) == was);
	munmap(elsewhere, LOOSE_BYTES);
	madvise(f->at, LOOSE_BYTES, MADV_DONTNEED);
	ONE_MEMORY(f);
	madvise(f->at + 4096, 4096, MADV_DONTNEED);
	ONE_MEMORY(f);
	madvise(f->at, LOOSE_BYTES, MADV_PAGEOUT);
	ONE_MEMORY(f);
	munmap(f->at + 7 * 4096, 4096);
	gone(f, 7, __LINE__);
	fixed(f->at + 7 * 4096, 4096, MAP_PRIVATE | MAP_ANONYMOUS, -1);
	runner_start(&f->runner, &f->box);
	ONE_MEMORY(f);
}

static void file_shrinks(void)
{
	int fd = memfd_create("abuse", MFD_CLOEXEC);
	struct field f;
	void *p;

	WORKS(ftruncate(fd, LOOSE_BYTES));
	p = mmap(NULL, LOOSE_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	field_start(&f, p);
	ONE_MEMORY(&f);
	WORKS(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, LOOSE_BYTES));
	ONE_MEMORY(&f);
	WORKS(ftruncate(fd, 2 * 4096));
	gone(&f, 2, __LINE__);
	WORKS(ftruncate(fd, LOOSE_BYTES));
	runner_start(&f.runner, &f.box);
	ONE_MEMORY(&f);
	/* A private copy over the shared file: the guest gets its own pages. */
	fixed(p, LOOSE_BYTES, MAP_PRIVATE, fd);
	ONE_MEMORY(&f);
	field_end(&f);
	munmap(p, LOOSE_BYTES);
	close(fd);
}

/* Everything at once and for a while, at random. */
static void storm(struct field *f)
{
	uint64_t end = now_ms() + (quick ? 500 : 2000);
	unsigned int seed = 1;

	while (now_ms() < end) {
		unsigned int page = (unsigned int)rand_r(&seed) % LOOSE_PAGES;
		size_t bytes = 4096 * (1 + (size_t)rand_r(&seed) % (LOOSE_PAGES - page));
		uint8_t *at = f->at + page * 4096ul;

		switch (rand_r(&seed) % 5) {
		case 0:
			madvise(at, bytes, MADV_DONTNEED);
			break;
		case 1:
			fixed(at, bytes, MAP_PRIVATE | MAP_ANONYMOUS, -1);
			break;
		case 2:
			fixed(at, bytes, MAP_SHARED | MAP_ANONYMOUS, -1);
			break;
		case 3:
			madvise(at, bytes, MADV_FREE);
			break;
		default:
			madvise(at, bytes, MADV_PAGEOUT);
			break;
		}
	}
}

void test_memory_moves(void)
{
	uint8_t *p = map_pages(LOOSE_BYTES);
	struct field f;

	field_start(&f, p);
	ONE_MEMORY(&f);
	protections(&f);
	replaced(&f);
	storm(&f);
	/* A hole may have been met for a moment: then the guest ended there. */
	if (__atomic_load_n(&f.runner.stop, __ATOMIC_ACQUIRE) == 2) {
		runner_stop(&f.runner);
		CHECK_VAL(f.runner.exit.reason == MHK_EXIT_MEM_FAULT, f.runner.exit.reason);
		runner_start(&f.runner, &f.box);
	}
	ONE_MEMORY(&f);
	field_end(&f);
	munmap(p, LOOSE_BYTES);
	file_shrinks();
}

/* The child's memory is a copy: what the guest writes afterwards is not in it. */
static void fork_once(struct field *f)
{
	int status = 0;
	pid_t child = fork();

	if (child == 0) {
		uint32_t seen[LOOSE_PAGES];
		unsigned int i;

		for (i = 0; i < LOOSE_PAGES; i++)
			seen[i] = get32(word(f, i));
		if (!box_progress(&f->box)) /* its own memory is shared with the child */
			_exit(2);
		for (i = 0; i < LOOSE_PAGES; i++)
			if (get32(word(f, i)) != seen[i])
				_exit(1);
		_exit(0);
	}
	waitpid(child, &status, 0);
	CHECK_VAL(WIFEXITED(status) && WEXITSTATUS(status) == 0, status);
}

void test_memory_fork(void)
{
	uint8_t *p = map_pages(LOOSE_BYTES);
	struct field f;
	int i;

	field_start(&f, p);
	for (i = 0; i < (quick ? 4 : 20); i++)
		fork_once(&f);
	ONE_MEMORY(&f);
	field_end(&f);
	munmap(p, LOOSE_BYTES);
}

struct changer {
	uint8_t *memory;
	int stop; /* atomic */
};

static void *changer_main(void *opaque)
{
	struct changer *c = opaque;

	while (!__atomic_load_n(&c->stop, __ATOMIC_RELAXED)) {
		mprotect(c->memory, LOOSE_BYTES, PROT_READ);
		mprotect(c->memory, LOOSE_BYTES, PROT_READ | PROT_WRITE);
		memset(c->memory, 1, LOOSE_BYTES);
	}
	return NULL;
}

/* Another thread changes the memory while the VM ends: what looks at vCPUs for that finds them. */
void test_memory_end(void)
{
	struct changer c = { .memory = map_pages(LOOSE_BYTES) };
	pthread_t thread;
	struct box b;
	int i;

	if (pthread_create(&thread, NULL, changer_main, &c))
		fatal("pthread_create");
	for (i = 0; i < (quick ? 20 : 200); i++) {
		box_make(&b, &guest_out);
		WORKS(box_mem(&b, LOOSE_SLOT, LOOSE, c.memory, LOOSE_BYTES, 0));
		box_free(&b);
	}
	__atomic_store_n(&c.stop, 1, __ATOMIC_RELAXED);
	pthread_join(thread, NULL);
	munmap(c.memory, LOOSE_BYTES);
}

/*
 * MADV_FREE gives pages away until somebody writes to them. The guest does: they must be kept. (The
 * host's page tables know nothing of the guest's writes: a page that the guest may write was once
 * not marked dirty, and was thrown away with what the guest had written.)
 */
void test_memory_free(void)
{
	uint8_t *p = map_pages(LOOSE_BYTES);
	struct field f;
	unsigned int i;
	int round;

	field_start(&f, p);
	for (round = 0; round < (quick ? 3 : 10); round++) {
		uint32_t lost = 0;

		CHECK(box_progress(&f.box));
		runner_stop(&f.runner);
		for (i = 0; i < LOOSE_PAGES; i++)
			put32(word(&f, i), 1000000);
		CHECK(madvise(p, LOOSE_BYTES, MADV_FREE) == 0);
		runner_start(&f.runner, &f.box);
		CHECK(box_progress(&f.box));
		runner_stop(&f.runner);
		madvise(p, LOOSE_BYTES, MADV_PAGEOUT);
		for (i = 0; i < LOOSE_PAGES; i++)
			lost += get32(word(&f, i)) < 1000000;
		CHECK_VAL(lost == 0, lost);
		runner_start(&f.runner, &f.box);
	}
	ONE_MEMORY(&f);
	field_end(&f);
	munmap(p, LOOSE_BYTES);
}

static bool write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	bool ok = fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text);

	if (fd >= 0)
		close(fd);
	return ok;
}

/* The guest's 2 MiB page in the host's, which then breaks up under it. */
static void transparent(void)
{
	uint8_t *area = map_pages(3 * MIB2);
	uint8_t *p = (uint8_t *)(((uintptr_t)area + MIB2 - 1) & ~(MIB2 - 1));
	struct field f = { .at = p };

	madvise(area, 3 * MIB2, MADV_HUGEPAGE);
	memset(p, 0, MIB2);
	box_make(&f.box, &guest_sweep);
	WORKS(box_mem(&f.box, LOOSE_SLOT, LOOSE, p, MIB2, 0));
	runner_start(&f.runner, &f.box);
	ONE_MEMORY(&f);
	madvise(p + 5 * 4096, 4096, MADV_DONTNEED);
	ONE_MEMORY(&f);
	mprotect(p + 6 * 4096, 4096, PROT_READ);
	gone(&f, 6, __LINE__);
	mprotect(p + 6 * 4096, 4096, PROT_READ | PROT_WRITE);
	runner_start(&f.runner, &f.box);
	ONE_MEMORY(&f);
	fork_once(&f);
	fixed(p, MIB2, MAP_PRIVATE | MAP_ANONYMOUS, -1);
	madvise(p, MIB2, MADV_HUGEPAGE);
	ONE_MEMORY(&f);
	madvise(p, MIB2, MADV_NOHUGEPAGE);
	madvise(p + 4096, 4096, MADV_PAGEOUT);
	ONE_MEMORY(&f);
	field_end(&f);
	munmap(area, 3 * MIB2);
}

/* The kernel gives what it can: did it give all? */
static bool huge_pages(const char *count)
{
	char got[8] = "";
	int fd;

	if (!write_file("/proc/sys/vm/nr_hugepages", count))
		return false;
	fd = open("/proc/sys/vm/nr_hugepages", O_RDONLY | O_CLOEXEC);
	if (fd < 0 || read(fd, got, sizeof(got) - 1) < 0)
		fatal("nr_hugepages");
	close(fd);
	return strtol(got, NULL, 10) == strtol(count, NULL, 10);
}

/*
 * The third page is for MADV_DONTNEED: Linux before 6.7 takes the page out of the tables first and
 * gives it back to the pool later, and a touch in between ends by SIGBUS when the pool is empty, in
 * any process ("hugetlbfs: close race between MADV_DONTNEED and page fault").
 */
static void hugetlb(void)
{
	uint8_t *p = MAP_FAILED;
	struct field f;

	if (huge_pages("3"))
		p = mmap(NULL, 2 * MIB2, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB, -1, 0);
	if (p == MAP_FAILED) {
		printf("  no huge pages to be had: hugetlb is left out\n");
		return;
	}
	f.at = p;
	box_make(&f.box, &guest_sweep);
	WORKS(box_mem(&f.box, LOOSE_SLOT, LOOSE, p, 2 * MIB2, 0));
	runner_start(&f.runner, &f.box);
	ONE_MEMORY(&f);
	madvise(p, MIB2, MADV_DONTNEED);
	ONE_MEMORY(&f);
	/* A slot that begins in the middle of a huge page. */
	WORKS(box_mem(&f.box, 2, 0x10001000, p + 4096, MIB2, 0));
	WORKS(box_mem_clear(&f.box, 2));
	munmap(p, 2 * MIB2);
	gone(&f, 0, __LINE__);
	field_end(&f);
	write_file("/proc/sys/vm/nr_hugepages", "0");
}

void test_memory_huge(void)
{
	transparent();
	hugetlb();
}

/* The vCPU's own shared page, as the guest's memory: it rewrites what we and the kernel read. */
void test_own_page(void)
{
	struct runner r;
	struct box b;
	uint64_t end;

	box_make(&b, &guest_sweep);
	WORKS(box_mem(&b, LOOSE_SLOT, LOOSE, b.page, 4096, 0));
	WORKS(box_mem(&b, LOOSE_SLOT + 1, LOOSE + 4096, (uint8_t *)b.page + 4096, 4096, 0));
	WORKS(box_mem(&b, LOOSE_SLOT + 2, LOOSE + 8192, b.ram, LOOSE_BYTES - 8192, 0));
	runner_start_blind(&r, &b);
	/* It counts at immediate_exit, too: runs return at once while that is not zero. */
	for (end = now_ms() + (quick ? 100 : 300); now_ms() < end;)
		b.page->user.immediate_exit = 0;
	CHECK(box_counter(&b) > 0);
	runner_stop(&r);
	CHECK_VAL(r.error == 0, r.error);
	box_free(&b);
}

/* ---- what is brought in before it is touched ---- */

#define AHEAD_PAGES 64u

static unsigned int resident(void *memory)
{
	unsigned char in[AHEAD_PAGES] = { 0 };
	unsigned int i, count = 0;

	WORKS(mincore(memory, AHEAD_PAGES * 4096, in));
	for (i = 0; i < AHEAD_PAGES; i++)
		count += in[i] & 1;
	return count;
}

static unsigned int touched_by(const struct guest *guest)
{
	uint8_t *memory = map_pages(AHEAD_PAGES * 4096);
	unsigned int count;
	struct runner r;
	struct box b;

	madvise(memory, AHEAD_PAGES * 4096, MADV_NOHUGEPAGE);
	box_make(&b, guest);
	WORKS(box_mem(&b, LOOSE_SLOT, LOOSE, memory, AHEAD_PAGES * 4096, 0));
	runner_start(&r, &b);
	CHECK(box_progress(&b));
	runner_stop(&r);
	CHECK_VAL(r.error == 0, r.error);
	count = resident(memory);
	box_free(&b);
	munmap(memory, AHEAD_PAGES * 4096);
	return count;
}

/* One touch brings in one page; of a row of touches no more is brought in than was touched. */
void test_memory_ahead(void)
{
	unsigned int count = touched_by(&guest_read);

	CHECK_VAL(count == 1, count);
	count = touched_by(&guest_sweep);
	CHECK_VAL(count >= LOOSE_PAGES && count < 2 * LOOSE_PAGES, count);
}
