/* SPDX-License-Identifier: MIT */
/*
 * Boot data that all loaders write: memory map, command line, initrd, zero page, GDT and page
 * tables.
 */
#include "platform/boot.h"

#include "base/checked.h"
#include "platform/layout.h"
#include "core/le.h"

/* Page-table bits: SDM 3A 4.5 "4-Level Paging and 5-Level Paging". */
#define PTE_PRESENT_WRITE 0x003ull
#define PTE_LARGE 0x080ull
#define LARGE_PAGE (2ull << 20)
#define TABLE_ENTRIES 512
#define PD_PAGES 4 /* 1 GiB each */

/* Flat segments and a task state: SDM 3A 3.4.5 "Segment Descriptors". */
#define GDT_ENTRIES 6
#define GDT_CODE64 0x00af9b000000ffffull
#define GDT_CODE32 0x00cf9b000000ffffull
#define GDT_DATA 0x00cf93000000ffffull
#define GDT_TASK 0x00008b0000000067ull

/* struct boot_params: Linux, "Zero Page". */
#define ZP_EXT_INITRD 0x0c0
#define ZP_EXT_INITRD_BYTES 0x0c4
#define ZP_RSDP 0x070
#define ZP_E820_COUNT 0x1e8
#define ZP_LOADER 0x210
#define ZP_INITRD 0x218
#define ZP_INITRD_BYTES 0x21c
#define ZP_CMDLINE 0x228
#define ZP_E820 0x2d0
#define ZP_E820_BYTES 20
#define LOADER_UNDEFINED 0xff /* no number was assigned to us */

unsigned int mhi_boot_memmap(const struct mhi_boot_target *to, struct mhi_memmap_entry *map)
{
	unsigned int n = 0;

	map[n++] = (struct mhi_memmap_entry){ 0, MHI_LOW_RAM_END, MHI_MEMMAP_RAM };
	map[n++] = (struct mhi_memmap_entry){ MHI_LOW_RAM_END, 0xa0000 - MHI_LOW_RAM_END,
					      MHI_MEMMAP_RESERVED };
	map[n++] = (struct mhi_memmap_entry){ MHI_ACPI_BASE, MHI_BIOS_END - MHI_ACPI_BASE,
					      MHI_MEMMAP_RESERVED };
	if (to->low_end > MHI_BIOS_END)
		map[n++] = (struct mhi_memmap_entry){ MHI_BIOS_END, to->low_end - MHI_BIOS_END,
						      MHI_MEMMAP_RAM };
	if (to->ram_bytes > to->low_end)
		map[n++] = (struct mhi_memmap_entry){ MHI_RAM_HOLE_END, to->ram_bytes - to->low_end,
						      MHI_MEMMAP_RAM };
	return n;
}

int mhi_boot_put(const struct mhi_boot_target *to, u64 gpa, const void *data, u64 bytes,
		 struct mhi_err *err)
{
	if (mhi_gmem_write(to->mem, gpa, data, bytes, true))
		return mhi_err_set(err, MH_EINVAL,
				   "loading the kernel: no memory at 0x%llx (%llu bytes); map it "
				   "before the start",
				   gpa, bytes);
	return 0;
}

int mhi_boot_zero(const struct mhi_boot_target *to, u64 gpa, u64 bytes, struct mhi_err *err)
{
	static const u8 zeros[MHI_PAGE_SIZE];

	while (bytes) {
		u64 part = bytes < sizeof(zeros) ? bytes : sizeof(zeros);
		int rc = mhi_boot_put(to, gpa, zeros, part, err);

		if (rc)
			return rc;
		gpa += part;
		bytes -= part;
	}
	return 0;
}

int mhi_boot_put_cmdline(const struct mhi_boot *boot, const struct mhi_boot_target *to, u64 max,
			 struct mhi_err *err)
{
	if (max > MHI_BOOT_CMDLINE_BYTES - 1)
		max = MHI_BOOT_CMDLINE_BYTES - 1;
	if (boot->cmdline_bytes > max)
		return mhi_boot_error(boot, err, MH_ERANGE,
				      "the command line has %llu bytes, this kernel takes %llu; "
				      "shorten it",
				      boot->cmdline_bytes, max);
	return mhi_boot_put(to, MHI_BOOT_CMDLINE, boot->cmdline, boot->cmdline_bytes + 1, err);
}

int mhi_boot_put_initrd(const struct mhi_boot *boot, const struct mhi_boot_target *to,
			u64 kernel_end, u64 end, u64 *gpa, struct mhi_err *err)
{
	u64 bytes = boot->initrd.bytes, start;

	*gpa = 0;
	if (!bytes)
		return 0;
	if (end > to->low_end)
		end = to->low_end;
	start = bytes <= end ? (end - bytes) & ~MHI_PAGE_MASK : 0;
	if (start < kernel_end)
		return mhi_boot_error(boot, err, MH_ERANGE,
				      "no room for the initrd: its %llu bytes must lie between the "
				      "kernel's end at 0x%llx and 0x%llx; give the VM more memory",
				      bytes, kernel_end, end);
	*gpa = start;
	return mhi_boot_put(to, start, boot->initrd.data, bytes, err);
}

