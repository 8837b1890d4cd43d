/* SPDX-License-Identifier: MIT */
/* Rules about I/O ports, CPUID and MSRs, from the embedder to the VM. */
#include "api/impl.h"
#include "api/sized.h"

int mh_vm_msr_rule(struct mh_vm *vm, const struct mh_msr_rule *rule)
{
	struct mh_msr_rule r = MH_MSR_RULE_INIT;
	struct mhi_err *err;
	const char *why;
	int rc;

	if (!vm)
		return MH_EINVAL;
	err = mhi_ctx_err(vm->ctx);
	if (!mhi_sized_take(&r, sizeof(r), rule))
		return mhi_err_set(err, MH_EINVAL, "MSR rule of VM \"%s\": %s", vm->name,
				   MHI_SIZED_WRONG);
	rc = mhi_vm_enter_setup(vm, "MSR rule of");
	if (rc)
		return rc;
	rc = mhi_policy_add_msr(&vm->policy, &r, &why);
	mhi_vm_leave(vm);
	return rc ? mhi_err_set(err, rc, "MSR rule of VM \"%s\": MSRs 0x%x to 0x%x: %s", vm->name,
				r.first, r.last, why)
		  : 0;
}

int mh_vm_port_rule(struct mh_vm *vm, const struct mh_port_rule *rule)
{
	struct mh_port_rule r = MH_PORT_RULE_INIT;
	struct mhi_err *err;
	const char *why;
	int rc;

	if (!vm)
		return MH_EINVAL;
	err = mhi_ctx_err(vm->ctx);
	if (!mhi_sized_take(&r, sizeof(r), rule))
		return mhi_err_set(err, MH_EINVAL, "port rule of VM \"%s\": %s", vm->name,
				   MHI_SIZED_WRONG);
	rc = mhi_vm_enter_setup(vm, "port rule of");
	if (rc)
		return rc;
	rc = mhi_policy_add_port(&vm->policy, &r, &why);
	mhi_vm_leave(vm);
	return rc ? mhi_err_set(err, rc, "port rule of VM \"%s\": ports 0x%x to 0x%x: %s", vm->name,
				r.first, r.last, why)
		  : 0;
}

/* For what a guest may have seen of its CPUs. The VM is left on error. */
static int enter_unseen(struct mh_vm *vm, const char *what, const char *seen)
{
	int rc = mhi_vm_enter_setup(vm, what);

	if (rc || vm->state != MH_VM_PAUSED)
		return rc;
	mhi_vm_leave(vm);
	return mhi_err_set(mhi_ctx_err(vm->ctx), MH_ESTATE,
			   "%s VM \"%s\": it is paused, and its guest has seen %s before the "
			   "start, or stop it",
			   what, vm->name, seen);
}

int mh_vm_cpuid_rule(struct mh_vm *vm, const struct mh_cpuid_rule *rule)
{
	struct mh_cpuid_rule r = MH_CPUID_RULE_INIT;
	struct mhi_err *err;
	int rc;

	if (!vm)
		return MH_EINVAL;
	err = mhi_ctx_err(vm->ctx);
	if (!mhi_sized_take(&r, sizeof(r), rule))
		return mhi_err_set(err, MH_EINVAL, "CPUID rule of VM \"%s\": %s", vm->name,
				   MHI_SIZED_WRONG);
	if (r.flags & ~MH_CPUID_SUBLEAF)
		return mhi_err_set(
			err, MH_EINVAL,
			"CPUID rule of VM \"%s\": flags has unknown bits 0x%x; use MH_CPUID_* or 0",
			vm->name, r.flags & ~MH_CPUID_SUBLEAF);
	rc = enter_unseen(vm, "CPUID rule of", "CPUID; add rules");
	if (rc)
		return rc;
	if (vm->policy.cpuids == MH_RULES_MAX) {
		rc = mhi_err_set(err, MH_ERANGE, "there are %u rules already; join some into one",
				 MH_RULES_MAX);
	} else {
		vm->policy.cpuid[vm->policy.cpuids++] = r;
		rc = mhi_vm_set_cpuid(vm, err);
		vm->policy.cpuids -= rc != 0;
	}
	if (rc)
		mhi_err_wrap(err, "CPUID rule of VM \"%s\": leaf 0x%x", vm->name, r.leaf);
	mhi_vm_leave(vm);
	return rc;
}

/* ---- the TSC's frequency ---- */

/* 0; the frequency cannot be had. Of the engine's VM, which is there. */
static int check_tsc(struct mh_vm *vm, u32 khz, u32 host_khz, struct mhi_err *err)
{
	struct mhi_tsc tsc = { 0 };
	u64 least = (host_khz + MHK_TSC_RATIO_MAX - 1) / MHK_TSC_RATIO_MAX,
	    most = (u64)host_khz * MHK_TSC_RATIO_MAX;

	if (khz == host_khz)
		return 0;
	if (!host_khz)
		return mhi_err_set(
			err, MH_EMISSING,
			"the host's own frequency is unknown; leave it to be the host's: 0");
	if (!vm->eng || vm->ops->tsc(vm->eng, false, &tsc) || !tsc.shift)
		return mhi_err_set(
			err, MH_EMISSING,
			"the CPU lacks TSC scaling, or the engine does not use it, and the "
			"host's TSC has %u kHz; choose that, or 0, or another CPU",
			host_khz);
	if (khz < least || khz > most)
		return mhi_err_set(err, MH_ERANGE, "the host's TSC has %u kHz; choose %llu to %llu",
				   host_khz, least, most > UINT32_MAX ? UINT32_MAX : most);
	return 0;
}

static int set_tsc(struct mh_vm *vm, u32 khz, struct mhi_err *err)
{
	const struct mhk_info *engine = vm->ops->info(vm->engine);
	const struct mhk_info before = vm->facts;
	int rc = khz ? check_tsc(vm, khz, engine->tsc_khz, err) : 0;

	if (rc)
		return rc;
	vm->facts.tsc_khz = khz ? khz : engine->tsc_khz;
	if (vm->ops->timer_shift)
		vm->facts.timer_khz = vm->facts.tsc_khz >> vm->ops->timer_shift;
	rc = mhi_vm_set_cpuid(vm, err);
	if (rc) {
		vm->facts = before;
		return rc;
	}
	vm->tsc_khz = khz == engine->tsc_khz ? 0 : khz;
	mhi_hyperv_set_rates(&vm->hyperv, vm->facts.tsc_khz, vm->facts.timer_khz);
	return 0;
}

int mh_vm_set_tsc_khz(struct mh_vm *vm, uint32_t khz)
{
	struct mhi_err *err;
	int rc;

	if (!vm)
		return MH_EINVAL;
	err = mhi_ctx_err(vm->ctx);
	rc = enter_unseen(vm, "TSC of", "it; set its frequency");
	if (rc)
		return rc;
	rc = set_tsc(vm, khz, err);
	if (rc)
		mhi_err_wrap(err, "TSC of VM \"%s\": %u kHz", vm->name, khz);
	mhi_vm_leave(vm);
	return rc;
}

uint32_t mh_vm_tsc_khz(struct mh_vm *vm)
{
	u32 khz;

	if (!vm)
		return 0;
	mhi_vm_enter(vm);
	khz = vm->facts.tsc_khz;
	mhi_vm_leave(vm);
	return khz;
}
