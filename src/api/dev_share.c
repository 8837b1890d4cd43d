/* SPDX-License-Identifier: MIT */
/* Shared folders: the public configuration of virtio-9p. */
#include "api/dev.h"

#include "virtio/p9_dev.h"

static const char what[] = "shared folder";

static int check(struct mh_vm *vm, const struct mh_share_config *config)
{
	struct mhi_err *err = mhi_ctx_err(vm->ctx);
	int rc = mhi_dev_check_size(vm, what, config->size, sizeof(*config));

	if (!rc)
		rc = mhi_dev_check_flags(vm, what, config->flags);
	if (!rc && config->owners > MH_SHARE_HOST)
		rc = mhi_err_set(err, MH_EINVAL, "%s of VM \"%s\": config.owners is %u", what,
				 vm->name, config->owners);
	if (!rc && config->readonly > 1)
		rc = mhi_err_set(err, MH_EINVAL, "%s of VM \"%s\": config.readonly is %u", what,
				 vm->name, config->readonly);
	return rc;
}

static enum mhi_p9_ids ids_of(u32 owners)
{
	switch (owners) {
	case MH_SHARE_MAPPED:
		return MHI_P9_MAPPED;
	case MH_SHARE_HOST:
		return MHI_P9_HOST;
	default:
		return MHI_P9_SQUASH;
	}
}

int mh_share_attach(struct mh_vm *vm, const struct mh_share_config *config, struct mh_dev **out)
{
	struct mhi_p9_config p9;
	struct mh_dev *dev;
	int rc;

	if (!vm || !config)
		return MH_EINVAL;
	rc = check(vm, config);
	if (!rc)
		rc = mhi_dev_begin(vm, what, &dev);
	if (rc)
		return rc;
	p9 = (struct mhi_p9_config){
		.path = config->path,
		.readonly = config->readonly,
		.ids = ids_of(config->owners),
		.uid = config->uid,
		.gid = config->gid,
	};
	rc = mhi_p9_dev_create(&dev->env, &p9, config->tag, &dev->vdev, mhi_ctx_err(vm->ctx));
	return mhi_dev_end(dev, what, config->flags, rc, out);
}
