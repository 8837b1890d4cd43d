// SPDX-License-Identifier: MIT
/*
 * The steps of ioctl_fuzz.c: every call of the kernel's interface with good and bad arguments on
 * any fd, and everything else that a process can do to its fds, its memory and its threads
 * meanwhile.
 */
#include "ioctl_fuzz.h"

#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#define DEVICE 0u
#define VM_FIRST 1u
#define VCPU_FIRST (VM_FIRST + FUZZ_VMS)
#define BELL_FIRST (VCPU_FIRST + FUZZ_VCPUS)
#define PAGE 4096ul
#define CHILD_US 200000 /* what a child has of time */

union arg {
	struct mhk_info info;
	struct mhk_vm_create vm;
	struct mhk_mem mem;
	struct mhk_msi msi;
	struct mhk_tsc tsc;
	struct mhk_vcpu_create vcpu;
	struct mhk_doorbell bell;
	struct mhk_get get;
	struct mhk_cpuid cpuid;
	struct mhk_lapic lapic;
	struct mhk_stats stats;
	uint64_t words[64];
};

/* ---- dice ---- */

uint64_t throw(struct dice * d)
{
	d->state ^= d->state << 13;
	d->state ^= d->state >> 7;
	d->state ^= d->state << 17;
	return d->state * 0x2545f4914f6cdd1d;
}

unsigned int pick(struct dice *d, unsigned int n)
{
	return (unsigned int)(throw(d) >> 33) % n;
}

bool rarely(struct dice *d, unsigned int n)
{
	return pick(d, n) == 0;
}

uint64_t strange(struct dice *d, uint64_t old)
{
	switch (pick(d, 7)) {
	case 0:
		return 0;
	case 1:
		return ~0ull;
	case 2:
		return old ^ 1ull << pick(d, 64);
	case 3:
		return old ^ 1ull << pick(d, 32);
	case 4:
		return old + PAGE * (pick(d, 5) - 2ull);
	case 5:
		return 0x7fffffffffff + pick(d, 2);
	default:
		return throw(d);
	}
}

/* ---- fds ---- */

static int fd_at(struct world *w, unsigned int slot)
{
	return __atomic_load_n(&w->fds[slot], __ATOMIC_RELAXED);
}

/* What was in the slot is closed, also while somebody is in a call of it. */
static void fd_put(struct world *w, unsigned int slot, int fd)
{
	int old = __atomic_exchange_n(&w->fds[slot], fd, __ATOMIC_RELAXED);

	if (old >= 0)
		close(old);
}

static unsigned int any_vm(struct thrower *t)
{
	return VM_FIRST + pick(&t->dice, FUZZ_VMS);
}

static unsigned int any_vcpu(struct thrower *t)
{
	return VCPU_FIRST + pick(&t->dice, FUZZ_VCPUS);
}

static bool counted(struct thrower *t, long rc)
{
	t->tally->calls++;
	t->tally->worked += rc >= 0;
	return rc >= 0;
}

/* ---- arguments ---- */

/* Pages of the arena: they may be of any kind, or not there. */
static __u64 arena_piece(struct thrower *t, __u64 *bytes)
{
	unsigned int pages = (unsigned int)(ARENA_BYTES / PAGE), first = pick(&t->dice, pages);

	*bytes = PAGE * (1 + pick(&t->dice, rarely(&t->dice, 2) ? pages - first : 4));
	if (first * PAGE + *bytes > ARENA_BYTES)
		*bytes = ARENA_BYTES - first * PAGE;
	return (uintptr_t)t->world->arena + first * PAGE;
}

static void fill_info(struct thrower *t, union arg *a)
{
	(void)t;
	a->info.size = sizeof(a->info);
}

static void fill_vm(struct thrower *t, union arg *a)
{
	(void)t;
	a->vm.size = sizeof(a->vm);
}

