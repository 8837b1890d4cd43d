// SPDX-License-Identifier: (GPL-2.0 OR MIT)
/*
 * The guest's x87, SSE and AVX state: an XSAVE area of our own, loaded inside the kernel's own
 * FPU section. The host process' registers are in its task by then, so neither side ever sees the
 * other's.
 */
#include <asm/fpu/api.h>
#include <asm/fpu/types.h>
#include <linux/gfp.h>
#include <linux/slab.h>

#include "kdrv.h"
#include "base/x86.h"
#include "x86_insn.h"

#define FCW_RESET 0x37f
#define MXCSR_VALID 0xffffu

int mhi_fpu_init(struct drv_vcpu *vcpu)
{
	struct xregs_state *x = mhi_host_page_alloc();

	vcpu->fpu = x;
	if (!x)
		return -ENOMEM;
	x->i387.cwd = FCW_RESET;
	x->i387.mxcsr = MXCSR_DEFAULT;
	x->header.xfeatures = vcpu->vm->arch.caps.xcr0 & (MHI_XCR0_X87 | MHI_XCR0_SSE);
	return 0;
}

void mhi_fpu_load(struct drv_vcpu *vcpu)
{
	u64 mask = vcpu->vm->arch.caps.xcr0;

	/* FNINIT, too: not all of AMD's CPUs load the pointers of the last x87 instruction. */
	kernel_fpu_begin_mask(KFPU_387 | KFPU_MXCSR);
	if (mask)
		mhi_xrstor(vcpu->fpu, mask);
	else
		mhi_fxrstor(vcpu->fpu, 0);
}

void mhi_fpu_save(struct drv_vcpu *vcpu)
{
	u64 mask = vcpu->vm->arch.caps.xcr0;

	if (mask)
		mhi_xsave(vcpu->fpu, mask);
	else
		mhi_fxsave(vcpu->fpu, 0);
	kernel_fpu_end();
}

int mhi_fpu_set(struct drv_vcpu *vcpu, const void *image)
{
	struct xregs_state *copy;
	int err = -EINVAL;

	/* The image is in a page that user space may still write: check a copy. */
	copy = kmemdup(image, MHK_FPU_BYTES, GFP_KERNEL_ACCOUNT);
	if (!copy)
		return -ENOMEM;
	if (!(copy->header.xfeatures & ~vcpu->vm->arch.caps.xcr0) && !copy->header.xcomp_bv &&
	    !(copy->i387.mxcsr & ~MXCSR_VALID) &&
	    !memchr_inv(copy->header.reserved, 0, sizeof(copy->header.reserved))) {
		memcpy(vcpu->fpu, copy, MHK_FPU_BYTES);
		err = 0;
	}
	kfree(copy);
	return err;
}
