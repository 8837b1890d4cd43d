/* SPDX-License-Identifier: MIT */
/*
 * What is done about each exit of a vCPU. The paths of PIO and MMIO neither lock, allocate nor
 * log.
 */
#include <time.h>

#include "api/impl.h"

/*
 * What a guest gets for a hypercall that does not exist: KVM's number, as CPUID speaks for KVM's
 * interface, unless the guest has switched Hyper-V's on.
 */
#define HYPERCALL_ENOSYS (-1000)
#define NO_RAW_REASON (~0u) /* mhk_exit.raw */

static void on_none(struct mh_vcpu *v)
{
}

static void on_io(struct mh_vcpu *v)
{
	struct mhk_run *page = v->page;

	if (page->exit.u.io.flags & MHK_IO_STRING) {
		mhi_vcpu_emulate(v, NULL, 0);
	} else if (page->exit.u.io.flags & MHK_IO_IN) {
		page->user.reply = mhi_vcpu_in(v, page->exit.u.io.port, page->exit.u.io.width);
	} else {
		mhi_vcpu_out(v, page->exit.u.io.port, page->exit.u.io.width, page->exit.u.io.data);
	}
}

static void on_mmio(struct mh_vcpu *v)
{
	const struct mhk_exit *exit = &v->page->exit;
	u8 insn[MHK_INSN_MAX];

	if (exit->u.mmio.flags & MHK_MMIO_FETCH) {
		mhi_vcpu_fail(
			v, MH_STOP_ERROR,
			"the guest executes at guest-physical 0x%llx, where there is no memory",
			(u64)exit->u.mmio.gpa);
		return;
	}
	if (exit->u.mmio.flags & MHK_MMIO_DECODED) {
		mhi_vcpu_mmio(v);
		return;
	}
	v->mmio_page = exit->u.mmio.gpa >> MHI_PAGE_SHIFT;
	v->mmio_write = (exit->u.mmio.flags & MHK_MMIO_WRITE) != 0;
	memcpy(insn, exit->u.mmio.insn, sizeof(insn));
	mhi_vcpu_emulate(v, insn, exit->u.mmio.insn_len);
	v->mmio_page = MHI_NO_PAGE;
}

static void on_insn(struct mh_vcpu *v)
{
	if (!mhi_vcpu_mov_dr(v))
		mhi_vcpu_emulate(v, NULL, 0);
}

/* At most one line a second and vCPU: a guest may hammer. */
static void log_msr(struct mh_vcpu *v, const char *what, u32 index, u64 value)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
	if ((u64)now.tv_sec == v->msr_log_second) {
		v->msr_log_held++;
		return;
	}
	mhi_log(&v->vm->ctx->log, MH_LOG_WARN,
		"VM \"%s\": vCPU %u: %s, MSR 0x%x (0x%llx); so far %llu accesses ended in #GP and "
		"%llu were ignored; %llu not logged",
		v->vm->name, v->index, what, index, value, v->msrs.counts.refused,
		v->msrs.counts.ignored, v->msr_log_held);
	v->msr_log_second = (u64)now.tv_sec;
	v->msr_log_held = 0;
}

static void on_rdmsr(struct mh_vcpu *v)
{
	u32 index = v->page->exit.u.msr.index;
	u64 value = 0, ignored = v->msrs.counts.ignored;

	/* Probing reads are normal: they are counted, not logged. */
	v->page->user.reply_flags = mhi_msrs_read(&v->msrs, index, &value) ? 0 : MHK_REPLY_GP;
	v->page->user.reply = value;
	if (v->msrs.counts.ignored != ignored)
		log_msr(v, "a read is ignored", index, 0);
}

static void on_wrmsr(struct mh_vcpu *v)
{
	u32 index = v->page->exit.u.msr.index;
	u64 value = v->page->exit.u.msr.data, ignored = v->msrs.counts.ignored;
	bool done = mhi_msrs_write(&v->msrs, index, value);

	v->page->user.reply_flags = done ? 0 : MHK_REPLY_GP;
	if (!done)
		log_msr(v, "a write ends in #GP", index, value);
	else if (v->msrs.counts.ignored != ignored)
		log_msr(v, "a write is ignored", index, value);
}

static void on_hypercall(struct mh_vcpu *v)
{
	bool hyperv = v->vm->msr_env.hyperv && mhi_hyperv_hypercalls(v->vm->msr_env.hyperv);

	if (mhi_vcpu_hypercall(v))
		return;
	v->page->state.gpr[MHK_RAX] =
		hyperv ? MHI_HV_INVALID_HYPERCALL_CODE : (u64)(s64)HYPERCALL_ENOSYS;
	v->page->user.commit |= MHK_G_GPR;
}

