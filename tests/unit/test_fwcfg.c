// SPDX-License-Identifier: MIT
/* fw_cfg: items byte by byte and by DMA, the directory, and guests that ask for what cannot be. */
#include "unit.h"
#include "guest_ram.h"
#include "core/be.h"
#include "core/le.h"
#include "platform/fwcfg.h"

#define RAM (2ull << 20)
#define REQUEST 0x1000ull
#define BUFFER 0x2000ull

static struct guest_ram ram;
static struct mhi_fwcfg f;

static void setup(void)
{
	guest_ram_init(&ram, RAM);
	mhi_fwcfg_init(&f, &ram.mem);
	ck_assert_int_eq(mhi_fwcfg_number(&f, MHI_FWCFG_CPUS, 0x1234), 0);
	ck_assert_int_eq(mhi_fwcfg_file(&f, "etc/first", "abcdef", 6), 0);
	ck_assert_int_eq(mhi_fwcfg_file(&f, "etc/second", "xyz", 3), 0);
}

static void teardown(void)
{
	mhi_fwcfg_fini(&f);
	guest_ram_fini(&ram);
}

static void out(u64 port, unsigned int bytes, u64 value)
{
	mhi_fwcfg_ops.write(&f, port, bytes, value);
}

static u64 in(u64 port, unsigned int bytes)
{
	return mhi_fwcfg_ops.read(&f, port, bytes);
}

static void expect(u16 key, const char *data, size_t bytes)
{
	out(0, 2, key);
	for (size_t i = 0; i < bytes; i++)
		ck_assert_uint_eq(in(1, 1), (u8)data[i]);
}

/* The control word that the device leaves. */
static u32 dma_at(u64 gpa, u32 control, u32 length, u64 address)
{
	u8 r[16];

	mhi_put_be32(r, control);
	mhi_put_be32(r + 4, length);
	mhi_put_be32(r + 8, (u32)(address >> 32));
	mhi_put_be32(r + 12, (u32)address);
	mhi_gmem_write(&ram.mem, gpa, r, sizeof(r), true);
	out(4, 4, __builtin_bswap32((u32)(gpa >> 32)));
	out(8, 4, __builtin_bswap32((u32)gpa));
	mhi_gmem_read(&ram.mem, gpa, r, 4);
	return mhi_get_be32(r);
}

static u32 dma(u32 control, u32 length, u64 address)
{
	return dma_at(REQUEST, control, length, address);
}

static bool holds(u64 gpa, const char *data, size_t bytes)
{
	const void *p = mhi_gmem_ptr(&ram.mem, gpa, bytes, false);

	return p && !memcmp(p, data, bytes);
}

START_TEST(bytes)
{
	setup();
	expect(0, "QEMU\0\0", 6);
	expect(1, "\3\0\0\0\0", 5);
	expect(5, "\x34\x12\0", 3);
	expect(0x20, "abcdef\0\0", 8);
	expect(0x21, "xyz\0", 4);
	/* Selecting starts again; what nobody has reads as zeros. */
	expect(0x20, "ab", 2);
	expect(0x22, "\0\0", 2);
	expect(0xffff, "\0\0", 2);
	expect(0x19, "\0\0\0\2\0\0\0\6\0\x20\0\0etc/first\0", 22);
	/* Other widths and ports are nothing, and move nothing. */
	out(0, 2, 0x20);
	out(0, 1, 0x21);
	out(1, 1, 'x');
	out(0, 4, 0x21);
	ck_assert_uint_eq(in(1, 2), 0);
	ck_assert_uint_eq(in(0, 1), 0);
	ck_assert_uint_eq(in(1, 1), 'a');
	ck_assert_uint_eq(in(4, 4), 0x554d4551);
	ck_assert_uint_eq(in(8, 4), 0x47464320);
	mhi_fwcfg_reset(&f);
	expect(0x20, "\0\0", 2);
	expect(0x19, "\0\0\0\0", 4);
	teardown();
}
END_TEST

