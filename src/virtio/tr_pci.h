/* SPDX-License-Identifier: MIT */
/* The PCI transport: a virtio device as a PCI device. */
#ifndef MHI_VIRTIO_TR_PCI_H
#define MHI_VIRTIO_TR_PCI_H

#include "core/pci_dev.h"
#include "virtio/vdev.h"

struct mhi_vpci {
	struct mhi_vdev *dev;	    /* (c) */
	struct mhi_pci_dev pci;	    /* (c) plug this in */
	struct mhi_vpci_bell *bell; /* (c) [dev->vqs], or NULL */
	/* The rest under the device's lock. */
	u32 feature_select, driver_select;
	u16 queue_select, config_vector;
	u8 isr;
};

/* bells: make a doorbell for each queue. 0; MH_ENOMEM. */
int mhi_vpci_init(struct mhi_vpci *t, struct mhi_vdev *dev, bool bells);
/* It is not plugged in. Before mhi_vdev_fini. */
void mhi_vpci_fini(struct mhi_vpci *t);

#endif
