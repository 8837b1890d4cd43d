/* SPDX-License-Identifier: MIT */
/* Attaching socket devices, and the host's connections to the guest. */
#include "api/dev.h"
#include "virtio/vsock.h"

#define CID_FIRST 3u /* 0 to 2 and the last one are not for guests */
#define CID_LAST 0xfffffffeu
#define CONNECTIONS_MAX 65536u

static int check_cid(struct mh_vm *vm, const char *name, u64 cid)
{
	if (cid < CID_FIRST || cid > CID_LAST)
		return mhi_err_set(mhi_ctx_err(vm->ctx), MH_EINVAL,
				   "%s is %llu, not %u to %u; choose a number from there", name,
				   cid, CID_FIRST, CID_LAST);
	return 0;
}

static int make(struct mh_dev *dev, const struct mh_vsock_config *config)
{
	const struct mhi_vsock_config c = { .cid = config->cid,
					    .path = config->path,
					    .connections = config->connections,
					    .accept = config->accept,
					    .opaque = config->opaque };
	struct mhi_err *err = mhi_ctx_err(dev->vm->ctx);
	int rc = mhi_dev_check_flags(dev, config->flags, 0);

	dev->reach = config->path ? MH_SANDBOX_REACH_UNIX : 0;
	if (!rc)
		rc = check_cid(dev->vm, "config.cid", config->cid);
	if (!rc && config->connections > CONNECTIONS_MAX)
		rc = mhi_err_set(
			err, MH_EINVAL,
			"config.connections is %u, not 0 to %u; choose a number from there",
			config->connections, CONNECTIONS_MAX);
	return rc ? rc : mhi_vsock_create(&dev->env, &c, &dev->vdev, err);
}

int mh_vsock_attach(struct mh_vm *vm, const struct mh_vsock_config *config, struct mh_dev **out)
{
	struct mh_dev *dev;
	int rc = mhi_dev_begin(vm, "vsock", config, sizeof(*config), &dev);

	return rc ? rc : mhi_dev_end(dev, config->flags, make(dev, config), out);
}

static int check_vsock(struct mh_dev *dev)
{
	if (!dev->vdev || dev->vdev->ops->id != MHI_VSOCK_ID)
		return mhi_err_set(mhi_ctx_err(dev->vm->ctx), MH_EINVAL,
				   "vsock of VM \"%s\": the device is no vsock; pass what "
				   "mh_vsock_attach gave",
				   dev->vm->name);
	return 0;
}

int mh_vsock_connect(struct mh_dev *dev, uint32_t port, uint32_t type)
{
	struct mhi_err *err;
	int rc = dev ? check_vsock(dev) : MH_EINVAL;

	if (rc)
		return rc;
	err = mhi_ctx_err(dev->vm->ctx);
	if (type != MH_VSOCK_STREAM && type != MH_VSOCK_SEQPACKET)
		rc = mhi_err_set(err, MH_EINVAL,
				 "type is %u; use MH_VSOCK_STREAM or MH_VSOCK_SEQPACKET", type);
	else
		rc = mhi_vsock_connect(dev->vdev, port, type, err);
	if (rc < 0)
		mhi_err_wrap(err, "vsock of VM \"%s\": connect to port %u", dev->vm->name, port);
	return rc;
}

int mh_vsock_cut(struct mh_dev *dev, uint64_t cid)
{
	int rc = dev ? check_vsock(dev) : MH_EINVAL;

	if (!rc && cid && check_cid(dev->vm, "cid", cid))
		rc = mhi_err_wrap(mhi_ctx_err(dev->vm->ctx), "vsock of VM \"%s\"", dev->vm->name);
	if (!rc)
		mhi_vsock_cut(dev->vdev, cid);
	return rc;
}
