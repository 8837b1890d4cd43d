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

bool mhi_crs_ok(const struct mhi_vm *vm, u64 cr0, u64 cr4, u64 efer)
{
	bool pg = (cr0 & MHI_CR0_PG) != 0, lma = (efer & MHI_EFER_LMA) != 0;

	if ((cr0 & ~MHI_CR0_VALID) || (cr4 & ~vm->caps.cr4) || (efer & ~MHI_EFER_VALID))
		return false;
	if ((pg && !(cr0 & MHI_CR0_PE)) || ((cr0 & MHI_CR0_NW) && !(cr0 & MHI_CR0_CD)))
		return false;
	if (lma != (pg && (efer & MHI_EFER_LME)))
		return false;
	return lma ? (cr4 & MHI_CR4_PAE) != 0 : !(cr4 & MHI_CR4_PCIDE);
}

static bool cr0_write(struct mhi_vcpu *v, u64 value)
{
	const struct mhi_hv_ops *ops = v->vm->ops;
	u64 efer = ops->msr_get(v, MHI_MSR_EFER), lma = 0;

	if ((value & MHI_CR0_PG) && (efer & MHI_EFER_LME))
		lma = MHI_EFER_LMA;
	if (value >> 32)
		return false;
	/*
	 * Reserved low bits are ignored, not refused: SDM 2B "MOV-Move to/from Control Registers".
	 */
	value = (value & MHI_CR0_VALID) | MHI_CR0_ET;
	if (!mhi_crs_ok(v->vm, value, ops->cr_get(v, 4), (efer & ~MHI_EFER_LMA) | lma))
		return false;
	if ((efer & MHI_EFER_LMA) != lma)
		ops->msr_set(v, MHI_MSR_EFER, efer ^ MHI_EFER_LMA);
	if ((ops->cr_get(v, 0) ^ value) & MHI_CR0_PG)
		v->flush = true;
	ops->cr_set(v, 0, value);
	return true;
}

static bool cr4_write(struct mhi_vcpu *v, u64 value)
{
	const struct mhi_hv_ops *ops = v->vm->ops;
	u64 old = ops->cr_get(v, 4);

	if (!mhi_crs_ok(v->vm, ops->cr_get(v, 0), value, ops->msr_get(v, MHI_MSR_EFER)))
		return false;
	if ((value & ~old & MHI_CR4_PCIDE) && (ops->cr_get(v, 3) & 0xfff))
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

	/* LMA is read-only for WRMSR; so a change of LME while paging is on contradicts it. */
	value = (value & ~MHI_EFER_LMA) | (old & MHI_EFER_LMA);
	if (!mhi_crs_ok(v->vm, ops->cr_get(v, 0), ops->cr_get(v, 4), value))
		return false;
	if ((old ^ value) & MHI_EFER_NXE)
		v->flush = true;
	ops->msr_set(v, MHI_MSR_EFER, value);
	return true;
}
