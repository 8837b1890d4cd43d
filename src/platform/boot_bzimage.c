/* SPDX-License-Identifier: MIT */
/*
 * Linux bzImage by the 64-bit boot protocol. Offsets: Linux Documentation/arch/x86/boot.rst, "The
 * Real-Mode Kernel Header", "64-bit Boot Protocol".
 */
#include "platform/boot.h"

#include "base/checked.h"
#include "platform/layout.h"
#include "core/le.h"

#define HDR_START 0x1f1
#define HDR_SETUP_SECTS 0x1f1
#define HDR_SYSSIZE 0x1f4
#define HDR_BOOT_FLAG 0x1fe
#define HDR_JUMP_BYTES 0x201 /* the header ends this far behind 0x202 */
#define HDR_MAGIC 0x202
#define HDR_VERSION 0x206
#define HDR_LOADFLAGS 0x211
#define HDR_INITRD_ADDR_MAX 0x22c
#define HDR_ALIGNMENT 0x230
#define HDR_RELOCATABLE 0x234
#define HDR_XLOADFLAGS 0x236
#define HDR_CMDLINE_SIZE 0x238
#define HDR_PREF_ADDRESS 0x258
#define HDR_INIT_SIZE 0x260
#define HDR_NEEDED_END 0x264
#define HDR_ZERO_PAGE_END 0x290 /* where the zero page goes on with other things */

#define BOOT_FLAG 0xaa55
#define VERSION_64BIT 0x020c
#define LOADED_HIGH 0x01
#define XLF_KERNEL_64 0x01

#define SECTOR 512
#define SETUP_SECTS_DEFAULT 4
#define PARAGRAPH 16
#define ENTRY_64 0x200ull
#define CMDLINE_SIZE_DEFAULT 255

static int check_header(const struct mhi_boot *boot, struct mhi_err *err)
{
	const u8 *d = boot->kernel.data;
	u64 end;

	if (boot->kernel.bytes < HDR_NEEDED_END)
		return mhi_boot_error(boot, err, MH_EFORMAT,
				      "%llu bytes are too few for a setup header; the file is "
				      "truncated: copy it again",
				      boot->kernel.bytes);
	if (mhi_get_le16(d + HDR_BOOT_FLAG) != BOOT_FLAG)
		return mhi_boot_error(boot, err, MH_EFORMAT,
				      "boot_flag is 0x%04x, not 0xaa55; the file is corrupt",
				      mhi_get_le16(d + HDR_BOOT_FLAG));
	if (mhi_get_le16(d + HDR_VERSION) < VERSION_64BIT)
		return mhi_boot_error(boot, err, MH_EFORMAT,
				      "boot protocol version 0x%04x is older than 0x020c; use "
				      "Linux 3.8 or newer",
				      mhi_get_le16(d + HDR_VERSION));
	end = HDR_MAGIC + (u64)d[HDR_JUMP_BYTES];
	if (end < HDR_NEEDED_END || end > boot->kernel.bytes)
		return mhi_boot_error(boot, err, MH_EFORMAT,
				      "the setup header ends at 0x%llx, not from 0x264 to the "
				      "file's end; the file is corrupt",
				      end);
	if (!(d[HDR_LOADFLAGS] & LOADED_HIGH))
		return mhi_boot_error(boot, err, MH_EFORMAT,
				      "loadflags 0x%02x lack LOADED_HIGH (a zImage); use a bzImage",
				      d[HDR_LOADFLAGS]);
	if (!(mhi_get_le16(d + HDR_XLOADFLAGS) & XLF_KERNEL_64))
		return mhi_boot_error(boot, err, MH_EFORMAT,
				      "xloadflags 0x%04x lack XLF_KERNEL_64 (a 32-bit kernel); use "
				      "an x86-64 kernel",
				      mhi_get_le16(d + HDR_XLOADFLAGS));
	return 0;
}

/* The protected-mode part: behind the setup sectors, as long as syssize says. */
static int parse_payload(struct mhi_boot *boot, struct mhi_err *err)
{
	const u8 *d = boot->kernel.data;
	struct mhi_boot_bzimage *bz = &boot->u.bz;
	u64 sects = d[HDR_SETUP_SECTS] ? d[HDR_SETUP_SECTS] : SETUP_SECTS_DEFAULT;
	u64 want = (u64)mhi_get_le32(d + HDR_SYSSIZE) * PARAGRAPH, have;

	bz->payload = (sects + 1) * SECTOR;
	have = boot->kernel.bytes > bz->payload ? boot->kernel.bytes - bz->payload : 0;
	if (want <= ENTRY_64)
		return mhi_boot_error(boot, err, MH_EFORMAT,
				      "syssize says %llu bytes of kernel, which hold no 64-bit "
				      "entry; the file is corrupt",
				      want);
	/* syssize is rounded up, the file need not be. */
	if (have + PARAGRAPH <= want)
		return mhi_boot_error(boot, err, MH_EFORMAT,
				      "%llu bytes of kernel at 0x%llx where syssize says %llu; the "
				      "file is truncated: copy it again",
				      have, bz->payload, want);
	bz->payload_bytes = have < want ? have : want;
	return 0;
}

