/* SPDX-License-Identifier: MIT */
/*
 * Runs a Linux guest with a balloon and watches how much memory this process has: the guest's page
 * cache fills it, the balloon takes it away, the guest gets it again, free pages leave by
 * themselves. The guest's part is MH_balloon of tests/guest/linux/virtio.
 * usage: balloon KERNEL INITRD DISK
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <macrohard/macrohard.h>

#define MIB (1ull << 20)
#define MEMORY (224 * MIB)
#define BALLOON (120 * MIB)
#define DISK (96 * MIB) /* that the guest reads into its page cache */
#define MOST (DISK / 2)
#define PATIENCE 100

static struct mh_ctx *ctx;
static struct mh_vm *vm;
static struct mh_dev *dev;
static char said[1 << 16]; /* by the guest; bytes is written last */
static size_t bytes;

static void die(const char *what)
{
	fprintf(stderr, "balloon: %s (%s)\n", what, mh_last_error(ctx));
	exit(EXIT_FAILURE);
}

static void listen_to(void *opaque, const void *data, size_t n)
{
	size_t at = __atomic_load_n(&bytes, __ATOMIC_RELAXED);

	fwrite(data, 1, n, stdout);
	fflush(stdout);
	if (n > sizeof(said) - 1 - at)
		n = sizeof(said) - 1 - at;
	memcpy(said + at, data, n);
	/* Paired with hear. */
	__atomic_store_n(&bytes, at + n, __ATOMIC_RELEASE);
}

static int heard(void *text)
{
	/* Paired with listen_to. */
	size_t n = __atomic_load_n(&bytes, __ATOMIC_ACQUIRE);

	return memmem(said, n, text, strlen(text)) != NULL;
}

static uint64_t resident(void)
{
	unsigned long long pages = 0;
	FILE *f = fopen("/proc/self/statm", "r");

	if (!f || fscanf(f, "%*u %llu", &pages) != 1)
		die("cannot read /proc/self/statm");
	fclose(f);
	return pages * (uint64_t)sysconf(_SC_PAGESIZE);
}

static uint64_t report(const char *when)
{
	uint64_t now = resident();

	printf("RSS %4llu MiB: %s\n", (unsigned long long)(now / MIB), when);
	fflush(stdout);
	return now;
}

static void wait_for(int (*what)(void *opaque), void *opaque, const char *name)
{
	time_t end = time(NULL) + PATIENCE;

	while (!what(opaque)) {
		if (time(NULL) > end || mh_vm_state(vm) != MH_VM_RUNNING) {
			report("now");
			die(name);
		}
		usleep(50000);
	}
}

static int is_below(void *limit)
{
	return resident() <= *(uint64_t *)limit;
}

static struct mh_balloon_stats stats(void)
{
	struct mh_balloon_stats s = MH_BALLOON_STATS_INIT;

	if (mh_balloon_stats(dev, &s))
		die("no statistics");
	return s;
}

static int is_reached(void *opaque)
{
	struct mh_balloon_stats s = stats();

	return s.actual_bytes == s.target_bytes;
}

static int is_told(void *updates)
{
	return stats().updates > *(uint64_t *)updates;
}

/* What the guest says now, not what it said some time ago. */
static struct mh_balloon_stats fresh_stats(void)
{
	uint64_t updates = stats().updates + 1;
	struct mh_balloon_stats s;

	wait_for(is_told, &updates, "the guest tells no statistics");
	s = stats();
	printf("guest: %llu MiB, %llu free, %llu cache\n",
	       (unsigned long long)(s.total_bytes / MIB), (unsigned long long)(s.free_bytes / MIB),
	       (unsigned long long)(s.cache_bytes / MIB));
	return s;
}

static void set(uint64_t target)
{
	if (mh_balloon_set(dev, target))
		die("cannot set the balloon");
	wait_for(is_reached, NULL, "the balloon does not reach its size");
}

static void go_on(void)
{
	if (mh_serial_input(vm, 0, "\n", 1) != 1)
		die("cannot type");
}

static void start(char **argv)
{
	struct mh_vm_config config = MH_VM_CONFIG_INIT;
	struct mh_boot_config boot = MH_BOOT_CONFIG_INIT;
	struct mh_disk_config disk = MH_DISK_CONFIG_INIT;

	config.memory_bytes = MEMORY;
	config.flags = MH_VM_STOP_ON_RESET;
	boot.kernel = argv[1];
	boot.initrd = argv[2];
	boot.cmdline = "console=ttyS0 quiet panic=-1 mh.run=virtio mh.arg.balloon=1";
	disk.path = argv[3];
	disk.flags = MH_DISK_READONLY;
	if (mh_ctx_create(NULL, &ctx) || mh_vm_create(ctx, &config, &vm) || mh_vm_boot(vm, &boot) ||
	    mh_serial_attach(vm, 0, listen_to, NULL) || mh_disk_attach(vm, &disk, NULL) ||
	    mh_balloon_attach(vm, NULL, &dev) || mh_vm_start(vm))
		die("cannot start the guest");
}

int main(int argc, char **argv)
{
	struct mh_balloon_stats s, t;
	uint64_t full, limit;

	if (argc != 4)
		return 2;
	start(argv);
	wait_for(heard, "BALLOON: read once", "the guest does not read its disk");
	full = report("the guest has read its disk");
	s = fresh_stats();
	if (s.total_bytes == UINT64_MAX || s.total_bytes > MEMORY || s.cache_bytes < MOST)
		die("its statistics are wrong");
	set(BALLOON);
	report("the balloon has its size");
	limit = full - MOST;
	wait_for(is_below, &limit, "the balloon frees nothing");
	report("the balloon is full");
	t = fresh_stats();
	if (t.free_bytes + t.cache_bytes + BALLOON / 2 > s.free_bytes + s.cache_bytes)
		die("the guest's statistics do not know of the balloon");
	set(0);
	go_on();
	wait_for(heard, "BALLOON: read twice", "the guest does not read its disk again");
	full = report("the balloon is empty, the guest has read its disk again");
	if (full < limit + MOST / 2)
		die("the guest has no use of what it got back");
	go_on();
	wait_for(heard, "BALLOON: dropped", "the guest does not drop its cache");
	limit = full - MOST;
	wait_for(is_below, &limit, "free pages are not reported");
	report("the guest has dropped its cache, and reported free pages");
	go_on();
	if (mh_vm_wait(vm, PATIENCE * 1000) || !heard("GUEST TESTS: 0 failed"))
		die("the guest's part failed");
	mh_vm_destroy(vm);
	return mh_ctx_destroy(ctx) != 0;
}
