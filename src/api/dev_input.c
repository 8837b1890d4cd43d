/* SPDX-License-Identifier: MIT */
/* Attaching input devices: several of them, which are one device for the caller. */
#include "api/dev.h"
#include "macrohard/input.h"

#define VIRTIO_KINDS (MH_INPUT_KEYBOARD | MH_INPUT_TABLET | MH_INPUT_TOUCH | MH_INPUT_MOUSE)
#define ALL_KINDS (VIRTIO_KINDS | MH_INPUT_PS2)
#define SLOTS MH_VIRTIO_SLOT(31)

static const struct kind {
	u32 bit;
	const char *what;
	enum mhi_input_kind kind;
} kinds[] = {
	{ MH_INPUT_KEYBOARD, "keyboard", MHI_INPUT_KEYBOARD },
	{ MH_INPUT_TABLET, "tablet", MHI_INPUT_TABLET },
	{ MH_INPUT_TOUCH, "touch screen", MHI_INPUT_TOUCH },
	{ MH_INPUT_MOUSE, "mouse", MHI_INPUT_MOUSE },
	{ MH_INPUT_PS2, "PS/2 keyboard and mouse", 0 },
};

static int check(struct mh_dev *dev, const struct mh_input_config *config)
{
	struct mhi_err *err = mhi_ctx_err(dev->vm->ctx);
	u32 virtio = config->kinds & VIRTIO_KINDS;
	int rc = mhi_dev_check_flags(dev, config->flags, 0);

	if (rc)
		return rc;
	if (!config->kinds || config->kinds & ~ALL_KINDS)
		return mhi_err_set(err, MH_EINVAL,
				   "config.kinds is 0x%x; make it of MH_INPUT_KEYBOARD and the "
				   "other kinds",
				   config->kinds);
	if (config->flags & SLOTS && (!virtio || virtio & (virtio - 1)))
		return mhi_err_set(err, MH_EINVAL,
				   "config.flags has a slot, and config.kinds %s; give a slot to "
				   "one virtio device at a time",
				   virtio ? "several devices" : "no device on PCI");
	return 0;
}

static int make(struct mh_dev *dev, const struct mh_input_config *config, const struct kind *kind)
{
	struct mhi_err *err = mhi_ctx_err(dev->vm->ctx);
	int rc = check(dev, config);

	if (rc)
		return rc;
	dev->input = kind->kind;
	dev->ps2 = kind->bit == MH_INPUT_PS2;
	if (dev->ps2)
		return 0;
	if (dev->vm->inputs.vdev[kind->kind])
		return mhi_err_set(err, MH_EEXIST,
				   "the VM has one already, and takes one of them; detach that");
	rc = mhi_input_create(&dev->env, kind->kind, &dev->vdev);
	return rc ? mhi_err_set(err, rc, MHI_NO_MEMORY) : 0;
}

void mhi_dev_input_attached(struct mh_dev *dev, bool on)
{
	struct mhi_inputs *in = &dev->vm->inputs;

	pthread_mutex_lock(&in->lock);
	if (dev->ps2)
		in->ps2 = on;
	else if (dev->vdev && dev->vdev->ops->id == MHI_INPUT_ID)
		in->vdev[dev->input] = on ? dev->vdev : NULL;
	pthread_mutex_unlock(&in->lock);
}

static int attach(struct mh_vm *vm, const struct mh_input_config *config, const struct kind *kind,
		  struct mh_dev **leader)
{
	struct mh_dev *dev;
	int rc = mhi_dev_begin(vm, kind->what, config, sizeof(*config), &dev);

	if (rc)
		return rc;
	dev->leader = *leader;
	rc = mhi_dev_end(dev, config->flags, make(dev, config, kind), &dev);
	if (!rc && !*leader)
		*leader = dev;
	return rc;
}

int mh_input_attach(struct mh_vm *vm, const struct mh_input_config *config, struct mh_dev **out)
{
	const struct mh_input_config defaults = MH_INPUT_CONFIG_INIT;
	struct mh_dev *leader = NULL;
	/* The first of them checks what there is to check. */
	u32 wanted = MH_INPUT_KEYBOARD;
	int rc = 0;

	if (!config)
		config = &defaults;
	if (config->size == sizeof(*config) && config->kinds & ALL_KINDS)
		wanted = config->kinds;
	for (unsigned int n = 0; n < MHI_COUNT(kinds) && !rc; n++)
		if (wanted & kinds[n].bit)
			rc = attach(vm, config, &kinds[n], &leader);
	if (rc) {
		mh_dev_detach(leader);
		return rc;
	}
	if (out)
		*out = leader;
	return 0;
}
