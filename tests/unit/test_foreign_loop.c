/* SPDX-License-Identifier: MIT */
/*
 * Loops that the embedder runs, by a descriptor or by libuv: nothing runs unless he says so,
 * nothing is missed, all calls work on his thread, and destruction leaves nothing.
 */
#include "api_fixture.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <unistd.h>
#include <uv.h>

#include "core/loop.h"
#include "macrohard/uv.h"

#define WAKES 1000

static struct mhi_loop *loop;
static u32 runs;

static void count(void *opaque)
{
	ck_assert(mhi_loop_current(loop));
	ck_assert(mhi_loop_inside(loop));
	runs++;
}

static void nothing(void *opaque)
{
}

/* Sleeps as an embedder would; false: nothing came in so many milliseconds. */
static bool turn(int most_ms)
{
	struct pollfd p = { .fd = mhi_loop_fd(loop), .events = POLLIN };
	int ms = mhi_loop_timeout(loop), ready;

	ready = poll(&p, 1, ms < 0 || ms > most_ms ? most_ms : ms);
	if (ready || (ms >= 0 && ms <= most_ms))
		mhi_loop_dispatch(loop);
	return ready || (ms >= 0 && ms <= most_ms);
}

static struct mhi_wake wake = { .fn = count };

static void *wake_often(void *opaque)
{
	for (u32 n = 0; n < WAKES; n++)
		mhi_loop_wake(loop, &wake);
	mhi_loop_call(loop, nothing, NULL);
	__atomic_store_n((u32 *)opaque, 1, __ATOMIC_SEQ_CST);
	return NULL;
}

START_TEST(wakes)
{
	pthread_t thread;
	u32 over = 0;

	runs = 0;
	ck_assert_int_eq(mhi_loop_create_foreign(&loop), 0);
	ck_assert(mhi_loop_is_foreign(loop) && mhi_loop_current(loop) && !mhi_loop_inside(loop));
	while (turn(0))
		;
	mhi_loop_wake(loop, &wake);
	ck_assert_uint_eq(runs, 0);
	ck_assert(turn(10000));
	ck_assert_uint_eq(runs, 1);
	ck_assert_int_eq(pthread_create(&thread, NULL, wake_often, &over), 0);
	/* The other thread's call waits for this one's turns. */
	while (!__atomic_load_n(&over, __ATOMIC_SEQ_CST))
		turn(10);
	pthread_join(thread, NULL);
	ck_assert_uint_ge(runs, 2);
	mhi_loop_destroy(loop);
}
END_TEST

static int pipes[2];

static void on_readable(void *opaque, unsigned int events)
{
	char byte;

	count(NULL);
	ck_assert_int_eq(read(pipes[0], &byte, 1), 1);
}

/* What is begun outside of a turn is watched by the descriptor, too. */
START_TEST(watches_and_timers)
{
	struct mhi_watch *watch;
	struct mhi_timer *timer;

	runs = 0;
	ck_assert_int_eq(pipe(pipes), 0);
	ck_assert_int_eq(mhi_loop_create_foreign(&loop), 0);
	while (turn(0))
		;
	ck_assert_int_eq(mhi_loop_watch(loop, pipes[0], MHI_WATCH_READ, on_readable, NULL, &watch),
			 0);
	ck_assert_int_eq(write(pipes[1], "ab", 2), 2);
	while (runs < 2)
		ck_assert(turn(10000));
	mhi_loop_unwatch(watch);
	ck_assert_int_eq(mhi_timer_create(loop, count, NULL, &timer), 0);
	while (turn(0))
		;
	mhi_timer_set(timer, 20);
	while (runs < 3)
		ck_assert(turn(10000));
	mhi_timer_destroy(timer);
	mhi_loop_destroy(loop);
	close(pipes[0]);
	close(pipes[1]);
}
END_TEST

static void write_unread(void *opaque)
{
	runs++;
	ck_assert_int_eq(write(pipes[1], "a", 1), -1);
	ck_assert_int_eq(errno, EPIPE);
}

static void write_unread_watch(void *opaque, unsigned int events)
{
	write_unread(NULL);
}

