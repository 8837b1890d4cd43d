// SPDX-License-Identifier: (GPL-2.0 OR MIT)
/*
 * The VMX back end's table, and the life of VMX operation.
 *
 * A CPU is in one of three states: disabled (CR4.VMXE clear), root operation (between VMXON and
 * VMXOFF), non-root operation (the guest runs). Root operation never outlives a section: load()
 * sets CR4.VMXE, executes VMXON and VMPTRLD, put() executes VMCLEAR and VMXOFF and gives CR4 back,
 * all with interrupts off. Reasons:
 *  - Linux offers CR4 only to KVM. VMXE must be set behind its back, and its next CR4 write on that
 *    CPU comes from a shadow without VMXE: a #GP in root operation, and a dead host. In a section
 *    it never gets to write CR4.
 *  - INIT is blocked in root operation: CPU offline, kexec and reboot would hang. Outside sections
 *    nothing is held.
 *  - When KVM, or anything else, has set VMXE, load() sees it and touches nothing.
 * So the first entry of a section is VMLAUNCH and the later ones are VMRESUME; NMIs may arrive in
 * root operation. The price is VMXON, VMXOFF, VMCLEAR, VMPTRLD and two CR4 writes a section, none
 * of it in an exit that the shim handles.
 */
#include "arch/x86/vmx/vmx.h"

#define SS_DPL_SHIFT 5

static void fail(struct mhi_exit *x, u32 raw, u64 info)
{
	x->reason = MHI_X_ENTRY_FAILED;
	x->raw = raw;
	x->raw_info[0] = info;
	x->raw_info[1] = 0;
	x->insn_len = 0;
}

/* Only where firmware left the register unlocked; it stays as we set it until the next reset. */
static int feature_control(void)
{
	u64 value;

	if (mhi_rdmsr_safe(MHI_MSR_FEATURE_CONTROL, &value))
		return MHI_EIO;
	if (!(value & FEATURE_CONTROL_LOCK))
		mhi_wrmsr(MHI_MSR_FEATURE_CONTROL,
			  value | FEATURE_CONTROL_LOCK | FEATURE_CONTROL_VMX);
	else if (!(value & FEATURE_CONTROL_VMX))
		return MHI_EIO;
	return 0;
}

static void read_host_constants(struct mhi_cpu *cpu)
{
	unsigned int i;

	for (i = 0; i < VMX_SYSCALL_MSRS; i++)
		cpu->host_syscall[i] = mhi_rdmsr(mhi_vmx_syscall_msrs[i]);
	if (mhi_rdmsr_safe(MHI_MSR_TSC_AUX, &cpu->host_tsc_aux))
		cpu->host_tsc_aux = 0;
}

/*
 * Root operation, tried once: a CPU that refuses it is found when the VM is made, not in its first
 * section.
 */
static int vmx_cpu_on(struct mhi_cpu *cpu)
{
	struct vmx_caps caps;
	u32 revision;
	u64 cr4 = mhi_read_cr4();
	int err;

	if (cr4 & MHI_CR4_VMXE)
		return MHI_EBUSY;
	mhi_vmx_caps_read(&caps);
	err = feature_control();
	if (err)
		return err;
	revision = (u32)caps.basic & VMCS_REVISION_MASK;
	memcpy(cpu->page, &revision, sizeof(revision));
	mhi_write_cr4(cr4 | MHI_CR4_VMXE);
	err = mhi_vmxon(cpu->page_pa);
	if (!err)
		err = mhi_vmxoff();
	mhi_write_cr4(cr4);
	if (err)
		return MHI_EIO;
	read_host_constants(cpu);
	cpu->on = true;
	return 0;
}

static void vmx_cpu_off(struct mhi_cpu *cpu)
{
	cpu->on = false;
}

