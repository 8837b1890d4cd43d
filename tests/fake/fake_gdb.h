/* SPDX-License-Identifier: MIT */
/* A guest that stands still for GDB: registers and a little memory, and what was asked of it. */
#ifndef FAKE_GDB_H
#define FAKE_GDB_H

#include "core/gdb_serve.h"

#define FAKE_GDB_MEMORY 0x1000u /* at 0x10000, physical at 0 */
#define FAKE_GDB_CPUS 3u

struct fake_gdb {
	struct mhk_state state[FAKE_GDB_CPUS];
	u8 fpu[FAKE_GDB_CPUS][MHK_FPU_BYTES];
	u8 memory[FAKE_GDB_MEMORY];
	u8 action[FAKE_GDB_CPUS];
	u32 resumes, stops, detaches, kills, sets, points, last_groups, last_cpu;
	bool refuse;
};

extern const struct mhi_gdb_target fake_gdb_target;

#endif
