/* SPDX-License-Identifier: MIT */
/* The context: configuration, the open engine, the last error of each thread. */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "api/impl.h"
#include "api/sandbox.h"
#include "macrohard/uv.h"

/* From this many threads on, entries of threads that have ended are taken over. */
#define ERRORS_BEFORE_REUSE 32

struct thread_error {
	pid_t tid;	    /* (x) */
	struct mhi_err err; /* only its thread touches it */
	struct thread_error *next;
};

static const struct mhi_engine_ops *const engines[] = {
	[MH_ENGINE_SHIM] = &mhi_engine_shim,
	[MH_ENGINE_KVM] = &mhi_engine_kvm,
};

static pid_t this_thread(void)
{
	return (pid_t)syscall(SYS_gettid);
}

static bool thread_ended(pid_t tid)
{
	return syscall(SYS_tgkill, getpid(), tid, 0) < 0 && errno == ESRCH;
}

static struct thread_error *find_error(struct mh_ctx *ctx, pid_t tid)
{
	struct thread_error *e;

	for (e = ctx->errors; e; e = e->next)
		if (e->tid == tid)
			return e;
	return NULL;
}

static struct thread_error *reuse_error(struct mh_ctx *ctx)
{
	struct thread_error *e;
	unsigned int count = 0;

	for (e = ctx->errors; e; e = e->next)
		count++;
	if (count < ERRORS_BEFORE_REUSE)
		return NULL;
	for (e = ctx->errors; e; e = e->next)
		if (thread_ended(e->tid))
			return e;
	return NULL;
}

static struct thread_error *new_error(struct mh_ctx *ctx)
{
	struct thread_error *e = calloc(1, sizeof(*e));

	if (!e) {
		ctx->unsaid = this_thread();
		return NULL;
	}
	e->next = ctx->errors;
	ctx->errors = e;
	return e;
}

struct mhi_err *mhi_ctx_err(struct mh_ctx *ctx)
{
	pid_t tid = this_thread();
	struct thread_error *e;

	pthread_mutex_lock(&ctx->lock);
	e = find_error(ctx, tid);
	if (!e)
		e = reuse_error(ctx);
	if (!e)
		e = new_error(ctx);
	if (e && e->tid != tid) {
		e->tid = tid;
		e->err.text[0] = '\0';
	}
	pthread_mutex_unlock(&ctx->lock);
	return e ? &e->err : NULL;
}

const char *mh_last_error(struct mh_ctx *ctx)
{
	struct thread_error *e;
	bool unsaid;

	if (!ctx)
		return "";
	pthread_mutex_lock(&ctx->lock);
	e = find_error(ctx, this_thread());
	unsaid = !e && ctx->unsaid == this_thread();
	pthread_mutex_unlock(&ctx->lock);
	if (unsaid)
		return "keep the sentence of an error: " MHI_NO_MEMORY;
	return e ? e->err.text : "";
}

static int check_config(const struct mh_ctx_config *config)
{
	if (config->size != sizeof(*config))
		return MH_EINVAL;
	if ((unsigned int)config->engine >= MHI_COUNT(engines) || !engines[config->engine])
		return MH_EINVAL;
	if ((unsigned int)config->log_level > MH_LOG_DEBUG)
		return MH_EINVAL;
	if ((unsigned int)config->loop > MH_LOOP_FOREIGN)
		return MH_EINVAL;
	return 0;
}

/* A foreign loop is made on its thread, which is here. */
static int init_loop(struct mh_ctx *ctx, const struct mh_ctx_config *config, uv_loop_t *uv)
{
	ctx->foreign = uv || config->loop == MH_LOOP_FOREIGN;
	if (uv)
		return mhi_loop_create_uv(uv, &ctx->loop);
	return ctx->foreign ? mhi_loop_create_foreign(&ctx->loop) : 0;
}