/* Whatever devices write to, on the embedder's thread: SIGPIPE ended his process. */
START_TEST(no_reader)
{
	struct mhi_wake write_wake = { .fn = write_unread };
	struct mhi_watch *watch;
	struct mhi_timer *timer;
	int other[2];

	runs = 0;
	ck_assert_int_eq(pipe(pipes), 0);
	ck_assert_int_eq(pipe(other), 0);
	close(pipes[0]);
	ck_assert_int_eq(mhi_loop_create_foreign(&loop), 0);
	while (turn(0))
		;
	mhi_loop_wake(loop, &write_wake);
	ck_assert(turn(10000));
	mhi_loop_call(loop, write_unread, NULL);
	ck_assert_uint_eq(runs, 2);
	ck_assert_int_eq(
		mhi_loop_watch(loop, other[1], MHI_WATCH_WRITE, write_unread_watch, NULL, &watch),
		0);
	while (runs < 3)
		ck_assert(turn(10000));
	mhi_loop_unwatch(watch);
	ck_assert_int_eq(mhi_timer_create(loop, write_unread, NULL, &timer), 0);
	mhi_timer_set(timer, 1);
	for (u32 before = runs; runs == before;)
		ck_assert(turn(10000));
	mhi_timer_destroy(timer);
	mhi_loop_destroy(loop);
	close(pipes[1]);
	close(other[0]);
	close(other[1]);
}
END_TEST

START_TEST(on_libuv)
{
	uv_loop_t uv;

	runs = 0;
	ck_assert_int_eq(uv_loop_init(&uv), 0);
	ck_assert_int_eq(mhi_loop_create_uv(&uv, &loop), 0);
	mhi_loop_wake(loop, &wake);
	ck_assert_uint_eq(runs, 0);
	ck_assert_int_ne(uv_run(&uv, UV_RUN_NOWAIT), 0);
	ck_assert_uint_eq(runs, 1);
	mhi_loop_destroy(loop);
	ck_assert_int_eq(uv_run(&uv, UV_RUN_DEFAULT), 0);
	ck_assert_int_eq(uv_loop_close(&uv), 0);
}
END_TEST

/* ---- by the public interface ---- */

static struct mh_ctx *foreign;
static u32 exits;
static struct mh_vm *stop_vm;

static int sends(void *opaque, const struct iovec *iov, uint32_t n)
{
	return 1;
}

static const struct mh_net_ops net_ops = { 1, sends, NULL };

/* A life with devices of all kinds, all on the loop's thread, without a turn of the loop's. */
static void live(struct mh_ctx *c)
{
	struct mh_vsock_config vsock = MH_VSOCK_CONFIG_INIT;
	struct mh_net_config net = MH_NET_CONFIG_INIT;
	struct mh_vm_config config = MH_VM_CONFIG_INIT;
	struct mh_dev *dev;
	struct mh_vm *vm;
	char path[64];
	u8 frame[60] = { 0 };

	snprintf(path, sizeof(path), "/tmp/foreign-%d", (int)getpid());
	vsock.path = path;
	net.kind = MH_NET_OPS;
	net.ops = &net_ops;
	config.memory_bytes = 1 << 20;
	ck_assert_int_eq(mh_vm_create(c, &config, &vm), 0);
	ck_assert_int_eq(mh_net_attach(vm, &net, &dev), 0);
	net.kind = MH_NET_USER;
	ck_assert_int_eq(mh_net_attach(vm, &net, NULL), 0);
	ck_assert_int_eq(mh_vsock_attach(vm, &vsock, NULL), 0);
	ck_assert_int_eq(mh_rng_attach(vm, NULL, NULL), 0);
	ck_assert_int_eq(mh_vm_start(vm), 0);
	ck_assert_int_eq(mh_net_input(dev, frame, sizeof(frame)), 0);
	ck_assert_int_eq(mh_vm_pause(vm), 0);
	ck_assert_int_eq(mh_vm_resume(vm), 0);
	ck_assert_int_eq(mh_vm_stop(vm), 0);
	ck_assert_int_eq(mh_dev_detach(dev), 0);
	mh_vm_destroy(vm);
}

static void *destroy(void *opaque)
{
	mh_vm_destroy(stop_vm);
	__atomic_store_n(&exits, 1, __ATOMIC_SEQ_CST);
	return NULL;
}

static void make_foreign(void)
{
	struct mh_ctx_config config = MH_CTX_CONFIG_INIT;

	config.loop = MH_LOOP_FOREIGN;
	ck_assert_int_eq(mh_ctx_create(&config, &foreign), 0);
}

static void *wrong_thread(void *opaque)
{
	ck_assert_int_eq(mh_ctx_loop_dispatch(foreign), MH_ESTATE);
	ck_assert_int_eq(mh_ctx_destroy(foreign), MH_ESTATE);
	return NULL;
}

