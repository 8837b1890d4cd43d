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

	/* First: until then memory that changes has all vCPUs looked at. */
	mhi_mem_fini(vm);
	for (i = 0; i < MHK_MAX_VCPUS; i++)
		if (vm->arch.vcpu[i])
			mhi_vcpu_free(to_drv(vm->arch.vcpu[i]));
	mhi_doorbell_fini(vm);
	ida_free(&vpid_blocks, vm->vpid_block);
	mmdrop(vm->mm);
	kvfree(vm);
	mhi_life_put();
}

void mhi_vm_put(struct drv_vm *vm)
{
	kref_put(&vm->ref, vm_free);
}

static long vm_msi(void *vm, union drv_arg *arg)
{
	struct mhk_msi *msi = &arg->msi;

	msi->delivered = mhi_lapic_msi(&((struct drv_vm *)vm)->arch, msi->addr, msi->data);
	return 0;
}

static long vm_tsc(void *object, union drv_arg *arg)
{
	struct mhi_vm *vm = &((struct drv_vm *)object)->arch;
	struct mhk_tsc *tsc = &arg->tsc;
	u32 shift = vm->caps.tsc_shift;

	if (tsc->pad || (tsc->ratio && (!shift || tsc->ratio >> shift > MHK_TSC_RATIO_MAX)))
		return -EINVAL;
	if (tsc->flags & MHK_TSC_SET) {
		WRITE_ONCE(vm->tsc_offset, tsc->offset);
		WRITE_ONCE(vm->tsc_ratio, tsc->ratio);
	}
	tsc->offset = READ_ONCE(vm->tsc_offset);
	tsc->ratio = READ_ONCE(vm->tsc_ratio);
	tsc->shift = shift;
	return 0;
}

static const struct drv_ioctl vm_ioctls[] = {
	{ MHK_MEM, MHK_MEM_READONLY | MHK_MEM_CLEAR, mhi_mem_set },
	{ MHK_MSI, 0, vm_msi },
	{ MHK_DOORBELL, MHK_DOORBELL_CLEAR, mhi_doorbell_set },
	{ MHK_TSC, MHK_TSC_SET, vm_tsc },
	{ MHK_VCPU_CREATE, 0, mhi_vcpu_create_fd },
	{ 0 },
};

static long vm_ioctl(struct file *file, unsigned int cmd, unsigned long user)
{
	struct drv_vm *vm = file->private_data;

	/* Interrupts may come from a sandboxed helper process; the rest is the owner's. */
	if ((u16)cmd != (u16)MHK_MSI && current->mm != vm->mm)
		return -EPERM;
	return mhi_ioctl(vm_ioctls, vm, cmd, (void __user *)user);
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
	kref_init(&vm->ref);
	mutex_init(&vm->lock);
	mhi_life_describe(&vm->arch);
	vm->vpid_block = ida_alloc_max(&vpid_blocks, VPID_BLOCKS - 2, GFP_KERNEL_ACCOUNT);
	if (vm->vpid_block < 0)
		return vm->vpid_block;
	if (vm->arch.caps.features & MHI_BIT(MHK_F_TLB_TAG))
		vm->arch.vpid_base = (vm->vpid_block + 1) * MHK_MAX_VCPUS;
	return mhi_mem_init(vm);
}

long mhi_vm_create_fd(void *unused, union drv_arg *arg)
{
	struct drv_vm *vm;
	int fd, err;

	err = mhi_life_get(&arg->vm_create.hw, &arg->vm_create.missing);
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
