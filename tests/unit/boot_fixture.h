/* SPDX-License-Identifier: MIT */
/*
 * What the tests of the kernel loaders share: a machine with RAM, images in temporary files,
 * looks into memory.
 */
#ifndef TESTS_BOOT_FIXTURE_H
#define TESTS_BOOT_FIXTURE_H

#include "guest_ram.h"
#include "platform/boot.h"

struct boot_fixture {
	struct guest_ram ram;
	struct mhi_bus pio, mmio;
	struct mhi_machine *machine;
	struct mhi_boot *boot; /* of the last fixture_boot that succeeded in making one */
	struct mhi_entry entry;
	struct mhi_err err;
	char kernel[64], initrd[64]; /* paths */
};

void fixture_init(struct boot_fixture *f, u64 ram_bytes);
void fixture_fini(struct boot_fixture *f);

struct blob {
	const void *data;
	size_t bytes;
};

/* The files are written anew, read and loaded; initrd.data NULL: none. Returns the first error. */
int fixture_boot(struct boot_fixture *f, struct blob kernel, struct blob initrd,
		 const char *cmdline);
/*
 * The same without files, from memory of exactly the image's size, so that ASan sees every step
 * beside it.
 */
int fixture_load(struct boot_fixture *f, struct blob kernel);
/* Fails the test unless the last error has this code and its sentence holds this word. */
void fixture_expect(const struct boot_fixture *f, int rc, int code, const char *word);

u64 peek(const struct boot_fixture *f, u64 gpa, unsigned int bytes);
/* Does guest memory hold these bytes there? */
bool holds(const struct boot_fixture *f, u64 gpa, const void *data, size_t bytes);

/* GDT, page tables and registers of the 64-bit protocol; the zero page's memory map and RSDP. */
void check_long_mode(const struct boot_fixture *f, u64 rip);
void check_memory_map(const struct boot_fixture *f, u64 table, unsigned int count,
		      unsigned int stride);

#endif
