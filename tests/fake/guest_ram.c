// SPDX-License-Identifier: MIT
/* Guest memory for tests, over an anonymous mapping of the host. */
#include "guest_ram.h"

#include <stdlib.h>
#include <sys/mman.h>

#define HOLE_START 0xc0000000ull
#define HOLE_END 0x100000000ull
#define LIMIT (1ull << 40)
#define FILL_MAX (16ull << 20)

static void map(struct guest_ram *ram, unsigned int n, u64 gpa, u64 offset, u64 bytes)
{
	struct mhi_slot slot = {
		.gpa = gpa,
		.bytes = bytes,
		.hva = (u64)(uintptr_t)ram->host + offset,
	};

	if (mhi_slots_set(&ram->mem.slots, n, &slot, LIMIT))
		abort();
}

void guest_ram_init(struct guest_ram *ram, u64 bytes)
{
	u64 low = bytes < HOLE_START ? bytes : HOLE_START;

	memset(ram, 0, sizeof(*ram));
	ram->mem.gpa_limit = LIMIT;
	ram->bytes = bytes;
	ram->host = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (ram->host == MAP_FAILED)
		abort();
	ram->mem.own = (u64)(uintptr_t)ram->host;
	ram->mem.own_bytes = bytes;
	if (bytes <= FILL_MAX)
		memset(ram->host, 0xcc, bytes);
	map(ram, 0, 0, 0, low);
	if (bytes > low)
		map(ram, 1, HOLE_END, low, bytes - low);
}

void guest_ram_fini(struct guest_ram *ram)
{
	munmap(ram->host, ram->bytes);
}
