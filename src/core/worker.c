/* SPDX-License-Identifier: MIT */
/* A bounded pool of threads that wait for bells, by an epoll instance. */
#include "core/worker.h"

#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

/* What epoll says of a bell is its slot; of the pool's own eventfd, this. */
#define SLOT_WAKE (~0u)

/* A thread's place in its pool. */
struct seat {
	struct mhi_workers *pool; /* (c) */
	pthread_t thread;	  /* (m) */
	bool owes;		  /* (m) a call of each */
	bool waits;		  /* (m) or is about to */
};

struct mhi_workers {
	u32 most;			    /* (c) */
	const char *name;		    /* (c) */
	int epoll, wake;		    /* (c) wake: tells of rung bells */
	pthread_mutex_t lock;		    /* a leaf */
	pthread_cond_t left;		    /* a bell has no worker any more */
	struct mhi_bell *rung, **tail;	    /* (m) first in, first out */
	struct mhi_bell **slot;		    /* (m) [slots] bells with descriptors; NULL: free */
	u32 slots;			    /* (m) */
	u32 threads, idle;		    /* (m) idle: they wait, or are about to */
	bool announced;			    /* (m) an idle one is going to look at rung */
	bool quit;			    /* (m) */
	void (*each)(void *opaque);	    /* (m) what those who owe a call do */
	void *each_opaque;		    /* (m) */
	u32 owing;			    /* (m) meanwhile no thread starts */
	struct seat seat[MHI_WORKERS_MOST]; /* (m) [threads] */
};

static void *worker(void *arg);

/* Under the lock. Signals are for the embedding program's threads. */
static int start_thread(struct mhi_workers *w)
{
	struct seat *seat = &w->seat[w->threads];
	sigset_t all, old;
	int rc;

	*seat = (struct seat){ .pool = w, .waits = true };

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	rc = pthread_create(&seat->thread, NULL, worker, seat);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	if (rc)
		return rc;
	w->threads++;
	w->idle++;
	return 0;
}

/*
 * Wakes one idle worker. Descriptors are watched for edges: each write is one, and nobody has to
 * read them.
 */
static void wake_one(struct mhi_workers *w)
{
	(void)!eventfd_write(w->wake, 1); /* fails after 2^64 of them */
}

/* Under the lock, when the caller gets busy: somebody else watches, and takes what is left. */
static void hand_over_watch(struct mhi_workers *w)
{
	if (!w->idle && !w->owing && w->threads < w->most)
		start_thread(w); /* without one, bells wait for a busy one */
	if (w->rung && w->idle && !w->announced) {
		w->announced = true;
		wake_one(w);
	}
}

/* Under the lock, which it gives up meanwhile. */
static void serve(struct mhi_workers *w, struct mhi_bell *bell)
{
	bell->busy++;
	hand_over_watch(w);
	pthread_mutex_unlock(&w->lock);
	bell->fn(bell->opaque);
	pthread_mutex_lock(&w->lock);
	if (!--bell->busy)
		pthread_cond_broadcast(&w->left);
}

/* Under the lock. NULL: the bell has gone meanwhile; if its slot is another's, that one looks. */
static struct mhi_bell *told(struct mhi_workers *w, u32 slot)
{
	if (slot != SLOT_WAKE)
		return w->slot[slot];
	w->announced = false;
	return NULL;
}

/* Under the lock. NULL: none is. */
static struct mhi_bell *take_rung(struct mhi_workers *w)
{
	struct mhi_bell *bell = w->rung;

	if (!bell)
		return NULL;
	w->rung = bell->next;
	if (!w->rung)
		w->tail = &w->rung;
	bell->rung = false;
	return bell;
}

/* Under the lock, which it gives up meanwhile. An eventfd wakes one of those who wait. */
static void pay(struct mhi_workers *w, struct seat *seat)
{
	bool more = false;

	if (seat->owes) {
		pthread_mutex_unlock(&w->lock);
		w->each(w->each_opaque);
		pthread_mutex_lock(&w->lock);
		seat->owes = false;
		if (!--w->owing)
			pthread_cond_broadcast(&w->left);
	}
	for (u32 i = 0; i < w->threads && w->owing; i++)
		more |= w->seat[i].owes && w->seat[i].waits;
	if (more)
		wake_one(w);
}

/* Descriptors and other bells take turns. */
static void *worker(void *arg)
{
	struct seat *seat = arg;
	struct mhi_workers *w = seat->pool;
	struct mhi_bell *bell;
	struct epoll_event event;
	int timeout = -1, n;

	pthread_setname_np(pthread_self(), w->name);
	for (;;) {
		n = epoll_wait(w->epoll, &event, 1, timeout);
		pthread_mutex_lock(&w->lock);
		w->idle--;
		seat->waits = false;
		if (w->quit)
			break;
		if (w->owing)
			pay(w, seat);
		bell = n == 1 ? told(w, event.data.u32) : NULL;
		if (bell)
			serve(w, bell);
		bell = take_rung(w);
		if (bell)
			serve(w, bell);
		if (w->owing)
			pay(w, seat);
		timeout = w->rung ? 0 : -1;
		seat->waits = true;
		w->idle++;
		pthread_mutex_unlock(&w->lock);
	}
	pthread_mutex_unlock(&w->lock);
	wake_one(w); /* the next one quits */
	return NULL;
}

