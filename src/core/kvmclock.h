/* SPDX-License-Identifier: MIT */
/*
 * The guest's paravirtual clock: how guest TSC becomes guest time, written into guest memory in the
 * format that Linux guests know from KVM (Documentation/virt/kvm/x86/msr.rst). One scale and one
 * origin for all vCPUs of a VM, so that their clocks agree to the nanosecond.
 */
#ifndef MHI_CORE_KVMCLOCK_H
#define MHI_CORE_KVMCLOCK_H

#include "core/gmem.h"

struct mhi_kvmclock {
	u64 tsc_zero; /* (c) guest TSC when guest time was 0 */
	u32 mul;  /* (c) ns = ((ticks << shift) * mul) >> 32; a negative shift is to the right */
	s8 shift; /* (c) */
};

/* Guest time begins now. */
void mhi_kvmclock_start(struct mhi_kvmclock *clock, u32 tsc_khz, u64 guest_tsc);
/* Guest time in ns at a guest TSC. */
u64 mhi_kvmclock_ns(const struct mhi_kvmclock *clock, u64 guest_tsc);
/*
 * Write the time of one vCPU, or the wall clock (in ns since 1970, of guest time 0). *version is
 * the caller's memory of the structure's version; it is advanced. paused: tells the guest that the
 * vCPU did not run for a while. 0 or MH_EFAULT.
 */
int mhi_kvmclock_write_time(const struct mhi_kvmclock *clock, const struct mhi_gmem *mem,
			    mh_gpa gpa, bool paused, u32 *version);
int mhi_kvmclock_write_wall(const struct mhi_gmem *mem, mh_gpa gpa, u64 wall_ns, u32 *version);

#endif
