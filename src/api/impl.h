/* SPDX-License-Identifier: MIT */
/*
 * The objects behind the public handles. Lock order: vm.lock, vm.mem_lock, vm.engine_lock,
 * ctx.lock, log.lock. Field tags: (c) constant after create, (m) under vm.lock, (x) under ctx.lock,
 * (v) the vCPU's thread, or whoever holds vm.lock while the vCPU is parked, (p) changes only while
 * all vCPUs are parked, (a) atomic.
 */
#ifndef MHI_API_IMPL_H
#define MHI_API_IMPL_H

#include <pthread.h>

#include "api/input.h"
#include "core/bus.h"
#include "core/count.h"
#include "core/display.h"
#include "core/engine.h"
#include "core/err.h"
#include "core/gmem.h"
#include "core/insn.h"
#include "core/kvmclock.h"
#include "core/log.h"
#include "core/loop.h"
#include "core/msr.h"
#include "core/policy.h"
#include "core/worker.h"
#include "integration/hc_timer.h"
#include "integration/hypercall.h"
#include "macrohard/macrohard.h"
#include "platform/machine.h"

#define MHI_STOP_TEXT 2048
#define MHI_NO_PAGE (~0ull)

struct thread_error; /* ctx.c */
struct mhi_sandbox;  /* sandbox.c */

struct mh_ctx {
	struct mhi_log log;		  /* (c) */
	const struct mhi_engine_ops *ops; /* (c) */
	char *device;			  /* (c) NULL: the engine's default */
	pthread_mutex_t lock;
	struct mhi_engine *engine; /* (x) open while there are VMs */
	/* (a) NULL until there is a device that needs it; a foreign one is there from the start */
	struct mhi_loop *loop;
	bool foreign;		     /* (c) the loop is the embedder's to run */
	struct mhi_workers *workers; /* (x) NULL until there is a disk */
	u32 vms;		     /* (x) */
	struct mh_vm *first_vm;	     /* (x) those that are whole */
	struct mhi_sandbox *sandbox; /* (a) NULL: it is in none; stays */
	u32 agents;		     /* (x) that have no VM */
	struct thread_error *errors; /* (x) one per thread that ever failed */
	pid_t unsaid;		     /* (x) the last thread whose error found no memory */
};

struct mh_vcpu {
	struct mh_vm *vm;	      /* (c) */
	u32 index;		      /* (c) also the APIC id */
	struct mhi_eng_vcpu *eng;     /* (p) */
	struct mhk_run *page;	      /* (p) shared with the engine */
	struct mhi_insn_env insn_env; /* (p) */
	struct mhi_insn_cache *insn;  /* (v) */
	struct mhi_msrs msrs;	      /* (v) */
	u64 mmio_page;		      /* (v) page of the access under emulation, or MHI_NO_PAGE */
	bool mmio_write;	      /* (v) its direction */
	u32 ours;	       /* (v) MHK_G_*: groups of the page that an emulation has in hand */
	struct mhk_stats past; /* vm->engine_lock: what it counted in former power cycles */
	u64 exits[MHK_EXIT_COUNT];	  /* (v) mhi_count: by reason, of all lives */
	u64 msr_log_second, msr_log_held; /* (v) rate limit of messages about unknown MSRs */
	u64 port_log_second;		  /* (v) the same of ports that rules deny */
	u64 ports_denied;		  /* (v) mhi_count */
	pthread_t thread;		  /* (m) */
	bool has_thread;		  /* (m) */
	bool held;			  /* (p) a debugger lets the others go, and not this one */
};

struct mhi_gdb_stub; /* gdb.h */

/* The engine's slot for memory of a device; those before it are mem's. */
#define MHI_SLOT_DEVICE (MHI_SLOTS_MAX - 1)

/* What other threads of the VM ask of its own one: what comes later outdoes what comes before. */
enum mhi_request { MHI_REQ_NONE, MHI_REQ_PAUSE, MHI_REQ_RESET, MHI_REQ_STOP };

/* Numbers count from 1. */
struct mhi_events {
	struct mh_event ring[64]; /* an event is at its number, modulo 64 */
	u64 last;		  /* number of the last event */
	u64 told, read;		  /* those that the callback, and the reader, have taken */
	mh_event_fn *fn;
	void *opaque;
	int fd; /* readable while read is not last; -1: nobody reads */
};

