// SPDX-License-Identifier: MIT
/*
 * VMs and vCPUs beyond their numbers, memory slots of every wrong form, slots over strange memory.
 */
#include "ioctl_abuse.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <unistd.h>

void test_create(void)
{
	static const uint32_t wrong[] = { MHK_MAX_VCPUS, MHK_MAX_VCPUS + 1, 255, 0x80000000,
					  0xffffffff };
	struct mhk_vcpu_create arg = { .size = sizeof(arg) };
	struct box b;
	int fd[MHK_MAX_VCPUS];
	uint32_t i;

	box_make(&b, &guest_count);
	for (i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		arg.apic_id = wrong[i];
		FAILS(EINVAL, ioctl(b.vm, MHK_VCPU_CREATE, &arg));
	}
	for (i = 1; i < MHK_MAX_VCPUS; i++) {
		arg.apic_id = i;
		fd[i] = ioctl(b.vm, MHK_VCPU_CREATE, &arg);
		WORKS(fd[i]);
		FAILS(EEXIST, ioctl(b.vm, MHK_VCPU_CREATE, &arg));
	}
	/* The first half goes before the VM, the others keep it alive. */
	for (i = 1; i < MHK_MAX_VCPUS / 2; i++)
		close(fd[i]);
	box_free(&b);
	CHECK_VAL(vms_alive() == 1, vms_alive());
	for (; i < MHK_MAX_VCPUS; i++)
		close(fd[i]);
}

/* ---- the form of slots ---- */

#define USER 0x7ffffffff000ull	/* end of user addresses, four-level paging */
#define TOP 0xfffffffffff000ull /* five-level paging: on no host beyond it */
#define GIB (1ull << 30)

static const struct {
	int want;
	uint32_t slot, flags;
	uint64_t gpa, bytes, hva;
} slot_cases[] = {
	{ EINVAL, 1, 0, 0x100000, 0, 0x400000 },
	{ EINVAL, 1, 0, 0x100000, 1, 0x400000 },
	{ EINVAL, 1, 0, 0x100000, 0xfff, 0x400000 },
	{ EINVAL, 1, 0, 0x100000, 0x1001, 0x400000 },
	{ EINVAL, 1, 0, 0x100001, 0x1000, 0x400000 },
	{ EINVAL, 1, 0, 0x100800, 0x1000, 0x400000 },
	{ EINVAL, 1, 0, 0x100000, 0x1000, 0x400001 },
	{ EINVAL, 1, 0, 0x100000, 0x1000, 0x400fff },
	{ EINVAL, 64, 0, 0x100000, 0x1000, 0x400000 },
	{ EINVAL, ~0u, 0, 0x100000, 0x1000, 0x400000 },
	{ EINVAL, 64, MHK_MEM_CLEAR, 0, 0, 0 },
	{ EINVAL, ~0u, MHK_MEM_CLEAR, 0, 0, 0 },
	{ EINVAL, 1, 4, 0x100000, 0x1000, 0x400000 },
	{ EINVAL, 1, ~0u, 0x100000, 0x1000, 0x400000 },
	{ ENOENT, 1, MHK_MEM_CLEAR, 0x100000, 0x1000, 0x400000 },
	{ ENOENT, 63, MHK_MEM_CLEAR, 0, 0, 0 },
	/* Beyond what addresses there are, of either kind. */
	{ EINVAL, 1, 0, 0xfffffffffffff000, 0x2000, 0x400000 },
	{ EINVAL, 1, 0, 0x100000, 0xfffffffffffff000, 0x400000 },
	{ EINVAL, 1, 0, 0x100000, 0x8000000000000000, 0x400000 },
	{ EINVAL, 1, 0, 0xfffffffffffff000, 0x1000, 0x400000 },
	{ ERANGE, 1, 0, 0x4000000000000, 0x1000, 0x400000 },
	{ ERANGE, 1, 0, 0x100000, USER - 0x400000, 0x400000 },
	{ EINVAL, 1, 0, 0x100000, 0x1000, 0x8000000000000000 },
	{ EINVAL, 1, 0, 0x100000, 0x1000, 0xffffffff81000000 },
	{ EINVAL, 1, 0, 0x100000, 0x1000, 0xfffffffffffff000 },
	{ EINVAL, 1, 0, 0x100000, 0x2000, TOP - 0x1000 },
	{ EINVAL, 1, 0, 0x100000, 0x1000, TOP },
	/* Slot 0 is at 0 .. 0x10000, in use. */
	{ EEXIST, 0, 0, 0x100000, 0x1000, 0x400000 },
	{ EEXIST, 1, 0, 0, 0x1000, 0x400000 },
	{ EEXIST, 1, 0, 0xf000, 0x1000, 0x400000 },
	{ EEXIST, 1, 0, 0xf000, 0x2000, 0x400000 },
	{ EEXIST, 1, 0, 0, GIB, 0x400000 },
	{ 0, 1, MHK_MEM_READONLY, 0x10000, 0x1000, USER - 0x1000 },
	{ EEXIST, 2, 0, 0x10000, 0x1000, 0x400000 },
	{ 0, 1, MHK_MEM_CLEAR | MHK_MEM_READONLY, ~0ull, ~0ull, ~0ull },
	{ ENOENT, 1, MHK_MEM_CLEAR, 0, 0, 0 },
	/* Large ones over addresses where next to nothing is. */
	{ 0, 1, 0, GIB, 64 * GIB - GIB, 0x1000 },
	{ EEXIST, 2, 0, 32 * GIB, 0x1000, 0x400000 },
	{ 0, 63, 0, 64 * GIB - GIB + GIB, 0x1000, 0x400000 },
	{ 0, 1, MHK_MEM_CLEAR, 0, 0, 0 },
	{ 0, 63, MHK_MEM_CLEAR, 0, 0, 0 },
};

