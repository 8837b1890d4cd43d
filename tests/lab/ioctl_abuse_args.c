// SPDX-License-Identifier: MIT
/* Wrong numbers, sizes, flags, pointers and orders of the ioctls, and wrong mappings. */
#include "ioctl_abuse.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define NR(cmd) _IOC_NR(cmd)
#define LONGER 64u /* bytes beyond the struct that a newer library might pass */

enum kind { DEV, VM, VCPU };

/* Every ioctl with a struct: what it says of a struct of zeros, as after a very short size. */
static const struct call {
	const char *name;
	unsigned int cmd;
	enum kind kind;
	unsigned int bytes;
	int zeros; /* errno */
} calls[] = {
	{ "INFO", MHK_INFO, DEV, sizeof(struct mhk_info), 0 },
	{ "VM_CREATE", MHK_VM_CREATE, DEV, sizeof(struct mhk_vm_create), 0 },
	{ "MEM", MHK_MEM, VM, sizeof(struct mhk_mem), EINVAL },
	{ "MSI", MHK_MSI, VM, sizeof(struct mhk_msi), 0 },
	{ "TSC", MHK_TSC, VM, sizeof(struct mhk_tsc), 0 },
	{ "DOORBELL", MHK_DOORBELL, VM, sizeof(struct mhk_doorbell), EINVAL },
	{ "VCPU_CREATE", MHK_VCPU_CREATE, VM, sizeof(struct mhk_vcpu_create), EEXIST },
	{ "GET", MHK_GET, VCPU, sizeof(struct mhk_get), 0 },
	{ "CPUID", MHK_CPUID, VCPU, sizeof(struct mhk_cpuid), 0 },
	{ "LAPIC", MHK_LAPIC, VCPU, sizeof(struct mhk_lapic), EINVAL },
	{ "STATS", MHK_STATS, VCPU, sizeof(struct mhk_stats), 0 },
};
#define CALLS (sizeof(calls) / sizeof(calls[0]))

static int fd_of(const struct box *b, enum kind kind)
{
	return kind == DEV ? b->dev : kind == VM ? b->vm : b->vcpu;
}

/* A file descriptor that a call made is closed again; returns 0 or -1 with errno. */
static int do_call(const struct box *b, const struct call *c, void *arg)
{
	int rc = ioctl(fd_of(b, c->kind), c->cmd, arg);

	if (rc >= 0 && (c->cmd == MHK_VM_CREATE || c->cmd == MHK_VCPU_CREATE))
		close(rc);
	return rc < 0 ? -1 : 0;
}

static void expect_call(const struct box *b, const struct call *c, void *arg, int want,
			const char *how)
{
	char what[64];

	snprintf(what, sizeof(what), "%s, %s", c->name, how);
	errno = 0;
	expect_at(__FILE__, __LINE__, what, do_call(b, c, arg), want);
}

/* ---- numbers ---- */

static bool known(enum kind kind, unsigned int nr)
{
	size_t i;

	if (kind == VCPU && (nr == NR(MHK_RUN) || nr == NR(MHK_KICK)))
		return true;
	for (i = 0; i < CALLS; i++)
		if (calls[i].kind == kind && NR(calls[i].cmd) == nr)
			return true;
	return false;
}

/* Types of ioctls that Linux itself answers for every file. */
static bool every_file(unsigned int type)
{
	return type == 0 || type == 'T' || type == 'X' || type == 'f';
}

static void numbers_of(const struct box *b, enum kind kind)
{
	uint32_t zeros[1024] = { 0 };
	int fd = fd_of(b, kind);
	unsigned int nr, type;

	for (nr = 0; nr < 256; nr++)
		if (!known(kind, nr)) {
			FAILS(ENOTTY, ioctl(fd, _IO(MHK_IOC, nr), zeros));
			FAILS(ENOTTY, ioctl(fd, _IOWR(MHK_IOC, nr, struct mhk_stats), zeros));
		}
	for (type = 0; type < 256; type++)
		if (type != MHK_IOC && !every_file(type))
			for (nr = 0; nr < 0x30; nr++)
				FAILS(ENOTTY, ioctl(fd, _IO(type, nr), zeros));
}

/* The other things that one can do with a file. */
static void as_file(int fd)
{
	char byte = 0;

	FAILS(EINVAL, read(fd, &byte, 1));
	FAILS(EINVAL, write(fd, &byte, 1));
	FAILS(EINVAL, ftruncate(fd, 4096));
	CHECK(fsync(fd) < 0);
}

