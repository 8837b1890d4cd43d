// SPDX-License-Identifier: (GPL-2.0 OR MIT)
/*
 * The module: /dev/macrohard, and when the CPUs' virtualization extension is ours. It is taken
 * with the first VM, given back with the last, and kept in step with CPU hot-plug, suspend,
 * reboot and unload.
 */
#include <linux/cpu.h>
#include <linux/cpuhotplug.h>
#include <linux/miscdevice.h>
#include <linux/module.h>
#include <linux/percpu.h>
#include <linux/reboot.h>
#include <linux/slab.h>
#include <linux/suspend.h>
#include <linux/uaccess.h>
#include <asm/cpufeature.h>
#include <asm/tsc.h>

#include "kdrv.h"
#include "compat.h"
#include "arch/x86/spec.h"
#include "base/x86.h"
#include "x86_insn.h"

/*
 * Legend: (c) constant after module init, (l) life.lock. CPUs' `on` is written on that CPU with
 * interrupts off.
 */
static struct {
	struct mutex lock;	      /* users, and everything that turns CPUs on or off */
	const struct mhi_hv_ops *ops; /* (c) NULL: the CPU has neither VMX nor SVM */
	struct mhi_hv_caps caps;      /* (l) of the last successful probe */
	u32 users;		      /* (l) VMs alive */
	atomic64_t vm_ids;	      /* VMs made so far: each gets the next number */
	u64 xcr0;		      /* (c) components switched; 0: the host has no XSAVE */
	bool stopping;		      /* reboot has begun */
	bool suspended;		      /* between suspend's preparation and resume */
	enum cpuhp_state hotplug;     /* (c) */
} life;

static DEFINE_PER_CPU(struct mhi_cpu, cpus);

struct mhi_cpu *mhi_life_this_cpu(void)
{
	return this_cpu_ptr(&cpus);
}

/* By the host's mitigations. Without the command for L1TF nothing else flushes the cache. */
static u32 barriers(void)
{
	u32 b = boot_cpu_has(X86_FEATURE_IBPB) ? MHK_BARRIER_IBPB : 0;

	if (boot_cpu_has_bug(X86_BUG_L1TF) && boot_cpu_has(X86_FEATURE_FLUSH_L1D))
		b |= MHK_BARRIER_L1D;
	return cpu_mitigations_off() ? 0 : b;
}

void mhi_life_describe(struct mhi_vm *vm)
{
	vm->ops = life.ops;
	vm->tsc_khz = tsc_khz;
	vm->id = atomic64_inc_return(&life.vm_ids);
	vm->barriers = barriers();
	vm->caps = life.caps;
	vm->caps.xcr0 = life.xcr0;
}

bool mhi_life_stopping(void)
{
	return READ_ONCE(life.stopping);
}

/*
 * It is off, and neither hot-unplug nor suspend is the reason. It comes on before these end, and
 * goes off after they have begun: only what is off before and after no change was seen is lost.
 */
bool mhi_life_lost(const struct mhi_cpu *cpu)
{
	return !READ_ONCE(cpu->on) && !READ_ONCE(life.suspended) && cpu_active(cpu->id) &&
	       !READ_ONCE(cpu->on);
}

/* ---- CPUs on and off ---- */

static void cpu_on_here(void *error)
{
	struct mhi_cpu *cpu = this_cpu_ptr(&cpus);
	unsigned long flags;
	int err = 0;

	local_irq_save(flags);
	if (!cpu->on)
		err = life.ops->cpu_on(cpu);
	if (cpu->on)
		mhi_compat_srso(true);
	local_irq_restore(flags);
	if (err)
		atomic_cmpxchg((atomic_t *)error, 0, err);
}

static void cpu_off_here(void *unused)
{
	unsigned long flags;

	local_irq_save(flags);
	if (this_cpu_ptr(&cpus)->on) {
		mhi_compat_srso(false);
		life.ops->cpu_off(this_cpu_ptr(&cpus));
	}
	local_irq_restore(flags);
}

static void probe_here(void *caps)
{
	life.ops->probe(caps);
}

/* What a probe finds now, without disturbing a state in which we hold the CPUs. Under life.lock. */
static void probe_now(struct mhi_hv_caps *caps)
{
	if (life.users) {
		*caps = life.caps;
		return;
	}
	memset(caps, 0, sizeof(*caps));
	if (!life.ops) {
		caps->hw = MHK_HW_NO_CPU;
		return;
	}
	preempt_disable();
	probe_here(caps);
	preempt_enable();
	if (!life.xcr0)
		caps->cr4 &= ~MHI_CR4_OSXSAVE;
	else
		caps->features |= MHI_BIT(MHK_F_XSAVE);
}

