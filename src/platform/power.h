/* SPDX-License-Identifier: MIT */
/*
 * Ports that end a run: ACPI sleep registers and the reset control register; and the one that tells
 * of a kernel's end, pvpanic.
 */
#ifndef MHI_PLATFORM_POWER_H
#define MHI_PLATFORM_POWER_H

#include "platform/machine.h"

/* The FADT names these. */
#define MHI_SLEEP_PORT 0x600 /* control; status is the next one */
#define MHI_SLEEP_PORTS 2
#define MHI_SLEEP_TYPE_S5 5
#define MHI_RESET_PORT 0xcf9
#define MHI_RESET_VALUE 0x06

/* Where QEMU has it; the DSDT names it. */
#define MHI_PANIC_PORT 0x505

/*
 * The real-mode code where a PC's firmware begins, F000:FFF0: writes the reset register. A Linux
 * guest of a hardware-reduced machine without EFI reboots by jumping there.
 */
#define MHI_RESET_VECTOR 0xffff0ull
#define MHI_RESET_CODE_BYTES 9
extern const u8 mhi_reset_code[MHI_RESET_CODE_BYTES];

struct mhi_power_port {
	void (*power)(void *opaque, enum mhi_power what); /* (c) */
	void *opaque;					  /* (c) */
};

/* For the PIO bus, opaque = a struct mhi_power_port. */
extern const struct mh_io_ops mhi_sleep_ops, mhi_reset_ops, mhi_panic_ops;

#endif
