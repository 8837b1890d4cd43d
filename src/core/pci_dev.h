/* SPDX-License-Identifier: MIT */
/*
 * The contract between a PCI device and the bus it is plugged into. The device fills in what it
 * is and keeps it; the bus owns its configuration space, where its BARs lie, and its MSI-X table.
 */
#ifndef MHI_CORE_PCI_DEV_H
#define MHI_CORE_PCI_DEV_H

#include "base/types.h"

#define MHI_PCI_BARS 6
#define MHI_PCI_CAPS 8
#define MHI_PCI_CAP_BODY 18
#define MHI_PCI_REGS 16

/* A capability. The bus adds the link to the next one. */
struct mhi_pci_cap {
	u8 id;
	u8 bytes;		       /* of body */
	bool watched;		       /* ops->cap hears of accesses to the body */
	u8 body[MHI_PCI_CAP_BODY];     /* what follows the id and the link */
	u8 writable[MHI_PCI_CAP_BODY]; /* bits that the guest may change */
};

/* A memory BAR; bytes is a power of two, at least 16. */
struct mhi_pci_bar {
	u64 bytes;     /* 0: there is none */
	bool wide;     /* 64-bit: it takes the next BAR's place too */
	bool prefetch; /* reading has no side effects */
	/*
	 * NULL, or: what is behind it, page-aligned, [bytes]. Guests reach it without the device,
	 * where the engine can, and by the device's functions else.
	 */
	void *host;
};

/* A guest's write there, of any width and value, may be replaced by a count into fd. */
struct mhi_pci_doorbell {
	unsigned int bar;
	u64 offset;
	int fd; /* an eventfd */
};

struct mhi_pci_dev_ops {
	/* vCPU threads, several at once; bytes is 1, 2, 4 or 8, within the BAR. */
	u64 (*bar_read)(void *opaque, unsigned int bar, u64 offset, unsigned int bytes);
	void (*bar_write)(void *opaque, unsigned int bar, u64 offset, unsigned int bytes,
			  u64 value);
	/* Before a read and after a write of [at, at + bytes) of a watched capability's body. */
	void (*cap)(void *opaque, unsigned int cap, u8 *body, bool write, unsigned int at,
		    unsigned int bytes);
	/*
	 * Before a read and after a write of the device's own registers in configuration space:
	 * [regs_bytes] of them.
	 */
	void (*regs)(void *opaque, u8 *body, bool write);
	/* Power-up state. No vCPU runs, nor does the device. */
	void (*reset)(void *opaque);
	/*
	 * The guest's vCPUs are about to run, or have stopped. The device touches guest memory
	 * only while they run: when run(false) returns, it has ended to.
	 */
	void (*run)(void *opaque, bool on);
	/* NULL, or: the n-th doorbell; false: there are only n. */
	bool (*doorbell)(void *opaque, unsigned int n, struct mhi_pci_doorbell *out);
};

/* What the bus does for a device. Any thread. */
struct mhi_pci_port_ops {
	/* MSI-X is enabled: vectors are to be used, not the line. */
	bool (*msix_on)(void *slot);
	/* A vector that is masked stays pending. One that does not exist is ignored. */
	void (*msix)(void *slot, unsigned int vector);
	/* The level of INTA#. */
	void (*intx)(void *slot, bool level);
};

/* Constant while plugged in, but for what the bus writes: port, slot and number. */
struct mhi_pci_dev {
	const struct mhi_pci_dev_ops *ops;
	void *opaque;
	u16 vendor, device, subvendor, subsystem;
	u8 revision;
	u32 class_code; /* 24 bits: class, subclass, programming interface */
	struct mhi_pci_bar bar[MHI_PCI_BARS];
	u16 msix_vectors; /* 0: no MSI-X; at most 2048 */
	u8 msix_bar;
	u32 msix_table, msix_pba; /* offsets in that BAR, multiples of 8 */
	struct mhi_pci_cap cap[MHI_PCI_CAPS];
	unsigned int caps;
	const u8 *rom; /* NULL, or: for firmware, [rom_bytes]; one device may have one */
	u32 rom_bytes;
	/* Registers of its own in configuration space, behind capabilities; 0 at power-up. */
	u8 regs_at, regs_bytes;		     /* 0, 0: there are none */
	u8 regs_writable[MHI_PCI_REGS];	     /* bits that the guest may change */
	unsigned int want_slot;		     /* 1 to 31; 0: the next free one */
	const struct mhi_pci_port_ops *port; /* NULL while not plugged in */
	void *slot;
	unsigned int number; /* of the slot */
};

#endif
