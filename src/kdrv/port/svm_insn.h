/* SPDX-License-Identifier: (GPL-2.0 OR MIT) */
/* SVM's instructions for the kernel build. All fault where EFER.SVME is clear. */
#ifndef MHI_PORT_SVM_INSN_H
#define MHI_PORT_SVM_INSN_H

#include "base/types.h"

/*
 * One stay in the guest (svm_entry.S): loads *gpr (MHK_RAX.. order, RAX and RSP apart), enters
 * with the VMCB at vmcb_pa, comes back with *gpr updated and the host state that
 * mhi_vmsave(host_pa) has saved. Interrupts off; a pending NMI is taken before it returns.
 */
void mhi_svm_run(u64 *gpr, mh_hpa vmcb_pa, mh_hpa host_pa);

/*
 * Saves FS, GS, TR, LDTR and the SYSCALL and SYSENTER MSRs: APM 2 15.5.2 "VMSAVE and VMLOAD
 * Instructions".
 */
static inline void mhi_vmsave(mh_hpa pa)
{
	asm volatile("vmsave %0" : : "a"(pa) : "memory");
}

#endif
