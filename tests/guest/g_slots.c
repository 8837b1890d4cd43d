/* SPDX-License-Identifier: MIT */
/* Guests: memory that changes under them: on the host's side, and by slots. */
#include "guest.h"

#define HALF (LOOSE_BYTES / 2)

/* A word of the loose memory. */
#define LOOSE(offset) (*(volatile u64 *)(uintptr_t)(LOOSE_GPA + (offset)))

static u64 slots_asked;

static void slot_wait(void)
{
	slots_asked++;
	while (host_call(CALL_SLOT_COUNT, 0, 0, 0) < slots_asked)
		pause();
}

static void slot_unmap(u64 gpa)
{
	host_call(CALL_SLOT_UNMAP, gpa, 0, 0);
	slot_wait();
}

static void slot_map(u64 gpa, u64 offset, u64 bytes_and_flag)
{
	host_call(CALL_SLOT_MAP, gpa, offset, bytes_and_flag);
	slot_wait();
}

/* ---- the host's side ---- */

GUEST(memory_dontneed)
{
	u64 i, bad = 0;

	for (i = 0; i < LOOSE_BYTES; i += 0x10000)
		LOOSE(i) = i + 1;
	EXPECT(host_call(CALL_DONTNEED, 0, HALF, 0), 0);
	for (i = 0; i < LOOSE_BYTES; i += 0x10000)
		bad += LOOSE(i) != (i < HALF ? 0 : i + 1);
	EXPECT(bad, 0);
	LOOSE(0) = 5;
	EXPECT(LOOSE(0), 5);
}

GUEST(memory_replace)
{
	u64 i, bad = 0;

	LOOSE(0) = 1;
	for (i = 0; i < 20; i++) {
		EXPECT(host_call(CALL_REPLACE, i * PAGE, 3 * PAGE, i + 1), 0);
		bad += LOOSE(i * PAGE + 8) != (i + 1) * 0x0101010101010101;
		bad += LOOSE((i + 2) * PAGE) != (i + 1) * 0x0101010101010101;
		bad += i && LOOSE((i - 1) * PAGE) != i * 0x0101010101010101;
		LOOSE((i + 1) * PAGE) = 7;
	}
	EXPECT(bad, 0);
}

/* Code that is replaced: the new one is executed. */
GUEST(memory_replace_code)
{
	u32 (*fn)(void) = (u32(*)(void))(uintptr_t)LOOSE_GPA;

	LOOSE(0) = 0x0000c300001111b8; /* mov eax, 0x1111; ret */
	EXPECT(fn(), 0x1111);
	EXPECT(host_call(CALL_REPLACE, 0, PAGE, 0xc3), 0);
	LOOSE(0) = 0x0000c300002222b8;
	EXPECT(fn(), 0x2222);
	EXPECT(host_call(CALL_WRITE, LOOSE_GPA, 0x0000c300003333b8, 0), 0);
	EXPECT(fn(), 0x3333);
}

/* A page table that is gone: what it mapped is absent. */
GUEST(memory_replace_table)
{
	u64 *page = page_alloc();

	*page = 0x1234;
	*pte_of(VA_FREE, 2) = LOOSE_GPA | PTE_P | PTE_W;
	LOOSE(0) = ADDRESS_OF(page) | PTE_P | PTE_W;
	EXPECT(peek(VA_FREE), 0x1234);
	EXPECT(host_call(CALL_DONTNEED, 0, PAGE, 0), 0);
	invlpg(VA_FREE);
	peek(VA_FREE);
	EXPECT_TRAP(VEC_PF, 0);
	LOOSE(0) = ADDRESS_OF(page) | PTE_P | PTE_W;
	EXPECT(peek(VA_FREE), 0x1234);
}

/* Host memory that goes away, or becomes read-only, is an error, and not the host's. */
GUEST_ENDS(memory_protect_write, END_ERROR, "host memory")
{
	LOOSE(0) = 0x1234;
	host_call(CALL_PROTECT, 0, PAGE, 0);
	LOOSE(0) = 0x5678;
	guest_exit();
}

GUEST_ENDS(memory_munmap, END_ERROR, "host memory")
{
	LOOSE(0) = 0x1234;
	host_call(CALL_MUNMAP, 0, PAGE, 0);
	LOOSE(0) = 0x5678;
	guest_exit();
}

