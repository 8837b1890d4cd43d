/* SPDX-License-Identifier: MIT */
/* The ACPI tables that describe the machine: RSDP, XSDT, FADT, MADT, DSDT. */
#ifndef MHI_PLATFORM_ACPI_H
#define MHI_PLATFORM_ACPI_H

#include "base/types.h"
#include "core/err.h"

/*
 * Build the tables for cpus processors (APIC ids 0 .. cpus - 1) as they lie in guest memory from
 * base on, with the RSDP first. @buf [cap]. *used: bytes written. 0; MH_ERANGE: cap is too small.
 */
int mhi_acpi_build(u8 *buf, size_t cap, u64 base, u32 cpus, size_t *used, struct mhi_err *err);

#endif
