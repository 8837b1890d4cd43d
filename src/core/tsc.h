/* SPDX-License-Identifier: MIT */
/* The TSC of a VM's guest, as a function of the host's. */
#ifndef MHI_CORE_TSC_H
#define MHI_CORE_TSC_H

#include "base/ratio.h"

struct mhi_tsc {
	u64 offset;
	u64 ratio; /* a binary fraction of `shift` places; 0: the host's rate */
	u32 shift; /* the engine's; 0: it cannot scale */
	u32 khz;   /* what the ratio makes of the host's frequency; 0: nothing else */
};

/* Of a guest whose TSC goes at khz; both are known. */
static inline u64 mhi_tsc_ratio(u32 khz, u32 host_khz, u32 shift)
{
	return khz == host_khz ? 0 : (u64)(((unsigned __int128)khz << shift) / host_khz);
}

static inline u64 mhi_tsc_guest(const struct mhi_tsc *tsc, u64 host)
{
	if (tsc->ratio)
		host = mhi_ratio_scale(host, tsc->ratio, tsc->shift);
	return host + tsc->offset;
}

#endif
