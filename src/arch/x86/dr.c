// SPDX-License-Identifier: (GPL-2.0 OR MIT)
/* Debug registers 0 to 3: the guest's from its first use on until the end of the section. */
#include "arch/x86/hv.h"
#include "base/x86.h"
#include "x86_insn.h"

void mhi_dr_live(struct mhi_vcpu *v)
{
	unsigned int i;

	if (v->dr_live)
		return;
	if (v->host_dr7 & MHI_DR7_ENABLES) {
		/* A host breakpoint must not fire on its way out of the register file. */
		mhi_write_dr(7, MHI_DR7_RESET);
		for (i = 0; i < MHI_COUNT(v->dr); i++)
			v->host_dr[i] = mhi_read_dr(i);
	}
	for (i = 0; i < MHI_COUNT(v->dr); i++)
		mhi_write_dr(i, v->dr[i]);
	v->dr_live = true;
	if (!v->debug)
		v->vm->ops->dr_intercept(v, false);
}

void mhi_dr_unload(struct mhi_vcpu *v)
{
	unsigned int i;

	for (i = 0; i < MHI_COUNT(v->dr); i++) {
		v->dr[i] = mhi_read_dr(i);
		if (v->host_dr7 & MHI_DR7_ENABLES)
			mhi_write_dr(i, v->host_dr[i]);
	}
	v->dr_live = false;
}

void mhi_dr_get(const struct mhi_vcpu *v, u64 dr[4])
{
	unsigned int i;

	for (i = 0; i < MHI_COUNT(v->dr); i++)
		dr[i] = v->dr_live ? mhi_read_dr(i) : v->dr[i];
}

void mhi_dr_set(struct mhi_vcpu *v, const u64 dr[4])
{
	unsigned int i;

	for (i = 0; i < MHI_COUNT(v->dr); i++) {
		v->dr[i] = dr[i];
		if (v->dr_live)
			mhi_write_dr(i, dr[i]);
	}
}
