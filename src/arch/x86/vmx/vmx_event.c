// SPDX-License-Identifier: (GPL-2.0 OR MIT)
/*
 * Events at VM entry and exit: injection, windows, deliveries that an exit interrupted, NMI
 * blocking, #DB.
 */
#include "arch/x86/vmx/vmx.h"

/* Exit qualification for debug exceptions, SDM 3C table 27-1; DR6 has them at the same places. */
#define DEBUG_CAUSES 0x600full
#define DR7_GD (1ull << 13)

static bool is_software(u32 event)
{
	return MHI_EVENT_TYPE(event) >= MHI_EVENT_SOFT;
}

static void inject(struct mhi_vcpu *v, u32 event)
{
	struct vmcs_ref *r = &vmx_of(v)->ref;

	/* Real mode pushes no error code, and VM entry refuses one there. */
	if ((event & MHI_EVENT_ERROR) && !(vmreadn(r, VMCS_GUEST_CR0) & MHI_CR0_PE))
		event &= ~MHI_EVENT_ERROR;
	if (event & MHI_EVENT_ERROR)
		vmwrite32(r, VMCS_ENTRY_ERROR_CODE, v->event_error);
	if (is_software(event))
		vmwrite32(r, VMCS_ENTRY_INSN_LEN, v->event_len);
	vmwrite32(r, VMCS_ENTRY_INTR_INFO, event);
}

/*
 * Nothing else is being injected: NMI first, then the offered interrupt. Returns the windows to
 * watch.
 */
static u32 inject_asynchronous(struct mhi_vcpu *v)
{
	struct vmx_vcpu *h = vmx_of(v);
	u32 blocked = vmread32(&h->ref, VMCS_GUEST_INTERRUPTIBILITY);
	u32 windows = 0;
	bool injected = false;

	/* Entries that inject these lose a #DB that is pending; it comes before the windows. */
	if (vmreadn(&h->ref, VMCS_GUEST_PENDING_DEBUG) & (PENDING_DEBUG_BP | PENDING_DEBUG_BS))
		blocked |= BLOCKED_BY_MOV_SS;
	if (v->nmi_pending) {
		if (blocked & (BLOCKED_BY_INSN | BLOCKED_BY_NMI)) {
			/* The NMI window may open while STI blocks, again and again. */
			windows |= blocked & BLOCKED_BY_STI ? PROC_INTR_WINDOW : PROC_NMI_WINDOW;
		} else {
			inject(v, MHI_EVENT_VALID | MHI_EVENT_NMI << 8 | MHI_VEC_NMI);
			v->nmi_pending = false;
			injected = true;
		}
	}
	if (v->irq < 0)
		return windows;
	if (injected || (blocked & BLOCKED_BY_INSN) ||
	    !(vmreadn(&h->ref, VMCS_GUEST_RFLAGS) & MHI_RFLAGS_IF))
		return windows | PROC_INTR_WINDOW;
	inject(v, MHI_EVENT_VALID | MHI_EVENT_EXTERNAL << 8 | (u32)v->irq);
	h->irq_injected = true;
	return windows;
}

void mhi_vmx_events_before(struct mhi_vcpu *v)
{
	struct vmx_vcpu *h = vmx_of(v);
	u64 proc = h->proc & ~(u64)PROC_WINDOWS;

	/* An NMI waits for its turn like any other, whoever asked for it. */
	if ((v->event & MHI_EVENT_VALID) && MHI_EVENT_TYPE(v->event) == MHI_EVENT_NMI) {
		v->event = 0;
		v->nmi_pending = true;
	}
	if (v->event & MHI_EVENT_VALID) {
		inject(v, v->event);
		v->event = 0;
		if (v->nmi_pending)
			proc |= PROC_NMI_WINDOW;
		if (v->irq >= 0)
			proc |= PROC_INTR_WINDOW;
	} else if (v->nmi_pending || v->irq >= 0) {
		proc |= inject_asynchronous(v);
	}
	mhi_vmx_proc_set(h, proc);
}

static void interruptibility_change(struct vmcs_ref *r, u32 clear, u32 set)
{
	u32 blocked = vmread32(r, VMCS_GUEST_INTERRUPTIBILITY);

	vmwrite32(r, VMCS_GUEST_INTERRUPTIBILITY, (blocked & ~clear) | set);
}

