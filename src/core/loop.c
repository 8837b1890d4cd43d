/* SPDX-License-Identifier: MIT */
/*
 * The loop: a libuv loop, a lock-free list of work for it, watched descriptors. It is run by a
 * thread of its own, or by the thread that made it.
 */
#include "core/loop.h"

#include <fcntl.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>
#include <uv.h>

#include "core/pipe.h"
#include "macrohard/error.h"

struct mhi_loop {
	uv_loop_t own;	       /* [loop] of use unless uv is somebody else's */
	uv_loop_t *uv;	       /* (c) */
	uv_async_t async;      /* uv_async_send: any thread */
	pthread_t thread;      /* (c) that runs it */
	bool foreign;	       /* (c) it is not ours */
	unsigned int depth;    /* [loop] calls of ours under way */
	struct mhi_wake *in;   /* (a) asked for, the last one first */
	struct mhi_wake *todo; /* [loop] in order */
	bool stop;	       /* [loop] */
};

struct mhi_watch {
	struct mhi_loop *loop;
	uv_poll_t poll;
	mhi_watch_fn *fn;
	void *opaque;
	unsigned int events; /* that libuv polls for */
};

struct mhi_timer {
	struct mhi_loop *loop;
	uv_timer_t uv;
	void (*fn)(void *opaque);
	void *opaque;
};

/*
 * What changed outside of the loop's turn, libuv hears of in the next one: a foreign loop's thread
 * may be about to sleep on its descriptor.
 */
static void nudge(struct mhi_loop *loop)
{
	if (loop->foreign && !loop->depth)
		uv_async_send(&loop->async);
}

/* Around what devices do, who may write to what nobody reads: on an embedder's thread. */
static void begin(const struct mhi_loop *loop, struct mhi_pipe *pipe)
{
	if (loop->foreign)
		mhi_pipe_begin(pipe);
}

static void end(const struct mhi_loop *loop, const struct mhi_pipe *pipe)
{
	if (loop->foreign)
		mhi_pipe_end(pipe);
}

/* Everything asked for so far to the end of todo, in order. */
static void take_in(struct mhi_loop *loop)
{
	/* Paired with the exchange in mhi_loop_wake. */
	struct mhi_wake *wake = __atomic_exchange_n(&loop->in, NULL, __ATOMIC_ACQUIRE);
	struct mhi_wake *ordered = NULL, **end = &loop->todo;

	while (wake) {
		struct mhi_wake *next = wake->next;

		wake->next = ordered;
		ordered = wake;
		wake = next;
	}
	while (*end)
		end = &(*end)->next;
	*end = ordered;
}

static void on_async(uv_async_t *async)
{
	struct mhi_loop *loop = async->data;
	struct mhi_pipe pipe;

	begin(loop, &pipe);
	loop->depth++;
	take_in(loop);
	/*
	 * What is asked for meanwhile comes with another call, so that descriptors have their
	 * turn.
	 */
	while (loop->todo) {
		struct mhi_wake *wake = loop->todo;

		loop->todo = wake->next;
		/* From here on a request queues it anew: what it asks for may come too late now. */
		__atomic_store_n(&wake->pending, 0, __ATOMIC_SEQ_CST);
		wake->fn(wake->opaque);
	}
	loop->depth--;
	end(loop, &pipe);
	if (loop->stop && !uv_is_closing((uv_handle_t *)async))
		uv_close((uv_handle_t *)async, NULL);
}

static void *loop_main(void *opaque)
{
	struct mhi_loop *loop = opaque;

	pthread_setname_np(pthread_self(), "devices");
	uv_run(loop->uv, UV_RUN_DEFAULT);
	return NULL;
}

static int start_thread(struct mhi_loop *loop)
{
	sigset_t all, old;
	int rc;

	/* The embedder's signals are for the embedder's threads. */
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	rc = pthread_create(&loop->thread, NULL, loop_main, loop);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	return rc ? MH_ENOMEM : 0;
}

/*
 * libuv aborts where the first loop of a process finds no descriptor for the pipe that it makes
 * once: so there have to be as many as a loop needs.
 */
static bool descriptors_left(void)
{
	int fd[4];
	bool left = false;

	if (pipe2(fd, O_CLOEXEC))
		return false;
	if (!pipe2(fd + 2, O_CLOEXEC)) {
		left = true;
		close(fd[2]);
		close(fd[3]);
	}
	close(fd[0]);
	close(fd[1]);
	return left;
}

