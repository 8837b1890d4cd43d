/* SPDX-License-Identifier: MIT */
/*
 * The host's end of an agent: its life, and what goes on between agent and VM by itself. The
 * session belongs to the loop's thread, and public functions go there.
 */
#include "api/agent_impl.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "api/sized.h"
#include "virtio/p9_dev.h"

#define TICK_MS 1000
#define MOUNT_DEFAULT "/media"
/*
 * With a message's data, 32 KiB, less than Linux' driver of serial ports keeps: an interrupt
 * handler takes all that the UART has, and 64 KiB ahead of the kernel's tasks it drops the rest.
 */
#define SERIAL_WINDOW 16384u
#define CLIP_BYTES_MAX (1ull << 30)

/* ---- failures ---- */

static const char *sentence(int rc)
{
	switch (rc) {
	case MH_ESTATE:
		return "no agent is connected, or nothing was started; start the agent in the "
		       "guest and wait for the state callback";
	case MH_ENOTSUP:
		return "the agent cannot do that, or config.features does not let it; see "
		       "mh_agent_status";
	case MH_EBUSY:
		return "too much is under way, or somebody does it already; wait until that is "
		       "done";
	case MH_ERANGE:
		return "a text is too long for a message or not UTF-8; shorten it";
	case MH_ENOENT:
		return "there is none, or no more; it may have ended meanwhile";
	case MH_EINVAL:
		return "an argument does not go with it; see the header";
	default:
		return MHI_NO_MEMORY;
	}
}

int mhi_agent_failed(struct mh_agent *agent, const char *what, int rc)
{
	if (rc >= 0)
		return rc;
	return mhi_err_set(mhi_ctx_err(agent->ctx), rc, "%s: %s: %s", agent->owner, what,
			   sentence(rc));
}

int mhi_agent_wrong(struct mh_agent *agent, const char *what, const char *fmt, ...)
{
	char text[MHI_ERR_TEXT];
	va_list args;

	va_start(args, fmt);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	return mhi_err_set(mhi_ctx_err(agent->ctx), MH_EINVAL, "%s: %s: %s", agent->owner, what,
			   text);
}

/* ---- by itself ---- */

struct mount {
	char tag[MHI_P9_TAG_MAX + 1];
	u32 flags; /* MHI_AGENT_MOUNT_ */
};

/* The VM's shares as they are now; *count of them. Free it. */
static struct mount *list_shares(struct mh_vm *vm, u32 *count)
{
	struct mount *mounts;
	u32 n = 0;

	*count = 0;
	pthread_mutex_lock(&vm->shares_lock);
	for (const struct mh_dev *dev = vm->shares; dev; dev = dev->next_share)
		n++;
	mounts = n ? calloc(n, sizeof(*mounts)) : NULL;
	for (const struct mh_dev *dev = vm->shares; mounts && dev; dev = dev->next_share) {
		struct mount *m = &mounts[(*count)++];

		snprintf(m->tag, sizeof(m->tag), "%s", dev->tag);
		m->flags = dev->readonly ? MHI_AGENT_MOUNT_READONLY : 0;
		m->flags |= dev->virtiofs ? MHI_AGENT_MOUNT_VIRTIOFS : 0;
	}
	pthread_mutex_unlock(&vm->shares_lock);
	return mounts;
}

/* Where a share goes: its tag is one name there, whatever is in it. */
static void mount_path(const struct mh_agent *agent, const char *tag, char *path, size_t room)
{
	size_t at = (size_t)snprintf(path, room, "%s/", agent->mount);

	snprintf(path + at, room - at, "%s%s", tag[0] == '.' ? "_" : "", tag);
	for (char *p = path + at; *p; p++)
		if (*p == '/')
			*p = '_';
}

/* What the guest says goes into a log in one line. */
static void copy_line(char *to, size_t room, const char *from)
{
	size_t n = 0;

	for (; *from && n + 1 < room; from++) {
		/* U+0080 to U+009F are control characters, too. */
		bool c1 = (u8)from[0] == 0xc2 && (u8)from[1] >= 0x80 && (u8)from[1] < 0xa0;

		to[n++] = (u8)*from < ' ' || *from == 0x7f || c1 ? '?' : *from;
		from += c1;
	}
	to[n] = 0;
}