/* Disabled -> root, the vCPU's VMCS current. On failure the CPU is as before. */
static int root_enter(struct mhi_vcpu *v, struct mhi_exit *x)
{
	struct vmx_vcpu *h = vmx_of(v);
	u64 cr4 = mhi_read_cr4();

	if (cr4 & MHI_CR4_VMXE) {
		fail(x, MHI_VMX_BUSY, 0);
		return MHI_EBUSY;
	}
	mhi_write_cr4(cr4 | MHI_CR4_VMXE);
	if (mhi_vmxon(v->cpu->page_pa)) {
		fail(x, MHI_VMX_INSN_FAILED, VMX_INSN_VMXON);
		goto off;
	}
	if (!h->filled && mhi_vmclear(h->vmcs_pa)) {
		fail(x, MHI_VMX_INSN_FAILED, VMX_INSN_VMCLEAR);
		goto leave;
	}
	if (mhi_vmptrld(h->vmcs_pa)) {
		fail(x, MHI_VMX_INSN_FAILED, VMX_INSN_VMPTRLD);
		goto leave;
	}
	return 0;
leave:
	(void)mhi_vmxoff();
off:
	mhi_write_cr4(cr4);
	return MHI_EIO;
}

/* SDM 3C 25.6.5 "Time-Stamp Counter Offset and Multiplier". 0: as on a CPU that cannot. */
static void scale_tsc(struct vmx_vcpu *h, u64 ratio)
{
	h->tsc_ratio = ratio;
	vmwrite64(&h->ref, VMCS_TSC_MULTIPLIER, ratio);
	vmwrite32(&h->ref, VMCS_PROC_CONTROLS2, ratio ? h->proc2 | PROC2_TSC_SCALING : h->proc2);
}

static int vmx_load(struct mhi_vcpu *v, struct mhi_exit *x)
{
	struct vmx_vcpu *h = vmx_of(v);
	int err = root_enter(v, x);

	if (err)
		return err;
	h->launched = false;
	if (!h->filled)
		mhi_vmx_fill(v);
	h->filled = true;
	vmcs_write_cached(&h->ref, &h->exceptions, VMCS_EXCEPTION_BITMAP, MHI_EXCEPTIONS(v));
	mhi_vmx_host_save(v);
	mhi_vmx_guest_msrs_load(v);
	vmcs_write_cached(&h->ref, &h->tsc_offset, VMCS_TSC_OFFSET, v->vm->tsc_offset);
	if (h->tsc_ratio != v->vm->tsc_ratio)
		scale_tsc(h, v->vm->tsc_ratio);
	return 0;
}

static void vmx_dr_intercept(struct mhi_vcpu *v, bool on)
{
	struct vmx_vcpu *h = vmx_of(v);

	mhi_vmx_proc_set(h, on ? h->proc | PROC_MOV_DR : h->proc & ~(u64)PROC_MOV_DR);
}

static void vmx_put(struct mhi_vcpu *v)
{
	struct vmx_vcpu *h = vmx_of(v);

	if (v->dr_live)
		vmx_dr_intercept(v, true);
	/* Neither can fail here: the VMCS is ours and current, and this is root operation. */
	(void)mhi_vmclear(h->vmcs_pa);
	(void)mhi_vmxoff();
	mhi_write_cr4(h->host.cr4 & ~MHI_CR4_VMXE);
	mhi_vmx_host_restore(v);
}

/*
 * Without a VPID every entry and exit drops linear translations by itself: SDM 3C 28.3.3.1. Where
 * the CPU knows only the types for all contexts, those ignore which one is meant.
 */
static int flush(struct mhi_vcpu *v)
{
	struct vmx_vcpu *h = vmx_of(v);
	u64 cap = h->ept_vpid_cap;

	if (h->flush_vpid && h->vpid &&
	    mhi_invvpid(cap & EPT_CAP_INVVPID_SINGLE ? INVVPID_SINGLE : INVVPID_ALL, h->vpid, 0))
		return MHI_EIO;
	if (v->flush &&
	    mhi_invept(cap & EPT_CAP_INVEPT_SINGLE ? INVEPT_SINGLE : INVEPT_ALL, h->eptp, 0))
		return MHI_EIO;
	h->flush_vpid = false;
	v->flush = false;
	return 0;
}

/*
 * What must be right before the entry and seldom has anything to do. False: *x says why there is no
 * entry.
 */
