/* SPDX-License-Identifier: MIT */
/* Attaching console devices, and the host's ends of their ports. */
#include "api/dev.h"
#include "virtio/console.h"

static int check(struct mh_dev *dev, const struct mh_console_config *config)
{
	struct mhi_err *err = mhi_ctx_err(dev->vm->ctx);

	if (!config->ports || config->ports > MHI_CONSOLE_PORTS_MAX || !config->port)
		return mhi_err_set(err, MH_EINVAL,
				   "config.ports is %u, not 1 to %d, or config.port is NULL; "
				   "describe the ports there",
				   config->ports, MHI_CONSOLE_PORTS_MAX);
	for (u32 n = 0; n < config->ports; n++) {
		const char *name = config->port[n].name;

		if (name && (!*name || strlen(name) >= MHI_CONSOLE_NAME))
			return mhi_err_set(err, MH_EINVAL,
					   "config.port[%u].name has %zu bytes, not 1 to %d; "
					   "choose another name, or NULL",
					   n, strlen(name), MHI_CONSOLE_NAME - 1);
	}
	return mhi_dev_check_flags(dev, config->flags, 0);
}

static int make(struct mh_dev *dev, const struct mh_console_config *config)
{
	struct mhi_console_port port[MHI_CONSOLE_PORTS_MAX] = { 0 };
	int rc = check(dev, config);

	if (rc)
		return rc;
	for (u32 n = 0; n < config->ports; n++) {
		if (config->port[n].name)
			memcpy(port[n].name, config->port[n].name, strlen(config->port[n].name));
		port[n].output = config->port[n].output;
		port[n].opaque = config->port[n].opaque;
	}
	dev->console = true;
	rc = mhi_console_create(&dev->env, port, config->ports, &dev->vdev);
	return rc ? mhi_err_set(mhi_ctx_err(dev->vm->ctx), rc, MHI_NO_MEMORY) : 0;
}

int mh_console_attach(struct mh_vm *vm, const struct mh_console_config *config, struct mh_dev **out)
{
	struct mh_dev *dev;
	int rc = mhi_dev_begin(vm, "console", config, sizeof(*config), &dev);

	return rc ? rc : mhi_dev_end(dev, config->flags, make(dev, config), out);
}

static int check_port(struct mh_dev *dev, u32 port)
{
	struct mh_vm *vm = dev->vm;

	if (!dev->console)
		return mhi_err_set(mhi_ctx_err(vm->ctx), MH_EINVAL,
				   "console of VM \"%s\": the device is no console; pass what "
				   "mh_console_attach gave",
				   vm->name);
	if (port >= mhi_console_ports(dev->vdev))
		return mhi_err_set(
			mhi_ctx_err(vm->ctx), MH_EINVAL,
			"console of VM \"%s\": there is no port %u; choose one from 0 to %u",
			vm->name, port, mhi_console_ports(dev->vdev) - 1);
	return 0;
}

int mh_console_input(struct mh_dev *dev, uint32_t port, const void *data, size_t bytes)
{
	int rc;

	if (!dev || (!data && bytes))
		return MH_EINVAL;
	rc = check_port(dev, port);
	return rc ? rc : (int)mhi_console_input(dev->vdev, port, data, bytes);
}

int mh_console_resize(struct mh_dev *dev, uint32_t port, uint16_t columns, uint16_t rows)
{
	int rc = dev ? check_port(dev, port) : MH_EINVAL;

	if (!rc)
		mhi_console_resize(dev->vdev, port, columns, rows);
	return rc;
}
