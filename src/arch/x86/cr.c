// SPDX-License-Identifier: (GPL-2.0 OR MIT)
/*
 * Guest writes of CR0, CR3, CR4, CR8, XCR0 and EFER: the architectural checks, once for both
 * vendors.
 */
#include "arch/x86/run.h"
#include "base/x86.h"
#include "x86_insn.h"

/*
 * A change of any of these bits drops linear translations: SDM 3A 4.10.4.1 "Operations that
 * Invalidate TLBs".
 */
#define CR4_FLUSHES \
	(MHI_CR4_PSE | MHI_CR4_PAE | MHI_CR4_PGE | MHI_CR4_PCIDE | MHI_CR4_SMEP | MHI_CR4_SMAP)

static bool cr0_write(struct mhi_vcpu *v, u64 value)
{
	const struct mhi_hv_ops *ops = v->vm->ops;
	u64 old = ops->cr_get(v, 0);
	u64 efer;

	value |= MHI_CR0_ET;
	if (value >> 32 || ((value & MHI_CR0_PG) && !(value & MHI_CR0_PE)) ||
	    ((value & MHI_CR0_NW) && !(value & MHI_CR0_CD)))
		return false;
	if ((old ^ value) & MHI_CR0_PG) {
		efer = ops->msr_get(v, MHI_MSR_EFER);
		if (value & MHI_CR0_PG) {
			if ((efer & MHI_EFER_LME) && !(ops->cr_get(v, 4) & MHI_CR4_PAE))
				return false;
			if (efer & MHI_EFER_LME)
				ops->msr_set(v, MHI_MSR_EFER, efer | MHI_EFER_LMA);
		} else {
			if (ops->cr_get(v, 4) & MHI_CR4_PCIDE)
				return false;
			ops->msr_set(v, MHI_MSR_EFER, efer & ~MHI_EFER_LMA);
		}
		v->flush = true;
	}
	/*
	 * Reserved low bits are ignored, not refused: SDM 2B "MOV-Move to/from Control Registers".
	 */
	ops->cr_set(v, 0, value & MHI_CR0_VALID);
	return true;
}

static bool cr4_write(struct mhi_vcpu *v, u64 value)
{
	const struct mhi_hv_ops *ops = v->vm->ops;
	u64 old = ops->cr_get(v, 4);
	bool lma = (ops->msr_get(v, MHI_MSR_EFER) & MHI_EFER_LMA) != 0;

	if (value & ~v->vm->caps.cr4)
		return false;
	if (lma && !(value & MHI_CR4_PAE))
		return false;
	if ((value & ~old & MHI_CR4_PCIDE) && (!lma || (ops->cr_get(v, 3) & 0xfff)))
		return false;
	if ((old ^ value) & CR4_FLUSHES)
		v->flush = true;
	ops->cr_set(v, 4, value);
	return true;
}

bool mhi_cr_write(struct mhi_vcpu *v, unsigned int nr, u64 value)
{
	switch (nr) {
	case 0:
		return cr0_write(v, value);
	case 3:
		v->flush = true;
		v->vm->ops->cr_set(v, 3, value & ~MHI_BIT(63));
		return true;
	case 4:
		return cr4_write(v, value);
	case 8:
		if (value > 15)
			return false;
		mhi_lapic_set_cr8(v, value);
		return true;
	default:
		return false;
	}
}

/* SDM 1 13.3 "Enabling the XSAVE Feature Set and XSAVE-Enabled Features". */
bool mhi_xcr0_ok(const struct mhi_vm *vm, u64 value)
{
	if (!(value & MHI_XCR0_X87) || (value & ~(vm->caps.xcr0 | MHI_XCR0_X87)))
		return false;
	if ((value & MHI_XCR0_AVX) && !(value & MHI_XCR0_SSE))
		return false;
	if (value & MHI_XCR0_AVX512)
		return (value & MHI_XCR0_AVX512) == MHI_XCR0_AVX512 && (value & MHI_XCR0_AVX);
	return true;
}

bool mhi_xcr0_write(struct mhi_vcpu *v, u64 value)
{
	if (!mhi_xcr0_ok(v->vm, value))
		return false;
	v->xcr0 = value;
	mhi_xsetbv0(value);
	return true;
}

void mhi_xcr0_look(struct mhi_vcpu *v)
{
	if (v->vm->caps.xcr0)
		v->xcr0 = mhi_xgetbv0();
}

bool mhi_efer_write(struct mhi_vcpu *v, u64 value)
{
	const struct mhi_hv_ops *ops = v->vm->ops;
	u64 old = ops->msr_get(v, MHI_MSR_EFER);

	if (value & ~MHI_EFER_VALID)
		return false;
	if (((old ^ value) & MHI_EFER_LME) && (ops->cr_get(v, 0) & MHI_CR0_PG))
		return false;
	if ((old ^ value) & MHI_EFER_NXE)
		v->flush = true;
	/* LMA is read-only for WRMSR. */
	ops->msr_set(v, MHI_MSR_EFER, (value & ~MHI_EFER_LMA) | (old & MHI_EFER_LMA));
	return true;
}
