/* SPDX-License-Identifier: MIT */
/* Guests: paging in long mode: sizes, flags, changes with and without flushes, protections. */
#include "guest.h"

#define LEAF1_ECX_PCID (1u << 17)
#define LEAF7_EBX_SMEP (1u << 7)
#define LEAF7_EBX_SMAP (1u << 20)
#define EXT1_EDX_1G (1u << 26)
#define MIB2 0x200000ull
#define GIB 0x40000000ull
#define CR3_NO_FLUSH (1ull << 63)

/* Two pages with other contents, to be swapped under one address. */
static u64 page_with(u64 value)
{
	u64 *page = page_alloc();

	*page = value;
	return ADDRESS_OF(page);
}

GUEST(page_4k)
{
	u64 *first = map_new_page(VA_FREE), *second = map_new_page(VA_FREE + PAGE);

	EXPECT(poke(VA_FREE + 8, 0x1234), 0x1234);
	EXPECT_NO_TRAP();
	EXPECT(first[1], 0x1234);
	/* Across both. */
	poke(VA_FREE + PAGE - 4, 0x1122334455667788);
	EXPECT_NO_TRAP();
	EXPECT(first[511] >> 32, 0x55667788);
	EXPECT(second[0], 0x11223344);
	EXPECT(peek(VA_FREE + PAGE - 4), 0x1122334455667788);
	/* The same page twice. */
	map_page(VA_FREE + 2 * PAGE, ADDRESS_OF(first), PTE_P | PTE_W);
	EXPECT(peek(VA_FREE + 2 * PAGE + 8), 0x1234);
}

GUEST(page_2m)
{
	*pte_of(VA_FREE, 2) = HEAP_FREE | PTE_P | PTE_W | PTE_PS;
	*(u64 *)(uintptr_t)(HEAP_FREE + MIB2 - 8) = 0x77;
	EXPECT(peek(VA_FREE + MIB2 - 8), 0x77);
	EXPECT(*pte_of(VA_FREE, 2) & (PTE_A | PTE_D), PTE_A);
	poke(VA_FREE + 0x123456, 0x88);
	EXPECT(*(u64 *)(uintptr_t)(HEAP_FREE + 0x123456), 0x88);
	EXPECT(*pte_of(VA_FREE, 2) & (PTE_A | PTE_D), PTE_A | PTE_D);
	/* A device. */
	*pte_of(VA_FREE + MIB2, 2) = MMIO_GPA | PTE_P | PTE_W | PTE_PS;
	poke(VA_FREE + MIB2 + 0x10, 0x99);
	EXPECT(MMIO(u64, 0x10), 0x99);
	/* Split into small pages. */
	*pte_of(VA_FREE, 2) = 0;
	invlpg(VA_FREE);
	map_page(VA_FREE, HEAP_FREE + PAGE, PTE_P | PTE_W);
	*(u64 *)(uintptr_t)(HEAP_FREE + PAGE) = 0xaa;
	EXPECT(peek(VA_FREE), 0xaa);
}

GUEST(page_1g)
{
	if (!(cpuid(0x80000001, 0).edx & EXT1_EDX_1G))
		guest_skip("the CPU has no 1 GiB pages");
	*pte_of(VA_FREE, 3) = 0 | PTE_P | PTE_W | PTE_PS;
	*(u64 *)(uintptr_t)HEAP_FREE = 0x77;
	EXPECT(peek(VA_FREE + HEAP_FREE), 0x77);
	poke(VA_FREE + HEAP_FREE + 8, 0x88);
	EXPECT(*(u64 *)(uintptr_t)(HEAP_FREE + 8), 0x88);
	EXPECT(*pte_of(VA_FREE, 3) & (PTE_A | PTE_D), PTE_A | PTE_D);
	*pte_of(VA_FREE + GIB, 3) = 3 * GIB | PTE_P | PTE_W | PTE_PS;
	poke(VA_FREE + GIB + MMIO_GPA - 3 * GIB, 0x99);
	EXPECT(MMIO(u64, 0), 0x99);
}

