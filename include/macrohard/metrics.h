/* SPDX-License-Identifier: MIT */
/* What a VM and its devices have done so far, in numbers that only grow. */
#ifndef MACROHARD_METRICS_H
#define MACROHARD_METRICS_H

#include <macrohard/device.h>

#ifdef __cplusplus
extern "C" {
#endif

/*
 * X(name, text): why a guest was left by the engine. Of all engines; the KVM engine counts none.
 */
#define MH_EXIT_LIST(X)                 \
	X(HOST, "host")                 \
	X(EXCEPTION, "exception")       \
	X(TRIPLE_FAULT, "triple-fault") \
	X(INIT, "init")                 \
	X(WINDOW, "window")             \
	X(TASK_SWITCH, "task-switch")   \
	X(CPUID, "cpuid")               \
	X(HLT, "hlt")                   \
	X(INVD, "invd")                 \
	X(RDPMC, "rdpmc")               \
	X(HYPERCALL, "hypercall")       \
	X(VIRT_INSN, "virt-insn")       \
	X(CR_WRITE, "cr-write")         \
	X(CR_READ, "cr-read")           \
	X(DR, "dr")                     \
	X(IO, "io")                     \
	X(RDMSR, "rdmsr")               \
	X(WRMSR, "wrmsr")               \
	X(XSETBV, "xsetbv")             \
	X(PAUSE, "pause")               \
	X(MONITOR, "monitor")           \
	X(FAULT, "fault")               \
	X(MISCONFIG, "misconfig")       \
	X(ENTRY_FAILED, "entry-failed") \
	X(UNHANDLED, "unhandled")       \
	X(FETCH, "fetch")

/* X(name, text): what the library was asked to do for a guest. */
#define MH_SERVICE_LIST(X)              \
	X(NONE, "none")                 \
	X(IO, "io")                     \
	X(MMIO, "mmio")                 \
	X(RDMSR, "rdmsr")               \
	X(WRMSR, "wrmsr")               \
	X(HYPERCALL, "hypercall")       \
	X(SHUTDOWN, "shutdown")         \
	X(EOI, "eoi")                   \
	X(MEM_FAULT, "mem-fault")       \
	X(ENTRY_FAILED, "entry-failed") \
	X(UNHANDLED, "unhandled")       \
	X(INSN, "insn")                 \
	X(DEBUG, "debug")

enum mh_exit_kind {
#define MH_EXIT_ENUM(name, text) MH_EXIT_##name,
	MH_EXIT_LIST(MH_EXIT_ENUM)
#undef MH_EXIT_ENUM
		MH_EXIT_KINDS
};

enum mh_service_kind {
#define MH_SERVICE_ENUM(name, text) MH_SERVICE_##name,
	MH_SERVICE_LIST(MH_SERVICE_ENUM)
#undef MH_SERVICE_ENUM
		MH_SERVICE_KINDS
};

/* Room for kinds of later versions. */
#define MH_EXIT_KINDS_MAX 48
#define MH_SERVICE_KINDS_MAX 24

/* Of all vCPUs, or of one, since the VM was created. Resets take nothing away. */
struct mh_vm_metrics {
	size_t size;		 /* sizeof(struct mh_vm_metrics), by MH_VM_METRICS_INIT */
	uint64_t uptime_ns;	 /* since the last mh_vm_start, with pauses; 0: it is not started */
	uint64_t vcpu_ns;	 /* CPU time of the vCPUs' threads */
	uint64_t starts, resets; /* by mh_vm_start; by the guest and mh_vm_reset */
	/* Of the engine: with MH_ENGINE_KVM 0. */
	uint64_t entries;    /* VM entries */
	uint64_t interrupts; /* that the guests took */
	uint64_t halts;	     /* HLT waits */
	uint64_t faults;     /* nested page faults that brought memory */
	uint64_t doorbells;  /* notifications of devices that the library need not look at */
	uint64_t exits[MH_EXIT_KINDS_MAX]; /* by enum mh_exit_kind */
	/* Of the library. */
	uint64_t services[MH_SERVICE_KINDS_MAX]; /* by enum mh_service_kind */
	/* MSR accesses: that ended in #GP, and that rules ignored, allowed, had you called for. */
	uint64_t msr_refused, msr_ignored, msr_allowed, msr_called;
	uint64_t ports_denied; /* accesses to I/O ports that rules denied, logged or stopped at */
};

#define MH_VM_METRICS_INIT                                                                      \
	{                                                                                       \
		sizeof(struct mh_vm_metrics), 0u, 0u, 0u, 0u, 0u, 0u, 0u, 0u, 0u, { 0 }, { 0 }, \
			0u, 0u, 0u, 0u, 0u                                                      \
	}

/**
 * Numbers of a VM. While it runs they are not of one moment.
 * Thread: [any]   Returns 0; MH_EINVAL (out->size).   Since: 1.0
 */
MH_API int mh_vm_metrics(struct mh_vm *vm, struct mh_vm_metrics *out);

/**
 * The part that vCPU @index has in them; uptime_ns, starts and resets are the VM's.
 * Thread: [any]   Returns 0; MH_EINVAL (no such vCPU; out->size).   Since: 1.0
 */
MH_API int mh_vcpu_metrics(struct mh_vm *vm, uint32_t index, struct mh_vm_metrics *out);

/**
 * The text of a kind: short, without spaces, the same in all later versions.
 * Thread: [any]   Returns a static string; NULL: there is no such kind, and none above it.
 * Since: 1.0
 */
MH_API const char *mh_exit_name(unsigned int kind);
MH_API const char *mh_service_name(unsigned int kind);

/* Of an attached device. */
struct mh_dev_metrics {
	size_t size; /* sizeof(struct mh_dev_metrics), by MH_DEV_METRICS_INIT */
	/*
	 * Answered: requests of disks and shared folders, frames of network cards (several that
	 * the guest sends as one count as one), else the guest's buffers.
	 */
	uint64_t requests;
	/*
	 * Requests that failed, of disks; frames that were none; answers of mh_p9_ops that were
	 * none.
	 */
	uint64_t errors;
	/*
	 * Data: of disks without requests' headers, of network cards whole frames, of shared
	 * folders and sockets whole messages.
	 */
	uint64_t to_guest_bytes, from_guest_bytes;
	/* Of disks and shared folders: from taking a request to its answer. */
	uint64_t latency_count, latency_sum_ns, latency_max_ns;
	uint64_t interrupts; /* of the device's queues */
};

#define MH_DEV_METRICS_INIT                                                   \
	{                                                                     \
		sizeof(struct mh_dev_metrics), 0u, 0u, 0u, 0u, 0u, 0u, 0u, 0u \
	}

/**
 * Numbers of a device, since it was attached.
 * Thread: [any], while the device is attached
 * Returns 0; MH_EINVAL (out->size).   Since: 1.0
 */
MH_API int mh_dev_metrics(struct mh_dev *dev, struct mh_dev_metrics *out);

#ifdef __cplusplus
}
#endif
#endif
