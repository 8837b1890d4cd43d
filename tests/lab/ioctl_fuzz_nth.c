// SPDX-License-Identifier: MIT
/*
 * Every allocation and every copy that a call makes fails once: the first in a first try, the
 * second in a second, until a try meets no failure. The call then has an error, nothing is left,
 * and the next one works. Needs a kernel with fault injection (fail-nth).
 */
#include "ioctl_fuzz.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>

#define NTH_MAX 200

int fail_nth_open(void)
{
	return open(FAIL_NTH, O_RDWR | O_CLOEXEC);
}

void fail_nth_set(int fd, unsigned int nth)
{
	char text[16];
	int n = snprintf(text, sizeof(text), "%u", nth), tries;

	/* What was ordered before may be met by this very call. */
	for (tries = 0; pwrite(fd, text, (size_t)n, 0) != n; tries++)
		if (tries == 2)
			fatal("fail-nth");
}

/* Was the failure that had been ordered met? Nothing fails any more. */
static bool fail_nth_met(int fd)
{
	char text[16] = { 0 };

	/* If this call meets it, no other has. */
	if (pread(fd, text, sizeof(text) - 1, 0) <= 0)
		text[0] = '1';
	fail_nth_set(fd, 0);
	return strtoul(text, NULL, 10) == 0;
}

/* ---- the calls: 0, or -1 and errno, as the call has them ---- */

static int try_open(struct box *b)
{
	int fd = open(MHK_DEVICE, O_RDWR | O_CLOEXEC);

	(void)b;
	if (fd >= 0)
		close(fd);
	return fd < 0 ? -1 : 0;
}

static int try_info(struct box *b)
{
	struct mhk_info info = { .size = sizeof(info) };

	return ioctl(b->dev, MHK_INFO, &info);
}

static int try_vm(struct box *b)
{
	struct mhk_vm_create create = { .size = sizeof(create) };
	int fd = ioctl(b->dev, MHK_VM_CREATE, &create);

	if (fd >= 0)
		close(fd);
	return fd < 0 ? -1 : 0;
}

static int try_vcpu(struct box *b)
{
	struct mhk_vcpu_create create = { .size = sizeof(create), .apic_id = 1 };
	int fd = ioctl(b->vm, MHK_VCPU_CREATE, &create);

	if (fd >= 0)
		close(fd);
	return fd < 0 ? -1 : 0;
}

static int try_mmap(struct box *b)
{
	void *p = mmap(NULL, MHK_RUN_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, b->vcpu, 0);

	/* The failure may be met here, once. */
	if (p != MAP_FAILED && munmap(p, MHK_RUN_BYTES))
		munmap(p, MHK_RUN_BYTES);
	return p == MAP_FAILED ? -1 : 0;
}

static int try_mem(struct box *b)
{
	return box_mem(b, LOOSE_SLOT, LOOSE, b->ram, RAM_BYTES, 0);
}

static int try_mem_clear(struct box *b)
{
	return box_mem_clear(b, 0);
}

static int try_doorbell(struct box *b)
{
	struct mhk_doorbell bell = { .size = sizeof(bell), .gpa = LOOSE };
	int rc, kept;

	bell.fd = eventfd(0, EFD_CLOEXEC);
	rc = bell.fd < 0 ? -1 : ioctl(b->vm, MHK_DOORBELL, &bell);
	kept = errno;
	close(bell.fd);
	errno = kept;
	return rc;
}

static int try_msi(struct box *b)
{
	struct mhk_msi msi = { .size = sizeof(msi), .addr = 0xfee00000, .data = 0x31 };

	return ioctl(b->vm, MHK_MSI, &msi);
}

static int try_cpuid(struct box *b)
{
	struct mhk_cpuid_entry entries[] = { { .leaf = 0 }, { .leaf = 1 } };
	struct mhk_cpuid cpuid = { .size = sizeof(cpuid),
				   .count = sizeof(entries) / sizeof(entries[0]),
				   .entries = (uintptr_t)entries };

	return ioctl(b->vcpu, MHK_CPUID, &cpuid);
}

static int try_get(struct box *b)
{
	struct mhk_get get = { .size = sizeof(get), .groups = MHK_G_ALL };

	return ioctl(b->vcpu, MHK_GET, &get);
}

static int try_stats(struct box *b)
{
	struct mhk_stats stats = { .size = sizeof(stats) };

	return ioctl(b->vcpu, MHK_STATS, &stats);
}

/* The first run of a guest: all its memory has yet to be found. */
static int try_run(struct box *b)
{
	return ioctl(b->vcpu, MHK_RUN);
}

static const struct {
	const char *name;
	int (*call)(struct box *b);
} tries[] = {
	{ "open", try_open },
	{ "INFO", try_info },
	{ "VM_CREATE", try_vm },
	{ "VCPU_CREATE", try_vcpu },
	{ "mmap", try_mmap },
	{ "MEM", try_mem },
	{ "MEM clear", try_mem_clear },
	{ "DOORBELL", try_doorbell },
	{ "MSI", try_msi },
	{ "CPUID", try_cpuid },
	{ "GET", try_get },
	{ "STATS", try_stats },
	{ "RUN", try_run },
};

/* false: the call meets fewer than nth chances to fail. */
static bool fails_at(int fd, size_t i, unsigned int nth)
{
	int rc, error;
	struct box b;
	bool met;

	box_make(&b, &guest_out);
	fail_nth_set(fd, nth);
	rc = tries[i].call(&b);
	error = errno;
	met = fail_nth_met(fd);
	if (rc && (!met || (error != ENOMEM && error != EFAULT))) {
		printf("  %s, failure %u: %s\n", tries[i].name, nth, strerror(error));
		CHECK(false);
	}
	/* Without the failure it works, also a second time. */
	if (rc && tries[i].call(&b)) {
		printf("  %s, after failure %u: %s\n", tries[i].name, nth, strerror(errno));
		CHECK(false);
	}
	box_free(&b);
	if (vms_alive()) {
		printf("  %s, failure %u: %u VMs are left\n", tries[i].name, nth, vms_alive());
		CHECK(false);
	}
	return met;
}

void fuzz_allocations(void)
{
	int fd = fail_nth_open();
	unsigned int nth;
	size_t i;

	if (fd < 0) {
		printf("  the host's kernel cannot make allocations fail: left out\n");
		return;
	}
	for (i = 0; i < sizeof(tries) / sizeof(tries[0]); i++) {
		for (nth = 1; nth < NTH_MAX && fails_at(fd, i, nth); nth++)
			;
		CHECK_VAL(nth < NTH_MAX, nth);
		printf("  %s: %u failures\n", tries[i].name, nth - 1);
		fflush(stdout);
	}
	close(fd);
}
