// SPDX-License-Identifier: (GPL-2.0 OR MIT)
/* The VM object: its fd, its ioctls, its life by reference. */
#include <linux/anon_inodes.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/idr.h>
#include <linux/sched/mm.h>
#include <linux/slab.h>

#include "kdrv.h"

/*
 * VPIDs are handed out in blocks of one VM's vCPUs; 0 is the host's. SDM 3C 29.1
 * "Virtual-Processor Identifiers".
 */
#define VPID_BLOCKS (65536 / MHK_MAX_VCPUS)
static DEFINE_IDA(vpid_blocks);

static void vm_free(struct kref *ref)
{
	struct drv_vm *vm = container_of(ref, struct drv_vm, ref);
	unsigned int i;

	for (i = 0; i < MHK_MAX_VCPUS; i++)
		if (vm->arch.vcpu[i])
			mhi_vcpu_free(to_drv(vm->arch.vcpu[i]));
	mhi_mem_fini(vm);
	ida_free(&vpid_blocks, vm->vpid_block);
	mmdrop(vm->mm);
	kvfree(vm);
	mhi_life_put();
}

void mhi_vm_get(struct drv_vm *vm)
{
	kref_get(&vm->ref);
}

void mhi_vm_put(struct drv_vm *vm)
{
	kref_put(&vm->ref, vm_free);
}

static int vm_msi(struct drv_vm *vm, void __user *user)
{
	struct mhk_msi arg;
	int err = mhi_arg_in(&arg, sizeof(arg), user);

	if (err)
		return err;
	if (arg.flags)
		return -EINVAL;
	arg.delivered = mhi_lapic_msi(&vm->arch, arg.addr, arg.data);
	return mhi_arg_out(&arg, sizeof(arg), user);
}

static int vm_tsc(struct drv_vm *vm, void __user *user)
{
	struct mhk_tsc arg;
	int err = mhi_arg_in(&arg, sizeof(arg), user);

	if (err)
		return err;
	if (arg.flags & ~MHK_TSC_SET)
		return -EINVAL;
	if (arg.flags & MHK_TSC_SET)
		WRITE_ONCE(vm->arch.tsc_offset, arg.offset);
	else
		arg.offset = READ_ONCE(vm->arch.tsc_offset);
	return mhi_arg_out(&arg, sizeof(arg), user);
}

static int vm_mem(struct drv_vm *vm, void __user *user)
{
	struct mhk_mem arg;
	int err = mhi_arg_in(&arg, sizeof(arg), user);

	return err ? err : mhi_mem_set(vm, &arg);
}

static int vm_vcpu_create(struct drv_vm *vm, void __user *user)
{
	struct mhk_vcpu_create arg;
	int err = mhi_arg_in(&arg, sizeof(arg), user);

	if (err)
		return err;
	if (arg.flags || arg.pad || arg.apic_id >= MHK_MAX_VCPUS)
		return -EINVAL;
	return mhi_vcpu_create_fd(vm, arg.apic_id);
}

static long vm_ioctl(struct file *file, unsigned int cmd, unsigned long arg)
{
	struct drv_vm *vm = file->private_data;
	void __user *user = (void __user *)arg;

	if (_IOC_TYPE(cmd) != MHK_IOC)
		return -ENOTTY;
	/* Interrupts may come from a sandboxed helper process; the rest is the owner's. */
	if (_IOC_NR(cmd) == _IOC_NR(MHK_MSI))
		return vm_msi(vm, user);
	if (current->mm != vm->mm)
		return -EPERM;
	switch (_IOC_NR(cmd)) {
	case _IOC_NR(MHK_MEM):
		return vm_mem(vm, user);
	case _IOC_NR(MHK_TSC):
		return vm_tsc(vm, user);
	case _IOC_NR(MHK_VCPU_CREATE):
		return vm_vcpu_create(vm, user);
	default:
		return -ENOTTY;
	}
}

static int vm_release(struct inode *inode, struct file *file)
{
	mhi_vm_put(file->private_data);
	return 0;
}

static const struct file_operations vm_fops = {
	.owner = THIS_MODULE,
	.unlocked_ioctl = vm_ioctl,
	.release = vm_release,
	.llseek = noop_llseek,
};

static int vm_init(struct drv_vm *vm)
{
	const struct mhi_hv_caps *caps = mhi_life_caps();

	kref_init(&vm->ref);
	mutex_init(&vm->lock);
	vm->arch.ops = mhi_life_ops();
	vm->arch.caps.features = caps->features;
	vm->arch.caps.cr4 = caps->cr4;
	vm->arch.caps.xcr0 = mhi_life_xcr0();
	vm->arch.caps.phys_bits = caps->phys_bits;
	vm->arch.tsc_khz = tsc_khz;
	vm->vpid_block = ida_alloc_max(&vpid_blocks, VPID_BLOCKS - 2, GFP_KERNEL_ACCOUNT);
	if (vm->vpid_block < 0)
		return vm->vpid_block;
	if (caps->features & MHI_BIT(MHK_F_TLB_TAG))
		vm->arch.vpid_base = (vm->vpid_block + 1) * MHK_MAX_VCPUS;
	return mhi_mem_init(vm);
}

int mhi_vm_create_fd(struct mhk_vm_create *arg)
{
	struct drv_vm *vm;
	int fd, err;

	err = mhi_life_get(&arg->hw, &arg->missing);
	if (err)
		return err;
	vm = kvzalloc(sizeof(*vm), GFP_KERNEL_ACCOUNT);
	if (!vm) {
		err = -ENOMEM;
		goto life;
	}
	err = vm_init(vm);
	if (err)
		goto free;
	vm->mm = current->mm;
	mmgrab(vm->mm);
	fd = anon_inode_getfd("macrohard-vm", &vm_fops, vm, O_RDWR | O_CLOEXEC);
	if (fd < 0)
		mhi_vm_put(vm);
	return fd;
free:
	if (vm->vpid_block >= 0)
		ida_free(&vpid_blocks, vm->vpid_block);
	kvfree(vm);
life:
	mhi_life_put();
	return err;
}