/* Slot 0 is where guests begin. */
static void fill_mem(struct thrower *t, union arg *a)
{
	a->mem.size = sizeof(a->mem);
	a->mem.slot = pick(&t->dice, rarely(&t->dice, 8) ? MHK_MAX_SLOTS : 4);
	a->mem.hva = arena_piece(t, &a->mem.bytes);
	a->mem.gpa = a->mem.slot == 0 ? 0 : LOOSE * (uint64_t)a->mem.slot;
	if (a->mem.slot == 0) {
		a->mem.hva = (uintptr_t)t->world->arena;
		a->mem.bytes = RAM_BYTES;
	}
	a->mem.flags = rarely(&t->dice, 5)   ? MHK_MEM_READONLY
		       : rarely(&t->dice, 4) ? MHK_MEM_CLEAR
					     : 0;
}

static void fill_msi(struct thrower *t, union arg *a)
{
	a->msi.size = sizeof(a->msi);
	a->msi.addr = 0xfee00000 | (throw(&t->dice) & 0xff00c);
	a->msi.data = (uint32_t) throw(&t->dice) & 0xc7ff;
}

static void fill_tsc(struct thrower *t, union arg *a)
{
	a->tsc.size = sizeof(a->tsc);
	a->tsc.flags = pick(&t->dice, 2) ? MHK_TSC_SET : 0;
	a->tsc.offset = throw(&t->dice);
	a->tsc.ratio = pick(&t->dice, 2) ? throw(&t->dice) : 0;
}

static void fill_vcpu(struct thrower *t, union arg *a)
{
	a->vcpu.size = sizeof(a->vcpu);
	a->vcpu.apic_id = pick(&t->dice, FUZZ_VCPUS);
}

static void fill_bell(struct thrower *t, union arg *a)
{
	a->bell.size = sizeof(a->bell);
	a->bell.flags = rarely(&t->dice, 3) ? MHK_DOORBELL_CLEAR : 0;
	a->bell.gpa = LOOSE + PAGE * pick(&t->dice, 16) + pick(&t->dice, 2);
	a->bell.fd = fd_at(t->world, BELL_FIRST + pick(&t->dice, FUZZ_BELLS));
}

static void fill_get(struct thrower *t, union arg *a)
{
	a->get.size = sizeof(a->get);
	a->get.groups = (uint32_t) throw(&t->dice) & MHK_G_ALL;
}

static void fill_cpuid(struct thrower *t, union arg *a)
{
	__u64 bytes;

	a->cpuid.size = sizeof(a->cpuid);
	a->cpuid.count = pick(&t->dice, MHK_MAX_CPUID + 1);
	a->cpuid.entries = arena_piece(t, &bytes);
}

static void fill_lapic(struct thrower *t, union arg *a)
{
	a->lapic.size = sizeof(a->lapic);
	a->lapic.flags = pick(&t->dice, 2) ? MHK_LAPIC_WRITE : 0;
	a->lapic.offset = pick(&t->dice, 0x40) * 16;
	a->lapic.value = (uint32_t) throw(&t->dice);
}

static void fill_stats(struct thrower *t, union arg *a)
{
	(void)t;
	a->stats.size = sizeof(a->stats);
}

static void fill_none(struct thrower *t, union arg *a)
{
	(void)t;
	(void)a;
}

static const struct call {
	unsigned long number;
	unsigned int kind; /* DEVICE, VM_FIRST or VCPU_FIRST */
	void (*fill)(struct thrower *t, union arg *a);
} calls[] = {
	{ MHK_INFO, DEVICE, fill_info },       { MHK_VM_CREATE, DEVICE, fill_vm },
	{ MHK_MEM, VM_FIRST, fill_mem },       { MHK_MSI, VM_FIRST, fill_msi },
	{ MHK_TSC, VM_FIRST, fill_tsc },       { MHK_VCPU_CREATE, VM_FIRST, fill_vcpu },
	{ MHK_DOORBELL, VM_FIRST, fill_bell }, { MHK_RUN, VCPU_FIRST, fill_none },
	{ MHK_KICK, VCPU_FIRST, fill_none },   { MHK_GET, VCPU_FIRST, fill_get },
	{ MHK_CPUID, VCPU_FIRST, fill_cpuid }, { MHK_LAPIC, VCPU_FIRST, fill_lapic },
	{ MHK_STATS, VCPU_FIRST, fill_stats },
};

