// SPDX-License-Identifier: MIT
/* The machine under the instruction emulator's tests: see insn_vm.h. */
#include "insn_vm.h"
#include "macrohard/error.h"

#include <stdlib.h>

#define CR0_PE 1ull
#define CR0_WP 0x10000ull
#define CR0_PG 0x80000000ull
#define CR4_PAE 0x20ull
#define EFER_LONG 0xd00ull /* LME, LMA, NXE */

#define PML4 0x1000u
#define PDPT 0x2000u
#define PD 0x3000u
#define PT_CODE 0x4000u
#define PT_DATA 0x5000u
#define PT_LOW 0x6000u
#define PTE 7ull /* present, writable, user */

#define ATTR_CODE64 0xa09b
#define ATTR_CODE32 0xc09b
#define ATTR_CODE16 0x009b
#define ATTR_DATA 0xc093
#define ATTR_DATA16 0x0093

static void note(struct vm *vm, u64 at, u64 value, unsigned int bytes, bool write, bool port)
{
	if (vm->logged < VM_LOG)
		vm->log[vm->logged] = (struct vm_access){ at, value, (u8)bytes, write, port };
	vm->logged++;
}

static u8 *mmio_at(struct vm *vm, mh_gpa gpa, unsigned int bytes)
{
	u64 off = gpa - VM_MMIO;

	if (gpa < VM_MMIO || off > VM_MMIO_BYTES - bytes)
		return NULL;
	if (off / 4096 != (off + bytes - 1) / 4096)
		return NULL; /* an access within one page was promised */
	return vm->mmio + (off ^ 4096);
}

static int vm_fetch(void *opaque, mh_gpa gpa, void *buf, unsigned int bytes)
{
	struct vm *vm = opaque;

	if (gpa > VM_RAM - bytes)
		return MH_EFAULT;
	memcpy(buf, vm->ram + gpa, bytes);
	return 0;
}

static int vm_read(void *opaque, mh_gpa gpa, void *buf, unsigned int bytes)
{
	struct vm *vm = opaque;
	const u8 *from = mmio_at(vm, gpa, bytes);
	u64 v = 0;

	if (!from)
		return vm_fetch(opaque, gpa, buf, bytes);
	memcpy(buf, from, bytes);
	memcpy(&v, from, bytes < 8 ? bytes : 8);
	note(vm, gpa, v, bytes, false, false);
	return 0;
}

static int vm_write(void *opaque, mh_gpa gpa, const void *buf, unsigned int bytes)
{
	struct vm *vm = opaque;
	u8 *to = mmio_at(vm, gpa, bytes);
	u64 v = 0;

	if (to) {
		memcpy(&v, buf, bytes < 8 ? bytes : 8);
		note(vm, gpa, v, bytes, true, false);
	} else if (gpa <= VM_RAM - bytes) {
		to = vm->ram + gpa;
	} else {
		return MH_EFAULT;
	}
	memcpy(to, buf, bytes);
	return 0;
}

static u32 vm_in(void *opaque, u16 port, unsigned int bytes)
{
	struct vm *vm = opaque;

	note(vm, port, vm->port_in, bytes, false, true);
	return vm->port_in++;
}

static void vm_out(void *opaque, u16 port, unsigned int bytes, u32 value)
{
	note(opaque, port, value, bytes, true, true);
}

static void set_pte(struct vm *vm, u32 table, u32 index, u64 e)
{
	memcpy(vm->ram + table + index * 8, &e, 8);
}

static void set_tables(struct vm *vm)
{
	u32 i;

	set_pte(vm, PML4, 0, PDPT | PTE);
	set_pte(vm, PDPT, 0, PD | PTE);
	set_pte(vm, PD, 0, PT_LOW | PTE);
	set_pte(vm, PD, VM_CODE >> 21, PT_CODE | PTE);
	set_pte(vm, PD, VM_DATA >> 21, PT_DATA | PTE);
	for (i = 0; i < VM_RAM / 4096; i++)
		set_pte(vm, PT_LOW, i, i * 4096ull | PTE);
	set_pte(vm, PT_CODE, 0, VM_CODE_GPA | PTE);
	set_pte(vm, PT_CODE, 1, (VM_CODE_GPA + 0x2000) | PTE);
	set_pte(vm, PT_CODE, (VM_STACK - VM_CODE) >> 12, VM_STACK_GPA | PTE);
	set_pte(vm, PT_CODE, (VM_ROM - VM_CODE) >> 12, (VM_STACK_GPA + 0x1000) | 5);
	set_pte(vm, PT_DATA, 0, (VM_MMIO + 0x1000) | PTE);
	set_pte(vm, PT_DATA, 1, VM_MMIO | PTE);
}

