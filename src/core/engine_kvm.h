/* SPDX-License-Identifier: MIT */
/*
 * Between the files of the KVM engine: its objects, and the translation of vCPU state. KVM decodes
 * MMIO, serves the local APIC, HLT, CPUID and most MSRs itself; what it hands to user space becomes
 * the exits of uapi.h.
 */
#ifndef MHI_CORE_ENGINE_KVM_H
#define MHI_CORE_ENGINE_KVM_H

#include "core/engine.h"

#include <linux/kvm.h>
#include <pthread.h>
#include <signal.h>

/* Pins of the I/O APIC in user space whose EOIs KVM tells of. */
#define KVM_IOAPIC_PINS 24

struct mhi_engine {
	int fd;			  /* (c) */
	size_t run_bytes;	  /* (c) of the area that KVM shares for each vCPU */
	bool hypercalls;	  /* (c) KVM can hand hypercalls to us */
	struct mhk_info info;	  /* (c) */
	struct kvm_cpuid2 *cpuid; /* (c) what KVM can offer */
};

/* Lock order: a VM's lock, then a vCPU's. */
struct mhi_eng_vm {
	struct mhi_engine *e;			  /* (c) */
	int fd;					  /* (c) */
	pthread_mutex_t lock;			  /* protects what is tagged (m) */
	struct mhi_tsc tsc;			  /* (m) */
	struct mhi_eng_vcpu *vcpu[MHK_MAX_VCPUS]; /* (m) by APIC id */
	struct {
		u64 addr;
		u32 data;
	} level[KVM_IOAPIC_PINS]; /* (m) level-triggered messages that KVM knows; addr 0: none */
	u32 level_next;		  /* (m) the one to replace */
};

/* What the next KVM_RUN completes, and what user space has to answer for it. */
enum kvm_pending { PEND_NONE, PEND_DONE, PEND_PIO, PEND_MMIO_READ, PEND_RDMSR, PEND_WRMSR };

/* Legend: (v) only the thread that runs the vCPU. */
struct mhi_eng_vcpu {
	struct mhi_eng_vm *vm;	  /* (c) */
	int fd;			  /* (c) */
	u32 apic_id;		  /* (c) */
	struct kvm_run *run;	  /* (c) shared with KVM */
	struct mhk_run *page;	  /* (c) shared with the library, MHK_RUN_BYTES */
	enum kvm_pending pending; /* (v) */
	u32 pio_done;		  /* (v) elements of a string PIO already given out */
	bool mask_known;	  /* (v) */
	sigset_t mask;		  /* (v) signals blocked while the guest runs, as KVM was told */
	pthread_mutex_t lock;	  /* protects what is tagged (m) */
	pthread_t thread;	  /* (m) the thread in KVM_RUN */
	bool running;		  /* (m) thread is valid, and must be signalled to come out */
	bool signalled;		  /* (m) the signal was sent to it */
	bool kicked;		  /* (m) the next run returns at once */
};

/* The exit, cleared, with no raw reason. */
struct mhk_exit *mhi_kvm_exit(struct mhi_eng_vcpu *v, u32 reason);

/* engine_kvm_state.c: between page->state and KVM. 0; MH_EINVAL values KVM refuses, MH_EIO. */
int mhi_kvm_state_set(struct mhi_eng_vcpu *v, u32 groups);
int mhi_kvm_state_get(struct mhi_eng_vcpu *v, u32 groups);
int mhi_kvm_inject(struct mhi_eng_vcpu *v, u32 inject, u32 error);

/* engine_kvm_vcpu.c */
int mhi_kvm_get(struct mhi_eng_vcpu *v, u32 groups);
int mhi_kvm_vcpu_create(struct mhi_eng_vm *vm, u32 apic_id, struct mhi_eng_vcpu **out,
			struct mhi_err *err);
void mhi_kvm_vcpu_destroy(struct mhi_eng_vcpu *v);
int mhi_kvm_run(struct mhi_eng_vcpu *v);
void mhi_kvm_kick(struct mhi_eng_vcpu *v);
int mhi_kvm_debug(struct mhi_eng_vcpu *v, const struct mhi_eng_debug *want);
void mhi_kvm_debug_pass(struct mhi_eng_vcpu *v);
u8 mhi_kvm_break_insn(bool code64);

/* engine_kvm_exit.c: from kvm_run to page->exit; *provide: the groups its handler needs. */
void mhi_kvm_exit_decode(struct mhi_eng_vcpu *v, u32 *provide);
/* Answer the pending access from page->user. True: there is another element of a string PIO. */
bool mhi_kvm_exit_answer(struct mhi_eng_vcpu *v);

/* engine_kvm.c: apply the VM's offset to one vCPU. 0, MH_ENOTSUP. */
int mhi_kvm_tsc_apply(struct mhi_eng_vcpu *v, const struct mhi_tsc *tsc);
int mhi_kvm_error(struct mhi_err *err, const char *what, int error);

#endif