GUEST_ENDS(memory_munmap_fetch, END_ERROR, "host memory")
{
	host_call(CALL_MUNMAP, 0, PAGE, 0);
	((void (*)(void))(uintptr_t)LOOSE_GPA)();
}

/* ---- slots ---- */

GUEST(slot_gone_and_back)
{
	LOOSE(0) = 0x1234;
	LOOSE(HALF) = 0x5678;
	slot_unmap(LOOSE_GPA);
	EXPECT(LOOSE(0), ~0ull);
	EXPECT(LOOSE(HALF), ~0ull);
	LOOSE(0) = 0x9999;
	EXPECT(LOOSE(0), ~0ull);
	slot_map(LOOSE_GPA, 0, LOOSE_BYTES);
	EXPECT(LOOSE(0), 0x1234);
	EXPECT(LOOSE(HALF), 0x5678);
	LOOSE(0) = 0x9999;
	EXPECT(LOOSE(0), 0x9999);
}

/* The same address, other memory. */
GUEST(slot_other_memory)
{
	u64 i;

	LOOSE(0) = 0x1111;
	LOOSE(HALF) = 0x2222;
	slot_unmap(LOOSE_GPA);
	for (i = 0; i < 4; i++) {
		slot_map(LOOSE_GPA, i & 1 ? 0 : HALF, HALF);
		EXPECT(LOOSE(0), i & 1 ? 0x1111 : 0x2222);
		EXPECT(LOOSE(HALF), ~0ull);
		slot_unmap(LOOSE_GPA);
	}
}

/* Two neighbours, in the other order than in the host; accesses across their border. */
GUEST(slot_two)
{
	u64 *first = (u64 *)(uintptr_t)(LOOSE_GPA + HALF - 4);

	LOOSE(HALF - 8) = 0x1111111111111111;
	LOOSE(0) = 0x2222222222222222;
	LOOSE(HALF) = 0x3333333333333333;
	LOOSE(LOOSE_BYTES - 8) = 0x4444444444444444;
	slot_unmap(LOOSE_GPA);
	slot_map(LOOSE_GPA + HALF, 0, HALF);
	slot_map(LOOSE_GPA, HALF, HALF);
	EXPECT(LOOSE(0), 0x3333333333333333);
	EXPECT(*(volatile u64 *)first, 0x2222222244444444);
	*(volatile u64 *)first = 0x6666666655555555;
	EXPECT(LOOSE(HALF - 8), 0x5555555544444444);
	EXPECT(LOOSE(HALF), 0x2222222266666666);
	EXPECT(LOOSE(LOOSE_BYTES - 8), 0x1111111111111111);
	slot_unmap(LOOSE_GPA + HALF);
	EXPECT(*(volatile u64 *)first, 0xffffffff55555555);
	EXPECT(LOOSE(0), 0x3333333333333333);
}

GUEST(slot_read_only)
{
	LOOSE(0) = 0x1234;
	slot_unmap(LOOSE_GPA);
	slot_map(LOOSE_GPA, 0, LOOSE_BYTES | 1);
	EXPECT(LOOSE(0), 0x1234);
	LOOSE(0) = 0x5678;
	LOOSE(PAGE) = 0x5678;
	EXPECT(LOOSE(0), 0x1234);
	EXPECT(LOOSE(PAGE), 0);
	slot_unmap(LOOSE_GPA);
	slot_map(LOOSE_GPA, 0, LOOSE_BYTES);
	LOOSE(0) = 0x5678;
	EXPECT(LOOSE(0), 0x5678);
}

static volatile u64 strange, rounds;
static volatile bool stop;

/* The other CPU sees memory, or nothing; never something else. */
static void watch(void *arg)
{
	while (!stop) {
		u64 value = LOOSE(PAGE);

		strange += value != 0x1234 && value != ~0ull;
		rounds++;
	}
}

GUEST_SMP(smp_slots, 2)
{
	u64 i;

	LOOSE(PAGE) = 0x1234;
	EXPECT(start_cpus(), 1);
	cpu_call(1, watch, NULL);
	for (i = 0; i < 10; i++) {
		slot_unmap(LOOSE_GPA);
		EXPECT(LOOSE(PAGE), ~0ull);
		slot_map(LOOSE_GPA, 0, LOOSE_BYTES);
		EXPECT(LOOSE(PAGE), 0x1234);
	}
	stop = true;
	EXPECT_TRUE(cpu_wait(1, 10000));
	EXPECT(strange, 0);
	EXPECT_TRUE(rounds > 0);
}
