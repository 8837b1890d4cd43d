/* SPDX-License-Identifier: MIT */
/* Guest memory: copies across slots, read-only slots, holes, wrap-around. */
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "unit.h"
#include "core/gmem.h"
#include "macrohard/error.h"

#define PAGE MHI_PAGE_SIZE

static struct mhi_gmem mem;

static void add(unsigned int n, u64 gpa, u8 *host, u64 bytes, bool readonly)
{
	const struct mhi_slot slot = { gpa, bytes, (u64)(uintptr_t)host, readonly };

	ck_assert_int_eq(mhi_slots_set(&mem.slots, n, &slot, mem.gpa_limit), 0);
}

static void set_up(void)
{
	u8 *low, *high, *rom;

	memset(&mem, 0, sizeof(mem));
	mem.gpa_limit = 1ull << 40;
	low = aligned_alloc(PAGE, 2 * PAGE);
	high = aligned_alloc(PAGE, PAGE);
	rom = aligned_alloc(PAGE, PAGE);
	memset(low, 1, 2 * PAGE);
	memset(high, 2, PAGE);
	memset(rom, 3, PAGE);
	add(0, 0, low, 2 * PAGE, false);
	add(1, 2 * PAGE, high, PAGE, false);
	add(2, 8 * PAGE, rom, PAGE, true);
}

static void tear_down(void)
{
	unsigned int i;

	for (i = 0; i < 3; i++)
		if (!mem.own)
			free((void *)(uintptr_t)mem.slots.slot[i].hva);
}

START_TEST(across_slots)
{
	u8 buf[64];

	memset(buf, 0xaa, sizeof(buf));
	ck_assert_int_eq(mhi_gmem_write(&mem, 2 * PAGE - 32, buf, 64, false), 0);
	memset(buf, 0, sizeof(buf));
	ck_assert_int_eq(mhi_gmem_read(&mem, 2 * PAGE - 33, buf, 64), 0);
	ck_assert_uint_eq(buf[0], 1);
	ck_assert_uint_eq(buf[1], 0xaa);
	ck_assert_uint_eq(buf[63], 0xaa);
	ck_assert_int_eq(mhi_gmem_read(&mem, 2 * PAGE + 32, buf, 1), 0);
	ck_assert_uint_eq(buf[0], 2);
}
END_TEST

START_TEST(holes_copy_nothing)
{
	u8 buf[64];

	memset(buf, 0x55, sizeof(buf));
	ck_assert_int_eq(mhi_gmem_read(&mem, 3 * PAGE - 8, buf, 9), MH_EFAULT);
	ck_assert_uint_eq(buf[0], 0x55);
	ck_assert_int_eq(mhi_gmem_write(&mem, 3 * PAGE - 8, buf, 9, false), MH_EFAULT);
	ck_assert_int_eq(mhi_gmem_read(&mem, 3 * PAGE - 8, buf, 8), 0);
	ck_assert_uint_eq(buf[0], 2);
	ck_assert_int_eq(mhi_gmem_read(&mem, ~0ull - 3, buf, 8), MH_EFAULT);
	ck_assert_int_eq(mhi_gmem_read(&mem, 0, buf, ~0ull), MH_EFAULT);
	ck_assert_int_eq(mhi_gmem_read(&mem, 5 * PAGE, buf, 0), 0);
}
END_TEST

START_TEST(read_only)
{
	u8 byte = 9;

	ck_assert_int_eq(mhi_gmem_write(&mem, 8 * PAGE, &byte, 1, false), MH_EFAULT);
	ck_assert_int_eq(mhi_gmem_read(&mem, 8 * PAGE, &byte, 1), 0);
	ck_assert_uint_eq(byte, 3);
	byte = 9;
	ck_assert_int_eq(mhi_gmem_write(&mem, 8 * PAGE, &byte, 1, true), 0);
	ck_assert_int_eq(mhi_gmem_read(&mem, 8 * PAGE, &byte, 1), 0);
	ck_assert_uint_eq(byte, 9);
}
END_TEST

