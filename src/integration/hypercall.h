/* SPDX-License-Identifier: MIT */
/*
 * Hypercalls of libmacrohard's own: who may call, what the numbers mean, and what comes back. Pure
 * over its environment. Numbers and layouts: macrohard/guest.h.
 */
#ifndef MHI_INTEGRATION_HYPERCALL_H
#define MHI_INTEGRATION_HYPERCALL_H

#include "core/gmem.h"
#include "macrohard/guest.h"
#include "macrohard/hypercall.h"

#define MHI_HC_ARGS 4
#define MHI_HC_HANDLERS 3

/* What the VM does for hypercalls. All (c). */
struct mhi_hc_env {
	const struct mhi_gmem *mem;
	u32 version; /* MHG_VERSION */
	/* Memory that the machine keeps for its firmware's tables; equal: none. */
	mh_gpa firmware_start, firmware_end;
	void (*time)(void *opaque, struct mhg_time *out);
	/* A vCPU's timer: 0 or MHG_ENOMEM; was it armed? */
	int (*timer_arm)(void *opaque, u32 vcpu, u64 us, u8 vector);
	bool (*timer_cancel)(void *opaque, u32 vcpu);
	void *opaque;
};

struct mhi_hc_handler {
	mh_hypercall_fn *fn; /* NULL: none */
	void *opaque;
};

/* Of a VM. Handlers change only while no vCPU runs. */
struct mhi_hypercalls {
	struct mhi_hc_env env; /* (c) */
	struct mhi_hc_handler handler[MHI_HC_HANDLERS];
};

/* A call as the guest's registers tell it. */
struct mhi_hc_call {
	u32 vcpu;
	unsigned int cpl;
	bool wide; /* 64-bit mode; else registers have 32 bits */
	u64 number, key;
	u64 arg[MHI_HC_ARGS]; /* RBX, RCX, RDX, RSI */
};

/* The handler of a number MH_HC_*; NULL: it can have none. */
struct mhi_hc_handler *mhi_hc_handler(struct mhi_hypercalls *h, u32 number);
u32 mhi_hc_features(const struct mhi_hypercalls *h);
/* Is the call one of these, and not another interface's? */
bool mhi_hc_is_ours(const struct mhi_hc_call *call);
/* Do it, on the vCPU's thread. Returns what the guest's RAX gets. */
u64 mhi_hc_do(struct mhi_hypercalls *h, const struct mhi_hc_call *call);

#endif
