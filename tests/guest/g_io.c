/* SPDX-License-Identifier: MIT */
/* Guests: port I/O, plain and string. */
#include "guest.h"

#define FILL 0x1122334455667788ull

static void expect_access(u64 n, u64 offset, u32 bytes, u64 value, u32 flags)
{
	struct device_access a = access_at(n);

	EXPECT(a.offset, offset);
	EXPECT(a.bytes, bytes);
	EXPECT(a.value, value);
	EXPECT(a.flags, flags);
}

GUEST(pio_out)
{
	access_forget();
	out8(PORT_RAM + 1, 0xab);
	out16(PORT_RAM + 2, 0x1234);
	out32(PORT_RAM + 4, 0xdeadbeef);
	__asm__ volatile("outb %%al, %%dx" : : "a"(FILL), "d"(0xffff0000 | PORT_RAM));
	EXPECT(access_count(), 4);
	expect_access(0, 1, 1, 0xab, ACCESS_WRITE);
	expect_access(1, 2, 2, 0x1234, ACCESS_WRITE);
	expect_access(2, 4, 4, 0xdeadbeef, ACCESS_WRITE);
	expect_access(3, 0, 1, 0x88, ACCESS_WRITE);
}

/* 8 and 16 bits leave the rest of RAX, 32 bits clear its upper half: SDM 1 3.4.1.1. */
GUEST(pio_in)
{
	u64 a = FILL, b = FILL, c = FILL;

	out32(PORT_RAM, 0xcafebabe);
	__asm__ volatile("inb %%dx, %%al" : "+a"(a) : "d"(PORT_RAM));
	__asm__ volatile("inw %%dx, %%ax" : "+a"(b) : "d"(PORT_RAM));
	__asm__ volatile("inl %%dx, %%eax" : "+a"(c) : "d"(PORT_RAM));
	EXPECT(a, 0x11223344556677be);
	EXPECT(b, 0x112233445566babe);
	EXPECT(c, 0xcafebabe);
}

GUEST(pio_nobody)
{
	u64 a = FILL, b = FILL, c = FILL, d = FILL;

	__asm__ volatile("inb %%dx, %%al" : "+a"(a) : "d"(PORT_NOBODY));
	__asm__ volatile("inw %%dx, %%ax" : "+a"(b) : "d"(PORT_NOBODY));
	__asm__ volatile("inl %%dx, %%eax" : "+a"(c) : "d"(PORT_NOBODY));
	__asm__ volatile("inb $0xe0, %%al" : "+a"(d));
	EXPECT(a, 0x11223344556677ff);
	EXPECT(b, 0x112233445566ffff);
	EXPECT(c, 0xffffffff);
	EXPECT(d, 0x11223344556677ff);
	__asm__ volatile("outl %%eax, %%dx" : : "a"(1), "d"(PORT_NOBODY));
	__asm__ volatile("outb %%al, $0xe0" : : "a"(1));
	/* The last port, and an access that reaches beyond it. */
	__asm__ volatile("inl %%dx, %%eax" : "+a"(c) : "d"(0xffff));
	EXPECT(c, 0xffffffff);
}

/* In a handler the embedder sees the registers behind the OUT, and may change them. */
GUEST(pio_registers)
{
	struct {
		u64 rip, rflags, rax, r15;
	} regs = { 0 };
	struct host_call call = { .op = CALL_REGS, .arg = { ADDRESS_OF(&regs), 0x5151 } };
	register u64 r15 __asm__("r15") = 0x1515;
	u64 rip, rflags;

	__asm__ volatile("pushf\n"
			 "pop %2\n"
			 "outl %%eax, %%dx\n"
			 "1: lea 1b(%%rip), %1"
			 : "+r"(r15), "=&r"(rip), "=&r"(rflags)
			 : "a"(&call), "d"(PORT_CALL)
			 : "memory");
	EXPECT(r15, 0x5151);
	EXPECT(call.ret, 0);
	EXPECT(regs.rip, rip);
	EXPECT(regs.rflags, rflags);
	EXPECT(regs.rax, ADDRESS_OF(&call));
	EXPECT(regs.r15, 0x1515);
}

#define STRING(insn, si, di, cx)                                \
	do {                                                    \
		trap_clear();                                   \
		__asm__ volatile(TRY(insn)                      \
				 : "+S"(si), "+D"(di), "+c"(cx) \
				 : "d"(PORT_RAM)                \
				 : "memory");                   \
	} while (0)

GUEST(pio_outs)
{
	static const u32 data[4] = { 0x44332211, 0x88776655, 0xccbbaa99, 0x00ffeedd };
	u64 si = ADDRESS_OF(data), di = 7, cx = 8, i;

	access_forget();
	STRING("rep outsb", si, di, cx);
	EXPECT(si, ADDRESS_OF(data) + 8);
	EXPECT(di, 7);
	EXPECT(cx, 0);
	EXPECT(access_count(), 8);
	for (i = 0; i < 8; i++)
		expect_access(i, 0, 1, 0x11 * (i + 1), ACCESS_WRITE);
	cx = 3;
	STRING("rep outsw", si, di, cx);
	EXPECT(si, ADDRESS_OF(data) + 14);
	expect_access(8, 0, 2, 0xaa99, ACCESS_WRITE);
	expect_access(10, 0, 2, 0xeedd, ACCESS_WRITE);
	si = ADDRESS_OF(data);
	cx = 0x100000001;
	STRING("outsl", si, di, cx);
	EXPECT(si, ADDRESS_OF(data) + 4);
	EXPECT(cx, 0x100000001);
	expect_access(11, 0, 4, 0x44332211, ACCESS_WRITE);
	EXPECT(access_count(), 12);
}

