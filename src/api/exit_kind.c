/* SPDX-License-Identifier: MIT */
/* Kinds of exits: the public numbers of the shim's, and their names. */
#include "arch/x86/hv.h"

#include "api/exit_kind.h"
#include "macrohard/metrics.h"

MHI_STATIC_ASSERT((int)MH_EXIT_KINDS == (int)MHI_X_COUNT);
MHI_STATIC_ASSERT((int)MHI_EXIT_KINDS == (int)MHI_X_COUNT);
MHI_STATIC_ASSERT(MH_EXIT_KINDS <= MH_EXIT_KINDS_MAX);

/* By enum mhi_reason, whose order is the shim's own affair. */
const u8 mhi_exit_kind[MHI_EXIT_KINDS] = {
#define EXIT_KIND(name, text) [MHI_X_##name] = MH_EXIT_##name,
	MH_EXIT_LIST(EXIT_KIND)
#undef EXIT_KIND
};

const char *mh_exit_name(unsigned int kind)
{
	static const char *const names[] = {
#define EXIT_NAME(name, text) text,
		MH_EXIT_LIST(EXIT_NAME)
#undef EXIT_NAME
	};

	return kind < MHI_COUNT(names) ? names[kind] : NULL;
}
