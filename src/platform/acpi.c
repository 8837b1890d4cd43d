/* SPDX-License-Identifier: MIT */
/*
 * The machine's ACPI tables: a hardware-reduced platform (ACPI 6.5, 4.1 "Hardware-Reduced ACPI"),
 * with neither PIC, PIT nor VGA, and none claimed. Offsets: 5.2 "ACPI System
 * Description Tables".
 */
#include "platform/acpi.h"

#include "platform/acpi_pci.h"
#include "platform/aml.h"
#include "platform/layout.h"
#include "core/le.h"
#include "platform/i8042.h"
#include "platform/machine.h"
#include "platform/pci.h"
#include "platform/pmtimer.h"
#include "platform/power.h"
#include "platform/rtc.h"
#include "platform/uart.h"

#define TABLE_ALIGN 16

/* 5.2.5.3 "Root System Description Pointer (RSDP) Structure". */
#define RSDP_V1_BYTES 20
#define RSDP_REVISION 2

/* 5.2.6 "System Description Table Header". */
#define HEADER_BYTES 36
#define HEADER_LENGTH 4
#define HEADER_CHECKSUM 9
#define XSDT_REVISION 1
#define XSDT_TABLES 3

/* 5.2.9 "Fixed ACPI Description Table (FADT)". */
#define FADT_REVISION 6
#define FADT_BYTES 276
#define FADT_DSDT 40
#define FADT_PM_TIMER 76
#define FADT_PM_TIMER_LENGTH 91
#define FADT_C2_LATENCY 96
#define FADT_C3_LATENCY 98
#define FADT_CENTURY 108
#define FADT_BOOT_ARCH 109
#define FADT_FLAGS 112
#define FADT_RESET_REG 116
#define FADT_RESET_VALUE 128
#define FADT_MINOR 131
#define FADT_X_DSDT 140
#define FADT_X_PM_TIMER 208
#define FADT_SLEEP_CONTROL 244
#define FADT_SLEEP_STATUS 256
#define FADT_HYPERVISOR 268

#define NO_C2 101  /* a latency above 100 us: there is no such state */
#define NO_C3 1001 /* above 1000 us */

/* 5.2.9.3 "IA-PC Boot Architecture Flags". */
#define BOOT_ARCH_LEGACY_DEVICES 0x01 /* COM1 */
#define BOOT_ARCH_8042 0x02
#define BOOT_ARCH_NO_VGA 0x04

/* Table 5.10 "Fixed ACPI Description Table Fixed Feature Flags". */
#define FLAG_WBINVD 0x000001u
#define FLAG_C1 0x000004u
#define FLAG_POWER_BUTTON_DEVICE 0x000010u
#define FLAG_NO_SLEEP_BUTTON 0x000020u
#define FLAG_NO_RTC_WAKE 0x000040u
#define FLAG_TIMER_32 0x000100u
#define FLAG_RESET_REG 0x000400u
#define FLAG_HW_REDUCED 0x100000u

/* 5.2.3.2 "Generic Address Structure". */
#define GAS_SYSTEM_IO 1
#define GAS_ACCESS_BYTE 1
#define GAS_ACCESS_DWORD 3

/* 5.2.12 "Multiple APIC Description Table (MADT)". */
#define MADT_REVISION 5
#define MADT_BYTES (HEADER_BYTES + 8)
#define MADT_LAPIC 0
#define MADT_LAPIC_BYTES 8
#define MADT_LAPIC_ENABLED 1u
#define MADT_IOAPIC 1
#define MADT_IOAPIC_BYTES 12
#define MADT_X2APIC 9
#define MADT_X2APIC_BYTES 16
#define XAPIC_IDS 255 /* ids from here on need the x2APIC's entry */

/* Segment 0, buses 0 to 0 are the zeros behind the base. */
#define MCFG_REVISION 1
#define MCFG_BYTES (HEADER_BYTES + 8 + 16)
#define MCFG_BASE (HEADER_BYTES + 8)

#define DSDT_REVISION 2 /* integers have 64 bits */

#define STA_WORKING 0x0f	   /* 6.3.7 "_STA": present, enabled, shown, functioning */
#define STA_HIDDEN 0x0b		   /* the same, but not shown to users */
#define NOTIFY_BUTTON_PRESSED 0x80 /* 5.6.6 "Device Object Notifications" */

