// SPDX-License-Identifier: MIT
/* The fixture of the kernel loaders' tests. */
#include "boot_fixture.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "core/le.h"

#define LARGE_PAGE (2ull << 20)

static void ignore_msi(void *opaque, u64 addr, u32 data)
{
}

static void ignore_power(void *opaque, enum mhi_power what)
{
}

void fixture_init(struct boot_fixture *f, u64 ram_bytes)
{
	struct mhi_machine_env env = {
		.mem = &f->ram.mem,
		.pio = &f->pio,
		.mmio = &f->mmio,
		.msi = { .send = ignore_msi },
		.power = ignore_power,
		.ram_bytes = ram_bytes,
		.cpus = 1,
	};

	memset(f, 0, sizeof(*f));
	guest_ram_init(&f->ram, ram_bytes);
	mhi_bus_init(&f->pio);
	mhi_bus_init(&f->mmio);
	ck_assert_int_eq(mhi_machine_create(&env, &f->machine, &f->err), 0);
	snprintf(f->kernel, sizeof(f->kernel), "/tmp/mh-boot-%d-kernel", (int)getpid());
	snprintf(f->initrd, sizeof(f->initrd), "/tmp/mh-boot-%d-initrd", (int)getpid());
}

void fixture_fini(struct boot_fixture *f)
{
	mhi_boot_destroy(f->boot);
	mhi_machine_destroy(f->machine);
	mhi_bus_fini(&f->pio);
	mhi_bus_fini(&f->mmio);
	guest_ram_fini(&f->ram);
	unlink(f->kernel);
	unlink(f->initrd);
}

static void write_file(const char *path, struct blob blob)
{
	FILE *file = fopen(path, "wb");

	ck_assert_ptr_nonnull(file);
	ck_assert_uint_eq(fwrite(blob.data, 1, blob.bytes, file), blob.bytes);
	ck_assert_int_eq(fclose(file), 0);
}

int fixture_boot(struct boot_fixture *f, struct blob kernel, struct blob initrd,
		 const char *cmdline)
{
	int rc;

	mhi_boot_destroy(f->boot);
	f->boot = NULL;
	memset(&f->err, 0, sizeof(f->err));
	write_file(f->kernel, kernel);
	if (initrd.data)
		write_file(f->initrd, initrd);
	rc = mhi_boot_create(f->kernel, initrd.data ? f->initrd : NULL, cmdline, &f->boot, &f->err);
	return rc ? rc : mhi_boot_load(f->boot, f->machine, &f->entry, &f->err);
}

int fixture_load(struct boot_fixture *f, struct blob kernel)
{
	char path[] = "fuzzed", cmdline[] = "quiet";
	struct mhi_boot boot = {
		.kernel = { .path = path, .bytes = kernel.bytes },
		.cmdline = cmdline,
		.cmdline_bytes = strlen(cmdline),
	};
	struct mhi_boot_target to = {
		.mem = &f->ram.mem,
		.ram_bytes = f->ram.bytes,
		.low_end = f->ram.bytes,
	};
	const struct mhi_boot_format *format;
	int rc;

	boot.kernel.data = malloc(kernel.bytes ? kernel.bytes : 1);
	ck_assert_ptr_nonnull(boot.kernel.data);
	memcpy(boot.kernel.data, kernel.data, kernel.bytes);
	format = kernel.bytes >= 4 && !memcmp(kernel.data, "\177ELF", 4) ? &mhi_boot_elf
									 : &mhi_boot_bzimage;
	memset(&f->err, 0, sizeof(f->err));
	rc = format->parse(&boot, &f->err);
	if (!rc)
		rc = format->load(&boot, &to, &f->entry, &f->err);
	free(boot.kernel.data);
	return rc;
}

void fixture_expect(const struct boot_fixture *f, int rc, int code, const char *word)
{
	ck_assert_msg(rc == code && f->err.code == code && strstr(f->err.text, word),
		      "%d (%s), not %d with \"%s\"", rc, f->err.text, code, word);
}

u64 peek(const struct boot_fixture *f, u64 gpa, unsigned int bytes)
{
	u8 le[8] = { 0 };

	ck_assert_int_eq(mhi_gmem_read(&f->ram.mem, gpa, le, bytes), 0);
	return mhi_get_le64(le);
}

bool holds(const struct boot_fixture *f, u64 gpa, const void *data, size_t bytes)
{
	u8 *copy = malloc(bytes);
	bool same;

	ck_assert_ptr_nonnull(copy);
	same = !mhi_gmem_read(&f->ram.mem, gpa, copy, bytes) && !memcmp(copy, data, bytes);
	free(copy);
	return same;
}

void check_long_mode(const struct boot_fixture *f, u64 rip)
{
	const struct mhi_entry *e = &f->entry;

	ck_assert(e->long_mode);
	ck_assert_uint_eq(e->rip, rip);
	ck_assert_uint_eq(e->rsi, 0x7000);
	ck_assert_uint_ge(e->gdt_limit, 0x2f);
	ck_assert_uint_eq(peek(f, e->gdt_base, 8), 0);
	/* 0x10: 64-bit code; 0x18: data. */
	ck_assert_uint_eq(peek(f, e->gdt_base + 0x10, 8), 0x00af9b000000ffff);
	ck_assert_uint_eq(peek(f, e->gdt_base + 0x18, 8), 0x00cf93000000ffff);
	/* Each 2 MiB of the first 4 GiB is mapped to itself. */
	for (u64 va = 0; va < 4ull << 30; va += LARGE_PAGE) {
		u64 pdpt = peek(f, e->cr3 + 8 * (va >> 39), 8);
		u64 pd = peek(f, (pdpt & ~MHI_PAGE_MASK) + 8 * (va >> 30 & 511), 8);
		u64 pte = peek(f, (pd & ~MHI_PAGE_MASK) + 8 * (va >> 21 & 511), 8);

		ck_assert_uint_eq(pdpt & pd & 3, 3);
		ck_assert_uint_eq(pte, va | 0x83);
	}
}

void check_memory_map(const struct boot_fixture *f, u64 table, unsigned int count,
		      unsigned int stride)
{
	u64 end = 0, ram = 0;

	for (unsigned int i = 0; i < count; i++, table += stride) {
		u64 start = peek(f, table, 8), bytes = peek(f, table + 8, 8);
		u64 type = peek(f, table + 16, 4);

		ck_assert_uint_ge(start, end);
		ck_assert_uint_gt(bytes, 0);
		ck_assert(type == 1 || type == 2);
		end = start + bytes;
		/* RAM is really there, and neither the tables nor the hole are RAM. */
		if (type != 1)
			continue;
		ram += bytes;
		ck_assert_ptr_nonnull(mhi_gmem_ptr(&f->ram.mem, start, bytes, true));
		ck_assert(end <= 0xa0000 || start >= 0x100000);
		ck_assert(end <= 0xc0000000 || start >= 0x100000000);
	}
	ck_assert_uint_eq(ram, f->ram.bytes - 0x100000 + 0x9fc00);
}
