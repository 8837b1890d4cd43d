/* SPDX-License-Identifier: MIT */
/*
 * The engine's side of a VM. A power cycle makes all its objects anew: that resets whatever the
 * engine keeps (local APICs, timers, hidden state), and works alike for every engine. Guest
 * memory is ours and stays.
 */
#include <stdlib.h>
#include <x86intrin.h>

#include "api/impl.h"
#include "arch/x86/reset.h"
#include "core/cpuid.h"

/* A VM under construction; what is not made yet is NULL. */
struct build {
	struct mhi_eng_vm *eng;
	struct mhi_eng_vcpu *vcpu[MHK_MAX_VCPUS];
};

static void build_fini(const struct mh_vm *vm, struct build *b)
{
	u32 i;

	for (i = 0; i < vm->cpus; i++)
		if (b->vcpu[i])
			vm->ops->vcpu_destroy(b->vcpu[i]);
	if (b->eng)
		vm->ops->vm_destroy(b->eng);
}

static int build_slots(const struct mh_vm *vm, struct build *b, struct mhi_err *err)
{
	u32 i;

	for (i = 0; i < MHI_SLOTS_MAX; i++) {
		const struct mhi_slot *slot = &vm->mem.slots.slot[i];
		struct mhk_mem mem = { .size = sizeof(mem),
				       .flags = slot->readonly ? MHK_MEM_READONLY : 0,
				       .slot = i,
				       .gpa = slot->gpa,
				       .bytes = slot->bytes,
				       .hva = slot->hva };
		int rc = slot->bytes ? vm->ops->mem_set(b->eng, &mem, err) : 0;

		if (rc)
			return rc;
	}
	return 0;
}

/* *signature: what leaf 1 has in EAX. */
static int set_cpuid(const struct mh_vm *vm, struct mhi_eng_vcpu *v, u32 index, u32 *signature,
		     struct mhi_err *err)
{
	struct mhk_cpuid_entry table[MHK_MAX_CPUID];
	const struct mhi_cpuid_config config = { .info = vm->info,
						 .cpus = vm->cpus,
						 .apic_id = index,
						 .hyperv = (vm->flags & MH_VM_HYPERV) != 0,
						 .hypercalls = mhi_hc_features(&vm->hypercalls),
						 .version = vm->hypercalls.env.version };
	u32 count = mhi_cpuid_build(&mhi_cpuid_native, &config, table), i;

	for (i = 0; i < vm->policy.cpuids; i++)
		if (!mhi_cpuid_rule_apply(&vm->policy.cpuid[i], table, &count))
			return mhi_err_set(err, MH_ERANGE, "CPUID has more than %u leaves",
					   MHK_MAX_CPUID);
	for (i = 0; i < count; i++)
		if (table[i].leaf == 1)
			*signature = table[i].eax;
	return vm->ops->cpuid(v, table, count, err);
}

int mhi_vm_set_cpuid(struct mh_vm *vm, struct mhi_err *err)
{
	u32 signature, i;
	int rc = 0;

	for (i = 0; vm->fresh && i < vm->cpus && !rc; i++)
		rc = set_cpuid(vm, vm->vcpu[i].eng, i, &signature, err);
	return rc;
}

static int build_vcpu(const struct mh_vm *vm, struct build *b, u32 index, struct mhi_err *err)
{
	struct mhk_run *page;
	u32 signature = 0;
	int rc;

	rc = vm->ops->vcpu_create(b->eng, index, &b->vcpu[index], err);
	if (rc)
		return rc;
	rc = set_cpuid(vm, b->vcpu[index], index, &signature, err);
	if (rc)
		return rc;
	page = vm->ops->page(b->vcpu[index]);
	mhi_reset_state(&page->state, index == 0);
	page->state.gpr[MHK_RDX] = signature;
	page->user.commit = MHK_G_ALL & ~MHK_G_FPU;
	return 0;
}

static int build_all(const struct mh_vm *vm, struct build *b, struct mhi_err *err)
{
	int rc = vm->ops->vm_create(vm->engine, &b->eng, err);
	u32 i;

	if (!rc)
		rc = build_slots(vm, b, err);
	for (i = 0; i < vm->cpus && !rc; i++)
		rc = build_vcpu(vm, b, i, err);
	return rc;
}

/* Exchange the VM's objects for those of *b. */
static void swap(struct mh_vm *vm, struct build *b)
{
	struct build old = { .eng = vm->eng };
	u32 i;

	pthread_rwlock_wrlock(&vm->engine_lock);
	vm->eng = b->eng;
	for (i = 0; i < vm->cpus; i++) {
		struct mh_vcpu *v = &vm->vcpu[i];

		mhi_vcpu_add_stats(v, &v->past);
		old.vcpu[i] = v->eng;
		v->eng = b->vcpu[i];
		v->page = v->eng ? vm->ops->page(v->eng) : NULL;
	}
	pthread_rwlock_unlock(&vm->engine_lock);
	*b = old;
}

/* Where the engine cannot move the TSC, the guest sees the host's. */
int mhi_vm_start_clock(struct mh_vm *vm, struct mhi_err *err)
{
	u32 host_khz = vm->ops->info(vm->engine)->tsc_khz;
	struct mhi_tsc tsc = { 0 };
	u64 now;
	int rc;

	vm->ops->tsc(vm->eng, false, &tsc);
	tsc.khz = vm->tsc_khz;
	tsc.ratio = tsc.khz ? mhi_tsc_ratio(tsc.khz, host_khz, tsc.shift) : 0;
	tsc.offset = 0;
	now = __rdtsc();
	tsc.offset = -mhi_tsc_guest(&tsc, now);
	rc = vm->ops->tsc(vm->eng, true, &tsc);
	if (rc && tsc.ratio)
		return mhi_err_set(err, MH_EIO,
				   "the engine refuses a TSC of %u kHz, where the host's has %u; "
				   "do without: mh_vm_set_tsc_khz(vm, 0)",
				   tsc.khz, host_khz);
	vm->ops->tsc(vm->eng, false, &tsc);
	mhi_kvmclock_start(&vm->clock, vm->info->tsc_khz, mhi_tsc_guest(&tsc, now));
	return 0;
}

/* An engine that has the guest's clock for itself tells the guest itself. */
void mhi_vm_clock_paused(struct mh_vm *vm)
{
	u32 i;

	for (i = 0; i < vm->cpus; i++) {
		mhi_msrs_paused(&vm->vcpu[i].msrs);
		if (vm->ops->paused)
			vm->ops->paused(vm->vcpu[i].eng);
	}
}

int mhi_vm_power_cycle(struct mh_vm *vm, struct mhi_err *err)
{
	struct build b = { 0 };
	int rc = build_all(vm, &b, err);
	u32 i;

	if (rc) {
		build_fini(vm, &b);
		return rc;
	}
	swap(vm, &b);
	build_fini(vm, &b);
	mhi_hyperv_reset(&vm->hyperv);
	for (i = 0; i < vm->cpus; i++)
		mhi_msrs_reset(&vm->vcpu[i].msrs, &vm->msr_env, i);
	mhi_gdb_renew(vm);
	return 0;
}

void mhi_vm_power_off(struct mh_vm *vm)
{
	struct build none = { 0 };

	swap(vm, &none);
	build_fini(vm, &none);
}
