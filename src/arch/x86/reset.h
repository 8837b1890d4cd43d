/* SPDX-License-Identifier: (GPL-2.0 OR MIT) */
/*
 * The state of a CPU after RESET and after INIT: SDM 3A 10.1.1 "Processor State After Reset". Pure.
 */
#ifndef MHI_ARCH_RESET_H
#define MHI_ARCH_RESET_H

#include "base/types.h"
#include "macrohard/uapi.h"

/* All of *s but mp_state, which is WAIT_SIPI unless the CPU is the boot processor. */
void mhi_reset_state(struct mhk_state *s, bool boot_processor);
/*
 * Where a started application processor begins: SDM 3A 9.4.4.2 "Typical AP Initialization
 * Sequence".
 */
void mhi_sipi_state(struct mhk_state *s, u32 vector);

#endif