static int hw_error(u32 hw)
{
	if (hw == MHK_HW_OK)
		return 0;
	return hw == MHK_HW_BUSY ? -EBUSY : hw == MHK_HW_FAILED ? -EIO : -EOPNOTSUPP;
}

/* Under life.lock, first user. */
static int all_on(void)
{
	atomic_t err = ATOMIC_INIT(0);

	probe_now(&life.caps);
	if (life.caps.hw != MHK_HW_OK)
		return hw_error(life.caps.hw);
	/* Not into the suspend: its end turns CPUs on for whoever is there. */
	if (life.suspended)
		return 0;
	on_each_cpu(cpu_on_here, &err, 1);
	if (!atomic_read(&err))
		return 0;
	on_each_cpu(cpu_off_here, NULL, 1);
	life.caps.hw = atomic_read(&err) == -EBUSY ? MHK_HW_BUSY : MHK_HW_FAILED;
	return hw_error(life.caps.hw);
}

int mhi_life_get(u32 *hw, u32 *missing)
{
	int err = 0;

	cpus_read_lock();
	mutex_lock(&life.lock);
	if (mhi_life_stopping())
		err = -ESHUTDOWN;
	else if (!life.users)
		err = all_on();
	if (!err)
		life.users++;
	*hw = life.caps.hw;
	*missing = life.caps.missing;
	mutex_unlock(&life.lock);
	cpus_read_unlock();
	return err;
}

void mhi_life_put(void)
{
	cpus_read_lock();
	mutex_lock(&life.lock);
	if (--life.users == 0)
		on_each_cpu(cpu_off_here, NULL, 1);
	mutex_unlock(&life.lock);
	cpus_read_unlock();
}

/* A CPU comes up: its VMs' threads may come to it, so it must be ours as the others are. */
static int life_cpu_online(unsigned int id)
{
	atomic_t err = ATOMIC_INIT(0);

	mutex_lock(&life.lock);
	if (life.users && !life.suspended && !life.stopping)
		cpu_on_here(&err);
	mutex_unlock(&life.lock);
	return atomic_read(&err);
}

static int life_cpu_offline(unsigned int id)
{
	cpu_off_here(NULL);
	return 0;
}

/*
 * Suspend and hibernation. User space is frozen between PREPARE and POST; a vCPU that comes
 * before it freezes finds its CPU off and goes round in run_until_exit.
 */
static int life_pm(struct notifier_block *nb, unsigned long event, void *unused)
{
	atomic_t err = ATOMIC_INIT(0);

	cpus_read_lock();
	mutex_lock(&life.lock);
	switch (event) {
	case PM_SUSPEND_PREPARE:
	case PM_HIBERNATION_PREPARE:
	case PM_RESTORE_PREPARE:
		WRITE_ONCE(life.suspended, true);
		on_each_cpu(cpu_off_here, NULL, 1);
		break;
	case PM_POST_SUSPEND:
	case PM_POST_HIBERNATION:
	case PM_POST_RESTORE:
		/* A CPU that somebody else took meanwhile stays off: its vCPUs are told so. */
		if (life.users && !life.stopping)
			on_each_cpu(cpu_on_here, &err, 1);
		WRITE_ONCE(life.suspended, false);
		break;
	}
	mutex_unlock(&life.lock);
	cpus_read_unlock();
	return NOTIFY_DONE;
}

static struct notifier_block life_pm_nb = { .notifier_call = life_pm };

static int life_reboot(struct notifier_block *nb, unsigned long event, void *unused)
{
	mutex_lock(&life.lock);
	WRITE_ONCE(life.stopping, true);
	on_each_cpu(cpu_off_here, NULL, 1);
	mutex_unlock(&life.lock);
	return NOTIFY_DONE;
}

static struct notifier_block life_reboot_nb = { .notifier_call = life_reboot };

/* ---- the device ---- */

long mhi_ioctl(const struct drv_ioctl *table, void *object, unsigned int cmd, void __user *user)
{
	union drv_arg arg;
	size_t bytes;
	u32 size;
	long ret;

	/* By type and number: the size is what the caller was compiled with. */
	while (table->fn && (u16)table->cmd != (u16)cmd)
		table++;
	if (!table->fn)
		return -ENOTTY;
	if (get_user(size, (u32 __user *)user))
		return -EFAULT;
	if (size < sizeof(arg.head) || size > PAGE_SIZE)
		return -EINVAL;
	bytes = _IOC_SIZE(table->cmd);
	ret = copy_struct_from_user(&arg, bytes, user, size);
	if (ret)
		return ret;
	if (arg.head.flags & ~table->flags)
		return -EINVAL;
	/* Not what user space may have written there meanwhile. */
	arg.head.size = size;
	ret = table->fn(object, &arg);
	/* Also after a failure, whose reason may be in it. It stands then, and so does an fd. */
	if ((_IOC_DIR(table->cmd) & _IOC_READ) && ret <= 0 &&
	    copy_to_user(user, &arg, min_t(size_t, bytes, size)) && !ret)
		return -EFAULT;
	return ret;
}