static void mounted(void *opaque, int rc, const char *text)
{
	struct mh_agent *agent = opaque;
	char said[MHI_AGENT_TEXT_MAX];

	copy_line(said, sizeof(said), text);

	if (rc)
		mhi_log(agent->log, MH_LOG_WARN,
			"%s: a shared folder was not mounted in the guest: %s; mount it there by "
			"hand",
			agent->owner, *said ? said : mh_strerror(rc));
}

static void mount_shares(struct mh_agent *agent)
{
	char path[MHI_P9_TAG_MAX + 4096];
	struct mount *mounts;
	u32 count;

	if (!agent->vm || (agent->flags & MH_AGENT_NO_MOUNT))
		return;
	mounts = list_shares(agent->vm, &count);
	for (u32 n = 0; n < count; n++) {
		const struct mhi_msg_mount msg = { .tag = mounts[n].tag,
						   .path = path,
						   .flags = mounts[n].flags };
		const struct mhi_agent_plain plain = { .feature = MHI_AGENT_F_MOUNT,
						       .type = MHI_MSG_MOUNT,
						       .msg = &msg,
						       .fn = mounted,
						       .opaque = agent };

		mount_path(agent, mounts[n].tag, path, sizeof(path));
		mhi_agent_ask_plain(agent->session, &plain);
	}
	free(mounts);
}

static void on_state(void *opaque)
{
	struct mh_agent *agent = opaque;
	struct mh_agent_status status = MH_AGENT_STATUS_INIT;
	bool before = agent->connected;

	mhi_agent_status(agent->session, &status);
	agent->connected = status.connected;
	if (status.connected && !before) {
		mhi_log(agent->log, MH_LOG_INFO, "%s: it is connected", agent->owner);
		mount_shares(agent);
		mhi_agent_clock_begin(agent);
	}
	if (agent->state)
		agent->state(agent->opaque, &status);
}

/* ---- time, and what the VM tells; [loop] ---- */

/* Seconds in which the guest could not do anything do not count. */
static bool guest_runs(const struct mh_agent *agent)
{
	/* Written under vm->lock; an old value is as good as a new one. */
	return !agent->vm || __atomic_load_n(&agent->vm->go, __ATOMIC_RELAXED);
}

static void on_tick(void *opaque)
{
	struct mh_agent *agent = opaque;

	agent->ticking = false;
	if (guest_runs(agent))
		mhi_agent_tick(agent->session);
	mhi_agent_tick_on(agent);
}

void mhi_agent_tick_on(struct mh_agent *agent)
{
	if (agent->ticking || !mhi_agent_wants_ticks(agent->session))
		return;
	/* Without memory there is no time; the next byte tries again. */
	if (!agent->timer && mhi_timer_create(agent->loop, on_tick, agent, &agent->timer))
		return;
	agent->ticking = true;
	mhi_timer_set(agent->timer, TICK_MS);
}

static void on_wake(void *opaque)
{
	struct mh_agent *agent = opaque;
	/* Paired with tell. */
	u32 events = __atomic_exchange_n(&agent->events, 0, __ATOMIC_ACQ_REL);

	if (!agent->session)
		return;
	if (events & MHI_AGENT_RENEWED)
		mhi_agent_cut(agent->session, "the VM was stopped or begins again");
	if (events & MHI_AGENT_LINE)
		mhi_agent_line_serial(agent);
	if (events & MHI_AGENT_RESUMED)
		mhi_agent_set_clock(agent);
}

void mhi_vm_agent_event(struct mh_vm *vm, enum mhi_agent_event event)
{
	struct mh_agent *agent = __atomic_load_n(&vm->agent, __ATOMIC_ACQUIRE);

	if (!agent)
		return;
	/* Paired with on_wake. */
	__atomic_fetch_or(&agent->events, (u32)event, __ATOMIC_ACQ_REL);
	mhi_loop_wake(agent->loop, &agent->wake);
}

