/* SPDX-License-Identifier: MIT */
/*
 * ELF kernels: PVH by the note that names a 32-bit entry (Xen, "x86/HVM direct boot ABI"), else
 * Linux vmlinux by its 64-bit entry. Offsets: ELF-64 Object File Format, 3 "File Header", 6
 * "Program Header Table".
 */
#include "platform/boot.h"

#include "base/checked.h"
#include "platform/layout.h"
#include "core/le.h"

#define EHDR_BYTES 64
#define EI_CLASS 4
#define EI_DATA 5
#define E_TYPE 16
#define E_MACHINE 18
#define E_ENTRY 24
#define E_PHOFF 32
#define E_PHENTSIZE 54
#define E_PHNUM 56
#define CLASS_64 2
#define DATA_LITTLE 1
#define TYPE_EXEC 2
#define TYPE_DYN 3
#define MACHINE_X86_64 62

#define PHDR_BYTES 56
#define PHDRS_MAX 64
#define P_TYPE 0
#define P_OFFSET 8
#define P_PADDR 24
#define P_FILESZ 32
#define P_MEMSZ 40
#define P_ALIGN 48
#define PT_LOAD 1
#define PT_NOTE 4

#define NOTE_BYTES 12
#define NOTE_PHYS32_ENTRY 18 /* XEN_ELFNOTE_PHYS32_ENTRY */

/* struct hvm_start_info and what it points to. */
#define START_MAGIC 0x336ec578u
#define START_VERSION 1
#define START_BYTES 56
#define START_MODULES_AT 0x40
#define START_MODULE_BYTES 32
#define START_MEMMAP_AT 0x80
#define START_MEMMAP_BYTES 24
#define START_AREA (START_MEMMAP_AT + MHI_MEMMAP_MAX * START_MEMMAP_BYTES)

/* The setup header that a boot loader makes up for a vmlinux. */
#define ZP_BOOT_FLAG 0x1fe
#define ZP_MAGIC 0x202
#define ZP_VERSION 0x206
#define ZP_LOADFLAGS 0x211
#define ZP_ALIGNMENT 0x230
#define ZP_CMDLINE_SIZE 0x238
#define BOOT_FLAG 0xaa55
#define MAGIC 0x53726448u
#define VERSION 0x020c
#define LOADED_HIGH 0x01
#define ALIGNMENT 0x1000000
#define LINUX_CMDLINE_MAX 2047 /* COMMAND_LINE_SIZE of x86, without the zero */

static int check_header(const struct mhi_boot *boot, struct mhi_err *err)
{
	const u8 *d = boot->kernel.data;

	if (boot->kernel.bytes < EHDR_BYTES)
		return mhi_boot_error(boot, err, MH_EFORMAT,
				      "%llu bytes are too few for an ELF header; the file is "
				      "truncated: copy it again",
				      boot->kernel.bytes);
	if (d[EI_CLASS] != CLASS_64 || d[EI_DATA] != DATA_LITTLE ||
	    mhi_get_le16(d + E_MACHINE) != MACHINE_X86_64)
		return mhi_boot_error(
			boot, err, MH_EFORMAT,
			"an ELF file of class %u, data %u, machine %u, not for x86-64 "
			"(2, 1, 62); use an x86-64 kernel",
			d[EI_CLASS], d[EI_DATA], mhi_get_le16(d + E_MACHINE));
	if (mhi_get_le16(d + E_TYPE) != TYPE_EXEC && mhi_get_le16(d + E_TYPE) != TYPE_DYN)
		return mhi_boot_error(
			boot, err, MH_EFORMAT,
			"ELF type %u is no executable; use vmlinux, not an object file",
			mhi_get_le16(d + E_TYPE));
	if (mhi_get_le16(d + E_PHENTSIZE) != PHDR_BYTES || !mhi_get_le16(d + E_PHNUM) ||
	    mhi_get_le16(d + E_PHNUM) > PHDRS_MAX)
		return mhi_boot_error(boot, err, MH_EFORMAT,
				      "%u program headers of %u bytes, not 1 to %d of 56; the file "
				      "is corrupt or no kernel",
				      mhi_get_le16(d + E_PHNUM), mhi_get_le16(d + E_PHENTSIZE),
				      PHDRS_MAX);
	if (!mhi_range_within(mhi_get_le64(d + E_PHOFF),
			      (u64)mhi_get_le16(d + E_PHNUM) * PHDR_BYTES, boot->kernel.bytes))
		return mhi_boot_error(
			boot, err, MH_EFORMAT,
			"the program headers at 0x%llx lie beyond the file's end; the "
			"file is truncated: copy it again",
			mhi_get_le64(d + E_PHOFF));
	return 0;
}

