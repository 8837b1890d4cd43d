// SPDX-License-Identifier: (GPL-2.0 OR MIT)
/*
 * The guest's x87, SSE and AVX state: an XSAVE area of our own, loaded inside the kernel's own
 * FPU section. The host process' registers are in its task by then, so neither side ever sees the
 * other's.
 */
#include <asm/fpu/api.h>
#include <linux/gfp.h>
#include <linux/slab.h>

#include "kdrv.h"
#include "base/x86.h"
#include "x86_insn.h"

/* SDM 1 13.4 "XSAVE Area": legacy region, then the header. */
#define OFF_FCW 0
#define OFF_MXCSR 24
#define OFF_HEADER 512
#define HEADER_BYTES 64
#define FCW_RESET 0x37f
#define MXCSR_RESET 0x1f80
#define MXCSR_VALID 0xffffu

struct xsave_header {
	u64 xstate_bv, xcomp_bv;
	u64 reserved[6];
};

int mhi_fpu_init(struct drv_vcpu *vcpu)
{
	BUILD_BUG_ON(sizeof(struct xsave_header) != HEADER_BYTES);
	vcpu->fpu = mhi_host_page_alloc();
	if (!vcpu->fpu)
		return -ENOMEM;
	*(u16 *)(vcpu->fpu + OFF_FCW) = FCW_RESET;
	*(u32 *)(vcpu->fpu + OFF_MXCSR) = MXCSR_RESET;
	((struct xsave_header *)(vcpu->fpu + OFF_HEADER))->xstate_bv =
		vcpu->vm->arch.caps.xcr0 & (MHI_XCR0_X87 | MHI_XCR0_SSE);
	return 0;
}

void mhi_fpu_load(struct drv_vcpu *vcpu)
{
	u64 mask = vcpu->vm->arch.caps.xcr0;

	kernel_fpu_begin();
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
	struct xsave_header *h;
	u32 mxcsr;
	int err = -EINVAL;
	void *copy;

	/* The image is in a page that user space may still write: check a copy. */
	copy = kmemdup(image, MHK_FPU_BYTES, GFP_KERNEL_ACCOUNT);
	if (!copy)
		return -ENOMEM;
	h = copy + OFF_HEADER;
	mxcsr = *(u32 *)(copy + OFF_MXCSR);
	if (!(h->xstate_bv & ~vcpu->vm->arch.caps.xcr0) && !h->xcomp_bv &&
	    !(mxcsr & ~MXCSR_VALID) && !memchr_inv(h->reserved, 0, sizeof(h->reserved))) {
		memcpy(vcpu->fpu, copy, MHK_FPU_BYTES);
		err = 0;
	}
	kfree(copy);
	return err;
}
