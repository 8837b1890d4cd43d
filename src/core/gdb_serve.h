/* SPDX-License-Identifier: MIT */
/*
 * GDB's remote serial protocol: what packets ask, and the answers. It knows no VM and no socket:
 * both are the caller's. GDB manual, appendix E "GDB Remote Serial Protocol". Not thread-safe.
 */
#ifndef MHI_CORE_GDB_SERVE_H
#define MHI_CORE_GDB_SERVE_H

#include "core/gdb_regs.h"
#include "core/gdb_rsp.h"

#define MHI_GDB_CPUS MHK_MAX_VCPUS

/* What a vCPU does when the guest goes on. */
enum mhi_gdb_action { MHI_GDB_HOLD, MHI_GDB_GO, MHI_GDB_STEP };

/* The numbers of Z packets. */
enum mhi_gdb_point {
	MHI_GDB_SOFT,
	MHI_GDB_HARD,
	MHI_GDB_WRITE,
	MHI_GDB_READ,
	MHI_GDB_ACCESS,
	MHI_GDB_POINTS
};

/* Why the guest stands still. */
struct mhi_gdb_stop {
	u32 cpu;
	enum { MHI_GDB_BREAK, MHI_GDB_TRAP, MHI_GDB_POINT } why; /* asked to, stepped, hit one */
	enum mhi_gdb_point point;				 /* of MHI_GDB_POINT */
	u64 address;						 /* that is watched */
};

/* The guest, which stands still for all but stop. */
struct mhi_gdb_target {
	/*
	 * The groups that are named: 0, or negative. fpu [MHK_FPU_BYTES] is a copy of the image;
	 * only with MHK_G_FPU, else it may be NULL.
	 */
	int (*get)(void *opaque, u32 cpu, u32 groups, struct mhk_state *s, u8 *fpu);
	int (*set)(void *opaque, u32 cpu, u32 groups, const struct mhk_state *s, const u8 *fpu);
	/* Guest-virtual memory by the vCPU's tables, or guest-physical. 0: all, or none of it. */
	int (*read)(void *opaque, u32 cpu, bool physical, u64 at, void *buf, u32 bytes);
	int (*write)(void *opaque, u32 cpu, bool physical, u64 at, const void *buf, u32 bytes);
	int (*point)(void *opaque, u32 cpu, bool insert, enum mhi_gdb_point kind, u64 at,
		     u32 bytes);
	void (*resume)(void *opaque, const u8 *action); /* [cpus] enum mhi_gdb_action */
	void (*stop)(void *opaque);			/* mhi_gdb_stopped follows */
	void (*detach)(void *opaque);			/* no points, and the guest goes on */
	void (*kill)(void *opaque);
};

struct mhi_gdb {
	const struct mhi_gdb_target *target; /* (c) */
	void *opaque;			     /* (c) */
	u32 cpus;			     /* (c) */
	struct mhi_rsp_in in;
	struct mhi_rsp_out out;
	u32 sent;	       /* of out, by who sends it */
	u32 cpu, continue_cpu; /* of Hg; of Hc, MHI_GDB_CPUS: all */
	bool ack, swbreak, physical;
	bool running; /* it waits for a stop */
	bool reply;   /* there is one in out */
	bool over;    /* to be disconnected when out is sent */
	struct mhi_gdb_stop last;
	u8 action[MHI_GDB_CPUS];
};

/* A peer has come; the guest stands still. */
void mhi_gdb_init(struct mhi_gdb *g, const struct mhi_gdb_target *target, void *opaque, u32 cpus);
/*
 * Takes bytes while there is nothing to be sent; returns how many it took. What is to be sent is in
 * mhi_gdb_pending.
 */
size_t mhi_gdb_feed(struct mhi_gdb *g, const u8 *bytes, size_t count);
/* The guest has come to a stop that was waited for. */
void mhi_gdb_stopped(struct mhi_gdb *g, const struct mhi_gdb_stop *stop);
/* There is no guest any more. */
void mhi_gdb_ended(struct mhi_gdb *g);
/* Bytes to be sent, 0: none; mhi_gdb_sent takes them away. */
size_t mhi_gdb_pending(const struct mhi_gdb *g, const u8 **bytes);
void mhi_gdb_sent(struct mhi_gdb *g, size_t count);

#endif
