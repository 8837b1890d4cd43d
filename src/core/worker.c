/* SPDX-License-Identifier: MIT */
/* A bounded pool of threads whose completions are delivered to a libuv loop. */
#include "core/worker.h"

#include <pthread.h>
#include <signal.h>
#include <stdlib.h>

/* First in, first out. */
struct work_list {
	struct mhi_work *head, **tail;
};

struct mhi_workers {
	uv_async_t async; /* (c) */
	u32 most;	  /* (c) */
	u32 pending;	  /* (l) posted, done() not called yet */
	bool closing;	  /* (l) */
	void (*closed)(void *opaque);
	void *closed_opaque;

	pthread_mutex_t lock; /* a leaf */
	pthread_cond_t wake;
	struct work_list todo, finished;    /* (m) */
	u32 threads, idle;		    /* (m) */
	u32 waking;			    /* (m) idle threads that have been signalled */
	bool quit;			    /* (m) */
	pthread_t thread[MHI_WORKERS_MOST]; /* (l) [threads] */
};

static void list_init(struct work_list *list)
{
	list->head = NULL;
	list->tail = &list->head;
}

static void list_add(struct work_list *list, struct mhi_work *work)
{
	work->next = NULL;
	*list->tail = work;
	list->tail = &work->next;
}

static struct mhi_work *list_take(struct work_list *list)
{
	struct mhi_work *work = list->head;

	list->head = work->next;
	if (!list->head)
		list->tail = &list->head;
	return work;
}

static void wait_for_work(struct mhi_workers *w)
{
	while (!w->todo.head && !w->quit) {
		w->idle++;
		pthread_cond_wait(&w->wake, &w->lock);
		w->idle--;
		if (w->waking)
			w->waking--;
	}
}

static void *worker(void *arg)
{
	struct mhi_workers *w = arg;
	struct mhi_work *work;
	bool first;

	pthread_mutex_lock(&w->lock);
	for (;;) {
		wait_for_work(w);
		if (!w->todo.head)
			break;
		work = list_take(&w->todo);
		pthread_mutex_unlock(&w->lock);
		work->run(work);
		pthread_mutex_lock(&w->lock);
		first = !w->finished.head;
		list_add(&w->finished, work);
		/* One wake-up serves all that finishes until the loop comes round. */
		if (first)
			uv_async_send(&w->async);
	}
	pthread_mutex_unlock(&w->lock);
	return NULL;
}

static void free_workers(struct mhi_workers *w)
{
	pthread_cond_destroy(&w->wake);
	pthread_mutex_destroy(&w->lock);
	free(w);
}

static void async_closed(uv_handle_t *handle)
{
	struct mhi_workers *w = handle->data;
	void (*closed)(void *opaque) = w->closed;
	void *opaque = w->closed_opaque;

	free_workers(w);
	if (closed)
		closed(opaque);
}

static void end_if_drained(struct mhi_workers *w)
{
	u32 i;

	if (!w->closing || w->pending || uv_is_closing((uv_handle_t *)&w->async))
		return;
	pthread_mutex_lock(&w->lock);
	w->quit = true;
	pthread_cond_broadcast(&w->wake);
	pthread_mutex_unlock(&w->lock);
	for (i = 0; i < w->threads; i++)
		pthread_join(w->thread[i], NULL);
	uv_close((uv_handle_t *)&w->async, async_closed);
}

static void deliver(uv_async_t *async)
{
	struct mhi_workers *w = async->data;
	struct work_list batch;
	struct mhi_work *work;

	pthread_mutex_lock(&w->lock);
	batch = w->finished;
	list_init(&w->finished);
	pthread_mutex_unlock(&w->lock);
	while (batch.head) {
		work = batch.head;
		batch.head = work->next;
		w->pending--;
		work->done(work);
	}
	if (!w->pending)
		uv_unref((uv_handle_t *)&w->async);
	end_if_drained(w);
}

/* Under the lock. Signals are for the embedding program's threads. */
static int start_thread(struct mhi_workers *w)
{
	sigset_t all, old;
	int rc;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	rc = pthread_create(&w->thread[w->threads], NULL, worker, w);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	if (!rc)
		w->threads++;
	return rc;
}

int mhi_workers_create(uv_loop_t *loop, u32 most, struct mhi_workers **out, struct mhi_err *err)
{
	struct mhi_workers *w;
	int rc;

	if (!most || most > MHI_WORKERS_MOST)
		return mhi_err_set(err, MH_EINVAL, "start workers: %u threads: not 1 to %u", most,
				   MHI_WORKERS_MOST);
	w = calloc(1, sizeof(*w));
	if (!w)
		return mhi_err_set(err, MH_ENOMEM, "start workers: out of memory");
	w->most = most;
	list_init(&w->todo);
	list_init(&w->finished);
	pthread_mutex_init(&w->lock, NULL);
	pthread_cond_init(&w->wake, NULL);
	rc = uv_async_init(loop, &w->async, deliver);
	if (rc) {
		free_workers(w);
		return mhi_err_set(err, MH_EIO, "start workers: loop: %s", uv_strerror(rc));
	}
	w->async.data = w;
	pthread_mutex_lock(&w->lock);
	/* One thread from the start: from then on work always finds one, if late. */
	rc = start_thread(w);
	pthread_mutex_unlock(&w->lock);
	if (rc) {
		uv_close((uv_handle_t *)&w->async, async_closed);
		return mhi_err_set(err, MH_EIO, "start workers: no thread: %s", strerror(rc));
	}
	uv_unref((uv_handle_t *)&w->async);
	*out = w;
	return 0;
}

void mhi_workers_post(struct mhi_workers *w, struct mhi_work *work)
{
	bool wake = false;

	/* The loop lives as long as there is work on its way. */
	if (!w->pending++)
		uv_ref((uv_handle_t *)&w->async);
	pthread_mutex_lock(&w->lock);
	list_add(&w->todo, work);
	if (w->idle > w->waking) {
		w->waking++;
		wake = true;
	} else if (w->threads < w->most) {
		start_thread(w);
	}
	pthread_mutex_unlock(&w->lock);
	if (wake)
		pthread_cond_signal(&w->wake);
}

void mhi_workers_close(struct mhi_workers *w, void (*closed)(void *opaque), void *opaque)
{
	w->closing = true;
	w->closed = closed;
	w->closed_opaque = opaque;
	uv_ref((uv_handle_t *)&w->async);
	end_if_drained(w);
}