static int create(const struct mh_ctx_config *config, uv_loop_t *uv, struct mh_ctx **out)
{
	const struct mh_ctx_config defaults = MH_CTX_CONFIG_INIT;
	struct mh_ctx *ctx;

	if (!config)
		config = &defaults;
	if (!out || check_config(config))
		return MH_EINVAL;
	ctx = calloc(1, sizeof(*ctx));
	if (!ctx)
		return MH_ENOMEM;
	ctx->ops = engines[config->engine];
	if (config->device) {
		ctx->device = strdup(config->device);
		if (!ctx->device)
			goto fail;
	}
	if (mhi_log_init(&ctx->log, config->log, config->log_opaque, config->log_level))
		goto fail;
	if (pthread_mutex_init(&ctx->lock, NULL))
		goto fail_log;
	if (init_loop(ctx, config, uv))
		goto fail_lock;
	*out = ctx;
	return 0;

fail_lock:
	pthread_mutex_destroy(&ctx->lock);
fail_log:
	mhi_log_fini(&ctx->log);
fail:
	free(ctx->device);
	free(ctx);
	return MH_ENOMEM;
}

int mh_ctx_create(const struct mh_ctx_config *config, struct mh_ctx **out)
{
	return create(config, NULL, out);
}

int mh_ctx_create_uv(const struct mh_ctx_config *config, uv_loop_t *uv, struct mh_ctx **out)
{
	return uv ? create(config, uv, out) : MH_EINVAL;
}

int mh_ctx_destroy(struct mh_ctx *ctx)
{
	u32 vms, agents;

	if (!ctx)
		return 0;
	pthread_mutex_lock(&ctx->lock);
	vms = ctx->vms;
	agents = ctx->agents;
	pthread_mutex_unlock(&ctx->lock);
	if (vms)
		return mhi_err_set(mhi_ctx_err(ctx), MH_ESTATE,
				   "destroy context: %u of its VMs are alive; destroy them first",
				   vms);
	if (agents)
		return mhi_err_set(mhi_ctx_err(ctx), MH_ESTATE,
				   "destroy context: %u of its agents are open; close them first",
				   agents);
	if (ctx->foreign && (!mhi_loop_current(ctx->loop) || mhi_loop_inside(ctx->loop)))
		return mhi_err_set(mhi_ctx_err(ctx), MH_ESTATE,
				   "destroy context: on another thread than its loop's, or from a "
				   "callback");
	while (ctx->errors) {
		struct thread_error *e = ctx->errors;

		ctx->errors = e->next;
		free(e);
	}
	mhi_ctx_end_loop(ctx);
	mhi_ctx_end_sandbox(ctx);
	pthread_mutex_destroy(&ctx->lock);
	mhi_log_fini(&ctx->log);
	free(ctx->device);
	free(ctx);
	return 0;
}

enum mh_engine_kind mhi_ctx_engine_kind(const struct mh_ctx *ctx)
{
	return ctx->ops == engines[MH_ENGINE_KVM] ? MH_ENGINE_KVM : MH_ENGINE_SHIM;
}

int mhi_ctx_engine_get(struct mh_ctx *ctx, struct mhi_engine **out, struct mhi_err *err)
{
	int rc = 0;

	pthread_mutex_lock(&ctx->lock);
	if (!ctx->vms)
		rc = ctx->ops->open(ctx->device, &ctx->engine, err);
	if (!rc) {
		ctx->vms++;
		*out = ctx->engine;
	}
	pthread_mutex_unlock(&ctx->lock);
	return rc;
}

void mhi_ctx_engine_put(struct mh_ctx *ctx)
{
	pthread_mutex_lock(&ctx->lock);
	if (!--ctx->vms) {
		ctx->ops->close(ctx->engine);
		ctx->engine = NULL;
	}
	pthread_mutex_unlock(&ctx->lock);
}

const char *mh_version(void)
{
	return MHI_VERSION;
}