static int check_segment(const struct mhi_boot *boot, const struct mhi_boot_segment *s,
			 struct mhi_err *err)
{
	const struct mhi_boot_elf *elf = &boot->u.elf;

	if (s->file_bytes > s->bytes ||
	    !mhi_range_within(s->offset, s->file_bytes, boot->kernel.bytes))
		return mhi_boot_error(boot, err, MH_EFORMAT,
				      "segment at 0x%llx: %llu bytes at file offset 0x%llx do not "
				      "lie within the file (%llu) and the segment (%llu); the file "
				      "is truncated or corrupt",
				      s->gpa, s->file_bytes, s->offset, boot->kernel.bytes,
				      s->bytes);
	if (s->gpa < MHI_BIOS_END || !mhi_range_within(s->gpa, s->bytes, MHI_RAM_HOLE_START))
		return mhi_boot_error(boot, err, MH_ERANGE,
				      "segment of %llu bytes at physical address 0x%llx: not "
				      "between 1 MiB and 3 GiB; link the kernel elsewhere",
				      s->bytes, s->gpa);
	if (elf->segments == MHI_BOOT_SEGMENTS)
		return mhi_boot_error(boot, err, MH_EFORMAT,
				      "more than %d segments to load; the file is no kernel",
				      MHI_BOOT_SEGMENTS);
	for (unsigned int i = 0; i < elf->segments; i++)
		if (mhi_ranges_overlap(s->gpa, s->bytes, elf->segment[i].gpa,
				       elf->segment[i].bytes))
			return mhi_boot_error(boot, err, MH_EFORMAT,
					      "segments at 0x%llx and 0x%llx overlap; the file is "
					      "corrupt",
					      elf->segment[i].gpa, s->gpa);
	return 0;
}

static int parse_segment(struct mhi_boot *boot, const u8 *ph, struct mhi_err *err)
{
	struct mhi_boot_elf *elf = &boot->u.elf;
	struct mhi_boot_segment s = {
		.offset = mhi_get_le64(ph + P_OFFSET),
		.file_bytes = mhi_get_le64(ph + P_FILESZ),
		.gpa = mhi_get_le64(ph + P_PADDR),
		.bytes = mhi_get_le64(ph + P_MEMSZ),
	};
	int rc;

	if (!s.bytes && !s.file_bytes)
		return 0;
	rc = check_segment(boot, &s, err);
	if (rc)
		return rc;
	if (s.gpa + s.bytes > elf->end)
		elf->end = s.gpa + s.bytes;
	elf->segment[elf->segments++] = s;
	return 0;
}

/*
 * One note at p; left bytes, at least NOTE_BYTES, remain. Returns its length with padding, 0 when
 * it is not whole.
 */
