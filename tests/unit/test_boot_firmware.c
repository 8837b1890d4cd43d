// SPDX-License-Identifier: MIT
/*
 * Firmware: which images are taken, where they lie; what the machine tells it, read as firmware
 * reads it, with the ACPI tables put where its loader puts them.
 */
#include "unit.h"
#include "boot_fixture.h"
#include "core/be.h"
#include "core/le.h"
#include "platform/layout.h"

#include <stdio.h>
#include <unistd.h>

#define RAM (64ull << 20)
#define SMALL_RAM (16ull << 20) /* what was not written shows */
#define IMAGE_MAX (17u << 20)

static struct boot_fixture f;
static u8 image[IMAGE_MAX];

/* As a BIOS has it: a far jump 16 bytes before the end. */
static void make(size_t bytes)
{
	memset(image, 0x90, sizeof(image));
	image[0] = 0xb1;
	if (bytes >= 16)
		image[bytes - 16] = 0xea;
}

static int create(size_t bytes)
{
	FILE *file = fopen(f.kernel, "w");

	ck_assert_ptr_nonnull(file);
	ck_assert_uint_eq(fwrite(image, 1, bytes, file), bytes);
	fclose(file);
	mhi_boot_destroy(f.boot);
	f.boot = NULL;
	return mhi_boot_create_firmware(f.kernel, &f.boot, &f.err);
}

START_TEST(images)
{
	static const size_t wrong[] = { 1, 16, 0xf000, 0x10001, 0x1ffff, (16u << 20) - 1 };

	fixture_init(&f, RAM);
	for (size_t n = 0; n < MHI_COUNT(wrong); n++) {
		make(wrong[n]);
		fixture_expect(&f, create(wrong[n]), MH_EFORMAT, "no BIOS image");
	}
	make(0);
	fixture_expect(&f, create(0), MH_EFORMAT, "empty");
	make(17u << 20);
	fixture_expect(&f, create(17u << 20), MH_ERANGE, "firmware");
	make(0x20000);
	image[0x20000 - 16] = 0;
	fixture_expect(&f, create(0x20000), MH_EFORMAT, "reset vector");
	make(0x200000);
	memcpy(image + 0x84000 + 0x28, "_FVH", 4);
	fixture_expect(&f, create(0x200000), MH_EFORMAT, "OVMF");
	fixture_expect(&f, mhi_boot_create_firmware("/nowhere/bios", &f.boot, &f.err), MH_ENOENT,
		       "firmware /nowhere/bios");
	fixture_expect(&f, mhi_boot_create_firmware("/tmp", &f.boot, &f.err), MH_EFORMAT, "/tmp");
	fixture_fini(&f);
}
END_TEST

/* All of a small one lies below 1 MiB, and the end of a large one. */
START_TEST(placed)
{
	static const size_t sizes[] = { 0x10000, 0x20000, 0x40000, 0x100000, 16u << 20 };

	fixture_init(&f, SMALL_RAM);
	for (size_t n = 0; n < MHI_COUNT(sizes); n++) {
		size_t bytes = sizes[n], low = bytes < 0x40000 ? bytes : 0x40000;
		u64 rom_bytes;
		const void *rom;

		make(bytes);
		ck_assert_int_eq(create(bytes), 0);
		rom = mhi_boot_rom(f.boot, &rom_bytes);
		ck_assert_uint_eq(rom_bytes, bytes);
		ck_assert_uint_eq((uintptr_t)rom % 4096, 0);
		ck_assert(!memcmp(rom, image, bytes));
		ck_assert_int_eq(mhi_boot_load(f.boot, f.machine, &f.entry, &f.err), 0);
		ck_assert(f.entry.reset);
		ck_assert(holds(&f, 0x100000 - low, image + bytes - low, low));
		ck_assert_uint_eq(peek(&f, 0xbffff, 1), 0xcc);
		if (low < 0x40000)
			ck_assert_uint_eq(peek(&f, 0xc0000, 8), 0);
	}
	fixture_fini(&f);
}
END_TEST

/* ---- what it is told ---- */

static u8 file[0x10000];

static void choose(u16 key)
{
	ck_assert(mhi_bus_write(&f.pio, 0x510, 2, key));
}

static void take(void *to, size_t bytes)
{
	u64 value;

	for (u8 *p = to; bytes--; *p++ = (u8)value)
		ck_assert(mhi_bus_read(&f.pio, 0x511, 1, &value));
}

