/* SPDX-License-Identifier: MIT */
/*
 * The power management timer: ACPI 6.5, 4.8.3.3 "Power Management Timer (PM_TMR)". It raises no
 * interrupt. A hardware-reduced machine need not have one; it serves guests as a clock to check
 * the TSC against, which is why it is not corrected by the host's NTP.
 */
#include "platform/pmtimer.h"

#include <time.h>

#define NS_PER_S 1000000000ull

u32 mhi_pmtimer_ticks(u64 ns)
{
	u64 s = ns / NS_PER_S, rest = ns % NS_PER_S;

	return (u32)(s * MHI_PMTIMER_HZ + rest * MHI_PMTIMER_HZ / NS_PER_S);
}

static uint64_t pmtimer_read(void *opaque, uint64_t offset, unsigned int bytes)
{
	struct timespec ts;
	u64 ns;

	clock_gettime(CLOCK_MONOTONIC_RAW, &ts);
	ns = (u64)ts.tv_sec * NS_PER_S + (u64)ts.tv_nsec;
	return mhi_pmtimer_ticks(ns) >> (8 * offset);
}

const struct mh_io_ops mhi_pmtimer_ops = {
	.version = 1,
	.read = pmtimer_read,
};
