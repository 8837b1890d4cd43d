/* SPDX-License-Identifier: MIT */
/*
 * The engine: one ops table over what executes guests (our shim, or KVM as oracle and fall-back).
 * The only caller of ioctls. State and exits use the shim's own structures (uapi.h); the KVM engine
 * translates.
 */
#ifndef MHI_CORE_ENGINE_H
#define MHI_CORE_ENGINE_H

#include "base/types.h"
#include "core/tsc.h"
#include "macrohard/ctx.h"
#include "macrohard/uapi.h"

/* user.inject of struct mhk_run: an exception without an error code. */
#define MHI_INJECT(vector) (MHK_INJECT_VALID | MHK_INJECT_EXCEPTION | (vector))

struct mhi_err; /* core/err.h: receives object, cause and cure */

struct mhi_engine;   /* an open device */
struct mhi_eng_vm;   /* a VM of it */
struct mhi_eng_vcpu; /* a vCPU of that */

/* What a debugger wants of a vCPU. */
struct mhi_eng_debug {
	bool on;	/* #BP, #DB, and #UD where a breakpoint is one, are looked at first */
	bool step;	/* one instruction, without interrupts */
	u64 dr[4], dr7; /* its breakpoints; dr7 without any enabled: the guest has its own */
};

struct mhi_engine_ops {
	const char *name; /* "shim", "kvm" */
	/*
	 * The local APIC's timer counts every 2^n-th tick of the guest's TSC; 0: it has info's
	 * rate, whatever the guest's TSC does.
	 */
	u32 timer_shift;

	/* Errors of all: MH_E*, with the sentence in *err. */
	int (*open)(const char *device, struct mhi_engine **out, struct mhi_err *err);
	void (*close)(struct mhi_engine *e);
	/* Facts for CPUID and the memory map: vendor, features, xcr0, cr4, tsc_khz, phys_bits. */
	const struct mhk_info *(*info)(const struct mhi_engine *e);

	int (*vm_create)(struct mhi_engine *e, struct mhi_eng_vm **out, struct mhi_err *err);
	void (*vm_destroy)(struct mhi_eng_vm *vm);
	int (*mem_set)(struct mhi_eng_vm *vm, const struct mhk_mem *mem, struct mhi_err *err);
	int (*msi)(struct mhi_eng_vm *vm, u64 addr, u32 data); /* any thread; >= 0: APICs reached */
	/*
	 * A guest's write to gpa, of any width and value, counts into the eventfd fd and ends
	 * there, or does no longer; some may come as exits all the same. NULL: all do. Any thread.
	 * MH_E*: it cannot.
	 */
	int (*doorbell)(struct mhi_eng_vm *vm, mh_gpa gpa, int fd, bool on);
	/*
	 * Read the VM's TSC, shift too; or set it, which takes no notice of shift, before a vCPU
	 * runs. MH_ENOTSUP, MH_EIO: it stays as it was.
	 */
	int (*tsc)(struct mhi_eng_vm *vm, bool set, struct mhi_tsc *tsc);

	int (*vcpu_create)(struct mhi_eng_vm *vm, u32 apic_id, struct mhi_eng_vcpu **out,
			   struct mhi_err *err);
	void (*vcpu_destroy)(struct mhi_eng_vcpu *v);
	int (*cpuid)(struct mhi_eng_vcpu *v, const struct mhk_cpuid_entry *table, u32 count,
		     struct mhi_err *err);
	struct mhk_run *(*page)(struct mhi_eng_vcpu *v); /* constant for the vCPU's life */
	void *(*fpu_image)(struct mhi_eng_vcpu *v);

	/*
	 * Run until an exit for user space: 0 and page->exit; MH_EIO, MH_EFAULT. Signals and kicks
	 * end in MHK_EXIT_NONE. Commits, provides: as uapi.h says.
	 */
	int (*run)(struct mhi_eng_vcpu *v);
	void (*kick)(struct mhi_eng_vcpu *v); /* any thread; sticky: the next run returns at once */
	/* the vCPU's thread, or while it does not run */
	int (*get)(struct mhi_eng_vcpu *v, u32 groups);
	/* It is about to go on after a pause: tell its guest. NULL: the library does. */
	void (*paused)(struct mhi_eng_vcpu *v);
	/*
	 * From the next run on; the vCPU is parked. While on, MHK_EXIT_DEBUG ends runs: its
	 * raw_info[0] is DR6, if it is #DB. 0; MH_EIO, MH_ENOTSUP.
	 */
	int (*debug)(struct mhi_eng_vcpu *v, const struct mhi_eng_debug *debug);
	/* The exception of that exit is the guest's own: it is to have it. */
	void (*debug_pass)(struct mhi_eng_vcpu *v);
	/*
	 * MHK_EXIT_INSN while debugging is a MOV DR: of the guest's own DR0-7. NULL: there are no
	 * such exits.
	 */
	void (*debug_register)(struct mhi_eng_vcpu *v, u32 nr, bool write, u64 *value);
	/* The one-byte instruction to stop 64-bit code with, or other code. */
	u8 (*break_insn)(bool code64);
	int (*lapic)(struct mhi_eng_vcpu *v, bool write, u32 offset, u32 *value, u64 *base);
	int (*stats)(struct mhi_eng_vcpu *v, struct mhk_stats *out);
};

extern const struct mhi_engine_ops mhi_engine_shim;
extern const struct mhi_engine_ops mhi_engine_kvm;

/* The names of a raw exit reason, and of a refused entry's error, of this vendor. Never NULL. */
const char *mhi_engine_exit_name(const struct mhk_info *info, u32 raw);
const char *mhi_engine_entry_error_name(const struct mhk_info *info, u32 raw, u64 raw_info);

#endif
