/* SPDX-License-Identifier: MIT */
/*
 * A small VM straight on an engine, for test_engine.c. Accesses of the guest to ports and device
 * memory come out one by one and in one form, whether the engine decoded them or the library must.
 */
#ifndef LAB_ENGINE_VM_H
#define LAB_ENGINE_VM_H

#include "core/engine.h"
#include "core/insn.h"
#include "engine_guests.h"

#define VM_RAM 0x40000u /* bytes from gpa 0 */
#define VM_ROM 0x1000u	/* bytes at ENGINE_ROM */
#define VM_QUEUE 32

struct access {
	bool port, write;
	u64 at, value; /* value: written, or answered */
	unsigned int bytes;
};

struct vm {
	const struct mhi_engine_ops *ops;
	struct mhi_engine *e;
	struct mhi_eng_vm *vm;
	struct mhi_eng_vcpu *vcpu[2];
	struct mhk_run *page; /* of the first */
	u8 *ram, *rom;
	struct mhi_insn_cache *insn;
	struct mhi_insn_env env;
	u64 answer; /* what every read gets */
	bool rom_gone;
	struct access queue[VM_QUEUE];
	unsigned int queued, taken;
};

extern unsigned int failures;
extern const struct mhi_engine_ops *ops; /* of the engine under test */

#define CHECK(cond)                                                    \
	do {                                                           \
		if (!(cond))                                           \
			check_failed(__FILE__, __LINE__, #cond, 0, 0); \
	} while (0)
#define CHECK_EQ(a, b)                                                          \
	do {                                                                    \
		u64 check_a = (u64)(a), check_b = (u64)(b);                     \
		if (check_a != check_b)                                         \
			check_failed(__FILE__, __LINE__, #a, check_a, check_b); \
	} while (0)

void check_failed(const char *file, int line, const char *what, u64 is, u64 wanted);

/* A VM with cpus (1 or 2) vCPUs, the guest's code in place, in real mode. Exits when it cannot. */
void vm_start(struct vm *vm, u32 cpus, const u8 *code, const u8 *code_end);
void vm_stop(struct vm *vm);
/* Put the first vCPU into 64-bit mode, with the low 4 GiB mapped to themselves. */
void vm_long_mode(struct vm *vm);
/* Run vCPU 0 to its next exit that is not MHK_EXIT_NONE; returns the reason. */
u32 vm_run(struct vm *vm);
/* Run to the next access; any other exit is a failure and gives one with bytes 0. */
struct access vm_access(struct vm *vm);
/* Expect the next access. */
void vm_expect_out(struct vm *vm, u16 port, unsigned int bytes, u64 value, int line);
void vm_expect(struct vm *vm, struct access want, int line);

/* engine_doorbell.c */
void test_doorbell(void);
void test_doorbell_toggled(void);

#define EXPECT_OUT(vm, port, bytes, value) vm_expect_out(vm, port, bytes, value, __LINE__)
#define EXPECT(vm, ...) vm_expect(vm, (struct access){ __VA_ARGS__ }, __LINE__)

#endif
