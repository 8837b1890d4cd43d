/* SPDX-License-Identifier: MIT */
/* Events: what is told, by callback and by the descriptor, and what is lost. */
#include "api_fixture.h"

#include <poll.h>
#include <pthread.h>
#include <unistd.h>

#include "api/impl.h"

static struct mh_event kept[100];
static u32 kept_count; /* atomic */

static void keep(void *opaque, struct mh_vm *vm, const struct mh_event *event)
{
	u32 n = __atomic_load_n(&kept_count, __ATOMIC_SEQ_CST);

	ck_assert_ptr_eq(opaque, kept);
	ck_assert_uint_lt(n, 100);
	kept[n] = *event;
	__atomic_store_n(&kept_count, n + 1, __ATOMIC_SEQ_CST);
}

static void wait_kept(u32 n)
{
	while (__atomic_load_n(&kept_count, __ATOMIC_SEQ_CST) < n)
		usleep(100);
}

static bool readable(int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };

	ck_assert_int_ge(poll(&p, 1, 0), 0);
	return p.revents & POLLIN;
}

static struct mh_event next_event(struct mh_vm *vm)
{
	struct mh_event event = MH_EVENT_INIT;

	ck_assert_int_eq(mh_vm_event_read(vm, &event), 0);
	return event;
}

static void press(enum mhi_power what)
{
	fake_machine.env.power(fake_machine.env.opaque, what);
}

START_TEST(by_descriptor)
{
	struct mh_event event = MH_EVENT_INIT;
	struct mh_vm *vm = api_vm(1, 0, 1 << 20);
	int fd;

	ck_assert_int_eq(mh_vm_event_read(vm, &event), MH_ESTATE);
	ck_error_has("call mh_vm_events_fd first");
	fd = mh_vm_events_fd(vm);
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(mh_vm_events_fd(vm), fd);
	ck_assert(!readable(fd));
	ck_assert_int_eq(mh_vm_event_read(vm, &event), MH_ENOENT);
	ck_assert_int_eq(mh_vm_start(vm), 0);
	ck_assert(readable(fd));
	ck_assert_int_eq(mh_vm_pause(vm), 0);
	ck_assert_int_eq(mh_vm_resume(vm), 0);
	ck_assert_int_eq(mh_vm_stop(vm), 0);
	event = next_event(vm);
	ck_assert_uint_eq(event.size, sizeof(event));
	ck_assert_uint_eq(event.kind, MH_EVENT_STATE);
	ck_assert_uint_eq(event.state, MH_VM_RUNNING);
	ck_assert_uint_eq(event.number, 1);
	ck_assert_uint_gt(event.time_ns, 1700000000000000000ull);
	ck_assert_uint_eq(next_event(vm).state, MH_VM_PAUSED);
	ck_assert_uint_eq(next_event(vm).state, MH_VM_RUNNING);
	ck_assert(readable(fd));
	event = next_event(vm);
	ck_assert_uint_eq(event.state, MH_VM_STOPPED);
	ck_assert_uint_eq(event.reason, MH_STOP_REQUEST);
	ck_assert_uint_eq(event.number, 4);
	ck_assert_str_eq(event.text, "stopped on request");
	ck_assert(!readable(fd));
	ck_assert_int_eq(mh_vm_event_read(vm, &event), MH_ENOENT);
	mh_vm_destroy(vm);
}
END_TEST

