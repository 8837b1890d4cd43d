/* SPDX-License-Identifier: MIT */
/*
 * Interrupt lines of the machine: devices raise a line (GSI), the interrupt controller behind it is
 * chosen by the platform. And the ways beside the lines: messages out, doorbells in.
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

/*
 * Sink of doorbells: a guest's write to gpa, of any width and value, is replaced by a count into
 * the eventfd fd, as long as it is on. The engine may not be able to: then the write arrives at the
 * device as any other does. Any thread.
 */
struct mhi_doorbell_sink {
	void (*set)(void *opaque, mh_gpa gpa, int fd, bool on);
	void *opaque;
};

/*
 * Sink of devices' memory: the guest has host memory [bytes] at gpa, as long as it is on. The
 * engine may not be able to: then accesses arrive at the device. One piece at a time. Any thread.
 */
struct mhi_memory_sink {
	void (*set)(void *opaque, mh_gpa gpa, void *host, u64 bytes, bool on);
	void *opaque;
};

static inline void mhi_irq_set(const struct mhi_irq_sink *sink, unsigned int gsi, bool level)
{
	sink->set(sink->opaque, gsi, level);
}

#endif
