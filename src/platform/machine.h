/* SPDX-License-Identifier: MIT */
/*
 * The machine around the CPUs, as the VM sees it: made at creation, reset and loaded at each start.
 * The platform knows no engine: it is given memory, buses and sinks, and asks for power transitions
 * by callback.
 */
#ifndef MHI_PLATFORM_MACHINE_H
#define MHI_PLATFORM_MACHINE_H

#include "core/bus.h"
#include "core/err.h"
#include "core/gmem.h"
#include "core/irq.h"
#include "core/pci_dev.h"

/* Guest-physical map: RAM from 0 to at most 3 GiB, the rest from 4 GiB. SDM and PC conventions. */
#define MHI_RAM_HOLE_START 0xc0000000ull
#define MHI_RAM_HOLE_END 0x100000000ull
#define MHI_IOAPIC_BASE 0xfec00000ull
#define MHI_LAPIC_BASE 0xfee00000ull

/* What the guest does to its own running: the last two it only tells. */
enum mhi_power { MHI_POWER_OFF, MHI_POWER_RESET, MHI_POWER_PANIC, MHI_POWER_CRASH_KERNEL };

struct mhi_machine_env {
	struct mhi_gmem *mem;
	struct mhi_bus *pio, *mmio;
	struct mhi_msi_sink msi;
	struct mhi_doorbell_sink doorbell;		  /* set NULL: there are none */
	struct mhi_memory_sink memory;			  /* of devices; set NULL: nowhere */
	void (*power)(void *opaque, enum mhi_power what); /* from a vCPU thread */
	void *opaque;
	u64 ram_bytes;
	u32 cpus;
	u32 tsc_khz;
	u32 phys_bits; /* of guest-physical addresses */
};

struct mhi_machine;

/* What the boot CPU starts with; other CPUs wait for SIPI. Applied over the reset state. */
struct mhi_entry {
	bool reset;	/* the reset state is what it starts with: the rest is of no use */
	bool long_mode; /* 64-bit protocol state, else 32-bit flat protected mode (PVH) */
	u64 rip, rsi, rbx, rsp;
	u64 cr3; /* long mode */
	u64 gdt_base;
	u32 gdt_limit;
};

/*
 * A kernel with its initrd and command line, or firmware; read into memory once, loaded at each
 * start.
 */
struct mhi_boot;
int mhi_boot_create(const char *kernel, const char *initrd, const char *cmdline,
		    struct mhi_boot **out, struct mhi_err *err);
int mhi_boot_create_firmware(const char *path, struct mhi_boot **out, struct mhi_err *err);
/* The path of the firmware that is installed here. MH_ENOENT: there is none. */
int mhi_boot_find_firmware(const char **path, struct mhi_err *err);
/* What has to lie right below 4 GiB, page-aligned; NULL and 0 bytes: nothing. */
const void *mhi_boot_rom(const struct mhi_boot *boot, u64 *bytes);
void mhi_boot_destroy(struct mhi_boot *boot);
/*
 * Write everything into guest memory (kernel, initrd, zero page or start_info, page tables, GDT).
 * *entry is the boot CPU's state.
 */
int mhi_boot_load(const struct mhi_boot *boot, const struct mhi_machine *machine,
		  struct mhi_entry *entry, struct mhi_err *err);

int mhi_machine_create(const struct mhi_machine_env *env, struct mhi_machine **out,
		       struct mhi_err *err);
void mhi_machine_destroy(struct mhi_machine *m);
/*
 * The machine has firmware of rom_bytes, or none (0), from its next reset on: it finds what it
 * needs to know, and the addresses where it places PCI devices. No vCPU runs. MH_EEXIST: a handler
 * has them.
 */
int mhi_machine_firmware(struct mhi_machine *m, u64 rom_bytes, struct mhi_err *err);
/*
 * Devices to reset state; ACPI tables (RSDP to DSDT) written into guest memory, or made known to
 * firmware, which puts them there.
 */
int mhi_machine_reset(struct mhi_machine *m, struct mhi_err *err);
/* The guest's IOAPIC hears of the EOI of a level-triggered vector. vCPU thread. */
void mhi_machine_eoi(struct mhi_machine *m, u32 vector);
void mhi_machine_power_button(struct mhi_machine *m);
/*
 * Plug a device into PCI, and out again: while no vCPU runs. The device's owner removes it before
 * the machine is destroyed. MH_EEXIST (another device is in the slot that it wants), MH_ERANGE (no
 * slot or no addresses are left), MH_EINVAL, MH_ENOMEM.
 */
int mhi_machine_pci_add(struct mhi_machine *m, struct mhi_pci_dev *dev, struct mhi_err *err);
void mhi_machine_pci_remove(struct mhi_machine *m, struct mhi_pci_dev *dev);
/*
 * vCPUs are about to run, or have stopped: devices touch guest memory only in between. It may wait
 * for input and output under way.
 */
void mhi_machine_run(struct mhi_machine *m, bool on);
/*
 * COM ports 0 .. 3: output from any thread to fn, one call at a time; input takes what fits. Only
 * port 0 exists at first, attaching fn adds another: while no vCPU runs. MH_EINVAL (port),
 * MH_EEXIST (a handler has its addresses), MH_ENOMEM.
 */
int mhi_machine_serial_attach(struct mhi_machine *m, unsigned int port,
			      void (*fn)(void *opaque, const void *data, size_t bytes),
			      void *opaque, struct mhi_err *err);
size_t mhi_machine_serial_input(struct mhi_machine *m, unsigned int port, const void *data,
				size_t bytes);

/*
 * A PS/2 keyboard and mouse behind the keyboard controller: while no vCPU runs. MH_EEXIST (there
 * is one, or a handler has its port), MH_ENOMEM.
 */
int mhi_machine_ps2(struct mhi_machine *m, bool on, struct mhi_err *err);
/*
 * Any thread: keys by evdev's codes; motion to the right, up, and of the wheel towards the user;
 * buttons 0 to 4: left, right, middle, side, extra. 0; MH_ESTATE (none, or switched off by the
 * guest), MH_EBUSY (the guest does not take them; releases and motion are told later).
 */
int mhi_machine_ps2_key(struct mhi_machine *m, u32 code, bool down);
int mhi_machine_ps2_move(struct mhi_machine *m, s32 dx, s32 dy, s32 dz);
int mhi_machine_ps2_button(struct mhi_machine *m, unsigned int button, bool down);
/* Bit n: LED n of evdev is on. */
u32 mhi_machine_ps2_leds(struct mhi_machine *m);

#endif
