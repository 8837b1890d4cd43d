// SPDX-License-Identifier: (GPL-2.0 OR MIT)
/* The vCPU object: its fd, its shared pages, and the loop around sections of guest execution. */
#include <linux/anon_inodes.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/interrupt.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include "kdrv.h"
#include "compat.h"
#include "x86_insn.h"

#define PAGES_2M 512

/* ---- run ---- */

/* Paired with mhi_host_kick and mhi_host_sync_sections: set, then look for what they announce. */
static void enter_mode(struct drv_vcpu *vcpu, enum drv_mode mode)
{
	WRITE_ONCE(vcpu->cpu, raw_smp_processor_id());
	WRITE_ONCE(vcpu->mode, mode);
	smp_mb();
}

/* Sections until one ends for more than a host interrupt. */
static enum mhi_run run_sections(struct drv_vcpu *vcpu, u32 wanted, u32 *valid)
{
	struct mhi_vcpu *v = &vcpu->arch;
	struct mhk_state *out = (struct mhk_state *)&vcpu->page->state;
	enum mhi_run r;

	mhi_fpu_load(vcpu);
	v->host_xcr0 = v->vm->caps.xcr0 ? mhi_xgetbv0() : v->xcr0;
	do {
		local_irq_disable();
		v->cpu = mhi_life_this_cpu();
		enter_mode(vcpu, DRV_IN_SECTION);
		/* The CPU is going offline, or reboot has begun. */
		r = v->cpu->on ? mhi_run_section(v, wanted, out, valid) : MHI_RUN_HOST;
		WRITE_ONCE(vcpu->mode, DRV_OUTSIDE);
		local_irq_enable();
		vcpu->arch.stats.sections++;
		/* From 6.15 on softirqs wait, too, while the FPU is the guest's. */
	} while (r == MHI_RUN_HOST && v->cpu->on && !mhi_host_wants_out(v) &&
		 !local_softirq_pending());
	mhi_compat_guest_ran();
	mhi_fpu_save(vcpu);
	return r;
}

/* Sleep in HLT or WAIT_SIPI. */
static void wait_for_work(struct drv_vcpu *vcpu)
{
	DECLARE_SWAITQUEUE(wait);

	vcpu->arch.stats.halts++;
	enter_mode(vcpu, DRV_WAITING);
	for (;;) {
		prepare_to_swait_exclusive(&vcpu->wq, &wait, TASK_INTERRUPTIBLE);
		if (mhi_wait_over(&vcpu->arch) || mhi_host_wants_out(&vcpu->arch))
			break;
		schedule();
	}
	finish_swait(&vcpu->wq, &wait);
	WRITE_ONCE(vcpu->mode, DRV_OUTSIDE);
}

/* An exit that no exit of the guest stands behind. */
static struct mhk_exit *new_exit(struct drv_vcpu *vcpu, enum mhk_exit_reason reason)
{
	struct mhk_exit *exit = &vcpu->arch.exit;

	memset(exit, 0, sizeof(*exit));
	exit->reason = reason;
	exit->raw = ~0u;
	return exit;
}

static int mem_fault_exit(struct drv_vcpu *vcpu)
{
	struct mhk_exit *exit = new_exit(vcpu, MHK_EXIT_MEM_FAULT);

	exit->u.mmio.gpa = vcpu->arch.fault_gpa;
	exit->u.mmio.flags = vcpu->arch.fault_access & MHI_FAULT_WRITE ? MHK_MMIO_WRITE : 0;
	return 0;
}

/* Until there is an exit for user space. 0: vcpu->arch.exit; or the error of read. */
static int run_until_exit(struct drv_vcpu *vcpu, u32 wanted, u32 *valid)
{
	struct mhi_vcpu *v = &vcpu->arch;
	int err;

	for (;;) {
		*valid = 0;
		if (mhi_host_wants_out(v)) {
			new_exit(vcpu, MHK_EXIT_NONE);
			if (xchg(&vcpu->kicked, 0))
				return 0;
			if (signal_pending(current))
				return -EINTR;
			/* Task work runs on the way to user space; the library is back at once. */
			if (test_thread_flag(TIF_NOTIFY_RESUME))
				return 0;
			cond_resched();
		}
		switch (run_sections(vcpu, wanted, valid)) {
		case MHI_RUN_USER:
			return 0;
		case MHI_RUN_FAULT:
			err = mhi_mem_fault(vcpu, v->fault_gpa, v->fault_access);
			if (err == -EFAULT)
				return mem_fault_exit(vcpu);
			if (err && err != -EINTR)
				return err;
			break;
		case MHI_RUN_WAIT:
			wait_for_work(vcpu);
			break;
		case MHI_RUN_HOST:
		case MHI_RUN_AGAIN:
			if (mhi_life_stopping())
				return -ESHUTDOWN;
			/* Somebody else took the CPU while we had to let it go. */
			if (mhi_life_lost(v->cpu))
				return -EBUSY;
			break;
		}
	}
}

