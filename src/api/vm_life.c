/* SPDX-License-Identifier: MIT */
/*
 * The life cycle: Created, Running, Paused, Stopped; the threads of a VM; who may change what when.
 *
 * vCPU threads execute while go is set and park else. Whoever changes the state sets busy, so that
 * there is one transition at a time; the others wait. What a vCPU thread wants (the guest switched
 * off, reset itself, failed) it requests, and the keeper thread does it: a vCPU thread never waits
 * for the others.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "api/impl.h"

/* ---- who calls ---- */

struct mh_vcpu *mhi_vm_self(struct mh_vm *vm)
{
	u32 i;

	for (i = 0; i < vm->cpus; i++)
		if (vm->vcpu[i].has_thread && pthread_equal(vm->vcpu[i].thread, pthread_self()))
			return &vm->vcpu[i];
	return NULL;
}

bool mhi_vm_inside(struct mh_vm *vm)
{
	return mhi_ctx_on_loop(vm->ctx) || mhi_vm_self(vm);
}

static bool is_keeper(const struct mh_vm *vm)
{
	return vm->has_keeper && pthread_equal(vm->keeper, pthread_self());
}

/* ---- under vm->lock: states ---- */

static void set_state(struct mh_vm *vm, enum mh_vm_state state, const char *text)
{
	vm->state = state;
	vm->quiet = false;
	mhi_vm_emit(vm, MH_EVENT_STATE, text);
	mhi_gdb_wake(vm);
}

static void let_run(struct mh_vm *vm)
{
	vm->fresh = false;
	if (vm->machine)
		mhi_machine_run(vm->machine, true);
	__atomic_store_n(&vm->go, 1, __ATOMIC_SEQ_CST);
	pthread_cond_broadcast(&vm->cond_cpu);
}

/* All of them, whatever a debugger said last. */
static void let_all_run(struct mh_vm *vm)
{
	u32 i;

	for (i = 0; i < vm->cpus; i++)
		vm->vcpu[i].held = false;
	let_run(vm);
}

static void recall(struct mh_vm *vm)
{
	u32 i;

	/* Paired with mhi_vm_go: who does not see it in time is kicked out afterwards. */
	__atomic_store_n(&vm->go, 0, __ATOMIC_SEQ_CST);
	for (i = 0; i < vm->cpus; i++)
		vm->ops->kick(vm->vcpu[i].eng);
}

/*
 * Until no vCPU executes, and no device works. vm->busy is set: the lock is let go while devices
 * finish, since their callbacks may ask for the state.
 */
static void park_all(struct mh_vm *vm)
{
	recall(vm);
	while (vm->active)
		pthread_cond_wait(&vm->cond, &vm->lock);
	if (!vm->machine)
		return;
	pthread_mutex_unlock(&vm->lock);
	mhi_machine_run(vm->machine, false);
	pthread_mutex_lock(&vm->lock);
}

static void stopped(struct mh_vm *vm, enum mh_stop_reason reason, const char *text)
{
	vm->request = MHI_REQ_NONE;
	vm->stop_reason = reason;
	snprintf(vm->stop_text, sizeof(vm->stop_text), "%s", text);
	mhi_vm_agent_event(vm, MHI_AGENT_RENEWED);
	set_state(vm, MH_VM_STOPPED, text);
}

static void end_busy(struct mh_vm *vm)
{
	vm->busy = false;
	pthread_cond_broadcast(&vm->cond);
}

void mhi_vm_begin_work(struct mh_vm *vm)
{
	vm->busy = true;
	pthread_mutex_unlock(&vm->lock);
}

void mhi_vm_end_work(struct mh_vm *vm)
{
	pthread_mutex_lock(&vm->lock);
	end_busy(vm);
}

/* ---- start and reset ---- */