static bool prepare(struct mhi_vcpu *v, struct mhi_exit *x)
{
	struct vmx_vcpu *h = vmx_of(v);

	if (h->mode_refused) {
		fail(x, MHI_VMX_NEEDS_UNRESTRICTED, 0);
		return false;
	}
	if (h->pdptes_stale && mhi_vmx_pdptes_load(v)) {
		/* The run loop makes the page present and comes back. */
		x->reason = MHI_X_FETCH;
		x->raw = EXIT_EPT_VIOLATION;
		x->fault.gpa = (u32)mhi_vmx_cr_get(v, 3);
		x->fault.access = MHI_FAULT_READ;
		return false;
	}
	if ((h->flush_vpid || v->flush) && flush(v)) {
		fail(x, MHI_VMX_INSN_FAILED, VMX_INSN_INVALIDATE);
		return false;
	}
	return true;
}

static void read_parts(struct mhi_vcpu *v, u32 needs, struct vmx_raw *raw)
{
	struct vmcs_ref *r = &vmx_of(v)->ref;
	u32 gpr;

	raw->qualification = (needs & VMX_NEED_QUAL) ? vmreadn(r, VMCS_EXIT_QUALIFICATION) : 0;
	raw->vectoring = (needs & VMX_NEED_VECTORING) ? vmread32(r, VMCS_IDT_VECTORING_INFO) : 0;
	raw->linear = (needs & VMX_NEED_LINEAR) ? vmreadn(r, VMCS_GUEST_LINEAR_ADDR) : 0;
	raw->intr_info = (needs & VMX_NEED_INTR) ? vmread32(r, VMCS_EXIT_INTR_INFO) : 0;
	raw->intr_error = (needs & VMX_NEED_INTR) ? vmread32(r, VMCS_EXIT_INTR_ERROR) : 0;
	if (needs & VMX_NEED_GPA)
		raw->gpa = vmread64(r, VMCS_GUEST_PHYSICAL_ADDR);
	if (needs & VMX_NEED_CR) {
		gpr = (u32)mhi_bits(raw->qualification, 11, 8);
		raw->reg = gpr == MHK_RSP ? vmreadn(r, VMCS_GUEST_RSP) : v->gpr[gpr];
		if (!mhi_vmx_in_code64(vmx_of(v)))
			raw->reg = (u32)raw->reg;
		raw->cr0 = mhi_vmx_cr_get(v, 0);
	}
}

static void read_exit(struct mhi_vcpu *v, struct vmx_raw *raw)
{
	struct vmcs_ref *r = &vmx_of(v)->ref;
	u32 needs;

	raw->reason = vmread32(r, VMCS_EXIT_REASON);
	raw->kind = mhi_vmx_kind(raw->reason);
	needs = raw->kind->needs;
	raw->insn_len = (needs & VMX_NEED_LEN) ? vmread32(r, VMCS_EXIT_INSN_LEN) : 0;
	if (needs & ~VMX_NEED_LEN)
		read_parts(v, needs, raw);
	v->rip = vmreadn(r, VMCS_GUEST_RIP);
	v->rip_dirty = false;
}

/*
 * VMLAUNCH or VMRESUME did not begin: the error number, and no event left behind for the next try.
 */
static void entry_refused(struct mhi_vcpu *v, u32 failed, struct mhi_exit *x)
{
	struct vmx_vcpu *h = vmx_of(v);

	if (failed == MHI_VMX_VALID)
		fail(x, vmread32(&h->ref, VMCS_INSN_ERROR), 0);
	else
		fail(x, MHI_VMX_INSN_FAILED, VMX_INSN_VMENTER);
	vmwrite32(&h->ref, VMCS_ENTRY_INTR_INFO, 0);
}

