/* SPDX-License-Identifier: (GPL-2.0 OR MIT) */
/*
 * Memory slots: which guest-physical ranges are backed by which host-virtual ranges. Pure
 * bookkeeping.
 */
#ifndef MHI_MM_SLOTS_H
#define MHI_MM_SLOTS_H

#include "base/types.h"

#define MHI_SLOTS_MAX 64

struct mhi_slot {
	mh_gpa gpa;
	u64 bytes; /* 0: the slot is free */
	u64 hva;   /* start in the owner's address space; never dereferenced here */
	bool readonly;
};

struct mhi_slots {
	struct mhi_slot slot[MHI_SLOTS_MAX]; /* by number; the caller serialises */
	unsigned int end;		     /* all slots from here on are free */
};

/*
 * Returns 0; MHI_EINVAL (alignment, zero size, wrap, slot number), MHI_ERANGE (beyond gpa_limit),
 * MHI_EEXIST (slot in use, or overlaps another).
 */
int mhi_slots_set(struct mhi_slots *s, unsigned int n, const struct mhi_slot *slot, u64 gpa_limit);
/* Empties slot n; MHI_ENOENT when it is empty, MHI_EINVAL when there is no such number. */
int mhi_slots_clear(struct mhi_slots *s, unsigned int n);
/* The slot that holds gpa, or NULL. */
const struct mhi_slot *mhi_slots_find(const struct mhi_slots *s, mh_gpa gpa);
/*
 * The largest leaf level (<= max) whose page around gpa lies wholly in the slot with hva congruent
 * to gpa.
 */
unsigned int mhi_slot_leaf_level(const struct mhi_slot *slot, mh_gpa gpa, unsigned int max);

#endif
