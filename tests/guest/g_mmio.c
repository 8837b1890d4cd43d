/* SPDX-License-Identifier: MIT */
/* Guests: accesses to devices in memory, which the library emulates, and to read-only memory. */
#include "guest.h"

static void expect_access(u64 n, u64 offset, u32 bytes, u64 value, u32 flags)
{
	struct device_access a = access_at(n);

	EXPECT(a.offset, offset);
	EXPECT(a.bytes, bytes);
	EXPECT(a.value, value);
	EXPECT(a.flags, flags | ACCESS_MMIO);
}

GUEST(mmio_store)
{
	access_forget();
	MMIO(u8, 1) = 0xab;
	MMIO(u16, 2) = 0x1234;
	MMIO(u32, 4) = 0xdeadbeef;
	MMIO(u64, 8) = 0x1122334455667788;
	__asm__ volatile("movb $0x5a, (%0)" : : "r"(MMIO_GPA + 16ull) : "memory");
	__asm__ volatile("movq $-2, (%0)" : : "r"(MMIO_GPA + 24ull) : "memory");
	EXPECT(access_count(), 6);
	expect_access(0, 1, 1, 0xab, ACCESS_WRITE);
	expect_access(1, 2, 2, 0x1234, ACCESS_WRITE);
	expect_access(2, 4, 4, 0xdeadbeef, ACCESS_WRITE);
	expect_access(3, 8, 8, 0x1122334455667788, ACCESS_WRITE);
	expect_access(4, 16, 1, 0x5a, ACCESS_WRITE);
	expect_access(5, 24, 8, ~1ull, ACCESS_WRITE);
}

#define LOAD(insn, old)                                                                    \
	({                                                                                 \
		u64 v_ = (old);                                                            \
		__asm__ volatile(insn : "+a"(v_) : "r"(MMIO_GPA + 8ull) : "memory", "cc"); \
		v_;                                                                        \
	})

GUEST(mmio_load)
{
	MMIO(u64, 8) = 0x8877665544332291;
	access_forget();
	EXPECT(LOAD("mov (%1), %%al", ~0ull), 0xffffffffffffff91);
	EXPECT(LOAD("mov (%1), %%ah", 0), 0x9100);
	EXPECT(LOAD("mov (%1), %%ax", ~0ull), 0xffffffffffff2291);
	EXPECT(LOAD("mov (%1), %%eax", ~0ull), 0x44332291);
	EXPECT(LOAD("mov (%1), %%rax", 0), 0x8877665544332291);
	EXPECT(LOAD("movzbl (%1), %%eax", ~0ull), 0x91);
	EXPECT(LOAD("movzwq (%1), %%rax", ~0ull), 0x2291);
	EXPECT(LOAD("movsbw (%1), %%ax", 0), 0xff91);
	EXPECT(LOAD("movsbq (%1), %%rax", 0), 0xffffffffffffff91);
	EXPECT(LOAD("movswl (%1), %%eax", ~0ull), 0x2291);
	EXPECT(LOAD("movslq 4(%1), %%rax", 0), 0xffffffff88776655);
	EXPECT(access_count(), 11);
	expect_access(0, 8, 1, 0x91, 0);
	expect_access(4, 8, 8, 0x8877665544332291, 0);
	expect_access(10, 12, 4, 0x88776655, 0);
}

/* Read, change, write; with the flags of the same instruction on a register. */
GUEST(mmio_modify)
{
	u64 flags, a;

	MMIO(u32, 0) = 0x7fffffff;
	access_forget();
	__asm__ volatile("addl $1, (%1)\npushf\npop %0"
			 : "=r"(flags)
			 : "r"(MMIO_GPA + 0ull)
			 : "memory", "cc");
	/* SF, AF, PF, OF */
	EXPECT(flags & 0x8d5, 0x894);
	EXPECT(access_count(), 2);
	expect_access(0, 0, 4, 0x7fffffff, 0);
	expect_access(1, 0, 4, 0x80000000, ACCESS_WRITE);
	__asm__ volatile("lock orl $0xf, (%0)" : : "r"(MMIO_GPA + 0ull) : "memory", "cc");
	EXPECT(MMIO(u32, 0), 0x8000000f);
	__asm__ volatile("andb $6, (%0)" : : "r"(MMIO_GPA + 0ull) : "memory", "cc");
	EXPECT(MMIO(u32, 0), 0x80000006);
	__asm__ volatile("xorw %w1, (%0)" : : "r"(MMIO_GPA + 0ull), "r"(0xffff) : "memory", "cc");
	EXPECT(MMIO(u32, 0), 0x8000fff9);
	__asm__ volatile("subl $9, (%0)\nincl (%0)\nnotl (%0)"
			 :
			 : "r"(MMIO_GPA + 0ull)
			 : "memory", "cc");
	EXPECT(MMIO(u32, 0), ~0x8000fff1u);
	a = 0x55;
	__asm__ volatile("xchg %%al, (%1)" : "+a"(a) : "r"(MMIO_GPA + 1ull) : "memory");
	EXPECT(a, (~0x8000fff1u >> 8) & 0xff);
	EXPECT(MMIO(u8, 1), 0x55);
	MMIO(u64, 8) = 5;
	a = 7;
	__asm__ volatile("lock xaddq %0, (%1)" : "+r"(a) : "r"(MMIO_GPA + 8ull) : "memory", "cc");
	EXPECT(a, 5);
	EXPECT(MMIO(u64, 8), 12);
	a = 12;
	__asm__ volatile("lock cmpxchgq %1, (%2)"
			 : "+a"(a)
			 : "r"(77ull), "r"(MMIO_GPA + 8ull)
			 : "memory", "cc");
	EXPECT(MMIO(u64, 8), 77);
	__asm__ volatile("lock cmpxchgq %1, (%2)"
			 : "+a"(a)
			 : "r"(78ull), "r"(MMIO_GPA + 8ull)
			 : "memory", "cc");
	EXPECT(a, 77);
	EXPECT(MMIO(u64, 8), 77);
}

