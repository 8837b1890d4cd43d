// SPDX-License-Identifier: MIT
/*
 * The bzImage loader: placement, zero page, every refusal, hostile images, and Debian's kernel
 * where there is one.
 */
#include "unit.h"
#include "boot_fixture.h"
#include "core/le.h"
#include "rng.h"

#include <glob.h>
#include <stdio.h>

#define MIB (1ull << 20)
#define GIB (1ull << 30)

#define PAYLOAD 1024u
#define PAYLOAD_BYTES 0x600u
#define IMAGE_BYTES (PAYLOAD + PAYLOAD_BYTES)
#define PREFERRED (16 * MIB)
#define ZERO_PAGE 0x7000ull

static const struct blob none;
static struct boot_fixture f;
static u8 image[IMAGE_BYTES];

/* A kernel as small as it gets: one setup sector, 0x600 bytes of code. */
static struct blob good(void)
{
	memset(image, 0, sizeof(image));
	image[0x1f1] = 1;
	mhi_put_le32(image + 0x1f4, PAYLOAD_BYTES / 16);
	mhi_put_le16(image + 0x1fe, 0xaa55);
	image[0x200] = 0xeb;
	image[0x201] = 0x6a; /* the header ends at 0x26c */
	memcpy(image + 0x202, "HdrS", 4);
	mhi_put_le16(image + 0x206, 0x20f);
	image[0x211] = 0x01;
	mhi_put_le32(image + 0x22c, 0x7fffffff);
	mhi_put_le32(image + 0x230, 0x200000);
	image[0x234] = 1;
	mhi_put_le16(image + 0x236, 0x0001);
	mhi_put_le32(image + 0x238, 2047);
	mhi_put_le64(image + 0x258, PREFERRED);
	mhi_put_le32(image + 0x260, 4 * MIB);
	for (unsigned int i = 0; i < PAYLOAD_BYTES; i++)
		image[PAYLOAD + i] = (u8)(i * 13 + 1);
	return (struct blob){ image, IMAGE_BYTES };
}

START_TEST(loads)
{
	struct blob kernel = good();

	fixture_init(&f, 64 * MIB);
	ck_assert_int_eq(fixture_boot(&f, kernel, none, "console=ttyS0"), 0);
	ck_assert(holds(&f, PREFERRED, image + PAYLOAD, PAYLOAD_BYTES));
	check_long_mode(&f, PREFERRED + 0x200);
	/* Zero page: the header copied, the loader's fields, nothing else. */
	ck_assert_uint_eq(peek(&f, ZERO_PAGE + 0x1f1, 1), 1);
	ck_assert_uint_eq(peek(&f, ZERO_PAGE + 0x202, 4), 0x53726448);
	ck_assert_uint_eq(peek(&f, ZERO_PAGE + 0x260, 4), 4 * MIB);
	ck_assert_uint_eq(peek(&f, ZERO_PAGE + 0x210, 1), 0xff);
	ck_assert_uint_eq(peek(&f, ZERO_PAGE + 0x211, 1) & 1, 1);
	ck_assert_uint_eq(peek(&f, ZERO_PAGE + 0x070, 8), 0xe0000);
	ck_assert_uint_eq(peek(&f, ZERO_PAGE + 0x1ef, 1), 0);
	ck_assert_uint_eq(peek(&f, ZERO_PAGE + 0x218, 8), 0);
	check_memory_map(&f, ZERO_PAGE + 0x2d0, (u8)peek(&f, ZERO_PAGE + 0x1e8, 1), 20);
	ck_assert(holds(&f, peek(&f, ZERO_PAGE + 0x228, 4), "console=ttyS0", 14));
	/* Loading again, as a restart does, gives the same. */
	ck_assert_int_eq(mhi_boot_load(f.boot, f.machine, &f.entry, &f.err), 0);
	ck_assert_uint_eq(f.entry.rip, PREFERRED + 0x200);
	fixture_fini(&f);
}
END_TEST

START_TEST(no_command_line)
{
	fixture_init(&f, 64 * MIB);
	ck_assert_int_eq(fixture_boot(&f, good(), none, NULL), 0);
	ck_assert_uint_eq(peek(&f, peek(&f, ZERO_PAGE + 0x228, 4), 1), 0);
	fixture_fini(&f);
}
END_TEST

