/* SPDX-License-Identifier: MIT */
/*
 * A fake AMD CPU with one vCPU on it: VMRUN copies what it was given and plays what the test has
 * scripted.
 */
#ifndef FAKE_SVM_H
#define FAKE_SVM_H

#include "arch/x86/svm/svm.h"
#include "hv_state.h"
#include "pages.h"
#include "x86_insn.h"

#define FAKE_RAM_BYTES 0x10000u

/* CPUID 8000_000Ah EDX */
#define FAKE_SVM_NP (1u << 0)
#define FAKE_SVM_NRIPS (1u << 3)
#define FAKE_SVM_TSC_RATE (1u << 4)
#define FAKE_SVM_CLEAN (1u << 5)
#define FAKE_SVM_FLUSH_BY_ASID (1u << 6)
#define FAKE_SVM_DECODE (1u << 7)
#define FAKE_SVM_QEMU FAKE_SVM_NP
#define FAKE_SVM_FULL                                                        \
	(FAKE_SVM_NP | FAKE_SVM_NRIPS | FAKE_SVM_TSC_RATE | FAKE_SVM_CLEAN | \
	 FAKE_SVM_FLUSH_BY_ASID | FAKE_SVM_DECODE)

struct fake_svm {
	struct mhi_vm vm;
	struct mhi_cpu cpu;
	struct mhi_vcpu v;
	struct mhi_hv_caps caps;
	struct mhi_vmcb *vmcb; /* the vCPU's */

	struct mhi_vmcb at_entry; /* as the last VMRUN found it */
	unsigned int pages_before;
	unsigned int runs;
	unsigned int vmsaves;
	unsigned int machine_checks; /* handed to the host */
	/* What the guest does: fills the exit fields; NULL: exit INTR. */
	void (*guest)(struct fake_svm *f, struct mhi_vmcb *vmcb, u64 *gpr);

	u8 ram[FAKE_RAM_BYTES]; /* guest-physical 0.. */
	mh_gpa absent;		/* page that is not faulted in: MHI_EAGAIN; ~0 = none */
};

extern struct fake_svm fake_svm;

/*
 * A CPU with these bits in 8000_000Ah EDX, probed and taken, and a vCPU in the reset state within
 * a section.
 */
void fake_svm_begin(u32 svm_edx);
/* The CPU alone: CPUID and MSRs, nothing taken. */
void fake_svm_cpu(u32 svm_edx);
/* Ends the section and frees all; the test fails when pages are left. */
void fake_svm_end(void);
/* One entry that ends with this exit code and information. */
void fake_svm_exit(u64 code, u64 info1, u64 info2, struct mhi_exit *x);

#endif
