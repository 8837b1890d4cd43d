/* SPDX-License-Identifier: MIT */
/* A bounded pool of threads. */
#include "core/worker.h"

#include <pthread.h>
#include <signal.h>
#include <stdlib.h>

struct mhi_workers {
	u32 most;	      /* (c) */
	pthread_mutex_t lock; /* a leaf */
	pthread_cond_t wake;
	struct mhi_work *todo, **tail;	    /* (m) first in, first out */
	u32 threads, idle;		    /* (m) */
	u32 waking;			    /* (m) idle threads that have been signalled */
	bool quit;			    /* (m) */
	pthread_t thread[MHI_WORKERS_MOST]; /* (m) [threads] */
};

/* Under the lock. NULL: there is none, and none will come. */
static struct mhi_work *take(struct mhi_workers *w)
{
	struct mhi_work *work;

	while (!w->todo && !w->quit) {
		w->idle++;
		pthread_cond_wait(&w->wake, &w->lock);
		w->idle--;
		if (w->waking)
			w->waking--;
	}
	work = w->todo;
	if (!work)
		return NULL;
	w->todo = work->next;
	if (!w->todo)
		w->tail = &w->todo;
	return work;
}

static void *worker(void *arg)
{
	struct mhi_workers *w = arg;
	struct mhi_work *work;

	pthread_mutex_lock(&w->lock);
	while ((work = take(w))) {
		pthread_mutex_unlock(&w->lock);
		work->run(work);
		pthread_mutex_lock(&w->lock);
	}
	pthread_mutex_unlock(&w->lock);
	return NULL;
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

static void free_workers(struct mhi_workers *w)
{
	pthread_cond_destroy(&w->wake);
	pthread_mutex_destroy(&w->lock);
	free(w);
}

int mhi_workers_create(u32 most, struct mhi_workers **out, struct mhi_err *err)
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
	w->tail = &w->todo;
	pthread_mutex_init(&w->lock, NULL);
	pthread_cond_init(&w->wake, NULL);
	pthread_mutex_lock(&w->lock);
	/* One thread from the start: from then on work always finds one, if late. */
	rc = start_thread(w);
	pthread_mutex_unlock(&w->lock);
	if (rc) {
		free_workers(w);
		return mhi_err_set(err, MH_EIO, "start workers: no thread: %s", strerror(rc));
	}
	*out = w;
	return 0;
}

void mhi_workers_post(struct mhi_workers *w, struct mhi_work *work)
{
	bool wake = false;

	pthread_mutex_lock(&w->lock);
	work->next = NULL;
	*w->tail = work;
	w->tail = &work->next;
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

void mhi_workers_destroy(struct mhi_workers *w)
{
	u32 i;

	if (!w)
		return;
	pthread_mutex_lock(&w->lock);
	w->quit = true;
	pthread_cond_broadcast(&w->wake);
	pthread_mutex_unlock(&w->lock);
	for (i = 0; i < w->threads; i++)
		pthread_join(w->thread[i], NULL);
	free_workers(w);
}
