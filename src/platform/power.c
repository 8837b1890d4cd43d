/* SPDX-License-Identifier: MIT */
/*
 * Power-off and reset as the guest asks for them. ACPI 6.5, 4.8.3.7 "Sleep Control and Status
 * Registers"; the reset control register of PC chipsets; pvpanic.
 */
#include "platform/power.h"

/* ACPI 6.5, table 4.19 "Sleep Control Register". */
#define SLEEP_TYPE_SHIFT 2
#define SLEEP_TYPE_MASK 7
#define SLEEP_ENABLE 0x20

#define RESET_CPU 0x04 /* of the reset control register */

/* QEMU's docs/specs/pvpanic: what a guest may write, and reads as what there is. */
#define PANIC_PANICKED 0x01
#define PANIC_CRASH_KERNEL 0x02

/* mov dx, port; mov al, value; out dx, al; 1: hlt; jmp 1b */
const u8 mhi_reset_code[MHI_RESET_CODE_BYTES] = {
	0xba, MHI_RESET_PORT & 0xff, MHI_RESET_PORT >> 8, 0xb0, MHI_RESET_VALUE, 0xee, 0xf4, 0xeb,
	0xfd
};

static uint64_t zero_read(void *opaque, uint64_t offset, unsigned int bytes)
{
	return 0;
}

static void sleep_write(void *opaque, uint64_t offset, unsigned int bytes, uint64_t value)
{
	struct mhi_power_port *port = opaque;

	if (offset != 0 || !(value & SLEEP_ENABLE))
		return;
	if ((value >> SLEEP_TYPE_SHIFT & SLEEP_TYPE_MASK) == MHI_SLEEP_TYPE_S5)
		port->power(port->opaque, MHI_POWER_OFF);
}

static void reset_write(void *opaque, uint64_t offset, unsigned int bytes, uint64_t value)
{
	struct mhi_power_port *port = opaque;

	if (value & RESET_CPU)
		port->power(port->opaque, MHI_POWER_RESET);
}

static uint64_t panic_read(void *opaque, uint64_t offset, unsigned int bytes)
{
	return PANIC_PANICKED | PANIC_CRASH_KERNEL;
}

static void panic_write(void *opaque, uint64_t offset, unsigned int bytes, uint64_t value)
{
	struct mhi_power_port *port = opaque;

	if (value & PANIC_PANICKED)
		port->power(port->opaque, MHI_POWER_PANIC);
	if (value & PANIC_CRASH_KERNEL)
		port->power(port->opaque, MHI_POWER_CRASH_KERNEL);
}

const struct mh_io_ops mhi_panic_ops = {
	.version = 1,
	.read = panic_read,
	.write = panic_write,
};

const struct mh_io_ops mhi_sleep_ops = {
	.version = 1,
	.read = zero_read,
	.write = sleep_write,
};

const struct mh_io_ops mhi_reset_ops = {
	.version = 1,
	.read = zero_read,
	.write = reset_write,
};
