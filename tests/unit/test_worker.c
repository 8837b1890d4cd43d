/* SPDX-License-Identifier: MIT */
/* The pool of workers: bells by call and by descriptor, growth, unwatching under fire, its end. */
#include "unit.h"

#include <pthread.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "core/worker.h"

#define MOST 4
#define RINGERS 3
#define ROUNDS 2000
#define TRIES 300000 /* of 100 us: the machine may be busy with other things */

static struct mhi_workers *workers;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t cond = PTHREAD_COND_INITIALIZER;

/* A bell and what is known of its function, under the lock. */
struct rung {
	struct mhi_bell bell;
	int fd;
	unsigned int calls, inside, most;
	bool hold; /* in the function, until it is false */
};

static void answer(void *opaque)
{
	struct rung *r = opaque;

	pthread_mutex_lock(&lock);
	r->calls++;
	if (++r->inside > r->most)
		r->most = r->inside;
	pthread_cond_broadcast(&cond);
	while (r->hold)
		pthread_cond_wait(&cond, &lock);
	r->inside--;
	pthread_cond_broadcast(&cond);
	pthread_mutex_unlock(&lock);
}

static void watch(struct rung *r, bool by_fd)
{
	memset(r, 0, sizeof(*r));
	r->fd = by_fd ? eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK) : -1;
	r->bell = (struct mhi_bell){ .fn = answer, .opaque = r };
	ck_assert_int_eq(mhi_workers_watch(workers, &r->bell, r->fd), 0);
}

static void unwatch(struct rung *r)
{
	mhi_workers_unwatch(workers, &r->bell);
	if (r->fd >= 0)
		close(r->fd);
}

static void ring(struct rung *r)
{
	if (r->fd < 0)
		mhi_workers_ring(workers, &r->bell);
	else
		ck_assert_int_eq(eventfd_write(r->fd, 1), 0);
}

static void wait_calls(struct rung *r, unsigned int calls)
{
	pthread_mutex_lock(&lock);
	while (r->calls < calls)
		pthread_cond_wait(&cond, &lock);
	pthread_mutex_unlock(&lock);
}

static void wait_inside(struct rung *r, unsigned int inside)
{
	pthread_mutex_lock(&lock);
	while (r->inside != inside)
		pthread_cond_wait(&cond, &lock);
	pthread_mutex_unlock(&lock);
}

static void hold(struct rung *r, bool on)
{
	pthread_mutex_lock(&lock);
	r->hold = on;
	pthread_cond_broadcast(&cond);
	pthread_mutex_unlock(&lock);
}

static void set_up(void)
{
	ck_assert_int_eq(mhi_workers_create(MOST, "test", &workers, NULL), 0);
}

static void tear_down(void)
{
	mhi_workers_destroy(workers);
}

/* Nobody reads the descriptor: each write is answered all the same. */
START_TEST(each_ring_is_answered)
{
	for (int by_fd = 0; by_fd < 2; by_fd++) {
		struct rung r;

		watch(&r, by_fd);
		for (unsigned int n = 1; n <= ROUNDS; n++) {
			ring(&r);
			wait_calls(&r, n);
			wait_inside(&r, 0);
		}
		unwatch(&r);
	}
}
END_TEST

/* Who is busy keeps nobody from others' bells, as long as there may be more threads. */
START_TEST(pool_grows)
{
	struct rung slow[MOST], quick, late;

	watch(&quick, true);
	watch(&late, false);
	for (unsigned int n = 0; n < MOST; n++) {
		watch(&slow[n], n & 1);
		hold(&slow[n], true);
		if (n == MOST - 1) {
			ring(&quick);
			wait_calls(&quick, 1);
		}
		ring(&slow[n]);
		wait_calls(&slow[n], 1);
	}
	/* All are busy: the next bells wait for one of them. */
	ring(&quick);
	ring(&late);
	hold(&slow[0], false);
	wait_calls(&quick, 2);
	wait_calls(&late, 1);
	for (unsigned int n = 0; n < MOST; n++) {
		hold(&slow[n], false);
		unwatch(&slow[n]);
		ck_assert_uint_eq(slow[n].calls, 1);
	}
	unwatch(&quick);
	unwatch(&late);
}
END_TEST

/* One bell brings as many workers as it is rung while they are busy, and no more than there are. */
START_TEST(one_bell_many_workers)
{
	for (int by_fd = 0; by_fd < 2; by_fd++) {
		struct rung r;

		watch(&r, by_fd);
		hold(&r, true);
		for (unsigned int n = 1; n <= MOST; n++) {
			ring(&r);
			wait_inside(&r, n);
		}
		ring(&r);
		hold(&r, false);
		wait_calls(&r, MOST + 1);
		unwatch(&r);
		ck_assert_uint_eq(r.most, MOST);
	}
}
END_TEST

