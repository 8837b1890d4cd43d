/* SPDX-License-Identifier: MIT */
/* The sandbox: what a context's VMs need, and which of its threads has to do with what. */
#include "macrohard/sandbox.h"

#include <stdio.h>
#include <stdlib.h>

#include "api/dev.h"
#include "api/gdb.h"
#include "api/sandbox.h"

#define PARTS (MH_SANDBOX_SECCOMP | MH_SANDBOX_LANDLOCK | MH_SANDBOX_CAPABILITIES)
#define ALLOW (MH_SANDBOX_ALLOW_OPEN | MH_SANDBOX_ALLOW_CONNECT | MH_SANDBOX_ALLOW_CODE)

struct mhi_sandbox {
	struct mhi_box box;
	u32 level, reach; /* (c) */
	char reason[512]; /* (c) */
};

/* Paired with the store in mh_sandbox_enter. */
static struct mhi_sandbox *sandbox_of(struct mh_ctx *ctx)
{
	return __atomic_load_n(&ctx->sandbox, __ATOMIC_ACQUIRE);
}

int mhi_ctx_confine(struct mh_ctx *ctx, enum mhi_box_kind kind)
{
	struct mhi_sandbox *s = sandbox_of(ctx);

	return s ? mhi_box_thread(&s->box, kind) : 0;
}

void mhi_ctx_end_sandbox(struct mh_ctx *ctx)
{
	if (!ctx->sandbox)
		return;
	mhi_box_fini(&ctx->sandbox->box);
	free(ctx->sandbox);
}

/* ---- what there is ---- */

static void add_needs(const struct mh_vm *vm, u32 *reach, struct mhi_box_needs *needs)
{
	for (const struct mh_dev *dev = vm->devs; dev; dev = dev->next) {
		*reach |= dev->reach;
		needs->host_ids |= dev->host_ids;
	}
	needs->shares = *reach & MH_SANDBOX_REACH_SHARES;
	needs->inet = *reach & MH_SANDBOX_REACH_INET;
	needs->unix_sockets = *reach & MH_SANDBOX_REACH_UNIX;
}

static int add_folders(const struct mh_vm *vm, struct mhi_box *box, struct mhi_err *err)
{
	for (const struct mh_dev *dev = vm->devs; dev; dev = dev->next) {
		const struct mhi_box_folder folder = { dev->folder, dev->readonly };

		if (dev->folder && mhi_box_folder(box, &folder))
			return mhi_err_set(err, MH_EIO,
					   "sandbox: the shared folder %s is not to be opened any "
					   "more; is it still there?",
					   dev->folder);
	}
	return 0;
}

/* ---- threads ---- */

struct order {
	struct mh_ctx *ctx;
	enum mhi_box_kind kind;
	u32 failed; /* (a) */
};

static void obey(void *opaque)
{
	struct order *order = opaque;

	if (mhi_ctx_confine(order->ctx, order->kind))
		__atomic_store_n(&order->failed, 1, __ATOMIC_RELAXED);
}

static void confine_vm(struct mh_vm *vm, struct order *order)
{
	for (struct mh_dev *dev = vm->devs; dev; dev = dev->next) {
		struct mhi_workers *workers = dev->vdev ? dev->vdev->workers : NULL;

		order->kind = dev->folder ? MHI_BOX_SHARE : MHI_BOX_SERVER;
		if (workers && workers != vm->ctx->workers)
			mhi_workers_each(workers, obey, order);
	}
	mhi_gdb_confine(vm);
}

/*
 * Before the caller is confined: a new thread has the filters of who starts it, and all of them are
 * run at each call whose arguments count. What cannot be started now, mh_vm_start tries again.
 */
static void start_vm_threads(struct mh_ctx *ctx)
{
	for (struct mh_vm *vm = ctx->first_vm; vm; vm = vm->next) {
		pthread_mutex_lock(&vm->lock);
		mhi_vm_start_threads(vm);
		pthread_mutex_unlock(&vm->lock);
	}
}