GUEST(mmio_compare)
{
	u64 flags;

	MMIO(u32, 0) = 0x1000;
	access_forget();
	__asm__ volatile("cmpl $0x1000, (%1)\npushf\npop %0"
			 : "=r"(flags)
			 : "r"(MMIO_GPA + 0ull)
			 : "cc");
	EXPECT(flags & RFLAGS_ZF, RFLAGS_ZF);
	__asm__ volatile("testb $0x10, 1(%1)\npushf\npop %0"
			 : "=r"(flags)
			 : "r"(MMIO_GPA + 0ull)
			 : "cc");
	EXPECT(flags & RFLAGS_ZF, 0);
	__asm__ volatile("btl $12, (%1)\npushf\npop %0"
			 : "=r"(flags)
			 : "r"(MMIO_GPA + 0ull)
			 : "cc");
	EXPECT(flags & RFLAGS_CF, RFLAGS_CF);
	EXPECT(access_count(), 3);
	EXPECT(MMIO(u32, 0), 0x1000);
}

/* Addressing: base, index, scale, displacement, RIP-relative is out of reach, FS, 32-bit. */
GUEST(mmio_addressing)
{
	u64 a;

	MMIO(u32, 0x120) = 0x76543210;
	__asm__ volatile("movl 0x20(%1,%2,8), %k0" : "=r"(a) : "r"(MMIO_GPA + 0ull), "r"(0x20ull));
	EXPECT(a, 0x76543210);
	__asm__ volatile("movl -0x80000000(%1), %k0" : "=r"(a) : "r"(MMIO_GPA + 0x80000120ull));
	EXPECT(a, 0x76543210);
	__asm__ volatile("movabs 0xd0000120, %%eax" : "=a"(a));
	EXPECT(a, 0x76543210);
	wrmsr(MSR_FS_BASE, MMIO_GPA + 0x100);
	__asm__ volatile("movl %%fs:0x20, %k0" : "=r"(a));
	EXPECT(a, 0x76543210);
	__asm__ volatile("movl (%k1), %k0" : "=r"(a) : "r"(0xffffffff00000000 + MMIO_GPA + 0x120));
	EXPECT(a, 0x76543210);
	__asm__ volatile("mov %1, %%r13\nmovl (%%r13), %%r15d\nmov %%r15, %0"
			 : "=r"(a)
			 : "r"(MMIO_GPA + 0x120ull)
			 : "r13", "r15");
	EXPECT(a, 0x76543210);
}

#define MOVS(insn, si, di, cx) \
	__asm__ volatile(TRY(insn) : "+S"(si), "+D"(di), "+c"(cx) : : "memory")

GUEST(mmio_string)
{
	u64 data[8], si, di, cx, i;

	for (i = 0; i < 8; i++)
		data[i] = i * 0x0101010101010101;
	access_forget();
	si = ADDRESS_OF(data), di = MMIO_GPA, cx = 8;
	MOVS("rep movsq", si, di, cx);
	EXPECT(si, ADDRESS_OF(data) + 64);
	EXPECT(di, MMIO_GPA + 64);
	EXPECT(cx, 0);
	EXPECT(access_count(), 8);
	expect_access(3, 24, 8, 0x0303030303030303, ACCESS_WRITE);
	memset(data, 0, sizeof(data));
	si = MMIO_GPA + 8, di = ADDRESS_OF(data), cx = 6;
	MOVS("rep movsl", si, di, cx);
	EXPECT(data[0], 0x0101010101010101);
	EXPECT(data[2], 0x0303030303030303);
	EXPECT(data[3], 0);
	/* From device to device, bytes, backwards. */
	si = MMIO_GPA + 17, di = MMIO_GPA + 0x101, cx = 2;
	__asm__ volatile("std");
	MOVS("rep movsb", si, di, cx);
	__asm__ volatile("cld");
	EXPECT(MMIO(u16, 0x100), 0x0202);
	EXPECT(di, MMIO_GPA + 0xff);
}

