// SPDX-License-Identifier: MIT
/* Doorbells: stores that count into an eventfd without an exit, and others. */
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "engine_vm.h"

#define PLAIN_STORES 15

static u64 rung(int fd)
{
	u64 count;

	return read(fd, &count, sizeof(count)) == (ssize_t)sizeof(count) ? count : 0;
}

/* The shim counts. Exits for user space would have come as accesses. */
static void expect_counted(struct vm *vm)
{
	struct mhk_stats stats = { .size = sizeof(stats) };

	if (vm->ops != &mhi_engine_shim)
		return;
	CHECK_EQ(vm->ops->stats(vm->vcpu[0], &stats), 0);
	CHECK_EQ(stats.doorbells, PLAIN_STORES);
}

/*
 * A read of the doorbell's address is an access; but to KVM on VT-x every touch of it is a ring:
 * there it looks at the address only. The guest's next OUT tells what it has read.
 */
static void expect_read(struct vm *vm, int fd)
{
	bool rings = ops == &mhi_engine_kvm && ops->info(vm->e)->vendor == MHK_VENDOR_VMX;

	vm->answer = 0x55;
	if (!rings)
		EXPECT(vm, false, false, ENGINE_BELL, 0x55, 8);
	EXPECT_OUT(vm, 0x80, 4, rings ? 0x12345678 : 0x55);
	CHECK_EQ(rung(fd), rings);
}

/* The stores that no CPU's engine must know: rung or an access, once each. Then an OUT. */
static unsigned int other_stores(struct vm *vm, struct access *out)
{
	unsigned int writes = 0;

	for (;;) {
		*out = vm_access(vm);
		if (out->port || !out->bytes)
			return writes;
		CHECK_EQ(out->at, ENGINE_BELL);
		writes += out->write;
	}
}

void test_doorbell(void)
{
	int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK), other = eventfd(0, EFD_CLOEXEC);
	struct access a;
	struct vm vm;

	vm_start(&vm, 1, guest_doorbell, guest_doorbell_end);
	vm_long_mode(&vm);
	CHECK_EQ(ops->doorbell(vm.vm, ENGINE_BELL, fd, true), 0);
	CHECK(ops->doorbell(vm.vm, ENGINE_BELL, fd, true) != 0);
	CHECK(ops->doorbell(vm.vm, ENGINE_BELL, other, false) != 0);
	EXPECT_OUT(&vm, 0x80, 1, 0x78);
	CHECK_EQ(rung(fd), PLAIN_STORES);
	expect_counted(&vm);
	/* At its very address, and no reads. */
	EXPECT(&vm, false, true, ENGINE_BELL + 1, 0x78, 1);
	EXPECT(&vm, false, true, ENGINE_BELL - 1, 0x78, 1);
	expect_read(&vm, fd);
	CHECK_EQ(other_stores(&vm, &a) + rung(fd), 2);
	CHECK(a.port && a.at == 0x81);
	CHECK_EQ(ops->doorbell(vm.vm, ENGINE_BELL, fd, false), 0);
	CHECK(ops->doorbell(vm.vm, ENGINE_BELL, fd, false) != 0);
	a = vm_access(&vm);
	CHECK(!a.port && a.write && a.at == ENGINE_BELL && a.bytes == 2);
	CHECK_EQ(rung(fd), 0);
	vm_stop(&vm);
	close(fd);
	close(other);
}

struct toggler {
	struct vm *vm;
	int fd;
	bool stop;
	unsigned int times;
};

static void *toggle(void *opaque)
{
	struct toggler *t = opaque;

	while (!__atomic_load_n(&t->stop, __ATOMIC_ACQUIRE)) {
		CHECK_EQ(t->vm->ops->doorbell(t->vm->vm, ENGINE_BELL, t->fd, true), 0);
		usleep(100);
		CHECK_EQ(t->vm->ops->doorbell(t->vm->vm, ENGINE_BELL, t->fd, false), 0);
		t->times++;
	}
	return NULL;
}

/* The doorbell comes and goes while the guest rings it: each store arrives once, one way. */
void test_doorbell_toggled(void)
{
	struct toggler t = { .fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK) };
	unsigned int accesses;
	struct access a;
	pthread_t thread;
	struct vm vm;

	t.vm = &vm;
	vm_start(&vm, 1, guest_ringing, guest_ringing_end);
	vm_long_mode(&vm);
	if (pthread_create(&thread, NULL, toggle, &t)) {
		check_failed(__FILE__, __LINE__, "pthread_create", 0, 1);
		return;
	}
	accesses = other_stores(&vm, &a);
	__atomic_store_n(&t.stop, true, __ATOMIC_RELEASE);
	pthread_join(thread, NULL);
	CHECK(a.port && a.at == 0x80);
	CHECK_EQ(accesses + rung(t.fd), ENGINE_RINGS);
	printf("%s: %u of %u stores as accesses, the doorbell set %u times\n", ops->name, accesses,
	       ENGINE_RINGS, t.times);
	vm_stop(&vm);
	close(t.fd);
}