struct builder {
	u8 *buf; /* [cap] */
	size_t cap, len;
	u64 base;
	struct mhi_acpi_map *map;
	bool full;
};

/* Room for a table, aligned and zeroed; NULL when there is none. */
static u8 *reserve(struct builder *b, size_t bytes)
{
	size_t start = (b->len + TABLE_ALIGN - 1) & ~(size_t)(TABLE_ALIGN - 1);

	if (b->full || start > b->cap || bytes > b->cap - start) {
		b->full = true;
		return NULL;
	}
	b->len = start + bytes;
	memset(b->buf + start, 0, bytes);
	return b->buf + start;
}

static u64 address_of(const struct builder *b, const u8 *table)
{
	return b->base + (u64)(table - b->buf);
}

static u32 offset_of(const struct builder *b, const u8 *p)
{
	return (u32)(p - b->buf);
}

/* A table's address, in four or eight bytes. */
static void put_pointer(struct builder *b, u8 *p, unsigned int bytes, const u8 *table)
{
	struct mhi_acpi_map *map = b->map;

	if (bytes == 8)
		mhi_put_le64(p, address_of(b, table));
	else
		mhi_put_le32(p, (u32)address_of(b, table));
	map->pointer[map->pointers++] = (struct mhi_acpi_pointer){ offset_of(b, p), bytes };
}

/* There are addresses in what this checksum is of. */
static void note_sum(struct builder *b, const u8 *table, size_t bytes, unsigned int at)
{
	struct mhi_acpi_map *map = b->map;

	map->sum[map->sums++] =
		(struct mhi_acpi_sum){ offset_of(b, table) + at, offset_of(b, table), (u32)bytes };
}

static u8 checksum(const u8 *p, size_t bytes)
{
	u8 sum = 0;

	while (bytes--)
		sum += *p++;
	return (u8)-sum;
}

static void header(u8 *table, const char *signature, size_t bytes, u8 revision)
{
	memcpy(table, signature, 4);
	mhi_put_le32(table + HEADER_LENGTH, (u32)bytes);
	table[8] = revision;
	memcpy(table + 10, "MACROH", 6);
	memcpy(table + 16, "MACROHRD", 8);
	mhi_put_le32(table + 24, 1);
	memcpy(table + 28, "MHRD", 4);
	mhi_put_le32(table + 32, 1);
}

static void seal(u8 *table)
{
	table[HEADER_CHECKSUM] = 0;
	table[HEADER_CHECKSUM] = checksum(table, mhi_get_le32(table + HEADER_LENGTH));
}

static void seal_pointers(struct builder *b, u8 *table)
{
	seal(table);
	note_sum(b, table, mhi_get_le32(table + HEADER_LENGTH), HEADER_CHECKSUM);
}

static void put_gas(u8 *p, u8 bits, u8 access, u64 port)
{
	p[0] = GAS_SYSTEM_IO;
	p[1] = bits;
	p[2] = 0;
	p[3] = access;
	mhi_put_le64(p + 4, port);
}

static void aml_uart(struct mhi_aml *aml, unsigned int n)
{
	const struct mhi_uart_place *place = &mhi_uart_place[n];
	const struct mhi_aml_resources res = {
		.io_base = place->port,
		.io_ports = MHI_UART_PORTS,
		.has_irq = true,
		.gsi = place->gsi,
	};
	size_t device = mhi_aml_device(aml, place->name);

	mhi_aml_name(aml, "_HID");
	mhi_aml_eisaid(aml, "PNP0501");
	mhi_aml_name(aml, "_UID");
	mhi_aml_integer(aml, n + 1);
	mhi_aml_name(aml, "_CRS");
	mhi_aml_resource_template(aml, &res);
	mhi_aml_end(aml, device);
}

