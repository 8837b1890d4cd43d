/* SPDX-License-Identifier: MIT */
/* Devices on PCI: making them, plugging them into a VM, taking them out. */
#include "api/dev.h"

#include <stdio.h>
#include <stdlib.h>

#include "virtio/rng.h"

#define SLOT_FLAGS MH_VIRTIO_SLOT(31)

/* Every config of a device starts with its size. */
static int check_config(struct mh_vm *vm, const void *config, size_t want)
{
	struct mhi_err *err = mhi_ctx_err(vm->ctx);
	size_t size;

	if (!config)
		return mhi_err_set(
			err, MH_EINVAL,
			"config is NULL; pass a pointer to one that its INIT macro began");
	memcpy(&size, config, sizeof(size));
	if (size != want)
		return mhi_err_set(err, MH_EINVAL,
				   "config.size is %zu, not %zu; use the INIT macro", size, want);
	if (!vm->machine)
		return mhi_err_set(err, MH_EINVAL,
				   "a bare VM (MH_VM_BARE) has no place for it; create the VM "
				   "without that flag");
	return 0;
}

int mhi_dev_begin(struct mh_vm *vm, const char *what, const void *config, size_t config_bytes,
		  struct mh_dev **out)
{
	struct mhi_err *err;
	struct mh_dev *dev;
	int rc;

	if (!vm)
		return MH_EINVAL;
	err = mhi_ctx_err(vm->ctx);
	rc = check_config(vm, config, config_bytes);
	if (rc) {
		mhi_err_wrap(err, "%s of VM \"%s\"", what, vm->name);
		return rc;
	}
	rc = mhi_vm_enter_setup(vm, what);
	if (rc)
		return rc;
	dev = calloc(1, sizeof(*dev));
	if (!dev) {
		rc = mhi_err_set(err, MH_ENOMEM, MHI_NO_MEMORY);
	} else {
		snprintf(dev->owner, sizeof(dev->owner), "VM \"%s\"", vm->name);
		dev->vm = vm;
		dev->what = what;
		dev->env = (struct mhi_vdev_env){ .mem = &vm->mem,
						  .log = &vm->ctx->log,
						  .owner = dev->owner };
		rc = mhi_ctx_loop(vm->ctx, &dev->env.loop, err);
	}
	if (rc) {
		mhi_err_wrap(err, "%s of VM \"%s\"", what, vm->name);
		free(dev);
		mhi_vm_leave(vm);
		return rc;
	}
	mhi_dev_errors_init(dev);
	*out = dev;
	return 0;
}

static int make_card(struct mh_dev *dev, u32 flags, struct mhi_err *err)
{
	int rc;

	if (!dev->vdev) {
		dev->card = dev->watchdog ? mhi_watchdog_pci(dev->watchdog)
					  : mhi_framebuffer_pci(dev->framebuffer);
		return 0;
	}
	if (flags & MH_VIRTIO_SPLIT)
		dev->vdev->offered &= ~VIRTIO_F_RING_PACKED;
	rc = mhi_vpci_init(&dev->pci, dev->vdev, dev->vm->ops->doorbell != NULL);
	if (rc)
		return mhi_err_set(err, rc,
				   "out of memory or file descriptors; free some, or raise the "
				   "limit (ulimit -n)");
	dev->card = &dev->pci.pci;
	return 0;
}

static int plug(struct mh_dev *dev, u32 flags, struct mhi_err *err)
{
	int rc;

	if (dev->ps2)
		return mhi_machine_ps2(dev->vm->machine, true, err);
	rc = make_card(dev, flags, err);
	if (rc)
		return rc;
	dev->card->want_slot = (flags & SLOT_FLAGS) / MH_VIRTIO_SLOT(1);
	return mhi_machine_pci_add(dev->vm->machine, dev->card, err);
}

/* It is not plugged in, and may be half made. */
static void dev_free(struct mh_dev *dev)
{
	if (dev->vdev && dev->card)
		mhi_vpci_fini(&dev->pci);
	if (dev->vdev)
		dev->vdev->ops->destroy(dev->vdev);
	if (dev->watchdog)
		mhi_watchdog_destroy(dev->watchdog);
	if (dev->framebuffer)
		mhi_framebuffer_destroy(dev->framebuffer);
	mhi_display_destroy(dev->display);
	mhi_dev_errors_fini(dev);
	free(dev->folder);
	free(dev->tag);
	free(dev->label);
	free(dev);
}