/* A file's size, and its content in file. */
static u32 read_file(const char *name)
{
	u8 entry[64], count[4];
	u32 bytes;

	choose(0x19);
	take(count, 4);
	for (u32 n = mhi_get_be32(count); n; n--) {
		take(entry, sizeof(entry));
		if (strcmp((const char *)entry + 8, name))
			continue;
		bytes = mhi_get_be32(entry);
		ck_assert_uint_le(bytes, sizeof(file));
		choose((u16)(entry[4] << 8 | entry[5]));
		take(file, bytes);
		return bytes;
	}
	ck_abort_msg("there is no %s", name);
	return 0;
}

static u8 cmos(u8 at)
{
	u64 value;

	mhi_bus_write(&f.pio, 0x70, 1, at);
	mhi_bus_read(&f.pio, 0x71, 1, &value);
	return (u8)value;
}

static void reset(void)
{
	ck_assert_int_eq(mhi_machine_firmware(f.machine, 0x20000, &f.err), 0);
	ck_assert_int_eq(mhi_machine_reset(f.machine, &f.err), 0);
}

START_TEST(memory)
{
	fixture_init(&f, RAM);
	reset();
	ck_assert_uint_eq(read_file("etc/e820"), 60);
	ck_assert_uint_eq(mhi_get_le64(file), 0);
	ck_assert_uint_eq(mhi_get_le64(file + 8), RAM);
	ck_assert_uint_eq(mhi_get_le32(file + 16), 1);
	ck_assert_uint_eq(mhi_get_le64(file + 40), 0xfffe0000);
	ck_assert_uint_eq(mhi_get_le64(file + 48), 0x20000);
	ck_assert_uint_eq(mhi_get_le32(file + 56), 2);
	ck_assert_uint_eq(cmos(0x30) | cmos(0x31) << 8, 63 << 10);
	ck_assert_uint_eq(cmos(0x34) | cmos(0x35) << 8, 48 << 4);
	ck_assert_uint_eq(cmos(0x5b) | cmos(0x5c) << 8 | cmos(0x5d) << 16, 0);
	ck_assert_uint_eq(read_file("etc/sercon-port"), 2);
	ck_assert_uint_eq(mhi_get_le16(file), 0x3f8);
	fixture_fini(&f);
	fixture_init(&f, 5ull << 30);
	reset();
	ck_assert_uint_eq(read_file("etc/e820"), 80);
	ck_assert_uint_eq(mhi_get_le64(file + 8), 3ull << 30);
	ck_assert_uint_eq(mhi_get_le64(file + 20), 1ull << 32);
	ck_assert_uint_eq(mhi_get_le64(file + 28), 2ull << 30);
	ck_assert_uint_eq(cmos(0x30) | cmos(0x31) << 8, 0xfc00);
	ck_assert_uint_eq(cmos(0x34) | cmos(0x35) << 8, (3072 - 16) << 4);
	ck_assert_uint_eq(cmos(0x5b) | cmos(0x5c) << 8 | cmos(0x5d) << 16, 2048 << 4);
	fixture_fini(&f);
}
END_TEST

#define TABLES_AT 0x3f00000ull
#define RSDP_AT 0xf1234ull

static struct {
	u8 *data;
	u32 bytes;
	u64 at;
} loaded[2];

static int named(const u8 *name)
{
	return !strcmp((const char *)name, "etc/acpi/rsdp");
}

static u8 sum_of(const u8 *p, u32 bytes)
{
	u8 sum = 0;

	while (bytes--)
		sum += *p++;
	return sum;
}

static void add_pointer(const u8 *command)
{
	int to = named(command + 4), from = named(command + 60);
	u32 at = mhi_get_le32(command + 116);
	u8 bytes = command[120], *p = loaded[to].data + at;

	ck_assert(bytes == 4 || bytes == 8);
	ck_assert_uint_le(at + bytes, loaded[to].bytes);
	if (bytes == 8)
		mhi_put_le64(p, mhi_get_le64(p) + loaded[from].at);
	else
		mhi_put_le32(p, mhi_get_le32(p) + (u32)loaded[from].at);
}

static void add_sum(const u8 *command)
{
	int of = named(command + 4);
	u32 at = mhi_get_le32(command + 60), start = mhi_get_le32(command + 64);
	u32 bytes = mhi_get_le32(command + 68);

	ck_assert_uint_lt(at, loaded[of].bytes);
	ck_assert_uint_le(start + bytes, loaded[of].bytes);
	loaded[of].data[at] -= sum_of(loaded[of].data + start, bytes);
}