static void aml_ps2(struct mhi_aml *aml)
{
	static const struct mhi_aml_resources keyboard = {
		.io_base = MHI_KBC_DATA_PORT,
		.io_ports = 1,
		.io_other = MHI_KBC_PORT,
		.has_irq = true,
		.gsi = MHI_KBC_KEYBOARD_GSI,
	};
	static const struct mhi_aml_resources mouse = {
		.has_irq = true,
		.gsi = MHI_KBC_MOUSE_GSI,
	};
	size_t device = mhi_aml_device(aml, "KBD");

	mhi_aml_name(aml, "_HID");
	mhi_aml_eisaid(aml, "PNP0303");
	mhi_aml_name(aml, "_CRS");
	mhi_aml_resource_template(aml, &keyboard);
	mhi_aml_end(aml, device);
	device = mhi_aml_device(aml, "MOU");
	mhi_aml_name(aml, "_HID");
	mhi_aml_eisaid(aml, "PNP0F13");
	mhi_aml_name(aml, "_CRS");
	mhi_aml_resource_template(aml, &mouse);
	mhi_aml_end(aml, device);
}

static void aml_rtc(struct mhi_aml *aml)
{
	static const struct mhi_aml_resources res = {
		.io_base = MHI_RTC_PORT,
		.io_ports = MHI_RTC_PORTS,
	};
	size_t device = mhi_aml_device(aml, "RTC");

	mhi_aml_name(aml, "_HID");
	mhi_aml_eisaid(aml, "PNP0B00");
	mhi_aml_name(aml, "_CRS");
	mhi_aml_resource_template(aml, &res);
	mhi_aml_end(aml, device);
}

/* QEMU's docs/specs/pvpanic. Guests without a driver need not show it as unknown. */
static void aml_panic(struct mhi_aml *aml)
{
	static const struct mhi_aml_resources res = {
		.io_base = MHI_PANIC_PORT,
		.io_ports = 1,
	};
	size_t device = mhi_aml_device(aml, "PEVT");

	mhi_aml_name(aml, "_HID");
	mhi_aml_string(aml, "QEMU0001");
	mhi_aml_name(aml, "_STA");
	mhi_aml_integer(aml, STA_HIDDEN);
	mhi_aml_name(aml, "_CRS");
	mhi_aml_resource_template(aml, &res);
	mhi_aml_end(aml, device);
}

/* 4.8.2.2.1.2 "Control Method Power Button" and 5.6.9 "Interrupt-signaled ACPI events". */
static void aml_power_button(struct mhi_aml *aml)
{
	static const struct mhi_aml_resources res = {
		.has_irq = true,
		.gsi = MHI_GSI_POWER_BUTTON,
	};
	size_t device, method, condition;

	device = mhi_aml_device(aml, "PWRB");
	mhi_aml_name(aml, "_HID");
	mhi_aml_eisaid(aml, "PNP0C0C");
	mhi_aml_name(aml, "_UID");
	mhi_aml_integer(aml, 0);
	mhi_aml_end(aml, device);

	device = mhi_aml_device(aml, "GED");
	mhi_aml_name(aml, "_HID");
	mhi_aml_string(aml, "ACPI0013");
	mhi_aml_name(aml, "_UID");
	mhi_aml_integer(aml, 0);
	mhi_aml_name(aml, "_CRS");
	mhi_aml_resource_template(aml, &res);
	method = mhi_aml_method(aml, "_EVT", 1);
	condition = mhi_aml_if_arg0_equals(aml, MHI_GSI_POWER_BUTTON);
	mhi_aml_notify(aml, "PWRB", NOTIFY_BUTTON_PRESSED);
	mhi_aml_end(aml, condition);
	mhi_aml_end(aml, method);
	mhi_aml_end(aml, device);
}

static void aml_processor(struct mhi_aml *aml, u32 id)
{
	static const char digits[] = "0123456789ABCDEF";
	const char name[] = { 'C', digits[id >> 8 & 15], digits[id >> 4 & 15], digits[id & 15], 0 };
	size_t device = mhi_aml_device(aml, name);

	mhi_aml_name(aml, "_HID");
	mhi_aml_string(aml, "ACPI0007");
	mhi_aml_name(aml, "_UID");
	mhi_aml_integer(aml, id);
	mhi_aml_name(aml, "_STA");
	mhi_aml_integer(aml, STA_WORKING);
	mhi_aml_end(aml, device);
}

/* 7.4.2 "\_S5 Sleep State": the value for the sleep control register. */
static void aml_s5(struct mhi_aml *aml)
{
	size_t package;

	mhi_aml_name(aml, "_S5");
	package = mhi_aml_package(aml, 4);
	mhi_aml_integer(aml, MHI_SLEEP_TYPE_S5);
	for (unsigned int i = 1; i < 4; i++)
		mhi_aml_integer(aml, 0);
	mhi_aml_end(aml, package);
}

