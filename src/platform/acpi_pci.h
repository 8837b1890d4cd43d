/* SPDX-License-Identifier: MIT */
/* The PCI root bus in the DSDT. */
#ifndef MHI_PLATFORM_ACPI_PCI_H
#define MHI_PLATFORM_ACPI_PCI_H

#include "platform/acpi.h"
#include "platform/aml.h"

/* Inside \_SB: the host bridge, and the addresses of ECAM. */
void mhi_acpi_pci(struct mhi_aml *aml, const struct mhi_acpi_config *config);

#endif
