/* SPDX-License-Identifier: MIT */
/*
 * What the kernel loaders share: the files that were read, the formats, and the writers of boot
 * data. A kernel image is hostile input: parsed once into checked numbers, and only those are
 * used when it is loaded.
 */
#ifndef MHI_PLATFORM_BOOT_H
#define MHI_PLATFORM_BOOT_H

#include "core/err.h"
#include "core/gmem.h"
#include "platform/machine.h"

struct mhi_boot_file {
	char *path;
	u8 *data; /* [bytes] */
	u64 bytes;
};

struct mhi_boot_bzimage {
	u64 payload, payload_bytes; /* protected-mode part in the file */
	u64 header_bytes;	    /* of the setup header, from 0x1f1 */
	u64 init_bytes;		    /* memory that the kernel needs from its load address on */
	u64 preferred, alignment;
	u64 initrd_end; /* the initrd must end here or lower */
	u64 cmdline_max;
	bool relocatable;
};

#define MHI_BOOT_SEGMENTS 16

struct mhi_boot_segment {
	u64 offset, file_bytes; /* in the file */
	u64 gpa, bytes;
};

struct mhi_boot_elf {
	struct mhi_boot_segment segment[MHI_BOOT_SEGMENTS];
	unsigned int segments;
	u64 end; /* of the highest segment */
	u64 entry;
	bool pvh;
};

struct mhi_boot;

/* Where to load: the guest's memory as far as loaders care. */
struct mhi_boot_target {
	const struct mhi_gmem *mem;
	u64 ram_bytes;
	u64 low_end; /* RAM from 0 ends here, at the hole at the latest */
};

struct mhi_boot_format {
	/* MH_EFORMAT, MH_ERANGE. Fills its part of boot. */
	int (*parse)(struct mhi_boot *boot, struct mhi_err *err);
	/* MH_ERANGE, MH_EINVAL. */
	int (*load)(const struct mhi_boot *boot, const struct mhi_boot_target *to,
		    struct mhi_entry *entry, struct mhi_err *err);
};

extern const struct mhi_boot_format mhi_boot_bzimage, mhi_boot_elf, mhi_boot_firmware;

/* All (c). */
struct mhi_boot {
	struct mhi_boot_file kernel, initrd; /* kernel: or firmware; initrd.data NULL: none */
	u8 *rom;			     /* [kernel.bytes] firmware, page-aligned; or NULL */
	char *cmdline;
	u64 cmdline_bytes; /* without the final zero */
	const struct mhi_boot_format *format;
	union {
		struct mhi_boot_bzimage bz;
		struct mhi_boot_elf elf;
	} u;
};

/* "kernel <path>: <fmt>", or firmware */
int mhi_boot_error(const struct mhi_boot *boot, struct mhi_err *err, int code, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));

#define MHI_MEMMAP_MAX 8
#define MHI_MEMMAP_RAM 1u
#define MHI_MEMMAP_RESERVED 2u

struct mhi_memmap_entry {
	u64 start, bytes;
	u32 type; /* the same numbers in E820 and PVH */
};

/* The memory map that the guest is told; returns the number of entries. @map [MHI_MEMMAP_MAX] */
unsigned int mhi_boot_memmap(const struct mhi_boot_target *to, struct mhi_memmap_entry *map);

/* Copy, or fill with zeros, where RAM was checked to be. MH_EINVAL: there is none. */
int mhi_boot_put(const struct mhi_boot_target *to, u64 gpa, const void *data, u64 bytes,
		 struct mhi_err *err);
int mhi_boot_zero(const struct mhi_boot_target *to, u64 gpa, u64 bytes, struct mhi_err *err);
/* Command line to its place; MH_ERANGE when it is longer than max. */
int mhi_boot_put_cmdline(const struct mhi_boot *boot, const struct mhi_boot_target *to, u64 max,
			 struct mhi_err *err);
/*
 * Initrd as high as it goes below end, not below the kernel's end; *gpa is 0 without initrd.
 * MH_ERANGE.
 */
int mhi_boot_put_initrd(const struct mhi_boot *boot, const struct mhi_boot_target *to,
			u64 kernel_end, u64 end, u64 *gpa, struct mhi_err *err);
/* GDT, page tables where need be, and the boot CPU's state: 64-bit, or 32-bit without paging. */
int mhi_boot_enter_long(const struct mhi_boot_target *to, u64 rip, u64 boot_params,
			struct mhi_entry *entry, struct mhi_err *err);
int mhi_boot_enter_flat(const struct mhi_boot_target *to, u64 rip, u64 start_info,
			struct mhi_entry *entry, struct mhi_err *err);

/*
 * The zero page (struct boot_params), shared by bzImage and vmlinux: memory map, RSDP, command
 * line, initrd.
 */
#define MHI_ZERO_PAGE_BYTES 4096
void mhi_boot_fill_zero_page(const struct mhi_boot *boot, const struct mhi_boot_target *to,
			     u64 initrd, u8 *zero_page);

#endif
