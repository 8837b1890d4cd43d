/* SPDX-License-Identifier: MIT */
/*
 * The GDB stub's thread: it waits for a debugger, for what he sends and for the guest to stop, and
 * does all that he asks. Pausing waits for devices, which the loop's thread could not.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "api/gdb.h"
#include "api/sandbox.h"
#include "core/accept.h"

/* ---- with the other threads ---- */

void mhi_gdb_wake(struct mh_vm *vm)
{
	u64 one = 1;

	if (vm->gdb && write(vm->gdb->wake, &one, sizeof(one)) < 0)
		return; /* it is awake already */
}

bool mhi_gdb_waits(const struct mh_vm *vm)
{
	return vm->gdb && vm->gdb->wait;
}

/* ---- the guest's state, and the debugger ---- */

static enum mh_vm_state state_of(struct mhi_gdb_stub *g, bool *hit, struct mhi_gdb_stop *stop)
{
	struct mh_vm *vm = g->vm;
	enum mh_vm_state state;

	mhi_vm_enter(vm);
	state = vm->state;
	*hit = g->hit;
	*stop = g->stop;
	if (state == MH_VM_PAUSED)
		g->hit = false;
	mhi_vm_leave(vm);
	return state;
}

/* Tells the debugger what has become of the guest that he let go. */
static void look(struct mhi_gdb_stub *g)
{
	struct mhi_gdb_stop stop;
	enum mh_vm_state state;
	const u8 *bytes;
	bool hit;

	if (g->peer < 0 || !g->serve.running || mhi_gdb_pending(&g->serve, &bytes))
		return;
	state = state_of(g, &hit, &stop);
	if (state == MH_VM_STOPPED || state == MH_VM_CREATED) {
		mhi_gdb_ended(&g->serve);
	} else if (state == MH_VM_PAUSED) {
		if (!hit)
			stop = (struct mhi_gdb_stop){ .cpu = g->serve.cpu, .why = MHI_GDB_BREAK };
		mhi_gdb_stopped(&g->serve, &stop);
	}
}

static bool alive(struct mhi_gdb_stub *g)
{
	enum mh_vm_state state = mh_vm_state(g->vm);

	return state == MH_VM_RUNNING || state == MH_VM_PAUSED;
}

static void drop(struct mhi_gdb_stub *g)
{
	close(g->peer);
	g->peer = -1;
	mhi_gdb_leave(g);
}

static void welcome(struct mhi_gdb_stub *g)
{
	int fd = mhi_accept(g->listen, &g->spare);

	if (fd < 0)
		return;
	if (!mhi_gdb_attach(g)) {
		close(fd);
		return;
	}
	g->peer = fd;
	mhi_gdb_init(&g->serve, &mhi_gdb_vm_target, g, g->vm->cpus);
	g->serve.last = (struct mhi_gdb_stop){ .why = MHI_GDB_TRAP };
}

/* False: he has gone. */
static bool send_pending(struct mhi_gdb_stub *g)
{
	const u8 *bytes;
	size_t count;
	ssize_t n;

	while ((count = mhi_gdb_pending(&g->serve, &bytes)) != 0) {
		n = send(g->peer, bytes, count, MSG_NOSIGNAL);
		if (n < 0)
			return errno == EAGAIN || errno == EINTR;
		mhi_gdb_sent(&g->serve, (size_t)n);
	}
	return !g->serve.over;
}

/* The same. A byte more than what is taken stays in the socket. */
static bool receive(struct mhi_gdb_stub *g)
{
	u8 bytes[4096];
	ssize_t n = recv(g->peer, bytes, sizeof(bytes), MSG_PEEK);

	if (n < 0)
		return errno == EAGAIN || errno == EINTR;
	if (n == 0)
		return false;
	n = (ssize_t)mhi_gdb_feed(&g->serve, bytes, (size_t)n);
	if (n > 0 && recv(g->peer, bytes, (size_t)n, 0) != n)
		return false;
	/* The guest may stand still again already. */
	look(g);
	return true;
}

static bool quits(struct mhi_gdb_stub *g)
{
	bool quit;

	pthread_mutex_lock(&g->vm->lock);
	quit = g->quit;
	if (g->confine) {
		mhi_ctx_confine(g->vm->ctx, MHI_BOX_SERVER);
		g->confine = false;
		pthread_cond_broadcast(&g->vm->cond);
	}
	pthread_mutex_unlock(&g->vm->lock);
	return quit;
}

static void turn(struct mhi_gdb_stub *g)
{
	const u8 *bytes;
	bool out = g->peer >= 0 && mhi_gdb_pending(&g->serve, &bytes);
	struct pollfd fds[] = {
		{ .fd = g->wake, .events = POLLIN },
		{ .fd = g->peer < 0 && alive(g) ? g->listen : -1, .events = POLLIN },
		{ .fd = g->peer, .events = out ? POLLOUT : POLLIN },
	};
	u64 count;

	if (poll(fds, MHI_COUNT(fds), -1) < 0)
		return;
	if (fds[0].revents && read(g->wake, &count, sizeof(count)) < 0 && errno != EAGAIN)
		return;
	if (fds[1].revents)
		welcome(g);
	look(g);
	if (g->peer >= 0 && ((fds[2].revents && !out && !receive(g)) || !send_pending(g)))
		drop(g);
}

static void *stub_main(void *opaque)
{
	struct mhi_gdb_stub *g = opaque;

	while (!quits(g))
		turn(g);
	if (g->peer >= 0)
		drop(g);
	return NULL;
}