void test_numbers(void)
{
	struct box b;

	box_make(&b, &guest_halt);
	numbers_of(&b, DEV);
	numbers_of(&b, VM);
	numbers_of(&b, VCPU);
	as_file(b.dev);
	as_file(b.vm);
	as_file(b.vcpu);
	/* To run is to move to the start, nowhere else. */
	FAILS(EINVAL, lseek(b.vcpu, 1, SEEK_SET));
	FAILS(EINVAL, lseek(b.vcpu, -1, SEEK_SET));
	FAILS(EINVAL, lseek(b.vcpu, 0, SEEK_CUR));
	FAILS(EINVAL, lseek(b.vcpu, 0, SEEK_END));
	CHECK(fcntl(b.vm, F_GETFD) == FD_CLOEXEC);
	CHECK(fcntl(b.vcpu, F_GETFD) == FD_CLOEXEC);
	box_free(&b);
}

/* ---- sizes and flags ---- */

static void sizes_of(const struct box *b, const struct call *c, uint32_t *arg)
{
	static const uint32_t wrong[] = { 0, 1, 4, 7, 4097, 0x7fffffff, 0x80000000, 0xffffffff };
	size_t i;

	for (i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		memset(arg, 0, 4096);
		arg[0] = wrong[i];
		expect_call(b, c, arg, EINVAL, "wrong size");
	}
	memset(arg, 0, 4096);
	arg[0] = 8;
	expect_call(b, c, arg, c->zeros, "size and flags only");
	CHECK_VAL(arg[0] == 8 && arg[2] == 0, arg[2]); /* nothing beyond was written */
	for (i = 0; i < 2; i++) {
		memset(arg, 0, 4096);
		arg[0] = i ? 4096 : c->bytes + LONGER;
		expect_call(b, c, arg, c->zeros, "longer, zero tail");
		memset(arg, 0, 4096);
		arg[0] = i ? 4096 : c->bytes + LONGER;
		((uint8_t *)arg)[arg[0] - 1] = 1;
		expect_call(b, c, arg, E2BIG, "longer, other tail");
		((uint8_t *)arg)[arg[0] - 1] = 0;
		((uint8_t *)arg)[c->bytes] = 0x80;
		expect_call(b, c, arg, E2BIG, "longer, other tail at once");
	}
}

static void flags_of(const struct box *b, const struct call *c, uint32_t *arg)
{
	unsigned int bit = 0;

	if (c->cmd == MHK_TSC || c->cmd == MHK_LAPIC)
		bit = 1;
	if (c->cmd == MHK_MEM)
		bit = 2;
	for (; bit < 32; bit++) {
		memset(arg, 0, 4096);
		arg[0] = c->bytes;
		arg[1] = 1u << bit;
		expect_call(b, c, arg, EINVAL, "unknown flag");
	}
}

/* Fields that must be zero, in calls that work without. */
static void pads_of(const struct box *b)
{
	struct mhk_mem mem = { .size = sizeof(mem),
			       .slot = 9,
			       .pad = 1,
			       .gpa = 0x100000,
			       .bytes = 4096,
			       .hva = (uintptr_t)b->ram };
	struct mhk_vcpu_create vcpu = { .size = sizeof(vcpu), .apic_id = 1, .pad = 1 };
	struct mhk_get get = { .size = sizeof(get), .pad = 1 };
	struct mhk_cpuid cpuid = { .size = sizeof(cpuid), .pad = 1 };

	FAILS(EINVAL, ioctl(b->vm, MHK_MEM, &mem));
	mem.pad = 0;
	mem.flags = 4;
	FAILS(EINVAL, ioctl(b->vm, MHK_MEM, &mem));
	FAILS(EINVAL, ioctl(b->vm, MHK_VCPU_CREATE, &vcpu));
	FAILS(EINVAL, ioctl(b->vcpu, MHK_GET, &get));
	get.pad = 0;
	get.groups = MHK_G_ALL + 1;
	FAILS(EINVAL, ioctl(b->vcpu, MHK_GET, &get));
	FAILS(EINVAL, ioctl(b->vcpu, MHK_CPUID, &cpuid));
	cpuid.pad = 0;
	cpuid.count = MHK_MAX_CPUID + 1;
	FAILS(E2BIG, ioctl(b->vcpu, MHK_CPUID, &cpuid));
	cpuid.count = 0xffffffff;
	FAILS(E2BIG, ioctl(b->vcpu, MHK_CPUID, &cpuid));
}

