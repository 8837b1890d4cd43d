// SPDX-License-Identifier: MIT
/*
 * Random use of the kernel's interface: processes of several threads that share VMs, vCPUs, memory
 * and fds, do everything with them at the same time (ioctl_fuzz_calls.c), and are stopped and
 * killed, while the host runs short of memory, takes CPUs away and goes to sleep. Each round is one
 * process; after it nothing may be left, and a VM works as ever. What a thread throws depends on
 * the seed alone.
 * usage: ioctl_fuzz [--seed N] [--rounds N] [--steps N] [--calm]
 */
#include "ioctl_fuzz.h"

#include <fcntl.h>
#include <getopt.h>
#include <glob.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define CPU1 "/sys/devices/system/cpu/cpu1/online"
#define PM_TEST "/sys/power/pm_test"
#define END_MS 120000 /* for a process that is to end */

unsigned int failures;
bool in_qemu, quick;
const char *self;

static bool calm; /* set in main: the host itself is left in peace */
/* Where vCPUs' pages are mapped. */
static uint8_t pages_room[FUZZ_VCPUS * MHK_RUN_BYTES] __attribute__((aligned(4096)));

static bool put_text(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : write(fd, text, strlen(text));

	if (fd >= 0)
		close(fd);
	return n >= 0;
}

static bool has_text(const char *path, const char *text)
{
	char line[4096];
	bool found = false;
	FILE *f = fopen(path, "re");

	while (f && !found && fgets(line, sizeof(line), f))
		found = strstr(line, text) != NULL;
	if (f)
		fclose(f);
	return found;
}

static struct dice dice_for(uint64_t seed, unsigned int round, unsigned int thread)
{
	struct dice d = { .state = seed * 0x9e3779b97f4a7c15 + round * 64 + thread + 1 };
	int i;

	d.state += !d.state;
	for (i = 0; i < 8; i++)
		throw(&d);
	return d;
}

/* ---- one process ---- */

static void on_signal(int sig)
{
	(void)sig;
}

/* An mmap that fails leaves a hole where a vCPU's page was: memory takes its place. */
static void on_hole(int sig, siginfo_t *info, void *context)
{
	uintptr_t at = (uintptr_t)info->si_addr & ~4095ul;

	(void)context;
	if (at < (uintptr_t)pages_room || at >= (uintptr_t)pages_room + sizeof(pages_room))
		signal(sig, SIG_DFL);
	else if (mmap((void *)at, 4096, PROT_READ | PROT_WRITE,
		      MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == MAP_FAILED)
		kill(getpid(), SIGKILL); /* for want of memory: RLIMIT_AS, a failing allocation */
}

static void *thrower_main(void *opaque)
{
	struct thrower *t = opaque;
	unsigned int i;

	__atomic_store_n(&t->world->tids[t->number], (pid_t)syscall(SYS_gettid), __ATOMIC_RELAXED);
	t->fail_nth = t->world->faults ? fail_nth_open() : -1;
	for (i = 0; i < t->steps; i++)
		fuzz_step(t);
	return NULL;
}

/* Ends runs that would not end by themselves. */
static void *kicker_main(void *opaque)
{
	struct world *w = opaque;
	unsigned int i;

	while (!__atomic_load_n(&w->stop, __ATOMIC_ACQUIRE)) {
		usleep(1000);
		for (i = 0; i < FUZZ_FDS; i++)
			ioctl(__atomic_load_n(&w->fds[i], __ATOMIC_RELAXED), MHK_KICK);
	}
	return NULL;
}

static void world_make(struct world *w)
{
	struct mhk_vm_create vm = { .size = sizeof(vm) };
	struct mhk_vcpu_create vcpu = { .size = sizeof(vcpu) };
	unsigned int i;

	w->fds[0] = open(MHK_DEVICE, O_RDWR | O_CLOEXEC);
	for (i = 0; i < FUZZ_VMS; i++)
		w->fds[1 + i] = ioctl(w->fds[0], MHK_VM_CREATE, &vm);
	for (i = 0; i < FUZZ_VCPUS; i++) {
		vcpu.apic_id = i / FUZZ_VMS;
		w->fds[1 + FUZZ_VMS + i] = ioctl(w->fds[1 + i % FUZZ_VMS], MHK_VCPU_CREATE, &vcpu);
		w->pages[i] =
			mmap(pages_room + i * MHK_RUN_BYTES, MHK_RUN_BYTES, PROT_READ | PROT_WRITE,
			     MAP_SHARED | MAP_FIXED, w->fds[1 + FUZZ_VMS + i], 0);
		if (w->pages[i] == MAP_FAILED)
			fatal("the first VMs");
	}
	for (i = 0; i < FUZZ_BELLS; i++)
		w->fds[1 + FUZZ_VMS + FUZZ_VCPUS + i] = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	w->arena = map_pages(ARENA_BYTES);
	w->memory = memfd_create("fuzz", MFD_CLOEXEC);
	if (w->memory < 0 || ftruncate(w->memory, ARENA_BYTES) ||
	    socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, w->pair))
		fatal("memory and sockets");
	w->faults = access(FAIL_NTH, W_OK) == 0;
}

