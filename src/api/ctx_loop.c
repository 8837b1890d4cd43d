/* SPDX-License-Identifier: MIT */
/* The threads that the devices of a context share: the loop, and workers for calls that block. */
#include <semaphore.h>

#include "api/impl.h"

/* Enough to keep a fast disk busy; they start as they are needed. */
#define WORKERS 16

int mhi_ctx_loop(struct mh_ctx *ctx, struct mhi_loop **out, struct mhi_err *err)
{
	struct mhi_loop *loop = NULL;
	int rc = 0;

	pthread_mutex_lock(&ctx->lock);
	if (!ctx->loop) {
		rc = mhi_loop_create(&loop);
		/* Paired with mhi_ctx_on_loop. */
		if (!rc)
			__atomic_store_n(&ctx->loop, loop, __ATOMIC_RELEASE);
	}
	*out = ctx->loop;
	pthread_mutex_unlock(&ctx->lock);
	return rc ? mhi_err_set(err, rc, "no memory or no thread for devices") : 0;
}

bool mhi_ctx_on_loop(struct mh_ctx *ctx)
{
	/* Paired with mhi_ctx_loop. */
	struct mhi_loop *loop = __atomic_load_n(&ctx->loop, __ATOMIC_ACQUIRE);

	return loop && mhi_loop_current(loop);
}

struct start {
	struct mhi_loop *loop;
	struct mhi_workers *workers;
	struct mhi_err *err;
	int rc;
};

static void start_workers(void *opaque)
{
	struct start *s = opaque;

	s->rc = mhi_workers_create(mhi_loop_uv(s->loop), WORKERS, &s->workers, s->err);
}

int mhi_ctx_workers(struct mh_ctx *ctx, struct mhi_workers **out, struct mhi_err *err)
{
	struct start s = { .err = err };
	int rc = mhi_ctx_loop(ctx, &s.loop, err);

	if (rc)
		return rc;
	pthread_mutex_lock(&ctx->lock);
	if (!ctx->workers) {
		mhi_loop_call(s.loop, start_workers, &s);
		if (!s.rc)
			ctx->workers = s.workers;
	}
	*out = ctx->workers;
	pthread_mutex_unlock(&ctx->lock);
	return s.rc;
}

struct end {
	struct mhi_workers *workers;
	sem_t closed;
};

static void on_closed(void *opaque)
{
	sem_post(opaque);
}

static void close_workers(void *opaque)
{
	struct end *end = opaque;

	mhi_workers_close(end->workers, on_closed, &end->closed);
}

void mhi_ctx_end_loop(struct mh_ctx *ctx)
{
	struct end end = { .workers = ctx->workers };

	if (ctx->workers) {
		sem_init(&end.closed, 0, 0);
		mhi_loop_call(ctx->loop, close_workers, &end);
		while (sem_wait(&end.closed))
			continue; /* a signal's handler ran */
		sem_destroy(&end.closed);
	}
	if (ctx->loop)
		mhi_loop_destroy(ctx->loop);
}