START_TEST(initrd)
{
	static u8 data[3 * MIB + 5];
	struct blob kernel = good(), archive = { data, sizeof(data) };
	u64 at;

	for (size_t i = 0; i < sizeof(data); i++)
		data[i] = (u8)(i >> 8 ^ i);
	fixture_init(&f, 64 * MIB);
	ck_assert_int_eq(fixture_boot(&f, kernel, archive, ""), 0);
	at = peek(&f, ZERO_PAGE + 0x218, 4);
	ck_assert_uint_eq(at & 4095, 0);
	ck_assert_uint_eq(at, (64 * MIB - sizeof(data)) & ~4095ull);
	ck_assert_uint_eq(peek(&f, ZERO_PAGE + 0x21c, 4), sizeof(data));
	ck_assert(holds(&f, at, data, sizeof(data)));
	/* Not above initrd_addr_max. */
	mhi_put_le32(image + 0x22c, 32 * MIB - 1);
	ck_assert_int_eq(fixture_boot(&f, kernel, archive, ""), 0);
	ck_assert_uint_le(peek(&f, ZERO_PAGE + 0x218, 4) + sizeof(data), 32 * MIB);
	/* No room between the kernel and that. */
	mhi_put_le32(image + 0x22c, 23 * MIB);
	fixture_expect(&f, fixture_boot(&f, kernel, archive, ""), MH_ERANGE, "initrd");
	mhi_put_le32(image + 0x22c, 0);
	fixture_expect(&f, fixture_boot(&f, kernel, archive, ""), MH_ERANGE, "initrd");
	archive.bytes = 0;
	fixture_expect(&f, fixture_boot(&f, kernel, archive, ""), MH_EFORMAT, "empty");
	fixture_fini(&f);
}
END_TEST

START_TEST(small_memory)
{
	struct blob kernel = good();

	/* The preferred place is beyond the end: the lowest aligned one. */
	fixture_init(&f, 8 * MIB);
	ck_assert_int_eq(fixture_boot(&f, kernel, none, ""), 0);
	ck_assert_uint_eq(f.entry.rip, 2 * MIB + 0x200);
	ck_assert(holds(&f, 2 * MIB, image + PAYLOAD, PAYLOAD_BYTES));
	image[0x234] = 0;
	fixture_expect(&f, fixture_boot(&f, kernel, none, ""), MH_ERANGE, "more memory");
	image[0x234] = 1;
	mhi_put_le32(image + 0x260, 6 * MIB + 1);
	fixture_expect(&f, fixture_boot(&f, kernel, none, ""), MH_ERANGE, "init_size");
	mhi_put_le32(image + 0x260, 0xffffffff);
	fixture_expect(&f, fixture_boot(&f, kernel, none, ""), MH_ERANGE, "init_size");
	/* A lie: less than is loaded. */
	mhi_put_le32(image + 0x260, 0);
	ck_assert_int_eq(fixture_boot(&f, kernel, none, ""), 0);
	/* A preferred address at the end of everything. */
	mhi_put_le64(image + 0x258, ~0ull & ~4095ull);
	ck_assert_int_eq(fixture_boot(&f, kernel, none, ""), 0);
	ck_assert_uint_eq(f.entry.rip, 2 * MIB + 0x200);
	/* And one where the boot data lie. */
	mhi_put_le64(image + 0x258, 0x7000);
	ck_assert_int_eq(fixture_boot(&f, kernel, none, ""), 0);
	ck_assert_uint_eq(f.entry.rip, 2 * MIB + 0x200);
	fixture_fini(&f);
	fixture_init(&f, 1 * MIB);
	fixture_expect(&f, fixture_boot(&f, good(), none, ""), MH_ERANGE, "more memory");
	fixture_fini(&f);
}
END_TEST

START_TEST(memory_beyond_the_hole)
{
	fixture_init(&f, 5 * GIB);
	ck_assert_int_eq(fixture_boot(&f, good(), none, ""), 0);
	check_memory_map(&f, ZERO_PAGE + 0x2d0, (u8)peek(&f, ZERO_PAGE + 0x1e8, 1), 20);
	fixture_fini(&f);
	fixture_init(&f, 3 * GIB);
	ck_assert_int_eq(fixture_boot(&f, good(), none, ""), 0);
	check_memory_map(&f, ZERO_PAGE + 0x2d0, (u8)peek(&f, ZERO_PAGE + 0x1e8, 1), 20);
	fixture_fini(&f);
}
END_TEST

