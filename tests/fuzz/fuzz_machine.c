// SPDX-License-Identifier: MIT
/*
 * Fuzzes the machine's own devices where a guest reaches them, on the buses: I/O APIC, serial
 * ports, RTC, power, PM timer, PCI, keyboard controller. The host types, moves the
 * mouse, presses the power button and resets meanwhile.
 */
#include <string.h>

#include "core/bus.h"
#include "fuzz.h"
#include "guest_ram.h"
#include "platform/machine.h"

#define RAM (1ull << 20)
#define OPS_MOST 300

static struct mhi_machine *machine;
static struct mhi_bus pio, mmio;
static u64 said;

static void on_msi(void *opaque, u64 addr, u32 data)
{
}

static void on_power(void *opaque, enum mhi_power what)
{
}

static void on_serial(void *opaque, const void *data, size_t bytes)
{
	for (const u8 *p = data; bytes; bytes--)
		said += *p++;
}

static void access(struct fuzz_input *in, const struct mhi_bus *bus, unsigned int most)
{
	u8 how = (u8)fuzz_take(in, 1), near = (u8)fuzz_take(in, 1);
	const struct mhi_bus_range *range = &bus->range[(how >> 3 & 15) % bus->count];
	unsigned int bytes = 1u << (how & 3);
	u64 at = range->start + near, value;

	bytes = bytes > most ? most : bytes;
	if (range->bytes > 256)
		at += fuzz_take(in, 3) % range->bytes;
	else
		at = range->start + near % (range->bytes + 2);
	if (how & 4)
		mhi_bus_write(bus, at, bytes, fuzz_take(in, bytes));
	else
		mhi_bus_read(bus, at, bytes, &value);
}

static void operate(struct fuzz_input *in)
{
	u8 op = (u8)fuzz_take(in, 1), typed[64] = { 0 };

	switch (op & 15) {
	case 0:
		mhi_machine_serial_input(machine, op >> 4 & 3, typed, op >> 2);
		break;
	case 1:
		if (op & 16)
			mhi_machine_power_button(machine);
		else
			mhi_machine_eoi(machine, (u32)fuzz_take(in, 1));
		break;
	case 7:
		mhi_machine_ps2_key(machine, (u32)fuzz_take(in, 1), op & 16);
		break;
	case 8:
		mhi_machine_ps2_move(machine, (s32)fuzz_take(in, 4), (s32)fuzz_take(in, 2),
				     op >> 4);
		mhi_machine_ps2_button(machine, op >> 5, op & 16);
		break;
	case 2:
		if (op >> 4 == 15 && mhi_machine_reset(machine, NULL))
			fuzz_die("machine", "it cannot be reset");
		break;
	case 3:
	case 4:
	case 5:
	case 6:
		access(in, &mmio, 8);
		break;
	default:
		access(in, &pio, 4);
	}
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	struct fuzz_input in = { data, data + size };
	struct guest_ram ram;
	const struct mhi_machine_env env = {
		.mem = &ram.mem,
		.pio = &pio,
		.mmio = &mmio,
		.msi = { .send = on_msi },
		.power = on_power,
		.ram_bytes = RAM,
		.cpus = 2,
		.phys_bits = 39,
	};

	guest_ram_init(&ram, RAM);
	mhi_bus_init(&pio);
	mhi_bus_init(&mmio);
	if (mhi_machine_create(&env, &machine, NULL) || mhi_machine_reset(machine, NULL))
		fuzz_die("cannot prepare", "machine");
	if (mhi_machine_ps2(machine, true, NULL))
		fuzz_die("machine", "it takes no keyboard");
	for (unsigned int port = 0; port < 2; port++)
		mhi_machine_serial_attach(machine, port, on_serial, NULL, NULL);
	for (unsigned int n = 0; n < OPS_MOST && fuzz_more(&in); n++)
		operate(&in);
	mhi_machine_destroy(machine);
	if (pio.count || mmio.count)
		fuzz_die("machine", "it leaves something on the buses");
	mhi_bus_fini(&pio);
	mhi_bus_fini(&mmio);
	guest_ram_fini(&ram);
	return 0;
}
