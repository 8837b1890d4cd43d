/* SPDX-License-Identifier: MIT */
/*
 * Emulation of one guest instruction that touched MMIO or a string port: libzydis decodes, this
 * acts, on a struct mhk_state and through callbacks; no VM is needed to test it. A per-vCPU cache
 * keeps decoded instructions by their bytes and mode, so that a hot MMIO instruction is decoded
 * once.
 */
#ifndef MHI_CORE_INSN_H
#define MHI_CORE_INSN_H

#include "base/types.h"
#include "macrohard/uapi.h"
#include "mm/gwalk.h"

struct mhi_insn_env {
	/* Guest-physical memory and MMIO alike; the callee tells them apart. 0 or MH_EFAULT. */
	int (*read)(void *opaque, mh_gpa gpa, void *buf, unsigned int bytes);
	int (*write)(void *opaque, mh_gpa gpa, const void *buf, unsigned int bytes);
	u32 (*in)(void *opaque, u16 port, unsigned int bytes);
	void (*out)(void *opaque, u16 port, unsigned int bytes, u32 value);
	/* Plain guest memory for page walks and instruction bytes (never MMIO). 0 or MH_EFAULT. */
	int (*fetch)(void *opaque, mh_gpa gpa, void *buf, unsigned int bytes);
	void *opaque;
	/* Memory that is read without fetch(), when there is any: makes a hot access cheap. */
	struct mhi_gwalk_window window[MHI_GWALK_WINDOWS];
};

struct mhi_insn_cache; /* one per vCPU */

struct mhi_insn_cache *mhi_insn_cache_create(void);
void mhi_insn_cache_destroy(struct mhi_insn_cache *cache);

enum mhi_insn_result {
	MHI_INSN_DONE, /* state changed: commit the groups in *dirty */
	/*
	 * Inject inject, inject_error (MHK_INJECT_*). State is as before the instruction, CR2 of a
	 * #PF and the finished iterations of a REP apart: commit the groups in dirty here, too.
	 */
	MHI_INSN_EXCEPTION,
	MHI_INSN_UNKNOWN, /* an instruction that is not emulated: *text names it */
};

struct mhi_insn_out {
	u32 dirty; /* MHK_G_* */
	u32 inject, inject_error;
	char text[96]; /* disassembly and bytes, for the error */
	/* REP with iterations left: state is consistent, run the emulator again or re-enter */
	bool again;
};

/*
 * Emulate the instruction at s->rip. The groups GPR, RIP, SEG and CR of *s must be current.
 * bytes/len: given by the CPU's decode assists, or len 0 to fetch through the guest's page tables.
 */
enum mhi_insn_result mhi_insn_emulate(struct mhi_insn_cache *cache, const struct mhi_insn_env *env,
				      struct mhk_state *s, const u8 *bytes, unsigned int len,
				      struct mhi_insn_out *out);

#endif
