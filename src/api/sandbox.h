/* SPDX-License-Identifier: MIT */
/* The sandbox, for the files whose threads have to do with it. */
#ifndef MHI_API_SANDBOX_H
#define MHI_API_SANDBOX_H

#include "api/impl.h"
#include "core/sandbox.h"

/* The calling thread, if the context is in a sandbox. 0; MH_EIO: it is not, or not wholly. */
int mhi_ctx_confine(struct mh_ctx *ctx, enum mhi_box_kind kind);
void mhi_ctx_end_sandbox(struct mh_ctx *ctx);

#endif
