/* SPDX-License-Identifier: MIT */
/*
 * What a guest may do, and sees of its CPUs, beside what the library decides by itself: I/O ports,
 * CPUID, MSRs and the TSC's frequency.
 */
#ifndef MACROHARD_POLICY_H
#define MACROHARD_POLICY_H

#include <macrohard/vm.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Rules of each kind that a VM has at most. */
#define MH_RULES_MAX 64

/* What an access to an MSR comes to. */
enum mh_msr_action {
	/* As without the rule: the library knows the MSR, or the access ends in #GP(0). */
	MH_MSR_DEFAULT = 0,
	/* #GP(0) */
	MH_MSR_DENY,
	/* Reads give 0, writes do nothing. Logged: at most a line a second and vCPU. */
	MH_MSR_IGNORE,
	/* The vCPU has that register: it keeps what was written. 0 at first and after a reset. */
	MH_MSR_ALLOW,
	/* A function of yours. */
	MH_MSR_CALL
};

/* Which accesses; neither: both. */
#define MH_MSR_READ (1u << 0)
#define MH_MSR_WRITE (1u << 1)
/* only MSRs that the library does not know */
#define MH_MSR_UNKNOWN (1u << 2)

/* What all rules together may have of MH_MSR_ALLOW. */
#define MH_MSR_ALLOWED_MAX 256

/*
 * Read or write an MSR of that vCPU, whose thread calls; several may call at once. write: 0 or 1.
 * Returns 0; anything else ends the access in #GP(0).
 */
typedef int mh_msr_fn(void *opaque, uint32_t vcpu, uint32_t index, int write, uint64_t *value);

struct mh_msr_rule {
	size_t size;	      /* sizeof(struct mh_msr_rule), by MH_MSR_RULE_INIT */
	uint32_t first, last; /* numbers of MSRs, both included */
	uint32_t action;      /* enum mh_msr_action */
	uint32_t flags;	      /* MH_MSR_READ, ... */
	mh_msr_fn *fn;	      /* MH_MSR_CALL */
	void *opaque;
};

#define MH_MSR_RULE_INIT                                               \
	{                                                              \
		sizeof(struct mh_msr_rule), 0u, 0u, 0u, 0u, NULL, NULL \
	}

/**
 * Add a rule about MSRs. The first one that fits an access, in the order in which they were added,
 * decides. MSRs that the engine serves itself never come here: those of the local APIC, of paging
 * (EFER, PAT), of system calls (STAR to SFMASK, SYSENTER, FS, GS), reads of the TSC, TSC_AUX; with
 * MH_ENGINE_KVM all that KVM knows. mh_vm_metrics counts what rules did.
 * @rule  copied
 * Thread: [setup]
 * Returns 0; MH_EINVAL (size, first, last, action, flags, fn), MH_ESTATE, MH_ERANGE (MH_RULES_MAX,
 * MH_MSR_ALLOWED_MAX).   Since: 1.0
 */
MH_API int mh_vm_msr_rule(struct mh_vm *vm, const struct mh_msr_rule *rule);

/* What an access to I/O ports comes to. No guest ever reaches a port of the host. */
enum mh_port_action {
	/*
	 * As without the rule: the device that has the ports answers; where none has them, reads
	 * give all ones and writes do nothing.
	 */
	MH_PORT_DEFAULT = 0,
	/* As if no device had them. */
	MH_PORT_DENY,
	/* The same, logged: at most a line a second and vCPU. */
	MH_PORT_LOG,
	/* The guest stops with MH_STOP_ERROR. */
	MH_PORT_STOP
};

/* Which accesses; neither: both. */
#define MH_PORT_IN (1u << 0)
#define MH_PORT_OUT (1u << 1)
/* only where no device answers */
#define MH_PORT_UNCLAIMED (1u << 2)

