/* SPDX-License-Identifier: MIT */
/* In place of sandbox_filter.c where there is no libseccomp. */
#include "core/sandbox.h"
#include "macrohard/error.h"

bool mhi_box_can_filter(void)
{
	return false;
}

int mhi_box_filter_make(enum mhi_box_kind kind, const struct mhi_box_needs *needs,
			struct mhi_box_filter *out)
{
	return MH_ENOTSUP;
}
