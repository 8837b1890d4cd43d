/* SPDX-License-Identifier: MIT */
/* The guest's paravirtual clock: scale, origin, and the two structures in guest memory. */
#include "core/kvmclock.h"

#define NS_PER_S 1000000000ull
#define FLAG_TSC_STABLE (1u << 0)
#define FLAG_GUEST_STOPPED (1u << 1)

struct vcpu_time {
	u32 version; /* odd while it is being written */
	u32 pad0;
	u64 tsc_timestamp, system_time;
	u32 mul;
	s8 shift;
	u8 flags, pad[2];
};
MHI_STATIC_ASSERT(sizeof(struct vcpu_time) == 32);

struct wall_clock {
	u32 version, sec, nsec;
};
MHI_STATIC_ASSERT(sizeof(struct wall_clock) == 12);

void mhi_kvmclock_start(struct mhi_kvmclock *clock, u32 tsc_khz, u64 guest_tsc)
{
	u64 hz = (tsc_khz ? tsc_khz : 1) * 1000ull;
	unsigned __int128 ratio = ((unsigned __int128)NS_PER_S << 64) / hz; /* ns per tick, 64.64 */

	/* Normalise to 2^31 <= mul < 2^32: the most precise fraction. */
	clock->shift = 0;
	while (ratio >> 64) {
		ratio >>= 1;
		clock->shift++;
	}
	while (!(ratio >> 63)) {
		ratio <<= 1;
		clock->shift--;
	}
	clock->mul = (u32)(ratio >> 32);
	clock->tsc_zero = guest_tsc;
}

u64 mhi_kvmclock_ns(const struct mhi_kvmclock *clock, u64 guest_tsc)
{
	u64 ticks = guest_tsc - clock->tsc_zero;

	if (clock->shift >= 0)
		ticks <<= clock->shift;
	else
		ticks >>= -clock->shift;
	return (u64)(((unsigned __int128)ticks * clock->mul) >> 32);
}

/*
 * version comes first in both structures. Readers, on other vCPUs too, retry while it is odd or has
 * changed. x86 makes stores visible in order: only the compiler must not swap them.
 */
static int write_versioned(const struct mhi_gmem *mem, mh_gpa gpa, void *data, u32 bytes,
			   u32 *version)
{
	u32 old[sizeof(struct vcpu_time) / sizeof(u32)], *head = data;
	int rc = mhi_gmem_read(mem, gpa, old, bytes);

	*version = (*version | 1) + 2;
	*head = old[0] = *version;
	/* With the old rest: where not all of it is memory, nothing is written. */
	if (!rc)
		rc = mhi_gmem_write(mem, gpa, old, bytes, false);
	if (rc)
		return rc;
	__atomic_signal_fence(__ATOMIC_RELEASE);
	mhi_gmem_write(mem, gpa, data, bytes, false);
	__atomic_signal_fence(__ATOMIC_RELEASE);
	*head = ++*version;
	return mhi_gmem_write(mem, gpa, head, sizeof(*head), false);
}

int mhi_kvmclock_write_time(const struct mhi_kvmclock *clock, const struct mhi_gmem *mem,
			    mh_gpa gpa, bool paused, u32 *version)
{
	struct vcpu_time time = { .tsc_timestamp = clock->tsc_zero,
				  .system_time = 0,
				  .mul = clock->mul,
				  .shift = clock->shift,
				  .flags = FLAG_TSC_STABLE | (paused ? FLAG_GUEST_STOPPED : 0) };

	return write_versioned(mem, gpa, &time, sizeof(time), version);
}

int mhi_kvmclock_write_wall(const struct mhi_gmem *mem, mh_gpa gpa, u64 wall_ns, u32 *version)
{
	struct wall_clock wall = { .sec = (u32)(wall_ns / NS_PER_S),
				   .nsec = (u32)(wall_ns % NS_PER_S) };

	return write_versioned(mem, gpa, &wall, sizeof(wall), version);
}