/* Without unrestricted guest VMX enters only guests with paging on. */
static int check_real_mode(struct mh_vm *vm, struct mhi_err *err)
{
	const u64 paged = 1ull << 31 | 1;
	const struct mh_vcpu *boot = &vm->vcpu[0];

	if (vm->info->features & MHI_BIT(MHK_F_UNRESTRICTED))
		return 0;
	if (vm->cpus == 1 && (boot->page->state.cr0 & paged) == paged)
		return 0;
	return mhi_err_set(err, MH_EMISSING,
			   "the CPU lacks unrestricted guest (VMX), so that a guest cannot run %s; "
			   "use one vCPU and a 64-bit Linux kernel, or a newer CPU",
			   vm->cpus > 1 ? "several CPUs" : "without paging");
}

/*
 * Everything to its state before the first instruction. All vCPUs are parked; vm->busy is ours,
 * the lock is not held.
 */
static int prepare(struct mh_vm *vm, struct mhi_err *err)
{
	struct mhi_entry entry;
	int rc = 0;

	mhi_hc_timers_reset(&vm->hc_timers);
	if (!vm->fresh)
		rc = mhi_vm_power_cycle(vm, err);
	if (rc)
		return rc;
	vm->fresh = true;
	vm->panics = 0;
	rc = mhi_vm_start_clock(vm, err);
	if (!rc && vm->machine)
		rc = mhi_machine_reset(vm->machine, err);
	if (!rc && vm->boot) {
		rc = mhi_boot_load(vm->boot, vm->machine, &entry, err);
		if (!rc)
			mhi_vcpu_set_entry(&vm->vcpu[0], &entry);
	}
	return rc ? rc : check_real_mode(vm, err);
}

int mh_vm_start(struct mh_vm *vm)
{
	struct mhi_err *err;
	int rc;

	if (!vm)
		return MH_EINVAL;
	err = mhi_ctx_err(vm->ctx);
	rc = mhi_vm_enter_setup(vm, "start");
	if (rc)
		return rc;
	if (vm->state == MH_VM_PAUSED) {
		rc = mhi_err_set(err, MH_ESTATE, "start VM \"%s\": it is paused; resume it",
				 vm->name);
		goto out;
	}
	vm->busy = true;
	rc = mhi_vm_start_threads(vm);
	if (rc) {
		mhi_err_set(err, rc,
			    "out of memory or threads; free some, or raise the limits (ulimit -u)");
	} else {
		pthread_mutex_unlock(&vm->lock);
		rc = prepare(vm, err);
		pthread_mutex_lock(&vm->lock);
	}
	if (rc) {
		mhi_err_wrap(err, "start VM \"%s\"", vm->name);
	} else {
		vm->stop_reason = MH_STOP_NONE;
		vm->stop_text[0] = '\0';
		vm->started_ns = mhi_monotonic_ns();
		vm->starts++;
		if (mhi_gdb_waits(vm)) {
			set_state(vm, MH_VM_PAUSED, "waits for a debugger");
		} else {
			set_state(vm, MH_VM_RUNNING, "started");
			let_all_run(vm);
		}
	}
	end_busy(vm);
out:
	mhi_vm_leave(vm);
	return rc;
}

/*
 * Under vm->lock, busy, all parked: begin again, and go on if it ran. On error the VM is Stopped:
 * what it was is gone.
 */
static int reset_now(struct mh_vm *vm, enum mh_stop_reason reason, const char *text,
		     struct mhi_err *err)
{
	int rc;

	vm->request = MHI_REQ_NONE;
	pthread_mutex_unlock(&vm->lock);
	mhi_log(&vm->ctx->log, MH_LOG_INFO, "VM \"%s\" begins again: %s", vm->name, text);
	rc = prepare(vm, err);
	if (rc) {
		mhi_err_wrap(err, "reset VM \"%s\"", vm->name);
		mhi_log(&vm->ctx->log, MH_LOG_ERROR, "%s", err->text);
	}
	pthread_mutex_lock(&vm->lock);
	if (rc) {
		stopped(vm, MH_STOP_ERROR, err->text);
		return rc;
	}
	vm->resets++;
	mhi_vm_agent_event(vm, MHI_AGENT_RENEWED);
	mhi_vm_emit(vm, MH_EVENT_RESET, text)->reason = reason;
	if (vm->state == MH_VM_RUNNING)
		let_all_run(vm);
	return 0;
}

