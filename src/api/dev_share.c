/* SPDX-License-Identifier: MIT */
/* Shared folders: the public configuration of virtio-9p and virtio-fs. */
#include "api/dev.h"

#include "virtio/be_embed.h"
#include "virtio/fs_dev.h"
#include "virtio/p9_dev.h"

static int check(struct mh_dev *dev, const struct mh_share_config *config)
{
	struct mhi_err *err = mhi_ctx_err(dev->vm->ctx);

	if (!config->path == !config->ops)
		return mhi_err_set(err, MH_EINVAL,
				   "config.path and config.ops are both %s; set one of them",
				   config->path ? "set" : "NULL");
	if (config->owners > MH_SHARE_HOST)
		return mhi_err_set(err, MH_EINVAL, "config.owners is %u; use one of MH_SHARE_*",
				   config->owners);
	if (config->readonly > 1)
		return mhi_err_set(err, MH_EINVAL, "config.readonly is %u; use 0 or 1",
				   config->readonly);
	return mhi_dev_check_flags(dev, config->flags, MH_SHARE_VIRTIOFS);
}

static enum mhi_tree_ids ids_of(u32 owners)
{
	switch (owners) {
	case MH_SHARE_MAPPED:
		return MHI_TREE_MAPPED;
	case MH_SHARE_HOST:
		return MHI_TREE_HOST;
	default:
		return MHI_TREE_SQUASH;
	}
}

static int make_ops(struct mh_dev *dev, const struct mh_share_config *config)
{
	struct mhi_err *err = mhi_ctx_err(dev->vm->ctx);
	const struct mh_p9_ops *ops = config->ops;
	struct mhi_p9_server *server;
	int rc;

	if (config->readonly || config->owners || config->uid || config->gid)
		return mhi_err_set(err, MH_EINVAL,
				   "config.readonly, owners, uid and gid are for folders, not for "
				   "config.ops; leave them 0");
	if (config->flags & MH_SHARE_VIRTIOFS)
		return mhi_err_set(err, MH_EINVAL,
				   "config.ops answers 9P, and config.flags has MH_SHARE_VIRTIOFS; "
				   "leave one of them out");
	if (ops->version != 1)
		return mhi_err_set(err, MH_EINVAL, "config.ops->version is %u, not 1; set it to 1",
				   ops->version);
	if (!ops->answer)
		return mhi_err_set(err, MH_EINVAL, "config.ops has no answer; give it one");
	rc = mhi_embed_p9_create(ops, config->opaque, &server);
	if (rc)
		return mhi_err_set(err, rc, MHI_NO_MEMORY);
	dev->adopted = mhi_embed_p9_adopted(server);
	return mhi_p9_dev_serve(&dev->env, server, config->tag, &dev->vdev, err);
}

static int make_folder(struct mh_dev *dev, const struct mh_share_config *config)
{
	struct mhi_err *err = mhi_ctx_err(dev->vm->ctx);
	const struct mhi_tree_config tree = {
		.path = config->path,
		.readonly = config->readonly,
		.ids = ids_of(config->owners),
		.uid = config->uid,
		.gid = config->gid,
	};
	const struct mhi_fuse_config fuse = { .tree = tree };
	const struct mhi_p9_config p9 = { .tree = tree };

	if (config->flags & MH_SHARE_VIRTIOFS)
		return mhi_fs_dev_create(&dev->env, &fuse, config->tag, &dev->vdev, err);
	return mhi_p9_dev_create(&dev->env, &p9, config->tag, &dev->vdev, err);
}

static int make(struct mh_dev *dev, const struct mh_share_config *config)
{
	int rc = check(dev, config);

	if (rc)
		return rc;
	rc = config->ops ? make_ops(dev, config) : make_folder(dev, config);
	if (rc)
		return rc;
	dev->readonly = config->readonly;
	dev->virtiofs = config->flags & MH_SHARE_VIRTIOFS;
	dev->host_ids = config->path && config->owners == MH_SHARE_HOST;
	dev->reach = config->path ? MH_SANDBOX_REACH_SHARES : 0;
	dev->folder = config->path ? strdup(config->path) : NULL;
	dev->tag = strdup(config->tag);
	return dev->tag && !dev->folder == !config->path
		       ? 0
		       : mhi_err_set(mhi_ctx_err(dev->vm->ctx), MH_ENOMEM, MHI_NO_MEMORY);
}

int mh_share_attach(struct mh_vm *vm, const struct mh_share_config *config, struct mh_dev **out)
{
	struct mh_dev *dev;
	int rc = mhi_dev_begin(vm, "shared folder", config, sizeof(*config), &dev);

	return rc ? rc : mhi_dev_end(dev, config->flags, make(dev, config), out);
}
