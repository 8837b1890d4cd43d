/* SPDX-License-Identifier: MIT */
/* Between the files that serve GDB's protocol. */
#ifndef MHI_CORE_GDB_PRIV_H
#define MHI_CORE_GDB_PRIV_H

#include "core/gdb_serve.h"

#define MHI_GDB_ALL MHI_GDB_CPUS

/* E packets: errno's numbers, as GDB prints them. */
enum { MHI_GDB_PERM = 1, MHI_GDB_NOENT = 2, MHI_GDB_FAULT = 14, MHI_GDB_INVAL = 22 };

/* gdb_serve.c: answers, and parts of requests. */
void mhi_gdb_begin(struct mhi_gdb *g);
void mhi_gdb_say(struct mhi_gdb *g, const char *text);
void mhi_gdb_fail(struct mhi_gdb *g, u8 error);
void mhi_gdb_put_thread(struct mhi_gdb *g, u32 cpu);
/* "-1": MHI_GDB_ALL, "0": any; false: there is no such thread. */
bool mhi_gdb_take_thread(const struct mhi_gdb *g, const char **at, u32 *cpu);
/* "ADDRESS,BYTES" */
bool mhi_gdb_take_range(const char **at, u64 *address, u64 *bytes);

/* gdb_query.c: packets that begin with q, and with Q. */
void mhi_gdb_query(struct mhi_gdb *g, const char *at);
void mhi_gdb_set(struct mhi_gdb *g, const char *at);

#endif
