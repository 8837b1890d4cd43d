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
	u64 own, own_bytes;	/* (c) the library's own memory: private, anonymous */
};

/*
 * Copy; 0 or MH_EFAULT with nothing copied. The range may span slots that touch. Writes obey
 * read-only unless force.
 */
int mhi_gmem_read(const struct mhi_gmem *m, mh_gpa gpa, void *buf, u64 bytes);
int mhi_gmem_write(const struct mhi_gmem *m, mh_gpa gpa, const void *buf, u64 bytes, bool force);
/* Would a write that obeys read-only succeed? */
bool mhi_gmem_writable(const struct mhi_gmem *m, mh_gpa gpa, u64 bytes);
/*
 * The host address of [gpa, gpa + bytes) when it lies within one slot, which is writable if it is
 * to be written; else NULL. For devices.
 */
void *mhi_gmem_ptr(const struct mhi_gmem *m, mh_gpa gpa, u64 bytes, bool write);
/*
 * Give pages back to the host: the guest does not need what is in them, and finds zeros. Only whole
 * pages go, and only writable ones: of the library's own memory, and of the caller's where it is
 * shared; what the caller has mapped privately stays. What is no memory is left out.
 */
void mhi_gmem_discard(const struct mhi_gmem *m, mh_gpa gpa, u64 bytes);
/* The same for host memory that lies in one writable slot. */
void mhi_gmem_discard_host(const struct mhi_gmem *m, void *host, u64 bytes);
/* May huge pages back the library's own memory? A hint. */
void mhi_gmem_huge(const struct mhi_gmem *m, bool on);

#endif
