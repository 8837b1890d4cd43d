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

/* The VM is left on error. */
static int enter_cpuid(struct mh_vm *vm)
{
	int rc = mhi_vm_enter_setup(vm, "CPUID rule of");

	if (rc || vm->state != MH_VM_PAUSED)
		return rc;
	mhi_vm_leave(vm);
	return mhi_err_set(mhi_ctx_err(vm->ctx), MH_ESTATE,
			   "CPUID rule of VM \"%s\": it is paused, and its guest has seen CPUID; "
			   "add rules before the start, or stop it",
			   vm->name);
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
	rc = enter_cpuid(vm);
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