struct mh_vm {
	struct mh_ctx *ctx;		  /* (c) */
	struct mh_vm *next;		  /* (x) of the context */
	const struct mhi_engine_ops *ops; /* (c) */
	struct mhi_engine *engine;	  /* (c) */
	const struct mhk_info *info;	  /* (c) */
	struct mhk_info facts;		  /* (p) info: the engine's, with the guest's clocks */
	u32 tsc_khz;			  /* (p) as asked for; 0: the host's */
	char *name;			  /* (c) */
	u32 flags, cpus;		  /* (c) */
	struct mh_vcpu *vcpu;		  /* (c) [cpus] */
	struct mhi_machine *machine;	  /* (c) NULL: MH_VM_BARE */
	struct mh_dev *devs;		  /* (p) attached devices */
	struct mhi_display *display;	  /* (a) NULL until there is one, which stays */
	struct mhi_inputs inputs;	  /* its own lock */
	pthread_mutex_t shares_lock;	  /* protects shares; nothing is taken inside it */
	struct mh_dev *shares;		  /* those of devs that the agent can mount */
	struct mh_agent *agent;		  /* (p), written by atomics; NULL: none */
	u32 serials;			  /* (m) bit n: COM<n + 1> is the embedder's */
	u8 *ram;			  /* (c) NULL: none of ours */
	u64 ram_bytes;			  /* (c) */

	struct mhi_gmem mem;		  /* (p), and mem_lock against public readers */
	struct mhi_bus pio, mmio;	  /* (p) */
	struct mhi_boot *boot;		  /* (p) NULL: none */
	struct mhi_kvmclock clock;	  /* (p) */
	struct mhi_msr_env msr_env;	  /* (c) */
	struct mhi_policy policy;	  /* (p) */
	struct mhi_hyperv hyperv;	  /* its own lock; of use with MH_VM_HYPERV */
	struct mhi_hypercalls hypercalls; /* (p) */
	struct mhi_hc_timers hc_timers;	  /* its own lock, before engine_lock */
	pthread_rwlock_t mem_lock;
	pthread_rwlock_t
		engine_lock; /* eng, vcpu[].eng: replaced by a reset while others send interrupts */
	struct mhi_eng_vm *eng; /* (p), and engine_lock */

	u32 go; /* (a) vCPUs may execute; written under lock */
	pthread_mutex_t lock;
	pthread_cond_t cond;		    /* anything below changed */
	pthread_cond_t cond_cpu;	    /* go or quit changed */
	enum mh_vm_state state;		    /* (m) */
	enum mh_stop_reason stop_reason;    /* (m) */
	char stop_text[MHI_STOP_TEXT];	    /* (m) stable while Stopped */
	bool busy;			    /* (m) somebody is changing the state */
	bool dying;			    /* (m) mh_vm_destroy has begun */
	bool quit;			    /* (m) threads end */
	bool fresh;			    /* (m) the engine's VM has not run yet */
	bool quiet;			    /* (m) a debugger steps: the next pause is no event */
	struct mhi_gdb_stub *gdb;	    /* (m) NULL: none */
	u32 active;			    /* (m) vCPU threads that are not parked */
	u32 callers;			    /* (m) threads inside a public function */
	enum mhi_request request;	    /* (m) */
	enum mh_stop_reason request_reason; /* (m) not of MHI_REQ_PAUSE */
	char request_text[MHI_STOP_TEXT];   /* (m) */
	struct mhi_events events;	    /* (m) */
	u64 started_ns;			    /* (m) monotonic: the last start */
	u64 starts, resets;		    /* (m) */
	u32 panics;			    /* (m) bit n: enum mhi_power n was told since reset */
	pthread_t keeper;		    /* (m) the VM's own thread: requests and callbacks */
	bool has_keeper;		    /* (m) */
};

/* ---- ctx.c, ctx_loop.c ---- */

/* Where the calling thread's last error of this context goes; NULL when out of memory. */
struct mhi_err *mhi_ctx_err(struct mh_ctx *ctx);
enum mh_engine_kind mhi_ctx_engine_kind(const struct mh_ctx *ctx);
int mhi_ctx_engine_get(struct mh_ctx *ctx, struct mhi_engine **out, struct mhi_err *err);
void mhi_ctx_engine_put(struct mh_ctx *ctx);
/* The context's loop, made when it is first needed. 0; MH_ENOMEM. */
int mhi_ctx_loop(struct mh_ctx *ctx, struct mhi_loop **out, struct mhi_err *err);
/* Threads for calls that block; the loop is made too. 0; MH_ENOMEM, MH_EIO. */
int mhi_ctx_workers(struct mh_ctx *ctx, struct mhi_workers **out, struct mhi_err *err);
/* Ends both, when the context has no VM any more. */
void mhi_ctx_end_loop(struct mh_ctx *ctx);
/* Is the caller called by the context's loop? */
bool mhi_ctx_on_loop(struct mh_ctx *ctx);

