// SPDX-License-Identifier: MIT
/* As many VMs as there can be, and what happens where resources end. */
#include "ioctl_abuse.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#define VMS_MAX 1023 /* VPIDs are handed out by 64 */

static struct rlimit limit_set(int which, rlim_t value)
{
	struct rlimit old, now;

	if (getrlimit((__rlimit_resource_t)which, &old))
		fatal("getrlimit");
	now = old;
	now.rlim_cur = value;
	if (now.rlim_max < value)
		now.rlim_max = value;
	if (setrlimit((__rlimit_resource_t)which, &now))
		fatal("setrlimit");
	return old;
}

/* No fd is free: nothing may be left of the object that was to have it. */
static void no_fds(void)
{
	struct mhk_vm_create create = { .size = sizeof(create) };
	struct mhk_vcpu_create vcpu = { .size = sizeof(vcpu), .apic_id = 1 };
	struct rlimit old;
	struct box b;
	int fd, i;

	box_make(&b, &guest_count);
	fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	close(fd);
	old = limit_set(RLIMIT_NOFILE, (rlim_t)fd);
	for (i = 0; i < 200; i++) {
		FAILS(EMFILE, ioctl(b.dev, MHK_VM_CREATE, &create));
		FAILS(EMFILE, ioctl(b.vm, MHK_VCPU_CREATE, &vcpu));
	}
	setrlimit(RLIMIT_NOFILE, &old);
	CHECK_VAL(vms_alive() == 1, vms_alive());
	fd = ioctl(b.vm, MHK_VCPU_CREATE, &vcpu);
	WORKS(fd);
	close(fd);
	box_free(&b);
}

/* Nothing is pinned, so the limit on locked memory has no say. */
static void no_locked_memory(void)
{
	struct rlimit old = limit_set(RLIMIT_MEMLOCK, 0);
	struct runner r;
	struct box b;

	box_make(&b, &guest_count);
	runner_start(&r, &b);
	CHECK(box_progress(&b));
	runner_stop(&r);
	box_free(&b);
	setrlimit(RLIMIT_MEMLOCK, &old);
}

static void no_address_space(void)
{
	struct rlimit old;
	struct box b;

	box_make(&b, &guest_out);
	old = limit_set(RLIMIT_AS, 1 << 20);
	FAILS(ENOMEM,
	      mmap(NULL, MHK_RUN_BYTES, PROT_READ, MAP_SHARED, b.vcpu, 0) == MAP_FAILED ? -1 : 0);
	WORKS(-(errno = box_run(&b)));
	CHECK_VAL(b.page->exit.reason == MHK_EXIT_IO, b.page->exit.reason);
	setrlimit(RLIMIT_AS, &old);
	box_free(&b);
}

void test_limits(void)
{
	no_fds();
	no_locked_memory();
	no_address_space();
	if (access("/sys/kernel/debug/failslab", F_OK))
		printf("  the host's kernel has no fault injection (CONFIG_FAILSLAB): failing "
		       "allocations are left out\n");
}

void test_many(void)
{
	struct mhk_vm_create create = { .size = sizeof(create) };
	struct rlimit old = limit_set(RLIMIT_NOFILE, 4096);
	int dev = open(MHK_DEVICE, O_RDWR | O_CLOEXEC);
	static int fd[VMS_MAX];
	unsigned int i, round;
	struct box b;

	for (round = 0; round < 2; round++) {
		for (i = 0; i < VMS_MAX; i++) {
			fd[i] = ioctl(dev, MHK_VM_CREATE, &create);
			if (fd[i] < 0)
				break;
		}
		CHECK_VAL(i == VMS_MAX, i);
		FAILS(ENOSPC, ioctl(dev, MHK_VM_CREATE, &create));
		CHECK_VAL(vms_alive() == i, vms_alive());
		/* One place becomes free, and works. */
		close(fd[--i]);
		box_make(&b, &guest_out);
		WORKS(-(errno = box_run(&b)));
		CHECK_VAL(b.page->exit.reason == MHK_EXIT_IO, b.page->exit.reason);
		box_free(&b);
		while (i)
			close(fd[--i]);
	}
	close(dev);
	setrlimit(RLIMIT_NOFILE, &old);
}
