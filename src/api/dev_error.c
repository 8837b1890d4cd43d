/* SPDX-License-Identifier: MIT */
/*
 * Failures of devices' back ends, as events: the first one at once, then at most one a second, with
 * a count. Devices report from any thread and under their locks; the loop tells.
 */
#include <stdio.h>

#include "api/dev.h"

#define REST_MS 1000
#define RETRY_MS 5 /* while somebody has the VM's lock */

static const char *operation_name(enum mh_dev_operation operation)
{
	switch (operation) {
	case MH_DEV_READ:
		return "read";
	case MH_DEV_WRITE:
		return "write";
	case MH_DEV_FLUSH:
		return "flush";
	case MH_DEV_DISCARD:
		return "discard";
	case MH_DEV_WRITE_ZEROES:
		return "write zeroes";
	case MH_DEV_GONE:
		break;
	}
	return NULL;
}

static void sentence(const struct mh_dev *dev, const struct mh_event *event, char *text,
		     size_t bytes)
{
	const char *name = operation_name((enum mh_dev_operation)event->detail);
	char times[32] = "";

	if (!name) {
		snprintf(text, bytes, "%s in PCI slot %u: its other end is gone", dev->what,
			 event->slot);
		return;
	}
	if (event->count > 1)
		snprintf(times, sizeof(times), ", %llu times", (unsigned long long)event->count);
	snprintf(text, bytes, "%s in PCI slot %u: %s failed%s: %s (%s)%s%s", dev->what, event->slot,
		 name, times, mh_strerror(event->error), mh_err_name(event->error),
		 dev->label ? ": " : "", dev->label ? dev->label : "");
}

/* What was reported since the last time; count 0: nothing. */
static struct mh_event take(struct mh_dev *dev)
{
	struct mhi_dev_errors *e = &dev->errors;
	struct mh_event event = MH_EVENT_INIT;

	pthread_mutex_lock(&e->lock);
	event.detail = e->operation;
	event.error = e->error;
	event.count = e->count;
	e->count = 0;
	pthread_mutex_unlock(&e->lock);
	event.slot = dev->card->number;
	return event;
}

static void emit(struct mh_dev *dev, const struct mh_event *what, const char *text)
{
	struct mh_event *event = mhi_vm_emit(dev->vm, MH_EVENT_DEVICE_ERROR, text);

	event->detail = what->detail;
	event->error = what->error;
	event->count = what->count;
	event->slot = what->slot;
	event->dev = dev;
}

static void rest(struct mh_dev *dev, u64 ms)
{
	dev->errors.resting = true;
	mhi_timer_set(dev->errors.timer, ms);
}

/* [loop]. Who has the VM's lock may wait for the loop. */
static void tell(struct mh_dev *dev)
{
	char text[MH_EVENT_TEXT];
	struct mh_event what;

	if (pthread_mutex_trylock(&dev->vm->lock)) {
		rest(dev, RETRY_MS);
		return;
	}
	what = take(dev);
	if (what.count) {
		sentence(dev, &what, text, sizeof(text));
		emit(dev, &what, text);
	}
	pthread_mutex_unlock(&dev->vm->lock);
	if (!what.count)
		return;
	rest(dev, REST_MS);
	mhi_log(&dev->vm->ctx->log, MH_LOG_WARN, "VM \"%s\": %s", dev->vm->name, text);
}

static void on_timer(void *opaque)
{
	struct mh_dev *dev = opaque;

	dev->errors.resting = false;
	tell(dev);
}

static void on_wake(void *opaque)
{
	struct mh_dev *dev = opaque;
	struct mhi_dev_errors *e = &dev->errors;

	if (!e->timer && mhi_timer_create(dev->env.loop, on_timer, dev, &e->timer))
		return;
	if (!e->resting)
		tell(dev);
}

static void report(void *opaque, enum mh_dev_operation operation, int error)
{
	struct mh_dev *dev = opaque;
	struct mhi_dev_errors *e = &dev->errors;

	pthread_mutex_lock(&e->lock);
	e->operation = operation;
	e->error = error;
	e->count++;
	e->used = true;
	pthread_mutex_unlock(&e->lock);
	mhi_loop_wake(dev->env.loop, &e->wake);
}

void mhi_dev_errors_init(struct mh_dev *dev)
{
	pthread_mutex_init(&dev->errors.lock, NULL);
	dev->errors.wake = (struct mhi_wake){ .fn = on_wake, .opaque = dev };
	dev->env.failed = report;
	dev->env.failed_opaque = dev;
}

static void end_on_loop(void *opaque)
{
	struct mh_dev *dev = opaque;

	mhi_loop_cancel(dev->env.loop, &dev->errors.wake);
	mhi_timer_destroy(dev->errors.timer);
}

void mhi_dev_errors_fini(struct mh_dev *dev)
{
	if (dev->errors.used)
		mhi_loop_call(dev->env.loop, end_on_loop, dev);
	pthread_mutex_destroy(&dev->errors.lock);
}