/* NULL: there is none. Any thread. */
static inline struct mhi_display *mhi_vm_display(struct mh_vm *vm)
{
	/* Paired with mhi_dev_end. */
	return __atomic_load_n(&vm->display, __ATOMIC_ACQUIRE);
}

/* ---- agent.c ---- */

/* What a VM's agent has to know; under vm->lock, of a VM with or without an agent. */
enum mhi_agent_event {
	MHI_AGENT_LINE = 1,    /* something came on its serial port */
	MHI_AGENT_RENEWED = 2, /* the guest's memory of it is gone */
	MHI_AGENT_RESUMED = 4  /* the guest's clock stood still */
};
void mhi_vm_agent_event(struct mh_vm *vm, enum mhi_agent_event event);
/* Its callbacks are called for the last time. Nobody holds vm->lock. */
void mhi_vm_agent_end(struct mh_vm *vm);
/* After that, and after its device. */
void mhi_vm_agent_free(struct mh_vm *vm);

/* ---- dev.c ---- */

void mhi_vm_free_devs(struct mh_vm *vm);

/* ---- event.c: all under vm->lock ---- */

/*
 * text: of several lines the first is told. Returns the event, for what its kind tells beside that:
 * nobody sees it before the lock is let go.
 */
struct mh_event *mhi_vm_emit(struct mh_vm *vm, enum mh_event_kind kind, const char *text);
/*
 * Call back for the next event, with the lock let go meanwhile. The keeper. False: there is none,
 * and the lock was held.
 */
bool mhi_vm_tell_event(struct mh_vm *vm);
void mhi_vm_events_fini(struct mh_vm *vm);
/* Events that wait name it no more. */
void mhi_vm_forget_dev(struct mh_vm *vm, const struct mh_dev *dev);

/* ---- hypercall.c ---- */

/* 0; MH_ENOMEM. */
int mhi_vm_init_hypercalls(struct mh_vm *vm);
/* Do the hypercall that the vCPU's exit is about, if it is one of ours. The vCPU's thread. */
bool mhi_vcpu_hypercall(struct mh_vcpu *v);

/* ---- metrics.c ---- */

/* Under engine_lock: what the engine's vCPU has counted, if there is one. */
void mhi_vcpu_add_stats(const struct mh_vcpu *v, struct mhk_stats *to);
u64 mhi_monotonic_ns(void);

/* ---- vm.c ---- */

/* Any thread. */
void mhi_vm_send_msi(void *opaque, u64 addr, u32 data);

/* ---- vm_engine.c ---- */

/*
 * Make the engine's VM and vCPUs anew: power-up state, memory slots, CPUID. On error the old ones
 * stay.
 */
int mhi_vm_power_cycle(struct mh_vm *vm, struct mhi_err *err);
void mhi_vm_power_off(struct mh_vm *vm);
/* Give vCPUs that have not run yet their CPUID anew; others have it from the next power cycle. */
int mhi_vm_set_cpuid(struct mh_vm *vm, struct mhi_err *err);
/* Guest time begins at zero. 0; MH_EIO: the engine cannot, and it was asked for a frequency. */
int mhi_vm_start_clock(struct mh_vm *vm, struct mhi_err *err);
/* The vCPUs, parked, are about to go on after a pause: their guest may learn of it. */
void mhi_vm_clock_paused(struct mh_vm *vm);

/* ---- vm_mem.c, vm_boot.c: under vm->lock, or busy; not running ---- */

int mhi_vm_map(struct mh_vm *vm, const struct mhi_slot *slot);
/* A mapping that is there. */
int mhi_vm_unmap(struct mh_vm *vm, u64 gpa);
/* Is this the firmware's memory? */
bool mhi_vm_is_rom(const struct mh_vm *vm, const struct mhi_slot *slot);

/* ---- vm_life.c ---- */

/* Enter a public function: returns with vm->lock held and no transition going on. */
void mhi_vm_enter(struct mh_vm *vm);
void mhi_vm_leave(struct mh_vm *vm);
/* mhi_vm_enter for [setup] functions: 0, or MH_ESTATE with the error set and the VM left. */
int mhi_vm_enter_setup(struct mh_vm *vm, const char *what);
/*
 * Let go of vm->lock for a while, with the VM kept as it is: others that enter wait, and see its
 * state meanwhile.
 */
