// SPDX-License-Identifier: MIT
/*
 * What happens to processes that run guests: signals, tracing, migration, freezing, sudden death.
 */
#include "ioctl_abuse.h"

#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/ptrace.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#define CGROUP "/tmp/abuse-cgroup"

static void child_well(pid_t child)
{
	int status = 0;

	CHECK(waitpid(child, &status, 0) == child);
	CHECK_VAL(WIFEXITED(status) && WEXITSTATUS(status) == 0, status);
}

/*
 * A child that runs the guest in its main thread, with its memory in sight of us; it ends when told
 * so through the first word of that memory. Several vCPUs all run the same code.
 */
static pid_t child_start(struct box *seen)
{
	uint8_t *ram =
		mmap(NULL, RAM_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	pid_t child;

	if (ram == MAP_FAILED)
		fatal("mmap");
	seen->ram = ram;
	fflush(stdout);
	child = fork();
	if (child == 0) {
		struct box b;

		failures = 0;
		box_make_bare(&b);
		b.ram = ram;
		memcpy(ram + CODE, guest_count.code, (size_t)(guest_count.end - guest_count.code));
		WORKS(box_mem(&b, 0, 0, ram, RAM_BYTES, 0));
		box_state(&b);
		while (!get32(ram))
			if (ioctl(b.vcpu, MHK_RUN) && errno != EINTR)
				_exit(2);
		_exit(failures != 0);
	}
	CHECK(box_progress(seen));
	return child;
}

static void child_end(struct box *seen, pid_t child)
{
	put32(seen->ram, 1);
	/* A signal without effect gets it out of MHK_RUN. */
	kill(child, SIGSTOP);
	kill(child, SIGCONT);
	child_well(child);
	munmap(seen->ram, RAM_BYTES);
}

static bool stands_still(const struct box *b)
{
	uint32_t at = box_counter(b);

	nap_ms(20);
	return box_counter(b) == at;
}

/* ---- signals ---- */

static volatile sig_atomic_t ticks;

static void on_tick(int sig)
{
	(void)sig;
	ticks++;
}

/* Five times what one signal takes: where that is long, 200 us left time for nothing else. */
static suseconds_t tick_us(void)
{
	const int tries = 100;
	uint64_t from = now_ms(), us;
	int i;

	for (i = 0; i < tries; i++)
		raise(SIGALRM);
	ticks = 0;
	us = (now_ms() - from) * 5 * 1000 / tries;
	return us > 200 ? (suseconds_t)us : 200;
}

/* A timer's signal every 200 us, on slow hosts less often: nearly every run ends by one. */
static void timers(void)
{
	struct sigaction act = { .sa_handler = on_tick };
	struct itimerval often, never = { { 0, 0 }, { 0, 0 } };
	unsigned int interrupted = 0;
	uint64_t end;
	uint32_t from;
	struct box b;

	box_make(&b, &guest_count);
	sigaction(SIGALRM, &act, NULL);
	often.it_value.tv_sec = often.it_interval.tv_sec = 0;
	often.it_value.tv_usec = often.it_interval.tv_usec = tick_us();
	end = now_ms() + (quick ? 300 : 1000);
	setitimer(ITIMER_REAL, &often, NULL);
	from = box_counter(&b);
	while (now_ms() < end) {
		int rc = ioctl(b.vcpu, MHK_RUN);

		if (rc)
			CHECK_VAL(errno == EINTR, errno);
		CHECK_VAL(b.page->exit.reason == MHK_EXIT_NONE, b.page->exit.reason);
		interrupted += rc != 0;
	}
	setitimer(ITIMER_REAL, &never, NULL);
	CHECK(interrupted > 10 && ticks > 10);
	CHECK(box_counter(&b) != from);
	box_free(&b);
}

/* A signal that is pending already: no entry at all. */
static void pending(void)
{
	struct sigaction act = { .sa_handler = on_tick };
	struct mhk_stats before = { .size = sizeof(before) }, after = before;
	sigset_t alarm, old;
	struct box b;

	sigaction(SIGALRM, &act, NULL);
	sigemptyset(&alarm);
	sigaddset(&alarm, SIGALRM);
	box_make(&b, &guest_count);
	sigprocmask(SIG_BLOCK, &alarm, &old);
	raise(SIGALRM);
	/* Blocked signals are none. */
	ioctl(b.vcpu, MHK_KICK);
	WORKS(ioctl(b.vcpu, MHK_RUN));
	CHECK(b.page->exit.reason == MHK_EXIT_NONE);
	WORKS(ioctl(b.vcpu, MHK_STATS, &before));
	b.page->user.immediate_exit = 1;
	WORKS(ioctl(b.vcpu, MHK_RUN));
	WORKS(ioctl(b.vcpu, MHK_STATS, &after));
	CHECK_VAL(after.entries == before.entries, after.entries);
	sigprocmask(SIG_SETMASK, &old, NULL);
	box_free(&b);
}

/* The guest's TSC begins anew while the guest halts, or just after: a signal ends that as ever. */
static void at_the_last_tick(void)
{
	const struct itimerval soon = { .it_value = { .tv_usec = 40000 } };
	struct sigaction act = { .sa_handler = on_tick };
	struct mhk_tsc tsc = { .size = sizeof(tsc), .flags = MHK_TSC_SET };
	uint64_t left, lead = __builtin_ia32_rdtsc();
	struct box b;

	sigaction(SIGALRM, &act, NULL);
	nap_ms(10);
	lead = __builtin_ia32_rdtsc() - lead;
	for (left = 500; left < 60000; left += quick ? 4000 : 1500) {
		box_make(&b, &guest_last);
		put32(b.ram + COUNTER, (uint32_t)-left);
		tsc.offset = -(__builtin_ia32_rdtsc() + lead);
		WORKS(ioctl(b.vm, MHK_TSC, &tsc));
		ticks = 0;
		setitimer(ITIMER_REAL, &soon, NULL);
		while (!ticks && (!ioctl(b.vcpu, MHK_RUN) || errno == EINTR))
			CHECK_VAL(b.page->exit.reason == MHK_EXIT_NONE, b.page->exit.reason);
		CHECK_VAL(ticks == 1, ticks);
		box_free(&b);
	}
}

static void stop_and_go(void)
{
	struct box seen;
	pid_t child = child_start(&seen);
	int i, status;

	for (i = 0; i < (quick ? 3 : 20); i++) {
		kill(child, SIGSTOP);
		CHECK(waitpid(child, &status, WUNTRACED) == child && WIFSTOPPED(status));
		CHECK(stands_still(&seen));
		kill(child, SIGCONT);
		CHECK(box_progress(&seen));
	}
	child_end(&seen, child);
}

void test_signals(void)
{
	timers();
	pending();
	at_the_last_tick();
	stop_and_go();
}

/* ---- ptrace ---- */

void test_ptrace(void)
{
	struct box seen;
	pid_t child = child_start(&seen);
	int i, status;

	for (i = 0; i < (quick ? 2 : 10); i++) {
		WORKS(ptrace(PTRACE_ATTACH, child, NULL, NULL));
		CHECK(waitpid(child, &status, __WALL) == child && WIFSTOPPED(status));
		CHECK(stands_still(&seen));
		WORKS(ptrace(PTRACE_SYSCALL, child, NULL, NULL));
		CHECK(waitpid(child, &status, __WALL) == child && WIFSTOPPED(status));
		WORKS(ptrace(PTRACE_DETACH, child, NULL, NULL));
		CHECK(box_progress(&seen));
	}
	WORKS(ptrace(PTRACE_SEIZE, child, NULL, NULL));
	for (i = 0; i < (quick ? 2 : 10); i++) {
		WORKS(ptrace(PTRACE_INTERRUPT, child, NULL, NULL));
		CHECK(waitpid(child, &status, __WALL) == child && WIFSTOPPED(status));
		CHECK(stands_still(&seen));
		WORKS(ptrace(PTRACE_CONT, child, NULL, NULL));
		CHECK(box_progress(&seen));
	}
	WORKS(ptrace(PTRACE_INTERRUPT, child, NULL, NULL));
	CHECK(waitpid(child, &status, __WALL) == child && WIFSTOPPED(status));
	WORKS(ptrace(PTRACE_DETACH, child, NULL, NULL));
	child_end(&seen, child);
}

/* ---- migration ---- */

void test_migration(void)
{
	long cpus = sysconf(_SC_NPROCESSORS_ONLN);
	uint64_t end = now_ms() + (quick ? 500 : 3000);
	unsigned int moves = 0;
	struct box seen;
	pid_t child;

	if (cpus < 2) {
		printf("  one CPU: migration is left out\n");
		return;
	}
	child = child_start(&seen);
	while (now_ms() < end) {
		cpu_set_t set;

		CPU_ZERO(&set);
		CPU_SET(moves++ % (unsigned int)cpus, &set);
		WORKS(sched_setaffinity(child, sizeof(set), &set));
		if (moves % 64 == 0)
			CHECK(box_progress(&seen));
	}
	CHECK_VAL(moves > 100, moves);
	child_end(&seen, child);
}

/* ---- the freezer ---- */

static bool put(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	bool ok = fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text);

	if (fd >= 0)
		close(fd);
	return ok;
}

