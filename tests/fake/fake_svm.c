// SPDX-License-Identifier: MIT
/* The fake AMD CPU behind svm_insn.h, and the host functions that its vCPU needs. */
#include "fake_svm.h"
#include "svm_insn.h"
#include <assert.h>

#define RAM_PAGE(gpa) ((gpa) & ~MHI_PAGE_MASK)

struct fake_svm fake_svm;

void fake_svm_cpu(u32 svm_edx)
{
	static const u32 max_std[4] = { 0xd, 0, 0, 0 };
	static const u32 std[4] = { 0, 0, 1u << 26 | 1u << 17, 0x038021ff };
	static const u32 seven[4] = { 0, 1u << 0 | 1u << 7 | 1u << 20, 1u << 2 | 1u << 22, 0 };
	static const u32 max_ext[4] = { 0x8000000a, 0, 0, 0 };
	static const u32 ext[4] = { 0, 0, 1u << 2, 1u << 26 | 1u << 27 };
	static const u32 addr[4] = { 0x3028, 0, 0, 0 };
	const u32 svm[4] = { 1, 16, 0, svm_edx };

	fake_x86_reset();
	fake_cpuid_set(0, 0, max_std);
	fake_cpuid_set(1, 0, std);
	fake_cpuid_set(7, 0, seven);
	fake_cpuid_set(0x80000000, 0, max_ext);
	fake_cpuid_set(0x80000001, 0, ext);
	fake_cpuid_set(0x80000008, 0, addr);
	fake_cpuid_set(0x8000000a, 0, svm);
	fake_msr_set(MHI_MSR_EFER, MHI_EFER_SCE | MHI_EFER_LME | MHI_EFER_LMA | MHI_EFER_NXE);
	fake_msr_set(MHI_MSR_VM_CR, 0);
	fake_msr_set(MHI_MSR_VM_HSAVE_PA, 0);
	fake_msr_set(MHI_MSR_TSC_AUX, 7);
	fake_dr[6] = MHI_DR6_RESET;
	fake_dr[7] = MHI_DR7_RESET;
	if (svm_edx & FAKE_SVM_TSC_RATE)
		fake_msr_set(MHI_MSR_TSC_RATIO, 0);
}

void fake_svm_begin(u32 svm_edx)
{
	struct fake_svm *f = &fake_svm;
	struct mhi_exit x;
	int err;

	memset(f, 0, sizeof(*f));
	fake_pages_fail_after(-1);
	f->absent = ~0ull;
	f->pages_before = fake_pages_live();
	fake_svm_cpu(svm_edx);
	err = mhi_svm_ops.probe(&f->caps);
	assert(!err);
	f->vm.ops = &mhi_svm_ops;
	f->vm.caps = f->caps;
	f->vm.npt.fmt = &mhi_npt_amd;
	f->vm.npt.root_pa = 0x5000;
	f->cpu.page_pa = 0x7000;
	err = mhi_svm_ops.cpu_on(&f->cpu);
	assert(!err);
	f->v.vm = &f->vm;
	f->v.cpu = &f->cpu;
	err = mhi_svm_ops.vcpu_init(&f->v);
	assert(!err);
	f->vmcb = svm_of(&f->v)->vmcb;
	err = mhi_svm_ops.load(&f->v, &x);
	assert(!err);
	hv_reset(&f->v);
}

void fake_svm_end(void)
{
	struct fake_svm *f = &fake_svm;

	mhi_svm_ops.put(&f->v);
	mhi_svm_ops.vcpu_fini(&f->v);
	mhi_svm_ops.cpu_off(&f->cpu);
	assert(fake_pages_live() == f->pages_before);
	assert(fake_faults == 0);
}

void fake_svm_exit(u64 code, u64 info1, u64 info2, struct mhi_exit *x)
{
	struct mhi_vmcb_control *c = &fake_svm.vmcb->control;

	c->exit_code = code;
	c->exit_info1 = info1;
	c->exit_info2 = info2;
	c->exit_int_info = 0;
	mhi_svm_ops.enter(&fake_svm.v, x);
}

/* ---- svm_insn.h ---- */

void mhi_svm_run(u64 *gpr, mh_hpa vmcb_pa, mh_hpa host_pa)
{
	struct fake_svm *f = &fake_svm;
	struct mhi_vmcb *vmcb = mhi_host_pa_to_va(vmcb_pa);

	assert(fake_msr(MHI_MSR_EFER) & MHI_EFER_SVME);
	assert(vmcb == f->vmcb);
	assert(host_pa == vmcb_pa + MHI_PAGE_SIZE && f->vmsaves);
	assert(vmcb->control.guest_asid != 0);
	assert(vmcb->state.efer & MHI_EFER_SVME);
	assert(vmcb->control.intercept_misc2 & SVM_INTERCEPT(VMRUN));
	f->at_entry = *vmcb;
	f->runs++;
	/* Every exit disables breakpoints and leaves the guest's DR6: APM 2 15.6 "#VMEXIT". */
	fake_dr[6] = vmcb->state.dr6;
	fake_dr[7] = MHI_DR7_RESET;
	if (f->guest)
		f->guest(f, vmcb, gpr);
}

void mhi_vmsave(mh_hpa pa)
{
	fake_svm.vmsaves++;
}

void mhi_raise_mce(void)
{
	fake_svm.machine_checks++;
}

/* ---- vcpu.h ---- */

int mhi_host_guest_read(struct mhi_vcpu *v, mh_gpa gpa, void *buf, u32 bytes)
{
	struct fake_svm *f = &fake_svm;

	assert(v == &f->v);
	assert(RAM_PAGE(gpa) == RAM_PAGE(gpa + bytes - 1));
	if (gpa >= FAKE_RAM_BYTES)
		return MHI_EFAULT;
	if (RAM_PAGE(gpa) == f->absent)
		return MHI_EAGAIN;
	memcpy(buf, f->ram + gpa, bytes);
	return 0;
}