/* Bells that are always rung again, as many as there are workers, leave time for another. */
static bool stop;

static void ring_again(void *opaque)
{
	struct rung *r = opaque;

	if (!__atomic_load_n(&stop, __ATOMIC_ACQUIRE))
		mhi_workers_ring(workers, &r->bell);
}

START_TEST(busy_bells_leave_time)
{
	struct rung busy[2 * MOST], by_fd, by_call;

	__atomic_store_n(&stop, false, __ATOMIC_RELEASE);
	watch(&by_fd, true);
	watch(&by_call, false);
	for (unsigned int n = 0; n < 2 * MOST; n++) {
		watch(&busy[n], false);
		busy[n].bell.fn = ring_again;
		ring(&busy[n]);
	}
	for (unsigned int n = 1; n <= 100; n++) {
		ring(&by_fd);
		wait_calls(&by_fd, n);
		ring(&by_call);
		wait_calls(&by_call, n);
	}
	__atomic_store_n(&stop, true, __ATOMIC_RELEASE);
	for (unsigned int n = 0; n < 2 * MOST; n++)
		unwatch(&busy[n]);
	unwatch(&by_fd);
	unwatch(&by_call);
}
END_TEST

static int fires[2];

static void *fire(void *opaque)
{
	while (!__atomic_load_n(&stop, __ATOMIC_ACQUIRE))
		for (int n = 0; n < 2; n++)
			eventfd_write(fires[n], 1);
	return NULL;
}

static void use(void *opaque)
{
	struct rung *r = opaque;

	/* Every third call rings the bell that it answers. */
	if (__atomic_fetch_add(&r->calls, 1, __ATOMIC_RELAXED) % 3 == 0)
		mhi_workers_ring(workers, &r->bell);
}

/* While doorbells ring all the time: what was unwatched is not used, and may be freed. */
START_TEST(unwatch_under_fire)
{
	pthread_t thread[RINGERS];
	unsigned int calls = 0;

	__atomic_store_n(&stop, false, __ATOMIC_RELEASE);
	for (int n = 0; n < 2; n++)
		fires[n] = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	for (int n = 0; n < RINGERS; n++)
		ck_assert_int_eq(pthread_create(&thread[n], NULL, fire, NULL), 0);
	for (unsigned int n = 0; n < ROUNDS; n++) {
		struct rung *r[2];

		for (int i = 0; i < 2; i++) {
			r[i] = calloc(1, sizeof(*r[i]));
			r[i]->bell = (struct mhi_bell){ .fn = use, .opaque = r[i] };
			ck_assert_int_eq(mhi_workers_watch(workers, &r[i]->bell, fires[i]), 0);
		}
		if (n % 16 == 0)
			for (unsigned int t = 0; t < TRIES; t++) {
				if (__atomic_load_n(&r[0]->calls, __ATOMIC_RELAXED))
					break;
				usleep(100);
			}
		for (int i = 0; i < 2; i++) {
			mhi_workers_unwatch(workers, &r[i]->bell);
			calls += r[i]->calls;
			memset(r[i], 0xff, sizeof(*r[i]));
			free(r[i]);
		}
	}
	ck_assert_uint_ge(calls, ROUNDS / 16);
	__atomic_store_n(&stop, true, __ATOMIC_RELEASE);
	for (int n = 0; n < RINGERS; n++)
		ck_assert_int_eq(pthread_join(thread[n], NULL), 0);
	for (int n = 0; n < 2; n++)
		close(fires[n]);
}
END_TEST

static void *unwatch_it(void *opaque)
{
	unwatch(opaque);
	return NULL;
}

/* A worker is in the function: unwatching waits for it. Another bell that was rung is dropped. */
START_TEST(unwatch_waits)
{
	pthread_t thread;
	struct rung r;

	watch(&r, true);
	hold(&r, true);
	ring(&r);
	wait_inside(&r, 1);
	ck_assert_int_eq(pthread_create(&thread, NULL, unwatch_it, &r), 0);
	usleep(10000);
	ck_assert_int_ne(pthread_tryjoin_np(thread, NULL), 0);
	hold(&r, false);
	ck_assert_int_eq(pthread_join(thread, NULL), 0);
	ck_assert_uint_eq(r.inside, 0);
}
END_TEST