static long read_info(void *unused, union drv_arg *arg)
{
	struct mhk_info *info = &arg->info;
	struct mhi_hv_caps caps;

	mutex_lock(&life.lock);
	probe_now(&caps);
	info->vms = life.users;
	mutex_unlock(&life.lock);
	info->abi = MHK_ABI_VERSION;
	info->vendor = life.ops ? life.ops->vendor : MHK_VENDOR_NONE;
	info->hw = caps.hw;
	info->missing = caps.missing;
	info->features = caps.features;
	info->xcr0 = life.xcr0;
	info->cr4 = caps.cr4;
	info->tsc_khz = tsc_khz;
	info->timer_khz = tsc_khz >> MHI_LAPIC_TICK_SHIFT;
	info->phys_bits = caps.phys_bits;
	info->asids = caps.asids;
	info->barriers = barriers();
	return 0;
}

static const struct drv_ioctl dev_ioctls[] = {
	{ MHK_INFO, 0, read_info },
	{ MHK_VM_CREATE, 0, mhi_vm_create_fd },
	{ 0 },
};

static long dev_ioctl(struct file *file, unsigned int cmd, unsigned long user)
{
	return mhi_ioctl(dev_ioctls, NULL, cmd, (void __user *)user);
}

static const struct file_operations dev_fops = {
	.owner = THIS_MODULE,
	.unlocked_ioctl = dev_ioctl,
	.llseek = noop_llseek,
};

static struct miscdevice dev = {
	.minor = MISC_DYNAMIC_MINOR,
	.name = "macrohard",
	.fops = &dev_fops,
	.mode = 0660,
};

/* ---- module ---- */

/* The vendor whose probe does not say that its extension is another's, whatever else it says. */
static const struct mhi_hv_ops *find_ops(void)
{
	const struct mhi_hv_ops *ops = &mhi_vmx_ops;
	struct mhi_hv_caps caps;

	preempt_disable();
	if (ops->probe(&caps) && caps.hw == MHK_HW_NO_CPU) {
		ops = &mhi_svm_ops;
		if (ops->probe(&caps) && caps.hw == MHK_HW_NO_CPU)
			ops = NULL;
	}
	preempt_enable();
	return ops;
}

static void free_cpus(void)
{
	unsigned int id;

	for_each_possible_cpu(id) mhi_host_page_free(per_cpu(cpus, id).page);
}

static int alloc_cpus(void)
{
	unsigned int id;

	for_each_possible_cpu(id)
	{
		struct mhi_cpu *cpu = &per_cpu(cpus, id);

		cpu->id = id;
		cpu->page = mhi_host_page_alloc();
		if (!cpu->page)
			return -ENOMEM;
		cpu->page_pa = mhi_host_va_to_pa(cpu->page);
	}
	return 0;
}

static int __init macrohard_init(void)
{
	int err;

	mutex_init(&life.lock);
	life.ops = find_ops();
	if (boot_cpu_has(X86_FEATURE_XSAVE))
		life.xcr0 = mhi_xgetbv0() & MHI_XCR0_SUPPORTED;
	/* Without a frequency, of which the kernel has told, guests could have no timers. */
	err = tsc_khz ? alloc_cpus() : -ENODEV;
	if (err)
		goto cpus;
	err = cpuhp_setup_state(CPUHP_AP_ONLINE_DYN, "macrohard:online", life_cpu_online,
				life_cpu_offline);
	if (err < 0)
		goto cpus;
	life.hotplug = err;
	register_pm_notifier(&life_pm_nb);
	register_reboot_notifier(&life_reboot_nb);
	err = misc_register(&dev);
	if (err)
		goto hotplug;
	return 0;
hotplug:
	unregister_reboot_notifier(&life_reboot_nb);
	unregister_pm_notifier(&life_pm_nb);
	cpuhp_remove_state(life.hotplug);
cpus:
	free_cpus();
	return err;
}

/* No fd is open, so no VM lives and no CPU is on. */
static void __exit macrohard_exit(void)
{
	misc_deregister(&dev);
	unregister_reboot_notifier(&life_reboot_nb);
	unregister_pm_notifier(&life_pm_nb);
	cpuhp_remove_state(life.hotplug);
	free_cpus();
}

module_init(macrohard_init);
module_exit(macrohard_exit);
MODULE_DESCRIPTION("libmacrohard's shim: VMX and SVM for an embeddable hypervisor");
MODULE_LICENSE("Dual MIT/GPL");
