/* SPDX-License-Identifier: MIT */
/* The public number of each reason that the shim counts exits by (mhk_stats.by_reason). */
#ifndef MHI_API_EXIT_KIND_H
#define MHI_API_EXIT_KIND_H

#include "base/types.h"

#define MHI_EXIT_KINDS 26

extern const u8 mhi_exit_kind[MHI_EXIT_KINDS];

#endif
