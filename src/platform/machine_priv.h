/* SPDX-License-Identifier: MIT */
/* The machine's parts, for machine.c and the boot loaders. */
#ifndef MHI_PLATFORM_MACHINE_PRIV_H
#define MHI_PLATFORM_MACHINE_PRIV_H

#include "platform/acpi.h"
#include "platform/fwcfg.h"
#include "platform/i8042.h"
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
	struct mhi_i8042 kbc;
	struct mhi_power_port power;
	unsigned int ranges; /* (c) how many rows of the map are on the buses */
	struct mhi_fwcfg fwcfg;
	u64 rom_bytes; /* of firmware; 0: there is none. This and the rest: while no vCPU runs */
	unsigned int disk_slot[MHI_PCI_SLOTS], disks; /* in the order in which they came */
	struct mhi_pci_dev *rom_dev;		      /* that has an option ROM; NULL: none */
};

/* What the tables say, but for where they are. */
struct mhi_acpi_config mhi_machine_acpi(const struct mhi_machine *m);

/* machine_fw.c: what firmware finds after a reset. MH_ENOMEM, MH_ERANGE. */
int mhi_machine_tell_firmware(struct mhi_machine *m, struct mhi_err *err);

#endif
