/* SPDX-License-Identifier: MIT */
/*
 * Guest memory as the library sees it: the map of guest-physical ranges to host memory, and the
 * only checked way to touch it. Mappings change only while no vCPU runs; reads and copies come from
 * any thread.
 */
#ifndef MHI_CORE_GMEM_H
#define MHI_CORE_GMEM_H

#include "mm/slots.h"

struct mhi_gmem {
	struct mhi_slots slots; /* hva here is a pointer of this process */
	u64 gpa_limit;		/* (c) */
};

/*
 * Copy; 0 or MH_EFAULT with nothing copied. The range may span slots that touch. Writes obey
 * read-only unless force.
 */
int mhi_gmem_read(const struct mhi_gmem *m, mh_gpa gpa, void *buf, u64 bytes);
int mhi_gmem_write(const struct mhi_gmem *m, mh_gpa gpa, const void *buf, u64 bytes, bool force);
/*
 * The host address of [gpa, gpa + bytes) when it lies within one slot, else NULL: for loaders and
 * devices.
 */
void *mhi_gmem_ptr(const struct mhi_gmem *m, mh_gpa gpa, u64 bytes);

#endif
