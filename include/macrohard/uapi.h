/* SPDX-License-Identifier: ((GPL-2.0 WITH Linux-syscall-note) OR MIT) */
/*
 * The kernel ABI of /dev/macrohard: ioctls, the page shared with each vCPU, exits and state.
 *
 * Self-contained C99, used by the kernel module and by the library alike. Three kinds of fd:
 * the device (MHK_INFO, MHK_VM_CREATE), a VM and a vCPU. A VM lives as long as its fd or one of
 * its vCPUs' fds is open; nothing outlives them. Only the process that created a VM (its mm) can
 * run it.
 *
 * Every ioctl takes a struct that starts with { size, flags }: size is the caller's sizeof. A
 * shorter struct is zero-extended; a longer one is accepted when the unknown tail is zero (else
 * -E2BIG). Unknown flags are -EINVAL. A process that does not own the VM gets -EPERM, but for KICK
 * and MSI. Structs grow only at their end; zero means the old behaviour.
 */
#ifndef MACROHARD_UAPI_H
#define MACROHARD_UAPI_H

#include <linux/ioctl.h>
#include <linux/types.h>

#define MHK_DEVICE "/dev/macrohard"
#define MHK_ABI_VERSION 3
#define MHK_MAX_VCPUS 64
#define MHK_MAX_SLOTS 64
#define MHK_MAX_CPUID 128
#define MHK_MAX_DOORBELLS 4096

/*
 * A field of the shared page that user space may rewrite at any moment. Kernel builds define
 * MHK_SHARED as a wrapper struct, so that a plain read does not compile: see src/base/once.h.
 */
#ifndef MHK_SHARED
#define MHK_SHARED(type) type
#endif

/* ---- why virtualization is (not) available: mhk_info.hw, mhk_vm_create.hw ---- */

enum mhk_hw {
	MHK_HW_OK = 0,
	MHK_HW_NO_CPU,	 /* CPUID has neither VMX nor SVM */
	MHK_HW_FIRMWARE, /* IA32_FEATURE_CONTROL or VM_CR locks it out */
	/* CR4.VMXE or EFER.SVME is set by somebody else (KVM, another hypervisor) */
	MHK_HW_BUSY,
	MHK_HW_MISSING, /* a required feature is absent: mhk_info.missing says which */
	/* VMXON or a like instruction failed: mhk_info.missing is its error number */
	MHK_HW_FAILED,
};

enum mhk_vendor { MHK_VENDOR_NONE = 0, MHK_VENDOR_VMX = 1, MHK_VENDOR_SVM = 2 };

/* mhk_info.features, and the numbers (not masks) named by mhk_info.missing. */
enum mhk_feature {
	MHK_F_NESTED_PAGING = 0, /* EPT or NPT: required */
	MHK_F_TLB_TAG,		 /* VPID; ASIDs on SVM */
	MHK_F_UNRESTRICTED,	 /* real mode and unpaged guests (always on SVM) */
	MHK_F_NEXT_RIP,		 /* SVM NRIP save (always on VMX) */
	MHK_F_DECODE,		 /* SVM decode assists */
	MHK_F_PAGE_2M,
	MHK_F_PAGE_1G,
	MHK_F_ACCESSED_DIRTY,
	MHK_F_EXEC_CONTROLS,  /* VMX: the needed execution controls */
	MHK_F_ENTRY_CONTROLS, /* VMX: the needed entry controls */
	MHK_F_EXIT_CONTROLS,  /* VMX: the needed exit controls */
	MHK_F_EPT_WRITEBACK,  /* VMX: write-back EPT paging structures, 4-level walk */
	MHK_F_FLUSH_BY_ASID,
	MHK_F_CLEAN_BITS,
	MHK_F_TSC_SCALING,
	MHK_F_XSAVE,
	MHK_F_COUNT
};

struct mhk_info {
	__u32 size;
	__u32 flags;	 /* must be 0 */
	__u32 abi;	 /* out: MHK_ABI_VERSION */
	__u32 vendor;	 /* out: enum mhk_vendor, from CPUID, whatever hw says */
	__u32 hw;	 /* out: enum mhk_hw, as found now */
	__u32 missing;	 /* out: see enum mhk_hw */
	__u64 features;	 /* out: bit n = enum mhk_feature n */
	__u64 xcr0;	 /* out: XCR0 bits a guest may set */
	__u64 cr4;	 /* out: CR4 bits a guest may set */
	__u32 tsc_khz;	 /* out: the host's TSC frequency */
	__u32 phys_bits; /* out: guest-physical address width that nested paging serves */
	__u32 asids;	 /* out: SVM: number of ASIDs; VMX: 0 */
	__u32 vms;	 /* out: VMs alive on this host */
	__u32 timer_khz; /* out: count rate of a local APIC's timer before its divider */
	__u32 barriers;	 /* out: MHK_BARRIER_* */
};

