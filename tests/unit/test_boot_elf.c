// SPDX-License-Identifier: MIT
/* The ELF loader: vmlinux by its entry, PVH by its note, every refusal, hostile images. */
#include "unit.h"
#include "boot_fixture.h"
#include "core/le.h"
#include "rng.h"

#define MIB (1ull << 20)
#define GIB (1ull << 30)

#define PHDR(n) (64u + 56u * (n))
#define P_TYPE 0
#define P_OFFSET 8
#define P_PADDR 24
#define P_FILESZ 32
#define P_MEMSZ 40
#define P_ALIGN 48

#define TEXT 0x200u
#define TEXT_BYTES 0x300u
#define DATA 0x500u
#define DATA_BYTES 0x80u
#define NOTE 0x580u
#define IMAGE_BYTES 0x600u

#define TEXT_AT (16 * MIB)
#define DATA_AT (18 * MIB)
#define DATA_MEM 0x3000u
#define ENTRY (TEXT_AT + 0x40)
#define PVH_ENTRY (TEXT_AT + 0x80)
#define ZERO_PAGE 0x7000ull

static const struct blob none;
static struct boot_fixture f;
static u8 image[IMAGE_BYTES];
static const struct blob kernel = { image, IMAGE_BYTES };

static void segment(unsigned int n, u32 type, u64 offset, u64 bytes, u64 gpa)
{
	u8 *ph = image + PHDR(n);

	mhi_put_le32(ph + P_TYPE, type);
	mhi_put_le64(ph + P_OFFSET, offset);
	mhi_put_le64(ph + P_PADDR, gpa);
	mhi_put_le64(ph + P_FILESZ, bytes);
	mhi_put_le64(ph + P_MEMSZ, bytes);
	mhi_put_le64(ph + P_ALIGN, 4);
}

static u8 *note(u8 *p, const char *name, u32 type, u64 desc, u32 desc_bytes)
{
	mhi_put_le32(p, (u32)strlen(name) + 1);
	mhi_put_le32(p + 4, desc_bytes);
	mhi_put_le32(p + 8, type);
	memcpy(p + 12, name, strlen(name) + 1);
	mhi_put_le64(p + 12 + ((strlen(name) + 4) & ~3u), desc);
	return p + 12 + ((strlen(name) + 4) & ~3u) + desc_bytes;
}

/* Two segments and notes; the PVH one is not among them. */
static void good(void)
{
	memset(image, 0, sizeof(image));
	memcpy(image, "\177ELF\2\1\1", 7);
	mhi_put_le16(image + 16, 2);
	mhi_put_le16(image + 18, 62);
	mhi_put_le64(image + 24, ENTRY);
	mhi_put_le64(image + 32, 64);
	mhi_put_le16(image + 54, 56);
	mhi_put_le16(image + 56, 3);
	segment(0, 1, TEXT, TEXT_BYTES, TEXT_AT);
	segment(1, 1, DATA, DATA_BYTES, DATA_AT);
	mhi_put_le64(image + PHDR(1) + P_MEMSZ, DATA_MEM);
	segment(2, 4, NOTE, 0x80, 0);
	for (unsigned int i = TEXT; i < NOTE; i++)
		image[i] = (u8)(i * 11 + 3);
	note(note(image + NOTE, "GNU", 3, 0x1234, 4), "Linux", 18, 0x5678, 4);
	mhi_put_le64(image + PHDR(2) + P_FILESZ, 12 + 4 + 4 + 12 + 8 + 4);
}

static void good_pvh(u32 desc_bytes)
{
	u8 *end;

	good();
	end = note(note(image + NOTE, "GNU", 3, 0x1234, 4), "Xen", 18, PVH_ENTRY, desc_bytes);
	mhi_put_le64(image + PHDR(2) + P_FILESZ, (u64)(end - image) - NOTE);
}

static void check_segments(void)
{
	ck_assert(holds(&f, TEXT_AT, image + TEXT, TEXT_BYTES));
	ck_assert(holds(&f, DATA_AT, image + DATA, DATA_BYTES));
	for (unsigned int i = DATA_BYTES; i < DATA_MEM; i += 8)
		ck_assert_uint_eq(peek(&f, DATA_AT + i, 8), 0);
}