/* The sandbox is the context's already; its VMs do not run. */
static int confine(struct mh_ctx *ctx, u32 level)
{
	struct order order = { .ctx = ctx, .kind = MHI_BOX_LOOP };
	struct mh_vm *vm;

	if (level == MH_SANDBOX_PROCESS && mhi_box_process(&ctx->sandbox->box))
		order.failed = 1;
	if (ctx->loop)
		mhi_loop_call(ctx->loop, obey, &order);
	order.kind = MHI_BOX_DISK;
	if (ctx->workers)
		mhi_workers_each(ctx->workers, obey, &order);
	for (vm = ctx->first_vm; vm; vm = vm->next)
		confine_vm(vm, &order);
	start_vm_threads(ctx);
	order.kind = MHI_BOX_CALLER;
	if (level == MH_SANDBOX_PROCESS && !ctx->foreign)
		obey(&order);
	return order.failed ? MH_EIO : 0;
}

/* ---- entering ---- */

static int check(struct mh_ctx *ctx, const struct mh_sandbox_config *c, struct mhi_err *err)
{
	if (c->size != sizeof(*c))
		return mhi_err_set(err, MH_EINVAL,
				   "sandbox: config.size is %zu, not %zu; use "
				   "MH_SANDBOX_CONFIG_INIT",
				   c->size, sizeof(*c));
	if (c->level != MH_SANDBOX_DEVICES && c->level != MH_SANDBOX_PROCESS)
		return mhi_err_set(err, MH_EINVAL,
				   "sandbox: config.level is %u; use MH_SANDBOX_DEVICES or "
				   "MH_SANDBOX_PROCESS",
				   c->level);
	if (c->allow & ~ALLOW || c->required & ~PARTS)
		return mhi_err_set(err, MH_EINVAL,
				   "sandbox: config.allow or config.required has unknown bits; use "
				   "MH_SANDBOX_ALLOW_* and the parts' names");
	if (c->allow && (c->level != MH_SANDBOX_PROCESS || ctx->foreign))
		return mhi_err_set(err, MH_EINVAL,
				   "sandbox: config.allow is for the thread that calls, which has "
				   "no rules of its own here; leave it 0");
	if (ctx->foreign && !mhi_loop_current(ctx->loop))
		return mhi_err_set(err, MH_EINVAL,
				   "sandbox: the context's loop is the embedder's; call from its "
				   "thread");
	return 0;
}

static int check_state(struct mh_ctx *ctx, struct mhi_err *err)
{
	struct mh_vm *vm;

	if (ctx->sandbox)
		return mhi_err_set(err, MH_ESTATE,
				   "sandbox: the process is in one already, for good");
	if (mhi_ctx_on_loop(ctx))
		return mhi_err_set(err, MH_ESTATE, "sandbox: the call comes from a callback");
	for (vm = ctx->first_vm; vm; vm = vm->next)
		if (vm->has_keeper)
			return mhi_err_set(err, MH_ESTATE,
					   "sandbox: VM \"%s\" has been started; call before "
					   "mh_vm_start",
					   vm->name);
	return 0;
}

static u32 lacking(const struct mhi_box *box)
{
	return (box->filter[MHI_BOX_ALL].insns ? 0 : MH_SANDBOX_SECCOMP) |
	       (box->ruleset >= 0 ? 0 : MH_SANDBOX_LANDLOCK);
}

static void explain(struct mhi_sandbox *s)
{
	const u32 lacks = lacking(&s->box);
	const char *seccomp = "", *landlock = "";

	if (lacks & MH_SANDBOX_SECCOMP && !mhi_box_can_filter())
		seccomp =
			"system calls are not filtered: the library was built without libseccomp; "
			"install libseccomp-dev and build it again. ";
	else if (lacks & MH_SANDBOX_SECCOMP)
		seccomp =
			"system calls are not filtered: the kernel has no seccomp filters; use one "
			"with CONFIG_SECCOMP_FILTER. ";
	if (lacks & MH_SANDBOX_LANDLOCK)
		landlock =
			"files are not confined: the kernel has no Landlock, or it is off; boot a "
			"Linux from 5.13 on with landlock in lsm=. ";
	snprintf(s->reason, sizeof(s->reason), "%s%s", seccomp, landlock);
	if (s->reason[0])
		s->reason[strlen(s->reason) - 1] = '\0';
}

