/* SPDX-License-Identifier: MIT */
/*
 * The PIO and MMIO buses: ranges with handlers, looked up by address on each exit. Ranges change
 * only while no vCPU runs; handlers are called on vCPU threads, several at once.
 */
#ifndef MHI_CORE_BUS_H
#define MHI_CORE_BUS_H

#include "base/types.h"
#include "macrohard/vm.h"

struct mhi_bus_range {
	u64 start, bytes;
	struct mh_io_ops ops;
	void *opaque;
};

struct mhi_bus {
	struct mhi_bus_range *range; /* [count], sorted by start */
	size_t count, capacity;
};

void mhi_bus_init(struct mhi_bus *bus);
void mhi_bus_fini(struct mhi_bus *bus);
/* 0; MH_EINVAL (empty, wraps, ops), MH_EEXIST, MH_ENOMEM. */
int mhi_bus_add(struct mhi_bus *bus, u64 start, u64 bytes, const struct mh_io_ops *ops,
		void *opaque);
int mhi_bus_remove(struct mhi_bus *bus, u64 start); /* MH_ENOENT */
/* Does a range hold [addr, addr + bytes) wholly? */
bool mhi_bus_has(const struct mhi_bus *bus, u64 addr, unsigned int bytes);
/*
 * An access that no range holds wholly reads as all ones and is dropped when written; returns false
 * then.
 */
bool mhi_bus_read(const struct mhi_bus *bus, u64 addr, unsigned int bytes, u64 *value);
bool mhi_bus_write(const struct mhi_bus *bus, u64 addr, unsigned int bytes, u64 value);

#endif