START_TEST(by_callback)
{
	struct mh_vm *vm = api_vm(1, 0, 1 << 20);

	kept_count = 0;
	ck_assert_int_eq(mh_vm_start(vm), 0);
	ck_assert_int_eq(mh_vm_on_event(vm, keep, kept), MH_ESTATE);
	ck_assert_int_eq(mh_vm_pause(vm), 0);
	/* Of what was before nothing is told. */
	ck_assert_int_eq(mh_vm_on_event(vm, keep, kept), 0);
	ck_assert_int_eq(mh_vm_resume(vm), 0);
	press(MHI_POWER_PANIC);
	wait_kept(2);
	press(MHI_POWER_RESET);
	wait_kept(3);
	press(MHI_POWER_OFF);
	ck_assert_int_eq(mh_vm_wait(vm, -1), 0);
	wait_kept(4);
	ck_assert_uint_eq(kept[0].state, MH_VM_RUNNING);
	ck_assert_uint_eq(kept[0].number, 3);
	ck_assert_uint_eq(kept[1].kind, MH_EVENT_PANIC);
	ck_assert_str_eq(kept[1].text, "the guest's kernel panicked");
	ck_assert_uint_eq(kept[2].kind, MH_EVENT_RESET);
	ck_assert_uint_eq(kept[2].reason, MH_STOP_RESET);
	ck_assert_str_eq(kept[2].text, "the guest reset itself");
	ck_assert_uint_eq(kept[3].state, MH_VM_STOPPED);
	ck_assert_uint_eq(kept[3].reason, MH_STOP_POWEROFF);
	ck_assert_str_eq(kept[3].text, "the guest switched itself off");
	ck_assert_int_eq(mh_vm_on_event(vm, NULL, NULL), 0);
	ck_assert_int_eq(mh_vm_start(vm), 0);
	mh_vm_destroy(vm);
	ck_assert_uint_eq(kept_count, 4);
}
END_TEST

/* A guest that panics for ever is told of once, and again when it has begun anew. */
START_TEST(panic_once)
{
	struct mh_vm *vm = api_vm(1, 0, 1 << 20);
	struct mh_event event = MH_EVENT_INIT;

	ck_assert_int_ge(mh_vm_events_fd(vm), 0);
	ck_assert_int_eq(mh_vm_start(vm), 0);
	for (int i = 0; i < 1000; i++)
		press(MHI_POWER_PANIC);
	press(MHI_POWER_CRASH_KERNEL);
	ck_assert_uint_eq(next_event(vm).kind, MH_EVENT_STATE);
	ck_assert_uint_eq(next_event(vm).kind, MH_EVENT_PANIC);
	ck_assert_uint_eq(next_event(vm).kind, MH_EVENT_CRASH_KERNEL);
	ck_assert_int_eq(mh_vm_event_read(vm, &event), MH_ENOENT);
	ck_assert_msg(strstr(last_log, "VM \"test\": the guest's kernel panicked"), "%s", last_log);
	press(MHI_POWER_RESET);
	while (mh_vm_event_read(vm, &event))
		usleep(100);
	ck_assert_uint_eq(event.kind, MH_EVENT_RESET);
	ck_assert_uint_eq(event.state, MH_VM_RUNNING);
	press(MHI_POWER_PANIC);
	ck_assert_uint_eq(next_event(vm).kind, MH_EVENT_PANIC);
	mh_vm_destroy(vm);
}
END_TEST

/* Of an error the event has the first line, the VM all of them. */
START_TEST(error_text)
{
	struct mh_vm *vm = api_vm(1, 0, 1 << 20);
	struct mh_event event;

	ck_assert_int_ge(mh_vm_events_fd(vm), 0);
	ck_assert_int_eq(mh_vm_start(vm), 0);
	mhi_vm_request(vm, MHI_REQ_STOP, MH_STOP_ERROR, "first line\nrip 0");
	ck_assert_int_eq(mh_vm_wait(vm, -1), 0);
	ck_assert_uint_eq(next_event(vm).state, MH_VM_RUNNING);
	event = next_event(vm);
	ck_assert_uint_eq(event.reason, MH_STOP_ERROR);
	ck_assert_str_eq(event.text, "first line");
	ck_assert_str_eq(mh_vm_stop_text(vm), "first line\nrip 0");
	mh_vm_destroy(vm);
}
END_TEST

/* Who does not read loses the oldest ones, and can tell how many. */
START_TEST(overflow)
{
	struct mh_vm *vm = api_vm(1, 0, 1 << 20);
	struct mh_event event;
	int fd = mh_vm_events_fd(vm);

	ck_assert_int_eq(mh_vm_start(vm), 0);
	for (int i = 0; i < 50; i++) {
		ck_assert_int_eq(mh_vm_pause(vm), 0);
		ck_assert_int_eq(mh_vm_resume(vm), 0);
	}
	for (u64 number = 101 - 64 + 1; number <= 101; number++) {
		ck_assert(readable(fd));
		event = next_event(vm);
		ck_assert_uint_eq(event.number, number);
		ck_assert_uint_eq(event.state, number % 2 ? MH_VM_RUNNING : MH_VM_PAUSED);
	}
	ck_assert(!readable(fd));
	mh_vm_destroy(vm);
}
END_TEST

