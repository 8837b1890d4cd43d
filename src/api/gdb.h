/* SPDX-License-Identifier: MIT */
/* The GDB stub of a VM: a thread with sockets (gdb.c), and the VM as the debugger sees it. */
#ifndef MHI_API_GDB_H
#define MHI_API_GDB_H

#include <pthread.h>

#include "api/impl.h"
#include "core/gdb_serve.h"

#define MHI_ATTR_L (1u << 13) /* mhk_seg.attr: 64-bit code */
#define MHI_GDB_SOFT_MAX 256
#define MHI_GDB_HARD_MAX 4

/* A software breakpoint: a byte of guest memory. */
struct mhi_gdb_soft {
	mh_gpa gpa; /* of the byte */
	u64 at;	    /* the guest-virtual address */
	u8 was, is;
};

/* What one debug register watches. */
struct mhi_gdb_hard {
	bool used;
	enum mhi_gdb_point kind;
	u64 at; /* of what gdb asked for, and its bytes */
	u32 bytes;
	u64 address; /* of this register, and its bytes */
	u32 width;
};

/* Legend: (c) constant, (t) the stub's thread, (m) vm->lock, (p) changes while vCPUs are parked. */
struct mhi_gdb_stub {
	struct mh_vm *vm; /* (c) */
	int listen, wake; /* (c) wake: an eventfd, for what follows */
	int spare;	  /* of the thread's, to do without, to turn a peer away; -1: gone */
	bool quit;	  /* (m) */
	bool confine;	  /* (m) its thread is to go into the sandbox */
	bool wait;	  /* (c) MH_GDB_WAIT */
	int port;	  /* (c) of TCP, or 0 */
	char *path;	  /* (c) of UNIX, or NULL */
	pthread_t thread; /* (c) */
	int peer;	  /* (t) -1: nobody */
	bool attached;	  /* (m) breakpoints and steps are in effect */
	bool hit;	  /* (m) a vCPU has stopped for the debugger */
	struct mhi_gdb_stop stop;		    /* (m) of hit */
	bool stepping[MHI_GDB_CPUS];		    /* (p) */
	struct mhi_gdb_soft soft[MHI_GDB_SOFT_MAX]; /* (p) */
	u32 softs;				    /* (p) */
	struct mhi_gdb_hard hard[MHI_GDB_HARD_MAX]; /* (p) */
	struct mhi_gdb serve;			    /* (t) */
};

/* gdb_vm.c; the stub's thread, or who has parked the vCPUs. */
extern const struct mhi_gdb_target mhi_gdb_vm_target;
/* Is the vCPU's debug exit the debugger's? Then *stop says what. Its own thread, in the exit. */
bool mhi_gdb_hit(struct mhi_gdb_stub *g, struct mh_vcpu *v, struct mhi_gdb_stop *stop);
/* Code at a linear address, by the guest's tables. The page has CR and RIP. */
int mhi_gdb_read_code(struct mh_vcpu *v, u64 at, u8 *buf, u32 bytes);
/* The page has RIP, SEG and CR. */
bool mhi_gdb_code64(const struct mhk_state *s);
u64 mhi_gdb_linear_rip(const struct mhk_state *s);
/* Breakpoints and steps into effect, or all of it away. Under vm->lock, vCPUs parked. */
void mhi_gdb_arm(struct mhi_gdb_stub *g, bool on);
/* A debugger has come: the guest stands still and is his. False: there is no guest that can. */
bool mhi_gdb_attach(struct mhi_gdb_stub *g);
/* He has gone; without him the guest goes on. */
void mhi_gdb_leave(struct mhi_gdb_stub *g);

/* gdb_addr.c: a listening socket for a stub's address. 0 or MH_E*. */
int mhi_gdb_open(struct mhi_gdb_stub *g, const char *address, struct mhi_err *err);

#endif