static void on_shutdown(struct mh_vcpu *v)
{
	mhi_vcpu_fail(v, MH_STOP_SHUTDOWN,
		      "triple fault: the guest faulted while it handled a double fault");
}

static void on_eoi(struct mh_vcpu *v)
{
	if (v->vm->machine)
		mhi_machine_eoi(v->vm->machine, v->page->exit.u.eoi.vector);
}

static void on_mem_fault(struct mh_vcpu *v)
{
	const struct mhk_exit *exit = &v->page->exit;

	mhi_vcpu_fail(v, MH_STOP_ERROR,
		      "the host memory behind guest-physical 0x%llx is gone or does not allow %s; "
		      "memory must stay "
		      "mapped until mh_vm_mem_unmap",
		      (u64)exit->u.mmio.gpa,
		      exit->u.mmio.flags & MHK_MMIO_WRITE ? "writing" : "reading");
}

static void on_entry_failed(struct mh_vcpu *v)
{
	const struct mhk_exit *exit = &v->page->exit;

	mhi_vcpu_fail(v, MH_STOP_ERROR,
		      "the CPU refused to enter the guest: %s (error 0x%x, information 0x%llx "
		      "0x%llx)",
		      mhi_engine_entry_error_name(v->vm->info, exit->raw, exit->raw_info[0]),
		      exit->raw, (u64)exit->raw_info[0], (u64)exit->raw_info[1]);
}

static void on_unhandled(struct mh_vcpu *v)
{
	const struct mhk_exit *exit = &v->page->exit;

	if (exit->raw == NO_RAW_REASON)
		mhi_vcpu_fail(v, MH_STOP_ERROR,
			      "the %s engine gave up on the guest (information 0x%llx 0x%llx)",
			      v->vm->ops->name, (u64)exit->raw_info[0], (u64)exit->raw_info[1]);
	else
		mhi_vcpu_fail(
			v, MH_STOP_ERROR,
			"an exit that nobody handles: %s (raw reason 0x%x, information 0x%llx "
			"0x%llx)",
			mhi_engine_exit_name(v->vm->info, exit->raw), exit->raw,
			(u64)exit->raw_info[0], (u64)exit->raw_info[1]);
}

typedef void exit_fn(struct mh_vcpu *v);

static exit_fn *const handlers[MHK_EXIT_COUNT] = {
	[MHK_EXIT_NONE] = on_none,
	[MHK_EXIT_IO] = on_io,
	[MHK_EXIT_MMIO] = on_mmio,
	[MHK_EXIT_RDMSR] = on_rdmsr,
	[MHK_EXIT_WRMSR] = on_wrmsr,
	[MHK_EXIT_HYPERCALL] = on_hypercall,
	[MHK_EXIT_SHUTDOWN] = on_shutdown,
	[MHK_EXIT_EOI] = on_eoi,
	[MHK_EXIT_MEM_FAULT] = on_mem_fault,
	[MHK_EXIT_ENTRY_FAILED] = on_entry_failed,
	[MHK_EXIT_UNHANDLED] = on_unhandled,
	[MHK_EXIT_INSN] = on_insn,
	[MHK_EXIT_DEBUG] = mhi_vcpu_on_debug,
};

static void run_failed(struct mh_vcpu *v, int rc)
{
	const char *why = "the engine cannot run it; see the host's kernel log";

	if (rc == MH_EINVAL)
		why = "the engine refuses its register state";
	else if (rc == MH_EFAULT)
		why = "guest memory cannot be reached";
	mhi_vcpu_fail(v, MH_STOP_ERROR, "%s (%s)", why, mh_err_name(rc));
}

void mhi_vcpu_run(struct mh_vcpu *v)
{
	int (*const run)(struct mhi_eng_vcpu *) = v->vm->ops->run;

	while (mhi_vm_go(v->vm)) {
		int rc = run(v->eng);
		u32 reason = v->page->exit.reason;

		if (rc) {
			run_failed(v, rc);
		} else if (reason < MHK_EXIT_COUNT) {
			mhi_count(&v->exits[reason]);
			handlers[reason](v);
		} else {
			mhi_vcpu_fail(v, MH_STOP_ERROR,
				      "an exit of a kind this library does not know: %u", reason);
		}
	}
}
