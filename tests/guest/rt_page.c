/* SPDX-License-Identifier: MIT */
/* The runtime's paging: 4 KiB, 2 MiB and 1 GiB mappings above the one-to-one part. */
#include "guest.h"

#define ENTRIES 512

static u64 *table_of(u64 entry)
{
	return (u64 *)(uintptr_t)(entry & PTE_ADDRESS);
}

u64 *pte_of(u64 va, unsigned int level)
{
	u64 *table = table_of(read_cr3());
	unsigned int at = 4;
	u64 *entry;

	for (;;) {
		entry = &table[va >> (12 + 9 * (at - 1)) & (ENTRIES - 1)];
		if (at == level)
			return entry;
		if (!(*entry & PTE_P))
			*entry = ADDRESS_OF(page_alloc()) | PTE_P | PTE_W | PTE_U;
		table = table_of(*entry);
		at--;
	}
}

void map_page(u64 va, u64 pa, u64 flags)
{
	*pte_of(va, 1) = pa | flags;
	invlpg(va);
}

u64 *map_new_page(u64 va)
{
	u64 *page = page_alloc();

	map_page(va, ADDRESS_OF(page), PTE_P | PTE_W);
	return page;
}

u64 poke(u64 va, u64 value)
{
	trap_clear();
	__asm__ volatile(TRY("mov %1, (%0)") : : "r"(va), "r"(value) : "memory");
	return value;
}

u64 peek(u64 va)
{
	u64 value = 0xbadbadbadbad;

	trap_clear();
	__asm__ volatile(TRY("mov (%1), %0") : "+r"(value) : "r"(va) : "memory");
	return value;
}

/* A RET at va is called: its own fault is at va. */
u64 call_at(u64 va)
{
	struct trap *t = trap_clear();

	__asm__ volatile("lea 1f(%%rip), %%rax\n"
			 "mov %%rax, %%gs:%c1\n"
			 "call *%0\n"
			 "1:\n"
			 "movq $0, %%gs:%c1"
			 :
			 : "r"(va), "i"(offsetof(struct cpu, call_return))
			 : "rax", "memory");
	return t->vector;
}
