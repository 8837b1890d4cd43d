// SPDX-License-Identifier: MIT
/* The KVM engine's exits: from struct kvm_run to struct mhk_exit, and the answers back. */
#include "core/engine_kvm.h"

#include <sys/ioctl.h>

#define HYPERCALL_BYTES 3 /* VMCALL and VMMCALL alike */

struct mhk_exit *mhi_kvm_exit(struct mhi_eng_vcpu *v, u32 reason)
{
	struct mhk_exit *exit = &v->page->exit;

	memset(exit, 0, sizeof(*exit));
	exit->reason = reason;
	exit->raw = ~0u;
	return exit;
}

/* ---- port and memory accesses ---- */

/* KVM batches string instructions: each element is a plain access of its own to the library. */
static u8 *pio_element(struct mhi_eng_vcpu *v)
{
	const struct kvm_run *run = v->run;

	return (u8 *)run + run->io.data_offset + (size_t)v->pio_done * run->io.size;
}

static void give_pio(struct mhi_eng_vcpu *v)
{
	const struct kvm_run *run = v->run;
	struct mhk_exit *exit = mhi_kvm_exit(v, MHK_EXIT_IO);

	exit->u.io.port = run->io.port;
	exit->u.io.width = run->io.size;
	exit->u.io.flags = run->io.direction == KVM_EXIT_IO_IN ? MHK_IO_IN : 0;
	if (run->io.direction == KVM_EXIT_IO_OUT)
		memcpy(&exit->u.io.data, pio_element(v), run->io.size);
	v->pending = PEND_PIO;
}

static void on_io(struct mhi_eng_vcpu *v)
{
	v->pio_done = 0;
	give_pio(v);
}

static void on_mmio(struct mhi_eng_vcpu *v)
{
	const struct kvm_run *run = v->run;
	struct mhk_exit *exit = mhi_kvm_exit(v, MHK_EXIT_MMIO);

	exit->u.mmio.gpa = run->mmio.phys_addr;
	exit->u.mmio.flags = MHK_MMIO_DECODED;
	exit->u.mmio.insn_len = (u8)run->mmio.len;
	v->pending = PEND_MMIO_READ;
	if (run->mmio.is_write) {
		exit->u.mmio.flags |= MHK_MMIO_WRITE;
		memcpy(exit->u.mmio.insn, run->mmio.data, sizeof(run->mmio.data));
		v->pending = PEND_DONE;
	}
}

/* ---- MSRs, hypercalls, EOI ---- */

static void on_msr(struct mhi_eng_vcpu *v)
{
	const struct kvm_run *run = v->run;
	bool read = run->exit_reason == KVM_EXIT_X86_RDMSR;
	struct mhk_exit *exit = mhi_kvm_exit(v, read ? MHK_EXIT_RDMSR : MHK_EXIT_WRMSR);

	exit->u.msr.index = run->msr.index;
	if (!read)
		exit->u.msr.data = run->msr.data;
	v->pending = read ? PEND_RDMSR : PEND_WRMSR;
}

/*
 * KVM hands out hypercalls only in the name of Xen's, with RIP at the instruction. Once RIP is
 * elsewhere, KVM drops its own completion, and the registers are as the guest gets them.
 */
static int skip_hypercall(struct mhi_eng_vcpu *v)
{
	struct kvm_regs regs;

	if (ioctl(v->fd, KVM_GET_REGS, &regs) < 0)
		return MH_EIO;
	regs.rip += HYPERCALL_BYTES;
	return ioctl(v->fd, KVM_SET_REGS, &regs) < 0 ? MH_EIO : 0;
}

static void on_unhandled(struct mhi_eng_vcpu *v, u64 info0, u64 info1)
{
	struct mhk_exit *exit = mhi_kvm_exit(v, MHK_EXIT_UNHANDLED);

	exit->raw_info[0] = info0;
	exit->raw_info[1] = info1;
}

static void on_xen(struct mhi_eng_vcpu *v, u32 *provide)
{
	*provide = MHK_G_GPR | MHK_G_CR | MHK_G_SEG;
	v->pending = PEND_DONE;
	if (v->run->xen.type == KVM_EXIT_XEN_HCALL && !skip_hypercall(v))
		mhi_kvm_exit(v, MHK_EXIT_HYPERCALL);
	else
		on_unhandled(v, KVM_EXIT_XEN, v->run->xen.type);
}

