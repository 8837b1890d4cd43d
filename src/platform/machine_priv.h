/* SPDX-License-Identifier: MIT */
/* The machine's parts, for machine.c and the boot loaders. */
#ifndef MHI_PLATFORM_MACHINE_PRIV_H
#define MHI_PLATFORM_MACHINE_PRIV_H

#include "platform/ioapic.h"
#include "platform/machine.h"
#include "platform/pci.h"
#include "platform/power.h"
#include "platform/rtc.h"
#include "platform/uart.h"

struct mhi_machine {
	struct mhi_machine_env env; /* (c) */
	struct mhi_ioapic ioapic;
	struct mhi_uart com[MHI_UARTS];
	u32 uarts;	     /* (c) while vCPUs run; bit n: com[n] is on the bus */
	struct mhi_pci *pci; /* (c) */
	u64 pci_range[3];    /* (c) where PCI is on the MMIO bus */
	unsigned int pci_ranges;
	u64 window64, window64_bytes; /* (c) for BARs above 4 GiB; 0: there is no room */
	struct mhi_rtc rtc;
	struct mhi_power_port power;
	unsigned int ranges; /* (c) how many rows of the map are on the buses */
};

#endif