/* Some processes have little of everything. */
static void limits(struct dice *d)
{
	struct rlimit few = { .rlim_cur = 24, .rlim_max = 4096 };
	struct rlimit none = { .rlim_cur = 0, .rlim_max = 0 };
	struct rlimit small = { .rlim_cur = 64ul << 20, .rlim_max = RLIM_INFINITY };

	if (rarely(d, 3))
		setrlimit(RLIMIT_NOFILE, &few);
	if (rarely(d, 3))
		setrlimit(RLIMIT_MEMLOCK, &none);
	if (rarely(d, 4))
		setrlimit(RLIMIT_AS, &small);
}

_Noreturn static void process(uint64_t seed, unsigned int round, unsigned int steps,
			      struct tally *tally)
{
	static struct world w;
	static struct thrower t[FUZZ_THREADS];
	struct sigaction sa = { .sa_handler = on_signal };
	struct sigaction hole = { .sa_sigaction = on_hole, .sa_flags = SA_SIGINFO };
	struct dice d = dice_for(seed, round, FUZZ_THREADS);
	unsigned int i;
	pthread_t kicker;

	sigaction(SIGUSR1, &sa, NULL);
	sigaction(SIGSEGV, &hole, NULL);
	sigaction(SIGBUS, &hole, NULL);
	signal(SIGPIPE, SIG_IGN);
	signal(SIGIO, SIG_IGN);
	world_make(&w);
	if (pthread_create(&kicker, NULL, kicker_main, &w))
		fatal("pthread_create");
	for (i = 0; i < FUZZ_THREADS; i++) {
		t[i] = (struct thrower){ .dice = dice_for(seed, round, i),
					 .world = &w,
					 .tally = &tally[i],
					 .steps = steps,
					 .number = i };
		if (pthread_create(&t[i].thread, NULL, thrower_main, &t[i]))
			fatal("pthread_create");
	}
	limits(&d);
	for (i = 0; i < FUZZ_THREADS; i++)
		pthread_join(t[i].thread, NULL);
	__atomic_store_n(&w.stop, 1, __ATOMIC_RELEASE);
	pthread_join(kicker, NULL);
	_exit(EXIT_SUCCESS);
}

/* ---- what the host does meanwhile ---- */

/* Everything of a suspend but the sleep itself; CPUs go and come in it, too. */
static void sleep_and_wake(void)
{
	if (!has_text(PM_TEST, "core"))
		return;
	put_text("/sys/module/suspend/parameters/pm_test_delay", "0");
	put_text(PM_TEST, "core");
	put_text("/sys/power/state", "mem");
	put_text(PM_TEST, "none");
}

static void disturb(struct dice *d, pid_t pid)
{
	unsigned int what = pick(d, 10);

	nap_ms(1 + pick(d, quick ? 400 : 200));
	if (what < 2 && !calm) {
		put_text(CPU1, "0");
		nap_ms(pick(d, 50));
		put_text(CPU1, "1");
	} else if (what == 2) {
		kill(pid, SIGSTOP);
		nap_ms(pick(d, 50));
		kill(pid, SIGCONT);
	} else if (what == 3) {
		put_text("/proc/sys/vm/compact_memory", "1");
	} else if (what == 4) {
		put_text("/proc/sys/vm/drop_caches", "3");
	} else if (what == 5 && rarely(d, 3) && !calm) {
		sleep_and_wake();
	}
}

static void tell_file(const char *path)
{
	char text[4096];
	FILE *f = fopen(path, "re");
	size_t n = f ? fread(text, 1, sizeof(text) - 1, f) : 0;

	text[n] = 0;
	printf("%s:\n%s", path, text);
	if (f)
		fclose(f);
}

/* Who lives, and where each of its threads is in the kernel: kernel threads are left out. */
static void tell_tasks(void)
{
	char path[64];
	glob_t tasks;
	size_t i;

	if (glob("/proc/[0-9]*/task/[0-9]*", 0, NULL, &tasks))
		return;
	for (i = 0; i < tasks.gl_pathc; i++) {
		snprintf(path, sizeof(path), "%s/stat", tasks.gl_pathv[i]);
		if (!has_text(path, "ioctl_fuzz"))
			continue;
		tell_file(path);
		snprintf(path, sizeof(path), "%s/stack", tasks.gl_pathv[i]);
		tell_file(path);
	}
	globfree(&tasks);
	tell_file("/proc/net/unix");
	fflush(stdout);
}

