// SPDX-License-Identifier: MIT
/* The small VM of ioctl_abuse.c, its guests, and the thread that runs it. */
#include "ioctl_abuse.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#define GUEST(name, text)                                                     \
	extern const uint8_t name##_code[], name##_end[];                     \
	__asm__(".pushsection .rodata\n.code16\n" #name "_code:\n" text #name \
		"_end:\n.code64\n.popsection\n");                             \
	const struct guest name = { name##_code, name##_end }

GUEST(guest_count, "1: incl 0x2000; jmp 1b\n");
GUEST(guest_out, "1: out %al, $0x10; jmp 1b\n");
GUEST(guest_halt, "1: cli; hlt; jmp 1b\n");
GUEST(guest_sweep, "1: movl $0x200000, %ebx\n"
		   "2: incl (%ebx); addl $0x1000, %ebx; cmpl $0x210000, %ebx; jb 2b\n"
		   "incl 0x2000; jmp 1b\n");
GUEST(guest_read, "movl $0x200000, %ebx; movl (%ebx), %eax\n"
		  "1: incl 0x2000; jmp 1b\n");
GUEST(guest_last, "1: rdtsc; cmpl $-1, %edx; jne 1b; cmpl 0x2000, %eax; jb 1b\n"
		  "cli; hlt; incl 0x2004; jmp 1b\n");
GUEST(guest_crash, "lidt 0x3000; int3\n"); /* a table of zeros */

#define FAILURES_MAX 100 /* more of them say nothing new */

static void count_failure(void)
{
	if (++failures < FAILURES_MAX)
		return;
	printf("too many failures\n");
	exit(EXIT_FAILURE);
}

void expect_at(const char *file, int line, const char *what, long ret, int want)
{
	int got = ret < 0 ? errno : 0;

	if (got == want)
		return;
	printf("%s:%d: %s: %s, not %s\n", file, line, what, strerror(got), strerror(want));
	count_failure();
}

void check_at(const char *file, int line, const char *what, bool ok, long long value)
{
	if (ok)
		return;
	printf("%s:%d: not so: %s (%lld = 0x%llx)\n", file, line, what, value, value);
	count_failure();
}

void fatal(const char *what)
{
	printf("%s: %s\n", what, strerror(errno));
	exit(EXIT_FAILURE);
}

void nap_ms(unsigned int ms)
{
	struct timespec t = { .tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000l };

	while (nanosleep(&t, &t) && errno == EINTR)
		;
}

uint64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

void *map_pages(size_t bytes)
{
	void *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (p == MAP_FAILED)
		fatal("mmap");
	return p;
}

uint32_t vms_alive(void)
{
	struct mhk_info info = { .size = sizeof(info) };
	int dev = open(MHK_DEVICE, O_RDWR | O_CLOEXEC);

	if (dev < 0 || ioctl(dev, MHK_INFO, &info))
		fatal(MHK_DEVICE);
	close(dev);
	return info.vms;
}

/* ---- the VM ---- */

int box_mem(const struct box *b, uint32_t slot, uint64_t gpa, const void *hva, uint64_t bytes,
	    uint32_t flags)
{
	struct mhk_mem mem = { .size = sizeof(mem),
			       .flags = flags,
			       .slot = slot,
			       .gpa = gpa,
			       .bytes = bytes,
			       .hva = (uintptr_t)hva };

	return ioctl(b->vm, MHK_MEM, &mem);
}

int box_mem_clear(const struct box *b, uint32_t slot)
{
	return box_mem(b, slot, 0, NULL, 0, MHK_MEM_CLEAR);
}

void box_make_bare(struct box *b)
{
	struct mhk_vm_create create = { .size = sizeof(create) };
	struct mhk_vcpu_create vcpu = { .size = sizeof(vcpu) };

	b->ram = NULL;
	b->dev = open(MHK_DEVICE, O_RDWR | O_CLOEXEC);
	if (b->dev < 0)
		fatal(MHK_DEVICE);
	b->vm = ioctl(b->dev, MHK_VM_CREATE, &create);
	if (b->vm < 0)
		fatal("MHK_VM_CREATE");
	b->vcpu = ioctl(b->vm, MHK_VCPU_CREATE, &vcpu);
	if (b->vcpu < 0)
		fatal("MHK_VCPU_CREATE");
	b->page = mmap(NULL, MHK_RUN_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, b->vcpu, 0);
	if (b->page == MAP_FAILED)
		fatal("mmap of the vCPU");
}

void box_state(struct box *b)
{
	struct mhk_get get = { .size = sizeof(get), .groups = MHK_G_ALL & ~MHK_G_FPU };
	struct mhk_state *s = &b->page->state;
	int i;

	if (ioctl(b->vcpu, MHK_GET, &get))
		fatal("MHK_GET");
	for (i = MHK_ES; i <= MHK_GS; i++)
		s->seg[i] = (struct mhk_seg){ .limit = ~0u, .attr = 0x8093 };
	s->seg[MHK_CS] = (struct mhk_seg){ .limit = 0xffff, .attr = 0x9b };
	s->rip = CODE;
	s->rflags = 2;
	b->page->user.commit = MHK_G_RIP | MHK_G_SEG;
}

void box_make(struct box *b, const struct guest *guest)
{
	int i;

	box_make_bare(b);
	b->ram = mmap(NULL, RAM_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (b->ram == MAP_FAILED)
		fatal("mmap");
	/* Every exception in real mode begins the guest again. */
	for (i = 0; i < 256; i++)
		((uint32_t *)b->ram)[i] = CODE;
	memcpy(b->ram + CODE, guest->code, (size_t)(guest->end - guest->code));
	if (box_mem(b, 0, 0, b->ram, RAM_BYTES, 0))
		fatal("MHK_MEM");
	box_state(b);
}

void box_free(struct box *b)
{
	munmap(b->page, MHK_RUN_BYTES);
	close(b->vcpu);
	close(b->vm);
	close(b->dev);
	if (b->ram)
		munmap(b->ram, RAM_BYTES);
}

int box_run(struct box *b)
{
	uint64_t end = now_ms() + WAIT_MS;
	int rc;

	do {
		rc = ioctl(b->vcpu, MHK_RUN);
		if (now_ms() > end)
			return ETIMEDOUT;
	} while ((rc && errno == EINTR) || (!rc && b->page->exit.reason == MHK_EXIT_NONE));
	return rc ? errno : 0;
}

uint32_t box_counter(const struct box *b)
{
	return get32(b->ram + COUNTER);
}

bool box_progress(const struct box *b)
{
	uint32_t from = box_counter(b);
	uint64_t end = now_ms() + WAIT_MS;

	/* Twice: what began before the call may still end. */
	while (box_counter(b) - from < 2 && now_ms() < end)
		nap_ms(1);
	return box_counter(b) - from >= 2;
}

/* ---- the thread ---- */

static void *runner_main(void *opaque)
{
	struct runner *r = opaque;

	while (!__atomic_load_n(&r->stop, __ATOMIC_ACQUIRE)) {
		int rc = ioctl(r->box->vcpu, MHK_RUN);

		if ((rc && errno == EINTR) || (!rc && r->blind))
			continue;
		r->error = rc ? errno : 0;
		if (!r->blind)
			r->exit = r->box->page->exit;
		if (rc || r->exit.reason != MHK_EXIT_NONE)
			break;
	}
	__atomic_store_n(&r->stop, 2, __ATOMIC_RELEASE);
	return NULL;
}

static void start(struct runner *r, struct box *b, bool blind)
{
	memset(r, 0, sizeof(*r));
	r->box = b;
	r->blind = blind;
	if (pthread_create(&r->thread, NULL, runner_main, r))
		fatal("pthread_create");
}

void runner_start(struct runner *r, struct box *b)
{
	start(r, b, false);
}

void runner_start_blind(struct runner *r, struct box *b)
{
	start(r, b, true);
}

void runner_stop(struct runner *r)
{
	int running = 0;

	__atomic_compare_exchange_n(&r->stop, &running, 1, false, __ATOMIC_ACQ_REL,
				    __ATOMIC_ACQUIRE);
	ioctl(r->box->vcpu, MHK_KICK);
	pthread_join(r->thread, NULL);
	/* The kick may not have been needed, and is for the next run then. */
	r->box->page->user.immediate_exit = 0;
}

bool runner_ended(struct runner *r)
{
	uint64_t end = now_ms() + WAIT_MS;
	bool ended = false;

	while (!ended && now_ms() < end) {
		nap_ms(1);
		ended = __atomic_load_n(&r->stop, __ATOMIC_ACQUIRE) == 2;
	}
	runner_stop(r);
	return ended;
}
