/* SPDX-License-Identifier: MIT */
/*
 * The machine for firmware: what it is told by fw_cfg and in the clock's battery-backed bytes. The
 * files and their formats: QEMU, docs/specs/fw_cfg; SeaBIOS, docs/Runtime_config.md.
 */
#include "platform/machine_priv.h"

#include <stdio.h>
#include <stdlib.h>

#include "core/le.h"
#include "platform/acpi.h"
#include "platform/layout.h"

/* ---- memory ---- */

#define E820_ENTRY 20
#define E820_RAM 1
#define E820_RESERVED 2

#define KIB_64 0x10000ull
#define CMOS_MEMORY_16M (16ull << 20)

/* The PC's memory sizes and, as QEMU has them, the disk as what to boot and the other CPUs. */
enum {
	CMOS_BASE_KIB = 0x15,
	CMOS_ABOVE_1M_KIB = 0x30, /* up to 64 MiB; 0x17 has the same */
	CMOS_ABOVE_1M_KIB_TOO = 0x17,
	CMOS_ABOVE_16M = 0x34, /* up to 4 GiB, in 64 KiB */
	CMOS_BOOT = 0x3d,
	CMOS_ABOVE_4G = 0x5b, /* in 64 KiB */
	CMOS_MORE_CPUS = 0x5f,
};

#define CMOS_BOOT_DISK 0x02
#define BASE_KIB 640
#define KIB_MAX 0xfc00

static u64 low_ram(const struct mhi_machine *m)
{
	u64 ram = m->env.ram_bytes;

	return ram < MHI_RAM_HOLE_START ? ram : MHI_RAM_HOLE_START;
}

static void store(struct mhi_machine *m, unsigned int index, u64 value, unsigned int bytes)
{
	for (unsigned int i = 0; i < bytes; i++)
		mhi_rtc_store(&m->rtc, index + i, (u8)(value >> (8 * i)));
}

static void tell_cmos(struct mhi_machine *m)
{
	u64 low = low_ram(m), kib = (low - MHI_BIOS_END) >> 10;

	kib = kib < KIB_MAX ? kib : KIB_MAX;
	store(m, CMOS_BASE_KIB, BASE_KIB, 2);
	store(m, CMOS_ABOVE_1M_KIB, kib, 2);
	store(m, CMOS_ABOVE_1M_KIB_TOO, kib, 2);
	store(m, CMOS_ABOVE_16M, low > CMOS_MEMORY_16M ? (low - CMOS_MEMORY_16M) / KIB_64 : 0, 2);
	store(m, CMOS_ABOVE_4G, (m->env.ram_bytes - low) / KIB_64, 3);
	store(m, CMOS_BOOT, CMOS_BOOT_DISK, 1);
	store(m, CMOS_MORE_CPUS, m->env.cpus - 1, 1);
}

static u8 *put_e820(u8 *p, u64 start, u64 bytes, u32 type)
{
	mhi_put_le64(p, start);
	mhi_put_le64(p + 8, bytes);
	mhi_put_le32(p + 16, type);
	return p + E820_ENTRY;
}

/* What lies below 1 MiB the firmware knows itself. */
static int tell_memory(struct mhi_machine *m)
{
	u64 low = low_ram(m);
	u8 map[4 * E820_ENTRY], *p = put_e820(map, 0, low, E820_RAM);

	if (m->env.ram_bytes > low)
		p = put_e820(p, MHI_RAM_HOLE_END, m->env.ram_bytes - low, E820_RAM);
	p = put_e820(p, MHI_ECAM_BASE, MHI_ECAM_BYTES, E820_RESERVED);
	p = put_e820(p, MHI_RAM_HOLE_END - m->rom_bytes, m->rom_bytes, E820_RESERVED);
	return mhi_fwcfg_file(&m->fwcfg, "etc/e820", map, (size_t)(p - map));
}

/* ---- ACPI tables: "etc/table-loader" says how they are put into memory ---- */

#define RSDP_FILE "etc/acpi/rsdp"
#define TABLES_FILE "etc/acpi/tables"