static const u8 *build_dsdt(struct builder *b, const struct mhi_acpi_config *config)
{
	u8 *table = reserve(b, HEADER_BYTES);
	struct mhi_aml aml;
	size_t scope;

	if (!table)
		return NULL;
	mhi_aml_init(&aml, b->buf + b->len, b->cap - b->len);
	aml_s5(&aml);
	scope = mhi_aml_scope(&aml, "_SB");
	for (unsigned int n = 0; n < MHI_UARTS; n++)
		if (config->uarts & MHI_BIT(n))
			aml_uart(&aml, n);
	if (config->ps2)
		aml_ps2(&aml);
	aml_rtc(&aml);
	aml_panic(&aml);
	aml_power_button(&aml);
	mhi_acpi_pci(&aml, config);
	for (u32 id = 0; id < config->cpus; id++)
		aml_processor(&aml, id);
	mhi_aml_end(&aml, scope);
	if (aml.failed) {
		b->full = true;
		return NULL;
	}
	b->len += aml.len;
	header(table, "DSDT", HEADER_BYTES + aml.len, DSDT_REVISION);
	seal(table);
	return table;
}

static const u8 *build_fadt(struct builder *b, const struct mhi_acpi_config *config, const u8 *dsdt)
{
	u8 *t = reserve(b, FADT_BYTES);

	if (!t)
		return NULL;
	header(t, "FACP", FADT_BYTES, FADT_REVISION);
	put_pointer(b, t + FADT_DSDT, 4, dsdt);
	put_pointer(b, t + FADT_X_DSDT, 8, dsdt);
	/* Boot loaders look for the timer here only. */
	mhi_put_le32(t + FADT_PM_TIMER, MHI_PMTIMER_PORT);
	t[FADT_PM_TIMER_LENGTH] = MHI_PMTIMER_PORTS;
	mhi_put_le16(t + FADT_C2_LATENCY, NO_C2);
	mhi_put_le16(t + FADT_C3_LATENCY, NO_C3);
	t[FADT_CENTURY] = MHI_RTC_CENTURY;
	mhi_put_le16(t + FADT_BOOT_ARCH, BOOT_ARCH_LEGACY_DEVICES | BOOT_ARCH_NO_VGA |
						 (config->ps2 ? BOOT_ARCH_8042 : 0));
	mhi_put_le32(t + FADT_FLAGS, FLAG_WBINVD | FLAG_C1 | FLAG_POWER_BUTTON_DEVICE |
					     FLAG_NO_SLEEP_BUTTON | FLAG_NO_RTC_WAKE |
					     FLAG_TIMER_32 | FLAG_RESET_REG | FLAG_HW_REDUCED);
	put_gas(t + FADT_RESET_REG, 8, GAS_ACCESS_BYTE, MHI_RESET_PORT);
	t[FADT_RESET_VALUE] = MHI_RESET_VALUE;
	t[FADT_MINOR] = 5;
	put_gas(t + FADT_X_PM_TIMER, 32, GAS_ACCESS_DWORD, MHI_PMTIMER_PORT);
	put_gas(t + FADT_SLEEP_CONTROL, 8, GAS_ACCESS_BYTE, MHI_SLEEP_PORT);
	put_gas(t + FADT_SLEEP_STATUS, 8, GAS_ACCESS_BYTE, MHI_SLEEP_PORT + 1);
	memcpy(t + FADT_HYPERVISOR, "MACROHRD", 8);
	seal_pointers(b, t);
	return t;
}

static u8 *put_processor(u8 *p, u32 id)
{
	if (id < XAPIC_IDS) {
		p[0] = MADT_LAPIC;
		p[1] = MADT_LAPIC_BYTES;
		p[2] = (u8)id;
		p[3] = (u8)id;
		mhi_put_le32(p + 4, MADT_LAPIC_ENABLED);
		return p + MADT_LAPIC_BYTES;
	}
	p[0] = MADT_X2APIC;
	p[1] = MADT_X2APIC_BYTES;
	mhi_put_le32(p + 4, id);
	mhi_put_le32(p + 8, MADT_LAPIC_ENABLED);
	mhi_put_le32(p + 12, id);
	return p + MADT_X2APIC_BYTES;
}