START_TEST(by_descriptor)
{
	struct mh_vm_config config = MH_VM_CONFIG_INIT;
	pthread_t thread;
	int ms;

	make_foreign();
	ck_assert_int_ge(mh_ctx_loop_fd(foreign), 0);
	live(foreign);
	ck_assert_int_eq(mh_ctx_loop_dispatch(foreign), 0);
	live(foreign);
	/* Another thread's work on devices is done by this one's turns. */
	config.memory_bytes = 1 << 20;
	exits = 0;
	ck_assert_int_eq(mh_vm_create(foreign, &config, &stop_vm), 0);
	ck_assert_int_eq(mh_rng_attach(stop_vm, NULL, NULL), 0);
	ck_assert_int_eq(pthread_create(&thread, NULL, destroy, NULL), 0);
	while (!__atomic_load_n(&exits, __ATOMIC_SEQ_CST)) {
		struct pollfd p = { .fd = mh_ctx_loop_fd(foreign), .events = POLLIN };

		ck_assert_int_eq(mh_ctx_loop_timeout(foreign, &ms), 0);
		poll(&p, 1, ms < 0 || ms > 10 ? 10 : ms);
		ck_assert_int_eq(mh_ctx_loop_dispatch(foreign), 0);
	}
	pthread_join(thread, NULL);
	ck_assert_int_eq(pthread_create(&thread, NULL, wrong_thread, NULL), 0);
	pthread_join(thread, NULL);
	ck_assert_int_eq(mh_ctx_destroy(foreign), 0);
}
END_TEST

START_TEST(refused)
{
	struct mh_ctx_config config = MH_CTX_CONFIG_INIT;
	uv_loop_t uv;
	int ms = 7;

	/* The fixture's context has a thread. */
	ck_assert_int_eq(mh_ctx_loop_fd(ctx), MH_EINVAL);
	ck_error_has("MH_LOOP_FOREIGN");
	ck_assert_int_eq(mh_ctx_loop_timeout(ctx, &ms), MH_EINVAL);
	ck_assert_int_eq(ms, 7);
	ck_assert_int_eq(mh_ctx_loop_dispatch(ctx), MH_EINVAL);
	ck_assert_int_eq(mh_ctx_loop_fd(NULL), MH_EINVAL);
	ck_assert_int_eq(mh_ctx_loop_dispatch(NULL), MH_EINVAL);
	make_foreign();
	ck_assert_int_eq(mh_ctx_loop_timeout(foreign, NULL), MH_EINVAL);
	ck_assert_int_eq(mh_ctx_destroy(foreign), 0);
	config.loop = (enum mh_loop_kind)2;
	ck_assert_int_eq(mh_ctx_create(&config, &foreign), MH_EINVAL);
	ck_assert_int_eq(mh_ctx_create_uv(NULL, NULL, &foreign), MH_EINVAL);
	ck_assert_int_eq(uv_loop_init(&uv), 0);
	ck_assert_int_eq(mh_ctx_create_uv(NULL, &uv, NULL), MH_EINVAL);
	ck_assert_int_eq(uv_loop_close(&uv), 0);
}
END_TEST

START_TEST(by_libuv)
{
	uv_loop_t uv;

	ck_assert_int_eq(uv_loop_init(&uv), 0);
	ck_assert_int_eq(mh_ctx_create_uv(NULL, &uv, &foreign), 0);
	live(foreign);
	ck_assert_int_ne(uv_run(&uv, UV_RUN_NOWAIT), 0);
	live(foreign);
	ck_assert_int_eq(mh_ctx_destroy(foreign), 0);
	ck_assert_int_eq(uv_run(&uv, UV_RUN_DEFAULT), 0);
	ck_assert_int_eq(uv_loop_close(&uv), 0);
}
END_TEST

static void add_tests(TCase *tcase)
{
	tcase_add_checked_fixture(tcase, api_set_up, api_tear_down);
	tcase_add_test(tcase, wakes);
	tcase_add_test(tcase, watches_and_timers);
	tcase_add_test(tcase, no_reader);
	tcase_add_test(tcase, on_libuv);
	tcase_add_test(tcase, by_descriptor);
	tcase_add_test(tcase, refused);
	tcase_add_test(tcase, by_libuv);
}

UNIT_MAIN("foreign_loop", add_tests)