/* Commands against speculation that sections of guest execution begin with on this host. */
#define MHK_BARRIER_IBPB (1u << 0) /* when another vCPU ran before: no branch predictions of its */
#define MHK_BARRIER_L1D (1u << 1)  /* L1TF: no data of the host's in the L1 cache */

struct mhk_vm_create {
	__u32 size;
	__u32 flags;   /* must be 0 */
	__u32 hw;      /* out, on failure too: enum mhk_hw */
	__u32 missing; /* out, on failure too */
};

/* ---- VM ---- */

#define MHK_MEM_READONLY (1u << 0) /* guest writes become MHK_EXIT_MMIO */
#define MHK_MEM_CLEAR (1u << 1)	   /* remove the slot; gpa, bytes and hva are ignored */

struct mhk_mem {
	__u32 size;
	__u32 flags; /* MHK_MEM_* */
	__u32 slot;  /* 0 .. MHK_MAX_SLOTS - 1 */
	__u32 pad;   /* must be 0 */
	__u64 gpa;   /* page-aligned */
	__u64 bytes; /* page multiple, not 0 */
	__u64 hva;   /* page-aligned user address */
};

struct mhk_msi {
	__u32 size;
	__u32 flags; /* must be 0 */
	__u64 addr;  /* 0xFEExxxxx, SDM 3A 11.11 "Message Signalled Interrupts" */
	__u32 data;
	__u32 delivered; /* out: number of local APICs that took it */
};

#define MHK_DOORBELL_CLEAR (1u << 0) /* take away the one of this gpa and eventfd, or -ENOENT */

/*
 * A guest's write to exactly gpa, where no memory is, of any width and value, counts into the
 * eventfd and ends there. Best effort: instructions other than a plain MOV in 64-bit code come as
 * MHK_EXIT_MMIO, and so may any other; user space then does the same. -EBADF, -EINVAL: fd is no
 * eventfd; -EEXIST: gpa has a doorbell; -ENOSPC: there are MHK_MAX_DOORBELLS.
 */
struct mhk_doorbell {
	__u32 size;
	__u32 flags; /* MHK_DOORBELL_* */
	__u64 gpa;
	__s32 fd;  /* kept open as long as the doorbell is there */
	__u32 pad; /* must be 0 */
};

#define MHK_TSC_SET (1u << 0) /* set offset and ratio; otherwise only read */
#define MHK_TSC_RATIO_MAX 255 /* of ratio >> shift: what both vendors' CPUs can */

/*
 * Guest TSC = (host TSC * ratio >> shift) + offset, for all vCPUs of the VM, each from its next
 * entry after a return to user space on; deadlines that are armed already stay with the host's
 * time. -EINVAL: ratio.
 */
struct mhk_tsc {
	__u32 size;
	__u32 flags;  /* MHK_TSC_* */
	__u64 offset; /* in/out */
	__u64 ratio;  /* in/out; 0: the host's rate */
	__u32 shift;  /* out; 0: the CPU cannot scale (MHK_F_TSC_SCALING), ratio must be 0 */
	__u32 pad;    /* must be 0 */
};

struct mhk_vcpu_create {
	__u32 size;
	__u32 flags;   /* must be 0 */
	__u32 apic_id; /* 0 .. MHK_MAX_VCPUS - 1, unique in the VM; 0 is the BSP */
	__u32 pad;     /* must be 0 */
};

/* ---- vCPU state ---- */

/* Groups of struct mhk_state: bits of mhk_run.user.commit/wanted and mhk_run.valid. */
#define MHK_G_GPR (1u << 0)  /* gpr[] */
#define MHK_G_RIP (1u << 1)  /* rip, rflags */
#define MHK_G_SEG (1u << 2)  /* seg[], gdt, idt */
#define MHK_G_CR (1u << 3)   /* cr0 cr2 cr3 cr4 cr8 efer xcr0 */
#define MHK_G_DR (1u << 4)   /* dr[], dr6, dr7 */
#define MHK_G_MSR (1u << 5)  /* star .. tsc_aux */
#define MHK_G_MISC (1u << 6) /* mp_state, shadows */
#define MHK_G_FPU (1u << 7)  /* the XSAVE image in the second page of the mapping */
#define MHK_G_ALL 0xffu
/*
 * In mhk_run.valid only: what of SEG the emulation of an instruction needs. Of 64-bit code that is
 * CS, SS, FS and GS; of other code all of SEG.
 */
