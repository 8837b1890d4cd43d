// SPDX-License-Identifier: MIT
/*
 * The KVM engine's vCPU: life, the run, and the kick. A vCPU that runs is called out by a real-time
 * signal which its thread has blocked: KVM unblocks it for the time of KVM_RUN, which then returns
 * with the signal still pending, and the thread takes it back. No handler is ever installed.
 */
#include "core/engine_kvm.h"
#include "core/err.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#define KERNEL_SIGSET_BYTES 8

static int kick_signal(void)
{
	return SIGRTMAX - 2;
}

/* ---- kick ---- */

void mhi_kvm_kick(struct mhi_eng_vcpu *v)
{
	pthread_mutex_lock(&v->lock);
	v->kicked = true;
	v->run->immediate_exit = 1;
	if (v->running && !v->signalled) {
		v->signalled = true;
		pthread_kill(v->thread, kick_signal());
	}
	pthread_mutex_unlock(&v->lock);
}

/* KVM must know which signals the thread blocks while the guest runs: all but the kick. */
static int set_signal_mask(struct mhi_eng_vcpu *v, const sigset_t *blocked)
{
	struct {
		struct kvm_signal_mask head;
		u8 set[KERNEL_SIGSET_BYTES];
	} arg = { .head.len = KERNEL_SIGSET_BYTES };
	sigset_t mask = *blocked;

	sigdelset(&mask, kick_signal());
	if (v->mask_known && !memcmp(&mask, &v->mask, KERNEL_SIGSET_BYTES))
		return 0;
	memcpy((u8 *)&arg + offsetof(struct kvm_signal_mask, sigset), &mask, KERNEL_SIGSET_BYTES);
	if (ioctl(v->fd, KVM_SET_SIGNAL_MASK, &arg) < 0)
		return MH_EIO;
	v->mask = mask;
	v->mask_known = true;
	return 0;
}

/* vCPUs' own threads have all signals blocked, always. */
static void unblock(const sigset_t *before)
{
	if (!sigismember(before, kick_signal()))
		pthread_sigmask(SIG_SETMASK, before, NULL);
}

/* *before: what end gives back to a thread that is not ours. */
static int begin(struct mhi_eng_vcpu *v, bool at_once, sigset_t *before)
{
	sigset_t kick;
	int rc;

	sigemptyset(&kick);
	sigaddset(&kick, kick_signal());
	if (pthread_sigmask(SIG_BLOCK, &kick, before))
		return MH_EIO;
	rc = set_signal_mask(v, before);
	if (rc) {
		unblock(before);
		return rc;
	}
	pthread_mutex_lock(&v->lock);
	v->thread = pthread_self();
	v->running = true;
	v->run->immediate_exit = at_once || v->kicked;
	pthread_mutex_unlock(&v->lock);
	return 0;
}

/* came_out: the guest was left for the kick's sake, so it is spent. */
static void end(struct mhi_eng_vcpu *v, bool came_out, const sigset_t *before)
{
	static const struct timespec now = { 0 };
	bool signalled;
	sigset_t kick;

	pthread_mutex_lock(&v->lock);
	v->running = false;
	signalled = v->signalled;
	v->signalled = false;
	if (came_out)
		v->kicked = false;
	pthread_mutex_unlock(&v->lock);
	sigemptyset(&kick);
	sigaddset(&kick, kick_signal());
	while (signalled && sigtimedwait(&kick, NULL, &now) < 0 && errno == EINTR)
		;
	unblock(before);
}

/* ---- run ---- */

/* 0: an exit is in v->run; MH_*. An interrupted run is KVM_EXIT_INTR. */
static int enter(struct mhi_eng_vcpu *v, bool at_once)
{
	sigset_t before;
	int rc, error;

	do {
		rc = begin(v, at_once, &before);
		if (rc)
			return rc;
		error = ioctl(v->fd, KVM_RUN, 0) < 0 ? errno : 0;
		if (error == EINTR)
			v->run->exit_reason = KVM_EXIT_INTR;
		end(v, error == EINTR && !at_once, &before);
		/* EAGAIN: an application processor has left KVM's uninitialized state. */
	} while (error == EAGAIN);
	if (!error || error == EINTR)
		return 0;
	return error == EFAULT ? MH_EFAULT : MH_EIO;
}