/* ---- requests ---- */

void mhi_vm_request(struct mh_vm *vm, enum mhi_request what, enum mh_stop_reason reason,
		    const char *text)
{
	pthread_mutex_lock(&vm->lock);
	if (what > vm->request && (vm->state == MH_VM_RUNNING || vm->state == MH_VM_PAUSED)) {
		vm->request = what;
		vm->request_reason = reason;
		snprintf(vm->request_text, sizeof(vm->request_text), "%s", text);
		/* Who is busy has recalled them, or has not let them run yet. */
		if (!vm->busy)
			recall(vm);
		pthread_cond_broadcast(&vm->cond);
	}
	pthread_mutex_unlock(&vm->lock);
}

/* Under vm->lock, busy, all parked. The log's callback is the embedder's: not under a lock. */
static void stop_as_requested(struct mh_vm *vm)
{
	pthread_mutex_unlock(&vm->lock);
	mhi_log(&vm->ctx->log, vm->request_reason >= MH_STOP_SHUTDOWN ? MH_LOG_ERROR : MH_LOG_INFO,
		"VM \"%s\" stops: %s", vm->name, vm->request_text);
	pthread_mutex_lock(&vm->lock);
	stopped(vm, vm->request_reason, vm->request_text);
}

/* A guest's reset may be the end of the VM; the embedder's is not. */
static bool begins_again(const struct mh_vm *vm)
{
	return vm->request == MHI_REQ_RESET &&
	       (vm->request_reason == MH_STOP_REQUEST || !(vm->flags & MH_VM_STOP_ON_RESET));
}

static void pause_as_requested(struct mh_vm *vm)
{
	vm->request = MHI_REQ_NONE;
	if (vm->state != MH_VM_RUNNING)
		return;
	if (!vm->quiet) {
		set_state(vm, MH_VM_PAUSED, vm->request_text);
		return;
	}
	vm->quiet = false;
	vm->state = MH_VM_PAUSED;
	mhi_gdb_wake(vm);
}

void mhi_vm_serve_request(struct mh_vm *vm)
{
	char text[MH_EVENT_TEXT];
	struct mhi_err err = { 0 };

	vm->busy = true;
	park_all(vm);
	if (vm->request == MHI_REQ_PAUSE) {
		pause_as_requested(vm);
	} else if (begins_again(vm)) {
		snprintf(text, sizeof(text), "%.*s", MH_EVENT_TEXT - 1, vm->request_text);
		reset_now(vm, vm->request_reason, text, &err);
	} else {
		stop_as_requested(vm);
	}
	end_busy(vm);
}

/*
 * Wait for something to change; the keeper, who may be here from a callback, serves requests
 * meanwhile.
 */
static void wait_change(struct mh_vm *vm, const struct timespec *until, int *timed_out)
{
	if (vm->request && !vm->busy && is_keeper(vm))
		mhi_vm_serve_request(vm);
	else if (until)
		*timed_out = pthread_cond_timedwait(&vm->cond, &vm->lock, until) == ETIMEDOUT;
	else
		pthread_cond_wait(&vm->cond, &vm->lock);
}

/* ---- entering public functions ---- */

/* A vCPU thread must not wait for a transition, which waits for it. */
static void settle(struct mh_vm *vm)
{
	if (mhi_vm_inside(vm))
		return;
	while (vm->busy || vm->request)
		wait_change(vm, NULL, NULL);
}

void mhi_vm_enter(struct mh_vm *vm)
{
	pthread_mutex_lock(&vm->lock);
	vm->callers++;
	settle(vm);
}

void mhi_vm_leave(struct mh_vm *vm)
{
	vm->callers--;
	if (vm->dying)
		pthread_cond_broadcast(&vm->cond);
	pthread_mutex_unlock(&vm->lock);
}