static void free_workers(struct mhi_workers *w)
{
	if (w->epoll >= 0)
		close(w->epoll);
	if (w->wake >= 0)
		close(w->wake);
	pthread_cond_destroy(&w->left);
	pthread_mutex_destroy(&w->lock);
	free(w->slot);
	free(w);
}

static bool add(struct mhi_workers *w, int fd, u32 slot)
{
	struct epoll_event event = { .events = EPOLLIN | EPOLLET, .data.u32 = slot };

	return !epoll_ctl(w->epoll, EPOLL_CTL_ADD, fd, &event);
}

int mhi_workers_create(u32 most, const char *name, struct mhi_workers **out, struct mhi_err *err)
{
	struct mhi_workers *w;
	int rc;

	if (!most || most > MHI_WORKERS_MOST)
		return mhi_err_set(err, MH_EINVAL, "start workers: %u threads: not 1 to %u", most,
				   MHI_WORKERS_MOST);
	w = calloc(1, sizeof(*w));
	if (!w)
		return mhi_err_set(err, MH_ENOMEM, "start workers: " MHI_NO_MEMORY);
	w->most = most;
	w->name = name;
	w->tail = &w->rung;
	pthread_mutex_init(&w->lock, NULL);
	pthread_cond_init(&w->left, NULL);
	w->epoll = epoll_create1(EPOLL_CLOEXEC);
	w->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (w->epoll < 0 || w->wake < 0 || !add(w, w->wake, SLOT_WAKE)) {
		free_workers(w);
		return mhi_err_set(
			err, MH_ENOMEM,
			"start workers: no descriptor is left; close some, or raise the limit "
			"(ulimit -n)");
	}
	pthread_mutex_lock(&w->lock);
	/* One thread from the start: from then on there is always one, if late. */
	rc = start_thread(w);
	pthread_mutex_unlock(&w->lock);
	if (rc) {
		free_workers(w);
		return mhi_err_set(err, MH_ENOMEM,
				   "start workers: no thread: %s; end some, or raise the limit "
				   "(ulimit -u)",
				   strerror(rc));
	}
	*out = w;
	return 0;
}

/* Under the lock: a free slot, or w->slots: no memory. */
static u32 free_slot(struct mhi_workers *w)
{
	struct mhi_bell **grown;
	u32 n = 0;

	while (n < w->slots && w->slot[n])
		n++;
	if (n < w->slots)
		return n;
	grown = realloc(w->slot, 2 * (n + 8) * sizeof(*grown));
	if (!grown)
		return n;
	w->slot = grown;
	w->slots = 2 * (n + 8);
	memset(grown + n, 0, (w->slots - n) * sizeof(*grown));
	return n;
}

int mhi_workers_watch(struct mhi_workers *w, struct mhi_bell *bell, int fd)
{
	bool failed = false;

	bell->fd = fd;
	bell->rung = false;
	bell->leaving = false;
	bell->busy = 0;
	if (fd < 0)
		return 0;
	pthread_mutex_lock(&w->lock);
	bell->slot = free_slot(w);
	if (bell->slot < w->slots) {
		w->slot[bell->slot] = bell;
		failed = !add(w, fd, bell->slot);
		if (failed)
			w->slot[bell->slot] = NULL;
	} else {
		failed = true;
	}
	pthread_mutex_unlock(&w->lock);
	return failed ? MH_ENOMEM : 0;
}

void mhi_workers_ring(struct mhi_workers *w, struct mhi_bell *bell)
{
	bool wake;

	pthread_mutex_lock(&w->lock);
	/* Its own function may be in the midst of a call. */
	if (!bell->rung && !bell->leaving) {
		bell->rung = true;
		bell->next = NULL;
		*w->tail = bell;
		w->tail = &bell->next;
	}
	wake = w->idle && !w->announced;
	w->announced |= wake;
	pthread_mutex_unlock(&w->lock);
	if (wake)
		wake_one(w);
}

void mhi_workers_unwatch(struct mhi_workers *w, struct mhi_bell *bell)
{
	struct mhi_bell **at = &w->rung;

	if (bell->fd >= 0)
		epoll_ctl(w->epoll, EPOLL_CTL_DEL, bell->fd, NULL);
	pthread_mutex_lock(&w->lock);
	bell->leaving = true;
	if (bell->fd >= 0)
		w->slot[bell->slot] = NULL;
	while (*at && *at != bell)
		at = &(*at)->next;
	if (*at) {
		*at = bell->next;
		if (!bell->next)
			w->tail = at;
	}
	while (bell->busy)
		pthread_cond_wait(&w->left, &w->lock);
	pthread_mutex_unlock(&w->lock);
}

void mhi_workers_each(struct mhi_workers *w, void (*fn)(void *opaque), void *opaque)
{
	pthread_mutex_lock(&w->lock);
	w->each = fn;
	w->each_opaque = opaque;
	for (u32 i = 0; i < w->threads; i++)
		w->seat[i].owes = true;
	w->owing = w->threads;
	wake_one(w);
	while (w->owing)
		pthread_cond_wait(&w->left, &w->lock);
	pthread_mutex_unlock(&w->lock);
}

void mhi_workers_destroy(struct mhi_workers *w)
{
	u32 i;

	if (!w)
		return;
	pthread_mutex_lock(&w->lock);
	w->quit = true;
	pthread_mutex_unlock(&w->lock);
	wake_one(w);
	for (i = 0; i < w->threads; i++)
		pthread_join(w->seat[i].thread, NULL);
	free_workers(w);
}
