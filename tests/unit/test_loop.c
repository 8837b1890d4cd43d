// SPDX-License-Identifier: MIT
/*
 * The loop: wake-ups from many threads are neither lost nor out of order; calls, cancels, watches.
 */
#include "unit.h"
#include "core/loop.h"
#include "macrohard/error.h"

#include <pthread.h>
#include <unistd.h>

#define THREADS 4
#define ROUNDS 20000

static struct mhi_loop *loop;

struct counter {
	struct mhi_wake wake;
	u32 asked, seen, runs;
};

static void count(void *opaque)
{
	struct counter *c = opaque;

	ck_assert(mhi_loop_current(loop));
	c->seen = __atomic_load_n(&c->asked, __ATOMIC_SEQ_CST);
	c->runs++;
}

static struct counter counters[THREADS];

static void *ask(void *opaque)
{
	for (unsigned int i = 0; i < ROUNDS; i++) {
		struct counter *c = &counters[i % THREADS];

		__atomic_fetch_add(&c->asked, 1, __ATOMIC_SEQ_CST);
		mhi_loop_wake(loop, &c->wake);
	}
	return NULL;
}

static void nothing(void *opaque)
{
}

START_TEST(wakes)
{
	pthread_t thread[THREADS];

	ck_assert_int_eq(mhi_loop_create(&loop), 0);
	ck_assert(!mhi_loop_current(loop));
	for (unsigned int i = 0; i < THREADS; i++)
		counters[i] = (struct counter){ .wake = { .fn = count, .opaque = &counters[i] } };
	for (unsigned int i = 0; i < THREADS; i++)
		ck_assert_int_eq(pthread_create(&thread[i], NULL, ask, NULL), 0);
	for (unsigned int i = 0; i < THREADS; i++)
		pthread_join(thread[i], NULL);
	mhi_loop_call(loop, nothing, NULL);
	for (unsigned int i = 0; i < THREADS; i++) {
		ck_assert_uint_eq(counters[i].asked, ROUNDS);
		ck_assert_uint_eq(counters[i].seen, ROUNDS);
		ck_assert_uint_ge(counters[i].runs, 1);
		ck_assert_uint_le(counters[i].runs, ROUNDS);
	}
	mhi_loop_destroy(loop);
}
END_TEST

static unsigned int order[3], ordered;
static struct mhi_wake first, second, third;

static void note(void *opaque)
{
	order[ordered++] = (unsigned int)(uintptr_t)opaque;
}

static void ask_and_cancel(void *opaque)
{
	mhi_loop_wake(loop, &first);
	mhi_loop_wake(loop, &second);
	mhi_loop_wake(loop, &third);
	mhi_loop_cancel(loop, &second);
	mhi_loop_cancel(loop, &second);
	ck_assert_uint_eq(ordered, 0);
}

START_TEST(cancels)
{
	first = (struct mhi_wake){ .fn = note, .opaque = (void *)1 };
	second = (struct mhi_wake){ .fn = note, .opaque = (void *)2 };
	third = (struct mhi_wake){ .fn = note, .opaque = (void *)3 };
	ordered = 0;
	ck_assert_int_eq(mhi_loop_create(&loop), 0);
	mhi_loop_call(loop, ask_and_cancel, NULL);
	mhi_loop_call(loop, nothing, NULL);
	ck_assert_uint_eq(ordered, 2);
	ck_assert_uint_eq(order[0], 1);
	ck_assert_uint_eq(order[1], 3);
	mhi_loop_wake(loop, &second);
	mhi_loop_call(loop, nothing, NULL);
	ck_assert_uint_eq(ordered, 3);
	mhi_loop_destroy(loop);
	mhi_loop_destroy(NULL);
}
END_TEST

static int pipes[2];
static struct mhi_watch *watch;
static unsigned int bytes_seen;

static void on_readable(void *opaque, unsigned int events)
{
	char byte;

	ck_assert_uint_eq(events, MHI_WATCH_READ);
	ck_assert_int_eq(read(pipes[0], &byte, 1), 1);
	__atomic_fetch_add(&bytes_seen, 1, __ATOMIC_SEQ_CST);
}

static void begin_watch(void *opaque)
{
	ck_assert_int_eq(mhi_loop_watch(loop, pipes[0], MHI_WATCH_READ, on_readable, NULL, &watch),
			 0);
	ck_assert_int_eq(mhi_loop_watch(loop, -1, MHI_WATCH_READ, on_readable, NULL, &watch),
			 MH_EINVAL);
}

static void end_watch(void *opaque)
{
	mhi_loop_unwatch(watch);
	mhi_loop_unwatch(NULL);
}

START_TEST(watches)
{
	ck_assert_int_eq(pipe(pipes), 0);
	ck_assert_int_eq(mhi_loop_create(&loop), 0);
	mhi_loop_call(loop, begin_watch, NULL);
	ck_assert_int_eq(write(pipes[1], "abc", 3), 3);
	while (__atomic_load_n(&bytes_seen, __ATOMIC_SEQ_CST) < 3)
		usleep(100);
	mhi_loop_call(loop, end_watch, NULL);
	ck_assert_int_eq(write(pipes[1], "d", 1), 1);
	mhi_loop_call(loop, nothing, NULL);
	ck_assert_uint_eq(bytes_seen, 3);
	mhi_loop_destroy(loop);
	close(pipes[0]);
	close(pipes[1]);
}
END_TEST

static void add_tests(TCase *tcase)
{
	tcase_add_test(tcase, wakes);
	tcase_add_test(tcase, cancels);
	tcase_add_test(tcase, watches);
}

UNIT_MAIN("loop", add_tests)