static int wrong_state(struct mh_vm *vm, const char *what)
{
	static const struct {
		const char *name, *cure;
	} states[] = {
		[MH_VM_CREATED] = { "created", "start it first" },
		[MH_VM_RUNNING] = { "running", "pause it first" },
		[MH_VM_PAUSED] = { "paused", "resume it first" },
		[MH_VM_STOPPED] = { "stopped", "start it first" },
	};

	if (mhi_vm_inside(vm))
		return mhi_err_set(mhi_ctx_err(vm->ctx), MH_ESTATE,
				   "%s VM \"%s\": it is %s, and the call comes from a handler or "
				   "callback; call from another thread",
				   what, vm->name, states[vm->state].name);
	return mhi_err_set(mhi_ctx_err(vm->ctx), MH_ESTATE, "%s VM \"%s\": it is %s; %s", what,
			   vm->name, states[vm->state].name, states[vm->state].cure);
}

int mhi_vm_enter_setup(struct mh_vm *vm, const char *what)
{
	int rc = 0;

	mhi_vm_enter(vm);
	if (mhi_vm_inside(vm))
		rc = wrong_state(vm, what);
	else if (vm->state == MH_VM_RUNNING)
		rc = mhi_err_set(mhi_ctx_err(vm->ctx), MH_ESTATE,
				 "%s VM \"%s\": it is running; pause or stop it first", what,
				 vm->name);
	if (rc)
		mhi_vm_leave(vm);
	return rc;
}

/* ---- transitions ---- */

int mh_vm_pause(struct mh_vm *vm)
{
	int rc = 0;

	if (!vm)
		return MH_EINVAL;
	mhi_vm_enter(vm);
	if (vm->state != MH_VM_RUNNING || mhi_vm_inside(vm)) {
		rc = wrong_state(vm, "pause");
	} else {
		vm->busy = true;
		park_all(vm);
		set_state(vm, MH_VM_PAUSED, "paused");
		end_busy(vm);
	}
	mhi_vm_leave(vm);
	return rc;
}

int mh_vm_resume(struct mh_vm *vm)
{
	int rc = 0;

	if (!vm)
		return MH_EINVAL;
	mhi_vm_enter(vm);
	if (vm->state != MH_VM_PAUSED || mhi_vm_inside(vm)) {
		rc = wrong_state(vm, "resume");
	} else {
		mhi_vm_clock_paused(vm);
		mhi_vm_agent_event(vm, MHI_AGENT_RESUMED);
		set_state(vm, MH_VM_RUNNING, "resumed");
		let_all_run(vm);
	}
	mhi_vm_leave(vm);
	return rc;
}

void mhi_vm_debug_resume(struct mh_vm *vm, bool step)
{
	mhi_vm_clock_paused(vm);
	if (step) {
		vm->state = MH_VM_RUNNING;
	} else {
		mhi_vm_agent_event(vm, MHI_AGENT_RESUMED);
		set_state(vm, MH_VM_RUNNING, "resumed by the debugger");
	}
	vm->quiet = step;
	let_run(vm);
}

/* Under vm->lock, nobody busy. */
static void stop_now(struct mh_vm *vm)
{
	vm->busy = true;
	park_all(vm);
	stopped(vm, MH_STOP_REQUEST, "stopped on request");
	end_busy(vm);
}

static int request_from_handler(struct mh_vm *vm, enum mhi_request what, const char *text)
{
	pthread_mutex_unlock(&vm->lock);
	mhi_vm_request(vm, what, MH_STOP_REQUEST, text);
	pthread_mutex_lock(&vm->lock);
	return 0;
}

int mh_vm_stop(struct mh_vm *vm)
{
	int rc = 0;

	if (!vm)
		return MH_EINVAL;
	mhi_vm_enter(vm);
	if (vm->state == MH_VM_CREATED)
		rc = wrong_state(vm, "stop");
	else if (mhi_vm_inside(vm))
		rc = request_from_handler(vm, MHI_REQ_STOP, "stopped on request, from a handler");
	else if (vm->state != MH_VM_STOPPED)
		stop_now(vm);
	mhi_vm_leave(vm);
	return rc;
}