/* All slots, twice over the same memory. */
static void all_slots(struct box *b)
{
	uint32_t i;

	for (i = 1; i < MHK_MAX_SLOTS; i++)
		WORKS(box_mem(b, i, LOOSE + i * 8192, b->ram, 8192, 0));
	for (i = 1; i < MHK_MAX_SLOTS; i++) {
		FAILS(EEXIST, box_mem(b, i, 0x10000000, b->ram, 8192, 0));
		FAILS(EEXIST, box_mem(b, i ^ 1, LOOSE + i * 8192 + 4096, b->ram, 4096, 0));
	}
	/* Odd ones first, from the end. */
	for (i = MHK_MAX_SLOTS; i; i -= 2)
		WORKS(box_mem_clear(b, i - 1));
	for (i = MHK_MAX_SLOTS - 2; i; i -= 2)
		WORKS(box_mem_clear(b, i));
}

void test_slots(void)
{
	struct runner r;
	struct box b;
	size_t i;

	box_make(&b, &guest_sweep);
	for (i = 0; i < sizeof(slot_cases) / sizeof(slot_cases[0]); i++) {
		char what[32];

		snprintf(what, sizeof(what), "slot case %zu", i);
		errno = 0;
		expect_at(__FILE__, __LINE__, what,
			  box_mem(&b, slot_cases[i].slot, slot_cases[i].gpa,
				  (void *)(uintptr_t)slot_cases[i].hva, slot_cases[i].bytes,
				  slot_cases[i].flags),
			  slot_cases[i].want);
	}
	all_slots(&b);
	WORKS(box_mem(&b, LOOSE_SLOT, LOOSE, b.ram, LOOSE_BYTES, 0));
	WORKS(box_mem_clear(&b, LOOSE_SLOT));
	/* A guest that hammers nothing but one page by sixteen addresses. */
	runner_start(&r, &b);
	CHECK(runner_ended(&r)); /* no memory there yet: an exit */
	CHECK_VAL(r.exit.reason == MHK_EXIT_MMIO && r.exit.u.mmio.gpa == LOOSE, r.exit.reason);
	for (i = 0; i < LOOSE_PAGES; i++)
		WORKS(box_mem(&b, 1 + (uint32_t)i, LOOSE + i * 4096, b.ram + COUNTER, 4096, 0));
	runner_start(&r, &b);
	CHECK(box_progress(&b));
	for (i = 0; i < LOOSE_PAGES; i++)
		WORKS(box_mem_clear(&b, 1 + (uint32_t)i));
	CHECK(runner_ended(&r));
	CHECK_VAL(r.exit.reason == MHK_EXIT_MMIO, r.exit.reason);
	runner_start(&r, &b);
	CHECK(runner_ended(&r));
	box_free(&b);
}

/* ---- strange memory ---- */

#define AWAY ((void *)0x100000000000)