static u64 parse_note(struct mhi_boot_elf *elf, const u8 *p, u64 left, u64 align)
{
	u64 name_bytes, desc_bytes, desc, end;

	/* 32-bit numbers: their sum does not wrap in 64. */
	name_bytes = mhi_get_le32(p);
	desc_bytes = mhi_get_le32(p + 4);
	desc = (NOTE_BYTES + name_bytes + align - 1) & ~(align - 1);
	end = (desc + desc_bytes + align - 1) & ~(align - 1);
	if (!mhi_range_within(desc, desc_bytes, left))
		return 0;
	if (mhi_get_le32(p + 8) == NOTE_PHYS32_ENTRY && name_bytes == 4 &&
	    !memcmp(p + NOTE_BYTES, "Xen", 4) && (desc_bytes == 4 || desc_bytes == 8)) {
		elf->pvh = true;
		elf->entry = desc_bytes == 4 ? mhi_get_le32(p + desc) : mhi_get_le64(p + desc);
	}
	return end < left ? end : left;
}

static int parse_notes(struct mhi_boot *boot, const u8 *ph, struct mhi_err *err)
{
	u64 offset = mhi_get_le64(ph + P_OFFSET), left = mhi_get_le64(ph + P_FILESZ), step;
	u64 align = mhi_get_le64(ph + P_ALIGN) == 8 ? 8 : 4;

	if (!mhi_range_within(offset, left, boot->kernel.bytes))
		return mhi_boot_error(boot, err, MH_EFORMAT,
				      "notes of %llu bytes at file offset 0x%llx lie beyond the "
				      "file's end; the file is truncated: copy it again",
				      left, offset);
	for (; left >= NOTE_BYTES; offset += step, left -= step) {
		step = parse_note(&boot->u.elf, boot->kernel.data + offset, left, align);
		if (!step)
			return mhi_boot_error(boot, err, MH_EFORMAT,
					      "the note at file offset 0x%llx is longer than its "
					      "segment; the file is corrupt",
					      offset);
	}
	return 0;
}

static int check_entry(const struct mhi_boot *boot, struct mhi_err *err)
{
	const struct mhi_boot_elf *elf = &boot->u.elf;

	for (unsigned int i = 0; i < elf->segments; i++)
		if (elf->entry >= elf->segment[i].gpa &&
		    elf->entry - elf->segment[i].gpa < elf->segment[i].bytes)
			return 0;
	return mhi_boot_error(boot, err, MH_EFORMAT,
			      "the %s entry 0x%llx is not a physical address within a segment; use "
			      "a Linux vmlinux or a PVH kernel",
			      elf->pvh ? "PVH" : "ELF", elf->entry);
}

static int elf_parse(struct mhi_boot *boot, struct mhi_err *err)
{
	const u8 *d = boot->kernel.data, *ph;
	unsigned int phnum;
	int rc = check_header(boot, err);

	if (rc)
		return rc;
	boot->u.elf.entry = mhi_get_le64(d + E_ENTRY);
	phnum = mhi_get_le16(d + E_PHNUM);
	ph = d + mhi_get_le64(d + E_PHOFF);
	for (unsigned int i = 0; !rc && i < phnum; i++, ph += PHDR_BYTES) {
		if (mhi_get_le32(ph + P_TYPE) == PT_LOAD)
			rc = parse_segment(boot, ph, err);
		else if (mhi_get_le32(ph + P_TYPE) == PT_NOTE)
			rc = parse_notes(boot, ph, err);
	}
	return rc ? rc : check_entry(boot, err);
}

static int put_segments(const struct mhi_boot *boot, const struct mhi_boot_target *to,
			struct mhi_err *err)
{
	const struct mhi_boot_elf *elf = &boot->u.elf;
	int rc = 0;

	if (elf->end > to->low_end)
		return mhi_boot_error(
			boot, err, MH_ERANGE,
			"its segments end at 0x%llx, memory below the hole at 0x%llx; "
			"give the VM more memory",
			elf->end, to->low_end);
	for (unsigned int i = 0; !rc && i < elf->segments; i++) {
		const struct mhi_boot_segment *s = &elf->segment[i];

		rc = mhi_boot_put(to, s->gpa, boot->kernel.data + s->offset, s->file_bytes, err);
		if (!rc)
			rc = mhi_boot_zero(to, s->gpa + s->file_bytes, s->bytes - s->file_bytes,
					   err);
	}
	return rc;
}