/*
 * SDM 3C 27.2.4 "Information for VM Exits During Event Delivery": deliver it again, or leave it
 * where it came from.
 */
static void delivery_interrupted(struct mhi_vcpu *v, u32 info)
{
	struct vmx_vcpu *h = vmx_of(v);

	switch (MHI_EVENT_TYPE(info)) {
	case MHI_EVENT_EXTERNAL:
		/* It stays requested in the local APIC. */
		h->irq_injected = false;
		break;
	case MHI_EVENT_NMI:
		v->nmi_pending = true;
		interruptibility_change(&h->ref, BLOCKED_BY_NMI | BLOCKED_BY_INSN, 0);
		break;
	default:
		v->event = info & MHI_EVENT_FIELDS;
		if (info & MHI_EVENT_ERROR)
			v->event_error = vmread32(&h->ref, VMCS_IDT_VECTORING_ERROR);
		if (is_software(info))
			v->event_len = vmread32(&h->ref, VMCS_EXIT_INSN_LEN);
		break;
	}
}

/*
 * SDM 3C 27.2.3 "Information About NMI Unblocking Due to IRET": the IRET that faulted had unblocked
 * NMIs, and will run again.
 */
static bool iret_faulted(const struct vmx_raw *raw)
{
	u32 basic = raw->reason & 0xffff;

	if (basic == EXIT_EPT_VIOLATION)
		return (raw->qualification & EVENT_NMI_UNBLOCKED_IRET) != 0;
	return basic == EXIT_EXCEPTION && (raw->intr_info & EVENT_NMI_UNBLOCKED_IRET) &&
	       MHI_EVENT_VECTOR(raw->intr_info) != MHI_VEC_DF;
}

/* The exit came instead of the exception: do to DR6 and DR7 what its delivery would have done. */
static void debug_exception(struct mhi_vcpu *v, const struct vmx_raw *raw)
{
	struct vmcs_ref *r = &vmx_of(v)->ref;
	u64 dr7 = vmreadn(r, VMCS_GUEST_DR7);
	u64 dr6 = mhi_read_dr(6) & ~MHI_DR6_BREAKPOINTS;

	mhi_write_dr(6, dr6 | (raw->qualification & DEBUG_CAUSES));
	if (dr7 & DR7_GD)
		vmwriten(r, VMCS_GUEST_DR7, dr7 & ~DR7_GD);
	/* INT1 is a trap: the handler returns behind it. */
	if (MHI_EVENT_TYPE(raw->intr_info) == MHI_EVENT_PRIV_SOFT) {
		v->rip += vmread32(r, VMCS_EXIT_INSN_LEN);
		v->rip_dirty = true;
	}
	/* VM entry wants a single-step trap under STI or MOV SS to be pending: SDM 3C 26.3.1.5. */
	if ((vmreadn(r, VMCS_GUEST_RFLAGS) & MHI_RFLAGS_TF) &&
	    (vmread32(r, VMCS_GUEST_INTERRUPTIBILITY) & BLOCKED_BY_INSN))
		vmwriten(r, VMCS_GUEST_PENDING_DEBUG, PENDING_DEBUG_BS);
}

static void exception_taken(struct mhi_vcpu *v, const struct vmx_raw *raw)
{
	u32 type = MHI_EVENT_TYPE(raw->intr_info);
	u32 vector = MHI_EVENT_VECTOR(raw->intr_info);

	if (type == MHI_EVENT_NMI)
		mhi_reraise_nmi();
	else if (vector == MHI_VEC_MC)
		mhi_raise_mce();
	else if (vector == MHI_VEC_DB)
		debug_exception(v, raw);
}

void mhi_vmx_events_after(struct mhi_vcpu *v, const struct vmx_raw *raw)
{
	struct vmx_vcpu *h = vmx_of(v);
	u32 basic = raw->reason & 0xffff;

	if (basic == EXIT_EXCEPTION && !(raw->reason & EXIT_ENTRY_FAILURE))
		exception_taken(v, raw);
	else if (basic == EXIT_ENTRY_MCE)
		mhi_raise_mce();
	if (raw->vectoring & MHI_EVENT_VALID)
		delivery_interrupted(v, raw->vectoring);
	else if (iret_faulted(raw))
		interruptibility_change(&h->ref, 0, BLOCKED_BY_NMI);
	v->irq_taken = h->irq_injected && !(raw->reason & EXIT_ENTRY_FAILURE);
}
