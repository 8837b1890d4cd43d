/* SPDX-License-Identifier: MIT */
/* Guest memory for tests: RAM of any size, laid out around the hole as the library does it. */
#ifndef FAKE_GUEST_RAM_H
#define FAKE_GUEST_RAM_H

#include "core/gmem.h"

struct guest_ram {
	struct mhi_gmem mem;
	void *host;
	u64 bytes;
};

/* Filled with 0xcc, so that what was not written shows; bytes up to 16 MiB, else zero. */
void guest_ram_init(struct guest_ram *ram, u64 bytes);
void guest_ram_fini(struct guest_ram *ram);

#endif
