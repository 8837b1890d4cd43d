/* SPDX-License-Identifier: MIT */
/*
 * Where boot data and firmware tables lie in guest memory, and which lines and addresses devices
 * have.
 */
#ifndef MHI_PLATFORM_LAYOUT_H
#define MHI_PLATFORM_LAYOUT_H

/*
 * Below 1 MiB. Everything here but the ACPI tables is free again once the kernel has taken over;
 * the tables lie where PC firmware would keep them.
 */
#define MHI_BOOT_GDT 0x500ull
#define MHI_BOOT_START_INFO 0x6000ull /* PVH: start_info, its module list, its memory map */
#define MHI_BOOT_ZERO_PAGE 0x7000ull
#define MHI_BOOT_STACK 0x8ff0ull /* grows down */
#define MHI_BOOT_PML4 0x9000ull
#define MHI_BOOT_PDPT 0xa000ull
#define MHI_BOOT_PD 0xb000ull /* four pages: 4 GiB */
#define MHI_BOOT_CMDLINE 0x20000ull
#define MHI_BOOT_CMDLINE_BYTES 0x10000ull /* with the final zero */
#define MHI_LOW_RAM_END 0x9fc00ull	  /* where PCs have the extended BIOS data */
#define MHI_ACPI_BASE 0xe0000ull	  /* RSDP first, then the tables */
#define MHI_ACPI_BYTES 0x8000ull
#define MHI_BIOS_END 0x100000ull

/* The GDT of the boot CPU: the selectors of the Linux boot protocol, used for PVH too. */
#define MHI_BOOT_CS 0x10
#define MHI_BOOT_DS 0x18
#define MHI_BOOT_TR 0x20

/* Lines of the I/O APIC. */
#define MHI_GSI_POWER_BUTTON 9

#endif
