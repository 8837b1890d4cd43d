/* SPDX-License-Identifier: MIT */
/* The threads that the devices of a context share: the loop, and workers for its disks. */
#include "api/impl.h"
#include "virtio/vblk.h"

/*
 * Enough to keep two fast disks busy; they start as they are needed, and one more to wait for what
 * comes next. A shared folder has workers of its own.
 */
#define WORKERS (2 * MHI_VBLK_WORKERS_MOST)

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
	return rc ? mhi_err_set(err, rc,
				"no memory, file descriptor or thread is left for devices; "
				"close some, or raise the process's limits (ulimit -n, -u)")
		  : 0;
}

bool mhi_ctx_on_loop(struct mh_ctx *ctx)
{
	/* Paired with mhi_ctx_loop. */
	struct mhi_loop *loop = __atomic_load_n(&ctx->loop, __ATOMIC_ACQUIRE);

	return loop && mhi_loop_inside(loop);
}

int mhi_ctx_workers(struct mh_ctx *ctx, struct mhi_workers **out, struct mhi_err *err)
{
	int rc = 0;

	pthread_mutex_lock(&ctx->lock);
	if (!ctx->workers)
		rc = mhi_workers_create(WORKERS, "disks", &ctx->workers, err);
	*out = ctx->workers;
	pthread_mutex_unlock(&ctx->lock);
	return rc;
}

/* ---- foreign loops ---- */

static int check_foreign(struct mh_ctx *ctx, const char *what)
{
	if (!ctx->foreign)
		return mhi_err_set(mhi_ctx_err(ctx), MH_EINVAL,
				   "%s: the context has a loop thread of its own; make it with "
				   "config.loop = MH_LOOP_FOREIGN",
				   what);
	return 0;
}

int mh_ctx_loop_fd(struct mh_ctx *ctx)
{
	int rc = ctx ? check_foreign(ctx, "the loop's descriptor") : MH_EINVAL;

	return rc ? rc : mhi_loop_fd(ctx->loop);
}

int mh_ctx_loop_timeout(struct mh_ctx *ctx, int *ms)
{
	int rc = ctx && ms ? check_foreign(ctx, "the loop's timeout") : MH_EINVAL;

	if (!rc)
		*ms = mhi_loop_timeout(ctx->loop);
	return rc;
}

int mh_ctx_loop_dispatch(struct mh_ctx *ctx)
{
	int rc = ctx ? check_foreign(ctx, "dispatch") : MH_EINVAL;

	if (rc)
		return rc;
	if (!mhi_loop_current(ctx->loop) || mhi_loop_inside(ctx->loop))
		return mhi_err_set(mhi_ctx_err(ctx), MH_ESTATE,
				   "dispatch: on another thread than the one that made the "
				   "context, or from a callback");
	mhi_loop_dispatch(ctx->loop);
	return 0;
}

void mhi_ctx_end_loop(struct mh_ctx *ctx)
{
	mhi_workers_destroy(ctx->workers);
	mhi_loop_destroy(ctx->loop);
}