GUEST(page_accessed_dirty)
{
	u64 *pte, *page = map_new_page(VA_FREE);

	pte = pte_of(VA_FREE, 1);
	EXPECT(*pte & (PTE_A | PTE_D), 0);
	peek(VA_FREE);
	EXPECT(*pte & (PTE_A | PTE_D), PTE_A);
	EXPECT(*pte_of(VA_FREE, 2) & PTE_A, PTE_A);
	EXPECT(*pte_of(VA_FREE, 3) & PTE_A, PTE_A);
	poke(VA_FREE, 1);
	EXPECT(*pte & (PTE_A | PTE_D), PTE_A | PTE_D);
	/* Cleared, with a flush: they come again. */
	*pte &= ~(PTE_A | PTE_D);
	invlpg(VA_FREE);
	EXPECT(*pte & (PTE_A | PTE_D), 0);
	poke(VA_FREE, 2);
	EXPECT(*pte & (PTE_A | PTE_D), PTE_A | PTE_D);
	/* Not by an access that faults. */
	map_page(VA_FREE, ADDRESS_OF(page), PTE_P);
	poke(VA_FREE, 3);
	EXPECT_TRAP(VEC_PF, PF_P | PF_W);
	EXPECT(*pte & PTE_D, 0);
	EXPECT(*page, 2);
}

/* Page tables in pages that nothing has touched, deep below each other. */
GUEST(page_tables_fresh)
{
	u64 i, va, bad = 0;

	for (i = 0; i < 32; i++) {
		va = VA_FREE + i * 0x8040201000;
		map_new_page(va);
		poke(va + 8 * i, i);
		bad += this_cpu()->trap.vector != NO_TRAP;
	}
	EXPECT(bad, 0);
	for (i = 0; i < 32; i++)
		bad += peek(VA_FREE + i * 0x8040201000 + 8 * i) != i;
	EXPECT(bad, 0);
}

GUEST(page_change_invlpg)
{
	u64 a = page_with(0xaaaa), b = page_with(0xbbbb), i, bad = 0;
	u64 *pte = pte_of(VA_FREE, 1);

	for (i = 0; i < 100; i++) {
		*pte = (i & 1 ? b : a) | PTE_P | PTE_W;
		invlpg(VA_FREE);
		bad += peek(VA_FREE) != (i & 1 ? 0xbbbb : 0xaaaa);
	}
	EXPECT(bad, 0);
	*pte = 0;
	invlpg(VA_FREE);
	peek(VA_FREE);
	EXPECT_TRAP(VEC_PF, 0);
	/* What was absent needs no flush. */
	*pte = a | PTE_P;
	EXPECT(peek(VA_FREE), 0xaaaa);
	EXPECT_NO_TRAP();
	/* Nor does a permission that is added: the CPU looks again before it faults. */
	*pte = a | PTE_P | PTE_W;
	poke(VA_FREE, 0xcccc);
	EXPECT_NO_TRAP();
}

GUEST(page_change_cr3)
{
	u64 a = page_with(0xaaaa), b = page_with(0xbbbb), cr3 = read_cr3(), i, bad = 0;
	u64 *pte = pte_of(VA_FREE, 1);

	for (i = 0; i < 100; i++) {
		*pte = (i & 1 ? b : a) | PTE_P | PTE_W;
		write_cr3(cr3);
		bad += peek(VA_FREE) != (i & 1 ? 0xbbbb : 0xaaaa);
	}
	EXPECT(bad, 0);
}

