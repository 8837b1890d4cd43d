/* SPDX-License-Identifier: MIT */
/*
 * The real-time clock and its battery-backed bytes (MC146818, index and data port). No interrupt,
 * no alarm.
 */
#ifndef MHI_PLATFORM_RTC_H
#define MHI_PLATFORM_RTC_H

#include <pthread.h>

#include "base/types.h"
#include "macrohard/vm.h"

#define MHI_RTC_PORT 0x70
#define MHI_RTC_PORTS 2
#define MHI_RTC_BYTES 128
#define MHI_RTC_CENTURY 0x32 /* where the FADT says the century is */

struct mhi_rtc {
	pthread_mutex_t lock;	/* protects (m); no other lock is taken under it */
	u64 (*clock)(void);	/* (c) nanoseconds since 1970, UTC */
	s64 offset;		/* (m) seconds that the guest's clock is ahead of the host's */
	s64 update_seen;	/* (m) second of the last update that register C told of */
	u8 index;		/* (m) */
	u8 byte[MHI_RTC_BYTES]; /* (m) registers; the time is valid while updates are halted */
};

/* clock NULL: the host's. The guest's clock starts at its time, in UTC. */
void mhi_rtc_init(struct mhi_rtc *rtc, u64 (*clock)(void));
void mhi_rtc_fini(struct mhi_rtc *rtc);
/* The RESET pin: the time and the bytes survive. */
void mhi_rtc_reset(struct mhi_rtc *rtc);

/* What firmware finds in a battery-backed byte. No vCPU runs. */
void mhi_rtc_store(struct mhi_rtc *rtc, unsigned int index, u8 value);

/* For the PIO bus at MHI_RTC_PORT, opaque = rtc. */
extern const struct mh_io_ops mhi_rtc_ops;

#endif