#define MHK_G_CODE (1u << 8)

/* In the order in which instructions encode them. */
enum { MHK_RAX, MHK_RCX, MHK_RDX, MHK_RBX, MHK_RSP, MHK_RBP, MHK_RSI, MHK_RDI };
enum { MHK_R8 = 8, MHK_R9, MHK_R10, MHK_R11, MHK_R12, MHK_R13, MHK_R14, MHK_R15, MHK_GPRS };
enum { MHK_ES, MHK_CS, MHK_SS, MHK_DS, MHK_FS, MHK_GS, MHK_LDTR, MHK_TR, MHK_SEGS };

/*
 * attr is the access-rights format of SDM 3C 25.4.1 "Guest Register State": type 3:0, S 4, DPL 6:5,
 * P 7, AVL 12, L 13, D/B 14, G 15, unusable 16.
 */
#define MHK_SEG_UNUSABLE (1u << 16)

struct mhk_seg {
	__u64 base;
	__u32 limit; /* in bytes, expanded by G */
	__u32 attr;
	__u16 sel;
	__u16 pad[3];
};

struct mhk_dtable {
	__u64 base;
	__u16 limit;
	__u16 pad[3];
};

enum mhk_mp { MHK_MP_RUNNABLE = 0, MHK_MP_WAIT_SIPI = 1, MHK_MP_HALTED = 2 };

#define MHK_SHADOW_STI (1u << 0) /* interrupts blocked for one instruction by STI or MOV SS */
#define MHK_SHADOW_NMI (1u << 1) /* NMIs blocked until IRET */

struct mhk_state {
	__u64 gpr[MHK_GPRS];
	__u64 rip, rflags;
	struct mhk_seg seg[MHK_SEGS];
	struct mhk_dtable gdt, idt;
	__u64 cr0, cr2, cr3, cr4, cr8, efer, xcr0;
	__u64 dr[4], dr6, dr7;
	__u64 star, lstar, cstar, sfmask, kernel_gs_base;
	__u64 sysenter_cs, sysenter_esp, sysenter_eip, pat, tsc_aux;
	__u32 mp_state; /* enum mhk_mp */
	__u32 shadow;	/* MHK_SHADOW_* */
};

/* ---- exits ---- */

enum mhk_exit_reason {
	MHK_EXIT_NONE = 0, /* kicked or immediate_exit: nothing happened */
	MHK_EXIT_IO,	   /* IN/OUT; for IN put the value into user.reply; INS/OUTS: emulate */
	MHK_EXIT_MMIO,	   /* access outside memory (or a write to read-only memory): emulate */
	MHK_EXIT_RDMSR,	   /* reply with user.reply, or MHK_REPLY_GP */
	MHK_EXIT_WRMSR,	   /* accept, or MHK_REPLY_GP */
	/* VMCALL/VMMCALL at any CPL; RIP is already behind it; commit GPR to answer */
	MHK_EXIT_HYPERCALL,
	MHK_EXIT_SHUTDOWN,  /* triple fault */
	MHK_EXIT_EOI,	    /* EOI of a level-triggered vector */
	MHK_EXIT_MEM_FAULT, /* a memory slot's host memory is gone or does not allow the access */
	MHK_EXIT_ENTRY_FAILED, /* the CPU refused the guest's state: raw = its error number */
	MHK_EXIT_UNHANDLED,    /* raw exit reason nobody handles */
	/*
	 * Emulate the instruction at RIP (INS/OUTS apart); why: raw. MOV DR, while user.debug is
	 * set.
	 */
	MHK_EXIT_INSN,
	/* an exception of user.debug: the guest has not got it; inject it, or swallow it */
	MHK_EXIT_DEBUG,
	MHK_EXIT_COUNT
};

#define MHK_IO_IN (1u << 0)	/* direction: IN; else OUT */
#define MHK_IO_STRING (1u << 1) /* INS/OUTS: RIP still at the instruction, nothing done yet */
#define MHK_IO_REP (1u << 2)

