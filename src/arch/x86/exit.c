// SPDX-License-Identifier: (GPL-2.0 OR MIT)
/* What is done about each exit: vendors decode, this acts, once. One function per normal reason. */
#include "arch/x86/run.h"
#include "arch/x86/insn.h"
#include "arch/x86/msr.h"
#include "base/x86.h"

/* What the emulation of an instruction needs to know. */
#define G_EMULATE (MHK_G_GPR | MHK_G_RIP | MHK_G_CODE | MHK_G_CR)

void mhi_inject_exception(struct mhi_vcpu *v, unsigned int vector, bool has_error, u32 error)
{
	v->event = MHI_EVENT_VALID | MHI_EVENT_EXCEPTION << 8 | vector |
		   (has_error ? MHI_EVENT_ERROR : 0);
	v->event_error = has_error ? error : 0;
}

enum mhi_run mhi_exit_to_user(struct mhi_vcpu *v, const struct mhi_exit *x, u32 reason, u32 provide)
{
	v->exit.reason = reason;
	v->exit.raw = x->raw;
	v->exit.raw_info[0] = x->raw_info[0];
	v->exit.raw_info[1] = x->raw_info[1];
	v->provide = provide;
	return MHI_RUN_USER;
}

static enum mhi_run on_gp(struct mhi_vcpu *v, const struct mhi_exit *x)
{
	mhi_inject_exception(v, MHI_VEC_GP, true, 0);
	return MHI_RUN_AGAIN;
}

static enum mhi_run on_host(struct mhi_vcpu *v, const struct mhi_exit *x)
{
	return MHI_RUN_HOST;
}

static enum mhi_run on_again(struct mhi_vcpu *v, const struct mhi_exit *x)
{
	return MHI_RUN_AGAIN;
}

/*
 * #DB and #AC are intercepted only so that a guest cannot loop in their delivery; it gets them all
 * the same. What is injected comes before any interrupt of the host, whose turn is between.
 */
static enum mhi_run on_exception(struct mhi_vcpu *v, const struct mhi_exit *x)
{
	mhi_inject_exception(v, x->vector, x->vector == MHI_VEC_AC, x->error);
	return MHI_RUN_HOST;
}

static enum mhi_run on_ud(struct mhi_vcpu *v, const struct mhi_exit *x)
{
	mhi_inject_exception(v, MHI_VEC_UD, false, 0);
	return MHI_RUN_AGAIN;
}

static enum mhi_run on_skip(struct mhi_vcpu *v, const struct mhi_exit *x)
{
	v->vm->ops->skip(v, x);
	return MHI_RUN_AGAIN;
}

/* What ends the guest, or nobody understands: user space reports it, with the state. */
static enum mhi_run on_fatal(struct mhi_vcpu *v, const struct mhi_exit *x)
{
	u32 reason = x->reason == MHI_X_TRIPLE_FAULT   ? MHK_EXIT_SHUTDOWN
		     : x->reason == MHI_X_ENTRY_FAILED ? MHK_EXIT_ENTRY_FAILED
						       : MHK_EXIT_UNHANDLED;

	return mhi_exit_to_user(v, x, reason, MHK_G_ALL & ~MHK_G_FPU);
}

static enum mhi_run on_cpuid(struct mhi_vcpu *v, const struct mhi_exit *x)
{
	u32 r[4];

	mhi_cpuid_emulate(v, (u32)v->gpr[MHK_RAX], (u32)v->gpr[MHK_RCX], r);
	v->gpr[MHK_RAX] = r[0];
	v->gpr[MHK_RBX] = r[1];
	v->gpr[MHK_RCX] = r[2];
	v->gpr[MHK_RDX] = r[3];
	return on_skip(v, x);
}

static enum mhi_run on_hlt(struct mhi_vcpu *v, const struct mhi_exit *x)
{
	v->vm->ops->skip(v, x);
	v->halt_irqs = (v->vm->ops->rflags(v) & MHI_RFLAGS_IF) != 0;
	/* A #DB that comes after it ends it, too: SDM 2A "HLT". */
	if (v->debug & MHK_DEBUG_STEP || v->vm->ops->rflags(v) & MHI_RFLAGS_TF)
		return MHI_RUN_AGAIN;
	v->mp_state = MHK_MP_HALTED;
	mhi_lapic_timer_near(v);
	return MHI_RUN_AGAIN;
}

static enum mhi_run on_hypercall(struct mhi_vcpu *v, const struct mhi_exit *x)
{
	v->vm->ops->skip(v, x);
	return mhi_exit_to_user(v, x, MHK_EXIT_HYPERCALL, MHK_G_GPR | MHK_G_CR | MHK_G_SEG);
}

static enum mhi_run on_cr_write(struct mhi_vcpu *v, const struct mhi_exit *x)
{
	return mhi_cr_write(v, x->cr.nr, x->cr.value) ? on_skip(v, x) : on_gp(v, x);
}

