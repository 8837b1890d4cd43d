/* SPDX-License-Identifier: MIT */
/* A fake engine in the shim's place: exits come from a script, objects and calls are counted. */
#ifndef FAKE_ENGINE_H
#define FAKE_ENGINE_H

#include <pthread.h>

#include "core/engine.h"

struct mhi_eng_vcpu {
	struct mhi_eng_vm *vm;
	u32 apic_id;
	struct mhk_run page;
	struct mhk_cpuid_entry cpuid[MHK_MAX_CPUID];
	u32 cpuids;
	u32 step;	 /* the script's own: counts its calls since power-up */
	bool kicked;	 /* under fake_engine.lock */
	u32 commits;	 /* all groups ever committed */
	u32 gets;	 /* all groups ever fetched */
	u32 injected;	 /* the last event */
	u32 reply_flags; /* as they were at the last run */
	u64 reply;
	u8 fpu[MHK_FPU_BYTES];
	struct mhi_eng_debug debug;
	u32 passed; /* debug exits that were the guest's own */
};

/*
 * What a vCPU does when it runs: fill page->exit and return 0, or return an error. Called without
 * locks; fake_wait_kick is HLT.
 */
typedef int fake_script(struct mhi_eng_vcpu *v, struct mhk_run *page);

/* What the test sets, and what it may look at. fake_engine_reset gives the defaults. */
extern struct fake_engine {
	pthread_mutex_t lock;
	pthread_cond_t kick;
	struct mhk_info info;
	fake_script *script; /* NULL: HLT */
	int open_error, vm_error, mem_error, vcpu_error;
	bool refuse_state;
	u64 lapic_base;
	u32 lapic_value, lapic_offset;
	struct mhi_tsc tsc; /* of the VM; shift is the engine's, and the test's */
	int tsc_error;	    /* what setting it fails with */
	/* counters */
	u32 engines, vms, vcpus; /* alive */
	u32 vms_made, slots, msis;
	u64 msi_addr;
	struct mhi_eng_vcpu *vcpu[MHK_MAX_VCPUS]; /* the last one made, by APIC id */
} fake_engine;

void fake_engine_reset(void);
/* Sleep until the vCPU is kicked. */
void fake_wait_kick(struct mhi_eng_vcpu *v);
/* Exits, for scripts. Each returns 0. */
int fake_exit(struct mhk_run *page, u32 reason);
int fake_exit_out(struct mhk_run *page, u16 port, u8 width, u32 data);
int fake_exit_in(struct mhk_run *page, u16 port, u8 width);
int fake_exit_halt(struct mhi_eng_vcpu *v, struct mhk_run *page);

#endif
