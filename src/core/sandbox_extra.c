/* SPDX-License-Identifier: MIT */
/* In a program without sanitizers filters have nothing besides. */
#include "core/sandbox.h"

const int *mhi_box_extra_calls(enum mhi_box_kind kind, size_t *count)
{
	*count = 0;
	return NULL;
}

bool mhi_box_extra_trace(void)
{
	return false;
}