static int parse_placement(struct mhi_boot *boot, struct mhi_err *err)
{
	const u8 *d = boot->kernel.data;
	struct mhi_boot_bzimage *bz = &boot->u.bz;

	bz->relocatable = d[HDR_RELOCATABLE];
	bz->alignment = mhi_get_le32(d + HDR_ALIGNMENT);
	bz->preferred = mhi_get_le64(d + HDR_PREF_ADDRESS);
	bz->init_bytes = mhi_get_le32(d + HDR_INIT_SIZE);
	if (bz->init_bytes < bz->payload_bytes)
		bz->init_bytes = bz->payload_bytes;
	bz->initrd_end = (u64)mhi_get_le32(d + HDR_INITRD_ADDR_MAX) + 1;
	bz->cmdline_max = mhi_get_le32(d + HDR_CMDLINE_SIZE);
	if (!bz->cmdline_max)
		bz->cmdline_max = CMDLINE_SIZE_DEFAULT;
	if (bz->alignment < MHI_PAGE_SIZE || (bz->alignment & (bz->alignment - 1)))
		return mhi_boot_error(
			boot, err, MH_EFORMAT,
			"kernel_alignment 0x%llx is no power of two from 4096 on; the "
			"file is corrupt",
			bz->alignment);
	if (bz->preferred & MHI_PAGE_MASK)
		return mhi_boot_error(
			boot, err, MH_EFORMAT,
			"pref_address 0x%llx is not page-aligned; the file is corrupt",
			bz->preferred);
	return 0;
}

static int bzimage_parse(struct mhi_boot *boot, struct mhi_err *err)
{
	u64 end;
	int rc = check_header(boot, err);

	if (!rc)
		rc = parse_payload(boot, err);
	if (!rc)
		rc = parse_placement(boot, err);
	if (rc)
		return rc;
	end = HDR_MAGIC + (u64)boot->kernel.data[HDR_JUMP_BYTES];
	if (end > HDR_ZERO_PAGE_END)
		end = HDR_ZERO_PAGE_END;
	boot->u.bz.header_bytes = end - HDR_START;
	return 0;
}

static bool fits(const struct mhi_boot_bzimage *bz, const struct mhi_boot_target *to, u64 gpa)
{
	return gpa >= MHI_BIOS_END && mhi_range_within(gpa, bz->init_bytes, to->low_end);
}

/* At the preferred address, else (relocatable only) at the lowest aligned one above 1 MiB. */
static int place_kernel(const struct mhi_boot *boot, const struct mhi_boot_target *to, u64 *gpa,
			struct mhi_err *err)
{
	const struct mhi_boot_bzimage *bz = &boot->u.bz;
	u64 lowest = (MHI_BIOS_END + bz->alignment - 1) & ~(bz->alignment - 1);

	if (fits(bz, to, bz->preferred))
		*gpa = bz->preferred;
	else if (bz->relocatable && fits(bz, to, lowest))
		*gpa = lowest;
	else
		return mhi_boot_error(boot, err, MH_ERANGE,
				      "needs %llu bytes (init_size) at 0x%llx%s, but memory below "
				      "the hole ends at 0x%llx; give the VM more memory",
				      bz->init_bytes, bz->preferred,
				      bz->relocatable ? " or above 1 MiB" : "", to->low_end);
	return 0;
}

static int bzimage_load(const struct mhi_boot *boot, const struct mhi_boot_target *to,
			struct mhi_entry *entry, struct mhi_err *err)
{
	const struct mhi_boot_bzimage *bz = &boot->u.bz;
	u8 zero_page[MHI_ZERO_PAGE_BYTES] = { 0 };
	u64 gpa = 0, initrd = 0;
	int rc = place_kernel(boot, to, &gpa, err);

	if (!rc)
		rc = mhi_boot_put_cmdline(boot, to, bz->cmdline_max, err);
	if (!rc)
		rc = mhi_boot_put_initrd(boot, to, gpa + bz->init_bytes, bz->initrd_end, &initrd,
					 err);
	if (!rc)
		rc = mhi_boot_put(to, gpa, boot->kernel.data + bz->payload, bz->payload_bytes, err);
	if (rc)
		return rc;
	memcpy(zero_page + HDR_START, boot->kernel.data + HDR_START, bz->header_bytes);
	mhi_boot_fill_zero_page(boot, to, initrd, zero_page);
	rc = mhi_boot_put(to, MHI_BOOT_ZERO_PAGE, zero_page, sizeof(zero_page), err);
	return rc ? rc : mhi_boot_enter_long(to, gpa + ENTRY_64, MHI_BOOT_ZERO_PAGE, entry, err);
}

const struct mhi_boot_format mhi_boot_bzimage = {
	.parse = bzimage_parse,
	.load = bzimage_load,
};