/* Where an argument lies: on the stack, or where other threads write, or nowhere. */
static void *placed(struct thrower *t, union arg *a)
{
	struct iovec from = { a, sizeof(*a) }, to = { NULL, sizeof(*a) };
	__u64 bytes;

	switch (pick(&t->dice, 24)) {
	case 0:
		return NULL;
	case 1:
		return (void *)0xffff888000001000;
	case 2:
		return t->world->arena + ARENA_BYTES - pick(&t->dice, sizeof(*a));
	case 3:
		return (uint8_t *)a + 1;
	case 4:
		return t->world->pages[pick(&t->dice, FUZZ_VCPUS)];
	case 5:
		to.iov_base = (void *)arena_piece(t, &bytes);
		process_vm_writev(getpid(), &from, 1, &to, 1, 0);
		return to.iov_base;
	default:
		return a;
	}
}

/* New objects take the places of old ones. */
static void keep_fd(struct thrower *t, unsigned int kind, unsigned long number, int fd)
{
	if (kind == DEVICE && number == MHK_VM_CREATE)
		fd_put(t->world, any_vm(t), fd);
	else if (kind == VM_FIRST && number == MHK_VCPU_CREATE)
		fd_put(t->world, any_vcpu(t), fd);
	else if (fd > 2)
		close(fd);
}

static void step_call(struct thrower *t)
{
	const struct call *c = &calls[pick(&t->dice, sizeof(calls) / sizeof(calls[0]))];
	unsigned long number = c->number;
	union arg a = { .words = { 0 } };
	unsigned int slot = c->kind;
	int rc;

	if (c->kind == VM_FIRST)
		slot = any_vm(t);
	else if (c->kind == VCPU_FIRST)
		slot = any_vcpu(t);
	c->fill(t, &a);
	if (rarely(&t->dice, 4)) {
		unsigned int at = pick(&t->dice, rarely(&t->dice, 4) ? 64 : 5);

		a.words[at] = strange(&t->dice, a.words[at]);
	}
	if (rarely(&t->dice, 12))
		slot = pick(&t->dice, FUZZ_FDS);
	if (rarely(&t->dice, 16))
		number = (unsigned long)strange(&t->dice, number) & 0xffffffff;
	rc = ioctl(fd_at(t->world, slot), number, placed(t, &a));
	if (counted(t, rc) && rc > 0)
		keep_fd(t, c->kind, number, rc);
}

/* ---- vCPUs ---- */

/* The kernel reads them but once; the state of a guest is spared what QEMU itself dies of. */
static void scribble(struct thrower *t, struct mhk_run *page)
{
	size_t state = offsetof(struct mhk_run, state), at;
	size_t spared = state + offsetof(struct mhk_state, cr0);
	size_t end = state + offsetof(struct mhk_state, star);
	uint32_t groups = in_qemu ? MHK_G_ALL & ~(MHK_G_CR | MHK_G_DR) : MHK_G_ALL;

	switch (pick(&t->dice, 6)) {
	case 0:
		page->user.commit = (uint32_t) throw(&t->dice) & groups;
		return;
	case 1:
		page->user.wanted = (uint32_t) throw(&t->dice) & MHK_G_ALL;
		return;
	case 2:
		page->user.inject = MHK_INJECT_VALID | MHK_INJECT_EXCEPTION |
				    ((uint32_t) throw(&t->dice) & 0x81f);
		return;
	case 3:
		page->user.immediate_exit = rarely(&t->dice, 4);
		page->user.debug = (uint32_t) throw(&t->dice) & MHK_DEBUG_ALL;
		return;
	case 4:
		at = MHK_FPU_OFFSET + pick(&t->dice, MHK_FPU_BYTES / 8) * 8ul;
		break;
	default:
		at = pick(&t->dice, (unsigned int)sizeof(*page) / 8) * 8ul;
		break;
	}
	/* user.commit is a word of its own: case 0 has it. */
	if (in_qemu && ((at >= spared && at < end) || at == 0))
		return;
	__atomic_store_n((uint64_t *)((uint8_t *)page + at), strange(&t->dice, 0),
			 __ATOMIC_RELAXED);
}