/* ---- life ---- */

static int check_clip(const struct mh_clip_policy *policy, struct mhi_err *err)
{
	if (policy->size != sizeof(*policy))
		return mhi_err_set(err, MH_EINVAL,
				   "config.clipboard->size is %zu, not %zu; use the INIT macro",
				   policy->size, sizeof(*policy));
	if (policy->bytes > CLIP_BYTES_MAX)
		return mhi_err_set(err, MH_EINVAL,
				   "config.clipboard->bytes is %llu, more than 1 GiB; choose less",
				   (u64)policy->bytes);
	if ((policy->directions & ~(MH_CLIP_TO_GUEST | MH_CLIP_FROM_GUEST)) ||
	    (policy->kinds & ~(MH_CLIP_TEXT | MH_CLIP_HTML | MH_CLIP_PNG | MH_CLIP_FILES)))
		return mhi_err_set(err, MH_EINVAL,
				   "config.clipboard has unknown bits; use MH_CLIP_*");
	return 0;
}

static int check(const struct mh_agent_config *config, bool has_vm, struct mhi_err *err)
{
	if (config->size != sizeof(*config))
		return mhi_err_set(err, MH_EINVAL,
				   "config.size is %zu, not %zu; use the INIT macro", config->size,
				   sizeof(*config));
	if (config->transport > (has_vm ? MH_AGENT_SERIAL : MH_AGENT_VIRTIO))
		return mhi_err_set(err, MH_EINVAL,
				   "config.transport is %u; use MH_AGENT_VIRTIO or, for a VM, "
				   "MH_AGENT_SERIAL",
				   config->transport);
	if (config->features & ~MH_AGENT_ALL)
		return mhi_err_set(err, MH_EINVAL,
				   "config.features has unknown bits 0x%x; use MH_AGENT_*",
				   config->features & ~MH_AGENT_ALL);
	if (config->mount && (config->mount[0] != '/' || strlen(config->mount) > 1000))
		return mhi_err_set(err, MH_EINVAL,
				   "config.mount is no absolute path of at most 1000 bytes; begin "
				   "it with a /");
	return config->clipboard ? check_clip(config->clipboard, err) : 0;
}

static int make_session(struct mh_agent *agent, const struct mh_agent_config *config)
{
	const struct mh_clip_policy defaults = MH_CLIP_POLICY_INIT;
	const struct mhi_agent_env env = {
		.send = mhi_agent_line_send,
		.state = on_state,
		.broken = mhi_agent_line_broken,
		.opaque = agent,
		.log = agent->log,
		.owner = agent->owner,
		.loop = agent->loop,
		.features = config->features ? config->features : MH_AGENT_ALL,
		.window = config->transport == MH_AGENT_SERIAL ? SERIAL_WINDOW : 0,
		.clip = config->clipboard ? *config->clipboard : defaults
	};

	return mhi_agent_create(&env, &agent->session);
}

int mhi_agent_make(struct mh_ctx *ctx, struct mh_vm *vm, const struct mh_agent_config *config,
		   struct mh_agent **out)
{
	struct mhi_err *err = mhi_ctx_err(ctx);
	struct mh_agent *agent;
	int rc = check(config, vm != NULL, err);

	if (rc)
		return rc;
	agent = calloc(1, sizeof(*agent));
	if (!agent)
		return mhi_err_set(err, MH_ENOMEM, MHI_NO_MEMORY);
	agent->ctx = ctx;
	agent->vm = vm;
	agent->log = &ctx->log;
	agent->flags = config->flags;
	agent->transport = config->transport;
	agent->state = config->state;
	agent->opaque = config->opaque;
	agent->fd = -1;
	agent->clock = -1;
	agent->wake = (struct mhi_wake){ .fn = on_wake, .opaque = agent };
	pthread_mutex_init(&agent->serial.lock, NULL);
	if (vm)
		snprintf(agent->owner, sizeof(agent->owner), "agent of VM \"%.64s\"", vm->name);
	else
		snprintf(agent->owner, sizeof(agent->owner), "agent on a socket");
	rc = mhi_ctx_loop(ctx, &agent->loop, err);
	agent->mount = strdup(config->mount ? config->mount : MOUNT_DEFAULT);
	if (!rc && (!agent->mount || make_session(agent, config)))
		rc = mhi_err_set(err, MH_ENOMEM, MHI_NO_MEMORY);
	if (rc)
		mhi_agent_unmake(agent);
	else
		*out = agent;
	return rc;
}

