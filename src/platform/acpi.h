/* SPDX-License-Identifier: MIT */
/* The ACPI tables that describe the machine: RSDP, XSDT, FADT, MADT, MCFG, DSDT. */
#ifndef MHI_PLATFORM_ACPI_H
#define MHI_PLATFORM_ACPI_H

#include "base/types.h"
#include "core/err.h"

/* What whoever moves the tables has to put right: addresses in them, and checksums. */
#define MHI_ACPI_POINTERS 6
#define MHI_ACPI_SUMS 4

struct mhi_acpi_pointer {
	u32 at; /* from the RSDP on, as all of these */
	u32 bytes;
};

struct mhi_acpi_sum {
	u32 at, start, bytes;
};

struct mhi_acpi_map {
	struct mhi_acpi_pointer pointer[MHI_ACPI_POINTERS];
	struct mhi_acpi_sum sum[MHI_ACPI_SUMS];
	unsigned int pointers, sums;
};

struct mhi_acpi_config {
	u64 base;		      /* guest-physical address of the RSDP; the tables follow it */
	u32 cpus;		      /* with APIC ids 0 .. cpus - 1 */
	u32 uarts;		      /* bit n: COM<n + 1> is there */
	bool ps2;		      /* keyboard and mouse are there */
	u64 window64, window64_bytes; /* of PCI; 0 bytes: there is none */
	bool firmware;		      /* places BARs, in a window of its own */
	struct mhi_acpi_map *map;     /* is filled in; NULL: nobody asks */
};

/* The RSDP's room: the first table is behind it. */
#define MHI_ACPI_RSDP_BYTES 36
#define MHI_ACPI_RSDP_ROOM 48

/* Build the tables. @buf [cap]. *used: bytes written. 0; MH_ERANGE: cap is too small. */
int mhi_acpi_build(const struct mhi_acpi_config *config, u8 *buf, size_t cap, size_t *used,
		   struct mhi_err *err);

#endif