static void good_state(struct mhk_run *page)
{
	int i;

	for (i = MHK_ES; i <= MHK_GS; i++)
		page->state.seg[i] = (struct mhk_seg){ .limit = ~0u, .attr = 0x8093 };
	page->state.seg[MHK_CS] = (struct mhk_seg){ .limit = 0xffff, .attr = 0x9b };
	page->state.rip = CODE;
	page->state.rflags = 2;
	page->user.inject = 0;
	page->user.debug = 0;
	page->user.immediate_exit = 0;
	page->user.commit = MHK_G_RIP | MHK_G_SEG;
}

static void step_run(struct thrower *t)
{
	unsigned int i = pick(&t->dice, FUZZ_VCPUS), rounds = 1 + pick(&t->dice, 4);
	struct mhk_get get = { .size = sizeof(get), .groups = MHK_G_ALL & ~MHK_G_FPU };
	int fd = fd_at(t->world, VCPU_FIRST + i);

	if (rarely(&t->dice, 2)) {
		ioctl(fd, MHK_GET, &get);
		good_state(t->world->pages[i]);
	}
	while (rounds--)
		counted(t, rarely(&t->dice, 2) ? ioctl(fd, MHK_RUN) : lseek(fd, 0, SEEK_SET));
}

static void step_scribble(struct thrower *t)
{
	unsigned int i = pick(&t->dice, FUZZ_VCPUS), times = 1 + pick(&t->dice, 50);

	while (times--)
		scribble(t, t->world->pages[i]);
}

