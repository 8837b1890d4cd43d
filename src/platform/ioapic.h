/* SPDX-License-Identifier: MIT */
/* The I/O APIC: 24 interrupt lines in, messages to the local APICs out. */
#ifndef MHI_PLATFORM_IOAPIC_H
#define MHI_PLATFORM_IOAPIC_H

#include <pthread.h>

#include "core/irq.h"
#include "macrohard/vm.h"

#define MHI_IOAPIC_PINS 24
#define MHI_IOAPIC_BYTES 0x1000ull

struct mhi_ioapic {
	/* Protects everything marked (m). Innermost: devices raise lines with their own lock held,
	 * and the message sink is called with this one held, so that messages keep their order. */
	pthread_mutex_t lock;
	struct mhi_msi_sink msi;    /* (c) */
	u64 entry[MHI_IOAPIC_PINS]; /* (m) redirection table */
	u32 lines;		    /* (m) bit n: pin n is high */
	u8 select;		    /* (m) IOREGSEL */
	u8 id;			    /* (m) */
};

void mhi_ioapic_init(struct mhi_ioapic *io, const struct mhi_msi_sink *msi);
void mhi_ioapic_fini(struct mhi_ioapic *io);
/* All entries masked; the lines stay as their devices drive them. */
void mhi_ioapic_reset(struct mhi_ioapic *io);
/* A struct mhi_irq_sink over this has opaque = io. Lines that do not exist are ignored. */
void mhi_ioapic_set(void *opaque, unsigned int gsi, bool level);
/* A local APIC finished a level-triggered interrupt of this vector. */
void mhi_ioapic_eoi(struct mhi_ioapic *io, u32 vector);

/* For the MMIO bus, opaque = io. */
extern const struct mh_io_ops mhi_ioapic_ops;

#endif