static bool frozen(const struct box *b)
{
	uint64_t end = now_ms() + 10000;

	while (now_ms() < end)
		if (stands_still(b))
			return true;
	return false;
}

void test_freezer(void)
{
	char pid[16];
	struct box seen;
	pid_t child;
	int i;

	mkdir(CGROUP, 0755);
	if (mount("cgroup2", CGROUP, "cgroup2", 0, NULL) || mkdir(CGROUP "/cold", 0755)) {
		printf("  no cgroup2 to be had (%s): the freezer is left out\n", strerror(errno));
		return;
	}
	child = child_start(&seen);
	snprintf(pid, sizeof(pid), "%d", (int)child);
	CHECK(put(CGROUP "/cold/cgroup.procs", pid));
	for (i = 0; i < (quick ? 2 : 10); i++) {
		CHECK(put(CGROUP "/cold/cgroup.freeze", "1"));
		CHECK(frozen(&seen));
		CHECK(put(CGROUP "/cold/cgroup.freeze", "0"));
		CHECK(box_progress(&seen));
	}
	/* Killed while it is frozen. */
	CHECK(put(CGROUP "/cold/cgroup.freeze", "1"));
	CHECK(frozen(&seen));
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
	munmap(seen.ram, RAM_BYTES);
	rmdir(CGROUP "/cold");
	umount(CGROUP);
}