static void on_debug(struct mhi_eng_vcpu *v, u32 *provide)
{
	struct mhk_exit *exit = mhi_kvm_exit(v, MHK_EXIT_DEBUG);

	exit->u.eoi.vector = v->run->debug.arch.exception;
	exit->raw_info[0] = v->run->debug.arch.dr6;
	*provide = MHK_G_RIP;
}

/* ---- the end of the guest ---- */

#define ALL_BUT_FPU (MHK_G_ALL & ~MHK_G_FPU)

static void on_failed_entry(struct mhi_eng_vcpu *v)
{
	u64 reason = v->run->fail_entry.hardware_entry_failure_reason;
	struct mhk_exit *exit = mhi_kvm_exit(v, MHK_EXIT_ENTRY_FAILED);

	exit->raw = (u32)reason;
	exit->raw_info[0] = reason;
}

static void on_unknown(struct mhi_eng_vcpu *v)
{
	const struct kvm_run *run = v->run;

	on_unhandled(v, run->hw.hardware_exit_reason, 0);
	v->page->exit.raw = (u32)run->hw.hardware_exit_reason;
}

static void on_internal_error(struct mhi_eng_vcpu *v)
{
	const struct kvm_run *run = v->run;

	on_unhandled(v, run->internal.suberror, run->internal.ndata ? run->internal.data[0] : 0);
}

void mhi_kvm_exit_decode(struct mhi_eng_vcpu *v, u32 *provide)
{
	const struct kvm_run *run = v->run;

	*provide = 0;
	v->pending = PEND_NONE;
	switch (run->exit_reason) {
	case KVM_EXIT_IO:
		on_io(v);
		return;
	case KVM_EXIT_MMIO:
		on_mmio(v);
		return;
	case KVM_EXIT_X86_RDMSR:
	case KVM_EXIT_X86_WRMSR:
		on_msr(v);
		return;
	case KVM_EXIT_XEN:
		on_xen(v, provide);
		return;
	case KVM_EXIT_DEBUG:
		on_debug(v, provide);
		return;
	case KVM_EXIT_IOAPIC_EOI:
		mhi_kvm_exit(v, MHK_EXIT_EOI)->u.eoi.vector = run->eoi.vector;
		return;
	case KVM_EXIT_INTR:
		mhi_kvm_exit(v, MHK_EXIT_NONE);
		return;
	case KVM_EXIT_SHUTDOWN:
		mhi_kvm_exit(v, MHK_EXIT_SHUTDOWN);
		break;
	case KVM_EXIT_FAIL_ENTRY:
		on_failed_entry(v);
		break;
	case KVM_EXIT_UNKNOWN:
		on_unknown(v);
		break;
	case KVM_EXIT_INTERNAL_ERROR:
		on_internal_error(v);
		break;
	default:
		on_unhandled(v, run->exit_reason, 0);
		break;
	}
	*provide = ALL_BUT_FPU;
}

/* ---- answers ---- */

static bool answer_pio(struct mhi_eng_vcpu *v)
{
	const struct kvm_run *run = v->run;
	u64 reply = v->page->user.reply;

	if (run->io.direction == KVM_EXIT_IO_IN)
		memcpy(pio_element(v), &reply, run->io.size);
	v->pio_done++;
	if (v->pio_done < run->io.count) {
		give_pio(v);
		return true;
	}
	return false;
}

bool mhi_kvm_exit_answer(struct mhi_eng_vcpu *v)
{
	struct kvm_run *run = v->run;
	u64 reply = v->page->user.reply;

	switch (v->pending) {
	case PEND_PIO:
		if (answer_pio(v))
			return true;
		break;
	case PEND_MMIO_READ:
		memcpy(run->mmio.data, &reply, run->mmio.len);
		break;
	case PEND_RDMSR:
	case PEND_WRMSR:
		run->msr.error = v->page->user.reply_flags & MHK_REPLY_GP ? 1 : 0;
		run->msr.data = reply;
		break;
	case PEND_NONE:
	case PEND_DONE:
		return false;
	}
	v->pending = PEND_DONE;
	return false;
}