static const u8 *build_madt(struct builder *b, u32 cpus)
{
	u32 xapics = cpus < XAPIC_IDS ? cpus : XAPIC_IDS;
	size_t bytes = MADT_BYTES + xapics * MADT_LAPIC_BYTES +
		       (size_t)(cpus - xapics) * MADT_X2APIC_BYTES + MADT_IOAPIC_BYTES;
	u8 *t = reserve(b, bytes), *p;

	if (!t)
		return NULL;
	header(t, "APIC", bytes, MADT_REVISION);
	/* Flags stay 0: no PCAT_COMPAT, there is no 8259. */
	mhi_put_le32(t + HEADER_BYTES, (u32)MHI_LAPIC_BASE);
	p = t + MADT_BYTES;
	for (u32 id = 0; id < cpus; id++)
		p = put_processor(p, id);
	p[0] = MADT_IOAPIC;
	p[1] = MADT_IOAPIC_BYTES;
	mhi_put_le32(p + 4, (u32)MHI_IOAPIC_BASE);
	seal(t);
	return t;
}

/* One segment of one bus. PCI Firmware Specification 3.0, 4.1.2 "MCFG Table Description". */
static const u8 *build_mcfg(struct builder *b)
{
	u8 *t = reserve(b, MCFG_BYTES);

	if (!t)
		return NULL;
	header(t, "MCFG", MCFG_BYTES, MCFG_REVISION);
	mhi_put_le64(t + MCFG_BASE, MHI_ECAM_BASE);
	seal(t);
	return t;
}

static const u8 *build_xsdt(struct builder *b, const u8 *fadt, const u8 *madt, const u8 *mcfg)
{
	const size_t bytes = HEADER_BYTES + XSDT_TABLES * 8;
	u8 *t = reserve(b, bytes);

	if (!t)
		return NULL;
	header(t, "XSDT", bytes, XSDT_REVISION);
	put_pointer(b, t + HEADER_BYTES, 8, fadt);
	put_pointer(b, t + HEADER_BYTES + 8, 8, madt);
	put_pointer(b, t + HEADER_BYTES + 16, 8, mcfg);
	seal_pointers(b, t);
	return t;
}

static void fill_rsdp(struct builder *b, u8 *p, const u8 *xsdt)
{
	memcpy(p, "RSD PTR ", 8);
	memcpy(p + 9, "MACROH", 6);
	p[15] = RSDP_REVISION;
	mhi_put_le32(p + 20, MHI_ACPI_RSDP_BYTES);
	put_pointer(b, p + 24, 8, xsdt);
	p[8] = checksum(p, RSDP_V1_BYTES);
	p[32] = checksum(p, MHI_ACPI_RSDP_BYTES);
	note_sum(b, p, RSDP_V1_BYTES, 8);
	note_sum(b, p, MHI_ACPI_RSDP_BYTES, 32);
}

int mhi_acpi_build(const struct mhi_acpi_config *config, u8 *buf, size_t cap, size_t *used,
		   struct mhi_err *err)
{
	struct mhi_acpi_map map = { .pointers = 0 };
	struct builder b = { .buf = buf, .cap = cap, .base = config->base, .map = &map };
	u8 *rsdp = reserve(&b, MHI_ACPI_RSDP_ROOM);
	const u8 *dsdt = build_dsdt(&b, config);
	const u8 *fadt = dsdt ? build_fadt(&b, config, dsdt) : NULL;
	const u8 *madt = build_madt(&b, config->cpus);
	const u8 *mcfg = build_mcfg(&b);
	const u8 *xsdt = fadt && madt && mcfg ? build_xsdt(&b, fadt, madt, mcfg) : NULL;

	if (!rsdp || !xsdt)
		return mhi_err_set(
			err, MH_ERANGE,
			"ACPI tables for %u CPUs do not fit into %zu bytes: too many CPUs; "
			"use fewer",
			config->cpus, cap);
	fill_rsdp(&b, rsdp, xsdt);
	if (config->map)
		*config->map = map;
	*used = b.len;
	return 0;
}
