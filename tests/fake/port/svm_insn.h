/* SPDX-License-Identifier: MIT */
/* Fake of the port header of SVM's instructions; the behaviour is in fake_svm.c. */
#ifndef MHI_PORT_SVM_INSN_H
#define MHI_PORT_SVM_INSN_H

#include "base/types.h"

void mhi_svm_run(u64 *gpr, mh_hpa vmcb_pa, mh_hpa host_pa);
void mhi_vmsave(mh_hpa pa);

#endif