START_TEST(vmlinux)
{
	static const u8 archive[] = "070701 not really";
	u64 at;

	fixture_init(&f, 64 * MIB);
	good();
	/* Not zero before, to see that the loader clears what is behind the file's bytes. */
	for (unsigned int i = 0; i < DATA_MEM; i += 8)
		ck_assert_int_eq(mhi_gmem_write(&f.ram.mem, DATA_AT + i, "dirtdirt", 8, true), 0);
	ck_assert_int_eq(mhi_gmem_write(&f.ram.mem, DATA_AT + DATA_MEM, "behind", 6, true), 0);
	ck_assert_int_eq(fixture_boot(&f, kernel, (struct blob){ archive, sizeof(archive) },
				      "root=/dev/vda"),
			 0);
	check_segments();
	ck_assert(holds(&f, DATA_AT + DATA_MEM, "behind", 6));
	check_long_mode(&f, ENTRY);
	ck_assert_uint_eq(peek(&f, ZERO_PAGE + 0x1fe, 2), 0xaa55);
	ck_assert_uint_eq(peek(&f, ZERO_PAGE + 0x202, 4), 0x53726448);
	ck_assert_uint_eq(peek(&f, ZERO_PAGE + 0x206, 2), 0x20c);
	ck_assert_uint_eq(peek(&f, ZERO_PAGE + 0x210, 1), 0xff);
	ck_assert_uint_eq(peek(&f, ZERO_PAGE + 0x070, 8), 0xe0000);
	ck_assert(holds(&f, peek(&f, ZERO_PAGE + 0x228, 4), "root=/dev/vda", 14));
	at = peek(&f, ZERO_PAGE + 0x218, 4);
	ck_assert_uint_eq(peek(&f, ZERO_PAGE + 0x21c, 4), sizeof(archive));
	ck_assert(holds(&f, at, archive, sizeof(archive)));
	check_memory_map(&f, ZERO_PAGE + 0x2d0, (u8)peek(&f, ZERO_PAGE + 0x1e8, 1), 20);
	fixture_fini(&f);
}
END_TEST

static void check_pvh(u64 ram_bytes, u32 desc_bytes)
{
	static const u8 archive[] = "an initrd";
	u64 info, module;

	fixture_init(&f, ram_bytes);
	good_pvh(desc_bytes);
	ck_assert_int_eq(
		fixture_boot(&f, kernel, (struct blob){ archive, sizeof(archive) }, "quiet"), 0);
	check_segments();
	ck_assert(!f.entry.long_mode);
	ck_assert_uint_eq(f.entry.rip, PVH_ENTRY);
	ck_assert_uint_eq(peek(&f, f.entry.gdt_base + 0x10, 8), 0x00cf9b000000ffff);
	ck_assert_uint_eq(peek(&f, f.entry.gdt_base + 0x18, 8), 0x00cf93000000ffff);
	info = f.entry.rbx;
	ck_assert_uint_eq(peek(&f, info, 4), 0x336ec578);
	ck_assert_uint_eq(peek(&f, info + 4, 4), 1);
	ck_assert_uint_eq(peek(&f, info + 8, 4), 0);
	ck_assert_uint_eq(peek(&f, info + 12, 4), 1);
	ck_assert(holds(&f, peek(&f, info + 24, 8), "quiet", 6));
	ck_assert_uint_eq(peek(&f, info + 32, 8), 0xe0000);
	module = peek(&f, info + 16, 8);
	ck_assert_uint_eq(peek(&f, module + 8, 8), sizeof(archive));
	ck_assert_uint_eq(peek(&f, module + 16, 8), 0);
	ck_assert(holds(&f, peek(&f, module, 8), archive, sizeof(archive)));
	check_memory_map(&f, peek(&f, info + 40, 8), (u32)peek(&f, info + 48, 4), 24);
	fixture_fini(&f);
}

START_TEST(pvh)
{
	check_pvh(64 * MIB, 4);
	check_pvh(64 * MIB, 8);
	check_pvh(4 * GIB, 4);
	/* Without initrd no module is promised. */
	fixture_init(&f, 64 * MIB);
	good_pvh(4);
	ck_assert_int_eq(fixture_boot(&f, kernel, none, ""), 0);
	ck_assert_uint_eq(peek(&f, f.entry.rbx + 12, 4), 0);
	ck_assert_uint_eq(peek(&f, f.entry.rbx + 16, 8), 0);
	fixture_fini(&f);
}
END_TEST