/* SeaBIOS, romfile_loader: commands of 128 bytes, names of 56. */
#define COMMAND_BYTES 128
#define COMMANDS (2 + MHI_ACPI_POINTERS + MHI_ACPI_SUMS)
#define LOADER_ALLOCATE 1
#define LOADER_POINTER 2
#define LOADER_CHECKSUM 3
#define ZONE_HIGH 1
#define ZONE_BIOS 2
#define TABLE_ALIGNMENT 64
#define NAME_AT 4
#define SOURCE_AT (NAME_AT + MHI_FWCFG_NAME)

static u8 *command(u8 *p, u32 what, const char *file)
{
	mhi_put_le32(p, what);
	memcpy(p + NAME_AT, file, strlen(file));
	return p + NAME_AT + MHI_FWCFG_NAME;
}

static void allocate(u8 *p, const char *file, u8 zone)
{
	p = command(p, LOADER_ALLOCATE, file);
	mhi_put_le32(p, TABLE_ALIGNMENT);
	p[4] = zone;
}

/* The tables are numbered from the RSDP on; behind its room they are a file of their own. */
static const char *file_of(u32 *at)
{
	if (*at < MHI_ACPI_RSDP_ROOM)
		return RSDP_FILE;
	*at -= MHI_ACPI_RSDP_ROOM;
	return TABLES_FILE;
}

static void point(u8 *p, const struct mhi_acpi_pointer *pointer)
{
	u32 at = pointer->at;

	p = command(p, LOADER_POINTER, file_of(&at));
	memcpy(p, TABLES_FILE, sizeof(TABLES_FILE));
	mhi_put_le32(p + MHI_FWCFG_NAME, at);
	p[MHI_FWCFG_NAME + 4] = (u8)pointer->bytes;
}

static void sum(u8 *p, const struct mhi_acpi_sum *sum)
{
	u32 at = sum->at, start = sum->start;

	file_of(&start);
	p = command(p, LOADER_CHECKSUM, file_of(&at));
	mhi_put_le32(p, at);
	mhi_put_le32(p + 4, start);
	mhi_put_le32(p + 8, sum->bytes);
}

static int tell_loader(struct mhi_machine *m, const struct mhi_acpi_map *map)
{
	u8 script[COMMANDS * COMMAND_BYTES] = { 0 }, *p = script;

	allocate(p, TABLES_FILE, ZONE_HIGH);
	p += COMMAND_BYTES;
	allocate(p, RSDP_FILE, ZONE_BIOS);
	p += COMMAND_BYTES;
	for (unsigned int n = 0; n < map->pointers; n++, p += COMMAND_BYTES)
		point(p, &map->pointer[n]);
	for (unsigned int n = 0; n < map->sums; n++, p += COMMAND_BYTES)
		sum(p, &map->sum[n]);
	return mhi_fwcfg_file(&m->fwcfg, "etc/table-loader", script, (size_t)(p - script));
}

static int tell_tables(struct mhi_machine *m, struct mhi_err *err)
{
	struct mhi_acpi_map map;
	struct mhi_acpi_config config = mhi_machine_acpi(m);
	u8 *tables = calloc(1, MHI_ACPI_BYTES);
	size_t bytes;
	int rc = MH_ENOMEM;

	/* In their file the tables start at 0. */
	config.base = -(u64)MHI_ACPI_RSDP_ROOM;
	config.firmware = true;
	config.map = &map;
	if (tables)
		rc = mhi_acpi_build(&config, tables, MHI_ACPI_BYTES, &bytes, err);
	if (!rc)
		rc = mhi_fwcfg_file(&m->fwcfg, RSDP_FILE, tables, MHI_ACPI_RSDP_BYTES);
	if (!rc)
		rc = mhi_fwcfg_file(&m->fwcfg, TABLES_FILE, tables + MHI_ACPI_RSDP_ROOM,
				    bytes - MHI_ACPI_RSDP_ROOM);
	free(tables);
	return rc ? rc : tell_loader(m, &map);
}

/* ---- the rest ---- */

#define BOOT_PATH_BYTES 48