struct mh_port_rule {
	size_t size;	      /* sizeof(struct mh_port_rule), by MH_PORT_RULE_INIT */
	uint32_t first, last; /* ports, both included; at most 0xffff */
	uint32_t action;      /* enum mh_port_action */
	uint32_t flags;	      /* MH_PORT_IN, ... */
};

#define MH_PORT_RULE_INIT                                   \
	{                                                   \
		sizeof(struct mh_port_rule), 0u, 0u, 0u, 0u \
	}

/**
 * Add a rule about I/O ports. The first one that fits an access, in the order in which they were
 * added, decides; one that touches a port of a rule fits it. So the ports that a VM may use are
 * given by rules with MH_PORT_DEFAULT, and one behind them that denies all. mh_vm_metrics counts
 * what rules denied.
 * @rule  copied
 * Thread: [setup]
 * Returns 0; MH_EINVAL (size, first, last, action, flags), MH_ESTATE, MH_ERANGE (MH_RULES_MAX).
 * Since: 1.0
 */
MH_API int mh_vm_port_rule(struct mh_vm *vm, const struct mh_port_rule *rule);

/* only that sub-leaf; else all that the leaf has */
#define MH_CPUID_SUBLEAF (1u << 0)

struct mh_cpuid_rule {
	size_t size; /* sizeof(struct mh_cpuid_rule), by MH_CPUID_RULE_INIT */
	uint32_t leaf, subleaf;
	uint32_t flags;		   /* MH_CPUID_* */
	uint32_t clear[4], set[4]; /* bits of EAX, EBX, ECX, EDX; first cleared, then set */
};

#define MH_CPUID_RULE_INIT                                                    \
	{                                                                     \
		sizeof(struct mh_cpuid_rule), 0u, 0u, 0u, { 0u, 0u, 0u, 0u }, \
		{                                                             \
			0u, 0u, 0u, 0u                                        \
		}                                                             \
	}

/**
 * Change what CPUID tells, on all vCPUs. Rules apply in the order in which they were added; a leaf
 * that is not there is added, over zeros. To hide a feature is always safe; to show one that the
 * engine does not virtualize breaks guests that use it. Some bits follow the guest's own registers
 * whatever rules say: OSXSAVE, APIC, the sizes of leaf 0xd.
 * @rule  copied
 * Thread: [setup], but not while the VM is Paused
 * Returns 0; MH_EINVAL (size, flags), MH_ESTATE, MH_ERANGE (MH_RULES_MAX; more leaves than the
 * engine takes), MH_EIO (the engine refuses them).   Since: 1.0
 */
MH_API int mh_vm_cpuid_rule(struct mh_vm *vm, const struct mh_cpuid_rule *rule);

/**
 * Set the frequency of the guest's TSC, on all vCPUs: for a guest that began on a machine with
 * another, or shall see the same one on all. What tells of it follows: CPUID, the paravirtual
 * clocks, Hyper-V's MSRs, and with MH_ENGINE_SHIM the rate of the local APIC's timer. It holds
 * until it is set again. Another frequency than the host's needs a CPU with TSC scaling.
 * @khz  0: the host's, as of a new VM; else the host's divided by 255, to 255 times the host's
 * Thread: [setup], not Paused
 * Returns 0; MH_EINVAL, MH_ESTATE, MH_ERANGE (khz), MH_EMISSING (the CPU lacks TSC scaling, or the
 * host's frequency is unknown), MH_ENOMEM, MH_EIO. On error it is as before; mh_vm_start then
 * returns MH_EIO where the engine refuses it after all.
 * Spec: SDM 3C 25.6.5 (TSC multiplier), APM 2 15.30.5 (TSC ratio MSR).   Since: 1.0
 */
MH_API int mh_vm_set_tsc_khz(struct mh_vm *vm, uint32_t khz);

/** The guest's TSC in kHz; 0: unknown, or @vm is NULL. Thread: [any]. Since: 1.0 */
MH_API uint32_t mh_vm_tsc_khz(struct mh_vm *vm);

#ifdef __cplusplus
}
#endif
#endif