void test_sizes(void)
{
	static uint32_t arg[1024];
	struct box b;
	size_t i;

	box_make(&b, &guest_halt);
	for (i = 0; i < CALLS; i++) {
		sizes_of(&b, &calls[i], arg);
		flags_of(&b, &calls[i], arg);
	}
	pads_of(&b);
	box_free(&b);
}

/* ---- pointers ---- */

/* Two pages, of which the second cannot be reached; the struct's size lies before the border. */
static void at_the_border(const struct box *b, const struct call *c)
{
	uint8_t *two = map_pages(8192);
	unsigned int before;

	mprotect(two + 4096, 4096, PROT_NONE);
	for (before = 0; before < c->bytes; before += 4) {
		uint32_t *arg = (uint32_t *)(two + 4096 - before);

		memset(two, 0, 4096);
		if (before)
			arg[0] = c->bytes;
		expect_call(b, c, arg, EFAULT, "at the border of a page");
	}
	munmap(two, 8192);
}

/* Answers that cannot be written. */
static void read_only(const struct box *b)
{
	uint32_t *arg = map_pages(4096);
	size_t i;

	for (i = 0; i < CALLS; i++) {
		const struct call *c = &calls[i];
		bool answers = (_IOC_DIR(c->cmd) & _IOC_READ) && c->cmd != MHK_VM_CREATE;

		mprotect(arg, 4096, PROT_READ | PROT_WRITE);
		arg[0] = c->bytes;
		mprotect(arg, 4096, PROT_READ);
		/* A VM that has been made is better reported than its empty reason. */
		expect_call(b, c, arg, answers && !c->zeros ? EFAULT : c->zeros, "read-only");
	}
	munmap(arg, 4096);
}

static void tables(const struct box *b)
{
	static const uint64_t bad[] = {
		0, 1, 0x7ffffffff000, 0x8000000000000000, 0xffffffff81000000, 0xfffffffffffffff8
	};
	struct mhk_cpuid cpuid = { .size = sizeof(cpuid), .count = MHK_MAX_CPUID };
	size_t i;

	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		cpuid.entries = bad[i];
		FAILS(EFAULT, ioctl(b->vcpu, MHK_CPUID, &cpuid));
	}
	cpuid.count = 0;
	WORKS(ioctl(b->vcpu, MHK_CPUID, &cpuid));
}

void test_pointers(void)
{
	static const unsigned long bad[] = { 0,
					     8,
					     4096,
					     0x7ffffffff000,
					     0x8000000000000000,
					     0xffffffff81000000,
					     0xfffffffffffffffc };
	struct box b;
	size_t i, k;

	box_make(&b, &guest_halt);
	for (i = 0; i < CALLS; i++) {
		for (k = 0; k < sizeof(bad) / sizeof(bad[0]); k++)
			expect_call(&b, &calls[i], (void *)bad[k], EFAULT, "bad pointer");
		at_the_border(&b, &calls[i]);
	}
	read_only(&b);
	tables(&b);
	/* These take no argument, so that any is right. */
	WORKS(ioctl(b.vcpu, MHK_KICK, 0xffffffff81000000));
	box_free(&b);
}

/* ---- states ---- */

static int run_reason(struct box *b)
{
	WORKS(-(errno = box_run(b)));
	return (int)b->page->exit.reason;
}

/* No memory at all: the first instruction is an access to nothing. */
static void without_memory(void)
{
	struct mhk_lapic lapic = { .size = sizeof(lapic), .offset = 0x20 };
	struct mhk_stats stats = { .size = sizeof(stats) };
	struct box b;

	box_make_bare(&b);
	CHECK_VAL(run_reason(&b) == MHK_EXIT_MMIO, b.page->exit.reason);
	CHECK(b.page->exit.u.mmio.flags & MHK_MMIO_FETCH);
	CHECK_VAL(b.page->exit.u.mmio.gpa == 0xfffffff0, b.page->exit.u.mmio.gpa);
	/* Nobody helped: the same again. */
	CHECK_VAL(run_reason(&b) == MHK_EXIT_MMIO, b.page->exit.reason);
	FAILS(ENOENT, box_mem_clear(&b, 0));
	WORKS(ioctl(b.vcpu, MHK_LAPIC, &lapic));
	lapic.offset = 0x21;
	FAILS(EINVAL, ioctl(b.vcpu, MHK_LAPIC, &lapic));
	lapic.offset = 0x1000;
	FAILS(EINVAL, ioctl(b.vcpu, MHK_LAPIC, &lapic));
	WORKS(ioctl(b.vcpu, MHK_STATS, &stats));
	CHECK(stats.entries >= 2 && stats.user_exits >= 2);
	box_free(&b);
}