/* A page of a vCPU, of another one, or none: at the same address, and never a hole. */
static void step_page(struct thrower *t)
{
	struct mhk_run *at = t->world->pages[pick(&t->dice, FUZZ_VCPUS)];
	int fd = fd_at(t->world, any_vcpu(t)), prot = PROT_READ | PROT_WRITE;

	if (rarely(&t->dice, 4))
		mmap(at, MHK_RUN_BYTES, prot, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
	else if (rarely(&t->dice, 4)) /* wrong in some way, and elsewhere */
		munmap(mmap(NULL, PAGE * (1 + pick(&t->dice, 3)), PROT_READ,
			    rarely(&t->dice, 2) ? MAP_SHARED : MAP_PRIVATE, fd,
			    (long)(PAGE * pick(&t->dice, 3))),
		       PAGE);
	else
		counted(t,
			mmap(at, MHK_RUN_BYTES, prot, MAP_SHARED | MAP_FIXED, fd, 0) == MAP_FAILED
				? -1
				: 0);
}

/* ---- memory ---- */

static const int advice[] = { MADV_DONTNEED,	   MADV_FREE,	   MADV_PAGEOUT, MADV_HUGEPAGE,
			      MADV_NOHUGEPAGE,	   MADV_MERGEABLE, MADV_COLD,	 MADV_WILLNEED,
			      MADV_POPULATE_WRITE, MADV_DONTFORK,  MADV_DOFORK,	 MADV_REMOVE };

static void step_memory(struct thrower *t)
{
	__u64 bytes, where = arena_piece(t, &bytes), other = arena_piece(t, &bytes);
	void *at = (void *)where, *to = (void *)other;
	size_t room = ARENA_BYTES - (where - (uintptr_t)t->world->arena);
	int fixed = MAP_FIXED, prot = PROT_READ | PROT_WRITE;

	if (bytes > room)
		bytes = room;
	switch (pick(&t->dice, 9)) {
	case 0:
		mmap(at, bytes, prot, fixed | MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		break;
	case 1:
		mmap(at, bytes, prot, fixed | MAP_SHARED, t->world->memory,
		     (long)(where - (uintptr_t)t->world->arena));
		break;
	case 2:
		mmap(at, bytes, PROT_READ, fixed | MAP_PRIVATE, t->world->memory, 0);
		break;
	case 3:
		munmap(at, bytes);
		break;
	case 4:
		mremap(at, PAGE, PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, to);
		break;
	case 5:
		mprotect(at, bytes, rarely(&t->dice, 2) ? PROT_NONE : PROT_READ);
		break;
	case 6:
		mprotect(at, bytes, prot);
		break;
	case 7:
		if (ftruncate(
			    t->world->memory,
			    (long)(rarely(&t->dice, 2) ? ARENA_BYTES : PAGE * pick(&t->dice, 32))))
			return;
		break;
	default:
		madvise(at, bytes, advice[pick(&t->dice, sizeof(advice) / sizeof(advice[0]))]);
		break;
	}
}

/* Memory with a guest in it, where slot 0 may be. */
static void step_guest(struct thrower *t)
{
	static const struct guest *const guests[] = { &guest_count, &guest_out,	 &guest_halt,
						      &guest_sweep, &guest_read, &guest_crash };
	const struct guest *g = guests[pick(&t->dice, sizeof(guests) / sizeof(guests[0]))];
	struct mhk_mem mem = { .size = sizeof(mem),
			       .bytes = RAM_BYTES,
			       .hva = (uintptr_t)t->world->arena };
	struct iovec from = { (void *)g->code, (size_t)(g->end - g->code) };
	struct iovec to = { t->world->arena + CODE, from.iov_len };

	if (rarely(&t->dice, 2))
		mmap(t->world->arena, RAM_BYTES, PROT_READ | PROT_WRITE,
		     MAP_FIXED | MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	process_vm_writev(getpid(), &from, 1, &to, 1, 0);
	counted(t, ioctl(fd_at(t->world, any_vm(t)), MHK_MEM, &mem));
}

/* ---- fds and processes ---- */

static void step_close(struct thrower *t)
{
	unsigned int slot = pick(&t->dice, FUZZ_FDS);

	if (slot == DEVICE)
		fd_put(t->world, slot, open(MHK_DEVICE, O_RDWR | O_CLOEXEC));
	else if (slot >= BELL_FIRST)
		fd_put(t->world, slot, eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
	else if (rarely(&t->dice, 3))
		fd_put(t->world, slot, -1);
}

/* A second reference, in another place: of the same kind, or not. */
static void step_dup(struct thrower *t)
{
	unsigned int from = pick(&t->dice, FUZZ_FDS), to = pick(&t->dice, FUZZ_FDS);
	int fd = fd_at(t->world, from), over = fd_at(t->world, to);

	if (rarely(&t->dice, 2))
		fd_put(t->world, to, fcntl(fd, F_DUPFD_CLOEXEC, 3));
	else if (fd >= 3 && over >= 3)
		dup3(fd, over, O_CLOEXEC);
}

/* Fds under way in a socket: nobody else holds them, and the socket may hold itself. */
static void step_pass(struct thrower *t)
{
	char room[CMSG_SPACE(sizeof(int))] __attribute__((aligned(8))) = { 0 };
	char byte = 0;
	struct iovec iov = { &byte, 1 };
	struct msghdr msg = { .msg_iov = &iov,
			      .msg_iovlen = 1,
			      .msg_control = room,
			      .msg_controllen = sizeof(room) };
	struct cmsghdr *c = CMSG_FIRSTHDR(&msg);
	int fd = fd_at(t->world, pick(&t->dice, FUZZ_FDS));

	if (rarely(&t->dice, 2)) {
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(sizeof(int));
		if (rarely(&t->dice, 8))
			fd = t->world->pair[pick(&t->dice, 2)];
		memcpy(CMSG_DATA(c), &fd, sizeof(fd));
		sendmsg(t->world->pair[pick(&t->dice, 2)], &msg, MSG_DONTWAIT);
	} else if (recvmsg(t->world->pair[pick(&t->dice, 2)], &msg, MSG_DONTWAIT) == 1 &&
		   (c = CMSG_FIRSTHDR(&msg)) != NULL && c->cmsg_type == SCM_RIGHTS) {
		memcpy(&fd, CMSG_DATA(c), sizeof(fd));
		fd_put(t->world, pick(&t->dice, FUZZ_FDS), fd);
	}
}

/* What every file answers to, and these mostly do not. */
static void step_file(struct thrower *t)
{
	int fd = fd_at(t->world, pick(&t->dice, BELL_FIRST));
	struct pollfd p = { .fd = fd, .events = POLLIN | POLLOUT };
	char byte = 0, path[64];
	int info;

	switch (pick(&t->dice, 6)) {
	case 0:
		counted(t, read(fd, &byte, 1));
		break;
	case 1:
		counted(t, write(fd, &byte, 1));
		break;
	case 2:
		poll(&p, 1, 0);
		break;
	case 3:
		lseek(fd, (long) throw(&t->dice), pick(&t->dice, 5));
		break;
	case 4:
		fcntl(fd, F_SETFL, O_NONBLOCK | (rarely(&t->dice, 2) ? O_ASYNC : 0));
		break;
	default:
		snprintf(path, sizeof(path), "/proc/self/%s/%d",
			 rarely(&t->dice, 2) ? "fd" : "fdinfo", fd);
		info = open(path, O_RDWR | O_NONBLOCK | O_CLOEXEC);
		if (info < 0)
			info = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
		if (info >= 0)
			close(info);
		break;
	}
}

/*
 * A child has the fds, but not the memory: with these it gets nowhere. VMs of its own work, and
 * nobody kicks a vCPU there that waits to be started: the alarm ends it, also where the parent is
 * no more.
 */
static void step_fork(struct thrower *t)
{
	const struct itimerval alarm = { .it_value = { .tv_usec = CHILD_US } };
	unsigned int i;
	pid_t pid = (pid_t)syscall(SYS_fork);

	if (pid == 0) {
		setitimer(ITIMER_REAL, &alarm, NULL);
		t->world->tids[t->number] = 0;
		for (i = 0; i < 20; i++)
			step_call(t);
		_exit(0);
	}
	if (pid > 0 && rarely(&t->dice, 3))
		kill(pid, SIGKILL);
	while (pid > 0 && waitpid(pid, NULL, 0) < 0 && errno == EINTR)
		;
}

static void step_signal(struct thrower *t)
{
	pid_t tid =
		__atomic_load_n(&t->world->tids[pick(&t->dice, FUZZ_THREADS)], __ATOMIC_RELAXED);

	if (tid > 0)
		syscall(SYS_tgkill, getpid(), tid, SIGUSR1);
}

static void step_move(struct thrower *t)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(pick(&t->dice, 2), &set);
	if (rarely(&t->dice, 3))
		CPU_SET(0, &set);
	sched_setaffinity(0, sizeof(set), &set);
	if (rarely(&t->dice, 2))
		sched_yield();
}

static void (*const steps[])(struct thrower *t) = {
	step_call, step_call,	step_call,   step_call,	  step_call,  step_call,
	step_run,  step_run,	step_run,    step_run,	  step_guest, step_guest,
	step_page, step_memory, step_memory, step_memory, step_dup,   step_close,
	step_pass, step_file,	step_fork,   step_signal, step_move,  step_scribble,
};

/* A signal whose frame cannot be written kills the process: not while copies fail. */
static void signals_wait(bool wait)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	pthread_sigmask(wait ? SIG_BLOCK : SIG_UNBLOCK, &set, NULL);
}

void fuzz_step(struct thrower *t)
{
	void (*step)(struct thrower * t) = steps[pick(&t->dice, sizeof(steps) / sizeof(steps[0]))];
	/* The kernel logs it with a trace when it has no stack for a new process. */
	bool fail = t->fail_nth >= 0 && step != step_fork && rarely(&t->dice, 4);

	if (fail) {
		signals_wait(true);
		fail_nth_set(t->fail_nth, 1 + pick(&t->dice, 12));
	}
	step(t);
	if (fail) {
		fail_nth_set(t->fail_nth, 0);
		signals_wait(false);
		t->tally->failing++;
	}
}