/* ---- life ---- */

static void stub_free(struct mhi_gdb_stub *g)
{
	if (g->listen >= 0)
		close(g->listen);
	if (g->wake >= 0)
		close(g->wake);
	if (g->spare >= 0)
		close(g->spare);
	if (g->path)
		unlink(g->path);
	free(g->path);
	free(g);
}

static int stub_start(struct mhi_gdb_stub *g)
{
	sigset_t all, old;
	int rc;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	rc = pthread_create(&g->thread, NULL, stub_main, g);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	return rc ? MH_ENOMEM : 0;
}

static int stub_new(struct mh_vm *vm, const char *address, u32 flags, struct mhi_gdb_stub **out,
		    struct mhi_err *err)
{
	struct mhi_gdb_stub *g = calloc(1, sizeof(*g));
	int rc;

	if (!g)
		return mhi_err_set(err, MH_ENOMEM, MHI_NO_MEMORY);
	g->vm = vm;
	g->wait = (flags & MH_GDB_WAIT) != 0;
	g->listen = g->peer = -1;
	g->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	g->spare = fcntl(g->wake, F_DUPFD_CLOEXEC, 0);
	rc = g->wake < 0 || g->spare < 0
		     ? mhi_err_set(
			       err, MH_ENOMEM,
			       "no descriptor is left; close some, or raise the limit (ulimit -n)")
		     : mhi_gdb_open(g, address, err);
	if (rc)
		stub_free(g);
	else
		*out = g;
	return rc;
}

/* Under vm->lock. */
static int install(struct mh_vm *vm, struct mhi_gdb_stub *g, struct mhi_err *err)
{
	if (mhi_vm_inside(vm))
		return mhi_err_set(err, MH_ESTATE, "the call comes from a handler of the VM");
	if (vm->gdb)
		return mhi_err_set(err, MH_EEXIST,
				   "it listens already; end that by mh_gdb_unlisten");
	if (stub_start(g))
		return mhi_err_set(
			err, MH_ENOMEM,
			"no thread can be made; end some, or raise the limit (ulimit -u)");
	vm->gdb = g;
	return 0;
}

int mh_gdb_listen(struct mh_vm *vm, const char *address, uint32_t flags)
{
	struct mhi_gdb_stub *g = NULL;
	struct mhi_err *err;
	int rc;

	if (!vm)
		return MH_EINVAL;
	err = mhi_ctx_err(vm->ctx);
	if (!address || (flags & ~MH_GDB_WAIT))
		rc = mhi_err_set(err, MH_EINVAL, "address is NULL, or there is no such flag");
	else if (!vm->ops->debug)
		rc = mhi_err_set(err, MH_ENOTSUP, "the %s engine has no way to debug guests",
				 vm->ops->name);
	else
		rc = stub_new(vm, address, flags, &g, err);
	if (!rc) {
		mhi_vm_enter(vm);
		rc = install(vm, g, err);
		mhi_vm_leave(vm);
		if (rc)
			stub_free(g);
	}
	if (rc)
		mhi_err_wrap(err, "GDB stub of VM \"%s\"", vm->name);
	return rc;
}

void mhi_gdb_end(struct mh_vm *vm)
{
	struct mhi_gdb_stub *g = vm->gdb;

	if (!g)
		return;
	pthread_mutex_lock(&vm->lock);
	g->quit = true;
	mhi_gdb_wake(vm);
	pthread_mutex_unlock(&vm->lock);
	pthread_join(g->thread, NULL);
	mhi_vm_enter(vm);
	vm->gdb = NULL;
	mhi_vm_leave(vm);
	stub_free(g);
}

void mhi_gdb_confine(struct mh_vm *vm)
{
	struct mhi_gdb_stub *g;

	pthread_mutex_lock(&vm->lock);
	g = vm->gdb;
	if (g && !g->quit) {
		g->confine = true;
		mhi_gdb_wake(vm);
		while (g->confine)
			pthread_cond_wait(&vm->cond, &vm->lock);
	}
	pthread_mutex_unlock(&vm->lock);
}

int mh_gdb_unlisten(struct mh_vm *vm)
{
	struct mhi_err *err;
	bool inside, ends;

	if (!vm)
		return MH_EINVAL;
	err = mhi_ctx_err(vm->ctx);
	pthread_mutex_lock(&vm->lock);
	inside = mhi_vm_inside(vm);
	ends = !inside && vm->gdb && !vm->gdb->quit;
	if (ends)
		vm->gdb->quit = true;
	pthread_mutex_unlock(&vm->lock);
	if (inside)
		return mhi_err_set(err, MH_ESTATE,
				   "GDB stub of VM \"%s\": the call comes from a handler",
				   vm->name);
	if (!ends)
		return mhi_err_set(err, MH_ENOENT, "GDB stub of VM \"%s\": there is none",
				   vm->name);
	mhi_gdb_end(vm);
	return 0;
}

int mh_gdb_port(struct mh_vm *vm)
{
	int port;

	if (!vm)
		return MH_EINVAL;
	pthread_mutex_lock(&vm->lock);
	port = vm->gdb ? vm->gdb->port : 0;
	pthread_mutex_unlock(&vm->lock);
	return port ? port
		    : mhi_err_set(mhi_ctx_err(vm->ctx), MH_ENOENT,
				  "GDB stub of VM \"%s\": it listens on no port", vm->name);
}