/* On a CPU that cannot scale every ratio is one. */
static void bad_ratios(int vm, uint32_t shift)
{
	struct mhk_tsc tsc = { .size = sizeof(tsc), .flags = MHK_TSC_SET, .ratio = ~0ull };

	CHECK_VAL(shift == 0 || shift == 32 || shift == 48, shift);
	tsc.ratio = shift ? 256ull << shift : 1;
	if (tsc.ratio)
		FAILS(EINVAL, ioctl(vm, MHK_TSC, &tsc));
	tsc.ratio = 0;
	tsc.pad = 1;
	FAILS(EINVAL, ioctl(vm, MHK_TSC, &tsc));
	tsc.flags = 0;
	FAILS(EINVAL, ioctl(vm, MHK_TSC, &tsc));
	tsc.pad = 0;
	WORKS(ioctl(vm, MHK_TSC, &tsc));
	CHECK(tsc.offset == ~0ull && tsc.ratio == 0);
	/* As programs of before call it. */
	tsc.size = 16;
	tsc.ratio = 7;
	WORKS(ioctl(vm, MHK_TSC, &tsc));
	CHECK(tsc.offset == ~0ull && tsc.ratio == 7);
}

static void without_vcpus(void)
{
	struct mhk_vm_create create = { .size = sizeof(create) };
	struct mhk_msi msi = { .size = sizeof(msi), .addr = 0xfee00000, .data = 0x4031 };
	struct mhk_tsc tsc = { .size = sizeof(tsc), .flags = MHK_TSC_SET, .offset = ~0ull };
	struct box b = { .dev = open(MHK_DEVICE, O_RDWR | O_CLOEXEC) };
	void *page = map_pages(4096);

	b.vm = ioctl(b.dev, MHK_VM_CREATE, &create);
	WORKS(b.vm);
	WORKS(ioctl(b.vm, MHK_MSI, &msi));
	CHECK_VAL(msi.delivered == 0, msi.delivered);
	msi.addr = ~0ull;
	msi.data = ~0u;
	WORKS(ioctl(b.vm, MHK_MSI, &msi));
	WORKS(ioctl(b.vm, MHK_TSC, &tsc));
	tsc.flags = 0;
	tsc.offset = 0;
	WORKS(ioctl(b.vm, MHK_TSC, &tsc));
	CHECK(tsc.offset == ~0ull);
	bad_ratios(b.vm, tsc.shift);
	WORKS(box_mem(&b, 0, 0, page, 4096, 0));
	FAILS(ENOTTY, ioctl(b.vm, MHK_RUN));
	FAILS(ENOTTY, ioctl(b.dev, MHK_RUN));
	FAILS(ENOTTY, ioctl(b.dev, MHK_MEM, &msi));
	close(b.dev);
	WORKS(box_mem_clear(&b, 0));
	close(b.vm);
	munmap(page, 4096);
}

/* The vCPU keeps the VM; no more than that. */
static void without_vm_fd(void)
{
	struct mhk_stats stats = { .size = sizeof(stats) };
	struct box b;

	box_make(&b, &guest_out);
	close(b.vm);
	close(b.dev);
	CHECK_VAL(vms_alive() == 1, vms_alive());
	CHECK_VAL(run_reason(&b) == MHK_EXIT_IO, b.page->exit.reason);
	WORKS(ioctl(b.vcpu, MHK_KICK));
	WORKS(ioctl(b.vcpu, MHK_STATS, &stats));
	CHECK_VAL(run_reason(&b) == MHK_EXIT_IO, b.page->exit.reason);
	b.vm = b.dev = -1;
	box_free(&b);
}

/* The vCPU's fd goes: it stays a part of the VM, and its place is taken. */
static void without_vcpu_fd(void)
{
	struct mhk_msi msi = { .size = sizeof(msi), .addr = 0xfee00000, .data = 0x0400 };
	struct mhk_vcpu_create vcpu = { .size = sizeof(vcpu) };
	struct box b;

	box_make(&b, &guest_halt);
	close(b.vcpu);
	FAILS(EBADF, ioctl(b.vcpu, MHK_RUN));
	FAILS(EEXIST, ioctl(b.vm, MHK_VCPU_CREATE, &vcpu));
	WORKS(ioctl(b.vm, MHK_MSI, &msi)); /* an NMI for it */
	CHECK_VAL(msi.delivered == 1, msi.delivered);
	/* Its shared page outlives it in the mapping. */
	b.page->user.commit = MHK_G_ALL;
	b.vcpu = -1;
	box_free(&b);
}

