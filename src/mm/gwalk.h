/* SPDX-License-Identifier: (GPL-2.0 OR MIT) */
/*
 * Guest page walk: guest-linear to guest-physical by the guest's own tables, in all paging modes
 * (SDM 3A 4 "Paging"), for the library's MMIO emulation. Reads guest memory only through the
 * callback; writes nothing (accessed and dirty flags are left alone).
 */
#ifndef MHI_MM_GWALK_H
#define MHI_MM_GWALK_H

#include "base/types.h"

#define MHI_GWALK_W (1u << 0)
#define MHI_GWALK_X (1u << 1)
#define MHI_GWALK_USER (1u << 2) /* the access is made at CPL 3 */

/*
 * A stretch of guest memory that lies in this address space as it is: page tables in it are read
 * without a call.
 */
struct mhi_gwalk_window {
	mh_gpa gpa;
	u64 bytes; /* page multiple; 0: unused */
	const u8 *at;
};

#define MHI_GWALK_WINDOWS 2

struct mhi_gwalk_env {
	u64 cr0, cr3, cr4, efer, rflags;
	const struct mhi_gwalk_window *window; /* [MHI_GWALK_WINDOWS], or NULL */
	/* Copies bytes at gpa (within one page); 0 or a negative error. */
	int (*read)(void *opaque, mh_gpa gpa, void *buf, u32 bytes);
	void *opaque;
};

/* The page-fault error code of SDM 3A 4.7 "Page-Fault Exceptions", when the walk ends in one. */
struct mhi_gwalk_fault {
	u32 error;
};

/* Where gpa lies in one of the windows: good up to the end of its page. NULL: in none. */
static inline const u8 *mhi_gwalk_direct(const struct mhi_gwalk_window *window, mh_gpa gpa)
{
	unsigned int i;

	for (i = 0; window && i < MHI_GWALK_WINDOWS; i++) {
		if (gpa - window[i].gpa < window[i].bytes)
			return window[i].at + (gpa - window[i].gpa);
	}
	return NULL;
}

/*
 * Returns 0 and *gpa; MHI_EFAULT and *fault when the guest's tables forbid the access (deliver
 * #PF); or the read callback's error (its MHI_EFAULT becomes MHI_EIO, it is not the guest's). A
 * non-canonical address is MHI_EINVAL (deliver #GP or #SS).
 */
int mhi_gwalk(const struct mhi_gwalk_env *env, mh_gva gva, unsigned int access, mh_gpa *gpa,
	      struct mhi_gwalk_fault *fault);

#endif