void mhi_vm_begin_work(struct mh_vm *vm);
void mhi_vm_end_work(struct mh_vm *vm);
/* The vCPU whose thread calls, or NULL. Under vm->lock. */
struct mh_vcpu *mhi_vm_self(struct mh_vm *vm);
/*
 * Is the caller a handler or a device's callback? A transition waits for those threads: they must
 * not wait for one. Under vm->lock.
 */
bool mhi_vm_inside(struct mh_vm *vm);
/*
 * Ask for a transition, from any thread of the VM. A stop outdoes a reset, and that a pause; else
 * the first request counts.
 */
void mhi_vm_request(struct mh_vm *vm, enum mhi_request what, enum mh_stop_reason reason,
		    const char *text);
/* Under vm->lock, with a request and nobody busy: do what was asked. */
void mhi_vm_serve_request(struct mh_vm *vm);
/*
 * mh_vm_resume for a debugger: with those vCPUs that are not held. Under vm->lock, Paused. step:
 * neither that nor the pause that follows is an event.
 */
void mhi_vm_debug_resume(struct mh_vm *vm, bool step);
/* Stop the VM and join its threads; false when one of them is the caller: nothing is done then. */
bool mhi_vm_end_threads(struct mh_vm *vm);

static inline bool mhi_vm_go(struct mh_vm *vm)
{
	/* Paired with the store in vm_life.c, which a kick follows. */
	return __atomic_load_n(&vm->go, __ATOMIC_ACQUIRE) != 0;
}

/* ---- vm_threads.c ---- */

/*
 * Under vm->lock: the new threads begin by waiting for it. They live until the VM is destroyed.
 * What exists already stays. 0 or MH_ENOMEM.
 */
int mhi_vm_start_threads(struct mh_vm *vm);
void mhi_vm_join_threads(struct mh_vm *vm);

/* ---- vcpu_run.c, vcpu_mmio.c, report.c, vcpu.c ---- */

/* Execute until vm->go is false. */
void mhi_vcpu_run(struct mh_vcpu *v);
/*
 * Emulate the instruction at RIP; bytes/len as in mhi_insn_emulate. The page has GPR, RIP, SEG
 * and CR.
 */
void mhi_vcpu_emulate(struct mh_vcpu *v, const u8 *bytes, unsigned int len);
/* Carry out an access that the engine has decoded (MHK_MMIO_DECODED). */
void mhi_vcpu_mmio(struct mh_vcpu *v);
/* vcpu_pio.c: bytes is 1, 2 or 4. */
u32 mhi_vcpu_in(struct mh_vcpu *v, u16 port, unsigned int bytes);
void mhi_vcpu_out(struct mh_vcpu *v, u16 port, unsigned int bytes, u32 value);
void mhi_vcpu_init_env(struct mh_vcpu *v);
/* After memory was mapped or unmapped: what emulation reads directly. */
void mhi_vm_set_windows(struct mh_vm *vm);
/* Stop the VM for an error that cannot be continued: "vCPU n: <fmt>", then the registers. */
void mhi_vcpu_fail(struct mh_vcpu *v, enum mh_stop_reason reason, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
/* Bring groups of state to the page; what is on it uncommitted stays. */
int mhi_vcpu_fetch(struct mh_vcpu *v, u32 groups);
/*
 * Put groups of *s into effect. The engine checks them now: a run that ends before it begins takes
 * them. On error the vCPU is as before.
 */
int mhi_vcpu_commit(struct mh_vcpu *v, u32 groups, const struct mhk_state *s);
/* An instruction has been emulated under RFLAGS.TF. */
void mhi_vcpu_single_step(struct mh_vcpu *v);
/* The boot CPU's state at the entry point of a kernel; with firmware it is that of a reset. */
void mhi_vcpu_set_entry(struct mh_vcpu *v, const struct mhi_entry *entry);

/* ---- gdb.c, vcpu_debug.c ---- */

/* The VM's state has changed. Under vm->lock. */
void mhi_gdb_wake(struct mh_vm *vm);
/* Is the VM to wait for a debugger when it starts? Under vm->lock. */
bool mhi_gdb_waits(const struct mh_vm *vm);
/* The engine has made the vCPUs anew. */
void mhi_gdb_renew(struct mh_vm *vm);
/* End the stub, if there is one. The caller is no thread that it waits for. */
void mhi_gdb_end(struct mh_vm *vm);
/* The stub's thread, if there is one, into the context's sandbox. */
void mhi_gdb_confine(struct mh_vm *vm);
void mhi_vcpu_on_debug(struct mh_vcpu *v);
/* The instruction at RIP, while debugging. False: it is no MOV DR. */
bool mhi_vcpu_mov_dr(struct mh_vcpu *v);

#endif
