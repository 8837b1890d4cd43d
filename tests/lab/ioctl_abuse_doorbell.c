// SPDX-License-Identifier: MIT
/*
 * Doorbells of every wrong form: fds that are no eventfds or are closed, addresses taken twice,
 * under memory, at the ends of everything; as many as there can be; what the VM takes with it.
 */
#include "ioctl_abuse.h"

#include <fcntl.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>

static int bell(const struct box *b, uint64_t gpa, int fd, uint32_t flags)
{
	struct mhk_doorbell set = { .size = sizeof(set), .flags = flags, .gpa = gpa, .fd = fd };

	return ioctl(b->vm, MHK_DOORBELL, &set);
}

static int make_eventfd(void)
{
	int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);

	if (fd < 0)
		fatal("eventfd");
	return fd;
}

static void wrong_fds(const struct box *b)
{
	int closed = make_eventfd(), null = open("/dev/null", O_RDWR | O_CLOEXEC);

	close(closed);
	FAILS(EBADF, bell(b, 0x100000, closed, 0));
	FAILS(EBADF, bell(b, 0x100000, closed, MHK_DOORBELL_CLEAR));
	FAILS(EBADF, bell(b, 0x100000, -1, 0));
	FAILS(EBADF, bell(b, 0x100000, 0x7fffffff, 0));
	FAILS(EINVAL, bell(b, 0x100000, null, 0));
	FAILS(EINVAL, bell(b, 0x100000, b->vm, 0));
	FAILS(EINVAL, bell(b, 0x100000, b->vcpu, MHK_DOORBELL_CLEAR));
	close(null);
}

static void wrong_values(const struct box *b, int fd)
{
	struct mhk_doorbell set = { .size = sizeof(set), .gpa = 0x100000, .fd = fd, .pad = 1 };
	uint32_t flag;

	FAILS(EINVAL, ioctl(b->vm, MHK_DOORBELL, &set));
	for (flag = 2; flag; flag <<= 1) {
		FAILS(EINVAL, bell(b, 0x100000, fd, flag));
		FAILS(EINVAL, bell(b, 0x100000, fd, flag | MHK_DOORBELL_CLEAR));
	}
	FAILS(ENOENT, bell(b, 0x100000, fd, MHK_DOORBELL_CLEAR));
}

static void taken_twice(const struct box *b, int fd)
{
	int other = make_eventfd();

	WORKS(bell(b, 0x100000, fd, 0));
	FAILS(EEXIST, bell(b, 0x100000, fd, 0));
	FAILS(EEXIST, bell(b, 0x100000, other, 0));
	/* Neighbours are others, and one eventfd serves many. */
	WORKS(bell(b, 0x100001, fd, 0));
	WORKS(bell(b, 0x0fffff, other, 0));
	FAILS(ENOENT, bell(b, 0x100000, other, MHK_DOORBELL_CLEAR));
	FAILS(ENOENT, bell(b, 0x100002, fd, MHK_DOORBELL_CLEAR));
	WORKS(bell(b, 0x100000, fd, MHK_DOORBELL_CLEAR));
	FAILS(ENOENT, bell(b, 0x100000, fd, MHK_DOORBELL_CLEAR));
	WORKS(bell(b, 0x100000, other, 0));
	/* The last three go with the VM, one eventfd being closed before. */
	close(other);
}

/* Memory comes first: the guest counts where a doorbell is set. */
static void under_memory(int fd)
{
	struct runner r;
	uint64_t count;
	struct box b;

	box_make(&b, &guest_count);
	WORKS(bell(&b, COUNTER, fd, 0));
	runner_start(&r, &b);
	CHECK(box_progress(&b));
	WORKS(bell(&b, COUNTER, fd, MHK_DOORBELL_CLEAR));
	CHECK(box_progress(&b));
	runner_stop(&r);
	CHECK_VAL(r.error == 0, r.error);
	FAILS(EAGAIN, read(fd, &count, sizeof(count)));
	box_free(&b);
	/* Where there is none, real mode's stores are no plain ones of 64-bit code. */
	box_make(&b, &guest_sweep);
	WORKS(bell(&b, LOOSE, fd, 0));
	WORKS(-(errno = box_run(&b)));
	CHECK_VAL(b.page->exit.reason == MHK_EXIT_MMIO, b.page->exit.reason);
	CHECK_VAL(b.page->exit.u.mmio.gpa == LOOSE, b.page->exit.u.mmio.gpa);
	box_free(&b);
	FAILS(EAGAIN, read(fd, &count, sizeof(count)));
}

void test_doorbells(void)
{
	int fd = make_eventfd();
	struct box b;

	box_make(&b, &guest_halt);
	wrong_fds(&b);
	wrong_values(&b, fd);
	taken_twice(&b, fd);
	WORKS(bell(&b, 0, fd, 0));
	WORKS(bell(&b, ~0ull, fd, 0));
	WORKS(bell(&b, 1ull << 63, fd, 0));
	box_free(&b);
	under_memory(fd);
	close(fd);
}

void test_doorbell_limits(void)
{
	int fd = make_eventfd();
	struct box b;
	uint64_t i;

	box_make(&b, &guest_halt);
	for (i = 0; i < MHK_MAX_DOORBELLS; i++)
		WORKS(bell(&b, 0x100000 + 4096 * i, fd, 0));
	FAILS(ENOSPC, bell(&b, 0x80000000, fd, 0));
	FAILS(EEXIST, bell(&b, 0x100000, fd, 0));
	WORKS(bell(&b, 0x100000, fd, MHK_DOORBELL_CLEAR));
	WORKS(bell(&b, 0x80000000, fd, 0));
	FAILS(ENOSPC, bell(&b, 0x100000, fd, 0));
	close(fd);
	box_free(&b);
}
