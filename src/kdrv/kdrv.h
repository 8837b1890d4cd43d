/* SPDX-License-Identifier: (GPL-2.0 OR MIT) */
/*
 * The Linux side of the shim: its objects and what its files owe each other.
 *
 * Lock order: life.lock (main.c); vm->lock > vcpu->lock > vm->slots_sem > mmap_lock > vm->mmu_lock.
 * mmu_lock is a spinlock that is also taken with interrupts off inside sections (never by an
 * interrupt), so nobody waits for a section while holding it.
 */
#ifndef MHI_KDRV_H
#define MHI_KDRV_H

#include <linux/hashtable.h>
#include <linux/hrtimer.h>
#include <linux/kref.h>
#include <linux/mm.h>
#include <linux/mmu_notifier.h>
#include <linux/mutex.h>
#include <linux/rwsem.h>
#include <linux/sched.h>
#include <linux/swait.h>

#include "arch/x86/run.h"
#include "base/checked.h"
#include "mm/slots.h"

struct drv_vm;

/* The kernel's watch over one memory slot's host range. */
struct drv_watch {
	struct mmu_interval_notifier mni;
	struct drv_vm *vm;
	mh_gpa gpa;
	u64 bytes;
};

/* Legend: (c) constant after create, (m) vm->lock, (s) vm->slots_sem, (p) vm->mmu_lock. */
struct drv_vm {
	struct mhi_vm arch;			/* npt entries: (p); flush_gen: atomic */
	struct kref ref;			/* the VM's fd and each vCPU's fd */
	struct mm_struct *mm;			/* (c) grabbed; the only mm that may run this VM */
	struct mutex lock;			/* vCPU creation */
	struct rw_semaphore slots_sem;		/* slot changes against faults */
	spinlock_t mmu_lock;			/* npt, slots, doorbells */
	struct mhi_slots slots;			/* written under (s) and (p), read under either */
	struct drv_watch *watch[MHK_MAX_SLOTS]; /* (s) */
	DECLARE_HASHTABLE(doorbells, 6);	/* (p) by gpa */
	u32 doorbell_count;			/* (p) */
	int vpid_block;				/* (c) */
};

/* Where a vCPU's thread is; written by it, read by those who kick. */
enum drv_mode { DRV_OUTSIDE = 0, DRV_IN_SECTION, DRV_WAITING };

/* Legend: (c) constant after create, (l) vcpu->lock, (a) atomic. */
struct drv_vcpu {
	struct mhi_vcpu arch;	    /* (l), but for its (a) fields */
	struct drv_vm *vm;	    /* (c) counted */
	struct mutex lock;	    /* one ioctl at a time, kick apart */
	struct mhk_run *page;	    /* (c) first shared page */
	void *fpu_page;		    /* (c) second shared page */
	void *fpu;		    /* (c) the guest's XSAVE area, a page of its own */
	struct mhi_npt_pool pool;   /* (l) pages for nested tables, kept full between faults */
	struct page **gup;	    /* (l) scratch for look-ups of up to 2 MiB */
	mh_gpa ahead_gpa;	    /* (l) where the next fault would go on with the last one */
	unsigned int ahead;	    /* (l) pages that the last fault brought in */
	struct swait_queue_head wq; /* waits of HLT and WAIT_SIPI */
	int mode;		    /* (a) enum drv_mode */
	int cpu;		    /* (a) where the section runs */
	int kicked;		    /* (a) sticky until a run returns for it */
	struct hrtimer timer;
};

static inline struct drv_vcpu *to_drv(struct mhi_vcpu *v)
{
	return container_of(v, struct drv_vcpu, arch);
}

/* The kernel's copy of an ioctl's struct. */
union drv_arg {
	struct {
		u32 size, flags;
	} head; /* of all the others */
	struct mhk_info info;
	struct mhk_vm_create vm_create;
	struct mhk_mem mem;
	struct mhk_msi msi;
	struct mhk_doorbell doorbell;
	struct mhk_tsc tsc;
	struct mhk_vcpu_create vcpu_create;
	struct mhk_cpuid cpuid;
	struct mhk_get get;
	struct mhk_lapic lapic;
	struct mhk_stats stats;
};

/* A table of these ends with one that has no fn. */
struct drv_ioctl {
	unsigned int cmd; /* its size is the struct's; it says whether the struct goes out again */
	u32 flags;	  /* that user space may set */
	long (*fn)(void *object, union drv_arg *arg);
};

/* main.c */
int mhi_life_get(u32 *hw,
		 u32 *missing); /* virtualization on all CPUs, or a reason; with one reference */
void mhi_life_put(void);
bool mhi_life_stopping(void);		       /* reboot: nobody may enter a guest again */
bool mhi_life_lost(const struct mhi_cpu *cpu); /* somebody else has taken the CPU */
void mhi_life_describe(struct mhi_vm *vm);     /* the CPUs to a new VM; with a reference */
struct mhi_cpu *mhi_life_this_cpu(void);       /* preemption off */
/*
 * What all ioctls with a struct have in common: copying it in and out by the rule of uapi.h,
 * refusing unknown flags. -ENOTTY: not in the table.
 */
long mhi_ioctl(const struct drv_ioctl *table, void *object, unsigned int cmd, void __user *user);

/* vm.c */
long mhi_vm_create_fd(void *unused, union drv_arg *arg);
void mhi_vm_put(struct drv_vm *vm);

/* vcpu.c */
long mhi_vcpu_create_fd(void *vm, union drv_arg *arg);
void mhi_vcpu_free(struct drv_vcpu *vcpu);

/* mem.c */
int mhi_mem_init(struct drv_vm *vm);
void mhi_mem_fini(struct drv_vm *vm);
long mhi_mem_set(void *vm, union drv_arg *arg);
/* Make gpa present. 0; -EFAULT: the host memory is gone or does not allow the access. May sleep. */
int mhi_mem_fault(struct drv_vcpu *vcpu, mh_gpa gpa, u8 access);

/* doorbell.c */
long mhi_doorbell_set(void *vm, union drv_arg *arg);
void mhi_doorbell_fini(struct drv_vm *vm);

/* fpu.c */
int mhi_fpu_init(struct drv_vcpu *vcpu);
void mhi_fpu_load(struct drv_vcpu *vcpu); /* begins kernel FPU use: preemption off until save */
void mhi_fpu_save(struct drv_vcpu *vcpu);
int mhi_fpu_set(struct drv_vcpu *vcpu, const void *image); /* checks; -EINVAL */

/* host.c */
void mhi_host_init_vcpu(struct drv_vcpu *vcpu);
/* Interrupt every section of the VM and wait until it has ended once. Sleeps not; interrupts on. */
void mhi_host_sync_sections(struct drv_vm *vm);

#endif
