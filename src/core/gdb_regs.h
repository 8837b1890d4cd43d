/* SPDX-License-Identifier: MIT */
/* The registers of a vCPU as GDB sees them: their description, and their bytes. Pure. */
#ifndef MHI_CORE_GDB_REGS_H
#define MHI_CORE_GDB_REGS_H

#include "base/types.h"
#include "macrohard/uapi.h"

/* The target description, GDB manual appendix G "Target Descriptions". */
extern const char mhi_gdb_target_xml[];

#define MHI_GDB_REGS 66u
#define MHI_GDB_REG_MAX 16u /* bytes of the widest */

/* Bytes of a register; 0: there is none of that number. */
u32 mhi_gdb_reg_bytes(u32 nr);
/* The group of state that it is in. */
u32 mhi_gdb_reg_group(u32 nr);
/* Out of the state and the XSAVE image, and into them. */
void mhi_gdb_reg_get(u32 nr, const struct mhk_state *s, const u8 *fpu, u8 *bytes);
void mhi_gdb_reg_set(u32 nr, struct mhk_state *s, u8 *fpu, const u8 *bytes);

#endif
