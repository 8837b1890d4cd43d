/* SPDX-License-Identifier: MIT */
/*
 * Why virtualization is not available, for people: one sentence with the cure for each enum
 * mhk_hw.
 */
#ifndef MHI_CORE_HW_ERROR_H
#define MHI_CORE_HW_ERROR_H

#include "base/types.h"
#include "core/err.h"
#include "macrohard/uapi.h"

/* Composes the sentence; returns the MH_E* of that status, 0 for MHK_HW_OK. */
int mhi_hw_error(struct mhi_err *err, u32 vendor, u32 hw, u32 missing);
/* "nested paging (EPT or NPT)"; never NULL. */
const char *mhi_feature_name(u32 feature);

#endif
