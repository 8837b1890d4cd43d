// SPDX-License-Identifier: MIT
/* Failures of devices' back ends as events: what is told, how often, of devices that are gone. */
#include "api_fixture.h"

#include <poll.h>
#include <pthread.h>
#include <time.h>
#include <unistd.h>

#include "api/dev.h"

#define THREADS 4
#define REPORTS 5000

static int no_io(void *opaque, uint64_t offset, const struct iovec *iov, uint32_t count)
{
	return MH_EIO;
}

static int no_flush(void *opaque)
{
	return MH_EIO;
}

static struct mh_dev *attach_disk(struct mh_vm *vm)
{
	const struct mh_block_ops ops = {
		.version = 1, .read = no_io, .write = no_io, .flush = no_flush
	};
	struct mh_disk_config c = MH_DISK_CONFIG_INIT;
	struct mh_dev *dev;

	c.ops = &ops;
	c.bytes = 1 << 20;
	ck_assert_int_eq(mh_disk_attach(vm, &c, &dev), 0);
	/* The bus would have. */
	dev->card->number = 5;
	return dev;
}

static u64 now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (u64)now.tv_sec * 1000 + (u64)now.tv_nsec / 1000000;
}

static struct mh_event wait_event(struct mh_vm *vm)
{
	struct pollfd p = { .fd = mh_vm_events_fd(vm), .events = POLLIN };
	struct mh_event event = MH_EVENT_INIT;

	ck_assert_int_eq(poll(&p, 1, 10000), 1);
	ck_assert_int_eq(mh_vm_event_read(vm, &event), 0);
	return event;
}

static bool silent(struct mh_vm *vm, int ms)
{
	struct pollfd p = { .fd = mh_vm_events_fd(vm), .events = POLLIN };

	return poll(&p, 1, ms) == 0;
}

START_TEST(first_and_rest)
{
	struct mh_vm *vm = api_vm(1, 0, 1 << 20);
	struct mh_dev *dev = attach_disk(vm);
	struct mh_event event;
	u64 began;

	ck_assert_int_ge(mh_vm_events_fd(vm), 0);
	began = now_ms();
	mhi_vdev_failed(&dev->env, MH_DEV_WRITE, MH_ENOSPC);
	event = wait_event(vm);
	ck_assert_uint_eq(event.kind, MH_EVENT_DEVICE_ERROR);
	ck_assert_uint_eq(event.state, MH_VM_CREATED);
	ck_assert_ptr_eq(event.dev, dev);
	ck_assert_uint_eq(event.slot, 5);
	ck_assert_uint_eq(event.detail, MH_DEV_WRITE);
	ck_assert_int_eq(event.error, MH_ENOSPC);
	ck_assert_uint_eq(event.count, 1);
	ck_assert_str_eq(event.text, "disk in PCI slot 5: write failed: no space left (MH_ENOSPC)");
	/* What follows waits, and is told as one. */
	for (int i = 0; i < 16; i++)
		mhi_vdev_failed(&dev->env, MH_DEV_WRITE, MH_ENOSPC);
	mhi_vdev_failed(&dev->env, MH_DEV_FLUSH, MH_EIO);
	event = wait_event(vm);
	ck_assert_uint_ge(now_ms() - began, 990);
	ck_assert_uint_eq(event.count, 17);
	ck_assert_uint_eq(event.detail, MH_DEV_FLUSH);
	ck_assert_int_eq(event.error, MH_EIO);
	ck_assert_str_eq(event.text, "disk in PCI slot 5: flush failed, 17 times: input or output "
				     "failed (MH_EIO)");
	/* After a second without any the next one is told at once again. */
	ck_assert(silent(vm, 1200));
	mhi_vdev_failed(&dev->env, MH_DEV_GONE, MH_EIO);
	began = now_ms();
	event = wait_event(vm);
	ck_assert_uint_le(now_ms() - began, 900);
	ck_assert_uint_eq(event.count, 1);
	ck_assert_str_eq(event.text, "disk in PCI slot 5: its other end is gone");
	mh_vm_destroy(vm);
	ck_assert_msg(strstr(last_log, event.text), "%s", last_log);
}
END_TEST

static void *reporter(void *opaque)
{
	struct mh_dev *dev = opaque;

	for (int i = 0; i < REPORTS; i++)
		mhi_vdev_failed(&dev->env, MH_DEV_READ, MH_EIO);
	return NULL;
}

/* From many workers, while states change: none is lost, few are told. */
START_TEST(many_workers)
{
	struct mh_vm *vm = api_vm(2, 0, 1 << 20);
	struct mh_dev *dev = attach_disk(vm);
	pthread_t thread[THREADS];
	u32 told = 0;
	u64 count = 0;

	ck_assert_int_ge(mh_vm_events_fd(vm), 0);
	ck_assert_int_eq(mh_vm_start(vm), 0);
	for (int i = 0; i < THREADS; i++)
		ck_assert_int_eq(pthread_create(&thread[i], NULL, reporter, dev), 0);
	for (int i = 0; i < 10; i++) {
		ck_assert_int_eq(mh_vm_pause(vm), 0);
		ck_assert_int_eq(mh_vm_resume(vm), 0);
	}
	for (int i = 0; i < THREADS; i++)
		pthread_join(thread[i], NULL);
	while (count < THREADS * REPORTS) {
		struct mh_event event = wait_event(vm);

		told += event.kind == MH_EVENT_DEVICE_ERROR;
		count += event.count;
	}
	ck_assert_uint_eq(count, THREADS * REPORTS);
	ck_assert_uint_le(told, 10);
	mh_vm_destroy(vm);
}
END_TEST

/* Attaching and detaching others waits for the loop, which tells of errors meanwhile. */
START_TEST(detached)
{
	struct mh_vm *vm = api_vm(1, 0, 1 << 20);
	struct mh_dev *dev = attach_disk(vm), *other;
	struct mh_event event;

	ck_assert_int_ge(mh_vm_events_fd(vm), 0);
	mhi_vdev_failed(&dev->env, MH_DEV_WRITE, MH_EIO);
	while (silent(vm, 1000))
		continue;
	ck_assert_int_eq(mh_dev_detach(dev), 0);
	event = wait_event(vm);
	ck_assert_uint_eq(event.kind, MH_EVENT_DEVICE_ERROR);
	ck_assert_ptr_null(event.dev);
	ck_assert_uint_eq(event.slot, 5);
	/* With a report under way. */
	for (int i = 0; i < 300; i++) {
		dev = attach_disk(vm);
		mhi_vdev_failed(&dev->env, MH_DEV_WRITE, MH_EIO);
		ck_assert_int_eq(mh_watchdog_attach(vm, NULL, &other), 0);
		mhi_vdev_failed(&dev->env, MH_DEV_WRITE, MH_EIO);
		if (i % 2)
			ck_assert_int_eq(mh_dev_detach(other), 0);
		ck_assert_int_eq(mh_dev_detach(dev), 0);
		if (!(i % 2))
			ck_assert_int_eq(mh_dev_detach(other), 0);
	}
	mh_vm_destroy(vm);
}
END_TEST

static void add_tests(TCase *tcase)
{
	tcase_add_checked_fixture(tcase, api_set_up, api_tear_down);
	tcase_add_test(tcase, first_and_rest);
	tcase_add_test(tcase, many_workers);
	tcase_add_test(tcase, detached);
	tcase_set_timeout(tcase, 60);
}

UNIT_MAIN("dev_error", add_tests)