/* Take what user space has put into its half of the page, each field once. */
static int take_user_half(struct drv_vcpu *vcpu, u32 *wanted)
{
	struct mhk_run *page = vcpu->page;
	struct mhi_vcpu *v = &vcpu->arch;
	u32 commit = MHI_ONCE(page->user.commit);
	u32 inject = MHI_ONCE(page->user.inject);
	u32 debug = MHI_ONCE(page->user.debug);
	int err;

	*wanted = MHI_ONCE(page->user.wanted);
	if (((commit | *wanted) & ~MHK_G_ALL) || (debug & ~MHK_DEBUG_ALL))
		return -EINVAL;
	v->debug = debug;
	if (commit & ~MHK_G_FPU) {
		err = mhi_state_take(v, commit & ~MHK_G_FPU,
				     (const struct mhk_state *)&page->state);
		if (err)
			return err;
	}
	if (commit & MHK_G_FPU) {
		err = mhi_fpu_set(vcpu, vcpu->fpu_page);
		if (err)
			return err;
	}
	if (commit)
		MHI_ONCE_SET(page->user.commit, 0);
	if (inject) {
		err = mhi_inject_user(v, inject, MHI_ONCE(page->user.inject_error));
		if (err)
			return err;
		MHI_ONCE_SET(page->user.inject, 0);
	}
	v->reply = MHI_ONCE(page->user.reply);
	v->reply_flags = MHI_ONCE(page->user.reply_flags);
	return 0;
}

static void publish_exit(struct drv_vcpu *vcpu, u32 wanted, u32 valid)
{
	if ((wanted & MHK_G_FPU) && vcpu->arch.exit.reason != MHK_EXIT_NONE) {
		memcpy(vcpu->fpu_page, vcpu->fpu, MHK_FPU_BYTES);
		valid |= MHK_G_FPU;
	}
	vcpu->page->exit = vcpu->arch.exit;
	vcpu->page->valid = valid;
	vcpu->arch.stats.user_exits++;
}

/* An EOI that user space itself wrote by MHK_LAPIC is told at the next run. */
static bool eoi_exit(struct drv_vcpu *vcpu)
{
	struct mhi_lapic *apic = &vcpu->arch.lapic;

	if (!apic->eoi_pending)
		return false;
	apic->eoi_pending = false;
	new_exit(vcpu, MHK_EXIT_EOI)->u.eoi.vector = apic->eoi_vector;
	return true;
}

/* Under vcpu->lock. */
static int run(struct drv_vcpu *vcpu)
{
	u32 wanted, valid = 0;
	int err;

	err = take_user_half(vcpu, &wanted);
	if (err)
		return err;
	if (MHI_ONCE(vcpu->page->user.immediate_exit))
		new_exit(vcpu, MHK_EXIT_NONE);
	else if (!eoi_exit(vcpu))
		err = run_until_exit(vcpu, wanted, &valid);
	if (!err || err == -EINTR)
		publish_exit(vcpu, wanted, valid);
	return err;
}

/* ---- ioctls ---- */

/* Hardware state is reached only within a section. */
static int get_groups(struct drv_vcpu *vcpu, u32 groups)
{
	struct mhi_vcpu *v = &vcpu->arch;
	int err;

	do {
		preempt_disable();
		local_irq_disable();
		v->cpu = mhi_life_this_cpu();
		err = v->cpu->on ? mhi_run_get(v, groups, (struct mhk_state *)&vcpu->page->state)
				 : -EAGAIN;
		local_irq_enable();
		preempt_enable();
		if (err == -EAGAIN) {
			if (mhi_life_stopping())
				return -ESHUTDOWN;
			if (mhi_life_lost(v->cpu))
				return -EBUSY;
			if (signal_pending(current))
				return -EINTR;
			cond_resched();
		}
	} while (err == -EAGAIN);
	return err;
}