/* [loop], or it was never used. */
static void end_session(void *opaque)
{
	struct mh_agent *agent = opaque;

	mhi_agent_line_end(agent);
	mhi_agent_clock_end(agent);
	mhi_timer_destroy(agent->timer);
	mhi_timer_destroy(agent->serial.timer);
	mhi_loop_cancel(agent->loop, &agent->wake);
	mhi_agent_destroy(agent->session);
	agent->session = NULL;
}

void mhi_agent_unmake(struct mh_agent *agent)
{
	if (agent->session)
		mhi_agent_destroy(agent->session);
	pthread_mutex_destroy(&agent->serial.lock);
	free(agent->serial.data);
	free(agent->mount);
	free(agent);
}

void mhi_vm_agent_end(struct mh_vm *vm)
{
	if (vm->agent)
		mhi_loop_call(vm->agent->loop, end_session, vm->agent);
}

void mhi_vm_agent_free(struct mh_vm *vm)
{
	if (vm->agent)
		mhi_agent_unmake(vm->agent);
	vm->agent = NULL;
}

static int close_of_vm(struct mh_agent *agent)
{
	struct mh_vm *vm = agent->vm;
	int rc = mhi_vm_enter_setup(vm, "close the agent of");

	if (rc)
		return rc;
	if (agent->transport == MH_AGENT_SERIAL)
		mhi_machine_serial_attach(vm->machine, MHI_AGENT_COM, NULL, NULL, NULL);
	__atomic_store_n(&vm->agent, NULL, __ATOMIC_RELEASE);
	/* Not under the VM's lock: callbacks may ask for its state. */
	mhi_vm_begin_work(vm);
	mhi_loop_call(agent->loop, end_session, agent);
	mhi_vm_end_work(vm);
	if (agent->dev)
		mhi_dev_detach(agent->dev);
	mhi_vm_leave(vm);
	mhi_agent_unmake(agent);
	return 0;
}

int mh_agent_close(struct mh_agent *agent)
{
	struct mh_ctx *ctx;

	if (!agent)
		return 0;
	ctx = agent->ctx;
	if (mhi_ctx_on_loop(ctx) ||
	    (mhi_loop_current(agent->loop) && mhi_agent_inside(agent->session)))
		return mhi_err_set(mhi_ctx_err(ctx), MH_ESTATE,
				   "%s: close: from a callback; close it from somewhere else",
				   agent->owner);
	if (agent->vm)
		return close_of_vm(agent);
	mhi_loop_call(agent->loop, end_session, agent);
	mhi_agent_unmake(agent);
	pthread_mutex_lock(&ctx->lock);
	ctx->agents--;
	pthread_mutex_unlock(&ctx->lock);
	return 0;
}

struct mh_agent *mh_vm_agent(struct mh_vm *vm)
{
	return vm ? __atomic_load_n(&vm->agent, __ATOMIC_ACQUIRE) : NULL;
}

struct status_call {
	struct mh_agent *agent;
	struct mh_agent_status status;
};

static void get_status(void *opaque)
{
	struct status_call *call = opaque;

	mhi_agent_status(call->agent->session, &call->status);
}

int mh_agent_status(struct mh_agent *agent, struct mh_agent_status *status)
{
	struct status_call call = { agent, MH_AGENT_STATUS_INIT };

	if (!agent)
		return MH_EINVAL;
	if (!mhi_sized_ok(status))
		return mhi_agent_wrong(agent, "status", MHI_SIZED_WRONG);
	mhi_loop_call(agent->loop, get_status, &call);
	mhi_sized_put(status, &call.status, sizeof(call.status));
	return 0;
}