/* ---- sudden death ---- */

#define KILL_CPUS 4
#define KILL_MIB 4u

static void *run_for_ever(void *opaque)
{
	int vcpu = *(int *)opaque;

	while (!ioctl(vcpu, MHK_RUN) || errno == EINTR)
		;
	return NULL;
}

/* Several vCPUs and some touched memory, so that a leak shows. */
static void victim(void)
{
	struct mhk_vcpu_create arg = { .size = sizeof(arg) };
	uint8_t *memory = map_pages(KILL_MIB << 20);
	pthread_t thread[KILL_CPUS];
	int fd[KILL_CPUS];
	struct box b;
	uint32_t i;

	box_make(&b, &guest_sweep);
	WORKS(box_mem(&b, LOOSE_SLOT, LOOSE, memory, KILL_MIB << 20, 0));
	memset(memory, 1, KILL_MIB << 20);
	fd[0] = b.vcpu;
	for (i = 1; i < KILL_CPUS; i++) {
		struct mhk_msi init = { .size = sizeof(init),
					.addr = 0xfee00000 | i << 12,
					.data = 0x500 };
		struct mhk_msi sipi = init;

		arg.apic_id = i;
		fd[i] = ioctl(b.vm, MHK_VCPU_CREATE, &arg);
		WORKS(fd[i]);
		/* It waits for SIPI, for ever or from CODE. */
		sipi.data = 0x600 | CODE >> 12;
		WORKS(ioctl(b.vm, MHK_MSI, &init));
		if (i & 1)
			WORKS(ioctl(b.vm, MHK_MSI, &sipi));
	}
	for (i = 0; i < KILL_CPUS; i++)
		pthread_create(&thread[i], NULL, run_for_ever, &fd[i]);
	pause();
	_exit(0);
}

static long available_kib(void)
{
	char line[128];
	long kib = -1;
	FILE *f = fopen("/proc/meminfo", "re");

	while (f && kib < 0 && fgets(line, sizeof(line), f))
		if (sscanf(line, "MemAvailable: %ld", &kib) != 1)
			kib = -1;
	if (f)
		fclose(f);
	return kib;
}

void test_kill(void)
{
	int rounds = quick ? 10 : 60, i;
	long before = 0, after;

	fflush(stdout);
	for (i = 0; i < rounds; i++) {
		pid_t child = fork();

		if (child == 0)
			victim();
		usleep((useconds_t)(i * 37 % 50) * 1000);
		kill(child, SIGKILL);
		CHECK(waitpid(child, NULL, 0) == child);
		if (i == rounds / 5)
			before = available_kib();
	}
	for (i = 0; i < 1000 && vms_alive(); i++)
		nap_ms(5);
	after = available_kib();
	/* Each had 4 MiB and more: a tenth of them lost is more than this. */
	CHECK_VAL(before - after < rounds * (long)(KILL_MIB << 10) / 10, before - after);
}