static void dead(void)
{
	struct box b;

	box_make(&b, &guest_crash);
	CHECK_VAL(run_reason(&b) == MHK_EXIT_SHUTDOWN, b.page->exit.reason);
	/* Whatever the guest does now: it is an exit, not a hang. */
	b.page->user.immediate_exit = 1;
	WORKS(ioctl(b.vcpu, MHK_RUN));
	CHECK_VAL(b.page->exit.reason == MHK_EXIT_NONE, b.page->exit.reason);
	b.page->user.immediate_exit = 0;
	memcpy(b.ram + CODE, guest_out.code, (size_t)(guest_out.end - guest_out.code));
	box_state(&b);
	CHECK_VAL(run_reason(&b) == MHK_EXIT_IO, b.page->exit.reason);
	box_free(&b);
}

/* Bits that do not exist, in the half of the page that is user space's. */
static void wrong_user_half(void)
{
	static const uint32_t bad_events[] = { 1,
					       MHK_INJECT_VALID,
					       MHK_INJECT_VALID | (1u << 8),
					       MHK_INJECT_VALID | (4u << 8) | 6,
					       MHK_INJECT_VALID | MHK_INJECT_EXCEPTION | 2,
					       MHK_INJECT_VALID | MHK_INJECT_EXCEPTION | 32,
					       MHK_INJECT_VALID | MHK_INJECT_NMI | 3,
					       0x7fffffff };
	struct box b;
	unsigned int i;

	box_make(&b, &guest_out);
	CHECK_VAL(run_reason(&b) == MHK_EXIT_IO, b.page->exit.reason);
	for (i = 8; i < 32; i++) {
		b.page->user.commit = 1u << i;
		FAILS(EINVAL, ioctl(b.vcpu, MHK_RUN));
		b.page->user.commit = 0;
		b.page->user.wanted = 1u << i;
		FAILS(EINVAL, ioctl(b.vcpu, MHK_RUN));
		b.page->user.wanted = 0;
	}
	for (i = 0; i < sizeof(bad_events) / sizeof(bad_events[0]); i++) {
		b.page->user.inject = bad_events[i];
		FAILS(EINVAL, ioctl(b.vcpu, MHK_RUN));
	}
	b.page->user.inject = 0;
	CHECK_VAL(run_reason(&b) == MHK_EXIT_IO, b.page->exit.reason);
	box_free(&b);
}

void test_states(void)
{
	without_memory();
	without_vcpus();
	without_vm_fd();
	without_vcpu_fd();
	dead();
	wrong_user_half();
}

/* ---- in use by another thread ---- */

void test_in_use(void)
{
	struct mhk_stats stats = { .size = sizeof(stats) };
	struct mhk_get get = { .size = sizeof(get), .groups = MHK_G_GPR };
	struct mhk_cpuid cpuid = { .size = sizeof(cpuid) };
	struct mhk_lapic lapic = { .size = sizeof(lapic), .offset = 0x20 };
	struct mhk_tsc tsc = { .size = sizeof(tsc) };
	struct mhk_vcpu_create vcpu = { .size = sizeof(vcpu), .apic_id = 1 };
	struct mhk_msi msi = { .size = sizeof(msi), .addr = 0xfee00000, .data = 0x31 };
	void *memory = map_pages(4096);
	struct runner r;
	struct box b;
	int other;

	box_make(&b, &guest_count);
	runner_start(&r, &b);
	CHECK(box_progress(&b));
	/* One thread at a time has the vCPU, and who comes second is told so. */
	FAILS(EBUSY, ioctl(b.vcpu, MHK_RUN));
	FAILS(EBUSY, lseek(b.vcpu, 0, SEEK_SET));
	FAILS(EBUSY, ioctl(b.vcpu, MHK_GET, &get));
	FAILS(EBUSY, ioctl(b.vcpu, MHK_CPUID, &cpuid));
	FAILS(EBUSY, ioctl(b.vcpu, MHK_LAPIC, &lapic));
	/* The rest goes on beside it. */
	WORKS(ioctl(b.vcpu, MHK_STATS, &stats));
	WORKS(ioctl(b.vm, MHK_TSC, &tsc));
	WORKS(ioctl(b.vm, MHK_MSI, &msi));
	WORKS(box_mem(&b, 5, 0x300000, memory, 4096, 0));
	WORKS(box_mem_clear(&b, 5));
	other = ioctl(b.vm, MHK_VCPU_CREATE, &vcpu);
	WORKS(other);
	close(other);
	CHECK(box_progress(&b));
	runner_stop(&r);
	CHECK_VAL(r.error == 0, r.error);
	WORKS(ioctl(b.vcpu, MHK_GET, &get));
	/* The fd is closed while the vCPU runs: it runs on. */
	runner_start(&r, &b);
	CHECK(box_progress(&b));
	close(b.vm);
	close(b.dev);
	CHECK(box_progress(&b));
	runner_stop(&r);
	box_free(&b);
	munmap(memory, 4096);
}

