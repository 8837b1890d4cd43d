/* SPDX-License-Identifier: MIT */
/*
 * Events of a VM: the last ones are kept in a ring, from which the callback and the reader of the
 * descriptor take them, each at its own pace. All of it is under vm->lock.
 */
#include <stdio.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "api/impl.h"
#include "api/sized.h"

static u64 wall_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return (u64)now.tv_sec * 1000000000ull + (u64)now.tv_nsec;
}

static struct mh_event *place(struct mhi_events *e, u64 number)
{
	return &e->ring[number % MHI_COUNT(e->ring)];
}

struct mh_event *mhi_vm_emit(struct mh_vm *vm, enum mh_event_kind kind, const char *text)
{
	struct mhi_events *e = &vm->events;
	struct mh_event *event = place(e, ++e->last);

	*event = (struct mh_event){ .size = sizeof(*event),
				    .kind = kind,
				    .state = vm->state,
				    .number = e->last,
				    .time_ns = wall_ns() };
	if (vm->state == MH_VM_STOPPED)
		event->reason = vm->stop_reason;
	snprintf(event->text, sizeof(event->text), "%.*s", (int)strcspn(text, "\n"), text);
	/* It cannot fail: who takes the last event brings the count back to zero. */
	if (e->fd >= 0)
		eventfd_write(e->fd, 1);
	pthread_cond_broadcast(&vm->cond);
	return event;
}

/* The event behind *taken, or the oldest that is left. False: there is none. */
static bool take(struct mhi_events *e, u64 *taken, struct mh_event *out)
{
	if (e->last - *taken > MHI_COUNT(e->ring))
		*taken = e->last - MHI_COUNT(e->ring);
	if (*taken == e->last)
		return false;
	*out = *place(e, ++*taken);
	return true;
}

bool mhi_vm_tell_event(struct mh_vm *vm)
{
	struct mhi_events *e = &vm->events;
	mh_event_fn *fn = e->fn;
	void *opaque = e->opaque;
	struct mh_event event;

	if (!fn || !take(e, &e->told, &event))
		return false;
	pthread_mutex_unlock(&vm->lock);
	fn(opaque, vm, &event);
	pthread_mutex_lock(&vm->lock);
	return true;
}

void mhi_vm_forget_dev(struct mh_vm *vm, const struct mh_dev *dev)
{
	for (u32 i = 0; i < MHI_COUNT(vm->events.ring); i++)
		if (vm->events.ring[i].dev == dev)
			vm->events.ring[i].dev = NULL;
}

void mhi_vm_events_fini(struct mh_vm *vm)
{
	if (vm->events.fd >= 0)
		close(vm->events.fd);
}

int mh_vm_on_event(struct mh_vm *vm, mh_event_fn *fn, void *opaque)
{
	int rc;

	if (!vm)
		return MH_EINVAL;
	rc = mhi_vm_enter_setup(vm, "take events of");
	if (rc)
		return rc;
	vm->events.fn = fn;
	vm->events.opaque = opaque;
	vm->events.told = vm->events.last;
	mhi_vm_leave(vm);
	return 0;
}

int mh_vm_events_fd(struct mh_vm *vm)
{
	struct mhi_events *e;
	int fd;

	if (!vm)
		return MH_EINVAL;
	e = &vm->events;
	pthread_mutex_lock(&vm->lock);
	if (e->fd < 0) {
		e->fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
		e->read = e->last;
	}
	fd = e->fd;
	pthread_mutex_unlock(&vm->lock);
	return fd >= 0 ? fd
		       : mhi_err_set(mhi_ctx_err(vm->ctx), MH_ENOMEM,
				     "events of VM \"%s\": no file descriptor is left; raise the "
				     "limit (ulimit -n)",
				     vm->name);
}

int mh_vm_event_read(struct mh_vm *vm, struct mh_event *out)
{
	struct mh_event event;
	eventfd_t count;
	bool open, got;

	if (!vm)
		return MH_EINVAL;
	pthread_mutex_lock(&vm->lock);
	open = vm->events.fd >= 0;
	got = open && mhi_sized_ok(out) && take(&vm->events, &vm->events.read, &event);
	if (open && vm->events.read == vm->events.last)
		eventfd_read(vm->events.fd, &count);
	pthread_mutex_unlock(&vm->lock);
	if (!mhi_sized_ok(out))
		return mhi_err_set(mhi_ctx_err(vm->ctx), MH_EINVAL,
				   "read an event of VM \"%s\": out is NULL, or out->size is not "
				   "set; use MH_EVENT_INIT",
				   vm->name);
	if (!open)
		return mhi_err_set(mhi_ctx_err(vm->ctx), MH_ESTATE,
				   "read an event of VM \"%s\": none are kept; call "
				   "mh_vm_events_fd first",
				   vm->name);
	if (!got)
		return MH_ENOENT;
	mhi_sized_put(out, &event, sizeof(event));
	return 0;
}