static void *let_go(void *opaque)
{
	usleep(10000);
	hold(opaque, false);
	return NULL;
}

static void answer_and_ring(void *opaque)
{
	answer(opaque);
	ring(opaque);
}

/*
 * Its own function rings it while it is unwatched. Such a ring used to be kept: a worker used the
 * bell after it was gone.
 */
START_TEST(unwatch_ends_rings)
{
	struct rung r, other;
	pthread_t thread;

	watch(&r, false);
	watch(&other, false);
	r.bell.fn = answer_and_ring;
	hold(&r, true);
	ring(&r);
	wait_inside(&r, 1);
	ck_assert_int_eq(pthread_create(&thread, NULL, let_go, &r), 0);
	unwatch(&r);
	ck_assert_int_eq(pthread_join(thread, NULL), 0);
	for (unsigned int n = 1; n <= MOST; n++) {
		ring(&other);
		wait_calls(&other, n);
	}
	unwatch(&other);
	ck_assert(!r.bell.rung);
	ck_assert_uint_eq(r.calls, 1);
}
END_TEST

/* More descriptors than the table begins with, some of which go and come. */
START_TEST(many_descriptors)
{
	static struct rung r[100];

	for (unsigned int n = 0; n < MHI_COUNT(r); n++)
		watch(&r[n], true);
	for (unsigned int n = 0; n < MHI_COUNT(r); n += 3) {
		unwatch(&r[n]);
		watch(&r[n], true);
	}
	for (unsigned int n = 0; n < MHI_COUNT(r); n++)
		ring(&r[n]);
	for (unsigned int n = 0; n < MHI_COUNT(r); n++) {
		wait_calls(&r[n], 1);
		unwatch(&r[n]);
	}
}
END_TEST

/* Under the lock: threads that were told once each. */
static pthread_t told[MOST];
static unsigned int tells;

static void tell(void *opaque)
{
	pthread_mutex_lock(&lock);
	for (unsigned int n = 0; n < tells && n < MOST; n++)
		ck_assert(!pthread_equal(told[n], pthread_self()));
	told[tells++ % MOST] = pthread_self();
	pthread_mutex_unlock(&lock);
}

static void *tell_each(void *opaque)
{
	mhi_workers_each(workers, tell, NULL);
	return NULL;
}

/* Those who are busy are told when they are done, each once; bells are answered meanwhile. */
START_TEST(each_is_told)
{
	struct rung slow[MOST - 1], quick;
	pthread_t thread;

	watch(&quick, true);
	for (unsigned int n = 0; n < MOST - 1; n++) {
		watch(&slow[n], true);
		hold(&slow[n], true);
		ring(&slow[n]);
		wait_calls(&slow[n], 1);
	}
	tells = 0;
	ck_assert_int_eq(pthread_create(&thread, NULL, tell_each, NULL), 0);
	ring(&quick);
	wait_calls(&quick, 1);
	for (unsigned int n = 0; n < MOST - 1; n++) {
		hold(&slow[n], false);
		unwatch(&slow[n]);
	}
	ck_assert_int_eq(pthread_join(thread, NULL), 0);
	ck_assert_uint_eq(tells, MOST);
	unwatch(&quick);
	tells = 0;
	tell_each(NULL);
	ck_assert_uint_eq(tells, MOST);
}
END_TEST

START_TEST(refused)
{
	struct mhi_workers *none;
	struct rung bad = { .bell = { .fn = answer } };
	struct mhi_err err;

	ck_assert_int_eq(mhi_workers_create(0, "test", &none, &err), MH_EINVAL);
	ck_assert_int_eq(mhi_workers_create(MHI_WORKERS_MOST + 1, "test", &none, &err), MH_EINVAL);
	ck_assert_int_eq(mhi_workers_watch(workers, &bad.bell, 12345), MH_ENOMEM);
}
END_TEST

static void add_tests(TCase *tcase)
{
	tcase_set_timeout(tcase, 120);
	tcase_add_checked_fixture(tcase, set_up, tear_down);
	tcase_add_test(tcase, each_ring_is_answered);
	tcase_add_test(tcase, pool_grows);
	tcase_add_test(tcase, one_bell_many_workers);
	tcase_add_test(tcase, busy_bells_leave_time);
	tcase_add_test(tcase, unwatch_under_fire);
	tcase_add_test(tcase, unwatch_waits);
	tcase_add_test(tcase, unwatch_ends_rings);
	tcase_add_test(tcase, many_descriptors);
	tcase_add_test(tcase, each_is_told);
	tcase_add_test(tcase, refused);
}

UNIT_MAIN("worker", add_tests)