START_TEST(pointers)
{
	u8 *p = mhi_gmem_ptr(&mem, PAGE, PAGE, false);

	ck_assert_ptr_nonnull(p);
	ck_assert_ptr_eq(p, (u8 *)(uintptr_t)mem.slots.slot[0].hva + PAGE);
	ck_assert_ptr_eq(mhi_gmem_ptr(&mem, PAGE, PAGE, true), p);
	/* The other slot is read-only. */
	ck_assert_ptr_nonnull(mhi_gmem_ptr(&mem, 8 * PAGE, 1, false));
	ck_assert_ptr_null(mhi_gmem_ptr(&mem, 8 * PAGE, 1, true));
	/* Within one slot only, although the next one touches. */
	ck_assert_ptr_null(mhi_gmem_ptr(&mem, PAGE, PAGE + 1, false));
	ck_assert_ptr_null(mhi_gmem_ptr(&mem, 4 * PAGE, 1, false));
	ck_assert_ptr_null(mhi_gmem_ptr(&mem, 0, 0, false));
	ck_assert_ptr_null(mhi_gmem_ptr(&mem, PAGE, ~0ull, false));
}
END_TEST

START_TEST(discard)
{
	int shared = memfd_create("shared", 0), file = memfd_create("file", 0);
	u8 *own, *theirs, *private;
	struct stat st;

	tear_down();
	memset(&mem, 0, sizeof(mem));
	mem.gpa_limit = 1ull << 40;
	ck_assert_int_eq(ftruncate(shared, 4 * PAGE) | ftruncate(file, PAGE), 0);
	own = mmap(NULL, 4 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	theirs = mmap(NULL, 4 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, shared, 0);
	private = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE, file, 0);
	mem.own = (u64)(uintptr_t)own;
	mem.own_bytes = 4 * PAGE;
	memset(own, 1, 4 * PAGE);
	memset(theirs, 2, 4 * PAGE);
	memset(private, 3, PAGE);
	add(0, 0, own, 4 * PAGE, false);
	add(1, 4 * PAGE, theirs, 4 * PAGE, false);
	add(2, 8 * PAGE, private, PAGE, false);
	/* Across slots, a hole, and what is no address. */
	mhi_gmem_discard(&mem, 2 * PAGE, 20 * PAGE);
	mhi_gmem_discard(&mem, ~0ull - PAGE + 1, 20 * PAGE);
	mhi_gmem_discard(&mem, 1ull << 60, PAGE);
	/* The caller's memory is free, not just out of sight. */
	ck_assert_int_eq(fstat(shared, &st), 0);
	ck_assert_int_eq(st.st_blocks, 0);
	ck_assert_uint_eq(own[0] + own[2 * PAGE - 1], 2);
	ck_assert_uint_eq(own[2 * PAGE] + own[4 * PAGE - 1], 0);
	ck_assert_uint_eq(theirs[0] + theirs[4 * PAGE - 1], 0);
	ck_assert_uint_eq(private[0] + private[PAGE - 1], 6);
	/* Pages that are named in part stay. */
	mhi_gmem_discard_host(&mem, own + 1, 2 * PAGE - 2);
	ck_assert_uint_eq(own[0] + own[2 * PAGE - 1], 2);
	mhi_gmem_discard_host(&mem, own + 1, 2 * PAGE - 1);
	ck_assert_uint_eq(own[0], 1);
	ck_assert_uint_eq(own[2 * PAGE - 1], 0);
	/* Nor does the guest empty what it may not write. */
	mem.slots.slot[0].readonly = true;
	mhi_gmem_discard(&mem, 0, PAGE);
	ck_assert_uint_eq(own[0], 1);
	memset(&mem, 0, sizeof(mem));
	munmap(own, 4 * PAGE);
	munmap(theirs, 4 * PAGE);
	munmap(private, PAGE);
	close(shared);
	close(file);
}
END_TEST

static void add_tests(TCase *tcase)
{
	tcase_add_checked_fixture(tcase, set_up, tear_down);
	tcase_add_test(tcase, across_slots);
	tcase_add_test(tcase, holes_copy_nothing);
	tcase_add_test(tcase, read_only);
	tcase_add_test(tcase, pointers);
	tcase_add_test(tcase, discard);
}

UNIT_MAIN("gmem", add_tests)