/* Disks in the order in which they were plugged in. */
static int tell_boot_order(struct mhi_machine *m)
{
	char text[MHI_PCI_SLOTS * BOOT_PATH_BYTES + 1] = "";
	size_t len = 0;

	for (unsigned int n = 0; n < m->disks; n++)
		len += (size_t)snprintf(text + len, sizeof(text) - len,
					"/pci@i0cf8/scsi@%x/disk@0,0\n", m->disk_slot[n]);
	return mhi_fwcfg_file(&m->fwcfg, "bootorder", text, len + 1);
}

/* A BIOS's text goes to COM1; when there is nothing to boot it waits, without starting again. */
static int tell_settings(struct mhi_machine *m)
{
	u8 port[2], wait[4];
	int rc;

	mhi_put_le16(port, mhi_uart_place[0].port);
	mhi_put_le32(wait, ~0u);
	rc = mhi_fwcfg_file(&m->fwcfg, "etc/sercon-port", port, sizeof(port));
	if (!rc)
		rc = mhi_fwcfg_file(&m->fwcfg, "etc/boot-fail-wait", wait, sizeof(wait));
	if (!rc)
		rc = mhi_fwcfg_number(&m->fwcfg, MHI_FWCFG_CPUS, (u16)m->env.cpus);
	if (!rc)
		rc = mhi_fwcfg_number(&m->fwcfg, MHI_FWCFG_MAX_CPUS, (u16)m->env.cpus);
	return rc;
}

/* SeaBIOS looks for a device's option ROM among its files first. */
static int tell_rom(struct mhi_machine *m)
{
	const struct mhi_pci_dev *dev = m->rom_dev;
	char name[MHI_FWCFG_NAME];

	if (!dev)
		return 0;
	snprintf(name, sizeof(name), "pci%04x,%04x.rom", dev->vendor, dev->device);
	return mhi_fwcfg_file(&m->fwcfg, name, dev->rom, dev->rom_bytes);
}

int mhi_machine_tell_firmware(struct mhi_machine *m, struct mhi_err *err)
{
	int rc;

	mhi_fwcfg_reset(&m->fwcfg);
	tell_cmos(m);
	rc = tell_memory(m);
	if (!rc)
		rc = tell_tables(m, err);
	if (!rc)
		rc = tell_boot_order(m);
	if (!rc)
		rc = tell_settings(m);
	if (!rc)
		rc = tell_rom(m);
	if (rc == MH_ENOMEM)
		mhi_err_set(err, rc, "telling the firmware of the machine: " MHI_NO_MEMORY);
	return rc;
}

static void detach(struct mhi_machine *m)
{
	if (m->rom_bytes) {
		mhi_bus_remove(m->env.pio, MHI_FWCFG_PORT);
		mhi_bus_remove(m->env.mmio, MHI_PCI_WINDOW_FW);
	}
	m->rom_bytes = 0;
}

int mhi_machine_firmware(struct mhi_machine *m, u64 rom_bytes, struct mhi_err *err)
{
	int rc;

	detach(m);
	if (!rom_bytes)
		return 0;
	rc = mhi_bus_add(m->env.pio, MHI_FWCFG_PORT, MHI_FWCFG_PORTS, &mhi_fwcfg_ops, &m->fwcfg);
	if (rc)
		return mhi_err_set(err, rc,
				   "firmware: I/O port 0x%x cannot be taken (%s); leave 0x%x to "
				   "0x%x free",
				   MHI_FWCFG_PORT, mh_strerror(rc), MHI_FWCFG_PORT,
				   MHI_FWCFG_PORT + MHI_FWCFG_PORTS - 1);
	rc = mhi_bus_add(m->env.mmio, MHI_PCI_WINDOW_FW, MHI_PCI_WINDOW_FW_BYTES,
			 &mhi_pci_window_fw_ops, m->pci);
	if (rc) {
		mhi_bus_remove(m->env.pio, MHI_FWCFG_PORT);
		return mhi_err_set(err, rc,
				   "firmware: it places PCI devices from address 0x%llx to "
				   "0x%llx, which cannot be taken (%s); leave them free",
				   MHI_PCI_WINDOW_FW, MHI_IOAPIC_BASE - 1, mh_strerror(rc));
	}
	m->rom_bytes = rom_bytes;
	return 0;
}
