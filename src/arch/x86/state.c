// SPDX-License-Identifier: (GPL-2.0 OR MIT)
/* The whitelist that register state from user space passes before hardware sees it. */
#include "arch/x86/run.h"
#include "arch/x86/msr.h"
#include "base/x86.h"

static bool cr_ok(const struct mhi_vm *vm, const struct mhk_state *s)
{
	return mhi_crs_ok(vm, s->cr0, s->cr4, s->efer) && !(s->cr3 >> vm->caps.phys_bits) &&
	       s->cr8 <= 15 && mhi_xcr0_ok(vm, s->xcr0);
}

static bool segs_ok(const struct mhk_state *s)
{
	/* Attributes have no bit beyond "unusable"; hardware checks their sense at entry. */
	const u32 attr_valid = 0x1f0ffu;
	unsigned int i;

	for (i = 0; i < MHK_SEGS; i++)
		if (!mhi_canonical(s->seg[i].base) || (s->seg[i].attr & ~attr_valid))
			return false;
	return mhi_canonical(s->gdt.base) && mhi_canonical(s->idt.base);
}

static bool misc_ok(const struct mhk_state *s)
{
	return s->mp_state <= MHK_MP_HALTED && !(s->shadow & ~(MHK_SHADOW_STI | MHK_SHADOW_NMI));
}

static bool groups_ok(const struct mhi_vm *vm, u32 groups, const struct mhk_state *s)
{
	return (!(groups & MHK_G_RIP) || !(s->rflags & ~MHI_RFLAGS_VALID)) &&
	       (!(groups & MHK_G_SEG) || segs_ok(s)) && (!(groups & MHK_G_CR) || cr_ok(vm, s)) &&
	       (!(groups & MHK_G_DR) || !((s->dr6 | s->dr7) >> 32)) &&
	       (!(groups & MHK_G_MSR) || mhi_msrs_ok(s)) && (!(groups & MHK_G_MISC) || misc_ok(s));
}

/* A group is a run of neighbouring fields: from its first to the end of its last. */
struct group_span {
	u32 bit;
	u16 start, end;
};

#define SPAN(group, first, last)                                                                 \
	{                                                                                        \
		group, offsetof(struct mhk_state, first),                                        \
			offsetof(struct mhk_state, last) + sizeof(((struct mhk_state *)0)->last) \
	}

static const struct group_span spans[] = {
	SPAN(MHK_G_GPR, gpr, gpr),
	SPAN(MHK_G_RIP, rip, rflags),
	SPAN(MHK_G_SEG, seg, idt),
	SPAN(MHK_G_CR, cr0, xcr0),
	SPAN(MHK_G_DR, dr, dr7),
	SPAN(MHK_G_MSR, star, tsc_aux),
	SPAN(MHK_G_MISC, mp_state, shadow),
};

int mhi_state_take(struct mhi_vcpu *v, u32 groups, const struct mhk_state *shared)
{
	struct mhk_state *mine = &v->commit_state;
	unsigned int i;

	for (i = 0; i < MHI_COUNT(spans); i++)
		if (groups & spans[i].bit)
			memcpy((u8 *)mine + spans[i].start, (const u8 *)shared + spans[i].start,
			       (size_t)(spans[i].end - spans[i].start));
	v->commit &= ~groups;
	if (!groups_ok(v->vm, groups, mine))
		return MHI_EINVAL;
	mine->rflags |= MHI_RFLAGS_FIXED;
	v->commit |= groups;
	return 0;
}

int mhi_inject_user(struct mhi_vcpu *v, u32 inject, u32 error)
{
	u32 vector = MHI_EVENT_VECTOR(inject);

	if (inject == (MHK_INJECT_VALID | MHK_INJECT_NMI | MHI_VEC_NMI)) {
		v->nmi_pending = true;
		return 0;
	}
	if ((inject & ~(MHK_INJECT_ERROR | 0x1fu)) != (MHK_INJECT_VALID | MHK_INJECT_EXCEPTION) ||
	    vector == MHI_VEC_NMI)
		return MHI_EINVAL;
	mhi_inject_exception(v, vector, (inject & MHK_INJECT_ERROR) != 0, error);
	v->told = true;
	return 0;
}