/*
 * KVM finishes an access at the next KVM_RUN: before registers may be changed, it must do so
 * without entering the guest. *exited: that led to another access, which comes first.
 */
static int finish_access(struct mhi_eng_vcpu *v, bool *exited)
{
	int rc = enter(v, true);

	*exited = !rc && v->run->exit_reason != KVM_EXIT_INTR;
	if (!rc && !*exited)
		v->pending = PEND_NONE;
	return rc;
}

/*
 * For a handler that looks at the registers: an OUT is behind it, as it is with the shim, though
 * KVM may move RIP on only when it finishes the access.
 */
int mhi_kvm_get(struct mhi_eng_vcpu *v, u32 groups)
{
	const struct kvm_run *run = v->run;
	bool exited = false;
	int rc = 0;

	if (v->pending == PEND_PIO && run->io.direction == KVM_EXIT_IO_OUT && run->io.count == 1)
		rc = finish_access(v, &exited);
	if (!rc && exited)
		rc = MH_EIO;
	return rc ? rc : mhi_kvm_state_get(v, groups);
}

static int take_user_half(struct mhi_eng_vcpu *v)
{
	struct mhk_run *page = v->page;
	u32 commit = page->user.commit, inject = page->user.inject;
	int rc;

	if ((commit | page->user.wanted) & ~MHK_G_ALL)
		return MH_EINVAL;
	if (commit) {
		rc = mhi_kvm_state_set(v, commit);
		if (rc)
			return rc;
		page->user.commit = 0;
	}
	if (inject) {
		rc = mhi_kvm_inject(v, inject, page->user.inject_error);
		if (rc)
			return rc;
		page->user.inject = 0;
	}
	return 0;
}

static int publish(struct mhi_eng_vcpu *v, u32 provide)
{
	v->page->valid = 0;
	if (v->page->exit.reason == MHK_EXIT_NONE)
		return 0;
	provide |= v->page->user.wanted;
	return provide ? mhi_kvm_state_get(v, provide) : 0;
}

int mhi_kvm_run(struct mhi_eng_vcpu *v)
{
	struct mhk_run *page = v->page;
	bool exited = false;
	u32 provide;
	int rc = 0;

	if (mhi_kvm_exit_answer(v))
		return publish(v, 0);
	if (v->pending != PEND_NONE && (page->user.commit || page->user.inject))
		rc = finish_access(v, &exited);
	if (!rc && !exited)
		rc = take_user_half(v);
	if (!rc && !exited)
		rc = enter(v, page->user.immediate_exit);
	if (rc)
		return rc;
	mhi_kvm_exit_decode(v, &provide);
	return publish(v, provide);
}

/* ---- a debugger outside the guest ---- */

#define GUESTDBG_BLOCKIRQ 0x00100000 /* of Linux 5.16, KVM_GUESTDBG_BLOCKIRQ in its headers */
#define DR7_ENABLES 0xffu
#define INT3 0xccu

int mhi_kvm_debug(struct mhi_eng_vcpu *v, const struct mhi_eng_debug *want)
{
	struct kvm_guest_debug set = { 0 };

	if (want->on)
		set.control = KVM_GUESTDBG_ENABLE | KVM_GUESTDBG_USE_SW_BP;
	if (want->on && (want->dr7 & DR7_ENABLES))
		set.control |= KVM_GUESTDBG_USE_HW_BP;
	if (want->on && want->step)
		set.control |= KVM_GUESTDBG_SINGLESTEP | GUESTDBG_BLOCKIRQ;
	memcpy(set.arch.debugreg, want->dr, sizeof(want->dr));
	set.arch.debugreg[7] = want->dr7;
	if (ioctl(v->fd, KVM_SET_GUEST_DEBUG, &set) == 0)
		return 0;
	set.control &= ~(__u32)GUESTDBG_BLOCKIRQ;
	return ioctl(v->fd, KVM_SET_GUEST_DEBUG, &set) < 0 ? MH_EIO : 0;
}

