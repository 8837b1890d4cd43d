/* SPDX-License-Identifier: MIT */
/* The PIO and MMIO buses: a sorted array of ranges, found by binary search. */
#include "core/bus.h"

#include <stdlib.h>

#include "base/checked.h"

#define BUS_FIRST_CAPACITY 16

void mhi_bus_init(struct mhi_bus *bus)
{
	bus->range = NULL;
	bus->count = 0;
	bus->capacity = 0;
}

void mhi_bus_fini(struct mhi_bus *bus)
{
	free(bus->range);
	mhi_bus_init(bus);
}

/* The number of ranges that start at or below addr. */
static size_t ranges_up_to(const struct mhi_bus *bus, u64 addr)
{
	size_t low = 0, high = bus->count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (bus->range[middle].start <= addr)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static int bus_grow(struct mhi_bus *bus)
{
	size_t capacity = bus->capacity ? bus->capacity * 2 : BUS_FIRST_CAPACITY;
	struct mhi_bus_range *range;

	if (bus->count < bus->capacity)
		return 0;
	range = realloc(bus->range, capacity * sizeof(*range));
	if (!range)
		return MH_ENOMEM;
	bus->range = range;
	bus->capacity = capacity;
	return 0;
}

int mhi_bus_add(struct mhi_bus *bus, u64 start, u64 bytes, const struct mh_io_ops *ops,
		void *opaque)
{
	size_t at = ranges_up_to(bus, start);
	u64 last;

	/*
	 * The last byte, not the end, must not wrap: a range may reach the top of the address
	 * space.
	 */
	if (!ops || ops->version != 1 || !bytes || !mhi_add_u64(start, bytes - 1, &last))
		return MH_EINVAL;
	if (at && start - bus->range[at - 1].start < bus->range[at - 1].bytes)
		return MH_EEXIST;
	if (at < bus->count && bus->range[at].start <= last)
		return MH_EEXIST;
	if (bus_grow(bus))
		return MH_ENOMEM;
	memmove(&bus->range[at + 1], &bus->range[at], (bus->count - at) * sizeof(bus->range[0]));
	bus->range[at] = (struct mhi_bus_range){ start, bytes, *ops, opaque };
	bus->count++;
	return 0;
}

int mhi_bus_remove(struct mhi_bus *bus, u64 start)
{
	size_t after = ranges_up_to(bus, start);

	if (!after || bus->range[after - 1].start != start)
		return MH_ENOENT;
	memmove(&bus->range[after - 1], &bus->range[after],
		(bus->count - after) * sizeof(bus->range[0]));
	bus->count--;
	return 0;
}

static const struct mhi_bus_range *bus_find(const struct mhi_bus *bus, u64 addr, unsigned int bytes)
{
	size_t after = ranges_up_to(bus, addr);
	const struct mhi_bus_range *range;

	if (!after)
		return NULL;
	range = &bus->range[after - 1];
	if (addr - range->start >= range->bytes || range->bytes - (addr - range->start) < bytes)
		return NULL;
	return range;
}

bool mhi_bus_has(const struct mhi_bus *bus, u64 addr, unsigned int bytes)
{
	return bus_find(bus, addr, bytes) != NULL;
}

static u64 all_ones(unsigned int bytes)
{
	return bytes >= 8 ? ~0ull : MHI_BIT(8 * bytes) - 1;
}

bool mhi_bus_read(const struct mhi_bus *bus, u64 addr, unsigned int bytes, u64 *value)
{
	const struct mhi_bus_range *range = bus_find(bus, addr, bytes);

	*value = all_ones(bytes);
	if (!range)
		return false;
	if (range->ops.read)
		*value &= range->ops.read(range->opaque, addr - range->start, bytes);
	return true;
}

bool mhi_bus_write(const struct mhi_bus *bus, u64 addr, unsigned int bytes, u64 value)
{
	const struct mhi_bus_range *range = bus_find(bus, addr, bytes);

	if (!range)
		return false;
	if (range->ops.write)
		range->ops.write(range->opaque, addr - range->start, bytes,
				 value & all_ones(bytes));
	return true;
}