/* uv NULL: a loop of our own. It is the calling thread's until it gets another one. */
static int make(uv_loop_t *uv, struct mhi_loop **out)
{
	struct mhi_loop *loop = calloc(1, sizeof(*loop));

	if (!loop)
		return MH_ENOMEM;
	if (!uv && (!descriptors_left() || uv_loop_init(&loop->own)))
		goto fail;
	loop->uv = uv ? uv : &loop->own;
	if (uv_async_init(loop->uv, &loop->async, on_async))
		goto fail_loop;
	loop->async.data = loop;
	loop->thread = pthread_self();
	*out = loop;
	return 0;

fail_loop:
	if (!uv)
		uv_loop_close(&loop->own);
fail:
	free(loop);
	return MH_ENOMEM;
}

static void end_own(struct mhi_loop *loop)
{
	if (!uv_is_closing((uv_handle_t *)&loop->async))
		uv_close((uv_handle_t *)&loop->async, NULL);
	uv_run(loop->uv, UV_RUN_DEFAULT);
	uv_loop_close(loop->uv);
	free(loop);
}

int mhi_loop_create(struct mhi_loop **out)
{
	struct mhi_loop *loop;
	int rc = make(NULL, &loop);

	if (rc)
		return rc;
	rc = start_thread(loop);
	if (rc)
		end_own(loop);
	else
		*out = loop;
	return rc;
}

int mhi_loop_create_foreign(struct mhi_loop **out)
{
	struct mhi_loop *loop;
	int rc = make(NULL, &loop);

	if (rc)
		return rc;
	loop->foreign = true;
	/* From its first turn on libuv watches for wake-ups. */
	uv_run(loop->uv, UV_RUN_NOWAIT);
	*out = loop;
	return 0;
}

int mhi_loop_create_uv(uv_loop_t *uv, struct mhi_loop **out)
{
	int rc = make(uv, out);

	if (!rc)
		(*out)->foreign = true;
	return rc;
}

static void stop(void *opaque)
{
	((struct mhi_loop *)opaque)->stop = true;
}

static void free_loop(uv_handle_t *handle)
{
	free(handle->data);
}

void mhi_loop_destroy(struct mhi_loop *loop)
{
	struct mhi_wake wake = { .fn = stop, .opaque = loop };

	if (!loop)
		return;
	if (loop->uv != &loop->own) {
		uv_close((uv_handle_t *)&loop->async, free_loop);
	} else if (loop->foreign) {
		end_own(loop);
	} else {
		mhi_loop_wake(loop, &wake);
		pthread_join(loop->thread, NULL);
		uv_loop_close(loop->uv);
		free(loop);
	}
}

bool mhi_loop_current(const struct mhi_loop *loop)
{
	return pthread_equal(loop->thread, pthread_self());
}

bool mhi_loop_inside(const struct mhi_loop *loop)
{
	return mhi_loop_current(loop) && (!loop->foreign || loop->depth);
}

bool mhi_loop_is_foreign(const struct mhi_loop *loop)
{
	return loop->foreign;
}

int mhi_loop_fd(const struct mhi_loop *loop)
{
	return uv_backend_fd(loop->uv);
}

int mhi_loop_timeout(const struct mhi_loop *loop)
{
	return uv_backend_timeout(loop->uv);
}

void mhi_loop_dispatch(struct mhi_loop *loop)
{
	uv_run(loop->uv, UV_RUN_NOWAIT);
}

void mhi_loop_wake(struct mhi_loop *loop, struct mhi_wake *wake)
{
	struct mhi_wake *head;

	/* Paired with the store in on_async: who finds it pending is before its run. */
	if (__atomic_exchange_n(&wake->pending, 1, __ATOMIC_SEQ_CST))
		return;
	head = __atomic_load_n(&loop->in, __ATOMIC_RELAXED);
	do {
		wake->next = head;
		/* Paired with take_in. */
	} while (!__atomic_compare_exchange_n(&loop->in, &head, wake, true, __ATOMIC_RELEASE,
					      __ATOMIC_RELAXED));
	if (!head)
		uv_async_send(&loop->async);
}

void mhi_loop_cancel(struct mhi_loop *loop, struct mhi_wake *wake)
{
	struct mhi_wake **at = &loop->todo;

	take_in(loop);
	while (*at && *at != wake)
		at = &(*at)->next;
	if (*at) {
		*at = wake->next;
		__atomic_store_n(&wake->pending, 0, __ATOMIC_SEQ_CST);
	}
	/* What was taken in early must still run. */
	if (loop->todo)
		uv_async_send(&loop->async);
}

struct call {
	void (*fn)(void *opaque);
	void *opaque;
	sem_t done;
};

static void run_call(void *opaque)
{
	struct call *call = opaque;

	call->fn(call->opaque);
	sem_post(&call->done);
}