GUEST(pio_outs_backwards)
{
	static const u8 data[4] = { 1, 2, 3, 4 };
	u64 si = ADDRESS_OF(data) + 3, di = 0, cx = 4;

	access_forget();
	__asm__ volatile("std");
	STRING("rep outsb", si, di, cx);
	__asm__ volatile("cld");
	EXPECT(si, ADDRESS_OF(data) - 1);
	EXPECT(cx, 0);
	expect_access(0, 0, 1, 4, ACCESS_WRITE);
	expect_access(3, 0, 1, 1, ACCESS_WRITE);
}

GUEST(pio_string_of_nothing)
{
	u64 si = 0x123456789a, di = 0xdead00000000, cx = 0;

	access_forget();
	STRING("rep outsb", si, di, cx);
	EXPECT_NO_TRAP();
	STRING("rep insl", si, di, cx);
	EXPECT_NO_TRAP();
	EXPECT(si, 0x123456789a);
	EXPECT(di, 0xdead00000000);
	EXPECT(access_count(), 0);
}

GUEST(pio_ins)
{
	u8 data[16];
	u64 si = 9, di = ADDRESS_OF(data), cx = 3, i;

	memset(data, 0x77, sizeof(data));
	out32(PORT_RAM, 0xa1b2c3d4);
	STRING("rep insb", si, di, cx);
	EXPECT(di, ADDRESS_OF(data) + 3);
	EXPECT(cx, 0);
	EXPECT(si, 9);
	for (i = 0; i < 3; i++)
		EXPECT(data[i], 0xd4);
	EXPECT(data[3], 0x77);
	cx = 2;
	STRING("rep insw", si, di, cx);
	EXPECT(data[3] | data[6] << 8, 0xc3d4);
	EXPECT(data[7], 0x77);
	cx = 2;
	STRING("rep insl", si, di, cx);
	EXPECT(data[7], 0xd4);
	EXPECT(data[14], 0xa1);
	EXPECT(data[15], 0x77);
	EXPECT(di, ADDRESS_OF(data) + 15);
}

GUEST(pio_outs_segment)
{
	static const u8 data[2] = { 0x5a, 0xa5 };
	u64 si = 1, di = 0, cx = 1;

	access_forget();
	wrmsr(MSR_FS_BASE, ADDRESS_OF(data));
	STRING("rep fs outsb", si, di, cx);
	EXPECT_NO_TRAP();
	EXPECT(si, 2);
	expect_access(0, 0, 1, 0xa5, ACCESS_WRITE);
}

/* A string that runs into an absent page: the finished part stays, #PF for the rest. */
GUEST(pio_string_fault)
{
	u8 *page = (u8 *)map_new_page(VA_FREE);
	u64 si = VA_FREE + PAGE - 3, di = 0, cx = 5;

	memset(page, 0x3c, PAGE);
	access_forget();
	STRING("rep outsb", si, di, cx);
	EXPECT_TRAP(VEC_PF, 0);
	EXPECT(this_cpu()->trap.cr2, VA_FREE + PAGE);
	EXPECT(si, VA_FREE + PAGE);
	EXPECT(cx, 2);
	EXPECT(access_count(), 3);
	/* To read-only memory: a write fault; the byte was read from the port already or not. */
	map_page(VA_FREE, ADDRESS_OF(page), PTE_P);
	di = VA_FREE;
	cx = 1;
	STRING("rep insb", si, di, cx);
	EXPECT_TRAP(VEC_PF, PF_P | PF_W);
	EXPECT(this_cpu()->trap.cr2, VA_FREE);
	EXPECT(cx, 1);
	EXPECT(di, VA_FREE);
	EXPECT(page[0], 0x3c);
}

/* Across two pages that lie apart in memory. */
GUEST(pio_string_two_pages)
{
	u8 *first = (u8 *)map_new_page(VA_FREE), *second;
	u64 si = 0, di = VA_FREE + PAGE - 6, cx = 3;

	page_alloc();
	second = (u8 *)map_new_page(VA_FREE + PAGE);
	out32(PORT_RAM, 0x04030201);
	STRING("rep insl", si, di, cx);
	EXPECT_NO_TRAP();
	EXPECT(*(u32 *)(first + PAGE - 6), 0x04030201);
	EXPECT(*(u16 *)(first + PAGE - 2), 0x0201);
	EXPECT(*(u16 *)second, 0x0403);
	EXPECT(*(u32 *)(second + 2), 0x04030201);
	EXPECT(di, VA_FREE + PAGE + 6);
}

/* A long string is interruptible and ends in the right place. */
GUEST(pio_string_long)
{
	u64 si = HEAP_FREE, di = 0, cx = 3000;

	access_forget();
	STRING("rep outsb", si, di, cx);
	EXPECT(si, HEAP_FREE + 3000);
	EXPECT(cx, 0);
	EXPECT(access_count(), 3000);
}

GUEST(pio_hammer)
{
	u64 sum = 0, v;
	u32 port;

	for (port = 0x1000; port < 0x1800; port++) {
		__asm__ volatile("inb %%dx, %%al" : "=a"(v) : "d"(port), "a"(0));
		sum += v;
		out16((u16)port, 0xffff);
	}
	EXPECT(sum, 0xff * 0x800);
}