static void refuse(unsigned int at, u64 value, unsigned int bytes, int code, const char *word)
{
	good();
	for (unsigned int i = 0; i < bytes; i++)
		image[at + i] = (u8)(value >> (8 * i));
	fixture_expect(&f, fixture_boot(&f, kernel, none, ""), code, word);
	ck_assert_ptr_nonnull(strstr(f.err.text, f.kernel));
}

START_TEST(header_refusals)
{
	fixture_init(&f, 64 * MIB);
	refuse(4, 1, 1, MH_EFORMAT, "x86-64");
	refuse(5, 2, 1, MH_EFORMAT, "x86-64");
	refuse(18, 183, 2, MH_EFORMAT, "machine 183");
	refuse(16, 1, 2, MH_EFORMAT, "object file");
	refuse(54, 32, 2, MH_EFORMAT, "program headers");
	refuse(56, 0, 2, MH_EFORMAT, "program headers");
	refuse(56, 65, 2, MH_EFORMAT, "program headers");
	refuse(56, 64, 2, MH_EFORMAT, "beyond the file's end");
	refuse(32, IMAGE_BYTES - 1, 8, MH_EFORMAT, "beyond the file's end");
	refuse(32, ~0ull - 8, 8, MH_EFORMAT, "beyond the file's end");
	refuse(24, 0xffffffff81000000, 8, MH_EFORMAT, "entry 0xffffffff81000000");
	refuse(24, DATA_AT + DATA_MEM, 8, MH_EFORMAT, "ELF entry");
	fixture_expect(&f, fixture_boot(&f, (struct blob){ image, 63 }, none, ""), MH_EFORMAT,
		       "truncated");
	/* A segment that is loaded in part only by the file. */
	good();
	fixture_expect(&f, fixture_boot(&f, (struct blob){ image, DATA + 1 }, none, ""), MH_EFORMAT,
		       "truncated");
	fixture_fini(&f);
}
END_TEST

START_TEST(segment_refusals)
{
	fixture_init(&f, 64 * MIB);
	refuse(PHDR(0) + P_OFFSET, IMAGE_BYTES - 1, 8, MH_EFORMAT, "segment");
	refuse(PHDR(0) + P_OFFSET, ~0ull, 8, MH_EFORMAT, "segment");
	refuse(PHDR(0) + P_FILESZ, ~0ull, 8, MH_EFORMAT, "segment");
	refuse(PHDR(0) + P_MEMSZ, 1, 8, MH_EFORMAT, "segment");
	refuse(PHDR(1) + P_PADDR, TEXT_AT + TEXT_BYTES - 1, 8, MH_EFORMAT, "overlap");
	refuse(PHDR(1) + P_PADDR, TEXT_AT - DATA_MEM + 1, 8, MH_EFORMAT, "overlap");
	refuse(PHDR(1) + P_PADDR, 0x7000, 8, MH_ERANGE, "1 MiB");
	refuse(PHDR(1) + P_PADDR, ~0ull - 16, 8, MH_ERANGE, "1 MiB");
	refuse(PHDR(1) + P_MEMSZ, ~0ull, 8, MH_ERANGE, "3 GiB");
	refuse(PHDR(1) + P_PADDR, 3 * GIB - 0x1000, 8, MH_ERANGE, "3 GiB");
	/* Fits into the address space, not into this memory. */
	refuse(PHDR(1) + P_PADDR, 64 * MIB - 0x1000, 8, MH_ERANGE, "more memory");
	refuse(PHDR(1) + P_MEMSZ, GIB, 8, MH_ERANGE, "more memory");
	/* Too many to be a kernel. */
	good();
	mhi_put_le16(image + 56, 7);
	for (unsigned int i = 0; i < 7; i++)
		segment(i, 1, 0, 1, (16 + i) * MIB);
	mhi_put_le64(image + 24, TEXT_AT);
	ck_assert_int_eq(fixture_boot(&f, kernel, none, ""), 0);
	{
		static u8 many[64 + 56 * 17];

		memcpy(many, image, sizeof(many));
		mhi_put_le16(many + 56, 17);
		for (unsigned int i = 0; i < 17; i++) {
			segment(0, 1, 0, 1, (16 + i) * MIB);
			memcpy(many + PHDR(i), image + PHDR(0), 56);
		}
		fixture_expect(&f, fixture_boot(&f, (struct blob){ many, sizeof(many) }, none, ""),
			       MH_EFORMAT, "more than 16 segments");
	}
	fixture_fini(&f);
}
END_TEST