static int reset_on_request(struct mh_vm *vm)
{
	struct mhi_err err = { 0 };
	int rc;

	vm->busy = true;
	park_all(vm);
	/* It switched itself off, or failed, while it was recalled: that came first. */
	if (vm->request == MHI_REQ_STOP) {
		end_busy(vm);
		settle(vm);
		return wrong_state(vm, "reset");
	}
	/* Not the thread's own, which is NULL without memory: its text is the stop's. */
	rc = reset_now(vm, MH_STOP_REQUEST, "reset on request", &err);
	end_busy(vm);
	return rc ? mhi_err_set(mhi_ctx_err(vm->ctx), rc, "%s", err.text) : 0;
}

int mh_vm_reset(struct mh_vm *vm)
{
	int rc;

	if (!vm)
		return MH_EINVAL;
	mhi_vm_enter(vm);
	if (vm->state != MH_VM_RUNNING && vm->state != MH_VM_PAUSED)
		rc = wrong_state(vm, "reset");
	else if (mhi_vm_inside(vm))
		rc = request_from_handler(vm, MHI_REQ_RESET, "reset on request, from a handler");
	else
		rc = reset_on_request(vm);
	mhi_vm_leave(vm);
	return rc;
}

/* ---- waiting ---- */

static void deadline(struct timespec *ts, int timeout_ms)
{
	clock_gettime(CLOCK_MONOTONIC, ts);
	ts->tv_sec += timeout_ms / 1000;
	ts->tv_nsec += (timeout_ms % 1000) * 1000000l;
	if (ts->tv_nsec >= 1000000000l) {
		ts->tv_sec++;
		ts->tv_nsec -= 1000000000l;
	}
}

int mh_vm_wait(struct mh_vm *vm, int timeout_ms)
{
	struct timespec until;
	int timed_out = 0, rc = 0;

	if (!vm)
		return MH_EINVAL;
	if (timeout_ms >= 0)
		deadline(&until, timeout_ms);
	pthread_mutex_lock(&vm->lock);
	vm->callers++;
	if (mhi_vm_inside(vm))
		rc = wrong_state(vm, "wait for");
	while (!rc && !(vm->state == MH_VM_STOPPED && !vm->busy)) {
		if (vm->dying)
			rc = mhi_err_set(
				mhi_ctx_err(vm->ctx), MH_ESTATE,
				"wait for VM \"%s\": it is being destroyed; end waits before that",
				vm->name);
		else if (timed_out)
			rc = mhi_err_set(mhi_ctx_err(vm->ctx), MH_ETIMEDOUT,
					 "wait for VM \"%s\": not stopped after %d ms; wait "
					 "longer, or stop it",
					 vm->name, timeout_ms);
		else
			wait_change(vm, timeout_ms >= 0 ? &until : NULL, &timed_out);
	}
	mhi_vm_leave(vm);
	return rc;
}

/* ---- the end ---- */

bool mhi_vm_end_threads(struct mh_vm *vm)
{
	pthread_mutex_lock(&vm->lock);
	if (mhi_vm_inside(vm) || is_keeper(vm)) {
		pthread_mutex_unlock(&vm->lock);
		mhi_log(&vm->ctx->log, MH_LOG_ERROR,
			"destroy VM \"%s\": not done: the call comes from its own handler or "
			"callback",
			vm->name);
		return false;
	}
	vm->dying = true;
	pthread_cond_broadcast(&vm->cond);
	while (vm->callers)
		pthread_cond_wait(&vm->cond, &vm->lock);
	settle(vm);
	if (vm->state == MH_VM_RUNNING || vm->state == MH_VM_PAUSED)
		stop_now(vm);
	vm->quit = true;
	pthread_cond_broadcast(&vm->cond);
	pthread_cond_broadcast(&vm->cond_cpu);
	pthread_mutex_unlock(&vm->lock);
	mhi_vm_join_threads(vm);
	return true;
}