/* ---- the vCPU's mapping ---- */

static void *map_vcpu(const struct box *b, size_t bytes, int prot, int flags, long offset)
{
	return mmap(NULL, bytes, prot, flags, b->vcpu, offset);
}

#define NO_MAP(want, ...) FAILS(want, map_vcpu(&b, __VA_ARGS__) == MAP_FAILED ? -1 : 0)

/* The mapping made longer has nothing behind its end. */
static void mremap_longer(const struct box *b)
{
	int status = 0;
	pid_t child = fork();

	if (child == 0) {
		char *p = map_vcpu(b, MHK_RUN_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, 0);

		p = mremap(p, MHK_RUN_BYTES, 4 * MHK_RUN_BYTES, MREMAP_MAYMOVE);
		if (p == MAP_FAILED)
			_exit(SIGBUS); /* refused is as good */
		signal(SIGBUS, SIG_DFL);
		put32(p + 2 * MHK_RUN_BYTES, 1);
		_exit(0);
	}
	waitpid(child, &status, 0);
	CHECK_VAL(WIFSIGNALED(status) ? WTERMSIG(status) == SIGBUS : WEXITSTATUS(status) == SIGBUS,
		  status);
}

void test_mmap(void)
{
	const int rw = PROT_READ | PROT_WRITE;
	struct runner r;
	struct box b;
	char *p;

	box_make(&b, &guest_count);
	NO_MAP(EINVAL, 4096, rw, MAP_SHARED, 0);
	NO_MAP(EINVAL, 4 * 4096, rw, MAP_SHARED, 0);
	NO_MAP(EINVAL, 1ul << 40, rw, MAP_SHARED, 0);
	NO_MAP(EINVAL, MHK_RUN_BYTES, rw, MAP_SHARED, 4096);
	NO_MAP(EINVAL, MHK_RUN_BYTES, rw, MAP_SHARED, 1l << 40);
	NO_MAP(EINVAL, MHK_RUN_BYTES, rw, MAP_PRIVATE, 0);
	NO_MAP(EINVAL, MHK_RUN_BYTES, PROT_READ, MAP_PRIVATE, 0);
	NO_MAP(EINVAL, MHK_RUN_BYTES, rw | PROT_EXEC, MAP_SHARED, 0);
	FAILS(ENODEV, mmap(NULL, 4096, rw, MAP_SHARED, b.vm, 0) == MAP_FAILED ? -1 : 0);
	FAILS(ENODEV, mmap(NULL, 4096, rw, MAP_SHARED, b.dev, 0) == MAP_FAILED ? -1 : 0);
	p = map_vcpu(&b, MHK_RUN_BYTES, PROT_READ, MAP_SHARED, 0);
	CHECK(p != MAP_FAILED && p != (char *)b.page);
	CHECK(((struct mhk_run *)p)->user.commit == b.page->user.commit);
	munmap(p + 4096, 4096);
	munmap(p, 4096);
	mremap_longer(&b);
	/* Gone while the vCPU runs: the kernel has its own way to the pages. */
	runner_start_blind(&r, &b);
	CHECK(box_progress(&b));
	p = map_vcpu(&b, MHK_RUN_BYTES, rw, MAP_SHARED, 0);
	madvise(b.page, MHK_RUN_BYTES, MADV_DONTNEED);
	mprotect(p, 4096, PROT_NONE);
	CHECK(box_progress(&b));
	munmap(p, MHK_RUN_BYTES);
	munmap(b.page, MHK_RUN_BYTES);
	CHECK(box_progress(&b));
	b.page = map_vcpu(&b, MHK_RUN_BYTES, rw, MAP_SHARED, 0);
	CHECK(b.page != MAP_FAILED);
	runner_stop(&r);
	CHECK_VAL(r.error == 0, r.error);
	box_free(&b);
}
