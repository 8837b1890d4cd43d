// SPDX-License-Identifier: (GPL-2.0 OR MIT)
/*
 * What the freestanding code asks of the host: pages, kicks, the timer, guest memory without
 * sleeping.
 */
#include <linux/gfp.h>
#include <linux/math64.h>
#include <linux/sched/signal.h>
#include <linux/smp.h>
#include <linux/uaccess.h>
#include <asm/tsc.h>

#include "kdrv.h"
#include "compat.h"
#include "x86_insn.h"

void *mhi_host_pages_alloc(unsigned int order)
{
	return (void *)__get_free_pages(GFP_KERNEL_ACCOUNT | __GFP_ZERO, order);
}

void mhi_host_pages_free(void *pages, unsigned int order)
{
	free_pages((unsigned long)pages, order);
}

mh_hpa mhi_host_va_to_pa(const void *va)
{
	return __pa(va);
}

void *mhi_host_pa_to_va(mh_hpa pa)
{
	return __va(pa);
}

/*
 * Paired with enter_mode in vcpu.c: the kicker sets its bit, then reads mode; the vCPU sets mode,
 * then looks for bits. Both order fully, so one of them sees the other.
 */
void mhi_host_kick(struct mhi_vcpu *v)
{
	struct drv_vcpu *vcpu = to_drv(v);

	smp_mb();
	/* A CPU that runs a section now does not go offline before it was kicked. */
	preempt_disable();
	switch (READ_ONCE(vcpu->mode)) {
	case DRV_IN_SECTION:
		smp_send_reschedule(READ_ONCE(vcpu->cpu));
		break;
	case DRV_WAITING:
		swake_up_one(&vcpu->wq);
		break;
	}
	preempt_enable();
}

static void nothing(void *unused)
{
}

void mhi_host_sync_sections(struct drv_vm *vm)
{
	cpumask_var_t mask;
	unsigned int i;
	bool some = false;

	/* Without memory for the mask everybody is asked. */
	if (!zalloc_cpumask_var(&mask, GFP_ATOMIC)) {
		smp_call_function(nothing, NULL, 1);
		return;
	}
	smp_mb();
	for (i = 0; i < MHK_MAX_VCPUS; i++) {
		struct mhi_vcpu *v = smp_load_acquire(&vm->arch.vcpu[i]);

		if (!v || READ_ONCE(to_drv(v)->mode) != DRV_IN_SECTION)
			continue;
		cpumask_set_cpu(READ_ONCE(to_drv(v)->cpu), mask);
		some = true;
	}
	if (some) {
		preempt_disable();
		smp_call_function_many(mask, nothing, NULL, true);
		preempt_enable();
	}
	free_cpumask_var(mask);
}

static enum hrtimer_restart timer_fired(struct hrtimer *t)
{
	struct drv_vcpu *vcpu = container_of(t, struct drv_vcpu, timer);

	mhi_lapic_timer_fired(&vcpu->arch);
	return HRTIMER_NORESTART;
}

void mhi_host_timer_set(struct mhi_vcpu *v, u64 ticks)
{
	/* Ten years are never; beyond, the quotient below may not fit 64 bits, which is a #DE. */
	u64 never = 10ull * 365 * 86400 * MSEC_PER_SEC * tsc_khz;
	u64 ns = mul_u64_u32_div(min(ticks, never), USEC_PER_SEC, tsc_khz);

	hrtimer_start(&to_drv(v)->timer, ktime_add_ns(ktime_get(), ns), HRTIMER_MODE_ABS);
}

void mhi_host_timer_cancel(struct mhi_vcpu *v)
{
	/*
	 * A callback that runs meanwhile only sets a signal bit, which the APIC then finds
	 * disarmed.
	 */
	hrtimer_try_to_cancel(&to_drv(v)->timer);
}

bool mhi_host_wants_out(struct mhi_vcpu *v)
{
	return (read_thread_flags() &
		(_TIF_NEED_RESCHED | _TIF_SIGPENDING | _TIF_NOTIFY_SIGNAL | _TIF_NOTIFY_RESUME)) ||
	       READ_ONCE(to_drv(v)->kicked);
}

/* A copy of the slot that holds gpa; one without bytes when there is none. */
static struct mhi_slot slot_at(struct mhi_vcpu *v, mh_gpa gpa)
{
	struct drv_vm *vm = to_drv(v)->vm;
	const struct mhi_slot *found;
	struct mhi_slot slot = { 0 };

	spin_lock(&vm->mmu_lock);
	found = mhi_slots_find(&vm->slots, gpa);
	if (found)
		slot = *found;
	spin_unlock(&vm->mmu_lock);
	return slot;
}

enum mhi_gpa_kind mhi_host_gpa_kind(struct mhi_vcpu *v, mh_gpa gpa)
{
	struct mhi_slot slot = slot_at(v, gpa);

	if (!slot.bytes)
		return MHI_GPA_NONE;
	return slot.readonly ? MHI_GPA_ROM : MHI_GPA_RAM;
}

int mhi_host_guest_read(struct mhi_vcpu *v, mh_gpa gpa, void *buf, u32 bytes)
{
	struct mhi_slot slot = slot_at(v, gpa);
	u64 offset = gpa - slot.gpa;

	if (!slot.bytes || bytes > slot.bytes - offset)
		return MHI_EFAULT;
	return copy_from_user_nofault(buf, (void __user *)(unsigned long)(slot.hva + offset), bytes)
		       ? MHI_EAGAIN
		       : 0;
}

void mhi_host_init_vcpu(struct drv_vcpu *vcpu)
{
	init_swait_queue_head(&vcpu->wq);
	mhi_compat_hrtimer_setup(&vcpu->timer, timer_fired);
}