static enum mhi_run on_cr_read(struct mhi_vcpu *v, const struct mhi_exit *x)
{
	v->gpr[x->cr.gpr] = mhi_lapic_cr8(&v->lapic);
	return on_skip(v, x);
}

static enum mhi_run on_dr(struct mhi_vcpu *v, const struct mhi_exit *x)
{
	if (v->debug)
		return mhi_exit_to_user(v, x, MHK_EXIT_INSN, G_EMULATE);
	mhi_dr_live(v);
	return MHI_RUN_AGAIN;
}

static enum mhi_run on_io(struct mhi_vcpu *v, const struct mhi_exit *x)
{
	v->exit.u.io.port = x->io.port;
	v->exit.u.io.width = x->io.width;
	v->exit.u.io.flags = x->io.flags;
	if (x->io.flags & MHK_IO_STRING)
		return mhi_exit_to_user(v, x, MHK_EXIT_IO, G_EMULATE);
	v->vm->ops->skip(v, x);
	if (x->io.flags & MHK_IO_IN) {
		v->pending = MHI_PEND_IN;
		v->pending_len = x->io.width;
	} else {
		v->exit.u.io.data = (u32)v->gpr[MHK_RAX] & (u32)(~0ull >> (64 - 8 * x->io.width));
	}
	return mhi_exit_to_user(v, x, MHK_EXIT_IO, 0);
}

static u64 edx_eax(const struct mhi_vcpu *v)
{
	return (v->gpr[MHK_RDX] << 32) | (u32)v->gpr[MHK_RAX];
}

static void set_edx_eax(struct mhi_vcpu *v, u64 value)
{
	v->gpr[MHK_RAX] = (u32)value;
	v->gpr[MHK_RDX] = (u32)(value >> 32);
}

static enum mhi_run msr_to_user(struct mhi_vcpu *v, const struct mhi_exit *x, u64 value)
{
	bool write = x->reason == MHI_X_WRMSR;

	v->exit.u.msr.index = (u32)v->gpr[MHK_RCX];
	v->exit.u.msr.pad = 0;
	v->exit.u.msr.data = value;
	v->pending = write ? MHI_PEND_WRMSR : MHI_PEND_RDMSR;
	v->pending_len = x->insn_len;
	return mhi_exit_to_user(v, x, write ? MHK_EXIT_WRMSR : MHK_EXIT_RDMSR, 0);
}

/* A level-triggered vector ended: user space's interrupt controller must hear it. */
static enum mhi_run eoi_to_user(struct mhi_vcpu *v, const struct mhi_exit *x)
{
	v->lapic.eoi_pending = false;
	v->exit.u.eoi.vector = v->lapic.eoi_vector;
	return mhi_exit_to_user(v, x, MHK_EXIT_EOI, 0);
}

static enum mhi_run msr_result(struct mhi_vcpu *v, const struct mhi_exit *x,
			       enum mhi_msr_result result, u64 value)
{
	if (result == MHI_MSR_USER)
		return msr_to_user(v, x, value);
	if (result == MHI_MSR_GP)
		return on_gp(v, x);
	v->vm->ops->skip(v, x);
	return v->lapic.eoi_pending ? eoi_to_user(v, x) : MHI_RUN_AGAIN;
}

static enum mhi_run on_rdmsr(struct mhi_vcpu *v, const struct mhi_exit *x)
{
	u64 value = 0;
	enum mhi_msr_result result = mhi_msr_read(v, (u32)v->gpr[MHK_RCX], &value);

	if (result == MHI_MSR_DONE)
		set_edx_eax(v, value);
	return msr_result(v, x, result, value);
}

static enum mhi_run on_wrmsr(struct mhi_vcpu *v, const struct mhi_exit *x)
{
	u64 value = edx_eax(v);

	return msr_result(v, x, mhi_msr_write(v, (u32)v->gpr[MHK_RCX], value), value);
}

static enum mhi_run on_xsetbv(struct mhi_vcpu *v, const struct mhi_exit *x)
{
	bool may = v->vm->ops->cpl(v) == 0 && (u32)v->gpr[MHK_RCX] == 0;

	return may && mhi_xcr0_write(v, edx_eax(v)) ? on_skip(v, x) : on_gp(v, x);
}

/*
 * True: the store has rung its doorbell, or *r makes its instruction readable. Else it is user
 * space's, which does the same. An event whose delivery was interrupted was no instruction.
 */
static bool doorbell(struct mhi_vcpu *v, const struct mhi_exit *x, enum mhi_run *r)
{
	struct mhi_exit skip;
	int err;

	if (v->event || !mhi_host_doorbell(v, x->fault.gpa, false))
		return false;
	err = mhi_insn_store(v, x, &skip.insn_len);
	*r = err ? MHI_RUN_FAULT : MHI_RUN_AGAIN;
	if (err)
		return err == MHI_EAGAIN;
	if (!mhi_host_doorbell(v, x->fault.gpa, true))
		return false;
	v->vm->ops->skip(v, &skip);
	v->stats.doorbells++;
	return true;
}