/* Compiled against an older, and against a newer header. */
START_TEST(sizes)
{
	struct {
		struct mh_event event;
		u64 newer;
	} big = { .event.size = sizeof(big), .newer = 7 };
	struct mh_event event = { .size = offsetof(struct mh_event, number), .number = 77 };
	struct mh_vm *vm = api_vm(1, 0, 1 << 20);

	ck_assert_int_ge(mh_vm_events_fd(vm), 0);
	ck_assert_int_eq(mh_vm_start(vm), 0);
	ck_assert_int_eq(mh_vm_pause(vm), 0);
	ck_assert_int_eq(mh_vm_event_read(vm, &event), 0);
	ck_assert_uint_eq(event.state, MH_VM_RUNNING);
	ck_assert_uint_eq(event.number, 77);
	ck_assert_int_eq(mh_vm_event_read(vm, &big.event), 0);
	ck_assert_uint_eq(big.event.state, MH_VM_PAUSED);
	ck_assert_uint_eq(big.event.number, 2);
	ck_assert_uint_eq(big.newer, 0);
	/* A bad argument takes none away. */
	ck_assert_int_eq(mh_vm_resume(vm), 0);
	event.size = sizeof(size_t);
	ck_assert_int_eq(mh_vm_event_read(vm, &event), MH_EINVAL);
	ck_assert_int_eq(mh_vm_event_read(vm, NULL), MH_EINVAL);
	ck_error_has("use MH_EVENT_INIT");
	ck_assert_uint_eq(next_event(vm).number, 3);
	ck_assert_int_eq(mh_vm_event_read(NULL, &event), MH_EINVAL);
	ck_assert_int_eq(mh_vm_events_fd(NULL), MH_EINVAL);
	ck_assert_int_eq(mh_vm_on_event(NULL, NULL, NULL), MH_EINVAL);
	mh_vm_destroy(vm);
}
END_TEST

static void *count_events(void *opaque)
{
	struct mh_vm *vm = opaque;
	struct mh_event event = MH_EVENT_INIT;
	u64 number = 0;

	while (event.state != MH_VM_STOPPED) {
		struct pollfd p = { .fd = mh_vm_events_fd(vm), .events = POLLIN };

		ck_assert_int_eq(poll(&p, 1, -1), 1);
		while (!mh_vm_event_read(vm, &event)) {
			ck_assert_uint_gt(event.number, number);
			number = event.number;
		}
	}
	return NULL;
}

/* A thread that sleeps in poll misses no wake-up. */
START_TEST(reader_thread)
{
	struct mh_vm *vm = api_vm(2, 0, 1 << 20);
	pthread_t reader;

	ck_assert_int_ge(mh_vm_events_fd(vm), 0);
	ck_assert_int_eq(mh_vm_start(vm), 0);
	ck_assert_int_eq(pthread_create(&reader, NULL, count_events, vm), 0);
	for (int i = 0; i < 300; i++) {
		ck_assert_int_eq(mh_vm_pause(vm), 0);
		ck_assert_int_eq(mh_vm_resume(vm), 0);
	}
	ck_assert_int_eq(mh_vm_stop(vm), 0);
	pthread_join(reader, NULL);
	mh_vm_destroy(vm);
}
END_TEST

static void add_tests(TCase *tcase)
{
	tcase_add_checked_fixture(tcase, api_set_up, api_tear_down);
	tcase_add_test(tcase, by_descriptor);
	tcase_add_test(tcase, by_callback);
	tcase_add_test(tcase, panic_once);
	tcase_add_test(tcase, error_text);
	tcase_add_test(tcase, overflow);
	tcase_add_test(tcase, sizes);
	tcase_add_test(tcase, reader_thread);
}

UNIT_MAIN("event", add_tests)
