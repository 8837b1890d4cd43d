// SPDX-License-Identifier: (GPL-2.0 OR MIT)
/* Doorbells: guest-physical addresses whose writes count into an eventfd and reach nobody else. */
#include <linux/slab.h>

#include "kdrv.h"
#include "compat.h"

struct drv_doorbell {
	struct hlist_node node;
	mh_gpa gpa;
	struct eventfd_ctx *ctx; /* counted */
};

/* Under mmu_lock. */
static struct drv_doorbell *find(struct drv_vm *vm, mh_gpa gpa)
{
	struct drv_doorbell *d;

	hash_for_each_possible(vm->doorbells, d, node, gpa) if (d->gpa == gpa) return d;
	return NULL;
}

/* Rung under the lock: once a doorbell has been cleared nobody rings it. */
bool mhi_host_doorbell(struct mhi_vcpu *v, mh_gpa gpa, bool ring)
{
	struct drv_vm *vm = to_drv(v)->vm;
	struct drv_doorbell *d;

	spin_lock(&vm->mmu_lock);
	d = find(vm, gpa);
	if (d && ring)
		mhi_compat_eventfd_signal(d->ctx);
	spin_unlock(&vm->mmu_lock);
	return d != NULL;
}

static void drop(struct drv_doorbell *d)
{
	eventfd_ctx_put(d->ctx);
	kfree(d);
}

/* d goes in, or one like it goes out. Under mmu_lock. */
static int change(struct drv_vm *vm, struct drv_doorbell *d, struct drv_doorbell *there, bool clear)
{
	if (clear && (!there || there->ctx != d->ctx))
		return -ENOENT;
	if (!clear && there)
		return -EEXIST;
	if (!clear && vm->doorbell_count == MHK_MAX_DOORBELLS)
		return -ENOSPC;
	vm->doorbell_count += clear ? -1 : 1;
	if (clear)
		hash_del(&there->node);
	else
		hash_add(vm->doorbells, &d->node, d->gpa);
	return 0;
}

long mhi_doorbell_set(void *object, union drv_arg *arg)
{
	const struct mhk_doorbell *set = &arg->doorbell;
	bool clear = set->flags & MHK_DOORBELL_CLEAR;
	struct drv_doorbell *d, *there;
	struct drv_vm *vm = object;
	struct eventfd_ctx *ctx;
	int err;

	if (set->pad)
		return -EINVAL;
	ctx = eventfd_ctx_fdget(set->fd);
	if (IS_ERR(ctx))
		return PTR_ERR(ctx);
	d = kzalloc(sizeof(*d), GFP_KERNEL_ACCOUNT);
	if (!d) {
		eventfd_ctx_put(ctx);
		return -ENOMEM;
	}
	d->gpa = set->gpa;
	d->ctx = ctx;
	spin_lock(&vm->mmu_lock);
	there = find(vm, set->gpa);
	err = change(vm, d, there, clear);
	spin_unlock(&vm->mmu_lock);
	if (err || clear)
		drop(d);
	if (!err && clear)
		drop(there);
	return err;
}

void mhi_doorbell_fini(struct drv_vm *vm)
{
	struct drv_doorbell *d;
	struct hlist_node *next;
	int i;

	hash_for_each_safe(vm->doorbells, i, next, d, node) drop(d);
}