/* Other tables behind another CR3, to and fro. */
GUEST(page_address_spaces)
{
	u64 cr3 = read_cr3(), *top = page_alloc(), i, bad = 0;

	memcpy(top, pml4, PAGE);
	top[1] = 0;
	map_page(0x8000000000, page_with(0xaaaa), PTE_P);
	write_cr3(ADDRESS_OF(top));
	map_page(0x8000000000, page_with(0xbbbb), PTE_P);
	for (i = 0; i < 100; i++) {
		write_cr3(i & 1 ? ADDRESS_OF(top) : cr3);
		bad += peek(0x8000000000) != (i & 1 ? 0xbbbb : 0xaaaa);
	}
	EXPECT(bad, 0);
	write_cr3(cr3);
}

GUEST(page_global)
{
	u64 a = page_with(0xaaaa), b = page_with(0xbbbb);
	u64 *pte = pte_of(VA_FREE, 1);

	write_cr4(read_cr4() | CR4_PGE);
	*pte = a | PTE_P | PTE_G;
	EXPECT(peek(VA_FREE), 0xaaaa);
	/* INVLPG ends global pages, too. */
	*pte = b | PTE_P | PTE_G;
	invlpg(VA_FREE);
	EXPECT(peek(VA_FREE), 0xbbbb);
	*pte = a | PTE_P | PTE_G;
	write_cr4(read_cr4() & ~CR4_PGE);
	EXPECT(peek(VA_FREE), 0xaaaa);
	write_cr4(read_cr4() | CR4_PGE);
	*pte = b | PTE_P | PTE_G;
	write_cr0(read_cr0() & ~CR0_WP);
	write_cr4(read_cr4() & ~CR4_PGE);
	EXPECT(peek(VA_FREE), 0xbbbb);
}

GUEST(page_nx_off)
{
	u64 *page = map_new_page(VA_FREE);

	*(u8 *)page = 0xc3; /* ret */
	*pte_of(VA_FREE, 1) |= PTE_NX;
	invlpg(VA_FREE);
	EXPECT(call_at(VA_FREE), VEC_PF);
	/* Without EFER.NXE the bit is reserved. */
	wrmsr(MSR_EFER, rdmsr(MSR_EFER) & ~EFER_NXE);
	invlpg(VA_FREE);
	peek(VA_FREE);
	EXPECT(this_cpu()->trap.vector, VEC_PF);
	EXPECT(this_cpu()->trap.error & PF_R, PF_R);
	*pte_of(VA_FREE, 1) &= ~PTE_NX;
	EXPECT(call_at(VA_FREE), NO_TRAP);
	wrmsr(MSR_EFER, rdmsr(MSR_EFER) | EFER_NXE);
}

GUEST(page_write_protect)
{
	static const u8 code[] = { 0xa3, 0, 0, 0, 0, 1, 0, 0, 0, 0xcd, USER_VECTOR };
	u64 *page = map_new_page(VA_FREE), level;

	*pte_of(VA_FREE, 1) = ADDRESS_OF(page) | PTE_P | PTE_U;
	for (level = 2; level <= 4; level++)
		*pte_of(VA_FREE, (unsigned int)level) |= PTE_U;
	poke(VA_FREE, 1);
	EXPECT_TRAP(VEC_PF, PF_P | PF_W);
	/* WP is about the kernel only. */
	write_cr0(read_cr0() & ~CR0_WP);
	poke(VA_FREE, 0x1234);
	EXPECT_NO_TRAP();
	EXPECT(*page, 0x1234);
	user_run(code, sizeof(code), 2);
	EXPECT_TRAP(VEC_PF, PF_P | PF_W | PF_U);
	write_cr0(read_cr0() | CR0_WP);
	poke(VA_FREE, 1);
	EXPECT_TRAP(VEC_PF, PF_P | PF_W);
	/* At a higher level. */
	*pte_of(VA_FREE, 1) |= PTE_W;
	*pte_of(VA_FREE, 2) &= ~PTE_W;
	write_cr3(read_cr3());
	poke(VA_FREE, 1);
	EXPECT_TRAP(VEC_PF, PF_P | PF_W);
}