void mhi_loop_call(struct mhi_loop *loop, void (*fn)(void *opaque), void *opaque)
{
	struct call call = { .fn = fn, .opaque = opaque };
	struct mhi_wake wake = { .fn = run_call, .opaque = &call };
	struct mhi_pipe pipe;

	if (mhi_loop_current(loop)) {
		begin(loop, &pipe);
		fn(opaque);
		end(loop, &pipe);
		return;
	}
	sem_init(&call.done, 0, 0);
	mhi_loop_wake(loop, &wake);
	while (sem_wait(&call.done))
		continue; /* a signal's handler ran */
	sem_destroy(&call.done);
}

/* ---- descriptors ---- */

static void on_poll(uv_poll_t *poll, int status, int events)
{
	struct mhi_watch *watch = poll->data;
	struct mhi_loop *loop = watch->loop;
	struct mhi_pipe pipe;
	unsigned int what = 0;

	/* libuv gives up a descriptor that has an error. */
	if (status < 0)
		watch->events = 0;
	/* An error is told as all of them: who then reads or writes learns it. */
	if (status < 0 || (events & UV_READABLE))
		what |= MHI_WATCH_READ;
	if (status < 0 || (events & UV_WRITABLE))
		what |= MHI_WATCH_WRITE;
	if (status < 0 || (events & UV_PRIORITIZED))
		what |= MHI_WATCH_HUP;
	begin(loop, &pipe);
	loop->depth++;
	watch->fn(watch->opaque, what);
	loop->depth--;
	end(loop, &pipe);
}

static void free_handle(uv_handle_t *handle)
{
	free(handle->data);
}

int mhi_loop_watch(struct mhi_loop *loop, int fd, unsigned int events, mhi_watch_fn *fn,
		   void *opaque, struct mhi_watch **out)
{
	struct mhi_watch *watch = calloc(1, sizeof(*watch));
	int rc;

	if (!watch)
		return MH_ENOMEM;
	watch->loop = loop;
	watch->fn = fn;
	watch->opaque = opaque;
	rc = uv_poll_init(loop->uv, &watch->poll, fd);
	if (rc) {
		free(watch);
		return rc == UV_ENOMEM ? MH_ENOMEM : MH_EINVAL;
	}
	watch->poll.data = watch;
	mhi_watch_events(watch, events);
	*out = watch;
	return 0;
}

/*
 * A hang-up is told to whoever watches for anything, as what he watches for: priority data, which
 * nobody here sends, stand for it. (UV_DISCONNECT would be told of a half-closed socket, too.)
 */
void mhi_watch_events(struct mhi_watch *watch, unsigned int events)
{
	if (events == watch->events)
		return;
	watch->events = events;
	if (events)
		uv_poll_start(&watch->poll,
			      (events & MHI_WATCH_READ ? UV_READABLE : 0) |
				      (events & MHI_WATCH_WRITE ? UV_WRITABLE : 0) |
				      (events & MHI_WATCH_HUP ? UV_PRIORITIZED : 0),
			      on_poll);
	else
		uv_poll_stop(&watch->poll);
	nudge(watch->loop);
}

void mhi_loop_unwatch(struct mhi_watch *watch)
{
	if (!watch)
		return;
	uv_poll_stop(&watch->poll);
	uv_close((uv_handle_t *)&watch->poll, free_handle);
	nudge(watch->loop);
}

/* ---- timers ---- */

static void on_timer(uv_timer_t *uv)
{
	struct mhi_timer *timer = uv->data;
	struct mhi_loop *loop = timer->loop;
	struct mhi_pipe pipe;

	begin(loop, &pipe);
	loop->depth++;
	timer->fn(timer->opaque);
	loop->depth--;
	end(loop, &pipe);
}

int mhi_timer_create(struct mhi_loop *loop, void (*fn)(void *opaque), void *opaque,
		     struct mhi_timer **out)
{
	struct mhi_timer *timer = calloc(1, sizeof(*timer));

	if (!timer)
		return MH_ENOMEM;
	timer->loop = loop;
	timer->fn = fn;
	timer->opaque = opaque;
	uv_timer_init(loop->uv, &timer->uv);
	timer->uv.data = timer;
	*out = timer;
	return 0;
}

void mhi_timer_set(struct mhi_timer *timer, u64 ms)
{
	/* libuv counts from the start of the loop's turn, which may be long ago. */
	uv_update_time(timer->uv.loop);
	uv_timer_start(&timer->uv, on_timer, ms, 0);
	nudge(timer->loop);
}

void mhi_timer_stop(struct mhi_timer *timer)
{
	uv_timer_stop(&timer->uv);
}

void mhi_timer_destroy(struct mhi_timer *timer)
{
	if (!timer)
		return;
	uv_close((uv_handle_t *)&timer->uv, free_handle);
	nudge(timer->loop);
}