#define MHK_MMIO_WRITE (1u << 0)
#define MHK_MMIO_FETCH (1u << 1)
/*
 * An engine other than ours (KVM) has decoded the access: nothing is to be emulated, no state is
 * provided. insn_len is the number of bytes accessed (1 to 8); a write's data is in insn[0 ..
 * insn_len), little-endian; a read is answered in user.reply, as IN is.
 */
#define MHK_MMIO_DECODED (1u << 2)
#define MHK_INSN_MAX 15

struct mhk_exit {
	__u32 reason; /* enum mhk_exit_reason */
	/* the vendor's exit reason or VM-instruction error; ~0 when there was none */
	__u32 raw;
	__u64 raw_info[2]; /* EXITINFO1/2, or exit qualification and guest-linear address */
	union {
		struct {
			__u16 port;
			__u8 width; /* bytes: 1, 2, 4 */
			__u8 flags; /* MHK_IO_* */
			__u32 data; /* OUT: the value */
		} io;
		struct {
			__u64 gpa;
			__u8 flags;    /* MHK_MMIO_* */
			__u8 insn_len; /* bytes in insn[]; 0 = not provided by the CPU */
			__u8 insn[MHK_INSN_MAX];
		} mmio; /* also MEM_FAULT */
		struct {
			__u32 index;
			__u32 pad;
			__u64 data;
		} msr;
		struct {
			__u32 vector;
		} eoi; /* also DEBUG: of the exception */
	} u;
};

/*
 * user.inject: an event for the next entry; 0 = none. Layout of VMX and SVM alike: SDM 3C 25.8.3.
 */
#define MHK_INJECT_VALID (1u << 31)
#define MHK_INJECT_ERROR (1u << 11) /* user.inject_error is pushed */
#define MHK_INJECT_NMI (2u << 8)
#define MHK_INJECT_EXCEPTION (3u << 8)

#define MHK_REPLY_GP (1u << 0) /* the MSR access ends in #GP(0) */

/*
 * user.debug, for a debugger outside the guest: bit n is exception n, which then ends the run
 * before its delivery. RIP is where the guest would return to, but of #BP at the INT3. The guest's
 * accesses to debug registers are user space's to emulate then, so that their values may be the
 * debugger's.
 */
#define MHK_DEBUG_DB (1u << 1)
#define MHK_DEBUG_BP (1u << 3)
#define MHK_DEBUG_UD (1u << 6)
/* No interrupt is delivered, and HLT does not wait: for a single step. */
#define MHK_DEBUG_STEP (1u << 31)
#define MHK_DEBUG_ALL (MHK_DEBUG_DB | MHK_DEBUG_BP | MHK_DEBUG_UD | MHK_DEBUG_STEP)

/*
 * The shared mapping of a vCPU: MHK_RUN_BYTES at offset 0 of its fd. The first page is this struct,
 * the second the XSAVE image (standard format, header included) of MHK_G_FPU.
 * - user.*: written by user space, read by the kernel once at the start of a run, which clears
 *   commit and inject when it has taken them.
 * - exit, valid: written by the kernel when a run or MHK_GET returns. valid = groups of state
 *   that are current. After a run these are the groups in user.wanted plus those that the exit's
 *   handler needs: MMIO, INSN and string IO: GPR RIP CODE CR; HYPERCALL: GPR CR SEG; DEBUG: RIP
 *   DR; SHUTDOWN, ENTRY_FAILED, UNHANDLED: all but FPU.
 */
struct mhk_run {
	struct {
		MHK_SHARED(__u32) immediate_exit; /* non-zero: a run returns before entering */
		MHK_SHARED(__u32) commit;	  /* MHK_G_*: groups of state to load */
		MHK_SHARED(__u32) wanted;	  /* MHK_G_*: groups to provide at each exit */
		MHK_SHARED(__u32) reply_flags;	  /* MHK_REPLY_* */
		MHK_SHARED(__u64) reply;	  /* IN, RDMSR, decoded MMIO read */
		MHK_SHARED(__u32) inject;	  /* MHK_INJECT_* | vector */
		MHK_SHARED(__u32) inject_error;
		MHK_SHARED(__u32) debug; /* MHK_DEBUG_* */
		__u32 pad[7];		 /* so that the halves do not share a cache line */
	} user;
	struct mhk_exit exit;
	__u32 valid;
	__u32 pad;
	MHK_SHARED(struct mhk_state) state;
};

