/* SPDX-License-Identifier: MIT */
/* vCPU registers. */
#ifndef MACROHARD_VCPU_H
#define MACROHARD_VCPU_H

#include <macrohard/vm.h>

#ifdef __cplusplus
extern "C" {
#endif

struct mh_regs {
	uint64_t rax, rbx, rcx, rdx, rsi, rdi, rsp, rbp;
	uint64_t r8, r9, r10, r11, r12, r13, r14, r15;
	uint64_t rip, rflags;
};

/*
 * attr: access rights as VMX has them, SDM 3C 25.4.1: type 3:0, S 4, DPL 6:5, P 7, L 13, D/B 14, G
 * 15, unusable 16.
 */
struct mh_segment {
	uint64_t base;
	uint32_t limit;
	uint32_t attr;
	uint16_t selector;
	uint16_t reserved[3];
};

struct mh_sregs {
	struct mh_segment es, cs, ss, ds, fs, gs, ldtr, tr;
	uint64_t gdt_base, idt_base;
	uint32_t gdt_limit, idt_limit;
	uint64_t cr0, cr2, cr3, cr4, cr8, efer;
};

/**
 * Read or write the registers of vCPU @index.
 * Thread: [setup], or [vcpu] for the vCPU that called the handler
 * Returns 0; MH_EINVAL (no such vCPU; set: values that no CPU can have), MH_ESTATE (the vCPU runs;
 * in a device's callback also: another thread starts or resets the VM).   Since: 1.0
 */
MH_API int mh_vcpu_get_regs(struct mh_vm *vm, uint32_t index, struct mh_regs *out);
MH_API int mh_vcpu_set_regs(struct mh_vm *vm, uint32_t index, const struct mh_regs *regs);
MH_API int mh_vcpu_get_sregs(struct mh_vm *vm, uint32_t index, struct mh_sregs *out);
MH_API int mh_vcpu_set_sregs(struct mh_vm *vm, uint32_t index, const struct mh_sregs *sregs);

#ifdef __cplusplus
}
#endif
#endif