/* Waits for the end of the process, and disturbs it. */
static int accompany(struct dice *d, pid_t pid)
{
	uint64_t end = now_ms() + END_MS;
	bool doomed = rarely(d, 3);
	unsigned int i, until = pick(d, 12);
	int status = 0;

	for (i = 0; waitpid(pid, &status, WNOHANG) == 0; i++) {
		if (now_ms() > end) {
			printf("  it does not end\n");
			CHECK(false);
			tell_tasks();
			kill(pid, SIGKILL);
			waitpid(pid, &status, 0);
			break;
		}
		if (doomed && i >= until)
			kill(pid, SIGKILL);
		disturb(d, pid);
	}
	return status;
}

static void nothing_left(void)
{
	uint64_t end = now_ms() + END_MS;
	struct box b;
	int pair[2];

	while (vms_alive() && now_ms() < end) {
		nap_ms(10);
		/* Sockets under way in themselves are collected when another one is closed. */
		if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair))
			continue;
		close(pair[0]);
		close(pair[1]);
	}
	CHECK_VAL(vms_alive() == 0, vms_alive());
	if (vms_alive())
		tell_tasks();
	box_make(&b, &guest_out);
	WORKS(-(errno = box_run(&b)));
	CHECK_VAL(b.page->exit.reason == MHK_EXIT_IO, b.page->exit.reason);
	box_free(&b);
}

/* By us alone; or for want of memory, where allocations and copies fail. */
static bool good_end(int status)
{
	if (!WIFSIGNALED(status))
		return status == 0;
	return WTERMSIG(status) == SIGKILL ||
	       (WTERMSIG(status) == SIGSEGV && access(FAIL_NTH, W_OK) == 0);
}

static void play(uint64_t seed, unsigned int round, unsigned int steps)
{
	struct dice d = dice_for(seed, round, FUZZ_THREADS + 1);
	struct tally total = { 0, 0, 0 }, *tally;
	unsigned int before = failures, i;
	uint64_t from = now_ms();
	int status;
	pid_t pid;

	tally = mmap(NULL, FUZZ_THREADS * sizeof(*tally), PROT_READ | PROT_WRITE,
		     MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	fflush(stdout);
	pid = tally == MAP_FAILED ? -1 : fork();
	if (pid < 0)
		fatal("fork");
	if (pid == 0)
		process(seed, round, steps, tally);
	status = accompany(&d, pid);
	CHECK_VAL(good_end(status), status);
	nothing_left();
	for (i = 0; i < FUZZ_THREADS; i++) {
		total.calls += tally[i].calls;
		total.worked += tally[i].worked;
		total.failing += tally[i].failing;
	}
	munmap(tally, FUZZ_THREADS * sizeof(*tally));
	printf("%s round %u (status %#x): %u calls, %u worked, %u steps with a failure (%llu ms)\n",
	       failures == before ? "ok  " : "FAIL", round, (unsigned int)status, total.calls,
	       total.worked, total.failing, (unsigned long long)(now_ms() - from));
}

int main(int argc, char **argv)
{
	static const struct option options[] = { { "seed", required_argument, NULL, 's' },
						 { "rounds", required_argument, NULL, 'r' },
						 { "steps", required_argument, NULL, 't' },
						 { "calm", no_argument, NULL, 'c' },
						 { NULL, 0, NULL, 0 } };
	unsigned int rounds = 10, steps = 400, i;
	uint64_t seed = (uint64_t)time(NULL);
	int o;

	while ((o = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (o == 's')
			seed = strtoull(optarg, NULL, 0);
		else if (o == 'r')
			rounds = (unsigned int)strtoul(optarg, NULL, 0);
		else if (o == 't')
			steps = (unsigned int)strtoul(optarg, NULL, 0);
		else if (o == 'c')
			calm = true;
		else
			return 2;
	}
	self = argv[0];
	setvbuf(stdout, NULL, _IOLBF, BUFSIZ);
	in_qemu = has_text("/proc/cpuinfo", "QEMU");
	quick = !in_qemu;
	printf("seed %llu\n", (unsigned long long)seed);
	/* What fails on purpose is no news for the kernel's log. */
	put_text("/sys/kernel/debug/failslab/verbose", "0");
	put_text("/sys/kernel/debug/fail_page_alloc/verbose", "0");
	put_text("/sys/kernel/debug/fail_usercopy/verbose", "0");
	put_text("/sys/kernel/debug/failslab/ignore-gfp-wait", "N");
	put_text("/sys/kernel/debug/fail_page_alloc/ignore-gfp-wait", "N");
	put_text("/sys/kernel/debug/fail_page_alloc/ignore-gfp-highmem", "N");
	put_text("/sys/kernel/debug/fail_page_alloc/min-order", "0");
	fuzz_allocations();
	for (i = 0; i < rounds && !failures; i++)
		play(seed, i, steps);
	if (failures)
		printf("%u failures with --seed %llu\n", failures, (unsigned long long)seed);
	return failures ? EXIT_FAILURE : EXIT_SUCCESS;
}