static void add_share(struct mh_dev *dev)
{
	pthread_mutex_lock(&dev->vm->shares_lock);
	dev->next_share = dev->vm->shares;
	dev->vm->shares = dev;
	pthread_mutex_unlock(&dev->vm->shares_lock);
}

static void remove_share(struct mh_dev *dev)
{
	struct mh_dev **at = &dev->vm->shares;

	pthread_mutex_lock(&dev->vm->shares_lock);
	while (*at != dev)
		at = &(*at)->next_share;
	*at = dev->next_share;
	pthread_mutex_unlock(&dev->vm->shares_lock);
}

int mhi_dev_end(struct mh_dev *dev, u32 flags, int rc, struct mh_dev **out)
{
	struct mh_vm *vm = dev->vm;
	struct mhi_err *err = mhi_ctx_err(vm->ctx);

	if (!rc)
		rc = plug(dev, flags, err);
	if (rc) {
		mhi_err_wrap(err, "%s of VM \"%s\"", dev->what, vm->name);
		dev_free(dev);
	} else {
		if (dev->adopted)
			*dev->adopted = true;
		/* Paired with mhi_vm_display. */
		if (dev->display)
			__atomic_store_n(&vm->display, dev->display, __ATOMIC_RELEASE);
		dev->display = NULL;
		mhi_dev_input_attached(dev, true);
		dev->next = vm->devs;
		vm->devs = dev;
		if (dev->tag)
			add_share(dev);
		if (out)
			*out = dev;
	}
	mhi_vm_leave(vm);
	return rc;
}

static void unplug(struct mh_dev *dev)
{
	if (dev->tag)
		remove_share(dev);
	mhi_dev_input_attached(dev, false);
	if (dev->ps2)
		mhi_machine_ps2(dev->vm->machine, false, NULL);
	else
		mhi_machine_pci_remove(dev->vm->machine, dev->card);
	dev_free(dev);
}

void mhi_vm_free_devs(struct mh_vm *vm)
{
	while (vm->devs) {
		struct mh_dev *dev = vm->devs;

		vm->devs = dev->next;
		unplug(dev);
	}
}

/* One device of the list, which stays one. */
static void take_out(struct mh_vm *vm, struct mh_dev **at)
{
	struct mh_dev *dev = *at;

	*at = dev->next;
	unplug(dev);
	mhi_vm_forget_dev(vm, dev);
}

void mhi_dev_detach(struct mh_dev *dev)
{
	struct mh_vm *vm = dev->vm;
	struct mh_dev **at;

	/* Those that go with it came later: they are before it. */
	for (at = &vm->devs; *at != dev;)
		if ((*at)->leader == dev)
			take_out(vm, at);
		else
			at = &(*at)->next;
	take_out(vm, at);
}

int mh_dev_detach(struct mh_dev *dev)
{
	struct mh_vm *vm;
	int rc;

	if (!dev)
		return 0;
	vm = dev->vm;
	rc = mhi_vm_enter_setup(vm, "detach a device of");
	if (rc)
		return rc;
	mhi_dev_detach(dev);
	mhi_vm_leave(vm);
	return 0;
}

int mhi_dev_check_flags(struct mh_dev *dev, u32 flags, u32 known)
{
	u32 unknown = flags & ~(MH_VIRTIO_SPLIT | SLOT_FLAGS | known);

	if (unknown)
		return mhi_err_set(
			mhi_ctx_err(dev->vm->ctx), MH_EINVAL,
			"config.flags has unknown bits 0x%x; use those that go with this device",
			unknown);
	return 0;
}

static int make_rng(struct mh_dev *dev, const struct mh_rng_config *config)
{
	int rc = mhi_dev_check_flags(dev, config->flags, 0);

	if (rc)
		return rc;
	rc = mhi_rng_create(&dev->env, &dev->vdev);
	return rc ? mhi_err_set(mhi_ctx_err(dev->vm->ctx), rc, MHI_NO_MEMORY) : 0;
}

int mh_rng_attach(struct mh_vm *vm, const struct mh_rng_config *config, struct mh_dev **out)
{
	const struct mh_rng_config defaults = MH_RNG_CONFIG_INIT;
	struct mh_dev *dev;
	int rc;

	if (!config)
		config = &defaults;
	rc = mhi_dev_begin(vm, "random numbers", config, sizeof(*config), &dev);
	return rc ? rc : mhi_dev_end(dev, config->flags, make_rng(dev, config), out);
}
