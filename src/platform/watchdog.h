/* SPDX-License-Identifier: MIT */
/* The watchdog of Intel's 6300ESB, as a PCI device: guests have had drivers for it for long. */
#ifndef MHI_PLATFORM_WATCHDOG_H
#define MHI_PLATFORM_WATCHDOG_H

#include "core/loop.h"
#include "core/pci_dev.h"

#define MHI_WATCHDOG_VENDOR 0x8086
#define MHI_WATCHDOG_DEVICE 0x25ab

struct mhi_watchdog;

/*
 * expired: the guest has not been heard of for both stages; [loop], while vCPUs run. 0; MH_ENOMEM.
 */
int mhi_watchdog_create(struct mhi_loop *loop, void (*expired)(void *opaque), void *opaque,
			struct mhi_watchdog **out);
/* Plug this in. */
struct mhi_pci_dev *mhi_watchdog_pci(struct mhi_watchdog *w);
/* It is not plugged in. */
void mhi_watchdog_destroy(struct mhi_watchdog *w);

#endif
