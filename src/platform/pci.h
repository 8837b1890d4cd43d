/* SPDX-License-Identifier: MIT */
/*
 * The PCI root bus: 32 slots of one function each, reached by CF8/CFC and by ECAM, with a 32-bit
 * and a 64-bit window for BARs. Devices come by core/pci_dev.h.
 */
#ifndef MHI_PLATFORM_PCI_H
#define MHI_PLATFORM_PCI_H

#include "core/err.h"
#include "core/irq.h"
#include "core/pci_dev.h"
#include "macrohard/vm.h"

#define MHI_PCI_SLOTS 32
#define MHI_PCI_PINS 4
#define MHI_PCI_PORT 0xcf8
#define MHI_PCI_PORTS 8

/* One bus of ECAM: 32 devices of 8 functions of 4 KiB. PCIe 5.0, 7.2.2 "ECAM". */
#define MHI_ECAM_BASE 0xf0000000ull
#define MHI_ECAM_BYTES 0x100000ull
#define MHI_PCI_WINDOW32 0xe0000000ull
#define MHI_PCI_WINDOW32_BYTES 0x10000000ull
/* Firmware places BARs downwards from the I/O APIC; it knows none of the windows. */
#define MHI_PCI_WINDOW_FW (MHI_ECAM_BASE + MHI_ECAM_BYTES)
#define MHI_PCI_WINDOW_FW_BYTES (0xfec00000ull - MHI_PCI_WINDOW_FW)

struct mhi_pci;

struct mhi_pci_env {
	struct mhi_irq_sink lines;
	struct mhi_msi_sink msi;
	struct mhi_doorbell_sink doorbell; /* set may be NULL */
	struct mhi_memory_sink memory;	   /* set may be NULL */
	u64 window64, window64_bytes;	   /* 0, 0: there is none */
};

/* With the host bridge in slot 0. 0; MH_ENOMEM. */
int mhi_pci_create(const struct mhi_pci_env *env, struct mhi_pci **out);
/* Devices have been removed before. */
void mhi_pci_destroy(struct mhi_pci *pci);
/*
 * Plug a device into the slot that it wants, or the next free one: its configuration space is new,
 * its BARs have addresses, its decoders are off. Any thread. 0; MH_EEXIST (another device is in
 * that slot), MH_ERANGE (no slot or no address space is left), MH_EINVAL (what the device says of
 * itself cannot be), MH_ENOMEM.
 */
int mhi_pci_add(struct mhi_pci *pci, struct mhi_pci_dev *dev);
/* When it returns, nobody is in a function of the device, nor will be. */
void mhi_pci_remove(struct mhi_pci *pci, struct mhi_pci_dev *dev);
/* Of a device that is plugged in. */
unsigned int mhi_pci_slot(const struct mhi_pci_dev *dev);
/* No vCPU runs. */
void mhi_pci_reset(struct mhi_pci *pci);
void mhi_pci_run(struct mhi_pci *pci, bool on);

/* The line that a pin of a slot is wired to. */
unsigned int mhi_pci_gsi(unsigned int slot, unsigned int pin);

/* For the buses. opaque: the PCI bus. */
extern const struct mh_io_ops mhi_pci_port_io_ops, mhi_pci_ecam_ops;
extern const struct mh_io_ops mhi_pci_window32_ops, mhi_pci_window_fw_ops, mhi_pci_window64_ops;

#endif
