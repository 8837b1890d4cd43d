/* SPDX-License-Identifier: MIT */
/*
 * Firmware: a PC BIOS image below 4 GiB, where the boot CPU starts, with its copy below 1 MiB, as
 * chipsets leave it. Intel 82441FX datasheet, 4.1 "System Address Map".
 */
#include "platform/boot.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "platform/layout.h"

#define LEAST_BYTES 0x10000u	/* the segment that the reset vector is in */
#define MOST_BYTES 0x1000000ull /* down to the local APICs */
#define SHADOW_BYTES 0x40000ull /* from 0xc0000, where option ROMs start */
#define RESET_VECTOR_BYTES 16	/* from the end: SDM 3A 9.1.4 "First Instruction Executed" */

/* A UEFI firmware volume's header: PI 1.7, vol. 3, 3.2.1 "EFI_FIRMWARE_VOLUME_HEADER". */
#define VOLUME_SIGNATURE_AT 0x28
#define VOLUME_STEP 0x1000

/* Where distributions have SeaBIOS; the larger image has more drivers. */
static const char *const places[] = {
	MHI_BIOS_PATH,
	"/usr/share/seabios/bios-256k.bin",
	"/usr/share/qemu/bios-256k.bin",
	"/usr/share/seabios/bios.bin",
	"/usr/share/qemu/bios.bin",
};

static bool is_uefi(const struct mhi_boot_file *f)
{
	for (u64 at = 0; at + VOLUME_SIGNATURE_AT + 4 <= f->bytes; at += VOLUME_STEP)
		if (!memcmp(f->data + at + VOLUME_SIGNATURE_AT, "_FVH", 4))
			return true;
	return false;
}

/* Firmware begins with a jump: far (a PC's BIOS), near or short. */
static bool has_reset_vector(const struct mhi_boot_file *f)
{
	u8 first = f->data[f->bytes - RESET_VECTOR_BYTES];

	return first == 0xea || first == 0xe9 || first == 0xeb;
}

static int firmware_parse(struct mhi_boot *boot, struct mhi_err *err)
{
	const struct mhi_boot_file *f = &boot->kernel;

	if (f->bytes < LEAST_BYTES || f->bytes > MOST_BYTES || f->bytes % MHI_PAGE_SIZE)
		return mhi_boot_error(
			boot, err, MH_EFORMAT,
			"%llu bytes are no BIOS image: those have 64 KiB to 16 MiB, in "
			"whole pages; name another file",
			f->bytes);
	if (is_uefi(f))
		return mhi_boot_error(boot, err, MH_EFORMAT,
				      "is UEFI firmware (OVMF), which needs more of a machine than "
				      "there is; use a BIOS (SeaBIOS)");
	if (!has_reset_vector(f))
		return mhi_boot_error(
			boot, err, MH_EFORMAT,
			"no jump is at its reset vector, 16 bytes from its end: it is "
			"no BIOS image; name another file");
	boot->rom = aligned_alloc(MHI_PAGE_SIZE, f->bytes);
	if (!boot->rom)
		return mhi_boot_error(boot, err, MH_ENOMEM, MHI_NO_MEMORY);
	memcpy(boot->rom, f->data, f->bytes);
	return 0;
}

static int firmware_load(const struct mhi_boot *boot, const struct mhi_boot_target *to,
			 struct mhi_entry *entry, struct mhi_err *err)
{
	u64 bytes = boot->kernel.bytes < SHADOW_BYTES ? boot->kernel.bytes : SHADOW_BYTES;
	int rc = mhi_boot_zero(to, MHI_BIOS_END - SHADOW_BYTES, SHADOW_BYTES - bytes, err);

	if (!rc)
		rc = mhi_boot_put(to, MHI_BIOS_END - bytes,
				  boot->kernel.data + boot->kernel.bytes - bytes, bytes, err);
	if (!rc)
		*entry = (struct mhi_entry){ .reset = true };
	return rc;
}

const struct mhi_boot_format mhi_boot_firmware = {
	.parse = firmware_parse,
	.load = firmware_load,
};

int mhi_boot_find_firmware(const char **path, struct mhi_err *err)
{
	for (size_t n = 0; n < MHI_COUNT(places); n++) {
		if (!*places[n] || access(places[n], R_OK))
			continue;
		*path = places[n];
		return 0;
	}
	return mhi_err_set(
		err, MH_ENOENT,
		"no BIOS is installed, at %s or elsewhere; install SeaBIOS (package "
		"\"seabios\" of Debian and Ubuntu, \"seabios-bin\" of Fedora), or name a "
		"firmware image",
		places[1]);
}
