/* SPDX-License-Identifier: MIT */
/* The PCI bus's own parts, between its files. */
#ifndef MHI_PLATFORM_PCI_PRIV_H
#define MHI_PLATFORM_PCI_PRIV_H

#include <pthread.h>

#include "core/le.h"
#include "platform/pci.h"

#define MHI_PCI_CONFIG_BYTES 256
#define MHI_PCI_NOWHERE (~0ull)
#define MHI_PCI_MAPPED_MAX (MHI_PCI_SLOTS * MHI_PCI_BARS)

/* The type 0 header: PCI 3.0, 6.1 "Configuration Space Organization". */
#define PCI_VENDOR 0x00
#define PCI_DEVICE 0x02
#define PCI_COMMAND 0x04
#define PCI_STATUS 0x06
#define PCI_REVISION 0x08
#define PCI_CLASS 0x09
#define PCI_CACHE_LINE 0x0c
#define PCI_BAR0 0x10
#define PCI_SUBVENDOR 0x2c
#define PCI_SUBSYSTEM 0x2e
#define PCI_CAP_POINTER 0x34
#define PCI_INTERRUPT_LINE 0x3c
#define PCI_INTERRUPT_PIN 0x3d
#define PCI_FIRST_CAP 0x40

/* 6.2.2 "Device Control" and 6.2.3 "Device Status". */
#define PCI_COMMAND_IO 0x0001
#define PCI_COMMAND_MEMORY 0x0002
#define PCI_COMMAND_MASTER 0x0004
#define PCI_COMMAND_PARITY 0x0040
#define PCI_COMMAND_SERR 0x0100
#define PCI_COMMAND_NO_INTX 0x0400
#define PCI_STATUS_INTX 0x0008
#define PCI_STATUS_CAPS 0x0010

/* 6.2.5.1 "Address Maps". */
#define PCI_BAR_WIDE 0x4
#define PCI_BAR_PREFETCH 0x8

/* 6.8.2 "MSI-X Capability and Table Structure". */
#define PCI_CAP_MSIX 0x11
#define MSIX_CAP_BYTES 12
#define MSIX_CONTROL 2
#define MSIX_ENABLE 0x8000
#define MSIX_MASK_ALL 0x4000
#define MSIX_ENTRY_BYTES 16
#define MSIX_VECTORS_MAX 2048

struct mhi_msix_entry {
	u32 word[4]; /* address low, address high, data, vector control */
};

struct mhi_msix {
	/* Protects (m); the message sink is called with it held. */
	pthread_mutex_t lock;
	struct mhi_msi_sink sink;     /* (c) */
	unsigned int count;	      /* (c) 0: the device has none */
	struct mhi_msix_entry *entry; /* (m) [count] */
	u64 *pending;		      /* (m) [ceil(count / 64)] bit i = vector i */
	bool enabled, masked;	      /* (m) */
};

struct mhi_pci_slot {
	struct mhi_pci *pci;		 /* (c) */
	unsigned int number;		 /* (c) */
	struct mhi_pci_dev *dev;	 /* (m), changed under map_lock too; NULL: empty */
	u8 config[MHI_PCI_CONFIG_BYTES]; /* (m) */
	u8 mask[MHI_PCI_CONFIG_BYTES];	 /* (m) writable bits */
	u8 cap_at[MHI_PCI_CAPS];	 /* (m) where the device's capabilities lie */
	u8 msix_at;			 /* (m) 0: no MSI-X */
	u64 home[MHI_PCI_BARS];		 /* (m) the addresses that BARs have after a reset */
	u64 at[MHI_PCI_BARS];		 /* (m) where a BAR answers, or MHI_PCI_NOWHERE */
	struct mhi_msix msix;
	bool intx;  /* (i) what the device drives */
	bool gated; /* (i) INTx is disabled */
};

/* A BAR that answers. */
struct mhi_pci_mapped {
	u64 start, bytes;
	struct mhi_pci_slot *slot;
	unsigned int bar;
};

/*
 * Lock order: lock, map_lock, then the device's own, then a slot's msix.lock or irq_lock. A device
 * is called with map_lock held for reading, so that it cannot be removed under a caller.
 */
struct mhi_pci {
	struct mhi_pci_env env; /* (c) */
	pthread_mutex_t lock;	/* protects (m): configuration */
	pthread_rwlock_t map_lock;
	pthread_mutex_t irq_lock; /* protects (i) */
	u32 asserted;		  /* (i) bit n: slot n drives its line */
	u32 address;		  /* (m) CONFIG_ADDRESS */
	struct mhi_pci_slot slot[MHI_PCI_SLOTS];
	struct mhi_pci_dev bridge;			  /* (c) */
	struct mhi_pci_mapped mapped[MHI_PCI_MAPPED_MAX]; /* map_lock; sorted by start */
	unsigned int mapped_count;			  /* map_lock */
};

/* pci_msix.c */
int mhi_msix_init(struct mhi_msix *x, unsigned int vectors, const struct mhi_msi_sink *sink);
void mhi_msix_fini(struct mhi_msix *x);
void mhi_msix_reset(struct mhi_msix *x);
/* The guest wrote message control. */
void mhi_msix_control(struct mhi_msix *x, u16 control);
bool mhi_msix_on(struct mhi_msix *x);
void mhi_msix_raise(struct mhi_msix *x, unsigned int vector);
/* An access to a BAR: true when it was to the table or to the pending bits. */
bool mhi_msix_access(struct mhi_pci_slot *slot, u64 offset, unsigned int bytes, bool write,
		     u64 *value);

/* pci_bar.c; under lock */
int mhi_pci_bar_place(struct mhi_pci_slot *slot);
/* BARs answer where the configuration says now. */
void mhi_pci_bar_update(struct mhi_pci_slot *slot);
void mhi_pci_bar_unmap(struct mhi_pci_slot *slot);

/* pci_cfg.c; under lock */
int mhi_pci_cfg_check(const struct mhi_pci_dev *dev);
void mhi_pci_cfg_reset(struct mhi_pci_slot *slot);
u32 mhi_pci_cfg_read(struct mhi_pci_slot *slot, unsigned int at, unsigned int bytes);
void mhi_pci_cfg_write(struct mhi_pci_slot *slot, unsigned int at, unsigned int bytes, u32 value);

/* pci.c: the line follows intx and gated. */
void mhi_pci_gate(struct mhi_pci_slot *slot, bool gated);

static inline u16 mhi_pci_command(const struct mhi_pci_slot *slot)
{
	return mhi_get_le16(slot->config + PCI_COMMAND);
}

#endif
