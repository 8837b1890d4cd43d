// SPDX-License-Identifier: MIT
/*
 * Fuzzes fw_cfg where a guest reaches it: selectors, bytes, DMA requests at any address that say
 * anything. Items are as the machine makes them.
 */
#include <string.h>

#include "core/bus.h"
#include "fuzz.h"
#include "guest_ram.h"
#include "platform/fwcfg.h"
#include "platform/machine.h"

#define RAM (1ull << 20)
#define ROM 0x20000
#define OPS_MOST 200

static struct mhi_bus pio, mmio;
static struct guest_ram ram;

static void on_msi(void *opaque, u64 addr, u32 data)
{
}

static void on_power(void *opaque, enum mhi_power what)
{
}

static u64 address(struct fuzz_input *in)
{
	switch (fuzz_take(in, 1) & 3) {
	case 0:
		return fuzz_take(in, 8);
	case 1:
		return RAM - fuzz_take(in, 2) % 64;
	default:
		return fuzz_take(in, 3) % RAM;
	}
}

static void request(struct fuzz_input *in)
{
	u64 gpa = address(in);
	u8 r[16];

	fuzz_fill(in, r, sizeof(r));
	if (r[3] & 0x20)
		memset(r + 4, 0, 2);
	if (r[3] & 0x40)
		memset(r + 8, 0, 5);
	mhi_gmem_write(&ram.mem, gpa, r, sizeof(r), true);
	mhi_bus_write(&pio, MHI_FWCFG_PORT + 4, 4, __builtin_bswap32((u32)(gpa >> 32)));
	mhi_bus_write(&pio, MHI_FWCFG_PORT + 8, 4, __builtin_bswap32((u32)gpa));
}

static void operate(struct fuzz_input *in)
{
	u8 op = (u8)fuzz_take(in, 1);
	unsigned int bytes = 1u << (op >> 4 & 1) << (op >> 5 & 1);
	u64 value;

	switch (op & 7) {
	case 0:
		mhi_bus_write(&pio, MHI_FWCFG_PORT, 2, fuzz_take(in, 1) % 0x30);
		break;
	case 1:
		mhi_bus_write(&pio, MHI_FWCFG_PORT + fuzz_take(in, 1) % 12, bytes,
			      fuzz_take(in, bytes));
		break;
	case 2:
		mhi_bus_read(&pio, MHI_FWCFG_PORT + fuzz_take(in, 1) % 12, bytes, &value);
		break;
	default:
		request(in);
	}
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	struct fuzz_input in = { data, data + size };
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
	struct mhi_machine *machine;

	guest_ram_init(&ram, RAM);
	mhi_bus_init(&pio);
	mhi_bus_init(&mmio);
	if (mhi_machine_create(&env, &machine, NULL) || mhi_machine_firmware(machine, ROM, NULL) ||
	    mhi_machine_reset(machine, NULL))
		fuzz_die("cannot prepare", "machine");
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