static long vcpu_get(void *object, union drv_arg *arg)
{
	struct drv_vcpu *vcpu = object;
	u32 groups = arg->get.groups;
	int err;

	if (arg->get.pad || (groups & ~MHK_G_ALL))
		return -EINVAL;
	if (groups & ~MHK_G_FPU) {
		err = get_groups(vcpu, groups & ~MHK_G_FPU);
		if (err)
			return err;
	}
	if (groups & MHK_G_FPU)
		memcpy(vcpu->fpu_page, vcpu->fpu, MHK_FPU_BYTES);
	vcpu->page->valid |= groups;
	return 0;
}

static long vcpu_cpuid(void *object, union drv_arg *arg)
{
	struct mhi_vcpu *v = &((struct drv_vcpu *)object)->arch;
	u32 count = arg->cpuid.count;

	if (arg->cpuid.pad)
		return -EINVAL;
	if (count > MHK_MAX_CPUID)
		return -E2BIG;
	v->cpuids = 0;
	if (copy_from_user(v->cpuid, (void __user *)(unsigned long)arg->cpuid.entries,
			   count * sizeof(v->cpuid[0])))
		return -EFAULT;
	return mhi_cpuid_set(v, count);
}

static long vcpu_lapic(void *object, union drv_arg *arg)
{
	struct mhi_vcpu *v = &((struct drv_vcpu *)object)->arch;
	struct mhk_lapic *access = &arg->lapic;

	access->base = v->lapic.base;
	if (access->flags & MHK_LAPIC_WRITE)
		return mhi_lapic_write(v, access->offset, access->value);
	return mhi_lapic_read(v, access->offset, &access->value);
}

static long vcpu_stats(void *object, union drv_arg *arg)
{
	struct drv_vcpu *vcpu = object;
	u32 size = arg->stats.size;

	BUILD_BUG_ON(MHI_X_COUNT > ARRAY_SIZE(arg->stats.by_reason));
	arg->stats = vcpu->arch.stats;
	arg->stats.size = size;
	return 0;
}

static const struct drv_ioctl vcpu_ioctls[] = {
	{ MHK_GET, 0, vcpu_get },
	{ MHK_CPUID, 0, vcpu_cpuid },
	{ MHK_LAPIC, MHK_LAPIC_WRITE, vcpu_lapic },
	{ MHK_STATS, 0, vcpu_stats },
	{ 0 },
};

static long vcpu_kick(struct drv_vcpu *vcpu)
{
	WRITE_ONCE(vcpu->kicked, 1);
	mhi_host_kick(&vcpu->arch);
	return 0;
}

static long vcpu_ioctl(struct file *file, unsigned int cmd, unsigned long arg)
{
	struct drv_vcpu *vcpu = file->private_data;
	void __user *user = (void __user *)arg;
	long ret;

	if (cmd == MHK_KICK)
		return vcpu_kick(vcpu);
	if (current->mm != vcpu->vm->mm)
		return -EPERM;
	/* Counters are read as they are: who asks must not wait for the end of a long run. */
	if ((u16)cmd == (u16)MHK_STATS)
		return mhi_ioctl(vcpu_ioctls, vcpu, cmd, user);
	/* A run may have no end: who comes second is told, and does not wait for it. */
	if (!mutex_trylock(&vcpu->lock))
		return -EBUSY;
	ret = cmd == MHK_RUN ? run(vcpu) : mhi_ioctl(vcpu_ioctls, vcpu, cmd, user);
	mutex_unlock(&vcpu->lock);
	return ret;
}

/* The quick way to run: of all system calls on a file this has the least of the host between. */
static loff_t vcpu_llseek(struct file *file, loff_t offset, int whence)
{
	return offset || whence ? -EINVAL : vcpu_ioctl(file, MHK_RUN, 0);
}

/* ---- life ---- */