/* One touch of LOOSE: MHK_EXIT_MEM_FAULT, or the guest counts on. */
static void touch(const struct guest *guest, const void *hva, uint32_t flags, bool works,
		  const char *what)
{
	unsigned int before = failures;
	struct runner r;
	struct box b;

	box_make(&b, guest);
	WORKS(box_mem(&b, LOOSE_SLOT, LOOSE, hva, LOOSE_BYTES, flags));
	runner_start(&r, &b);
	if (works) {
		CHECK(box_progress(&b));
		runner_stop(&r);
		CHECK_VAL(r.error == 0 && r.exit.reason == MHK_EXIT_NONE, r.exit.reason);
	} else {
		CHECK(runner_ended(&r));
		CHECK_VAL(r.error == 0 && r.exit.reason == MHK_EXIT_MEM_FAULT, r.exit.reason);
		CHECK_VAL(r.exit.u.mmio.gpa >> 12 == LOOSE >> 12, r.exit.u.mmio.gpa);
		/* What reads and writes at once may be told as either. */
		CHECK_VAL(r.exit.u.mmio.flags == 0 || guest == &guest_sweep, r.exit.u.mmio.flags);
		CHECK(box_counter(&b) == 0);
	}
	box_free(&b);
	if (failures != before)
		printf("  ... memory: %s\n", what);
}

static void *map_at(int prot, int flags, int fd)
{
	void *p = mmap(NULL, LOOSE_BYTES, prot, flags, fd, 0);

	if (p == MAP_FAILED)
		fatal("mmap of strange memory");
	return p;
}

static void anonymous(void)
{
	/* A place that nothing else will be mapped to when it is free. */
	void *p = mmap(AWAY, LOOSE_BYTES, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);

	if (p != AWAY)
		fatal("mmap at a fixed place");
	touch(&guest_sweep, p, 0, true, "anonymous");
	mprotect(p, LOOSE_BYTES, PROT_READ);
	touch(&guest_sweep, p, 0, false, "anonymous, made read-only");
	touch(&guest_read, p, MHK_MEM_READONLY, true, "anonymous, both read-only");
	/* Writable memory is got for writing, whatever the guest does first. */
	touch(&guest_read, p, 0, false, "anonymous, read-only, in a writable slot");
	mprotect(p, LOOSE_BYTES, PROT_NONE);
	touch(&guest_sweep, p, 0, false, "PROT_NONE");
	touch(&guest_read, p, MHK_MEM_READONLY, false, "PROT_NONE, read");
	munmap(p, LOOSE_BYTES);
	touch(&guest_sweep, p, 0, false, "unmapped");
	touch(&guest_read, p, MHK_MEM_READONLY, false, "unmapped, read");
	touch(&guest_read, NULL, MHK_MEM_READONLY, false, "the null page");
}

static void files(void)
{
	const int rw = PROT_READ | PROT_WRITE;
	int fd = memfd_create("abuse", MFD_CLOEXEC);
	void *p = map_at(rw, MAP_SHARED, fd);

	touch(&guest_sweep, p, 0, false, "memfd of no length");
	WORKS(ftruncate(fd, LOOSE_BYTES));
	touch(&guest_sweep, p, 0, true, "memfd");
	WORKS(ftruncate(fd, 0));
	touch(&guest_sweep, p, 0, false, "memfd, shrunk");
	touch(&guest_read, p, MHK_MEM_READONLY, false, "memfd, shrunk, read");
	munmap(p, LOOSE_BYTES);
	WORKS(ftruncate(fd, LOOSE_BYTES));
	p = map_at(PROT_READ, MAP_SHARED, fd);
	touch(&guest_sweep, p, 0, false, "memfd mapped read-only");
	touch(&guest_read, p, MHK_MEM_READONLY, true, "memfd mapped read-only, read");
	munmap(p, LOOSE_BYTES);
	p = map_at(rw, MAP_PRIVATE, fd);
	touch(&guest_sweep, p, 0, true, "private file");
	munmap(p, LOOSE_BYTES);
	close(fd);
}

static void devices(void)
{
	int fd = open("/dev/mem", O_RDWR | O_CLOEXEC);
	void *p = MAP_FAILED;

	if (fd >= 0)
		p = mmap(NULL, LOOSE_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0xb0000);
	if (p != MAP_FAILED) {
		touch(&guest_sweep, p, 0, false, "device memory");
		touch(&guest_read, p, MHK_MEM_READONLY, false, "device memory, read");
		munmap(p, LOOSE_BYTES);
	} else {
		printf("  /dev/mem cannot be mapped here: device memory is left out\n");
	}
	if (fd >= 0)
		close(fd);
	fd = open("/dev/zero", O_RDWR | O_CLOEXEC);
	p = map_at(PROT_READ | PROT_WRITE, MAP_SHARED, fd);
	touch(&guest_sweep, p, 0, true, "/dev/zero");
	munmap(p, LOOSE_BYTES);
	close(fd);
}

void test_slot_memory(void)
{
	uintptr_t vdso = getauxval(AT_SYSINFO_EHDR);

	anonymous();
	files();
	devices();
	/* The kernel's own page for user space: never written. */
	touch(&guest_sweep, (void *)vdso, 0, false, "vDSO");
}