START_TEST(requests)
{
	setup();
	/* Selected and read; going on; behind the end; skipped. */
	ck_assert_uint_eq(dma(0x20 << 16 | 8 | 2, 4, BUFFER), 0);
	ck_assert(holds(BUFFER, "abcd\xcc", 5));
	ck_assert_uint_eq(dma(2, 5, BUFFER), 0);
	ck_assert(holds(BUFFER, "ef\0\0\0\xcc", 6));
	ck_assert_uint_eq(dma(0x21 << 16 | 8 | 4, 2, 0), 0);
	ck_assert_uint_eq(in(1, 1), 'z');
	/* The second file's entry, by skipping the first. */
	ck_assert_uint_eq(dma(0x19 << 16 | 8 | 4, 68, 0), 0);
	ck_assert_uint_eq(dma(2, 20, BUFFER), 0);
	ck_assert(holds(BUFFER, "\0\0\0\3\0\x21\0\0etc/second\0", 19));
	/* Nothing to do is done; nothing can be written. */
	ck_assert_uint_eq(dma(0, 7, 0), 0);
	ck_assert_uint_eq(dma(0x20 << 16 | 8 | 16, 4, BUFFER), 1);
	expect(0x20, "abcdef", 6);
	teardown();
}
END_TEST

START_TEST(hostile)
{
	static const u64 nowhere[] = { RAM, RAM - 2, 0xfffffffffffffff0, ~0ull, 1ull << 40 };

	setup();
	for (size_t n = 0; n < MHI_COUNT(nowhere); n++) {
		/* A target, and a request, that is no memory, or only in part. */
		ck_assert_uint_eq(dma(0x20 << 16 | 8 | 2, 6, nowhere[n]), 1);
		ck_assert_uint_eq(dma(0x20 << 16 | 8 | 2, 0x8000, nowhere[n]), 1);
		dma_at(nowhere[n], 0x20 << 16 | 8 | 2, 6, BUFFER);
	}
	/* Longer than anything: refused, not carried out in hours. */
	ck_assert_uint_eq(dma(0x20 << 16 | 8 | 2, ~0u, 0), 1);
	ck_assert(holds(0, "\xcc\xcc", 2));
	/* Past the end as often as it likes: it stays there. */
	for (int n = 0; n < 3; n++)
		ck_assert_uint_eq(dma(4, 0xf0000000, 0), 0);
	ck_assert_uint_eq(in(1, 1), 0);
	ck_assert_uint_eq(in(1, 1), 0);
	/* A request that its own data overwrite. */
	ck_assert_uint_eq(dma(0x20 << 16 | 8 | 2, 0x100, REQUEST), 0);
	/* Read-only memory stays as it is. */
	ram.mem.slots.slot[0].readonly = true;
	dma(0x20 << 16 | 8 | 2, 6, BUFFER + 0x1000);
	ck_assert(holds(BUFFER + 0x1000, "\xcc\xcc", 2));
	ram.mem.slots.slot[0].readonly = false;
	teardown();
}
END_TEST

START_TEST(too_many)
{
	static const char large[(1u << 20) + 1];
	char name[100];

	setup();
	memset(name, 'n', sizeof(name));
	name[99] = '\0';
	ck_assert_int_eq(mhi_fwcfg_file(&f, "large", large, sizeof(large)), MH_ERANGE);
	ck_assert_int_eq(mhi_fwcfg_file(&f, name, "", 0), 0);
	out(0, 2, 0x19);
	for (int n = 0; n < 4 + 3 * 64 - 1; n++)
		in(1, 1);
	ck_assert_uint_eq(in(1, 1), 0);
	for (unsigned int n = f.items; n < MHI_FWCFG_ITEMS; n++)
		ck_assert_int_eq(mhi_fwcfg_file(&f, "more", "", 0), 0);
	ck_assert_int_eq(mhi_fwcfg_file(&f, "more", "", 0), MH_ERANGE);
	ck_assert_int_eq(mhi_fwcfg_number(&f, 7, 7), MH_ERANGE);
	teardown();
}
END_TEST

static void add_tests(TCase *tcase)
{
	tcase_add_test(tcase, bytes);
	tcase_add_test(tcase, requests);
	tcase_add_test(tcase, hostile);
	tcase_add_test(tcase, too_many);
}

UNIT_MAIN("fwcfg", add_tests)