/* Nobody is confined yet. */
static int make(struct mh_ctx *ctx, const struct mh_sandbox_config *config, struct mhi_sandbox *s,
		struct mhi_err *err)
{
	struct mhi_box_needs needs = {
		.caller_opens = config->allow & MH_SANDBOX_ALLOW_OPEN,
		.caller_connects = config->allow & MH_SANDBOX_ALLOW_CONNECT,
		.caller_codes = config->allow & MH_SANDBOX_ALLOW_CODE,
	};
	struct mh_vm *vm;
	int rc;

	s->level = config->level;
	s->reach = config->allow ? MH_SANDBOX_REACH_CALLER : 0;
	for (vm = ctx->first_vm; vm; vm = vm->next)
		add_needs(vm, &s->reach, &needs);
	rc = mhi_box_init(&s->box, &needs);
	if (rc)
		return mhi_err_set(err, rc, "sandbox: " MHI_NO_MEMORY);
	for (vm = ctx->first_vm; vm && !rc; vm = vm->next)
		rc = add_folders(vm, &s->box, err);
	explain(s);
	if (!rc && lacking(&s->box) & config->required)
		rc = mhi_err_set(err, MH_ENOTSUP, "sandbox: %s", s->reason);
	if (rc)
		mhi_box_fini(&s->box);
	return rc;
}

int mh_sandbox_enter(struct mh_ctx *ctx, const struct mh_sandbox_config *config)
{
	struct mhi_sandbox *s;
	struct mhi_err *err;
	int rc;

	if (!ctx)
		return MH_EINVAL;
	err = mhi_ctx_err(ctx);
	if (!config)
		return mhi_err_set(err, MH_EINVAL,
				   "sandbox: config is NULL; pass a pointer to one that "
				   "MH_SANDBOX_CONFIG_INIT began");
	rc = check(ctx, config, err);
	if (!rc)
		rc = check_state(ctx, err);
	if (rc)
		return rc;
	s = calloc(1, sizeof(*s));
	if (!s)
		return mhi_err_set(err, MH_ENOMEM, "sandbox: " MHI_NO_MEMORY);
	rc = make(ctx, config, s, err);
	if (rc) {
		free(s);
		return rc;
	}
	__atomic_store_n(&ctx->sandbox, s, __ATOMIC_RELEASE);
	if (confine(ctx, config->level))
		return mhi_err_set(err, MH_EIO,
				   "sandbox: a thread could not be confined; does another sandbox "
				   "or filter forbid it?");
	return 0;
}

/* ---- what others ask ---- */

int mh_sandbox_info(struct mh_ctx *ctx, struct mh_sandbox_info *info)
{
	struct mhi_sandbox *s;

	if (!ctx || !info || info->size != sizeof(*info))
		return MH_EINVAL;
	*info = (struct mh_sandbox_info)MH_SANDBOX_INFO_INIT;
	info->reason = "";
	s = sandbox_of(ctx);
	if (!s)
		return 0;
	info->level = s->level;
	info->missing = lacking(&s->box) | __atomic_load_n(&s->box.failed, __ATOMIC_RELAXED);
	info->active = PARTS & ~info->missing;
	info->reach = s->reach;
	info->landlock = s->box.landlock;
	info->reason = s->reason;
	return 0;
}

int mh_sandbox_thread(struct mh_vm *vm)
{
	struct mhi_err *err;

	if (!vm)
		return MH_EINVAL;
	err = mhi_ctx_err(vm->ctx);
	if (!sandbox_of(vm->ctx))
		return mhi_err_set(err, MH_ESTATE,
				   "sandbox of a thread: the process has none; call "
				   "mh_sandbox_enter before");
	if (mhi_ctx_confine(vm->ctx, MHI_BOX_SERVER))
		return mhi_err_set(err, MH_EIO,
				   "sandbox of a thread: it could not be confined; does another "
				   "sandbox or filter forbid it?");
	return 0;
}
