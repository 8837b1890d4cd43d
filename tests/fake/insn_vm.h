/* SPDX-License-Identifier: MIT */
/*
 * A machine for the instruction emulator: memory from gpa 0, two MMIO pages that are plain buffers,
 * page tables that map them, and a log of accesses. The MMIO pages are mapped in swapped order: an
 * operand across the page boundary that is not translated twice lands in the wrong place.
 */
#ifndef FAKE_INSN_VM_H
#define FAKE_INSN_VM_H

#include "core/insn.h"

#define VM_RAM 0x20000u
#define VM_CODE 0x400000ull /* gva of two code pages: gpa VM_CODE_GPA and the page after the next */
#define VM_CODE_GPA 0x8000ull
#define VM_DATA 0x10000000ull /* gva of the two MMIO pages; the page after them is not present */
#define VM_MMIO 0xd0000000ull /* gpa: first half is VM_DATA + 4096 */
#define VM_STACK 0x500000ull  /* gva of a page of RAM at VM_STACK_GPA */
#define VM_STACK_GPA 0x10000ull
#define VM_ROM 0x501000ull /* gva, mapped read-only, of the page at VM_STACK_GPA + 4096 */
#define VM_MMIO_BYTES 8192u
#define VM_LOG 64u

struct vm_access {
	u64 at; /* gpa or port */
	u64 value;
	u8 bytes;
	bool write, port;
};

struct vm {
	u8 ram[VM_RAM];
	u8 mmio[VM_MMIO_BYTES];	      /* by gva: byte 0 is at VM_DATA */
	struct vm_access log[VM_LOG]; /* of MMIO and ports */
	unsigned int logged;
	u32 port_in; /* what every IN returns; then incremented */
	struct mhk_state s;
	struct mhi_insn_env env;
	struct mhi_insn_cache *cache;
	struct mhi_insn_out out;
};

enum vm_mode { VM_LONG, VM_COMPAT, VM_PROT32, VM_PROT16, VM_REAL };

/* Zeroed memory, flat segments, RIP at the code (in real mode 0x8000, in 16-bit mode too). */
void vm_init(struct vm *vm, enum vm_mode mode);
void vm_fini(struct vm *vm);
/* Let the emulator read memory without a call, or not. */
void vm_window(struct vm *vm, bool on);
/* The entry that maps a 4 KiB page of the code, data or stack areas above; returns the old one. */
u64 vm_remap(struct vm *vm, u64 gva, u64 entry);
/* Put code at RIP. */
void vm_code(struct vm *vm, const u8 *code, unsigned int len);
enum mhi_insn_result vm_run(struct vm *vm);
u64 vm_get(const struct vm *vm, unsigned int offset, unsigned int bytes); /* MMIO */
void vm_put(struct vm *vm, unsigned int offset, unsigned int bytes, u64 value);

#endif