static void load_tables(void)
{
	static u8 script[0x2000];
	u32 bytes = read_file("etc/table-loader");

	ck_assert_uint_le(bytes, sizeof(script));
	ck_assert_uint_eq(bytes % 128, 0);
	memcpy(script, file, bytes);
	for (const u8 *p = script; p < script + bytes; p += 128) {
		int n = named(p + 4);

		switch (mhi_get_le32(p)) {
		case 1:
			loaded[n].bytes = read_file((const char *)p + 4);
			loaded[n].data = malloc(loaded[n].bytes);
			memcpy(loaded[n].data, file, loaded[n].bytes);
			loaded[n].at = n ? RSDP_AT : TABLES_AT;
			ck_assert_uint_eq(p[64], n ? 2 : 1);
			break;
		case 2:
			add_pointer(p);
			break;
		case 3:
			add_sum(p);
			break;
		default:
			ck_abort_msg("no such command");
		}
	}
}

static const u8 *table(u64 at, const char *signature)
{
	const u8 *t = loaded[0].data + (at - TABLES_AT);

	ck_assert_uint_ge(at, TABLES_AT);
	ck_assert_uint_lt(at, TABLES_AT + loaded[0].bytes);
	ck_assert_msg(!memcmp(t, signature, 4), "%.4s is not %s", (const char *)t, signature);
	ck_assert_uint_eq(sum_of(t, mhi_get_le32(t + 4)), 0);
	return t;
}

START_TEST(tables)
{
	const u8 *rsdp, *xsdt, *fadt;

	fixture_init(&f, RAM);
	reset();
	load_tables();
	rsdp = loaded[1].data;
	ck_assert_uint_eq(loaded[1].bytes, 36);
	ck_assert_uint_eq(sum_of(rsdp, 20), 0);
	ck_assert_uint_eq(sum_of(rsdp, 36), 0);
	xsdt = table(mhi_get_le64(rsdp + 24), "XSDT");
	fadt = table(mhi_get_le64(xsdt + 36), "FACP");
	table(mhi_get_le64(xsdt + 44), "APIC");
	table(mhi_get_le64(xsdt + 52), "MCFG");
	table(mhi_get_le64(fadt + 140), "DSDT");
	ck_assert_uint_eq(mhi_get_le32(fadt + 40), mhi_get_le64(fadt + 140));
	free(loaded[0].data);
	free(loaded[1].data);
	fixture_fini(&f);
}
END_TEST

/* Without firmware nothing of it is there, and the tables are in memory again. */
START_TEST(gone)
{
	u64 value;

	fixture_init(&f, SMALL_RAM);
	reset();
	ck_assert_uint_eq(peek(&f, MHI_ACPI_BASE, 1), 0xcc);
	ck_assert(mhi_bus_read(&f.mmio, 0xfebff000, 4, &value));
	ck_assert_int_eq(mhi_machine_firmware(f.machine, 0, &f.err), 0);
	ck_assert_int_eq(mhi_machine_reset(f.machine, &f.err), 0);
	ck_assert(!mhi_bus_read(&f.mmio, 0xfebff000, 4, &value));
	ck_assert(!mhi_bus_read(&f.pio, 0x511, 1, &value));
	ck_assert(holds(&f, MHI_ACPI_BASE, "RSD PTR ", 8));
	fixture_fini(&f);
}
END_TEST

static uint64_t nothing(void *opaque, uint64_t offset, unsigned int bytes)
{
	return 0;
}

/* Somebody has the addresses: nothing is left behind. */
START_TEST(taken)
{
	static const struct mh_io_ops ops = { .version = 1, .read = nothing };
	size_t ports, ranges;

	fixture_init(&f, RAM);
	ck_assert_int_eq(mhi_bus_add(&f.mmio, 0xfe000000, 4096, &ops, NULL), 0);
	ports = f.pio.count;
	ranges = f.mmio.count;
	fixture_expect(&f, mhi_machine_firmware(f.machine, 0x20000, &f.err), MH_EEXIST,
		       "0xf0100000");
	ck_assert_uint_eq(f.pio.count, ports);
	mhi_bus_remove(&f.mmio, 0xfe000000);
	ck_assert_int_eq(mhi_bus_add(&f.pio, 0x518, 1, &ops, NULL), 0);
	fixture_expect(&f, mhi_machine_firmware(f.machine, 0x20000, &f.err), MH_EEXIST, "0x510");
	ck_assert_uint_eq(f.mmio.count, ranges - 1);
	mhi_bus_remove(&f.pio, 0x518);
	fixture_fini(&f);
}
END_TEST

static void add_tests(TCase *tcase)
{
	tcase_add_test(tcase, images);
	tcase_add_test(tcase, placed);
	tcase_add_test(tcase, memory);
	tcase_add_test(tcase, tables);
	tcase_add_test(tcase, gone);
	tcase_add_test(tcase, taken);
}

UNIT_MAIN("boot_firmware", add_tests)