#define MHK_RUN_BYTES 8192
#define MHK_FPU_OFFSET 4096
#define MHK_FPU_BYTES 4096

#define MHK_CPUID_SUBLEAF (1u << 0) /* the entry answers only this sub-leaf */

struct mhk_cpuid_entry {
	__u32 leaf, subleaf, flags, pad;
	__u32 eax, ebx, ecx, edx;
};

/*
 * The whole CPUID table of a vCPU, replacing any earlier one. An unlisted leaf reads as zeros. The
 * kernel itself keeps the dynamic bits true: 1.ECX.OSXSAVE, 1.EDX.APIC, 0xD.0.EBX, 0xD.1.EBX.
 */
struct mhk_cpuid {
	__u32 size;
	__u32 flags;   /* must be 0 */
	__u32 count;   /* entries; at most MHK_MAX_CPUID */
	__u32 pad;     /* must be 0 */
	__u64 entries; /* user address of struct mhk_cpuid_entry [count] */
};

struct mhk_get {
	__u32 size;
	__u32 flags;  /* must be 0 */
	__u32 groups; /* MHK_G_*: copied to the shared page, and added to valid */
	__u32 pad;    /* must be 0 */
};

#define MHK_LAPIC_WRITE (1u << 0)

/*
 * One access to the local APIC's register page, for the emulation of xAPIC MMIO. -EINVAL: no such
 * register, or the local APIC is not in xAPIC mode.
 */
struct mhk_lapic {
	__u32 size;
	__u32 flags; /* MHK_LAPIC_* */
	/* 0 .. 0xff0, 16-byte aligned: SDM 3A 11.4.1 "The Local APIC Block Diagram" */
	__u32 offset;
	__u32 value; /* in or out */
	__u64 base;  /* out: IA32_APIC_BASE */
};

struct mhk_stats {
	__u32 size;
	__u32 flags;	     /* must be 0 */
	__u64 entries;	     /* VM entries */
	__u64 sections;	     /* times the host's CPU state was switched */
	__u64 user_exits;    /* returns to user space */
	__u64 faults;	     /* nested page faults served */
	__u64 halts;	     /* HLT waits */
	__u64 interrupts;    /* interrupts taken by the guest */
	__u64 by_reason[32]; /* exits by the normal form (enum mhi_reason) */
	__u64 doorbells;     /* rung without a return to user space */
};

#define MHK_IOC 'm'
/* device */
#define MHK_INFO _IOWR(MHK_IOC, 0x00, struct mhk_info)
#define MHK_VM_CREATE _IOWR(MHK_IOC, 0x01, struct mhk_vm_create) /* returns the VM's fd */
/* VM */
#define MHK_MEM _IOW(MHK_IOC, 0x10, struct mhk_mem)
#define MHK_MSI _IOWR(MHK_IOC, 0x11, struct mhk_msi)
#define MHK_TSC _IOWR(MHK_IOC, 0x12, struct mhk_tsc)
#define MHK_VCPU_CREATE _IOW(MHK_IOC, 0x13, struct mhk_vcpu_create) /* returns the vCPU's fd */
#define MHK_DOORBELL _IOW(MHK_IOC, 0x14, struct mhk_doorbell)
/* vCPU */
/*
 * To run the vCPU is to move on its fd: lseek(fd, 0, SEEK_SET) waits for the next exit, which is in
 * the shared page. The ioctl does the same, and passes more of the host's security hooks.
 * 0; -EINTR: a signal is pending; -EINVAL: the user half or committed state is wrong. As of all
 * ioctls of a vCPU but KICK and STATS, -EBUSY: another thread is in one. Else the exit could not be
 * made: -EBUSY: another hypervisor has taken the CPU; -ESHUTDOWN: the host goes down; -ENOMEM.
 */
#define MHK_RUN _IO(MHK_IOC, 0x20)
/* makes a running or the next run return MHK_EXIT_NONE; any thread */
#define MHK_KICK _IO(MHK_IOC, 0x21)
#define MHK_GET _IOW(MHK_IOC, 0x22, struct mhk_get)
#define MHK_CPUID _IOW(MHK_IOC, 0x23, struct mhk_cpuid)
#define MHK_LAPIC _IOWR(MHK_IOC, 0x24, struct mhk_lapic)
#define MHK_STATS _IOWR(MHK_IOC, 0x25, struct mhk_stats)

#endif