GUEST(mmio_string_fill)
{
	u64 si = 0, di = MMIO_GPA + 0x40, cx = 16;
	u64 found;

	access_forget();
	__asm__ volatile("rep stosb" : "+D"(di), "+c"(cx) : "a"(0xe7) : "memory");
	EXPECT(access_count(), 16);
	EXPECT(MMIO(u64, 0x48), 0xe7e7e7e7e7e7e7e7);
	EXPECT(MMIO(u8, 0x50), 0);
	si = MMIO_GPA + 0x4e;
	__asm__ volatile("lodsw" : "=a"(found), "+S"(si) : "a"(0));
	EXPECT(found, 0xe7e7);
	di = MMIO_GPA + 0x40, cx = 64;
	__asm__ volatile("repe scasb" : "+D"(di), "+c"(cx) : "a"(0xe7) : "memory", "cc");
	EXPECT(di, MMIO_GPA + 0x51);
	EXPECT(cx, 64 - 17);
}

/* The string's other side is a page that is not there. */
GUEST(mmio_string_fault)
{
	u8 *page = (u8 *)map_new_page(VA_FREE);
	u64 si = MMIO_GPA, di = VA_FREE + PAGE - 2, cx = 4;

	MMIO(u32, 0) = 0x04030201;
	trap_clear();
	MOVS("rep movsb", si, di, cx);
	EXPECT_TRAP(VEC_PF, PF_W);
	EXPECT(this_cpu()->trap.cr2, VA_FREE + PAGE);
	EXPECT(si, MMIO_GPA + 2);
	EXPECT(di, VA_FREE + PAGE);
	EXPECT(cx, 2);
	EXPECT(page[PAGE - 1], 2);
}

GUEST(mmio_stack)
{
	u64 a;

	MMIO(u64, 0x10) = 0x1234567812345678;
	__asm__ volatile("pushq (%1)\npop %0" : "=&r"(a) : "r"(MMIO_GPA + 0x10ull) : "memory");
	EXPECT(a, 0x1234567812345678);
	__asm__ volatile("push $0x77\npopq (%0)" : : "r"(MMIO_GPA + 0x18ull) : "memory");
	EXPECT(MMIO(u64, 0x18), 0x77);
}

/* Where there is neither memory nor a handler. */
GUEST(mmio_nobody)
{
	volatile u64 *at = (volatile u64 *)(uintptr_t)MMIO_NOBODY;

	EXPECT(*at, ~0ull);
	*at = 0x1234;
	EXPECT(*at, ~0ull);
	EXPECT(*(volatile u8 *)at, 0xff);
}

/* An access that begins in RAM's last bytes and ends where nothing is. */
GUEST(mmio_across_end_of_ram)
{
	volatile u64 *at = (volatile u64 *)(uintptr_t)(GUEST_RAM_BYTES - 4);

	*(volatile u32 *)at = 0x13579bdf;
	EXPECT(*at, 0xffffffff13579bdf);
	*at = 0x1111111122222222;
	EXPECT(*(volatile u32 *)at, 0x22222222);
}

GUEST(rom)
{
	volatile u8 *rom = (volatile u8 *)(uintptr_t)ROM_GPA;
	u64 si = ROM_GPA, di, cx = 64;
	u8 copy[64];

	EXPECT(rom[5], 5);
	EXPECT(rom[0x1234], 0x34);
	rom[5] = 0x99;
	EXPECT(rom[5], 5);
	*(volatile u64 *)(rom + 0x2000) = 0;
	EXPECT(*(volatile u64 *)(rom + 0x2000), 0x0706050403020100);
	__asm__ volatile("lock incb (%0)" : : "r"(rom + 7) : "memory", "cc");
	EXPECT(rom[7], 7);
	di = ADDRESS_OF(copy);
	MOVS("rep movsb", si, di, cx);
	EXPECT(copy[63], 63);
	/* The embedder may write what the guest may not. */
	EXPECT(host_call(CALL_WRITE, ROM_GPA + 0x3000, 0xabcdef, 0), 0);
	EXPECT(*(volatile u64 *)(rom + 0x3000), 0xabcdef);
}

/* Code is fetched from read-only memory. */
GUEST(rom_code)
{
	/* mov eax, 0x5aa5; ret */
	EXPECT(host_call(CALL_WRITE, ROM_GPA + 0x100, 0x0000c300005aa5b8, 0), 0);
	EXPECT(((u32(*)(void))(uintptr_t)(ROM_GPA + 0x100))(), 0x5aa5);
}

GUEST_ENDS(jump_nowhere, END_ERROR, "where there is no memory")
{
	((void (*)(void))(uintptr_t)MMIO_NOBODY)();
}

GUEST_ENDS(mmio_unknown_instruction, END_ERROR, "cannot be emulated")
{
	__asm__ volatile("fildl (%0)" : : "r"(MMIO_GPA + 0ull));
	guest_exit();
}
