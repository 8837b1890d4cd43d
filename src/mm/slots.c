// SPDX-License-Identifier: (GPL-2.0 OR MIT)
/* Memory slots: the rules of which ranges may be registered, and the search by address. */
#include "mm/slots.h"
#include "mm/npt.h"
#include "base/checked.h"
#include "base/err.h"

int mhi_slots_set(struct mhi_slots *s, unsigned int n, const struct mhi_slot *slot, u64 gpa_limit)
{
	const struct mhi_slot *other;
	unsigned int i;

	if (n >= MHI_SLOTS_MAX || !slot->bytes)
		return MHI_EINVAL;
	if ((slot->gpa | slot->bytes | slot->hva) & MHI_PAGE_MASK)
		return MHI_EINVAL;
	if (!mhi_range_within(slot->gpa, slot->bytes, ~0ull) ||
	    !mhi_range_within(slot->hva, slot->bytes, ~0ull))
		return MHI_EINVAL;
	if (!mhi_range_within(slot->gpa, slot->bytes, gpa_limit))
		return MHI_ERANGE;
	if (s->slot[n].bytes)
		return MHI_EEXIST;
	for (i = 0; i < s->end; i++) {
		other = &s->slot[i];
		if (other->bytes &&
		    mhi_ranges_overlap(slot->gpa, slot->bytes, other->gpa, other->bytes))
			return MHI_EEXIST;
	}
	s->slot[n] = *slot;
	if (n >= s->end)
		s->end = n + 1;
	return 0;
}

int mhi_slots_clear(struct mhi_slots *s, unsigned int n)
{
	if (n >= MHI_SLOTS_MAX)
		return MHI_EINVAL;
	if (!s->slot[n].bytes)
		return MHI_ENOENT;
	memset(&s->slot[n], 0, sizeof(s->slot[n]));
	while (s->end > 0 && !s->slot[s->end - 1].bytes)
		s->end--;
	return 0;
}

const struct mhi_slot *mhi_slots_find(const struct mhi_slots *s, mh_gpa gpa)
{
	unsigned int i;

	for (i = 0; i < s->end; i++) {
		/* One compare for both ends: below the start the difference wraps around. */
		if (gpa - s->slot[i].gpa < s->slot[i].bytes)
			return &s->slot[i];
	}
	return NULL;
}

unsigned int mhi_slot_leaf_level(const struct mhi_slot *slot, mh_gpa gpa, unsigned int max)
{
	unsigned int level;

	for (level = max; level > 1; level--) {
		u64 bytes = mhi_npt_level_bytes(level);
		mh_gpa start = gpa & ~(bytes - 1);

		if ((slot->hva - slot->gpa) & (bytes - 1))
			continue;
		if (start >= slot->gpa && start + bytes <= slot->gpa + slot->bytes)
			break;
	}
	return level;
}