static int load_pvh(const struct mhi_boot *boot, const struct mhi_boot_target *to, u64 initrd,
		    struct mhi_entry *entry, struct mhi_err *err)
{
	struct mhi_memmap_entry map[MHI_MEMMAP_MAX];
	unsigned int n = mhi_boot_memmap(to, map);
	u8 area[START_AREA] = { 0 };
	int rc;

	mhi_put_le32(area, START_MAGIC);
	mhi_put_le32(area + 4, START_VERSION);
	if (initrd) {
		mhi_put_le32(area + 12, 1);
		mhi_put_le64(area + 16, MHI_BOOT_START_INFO + START_MODULES_AT);
		mhi_put_le64(area + START_MODULES_AT, initrd);
		mhi_put_le64(area + START_MODULES_AT + 8, boot->initrd.bytes);
	}
	mhi_put_le64(area + 24, MHI_BOOT_CMDLINE);
	mhi_put_le64(area + 32, MHI_ACPI_BASE);
	mhi_put_le64(area + 40, MHI_BOOT_START_INFO + START_MEMMAP_AT);
	mhi_put_le32(area + 48, n);
	for (unsigned int i = 0; i < n; i++) {
		u8 *e = area + START_MEMMAP_AT + i * START_MEMMAP_BYTES;

		mhi_put_le64(e, map[i].start);
		mhi_put_le64(e + 8, map[i].bytes);
		mhi_put_le32(e + 16, map[i].type);
	}
	rc = mhi_boot_put(to, MHI_BOOT_START_INFO, area, sizeof(area), err);
	return rc ? rc
		  : mhi_boot_enter_flat(to, boot->u.elf.entry, MHI_BOOT_START_INFO, entry, err);
}

static int load_linux(const struct mhi_boot *boot, const struct mhi_boot_target *to, u64 initrd,
		      struct mhi_entry *entry, struct mhi_err *err)
{
	u8 zero_page[MHI_ZERO_PAGE_BYTES] = { 0 };
	int rc;

	mhi_put_le16(zero_page + ZP_BOOT_FLAG, BOOT_FLAG);
	mhi_put_le32(zero_page + ZP_MAGIC, MAGIC);
	mhi_put_le16(zero_page + ZP_VERSION, VERSION);
	zero_page[ZP_LOADFLAGS] = LOADED_HIGH;
	mhi_put_le32(zero_page + ZP_ALIGNMENT, ALIGNMENT);
	mhi_put_le32(zero_page + ZP_CMDLINE_SIZE, LINUX_CMDLINE_MAX);
	mhi_boot_fill_zero_page(boot, to, initrd, zero_page);
	rc = mhi_boot_put(to, MHI_BOOT_ZERO_PAGE, zero_page, sizeof(zero_page), err);
	return rc ? rc : mhi_boot_enter_long(to, boot->u.elf.entry, MHI_BOOT_ZERO_PAGE, entry, err);
}

static int elf_load(const struct mhi_boot *boot, const struct mhi_boot_target *to,
		    struct mhi_entry *entry, struct mhi_err *err)
{
	const struct mhi_boot_elf *elf = &boot->u.elf;
	u64 cmdline_max = elf->pvh ? MHI_BOOT_CMDLINE_BYTES : LINUX_CMDLINE_MAX, initrd = 0;
	int rc = mhi_boot_put_cmdline(boot, to, cmdline_max, err);

	if (!rc)
		rc = mhi_boot_put_initrd(boot, to, elf->end, to->low_end, &initrd, err);
	if (!rc)
		rc = put_segments(boot, to, err);
	if (rc)
		return rc;
	return elf->pvh ? load_pvh(boot, to, initrd, entry, err)
			: load_linux(boot, to, initrd, entry, err);
}

const struct mhi_boot_format mhi_boot_elf = {
	.parse = elf_parse,
	.load = elf_load,
};