START_TEST(command_line_length)
{
	char line[3000];

	fixture_init(&f, 64 * MIB);
	memset(line, 'x', sizeof(line));
	line[2047] = 0;
	ck_assert_int_eq(fixture_boot(&f, good(), none, line), 0);
	line[2047] = 'x';
	line[2048] = 0;
	fixture_expect(&f, fixture_boot(&f, good(), none, line), MH_ERANGE, "command line");
	/* 0 means 255. */
	good();
	mhi_put_le32(image + 0x238, 0);
	line[256] = 0;
	fixture_expect(&f, fixture_boot(&f, (struct blob){ image, IMAGE_BYTES }, none, line),
		       MH_ERANGE, "256");
	line[255] = 0;
	ck_assert_int_eq(fixture_boot(&f, (struct blob){ image, IMAGE_BYTES }, none, line), 0);
	fixture_fini(&f);
}
END_TEST

static void refuse(unsigned int at, u32 value, unsigned int bytes, const char *word)
{
	struct blob kernel = good();

	for (unsigned int i = 0; i < bytes; i++)
		image[at + i] = (u8)(value >> (8 * i));
	fixture_expect(&f, fixture_boot(&f, kernel, none, ""), MH_EFORMAT, word);
	ck_assert_ptr_nonnull(strstr(f.err.text, f.kernel));
}

START_TEST(refusals)
{
	fixture_init(&f, 64 * MIB);
	refuse(0x1fe, 0, 2, "boot_flag");
	refuse(0x202, 0, 4, "neither");
	refuse(0x206, 0x20b, 2, "version");
	refuse(0x201, 0x61, 1, "setup header");
	refuse(0x211, 0, 1, "LOADED_HIGH");
	refuse(0x236, 0, 2, "32-bit");
	refuse(0x1f4, 0, 4, "syssize");
	refuse(0x1f4, 0x20, 4, "syssize");
	refuse(0x1f4, PAYLOAD_BYTES / 16 + 1, 4, "truncated");
	refuse(0x1f4, 0xffffffff, 4, "truncated");
	refuse(0x1f1, 4, 1, "truncated");
	refuse(0x1f1, 0, 1, "truncated"); /* 0 means 4 sectors */
	refuse(0x1f1, 0xff, 1, "truncated");
	refuse(0x230, 0, 4, "kernel_alignment");
	refuse(0x230, 0x300000, 4, "kernel_alignment");
	refuse(0x230, 0x800, 4, "kernel_alignment");
	refuse(0x258, 0x1000001, 4, "pref_address");
	fixture_fini(&f);
}
END_TEST

static void refuse_file(const void *data, size_t bytes, const char *word)
{
	fixture_expect(&f, fixture_boot(&f, (struct blob){ data, bytes }, none, ""), MH_EFORMAT,
		       word);
}

START_TEST(files)
{
	struct mhi_boot *boot = NULL;

	fixture_init(&f, 64 * MIB);
	refuse_file("", 0, "empty");
	refuse_file("#!/bin/sh\n", 10, "neither");
	refuse_file("\x1f\x8b\x08\x00", 4, "gzip");
	refuse_file("\x28\xb5\x2f\xfd\x00", 5, "zstd");
	refuse_file("\xfd\x37zXZ\x00", 6, "xz");
	fixture_expect(&f, mhi_boot_create("/nowhere/vmlinuz", NULL, NULL, &boot, &f.err),
		       MH_ENOENT, "/nowhere/vmlinuz");
	fixture_expect(&f, mhi_boot_create("/tmp", NULL, NULL, &boot, &f.err), MH_EFORMAT,
		       "regular file");
	fixture_expect(&f, mhi_boot_create(NULL, NULL, NULL, &boot, &f.err), MH_EINVAL, "kernel");
	ck_assert_int_eq(fixture_boot(&f, good(), none, ""), 0);
	fixture_expect(&f, mhi_boot_create(f.kernel, "/nowhere/initrd", NULL, &boot, &f.err),
		       MH_ENOENT, "initrd /nowhere/initrd");
	ck_assert_ptr_null(boot);
	/* A path longer than the message still leaves room for the cause. */
	{
		char path[1000];

		memset(path, 'p', sizeof(path));
		path[0] = '/';
		path[sizeof(path) - 1] = 0;
		ck_assert_int_ne(mhi_boot_create(path, NULL, NULL, &boot, &f.err), 0);
		ck_assert_ptr_nonnull(strstr(f.err.text, "check the path"));
	}
	fixture_fini(&f);
}
END_TEST

