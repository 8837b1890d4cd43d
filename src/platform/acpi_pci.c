/* SPDX-License-Identifier: MIT */
/*
 * The PCI root bus in the DSDT: its windows, how its pins are wired, and what the operating system
 * may control itself. PCI Firmware Specification 3.0, chapter 4; ACPI 6.5, 6.2.13 "_PRT".
 */
#include "platform/acpi_pci.h"

#include "platform/pci.h"

/* ACPI 6.5, 20.2.5 "Term Objects Encoding". */
#define CREATE_DWORD_FIELD_OP 0x8a
#define AND_OP 0x7b
#define OR_OP 0x7d
#define RETURN_OP 0xa4
#define IF_OP 0xa0
#define ELSE_OP 0xa1
#define EQUAL_OP 0x93
#define BUFFER_OP 0x11
#define ARG0_OP 0x68
#define ARG3_OP 0x6b
#define BYTE_PREFIX 0x0a
#define ZERO_OP 0x00

/* PCI Firmware Specification 3.0, 4.5.1 "_OSC Interface for PCI Host Bridge Devices". */
#define OSC_PCIE_CAPABILITY 0x10 /* what there is to control here: the capability structure */
#define OSC_UNKNOWN_UUID 0x04
#define OSC_CONTROL_AT 8

#define UUID_BYTES 16
#define IF_BYTES 34   /* the test and AND (CDW3, ...), with the length itself */
#define ELSE_BYTES 12 /* OR (CDW1, ...), the same */

/*
 * Method (_OSC, 4): CDW1 and CDW3 are the first and the third doubleword of Arg3. For PCI's UUID
 * (33db4d5b-1ff7-401c-9657-7441c03dd766) control is granted as far as there is any, other UUIDs
 * are not known.
 */
/* clang-format off */
static const u8 osc_code[] = {
	CREATE_DWORD_FIELD_OP, ARG3_OP, ZERO_OP, 'C', 'D', 'W', '1',
	CREATE_DWORD_FIELD_OP, ARG3_OP, BYTE_PREFIX, OSC_CONTROL_AT, 'C', 'D', 'W', '3',
	IF_OP, IF_BYTES,
	EQUAL_OP, ARG0_OP, BUFFER_OP, UUID_BYTES + 3, BYTE_PREFIX, UUID_BYTES,
	0x5b, 0x4d, 0xdb, 0x33, 0xf7, 0x1f, 0x1c, 0x40,
	0x96, 0x57, 0x74, 0x41, 0xc0, 0x3d, 0xd7, 0x66,
	AND_OP, 'C', 'D', 'W', '3', BYTE_PREFIX, OSC_PCIE_CAPABILITY, 'C', 'D', 'W', '3',
	ELSE_OP, ELSE_BYTES,
	OR_OP, 'C', 'D', 'W', '1', BYTE_PREFIX, OSC_UNKNOWN_UUID, 'C', 'D', 'W', '1',
	RETURN_OP, ARG3_OP,
};
/* clang-format on */

static void osc(struct mhi_aml *aml)
{
	size_t method = mhi_aml_method(aml, "_OSC", 4);

	mhi_aml_raw(aml, osc_code, sizeof(osc_code));
	mhi_aml_end(aml, method);
}

/* Each pin of each slot to a line of the I/O APIC. */
static void prt(struct mhi_aml *aml)
{
	size_t table, entry;

	mhi_aml_name(aml, "_PRT");
	table = mhi_aml_package(aml, (MHI_PCI_SLOTS - 1) * MHI_PCI_PINS);
	for (unsigned int slot = 1; slot < MHI_PCI_SLOTS; slot++) {
		for (unsigned int pin = 0; pin < MHI_PCI_PINS; pin++) {
			entry = mhi_aml_package(aml, 4);
			mhi_aml_integer(aml, slot << 16 | 0xffff); /* all its functions */
			mhi_aml_integer(aml, pin);
			mhi_aml_integer(aml, 0); /* the number is that of the line itself */
			mhi_aml_integer(aml, mhi_pci_gsi(slot, pin));
			mhi_aml_end(aml, entry);
		}
	}
	mhi_aml_end(aml, table);
}

static void host_bridge(struct mhi_aml *aml, const struct mhi_acpi_config *config)
{
	const struct mhi_aml_resources res = {
		.io_base = MHI_PCI_PORT,
		.io_ports = MHI_PCI_PORTS,
		.bus0 = true,
		.window32 = (u32)MHI_PCI_WINDOW32,
		.window32_bytes = (u32)MHI_PCI_WINDOW32_BYTES,
		.window_fw = config->firmware ? (u32)MHI_PCI_WINDOW_FW : 0,
		.window_fw_bytes = config->firmware ? (u32)MHI_PCI_WINDOW_FW_BYTES : 0,
		.window64 = config->window64,
		.window64_bytes = config->window64_bytes,
	};
	size_t device = mhi_aml_device(aml, "PCI0");

	mhi_aml_name(aml, "_HID");
	mhi_aml_eisaid(aml, "PNP0A08");
	mhi_aml_name(aml, "_CID");
	mhi_aml_eisaid(aml, "PNP0A03");
	mhi_aml_name(aml, "_SEG");
	mhi_aml_integer(aml, 0);
	mhi_aml_name(aml, "_BBN");
	mhi_aml_integer(aml, 0);
	mhi_aml_name(aml, "_UID");
	mhi_aml_integer(aml, 0);
	mhi_aml_name(aml, "_CCA"); /* DMA sees the caches */
	mhi_aml_integer(aml, 1);
	mhi_aml_name(aml, "_CRS");
	mhi_aml_resource_template(aml, &res);
	prt(aml);
	osc(aml);
	mhi_aml_end(aml, device);
}

/* 4.1.2: ECAM's addresses are claimed by a motherboard resource. */
static void ecam(struct mhi_aml *aml)
{
	static const struct mhi_aml_resources res = {
		.mem_base = (u32)MHI_ECAM_BASE,
		.mem_bytes = (u32)MHI_ECAM_BYTES,
	};
	size_t device = mhi_aml_device(aml, "ECAM");

	mhi_aml_name(aml, "_HID");
	mhi_aml_eisaid(aml, "PNP0C02");
	mhi_aml_name(aml, "_UID");
	mhi_aml_integer(aml, 1);
	mhi_aml_name(aml, "_CRS");
	mhi_aml_resource_template(aml, &res);
	mhi_aml_end(aml, device);
}

void mhi_acpi_pci(struct mhi_aml *aml, const struct mhi_acpi_config *config)
{
	host_bridge(aml, config);
	ecam(aml);
}