static void set_segments(struct mhk_state *s, u32 code, u32 data, u32 limit)
{
	unsigned int i;

	for (i = 0; i < MHK_SEGS; i++) {
		s->seg[i].limit = limit;
		s->seg[i].attr = data;
	}
	s->seg[MHK_CS].attr = code;
}

void vm_init(struct vm *vm, enum vm_mode mode)
{
	struct mhk_state *s = &vm->s;

	memset(vm, 0, sizeof(*vm));
	vm->env.read = vm_read;
	vm->env.write = vm_write;
	vm->env.in = vm_in;
	vm->env.out = vm_out;
	vm->env.fetch = vm_fetch;
	vm->env.opaque = vm;
	vm->cache = mhi_insn_cache_create();
	s->rflags = 2;
	s->rip = VM_CODE_GPA;
	if (mode == VM_REAL) {
		set_segments(s, ATTR_DATA16, ATTR_DATA16, 0xffff);
		return;
	}
	s->cr0 = CR0_PE;
	if (mode == VM_PROT16) {
		set_segments(s, ATTR_CODE16, ATTR_DATA16, 0xffff);
		return;
	}
	set_segments(s, ATTR_CODE32, ATTR_DATA, 0xffffffff);
	if (mode == VM_PROT32)
		return;
	set_tables(vm);
	s->rip = VM_CODE;
	s->cr0 |= CR0_WP | CR0_PG;
	s->cr3 = PML4;
	s->cr4 = CR4_PAE;
	s->efer = EFER_LONG;
	s->gpr[MHK_RSP] = VM_STACK + 0x800;
	if (mode == VM_LONG)
		s->seg[MHK_CS].attr = ATTR_CODE64;
}

void vm_fini(struct vm *vm)
{
	mhi_insn_cache_destroy(vm->cache);
	vm->cache = NULL;
}

void vm_window(struct vm *vm, bool on)
{
	/* The second half of memory in the first window, to see that both are looked at. */
	vm->env.window[0].gpa = VM_RAM / 2;
	vm->env.window[0].at = vm->ram + VM_RAM / 2;
	vm->env.window[1].at = vm->ram;
	vm->env.window[0].bytes = vm->env.window[1].bytes = on ? VM_RAM / 2 : 0;
}

u64 vm_remap(struct vm *vm, u64 gva, u64 entry)
{
	u8 *at = vm->ram + (gva >= VM_DATA ? PT_DATA : PT_CODE) + (gva >> 12 & 511) * 8;
	u64 old;

	memcpy(&old, at, 8);
	memcpy(at, &entry, 8);
	return old;
}

void vm_code(struct vm *vm, const u8 *code, unsigned int len)
{
	u64 at = vm->s.seg[MHK_CS].base + vm->s.rip;
	unsigned int i;

	for (i = 0; i < len; i++, at++) {
		if (at >= VM_CODE + 4096)
			vm->ram[at - VM_CODE + VM_CODE_GPA + 4096] = code[i];
		else if (at >= VM_CODE)
			vm->ram[at - VM_CODE + VM_CODE_GPA] = code[i];
		else
			vm->ram[at] = code[i];
	}
}

enum mhi_insn_result vm_run(struct vm *vm)
{
	return mhi_insn_emulate(vm->cache, &vm->env, &vm->s, NULL, 0, &vm->out);
}

u64 vm_get(const struct vm *vm, unsigned int offset, unsigned int bytes)
{
	u64 v = 0;

	memcpy(&v, vm->mmio + offset, bytes);
	return v;
}

void vm_put(struct vm *vm, unsigned int offset, unsigned int bytes, u64 value)
{
	memcpy(vm->mmio + offset, &value, bytes);
}