/* The page must be made present; then the guest executes the instruction again. */
static enum mhi_run on_absent(struct mhi_vcpu *v, const struct mhi_exit *x)
{
	v->fault_gpa = x->fault.gpa;
	v->fault_access = x->fault.access;
	return MHI_RUN_FAULT;
}

static enum mhi_run on_fault(struct mhi_vcpu *v, const struct mhi_exit *x)
{
	enum mhi_gpa_kind kind = mhi_host_gpa_kind(v, x->fault.gpa);
	bool write = (x->fault.access & MHI_FAULT_WRITE) != 0;
	enum mhi_run r;

	if (kind == MHI_GPA_RAM || (kind == MHI_GPA_ROM && !write))
		return on_absent(v, x);
	if (kind == MHI_GPA_NONE && write && doorbell(v, x, &r))
		return r;
	v->exit.u.mmio.gpa = x->fault.gpa;
	v->exit.u.mmio.flags = (write ? MHK_MMIO_WRITE : 0) |
			       (x->fault.access & MHI_FAULT_FETCH ? MHK_MMIO_FETCH : 0);
	v->exit.u.mmio.insn_len = x->fault.insn_bytes;
	memcpy(v->exit.u.mmio.insn, x->fault.insn, sizeof(v->exit.u.mmio.insn));
	return mhi_exit_to_user(v, x, MHK_EXIT_MMIO, G_EMULATE);
}

typedef enum mhi_run handler_fn(struct mhi_vcpu *v, const struct mhi_exit *x);

static handler_fn *const handlers[MHI_X_COUNT] = {
	[MHI_X_HOST] = on_host,
	[MHI_X_EXCEPTION] = on_exception,
	[MHI_X_TRIPLE_FAULT] = on_fatal,
	[MHI_X_INIT] = on_host,
	[MHI_X_WINDOW] = on_again,
	[MHI_X_TASK_SWITCH] = on_fatal,
	[MHI_X_CPUID] = on_cpuid,
	[MHI_X_HLT] = on_hlt,
	[MHI_X_INVD] = on_skip,
	[MHI_X_RDPMC] = on_gp,
	[MHI_X_HYPERCALL] = on_hypercall,
	[MHI_X_VIRT_INSN] = on_ud,
	[MHI_X_CR_WRITE] = on_cr_write,
	[MHI_X_CR_READ] = on_cr_read,
	[MHI_X_DR] = on_dr,
	[MHI_X_IO] = on_io,
	[MHI_X_RDMSR] = on_rdmsr,
	[MHI_X_WRMSR] = on_wrmsr,
	[MHI_X_XSETBV] = on_xsetbv,
	[MHI_X_PAUSE] = on_again,
	[MHI_X_MONITOR] = on_ud,
	[MHI_X_FAULT] = on_fault,
	[MHI_X_FETCH] = on_absent,
	[MHI_X_MISCONFIG] = on_fatal,
	[MHI_X_ENTRY_FAILED] = on_fatal,
	[MHI_X_UNHANDLED] = on_fatal,
};

bool mhi_exit_debug(struct mhi_vcpu *v)
{
	const struct mhi_exit x = { .raw = ~0u };
	u32 vector = v->event & 0x1f;

	if (v->told || MHI_EVENT_TYPE(v->event) != MHI_EVENT_EXCEPTION || !(v->debug >> vector & 1))
		return false;
	v->event = 0;
	v->exit.u.eoi.vector = vector;
	mhi_exit_to_user(v, &x, MHK_EXIT_DEBUG, MHK_G_RIP | MHK_G_DR);
	return true;
}

enum mhi_run mhi_exit_handle(struct mhi_vcpu *v, const struct mhi_exit *x)
{
	v->stats.by_reason[x->reason]++;
	return handlers[x->reason](v, x);
}

static void complete_in(struct mhi_vcpu *v)
{
	u64 mask = ~0ull >> (64 - 8 * v->pending_len);
	u64 value = v->reply & mask;

	/* A 32-bit result clears the upper half, narrower ones keep the rest: SDM 1 3.4.1.1. */
	if (v->pending_len < 4)
		value |= v->gpr[MHK_RAX] & ~mask;
	v->gpr[MHK_RAX] = value;
}

void mhi_exit_complete(struct mhi_vcpu *v)
{
	struct mhi_exit x = { .insn_len = v->pending_len };
	enum mhi_pending pending = v->pending;

	v->pending = MHI_PEND_NONE;
	if (pending == MHI_PEND_IN) {
		complete_in(v);
	} else if (v->reply_flags & MHK_REPLY_GP) {
		on_gp(v, &x);
	} else {
		if (pending == MHI_PEND_RDMSR)
			set_edx_eax(v, v->reply);
		v->vm->ops->skip(v, &x);
	}
}
