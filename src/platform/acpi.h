/* SPDX-License-Identifier: MIT */
/* The ACPI tables that describe the machine: RSDP, XSDT, FADT, MADT, MCFG, DSDT. */
#ifndef MHI_PLATFORM_ACPI_H
#define MHI_PLATFORM_ACPI_H

#include "base/types.h"
#include "core/err.h"

struct mhi_acpi_config {
	u64 base;		      /* guest-physical address of the RSDP; the tables follow it */
	u32 cpus;		      /* with APIC ids 0 .. cpus - 1 */
	u32 uarts;		      /* bit n: COM<n + 1> is there */
	u64 window64, window64_bytes; /* of PCI; 0 bytes: there is none */
};

/* Build the tables. @buf [cap]. *used: bytes written. 0; MH_ERANGE: cap is too small. */
int mhi_acpi_build(const struct mhi_acpi_config *config, u8 *buf, size_t cap, size_t *used,
		   struct mhi_err *err);

#endif
