/* SPDX-License-Identifier: MIT */
/* Between the files of the engine over our own module. */
#ifndef MHI_CORE_ENGINE_SHIM_H
#define MHI_CORE_ENGINE_SHIM_H

#include "core/engine.h"

/* What a debugger has made of a vCPU. All is of the thread that runs the vCPU. */
struct mhi_shim_debug {
	struct mhi_eng_debug want;
	bool on;
	bool trap;   /* RFLAGS.TF is ours */
	bool stray;  /* a step was given up: the guest may have our TF on a stack */
	bool passed; /* the event to inject is the guest's own */
	u64 dr[8];   /* the guest's debug registers, as it sees them */
};

struct mhi_eng_vcpu {
	int fd;		      /* (c) */
	struct mhk_run *page; /* (c) shared with the kernel, MHK_RUN_BYTES */
	struct mhi_shim_debug debug;
};

/* engine_shim.c */
int mhi_shim_get(struct mhi_eng_vcpu *v, u32 groups);

/* engine_shim_debug.c: the ops */
int mhi_shim_debug(struct mhi_eng_vcpu *v, const struct mhi_eng_debug *want);
void mhi_shim_debug_pass(struct mhi_eng_vcpu *v);
void mhi_shim_debug_register(struct mhi_eng_vcpu *v, u32 nr, bool write, u64 *value);
u8 mhi_shim_break_insn(bool code64);
/* Around a run. True: there is an exit already. */
bool mhi_shim_debug_before(struct mhi_eng_vcpu *v);
void mhi_shim_debug_after(struct mhi_eng_vcpu *v);

#endif