GUEST(page_smep)
{
	if (!(cpuid(7, 0).ebx & LEAF7_EBX_SMEP))
		guest_skip("the CPU has no SMEP");
	*(u8 *)(uintptr_t)USER_BASE = 0xc3; /* ret */
	EXPECT(call_at(USER_BASE), NO_TRAP);
	write_cr4(read_cr4() | CR4_SMEP);
	EXPECT(call_at(USER_BASE), VEC_PF);
	EXPECT(this_cpu()->trap.error, PF_P | PF_I);
	EXPECT(this_cpu()->trap.rip, USER_BASE);
	EXPECT(peek(USER_BASE) & 0xff, 0xc3);
	write_cr4(read_cr4() & ~CR4_SMEP);
	EXPECT(call_at(USER_BASE), NO_TRAP);
}

GUEST(page_smap)
{
	if (!(cpuid(7, 0).ebx & LEAF7_EBX_SMAP))
		guest_skip("the CPU has no SMAP");
	poke(USER_BASE, 0x1234);
	write_cr4(read_cr4() | CR4_SMAP);
	EXPECT(peek(USER_BASE), 0xbadbadbadbad);
	EXPECT_TRAP(VEC_PF, PF_P);
	poke(USER_BASE, 0x5678);
	EXPECT_TRAP(VEC_PF, PF_P | PF_W);
	__asm__ volatile("stac" ::: "memory", "cc");
	EXPECT(peek(USER_BASE), 0x1234);
	__asm__ volatile("clac" ::: "memory", "cc");
	peek(USER_BASE);
	EXPECT_TRAP(VEC_PF, PF_P);
	write_cr4(read_cr4() & ~CR4_SMAP);
	EXPECT(peek(USER_BASE), 0x1234);
}

GUEST(page_pcid)
{
	u64 a = page_with(0xaaaa), b = page_with(0xbbbb), cr3 = read_cr3();
	u64 *top = page_alloc(), i, bad = 0;

	if (!(cpuid(1, 0).ecx & LEAF1_ECX_PCID))
		guest_skip("the CPU has no PCID");
	memcpy(top, pml4, PAGE);
	top[1] = 0;
	write_cr4(read_cr4() | CR4_PCIDE);
	write_cr3(cr3 | 1);
	map_page(0x8000000000, a, PTE_P);
	write_cr3(ADDRESS_OF(top) | 2);
	map_page(0x8000000000, b, PTE_P);
	for (i = 0; i < 100; i++) {
		write_cr3((i & 1 ? ADDRESS_OF(top) | 2 : cr3 | 1) | CR3_NO_FLUSH);
		bad += peek(0x8000000000) != (i & 1 ? 0xbbbb : 0xaaaa);
	}
	EXPECT(bad, 0);
	/* Without the bit the new space's translations end. */
	*pte_of(0x8000000000, 1) = a | PTE_P;
	write_cr3(ADDRESS_OF(top) | 2);
	EXPECT(peek(0x8000000000), 0xaaaa);
	write_cr3(cr3);
	write_cr4(read_cr4() & ~CR4_PCIDE);
}

/* Addresses at both ends of the canonical halves. */
GUEST(page_canonical_ends)
{
	map_new_page(0x00007ffffffff000);
	poke(0x00007ffffffffff8, 0x11);
	EXPECT_NO_TRAP();
	peek(0x0000800000000000);
	EXPECT_TRAP(VEC_GP, 0);
	map_new_page(0xffff800000000000);
	poke(0xffff800000000000, 0x22);
	EXPECT_NO_TRAP();
	map_new_page(0xfffffffffffff000);
	poke(0xfffffffffffffff8, 0x33);
	EXPECT_NO_TRAP();
	EXPECT(peek(0x00007ffffffffff8), 0x11);
	EXPECT(peek(0xffff800000000000), 0x22);
	EXPECT(peek(0xfffffffffffffff8), 0x33);
}