static void vmx_enter(struct mhi_vcpu *v, struct mhi_exit *x)
{
	struct vmx_vcpu *h = vmx_of(v);
	struct vmx_raw *raw = &h->raw;
	u32 failed;

	if ((h->mode_refused || h->pdptes_stale || h->flush_vpid || v->flush) && !prepare(v, x))
		return;
	if (v->rip_dirty)
		vmwriten(&h->ref, VMCS_GUEST_RIP, v->rip);
	h->irq_injected = false;
	if (v->event || v->nmi_pending || v->irq >= 0 || (h->proc & PROC_WINDOWS))
		mhi_vmx_events_before(v);
	if (h->ref.bad_field != VMCS_NO_FIELD) {
		fail(x, MHI_VMX_FIELD_ERROR, h->ref.bad_field);
		h->ref.bad_field = VMCS_NO_FIELD;
		vmwrite32(&h->ref, VMCS_ENTRY_INTR_INFO, 0);
		return;
	}
	if (mhi_read_cr2() != v->cr2)
		mhi_write_cr2(v->cr2);
	failed = mhi_vmx_enter(v->gpr, &h->host_rsp, h->launched);
	v->cr2 = mhi_read_cr2();
	if (failed) {
		entry_refused(v, failed, x);
		return;
	}
	read_exit(v, raw);
	/*
	 * A failed entry leaves the launch state as it was, and perhaps the event to inject: SDM 3C
	 * 26.8 "VM-Entry Failures During or After Loading Guest State".
	 */
	if (raw->reason & EXIT_ENTRY_FAILURE) {
		vmwrite32(&h->ref, VMCS_ENTRY_INTR_INFO, 0);
		h->host.lost = true;
	} else {
		h->launched = true;
	}
	/* An instruction interrupts no delivery. */
	if (raw->kind->needs & (VMX_NEED_VECTORING | VMX_NEED_INTR))
		mhi_vmx_events_after(v, raw);
	else
		v->irq_taken = h->irq_injected;
	mhi_vmx_decode(raw, x);
}

/* Only 64-bit code has a RIP beyond 4 GiB. */
static bool wraps(struct vmx_vcpu *h, u64 from, u64 to)
{
	return (from ^ to) >> 32 && !mhi_vmx_in_code64(h);
}

static void vmx_skip(struct mhi_vcpu *v, const struct mhi_exit *x)
{
	struct vmcs_ref *r = &vmx_of(v)->ref;
	u32 blocked = vmread32(r, VMCS_GUEST_INTERRUPTIBILITY);
	u64 from = v->rip;

	v->rip += x->insn_len;
	v->rip_dirty = true;
	if (wraps(vmx_of(v), from, v->rip))
		v->rip = (u32)v->rip;
	if (blocked & BLOCKED_BY_INSN)
		vmwrite32(r, VMCS_GUEST_INTERRUPTIBILITY, blocked & ~BLOCKED_BY_INSN);
	if (vmreadn(r, VMCS_GUEST_RFLAGS) & MHI_RFLAGS_TF)
		vmwriten(r, VMCS_GUEST_PENDING_DEBUG, PENDING_DEBUG_BS);
}

static u8 vmx_cpl(struct mhi_vcpu *v)
{
	return (vmread32(&vmx_of(v)->ref, VMCS_GUEST_SS_AR) >> SS_DPL_SHIFT) & 3;
}

static u64 vmx_rflags(struct mhi_vcpu *v)
{
	return vmreadn(&vmx_of(v)->ref, VMCS_GUEST_RFLAGS);
}

const struct mhi_hv_ops mhi_vmx_ops = {
	.vendor = MHK_VENDOR_VMX,
	.probe = mhi_vmx_probe,
	.cpu_on = vmx_cpu_on,
	.cpu_off = vmx_cpu_off,
	.vcpu_init = mhi_vmx_vcpu_init,
	.vcpu_fini = mhi_vmx_vcpu_fini,
	.load = vmx_load,
	.put = vmx_put,
	.state_get = mhi_vmx_state_get,
	.state_set = mhi_vmx_state_set,
	.enter = vmx_enter,
	.cr_get = mhi_vmx_cr_get,
	.cr_set = mhi_vmx_cr_set,
	.msr_get = mhi_vmx_msr_get,
	.msr_set = mhi_vmx_msr_set,
	.skip = vmx_skip,
	.cpl = vmx_cpl,
	.rflags = vmx_rflags,
	.code = mhi_vmx_code,
	.dr_intercept = vmx_dr_intercept,
};
