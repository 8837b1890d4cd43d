/* SPDX-License-Identifier: (GPL-2.0 OR MIT) */
/* The run loop's interface to the host, and what its files owe each other. */
#ifndef MHI_ARCH_RUN_H
#define MHI_ARCH_RUN_H

#include "arch/x86/hv.h"

/* How a section ended, and what the host does next. */
enum mhi_run {
	MHI_RUN_AGAIN = 0, /* inside a section only: enter once more */
	MHI_RUN_USER,	   /* v->exit is for user space; its groups were provided */
	MHI_RUN_HOST,	   /* let host interrupts, signals and the scheduler have their turn */
	MHI_RUN_FAULT,	   /* make v->fault_gpa present for v->fault_access, then go on */
	MHI_RUN_WAIT,	   /* v->mp_state is not runnable: sleep until mhi_wait_over */
};

/*
 * Initialise the freestanding part (v->vm, v->apic_id set, the rest zero): vendor part, reset
 * state. MHI_ENOMEM.
 */
int mhi_vcpu_init(struct mhi_vcpu *v);
void mhi_vcpu_fini(struct mhi_vcpu *v);

/*
 * Run until something above is needed. Interrupts off, v->cpu set, the guest's FPU state loaded
 * under the host's XCR0. Groups go to *out when the result is MHI_RUN_USER: those of `wanted` and
 * the exit's own; *valid says which.
 */
enum mhi_run mhi_run_section(struct mhi_vcpu *v, u32 wanted, struct mhk_state *out, u32 *valid);

/* Copy groups (not FPU) to *out in a section of its own. Interrupts off. 0, or load's error. */
int mhi_run_get(struct mhi_vcpu *v, u32 groups, struct mhk_state *out);

/* May a vCPU that waits go on? Called on its thread. */
bool mhi_wait_over(struct mhi_vcpu *v);

/*
 * Copy groups (not FPU) of a state that others may be changing, check the copy against what a CPU
 * with the VM's caps can hold, and have the next section load it. MHI_EINVAL: none of them is
 * loaded.
 */
int mhi_state_take(struct mhi_vcpu *v, u32 groups, const struct mhk_state *shared);
/* Have the next entry deliver an event that user space asked for (MHK_INJECT_*). MHI_EINVAL. */
int mhi_inject_user(struct mhi_vcpu *v, u32 inject, u32 error);

/* exit.c: act on one decoded exit. */
enum mhi_run mhi_exit_handle(struct mhi_vcpu *v, const struct mhi_exit *x);
/* The event to inject is one of user.debug: false, or the exit is made of it. */
bool mhi_exit_debug(struct mhi_vcpu *v);
void mhi_inject_exception(struct mhi_vcpu *v, unsigned int vector, bool has_error, u32 error);
enum mhi_run mhi_exit_to_user(struct mhi_vcpu *v, const struct mhi_exit *x, u32 reason,
			      u32 provide);
/* Finish what user space was asked for: IN, RDMSR, WRMSR. Within a section. */
void mhi_exit_complete(struct mhi_vcpu *v);

/* cpuid.c */
int mhi_cpuid_set(struct mhi_vcpu *v,
		  u32 count); /* checks and sorts v->cpuid[count]. MHI_EINVAL: duplicates */
void mhi_cpuid_emulate(struct mhi_vcpu *v, u32 leaf, u32 subleaf, u32 out[4]);

/* cr.c: guest writes of control registers; false: #GP. */
bool mhi_cr_write(struct mhi_vcpu *v, unsigned int nr, u64 value);
bool mhi_xcr0_write(struct mhi_vcpu *v, u64 value);
/* Within a section: QEMU 7.2's SVM lets XSETBV pass without the exit; believe what is there. */
void mhi_xcr0_look(struct mhi_vcpu *v);
bool mhi_xcr0_ok(const struct mhi_vm *vm, u64 value);
bool mhi_efer_write(struct mhi_vcpu *v, u64 value);
/* Do CR0, CR4 and EFER go together, on a CPU with the VM's caps? SDM 3A 2.5, 5.8.5. */
bool mhi_crs_ok(const struct mhi_vm *vm, u64 cr0, u64 cr4, u64 efer);

#endif