static int vcpu_mmap(struct file *file, struct vm_area_struct *vma)
{
	struct drv_vcpu *vcpu = file->private_data;
	unsigned long start = vma->vm_start;
	int err;

	if (vma->vm_pgoff || vma->vm_end - start != MHK_RUN_BYTES || !(vma->vm_flags & VM_SHARED) ||
	    (vma->vm_flags & VM_EXEC))
		return -EINVAL;
	err = vm_insert_page(vma, start, virt_to_page(vcpu->page));
	return err ? err
		   : vm_insert_page(vma, start + MHK_FPU_OFFSET, virt_to_page(vcpu->fpu_page));
}

static int vcpu_release(struct inode *inode, struct file *file)
{
	/* The vCPU itself goes with the VM: others may be sending it interrupts. */
	struct drv_vcpu *vcpu = file->private_data;

	mhi_vm_put(vcpu->vm);
	return 0;
}

static const struct file_operations vcpu_fops = {
	.owner = THIS_MODULE,
	.unlocked_ioctl = vcpu_ioctl,
	.mmap = vcpu_mmap,
	.release = vcpu_release,
	.llseek = vcpu_llseek,
};

void mhi_vcpu_free(struct drv_vcpu *vcpu)
{
	hrtimer_cancel(&vcpu->timer);
	mhi_vcpu_fini(&vcpu->arch);
	mhi_npt_pool_drain(&vcpu->pool);
	kfree(vcpu->gup);
	mhi_host_page_free(vcpu->fpu);
	mhi_host_page_free(vcpu->fpu_page);
	mhi_host_page_free(vcpu->page);
	kvfree(vcpu);
}

static struct drv_vcpu *vcpu_new(struct drv_vm *vm, u32 apic_id)
{
	struct drv_vcpu *vcpu = kvzalloc(sizeof(*vcpu), GFP_KERNEL_ACCOUNT);
	int err;

	BUILD_BUG_ON(sizeof(struct mhk_run) > PAGE_SIZE);
	if (!vcpu)
		return ERR_PTR(-ENOMEM);
	vcpu->vm = vm;
	vcpu->arch.vm = &vm->arch;
	vcpu->arch.apic_id = apic_id;
	mutex_init(&vcpu->lock);
	mhi_host_init_vcpu(vcpu);
	vcpu->page = mhi_host_page_alloc();
	vcpu->fpu_page = mhi_host_page_alloc();
	vcpu->gup = kmalloc_array(PAGES_2M, sizeof(*vcpu->gup), GFP_KERNEL_ACCOUNT);
	err = mhi_fpu_init(vcpu);
	if (!vcpu->page || !vcpu->fpu_page || !vcpu->gup)
		err = -ENOMEM;
	if (!err)
		err = mhi_vcpu_init(&vcpu->arch);
	if (err) {
		mhi_vcpu_free(vcpu);
		return ERR_PTR(err);
	}
	return vcpu;
}

/* Under vm->lock. */
static int vcpu_create(struct drv_vm *vm, u32 apic_id)
{
	struct drv_vcpu *vcpu;
	struct file *file;
	int fd;

	if (vm->arch.vcpu[apic_id])
		return -EEXIST;
	fd = get_unused_fd_flags(O_RDWR | O_CLOEXEC);
	if (fd < 0)
		return fd;
	vcpu = vcpu_new(vm, apic_id);
	if (IS_ERR(vcpu)) {
		put_unused_fd(fd);
		return PTR_ERR(vcpu);
	}
	file = anon_inode_getfile("macrohard-vcpu", &vcpu_fops, vcpu, O_RDWR | O_CLOEXEC);
	if (IS_ERR(file)) {
		put_unused_fd(fd);
		mhi_vcpu_free(vcpu);
		return PTR_ERR(file);
	}
	kref_get(&vm->ref);
	/* From here on others may send it interrupts; it is freed with the VM. */
	smp_store_release(&vm->arch.vcpu[apic_id], &vcpu->arch);
	/* Not before: a vCPU runs only where those who change memory can see it. */
	fd_install(fd, file);
	return fd;
}

long mhi_vcpu_create_fd(void *object, union drv_arg *arg)
{
	struct drv_vm *vm = object;
	int fd;

	if (arg->vcpu_create.pad || arg->vcpu_create.apic_id >= MHK_MAX_VCPUS)
		return -EINVAL;
	mutex_lock(&vm->lock);
	fd = vcpu_create(vm, mhi_index_nospec(arg->vcpu_create.apic_id, MHK_MAX_VCPUS));
	mutex_unlock(&vm->lock);
	return fd;
}
