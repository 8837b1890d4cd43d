/* SPDX-License-Identifier: MIT */
/* What the functions that attach virtio devices share. */
#ifndef MHI_API_DEV_H
#define MHI_API_DEV_H

#include "api/impl.h"
#include "virtio/tr_pci.h"

struct mh_dev {
	struct mh_vm *vm;	 /* (c) */
	struct mh_dev *next;	 /* (p) */
	struct mhi_vdev *vdev;	 /* (c) */
	struct mhi_vdev_env env; /* (c) */
	struct mhi_vpci pci;	 /* (c) */
	bool console;		 /* (c) it has ports */
	char owner[64];		 /* (c) "VM \"name\"" */
};

int mhi_dev_check_size(struct mh_vm *vm, const char *what, size_t size, size_t want);
int mhi_dev_check_flags(struct mh_vm *vm, const char *what, u32 flags);
/*
 * Attaching is begin, making dev->vdev, end. Begin enters the VM for setup; end plugs the device
 * in if rc is 0, frees it else, and leaves the VM. what names the device in messages; end puts the
 * VM's name before the sentence that rc came with.
 */
int mhi_dev_begin(struct mh_vm *vm, const char *what, struct mh_dev **out);
int mhi_dev_end(struct mh_dev *dev, const char *what, u32 flags, int rc, struct mh_dev **out);

#endif