/* A VM whose memory is the caller's has nothing to boot from. */
START_TEST(no_memory)
{
	struct mhi_machine_env env;
	struct mhi_bus pio, mmio;
	struct mhi_machine *bare;

	fixture_init(&f, 64 * MIB);
	ck_assert_int_eq(fixture_boot(&f, good(), none, ""), 0);
	mhi_bus_init(&pio);
	mhi_bus_init(&mmio);
	memset(&env, 0, sizeof(env));
	env.mem = &f.ram.mem;
	env.pio = &pio;
	env.mmio = &mmio;
	env.cpus = 1;
	ck_assert_int_eq(mhi_machine_create(&env, &bare, &f.err), 0);
	fixture_expect(&f, mhi_boot_load(f.boot, bare, &f.entry, &f.err), MH_EINVAL,
		       "memory_bytes");
	mhi_machine_destroy(bare);
	mhi_bus_fini(&pio);
	mhi_bus_fini(&mmio);
	fixture_fini(&f);
}
END_TEST

/* Any image is either loaded or refused with a sentence; ASan and UBSan watch. */
static void hostile(const void *data, size_t bytes)
{
	int rc = fixture_load(&f, (struct blob){ data, bytes });

	ck_assert(rc == 0 || rc == MH_EFORMAT || rc == MH_ERANGE);
	ck_assert(rc == 0 || f.err.text[0]);
}

START_TEST(fuzz)
{
	struct rng rng = { .s = 0x626f6f74 };

	fixture_init(&f, 32 * MIB);
	good();
	for (size_t bytes = 0; bytes <= IMAGE_BYTES; bytes++)
		hostile(image, bytes);
	for (unsigned int round = 0; round < 20000; round++) {
		size_t bytes = rng_below(&rng, 4) ? IMAGE_BYTES : rng_below(&rng, IMAGE_BYTES + 1);

		good();
		for (u64 flips = 1 + rng_below(&rng, 4); flips; flips--)
			image[0x1f1 + rng_below(&rng, 0x80)] = (u8)rng_next(&rng);
		hostile(image, bytes);
	}
	fixture_fini(&f);
}
END_TEST

static void boot_real(const char *path)
{
	struct mhi_boot *boot;
	struct mhi_entry entry;
	u64 load;

	ck_assert_msg(mhi_boot_create(path, NULL, "quiet", &boot, &f.err) == 0, "%s", f.err.text);
	ck_assert_ptr_eq(boot->format, &mhi_boot_bzimage);
	ck_assert_msg(mhi_boot_load(boot, f.machine, &entry, &f.err) == 0, "%s", f.err.text);
	load = entry.rip - 0x200;
	ck_assert_uint_eq(load, boot->u.bz.preferred);
	ck_assert(
		holds(&f, load, boot->kernel.data + boot->u.bz.payload, boot->u.bz.payload_bytes));
	/* The 64-bit entry begins with cld, cli. */
	ck_assert_uint_eq(peek(&f, entry.rip, 2), 0xfafc);
	mhi_boot_destroy(boot);
}

/* Debian's kernels: those of this machine, and those that the lab fetched. */
START_TEST(real_kernels)
{
	const char *cache = getenv("XDG_CACHE_HOME"), *home = getenv("HOME");
	char pattern[512];
	glob_t found;

	if (cache)
		snprintf(pattern, sizeof(pattern), "%s/macrohard/kernels/*/vmlinuz", cache);
	else
		snprintf(pattern, sizeof(pattern), "%s/.cache/macrohard/kernels/*/vmlinuz",
			 home ? home : "");
	glob("/boot/vmlinuz-*", 0, NULL, &found);
	glob(pattern, GLOB_APPEND, NULL, &found);
	if (!found.gl_pathc)
		printf("SKIP real_kernels: neither /boot/vmlinuz-* nor %s\n", pattern);
	fixture_init(&f, 512 * MIB);
	for (size_t i = 0; i < found.gl_pathc; i++)
		boot_real(found.gl_pathv[i]);
	fixture_fini(&f);
	globfree(&found);
}
END_TEST

static void add_tests(TCase *tcase)
{
	tcase_add_test(tcase, loads);
	tcase_add_test(tcase, no_command_line);
	tcase_add_test(tcase, initrd);
	tcase_add_test(tcase, small_memory);
	tcase_add_test(tcase, memory_beyond_the_hole);
	tcase_add_test(tcase, command_line_length);
	tcase_add_test(tcase, refusals);
	tcase_add_test(tcase, files);
	tcase_add_test(tcase, no_memory);
	tcase_add_test(tcase, fuzz);
	tcase_add_test(tcase, real_kernels);
}

UNIT_MAIN("boot_bzimage", add_tests)
