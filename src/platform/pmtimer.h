/* SPDX-License-Identifier: MIT */
/* The ACPI power management timer: 32 bits at 3.579545 MHz, by the host's monotonic clock. */
#ifndef MHI_PLATFORM_PMTIMER_H
#define MHI_PLATFORM_PMTIMER_H

#include "base/types.h"
#include "macrohard/vm.h"

#define MHI_PMTIMER_PORT 0x608 /* the FADT names it */
#define MHI_PMTIMER_PORTS 4
#define MHI_PMTIMER_HZ 3579545ull

/* Ticks after ns nanoseconds, modulo 2^32. */
u32 mhi_pmtimer_ticks(u64 ns);

/* For the PIO bus; opaque is not used. */
extern const struct mh_io_ops mhi_pmtimer_ops;

#endif
