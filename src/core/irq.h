/* SPDX-License-Identifier: MIT */
/*
 * Interrupt lines of the machine: devices raise a line (GSI), the interrupt controller behind it is
 * chosen by the platform.
 */
#ifndef MHI_CORE_IRQ_H
#define MHI_CORE_IRQ_H

#include "base/types.h"

/* Sink of lines: the IOAPIC. Any thread. */
struct mhi_irq_sink {
	void (*set)(void *opaque, unsigned int gsi, bool level);
	void *opaque;
};

/* Sink of messages: the engine. Any thread. */
struct mhi_msi_sink {
	void (*send)(void *opaque, u64 addr, u32 data);
	void *opaque;
};

static inline void mhi_irq_set(const struct mhi_irq_sink *sink, unsigned int gsi, bool level)
{
	sink->set(sink->opaque, gsi, level);
}

#endif