START_TEST(note_refusals)
{
	fixture_init(&f, 64 * MIB);
	refuse(PHDR(2) + P_OFFSET, IMAGE_BYTES - 4, 8, MH_EFORMAT, "notes");
	refuse(PHDR(2) + P_FILESZ, ~0ull, 8, MH_EFORMAT, "notes");
	refuse(NOTE, 0xffffffff, 4, MH_EFORMAT, "note at");
	refuse(NOTE + 4, 0xffffffff, 4, MH_EFORMAT, "note at");
	refuse(NOTE + 4, 0x7ffffff0, 4, MH_EFORMAT, "note at");
	/* The entry of the note is checked like the other. */
	good_pvh(8);
	note(note(image + NOTE, "GNU", 3, 0, 4), "Xen", 18, 0x100000000ull + TEXT_AT, 8);
	fixture_expect(&f, fixture_boot(&f, kernel, none, ""), MH_EFORMAT, "PVH entry");
	/* Another name, another size of the description: not the note. */
	good_pvh(4);
	image[NOTE + 20 + 12] = 'x';
	ck_assert_int_eq(fixture_boot(&f, kernel, none, ""), 0);
	ck_assert(f.entry.long_mode);
	fixture_fini(&f);
}
END_TEST

START_TEST(command_line_length)
{
	char line[3000];

	fixture_init(&f, 64 * MIB);
	memset(line, 'x', sizeof(line));
	line[2047] = 0;
	good();
	ck_assert_int_eq(fixture_boot(&f, kernel, none, line), 0);
	line[2047] = 'x';
	line[2048] = 0;
	fixture_expect(&f, fixture_boot(&f, kernel, none, line), MH_ERANGE, "command line");
	/* PVH names no limit. */
	good_pvh(4);
	ck_assert_int_eq(fixture_boot(&f, kernel, none, line), 0);
	ck_assert(holds(&f, peek(&f, f.entry.rbx + 24, 8), line, 2049));
	fixture_fini(&f);
}
END_TEST

START_TEST(initrd_does_not_fit)
{
	static u8 data[50 * MIB];

	fixture_init(&f, 64 * MIB);
	good();
	fixture_expect(&f, fixture_boot(&f, kernel, (struct blob){ data, sizeof(data) }, ""),
		       MH_ERANGE, "initrd");
	fixture_fini(&f);
}
END_TEST

static void hostile(const void *data, size_t bytes)
{
	int rc = fixture_load(&f, (struct blob){ data, bytes });

	ck_assert(rc == 0 || rc == MH_EFORMAT || rc == MH_ERANGE);
	ck_assert(rc == 0 || f.err.text[0]);
}

START_TEST(fuzz)
{
	struct rng rng = { .s = 0x656c66 };

	fixture_init(&f, 32 * MIB);
	good_pvh(8);
	for (size_t bytes = 4; bytes <= IMAGE_BYTES; bytes++)
		hostile(image, bytes);
	for (unsigned int round = 0; round < 20000; round++) {
		size_t bytes =
			rng_below(&rng, 4) ? IMAGE_BYTES : 4 + rng_below(&rng, IMAGE_BYTES - 3);

		good_pvh(rng_below(&rng, 2) ? 4 : 8);
		for (u64 flips = 1 + rng_below(&rng, 4); flips; flips--) {
			u64 at = rng_below(&rng, 2) ? 4 + rng_below(&rng, PHDR(3) - 4)
						    : NOTE + rng_below(&rng, IMAGE_BYTES - NOTE);

			image[at] = (u8)rng_next(&rng);
		}
		hostile(image, bytes);
	}
	fixture_fini(&f);
}
END_TEST

static void add_tests(TCase *tcase)
{
	tcase_add_test(tcase, vmlinux);
	tcase_add_test(tcase, pvh);
	tcase_add_test(tcase, header_refusals);
	tcase_add_test(tcase, segment_refusals);
	tcase_add_test(tcase, note_refusals);
	tcase_add_test(tcase, command_line_length);
	tcase_add_test(tcase, initrd_does_not_fit);
	tcase_add_test(tcase, fuzz);
}

UNIT_MAIN("boot_elf", add_tests)