void mhi_kvm_debug_pass(struct mhi_eng_vcpu *v)
{
	/* KVM itself puts RIP behind an INT3. */
	v->page->user.inject = MHI_INJECT(v->page->exit.u.eoi.vector & 0x1f);
}

u8 mhi_kvm_break_insn(bool code64)
{
	return INT3;
}

/* ---- life ---- */

static int vcpu_map(struct mhi_eng_vcpu *v, struct mhi_err *err)
{
	v->run = mmap(NULL, v->vm->e->run_bytes, PROT_READ | PROT_WRITE, MAP_SHARED, v->fd, 0);
	if (v->run == MAP_FAILED) {
		v->run = NULL;
		return mhi_kvm_error(err, "the area that KVM shares for a vCPU", errno);
	}
	v->page = aligned_alloc(MHI_PAGE_SIZE, MHK_RUN_BYTES);
	if (!v->page)
		return mhi_err_set(err, MH_ENOMEM, MHI_NO_MEMORY);
	memset(v->page, 0, MHK_RUN_BYTES);
	return 0;
}

static void vcpu_attach(struct mhi_eng_vcpu *v)
{
	struct mhi_eng_vm *vm = v->vm;

	pthread_mutex_lock(&vm->lock);
	vm->vcpu[v->apic_id] = v;
	mhi_kvm_tsc_apply(v, &vm->tsc);
	pthread_mutex_unlock(&vm->lock);
}

/* Fresh vCPUs other than the first wait for SIPI, without an INIT before it. */
static int vcpu_reset(struct mhi_eng_vcpu *v, struct mhi_err *err)
{
	struct kvm_mp_state mp = { .mp_state = KVM_MP_STATE_INIT_RECEIVED };

	if (v->apic_id == 0 || ioctl(v->fd, KVM_SET_MP_STATE, &mp) >= 0)
		return 0;
	return mhi_kvm_error(err, "the waiting state of a vCPU", errno);
}

int mhi_kvm_vcpu_create(struct mhi_eng_vm *vm, u32 apic_id, struct mhi_eng_vcpu **out,
			struct mhi_err *err)
{
	struct mhi_eng_vcpu *v;
	int rc;

	if (apic_id >= MHK_MAX_VCPUS)
		return mhi_err_set(err, MH_EINVAL, "vCPU %u: the highest number is %u", apic_id,
				   MHK_MAX_VCPUS - 1);
	v = calloc(1, sizeof(*v));
	if (!v)
		return mhi_err_set(err, MH_ENOMEM, MHI_NO_MEMORY);
	pthread_mutex_init(&v->lock, NULL);
	v->vm = vm;
	v->apic_id = apic_id;
	v->fd = ioctl(vm->fd, KVM_CREATE_VCPU, (unsigned long)apic_id);
	rc = v->fd < 0 ? mhi_kvm_error(err, "KVM cannot make a vCPU", errno) : vcpu_map(v, err);
	if (!rc)
		rc = vcpu_reset(v, err);
	if (rc) {
		mhi_kvm_vcpu_destroy(v);
		return rc;
	}
	vcpu_attach(v);
	*out = v;
	return 0;
}

void mhi_kvm_vcpu_destroy(struct mhi_eng_vcpu *v)
{
	pthread_mutex_lock(&v->vm->lock);
	if (v->vm->vcpu[v->apic_id] == v)
		v->vm->vcpu[v->apic_id] = NULL;
	pthread_mutex_unlock(&v->vm->lock);
	if (v->run)
		munmap(v->run, v->vm->e->run_bytes);
	if (v->fd >= 0)
		close(v->fd);
	pthread_mutex_destroy(&v->lock);
	free(v->page);
	free(v);
}
