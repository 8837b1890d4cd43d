/* SPDX-License-Identifier: (GPL-2.0 OR MIT) */
/*
 * All tests of the kernel's version: what changed between 6.1 and the newest kernel we build
 * for.
 */
#ifndef MHI_KDRV_COMPAT_H
#define MHI_KDRV_COMPAT_H

#include <linux/eventfd.h>
#include <linux/hrtimer.h>
#include <linux/version.h>
/* smp_send_reschedule traces since 6.4, and leaves the include to its callers. */
#include <trace/events/ipi.h>
#include <asm/nospec-branch.h>

#include "x86_insn.h"

/* eventfd_signal lost its count in 6.8: it was always 1. */
static inline void mhi_compat_eventfd_signal(struct eventfd_ctx *ctx)
{
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 8, 0)
	eventfd_signal(ctx);
#else
	eventfd_signal(ctx, 1);
#endif
}

/* hrtimer_init went away when 6.15 brought hrtimer_setup. */
static inline void mhi_compat_hrtimer_setup(struct hrtimer *t,
					    enum hrtimer_restart (*fn)(struct hrtimer *))
{
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 15, 0)
	hrtimer_setup(t, fn, CLOCK_MONOTONIC, HRTIMER_MODE_ABS);
#else
	hrtimer_init(t, CLOCK_MONOTONIC, HRTIMER_MODE_ABS);
	t->function = fn;
#endif
}

/*
 * A guest has run on this CPU. Where VMSCAPE matters the kernel clears the branch predictors
 * before the CPU runs user space again; kernels before the fixes of 2025 do not know it.
 */
static inline void mhi_compat_guest_ran(void)
{
#ifdef X86_FEATURE_IBPB_EXIT_TO_USER
	if (cpu_feature_enabled(X86_FEATURE_IBPB_EXIT_TO_USER))
		this_cpu_write(x86_ibpb_exit_to_user, true);
#endif
}

/* Some CPUs need only this bit against SRSO, as long as there are guests. Interrupts off. */
static inline void mhi_compat_srso(bool guests)
{
#ifdef X86_FEATURE_SRSO_BP_SPEC_REDUCE
	const u64 bit = BIT(MSR_ZEN4_BP_CFG_BP_SPEC_REDUCE_BIT);
	u64 cfg;

	if (!boot_cpu_has(X86_FEATURE_SRSO_BP_SPEC_REDUCE))
		return;
	cfg = mhi_rdmsr(MSR_ZEN4_BP_CFG);
	mhi_wrmsr(MSR_ZEN4_BP_CFG, guests ? cfg | bit : cfg & ~bit);
#endif
}

#endif
