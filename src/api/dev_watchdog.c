/* SPDX-License-Identifier: MIT */
/* Attaching watchdogs, and what happens when one has not heard of its guest. */
#include "api/dev.h"

#define EXPIRED "the guest's watchdog expired"
/* A guest whose watchdog does nothing may let it expire as often as it likes. */
#define TELL_NS 1000000000ull

static const char *const texts[] = {
	[MH_WATCHDOG_RESET] = EXPIRED ": reset",
	[MH_WATCHDOG_POWEROFF] = EXPIRED ": power off",
	[MH_WATCHDOG_PAUSE] = EXPIRED ": pause",
	[MH_WATCHDOG_NONE] = EXPIRED,
};

static bool told_just_now(struct mh_dev *dev)
{
	u64 now = mhi_monotonic_ns();

	if (dev->action != MH_WATCHDOG_NONE)
		return false;
	if (dev->told_ns && now - dev->told_ns < TELL_NS)
		return true;
	dev->told_ns = now;
	return false;
}

static void tell(struct mh_dev *dev, const char *text)
{
	struct mh_vm *vm = dev->vm;

	if (told_just_now(dev))
		return;
	pthread_mutex_lock(&vm->lock);
	mhi_vm_emit(vm, MH_EVENT_WATCHDOG, text)->detail = dev->action;
	pthread_mutex_unlock(&vm->lock);
	mhi_log(&vm->ctx->log, MH_LOG_WARN, "VM \"%s\": %s", vm->name, text);
}

static void expired(void *opaque)
{
	struct mh_dev *dev = opaque;
	const char *text = texts[dev->action];

	tell(dev, text);
	switch ((enum mh_watchdog_action)dev->action) {
	case MH_WATCHDOG_RESET:
		mhi_vm_request(dev->vm, MHI_REQ_RESET, MH_STOP_WATCHDOG, text);
		break;
	case MH_WATCHDOG_POWEROFF:
		mhi_vm_request(dev->vm, MHI_REQ_STOP, MH_STOP_WATCHDOG, text);
		break;
	case MH_WATCHDOG_PAUSE:
		mhi_vm_request(dev->vm, MHI_REQ_PAUSE, MH_STOP_NONE, text);
		break;
	case MH_WATCHDOG_NONE:
		break;
	}
}

static int make(struct mh_dev *dev, const struct mh_watchdog_config *config)
{
	struct mhi_err *err = mhi_ctx_err(dev->vm->ctx);
	int rc = mhi_dev_check_flags(dev, config->flags, 0);

	if (rc)
		return rc;
	if (config->flags & MH_VIRTIO_SPLIT)
		return mhi_err_set(err, MH_EINVAL,
				   "MH_VIRTIO_SPLIT is for virtio devices; leave it out");
	if (config->action >= MHI_COUNT(texts))
		return mhi_err_set(err, MH_EINVAL,
				   "config.action is %u, not 0 to %zu; choose a number from there",
				   config->action, MHI_COUNT(texts) - 1);
	dev->action = config->action;
	rc = mhi_watchdog_create(dev->env.loop, expired, dev, &dev->watchdog);
	return rc ? mhi_err_set(err, rc, MHI_NO_MEMORY) : 0;
}

int mh_watchdog_attach(struct mh_vm *vm, const struct mh_watchdog_config *config,
		       struct mh_dev **out)
{
	const struct mh_watchdog_config defaults = MH_WATCHDOG_CONFIG_INIT;
	struct mh_dev *dev;
	int rc;

	if (!config)
		config = &defaults;
	rc = mhi_dev_begin(vm, "watchdog", config, sizeof(*config), &dev);
	return rc ? rc : mhi_dev_end(dev, config->flags, make(dev, config), out);
}