static int put_gdt(const struct mhi_boot_target *to, u64 code, struct mhi_entry *entry,
		   struct mhi_err *err)
{
	u8 gdt[GDT_ENTRIES * 8] = { 0 };

	mhi_put_le64(gdt + MHI_BOOT_CS, code);
	mhi_put_le64(gdt + MHI_BOOT_DS, GDT_DATA);
	mhi_put_le64(gdt + MHI_BOOT_TR, GDT_TASK);
	entry->gdt_base = MHI_BOOT_GDT;
	entry->gdt_limit = sizeof(gdt) - 1;
	return mhi_boot_put(to, MHI_BOOT_GDT, gdt, sizeof(gdt), err);
}

/* The first 4 GiB, one to one. */
static int put_page_tables(const struct mhi_boot_target *to, struct mhi_err *err)
{
	u8 table[MHI_PAGE_SIZE] = { 0 };
	u64 page = 0;
	int rc;

	mhi_put_le64(table, MHI_BOOT_PDPT | PTE_PRESENT_WRITE);
	rc = mhi_boot_put(to, MHI_BOOT_PML4, table, sizeof(table), err);
	for (unsigned int i = 0; i < PD_PAGES; i++)
		mhi_put_le64(table + 8 * i, (MHI_BOOT_PD + i * MHI_PAGE_SIZE) | PTE_PRESENT_WRITE);
	if (!rc)
		rc = mhi_boot_put(to, MHI_BOOT_PDPT, table, sizeof(table), err);
	for (unsigned int i = 0; !rc && i < PD_PAGES; i++) {
		for (unsigned int j = 0; j < TABLE_ENTRIES; j++, page += LARGE_PAGE)
			mhi_put_le64(table + 8 * j, page | PTE_LARGE | PTE_PRESENT_WRITE);
		rc = mhi_boot_put(to, MHI_BOOT_PD + i * MHI_PAGE_SIZE, table, sizeof(table), err);
	}
	return rc;
}

int mhi_boot_enter_long(const struct mhi_boot_target *to, u64 rip, u64 boot_params,
			struct mhi_entry *entry, struct mhi_err *err)
{
	struct mhi_entry e = {
		.long_mode = true,
		.rip = rip,
		.rsi = boot_params,
		.rsp = MHI_BOOT_STACK,
		.cr3 = MHI_BOOT_PML4,
	};
	int rc = put_gdt(to, GDT_CODE64, &e, err);

	if (!rc)
		rc = put_page_tables(to, err);
	if (!rc)
		*entry = e;
	return rc;
}

int mhi_boot_enter_flat(const struct mhi_boot_target *to, u64 rip, u64 start_info,
			struct mhi_entry *entry, struct mhi_err *err)
{
	struct mhi_entry e = {
		.rip = rip,
		.rbx = start_info,
		.rsp = MHI_BOOT_STACK,
	};
	int rc = put_gdt(to, GDT_CODE32, &e, err);

	if (!rc)
		*entry = e;
	return rc;
}

void mhi_boot_fill_zero_page(const struct mhi_boot *boot, const struct mhi_boot_target *to,
			     u64 initrd, u8 *zero_page)
{
	struct mhi_memmap_entry map[MHI_MEMMAP_MAX];
	unsigned int n = mhi_boot_memmap(to, map);

	mhi_put_le64(zero_page + ZP_RSDP, MHI_ACPI_BASE);
	zero_page[ZP_LOADER] = LOADER_UNDEFINED;
	mhi_put_le32(zero_page + ZP_CMDLINE, (u32)MHI_BOOT_CMDLINE);
	mhi_put_le32(zero_page + ZP_INITRD, (u32)initrd);
	mhi_put_le32(zero_page + ZP_INITRD_BYTES, (u32)boot->initrd.bytes);
	mhi_put_le32(zero_page + ZP_EXT_INITRD, (u32)(initrd >> 32));
	mhi_put_le32(zero_page + ZP_EXT_INITRD_BYTES, (u32)(boot->initrd.bytes >> 32));
	zero_page[ZP_E820_COUNT] = (u8)n;
	for (unsigned int i = 0; i < n; i++) {
		u8 *e = zero_page + ZP_E820 + i * ZP_E820_BYTES;

		mhi_put_le64(e, map[i].start);
		mhi_put_le64(e + 8, map[i].bytes);
		mhi_put_le32(e + 16, map[i].type);
	}
}
